"""Settings below an object: of dataclasses, attrs, pydantic and others; lists for their fields."""

from tests.semantics.case import Refusal, case, refusal

OPT = """
    from dataclasses import dataclass, field
    import functools
    @dataclass
    class Sched:
        warm: int = 10
    @dataclass
    class Opt:
        lr: float = 0.1
        name: str = "sgd"
        sched: Sched = field(default_factory=Sched)
        steps: int = field(init=False)
        def __post_init__(self): self.steps = int(self.lr * 100)
    def make(): return Opt(lr=0.7)
    @dataclass
    class Cfg:
        opt: Opt = field(default_factory=Opt)
        some: Opt = field(default_factory=lambda: Opt(lr=0.3))
        more: Opt = field(repr=True, default_factory=functools.partial(Opt, lr=0.9))
        made: Opt = field(default_factory=make)
        must: Opt = field(kw_only=True)
        extra: dict = field(default_factory=dict)
    print(Cfg(must=None), Cfg(must=None).opt is Cfg(must=None).opt)
    """


def nested(id_: str, arguments: str | tuple[str, ...], *edits: tuple[str, str], warned: tuple[str, ...] = ()):  # type: ignore[no-untyped-def]
    return case(id_, OPT, arguments, *edits, warned=warned)


CASES = [
    nested("what a factory makes", "Cfg.opt.lr=0.5", ("default_factory=Opt)", "default_factory=lambda: Opt(lr=0.5))")),
    nested("several settings of one factory", ("Cfg.opt.lr=0.5", "Cfg.opt.name=adam", "Cfg.opt.sched.warm=3"),
           ("default_factory=Opt)", "default_factory=lambda: Opt(lr=0.5, name='adam', sched=Sched(warm=3)))")),
    nested("an argument in a lambda", "Cfg.some.lr=0.5", ("lr=0.3", "lr=0.5")),
    nested("a keyword more in a lambda", "Cfg.some.name=x", ("lr=0.3", "lr=0.3, name='x'")),
    nested("an argument of a partial", "Cfg.more.lr=0.5", ("lr=0.9", "lr=0.5")),
    nested("what any function makes", "Cfg.made.name=x",
           ("default_factory=make)", "default_factory=lambda: Opt(lr=0.7, name='x'))")),
    nested("text is read as the field's type", "Cfg.opt.name=007", ("default_factory=Opt)", "default_factory=lambda: Opt(name='007'))")),
    nested("a key of an open dict", "Cfg.extra.k=1", ("default_factory=dict)", "default_factory=lambda: {'k': 1})"),
           warned=("Cfg.extra.k",)),
    case("an instance as the default", """
        from dataclasses import dataclass
        @dataclass(frozen=True)
        class Opt:
            lr: float = 0.1
        @dataclass
        class Cfg:
            opt: Opt = Opt()
        print(Cfg())
        """, "Cfg.opt.lr=1", ("= Opt()", "= Opt(lr=1.0)")),
    case("attrs: factories and instances", """
        import attrs
        from attrs import Factory, define, field
        @define
        class Opt:
            lr: float = field(default=0.1)
        @attrs.frozen
        class Cfg:
            a: Opt = field(factory=Opt)
            b: Opt = Factory(Opt)
            c: Opt = field(default=Factory(lambda: Opt(lr=0.3)))
        print(Cfg())
        """, ("Cfg.a.lr=1", "Cfg.b.lr=2", "Cfg.c.lr=3"), ("factory=Opt)", "factory=lambda: Opt(lr=1.0))"),
         ("b: Opt = Factory(Opt)", "b: Opt = Factory(lambda: Opt(lr=2.0))"), ("lr=0.3", "lr=3.0")),
    case("pydantic: models in models", """
        from pydantic import BaseModel, Field
        class Opt(BaseModel):
            lr: float = Field(0.1, gt=0)
        class Net(Opt):
            width: int = 3
        class Cfg(BaseModel):
            a: Opt = Opt()
            b: Opt = Field(default_factory=Opt)
            c: Net = Field(default=Net(width=2))
        print(Cfg())
        """, ("Cfg.a.lr=1", "Cfg.b.lr=2", "Cfg.c.lr=3", "Cfg.c.width=4"), ("= Opt()", "= Opt(lr=1.0)"),
         ("default_factory=Opt)", "default_factory=lambda: Opt(lr=2.0))"), ("width=2", "width=4, lr=3.0")),
    case("a call of a class with fields takes a keyword", """
        from dataclasses import dataclass
        from typing import NamedTuple
        @dataclass
        class Base:
            lr: float = 0.1
        @dataclass(frozen=True)
        class Args(Base):
            n: int = 1
            def __post_init__(self): print("made", self.lr, self.n)
        class P(NamedTuple):
            x: int = 1
        def main():
            args = Args()
            return args, P()
        args = {"a": Args(n=2)}
        p = P()
        print(main(), args, p)
        """.replace("@dataclass\n        class Base", "@dataclass(frozen=True)\n        class Base"),
         ("main.args.lr=5", "args.a.lr=6", "p.x=7"),
         ("    args = Args()", "    args = Args(lr=5.0)"), ("Args(n=2)", "Args(n=2, lr=6.0)"), ("p = P()", "p = P(x=7)")),
    case("a list for a field", """
        from dataclasses import dataclass, field
        from typing import ClassVar, Optional
        @dataclass
        class C:
            names: Optional[list] = None
            sizes: "Optional[dict]" = field(default=None, repr=True)
            kinds: Optional[set] = field(repr=True, default=None, compare=False)
            shared: ClassVar[Optional[list]] = None
            plain = None
        print(C(), C().names is C().names, C.shared, C.plain)
        """, ("C.names=['q']", "C.sizes={'a': [1]}", "C.kinds={1}", "C.shared=[2]", "C.plain=[3]"),
         ("list] = None\n    sizes", "list] = field(default_factory=lambda: ['q'])\n    sizes"),
         ("default=None, repr=True)", "default_factory=lambda: {'a': [1]}, repr=True)"),
         ("default=None, compare=False", "default_factory=lambda: {1}, compare=False"), ("ClassVar[Optional[list]] = None", "ClassVar[Optional[list]] = [2]"),
         ("plain = None", "plain = [3]")),
    case("other values for the same fields", """
        import dataclasses as d
        from dataclasses import dataclass as data
        @data(frozen=True)
        class C:
            names: list = None
            size: int = d.field(default=3, metadata={"help": "n"})
            must: str
        print(C("m"), C.size, C.__dataclass_fields__["size"].metadata)
        """.replace("            must: str\n", "").replace('C("m")', "C()"),
         ("C.names=None", "C.size=4"), ("default=3", "default=4")),
    case("a list for a field that has to be given", """
        from dataclasses import dataclass, field
        @dataclass
        class C:
            names: list
            sizes: list = field()
        print(C() if 1 else 0)
        """, ("C.names=[1]", "C.sizes=[2]"), ("names: list", "names: list = field(default_factory=lambda: [1])"),
         ("field()", "field(default_factory=lambda: [2])")),
    case("a list for a field of attrs", """
        import attr
        from attrs import define, field
        @define
        class A:
            a: list = None
            b: list = field(default=None)
        @attr.s
        class B:
            c = attr.ib(default=None)
        print(A(), A().a is A().a, A().b is A().b, B(), B().c is B().c)
        """, ("A.a=[1]", "A.b=[2]", "B.c=[3]"), ("a: list = None", "a: list = attr.Factory(lambda: [1])"),
         ("field(default=None)", "field(factory=lambda: [2])"), ("attr.ib(default=None)", "attr.ib(factory=lambda: [3])")),
    case("a list for a field of pydantic", """
        from pydantic import BaseModel, Field
        from pydantic.dataclasses import dataclass
        class M(BaseModel):
            a: list | None = None
            b: list | None = Field(None, min_length=1)
        @dataclass
        class D:
            c: list | None = None
        print(M(), M().a is M().a, D(), D().c is D().c)
        """, ("M.a=[1]", "M.b=[2]", "D.c=[3]"), ("a: list | None = None", "a: list | None = [1]"), ("Field(None", "Field([2]"),
         ("c: list | None = None", "c: list | None = __import__('dataclasses').field(default_factory=lambda: [3])")),
    case("objects of a config for fields", """
        from dataclasses import dataclass
        @dataclass
        class C:
            opt: object = None
            xs: object = None
        print(C().opt["a"], C().xs, C().xs is C().xs)
        """, ("-c", "cfg.py"), ("opt: object = None\n    xs: object = None", "from dataclasses import field\n    opt: object = field(default_factory=lambda: {'a': 1j})\n    xs: object = field(default_factory=lambda: [1])"),
         files={"cfg.py": "_overrides = {'C.opt': {'a': 1j}, 'C.xs': [1]}\n"}),
]

