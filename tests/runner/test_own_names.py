"""A script with modules of its own that are called as ours: they are the script's, and its children
get them too, with the overrides.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import compare, edited, run_kogine, run_python
from tests.sampled import sampled

PLACES = {
    "a package kohaku_ast": {
        "kohaku_ast/__init__.py": "x = 1\nfrom kohaku_ast.errors import y\n",
        "kohaku_ast/errors.py": "y = 2\n",
    },
    "a file kohaku_ast": {"kohaku_ast.py": "x = 1\ny = 2\n"},
    "a package kogine": {
        "kogine/__init__.py": "x = 1\nfrom kogine.main import y\n",
        "kogine/main.py": "y = 2\n",
    },
    "a file kogine": {"kogine.py": "x = 1\ny = 2\n"},
}

SCRIPT = """\
import multiprocessing, sys
import NAME
lr = 0.1
double = lr * 2
class Point:
    size: int = 1
def work(n):
    from NAME import x, y
    loaded = sorted(one for one in sys.modules if one.partition(".")[0] == "NAME")
    return n * double + Point.size, NAME.x + NAME.y, x + y, NAME.__file__, loaded
def nested(method, queue):
    with multiprocessing.get_context(method).Pool(1) as pool:
        queue.put(pool.map(work, [5]))
if __name__ == "__main__":
    START
"""
POOL = """\
with multiprocessing.get_context("METHOD").Pool(1) as pool:
        print(pool.map(work, [1, 2]))
        print(lr, [one for one in work(3)[:4]])
"""
STARTS = {
    "spawn": POOL.replace("METHOD", "spawn"),
    "forkserver": POOL.replace("METHOD", "forkserver"),
    "fork": POOL.replace("METHOD", "fork").replace("work, [1", "double.__mul__, [1"),
    "forkserver that has loaded it": (
        'multiprocessing.set_forkserver_preload(["NAME"])\n    ' + POOL.replace("METHOD", "forkserver")
    ),
    "concurrent.futures": """\
from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        print(list(pool.map(work, range(3))))
""",
    "a child of a child": """\
context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=nested, args=("forkserver", queue))
    process.start()
    print(queue.get())
    process.join()
""",
    "from another folder": "import os\n    os.chdir('/')\n    " + POOL.replace("METHOD", "spawn"),
    "loky": """\
from joblib import Parallel, delayed
    print(Parallel(n_jobs=2)(delayed(work)(n) for n in range(3)))
""",
    "loky that runs the script again": """\
from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.backend import get_context
    with ProcessPoolExecutor(2, context=get_context("loky_init_main")) as pool:
        print(list(pool.map(work, range(3))))
""",
}  # fmt: skip
EDITS = [("lr = 0.1", "lr = 0.75"), ("size: int = 1", "size: int = 4")]
TARGETS = ["lr=0.75", "Point.size=4"]


def write(folder: Path, place: str, start: str) -> bytes:
    """The script, with the modules of *place* beside it."""
    for name, text in PLACES[place].items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    text = SCRIPT.replace("START", STARTS[start]).replace("NAME", place.rpartition(" ")[2])
    return text.encode()


PAIRS = {f"{place}, {start}": (place, start) for place in PLACES for start in STARTS}


@pytest.mark.parametrize("pair", sampled(PAIRS, every=4))
def test_children_get_the_overrides(tmp_path: Path, pair: tuple[str, str]) -> None:
    expected, got = compare(tmp_path, write(tmp_path, *pair), EDITS, TARGETS)
    assert expected.status == 0, expected.stderr
    assert got == expected


@pytest.mark.parametrize("pair", sampled(PAIRS, every=9))
def test_without_overrides(tmp_path: Path, pair: tuple[str, str]) -> None:
    expected, got = compare(tmp_path, write(tmp_path, *pair), [], [])
    assert expected.status == 0, expected.stderr
    assert got == expected


_MODES = ("spawn", "warm", "inline")
MODES = {
    f"{place}, {start}, {mode}": (place, start, mode)
    for start in ("spawn", "forkserver", "loky")
    for mode in _MODES
    for place in PLACES
}


@pytest.mark.parametrize("case", sampled(MODES, every=5))
def test_children_of_a_run_in_each_mode(tmp_path: Path, case: tuple[str, str, str]) -> None:
    *pair, mode = case
    script = tmp_path / "script.py"
    text = write(tmp_path, *pair)
    script.write_bytes(edited(text, EDITS))
    expected = run_python(tmp_path, "script.py")
    assert expected.status == 0, expected.stderr
    script.write_bytes(text)
    got = run_kogine(tmp_path, "run", "script.py", *TARGETS, "--mode", mode, "--no-record")
    assert (got.status, got.stdout) == (0, expected.stdout), got.stderr


OWN = {f"{place}, {mode}": (place, mode) for mode in ("", *_MODES) for place in PLACES}


@pytest.mark.parametrize("case", sampled(OWN, every=3))
def test_such_a_module_has_overrides_itself(tmp_path: Path, case: tuple[str, str]) -> None:
    place, mode = case
    text = write(tmp_path, place, "spawn")
    name, (file, source) = place.rpartition(" ")[2], next(iter(PLACES[place].items()))
    script = tmp_path / "script.py"
    script.write_bytes(text)
    (tmp_path / file).write_text(source.replace("x = 1", "x = 7"))
    expected = run_python(tmp_path, "-B", "script.py")
    assert expected.stdout.count("9, 9") == 3, expected
    (tmp_path / file).write_text(source)
    options = ["--mode", mode, "--no-record"] if mode else []
    got = run_kogine(tmp_path, "run", "script.py", f"{name}.x=7", *options)
    assert (got.status, got.stdout) == (0, expected.stdout), got.stderr


AT_EXIT = """\
import atexit, sys
lr = 0.1
@atexit.register
def last():
    import NAME
    from NAME import x
    print(NAME.x, x, NAME.__file__, lr)
