"""Objective: the number by which a search tells good runs from bad ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from kohaku_ast.display.text import short_repr
from kohaku_ast.errors import UsageError, near
from kohaku_ast.flow.study import Trial
from kohaku_ast.runner.outcome import Outcome


@dataclass(frozen=True)
class Objective:
    """A number that a run leaves behind, and what is wanted of it."""

    #: The output global, or the key or attribute of what the entry function returns.
    name: str
    #: ``minimize`` or ``maximize``.
    direction: Literal["minimize", "maximize"]

    def __str__(self) -> str:
        return f"{self.direction} {self.name}"

    def is_better(self, result: float, other: float | None) -> bool:
        """Whether *result* is nearer to what is wanted than *other*; anything is than nothing."""
        if other is None:
            return True
        return result < other if self.direction == "minimize" else result > other

    def best(self, trials: Iterable[Trial]) -> Trial | None:
        """The one with the best result, the first of equals; those without are passed over."""
        best: Trial | None = None
        for trial in trials:
            other = best.result if best else None
            if trial.result is not None and self.is_better(trial.result, other):
                best = trial
        return best

    def read(self, outcome: object) -> float:
        """The number in *outcome*; of a list of Outcomes their mean.

        Raises ValueError that says what is there instead.
        """
        if isinstance(outcome, list) and outcome:
            return fmean([self.read(one) for one in outcome])
        if not isinstance(outcome, Outcome):
            raise ValueError("there was no run")
        if outcome.status != "succeeded":
            why = outcome.error or f"exit status {outcome.exit_status}"
            raise ValueError(f"the run failed: {str(why).splitlines()[0]}")
        return self._number(outcome)

    def _number(self, outcome: Outcome) -> float:
        for found in _places(self.name, outcome):
            number = _as_number(found)
            if number is not None:
                if math.isnan(number):
                    raise ValueError(f"{self.name} is nan")
                return number
        raise ValueError(_nowhere(self.name, outcome))


def make_objective(minimize: str | None, maximize: str | None, words: tuple[str, str]) -> Objective:
    """The one of both that is given; UsageError, in the *words* of who asks, if it is not one."""
    if minimize and maximize:
        raise UsageError(f"{words[0]} and {words[1]}: a search has one objective. Take one away")
    if not (minimize or maximize):
        raise UsageError(f"a search needs an objective: {words[0]} loss, or {words[1]} accuracy")
    return Objective(str(minimize or maximize), "minimize" if minimize else "maximize")


def _places(name: str, outcome: Outcome) -> Iterator[object]:
    """What is at each place where the number may be, the first one first."""
    value = outcome.value
    if name in outcome.outputs:
        yield outcome.outputs[name]
    if isinstance(value, Mapping):
        yield value.get(name)
        return
    yield getattr(value, name, None)
    yield value
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
        numbers = [one for one in value if _as_number(one) is not None]
        if len(numbers) == 1:
            yield numbers[0]


def _as_number(value: object) -> float | None:
    """*value* as a float if it is one number, an array's or a tensor's only one among them."""
    item = getattr(value, "item", None)
    try:
        # Not float(): numpy deprecates it for arrays of one number.
        plain: Any = item() if callable(item) and not isinstance(value, type) else value
        if isinstance(plain, (bool, str, bytes)) or not hasattr(type(plain), "__float__"):
            return None
        return float(plain)
    except Exception:  # an array of several, whatever its library raises then
        return None


def _nowhere(name: str, outcome: Outcome) -> str:
    """What there is where the number should be."""
    if name in outcome.outputs:
        told = f"the global {name!r} is no number: {short_repr(outcome.outputs[name])}"
    else:
        told = f"the script has no global {name!r}"
    found = near(name, _names(outcome.value), 1)
    hint = f". Did you mean {found[0]!r}?" if found and found[0] != name else ""
    return f"{told}, and its entry function returned {short_repr(outcome.value)}{hint}"


def _names(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [key for key in value if isinstance(key, str)]
    return [*getattr(value, "_fields", ()), *getattr(value, "__dict__", ())]
