"""What a mistyped command line was meant to be: the messages for words that nobody takes, with the
words that do what was meant. Imported for an error only.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Sequence

from kogine.script_command import launch_to_read

from kohaku_ast.config.cells import find_commas
from kohaku_ast.errors import KogineError, UsageError, did_you_mean, unknown

_PYTHONS = ("python", "python3", "py")
_LISTS = ("inspect", "list", "params", "parameters", "options", "settings", "ls")
_SWEEPS = ("sweep", "multirun", "grid", "-m", "--multirun")
_RUNS = ("exec", "execute", "start", "launch")
_SEARCHES = ("search", "tune", "optimize")
_GROUPS = {
    "config": ("show", "check", "init", "diff", "migrate"),
    "workflow": ("sequential", "parallel"),
    "pipeline": ("graph", "export", "step"),
    "system": ("graph", "compile"),
    "runs": (
        "ls", "show", "logs", "best", "compare", "diff", "export", "repeat", "reproduce", "tag",
        "note", "rm", "restore", "gc", "stop", "reindex", "report", "verify", "watch",
    ),
    "cache": ("ls", "why", "rm", "gc", "verify"),
}  # fmt: skip
"""Group -> its commands, but for those that are commands of kogine itself."""
_CLOSED_BY = {"[": "]", "(": ")", "{": "}"}


_USUAL = {
    "d": "--dry-run", "f": "--format", "j": "--workers", "o": "--output", "p": "--workers",
    "q": "--quiet", "t": "--timeout", "v": "--version", "w": "--workers",
}  # fmt: skip
"""Letter -> the option that it is short for in other programs."""


def option_hint(name: str, known: Iterable[str], command: str, cutoff: float = 0.75) -> str:
    """For the end of a message about the option *name*, which *command* does not have: one of the
    *known* that looks like it. A letter is like its own options alone: ``-o`` is not ``-s``.
    """
    names = [one for one in known if one.startswith("--") or one.casefold() == name.casefold()]
    letter = re.match(r"-(\w)\d*$", name)
    if letter is None or name in names:
        return did_you_mean(name, names, cutoff)
    usual = _USUAL.get(letter[1].lower(), "")
    begun = [one for one in names if one.lstrip("-").startswith(letter[1].lower())]
    begun = begun if not usual or len(begun) > 1 else []
    same = [one for one in names if not one.startswith("--")]  # -C for -c
    found = same or ([usual] if usual in names else begun)
    if not found or len(found) > 3:
        return f" '{command} --help' lists the options."
    return f" Did you mean {' or '.join(map(repr, dict.fromkeys(found)))}?"


def meant_command(words: Sequence[str], known: Iterable[str]) -> str:
    """The message for a command line of kogine that starts with a word that is no command."""
    name, rest = words[0], [*words[1:]]
    meant: list[str] = []
    others = [[group, *words] for group, inner in _GROUPS.items() if name in inner]
    if name in _LISTS and rest:
        meant = ["run", "--inspect", *rest]
    elif name in _SWEEPS and rest:
        meant = ["run", rest[0], *as_axes(rest[1:])]
    elif name in _SEARCHES and rest:
        script, *more = script_first(rest)
        meant = ["run", script, *as_axes(more), *_searching(more)]
    elif others:
        meant = others.pop(0)
    elif name in (*_PYTHONS, *_RUNS) and rest:
        meant = ["run", *rest]
    elif "=" in name and rest and not os.path.exists(name):
        meant = ["run", *script_first(words)]
    elif os.path.exists(name) or name.endswith(".py"):
        return f"{name!r} is not a command. To run it: kogine run {shlex.join(words)}"
    elif os.path.exists(f"{name}.py"):
        meant = ["run", f"{name}.py", *rest]
    if not meant:
        return unknown("command", name, known)
    lines = [shlex.join(["kogine", *one]) for one in (meant, *others)]
    return f"{name!r} is not a command. Did you mean: {', or '.join(lines)}"


def _searching(words: Sequence[str]) -> list[str]:
    """The options of a search that *words* lack."""
    lacking = {"--search": "optuna", "-n": "50", "--minimize": "loss"}
    if "--maximize" in words:
        del lacking["--minimize"]
    return [one for name, text in lacking.items() if name not in words for one in (name, text)]


def meant_option(option: str, words: Sequence[str], of_run: Iterable[str]) -> str:
    """A hint for an *option* before the command, if it is one of ``kogine run``."""
    if option not in of_run:
        return ""
    rest = [word for word in words if word != "run"]
    return f" It is an option of run: {shlex.join(['kogine', 'run', *rest])}"


def as_axes(words: Sequence[str]) -> list[str]:
    """*words* with ``--sweep`` before each ``lr=1,2`` and ``lr=range(1,9)``, as Hydra's multirun
    would take it.
    """
    is_of_hydra = any(word.endswith((".yaml", ".yml")) for word in words)
    made: list[str] = []
    for before, word in zip(["", *words], words):
        target, equals, value = word.partition("=")
        axis = "" if word.startswith("-") or before in _VALUED or not equals else _as_axis(value)
        name = target if is_of_hydra else target.lstrip("+")
        made += ["--sweep", f"{name}={axis}"] if axis else [word]
    return made


_VALUED = ("--sweep", "--set", "-s", "--zip", "--trials", "--add", "--as-is")
_SWEEP_CALL = re.compile(r"(range|choice|interval)\(([^()]*)\)")


def _as_axis(value: str) -> str:
    """The values of an axis in Hydra's form; "" for one value."""
    call = _SWEEP_CALL.fullmatch(value.strip())
    if call is None:
        return value if find_commas(value) else ""
    if call[1] == "choice":
        return call[2].replace(", ", ",")
    form = {"range": "range", "interval": "uniform"}[call[1]]
    return ":".join([form, *(part.strip() for part in call[2].split(","))])


