"""Programs as researchers write them: pools, pickles, options, files beside the script."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fidelity.probes import Probe, assert_like_python, probes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks")

POOL = """
import multiprocessing, sys
from dataclasses import dataclass
@dataclass
class Job:
    n: int
def work(job):
    return Job(job.n * 2 + unrelated), __name__ == "__main__"
if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    with context.Pool(2) as pool:
        for job, is_main in pool.imap(work, [Job(1), Job(2)]):
            print(job, is_main, type(job) is Job)
"""
EXECUTOR = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
class Bad(Exception): pass
def work(n):
    if n > 1: raise Bad(n)
    return n + unrelated
if __name__ == "__main__":
    with ProcessPoolExecutor(1, multiprocessing.get_context({method!r})) as pool:
        print(pool.submit(work, 1).result())
        error = pool.submit(work, 2).exception()
        print(type(error) is Bad, error)
"""
PICKLES = """
import pickle, copy, __main__
from dataclasses import dataclass, asdict, replace
from enum import Enum
class Color(Enum):
    RED = 1
@dataclass(frozen=True)
class Args:
    lr: float = 0.1
    color: Color = Color.RED
    class Inner: pass
args = Args()
again = pickle.loads(pickle.dumps(args))
print(again == args, pickle.dumps(args)[:60], asdict(replace(args, lr=1)))
print(pickle.loads(pickle.dumps(Args.Inner)) is Args.Inner, copy.deepcopy(args) == args)
print(__main__.Args is Args, Args.__module__, Args.Inner.__qualname__, repr(Args))
"""
ARGPARSE = """
import argparse, os, sys
parser = argparse.ArgumentParser(description="trains")
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("files", nargs="*")
if __name__ == "__main__":
    print(parser.parse_args(), sys.argv, os.path.basename(__file__), parser.prog)
"""
THREADS = """
import atexit, threading, sys
atexit.register(print, "exit", unrelated)
done = threading.Event()
def work():
    done.wait()
    print("thread", threading.current_thread() is threading.main_thread())
threading.Thread(target=work).start()
threading.Thread(target=threading.Event().wait, daemon=True).start()
done.set()
sys.exit(5)
"""
SIBLINGS = {
    "model.py": "import warnings\nfrom layers.dense import Dense\nwarnings.warn('old')\n",
    "layers/__init__.py": "",
    "layers/dense.py": "from . import other\nclass Dense:\n    n = other.n\n",
    "layers/other.py": "n = 4\n",
}
METHODS = ("fork", "spawn", "forkserver")

PROGRAMS = [
    *(Probe(f"pool, {one}", POOL.format(method=one)) for one in METHODS),
    *(Probe(f"executor, {one}", EXECUTOR.format(method=one)) for one in METHODS),
    Probe("pickles", PICKLES),
    Probe("options", ARGPARSE, ["--lr", "1e-3", "a"]),
    Probe("help", ARGPARSE, ["--help"]),
    Probe("a wrong option", ARGPARSE, ["--rl", "3"]),
    Probe("threads and exit functions", THREADS),
    Probe(
        "modules beside it",
        "import model, sys\nprint(model.Dense.n, model.__name__, sys.modules['layers'].__name__)",
        files=SIBLINGS,
    ),
    Probe("an error in a module beside it", "import model", files={"model.py": "def f(:\n"}),
    Probe(
        "an error from a module beside it",
        "from model import f\ntry:\n    f(0)\nexcept ZeroDivisionError as e:\n    raise OSError from e",
        files={"model.py": "def f(n):\n    return 1 / n\n"},
    ),
    Probe(
        "standard input, line by line",
        "import sys\nfor line in sys.stdin:\n    print(repr(line), input())",
        stdin="a\nb\nc\nd\n",
    ),
    Probe("standard input at its end", "print(input())"),
    Probe(
        "warnings",
        "import warnings\nfor n in range(2):\n    warnings.warn('w', FutureWarning)\n"
        "warnings.warn('d', DeprecationWarning)\ndef f():\n    warnings.warn('up', stacklevel=2)\nf()",
    ),
    Probe("exit with a text", "import sys\nprint('out')\nsys.exit('the reason')"),
    Probe("exit with a large number", "import sys\nsys.exit(257)"),
    Probe("exit with a negative number", "import sys\nsys.exit(-1)"),
    Probe(
        "sub-command of the same Python",
        "import subprocess, sys\n"
        "print(subprocess.run([sys.executable, '-c', 'print(6)'], capture_output=True).stdout)",
    ),
    Probe(
        "a temporary folder that cleans up",
        "import os, tempfile\nt = tempfile.TemporaryDirectory(dir='.')\n"
        "open(os.path.join(t.name, 'x'), 'w').close()\nprint(os.listdir(t.name))",
    ),
    Probe("a file that is still open", "f = open('out.txt', 'w')\nf.write('text')"),
    Probe("what C prints", "import ctypes\nctypes.CDLL(None).puts(b'from C')"),
    Probe(
        "a logger",
        "import logging\nlogging.basicConfig(level=logging.INFO)\n"
        "logging.getLogger(__name__).info('x %d', unrelated)",
    ),
    Probe("asyncio", "import asyncio\nasync def f():\n    return 3\nprint(asyncio.run(f()))"),
    Probe("random numbers", "import random\nrandom.seed(3)\nprint(random.random())"),
]


@probes(*PROGRAMS)
def test_programs(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)
