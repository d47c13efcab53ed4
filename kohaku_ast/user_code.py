"""Which code is the user's own and which a library's, the version of a library; and, at the edge of
the Python API, tracebacks of the user's own code.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache, wraps
from types import (
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    ModuleType,
    TracebackType,
)
from typing import Any, TypeVar

from kohaku_ast.frames import hidden, is_ours

T = TypeVar("T")

_OURS = os.path.dirname(os.path.abspath(__file__))
_PYTHON = (os.path.dirname(os.__file__), os.path.dirname(os.path.realpath(os.__file__)))
_LIBRARIES = tuple(folder + os.sep for folder in (_OURS, *_PYTHON))
_MADE_BY_PYTHON = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_IS_GENERATOR = 1 << 5  # inspect.CO_GENERATOR


@lru_cache(maxsize=4096)
def is_local_file(path: str) -> bool:
    """Whether *path* is neither the standard library nor an installed package.

    Code without a file (``<stdin>``, a cell of a notebook) is the user's own; so is a package in an
    editable install.
    """
    if path.startswith("<frozen"):
        return False
    parts = path.replace("\\", "/").split("/")
    if "site-packages" in parts or "dist-packages" in parts:
        return False
    return not path.startswith(_LIBRARIES)


def is_local_function(function: FunctionType) -> bool:
    """Whether the user wrote *function*."""
    if not is_local_file(function.__code__.co_filename):
        return False
    # Generated code (`<string>`) belongs to the module that made it.
    return not function.__code__.co_filename.startswith("<") or is_local_name(
        function.__module__ or "__main__"
    )


def is_library_function(function: FunctionType) -> bool:
    """Whether name and version identify *function*: its library has it under that name. A wrapper
    that a library makes around a user's function is none.
    """
    return not is_local_function(function) and is_defined_by_library(function)


def is_library_class(cls: type) -> bool:
    """The same for a class. A class that a library made at run time is none."""
    if is_local_name(home_of(cls)):
        return False
    return not is_made_by_python(cls) or is_defined_by_library(cls)


def is_defined_by_library(thing: Any) -> bool:
    """Whether a library has *thing* under its own name."""
    module = sys.modules.get(home_of(thing))
    if module is None or is_local_module(module):
        return False
    found: Any = module
    for part in name_of(thing).split("."):
        held = held_by(found)
        found = held[part] if part in held else asked(found, part)
    return found is thing


def asked(owner: object, name: str) -> Any:
    """What *owner* answers for *name*; None if it raises, whatever that is."""
    try:
        return getattr(owner, name, None)
    except Exception:
        return None


_CLASSES = vars(type)


def held_by(value: object) -> dict[str, Any]:
    """The attributes that *value* itself has. No code of its class runs: an object that a library
    makes lazily may raise anything, or import modules, when somebody asks it for an attribute.
    """
    for cls in _CLASSES["__mro__"].__get__(type(value)):
        own = _CLASSES["__dict__"].__get__(cls).get("__dict__")
        if own is not None:
            is_pythons = type(own) in (GetSetDescriptorType, MemberDescriptorType)
            found = own.__get__(value) if is_pythons else None
            return found if type(found) is dict else {}
    return {}


def attribute(value: object, name: str) -> Any:
    """An attribute of *value* or its class, as it is stored; None if there is none."""
    held = held_by(value)
    if name in held:
        return held[name]
    classes = map(_CLASSES["__dict__"].__get__, _CLASSES["__mro__"].__get__(type(value)))
    return next((names[name] for names in classes if name in names), None)


def is_a(value: object, kinds: type | tuple[type, ...]) -> bool:
    """As ``isinstance``, which asks lazy objects for their ``__class__``."""
    return issubclass(type(value), kinds)


def home_of(thing: Any) -> str:
    """The module of a class or function, by its name; empty if it has none."""
    found = _CLASSES["__module__"].__get__(thing) if is_a(thing, type) else thing.__module__
    return found if type(found) is str else ""


def is_local_name(name: str) -> bool:
    """Whether the loaded module *name* is the user's own."""
    module = sys.modules.get(name)
    return module is None or is_local_module(module)


def is_local_module(module: ModuleType) -> bool:
    """Whether the user wrote *module*: a file, a folder, a notebook, the prompt."""
    name = str(attribute(module, "__name__") or "")
    if name in sys.builtin_module_names:
        return False
    path = attribute(module, "__file__")
    if isinstance(path, str):
        return is_local_file(path)
    spec = attribute(module, "__spec__")
    if spec is not None and attribute(spec, "origin") in ("built-in", "frozen"):
        return False
    folders = _folders(module)
    if folders:
        return all(is_local_file(os.path.join(folder, "x.py")) for folder in folders)
    if "__builtins__" in held_by(module):  # Python code ran in it: a notebook, the prompt, exec
        return True
    if spec is not None or name.startswith("_cython_"):  # Cython's types are in there
        return False
    # ModuleType("settings") was called by the library that has a package of the name, or the user.
    package = sys.modules.get(name.partition(".")[0])
    return package is None or package is module or is_local_module(package)


def _folders(module: object) -> list[str]:
    found = attribute(module, "__path__")
    try:
        return [one for one in found or () if isinstance(one, str)]
    except Exception:  # anything can stand in sys.modules
        return []


def name_of(thing: Any) -> str:
    """The qualified name of a class or function."""
    is_class = is_a(thing, type)
    return str(_CLASSES["__qualname__"].__get__(thing) if is_class else thing.__qualname__)


