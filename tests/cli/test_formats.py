"""One word, one meaning: ``--format table|json`` and ``--json`` wherever a table or events are
printed, ``--only`` for outputs, ``--isolate`` for a mode; what ``--dry-run`` shows.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import click
import pytest
from kogine.cache import cache
from kogine.command import Choice, Group
from kogine.runs import runs

from kohaku_ast import Config, Pipeline, Runs, Script, Sequential, Store
from kohaku_ast.cache import cache_files
from tests.oracle import Finished, run_kogine

FILES = {
    "train.py": "lr = 0.1  # rate\nbs = 8\nname = 'x'\nprint(lr, bs, name)\n",
    "other.py": "lr = 0.3\nprint(lr)\n",
    "cfg.py": "bs = 4\n",
    "more.py": "bs = 5\n",
    "sweep.py": "bs = 4\n_sweep = {'lr': [1, 2]}\n",
    "flow.py": "from kohaku_ast import Script, Sequential\nflow = Sequential([Script('train.py')])\n",
    "pipe.py": "from kohaku_ast import Pipeline, node\n@node\ndef rows(n: int):\n    return n\n@node\ndef total(rows):\n    return rows + 1\npipeline = Pipeline([rows, total])\n",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def kogine(folder: Path, line: str) -> Finished:
    return run_kogine(folder, *line.split())


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("run --inspect train.py", id="parameters"),
        pytest.param("run train.py --sweep lr=1,2 --dry-run", id="a dry run"),
        pytest.param("workflow sequential train.py other.py --dry-run", id="of several scripts"),
        pytest.param("config show cfg.py", id="a config"),
        pytest.param("config show sweep.py --script train.py", id="a sweep"),
        pytest.param("config diff cfg.py more.py", id="differences"),
        pytest.param("config check train.py -c cfg.py", id="a check"),
        pytest.param("pipeline run pipe.py n=3", id="results"),
    ],
)
def test_json_is_format_json(folder: Path, line: str) -> None:
    short, long = kogine(folder, f"{line} --json"), kogine(folder, f"{line} --format json")
    assert short == long
    for document in short.stdout.splitlines() if "dry-run" in line else [short.stdout]:
        assert isinstance(json.loads(document), dict)
    table = kogine(folder, line)
    assert table == kogine(folder, f"{line} --format table")
    assert table.status == short.status
    assert not table.stdout.startswith("{")


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("run train.py --sweep lr=1,2", id="a sweep"),
        pytest.param("run train.py --config sweep.py", id="a sweep in a config"),
        pytest.param("run train.py --retries 1", id="an option of flows"),
        pytest.param("workflow sequential train.py other.py", id="scripts"),
        pytest.param("workflow run flow.py", id="a flow in a file"),
    ],
)
def test_events_are_json(folder: Path, line: str) -> None:
    events = [
        json.loads(one) for one in kogine(folder, f"{line} --format json").stdout.splitlines()
    ]
    assert [one["event"] for one in events if one["event"] != "progress"][-1] == "finish"
    assert events[0]["event"] == "start"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("run train.py --format json", "--json alone makes a flow of it", id="a single run"),
        pytest.param("run train.py --format table", "--format has no effect without", id="its table"),
        pytest.param("run train.py --format py", "is the format of --inspect", id="py without inspect"),
        pytest.param("run --inspect train.py --json --format py", "--json is --format json: take away --format py", id="two formats"),
        pytest.param("config show cfg.py --json --format table", "take away --format table", id="of a config"),
        pytest.param("config diff cfg.py more.py --format py", "'py' is not one of 'table', 'json'", id="no such format"),
        pytest.param("run train.py --isolate --mode warm", "--isolate is --mode spawn: take away --mode warm", id="two modes"),
        pytest.param("pipeline run pipe.py n=1 --only rows --output total", "--output is the old name of --only", id="two names"),
        pytest.param("pipeline run pipe.py n=1 --only rows --to total", "--to and --only", id="two ends"),
    ],
)  # fmt: skip
def test_refused(folder: Path, line: str, said: str) -> None:
    done = kogine(folder, line)
    assert (done.status, done.stdout) == (2, "")
    assert said in done.stderr


def test_results_are_asked_for_by_only_and_by_its_old_name(folder: Path) -> None:
    only = kogine(folder, "pipeline run pipe.py n=3 --only rows")
    assert only == Finished(0, "rows = 3\n", "")
    assert kogine(folder, "pipeline run pipe.py n=3 --output rows") == only
    shown = kogine(folder, "help pipeline run").stdout
    assert "--only NAMES" in shown
    assert "--output" not in shown


def test_isolate_is_a_mode(folder: Path) -> None:
    (folder / "train.py").write_text("import os\nlr = 0\nprint(lr, os.getppid() > 0)\n")
    line = "run train.py --sweep lr=1,2"
    alias, mode = (
        kogine(folder, f"{line} {one}") for one in ("--isolate", "--mode spawn --workers 1")
    )
    assert (alias.stdout, alias.status) == (mode.stdout, 0)


def test_a_dry_run_shows_what_is_fixed(folder: Path) -> None:
    done = kogine(
        folder, "run train.py name=y --config sweep.py --sweep lr=3,4 --add new=1 --dry-run"
    )
    assert done.stdout.splitlines() == [
        "axis lr: 2 of 3, 4",
        "fixed name: y (command line)",
        "fixed bs: 4 (sweep.py:1)",
        "fixed --add new: 1 (command line)",
        "    1  lr=3",
        "    2  lr=4",
    ]
    over = kogine(folder, "run train.py bs=9 --config sweep.py --dry-run").stdout
    assert "fixed bs: 9 (command line)" in over
    assert over.count("fixed bs") == 1


def test_a_dry_run_of_several_scripts_shows_each_its_own(folder: Path) -> None:
    done = kogine(folder, "workflow sequential train.py other.py name=y lr=1 --dry-run")
    first, second = done.stdout.split("script other.py\n")
    assert ("fixed name: y" in first, "fixed name: y" in second) == (True, False)
    assert ("fixed lr: 1" in first, "fixed lr: 1" in second) == (True, True)


def test_the_json_of_a_dry_run(folder: Path) -> None:
    done = kogine(folder, "run train.py --config sweep.py name=y --dry-run --json")
    found = json.loads(done.stdout)
    assert (found["version"], found["event"], found["script"]) == (1, "dry_run", "train.py")
    assert found["fixed"] == [
        {"target": "name", "value": "y", "from": "command line"},
        {"target": "bs", "value": "4", "from": "sweep.py:1"},
    ]
    assert found["size"] == 2
    assert [one["label"] for one in found["runs"]] == ["lr=1", "lr=2"]


def leaves(group: Group) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield f"{group.name} {name}", found


@pytest.mark.parametrize("group", [runs, cache], ids=["runs", "cache"])
def test_every_command_on_runs_and_caches_has_the_formats(group: Group) -> None:
    formats = {
        name: [one.type.choices for one in found.params if isinstance(one.type, Choice)]
        for name, found in leaves(group)
    }
    assert len(formats) >= 5
    lacking = {name for name, one in formats.items() if ("table", "json", "csv") not in one}
    assert lacking == set()


IN_PYTHON = {
    "runs ls": Store.runs, "runs show": Store.find, "runs logs": Store.logs, "runs watch": Store.runs,
    "runs best": Runs.best, "runs compare": Runs.compare, "runs report": Runs.report, "runs diff": Store.diff,
    "runs tag": Store.tag, "runs note": Store.note, "runs rm": Store.remove, "runs restore": Store.restore,
    "runs gc": Store.collect, "runs verify": Store.verify, "runs stop": Store.stop, "runs export": Store.export,
    "runs repeat": Store.repeat, "runs reproduce": Store.reproduce, "runs reindex": Store.reindex,
    "cache why": (Store.why, Pipeline.explain_cache), "cache ls": cache_files.StoredCache.files,
    "cache rm": cache_files.StoredCache.remove, "cache gc": cache_files.over_limit,
    "cache verify": cache_files.StoredCache.damage,
}  # fmt: skip


def test_python_has_every_command_on_runs_and_caches(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {name for group in (runs, cache) for name, _ in leaves(group)} == {*IN_PYTHON}
    monkeypatch.chdir(folder)
    Sequential(Script("train.py", Config(lr=0.5)), mode="inline").run()
    store = Store()
    assert store.logs("last") == "0.5 8 x\n"
    assert store.why("last").state == "cached"
    found = store.why(1, {"lr": 0.75})
    assert (found.state, [(one.name, one.before, one.now) for one in found.changes]) == (
        "runs", [("lr", "0.5", "0.75")],
    )  # fmt: skip


def test_logs_repeats_reproductions_and_exports_for_programs(folder: Path) -> None:
    (folder / "train.py").write_text(
        "lr = 0.1\nprint('loss:', lr)\nprint('a,\\r\"b\"\\r\\n\\nend', end='')\n"
    )
    kogine(folder, "run train.py lr=0.5 --record")
    (run,) = json.loads(kogine(folder, "runs ls --json").stdout)
    lines = ["loss: 0.5", 'a,\r"b"', "", "end"]
    logs = [json.loads(one) for one in kogine(folder, "runs logs 1 --json").stdout.splitlines()]
    assert logs == [
        {"id": run["id"], "node": "", "line": number, "text": text}
        for number, text in enumerate(lines, 1)
    ]
    table = kogine(folder, "runs logs 1 -f --format csv").stdout
    assert [*csv.DictReader(StringIO(table, newline=""))] == [
        {name: str(value) for name, value in one.items()} for one in logs
    ]
    done = kogine(folder, "runs repeat 1 lr=2 --json")
    new = json.loads(done.stdout)
    assert (new["params"]["lr"], new["number"], new["status"]) == (2, 2, "succeeded")
    assert "loss: 2" in done.stderr
    rows = [*csv.DictReader(StringIO(kogine(folder, "runs repeat 1 --format csv").stdout))]
    assert [(one["number"], one["lr"], one["loss"]) for one in rows] == [("3", "0.5", "0.5")]

    found = kogine(folder, "runs reproduce 1 --format csv")
    assert found.stdout.splitlines()[0] == "name,state,before,now"
    assert "metrics.loss,equal,," in found.stdout.splitlines()
    where = kogine(folder, "runs export csv 1 2 -o out.csv --json")
    assert json.loads(where.stdout)[0] == {"id": run["id"], "kind": "csv", "path": "out.csv"}
    assert (folder / "out.csv").read_text().count("\n") == 3
    refused = kogine(folder, "runs export csv 1 --format json")
    assert (refused.status, refused.stdout) == (2, "")
    assert "--format needs -o FILE" in refused.stderr


def test_the_repeat_of_a_pipeline_for_programs(folder: Path) -> None:
    (folder / "loud.py").write_text(f"print('loud')\n{FILES['pipe.py']}")
    kogine(folder, "pipeline run loud.py n=3")
    done = kogine(folder, "runs repeat last n=5 --json --store .kogine/runs")
    new = json.loads(done.stdout)
    assert (new["number"], new["kind"], new["params"]) == (2, "pipeline", {"n": 5})
    assert done.stderr.startswith("loud\n")
    watched = kogine(folder, "runs watch --format csv")
    assert watched == Finished(0, "number,id,label,status,seconds\n", "")
