"""The command that repeats a run, typed into a shell: it makes that run, and no other one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.recorded import KOGINE
from tests.oracle import run_kogine

SCRIPT = """\
import sys
lr = 0.1
name = "a"
opt = None
layers = (1, 2)
def main(epochs=3):
    print("ran", [lr, name, opt, layers, epochs], sys.argv[1:], globals().get("extra"))
    return lr
if __name__ == "__main__":
    main()
"""
GENERATOR = "def config_gen():\n    for one in {0}:\n        yield one\n"
AXES = "from kohaku_ast import Sweep, Config\n"


def runs(folder: Path, *words: str) -> list[tuple[str, str]]:
    """What each run printed, and the command that repeats it."""
    (folder / "train.py").write_text(SCRIPT)
    end = [*words, "--"].index("--")
    done = run_kogine(folder, *words[:end], "--json", *words[end:])
    ends = [one for one in map(json.loads, done.stdout.splitlines()) if one["event"] == "end"]
    assert ends, done.stderr
    return [(Path(one["log"]).read_text(), one["again"]) for one in ends]


def typed(folder: Path, command: str) -> str:
    """What *command*, as it is shown, prints when a shell reads it."""
    shell = f'kogine() {{ {" ".join(KOGINE)} "$@"; }}\n{command}'
    done = subprocess.run(["sh", "-c", shell], cwd=folder, capture_output=True, text=True)
    return done.stdout


@pytest.mark.parametrize(
    ("config", "words"),
    [
        pytest.param("", ["--sweep", "lr=0.2,inf"], id="an axis"),
        pytest.param("", ["--sweep", "name=x y,'', =,\"it's\""], id="text"),
        pytest.param("", ["--sweep", "name=a\x1b[2J,b\nc"], id="text that would move the cursor"),
        pytest.param("", ["--sweep", "lr=uniform:0:1", "-n", "2"], id="random axis"),
        pytest.param("", ["--sweep", "lr=1,2", "--sweep", "opt=a,1", "--zip", "lr,opt"], id="zip"),
        pytest.param("", ["--sweep", "lr=1,2", "--", "a b", "-z"], id="arguments"),
        pytest.param("", ["--sweep", "lr=1,2", "--add", "extra='5 6'"], id="added"),
        pytest.param("", ["--sweep", "epochs=1,2", "-e", "main"], id="entrypoint"),
        pytest.param("", ["--sweep", "opt=007,x", "--as-is"], id="as is"),
        pytest.param("layers = (3,)\n_sweep = {'name': ['a b', \"q'\\n\"]}", [], id="text of a config"),
        pytest.param("_sweep = {'lr': [1, 2.0], 'opt': ['1', 1, None]}", [], id="types of a config"),
        pytest.param("_kwargs = {'epochs': 9}\n_argv = ['x y']\n_sweep = {'lr': [1, 2]}", ["-n", "1"], id="call of a config"),
        pytest.param("layers = len\n_sweep = {'lr': [0.5, 2.5]}", [], id="function that does not vary"),
        pytest.param(GENERATOR.format("[{'lr': 0.5}, {'lr': 2}, {'name': '007'}]"), [], id="generator"),
        pytest.param(GENERATOR.format("[{'lr': 0.5}, {'name': 'b c'}]"), ["name=z"], id="generator and a value over it"),
        pytest.param(AXES + GENERATOR.format("[Config({}, argv=('x y',), new_globals={'extra': '7'})]"), [], id="generator of arguments"),
        pytest.param("_sweep = {'lr': [float('inf')], 'opt': [float('nan'), 'nan', 'false', False]}", [], id="words that YAML has, and their texts"),
        pytest.param("CONFIG = [{'opt': 'a,b'}, {'opt': [1, ('x', None)]}, {'opt': ''}, {'opt': 'None'}]", [], id="list"),
        pytest.param(AXES + "CONFIG = Sweep(lr=[1.5, 2.5]) + Sweep(name=['u', 'v'])", [], id="chain"),
    ],
)  # fmt: skip
def test_the_command_makes_the_same_run(tmp_path: Path, config: str, words: list[str]) -> None:
    given = []
    if config:
        (tmp_path / "cfg.py").write_text(config)
        given = ["--config", "cfg.py"]
    for printed, again in runs(tmp_path, "run", "train.py", *given, *words):
        assert again
        assert typed(tmp_path, again) == printed, again


def test_a_data_file_and_a_table(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text('name: "007"\nlayers: [1, 2]\n')
    (tmp_path / "table.json").write_text('[{"lr": 1, "opt": "1"}, {"lr": 2.5, "opt": 1}]')
    for printed, again in runs(
        tmp_path, "run", "train.py", "--config", "base.yaml", "--trials", "table.json"
    ):
        assert typed(tmp_path, again) == printed, again


@pytest.mark.parametrize(
    "config",
    [
        pytest.param("_sweep = {'opt': [len]}", id="function"),
        pytest.param("import pathlib\n_sweep = {'opt': [pathlib.Path('x')]}", id="path for anything"),
        pytest.param(AXES + GENERATOR.format("[Config({}, kwargs={'epochs': 1})]"), id="call of a generator"),
    ],
)  # fmt: skip
def test_what_no_command_line_says_is_in_the_record(tmp_path: Path, config: str) -> None:
    (tmp_path / "cfg.py").write_text(config)
    ((_, again),) = runs(tmp_path, "run", "train.py", "--config", "cfg.py")
    assert again.startswith("kogine runs repeat 2")


def test_a_workflow_of_a_file_has_them_too(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(
        "from kohaku_ast import Script, Sequential, Sweep\n"
        "flow = Sequential([Script('train.py', Sweep(name=['a b', 'c'])), Script('train.py')])\n"
    )
    found = runs(tmp_path, "workflow", "run", "flow.py")
    assert [again for _, again in found] == [
        "kogine run train.py 'name=a b'", "kogine run train.py name=c", "kogine run train.py",
    ]  # fmt: skip
    for printed, again in found:
        assert typed(tmp_path, again) == printed


def test_an_option_of_the_script_that_is_one_of_ours(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--config', default='d')\n"
        "p.add_argument('--seed', type=int, default=0)\nprint('ran', p.parse_args())\n"
    )
    words = ("run", "own.py", "--set", "--config=a b", "--sweep", "--seed=1,2")
    for printed, again in runs(tmp_path, *words):
        assert typed(tmp_path, again) == printed, again
