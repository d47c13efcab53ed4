"""Results of finished runs: the numbers that they printed, Repeats, which groups the runs of a
Config that runs several times, and the Objective of a search.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from math import inf, isfinite, isnan, nan
from pathlib import Path
from typing import Literal, TypeAlias

from kohaku_ast.display.text import plain_line, short_repr
from kohaku_ast.errors import UsageError, near
from kohaku_ast.flow.run import SUCCEEDED, Observer, Run
from kohaku_ast.runner.outcome import Outcome, as_number
from kohaku_ast.store.metrics import summarise_log

Numbers: TypeAlias = Mapping[str, tuple[float, float, int]]
"""Name of a result -> its mean, its standard deviation, and the number of runs that have it."""

_MOST_GROUPS = 1_000


class Repeats(Observer):
    """Groups the runs of each Config that is repeated, with the mean and the spread of what they
    printed, returned and kept as outputs.
    """

    def __init__(self) -> None:
        #: Label of a Config -> the number of its runs, and the numbers of each name.
        self.groups: dict[str, tuple[int, dict[str, list[float]]]] = {}
        #: The number of runs in no group, because there are too many groups.
        self.others = 0

    def on_end(self, run: Run) -> None:
        """Add the numbers of *run*."""
        self._add(run)

    def on_skip(self, run: Run) -> None:
        """The same for a run that an earlier flow has done."""
        self._add(run)

    def _add(self, run: Run) -> None:
        if run.repeat is None:
            return
        group = run.group
        if group not in self.groups and len(self.groups) == _MOST_GROUPS:
            self.others += 1
            return
        count, numbers = self.groups.get(group, (0, {}))
        outcome = run.outcome
        if outcome is not None and outcome.status == SUCCEEDED:
            for name, number in outcome.numbers.items():
                numbers.setdefault(name, []).append(number)
        self.groups[group] = count + 1, numbers

    def rows(self) -> Iterator[tuple[str, int, Numbers]]:
        """For each Config its label, the number of its runs, and their numbers."""
        for group, (count, numbers) in self.groups.items():
            yield (
                group,
                count,
                {
                    name: (_mean(found), _spread(found), len(found))
                    for name, found in numbers.items()
                },
            )

    def lines(self) -> Iterator[str]:
        """The groups as text: ``repeated lr=0.1, 3 runs: loss=0.5 ± 0.02``."""
        for group, count, numbers in self.rows():
            pairs = " ".join(
                f"{name}={mean:.4g} ± {spread:.2g}" + (f" ({of} of them)" if of < count else "")
                for name, (mean, spread, of) in numbers.items()
            )
            runs = f"{count} run{'s' if count != 1 else ''}"
            yield plain_line(f"repeated {group}, {runs}: {pairs or 'no numbers'}")
        if self.others:
            yield f"repeated ... and {self.others} runs more, of other Configs"


def _mean(found: list[float]) -> float:
    from statistics import fmean  # here, and below: it loads random, and few flows repeat runs

    try:
        return fmean(found)
    except ValueError:  # of inf and -inf
        return nan
    except OverflowError:  # the sum of the greatest numbers
        return sum(one / len(found) for one in found)


def _spread(found: list[float]) -> float:
    """The standard deviation; that of a nan or an infinite number is nan."""
    from statistics import stdev

    if not all(map(isfinite, found)):
        return nan
    try:
        return stdev(found) if len(found) > 1 else 0.0
    except OverflowError:
        return inf


class NoObjectiveError(ValueError):
    """A run has succeeded, and nothing of it has the name of the objective."""


@dataclass(frozen=True)
class Objective:
    """The number of an Outcome that a search makes small or large."""

    #: The output global, the key or attribute of what the entry function returns, or the name of
    #: a number that the script prints.
    name: str
    #: ``minimize`` or ``maximize``.
    direction: Literal["minimize", "maximize"]

    def __str__(self) -> str:
        return f"{self.direction} {self.name}"

    def is_better(self, result: float, other: float | None) -> bool:
        """Whether *result* is better than *other*; true if *other* is None."""
        if other is None:
            return True
        return result < other if self.direction == "minimize" else result > other

    def read(self, outcome: object, by_name: bool = False) -> float:
        """The number in *outcome*; of a list of Outcomes, the mean. *by_name*: not a returned value
        that has no name.

        Raises ValueError, which says what *outcome* holds instead.
        """
        if isinstance(outcome, list) and outcome:
            from statistics import fmean

            return fmean([self.read(one, by_name) for one in outcome])
        if not isinstance(outcome, Outcome):
            raise ValueError("there was no run")
        if outcome.status != "succeeded":
            why = outcome.error or f"exit status {outcome.exit_status}"
            raise ValueError(f"the run failed: {str(why).splitlines()[0]}")
        return self._number(outcome, by_name)

    def _number(self, outcome: Outcome, by_name: bool) -> float:
        printed = outcome.metrics
        if not printed and outcome.log:  # of a flow with --no-metrics
            summary = summarise_log(Path(outcome.log))
            printed = {name: one["last"] for name, one in summary.items()}
        places = _places(self.name, outcome, printed)
        for found in places if by_name else chain(places, _nameless(self.name, outcome, printed)):
            number = as_number(found)
            if number is not None:
                if isnan(number):
                    raise ValueError(f"{self.name} is nan")
                return number
        raise NoObjectiveError(_no_number(self.name, outcome, printed))


def make_objective(minimize: str | None, maximize: str | None, words: tuple[str, str]) -> Objective:
    """The Objective of two arguments, called *words*. Raises UsageError unless one is given."""
    if minimize and maximize:
        raise UsageError(f"{words[0]} and {words[1]}: a search has one objective. Take one away")
    if not (minimize or maximize):
        raise UsageError(f"a search needs an objective: {words[0]} loss, or {words[1]} accuracy")
    return Objective(str(minimize or maximize), "minimize" if minimize else "maximize")


def _places(name: str, outcome: Outcome, printed: Mapping[str, float]) -> Iterator[object]:
    """The values at the places where the number may be, in order of precedence."""
    value = outcome.value
    if name in outcome.outputs:
        yield outcome.outputs[name]
    if isinstance(value, Mapping):
        yield value.get(name)
        yield printed.get(name)
        return
    yield getattr(value, name, None)
    only = _only_number(value)
    if name in printed and only is not None and is_rounded(printed[name], only):
        yield only  # printed with fewer digits
    yield printed.get(name)


def _nameless(name: str, outcome: Outcome, printed: Mapping[str, float]) -> Iterator[object]:
    """The returned value itself, where it may be meant by *name*."""
    value = outcome.value
    is_status = type(value) is int and value == 0  # of `sys.exit(main())`
    only = None if isinstance(value, Mapping) else _only_number(value)
    if only is None or (is_status and (printed or not outcome.log)):
        return
    mistyped = near(name, [*printed], 1, 0.85)  # "accurcy", but not "loss" for "val_loss"
    if not mistyped or is_rounded(printed[mistyped[0]], only):
        yield only


def _only_number(value: object) -> float | None:
    """*value*, or the only number in a tuple or list."""
    numbers = [value]
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
        numbers = [one for one in value if as_number(one) is not None]
    return as_number(numbers[0]) if len(numbers) == 1 else None


def is_rounded(printed: float, number: float) -> bool:
    """Whether *printed* is *number* with fewer digits."""
    text = repr(float(printed))
    places = len(text.partition(".")[2])
    if "e" in text:
        digits = len(text.partition("e")[0].replace(".", "").lstrip("-"))
        return float(f"{number:.{digits}g}") == printed
    return round(number, places) == printed


def _no_number(name: str, outcome: Outcome, printed: Mapping[str, float]) -> str:
    """The message that names what is in place of the number."""
    if name in outcome.outputs:
        reason = f"the global {name!r} is no number: {short_repr(outcome.outputs[name])}"
    else:
        reason = f"the script has no global {name!r}"
    shown = ", ".join([*printed][:_MOST_PRINTED])
    prints = f"prints the numbers {shown}" if printed else f"prints no line such as {name}: 0.1"
    if not outcome.log:
        prints = "its output was not recorded"
    found = near(name, [*_names(outcome.value), *printed], 1)
    hint = f". Did you mean {found[0]!r}?" if found and found[0] != name else ""
    return f"{reason}, {prints}, and its entry function returned {short_repr(outcome.value)}{hint}"


_MOST_PRINTED = 10


def _names(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [key for key in value if isinstance(key, str)]
    return [*getattr(value, "_fields", ()), *getattr(value, "__dict__", ())]
