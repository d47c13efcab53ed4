"""Overrides of something that stands inside what another override replaces."""

from tests.semantics.case import Refusal, case, refusal

CLASSES = """
    import functools
    print("ran")
    def mark(**settings): return lambda made: made
    class Base:
        shared = 1
    @mark(rate=0.1)
    class Args(Base):
        depth = 2
        opt = {"lr": 0.1, "betas": [0.9, 0.99]}
        class Inner:
            n = 3
        def __init__(self, width=4):
            self.width = width
            size = 5
    def helper(x=1): return x
    @functools.lru_cache(maxsize=8)
    def main(epochs=10):
        steps = 3
        class Local:
            k = 1
        cfg = {"lr": 0.1}
        return epochs
    a = b = {"x": 1}
    c, (d, e) = 1, ({"y": 2}, [3])
    made = dict(net=dict(width=64), lr=1)
    result = main(epochs=2)
    """


def on(id_: str, arguments: tuple[str, str], inner: str, outer: str, line: int) -> Refusal:
    text = f"script.py:{line}: '{inner}' stands inside '{outer}', which is overridden as a whole"
    return refusal(id_, CLASSES, arguments, text)


ARGPARSE = """
    import argparse
    def parse(argv=None):
        parser = argparse.ArgumentParser()
        parser.add_argument("--lr", type=float, default=0.1)
        return parser.parse_args(argv)
    if __name__ == "__main__":
        print(parse())
    """
CLICK = """
    def option(*names, **more): return lambda made: made
    @option("--lr", default=0.1)
    def main(lr=3): print(lr)
    if __name__ == "__main__":
        main()
    """
MODULE = {
    "hparams.py": "lr = 0.1\nclass Args:\n    n = 1\n",
    "pkg/__init__.py": "",
    "pkg/conf.py": "k = 1\n",
}

SHARED = """
    import argparse
    parser = argparse.ArgumentParser()
    parser.add_argument("-v", "--verbose", dest="level", action="store_const", const=2)
    parser.add_argument("-q", "--quiet", dest="level", action="store_const", const=0)
    parser.add_argument("--level", type=int{default})
    print(parser.parse_args().level)
    """

REFUSALS = [
    *(refusal(f"two options of one dest, {id_}: {one[0]}", SHARED.format(default=default), one, f"script.py:{line}: '--{one[0].partition('=')[0]}' and '--{one[1].partition('=')[0]}' give one value of the script: give only one of them")
      for id_, default in (("without a default", ""), ("with a default", ", default=1"))
      for line, one in ((4, ("verbose=3", "quiet=1")), (5, ("quiet=1", "level=3")))),
    *(refusal(f"a name for a file and a value in it: {made}", f"import importlib, runpy\ncfg = {made}\nprint(cfg)\n", ("cfg=5", "cfg.lr=3"), "script.py:2: 'hparams.lr' stands inside 'cfg', which is overridden as a whole", files=MODULE)
      for made in ("runpy.run_path('hparams.py')", "runpy.run_module('hparams')", "importlib.import_module('hparams')")),
    on("a class and its attribute", ("Args=5", "Args.depth=5"), "Args.depth", "Args", 7),
    on(
        "a class and its attribute, the other order",
        ("Args.depth=5", "Args=5"),
        "Args.depth",
        "Args",
        7,
    ),
    on("a class and a short target in it", ("Args=5", "depth=5"), "Args.depth", "Args", 7),
    on(
        "a class and an entry of its attribute",
        ("Args=5", "Args.opt.lr=1"),
        "Args.opt.lr",
        "Args",
        7,
    ),
    on(
        "a class and an attribute of a class in it",
        ("Args=5", "Args.Inner.n=1"),
        "Args.Inner.n",
        "Args",
        7,
    ),
    on(
        "an inner class and its attribute",
        ("Args.Inner=5", "Args.Inner.n=1"),
        "Args.Inner.n",
        "Args.Inner",
        10,
    ),
    on(
        "a class and a default of its method",
        ("Args=5", "Args.__init__(width)=1"),
        "Args.__init__(width)",
        "Args",
        7,
    ),
    on(
        "a class and a local of its method",
        ("Args=5", "Args.__init__.size=1"),
        "Args.__init__.size",
        "Args",
        7,
    ),
    on("a function and its default", ("helper=5", "helper(x)=1"), "helper(x)", "helper", 15),
    on("a function and its default, short", ("helper=5", "x=1"), "helper(x)", "helper", 15),
    on("a function and its local", ("main=5", "main.steps=1"), "main.steps", "main", 17),
    on(
        "a function and an entry of its local",
        ("main=5", "main.cfg.lr=1"),
        "main.cfg.lr",
        "main",
        17,
    ),
    on(
        "a function and its default, which the last call passes",
        ("main=5", "main(epochs)=1"),
        "main(epochs)",
        "main",
        17,
    ),
    on(
        "a method and its default",
        ("Args.__init__.size=5", "Args=1"),
        "Args.__init__.size",
        "Args",
        7,
    ),
    on(
        "an attribute and its entry", ("Args.opt={}", "Args.opt.lr=1"), "Args.opt.lr", "Args.opt", 9
    ),
    on(
        "an attribute and an item of its entry",
        ("Args.opt={}", "Args.opt.betas[0]=1"),
        "Args.opt.betas[0]",
        "Args.opt",
        9,
    ),
    on("a local and its entry", ("main.cfg={}", "main.cfg.lr=1"), "main.cfg.lr", "main.cfg", 21),
    on("a name of an unpacking and its entry", ("d={}", "d.y=1"), "d.y", "d", 24),
    on(
        "keywords of keywords",
        ("made.net={}", "made.net.width=1"),
        "made.net.width",
        "made.net",
        25,
    ),
    on(
        "a result and the argument of its call",
        ("result=5", "main(epochs)=1"),
        "main(epochs)",
        "result",
        26,
    ),
    refusal(
        "a function and an option that it declares",
        ARGPARSE,
        ("parse=5", "--lr=1"),
        "script.py:2: '--lr' stands inside 'parse'",
    ),
    refusal(
        "a function and an option of its decorator",
        CLICK,
        ("main=5", "--lr=1"),
        "script.py:3: '--lr' stands inside 'main'",
    ),
    refusal(
        "a function in a branch",
        "import sys\nprint('ran')\nif sys:\n    def f(n=1): pass\nelse:\n    def f(n=2): pass\n",
        ("f=1", "n=3"),
        "'f(n)' stands inside 'f'",
    ),
    refusal(
        "a name of the guard",
        "print('ran')\nif __name__ == '__main__':\n    class A:\n        n = 1\n",
        ("A=1", "n=3"),
        "script.py:3: 'A.n' stands inside 'A'",
    ),
    refusal(
        "a config and the command line",
        CLASSES,
        ("-c", "cfg.py", "depth=5"),
        "'Args.depth' stands inside 'Args'",
        files={"cfg.py": "Args = dict\n"},
    ),
    refusal(
        "a bare config alone",
        CLASSES,
        ("-c", "cfg.py"),
        "'Args.depth' stands inside 'Args'",
        files={"cfg.py": "Args = dict\ndepth = 5\n"},
    ),
    refusal(
        "an axis of a sweep",
        CLASSES,
        ("--sweep", "depth=5,6", "Args=1"),
        "'Args.depth' stands inside 'Args'",
    ),
    refusal(
        "kwargs of a config and the result of the call",
        CLASSES,
        ("-c", "cfg.py", "result=5"),
        "stands inside 'result'",
        files={"cfg.py": "_kwargs = {'epochs': 5}\n"},
    ),
    refusal(
        "a module and its global",
        "import hparams\nprint('ran')\n",
        ("hparams=5", "hparams.lr=1"),
        "script.py:1: 'hparams.lr' stands inside 'hparams'",
        files=MODULE,
    ),
    refusal(
        "a module under another name",
        "import hparams as hp\nprint('ran')\n",
        ("hp=5", "hp.lr=1"),
        "script.py:1: 'hparams.lr' stands inside 'hp'",
        files=MODULE,
    ),
    refusal(
        "a package and a global of its module",
        "import pkg.conf\nprint('ran')\n",
        ("pkg=5", "pkg.conf.k=1"),
        "'pkg.conf.k' stands inside 'pkg'",
        files=MODULE,
    ),
    refusal(
        "a module of a package",
        "from pkg import conf\nprint('ran')\n",
        ("conf=5", "conf.k=1"),
        "'pkg.conf.k' stands inside 'conf'",
        files=MODULE,
    ),
    refusal(
        "an imported class and its attribute",
        "from hparams import Args\nprint('ran')\n",
        ("Args=5", "hparams.Args.n=1"),
        "'hparams.Args.n' stands inside 'Args'",
        files=MODULE,
    ),
    refusal(
        "a class of a module and its attribute",
        "import hparams\nprint('ran')\n",
        ("hparams.Args=5", "hparams.Args.n=1"),
        "hparams.py:2: 'Args.n' stands inside 'Args'",
        files=MODULE,
    ),
]

