"""More programs and edits: names for import functions, attributes and registries of libraries.

As in ``stale_cases``, but each program has a process of its own: an attribute that one of them puts
on a class of the standard library would be there for the others, too.
"""

from __future__ import annotations

from tests.cache.stale_cases import Case, one, two

K = "K = 1\n", "K = 1", "K = 2"
HALF = "from fractions import Fraction as F\n"
PLAIN = "import NAME_other\nfrom fractions import Fraction\ndef f(x): return str(Fraction(x)"

ALIASES: dict[str, Case] = {
    "from importlib import import_module as": two(
        "from importlib import import_module as im\ndef f(x): return im('NAME_other').K\n", *K
    ),
    "importlib under another name": two(
        "import importlib as il\ndef f(x): return il.import_module('NAME_other').K\n", *K
    ),
    "another name inside the function": two(
        "def f(x):\n    from importlib import import_module as im\n    return im('NAME_other').K\n",
        *K,
    ),
    "assigned name": two(
        "import importlib\nload = importlib.import_module\ndef f(x): return load('NAME_other').K\n",
        *K,
    ),
    "__import__ under another name": two(
        "load = __import__\ndef f(x): return load('NAME_other').K\n", *K
    ),
    "import_module in a dict": two(
        "import importlib\nT = {'a': importlib.import_module}\n"
        "def f(x): return T['a']('NAME_other').K\n",
        *K,
    ),
    "import_module as a static method": two(
        "import importlib\nclass L:\n    load = staticmethod(importlib.import_module)\n"
        "def f(x): return L.load('NAME_other').K\n",
        *K,
    ),
    "import_module in an object": two(
        "import importlib\nclass L:\n    def __init__(self, load): self.load = load\n"
        "loader = L(importlib.import_module)\ndef f(x): return loader.load('NAME_other').K\n",
        *K,
    ),
    "import_module as a default": two(
        "import importlib\ndef g(name, load=importlib.import_module): return load(name).K\n"
        "def f(x): return g('NAME_other')\n",
        *K,
    ),
    "import_module in a closure": two(
        "import importlib\ndef make(load):\n    def g(name): return load(name).K\n    return g\n"
        "g = make(importlib.import_module)\ndef f(x): return g('NAME_other')\n",
        *K,
    ),
    "partial of import_module": two(
        "import functools, importlib\nload = functools.partial(importlib.import_module, package=None)\n"
        "def f(x): return load('NAME_other').K\n",
        *K,
    ),
    "helper that imports by name": two(
        "import importlib\ndef g(name): return importlib.import_module(name).K\n"
        "def f(x): return g('NAME_other')\n",
        *K,
    ),
    "helper that imports by name, with the name in a global": two(
        "import importlib\nWHICH = 'NAME_other'\ndef g(name): return importlib.import_module(name).K\n"
        "def f(x): return g(WHICH)\n",
        *K,
    ),
    "getattr of importlib": two(
        "import importlib\ndef f(x): return getattr(importlib, 'import_' + 'module')('NAME_other').K\n",
        *K,
    ),
    "sys under another name": two(
        "import sys as s, NAME_other\ndef f(x): return s.modules['NAME_other'].K\n", *K
    ),
    "sys.modules under another name": two(
        "from sys import modules as loaded\nimport NAME_other\n"
        "def f(x): return loaded['NAME_other'].K\n",
        *K,
    ),
    "eval under another name": one(
        "K = 1\nlook = eval\ndef f(x): return look('K')\n", "K = 1", "K = 2"
    ),
    "globals under another name": one(
        "K = 1\nnames = globals\ndef f(x): return names()['K']\n", "K = 1", "K = 2"
    ),
    "vars of the own module": one(
        "import sys\nK = 1\ndef f(x): return vars(sys.modules[__name__])['K']\n", "K = 1", "K = 2"
    ),
    "pkgutil.resolve_name": two(
        "import pkgutil\ndef f(x): return pkgutil.resolve_name('NAME_other:K')\n", *K
    ),
    "pydoc.locate": two("import pydoc\ndef f(x): return pydoc.locate('NAME_other.K')\n", *K),
    "runpy.run_module": two(
        "import runpy\ndef f(x): return runpy.run_module('NAME_other')['K']\n", *K
    ),
}

