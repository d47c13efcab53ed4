"""``checkpoints``: the state of a script in the folder of its run, to go on from.

A name says the step and the result, so that one rename publishes both, and no index can be stale.
"""

from __future__ import annotations

import os
import re
import sys
import time
from math import isnan

from kohaku_ast.helpers.run_context import RESUMED_FROM, current_run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, BinaryIO

FOLDER = "checkpoints"
_NAME = re.compile(r"step-(\d+)(?:_result-(.+))?\.ckpt")
_PARTIAL = ".partial"


class Checkpoint:
    """A state that was saved."""

    __slots__ = ("path", "result", "step")

    def __init__(self, path: str, step: int, result: float | None) -> None:
        self.path, self.step, self.result = path, step, result

    def load(self, **torch_options: object) -> Any:
        """The state. *torch_options* are for ``torch.load``: ``map_location="cpu"``.

        Unpickles: load only files that you trust.
        """
        with open(self.path, "rb") as file:
            if file.read(2) == b"PK":  # torch writes zip files
                import torch  # type: ignore[import-not-found,unused-ignore]

                options: dict[str, Any] = {"weights_only": False, **torch_options}
                return torch.load(self.path, **options)
            file.seek(0)
            import pickle

            return pickle.load(file)

    def __repr__(self) -> str:
        result = "" if self.result is None else f", result={self.result!r}"
        return f"Checkpoint({self.path!r}, step={self.step}{result})"


