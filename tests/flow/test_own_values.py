"""Each run of a sweep in this process gets values of its own, as in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from kohaku_ast import Config, Script, Sequential, Sweep
from tests.oracle import run_kogine

CONFIGS = {
    "random numbers": ("import random\nx = random.Random(3)\n", "print(x.random())"),
    "a model": (
        "class Net:\n    def __init__(self):\n        self.w = [0]\nx = Net()\n",
        "x.w[0] += 1\nprint(x.w)",
    ),
    "a model and what holds it": (
        "import types\nx = types.SimpleNamespace(n=0)\ny = [x]\n",
        "x.n += 1\nprint(x.n, y[0].n, y[0] is x)",
    ),
    "an iterator": ("x = iter([1, 2, 3])\n", "print(list(x))"),
    "a module in an object": (
        "import json, types\nx = types.SimpleNamespace(m=json, n=[])\n",
        "x.n.append(1)\nprint(x.m.dumps(x.n))",
    ),
    "a partial": (
        "import functools, collections\nx = functools.partial(collections.Counter.update, collections.Counter())\n",
        "x('ab')\nprint(x.args)",
    ),
    "a new global": (
        "import kohaku_ast as k, types\nCONFIG = k.Config(new_globals={'z': types.SimpleNamespace(n=0)})\n",
        "z.n += 1\nprint(z.n)",
    ),
    "an argument": (
        "import types\nbox = types.SimpleNamespace(n=0)\n_args = [box]\n_kwargs = {'b': box}\n",
        "def f(a, b=None):\n    a.n += 1\n    print(a.n, b.n, a is b)\nf(None)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("config", "use"), [pytest.param(*case, id=name) for name, case in CONFIGS.items()]
)
def test_runs_here_print_what_runs_apart_print(tmp_path: Path, config: str, use: str) -> None:
    (tmp_path / "cfg.py").write_text(config)
    (tmp_path / "s.py").write_text(f"n = 0\nx = y = None\n{use}\n")
    words = ("run", "s.py", "--config", "cfg.py", "--sweep", "n=1,2,3")
    here, apart = run_kogine(tmp_path, *words), run_kogine(tmp_path, *words, "--isolate")
    assert (here.status, apart.status) == (0, 0), here.stderr + apart.stderr
    assert here.stdout == apart.stdout
    first, *others = here.stdout.splitlines()
    assert others == [first, first]


@pytest.fixture
def script(tmp_path: Path) -> str:
    (tmp_path / "s.py").write_text(
        "box = None\ncall = None\nn = 0\nbox.append(n)\ncall and call(n)\n"
    )
    return str(tmp_path / "s.py")


class Box(list[int]):
    """No display: it is an object."""


def test_a_single_config_hands_its_objects_over(script: str) -> None:
    box = Box()
    Sequential([Script(script, Config({"box": box}))], mode="inline", record=False).run()
    assert box == [0]


def test_a_method_is_the_caller_s(script: str) -> None:
    box, seen = Box(), Box()
    sweep = Sweep(n=[1, 2]) | Config({"box": box, "call": seen.append})
    done = Sequential([Script(script, sweep)], mode="inline", record=False).run()
    assert [one.status for one in done] == ["succeeded"] * 2
    assert (box, seen) == ([], [1, 2])


def test_what_cannot_be_copied_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "cfg.py").write_text("x = (n for n in range(3))\n")
    (tmp_path / "s.py").write_text("x = None\nn = 0\nprint(list(x))\n")
    words = ("run", "s.py", "--config", "cfg.py", "--sweep", "n=1,2")
    done = run_kogine(tmp_path, *words, "--mode", "inline")
    assert (done.status, done.stdout) == (0, "[0, 1, 2]\n[]\n")
    assert done.stderr.count("the value of 'x' cannot be copied (TypeError: ") == 1
    assert "all runs in this process share it" in done.stderr


def test_resuming_in_another_mode_finds_them(tmp_path: Path) -> None:
    (tmp_path / "cfg.py").write_text("import random\nx = random.Random(3)\n")
    (tmp_path / "s.py").write_text("n = 0\nx = None\nprint(x.random())\n")
    words = ("run", "s.py", "--config", "cfg.py", "--sweep", "n=1,2,3")
    run_kogine(tmp_path, *words, "--mode", "inline")
    again = run_kogine(tmp_path, *words, "--resume", "--isolate")
    assert (again.status, again.stdout) == (0, "")
    assert "skipped 3 that succeeded before" in again.stderr
