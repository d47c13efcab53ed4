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
