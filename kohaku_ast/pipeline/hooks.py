"""Hooks: functions that are called at the start and the end of a pipeline's runs, or of those of a
node. They are the short form of a Callback.
"""

from __future__ import annotations

import os
import traceback
from typing import Any

from kohaku_ast.errors import PipelineError, PipelineTypeError, check_type, unknown
from kohaku_ast.pipeline.callbacks import RECORDER, Callback, error_text, is_item
from kohaku_ast.pipeline.failure import warn
from kohaku_ast.pipeline.node_like import is_async, place, place_of
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from kohaku_ast.pipeline.callbacks import Context
    from kohaku_ast.pipeline.node_like import NodeLike

    Hook = Callable[["HookEvent"], object]

HOOKS = ("on_start", "on_success", "on_failure", "on_end")
"""Their names; ``on_end`` follows one of the two before it."""


class HookEvent:
    """What a hook gets. Frozen."""

    __slots__ = ("context", "error", "inputs", "items", "name", "outputs", "seconds", "state")

    def __init__(
        self,
        name: str,
        state: str,
        context: Context,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any] | None = None,
        seconds: float = 0.0,
        items: int | None = None,
    ) -> None:
        #: The name of the pipeline or the node.
        self.name = name
        #: ``running`` at the start; ``succeeded``, ``failed``, ``interrupted`` at the end, and
        #: ``not run`` of a node that waited for a worker when another one failed.
        self.state = state
        #: The values of the inputs and of the outputs, by name; of a map neither.
        self.inputs, self.outputs = inputs, outputs or {}
        #: The exception that ended it; None if there was none.
        self.error = context.error
        #: How long it took.
        self.seconds = seconds
        #: How many items a map has; None if it is no map.
        self.items = items
        #: The Context that callbacks get: ``path``, ``item``, ``get`` and ``set``.
        self.context = context

    def __repr__(self) -> str:
        return f"<{self.name} {self.state}>"


class Hooks(Callback):
    """Functions with one argument, a HookEvent: ``Pipeline(..., callbacks=[Hooks(on_end=tell)])``.

    They are called in the process that runs the pipeline, for each of its runs (once for a map), or
    with *node* for each run of that node; not for results from the cache, nor for what is skipped.
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
        #: The node that they are for; empty: the pipeline.
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
            self._call("on_start", HookEvent(name, "running", context, inputs, items=items))

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
        if state != "not run":
            self._call("on_success" if state == "succeeded" else "on_failure", event)
        self._call("on_end", event)

    def _call(self, hook: str, event: HookEvent) -> None:
        function = self.functions.get(hook)
        if function is None:
            return
        try:
            function(event)
        except (Exception, SystemExit) as error:
            what = f"node {event.name!r}" if self.node else f"pipeline {event.name!r}"
            name = getattr(function, "__name__", type(function).__name__)
            text = f"{error_text(error)} ({_line(error.__traceback__)})"
            warn(f"{hook} of {what}, {name} ({place_of(function)}), raised {text}")
            recorder = event.context.get(RECORDER)
            if recorder is not None:
                recorder.hook_failed(f"{hook} of {what}", text)


def _state(context: Context) -> str:
    if context.error is None:
        return "not run" if context.is_dropped else "succeeded"
    is_inner = isinstance(context.error, (Exception, SystemExit))
    return "failed" if is_inner else "interrupted"


def _line(at: TracebackType | None) -> str:
    frame = traceback.extract_tb(at)[-1]
    return place(os.path.abspath(frame.filename), frame.lineno or 0)
