"""A script that patches Python's own functions and then fails, in a process of a flow: its log, the
list of failures and the record show what Python prints.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.oracle import Finished, on_path, run_kogine, run_python
from tests.sampled import sampled

REFUSE = """\
import builtins, os, sys, time, traceback
from os import write
leave = sys.exit
lr = 0.1
def refused(name):
    def refuse(*arguments, **named):
        write(2, f"{name} is called\\n".encode())
        raise RuntimeError(name)
    return refuse
def refuse(owner, names):
    for name in names.split():
        owner.__dict__[name] = refused(name)
def wait(*arguments, **named):
    time.sleep(1000)
"""
PATCHES = {
    "builtins": """\
refuse(builtins, "open isinstance issubclass getattr setattr hasattr sorted map zip any all repr"
    " print len iter next min max sum vars type str int bytes list dict set tuple frozenset callable"
    " compile eval exec enumerate range object BaseException SystemExit Exception")
""",
    "os": 'refuse(os, "getpid write stat listdir fsdecode fsencode getcwd close open fspath read")',
    "os.path": """\
refuse(os.path, "join basename dirname exists isfile isdir abspath realpath split splitext")
""",
    "sys": 'refuse(sys, "gettrace settrace getprofile setprofile _getframe exc_info audit exit")',
    "traceback": """\
refuse(traceback, "print_exception format_exception print_exc print_tb format_tb extract_tb walk_tb"
    " TracebackException StackSummary")
""",
    "one of builtins": "builtins.isinstance = lambda *_: 1 / 0",
    "one that waits": "builtins.isinstance = builtins.getattr = wait",
    "one that lies": "builtins.len = lambda _: 0\nbuiltins.str = builtins.repr",
    "os.write": 'os.write = refused("write")',
    "no class for tracebacks": "traceback.TracebackException = None",
    "a class for tracebacks that waits": "traceback.TracebackException = wait",
    "names that are gone": "del builtins.isinstance, builtins.len, os.stat, sys.exc_info",
    "no traceback module": "sys.modules['traceback'] = sys.modules['linecache'] = None",
    "few modules": "for one in ('traceback', 'linecache', 'io', 'pickle', 'cloudpickle', 'os'): sys.modules.pop(one, None)",
    "an import that refuses": 'builtins.__import__ = refused("import")',
    "no path": "sys.path.clear()\nsys.meta_path.clear()",
    "a hook": "sys.excepthook = lambda kind, value, trace: write(2, f'{kind.__name__} it is\\n'.encode())",
    "a hook that fails": "sys.excepthook = lambda *_: [][0]",
    "no hook": "del sys.excepthook",
    "no standard error": "sys.stderr = None",
    "a text as standard error": "import io\nsys.stderr = io.StringIO()",
}  # fmt: skip
if sys.version_info >= (3, 13):  # Python prints by its module, and waits itself
    del PATCHES["a class for tracebacks that waits"], PATCHES["one that waits"]
ENDS = {
    "an error": "def f():\n    1 / 0\nf()",
    "an error with a cause": "try:\n    {}[3]\nexcept KeyError as error:\n    raise ValueError(lr and 'why\\nnot') from error",
    "a class of its own": "class Own(Exception):\n    def __str__(self):\n        return 'its own text'\nraise Own(1)",
}  # fmt: skip
CASES = {f"{patch}, {end}": (patch, end) for patch in PATCHES for end in ENDS}


def script(patch: str, end: str) -> str:
    return f"{REFUSE}{PATCHES[patch]}\n{ENDS[end]}\n"


def plain(folder: Path, text: str) -> Finished:
    (folder / "s.py").write_text(text)
    expected = run_python(folder, "s.py")
    assert expected.status == 1
    return expected


def printed(log: str) -> str:
    """*log*; from Python 3.13 on without what the patched functions print: Python's module calls
    them for the text of the record, too.
    """
    if sys.version_info < (3, 13):
        return log
    return "".join(line for line in log.splitlines(True) if not line.endswith(" is called\n"))


@pytest.mark.parametrize("mode", ["spawn", "warm"])
@pytest.mark.parametrize("case", sampled(CASES, every=4))
def test_the_log_is_pythons(tmp_path: Path, case: tuple[str, str], mode: str) -> None:
    expected = plain(tmp_path, script(*case))
    done = run_kogine(
        tmp_path, "run", "s.py", "--sweep", "lr=1,2", "--mode", mode, "--workers", "1",
        "--on-error", "continue",
    )  # fmt: skip
    assert done.status == 1
    logs = [one.read_text() for one in tmp_path.glob(".kogine/runs/*/log.txt")]
    assert list(map(printed, logs)) == [printed(expected.stderr)] * 2
    assert "2 runs: 2 failed" in done.stderr
    assert "kohaku_ast" not in done.stdout + done.stderr
    shown = "".join(f"  | {line}\n" for line in expected.stderr.splitlines()[-10:] if line)
    assert shown in done.stderr or sys.version_info >= (3, 13)
    records = [json.loads(one.read_text()) for one in tmp_path.glob(".kogine/runs/*/run.json")]
    assert [one["status"] for one in records] == ["failed"] * 2


FLOW = """\
import sys
from kohaku_ast import Parallel, Script, Sequential, Sweep
if __name__ == "__main__":
    kind = {"Parallel": Parallel, "Sequential": Sequential}[sys.argv[1]]
    flow = kind([Script("s.py", Sweep(lr=[1, 2]))], mode=sys.argv[2], on_error="continue")
    for one in flow.run():
        print(one.status, one.exit_status, one.error.type, [one.error.message])
        print(one.error.traceback, end="")
