"""A small program, and the promise that kogine and plain Python cannot be told apart by it.

Each probe runs three times in the same folder: by ``python``, by ``kogine run``, and by
``kogine run`` with a global of its own set to the value that it has, so that the rewritten
program is compared too. Output is compared byte for byte.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import builder_client, builder_server

ROOT = Path(__file__).parents[2]
LAUNCHER = Path(__file__).parents[1] / "kogine_command.py"
UNRELATED = "unrelated = 1"
NOTHING: Mapping[str, str] = {}
WAYS = {"as it is": (), "overridden": ("unrelated=1",)}


@dataclass(frozen=True)
class Probe:
    """A program and how it is started."""

    #: What it shows, in words.
    name: str
    #: The program; ``unrelated = 1`` is put before a text that does not hold it.
    source: str | bytes
    #: Its command line.
    argv: Sequence[str] = ()
    stdin: str = ""
    #: Options of the interpreter.
    flags: Sequence[str] = ()
    #: Files beside it.
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    #: What the shell runs, with ``{command}`` for the command.
    shell: str = ""
    #: Its file, as it is named on the command line, and as it is stored.
    path: str = "probe.py"
    stored: str = ""
    #: The first version of Python that can run it.
    since: tuple[int, int] = (3, 10)
    #: ``python -m kogine`` instead of the installed command.
    as_module: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Seen:
    """All that somebody who started the process can see of it."""

    status: int
    stdout: bytes
    stderr: bytes
    #: Path -> content of the files that it left behind.
    files: Mapping[str, bytes]


def probes(*all_of_them: Probe) -> pytest.MarkDecorator:
    """Parametrizes a test by the probes that this version of Python can run."""
    names = [probe.name for probe in all_of_them]
    assert len(set(names)) == len(names), "two probes have one name"
    fitting = [probe for probe in all_of_them if sys.version_info >= probe.since]
    return pytest.mark.parametrize("probe", fitting, ids=str)


def assert_like_python(probe: Probe, folder: Path, ways: Iterable[str] = tuple(WAYS)) -> None:
    """*probe* does under kogine, with and without an override, what it does under Python."""
    expected = run_plain(probe, folder)
    for way in ways:
        got = run_kogine(probe, folder, way)
        assert got == expected, difference(way, expected, got)


def difference(way: str, expected: Seen, got: Seen) -> str:
    """Where they differ, which pytest would cut short."""
    pairs = ((name, getattr(expected, name), getattr(got, name)) for name in Seen.__annotations__)
    lines = [
        f"{name}\n  python {one!r}\n  kogine {two!r}" for name, one, two in pairs if one != two
    ]
    return "\n".join([f"run {way}", *lines])


def run_plain(probe: Probe, folder: Path) -> Seen:
    """``python PROBE ARGUMENTS``."""
    return _run(probe, folder, [*probe.flags, probe.path, *probe.argv])


def run_kogine(probe: Probe, folder: Path, way: str) -> Seen:
    """``kogine run PROBE -- ARGUMENTS``."""
    launcher = ["-m", "kogine"] if probe.as_module else [str(LAUNCHER)]
    arguments = ["run", probe.path, *WAYS[way], "--", *probe.argv]
    return _run(probe, folder, [*probe.flags, *launcher, *arguments], _builder(probe))


def _builder(probe: Probe) -> dict[str, str]:
    """A builder that is ready, but for one probe in three: kogine starts its own for that one."""
    place = os.environ.get(builder_server.VARIABLE)
    changed = probe.flags or probe.environment or probe.as_module
    starts_own = changed or zlib.crc32(probe.name.encode()) % 3 == 0
    return {} if place is None or starts_own else {builder_client.VARIABLE: place}


def run_command(probe: Probe, folder: Path, command: Sequence[str]) -> Seen:
    """``python COMMAND PROBE ARGUMENTS``."""
    return _run(probe, folder, [*probe.flags, *command, probe.path, *probe.argv])


def _run(
    probe: Probe, folder: Path, arguments: list[str], more: Mapping[str, str] = NOTHING
) -> Seen:
    before, work = prepare(probe, folder)
    command = [sys.executable, *arguments]
    done = subprocess.run(
        _in_shell(probe.shell, command) if probe.shell else command,
        cwd=work,
        input=probe.stdin.encode(),
        capture_output=True,
        env={**environment(folder), **probe.environment, **more},
        check=False,
        timeout=600,
    )
    return Seen(done.returncode, done.stdout, done.stderr, left(work, before))


def _in_shell(template: str, command: list[str]) -> list[str]:
    quoted = " ".join(f"'{part}'" for part in command)
    return ["/bin/sh", "-c", template.replace("{command}", quoted)]


@functools.cache
def _inherited() -> dict[str, str]:
    ours = ("PYTHON", "KOGINE", "COVERAGE", "PYTEST", "COLUMNS", "LINES")
    return {name: text for name, text in os.environ.items() if not name.startswith(ours)}


def environment(folder: Path) -> dict[str, str]:
    """The same for all: what is compared is the program, not what surrounds it."""
    return {
        **_inherited(),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "cli")]),
        "PYTHONHASHSEED": "0",
        "KOGINE_CACHE": str(folder / "cache"),
    }


def prepare(probe: Probe, folder: Path) -> tuple[set[str], Path]:
    """A new working folder with *probe*'s files, and their names."""
    work = folder / "work"
    if work.exists():
        shutil.rmtree(work)
    return _write(probe, work), work


def _write(probe: Probe, work: Path) -> set[str]:
    stored = probe.stored or probe.path
    files = {**probe.files, stored: program(probe)}
    for name, content in files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            content if isinstance(content, bytes) else textwrap.dedent(content).encode()
        )
    if probe.stored:
        (work / probe.path).symlink_to(work / probe.stored)
    return set(files)


def program(probe: Probe) -> bytes:
    """The bytes of *probe*'s file."""
    if isinstance(probe.source, bytes):
        return probe.source
    text = textwrap.dedent(probe.source).removeprefix("\n")
    return (text if UNRELATED in text else f"{UNRELATED}\n{text}").encode()


def left(work: Path, before: set[str]) -> dict[str, bytes]:
    """The files that were not there *before*; Python's own caches of helpers are left out."""
    paths = (path for path in work.rglob("*") if path.is_file() and path.suffix != ".pyc")
    found = {path.relative_to(work).as_posix(): path.read_bytes() for path in paths}
    return {name: content for name, content in found.items() if name not in before}
