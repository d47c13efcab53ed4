"""The parts of the user's functions, classes and modules: all that their results depend on.

State of this process: what never changes about a code object (``_code_facts``). To read and
parse its source takes a hundred times longer than to look up what its names mean now.
"""

from __future__ import annotations

import abc
import builtins
import functools
import importlib
import re
import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

from kohaku_ast.cache.change_detector import (
    MISSING,
    ChangeDetector,
    OptionalPart,
    Part,
    ReadOnce,
    cell_content,
)
from kohaku_ast.cache.code_text import (
    Chain,
    CodeImport,
    code_parts,
    find_blobs,
    find_chains,
    find_file,
    find_imports,
    find_names,
    find_texts,
    module_text,
    parents,
    targets,
    text_of,
)
from kohaku_ast.cache.library_changes import registered_with
from kohaku_ast.user_code import (
    distribution_version,
    held_by,
    home_of,
    is_a,
    is_library_class,
    is_library_function,
    is_local_function,
    is_local_module,
    is_local_name,
    is_stdlib,
    library_label,
)

_DESCRIBING = ("__kogine_parts__", "cache_identity")
"""Methods that return the parts of an object: of our nodes, and of the user's objects."""


def is_followed(thing: Any) -> bool:
    """Whether *thing* counts by its parts: the user's functions, classes and modules, nodes, and
    objects that a library makes for the user, such as a function around the user's, or a class.
    """
    if is_a(thing, FunctionType):
        return not is_library_function(thing)
    if is_a(thing, type):
        return not is_library_class(thing)
    if is_a(thing, ModuleType):
        return is_local_module(thing)
    return any(callable(getattr(type(thing), name, None)) for name in _DESCRIBING)


def parts_of(thing: Any, detector: ChangeDetector) -> Iterator[Part]:
    """The parts of a thing that :func:`is_followed`; *detector* watches where they were found."""
    if isinstance(thing, FunctionType) and not is_local_function(thing):
        yield from library_function_parts(thing, detector)
    elif isinstance(thing, FunctionType):
        yield from function_parts(thing, detector)
    elif isinstance(thing, type):
        yield from class_parts(thing, detector)
    elif isinstance(thing, ModuleType):
        yield from module_parts(thing, detector)
    elif hasattr(type(thing), "__kogine_parts__"):
        yield from thing.__kogine_parts__()
    else:
        kind = type(thing)
        yield "type", kind if is_followed(kind) else f"{kind.__module__}.{kind.__qualname__}"
        yield from _flat(detector.ask(thing.cache_identity), "")


def _flat(parts: tuple[Any, ...], label: str) -> Iterator[Part]:
    """The parts of what ``cache_identity`` returns: values, functions, nodes and tuples of them. A
    pair of text and bytes is a name for ``explain_cache`` and the digest of the thing so named.
    """
    for number, part in enumerate(parts):
        if isinstance(part, tuple) and [type(one) for one in part] == [str, bytes]:
            yield part
        elif isinstance(part, tuple):
            yield f"{label}{number}.length", len(part)
            yield from _flat(part, f"{label}{number}.")
        else:
            yield f"{label}{number}", part


_FROM_USERS = (
    FunctionType, MethodType, type, str, int, float, bool, bytes, tuple, list, dict, set, frozenset,
)  # fmt: skip


@dataclass(frozen=True)
class _Facts:
    """The facts about a code object that never change."""

    text: object
    chains: tuple[Chain, ...]
    imports: tuple[CodeImport, ...]
    #: Every global's or attribute's name, and every text and bytes, in the code.
    names: frozenset[str]
    texts: tuple[str, ...]
    blobs: frozenset[bytes]


def function_parts(
    function: FunctionType, detector: ChangeDetector, defaults: bool = True
) -> Iterator[Part]:
    """Text, closure and globals, and, unless the caller handles them itself, *defaults*."""
    facts = _facts_of(function)
    _watch(function, detector)
    detector.with_subclasses |= "__subclasses__" in facts.names
    detector.reads.names |= facts.names
    detector.reads.texts.update(facts.texts)
    detector.reads.blobs |= facts.blobs
    yield "code", facts.text
    found = list(_defaults(function, detector))
    yield from found if defaults else ()
    yield from _attributes(function, detector)
    for label, part in _read_parts(function, facts, detector):
        yield label, part
        if "__doc__" in facts.names and isinstance(part, (FunctionType, type, ModuleType)):
            yield f"{label}.__doc__", part.__doc__