MADE = """
    import collections, dataclasses, datetime, decimal, enum, pathlib, types
    import attrs, pydantic
    @dataclasses.dataclass
    class Opt:
        lr: float = 0.1
        n: int = 3
    @dataclasses.dataclass(frozen=True)
    class Fixed:
        x: int = 1
        opt: Opt = dataclasses.field(default_factory=Opt)
    Pair = collections.namedtuple("Pair", "a b")
    @attrs.frozen
    class At:
        k: int = 1
    class Py(pydantic.BaseModel):
        m: float = 0.5
    class Slots:
        __slots__ = ("u", "__dict__"[:0] or "v")
        def __init__(self): self.u, self.v = 1, "v"
        def __repr__(self): return f"{self.u} {self.v}"
    class Mode(enum.Enum): FAST = 1; SLOW = 2
    def load():
        return types.SimpleNamespace(
            opt=Opt(), fixed=Fixed(), pair=Pair(1, 2.0), at=At(), py=Py(), slots=Slots(), mode=Mode.FAST,
            d={"lr": 0.1, "name": "a", "none": None, "on": True, "xs": [1]},
            day=datetime.date(2020, 1, 2), money=decimal.Decimal("0.1"), out=pathlib.Path("x"))
    print("ran")
    cfg = load()
    pair = (lambda: Pair(1, 2.0))()
    print(cfg, pair)
    """


