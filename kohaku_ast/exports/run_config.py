"""A recorded run as a Python config that needs nothing else and gives the run the same identity."""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from hashlib import sha256
from types import ModuleType
from typing import Any

from kohaku_ast.config.config import Config
from kohaku_ast.config.siblings import Siblings
from kohaku_ast.errors import KogineError, UsageError, visible
from kohaku_ast.exports.value_code import Code, ValueCode, run_text
from kohaku_ast.frames import contextmanager
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.launch import Launch, find_launch
from kohaku_ast.store.identity import identity, program_hash
from kohaku_ast.store.pipeline_record import PIPELINE
from kohaku_ast.store.record import Record
from kohaku_ast.store.reproduce import check_has_values
from kohaku_ast.store.values import is_whole, read, text_of

_NEW = "new global"
"""The origin of a global that the script does not define."""
_WIDEST = 88


def config_of_run(record: Record, name: str = "THIS_FILE") -> bytes:
    """The text of a config called *name* with the values and arguments of the run of *record*.

    Raises UsageError for values that have no text, by name; and if today's script is that of the
    run, and would not get the same identity.
    """
    check_has_values(record)
    if record.facts.get("kind") == PIPELINE:
        raise UsageError(
            f"the run {record.folder.name!r} is of a pipeline, and a config gives values to a "
            f"script. To run it again: kogine runs repeat {record.folder.name}"
        )
    fields = _fields(record)
    lost = {key: one for key, one in _every(fields) if not is_whole(one)}
    _check_are_kept(record, {key: one for key, one in lost.items() if not one.get("object")})
    code = ValueCode(record)
    try:
        with _modules_beside(record, bool(lost)):
            # Read, and not copied: a record may be from somebody else, and a config is run.
            values = {field: _read(forms, code) for field, forms in fields.items()}
            text = _text(record, values, name, code)
            _check_identity(record, _config_of(text) if lost else Config(**values))
    except KogineError:
        raise
    except (ValueError, TypeError, LookupError, SyntaxError, ImportError) as error:
        raise UsageError(f"the record {record.folder.name!r} is damaged: {error}") from error
    return text.encode("utf-8", "backslashreplace")


