"""``Targets.resolve``: from a target as the user wrote it to its parameter, in the script or in a
module of the script.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from unicodedata import normalize

from kohaku_ast.errors import AmbiguousTarget, KogineError, RefusedTarget, UnknownTarget, near
from kohaku_ast.transform.find.assignments import Site
from kohaku_ast.transform.find.bindings import (
    FUNCTIONS,
    Definition,
    classes_in,
    effective_definitions,
    find_definitions,
)
from kohaku_ast.transform.find.calls import is_field
from kohaku_ast.transform.find.fields import default_of, setting_of_call, setting_of_field
from kohaku_ast.transform.find.fillings import is_bound_to_literal, is_open, refilled_sites
from kohaku_ast.transform.find.loops import PREFIX, is_loop
from kohaku_ast.transform.find.modules import (
    LocalModule,
    Reach,
    import_names,
    is_import_call,
    library_module,
    places_of,
    reach,
    search_module,
    split_module,
)
from kohaku_ast.transform.find.options import find_options
from kohaku_ast.transform.find.parameters import Parameter, find_parameters, refused_parameter
from kohaku_ast.transform.find.paths import (
    Step,
    descend,
    dotted_name,
    is_closed,
    is_dunder,
    join_path,
    last_name,
    later_stores,
    nodes_of,
    split_default,
    split_path,
)
from kohaku_ast.transform.find.ranking import preferred
from kohaku_ast.transform.find.setting_types import setting_reading
from kohaku_ast.transform.find.source import Source, decode, read_bytes


class Targets:
    """The targets of one script."""

    def __init__(self, source: Source, parameters: Sequence[Parameter]) -> None:
        self.source = source
        self.parameters = {one.target: one for one in reversed(parameters)}
        self.by_last: dict[str, list[Parameter]] = {}
        for one in parameters:
            if not one.refused and last_name(one.target):
                self.by_last.setdefault(last_name(one.target), []).append(one)

    @cached_property
    def reach(self) -> Reach:
        """The modules that the script imports."""
        return reach(self.source)

    @cached_property
    def import_names(self) -> dict[str, str]:
        """The dotted name that each imported name of the script stands for."""
        return import_names(self.source.tree, self.source.package)

    def resolve(self, target: str) -> Parameter:
        """The parameter that *target* means.

        Raises UnknownTarget with near names, AmbiguousTarget with all that fit, or
        RefusedTarget with the reason.
        """
        found = self.parameters.get(target)
        if found is not None and not found.refused:
            return found
        if (as_python := normalize("NFKC", target)) != target:
            return self.resolve(as_python)  # Python's own form of a name; ASCII stays as it is
        if target.startswith("-"):
            return self.option(target)
        if is_loop(target):
            return self.loop(target)
        if split_default(target):
            return self.keyword(target)
        path = split_path(target)
        canonical = self.parameters.get(join_path(path))
        if canonical is not None and not canonical.refused:
            return canonical
        if len(path) == 1:
            return self.short(target, found)
        return self.below(target, path)

    def keyword(self, target: str) -> Parameter:
        """The keyword of a call in a function (``main.model.fit(epochs)`` for
        ``model.fit(epochs)``).
        """
        fitting = [
            one
            for one in self.parameters.values()
            if one.kind == "keyword" and one.target.endswith(f".{target}")
        ]
        listed = [one for one in fitting if one.is_setting] or fitting
        if len(listed) > 1:
            raise self.ambiguous(target, listed)
        if listed:
            return listed[0]
        raise self.unknown_target(target)

    def option(self, target: str) -> Parameter:
        """The option that has the flag *target*: ``-l`` of ``-l/--lr``."""
        for option in find_options(self.source.tree):
            if target in option.flags:
                found = self.parameters[option.target]
                return negated(found) if option.switches_off else found
        raise self.unknown_target(target)

    def loop(self, target: str) -> Parameter:
        """The bound of one loop; an error for a variable of several loops, or without a bound."""
        several = [one for one in self.parameters.values() if one.target.startswith(f"{target}[")]
        if several:
            raise self.ambiguous(target, several)
        variable = self.parameters.get(target.removeprefix(PREFIX).strip())
        if variable is not None and variable.refused:
            raise RefusedTarget(
                f"{self.file}:{variable.line}: cannot override {target!r}: the loop has no bound "
                f"that is a literal number, such as range(100){self.in_head(variable.line)}"
            )
        raise self.unknown_target(target)

    def in_head(self, line: int) -> str:
        """A hint at the settings from which the head of the loop at *line* makes its bound."""
        loops = [node for node in nodes_of(self.source.tree) if isinstance(node, ast.For)]
        heads = [node for one in loops if one.lineno == line for node in ast.walk(one.iter)]
        names = [node.id for node in heads if isinstance(node, ast.Name)]
        known = [repr(name) for name in names if name in self.parameters]
        return f". It is made from {', '.join(known)}" if known else ""

    def short(self, target: str, refused: Parameter | None) -> Parameter:
        """The one parameter whose last name is *target*."""
        fitting = preferred(self.by_last.get(target, []))
        if len(fitting) > 1:
            raise self.ambiguous(target, fitting)
        if fitting:
            return fitting[0]
        if refused is not None:
            raise self.refusal(refused)
        if is_dunder(target):
            raise RefusedTarget(
                f"{self.file}: cannot override {target!r}: names with two "
                "underscores on both sides belong to Python's own machinery"
            )
        raise self.unknown_target(target)

    def ambiguous(self, target: str, fitting: Sequence[Parameter]) -> AmbiguousTarget:
        """The error for a *target* that several parameters fit."""
        listed = "".join(f"\n  {one.target}  ({one.kind}, line {one.line})" for one in fitting)
        return AmbiguousTarget(
            f"{self.file}: {target!r} fits several parameters; write one of them in full:{listed}"
        )

    def refusal(self, parameter: Parameter) -> RefusedTarget:
        """The error for a parameter that cannot be overridden."""
        return RefusedTarget(
            f"{self.file}:{parameter.line}: cannot override {parameter.target!r}: "
            f"{parameter.refused}{self.bound_of(parameter.target)}"
        )

    def bound_of(self, name: str) -> str:
        """A hint for a loop variable *name* whose loop has a bound."""
        loops = [f"{PREFIX}{name}", f"{PREFIX}{name}[0]"]
        found = next((one for one in loops if one in self.parameters), "")
        return f". The bound of its loop is the target {found!r}" if found else ""

    def below(self, target: str, path: tuple[Step, ...]) -> Parameter:
        """The parameter of a path below a name, from the longest part of the path that is a
        parameter.
        """
        full = join_path(path)  # ``cfg["lr"]`` and ``cfg.lr`` are one target
        for length in range(len(path) - 1, 0, -1):
            owner = self.parameters.get(join_path(path[:length]))
            if owner is None:
                continue
            if owner.refused:
                raise self.refusal(owner)
            found = self.setting(full, owner, path[length:])
            found = found or self.in_text(full, owner, path[length:])
            if found is not None:
                return found
            if owner.definitions:
                self.refuse_without_value(full, owner, path[length:])
                return self.at_run_time(full, owner, path[length:])
            if all(map(is_closed, owner.values)):
                break
        raise self.unknown_target(target)

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """The classes of the script."""
        return classes_in(self.source.tree)

    def setting(self, target: str, owner: Parameter, rest: tuple[Step, ...]) -> Parameter | None:
        """The setting of the object that a field makes, or the call of a class with fields."""
        find = setting_of_field if owner.kind == "class attribute" else setting_of_call
        found = [find(value, rest, self.classes) for value in owner.values]
        made = [one for one in found if one is not None]
        if not made or len(made) < len(found):
            return None
        first = made[0]
        path = next((one.path for one in made if one.path), ())
        sites = tuple(site for one in made for site in one.sites)
        shown = first.default
        return replace(
            owner, target=target, kind="entry", definitions=(), sites=sites, path=path,
            default=self.source.segment(shown) if shown is not None else "",
            line=sites[0].line, also=tuple(site.line for site in sites[1:]),
            values=() if shown is None else (shown,),
            reading=("below",) if path else setting_reading(shown, first.annotation, self.classes),
        )  # fmt: skip

    def refuse_without_value(self, target: str, owner: Parameter, rest: tuple[Step, ...]) -> None:
        """Raise RefusedTarget if no object is made where the name stands: a field that has to be
        given, or an annotation alone.
        """
        definitions = owner.definitions
        empty = [one for one in definitions if one.form == "declared"]
        if owner.kind == "class attribute":
            empty += [one for one in definitions if one.value and not default_of(one.value)[0]]
        if not empty:
            return
        name = dotted_name(empty[0].annotation)
        inner = f"{name}.{join_path(rest)}"
        ways = [repr(inner)] if inner in self.parameters else []
        ways.append(f"{owner.target!r} as a whole")
        raise RefusedTarget(
            f"{self.file}:{empty[0].line}: cannot override {target!r}: {owner.target!r} has no "
            f"value here. Override {' or '.join(ways)}."
        )

    def in_text(self, target: str, owner: Parameter, rest: tuple[Step, ...]) -> Parameter | None:
        """The entry, if the text of the owner's values shows it; else None."""
        if owner.kind == "class attribute" and any(map(is_field, owner.values)):
            return None
        values = [inner for value in owner.values for inner in descend(value, rest)]
        if not values:
            return None
        return replace(
            owner, target=target, kind="entry", also=(), values=tuple(values), definitions=(),
            default=self.source.segment(values[0]), line=values[0].lineno,
            reading=setting_reading(values[0], None, {}),
            sites=tuple(Site(value, "replace", "{}", value.lineno) for value in values),
        )  # fmt: skip

    def at_run_time(self, target: str, owner: Parameter, rest: tuple[Step, ...]) -> Parameter:
        """The parameter of a path that only the running script can follow; closed literals have
        none.
        """
        tree = self.source.tree
        open_ones = [one for one in owner.definitions if is_open(tree, one)]
        if not open_ones or any(one.form in ("def", "class") for one in open_ones):
            self.refuse_inner(target, open_ones, rest)
            raise self.unknown_target(target)
        for one in open_ones:
            self.refuse_unreadable(target, owner, one)
        in_class = owner.kind == "class attribute"
        first = open_ones[0]
        later = later_stores(tree, (first.name, *rest), first.line)
        sites = [site for one in open_ones for site in refilled_sites(tree, one, in_class)]
        return replace(
            owner, target=target, kind="entry", default="", reading=("below",), definitions=(),
            line=open_ones[0].line, also=tuple(one.line for one in open_ones[1:]), values=(),
            sites=tuple(sites), path=rest, later=later,
        )  # fmt: skip

    def refuse_inner(self, target: str, owners: list[Definition], rest: tuple[Step, ...]) -> None:
        """Raise RefusedTarget if a class or function binds the name in a way that cannot be
        replaced.
        """
        scopes = [one.node for one in owners if isinstance(one.node, (*FUNCTIONS, ast.ClassDef))]
        for scope in scopes:
            found = [one for one in find_definitions(scope) if (one.name,) == rest]
            if found and (is_dunder(found[0].name) or not effective_definitions(found)):
                raise self.refusal(refused_parameter(target, found))

    def refuse_unreadable(self, target: str, owner: Parameter, one: Definition) -> None:
        """Raise RefusedTarget if only the running script knows the keys of a literal, or if no
        statement can stand after the definition.
        """
        reason = ""
        if isinstance(one.node, ast.If) and self.source.segment(one.node).startswith("elif"):
            reason = "it is bound in the condition of an elif"
        elif isinstance(one.value, ast.DictComp):
            reason = "its keys are made by a comprehension"
        elif isinstance(one.value, ast.Dict) and not all(
            key is None or isinstance(key, ast.Constant) for key in one.value.keys
        ):
            reason = "its keys are not literals"
        if reason:
            raise RefusedTarget(
                f"{self.file}:{one.line}: cannot override {target!r}: {reason}. "
                f"Override {owner.target!r} as a whole."
            )

    def unknown_target(self, target: str) -> UnknownTarget:
        """The error for a target that the script lacks, with similar ones."""
        names = [one.target for one in self.parameters.values() if not one.refused]
        found = near(target, names)
        for last in near(last_name_or(target), list(self.by_last)):
            found += [one.target for one in self.by_last[last] if one.target not in found]
        hints = [f"{name!r} (line {self.parameters[name].line})" for name in found[:3]]
        hint = (
            f" Did you mean {' or '.join(hints)}?"
            if hints
            else (
                f" 'kogine run --inspect {self.file}' lists what can be overridden;"
                " --add sets a name that the script does not define."
            )
        )
        return UnknownTarget(f"{self.file}: no parameter {target!r}.{hint}")

    @property
    def file(self) -> str:
        """The script's name, for messages."""
        return self.source.filename.replace("\\", "/").rpartition("/")[2]

    def shortest(self, parameter: Parameter) -> str:
        """The shortest target that means *parameter* alone."""
        last = last_name(parameter.target)
        fitting = preferred(self.by_last.get(last, []))
        has_global = last in self.parameters and not self.parameters[last].refused
        if last.isidentifier() and fitting == [parameter] and not has_global:
            return last
        return parameter.target


