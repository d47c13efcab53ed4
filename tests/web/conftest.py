"""One Chromium and one server for all tests of a process; stores with real and with made runs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.oracle import run_kogine

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from tests.web.browser import Page
    from tests.web.ui_server import UiServer

# All workers of all suites read all test modules; `make browser` installs what these import.
_OF_BROWSER = re.compile(r"^from (selenium|tests\.web\.browser)\b", re.MULTILINE)
collect_ignore = [
    file.name
    for file in Path(__file__).parent.glob("test_*.py")
    if find_spec("selenium") is None and _OF_BROWSER.search(file.read_text())
]

FIT = """\
import sys
from kohaku_ast.helpers import logger

lr = 0.1
bs = 16
seed = 0


def main():
    if lr == 0.9 and bs == 64:
        raise FloatingPointError("the loss is <b>nan</b>")
    for epoch in range(20):
        loss = (lr - 0.2) ** 2 + 1 / (bs + epoch) + seed / 1000
        logger.log({"loss": loss, "val": {"acc": epoch / 20 - lr / 10}})
    print(f"lr {lr}, bs {bs}, seed {seed}: loss {loss:.4f}")
    print("a warning", file=sys.stderr)


if __name__ == "__main__":
    main()
"""
ROBOT = Path(__file__).parents[2] / "docs" / "examples" / "systems" / "robot.py"
SWEEP = ("--sweep", "lr=0.1,0.2,0.3,0.5,0.9", "--sweep", "bs=16,32,64", "--sweep", "seed=0,1")
FLOW = """\
from kohaku_ast import Pipeline, node


@node(output_name="rows")
def load(n: int = 4) -> list:
    print("loading", n, "rows")
    return [n] * n


@node(output_name="total")
def add(rows: list, scale: float = 1.0) -> float:
    print("adding")
    return sum(rows) * scale


@node(output_name="text")
def show(total: float) -> str:
    return f"{10 / (total - 16)}"


pipeline = Pipeline([load, add, show], name="sums")
"""


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sweep of 30 runs, two of which have failed, and runs of a pipeline."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "fit.py").write_text(FIT)
    (folder / "flow.py").write_text(FLOW)
    swept = run_kogine(folder, "run", "fit.py", *SWEEP)
    assert swept.status == 1, swept  # two have failed
    (folder / "robot.py").write_text(ROBOT.read_text())
    run_kogine(folder, "pipeline", "run", "flow.py", "n=3")
    run_kogine(folder, "pipeline", "run", "flow.py", "n=4")  # ends in a division by zero
    return folder


@pytest.fixture(scope="session")
def server(project: Path) -> Iterator[UiServer]:
    """``kogine ui`` of the project."""
    from tests.web.ui_server import ui_server

    with ui_server(project) as found:
        yield found


@pytest.fixture
def view(page: Page, server: UiServer) -> Callable[[str], Page]:
    """Opens an address of the server, such as ``/cache``, as its user."""

    def open_(address: str) -> Page:
        page.sign_in(server)
        page.open(server.url.rstrip("/") + address)
        return page

    return open_


@pytest.fixture(scope="session")
def driver() -> Iterator[Chrome]:
    from tests.web.browser import started

    with started() as found:
        yield found


@pytest.fixture
def page(driver: Chrome, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page in the browser; a test that fails leaves a picture, and one that leaves errors in
    the console fails.
    """
    from tests.web.browser import Page

    found = Page(driver)
    driver.get("about:blank")
    found.errors()
    failed = request.session.testsfailed
    yield found
    if request.session.testsfailed > failed:
        found.picture("failed-" + re.sub(r"\W+", "-", request.node.name)[:80])
    # A browser notes each refused request; what a page makes of it is for the tests to say.
    assert [one for one in found.errors() if "status of 400" not in one] == []


def made_project(folder: Path, count: int) -> Path:
    """*folder* with so many made runs, each with values, a metric and a log."""
    from tests.store.made_runs import make_run, metric, override

    root = folder / ".kogine" / "runs"
    for number in range(count):
        lr, loss = round(0.001 * (number % 97), 3), number % 1013 / 1000
        made = make_run(
            root, number, label=f"lr={lr}", overrides=[override("lr", lr), override("seed", number)],
            metrics={"loss": metric(loss)}, status="failed" if number % 10 == 9 else "succeeded",
            flow={"pid": number // 100, "start": "0:1"}, index=number % 100, log="log.txt",
        )  # fmt: skip
        (made / "log.txt").write_text(f"run {number}\n")
    return folder


@pytest.fixture(scope="session")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 1,000 made runs."""
    return made_project(tmp_path_factory.mktemp("thousand"), 1000)


os.environ.setdefault("SE_AVOID_STATS", "true")
