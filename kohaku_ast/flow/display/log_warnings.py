"""LogWarnings: what kogine has to say of a run's overrides, out of the log that nobody watches."""

from __future__ import annotations

from typing import TextIO

from kohaku_ast.display.live import Out
from kohaku_ast.display.text import plain_line
from kohaku_ast.flow.observer import Observer, Summary
from kohaku_ast.flow.run import Run
from kohaku_ast.store.log_tail import last_lines

_MARK = "kogine: warning: "
_MOST_LINES = 20  # at the end of a log, where these warnings stand
_MOST = 20


class LogWarnings(Observer):
    """Each is said once, at the end."""

    def __init__(self, stream: TextIO) -> None:
        self._out = Out(stream)
        self._counts: dict[str, int] = {}

    def on_end(self, run: Run) -> None:
        """Look for them."""
        for line in last_lines(run.log, _MOST_LINES) if run.log else ():
            if line.startswith(_MARK) and (line in self._counts or len(self._counts) < _MOST):
                self._counts[line] = self._counts.get(line, 0) + 1

    def on_finish(self, summary: Summary) -> None:
        """Say them."""
        for line, count in self._counts.items():
            runs = f" ({count} runs)" if count > 1 else ""
            self._out.say(plain_line(line) + runs)