def is_made_by_python(cls: type) -> bool:
    """Whether a ``class`` statement, not C, made *cls*: its attributes can be set."""
    return bool(_CLASSES["__flags__"].__get__(cls) & _MADE_BY_PYTHON)


def is_stdlib(module: str) -> bool:
    """Whether the module *module* comes with Python."""
    return module.partition(".")[0] in sys.stdlib_module_names


def library_label(module: str, name: str = "") -> str:
    """What identifies an object of a library: its name and the version of the distribution. For a
    compiled module of the user's own, it is the digest of the file.
    """
    return f"{module}.{name} {_version(module)}"


@lru_cache(maxsize=4096)
def _version(module: str) -> str:
    loaded = sys.modules.get(module)
    path = attribute(loaded, "__file__")
    if isinstance(path, str) and is_local_file(path) and not path.endswith(".py"):
        from hashlib import blake2b  # it loads OpenSSL

        with open(path, "rb") as file:
            return blake2b(file.read(), digest_size=16).hexdigest()
    return distribution_version(module.partition(".")[0])


@lru_cache(maxsize=1024)
def distribution_version(package: str) -> str:
    """The version of the top-level package *package*, loaded or not. It is empty for the standard
    library, since Python's version is in every key.
    """
    if is_stdlib(package):
        return ""
    return _installed().get(_normalized(package)) or _version_by_metadata(package)


@lru_cache(maxsize=1)
def _installed() -> dict[str, str]:
    """Distribution -> version, by the names of folders: 0.1 ms, importlib.metadata takes 40."""
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for name in names:
            stem, kind = os.path.splitext(name)
            if kind in (".dist-info", ".egg-info"):
                distribution, _, version = stem.partition("-")
                found.setdefault(_normalized(distribution), version)
    return found


def _normalized(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def _version_by_metadata(package: str) -> str:
    """The versions of the distributions that contain *package* but have another name."""
    from importlib import metadata

    names = metadata.packages_distributions().get(package, ())
    versions = [f"{name} {metadata.version(name)}" for name in sorted(set(names))]
    found = attribute(sys.modules.get(package), "__version__")
    return ", ".join(versions) or (found if isinstance(found, str) else "")


_OPERATIONS = (
    "__init__", "__call__", "__iter__", "__next__", "__len__", "__or__", "__ror__", "__mul__",
    "__add__",
)  # fmt: skip


def public(thing: T) -> T:
    """*thing*, a function of the Python API, or a class with its methods: an exception that leaves
    it shows the user's own lines, and no frame of ours (Python 3.10 shows one).

    What no mistake of the user's has caused keeps its whole traceback.
    """
    found: Any = thing
    if not isinstance(found, type):
        return _at_the_edge(found)  # type: ignore[no-any-return]
    for name, one in list(vars(found).items()):
        if name in _OPERATIONS or not name.startswith("_"):
            if isinstance(one, FunctionType):
                setattr(found, name, _at_the_edge(one))
            elif isinstance(one, (classmethod, staticmethod)):
                setattr(found, name, type(one)(_at_the_edge(one.__func__)))
    return thing


def _at_the_edge(function: Any) -> Any:
    @hidden
    @wraps(function)
    def edge(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            show_users_frames(error)
            raise error  # a bare one brings all frames back

    if not function.__code__.co_flags & _IS_GENERATOR:
        return edge
    return wraps(function)(lambda *args, **kwargs: shown_items(function(*args, **kwargs)))


def shown_items(generator: T) -> T:
    """The items of *generator*, which is public as a function is."""
    found: Any = _Items(generator)
    return found  # type: ignore[no-any-return]


def show_users_frames(error: BaseException) -> None:
    """Take our frames, and those of libraries that we have called, out of the tracebacks of *error*
    and of the exceptions that led to it.
    """
    is_expected = isinstance(error, (SyntaxError, KeyboardInterrupt)) or (
        type(error).__module__.startswith("kohaku_ast.")
    )
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        found.__traceback__ = _users_trace(found.__traceback__, is_expected)
        found = found.__cause__ or found.__context__


def _users_trace(trace: TracebackType | None, is_expected: bool) -> TracebackType | None:
    *above, last = _between_ours(trace)
    # Without a frame of the user's below ours, it was raised by us or by a library that we called.
    if not above or not (is_expected or _is_of_user(last)):
        return trace
    left = [one for part in (*above, last) if _is_of_user(part) for one in part]
    for one, following in zip(left, [*left[1:], None]):
        one.tb_next = following
    return left[0] if left else None


def _between_ours(trace: TracebackType | None) -> list[list[TracebackType]]:
    """The parts of *trace* above, between and below our frames."""
    parts: list[list[TracebackType]] = [[]]
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(_LIBRARIES[0]) or (file[:1] == "<" and is_ours(trace.tb_frame)):
            parts.append([])
        else:
            parts[-1].append(trace)
        trace = trace.tb_next
    return parts


def _is_of_user(part: list[TracebackType]) -> bool:
    return any(is_local_file(one.tb_frame.f_code.co_filename) for one in part)


@public
class _Items:
    """The items of a generator of ours."""

    def __init__(self, items: Any) -> None:
        self._items = items

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return next(self._items)

    def send(self, value: object) -> Any:
        """As of a generator."""
        return self._items.send(value)

    def close(self) -> None:
        """As of a generator."""
        self._items.close()
