"""``script(..., mode="spawn", env={...})``: a process of its own, and its variables."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from kohaku_ast import DiskCache, Pipeline, PipelineError, Store, script
from kohaku_ast.errors import UsageError
from kohaku_ast.store.record import find_runs
from tests.oracle import on_path, run_kogine

SCRIPT = """\
import os
scale = 2
pid = os.getpid()
seen = {name: os.environ[name] for name in sorted(os.environ) if name.startswith("OWN_")}
double = 2 * scale
"""
ENV: dict[str, Any] = {"pass": ["OWN_A", "OWN_B*"], "set": {"OWN_S": "set", "OWN_TOKEN": "t0p"}}
SEEN = {"OWN_A": "a", "OWN_B1": "b", "OWN_S": "set", "OWN_TOKEN": "t0p"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, value in {"OWN_A": "a", "OWN_B1": "b", "OWN_C": "c"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "prep.py").write_text(SCRIPT)
    return tmp_path


@pytest.mark.parametrize("engine", ["sequential", "threaded", "parallel"])
def test_a_process_with_its_variables(engine: str, folder: Path) -> None:
    cases: list[tuple[Any, dict[str, str]]] = [
        (ENV, SEEN),
        ({"set": {"OWN_A": "x"}}, {"OWN_A": "x", "OWN_B1": "b", "OWN_C": "c"}),
        (None, {"OWN_A": "a", "OWN_B1": "b", "OWN_C": "c"}),
    ]
    for env, seen in cases:
        node = script("prep.py", "pid seen double", mode="spawn", env=env)
        found = Pipeline([node], engine, record=env is ENV).run(scale=5)
        assert (found["seen"], found["double"]) == (seen, 10)
        assert found["pid"] != os.getpid()
    [child] = [one for one in find_runs(folder / ".kogine/runs") if one.facts["parent"]]
    assert child.facts["env"] == {**ENV, "set": {"OWN_S": "set", "OWN_TOKEN": "(secret)"}}
    assert "t0p" not in json.dumps({**child.facts, "outputs": None})
    shown = run_kogine(folder, "runs", "show", child.folder.name).stdout
    assert "# env\npass         OWN_A OWN_B*\n" in shown, shown


def test_repeat_and_reproduce_give_them_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = script("prep.py", "seen", mode="spawn", env=ENV)
    Pipeline([node], record=True).run()
    [child] = [one for one in find_runs(folder / ".kogine/runs") if one.facts.get("parent")]
    lacking = "warning: the run had the variable OWN_TOKEN from its pipeline (env)"
    done = run_kogine(folder, "runs", "repeat", child.folder.name)
    assert (done.status, lacking in done.stderr) == (0, True), done
    monkeypatch.setenv("OWN_TOKEN", "t0p")
    for command in (["reproduce", child.folder.name], ["repeat", "last"]):
        done = run_kogine(folder, "runs", *command)
        assert (done.status, "OWN_TOKEN" in done.stderr) == (0, False), done
    Store().repeat("last")
    assert "OWN_S" not in os.environ
    with pytest.raises(UsageError, match="take away mode='inline'"):
        Store().repeat("last", mode="inline")
    first, without, *others = [
        one.facts["outputs"]["seen"]["json"]
        for one in find_runs(folder / ".kogine/runs")
        if one.facts.get("kind") is None
    ]
    assert (first, [*others]) == (SEEN, [SEEN, SEEN])
    assert without == {name: one for name, one in SEEN.items() if name != "OWN_TOKEN"}


def test_a_cache_knows_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = script("prep.py", "seen", mode="spawn", env=ENV)
    made = Pipeline([node], cache=DiskCache("c"), record=False)
    assert made.run() == {"seen": SEEN}
    monkeypatch.setenv("OWN_C", "other")
    assert made.explain_cache()["prep"].state == "kept"
    monkeypatch.setenv("OWN_A", "other")
    assert made.explain_cache()["prep"].why.endswith("prep: env OWN_A")
    assert made.run() == {"seen": {**SEEN, "OWN_A": "other"}}
    other = script("prep.py", "seen", mode="spawn", env={**ENV, "set": {"OWN_S": "s"}})
    assert Pipeline([other], cache=DiskCache("c")).explain_cache()["prep"].state == "runs"


def test_refused(folder: Path) -> None:
    refusals: list[tuple[str, str, Any]] = [
        ('Add mode="spawn"', "inline", ENV),
        (r"unknown mode 'spwn' .* Did you mean 'spawn'\?", "spwn", None),
        (r"env has no key 'pas'\. Did you mean 'pass'\?", "spawn", {"pas": []}),
        ("env.pass is a list of names, got 'A'", "spawn", {"pass": "A"}),
        ("env.set.PORT is 80: the value of a variable is a text", "spawn", {"set": {"PORT": 80}}),
        ("'A=b' cannot be the name of a variable", "spawn", {"set": {"A=b": ""}}),
        ("env.pass names 'A', which env.set", "spawn", {"pass": ["A"], "set": {"A": ""}}),
    ]
    for text, mode, env in refusals:
        with pytest.raises(PipelineError, match=text):
            script("prep.py", "seen", mode=mode, env=env)


PIPE = """\
[pipeline]
name = "pipe"

[processes.prep]
script = "prep.py"
outputs = { seen = "seen" }
mode = "spawn"
env = { pass = ["OWN_A", "OWN_B*"], set = { OWN_S = "set", OWN_TOKEN = "t0p" } }
"""


def test_in_toml_there_and_back(folder: Path) -> None:
    (folder / "pipe.toml").write_text(PIPE)
    made = Pipeline.from_toml("pipe.toml")
    assert made.run() == {"seen": SEEN}
    assert made.to_toml() == PIPE
    (folder / "pipe.toml").write_text(PIPE.replace('mode = "spawn"\n', ""))
    done = run_kogine(folder, "pipeline", "run", "pipe.toml")
    assert (done.status, "pipe.toml: processes.prep: " in done.stderr) == (2, True)
    (folder / "pipe.toml").write_text('[processes.a]\ntype = "a"\nenv.set.A = "1"\n')
    with pytest.raises(PipelineError, match=r"processes.a.env: .* make it a script with mode"):
        Pipeline.from_toml("pipe.toml")


def test_sigterm_ends_the_script_and_its_record(folder: Path) -> None:
    os.mkfifo(ready := folder / "ready")
    (folder / "prep.py").write_text(
        "import os, time\nopen('ready', 'w').write(str(os.getpid()))\ntime.sleep(600)\nseen = 1\n"
    )
    (folder / "pipe.toml").write_text(PIPE)
    command = [sys.executable, "-m", "kogine", "pipeline", "run", "pipe.toml"]
    environment = {**os.environ, "PYTHONPATH": on_path()}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as started:
        child = psutil.Process(int(ready.read_text()))
        started.send_signal(signal.SIGTERM)
        _, error = started.communicate(timeout=600)
    assert started.returncode == -signal.SIGTERM, error
    assert not child.is_running()
    assert {one.status for one in find_runs(folder / ".kogine/runs")} == {"interrupted", "failed"}
