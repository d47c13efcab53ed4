"""Paths into objects that cannot be changed, bound in the body of a class; stores into modules."""

from tests.semantics.case import case

FROZEN = """
from dataclasses import dataclass, replace
from typing import NamedTuple
@dataclass(frozen=True)
class Opt:
    lr: float = 0.1
    n: int = 1
class P(NamedTuple):
    x: int = 1
def make(): return Opt(lr=0.5)
SGD = Opt(lr=0.9)
POINT = P(3)
"""
SHOW = "print(C.opt, vars(C()), SGD, POINT)\n"

MODULE = {"hp.py": "lr = 0\ntwice = lr * 2\ncfg = {'lr': 1}\nclass N: pass\nconf = N()\nconf.LR = 0.1\n"}


def frozen(id_: str, body: str, arguments: str | tuple[str, ...], *edits: tuple[str, str], start: str = "") -> object:
    return case(id_, f"{FROZEN.lstrip()}{start}{body}\n{SHOW}", arguments, *edits)


CASES = [
    frozen("a field of a frozen object by its name", "@dataclass\nclass C:\n    opt: Opt = SGD", "C.opt.lr=7", ("opt: Opt = SGD", "opt: Opt = replace(SGD, lr=7.0)")),
    frozen("a field that a call makes", "@dataclass\nclass C:\n    opt: Opt = make()", ("C.opt.lr=7", "C.opt.n=8"), ("opt: Opt = make()", "opt: Opt = replace(make(), lr=7.0, n=8)")),
    frozen("a field that replace makes", "@dataclass\nclass C:\n    opt: Opt = replace(SGD, n=3)", "C.opt.lr=7", ("replace(SGD, n=3)", "replace(SGD, n=3, lr=7.0)")),
    frozen("a frozen object of a plain class", "class C:\n    opt = SGD", "C.opt.lr=7", ("opt = SGD", "opt = replace(SGD, lr=7.0)")),
    frozen("a named tuple of a class with a base", "class C(Base):\n    opt = POINT", "C.opt.x=7", ("opt = POINT", "opt = POINT._replace(x=7)"), start="class Base: pass\n"),
    frozen("a named tuple with two names", "class C:\n    opt = other = POINT", "C.opt.x=7", ("opt = other = POINT", "other = POINT; opt = POINT._replace(x=7)")),
    frozen("one that is unpacked", "class C:\n    opt, other = POINT, 2", "C.opt.x=7", ("opt, other = POINT, 2", "opt, other = POINT._replace(x=7), 2")),
    frozen("one on a condition", "class C:\n    if SGD:\n        opt = POINT", "C.opt.x=7", ("opt = POINT", "opt = POINT._replace(x=7)")),
    case("the value of an enum's member", f"import enum\n{FROZEN.lstrip()}class C(enum.Enum):\n    A = POINT\n    B = P(4)\nprint(list(C))\n", ("C.A.x=7",), ("A = POINT", "A = POINT._replace(x=7)")),
    case("a frozen class of attrs", """
        import attr
        @attr.frozen
        class O:
            lr: float = 0.1
        BASE = O(0.2)
        @attr.define
        class C:
            o: O = BASE
        print(C(), BASE)
        """, "C.o.lr=7", ("o: O = BASE", "o: O = attr.evolve(BASE, lr=7.0)")),
    case("a frozen model of pydantic", """
        import pydantic
        class O(pydantic.BaseModel, frozen=True):
            lr: float = 0.1
            n: int = 1
        def make(): return O(lr=0.2)
        class C(pydantic.BaseModel):
            o: O = make()
        print(C())
        """, ("C.o.lr=7", "C.o.n=8"), ("o: O = make()", "o: O = make().model_copy(update={'lr': 7.0, 'n': 8})")),
    case("a store into a module that defines the name", "import hp\nhp.lr = 0.1\nprint(hp.lr, hp.twice)\n", "hp.lr=5", ("0.1", "5.0"), files=MODULE),
    case("a store into a module that lacks the name", "import hp\nhp.n = 3\nprint(hp.n)\n", "hp.n=5", ("3", "5"), files=MODULE),
    case("a store into an imported dict", "from hp import cfg\ncfg['lr'] = 0.1\ncfg['new'] = 2\nprint(cfg)\n", ("cfg.lr=5", "cfg.new=6"), ("0.1", "5.0"), ("= 2", "= 6"), files=MODULE),
    case("a store into an imported object by another name", "from hp import conf as cfg\ncfg.LR = 0.2\nprint(cfg.LR)\n", "cfg.LR=5", ("0.2", "5.0"), files=MODULE),
    case("a store into a module of Python's", "import decimal as dec\ndec.prec = 5\nprint(dec.prec)\n", "dec.prec=6", ("5", "6")),
    case("a store into a module in a function", "import hp\ndef main():\n    hp.lr = 0.1\n    print(hp.lr)\nmain()\n", "main.hp.lr=5", ("0.1", "5.0"), files=MODULE),
    case("a store into a submodule", "import xml.dom\nxml.dom.N = 3\nprint(xml.dom.N)\n", "xml.dom.N=5", ("= 3", "= 5")),
]  # fmt: skip