"""
IN_PYTHON = {
    f"{patch}, {kind}, {mode}": (patch, kind, mode)
    for patch in ("builtins", "os", "sys", "traceback", "one that waits", "few modules", "no path")
    if patch in PATCHES
    for kind in ("Parallel", "Sequential")
    for mode in ("spawn", "warm")
}


@pytest.mark.parametrize("case", sampled(IN_PYTHON, every=5))
def test_flows_in_python(tmp_path: Path, case: tuple[str, str, str]) -> None:
    patch, kind, mode = case
    expected = plain(tmp_path, script(patch, "an error with a cause"))
    (tmp_path / "flow.py").write_text(FLOW)
    done = run_kogine_python(tmp_path, kind, mode)
    trace = expected.stderr if sys.version_info < (3, 13) else ""
    one = f"failed 1 ValueError ['why\\nnot']\n{trace}"
    assert done.stdout.count(one) == 2, done
    assert "kohaku_ast/" not in done.stdout + done.stderr


def run_kogine_python(folder: Path, *arguments: str) -> Finished:
    return run_python(folder, "flow.py", *arguments, PYTHONPATH=on_path())


GOOD_ENDS = {
    "it ends": ("", 0),
    "it exits with 0": ("leave(0)", 0),
    "it exits with 3": ("leave(3)", 3),
    "it exits with a text": ("leave('a text')", 1),
}
GOOD = {
    f"{patch}, {end}": (patch, end) for patch in ("builtins", "os", "sys", "traceback", "few modules")
    for end in GOOD_ENDS
}  # fmt: skip


@pytest.mark.parametrize("mode", ["spawn", "warm"])
@pytest.mark.parametrize("case", sampled(GOOD, every=5))
def test_other_ends(tmp_path: Path, case: tuple[str, str], mode: str) -> None:
    patch, end = case
    text, status = GOOD_ENDS[end]
    (tmp_path / "s.py").write_text(f"{REFUSE}{PATCHES[patch]}\n{text}\n")
    expected = run_python(tmp_path, "s.py")
    assert expected.status == status
    done = run_kogine(tmp_path, "run", "s.py", "lr=1", "--mode", mode)
    assert done.status == bool(status), done
    assert [one.read_text() for one in tmp_path.glob(".kogine/runs/*/log.txt")] == [expected.stderr]
    assert "kohaku_ast" not in done.stdout + done.stderr