class Checkpoints:
    """Saves the state of a script, and finds the one to go on from."""

    def __init__(self) -> None:
        self._last, self._best, self._goal = 3, 1, "min"
        #: Where a script outside of runs saves, by the id of its process.
        self._own: tuple[int, str] = (0, "")

    def keep(self, last: int = 3, best: int = 1, goal: str = "min") -> Checkpoints:
        """Keep the *last* states, and the *best* of those that were saved with a result; ``goal``
        ``"min"``: the least result is the best. Older ones are deleted at each ``save``. Returns
        itself. Raises ValueError for other values.
        """
        if goal not in ("min", "max"):
            raise ValueError(f"checkpoints.keep: goal is 'min' or 'max', got {goal!r}")
        if last < 1 or best < 0:
            raise ValueError(
                f"checkpoints.keep: last is at least 1, best at least 0: {last}, {best}"
            )
        self._last, self._best, self._goal = last, best, goal
        return self

    @property
    def folder(self) -> str:
        """Where states are saved: ``checkpoints`` in the folder for the files of the run; outside
        of recorded runs a folder of this process in ``checkpoints`` of the working folder.
        """
        run = current_run()
        if run is not None and run.record:
            return os.path.join(run.files, FOLDER)
        if self._own[0] != os.getpid():
            name = f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}"
            self._own = os.getpid(), os.path.abspath(os.path.join(FOLDER, name))
        return self._own[1]

    def save(self, state: object, step: int, result: float | None = None) -> Checkpoint:
        """Save *state*, anything that can be pickled; with torch loaded, by ``torch.save``. The
        file appears whole or not at all. *result*: what ``keep(best=...)`` compares.

        Raises OSError, and whatever pickling raises: then earlier states are still there.
        """
        folder = self.folder
        if not os.path.isdir(folder):
            os.makedirs(folder, exist_ok=True)
            self._take_along(folder)
        shown = "" if result is None else f"_result-{float(result)!r}"
        path = os.path.join(folder, f"step-{_step(step):08}{shown}.ckpt")
        partial = f"{path}.{os.getpid()}{_PARTIAL}"
        try:
            with open(partial, "wb") as file:
                _dump(state, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            _remove(partial)
            raise
        saved = Checkpoint(path, int(step), None if result is None else float(result))
        self._prune(folder, saved)
        return saved

    def every(self) -> list[Checkpoint]:
        """What this run has saved and kept, by step, with the best ones of the run that it resumes;
        before its first ``save`` all of that run (``resumed_from``).
        """
        before = resumed_from()
        return _saved_in(self.folder) or (_saved_in(before) if before else [])

    def latest(self) -> Checkpoint | None:
        """The one with the last step, of this run and its earlier attempts; else of the run that it
        resumes. None: begin anew.
        """
        found = self.every()
        return found[-1] if found else None

    def best(self) -> Checkpoint | None:
        """The one with the best result that is kept; None if none was saved with a result."""
        found = self._by_result(self.every())
        return found[0] if found else None

    def load(self, default: Any = None, **torch_options: object) -> Any:
        """The state of the ``latest`` one; *default* if there is none."""
        found = self.latest()
        return default if found is None else found.load(**torch_options)

    def _take_along(self, folder: str) -> None:
        """Have the best ones of the run that this one resumes in *folder*, to stay the best."""
        before = resumed_from()
        for one in self._by_result(_saved_in(before))[: self._best] if before else ():
            path = os.path.join(folder, os.path.basename(one.path))
            try:
                os.link(one.path, path)
            except OSError:  # another disk, or one without links
                _copy(one.path, path)

    def _by_result(self, saved: Iterable[Checkpoint]) -> list[Checkpoint]:
        sign = 1 if self._goal == "min" else -1
        numbered = [(one.result, one) for one in saved if one.result is not None]
        finite = [(sign * result, -one.step, one) for result, one in numbered if not isnan(result)]
        return [one for _, _, one in sorted(finite, key=lambda each: each[:2])]

    def _prune(self, folder: str, saved: Checkpoint) -> None:
        every = _saved_in(folder)
        # Its file has the latest time: a script may go back to an earlier step.
        kept = {saved.path, *(one.path for one in every[-self._last :])}
        kept.update(one.path for one in self._by_result(every)[: self._best])
        for one in every:
            if one.path not in kept or (one.step == saved.step and one.path != saved.path):
                _remove(one.path)


checkpoints = Checkpoints()
"""The checkpoints of this process."""


def resumed_from() -> str:
    """The folder with the checkpoints of the interrupted run that this one goes on with; empty if
    it begins anew. kogine names it (``--resume``); under plain Python you may, by the variable
    ``KOGINE_RESUMED_FROM``: the folder of a record, or one with checkpoints.
    """
    named = os.environ.get(RESUMED_FROM, "")
    if not named:
        return ""
    inside = os.path.join(named, "files", FOLDER)
    return inside if os.path.isdir(inside) else named


def _step(step: object) -> int:
    if isinstance(step, bool) or not hasattr(type(step), "__index__"):
        raise TypeError(f"checkpoints.save: step is a whole number, got {step!r}")
    number = int(step)  # type: ignore[call-overload]
    if number < 0:
        raise ValueError(f"checkpoints.save: step is at least 0, got {number}")
    return int(number)


def _dump(state: object, file: BinaryIO) -> None:
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "save"):
        torch.save(state, file)
        return
    import pickle

    pickle.dump(state, file, protocol=pickle.HIGHEST_PROTOCOL)


def _copy(path: str, target: str) -> None:
    partial = f"{target}.{os.getpid()}{_PARTIAL}"
    try:
        with open(path, "rb") as source, open(partial, "wb") as file:
            while data := source.read(1 << 20):
                file.write(data)
        os.replace(partial, target)
    except OSError:
        _remove(partial)  # it is gone; or the disk is full, which `save` will say


def _saved_in(folder: str) -> list[Checkpoint]:
    found: list[tuple[int, float, Checkpoint]] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                match = _NAME.fullmatch(entry.name)
                if match:
                    result = None if match[2] is None else float(match[2])
                    one = Checkpoint(entry.path, int(match[1]), result)
                    found.append((one.step, entry.stat().st_mtime_ns, one))
    except (OSError, ValueError):
        pass  # there is none, or another process deletes some
    return [one for _, _, one in sorted(found, key=lambda each: each[:2])]


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # another process has removed it
