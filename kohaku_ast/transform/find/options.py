"""The options that a script declares with argparse, click or absl, and their sites."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from kohaku_ast.transform.find.assignments import Site
from kohaku_ast.transform.find.bindings import FUNCTIONS
from kohaku_ast.transform.find.paths import called_name, nodes_of
from kohaku_ast.transform.find.setting_types import call_reading, without_type
from kohaku_ast.transform.find.type_inference import (
    ANY,
    Classes,
    reading_of_flag,
    reading_of_option,
)
from kohaku_ast.value_types import Reading

_DECLARES = {"add_argument": "argparse", "option": "click"}
_GROUPS = ("add_argument_group", "add_mutually_exclusive_group")


@dataclass(frozen=True)
class Option:
    """One declaration of an option."""

    #: ``argparse``, ``click`` or ``absl``.
    library: str
    #: As written on a command line: ``("-l", "--lr")``.
    flags: tuple[str, ...]
    call: ast.Call
    #: The default of an absl flag: its second argument.
    positional_default: ast.expr | None = None

    def keyword(self, name: str) -> ast.expr | None:
        """The value of the keyword *name* of the declaration."""
        return next((one.value for one in self.call.keywords if one.arg == name), None)

    @property
    def default(self) -> ast.expr | None:
        """The default as written."""
        return self.keyword("default") or self.positional_default

    @property
    def flag(self) -> str:
        """The first long flag, else the first one."""
        long = [flag for flag in self.flags if flag.startswith("--")]
        return (long or list(self.flags))[0]

    @property
    def target(self) -> str:
        """The flag; of one that switches off, the attribute: its value is False with the flag."""
        return f"--{self.name}" if self.switches_off else self.flag

    @property
    def switches_off(self) -> bool:
        """Whether the attribute is False with the flag: ``action="store_false"``."""
        off = switches_off(self.call, self.library == "click")
        return off and self.name != self.flag.lstrip("-")

    @property
    def name(self) -> str:
        """The attribute that gets the value."""
        return attribute_of(self.call, self.flag, self.library == "click")


def switches_off(call: ast.Call, is_click: bool) -> bool:
    """Whether *call* declares a flag that gives its attribute the value False."""
    values = {one.arg: getattr(one.value, "value", None) for one in call.keywords}
    return values.get("flag_value") is False if is_click else values.get("action") == "store_false"


def attribute_of(call: ast.Call, flag: str, is_click: bool) -> str:
    """The attribute, or click's parameter, that gets the value of the option *flag*."""
    texts = [getattr(one, "value", None) for one in call.args] if is_click else []
    texts += [getattr(one.value, "value", None) for one in call.keywords if one.arg == "dest"]
    named = [one for one in texts if isinstance(one, str) and one.isidentifier()]
    return named[0] if named else flag.lstrip("-").replace("-", "_")


def find_options(tree: ast.Module) -> list[Option]:
    """Every option that the file declares, in the order of the file."""
    calls = [node for node in nodes_of(tree) if isinstance(node, ast.Call)]
    found = [option for call in calls for option in _options_of_call(call)]
    return sorted(found, key=lambda option: _place(option.call))


