"""What a program imports, and what imports the program."""

from __future__ import annotations

from pathlib import Path

from tests.fidelity.probes import Probe, assert_like_python, probes

IMPORTS = [
    Probe("a helper imports main", "import helper\nprint(helper.color())", files={"helper.py": "def color():\n    import __main__\n    return __main__.unrelated, __main__.__file__\n"}),
    Probe("a helper imports the program's own name", """
        print("body", __name__)
        class A: pass
        if __name__ == "__main__":
            import helper
            print(helper.probe.A is A, helper.probe.unrelated, helper.probe.__name__)
        """, files={"helper.py": "import probe\n"}),
    Probe("it imports itself", "print('body', __name__)\nimport probe\nprint(probe.unrelated, probe.__spec__.name)"),
    Probe("star import of itself", "x = 2\nif __name__ == '__main__':\n    from probe import *\n    print(x)"),
    Probe("a package beside it", "from pkg.sub import value\nimport pkg\nprint(value, pkg.__path__, pkg.sub.__package__)",
          files={"pkg/__init__.py": "", "pkg/sub.py": "from . import other\nvalue = other.x\n", "pkg/other.py": "x = 3\n"}),
    Probe("a module with the name of our command", "import kogine\nfrom kogine import x\nprint(kogine.__name__, x, unrelated)", files={"kogine.py": "x = 1\n"}),
    Probe("a package with the name of our command", "import kogine.run\nprint(kogine.run.x)\nraise KeyError(unrelated)", files={"kogine/__init__.py": "", "kogine/run.py": "x = 1\n"}),
    Probe("a package with our own name", """
        import sys
        import kohaku_ast.runner
        from kohaku_ast import errors
        print(kohaku_ast.runner.x, errors.x, sorted(one for one in sys.modules if one.startswith("kohaku_ast")))
        sys.exit(3)
        """, files={"kohaku_ast/__init__.py": "", "kohaku_ast/runner.py": "x = 1\n", "kohaku_ast/errors.py": "x = 2\n"}),
    Probe("such a package is imported at exit", "import atexit\n@atexit.register\ndef last():\n    print(unrelated, kogine.x)\nimport kogine", files={"kogine.py": "x = 1\n"}),
    Probe("a namespace package", "import space.mod\nprint(space.mod.x, list(space.__path__))", files={"space/mod.py": "x = 1\n"}),
    Probe("relative import fails", "from . import helper", files={"helper.py": ""}),
    Probe("circular imports", "import a\nprint(a.x, a.b.y)", files={"a.py": "import b\nx = 1\n", "b.py": "import a\ny = 2\n"}),
    Probe("imports in a function", "def f():\n    import helper\n    return helper.x\nprint(f())", files={"helper.py": "x = 1\n"}),
    Probe("import after the folder changed", "import os\nos.chdir('/')\nimport helper\nprint(helper.__file__)", files={"helper.py": ""}),
    Probe("path changed by the program", "import sys\nsys.path.insert(0, 'lib')\nimport inside\nprint(inside.__file__)", files={"lib/inside.py": ""}),
    Probe("helper in the current folder is not found", "import outside", path="sub/probe.py", files={"outside.py": ""}),
    Probe("importlib", "import importlib\nprint(importlib.import_module('helper').x)\nhelper = importlib.import_module('helper')\nprint(importlib.reload(helper).x)", files={"helper.py": "x = 1\n"}),
    Probe("reload of a changed helper", """
        import importlib, os, sys
        sys.dont_write_bytecode = True
        import helper
        print(helper.x)
        open("helper.py", "w").write("x = 22\\n")
        os.utime("helper.py", (1, 1))
        print(importlib.reload(helper).x)
        open("helper.py", "w").write("x = 1\\n")
        """, files={"helper.py": "x = 1\n"}),
    Probe("runpy of a file", "import runpy\nprint(runpy.run_path('other.py')['x'])\nimport sys\nprint(sys.modules['__main__'].unrelated)", files={"other.py": "x = 1\nprint(__name__)\n"}),
    Probe("runpy as main", "import runpy\nrunpy.run_path('other.py', run_name='__main__')", files={"other.py": "import sys\nprint(__name__, sys.argv, sys.modules['__main__'].__dict__ is globals())\n"}),
    Probe("runpy of a module", "import runpy, sys\nif len(sys.argv) == 1:\n    sys.argv.append('x')\n    print(runpy.run_module('probe', run_name='again')['unrelated'])", flags=["-W", "ignore"]),
    Probe("spec from a file", "import importlib.util\nspec = importlib.util.spec_from_file_location('m', 'helper.py')\nm = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(m)\nprint(m.x, m)", files={"helper.py": "x = 1\n"}),
    Probe("spec of main", "import importlib.util\nimportlib.util.find_spec('__main__')"),
    Probe("spec of itself", "import importlib.util\nprint(importlib.util.find_spec('probe').origin)"),
    Probe("an import hook of the program", """
        import sys
        class Finder:
            def find_spec(self, name, path=None, target=None):
                print("asked for", name)
        sys.meta_path.insert(0, Finder())
        try:
            import nothing_at_all
        except ImportError as error:
            print(error)
        """),
    Probe("an import of its own", """
        import builtins
        original = builtins.__import__
        def loud(name, *rest):
            if name == "helper":
                print("importing", name)
            return original(name, *rest)
        builtins.__import__ = loud
        import helper
        """, files={"helper.py": ""}),
    Probe("builtins changed by the program", "import builtins\nbuiltins.print = lambda *a: __import__('sys').stdout.write('mine\\n')\nprint('x')"),
    Probe("builtins shadowed by globals", "len = lambda x: 42\nprint(len([]))\ndel len\nprint(len([]))"),
    Probe("builtins replaced in the module", "def f():\n    return unrelated\n__builtins__ = {}\nprint(f())"),
    Probe("modules of the program are forgotten", "import sys, helper\ndel sys.modules['helper']\nimport helper as again\nprint(helper is again)", files={"helper.py": ""}),
    Probe("a helper that exits", "import helper", files={"helper.py": "import sys\nsys.exit(4)\n"}),
    Probe("a helper that is interrupted", "import helper", files={"helper.py": "raise KeyboardInterrupt\n"}),
    Probe("site customized", "import sys\nprint('sitecustomize' in sys.modules, sys.my_mark)", files={"lib/sitecustomize.py": "import sys\nsys.my_mark = 1\n"}, shell="PYTHONPATH=lib:$PYTHONPATH {command}"),
    Probe("hook set by the site", "1 / 0", files={"lib/sitecustomize.py": "import sys\nsys.excepthook = lambda *f: print('site hook', f[0])\n"}, shell="PYTHONPATH=lib:$PYTHONPATH {command}"),
    Probe("zip on the path", "import sys, zipfile\nwith zipfile.ZipFile('z.zip', 'w') as z:\n    z.writestr('zipped.py', 'x = 1')\nsys.path.insert(0, 'z.zip')\nimport zipped\nprint(zipped.x)\nimport os\nos.remove('z.zip')"),
    Probe("bytecode of helpers", "import helper, os\nprint(sorted(os.listdir('__pycache__')))", files={"helper.py": ""}),
    Probe("a child of plain Python", "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'import sys; print(sys.argv, sys.flags)'], capture_output=True, text=True).stdout)"),
    Probe("a child of itself", "import subprocess, sys\nif len(sys.argv) == 1:\n    print(subprocess.run([sys.executable, __file__, 'x'], capture_output=True, text=True))\nelse:\n    print(unrelated)\n    sys.exit(3)"),
    Probe("optional import", "try:\n    import nothing_of_this_name as it\nexcept ImportError as e:\n    it = e.name\nprint(it)"),
]  # fmt: skip


@probes(*IMPORTS)
def test_imports(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)
