"""Sweeps: each run of one is the script with those definitions edited by hand."""

from __future__ import annotations

from textwrap import dedent
from typing import Any, NamedTuple


class SweepCase(NamedTuple):
    id: str
    script: str
    arguments: tuple[str, ...]
    #: For each run, in order, the edits of the copy that it must equal.
    runs: tuple[tuple[tuple[str, str], ...], ...]
    files: dict[str, str]


SCRIPT = """\
import os, sys
lr = 0.1
bs = 16
name = "x"
layers = [8]
on = True
size = None
warm = lr * 10
class Args:
    depth: int = 2
cfg = {"opt": {"name": "sgd"}, "wd": 0.0}
import argparse
p = argparse.ArgumentParser()
p.add_argument("--gain", type=float, default=1.0)
gain = p.parse_args().gain
def main(epochs=1, *, width=2):
    print(lr, bs, name, layers, on, size, warm, Args.depth, cfg, gain, epochs, width)
if __name__ == "__main__":
    main()
"""
LR, BS, NAME, LAYERS = "lr = 0.1", "bs = 16", 'name = "x"', "layers = [8]"
ON, SIZE, DEPTH, OPT, WD = "on = True", "size = None", "depth: int = 2", '"sgd"', '"wd": 0.0'
GAIN, EPOCHS, WIDTH = "default=1.0", "epochs=1", "width=2"


def edit(old: Any, value: Any) -> Any:
    """*old*, a definition, with *value* in place of its own."""
    for mark in (" = ", "=", ": "):
        if mark in old:
            return old, f"{old.split(mark)[0]}{mark}{value}" if mark != ": " else f'{old.rsplit(": ", 1)[0]}: {value}'
    return old, value


def lrs(*values: Any) -> Any:
    return tuple((edit(LR, value),) for value in values)


def swept(id_: str, *arguments: Any, runs: Any, files: Any=None, script: Any=SCRIPT) -> Any:
    return SweepCase(id_, script, arguments, tuple(runs), {name: dedent(text) for name, text in (files or {}).items()})


def config(id_: str, text: str, *arguments: Any, runs: Any, files: Any=None) -> Any:
    return swept(id_, "--config", "cfg.py", *arguments, runs=runs, files={"cfg.py": text, **(files or {})})


GRID = [(edit(LR, a), edit(BS, b)) for a in (0.1, 0.2) for b in (1, 2)]

