"""What the content of functions, classes and modules is: names, if they are installed; else
what they do, without their places in a file.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any

_OF_THE_PLACE = {
    "__dict__", "__weakref__", "__module__", "__doc__", "__firstlineno__", "__annotations_cache__",
    "__static_attributes__", "_abc_impl",
}  # fmt: skip
_CODE = (
    "co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_flags", "co_code", "co_names",
    "co_varnames", "co_freevars", "co_cellvars", "co_consts",
)  # fmt: skip


def of_function(function: FunctionType) -> Iterator[object]:
    """What decides what it does; the globals that it reads too."""
    if _is_installed(function):
        yield from (function.__module__, function.__qualname__)
        return
    yield function.__code__
    yield function.__defaults__
    yield function.__kwdefaults__
    yield [_content(cell) for cell in function.__closure__ or ()]
    known = function.__globals__
    yield {name: known[name] for name in sorted(_names(function.__code__)) if name in known}
    yield dict(function.__dict__)
    yield _annotations(function)


def of_code(code: CodeType) -> Iterator[object]:
    """Everything but file and lines."""
    for name in _CODE:
        yield getattr(code, name)
    yield getattr(code, "co_exceptiontable", b"")


def of_class(kind: type) -> Iterator[object]:
    """Its bases and what its body made."""
    yield kind.__qualname__
    if _is_installed(kind):
        yield kind.__module__
        return
    yield from (type(kind), kind.__bases__)
    slots = (MemberDescriptorType, GetSetDescriptorType)
    for name, value in sorted(vars(kind).items()):
        if name not in _OF_THE_PLACE and not isinstance(value, slots):
            yield from (name, value)


def of_module(module: ModuleType) -> Iterator[object]:
    """Its name, and its text if it is not installed."""
    yield module.__name__
    file = getattr(module, "__file__", None)
    if file and not _is_library(module):
        yield Path(file).read_bytes()


def of_global(found: Any, name: str) -> Iterator[object]:
    """What pickle would only name; raises TypeError if nothing is found under the name."""
    yield name
    module = _module_of(found, name)
    if hasattr(found, "__wrapped__") and not (module and _is_library(module)):
        yield dict(vars(found))  # functools.lru_cache
    elif module:
        yield module.__name__
    else:
        raise TypeError(f"{name}: known by its name only")


def _is_installed(found: Any) -> bool:
    """Whether its module and name say all: no user edits it between two runs."""
    module = _module_of(found, found.__qualname__)
    return module is not None and _is_library(module)


def _module_of(found: Any, name: str) -> ModuleType | None:
    """The imported module in which *found* has this *name*."""
    # numpy.add says no module itself, but its type does.
    module = sys.modules.get(getattr(found, "__module__", None) or type(found).__module__)
    if module is None or module.__name__ == "__main__":
        return None
    place: object = module
    for step in name.split("."):
        place = getattr(place, step, None)
    return module if place is found else None


def _is_library(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    top = module.__name__.partition(".")[0]
    if file is None and top != module.__name__ and top in sys.modules:
        return _is_library(sys.modules[top])  # part of an extension
    if file is None:
        return top in sys.stdlib_module_names  # built in; else somebody has made it up
    parts = Path(file).parts
    return "site-packages" in parts or "dist-packages" in parts or file.startswith(_INSTALLED)


# Not sys.base_prefix: projects lie below /usr, too.
_INSTALLED = tuple(
    os.path.join(one, "")
    for one in (*map(sysconfig.get_path, ("stdlib", "platstdlib")), str(Path(__file__).parents[1]))
)


def _annotations(function: FunctionType) -> dict[str, object]:
    """What some libraries read to know what to pass."""
    try:
        return dict(function.__annotations__)
    except Exception:  # on 3.14 they are evaluated now
        return {}


def _names(code: CodeType) -> set[str]:
    inner = [_names(one) for one in code.co_consts if isinstance(one, CodeType)]
    return set(code.co_names).union(*inner)


def _content(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return "<empty cell>"
