"""The runs table and the page of a run in a browser: their numbers are those of run.json, and their
actions do what the commands do.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from kohaku_ast.store.store import Store
from tests.oracle import on_path, run_kogine
from tests.web.ui_server import UiServer, ui_server

if TYPE_CHECKING:
    from tests.web.browser import Page

pytestmark = pytest.mark.browser

RUNS = Path(".kogine", "runs")
SLOW = """\
import os, time

lr = 0.1


def main():
    for step in range(1000):
        print(f"step {step} loss={lr * step}", flush=True)
        while step == 3 and not os.path.exists(f"go {lr}"):
            time.sleep(0.02)
        if step == 5:
            return
        if lr == 0.7 and step == 4:
            raise SystemExit("<img src=x onerror=alert(1)>")


if __name__ == "__main__":
    main()
"""


@contextmanager
def opened(page: Page, folder: Path) -> Iterator[UiServer]:
    """A server of its own for *folder*, whose first page is open."""
    with ui_server(folder) as server:
        page.open(server.entry)
        yield server
        page.driver.get("about:blank")  # or it would miss the server's events


@pytest.fixture
def project_of_its_own(project: Path, tmp_path: Path) -> Path:
    """A copy of the project, which a test may change."""
    return Path(shutil.copytree(project, tmp_path / "own <b>project</b>"))


def facts_of(project: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project / RUNS / name / "run.json").read_bytes())
    return found


def shown_rows(page: Page) -> list[dict[str, str]]:
    page.wait_until_shown()
    return page.table("table.grid")


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ("", []),
        ("where=lr > 0.2 and status == 'succeeded'&sort=-loss", ["--where", "lr > 0.2 and status == 'succeeded'", "--sort", "-loss"]),
        ("columns=number,lr,loss,spark:loss&sort=loss", ["--columns", "number,lr,loss", "--sort", "loss"]),
        ("where=lr == 77&columns=lr", ["--where", "lr == 77", "--columns", "lr"]),
    ],
    ids=["all", "filtered and sorted", "columns", "no run fits"],
)  # fmt: skip
def test_the_csv_is_that_of_runs_ls(
    page: Page, server: UiServer, project: Path, view: str, words: list[str]
) -> None:
    page.sign_in(server)
    page.open(f"{server.url}?{view}")
    link = page.find("#csv").get_attribute("href")
    address = str(link).replace(server.url, "/")
    found = server.get(address)
    assert found.headers["content-disposition"] == 'attachment; filename="runs.csv"'
    printed = run_kogine(project, "runs", "ls", "--format", "csv", *words)
    assert found.body.decode() == printed.stdout
    assert server.ask("GET", address).status in (401, 403), "only for who has opened the URL"


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.driver.current_url).query)


def type_filter(page: Page, text: str) -> None:
    box = page.find("input.query")
    box.clear()
    box.send_keys(text + "\n")
    page.wait(lambda: query(page).get("where", [""]) == [text], "the filter in the address")


def test_rows_columns_order_and_groups_are_those_of_the_records(
    page: Page, server: UiServer, project: Path
) -> None:
    page.open(server.entry)
    assert "token" not in page.driver.current_url
    rows, store = shown_rows(page), Store(project / RUNS)
    every = store.runs()
    assert [int(row["#"]) for row in rows] == [one.number for one in every.summaries]
    assert [row["status"] for row in rows] == [one.status for one in every.summaries]
    for row, record in zip(rows, every):
        metrics = facts_of(project, record.folder.name)["metrics"]
        wanted = f"{metrics['loss']['last']:.6g}" if "loss" in metrics else ""
        assert row["loss"] == wanted

    where = "lr > 0.2 and bs == 16"
    type_filter(page, where)
    fitting = store.runs(where)
    assert [int(row["#"]) for row in shown_rows(page)] == [one.number for one in fitting.summaries]
    assert page.text("#count") == f"{len(fitting)} of {len(every)} runs"
    page.click("thead button", "loss")
    page.wait(lambda: query(page).get("sort") is not None, "the order in the address")
    (sort,) = query(page)["sort"]
    by_loss = store.runs(where, sort=sort).summaries
    page.wait(
        lambda: [int(row["#"]) for row in shown_rows(page)] == [o.number for o in by_loss], ""
    )
    assert page.find("th[aria-sort=ascending]").text == "loss"

    page.click("#choose")
    for name in ("bs", "min:loss", "spark:loss"):
        page.click(f"dialog input[value='{name}']")
    page.click("dialog button[type=submit]")
    page.wait(lambda: "min:loss" in page.text("thead"), "the column")
    own = [facts_of(project, one.id) for one in by_loss]
    assert [row["min:loss"] for row in shown_rows(page)] == [
        f"{one['metrics']['loss']['min']:.6g}" for one in own
    ]
    assert [row["seed"] for row in shown_rows(page)] == [
        str(one["params"]["seed"]["json"]) for one in own
    ]
    assert len(page.all("svg.curve path")) == len(own)
    assert page.find("th[aria-sort=ascending]").text == "loss"
    page.picture("runs-columns")

    page.driver.back()
    page.wait(lambda: "min:loss" not in page.text("thead"), "the columns before")
    page.driver.back()
    page.driver.back()
    page.wait(lambda: len(shown_rows(page)) == len(every), "all runs")

    page.open(f"{server.url}?group=lr&columns=loss&where=kind == 'script'")
    means = store.runs("kind == 'script'").compare(by="lr", metric="loss")
    found = {row["lr"]: row["loss mean"] for row in page.table("table.grid")}
    assert found == {str(row["lr"]): f"{row['loss mean']:.6g}" for row in means}
    assert page.errors() == []


def test_sweeps_and_states_lead_to_their_runs(page: Page, server: UiServer, project: Path) -> None:
    page.open(server.entry)
    page.click("#top nav a", "Sweeps")
    page.wait(lambda: "states" in page.text("thead"), "the sweeps")
    (sweep,) = [row for row in shown_rows(page) if row["runs"] == "30"]
    assert (sweep["states"], sweep["varied"]) == ("28 succeeded, 2 failed", "lr, bs, seed")
    page.picture("sweeps")
    page.open(f"{server.url}?columns=number,status,started,lr,bs,seed,spark:loss,loss,val/acc")
    page.wait(lambda: len(page.all("svg.curve")) == 32, "the curves")
    page.picture("runs-all", docs="ui-runs")
    page.click("#top nav a", "Runs")
    page.click("button.chip", "3 failed")
    page.wait(lambda: len(shown_rows(page)) == 3, "the failed ones")
    assert {row["status"] for row in page.table("table.grid")} == {"failed"}
    page.click("td a", "30")
    page.wait(lambda: page.all("h1") and page.text("h1").startswith("30"), "the run")
    page.wait_until_shown()
    assert "FloatingPointError: the loss is <b>nan</b>" in page.text(".panel.error")
    type_ = "return document.querySelectorAll('.panel.error b').length"
    assert page.script(type_) == 0


def test_a_mistake_in_the_filter_is_explained_and_nothing_is_lost(
    page: Page, server: UiServer
) -> None:
    page.open(server.entry)
    rows = shown_rows(page)
    type_filter(page, "losss > 1")
    page.wait_for("[role=alert]", "Did you mean 'loss'?")
    assert page.find("input.query").get_attribute("aria-invalid") == "true"
    assert len(page.table("table.grid")) == len(rows)
    page.errors()  # the browser notes the answer 400
    page.driver.back()
    page.wait(lambda: not page.all("[role=alert]"), "the view before")


def test_the_page_of_a_run_shows_its_record_and_the_command_repeats_it(
    page: Page, server: UiServer, project: Path
) -> None:
    run = Store(project / RUNS).find("lr == 0.3 and bs == 32 and seed == 1")
    facts = facts_of(project, run.folder.name)
    page.open(server.entry)
    page.open(f"{server.url}runs/{run.folder.name}")
    values = page.script(
        "return [...document.querySelectorAll('#values tr')].map(r => [...r.cells].map(c => c.innerText))"
    )
    assert [row[:2] for row in values] == [
        [target, repr(form["json"])] for target, form in facts["params"].items()
    ]
    assert {row[2] for row in values} == {"command line"}
    for name, numbers in facts["metrics"].items():
        for what in ("last", "min", "max", "count"):
            text = page.text(f"#metrics tr[data-metric='{name}'] td[data-what={what}]")
            assert float(text) == pytest.approx(numbers[what], rel=1e-5)
    points = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    losses = [one["metrics"]["loss"] for one in points if "loss" in one["metrics"]]
    page.wait(lambda: page.all("#curve-1[data-drawn]"), "both curves")
    assert page.script("return [...document.getElementById('curve-0').data[0].y]") == losses
    page.picture("run-curves", docs="ui-run")
    page.script(
        "const s = arguments[0]; s.value = 0.9; s.dispatchEvent(new Event('change'))",
        page.find("#smooth"),
    )
    page.click("#log-axis")
    page.wait(lambda: query(page) == {"smooth": ["0.9"], "log": ["1"]}, "the address")
    drawn = (
        "const c = document.getElementById('curve-0'); return [c.data.length, c.layout.yaxis.type]"
    )
    page.wait(lambda: page.script(drawn) == [2, "log"], "a smooth curve beside the own one")
    command = page.text("#commands code")
    assert command.startswith(f"cd {project} && kogine runs repeat ")

    page.click(".tabs a", "Log")
    log = run.log
    assert log is not None
    page.wait(lambda: page.text("#log").strip() == log.read_text().strip(), "the log")
    page.click(".tabs a", "Source")
    page.wait_for("#source", "FloatingPointError")
    assert page.script("return document.querySelector('#source').textContent") == "".join(
        (project / "fit.py").read_text().splitlines()
    )
    other = Store(project / RUNS).find("lr == 0.1 and bs == 32 and seed == 1")
    page.find("input[aria-label='Another run']").send_keys(f"{other.folder.name}\n")
    page.wait_for("#differences", "lr")
    assert ["values", "lr", "0.1", "0.3"] in page.script(
        "return [...document.querySelectorAll('#differences tr')].map(r => [...r.cells].map(c => c.innerText))"
    )
    page.driver.back()
    page.wait_for("#source", "FloatingPointError")
    page.click(".tabs a", "Environment")
    page.wait_for("table[aria-label=machine]", facts["environment"]["platform"])
    page.driver.back()
    page.driver.back()
    page.wait_for("#log", "lr 0.3")


def test_marks_trash_and_repeat_are_those_of_the_commands(
    page: Page, project_of_its_own: Path
) -> None:
    root = project_of_its_own / RUNS
    with opened(page, project_of_its_own) as server:
        page.open(f"{server.url}runs/3")
        run = Store(root).find(3)
        for action, field, text in (("tag", "input", "paper"), ("note", "textarea", "<b>good</b>")):
            page.click(f"[data-action={action}]")
            page.find(f"dialog {field}").send_keys(text)
            page.click("dialog button[type=submit]")
            page.wait_for("#main", text)
        assert (run.tags, run.note) == (["paper"], "<b>good</b>")
        page.click("[aria-label='Remove the tag paper']")
        page.wait(lambda: run.tags == [], "no tag")

        page.click("[data-action=repeat]")
        page.find("dialog textarea").send_keys("lrr=0.7")
        page.click("dialog button[type=submit]")
        page.wait_for("#messages", "lrr")
        page.errors()  # the browser notes the answer 400
        page.click("[data-action=repeat]")
        page.find("dialog textarea").send_keys("lr=0.7\nbs=8")
        page.click("dialog button[type=submit]")
        page.wait(lambda: "/runs/2" in page.driver.current_url, "the new run")
        page.wait_for(".status", "succeeded")
        new = Store(root).find("last")
        given = {one: new.facts["params"][one]["json"] for one in ("lr", "bs", "seed")}
        assert given == {"lr": 0.7, "bs": 8, "seed": run.params["seed"]}

        page.click("[data-action=delete]")
        page.wait_for("h1", "Trash")
        assert [row["label"] for row in shown_rows(page)] == [new.label]
        assert not new.folder.exists()
        page.picture("trash")
        page.click("td a")
        page.click("[data-action=restore]")
        page.wait(lambda: new.folder.exists(), "the run is back")

        page.open(f"{server.url}?where=status == 'failed'")
        page.click("input[aria-label^='Choose all']")
        page.click("button", "Delete")
        page.wait_for("#messages", "moved to the trash")
        assert len(Store(root).runs("status == 'failed'")) == 0
        page.click("#messages button", "Undo")
        page.wait_for("#messages", "restored")
        assert len(Store(root).runs("status == 'failed'")) == 3
        page.driver.get("about:blank")
        assert server.interrupt() in (0, -2)


@contextmanager
def kogine_in_the_background(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    launcher = Path(__file__).parents[1] / "kogine_command.py"
    process = subprocess.Popen(
        [sys.executable, str(launcher), *words],
        cwd=folder, env={**os.environ, "PYTHONPATH": on_path()}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_sweep_is_watched_until_it_ends(page: Page, tmp_path: Path) -> None:
    """No reload: what is started, printed and finished appears by itself."""
    (tmp_path / "slow.py").write_text(SLOW)
    words = ("run", "slow.py", "--sweep", "lr=0.1,0.7,0.4", "--workers", "3", "--mode", "spawn")
    with opened(page, tmp_path):
        page.wait_for("#main", "No runs yet")
        page.wait_for("#live", "live")
        page.script("window.isFirst = true")
        with kogine_in_the_background(tmp_path, *words) as sweep:
            page.wait_for("#main", "3 running")
            states = {row["lr"]: row["status"] for row in page.table("table.grid")}
            assert states == {str(lr): "running" for lr in (0.1, 0.7, 0.4)}
            page.wait_for("table.grid", "0.3")  # the loss of step 3
            page.picture("sweep-running")
            (tmp_path / "go 0.7").write_text("")
            page.wait_for("#main", "1 failed")
            (tmp_path / "go 0.1").write_text("")
            page.wait_for("#main", "1 succeeded")
            page.click(
                "td a", next(r["#"] for r in page.table("table.grid") if r["status"] == "running")
            )
            page.wait_for(".status", "running")
            page.click(".tabs a", "Log")
            page.wait_for("#log", "step 3")
            page.click("[data-action=stop]")
            page.click("dialog button[type=submit]")
            page.wait_for("#messages", "has ended")
            assert sweep.wait(60) != 0
        page.wait(lambda: page.text(".status") in ("failed", "interrupted"), "the end")
    states_now = [one.status for one in Store(tmp_path / RUNS).runs().summaries]
    assert sorted(states_now) in (
        ["failed", "failed", "succeeded"],
        ["failed", "interrupted", "succeeded"],
    )


def test_1000_runs_take_little_memory_and_one_page_of_rows(page: Page, thousand: Path) -> None:
    with opened(page, thousand) as server:
        assert len(shown_rows(page)) == 50
        page.click("button", "Next \u203a")
        page.wait_for("nav.pages", "Page 2 of 20")
        assert shown_rows(page)[0]["#"] == "950"
        type_filter(page, "seed < 60")
        page.wait_for("#count", "60 of 1000 runs")
        for path in ("?group=flow", "?group=lr", "?sort=-loss&size=500"):
            assert server.get(f"/api/runs{path}").status == 200
        assert server.memory() < 60 * 2**20
