"""The body of an imperative pipeline, which is its one node; and what happens in a run of it.

State of a context: the run whose body the code in it is in. State of this process: the runs of
bodies, by the object that each has as ``self``.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from types import FunctionType, MappingProxyType
from typing import Any

from kohaku_ast.display.graph_layout import listed
from kohaku_ast.errors import PipelineError, did_you_mean
from kohaku_ast.frames import contextmanager
from kohaku_ast.imperative.called_object import setting_digest
from kohaku_ast.imperative.members import Member, flat
from kohaku_ast.pipeline import edge_types
from kohaku_ast.pipeline.callbacks import Callback, Context
from kohaku_ast.pipeline.engine import find_engine
from kohaku_ast.pipeline.execution import PipelineRun, Steps, clock
from kohaku_ast.pipeline.node import REQUIRED, call_arguments, callable_parameters
from kohaku_ast.pipeline.node_like import place
from kohaku_ast.pipeline.plan import Plan

ALL = "*"
"""In place of the names of outputs: a dict of all of them."""


class BodyNode:
    """The ``__call__`` of an imperative pipeline. Its parameters are the inputs."""

    is_async = False
    #: The calls inside have a cache and callbacks; it has none.
    is_quiet = False
    cache = False
    bound: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, pipeline: Any, picks: str | tuple[str, ...] = "") -> None:
        self.owner = pipeline
        #: What its one output is: the returned value (empty), the value of one output of a call, or
        #: a dict of several.
        self.picks = picks
        self.name = pipeline.name
        body: Any = type(pipeline).__call__
        self.function: FunctionType = body.__wrapped__
        self.parameters = tuple(callable_parameters(self.function, repr(self.name))[1:])
        self.inputs = tuple([one.name for one in self.parameters])
        self.defaults = {
            one.name: one.default for one in self.parameters if one.default is not REQUIRED
        }
        is_name = self.name.isidentifier()
        self.outputs = (self.name if is_name else type(pipeline).__name__,)

    @property
    def has_scripts(self) -> bool:
        """Whether a member, at any depth, is a script."""
        return any(getattr(one, "has_scripts", False) for one in self.owner.nodes)

    @property
    def held(self) -> tuple[Any, ...]:
        """The permanences in its members: they stay until the end of the run."""
        return tuple([one for node in self.owner.nodes for one in getattr(node, "held", ())])

    @property
    def opens(self) -> bool:
        """Whether a member may need pools or an event loop, whatever the engine."""
        return any(one.is_async or hasattr(one, "run_inside") for one in self.owner.nodes)

    @property
    def where(self) -> str:
        """``file.py:12``."""
        return place(self.function.__code__.co_filename, self.function.__code__.co_firstlineno)

    def input_hint(self, name: str) -> Any:
        """The type of an input, or UNKNOWN."""
        return edge_types.of_parameter(self.function, name)

    def output_hint(self, name: str) -> Any:
        """The type of the output, or UNKNOWN."""
        return edge_types.UNKNOWN if self.picks else edge_types.of_output(self.function, 0, 1)

    def settings_inside(self) -> dict[str, Any]:
        """``prompt.temperature`` -> value, for records."""
        return dict(flat(self.owner.settings()))

    def cache_identity(self) -> tuple[Any, ...]:
        """What its results depend on: functions and values of its class, members and settings."""
        values = self.owner.own_values()
        digests = [(name, setting_digest(name, value)) for name, value in values.items()]
        return (*self.owner.own_functions(), *self.owner.nodes, self.picks, *digests)

    def run(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The value of the output."""
        from kohaku_ast.pipeline.execution import CURRENT

        current = CURRENT.get()
        return self.run_inside(values, None if current is None else current.scope)

    def run_inside(self, values: Mapping[str, Any], scope: Any) -> tuple[Any, ...]:
        """The same, in *scope*."""
        pipeline = self.owner
        run = PipelineRun(pipeline, Plan((self,), (), ()), values, scope or pipeline.scope(None))
        return self.run_body(values, run)

    def run_body(self, values: Mapping[str, Any], run: PipelineRun) -> tuple[Any, ...]:
        """The same, as *run*: the calls inside are its nodes."""
        return (BodyRun(self, run).result(values),)

    def __repr__(self) -> str:
        return f"<body {self.name}({', '.join(self.inputs)})>"


