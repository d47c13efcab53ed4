"""``freeze``: the text of a script with the values of its overrides written in; also the
transformed text that is compiled, and the difference between two texts, for display.
"""

from __future__ import annotations

import ast
import codecs
import difflib
import keyword
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from kohaku_ast.errors import FreezeError
from kohaku_ast.transform.edit.edits import PlannedEdits, additions, plan_edits
from kohaku_ast.transform.edit.proof import prove
from kohaku_ast.transform.edit.rewrite import apply_edits
from kohaku_ast.transform.edit.value_text import (
    PATH_CLASSES,
    LiteralError,
    PathName,
    in_encoding,
    literal,
)
from kohaku_ast.transform.find.assignments import MARKER, Edit, Site, fill
from kohaku_ast.transform.find.bindings import FUNCTIONS
from kohaku_ast.transform.find.modules import import_names
from kohaku_ast.transform.find.parameters import Parameter, find_parameters
from kohaku_ast.transform.find.paths import Step, called_name
from kohaku_ast.transform.find.source import Source, with_room
from kohaku_ast.transform.program.bound_program import READ_LATER, as_value, is_read_later
from kohaku_ast.transform.program.program import FIELD_KINDS, Request

_UNKNOWN_PATH = (
    "the text does not show whether it is an item or an attribute of the object bound there. "
    "Write the assignment into the script, or override the whole name"
)
_LAST_LINE = 10**9


def freeze(
    source: Source,
    request: Request,
    values: Mapping[str, object],
    added: Mapping[str, object] | None = None,
) -> str:
    """The text of *source* with *values* (by full target, a text of which only the running script
    knows the type as ``read_every`` read it) in their definitions.

    *added* are globals that the script does not define. Raises FreezeError with every value
    that cannot be written, the errors of ``plan_edits``, and TransformError.
    """
    return with_room(lambda: _frozen(source, request, values, added or {}), source.filename)


def _frozen(
    source: Source, request: Request, values: Mapping[str, object], added: Mapping[str, object]
) -> str:
    writer = _Writer(source, values)
    plan = plan_edits(source, find_parameters(source), request, writer.text, watches=False)
    edits = [*writer.additions(added), *writer.with_paths(plan)]
    writer.refuse()
    return _proved_text(source, edits)


def _proved_text(source: Source, edits: Sequence[Edit]) -> str:
    return prove(source, edits, apply_edits(source, edits)).text


