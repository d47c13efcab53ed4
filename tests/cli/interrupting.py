"""SIGINT at chosen places of a program: the programs here interrupt themselves, or say when."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cli.recorded import KOGINE
from tests.oracle import Finished, on_path

# Started by Python before anything else. What Python does for a program makes events: imports, files
# that are opened, code that is compiled. They are counted from a first one on, which is an import.
SITE = """\
import atexit, os, signal, sys
first, at, many, who = os.environ["SIGINTS"].split(",")
if any(who in word for word in sys.orig_argv):
    count, pid, getpid, kill = -1, os.getpid(), os.getpid, os.kill
    at, stop = int(at), int(at) + int(many)
    def look(event, arguments):
        global count
        if count < 0 and (event != "import" or arguments[0] != first):
            return
        count += 1
        if at <= count < stop and not event.startswith("os.kill") and getpid() == pid:
            kill(pid, signal.SIGINT)
    sys.addaudithook(look)
    if many == "0":
        path = os.environ["EVENTS"]
        def keep():
            if getpid() == pid:
                number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.write(number, str(count).encode())
        atexit.register(keep)
"""

_FRAME_OF_OURS = re.compile(r'File ".*(kohaku_ast|cli/kogine)/')


def ours(stderr: str) -> list[str]:
    """What of *stderr* shows our own code, or that it has failed."""
    words = ("kohaku_ast.", "_Leave", "Error in sys.excepthook")
    return [
        line
        for line in stderr.splitlines()
        if _FRAME_OF_OURS.search(line) or any(word in line for word in words)
    ]


class Interrupting:
    """Command lines that interrupt themselves."""

    def __init__(
        self, folder: Path, first: str = "kohaku_ast", who: str = "kogine_command"
    ) -> None:
        """*first*: the import from which on events are counted, in processes with *who* in their
        command.
        """
        self.folder, self.first, self.who = folder, first, who
        self.site = folder / "site"
        self.site.mkdir()
        (self.site / "sitecustomize.py").write_text(SITE)

    def run(self, words: Sequence[str], at: int, many: int, **variables: str) -> Finished:
        """Interrupted at each of *many* events, beginning with number *at*."""
        done = subprocess.run(
            [*KOGINE, *words],
            cwd=self.folder, env=self._environment(at, many) | variables, capture_output=True,
            stdin=subprocess.DEVNULL, text=True, check=False, start_new_session=True,
        )  # fmt: skip
        return Finished(done.returncode, done.stdout, done.stderr)

    def events(self, words: Sequence[str], **variables: str) -> int:
        """How many there are if nothing interrupts it."""
        path = self.folder / "events"
        done = self.run(words, 0, 0, EVENTS=str(path), **variables)
        assert path.exists(), done.stderr
        return int(path.read_text())

    def _environment(self, at: int, many: int) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(self.site), on_path()]),
            "SIGINTS": f"{self.first},{at},{many},{self.who}",
        }


@contextmanager
def under_way(
    folder: Path, command: Sequence[str], stdin: int = subprocess.DEVNULL, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """*command* in a session of its own, as under a terminal; killed at the end."""
    environment = {**os.environ, "PYTHONPATH": on_path(), "SIGINTS_OF": str(folder), **variables}
    with subprocess.Popen(
        command, cwd=folder, env=environment, text=True, start_new_session=True,
        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def press(process: subprocess.Popen[str], times: int) -> None:
    """Ctrl-C as a terminal has it: for all processes of the foreground."""
    for _ in range(times):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)


def press_until_ended(process: subprocess.Popen[str]) -> None:
    """Without a pause."""
    while process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)


def left_of(folder: Path) -> list[str]:
    """The commands of the processes that ``under_way`` has started in *folder* and that run."""
    mark, found = f"SIGINTS_OF={folder}".encode(), []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (path / "environ").read_bytes().split(b"\0"):
                found.append((path / "cmdline").read_text().replace("\0", " "))
        except OSError:
            pass  # it has ended, or is somebody else's
    return found
