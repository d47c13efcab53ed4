"""``inspect_source``: the parameters of a script with their help, and its entrypoint. Nothing is
run.
"""

from __future__ import annotations

import ast
import bisect
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from kohaku_ast.errors import SourceError
from kohaku_ast.notebook.notebook_text import PARAMETERS, is_notebook, place_in, sections
from kohaku_ast.transform.find.bindings import FUNCTIONS
from kohaku_ast.transform.find.calls import parameters_of
from kohaku_ast.transform.find.comments import Comments, first_sentence, read_comments
from kohaku_ast.transform.find.entrypoints import Entrypoint, find_entrypoint
from kohaku_ast.transform.find.modules import LocalModule, Reach, import_names, reach
from kohaku_ast.transform.find.parameters import Parameter, find_parameters
from kohaku_ast.transform.find.paths import called_name, nodes_of
from kohaku_ast.transform.find.ranking import parents, rank
from kohaku_ast.transform.find.source import Source, decode, read_bytes, with_room
from kohaku_ast.transform.find.targets import Targets

_BLOCKS = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.With, ast.AsyncWith, ast.For,
    ast.AsyncFor, ast.While,
)  # fmt: skip
_VALUES = ("global", "class attribute", "local")  # kinds that another value can be made from
_INNER = ("entry", "default")  # kinds that stand inside a statement


@dataclass(frozen=True)
class Inspection:
    """The parameters and the entrypoint of a script."""

    source: Source
    #: In the order of the file; each target once.
    parameters: tuple[Parameter, ...]
    entrypoint: Entrypoint
    #: The targets that have a literal value; those of them that a person would tune are settings.
    literals: frozenset[str] = frozenset()
    #: The modules that its text leads to; None if nobody has asked for them.
    reach: Reach | None = None

    @property
    def file(self) -> str:
        """The script's name without its folder."""
        return os.path.basename(self.source.filename)

    def listed(self, everything: bool = False) -> tuple[Parameter, ...]:
        """The parameters that a person would tune, or all of them."""
        if everything:
            return self.parameters
        return tuple(one for one in self.parameters if one.is_setting and not one.refused)


def inspect_source(source: Source) -> Inspection:
    """The Inspection of *source*; raises SyntaxError as ``compile`` does."""
    return with_room(lambda: _inspected(source), source.filename)


def _inspected(source: Source) -> Inspection:
    found: dict[str, Parameter] = {}
    for one in find_parameters(source):
        found.setdefault(one.target, one)
    shown = [one for one in found.values() if _is_shown(one)]
    parameters = rank(source.tree, shown)
    targets = Targets(source, parameters)
    described = _Describer(source, parameters)
    section = _sections_of(source, described.comments)
    return Inspection(
        source=source,
        parameters=tuple(
            replace(
                one,
                help=described.help(one),
                section=section(one.line)[0],
                places=tuple(_places(source, one)),
                derived_from=tuple(_derived(one, found)),
                short=one.target if one.refused else targets.shortest(one),
            )
            for one in sorted(parameters, key=lambda one: not section(one.line)[1])
        ),
        entrypoint=find_entrypoint(source),
        literals=frozenset([one.target for one in shown if one.is_setting]),
    )


def _sections_of(source: Source, comments: Comments) -> Callable[[int], tuple[str, bool]]:
    """The title of the section that a line stands in, and whether the section comes first: those of
    a notebook are its headings, and the cell with papermill's tag.
    """
    if not is_notebook(source.filename):
        return lambda line: (comments.section(line), False)
    starts = sections(source.text)

    def section(line: int) -> tuple[str, bool]:
        index = bisect.bisect_right(starts, line, key=lambda start: start[0])
        begin, title = starts[index - 1] if index else (0, "")
        has_own = any(begin < one <= line for one in comments.banners)
        return comments.section(line) if has_own else title, title == PARAMETERS

    return section