def _read_parts(function: FunctionType, facts: _Facts, detector: ChangeDetector) -> Iterator[Part]:
    for name, value in _closure(function, detector):
        yield f"closure {name}", value
    for chain in facts.chains:
        yield from chain_parts(chain, function.__globals__, detector)
    yield from import_parts(facts.imports, function.__globals__, detector)
    yield from lookup_parts(facts.names, facts.texts, facts.chains, function.__globals__, detector)


def library_function_parts(function: FunctionType, detector: ChangeDetector) -> Iterator[Part]:
    """Name and version, and those values of its closure and defaults that may be the user's."""
    module = function.__globals__.get("__name__", "")
    _watch(function, detector)
    yield "library", library_label(module, function.__code__.co_name)
    held = [*_closure(function, detector), *_defaults(function, detector)]
    for name, value in held:
        if not is_a(value, _FROM_USERS) and not is_local_name(home_of(type(value))):
            continue
        if type(value) in (list, dict):  # the registry of functools.singledispatch
            detector.ask(functools.partial(_content, value))
        for label, one in _items(f"closure {name}", value):
            yield label, OptionalPart(one)
        if is_a(value, FunctionType) and not is_stdlib(module):
            yield f"closure {name}.__doc__", value.__doc__  # a library may use it as text


def _items(label: str, value: Any) -> Iterator[Part]:
    """*value*, or each item of it, so that one without a fingerprint does not hide the others."""
    if type(value) in (tuple, list):
        yield f"{label} holds", len(value)
        for number, one in enumerate(value):
            yield f"{label}[{number}]", one
    elif type(value) is dict:
        yield f"{label} holds", len(value)
        for number, pair in enumerate(value.items()):
            yield f"{label}[{number}]", pair
    else:
        yield label, value


def _content(value: Any) -> Any:
    """What the list or dict *value* holds now."""
    return tuple(value) if type(value) is list else (*value, *value.values())


#: By the ``id`` of the code object, as long as it lives: its source is read and parsed once.
_code_facts: dict[int, tuple[weakref.ref[CodeType], _Facts]] = {}


def _facts_of(function: FunctionType) -> _Facts:
    code = function.__code__
    cached = _code_facts.get(id(code))
    if cached is not None and cached[0]() is code:
        return cached[1]
    text: object = text_of(function)
    if text is None:
        text = code_parts(code)
    facts = _Facts(
        text, find_chains(code), find_imports(code), find_names(code), find_texts(code),
        find_blobs(code),
    )  # fmt: skip
    key = id(code)
    _code_facts[key] = (weakref.ref(code, lambda _: _code_facts.pop(key, None) and None), facts)
    return facts


def _watch(function: FunctionType, detector: ChangeDetector) -> None:
    held = function.__code__, function.__defaults__, function.__kwdefaults__
    detector.functions.append((function, *held))


def _closure(function: FunctionType, detector: ChangeDetector) -> Iterator[Part]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        value = cell_content(cell)
        detector.cells.append((cell, value))
        yield name, value


def _defaults(function: FunctionType, detector: ChangeDetector) -> Iterator[Part]:
    code = function.__code__
    values = function.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(values) : code.co_argcount]
    for name, value in zip(names, values):
        yield f"default {name}", value
    for name in sorted(function.__kwdefaults__ or {}):
        yield f"default {name}", detector.read(function.__kwdefaults__, name)


def _attributes(function: FunctionType, detector: ChangeDetector) -> Iterator[Part]:
    """Attributes of the function itself: ``f.scale = 2`` may be read from a list of functions."""
    found = vars(function)
    detector.sizes.append((found, len(found)))
    for name in sorted(found):
        yield f"attribute {name}", OptionalPart(detector.read(found, name))


_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_IN_CLASSES = {
    "__slots__", "__match_args__", "__dataclass_params__", "__attrs_attrs__", "__pydantic_fields__",
    "__dataclass_fields__", "__optional_keys__",
}  # fmt: skip
"""Names with two underscores whose plain values change what a class does. Other names with two
underscores are Python's, unless they are functions."""


def class_parts(cls: type, detector: ChangeDetector) -> Iterator[Part]:
    """Bases, metaclass, annotated names and attributes, methods among them."""
    yield "class", f"{cls.__module__}.{cls.__qualname__}"
    for number, base in enumerate((type(cls), *cls.__bases__)):
        yield f"base {number} {base.__name__}", base
    yield from _annotated(cls, detector)
    if _reads_docstring(cls):
        yield "__doc__", cls.__doc__
    members = _members(cls)
    for name, member in members.items():
        yield name, member.value
    found = vars(cls)
    detector.sizes.append((found, len(found)))
    if "_abc_impl" in found and detector.ask(abc.get_cache_token) is not None:
        registered = _registered(cls)
        if registered:
            yield "registered", registered
    for name in sorted(found):
        if name not in members and not (members and name in _OF_ENUMS):
            detector.names.append((found, name, found[name]))
            yield from _attribute_parts(name, found[name])


