"""How a program ends: statuses, signals, exit functions and what is torn down when."""

from __future__ import annotations

from pathlib import Path

from tests.fidelity.probes import Probe, assert_like_python, probes, run_kogine, run_plain

CODES = [
    "", "None", "0", "1", "3", "-1", "255", "256", "-256", "2**31", "2**40", "-2**70", "True", "False",
    "'some text'", "''", "b'bytes'", "1.5", "(1, 2)", "[]", "{'a': 1}", "'é\\udc80'", "print", "SystemExit(4)",
]  # fmt: skip

STATUS = [
    *(Probe(f"sys exit {code}", f"import sys\nprint('out')\nsys.exit({code})") for code in CODES),
    Probe("raise SystemExit", "raise SystemExit"),
    # Before Python 3.12 the tuple was the exception until somebody looked at it.
    Probe("sys exit ()", "import sys\nsys.exit(())", since=(3, 12)),
    Probe("raise SystemExit of two", "raise SystemExit(1, 2)"),
    Probe("exit and quit", "exit(5)"),
    Probe("quit with text", "quit('bye')"),
    Probe("exit from a function", "import sys\ndef f():\n    sys.exit(7)\nf()"),
    Probe(
        "exit through finally",
        """
        import sys
        try:
            sys.exit(2)
        finally:
            print("finally")
        """,
    ),
    Probe(
        "exit caught and replaced",
        """
        import sys
        try:
            sys.exit(2)
        except SystemExit as error:
            print(error.code)
            sys.exit(error.code + 1)
        """,
    ),
    Probe(
        "code whose text breaks",
        """
        class Bad:
            def __str__(self):
                raise ValueError("no text")
        raise SystemExit(Bad())
        """,
    ),
    Probe(
        "code of a class of int",
        """
        import enum
        class Status(enum.IntEnum):
            BAD = 9
        raise SystemExit(Status.BAD)
        """,
    ),
    Probe(
        "a class of SystemExit",
        """
        class Leave(SystemExit):
            @property
            def code(self):
                raise RuntimeError("no code")
        raise Leave(3)
        """,
    ),
    Probe("exit with a cause", "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise SystemExit(6) from e"),
    Probe("exit in the guard", "if __name__ == '__main__':\n    raise SystemExit(8)\nprint('not here')"),
    Probe("end of the file", "print('out')"),
    Probe("an uncaught exception", "print('out')\nraise ValueError('bad')"),
    Probe("os exit", "import os\nprint('never flushed')\nos._exit(3)"),
    Probe("os exit after a flush", "import os\nprint('flushed', flush=True)\nos._exit(0)"),
    Probe("abort", "import os, resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nos.abort()"),
    Probe("exit in another process", """
        import os, sys
        if os.fork() == 0:
            print("child")
            sys.exit(4)
        print("child ended with", os.waitstatus_to_exitcode(os.wait()[1]))
        """),
    Probe("a forked child that comes to the end", """
        import os
        child = os.fork()
        if child:
            print("child ended with", os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
        print("both", child == 0)
        """),
    Probe("a forked child that raises", """
        import os
        child = os.fork()
        if child:
            print("child ended with", os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
        else:
            raise KeyError("child")
        """),
    Probe("a forked child that is interrupted", """
        import os
        if os.fork():
            print("child ended with", os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
        else:
            raise KeyboardInterrupt
        """),
    Probe("becoming another program", """
        import os, sys
        print("before", flush=True)
        os.execv(sys.executable, [sys.executable, "-c", "print('after')"])
        """),
    Probe("becoming itself", """
        import os, sys
        if len(sys.argv) < 3:
            print("again", flush=True)
            os.execv(sys.executable, [sys.executable, *sys.argv, "x"])
        print(sys.argv)
        """),
]  # fmt: skip

_PATCHES = """
import builtins, os, sys, traceback
from os import write
def refused(name):
    def refuse(*arguments, **named):
        write(2, f"{name} is called\\n".encode())
        raise RuntimeError(name)
    return refuse
for owner, names in {
    os.path: "join basename dirname exists isfile isdir abspath realpath split splitext normpath",
    os: "getpid write stat listdir fsdecode fsencode getcwd close open fspath",
    sys: "gettrace settrace getprofile setprofile _getframe exc_info audit",
    traceback: "print_exception format_exception print_exc print_tb format_tb extract_tb",
    builtins: "open isinstance issubclass getattr setattr hasattr sorted map zip any all repr print"
    " len iter next min max sum vars type str int bytes list dict set tuple frozenset callable"
    " compile eval exec enumerate range object BaseException SystemExit Exception",
}.items():
    for name in names.split():
        owner.__dict__[name] = refused(name)
"""
PATCHED = [
    Probe("patched functions", _PATCHES),
    Probe("patched functions and an exit", _PATCHES + "sys.exit(3)"),
    Probe("patched functions and a text", _PATCHES + "sys.exit('text')"),
]  # fmt: skip
PATCHED_ERRORS = [
    Probe("patched functions and an error", _PATCHES + "def f():\n    1 / 0\nf()"),
    Probe("patched functions and a hook", _PATCHES + "sys.excepthook = lambda *found: write(2, b'hook\\n')\n1 / 0"),
    Probe("patched functions and a broken hook", _PATCHES + "sys.excepthook = lambda *found: 1 / 0\nraise ValueError(3)"),
    Probe("patched functions and an interrupt", _PATCHES + "raise KeyboardInterrupt"),
    Probe("patched import", "import builtins\ndef refuse(name, *more):\n    raise ImportError(name)\nbuiltins.__import__ = refuse\n1 / 0"),
]  # fmt: skip

