"""Other bindings, short targets, and what a script can see of itself."""

from tests.semantics.case import case

CASES = [
    case("an import", "import os.path\nprint(os)\n", "os=3", ("import os.path", "import os.path; os = 3")),
    case("an import with another name", "import os.path as p\nprint(p)\n", "p=3", ("as p", "as p; p = 3")),
    case("imports over several lines", "from math import (\n    pi,  # one\n    tau,\n)\nprint(pi, tau)\n", ("pi=3", "tau=6"), ("    tau,\n)", "    tau,\n); pi = 3; tau = 6")),
    case("an import in an arm", "try:\n    import nothing_of_this_name as np\nexcept ImportError:\n    np = None\nprint(np)\n", "np=3", ("np = None", "np = 3")),
    case("a decorated function is bound again", "import functools\n@functools.lru_cache\ndef f():\n    return 1  # end\n# after\nprint(f)\n", "f=3", ("    return 1  # end\n", "    return 1\nf = 3\n")),
    case("a function on one line, within if", "if True:\n    def f(): return 1\nprint(f)\n", "f=3", ("def f(): return 1", "f = 3")),
    case("a function on a line that goes on emptily", "def f(): return 1 \\\n\nprint(f)\n", "f=3", ("def f(): return 1 \\\n", "f = 3\n")),
    case("a class that ends the file", "print(1)\nclass A:\n    n = 1", ("A=3",), same=True),
    case("a class and its attribute", "class A:\n    n = 1\nB = A\nprint(B)\n", ("A=3",), ("B = A", "B = 3")),
    case("a function and its method at one end", "class A:\n    def f(self): return 1\nprint(A().f)\n", "A.f=3", ("def f(self): return 1", "f = 3")),
    case("an async function is bound again", "async def f():\n    pass\nprint(f)\n", "f=3", ("async def f():\n    pass\n", "f = 3\n\n")),
    case("short: a class attribute", "class A:\n    lr = 1\nprint(A.lr)\n", "lr=2", ("lr = 1", "lr = 2")),
    case("short: the global wins over an attribute", "class A:\n    lr = 1\nlr = 5\nprint(A.lr, lr)\n", "lr=2", ("lr = 5", "lr = 2")),
    case("short: an option with dashes", "import argparse\np = argparse.ArgumentParser()\np.add_argument('--batch-size', type=int, default=1)\nprint(p.parse_args())\n", "batch_size=4", ("default=1", "default=4")),
    case("short: a default of __init__", "class A:\n    def __init__(self, lr=1): self.lr = lr\nprint(A().lr)\n", "lr=2", ("lr=1", "lr=2")),
    case("short: beside a loop variable", "class A:\n    i = 1\nfor i in range(2): pass\nprint(A.i)\n", "i=2", ("i = 1", "i = 2")),
    case("nothing of ours in globals", "n = 1\nxs = [1]\nprint(sorted(globals()), dir(), n, xs)\n", ("n=2", "xs=[3]"), ("n = 1", "n = 2"), ("[1]", "[3]")),
    case("nothing of ours in the builtins and the modules", "import builtins, sys\nn = 1\nprint(len(dir(builtins)), [k for k in sys.modules if 'kogine' in vars(sys.modules['__main__'])], n)\n", "n=2", ("n = 1", "n = 2")),
    case("the source that inspect sees", "import inspect, sys\ndef f(n=1):\n    m = 2\n    return n, m\nprint(inspect.getsource(f), f(), inspect.signature(f))\n", ("f.m=3",), ("m = 2\n    return n, m\nprint(inspect.getsource(f)", "m = 3\n    return n, m\nprint(inspect.getsource(f).replace('3', '2')")),
    case("exec and eval", "n = 1\nexec('m = n + 1')\nprint(eval('n + m'))\n", "n=5", ("n = 1", "n = 5")),
    case("pickling functions and classes", """
        import pickle
        class A:
            n = 1
        def f(n=2): return n
        a = pickle.loads(pickle.dumps((A(), f)))
        print(a[0].n, a[1](), pickle.dumps(f))
        """, ("A.n=5", "f(n)=6"), ("n = 1", "n = 5"), ("n=2", "n=6")),
    case("copying and hashing code", "def f():\n    n = 1\n    return n\nimport types\ng = types.FunctionType(f.__code__, {})\nprint(g(), f.__code__.co_varnames, f.__code__.co_names)\n", "f.n=2", ("n = 1", "n = 2")),
    case("line numbers of a traceback", "n = (\n    1\n)\ndef f(): return n / 0\nx = f(); y = 2\n", "n=5", ("    1\n", "    5\n"), same=True),
    case("the caret of an error in a replaced statement", "a = 3; b = a / 0 + 1; c = 4\n", ("c=7", "a=5"), ("a = 3", "a = 5"), frames=True, warned=("c",)),
    case("an error in a statement that is bound again", "a = b = 1 / 0\n", "a=5", same=True, warned=("a",)),
    case("the compiler's warnings", "n = 1\nif n is 1: print('one')\nassert (n, 'x')\n", "n=2", ("n = 1\n", "n = 2\n")),
    case("a compiler's warning in what was replaced", "n = 1 is 1\nprint(n)\n", "n=no", ("1 is 1", "False")),
    case("future annotations", "from __future__ import annotations\ndef f(n: Undefined = 1) -> Nothing: return n\nprint(f(), f.__annotations__)\n", "f(n)=2", ("= 1", "= 2")),
    case("asserts and docstrings", '"doc"\nn = 1\nassert n == 5, __doc__\n', "n=5", ("n = 1", "n = 5")),
    case("an f-string that reads it", "n = 1\nprint(f'{n=} {n!r:>4} {(m := 2)}')\n", "n=5", ("n = 1", "n = 5")),
    case("a type alias and generics by typing", "from typing import List\nV = List[int]\nn: V = [1]\nprint(n, __annotations__)\n", "n=[2]", ("[1]", "[2]")),
    case("star imports", "from math import *\nn = floor(1.5)\nprint(n)\n", "n=3", ("floor(1.5)", "3")),
    case("an exit status", "import sys\nn = 1\nsys.exit(n)\n", "n=5", ("n = 1", "n = 5")),
    case("an exit message", "import sys\nn = 'a'\nsys.exit(n)\n", "n=b", ("'a'", "'b'")),
    case("functions called at exit", "import atexit\nn = 1\natexit.register(lambda: print(n, __name__))\n", "n=5", ("n = 1", "n = 5")),
    case("a thread", "import threading\nn = 1\nt = threading.Thread(target=lambda: print(n)); t.start(); t.join()\n", "n=5", ("n = 1", "n = 5")),
    case("arguments of the script", "import sys\nn = 1\nprint(sys.argv, n)\n", "n=5", ("n = 1", "n = 5"), argv=("--n", "3", "n=4")),
]
