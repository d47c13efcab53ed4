"""The series of metrics of a run: steps, summaries, and what is left of them after a kill."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.store.metrics import MetricSeries, join_parts, read_series, summarise, summarise_log
from tests.oracle import run_kogine


def series_of(*lines: str) -> MetricSeries:
    series = MetricSeries()
    for number, line in enumerate(lines):
        series.add_line(line.encode(), float(number))
    return series


def points_of(series: MetricSeries, folder: Path) -> list[tuple[object, dict[str, float]]]:
    """Step and numbers of each point, as they are read from the file."""
    file = folder / "metrics.jsonl"
    file.write_bytes(series.take_points())
    return [(point["step"], point["metrics"]) for point in read_series(file)]


@pytest.mark.parametrize(
    ("lines", "steps"),
    [
        pytest.param(("loss: 3", "loss: 2", "loss: 1"), [0, 1, 2], id="without steps: counted"),
        pytest.param(("step 10: loss=3", "step 20: loss=2"), [10, 20], id="in the line"),
        pytest.param(("epoch 1/2 | loss: 3", "acc: 1"), [1, 1], id="that of the line before"),
        pytest.param(("Epoch 1/2", "loss: 3", "Epoch 2/2", "loss: 2"), [1, 2], id="a line alone"),
        pytest.param(("=== Epoch 7 ===", "loss: 3"), [7], id="a line alone, with rules"),
        pytest.param(("epoch 2, step 31, loss=1",), [31], id="step before epoch"),
        pytest.param(("{'loss': 0.1, 'epoch': 1.5}",), [1.5], id="in a dict"),
        pytest.param(("train/global_step: 8, loss: 1",), [8], id="with a path"),
        pytest.param(("Steps are fun", "loss: 3"), [0], id="a sentence is no step"),
        pytest.param(("step: nan, loss: 3",), [0], id="nan is no step"),
    ],
)
def test_steps(lines: tuple[str, ...], steps: list[float], tmp_path: Path) -> None:
    assert [step for step, _ in points_of(series_of(*lines), tmp_path)] == steps


def test_summary() -> None:
    series = series_of("loss: 3", "loss: 1", "loss: 2", "acc=0.5")
    assert series.summary == {
        "loss": {"last": 2, "min": 1, "max": 3, "count": 3, "step": 2},
        "acc": {"last": 0.5, "min": 0.5, "max": 0.5, "count": 1, "step": 0},
    }
    assert series.fields() == {"metrics": series.summary}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param(["a0 a1 a2", "a2 a3"], "a0 a1 a2 a3", id="back to the checkpoint"),
        pytest.param(["a0 a1", "a2"], "a0 a1 a2", id="it goes on"),
        pytest.param(["a0 a1 b0", "a0"], "a0", id="it begins anew: nothing of the first part"),
        pytest.param(["a0 b0 a1", "a1"], "a0 b0 a1", id="a metric that only the first part has"),
        pytest.param(["a0 p0 a1", "p0 a2"], "a0 a1 p0 a2", id="a number printed at each start"),
        pytest.param(["a0 a1", ""], "a0 a1", id="it ends before it prints anything"),
        pytest.param(["", "a1"], "a1", id="the first part has printed nothing"),
        pytest.param(["a0 a3", "a1 a2", "a2 a3"], "a0 a1 a2 a3", id="three parts"),
        pytest.param(["a0 a1 a2", "a0 a1 a2 a3"], "a0 a1 a2 a3", id="joined before"),
    ],
)
def test_the_parts_of_a_run_are_one_series(parts: list[str], expected: str) -> None:
    def points(text: str) -> list[dict[str, Any]]:
        return [{"step": int(one[1]), "metrics": {one[0]: 1}} for one in text.split()]

    assert join_parts(map(points, parts)) == points(expected)


def test_numbers_that_json_has_not(tmp_path: Path) -> None:
    series = series_of("loss: nan", "loss: inf", "loss: -inf")
    assert series.fields()["metrics"] == {
        "loss": {"last": "-inf", "min": "-inf", "max": "inf", "count": 3, "step": 2}
    }
    values = [numbers["loss"] for _, numbers in points_of(series, tmp_path)]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]
    assert series_of("loss: nan").summary["loss"]["min"] is None


def test_points_are_taken_once() -> None:
    series = series_of("loss: 1")
    assert series.take_points().count(b"\n") == 1
    assert series.take_points() == b""


def test_a_series_without_its_end_is_read_to_the_last_whole_line(tmp_path: Path) -> None:
    file = tmp_path / "metrics.jsonl"
    whole = series_of("loss: 1", "loss: 2").take_points()
    file.write_bytes(whole[:-5])
    assert summarise(file)["loss"] == {"last": 1, "min": 1, "max": 1, "count": 1, "step": 0}
    assert list(read_series(tmp_path / "none")) == []
    file.write_bytes(b'[]\n{"time": 0}\n{"time": 0, "step": 1, "metrics": {"a": "?"}}\n\xff\n')
    assert list(read_series(file)) == []


def test_endless_names_are_limited_and_noted() -> None:
    series = series_of(*(f"user_{number}: 1" for number in range(3000)))
    series.add_line(b"user_1: 5", 0.0)
    assert len(series.summary) == 1000
    assert series.summary["user_1"]["last"] == 5
    assert series.fields()["metrics_incomplete"] is True


def test_a_log_that_nobody_has_read(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"text\nepoch 1/2 | loss: 2\r\nepoch 2/2 | loss: 1\n\xff\xfe")
    assert summarise_log(log)["loss"] == {"last": 1, "min": 1, "max": 2, "count": 2, "step": 2}
    assert summarise_log(tmp_path / "none") == {}


@pytest.mark.parametrize("words", [["--workers", "2"], ["--mode", "inline"]])
def test_metrics_that_are_left_out_are_told(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("x = 0\nfor n in range(1200 * x):\n    print(f'user_{n}: 1')\n")
    done = run_kogine(tmp_path, "run", "t.py", "--sweep", "x=0,1", *words)
    assert done.status == 0
    assert done.stderr.count("metrics of [") == 1
    assert "metrics of [2/2] x=1: not all are kept" in done.stderr
    assert "(incomplete)" in run_kogine(tmp_path, "runs", "show", "2").stdout
    assert "(incomplete)" not in run_kogine(tmp_path, "runs", "show", "1").stdout
