"""Children that are forked: they share the program as it is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fidelity.probes import Probe, assert_like_python, probes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks")

FORK = """
import multiprocessing, os, sys
multiprocessing.set_start_method("fork")
"""
CHILDREN = [
    Probe("process", FORK + "def f(x):\n    print('child', x, unrelated, __name__, flush=True)\np = multiprocessing.Process(target=f, args=(1,))\np.start()\np.join()\nprint(p.exitcode)"),
    Probe("process that raises", FORK + "def f():\n    1 / 0\np = multiprocessing.Process(target=f, name='child')\np.start()\np.join()\nprint(p.exitcode)"),
    Probe("process that exits", FORK + "def f(code):\n    sys.exit(code)\nfor code in (0, 3, 'text', None):\n    p = multiprocessing.Process(target=f, args=(code,))\n    p.start()\n    p.join()\n    print(p.exitcode)"),
    Probe("process without main guard", FORK + "p = multiprocessing.Process(target=print, args=('child',))\np.start()\np.join()\n1 / 0"),
    Probe("daemon process", FORK + "import time\np = multiprocessing.Process(target=time.sleep, args=(60,), daemon=True)\np.start()\nprint('end')"),
    Probe("process joined at exit", FORK + "import time\ndef f():\n    time.sleep(0.05)\n    print('child', flush=True)\nmultiprocessing.Process(target=f).start()\nprint('end', flush=True)"),
    Probe("pool", FORK + "def f(x):\n    return x * x + unrelated\nif __name__ == '__main__':\n    with multiprocessing.Pool(2) as pool:\n        print(pool.map(f, range(5)))"),
    Probe("pool of class of the program", FORK + "class A:\n    def __init__(self, x):\n        self.x = x\n    def f(self):\n        return A(self.x + 1)\nwith multiprocessing.Pool(1) as pool:\n    print(pool.apply(A(1).f).x)"),
    Probe("pool that raises", FORK + "class Own(Exception): pass\ndef f(x):\n    raise Own(x)\nwith multiprocessing.Pool(1) as pool:\n    try:\n        pool.apply(f, (1,))\n    except Own as error:\n        print(repr(error), type(error) is Own)"),
    Probe("pool that raises, uncaught", FORK + "def f(x):\n    raise ValueError(x)\nwith multiprocessing.Pool(1) as pool:\n    pool.apply(f, (1,))"),
    Probe("pool with an initializer", FORK + "def start(x):\n    global y\n    y = x\ndef f(x):\n    return x + y\nwith multiprocessing.Pool(1, start, (5,)) as pool:\n    print(pool.map(f, [1]))"),
    Probe("executor", FORK + "from concurrent.futures import ProcessPoolExecutor\ndef f(x):\n    return x + unrelated\nwith ProcessPoolExecutor(1) as pool:\n    print(list(pool.map(f, range(3))))"),
    Probe("executor whose worker dies", FORK + "from concurrent.futures import ProcessPoolExecutor\ndef f():\n    os._exit(1)\nwith ProcessPoolExecutor(1) as pool:\n    print(type(pool.submit(f).exception()).__name__)"),
    Probe("queue and pipe", FORK + "def f(q, c):\n    q.put(unrelated)\n    c.send('x')\nq = multiprocessing.Queue()\na, b = multiprocessing.Pipe()\np = multiprocessing.Process(target=f, args=(q, b))\np.start()\nprint(q.get(), a.recv())\np.join()"),
    Probe("shared value and lock", FORK + "v = multiprocessing.Value('i', 0)\ndef f():\n    with v.get_lock():\n        v.value += 1\nps = [multiprocessing.Process(target=f) for _ in range(3)]\n[p.start() for p in ps]\n[p.join() for p in ps]\nprint(v.value)"),
    Probe("manager", FORK + "with multiprocessing.Manager() as m:\n    d = m.dict()\n    d['x'] = unrelated\n    print(dict(d))"),
    Probe("process of a process", FORK + "def g():\n    print('grandchild', flush=True)\ndef f():\n    p = multiprocessing.Process(target=g)\n    p.start()\n    p.join()\np = multiprocessing.Process(target=f)\np.start()\np.join()"),
    Probe("exit functions in a child", FORK + "import atexit\natexit.register(print, 'exit', flush=True)\np = multiprocessing.Process(target=print, args=('child',))\np.start()\np.join()"),
    Probe("names", FORK + "p = multiprocessing.current_process()\nprint(p.name, p.daemon, multiprocessing.parent_process(), multiprocessing.active_children())"),
    Probe("main of children is main", FORK + "def f():\n    import __main__\n    print(__main__.unrelated, sys.modules.get('__mp_main__') is None, flush=True)\np = multiprocessing.Process(target=f)\np.start()\np.join()"),
    Probe("interrupted child", FORK + "import signal\ndef f():\n    os.kill(os.getpid(), signal.SIGTERM)\np = multiprocessing.Process(target=f)\np.start()\np.join()\nprint(p.exitcode)"),
]  # fmt: skip


@probes(*CHILDREN)
def test_forked_children(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)