class BodyPlan(Plan):
    """A Plan whose result is the value of the body, which may be a dict of outputs."""

    __slots__ = ()

    def result(self, values: Mapping[str, Any]) -> Any:
        """That value."""
        return values[self.nodes[0].outputs[0]]

    def __reduce__(self) -> tuple[Any, ...]:
        return BodyPlan, (self.nodes, self.given, self.wanted, self.single, self.loose)


class Call:
    """One call of a member, of the last run: ``Pipeline.explain`` shows it. Frozen when it ends."""

    __slots__ = ("given", "has_failed", "is_over", "key", "member", "name", "seconds")

    def __init__(self, name: str, member: Member, inputs: Mapping[str, Any]) -> None:
        #: ``parse``, then ``parse#2`` and so on.
        self.name = name
        self.member = member
        #: The inputs, in short: their values are not kept alive.
        self.given = ", ".join([f"{one}={_brief(value)}" for one, value in inputs.items()])
        #: Whether its results were in the cache, under this key.
        self.key = ""
        self.has_failed = False
        self.seconds = 0.0
        self.is_over = False

    @property
    def state(self) -> str:
        """``succeeded``, ``cached``, ``failed`` or ``running``."""
        if not self.is_over:
            return "running"
        return "failed" if self.has_failed else "cached" if self.key else "succeeded"


def _brief(value: Any) -> str:
    """*value* in few letters, without a call of code of the user's."""
    kind = type(value)
    if kind in (bool, int, float, complex, type(None)):
        return repr(value)
    if kind in (str, bytes):
        return repr(value) if len(value) < _LONGEST else f"{value[:_LONGEST]!r}..."
    is_sized = kind in (list, tuple, dict, set, frozenset)
    return f"{kind.__name__} of {len(value)}" if is_sized else kind.__name__


_LONGEST = 30
"""Characters of a text among the inputs of a call."""


class _Reached(BaseException):
    """The run ends here: ``to_node`` has returned."""


class _Watch(Callback):
    """Notes the key if a call was in the cache."""

    def __init__(self, call: Call, path: tuple[str, ...]) -> None:
        self._call, self._path = call, (*path, call.name)

    def on_node_cached(self, name: str, key: str, context: Context) -> None:
        """It was."""
        if context.path == self._path:
            self._call.key = key