def script_first(words: Sequence[str]) -> list[str]:
    """*words* with the first that is a file before all others."""
    scripts = [word for word in words if os.path.isfile(word)]
    return [*scripts[:1], *(word for word in words if word not in scripts[:1])]


# --- a word where the script stands --------------------------------------------------------------


def refuse_before_script(command: str, word: str, rest: Sequence[str]) -> None:
    """Raise UsageError for a *word* in the place of the script, if a later one is the script."""
    if os.path.exists(word) or not any(map(os.path.isfile, rest)):
        return
    if word in _PYTHONS:
        meant = shlex.join([*command.split(), *rest])
        raise UsageError(f"{word!r} is no script: kogine starts Python itself: {meant}")
    if "=" in word:
        meant = shlex.join([*command.split(), *script_first([word, *rest])])
        raise UsageError(f"{word!r} comes after the script: {meant}")


# --- words that the shell has split --------------------------------------------------------------


def refuse_split_word(word: str, rest: Sequence[str]) -> None:
    """Raise UsageError if *word* goes on in *rest*: ``lr = 0.1``, ``layers=[1, 2]``."""
    if rest and "=" not in word and rest[0].startswith("="):
        parts = [word, *rest[: 2 if rest[0] == "=" else 1]]
        raise UsageError(
            f"{' '.join(parts)!r} is {len(parts)} words: write it without blanks: "
            f"{shlex.quote(''.join(parts))}"
        )
    _, equals, value = word.partition("=")
    if not equals or not _is_open(value):
        return
    for count in range(1, len(rest) + 1):
        whole = " ".join([word, *rest[:count]])
        if rest[count - 1].startswith("-") and not rest[count - 1][1:2].isdigit():
            return  # an option: the bracket stays open
        if not _is_open(whole.partition("=")[2]):
            raise UsageError(
                f"{whole!r} reached kogine as {count + 1} words: put it in quotes: "
                f"{shlex.quote(whole)}"
            )


def _is_open(text: str) -> bool:
    """Whether a bracket of *text* has no end."""
    waiting: list[str] = []
    quote = ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in _CLOSED_BY:
            waiting.append(_CLOSED_BY[character])
        elif waiting and character == waiting[-1]:
            waiting.pop()
    return bool(waiting)


# --- words behind the script ---------------------------------------------------------------------


