"""Runs ``kogine config`` in a folder of files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from tests.oracle import Finished, run_kogine


def config(folder: Path, *arguments: str) -> Finished:
    """``kogine config ARGUMENTS``."""
    return run_kogine(folder, "config", *arguments)


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Files by path below *folder*."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(dedent(text).lstrip("\n").encode())
    return folder


def text(table: str) -> str:
    """A table as a test writes it: indented, with an empty line before it."""
    return dedent(table).lstrip("\n")
