"""Completion in bash, zsh and fish: the script that a shell sources, and its candidates at a tab.

Click's own scripts split words at ``=`` and ``:``, so each shell has a class of its own here.
bash splits there as well and replaces only the last piece, or the text after an open quote. So the
line is parsed here, and bash gets each candidate as the text for that piece.
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
from kogine import COMPLETE
from kogine.command import Choice, Command, Group, kogine
from kogine.command_with_script import CommandWithScript
from kogine.options import find_files, items
from kogine.report import printing

from kohaku_ast.errors import UsageError

SHELLS = {
    "bash": """put this line into ~/.bashrc: eval "$(kogine completion bash)\"""",
    "zsh": """put this line into ~/.zshrc: eval "$(kogine completion zsh)\"""",
    "fish": "run this once: kogine completion fish > ~/.config/fish/completions/kogine.fish",
}
"""The shells, and what the user does with the script."""


class _Words(ShellComplete):
    """The candidates for a word, the same for all shells."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """The candidates for *incomplete*, which follows the words *args*."""
        context = _resolve_context(self.cli, self.ctx_args, self.prog_name, args)
        command = context.command
        if isinstance(command, CommandWithScript):
            return command.complete_word(context, incomplete)
        words = [one for one in args if not one.startswith("-")]
        if isinstance(command, Group) and len(words) >= len(context.command_path.split()):
            return []  # one of the words is not a command
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
    """A shell that passes the words of its line as arguments."""

    def source(self) -> str:
        """The script that the shell sources; click would format it, with each % doubled."""
        name = f"kogine.{self.name}"
        return (files("kogine") / "completions" / name).read_text("utf-8")

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one to complete, and the typed part of that one."""
        *before, typed = sys.argv[1:] or [""]
        return before, typed

    def complete(self) -> str:
        """A line for each candidate that the shell can show."""
        before, typed = self.get_completion_args()
        lines = map(self.format_completion, self.get_completions(before, typed))
        # A line end in a name would start another candidate, an escape would control the terminal.
        return "".join(f"{one}\n" for one in lines if one.replace("\t", "").isprintable())


class Bash(_Shell, BashComplete):
    """bash gets the text for the piece of the word that it replaces."""

    def complete(self) -> str:
        """A line for each text that bash can insert."""
        text, breaks = sys.argv[1:3]
        line = read_line(text)
        typed = line.words[-1]
        if line.is_redirected:
            found = items(find_files(typed))
        else:
            found = self.get_completions(line.words[1:-1], typed)
        # bash inserts the common start of all texts: none is left if only some have a quote.
        is_longer = len({one.value[: len(typed) + 1] for one in found}) == 1 < len(found)
        quoted = is_longer and not all(is_plain(one.value) for one in found)
        texts = (replacement(line, one.value, _is_finished(one), breaks, quoted) for one in found)
        return "".join(f"{one}\n" for one in texts if one is not None and one.isprintable())


class Zsh(_Shell, ZshComplete):
    """zsh gets the word, with a blank if it is complete, a tab and a description."""

    def format_completion(self, item: CompletionItem) -> str:
        """One candidate."""
        return _described(item, item.value + " " * _is_finished(item))


class Fish(_Shell, FishComplete):
    """fish gets the word, a tab and a description."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Fish passes the last word with its quotes."""
        before, typed = super().get_completion_args()
        return before, plain_text(typed)

    def format_completion(self, item: CompletionItem) -> str:
        """One candidate."""
        return _described(item, item.value)


_CLASSES: dict[str, type[_Shell]] = {"bash": Bash, "zsh": Zsh, "fish": Fish}


def complete(instruction: str) -> Callable[[], int]:
    """A function that prints the candidates for the shell of *instruction*, ``zsh_complete``.

    After any error it prints nothing: at a prompt, a traceback is worse than no candidate.
    """
    shell = instruction.partition("_")[0]
    try:
        text = _CLASSES[shell](kogine, {}, "kogine", COMPLETE).complete()
    except Exception:  # at a prompt a traceback helps nobody
        text = ""
    return lambda: _print(text)


@printing
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
    text = _CLASSES[shell](kogine, {}, "kogine", COMPLETE).source()
    return lambda: _print(text)


