"""The types of options and operands: each checks its words and gives completion candidates."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from kogine.script_command import split_override, typed_override

from kohaku_ast.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from click.shell_completion import CompletionItem


Candidate: TypeAlias = "tuple[str, str, bool]"
"""The whole word, its description, and whether the word is complete with it."""

SCRIPTS = (".py",)
CONFIGS = (".py", ".yaml", ".yml", ".toml", ".json")
TABLES = (".csv", ".json", ".yaml", ".yml")


def find_files(typed: str, endings: Sequence[str] = ("",)) -> list[Candidate]:
    """Folders, and files that end in one of *endings*, whose path starts with *typed*."""
    folder, slash, start = typed.rpartition("/")
    shown = folder + slash
    found: list[Candidate] = []
    for name, is_folder in _entries(os.path.expanduser(shown) or ".", start):
        if is_folder and name != "__pycache__":
            found.append((f"{shown}{name}/", "", False))
        elif not is_folder and name.endswith(tuple(endings)):
            found.append((shown + name, "", True))
    return found


def find_modules(typed: str) -> list[Candidate]:
    """Modules and packages in the working folder whose dotted name starts with *typed*."""
    parents, dot, start = typed.rpartition(".")
    found: list[Candidate] = []
    for name, is_folder in _entries(os.path.join(".", *parents.split(".")), start):
        stem = name if is_folder else name.removesuffix(".py")
        is_module = stem.isidentifier() and (is_folder or stem != name)
        if is_module and not stem.startswith("__"):
            found.append((f"{parents}{dot}{stem}", "", not is_folder))
    return found


def _entries(folder: str, start: str) -> list[tuple[str, bool]]:
    """Name and whether it is a folder; hidden ones only if *start* has the dot."""
    try:
        with os.scandir(folder) as entries:
            found = [(one.name, one.is_dir()) for one in entries if one.name.startswith(start)]
    except (OSError, ValueError):
        return []
    return sorted(one for one in found if start.startswith(".") or not one[0].startswith("."))


SCRIPTED = "kogine.scripted"
"""Key of a context's ``meta``: a function that gives the ScriptCandidates of the command line."""


def items(candidates: Iterable[Candidate]) -> list[CompletionItem]:
    """*candidates* for the shells; ``done`` says whether the word is complete."""
    from click.shell_completion import CompletionItem  # a run does without

    return [CompletionItem(word, help=text, done=done) for word, text, done in candidates]


def _name(param: click.Parameter | None) -> str:
    return param.opts[-1] if param is not None and param.opts else "value"


class Whole(click.IntRange):
    """A whole number, written with ASCII digits alone."""

    name = "n"

    def __init__(self, least: int | None = None, most: int | None = None) -> None:
        super().__init__(least, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: Any) -> int:
        """The number; ``1_0``, other digits and a number outside the range are refused."""
        text = str(value)
        if not (text.isascii() and text.lstrip("+-").isdigit()):
            raise UsageError(f"{_name(param)} {text}: not a whole number")
        number = int(text)
        if self.min is not None and number < self.min:
            raise UsageError(f"{_name(param)} {text}: at least {self.min}")
        if self.max is not None and number > self.max:
            raise UsageError(f"{_name(param)} {text}: at most {self.max}")
        return number


class Seconds(click.FloatRange):
    """A time in seconds, zero or more; neither nan nor infinite."""

    name = "seconds"

    def __init__(self) -> None:
        super().__init__(0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: Any) -> float:
        """The seconds."""
        try:
            number = float(value)
        except ValueError:
            raise UsageError(f"{_name(param)} {value}: not a number") from None
        if not (number >= 0 and math.isfinite(number)):
            raise UsageError(f"{_name(param)} {value}: at least 0")
        return number


class WholeOrWord(click.ParamType):  # type: ignore[type-arg]
    """A number of at least 1, or one of a few words, such as ``auto``."""

    name = "n"

    def __init__(self, *words: str) -> None:
        self.words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: Any) -> str:
        """The text, checked."""
        text = str(value)
        if text in self.words or (text.isascii() and text.isdigit() and int(text) > 0):
            return text
        raise UsageError(
            f"{_name(param)} {text}: a number of at least 1, or {' or '.join(self.words)}"
        )

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        """The words."""
        return items((one, "", True) for one in self.words if one.startswith(incomplete))


class File(click.Path):
    """The path of a file; completion finds files by their endings."""

    name = "file"

    def __init__(self, name: str = "file", endings: Sequence[str] = ("",)) -> None:
        super().__init__()
        self.name = name
        self.endings = endings

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        """Folders, and files with one of the endings."""
        return items(find_files(incomplete, self.endings))


class ConfigFile(File):
    """A config: Python, YAML, TOML or JSON."""

    def __init__(self, name: str = "config") -> None:
        super().__init__(name, CONFIGS)


class ScriptFile(File):
    """A script: a file, a folder, a module with ``-m``, or ``train.py:main``."""

    def __init__(self, name: str = "script") -> None:
        super().__init__(name, SCRIPTS)

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        """Files; functions of the script after its colon; modules after ``-m``."""
        if ctx.params.get("is_module"):
            return items(find_modules(incomplete))
        path, colon, typed = incomplete.rpartition(":")
        if colon and SCRIPTED in ctx.meta:
            functions = ctx.meta[SCRIPTED](path).functions(typed)
            return items((f"{path}:{name}", text, done) for name, text, done in functions)
        return super().shell_complete(ctx, param, incomplete)


class FromScript(click.ParamType):  # type: ignore[type-arg]
    """A text whose completion comes from the script of the command line."""

    def __init__(self, name: str, convert: Callable[[str], Any], offers: str) -> None:
        """*offers* is the method of ``ScriptCandidates`` that gives the candidates, if any."""
        self.name = name
        self.read = convert
        self.offers = offers

    def convert(self, value: Any, param: click.Parameter | None, ctx: Any) -> Any:
        """The value of the text; raises KogineError for a mistake in it."""
        return self.read(value) if isinstance(value, str) else value

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        """Candidates from the script."""
        if not self.offers or SCRIPTED not in ctx.meta:
            return []
        return items(getattr(ctx.meta[SCRIPTED](), self.offers)(incomplete))


def _axis(text: str) -> str:
    target, values = split_override(text)
    if not values.strip():
        raise UsageError(f"--sweep {text}: no values. Write them after '=': {target}=1,2,3")
    return text


def _paired(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if len({*names}) < max(2, len(names)):
        raise UsageError(f"--zip {text}: name the axes to pair, each once: --zip lr,bs")
    return names


def _new_global(text: str) -> str:
    if "=" not in text:
        raise UsageError(f"--add {text!r} is not NAME=VALUE")
    return text


def _literal(text: str) -> Any:
    """An Override without the check of its type; None for the option without a value."""
    return typed_override(text, as_is=True) if text else None


ASSIGNMENT = FromScript("target=value", typed_override, "assignments")
"""TARGET=VALUE, as an Override."""
AS_IS = FromScript("target=value", _literal, "assignments")
AXIS = FromScript("target=axis", _axis, "axes")
AXIS_NAMES = FromScript("targets", _paired, "names")
FUNCTION = FromScript("name", str, "functions")
NEW_GLOBAL = FromScript("name=value", _new_global, "")
