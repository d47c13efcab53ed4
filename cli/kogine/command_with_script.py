"""A click command that takes scripts: it sorts the words, then click parses kogine's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from kogine.command import Command
from kogine.options import SCRIPTED, find_files, items
from kogine.script_arguments import OwnOptions, SortedWords, WordSorter
from kogine.script_command import ScriptCommand

from kohaku_ast.errors import UsageError
from kohaku_ast.transform.find.accepted_options import is_option

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_SORTED = "kogine.sorted"
"""Key of a context's ``meta``: the SortedWords of the command line."""

_TYPED = "kogine.typed"
"""The same for the command and the words behind it."""


class CommandWithScript(Command):
    """``kogine run [OPTIONS] SCRIPT [TARGET=VALUE ...] [ARGS ...]`` and commands like it.

    The callback gets one ScriptCommand.
    """

    def __init__(
        self,
        *args: Any,
        usage: str,
        many: bool = False,
        runs: bool = True,
        names_runs: bool = False,
        elsewhere: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        """*usage* is the part after the options. *many*: the command takes several scripts. *runs*:
        it starts them, so that they take arguments. *names_runs*: it takes recorded runs as well.
        *elsewhere* has the reason why an option of
        ``kogine run`` does not exist here.
        """
        super().__init__(*args, usage=usage, **kwargs)
        self.many, self.runs, self.names_runs = many, runs, names_runs
        self.elsewhere = elsewhere or {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Sort *args*; click parses kogine's own."""
        own = OwnOptions(self._widths(ctx), self.elsewhere)
        sorter = WordSorter(
            own,
            command=ctx.command_path,
            many=self.many,
            runs=self.runs,
            is_unfinished=ctx.resilient_parsing,
            names_runs=self.names_runs,
        )
        found = ctx.meta[_SORTED] = sorter.sort(args)
        ctx.meta[_TYPED] = ctx.command_path, tuple(args)
        rest = super().parse_args(ctx, found.for_click())
        if not (found.scripts or ctx.resilient_parsing):
            what = "script" if self.usage.startswith("SCRIPT ") else "file"
            raise UsageError(f"no {what} given: {ctx.command_path} {self.usage}")
        ctx.meta[SCRIPTED] = lambda script="": self._scripted(found, script)
        return rest

    def _widths(self, ctx: click.Context) -> dict[str, int]:
        """The number of words that each of our options takes."""
        return {
            name: 0 if one.is_flag else one.nargs
            for one in self.get_params(ctx)
            if isinstance(one, click.Option)
            for name in (*one.opts, *one.secondary_opts)
        }

    def invoke(self, ctx: click.Context) -> Any:
        """Call the callback with the ScriptCommand."""
        found: SortedWords = ctx.meta[_SORTED]
        ctx.params = {"command": self._command(ctx, found)}
        return super().invoke(ctx)

    def _command(self, ctx: click.Context, found: SortedWords) -> ScriptCommand:
        given = {
            name: value
            for name, value in ctx.params.items()
            if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        }
        overrides = [*given.pop("set", ())]
        literals = given.pop("as_is", ())
        overrides += [one for one in literals if one is not None]
        if None in literals:
            given["as_is"] = True
        for name in ("script", "scripts", "is_module"):
            given.pop(name, None)
        settle_format(given)
        settle_mode(given)
        return ScriptCommand(
            found.scripts, overrides, found.argv, found.is_module, given, found.axis_order,
            ctx.meta[_TYPED],
        )  # fmt: skip

    # --- completion ------------------------------------------------------------------------------

    def complete_word(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The candidates for *incomplete*, the last word of the command line."""
        found: SortedWords = ctx.meta[_SORTED]
        if found.is_after_dashes:
            return items(find_files(incomplete))
        if found.waiting is not None:
            return self._script_values(ctx, found.waiting_name, incomplete)
        if found.waiting_name:
            return self._option_values(ctx, found.waiting_name, incomplete)
        name, equals, text = incomplete.partition("=")
        is_ours = name in self._widths(ctx) and not self._is_theirs(ctx, name)
        if is_option(incomplete) and equals and is_ours:
            values = self._option_values(ctx, name, text)
            return [_with_value(one, f"{name}={one.value}") for one in values]
        if incomplete.startswith("-"):
            theirs = items(ctx.meta[SCRIPTED]().options(incomplete))
            targets = self._assignments(ctx, incomplete)
            return [*targets, *theirs, *self._options(ctx, incomplete)]
        if not found.scripts or (self.many and "=" not in incomplete):
            scripts = self._argument(ctx).shell_complete(ctx, incomplete)
            return [*scripts, *self._assignments(ctx, incomplete)] if found.scripts else scripts
        return self._assignments(ctx, incomplete)

    def _scripted(self, found: SortedWords, script: str) -> Any:
        from kogine.candidates import ScriptCandidates

        swept = [group[-1].removeprefix("--sweep=") for group in found.own if _sweeps(group)]
        sets = [group[-1].removeprefix("--set=") for group in found.own if _sets(group)]
        name = script or (found.scripts[0] if found.scripts else "")
        return ScriptCandidates(name, found.is_module, [*found.assignments, *sets, *swept], swept)

    def _argument(self, ctx: click.Context) -> click.Parameter:
        return next(one for one in self.get_params(ctx) if isinstance(one, click.Argument))

    def _option_values(
        self, ctx: click.Context, name: str, incomplete: str
    ) -> list[CompletionItem]:
        found = (one for one in self.get_params(ctx) if name in one.opts)
        return next((one.shell_complete(ctx, incomplete) for one in found), [])

    def _assignments(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Candidates for TARGET=VALUE, if the command takes overrides."""
        if "TARGET=" not in self.usage:
            return []
        return items(ctx.meta[SCRIPTED]().assignments(incomplete))

    def _script_values(
        self, ctx: click.Context, name: str, incomplete: str
    ) -> list[CompletionItem]:
        """Candidates for the value of an option of the script, written as a word of its own."""
        found = items(ctx.meta[SCRIPTED]().assignments(f"{name}={incomplete}"))
        values = [_with_value(one, one.value.partition("=")[2]) for one in found]
        return values or items(find_files(incomplete))

    def _is_theirs(self, ctx: click.Context, name: str) -> bool:
        return bool(ctx.meta[SCRIPTED]().accepts(name))

    def _options(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Our options that can still be given and that the script does not have itself."""
        given = ctx.meta[_SORTED].own
        used = {group[0].partition("=")[0] for group in given}
        shown = [one for one in self.get_params(ctx) if isinstance(one, click.Option)]
        left = [one for one in shown if not (one.hidden or (one.is_flag and used & {*one.opts}))]
        return items(
            (name, one.help or "", True)
            for one in left
            for name in one.opts
            if name.startswith(incomplete) and not self._is_theirs(ctx, name)
        )


def _with_value(item: CompletionItem, value: str) -> CompletionItem:
    (renamed,) = items([(value, item.help or "", item.done)])
    return renamed


def _sweeps(group: Sequence[str]) -> bool:
    return group[0].partition("=")[0] == "--sweep"


def _sets(group: Sequence[str]) -> bool:
    return group[0].partition("=")[0] in ("--set", "-s", "--as-is")


def settle_format(given: dict[str, Any]) -> None:
    """Set ``json`` in *given* for ``--format json``. Raises UsageError for two formats."""
    form = given.get("format")
    if "json" in given and form not in (None, "json"):
        raise UsageError(f"--json is --format json: take away --format {form}")
    if form == "json":
        given["json"] = True


def chosen_format(form: Mapping[str, Any]) -> str:
    """``table``, ``json`` or ``csv``, of the values of ``--format`` and ``--json``."""
    given = {name: value for name, value in form.items() if value}
    settle_format(given)
    return "json" if "json" in given else given.get("format", "table")


def settle_mode(given: dict[str, Any]) -> None:
    """Set the mode in *given* for ``--isolate``. Raises UsageError for two modes."""
    if "isolate" in given and given.setdefault("mode", "spawn") != "spawn":
        raise UsageError(f"--isolate is --mode spawn: take away --mode {given['mode']}")


def refuse_without(command: ScriptCommand, name: str, needed: str) -> None:
    """Raise UsageError for the option *name* if *needed*, without which it has no effect, is
    missing.
    """
    if name in command.options and needed.lstrip("-").replace("-", "_") not in command.options:
        shown = f"--{name.replace('_', '-')}"
        raise UsageError(f"{shown} has no effect without {needed}: add it, or take {shown} away")
