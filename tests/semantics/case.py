from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent
from typing import NamedTuple


class Case(NamedTuple):
    """An override, and the edits that a careful person would make in a copy instead."""

    id: str
    script: bytes
    arguments: tuple[str, ...]
    #: Exact replacements; the old text stands once in the script.
    edits: tuple[tuple[str, str], ...]
    argv: tuple[str, ...]
    #: Targets that the warnings at the end name.
    warned: tuple[str, ...]
    #: Whether the output is meant to be that of the script as it is.
    same: bool
    #: Whether a traceback shows the edited line itself, so that only its frames can be compared.
    frames: bool
    #: Name -> text of the files that lie beside the script.
    files: Mapping[str, str]


def case(
    id_: str,
    script: str | bytes,
    arguments: str | tuple[str, ...],
    *edits: tuple[str, str],
    argv: tuple[str, ...] = (),
    warned: tuple[str, ...] = (),
    same: bool = False,
    frames: bool = False,
    files: Mapping[str, str] | None = None,
) -> Case:
    """A Case; *script* and *files* may be indented, *arguments* be one override."""
    data = _plain(script).encode() if isinstance(script, str) else script
    beside = {name: _plain(text) for name, text in (files or {}).items()}
    given = (arguments,) if isinstance(arguments, str) else arguments
    return Case(id_, data, given, edits, argv, warned, same or not edits, frames, beside)


def _plain(text: str) -> str:
    return dedent(text).lstrip("\n")


class Refusal(NamedTuple):
    """A command that must stop before anything runs."""

    id: str
    script: bytes
    arguments: tuple[str, ...]
    #: What the message must say.
    words: tuple[str, ...]
    files: Mapping[str, str]


def refusal(
    id_: str,
    script: str | bytes,
    arguments: str | tuple[str, ...],
    *words: str,
    files: Mapping[str, str] | None = None,
) -> Refusal:
    """A Refusal; *script*, *arguments* and *files* as for ``case``."""
    made = case(id_, script, arguments, files=files)
    return Refusal(id_, made.script, made.arguments, words, made.files)
