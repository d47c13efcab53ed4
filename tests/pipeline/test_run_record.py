"""Runs of pipelines have records: a parent, its nodes, and the runs of its scripts."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from kohaku_ast import Pipeline, Store, node, script
from tests.oracle import run_kogine, run_python
from tests.pipeline.recorded import FLOW, TRAIN, records, slow_run, states, write_flow

ASKS = """\
import os
from kohaku_ast import Pipeline, Store, node, script

@node("mine others")
def asks():
    nodes = {one["name"]: one.get("process") for one in Store().find("last").nodes}
    return nodes["asks"]["pid"] == os.getpid(), nodes["late"]

@node
def late(mine):
    return mine

inside = script("inside.py", outputs="own")
"""
INSIDE = """\
import os
from kohaku_ast import Store
own = Store().find("node == 'inside'").facts["process"]["pid"] == os.getpid()
"""


@pytest.mark.parametrize("engine", ["sequential", "threaded", "parallel"])
def test_a_node_that_runs_has_its_process(engine: str, tmp_path: Path) -> None:
    (tmp_path / "inside.py").write_text(INSIDE)
    pipeline = f"p = Pipeline([asks, late, inside], engine={engine!r}, record=True)\n"
    guard = 'if __name__ == "__main__":\n    print(p.run())\n'
    (tmp_path / "flow.py").write_text(ASKS + pipeline + guard)
    done = run_python(tmp_path, "flow.py")
    assert "'late': True" in done.stdout, done
    assert "'others': None" in done.stdout
    assert "'own': True" in done.stdout
    assert not any("process" in one for one in records(tmp_path)[0]["nodes"])


def test_a_run_has_its_nodes_and_its_scripts_runs(tmp_path: Path) -> None:
    folder = write_flow(tmp_path)
    assert run_kogine(folder, "pipeline", "run", "flow.py", "n=3").stdout.endswith(" m'\n")
    parent, child = records(folder)
    assert (parent["kind"], parent["status"], parent["script"]["path"]) == (
        "pipeline",
        "succeeded",
        "flow.py",
    )
    assert (parent["label"], parent["parent"], parent["log"]) == ("n=3", None, None)
    assert parent["params"] == {"n": {"json": 3}, "scale": {"json": 2}, "unit": {"json": "m"}}
    assert [*parent["outputs"]] == ["report"]
    assert parent["metrics"]["loss"] == child["metrics"]["loss"]
    assert [*parent["sources"]["modules"], *parent["sources"]["scripts"]] == [
        "helper",
        "inner/train",
    ]
    assert states(parent) == dict.fromkeys(
        ["rows", "add", "inner", "inner/train", "report"], "succeeded"
    )
    kinds = {one["name"]: one["kind"] for one in parent["nodes"]}
    assert (kinds["rows"], kinds["inner"], kinds["inner/train"]) == (
        "function",
        "pipeline",
        "script",
    )
    assert parent["nodes"][1]["results"] == {"total": "3"}
    assert parent["nodes"][3]["runs"] == [child["id"]]
    assert (child["parent"], child["node"], child["label"]) == (
        parent["id"],
        "inner/train",
        "inner/train start=3",
    )
    assert child["metrics"]["loss"]["count"] == 3
    assert [one["path"] for one in child["files"]] == ["model.txt"]
    log = folder / ".kogine/runs" / child["id"] / "log.txt"
    assert log.read_text().startswith("epoch 0 loss: ")

    run_kogine(folder, "pipeline", "run", "flow.py", "n=3")
    again = records(folder)[2]
    assert states(again) == {
        **dict.fromkeys(["rows", "add", "inner"], "skipped"),
        "report": "cached",
    }
    assert again["nodes"][-1]["key"]
    assert again["identity"] == parent["identity"]
    assert not run_kogine(folder, "pipeline", "run", "flow.py", "n=4", "--no-record").stderr
    assert len(records(folder)) == 3


def test_a_node_that_raises(tmp_path: Path) -> None:
    folder = write_flow(tmp_path)
    assert run_kogine(folder, "pipeline", "run", "flow.py", "n=0").status == 1
    (record,) = records(folder)
    assert states(record) == {
        "rows": "succeeded",
        "add": "failed",
        "inner": "not run",
        "report": "not run",
    }
    assert record["nodes"][1]["error"] == {"type": "ValueError", "message": "no rows"}
    assert (record["status"], record["error"]["type"], record["exit_status"]) == (
        "failed",
        "ValueError",
        1,
    )
    assert "kohaku_ast" not in record["error"]["traceback"]
    # A script that fails has its own traceback and log.
    (folder / "train.py").write_text(TRAIN + "raise SystemExit(3)\n")
    run_kogine(folder, "pipeline", "run", "flow.py", "n=2")
    parent, child = records(folder)[1:]
    assert states(parent)["inner/train"] == "failed"
    assert (child["status"], child["exit_status"]) == ("failed", 3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_end_from_outside(tmp_path: Path, number: int) -> None:
    with slow_run(tmp_path) as started:
        (run,) = Store(tmp_path / ".kogine/runs").runs()
        assert run.status == "running"
        started.send_signal(number)
        started.wait()
    (record,) = Store(tmp_path / ".kogine/runs").runs()
    ends = {"first": "succeeded", "slow": "interrupted", "last": "not run"}
    assert started.returncode == -number
    if number == signal.SIGKILL:
        ends |= {"slow": "running", "last": "waiting"}
    assert record.status == ("lost" if number == signal.SIGKILL else "interrupted")
    assert {one["name"]: one["status"] for one in record.nodes} == ends


def test_two_at_once_and_in_worker_processes(tmp_path: Path) -> None:
    folder = write_flow(tmp_path)
    (folder / "flow.py").write_text(FLOW.replace('cache=DiskCache("kept")', 'engine="parallel"'))
    with slow_run(folder), slow_run(folder, "--no-progress"):
        assert run_kogine(folder, "pipeline", "run", "flow.py", "n=3").status == 0
    *_, parent, child = records(folder)
    assert {one["status"] for one in records(folder)[:2]} == {"running"}
    assert states(parent) == dict.fromkeys(
        ["rows", "add", "inner", "inner/train", "report"], "succeeded"
    )
    assert (child["parent"], child["node"]) == (parent["id"], "inner/train")
    assert parent["nodes"][3]["runs"] == [child["id"]]
    assert child["metrics"]["loss"]["count"] == 3


def test_a_disk_that_cannot_be_written_stops_no_run(tmp_path: Path) -> None:
    folder = write_flow(tmp_path)
    (folder / ".kogine").write_text("a file")
    done = run_kogine(folder, "pipeline", "run", "flow.py", "n=3")
    assert (done.status, done.stdout[-4:]) == (0, " m'\n")
    assert done.stderr.count("warning: cannot keep a record") == 1


INNER = """\
from kohaku_ast import Pipeline, node, script

