"""``kogine runs`` on runs of pipelines and of the scripts in them."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Store
from kohaku_ast.errors import UsageError
from tests.oracle import Finished, run_kogine, run_python
from tests.pipeline.recorded import FLOW, SLOW, records, slow_run, write_flow


def runs(folder: Path, *words: str) -> Finished:
    return run_kogine(folder, "runs", *words)


def as_json(folder: Path, *words: str) -> Any:
    return json.loads(runs(folder, *words, "--json").stdout)


def test_list_show_logs_and_differences(tmp_path: Path) -> None:
    folder = write_flow(tmp_path)
    run_kogine(folder, "pipeline", "run", "flow.py", "n=3")
    run_kogine(folder, "pipeline", "run", "flow.py", "n=3")
    first, child, second = (one["id"] for one in records(folder))

    heading, *lines = runs(folder, "ls").stdout.splitlines()
    assert heading.split() == ["#", "id", "status", "started", "seconds", "script", "kind", "parent",
                               "label", "epoch", "loss", "report"]  # fmt: skip
    assert (first[-8:] in lines[1], "inner/train start=3" in lines[1]) == (True, True)
    store = Store(folder / ".kogine/runs")
    (found,) = store.runs(f'parent == "{first}"').summaries
    assert (found.id, found.kind, found.node) == (child, "script", "inner/train")
    (cached,) = store.runs('nodes.report == "cached"').summaries
    assert (cached.id, cached.values("nodes")["add"]) == (second, "skipped")
    rows = as_json(folder, "ls", "--where", 'kind == "pipeline"')
    assert [one["nodes"]["report"] for one in rows] == ["cached", "succeeded"]

    shown = dict(
        line.split(None, 1) for line in runs(folder, "show", "1").stdout.splitlines() if " " in line
    )
    assert shown["inner/train"].endswith(f", run {child[-8:]}")
    assert (shown["kind"], shown["n"]) == ("pipeline", "3  (input)")
    log = (folder / ".kogine/runs" / child / "log.txt").read_text()
    assert runs(folder, "logs", first).stdout == f"==> inner/train, run {child[-8:]} <==\n{log}"
    done = runs(folder, "logs", second)
    assert (done.status, "has no log" in done.stderr) == (2, True)

    assert {(one.part, one.name, one.second) for one in store.diff(first, second)} == {
        ("nodes", "rows", "skipped"), ("nodes", "add", "skipped"), ("nodes", "inner", "skipped"),
        ("nodes", "inner/train", None), ("nodes", "report", "cached"),
    }  # fmt: skip
    pipelines = store.runs('kind == "pipeline"')
    assert [row["nodes.report"] for row in pipelines.compare()] == ["cached", "succeeded"]
    assert "nodes.report" in store.exported(pipelines, "csv").decode().splitlines()[0]
    with pytest.raises(UsageError, match="is of a pipeline"):
        store.exported(first, "config")


def test_a_pipeline_goes_with_the_runs_of_its_scripts(tmp_path: Path) -> None:
    folder = write_flow(tmp_path)
    for n in ("n=3", "n=4"):
        run_kogine(folder, "pipeline", "run", "flow.py", n)
    first, _, *others = (one["id"] for one in records(folder))
    assert as_json(folder, "show", "last")["id"] == others[0]  # not the script in it
    assert runs(folder, "rm", first).stdout.startswith("2 runs removed.")
    assert [one["id"] for one in records(folder)] == others
    assert runs(folder, "restore", first).stdout == "2 runs restored.\n"
    store = Store(folder / ".kogine/runs")
    store.remove("1")
    before = sorted(one.name for one in (folder / ".kogine/objects").rglob("*"))
    assert store.collect().runs == 2
    assert sorted(one.name for one in (folder / ".kogine/objects").rglob("*")) == before
    assert [one["id"] for one in records(folder)] == others


def test_run_again(tmp_path: Path) -> None:
    folder = write_flow(tmp_path)
    first = run_kogine(folder, "pipeline", "run", "flow.py", "n=4", "--only", "report")
    again = runs(folder, "repeat", "1", "n=5", "unit=km")
    assert again.stdout.splitlines()[-1] == "report = '0.3333333333333333 km'"
    assert records(folder)[2]["params"]["n"] == {"json": 5}

    shutil.copytree(folder / ".kogine", folder / "other/.kogine")
    runs(folder, "repeat", "1", "n=6", "--store", "other/.kogine/runs")
    assert [one["params"]["n"] for one in records(folder / "other") if "n" in one["params"]] == [
        {"json": 4}, {"json": 5}, {"json": 6},
    ]  # fmt: skip
    assert len(records(folder)) == 4
    shutil.rmtree(folder / "other")

    (folder / "flow.py").write_text(FLOW.replace('DiskCache("kept")', "None").replace("sum", "max"))
    (folder / "train.py").unlink()
    (folder / "helper.py").write_text("def add(values):\n    return 0\n")
    found = as_json(folder, "reproduce", "1")
    assert (found["different"], "report" in found["equal"]) == ({}, True)
    new = records(Path(found["folder"]))
    assert new[0]["outputs"] == {"report": {"json": first.stdout.splitlines()[-1][10:-1]}}


def test_what_cannot_be_run_again_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        SLOW + "if __name__ == '__main__':\n"
        "    Pipeline([first], record=True).run(n=1)\n"
        "    Pipeline([first], record=True).map({'n': [1, 2]}, 'n')\n"
    )
    assert not run_python(tmp_path, "main.py").stderr
    lacks = "has no variable at the module level of 'main.py'"
    assert lacks in runs(tmp_path, "repeat", "1").stderr
    for run, why in ((1, lacks), (2, "run that again: python main.py")):
        with pytest.raises(UsageError, match=re.escape(why)):
            Store(tmp_path / ".kogine/runs").reproduce(run)


def test_a_script_with_a_result_of_a_node_that_is_no_plain_value(tmp_path: Path) -> None:
    write_flow(tmp_path)
    (tmp_path / "main.py").write_text(
        "from kohaku_ast import Pipeline, node, script\n"
        "class Table:\n"
        "    __mul__ = lambda self, other: other\n"
        "    def __repr__(self):\n        raise SystemExit('it must not be asked')\n"
        "@node\ndef total():\n    return Table()\n"
        "p = Pipeline([total, script('train.py', outputs='lr', inputs={'start': 'total'})])\n"
    )
    assert run_kogine(tmp_path, "pipeline", "run", "main.py").stdout.endswith("lr = 0.1\n")
    parent, child = records(tmp_path)
    assert parent["nodes"][0]["results"] == {"total": "<__main__.Table>"}
    assert child["overrides"][0]["repr"] == "<__main__.Table>"
    done = runs(tmp_path, "reproduce", child["id"])
    assert (
        done.status,
        f"or run what has made it: kogine runs repeat {parent['id']}" in done.stderr,
    ) == (2, True)


def test_runs_under_way_and_killed(tmp_path: Path) -> None:
    with slow_run(tmp_path) as started:
        assert "running" in runs(tmp_path, "show", "last").stdout
        assert runs(tmp_path, "rm", "last").status == 2
        assert "has ended" in runs(tmp_path, "stop", "last").stdout
        started.wait()
    assert [one["status"] for one in records(tmp_path)] == ["interrupted"]
    with slow_run(tmp_path) as started:
        started.send_signal(signal.SIGKILL)
        started.wait()
    shown = runs(tmp_path, "show", "last").stdout
    nodes = shown.partition("# nodes\n")[2].split("\n\n")[0].splitlines()
    assert [line.split()[1].rstrip(",") for line in nodes] == ["succeeded", "lost", "not"]