def _which_shell() -> str:
    """The message that no shell was given, with the ways to install for the user's own shell."""
    guessed = os.path.basename(os.environ.get("SHELL", ""))
    known = {guessed: SHELLS[guessed]} if guessed in SHELLS else SHELLS
    ways = "".join(f"\n  {shell}: {way}" for shell, way in known.items())
    return f"say for which shell: kogine completion {'|'.join(SHELLS)}{ways}"


_ENDS = " \t\n|&;()<>"
"""Characters that end a word outside quotes."""
_PLAIN = "_@%+=:,./-"
"""Characters that need no quotes, besides letters and digits."""


class Line:
    """An unfinished command line: its words without quotes, and the last one as it is typed."""

    __slots__ = ("is_redirected", "plain", "quote", "quoted_from", "raw", "words")

    def __init__(self) -> None:
        #: The words without their quotes, the command first; the last is the one to complete.
        self.words: list[str] = [""]
        #: The last word as typed.
        self.raw = ""
        #: The quote that is open in it, or "".
        self.quote = ""
        #: The position in *raw* after that quote.
        self.quoted_from = 0
        #: For each character outside quotes: the position in *raw* after it, and the word so far.
        self.plain: list[tuple[int, str]] = []
        #: Whether it is the file of a redirection.
        self.is_redirected = False


def read_line(text: str) -> Line:
    """The last command of *text*, up to the cursor."""
    line = Line()
    place = 0
    while place < len(text):
        char, width = text[place], 1
        if line.quote or char not in _ENDS:
            width = _take(line, text, place)
        elif char in " \t":
            _next_word(line)
        elif char in "<>":
            line.words[-1] = line.raw = ""
            line.is_redirected = True
        else:
            line = Line()
        place += width
    return line


def plain_text(written: str) -> str:
    """One word without its quotes; the last may be open: ``'main(ep`` is ``main(ep``."""
    line = Line()
    place = 0
    while place < len(written):
        place += _take(line, written, place)
    return line.words[-1]


def _take(line: Line, text: str, place: int) -> int:
    """Add the character at *place*, or the escaped one, to the last word; return its width."""
    char, following = text[place], text[place + 1 : place + 2]
    added, width = char, 1
    if char == line.quote:
        added, line.quote = "", ""
    elif not line.quote and char in "'\"":
        added, line.quote, line.quoted_from = "", char, len(line.raw) + 1
    elif char == "\\" and (not line.quote or (line.quote == '"' and following in '\\"$`')):
        added, width = following, 2
    line.words[-1] += added
    line.raw += text[place : place + width]
    if not line.quote and added == text[place : place + width]:
        line.plain.append((len(line.raw), line.words[-1]))
    return width


def _next_word(line: Line) -> None:
    if line.is_redirected and line.raw:
        line.words[-1] = ""
        line.is_redirected = False
    elif line.raw:
        line.words.append("")
    line.raw, line.plain = "", []


def replacement(
    line: Line, candidate: str, is_finished: bool, breaks: str, is_quoted: bool = False
) -> str | None:
    """The text that bash inserts for the piece it completes, so that the last word becomes
    *candidate*; None if no text gives that. *breaks* are its COMP_WORDBREAKS; with *is_quoted*
    the text has quotes even if it needs none.
    """
    start = _unreplaced(line, breaks)
    if not candidate.startswith(start):
        return None
    rest = candidate[len(start) :]
    if line.quote:
        return _inside(rest, line.quote)  # readline closes the quote
    text = _quoted(rest.removesuffix("="), is_quoted) + "=" * rest.endswith("=")
    return text + " " * is_finished


def _unreplaced(line: Line, breaks: str) -> str:
    """The start of the last word, without quotes, that bash does not replace."""
    if line.quote:
        return plain_text(line.raw[: line.quoted_from - 1])
    ends = [plain for place, plain in line.plain if line.raw[place - 1] in breaks]
    return ends[-1] if ends else ""


def _quoted(text: str, always: bool) -> str:
    """*text* as one word of any shell, in single quotes if it needs any."""
    home = "~/" if text.startswith("~/") else ""  # in quotes the tilde is not the home folder
    rest = text[len(home) :]
    if is_plain(rest) and not always:
        return text
    return f"{home}'{_inside(rest, chr(39))}'"


def is_plain(text: str) -> bool:
    """Whether a shell reads *text* without quotes as itself."""
    return all(char.isalnum() or char in _PLAIN for char in text)


def _inside(text: str, quote: str) -> str:
    if quote == "'":
        return text.replace("'", "'\\''")
    return "".join(f"\\{char}" if char in '"\\$`' else char for char in text)
