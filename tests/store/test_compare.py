"""``Runs.compare``: the columns in which real runs differ, and means of groups."""

from __future__ import annotations

import math
import re
import statistics
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Config, Script, Sequential
from kohaku_ast.errors import UsageError
from kohaku_ast.store.store import Runs, Store

TRAIN = """\
lr = 0.1
bs = 32
seed = 0
shape = (1, 2)
text = ""
loss = lr * bs + seed / 10
if loss > 6.55:
    raise ValueError("too large")
"""
#: lr, bs and seed of the runs, which are made in this order.
GRID = [(lr, bs, seed) for lr in (0.2, 0.1) for bs in (16, 32) for seed in (0, 1, 2)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Twelve runs, of which the last one of lr=0.2 bs=32 failed after its loss was known."""
    folder = tmp_path_factory.mktemp("project")
    return recorded(folder, [dict(zip(("lr", "bs", "seed"), one)) for one in GRID])


def recorded(folder: Path, runs: list[dict[str, Any]]) -> Store:
    (folder / "train.py").write_text(TRAIN)
    configs = [Config(values, outputs=["loss"]) for values in runs]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        flow = Sequential([Script("train.py", configs)], mode="inline", on_error="continue")
        flow.run()
    return Store(folder / ".kogine" / "runs")


def chosen(store: Store, where: str = "") -> Runs:
    return store.runs(where=where)[::-1]


@pytest.mark.parametrize(
    ("where", "columns"),
    [
        pytest.param("bs == 16 and seed == 0", ["lr", "loss"], id="one parameter"),
        pytest.param("lr == 0.1 and bs == 16", ["seed", "loss"], id="another one"),
        pytest.param("number <= 2", ["seed", "loss"], id="by number"),
        pytest.param("lr == 0.2 and bs == 32", ["status", "error", "exit_status", "seed", "loss"],
                     id="one has failed"),
        pytest.param("number == 1", [], id="one run"),
    ],
)  # fmt: skip
def test_columns_are_those_that_differ(store: Store, where: str, columns: list[str]) -> None:
    found = chosen(store, where).compare()
    assert found.columns[:2] == ("number", "id")
    assert set(found.columns[2:]) == set(columns)


def test_rows_are_the_runs_in_their_order(store: Store) -> None:
    runs = store.select([3, 1])
    assert [(row["number"], row["seed"]) for row in runs.compare()] == [(3, 2), (1, 0)]


def test_everything_has_all_columns(store: Store) -> None:
    found = chosen(store, "number <= 2").compare(everything=True)
    assert {"started", "seconds", "script", "lr", "bs", "seed", "loss"} <= {*found.columns}
    assert [row["lr"] for row in found] == [0.2, 0.2]


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        pytest.param({"bs": 1}, {"bs": 1.0}, [1, 1.0], id="int and float"),
        pytest.param({"bs": 1}, {"bs": True}, [1, True], id="int and bool"),
        pytest.param({"shape": (1, 2)}, {"shape": [1, 2]}, ["(1, 2)", "[1, 2]"], id="tuple, list"),
        pytest.param({"text": "out"}, {"text": Path("out")}, ["'out'", "Path('out')"], id="path"),
        pytest.param({"shape": (1, 2)}, {"shape": (1, 3)}, [[1, 2], [1, 3]], id="two tuples"),
    ],
)  # fmt: skip
def test_types_differ(tmp_path: Path, first: Any, second: Any, shown: list[Any]) -> None:
    found = chosen(recorded(tmp_path, [first, second])).compare()
    (name,) = first
    cells = [row[name] for row in found]
    assert (cells, [*map(type, cells)]) == (shown, [*map(type, shown)])


def test_long_values_differ_at_their_ends(tmp_path: Path) -> None:
    values = ["x" * 5000 + end for end in "ab"]
    found = chosen(recorded(tmp_path, [{"text": one} for one in values])).compare()
    assert [row["text"] for row in found] == [*map(repr, values)]


def test_a_value_that_one_run_lacks(tmp_path: Path) -> None:
    found = chosen(recorded(tmp_path, [{"lr": 0.2}, {"bs": 8, "lr": 0.2}])).compare()
    assert [row["bs"] for row in found][1] == 8


def expected(lr: float, bs: int) -> tuple[float, float | None, int]:
    """Of the runs that succeeded, as NumPy's users would take it by hand."""
    losses = [lr * bs + seed / 10 for seed in (0, 1, 2) if lr * bs + seed / 10 <= 6.55]
    return statistics.fmean(losses), statistics.stdev(losses), len(losses)


def test_groups_have_mean_deviation_and_number(store: Store) -> None:
    found = chosen(store).compare(by=["lr", "bs"], metric="loss")
    assert found.columns == ("lr", "bs", "runs", "loss mean", "loss std", "loss n")
    assert [row[:3] for row in found.rows] == [
        (0.1, 16, 3), (0.1, 32, 3), (0.2, 16, 3), (0.2, 32, 3)
    ]  # fmt: skip
    for lr, bs, _, mean, deviation, count in found.rows:
        assert (mean, deviation, count) == pytest.approx(expected(lr, bs))
    assert found.rows[-1][-1] == 2, "a failed run does not count"
    assert found.over == ("seed",)


def test_groups_by_text_and_all_numbers(store: Store) -> None:
    runs = chosen(store)
    assert runs.compare(by="lr, bs") == runs.compare(by=["lr", "bs"], metric=["loss"])
    assert runs.compare(by="lr").over == ("bs", "seed")


def test_one_run_has_no_deviation(store: Store) -> None:
    found = chosen(store, "seed == 0").compare(by="lr,bs", metric="min:loss")
    assert {row[-2:] for row in found.rows} == {(None, 1)}
    assert found.over == ()


def test_nan_stays_nan(tmp_path: Path) -> None:
    store = recorded(tmp_path, [{"lr": math.nan}, {"lr": 0.1}])
    (row,) = chosen(store).compare(by="script", metric="loss").rows
    assert math.isnan(row[2])
    assert row[3:] == (None, 2)


def test_a_group_without_the_number(store: Store) -> None:
    (row,) = chosen(store, 'status == "failed"').compare(by="lr", metric="loss").rows
    assert row == (0.2, 1, None, None, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"by": "lx"}, "no run has 'lx'. Did you mean 'lr'?", id="no name"),
        pytest.param({"by": "lr", "metric": "los"}, "no run has 'los'. Did", id="no metric"),
        pytest.param({"by": "lr", "metric": "mean:los"}, "no run has 'mean:los'", id="no statistic"),
        pytest.param({"metric": "loss"}, "metric needs by", id="metric alone"),
        pytest.param({"by": "lr", "everything": True}, "leave one of all and by out", id="both"),
        pytest.param({"by": 3}, "by is a name, or a list of names", id="a number"),
        pytest.param({"by": [3]}, "a name in by is a text", id="numbers"),
    ],
)  # fmt: skip
def test_mistakes(store: Store, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        chosen(store).compare(**options)


def test_it_is_a_table_as_text_and_html(store: Store) -> None:
    found = chosen(store, "bs == 16").compare(by="lr", metric="loss")
    assert str(found) == (
        "lr   runs  loss mean  loss std  loss n\n"
        "0.1  3     1.7        0.1       3\n"
        "0.2  3     3.3        0.1       3\n"
        "over seed"
    )
    assert "<td" in found._repr_html_()
    assert "over seed" in found._repr_html_()


def test_no_runs(store: Store) -> None:
    assert chosen(store, "seed > 7").compare().rows == ()
    assert chosen(store, "seed > 7").compare(by="lr").rows == ()
