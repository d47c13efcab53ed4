"""What may stand in place of the last word of a command line, by the tables of the commands.

Reads as ``reader.py`` does, but takes every mistake for something that is not finished yet.
"""

from __future__ import annotations

from kogine.complete_files import CONFIGS, SCRIPTS, TABLES, Candidate, find_files, find_modules
from kogine.complete_targets import Scripted
from kogine.options import SHORT
from kogine.tables import COMMANDS, GROUPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kogine.tables import Command, Table

_HELP = ("--help", False, "Show what the command does, and its options.")
_FILES = {"--config": CONFIGS, "--trials": TABLES, "--script": SCRIPTS, "--output": ("",)}
_METAVARS = {
    "FILE": ("",), "CONFIG": CONFIGS, "SCRIPT": SCRIPTS, "FLOW.py": SCRIPTS,
    "FLOW.py[:NAME]": SCRIPTS,
}  # fmt: skip
"""What the word at the start of an option's help, or of a command's usage, stands for."""


def complete_words(words: list[str]) -> list[Candidate]:
    """The candidates for the last of *words*, which stand behind ``kogine``."""
    table: Mapping[str, Command] = COMMANDS
    names = {**{name: row[2] for name, row in COMMANDS.items()}}
    names |= {name: text for name, (_, text) in GROUPS.items()}
    if len(words) > 1 and words[0] in GROUPS:
        table, words = GROUPS[words[0]][0], words[1:]
        names = {name: row[2] for name, row in table.items()}
    if len(words) < 2:
        return _starting(words[-1] if words else "", {**names, "--help": _HELP[2]})
    return _Written(words, *table[words[0]][:2]).candidates() if words[0] in table else []


def _starting(typed: str, named: Mapping[str, str]) -> list[Candidate]:
    """The names that start with *typed*; options only if that begins with a dash."""
    return [
        (name, text, True)
        for name, text in named.items()
        if name.startswith(typed) and (typed.startswith("-") or not name.startswith("-"))
    ]


class _Written:
    """The command line of one command, up to the word to complete."""

    def __init__(self, words: list[str], table: Table, usage: str) -> None:
        *before, self.current = words[1:]
        self.table = {name: (takes, text) for name, takes, text in [*table, _HELP]}
        #: What the command takes besides options: ``SCRIPT``, ``CONFIG``, ``bash|zsh|fish``.
        self.usage = usage.split() or [""]
        self.takes_targets = "[TARGET=VALUE" in self.usage
        self.operands: list[str] = []
        self.given: dict[str, list[str]] = {}
        #: The option whose value the current word is, or "".
        self.pending = ""
        self.is_behind_dashes = "--" in before
        for word in before[: before.index("--")] if self.is_behind_dashes else before:
            self._read(word)

    def _read(self, word: str) -> None:
        name, equals, text = word.partition("=")
        name = SHORT.get(name, name)
        if self.pending:
            self.given.setdefault(self.pending, []).append(word)
            self.pending = ""
        elif name in self.table and equals:
            self.given.setdefault(name, []).append(text)
        elif name in self.table and self.table[name][0]:
            self.pending = name
        elif name == "-m" and self.takes_targets and not self.operands:
            self.pending = "-m"
        elif equals and (self.operands or word.startswith("-")):
            self.given.setdefault("--set", []).append(word)
        elif word.startswith("-") and word != "-":
            self.given.setdefault(name, [])
        else:
            self.operands.append(word)

    def candidates(self) -> list[Candidate]:
        """The candidates for the current word."""
        if self.is_behind_dashes:
            return find_files(self.current)
        if self.pending:
            return self.values(self.pending, self.current)
        name, equals, text = self.current.partition("=")
        if equals and name in self.table:
            found = self.values(name, text)
            return [(f"{name}={word}", shown, done) for word, shown, done in found]
        if self.current.startswith("-"):
            return [*self.options(), *(self.scripted().assignments(self.current))]
        return self.operand()

    def options(self) -> list[Candidate]:
        """The options that may still be given: one without a value is given once."""
        known = {
            name: _described(text)
            for name, (takes, text) in self.table.items()
            if takes or name not in self.given
        }
        return _starting(self.current, known)

    def operand(self) -> list[Candidate]:
        """What stands without a dash at this place."""
        if self.takes_targets and (self.operands or "-m" in self.given):
            return self.scripted().assignments(self.current)
        if len(self.operands) >= len(self.usage) and "..." not in self.usage:
            return []
        if "|" in self.usage[0]:
            return _starting(self.current, dict.fromkeys(self.usage[0].split("|"), ""))
        return self.script()

    def script(self) -> list[Candidate]:
        """Files for the operand; behind the colon of a script, its functions."""
        path, colon, typed = self.current.rpartition(":")
        if colon and self.takes_targets:
            found = Scripted(path).functions(typed)
            return [(f"{path}:{name}", shown, done) for name, shown, done in found]
        return find_files(self.current, _METAVARS.get(self.usage[0], ("",)))

    def scripted(self) -> Scripted:
        """The script that the command line names."""
        given = [*self.given.get("--set", []), *self.given.get("--sweep", [])]
        modules = self.given.get("-m", [])
        scripts = modules or (self.operands if self.usage[0] == "SCRIPT" else [])
        return Scripted(scripts[0] if scripts else "", bool(modules), given)

    def values(self, option: str, typed: str) -> list[Candidate]:
        """What *option* may be given."""
        if option == "-m":
            return find_modules(typed)
        if option == "--entrypoint":
            return self.scripted().functions(typed)
        if option == "--set":
            return self.scripted().assignments(typed)
        if option == "--sweep":
            return self.scripted().axes(typed)
        if option == "--zip":
            return self.scripted().names(typed, self.given.get("--sweep", []))
        text = self.table[option][1]
        metavar = text.partition(":")[0]
        if option in _FILES or metavar in _METAVARS:
            return find_files(typed, _FILES.get(option) or _METAVARS[metavar])
        return _starting(typed, dict.fromkeys(_choices(text), ""))


def _described(text: str) -> str:
    """The help of an option without the word that stands for its value."""
    metavar, colon, rest = text.partition(": ")
    return rest if colon and metavar.isupper() else text


def _choices(text: str) -> list[str]:
    """``"With --inspect: table, json or py."`` -> its three words; [] for other help."""
    words = text.rpartition(": ")[2].rstrip(".").replace(" or ", ", ").split(", ")
    return words if len(words) > 1 and all(map(str.isidentifier, words)) else []
