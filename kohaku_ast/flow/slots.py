"""Slots: what a run finds in its environment, by the worker that runs it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kohaku_ast.errors import UsageError
from kohaku_ast.flow.cores import usable_cores
from kohaku_ast.flow.run import Run

WORKER, INDEX = "KOGINE_WORKER_ID", "KOGINE_RUN_INDEX"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""What the numeric libraries read when they are imported."""

_GPUS = "CUDA_VISIBLE_DEVICES"
_NAMED = ("GPU-", "MIG-")


@dataclass(frozen=True)
class Slots:
    """The environment of each worker."""

    #: The graphics processors that are shared out, worker by worker; empty: as they are.
    gpus: tuple[str, ...] = ()
    #: The threads of each run's numeric libraries; 0: as they are.
    threads: int = 0

    def of(self, run: Run) -> dict[str, str]:
        """What *run* has besides the environment of this process."""
        found = {WORKER: str(run.slot), INDEX: str(run.index)}
        if self.gpus:
            found[_GPUS] = self.gpus[run.slot % len(self.gpus)]
        if self.threads:
            # Who has set one of them knows better.
            found |= {one: str(self.threads) for one in THREADS if one not in os.environ}
        return found


def parse_gpus(text: str, environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """``"0,1"`` or ``"auto"``: all that this process may use. Raises UsageError if none is."""
    if text.strip() != "auto":
        return _checked(text.split(","), text)
    found = _visible(environment[_GPUS]) if _GPUS in environment else _all_gpus()
    if not found:
        raise UsageError(f"--gpus {text}: no graphics processor found. Name them: --gpus 0,1")
    return found


def _visible(names: str) -> tuple[str, ...]:
    """Of ``CUDA_VISIBLE_DEVICES``: CUDA reads no further than the first that is none, ``-1``."""
    found = [one.strip() for one in names.split(",") if one.strip()]
    return tuple(itertools.takewhile(lambda one: not one.startswith("-"), found))


def _checked(names: Sequence[object], text: object) -> tuple[str, ...]:
    found = tuple(one for one in (str(name).strip() for name in names) if one)
    wrong = [
        one for one in found if not ((one.isascii() and one.isdigit()) or one.startswith(_NAMED))
    ]
    if wrong or not found:
        what = f"{wrong[0]!r} is no graphics processor" if wrong else "none is named"
        raise UsageError(f"--gpus {text}: {what}. Give numbers or names: --gpus 0,1")
    return found


def _all_gpus() -> tuple[str, ...]:
    import subprocess

    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(done.stdout.split())


def parse_threads(text: str, workers: int, cores: int) -> int:
    """``"auto"``: the cores shared out; ``"off"``: 0; a number. Raises UsageError."""
    if text == "auto":
        return max(1, cores // workers) if workers > 1 else 0
    if text == "off":
        return 0
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--threads {text}: a number, auto or off")
    return int(text)


def pinned(gpus: Sequence[object] | str | None) -> tuple[str, ...]:
    """The graphics processors as Python gives them: ``[0, 1]``, ``"0,1"``, ``"auto"``."""
    if gpus is None:
        return ()
    if isinstance(gpus, str):
        return parse_gpus(gpus)
    if not isinstance(gpus, Iterable):
        raise UsageError(f"gpus is a list of numbers or names, or 'auto'; got {gpus!r}")
    listed = list(gpus)
    return _checked(listed, listed) if listed else ()


def usual_workers(gpus: Sequence[str]) -> int:
    """How many runs there are at a time if nobody says it: one a graphics processor, as two of them
    seldom fit into its memory, else one a usable core.
    """
    return len(gpus) or usable_cores()