class BodyRun:
    """What happens in one run of a body: its calls, in the order in which they began."""

    def __init__(self, node: BodyNode, run: PipelineRun) -> None:
        self.node, self.run = node, run
        self.pipeline: Any = run.pipeline
        self.calls: list[Call] = []
        #: Output -> value, of the calls that have ended; and call -> what it has returned. Those
        #: that the result needs; without such, the last ones.
        self.outputs: dict[str, Any] = {}
        self._returned: dict[str, Any] = {}
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()
        #: The first and the last call of the run; empty: the first, or last, of the body.
        self.from_node: str
        self.to_node: str
        self.from_node, self.to_node = getattr(run.pipeline, "ends")  # noqa: B009  # it is Any
        self._is_reached, self._value = False, None
        self._has_begun = not self.from_node
        engine: Any = run.scope.engine
        self._engine = engine if hasattr(engine, "node_kind") else find_engine("sequential")

    def result(self, values: Mapping[str, Any]) -> Any:
        """What the run gives for the inputs *values*."""
        args, kwargs = call_arguments(self.node.parameters, values)
        with _entered(self) as own:
            try:
                found = call(self.node.function, own, args, kwargs)
            except _Reached:
                found = None
            finally:
                self.pipeline.last_calls = tuple(self.calls)
        self._report_cached_item()
        if self.to_node and not self._is_reached:
            raise PipelineError(f"{self.to_node!r} was not called. {self._called()}")
        if not self._has_begun:
            raise PipelineError(f"{self.from_node!r} was not called. {self._called()}")
        return self._picked(self._value if self._is_reached else found)

    def _picked(self, returned: Any) -> Any:
        picks = self.node.picks
        if not picks:
            return returned
        if picks == ALL:
            return self.outputs
        names = (picks,) if isinstance(picks, str) else picks
        known = {**self._returned, **self.outputs}
        for name in names:
            if name not in known:
                raise PipelineError(f"no call of this run gave {name!r}. {self._called()}")
        found = {name: known[name] for name in names}
        return found[picks] if isinstance(picks, str) else found

    def _called(self) -> str:
        return f"Its calls were: {listed([one.name for one in self.calls], 300) or 'none'}."

    def _report_cached_item(self) -> None:
        keys = [one.key for one in self.calls]
        if self.run.is_item and keys and all(keys):
            self.run.scope.notify("on_map_item_cached", self.run.scope.context.item, keys[-1])

    def call(self, member: Member, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What the call of *member* returns: from the cache, or from its node."""
        values = member.values_of(args, kwargs)
        made = self._begun(member, values)
        started = clock()
        try:
            found = self._outcome(made, values)
        except BaseException as error:
            made.has_failed = True
            failure = self.run.failure
            if failure is not None and failure.error is error:
                failure.results = dict(self.outputs)
            raise
        finally:
            made.is_over, made.seconds = True, clock() - started
        value = member.result(found)
        self._ended(made, found, value)
        return value

    def _begun(self, member: Member, values: Mapping[str, Any]) -> Call:
        with self._lock:
            if self._is_reached:
                raise _Reached
            count = self._counts[member.name] = self._counts.get(member.name, 0) + 1
            made = Call(member.name if count == 1 else f"{member.name}#{count}", member, values)
            self.calls.append(made)
            self._has_begun |= made.name == self.from_node
            return made

    def _outcome(self, made: Call, values: Mapping[str, Any]) -> dict[str, Any]:
        scope = self.run.scope.replaced(called=made.name, engine=self._engine)
        if scope.cache is not None:
            watch = _Watch(made, scope.context.path)
            scope = scope.replaced(callbacks=(*scope.callbacks, watch))
        run = self.run.call(made.member.plan(tuple(values)), values, scope)
        if not self._has_begun:
            return _only_cached(run, self.from_node)
        return self._engine.run(run)  # type: ignore[no-any-return]

    def _keep(self, name: str, suffix: str, found: Mapping[str, Any], value: Any) -> None:
        """Keep what the result of the run may need of the call *name*."""
        picks = self.node.picks
        names = (picks,) if isinstance(picks, str) else picks
        if name in names:
            self._returned[name] = value
        for output, one in found.items():
            own = f"{output}{suffix}"
            if own in self.outputs:
                own = f"{name}.{output}"  # two members have an output of one name
            if picks == ALL or own in names:
                self.outputs[own] = one

    def _ended(self, made: Call, found: Mapping[str, Any], value: Any) -> None:
        suffix = made.name[len(made.member.name) :]
        with self._lock:
            if self.node.picks:
                self._keep(made.name, suffix, found, value)
            else:  # the last ones, for ``last_error``: all of a long loop might not fit in memory
                self.outputs.update(found)
            if made.name == self.to_node:
                self._is_reached, self._value = True, value
                raise _Reached


def call(function: Any, pipeline: Any, args: list[Any], kwargs: Mapping[str, Any]) -> Any:
    """What the body returns. ``trim_traceback`` knows this function by its name."""
    return function(pipeline, *args, **kwargs)


def _only_cached(run: PipelineRun, start: str) -> dict[str, Any]:
    """The results of a call before the node *start*, which are in the cache. Raises PipelineError
    if they are not.
    """
    name = run.scope.called
    if run.scope.cache is None:
        why = "the pipeline has no cache"
    else:
        steps = Steps(run)
        if not steps.todo:
            return steps.result()  # type: ignore[no-any-return]
        why = "its result for these values is not in the cache"
    raise PipelineError(
        f"from {start!r} on: nothing before it is run, but {name!r} is called before it, and "
        f"{why}. Run it once without --from and with a cache, or start at {name!r}."
    )


# --- which run code is in ------------------------------------------------------------------------

_BODY: ContextVar[BodyRun | None] = ContextVar("kogine-body", default=None)
_RUNS: dict[int, BodyRun] = {}
"""By the ``id`` of the pipeline that a body has as ``self``: each run has its own, so that threads
that the body starts belong to its run.
"""


@contextmanager
def _entered(run: BodyRun) -> Iterator[Any]:
    """Inside, code is in *run*; gives the ``self`` of its body."""
    own, token = _alias(run.pipeline), _BODY.set(run)
    _RUNS[id(own)] = run
    try:
        yield own
    finally:
        del _RUNS[id(own)]
        _BODY.reset(token)


def _alias(pipeline: Any) -> Any:
    """Another object with the attributes of *pipeline*: what is set on one, the other has."""
    made = object.__new__(type(pipeline))
    object.__setattr__(made, "__dict__", pipeline.__dict__)
    return made


def current_body(pipeline: Any) -> BodyRun | None:
    """The run of the body of *pipeline* that this code is in; None outside of one."""
    found = _RUNS.get(id(pipeline))
    if found is not None:
        return found
    found = _BODY.get()
    return found if found is not None and found.pipeline is pipeline else None


class BoundMember:
    """A member inside the body: a call of it is a node of the run; otherwise it is as the object
    that it stands for.
    """

    __slots__ = ("_kogine_body", "_kogine_member")

    def __init__(self, body: BodyRun, member: Member) -> None:
        object.__setattr__(self, "_kogine_body", body)
        object.__setattr__(self, "_kogine_member", member)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the member returns."""
        return self._kogine_body.call(self._kogine_member, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kogine_member.value, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._kogine_member.value, name, value)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._kogine_member.value)

    def __reduce__(self) -> tuple[Any, ...]:
        return _itself, (self._kogine_member.value,)

    def __repr__(self) -> str:
        return repr(self._kogine_member.value)


