"""Pipelines as classes: nodes as annotated attributes, called by the plain code of ``__call__``.

The form is that of theflow (https://pypi.org/project/theflow/), which was published as finestflow
before; no code of it is in here.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Iterable, Mapping
from types import FunctionType, MappingProxyType
from typing import Any, ClassVar

from kohaku_ast.errors import PipelineError, PipelineTypeError, check_type, did_you_mean
from kohaku_ast.frames import hidden
from kohaku_ast.imperative.body import (
    ALL,
    BodyNode,
    BodyPlan,
    Call,
    bound_member,
    check_call_name,
    current_body,
)
from kohaku_ast.imperative.member_declaration import (
    META,
    NOTHING,
    OPTIONS,
    Slot,
    check_names,
    meta_of,
    own_slots,
    slots_of,
)
from kohaku_ast.imperative.members import Member, copied, made_of, nested
from kohaku_ast.pipeline.mapping import checked_names
from kohaku_ast.pipeline.node_like import NodeLike
from kohaku_ast.pipeline.pipeline import Pipeline
from kohaku_ast.pipeline.plan import Plan
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.config.config import Config
    from kohaku_ast.pipeline.drawing import Drawing, Explanation
    from kohaku_ast.pipeline.pipeline import Names


def adopt(cls: Any) -> None:
    """Make *cls*, a subclass of Pipeline with ``__call__`` and annotations, an imperative pipeline,
    if one of its annotated attributes is a node.
    """
    if not issubclass(cls, Imperative):
        if not any(slot.is_member() for slot in own_slots(cls, {}).values()):
            return
        cls.__bases__ = tuple([Imperative if one is Pipeline else one for one in cls.__bases__])
        if not issubclass(cls, Imperative):  # a subclass of one that is none
            return
    inherited = {name: slot for base in cls.__bases__ for name, slot in slots_of(base).items()}
    slots = {**inherited, **own_slots(cls, inherited)}
    check_names(cls, Imperative, slots)
    for name, slot in slots.items():
        if name in vars(cls) or name not in inherited:
            setattr(cls, name, slot)
    cls.slots, cls.meta = slots, dict(meta_of(cls))
    body = vars(cls).get("__call__")
    if isinstance(body, FunctionType):
        if inspect.iscoroutinefunction(body) or inspect.isgeneratorfunction(body):
            raise PipelineTypeError(
                f"{cls.__name__}.__call__ is a plain function: write def, without yield. Async "
                "members are awaited for it."
            )
        cls.__call__ = _recorded_call(body)


def _recorded_call(body: FunctionType) -> Any:
    """``train(3)`` is ``train.run(x=3)``; inside the body it is a plain call."""

    @hidden
    @functools.wraps(body)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if current_body(self) is not None:
            return body(self, *args, **kwargs)
        found = inspect.signature(body).bind(self, *args, **kwargs).arguments
        return self.run(dict([*found.items()][1:]))

    return call


class Imperative(Pipeline):
    """Base of the classes that are imperative pipelines: a class that derives from Pipeline, with
    ``__call__`` and annotated nodes, derives from this one.

    ``Train(prompt=Other(...), epochs=3)`` replaces members and settings; *engine*, *cache*,
    *callbacks*, *name* and *record* are those of Pipeline.
    """

    slots: ClassVar[dict[str, Slot]] = {}
    meta: ClassVar[dict[str, Any]] = {}
    #: The calls of the last run, in the order in which they began.
    last_calls: tuple[Call, ...] = ()
    #: First and last call of a run; empty: all.
    ends: tuple[str, str] = ("", "")
    #: The pipeline, or class, that it is a copy of with other settings.
    origin: Any = None

    @public
    def __init__(self, **given: Any) -> None:
        meta, cls = type(self).meta, type(self)
        options = {name: given.pop(name, meta.get(name)) for name in OPTIONS}
        options["name"] = options["name"] or cls.__name__
        #: Whether the result is a dict of the outputs of all calls.
        self.return_all: bool = given.pop("return_all", meta.get("return_all", False))
        check_type(self.return_all, bool, "return_all is True or False", PipelineError)
        self._members: dict[str, Member] = {}
        self._settings: dict[str, Any] = {}
        #: ``prompt.temperature`` -> value, of what a command line has changed.
        self.changed: dict[str, Any] = {}
        self._fill(given)
        self._join(options)

    def _fill(self, given: Mapping[str, Any]) -> None:
        slots = type(self).slots
        for name in given:
            if name not in slots:
                known = [*slots, *META]
                hint = did_you_mean(name, known) or f" It has: {', '.join(slots)}."
                raise PipelineError(f"{type(self).__name__} has no member {name!r}.{hint}")
        for name, slot in slots.items():
            value = given.get(name, slot.default)
            if name not in given and value is not NOTHING:
                value = copied(value)
            if value is NOTHING and slot.is_member():
                value = slot.basis
            if value is NOTHING:
                raise PipelineError(
                    f"{type(self).__name__} needs {name!r}, which has no default: give {name}=..."
                )
            self._place(name, value, name)

    def _place(self, name: str, value: Any, place: str) -> None:
        """Set a member or setting; *place*: its name in errors."""
        slot = type(self).slots[name]
        if not slot.is_member(value):
            self._settings = {**self._settings, name: value}
            self._members = {key: one for key, one in self._members.items() if key != name}
            return
        before = self._members[name].value if name in self._members else slot.basis
        made = made_of(value, before, place, type(self).__module__)
        self._members = {**self._members, name: Member(name, made)}

    def _join(self, options: Mapping[str, Any]) -> None:
        """Make the graph of the members that it has now."""
        self.name = str(options["name"])
        Pipeline.__init__(self, [BodyNode(self, ALL if self.return_all else "")], **options)

    def put(self, values: Mapping[str, Any], place: str = "") -> None:
        """Replace members and settings. Raises PipelineError."""
        slots = type(self).slots
        for name, value in values.items():
            if name not in slots:
                hint = did_you_mean(name, slots) or f" It has: {', '.join(slots)}."
                who = f"{place[:-1]}: {self.name}" if place else self.name
                raise PipelineError(f"{who} has no setting {name!r}.{hint}")
            self._place(name, value, f"{place}{name}")
        bound = self.bound
        self._join({name: getattr(self, name) for name in OPTIONS})
        self.bound = bound

    def value_of(self, name: str) -> Any:
        """The value of a member or setting; inside the body a member's calls are recorded."""
        member = self._members.get(name)
        if member is None:
            return self._settings[name]
        body = current_body(self)
        return member.value if body is None else bound_member(body, member)

    def member(self, name: str) -> Member | None:
        """The member *name*; None if that is a setting of the pipeline itself."""
        return self._members.get(name)

    @classmethod
    def member_classes(cls) -> list[type]:
        """The classes of members that are imperative pipelines, too."""
        found = [slot.basis for slot in cls.slots.values()]
        kinds = [one if isinstance(one, type) else type(one) for one in found]
        return [one for one in kinds if issubclass(one, Imperative)]

    # --- settings --------------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """Settings of the pipeline itself, and those of each member in a dict of their own."""
        members = {name: one.settings() for name, one in self._members.items()}
        return {name: self._settings.get(name, members.get(name)) for name in type(self).slots}

    @public
    def with_settings(self, settings: Mapping[str, Any], place: str = "") -> Any:
        """A copy with other settings: ``{"prompt": {"temperature": 0.2}, "epochs": 3}``, or by
        their paths, ``{"prompt.temperature": 0.2}``. Raises PipelineError.
        """
        made, settings = copy.copy(self), nested(settings)
        made.put(settings, f"{place}." if place else "")
        made.origin = self.origin or self
        return made

    @public
    def to_config(self) -> Config:
        """A Config of its settings and those of its members, by ``prompt.temperature``. Raises
        PipelineError for a member of a class or function that has no name.
        """
        from kohaku_ast.imperative.member_settings import to_config

        return to_config(self)

    @classmethod
    @public
    def from_config(cls, config: Config | Mapping[str, Any] | str, **options: Any) -> Any:
        """The pipeline with the settings of a Config, of a dict, or of the file of a config.
        *options* are those of the class. Raises KogineError.
        """
        from kohaku_ast.imperative.member_settings import of_config

        return of_config(cls, config, options)

    def __copy__(self) -> Any:
        """A copy with the same graph: without it, ``__getstate__`` would leave that out."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__, _plans={}, last_calls=())
        return made

    # --- what a run, a cache and a record need ---------------------------------------------------

    @property
    def nodes(self) -> tuple[NodeLike, ...]:
        """The members, as nodes."""
        return tuple([one.node for one in self._members.values()])

    def plan(
        self,
        given: Iterable[str],
        output_name: Names = None,
        loose: frozenset[str] = frozenset(),
    ) -> Plan:
        """As of a Pipeline. Outputs are those of calls, too: ``y``, ``y#2``."""
        wanted, own = checked_names(output_name), self.graph.outputs
        names = own if wanted is None else (wanted,) if isinstance(wanted, str) else wanted
        if wanted is not None and set(names) <= {*own}:
            return super().plan(given, wanted, loose)
        found = super().plan(given, own)
        if not found.nodes:  # its value is given
            return found
        if wanted is None:
            ends = self.ends[1:] if self.ends[1] else own
            loose = frozenset() if self.ends[1] else frozenset(own)
            return BodyPlan(found.nodes, found.given, ends, not self.return_all, loose)
        outputs = {name for one in self.nodes for name in (one.name, *one.outputs)}
        for name in names:
            check_call_name(name, dict.fromkeys(sorted(outputs)), f"output {name!r}")
        body = BodyNode(self, wanted)
        return BodyPlan((body,), found.given, names, isinstance(wanted, str))

    @public
    def part(self, from_node: str | None = None, to_node: str | None = None) -> Any:
        """A copy that runs from one call to another: what is called before *from_node* must be in
        the cache; the run ends after *to_node*, whose value is the result. ``parse#2`` is the
        second call of ``parse``. Raises PipelineError for a member that it does not have.
        """
        for what, name in (("from_node", from_node), ("to_node", to_node)):
            if name is not None:
                check_type(name, str, f"{what} is the name of a member", PipelineError)
                check_call_name(name, self._members, f"{what}={name!r}")
        made = copy.copy(self)
        made.ends = (from_node or "", to_node or "")
        return made

    def own_values(self) -> dict[str, Any]:
        """The values of its own that the body may read, for keys in a cache."""
        found = {**self._settings}
        for one in reversed(_own_classes(type(self))):
            found.update(
                {
                    name: value
                    for name, value in vars(one).items()
                    if not name.startswith("__") and not isinstance(value, Slot)
                    and not _is_code(value) and name not in ("Meta", "_abc_impl")
                }
            )  # fmt: skip
        found.update(vars(self))
        return {name: value for name, value in found.items() if name not in _ours()}

    def own_functions(self) -> tuple[Any, ...]:
        """The functions of its class, which the body may call."""
        found = []
        for one in _own_classes(type(self)):
            for name, value in vars(one).items():
                if _is_code(value):
                    value = value.__wrapped__ if name == "__call__" else value
                    value = getattr(value, "__func__", None) or getattr(value, "fget", value)
                    found.append(value)
        return tuple(found)

    def _recorded(self, run: Any, given: Mapping[str, Any], *items: Any) -> Any:
        return super()._recorded(run, {**self.changed, **given}, *items)

    @public
    def explain(self, from_node: str | None = None, to_node: str | None = None) -> Explanation:
        """The calls of the last run, in the order in which they began: state, seconds and inputs of
        each; before the first run, the members.
        """
        from kohaku_ast.imperative.explain_calls import explain_calls

        return explain_calls(self, from_node, to_node)

    def _draw(self, depth: int, *how: Any) -> Drawing:
        """The calls of the last run, one after another; before it, the members."""
        from kohaku_ast.imperative.explain_calls import draw_calls

        return draw_calls(self, *how)

    def explain_cache(self, *_: Any, **__: Any) -> Any:
        """Raises PipelineError: which calls there will be is known when they are made."""
        raise PipelineError(
            f"{self.name!r} is an imperative pipeline: what it calls, only a run can show. Run it, "
            "and look at explain()."
        )

    def in_chain(self) -> Pipeline:
        """What ``>>`` joins with others: it as a node."""
        return Pipeline([self.as_node()], name=self.name)

    def __getstate__(self) -> dict[str, Any]:
        """The state for another process, which makes the graph again."""
        state = {**super().__getstate__(), "last_calls": (), "origin": None}
        return {name: one for name, one in state.items() if name not in ("graph", "_own_scope")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the graph again."""
        self.__dict__.update(state)
        self._join({name: state[name] for name in OPTIONS})
        self.bound = MappingProxyType(state["bound"])

    def __repr__(self) -> str:
        inputs, members = ", ".join(self.inputs), ", ".join(self._members)
        return f"<pipeline {self.name}({inputs}) of {members}>"


@functools.cache
def _ours() -> frozenset[str]:
    """The names of the attributes that are no user's."""
    made = {*vars(Pipeline([])), "_members", "_settings", "return_all", "changed"}
    return frozenset({*made, *vars(Imperative), *vars(Pipeline), *META})


def _own_classes(cls: type) -> list[type]:
    return [one for one in cls.__mro__ if issubclass(one, Imperative) and one is not Imperative]


def _is_code(value: Any) -> bool:
    return isinstance(value, (FunctionType, staticmethod, classmethod, property))