class _Writer:
    """Writes values one by one and collects those that have no text, so that one error names
    all.
    """

    def __init__(self, source: Source, values: Mapping[str, object]) -> None:
        self.source = source
        self.values = values
        #: Target -> the reason why its value has no text.
        self.refused: dict[str, str] = {}

    def text(self, target: str, is_text: bool, parameter: Parameter | None) -> str:
        line = parameter.line if parameter else _LAST_LINE
        return self.literal(target, self.values[target], parameter, line)

    def literal(self, target: str, value: object, parameter: Parameter | None, line: int) -> str:
        where = f" ({self.source.line_words(line)})" if parameter else ""
        try:
            text = literal(as_value(value), path_name(self.source.tree, parameter, line))
        except LiteralError as error:
            self.refused[f"{target!r}{where}"] = f"a value of type {error} has no literal form"
            return "None"
        taken = redefined(text, self.source.tree)
        if taken:
            self.refused[f"{target!r}{where}"] = (
                f"its literal needs {taken!r}, which this script binds to something else"
            )
        return in_encoding(text, self.source.encoding)

    def additions(self, added: Mapping[str, object]) -> list[Edit]:
        """The assignments of *added*, below the docstring and the ``__future__`` imports."""
        if added and not self.source.tree.body:
            raise FreezeError(
                "cannot add names to a script without a statement: write them into it"
            )
        texts = {name: self.literal(name, value, None, 0) for name, value in added.items()}
        return additions(self.source.tree, texts)

    def with_paths(self, plan: PlannedEdits) -> list[Edit]:
        """The edits of *plan*; a path that only the running script could follow becomes an
        assignment.
        """
        paths = {one.target: one for one in plan.parameters if one and one.path}
        edits = [one for edit in plan.edits if edit.target not in paths for one in self.field(edit)]
        return edits + [
            edit for one in paths.values() for site in one.sites for edit in self.path(one, site)
        ]

    def field(self, edit: Edit) -> list[Edit]:
        """*edit*; of the default of a field what a person would write for this value."""
        kinds = [one for one in FIELD_KINDS if edit.text.startswith(f"{MARKER}.{one}[")]
        if not kinds:
            return [edit]
        kind = kinds[0]
        if not edit.value.startswith(("[", "{", "set(")):
            return [] if kind == "factory" else [replace(edit, text=edit.value)]
        factory = f"lambda: {edit.value}"
        names = {full: name for name, full in self.imports.items()}
        if kind == "factory":
            return [replace(edit, text=factory)]
        if kind == "default" and edit.change == "keyword":
            return []
        if kind == "dataclass" and "dataclasses.field" in names:
            text = f"{names['dataclasses.field']}(default_factory={factory})"
            return [replace(edit, text=text)]
        self.refused[f"{edit.target!r} ({self.source.line_words(edit.line)})"] = (
            f"{edit.value} needs a default factory: write it into the script"
        )
        return []

    @cached_property
    def imports(self) -> dict[str, str]:
        return import_names(self.source.tree, self.source.package)

    def path(self, parameter: Parameter, site: Site) -> list[Edit]:
        if ".begin(" in site.template:
            return []  # nothing to set before the call that fills the object
        template = frozen_path(site, parameter.path, self.source.tree)
        if template is None:
            self.refused.setdefault(
                f"{parameter.target!r} ({self.source.line_words(site.line)})", _UNKNOWN_PATH
            )
            return []
        self.refuse_unread(parameter, site)
        value = self.text(parameter.target, False, parameter)
        if site.change == "wrap" and site.definition is not None:
            node, change = site.definition.bound_at
            site = replace(site, node=node, change=change)
        return [fill(replace(site, template=template), value, parameter.target)]

    def refuse_unread(self, parameter: Parameter, site: Site) -> None:
        """Refuse a text that is another value for another type of what stands at the path."""
        given = self.values[parameter.target]
        if not is_read_later(given):
            return
        readings = {repr(one) for kind, one in given.items() if kind not in (READ_LATER, "text")}  # type: ignore[attr-defined]
        if len(readings) > 1:
            text = given["text"]  # type: ignore[index]
            self.refused.setdefault(
                f"{parameter.target!r} ({self.source.line_words(site.line)})",
                f"only the running script knows the type of the value there, which {text!r} takes: "
                f"--as-is '{parameter.target}={text}' writes {as_value(given)!r}",
            )

    def refuse(self) -> None:
        """Raise FreezeError if a value has no text."""
        if not self.refused:
            return
        file = os.path.basename(self.source.filename)
        listed = "".join(f"\n  {target}: {why}" for target, why in self.refused.items())
        raise FreezeError(
            f"{file}: cannot write these values into the script:{listed}\n"
            "Leave them out here and write them into the frozen script by hand, or keep the "
            "config and use 'kogine run'."
        )


_BUILTINS = {"complex", "float", "frozenset", "set"}
"""The builtins that the text of a value may use."""


def path_name(tree: ast.Module, parameter: Parameter | None, line: int) -> PathName:
    """How the script writes the class of a path at *line*: as in the default, else by an import
    above.
    """
    names = _pathlib_names(tree)
    values = parameter.values if parameter else ()
    calls = [node for value in values for node in ast.walk(value) if isinstance(node, ast.Call)]
    used = [ast.unparse(call.func) for call in calls if called_name(call.func) in PATH_CLASSES]
    above = [name for name, (_, where) in names.items() if where < line]

    def written(value: pathlib.PurePath) -> str:
        fitting = [
            name for name in [*used, *above] if name in names and _makes(names[name][0], value)
        ]
        return fitting[0] if fitting else ""

    return written


def _pathlib_names(tree: ast.Module) -> dict[str, tuple[str, int]]:
    """Name in the script -> the class of pathlib that it stands for, and the line of its import
    (one beyond the script if a run may skip the import).
    """
    certain = {id(node) for node in tree.body}
    names: dict[str, tuple[str, int]] = {}
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0) if id(node) in certain else 10**9
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "pathlib":
                    own = alias.asname or "pathlib"
                    names.update((f"{own}.{name}", (name, line)) for name in PATH_CLASSES)
        elif isinstance(node, ast.ImportFrom) and node.module == "pathlib" and not node.level:
            for alias in node.names:
                if alias.name in PATH_CLASSES:
                    names[alias.asname or alias.name] = (alias.name, line)
    return names


def _makes(name: str, value: pathlib.PurePath) -> bool:
    """Whether a call of the class *name* returns the exact type of *value*."""
    made = {"Path": type(pathlib.Path()), "PurePath": type(pathlib.PurePath())}
    return type(value) is made.get(name, getattr(pathlib, name))


