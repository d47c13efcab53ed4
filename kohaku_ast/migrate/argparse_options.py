"""A config from the options that a script declares with argparse, click or absl."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from kohaku_ast.config.template import ConfigLine, config_lines, config_rows
from kohaku_ast.migrate.migration import Key, Migrated, NotCarriedOver, in_order, match_keys
from kohaku_ast.transform.find.inspection import Inspection
from kohaku_ast.transform.find.options import Option, find_options
from kohaku_ast.transform.find.parameters import Parameter

_IMPLIED = {
    "store": "None", "append": "None", "count": "None", "extend": "None",
    "store_true": "False", "store_false": "True",
}  # fmt: skip
"""The default of an argparse option that declares none, by its action."""
_NO_SETTINGS = ("version", "help")


def migrate_options(found: Inspection, file: str, script: Inspection | None = None) -> Migrated:
    """A config with the defaults of the options of *found*, for *script* if it is another one."""
    options = {one.target: one for one in find_options(found.source.tree)}
    settings = [
        _with_default(one, options[one.target], found.source.tree)
        for one in found.parameters
        if one.kind == "option" and _action(options[one.target]) not in _NO_SETTINGS
    ]
    imports, lines = config_lines(found, settings)
    if script is not None:
        lines = _aimed_at(script, lines, options)
    text = "\n".join([*imports, *config_rows(lines)]).lstrip("\n") + "\n"
    return Migrated(text, in_order([*_commented(lines, options, file), *_unreadable(found, file)]))


def _with_default(parameter: Parameter, option: Option, tree: ast.Module) -> Parameter:
    """*parameter* with argparse's own default if *option* declares none."""
    is_explicit = parameter.default or option.library != "argparse" or option.keyword("required")
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {keyword.arg for call in calls for keyword in call.keywords}
    if is_explicit or "argument_default" in names:
        return parameter
    return replace(parameter, default=_IMPLIED.get(_action(option), ""))


def _action(option: Option) -> str:
    action = option.keyword("action")
    if action is None:
        return "store"
    return str(action.value) if isinstance(action, ast.Constant) else ""


def _aimed_at(
    script: Inspection, lines: list[ConfigLine], options: dict[str, Option]
) -> list[ConfigLine]:
    """*lines* with the targets of *script* in place of the options."""
    keys: dict[Key, ConfigLine] = {(options[line.target].name,): line for line in lines}
    matched = match_keys(script, list(keys))
    aimed = []
    for key, line in keys.items():
        match = matched[key]
        if isinstance(match, str):
            aimed.append(replace(line, reason=line.reason or match))
        else:
            aimed.append(replace(line, target=match.short))
    return aimed


def _commented(
    lines: list[ConfigLine], options: dict[str, Option], file: str
) -> Iterator[NotCarriedOver]:
    """The lines that are commented out."""
    by_name = {one.name: one for one in options.values()}
    for line in lines:
        option = options.get(line.target) or by_name.get(line.target)
        if line.reason:
            where = option.call.lineno if option else 0
            yield NotCarriedOver(file, where, f"{line.target}: {line.reason}")


def _unreadable(found: Inspection, file: str) -> Iterator[NotCarriedOver]:
    """The declarations without a target: positional arguments, and computed names."""
    known = {id(one.call) for one in find_options(found.source.tree)}
    for node in ast.walk(found.source.tree):
        if not isinstance(node, ast.Call) or id(node) in known:
            continue
        if not isinstance(node.func, ast.Attribute) or node.func.attr != "add_argument":
            if _is_click_argument(node):
                yield _positional(node, file)
            continue
        if node.args and isinstance(node.args[0], ast.Constant):
            yield _positional(node, file)
        else:
            yield NotCarriedOver(
                file, node.lineno, "add_argument() of a name that only the running script knows"
            )


def _is_click_argument(node: ast.Call) -> bool:
    is_named = bool(node.args) and isinstance(node.args[0], ast.Constant)
    return is_named and ast.unparse(node.func) in ("click.argument", "argument")


def _positional(node: ast.Call, file: str) -> NotCarriedOver:
    name = ast.unparse(node.args[0])
    return NotCarriedOver(
        file, node.lineno, f"the argument {name} has no option: give it in _argv = [...]"
    )
