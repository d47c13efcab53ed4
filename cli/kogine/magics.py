"""``%load_ext kogine``: the command line in a notebook and in IPython.

``%kogine run train.py lr=0.1`` is a command line; ``%%kogine lr=0.1`` runs the cell below it as a
script. Each runs in a process of its own, so that nothing of the notebook changes.
"""

from __future__ import annotations

import os
import selectors
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from kohaku_ast.notebook.ipython_syntax import plain_cell

CELLS = Path(".kogine", "cells")
"""The scripts of ``%%kogine``: the records of their runs, and the commands that repeat them, name
these files.
"""


def load(shell: Any) -> None:
    """Give the IPython *shell* the magic ``kogine``, for a line and for a cell."""

    def kogine(line: str, cell: str | None = None) -> None:
        words = shlex.split(line)
        if cell is not None:
            words = ["run", str(script_of(cell)), *words]
        status = run_command(words)
        shell.user_ns["_exit_code"] = status
        if status:
            from IPython.core.error import UsageError

            raise UsageError(f"kogine {shlex.join(words)}: exit status {status}")

    kogine.__doc__ = __doc__
    shell.register_magic_function(kogine, "line_cell", "kogine")


def script_of(cell: str) -> Path:
    """The file with the script of *cell*, which is written if it is new."""
    text = plain_cell(cell).text
    path = CELLS / f"cell-{sha256(text.encode()).hexdigest()[:8]}.py"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path


def run_command(words: Sequence[str]) -> int:
    """Run ``kogine`` with *words*; what it prints appears below the cell as it comes. The exit
    status. Ctrl-C, and Interrupt of a notebook, go to the command.
    """
    folders = [os.getcwd(), os.environ.get("PYTHONPATH", "")]  # modules beside the notebook
    process = subprocess.Popen(
        [sys.executable, "-m", "kogine", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # else some interrupts come to it by themselves, and then twice
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, folders)),
            "PYTHONUNBUFFERED": "1",
        },
    )
    is_interrupted = False
    while True:
        try:
            _copy(process)
            status = process.wait()
            break
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            is_interrupted = True
    if is_interrupted:
        raise KeyboardInterrupt
    return status


def _copy(process: subprocess.Popen[bytes]) -> None:
    """Print what *process* prints, until it has closed its streams."""
    with selectors.DefaultSelector() as selector:
        for source, target in ((process.stdout, sys.stdout), (process.stderr, sys.stderr)):
            if source is not None and not source.closed:
                selector.register(source, selectors.EVENT_READ, target)
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]  # it is a file
                else:
                    key.data.write(data.decode("utf-8", "replace"))
                    key.data.flush()
