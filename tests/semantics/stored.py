"""Literals stored into an attribute or an item: ml_collections, yacs, EasyDict, argparse's and types'
namespaces, dicts, plain objects, methods.
"""

from tests.semantics.case import case, refusal

BOX = "class Box:\n    pass\n"

PROPERTY = """class Cfg:
    @property
    def lr(self): return self._lr
    @lr.setter
    def lr(self, v): self._lr = v
"""

DERIVED = """
class Base:
    depth = 3
    def __init__(self):
        self.lr = 0.1
        self.n = 2
class Sub(Base):
    def __init__(self):
        super().__init__()
        self.n = 5
class Other(Base):
    def setup(self):
        self.lr = 0.7
base, other = Base(), Other()
sub = Sub()
other.setup()
for one in base, sub, other:
    print(one.lr, one.n, one.depth, sorted(vars(one)))
"""

CASES = [
    *(case(f"a field that __post_init__ stores: {field}", f"from dataclasses import dataclass, field\n@dataclass\nclass A:\n    k: int = 4\n    n: int{field}\n    def __post_init__(self):\n        self.n = self.k * 2\nprint(A())\n", "A.n=9",
           ("self.n = self.k * 2", "self.n = 9")) for field in (" = 1", " = field(init=False)", " = field(default=1, init=False)")),
    case("a field that __post_init__ makes from itself", "from dataclasses import dataclass\n@dataclass\nclass A:\n    n: int = 1\n    def __post_init__(self):\n        self.n = self.n * 2\nprint(A())\n", "A.n=9", ("= 1", "= 9")),
    case("a field that __post_init__ stores on a condition", "from dataclasses import dataclass\n@dataclass\nclass A:\n    n: int = 0\n    def __post_init__(self):\n        if not self.n: self.n = 5\nprint(A())\n", "A.n=9", ("= 0", "= 9")),
    case("a field of a frozen dataclass that __post_init__ stores", "from dataclasses import dataclass, field\n@dataclass(frozen=True)\nclass A:\n    n: int = field(init=False)\n    def __post_init__(self):\n        object.__setattr__(self, 'n', len('ab'))\nprint(A())\n", "A.n=9",
         ("len('ab')", "9")),
    case("a field of attrs that __attrs_post_init__ stores", "import attrs\n@attrs.define\nclass A:\n    n: int = attrs.field(init=False)\n    def __attrs_post_init__(self):\n        self.n = len('ab')\nprint(A())\n", "A.n=9", ("len('ab')", "9")),
    # Plain objects.
    case("an attribute of a plain object", BOX + "c = Box()\nc.model = Box()\nc.model.depth = 2\n# step size\nc.lr = 0.1\nc.warm = int(c.lr * 10)\nprint(c.lr, c.warm, c.model.depth)\n",
         ("c.lr=0.5", "c.model.depth=7"), ("c.lr = 0.1", "c.lr = 0.5"), ("depth = 2", "depth = 7")),
    case("an attribute of a plain object, made from another", BOX + "c = Box()\nc.lr = 0.1\nc.warm = int(c.lr * 10)\nprint(vars(c))\n", "c.warm=3", ("int(c.lr * 10)", "3")),
    case("an attribute by its last name", BOX + "c = Box()\nc.lr = 0.1\nprint(c.lr)\n", "lr=0.5", ("0.1", "0.5")),
    case("an object made in a function", BOX + """
def get_config():
    c = Box()
    c.lr = 0.1
    c.model = Box()
    c.model.depth = 2
    return c
c = get_config()
print(c.lr, c.model.depth)
""", ("get_config.c.model.depth=7", "get_config.c.lr=1"), ("depth = 2", "depth = 7"), ("lr = 0.1", "lr = 1.0")),
    case("an object that a function gets", BOX + "def fill(c):\n    c.lr = 0.1\n    c.n = 2\nc = Box()\nfill(c)\nprint(vars(c))\n", ("fill.c.lr=1", "fill.c.n=5"),
         ("lr = 0.1", "lr = 1.0"), ("n = 2", "n = 5")),
    case("an object that is made again", BOX + "c = Box()\nc.lr = 0.1\nprint(c.lr)\nc = Box()\nc.lr = 0.2\nprint(c.lr)\n", "c.lr=5", ("= 0.1", "= 5.0"), ("= 0.2", "= 5.0")),
    case("a path below what is stored", BOX + "def make(): return Box()\nc = Box()\nc.opt = make()\nprint(vars(c.opt))\n", "c.opt.lr=5", ("c.opt = make()", "c.opt = make(); c.opt.lr = 5"), warned=("c.opt.lr",)),
    case("what is stored, and below it", BOX + "c = Box()\nc.opt = {'lr': 1, 'n': [1, 2]}\nprint(c.opt)\n", ("c.opt.lr=5", "c.opt.n[1]=7"), ("'lr': 1", "'lr': 5"), ("[1, 2]", "[1, 7]")),
    case("keywords of a call that is stored", BOX + "c = Box()\nc.opt = dict(lr=1, n=2)\nprint(c.opt)\n", "c.opt.lr=5", ("lr=1", "lr=5")),
    # Derived classes.
    case("what a base class stores", DERIVED, "Base.lr=9", ("self.lr = 0.1", "self.lr = 9.0")),
    case("what a derived class stores, too", DERIVED, "Sub.n=9", ("self.n = 5", "self.n = 9")),
    case("what the base of two stores", DERIVED, "Base.n=9", ("self.n = 2", "self.n = 9")),
    case("what a method of a derived class stores", DERIVED, "Other.lr=9", ("self.lr = 0.7", "self.lr = 9.0")),
    case("an attribute of a base class", DERIVED, "Base.depth=9", ("depth = 3", "depth = 9")),
    case("an attribute of one object of a derived class", DERIVED, "sub.lr=9", ("sub = Sub()", "sub = Sub(); sub.lr = 9.0")),
    # Namespaces.
    case("an empty namespace", "import types\nc = types.SimpleNamespace()\nc.lr = 0.1\nc.tags = ['a']\nprint(c)\n", ("c.lr=1", "c.tags=[]"), ("0.1", "1.0"), ("['a']", "[]")),
    case("argparse's namespace", "import argparse\nargs = argparse.Namespace()\nargs.lr = 0.1\nargs.epochs = 3\nprint(args)\n", ("args.lr=1", "args.epochs=5"), ("lr = 0.1", "lr = 1.0"), ("epochs = 3", "epochs = 5")),
    case("a keyword of a namespace that is stored again", "import types\nc = types.SimpleNamespace(lr=0.1)\nprint(c)\nc.lr = 0.2\nprint(c)\n", "c.lr=1", ("lr=0.1", "lr=1.0"), ("= 0.2", "= 1.0")),
    case("what parse_args returned", "import argparse\nargs = argparse.ArgumentParser().parse_args()\nargs.seed = 3\nprint(args)\n", "args.seed=5", ("= 3", "= 5")),
    # Dicts.
    case("an empty dict", "cfg = {}\ncfg['lr'] = 0.1\ncfg[\"opt\"] = {'name': 'sgd'}\nprint(cfg)\n", ("cfg.lr=1", "cfg.opt.name=adam"), ("0.1", "1.0"), ("'sgd'", "'adam'")),
    case("a dict in a dict", "cfg = {}\ncfg['opt'] = {}\ncfg['opt']['lr'] = 0.1\ncfg['opt']['b c'] = 2\nprint(cfg)\n", ("cfg['opt']['lr']=1", "cfg.opt['b c']=5"), ("0.1", "1.0"), ("= 2", "= 5")),
    case("a call of dict", "cfg = dict()\ncfg['lr'] = 0.1\nprint(cfg)\n", "cfg.lr=1", ("0.1", "1.0")),
    case("an entry that is stored again", "cfg = {'lr': 0.1, 'n': 1}\nprint(cfg)\ncfg['lr'] = 0.2\nprint(cfg)\n", "cfg.lr=1", ("'lr': 0.1", "'lr': 1.0"), ("= 0.2", "= 1.0")),
    case("a default dict", "import collections\ncfg = collections.defaultdict(dict)\ncfg['opt']['lr'] = 0.1\nprint(dict(cfg))\n", "cfg.opt.lr=1", ("0.1", "1.0")),
    case("an item of a list", "xs = [0] * 3\nxs[1] = 5\nprint(xs)\n", "xs[1]=7", ("= 5", "= 7")),
    case("an item from the end", "xs = [0] * 3\nxs[-1] = 5\nprint(xs)\n", "xs[-1]=7", ("= 5", "= 7")),
    case("a number as key", "cfg = {}\ncfg[0] = 'a'\nprint(cfg)\n", "cfg[0]=b", ("'a'", "'b'")),
    # Frameworks.
    case("ml_collections", """
        from ml_collections import ConfigDict
        def get_config():
            config = ConfigDict()
            config.lr = 0.1
            config.model = ConfigDict()
            config.model.depth = 2
            config.sizes = (1, 2)
            return config
        config = get_config()
        print(config)
        """, ("get_config.config.lr=1", "get_config.config.model.depth=7", "get_config.config.sizes=(3,)"), ("= 0.1", "= 1.0"), ("depth = 2", "depth = 7"), ("(1, 2)", "(3,)")),
    case("ml_collections at module level, with a derived value", """
        import ml_collections
        c = ml_collections.ConfigDict()
        c.lr = 0.1
        c.warm = c.get_ref('lr') * 2
        c.opt = ml_collections.ConfigDict({'name': 'sgd'})
        c.opt.name = 'lamb'
        print(c)
        """, ("c.lr=1", "c.opt.name=adam"), ("= 0.1", "= 1.0"), ("= 'lamb'", "= 'adam'")),
    case("yacs", """
        from yacs.config import CfgNode as CN
        _C = CN()
        _C.SOLVER = CN()
        _C.SOLVER.LR = 0.1
        _C.SOLVER.STEPS = (1, 2)
        _C.MODEL = CN()
        _C.MODEL.NAME = "a"
        def get_cfg(): return _C.clone()
        cfg = get_cfg()
        cfg.freeze()
        print(cfg)
        """, ("_C.SOLVER.LR=1", "_C.SOLVER.STEPS=(3,)", "_C.MODEL.NAME=b"), ("= 0.1", "= 1.0"), ("(1, 2)", "(3,)"), ('"a"', '"b"')),
    case("yacs, by last names", "from yacs.config import CfgNode as CN\n_C = CN()\n_C.SOLVER = CN()\n_C.SOLVER.LR = 0.1\nprint(_C)\n", "LR=1", ("= 0.1", "= 1.0")),
    case("EasyDict", """
        from easydict import EasyDict as edict
        __C = edict()
        cfg = __C
        __C.TRAIN = edict()
        __C.TRAIN.LR = 0.1
        __C['SEED'] = 3
        print(cfg)
        """, ("__C.TRAIN.LR=1", "__C.SEED=5"), ("= 0.1", "= 1.0"), ("= 3", "= 5")),
    # Methods.
    case("attributes of a class's instances", """
        class Net:
            def __init__(self, depth=1):
                self.width = 64
                self.depth = depth
                self.name: str = "a"
                self.opt = {"lr": 0.1}
        print(vars(Net()))
        """, ("Net.width=3", "Net.depth=7", "Net.name=b", "Net.opt.lr=1"), ("= 64", "= 3"), ("= depth", "= 7"), ('"a"', '"b"'), ("0.1", "1.0")),
    case("attributes of instances by their last name", "class Net:\n    def __init__(self):\n        self.width = 64\nprint(Net().width)\n", "width=3", ("= 64", "= 3")),
    case("a method's own first parameter", "class Net:\n    def __init__(this):\n        this.width = 64\nprint(Net().width)\n", "Net.width=3", ("= 64", "= 3")),
    case("a class method", "class Net:\n    @classmethod\n    def setup(cls):\n        cls.width = 64\n        return cls\nprint(Net.setup().width)\n", "Net.width=3", ("= 64", "= 3")),
    case("an attribute of the class and of its instances", "class Net:\n    width = 1\n    def __init__(self):\n        print(self.width)\n        self.width = 64\nprint(Net().width, Net.width)\n", "Net.width=3",
         ("width = 1", "width = 3"), ("= 64", "= 3")),
    case("an attribute that another method stores again", """
        class Net:
            def __init__(self):
                self.steps = 1
            def reset(self):
                self.steps = 2
        net = Net()
        print(net.steps)
        net.reset()
        print(net.steps)
        """, "Net.steps=9", ("self.steps = 1", "self.steps = 9"), warned=("Net.steps",)),
    case("an attribute that __init__ stores after another method", """
        class Net:
            def reset(self):
                self.steps = 2
            def __init__(self):
                self.steps = 1
        net = Net()
        print(net.steps)
        net.reset()
        print(net.steps)
        """, "Net.steps=9", ("self.steps = 1", "self.steps = 9"), warned=("Net.steps",)),
    case("an attribute that a method of __init__ stores again", "class Meter:\n    def __init__(self):\n        self.val = 0\n        self.reset()\n    def reset(self): self.val = 5\nprint(Meter().val)\n", "Meter.val=9", ("= 0", "= 9"), warned=("Meter.val",), same=True),
    case("an attribute that __enter__ stores again", "class T:\n    def __init__(self): self.n = 0\n    def __enter__(self): self.n = 5; return self\n    def __exit__(self, *a): pass\nprint(T().n)\nwith T() as t: print(t.n)\n", "T.n=9", ("= 0", "= 9"), warned=("T.n",)),
    case("an attribute that two methods store", "class W:\n    def start(self): self.k = 1; print(self.k); return self\n    def go(self): self.k = 2; return self.k\nprint(W().start().go())\n", "W.k=9", ("= 1", "= 9"), warned=("W.k",)),
    case("an attribute that another method computes", "class M:\n    def __init__(self): self.n = 1\n    def step(self): self.n = self.n * 2; return self.n\nprint(M().step())\n", "M.n=9", ("self.n = 1", "self.n = 9")),
    # A property, and what is stored through it.
    case("a property with a setter", PROPERTY + "    def __init__(self): self.lr = 0.5\nc = Cfg()\nprint(c.lr)\n", "Cfg.lr=0.7", ("0.5", "0.7")),
    case("a property with a setter, by its last name", PROPERTY + "    def __init__(self): self.lr = 0.5\nc = Cfg()\nprint(c.lr)\n", "lr=0.7", ("0.5", "0.7")),
    case("a property with a setter below its store", "class Cfg:\n    def __init__(self): self.lr = 0.5\n" + PROPERTY.partition("\n")[2] + "c = Cfg()\nprint(c.lr)\n", "Cfg.lr=0.7", ("0.5", "0.7")),
    case("a property with a setter that another method stores", PROPERTY + "    def setup(self):\n        self.lr = 0.5\n        return self\nprint(Cfg().setup().lr)\n", "Cfg.lr=0.7", ("0.5", "0.7")),
    case("a property by property()", "class Cfg:\n    def __init__(self): self.lr = 0.5\n    def get(self): return self._lr\n    def put(self, v): self._lr = v\n    lr = property(get, put)\nprint(Cfg().lr)\n", "Cfg.lr=0.7", ("0.5", "0.7")),
    case("a cached property that is stored", "from functools import cached_property\nclass Cfg:\n    @cached_property\n    def lr(self): return 1\n    def __init__(self): self.lr = 0.5\nprint(Cfg().lr)\n", "Cfg.lr=0.7", ("0.5", "0.7")),
    case("a method that is stored over", "class Cfg:\n    def lr(self): return 1\n    def __init__(self): self.lr = 0.5\nprint(Cfg().lr)\n", "Cfg.lr=0.7", ("0.5", "0.7")),
    case("a property without a setter", "class Cfg:\n    @property\n    def lr(self): return 1\nprint(Cfg().lr)\n", "Cfg.lr=0.7", ("print(", "Cfg.lr = 0.7\nprint(")),
    case("a cached property", "from functools import cached_property\nclass Cfg:\n    @cached_property\n    def lr(self): return 1\nprint(Cfg().lr)\n", "Cfg.lr=0.7", ("print(", "Cfg.lr = 0.7\nprint(")),
    case("an attribute that only another method stores", "class Net:\n    def build(self):\n        self.width = 64\n        return self\nprint(Net().build().width)\n", "Net.width=3", ("= 64", "= 3")),
    case("a list of each instance's own", """
        class Net:
            def __init__(self):
                self.sizes = [1]
                self.sizes.append(0)
        print(Net().sizes, Net().sizes)
        """, "Net.sizes=[7]", ("[1]", "[7]")),
    case("an object in an instance", BOX + "class Net:\n    def __init__(self):\n        self.cfg = Box()\n        self.cfg.lr = 0.1\nprint(Net().cfg.lr)\n", "Net.cfg.lr=1", ("0.1", "1.0")),
    case("another object in a method", BOX + "class Net:\n    def make(self):\n        c = Box()\n        c.lr = 0.1\n        return c\nprint(Net().make().lr)\n", "Net.make.c.lr=1", ("0.1", "1.0")),
    case("an inner class's instances", "class A:\n    class B:\n        def __init__(self):\n            self.n = 1\nprint(A.B().n)\n", "A.B.n=3", ("= 1", "= 3")),
    case("a slot", "class P:\n    __slots__ = ('n',)\n    def __init__(self):\n        self.n = 1\nprint(P().n)\n", "P.n=3", ("= 1", "= 3")),
    case("a property", """
        class P:
            @property
            def n(self): return self._n
            @n.setter
            def n(self, value):
                print('set', value)
                self._n = value
        p = P()
        p.n = 1
        print(p.n)
        """, "p.n=3", ("p.n = 1", "p.n = 3")),
    # Forms of the statement.
    case("a chain", BOX + "c = Box()\nc.a = c.b = 1\nprint(vars(c))\n", "c.a=5", ("c.a = c.b = 1", "c.a = c.b = 1; c.a = 5")),
    case("a chain with a name", BOX + "c = Box()\nn = c.a = 1\nprint(vars(c), n)\n", ("c.a=5", "n=7"), ("n = c.a = 1", "n = c.a = 1; c.a = 5; n = 7")),
    case("an unpacking", BOX + "c = Box()\nc.a, c.b = 1, 2\n(n, c.d) = 3, 4\nprint(vars(c), n)\n", ("c.b=5", "c.d=7"), ("1, 2", "1, 5"), ("3, 4", "3, 7")),
    case("an unpacked call", BOX + "c = Box()\nc.a, c.b = divmod(7, 2)\nprint(vars(c))\n", "c.b=5", ("divmod(7, 2)", "divmod(7, 2); c.b = 5")),
    case("an annotation", BOX + "c = Box()\nc.lr: float = 0.1\nprint(c.lr)\n", "c.lr=1", ("= 0.1", "= 1.0")),
    case("brackets, comments and several lines", BOX + "c = Box()\nc.lr = (  # rate\n    0.1\n)  # end\n(c).n = 2; c.m = 3  # both\nprint(vars(c))\n1/0\n", ("c.lr=5", "c.m=4"), ("0.1", "5.0"), ("c.m = 3", "c.m = 4")),
    case("what is not evaluated", BOX + "def load(): print('loading')\nc = Box()\nc.data = load()\nprint(c.data)\n", "c.data=5", ("load()\nprint", "5\nprint")),
    # Which definitions.
    case("both arms of an if", BOX + "c = Box()\nif len('a'):\n    c.lr = 0.1\nelse:\n    c.lr = 0.2\nprint(c.lr)\n", "c.lr=1", ("0.1", "1.0"), ("0.2", "1.0")),
    case("arms of try and match", BOX + """
c = Box()
try:
    c.n = int("x")
except ValueError:
    c.n = 3
match c.n:
    case 3: c.m = 1
    case _: c.m = 2
print(vars(c))
""", ("c.n=7", "c.m=9"), ('int("x")', "7"), ("c.n = 3", "c.n = 7"), ("c.m = 1", "c.m = 9"), ("c.m = 2", "c.m = 9")),
    case("a later unconditional store", BOX + "c = Box()\nc.lr = 0.1\nprint(c.lr)\nc.lr = 0.2\nprint(c.lr)\n", "c.lr=5", ("= 0.1", "= 5.0"), ("= 0.2", "= 5.0")),
    case("what is made from the old value", BOX + "c = Box()\nc.lr = 0.1\nc.lr = c.lr * 2\nc.lr += 1\nprint(c.lr)\n", "c.lr=5", ("= 0.1", "= 5.0")),
    case("a store in a loop", BOX + "c = Box()\nc.n = 1\nfor i in range(3):\n    c.n = i\n    print(c.n)\nprint(c.n)\n", "c.n=5", ("c.n = 1", "c.n = 5"), same=True),
    case("in the guard's body", BOX + "c = Box()\nif __name__ == '__main__':\n    c.lr = 0.1\n    print(c.lr)\n", "c.lr=5", ("0.1", "5.0")),
    case("in the guard's function", BOX + "def main():\n    c = Box()\n    c.lr = 0.1\n    print(c.lr)\nif __name__ == '__main__':\n    main()\n", "main.c.lr=5", ("0.1", "5.0")),
    case("under with", BOX + "import contextlib\nc = Box()\nwith contextlib.nullcontext():\n    c.lr = 0.1\nprint(c.lr)\n", "c.lr=5", ("0.1", "5.0")),
    case("an option of one name wins", "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=0.1)\nclass T:\n    def __init__(self, a):\n        self.lr = 3\n        print(a)\nprint(T(p.parse_args()).lr)\n", "lr=5",
         ("default=0.1", "default=5.0")),
    case("a conditional store into what a call has made", "import argparse\nargs = argparse.ArgumentParser().parse_args()\nif len('a') > 1:\n    args.lr = 0.1\nprint(args)\n", "args.lr=5",
         ("parse_args()", "parse_args(); args.lr = 5"), warned=("args.lr",)),
    case("a setting of a library", "import decimal\ndecimal.DefaultContext.prec = 5\nprint(decimal.DefaultContext.prec)\n", "decimal.DefaultContext.prec=9", ("= 5", "= 9")),
    case("the environment", "import os\nos.environ['TOY_MODE'] = 'fast'\nprint(os.environ['TOY_MODE'])\n", "os.environ.TOY_MODE=slow", ("'fast'", "'slow'")),
    case("an attribute of a function", "def f(): pass\nf.n = 1\nprint(f.n)\n", "f.n=3", ("= 1", "= 3")),
    case("an attribute of a function that has such a local", "def f():\n    n = 1\n    print(n)\nf.n = 2\nf()\nprint(f.n)\n", "f.n=3", ("    n = 1", "    n = 3")),
    case("a function that is never called", BOX + "def fill(c):\n    c.lr = 0.1\nprint('x')\n", "fill.c.lr=3", ("0.1", "3"), warned=("fill.c.lr",), same=True),
    case("in an async function", BOX + "import asyncio\nasync def main():\n    c = Box()\n    c.lr = 0.1\n    print(c.lr)\nasyncio.run(main())\n", "main.c.lr=3", ("0.1", "3.0")),
    case("objects of a config", BOX + "c = Box()\nc.loss = None\nprint(c.loss(2))\n", ("--config", "cfg.py"), ("= None", "= lambda x: x * 2"), files={"cfg.py": "_overrides = {'c.loss': lambda x: x * 2}\n"}),
    case("what the script stores into a module: its function keeps its own value", "import hp as h\nh.lr = 0.2\ndef main():\n    h.C.n = 4\n    print(h.lr, h.C.n, h.k)\nmain()\n", ("h.C.n=7", "h.lr=0.5", "hp.k=3"),
        ("0.2", "0.5"), ("h.k)", "3)"), warned=("hp.C.n",), files={"hp.py": "lr = 0.1\nk = 1\nclass C:\n    n = 1\n"}),
    case("a data file's table", BOX + "c = Box()\nc.opt = Box()\nc.opt.lr = 0.1\nc.n = 1\nprint(c.opt.lr, c.n)\n", ("--config", "cfg.yaml"), ("0.1", "1.0"), ("n = 1", "n = 5"), files={"cfg.yaml": "c:\n  opt:\n    lr: 1\n  n: 5\n"}),
    case("what is stored through another name of the object", BOX + "__C = Box()\ncfg = __C\n__C.TRAIN = Box()\n__C.TRAIN.LR = 0.1\n__C.N = 2\nprint(cfg.TRAIN.LR, cfg.N)\n", ("cfg.TRAIN.LR=1", "cfg.N=5"),
         ("LR = 0.1", "LR = 1.0"), ("N = 2", "N = 5")),
    case("what is stored through another name, in a function", BOX + "def get():\n    c = Box()\n    cfg = c\n    c.lr = 0.1\n    return cfg\nprint(get().lr)\n", "get.cfg.lr=1", ("0.1", "1.0")),
]

