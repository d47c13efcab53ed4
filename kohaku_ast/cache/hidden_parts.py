"""Parts that no name in the code leads to: modules by their names as text, what the user has put
into libraries, classes inside pickles, codecs, docstrings and annotations that code reads.
"""

from __future__ import annotations

import functools
import io
import linecache
import pickle
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from kohaku_ast.cache.change_detector import ChangeDetector, OptionalPart, Part
from kohaku_ast.cache.code_dependencies import named_module_parts, namespace_parts
from kohaku_ast.cache.code_text import find_file
from kohaku_ast.cache.library_changes import library_changes
from kohaku_ast.user_code import asked, home_of, is_a, is_local_function, is_local_name

HiddenPart = tuple[str, Callable[[], Iterator[Part]]]
"""A label, and the call that gives the parts: each label is asked once."""


def hidden_parts(followed: list[Any], detector: ChangeDetector) -> Iterator[HiddenPart]:
    """The hidden parts of all that a search has followed so far."""
    reads = detector.reads
    if reads.takes_names:
        yield from _namespaces(followed, detector)
    if reads.takes_modules:
        yield from _named_modules(detector)
    if reads.names & _READS_PICKLES:
        for blob in reads.blobs:
            yield from _pickled(blob)
    if reads.names & _READS_CODECS:
        yield from _codecs(reads.texts, detector)
    for thing in followed:
        # Dataclasses and readers of configs make objects of the classes in annotations.
        if is_a(thing, type) or (is_a(thing, FunctionType) and bool(reads.names & _TYPES)):
            yield f"hints of {id(thing)}", functools.partial(_hinted_parts, thing, detector)
        described = _described(thing, reads.names)
        if described:
            yield (
                f"description of {id(thing)}",
                functools.partial(_description, described, detector),
            )
    yield from _changes(detector)


def _namespaces(followed: list[Any], detector: ChangeDetector) -> Iterator[HiddenPart]:
    """All globals of the functions: code looks names up with ``eval`` or ``globals``."""
    for thing in followed:
        if isinstance(thing, FunctionType) and is_local_function(thing):
            found = thing.__globals__
            yield f"globals {id(found)}", functools.partial(_optional, found, detector)


def _optional(found: dict[str, Any], detector: ChangeDetector) -> Iterator[Part]:
    name = found.get("__name__")
    for label, part in namespace_parts(found, detector):
        yield f"{name}: {label}", OptionalPart(part)


def _named_modules(detector: ChangeDetector) -> Iterator[HiddenPart]:
    """The user's modules whose names are texts: ``"module"``, ``"module.f"``, ``"module:f"``."""
    for text in sorted(detector.reads.texts):
        name = text.partition(":")[0]
        while name and all(part.isidentifier() for part in name.split(".")):
            if find_file(name) or _is_made(name):
                if name not in detector.reads.modules:
                    yield name, functools.partial(named_module_parts, name, detector)
                break
            name = name.rpartition(".")[0]


def _is_made(name: str) -> bool:
    """Whether *name* is a module of the user's without a file."""
    return name in sys.modules and name != "__main__" and is_local_name(name)


_READS_PICKLES = {"loads", "load", "Unpickler"}
_PICKLE = re.compile(rb"\x80[\x00-\x05].*\.|[(c\]}].*\.", re.DOTALL)


def _pickled(blob: bytes) -> Iterator[HiddenPart]:
    for module, name in pickled_names(blob):
        found = _look_up(module, name)
        if found is not None:
            label = f"pickled {module}.{name}"
            yield label, functools.partial(_one, label, found)


def _one(label: str, part: Any) -> Iterator[Part]:
    yield label, part


def pickled_code(blob: bytes) -> list[Any]:
    """The functions and classes of the user's that the pickle *blob* names; none if it is no
    pickle.
    """
    found = [_look_up(*one) for one in pickled_names(blob)]
    return [one for one in found if one is not None]


def pickled_names(blob: bytes) -> list[tuple[str, str]]:
    """Module and name of all that *blob* refers to, if it is a pickle. Nothing of it runs."""
    if not _PICKLE.fullmatch(blob):
        return []
    reader = _Names(io.BytesIO(blob))
    try:
        reader.load()
    except Exception:  # it is no pickle, or one that stubs cannot build to its end
        pass
    return sorted(reader.names)


class _Stub:
    """Stands for any class or function: it can be called and filled as pickle does."""

    def __new__(cls, *args: Any, **kwargs: Any) -> _Stub:
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> _Stub:
        return self

    def __setstate__(self, state: Any) -> None: ...
    def __setitem__(self, key: Any, value: Any) -> None: ...
    def append(self, value: Any) -> None: ...
    def extend(self, values: Any) -> None: ...


