"""``kogine doctor``: what it finds in a script, and that it runs nothing of it. Its mode is compared
with the one that a sweep takes in tests/flow/test_auto.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.transform.find.source import decode
from kohaku_ast.transform.find.used_files import find_files
from kohaku_ast.transform.find.uses import draws_numbers, find_defined, find_uses
from tests.oracle import run_kogine


def uses(text: str) -> set[tuple[str, str]]:
    return {(one.topic, one.name) for one in find_uses(decode(text.encode(), "/x/s.py"))}


USED = {
    "argparse": ("import argparse as a\np = a.ArgumentParser()\n", {("command line", "argparse")}),
    "argv by hand": ("import sys\nn = sys.argv[1]\n", {("command line", "sys.argv")}),
    "a click command": ("import click\n", {("command line", "click")}),
    "absl flags": ("from absl import flags\n", {("command line", "absl")}),
    "hydra": ("import hydra\n", {("command line", "hydra"), ("config", "hydra")}),
    "helpers": (
        "from kohaku_ast import helpers\nfrom kohaku_ast.helpers import logger\n",
        {("helpers", "helpers"), ("helpers", "logger")},
    ),
    "a bar": ("from tqdm.auto import trange\n", {("progress", "tqdm")}),
    "torch, a fixed GPU": (
        "import torch as t\nx = t.zeros(1).to('cuda:1' if t.cuda.is_available() else 'cpu')\n",
        {("device", "torch"), ("device", "torch.cuda"), ("device", '"cuda:1"')},
    ),
    "a writer": (
        "from torch.utils.tensorboard import SummaryWriter\n",
        {("tracking", "torch.utils.tensorboard"), ("device", "torch")},
    ),
    "seeds": (
        "import numpy as np, random\nrandom.seed(1)\nnp.random.default_rng(2)\nseed_everything(3)\n",
        {("randomness", name) for name in ("random.seed", "numpy.random.default_rng", "seed_everything")},
    ),
    "a generator without a seed": ("import numpy as np\nr = np.random.default_rng()\n", set()),
    "a method of that name": ("import game\ngame.input('x')\nworld.fork()\n", set()),
    "workers of a loader": (
        "loader = DataLoader(data, num_workers=4)\nother = DataLoader(data, num_workers=0)\n",
        {("processes", "DataLoader(num_workers=)")},
    ),
    "children": (
        "import subprocess\nfrom multiprocessing import Pool\nsubprocess.run(['ls'])\n",
        {("processes", "multiprocessing"), ("processes", "subprocess.run")},
    ),
    "its own process": (
        "import os, atexit\nos.chdir('x')\natexit.register(f)\nos.environ['CUDA_VISIBLE_DEVICES'] = '3'\ninput()\n",
        {("this process", name) for name in ("os.chdir", "atexit.register", "input", "os.environ['CUDA_VISIBLE_DEVICES']")},
    ),
    "nothing": ("lr = 0.1\nprint(lr)\n", set()),
}  # fmt: skip


@pytest.mark.parametrize(("text", "found"), USED.values(), ids=USED)
def test_uses(text: str, found: set[tuple[str, str]]) -> None:
    assert uses(text) == found


FILES = {
    "open": ("open('a.txt'); open('b.txt', 'w'); open(mode='a', file='c.txt')", "a.txt b.txt! c.txt!"),
    "a constant": ("OUT = 'm.pt'\nimport torch\ntorch.save(m, OUT)", "m.pt!"),
    "a path": ("from pathlib import Path\nD = Path('d')\n(D / 'x.json').read_text()\n(D / 'y').touch()", "d/x.json d/y!"),
    "joined": ("import os\nopen(os.path.join('d', 'x.txt'))", "d/x.txt"),
    "a computed part": ("for e in range(3):\n    open(f'c_{e}.pt', 'wb')", "c_{}.pt!"),
    "frames": ("import pandas as pd\npd.read_csv('in.csv').to_csv('out.csv')", "in.csv out.csv!"),
    "arrays": ("import numpy as np\nnp.savez('a.npz', np.load('b.npy'))", "a.npz! b.npy"),
    "not relative": ("open('/a'); open('~/b'); open('s3://c'); open(d); open(f'{e}/f')", ""),
    "no file": ("'a'.replace('b', 'c'); game.open('d'); 'x'.mkdir", ""),
    "given twice": ("A = 'a.txt'\nA = 'b.txt'\nopen(A)", ""),
}  # fmt: skip


@pytest.mark.parametrize(("text", "found"), FILES.values(), ids=FILES)
def test_files(text: str, found: str) -> None:
    files = find_files(decode(text.encode(), "/x/s.py"))
    assert {one.path + "!" * one.is_written for one in files} == {*found.split()}


def test_what_draws_numbers() -> None:
    def draws(text: str) -> bool:
        return draws_numbers(decode(text.encode(), "/x/s.py"))

    assert draws("import random\n")
    assert draws("import numpy as n\nx = n.random.rand()\n")
    assert not draws("import numpy as np\nx = np.zeros(3)\n")


SCRIPT = """\
import randomly_named_module
import skopt
import pathlib
from hparam import width
from helper_of_mine import depth
try:
    import apex
