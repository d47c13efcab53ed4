"""Completion by click, with our words: what each shell sources, and what it gets at a tab key.

Click's own scripts for bash, zsh and fish break words with ``=`` and ``:``, so that each shell has
a class of its own here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.resources import files

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    _resolve_context,
)
from kogine.command import Choice, Command, Group
from kogine.command_with_script import CommandWithScript
from kogine.complete_files import find_files
from kogine.complete_line import is_plain, plain_text, read_line, replacement
from kogine.main import COMPLETE
from kogine.option_types import items

from kohaku_ast.errors import UsageError

SHELLS = {
    "bash": """put this line into ~/.bashrc: eval "$(kogine completion bash)\"""",
    "zsh": """put this line into ~/.zshrc: eval "$(kogine completion zsh)\"""",
    "fish": "run this once: kogine completion fish > ~/.config/fish/completions/kogine.fish",
}
"""The shells, and what their users do with the script."""

VARIABLE = COMPLETE


class _Words(ShellComplete):
    """What may stand in place of a word: one answer for all shells."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """The candidates for *incomplete*, which follows the words *args*."""
        context = _resolve_context(self.cli, self.ctx_args, self.prog_name, args)
        command = context.command
        if isinstance(command, CommandWithScript):
            return command.complete_word(context, incomplete)
        words = [one for one in args if not one.startswith("-")]
        if isinstance(command, Group) and len(words) >= len(context.command_path.split()):
            return []  # one of them names no command
        name, equals, text = incomplete.partition("=")
        if equals and name.startswith("-"):
            return _values(context, name, text)
        return super().get_completions(args, incomplete)


def _values(context: click.Context, name: str, text: str) -> list[CompletionItem]:
    """``--format=json`` for ``--format=j``: click gives the bare value."""
    found = (one for one in context.command.get_params(context) if name in one.opts)
    values = next((one.shell_complete(context, text) for one in found), [])
    return [CompletionItem(f"{name}={one.value}", help=one.help, done=one.done) for one in values]


def _is_finished(item: CompletionItem) -> bool:
    return item.done is not False


def _described(item: CompletionItem, word: str) -> str:
    """The word, a tab, and the help on one line without control characters."""
    shown = "".join(char if char.isprintable() else " " for char in item.help or "")
    return f"{word}\t{shown}"


class _Shell(_Words):
    """A shell that hands the words of its line over as arguments."""

    def source(self) -> str:
        """The script that the shell sources. Click's format would have every % doubled."""
        name = f"kogine.{self.name}"
        return (files("kogine") / "completions" / name).read_text("utf-8")

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one to complete, and what is typed of it."""
        *before, typed = sys.argv[1:] or [""]
        return before, typed

    def complete(self) -> str:
        """A line for each candidate that the shell can show."""
        before, typed = self.get_completion_args()
        lines = map(self.format_completion, self.get_completions(before, typed))
        # A name with a line end or an escape would be another candidate, or drive the terminal.
        return "".join(f"{one}\n" for one in lines if one.replace("\t", "").isprintable())


class Bash(_Shell, BashComplete):
    """bash gets the text for the piece of the word that it replaces."""

    def complete(self) -> str:
        """A line for each text that bash may put in."""
        text, breaks = sys.argv[1:3]
        line = read_line(text)
        typed = line.words[-1]
        if line.is_redirected:
            found = items(find_files(typed))
        else:
            found = self.get_completions(line.words[1:-1], typed)
        # bash puts in what all texts start with: a quote at some of them only would leave nothing.
        is_longer = len({one.value[: len(typed) + 1] for one in found}) == 1 < len(found)
        quoted = is_longer and not all(is_plain(one.value) for one in found)
        texts = (replacement(line, one.value, _is_finished(one), breaks, quoted) for one in found)
        return "".join(f"{one}\n" for one in texts if one is not None and one.isprintable())


class Zsh(_Shell, ZshComplete):
    """zsh gets the word, with a blank if it is finished, a tab and a description."""

    def format_completion(self, item: CompletionItem) -> str:
        """One candidate."""
        return _described(item, item.value + " " * _is_finished(item))


class Fish(_Shell, FishComplete):
    """fish gets the word, a tab and a description."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Fish hands the last word over as it is written."""
        before, typed = super().get_completion_args()
        return before, plain_text(typed)

    def format_completion(self, item: CompletionItem) -> str:
        """One candidate."""
        return _described(item, item.value)


_CLASSES: dict[str, type[_Shell]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def complete(instruction: str) -> Callable[[], int]:
    """What prints the candidates that a shell asks for with *instruction*, ``zsh_complete``.

    Whatever is wrong, it prints nothing: at a prompt, a traceback is worse than no candidate.
    """
    from kogine.root import kogine

    shell = instruction.partition("_")[0]
    try:
        text = _CLASSES[shell](kogine, {}, "kogine", VARIABLE).complete()
    except Exception:
        text = ""
    return lambda: _print(text)


def _print(text: str) -> int:
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()
    return 0


class _CompletionCommand(Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [one for one in args if not one.startswith("-")]
        if len(words) != 1 and not (ctx.resilient_parsing or {*args} & {"-h", "--help"}):
            raise UsageError(_which_shell())
        return super().parse_args(ctx, args)


@click.command(
    "completion",
    cls=_CompletionCommand,
    examples=('eval "$(kogine completion bash)"', "kogine completion fish > kogine.fish"),
)
@click.argument("shell", type=Choice(tuple(SHELLS)))
def completion(shell: str) -> Callable[[], int]:
    """Print the script that completes kogine's command lines in a shell."""
    from kogine.root import kogine

    text = _CLASSES[shell](kogine, {}, "kogine", VARIABLE).source()
    return lambda: _print(text)


def _which_shell() -> str:
    guessed = os.path.basename(os.environ.get("SHELL", ""))
    known = {guessed: SHELLS[guessed]} if guessed in SHELLS else SHELLS
    ways = "".join(f"\n  {shell}: {way}" for shell, way in known.items())
    return f"say for which shell: kogine completion {'|'.join(SHELLS)}{ways}"