def _places(source: Source, parameter: Parameter) -> Iterator[str]:
    """The cells with the lines of *parameter*, and its lines in them; none for other scripts."""
    for line in (parameter.line, *parameter.also) if is_notebook(source.filename) else ():
        number, inner = place_in(source.text, line)
        yield f"In[{number}]:{inner}"


def _is_shown(parameter: Parameter) -> bool:
    """Whether it is listed at all: not the bounds of loops that do not train."""
    return parameter.kind != "loop" or parameter.is_setting


def with_modules(found: Inspection) -> Inspection:
    """*found* with the parameters of the user's own modules that the script imports, after its own.
    Not those that the script sets anew: the target means the line of the script.

    A module that cannot be parsed has none.
    """
    reached = reach(found.source)
    names = import_names(found.source.tree, found.source.package)
    stored = [one.target for one in found.parameters if one.kind == "stored"]
    anew = {names.get(first, first) + dot + rest for first, dot, rest in map(_parted, stored)}
    inner = [one for module in reached.modules for one in _of_module(module)]
    inner = [one for one in inner if one.target not in anew]
    return replace(found, parameters=(*found.parameters, *inner), reach=reached)


def _parted(target: str) -> tuple[str, str, str]:
    return target.partition(".")


def _of_module(module: LocalModule) -> list[Parameter]:
    try:
        found = inspect_source(decode(read_bytes(module.path), module.path))
    except (SourceError, SyntaxError):
        return []
    return [
        replace(
            one,
            target=f"{module.name}.{one.target}",
            short=f"{module.name}.{one.target}",
            section=f"module {module.name}",
            module=(module.name, module.path, one.target),
        )
        for one in found.parameters
    ]


class _Describer:
    """Finds the help of each parameter."""

    def __init__(self, source: Source, parameters: list[Parameter]) -> None:
        self.comments: Comments = read_comments(source)
        self.lines = {one.target: one.line for one in parameters}
        #: First line of a statement or decorator -> its last line.
        self.ends: dict[int, int] = {}
        #: First line of a statement -> the string below it that is a statement of its own.
        self.strings: dict[int, str] = {}
        for body in _bodies(source.tree):
            self._note(body)
        self.on_line = Counter(one.line for one in parameters if self._has_line(one))
        #: Each part of the default of an argument -> the annotation and the default.
        self.arguments = {
            id(part): (argument.annotation, default)
            for node in nodes_of(source.tree)
            if isinstance(node, FUNCTIONS)
            for argument, default in parameters_of(node)
            if default is not None
            for part in ast.walk(default)
        }

    def _note(self, body: list[ast.stmt]) -> None:
        for statement, following in zip(body, [*body[1:], ast.Pass()]):
            end = statement.lineno if isinstance(statement, _BLOCKS) else statement.end_lineno
            self.ends[statement.lineno] = end or statement.lineno
            for decorator in getattr(statement, "decorator_list", ()):
                self.ends[decorator.lineno] = decorator.end_lineno
            if isinstance(statement, (ast.Assign, ast.AnnAssign)):
                self.strings[statement.lineno] = _string(following)

    def help(self, parameter: Parameter) -> str:
        """The help of *parameter*: its comment, else the string below it, else that of its
        declaration.
        """
        written = self.comment(parameter)
        if not written and parameter.kind == "class attribute":
            written = self.strings.get(parameter.line, "")
        written = written or parameter.help or self._declared_help(parameter)
        return first_sentence(" ".join(written.split()))

    def _declared_help(self, parameter: Parameter) -> str:
        """The help in its annotation, or in the call that declares its default."""
        if parameter.definitions:
            first = parameter.definitions[0]
            is_field = parameter.kind == "class attribute"
            return _help_in(first.annotation, first.value if is_field else None)
        if parameter.kind != "default":
            return ""
        return _help_in(*self.arguments.get(id(parameter.values[0]), (None, None)))

    def comment(self, parameter: Parameter) -> str:
        """The help in the comments at its definition; a comment on a line of several entries is
        for none.
        """
        line = parameter.line
        if parameter.kind not in _INNER:
            return self.comments.help(line, self._end(line))
        if not self._has_line(parameter) or self.on_line[line] > 1:
            return ""
        return self.comments.help(line, parameter.values[0].end_lineno or line)

    def _end(self, line: int) -> int:
        """The last line of the statement at *line*, unless entries on it have its comment."""
        end = self.ends.get(line, line)
        return line if self._holds_entry(line, end) else end

    def _holds_entry(self, line: int, end: int) -> bool:
        return end != line and self.on_line[end] > 0

    def _has_line(self, parameter: Parameter) -> bool:
        """Whether *parameter* stands inside a statement, on another line than the statement and
        its parent begin.
        """
        if parameter.kind not in _INNER or parameter.line in self.ends or not parameter.values:
            return False
        above = [self.lines.get(parent) for parent in parents(parameter.target)]
        return parameter.line not in above