def _registered(cls: type) -> tuple[str, ...]:
    """The classes that were registered with the abstract class *cls* or a subclass."""
    found = set(registered_with(cls)) if "_abc_impl" in vars(cls) else set()
    return tuple(sorted(found.union(*map(_registered, subclasses_of(cls)))))


def _members(cls: type) -> MappingProxyType[str, Any] | dict[str, Any]:
    import enum

    return cls.__members__ if issubclass(cls, enum.Enum) else {}


def _reads_docstring(cls: type) -> bool:
    """Whether a method or a library may read the docstring, so that it counts."""
    others = (type(cls), *cls.__bases__)
    if any(not is_local_name(one.__module__) and not is_stdlib(one.__module__) for one in others):
        return True
    functions = [one for one in vars(cls).values() if isinstance(one, FunctionType)]
    return any("__doc__" in find_names(one.__code__) for one in functions)


def subclasses_of(cls: type) -> tuple[type, ...]:
    """The direct subclasses that are alive, in the order of their definitions."""
    return tuple(type.__subclasses__(cls))


def subclass_parts(cls: Any, detector: ChangeDetector) -> Iterator[Part]:
    """The subclasses of a class, for code that uses them; nothing if *cls* is no class."""
    if not isinstance(cls, type):
        return
    for number, found in enumerate(detector.ask(functools.partial(subclasses_of, cls))):
        yield f"subclass {number} {found.__name__}", found


def _annotated(cls: type, detector: ChangeDetector) -> Iterator[Part]:
    """Names and types in the order of the class: they are the arguments of a dataclass."""
    try:
        found = vars(cls).get("__annotations__", {})
    except Exception:  # a lazy annotation that raises
        return
    if isinstance(found, dict):
        yield "annotated", detector.ask(functools.partial(_annotation_texts, found))
        for name, hint in found.items():
            if hasattr(hint, "__metadata__"):  # Annotated[int, validator]
                yield f"annotated {name}", OptionalPart(hint.__metadata__)


def _annotation_texts(found: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _type_text(hint)) for name, hint in found.items())


def _type_text(hint: object) -> str:
    return hint.__qualname__ if isinstance(hint, type) else _ADDRESS.sub("", str(hint))


def _attribute_parts(name: str, value: Any) -> Iterator[Part]:
    """The parts of one attribute of a class; none for attributes that Python sets."""
    if isinstance(value, (staticmethod, classmethod)):
        yield f"{name} ({type(value).__name__})", value.__func__
    elif isinstance(value, property):
        for kind in ("fget", "fset", "fdel"):
            yield f"{name}.{kind}", getattr(value, kind)
    elif name in _IN_CLASSES:
        yield name, ReadOnce(value)
    elif isinstance(value, FunctionType):
        yield name, value
    elif name.startswith("__") and name.endswith("__"):
        if (callable(value) or hasattr(type(value), "__get__")) and name not in _OF_CLASSES:
            yield name, OptionalPart(value)
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


def module_parts(module: ModuleType, detector: ChangeDetector) -> Iterator[Part]:
    """All globals of a module that is passed as a value: it is not known which are read."""
    yield "module", module.__name__
    if is_followed(type(module)):  # it has properties
        yield "class", type(module)
    yield from namespace_parts(vars(module), detector)


def namespace_parts(found: dict[str, Any], detector: ChangeDetector) -> Iterator[Part]:
    """All globals in the dict of a module, except those that Python sets."""
    detector.sizes.append((MappingProxyType(found), len(found)))
    for name in sorted(found):
        if name not in _OF_MODULES:
            yield name, detector.read(found, name)


_OF_MODULES = {
    "__name__", "__doc__", "__package__", "__loader__", "__spec__", "__file__", "__cached__",
    "__builtins__", "__path__", "__annotations__", "__warningregistry__", "__annotate__",
    "__conditional_annotations__",
}  # fmt: skip

_BY_NAME = {"globals", "eval", "exec", "__import__", "import_module", "modules"}
"""Code that reads one of these names (``sys.modules``) may read anything that has a name."""
_IMPORTS_BY_NAME = {
    "__import__", "import_module", "resolve_name", "locate", "run_module", "run_path",
}  # fmt: skip
"""Code that reads one of these may read a module that other code names, its caller's."""


