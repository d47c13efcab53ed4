"""Which targets belong to a module that the script imports."""

from __future__ import annotations

import re

from kohaku_ast.errors import AmbiguousTarget, KogineError
from kohaku_ast.transform.modules import LocalModule, find_module, split_module
from kohaku_ast.transform.parameters import Parameter, find_parameters
from kohaku_ast.transform.resolve import Targets
from kohaku_ast.transform.source import Source, decode, read_bytes

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
    found = split_module(target, targets.modules, targets.import_names)
    if found is None:
        return None
    module, inner = found
    if not is_own:
        return in_module(target, module, inner)
    assert own is not None
    return _own_or_module(targets, target, own, in_module(target, module, inner))


def _own_or_module(
    targets: Targets, target: str, own: Parameter, other: Parameter
) -> Parameter | None:
    """Of a class and a module of one name, the one that has the *target*; None for the class."""
    assert other.module is not None
    name, path, inner = other.module
    if not _has(path, inner):
        return None
    if target not in targets.parameters:
        return other
    raise AmbiguousTarget(
        f"{targets.file}: {target!r} is in both {own.target!r} (line {own.line}) and the module "
        f"{name!r} ({path}): import the module under another name"
    )


def _has(path: str, target: str) -> bool:
    """Whether the module at *path* has a parameter *target*."""
    try:
        source = decode(read_bytes(path), path)
        Targets(source, find_parameters(source)).resolve(target)
    except (KogineError, SyntaxError):
        return False
    return True


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
