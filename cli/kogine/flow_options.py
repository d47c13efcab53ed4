"""The options of flows, read and checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kogine.reader import Arguments

from kohaku_ast.errors import UsageError, did_you_mean
from kohaku_ast.flow.cores import usable_cores
from kohaku_ast.flow.limits import Limits
from kohaku_ast.flow.modes import MODES
from kohaku_ast.flow.plan import Plan
from kohaku_ast.flow.recording import Recording
from kohaku_ast.flow.slots import Slots, parse_gpus, parse_threads, pinned, usual_workers

if TYPE_CHECKING:
    from concurrent.futures import Executor

_POLICIES = ("continue", "stop")
_NICEST = 19
_PROCESS_OPTIONS = ("--timeout", "--gpus", "--nice", "--threads")
"""What only a process of its own can be given."""


@dataclass(frozen=True)
class FlowOptions:
    """How the runs of a command line are to be run and shown."""

    plan: Plan
    is_json: bool
    metrics: bool


def flow_options(
    read_: Arguments,
    *,
    mode: str | Executor = "inline",
    limits: Limits = Limits(),  # noqa: B008  # it is frozen
    spreads: bool = False,
    slots: Slots | None = None,
    nice: int = 0,
    recording: Recording = Recording(),  # noqa: B008  # it is frozen
) -> FlowOptions:
    """What *read_* says; the rest is what holds if it says nothing. Raises UsageError.

    *spreads*: without ``--workers`` there is one for each GPU, or for each usable core.
    """
    workers = _workers(read_, limits.workers, spreads)
    policy = "stop" if limits.stops_on_error else "continue"
    plan = Plan(
        mode=_mode(read_, mode, workers),
        limits=replace(
            limits,
            workers=workers,
            stops_on_error=_one_of(read_, "--on-error", _POLICIES, policy) == "stop",
            retries=int(_number(read_, "--retries", limits.retries)),
            backoff=_number(read_, "--backoff", limits.backoff),
            timeout=_number(read_, "--timeout", limits.timeout or 0.0) or None,
        ),
        slots=_slots(read_, workers, slots),
        nice=int(_number(read_, "--nice", nice)),
        recording=_recording(read_, recording),
    )
    return FlowOptions(plan, "--json" in read_.flags, "--no-metrics" not in read_.flags)


def _recording(read_: Arguments, usual: Recording) -> Recording:
    flags = read_.flags
    if {"--record", "--no-record"} <= flags:
        raise UsageError("--record and --no-record: take one away")
    return replace(
        usual,
        is_on="--no-record" not in flags and (usual.is_on or "--record" in flags),
        resumes=usual.resumes or "--resume" in flags,
        retries_failed=usual.retries_failed or "--retry-failed" in flags,
    )


def _workers(read_: Arguments, otherwise: int, spreads: bool) -> int:
    if spreads and "--workers" not in read_.values:
        return usual_workers(pinned(read_.value("--gpus") or None))
    text = read_.value("--workers", str(otherwise))
    if text == "auto":
        return usable_cores()
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--workers {text}: a number of at least 1, or auto")
    return int(text)


def _mode(read_: Arguments, otherwise: str | Executor, workers: int) -> str | Executor:
    if not isinstance(otherwise, str):
        return otherwise
    isolated = "--isolate" in read_.flags
    usual = otherwise
    if otherwise == "inline" and (isolated or workers > 1):
        usual = "spawn"
    mode = _one_of(read_, "--mode", MODES, usual)
    needs = [name for name in _PROCESS_OPTIONS if name in read_.values]
    if mode == "inline" and (isolated or workers > 1):
        option = "--isolate" if isolated else f"--workers {workers}"
        raise UsageError(f"--mode inline runs in this process: take away {option}")
    if mode == "inline" and needs:
        if "--mode" in read_.values:
            raise UsageError(f"{needs[0]} needs processes of their own: --mode spawn")
        return "spawn"
    return mode


def _slots(read_: Arguments, workers: int, otherwise: Slots | None) -> Slots:
    slots = otherwise or Slots(threads=parse_threads("auto", workers, usable_cores()))
    if "--gpus" in read_.values:
        slots = replace(slots, gpus=parse_gpus(read_.value("--gpus")))
    if "--threads" in read_.values:
        threads = parse_threads(read_.value("--threads"), workers, usable_cores())
        slots = replace(slots, threads=threads)
    return slots


def _one_of(read_: Arguments, option: str, known: tuple[str, ...], otherwise: str) -> str:
    text = read_.value(option, otherwise)
    if text not in known:
        hint = did_you_mean(text, known)
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
    if option == "--nice" and number > _NICEST:
        raise UsageError(f"{option} {text}: at most {_NICEST}")
    return number
