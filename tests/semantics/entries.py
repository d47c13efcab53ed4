"""Entries of literals, keywords of calls, paths that only the running script can follow."""

from tests.semantics.case import case

CASES = [
    case("a dict in a list in a call", """
        def Net(**more): return more
        net = Net(layers=[{"size": 1, "act": {"name": "relu"}}, {"size": 2}], lr=0.1)
        print(net)
        """, ("net.layers[0].act.name=tanh", "net.layers[1].size=5", "net.lr=1"),
         ('"relu"', '"tanh"'), ('"size": 2', '"size": 5'), ("lr=0.1", "lr=1.0")),
    case("a key that is no name", 'cfg = {"batch-size": 1, "a b": 2, "x.y": 3}\nprint(cfg)\n',
         ('cfg["batch-size"]=4', "cfg['a b']=5", 'cfg["x.y"]=6'), (": 1", ": 4"), (": 2", ": 5"), (": 3", ": 6")),
    case("a key with a dash, without quotes", 'cfg = {"batch-size": 1}\nprint(cfg)\n', "cfg.batch-size=4", (": 1", ": 4")),
    case("a key with an equals sign", 'cfg = {"a=b": 1}\nprint(cfg)\n', 'cfg["a=b"]=4', (": 1", ": 4")),
    case("a number as key", 'cfg = {0: "a", 1: "b"}\nprint(cfg)\n', "cfg[1]=z", ('"b"', '"z"')),
    case("a key given twice", 'cfg = {"a": 1, "a": 2}\nprint(cfg)\n', "cfg.a=3", ('"a": 2', '"a": 3')),
    case("an entry before a spread", 'over = {"a": 9}\ncfg = {"a": 1, "b": 2, **over}\nprint(cfg)\n', "cfg.b=3", ('"b": 2', '"b": 3')),
    case("an entry that comes from a spread", 'base = {"a": 1}\ncfg = {**base, "b": 2}\nprint(cfg, base)\n', "cfg.a=3",
         ('"b": 2}', '"b": 2}; cfg["a"] = 3')),
    case("an entry of dict with a positional", 'base = {"a": 1}\ncfg = dict(base, b=2)\nprint(cfg, base)\n', ("cfg.b=3", "cfg.a=4"),
         ("b=2)", 'b=3); cfg["a"] = 4')),
    case("both arms of a conditional expression", 'fast = False\ncfg = {"lr": 1} if fast else {"lr": 2}\nprint(cfg)\n', "cfg.lr=3",
         ('{"lr": 1}', '{"lr": 3}'), ('{"lr": 2}', '{"lr": 3}')),
    case("a conditional expression, short target", 'fast = False\ncfg = {"lr": 1} if fast else {"lr": 2}\nprint(cfg)\n', "lr=3",
         ('{"lr": 1}', '{"lr": 3}'), ('{"lr": 2}', '{"lr": 3}')),
    case("an entry that is a conditional expression", 'x = 1\ncfg = {"lr": 1 if x else 2}\nprint(cfg)\n', "cfg.lr=3", ("1 if x else 2", "3")),
    case("a chain of methods", """
        class Net:
            def __init__(self, width=1, depth=1): self.width, self.depth = width, depth
            def to(self, device="cpu"): self.device = device; return self
            def eval(self): return self
        net = Net(width=3).to(device="gpu").eval()
        print(vars(net))
        """, ("net.width=5", "net.device=tpu"), ("width=3", "width=5"), ('device="gpu"', 'device="tpu"')),
    case("a keyword that the call does not pass", """
        class Net:
            def __init__(self, width=1, depth=2): self.width, self.depth = width, depth
        net = Net(width=3)
        print(vars(net))
        """, "net.depth=5", ("width=3)", "width=3); net.depth = 5")),
    case("a list by a negative index", "xs = [1, 2, 3]\nprint(xs)\n", "xs[-1]=9", ("1, 2, 3", "1, 2, 9")),
    case("a list of lists", "xs = [[1, 2], [3, 4]]\nprint(xs)\n", "xs[1][0]=9", ("3, 4", "9, 4")),
    case("an entry of a tuple", "xs = (1, (2, 3))\nprint(xs)\n", "xs[1][1]=9", ("(2, 3)", "(2, 9)")),
    case("a list behind a star", "ys = [0]\nxs = [*ys, 1]\nprint(xs)\n", "xs[0]=9", ("[*ys, 1]", "[*ys, 1]; xs[0] = 9")),
    case("a keyword of an unbound class", "from types import SimpleNamespace as NS\ncfg = NS(a=1, b=NS(c=2))\nprint(cfg)\n",
         ("cfg.b.c=5", "cfg.a=3"), ("c=2", "c=5"), ("a=1", "a=3")),
    case("a dict that a class keeps", """
        from types import SimpleNamespace
        class AttrDict(dict): __getattr__ = dict.__getitem__
        cfg = AttrDict({"lr": 0.1, "opt": {"name": "adam"}})
        own = SimpleNamespace(**{"depth": 2})
        more = SimpleNamespace(**dict(width=3), size=1)
        print(cfg.lr, cfg.opt, own.depth, more)
        """, ("lr=0.5", "cfg.opt.name=sgd", "depth=4", "more.width=5", "size=6"),
         ("0.1", "0.5"), ('"adam"', '"sgd"'), ('"depth": 2', '"depth": 4'), ("width=3", "width=5"), ("size=1", "size=6")),
    case("a dict from which a class derives", """
        class Config:
            def __init__(self, given): self.lr = given["lr"]; self.warm = self.lr / 10
        cfg = Config({"lr": 1.0})
        print(cfg.lr, cfg.warm)
        """, "cfg.lr=0.5", ("1.0", "0.5")),
    case("EasyDict, ConfigDict and OmegaConf of a dict", """
        from easydict import EasyDict as edict
        from ml_collections import ConfigDict
        from omegaconf import OmegaConf
        a = edict({"lr": 0.1, "net": {"width": 8}})
        b = ConfigDict({"bs": 32, "opt": {"beta": 0.9}})
        c = OmegaConf.create({"depth": 2, "half": "${depth}"})
        print(a.lr, a.net.width, b.bs, b.opt.beta, c.depth, c.half)
        """, ("lr=0.5", "width=4", "b.bs=64", "beta=0.8", "depth=3"),
         ('"lr": 0.1', '"lr": 0.5'), ("8}", "4}"), ("32", "64"), ("0.9", "0.8"), ('"depth": 2', '"depth": 3')),
    *(case(f"a dict that cannot be changed: {made}", f"import types\nCFG = {made}\nprint(CFG)\n", ("CFG.lr=7", "n=8"), ("1", "7"), ("2", "8"))
      for made in ("types.MappingProxyType({'lr': 1, 'opt': {'n': 2}})", "types.MappingProxyType(dict(lr=1, opt=types.MappingProxyType(dict(n=2))))")),
    case("a dict that is data", """
        class Frame:
            def __init__(self, columns): self.columns = columns
        df = Frame({"lr": [1, 2]})
        lr = 3
        print(df.columns, lr)
        """, "lr=4", ("lr = 3", "lr = 4")),
    case("a partial", "import functools\ndef f(a, b): print(a, b)\ng = functools.partial(f, 1, b=2)\ng()\n", "g.b=5", ("b=2", "b=5")),
    case("an awaited call", """
        import asyncio
        async def make(n): return n
        async def main():
            x = await make(n=3)
            print(x)
        asyncio.run(main())
        """, "main.x.n=5", ("n=3", "n=5")),
    case("a walrus's entry", 'print((cfg := {"lr": 1}))\n', "cfg.lr=3", ('"lr": 1', '"lr": 3')),
    case("an entry of an annotated name", 'cfg: dict = {"lr": 1}\nprint(cfg)\n', "cfg.lr=3", (": 1", ": 3")),
    case("an entry in an unpacking", 'a, cfg = 1, {"lr": 1}\nprint(a, cfg)\n', "cfg.lr=3", ('"lr": 1', '"lr": 3')),
    case("an entry in a chain", 'a = cfg = {"lr": 1}\nprint(a, cfg, a is cfg)\n', "cfg.lr=3", ('{"lr": 1}', '{"lr": 3}')),
    case("an entry on a later line with comments",
         "cfg = dict(\n    lr=(  # rate\n        0.1\n    ),  # end\n    n=2,\n)\nprint(cfg)\n1/0\n", "cfg.lr=5", ("0.1", "5.0")),
    case("entries of a default argument", 'def f(cfg={"lr": 1}): return cfg\nprint(f())\n', "f(cfg)={'lr': 2}", ('{"lr": 1}', '{"lr": 2}')),
    case("an object's attribute", "import types\ncfg = types.SimpleNamespace(**{'a': 1})\nprint(cfg)\n", "cfg.a=4",
         ("{'a': 1})", "{'a': 1}); cfg.a = 4")),
    case("a nested object's attribute", """
        import types
        def load(): return types.SimpleNamespace(**{"opt": types.SimpleNamespace(**{"lr": 1}), "d": {"k": [1, 2]}})
        cfg = load()
        print(cfg)
        """, ("cfg.opt.lr=4", "cfg.d.k[1]=7"), ("cfg = load()", "cfg = load(); cfg.opt.lr = 4; cfg.d['k'][1] = 7")),
    case("an attribute of an imported module", "import math\nprint(math.pi)\n", "math.pi=3", ("import math", "import math; math.pi = 3.0")),
    case("a path below a with", """
        import types
        from contextlib import nullcontext
        with nullcontext(types.SimpleNamespace(**{"n": 1})) as cfg:
            print(cfg)
        """, "cfg.n=4", ("    print(cfg)", "    cfg.n = 4; print(cfg)")),
    case("a path that cannot be set", "cfg = complex(1, 2)\nprint(cfg)\n", "cfg.real=4", ("cfg = complex(1, 2)", "cfg = complex(1, 2); cfg.real = 4"), frames=True),
    case("an entry of a tuple that a call makes", "cfg = tuple([1, 2, 3])\nprint(cfg)\n", "cfg[1]=4",
         ("[1, 2, 3]", "[1, 4, 3]")),
    case("an entry of a tuple in an object", """
        import types
        cfg = types.SimpleNamespace(betas=tuple([0.9, 0.999]), **{})
        print(cfg)
        """, "cfg.betas[0]=1", ("[0.9,", "[1.0,")),
    case("a new whole number as a key", "cfg = dict([(1, 2)])\nprint(cfg)\n", "cfg[3]=4", ("[(1, 2)]", "[(1, 2), (3, 4)]"), warned=("cfg[3]",)),
    case("a path whose setter fails", """
        class C:
            @property
            def n(self): return 1
            @n.setter
            def n(self, value): raise ValueError(value)
        cfg = C()
        """, "cfg.n=4", ("cfg = C()", "cfg = C(); cfg.n = 4"), frames=True),
    case("a path in a function", """
        import types
        def main():
            cfg = types.SimpleNamespace(**{"n": 1})
            print(cfg)
        main()
        """, "main.cfg.n=4", ('{"n": 1})', '{"n": 1}); cfg.n = 4')),
    case("a path into a mapping of one's own", """
        class D(dict):
            __getattr__ = dict.__getitem__
            __setattr__ = dict.__setitem__
        cfg = D({"a": 1})
        print(cfg, cfg.a)
        """, "cfg.a=4", ('D({"a": 1})', 'D({"a": 1}); cfg["a"] = 4')),
    case("a frozen dataclass's instance", """
        from dataclasses import dataclass
        @dataclass(frozen=True)
        class Args: n: int = 1
        args = Args()
        print(args)
        """, "args.n=4", ("args = Args()", "args = Args(n=4)")),
    case("paths in the order of their length", """
        import types
        made = {"o": {}}
        a, cfg = 1, types.SimpleNamespace(**made)
        print(cfg)
        """, ("cfg.o.x=5", "cfg.o={'x': 1}"), ('{"o": {}}', "{'o': {'x': 5}}")),
    case("a path below a name that is bound again", """
        import types
        def load(): return 1, types.SimpleNamespace(**{"lr": 1})
        a, cfg = load()
        print(a, cfg)
        """, ("cfg.lr=5", "cfg={'lr': 2}"), ("a, cfg = load()", "a, _ = load(); cfg = {'lr': 5}")),
    case("a name and a path below it", "import types\ncfg = types.SimpleNamespace(**{'a': 1})\nprint(cfg)\n", ("cfg.a=4", "cfg.b=5"),
         ("{'a': 1})", "{'a': 1}); cfg.a = 4; cfg.b = 5"), warned=("cfg.b",)),
]