class _Names(pickle.Unpickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, buffers=iter(lambda: b"", None))
        self.names: set[tuple[str, str]] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.names.add((module, name))
        return _Stub

    def persistent_load(self, pid: Any) -> Any:
        return _Stub()


def _look_up(module: str, name: str) -> Any:
    """The user's function or class; the loading of a module that is not loaded is left to the run,
    whose text counts then.
    """
    if not is_local_name(module) or find_file(module) is None:
        return None
    found: Any = sys.modules.get(module)
    if found is None:
        return _Unloaded(module)
    for part in name.split("."):
        found = asked(found, part)
    return found if is_a(found, (type, FunctionType, ModuleType)) else None


class _Unloaded:
    """A module of the user's that is not loaded: it counts by its text."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __kogine_fingerprint__(self) -> tuple[str, str | None]:
        from kohaku_ast.cache.code_text import module_text

        return self.name, module_text(self.name)


_READS_CODECS = {
    "encode", "decode", "open", "fdopen", "read_text", "write_text", "TextIOWrapper", "str",
    "bytes", "lookup", "lookup_error", "getencoder", "getdecoder", "getreader", "getwriter",
    "iterencode", "iterdecode", "EncodedFile", "reconfigure",
}  # fmt: skip
_CODEC = re.compile(r"[A-Za-z][\w.+-]{0,40}")


def _codecs(texts: set[str], detector: ChangeDetector) -> Iterator[HiddenPart]:
    """The user's codecs and handlers of errors whose names are texts"""
    for text in sorted(texts):
        if _CODEC.fullmatch(text) and not _is_of_python(text) and any(_codec(text)):
            yield f"codec {text}", functools.partial(_codec_parts, text, detector)


def _as_module(text: str) -> str:
    return text.lower().replace("-", "_")


def _is_of_python(text: str) -> bool:
    from encodings.aliases import aliases

    return _as_module(text) in aliases or _as_module(text) in aliases.values()


def _codec(text: str) -> tuple[Any, ...]:
    """The functions of the user's that make up a codec or a handler, or None in their places."""
    import codecs

    found: list[Any] = []
    try:
        info: Any = codecs.lookup(text)
        found += [info.encode, info.decode, info.incrementalencoder, info.incrementaldecoder]
        # A codec of Python's under a name of the user's.
        found += [info.name] if _as_module(info.name) != _as_module(text) else []
    except Exception:  # LookupError, and whatever a search function of the user's raises
        pass
    try:
        found.append(codecs.lookup_error(text))
    except LookupError:
        pass
    return tuple(one if is_a(one, str) or _is_own(one) else None for one in found)


def _is_own(one: Any) -> bool:
    if is_a(one, FunctionType):
        return is_local_function(one)
    owner = getattr(one, "__self__", one) if is_a(one, (MethodType, BuiltinFunctionType)) else one
    kind = one if is_a(one, type) else type(owner)
    return one is not None and is_local_name(home_of(kind))


def _codec_parts(text: str, detector: ChangeDetector) -> Iterator[Part]:
    for number, part in enumerate(detector.ask(functools.partial(_codec, text))):
        yield f"codec {text} {number}", part


_TYPES = {
    "__annotations__", "get_type_hints", "get_annotations", "signature", "getfullargspec",
    "__signature__", "__annotate__",
}  # fmt: skip


def _described(thing: Any, names: set[str]) -> Callable[[], tuple[str, ...]] | None:
    """A call for the docstring, the annotations, the source, the order of the attributes and the
    name of *thing*, for those that code reads.
    """
    if not is_a(thing, (FunctionType, type, ModuleType)):
        return None
    wanted = tuple(read for read, words in _DESCRIPTIONS if names & words)
    renamed = "__name__" in names and isinstance(thing, FunctionType) and _is_renamed(thing)
    if not (wanted or renamed):
        return None
    return functools.partial(_descriptions, thing, wanted, renamed)


def _is_renamed(function: FunctionType) -> bool:
    """Whether its name is neither that of its code nor, as ``functools.wraps`` makes it, that of
    another function that counts.
    """
    wrapped = function.__dict__.get("__wrapped__")
    return function.__name__ not in (function.__code__.co_name, asked(wrapped, "__name__"))


