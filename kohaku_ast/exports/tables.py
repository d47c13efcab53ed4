"""Recorded runs as documents of JSON, and as a table: CSV or Parquet."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kohaku_ast.display.text import csv_text, json_cell, json_text
from kohaku_ast.errors import UsageError
from kohaku_ast.store.columns import FIELDS, frame_names
from kohaku_ast.store.query import MISSING
from kohaku_ast.store.store import Runs
from kohaku_ast.store.summary import RunSummary, is_cut

Table = tuple[Sequence[str], Iterable[Sequence[Any]]]
"""The names of the columns, and the rows."""


def json_of_runs(runs: Runs) -> bytes:
    """A list with a document for each run."""
    return json_text([document(run, runs) for run in runs.summaries]).encode()


def csv_of_runs(runs: Runs) -> bytes:
    """A line of names, and a line for each run."""
    return csv_text(*table_of(runs)).encode()


def parquet_of_runs(runs: Runs) -> bytes:
    """The same table as a Parquet file. Raises UsageError without pyarrow."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError(
            'export to Parquet needs pyarrow: pip install "kohaku-ast[parquet]"'
        ) from None
    names, rows = table_of(runs)
    columns = zip(*rows) if len(runs) else ((),) * len(names)
    arrays = [_arrow_array([*column], pyarrow.array) for column in columns]
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(dict(zip(names, arrays))), sink)
    return sink.getvalue()


def _arrow_array(values: list[Any], make: Callable[[list[Any]], Any]) -> Any:
    """*values* as one column: of numbers, truth values or texts; without a common type of JSON."""
    kinds = {type(one) for one in values if one is not None}
    if kinds <= {int, float} or (len(kinds) == 1 and not kinds & {list, dict}):
        try:
            return make(values)
        except (ValueError, OverflowError):
            pass  # an integer of more than 64 bits
    return make([one if one is None or isinstance(one, str) else json_cell(one) for one in values])


# --- documents and rows --------------------------------------------------------------------------


def document(run: RunSummary, runs: Runs) -> dict[str, Any]:
    """What is known of *run*, one of *runs*, for programs."""
    run = _whole(run, runs)
    found: dict[str, Any] = {name: getattr(run, name) for name in FIELDS}
    found["params"] = run.params
    found["metrics"] = {name: run.statistics(name) for name in run.metrics}
    found["outputs"], found["value"] = run.values("outputs"), run.value
    found["metadata"] = run.values("metadata")
    found["nodes"] = run.values("nodes")
    return found


def table_of(runs: Runs) -> Table:
    """All that is known of *runs*: a column for each field, parameter, metric and output."""
    getters = frame_names(runs.summaries)
    whole = (_whole(run, runs) for run in runs.summaries)
    return [*getters], ([_or_none(get(run)) for get in getters.values()] for run in whole)


def _whole(run: RunSummary, runs: Runs) -> RunSummary:
    """*run* with the ends of long values, which the index does not have."""
    return run.whole(runs.record(run)) if any(map(is_cut, run.cells)) else run


def _or_none(value: Any) -> Any:
    return None if value is MISSING else value
