"""A ``__main__`` that is what plain Python would have made.

On the warm path. Everything that the end of a script needs is bound here at import: by then
there may be no working folder, no ``sys.path`` and no modules.
"""

from __future__ import annotations

import builtins
import sys

# Not from importlib.machinery and types: these load five modules, 0.5 ms of every start.
from _frozen_importlib import BuiltinImporter
from _frozen_importlib_external import SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from kohaku_ast.runner.launch import Launch

_ORDER = (
    "__name__", "__doc__", "__package__", "__loader__", "__spec__", "__annotations__",
    "__builtins__", "__file__", "__cached__",
)  # fmt: skip


def new_main(launch: Launch) -> ModuleType:
    """An empty ``__main__`` with the names, in the order, that Python gives it."""
    module = type(sys)("__main__")
    values: dict[str, object] = {
        "__name__": "__main__",
        "__doc__": None,
        "__package__": None,
        "__loader__": SourceFileLoader("__main__", launch.filename),
        "__spec__": None,
        "__annotations__": {},
        "__builtins__": builtins,
        "__file__": launch.filename,
        "__cached__": None,
    }
    if not launch.from_file:
        values["__loader__"] = BuiltinImporter
    if not launch.has_file:
        del values["__file__"], values["__cached__"]
    module.__dict__.clear()
    module.__dict__.update((name, values[name]) for name in _names() if name in values)
    return module


def _names() -> list[str]:
    """The names that this version of Python gives to ``__main__``, in its order."""
    real = [name for name in vars(sys.modules["__main__"]) if name in _ORDER]
    return real if real[-1:] == ["__cached__"] else list(_ORDER)
