"""What a program can learn of itself: its frames, its source, its classes."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.fidelity.probes import Probe, assert_like_python, probes

SOURCE = [
    Probe("source of a function", "import inspect\ndef f(x):\n    '''Doc.'''\n    return x\nprint(inspect.getsource(f))"),
    Probe("source of a class", "import inspect\nclass A:\n    x = 1\n    def f(self): return 2\nprint(inspect.getsource(A), inspect.getsource(A.f))"),
    Probe("source of a nested function", "import inspect\ndef f():\n    def g():\n        return 1\n    return g\nprint(inspect.getsource(f()))"),
    Probe("source of a lambda", "import inspect\nf = lambda x: (x,\n    1)\nprint(inspect.getsource(f))"),
    Probe("source of a decorated function", "import functools, inspect\ndef d(f):\n    return functools.wraps(f)(lambda: f())\n@d\ndef g():\n    return 1\nprint(inspect.getsource(g), inspect.getsourcelines(g)[1])"),
    Probe("source of the module", "import inspect, sys\nprint(inspect.getsource(sys.modules['__main__']))"),
    Probe("source of a frame", "import inspect, sys\ndef f():\n    return inspect.getsource(sys._getframe())\nprint(f())"),
    Probe("source with the override in it", "import inspect\ndef f():\n    return unrelated\nprint(inspect.getsource(f), f())"),
    Probe("file and module", "import inspect\ndef f(): pass\nprint(inspect.getfile(f), inspect.getsourcefile(f), inspect.getmodule(f), inspect.getmodulename(__file__))"),
    Probe("comments", "import inspect\n# above\ndef f(): pass\nprint(inspect.getcomments(f))"),
    Probe("linecache", "import linecache\nprint([linecache.getline(__file__, n) for n in range(4)])\nprint([name for name in linecache.cache if name == __file__])"),
    Probe("its own file", "print(open(__file__).read())"),
    Probe("data of the package", "import pkgutil\nprint(pkgutil.get_data('__main__', 'data.txt'))", files={"data.txt": "data"}),
    Probe("positions of the code", "def f(x):\n    return (x +\n        unrelated)\nprint(list(f.__code__.co_positions()))", since=(3, 11)),
    Probe("lines of the code", "import sys\ndef f(x):\n    if x:\n        return 1\n    return 2\nprint(list(f.__code__.co_lines()))"),
    Probe("lines of the module's code", "import sys\nx = 1\n\ny = 2\nprint(sorted({line for *_, line in sys._getframe().f_code.co_lines() if line}))"),
    Probe("bytecode", "import dis\ndef f(x):\n    return x + unrelated\ndis.dis(f)"),
    Probe("names of the code", "import sys\ncode = sys._getframe().f_code\nprint(code.co_name, code.co_varnames, code.co_freevars, code.co_argcount, code.co_stacksize > 0)"),
    Probe("syntax tree of itself", "import ast\nprint(len(ast.parse(open(__file__).read()).body))"),
    Probe("doctest", """
        import doctest
        def f(x):
            '''
            >>> f(2)
            2
            >>> f(3)
            4
            >>> unrelated
            1
            '''
            return x
        print(doctest.testmod())
        """),
    Probe("doctest told", "def f():\n    '''\n    >>> f()\n    1\n    '''\n    return 1\nimport doctest\ndoctest.testmod()", argv=["-v"]),
    Probe("unittest", """
        import unittest
        class Tests(unittest.TestCase):
            def test_a(self):
                self.assertEqual(unrelated, 1)
            def test_b(self):
                self.assertEqual(unrelated, 2)
            @unittest.skip("not now")
            def test_c(self):
                pass
        suite = unittest.defaultTestLoader.loadTestsFromName("__main__")
        result = unittest.TestResult()
        suite.run(result)
        print(result)
        for _, text in result.failures:
            print(text)
        """),
    Probe("unittest main", """
        import unittest
        class Tests(unittest.TestCase):
            def test_a(self):
                pass
        if __name__ == "__main__":
            unittest.main(testRunner=type("Runner", (), {"__init__": lambda self, **k: None, "run": lambda self, test: print(test) or unittest.TestResult()}), argv=["x", "Tests.test_a"])
        """),
    Probe("unittest main that fails", """
        import time, unittest
        class Tests(unittest.TestCase):
            def test_a(self):
                1 / 0
        time.perf_counter = lambda: 0
        unittest.main(verbosity=2)
        """),
]  # fmt: skip

TYPES = [
    Probe("type hints", "import typing\nclass A: pass\ndef f(x: 'A', y: 'list[A]') -> 'int': pass\nprint(typing.get_type_hints(f))"),
    Probe("type hints of a class", "import typing\nclass A:\n    x: 'int'\n    y: 'A | None' = None\nprint(typing.get_type_hints(A))"),
    Probe("dataclass", "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int = unrelated\nprint(A(), dataclasses.asdict(A(2)))"),
    Probe("dataclass with future annotations", """
        from __future__ import annotations
        unrelated = 1
        import dataclasses, typing
        @dataclasses.dataclass(slots=True)
        class A:
            x: int = unrelated
            c: typing.ClassVar[int] = 1
            i: dataclasses.InitVar[int] = 2
        print(A(), dataclasses.fields(A)[0].type, typing.get_type_hints(A))
        """),
    Probe("named tuple", "import collections, typing\nP = collections.namedtuple('P', 'x y')\nclass Q(typing.NamedTuple):\n    x: int = unrelated\nprint(P(1, 2), Q(), P.__module__, Q.__module__)"),
    Probe("enum", "import enum\nclass A(enum.Enum):\n    X = unrelated\nB = enum.Enum('B', 'Y')\nprint(list(A), A.__module__, B.__module__, A.X)"),
    Probe("type variables", "import typing\nT = typing.TypeVar('T')\nN = typing.NewType('N', int)\nD = typing.TypedDict('D', {'x': int})\nprint(T.__module__, N.__module__, D.__module__)"),
    Probe("qualified names", "class A:\n    class B:\n        def f(self):\n            return lambda: 0\nprint(A.B.f.__qualname__, A.B().f().__qualname__, A, A.B.__module__)"),
    Probe("class made by type", "A = type('A', (), {})\nprint(A, A.__module__)"),
    Probe("abstract class", "import abc\nclass A(abc.ABC):\n    @abc.abstractmethod\n    def f(self): pass\nA()"),
    Probe("super and class cell", "class A:\n    def f(self): return __class__\nclass B(A):\n    def f(self): return super().f()\nprint(B().f())"),
    Probe("metaclass", "class M(type):\n    def __new__(m, name, bases, space):\n        print(list(space))\n        return super().__new__(m, name, bases, space)\nclass A(metaclass=M):\n    x = unrelated"),
    Probe("pickle", """
        import pickle
        class A:
            def __init__(self, x):
                self.x = x
        def f(): pass
        data = pickle.dumps([A(1), A, f])
        print(data, pickle.loads(data)[0].x, pickle.loads(data)[1] is A)
        """),
    Probe("pickle of what cannot be found", "import pickle\nf = lambda: 0\ntry:\n    pickle.dumps(f)\nexcept Exception as e:\n    print(str(e).split(' at 0x')[0])"),
    Probe("pickle of a name taken away", "import pickle\nclass A: pass\nB = A\nclass A: pass\ntry:\n    pickle.dumps(B())\nexcept Exception as e:\n    print(e)"),
    Probe("copyreg", "import copy, copyreg\nclass A: pass\ncopyreg.pickle(A, lambda a: (A, ()))\nprint(type(copy.copy(A())) is A)"),
    Probe("pickle to a file that Python reads", """
        import pickle, subprocess, sys
        class A:
            def __init__(self):
                self.x = unrelated
        if len(sys.argv) == 1:
            with open("a.pickle", "wb") as file:
                pickle.dump(A(), file)
            print(subprocess.run([sys.executable, __file__, "read"], capture_output=True))
        else:
            print(pickle.load(open("a.pickle", "rb")).x)
        """),
    Probe("pickle of a file that Python wrote", """
        import pickle, subprocess, sys
        class A:
            def __init__(self):
                self.x = unrelated
        if len(sys.argv) > 1:
            pickle.dump(A(), open(sys.argv[1], "wb"))
        else:
            subprocess.run([sys.executable, "-W", "ignore", __file__, "b.pickle"])
            with open("b.pickle", "rb") as file:
                print(pickle.load(file).x, isinstance(pickle.load(open("b.pickle", "rb")), A))
        """, flags=["-W", "ignore"]),
    Probe("shelve", "import shelve\nclass A: pass\nwith shelve.open('db') as db:\n    db['a'] = A()\nwith shelve.open('db') as db:\n    print(type(db['a']) is A)\nimport os\nfor n in os.listdir():\n    if n.startswith('db'): os.remove(n)"),
]  # fmt: skip

RUNNING = [
    Probe("depth from the top", "import sys\ndef f(n):\n    return sys._getframe(n).f_code.co_name\nprint(f(0), f(1))"),
    Probe("frame of the module", "import sys\nframe = sys._getframe()\nprint(frame.f_code.co_name, frame.f_lineno, frame.f_globals is globals(), frame.f_locals is globals(), frame.f_builtins is vars(__builtins__), frame.f_trace)"),
    Probe("recursion limit", "import sys\nprint(sys.getrecursionlimit())"),
    Probe("nothing is traced", "import sys\nprint(sys.gettrace(), sys.getprofile(), sys.getswitchinterval())"),
    Probe("nothing is hooked", """
        import builtins, codecs, gc, sys
        print(sys.displayhook is sys.__displayhook__, sys.breakpointhook is sys.__breakpointhook__)
        print(sys.unraisablehook is sys.__unraisablehook__, len(sys.path_hooks), sys.meta_path[-3:])
        print(builtins.__import__.__name__, builtins.open.__module__, builtins.print.__name__, gc.callbacks)
        """),
    Probe("lines traced", """
        import sys
        def tracer(frame, event, arg):
            if frame.f_code.co_filename == __file__:
                print(event, frame.f_code.co_name, frame.f_lineno)
            return tracer
        def f(x):
            y = x + 1
            return y
        sys.settrace(tracer)
        f(1)
        sys.settrace(None)
        """),
    Probe("a start of itself traced", """
        import os, subprocess, sys
        seen = []
        def note(frame, event, value):
            seen.append((frame.f_code.co_name, event))
            return note
        if len(sys.argv) == 1:
            words = [sys.executable, __file__, "again"]
            sys.settrace(note)
            sys.stdout.flush()
            os.waitpid(os.spawnv(os.P_NOWAIT, sys.executable, words), 0)
            os.system("true")
            subprocess.run(words)
            sys.settrace(None)
            found = [one for one in seen if one[0] in ("<module>", "spawnv", "run", "__init__", "_execute_child")]
            print(len(found), sorted({name for name, _ in seen} - {one[0] for one in found}))
        """, since=(3, 11)),
    Probe("lines traced to the end", """
        import sys
        def tracer(frame, event, arg):
            print(event, frame.f_code.co_name, frame.f_lineno, frame.f_code.co_filename == __file__)
            return tracer
        def f(x):
            y = x + 1
            return y
        sys.settrace(tracer)
        f(1)
        """, since=(3, 11)),
    Probe("imports traced", """
        import sys
        seen = []
        def tracer(frame, event, arg):
            seen.append((event, frame.f_code.co_name, frame.f_lineno))
            return tracer
        import helper
        sys.settrace(tracer)
        import second, folder.inner
        sys.settrace(None)
        print(*seen, sep="\\n")
        """, since=(3, 11), files={"helper.py": "", "second.py": "x = 1\ndef f():\n    return x\nf()\n", "folder/inner.py": "y = 1"}),
    Probe("traced to an exit", """
        import sys
        def tracer(frame, event, arg):
            print(event, frame.f_code.co_name, frame.f_lineno)
            return tracer
        def f():
            sys.exit(3)
        sys.settrace(tracer)
        f()
        """, since=(3, 11)),
    Probe("traced to an exception", """
        import sys
        def tracer(frame, event, arg):
            if "probe" in frame.f_code.co_filename:
                print(event, frame.f_code.co_name, frame.f_lineno)
            return tracer
        def f():
            1 / 0
        sys.settrace(tracer)
        f()
        """, since=(3, 11)),
    Probe("traced to an interruption", """
        import sys
        def tracer(frame, event, arg):
            if "probe" in frame.f_code.co_filename:
                print(event, frame.f_code.co_name, frame.f_lineno)
            return tracer
        def f():
            raise KeyboardInterrupt
        sys.settrace(tracer)
        f()
        """, since=(3, 11)),
    Probe("pdb goes over the end", "breakpoint()\nx = 1\n", stdin="n\nn\nn\nn\nn\n" if sys.version_info < (3, 13) else "n\nn\nq\n", since=(3, 11)),
    Probe("pdb in the guard goes over the end", "def main():\n    breakpoint()\n    return 1\nif __name__ == '__main__':\n    main()", stdin="n\n" * 4 + "q\n" if sys.version_info < (3, 13) else "n\nc\n", since=(3, 11)),
    Probe("lines of the module traced", """
        import sys
        def tracer(frame, event, arg):
            print(event, frame.f_lineno)
            return tracer
        sys._getframe().f_trace = tracer
        sys.settrace(tracer)
        x = 1
        y = [
            x,
            2,
        ]
        for z in y:
            x += z
        sys.settrace(None)
        """),
    Probe("profiled calls", """
        import sys
        def profiler(frame, event, arg):
            print(event, frame.f_code.co_name, getattr(arg, "__name__", None))
        def f():
            return len([])
        sys.setprofile(profiler)
        f()
        sys.setprofile(None)
        """),
    Probe("cProfile", """
        import cProfile, pstats
        def f():
            return sum(range(10))
        with cProfile.Profile() as profile:
            f()
            f()
        for (file, line, name), (calls, *_) in sorted(pstats.Stats(profile).stats.items()):
            print(file == __file__, line, name, calls)
        """),
    Probe("cProfile run", """
        import cProfile
        def f(): print("ran", unrelated)
        cProfile.run("f()", "left.prof")
        import os
        os.remove("left.prof")
        """),
    Probe("trace module", """
        import trace
        def f(x):
            return x
        tracer = trace.Trace(count=1, trace=0)
        tracer.runfunc(f, 1)
        print({line: n for (file, line), n in tracer.results().counts.items() if file == __file__})
        """),
    Probe("tracemalloc", """
        import tracemalloc
        tracemalloc.start()
        x = [bytes(100000)]
        frame = tracemalloc.get_object_traceback(x[0])[0]
        print(frame.lineno, frame.filename == __file__)
        """),
    Probe("logging of the place", """
        import logging
        logging.basicConfig(format="%(filename)s %(lineno)d %(funcName)s %(module)s %(pathname)s %(message)s")
        logging.warning("top")
        def f():
            logging.warning("in f")
            logging.warning("in the caller", stacklevel=2)
        f()
        """),
    Probe("logging of the process", "import logging\nlogging.basicConfig(format='%(processName)s %(threadName)s %(name)s')\nlogging.warning('x')"),
    Probe("pdb in a function", """
        import pdb
        def f(x):
            pdb.set_trace()
            y = x + 1
            return y
        f(1)
        print("end")
        """, stdin="args\nnext\np y\nlist\nreturn\ncontinue\n"),
    Probe("pdb with commands", """
        def f(x):
            y = x
            return y
        breakpoint()
        f(1)
        f(2)
        print("end")
        """, stdin="break f\nlongwhatis\ncontinue\np x\nup\np unrelated\nclear\ny\ncontinue\n"),
    Probe("pdb quits", "breakpoint()\nprint('not here')", stdin="quit\n"),
    Probe("pdb shows the source", "x = 1\nbreakpoint()\ny = 2\ndef f():\n    return 1\n", stdin="list 1, 9\nsource f\nwhatis f\n!x = 5\np x\nc\n"),
    Probe("pdb after an exception", """
        import pdb, sys
        def f():
            x = 1
            1 / 0
        try:
            f()
        except ZeroDivisionError:
            pdb.post_mortem()
        """, stdin="p x\nwhere\nup\nq\n"),
    Probe("breakpoint switched off", "breakpoint()\nprint('end')", environment={"PYTHONBREAKPOINT": "0"}),
    Probe("breakpoint of the program", "import sys\nsys.breakpointhook = lambda *a: print('stopped', a)\nbreakpoint(1)"),
    Probe("code interact", "import code\nx = 1\ncode.interact(banner='hello', local=globals(), exitmsg='bye')", stdin="print(x)\n1 / 0\n"),
    Probe("timeit", "import timeit\ndef f():\n    print('f')\nprint(timeit.timeit('f()', 'from __main__ import f', number=3) > 0)"),
    Probe("audit of the program", "import sys\nsys.addaudithook(lambda event, args: print(event) if event in ('open', 'exec', 'sys.excepthook') else None)\nexec('1')\nopen(__file__).close()"),
    Probe("audit of the end", "import sys\nsys.addaudithook(lambda event, args: print(event, flush=True) if event == 'sys.excepthook' else None)\n1 / 0"),
    Probe("garbage", "import gc\ngc.collect()\nprint(gc.garbage, gc.isenabled(), gc.get_debug())"),
    Probe("references to the module", "import gc\nprint([type(x).__name__ for x in gc.get_referrers(globals()) if type(x).__name__ not in ('module', 'function', 'frame')])"),
    Probe("site and prefix", "import sys, sysconfig\nprint(sys.prefix, sys.base_prefix, sys.executable, sysconfig.get_path('purelib'), sys.flags.no_site)"),
]  # fmt: skip


@probes(*SOURCE)
def test_source(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@probes(*TYPES)
def test_types(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@probes(*RUNNING)
def test_running(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)
