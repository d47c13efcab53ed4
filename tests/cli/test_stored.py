"""Stored values and keywords in every mode, and what is said of an override without effect."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracle import compare, edited, on_path, run_kogine, run_python

FRAMEWORKS = {
    "ml_collections": "from ml_collections import ConfigDict as Box",
    "yacs": "from yacs.config import CfgNode as Box",
    "EasyDict": "from easydict import EasyDict as Box",
    "SimpleNamespace": "from types import SimpleNamespace as Box",
}
SCRIPT = """\
import concurrent.futures, multiprocessing, sys
{imported}
def get_config():
    c = Box()
    c.model = Box()
    c.model.depth = 2
    c.lr = 0.1
    return c
class Net:
    def __init__(self):
        self.width = 64
    def fit(self, epochs=1):
        return self.width, epochs
c = get_config()
c.seed = 3
def work(n):
    return n, c.lr, c.model.depth, c.seed, Net().width
if __name__ == "__main__":
    net = Net()
    net.name = "a"
    h, s = net.fit(epochs=5)
    print(work(0), h, s, net.name)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(work, [1]))
"""
OVERRIDES = ("get_config.c.lr=0.5", "get_config.c.model.depth=7", "c.seed=5", "Net.width=8",
             "net.name=b", "net.fit(epochs)=9")  # fmt: skip
EDITS = (("c.lr = 0.1", "c.lr = 0.5"), ("depth = 2", "depth = 7"), ("c.seed = 3", "c.seed = 5"),
         ("= 64", "= 8"), ('"a"', '"b"'), ("epochs=5", "epochs=9"))  # fmt: skip


def script(framework: str) -> bytes:
    return SCRIPT.format(imported=FRAMEWORKS[framework]).encode()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_in_this_process_and_in_its_children(framework: str, tmp_path: Path) -> None:
    expected, got = compare(tmp_path, script(framework), EDITS, OVERRIDES)
    assert got == expected


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_in_each_mode(mode: str, tmp_path: Path) -> None:
    first = b"if __name__ == '__main__': sys.stdout = open('out.txt', 'a')\nclass Net"
    data = script("yacs").replace(b"class Net", first)
    (tmp_path / "s.py").write_bytes(edited(data, EDITS))
    run_python(tmp_path, "s.py")
    expected = (tmp_path / "out.txt").read_text()
    (tmp_path / "s.py").write_bytes(data)
    (tmp_path / "out.txt").unlink()
    words = [word for word in OVERRIDES if not word.startswith("c.seed")]
    axis = [
        "--sweep",
        "c.seed=5,5",
        "--mode",
        mode,
        *(["--workers", "1"] if mode != "inline" else []),
    ]
    done = run_kogine(tmp_path, "run", "s.py", *words, *axis)
    assert (done.status, (tmp_path / "out.txt").read_text()) == (0, expected * 2), done.stderr


def test_in_python(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_bytes(edited(script("EasyDict"), EDITS))
    expected = run_python(tmp_path, "s.py").stdout
    (tmp_path / "s.py").write_bytes(script("EasyDict"))
    values = {
        "get_config.c.lr": 0.5, "get_config.c.model.depth": 7, "c.seed": 5, "Net.width": 8,
        "net.name": "b", "net.fit(epochs)": 9,
    }  # fmt: skip
    program = (
        "from kohaku_ast import Config, Script\n"
        f"Script('s.py', Config(globals_dict={values!r})).run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import os; os.environ.pop('x', 0)\nif __name__ == '__main__':\n    exec({program!r})"],
        cwd=tmp_path, env={"PYTHONPATH": on_path()}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, expected)


def warned(tmp_path: Path, text: str, *overrides: str) -> str:
    (tmp_path / "s.py").write_text(text)
    done = run_kogine(tmp_path, "run", "s.py", *overrides)
    assert done.status == 0
    return done.stderr


FIT = "class M:\n    def fit(self, n=1): print(n)\nm = M()\n"
NET = (
    "class Base:\n    def __init__(self): pass\n"
    "class Net(Base):\n    def __init__(self, n=1):\n        super().__init__(); print(n)\n"
)


STORES = "class B:\n    def __init__(self):\n        self.n = 1\n"
STORED_ANEW = (
    "class S(B):\n    def __init__(self):\n        super().__init__()\n        self.n = 5\n"
)
INHERITED = [
    ("a derived class stores it", STORES + STORED_ANEW + "S()\n", "B.n=9", "3 of s.py alone: line 7 stores it"),
    ("the base is used, too", STORES + STORED_ANEW + "S()\nB()\n", "B.n=9", ""),
    ("the base is used by its name", STORES + STORED_ANEW + "S()\nglobals()['B']()\n", "B.n=9", ""),
    ("another derived class does not", STORES + STORED_ANEW + "class P(B): pass\nS(), P()\n", "B.n=9", ""),
    ("one that nobody uses does not", STORES + STORED_ANEW + "class P(B): pass\nS()\n", "B.n=9", "3 of s.py alone: line 7 stores it"),
    ("derived twice", STORES + STORED_ANEW + "class T(S): pass\nT()\n", "B.n=9", "3 of s.py alone: line 7 stores it"),
    ("in another method", STORES + "class S(B):\n    def f(self): self.n = 5\nS().f()\n", "n=9", "3 of s.py alone: line 5 stores it"),
    ("class attributes", "class B:\n    n = 1\nclass S(B):\n    n = 5\nS()\n", "B.n=9", "2 of s.py alone: line 4 stores it"),
    ("fields", "from dataclasses import dataclass as d\n@d\nclass B:\n    n: int = 1\n@d\nclass S(B):\n    n: int = 5\nS()\n", "B.n=9", "4 of s.py alone: line 7 stores it"),
    ("an attribute and a stored value", "class B:\n    n = 1\nclass S(B):\n    def __init__(self): self.n = 5\nS()\n", "B.n=9", "2 of s.py alone: line 4 stores it"),
    ("two of them", STORES + STORED_ANEW + STORED_ANEW.replace("S(", "T(") + "S(), T()\n", "B.n=9", "3 of s.py alone: lines 7 and 11 store it"),
    ("the base alone", STORES + "class S(B): pass\nB()\n", "B.n=9", ""),
    ("that of the derived class", STORES + STORED_ANEW + "S()\n", "S.n=9", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "override", "message"),
    [
        pytest.param(FIT + "m.fit(n=5)\n", "M.fit(n)=9",
                     "override 'M.fit(n)' had no effect: line 4 of s.py passes n=5. Override 'm.fit(n)'", id="a keyword with a target"),
        pytest.param(FIT + "x = 3\nm.fit(x)\n", "M.fit(n)=9",
                     "override 'M.fit(n)' had no effect: line 5 of s.py passes n=x", id="a position"),
        pytest.param(FIT + "x = 3\nm.fit(x)\nm.fit(n=x + 1)\n", "M.fit(n)=9",
                     "override 'M.fit(n)' had no effect: lines 5 and 6 of s.py pass n=x", id="two calls"),
        pytest.param("class M:\n    def fit(self, n=3): print(n)\nm = M()\nx = 5\nm.fit(n=x); m.fit(n=x)\n", "M.fit(n)=9",
                     "override 'M.fit(n)' had no effect: line 5 of s.py passes n=x", id="two calls in one line"),
        pytest.param("from dataclasses import dataclass\n@dataclass\nclass A:\n    n: int = 1\na = A(n=3)\n", "A.n=9",
                     "override 'A.n' had no effect: line 5 of s.py passes n=3. Override 'a.n'", id="a field"),
        pytest.param(NET + "net = Net(n=5)\n", "Net.__init__(n)=9",
                     "override 'Net.__init__(n)' had no effect: line 6 of s.py passes n=5. Override 'net.n'", id="of a class with a base"),
        pytest.param(NET + "class Sub(Net): pass\nsub = Sub(5)\n", "Net.__init__(n)=9",
                     "override 'Net.__init__(n)' had no effect: line 7 of s.py passes n=5", id="by a derived class without its own"),
        pytest.param(NET + "class Sub(Net):\n    def __init__(self): super().__init__(n=5)\nSub()\n", "Net.__init__(n)=9",
                     "override 'Net.__init__(n)' had no effect: line 7 of s.py passes n=5. Override 'Sub.__init__.super.__init__(n)'", id="by super"),
        pytest.param(NET + "class Sub(Net):\n    def __init__(self): super(Sub, self).__init__(5)\nSub()\nNet(6)\n", "Net.__init__(n)=9",
                     "override 'Net.__init__(n)' had no effect: lines 7 and 9 of s.py pass n=5", id="by super as in Python 2 and by itself"),
        pytest.param("def train(n=1): print('train', n)\ntrain(n=3)\ntrain(4)\nprint('train')\n", "train(n)=9",
                     "override 'train(n)' had no effect: lines 2 and 3 of s.py pass n=3", id="its name as a text"),
        pytest.param(FIT.replace("m = M()", "class S(M):\n    def fit(self): super().fit(n=5)\nS().fit()\nm = M()"), "M.fit(n)=9", "", id="by super and by itself without one"),
        pytest.param("class Base:\n    def fit(self, n): pass\n" + FIT.replace("class M", "class M(Base)").replace("print(n)", "super().fit(n)") + "m.fit(n=5)\n", "M.fit(n)=9",
                     "override 'M.fit(n)' had no effect: line 6 of s.py passes n=5. Override 'm.fit(n)'", id="a method that calls its base's"),
        pytest.param(FIT + "m.fit(n=5)\nm.fit(n=6)\n", "m.fit(n)=9",
                     "override 'm.fit(n)' changed line 4 of s.py alone: line 5 passes it, too", id="the first of two calls"),
        *[
            pytest.param(text, override, message and f"override 'B.n' changed line {message}, too", id=name)
            for name, text, override, message in INHERITED
        ],
    ],
)  # fmt: skip
def test_what_won_is_said(text: str, override: str, message: str, tmp_path: Path) -> None:
    expected = f"kogine: warning: {message}\n" if message else ""
    assert warned(tmp_path, text, override) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("class Sub(Net): pass\nNet(n=5)\nSub()\n", id="a derived class without an argument"),
        pytest.param("class Sub(Net):\n    def __init__(self): super().__init__()\nSub()\nNet(5)\n", id="super without an argument"),
        pytest.param("class Sub(Net):\n    def __init__(self): Net.__init__(self)\nSub()\nNet(5)\n", id="the base by its name"),
        pytest.param("class Sub(Net):\n    def __init__(self):\n        init = super().__init__\n        init()\nSub()\nNet(5)\n", id="super kept"),
        pytest.param("class Mixed(Net, Base): pass\nMixed()\nNet(5)\n", id="two bases"),
        pytest.param("type(Net(n=5))()\n", id="the class of another"),
        pytest.param("Net(n=5)\ngetattr(__import__('sys').modules['__main__'], 'Net')()\n", id="looked up by its name"),
        pytest.param("Net(n=5)\nNet(**{})\n", id="keywords of a dict"),
        pytest.param("Net(n=5)\n[one() for one in (Net,)]\n", id="in a tuple"),
    ],
)  # fmt: skip
def test_a_default_that_is_used_is_not_warned_of(text: str, tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(NET + text)
    done = run_kogine(tmp_path, "run", "s.py", "Net.__init__(n)=9")
    assert (done.stderr, done.status) == ("", 0)
    assert "9\n" in done.stdout


MODULE = """\
class Net:
    def __init__(self, n=1): self.n = n
    @classmethod
    def make(cls, n=2): return cls(n)
    def fit(self, n=1): return n
