"""Store and Runs: which runs a query, a name or an order gives, and what a table of them has."""

from __future__ import annotations

import math
import shutil
import sys
import types
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Runs, Store
from kohaku_ast.errors import UsageError, UsageTypeError
from kohaku_ast.store.record import Record, time_text
from tests.store.made_runs import make_run, metric, override


def value(found: Any) -> dict[str, Any]:
    return {"json": found}


RUNS: list[dict[str, Any]] = [
    {
        "label": "a",
        "overrides": [override("lr", 0.1)],
        "params": {"lr": value(0.1), "main(epochs)": value(3), "Args.depth": value(2), "opt": value("adam")},
        "metrics": {"loss": metric(0.5, 0.4, 0.9, 10), "lr": metric(7)},
        "outputs": {"acc": value(0.8)}, "value": value(0.25), "metadata": {"group": value("x")},
    },
    {
        "label": "b", "status": "failed", "exit_status": 1,
        "error": {"type": "ValueError", "message": "bad\nvery bad", "traceback": ""},
        "overrides": [override("lr", 0.2)],
        "params": {"lr": value(0.2), "main(epochs)": value(5), "Args.depth": value(3), "opt": value("sgd")},
        "metrics": {"loss": metric("nan", 0.3, "inf", 4)},
        "git": {"root": "/", "commit": "c0ffee", "branch": "main", "dirty": False},
    },
    {
        "label": "c", "script": {"path": "exp/eval.py"},
        "overrides": [override("fit(epochs)", 9)],
        "params": {
            "fit(epochs)": value(9), "main(epochs)": value(1), "--batch-size": value(8),
            'cfg["weight decay"]': value(0.1), "cfg.opt.name": value("sgd"), "out": {"path": "runs/x"},
            "layers": {"python": "(64, 32)"}, "model": {"repr": "<Model>", "type": "net.Model"},
            "params.n": value(4), "status": value("mine"), "big": value([1] * 2000),
            "limit": {"python": "inf"}, "arr": {"python": "numpy.array([1, 2], '<i8')"},
        },
    },
    {"label": "old", "overrides": [override("lr", 3)]},
]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    root = tmp_path_factory.mktemp("runs")
    for number, fields in enumerate(RUNS):
        make_run(root, number, **fields)
    return Store(root)


def labels(store: Store, where: str = "", **options: Any) -> list[str]:
    return [one.label for one in store.runs(where, **options)]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        pytest.param("", "old c b a", id="everything, the newest first"),
        pytest.param("lr == 0.1", "a", id="a parameter before a metric"),
        pytest.param("metrics.lr == 7", "a", id="the metric of the same name"),
        pytest.param("last:lr == 7", "a", id="its last number"),
        pytest.param("params.lr > 0", "old b a", id="by kind"),
        pytest.param("lr == 3", "old", id="an override of a record without params"),
        pytest.param("main(epochs) > 1", "b a", id="full target"),
        pytest.param("depth == 3", "b", id="last name"),
        pytest.param("Args.depth == 3", "b", id="dotted target"),
        pytest.param("epochs == 9", "c", id="of two that fit the overridden one"),
        pytest.param("params.epochs == 9", "c", id="the same by kind"),
        pytest.param("batch_size == 8 and --batch-size == 8 and `batch-size` == 8", "c", id="an option"),
        pytest.param('cfg["weight decay"] == 0.1 and `weight decay` == 0.1', "c", id="a key with a blank"),
        pytest.param("opt.name == 'sgd' and name == 'sgd'", "c", id="part of a path"),
        pytest.param("opt == 'sgd'", "b", id="not the middle of a path"),
        pytest.param("out == 'runs/x'", "c", id="a path is a text"),
        pytest.param("layers == (64, 32)", "c", id="a tuple"),
        pytest.param("model == '<Model>'", "c", id="a repr is a text"),
        pytest.param("params.n == 4", "c", id="a target that looks like a kind"),
        pytest.param("status == 'mine'", "", id="a field before a parameter"),
        pytest.param("params.status == 'mine'", "c", id="the parameter by kind"),
        pytest.param("limit == inf", "c", id="infinity"),
        pytest.param("'array' in arr", "c", id="an array is a text"),
        pytest.param("loss < 1", "a", id="the last number of a metric; nan is not less"),
        pytest.param("min:loss < 0.35", "b", id="the least number"),
        pytest.param("max:loss == inf", "b", id="the greatest number"),
        pytest.param("count:loss >= 4", "b a", id="how many"),
        pytest.param("loss != loss", "b", id="nan"),
        pytest.param("acc > 0.5", "a", id="an output"),
        pytest.param("outputs.acc > 0.5", "a", id="an output by kind"),
        pytest.param("value == 0.25", "a", id="the returned value"),
        pytest.param("group == 'x' and metadata.group == 'x'", "a", id="metadata"),
        pytest.param("status == 'failed' and exit_status == 1", "b", id="fields"),
        pytest.param("'ValueError' in error", "b", id="the error"),
        pytest.param("error == None", "old c a", id="no error"),
        pytest.param("commit == 'c0ffee' and git.commit == 'c0ffee'", "b", id="the commit"),
        pytest.param("script == 'exp/eval.py'", "c", id="the script"),
        pytest.param("number in (1, 4)", "old a", id="numbers"),
        pytest.param("host == 'elsewhere' and seconds == 1", "old c b a", id="host and seconds"),
        pytest.param("not lr > 0.15", "a", id="not of what is missing"),
        pytest.param("started < '2023-11-14T22:13:22'", "b a", id="a time"),
    ],
)  # fmt: skip
def test_where(store: Store, where: str, expected: str) -> None:
    assert labels(store, where) == expected.split()


