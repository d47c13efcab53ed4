"""The options of ``kogine run``, once: the quick reader and the help are made from this table."""

from __future__ import annotations

#: name, whether it takes a value, help
RUN_OPTIONS: tuple[tuple[str, bool, str], ...] = (
    ("--set", True, "TARGET=VALUE: another value for a definition of the script."),
    ("--config", True, "A config file; several stack, later ones win."),
    ("--add", True, "NAME=VALUE: a global that the script does not define."),
    ("--as-is", False, "Take text values as Python literals, else text; skip type checks."),
    ("--entrypoint", True, "Call this function after the module, instead of the guard."),
    ("--inspect", False, "List what can be overridden; run nothing."),
    ("--all", False, "With --inspect: also derived names, imports and the rest."),
    ("--modules", False, "With --inspect: also settings of the local modules that it imports."),
    ("--format", True, "With --inspect: table, json or py."),
)
SHORT = {"-c": "--config", "-s": "--set", "-e": "--entrypoint"}
