"""A config file with a script's parameters, to edit; without an edit it changes nothing."""

from __future__ import annotations

import ast
import json
import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from types import MappingProxyType

from kohaku_ast.config.cells import Cell, CellList, CellMap, CellText, native
from kohaku_ast.config.config import same
from kohaku_ast.config.text_values import MemberName, TextValueError, parse_cell, parse_value
from kohaku_ast.errors import visible
from kohaku_ast.transform.edit.value_text import (
    LiteralError,
    expression,
    imports_of,
    in_brackets,
    literal,
    names_in,
    why_not_plain,
)
from kohaku_ast.transform.find.assignments import Site
from kohaku_ast.transform.find.callers import Callers
from kohaku_ast.transform.find.entrypoints import Reachability
from kohaku_ast.transform.find.inspection import Inspection
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.source import plain_newlines
from kohaku_ast.value_types import Reading, core, describe

NO_ANSWERS: Mapping[str, str] = MappingProxyType({})
_PATHS = {"Path", "PurePath"}
"""The classes of paths that a config can make."""


def config_text(
    inspection: Inspection,
    parameters: Sequence[Parameter],
    script: str,
    name: str = "THIS_FILE",
    path: str = "",
    answers: Mapping[str, str] = NO_ANSWERS,
) -> str:
    """The config file for *parameters* of *script*; its first line calls it *name*. *path* is that
    of the script from the folder of the file, for editors. *answers* are values in place of the
    script's: target -> what ``answer_text`` gives.

    Parameters without one fixed value are commented out: required options, values that depend on
    others, definitions in branches or with several values.
    """
    imports, lines = config_lines(inspection, parameters)
    used = {name for text in answers.values() for name in names_in(expression(text))}
    imports = sorted({*imports, *(f"from pathlib import {one}" for one in used & _PATHS)})
    heading = f"# Values of {script}. Edit, then: kogine run {script} --config {name}"
    own = [f"_script = {quoted(path)}"] if path else []
    return (
        "\n".join([visible(heading), *own, *imports, *config_rows(_answered(lines, answers))])
        + "\n"
    )


def _answered(lines: list[ConfigLine], answers: Mapping[str, str]) -> list[ConfigLine]:
    """*lines* with the values of *answers*."""
    return [
        replace(one, text=answers[one.target], reason="") if one.target in answers else one
        for one in lines
    ]


def config_lines(
    inspection: Inspection, parameters: Sequence[Parameter]
) -> tuple[list[str], list[ConfigLine]]:
    """The imports that the values of *parameters* need, and the lines with these values."""
    writer = _Writer(inspection, parameters)
    lines = [writer.line(one) for one in parameters if writer.is_written(one)]
    return sorted(set(writer.needed)), lines


