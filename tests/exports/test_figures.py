"""Figures hold the numbers of run.json and metrics.jsonl, and their SVG shows them at the right place."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ElementTree
from html import unescape
from typing import Any

import numpy as np
import pytest

from kohaku_ast.errors import UsageError
from kohaku_ast.exports import figures
from kohaku_ast.exports.figure_svg import figure_svg, linear_ticks, log_ticks, quartiles
from kohaku_ast.store.store import Runs, Store
from tests.exports.figure_runs import Files, read_files, run_sweep
from tests.store.made_runs import make_run, metric, override


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return run_sweep(tmp_path_factory.mktemp("sweep"))


@pytest.fixture(scope="module")
def files(store: Store) -> dict[str, Files]:
    return read_files(store.root)


@pytest.fixture
def runs(store: Store) -> Runs:
    return store.runs()[::-1]


def succeeded(files: dict[str, Files]) -> list[Files]:
    return [one for one in files.values() if one.status == "succeeded"]


def test_curves_are_the_lines_of_metrics_jsonl(runs: Runs, files: dict[str, Files]) -> None:
    figure = figures.curves(runs, "loss")
    assert len(figure["data"]) == 10
    for trace in figure["data"]:
        assert (trace["x"], trace["y"]) == files[trace["meta"]].series("loss")
    assert any(None in trace["y"] for trace in figure["data"])  # nan
    over_time = figures.curves(runs, "loss", over="time", log_y=True)
    one = over_time["data"][0]
    times = [point["time"] for point in files[one["meta"]].points]
    assert np.diff(one["x"]) == pytest.approx(np.diff(times), abs=1e-6)
    assert over_time["layout"]["yaxis"]["type"] == "log"
    json.dumps(over_time, allow_nan=False)


def test_a_bar_says_what_the_colours_of_many_lines_mean(tmp_path: Any) -> None:
    root = tmp_path / "store"
    for number in range(11):
        folder = make_run(root, number, metrics={"loss": metric(number)}, series="metrics.jsonl")
        (folder / "metrics.jsonl").write_text('{"time": 0, "step": 1, "metrics": {"loss": 1}}\n')
    *lines, bar = figures.curves(Store(root).runs()[::-1], "loss", goal="max:loss")["data"]
    assert bar["marker"]["colorbar"]["ticktext"] == ["0", "2", "5", "8", "10"]
    assert bar["marker"]["reversescale"] is True
    assert [lines[0]["line"]["color"], lines[10]["line"]["color"]] == ["#e0502f", "#3b78d8"]


def test_a_smooth_curve_is_the_weighted_mean_of_what_came_before() -> None:
    values = [1.0, 5.0, math.nan, 2.0, 4.0]
    found = figures.smoothed(values, 0.6)
    finite = [1.0, 5.0, 2.0, 4.0]
    weights = [[0.6 ** (at - other) for other in range(at + 1)] for at in range(4)]
    means = [float(np.average(finite[: at + 1], weights=weights[at])) for at in range(4)]
    assert [*found[:2], *found[3:]] == pytest.approx(means)
    assert math.isnan(found[2])


def test_a_smooth_curve_has_its_numbers_behind_it(runs: Runs, files: dict[str, Files]) -> None:
    figure = figures.curves(runs[:1], "acc", smoothing=0.5)
    faint, smooth = figure["data"]
    assert faint["y"] == files[faint["meta"]].series("acc")[1]
    assert smooth["y"][1] == pytest.approx((faint["y"][0] * 0.5 + faint["y"][1]) / 1.5)


def test_a_long_curve_keeps_its_ends_and_extremes(store: Store, tmp_path: Any) -> None:
    folder = make_run(
        tmp_path / "store", metrics={"loss": metric(0.5, -9, 7, 9000)}, series="metrics.jsonl"
    )
    numbers = [math.sin(at / 300) for at in range(9000)]
    numbers[4321], numbers[8000] = -9, 7
    lines = (
        json.dumps({"time": 0, "step": at, "metrics": {"loss": one}})
        for at, one in enumerate(numbers)
    )
    (folder / "metrics.jsonl").write_text("\n".join([*lines, ""]))
    (trace,) = figures.curves(Store(tmp_path / "store").runs(), "loss", most_points=50)["data"]
    assert len(trace["x"]) <= 50
    assert {0, 4321, 8000, 8999} <= set(trace["x"])
    assert all(numbers[at] == one for at, one in zip(trace["x"], trace["y"]))


def test_parallel_coordinates_are_the_values_and_the_result(
    runs: Runs, files: dict[str, Files]
) -> None:
    figure = figures.parallel(runs, "min:loss")
    (trace,) = figure["data"]
    lr, bs, optimizer, result = trace["dimensions"]
    assert [one["label"] for one in trace["dimensions"]] == ["lr", "bs", "optimizer", "least loss"]
    assert {*trace["ids"]} == {one.id for one in succeeded(files)}
    own = [files[name] for name in trace["ids"]]
    assert lr["values"] == [math.log10(one.params["lr"]) for one in own]
    assert dict(zip(lr["tickvals"], lr["ticktext"])) == {-2: "0.01", -1: "0.1", 0: "1"}
    assert bs["values"] == [one.params["bs"] for one in own]
    texts = [unescape(optimizer["ticktext"][place]) for place in optimizer["values"]]
    assert texts == [one.params["optimizer"] for one in own]
    assert result["values"] == [one.metrics["loss"]["min"] for one in own] == trace["line"]["color"]


def test_points_are_values_and_results(runs: Runs, files: dict[str, Files]) -> None:
    figure = figures.scatter(runs, "lr", "max:acc", colour="bs")
    (trace,) = figure["data"]
    own = [files[name] for name in trace["ids"]]
    assert len(own) == 10
    assert trace["x"] == [one.params["lr"] for one in own]
    assert trace["y"] == [one.metrics["acc"]["max"] for one in own]
    assert trace["marker"]["color"] == [one.params["bs"] for one in own]
    assert figure["layout"]["xaxis"]["type"] == "log"
    texts = figures.scatter(runs, "optimizer", "loss")["data"][0]["x"]
    # plotly reads tags in texts.
    assert {*texts} == {"sgd", "&lt;script>alert(1)&lt;/script>"}


def test_a_parameter_may_be_called_as_a_field(tmp_path: Any) -> None:
    for number in range(4):
        label = override("label", f"own {number % 2}")
        make_run(
            tmp_path, number, label="theirs", metrics={"loss": metric(number)}, overrides=[label]
        )
    runs = Store(tmp_path).runs()[::-1]
    *_, axis = figures.parallel(runs, "min:loss")["data"][0]["dimensions"][:1]
    assert (axis["label"], axis["ticktext"]) == ("params.label", ["own 0", "own 1"])
    runs.report(tmp_path / "r.html")
    html = (tmp_path / "r.html").read_text()
    assert "params.label (2 values)" in html
    assert "least loss by params.label" in html


def test_boxes_are_the_results_of_groups(runs: Runs, files: dict[str, Files]) -> None:
    figure = figures.box(runs, "lr", "loss")
    assert [trace["name"] for trace in figure["data"]] == ["0.01", "0.1", "1"]
    for trace in figure["data"]:
        own = [one for one in succeeded(files) if f"{one.params['lr']:g}" == trace["name"]]
        assert {*trace["ids"]} == {one.id for one in own}
        assert sorted(trace["y"]) == sorted(one.metrics["loss"]["last"] for one in own)


def test_the_points_beside_many_boxes_are_those_far_away(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dots() -> int:
        return figure_svg(figures.box(runs, "optimizer", "acc"), "boxes").count("<circle")

    assert dots() == 10
    monkeypatch.setattr(figures, "_MOST_DOTS", 9)
    assert dots() == 0


def test_the_best_so_far(runs: Runs, files: dict[str, Files]) -> None:
    figure = figures.best_so_far(runs, "max:acc")
    each, best = figure["data"]
    assert each["y"] == [files[name].metrics["acc"]["max"] for name in each["ids"]]
    assert best["y"] == [max(each["y"][: at + 1]) for at in range(10)]
    assert figure_svg(figure, "best").count("<circle") == 10


@pytest.mark.parametrize(
    "values", [[3.0], [1.0, 2.0], [5.0, 1.0, 4.0], [1.0, 9.0, 2.0, 2.5, 7.0, 3.0]]
)
def test_quartiles_are_those_of_plotly(values: list[float]) -> None:
    assert quartiles(values) == pytest.approx(
        np.quantile(values, [0.25, 0.5, 0.75], method="hazen")
    )


def test_a_failed_run_counts_if_any_status_does(tmp_path: Any) -> None:
    for number, status in enumerate(("succeeded", "failed", "running")):
        make_run(
            tmp_path,
            number,
            status=status,
            metrics={"loss": metric(number)},
            overrides=[override("lr", number)],
        )
    runs = Store(tmp_path).runs()[::-1]
    assert figures.scatter(runs, "lr", "loss")["data"][0]["y"] == [0]
    assert figures.scatter(runs, "lr", "loss", any_status=True)["data"][0]["y"] == [0, 1, 2]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        pytest.param(lambda runs: figures.curves(runs, "los"), "Did you mean 'loss'", id="metric"),
        pytest.param(lambda runs: figures.curves(runs, "loss", over="hour"), "'hour'", id="axis"),
        pytest.param(lambda runs: figures.curves(runs, "loss", smoothing=1), "from 0 to 0.99", id="smoothing"),
        pytest.param(lambda runs: figures.box(runs, "bx", "loss"), "no run has 'bx'", id="name"),
        pytest.param(lambda runs: figures.parallel(runs, "min:x"), "no run has 'x'", id="goal"),
    ],
)  # fmt: skip
def test_wrong_arguments(runs: Runs, draw: Any, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        draw(runs)


@pytest.mark.parametrize(
    ("names", "goal"),
    [
        (["epoch", "loss", "acc"], "min:loss"),
        (["train_loss", "val_acc"], "max:val_acc"),
        (["speed"], "min:speed"),
        (["epoch"], ""),
    ],
)
def test_the_number_that_a_reader_expects(tmp_path: Any, names: list[str], goal: str) -> None:
    make_run(tmp_path, metrics={name: metric(1.0) for name in names})
    assert figures.default_goal(Store(tmp_path).runs()) == goal


# --- SVG -----------------------------------------------------------------------------------------

SVG = "{http://www.w3.org/2000/svg}"


def tick_places(root: Any, is_x: bool) -> dict[float, float]:
    """The number of each tick -> its place in pixels."""
    found = {}
    for text in root.iter(f"{SVG}text"):
        is_end = text.get("text-anchor") == "end"
        if is_end is not is_x and re.fullmatch(r"-?[\d.]+(e-?\d+)?", text.text):
            found[float(text.text)] = float(text.get("x")) if is_x else float(text.get("y")) - 4
    return found


def test_a_point_is_where_the_axes_say(runs: Runs, files: dict[str, Files]) -> None:
    figure = figures.scatter(runs, "lr", "min:loss")
    root = ElementTree.fromstring(figure_svg(figure, "loss & <lr>"))
    assert root.get("aria-label") == "loss & <lr>"
    across, up = tick_places(root, True), tick_places(root, False)
    assert {0.01, 0.1, 1.0} <= set(across)
    slope = np.polyfit([*up.values()], [*up], 1)
    circles = [*root.iter(f"{SVG}circle")]
    assert len(circles) == 10
    for circle, name in zip(circles, figure["data"][0]["ids"]):
        assert float(circle.attrib["cx"]) == pytest.approx(
            across[files[name].params["lr"]], abs=0.2
        )
        shown = np.polyval(slope, float(circle.attrib["cy"]))
        assert shown == pytest.approx(files[name].metrics["loss"]["min"], abs=0.005)


def test_a_line_has_a_gap_where_the_number_is_nan(runs: Runs) -> None:
    figure = figures.curves(runs, "loss")
    root = ElementTree.fromstring(figure_svg(figure, "loss"))
    lines = [
        one.attrib["d"] for one in root.iter(f"{SVG}path") if one.find(f"{SVG}title") is not None
    ]
    assert [one.count("M") - 1 for one in lines] == [
        trace["y"].count(None) for trace in figure["data"]
    ]


def test_every_figure_is_well_formed_and_harmless(runs: Runs) -> None:
    drawn = [
        figures.parallel(runs, "min:loss"), figures.box(runs, "optimizer", "loss"),
        figures.curves(runs[:0].chosen([runs.summaries[1]]), "loss", log_y=True),
        figures.scatter(runs, "optimizer", "loss", colour="optimizer"),
    ]  # fmt: skip
    for figure in drawn:
        text = figure_svg(figure, "a figure")
        tags = {one.tag.removeprefix(SVG) for one in ElementTree.fromstring(text).iter()}
        assert tags <= {"svg", "g", "path", "circle", "text", "title"}
        assert "nan" not in text


def test_ticks_are_round_numbers() -> None:
    assert [text for _, text in linear_ticks(0.07, 0.92)] == ["0.2", "0.4", "0.6", "0.8"]
    assert [text for _, text in linear_ticks(-3e6, 1e6)] == [
        "-3e+06",
        "-2e+06",
        "-1e+06",
        "0",
        "1e+06",
    ]
    assert [text for _, text in log_ticks(-4, 0)] == ["0.0001", "0.001", "0.01", "0.1", "1"]