def typed(path: str, text: str, value: str, *more: str):  # type: ignore[no-untyped-def]
    """``cfg.PATH=TEXT`` sets *value*."""
    steps = path.split(".")
    target = "cfg" + "".join(f"[{one!r}]" if steps[0] == "d" and one != "d" else f".{one}" for one in steps)
    return case(f"text for {path}: {text}", MADE, f"cfg.{path}={text}", ("cfg = load()", f"cfg = load(); {target} = {value}"), warned=more)


CASES += [
    typed("opt.lr", "1", "1.0"),
    typed("opt.n", "1_000", "1000"),
    typed("slots.v", "007", "'007'"),
    typed("slots.u", "0.5", "0.5"),
    typed("py.m", "2", "2.0"),
    typed("d.lr", "1e-3", "0.001"),
    typed("d.name", "1e3", "'1e3'"),
    typed("d.on", "no", "False"),
    typed("d.none", "3", "3"),
    typed("d.xs", "(1, 2)", "[1, 2]"),
    typed("d.lr", "None", "None"),
    typed("d.lrr", "1", "1", "cfg.d.lrr"),
    typed("mode", "SLOW", "Mode.SLOW"),
    typed("day", "2021-03-04", "datetime.date(2021, 3, 4)"),
    typed("money", "1.50", "decimal.Decimal('1.50')"),
    typed("out", "y/z", "pathlib.Path('y/z')"),
    case("what cannot be changed is replaced", MADE, ("cfg.fixed.x=5", "cfg.fixed.opt.lr=6", "cfg.pair.a=7", "cfg.at.k=8", "pair.b=9"),
         ("cfg = load()", "cfg = load(); cfg.fixed = Fixed(5, Opt(6.0)); cfg.pair = Pair(7, 2.0); cfg.at = At(8)"),
         ("pair = (lambda: Pair(1, 2.0))()", "pair = Pair(1, 9.0)")),
]


def stopped(id_: str, arguments: str | tuple[str, ...], *words: str) -> Refusal:
    return refusal(id_, MADE.replace('print("ran")', ""), arguments, *words)


