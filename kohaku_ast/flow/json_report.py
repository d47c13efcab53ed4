"""Reports of a flow as JSON lines; ``docs/reference/flow-output.md`` describes them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import PurePath
from typing import TextIO

from kohaku_ast.config.cells import native
from kohaku_ast.display.live import Out, Pace
from kohaku_ast.display.text import short_repr
from kohaku_ast.flow.failures import Again, FailureSummary, Resume, no_command, no_resume
from kohaku_ast.flow.log_watch import seen_of
from kohaku_ast.flow.results import Numbers, Repeats
from kohaku_ast.flow.run import FAILED, SUCCEEDED, Observer, Run, Summary
from kohaku_ast.runner.outcome import Outcome

VERSION = 1


class JsonLines(Observer):
    """Prints one JSON object for each change. Keys change their meaning only with ``version``."""

    def __init__(
        self,
        stream: TextIO,
        again: Again = no_command,
        resume: Resume = no_resume,
        repeats: Repeats | None = None,
    ) -> None:
        self._out, self._repeats = Out(stream), repeats
        self._again, self._resume = again, resume
        self._failures = FailureSummary(again)
        self._seed: object = None
        self._pace = Pace(1.0)
        self._shown: dict[int, object] = {}

    @property
    def error(self) -> OSError | None:
        """Why not all could be printed; None if it could, or if its reader has ended."""
        return self._out.error

    def on_start(self, run: Run, total: int | None) -> None:
        """Print ``start``."""
        self._print("start", _named(run), slot=run.slot, overrides=_overrides(run))

    def on_tick(self, running: Sequence[Run], counts: Mapping[str, int]) -> None:
        """Print ``progress`` of each run with new log lines, at most once a second."""
        if not self._pace.is_due():
            return
        for run in running:
            seen = seen_of(run)
            now = {"progress": seen.progress, "metrics": as_json(seen.metrics), "line": seen.line}
            if now != self._shown.get(run.index, {"progress": None, "metrics": {}, "line": ""}):
                self._shown[run.index] = now
                self._print("progress", _named(run), **now)

    def on_retry(self, run: Run, seconds: float) -> None:
        """Print ``retry``."""
        self._shown.pop(run.index, None)
        self._print("retry", _named(run), **_ending(run), retry_in=seconds)

    def on_skip(self, run: Run) -> None:
        """Print ``skip``."""
        outcome = run.outcome or Outcome(SUCCEEDED)
        self._print(
            "skip",
            _named(run),
            overrides=_overrides(run),
            before=outcome.status,
            cached=run.cached,
            **_of_outcome(outcome, outcome.metrics),
        )

    def on_end(self, run: Run) -> None:
        """Print ``end``."""
        self._shown.pop(run.index, None)
        self._seed = run.config.metadata.get("sweep_seed", self._seed)
        if run.state == FAILED:
            self._failures.add(run)
        self._print("end", _named(run), **_ending(run), **_results(run), again=self._again(run))

    def on_finish(self, summary: Summary) -> None:
        """Print ``finish``, the last line."""
        self._print(
            "finish",
            {},
            counts=dict(summary.counts),
            seconds=summary.seconds,
            not_started=summary.not_started,
            interrupted=summary.is_interrupted,
            resume=self._resume(self._seed) if summary.is_interrupted else "",
            broken=summary.broken,
            exit_status=2 if summary.is_refused else summary.exit_status,
            seed=as_json(self._seed),
            repeated=[_group(*row) for row in self._repeats.rows()] if self._repeats else [],
            failures=[asdict(group) for group in self._failures.groups.values()],
            other_failures=self._failures.others,
            shared_files=[asdict(one) for one in summary.shared_files],
        )

    def _print(self, event: str, named: Mapping[str, object], **more: object) -> None:
        whole = {"version": VERSION, "event": event, "time": time.time(), **named, **more}
        # ASCII: it fits every encoding, and lone surrogates do no harm.
        import json  # here: most flows print for people

        self._out.print(json.dumps(whole))


def _group(label: str, count: int, numbers: Numbers) -> dict[str, object]:
    found = {
        name: {"mean": as_json(mean), "std": as_json(spread), "count": of}
        for name, (mean, spread, of) in numbers.items()
    }
    return {"label": label, "runs": count, "numbers": found}


def _named(run: Run) -> dict[str, object]:
    """The first fields of every line about a run."""
    return {
        "index": run.index, "total": run.total, "label": run.label, "script": run.work.name,
        "repeat": run.repeat, "group": run.group if run.repeat is not None else "",
        "attempt": run.attempt, "folder": str(run.folder or ""), "log": str(run.log or ""),
    }  # fmt: skip


def _overrides(run: Run) -> object:
    return {target: as_json(native(value)) for target, value in run.config.globals_dict.items()}


def _ending(run: Run) -> dict[str, object]:
    outcome = run.outcome or Outcome(run.state)
    error = None if outcome.error is None else outcome.error.fields()
    return {
        "state": run.state, "log_left_out": run.log_left_out, "seconds": run.seconds,
        "exit_status": outcome.exit_status, "error": error,
    }  # fmt: skip


def _results(run: Run) -> dict[str, object]:
    return _of_outcome(run.outcome or Outcome(run.state), seen_of(run).metrics)


def _of_outcome(outcome: Outcome, metrics: Mapping[str, float]) -> dict[str, object]:
    return {
        "value": as_json(outcome.value), "outputs": as_json(dict(outcome.outputs)),
        "metrics": as_json(dict(metrics)), "artifacts": dict(outcome.artifacts),
    }  # fmt: skip


_MOST_ENTRIES = 1000
_MOST_TEXT = 20_000
_OWN = ("builtins", "collections")  # modules of classes whose len() is safe


def as_json(value: object, depth: int = 8) -> object:
    """*value* as None, bool, int, float, str, or lists and dicts of these; else its short ``repr``.

    NaN, infinities and integers of more than 64 bits become text, a tuple a list, a numpy scalar a
    number, a path text. Values nested deeper than *depth* or with more than 1,000 entries become
    their short ``repr``. Never raises.
    """
    try:
        return _as_json(value, depth)
    except Exception:  # a script's own classes may do anything
        return f"<{type(value).__name__}>"


def _as_json(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) < 2**63 else short_repr(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, (str, PurePath)):
        text = str(value)
        return text if len(text) <= _MOST_TEXT else short_repr(text)
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return as_json(value.item(), 0)  # type: ignore[attr-defined]
    return _nested(value, depth) if depth and type(value).__module__ in _OWN else short_repr(value)


def _nested(value: object, depth: int) -> object:
    if isinstance(value, Mapping) and len(value) <= _MOST_ENTRIES:
        if all(isinstance(name, str) for name in value):
            return {str(name): as_json(one, depth - 1) for name, one in value.items()}
    elif isinstance(value, (list, tuple)) and len(value) <= _MOST_ENTRIES:
        return [as_json(one, depth - 1) for one in value]
    return short_repr(value)
