"""What a Python config does to the process does not reach the script; its own code keeps it."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.oracle import run_kogine, run_python

SCRIPT = """
import os, sys
x = 1
print(x, os.getcwd(), os.environ.get("ZZ"), os.environ["HOME"], sys.getrecursionlimit())
print("error", file=sys.stderr)
"""
CONFIGS = {
    "bare": "x = 3\n",
    "function": "def config_gen():\n    import kohaku_ast\n    return kohaku_ast.Config({'x': 3})\n",
    "generator": "def config_gen():\n    assert_own()\n    yield {'x': 3}\n    assert_own()\n",
}
SETS = """
import os, sys
os.chdir("/")
os.environ["ZZ"] = "1"
del os.environ["HOME"]
sys.setrecursionlimit(5000)
_out = sys.stdout = sys.stderr = sys.stdin = open(os.devnull, "w")
def assert_own():
    assert (os.getcwd(), os.environ["ZZ"], sys.getrecursionlimit()) == ("/", "1", 5000)
    assert "HOME" not in os.environ and sys.stdout is _out
_overrides = {}
"""


@pytest.mark.parametrize("mode", ["inline", "spawn"])
@pytest.mark.parametrize("config", CONFIGS)
def test_process_is_as_without_the_config(tmp_path: Path, config: str, mode: str) -> None:
    (tmp_path / "s.py").write_text(SCRIPT.replace("x = 1", "x = 3"))
    expected = run_python(tmp_path, "s.py")
    (tmp_path / "s.py").write_text(SCRIPT)
    body = CONFIGS[config].replace("x = 3", "x, assert_own = 3, assert_own\ndel assert_own")
    (tmp_path / "c.py").write_text(SETS + body)
    more = ["--mode", mode] if mode != "inline" else []
    got = run_kogine(tmp_path, "run", "s.py", "--config", "c.py", *more)
    assert expected.stdout in got.stdout, got
    assert "error" in got.stderr + got.stdout
    assert got.status == 0


def test_a_config_without_streams_ends_as_every_other(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("x = 1\nprint(x)\n")
    (tmp_path / "c.py").write_text("import sys\nsys.stdout = None\nx = 2\n")
    got = run_kogine(tmp_path, "run", "s.py", "--config", "c.py")
    assert (got.status, got.stdout, got.stderr) == (0, "2\n", "")


def test_a_base_and_its_heir_have_their_own(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("import os\nx = y = 1\nprint(x, y, os.environ.get('ZZ'))\n")
    (tmp_path / "base.py").write_text("import os\nos.environ['ZZ'] = 'base'\ny = 2\n")
    (tmp_path / "c.py").write_text(
        "import os\nfrom kohaku_ast import use_config\nos.environ['ZZ'] = 'heir'\n"
        "use_config('base.py')\nx = os.environ['ZZ']\n"
    )
    got = run_kogine(tmp_path, "run", "s.py", "--config", "c.py")
    assert got.stdout == "heir 2 None\n", got


STATE = """\
import gc, logging, multiprocessing, os, random, signal, socket, sys, tempfile, threading, warnings
import numpy
x = 1
logging.basicConfig(format="script %(message)s", stream=sys.stdout)
logging.warning("logged")
logging.getLogger("own").info("not logged")
warnings.warn("seen")
print(x, hasattr(os, "nothing"), sys.excepthook is sys.__excepthook__, oct(os.umask(0o22)))
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler, signal.getsignal(signal.SIGTERM))
print(sys.getswitchinterval(), numpy.geterr(), numpy.array([1 / 3]), [].__class__, abs(-1))
print(gc.isenabled(), gc.get_threshold(), hasattr(sys, "tracebacklimit"), hasattr(sys, "ps1"))
print(threading.stack_size(), sys.get_int_max_str_digits() if hasattr(sys, "get_int_max_str_digits") else 0)
print(multiprocessing.get_start_method(allow_none=True), socket.getdefaulttimeout(), tempfile.tempdir)
print("DRAWN", random.random(), numpy.random.rand())
"""
CHANGES = """\
import builtins, gc, logging, multiprocessing, os, random, signal, socket, sys, tempfile, threading
import warnings
import numpy
logging.basicConfig(level="DEBUG", filename=os.devnull)
logging.getLogger("own").setLevel("DEBUG")
logging.disable("ERROR")
random.seed(0)
numpy.random.seed(0)
numpy.seterr(all="raise")
numpy.set_printoptions(precision=2)
warnings.simplefilter("ignore")
warnings.showwarning = print
sys.excepthook = print
builtins.abs = print
os.umask(0o77)
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.setswitchinterval(0.5)
sys.argv.append("more")
gc.disable()
gc.set_threshold(9)
sys.tracebacklimit = 1
sys.ps1 = "?"
getattr(sys, "set_int_max_str_digits", print)(999)
threading.stack_size(1 << 20)
multiprocessing.set_start_method("spawn")
socket.setdefaulttimeout(3)
tempfile.tempdir = "/no"
x = 3
"""


@pytest.mark.parametrize("mode", ["", "--mode inline", "--mode spawn", "--mode warm"])
def test_hooks_loggers_seeds_and_signals_are_as_without_the_config(
    tmp_path: Path, mode: str
) -> None:
    (tmp_path / "s.py").write_text(STATE.replace("x = 1", "x = 3"))
    (tmp_path / "c.py").write_text(CHANGES)
    expected = run_python(tmp_path, "s.py")
    (tmp_path / "s.py").write_text(STATE)
    words = [*mode.split(), "--no-record"] if mode else []
    drawn = set()
    for _ in range(2):
        got = run_kogine(tmp_path, "run", "s.py", "--config", "c.py", *words)
        fixed, _, numbers = got.stdout.partition("DRAWN")
        assert fixed == expected.stdout.partition("DRAWN")[0], got
        assert "UserWarning: seen" in got.stderr + got.stdout
        drawn.add(numbers)
    assert len(drawn) == 2


SYSTEM = """\
import faulthandler, os, resource, signal
x = 1
print(x, faulthandler.is_enabled(), resource.getrlimit(resource.RLIMIT_NOFILE))
print(signal.pthread_sigmask(0, []), signal.getitimer(signal.ITIMER_REAL), os.sched_getaffinity(0))
"""
CHANGED_SYSTEM = """\
import faulthandler, os, signal
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
faulthandler.enable()
faulthandler.dump_traceback_later(1, exit=True)
setrlimit(RLIMIT_NOFILE, (99, getrlimit(RLIMIT_NOFILE)[1]))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
signal.alarm(1)
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
x = 3
"""


@pytest.mark.parametrize("mode", ["", "--mode inline", "--mode spawn", "--mode warm"])
def test_what_the_system_knows_of_the_process_is_as_without_the_config(
    tmp_path: Path, mode: str
) -> None:
    text = SYSTEM + "import time\ntime.sleep(1.2)\n" if not mode else SYSTEM
    (tmp_path / "s.py").write_text(text.replace("x = 1", "x = 3"))
    (tmp_path / "c.py").write_text(CHANGED_SYSTEM)
    expected = run_python(tmp_path, "s.py")
    (tmp_path / "s.py").write_text(text)
    words = [*mode.split(), "--no-record"] if mode else []
    got = run_kogine(tmp_path, "run", "s.py", "--config", "c.py", *words)
    assert (got.status, got.stderr) == (0, got.stderr if mode else "")
    lines = expected.stdout if not mode else expected.stdout.partition("(")[2]
    assert lines in got.stdout, got


def test_a_script_does_not_find_loaded_what_reads_the_state(tmp_path: Path) -> None:
    text = "import sys\nx = 3\nprint(x, 'resource' in sys.modules, 'faulthandler' in sys.modules)\n"
    (tmp_path / "s.py").write_text(text)
    (tmp_path / "c.py").write_text("x = 3\n")
    expected = run_python(tmp_path, "s.py")
    assert run_kogine(tmp_path, "run", "s.py", "--config", "c.py") == expected


def test_a_priority_that_cannot_be_raised_again_is_reported(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("import os\nx = 1\nprint(x, os.getpriority(0, 0))\n")
    (tmp_path / "c.py").write_text("import os\nos.nice(1)\nx = 3\n")
    own = os.getpriority(os.PRIO_PROCESS, 0)
    got = run_kogine(tmp_path, "run", "s.py", "--config", "c.py")
    is_reported = "kogine: warning: the priority (os.nice) was lowered by a config" in got.stderr
    assert (got.stdout, is_reported) in ((f"3 {own}\n", False), (f"3 {own + 1}\n", True))


def test_a_limit_that_cannot_be_raised_again_is_reported(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("import resource\nx = 1\nprint(x, resource.getrlimit(7))\n")
    (tmp_path / "c.py").write_text(
        "import resource\nresource.setrlimit(7, (500, 500))\nx = 3\n"
        # As for who is not root.
        "def refuse(*_): raise ValueError\nresource.setrlimit = refuse\n"
    )
    got = run_kogine(tmp_path, "run", "s.py", "--config", "c.py")
    assert "kogine: warning: the limit RLIMIT_NOFILE was lowered by a config" in got.stderr, got


def test_a_generator_keeps_its_seeds_and_loggers_between_its_configs(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("import random\nx = 1\nrandom.seed(7)\nprint(x)\n")
    (tmp_path / "c.py").write_text(
        "import logging, random\n"
        "def config_gen():\n"
        "    random.seed(0)\n"
        "    logging.getLogger().setLevel('DEBUG')\n"
        "    for _ in range(3):\n"
        "        assert logging.getLogger().level == 10\n"
        "        yield {'x': random.random()}\n"
    )
    generator = random.Random(0)
    numbers = [generator.random() for _ in range(3)]
    words = ("--mode", "inline", "--no-record")
    got = run_kogine(tmp_path, "run", "s.py", "--config", "c.py", *words)
    assert [float(one) for one in got.stdout.split()] == numbers, got
