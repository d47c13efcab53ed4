"""Pipelines and systems in the files of a project, drawn on demand; and the page of the caches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.oracle import run_kogine
from tests.web.browser import Page
from tests.web.ui_server import UiServer

pytestmark = pytest.mark.browser

TITLES = 'return [...document.querySelectorAll(".drawing text[font-weight=bold]")].map((one) => one.textContent)'
LIST = "table[aria-label='Pipelines and systems']"


def test_what_files_define_is_listed_and_drawn(view: Callable[[str], Page], project: Path) -> None:
    page = view("/systems")
    listed = [(one["name"], one["kind"], one["file"].partition(":")[0]) for one in page.table(LIST)]
    assert listed == [("pipeline", "pipeline", "flow.py"), ("robot", "system", "robot.py")]
    page.click(f"{LIST} a", "robot")
    page.wait(lambda: page.script(TITLES), "the drawing")
    words = run_kogine(project, "system", "graph", "robot.py").stdout
    assert page.text("pre.text") == words.strip()
    assert all(f"  {title} (" in words for title in page.script(TITLES))
    page.picture("system", docs="ui-system", height=780)
    page.click(f"{LIST} a", "pipeline")
    page.wait(lambda: page.script(TITLES) == ["load", "add", "show"], "the pipeline")
    page.driver.back()
    page.wait(lambda: "camera" in page.script(TITLES), "the system again")


def test_a_file_that_cannot_be_drawn_says_why(view: Callable[[str], Page], project: Path) -> None:
    (project / "bad.py").write_text(
        'from kohaku_ast import Pipeline\npipeline = Pipeline([])\nraise OSError("no <b>disk</b>")\n'
    )
    try:
        page = view("/systems?file=bad.py&name=pipeline")
        assert "OSError: no <b>disk</b>" in page.text(".problem")
        page.open(page.driver.current_url.replace("bad.py", "../bad.py"))
        assert "unknown pipeline or system '../bad.py:pipeline'" in page.text(".problem")
    finally:
        (project / "bad.py").unlink()
    assert [one for one in page.errors() if "400" not in one] == []


def test_the_caches_are_those_of_kogine_cache(
    view: Callable[[str], Page], server: UiServer, project: Path
) -> None:
    own = {"KOGINE_CACHE": str(project / ".programs")}
    run_kogine(project, "run", "fit.py", "lr=0.7", "--no-record", **own)
    page = view("/cache?sort=key&size=1000")
    listed = json.loads(run_kogine(project, "cache", "ls", "--json", **own).stdout)
    rows = page.table("table[aria-label='Files in the caches']")
    assert [one["key"] for one in rows] == sorted(one["key"][:10] for one in listed)
    total = next(
        one for one in page.table("table[aria-label=Caches]") if one["of"] == "Programs of scripts"
    )
    assert int(total["files"]) == len(listed)
    page.find("input[type=search]").send_keys("fit.py\n")
    page.wait(lambda: "find=fit.py" in page.driver.current_url, "the address")
    page.wait_until_shown()
    fits = [one for one in listed if "fit.py" in str(one["where"])]
    assert page.text(".pages").startswith(f"{len(fits)} files")
    page.driver.back()
    page.wait(lambda: page.text(".pages").startswith(f"{len(listed)} files"), "all files")


def test_why_a_run_would_be_left_out(view: Callable[[str], Page], project: Path) -> None:
    own = {"KOGINE_CACHE": str(project / ".programs")}
    page = view("/cache?why=1")
    assert "It would be left out" in page.text(".lead")
    page.picture("cache")
    page.open(page.driver.current_url.replace("why=1", "why=fit.py+lr%3D0.1+bs%3D99"))
    changes = json.loads(
        run_kogine(project, "cache", "why", "fit.py", "lr=0.1", "bs=99", "--json", **own).stdout
    )["changes"]
    shown = page.table("table[aria-label=Reasons]")
    assert [(one["part"], one["name"], one["before"], one["now"]) for one in shown] == [
        (one["part"], one["name"], one["before"] or "", one["now"] or "") for one in changes
    ]
    page.open(page.driver.current_url.replace("fit.py+lr%3D0.1+bs%3D99", "flow.py+n%3D4"))
    assert [one["node"] for one in page.table("table[aria-label=Reasons]")] == [
        "load",
        "add",
        "show",
    ]
