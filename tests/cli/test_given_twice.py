"""An override and an argument of the script for one option: one of them would be lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import run_kogine, run_python

ARGPARSE = """
import argparse
p = argparse.ArgumentParser()
p.add_argument("-n", "--number", type=int, default=1)
p.add_argument("--no-cache", dest="cache", action="store_false")
p.add_argument("--cache", action="store_true")
p.add_argument("-v", action="count", default=0)
p.add_argument("--amp", action=argparse.BooleanOptionalAction, default=True)
print(p.parse_args())
"""
CLICK = """
import click
@click.command()
@click.option("-n", "--number", type=int, default=1)
@click.option("--no-cache", "cache", is_flag=True, flag_value=False, default=True)
@click.option("-v", count=True, default=0)
@click.option("--amp/--no-amp", default=True)
def main(**given): print(sorted(given.items()))
main()
"""
ABSL = """
from absl import app, flags
flags.DEFINE_integer("number", 1, "n", short_name="n")
flags.DEFINE_bool("cache", True, "c")
flags.DEFINE_bool("amp", True, "a")
app.run(lambda argv: print(flags.FLAGS.number, flags.FLAGS.cache, flags.FLAGS.amp))
"""
PARSED = ARGPARSE.replace("print(p.parse_args())", "args = p.parse_args()\nprint(args)")
BY_FUNCTION = """
import argparse
def get_args():
    p = argparse.ArgumentParser()
    p.add_argument("--num", "-n", dest="number", type=int, default=1)
    return p.parse_args()
def main():
    args = get_args()
    print(args)
main()
"""
TYRO = """
import dataclasses, tyro
@dataclasses.dataclass
class Args:
    number: int = 1
args = tyro.cli(Args)
print(args)
"""
NESTED = """
import dataclasses, tyro
@dataclasses.dataclass
class Opt:
    number: int = 1
@dataclasses.dataclass
class Args:
    opt: Opt = dataclasses.field(default_factory=Opt)
args = tyro.cli(Args)
print(args)
"""
FILES = {
    "argv.py": '_argv = ["--number", "5"]\n',
    "argv.yaml": '_argv: [--number, "5"]\n',
    "both.py": '_argv = ["--number", "5"]\n_overrides = {"--number": 7}\n',
    "own.py": 'number = 5\n_argv = ["--number", str(number)]\n',
    "value.yaml": "number: 9\n",
    "parsed.yaml": "args.number: 9\n",
    "axis.yaml": "_sweep:\n  number: [1, 2]\n",
    "t.csv": "number\n1\n2\n",
}


def run(folder: Path, script: str, *words: str):  # type: ignore[no-untyped-def]
    (folder / "s.py").write_text(script)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return run_kogine(folder, "run", "s.py", *words)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param(ARGPARSE, "number=4 --number 3", id="argparse"),
        pytest.param(ARGPARSE, "number=4 --num=3", id="argparse, the start of its name"),
        pytest.param(ARGPARSE, "number=4 -n3", id="argparse, in one word"),
        pytest.param(ARGPARSE, "number=4 -- --number 3", id="behind dashes"),
        pytest.param(ARGPARSE, "v=4 -vv", id="a cluster"),
        pytest.param(ARGPARSE, "cache=no --no-cache", id="store_false"),
        pytest.param(ARGPARSE, "cache=no --cache", id="the other flag of the attribute"),
        pytest.param(ARGPARSE, "--no-cache=yes --cache", id="two flags of one attribute"),
        pytest.param(ARGPARSE, "amp=no --no-amp", id="a pair"),
        pytest.param(ARGPARSE, "--sweep number=1,2 --number 3", id="an axis"),
        pytest.param(ARGPARSE, "--trials t.csv --number 3", id="a table"),
        pytest.param(CLICK, "number=4 -n 3", id="click"),
        pytest.param(CLICK, "cache=no --no-cache", id="click, a flag for off"),
        pytest.param(CLICK, "amp=no --no-amp", id="click, a pair"),
        pytest.param(ABSL, "number=4 --number=3", id="absl"),
        pytest.param(ABSL, "cache=no --nocache", id="absl, a flag for off"),
        pytest.param(ABSL, "number=4 -n 3", id="absl, the short name"),
        pytest.param(ARGPARSE, "--config argv.py number=4", id="arguments of a config"),
        pytest.param(CLICK, "--config argv.yaml number=4", id="arguments of a data file"),
        pytest.param(ABSL, "--config both.py", id="both in one config"),
        pytest.param(ARGPARSE, "--config argv.py --sweep number=1,2", id="arguments and an axis"),
        pytest.param(ARGPARSE, "--config argv.py --trials t.csv", id="arguments and a table"),
        pytest.param(ARGPARSE, "--config argv.py --config value.yaml", id="two configs"),
    ],
)
def test_is_an_error(tmp_path: Path, script: str, words: str) -> None:
    got = run(tmp_path, script, *words.split())
    assert (got.status, got.stdout) == (2, "")
    assert "is given twice" in got.stderr
    assert "Take away one of them" in got.stderr


@pytest.mark.parametrize(
    ("words", "argv"),
    [
        pytest.param("--config value.yaml --number 3", "--number 3", id="over a config's value"),
        pytest.param("--config axis.yaml --number 3", "--number 3", id="over a config's axis"),
        pytest.param("--config argv.py --number 3", "--number 3", id="over a config's arguments"),
        pytest.param("--config own.py", "--number 5", id="a value that the config reads"),
        pytest.param("amp=yes --number 3", "--number 3 --amp", id="another option"),
    ],
)
def test_the_argument_wins(tmp_path: Path, words: str, argv: str) -> None:
    got = run(tmp_path, ARGPARSE, *words.split())
    expected = run_python(tmp_path, "s.py", *argv.split())
    assert expected.stdout in got.stdout
    assert (got.status, got.stdout.count("Namespace")) == (0, 1)


@pytest.mark.parametrize(
    ("script", "words", "option"),
    [
        pytest.param(PARSED, "number=4 args.number=5", "--number", id="argparse"),
        pytest.param(PARSED, "number=4 --config parsed.yaml", "--number", id="in a config"),
        pytest.param(BY_FUNCTION, "number=4 main.args.number=5", "--num", id="in a function"),
        pytest.param(TYRO, "Args.number=4 args.number=5", "Args.number", id="tyro"),
        pytest.param(NESTED, "Opt.number=4 args.opt.number=5", "Opt.number", id="tyro, nested"),
    ],
)
def test_an_option_and_its_parsed_argument_are_an_error(
    tmp_path: Path, script: str, words: str, option: str
) -> None:
    got = run(tmp_path, script, *words.split())
    assert (got.status, got.stdout) == (2, "")
    assert f"'{option}' is given twice (" in got.stderr


@pytest.mark.parametrize("config", ["c.py", "c.yaml"])
def test_a_config_names_the_attribute_of_a_flag_for_off(tmp_path: Path, config: str) -> None:
    (tmp_path / "c.py").write_text("_overrides = {'--no-cache': True}\n")
    (tmp_path / "c.yaml").write_text("--no-cache: yes\n")
    got = run(tmp_path, ARGPARSE, "--config", config)
    assert (got.status, got.stdout) == (2, "")
    assert "gives 'cache' the value False: override '--cache'" in got.stderr


def test_a_workflow_refuses_it_too(tmp_path: Path) -> None:
    run(tmp_path, ARGPARSE)
    got = run_kogine(
        tmp_path, "workflow", "sequential", "s.py", "number=4", "--config", "argv.py", "--no-record"
    )
    assert got.status == 2
    assert "is given twice" in got.stderr
