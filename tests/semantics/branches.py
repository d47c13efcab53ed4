"""Which definition: arms, later ones, loops, guards."""

import sys

from tests.semantics.case import case

CASES = [
    case("all arms of an elif chain", """
        mode = 2
        if mode == 1: lr = 1
        elif mode == 2:
            lr = 2
        elif mode == 3: lr = 3
        else: lr = 4
        print(lr)
        """, "lr=9", ("lr = 1", "lr = 9"), ("lr = 2", "lr = 9"), ("lr = 3", "lr = 9"), ("lr = 4", "lr = 9")),
    case("a nested arm of a sibling", """
        fast = deep = True
        if not fast:
            n = 1
        else:
            if deep:
                n = 2
            else:
                n = 3
        print(n)
        """, "n=9", ("n = 1", "n = 9"), ("n = 2", "n = 9"), ("n = 3", "n = 9")),
    case("an arm with logic after the setting", """
        if True:
            n = 1
            if n > 0:
                n = 5
        else:
            n = 2
            if n:
                n = 3
        print(n)
        """, "n=-1", ("n = 1", "n = -1"), ("n = 2", "n = -1")),
    case("a sibling arm with logic after the setting", """
        if False:
            n = 1
        else:
            n = 2
            if n > 1:
                n = 3
        print(n)
        """, "n=0", ("n = 1", "n = 0"), ("n = 2", "n = 0")),
    case("two definitions in one arm", "if True:\n    n = 1\n    n = 2\nprint(n)\n", "n=5",
         ("n = 1", "n = 5"), ("n = 2", "n = 5")),
    case("try, except, else and finally", """
        try:
            import nothing_of_this_name
            a = 1
        except ImportError:
            a = 2
        else:
            b = 3
        finally:
            c = 4
        print(a, c)
        """, ("a=7", "c=8"), ("a = 1", "a = 7"), ("a = 2", "a = 7"), ("c = 4", "c = 8")),
    case("a definition in else of try", """
        try:
            x = 1
        except ValueError:
            y = 0
        else:
            y = 2
        print(x, y)
        """, "y=5", ("y = 0", "y = 5"), ("y = 2", "y = 5")),
    case("nested try with finally", """
        try:
            try:
                n = int("x")
            finally:
                m = 1
        except ValueError:
            n = 2
        print(n, m)
        """, ("n=4", "m=3"), ('n = int("x")', "n = 4"), ("n = 2", "n = 4"), ("m = 1", "m = 3")),
    case("finally sets it again", """
        try:
            n = 1
        finally:
            n = 2
        print(n)
        """, "n=3", ("n = 1", "n = 3"), ("n = 2", "n = 3")),
    case("a match with several cases", """
        kind = "b"
        match kind:
            case "a": n = 1
            case "b" if kind:
                n = 2
            case _:
                n = 3
        print(n)
        """, "n=4", ("n = 1", "n = 4"), ("n = 2", "n = 4"), ("n = 3", "n = 4")),
    case("a name that a case binds", """
        match {"n": 1, "m": 2}:
            case {"n": n, **rest}:
                print(n, rest)
        """, ("n=5", "rest={'z': 1}"), ("print(n, rest)", "print(5, {'z': 1})")),
    case("a name that a case with one line binds", "match 3:\n    case n: print(n)\n", "n=5",
         ("print(n)", "n = 5; print(n)")),
    case("inside with", """
        from contextlib import nullcontext
        with nullcontext(1) as a, nullcontext(2) as b:
            n = a + b
            print(a, b, n)
        """, ("b=5", "n=9"), ("n = a + b", "b = 5; n = 9")),
    case("a with on one line", "from contextlib import nullcontext\nwith nullcontext(1) as a: print(a)\n", "a=5",
         ("print(a)", "a = 5; print(a)")),
    case("a with whose block is continued by a backslash",
         "from contextlib import nullcontext\nwith nullcontext(1) as a: \\\n    print(a)\n", "a=5",
         ("print(a)", "a = 5; print(a)")),
    case("a with in parentheses and a tuple target", """
        from contextlib import nullcontext
        with (
            nullcontext((1, 2)) as (a, b),
        ):
            # a comment first
            print(a, b)
        """, "b=5", ("print(a, b)", "b = 5; print(a, b)")),
    case("the else of a loop", """
        for i in range(2):
            pass
        else:
            n = 1
        print(n)
        """, "n=2", ("n = 1", "n = 2")),
    case("a loop assigns it again", """
        n = 0
        for i in range(3):
            n = n + i
            m = i
        m = 7
        print(n, m)
        """, ("n=10", "m=8"), ("n = 0", "n = 10"), ("m = 7", "m = 8")),
    case("set again unconditionally", "n = 1\nprint(n)\nn = 2\nprint(n)\n", "n=3", ("n = 1", "n = 3"), ("n = 2", "n = 3")),
    case("set again from itself", "n = 1\nn = n * 2\nn += 1\nprint(n)\n", "n=3", ("n = 1", "n = 3")),
    case("set again from itself by a method", "s = ' a '\ns = s.strip()\nprint(repr(s))\n", "s= b ",
         ("' a '", "' b '")),
    case("set again by a later condition", "n = 1\nif n:\n    n = 2\nprint(n)\n", "n=0", ("n = 1", "n = 0")),
    case("set again in a with block", """
        from contextlib import nullcontext
        n = 1
        with nullcontext():
            n = 2
        print(n)
        """, "n=3", ("n = 1", "n = 3"), ("n = 2", "n = 3")),
    case("set again by a with", """
        from contextlib import nullcontext
        n = 1
        with nullcontext(2) as n:
            print(n)
        """, "n=3", ("n = 1", "n = 3"), ("    print(n)", "    n = 3; print(n)")),
    case("set again by an import", "pi = 3\nfrom math import pi\nprint(pi)\n", "pi=4",
         ("pi = 3", "pi = 4"), ("import pi", "import pi; pi = 4")),
    case("set again by a function", "n = 1\ndef f():\n    global n\n    n = 5\nprint(n)\nf()\nprint(n)\n", "n=2",
         ("n = 1", "n = 2")),
    case("deleted and set again", "n = 1\nprint(n)\ndel n\nn = 2\nprint(n)\n", "n=3",
         ("n = 1", "n = 3"), ("n = 2", "n = 3")),
    case("swapped later", "a, b = 1, 2\na, b = b, a\nprint(a, b)\n", "a=5", ("1, 2", "5, 2")),
    case("an unpacking later", "a = 1\na, b = 2, 3\nprint(a, b)\n", "a=5", ("a = 1", "a = 5"), ("2, 3", "5, 3")),
    case("functions in two arms", """
        if False:
            def main(epochs=1): print(epochs)
        else:
            def main(epochs=2): print(epochs)
        main()
        """, "main(epochs)=5", ("epochs=1", "epochs=5"), ("epochs=2", "epochs=5")),
    case("functions in two arms, short target", """
        try:
            from nothing_of_this_name import main
        except ImportError:
            def main(epochs=2): print(epochs)
        else:
            def main(epochs=1): print(epochs)
        main()
        """, "epochs=5", ("epochs=1", "epochs=5"), ("epochs=2", "epochs=5")),
    case("classes in two arms", """
        if False:
            class Args: lr = 1
        else:
            class Args: lr = 2
        print(Args.lr)
        """, "lr=5", ("lr = 1", "lr = 5"), ("lr = 2", "lr = 5")),
    case("a function defined again", "def f(n=1): return n\ndef f(n=2): return n\nprint(f())\n", "f(n)=3",
         ("f(n=1)", "f(n=3)"), ("f(n=2)", "f(n=3)")),
    case("a local in functions of two arms", """
        if False:
            def f():
                n = 1
                return n
        else:
            def f():
                n = 2
                return n
        print(f())
        """, "f.n=5", ("n = 1", "n = 5"), ("n = 2", "n = 5")),
    case("entries in two arms", """
        if False:
            cfg = {"lr": 1}
        else:
            cfg = dict(lr=2, n=3)
        print(cfg)
        """, ("cfg.lr=5", "cfg.n=6"), ('"lr": 1', '"lr": 5'), ("lr=2, n=3", "lr=5, n=6")),
    case("an entry of an arm that did not run", """
        if False:
            cfg = {"lr": 1, "m": 2}
        else:
            cfg = {"lr": 3}
        print(cfg)
        """, "cfg.m=5", ('"m": 2', '"m": 5'), warned=("cfg.m",), same=True),
    case("an arm that did not run", "if False:\n    n = 1\nprint('x')\n", "n=2", ("n = 1", "n = 2"),
         warned=("n",), same=True),
    case("a definition behind an exit", "print('x')\nraise SystemExit(3)\nn = 1\n", "n=2", ("n = 1", "n = 2"),
         warned=("n",), same=True),
    case("a definition behind an error", "print('x')\n1 / 0\nn = 1\n", "n=2", ("n = 1", "n = 2"),
         warned=("n",), same=True),
    case("the body of the guard", "n = 1\nif __name__ == '__main__':\n    n = 2\n    m = 3\n    print(n, m)\n",
         ("n=5", "m=6"), ("n = 1", "n = 5"), ("n = 2", "n = 5"), ("m = 3", "m = 6")),
    case("the guard reversed", "if '__main__' == __name__:\n    m = 3\n    print(m)\n", "m=6", ("m = 3", "m = 6")),
    case("the guard with or", "n = 1\nif __name__ == '__main__' or n:\n    n = 2\n    print(n)\n", "n=5",
         ("n = 1", "n = 5"), ("n = 2", "n = 5")),
    case("the guard with and is a condition", "n = 1\nif __name__ == '__main__' and n:\n    n = 2\nprint(n)\n", "n=0",
         ("n = 1", "n = 0")),
    case("the guard with and in a setting of its own",
         "if __name__ == '__main__' and 1:\n    n = 2\n    print(n)\n", "n=5", ("n = 2", "n = 5")),
    case("the guard with and calls main", """
        def main(n=1): print(n)
        if 1 and __name__ == "__main__":
            main(2)
        """, "main(n)=5", ("main(2)", "main(5)")),
    case("the guard with else", "if __name__ == '__main__':\n    n = 2\nelse:\n    n = 3\nprint(n)\n", "n=5",
         ("n = 2", "n = 5"), ("n = 3", "n = 5")),
    case("a guard that asks for the opposite", "if __name__ != '__main__':\n    n = 2\nelse:\n    n = 3\nprint(n)\n", "n=5",
         ("n = 2", "n = 5"), ("n = 3", "n = 5")),
    case("two guards and code after them", """
        if __name__ == "__main__":
            n = 1
            print(n)
        print("between")
        if __name__ == "__main__":
            n = 2
            m = n
        print(n, m)
        """, ("n=5",), ("n = 1", "n = 5"), ("n = 2", "n = 5")),
    case("a guard in the else of an if", """
        import sys
        if len(sys.argv) > 5:
            n = 0
        elif __name__ == "__main__":
            n = 1
            print(n)
        """, "n=5", ("n = 0", "n = 5"), ("n = 1", "n = 5")),
    case("a guard inside try", """
        try:
            if __name__ == "__main__":
                n = 1
                print(n)
        except KeyError:
            pass
        """, "n=5", ("n = 1", "n = 5")),
    case("the side effects of a replaced value", "def load():\n    print('loading')\n    return 1\ndata = load()\nprint(data)\n",
         "data=2", ("data = load()", "data = 2")),
    case("derived values follow", "steps = 100\nwarmup = steps // 10\nprint(warmup)\n", "steps=50",
         ("steps = 100", "steps = 50")),
]

if sys.version_info >= (3, 11):
    CASES += [
        case("except groups", """
            try:
                raise ExceptionGroup("g", [ValueError()])
            except* ValueError:
                n = 2
            except* TypeError:
                n = 3
            print(n)
            """, "n=4", ("n = 2", "n = 4"), ("n = 3", "n = 4")),
    ]
