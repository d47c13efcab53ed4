"""What a live class or module of the user's is made of."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

from kohaku_ast.pipeline.caching.parts import Part, Settled, Watch

_IN_CLASSES = {
    "__slots__", "__match_args__", "__dataclass_params__", "__attrs_attrs__", "__pydantic_fields__",
    "__dataclass_fields__",
}  # fmt: skip
"""Names with two underscores whose plain values say what a class does; the others are Python's."""


def class_parts(cls: type, watch: Watch) -> Iterator[Part]:
    """Bases, metaclass, annotated names and attributes, methods among them."""
    import enum

    yield "class", f"{cls.__module__}.{cls.__qualname__}"
    for base in (type(cls), *cls.__bases__):
        yield f"base {base.__name__}", base
    yield "annotated", _annotated(cls)
    found = vars(cls)
    watch.sizes.append((found, len(found)))
    members = cls.__members__ if issubclass(cls, enum.Enum) else {}
    for name, member in members.items():
        yield name, member.value
    for name in sorted(found):
        value = found[name]
        for label, part in () if name in members else _attribute(name, value):
            watch.names.append((found, name, value))
            yield label, part


def _annotated(cls: type) -> tuple[tuple[str, str], ...]:
    """Names and types in the order of the class: a dataclass makes its arguments of them."""
    try:
        found = vars(cls).get("__annotations__", {})
    except Exception:  # a lazy annotation that raises
        return ()
    if not isinstance(found, dict):
        return ()
    return tuple((name, _type_text(hint)) for name, hint in found.items())


def _type_text(hint: object) -> str:
    return hint.__qualname__ if isinstance(hint, type) else str(hint)


def _attribute(name: str, value: Any) -> Iterator[Part]:
    """The parts of one attribute of a class; none for what Python put there."""
    if isinstance(value, (staticmethod, classmethod)):
        yield name, value.__func__
    elif isinstance(value, property):
        for kind in ("fget", "fset", "fdel"):
            yield f"{name}.{kind}", getattr(value, kind)
    elif name in _IN_CLASSES:
        yield name, Settled(value)
    elif isinstance(value, FunctionType) or not _is_of_python(name, value):
        yield name, value


def _is_of_python(name: str, value: object) -> bool:
    return name.startswith(_OF_PYTHON) or type(value).__name__ in _DESCRIPTORS


_OF_PYTHON = ("__", "_abc_impl", "_member_", "_value2member_", "_unhashable_")
_DESCRIPTORS = ("member_descriptor", "getset_descriptor")


def module_parts(module: ModuleType, watch: Watch) -> Iterator[Part]:
    """All that a module holds: of one that is passed around it is not known what is read."""
    yield "module", module.__name__
    found = vars(module)
    watch.sizes.append((MappingProxyType(found), len(found)))
    for name in sorted(found):
        if not (name.startswith("__") and name.endswith("__")):
            watch.names.append((found, name, found[name]))
            yield name, found[name]