@pytest.mark.parametrize(
    ("where", "message"),
    [
        pytest.param("lrr > 1", "no run has 'lrr'. Did you mean 'lr'?", id="a parameter"),
        pytest.param("min:los > 1", "no run has 'min:los'", id="a statistic"),
        pytest.param("statu == 1", "Did you mean 'status'?", id="a field"),
        pytest.param("epoch > 1", "Did you mean 'epochs'?", id="a short name"),
        pytest.param("metrics.acc > 1", "no run has 'metrics.acc'", id="an output is no metric"),
    ],
)
def test_name_that_no_run_has(store: Store, where: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        store.runs(f"status == 'failed' or {where}")
    assert message in str(caught.value)
    line, mark = str(caught.value).splitlines()[1:]
    assert line[mark.index("^") :] == where


def test_name_that_fits_several_parameters(tmp_path: Path) -> None:
    make_run(tmp_path, params={"fit(lr)": value(1), "Net.lr": value(2)})
    with pytest.raises(UsageError, match=r"'lr' fits several parameters.*'fit\(lr\)', 'Net.lr'"):
        Store(tmp_path).runs("lr > 1")
    assert len(Store(tmp_path).runs("fit(lr) == 1 and Net.lr == 2")) == 1


def test_query_on_no_runs_is_only_parsed(tmp_path: Path) -> None:
    assert len(Store(tmp_path).runs("anything > 1", sort="whatever")) == 0
    with pytest.raises(UsageError):
        Store(tmp_path).runs("anything >")


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        pytest.param("lr", "a b old c", id="ascending, without a value last"),
        pytest.param("-lr", "old b a c", id="descending, without a value last"),
        pytest.param("number", "a b c old", id="a field"),
        pytest.param("label", "a b c old", id="texts"),
        pytest.param("min:loss", "b a old c", id="a statistic"),
        pytest.param("loss", "a old c b", id="nan last"),
        pytest.param("-started", "old c b a", id="times"),
        pytest.param("--batch-size", "c old b a", id="an option is no descending"),
        pytest.param("error", "b old c a", id="None last"),
    ],
)
def test_sort(store: Store, sort: str, expected: str) -> None:
    assert labels(store, sort=sort) == expected.split()


def test_sort_of_numbers_and_texts(tmp_path: Path) -> None:
    for number, found in enumerate(["b", 2, None, True, "a", [1], 10**400, -(10**400)]):
        make_run(tmp_path, number, params={"x": value(found)})
    order = [one["x"] for one in Store(tmp_path).runs(sort="x").params]
    assert order == [-(10**400), True, 2, 10**400, "a", "b", [1], None]


def test_limit_is_of_the_sorted(store: Store) -> None:
    assert labels(store, sort="lr", limit=2) == ["a", "b"]
    assert labels(store, limit=1) == ["old"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("train.py", "old b a", id="the path"),
        pytest.param("./train.py", "old b a", id="the path with a dot"),
        pytest.param("exp/eval.py", "c", id="a path with a folder"),
        pytest.param("eval.py", "c", id="the end of a path"),
        pytest.param("val.py", "", id="the end of a name"),
        pytest.param("", "old c b a", id="none"),
    ],
)
def test_script(store: Store, script: str, expected: str) -> None:
    assert labels(store, script=script) == expected.split()


