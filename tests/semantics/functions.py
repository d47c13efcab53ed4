"""Defaults of parameters, the call that starts the program, locals."""

from tests.semantics.case import case

CASES = [
    case("keywords that go to a rest", """
        def main(n, **cfg):
            lr = 3
            print(n, cfg, lr)
        if __name__ == "__main__":
            main(2, lr=0.1, bs=4)
        """, ("main(lr)=0.5", "bs=7", "main.lr=5"), ("lr=0.1", "lr=0.5"), ("bs=4", "bs=7"), ("lr = 3", "lr = 5")),
    case("keywords that go to a rest, bound and in the last statement", """
        def build(n=1, **kw): return n, sorted(kw.items())
        a, b = build(3, shuffle=True)
        print(a, b)
        """, ("shuffle=no",), ("True", "False")),
    case("two calls in the guard, each with its own argument", """
        def evaluate(xs, k=2): print(xs, k)
        if __name__ == "__main__":
            evaluate(1, k=4)
            evaluate(2)
        """, "evaluate(k)=7", ("k=2", "k=7")),
    case("two calls in the last statement", """
        def make(lr=0.1): return lr
        print(make(lr=1.0), make())
        """, "make(lr)=0.2", ("lr=0.1", "lr=0.2")),
    case("a call above the last one", """
        def train(epochs=1, lr=0.1): print(epochs, lr)
        train(epochs=3)
        train(lr=0.5)
        """, "train(epochs)=9", ("epochs=1", "epochs=9")),
    case("two calls in two arms", """
        import sys
        def main(n=1): print(n)
        if __name__ == "__main__":
            if len(sys.argv) > 5:
                main(n=3)
            elif sys.argv:
                main(4)
            else:
                main()
        """, "main(n)=9", ("n=1", "n=9"), ("n=3", "n=9"), ("main(4)", "main(9)")),
    case("two calls in the handlers of a try", """
        def main(n=1): print(n)
        if __name__ == "__main__":
            try:
                raise KeyError
            except KeyError:
                main(n=3)
            except ValueError:
                main(n=4)
        """, "main(n)=9", ("n=1", "n=9"), ("n=3", "n=9"), ("n=4", "n=9")),
    case("two calls in a try and its else", """
        def main(n=1): print(n)
        try:
            main(n=3)
        except ValueError:
            pass
        else:
            main()
        """, "main(n)=9", ("n=1", "n=9")),
    case("keyword-only and positional-only defaults", "def f(a=1, /, b=2, *, c=3, d): return a, b, c, d\nprint(f(d=4))\n",
         ("f(a)=10", "f(b)=20", "f(c)=30"), ("a=1, /, b=2, *, c=3", "a=10, /, b=20, *, c=30")),
    case("annotated defaults on several lines", "def f(\n    a: int = 1,  # one\n    *,\n    b: float = (\n        2.0\n    ),\n):\n    return a, b\nprint(f())\n",
         ("f(a)=3", "f(b)=4"), ("= 1,", "= 3,"), ("2.0", "4.0")),
    case("an async function", "import asyncio\nasync def main(n=1): print(n)\nasyncio.run(main())\n", "main(n)=3", ("n=1", "n=3")),
    case("an async generator's default and local", """
        import asyncio
        async def gen(n=1):
            m = 2
            yield n
            yield m
        async def main():
            print([x async for x in gen()])
        asyncio.run(main())
        """, ("gen(n)=3", "gen.m=4"), ("n=1", "n=3"), ("m = 2", "m = 4")),
    case("a decorated function", """
        import functools
        def twice(f):
            @functools.wraps(f)
            def inner(*a, **k): return f(*a, **k), f(*a, **k)
            return inner
        @twice
        def main(n=1, xs=[]):
            xs.append(n)
            return list(xs)
        print(main())
        """, ("main(n)=3", "main(xs)=[7]"), ("n=1", "n=3"), ("xs=[]", "xs=[7]")),
    case("a caller's argument wins", "def f(n=1): return n\ndef g(): return f(n=5)\nprint(g(), f())\n", "f(n)=3", ("n=1", "n=3")),
    case("a lambda's default is left alone", "n = 1\nf = lambda n=5: n\nprint(n, f())\n", "n=3", ("n = 1", "n = 3")),
    case("a default read from a global", "n = 1\ndef f(m=n): return m\nprint(f())\n", "n=3", ("n = 1", "n = 3")),
    case("the starting call's positional argument", "def main(a, b=2): print(a, b)\nif __name__ == '__main__':\n    main(1, 5)\n",
         ("main(a)=7", "main(b)=8"), ("b=2", "b=8"), ("main(1, 5)", "main(7, 8)")),
    case("the starting call's keyword", "def main(a, b=2): print(a, b)\nif __name__ == '__main__':\n    main(b=3, a=1)\n",
         ("main(a)=7", "main(b)=8"), ("b=2", "b=8"), ("b=3, a=1", "b=8, a=7")),
    case("the starting call within sys.exit", "import sys\ndef main(n=1):\n    print(n)\n    return n\nif __name__ == '__main__':\n    sys.exit(main(n=2))\n",
         "main(n)=3", ("n=1", "n=3"), ("n=2", "n=3")),
    case("the starting call in raise", "def main(n=1):\n    print(n)\n    return n\nif __name__ == '__main__':\n    raise SystemExit(main(2))\n",
         "main(n)=3", ("n=1", "n=3"), ("main(2)", "main(3)")),
    case("the starting call in asyncio.run", "import asyncio\nasync def main(n=1): print(n)\nif __name__ == '__main__':\n    asyncio.run(main(2))\n",
         "main(n)=3", ("n=1", "n=3"), ("main(2)", "main(3)")),
    case("the starting call in try", "def main(n=1): print(n)\nif __name__ == '__main__':\n    try:\n        main(2)\n    except KeyboardInterrupt:\n        pass\n",
         "main(n)=3", ("n=1", "n=3"), ("main(2)", "main(3)")),
    case("the starting call without a guard", "def main(n=1): print(n)\nmain(2)\n", "main(n)=3", ("n=1", "n=3"), ("main(2)", "main(3)")),
    case("the starting call before the last line", "def main(n=1):\n    print(n)\n    return n\nresult = main(2)\nprint('done', result)\n",
         "main(n)=3", ("n=1", "n=3"), ("main(2)", "main(3)")),
    case("a starred starting call", "def main(a, b=2): print(a, b)\nargs = [1]\nif __name__ == '__main__':\n    main(*args)\n", "main(b)=3", ("b=2", "b=3")),
    case("a starting call with a spread", "def main(a, b=2): print(a, b)\nif __name__ == '__main__':\n    main(**{'a': 1})\n", "main(b)=3", ("b=2", "b=3")),
    case("an argument that is not evaluated", "def main(n): print(n)\ndef load(): print('loading')\nif __name__ == '__main__':\n    main(load())\n", "main(n)=3",
         ("main(load())", "main(3)")),
    case("a first local", "def main():\n    n = 1\n    print(n)\n    n = n + 1\n    n += 1\n    print(n)\nmain()\n", "main.n=5", ("n = 1\n", "n = 5\n")),
    case("a local in the arms of if and try", """
        def main(flag):
            if flag:
                n = 1
            else:
                n = 2
            try:
                m = int("x")
            except ValueError:
                m = 3
            print(n, m)
        main(True)
        main(False)
        """, ("main.n=7", "main.m=8"), ("n = 1", "n = 7"), ("n = 2", "n = 7"), ('m = int("x")', "m = 8"), ("m = 3", "m = 8")),
    case("a local that is global", "n = 0\ndef f():\n    global n\n    n = 1\nf()\nprint(n)\n", "f.n=5", ("    n = 1", "    n = 5")),
    case("a local that is global, the global's target", "def f():\n    global n\n    n = 1\nf()\nprint(n)\n", "n=5", ("    n = 1", "    n = 5")),
    case("a closure over a local", """
        def main():
            n = 1
            def inner(): return n
            def other():
                nonlocal n
                n += 1
            other()
            return inner()
        print(main())
        """, "main.n=5", ("n = 1\n", "n = 5\n")),
    case("a list local is fresh at each call", "def f():\n    xs = [1]\n    xs.append(2)\n    return xs\nprint(f(), f())\n", "f.xs=[5]", ("[1]", "[5]")),
    case("a nested list local is fresh at each call", "def f():\n    xs = [[1], {}]\n    xs[0].append(2)\n    xs[1]['k'] = 1\n    return xs\nprint(f(), f())\n",
         "f.xs=[[5], {'a': [1]}]", ("[[1], {}]", "[[5], {'a': [1]}]")),
    case("a list within a tuple local is fresh at each call", "def f():\n    xs = ([1], 2)\n    xs[0].append(2)\n    return xs\nprint(f(), f())\n",
         "f.xs=([5], 3)", ("([1], 2)", "([5], 3)")),
    case("a dict local is fresh at each call", "def f():\n    d = {}\n    d[len(d)] = 1\n    return d\nprint(f(), f())\n", "f.d={'b': 1, 'a': 2}", ("{}", "{'b': 1, 'a': 2}")),
    case("a set local in its own order", "def f():\n    s = {1}\n    s.add(23)\n    return list(s)\nprint(f(), f())\n", "f.s={8, 0}", ("{1}", "{8, 0}")),
    case("a set in its own order", "s = {1}\nprint(s)\n", "s={8, 0}", ("{1}", "{8, 0}")),
    case("sets in a list, in their own order", "s = [{1}]\ndef f(z=({2},)): return z\nprint(s, f(), f())\n", ("s=[{8, 0}]", "f(z)=({16, 8, 0},)"), ("[{1}]", "[{8, 0}]"), ("{2}", "{16, 8, 0}")),
    case("a tuple local is one object", "def f():\n    t = (1, 2)\n    return t\nprint(f() is f(), f())\n", "f.t=(3, 4)", ("(1, 2)", "(3, 4)")),
    case("an entry of a list local", "def f():\n    xs = [{'a': []}]\n    xs[0]['a'].append(1)\n    return xs\nprint(f(), f())\n", "f.xs[0].a=[9]", ("[]", "[9]")),
    case("a list in a loop within a function", "def f():\n    for i in range(2):\n        pass\n    xs = []\n    return xs\nprint(f(), f() is f())\n", "f.xs=[9]", ("[]", "[9]")),
    case("a mutable default is shared by its calls", "def f(x, xs=[]):\n    xs.append(x)\n    return xs\nprint(f(1), f(2))\n", "f(xs)=[0]", ("[]", "[0]")),
    case("a local in a generator", "def g():\n    n = 2\n    for i in range(n): yield i\nprint(list(g()), sum(x for x in g()))\n", "g.n=4", ("n = 2", "n = 4")),
    case("a local beside a comprehension of its name", "def f():\n    xs = [n for n in range(3)]\n    n = 7\n    return xs, n\nprint(f())\n", "f.n=9", ("n = 7", "n = 9")),
    case("a local in a match, a with and a walrus", """
        from contextlib import nullcontext
        def f(kind):
            match kind:
                case "a": n = 1
                case _: n = 2
            with nullcontext():
                m = 3
            if (k := 4): pass
            return n, m, k
        print(f("a"), f("b"))
        """, ("f.n=10", "f.m=30", "f.k=40"), ("n = 1", "n = 10"), ("n = 2", "n = 10"), ("m = 3", "m = 30"), (":= 4", ":= 40")),
    case("a local that is annotated only", "def f():\n    n: int\n    return locals()\nprint(f())\n", "f.n=3", ("n: int", "n: int = 3")),
    case("a local unpacked from a call", "def f():\n    a, b = divmod(7, 2)\n    return a, b\nprint(f())\n", "f.b=9", ("divmod(7, 2)", "divmod(7, 2); b = 9")),
    case("a local named as a parameter", "def f(n=1):\n    n = n * 2\n    return n\nprint(f())\n", "f(n)=9", ("n=1", "n=9")),
    case("what locals() shows", "def f():\n    n = 1\n    return locals()\nprint(f())\n", "f.n=2", ("n = 1", "n = 2")),
    case("a recursive function", "def f(k):\n    xs = []\n    if k: xs.append(f(k - 1))\n    return xs\nprint(f(3))\n", "f.xs=[1]", ("[]", "[1]")),
    case("a local in a nested class", "def f():\n    class A:\n        n = 1\n    m = 2\n    return A.n, m\nprint(f())\n", "f.m=3", ("m = 2", "m = 3")),
    case("a docstring stays one", "def f():\n    'doc'\n    n = 1\n    return f.__doc__, n\nprint(f())\n", "f.n=3", ("n = 1", "n = 3")),
    case("a function that is never called", "def f():\n    n = 1\nprint('x')\n", "f.n=3", ("n = 1", "n = 3"), warned=("f.n",), same=True),
    case("overloads", """
        from typing import overload
        @overload
        def f(n: int = ...) -> int: ...
        @overload
        def f(n: str = ...) -> str: ...
        def f(n=1): return n
        print(f())
        """, "f(n)=3", ("n=1", "n=3")),
    case("main given its own arguments by a wrapper", "def run(f, n=1): f(n)\ndef main(n=2): print(n)\nif __name__ == '__main__':\n    run(main)\n", "run(n)=5", ("run(f, n=1)", "run(f, n=5)")),
]