class _Writer:
    """Makes the line of each parameter."""

    def __init__(self, inspection: Inspection, parameters: Sequence[Parameter]) -> None:
        self.source = inspection.source
        self.certain = Reachability(self.source.tree)
        self.callers = Callers(self.source.tree)
        self.imports = imports_of(self.source.tree)
        self.known = {one.target for one in inspection.parameters if one.target.isidentifier()}
        self.needed: list[str] = []
        #: The places of each value in the text, as start and end.
        self.spans = [
            (one, *self.source.span(site.node)) for one in parameters for site in _replaced(one)
        ]

    def is_written(self, parameter: Parameter) -> bool:
        """Whether *parameter* has a line: it can be overridden, and no entry of it has a line."""
        own = [(start, end) for one, start, end in self.spans if one is parameter]
        return not parameter.refused and not any(
            self.gives_way(parameter, span, other) for span in own for other in self.spans
        )

    def gives_way(
        self, parameter: Parameter, span: tuple[int, int], other: tuple[Parameter, int, int]
    ) -> bool:
        """Whether *other* is inside *span* of *parameter*: only one of them can be overridden."""
        inner, start, end = other
        if inner is parameter or not (span[0] <= start and end <= span[1]):
            return False
        # In `result = main(epochs=3)` it is main(epochs), not result.epochs.
        return span != (start, end) or (parameter.kind == "entry" and inner.kind != "entry")

    def line(self, parameter: Parameter) -> ConfigLine:
        reason = self.reason(parameter)
        text = _printable(plain_newlines(parameter.default))
        if not reason:
            used = names_in(_value(parameter))
            self.needed += [line for name, line in self.imports.items() if name in used]
        value = in_brackets(text) if text else "..."
        note, section = visible(parameter.help), visible(parameter.section)
        return ConfigLine(parameter.target, value, reason, note, section)

    def reason(self, parameter: Parameter) -> str:
        """Why the line is commented out; empty if it is not."""
        if not parameter.default:
            return "required" if _is_required(parameter) else "no default"
        if _is_required(parameter):
            return "required"
        if parameter.derived_from:
            return f"derived from {', '.join(parameter.derived_from)}"
        why = why_not_plain(_value(parameter), self.known, self.imports)
        return (
            why
            or self._several(parameter)
            or self._in_branch(parameter)
            or ("no call uses it" if self.callers.arguments_instead(parameter) else "")
        )

    def _several(self, parameter: Parameter) -> str:
        """More than one value, or one object under more than one name."""
        if parameter.later:
            return f"other values at line {', '.join(map(str, parameter.later))}"
        texts = {self.source.segment(site.node) for site in _replaced(parameter)}
        if len(texts) > 1 or (parameter.also and not texts):
            return f"other values at line {', '.join(map(str, parameter.also))}"
        forms = {one.form for one in parameter.definitions}
        if "unpacked" in forms:
            return "one part of it"
        mutable = isinstance(_value(parameter), (ast.List, ast.Dict, ast.Set, ast.Call))
        return "shared by several names" if "chained" in forms and mutable else ""

    def _in_branch(self, parameter: Parameter) -> str:
        runs = self.certain.is_unconditional if parameter.kind == "option" else self.certain.runs
        return "" if all(runs(site.line) for site in parameter.sites) else "may not run"


def _printable(text: str) -> str:
    """The source of a value, with escapes for the control characters that its strings hold."""
    if visible(text) == text:
        return text
    try:
        return repr(ast.literal_eval(text))  # an escape in a raw string would be other text
    except (ValueError, SyntaxError):
        return visible(text)


def _replaced(parameter: Parameter) -> list[Site]:
    """The places of values that an override replaces."""
    return [site for site in parameter.sites if site.change == "replace" and "{}" in site.template]


def _value(parameter: Parameter) -> ast.expr:
    """The default as an expression (that of a field, not the field)."""
    return expression(f"({parameter.default}\n)")


def _is_required(parameter: Parameter) -> bool:
    """Whether a command line without it must fail: a default would let it succeed."""
    written = [site.node for site in parameter.sites if site.template == "False"]
    return any(not (isinstance(node, ast.Constant) and not node.value) for node in written)


_NOT_BARE = ("config_gen", "CONFIG")
"""Names with a meaning of their own at the top of a config file."""
_LONGEST = 100  # a longer line has its help above it


@dataclass(frozen=True)
class ConfigLine:
    """One value of the config file."""

    target: str
    #: The value as Python source.
    text: str
    #: Why it is commented out; empty if it is not.
    reason: str = ""
    help: str = ""
    section: str = ""
    #: Whether it is a name for other values to read, and no override.
    is_helper: bool = False


def is_bare(target: str) -> bool:
    """Whether *target* can be assigned by its name at the top of a config file."""
    is_name = target.isidentifier() and not keyword.iskeyword(target)
    return is_name and not target.startswith("_") and target not in _NOT_BARE


def config_rows(lines: Sequence[ConfigLine]) -> list[str]:
    """The rows of a file with *lines*: names by assignment, other targets in ``_overrides``."""
    bare = [one for one in lines if one.is_helper or is_bare(one.target)]
    others = [one for one in lines if one not in bare]
    rows = _rows(bare, "{name} = {value}", "")
    if others:
        rows += ["", "_overrides = {", *_rows(others, "{quoted}: {value},", "    "), "}"]
    return rows


