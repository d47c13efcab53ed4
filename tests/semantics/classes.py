"""Class attributes, fields, enums."""

from tests.semantics.case import case

CASES = [
    case("nested classes and what is derived", """
        class A:
            n = 1
            class B:
                m = 2
                class C:
                    k: int = 3
                    j = k * 2
        print(A.n, A.B.m, A.B.C.k, A.B.C.j)
        """, ("A.n=4", "A.B.m=5", "A.B.C.k=6"), ("n = 1", "n = 4"), ("m = 2", "m = 5"), ("k: int = 3", "k: int = 6")),
    case("a frozen dataclass with slots and keywords only", """
        from dataclasses import dataclass, asdict, field
        @dataclass(frozen=True, slots=True, kw_only=True)
        class Args:
            lr: float = 0.1
            tags: list = field(default_factory=lambda: ["a"])
            n: int = field(default=3, metadata={"help": "count"})
            must: int
        args = Args(must=1)
        args.tags.append("z")
        print(args, asdict(Args(must=2)), Args.__dataclass_fields__["n"].metadata)
        """, ("Args.lr=1", "Args.tags=['b']", "Args.n=4"), ("0.1", "1.0"), ('["a"]', "['b']"), ("default=3", "default=4")),
    case("a required field gets a default", """
        from dataclasses import dataclass
        @dataclass
        class Args:
            path: str
            n: int = 1
        print(Args("p") if 0 else Args())
        """, "Args.path=x", ("path: str", 'path: str = "x"')),
    case("a required field before another one", """
        from dataclasses import dataclass
        @dataclass
        class Args:
            a: str
            b: str
        print(Args("p", "q"))
        """, "Args.a=x", ("a: str\n", 'a: str = "x"\n'), warned=("Args.a",)),
    case("a field without a default", """
        from dataclasses import dataclass, field
        @dataclass
        class Args:
            n: int = field(repr=False)
            m: int = field()
        print(Args(1, 2).n if 0 else Args().m)
        """, ("Args.n=3", "Args.m=4"), ("repr=False", "repr=False, default=3"), ("field()", "field(default=4)")),
    case("a field of a dataclass by its module", """
        import dataclasses
        @dataclasses.dataclass
        class Args:
            n: list = dataclasses.field(
                default_factory=list,  # empty
            )
        print(Args(), Args().n is Args().n)
        """, "Args.n=[1]", ("default_factory=list", "default_factory=lambda: [1]")),
    case("a class variable is no field", """
        from dataclasses import dataclass
        from typing import ClassVar
        @dataclass
        class Args:
            n: ClassVar[int] = 3
        print(Args(), Args.n)
        """, "n=4", ("= 3", "= 4")),
    case("an inherited field", """
        from dataclasses import dataclass
        @dataclass
        class Base:
            n: int = 3
        @dataclass
        class Args(Base):
            m: int = 4
        print(Args(), Base())
        """, ("Base.n=7", "m=8"), ("= 3", "= 7"), ("= 4", "= 8")),
    case("a named tuple", """
        from typing import NamedTuple
        class P(NamedTuple):
            x: int = 1
            y: int = 2
        print(P())
        """, "P.y=5", ("= 2", "= 5")),
    case("enum members", """
        from enum import Enum, auto
        class Mode(Enum):
            FAST = 1
            SLOW = 2
            AUTO = auto()
        print(list(Mode))
        """, "Mode.FAST=7", ("FAST = 1", "FAST = 7")),
    case("a value by its member's name", """
        from enum import Enum
        class Mode(Enum):
            FAST = "f"
            SLOW = "s"
        mode = Mode.FAST
        def f(m: Mode = Mode.FAST): return m
        class Args:
            m: "Mode" = Mode.FAST
        cfg = {"mode": Mode.FAST}
        print(mode, f(), Args.m, cfg)
        """, ("mode=SLOW", "f(m)=SLOW", "Args.m=SLOW", "cfg.mode=SLOW"),
         ("mode = Mode.FAST", "mode = Mode.SLOW"), ("m: Mode = Mode.FAST", "m: Mode = Mode.SLOW"),
         ('m: "Mode" = Mode.FAST', 'm: "Mode" = Mode.SLOW'), ('{"mode": Mode.FAST}', '{"mode": Mode.SLOW}')),
    case("a member of an enum in a class", """
        from enum import Enum
        class Args:
            class Mode(Enum):
                A = 1
                B = 2
            mode: Mode = Mode.A
        print(Args.mode)
        """, "Args.mode=B", ("Mode = Mode.A", "Mode = Mode.B")),
    case("pydantic's Field", """
        def Field(default, **more): return default
        class Args:
            n: int = Field(3, ge=0)
            m: int = Field(default=4)
            k: int = Field(..., ge=0)
        print(Args.n, Args.m, Args.k)
        """, ("Args.n=5", "Args.m=6", "Args.k=7"), ("Field(3", "Field(5"), ("default=4", "default=6"), ("Field(...", "Field(7")),
    case("attrs, old and new", """
        class attr:
            @staticmethod
            def ib(default=None, validator=None, factory=None): return factory() if factory else default
        class Args:
            n = attr.ib(3)
            m = attr.ib(default=4)
            k = attr.ib(factory=list)
            j = attr.ib()
        print(Args.n, Args.m, Args.k, Args.j)
        """, ("Args.n=5", "Args.m=6", "Args.k=[1]", "Args.j=8"), ("ib(3)", "ib(5)"), ("default=4", "default=6"),
         ("factory=list", "factory=lambda: [1]"), ("ib()", "ib(8)")),
    case("attributes of a class in branches", """
        import sys
        class Args:
            if sys.maxsize > 0:
                n = 1
            else:
                n = 2
            a, b = 3, 4
            c = d = 5
        print(Args.n, Args.a, Args.b, Args.c, Args.d)
        """, ("Args.n=7", "Args.b=8", "Args.d=9"), ("n = 1", "n = 7"), ("n = 2", "n = 7"), ("3, 4", "3, 8"),
         ("c = d = 5", "c = 5; d = 9")),
    case("a class on one line", "class A: n = 1; m = 2\nprint(A.n, A.m)\n", ("A.n=3", "A.m=4"), ("n = 1; m = 2", "n = 3; m = 4")),
    case("a list attribute and a comprehension over it", """
        class A:
            xs = [1, 2]
            ys = [x * 2 for x in xs]
        print(A.xs, A.ys)
        """, "A.xs=[5]", ("[1, 2]", "[5]")),
    case("a dict attribute's entry", """
        class A:
            opt = {"lr": 0.1, "betas": (0.9, 0.99)}
        print(A.opt)
        """, ("A.opt.lr=1", "A.opt.betas[0]=0.5"), ("0.1", "1.0"), ("0.9,", "0.5,")),
    case("a path below an attribute", """
        import types
        class A:
            opt = types.SimpleNamespace(**{"lr": 0.1})
        print(A.opt)
        """, "A.opt.lr=0.5", ('**{"lr": 0.1})', '**{"lr": 0.1}); opt.lr = 0.5')),
    case("a private attribute", """
        class A:
            __secret = 1
            def f(self): return self.__secret
        print(A().f())
        """, "A.__secret=2", ("= 1", "= 2")),
    case("a property is bound again", """
        class A:
            @property
            def n(self):
                return 1
        print(A().n)
        """, "A.n=2", ("    @property\n    def n(self):\n        return 1\n", "    n = 2\n")),
    case("methods of every kind", """
        class A:
            def f(self, n=1, /, m=2, *, k=3): return n, m, k
            @staticmethod
            def s(n=4): return n
            @classmethod
            def c(cls, n=5): return n
            async def a(self, n=6): return n
        import asyncio
        print(A().f(), A.s(), A.c(), asyncio.run(A().a()))
        """, ("A.f(n)=10", "A.f(m)=20", "A.f(k)=30", "A.s(n)=40", "A.c(n)=50", "A.a(n)=60"),
         ("n=1, /, m=2, *, k=3", "n=10, /, m=20, *, k=30"), ("n=4", "n=40"), ("n=5", "n=50"), ("n=6", "n=60")),
    case("locals of a method", """
        class A:
            def f(self):
                n = 1
                self.n = 2
                return n + self.n
        print(A().f())
        """, "A.f.n=5", ("        n = 1", "        n = 5")),
    case("a typed dictionary", """
        from typing import TypedDict
        class T(TypedDict, total=False):
            x: int
        t: T = {"x": 1}
        u = T(x=2)
        print(t, u)
        """, ("t.x=3", "u.x=4"), ('{"x": 1}', '{"x": 3}'), ("T(x=2)", "T(x=4)")),
    case("settings read by an instance", """
        class C:
            n = 1
            def __init__(self): self.m = self.n + 1
        c = C()
        print(c.n, c.m, vars(c))
        """, "C.n=5", ("n = 1\n", "n = 5\n")),
    case("an attribute of an instance", """
        class C:
            n = 1
        c = C()
        d = C()
        print(c.n, d.n)
        """, "c.n=5", ("c = C()", "c = C(); c.n = 5")),
    case("the docstring of the class stays", 'class C:\n    """doc"""\n    n = 1\nprint(C.__doc__, C.n, list(vars(C)))\n', "C.n=2",
         ("n = 1", "n = 2")),
    case("one object of a class gets a computed value", """
        from dataclasses import dataclass
        @dataclass
        class Args:
            envs: int = 4
            batch_size: int = 0
        def cli(kind): return kind()
        def main():
            args = cli(Args)
            print(args)
            args.batch_size = args.envs * 2
            print(args)
        main()
        """, ("batch_size=3", "envs=5"), ("= 0", "= 3"), ("= 4", "= 5"), warned=("Args.batch_size",)),
    case("one of two objects of a class gets another value", """
        class Config:
            lr = 0.1
        a, b = Config(), Config()
        a.lr = 0.3
        print(a.lr, b.lr)
        """, "Config.lr=0.5", ("0.1", "0.5")),
]
