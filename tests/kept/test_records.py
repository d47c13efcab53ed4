"""Records of an earlier version: a flow that is resumed knows them, and today's are like them."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy
import pytest

from kohaku_ast import Script, Sequential, Sweep
from tests.kept.kept_files import (
    COMMANDS,
    OWN,
    VERSIONS,
    copied_project,
    copied_scripts,
    kogine,
    ran,
    records,
)

FINISHED = [
    pytest.param(project, command, id=f"{project}: {' '.join(command['words'])}")
    for project in ("sweep", "workflow")
    for command in COMMANDS[project]
    if "file" not in command
]
INTERRUPTED, LOST = (command["words"] for command in COMMANDS["sweep"] if "file" in command)
(PLAIN,) = COMMANDS["values"]
(CODE,) = COMMANDS["values of each version"]
ARRAYS = ("numpy number", "array", "array of floats")
"""Kinds whose identity has the name of a module of numpy: numpy 2 has another one than numpy 1."""
BY_TEXT = "module"
"""The one kind of code whose identity is its text, and so the same under every Python."""


@pytest.mark.parametrize(("project", "command"), FINISHED)
def test_finished_runs_are_not_run_again(
    project: str, command: dict[str, Any], tmp_path: Path
) -> None:
    folder = copied_project(project, tmp_path)
    count = len(records(folder))
    done = kogine(folder, *command["words"], "--resume")
    assert (done.status, ran(folder)) == (command["status"], []), done.stderr
    assert "skipped" in done.stderr
    assert len(records(folder)) == count


def test_failed_run_is_the_only_one_that_is_tried_again(tmp_path: Path) -> None:
    folder = copied_project("sweep", tmp_path)
    (folder / "mended").touch()
    done = kogine(folder, *COMMANDS["sweep"][0]["words"], "--retry-failed")
    assert (done.status, ran(folder)) == (0, ["2.0/10"]), done.stderr


def test_interrupted_run_is_run_again(tmp_path: Path) -> None:
    folder = copied_project("sweep", tmp_path)
    assert "interrupted" in [record["status"] for record in records(folder)]
    done = kogine(folder, *INTERRUPTED, "--resume")
    assert (done.status, ran(folder)) == (0, ["0.6/10", "0.7/10"]), done.stderr


@pytest.mark.parametrize(
    ("host", "warning"),
    [
        pytest.param(platform.node(), "", id="lost on this machine"),
        pytest.param("kept.example", "was running on 'kept.example'", id="on another machine"),
    ],
)
def test_run_that_was_under_way_is_run_again(host: str, warning: str, tmp_path: Path) -> None:
    folder = copied_project("sweep", tmp_path)
    for path in folder.glob(".kogine/runs/*/run.json"):
        record = json.loads(path.read_text())
        path.write_text(json.dumps({**record, "host": host}))
    done = kogine(folder, *LOST, "--resume")
    assert (done.status, ran(folder)) == (0, ["0.8/10"]), done.stderr
    assert warning in done.stderr
    assert warning or "running" not in done.stderr


def test_runs_at_another_commit_are_counted(tmp_path: Path) -> None:
    folder = copied_project("workflow", tmp_path)
    person = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for words in (["init", "-q"], ["add", "train.py"], ["commit", "-qm", "one"]):
        subprocess.run(["git", *person, *words], cwd=folder, check=True)
    done = kogine(folder, *COMMANDS["workflow"][0]["words"], "--resume")
    assert "2 of them at another git commit" in done.stderr


@pytest.mark.parametrize("project", ["sweep", "workflow"])
def test_identities_are_those_of_the_kept_records(project: str, tmp_path: Path) -> None:
    kept = identities(copied_project(project, tmp_path))
    assert kept
    shutil.rmtree(tmp_path / project)
    folder = copied_scripts(project, tmp_path)
    for command in COMMANDS[project]:
        done = kogine(folder, *command["words"])
        assert "file" in command or done.status == command["status"], done.stderr
    assert ran(folder), "what is not run above is run here"
    anew = identities(folder)
    assert {what: anew.get(what) for what in kept} == kept


def identities(folder: Path) -> dict[str, str]:
    """What was run -> its identity; an argument or a way to start sets runs apart, too."""
    found: dict[str, str] = {}
    for record in records(folder):
        values = {one["target"]: one["json"] for one in record["overrides"]}
        entrypoint = record["script"]["entrypoint"]
        what = json.dumps([record["work"], entrypoint, record["argv"][1:], values])
        assert what not in found, "two runs that the test cannot tell apart"
        found[what] = record["identity"]
    return found


@pytest.mark.parametrize("project", ["sweep", "workflow"])
def test_records_have_the_fields_that_they_had(project: str, tmp_path: Path) -> None:
    kept = records(copied_project(project, tmp_path))[0]
    shutil.rmtree(tmp_path / project)
    folder = copied_scripts(project, tmp_path)
    kogine(folder, *COMMANDS[project][0]["words"])
    anew = records(folder)[0]
    assert anew["schema"] == kept["schema"], "see docs/reference/records.md: schema grew"
    assert kinds(kept) <= kinds(anew)


def kinds(record: dict[str, Any], above: str = "") -> set[tuple[str, str]]:
    """The path of each field and the type of its value; those that say when and where apart."""
    found: set[tuple[str, str]] = set()
    for name, value in record.items():
        if name in ("git", "variables"):
            continue
        found.add((above + name, type(value).__name__))
        if isinstance(value, dict):
            found |= kinds(value, f"{above}{name}.")
    return found


def test_values_are_the_same_under_every_python(tmp_path: Path) -> None:
    folder = copied_project("values", tmp_path)
    done = kogine(folder, *PLAIN["words"], "--resume")
    others = () if numpy.__version__ >= "2" else ARRAYS
    assert (done.status, ran(folder)) == (0, [*others]), done.stderr
    assert "skipped" in done.stderr


@pytest.mark.skipif(OWN not in VERSIONS, reason="no records of this Python are kept")
def test_code_of_a_config_is_the_same_under_one_python(tmp_path: Path) -> None:
    folder = copied_project("values", tmp_path)
    done = kogine(folder, *CODE["words"], "--resume")
    assert (done.status, ran(folder)) == (0, []), done.stderr


def test_code_of_a_config_is_run_again_under_another_python(tmp_path: Path) -> None:
    folder = copied_project("values", tmp_path)
    for path in folder.glob(".kogine/runs/*/run.json"):
        if json.loads(path.read_text())["environment"]["python"].startswith(f"{OWN}."):
            shutil.rmtree(path.parent)
    done = kogine(folder, *CODE["words"], "--resume")
    assert done.status == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert {"lambda", "function", "class", "object", "dataclass"} <= set(ran(folder))
    assert BY_TEXT not in ran(folder)


def test_skipped_runs_have_the_values_that_were_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(copied_project("values", tmp_path))
    configs = list(Sweep.from_file("plain.py"))
    outcomes = Sequential([Script("settings.py", configs)], resume=True).run()
    found = {config.metadata["kind"]: one for config, one in zip(configs, outcomes)}
    given = {config.metadata["kind"]: config.globals_dict["value"] for config in configs}
    back = {kind: one.outputs["value"] for kind, one in found.items() if one.outputs}
    assert not ran(Path())
    assert set(given) - set(back) == TEXT_ONLY
    for kind, value in back.items():
        assert type(value) is type(given[kind]), kind
        assert repr(value) == repr(given[kind]) or value == given[kind], kind  # nan; a set's order
        assert repr(found[kind].value) == repr(value), kind
    assert "recorded as text only" in capfd.readouterr().err


TEXT_ONLY = {
    "complex", "enum of a library", "date", "timedelta", "decimal", "ordered dict",
    "function of a library", "class of a library",
}  # fmt: skip


def test_outcomes_of_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copied_project("sweep", tmp_path))
    runs = Script("train.py", Sweep(lr=[0.5, 2.0, 0.25]))
    well, failed, _ = Sequential([runs], resume=True, on_error="continue").run()
    assert not ran(Path())
    assert (well.status, well.value, well.label) == ("succeeded", {"loss": 0.25}, "lr=0.5")
    assert Path(well.log).read_text() == "loss: 0.250\n"
    assert failed.error is not None
    assert (failed.status, failed.exit_status) == ("failed", 1)
    assert (failed.error.type, failed.error.message) == ("ValueError", "diverged at step 20")
    assert failed.error.traceback.splitlines()[-1] == "ValueError: diverged at step 20"