SIGNALS = [
    Probe("KeyboardInterrupt raised", "print('out')\nraise KeyboardInterrupt"),
    Probe("KeyboardInterrupt with text from a function", "def f():\n    raise KeyboardInterrupt('text')\nf()"),
    Probe("a class of KeyboardInterrupt", "class Stop(KeyboardInterrupt): pass\nraise Stop"),
    Probe("KeyboardInterrupt with a context", "try:\n    1 / 0\nexcept Exception:\n    raise KeyboardInterrupt"),
    Probe("KeyboardInterrupt and an exit function", """
        import atexit
        atexit.register(print, "at exit")
        raise KeyboardInterrupt
        """),
    Probe("KeyboardInterrupt and a hook", """
        import sys
        sys.excepthook = lambda *found: print("hook", found[0])
        raise KeyboardInterrupt
        """),
    Probe("KeyboardInterrupt caught", "try:\n    raise KeyboardInterrupt\nexcept KeyboardInterrupt:\n    print('caught')"),
    Probe("SIGINT", "import os, signal\nprint('out')\nos.kill(os.getpid(), signal.SIGINT)\nprint('not here')"),
    Probe("SIGINT in a call", """
        import os, signal, time
        def work():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)
        work()
        """),
    Probe("SIGINT with finally", """
        import os, signal
        try:
            os.kill(os.getpid(), signal.SIGINT)
            print("not here")
        finally:
            print("cleaned up")
        """),
    Probe("SIGINT handled", """
        import os, signal
        signal.signal(signal.SIGINT, lambda number, frame: print("handled", number, frame.f_code.co_name))
        os.kill(os.getpid(), signal.SIGINT)
        print("goes on")
        """),
    Probe("SIGINT of the system", """
        import os, signal
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        """),
    Probe("SIGINT ignored", """
        import os, signal
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.kill(os.getpid(), signal.SIGINT)
        print("goes on")
        """),
    Probe("SIGTERM", "import os, signal\nprint('lost')\nos.kill(os.getpid(), signal.SIGTERM)\nprint('not here')"),
    Probe("SIGTERM handled by an exit", """
        import os, signal, sys
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(11))
        os.kill(os.getpid(), signal.SIGTERM)
        """),
    Probe("SIGTERM handled by an exception", """
        import os, signal
        def handle(number, frame):
            raise RuntimeError(number)
        signal.signal(signal.SIGTERM, handle)
        os.kill(os.getpid(), signal.SIGTERM)
        """),
    Probe("SIGKILL", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"),
    Probe("SIGALRM", "import signal\nsignal.alarm(1)\nsignal.pause()"),
    Probe("alarm handled", """
        import signal
        def handle(number, frame):
            raise TimeoutError("too slow")
        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        while True:
            pass
        """),
    Probe("all handlers", """
        import signal
        for one in sorted(signal.valid_signals()):
            handler = signal.getsignal(one)
            print(one, getattr(handler, "__name__", handler))
        print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.set_wakeup_fd(-1))
        """),
    Probe("segmentation fault", "import ctypes, resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\nctypes.string_at(0)"),
]  # fmt: skip

TEARDOWN = [
    Probe("exit functions in order", """
        import atexit
        for number in range(3):
            atexit.register(print, "exit", number)
        print("end")
        """),
    Probe("an exit function sees the module", """
        import atexit
        atexit.register(lambda: print(list(globals())))
        """),
    Probe("an exit function sees the module after an exit", """
        import atexit, sys
        atexit.register(lambda: print(list(globals())))
        sys.exit(1)
        """),
    Probe("an exit function sees the module after an exception", """
        import atexit, sys
        atexit.register(lambda: print(list(globals()), sys.last_value, sys.last_type))
        1 / 0
        """),
    Probe("an exit function sees the last traceback", """
        import atexit, sys, traceback
        atexit.register(lambda: traceback.print_tb(sys.last_traceback))
        def f():
            1 / 0
        f()
        """),
    Probe("an exit function that raises", """
        import atexit
        class Bad:
            def __repr__(self):
                return "bad"
            def __call__(self):
                raise ValueError("at exit")
        atexit.register(print, "after it")
        atexit.register(Bad())
        """),
    Probe("an exit function that exits", "import atexit, sys\natexit.register(sys.exit, 5)\nprint('end')"),
    Probe("an exit function that interrupts", """
        import atexit
        class Bad:
            def __repr__(self):
                return "bad"
            def __call__(self):
                raise KeyboardInterrupt
        atexit.register(Bad())
        """),
    Probe("exit functions registered at exit", """
        import atexit
        def first():
            print("first")
            atexit.register(print, "second")
        atexit.register(first)
        """),
    Probe("exit functions taken back", "import atexit\natexit.register(print, 1)\natexit.unregister(print)\nprint('end')"),
    Probe("exit functions run by hand", "import atexit\natexit.register(print, 1)\natexit._run_exitfuncs()\nprint('end')"),
    Probe("exit functions cleared", "import atexit\natexit._clear()\natexit.register(print, 1)"),
    Probe("an exit function prints its stack", """
        import atexit, traceback
        def show():
            traceback.print_stack()
        atexit.register(show)
        """),
    Probe("an exit function after the working folder is gone", """
        import atexit, os, tempfile
        folder = tempfile.mkdtemp()
        os.chdir(folder)
        os.rmdir(folder)
        atexit.register(lambda: print("still here", __name__))
        """),
    Probe("a destructor at exit", """
        class Noisy:
            def __init__(self, name):
                self.name = name
            def __del__(self):
                print("del", self.name, unrelated)
        a, b, _c = Noisy("a"), Noisy("b"), Noisy("c")
        print("end")
        """),
    Probe("a destructor at exit after an exception", """
        class Noisy:
            def __del__(self):
                print("del", unrelated)
        a = Noisy()
        1 / 0
        """),
    Probe("a destructor at exit after SystemExit", """
        import sys
        class Noisy:
            def __del__(self):
                print("del", unrelated, sys)
        a = Noisy()
        def f():
            b = Noisy()
            sys.exit(1)
        f()
        """),
    Probe("a destructor in a cycle", """
        class Node:
            def __del__(self):
                print("del", type(self).__name__)
        a = Node()
        a.me = a
        """),
    Probe("a destructor that raises", """
        class Broken:
            def __repr__(self):
                return "broken"
            def __call__(self):
                raise ValueError("in del")
        class Bad:
            __del__ = Broken()
        a = Bad()
        """),
    Probe("a destructor that exits", """
        import sys
        class Broken:
            def __repr__(self):
                return "broken"
            def __call__(self):
                sys.exit(3)
        class Bad:
            __del__ = Broken()
        a = Bad()
        del a
        print("end")
        """),
    Probe("globals in a destructor", """
        class Noisy:
            def __del__(self):
                print(sorted(name for name in globals() if not name.startswith("_")))
        keep = [Noisy()]
        keep.append(keep)
        """),
    Probe("finalizers", """
        import weakref
        class A: pass
        a, b = A(), A()
        weakref.finalize(a, print, "a is gone")
        weakref.finalize(b, print, "b is gone").atexit = False
        c = A()
        weakref.finalize(c, print, "c is gone")
        del c
        print("end")
        """),
    Probe("a reference to the module's function at exit", """
        import weakref
        def f(): pass
        weakref.finalize(f, print, "f is gone")
        """),
    Probe("an open generator", """
        def numbers():
            try:
                yield 1
            finally:
                print("closed", unrelated)
        open_one = numbers()
        print(next(open_one))
        """),
    Probe("an open context", """
        import contextlib
        @contextlib.contextmanager
        def inside():
            print("in")
            try:
                yield
            finally:
                print("out")
        context = inside()
        context.__enter__()
        raise SystemExit(3)
        """),
    Probe("an open file", "file = open('left.txt', 'w')\nfile.write('text')"),
    Probe("an open file with -X dev", "file = open('left.txt', 'w')\nfile.write('text')", flags=["-X", "dev"]),
    Probe("a temporary folder", """
        import os, tempfile
        folder = tempfile.TemporaryDirectory(dir=".")
        print(len(os.listdir()))
        """),
    Probe("a coroutine never awaited", "async def f(): pass\nx = f()\ndel x\ny = f()"),
    Probe("collector off", "import gc\ngc.disable()\nprint(gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), gc.garbage)"),
    Probe("an exception kept in a global", """
        class Noisy:
            def __del__(self):
                print("del")
        def f():
            x = Noisy()
            raise ValueError
        try:
            f()
        except ValueError as error:
            kept = error
        print("end")
        """),
    Probe("the module object dies with the program", """
        import sys, weakref
        weakref.finalize(sys.modules["__main__"], print, "main is gone").atexit = False
        class Noisy:
            def __del__(self):
                print("del", __name__)
        a = Noisy()
        """),
]  # fmt: skip


@probes(*PATCHED)
def test_patched(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@probes(*PATCHED_ERRORS)
def test_patched_errors(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


def test_patched_functions_change_no_warning(tmp_path: Path) -> None:
    source = f"if 0:\n    unrelated = 1\n{_PATCHES}"
    probe = Probe("patched", source)
    plain, got = run_plain(probe, tmp_path), run_kogine(probe, tmp_path, "overridden")
    assert (got.status, got.stdout) == (plain.status, plain.stdout)
    message = "override 'unrelated' was not used: line 2 of probe.py did not run"
    assert got.stderr.decode() == f"kogine: warning: {message}\n"


@probes(*STATUS)
def test_status(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@probes(*SIGNALS)
def test_signals(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@probes(*TEARDOWN)
def test_teardown(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)
