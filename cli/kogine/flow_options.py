"""The options of flows, read and checked."""

from __future__ import annotations

from dataclasses import dataclass

from kogine.reader import Arguments

from kohaku_ast.errors import UsageError, near
from kohaku_ast.flow.cores import usable_cores
from kohaku_ast.flow.limits import Limits
from kohaku_ast.flow.modes import MODES
from kohaku_ast.flow.slots import Slots, parse_gpus, parse_threads

_PROCESS_OPTIONS = ("--timeout", "--gpus", "--nice", "--threads")
"""What only a process of its own can be given."""


@dataclass(frozen=True)
class FlowOptions:
    """How the runs of a command line are to be run."""

    mode: str
    limits: Limits
    slots: Slots
    nice: int
    records: bool
    resumes: bool
    retries_failed: bool
    is_json: bool
    metrics: bool


def flow_options(
    read_: Arguments, *, mode: str = "inline", on_error: str = "continue"
) -> FlowOptions:
    """What *read_* says; *mode* and *on_error* hold if it does not. Raises UsageError."""
    workers = _workers(read_)
    chosen = _mode(read_, mode, workers)
    policy = _one_of(read_, "--on-error", ("continue", "stop"), on_error)
    limits = Limits(
        workers=workers,
        stops_on_error=policy == "stop",
        retries=int(_number(read_, "--retries", 0)),
        backoff=_number(read_, "--backoff", 1.0),
        timeout=_number(read_, "--timeout", 0.0) or None,
    )
    return FlowOptions(
        mode=chosen,
        limits=limits,
        slots=_slots(read_, workers),
        nice=int(_number(read_, "--nice", 0)),
        records="--no-record" not in read_.flags,
        resumes="--resume" in read_.flags or "--retry-failed" in read_.flags,
        retries_failed="--retry-failed" in read_.flags,
        is_json="--json" in read_.flags,
        metrics="--no-metrics" not in read_.flags,
    )


def _workers(read_: Arguments) -> int:
    text = read_.value("--workers", "1")
    if text == "auto":
        return usable_cores()
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"--workers {text}: a number of at least 1, or auto")
    return int(text)


def _mode(read_: Arguments, otherwise: str, workers: int) -> str:
    isolated = "--isolate" in read_.flags
    usual = "spawn" if isolated or "--workers" in read_.values else otherwise
    mode = _one_of(read_, "--mode", MODES, usual)
    needs = [
        name for name in ("--timeout", "--gpus", "--nice", "--threads") if name in read_.values
    ]
    if mode == "inline" and (isolated or workers > 1):
        option = "--isolate" if isolated else f"--workers {workers}"
        raise UsageError(f"--mode inline runs in this process: take away {option}")
    if mode == "inline" and needs:
        if "--mode" in read_.values:
            raise UsageError(f"{needs[0]} needs processes of their own: --mode spawn")
        return "spawn"
    return mode


def _slots(read_: Arguments, workers: int) -> Slots:
    gpus = parse_gpus(read_.value("--gpus")) if "--gpus" in read_.values else ()
    threads = parse_threads(read_.value("--threads", "auto"), workers, usable_cores())
    return Slots(gpus, threads)


def _one_of(read_: Arguments, option: str, known: tuple[str, ...], otherwise: str) -> str:
    text = read_.value(option, otherwise)
    if text not in known:
        found = near(text, list(known), 1)
        hint = f" Did you mean {found[0]!r}?" if found else ""
        raise UsageError(f"{option} {text}: expected one of {', '.join(known)}.{hint}")
    return text


def _number(read_: Arguments, option: str, otherwise: float) -> float:
    text = read_.value(option, str(otherwise))
    whole = option in ("--retries", "--nice")
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        raise UsageError(f"{option} {text}: not a {'whole ' if whole else ''}number") from None
    if not 0 <= number < float("inf"):
        raise UsageError(f"{option} {text}: at least 0")
    return number
