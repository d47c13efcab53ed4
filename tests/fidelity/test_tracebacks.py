"""What is printed when a program fails: every line, column and caret."""

from __future__ import annotations

from pathlib import Path

from tests.fidelity.probes import Probe, assert_like_python, probes

UNCAUGHT = [
    Probe("at the top", "1 / 0"),
    Probe("in a function", "def f(x):\n    return 1 / x\n\nprint(f(1))\nf(0)"),
    Probe("in the line of the override", "unrelated = 1; 1 / 0"),
    Probe("in a method of a nested class", "class A:\n    class B:\n        def f(self):\n            return self.x.y\nA.B().f()"),
    Probe("in a comprehension", "print([1 / x for x in (1, 0)])"),
    Probe("in a generator", "def g():\n    yield 1\n    yield [][0]\nlist(g())"),
    Probe("in a lambda", "f = lambda a, b: (a + b) / (a - b)\nf(1, 1)"),
    Probe("in a decorator", "def d(f):\n    raise TypeError(f.__name__)\n@d\ndef g(): pass"),
    Probe("in a class body", "class A:\n    x = {}\n    y = x['k']"),
    Probe("in a default", "def f(a=int('x')): pass"),
    Probe("in the guard", "def main():\n    {}['k']\n\nif __name__ == '__main__':\n    main()"),
    Probe("in an expression over lines", "x = (\n    1 +\n    2 *\n    None\n)"),
    Probe("in a call over lines", "print(\n    1,\n    int('a'),\n    sep='-',\n)"),
    Probe("beside other letters", "'é'; x = '日本' + 3"),
    Probe("after a form feed and a tab", "if True:\n\tx = 1\n\f\n\ty = x + 'a'"),
    Probe("in a long line", "x = " + " + ".join(["1"] * 200) + " + None"),
    Probe("in a line that goes on", "x = 1 + \\\n    None"),
    Probe("in a formatted text", "name = None\nprint(f'{name} is {name.value:>10}')"),
    Probe("in a with statement", "with open('nothing') as a, open('b') as b:\n    pass"),
    Probe("in a helper", "import helper\nhelper.f()", files={"helper.py": "def f():\n    g()\ndef g():\n    1 / 0\n"}),
    Probe("while a helper is imported", "import helper", files={"helper.py": "import nothing_of_this_name\n"}),
    Probe("in a helper that has a mistake", "import helper", files={"helper.py": "def f(:\n"}),
    Probe("missing name with a hint", "count = 1\nprint(coutn)"),
    Probe("missing name like an overridden one", "print(unrelatd)"),
    Probe("missing attribute with a hint", "import math\nmath.cosine\n"),
    Probe("missing import", "from os import nothing"),
    Probe("unbound local", "def f():\n    print(x)\n    x = 1\nf()"),
    Probe("deleted local", "def f():\n    x = 1\n    del x\n    return x\nf()"),
    Probe("cause", "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('v') from e"),
    Probe("context", "try:\n    1 / 0\nexcept ZeroDivisionError:\n    {}['k']"),
    Probe("context hidden", "try:\n    1 / 0\nexcept ZeroDivisionError:\n    raise ValueError from None"),
    Probe("chain in a circle", "a, b = ValueError('a'), ValueError('b')\na.__cause__, b.__context__ = b, a\nraise a"),
    Probe("raised again", "def f():\n    1 / 0\ntry:\n    f()\nexcept ZeroDivisionError:\n    raise"),
    Probe("raised later with its traceback", """
        def f():
            1 / 0
        try:
            f()
        except ZeroDivisionError as error:
            kept = error
        def g():
            raise kept.with_traceback(None)
        g()
        """),
    Probe("a traceback cut by the program", """
        def f(): g()
        def g(): 1 / 0
        try:
            f()
        except ZeroDivisionError as error:
            raise error.with_traceback(error.__traceback__.tb_next)
        """),
    Probe("group", "raise ExceptionGroup('g', [ValueError(1), ExceptionGroup('h', [KeyError(2)])])", since=(3, 11)),
    Probe("group with tracebacks", """
        def f(kind):
            raise kind("x")
        found = []
        for kind in (ValueError, TypeError):
            try:
                f(kind)
            except Exception as error:
                found.append(error)
        raise ExceptionGroup("many", found) from found[0]
        """, since=(3, 11)),
    Probe("except star", """
        try:
            raise ExceptionGroup("g", [ValueError(1), TypeError(2)])
        except* ValueError as group:
            print(group.exceptions)
        """, since=(3, 11)),
    Probe("notes", "e = ValueError('v')\ne.add_note('first')\ne.add_note('two\\nlines')\nraise e", since=(3, 11)),
    Probe("text of many lines", "raise ValueError('one\\ntwo')"),
    Probe("empty text", "raise ValueError('')"),
    Probe("text that breaks", "class E(Exception):\n    def __str__(self):\n        1 / 0\nraise E"),
    Probe("text that cannot be encoded", "raise ValueError('\\udc80')"),
    Probe("class of the program", "class Own(Exception): pass\nraise Own('x', 1)"),
    Probe("class with another module", "class Own(Exception):\n    __module__ = 'far.away'\nraise Own"),
    *(
        Probe(f"class that takes no attributes, {name}", f"""
            import dataclasses, sys
            @dataclasses.dataclass(frozen=True)
            class Own(Exception):
                n: int
            def f(*_):
                raise Own(1)
            {line}
            """)
        for name, line in [
            ("uncaught", "f()"),
            ("in a hook", "sys.excepthook = f; f()"),
        ]
    ),
    Probe("not an exception", "raise 3"),
    Probe("assertion", "assert unrelated == 2, ('not', 'true')"),
    Probe("stop iteration", "next(iter(()))"),
    Probe("generator exit", "raise GeneratorExit"),
    Probe("base exception", "class Own(BaseException): pass\nraise Own"),
    Probe("mistake in exec", "exec('x = = 1')"),
    Probe("mistake in a compiled text with a name", "compile('a b', 'other.py', 'exec')"),
    Probe("exception in exec", "exec('def f():\\n    1 / 0\\nf()')"),
    Probe("exception in exec under the program's name", "exec(compile('\\n\\n1 / 0', __file__, 'exec'))"),
    Probe("mistake raised by hand", "raise SyntaxError('text', ('probe.py', 1, 3, 'some of it', 1, 5))"),
    Probe("recursion of lines of their own", "def f(n):\n    if n:\n        f(n - 1)\n    else:\n        1 / 0\nf(10)"),
    Probe("limit of the traceback", "import sys\nsys.tracebacklimit = 1\ndef f():\n    1 / 0\ndef g():\n    f()\ng()"),
    Probe("limit of the traceback zero", "import sys\nsys.tracebacklimit = 0\ndef f():\n    1 / 0\nf()"),
    Probe("asyncio", """
        import asyncio
        async def inner():
            await asyncio.sleep(0)
            raise RuntimeError("in a task")
        async def main():
            await asyncio.gather(inner(), inner())
        asyncio.run(main())
        """),
    Probe("asyncio task forgotten", """
        import asyncio, logging
        logging.basicConfig(format="%(message).20s")
        async def bad():
            raise RuntimeError("nobody awaits")
        async def main():
            task = asyncio.create_task(bad(), name="bad")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        asyncio.run(main())
        """),
    Probe("asyncio interrupted", """
        import asyncio, os, signal
        async def main():
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(5)
        asyncio.run(main())
        """),
    Probe("columns off", "x = 1 + None", flags=["-X", "no_debug_ranges"], since=(3, 11)),
    Probe("the program is gone when it fails", "import os\nos.remove(__file__)\ndef f():\n    1 / 0\nf()"),
    Probe("the program is changed when it fails", "open(__file__, 'w').write('# other\\n' * 9)\n1 / 0"),
    Probe("the working folder is changed when it fails", "import os\nos.chdir('/')\n1 / 0"),
    Probe("stderr is stdout", "import sys\nsys.stderr = sys.stdout\n1 / 0"),
    Probe("stderr is a class of the program", """
        import sys
        class Upper:
            def write(self, text):
                sys.__stderr__.write(text.upper())
            def flush(self):
                pass
        sys.stderr = Upper()
        1 / 0
        """),
    Probe("no stderr", "import sys\nsys.stderr = None\n1 / 0"),
]  # fmt: skip

