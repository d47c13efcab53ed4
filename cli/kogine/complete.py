"""``kogine __complete SHELL -- WORD ...``: what may stand in place of the last word.

The scripts of the shells call it at every press of the tab key, so it imports nothing heavy,
and whatever is wrong it prints nothing.
"""

from __future__ import annotations

import sys

from kogine.complete_line import is_plain, plain_text, read_line, replacement
from kogine.complete_words import complete_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kogine.complete_files import Candidate


def complete(arguments: list[str]) -> Callable[[], int]:
    """What comes back prints the candidates, one a line.

    For zsh and fish WORDs are those behind ``kogine``; a line is the word, with a blank if it
    is then finished, a tab and a description. For bash there is one WORD, the line up to the
    cursor, then its COMP_WORDBREAKS; a line is the text that bash puts in.
    """
    shell, _, *words = [*arguments, "", ""][: max(len(arguments), 2)]
    try:
        lines = _SHELLS.get(shell, _described)(words)
    except Exception:  # at a prompt, a traceback is worse than no candidate
        lines = []
    return lambda: _print(lines)


def _bash(words: list[str]) -> list[str]:
    text, breaks = words
    line = read_line(text)
    if line.is_redirected:
        found = _files(line.words[-1])
    else:
        found = complete_words(line.words[1:])
    # bash puts in what all texts start with: a quote at some of them only would leave nothing.
    is_longer = len({word[: len(line.words[-1]) + 1] for word, _, _ in found}) == 1 < len(found)
    quoted = is_longer and not all(is_plain(word) for word, _, _ in found)
    texts = [replacement(line, word, done, breaks, quoted) for word, _, done in found]
    return [text for text in texts if text is not None]


def _files(typed: str) -> list[Candidate]:
    from kogine.complete_files import find_files

    return find_files(typed)


def _fish(words: list[str]) -> list[str]:
    # fish hands the last word over as it is written.
    return [
        _line(word, text) for word, text, _ in complete_words([*words[:-1], plain_text(words[-1])])
    ]


def _described(words: list[str]) -> list[str]:
    return [_line(word + " " * done, text) for word, text, done in complete_words(words)]


def _line(word: str, text: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in text)
    return f"{word}\t{shown}"


_SHELLS = {"bash": _bash, "fish": _fish}


def _print(lines: list[str]) -> int:
    # A name with a line end or an escape would be another candidate, or drive the terminal.
    shown = [line for line in lines if line.replace("\t", "").isprintable()]
    data = "".join(f"{line}\n" for line in shown).encode("utf-8", "replace")
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    return 0