def _descriptions(
    thing: Any, wanted: tuple[Callable[[Any], Iterable[str]], ...], renamed: bool
) -> tuple[str, ...]:
    found = [text for read in wanted for text in read(thing)]
    return (*found, thing.__name__ if renamed else "")


def _docs(thing: Any) -> Iterator[str]:
    yield str(asked(thing, "__doc__"))


def _types(thing: Any) -> Iterator[str]:
    for name, hint in _hints(thing).items():
        yield f"{name}: {_type_text(hint)}"


def _order(thing: Any) -> Iterable[str]:
    """Of a class; those that Python and libraries set later are left out."""
    return [name for name in vars(thing) if not name.startswith("_")] if is_a(thing, type) else ()


def _source(thing: Any) -> Iterator[str]:
    """All lines of its file, as ``inspect.getsource`` reads them."""
    code = thing.__code__ if is_a(thing, FunctionType) else None
    module = thing if is_a(thing, ModuleType) else sys.modules.get(home_of(thing))
    file = code.co_filename if code else str(asked(module, "__file__"))
    linecache.checkcache(file)
    yield from linecache.getlines(file)


_DESCRIPTIONS: list[tuple[Callable[[Any], Iterable[str]], set[str]]] = [
    (_docs, {"__doc__", "getdoc", "help"}),
    (_types, _TYPES),
    (_order, {"vars", "__dict__"}),
    (_source, {"getsource", "getsourcelines", "findsource", "getcomments"}),
]
"""What code may read of a function, class or module, and the names by which it does so."""


def _hints(thing: Any) -> dict[str, Any]:
    if not is_a(thing, FunctionType) and not _ANNOTATED.intersection(vars(thing)):
        return {}  # to ask a class for them would add an empty dict to it
    try:
        return dict(thing.__annotations__)
    except Exception:  # it has none, or a lazy one raises
        return {}


_ANNOTATED = {"__annotations__", "__annotate__", "__annotate_func__"}


def _hinted(thing: Any) -> tuple[Any, ...]:
    """The classes of the user's that the annotations of a class or function lead to, also as texts;
    other types that a text leads to are given as text.
    """
    found = asked(thing, "__globals__") or vars(sys.modules.get(home_of(thing), ModuleType("")))
    scope = dict(found)  # each name is followed once: an alias may contain itself
    hints = list(_hints(thing).values())
    if _FIELDS.intersection(vars(thing)):  # these have the classes
        hints = [one for one in hints if is_a(one, str) or "ForwardRef(" in str(one)]
    return tuple(dict.fromkeys(one for hint in hints for one in _led(hint, scope)))


_FIELDS = {"__dataclass_fields__", "__attrs_attrs__", "__pydantic_fields__"}


def _led(hint: Any, scope: dict[str, Any], is_text: bool = False) -> Iterator[Any]:
    text = hint if is_a(hint, str) else asked(hint, "__forward_arg__")
    if is_a(hint, type):
        if is_local_name(home_of(hint)):
            yield hint
        elif is_text:
            yield _type_text(hint)
    elif is_a(text, str):
        for first, *rest in (word.split(".") for word in _NAMES.findall(text)):
            found = functools.reduce(asked, rest, scope.pop(first, None))
            yield from () if is_a(found, str) else _led(found, scope, is_text=True)
    else:
        for one in asked(hint, "__args__") or ():
            yield from _led(one, scope, is_text)


_NAMES = re.compile(r"[^\W\d][\w.]*")


def _hinted_parts(thing: Any, detector: ChangeDetector) -> Iterator[Part]:
    if not (_hints(thing) and is_local_name(home_of(thing))):
        return
    for one in detector.ask(functools.partial(_hinted, thing)):
        yield f"hint {one}", OptionalPart(one)


def _type_text(hint: object) -> str:
    if isinstance(hint, type):
        return f"{hint.__module__}.{hint.__qualname__}"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", str(hint))


def _description(
    describe: Callable[[], tuple[str, ...]], detector: ChangeDetector
) -> Iterator[Part]:
    yield "described", detector.ask(describe)


def _changes(detector: ChangeDetector) -> Iterator[HiddenPart]:
    """What the user has put into libraries, as far as the code can reach it."""
    reads = detector.reads
    for change in detector.ask(library_changes):
        if change.is_reached(reads.names | reads.texts, reads.libraries):
            yield change.label, functools.partial(_change_part, change.label, change.read, detector)


def _change_part(label: str, read: Callable[[], Any], detector: ChangeDetector) -> Iterator[Part]:
    value = detector.ask(read)
    if type(value) is not tuple or value:
        yield label, OptionalPart(value)
