"""``kogine config init`` and ``migrate``: write a config from a script or another tool's config."""

from __future__ import annotations

import ast
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence

from kogine.report import Output
from kogine.script_command import inspect_script

from kohaku_ast.config.template import NO_ANSWERS, config_text, data_text
from kohaku_ast.errors import UsageError, visible
from kohaku_ast.migrate.migration import Migrated
from kohaku_ast.runner.launch import split_function
from kohaku_ast.transform.find.inspection import Inspection
from kohaku_ast.transform.find.options import find_options
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.source import Source, decode, read_bytes


def start_init(script: str, output: Output, everything: bool) -> Callable[[], int]:
    """Write the config; the result prints it if there is no file to write. Raises SyntaxError."""
    found = inspect_script(script)
    listed = found.listed(everything)
    return output.deliver(init_text(found, listed, script, output.path), script)


def init_text(
    found: Inspection,
    listed: Sequence[Parameter],
    script: str,
    path: str,
    answers: Mapping[str, str] = NO_ANSWERS,
) -> bytes:
    """The config for *listed* parameters of *script*, in the format of *path*."""
    form = form_of(path)
    write = config_text if form == "py" else data_text
    name = shlex.quote(path) if path else "THIS_FILE"
    own = _path_from(path, script)
    return _encoded(write(found, listed, shlex.quote(script), name, own, answers))


def form_of(path: str) -> str:
    """``py``, ``yaml``, ``toml`` or ``json``, by the ending of the config *path*; raises
    UsageError.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in ("", ".py", ".toml", *_YAML):
        raise UsageError(f"--output {path}: a config ends in .py, .yaml, .toml or .json")
    return ending[1:].replace("yml", "yaml") or "py"


def _path_from(output: str, script: str) -> str:
    """The path of *script* from the folder of *output*; empty if it cannot be written there."""
    if not output:
        return ""
    folder = os.path.dirname(os.path.abspath(output))
    try:
        path = os.path.relpath(split_function(script)[0], folder).replace(os.sep, "/")
        path.encode("utf-8")
    except ValueError:  # on another drive, or a name of other bytes
        return ""
    return path if visible(path) == path else ""


def _encoded(text: str) -> bytes:
    """*text* with the bytes of the script that are no UTF-8."""
    return text.encode("utf-8", "surrogateescape")


_YAML = (".yaml", ".yml", ".json")


def start_migrate(file: str, script_name: str, output: Output) -> Callable[[], int]:
    """Write the config; the result prints it if there is no file to write, and gives 1 if something
    was not carried over. Raises SyntaxError.
    """
    script = inspect_script(script_name) if script_name else None
    migrated = _migrated(file, script)
    deliver = output.deliver(_encoded(migrated.with_heading(file)), file)
    return lambda: deliver() or _report(migrated)


def _report(migrated: Migrated) -> int:
    """Print what was not carried over, below the config, where it is read; the exit status."""
    for one in migrated.not_carried_over:
        sys.stderr.write(f"kogine: not carried over: {one}\n")
    return int(bool(migrated.not_carried_over))


def _migrated(file: str, script: Inspection | None) -> Migrated:
    """The config made from *file*, by its kind."""
    end = os.path.splitext(file)[1].lower()
    if end in _YAML:
        from kohaku_ast.migrate.hydra import migrate_yaml

        return migrate_yaml(file, script)
    if end == ".toml":
        raise UsageError(f"{file} is a config already: kogine run SCRIPT --config {file}")
    source = decode(read_bytes(file), file)
    if _imports(source, "kohakuengine"):
        return _migrate_kohakuengine(source, file, script)
    if find_options(source.tree):
        from kohaku_ast.migrate.argparse_options import migrate_options

        return migrate_options(inspect_script(file), file, script)
    if _is_program(source):
        raise UsageError(
            f"{file}: declares no options. Its other settings: kogine config init {file}"
        )
    return _migrate_kohakuengine(source, file, script)


def _migrate_kohakuengine(source: Source, file: str, script: Inspection | None) -> Migrated:
    """The config made from a config of KohakuEngine."""
    from kohaku_ast.migrate.kohakuengine import migrate_kohakuengine

    return migrate_kohakuengine(source, file, script)


def _imports(source: Source, package: str) -> bool:
    """Whether *source* imports *package*."""
    names: list[str] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return any(name.split(".")[0] == package for name in names)


def _is_program(source: Source) -> bool:
    """Whether *source* is a script and not a config: it has a guard."""
    from kohaku_ast.transform.find.bindings import find_guards

    return bool(find_guards(source.tree))