SET = "import fractions\n"

ATTRIBUTES: dict[str, Case] = {
    "property on a library's class": two(
        PLAIN + ".acc.twice())\n",
        SET + "class Acc:\n    def __init__(self, of): self.of = of\n"
        "    def twice(self): return self.of * 2\nfractions.Fraction.acc = property(Acc)\n",
        "* 2", "* 5",
    ),
    "method on a library's class": two(
        PLAIN + ".twice())\n",
        SET + "fractions.Fraction.twice = lambda self: self * 2\n", "* 2", "* 5",
    ),
    "class method on a library's class": two(
        "import NAME_other\nfrom fractions import Fraction\ndef f(x): return str(Fraction.of(x))\n",
        SET + "fractions.Fraction.of = classmethod(lambda cls, x: cls(x) * 2)\n", "* 2", "* 5",
    ),
    "static method on a library's class": two(
        "import NAME_other\nfrom fractions import Fraction\ndef f(x): return Fraction.of(x)\n",
        SET + "fractions.Fraction.of = staticmethod(lambda x: x * 2)\n", "* 2", "* 5",
    ),
    "descriptor on a library's class": two(
        PLAIN + ".acc)\n",
        SET + "class Field:\n    def __init__(self, by): self.by = by\n"
        "    def __get__(self, obj, owner): return obj * self.by\n"
        "fractions.Fraction.acc = Field(2)\n",
        "Field(2)", "Field(5)",
    ),
    "cached property on a library's class": two(
        "import NAME_other\nfrom argparse import Namespace\ndef f(x): return Namespace(x=x).acc\n",
        "import argparse, functools\np = functools.cached_property(lambda self: self.x * 2)\n"
        "p.__set_name__(argparse.Namespace, 'acc')\nargparse.Namespace.acc = p\n", "* 2", "* 5",
    ),
    "partial method on a library's class": two(
        PLAIN + ".acc())\n",
        SET + "import functools\nfractions.Fraction.acc = functools.partialmethod(lambda self, by: self * by, 2)\n",
        "by, 2)", "by, 5)",
    ),
    "operator of a library's class": two(
        PLAIN + " + 1)\n",
        SET + "fractions.Fraction.__add__ = lambda self, other: self * 2\n", "* 2", "* 5",
    ),
    "plain value on a library's class": two(
        PLAIN + ".by)\n", SET + "fractions.Fraction.by = 2\n", "by = 2", "by = 5"
    ),
    "plain value put there by setattr": two(
        PLAIN + ".by)\n", SET + "setattr(fractions.Fraction, 'by', 2)\n", "'by', 2", "'by', 5"
    ),
    "plain value in a library's module": two(
        "import NAME_other, math\ndef f(x): return math.BY + x\n",
        "import math\nmath.BY = 2\n", "BY = 2", "BY = 5",
    ),
    "plain value of a library's module, replaced": two(
        "import NAME_other, math\ndef f(x): return math.pi + x\n",
        "import math\nmath.pi = 3\n", "pi = 3", "pi = 4",
    ),
    "attribute of a base": two(
        "import NAME_other\nfrom email.mime.text import MIMEText\n"
        "def f(x): return MIMEText('a').twice(x)\n",
        "import email.message\nemail.message.Message.twice = lambda self, x: x * 2\n", "* 2", "* 5",
    ),
    "class that only the library names": two(
        "import NAME_other, email\ndef f(x): return email.message_from_string('').twice(x)\n",
        "import email.message\nemail.message.Message.twice = lambda self, x: x * 2\n", "* 2", "* 5",
    ),
    "attribute of the type of a global": two(
        "import NAME_other\nfrom NAME_other import half\ndef f(x): return str(half.twice())\n",
        SET + "fractions.Fraction.twice = lambda self: self * 2\nhalf = fractions.Fraction(1, 2)\n",
        "* 2", "* 5",
    ),
    "getattr by a text": two(
        "import NAME_other\nfrom fractions import Fraction\n"
        "def f(x): return str(getattr(Fraction(x), 'twice')())\n",
        SET + "fractions.Fraction.twice = lambda self: self * 2\n", "* 2", "* 5",
    ),
    "function of a library that a library calls": two(
        "import NAME_other, textwrap\ndef f(x): return textwrap.TextWrapper(3).wrap('aa bb')\n",
        "import textwrap\ntextwrap.TextWrapper._split_chunks = lambda self, text: [text[:2]]\n",
        "[:2]", "[:1]",
    ),
    "pandas accessor": two(
        "import NAME_other, pandas\ndef f(x): return pandas.DataFrame({'a': [x]}).acc.twice()\n",
        "import pandas\n@pandas.api.extensions.register_dataframe_accessor('acc')\nclass Acc:\n"
        "    def __init__(self, frame): self.frame = frame\n"
        "    def twice(self): return int(self.frame['a'][0]) * 2\n",
        "* 2", "* 5",
    ),
    "method on a pandas class": two(
        "import NAME_other, pandas\ndef f(x): return int(pandas.Series([x]).twice())\n",
        "import pandas\npandas.Series.twice = lambda self: self.sum() * 2\n", "* 2", "* 5",
    ),
}  # fmt: skip

