"""``cached=True``: a run whose result the records have is left out; each part of the key counts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Config, Parallel, Script, Sequential, Sweep
from kohaku_ast.errors import UsageError
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.store.record import Record, find_runs
from kohaku_ast.store.result_key import explain
from kohaku_ast.store.run_folder import RUNS
from kohaku_ast.store.store import Store

SCRIPT = """\
import importlib
import os
import sys

import iniconfig
import near

lr = 0.1
data = open("data/a.csv").read() if os.path.exists("data/a.csv") else ""
far = importlib.import_module("f" + "ar")
with open("ran.txt", "a") as file:
    file.write("x")
if os.path.isdir(os.environ.get("KOGINE_RUN_DIR", "")):
    with open(os.path.join(os.environ["KOGINE_RUN_DIR"], "model.pt"), "w") as file:
        file.write(data)
print("loss:", lr * near.k * far.k)


def main(epochs=1):
    if lr == 9:
        raise ValueError("diverged")
    return {"loss": lr, "of": len(sys.argv)}


if __name__ == "__main__":
    main()
"""

FAR = "import os\nk = 3 + int(os.environ.get('EXTRA', 0))\n"


def flow(config: Any = None, script: str = "train.py", **options: Any) -> Sequential:
    config = Config(lr=0.5, outputs=["lr"]) if config is None else config
    options = {"inputs": ["data/*.csv"], "mode": "spawn", "cached": True, **options}
    return Sequential(Script(script, config), **options)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one run in its store."""
    folder = tmp_path_factory.mktemp("cached") / "made"
    folder.mkdir()
    before = os.getcwd()
    os.chdir(folder)
    try:
        Path("data").mkdir()
        for name, text in {
            "train.py": SCRIPT, "near.py": "k = 2\n", "far.py": FAR, "data/a.csv": "1,2\n"
        }.items():  # fmt: skip
            Path(name).write_text(text)
        (only,) = flow().run()
        assert (only.cached, only.status) == ("", "succeeded")
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(autouse=True)
def project(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A copy of it, with its store, at the same path for each test: its Program is there then."""
    work = made.parent / "work"
    shutil.copytree(made, work)
    monkeypatch.chdir(work)
    yield
    work.rename(made.parent / f"work-{len([*made.parent.iterdir()])}")


def first() -> Record:
    return next(find_runs(RUNS))


def in_record(**fields: Any) -> Callable[[], None]:
    """Replaces fields of the record, also those of its environment."""

    def change() -> None:
        path = first().folder / "run.json"
        facts = json.loads(path.read_text())
        for name, value in fields.items():
            (facts if name in facts else facts["environment"])[name] = value
        path.write_text(json.dumps(facts))

    return change


def written(name: str, text: str) -> Callable[[], object]:
    return lambda: Path(name).write_text(text)


def nothing() -> None:
    pass


SAME: Any = "cached"
CHANGES = [
    pytest.param(nothing, {}, SAME, id="nothing"),
    pytest.param(written("other.py", "k = 9\n"), {}, SAME, id="a file that nobody imports"),
    pytest.param(written("data/notes.txt", "2\n"), {}, SAME, id="a file that is not declared"),
    pytest.param(in_record(host="elsewhere"), {}, SAME, id="the machine's name"),
    pytest.param(in_record(platform="Linux-1.0-" + os.uname().machine), {}, SAME, id="the kernel"),
    pytest.param(nothing, {"threads": 1, "gpus": "1"}, SAME, id="place and speed"),
    pytest.param(nothing, {"config": Config(lr=0.5)}, SAME, id="fewer outputs"),
    pytest.param(written("train.py", SCRIPT + "# x\n"), {}, "script", id="the script"),
    pytest.param(written("near.py", "k = 4\n"), {}, "module", id="a module"),
    pytest.param(written("far.py", "k = 4\n"), {}, "module", id="a module only the run found"),
    pytest.param(nothing, {"config": Config(lr=0.25, outputs=["lr"])}, "value", id="a value"),
    pytest.param(nothing, {"config": Config(outputs=["lr"])}, "value", id="no value"),
    pytest.param(
        nothing, {"config": Config(lr=0.5, kwargs={"epochs": 2})}, "value", id="an argument of main"
    ),
    pytest.param(
        nothing, {"config": Config(lr=0.5, argv=["--fast"], outputs=["lr"])}, "argument",
        id="sys.argv",
    ),
    pytest.param(nothing, {"script": "train.py:main"}, "start", id="the entrypoint"),
    pytest.param(written("data/a.csv", "1,3\n"), {}, "input", id="an input"),
    pytest.param(written("data/b.csv", ""), {}, "input", id="one more input"),
    pytest.param(nothing, {"inputs": ()}, "input", id="an input that is not declared any more"),
    pytest.param(in_record(packages={"iniconfig": "0.1"}), {}, "package", id="a package"),
    pytest.param(in_record(python="3.1.4"), {}, "environment", id="Python"),
    pytest.param(in_record(platform="Darwin-1-arm64"), {}, "environment", id="the system"),
    pytest.param(nothing, {"run_dir": True}, "environment", id="the working folder"),
    pytest.param(
        lambda: os.environ.update(PYTHONHASHSEED="7"), {}, "variable", id="a variable"
    ),
    pytest.param(
        lambda: os.environ.update(EXTRA="7"), {}, "variable", id="a variable that a text names"
    ),
    pytest.param(
        nothing, {"config": Config(lr=0.5, outputs=["lr", "data"])}, "output", id="more outputs"
    ),
    pytest.param(
        lambda: (first().folder / "files" / "model.pt").unlink(), {}, "file", id="a lost file"
    ),
    pytest.param(
        lambda: (first().folder / "files" / "model.pt").write_text("3,4\n"), {}, "file",
        id="a file that somebody has edited",
    ),
    pytest.param(in_record(sources=None), {}, "module", id="texts that were not kept"),
    pytest.param(in_record(reads=None), {}, "variable", id="variables that were not recorded"),
    pytest.param(in_record(cpu_seconds=None), {}, "module", id="what it loaded is not known"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "options", "part"), CHANGES)
def test_each_part_of_the_key(
    change: Callable[[], object],
    options: dict[str, Any],
    part: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PYTHONHASHSEED", "EXTRA"):
        monkeypatch.setenv(name, "0")
        monkeypatch.delenv(name)
    change()
    made = flow(**options)
    parts = parts_of(made)
    (outcome,) = made.run()
    assert parts == ([] if part == SAME else [part])
    assert bool(outcome.cached) == (part == SAME)
    has_run = len(Path("ran.txt").read_text()) == 2 or Path(outcome.run_dir, "ran.txt").exists()
    assert has_run == (part != SAME)


def parts_of(made: Sequential) -> list[str]:
    """The parts of the key that have changed, as ``kogine cache why`` finds them."""
    (script,), settings = made.scripts, made.settings
    assert isinstance(script.config, Config)
    bound = made.works()[0].binder.bind(script.config)
    named = (*settings.inputs, *script.config.inputs)
    found = explain(RUNS, bound, named, {}, settings.in_run_dir, script.config.artifacts)
    return [one.part for one in found.changes]


def test_what_a_cached_run_is() -> None:
    source = first()
    (outcome,) = flow().run()
    record = Store().find("last")
    assert (outcome.status, outcome.value) == ("succeeded", {"loss": 0.5, "of": 1})
    assert (outcome.outputs, outcome.metrics) == ({"lr": 0.5}, {"loss": 3.0})
    assert (outcome.cached, outcome.record) == (source.folder.name, str(record.folder.absolute()))
    assert Path(outcome.log).read_text() == "loss: 3.0\n"
    assert Path(outcome.run_dir, "model.pt").read_text() == "1,2\n"
    for name in ("log.txt", "metrics.jsonl", "files/model.pt"):
        assert (record.folder / name).samefile(source.folder / name)
    same = ("metrics", "outputs", "value", "files", "sources", "packages", "params", "inputs")
    assert all(record.facts[name] == source.facts[name] for name in same)
    assert [one.cached for one in Store().runs("cached").summaries] == [source.folder.name]


def test_a_record_needs_its_source_no_more() -> None:
    source = first().folder.name
    flow().run()
    store = Store()
    store.remove(source)
    store.collect()
    (outcome,) = flow().run()
    assert outcome.cached == source, "the first one, not the record that was read"
    assert Path(outcome.run_dir, "model.pt").read_text() == "1,2\n"
    assert len(store.runs("not cached")) == 0
    shutil.rmtree(RUNS)
    assert flow().run()[0].cached == ""


def test_failures_are_never_cached() -> None:
    for _ in range(2):
        (outcome,) = flow(Config(lr=9), on_error="continue").run()
        assert (outcome.status, outcome.cached) == ("failed", "")


def test_a_repeated_run_is_answered_by_the_same_repetition_alone() -> None:
    sweep = Sweep({"lr": [0.5]}).repeat(2)
    runs = [[one.cached for one in flow(sweep).run()] for _ in range(2)]
    assert runs[0] == ["", ""]
    assert runs[1][0] != runs[1][1]
    assert "" not in runs[1]


def test_of_equal_runs_in_a_flow_one_runs() -> None:
    first_, second = flow([Config(lr=3), Config(lr=3)]).run()
    assert (first_.cached, second.cached) == ("", Path(first_.record).name)
    resumed = flow([Config(lr=3), Config(lr=3)], resume=True)
    resumed.run()
    assert resumed.summary.counts == {"skipped": 2}, "what can be resumed is not looked for"


def test_values_without_content_run_and_are_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    Path("value.py").write_text("lock = None\nmodel = range\nmain = None\n")

    def again(lock: object = None, outputs: tuple[str, ...] = ()) -> list[str]:
        configs = [Config(lock=lock, main=one, outputs=outputs) for one in range(2)]
        made = Sequential(Script("value.py", configs), cached=True, mode="inline")
        return [one.cached for one in made.run()]

    with open(os.devnull) as opened:
        assert again(opened) == again(opened) == ["", ""]
    assert capfd.readouterr().err.count("'lock' holds a value that cannot be recognised") == 2
    assert again(outputs=("model",)) == again(outputs=("model",)) == ["", ""]
    assert (
        capfd.readouterr().err.count("'model' of lock=None main=0 was recorded as text only") == 1
    )


def test_an_input_that_changes_during_its_run_caches_nothing() -> None:
    Path("train.py").write_text("with open('data/a.csv', 'a') as file:\n    file.write('x')\n")
    assert [flow(Config(), mode="inline").run()[0].cached for _ in range(2)] == ["", ""]
    assert Store().find("last").facts["inputs"][0]["sha256"] is None


def test_a_module_that_changes_during_its_run_caches_nothing() -> None:
    Path("train.py").write_text(
        "import importlib\nimportlib.import_module('f' + 'ar')\n"
        "with open('far.py', 'a') as file:\n    file.write('#')\n"
    )
    for _ in range(2):
        made = flow(Config())
        assert made.run()[0].cached == ""
        assert parts_of(made) == ["module"]


def test_inputs_are_checked_before_a_run_starts() -> None:
    with pytest.raises(UsageError, match=r"the input 'data/\*\.txt' does not exist, seen from"):
        flow(inputs="data/*.txt").run()
    with pytest.raises(UsageError, match="take away --no-record"):
        flow(record=False)
    (outcome,) = flow([Config(lr=0.5, inputs=["data/"])], inputs=()).run()
    assert [one["path"] for one in Record.read(Path(outcome.record)).facts["inputs"]] == [  # type: ignore[union-attr]
        "data/a.csv"
    ]


_FLOW = """
from kohaku_ast import Config, Parallel, Script
configs = [Config(lr=one / 8) for one in range(16)]
for one in Parallel(Script("train.py", configs), cached=True, workers=2, mode="warm").run():
    assert one.status == "succeeded" and one.value["loss"] == one.params["lr"], one
"""


def test_two_flows_at_once() -> None:
    flows = [subprocess.Popen([sys.executable, "-c", _FLOW]) for _ in range(2)]
    assert [one.wait() for one in flows] == [0, 0]
    found: list[Outcome] = Parallel(
        Script("train.py", [Config(lr=one / 8) for one in range(16)]), cached=True, workers=2
    ).run()
    assert all(one.cached for one in found)
    assert len({one.cached for one in found}) == 16
    assert all(one.status == "succeeded" for one in find_runs(RUNS))


def test_artifacts_are_written_as_the_run_would() -> None:
    Path("train.py").write_text(
        "lr = 0\nwith open('out.txt', 'w') as file:\n    print(lr, file=file)\n"
    )
    config = [Config(lr=1, artifacts=["out.txt"]), Config(lr=2, artifacts=["out.txt"])]
    for cached in (False, True):
        outcomes = flow(config).run()
        assert [bool(one.cached) for one in outcomes] == [cached, cached]
        assert Path("out.txt").read_text() == "2\n"
        assert [Path(one.artifacts["out.txt"]).read_text() for one in outcomes] == ["1\n", "2\n"]
        Path("out.txt").unlink()
    flow(Config(lr=1), artifacts=()).run()
    assert Path("out.txt").read_text() == "1\n"
    assert parts_of(flow(Config(lr=1, artifacts=["*.txt"]))) == ["artifact"]
    Path(outcomes[0].artifacts["out.txt"]).unlink()
    assert parts_of(flow(config[0])) == ["artifact"]
    Path("out.txt").write_text("0\n")
    assert flow(config[0]).run()[0].cached == ""


def test_a_folder_of_inputs_may_be_the_project_itself() -> None:
    Path("data", "above").symlink_to("..")
    for cached in (False, True):
        (outcome,) = flow(Config(), script="near.py", inputs=".").run()
        assert bool(outcome.cached) == cached
    paths = {one["path"] for one in Store().find("last").facts["inputs"]}
    assert {"near.py", "data/a.csv"} <= paths
    assert not any(".kogine" in one for one in paths)