def redefined(text: str, tree: ast.Module) -> str:
    """A builtin that the literal *text* uses and the script binds to something else, or ``""``."""
    if not any(f"{name}(" in text for name in _BUILTINS):
        return ""
    nodes = ast.walk(ast.parse(text, mode="eval"))
    used = {node.id for node in nodes if isinstance(node, ast.Name)} & _BUILTINS
    return next(iter(sorted(used & _bound_names(tree))), "")


def _bound_names(tree: ast.Module) -> set[str]:
    """Every name that is bound anywhere in the file."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name)
        elif isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            names.add(node.name)
    return names


_NAMESPACES = {"Namespace", "SimpleNamespace"}
_MAPPINGS = {"dict", "OrderedDict", "defaultdict", "vars"}
_DEFINES = (*FUNCTIONS, ast.ClassDef)


def frozen_path(site: Site, path: tuple[Step, ...], tree: ast.Module) -> str | None:
    """The template that sets *path* at *site*, a path site (``args.lr = {}``); None if the text
    does not show how.
    """
    bound = site.definition
    if bound is None or len(path) > 1:
        return None  # the running script makes the objects on the way
    name, step = bound.name, path[0]
    is_item = isinstance(step, int) or _is_mapping(bound.node, tree)
    if is_item is None:
        return None
    if is_item:
        return f"{name}[{step!r}] = {{}}"
    assert isinstance(step, str)
    return f"{name}.{step} = {{}}" if _is_attribute(step) else None


def _is_attribute(step: str) -> bool:
    return step.isidentifier() and not keyword.iskeyword(step)


def _is_mapping(statement: ast.AST, tree: ast.Module) -> bool | None:
    """Whether *statement* binds its name to a mapping; None if the text does not show it."""
    if isinstance(statement, ast.Import):
        return False
    value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
    if isinstance(value, ast.Dict):
        return True
    if not isinstance(value, ast.Call):
        return None
    name = called_name(value.func)
    defined = [node for node in ast.walk(tree) if isinstance(node, _DEFINES) and node.name == name]
    if defined:
        return False if all(map(_is_plain_class, defined)) else None
    if name in _MAPPINGS:
        return True
    is_parsed = name == "parse_args" and isinstance(value.func, ast.Attribute)
    return False if is_parsed or name in _NAMESPACES else None


def _is_plain_class(node: ast.AST) -> bool:
    """Whether *node* is a class whose instances have attributes only: no bases, no items."""
    if not isinstance(node, ast.ClassDef) or node.bases or node.keywords:
        return False
    if any("frozen" in ast.unparse(one) for one in node.decorator_list):
        return False
    return not any(getattr(one, "name", "") == "__setitem__" for one in node.body)


def transformed_text(source: Source, request: Request) -> str:
    """The text that is compiled for *request*; raises the errors of ``build_program``."""

    def transformed() -> str:
        return _proved_text(
            source, plan_edits(source, find_parameters(source), request, watches=False).edits
        )

    return with_room(transformed, source.filename)


def request_all(source: Source) -> Request:
    """The Request for every parameter that a person would tune."""
    settings = [one for one in find_parameters(source) if one.is_setting and not one.refused]
    targets = [(one.target, True, False) for one in _independent(settings)]
    return Request(targets=tuple(targets))


def _independent(parameters: Sequence[Parameter]) -> Iterator[Parameter]:
    """*parameters* without those that contain another one (a dict with its entries), and without
    the second of two that share a place.
    """
    places = {id(site.node) for one in parameters for site in one.sites}
    taken: set[int] = set()
    for one in parameters:
        replaced = [site.node for site in one.sites if site.change == "replace"]
        own = {id(node) for node in replaced}
        inside = {id(inner) for node in replaced for inner in ast.walk(node)} - own
        if not inside & places and not own & taken:
            taken |= own
            yield one


def in_bytes(text: str, source: Source, data: bytes) -> bytes:
    """*text* in the encoding of *source*, with a byte order mark if *data*, the bytes of its
    file, has one.
    """
    return _mark(data) + text.encode(source.encoding)


def difference(source: Source, text: str, name: str, data: bytes) -> bytes:
    """The unified diff from *source*, the file *name*, to *text*."""
    old, new = (_lines(f"{_mark(data).decode()}{each}") for each in (source.text, text))
    lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    whole = "".join(line if line[-1:] in "\r\n" else f"{line}\n{_NO_END}" for line in lines)
    return whole.encode(source.encoding, "backslashreplace")


_NO_END = "\\ No newline at end of file\n"


def _mark(data: bytes) -> bytes:
    return codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""


def _lines(text: str) -> list[str]:
    """The lines of *text* with their ends; a form feed ends no line of Python."""
    starts = Source("", text).line_starts
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)]) if start < end]
