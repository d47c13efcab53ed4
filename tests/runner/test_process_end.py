"""A run in this process ends as a process does: compared with plain Python, run after run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.oracle import on_path, run_kogine, run_python

ENDINGS = [
    pytest.param(
        "t = threading.Thread(target=lambda: (time.sleep(0.05), print('thread', n)))\nt.start()\n",
        id="a thread is waited for",
    ),
    pytest.param(
        "def first():\n"
        "    time.sleep(0.02)\n"
        "    threading.Thread(target=print, args=('inner', n)).start()\n"
        "threading.Thread(target=first).start()\n",
        id="a thread that a thread starts",
        marks=pytest.mark.skipif(
            sys.version_info[:2] == (3, 12), reason="3.12 starts no thread after the main one"
        ),
    ),
    pytest.param(
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n",
        id="a daemon is not waited for",
    ),
    pytest.param(
        "atexit.register(print, 'first', n)\natexit.register(print, 'second', end='!\\n')\n",
        id="exit functions, the last registered first",
    ),
    pytest.param("@atexit.register\ndef bye():\n    print('bye', n)\nbye()\n", id="as a decorator"),
    pytest.param(
        "atexit.register(print, 'a')\natexit.register(id, 1)\natexit.unregister(print)\n",
        id="an exit function that is taken back",
    ),
    pytest.param(
        "atexit.register(print, 'after')\natexit.register(sys.exit, 3)\n",
        id="an exit function that exits",
    ),
    pytest.param(
        "t = threading.Thread(target=lambda: (time.sleep(0.05), print('thread')))\n"
        "t.start()\natexit.register(print, 'end')\n",
        id="threads before exit functions",
    ),
    pytest.param("atexit.register(print, 'end', n)\nsys.exit()\n", id="after sys.exit"),
    pytest.param(
        "pool = futures.ThreadPoolExecutor(2)\npool.submit(lambda: (time.sleep(0.05), print(n)))\n",
        id="an executor that nobody shuts down",
    ),
    pytest.param(
        "def more(m):\n    time.sleep(0.02)\n    print(m, n)\n"
        "    if m:\n        pool.submit(more, m - 1)\n"
        "pool = futures.ThreadPoolExecutor(2)\npool.submit(more, 3)\n",
        id="an executor whose work makes more work",
    ),
    pytest.param(
        "pool = futures.ProcessPoolExecutor(1, mp_context=fork)\n"
        "pool.submit(print, 'child', n, flush=True)\n",
        id="an executor of processes that nobody shuts down",
    ),
    pytest.param(
        "pool = fork.Pool(1)\nprint(pool.apply(abs, (-n,)))\n", id="a pool that nobody closes"
    ),
    pytest.param(
        "manager = fork.Manager()\nprint(manager.list([n]))\n", id="a manager that nobody ends"
    ),
    pytest.param(
        "queue = fork.Queue()\nqueue.put(n)\nprint(queue.get())\nqueue.put(n)\n",
        id="a queue that is not empty",
    ),
    pytest.param(
        "child = fork.Process(target=lambda: (time.sleep(0.05), print('child', n, flush=True)))\n"
        "child.start()\n",
        id="a child is waited for",
    ),
    pytest.param(
        "print(sys.stdout.errors, sys.stdout.line_buffering)\n"
        "sys.stdout.reconfigure(errors='ignore', line_buffering=True)\n",
        id="streams write as at the start",
    ),
    pytest.param(
        "child = fork.Process(target=time.sleep, args=(60,), daemon=True)\nchild.start()\n"
        "atexit.register(lambda: print(child.is_alive()))\n",
        id="a child that is a daemon is ended",
    ),
    pytest.param(
        "class Noisy:\n"
        "    def __del__(self):\n        print('del', self.name, sys is None, shown(n), LIST)\n"
        "def shown(value):\n    return value\n"
        "LIST = [1]\none, two = Noisy(), [Noisy()]\none.name, two[0].name = 'one', 'two'\n",
        id="a destructor that reads globals",
    ),
    pytest.param(
        "class Noisy:\n    def __del__(self):\n        print('del', sys is None, n, flush=True)\n"
        "one = Noisy()\none.me = one\n",
        id="a destructor of an object in a cycle",
    ),
    pytest.param(
        "def work():\n    try:\n        while True:\n            time.sleep(0.001)\n"
        "    except NameError:\n        print('its globals are gone')\n"
        "threading.Thread(target=work, daemon=True).start()\ntime.sleep(0.1)\n",
        id="a daemon that works on",
    ),
]
SCRIPT = """\
import atexit, multiprocessing, sys, threading, time
from concurrent import futures
fork = multiprocessing.get_context("fork")
n = 0
print("start", n, flush=True)
"""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_a_script_started_ends_with_its_run(tmp_path: Path, ending: str) -> None:
    script = tmp_path / "s.py"
    printed = ""
    for n in (1, 2):
        script.write_text(SCRIPT.replace("n = 0", f"n = {n}") + ending)
        printed += run_python(tmp_path, "-Wignore", "s.py").stdout
    script.write_text(SCRIPT + ending)
    done = run_kogine(
        tmp_path, "run", "s.py", "--mode", "inline", "--sweep", "n=1,2", PYTHONWARNINGS="ignore"
    )
    assert (done.stdout, done.status) == (printed, 0), done.stderr


def test_an_exit_function_that_fails_is_printed_as_python_does(tmp_path: Path) -> None:
    text = "import atexit\nn = 0\ndef bad():\n    1 / n\natexit.register(print, 'after')\natexit.register(bad)\n"
    (tmp_path / "s.py").write_text(text)
    plain = run_python(tmp_path, "s.py")
    done = run_kogine(tmp_path, "run", "s.py", "--sweep", "n=0,1", "--mode", "inline")
    assert done.stdout == plain.stdout * 2
    without_address = [line for line in plain.stderr.splitlines() if " at 0x" not in line]
    assert without_address
    assert set(without_address) <= set(done.stderr.splitlines())
    assert done.stderr.count("ZeroDivisionError") == 1


BYE = "def bye():\n    1 / n\natexit.register(bye)\n"
INTERRUPTED = {
    "in the script": BYE + "def f():\n    raise KeyboardInterrupt\nf()\n",
    "nothing registered": "raise KeyboardInterrupt\n",
    "two exit functions": BYE + "@atexit.register\ndef two():\n    raise ValueError('two')\n"
    "raise KeyboardInterrupt\n",
    "an error with a cause": "@atexit.register\ndef two():\n    try:\n        1 / n\n"
    "    except ZeroDivisionError as error:\n        raise ValueError('two') from error\n"
    "raise KeyboardInterrupt\n",
    "an error with a context": "@atexit.register\ndef two():\n    try:\n        1 / n\n"
    "    except ZeroDivisionError:\n        raise ValueError('two')\nraise KeyboardInterrupt\n",
    "in the exit function, too": "@atexit.register\ndef two():\n"
    "    signal.raise_signal(signal.SIGINT)\nsignal.raise_signal(signal.SIGINT)\n",
    "with a hook": BYE + "sys.excepthook = lambda *_: print('hook', _[0], file=sys.stderr)\n"
    "raise KeyboardInterrupt\n",
    "with a context": BYE
    + "try:\n    1 / n\nexcept ZeroDivisionError:\n    raise KeyboardInterrupt\n",
    "an error": BYE + "1 / n\n",
    "an exit function that reads it": "@atexit.register\ndef two():\n"
    "    print(sys.last_type, repr(sys.last_value), sys.last_traceback.tb_lineno)\n1 / n\n",
    "an exit": BYE + "sys.exit('end')\n",
}


def as_shown(stderr: str) -> list[str]:
    """Without addresses, and without the empty text of an exception that never became an object.
    Python 3.13 marks no part of a line where it reports an exit function; our report does.
    """
    lines = [line.partition(" at 0x")[0].removesuffix(": ") for line in stderr.splitlines()]
    marks = sys.version_info >= (3, 13)
    return [line for line in lines if not (marks and line.strip(" ~^") == "")]


@pytest.mark.parametrize("text", INTERRUPTED.values(), ids=INTERRUPTED.keys())
def test_what_ended_the_script_is_shown_before_its_exit_functions(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "s.py").write_text("import atexit, signal, sys\nn = 0\n" + text)
    plain = run_python(tmp_path, "s.py")
    for words in ([], ["n=0"]):
        done = run_kogine(tmp_path, "run", "s.py", *words, "--mode", "inline", "--no-record")
        assert done.stdout == plain.stdout
        shown, expected = as_shown(done.stderr), as_shown(plain.stderr)
        assert shown[1 : len(expected) + 1] == expected
        assert "kohaku_ast" not in done.stderr
        if plain.status < 0:
            assert shown[len(expected) + 1] == "interrupted"
            assert done.status == 130
        else:
            assert done.status == 1


PROGRAM = """from kohaku_ast import Script
Script("s.py").run()
"""


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 shows frames of ours")
@pytest.mark.parametrize("text", INTERRUPTED.values(), ids=INTERRUPTED.keys())
def test_a_program_shows_exit_functions_as_python_does(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.py").write_text("import atexit, signal, sys\nn = 0\n" + text)
    (tmp_path / "program.py").write_text(PROGRAM)
    expected = as_shown(run_python(tmp_path, "s.py").stderr)
    done = run_python(tmp_path, "program.py", PYTHONPATH=on_path())
    shown = as_shown(done.stderr)
    assert "kohaku_ast/" not in done.stderr
    ended = next(
        (n for n, line in enumerate(expected) if line.startswith("Exception ignored")),
        len(expected),
    )
    functions = expected[ended:]
    assert shown[: len(functions)] == functions


def test_exit_functions_of_libraries_are_left_to_the_process(tmp_path: Path) -> None:
    library = tmp_path / "site-packages" / "registering.py"
    library.parent.mkdir()
    library.write_text("import atexit\natexit.register(print, 'library')\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "s.py").write_text(
        "import atexit, registering\nn = 0\natexit.register(print, 'script', n)\nprint('run', n)\n"
    )
    done = run_kogine(
        tmp_path / "run", "run", "s.py", "--sweep", "n=1,2", "--mode", "inline",
        PYTHONPATH=_also(library.parent),
    )  # fmt: skip
    assert done.stdout == "run 1\nscript 1\nrun 2\nscript 2\nlibrary\n", done.stderr


def _also(folder: Path) -> str:
    return f"{on_path()}:{folder}"


STARTS_SERVERS = """\
from multiprocessing import forkserver, resource_tracker
forkserver.ensure_running()
resource_tracker.ensure_running()
pids = [forkserver._forkserver._forkserver_pid, resource_tracker._resource_tracker._pid]
"""
RUNS_THEM = """\
import os
from kohaku_ast import Config, run
def ended():
    pids = run("s.py", Config(outputs=["pids"])).outputs["pids"]
    return [not os.path.exists(f"/proc/{pid}") for pid in pids]
print(ended(), ended())
from multiprocessing import forkserver, resource_tracker
resource_tracker.ensure_running()
print(ended(), ended())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_the_servers_of_multiprocessing_end_with_the_run_that_started_them(tmp_path: Path) -> None:
    """They have its streams: who reads its output until nobody can print waited for them."""
    (tmp_path / "s.py").write_text(STARTS_SERVERS)
    (tmp_path / "host.py").write_text(RUNS_THEM)
    done = run_python(tmp_path, "host.py", PYTHONPATH=on_path())
    assert done.stdout == "[True, True] [True, True]\n[True, False] [True, False]\n", done.stderr