def hook(*_):
    import NAME
    print("hook", NAME.x)
sys.excepthook = hook
FIRST
END
"""
LATE = {
    "it is imported first": ("import NAME", ""),
    "it is imported at exit alone": ("", ""),
    "the script fails": ("", "1 / 0"),
    "the script exits": ("import NAME", "sys.exit(3)"),
}


ENDS = {f"{late}, {mode}": (late, mode) for late in LATE for mode in ("", "spawn", "warm")}


@pytest.mark.parametrize("case", sampled(ENDS, every=2))
def test_it_is_the_scripts_to_the_end(tmp_path: Path, case: tuple[str, str]) -> None:
    late, mode = case
    write(tmp_path, "a package kohaku_ast", "spawn")
    first, end = LATE[late]
    text = AT_EXIT.replace("FIRST", first).replace("END", end).replace("NAME", "kohaku_ast")
    script = tmp_path / "script.py"
    script.write_text(text.replace("lr = 0.1", "lr = 0.5"))
    expected = run_python(tmp_path, "script.py")
    assert "0.5" in expected.stdout
    script.write_text(text)
    options = ["--mode", mode, "--no-record"] if mode else []
    got = run_kogine(tmp_path, "run", "script.py", "lr=0.5", *options)
    assert got.stdout == expected.stdout, got.stderr
    assert bool(got.status) == bool(expected.status)


THREADS = """\
import multiprocessing, threading
import kohaku_ast
lr = 0.1
def work(n):
    return n * lr + kohaku_ast.x
def start(n, found):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found.append(pool.apply(work, (n,)))
    from kohaku_ast import x
if __name__ == "__main__":
    found = []
    threads = [threading.Thread(target=start, args=(n, found)) for n in range(4)]
    [one.start() for one in threads]
    [one.join() for one in threads]
    print(sorted(found))
"""


def test_threads_start_children_at_once(tmp_path: Path) -> None:
    write(tmp_path, "a file kohaku_ast", "spawn")
    edits = [("lr = 0.1", "lr = 0.5")]
    expected, got = compare(tmp_path, THREADS.encode(), edits, ["lr=0.5"])
    assert expected.stdout == "[1.0, 1.5, 2.0, 2.5]\n", expected
    assert got == expected


SHADOWS = """\
import multiprocessing
scale = abs
def work(n):
    import inspect, copy, platform
    return scale(n), inspect.x, copy.x, platform.x
if __name__ == "__main__":
    print(work(1))
    with multiprocessing.get_context("METHOD").Pool(1) as pool:
        print(pool.map(work, [1, 2]))
"""


@pytest.mark.parametrize(
    ("method", "mode"), [("spawn", ""), ("forkserver", "spawn"), ("spawn", "warm")]
)
def test_what_unpickles_a_value_does_not_take_modules_of_the_script(
    tmp_path: Path, method: str, mode: str
) -> None:
    """A function of a config goes by cloudpickle, which imports much of Python."""
    for name in ("inspect", "copy", "platform"):
        (tmp_path / f"{name}.py").write_text("x = 1\n")
    text = SHADOWS.replace("METHOD", method)
    script = tmp_path / "script.py"
    script.write_text(text.replace("scale = abs", "scale = lambda n: n * 10"))
    expected = run_python(tmp_path, "script.py")
    assert expected.stdout == "(10, 1, 1, 1)\n[(10, 1, 1, 1), (20, 1, 1, 1)]\n", expected
    script.write_text(text)
    (tmp_path / "cfg.py").write_text("scale = lambda n: n * 10\n")
    options = ["--mode", mode, "--no-record"] if mode else []
    got = run_kogine(tmp_path, "run", "script.py", "--config", "cfg.py", *options)
    assert (got.status, got.stdout) == (0, expected.stdout), got.stderr


WATCHED = ("subprocess", "multiprocessing", "pkgutil", "fcntl")
"""Modules of Python that kogine patches for the script, asks at its end, or imports for itself."""


def test_a_script_may_have_the_names_of_what_kogine_watches(tmp_path: Path) -> None:
    for name in WATCHED:
        (tmp_path / f"{name}.py").write_text("mine = 5\n")
    shown = ", ".join(f"{name}.mine" for name in WATCHED)
    script = tmp_path / "s.py"
    text = f"import {', '.join(WATCHED)}\nn = 1\nprint({shown}, n)\n"
    script.write_text(text.replace("n = 1", "n = 2"))
    expected = run_python(tmp_path, "-B", "s.py").stdout
    script.write_text(text)
    for mode in ([], ["--mode", "inline"], ["--mode", "warm"], ["--mode", "spawn"]):
        done = run_kogine(tmp_path, "run", "s.py", "n=2", *mode)
        assert (done.status, done.stdout) == (0, expected), (mode, done.stderr)