def grouped_options(tree: ast.Module) -> dict[str, list[Option]]:
    """For each target its options, in the order of the file, and after them those that give the
    same attribute its value (``--fast`` and ``--slow`` with ``dest="speed"``): argparse takes the
    default of the first of them, click that of the last.
    """
    calls: dict[str, list[ast.Assign]] = {}
    commands: dict[int, str] = {}
    for node in nodes_of(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            calls.setdefault(ast.unparse(node.targets[0]), []).append(node)
        if isinstance(node, FUNCTIONS):
            commands.update((id(one), str(_place(node))) for one in node.decorator_list)
    grouped: dict[str, list[Option]] = {}
    sharing: dict[tuple[str, ...], list[Option]] = {}
    for option in find_options(tree):
        grouped.setdefault(option.target, []).append(option)
        if option.library == "argparse":
            sharing.setdefault((*_parser_of(option.call, calls), option.name), []).append(option)
        elif id(option.call) in commands:
            sharing.setdefault((commands[id(option.call)], option.name), []).append(option)
    for same in sharing.values():
        for target in dict.fromkeys(option.target for option in same):
            grouped[target] += [option for option in same if option.target != target]
    return grouped


def _parser_of(call: ast.Call, calls: Mapping[str, list[ast.Assign]]) -> tuple[str, str]:
    """The name of the parser that gets the option of *call*, and the place that has made it."""
    assert isinstance(call.func, ast.Attribute)
    name = ast.unparse(call.func.value)
    before = [one for one in calls.get(name, []) if _place(one) < _place(call)]
    last = max(before, key=_place, default=None)
    made = last.value if last is not None else None
    if isinstance(made, ast.Call) and called_name(made.func) in _GROUPS:
        return _parser_of(made, calls)
    return name, str(_place(last) if last is not None else "")


def _place(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _options_of_call(call: ast.Call) -> Iterator[Option]:
    name = called_name(call.func)
    library = _DECLARES.get(name)
    if library and (library == "click" or isinstance(call.func, ast.Attribute)):
        texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
        flags = [flag for text in texts if isinstance(text, str) for flag in text.split("/")[:1]]
        flags = [flag.strip() for flag in flags if flag.startswith("-")]
        if flags:
            yield Option(library, tuple(flags), call)
    elif name.startswith("DEFINE_"):
        named = [*call.args[:1], *(one.value for one in call.keywords if one.arg == "name")]
        default = call.args[1] if len(call.args) > 1 else None
        if named and isinstance(named[0], ast.Constant):
            yield Option("absl", (f"--{named[0].value!s}",), call, default)


def option_sites(option: Option, set_defaults: Iterable[ast.keyword]) -> list[Site]:
    """The place of the default, of ``required=`` (it would keep the default from being used),
    and of a ``set_defaults`` that would replace it later.
    """
    line = option.call.lineno
    default = option.default
    if default is not None:
        sites = [Site(default, "replace", "{}", line)]
    else:
        sites = [Site(option.call, "keyword", "{}", line, "default")]
    required = option.keyword("required")
    if required is not None:
        sites.append(Site(required, "replace", "False", line))
    if option.library == "argparse":
        own = [one.value for one in set_defaults if one.arg == option.name]
        sites += [Site(value, "replace", "{}", value.lineno) for value in own]
    return sites


def implied_default(option: Option, set_defaults: Iterable[ast.keyword]) -> ast.expr | None:
    """The default that a flag has without one in the text: False of ``store_true``; None if the
    text does not show it.
    """
    action, flag = option.keyword("action"), option.keyword("is_flag")
    if option.library == "click":
        is_flag = isinstance(flag, ast.Constant) and flag.value is True
        return ast.Constant(False) if is_flag and option.keyword("flag_value") is None else None
    named = action.value if isinstance(action, ast.Constant) else ""
    is_set = any(one.arg in (option.name, None) for one in set_defaults)
    if named not in ("store_true", "store_false") or is_set:
        return None
    return ast.Constant(named == "store_false")


def find_set_defaults(tree: ast.Module) -> list[ast.keyword]:
    """The keywords of every ``parser.set_defaults(lr=1)``: they win over a new default."""
    return [one for call in _calls_of(tree, "set_defaults") for one in call.keywords]


def parsing_functions(tree: ast.Module, parsers: Collection[str]) -> set[str]:
    """The names of what parses the command line: *parsers*, and the functions of the script that
    call one of them.
    """
    own = (one for one in nodes_of(tree) if isinstance(one, FUNCTIONS))
    calls = ((one.name, node) for one in own for node in ast.walk(one))
    return {*parsers} | {
        name
        for name, node in calls
        if isinstance(node, ast.Call) and called_name(node.func) in parsers
    }


def has_argument_default(tree: ast.Module) -> bool:
    """Whether a parser gives all its options without a default another one than argparse does."""
    calls = [node for node in nodes_of(tree) if isinstance(node, ast.Call)]
    return any(one.arg == "argument_default" for call in calls for one in call.keywords)


def _calls_of(tree: ast.Module, name: str) -> list[ast.Call]:
    calls = [node for node in nodes_of(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if called_name(call.func) == name]


def option_reading(option: Option, classes: Classes) -> Reading:
    """How a text value of *option* is read."""
    if option.library == "absl":
        kind = ast.unparse(option.call.func).rpartition("DEFINE_")[2]
        values = option.keyword("enum_values")
        if kind == "enum" and values is None and len(option.call.args) > 2:
            values = option.call.args[2]
        return reading_of_flag(kind, option.default, values)
    keyword = option.keyword
    action = keyword("action")
    value = keyword("flag_value")
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return ANY
    if action is None and isinstance(keyword("is_flag") or value, ast.Constant):
        action = ast.Constant("store_true")
    nargs = keyword("nargs")
    if isinstance(keyword("multiple"), ast.Constant):
        nargs = ast.Constant("*")
    found = reading_of_option(
        keyword("type"), option.default, action, nargs, keyword("choices"), classes
    )
    if found == ANY:
        return call_reading(option.default, classes, ()) or ANY
    is_written = keyword("type") is not None or action is not None
    return found if is_written or nargs is not None else without_type(found, option.default)