def build(n=3): return n
small = build(n=5)
"""


@pytest.mark.parametrize(
    ("script", "override", "message"),
    [
        pytest.param("import hp\nhp.build(n=4)\n", "hp.build(n)=9", "line 2 of s.py and line 7 of hp.py pass n=4", id="in both files"),
        pytest.param("from hp import build as make\nmake(4)\n", "hp.build(n)=9", "line 2 of s.py and line 7 of hp.py pass n=4", id="by another name"),
        pytest.param("from hp import *\nbuild(4)\n", "hp.build(n)=9", "line 2 of s.py and line 7 of hp.py pass n=4", id="by a star"),
        pytest.param("import hp as h\nh.Net(n=4)\n", "hp.Net.__init__(n)=9", "line 2 of s.py and line 4 of hp.py pass n=4", id="of a class"),
        pytest.param("from hp import Net\nNet.make(4)\n", "hp.Net.make(n)=9", "line 2 of s.py passes n=4", id="of a class method"),
        pytest.param("from hp import Net\nNet(4).fit(n=6)\n", "hp.Net.fit(n)=9", "line 2 of s.py passes n=6", id="of a method"),
        pytest.param("import helper\n", "hp.Net.fit(n)=9", "line 2 of helper.py passes n=8", id="in another module"),
        pytest.param("import hp\nhp.build()\n", "hp.build(n)=9", "", id="used"),
        pytest.param("import hp\nprint(hp.build)\n", "hp.build(n)=9", "", id="passed on"),
        pytest.param("import hp\ndef build(n=1): pass\nbuild(n=2)\n", "hp.build(n)=9", "", id="another of its name"),
        pytest.param("import hp\nclass Sub(hp.Net): pass\nSub()\n", "hp.Net.__init__(n)=9", "", id="a derived class"),
    ],
)  # fmt: skip
def test_a_default_of_a_module_that_no_file_uses(
    tmp_path: Path, script: str, override: str, message: str
) -> None:
    (tmp_path / "hp.py").write_text(MODULE)
    (tmp_path / "helper.py").write_text("import hp\nhp.Net(3).fit(n=8)\n")
    target = override.partition("=")[0]
    expected = f"kogine: warning: override '{target}' had no effect: {message}\n" if message else ""
    assert warned(tmp_path, script, override) == expected
    words = ("--mode", "spawn", "--no-record")
    assert (message in run_kogine(tmp_path, "run", "s.py", override, *words).stderr) or not message


def test_callers_in_other_files_use_the_default_of_a_module(tmp_path: Path) -> None:
    (tmp_path / "hp.py").write_text(NET + "small = Net(n=5)\n")
    assert warned(tmp_path, "import hp\nhp.Net()\n", "hp.Net.__init__(n)=9") == ""


@pytest.mark.parametrize(
    ("override", "old", "new"),
    [
        pytest.param("config.C.n=9", "C.n = 3", "C.n = 9", id="a class that is imported"),
        pytest.param("config.D.a=9", 'D["a"] = 5', 'D["a"] = 9', id="a dict that is imported"),
        pytest.param("config.N=9", "config.N = 4", "config.N = 9", id="a name of the module"),
        pytest.param("pk.opt.E.m=9", "Opt.m = 6", "Opt.m = 9", id="by another name"),
    ],
)
def test_what_the_script_stores_in_an_imported_object_is_that_of_the_module(
    tmp_path: Path, override: str, old: str, new: str
) -> None:
    (tmp_path / "pk").mkdir()
    (tmp_path / "pk" / "__init__.py").touch()
    (tmp_path / "pk" / "opt.py").write_text("class E:\n    m = 1\n")
    (tmp_path / "config.py").write_text('D = {"a": 1}\nN = 1\nclass C:\n    n = 1\n')
    text = (
        "import config\nfrom config import C, D\nfrom pk.opt import E as Opt\n"
        'config.N = 4\nC.n = 3\nD["a"] = 5\nOpt.m = 6\nprint(config.N, C.n, D, Opt.m)\n'
    )
    (tmp_path / "s.py").write_text(text.replace(old, new))
    expected = run_python(tmp_path, "-B", "s.py")
    (tmp_path / "s.py").write_text(text)
    assert run_kogine(tmp_path, "run", "s.py", override) == expected
