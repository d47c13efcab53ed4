"""What is said of overrides that no call uses: ``dead_notes`` of a script, ``module_notes`` of a
module, ``repeated_notes`` of keywords that later calls pass, too, and of stored values, and
``inherited_notes`` of attributes that derived classes set.

A module's own calls do not tell: the script, and other modules, call its functions too. So all
their texts are read as one, in which ``models.Net``, and ``N`` of ``import Net as N``, are ``Net``.
It takes some milliseconds a file, for runs that override a default of a module.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from kohaku_ast.errors import SourceError
from kohaku_ast.transform.find.callers import Callers
from kohaku_ast.transform.find.modules import import_names, reach, text_of
from kohaku_ast.transform.find.parameters import Parameter, find_parameters
from kohaku_ast.transform.find.paths import dotted_name, last_name, nodes_of
from kohaku_ast.transform.find.source import Source, decode


def dead_notes(
    source: Source, overridden: Sequence[Parameter], parameters: Sequence[Parameter]
) -> list[str]:
    """A sentence for each of the *overridden* defaults that no call uses. *parameters* are all of
    the script.
    """
    if not any(one.kind in ("default", "class attribute") for one in overridden):
        return []
    callers = Callers(source.tree)
    file = os.path.basename(source.filename)
    notes = []
    for one in overridden:
        passed = callers.arguments_instead(one)
        if passed:
            target = _target_of(passed, parameters)
            hint = f". Override {target!r}" if target else ""
            told = f"{_lines([node.lineno for node in passed])} of {file}"
            value = source.segment(passed[0])
            notes.append(_no_effect(one.target, passed, told, value) + hint)
    return notes


def _no_effect(target: str, passed: Sequence[ast.expr], told: str, value: str) -> str:
    """The sentence for the default *target*: the calls at *told* pass arguments, first *value*."""
    lines = {(getattr(one, "_kogine_file", ""), one.lineno) for one in passed}
    verb = "passes" if len(lines) == 1 else "pass"
    return f"override {target!r} had no effect: {told} {verb} {last_name(target)}={value}"


def repeated_notes(source: Source, overridden: Sequence[Parameter]) -> list[str]:
    """A sentence for each *overridden* keyword that later calls pass as well, and each value that
    another method of the class stores as well.
    """
    file = os.path.basename(source.filename)
    notes = []
    for one in overridden:
        if one.later and not one.path:
            several, alone = ("pass", "passes") if one.kind == "keyword" else ("store", "stores")
            verb = alone if len(one.later) == 1 else several
            notes.append(
                f"override {one.target!r} changed {source.line_words(one.line)} of {file} alone: "
                f"{_lines(one.later)} {verb} it, too"
            )
    return notes


def inherited_notes(
    source: Source, overridden: Sequence[Parameter], parameters: Sequence[Parameter]
) -> list[str]:
    """A sentence for each *overridden* attribute of a class that all classes in use derive from and
    set anew: ``class Sub(Base): n = 5`` where nothing but ``Sub`` is used.
    """
    named = [one for one in overridden if one.kind in ("class attribute", "stored")]
    if not named:
        return []
    bases = {one.name: one.bases for one in nodes_of(source.tree) if isinstance(one, ast.ClassDef)}
    in_use = _in_use(source.tree, bases)
    lines = {one.target: one.line for one in parameters}
    notes = []
    for one in named:
        owner, _, name = one.target.rpartition(".")
        chains = [chain for used in in_use if (chain := _below(used, owner, bases)) is not None]
        found = [
            [lines[full] for sub in chain if (full := f"{sub}.{name}") in lines] for chain in chains
        ]
        own = {f"{sub}.{name}" for chain in chains for sub in chain}
        if found and all(found) and not own & {other.target for other in overridden}:
            numbers = sorted({number for each in found for number in each})
            notes += repeated_notes(source, [replace(one, later=tuple(numbers), path=())])
    return notes


def _in_use(tree: ast.Module, classes: Mapping[str, list[ast.expr]]) -> set[str]:
    """Those of *classes* that the text names, also as text, elsewhere than as the base of one."""
    as_bases = {id(node) for each in classes.values() for node in each}
    words = (
        getattr(node, "id", getattr(node, "value", None))
        for node in nodes_of(tree)
        if isinstance(node, (ast.Name, ast.Constant)) and id(node) not in as_bases
    )
    return {word for word in words if isinstance(word, str) and word in classes}


def _below(
    name: str, owner: str, classes: Mapping[str, list[ast.expr]], depth: int = 20
) -> list[str] | None:
    """The classes from *name* up to *owner*, which is left out; None if it derives from another."""
    if name == owner:
        return []
    for base in classes.get(name, ()) if depth else ():
        above = _below(dotted_name(base), owner, classes, depth - 1)
        if above is not None:
            return [name, *above]
    return None


def _lines(numbers: Sequence[int]) -> str:
    """*numbers* in words: ``line 7``, ``lines 7 and 9``."""
    *most, last = map(str, dict.fromkeys(numbers))
    return f"lines {', '.join(most)} and {last}" if most else f"line {last}"


def _target_of(passed: list[ast.expr], parameters: Sequence[Parameter]) -> str:
    """The target of the one argument that is passed; empty if it has none."""
    found = [one.target for one in parameters for value in one.values if value is passed[0]]
    return found[0] if found and len(passed) == 1 else ""


def module_notes(
    data: bytes,
    filename: str,
    folder: str,
    package: str,
    module: str,
    defaults: list[str],
    stored: list[str],
) -> list[str]:
    """A sentence for each of the *defaults* in *module* that no call uses, and for each of its
    names in *stored* that a function of the script stores. The others are those of ``decode``.
    """
    try:
        script = decode(data, filename, folder, package)
        return [*_stored_notes(script, module, stored), *_unused(script, module, defaults)]
    except (SourceError, SyntaxError):
        return []


def _unused(script: Source, module: str, targets: list[str]) -> list[str]:
    """A sentence for each of the *targets* that is a default which no call uses."""
    if not targets:
        return []
    try:
        found = reach(script)
        if found.computed or found.by_path:
            return []  # nobody knows which other files call it
        texts = [script, *filter(None, map(text_of, found.modules))]
        body = [node for text in texts for node in _body(text, module)]
    except (SourceError, SyntaxError):
        return []
    callers = Callers(ast.Module(body, []))
    notes = []
    for target in targets:
        kind = "default" if target.endswith(")") else "class attribute"
        passed = callers.passed_instead(kind, target, set())
        if passed:
            told = " and ".join(_places(passed))
            value = ast.unparse(passed[0])
            notes.append(_no_effect(f"{module}.{target}", passed, told, value))
    return notes


def _stored_notes(script: Source, module: str, targets: list[str]) -> list[str]:
    """A sentence for each of the *targets* in *module* into which a function of *script* stores
    another value, whatever happens: ``def main(): hp.lr = 0.2`` for ``hp.lr``.
    """
    imported = import_names(script.tree, script.package)
    names = [name for name, full in imported.items() if full == module]
    stored = [one for one in find_parameters(script) if one.kind == "stored"]
    notes = []
    for target in targets:
        ends = tuple(f".{name}.{target}" for name in {*names, module})
        for one in stored:
            first = one.definitions[0] if one.definitions else None
            if one.target.endswith(ends) and first and not first.arms and not first.looped:
                where = f"{script.line_words(one.line)} of {script.file}"
                notes.append(
                    f"override {f'{module}.{target}'!r} changed the module alone: {where} stores "
                    f"it, too. Override {one.target!r}"
                )
    return notes


def _body(text: Source, module: str) -> list[ast.stmt]:
    """The statements of *text*, a tree of its own, in which names of *module* stand alone."""
    names = import_names(text.tree, text.package)
    tree = ast.parse(text.text)
    _Flat(names, module).visit(tree)
    for node in ast.walk(tree):
        node._kogine_file = text.file  # type: ignore[attr-defined]
    return tree.body


class _Flat(ast.NodeTransformer):
    """Puts ``Net`` in the place of ``models.Net``, and of another name that it was imported by."""

    def __init__(self, names: dict[str, str], module: str) -> None:
        self.names, self.prefix = names, f"{module}."

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:  # as ast names it
        return self._flat(node, dotted_name(node)) or self._inside(node)

    def visit_Name(self, node: ast.Name) -> ast.expr:  # as ast names it
        return self._flat(node, node.id) or node

    def _inside(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        return node

    def _flat(self, node: ast.Name | ast.Attribute, spelled: str) -> ast.expr | None:
        first, dot, rest = spelled.partition(".")
        full = f"{self.names.get(first, '')}{dot}{rest}"
        name = full.removeprefix(self.prefix)
        if not spelled or name == full or "." in name:
            return None
        return ast.copy_location(ast.Name(name, node.ctx), node)


def _places(passed: list[ast.expr]) -> list[str]:
    """``line 7 of train.py``, for each file that passes the argument."""
    by_file: dict[str, list[int]] = {}
    for node in passed:
        by_file.setdefault(node._kogine_file, []).append(node.lineno)  # type: ignore[attr-defined]
    return [f"{_lines(sorted(numbers))} of {file}" for file, numbers in by_file.items()]