def _derived(parameter: Parameter, known: Mapping[str, Parameter]) -> Iterator[str]:
    """The targets that its value is computed from; those of its own scope before globals."""
    scope = parameter.target.rpartition(".")[0]
    nodes = ast.walk(parameter.values[0]) if parameter.values else iter(())
    for name in dict.fromkeys(node.id for node in nodes if isinstance(node, ast.Name)):
        for target in (f"{scope}.{name}", name):
            if target in known and known[target].kind in _VALUES and target != parameter.target:
                yield target
                break


def _bodies(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    for node in nodes_of(tree):
        for block in ("body", "orelse", "finalbody"):
            statements = getattr(node, block, None)
            if isinstance(statements, list) and statements:
                yield statements


def _string(node: ast.stmt) -> str:
    """The first paragraph if *node* is a string (PEP 257's attribute docstring); else empty."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        text = node.value.value
        return text.strip().partition("\n\n")[0] if isinstance(text, str) else ""
    return ""


def _help_in(annotation: ast.expr | None, value: ast.expr | None) -> str:
    """The help in ``field(default=0.1, metadata={"help": ...})``, ``Field(0.1, description=...)``,
    ``typer.Option(0.1, help=...)``, and in ``Annotated[float, "help"]``, ``Annotated[float,
    Doc("help")]`` or with one of these calls.
    """
    hints = ast.walk(annotation) if annotation is not None else ()
    parts = next((one.slice for one in hints if _is_annotated(one)), None)  # type: ignore[attr-defined]
    notes = parts.elts[1:] if isinstance(parts, ast.Tuple) else []
    return next(filter(None, [*map(_note, notes), _help_of_call(value)]), "")


def _is_annotated(node: ast.AST) -> bool:
    return isinstance(node, ast.Subscript) and called_name(node.value) == "Annotated"


def _note(node: ast.expr) -> str:
    """The help that *node* in ``Annotated`` gives: ``"help"``, ``Doc("help")``,
    ``typer.Option(help=...)``.
    """
    is_doc = isinstance(node, ast.Call) and called_name(node.func).lower() == "doc"
    text = node.args[0] if is_doc and node.args else node  # type: ignore[attr-defined]
    if isinstance(text, ast.Constant):
        return text.value if isinstance(text.value, str) else ""
    return _help_of_call(node)


def _help_of_call(call: ast.expr | None) -> str:
    keywords = call.keywords if isinstance(call, ast.Call) else []
    named: dict[str | None, ast.expr] = {keyword.arg: keyword.value for keyword in keywords}
    metadata = named.get("metadata")
    if isinstance(metadata, ast.Dict):
        keys = [key.value if isinstance(key, ast.Constant) else None for key in metadata.keys]
        named.update(zip(keys, metadata.values))  # type: ignore[arg-type]
    texts = [named[name] for name in ("help", "description", "doc") if name in named]
    return next((str(text.value) for text in texts if isinstance(text, ast.Constant)), "")
