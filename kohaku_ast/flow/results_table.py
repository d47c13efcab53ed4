"""ResultsTable: at the end of a flow a row for each of its runs, with the best results marked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TextIO

from kohaku_ast.config.config import value_text
from kohaku_ast.display.live import Out
from kohaku_ast.display.text import Group, plain_table, print_table
from kohaku_ast.flow.log_watch import number_text
from kohaku_ast.flow.results import is_rounded
from kohaku_ast.flow.run import SUCCEEDED, Observer, Run, Summary
from kohaku_ast.store.metrics import is_step

_MOST_ROWS = 200
_MOST_RESULTS = 8
"""Columns of results."""
_LOW = re.compile(
    r"(?:^|[^a-z])(?:loss|losses|err|error|errors|mse|rmse|mae|mape|perplexity|ppl|nll|bpb|bpc|cost|"
    r"wer|cer|fid|regret)(?:$|[^a-z])"
)
_HIGH = re.compile(
    r"(?:^|[^a-z])(?:acc|accuracy|auc|auroc|f1|score|reward|return|precision|recall|map|bleu|rouge|iou|"
    r"miou|dice|r2|psnr|ssim|elbo|likelihood)(?:$|[^a-z])"
)


@dataclass(frozen=True)
class _Row:
    """A run that has ended."""

    index: int
    script: str
    #: Target -> text, for the values in which it differs.
    values: Mapping[str, str]
    state: str
    #: Name -> number of its outputs and metrics, if it succeeded.
    results: Mapping[str, float]


class ResultsTable(Observer):
    """Prints the table of a flow of several runs with results."""

    def __init__(self, stream: TextIO) -> None:
        self._out = Out(stream)
        self._rows: list[_Row] = []
        self._names: Counter[str] = Counter()
        self._count = 0

    def on_end(self, run: Run) -> None:
        """Add a row."""
        self._add(run, run.state)

    def on_skip(self, run: Run) -> None:
        """Add a row for a run that an earlier flow has done."""
        self._add(run, run.outcome.status if run.outcome else run.state)

    def _add(self, run: Run, state: str) -> None:
        self._count += 1
        if len(self._rows) == _MOST_ROWS:
            return
        values = run.config.globals_dict
        varied = {name: value_text(values[name]) for name in run.config.varied if name in values}
        if run.repeat is not None:
            varied["repeat"] = str(run.repeat)
        results = run.outcome.numbers if run.outcome and state == SUCCEEDED else {}
        self._names.update(dict.fromkeys(results, 1))
        self._rows.append(_Row(run.index, run.work.name, varied, state, results))

    def on_finish(self, summary: Summary) -> None:
        """Print it, if there is something to compare."""
        names = self._results()
        if self._count > 1 and names and not summary.is_refused:
            columns, rows = self._table(names)
            groups = [Group("", tuple(rows))]
            _print(self._out, columns, groups)
            more = self._count - len(self._rows)
            self._out.print(f"... and {more} more: kogine runs ls" if more else "")

    def _results(self) -> list[str]:
        """The names of results to show."""
        names = [one for one in self._names if one != "value" or self._shows_value()]
        return ([one for one in names if not is_step(one)] or names)[:_MOST_RESULTS]

    def _shows_value(self) -> bool:
        """Whether what was returned says more: not if it is always the same, as an exit status, or
        printed as well.
        """
        rows = [row.results for row in self._rows if "value" in row.results]
        printed = self._names.keys() - {"value"}
        if any(
            all(one in row and is_rounded(row[one], row["value"]) for row in rows)
            for one in printed
        ):
            return False
        return len({row["value"] for row in rows}) > 1

    def _table(self, names: list[str]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        rows = sorted(self._rows, key=lambda row: row.index)
        best = {name: _best(name, rows) for name in names}
        getters: dict[str, Callable[[_Row], str]] = {"run": lambda row: str(row.index + 1)}
        if len({row.script for row in rows}) > 1:
            getters["script"] = lambda row: row.script
        for target in dict.fromkeys(name for row in rows for name in row.values):
            getters[target] = lambda row, target=target: row.values.get(target, "")  # type: ignore[misc]
        if any(row.state != SUCCEEDED for row in rows):
            getters["state"] = lambda row: row.state
        for name in names:
            text = _marked(name, best[name])
            if name not in getters:
                getters[name] = text
            elif any(text(row) not in ("", getters[name](row)) for row in rows):
                getters[f"{name} (result)"] = text  # it has the name of a parameter
        return tuple(getters), [tuple(get(row) for get in getters.values()) for row in rows]


def _best(name: str, rows: Sequence[_Row]) -> float | None:
    """The best number of *name*; None if nobody knows which is better, or all are equal."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).lower()
    numbers = [row.results[name] for row in rows if name in row.results]
    numbers = [one for one in numbers if not isnan(one)]
    is_low, is_high = bool(_LOW.search(words)), bool(_HIGH.search(words))
    if is_low == is_high or len({*numbers}) < 2:
        return None
    return min(numbers) if is_low else max(numbers)


def _marked(name: str, best: float | None) -> Callable[[_Row], str]:
    """The text of the number *name* in a row, with a star if it is the *best*."""

    def text(row: _Row) -> str:
        number = row.results.get(name)
        if number is None:
            return ""
        shown = number_text(int(number) if number.is_integer() and abs(number) < 1e9 else number)
        return f"{shown} *" if number == best else shown

    return text


def _print(out: Out, columns: tuple[str, ...], groups: list[Group]) -> None:
    """As lines; on a terminal that they do not fit into as rich lays it out."""
    text = plain_table(columns, groups)
    width = max(map(len, text.splitlines()))
    if not out.stream.isatty() or width <= _width_of(out.stream):
        out.write(text)
        return
    try:
        print_table(columns, groups, out.stream)
    except (OSError, ValueError):
        pass  # its reader has gone


def _width_of(stream: TextIO) -> int:
    import os

    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 80
