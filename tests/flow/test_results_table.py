"""The table of results at the end of a flow."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from kohaku_ast.flow.results_table import ResultsTable
from kohaku_ast.flow.run import Summary
from kohaku_ast.runner.outcome import Outcome
from tests.flow.made import failed, running, succeeded
from tests.flow.terminal import Terminal
from tests.oracle import run_kogine


def table(*metrics: dict[str, float], fails: int = -1) -> list[str]:
    """The lines of the table of runs that printed *metrics*."""
    stream = io.StringIO()
    observer = ResultsTable(stream)
    for number, found in enumerate(metrics):
        run = running(number)
        run = failed(run) if number == fails else succeeded(run)
        run.outcome = Outcome("failed" if number == fails else "succeeded", metrics=found)
        observer.on_end(run)
    observer.on_finish(Summary())
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def stars(*metrics: dict[str, float]) -> list[int]:
    """The numbers of the rows with a star."""
    return [number for number, line in enumerate(table(*metrics)) if "*" in line]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        pytest.param("loss", 1, id="loss"),
        pytest.param("val_loss", 1, id="loss of a part"),
        pytest.param("valLoss", 1, id="camel case"),
        pytest.param("test/rmse", 1, id="with a path"),
        pytest.param("acc", 2, id="accuracy"),
        pytest.param("val acc", 2, id="two words"),
        pytest.param("F1", 2, id="f1"),
        pytest.param("episode_reward", 2, id="reward"),
        pytest.param("x", None, id="nobody knows"),
        pytest.param("glossary", None, id="a word within a word"),
        pytest.param("loss_accuracy", None, id="both"),
    ],
)
def test_the_best_is_marked_where_its_direction_is_known(name: str, row: int | None) -> None:
    assert stars({name: 1.0}, {name: 2.0}) == ([] if row is None else [row])


def test_equal_results_have_no_best() -> None:
    assert stars({"loss": 1.0}, {"loss": 1.0}) == []
    assert stars({"loss": float("nan")}, {"loss": 2.0}, {"loss": 3.0}) == [2]


def test_steps_are_left_out_where_there_is_more() -> None:
    assert table({"epoch": 3, "loss": 1.0}, {"epoch": 3, "loss": 2.0})[0].split() == [
        "run", "lr", "loss",
    ]  # fmt: skip
    assert table({"epoch": 3}, {"epoch": 4})[0].split() == ["run", "lr", "epoch"]


def test_a_failed_run_has_a_row_without_results() -> None:
    lines = table({"loss": 1.0}, {"loss": 0.5}, fails=1)
    assert lines[0].split() == ["run", "lr", "state", "loss"]
    assert lines[2].split()[-1] == "failed"


@pytest.mark.parametrize(
    "metrics", [[], [{"loss": 1.0}], [{}, {}]], ids=["none", "one", "no results"]
)
def test_nothing_to_compare_is_no_table(metrics: list[dict[str, float]]) -> None:
    assert table(*metrics) == []


def test_a_long_flow_names_the_rest() -> None:
    lines = table(*[{"loss": float(n)} for n in range(250)])
    assert (len(lines), lines[-1]) == (202, "... and 50 more: kogine runs ls")


def test_a_narrow_terminal() -> None:
    terminal = Terminal(30, 20)
    with open(terminal.slave, "w", encoding="utf-8", closefd=False) as stream:
        observer = ResultsTable(stream)
        for number in range(2):
            run = succeeded(running(number))
            names = [f"a rather long name {one}" for one in "abc"]
            run.outcome = Outcome("succeeded", metrics=dict.fromkeys(names, number))
            observer.on_end(run)
        observer.on_finish(Summary())
    text = "\n".join(terminal.wait_for(lambda text: "run: 2" in text or "2" in text))
    terminal.close()
    for name in names:
        assert all(word in text for word in name.split())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_sweep_ends_with_it(workers: str, tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("lr = 1\nprint('loss:', 1 / lr)\n")
    done = run_kogine(tmp_path, "run", "t.py", "--sweep", "lr=1,2,4", "--workers", workers)
    lines = done.stderr.splitlines()[-5:]
    assert lines[:4] == ["run  lr  loss", "1    1   1", "2    2   0.5", "3    4   0.25 *"]
    assert run_kogine(tmp_path, "run", "t.py", "--sweep", "lr=1,2", "--json").stderr == ""


def test_results_of_skipped_runs_are_there(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("lr = 1\nprint('loss:', 1 / lr)\n")
    run_kogine(tmp_path, "run", "t.py", "--sweep", "lr=1,2")
    done = run_kogine(tmp_path, "run", "t.py", "--sweep", "lr=1,2", "--resume")
    assert "2    2   0.5 *" in done.stderr


def test_a_parameter_that_is_printed_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("lr = 1\nprint('lr:', lr, 'loss:', lr / 2)\n")
    done = run_kogine(tmp_path, "run", "t.py", "--sweep", "lr=1,2")
    assert "run  lr  loss\n1    1   0.5 *\n2    2   1\n" in done.stderr


def test_a_result_may_have_the_name_of_a_parameter(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("lr = 1\nprint('lr:', lr / 2)\n")
    done = run_kogine(tmp_path, "run", "t.py", "--sweep", "lr=1,2")
    assert "run  lr  lr (result)\n1    1   0.5\n2    2   1\n" in done.stderr
