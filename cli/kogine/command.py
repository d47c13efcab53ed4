"""The group ``kogine`` with its table of commands, and the click classes that all commands use:
options in groups, help with examples, near names for a mistyped word.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click
from kogine.report import message

from kohaku_ast.errors import KogineError, UsageError, did_you_mean, unknown, wants_colour
from kohaku_ast.version import VERSION

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


_WIDEST = 26
"""Columns for the names of options; the help of a longer one starts on the next line."""


class Refusal(click.ClickException):
    """A KogineError that click lets through, and prints where it is the one to end the program."""

    exit_code = 2

    def __init__(self, error: KogineError) -> None:
        super().__init__(str(error))
        self.error = error

    def show(self, file: Any = None) -> None:
        """Print ``kogine: error: ...``."""
        click.echo(message(self.error), file=file, err=True, color=True)


class Option(click.Option):
    """An option that belongs to a named group of its command's help."""

    def __init__(
        self,
        *args: Any,
        group: str = "Options",
        help: str | None = None,  # noqa: A002  # click calls it so
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.group = group
        self.help = help  # click would import inspect to remove its indentation

    def get_help_extra(self, ctx: click.Context) -> Any:
        """The text in brackets after the help: a default in words gets no brackets of its own, a
        range without ends is left out.
        """
        extra = super().get_help_extra(ctx)
        if isinstance(self.show_default, str):
            extra["default"] = self.show_default
        if getattr(self.type, "min", 0) is None and getattr(self.type, "max", 0) is None:
            extra.pop("range", None)
        return extra


class Choice(click.Choice):  # type: ignore[type-arg]
    """One of a few words; the error for another one suggests the nearest."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """``'spwan' is not one of 'inline', 'spawn', 'warm'. Did you mean 'spawn'?``."""
        words = [str(one) for one in self.choices]
        listed = ", ".join(map(repr, words))
        return f"{value!r} is not one of {listed}.{did_you_mean(str(value), words)}"


def _show_help(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        text = ctx.get_help()
        is_coloured = wants_colour(sys.stdout)
        click.echo(in_colour(text) if is_coloured else text, color=is_coloured)
        ctx.exit()


_HEADING = re.compile(r"^(Usage|[A-Z][\w ]*)(?=:)", re.MULTILINE)
_TERM = re.compile(r"^  (-\S.*?|[a-z][\w-]*)(?=  |$)", re.MULTILINE)
_LITERAL = re.compile(r"(?<![\w-])-{1,2}\w[\w-]*|^[a-z][\w-]*$")


def in_colour(text: str) -> str:
    """The help *text* with its headings, names and placeholders in colour, as cargo and uv do."""
    text = _HEADING.sub("\x1b[1;32m\\1\x1b[0m", text)
    return _TERM.sub(lambda found: f"  {_term_in_colour(found[1])}", text)


def _term_in_colour(term: str) -> str:
    """``--config FILE``: what is typed as it is bold, the placeholder not."""
    parts = re.split(f"({_LITERAL.pattern})", term)
    styles = ("36", "1;36")
    return "".join(
        f"\x1b[{styles[number % 2]}m{part}\x1b[0m" if part.strip(" ,") else part
        for number, part in enumerate(parts)
    )


class _Formatter(click.HelpFormatter):
    """Breaks lines at blanks alone: no word in two, no option at its hyphens, and no brackets."""

    _KEPT = str.maketrans({"-": "\ue000", " ": "\ue001"})
    _BACK = str.maketrans({"\ue000": "-", "\ue001": " "})

    def write(self, string: str) -> None:
        super().write(string.translate(self._BACK))

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        kept = re.sub(r"\[[^\]]*\]", lambda found: found[0].translate(self._KEPT), args)
        super().write_usage(prog, kept, prefix)

    def write_text(self, text: str) -> None:
        super().write_text(text.replace("-", "\ue000"))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        kept = [(first, second.replace("-", "\ue000")) for first, second in rows]
        super().write_dl(kept, col_max, col_spacing)


class _Context(click.Context):
    formatter_class = _Formatter


class _WithHelp(click.Command):
    """A command whose help ends with examples, and whose errors suggest near names of options."""

    context_class = _Context
    _own_help: Option | None = None

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """``--help`` as an Option of ours: click's own imports ``inspect``. It is one for all
        contexts, since click compares parameters by identity.
        """
        names = self.get_help_option_names(ctx)
        if names and self._own_help is None:
            self._own_help = Option(
                names,
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_show_help,
                help="Show this message and exit.",
            )
        return self._own_help

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, with near names for an option that the command does not have."""
        words = [*args]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            options = (one for one in self.get_params(ctx) if isinstance(one, click.Option))
            names = [name for one in options for name in (*one.opts, *one.secondary_opts)]
            hint = self.no_such_option(error.option_name, words)
            if not hint:
                from kogine.hints import option_hint  # only an error needs it

                hint = option_hint(error.option_name, names, ctx.command_path, cutoff=0.7)
            text = f"No such option {error.option_name!r}.{hint}"
            raise Refusal(UsageError(text)) from None

    def no_such_option(self, name: str, words: Sequence[str]) -> str:
        """A hint for the option *name* of *words*, which the command does not have; or empty."""
        return ""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, without line breaks: readers copy them."""
        if self.examples:
            with formatter.section("Examples"):
                for one in self.examples:
                    formatter.write(f"{' ' * formatter.current_indent}{one}\n")


class Command(_WithHelp):
    """A command whose help shows its options by group."""

    def __init__(self, *args: Any, usage: str = "", **kwargs: Any) -> None:
        """*usage* replaces the part of click's usage after ``[OPTIONS]``."""
        super().__init__(*args, **kwargs)
        self.usage = usage

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """``[OPTIONS]`` and the usage after it."""
        pieces = super().collect_usage_pieces(ctx)
        return [self.options_metavar or "", self.usage] if self.usage else pieces

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """As click does; a KogineError becomes a Refusal, which click can print."""
        try:
            return super().make_context(*args, **kwargs)
        except KogineError as error:
            raise Refusal(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        """As click does; a KogineError becomes a Refusal, which click can print."""
        try:
            return super().invoke(ctx)
        except KogineError as error:
            raise Refusal(error) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under the names of their groups, in one column for all groups."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for one in self.get_params(ctx):
            record = None if isinstance(one, click.Argument) else one.get_help_record(ctx)
            if record:
                groups.setdefault(getattr(one, "group", "Options"), []).append(record)
        lengths = [len(name) for records in groups.values() for name, _ in records]
        column = max((one for one in lengths if one <= _WIDEST), default=_WIDEST)
        for title, records in groups.items():
            with formatter.section(title):
                rows = [(name.ljust(column), text) for name, text in records]
                formatter.write_dl(rows, col_max=column)


class Group(_WithHelp, click.Group):
    """Commands by name, each imported when it is used: ``{"run": ("kogine.run:run", HELP)}``."""

    def __init__(
        self,
        *args: Any,
        places: Mapping[str, tuple[str, str]],
        what: str = "command",
        **kwargs: Any,
    ) -> None:
        """*places* has the ``module:object`` and the short help of each command; *what* is the name
        of such a command in messages.
        """
        super().__init__(*args, **kwargs)
        self.places = places
        self.what = what

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return [*self.places]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command *cmd_name*, imported now."""
        if cmd_name not in self.places:
            return None
        module, _, name = self.places[cmd_name][0].partition(":")
        found: click.Command = getattr(import_module(module), name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that *args* start with; the error for another word suggests near names."""
        if args and not ctx.resilient_parsing and not self.has_command(args[0]):
            raise Refusal(UsageError(self.no_such_command(args)))
        return super().resolve_command(ctx, args)

    def has_command(self, name: str) -> bool:
        """Whether *name* is one of the commands."""
        return name in self.places

    def no_such_command(self, words: Sequence[str]) -> str:
        """The message for *words* that start with no command."""
        return unknown(self.what, words[0], self.places)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does; without any word it prints the help."""
        return super().parse_args(ctx, args if args or ctx.resilient_parsing else ["--help"])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write names and short helps from the table, without an import of the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.places.items()])
        others = self.other_commands()
        if others:
            with formatter.section("Commands of plug-ins"):
                formatter.write_dl([*others.items()])

    def other_commands(self) -> Mapping[str, str]:
        """Name -> short help of the commands that are in no table."""
        return {}

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that start with *incomplete*, with their short helps."""
        from click.shell_completion import CompletionItem  # a run does without

        shown = {**{name: text for name, (_, text) in self.places.items()}, **self.other_commands()}
        found = [
            CompletionItem(name, help=text)
            for name, text in shown.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


class _Kogine(Group):
    def has_command(self, name: str) -> bool:
        return name in self.places or name in self.other_commands()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        if found is not None or cmd_name not in self.other_commands():
            return found
        from kogine.plugin_commands import command_plugins, plugin_command

        return plugin_command(command_plugins(tuple(self.places))[cmd_name])

    def other_commands(self) -> Mapping[str, str]:
        from kogine.plugin_commands import command_plugins  # for help and unknown names only

        found = command_plugins(tuple(self.places)).items()
        return {name: f"From {one.origin}." for name, one in found}

    def no_such_command(self, words: Sequence[str]) -> str:
        from kogine.hints import meant_command

        return meant_command(words, [*self.places, *self.other_commands()])

    def no_such_option(self, name: str, words: Sequence[str]) -> str:
        from kogine.hints import meant_option

        run = self.get_command(click.Context(self), "run")
        of_run = [each for one in run.params for each in one.opts] if run else []
        return meant_option(name, words, of_run)


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"kogine {VERSION}")
        context.exit()


# Not click.version_option: it may ask importlib.metadata, which takes 36 ms.
_version = Option(
    ["--version"],
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)

kogine = _Kogine(
    "kogine",
    help="Run unmodified Python scripts with other values.",
    params=[_version],
    examples=(
        "kogine run --inspect train.py",
        "kogine run train.py lr=0.01 Args.depth=9 --sweep seed=1,2,3",
        "kogine help run",
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    places={
        "run": ("kogine.run:run", "Run a script with other values, as if it were edited."),
        "workflow": (
            "kogine.workflow:workflow",
            "Run several scripts, one after another or at once.",
        ),
        "pipeline": ("kogine.pipeline:pipeline", "Run or draw the pipeline that a file defines."),
        "system": (
            "kogine.system:system",
            "Run, draw or compile the system of components that a file defines.",
        ),
        "runs": ("kogine.runs:runs", "List, show and mark recorded runs."),
        "ui": ("kogine.ui:ui", "Show recorded runs in the browser."),
        "config": ("kogine.config:config", "Show, check, write, compare and convert configs."),
        "doctor": (
            "kogine.doctor:doctor",
            "Say what a script uses, how a sweep would run it, and what is missing.",
        ),
        "transform": ("kogine.source:transform", "Print the rewritten source that run compiles."),
        "freeze": (
            "kogine.source:freeze",
            "Write a script with the values in its definitions.",
        ),
        "cache": ("kogine.cache:cache", "Show, explain, check and clear the caches."),
        "plugins": ("kogine.plugins:plugins", "List what other packages add to kogine."),
        "completion": ("kogine.completion:completion", "Print the completion script for a shell."),
        "lsp": ("kogine.lsp:lsp", "Complete and check config files in an editor."),
        "help": ("kogine.command:show_help", "Show the help of a command."),
    },
)


@click.command("help", cls=Command, examples=("kogine help run", "kogine help workflow parallel"))
@click.argument("names", metavar="[COMMAND ...]", nargs=-1)
@click.pass_context
def show_help(ctx: click.Context, names: tuple[str, ...]) -> Any:
    """Show the help of a command."""
    root = ctx.find_root()
    with root.command.make_context(root.info_name, [*names, "--help"]) as inner:
        return root.command.invoke(inner)  # a plug-in's command shows its own


def read_with_click(words: list[str]) -> Callable[[], int] | None:
    """The function that does the work of the command line *words*; None if click has done it: help
    and version. Raises KogineError for a mistake in the words.
    """
    # Not main(): it turns Ctrl-C into an empty line and an Abort, and expands globs on Windows.
    try:
        with kogine.make_context("kogine", words) as context:
            run: Callable[[], int] | None = kogine.invoke(context)
    except click.exceptions.Exit:
        return None
    except Refusal as refusal:
        raise refusal.error from None
    except click.ClickException as error:
        raise UsageError(error.format_message()) from None
    return run
