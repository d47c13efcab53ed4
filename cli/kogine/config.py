"""``kogine config``: look at, check, make, compare and convert config files."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from kogine.reader import Arguments, read
from kogine.subcommands import start_subcommand

from kohaku_ast.errors import UsageError, unknown

Table = tuple[tuple[str, bool, str], ...]
"""Rows of an option's name, whether it takes a value, and its help."""

_OUTPUT: Table = (
    ("-o", True, "FILE: write there instead of to standard output."),
    ("--output", True, "The same as -o."),
    ("--force", False, "Overwrite FILE if it is there."),
)

CONFIG_COMMANDS: dict[str, tuple[Table, str, str]] = {
    "show": (
        (
            ("--script", True, "SCRIPT: also what each value replaces there, and whether it fits."),
            ("-n", True, "N: show at most N runs of a sweep (20)."),
            ("--format", True, "table or json."),
        ),
        "CONFIG ...",
        "Show what a config says: each value and where it comes from; of a sweep, its runs.",
    ),
    "check": (
        (
            ("--config", True, "A config file; several stack, later ones win."),
            ("--sweep", True, "TARGET=AXIS: axes as kogine run takes them."),
            ("--zip", True, "TARGETS: pair these axes."),
            ("--trials", True, "TABLE: the rows of a csv, json or yaml file."),
        ),
        "SCRIPT",
        "Check configs against a script without running the script; status 1 if they do not fit.",
    ),
    "init": (
        (*_OUTPUT, ("--all", False, "Also derived names, imports and the rest, commented out.")),
        "SCRIPT",
        "Write a config to edit, with the values and comments of a script.",
    ),
    "diff": (
        (),
        "CONFIG CONFIG",
        "Show where two configs differ; status 1 if they do.",
    ),
    "migrate": (
        (("--script", True, "SCRIPT: whose definitions the config is for."), *_OUTPUT),
        "FILE",
        "Make a config of a script's options, of a YAML or Hydra config, or of KohakuEngine's.",
    ),
}
"""Command -> its options, what stands behind it, and its help."""


def config(arguments: list[str]) -> Callable[[], int]:
    """Read and check everything; what comes back prints, and gives the exit status."""
    places = {name: f"config_{name}:{name}" for name in CONFIG_COMMANDS}
    return start_subcommand("config", places, arguments)


def read_files(command: str, arguments: list[str], least: int = 1, most: int = 1) -> Files:
    """*arguments* of ``kogine config COMMAND`` taken apart; raises UsageError."""
    table, usage, _ = CONFIG_COMMANDS[command]
    files, options = _split(arguments, table)
    if not least <= len(files) <= most:
        what = {0: "no file given", 1: "one file given"}.get(
            len(files), f"{len(files)} files given"
        )
        raise UsageError(f"{what}: kogine config {command} {usage}")
    return Files(files, read(options, table))


class Files:
    """What the command line of a config command says."""

    def __init__(self, names: list[str], options: Arguments) -> None:
        #: The files, in order.
        self.names = names
        self.options = options

    @property
    def output(self) -> str:
        """The file to write; empty for standard output."""
        return self.options.value("--output") or self.options.value("-o")

    def format(self) -> str:
        """``table`` or ``json``; raises UsageError for anything else."""
        form = self.options.value("--format", "table")
        if form not in ("table", "json"):
            raise UsageError(unknown("format", form, ["table", "json"]))
        return form


def _split(arguments: list[str], table: Table) -> tuple[list[str], list[str]]:
    """The files, and the options with their values."""
    takes_value = {name: value for name, value, _ in table}
    takes_value |= {"-c": True} if "--config" in takes_value else {}
    files: list[str] = []
    options: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        name, equals, _ = argument.partition("=")
        if name in takes_value:
            options.append(argument)
            if takes_value[name] and not equals:
                options += list(islice(waiting, 1))
        elif argument.startswith("-") and argument != "-":
            raise UsageError(unknown("option", name, list(takes_value)))
        else:
            files.append(argument)
    return files, options