def negated(parameter: Parameter) -> Parameter:
    """The same parameter by the flag that switches it off: ``--no-cache=yes`` is ``cache=no``."""
    sites = (
        replace(one, template=_NOT) if one.template == "{}" else one for one in parameter.sites
    )
    return replace(parameter, reading=("bool",), sites=tuple(sites))


_NOT = "(not {})"


def is_negated(parameter: Parameter) -> bool:
    """Whether ``negated`` has made it. A config must not use it: the value would be read as that of
    the attribute, in another sense.
    """
    return any(one.template == _NOT for one in parameter.sites)


def last_name_or(target: str) -> str:
    """The last name of *target*, or all of it."""
    return last_name(target) or target


_FIRST = re.compile(r"[^.(\[]+")


def module_parameter(source: Source, targets: Targets, target: str) -> Parameter | None:
    """The parameter *target* of a module; None if it is in none.

    Raises AmbiguousTarget if the script itself has *target* too, in a class of the module's name.
    """
    match = _FIRST.match(target)
    if match is None or "." not in target or target.startswith("-"):
        return None
    own = targets.parameters.get(match[0])
    is_own = own is not None and not _is_module(own)
    is_missing = match[0] in targets.reach.missing_tops and _may_be_module(own, target, targets)
    if is_own and not is_missing and search_module(source.folder, match[0]) is None:
        return None
    found = split_module(target, targets.reach.modules, targets.import_names)
    if found is None:
        return None if is_own and not is_missing else _unlisted(targets, target, match[0])
    module, inner = found
    if not is_own:
        return in_module(target, module, inner)
    assert own is not None
    return _own_or_module(targets, target, own, in_module(target, module, inner))


def _is_module(own: Parameter) -> bool:
    """Whether the name of *own* is bound by an import, or by a call that imports."""
    return any(one.form == "import" or is_import_call(one.value) for one in own.definitions)


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
    if first in names:
        target = f"{names[first]}{target[len(first) :]}"
        library = _longest(folder, target, library_module)
        if library is not None:
            module, inner = library
            return in_module(target, module, inner) if _has(module.path, inner) else None
    elif found.may_import_by_name:
        named = _longest(folder, target, search_module)
        if named is not None and not os.path.samefile(named[0].path, targets.source.filename):
            return in_module(target, *named)
    return _late(targets, target, first)


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
    if own is not None and not found.path_changes:
        raise RefusedTarget(
            f"{targets.file}:{own.line}: cannot override {target!r}: {first!r} is a module that is "
            "imported by a computed name. Write the name of the module itself: configs.base.lr"
        )
    is_computed = found.computed and found.path_changes
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
    """The parameter *inner* of *module*, which the module's own Program resolves."""
    return Parameter(
        target=f"{module.name}.{inner}",
        kind="module",
        default="",
        reading=("any",),
        line=0,
        module=(module.name, module.path, inner),
    )