CASES = [
    swept("one axis", "--sweep", "lr=0.3,0.2", runs=lrs(0.3, 0.2)),
    swept("an axis of one value", "--sweep", "lr=0.3", runs=lrs(0.3)),
    swept("joined by an equals sign", "--sweep=lr=0.3,0.2", runs=lrs(0.3, 0.2)),
    swept("two axes multiply, the first slowest", "--sweep", "lr=0.1,0.2", "--sweep", "bs=1,2", runs=GRID),
    swept("the order of the command line counts", "--sweep", "bs=1,2", "--sweep", "lr=0.1,0.2",
          runs=[(edit(BS, b), edit(LR, a)) for b in (1, 2) for a in (0.1, 0.2)]),
    swept("zipped", "--sweep", "lr=0.1,0.2", "--sweep", "bs=1,2", "--zip", "lr,bs", runs=[GRID[0], GRID[3]]),
    swept("zipped, and a third that multiplies", "--sweep", "lr=1,2", "--sweep", "on=no,yes", "--sweep", "bs=1,2", "--zip", "lr,bs",
          runs=[(edit(LR, f"{float(n)}"), edit(BS, n), edit(ON, on)) for n in (1, 2) for on in (False, True)]),
    swept("text is typed by its parameter", "--sweep", "name=007,1e3", runs=[(edit(NAME, "'007'"),), (edit(NAME, "'1e3'"),)]),
    swept("whole numbers for a float", "--sweep", "lr=1,2", runs=lrs(1.0, 2.0)),
    swept("booleans", "--sweep", "on=no,yes", runs=[(edit(ON, False),), (edit(ON, True),)]),
    swept("lists count as one value each", "--sweep", "layers=[1,2],[3]", runs=[(edit(LAYERS, [1, 2]),), (edit(LAYERS, [3]),)]),
    swept("one list is one value", "--sweep", "layers=[1,2]", runs=[(edit(LAYERS, [1, 2]),)]),
    swept("a default of None takes literals and text", "--sweep", "size=3,big,None", runs=[(edit(SIZE, 3),), (edit(SIZE, "'big'"),), ()]),
    swept("range without its end", "--sweep", "bs=range:0:6:2", runs=[(edit(BS, n),) for n in (0, 2, 4)]),
    swept("a range of decimals has no noise", "--sweep", "lr=range:0:0.4:0.1", runs=lrs(0.0, 0.1, 0.2, 0.3)),
    swept("linspace with both ends", "--sweep", "lr=linspace:0:1:3", runs=lrs(0.0, 0.5, 1.0)),
    swept("geomspace with both ends", "--sweep", "lr=geomspace:1e-3:1e-1:3", runs=lrs(0.001, 0.01, 0.1)),
    swept("choice", "--sweep", "name=choice:a:b", runs=[(edit(NAME, "'a'"),), (edit(NAME, "'b'"),)]),
    swept("a form in quotes is text", "--sweep", "name='range:1:2',b", runs=[(edit(NAME, "'range:1:2'"),), (edit(NAME, "'b'"),)]),
    swept("a value holds for every run", "--sweep", "lr=0.3,0.2", "bs=4", runs=[(edit(LR, a), edit(BS, 4)) for a in (0.3, 0.2)]),
    swept("an option", "--sweep", "--gain=2,3", runs=[(edit(GAIN, "2.0"),), (edit(GAIN, "3.0"),)]),
    swept("a class attribute", "--sweep", "Args.depth=5,6", runs=[(edit(DEPTH, 5),), (edit(DEPTH, 6),)]),
    swept("an entry", "--sweep", "cfg.opt.name=adam,lion", runs=[((OPT, '"adam"'),), ((OPT, '"lion"'),)]),
    swept("a default of the entry function", "--sweep", "main(epochs)=3,4", runs=[((EPOCHS, "epochs=3"),), ((EPOCHS, "epochs=4"),)]),
    swept("-n without random axes is the first runs", "--sweep", "lr=0.3,0.2,0.1", "-n", "2", runs=lrs(0.3, 0.2)),
    swept("a table", "--trials", "t.csv", runs=[(edit(LR, 0.5), edit(NAME, "'007'")), (edit(LR, 0.25), edit(NAME, "'b c'"))],
          files={"t.csv": "lr,name\n0.5,007\n0.25,b c\n"}),
    swept("a table of JSON", "--trials", "t.json", runs=[(edit(LR, 0.5), edit(NAME, "'7'")), (edit(LR, 0.25), edit(NAME, "'b'"))],
          files={"t.json": '[{"lr": 0.5, "name": "7"}, {"lr": 0.25, "name": "b"}]'}),
    swept("a table of YAML", "--trials", "t.yaml", runs=[(edit(LR, 0.001),), (edit(LR, 0.25),)], files={"t.yaml": "- lr: 1e-3\n- lr: 0.25\n"}),
    swept("a table multiplies with an axis", "--trials", "t.csv", "--sweep", "bs=1,2", runs=GRID, files={"t.csv": "lr\n0.1\n0.2\n"}),
    config("a _sweep in a config", "_sweep = {'lr': [0.1, 0.2], 'bs': (1, 2)}", runs=GRID),
    config("fixed values beside a _sweep", "name = 'y'\n_sweep = {'lr': [0.1, 0.2]}", runs=[(edit(LR, a), edit(NAME, "'y'")) for a in (0.1, 0.2)]),
    config("a _sweep that pairs", "_sweep = {'__mode__': 'zip', 'lr': [0.1, 0.2], 'bs': [1, 2]}", runs=[GRID[0], GRID[3]]),
    config("a tuple of targets pairs too", "_sweep = {('lr', 'bs'): [(0.1, 1), (0.2, 2)]}", runs=[GRID[0], GRID[3]]),
    config("a Sweep object", "from kohaku_ast import Sweep\n_sweep = Sweep.zip(lr=[0.1, 0.2], bs=[1, 2]) * Sweep(on=[False])",
           runs=[(*GRID[n], edit(ON, False)) for n in (0, 3)]),
    config("conditional axes by a generator", """
        def _sweep():
            for lr in (0.1, 0.2):
                for bs in ((1,) if lr == 0.1 else (2, 3)):
                    yield {"lr": lr, "bs": bs}
        """, runs=[GRID[0], GRID[3], (edit(LR, 0.2), edit(BS, 3))]),
    config("config_gen that yields", """
        from kohaku_ast import Config
        def config_gen():
            for lr in (0.3, 0.2):
                yield Config({"lr": lr}, kwargs={"width": 9})
        """, runs=[(edit(LR, a), (WIDTH, "width=9")) for a in (0.3, 0.2)]),
    config("config_gen that returns a list", "from kohaku_ast import Config\ndef config_gen():\n    return [Config({'lr': a}) for a in (0.3, 0.2)]\n", runs=lrs(0.3, 0.2)),
    config("CONFIG that is a Sweep", "from kohaku_ast import Sweep\nCONFIG = Sweep(lr=[0.3, 0.2])\n", runs=lrs(0.3, 0.2)),
    config("numpy arrays are axes of plain numbers", "import numpy\n_sweep = {'lr': numpy.linspace(0, 1, 3), 'bs': numpy.arange(1, 3)}",
           runs=[(edit(LR, a), edit(BS, b)) for a in (0.0, 0.5, 1.0) for b in (1, 2)]),
    config("a generator is an axis", "_sweep = {'bs': (n * n for n in range(3))}", runs=[(edit(BS, n),) for n in (0, 1, 4)]),
    config("a generator as the second axis is stored", "_sweep = {'lr': [0.1, 0.2], 'bs': (n for n in (1, 2))}", runs=GRID),
    config("an axis of the command line multiplies a config's", "_sweep = {'lr': [0.1, 0.2]}", "--sweep", "bs=1,2", runs=GRID),
    config("an axis of the command line replaces a config's", "_sweep = {'lr': [7, 8, 9]}", "--sweep", "lr=0.3,0.2", runs=lrs(0.3, 0.2)),
    config("an axis of the command line wins over a config's value", "lr = 9\nbs = 4", "--sweep", "lr=0.3,0.2", runs=[(edit(LR, a), edit(BS, 4)) for a in (0.3, 0.2)]),
    config("a value on the command line fixes an axis of a config", "_sweep = {'lr': [7, 8], 'bs': [1, 2]}", "lr=0.5", runs=[(edit(LR, 0.5), edit(BS, b)) for b in (1, 2)]),
    config("a value under a longer name fixes it too", "_sweep = {'depth': [7, 8], 'bs': [1, 2]}", "Args.depth=5", runs=[(edit(DEPTH, 5), edit(BS, b)) for b in (1, 2)]),
    config("a column of a zip can be fixed", "_sweep = {('lr', 'bs'): [(0.1, 1), (0.2, 2)]}", "lr=0.5", runs=[(edit(LR, 0.5), edit(BS, b)) for b in (1, 2)]),
    config("a value on the command line holds for a generator", "def config_gen():\n    yield {'lr': 7, 'bs': 1}\n    yield {'bs': 2}\n", "lr=0.5",
           runs=[(edit(LR, 0.5), edit(BS, b)) for b in (1, 2)]),
    config("two config files multiply", "_sweep = {'lr': [0.1, 0.2]}", "--config", "b.py", runs=GRID, files={"b.py": "_sweep = {'bs': [1, 2]}"}),
    config("a later file's value fixes an earlier one's axis", "_sweep = {'lr': [7, 8], 'bs': [1, 2]}", "--config", "b.py",
           runs=[(edit(LR, 0.5), edit(BS, b)) for b in (1, 2)], files={"b.py": "lr = 0.5"}),
    config("functions are values of an axis", "_sweep = {'size': [len, max]}", runs=[(edit(SIZE, "len"),), (edit(SIZE, "max"),)]),
    swept("YAML", "--config", "c.yaml", runs=[(edit(LR, 0.001), edit(BS, b)) for b in (1, 2)], files={"c.yaml": "lr: 1e-3\n_sweep:\n  bs: [1, 2]\n"}),
    swept("modules", "--sweep", "hparams.k=1,2", script="import hparams\nprint(hparams.k, hparams.double)\n",
          runs=[(("import hparams", f"import hparams; hparams.k = {k}; hparams.double = {2 * k}"),) for k in (1, 2)],
          files={"hparams.py": "k = 5\ndouble = k * 2\n"}),
    swept("each run starts from nothing", "--sweep", "lr=1,2", runs=[(edit(LR, "1.0"),), (edit(LR, "2.0"),)], script="""\
import atexit, logging, os, sys, threading
lr = 0.1
ready = threading.Event()
import state
state.seen.append(lr)
os.environ["SEEN"] = os.environ.get("SEEN", "") + str(lr)
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format=f"{lr} %(message)s")
logging.getLogger("mine").addHandler(logging.StreamHandler(sys.stdout))
logging.getLogger("mine").info("once")
sys.path.append(str(lr))
threading.Thread(target=lambda: ready.wait() and print("thread", lr)).start()
atexit.register(print, "end of", lr)
print(state.seen, os.environ["SEEN"], [one for one in sys.path if one[:1] in "12"], sys.argv)
ready.set()
""", files={"state.py": "seen = []\n"}),
]