def quoted(target: str) -> str:
    """*target* as a literal, in the quotes that are usual."""
    return repr(target) if '"' in target or "\\" in target else f'"{target}"'


def _rows(lines: Sequence[ConfigLine], shape: str, indent: str) -> list[str]:
    """The lines as text, each section under its comment."""
    rows: list[str] = []
    section = None
    for one in lines:
        if one.section != section:
            section = one.section
            rows += [] if indent and not rows else [""]
            rows += [f"{indent}# ---- {section} ----"] if section else []
        rows += [(indent + row).rstrip() for row in _row(one, shape)]
    return rows


def _row(line: ConfigLine, shape: str) -> list[str]:
    note = f"{line.help} [{line.reason}]".strip() if line.reason else line.help
    code = shape.format(name=line.target, quoted=quoted(line.target), value=line.text)
    rows = [f"# {row}" if line.reason else row for row in code.split("\n")]
    if not note:
        return rows
    if len(rows) == 1 and len(rows[0]) + len(note) + 8 <= _LONGEST:
        return [f"{rows[0]}  # {note}"]
    return [f"# {note}", *rows]


# --- the same in a data file ---------------------------------------------------------------------


def data_text(
    inspection: Inspection,
    parameters: Sequence[Parameter],
    script: str,
    name: str,
    path: str = "",
    answers: Mapping[str, str] = NO_ANSWERS,
) -> str:
    """As ``config_text``, in YAML, TOML or JSON by the ending of *name*; JSON has no comments.

    A value that the format lacks, or that would be read as another one, is commented out.
    """
    form = name.strip("'").rpartition(".")[2].lower().replace("yml", "yaml")
    readings = {one.target: one.reading for one in parameters}
    lines = [
        _as_data(one, readings.get(one.target, ("any",)), form)
        for one in config_lines(inspection, parameters)[1]
    ]
    lines = _answered(lines, answers)
    if form == "json":
        own = [f'  "_script": {data_literal(path, form)}'] if path else []
        rows = [f"  {key_text(one.target, form)}: {one.text}" for one in lines if not one.reason]
        pairs = [*own, *rows]
        return "{\n" + ",\n".join(pairs) + "\n}\n"
    heading = f"# Values of {script}. Edit, then: kogine run {script} --config {name}"
    shape = "{name}: {value}" if form == "yaml" else "{name} = {value}"
    # A key that starts with an underscore is no target: such targets stand in _overrides.
    private = [one for one in lines if one.target.startswith("_")]
    rows = _rows([_with_key(one, form) for one in lines if one not in private], shape, "")
    if private:
        rows += ["", "_overrides:" if form == "yaml" else "[_overrides]"]
        rows += _rows([_with_key(one, form) for one in private], shape, "  " * (form == "yaml"))
    own = [shape.format(name="_script", value=data_literal(path, form))] if path else []
    return "\n".join([visible(heading), *own, *rows]) + "\n"


def _with_key(line: ConfigLine, form: str) -> ConfigLine:
    return replace(line, target=key_text(line.target, form))


def key_text(target: str, form: str) -> str:
    """*target* as a key of a file of *form*: in quotes unless it is a plain word."""
    is_word = target.isascii() and target.replace("_", "").isalnum()
    is_text = isinstance(native(CellText(target)), str)
    return target if is_word and is_text and form != "json" else data_literal(target, form)


def _as_data(line: ConfigLine, reading: Reading, form: str) -> ConfigLine:
    """*line* with its value in *form*; commented out if the value has none there."""
    try:
        value, is_argument = _plain_value(line.text, core(reading))
        text = data_literal(value, form)
    except (ValueError, TypeError, SyntaxError):
        return replace(line, reason=line.reason or f"no form in {form.upper()}")
    return replace(
        line, text=text, reason=line.reason or ("" if is_argument else _misread(value, reading))
    )