def test_since(tmp_path: Path) -> None:
    now = datetime.now(timezone.utc)
    for days in (0, 1, 2, 10):
        started = time_text((now - timedelta(days=days, minutes=1)).timestamp())
        make_run(tmp_path, label=str(days), started=started, ended=started)
    store = Store(tmp_path)
    assert labels(store, since="30s") == []
    assert labels(store, since="90s") == labels(store, since="1h") == ["0"]
    assert labels(store, since="2d") == ["0", "1"]
    assert labels(store, since="1.5w") == labels(store) == ["0", "1", "2", "10"]
    assert labels(store, since=now - timedelta(hours=30)) == ["0", "1"]
    assert labels(store, since=f"{now - timedelta(days=5):%Y-%m-%d}") == ["0", "1", "2"]


@pytest.mark.parametrize("since", ["soon", "2 d", "-1d", "2026-13-01", "d", "1e9d", 3])
def test_since_that_is_no_time(store: Store, since: Any) -> None:
    with pytest.raises(UsageError, match="write 2d, 12h, 30m, or a date"):
        store.runs(since=since)


# --- one run -------------------------------------------------------------------------------------


def test_find(store: Store) -> None:
    folders = sorted(one.name for one in store.root.iterdir() if one.is_dir())
    for number, (name, fields) in enumerate(zip(folders, RUNS), 1):
        for found in (
            number,
            str(number),
            f" {number} ",
            name,
            name[:-2],
            f"label == '{fields['label']}'",
        ):
            assert store.find(found).label == fields["label"], found
    assert store.find("last").label == "old"
    record = store.find(2)
    assert isinstance(record, Record)
    assert store.find(record.identity).folder == store.find(record.identity[:6]).folder
    assert [one.label for one in store.select([3, "last", 3])] == ["c", "old", "c"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("5", "no run '5': runs are named by number (1 to 4), id, or last", id="number"),
        pytest.param("0", "no run '0'", id="nought"),
        pytest.param("-1", "no run '-1'", id="negative"),
        pytest.param("000", "no run '000'", id="too short for an id"),
        pytest.param("zzz", "no run 'zzz'", id="no id"),
        pytest.param("", "no run ''", id="nothing"),
        pytest.param("20231114T2213", "fits 4 runs: write the number of one\n  1  20231114T221320", id="several ids"),
        pytest.param("lr > 0", "'lr > 0' fits 3 runs", id="several of a query"),
        pytest.param("lr > 9", "no run fits 'lr > 9'", id="none of a query"),
        pytest.param("lr = 9", "a comparison is written ==", id="no query"),
        pytest.param("9" * 500, "no run '999", id="a number without end"),
    ],
)  # fmt: skip
def test_find_nothing(store: Store, name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        store.find(name)
    assert message in str(caught.value)


def test_mistyped_id_lists_the_near_one(store: Store) -> None:
    name = store.find(2).folder.name
    mistyped = name[:-3] + "zz" + name[-1:]
    with pytest.raises(UsageError) as caught:
        store.find(mistyped)
    assert f"  2  {name}  failed  b" in str(caught.value).splitlines()


def test_ambiguous_name_lists_at_most_ten(tmp_path: Path) -> None:
    for number in range(12):
        make_run(tmp_path, number, identity="ab" * 16)
    with pytest.raises(UsageError) as caught:
        Store(tmp_path).find("abab")
    lines = str(caught.value).splitlines()
    assert len(lines) == 12
    assert lines[-1] == "  ... and 2 more"


def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run 'last': there are no runs in"):
        Store(tmp_path / "none").find("last")
    with pytest.raises(UsageTypeError, match="root is a folder, got 3"):
        Store(3)  # type: ignore[arg-type]


# --- Runs ----------------------------------------------------------------------------------------


def test_runs_are_a_sequence_of_records(store: Store) -> None:
    runs = store.runs()
    assert (len(runs), runs[0].label, runs[-1].label) == (4, "old", "a")
    assert isinstance(runs[1:3], Runs)
    assert [one.label for one in runs[1:3]] == ["c", "b"]
    assert runs[0] is runs[0]
    assert repr(runs) == f"<4 runs of {str(store.root)!r}>"
    with pytest.raises(IndexError):
        runs[4]


def test_params_and_metrics(store: Store) -> None:
    runs = store.runs(sort="number")
    assert runs.params[0] == {"lr": 0.1, "main(epochs)": 3, "Args.depth": 2, "opt": "adam"}
    assert runs.metrics[0] == {"loss": 0.5, "lr": 7}
    assert math.isnan(runs.metrics[1]["loss"])
    assert runs.params[3] == {"lr": 3}
    assert runs.params[2]["layers"] == [64, 32]
    assert len(runs.params[2]["big"]) == 1000
    assert runs[2].params["layers"] == (64, 32)
    assert runs[2].params["big"] == [1] * 2000


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("min:loss", "b", id="the least of all numbers of a metric"),
        pytest.param("min:last:loss", "a", id="the least last number; nan is none"),
        pytest.param("max:loss", "b", id="the greatest"),
        pytest.param("min:metrics.loss", "b", id="by kind"),
        pytest.param("max:lr", "a", id="a metric before a parameter"),
        pytest.param("max:main(epochs)", "b", id="a parameter where there is no metric"),
        pytest.param("max:acc", "a", id="an output"),
        pytest.param("min:number", "a", id="a field"),
    ],
)
def test_best(store: Store, name: str, expected: str) -> None:
    assert store.runs().best(name, any_status=True).label == expected
    assert store.runs().best(name).label != "b"  # it has failed


