"""A sweep is started, and its page is watched until it ends; what happens to the store meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from tests.oracle import run_kogine
from tests.web.browser import Page
from tests.web.conftest import made_project
from tests.web.ui_server import UiServer, started, ui_server

pytestmark = pytest.mark.browser

TRAIN = """\
import os, time
from kohaku_ast.helpers import logger

i = 0
print("begun", i, flush=True)
while not os.path.exists(f"go{i}"):
    time.sleep(0.01)
logger.log({"loss": i / 10})
"""
ROWS = "table.grid"


@pytest.fixture
def watched(page: Page, tmp_path: Path) -> Iterator[tuple[Page, UiServer, Path]]:
    """A server of an empty project, its page, and the folder."""
    with ui_server(tmp_path) as server:
        page.sign_in(server)
        yield page, server, tmp_path
        page.leave()


def records(folder: Path) -> list[dict[str, Any]]:
    paths = sorted((folder / ".kogine" / "runs").glob("*/run.json"))
    return [json.loads(one.read_text()) for one in paths]


def states(page: Page) -> str:
    """``2 succeeded 1 running``, as the page counts them."""
    return " ".join(one.text for one in page.all(".chips .status"))


def test_a_sweep_is_watched_until_it_ends(watched: tuple[Page, UiServer, Path]) -> None:
    page, _, folder = watched
    (folder / "train.py").write_text(TRAIN)
    assert "No runs yet" in page.text(".empty")
    with started(folder, "run", "train.py", "--sweep", "i=0,1,2,3,4,5") as sweep:
        page.wait(lambda: states(page) == "1 running", "the first run")
        page.picture("sweep-running")
        for number in range(6):
            (folder / f"go{number}").touch()
            page.wait(lambda: f"{number + 1} succeeded" in states(page), f"run {number}")  # noqa: B023
        assert sweep.wait(60) == 0
    page.wait(lambda: states(page) == "6 succeeded", "the end")
    expected = {
        str(at): str(one["metrics"]["loss"]["last"]) for at, one in enumerate(records(folder), 1)
    }
    page.wait(
        lambda: {one["#"]: one["loss"] for one in page.table(ROWS)} == {**expected, "1": "0"},
        "the numbers",
    )
    chosen_by_query(page)
    opened_and_left(page, folder)


def chosen_by_query(page: Page) -> None:
    """Filter and sort; the address has both, and the back button takes each back."""

    def numbers() -> list[str]:
        return [one["#"] for one in page.table(ROWS)]

    assert numbers() == ["6", "5", "4", "3", "2", "1"]
    page.find("input.query").send_keys("loss > 0.25", Keys.ENTER)
    page.wait(lambda: numbers() == ["6", "5", "4"], "the filter")
    page.click("th button", "loss")
    page.wait(lambda: numbers() == ["4", "5", "6"], "the order")
    assert "where=loss+%3E+0.25&sort=last%3Aloss" in page.driver.current_url
    page.driver.refresh()
    page.wait(lambda: numbers() == ["4", "5", "6"], "the same view")
    page.find("input.query").send_keys(" and <img src=x onerror=alert(1)>", Keys.ENTER)
    page.wait_for(".problem", "<img src=x onerror=alert(1)>")
    assert [one for one in page.errors() if "400" not in one] == []
    page.driver.back()
    page.wait(lambda: not page.all(".problem") and numbers() == ["4", "5", "6"], "the view before")
    page.driver.back()
    page.wait(lambda: numbers() == ["6", "5", "4"], "without an order")
    page.driver.back()
    page.wait(lambda: numbers() == ["6", "5", "4", "3", "2", "1"], "all runs")


def opened_and_left(page: Page, folder: Path) -> None:
    """The page of a run has its log and values; back leads to the table."""
    page.click(f"{ROWS} td a", "3")
    page.wait_for("h1", "i=2")
    record = records(folder)[2]
    assert record["params"]["i"] == {"json": 2}
    assert page.text("#values td").startswith("2")
    page.click(".tabs a", "Log")
    page.wait_for("pre.log", "begun 2")
    page.driver.back()
    page.driver.back()
    page.wait(lambda: page.all(ROWS), "the table")


def test_runs_and_stores_that_go_while_they_are_shown(
    watched: tuple[Page, UiServer, Path],
) -> None:
    page, server, folder = watched
    root = made_project(folder, 30) / ".kogine" / "runs"
    page.wait(lambda: page.all(f"{ROWS} tbody tr"), "the runs")
    assert run_kogine(folder, "runs", "rm", "30", "29").status == 0
    page.wait(lambda: "28 runs" in page.text("#count"), "two less")
    page.click(f"{ROWS} td a", "28")
    page.wait(lambda: page.all("#values"), "the page of a run")
    (folder / ".kogine").rename(folder / "gone")
    page.wait(lambda: "no run" in page.text(".problem, .empty"), "the run is gone")
    page.open(server.url)
    page.wait_for(".empty", "No runs yet")
    (folder / "gone").rename(folder / ".kogine")
    page.wait(lambda: "28 runs" in page.text("#count"), "all again")
    newest = max(root.glob("2*"))
    (newest / "run.json").write_text('{"schema": 1, "status": ')
    page.wait(lambda: "27 runs" in page.text("#count"), "one is damaged")
    assert [one for one in page.errors() if "400" not in one] == []


def test_two_tabs_show_the_same_and_ctrl_c_ends_the_server(page: Page, tmp_path: Path) -> None:
    made_project(tmp_path, 5)
    with ui_server(tmp_path) as server:
        page.sign_in(server)
        first = page.driver.current_window_handle
        page.driver.switch_to.new_window("window")
        try:
            page.open(f"{server.url}runs/5")
            page.click("button", "Add a note")
            page.find("dialog textarea, dialog input").send_keys("a <b>note</b>")
            page.click("dialog button[type=submit]")
            page.wait_for(".note", "a <b>note</b>")
        finally:
            page.driver.close()
            page.driver.switch_to.window(first)
        page.wait(lambda: page.all("tr[title='a <b>note</b>']"), "the note, in the first window")
        assert page.text("#live") == "live"
        assert server.interrupt() in (0, 130, -2)  # of a shell: 130
        page.wait(lambda: page.text("#live") == "not live", "the end")
        page.leave()
    page.errors()
