"""FlowSettings: how the runs of a flow are run, and the resources that they share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from kohaku_ast.config.config import Config
from kohaku_ast.display.text import read_size
from kohaku_ast.errors import (
    ConfigError,
    UsageError,
    UsageTypeError,
    read_number,
)
from kohaku_ast.flow.run import Run
from kohaku_ast.helpers import run_context
from kohaku_ast.store.environment import (
    INDEX,
    RESUMED_FROM,
    RUN_DIR,
    own_environment,
    own_variables,
    usable_cpus,
)
from kohaku_ast.store.run_folder import FILES, RUNS

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from kohaku_ast.executors.clusters import Cluster

    Mode: TypeAlias = str | Executor | Cluster
    """``auto``, ``inline``, ``spawn`` or ``warm``, or what starts the runs."""

GRACE = 10.0
"""Seconds that a run has between one signal and the next harder one."""

WORKER, REPEAT = run_context.WORKER, run_context.REPEAT
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Variables that the numeric libraries read when they are imported."""


@dataclass(frozen=True)
class FlowSettings:
    """How the runs of a flow are run. Raises UsageError if records are read but not written."""

    #: ``auto``, ``inline``, ``spawn`` or ``warm``, or the Executor that starts the runs.
    mode: Mode = "auto"
    #: The cluster that runs them: a text as for ``--on``, or an Executor; None: this machine does.
    on: str | Executor | None = None
    #: Runs at the same time; 0: as many as the cluster can run.
    workers: int = 1
    #: Whether no new run is started after one has failed.
    stops_on_error: bool = False
    #: Whether a Script starts only after all runs of the Scripts above it have ended.
    keeps_order: bool = False
    #: How often a failed run is tried again, and the seconds before the first retry; they double.
    retries: int = 0
    backoff: float = 1.0
    #: Seconds that one run may take.
    timeout: float | None = None
    #: Seconds between SIGINT, SIGTERM and SIGKILL.
    grace: float = GRACE
    #: The GPUs that the workers share, one for each worker in turn; empty: as they are.
    gpus: tuple[str, ...] = ()
    #: Whether these are all that there are, of which the flow leases as many as it has workers.
    chooses_gpus: bool = False
    #: The threads of each run's numeric libraries; 0: as they are.
    threads: int = 0
    #: Added to the niceness of each run's process.
    nice: int = 0
    #: Whether each run is recorded below ``root``.
    records: bool = True
    #: Whether runs that were recorded as finished are left out.
    resumes: bool = False
    #: Whether recorded failures are run again; resumes, too.
    retries_failed: bool = False
    #: Whether a run is left out if the store has its result.
    cached: bool = False
    #: The files that every run reads: paths, folders, patterns.
    inputs: tuple[str, ...] = ()
    #: Whether numbers that scripts print are read as metrics.
    metrics: bool = True
    #: The bytes that the log of a run may hold; 0: no limit.
    log_limit: int = 100_000_000
    #: Whether the folder for the files of a run is its working folder.
    in_run_dir: bool = False
    #: The variables of a repeated run: the field ``env`` of its record.
    env: Mapping[str, Any] = field(default_factory=dict)
    #: Patterns of the files of each run that are kept.
    artifacts: tuple[str, ...] = ()
    #: The folder of the records, relative to the working folder.
    root: Path = RUNS

    def __post_init__(self) -> None:
        if not self.records and (self.resumes or self.retries_failed):
            raise UsageError(
                "a flow is resumed from its records, and keeps them for the next time: "
                "take away --no-record (record=False)"
            )
        if not self.records and (self.cached or self.inputs):
            name = "--cached" if self.cached else "--inputs"
            raise UsageError(
                f"{name}: results are found in records, and kept there for the next time: "
                "take away --no-record (record=False)"
            )
        if self.on is not None and self.gpus:
            raise UsageError(
                "--gpus shares out the GPUs of this machine, and the runs are on a cluster, which "
                "assigns its own: take away --gpus (gpus=None)"
            )
        if self.on is not None and self.mode in ("inline", "warm"):
            raise UsageError(
                f"--mode {self.mode}: a worker of a cluster starts a fresh process for each run: "
                "take away --mode (mode='auto')"
            )
        if self.in_run_dir and not self.records:
            raise UsageError(
                "a run has a folder of its own if it is recorded: take away --no-record "
                "(record=False), or write --record for a single run"
            )

        if self.artifacts and not self.records:
            raise UsageError(
                "artifacts are kept beside the records: take away --no-record (record=False)"
            )

    @property
    def has_logs(self) -> bool:
        """Whether the output of the runs is kept; that of an Executor's runs is not here."""
        return self.records and (isinstance(self.mode, str) or self.on is not None)

    @property
    def shows_output(self) -> bool:
        """Whether runs print where this process prints: one run at a time, or no logs."""
        return self.on is None and (self.workers == 1 or not self.has_logs)

    def cwd(self, run: Run) -> str | None:
        """The working folder of *run*; None: that of this process."""
        return str(run.folder / FILES) if self.in_run_dir and run.folder is not None else None

    def variables(self, run: Run) -> dict[str, str]:
        """The variables of *run* that are not in the environment of this process, or differ."""
        own = own_variables(self.env)
        found = {**own, WORKER: str(run.slot), INDEX: str(run.index), **files_variable(run)}
        if run.repeat is not None:
            found[REPEAT] = str(run.repeat)
        if run.resumed_from is not None:
            found[RESUMED_FROM] = str(run.resumed_from)
        elif RESUMED_FROM in os.environ:
            found[RESUMED_FROM] = ""  # of the run around this flow
        if self.gpus:
            from kohaku_ast.flow.gpus import gpu_variables  # here: few flows have any

            found |= gpu_variables(self.gpus[run.slot % len(self.gpus)])
        if self.threads:
            # A variable that the user has set stays.
            found |= {name: str(self.threads) for name in THREADS if name not in os.environ}
        return found

    def environment(self, run: Run) -> dict[str, str]:
        """All variables of *run*, in a process of its own."""
        outer = own_environment(self.env, os.environ) if self.env else os.environ
        return {**outer, **self.variables(run)}


