"""Runs programs and compares them: plain Python on an edited copy against kogine on the script."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import builder_client, builder_server

FIXTURES = Path(__file__).parents[1] / "fixtures"
_COOKIE = re.compile(rb"coding[:=]\s*([-\w.]+)")


@dataclass(frozen=True)
class Finished:
    """What is left of a process: exactly what a user could have seen."""

    status: int
    stdout: str
    stderr: str


def run(command: Sequence[str], folder: Path, stdin: str = "", **environment: str) -> Finished:
    """Run *command* in *folder*; bytes that are no UTF-8 are kept as escapes."""
    # A test that has logged in this process names its record to processes that it starts.
    not_meant = ("TOY_", "KOGINE_STANDALONE")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(not_meant)}
    done = subprocess.run(
        command,
        cwd=folder,
        input=stdin.encode("utf-8", "surrogateescape"),
        capture_output=True,
        env={**clean, **environment},
        check=False,
        timeout=600,
    )
    out, err = (text.decode("utf-8", "backslashreplace") for text in (done.stdout, done.stderr))
    return Finished(done.returncode, out, err)


def run_python(folder: Path, *arguments: str, stdin: str = "", **environment: str) -> Finished:
    """``python ARGUMENTS``."""
    return run([sys.executable, *arguments], folder, stdin, **environment)


def run_kogine(folder: Path, *arguments: str, stdin: str = "", **environment: str) -> Finished:
    """``kogine ARGUMENTS``, as the installed command starts; a builder is ready for it."""
    launcher = Path(__file__).with_name("kogine_command.py")
    environment.setdefault("PYTHONPATH", on_path())
    # With a safe path the command does not find the builder beside itself.
    if builder_server.VARIABLE in os.environ and "PYTHONSAFEPATH" not in environment:
        environment.setdefault(builder_client.VARIABLE, os.environ[builder_server.VARIABLE])
    return run([sys.executable, str(launcher), *arguments], folder, stdin, **environment)


def on_path() -> str:
    """The PYTHONPATH under which kogine is this checkout."""
    return os.pathsep.join([str(FIXTURES.parent), str(FIXTURES.parent / "cli")])


def edited(data: bytes, edits: Sequence[tuple[str, str]]) -> bytes:
    """*data* with each edit made once, in the file's own encoding and newlines."""
    cookie = _COOKIE.search(b"\n".join(data.splitlines()[:2]))
    encoding = cookie[1].decode() if cookie else "utf-8"
    text = data.decode(encoding)
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the script"
        text = text.replace(old, new)
    return text.encode(encoding)


def compare(
    folder: Path,
    data: bytes,
    edits: Sequence[tuple[str, str]],
    arguments: Sequence[str],
    *,
    name: str = "script.py",
    argv: Sequence[str] = (),
    stdin: str = "",
) -> tuple[Finished, Finished]:
    """Plain Python on the edited copy, kogine with *arguments* on the script; one path for both."""
    script = folder / name
    script.write_bytes(edited(data, edits))
    expected = run_python(folder, name, *argv, stdin=stdin)
    script.write_bytes(data)
    split = ["--", *argv] if argv else []
    words = targets(arguments, argv)
    return expected, run_kogine(folder, "run", name, *words, *split, stdin=stdin)


def targets(words: Sequence[str], argv: Sequence[str] = ()) -> list[str]:
    """*words* with options of the script as targets: ``--lr=1`` alone is an argument, and stays one
    where *argv* has the option, too.
    """
    given = {_option(word) for word in argv}
    named = [word.startswith("--") and "=" in word and _option(word) not in given for word in words]
    split = [["--set", word] if is_target else [word] for word, is_target in zip(words, named)]
    return [word for pair in split for word in pair]


def _option(word: str) -> str:
    return word.partition("=")[0].replace("--no-", "--").replace("-", "_")