REGISTRIES: dict[str, Case] = {
    "singledispatch of the user's, elsewhere": two(
        "from NAME_other import by\ndef f(x): return by(x)\n",
        "import functools\n@functools.singledispatch\ndef by(x): return 0\n"
        "@by.register\ndef _(x: int): return x + 1\n",
        "x + 1", "x + 2",
    ),
    "singledispatch of a library": two(
        "import NAME_other, pkgutil\nfrom NAME_other import Importer\n"
        "def f(x): return list(pkgutil.iter_importer_modules(Importer()))\n",
        "import pkgutil\nclass Importer: pass\n"
        "@pkgutil.iter_importer_modules.register(Importer)\ndef _(importer, prefix=''): return ['one']\n",
        "'one'", "'two'",
    ),
    "singledispatch of a library, called by the library": two(
        "import NAME_other, pkgutil, sys\nfrom NAME_other import Importer\ndef f(x):\n"
        "    sys.path_importer_cache['/nowhere'] = Importer()\n"
        "    return [one.name for one in pkgutil.iter_modules(['/nowhere'])]\n",
        "import pkgutil\nclass Importer: pass\n"
        "@pkgutil.iter_importer_modules.register(Importer)\n"
        "def _(importer, prefix=''): return [('one', False)]\n",
        "'one'", "'two'",
    ),
    "singledispatchmethod": one(
        "import functools\nclass M:\n    @functools.singledispatchmethod\n    def by(self, x): return 0\n"
        "    @by.register\n    def _(self, x: int): return x + 1\ndef f(x): return M().by(x)\n",
        "x + 1", "x + 2",
    ),
    "singledispatchmethod, registered later": one(
        "import functools\nclass M:\n    @functools.singledispatchmethod\n    def by(self, x): return 0\n"
        "def g(self, x): return x + 1\nM.by.register(int, g) if 0 else vars(M)['by'].register(int, g)\n"
        "def f(x): return M().by(x)\n",
        "x + 1", "x + 2",
    ),
    "ABC of the user's": two(
        "from NAME_other import Base, A\ndef f(x): return isinstance(A(), Base)\n",
        "import abc\nclass Base(abc.ABC): pass\nclass A: pass\nclass B: pass\nBase.register(A)\n",
        "register(A)", "register(B)",
    ),
    "ABC of a library": two(
        "from collections.abc import Sequence\nfrom NAME_other import A\n"
        "def f(x): return isinstance(A(), Sequence)\n",
        "from collections.abc import Sequence\nclass A: pass\nclass B: pass\nSequence.register(A)\n",
        "register(A)", "register(B)",
    ),
    "ABC of a library, a base of the one that is asked": two(
        "from collections.abc import Iterable\nfrom NAME_other import A\n"
        "def f(x): return isinstance(A(), Iterable)\n",
        "from collections.abc import Sequence\nclass A: pass\nclass B: pass\nSequence.register(A)\n",
        "register(A)", "register(B)",
    ),
    "copyreg": two(
        "import NAME_other, pickle\nfrom fractions import Fraction\n"
        "def f(x): return str(pickle.loads(pickle.dumps(Fraction(x))))\n",
        "import copyreg, fractions\ndef reduced(one): return (fractions.Fraction, (one.numerator * 2,))\n"
        "copyreg.pickle(fractions.Fraction, reduced)\n",
        "* 2", "* 5",
    ),
    "copyreg of the user's class": two(
        "import copy\nfrom NAME_other import A\ndef f(x): return copy.copy(A(x)).x\n",
        "import copyreg\nclass A:\n    def __init__(self, x): self.x = x\n"
        "def reduced(one): return (A, (one.x * 2,))\ncopyreg.pickle(A, reduced)\n",
        "* 2", "* 5",
    ),
    "codec": two(
        "import NAME_other\ndef f(x): return 'a'.encode('NAMEcodec')\n",
        "import codecs\ndef encode(text, errors='strict'): return text.encode() * 2, len(text)\n"
        "def search(name):\n    if name == 'NAMEcodec':\n"
        "        return codecs.CodecInfo(encode, None, name='NAMEcodec')\ncodecs.register(search)\n",
        "* 2", "* 5",
    ),
    "codec by a keyword": two(
        "import NAME_other\nWHICH = 'NAMEcodec'\ndef f(x): return 'a'.encode(encoding=WHICH)\n",
        "import codecs\ndef encode(text, errors='strict'): return text.encode() * 2, len(text)\n"
        "def search(name):\n    if name == 'NAMEcodec':\n"
        "        return codecs.CodecInfo(encode, None, name='NAMEcodec')\ncodecs.register(search)\n",
        "* 2", "* 5",
    ),
    "codec of Python's under a name of one's own": two(
        "import NAME_other\ndef f(x): return 'a'.encode('NAMEalias')\n",
        "import codecs\ndef search(name):\n    if name == 'NAMEalias':\n"
        "        return codecs.lookup('utf-16-le')\ncodecs.register(search)\n",
        "-le", "-be",
    ),
    "handler of errors of codecs": two(
        "import NAME_other\ndef f(x): return '\\xe4'.encode('ascii', 'NAMEerrors')\n",
        "import codecs\ndef handle(error): return 'x' * 2, error.end\n"
        "codecs.register_error('NAMEerrors', handle)\n",
        "* 2", "* 5",
    ),
    "table in a library's module": two(
        "import NAME_other, sqlite3\ndef f(x):\n"
        "    base = sqlite3.connect(':memory:', detect_types=2)\n"
        "    return base.execute('select 1 as \"a [NAMEtype]\"').fetchone()\n",
        "import sqlite3\nsqlite3.register_converter('NAMEtype', lambda data: int(data) * 2)\n",
        "* 2", "* 5",
    ),
}  # fmt: skip