def _check_are_kept(record: Record, lost: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise UsageError if there are values of which the store has only a text: *lost*."""
    if lost:
        listed = ", ".join(f"{name!r} ({form.get('type')})" for name, form in lost.items())
        raise UsageError(
            f"the run {record.folder.name!r} cannot be written as a config: only the start of the "
            f"text of {listed} was recorded. Write a config that makes these values"
        )


@contextmanager
def _modules_beside(record: Record, is_needed: bool) -> Iterator[None]:
    """Inside, today's modules beside the script of *record* can be imported."""
    if not is_needed:
        yield
        return
    folder = os.path.dirname(str(record.facts["script"]["file"]))
    with Siblings().visible(folder, ModuleType("kogine_config")):
        yield


def _config_of(text: str) -> Config:
    """The Config that *text* makes."""
    found: Config = run_text(text, "kogine_config")["CONFIG"]
    return found


def _read(forms: Any, code: ValueCode) -> Any:
    def value(form: Any) -> Any:
        return read(form) if is_whole(form) else code.of(form)

    if isinstance(forms, dict):
        return {str(key): value(one) for key, one in forms.items()}
    return [*map(value, forms)]


def _fields(record: Record) -> dict[str, Any]:
    """Field of a Config -> its values: forms of run.json."""
    facts = record.facts
    values: dict[str, Mapping[str, Any]] = {}
    args: dict[int, Mapping[str, Any]] = {}
    kwargs: dict[str, Mapping[str, Any]] = {}
    names: dict[str, Mapping[str, Any]] = {}
    for one in facts.get("overrides", ()):
        target, entrypoint = str(one["target"]), str(facts["script"].get("entrypoint") or "")
        argument = _argument(target, entrypoint)
        if one.get("origin") == _NEW:
            names[target] = one
        elif argument.isdigit() and one.get("origin") == "Config":
            args[int(argument)] = one
        elif argument and one.get("origin") == "Config":
            kwargs[argument] = one
        else:
            values[target] = one
    return {
        "globals_dict": values,
        "args": [args[number] for number in sorted(args)],
        "kwargs": kwargs,
        "argv": [{"json": one} for one in facts.get("argv", ())[1:]],
        "metadata": {k: v for k, v in (facts.get("metadata") or {}).items() if is_whole(v)},
        "new_globals": names,
        "outputs": [{"json": one} for one in facts.get("wanted", ())],
        "inputs": [{"json": str(one["path"])} for one in facts.get("inputs") or ()],
        "artifacts": [{"json": one} for one in facts.get("artifact_patterns") or ()],
    }


def _argument(target: str, entrypoint: str) -> str:
    """The number or name of the argument of the starting call that *target* means; or empty."""
    found = re.fullmatch(rf"{re.escape(entrypoint)}\((?:#(\d+)|(\w+))\)", target)
    return (found[1] or found[2]) if entrypoint and found else ""


def _every(fields: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in ("globals_dict", "kwargs", "new_globals"):
        yield from fields[name].items()
    yield from ((f"argument {number}", one) for number, one in enumerate(fields["args"], 1))


# --- text ----------------------------------------------------------------------------------------


def _text(record: Record, values: Mapping[str, Any], name: str, code: ValueCode) -> str:
    shown = [f"    {field}={_shown(value)},\n" for field, value in values.items() if value]
    body = f"CONFIG = Config(\n{''.join(shown)})\n"
    imports = [line for word, line in _IMPORTS.items() if _has_name(body, word)]
    heading = [
        f"# The values of the run {record.folder.name}. To run it again:",
        f"# {_command(record, name)}",
    ]
    # On one line each: what is after a line end in a name would be code.
    comments = [" ".join(visible(one).splitlines()) for one in heading]
    own = "from kohaku_ast import Config"
    lines = [*comments, *imports, own, *code.lines, "", body]
    return "\n".join(lines)


def _has_name(text: str, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(ast.parse(text)))


_IMPORTS = {
    "inf": "from math import inf",
    "nan": "from math import nan",
    "Path": "from pathlib import Path",
    "numpy": "import numpy",
}
"""A name in the texts of values -> the line that defines it."""


def _command(record: Record, name: str) -> str:
    script = record.facts["script"]
    is_module = script.get("module") not in (None, "__main__")
    words = ["kogine", "run", *(["-m"] if is_module else []), record.script]
    entrypoint = script.get("entrypoint")
    words += ["--entrypoint", entrypoint] if entrypoint else []
    return shlex.join([*words, "--config", name])


def _shown(value: Any) -> str:
    """A list or dict of values."""
    if isinstance(value, list):
        return f"[{', '.join(map(_expression, value))}]"
    items = [f"{key!r}: {_expression(one)}" for key, one in value.items()]
    line = f"{{{', '.join(items)}}}"
    if len(line) <= _WIDEST:
        return line
    return "{\n" + "".join(f"        {one},\n" for one in items) + "    }"


def _expression(value: Any) -> str:
    return value.text if isinstance(value, Code) else text_of(value)


# --- the check -----------------------------------------------------------------------------------


def _check_identity(record: Record, config: Config) -> None:
    """Raise UsageError if *config* gives today's script another identity, although its
    program is the one of the run.
    """
    launch = _launch(record)
    if launch is None:
        return
    entrypoint = str(record.facts["script"].get("entrypoint") or "")
    folder = str(record.facts["cwd"])
    try:
        bound = Binder(launch, entrypoint=entrypoint, capture=True).bind(config)
        if program_hash(bound, folder) != record.facts["program"]:
            return  # a module has changed
        found = identity(bound, folder)
    except (KogineError, SyntaxError) as error:
        raise UsageError(f"the run {record.folder.name!r} has no config: {error}") from error
    if found != record.identity:
        raise UsageError(
            f"the run {record.folder.name!r} has no config: its values, written as Python, give it "
            "another identity"
        )


def _launch(record: Record) -> Launch | None:
    """Today's script; None if it is another text than that of the run, or cannot be found here."""
    script = record.facts["script"]
    if os.getcwd() != record.facts["cwd"] or record.script == "<stdin>":
        return None
    is_module = script.get("module") not in (None, "__main__")
    try:
        launch = find_launch(record.script, (), is_module)
    except KogineError:
        return None
    return launch if sha256(launch.data).hexdigest() == script["sha256"] else None
