"""Overrides in the modules that a script imports: rewritten as they are imported.

On the warm path of runs that override something in a module.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType


class OverridingFinder:
    """Finds modules as Python does, and gives some of them other code.

    Only ``get_code`` of the module's own loader is replaced: its spec, its class, its cached
    path and what ``inspect`` sees are what they always are. Nothing is written as bytecode.
    """

    def __init__(self, codes: Mapping[str, tuple[str, CodeType]]) -> None:
        """*codes*: module name -> its file and the code to run for it."""
        self.codes = dict(codes)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of *name*, for every import and reload; None for other modules."""
        if name not in self.codes:
            return None
        file, code = self.codes[name]
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin is None or not _is_same(spec.origin, file):
            return None  # another module of that name comes first: the override stays unused
        spec.loader.get_code = _give(code)  # type: ignore[union-attr]
        return spec


def _give(code: CodeType) -> Callable[[str], CodeType]:
    return lambda fullname: code


def _is_same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def install(codes: Mapping[str, tuple[str, CodeType]]) -> OverridingFinder:
    """Put a finder before all others; ``sys.meta_path.remove`` takes it away."""
    finder = OverridingFinder(codes)
    sys.meta_path.insert(0, finder)
    return finder
