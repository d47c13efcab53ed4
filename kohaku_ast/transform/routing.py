"""Which targets belong to a module that the script imports."""

from __future__ import annotations

import re

from kohaku_ast.errors import AmbiguousTarget
from kohaku_ast.transform.modules import (
    LocalModule,
    find_module,
    import_names,
    imported_modules,
    split_module,
)
from kohaku_ast.transform.parameters import Parameter
from kohaku_ast.transform.resolve import Targets
from kohaku_ast.transform.source import Source

_FIRST = re.compile(r"[^.(\[]+")


def module_parameter(source: Source, targets: Targets, target: str) -> Parameter | None:
    """The parameter *target* if it lies in a local module, else None.

    Raises AmbiguousTarget if the script itself has something else of the module's name.
    """
    match = _FIRST.match(target)
    if match is None or "." not in target or target.startswith("-"):
        return None
    own = targets.parameters.get(match[0])
    is_own = own is not None and not any(one.form == "import" for one in own.definitions)
    if is_own and find_module(source.folder, match[0]) is None:
        return None
    names = import_names(source.tree, source.package)
    found = split_module(target, imported_modules(source), names)
    if found is None:
        return None
    module, inner = found
    if is_own:
        assert own is not None
        raise AmbiguousTarget(
            f"{targets.file}: {target!r} could be in both {own.target!r} (line {own.line}) and the "
            f"module {module.name!r} ({module.path}): import the module under another name"
        )
    return in_module(target, module, inner)


def in_module(target: str, module: LocalModule, inner: str) -> Parameter:
    """A parameter that the module's own Program resolves."""
    return Parameter(
        target=f"{module.name}.{inner}",
        kind="module",
        default="",
        reading=("any",),
        line=0,
        module=(module.name, module.path, inner),
    )
