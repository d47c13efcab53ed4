"""Options and operands that several commands share: their types, which check the words and give
completion candidates, and the decorators that declare them. Each is defined here only.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from kogine.command import Choice, Option
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


class Repeat(Whole):
    """``N`` or ``TARGET=N``, as a number and a target, which is empty for the first form."""

    name = "[TARGET=]N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: Any) -> Any:
        """The number and the target."""
        if isinstance(value, tuple):
            return value
        target, equals, number = str(value).rpartition("=")
        if equals and not target:
            raise UsageError(f"{_name(param)} {value}: name a target before the =, such as seed=5")
        return super().convert(number, param, ctx), target


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


class Size(click.ParamType):  # type: ignore[type-arg]
    """A number of bytes: ``1GB``, ``500 MiB``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: Any) -> int:
        """The bytes."""
        from kohaku_ast.display.text import read_size  # completion does without

        found = read_size(str(value))
        if found is None:
            raise UsageError(f"{_name(param)} {value}: a size such as 500MB or 1GiB")
        return found


class Age(click.ParamType):  # type: ignore[type-arg]
    """A time before now: ``30d``, ``12h``."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: Any) -> float:
        """The seconds."""
        from kohaku_ast.display.text import read_age  # completion does without

        found = value if isinstance(value, float) else read_age(str(value))
        if found is None:
            raise UsageError(f"{_name(param)} {value}: a time such as 30d, 12h, 90m or 2w")
        return found


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


class Cluster(click.ParamType):  # type: ignore[type-arg]
    """The name of a cluster that runs the runs of a flow; ``list`` prints the names."""

    name = "cluster"

    def convert(self, value: Any, param: click.Parameter | None, ctx: Any) -> str:
        """The name, checked."""
        from kohaku_ast.executors.clusters import check_name, list_clusters  # few flows have one

        if value == _LIST:
            click.echo(list_clusters())
            ctx.exit()
        return str(check_name(value))

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        """The names; an address is to follow those with ``://``."""
        from kohaku_ast.executors.clusters import known_names

        names = [(start, text, "://" not in start) for start, text in known_names().items()]
        names.append((_LIST, "print what is installed", True))
        return items(one for one in names if one[0].startswith(incomplete))


_LIST = "list"


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


Decorator = Callable[[Any], Any]
"""Adds options to a command."""


def option(*names: str, group: str, **settings: Any) -> Decorator:
    """The decorator of one option, in a *group* of the help."""
    return click.option(*names, cls=Option, group=group, **settings)


def flag(*names: str, group: str, **settings: Any) -> Decorator:
    """The decorator of an option without a value."""
    return option(*names, group=group, is_flag=True, **settings)


def together(*decorators: Decorator) -> Decorator:
    """One decorator for several options, which the help shows in this order."""
    return lambda command: functools.reduce(
        lambda made, decorate: decorate(made), reversed(decorators), command
    )


_values = functools.partial(option, group="Values")
assignments = _values(
    "--set",
    "-s",
    type=ASSIGNMENT,
    multiple=True,
    help="Give a definition another value; TARGET=VALUE after the script does the same.",
)
hidden_assignments = _values("--set", "set", type=ASSIGNMENT, multiple=True, hidden=True)
"""For commands that take NAME=VALUE only as a word of its own."""
configs = _values(
    "--config",
    "-c",
    type=ConfigFile("file"),
    multiple=True,
    help="A config file: .py, .yaml, .toml or .json. Of several, later ones win.",
)
new_globals = _values(
    "--add", type=NEW_GLOBAL, multiple=True, help="Set a global that the script does not define."
)
literals = _values(
    "--as-is",
    type=AS_IS,
    multiple=True,
    metavar="[TARGET=VALUE]",
    help="Like --set, but not checked against the parameter's type: VALUE is a Python literal or "
    "text. Without TARGET=VALUE: for all values.",
)
entrypoint = _values(
    "--entrypoint",
    "-e",
    type=FUNCTION,
    help="Call this function after the module, not the guard; SCRIPT:NAME does the same.",
)
module = flag(
    "-m", "is_module", group="Values", help="SCRIPT is the name of a module, as for python -m."
)
value_options = together(assignments, configs, new_globals, literals, entrypoint, module)
"""The values of a script."""
FORMATS = ("table", "json")
TABLE_FORMATS = ("table", "json", "csv")


def format_options(group: str, formats: Sequence[str] = FORMATS) -> Decorator:
    """``--format``, wherever a command prints a table or events, and ``--json``, its short form."""
    programs = "JSON or CSV" if "csv" in formats else "JSON"
    return together(
        option(
            "--format",
            group=group,
            type=Choice(formats),
            show_default="table",
            help=f"The format of what kogine prints: a table for readers, {programs} for programs.",
        ),
        flag("--json", group=group, help="The same as --format json."),
    )


output_options = together(
    option(
        "--output",
        "-o",
        type=File(),
        group="Output",
        help="Write to this file instead of printing.",
    ),
    flag("--force", group="Output", help="Overwrite FILE if it exists."),
)
"""Where a command writes its text."""


def drawing_option(listed: str) -> Decorator:
    """Where a command writes its drawing; without it, it prints each of what is *listed*."""
    return option(
        "--output",
        "-o",
        group="Output",
        type=File(endings=(".svg", ".html", ".mmd")),
        help="Write the drawing to this .svg, .html or .mmd file; without it, print each "
        f"{listed}.",
    )
