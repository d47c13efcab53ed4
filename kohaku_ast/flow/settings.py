"""Limits, records and resources of a flow: how many runs at once, how long, where."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kohaku_ast.errors import UsageError
from kohaku_ast.flow.recorder import Recorder
from kohaku_ast.flow.run import Run
from kohaku_ast.runner.bind import Bound
from kohaku_ast.store.record import working_folder
from kohaku_ast.store.run_folder import RUNS

GRACE = 10.0
"""Seconds that a run has between one signal and the next harder one."""


def _never(run: Run, bound: Bound) -> bool:
    return False


@dataclass(frozen=True)
class Limits:
    """What a flow may do."""

    #: Runs at the same time.
    workers: int = 1
    #: Whether no new run is started after one has failed.
    stops_on_error: bool = False
    #: How often a failed run is tried again, and the seconds before the first time; they double.
    retries: int = 0
    backoff: float = 1.0
    #: Seconds that one run may take.
    timeout: float | None = None
    #: Seconds between SIGINT, SIGTERM and SIGKILL.
    grace: float = GRACE
    #: Says of a run that it was done before, and gives it its Outcome of then.
    is_done: Callable[[Run, Bound], bool] = _never


@dataclass(frozen=True)
class Recording:
    """What is asked for."""

    is_on: bool = True
    #: Whether what was done before is left out.
    resumes: bool = False
    #: Whether what failed before is run again; this resumes, too.
    retries_failed: bool = False
    #: Where the records are, below the working folder.
    root: Path = RUNS

    def __post_init__(self) -> None:
        if not self.is_on and (self.resumes or self.retries_failed):
            raise UsageError(
                "a flow is resumed from its records, and keeps them for the next time: "
                "take away --no-record (record=False)"
            )

    def recorder(
        self,
        warn: Callable[[str], None],
        tell: Callable[[str], None],
        variables: Callable[[Run], Mapping[str, str]],
        has_logs: bool,
    ) -> Recorder | None:
        """What keeps the records of one flow; None if nothing does. The rest is for Recorder."""
        if not self.is_on:
            return None
        return Recorder(
            # Not Path.absolute: a working folder that was removed is no reason not to run.
            Path(working_folder(), self.root),
            resume=self.resumes,
            retry_failed=self.retries_failed,
            has_logs=has_logs,
            variables=variables,
            warn=warn,
            tell=tell,
        )


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


_CGROUPS = Path("/sys/fs/cgroup")


def usable_cores(cgroups: Path = _CGROUPS, own: Path = Path("/proc/self/cgroup")) -> int:
    """The cores of the affinity mask, and no more than the CPU quota of the cgroup allows."""
    quota = min(_quotas(cgroups, own), default=None)
    cores = _affinity()
    return cores if quota is None else max(1, min(cores, int(quota)))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(cgroups: Path, own: Path) -> list[float]:
    """Cores by the quota of our cgroup and of those above it; version 2, else version 1."""
    limits = [_read(folder / "cpu.max").split() for folder in _folders(cgroups, own)]
    limits.append([_read(cgroups / f"cpu/cpu.cfs_{one}_us").strip() for one in ("quota", "period")])
    return [
        int(limit[0]) / int(limit[1])
        for limit in limits
        # No limit is called "max", or -1.
        if len(limit) == 2 and limit[0].isdigit() and limit[1].isdigit() and int(limit[1])
    ]


def _folders(cgroups: Path, own: Path) -> list[Path]:
    lines = [line.split(":", 2) for line in _read(own).splitlines()]
    paths = [parts[2].lstrip("/") for parts in lines if len(parts) == 3 and parts[1] == ""]
    inner = cgroups / paths[0] if paths else cgroups
    return [one for one in (inner, *inner.parents) if one == cgroups or cgroups in one.parents]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
