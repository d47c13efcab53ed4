"""What a live class or module of the user's is made of."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

from kohaku_ast.pipeline.caching.code_reads import find_names
from kohaku_ast.pipeline.caching.parts import Maybe, Part, Settled, Watch
from kohaku_ast.user_code import is_local_name, is_stdlib

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_IN_CLASSES = {
    "__slots__", "__match_args__", "__dataclass_params__", "__attrs_attrs__", "__pydantic_fields__",
    "__dataclass_fields__",
}  # fmt: skip
"""Names with two underscores whose plain values say what a class does; the others are Python's,
if they are no functions."""


def class_parts(cls: type, watch: Watch) -> Iterator[Part]:
    """Bases, metaclass, annotated names and attributes, methods among them."""
    yield "class", f"{cls.__module__}.{cls.__qualname__}"
    for number, base in enumerate((type(cls), *cls.__bases__)):
        yield f"base {number} {base.__name__}", base
    yield from _annotated(cls)
    if _reads_docstring(cls):
        yield "__doc__", cls.__doc__
    members = _members(cls)
    for name, member in members.items():
        yield name, member.value
    found = vars(cls)
    watch.sizes.append((found, len(found)))
    for name in sorted(found):
        if name not in members and not (members and name in _OF_ENUMS):
            watch.names.append((found, name, found[name]))
            yield from _attribute(name, found[name])


def _members(cls: type) -> MappingProxyType[str, Any] | dict[str, Any]:
    import enum

    return cls.__members__ if issubclass(cls, enum.Enum) else {}


def _reads_docstring(cls: type) -> bool:
    """Whether the docstring is more than a remark: a method, or a library, may ask for it."""
    others = (type(cls), *cls.__bases__)
    if any(not is_local_name(one.__module__) and not is_stdlib(one.__module__) for one in others):
        return True
    functions = [one for one in vars(cls).values() if isinstance(one, FunctionType)]
    return any("__doc__" in find_names(one.__code__) for one in functions)


def subclasses_of(cls: type) -> tuple[type, ...]:
    """The direct subclasses that are alive, in the order in which they were made."""
    return tuple(type.__subclasses__(cls))


def subclass_parts(cls: Any, watch: Watch) -> Iterator[Part]:
    """The subclasses, for code that asks for them; none of what is no class."""
    if not isinstance(cls, type):
        return
    for number, found in enumerate(watch.ask(functools.partial(subclasses_of, cls))):
        yield f"subclass {number} {found.__name__}", found


def _annotated(cls: type) -> Iterator[Part]:
    """Names and types in the order of the class: a dataclass makes its arguments of them."""
    try:
        found = vars(cls).get("__annotations__", {})
    except Exception:  # a lazy annotation that raises
        return
    if isinstance(found, dict):
        yield "annotated", tuple((name, _type_text(hint)) for name, hint in found.items())
        for name, hint in found.items():
            if hasattr(hint, "__metadata__"):  # Annotated[int, validator]
                yield f"annotated {name}", Maybe(hint.__metadata__)


def _type_text(hint: object) -> str:
    return hint.__qualname__ if isinstance(hint, type) else _ADDRESS.sub("", str(hint))


def _attribute(name: str, value: Any) -> Iterator[Part]:
    """The parts of one attribute of a class; none for what Python put there."""
    if isinstance(value, (staticmethod, classmethod)):
        yield f"{name} ({type(value).__name__})", value.__func__
    elif isinstance(value, property):
        for kind in ("fget", "fset", "fdel"):
            yield f"{name}.{kind}", getattr(value, kind)
    elif name in _IN_CLASSES:
        yield name, Settled(value)
    elif isinstance(value, FunctionType):
        yield name, value
    elif name.startswith("__") and name.endswith("__"):
        if (callable(value) or hasattr(type(value), "__get__")) and name not in _OF_CLASSES:
            yield name, Maybe(value)
    elif name != "_abc_impl" and type(value).__name__ not in _DESCRIPTORS:
        yield name, value


_OF_CLASSES = {
    "__class__", "__annotate__", "__annotate_func__", "__weakref__", "__dict__",
    "__text_signature__",
}  # fmt: skip
_OF_ENUMS = {
    "_member_names_", "_member_map_", "_member_type_", "_value2member_map_", "_hashable_values_",
    "_unhashable_values_", "_unhashable_values_map_", "_new_member_", "_use_args_", "_value_repr_",
}  # fmt: skip
_DESCRIPTORS = {
    "member_descriptor", "getset_descriptor", "method_descriptor", "classmethod_descriptor",
    "wrapper_descriptor",
}  # fmt: skip


def module_parts(module: ModuleType, watch: Watch) -> Iterator[Part]:
    """All that a module holds: of one that is passed around it is not known what is read."""
    yield "module", module.__name__
    yield from namespace_parts(vars(module), watch)


def namespace_parts(found: dict[str, Any], watch: Watch) -> Iterator[Part]:
    """All that the dict of a module holds, less what Python put there."""
    watch.sizes.append((MappingProxyType(found), len(found)))
    for name in sorted(found):
        if name not in _OF_MODULES:
            yield name, watch.read(found, name)


_OF_MODULES = {
    "__name__", "__doc__", "__package__", "__loader__", "__spec__", "__file__", "__cached__",
    "__builtins__", "__path__", "__annotations__", "__warningregistry__", "__annotate__",
    "__conditional_annotations__",
}  # fmt: skip