def _itself(value: Any) -> Any:
    return value


_FORWARDED = (
    "__bool__", "__len__", "__iter__", "__contains__", "__getitem__", "__setitem__", "__enter__",
    "__exit__", "__eq__", "__hash__",
)  # fmt: skip
"""Python looks them up in the class of an object."""


def bound_member(body: BodyRun, member: Member) -> BoundMember:
    """The BoundMember, which has what the class of its object has."""
    kind: Any = type(member.value)
    return _bound_class(kind)(body, member)


@functools.cache
def _bound_class(kind: Any) -> type[BoundMember]:
    names = [name for name in _FORWARDED if getattr(kind, name, None) is not None]
    methods = {name: _forwarded(name) for name in names}
    return type("BoundMember", (BoundMember,), {"__slots__": (), **methods})


def _forwarded(name: str) -> Any:
    return lambda self, *args: getattr(self._kogine_member.value, name)(*args)


def check_call_name(name: str, members: Mapping[str, Any], what: str) -> None:
    """Raise PipelineError unless *name* can be a call of *members*: ``parse``, ``parse#2``."""
    member, mark, number = name.partition("#")
    if member not in members or (mark and not number.isdigit()):
        hint = did_you_mean(member, members) or f" There is: {', '.join(members) or 'none'}."
        raise PipelineError(
            f"{what}: no member is called {member!r}.{hint} Its second call is NAME#2."
        )