RUN_TIME: dict[str, Case] = {
    "annotation of a helper set at run time": one(
        "def g(x: int): return x\ng.__annotations__['x'] = float\n"
        "def f(x): return str(g.__annotations__)\n",
        "= float", "= complex",
    ),
    "annotation of a helper by get_type_hints": one(
        "import typing\ndef g(x: int): return x\ng.__annotations__['x'] = float\n"
        "def f(x): return str(typing.get_type_hints(g))\n",
        "= float", "= complex",
    ),
    "annotation of a helper by signature": one(
        "import inspect\ndef g(x: int): return x\ng.__annotations__['x'] = float\n"
        "def f(x): return str(inspect.signature(g))\n",
        "= float", "= complex",
    ),
    "annotation of a helper that another helper reads": one(
        "def g(x: int): return x\ng.__annotations__['x'] = float\n"
        "def read(one): return str(one.__annotations__)\ndef f(x): return read(g)\n",
        "= float", "= complex",
    ),
    "annotation of a class set at run time": one(
        "class M:\n    x: int\nM.__annotations__['x'] = float\ndef f(x): return str(M.__annotations__)\n",
        "= float", "= complex",
    ),
    "annotations of a module": two(
        "import NAME_other\ndef f(x): return str(NAME_other.__annotations__)\n",
        "k: int\n", "int", "float",
    ),
    "docstring set at run time": one(
        "def g(x): return x\ng.__doc__ = 'one'\ndef f(x): return g.__doc__\n", "'one'", "'two'"
    ),
    "docstring that a helper reads": one(
        "def g(x):\n    'one'\n    return x\ndef read(one): return one.__doc__\n"
        "def f(x): return read(g)\n",
        "'one'", "'two'",
    ),
    "docstring by inspect.getdoc": one(
        "import inspect\ndef g(x):\n    'one'\n    return x\ndef f(x): return inspect.getdoc(g)\n",
        "'one'", "'two'",
    ),
    "docstring of a class, read by a helper": one(
        "class M:\n    'one'\ndef read(one): return one.__doc__\ndef f(x): return read(M)\n",
        "'one'", "'two'",
    ),
    "docstring of a module": two(
        "import NAME_other\ndef f(x): return NAME_other.__doc__\n", "'one'\n", "'one'", "'two'"
    ),
    "name of a function set at run time": one(
        "def g(x): return x\ng.__name__ = 'one'\ndef f(x): return g.__name__\n", "'one'", "'two'"
    ),
    "module made at run time": one(
        "import types\nsettings = types.ModuleType('settings')\nsettings.K = 1\n"
        "def f(x): return settings.K\n",
        "K = 1", "K = 2",
    ),
    "module made at run time, as a value": one(
        "import types\nsettings = types.ModuleType('settings')\nsettings.K = 1\n"
        "def f(x): return getattr(settings, 'K')\n",
        "K = 1", "K = 2",
    ),
    "module made at run time, with a function": one(
        "import types\nsettings = types.ModuleType('settings')\ndef g(x): return x + 1\n"
        "settings.g = g\ndef f(x): return settings.g(x)\n",
        "x + 1", "x + 2",
    ),
    "module made at run time, found by import": one(
        "import sys, types\nsettings = sys.modules['NAME_set'] = types.ModuleType('NAME_set')\n"
        "settings.K = 1\ndef f(x):\n    import NAME_set\n    return NAME_set.K\n",
        "K = 1", "K = 2",
    ),
    "class of a module": two(
        "import NAME_other\ndef f(x): return NAME_other.by\n",
        "import sys, types\nclass Own(types.ModuleType):\n    @property\n    def by(self): return 1\n"
        "sys.modules[__name__].__class__ = Own\n",
        "return 1", "return 2",
    ),
    "value set in a module of the user's by another": two(
        "import NAME_third, NAME_other\ndef f(x): return NAME_third.K\n",
        "import NAME_third\nNAME_third.K = 1\n", "K = 1", "K = 2",
    ),
}  # fmt: skip
RUN_TIME["value set in a module of the user's by another"][0]["NAME_third.py"] = ""