def _misread(value: object, reading: Reading) -> str:
    """Why *value* cannot stand in a data file; empty if it is read as itself."""
    try:
        is_same = same(parse_cell(_cell_of(value), reading), value)
    except TextValueError:
        is_same = False
    return "" if is_same else f"would be read as {describe(reading)}"


def _plain_value(text: str, reading: Reading) -> tuple[object, bool]:
    """The value of *text*; of ``Path("x")`` and other calls the argument, and True."""
    node = ast.parse(text.strip(), mode="eval").body
    if not isinstance(node, ast.Call):
        return ast.literal_eval(node), False
    is_single = reading[0] == "path" or (reading[0] == "call" and not reading[2].endswith("*"))
    arguments = [*node.args, *(one.value for one in node.keywords)]
    if not is_single or len(arguments) != 1:
        raise ValueError
    return ast.literal_eval(arguments[0]), True


def data_literal(value: object, form: str) -> str:
    """*value* as YAML, TOML or JSON write it; ValueError for one that they do not have."""
    if isinstance(value, str):
        return _quoted(value, form)
    if isinstance(value, bool) or (value is None and form != "toml"):
        return json.dumps(value)
    if type(value) in (int, float):
        return json.dumps(value) if form == "json" else repr(value)
    if isinstance(value, (list, tuple, set)):
        return f"[{', '.join([data_literal(one, form) for one in value])}]"
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        equals = " = " if form == "toml" else ": "
        pairs = [
            f"{data_literal(key, form)}{equals}{data_literal(one, form)}"
            for key, one in value.items()
        ]
        return f"{{{', '.join(pairs)}}}"
    raise ValueError(value)


def _quoted(text: str, form: str) -> str:
    if form != "json" and not text.isascii():
        text.encode("utf-8")  # a lone surrogate is a ValueError: they have none
    # YAML ends a line at NEL and at U+2028, and TOML refuses DEL.
    return _ESCAPED.sub(lambda one: f"\\u{ord(one[0]):04x}", json.dumps(text, ensure_ascii=False))


_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")


def _cell_of(value: object) -> Cell:
    """The cell that the text of *value* is read as."""
    if isinstance(value, (list, tuple, set)):
        return CellList([_cell_of(one) for one in value])
    if isinstance(value, dict):
        return CellMap({key: _cell_of(one) for key, one in value.items()})
    if isinstance(value, str):
        return CellText(value, is_quoted=True)
    return CellText("null" if value is None else str(value), is_null=value is None)


# --- values that are typed -----------------------------------------------------------------------


def answer_text(text: str, reading: Reading, form: str) -> str:
    """The value that *text* is for *reading*, as a config of *form* (``py``, ``yaml``, ``toml`` or
    ``json``) writes it. Raises TextValueError for one that does not fit, or has no such form.
    """
    value = parse_value(text, reading)
    try:
        return _in_python(value, reading) if form == "py" else _in_data(value, text, reading, form)
    except ValueError:
        name = {"py": "a Python config"}.get(form, form.upper())
        raise TextValueError(
            f"{text!r} has no form in {name}: write another kind of file"
        ) from None


def _in_python(value: object, reading: Reading) -> str:
    # A Python config gives objects; only texts of the other kinds go through the script's calls.
    if isinstance(value, MemberName) or core(reading)[0] in ("call", "date", "made", "class"):
        raise LiteralError
    return literal(value, lambda path: type(path).__name__.removeprefix("Posix"))


def _in_data(value: object, text: str, reading: Reading, form: str) -> str:
    plain: object = value
    if core(reading)[0] in ("date", "made"):
        plain = text
    elif isinstance(value, (MemberName, PurePath)):
        plain = str(value)
    if repr(parse_cell(_cell_of(plain), reading)) != repr(value):
        raise ValueError
    return data_literal(plain, form)