def files_variable(run: Run) -> dict[str, str]:
    """The variable with the folder for the files of *run*; none if it has no record."""
    return {} if run.folder is None else {RUN_DIR: str(run.folder / FILES)}


_LEAST_LOG = 4000


def parse_size(size: str | int | None) -> int:
    """Bytes: ``"100MB"``, ``"1.5 GiB"``, ``4000``; 0 for None, 0 and ``"off"``: no limit.

    Raises UsageError for others, and for fewer than 4,000, which would hold no output.
    """
    text = str(size).strip()
    if text.lower() in ("off", "none", "0"):
        return 0
    count = read_size(text)
    if count is None:
        raise UsageError(f"--log-limit {text}: a size such as 100MB or 1GiB, or off")
    if count < _LEAST_LOG:
        raise UsageError(f"--log-limit {text}: at least 4kB, or off")
    return count


def read_artifacts(patterns: Any) -> tuple[str, ...]:
    """Patterns of files: a text, or several in a list; None: none. Raises UsageError for others."""
    try:
        return Config(artifacts=() if patterns is None else patterns).artifacts
    except ConfigError as error:
        kind = UsageTypeError if isinstance(error, TypeError) else UsageError
        raise kind(str(error).removeprefix("Config: ")) from None


def read_gpus(
    gpus: Sequence[object] | str | None,
    otherwise: tuple[tuple[str, ...], bool] = ((), False),
) -> tuple[tuple[str, ...], bool]:
    """The GPUs of an argument, and whether it leaves the choice to kogine; *otherwise* for None."""
    if gpus is None:
        return otherwise
    from kohaku_ast.flow.gpus import find_gpus  # here: few flows have any

    return find_gpus(gpus)


def check_on(on: Any) -> Any:
    """The cluster that *on* names, which is not looked at yet. Raises UsageError for others."""
    if on is None:
        return None
    from kohaku_ast.executors.clusters import check_name  # here: few flows have one

    return check_name(on)


def workers_here(workers: int, on: str | Executor | None) -> int:
    """How many runs share the cores of this machine; 1: the cores belong to a cluster."""
    if on is None:
        return workers
    from kohaku_ast.executors.clusters import is_here

    return (workers or usable_cores()) if is_here(on) else 1


def parse_threads(text: str, workers: int, cores: int) -> int:
    """Threads for each run: ``"auto"`` shares out the *cores*, ``"off"`` is 0, or a number.

    Raises UsageError for other texts.
    """
    if text == "auto":
        return max(1, cores // workers) if workers > 1 else 0
    if text == "off":
        return 0
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--threads {text}: a number, auto or off")
    return int(text)


def read_flag(name: str, value: object) -> bool:
    """True or False. Raises UsageTypeError for others: "no" would be true."""
    if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    raise UsageTypeError(f"{name} is True or False, got {value!r}")


def read_paths(name: str, value: object) -> tuple[str, ...]:
    """One path or pattern, or several. Raises UsageTypeError for others."""
    several = [value] if isinstance(value, (str, os.PathLike)) else value
    if isinstance(several, Iterable):
        listed = [*several]
        if all(isinstance(one, (str, os.PathLike)) for one in listed):
            return tuple(map(os.fspath, listed))
    raise UsageTypeError(f"{name} is a path or a pattern, or a list of them; got {value!r}")


def read_text(name: str, value: object) -> str:
    """A text, None or a whole number, as text. Raises UsageTypeError for others."""
    return str(value if value is None or isinstance(value, str) else read_number(name, value))


def default_workers(gpus: Sequence[str]) -> int:
    """The default number of workers: one for each GPU, else one for each usable core.

    Two runs seldom fit into the memory of one GPU.
    """
    return len(gpus) or usable_cores()


_CGROUPS = Path("/sys/fs/cgroup")


def usable_cores(cgroups: Path = _CGROUPS, own: Path = Path("/proc/self/cgroup")) -> int:
    """The cores in the affinity mask, at most as many as the CPU quota of the cgroup."""
    quota = min(_quotas(cgroups, own), default=None)
    cores = usable_cpus()
    return cores if quota is None else max(1, min(cores, int(quota)))


def _quotas(cgroups: Path, own: Path) -> list[float]:
    """The quotas, in cores, of our cgroup and of those above it; version 2, else version 1."""
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
