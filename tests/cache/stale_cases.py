"""Small programs and one edit of each that changes what its node ``f`` gives.

An entry: name -> (files, the file that is edited, old text, new text). The first file is the
module that has ``f``; ``NAME`` in a text stands for the name of the case, so that no two share
a module.
"""

from __future__ import annotations

Case = tuple[dict[str, str], str, str, str]


def one(text: str, old: str, new: str) -> Case:
    """A case of one file; the node is its last function."""
    head, mark, tail = text.rpartition("def f(")
    text = f"from kohaku_ast.pipeline.node import Node, node\n{head}@node\n{mark}{tail}"
    return {"NAME.py": text}, "NAME.py", old, new


def two(text: str, other: str, old: str, new: str, file: str = "NAME_other.py") -> Case:
    """A case whose second file is edited."""
    files, _, _, _ = one(text, old, new)
    return {**files, file: other}, file, old, new


CASES: dict[str, Case] = {
    "class as a decorator": one(
        "class times:\n    def __init__(self, function): self.function = function\n"
        "    def __call__(self, x): return self.function(x) * 2\n"
        "@times\ndef helper(x): return x + 1\ndef f(x): return helper(x)\n",
        "x + 1", "x + 5",
    ),
    "argument of a decorator by name": one(
        "N = 2\ndef times(n):\n    def decorate(g):\n        return lambda x: g(x) * n\n"
        "    return decorate\n@times(N)\ndef helper(x): return x\ndef f(x): return helper(x)\n",
        "N = 2", "N = 3",
    ),
    "decorator under another name": one(
        "def one(g): return lambda x: g(x) + 1\ndef two(g): return lambda x: g(x) + 2\n"
        "mark = one\n@mark\ndef helper(x): return x\ndef f(x): return helper(x)\n",
        "mark = one", "mark = two",
    ),
    "partial of a helper": one(
        "import functools\ndef helper(by, x): return x + by\nadd = functools.partial(helper, 1)\n"
        "def f(x): return add(x)\n",
        "x + by", "x - by",
    ),
    "argument of a partial": one(
        "import functools\ndef helper(by, x): return x + by\nadd = functools.partial(helper, by=1)\n"
        "def f(x): return add(x=x)\n",
        "by=1", "by=2",
    ),
    "lambda in a dict": one(
        "TABLE = {'a': lambda x: x + 1, 'b': lambda x: x}\ndef f(x): return TABLE['a'](x)\n",
        "x + 1", "x + 2",
    ),
    "helper in a dict": one(
        "def helper(x): return x + 1\nTABLE = {'a': [helper]}\ndef f(x): return TABLE['a'][0](x)\n",
        "x + 1", "x + 2",
    ),
    "attribute of a function in a list": one(
        "def helper(x): return x\nhelper.by = 1\nALL = [helper]\n"
        "def f(x): return sum(one(x) + one.by for one in ALL)\n",
        "by = 1", "by = 2",
    ),
    "method of an instance": one(
        "class Model:\n    def predict(self, x): return self.inner(x)\n"
        "    def inner(self, x): return x + 1\nmodel = Model()\ndef f(x): return model.predict(x)\n",
        "x + 1", "x + 2",
    ),
    "state of an instance": one(
        "class Model:\n    def __init__(self, by): self.by = by\nmodel = Model(1)\n"
        "def f(x): return model.by + x\n",
        "Model(1)", "Model(2)",
    ),
    "bound method under a name": one(
        "class Model:\n    by = 1\n    def predict(self, x): return x + self.by\n"
        "predict = Model().predict\ndef f(x): return predict(x)\n",
        "by = 1", "by = 2",
    ),
    "class made inside a helper": one(
        "def make():\n    class Model:\n        by = 1\n    return Model()\n"
        "def f(x): return make().by + x\n",
        "by = 1", "by = 2",
    ),
    "super of a base in another module": two(
        "from NAME_other import Base\nclass Model(Base):\n    def go(self, x): return super().go(x)\n"
        "def f(x): return Model().go(x)\n",
        "class Base:\n    def go(self, x): return x + 1\n", "x + 1", "x + 2",
    ),
    "metaclass": one(
        "class Meta(type):\n    def __call__(cls, x): return x + 1\n"
        "class Model(metaclass=Meta): pass\ndef f(x): return Model(x)\n",
        "x + 1", "x + 2",
    ),
    "descriptor": one(
        "class Field:\n    def __get__(self, obj, owner): return 1\n"
        "class Model:\n    by = Field()\ndef f(x): return Model().by + x\n",
        "return 1", "return 2",
    ),
    "cached property": one(
        "import functools\nclass Model:\n    @functools.cached_property\n    def by(self): return 1\n"
        "def f(x): return Model().by + x\n",
        "return 1", "return 2",
    ),
    "special method that is no function": one(
        "import functools\ndef helper(by, x): return by + x\n"
        "class Model:\n    __call__ = functools.partialmethod(lambda self, by, x: by + x, 1)\n"
        "model = Model()\ndef f(x): return model(x)\n",
        "x, 1)", "x, 2)",
    ),
    "special method that is an instance": one(
        "class Adds:\n    def __init__(self, by): self.by = by\n"
        "    def __call__(self, x): return x + self.by\n"
        "class Model:\n    __call__ = Adds(1)\ndef f(x): return Model()(x)\n",
        "Adds(1)", "Adds(2)",
    ),
    "static method made a class method": one(
        "class Model:\n    def go(*args): return len(args)\n    make = staticmethod(go)\n"
        "def f(x): return Model.make(x)\n",
        "staticmethod(go)", "classmethod(go)",
    ),
    "method put into a class later": one(
        "class Model: pass\ndef helper(self, x): return x + 1\nModel.go = helper\n"
        "def f(x): return Model().go(x)\n",
        "x + 1", "x + 2",
    ),
    "slots": one(
        "class Model:\n    __slots__ = ('by',)\n    def __init__(self, by): self.by = by\n"
        "model = Model(1)\ndef f(x): return model.by + x\n",
        "Model(1)", "Model(2)",
    ),
    "object that pickle only names": one(
        "class Model:\n    def __init__(self, by): self.by = by\n"
        "    def __reduce__(self): return 'model'\nmodel = Model(1)\ndef f(x): return model.by + x\n",
        "Model(1)", "Model(2)",
    ),
    "attribute that a class does not let pickle have": one(
        "class Model:\n    def __init__(self, by): self.by = by\n"
        "    def __getstate__(self): return {}\nmodel = Model(1)\ndef f(x): return model.by + x\n",
        "Model(1)", "Model(2)",
    ),
    "struct": one(
        "import struct\nFORM = struct.Struct('<i')\ndef f(x): return FORM.pack(x)\n", "<i", "<q"
    ),
    "make_dataclass": one(
        "from dataclasses import field, make_dataclass\n"
        "Point = make_dataclass('Point', [('by', int, field(default=1))])\n"
        "def f(x): return Point().by + x\n",
        "default=1", "default=2",
    ),
    "default factory of a dataclass": one(
        "from dataclasses import dataclass, field\n@dataclass\nclass Point:\n"
        "    by: list = field(default_factory=lambda: [1])\ndef f(x): return Point().by[0] + x\n",
        "[1]", "[2]",
    ),
    "__post_init__": one(
        "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int\n"
        "    def __post_init__(self): self.x += 1\ndef f(x): return Point(x).x\n",
        "+= 1", "+= 2",
    ),
    "namedtuple": one(
        "from collections import namedtuple\nPoint = namedtuple('Point', 'by', defaults=(1,))\n"
        "def f(x): return Point().by + x\n",
        "(1,)", "(2,)",
    ),
    "NamedTuple": one(
        "from typing import NamedTuple\nclass Point(NamedTuple):\n    by: int = 1\n"
        "def f(x): return Point().by + x\n",
        "int = 1", "int = 2",
    ),
    "class made by type()": one(
        "Model = type('Model', (), {'by': 1})\ndef f(x): return Model().by + x\n",
        "'by': 1", "'by': 2",
    ),
    "value of an enum": one(
        "import enum\nclass Color(enum.Enum):\n    RED = 1\ndef f(x): return Color.RED.value + x\n",
        "RED = 1", "RED = 2",
    ),
    "method of an enum": one(
        "import enum\nclass Color(enum.Enum):\n    RED = 1\n    def by(self): return 1\n"
        "def f(x): return Color.RED.by() + x\n",
        "return 1", "return 2",
    ),
    "member of an enum": one(
        "import enum\nclass Color(enum.Enum):\n    RED = 1\n    def by(self): return 1\n"
        "color = Color.RED\ndef f(x): return color.by() + x\n",
        "return 1", "return 2",
    ),
    "singledispatch": one(
        "import functools\n@functools.singledispatch\ndef by(x): return 0\n"
        "@by.register\ndef _(x: int): return x + 1\ndef f(x): return by(x)\n",
        "x + 1", "x + 2",
    ),
    "registry of subclasses": one(
        "class Base:\n    known = {}\n    def __init_subclass__(cls): Base.known['a'] = cls\n"
        "class Sub(Base):\n    def go(self, x): return x + 1\n"
        "def f(x): return Base.known['a']().go(x)\n",
        "x + 1", "x + 2",
    ),
    "__subclasses__": one(
        "class Base: pass\nclass Sub(Base):\n    def go(self, x): return x + 1\n"
        "def f(x): return Base.__subclasses__()[0]().go(x)\n",
        "x + 1", "x + 2",
    ),
    "__subclasses__ in a class method": one(
        "class Base:\n    @classmethod\n    def all(cls): return cls.__subclasses__()\n"
        "class Sub(Base):\n    def go(self, x): return x + 1\n"
        "def f(x): return Base.all()[0]().go(x)\n",
        "x + 1", "x + 2",
    ),
    "lru_cache": one(
        "import functools\n@functools.lru_cache\ndef helper(x): return x + 1\n"
        "def f(x): return helper(x)\n",
        "x + 1", "x + 2",
    ),
    "contextmanager": one(
        "import contextlib\n@contextlib.contextmanager\ndef helper(x): yield x + 1\n"
        "def f(x):\n    with helper(x) as y: return y\n",
        "x + 1", "x + 2",
    ),
    "methodcaller on an instance": one(
        "import operator\nclass Model:\n    def go(self, x): return x + 1\nmodel = Model()\n"
        "call = operator.methodcaller('go', 1)\ndef f(x): return call(model) + x\n",
        "x + 1", "x + 2",
    ),
    "keyword default of a helper": one(
        "def helper(x, *, by=1): return x + by\ndef f(x): return helper(x)\n", "by=1", "by=2"
    ),
    "default of a helper": one(
        "def helper(x, by=[1]): return x + by[0]\ndef f(x): return helper(x)\n", "[1]", "[2]"
    ),
    "list in a closure": one(
        "def make(by):\n    def helper(x): return x + by[0]\n    return helper\n"
        "helper = make([1])\ndef f(x): return helper(x)\n",
        "[1]", "[2]",
    ),
    "helper in a closure": one(
        "def inner(x): return x + 1\ndef make(g):\n    def helper(x): return g(x)\n    return helper\n"
        "helper = make(inner)\ndef f(x): return helper(x)\n",
        "x + 1", "x + 2",
    ),
    "generator as a helper": one(
        "def helper(x):\n    yield x + 1\ndef f(x): return list(helper(x))\n", "x + 1", "x + 2"
    ),
    "constant in a comprehension": one(
        "BY = 1\ndef f(x): return [y + BY for y in [x]]\n", "BY = 1", "BY = 2"
    ),
    "constant in a match": one(
        "class K:\n    A = 1\ndef f(x):\n    match x - 2:\n        case K.A: return 'a'\n"
        "    return 'b'\n",
        "A = 1", "A = 2",
    ),
    "helper by a condition": one(
        "NEW = 1\nif NEW:\n    def helper(x): return x + 1\nelse:\n    def helper(x): return x + 2\n"
        "def f(x): return helper(x)\n",
        "NEW = 1", "NEW = 0",
    ),
    "helper of an exec": one(
        "exec('def helper(x): return x + 1')\ndef f(x): return helper(x)\n", "x + 1", "x + 2"
    ),
    "helper made of text": one(
        "names = {}\nexec('def helper(x): return x + 1', names)\nhelper = names['helper']\n"
        "def f(x): return helper(x)\n",
        "x + 1", "x + 2",
    ),
    "globals()": one(
        "def helper(x): return x + 1\ndef f(x): return globals()['helper'](x)\n", "x + 1", "x + 2"
    ),
    "eval of a name": one(
        "def helper(x): return x + 1\ndef f(x): return eval('helper(x)')\n", "x + 1", "x + 2"
    ),
    "module by sys.modules": one(
        "import sys\nBY = 1\ndef f(x): return sys.modules[__name__].BY + x\n", "BY = 1", "BY = 2"
    ),
    "getattr of a module": two(
        "import NAME_other\ndef f(x): return getattr(NAME_other, 'hel' + 'per')(x)\n",
        "def helper(x): return x + 1\n", "x + 1", "x + 2",
    ),
    "getattr of a class": one(
        "class Model:\n    def go(self, x): return x + 1\n"
        "def f(x): return getattr(Model(), 'g' + 'o')(x)\n",
        "x + 1", "x + 2",
    ),
    "star import": two(
        "from NAME_other import *\ndef f(x): return helper(x)\n",
        "def helper(x): return x + 1\n", "x + 1", "x + 2",
    ),
    "constant by from": two(
        "from NAME_other import BY\ndef f(x): return BY + x\n", "BY = 1\n", "BY = 1", "BY = 2"
    ),
    "dunder of a module": two(
        "import NAME_other\ndef f(x): return NAME_other.__by__ + x\n",
        "__by__ = 1\n", "__by__ = 1", "__by__ = 2",
    ),
    "name of a package": two(
        "import NAME_pack\ndef f(x): return NAME_pack.helper(x)\n",
        "def helper(x): return x + 1\n", "x + 1", "x + 2", "NAME_pack/__init__.py",
    ),
    "name that a package hands on": (
        {
            **one("from NAME_pack import helper\ndef f(x): return helper(x)\n", "", "")[0],
            "NAME_pack/__init__.py": "from .inside import helper\n",
            "NAME_pack/inside.py": "BY = 1\ndef helper(x): return x + BY\n",
        },
        "NAME_pack/inside.py", "BY = 1", "BY = 2",
    ),
    "another name handed on by a package": (
        {
            **one("import NAME_pack\ndef f(x): return NAME_pack.helper(x)\n", "", "")[0],
            "NAME_pack/__init__.py": "from .inside import one as helper\n",
            "NAME_pack/inside.py": "def one(x): return x + 1\ndef two(x): return x + 2\n",
        },
        "NAME_pack/__init__.py", "one as", "two as",
    ),
    "lazy module": two(
        "import NAME_other\ndef f(x): return NAME_other.by + x\n",
        "def __getattr__(name): return {'by': 1}[name]\n", "'by': 1", "'by': 2",
    ),
    "lazy module that is passed around": two(
        "import NAME_other\ndef f(x): return getattr(NAME_other, 'b' + 'y') + x\n",
        "def __getattr__(name): return {'by': 1}[name]\n", "'by': 1", "'by': 2",
    ),
    "import of a package inside": (
        {
            **one("def f(x):\n    import NAME_pack.inside\n    return NAME_pack.BY + x\n", "", "")[0],
            "NAME_pack/__init__.py": "BY = 1\n",
            "NAME_pack/inside.py": "",
        },
        "NAME_pack/__init__.py", "BY = 1", "BY = 2",
    ),
    "import_module inside": two(
        "def f(x):\n    import importlib\n    return importlib.import_module('NAME_other').BY + x\n",
        "BY = 1\n", "BY = 1", "BY = 2",
    ),
    "import_module by a global": two(
        "import importlib\ndef f(x): return importlib.import_module('NAME_other').BY + x\n",
        "BY = 1\n", "BY = 1", "BY = 2",
    ),
    "__import__": two(
        "def f(x): return __import__('NAME_other').BY + x\n", "BY = 1\n", "BY = 1", "BY = 2"
    ),
    "import inside a helper's class": two(
        "class Model:\n    def go(self, x):\n        from NAME_other import BY\n        return BY + x\n"
        "def f(x): return Model().go(x)\n",
        "BY = 1\n", "BY = 1", "BY = 2",
    ),
    "another node that is called": one(
        "@node\ndef helper(x): return x + 1\ndef f(x): return helper(x)\n", "x + 1", "x + 2"
    ),
    "name put among the builtins": one(
        "import builtins\nbuiltins.NAME_by = 1\ndef f(x): return NAME_by + x\n", "= 1", "= 2"
    ),
    "function put into a library": one(
        "import calendar\ndef helper(x): return x + 1\ncalendar.NAME_helper = helper\n"
        "def f(x): return calendar.NAME_helper(x)\n",
        "x + 1", "x + 2",
    ),
    "docstring that is read": one(
        "def helper(x):\n    '''one'''\ndef f(x): return helper.__doc__\n", "'''one'''", "'''two'''"
    ),
    "docstring that a decorator reads": one(
        "def asks(g): return lambda x: g.__doc__\n@asks\ndef helper(x):\n    '''one'''\n"
        "def f(x): return helper(x)\n",
        "'''one'''", "'''two'''",
    ),
    "docstring of a class that is read": one(
        "class Model:\n    '''one'''\ndef f(x): return Model.__doc__\n", "'''one'''", "'''two'''"
    ),
    "wrapper of a library with more than the function": one(
        "import functools\nclass Model:\n    go = functools.partialmethod(print)\n"
        "def helper(a, b): return a + b\nhelper = functools.partial(functools.partial(helper, 1))\n"
        "def f(x): return helper(x)\n",
        "a + b", "a - b",
    ),
    "order of two bases": one(
        "class A:\n    by = 1\nclass B:\n    by = 2\nclass Model(A, B): pass\n"
        "def f(x): return Model.by + x\n",
        "(A, B)", "(B, A)",
    ),
    "numpy.vectorize": one(
        "import numpy\n@numpy.vectorize\ndef helper(x): return x + 1\n"
        "def f(x): return int(helper(x))\n",
        "x + 1", "x + 2",
    ),
    "ufunc of a function": one(
        "import numpy\nhelper = numpy.frompyfunc(lambda x: x + 1, 1, 1)\n"
        "def f(x): return int(helper(x))\n",
        "x + 1", "x + 2",
    ),
    "array as a constant": one(
        "import numpy\nTABLE = numpy.array([1, 2])\ndef f(x): return int(TABLE[0]) + x\n",
        "[1, 2]", "[5, 2]",
    ),
    "attrs class": one(
        "import attr\n@attr.s(auto_attribs=True)\nclass Point:\n    by: int = 1\n"
        "def f(x): return Point().by + x\n",
        "int = 1", "int = 2",
    ),
    "validator of an attrs class": one(
        "import attr\n@attr.define\nclass Point:\n    by: int = attr.field(converter=lambda x: x + 1)\n"
        "def f(x): return Point(x).by\n",
        "x + 1", "x + 2",
    ),
    "property of an attrs class with slots": one(
        "import attr\n@attr.define\nclass Point:\n    x: int\n    @property\n"
        "    def by(self): return self.x + 1\ndef f(x): return Point(x).by\n",
        "x + 1", "x + 2",
    ),
    "helper in a ContextVar": one(
        "import contextvars\nvar = contextvars.ContextVar('NAME', default=1)\n"
        "def f(x): return var.get() + x\n",
        "default=1", "default=2",
    ),
    "function whose code was replaced": one(
        "def helper(x): return x\ndef other(x): return x + 1\nhelper.__code__ = other.__code__\n"
        "def f(x): return helper(x)\n",
        "x + 1", "x + 2",
    ),
    "weak reference to a helper": one(
        "import weakref\ndef helper(x): return x + 1\nref = weakref.ref(helper)\n"
        "def f(x): return ref()(x)\n",
        "x + 1", "x + 2",
    ),
    "global set by another function": one(
        "BY = 0\ndef setup():\n    global BY\n    BY = 1\nsetup()\ndef f(x): return BY + x\n",
        "BY = 1", "BY = 2",
    ),
    "string that names a class": one(
        "class Model:\n    by = 1\nNAMES = {'m': 'Model'}\n"
        "def f(x): return vars(__import__('sys').modules[__name__])[NAMES['m']].by + x\n",
        "by = 1", "by = 2",
    ),
    "class that a text annotation of a class names": one(
        "import typing\nclass Opt:\n    by = 1\nclass Cfg:\n    opt: 'Opt | None'\n"
        "def f(x): return typing.get_args(typing.get_type_hints(Cfg)['opt'])[0].by + x\n",
        "by = 1", "by = 2",
    ),
    "class behind an alias that a text annotation names": one(
        "import typing\nclass Opt:\n    by = 1\nAlias = typing.Union[Opt, typing.List['Alias']]\n"
        "class Cfg:\n    opt: 'Alias'\n"
        "def f(x): return typing.get_args(typing.get_type_hints(Cfg)['opt'])[0].by + x\n",
        "by = 1", "by = 2",
    ),
    "class in the annotation of a named tuple": one(
        "import typing\nclass Opt:\n    by = 1\nclass Row(typing.NamedTuple):\n    opt: Opt\n"
        "def f(x): return Row.__annotations__['opt'].by + x\n",
        "by = 1", "by = 2",
    ),
    "class in the signature of a function": one(
        "import inspect\nclass Opt:\n    by = 1\ndef taking(opt: Opt): return opt.by\n"
        "def f(x): return taking(inspect.signature(taking).parameters['opt'].annotation()) + x\n",
        "by = 1", "by = 2",
    ),
    "type that a text annotation names": one(
        "import typing\nWidth = int\nclass Cfg:\n    width: 'Width'\n"
        "def f(x): return typing.get_type_hints(Cfg)['width'].__name__\n",
        "Width = int", "Width = float",
    ),
    "keys that a TypedDict requires": one(
        "import typing\nclass Row(typing.TypedDict):\n    by: int\n"
        "def f(x): return sorted(Row.__required_keys__)\n",
        "TypedDict)", "TypedDict, total=False)",
    ),
    "order of the attributes of a class": one(
        "class Cfg:\n    low = 1\n    by = 2\ndef f(x): return list(vars(Cfg))[1:3]\n",
        "    low = 1\n    by = 2\n", "    by = 2\n    low = 1\n",
    ),
    "comment in a source that is read": one(
        "import inspect\ndef helper():  # by 1\n    pass\ndef f(x): return inspect.getsource(helper)\n",
        "by 1", "by 2",
    ),
}  # fmt: skip
