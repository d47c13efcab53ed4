"""Every kind of child process sees the overrides of its parent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import run_kogine, run_python

WORK = """\
import hparams
lr = 0.1
double = lr * 2
class Point:
    size: int = 1
    def __init__(self, x):
        self.x = x
def work(n):
    return n * double + Point.size, Point(n).x, hparams.lr
"""

STARTS = {
    "Process": """\
    def target(queue):
        queue.put(work(1))
    """,
    "Pool": """
    with multiprocessing.get_context(METHOD).Pool(2) as pool:
        print(pool.map(work, range(3)))
    """,
    "ProcessPoolExecutor": """
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(METHOD)) as pool:
        print(list(pool.map(work, range(3))))
    """,
    "Process with a queue": """
    context = multiprocessing.get_context(METHOD)
    queue = context.Queue()
    process = context.Process(target=put, args=(queue,))
    process.start()
    print(queue.get())
    process.join()
    print(process.exitcode)
    """,
    "results of a class of the script": """
    with multiprocessing.get_context(METHOD).Pool(1) as pool:
        print([point.x for point in pool.map(Point, [3, 4])])
    """,
    "a child of a child": """
    context = multiprocessing.get_context(METHOD)
    process = context.Process(target=nested, args=(METHOD,))
    process.start()
    process.join()
    """,
    "after the folder changed": """
    import os
    os.chdir("/")
    with multiprocessing.get_context(METHOD).Pool(1) as pool:
        print(pool.map(work, [5]))
    """,
    "a manager": """
    with multiprocessing.get_context(METHOD).Manager() as manager:
        shared = manager.list([work(2)])
        print(shared[0])
    """,
    "initializer and shared memory": """
    context = multiprocessing.get_context(METHOD)
    value = context.Value("d", lr)
    with context.Pool(1, initializer=print, initargs=("started",)) as pool:
        print(pool.apply(work, (1,)), value.value)
    """,
}
del STARTS["Process"]

HELPERS = """\
def put(queue):
    queue.put(work(7))
def inner():
    print(work(9), flush=True)
def nested(method):
    process = multiprocessing.get_context(method).Process(target=inner)
    process.start()
    process.join()
"""


def script(method: str, start: str, lr: str = "0.1", size: str = "1") -> str:
    work = WORK.replace("lr = 0.1", f"lr = {lr}").replace("size: int = 1", f"size: int = {size}")
    body = f'if __name__ == "__main__":\n    METHOD = {method!r}{start}'
    return f"import multiprocessing\n{work}{HELPERS}{body}\n"


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_children_see_the_overrides(tmp_path: Path, method: str, start: str) -> None:
    (tmp_path / "hparams.py").write_text("lr = 5\n")
    (tmp_path / "s.py").write_text(script(method, STARTS[start], lr="0.75", size="4"))
    expected = run_python(tmp_path, "-B", "s.py")
    assert expected.status == 0, expected.stderr
    (tmp_path / "hparams.py").write_text("lr = 3\n")
    (tmp_path / "s.py").write_text(script(method, STARTS[start]))
    got = run_kogine(tmp_path, "run", "s.py", "lr=0.75", "Point.size=4", "hparams.lr=5")
    assert got == expected


PRELOADS = """
import multiprocessing.spawn
own = multiprocessing.spawn.get_preparation_data
multiprocessing.spawn.get_preparation_data = lambda name: own(name) | {"main_path": __file__}
"""


def test_children_of_a_server_that_has_run_the_script_before(tmp_path: Path) -> None:
    """As the forkserver of Python 3.14 does of its own accord."""
    text = script("forkserver", STARTS["ProcessPoolExecutor"])
    preloading = text.replace(
        "    from concurrent", PRELOADS.replace("\n", "\n    ") + "from concurrent"
    )
    assert preloading != text
    (tmp_path / "hparams.py").write_text("lr = 5\n")
    (tmp_path / "s.py").write_text(preloading.replace("lr = 0.1", "lr = 0.75"))
    expected = run_python(tmp_path, "-B", "s.py")
    assert expected.status == 0, expected.stderr
    (tmp_path / "s.py").write_text(preloading)
    assert run_kogine(tmp_path, "run", "s.py", "lr=0.75") == expected


FAILS = """\
import multiprocessing, sys
lr = 0.1
def work():
    raise ValueError(lr)
print(__name__, sys.argv, lr)
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    process.join()
    print(process.exitcode)
else:
    print("else", sys.argv, __file__, __spec__, AT_IMPORT and 1 / 0)
"""


@pytest.mark.parametrize("at_import", ["True", "False"], ids=["at import", "in its function"])
def test_a_child_that_fails_looks_as_under_python(tmp_path: Path, at_import: str) -> None:
    text = FAILS.replace("AT_IMPORT", at_import)
    (tmp_path / "s.py").write_text(text.replace("lr = 0.1", "lr = 2.5"))
    expected = run_python(tmp_path, "s.py")
    assert "Error" in expected.stderr
    (tmp_path / "s.py").write_text(text)
    got = run_kogine(tmp_path, "run", "s.py", "lr=2.5")
    assert (got.status, got.stdout) == (expected.status, expected.stdout)
    assert got.stderr == expected.stderr


def test_children_of_a_loaded_script_run_its_guard_too(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(FAILS.replace("AT_IMPORT", "False"))
    (tmp_path / "loads.py").write_text(
        "import sys\nfrom kohaku_ast import Config, Script\n"
        "if __name__ == '__main__':\n    Script('s.py', Config(dict(lr=2.5))).load()()\n"
    )
    got = run_python(tmp_path, "loads.py")
    assert "else" in got.stdout, got
    assert "ValueError: 2.5" in got.stderr


def test_a_value_that_is_a_lambda_crosses(tmp_path: Path) -> None:
    (tmp_path / "cfg.py").write_text("_k = 3\nscale = lambda x: x * _k\n")
    (tmp_path / "s.py").write_text(
        "import multiprocessing\nscale = abs\ndef work(n):\n    return scale(n)\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(work, [1, 2]))\n"
    )
    got = run_kogine(tmp_path, "run", "s.py", "--config", "cfg.py")
    assert (got.stdout, got.stderr) == ("[3, 6]\n", "")


def test_nothing_of_ours_is_in_the_childs_namespace(tmp_path: Path) -> None:
    text = (
        "import multiprocessing\nx = 3\ndef names():\n"
        "    return {k: str(v) for k, v in globals().items() if k in KEPT or k not in HIDDEN}\n"
        "KEPT = ('__name__', '__file__', '__doc__', '__package__', '__spec__', '__cached__')\n"
        "HIDDEN = ('__builtins__', 'multiprocessing', 'names', '__warningregistry__')\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.apply(names))\n"
    )
    (tmp_path / "s.py").write_text(text)
    expected = run_python(tmp_path, "s.py")
    assert run_kogine(tmp_path, "run", "s.py", "x=3") == expected