PICKLES: dict[str, Case] = {
    "class inside a pickle that is a global": two(
        "import NAME_other, pickle\nBLOB = pickle.dumps(NAME_other.M())\n"
        "def f(x): return pickle.loads(BLOB).go()\n",
        "class M:\n    def go(self): return 1\n", "return 1", "return 2",
    ),
    "class inside a pickle that is a constant": two(
        "import pickle\ndef f(x): return pickle.loads(b'\\x80\\x04cNAME_other\\nM\\n)\\x81.').go()\n",
        "class M:\n    def go(self): return 1\n", "return 1", "return 2",
    ),
    "class inside a pickle of protocol 0": two(
        "import pickle\ndef f(x): return pickle.loads(b'cNAME_other\\nM\\n(tR.').go()\n",
        "class M:\n    def go(self): return 1\n", "return 1", "return 2",
    ),
    "function inside a pickle": two(
        "import pickle\ndef f(x): return pickle.loads(b'\\x80\\x04cNAME_other\\ng\\n.')()\n",
        "def g(): return 1\n", "return 1", "return 2",
    ),
    "class inside a pickle in a list": two(
        "import NAME_other, pickle\nBLOBS = [pickle.dumps([NAME_other.M()])]\n"
        "def f(x): return pickle.loads(BLOBS[0])[0].go()\n",
        "class M:\n    def go(self): return 1\n", "return 1", "return 2",
    ),
}  # fmt: skip

CASES: dict[str, Case] = {**ALIASES, **ATTRIBUTES, **REGISTRIES, **RUN_TIME, **PICKLES}
