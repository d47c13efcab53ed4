"""``kogine config migrate``: a config of an argparse script, or of another tool's config."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable

from kogine.config_script import inspect_script
from kogine.source import show_syntax_error
from kogine.written import Output

from kohaku_ast.errors import UsageError
from kohaku_ast.migrate.migration import Migrated
from kohaku_ast.transform.find.inspection import Inspection
from kohaku_ast.transform.find.options import find_options
from kohaku_ast.transform.find.source import Source, decode, read_bytes

_YAML = (".yaml", ".yml", ".json")


def start_migrate(file: str, script_name: str, output: Output) -> Callable[[], int]:
    """Write the config or, with what comes back, print it; status 1 if anything was left out."""
    try:
        script = inspect_script(script_name) if script_name else None
        made = _migrated(file, script)
    except SyntaxError as error:
        status = show_syntax_error(error)
        return lambda: status
    printing = output.deliver(made.with_heading(file), file)
    return lambda: printing() or _report(made)


def _report(made: Migrated) -> int:
    """Say what is left out, below the text, where it is seen; the exit status."""
    for one in made.not_carried_over:
        sys.stderr.write(f"kogine: not carried over: {one}\n")
    return int(bool(made.not_carried_over))


def _migrated(file: str, script: Inspection | None) -> Migrated:
    """By what *file* is."""
    end = os.path.splitext(file)[1].lower()
    if end in _YAML:
        from kohaku_ast.migrate.hydra import migrate_yaml

        return migrate_yaml(file, script)
    if end == ".toml":
        raise UsageError(f"{file} is a config already: kogine run SCRIPT --config {file}")
    source = decode(read_bytes(file), file)
    if _names(source, "kohakuengine"):
        return _kohaku(source, file, script)
    if find_options(source.tree):
        from kohaku_ast.migrate.argparse_options import migrate_options

        return migrate_options(inspect_script(file), file, script)
    if _is_program(source):
        raise UsageError(
            f"{file}: declares no options. Its other settings: kogine config init {file}"
        )
    return _kohaku(source, file, script)


def _kohaku(source: Source, file: str, script: Inspection | None) -> Migrated:
    from kohaku_ast.migrate.kohakuengine import migrate_kohakuengine

    return migrate_kohakuengine(source, file, script)


def _names(source: Source, package: str) -> bool:
    """Whether *source* imports *package*."""
    names: list[str] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return any(name.split(".")[0] == package for name in names)


def _is_program(source: Source) -> bool:
    """Whether *source* is a script, and no config."""
    from kohaku_ast.transform.find.bindings import find_guards

    return bool(find_guards(source.tree))
