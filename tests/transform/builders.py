"""Processes whose builders can be seen and stopped, without the product knowing of it.

Every Python process of a test imports this ``sitecustomize``. Where Programs are built
``kohaku_ast.transform.program.compile`` is imported, once; its audit hook notes that, and waits if it is
asked to.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli.recorded import KOGINE
from tests.oracle import Finished, on_path, run

ROOT = Path(__file__).parents[2]

_SITE = """
import os, sys
print("said by sitecustomize")
def watch(event, args, log={log!r}, gate={gate!r}):
    if event != "import" or args[0] != "kohaku_ast.transform.program.compile":
        return
    with open(log, "a") as file:
        file.write(f"{{os.getpid()}} {{os.getppid()}}\\n")
    if os.path.exists(gate):
        with open(gate, "wb") as file:
            file.write(str(os.getpid()).encode())
        with open(gate + ".open", "rb") as file:
            file.read()
sys.addaudithook(watch)
"""

SCRIPT = 'x = 3\nprint("x is", x)\n'

_PROGRAM = """
import os, sys, threading
from kohaku_ast import Config, Script
until = threading.Event()
if "spawned" in sys.argv:
    threading.Thread(target=until.wait).start()
try:
    exec({before!r}, globals())
    Script("s.py", Config(globals_dict=dict(x=4))).run()
    exec({after!r}, globals())
finally:
    until.set()
"""
"""Runs the script in Python, where the builder is forked, or ``spawned``."""


def program(before: str = "", after: str = "") -> str:
    """The text of a program that runs the script, *before* and *after* what is given."""
    return _PROGRAM.format(before=before, after=after)


class Watched:
    """A folder with the script, a cache, and a list of who has built."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log, self._gate = folder / "builders.log", folder / "gate"
        (folder / "site").mkdir()
        text = _SITE.format(log=str(self._log), gate=str(self._gate))
        (folder / "site" / "sitecustomize.py").write_text(text.replace("print(", "0 and print("))
        (folder / "s.py").write_text(SCRIPT)
        self.cache = folder / "cache"

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(self.folder / "site"), on_path()])
        return {**os.environ, "PYTHONPATH": path, "KOGINE_CACHE": str(self.cache)}

    def speak(self) -> None:
        """Let every interpreter print when it starts."""
        site = self.folder / "site" / "sitecustomize.py"
        site.write_text(site.read_text().replace("0 and print(", "print("))

    def builders(self) -> list[tuple[int, int]]:
        """The process and the parent of each builder, the first one first."""
        if not self._log.exists():
            return []
        lines = self._log.read_text().splitlines()
        return [(int(one), int(parent)) for one, parent in map(str.split, lines)]

    def kogine(self, *arguments: str, **environment: str) -> Finished:
        return run([*KOGINE, *arguments], self.folder, **{**self.environment, **environment})

    def python(self, way: str, before: str = "", after: str = "", *flags: str) -> Finished:
        """The script, run by ``program``."""
        (self.folder / "program.py").write_text(program(before, after))
        return run([sys.executable, *flags, "program.py", way], self.folder, **self.environment)

    @contextmanager
    def stopped(self, command: list[str], **options: Any) -> Iterator[tuple[Any, int]]:
        """*command* with its builder at work until it is let go on; the process and the builder's
        number.
        """
        os.mkfifo(self._gate)
        os.mkfifo(f"{self._gate}.open")
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        with subprocess.Popen(
            command, cwd=self.folder, env=self.environment, start_new_session=True, **options
        ) as process:
            try:
                builder = int(self._gate.read_bytes())
                self._gate.unlink()  # the next one does not wait
                yield process, builder
            finally:
                process.kill()

    def let_go_on(self) -> None:
        Path(f"{self._gate}.open").write_bytes(b"")
