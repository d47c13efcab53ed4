"""Hooks: functions that are called at the start and the end of the runs of a pipeline, a node or a
flow. They are the short form of a Callback.
"""

from __future__ import annotations

import os
import traceback
from typing import Any

from kohaku_ast.errors import PipelineError, PipelineTypeError, UsageError, check_type, unknown
from kohaku_ast.pipeline.callbacks import RECORDER, Callback, HookEvent, error_text, is_item
from kohaku_ast.pipeline.failure import warn
from kohaku_ast.pipeline.node_like import is_async, place, place_of
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from kohaku_ast.flow.run import Observer
    from kohaku_ast.pipeline.callbacks import Context
    from kohaku_ast.pipeline.node_like import NodeLike

    Hook = Callable[["HookEvent"], object]

HOOKS = ("on_start", "on_success", "on_failure", "on_end")
"""Their names; ``on_end`` follows one of the two before it."""

_HOOKS_OF = {
    "running": ("on_start",),
    "succeeded": ("on_success", "on_end"),
    "failed": ("on_failure", "on_end"),
    "interrupted": ("on_failure", "on_end"),
}
"""State -> the hooks that are called; of others ``on_end`` alone."""


class Hooks(Callback):
    """Functions with one argument, a HookEvent: ``Pipeline(..., callbacks=[Hooks(on_end=tell)])``.

    They are called in the process that runs the pipeline, for each of its runs (once for a map), or
    with *node* for each run of that node; not for results from the cache, nor for what is skipped.
    In the *callbacks* of a flow (Sequential, Parallel) they are for each of its runs, or with
    *node* for the runs of the script of that name.
    An exception of a hook is a warning, in the record as well, and changes nothing. Unlike other
    callbacks those of a pipeline inside leave it the callbacks of the pipeline around.

    Raises PipelineError for what is no plain function.
    """

    is_beside = True

    @public
    def __init__(
        self,
        node: str = "",
        *,
        on_start: Hook | None = None,
        on_success: Hook | None = None,
        on_failure: Hook | None = None,
        on_end: Hook | None = None,
    ) -> None:
        check_type(node, str, "the node of hooks is its name", PipelineError)
        #: The node, or the script, that they are for; empty: the pipeline, or all scripts.
        self.node = node
        given = dict(zip(HOOKS, (on_start, on_success, on_failure, on_end)))
        #: Name -> function, of those that were given.
        self.functions = {name: one for name, one in given.items() if one is not None}
        if not self.functions:
            raise PipelineError(f"Hooks() has none of {', '.join(HOOKS)}.")
        for name, one in self.functions.items():
            if not callable(one) or is_async(one):
                raise PipelineTypeError(f"{name} is {one!r}: give a plain function.")
        self._base: tuple[str, ...] = ()
        #: Run (by its data) and path -> inputs and items: several threads may run it.
        self._inputs: dict[Any, tuple[Mapping[str, Any], int | None]] = {}

    def check(self, nodes: Iterable[NodeLike]) -> None:
        """Raise PipelineError if none of *nodes* has the name that they are for."""
        names = [node.name for node in nodes]
        if self.node and self.node not in names:
            raise PipelineError(unknown("node", self.node, names))

    def at(self, path: tuple[str, ...]) -> Hooks:
        """Those of the pipeline that runs at *path*."""
        made = Hooks(self.node, **self.functions)
        made._base = path
        return made

    def for_flow(self, names: Sequence[str]) -> Observer:
        """The Observer that calls them for the runs of a flow of the scripts *names*.

        Raises UsageError if none of these has the name that they are for.
        """
        from kohaku_ast.pipeline.flow_hooks import FlowHooks  # here: pipelines do without

        if self.node and self.node not in names:
            raise UsageError(unknown("script", self.node, names))
        return FlowHooks(self.node, self.call_all)

    def on_pipeline_start(self, name: str, inputs: Mapping[str, Any], context: Context) -> None:
        """The pipeline starts."""
        self._start(name, inputs, context)

    def on_map_start(self, items: int, context: Context) -> None:
        """A map of the pipeline starts."""
        self._start(context.path[-1], {}, context, items)

    def on_node_start(self, name: str, inputs: Mapping[str, Any], context: Context) -> None:
        """A node starts."""
        self._start(name, inputs, context, is_node=True)

    def on_pipeline_end(
        self, name: str, outputs: Mapping[str, Any], seconds: float, context: Context
    ) -> None:
        """The pipeline has ended."""
        self._end(name, outputs, seconds, context)

    def on_map_end(self, seconds: float, context: Context) -> None:
        """The map has ended."""
        self._end(context.path[-1], {}, seconds, context)

    def on_node_end(
        self, name: str, outputs: Mapping[str, Any], seconds: float, context: Context
    ) -> None:
        """A node has ended."""
        self._end(name, outputs, seconds, context, is_node=True)

    def _is_meant(self, path: tuple[str, ...], is_node: bool) -> bool:
        if not (self.node and is_node):
            return path == self._base and not self.node and not is_node
        around = path[:-1]
        if around and len(around) > len(self._base) and is_item(around[-1]):
            around = around[:-1]
        # ``parse#2`` is the second call of the member ``parse`` of an imperative pipeline.
        return self.node in (path[-1], path[-1].partition("#")[0]) and around == self._base

    def _start(
        self,
        name: str,
        inputs: Mapping[str, Any],
        context: Context,
        items: int | None = None,
        is_node: bool = False,
    ) -> None:
        if self._is_meant(context.path, is_node):
            self._inputs[id(context.data), context.path] = inputs, items
            self.call_all(HookEvent(name, "running", context, inputs, items=items), self._keep)

    def _end(
        self,
        name: str,
        outputs: Mapping[str, Any],
        seconds: float,
        context: Context,
        is_node: bool = False,
    ) -> None:
        if not self._is_meant(context.path, is_node):
            return
        inputs, items = self._inputs.pop((id(context.data), context.path), ({}, None))
        state = _state(context)
        event = HookEvent(name, state, context, inputs, outputs, seconds, items)
        self.call_all(event, self._keep)

    def _keep(self, event: HookEvent, hook: str, error: str) -> None:
        recorder = event.context.get(RECORDER)
        if recorder is not None:
            recorder.hook_failed(hook, error)

    def call_all(self, event: HookEvent, keep: Callable[[HookEvent, str, str], None]) -> None:
        """Call those that are for *event*. *keep* gets it with the hook and the error of each that
        raises.
        """
        for hook in _HOOKS_OF.get(event.state, ("on_end",)):
            function = self.functions.get(hook)
            if function is None:
                continue
            try:
                function(event)
            except (Exception, SystemExit) as error:
                kind = "run" if event.outcome else "node" if self.node else "pipeline"
                what = f"{hook} of {kind} {event.outcome.label if event.outcome else event.name!r}"
                name = getattr(function, "__name__", type(function).__name__)
                text = f"{error_text(error)} ({_line(error.__traceback__)})"
                warn(f"{what}, {name} ({place_of(function)}), raised {text}")
                keep(event, what, text)


def _state(context: Context) -> str:
    if context.error is None:
        return "not run" if context.is_dropped else "succeeded"
    is_inner = isinstance(context.error, (Exception, SystemExit))
    return "failed" if is_inner else "interrupted"


def _line(at: TracebackType | None) -> str:
    frame = traceback.extract_tb(at)[-1]
    return place(os.path.abspath(frame.filename), frame.lineno or 0)