class Meant:
    """What words of one command line, which are no override and no option, were meant to be."""

    def __init__(
        self,
        command: str,
        words: Sequence[str],
        scripts: Sequence[str],
        is_module: bool,
        runs: bool,
    ) -> None:
        """*command* is its name, *words* are all after it, *scripts* are those before the word;
        *runs*: it starts them.
        """
        self.command, self.words, self.scripts = command, words, scripts
        self.is_module, self.runs = is_module, runs

    def refuse_prefix(self, word: str, *, is_hydra: bool) -> None:
        """Raise UsageError for Hydra's ``+lr=1``, ``++lr=1`` and ``~lr``; *is_hydra*: the script
        reads its arguments with Hydra, and would understand it.
        """
        name, equals, value = word.lstrip("+~").partition("=")
        is_name = re.fullmatch(r"[^\W\d][\w.@/-]*", name) is not None
        if word[:1] not in ("+", "~") or not is_name or (word[0] == "+" and not equals):
            return
        if word[0] == "~" and "/" in name:
            return  # the home of a user
        own = f". For Hydra itself: {self._after_dashes(word)}" if is_hydra else ""
        if word[0] == "~":
            raise UsageError(
                f"{word!r} removes a key in Hydra, and no definition can be removed: give {name!r} "
                f"another value, such as {name}=None{own}"
            )
        is_known = any(self._has(script, name) for script in self.scripts)
        way = f"{name}={value}" if is_known else f"--add {name}={value}"
        what = "defines" if is_known else "does not define"
        raise UsageError(
            f"{word!r}: the script {what} {name!r}: write {way}, without Hydra's '+'{own}"
        )

    def unknown_option(self, word: str, known: Iterable[str], rest: Sequence[str]) -> str:
        """The message for an option that neither kogine nor the script has."""
        name, equals, text = word.partition("=")
        following = [] if equals or not rest or rest[0].startswith("-") else [rest[0]]
        if name in ("-m", "--multirun"):
            return self._multirun(name)
        value = text if equals else following[0] if following else "VALUE"
        hint = self._target(name, value) or option_hint(name, known, self.command)
        if not self.scripts:
            return f"No such option {name!r}.{self._after_script(word, rest) or hint}"
        script = self.scripts[0]
        if not self.runs:
            return f"No such option {name!r}.{hint}"
        return (
            f"No such option {name!r}, neither of kogine nor of {script}.{hint} If it is an "
            f"argument of the script, write it after '--': {self._after_dashes(word, *following)}"
        )

    def _multirun(self, name: str) -> str:
        words = [word for word in self.words if word not in ("-m", "--multirun")]
        axes = as_axes(words)
        if axes != words:
            meant = shlex.join([*self.command.split(), *axes])
            return f"{name} is Hydra's multirun; an axis of a sweep is --sweep here: {meant}"
        if name == "-m":
            return f"-m goes before the name of the module: {self.command} -m NAME"
        return f"No such option {name!r}. An axis of a sweep is --sweep lr=0.1,0.2"

    def _after_script(self, word: str, rest: Sequence[str]) -> str:
        """A hint for ``--lr=0.1 train.py``: values and options of the script come after it."""
        name, equals, text = word.partition("=")
        target = name.lstrip("-").replace("-", "_")
        words = [*rest] if equals or not rest or os.path.isfile(rest[0]) else [*rest[1:]]
        value = text if equals or words == [*rest] else rest[0]
        script = next((one for one in words if os.path.isfile(one)), "")
        if script and self._has(script, target):
            given = f"{target}={value or 'VALUE'}"
            meant = [*self.command.split(), *script_first([given, *words])]
            return f" Did you mean: {shlex.join(meant)}"
        return ""

    def unexpected(self, word: str, before: str, rest: Sequence[str]) -> str:
        """The message for a plain *word*; *before* is the override before it, or ""."""
        if not self.runs:
            return f"unexpected argument {word!r}: an override is TARGET=VALUE"
        if before.endswith("="):
            whole = shlex.quote(before + word)
            return f"'{before} {word}' is 2 words: write it without blanks: {whole}"
        name, colon, text = word.partition(":")
        if name.isidentifier() and any(self._has(script, name) for script in self.scripts):
            value = text if colon and text else rest[0] if rest and "=" not in rest[0] else "VALUE"
            no_value = f"gives no value to {name!r}" if colon else "has no value"
            return f"{word!r} {no_value}: write {shlex.quote(f'{name}={value}')}"
        return (
            f"unexpected argument {word!r}: an override is TARGET=VALUE, and the text of "
            f"{self.scripts[0]} does not read any arguments. If it is an argument all the same, "
            f"write it after '--': {self._after_dashes(word)}"
        )

    def _after_dashes(self, *words: str) -> str:
        """The command line with *words* as arguments."""
        return shlex.join([*self.command.split(), self.scripts[0], "--", *words])

    def _target(self, name: str, value: str) -> str:
        """A hint, if a script has a parameter with the name of the option."""
        target = name.lstrip("-").replace("-", "_")
        if any(self._has(script, target) for script in self.scripts):
            return f" Did you mean {target}={value}?"
        return ""

    def _has(self, script: str, target: str) -> bool:
        """Whether *target* is a parameter of *script*."""
        from kohaku_ast.transform.find.parameters import find_parameters
        from kohaku_ast.transform.find.source import decode
        from kohaku_ast.transform.find.targets import Targets

        try:
            launch = launch_to_read(script, self.is_module)
            if launch is None:
                return False
            source = decode(launch.data, launch.filename, launch.path0, launch.package)
            Targets(source, find_parameters(source)).resolve(target)
        except (KogineError, SyntaxError, ValueError):
            return False
        return True
