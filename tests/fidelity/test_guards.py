"""Guards, and names around them: the meaning of ``if __name__ == "__main__"``."""

from __future__ import annotations

from pathlib import Path

from tests.fidelity.probes import Probe, assert_like_python, probes

GUARDS = [
    Probe("body binds globals", "if __name__ == '__main__':\n    x = 1\nprint(x, 'x' in globals())"),
    Probe("reversed", "if '__main__' == __name__:\n    print('main')"),
    Probe("not equal and else", "if __name__ != '__main__':\n    print('other')\nelse:\n    print('main')"),
    Probe("with and", "if __name__ == '__main__' and unrelated:\n    print('main')"),
    Probe("with or", "if unrelated == 2 or __name__ == '__main__':\n    print('main')"),
    Probe("with not", "if not __name__ == '__main__':\n    print('no')\nelse:\n    print('yes')"),
    Probe("elif", "if unrelated == 2:\n    print(2)\nelif __name__ == '__main__':\n    print('main')\nelse:\n    print(3)"),
    Probe("several", "if __name__ == '__main__':\n    print(1)\nx = 2\nif __name__ == '__main__':\n    print(x)"),
    Probe("on one line", "if __name__ == '__main__': print('a'); print('b')"),
    Probe("one after another's work", "def f():\n    return x\nif __name__ == '__main__':\n    x = 1\n    print(f())\nx = 2\nprint(f())"),
    Probe("exit in the body, code after it", "import sys\nif __name__ == '__main__':\n    sys.exit(3)\nprint('not here')"),
    Probe("raise in the body", "def main():\n    raise ValueError('x')\nif __name__ == '__main__':\n    main()"),
    Probe("stack in the body", "import sys\nif __name__ == '__main__':\n    print(sys._getframe().f_code.co_name, sys._getframe().f_lineno)"),
    Probe("star import in the body", "if __name__ == '__main__':\n    from math import *\n    print(pi)"),
    Probe("except as in the body", "if __name__ == '__main__':\n    try:\n        1 / 0\n    except ZeroDivisionError as e:\n        print(e)\n    print('e' in globals())"),
    Probe("class in the body", "if __name__ == '__main__':\n    class A:\n        def f(self): return A\n    print(A.__qualname__, A().f())"),
    Probe("comprehension in the body", "if __name__ == '__main__':\n    n = 2\n    print([x * n for x in range(3)])\n    print({x: n for x in 'ab'}, sum(x for x in range(n)))"),
    Probe("lambda in the body", "if __name__ == '__main__':\n    n = 2\n    f = lambda: n\n    n = 3\n    print(f())"),
    Probe("global in a function of the body", "if __name__ == '__main__':\n    def f():\n        global y\n        y = 5\n    f()\n    print(y)"),
    Probe("walrus in the test", "if (m := __name__) == '__main__':\n    print(m)"),
    Probe("name kept before", "name = __name__\nif name == '__main__':\n    print('main')"),
    Probe("in a function", "def run():\n    if __name__ == '__main__':\n        print('main')\nrun()"),
    Probe("in a try", "try:\n    if __name__ == '__main__':\n        1 / 0\nexcept ZeroDivisionError:\n    print('caught')\nfinally:\n    print('done')"),
    Probe("in a with", "import contextlib\nwith contextlib.suppress(ZeroDivisionError):\n    if __name__ == '__main__':\n        1 / 0\nprint('after')"),
    Probe("nested", "if __name__ == '__main__':\n    if __name__ == '__main__':\n        print('twice')"),
    Probe("empty body", "if __name__ == '__main__':\n    pass\nprint('end')"),
    Probe("body is a text", "if __name__ == '__main__':\n    '''text'''\nprint(__doc__)"),
    Probe("annotations in the body", "if __name__ == '__main__':\n    x: int = 1\nprint(__annotations__)"),
    Probe("deleted in the body", "x = 1\nif __name__ == '__main__':\n    del x\nprint('x' in globals())"),
    Probe("asyncio in the body", "import asyncio\nasync def main():\n    print('main')\nif __name__ == '__main__':\n    asyncio.run(main())"),
    Probe("sys exit of main", "import sys\ndef main():\n    return 4\nif __name__ == '__main__':\n    sys.exit(main())"),
    Probe("raise SystemExit of main", "def main():\n    return 'text'\nif __name__ == '__main__':\n    raise SystemExit(main())"),
    Probe("override in the body", "if __name__ == '__main__':\n    unrelated = 1\n    print(unrelated)"),
    Probe("override in the body on one line", "if __name__ == '__main__': unrelated = 1; print(unrelated)"),
    Probe("override in both arms", "if __name__ == '__main__':\n    unrelated = 1\nelse:\n    unrelated = 1\nprint(unrelated)"),
    Probe("override in a try", "try:\n    import nothing_here\n    unrelated = 1\nexcept ImportError:\n    unrelated = 1\nprint(unrelated)"),
    Probe("override annotated", "unrelated: 'int' = 1\nprint(unrelated, __annotations__)"),
    Probe("override chained", "a = unrelated = b = 1\nprint(a, unrelated, b)"),
    Probe("override unpacked", "a, unrelated = 2, 1\nprint(a, unrelated)\n1 / 0"),
    Probe("override between others", "a = 2; unrelated = 1; b = a / 0"),
    Probe("override changed later", "unrelated = 1\nunrelated += 1\nprint(unrelated)"),
    Probe("override deleted later", "unrelated = 1\ndel unrelated\nprint('unrelated' in globals())"),
    Probe("override read by a function", "def f():\n    return unrelated\nunrelated = 1\nprint(f())"),
    Probe("override before its definition", "try:\n    unrelated\nexcept NameError as e:\n    print(e)\nunrelated = 1\nprint(list(globals())[-1])"),
    Probe("override and a class of the name", "unrelated = 1\nclass A:\n    unrelated = 2\nprint(unrelated, A.unrelated)"),
    Probe("override and a local of the name", "unrelated = 1\ndef f():\n    unrelated = 3\n    return unrelated\nprint(f(), unrelated)"),
    Probe("override with a comment", "unrelated = 1  # a comment; with = signs\nprint(unrelated)"),
    Probe("override of a fraction of a line", "unrelated = 1 if True else 2\nprint(unrelated)"),
]  # fmt: skip


@probes(*GUARDS)
def test_guards(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)
