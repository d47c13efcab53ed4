"""Runs an unmodified script as if its definitions had been edited.

The nouns are imported when they are first used (PEP 562), so that a script which imports
``kohaku_ast.entrypoint`` pays for nothing else.
"""

from __future__ import annotations

from kohaku_ast.version import VERSION as __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.cache.disk import DiskCache
    from kohaku_ast.cache.memory import MemoryCache
    from kohaku_ast.config.config import Config, use
    from kohaku_ast.config.loading import use_config
    from kohaku_ast.config.sweep import Sweep
    from kohaku_ast.engines.async_engine import AsyncExecutor
    from kohaku_ast.engines.cluster_engine import DaskEngine, RayEngine, SlurmEngine
    from kohaku_ast.engines.daft import DaftEngine
    from kohaku_ast.engines.native import HyperNodesEngine, NativeEngine
    from kohaku_ast.errors import CacheWarning, KogineError, PipelineError, UnusedOverride
    from kohaku_ast.flow.flows import Parallel, Sequential
    from kohaku_ast.flow.search import search
    from kohaku_ast.helpers.decorator import entrypoint
    from kohaku_ast.pipeline.callbacks import Callback, HookEvent, LastRun
    from kohaku_ast.pipeline.engine import Engine
    from kohaku_ast.pipeline.hooks import Hooks
    from kohaku_ast.pipeline.node import Node, node
    from kohaku_ast.pipeline.permanence import permanence
    from kohaku_ast.pipeline.pipeline import Pipeline
    from kohaku_ast.pipeline.progress_bars import ProgressBar
    from kohaku_ast.pipeline.script_node import script
    from kohaku_ast.runner.outcome import FlowError, Outcome
    from kohaku_ast.runner.script import Loaded, Script, run
    from kohaku_ast.store.store import Runs, Store
    from kohaku_ast.transform.find.parameters import Parameter

_WHERE = {
    "AsyncExecutor": "engines.async_engine",
    "CacheWarning": "errors",
    "Callback": "pipeline.callbacks",
    "Config": "config.config",
    "DaftEngine": "engines.daft",
    "DaskEngine": "engines.cluster_engine",
    "DiskCache": "cache.disk",
    "Engine": "pipeline.engine",
    "FlowError": "runner.outcome",
    "HyperNodesEngine": "engines.native",
    "KogineError": "errors",
    "HookEvent": "pipeline.callbacks",
    "Hooks": "pipeline.hooks",
    "LastRun": "pipeline.callbacks",
    "Loaded": "runner.script",
    "MemoryCache": "cache.memory",
    "NativeEngine": "engines.native",
    "Node": "pipeline.node",
    "Outcome": "runner.outcome",
    "Parallel": "flow.flows",
    "Parameter": "transform.find.parameters",
    "Pipeline": "pipeline.pipeline",
    "PipelineError": "errors",
    "ProgressBar": "pipeline.progress_bars",
    "RayEngine": "engines.cluster_engine",
    "Runs": "store.store",
    "Script": "runner.script",
    "Sequential": "flow.flows",
    "SlurmEngine": "engines.cluster_engine",
    "Store": "store.store",
    "Sweep": "config.sweep",
    "UnusedOverride": "errors",
    "entrypoint": "helpers.decorator",
    "node": "pipeline.node",
    "permanence": "pipeline.permanence",
    "run": "runner.script",
    "script": "pipeline.script_node",
    "search": "flow.search",
    "use": "config.config",
    "use_config": "config.loading",
}

__all__ = [
    "AsyncExecutor",
    "CacheWarning",
    "Callback",
    "Config",
    "DaftEngine",
    "DaskEngine",
    "DiskCache",
    "Engine",
    "FlowError",
    "HookEvent",
    "Hooks",
    "HyperNodesEngine",
    "KogineError",
    "LastRun",
    "Loaded",
    "MemoryCache",
    "NativeEngine",
    "Node",
    "Outcome",
    "Parallel",
    "Parameter",
    "Pipeline",
    "PipelineError",
    "ProgressBar",
    "RayEngine",
    "Runs",
    "Script",
    "Sequential",
    "SlurmEngine",
    "Store",
    "Sweep",
    "UnusedOverride",
    "__version__",
    "entrypoint",
    "node",
    "permanence",
    "run",
    "script",
    "search",
    "use",
    "use_config",
]


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