x = 1

@node
def double(x):
    return 2 * x

@node
def outer(x):
    return Pipeline([script("train.py", outputs="loss")]).run(lr=x)["loss"]

if __name__ == "__main__":
    print(Pipeline([double], record=True).run(x=x))
    print(Pipeline([outer], record=True).run(x=x))
"""


def test_a_pipeline_inside_of_a_run(tmp_path: Path) -> None:
    folder = write_flow(tmp_path)
    (folder / "main.py").write_text(INNER)
    assert run_kogine(folder, "run", "main.py", "x=1", "--record").status == 0
    flow, first, second, inner, train = records(folder)
    assert [one.get("parent") for one in (first, second)] == [flow["id"]] * 2
    assert (inner["parent"], inner["node"]) == (second["id"], None)
    assert (train["parent"], train["node"]) == (inner["id"], "train")

    # With --no-record the pipelines in the runs keep none, unless they are told to.
    (folder / "main.py").write_text(INNER.replace(", record=True", ""))
    done = run_kogine(folder, "run", "main.py", "--sweep", "x=1,2", "--no-record")
    assert (done.status, len(records(folder))) == (0, 5)


def test_in_python_pipelines_of_scripts_are_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_flow(tmp_path))

    @node
    def double(x: int) -> int:
        return 2 * x

    plain = Pipeline([double])
    assert plain.run(x=1) == {"double": 2}
    assert (plain.last_record, records(tmp_path)) == ("", [])
    made = Pipeline([double], record=True, name="made")
    assert made.map({"x": [1, 2, 3]}, "x", output_name="double") == [2, 4, 6]
    (record,) = records(tmp_path)
    assert made.last_record.endswith(record["id"])
    assert (record["nodes"][0]["times"], record["pipeline"]["items"]) == (3, 3)

    train = script("train.py", outputs="loss")
    Pipeline([train], record=False).run()
    assert len(records(tmp_path)) == 1
    scripts = Pipeline([train])
    assert scripts.map({"lr": [0.1, 0.2]}, "lr")[0] == {"loss": 0.0}
    assert [one.get("node") for one in records(tmp_path)] == [None, None, "train", "train"]
    assert len(records(tmp_path)[1]["nodes"][0]["runs"]) == 2


VALUES = """\
from dataclasses import dataclass
from enum import Enum
from kohaku_ast import Pipeline, node