REFUSALS = [
    refusal("a property with a setter that nothing stores into", PROPERTY + "c = Cfg()\nprint('ran')\n", "Cfg.lr=0.7", "script.py:3: cannot override 'Cfg.lr'", "it is a property with a setter (line 5)"),
    refusal("a property with a deleter", "class Cfg:\n    @property\n    def lr(self): return 1\n    @lr.deleter\n    def lr(self): pass\nprint('ran')\n", "Cfg.lr=0.7", "it is a property with a deleter (line 5)"),
    refusal("a stored number that is none", "cfg = {}\ncfg['lr'] = 0.1\nprint('ran')\n", "cfg.lr=abc", "script.py:2", "cfg.lr=abc", "float", "default 0.1"),
    refusal("a misspelt stored item", "cfg = {}\ncfg['lr'] = 0.1\nprint('ran')\n", "cfg.lrr=1", "'cfg.lrr'", "'cfg.lr' (line 2)"),
    refusal("a last name that two have", BOX + "c = Box()\nc.lr = 1\nd = Box()\nd.lr = 2\nprint('ran')\n", "lr=3", "fits several", "c.lr  (stored, line 4)", "d.lr  (stored, line 6)"),
    refusal("a stored name that belongs to Python", "def f(): pass\nf.__doc__ = 'a'\nprint('ran')\n", "f.__doc__=b", "f.__doc__"),
    refusal("what the base class stores", DERIVED, "Sub.lr=9", "no parameter 'Sub.lr'", "'Base.lr' (line 4)"),
    refusal("an attribute of the base class", DERIVED, "Sub.depth=9", "no parameter 'Sub.depth'", "'Base.depth' (line 2)"),
    refusal("what a method of another class stores", DERIVED, "Sub.self.n=9", "no parameter 'Sub.self.n'", "'Sub.n' (line 9)"),
    refusal("what a class and its base store", DERIVED, "n=9", "fits several", "Base.n  (stored, line 5)", "Sub.n  (stored, line 9)"),
    refusal("what is stored and an entry of it", BOX + "c = Box()\nc.opt = {'lr': 1}\nprint('ran')\n", ("c.opt={}", "c.opt.lr=1"), "script.py:4", "stands inside"),
]
