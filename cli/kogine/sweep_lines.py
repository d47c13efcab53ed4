"""What a sweep says on standard error: a line a run, and the failures at the end."""

from __future__ import annotations

import shlex
import sys

from kogine.reader import Arguments

from kohaku_ast.config.cells import CellText
from kohaku_ast.flow.observer import Observer, Summary
from kohaku_ast.flow.run import FAILED, Run

_MOST_FAILURES = 20


class SweepLines(Observer):
    """Heads the output of each run with its number and label."""

    def __init__(self, read_: Arguments) -> None:
        self.read_ = read_
        self.failures: list[str] = []
        self._failed = 0
        self._warned: set[str] = set()
        self._total: int | None = None
        self._seed: object = None

    def on_start(self, run: Run, total: int | None) -> None:
        """Head its output."""
        self._total = total
        self._seed = run.config.metadata.get("sweep_seed", self._seed)
        _say(f"{self._number(run)} {run.label}")

    def on_end(self, run: Run) -> None:
        """Keep what is told of a failure at the end."""
        if run.state != FAILED or run.outcome is None:
            return
        self._failed += 1
        if self._failed <= _MOST_FAILURES:
            why = run.outcome.error or f"exit status {run.outcome.exit_status}"
            first = str(why).split("\n", 1)[0]
            self.failures.append(f"{self._number(run)} {run.label}: {first}{self._again(run)}")

    def on_finish(self, summary: Summary) -> None:
        """The failures and the counts."""
        _say("interrupted" if summary.is_interrupted else "", summary.broken)
        for failure in self.failures:
            _say(f"failed {failure}")
        if self._failed > len(self.failures):
            _say(f"failed ... and {self._failed - len(self.failures)} more")
        if self._seed is not None:
            _say(f"drawn with --seed {self._seed}")
        _say(str(summary))

    def warn(self, run: Run, message: str) -> None:
        """Of an override without effect; each is said once."""
        if message not in self._warned:
            self._warned.add(message)
            _say(f"kogine: warning: {message}")

    def _number(self, run: Run) -> str:
        return f"[{run.index + 1}]" if self._total is None else f"[{run.index + 1}/{self._total}]"

    def _again(self, run: Run) -> str:
        """The command that repeats the run, if its values can be written on a command line."""
        config, read_ = run.config, self.read_
        texts = {one: _text(config.globals_dict.get(one)) for one in config.varied}
        if not texts or None in texts.values():
            return ""
        words = ["kogine", "run", *(["-m"] if read_.is_module else []), read_.script]
        for path in read_.values.get("--config", []):
            words += ["--config", path]
        words += [f"{target}={text}" for target, text in read_.sets]
        words += [f"{target}={text}" for target, text in texts.items()]
        words += ["--", *read_.argv] if read_.argv else []
        return f"\n  again: {shlex.join(words)}"


def _text(value: object) -> str | None:
    """What is read back as *value*."""
    if isinstance(value, CellText):
        return str(value)
    if type(value) in (bool, int, float, type(None)):
        return repr(value)
    return None


def _say(*texts: str) -> None:
    sys.stdout.flush()
    for text in texts:
        if text:
            print(text, file=sys.stderr, flush=True)
