"""Reads the arguments of commands that take a script.

On the warm path: ``import click`` alone takes longer than two starts of Python, so click is
imported for help and for the other commands only.
"""

from __future__ import annotations

from kogine.options import FLOW_OPTIONS, RUN_OPTIONS, SHORT

from kohaku_ast.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


_SHARED = {
    "-n", "--seed", "--trials", "--search", "--study", "--minimize", "--maximize",
    *(name for name, _, _ in FLOW_OPTIONS),
}  # fmt: skip
"""Options of ours that many scripts have as well."""


class Arguments:
    """What a command line with a script says."""

    __slots__ = (
        "argv",
        "flags",
        "given",
        "is_module",
        "joined",
        "more",
        "script",
        "sets",
        "values",
    )

    def __init__(self) -> None:
        self.script = ""
        #: Whether the script is a module's name, behind ``-m``.
        self.is_module = False
        #: The scripts after the first, for a command that takes several.
        self.more: list[str] = []
        #: Options of flows written as ``--seed=9`` behind the script, which may have one of that
        #: name itself.
        self.joined: list[tuple[str, str]] = []
        #: TARGET and text of each override, in order.
        self.sets: list[tuple[str, str]] = []
        #: Option -> what it was given, in order.
        self.values: dict[str, list[str]] = {}
        #: Option and what it was given, of all options in their order.
        self.given: list[tuple[str, str]] = []
        self.flags: set[str] = set()
        #: What stands behind ``--``, for the script.
        self.argv: list[str] = []

    def leave_to(self, script: bytes) -> None:
        """Take ``--seed=9`` as an override if the text of *script* has an option of that name:
        ours can be written before the script or apart, ``--seed 9``.
        """
        for name, text in self.joined:
            is_own = any(f"{mark}{name}{mark}".encode() in script for mark in "\"'")
            if is_own and (name, text) in self.given:
                self.given.remove((name, text))
                self.values[name].remove(text)
                self.sets.append((name, text))
                if not self.values[name]:
                    del self.values[name]

    def value(self, option: str, otherwise: str = "") -> str:
        """The last value of *option*."""
        return self.values.get(option, [otherwise])[-1]


def read(
    arguments: list[str],
    table: Sequence[tuple[str, bool, str]] = RUN_OPTIONS,
    takes_more: bool = False,
) -> Arguments:
    """*arguments* taken apart; *takes_more* than one script. Raises UsageError."""
    read = Arguments()
    takes_value = {name: value for name, value, _ in table}
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            read.argv = list(waiting)
            break
        name, equals, text = argument.partition("=")
        name = SHORT.get(name, name)
        if equals and read.script and name in _SHARED:
            read.joined.append((name, text))
        if equals and read.script and name in _SHARED and not takes_value.get(name, True):
            read.sets.append((name, text))  # no flag of ours has a value: it is the script's
        elif name in takes_value:
            _option(read, name, takes_value[name], text if equals else None, waiting)
        elif argument == "-m" and not read.script:
            read.script, read.is_module = next(waiting, ""), True
        elif not read.script and (argument == "-" or not argument.startswith("-")):
            read.script = argument
        elif takes_more and not argument.startswith("-") and not equals:
            read.more.append(argument)
        elif equals:
            read.sets.append(split_override(argument))
        else:
            raise UsageError(_unexpected(argument, read.script, list(takes_value)))
    return read


def _option(
    read: Arguments, name: str, takes_value: bool, text: str | None, waiting: object
) -> None:
    if not takes_value:
        if text is not None:
            raise UsageError(f"{name} takes no value")
        read.flags.add(name)
        return
    if text is None:
        text = next(waiting, None)  # type: ignore[call-overload]
        if text is None:
            raise UsageError(f"{name} needs a value")
    if name == "--set":
        read.sets.append(split_override(text))
    else:
        read.values.setdefault(name, []).append(text)
        read.given.append((name, text))


def split_override(argument: str) -> tuple[str, str]:
    """``"cfg.opt.name=sgd"`` -> ``("cfg.opt.name", "sgd")``: the first ``=`` outside brackets."""
    depth = 0
    for position, character in enumerate(argument):
        depth += (character in "([") - (character in ")]")
        if character == "=" and depth == 0:
            return argument[:position], argument[position + 1 :]
    raise UsageError(f"{argument!r} is not TARGET=VALUE")


def _unexpected(argument: str, script: str, known: list[str]) -> str:
    from kohaku_ast.errors import did_you_mean

    hint = did_you_mean(argument, known, cutoff=0.75) if argument.startswith("--") else ""
    if not script:
        return f"unknown option {argument!r}: options of the script come after '--'.{hint}"
    return (
        f"unexpected argument {argument!r}: an override is TARGET=VALUE, and what is meant for the "
        f"script comes after '--' (kogine run {script} -- {argument}).{hint}"
    )
