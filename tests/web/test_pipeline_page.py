"""The page of a pipeline's run: the drawing, the states, and what nodes have printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.web.browser import Page
from tests.web.ui_server import started, ui_server

pytestmark = pytest.mark.browser

BOXES = """
return [...document.querySelectorAll(".drawing a")].map((box) => ({
  title: box.querySelector("text").textContent,
  words: [...box.querySelectorAll(":scope > text")].map((one) => one.textContent).join(" "),
  fill: box.querySelector("rect").getAttribute("fill"),
  address: box.getAttribute("href"),
}));
"""


def last_run(project: Path) -> tuple[str, dict[str, Any]]:
    """The address of the page of the pipeline's last run, and its record."""
    paths = sorted((project / ".kogine" / "runs").glob("*/run.json"))
    found = {one.parent.name: json.loads(one.read_text()) for one in paths}
    name, record = [pair for pair in found.items() if pair[1].get("kind") == "pipeline"][-1]
    return f"/pipelines/{name}", record


def test_the_page_has_what_the_record_says(view: Callable[[str], Page], project: Path) -> None:
    address, record = last_run(project)
    page = view(address)
    assert page.text("h1") == "sums"
    assert "inputs n=4" in page.text(".facts")
    rows = page.table("table[aria-label=Nodes]")
    assert [(one["node"], one["kind"], one["state"]) for one in rows] == [
        (one["name"], one["kind"], one["status"]) for one in record["nodes"]
    ]
    boxes = page.script(BOXES)
    assert [one["title"] for one in boxes] == ["load", "add", "show"]
    assert [one["fill"] for one in boxes] == ["#2da44e", "#2da44e", "#e5484d"]
    assert "failed" in boxes[2]["words"]
    assert record["error"]["message"] in page.text(".problem")
    assert "loading 4 rows\nadding" in page.text("pre.log")


def test_a_node_is_chosen_in_the_drawing_and_the_back_button_takes_it_back(
    view: Callable[[str], Page], project: Path
) -> None:
    address, record = last_run(project)
    page = view(address)
    page.find(".drawing a:nth-of-type(2)").click()
    page.wait(lambda: page.script(PAIRS), "the node")
    assert page.script("return location.search") == "?node=add"
    sheet = dict(page.script(PAIRS))
    assert sheet["gives total"] == record["nodes"][1]["results"]["total"]
    page.click("table[aria-label=Nodes] a", "show")
    page.wait(
        lambda: "float division by zero" in dict(page.script(PAIRS)).get("error", ""), "error"
    )
    page.picture("pipeline-node", docs="ui-pipeline", height=740)
    page.driver.back()
    page.wait(lambda: "gives total" in dict(page.script(PAIRS)), "the node before")
    page.driver.back()
    page.wait(lambda: not page.script(PAIRS), "no node")
    assert page.script("return location.search") == ""


PAIRS = """
return [...document.querySelectorAll(".stack .stack:not([hidden]) .sheet tr")].map((row) =>
  [row.cells[0].textContent, row.cells[1].textContent]);
"""

SLOW = """\
import os, time
from kohaku_ast import Pipeline, node


def wait_for(name):
    while not os.path.exists(name):
        time.sleep(0.02)


@node(output_name="rows")
def load(n: int = 4) -> int:
    print("loaded", flush=True)
    wait_for("go1")
    return n


@node(output_name="total")
def add(rows: int) -> int:
    wait_for("go2")
    return rows


pipeline = Pipeline([load, add], name="slow")
"""


def test_states_are_live(page: Page, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)

    def states() -> list[str]:
        return [one["state"] for one in page.table("table[aria-label=Nodes]")]

    slow = started(tmp_path, "pipeline", "run", "slow.py")
    with ui_server(tmp_path) as server, slow as run:
        root = tmp_path / ".kogine" / "runs"
        page.wait(lambda: [*root.glob("*/run.json")], "the record")
        page.sign_in(server)
        page.open(f"{server.url}pipelines/last")
        page.wait(lambda: states() == ["running", "waiting"], "the first node")
        page.wait_for("pre.log", "loaded")
        (tmp_path / "go1").touch()
        page.wait(lambda: states() == ["succeeded", "running"], "the second node")
        (tmp_path / "go2").touch()
        assert run.wait(60) == 0
        page.wait(lambda: states() == ["succeeded", "succeeded"], "the end")
        page.wait_for(".title", "succeeded")
        page.leave()


def test_what_is_no_run_of_a_pipeline_says_so(view: Callable[[str], Page]) -> None:
    page = view("/pipelines/1")
    assert "is a run of a script, not of a pipeline" in page.text(".problem")
    assert [one for one in page.errors() if "400" not in one] == []
