"""What the class of an imperative pipeline says: annotated attributes, and ``class Meta``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kohaku_ast.errors import PipelineError, did_you_mean
from kohaku_ast.imperative.members import can_be_called, has_call
from kohaku_ast.pipeline.pipeline import Pipeline

OPTIONS = ("engine", "cache", "callbacks", "name", "record")
"""Arguments of Pipeline that an imperative one has, too."""
META = (*OPTIONS, "return_all")
RESERVED = {*META, "graph", "bound", "has_scripts", "held", "is_quiet", "changed"}
NOTHING: Any = type("Nothing", (), {"__repr__": lambda _: "<nothing>"})()
"""Stands for no default."""


class Slot:
    """An annotated attribute of the class: a member, or a setting of the pipeline itself."""

    def __init__(self, name: str, hint: Any, default: Any, home: str, scope: Any) -> None:
        self.name, self.default = name, default
        self._hint, self._home, self._scope = hint, home, scope

    @property
    def hint(self) -> Any:
        """The annotation, evaluated; NOTHING if that is not possible yet."""
        if isinstance(self._hint, str):
            names = vars(sys.modules[self._home]) if self._home in sys.modules else {}
            try:
                self._hint = eval(self._hint, {**names, **self._scope})
            except Exception:  # it names a class that stands further below
                return NOTHING
        return self._hint

    @property
    def has_default(self) -> bool:
        """Whether a pipeline need not be given its value."""
        return self.default is not NOTHING

    def is_member(self, value: Any = NOTHING) -> bool:
        """Whether it is a member, by its default or else by its annotation. If these say nothing,
        the *value* decides.
        """
        if self.default is not NOTHING and self.default is not None:
            return can_be_called(self.default)
        hint = self.hint
        kind = getattr(hint, "__origin__", hint)
        if self.default is None or hint in (Any, object):
            return value is not NOTHING and can_be_called(value)
        if hint is NOTHING:
            return value is NOTHING or can_be_called(value)
        if kind is Callable:
            return True
        return isinstance(kind, type) and (has_call(kind) or issubclass(kind, Pipeline))

    @property
    def basis(self) -> Any:
        """What settings in a dict are for: the default, or the class that the annotation names."""
        is_class = isinstance(self.hint, type) and has_call(self.hint)
        return self.hint if self.default is NOTHING and is_class else self.default

    def other(self, default: Any) -> Slot:
        """The same with another default, in a subclass."""
        return Slot(self.name, self._hint, default, self._home, self._scope)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is not None:
            return instance.value_of(self.name)
        if self.default is NOTHING:
            raise AttributeError(f"{self.name!r} has no default: {self._hint}")
        return self.default

    def __set__(self, instance: Any, value: Any) -> None:
        if "graph" not in vars(instance):
            raise PipelineError(
                f"{self.name!r} is set before the pipeline is made: call super().__init__() first "
                "(and use no @dataclass: members are arguments without it)."
            )
        instance.put({self.name: value})


def own_slots(cls: type, inherited: Mapping[str, Slot]) -> dict[str, Slot]:
    """The slots of the annotations of *cls*, and those *inherited* that get another default."""
    scope = _class_scope(cls)
    hints = vars(cls).get("__annotations__", {})
    found = {
        name: Slot(name, hint, vars(cls).get(name, NOTHING), cls.__module__, scope)
        for name, hint in hints.items()
        if not name.startswith("_") and "ClassVar" not in str(hint)
    }
    others = [name for name in inherited if name in vars(cls) and name not in hints]
    return {**found, **{name: inherited[name].other(vars(cls)[name]) for name in others}}


def _class_scope(cls: type) -> dict[str, Any]:
    """The local names of the function that *cls* is defined in, which annotations may use."""
    if "<locals>" not in cls.__qualname__:
        return {}
    frame: Any = sys._getframe(1)
    while frame and frame.f_globals.get("__name__") != cls.__module__:
        frame = frame.f_back
    return dict(frame.f_locals) if frame else {}


def slots_of(base: Any) -> dict[str, Slot]:
    """The slots of a base class, by name."""
    return dict(getattr(base, "slots", {}))


def check_names(cls: type, base: type, slots: Mapping[str, Slot]) -> None:
    """Raise PipelineError for an attribute with a name that *base* needs."""
    for name in slots:
        if name in RESERVED or hasattr(base, name):
            raise PipelineError(
                f"{cls.__name__}.{name}: every pipeline has an attribute {name!r}: give the member "
                "another name."
            )


def meta_of(cls: type) -> Iterator[tuple[str, Any]]:
    """The options in ``class Meta``, those of a base class first."""
    for one in reversed(cls.__mro__):
        found = vars(one).get("Meta")
        if found is None:
            continue
        for name, value in inspect.getmembers(found):
            if name.startswith("__"):
                continue
            if name not in META:
                hint = did_you_mean(name, META) or f" It may have: {', '.join(META)}."
                if name == "permanences":
                    hint = " The init() of a member makes it ready once in each process."
                raise PipelineError(f"{one.__name__}.Meta has no option {name!r}.{hint}")
            yield name, value