def test_the_best_few(store: Store) -> None:
    runs = store.runs()
    assert [one.label for one in runs.best("max:last:loss", n=9)][-1] == "a"
    assert [one.label for one in runs.best("min:last:loss", n=1)] == ["a"]
    with pytest.raises(UsageError, match="n is at least 1, got 0"):
        runs.best("min:loss", n=0)


@pytest.mark.parametrize("name", ["loss", "least:loss", "min:", "min:lrr", "min:opt", ""])
def test_best_of_nothing(store: Store, name: str) -> None:
    with pytest.raises(UsageError):
        store.runs().best(name)


def test_rows(store: Store) -> None:
    rows = store.runs("lr > 0", sort="number").rows(["#", "lr", "min:loss", "acc"])
    assert [*rows] == [[1, 0.1, 0.4, 0.8], [2, 0.2, 0.3, None], [4, 3, None, None]]


def test_frame_names_its_package(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(UsageError, match="pip install pandas"):
        store.runs().to_frame()


def test_frame_has_a_column_a_name(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = types.SimpleNamespace(DataFrame=dict)
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    frame = store.runs(sort="number").to_frame()
    assert frame["label"] == ["a", "b", "c", "old"]
    assert frame["lr"] == [0.1, 0.2, None, 3]
    assert frame["metrics.lr"] == [7, None, None, None]
    assert frame["params.status"] == [None, None, "mine", None]
    assert frame["acc"] == [0.8, None, None, None]


@pytest.mark.libraries
def test_frame_of_pandas(store: Store) -> None:
    frame = store.runs(sort="number").to_frame()
    assert [*frame["label"]] == ["a", "b", "c", "old"]
    assert frame["lr"].max() == 3
    assert frame[frame["status"] == "failed"]["loss"].isna().all()


def test_frame_of_polars(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    polars = types.SimpleNamespace(DataFrame=lambda data, strict: (data, strict))
    monkeypatch.setitem(sys.modules, "polars", polars)
    data, strict = store.runs().to_frame()
    assert (data["label"][0], strict) == ("old", False)


def test_notebook_shows_a_table(tmp_path: Path) -> None:
    make_run(tmp_path, 1, label="<b>", metrics={"loss": metric(0.5)})
    shown = Store(tmp_path).runs()._repr_html_()
    assert "&lt;b&gt;" in shown
    assert "0.5" in shown
    assert "more" not in shown
    for number in range(120):
        make_run(tmp_path, number + 2)
    assert "<p>... and 21 more</p>" in Store(tmp_path).runs()._repr_html_()


def test_record_that_is_removed_meanwhile(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    runs = Store(tmp_path).runs()
    shutil.rmtree(folder)
    with pytest.raises(UsageError, match="was removed, or damaged, meanwhile"):
        runs[0]


# --- marks ---------------------------------------------------------------------------------------


def test_marks_in_python(tmp_path: Path) -> None:
    make_run(tmp_path)
    store = Store(tmp_path)
    record = store.find(1)
    assert (record.tags, record.note) == ([], "")
    assert store.tag(record, "a", "b", "a") == ["a", "b"]
    assert store.tag(1, "a", remove=True) == ["b"]
    store.note("last", "two\nlines")
    assert (record.tags, record.note) == (["b"], "two\nlines")
    assert store.runs()[0].note == "two\nlines"
    assert labels(store, "'b' in tags and 'lines' in note") == [""]


@pytest.mark.parametrize("tag", ["", " ", "a,b", " a", "a\n"])
def test_texts_that_are_no_tags(tmp_path: Path, tag: str) -> None:
    make_run(tmp_path)
    with pytest.raises(UsageError, match="a tag is a text"):
        Store(tmp_path).tag(1, tag)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"tags": 3}', '{"note": 3}', '{"tags": [3]}', "[" * 99999]
)
def test_damaged_marks_are_none(tmp_path: Path, text: str) -> None:
    folder = make_run(tmp_path)
    (folder / "marks.json").write_text(text)
    assert (Store(tmp_path).find(1).tags, Store(tmp_path).find(1).note) == ([], "")
    assert Store(tmp_path).tag(1, "new") == ["new"]
