"""Literal keywords of bare calls and of calls with several targets; defaults that no call uses."""

from tests.semantics.case import case, refusal

MODEL = """
class Model:
    def fit(self, *data, epochs=1, verbose=0, **more):
        print("fit", data, epochs, verbose, more)
        return data, epochs
    def compile(self, **more):
        print("compile", more)
        return self
model = Model()
"""

POOL = """
class Pool:
    def __init__(self, size): self.size, self.twice = size, size * 2; print(size)
    def itself(self): return self
    def __enter__(self): return self
    def __exit__(self, *error): pass
    async def __aenter__(self): return self
    async def __aexit__(self, *error): pass
"""

CASES = [
    case("a bare call", MODEL + "model.fit([1], epochs=5, batch=32)\n", ("model.fit(epochs)=9", "model.fit(batch)=64"), ("epochs=5", "epochs=9"), ("batch=32", "batch=64")),
    case("a bare call, by its last name", MODEL + "model.fit([1], batch=32)\n", "batch=64", ("batch=32", "batch=64")),
    case("the argument of a bound call wins over the default that it hides", "def build(n=1): return n\nm = build(n=5)\nif m: print(m)\nk = 3\nprint(max(m, 1))\n", "n=9", ("n=5", "n=9")),
    case("a call that starts the program is one with the default", "def build(n=1): return n\nm = build(n=5)\nprint(m)\n", "n=9", ("n=5", "n=9")),
    case("so it does in a method", "class A:\n    def __init__(self, n=1): self.n = n\nclass B:\n    def __init__(self): self.a = A(n=5)\nprint(B().a.n)\n", "n=9", ("n=5", "n=9")),
    case("so it does in a with", "from contextlib import contextmanager\n@contextmanager\ndef part(n=1): yield n\nwith part(n=5) as k: print(k)\n", "n=9", ("n=5", "n=9")),
    case("so it does for a field", "from dataclasses import dataclass\n@dataclass\nclass A:\n    n: int = 1\na = A(n=5)\nprint(a)\n", "n=9", ("n=5", "n=9")),
    case("a default that one of the calls uses is not hidden", "def build(n=1): return n\nprint(build(n=5), build())\n", "build(n)=9", ("n=1", "n=9")),
    case("a default of a context manager that a call hides", "from contextlib import contextmanager\n@contextmanager\ndef part(n=1): yield n\ndef run():\n    with part(n=5) as k: print(k)\nrun()\n", "part(n)=9", ("n=1", "n=9"), warned=("part(n)",), same=True),
    case("a keyword wins over the default that it hides", MODEL + "model.fit([1], epochs=5)\n", "epochs=9", ("epochs=5", "epochs=9")),
    case("a keyword of a module's function is the call's, not the module's default", "import hp\nhp.init(3, config={'lr': 0.1}, mode='off')\nhp.init(4)\ndef main(): hp.fit(epochs=5)\nmain()\n",
        ("hp.init(mode)=on", "hp.init.config.lr=0.5", "hp.fit(epochs)=9"), ("'off'", "'on'"), ("0.1", "0.5"), ("epochs=5", "epochs=9"), files={"hp.py": "def init(n, config=None, mode='no'): print(n, config, mode)\ndef fit(epochs=1): print(epochs)\n"}),
    case("a call with two targets", MODEL + "h, s = model.fit([1], epochs=5)\nprint(h, s)\n", "model.fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("a call with a starred target and with a list", MODEL + "[h, *s] = model.fit([1], epochs=5)\nprint(h, s)\n", "model.fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("a call in the guard", MODEL + "if __name__ == '__main__':\n    model.fit([1], epochs=5)\n", "model.fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("a call in the starting function", MODEL + "def main():\n    model.fit([1], epochs=5)\nif __name__ == '__main__':\n    main()\n", "model.fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("a call in the starting function, in full", MODEL + "def main():\n    model.fit([1], epochs=5)\nif __name__ == '__main__':\n    main()\n", "main.model.fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("a call in another function", MODEL + "def work():\n    model.fit([1], epochs=5)\ndef main():\n    work()\nmain()\n", "work.model.fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("a call in a method", MODEL + "class T:\n    def run(self):\n        self.m = model\n        self.m.fit([1], epochs=5)\nT().run()\n", "T.run.self.m.fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("a call in a loop", MODEL + "for i in range(2):\n    model.fit(i, epochs=5, xs=[])\n", ("model.fit(epochs)=9", "model.fit(xs)=[7]"), ("epochs=5", "epochs=9"), ("xs=[]", "xs=[7]")),
    case("a list for a call in a loop is a new one each time", "def f(i, xs): xs.append(i); print(xs)\nfor i in range(2):\n    f(i, xs=[])\n", "f(xs)=[7]", ("xs=[]", "xs=[7]")),
    case("a list for a call in a while loop", "i = 0\ndef f(xs):\n    global i\n    xs.append(i); i += 1; print(xs)\nwhile i < 2:\n    f(xs=[])\n", "f(xs)=[7]", ("xs=[]", "xs=[7]")),
    case("both arms of an if", MODEL + "if len('ab') > 1:\n    model.fit(1, epochs=5)\nelse:\n    model.fit(2, epochs=6)\n", "model.fit(epochs)=9", ("epochs=5", "epochs=9"), ("epochs=6", "epochs=9")),
    case("the first of two calls", MODEL + "model.fit(1, epochs=5)\nmodel.fit(2, epochs=6)\n", "model.fit(epochs)=9", ("epochs=5", "epochs=9"), warned=("model.fit(epochs)",)),
    case("a chain of calls", MODEL + "Model().compile(loss='mse').fit(1, epochs=5)\n", ("Model.compile(loss)=mae", "Model.compile.fit(epochs)=9"), ("'mse'", "'mae'"), ("epochs=5", "epochs=9")),
    case("a keyword on several lines, with comments", MODEL + "model.fit(\n    1,\n    epochs=(  # rounds\n        5\n    ),  # end\n    batch=3,\n)\n1/0\n", "model.fit(epochs)=9", ("        5\n", "        9\n")),
    case("a dict and a list", MODEL + "model.fit(opt={'lr': 0.1}, sizes=[1, 2])\n", ("model.fit(opt)={'lr': 3}", "model.fit(sizes)=[]"), ("{'lr': 0.1}", "{'lr': 3}"), ("[1, 2]", "[]")),
    case("an awaited call", "import asyncio\nasync def step(n, m=1): print(n, m)\nasync def main():\n    await step(1, m=5)\nasyncio.run(main())\n", "main.step(m)=9", ("m=5", "m=9")),
    case("a library's function", "import random\nrandom.seed(a=3)\nprint(random.random())\n", "random.seed(a)=5", ("a=3", "a=5")),
    case("a function without a default", "def train(epochs): print(epochs)\ndef test(): print('test')\ntrain(epochs=5)\ntest()\n", "train(epochs)=9", ("epochs=5", "epochs=9")),
    case("the one call of a function with a default", "def train(epochs=1): print(epochs)\ndef test(): print('test')\ntrain(epochs=5)\ntest()\n", "train(epochs)=9", ("epochs=1", "epochs=9"), ("epochs=5", "epochs=9")),
    case("a caller's keyword wins where another call uses the default", "def train(epochs=1): print(epochs)\ntrain(epochs=5)\ntrain()\n", "train(epochs)=9", ("epochs=1", "epochs=9")),
    case("a call under with and try", MODEL + "import contextlib\nwith contextlib.nullcontext():\n    try:\n        model.fit(1, epochs=5)\n    finally:\n        pass\n", "model.fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("a call that does not run", MODEL + "if not model:\n    model.fit(1, epochs=5)\nprint('x')\n", "model.fit(epochs)=9", ("epochs=5", "epochs=9"), warned=("model.fit(epochs)",), same=True),
    case("an object of a config for a keyword", MODEL + "model.fit(loss=None)\n", ("--config", "cfg.py"), ("loss=None", "loss=3.5"), files={"cfg.py": "_overrides = {'model.fit(loss)': 3.5}\n"}),
    # Calls inside a larger expression.
    case("a call whose attribute gets the name", MODEL + "hist = model.compile(lr=5).fit\nprint(hist(1))\n", "model.compile(lr)=9", ("lr=5", "lr=9")),
    case("a call whose item gets the name", MODEL + "hist = model.fit([1], epochs=5)[1]\nprint(hist)\n", "model.fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("a call whose item gets the name, by its last name", MODEL + "hist = model.fit([1], epochs=5)[1]\nprint(hist)\n", "epochs=9", ("epochs=5", "epochs=9")),
    case("a call in the starting function whose item gets a name", MODEL + "def main():\n    hist = model.fit([1], epochs=5)[1]\n    print(hist)\nif __name__ == '__main__':\n    main()\n", "main.model.fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("a call in another function whose item gets a name", MODEL + "def work():\n    hist = model.fit([1], epochs=5)[1]\n    print(hist)\ndef main(): work()\nmain()\n", "work.model.fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("a call in a call", "def score(n): return [n, 2]\nacc = float(score(n=5)[0])\nprint(acc)\n", "score(n)=9", ("n=5", "n=9")),
    case("a call in a product", "def score(n): return n\nacc = score(n=5) * 2 + score(n=6)\nprint(acc)\nif 1: pass\n", "score(n)=9", ("n=5", "n=9"), warned=("score(n)",)),
    case("a call for two names", "def score(n): return n\na = b = score(n=5)\nprint(a, b)\n", "score(n)=9", ("n=5", "n=9")),
    case("a call that is returned", "def score(n): return n\ndef main(): return score(n=5)\nprint(main())\n", "score(n)=9", ("n=5", "n=9")),
    case("a call in a condition", "def score(n): return n\nif score(n=5) > 7: print('more')\nprint('end')\n", "score(n)=9", ("n=5", "n=9")),
    case("a call that a loop goes through", "def batches(size): return range(size)\nfor i in batches(size=2): print(i)\nprint('end')\n", "batches(size)=3", ("size=2", "size=3")),
    case("a call in a comprehension", "def score(n, xs): xs.append(n); return xs\na = [score(i, xs=[]) for i in range(2)]\nprint(a)\n", "score(xs)=[7]", ("xs=[]", "xs=[7]")),
    case("a layer that a call adds", "class Dense:\n    def __init__(self, units): self.units = units\nlayers = []\nlayers.append(Dense(units=4))\nlayers.append(Dense(units=5))\nprint([one.units for one in layers])\n", "Dense(units)=9", ("units=4", "units=9"), warned=("Dense(units)",)),
    case("a call bound in a loop", "def make(n): return n\nfor i in range(2):\n    clf = make(n=5)\n    print(clf)\n", "make(n)=9", ("n=5", "n=9")),
    case("a call stored under a computed key", "def make(n): return n\nfound = {}\nfor i in range(2):\n    found[i] = make(n=5)\nprint(found)\n", "make(n)=9", ("n=5", "n=9")),
    case("a call added to a name", "def make(n): return n\nfound = 1\nfound += make(n=5)\nprint(found)\n", "make(n)=9", ("n=5", "n=9")),
    case("a statement of its own comes first for a short target", MODEL + "def score(epochs): return epochs\nacc = score(epochs=2) + 1\nmodel.fit([1], epochs=5)\nif 1: pass\n", "epochs=9", ("epochs=5", "epochs=9")),
    case("an entry stays the name's", MODEL + "hist = model.fit([1], epochs=5)\nprint(hist)\n", "hist.epochs=9", ("epochs=5", "epochs=9")),
    case("an entry in a list stays the name's", "class Dense:\n    def __init__(self, units): self.units = units\nlayers = [Dense(units=4)]\nprint([one.units for one in layers])\n", "layers[0].units=9", ("units=4", "units=9")),
    case("an awaited call in a larger expression", "import asyncio\nasync def step(n): return [n]\nasync def main():\n    a = (await step(n=5))[0] + 1\n    print(a)\nasyncio.run(main())\n", "main.step(n)=9", ("n=5", "n=9")),
    case("a default and its one call in a larger expression", "def f(n=1): return [n]\na = f(n=5)[0]\nprint(a)\nif 1: pass\n", "f(n)=9", ("n=1", "n=9"), ("n=5", "n=9")),
    case("a key of the result that was not there", MODEL + "hist = model.fit([1], epochs=5)[0]\nclass R: pass\nres = [R()][0]\nprint(hist, vars(res))\n", "res.epochs=9", ("vars(res)", "{'epochs': 9}"), warned=("res.epochs",)),
    # Receivers that are items or results.
    case("an item of a list", MODEL + "models = [model, model]\nmodels[0].fit([1], epochs=5)\nmodels[1].fit([1], epochs=6)\n", "models[1].fit(epochs)=9", ("epochs=6", "epochs=9")),
    case("an item of a list, from its end", MODEL + "models = [model, model]\nmodels[-1].fit([1], epochs=5)\n", "models[-1].fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("an item of a dict", MODEL + "cfg = {'m': model}\ncfg['m'].fit([1], epochs=5)\n", "cfg.m.fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("an item of a dict, in brackets", MODEL + "cfg = {'m': model, 'a b': model}\ncfg['m'].fit([1], epochs=5)\ncfg['a b'].fit(epochs=6)\n", ('cfg["m"].fit(epochs)=9', "cfg['a b'].fit(epochs)=8"), ("epochs=5", "epochs=9"), ("epochs=6", "epochs=8")),
    case("an attribute of an item", MODEL + "class Box: net = model\nmodels = [Box()]\nmodels[0].net.fit([1], epochs=5)\n", "models[0].net.fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("an item with a computed index", MODEL + "models = [model, model]\nfor i in range(2): models[i].fit(i, epochs=5)\n", "models.fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("an item in the starting function", MODEL + "models = [model]\ndef main():\n    models[0].fit([1], epochs=5)\nif __name__ == '__main__':\n    main()\n", "models[0].fit(epochs)=9", ("epochs=5", "epochs=9")),
    case("an item by the last name", MODEL + "models = [model]\nmodels[0].fit([1], epochs=5)\n", "epochs=9", ("epochs=5", "epochs=9")),
    case("a result", MODEL + "def get(): return model\nget().fit([1], epochs=5)\n", "get.fit(epochs)=9", ("epochs=5", "epochs=9")),
    # The call of a with statement.
    case("the call of a with", POOL + "with Pool(size=5) as pool:\n    print(pool.size, pool.twice)\n", "pool.size=9", ("size=5", "size=9")),
    case("the call of a with, by the last name", "from multiprocessing.pool import ThreadPool\nwith ThreadPool(processes=2) as pool:\n    print(pool._processes)\n", "processes=3", ("processes=2", "processes=3")),
    case("the call of a with whose object is another", POOL + "class Made(Pool):\n    def __enter__(self): return [self.twice]\nwith Made(size=5) as pool:\n    print(pool)\n", "pool.size=9", ("size=5", "size=9")),
    case("the call of a with in the starting function", POOL + "def main():\n    with Pool(size=5) as pool:\n        print(pool.size, pool.twice)\nif __name__ == '__main__':\n    main()\n", "main.pool.size=9", ("size=5", "size=9")),
    case("the calls of a with", POOL + "with Pool(size=5) as a, Pool(size=6) as b:\n    print(a.twice, b.twice)\n", "b.size=9", ("size=6", "size=9")),
    case("a chain of calls in a with", POOL + "with Pool(size=5).itself() as pool:\n    print(pool.twice)\n", "pool.size=9", ("size=5", "size=9")),
    case("a with without a name", POOL + "with Pool(size=5):\n    print('in')\n", "Pool(size)=9", ("size=5", "size=9")),
    case("a with without a name in the starting function", POOL + "def main():\n    with Pool(size=5), Pool(size=6) as b:\n        print('in')\nmain()\n", ("main.Pool(size)=9", "main.b.size=7"), ("size=5", "size=9"), ("size=6", "size=7")),
    case("a with that unpacks", POOL + "class Pair(Pool):\n    def __enter__(self): return self.size, self.twice\nwith Pair(size=5) as (a, b):\n    print(a, b)\n", "Pair(size)=9", ("size=5", "size=9")),
    case("a call inside the call of a with", POOL + "from contextlib import nullcontext\nwith nullcontext(Pool(size=5)) as pool:\n    print(pool.twice)\n", "Pool(size)=9", ("size=5", "size=9")),
    case("an async with", POOL + "import asyncio\nasync def main():\n    async with Pool(size=5) as pool, Pool(size=6):\n        print(pool.twice)\nasyncio.run(main())\n", ("main.pool.size=9", "main.Pool(size)=7"), ("size=5", "size=9"), ("size=6", "size=7")),
    case("a with in a loop", POOL + "for i in range(2):\n    with Pool(size=5) as pool:\n        print(pool.twice)\n", "Pool(size)=9", ("size=5", "size=9")),
    case("an attribute of what a with binds", POOL + "with Pool(size=5) as pool:\n    print(pool.size, pool.twice)\n", "pool.twice=3", ("pool:\n", "pool:\n    pool.twice = 3\n")),
    # Defaults that no call uses: as if edited, and said.
    case("a default that a partial replaces", """
        from functools import partial
        def train(lr=0.1, n=2):
            print(lr, n)
        partial(train, lr=0.2)()
        """, ("train(lr)=5", "n=7"), ("lr=0.1", "lr=5.0"), ("n=2", "n=7"), warned=("train(lr)",)),
    case("a default that one of two partials replaces", """
        import functools
        def train(lr=0.1):
            print(lr)
        functools.partial(train, 0.2)()
        functools.partial(train)()
        """, "train(lr)=5", ("lr=0.1", "lr=5.0")),
    case("a default that the calls hide", "def f(n=1): print(n)\nf(n=5)\nf(7)\nif 1: pass\n", "f(n)=9", ("n=1", "n=9"), warned=("f(n)",), same=True),
    case("a method's default that a call hides", "class M:\n    def fit(self, n=1): print(n)\nx = 3\nm = M()\nm.fit(n=x)\n", "M.fit(n)=9", ("n=1", "n=9"), warned=("M.fit(n)",), same=True),
    case("a default of __init__ that a call hides", "class M:\n    def __init__(self, n=1): print(n)\nx = 3\nm = M(x)\n", "M.__init__(n)=9", ("n=1", "n=9"), warned=("M.__init__(n)",), same=True),
    case("a field's default that a call hides", "from dataclasses import dataclass\n@dataclass\nclass A:\n    n: int = 1\n    m: int = 2\nx = 3\na = A(m=0, n=x)\nprint(a)\n", "A.n=9", ("n: int = 1", "n: int = 9"), warned=("A.n",), same=True),
    case("a field's default that a positional argument hides", "from dataclasses import dataclass\n@dataclass\nclass A:\n    n: int = 1\n    m: int = 2\nx = 3\na = A(x)\nprint(a)\n", "A.n=9", ("n: int = 1", "n: int = 9"), warned=("A.n",), same=True),
    case("an inherited method's default that a call hides", "class B:\n    def fit(self, n=1): print(n)\nclass M(B): pass\nx = 3\nM().fit(n=x)\n", "B.fit(n)=9", ("n=1", "n=9"), warned=("B.fit(n)",), same=True),
    # Defaults that some call uses, or may use: nothing is said.
    case("one call uses the default", "def f(n=1): print(n)\nf(n=5)\nf()\n", "f(n)=9", ("n=1", "n=9")),
    case("a call with a spread", "def f(n=1): print(n)\nmore = {}\nf(n=5)\nf(**more)\nprint('end')\n", "f(n)=9", ("n=1", "n=9")),
    case("a call with a star", "def f(n=1): print(n)\nmore = []\nf(n=5)\nf(*more)\nprint('end')\n", "f(n)=9", ("n=1", "n=9")),
    case("a function that is passed on", "def f(n=1): print(n)\nx = 3\nf(n=x)\nlist(map(lambda g: g(), [f]))\nif 1: pass\n", "f(n)=9", ("n=1", "n=9")),
    case("a method that a loop calls on what it gets", "class M:\n    def fit(self, n=1): print(n)\nx = 3\nm = M()\nm.fit(n=x)\nfor one in [m]: one.fit()\n", "M.fit(n)=9", ("n=1", "n=9")),
    case("a bound method that is passed on", "class M:\n    def fit(self, n=1): print(n)\nx = 3\nm = M()\nm.fit(n=x)\nlist(map(lambda g: g(), [m.fit]))\n", "M.fit(n)=9", ("n=1", "n=9")),
    case("a class that is passed on", "from dataclasses import dataclass\n@dataclass\nclass A:\n    n: int = 1\nx = 3\nprint(A(n=x), [make() for make in [A]])\n", "A.n=9", ("n: int = 1", "n: int = 9")),
    case("super's call uses the default", "class B:\n    def __init__(self, n=1): print(n)\nclass M(B):\n    def __init__(self): super().__init__()\nx = 3\nB(n=x)\nM()\n", "B.__init__(n)=9", ("n=1", "n=9")),
    case("a subclass without __init__ uses the default", "class B:\n    def __init__(self, n=1): print(n)\nclass M(B): pass\nx = 3\nB(n=x)\nM()\n", "B.__init__(n)=9", ("n=1", "n=9")),
    case("a decorated function", "def twice(f): return lambda n=None: (f(), n)\n@twice\ndef f(n=1): print(n)\nx = 3\nf(n=x)\nprint('end')\n", "f(n)=9", ("n=1", "n=9")),
    case("a call by getattr", "class M:\n    def fit(self, n=1): print(n)\nx = 3\nm = M()\nm.fit(n=x)\ngetattr(m, 'fit')()\n", "M.fit(n)=9", ("n=1", "n=9")),
    case("a function that nothing in the file calls", "def f(n=1): print(n)\nglobals()['f']()\n", "f(n)=9", ("n=1", "n=9")),
    case("a class attribute that is no field", "class A:\n    n: int = 1\n    def __init__(self, n): pass\nA(n=3)\nprint(A.n)\n", "A.n=9", ("n: int = 1", "n: int = 9")),
    case("a recursive call", "def f(k, n=1):\n    print(n)\n    if k: f(k - 1)\nx = 3\nf(2, n=x)\nif 1: pass\n", "f(n)=9", ("n=1", "n=9")),
    case("a dict in a bare call", "def init(**more): print(more)\ninit(project='p', config={'lr': 0.1, 'n': len('ab'), 'arch': dict(depth=2)})\n",
         ("lr=1", "init.config.arch.depth=5"), ("0.1", "1.0"), ("depth=2", "depth=5")),
    case("a dict by position in a bare call, in a function", "def train(cfg): print(cfg)\ndef main():\n    train({'lr': 0.1, 'n': 2})\nmain()\n",
         ("lr=1", "main.train.n=5"), ("0.1", "1.0"), ("'n': 2", "'n': 5")),
    case("a dict in the call of the guard", "def train(cfg, **more): print(cfg, more)\nif __name__ == '__main__':\n    train({'lr': 0.1}, opt=dict(name='sgd'))\n",
         ("lr=1", "name=adam"), ("0.1", "1.0"), ("'sgd'", "'adam'")),
    case("a dict in several calls", "def train(cfg): print(cfg)\ntrain({'lr': 0.1})\ntrain({'lr': 0.2})\n", "lr=1", ("0.1", "1.0"), warned=("train.lr",)),
    case("a local is not the entry of a dict in the call", "def train(cfg):\n    lr = 3\n    print(cfg, lr)\ntrain({'lr': 0.1})\n", "train.lr=5", ("= 3", "= 5")),
    case("a dict that a function returns", """
        def get_config():
            return {"lr": 0.1, "opt": {"name": "sgd"}}
        def hp(): return dict(warm=5)
        c = get_config()
        print(c, hp())
        """, ("lr=5", "get_config.opt.name=adam", "warm=7"), ("0.1", "5.0"), ('"sgd"', '"adam"'), ("warm=5", "warm=7")),
    case("keys that are no names, of dicts that are passed and returned", """
        def f(xs): return {"a b": 1, "x": xs}
        def g(): return {"&": {"7": 2}}
        print(f({"123": 3, "q": 4}), g())
        """, ("f['123']=5", "f['a b']=6", "g['&']['7']=7", "q=8"),
         ('"123": 3', '"123": 5'), ('"a b": 1', '"a b": 6'), ('"7": 2', '"7": 7'), ("4", "8")),
    case("dicts in two returns", """
        def get(small):
            if small:
                return {"bs": 2}
            return {"bs": 20, "n": 1}
        print(get(True), get(False))
        """, "bs=7", ('"bs": 2}', '"bs": 7}'), ("20", "7")),
    case("a local is not the entry of a returned dict", """
        def get():
            lr = 3
            return {"lr": 1, "n": lr}
        print(get())
        """, "lr=5", ("lr = 3", "lr = 5")),
    case("a dict that a method returns", """
        class A:
            def hp(self): return {"mom": 0.9}
            @staticmethod
            def defaults(): return dict(wd=1)
        print(A().hp(), A.defaults())
        """, ("mom=1", "A.defaults.wd=3"), ("0.9", "1.0"), ("wd=1", "wd=3")),
    case("a dict that an asynchronous function returns", """
        import asyncio
        async def get(): return {"lr": 0.1}
        print(asyncio.run(get()))
        """, "get.lr=5", ("0.1", "5.0")),
]

REFUSALS = [
    refusal("a misspelt keyword", MODEL + "model.fit([1], epochs=5)\nprint('ran')\n", "model.fit(epoch)=9", "'model.fit(epoch)'", "'model.fit(epochs)' (line"),
    refusal("a keyword that is no literal", MODEL + "n = 3\nmodel.fit([1], batch=n)\nprint('ran')\n", "model.fit(batch)=9", "no parameter 'model.fit(batch)'"),
    refusal("a number that is none for a keyword", "def f(n): print('ran')\nf(n=3)\nprint()\n", "f(n)=abc", "script.py:2", "f(n)=abc", "int", "default 3"),
    refusal("a last name that two calls have", "def f(n): print('ran')\ndef g(n): print('ran')\nf(n=3)\ng(n=4)\nif 1: pass\n", "n=5", "fits several", "f(n)", "g(n)"),
]
