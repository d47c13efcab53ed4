"""Comparing runs and watching a sweep in the browser: the numbers in the page are those of the files."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.exports.figure_runs import Files, read_files
from tests.oracle import on_path

if TYPE_CHECKING:
    from tests.web.browser import Page
    from tests.web.ui_server import UiServer

pytestmark = pytest.mark.browser


def drawn(page: Page, *names: str) -> dict[str, int]:
    """How often each figure was drawn; all of them have been."""

    def count(name: str) -> int:
        script = "return Number(document.getElementById(arguments[0])?.dataset.drawn ?? 0)"
        return page.wait(lambda: int(page.script(script, name)), name)

    return {name: count(name) for name in names}


def traces(page: Page, name: str) -> list[dict[str, Any]]:
    """What plotly shows."""
    script = """return document.getElementById(arguments[0]).data.map(
        ({x, y, ids, meta, name}) => ({x, y, ids, meta, name}))"""
    # The bar of colours is a trace without a point.
    return [one for one in page.script(script, name) if one["y"] and {*one["y"]} != {None}]


def shown(page: Page, server: UiServer, path: str) -> None:
    page.driver.get(server.entry)
    page.driver.get(f"{server.url}{path}")


@pytest.fixture(scope="module")
def files(project: Path) -> dict[str, Files]:
    found = read_files(project / ".kogine" / "runs")
    return {name: one for name, one in found.items() if "lr" in one.params}


FIGURES = ("curves", "parallel", "scatter", "box")


def test_a_comparison_shows_the_numbers_of_the_files(
    page: Page, server: UiServer, files: dict[str, Files]
) -> None:
    shown(page, server, "compare?where=script%20%3D%3D%20%22fit.py%22&goal=min:loss&by=lr")
    before = drawn(page, *FIGURES)
    done = {name: one for name, one in files.items() if one.status == "succeeded"}
    assert page.text("h1") == "Compare 30 runs"

    rows = page.table("#differences")
    assert len(rows) == 30
    ids = page.script(
        "return [...document.querySelectorAll('#differences tr[data-run]')].map((one) => one.dataset.run)"
    )
    for row, name in zip(rows, ids):
        own = files[name]
        assert (float(row["lr"]), int(row["bs"]), int(row["seed"])) == (
            own.params["lr"], own.params["bs"], own.params["seed"],
        )  # fmt: skip
        assert row["status"] == own.status
        if own.metrics:
            assert float(row["loss"]) == pytest.approx(own.metrics["loss"]["last"], rel=1e-5)

    lines = traces(page, "curves")
    assert {one["meta"] for one in lines} == {*done}
    for one in lines:
        assert (one["x"], one["y"]) == files[one["meta"]].series("loss")
    (points,) = traces(page, "scatter")
    drawn_runs = [files[name] for name in points["ids"]]
    assert points["x"] == [one.params["lr"] for one in drawn_runs]
    assert points["y"] == [one.metrics["loss"]["min"] for one in drawn_runs]
    boxes = traces(page, "box")
    assert [one["name"] for one in boxes] == ["0.1", "0.2", "0.3", "0.5", "0.9"]
    for one in boxes:
        numbers = [
            run.metrics["loss"]["min"]
            for run in done.values()
            if run.params["lr"] == float(one["name"])
        ]
        assert sorted(one["y"]) == sorted(numbers)
    titles = page.script(
        "return [...document.querySelectorAll('#parallel [data-run]')].map((one) => [one.dataset.run, one.textContent])"
    )
    assert {name for name, _ in titles} == {*done}
    assert all(
        text.endswith(f": {files[name].metrics['loss']['min']:.6g}") for name, text in titles
    )
    page.picture("compare", height=1900)

    # Another metric, smooth, another result: all of it is in the address, and the way back.
    address = page.driver.current_url
    page.script(
        "const one = document.getElementById('choose-goal'); one.value = 'max:val/acc'; one.dispatchEvent(new Event('change'))"
    )
    page.wait(lambda: drawn(page, "scatter")["scatter"] > before["scatter"], "the figure")
    (points,) = traces(page, "scatter")
    assert points["y"] == [files[name].metrics["val/acc"]["max"] for name in points["ids"]]
    lines = traces(page, "curves")
    assert lines[0]["y"] == files[lines[0]["meta"]].series("val/acc")[1]
    assert "goal=max%3Aval%2Facc" in page.driver.current_url
    page.driver.back()
    page.wait(
        lambda: (
            traces(page, "scatter")[0]["y"][0]
            == files[traces(page, "scatter")[0]["ids"][0]].metrics["loss"]["min"]
        ),
        "the way back",
    )
    assert page.driver.current_url == address
    shown(page, server, "compare?runs=1,2,3&smooth=0.5&log=1&sort=-lr")
    drawn(page, "curves")
    assert len(traces(page, "curves")) == 6  # smooth, and what it is made of
    assert page.text("h1") == "Compare 3 runs"
    assert page.barriers() == []


def test_a_comparison_that_is_refused_says_why(server: UiServer) -> None:
    for path, words in (
        ("/api/compare?where=lr%20%3E%20100", "no run fits"),
        ("/api/figures/pie?runs=1", "unknown figure 'pie'"),
        ("/api/figures/curves?runs=1&metric=los", "Did you mean 'loss'"),
        ("/api/figures/curves?runs=1&metric=loss&smooth=x", "a number from 0 to 0.99"),
        ("/api/sweeps/00000000", "no sweep '00000000'"),
    ):
        found = server.get(path)
        assert (found.status, words in found.json["error"]) == (400, True), found.json


WAITING = """\
import time
from pathlib import Path

