"""Slots: what a run finds in its environment, by the worker that runs it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kohaku_ast.errors import UsageError
from kohaku_ast.flow.cores import usable_cores
from kohaku_ast.flow.run import Run

WORKER, INDEX = "KOGINE_WORKER_ID", "KOGINE_RUN_INDEX"
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""What the numeric libraries read when they are imported."""

_GPUS = "CUDA_VISIBLE_DEVICES"


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
    if text.strip() == "auto" and _GPUS not in environment:
        found = _all_gpus()
    else:
        named = environment[_GPUS] if text.strip() == "auto" else text
        found = tuple(one.strip() for one in named.split(",") if one.strip())
    if not found:
        raise UsageError(f"--gpus {text}: no graphics processor found. Name them: --gpus 0,1")
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
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"--threads {text}: a number, auto or off")
    return int(text)


def pinned(gpus: Sequence[object] | str | None) -> tuple[str, ...]:
    """The graphics processors as Python gives them: ``[0, 1]``, ``"0,1"``, ``"auto"``."""
    if gpus is None:
        return ()
    return parse_gpus(gpus) if isinstance(gpus, str) else tuple(map(str, gpus))


def usual_workers(gpus: Sequence[str]) -> int:
    """How many runs there are at a time if nobody says it: one a graphics processor, as two of them
    seldom fit into its memory, else one a usable core.
    """
    return len(gpus) or usable_cores()
