"""What scripts add to themselves: they run alone under ``python`` as under ``kogine run``.

Imports nothing else of ours, and its names when they are first used (PEP 562).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.helpers.checkpointing import Checkpoint, Checkpoints, checkpoints, resumed_from
    from kohaku_ast.helpers.decorator import entrypoint
    from kohaku_ast.helpers.devices import DeviceManager, device, device_manager
    from kohaku_ast.helpers.metric_logger import Logger, logger
    from kohaku_ast.helpers.processes import NodeContext, context, pipeline_process, process
    from kohaku_ast.helpers.progress import progress_bar, trange
    from kohaku_ast.helpers.run_context import CurrentRun, current_run, enter_run

_WHERE = {
    "Checkpoint": "checkpointing",
    "Checkpoints": "checkpointing",
    "CurrentRun": "run_context",
    "DeviceManager": "devices",
    "Logger": "metric_logger",
    "NodeContext": "processes",
    "checkpoints": "checkpointing",
    "context": "processes",
    "current_run": "run_context",
    "device": "devices",
    "device_manager": "devices",
    "enter_run": "run_context",
    "entrypoint": "decorator",
    "logger": "metric_logger",
    "pipeline_process": "processes",
    "process": "processes",
    "progress_bar": "progress",
    "resumed_from": "checkpointing",
    "trange": "progress",
}

__all__ = [
    "Checkpoint",
    "Checkpoints",
    "CurrentRun",
    "DeviceManager",
    "Logger",
    "NodeContext",
    "checkpoints",
    "context",
    "current_run",
    "device",
    "device_manager",
    "enter_run",
    "entrypoint",
    "logger",
    "pipeline_process",
    "process",
    "progress_bar",
    "resumed_from",
    "trange",
]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
