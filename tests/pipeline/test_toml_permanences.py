"""Permanences in TOML: the same pipeline as in Python, there and back, and errors with the place."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kohaku_ast import Pipeline, PipelineError, permanence
from tests.oracle import on_path, run_kogine

STEPS = """\
from kohaku_ast.helpers import process

def load(path: str, scale: float = 1.0):
    print("load", path)
    yield lambda x: x * scale
    print("release")

class Table:
    def __init__(self, n: int):
        self.n = n

    @classmethod
    def of(cls, n: int):
        return cls(n)

@process
def first(x: int):
    return x + 1

@process(output_name="y")
def use(first: int, model):
    return model(first)

@process
def rows(y: float, table: Table):
    return y + table.n
"""
PIPE = """\
[pipeline]
modules = ["made_steps"]

[permanences.model]
type = "load"
params = { path = "net", scale = 2.5 }

[processes.first]
type = "first"

[processes.part.permanences.table]
type = "made_steps:Table.of"
params.n = 5

[processes.part.processes.use]
type = "use"

[processes.part.processes.rows]
type = "rows"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    (tmp_path / "made_steps.py").write_text(STEPS)
    (tmp_path / "pipe.toml").write_text(PIPE)
    yield tmp_path
    sys.modules.pop("made_steps", None)


def test_the_same_pipeline_as_in_python_there_and_back(folder: Path) -> None:
    made = Pipeline.from_toml("pipe.toml")
    steps = sys.modules["made_steps"]
    part = Pipeline(
        [steps.use, steps.rows],
        permanences={"table": permanence(steps.Table.of, n=5)},
        name="part",
    )
    given = {"model": permanence(steps.load, path="net", scale=2.5)}
    same = Pipeline([steps.first, part], permanences=given, name="pipe")
    text = made.to_toml()
    (folder / "again.toml").write_text(text)
    again = Pipeline.from_toml("again.toml")
    assert made.explain() == same.explain() == again.explain()
    assert "model  <- permanence load(path='net', scale=2.5) (made_steps.py:3)" in made.explain()
    assert same.to_toml() == again.to_toml() == text
    assert made.run(x=1)["rows"] == again.run(x=1)["rows"] == 10.0
    local = Pipeline([steps.use], permanences={"model": lambda: abs})
    with pytest.raises(PipelineError, match="no name in a module leads to"):
        local.to_toml()


def test_on_the_command_line(folder: Path) -> None:
    done = run_kogine(folder, "pipeline", "run", "pipe.toml", "x=1", PYTHONPATH=on_path())
    assert (done.status, done.stdout) == (0, "load net\nrelease\ny = 5.0\nrows = 10.0\n"), done
    shown = json.loads(run_kogine(folder, "runs", "show", "last", "--json").stdout)
    assert [(one["name"], one["made"]) for one in shown["permanences"]] == [
        ("model", 1),
        ("part/table", 1),
    ]
    table = run_kogine(folder, "runs", "show", "last").stdout
    assert "load(path='net', scale=2.5), made once" in table
    (folder / "made_steps.py").write_text(
        STEPS.replace('    print("load"', '    1 / 0; print("load"')
    )
    done = run_kogine(folder, "pipeline", "run", "pipe.toml", "x=1", PYTHONPATH=on_path())
    assert (done.status, done.stdout) == (1, "")
    assert 'made_steps.py", line 4, in load' in done.stderr
    assert "kohaku_ast" not in done.stderr


WRONG = {
    "unknown factory": (
        '"load"',
        '"laod"',
        "model.type: there is no function or class 'laod'. Did",
    ),
    "unknown module": (
        "made_steps:T",
        "made_stps:T",
        "no module 'made_stps'. Did you mean 'made_s",
    ),
    "unknown parameter": ("path =", "pth =", "model.params: the permanence load has no parameter"),
    "wrong type": ("2.5", '"a"', "permanences.model.params.scale: it is float, got 'a'"),
    "no effect": (
        "ences.model",
        "ences.modle",
        "permanences: no node takes the permanence 'modle'",
    ),
    "an output": ("ences.table", "ences.y", "part.permanences: 'y' is a permanence and an output"),
    "unknown key": (
        "params.n",
        "param.n",
        "part.permanences.table.param: there is no key 'param'. Did",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_error_names_the_place(folder: Path, what: str) -> None:
    before, after, message = WRONG[what]
    (folder / "pipe.toml").write_text(PIPE.replace(before, after, 1))
    with pytest.raises(PipelineError) as caught:
        Pipeline.from_toml("pipe.toml")
    assert str(caught.value).startswith("pipe.toml: ")
    assert message in str(caught.value)
