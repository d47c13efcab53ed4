"""What the tests of real clusters share: the end of their script, and a look at what goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests.oracle import on_path

SECONDS = 60
"""That something may take, also on a busy machine."""

HOWS = """\
if how == "wait":
    open(f"begun-{os.getpid()}", "w")
    try: time.sleep(600)
    except KeyboardInterrupt: print("saved")
    sys.exit(3)
if n == 2 and how == "fail": raise ValueError("two")
"""
"""The part of a script that runs until Ctrl-C, or fails, as its setting ``how`` says."""

KILLS_ITS_WORKER = """\
if how == "kill" and not os.path.exists("killed"):
    import multiprocessing, subprocess
    multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,)).start()
    words = [sys.executable, "-c", "import time; time.sleep(600)", "left-behind"]
    for own in (False, True):
        subprocess.Popen(words, start_new_session=own)
    subprocess.Popen(words, env={})
    open("killed", "w").write(str(os.getpid()))
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
"""
"""The part of a script that kills its worker, with children of several kinds, the first time."""


def wait_for(what: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """What *what* returns, once that is true."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return found


def start_flow(*words: str) -> subprocess.Popen[str]:
    """A command of kogine, which goes on; what it says comes by ``communicate``."""
    launcher = Path(__file__).parents[1] / "kogine_command.py"
    return subprocess.Popen(
        [sys.executable, str(launcher), *words], start_new_session=True, text=True,
        env={**os.environ, "PYTHONPATH": on_path()}, stderr=subprocess.PIPE,
    )  # fmt: skip


def facts() -> list[dict[str, Any]]:
    """The records in this folder, in the order of their starts."""
    return [json.loads(one.read_text()) for one in sorted(Path(".kogine/runs").glob("*/run.json"))]


def processes(*marks: str) -> list[str]:
    """The commands of processes in this folder that hold one of *marks*. A zombie of the init of a
    container has no command.
    """
    here = os.getcwd()
    every = [one for one in psutil.process_iter(["cmdline", "cwd"]) if one.info["cwd"] == here]
    commands = [" ".join(one.info["cmdline"] or ()) for one in every]
    return [one for one in commands if any(mark in one for mark in marks)]


def children() -> list[str]:
    """The processes of runs of the script in this folder, and those that they have started."""
    return processes("fresh.py", "left-behind")


def none_is_left() -> bool:
    """Whether these end: what a killed worker has left ends a moment after it."""
    return bool(wait_for(lambda: not children()))
