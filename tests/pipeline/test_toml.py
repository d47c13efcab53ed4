"""Pipelines in TOML: the same graph as in Python, and errors with the place in the file."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import DiskCache, Pipeline, PipelineError, script
from kohaku_ast.store.record import find_runs
from tests.oracle import on_path, run_kogine, run_python

STEPS = """\
from kohaku_ast.helpers import process

@process
def data(size: int = 3):
    return [*range(size)]

@process(output_name="loss")
def train(data: list, lr: float = 0.5):
    return sum(data) * lr

@process(name="tell")
def report(loss: float, name: str = "x"):
    return f"{name}: {loss}"
"""
PIPE = """\
[pipeline]
name = "toy"
modules = ["toml_steps"]
cache = "cache"

[processes.data]
type = "data"
params = { size = 5 }

[processes.prep]
script = "prep.py"
params = { scale = 3 }
outputs = "factor"

[processes.fit]
inputs = { points = "data" }

[processes.fit.processes.training]
type = "toml_steps:train"
inputs = { data = "points", lr = "factor" }

[processes.report]
type = "tell"
params.name = "result"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    (tmp_path / "toml_steps.py").write_text(STEPS)
    (tmp_path / "prep.py").write_text("scale = 2\nfactor = scale * 10\n")
    (tmp_path / "pipe.toml").write_text(PIPE)
    yield tmp_path
    sys.modules.pop("toml_steps", None)


def test_the_same_graph_as_in_python(folder: Path) -> None:
    made = Pipeline.from_toml("pipe.toml")
    steps = sys.modules["toml_steps"]
    inner = Pipeline([steps.train], name="fit")
    training = inner.nodes[0].with_names("training", data="points", lr="factor")  # type: ignore[attr-defined]
    report: Any = Pipeline([steps.report]).nodes[0]
    same = Pipeline(
        [
            Pipeline([steps.data]).nodes[0].bind(size=5),  # type: ignore[attr-defined]
            script("prep.py", "factor").bind(scale=3),
            Pipeline([training], name="fit").as_node({"data": "points"}),
            report.bind(name="result").with_names("report", tell="report"),
        ],
        cache=DiskCache("cache"),
        name="toy",
    )
    assert made.explain() == same.explain()
    assert made.run()["report"] == same.run()["report"] == "result: 300"


def test_there_and_back(folder: Path) -> None:
    first = Pipeline.from_toml("pipe.toml")
    text = first.to_toml()
    assert str(folder) not in text
    (folder / "again.toml").write_text(text)
    again = Pipeline.from_toml("again.toml")
    assert again.explain() == first.explain()
    assert again.to_toml() == text
    assert again.run()["report"] == "result: 300"


def test_on_the_command_line(folder: Path) -> None:
    other = folder / "elsewhere"
    other.mkdir()
    for _ in range(2):
        done = run_kogine(other, "pipeline", "run", "../pipe.toml", "--json", PYTHONPATH=on_path())
        assert (done.status, done.stdout) == (0, '{\n  "report": "result: 300"\n}\n'), done
    done = run_kogine(other, "pipeline", "run", "../pipe.toml", "--", "a", PYTHONPATH=on_path())
    assert (done.status, "takes no arguments: a would" in done.stderr) == (2, True)
    why = run_kogine(folder, "cache", "why", "pipe.toml", PYTHONPATH=on_path())
    assert "report" in why.stdout, why
    graph = run_kogine(folder, "pipeline", "graph", "pipe.toml", PYTHONPATH=on_path())
    assert "pipeline 'toy': 4 nodes" in graph.stdout
    (folder / "toml_steps.py").write_text(STEPS.replace("sum(data) * lr", "data['x']"))
    failed = run_kogine(folder, "pipeline", "run", "pipe.toml", PYTHONPATH=on_path())
    assert failed.status == 1
    assert "toml_steps.py" in failed.stderr


def test_workers_import_the_modules(folder: Path) -> None:
    (folder / "p.py").write_text(
        "from kohaku_ast import Pipeline\nif __name__ == '__main__':\n"
        "    print(Pipeline.from_toml('pipe.toml').run()['report'])\n"
    )
    (folder / "pipe.toml").write_text(PIPE.replace("cache =", "engine = 'parallel'\ncache ="))
    assert run_python(folder, "p.py", PYTHONPATH=on_path()).stdout == "result: 300\n"