class Refused(NamedTuple):
    id: str
    arguments: tuple[str, ...]
    words: tuple[str, ...]
    files: dict[str, str]
    script: str


def refused(id_: str, *arguments: Any, words: Any, files: Any=None, script: Any=SCRIPT) -> Any:
    return Refused(id_, arguments, tuple(words), {name: dedent(text) for name, text in (files or {}).items()}, script)


def bad(id_: str, text: str, *words: Any) -> Any:
    return refused(id_, "--config", "cfg.py", words=("cfg.py", *words), files={"cfg.py": text})


REFUSED = [
    refused("an axis of an unknown target", "--sweep", "lx=1,2", words=["no parameter 'lx'", "'lr'"]),
    refused("an axis that is no TARGET=VALUES", "--sweep", "lr", words=["'lr'", "TARGET=VALUE"]),
    refused("an axis without values", "--sweep", "lr=", words=["lr", "no values"]),
    refused("a later value that does not fit", "--sweep", "bs=1,2,three", words=["bs=three", "int"]),
    refused("a value of a range that does not fit", "--sweep", "bs=linspace:0:1:3", words=["bs=0.5", "int"], script="bs: int = 16\nprint(bs)\n"),
    refused("a range without values", "--sweep", "bs=range:5:2", words=["range:5:2"]),
    refused("a step of zero", "--sweep", "bs=range:0:5:0", words=["range:0:5:0"]),
    refused("a mistyped form", "--sweep", "bs=rnage:0:5", words=["range"]),
    refused("the same axis twice", "--sweep", "lr=1,2", "--sweep", "lr=3,4", words=["'lr'", "twice"]),
    refused("one target set and swept", "lr=1", "--sweep", "lr=3,4", words=["'lr'"]),
    refused("one parameter set and swept under two names", "Args.depth=1", "--sweep", "depth=3,4", words=["Args.depth", "twice"]),
    refused("a zip of unequal lengths", "--sweep", "lr=1,2", "--sweep", "bs=1,2,3", "--zip", "lr,bs", words=["2", "3", "lr", "bs"]),
    refused("a zip of a target that is no axis", "--sweep", "lr=1,2", "--zip", "lr,bs", words=["bs"]),
    refused("a zip of one axis", "--sweep", "lr=1,2", "--zip", "lr", words=["--zip lr", "each once"]),
    refused("a zip of an axis with itself", "--sweep", "lr=1,2", "--sweep", "bs=1,2", "--zip", "lr,lr", words=["--zip lr,lr", "each once"]),
    refused("random axes without a number of draws", "--sweep", "lr=uniform:0:1", words=["-n"]),
    refused("a seed without random axes", "--sweep", "lr=1,2", "--seed", "3", words=["--seed"]),
    refused("a seed that is no number", "--sweep", "lr=uniform:0:1", "-n", "2", "--seed", "x", words=["--seed x"]),
    refused("no draws", "--sweep", "lr=uniform:0:1", "-n", "0", words=["-n 0"]),
    refused("a distribution with its ends swapped", "--sweep", "lr=uniform:1:0", "-n", "2", words=["uniform:1:0"]),
    refused("a logarithm of zero", "--sweep", "lr=loguniform:0:1", "-n", "2", words=["loguniform:0:1"]),
    refused("a table that does not exist", "--trials", "t.csv", words=["t.csv"]),
    refused("a table with a bad header", "--trials", "t.csv", words=["t.csv", "'lrr'", "'lr'"], files={"t.csv": "lrr\n1\n"}),
    refused("a table with a header twice", "--trials", "t.csv", words=["t.csv", "two columns", "lr"], files={"t.csv": "lr,lr\n1,2\n"}),
    refused("a table with a missing cell", "--trials", "t.csv", words=["t.csv:3", "bs"], files={"t.csv": "lr,bs\n1,2\n1,\n"}),
    refused("a table with too many cells", "--trials", "t.csv", words=["t.csv:2"], files={"t.csv": "lr,bs\n1,2,3\n"}),
    refused("a table without rows", "--trials", "t.csv", words=["t.csv"], files={"t.csv": "lr,bs\n"}),
    refused("a cell that does not fit", "--trials", "t.csv", words=["t.csv:3", "bs=x", "int"], files={"t.csv": "bs\n1\nx\n"}),
    bad("a syntax error", "lr = = 1\n", "SyntaxError"),
    bad("an exception inside", "lr = 1 / 0\n", "ZeroDivisionError", "line 1"),
    bad("a generator that yields something else", "def config_gen():\n    yield 3\n", "3"),
    bad("a generator that raises before its first", "def config_gen():\n    1 / 0\n    yield {}\n", "ZeroDivisionError"),
    bad("config_gen that returns something else", "def config_gen():\n    return 3\n", "3"),
    bad("config_gen with a parameter that nobody gives", "def config_gen(what):\n    return {}\n", "what"),
    bad("_args of the wrong type", "_args = 3\n", "_args", "3"),
    bad("an unknown reserved name", "_kwarg = {'a': 1}\n", "_kwargs"),
    bad("an empty axis", "_sweep = {'lr': []}\n", "lr"),
    bad("an axis that is not iterable", "_sweep = {'lr': 3}\n", "lr", "3"),
    bad("an axis that is a text", "_sweep = {'name': 'adam'}\n", "adam", "['adam']"),
    refused("an axis of an unknown target in a config", "--config", "cfg.py", words=["'lrr'", "'lr'"], files={"cfg.py": "_sweep = {'lrr': [1]}\n"}),
    bad("a name that is both set and swept", "lr = 1\n_sweep = {'lr': [1, 2]}\n", "lr"),
    bad("a _sweep of another type", "_sweep = 3\n", "_sweep", "3"),
    refused("a base that is its own base", "--config", "a.py", words=["a.py", "b.py"],
            files={"a.py": "from kohaku_ast import use_config\nuse_config('b.py')\n", "b.py": "from kohaku_ast import use_config\nuse_config('a.py')\n"}),
    refused("a script that is no Python", "--sweep", "lr=1,2", words=["SyntaxError"], script="lr = 1\nx = = 2\n"),
]