CASES = [
    case(
        "a class and an attribute of its base",
        """
        class Base: n = 1
        class Args(Base): pass
        print(Base.n, Args)
        """,
        ("Args=x", "Base.n=2"),
        ("n = 1", "n = 2"),
        ("class Args(Base): pass", 'class Args(Base): pass\nArgs = "x"'),
    ),
    case(
        "a class and an attribute of an instance",
        """
        class Args: n = 1
        args = Args()
        print(args.n, Args.n)
        """,
        ("args.n=5", "Args.n=3"),
        ("n = 1", "n = 3"),
        ("args = Args()", "args = Args(); args.n = 5"),
    ),
    case(
        "another name of a chain",
        'a = b = {"x": 1}\nprint(a, b)\n',
        ("b={}", "a.x=2"),
        ('a = b = {"x": 1}', 'a = {"x": 2}; b = {}'),
    ),
    case(
        "a name of a chain and a path below its new value",
        'a = b = {"x": 1}\nprint(a, b)\n',
        ("b={'x': 3}", "b.x=2"),
        ('a = b = {"x": 1}', 'a = {"x": 1}; b = {"x": 2}'),
    ),
    case(
        "a neighbour in an unpacking",
        'a, b = {"x": 1}, 2\nprint(a, b)\n',
        ("b=5", "a.x=2"),
        ('{"x": 1}, 2', '{"x": 2}, 5'),
    ),
    case(
        "a function and the argument of a call to another",
        """
        def one(n=1): return n
        def two(n=2): return n
        print(one(), two())
        """,
        ("one(n)=5", "two(n)=6"),
        ("n=1", "n=5"),
        ("n=2", "n=6"),
    ),
    case(
        "a name and a path below its new value",
        """
        import types
        def load(): return types.SimpleNamespace(**{"lr": 1})
        cfg = load()
        print(cfg["lr"] if isinstance(cfg, dict) else cfg.lr)
        """,
        ("cfg.lr=5", "cfg={'lr': 2}"),
        ("cfg = load()", "cfg = {'lr': 5}"),
    ),
    case(
        "an imported global and the same one in its module",
        """
        from hparams import lr, show
        print(lr, show())
        """,
        ("lr=1", "hparams.lr=2"),
        ("import lr, show", "import lr, show; lr = 1; import hparams; hparams.lr = 2"),
        files={"hparams.py": "lr = 0\ndef show(): return lr\n"},
    ),
]