REFUSALS = [
    stopped("a misspelt field of a dataclass", "cfg.opt.lrr=1", "script.py:28: cannot override 'cfg.opt.lrr': Opt has no 'lrr'", "Did you mean 'lr'?"),
    stopped("a field of a named tuple", "cfg.pair.zzz=1", "Pair has no 'zzz'. It has: a, b."),
    stopped("a field of attrs", "cfg.at.kk=1", "At has no 'kk'", "Did you mean 'k'?"),
    stopped("a field of pydantic", "cfg.py.mm=1", "Py has no 'mm'", "Did you mean 'm'?"),
    stopped("a name that no slot has", "cfg.slots.w=1", "Slots has no 'w'. It has: u, v."),
    stopped("a step in the middle", "cfg.fixed.optt.lr=1", "Fixed has no 'optt'", "Did you mean 'opt'?"),
    stopped("a text that does not fit what stands there", "cfg.opt.lr=abc", "cfg.opt.lr=abc: expected float, got 'abc'", "0.1", "--as-is"),
    stopped("a fraction where int is written", "cfg.opt.n=2.5", "expected int, got '2.5'"),
    stopped("a member that is none", "cfg.mode=LATER", "expected Mode, got 'LATER'"),
    refusal("a misspelt field of a factory", OPT.replace("print(Cfg(must=None), ", "made = ("), "Cfg.opt.lrr=1", "Opt has no 'lrr'", "Did you mean 'lr'?"),
    refusal("a field that has to be given", OPT, "Cfg.must.lr=1", "'Cfg.must' has no value here", "Override 'Opt.lr' or 'Cfg.must' as a whole"),
    *(refusal(f"a field that is None: {field}", f"from typing import Optional\nfrom dataclasses import dataclass, field\nfrom pydantic import BaseModel, Field\n{base[0]}class A{base[1]}:\n    lr: float = 0.1\n{base[0]}class C{base[1]}:\n    {field}\nprint(C())\n", "C.a.lr=1", "script.py:", "cannot override 'C.a.lr': 'C.a' is None, which has no 'lr'. Give 'C.a' an object in a Python config or override 'A.lr'")
      for base, field in ((("@dataclass\n", ""), "a: Optional[A] = None"), (("@dataclass\n", ""), "a: 'A | None' = field(default=None)"), (("", "(BaseModel)"), "a: Optional[A] = None"), (("", "(BaseModel)"), "a: Optional[A] = Field(None)"), (("", ""), "a = None"))),
    *(refusal(f"text for a class with a short name: {field}", f"from typing import Optional\nfrom dataclasses import dataclass\nclass A: pass\n@dataclass\nclass C:\n    {field}\nprint(C())\n", "C.a=abc", "C.a=abc: expected A or None, got 'abc': text cannot make one")
      for field in ("a: Optional[A] = None", "a: 'A | None' = None", "a: A = None")),
    refusal("an annotation alone", "class Opt: lr = 1\ncfg: Opt\nprint('ran')\n", "cfg.lr=1", "'cfg' has no value here", "'Opt.lr'"),
    refusal("a setting and its field", OPT, ("Cfg.opt.lr=1", "Cfg.opt=None"), "'Cfg.opt.lr' stands inside 'Cfg.opt'"),
]
CASES += [
    case("text for fields that a call makes", """
        import datetime, decimal, pathlib
        from dataclasses import dataclass, field
        @dataclass
        class C:
            day: datetime.date = datetime.date(2020, 1, 2)
            money: decimal.Decimal = field(default=decimal.Decimal("0.1"))
            out: pathlib.Path = pathlib.Path("x")
        print(C())
        """, ("C.day=2021-03-04", "C.money=0.70", "C.out=y"), ("date(2020, 1, 2)", "date(2021, 3, 4)"), ('Decimal("0.1")', 'Decimal("0.70")'),
         ('Path("x")', 'Path("y")')),
]

LATER = """
    import sys, types
    def load(): return types.SimpleNamespace(lr=0.1, n=1, d={"k": 1})
    cfg = load()
    cfg.n = cfg.n + 1
    for i in range(2):
        cfg.d["k"] += 1
    def change(): cfg.d["k"] = 7
    change()
    if sys.argv[1:]:
        cfg.lr = float("0.7")
    cfg.d["new"] = sys.maxsize
    print(cfg)
    """

CASES += [
    case("a later line replaces it", LATER, "cfg.lr=5", ("cfg = load()", "cfg = load(); cfg.lr = 5.0"), argv=("x",),
         warned=("cfg.lr",), same=True),
    case("a later line that does not run", LATER, "cfg.lr=5", ("cfg = load()", "cfg = load(); cfg.lr = 5.0")),
    case("a later line stores a name that was not there", LATER, "cfg.d.new=5", ("= sys.maxsize", "= 5")),
    case("what is made from the old value, and what a function does, is logic", LATER, ("cfg.n=5", "cfg.d.k=6"),
         ("cfg = load()", "cfg = load(); cfg.n = 5; cfg.d['k'] = 6")),
]
