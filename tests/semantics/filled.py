"""Paths below objects that a call fills after their names are bound: modules that are executed,
configparser, yacs, EasyDict, ml_collections, namespaces, dicts.
"""

from tests.semantics.case import case

CFG = "lr = 0.1\nopt = {'name': 'sgd', 'n': 3}\nwarm = lr * 10\n"
INI = "[train]\nlr = 0.1\nname = sgd\n"
JSON = '{"lr": 0.1, "opt": {"name": "sgd", "n": 3}}'
YAML = "lr: 0.2\nopt:\n  name: adam\n"

MODULE = """
    import importlib.util
    spec = importlib.util.spec_from_file_location("m", "cfg.py")
    m = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(m)
    print(m.lr, m.opt, m.warm)
    """
PARSER = """
    import configparser
    p = configparser.ConfigParser()
    p.read("x.ini")
    print(p.getfloat("train", "lr"), dict(p["train"]))
    """
YACS = """
    from yacs.config import CfgNode as CN
    def defaults():
        c = CN()
        c.lr = 0.1
        c.opt = CN()
        c.opt.name = "sgd"
        return c
    cfg = defaults()
    cfg.merge_from_file("x.yaml")
    cfg.merge_from_list(["lr", 0.3])
    cfg.freeze()
    print(cfg.lr, cfg.opt.name)
    """
LOOP = """
    import json, argparse
    args = argparse.Namespace()
    for name, value in json.load(open("x.json")).items():
        setattr(args, name, value)
    print(args)
    """
PARSED = """\
import argparse, json
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--config", default="x.json")
args = parser.parse_args()
"""
UPDATED = """
    import json
    cfg = {}
    with open("x.json") as f:
        cfg.update(json.load(f))
        print(cfg)
    print(cfg["lr"])
    """
BOX = """
    import json
    class Box: pass
    cfg = Box()
    cfg.lr = 0.7
    cfg.seed = 5
    print(vars(cfg))
    cfg.__dict__.update(json.load(open("x.json")))
    print(vars(cfg))
    """

