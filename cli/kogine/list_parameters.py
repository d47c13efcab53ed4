"""``kogine run --inspect``: what can be overridden in a script, as a table, JSON or a config."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

from kogine.report import printing
from kogine.script_command import ScriptCommand, inspect_script

from kohaku_ast.display.text import print_table
from kohaku_ast.errors import visible
from kohaku_ast.runner.launch import split_function
from kohaku_ast.runner.script import columns_of, groups_of, type_text
from kohaku_ast.transform.find.disk_caches import find_cached
from kohaku_ast.transform.find.entrypoints import Entrypoint
from kohaku_ast.transform.find.inspection import Inspection, with_modules
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.source import Source, plain_newlines

JSON_VERSION = 1


def list_parameters(command: ScriptCommand) -> Callable[[], int]:
    """Find what can be overridden; the result prints it. Raises SyntaxError."""
    found = inspect_script(command.script, command.is_module)
    if "modules" in command.options:
        found = with_modules(found)
    form = "json" if "json" in command.options else command.option("format", "table")
    shown = {"table": _show_table, "json": _show_json, "py": _show_py}[form]
    script = split_function(command.script)[0]
    return functools.partial(printing(shown), found, script, "all" in command.options)


def _write(text: str) -> None:
    """Print *text* as UTF-8, whatever the terminal's encoding: users redirect it into a file."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def _show_py(found: Inspection, script: str, everything: bool) -> int:
    from kohaku_ast.config.template import config_text

    _write(config_text(found, found.listed(everything), script))
    return 0


def _show_json(found: Inspection, script: str, everything: bool) -> int:
    import json

    document = {
        "version": JSON_VERSION,
        "script": script,
        "entrypoint": entrypoint_as_json(found.entrypoint),
        "cached": [
            {"name": one.name, "line": one.line, "reads": one.reads}
            for one in find_cached(found.source)
        ],
        "parameters": [as_json(one) for one in found.listed(everything)],
    }
    if found.reach is not None:
        document["modules"] = {
            "found": [one.name for one in found.reach.modules],
            "missing": found.reach.missing,
            "computed": found.reach.computed,
        }
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if visible(text) != text:  # JSON itself escapes those below the blank only
        text = json.dumps(document, indent=2)
    _write(f"{text}\n")
    return 0


def entrypoint_as_json(entry: Entrypoint) -> dict[str, object]:
    """How a script starts, in the JSON of ``--inspect`` and of ``kogine doctor``."""
    return {
        "guards": entry.guards,
        "calls": [{"text": one.text, "line": one.line} for one in entry.calls],
        "marked": entry.marked,
        "reads_argv": entry.reads_argv,
    }


def as_json(parameter: Parameter) -> dict[str, object]:
    """One parameter of ``--format json``; docs/reference/inspect.md says what each field holds."""
    return {
        "target": parameter.target,
        "short": parameter.short,
        "kind": parameter.kind,
        "module": parameter.module[0] if parameter.module else "",
        "default": plain_newlines(parameter.default),
        "type": type_text(parameter),
        "help": parameter.help,
        "section": parameter.section,
        "line": parameter.line,
        "also": parameter.also,
        "derived_from": parameter.derived_from,
        "setting": parameter.is_setting,
        "refused": parameter.refused,
        **({"places": parameter.places} if parameter.places else {}),
    }


def _show_table(found: Inspection, script: str, everything: bool) -> int:
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    listed = found.listed(everything)
    if listed:
        print_table(columns_of(listed), groups_of(listed), sys.stdout)
        print()
    else:
        print(visible(f"{script}: no settings found."))
    hidden = len(found.parameters) - len(listed)
    if hidden:
        print(f"{hidden} more with --all: derived values, imports, functions and the rest")
    for line in [*module_lines(found), *start_lines(found), *cache_lines(found)]:
        print(visible(line))
    return 0


def module_lines(found: Inspection) -> list[str]:
    """Lines about the modules that only the running script can find."""
    if found.reach is None:
        return []
    missing = [f"{name} ({place})" for name, place in found.reach.missing.items()]
    lines = [f"not found now: {', '.join(missing)}: targets in them are matched at their import"]
    computed = ", ".join(dict.fromkeys(found.reach.computed))
    more = f"imported by computed names ({computed}): write the module in full, configs.base.lr"
    return lines * bool(missing) + [more] * bool(computed)


def cache_lines(found: Inspection) -> list[str]:
    """A line for each function whose results on disk an override does not invalidate."""
    return [
        f"cached on disk: {one.name}() at {found.source.line_words(one.line)} reads "
        f"{', '.join(one.reads)}; an override of these does not renew its results"
        for one in find_cached(found.source)
        if one.reads
    ]


def start_lines(found: Inspection) -> list[str]:
    """Lines that say how the script starts."""
    entry = found.entrypoint
    lines = [f"entrypoint: {_guards_and_calls(entry, found.source)}"]
    if entry.marked:
        lines[0] = f"entrypoint: {entry.marked}(), marked with @kohaku_ast.entrypoint"
    if entry.reads_argv:
        lines.append("reads sys.argv: pass arguments after --")
    return lines


def _guards_and_calls(entry: Entrypoint, source: Source) -> str:
    guards = ", ".join(source.line_words(line).removeprefix("line ") for line in entry.guards)
    at = "at" if guards.startswith("cell") else "at line"
    where = f"guard{'s' * (len(entry.guards) > 1)} {at} {guards}"
    if len(entry.guards) == len(entry.calls) == 1:
        return f"{where} calls {entry.calls[0].text}"
    calls = [f"{source.line_words(call.line)} calls {call.text}" for call in entry.calls]
    if entry.guards or calls:
        return "; ".join([where] * bool(entry.guards) + calls)
    return "none, the module runs from top to bottom"
