"""What a program finds when its first line runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fidelity.probes import Probe, assert_like_python, probes

SHOW_NAMES = """
    import sys
    print(sys.argv, sys.path, __file__, sys.flags)
"""

NAMESPACE = [
    Probe("names of globals in order", "print(list(globals()))"),
    Probe("dir", "print(dir())"),
    Probe("locals are globals", "print(locals() is globals(), vars() is globals())"),
    Probe(
        "values of the module's own names",
        """
        for name in sorted(globals()):
            if name.startswith("__") and name not in ("__builtins__", "__loader__"):
                print(name, repr(globals()[name]))
        """,
    ),
    Probe("docstring", '"""What it does."""\nunrelated = 1\nprint(__doc__)'),
    Probe(
        "docstring and future imports",
        '"""Doc."""\nfrom __future__ import annotations\nunrelated = 1\n'
        "x: nothing = 2\nprint(__doc__, __annotations__, list(globals()))",
    ),
    Probe("annotations", "x: int = 2\ny: str\nprint(__annotations__)"),
    Probe("an annotated overridden name", "unrelated = 1\nunrelated: int\nprint(__annotations__)"),
    Probe(
        "loader",
        """
        print(type(__loader__), __loader__.name, __loader__.path)
        print(__loader__.get_source("__main__"), __loader__.get_filename("__main__"))
        print(__loader__.is_package("__main__"), len(__loader__.get_data(__file__)))
        """,
    ),
    Probe(
        "builtins have no name of ours",
        """
        import builtins
        print(__builtins__ is builtins, sorted(vars(builtins)))
        """,
    ),
    Probe(
        "main module is the namespace",
        """
        import sys, __main__
        main = sys.modules["__main__"]
        print(main is __main__, main.__dict__ is globals(), main, type(main))
        """,
    ),
    Probe(
        "setting an attribute of main sets a global",
        """
        import __main__
        __main__.color = "red"
        print(color)
        color = "blue"
        print(__main__.color, hasattr(__main__, "nothing"))
        """,
    ),
    Probe("deleted global", "x = 1\ndel x\nprint('x' in globals())\nx"),
    Probe(
        "main module of another class",
        """
        import sys, types
        class Loud(types.ModuleType):
            def __getattr__(self, name):
                return name.upper()
        main = sys.modules["__main__"]
        main.__class__ = Loud
        print(main.hello, main.unrelated)
        """,
    ),
    Probe(
        "module getattr",
        """
        import __main__
        def __getattr__(name):
            return name * 2
        print(__main__.ab)
        """,
    ),
    Probe("main cannot be reloaded", "import importlib, __main__\nimportlib.reload(__main__)"),
    Probe(
        "main forgotten by the program",
        """
        import sys
        del sys.modules["__main__"]
        print(unrelated, __name__)
        def f():
            return unrelated
        print(f())
        """,
    ),
    Probe(
        "name changed by the program", "__name__ = 'other'\nclass A: pass\nprint(A, A.__module__)"
    ),
    Probe("file changed by the program", "__file__ = 'other.py'\nprint(__file__)\n1 / 0"),
    Probe("exec shares the namespace", "exec('a = 2')\nprint(a)\nprint(eval('a + unrelated'))"),
    Probe(
        "exec inherits no future of ours", "exec('def f(x: int): pass\\nprint(f.__annotations__)')"
    ),
    Probe(
        "compile inherits the program's future only",
        """
        from __future__ import annotations
        unrelated = 1
        exec("def f(x: nothing): pass\\nprint(f.__annotations__)")
        """,
    ),
    Probe(
        "guard",
        """
        def main():
            print("in main", __name__)
        print("above")
        if __name__ == "__main__":
            count = 3
            main()
        print("below", count)
        """,
    ),
    Probe(
        "guard with else",
        """
        if __name__ != "__main__":
            print("imported")
        else:
            from os.path import *
            print(basename("a/b"))
        """,
    ),
    Probe(
        "code objects of the module",
        """
        import sys
        def f(): pass
        class A:
            def g(self): return [x for x in ()]
        code = sys._getframe().f_code
        for one in (code, f.__code__, A.g.__code__):
            print(one.co_name, one.co_filename, one.co_firstlineno, one.co_flags, one.co_names)
        """,
    ),
    Probe(
        "assigned names appear in their order",
        "b = 1\na = 2\nimport os\nprint(list(globals())[-4:])",
    ),
    Probe(
        "modules stay importable",
        "import helper\nprint(helper.who, helper.__file__)",
        files={"helper.py": "import __main__\nwho = __main__.__file__, __main__.unrelated\n"},
    ),
]

STARTS = [
    Probe("no arguments", SHOW_NAMES),
    Probe("arguments", SHOW_NAMES, argv=["a", "--flag", "-x=1", "k=v"]),
    Probe("arguments of odd characters", SHOW_NAMES, argv=["", " ", "a b", "é", "\n", '"', "--", "-"]),
    Probe("in a folder", SHOW_NAMES, path="sub/probe.py"),
    Probe("dot slash", SHOW_NAMES, path="./probe.py"),
    Probe("over the parent", SHOW_NAMES, path="../work/probe.py"),
    Probe("double slash and dots", SHOW_NAMES, path="sub/.././/probe.py", files={"sub/x": ""}),
    Probe("blank in the name", SHOW_NAMES, path="my probe.py"),
    Probe("letters of the name", SHOW_NAMES, path="prøbe.py"),
    Probe("a folder beside it named like us", "import kogine_data, os\nprint(os.getcwd())",
          files={"kogine_data/__init__.py": ""}),
    Probe("the arguments are a list of its own", "import sys\nsys.argv.append(1)\nprint(sys.argv)"),
    Probe("the working folder", "import os\nprint(os.getcwd(), os.listdir())"),
    Probe("data by a relative path", "print(open('data.txt').read())", files={"data.txt": "42"}),
    Probe(
        "argparse takes the program's name",
        """
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--lr", type=float, default=1)
        print(parser.parse_args())
        """,
        argv=["--lr", "x"],
    ),
    Probe("argparse help", "import argparse\nargparse.ArgumentParser().parse_args()", argv=["--help"]),
    Probe(
        "nothing of the environment is changed",
        """
        import os
        print(sorted(os.environ), os.environ["KOGINE_CACHE"])
        """,
    ),
    Probe("umask, priority and limits", """
        import os, resource
        print(os.umask(0), os.nice(0), resource.getrlimit(resource.RLIMIT_NOFILE))
        """),
    Probe("open descriptors", "import os\nprint(sorted(map(int, os.listdir('/proc/self/fd')))[:-1])")
    if Path("/proc/self/fd").exists() else Probe("no list of descriptors", ""),
    Probe("one thread", "import threading\nprint([t.name for t in threading.enumerate()])"),
    Probe("a helper shadows the standard library",
          "import colorsys, statistics\nprint(colorsys.mine, statistics.mine)",
          files={"colorsys.py": "mine = 1", "statistics.py": "mine = 2"}),
    *(
        Probe(f"a helper named {name} is the program's own", f"import {name}\nprint({name}.__name__, {name}.mine)",
              files={f"{name}.py": "mine = 1"})
        for name in ("hashlib", "dis", "ast", "tokenize", "errors", "config", "click", "options", "kogine_command")
    ),
    Probe("a helper package shadows", "import inspect\nprint(inspect.mine)",
          files={"inspect/__init__.py": "mine = 1"}),
]  # fmt: skip

FLAGS = """
    '''Doc.'''
    unrelated = 1
    import sys, warnings
    def f():
        "Doc of f."
    print(__debug__, __doc__, f.__doc__, sys.flags, sys.warnoptions, sys._xoptions)
    print(sys.path, sys.dont_write_bytecode, sys.argv)
    assert unrelated == 2, "asserted"
    warnings.warn("soon gone", DeprecationWarning)
    print("end")