HOOKS = [
    Probe("a hook", "import sys\nsys.excepthook = lambda *found: print('hook', found[0], found[1])\n1 / 0"),
    Probe("a hook that prints the traceback", """
        import sys, traceback
        def hook(kind, value, trace):
            traceback.print_exception(kind, value, trace, file=sys.stdout)
            print(trace is value.__traceback__, sys.last_traceback is trace)
        sys.excepthook = hook
        def f():
            1 / 0
        f()
        """),
    Probe("a hook that calls the original", "import sys\nsys.excepthook = lambda *found: sys.__excepthook__(*found)\n1 / 0"),
    Probe("a hook that calls what was there", """
        import sys
        before = sys.excepthook
        print(before is sys.__excepthook__)
        def hook(*found):
            print("mine", flush=True)
            before(*found)
        sys.excepthook = hook
        1 / 0
        """),
    Probe("a hook that raises", "import sys\ndef hook(*found):\n    {}['broken']\nsys.excepthook = hook\n1 / 0"),
    # Before Python 3.12 an exception raised in a hook takes its own frame in, or not, as it may.
    Probe("a hook that raises the same", "import sys\ndef hook(kind, value, trace):\n    raise value\nsys.excepthook = hook\n1 / 0", since=(3, 12)),
    Probe("a hook that exits", "import sys\nsys.excepthook = lambda *_: sys.exit(9)\n1 / 0"),
    Probe("a hook that is interrupted", "import sys\ndef hook(*found):\n    raise KeyboardInterrupt\nsys.excepthook = hook\n1 / 0"),
    Probe("a hook of the wrong shape", "import sys\nsys.excepthook = lambda: 0\n1 / 0"),
    Probe("a hook that is none", "import sys\nsys.excepthook = None\n1 / 0"),
    Probe("a hook that is deleted", "import sys\ndel sys.excepthook\n1 / 0"),
    Probe("a hook that is deleted while it works", "import sys\ndef hook(*found):\n    del sys.excepthook\n    print('done')\nsys.excepthook = hook\n1 / 0"),
    Probe("a hook set by a hook", "import sys\ndef hook(*found):\n    print(sys.excepthook is hook)\n    sys.excepthook = None\nsys.excepthook = hook\n1 / 0"),
    Probe("the hook is what Python set", "import sys\nprint(sys.excepthook, sys.excepthook is sys.__excepthook__)"),
    Probe("nothing has failed before", "import sys\nprint([n for n in dir(sys) if n.startswith('last')], sys.exc_info())"),
    Probe("a hook and an exit function", """
        import atexit, sys
        sys.excepthook = lambda *_: print("hook", list(globals())[-3:], "__file__" in globals())
        atexit.register(lambda: print("exit", "__file__" in globals()))
        1 / 0
        """),
    Probe("a hook is not asked for an exit", "import sys\nsys.excepthook = print\nsys.exit(3)"),
    Probe("hook of unraisable exceptions", """
        import sys
        def hook(args):
            print("hook", args.exc_type, args.err_msg)
        sys.unraisablehook = hook
        class Bad:
            def __del__(self):
                1 / 0
        a = Bad()
        del a
        b = Bad()
        """),
    Probe("unraisable exception", """
        class Broken:
            def __repr__(self):
                return "broken"
            def __call__(self):
                1 / 0
        class Bad:
            __del__ = Broken()
        Bad()
        print("end")
        """),
    Probe("traceback print_exc", "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    traceback.print_exc()"),
    Probe("traceback format_exc", "import traceback\ndef f():\n    try:\n        1 / 0\n    except ZeroDivisionError:\n        return traceback.format_exc()\nprint(f())"),
    Probe("traceback with locals", """
        import traceback
        def f(n):
            text = "local"
            1 / n
        try:
            f(0)
        except ZeroDivisionError as error:
            found = traceback.TracebackException.from_exception(error, capture_locals=True)
        print(found.stack[1].locals)
        """),
    Probe("traceback objects", """
        def f():
            1 / 0
        try:
            f()
        except ZeroDivisionError as error:
            trace = error.__traceback__
        while trace:
            print(trace.tb_frame.f_code.co_name, trace.tb_lineno, trace.tb_lasti > 0)
            trace = trace.tb_next
        """),
    Probe("logging an exception", "import logging\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    logging.exception('failed')"),
]  # fmt: skip


@probes(*UNCAUGHT)
def test_uncaught(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@probes(*HOOKS)
def test_hooks(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)