except ImportError:
    apex = None
import random
import hydra
from kohaku_ast.helpers import logger

pathlib.Path("ran").touch()
lr = 0.1
logger.init(backends=["nothing_known", "tensorboard"])
open("rows.csv"), open("here.csv"), open("out.txt", "w"), open("out.txt")


@hydra.main(config_path="conf", config_name="base")
def main(cfg):
    pass


if __name__ == "__main__":
    main()
"""


def test_the_diagnosis_of_a_script(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "s.py").write_text(SCRIPT)
    (tmp_path / "sub" / "hparams.py").write_text("width = 3\n")
    (tmp_path / "sub" / "helper_of_mine.py").write_text("import os\nos.chdir\ndepth = 2\n")
    for place in ("here.csv", "sub/rows.csv"):
        (tmp_path / place).write_text("")
    done = run_kogine(tmp_path, "doctor", "sub/s.py", "--format", "json")
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.status, done.stderr) == (0, "")
    assert not (tmp_path / "ran").exists(), "it ran the script"
    missing = {one["name"]: (one["kind"], one["place"], one["remedy"]) for one in found["missing"]}
    guess = "pip install randomly-named-module, if that has it"
    assert missing.pop("randomly_named_module") == ("module", "s.py:1", guess)
    install = "pip install scikit-optimize"
    assert missing.pop("skopt") == ("module", "s.py:2", install)
    assert missing.pop("hparam")[2].startswith("is hparams.py beside the script meant? Else: pip")
    assert missing.pop("apex")[:2] == ("optional module", "s.py:7")
    assert missing.pop("rows.csv")[2] == "it is beside the script: start in sub"
    assert missing.pop("sub/conf/base.yaml")[:2] == ("config", "s.py:20")
    if "tensorboard" in missing:  # it is not installed
        extra = 'pip install "kohaku-ast[tensorboard]"'
        assert missing.pop("tensorboard") == ("extra", "s.py:16", extra)
        assert extra in found["next"]
    assert not missing
    assert found["next"][0] == install
    assert found["next"][-1] == "kogine run sub/s.py --sweep lr=0.1,0.05"
    assert found["modules"] == ["helper_of_mine"]
    notes = {(one["topic"], one["name"]): one["note"] for one in found["uses"]}
    assert "--repeat" in notes["randomness", "no seed is set"]
    assert "KOGINE_RUN_DIR" in notes["files", "writes out.txt"]
    as_table = run_kogine(tmp_path, "doctor", "sub/s.py").stdout
    assert all(name in as_table for name in ("hparams.py", "mode of a sweep: warm", install))


WRONG = {
    "no such script": (["nothing.py"], "can't open file 'nothing.py'"),
    "overrides": (["s.py", "lr=1"], "unexpected extra argument (lr=1)"),
    "no script": ([], "Missing argument 'SCRIPT'"),
    "it cannot be parsed": (["bad.py"], "SyntaxError"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_mistakes_end_with_status_2(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "s.py").write_text("lr = 0.1\n")
    (tmp_path / "bad.py").write_text("lr = (\n")
    done = run_kogine(tmp_path, "doctor", *words)
    assert (done.status, done.stdout) == (2, "")
    assert said in done.stderr


DEFINED = {
    "nodes": ("from kohaku_ast import Pipeline\np = Pipeline([f])\n", "pipeline"),
    "a class": ("import kohaku_ast as k\nclass Train(k.Pipeline):\n    step: Step\n", "pipeline"),
    "a TOML file": ("from kohaku_ast import Pipeline\np = Pipeline.from_toml('p.toml')\n", "pipeline"),
    "scripts": ("from kohaku_ast import Parallel\nflow: Parallel = Parallel(['a.py'])\n", "workflow"),
    "it runs itself": ("from kohaku_ast import Parallel\nflow = Parallel(['a.py'])\nflow.run()\n", ""),
    "under the guard": (
        "from kohaku_ast import Pipeline\np = Pipeline([f])\nif __name__ == '__main__':\n    p.run(x=1)\n",
        "",
    ),
    "another library's": ("from sklearn.pipeline import Pipeline\np = Pipeline([f])\n", ""),
    "in a function": ("from kohaku_ast import Pipeline\ndef f():\n    p = Pipeline([f])\n", ""),
}  # fmt: skip


@pytest.mark.parametrize(("text", "command"), DEFINED.values(), ids=DEFINED)
def test_what_a_file_defines(text: str, command: str) -> None:
    assert find_defined(decode(text.encode(), "/x/s.py")) == command


def test_the_next_command_for_a_pipeline(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(
        "from kohaku_ast import Pipeline, node\n@node\ndef f(n: int = 1):\n    return n\n"
        "pipeline = Pipeline([f])\n"
    )
    found = run_kogine(tmp_path, "doctor", "flow.py").stdout
    assert "next:\n  kogine pipeline graph flow.py\n  kogine pipeline run flow.py\n" in found