CASES = [
    case("a value that goes through a call, above a call that fills", "class Net:\n    def __init__(self, k): self.k = k\nms = {}\nms['a'] = Net(k=1)\nms.update(b=Net(k=2))\nprint(ms['a'].k)\n", "ms.a=7",
         ("Net(k=1)", "Net(k=7)")),
    # A statement that stores by a name in a text, or merges a dict, fills as `update` does.
    case("setattr with a name", "class Net: pass\nnet = Net()\nsetattr(net, 'k', 3)\nprint(net.k)\n", "net.k=7", ("'k', 3", "'k', 7")),
    case("setattr that makes the value from the old one", "def load(): return type('C', (), {'k': 1})()\nnet = load()\nsetattr(net, 'k', net.k * 2)\nprint(net.k)\n", "net.k=7", ("load()\ns", "load(); net.k = 7\ns")),
    case("a dict that is merged in place", "def load(): return {}\ncfg = load()\ncfg |= {'k': 3}\nprint(cfg)\n", "cfg.k=7", ("'k': 3", "'k': 7")),
    case("vars of an object", "class Net: pass\nnet = Net()\nvars(net)['k'] = 3\nprint(net.k)\n", "net.k=7", ("= 3", "= 7")),
    case("setdefault", "cfg = dict(a=1)\ncfg.setdefault('k', 3)\nprint(cfg)\n", "cfg.k=7", ("'k', 3", "'k', 7")),
    *(case(f"an entry that another statement replaces: {line}", f"from types import SimpleNamespace\ncfg = {made}(k=1)\nprint(cfg)\n{line}\nprint(cfg)\n", "cfg.k=7", ("k=1", "k=7"), warned=("cfg.k",))
      for made, line in (("dict", "cfg |= {'k': 3}"), ("SimpleNamespace", "setattr(cfg, 'k', 3)"), ("SimpleNamespace", "vars(cfg)['k'] = 3"), ("SimpleNamespace", "cfg.__dict__['k'] = 3"))),
    case("a global that another statement replaces", "k = 1\nprint(k)\nglobals()['k'] = 3\nprint(k)\n", "k=7", ("k = 1", "k = 7"), warned=("k",)),
    case("a value that is merged in place is the program's logic", "class Cfg:\n    flags = 1\ncfg = Cfg()\ncfg.flags |= 2\nprint(cfg.flags)\n", "Cfg.flags=4", ("flags = 1", "flags = 4")),
    *(case(f"a copy with other values, below the definition: {line}", f"from dataclasses import dataclass, replace\nfrom types import SimpleNamespace\n{made}\nprint(cfg)\n{line}\nprint(cfg)\n", "cfg.k=7", ("k=1", "k=7"), warned=("cfg.k",))
      for made, line in (
          *(("cfg = dict(k=1, n=1)", line) for line in ("cfg = cfg | {'k': 3}", "cfg = {**cfg, 'k': 3}", "cfg = dict(cfg, k=3)", "cfg.__setitem__('k', 3)", "dict.__setitem__(cfg, 'k', 3)")),
          ("@dataclass\nclass C:\n    k: int\ncfg = C(k=1)", "cfg = replace(cfg, k=3)"),
          ("import attrs\n@attrs.define\nclass C:\n    k: int\ncfg = C(k=1)", "cfg = attrs.evolve(cfg, k=3)"),
          ("from pydantic import BaseModel\nclass C(BaseModel):\n    k: int\ncfg = C(k=1)", "cfg = cfg.model_copy(update={'k': 3})"),
          ("from typing import NamedTuple\nclass C(NamedTuple):\n    k: int\ncfg = C(k=1)", "cfg = cfg._replace(k=3)"),
          ("cfg = SimpleNamespace(k=1)", "cfg.__setattr__('k', 3)"))),
    case("a copy with other values, of the only object of a class", "from dataclasses import dataclass, replace\n@dataclass\nclass C:\n    k: int = 1\ncfg = C()\nprint(cfg)\ncfg = replace(cfg, k=3)\nprint(cfg)\n", "C.k=7", ("= 1", "= 7"), warned=("C.k",)),
    *(case(f"a copy with other values, by another name: {line}", f"import copy\ncfg = dict(k=1, n=1)\nprint(cfg)\n{line}\ncfg = e\nprint(cfg)\n", "cfg.k=7", ("k=1", "k=7"), warned=("cfg.k",))
      for line in ("e = {**cfg, 'k': 3}", "e = cfg | {'k': 3}", "e = cfg.copy()\ne['k'] = 3", "e = dict(cfg)\ne.update(k=3)", "a = copy.deepcopy(cfg)\ne = {**a, 'k': 3}", "if 1:\n    e = {**cfg}\n    e.update(k=3)")),
    case("a copy with other values, by another name, of an object", "from dataclasses import dataclass, replace\n@dataclass\nclass C:\n    k: int\n    n: int = 2\ncfg = C(k=1)\nprint(cfg)\nnew = replace(cfg, k=3)\ncfg = new\nprint(cfg)\n", "cfg.k=7", ("k=1", "k=7"), warned=("cfg.k",)),
    case("a copy with other values, by another name, in a function", "def main():\n    cfg = dict(k=1, n=1)\n    print(cfg)\n    e = {**cfg, 'k': 3}\n    cfg = e\n    print(cfg)\nmain()\n", "main.cfg.k=7", ("k=1", "k=7"), warned=("main.cfg.k",)),
    *(case(f"a copy by another name that keeps the value, or makes it from the old one: {line}", f"cfg = dict(k=1, n=1)\n{line}\nprint(cfg)\n", "cfg.k=7", ("k=1", "k=7"))
      for line in ("e = {**cfg}\ncfg = e", "e = cfg | {'n': 3}\ncfg = e", "e = {**cfg, 'k': cfg['k'] * 2}\ncfg = e", "e = cfg.copy()\ne['k'] = cfg['k'] * 2\ncfg = e", "e = {**cfg, 'k': 3}\nprint(e)", "e = cfg.copy()\ne['k'] *= 2\ncfg = e")),
    *(case(f"a copy that keeps the value: {line}", f"cfg = dict(k=1, n=1)\n{line}\nprint(cfg)\n", "cfg.k=7", ("k=1", "k=7")) for line in ("cfg = {'k': 3, **cfg}", "cfg = cfg | {'n': 3}", "cfg = {**cfg, 'k': cfg['k'] * 2}")),
    *(case(f"a path below a mapping that takes no items: {last}", f"{head}\ndef load(): return {made}\ncfg = load()\n{last}\nprint(cfg, type(cfg), cfg['opt']['k'])\n", ("cfg.lr=7", "cfg.opt.k=8"), ("'lr': 1", "'lr': 7"), ("'k': 2", "'k': 8"))
      for head, made, last in (
          ("from types import MappingProxyType as P", "P({'lr': 1, 'opt': P({'k': 2})})", "print(len(cfg))"),
          ("from ml_collections import FrozenConfigDict", "FrozenConfigDict({'lr': 1, 'opt': {'k': 2}})", "print(cfg.lr)"),
          ("from omegaconf import OmegaConf\ndef frozen(given):\n    made = OmegaConf.create(given)\n    OmegaConf.set_readonly(made, True)\n    return made", "frozen({'lr': 1, 'opt': {'k': 2}})", "print(OmegaConf.is_readonly(cfg), OmegaConf.is_readonly(cfg.opt))"))),
    case("a copy with other values, right after a call", "def load(): return {'k': 1}\ncfg = load()\ncfg = {**cfg, 'k': 3}\nprint(cfg)\n", "cfg.k=7", ("'k': 3", "'k': 7")),
    *(case(f"an attribute of a class that another statement replaces: {line}", f"class A:\n    k = 1\nprint(A.k)\n{line}\nprint(A.k)\n", "A.k=7", ("k = 1", "k = 7"), warned=("A.k",))
      for line in ("setattr(A, 'k', 3)", "type.__setattr__(A, 'k', 3)", "for key, value in {'k': 3}.items(): setattr(A, key, value)", "for key in ['k']: setattr(A, key, 3)")),
    *(case(f"a default that another statement replaces: {line}", f"def f(n=2, {star}k=1): print(k)\nf()\n{line}\nf()\n", "f(k)=7", ("k=1", "k=7"), warned=("f(k)",))
      for star, line in (("", "f.__defaults__ = 2, 3"), ("*, ", "f.__kwdefaults__ = {'k': 3}"), ("*, ", "f.__kwdefaults__['k'] = 3"))),
    case("a default beside one that another statement replaces", "def f(n=2, k=1): print(n, k)\nf.__defaults__ = 3, f.__defaults__[1]\nf()\n", "f(k)=7", ("k=1", "k=7")),
    *(case(f"a value of a module that another statement replaces: {line}", f"import hp\ndef main():\n    print(hp.k)\n    {line}\n    print(hp.k)\n{start}", "hp.k=7", ("main():", "main():\n    hp.k = 7"), files={"hp.py": "k = 1\n"}, warned=("hp.k",))
      for start in ("main()\n", "if __name__ == '__main__': main()\n")
      for line in ("hp.__dict__.update(k=3)", "vars(hp)['k'] = 3", "setattr(hp, 'k', 3)", "for key in ['k']: setattr(hp, key, 3)")),
    case("a value of a module by other names", "from pkg import hp as h\nfrom pkg.hp import C\nprint(h.k, C)\nC.update(n=3)\nvars(h).update(k=3)\nprint(h.k, C)\n", ("pkg.hp.C.n=7", "h.k=7"), ("import C\n", "import C\nC['n'] = h.k = 7\n"), files={"pkg/hp.py": "k = 1\nC = {'n': 1}\n", "pkg/__init__.py": ""}, warned=("pkg.hp.C.n", "pkg.hp.k")),
    case("a value of a module that the statement leaves", "import hp\nhp.__dict__.update(n=3)\nif hp.k > 9: hp.__dict__.update(k=3)\ndef f(hp): hp.update(k=3)\nf({})\nprint(hp.k)\n", "hp.k=7", ("print(", "hp.k = 7\nprint("), files={"hp.py": "k = 1\n"}),
    case("a member of an enum, above a call that fills", "import enum\nclass Mode(enum.Enum):\n    A = 1\n    B = 2\ncfg = {'m': Mode.A}\ncfg.update(n=1)\nprint(cfg)\n", "cfg.m=B", ("Mode.A", "Mode.B")),
    # The text of a module gets the value: what it computes from it follows.
    case("a module that is executed", MODULE, "m.lr=5", ("exec_module(m)", "exec_module(m); m.lr, m.warm = 5.0, 50.0"), files={"cfg.py": CFG}),
    case("a dict of such a module", MODULE, "m.opt.name=007", ("exec_module(m)", "exec_module(m); m.opt['name'] = '007'"), files={"cfg.py": CFG}),
    # Set again after the call, as if the line below it were written into the script.
    case("a parser that reads a file", PARSER, "p.train.lr=7", ("x.ini\")", "x.ini\"); p['train']['lr'] = '7'"), files={"x.ini": INI}),
    case("an option that the file lacks", PARSER, "p.train.n=7", ("x.ini\")", "x.ini\"); p['train']['n'] = '7'"), files={"x.ini": INI}, warned=("p.train.n",)),
    case("yacs, filled twice, then frozen", YACS, ("cfg.lr=5", "cfg.opt.name=x"),
         ("0.3])", "0.3]); cfg.lr = 5.0; cfg.opt.name = 'x'"), files={"x.yaml": YAML}),
    case("names that a loop sets", LOOP, "args.lr=5", ("value)", "value)\nargs.lr = 5.0"), files={"x.json": JSON}),
    case("names that a loop sets from a file that is named in them", PARSED + "for name, value in json.load(open(args.config)).items():\n    setattr(args, name, value)\nprint(args.lr)\n", "args.lr=5", ("value)\n", "value)\nargs.lr = 5.0\n"), files={"x.json": JSON}),
    case("those that are there already, on a condition", PARSED + "if args.config:\n    with open(args.config) as file:\n        for name, value in json.load(file).items():\n            if hasattr(args, name):\n                setattr(args, name, value)\nprint(args.lr)\n", "args.lr=5", ("value)\n", "value)\nargs.lr = 5.0\n"), files={"x.json": JSON}),
    case("the dict of a namespace in a loop", PARSED + "for name, value in json.load(open(args.config)).items():\n    args.__dict__[name] = type(args.lr)(value) if name == 'lr' else value\nprint(args.lr)\n", "args.lr=5", ("else value\n", "else value\nargs.lr = 5.0\n"), files={"x.json": JSON}),
    case("the dict of a namespace that is updated on a condition", PARSED + "if args.config:\n    vars(args).update(json.load(open(args.config)))\nprint(args.lr)\n", "args.lr=5", ("config)))\n", "config)))\nargs.lr = 5.0\n"), files={"x.json": JSON}),
    case("an empty dict that is updated in a with", UPDATED, ("cfg.lr=5", "cfg.opt.n=7"), ("(f))", "(f)); cfg['lr'] = 5.0; cfg['opt']['n'] = 7"), files={"x.json": JSON}),
    case("a dict that gets what it lacked", UPDATED, "cfg.q=5", ("(f))", "(f)); cfg['q'] = 5"), files={"x.json": JSON}, warned=("cfg.q",)),
    case("EasyDict", "import json\nfrom easydict import EasyDict\ncfg = EasyDict()\ncfg.update(json.load(open('x.json')))\nprint(cfg.lr, cfg.opt.name)\n",
         ("cfg.lr=5", "cfg.opt.name=x"), ("x.json')))", "x.json'))); cfg.lr = 5.0; cfg.opt.name = 'x'"), files={"x.json": JSON}),
    case("ml_collections", "import json\nfrom ml_collections import ConfigDict\ncfg = ConfigDict()\ncfg.update(json.load(open('x.json')))\nprint(cfg.lr, cfg.opt.name)\n",
         ("cfg.lr=5", "cfg.opt.name=x"), ("x.json')))", "x.json'))); cfg.lr = 5.0; cfg.opt.name = 'x'"), files={"x.json": JSON}),
    case("a namespace that a parser fills", """
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--n", type=int, default=3)
        args = argparse.Namespace()
        parser.parse_args(namespace=args)
        print(args)
        """, "args.n=5", ("namespace=args)", "namespace=args); args.n = 5")),
    case("names of a text that is executed", "names = {}\nexec('lr = 0.1', names)\nprint(names['lr'])\n", "names.lr=5", ("names)", "names); names['lr'] = 5.0")),
    case("a function of the script that fills", """
        def load_into(cfg):
            cfg["lr"] = 0.1
        def make(): return {}
        cfg = make()
        load_into(cfg)
        print(cfg)
        """, "cfg.lr=5", ("load_into(cfg)\nprint", "load_into(cfg); cfg['lr'] = 5.0\nprint")),
    case("in a function, on a condition", """
        import json
        def make(): return {"lr": 0.3}
        def main(path=None):
            cfg = make()
            if path is not None:
                cfg.update(json.load(open(path)))
            print(cfg)
        main()
        main("x.json")
        """, "main.cfg.lr=5", ("print(cfg)", "cfg['lr'] = 5.0; print(cfg)"), files={"x.json": JSON}),
    case("the value is there before the call as well", """
        def make(): return {"path": "x.json", "lr": 0.1}
        cfg = make()
        cfg.update(dict(shown=cfg["path"]))
        print(cfg)
        """, "cfg.path=y", ("make()\ncfg.", "make(); cfg['path'] = 'y'\ncfg.")),
    case("a call that makes the value from the old one", """
        def make(): return {"lr": 0.1, "n": 1}
        cfg = make()
        cfg.update(lr=cfg["lr"] * 2, n=cfg.get("n") + 1)
        print(cfg)
        """, ("cfg.lr=5", "cfg.n=7"), ("make()\ncfg.", "make(); cfg['lr'] = 5.0; cfg['n'] = 7\ncfg."), warned=("cfg.lr", "cfg.n")),
    case("a call that may change it, after another use", """
        def make(): return {"lr": 0.1}
        cfg = make()
        print(cfg)
        cfg.update(lr=0.2)
        print(cfg)
        """, "cfg.lr=5", ("cfg = make()", "cfg = make(); cfg['lr'] = 5.0"), warned=("cfg.lr",)),
    case("a method that is no such call", """
        class Box:
            def step(self): self.lr *= 0.5
        def make():
            made = Box()
            made.lr = 0.1
            return made
        cfg = make()
        cfg.step()
        print(cfg.lr)
        """, "cfg.lr=4", ("cfg = make()", "cfg = make(); cfg.lr = 4.0")),
    # A stored literal is replaced in place, as a person would: a later call wins, and is named.
    case("a stored value that a call replaces", BOX, "cfg.lr=5", ("0.7", "5.0"), files={"x.json": JSON}, warned=("cfg.lr",)),
    case("a stored value that the call leaves", BOX, "cfg.seed=6", ("= 5", "= 6"), files={"x.json": JSON}),
    case("an entry of a literal that a call replaces", """
        cfg = {"lr": 0.7, "opt": {"name": "sgd"}}
        cfg.update(lr=0.1)
        print(cfg)
        """, ("cfg.lr=5", "cfg.opt.name=x"), ("0.7", "5.0"), ("sgd", "x"), warned=("cfg.lr",)),
    case("an entry of a literal that another dict replaces", """
        cfg = {"lr": 0.7, "opt": {"name": "sgd"}, "flags": 1}
        cfg |= {"lr": 0.1}
        cfg["flags"] |= 4
        cfg["opt"] |= dict(name="adam", n=1)
        print(cfg)
        """, ("cfg.lr=5", "cfg.opt.name=x", "cfg.flags=2"), ("0.7", "5.0"), ("sgd", "x"), (": 1}", ": 2}"), warned=("cfg.lr", "cfg.opt.name")),
    case("an entry of a literal that another dict leaves", "cfg = {'lr': 0.7}\nnew = {'n': 1}\ncfg |= new\nprint(cfg)\n", "cfg.lr=5", ("0.7", "5.0")),
    case("a dict that joins one, at once", """
        def make(): return {"lr": 0.1}
        cfg = make()
        cfg |= {"lr": 0.2}
        print(cfg)
        """, "cfg.lr=5", ("0.2}", "0.2}; cfg['lr'] = 5.0")),
    case("a call that fills it by another name", """
        from yacs.config import CfgNode as CN
        _C = CN()
        _C.LR = 0.7
        _C.BS = 4
        cfg = _C
        cfg.merge_from_file("x.yaml")
        print(cfg.LR, _C.BS)
        """, ("_C.LR=5", "_C.BS=8"), ("0.7", "5.0"), ("= 4", "= 8"), files={"x.yaml": "LR: 0.3\n"}, warned=("_C.LR",)),
    case("a name of a name", """
        def main():
            cfg = {"lr": 0.7, "n": 1}
            one = cfg
            two = one
            two.update(lr=0.1)
            print(cfg)
        main()
        """, ("main.cfg.lr=5", "main.cfg.n=8"), ("0.7", "5.0"), (": 1}", ": 8}"), warned=("main.cfg.lr",)),
    case("another object of the name that is filled", """
        cfg = {"lr": 0.7}
        one = dict(cfg)
        one.update(lr=0.1)
        print(cfg, one)
        """, "cfg.lr=5", ("0.7", "5.0")),
    case("an entry that gets an equal value", "cfg = {'lr': 0.7}\nprint(cfg)\ncfg.update(lr=5.0)\nprint(cfg)\n", "cfg.lr=5", ("0.7", "5.0")),
    case("a keyword of a call, replaced in a function", """
        from types import SimpleNamespace
        def main():
            cfg = SimpleNamespace(lr=0.7, n=1)
            print(cfg)
            vars(cfg).update(lr=0.1)
            print(cfg)
        main()
        """, "main.cfg.lr=5", ("0.7", "5.0"), warned=("main.cfg.lr",)),
    case("what __init__ stores and then fills", """
        class Net:
            def __init__(self, **more):
                self.width = 64
                self.__dict__.update(more)
        print(vars(Net()), vars(Net(width=8)))
        """, "Net.width=5", ("64", "5"), warned=("Net.width",)),
    case("the call is not reached", "cfg = {'lr': 0.7}\nif len(cfg) > 3:\n    cfg.update(lr=1)\nprint(cfg)\n", "cfg.lr=5", ("0.7", "5.0")),
    case("exec gives a global another value", """
        lr = 0.1
        bs = 2
        exec("lr = 0.3")
        print(lr, bs)
        """, ("lr=0.5", "bs=4"), ("0.1", "0.5"), ("bs = 2", "bs = 4"), warned=("lr",)),
    case("calls that fill, behind other statements on their lines", """
        cfg = {}
        cfg["lr"] = 0.1
        cfg["bs"] = 1
        print(cfg); cfg.update(lr=0.2); print(cfg)
        if cfg: n = 1; cfg.update(n=n); print(cfg); cfg.update(n=3)
        """, ("cfg.lr=3", "bs=2"), ("0.1", "3.0"), ('["bs"] = 1', '["bs"] = 2'), warned=("cfg.lr",)),
    case("a star import gives globals other values", """
        lr = 0.1
        bs = 2
        n = 3
        from settings import *
        print(lr, bs, n)
        """, ("lr=0.5", "bs=4", "n=6"), ("0.1", "0.5"), ("bs = 2", "bs = 4"), ("n = 3", "n = 6"), files={"settings.py": "lr = 0.3\nbs = 4\n"}, warned=("lr",)),
    case("a star import that may fail", """
        lr = 0.1
        print(lr)
        try:
            from settings import *
        except ImportError:
            pass
        try:
            from nowhere import *
        except ImportError:
            pass
        print(lr)
        """, "lr=0.5", ("0.1", "0.5"), files={"settings.py": "lr = 0.3\n"}, warned=("lr",)),
    case("globals by their names", """
        lr = 0.1
        bs = 2
        globals()["lr"] = 0.3
        vars()["n"] = 3
        print(lr, bs, n)
        """, ("lr=0.5", "bs=4"), ("0.1", "0.5"), ("bs = 2", "bs = 4"), warned=("lr",)),
    case("globals by their names, in a loop", """
        lr = 0.1
        bs = 2
        for key, value in {"lr": 0.3, "n": 1}.items():
            if key in globals():
                globals()[key] = value
        print(lr, bs)
        """, ("lr=0.5", "bs=4"), ("0.1", "0.5"), ("bs = 2", "bs = 4"), warned=("lr",)),
    case("globals as attributes of the module", """
        import sys
        lr = 0.1
        bs = 2
        print(lr, bs)
        this = sys.modules[__name__]
        setattr(sys.modules[__name__], "lr", 0.3)
        for key in ["bs"]:
            setattr(this, key, 7)
        print(lr, bs)
        """, ("lr=0.5", "bs=4"), ("0.1", "0.5"), ("bs = 2", "bs = 4"), warned=("lr", "bs")),
    case("exec leaves a global as it is", """
        lr = 0.1
        exec("bs = 3")
        print(lr)
        """, "lr=0.5", ("0.1", "0.5")),
    case("the namespace is updated", """
        lr = 0.1
        bs = 2
        globals().update({"lr": 0.3})
        vars().update(bs=bs)
        print(lr, bs)
        """, ("lr=0.5", "bs=4"), ("0.1", "0.5"), ("bs = 2", "bs = 4"), warned=("lr",)),
    case("a file is read into the namespace", """
        lr = 0.1
        n = 1
        with open("cfg.py") as f:
            exec(f.read(), globals())
        print(lr, n, warm)
        """, ("lr=0.5", "n=2"), ("lr = 0.1", "lr = 0.5"), ("n = 1", "n = 2"), files={"cfg.py": "lr = 0.2\nwarm = 3\n"}, warned=("lr",)),
    case("exec takes a global away", """
        lr = 0.1
        print(lr)
        exec("del lr")
        print("lr" in globals())
        """, "lr=0.5", ("0.1", "0.5"), warned=("lr",)),
    case("exec below a name and a path below it", """
        import types
        def load(): return 1, types.SimpleNamespace(**vars(types.SimpleNamespace(lr=1)))
        a, cfg = load()
        exec("b = 1")
        print(a, cfg, b)
        """, ("cfg.lr=5", "cfg={'lr': 2}"), ("a, cfg = load()", "a, _ = load(); cfg = {'lr': 5}")),
]