"""
OPTIONS = [
    [], ["-O"], ["-OO"], ["-W", "error"], ["-W", "ignore"], ["-Wd"], ["-X", "dev"], ["-B"], ["-u"], ["-q"],
    ["-bb"], ["-s"], ["-X", "utf8"], ["-X", "utf8=0"], ["-X", "mine=1"], ["-d"],
    ["-X", "int_max_str_digits=0"], ["-X", "tracemalloc=2"], ["-X", "faulthandler"],
]  # fmt: skip

# With these Python looks for nothing in PYTHONPATH: kogine has to be installed.
ISOLATED = [["-I"], ["-E"], ["-IO"], ["-I", "-W", "error"]]


def _is_installed() -> bool:
    command = [sys.executable, "-I", "-c", "import kogine.main"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _with_options(options: list[list[str]]) -> list[Probe]:
    return [Probe(" ".join(["python", *one]), FLAGS, flags=one, as_module=True) for one in options]


@probes(*NAMESPACE)
def test_namespace(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@probes(*STARTS)
def test_start(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@probes(*_with_options(OPTIONS))
def test_options_of_the_interpreter(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="new in Python 3.11")
@probes(*_with_options([["-P"], ["-P", "-O"]]))
def test_safe_path(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@pytest.mark.skipif(not _is_installed(), reason="kogine is not installed")
@probes(*_with_options(ISOLATED))
def test_isolated(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@probes(*(
    Probe(f"{name} in the working folder", f"import {name}\nprint({name}.mine)", as_module=True,
          files={f"{name}.py": "mine = 1"})
    for name in ("ast", "hashlib", "tokenize", "click", "errors")
))  # fmt: skip
def test_start_as_a_module(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)