lr = 0.1
for epoch in range(4):
    print(f"epoch: {epoch} loss: {lr / (epoch + 1):.4f}", flush=True)
while not Path(f"go {lr}").exists():
    time.sleep(0.02)
if lr > 0.6:
    raise ValueError(f"<script>alert('{lr}')</script> is too much")
"""


@pytest.fixture
def sweeping(tmp_path: Path) -> Iterator[tuple[UiServer, Path]]:
    """A server of a sweep of eight runs, two at a time, each of which waits for a file."""
    from tests.web.ui_server import ui_server

    (tmp_path / "waiting.py").write_text(WAITING)
    launcher = Path(__file__).parents[1] / "kogine_command.py"
    values = ",".join(f"{one / 10}" for one in range(1, 9))
    command = [
        sys.executable,
        str(launcher),
        "run",
        "waiting.py",
        "--sweep",
        f"lr={values}",
        "--workers",
        "2",
        "--on-error",
        "continue",
    ]
    with ui_server(tmp_path) as server:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={"PYTHONPATH": on_path(), "PATH": ""},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield server, tmp_path
        finally:
            process.kill()
            process.wait()


def test_a_sweep_is_watched_until_it_ends(page: Page, sweeping: tuple[UiServer, Path]) -> None:
    server, folder = sweeping
    flow = ""
    while not flow:
        rows = server.get("/api/runs?group=flow").json["rows"]
        flow = next((row["sweep"] for row in rows if row.get("sweep")), "")
        time.sleep(0.1)
    shown(page, server, f"sweeps/{flow}")

    def finished(text: str) -> None:
        page.wait(lambda: page.text("#progress b") == text, text)

    page.wait(lambda: len(page.table("#running")) == 2, "two runs at a time")
    finished("0 of 8 finished")
    assert page.table("#running")[0]["run"] == "lr=0.1"
    assert page.text("h1 + .status") == "running"
    for lr in (0.1, 0.2):
        (folder / f"go {lr}").touch()
    finished("2 of 8 finished")
    assert page.text("[data-fact=left]").startswith("left about ")
    page.wait(lambda: page.table("#best")[0]["least loss"] == "0.025", "the best so far")
    for lr in range(3, 9):
        (folder / f"go {lr / 10}").touch()
    finished("8 of 8 finished")
    page.wait(lambda: page.text("h1 + .status") == "ended", "the end")

    files = read_files(folder / ".kogine" / "runs")
    states = [one.status for one in files.values()]
    assert (
        page.text("#progress .states")
        == f"{states.count('succeeded')} succeeded, {states.count('failed')} failed"
    )
    best = sorted(
        (one.metrics["loss"]["min"], one.params["lr"])
        for one in files.values()
        if one.status == "succeeded"
    )
    rows = page.table("#best")
    assert [(float(row["least loss"]), float(row["lr"])) for row in rows] == best
    assert "2 runs ValueError: <script>alert('0.7')</script> is too much" in page.text("#failures")
    drawn(page, "best-so-far")
    each, line = traces(page, "best-so-far")
    assert [files[name].metrics["loss"]["min"] for name in each["ids"]] == each["y"]
    assert line["y"] == [min(each["y"][: at + 1]) for at in range(len(each["y"]))]
    assert page.barriers() == []
    page.picture("sweep")
    page.driver.get("about:blank")  # before its server ends
