"""The options of flows, read and checked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kogine.script_command import ScriptCommand

from kohaku_ast.errors import UsageError
from kohaku_ast.flow.flows import FlowSettings
from kohaku_ast.flow.settings import (
    Limits,
    Recording,
    Slots,
    parse_gpus,
    parse_threads,
    pinned,
    usable_cores,
    usual_workers,
)

if TYPE_CHECKING:
    from concurrent.futures import Executor

_PROCESS_OPTIONS = ("timeout", "gpus", "nice", "threads")
"""What only a process of its own can be given."""


@dataclass(frozen=True)
class FlowOptions:
    """How the runs of a command line are to be run and shown."""

    plan: FlowSettings
    is_json: bool
    metrics: bool


def flow_options(
    command: ScriptCommand,
    *,
    mode: str | Executor = "inline",
    limits: Limits = Limits(),  # noqa: B008  # it is frozen
    spreads: bool = False,
    slots: Slots | None = None,
    nice: int = 0,
    recording: Recording = Recording(),  # noqa: B008  # it is frozen
) -> FlowOptions:
    """What *command* says; the rest is what holds if it says nothing. Raises UsageError.

    *spreads*: without ``--workers`` there is one for each GPU, or for each usable core.
    """
    workers = _workers(command, limits.workers, spreads)
    policy = "stop" if limits.stops_on_error else "continue"
    plan = FlowSettings(
        mode=_mode(command, mode, workers),
        limits=replace(
            limits,
            workers=workers,
            stops_on_error=command.option("on_error", policy) == "stop",
            retries=command.option("retries", limits.retries),
            backoff=command.option("backoff", limits.backoff),
            timeout=command.option("timeout", limits.timeout) or None,
        ),
        slots=_slots(command, workers, slots),
        nice=command.option("nice", nice),
        recording=_recording(command, recording),
    )
    return FlowOptions(plan, "json" in command.options, "no_metrics" not in command.options)


def _recording(command: ScriptCommand, usual: Recording) -> Recording:
    options = command.options
    if {"record", "no_record"} <= options.keys():
        raise UsageError("--record and --no-record: take one away")
    return replace(
        usual,
        is_on="no_record" not in options and (usual.is_on or "record" in options),
        resumes=usual.resumes or "resume" in options,
        retries_failed=usual.retries_failed or "retry_failed" in options,
    )


def _workers(command: ScriptCommand, otherwise: int, spreads: bool) -> int:
    if spreads and "workers" not in command.options:
        return usual_workers(pinned(command.option("gpus")))
    text = command.option("workers", otherwise)
    return usable_cores() if text == "auto" else int(text)


def _mode(command: ScriptCommand, otherwise: str | Executor, workers: int) -> str | Executor:
    if not isinstance(otherwise, str):
        return otherwise
    isolated = "isolate" in command.options
    usual = otherwise
    if otherwise == "inline" and (isolated or workers > 1):
        usual = "spawn"
    mode: str = command.option("mode", usual)
    needs = [f"--{name}" for name in _PROCESS_OPTIONS if name in command.options]
    if mode == "inline" and (isolated or workers > 1):
        option = "--isolate" if isolated else f"--workers {workers}"
        raise UsageError(f"--mode inline runs in this process: take away {option}")
    if mode == "inline" and needs:
        if "mode" in command.options:
            raise UsageError(f"{needs[0]} needs processes of their own: --mode spawn")
        return "spawn"
    return mode


def _slots(command: ScriptCommand, workers: int, otherwise: Slots | None) -> Slots:
    slots = otherwise or Slots(threads=parse_threads("auto", workers, usable_cores()))
    if "gpus" in command.options:
        slots = replace(slots, gpus=parse_gpus(command.option("gpus")))
    if "threads" in command.options:
        threads = parse_threads(command.option("threads"), workers, usable_cores())
        slots = replace(slots, threads=threads)
    return slots