WRONG = {
    "a key": ("params = { size = 5 }", "parms = { size = 5 }", "processes.data.parms: there is no key 'parms'. Did you mean 'params'?"),
    "a table": ("[pipeline]", "[pipelines]\n[pipeline]", "pipelines: there is no key 'pipelines'. Did you mean 'pipeline'?"),
    "a parameter": ("size = 5", "sizes = 5", "processes.data.params.sizes: there is no parameter or output 'sizes'. Did you mean 'size'?"),
    "a type of value": ("size = 5", "size = 'five'", "processes.data.params.size: it is int, got 'five'"),
    "a process": ('type = "data"', 'type = "dat"', "processes.data.type: there is no process 'dat'. Did you mean 'data'?"),
    "a process, nested": ("toml_steps:train", "toml_steps:trai", "processes.fit.processes.training.type: there is no process"),
    "no kind": ('type = "data"', 'typ = "data"', "processes.data: it has one of type (a function), script (a file), processes (tables). Did you mean 'type'?"),
    "two kinds": ('type = "data"', 'type = "data"\nscript = "x.py"', "processes.data: it has one of"),
    "an input": ("data = \"points\", lr", "dta = \"points\", lr", "training.inputs.dta: there is no parameter or output 'dta'. Did you mean 'data'?"),
    "an input and a value": ("params.name = \"result\"", "params.name = \"result\"\ninputs.name = \"x\"", "processes.report.params.name: it stands among the inputs, too"),
    "a module": ("toml_steps\"", "toml_stpes\"", "pipeline.modules: there is no module 'toml_stpes'"),
    "an output of a script": ('outputs = "factor"', 'outputs = "facto"', "facto"),
    "a target of a script": ("scale = 3", "scal = 3", "scal"),
    "a value that is no table": ("[processes.report]", "[processes]\nx = 3\n[processes.report]", "processes.x: it is a table, got 3"),
    "text that is no TOML": ("[pipeline]", "[pipeline", "pipe.toml: "),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_an_error_names_the_place(folder: Path, what: str) -> None:
    before, after, message = WRONG[what]
    assert before in PIPE
    (folder / "pipe.toml").write_text(PIPE.replace(before, after, 1))
    done = run_kogine(folder, "pipeline", "run", "pipe.toml", PYTHONPATH=on_path())
    assert (done.status, done.stdout) == (2, ""), done
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not os.path.exists("cache")


def test_what_has_no_text_is_named(folder: Path) -> None:
    made = Pipeline.from_toml("pipe.toml")
    steps = sys.modules["toml_steps"]
    with pytest.raises(PipelineError, match=r"data.params.size: TOML has no NoneType"):
        Pipeline([Pipeline([steps.data]).nodes[0].bind(size=None)]).to_toml()  # type: ignore[attr-defined]
    with pytest.raises(PipelineError, match="bound inputs have no place"):
        Pipeline([steps.data]).bind(size=3).to_toml()
    with pytest.raises(PipelineError, match="maps"):
        Pipeline(
            [steps.data, Pipeline([steps.train]).as_node({"many": "data"}, map_over="many")]
        ).to_toml()
    assert made.to_toml()


def test_a_broken_module_shows_its_own_traceback(folder: Path) -> None:
    (folder / "toml_steps.py").write_text("import nothing_like_it\n")
    done = run_kogine(folder, "pipeline", "run", "pipe.toml", PYTHONPATH=on_path())
    assert done.status == 1
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'nothing_like_it'\n")
    assert "kohaku_ast" not in done.stderr


def test_a_recorded_run_of_a_file_is_repeated_and_reproduced(folder: Path) -> None:
    done = run_kogine(folder, "pipeline", "run", "pipe.toml", PYTHONPATH="")
    assert done.stdout == "report = 'result: 300'\n"
    found = next(find_runs(folder / ".kogine/runs")).facts
    assert (found["script"]["path"], found["argv"]) == ("pipe.toml", ["pipe.toml"])
    assert found["sources"]["modules"].keys() == {"toml_steps"}
    texts = {
        name: (folder / name).read_text() for name in ("pipe.toml", "toml_steps.py", "prep.py")
    }
    (folder / "pipe.toml").write_text(texts["pipe.toml"].replace("size = 5", "size = 4"))
    done = run_kogine(folder, "runs", "repeat", "1", "factor=4", PYTHONPATH="")
    assert done.stdout == "report = 'result: 24.0'\n"
    for name in texts:
        (folder / name).unlink()
    done = run_kogine(folder, "runs", "reproduce", "1", PYTHONPATH="")
    assert "equal      report\n" in done.stdout, done
    assert "different" not in done.stdout


def test_modules_of_two_folders_with_one_name(folder: Path) -> None:
    Pipeline.from_toml("pipe.toml")
    other = folder / "other"
    other.mkdir()
    for name in ("pipe.toml", "prep.py", "toml_steps.py"):
        (other / name).write_text((folder / name).read_text())
    with pytest.raises(PipelineError, match="another module 'toml_steps'"):
        Pipeline.from_toml("other/pipe.toml")
