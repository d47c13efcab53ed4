"""What a migration gives: a config's text, and what is not in it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Left:
    """Something that could not be carried over."""

    #: The file as the user named it, and the line in it.
    file: str
    line: int
    #: What it is, and what to do about it.
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


@dataclass(frozen=True)
class Migrated:
    """A config made of another tool's file."""

    text: str
    #: In the order of the file.
    left: tuple[Left, ...] = ()

    def with_heading(self, source: str) -> str:
        """The text below comments that say what it was made from, and what was left out."""
        folder, name = os.path.split(source)
        heading = [f"# Made from {name} by kogine config migrate."]
        if self.left:
            own = [replace(one, file=_below(one.file, folder)) for one in self.left]
            heading += ["# Not carried over:", *(f"#   {one}" for one in own)]
        start, rest = _split_start(self.text)
        rows = [" ".join(row.split("\n")).rstrip() for row in heading]
        return start + "\n".join(rows) + "\n\n" + rest.lstrip("\n")


def _below(file: str, folder: str) -> str:
    """*file* without the *folder* that the migrated one is in."""
    return file[len(folder) + 1 :] if folder and file.startswith(folder + os.sep) else file


def in_order(left: Sequence[Left]) -> tuple[Left, ...]:
    """*left* by file and line, each said once."""
    return tuple(sorted(dict.fromkeys(left), key=lambda one: (one.file, one.line)))


def _split_start(text: str) -> tuple[str, str]:
    """A ``#!`` line and an encoding cookie mean something at the top only."""
    lines = text.splitlines(keepends=True)
    count = 0
    while (
        count < min(2, len(lines))
        and lines[count].startswith("#")
        and (lines[count].startswith("#!") or "coding" in lines[count])
    ):
        count += 1
    return "".join(lines[:count]), "".join(lines[count:])
