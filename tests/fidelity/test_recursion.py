"""A script recurses as deep as under Python, and its traceback has as many lines."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kohaku_ast.runner import recursion_depth
from tests.fidelity.probes import Probe, assert_like_python, probes
from tests.oracle import run_kogine, run_python

DEEP = """
import sys
def reached(n=0):
    try:
        return reached(n + 1)
    except RecursionError:
        return n
"""
ENDLESS = "def f(n):\n    return f(n + 1)\n"
# Python 3.12 counts calls through C apart and has no way to raise their limit: kogine's own two are
# missing at the end.
ENDLESS_THROUGH_C = [
    Probe("endless through C", "def f(n):\n    return list(map(f, [n]))\nf(0)"),
] if sys.version_info[:2] != (3, 12) else []  # fmt: skip

RECURSION = [
    Probe("as deep as it goes", DEEP + "print(reached())"),
    Probe("twice", DEEP + "print(reached(), reached())"),
    Probe("with a low limit", DEEP + "sys.setrecursionlimit(80)\nprint(reached(), sys.getrecursionlimit())"),
    Probe("with a high limit", DEEP + "sys.setrecursionlimit(5000)\nprint(reached(), sys.getrecursionlimit())"),
    Probe("a limit that is too low", DEEP + "def f(n):\n    if n:\n        f(n - 1)\n    else:\n        try:\n            sys.setrecursionlimit(30)\n        except RecursionError as error:\n            print(error)\nfor n in range(20, 32):\n    f(n)"),
    Probe("in the guard", DEEP + "def main():\n    print(reached())\nif __name__ == '__main__':\n    main()"),
    Probe("in a thread", DEEP + "import threading\nt = threading.Thread(target=lambda: print(reached()))\nt.start()\nt.join()\nprint(reached())"),
    Probe("in a coroutine", DEEP + "import asyncio\nasync def main():\n    print(reached())\nasyncio.run(main())\nprint(reached())"),
    Probe("through C", DEEP + "def f(n):\n    return max(map(f, [n + 1])) if n < 5 else reached()\nprint(f(0))"),
    Probe("of a class body", DEEP + "class A:\n    class B:\n        print(reached())"),
    Probe("in exec and eval", DEEP + "exec('print(reached())')\nprint(eval('reached()'))"),
    Probe("in an imported module", "import helper", files={"helper.py": DEEP + "print(reached())"}),
    Probe("of an imported module's text", "import helper", files={"helper.py": DEEP + "print(len(__import__('inspect').stack()) > 1, reached())"}),
    Probe("in a forked child", DEEP + "import os\npid = os.fork()\nprint(reached(), flush=True)\nif not pid:\n    os._exit(0)\nos.waitpid(pid, 0)"),
    Probe("in processes of a pool", DEEP + "import multiprocessing\nif __name__ == '__main__':\n    for method in ('fork', 'spawn'):\n        with multiprocessing.get_context(method).Pool(1) as pool:\n            print(pool.apply(reached))"),
    Probe("in a signal handler", DEEP + "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: print(reached()))\nsignal.raise_signal(signal.SIGUSR1)"),
    Probe("a value nested deep", "import sys, copy, pickle, json\nx = []\nfor _ in range(300):\n    x = [x]\nfor act in (copy.deepcopy, pickle.dumps, json.dumps, repr):\n    try:\n        print(len(act(x)))\n    except RecursionError as error:\n        print(act, error)"),
    Probe("endless", ENDLESS + "f(0)"),
    Probe("of two", "def f():\n    g()\ndef g():\n    f()\nf()"),
    Probe("endless with a limit", "import sys\nsys.setrecursionlimit(80)\n" + ENDLESS + "f(0)"),
    *ENDLESS_THROUGH_C,
    Probe("counted lines", "import traceback\n" + ENDLESS + "try:\n    f(0)\nexcept RecursionError as error:\n    print(len(traceback.extract_tb(error.__traceback__)))"),
]  # fmt: skip


@probes(*RECURSION)
def test_recursion(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@pytest.mark.parametrize("override", [(), ("unrelated=1",)], ids=["as it is", "overridden"])
@pytest.mark.parametrize("start", [("-m", "pkg.mod"), ("-m", "pkg"), ("pkg",)], ids=" ".join)
def test_in_a_module(start: tuple[str, ...], override: tuple[str, ...], tmp_path: Path) -> None:
    text = "unrelated = 1\n" + DEEP + "if __name__ == '__main__':\n    print(reached())\n"
    (tmp_path / "pkg").mkdir()
    for name in ("mod", "__main__"):
        (tmp_path / "pkg" / f"{name}.py").write_text(text)
    expected = run_python(tmp_path, *start)
    assert run_kogine(tmp_path, "run", *start, *override) == expected


def depth() -> int:
    count = recursion_depth.find_count()
    assert count is not None
    return count.get() - 1  # without the call of find_count, of which nothing is left


def test_the_count_is_that_of_calls() -> None:
    def deeper(left: int) -> int:
        return deeper(left - 1) if left else depth()

    assert deeper(5) - deeper(0) == 5


def test_it_is_as_before_afterwards() -> None:
    before = depth()
    undo = recursion_depth.start_at_bottom(is_exec=False)
    inside = depth()
    undo()
    assert (inside < before, depth()) == (True, before)


@pytest.mark.parametrize("name", ["dlopen", "dlsym"])
def test_without_access_nothing_is_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(f"_ctypes.{name}")
    assert recursion_depth._reader() is None
    monkeypatch.setattr(recursion_depth, "_thread_state", None)
    assert recursion_depth.find_count() is None
    recursion_depth.start_at_bottom(is_exec=True)()


def test_a_number_that_may_be_another_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of one kind: nobody can say which is the count."""
    state = recursion_depth._thread_state

    class Twice(list[int]):
        def __iter__(self):  # type: ignore[no-untyped-def]
            assert state is not None
            numbers = list(state())
            yield from [*numbers[:16], *numbers[:16]]

        def __getitem__(self, index):  # type: ignore[no-untyped-def]
            return list(self)[index]

    monkeypatch.setattr(recursion_depth, "_thread_state", Twice)
    monkeypatch.setattr(recursion_depth, "_places", [])
    assert recursion_depth.find_count() is None