class Mode(Enum):
    FAST = 1
    SLOW = 2

@dataclass
class Settings:
    lr: float
    mode: Mode = Mode.FAST
    data: object = None

@node
def take(settings, mode=Mode.SLOW):
    return mode

made = Pipeline([take], record=True)
for settings in (Settings(0.1), Settings(0.1), Settings(0.2), Settings(0.1, data=object())):
    made.run(settings=settings)
"""


def test_values_have_their_text_and_data_its_kind(tmp_path: Path) -> None:
    (tmp_path / "values.py").write_text(VALUES)
    run_python(tmp_path, "values.py")
    first, equal, other, data = records(tmp_path)
    assert first["params"]["settings"]["repr"] == "Settings(lr=0.1, mode=<Mode.FAST: 1>, data=None)"
    assert first["params"]["mode"]["repr"] == first["outputs"]["take"]["repr"] == "<Mode.SLOW: 2>"
    assert first["identity"] == equal["identity"] != other["identity"]
    assert data["params"]["settings"]["repr"] == "<__main__.Settings>"


def test_a_script_prints_as_it_did(tmp_path: Path) -> None:
    folder = write_flow(tmp_path)
    code = "from kohaku_ast import Pipeline, script\nprint('a')\nPipeline([script('train.py', outputs='loss')]{}).run()\nprint('b')\n"
    (folder / "with.py").write_text(code.format(""))
    (folder / "without.py").write_text(code.format(", record=False"))
    assert run_python(folder, "with.py") == run_python(folder, "without.py")


PRINTS = """\
import multiprocessing, sys
from kohaku_ast import Pipeline, node, script

@node
def first(n: int):
    print("first", n, flush=True)
    print("warned", file=sys.stderr)
    return n

@node
async def second(first):
    sys.stdout.write("second\\n")  # at once: other processes print there, too
    return first

train = script("train.py", outputs="loss", inputs={"start": "second"})

if __name__ == "__main__":
    for engine in ("sequential", "threaded", "async", "parallel", "spawned"):
        if engine == "spawned":
            multiprocessing.set_start_method("spawn", force=True)
            engine = "parallel"
        p = Pipeline([first, second, train], engine=engine, record=RECORD)
        p.run(n=3)
        Pipeline([second], engine=engine, record=RECORD).map({"first": [1, 2]}, "first")
    print(type(sys.stdout).__name__)
"""


def test_what_nodes_print_is_in_the_log_with_every_engine(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import sys\nstart = 0\nloss = start / 2\nprint(type(sys.stdout).__name__)\n"
    )
    done = []
    for recorded in ("True", "False"):
        (tmp_path / "flow.py").write_text(PRINTS.replace("RECORD", recorded))
        done.append(run_python(tmp_path, "flow.py"))
    assert done[0] == done[1]
    assert done[0].stdout.count("TextIOWrapper") == 6
    parents = [one for one in records(tmp_path) if one.get("kind") == "pipeline"]
    logs = [(one["folder"] / one["log"]).read_text() for one in parents]
    assert logs[::2] == ["first 3\nwarned\nsecond\n"] * 5
    assert logs[1::2] == ["second\nsecond\n"] * 5
    child = next(one["id"] for one in records(tmp_path) if one.get("parent"))
    shown = run_kogine(tmp_path, "runs", "logs", "1").stdout
    assert shown == f"{logs[0]}==> train, run {child[-8:]} <==\nTextIOWrapper\n"


CHILDREN = """\
import os, subprocess, sys
from kohaku_ast import Pipeline, node
from kohaku_ast.helpers import current_run

CHILD = "from kohaku_ast.helpers import logger; logger.log({'child': 1})"


@node
def start(x):
    subprocess.run([sys.executable, "-c", CHILD], check=True)
    return os.environ["KOGINE_RUN_DIR"] == current_run().files


@node
def hand_over(start):
    env = {**os.environ, "KOGINE_RUN_DIR": current_run().files}
    subprocess.run([sys.executable, "-c", CHILD.replace("child", "handed")], env=env, check=True)
    return start and "KOGINE_RUN_DIR" in os.environ


if __name__ == "__main__":
    print(Pipeline([start, hand_over], record=True, engine="parallel").run(x=1, output_name="hand_over"))
"""


def test_processes_that_a_node_starts_in_a_worker_log_to_the_record(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(CHILDREN)
    assert run_python(tmp_path, "flow.py").stdout == "True\n"
    [record] = records(tmp_path)
    assert record["metrics"].keys() == {"child", "handed"}
