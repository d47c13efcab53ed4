"""What must stop before anything runs: exit status 2 and one message that says what to do."""

from typing import Any

from tests.semantics.case import refusal

SCRIPT = """
    print("ran")
    lr = 0.1
    sizes = [1, 2]
    mode = "a"
    cfg = {"lr": 1, "opt": {"name": "sgd"}}
    keys = {k: 1 for k in "ab"}
    for i in range(2):
        k = i
    try: pass
    except ValueError as error: pass
    class Args:
        n: int = 1
        depth = 2
        __slots__ = ()
        for q in "ab":
            z = q
    class Other:
        depth = 3
    def main(epochs=1, width=2):
        m = 2
        for j in "ab":
            v = j
    def helper(): pass
    """


def on(id_: str, arguments: Any, *words: Any) -> Any:
    return refusal(id_, SCRIPT, arguments, *words)


REFUSALS = [
    on("a misspelt global", "lrr=1", "no parameter 'lrr'", "Did you mean 'lr' (line 2)"),
    on("a misspelt entry", "cfg.opt.nme=x", "'cfg.opt.nme'", "'cfg.opt.name' (line 5)"),
    on("a misspelt attribute", "Args.dept=1", "'Args.depth' (line 13)"),
    on("a misspelt default", "main(epoch)=1", "'main(epochs)' (line 19)"),
    on("a misspelt option", "--lrr=1", "no parameter '--lrr'"),
    on("nothing like it", "qwertz=1", "--inspect script.py", "--add"),
    on("an attribute of a number", "lr.x=1", "no parameter 'lr.x'"),
    on("an index past the end", "sizes[9]=1", "no parameter 'sizes[9]'"),
    on("a key of a comprehension", "keys.a=1", "script.py:6", "comprehension", "as a whole"),
    on("a loop variable", "i=1", "script.py:7", "loop variable"),
    on("a name that only a loop assigns", "k=1", "script.py:8", "only inside a loop", "above the loop"),
    on("a name of an except", "error=1", "script.py:10", "except"),
    on("a loop variable of a class", "Args.q=1", "script.py:15", "loop variable"),
    on("a name that only a loop of a class assigns", "Args.z=1", "script.py:16", "only inside a loop"),
    on("a loop variable of a function", "main.j=1", "script.py:21", "loop variable"),
    on("a name that only a loop of a function assigns", "main.v=1", "script.py:22", "only inside a loop"),
    on("a dunder name", "__name__=x", "cannot override '__name__'", "machinery"),
    on("a dunder name of a class", "Args.__slots__=x", "script.py:14", "machinery"),
    on("a short target that fits two", "depth=1", "'depth' fits several", "Args.depth  (class attribute, line 13)", "Other.depth  (class attribute, line 18)"),
    on("a number that is none", "lr=abc", "script.py:2", "lr=abc", "float", "default 0.1"),
    on("an empty number", "lr=", "script.py:2", "expected float"),
    on("a fraction for a whole number", "Args.n=2.5", "script.py:12", "expected int"),
    on("a list that is none", "sizes=5", "script.py:3", "expected list"),
    on("a comma", "lr=0.1,0.2", "--sweep lr=0.1,0.2", "lr=(0.1,0.2)"),
    on("a comma in text", "mode=a,b", "--sweep mode=a,b", """'mode="a,b"'"""),
    on("one target twice", ("lr=1", "lr=2"), "'lr' is given twice", "1 and 2"),
    on("one target twice, once with --set", ("lr=1", "--set", "lr=2"), "'lr' is given twice"),
    on("a short and a full target", ("epochs=1", "main(epochs)=2"), "given twice", "'epochs' and 'main(epochs)'"),
    on("a container and its entry", ("cfg.opt={}", "cfg.opt.name=x"), "script.py:5", "'cfg.opt.name' stands inside 'cfg.opt'"),
    on("a name and its item", ("sizes=[3]", "sizes[0]=2"), "stands inside"),
    on("no target", "=1", "is not a target"),
    on("a target that is none", "l r=1", "'l r' is not a target"),
    on("no value", "lr", "error: 'lr' has no value: write lr=VALUE"),
    on("a colon for the sign", "lr:1", "'lr:1' gives no value to 'lr': write lr=1"),
    on("a value apart from its option", ("--lr", "1"), "write it after '--'"),
    on("--set without anything", "--set", "--set needs a value"),
    on("--add without a value", ("--add", "y"), "NAME=VALUE"),
    on("--add of a dunder", ("--add", "__name__=y"), "__name__"),
    refusal("an entrypoint that is a value", "main = 1\n", ("--entrypoint", "main"), "script.py:1: 'main' is no function"),
    on("an entrypoint that is not there", ("--entrypoint", "mian"), "no function 'mian'", "Did you mean 'main'?"),
    on("an unknown option", "--insect", "'--insect'"),
    refusal("one path written in two ways", "import types\ncfg = types.SimpleNamespace(**{'a': 1})\nprint('ran')\n",
            ("cfg.a=1", "cfg['a']=2"), "'cfg.a' is given twice"),
    refusal("a global of a module that is imported", "import other\nprint('ran')\n", "rate=2", "a module defines it", "Did you mean 'other.rate'?", files={"other.py": "rate = 1\n"}),
    refusal("an option of a module", "from opts import parse\nprint('ran', parse())\n", "--lr=2", "no parameter '--lr': a module defines it", "Did you mean 'opts.--lr'?", files={"opts.py": "import argparse\ndef parse():\n    p = argparse.ArgumentParser()\n    p.add_argument('--lr', default=1)\n    return p.parse_args()\n"}),
    refusal("a global of a module, by a star", "from other import *\nprint('ran')\n", "rate=2", "Did you mean 'other.rate'?", files={"other.py": "rate = 1\n"}),
    refusal("a global of a module behind another, which is not read", "import other\nprint('ran')\n", "rate=2", "no parameter 'rate'. 'kogine run --inspect", files={"other.py": "import behind\n", "behind.py": "rate = 1\n"}),
    refusal("an empty file", b"", "x=2", "no parameter 'x'"),
    refusal("a key that a TypedDict declares", "from typing import TypedDict\nclass C(TypedDict):\n    lr: float\ncfg: C = {'lr': 0.1}\nprint(cfg)\n", "C.lr=1", "no parameter 'C.lr'", "'cfg.lr' (line 4)"),
    *(refusal(f"a field of a class that a call makes: {made}", f"import collections, dataclasses, typing, attrs\nC = {made}\nc = C(n=1)\nassert False, c.n\n", "C.n=3", "script.py:2: cannot override 'C.n': the class C has 'n' as a field", "where the script makes the object")
      for made in ("collections.namedtuple('C', 'n m', defaults=[1, 2])", "typing.NamedTuple('C', [('n', int)])", "dataclasses.make_dataclass('C', [('n', int, 1)])", "attrs.make_class('C', {'n': attrs.field(default=1)})", "typing.TypedDict('C', {'n': int})")),
    refusal("a field of a class that a function makes", "from dataclasses import dataclass\ndef make():\n    @dataclass\n    class C:\n        n: int = 1\n    return C\nC = make()\nassert False, C()\n", "C.n=3", "the class C has 'n' as a field"),
    refusal("a field whose default a method makes", "import attrs\n@attrs.define\nclass C:\n    n: int = attrs.field()\n    @n.default\n    def _n(self): return 1\nassert False, C()\n", "C.n=3", "no parameter 'C.n'", "'C._n' (line 6)"),
    refusal("a key that a frozen mapping lacks", "import types\ndef load(): return types.MappingProxyType({'lr': 1})\ncfg = load()\nassert False, cfg\n", "cfg.lrr=3", "mappingproxy has no 'lrr'. Did you mean 'lr'?"),
    refusal("the mark of a dataclass", "from dataclasses import KW_ONLY, dataclass\n@dataclass\nclass A:\n    _: KW_ONLY\n    n: int = 1\nprint(A())\n", "A._=1", "no parameter 'A._'"),
    *(refusal(f"a config function of sacred, by {target}", "from sacred import Experiment\nex = Experiment('e')\n@ex.config\ndef cfg():\n    lr = 0.1\n    opt = {'n': 1}\n@ex.automain\ndef run(lr, opt, seed=1): print(lr, opt)\n", f"{target}=3", f"cannot override 'cfg.{target.removeprefix('cfg.')}'", "sacred reads the text of cfg again", "-- with NAME=VALUE")
      for target in ("lr", "cfg.lr", "cfg.opt.n")),
    refusal("a local of a function that torch.jit compiles from its text", "from torch import jit as j\n@j.script\ndef f(x: int, k: int = 2):\n    scale = 3\n    return x * scale * k\nprint(f(2))\n", "scale=7", "script.py:4: cannot override 'f.scale': torch.jit.script compiles the text of f again"),
    refusal("a text for the number behind the star of an unpacking", "first, *mid, (_, last) = 1, 2, (3, 4)\nprint(first, mid, last)\n", "last=x", "last=x: expected int, got 'x' (default 4)"),
]
