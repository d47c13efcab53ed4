"""What a search says on standard error: what each trial came to, and the best one at the end."""

from __future__ import annotations

from collections.abc import Callable

from kogine.flow_run import say

from kohaku_ast.config.config import Config
from kohaku_ast.errors import KogineError
from kohaku_ast.flow.observer import Observer, Summary
from kohaku_ast.flow.run import SUCCEEDED, Run
from kohaku_ast.flow.search import Search, Tried


class SearchLines(Observer):
    """Beside what is said of a sweep."""

    def __init__(self, again: Callable[[Config], str], search: Search, before: Tried) -> None:
        """*again* gives the command that repeats a run."""
        self.again, self.search = again, search
        #: Runs that ended well and have no objective.
        self.without = 0
        self._best = before.best.result if before.best else None

    def on_end(self, run: Run) -> None:
        """Say what it came to."""
        if run.state != SUCCEEDED:
            return
        objective = self.search.objective
        try:
            result = objective.read(run.outcome)
        except ValueError as error:
            self.without += 1
            say(f"  a failed trial: {error}")
            return
        is_best = objective.is_better(result, self._best)
        self._best = result if is_best else self._best
        say(f"  {objective.name} {result:.6g}{', the best so far' if is_best else ''}")

    def on_finish(self, summary: Summary) -> None:
        """The best trial of all, and the command that repeats it."""
        if self.without:
            one = self.without == 1
            say(
                f"{self.without} of them {'has' if one else 'have'} no {self.search.objective.name}"
            )
        try:
            say(*self._result(self.search.tried()))
        except KogineError as error:
            say(f"kogine: warning: {error}")

    def _result(self, tried: Tried) -> list[str]:
        where = f"study {self.search.study}: {in_words(tried)}"
        best = tried.best
        if best is None:
            return [where, "no trial has succeeded"]
        config = self.search.space.config(best.values)
        name = self.search.objective.name
        said = f"best {name} {best.result!r}, trial {best.number + 1}: {config.label}"
        again = self.again(config)
        return [where, said, f"  again: {again}" if again else ""]


def in_words(tried: Tried) -> str:
    """``12 trials, 2 of them failed``."""
    failed = f", {tried.failed} of them failed" if tried.failed else ""
    return f"{tried.count} trial{'s' if tried.count != 1 else ''}{failed}"
