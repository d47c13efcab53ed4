"""``module_parameter``: from a target to its parameter in a module that the script imports."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from kohaku_ast.errors import AmbiguousTarget, KogineError, RefusedTarget, UnknownTarget, near
from kohaku_ast.transform.find.by_path import is_run, run_files
from kohaku_ast.transform.find.fillings import is_bound_to_literal
from kohaku_ast.transform.find.modules import (
    LocalModule,
    compiled_module,
    is_import_call,
    library_module,
    module_names,
    places_of,
    search_module,
    split_module,
)
from kohaku_ast.transform.find.parameters import Parameter, find_parameters
from kohaku_ast.transform.find.paths import join_path, split_default, split_path
from kohaku_ast.transform.find.source import Source, decode, read_bytes
from kohaku_ast.transform.find.targets import Targets

_FIRST = re.compile(r"[^.(\[]+")


def module_parameter(source: Source, targets: Targets, target: str) -> Parameter | None:
    """The parameter *target* of a module; None if it is in none.

    Raises AmbiguousTarget if the script itself has *target* too, in a class of the module's name.
    """
    match = _FIRST.match(target)
    if match and match[0] in targets.run_names and "(" not in target:
        target = join_path(split_path(target))  # hp["lr"]
    if match is None or "." not in target or target.startswith("-"):
        return None
    own = targets.parameters.get(match[0])
    if _is_written(targets, target, own):
        return None  # the script writes it there itself: that line would win over the module's
    renamed = _stored_by_another_name(targets, target)
    if renamed is not None:
        return renamed
    is_own = own is not None and not is_module(own)
    may_be_module = _may_be_module(own, target, targets)
    run = targets.run_names.get(match[0])
    no_file = is_own and run is None and search_module(source.folder, match[0]) is None
    if no_file and not may_be_module:
        return None  # before all files are read that the script imports: they may be thousands
    located = _located(targets, target, match[0])
    if located is not None and may_be_module:
        return located
    is_missing = match[0] in targets.reach.missing_tops and may_be_module
    if no_file and not is_missing:
        return None
    found = split_module(target, targets.reach.modules, targets.import_names)
    if found is None:
        is_listed = is_own and not is_missing and run != ""
        return None if is_listed else _unlisted(targets, target, match[0])
    module, inner = _innermost(source.folder, *found)
    if not is_own:
        return in_module(target, module, inner)
    assert own is not None
    return _own_or_module(targets, target, own, in_module(target, module, inner))


def with_modules(error: UnknownTarget, targets: Targets, target: str) -> UnknownTarget:
    """*error* for *target*, or one that names the modules that define it, of those that the script
    itself imports: behind a library on PYTHONPATH there may be thousands.
    """
    text = targets.source
    is_name = target.isidentifier() or target.startswith("--")
    names = {*module_names(text.tree, text.package)} if is_name else ()
    found = [search_module(text.folder, name) for name in sorted(names)]
    found += [LocalModule(one.name, one.path) for one in run_files(text, text.folder) if one.path]
    named = [f"{one.name}.{target}" for one in found if one and _has(one.path, target)]
    hint = f"a module defines it. Did you mean {' or '.join(map(repr, named[:3]))}?"
    if not named:
        return error
    return UnknownTarget(f"{targets.file}: no parameter {target!r}: {hint}").with_near(named[:3])


def _is_written(targets: Targets, target: str, own: Parameter | None) -> bool:
    """Whether *target*, below the name *own*, is what the script stores into an object or gives
    to a call, in a function as well: ``hp.fit(epochs=5)`` of a module ``hp``.
    """
    may_be_module = own is not None and is_module(own)
    if parts := split_default(target):
        call = f".{parts[0]}({parts[1]})"
        return may_be_module and any(
            one.kind == "keyword" and f".{one.target}".endswith(call)
            for one in targets.parameters.values()
        )
    one = targets.parameters.get(join_path(split_path(target)))
    kinds = ("stored", "keyword", "entry") if may_be_module else ("stored",)
    return one is not None and one.kind in kinds and not one.refused


def _stored_by_another_name(targets: Targets, target: str) -> Parameter | None:
    """What the script stores under the name by which it has imported an object of a module:
    ``C.epochs`` for ``config.C.epochs``, after ``from config import C``.
    """
    for name, full in targets.import_names.items() if "(" not in target else ():
        if full != name and target.startswith(f"{full}."):
            path = split_path(f"{name}{target[len(full) :]}")
            stored = targets.parameters.get(join_path(path))
            if stored is not None and stored.kind == "stored" and not stored.refused:
                return stored
    return None


def is_module(own: Parameter) -> bool:
    """Whether the name of *own* is bound by an import, or by a call that imports or runs a file."""
    return any(
        one.form == "import" or is_import_call(one.value) or is_run(one.value)
        for one in own.definitions
    )


def _located(targets: Targets, target: str, first: str) -> Parameter | None:
    """The parameter of a module that the script loads by its path, under this name: it gets its
    value when that file is executed, wherever it is.
    """
    full = _spelled_out(targets, target, first)
    if not any(full.startswith(f"{name}.") for name in targets.reach.located):
        return None
    top = full.partition(".")[0]
    return in_module(full, LocalModule(top, ""), full[len(top) + 1 :])


def _spelled_out(targets: Targets, target: str, first: str) -> str:
    """*target* with the full name of the module that the script calls *first*."""
    return f"{targets.import_names.get(first, first)}{target[len(first) :]}"


def _innermost(folder: str, module: LocalModule, inner: str) -> tuple[LocalModule, str]:
    """The module that *inner* starts with and that the text does not lead to, and the target in it:
    whoever imports it, such as the ``__getattr__`` of its package, it is loaded from that file.
    """
    if not module.is_package or _has(module.path, inner, module.name, folder):
        return module, inner
    longer = _longest(folder, f"{module.name}.{inner}", search_module)
    return longer if longer is not None else (module, inner)


def _may_be_module(own: Parameter | None, target: str, targets: Targets) -> bool:
    """Whether *own*, a name of the script, may be a module that a function or helper imports."""
    if own is None or not own.definitions or target in targets.parameters:
        return own is None
    return all(
        one.form not in ("def", "class") and not is_bound_to_literal(one) for one in own.definitions
    )


def _unlisted(targets: Targets, target: str, first: str) -> Parameter | None:
    """The parameter of a module that the text does not lead to: of a library, of a module that is
    imported by a computed name, or of one that only the running script can find.
    """
    names, folder, found = targets.import_names, targets.source.folder, targets.reach
    if first in names or first not in targets.parameters:
        _refuse_compiled(folder, _spelled_out(targets, target, first))
    if first in names:
        target = _spelled_out(targets, target, first)
        library = _longest(folder, target, library_module)
        if library is not None:
            module, inner = library
            return in_module(target, module, inner) if _has(module.path, inner) else None
    if first in names or found.may_import_by_name or targets.run_names:
        named = _longest(folder, target, search_module)
        if named is not None and not os.path.samefile(named[0].path, targets.source.filename):
            return in_module(target, *named)
    return _late(targets, target, first)


def _refuse_compiled(folder: str, target: str) -> None:
    """Raise RefusedTarget if *target* is in a module that is only there as bytecode."""
    compiled = _longest(folder, target, compiled_module)
    if compiled is not None:
        module = compiled[0]
        raise RefusedTarget(
            f"cannot override anything in the module {module.name!r}: {module.path} is compiled "
            "and has no text"
        )


def _late(targets: Targets, target: str, first: str) -> Parameter | None:
    """The parameter of a module that is looked for when the script imports it; None if the script
    imports no such module, or if its file is known and has no text.
    """
    found, top = targets.reach, target.partition(".")[0]
    late = in_module(target, LocalModule(top, ""), target[len(top) + 1 :])
    if top in found.missing_tops:
        return late
    if first in targets.import_names:
        places = places_of(targets.source.folder, top)
        return late if any(map(os.path.isfile, places)) else None  # in an archive
    own = targets.parameters.get(first)
    is_run_file = targets.run_names.get(first) == ""
    if own is not None and (is_run_file or not found.path_changes):
        what = (
            "what a file of a computed path leaves"
            if is_run_file
            else ("a module that is imported by a computed name")
        )
        raise RefusedTarget(
            f"{targets.place(own.line)}: cannot override {target!r}: {first!r} is {what}. "
            "Write the name of the module itself: configs.base.lr"
        )
    is_computed = (found.computed and found.path_changes) or (found.by_path and own is None)
    return late if is_computed and (own or not near(target, list(targets.parameters))) else None


def _longest(
    folder: str, target: str, find: Callable[[str, str], LocalModule | None]
) -> tuple[LocalModule, str] | None:
    """The module with the longest name that *target* starts with, and the target in it."""
    parts = target.split(".")
    for length in range(len(parts) - 1, 0, -1):
        if all(map(str.isidentifier, parts[:length])):
            module = find(folder, ".".join(parts[:length]))
            if module is not None:
                return module, ".".join(parts[length:])
    return None


def _own_or_module(
    targets: Targets, target: str, own: Parameter, other: Parameter
) -> Parameter | None:
    """*other*, the parameter of a module that has the name of the class *own*; None if only the
    class has the *target*.
    """
    assert other.module is not None
    name, path, inner = other.module
    if not _has(path, inner):
        return None
    if target not in targets.parameters:
        return other
    raise AmbiguousTarget(
        f"{targets.file}: {target!r} is in both {own.target!r} ({targets.line_words(own.line)}) "
        f"and the module {name!r} ({path}): import the module under another name"
    )


def _has(path: str, target: str, package: str = "", folder: str = "") -> bool:
    """Whether the module at *path* has a parameter *target*."""
    try:
        source = decode(read_bytes(path), path, folder, package)
        Targets(source, find_parameters(source)).resolve(target)
    except (KogineError, SyntaxError):
        return False
    return True


def in_module(target: str, module: LocalModule, inner: str) -> Parameter:
    """The parameter *inner* of *module*, which the module's own Program resolves."""
    return Parameter(
        target=f"{module.name}.{inner}",
        kind="module",
        default="",
        reading=("any",),
        line=0,
        module=(module.name, module.path, inner),
    )