def chain_parts(
    chain: Chain, namespace: dict[str, Any], detector: ChangeDetector
) -> Iterator[Part]:
    """The object that *chain* leads to, followed through the user's modules only."""
    value = detector.read(namespace, chain[0])
    if value is MISSING and chain[0] in vars(builtins):
        value = detector.read(vars(builtins), chain[0])
        if not _is_of_user(value) and type(value) not in (int, float, str, bool, tuple):
            return  # Python's version is in every key
    if value is sys.modules:  # its content changes with every import
        detector.reads.note_function(value)
        return
    taken = 1
    while is_a(value, ModuleType) and taken < len(chain) and is_local_module(value):
        value = _module_attribute(value, chain[taken], detector)
        taken += 1
    yield ".".join(chain[:taken]), value
    if taken < len(chain) and is_a(value, (ModuleType, FunctionType)):
        detector.reads.note_function(held_by(value).get(chain[taken]))
        yield from _user_attribute(value, chain, taken, detector)
    elif value is importlib or value is builtins:  # for ``getattr``
        detector.reads.takes_modules = detector.reads.takes_names = True


def _module_attribute(module: ModuleType, name: str, detector: ChangeDetector) -> Any:
    found = detector.read(vars(module), name)
    if found is MISSING and ("__getattr__" in vars(module) or type(module) is not ModuleType):
        found = detector.ask(functools.partial(_lazy, module, name))
    return found


def _lazy(module: ModuleType, name: str) -> Any:
    """An attribute that the module's ``__getattr__`` computes, or MISSING."""
    try:
        return getattr(module, name)
    except Exception:  # whatever the user's __getattr__ raises is raised again when the node runs
        return MISSING


def _user_attribute(
    owner: Any, chain: Chain, taken: int, detector: ChangeDetector
) -> Iterator[Part]:
    """An object that the user has set in a library's module or on a function."""
    if chain[taken] not in held_by(owner):
        return
    value = detector.read(held_by(owner), chain[taken])
    if is_a(owner, FunctionType) or _is_of_user(value):
        yield ".".join(chain[: taken + 1]), value


def _is_of_user(value: Any) -> bool:
    if is_a(value, FunctionType):
        return is_local_function(value)
    return is_a(value, type) and is_local_name(home_of(value))


def import_parts(
    imports: tuple[CodeImport, ...], namespace: dict[str, Any], detector: ChangeDetector
) -> Iterator[Part]:
    """The modules that import statements inside a function load: the user's by their text, if they
    are not loaded yet, else by their globals; libraries by their version.
    """
    package = namespace.get("__package__") or ""
    for one in imports:
        names = targets(one, package)
        for name in parents(names):
            is_read = not one.names  # ``import a.b`` gives ``a``
            yield from named_module_parts(name, detector, is_live=is_read)
        for name in names:
            yield from named_module_parts(name, detector)


def named_module_parts(name: str, detector: ChangeDetector, is_live: bool = True) -> Iterator[Part]:
    """A module by its text, its globals or its version."""
    text = detector.ask(functools.partial(module_text, name))
    detector.reads.modules.add(name)
    if text is not None:
        yield f"import {name}", text
    elif is_live and name in sys.modules and is_local_module(sys.modules[name]):
        yield f"import {name}", sys.modules[name]
    elif "." not in name and find_file(name) is None:
        yield f"import {name}", distribution_version(name)


def lookup_parts(
    names: frozenset[str],
    texts: tuple[str, ...],
    chains: tuple[Chain, ...],
    namespace: dict[str, Any],
    detector: ChangeDetector,
) -> Iterator[Part]:
    """For code that looks objects up by a computed name: all globals of the function's module, and
    the user's modules whose names are in the code.
    """
    if names & _IMPORTS_BY_NAME:
        detector.reads.takes_modules = True
    if not _takes_by_name(names, chains):
        return
    for label, part in namespace_parts(namespace, detector):
        yield label, OptionalPart(part)
    for text in texts:
        if all(part.isidentifier() for part in text.split(".")) and find_file(text):
            yield from named_module_parts(text, detector)


def _takes_by_name(names: frozenset[str], chains: tuple[Chain, ...]) -> bool:
    found = names & _BY_NAME
    if found == {"modules"}:  # mostly an attribute of another object
        return any(chain[-2:] == ("sys", "modules") or chain == ("modules",) for chain in chains)
    return bool(found)
