"""Reports hold what the files of the runs say, in one file without anything from elsewhere."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.errors import UsageError
from kohaku_ast.store.store import Store
from tests.exports.figure_runs import Files, read_files, run_sweep
from tests.oracle import run_kogine
from tests.store.made_runs import make_run, metric, override


class Page(HTMLParser):
    """Section -> its tables, lists of rows of texts; its text; and all elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[list[str]]]] = {}
        self.texts: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._section, self._cell = "", False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
            self.tables[self._section] = []
        elif tag == "table":
            self.tables[self._section].append([])
        elif tag == "tr":
            self.tables[self._section][-1].append([])
        elif tag in ("td", "th"):
            self.tables[self._section][-1][-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.texts[self._section] = self.texts.get(self._section, "") + data
        if self._cell:
            self.tables[self._section][-1][-1][-1] += data

    def pairs(self, section: str) -> dict[str, str]:
        return {row[0]: row[1] for row in self.tables[section][0]}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return run_sweep(tmp_path_factory.mktemp("sweep"))


@pytest.fixture(scope="module")
def files(store: Store) -> dict[str, Files]:
    return read_files(store.root)


@pytest.fixture(scope="module")
def html(store: Store) -> str:
    path = store.root.parent / "report.html"
    store.runs()[::-1].report(path)
    return path.read_text(encoding="utf-8")


def test_the_summary_counts_what_there_is(html: str, files: dict[str, Files]) -> None:
    page = Page(html)
    assert "10 succeeded2 failed" in page.texts["summary"]
    facts = page.pairs("summary")
    assert facts["scripts"] == "train.py"
    assert facts["varied"] == "lr (3 values), bs (2 values), optimizer (2 values)"
    least = min(one.metrics["loss"]["min"] for one in files.values() if one.metrics)
    assert facts["least loss"].startswith(f"{least:g} in run ")


def test_the_best_runs_are_those_with_the_least_numbers(html: str, files: dict[str, Files]) -> None:
    head, *rows = Page(html).tables["best-runs"][0]
    assert head == ["#", "least loss", "lr", "bs", "optimizer", "acc", "seconds"]
    order = sorted(files)
    best = sorted(
        (one.metrics["loss"]["min"], at)
        for at, one in enumerate(map(files.get, order))
        if one and one.metrics
    )
    assert [float(row[1]) for row in rows] == [number for number, _ in best]
    for row in rows:
        own = files[order[int(row[0]) - 1]]
        assert float(row[1]) == own.metrics["loss"]["min"]
        assert row[2:5] == [f"{own.params['lr']:g}", str(own.params["bs"]), own.params["optimizer"]]
        assert float(row[5]) == own.metrics["acc"]["last"]


def test_the_table_of_values_has_each_run(html: str, files: dict[str, Files]) -> None:
    head, *rows = Page(html).tables["differing-values"][0]
    found = [dict(zip(head, row)) for row in rows]
    assert [one["id"] for one in found] == [name.partition("-")[2][:8] for name in sorted(files)]
    for row, name in zip(found, sorted(files)):
        own = files[name]
        assert row["status"] == own.status
        assert (float(row["lr"]), int(row["bs"]), row["optimizer"]) == tuple(own.params.values())[
            :3
        ]
        assert row["loss"] == (f"{own.metrics['loss']['last']:g}" if own.metrics else "")


def test_failures_are_grouped_with_the_end_of_the_log(html: str) -> None:
    text = Page(html).texts["failures"]
    assert "2 runs RuntimeError: out of memory: 65536 bytes at <b>lr</b> 1.0" in text
    assert "runs 11, 12; the first, 11: lr=1.0" in text
    assert "Traceback (most recent call last):" in text


def test_the_environment_is_that_of_the_records(html: str, store: Store) -> None:
    facts = Page(html).pairs("environment")
    version = ".".join(map(str, sys.version_info[:3]))
    assert (facts["python"], facts["host"]) == (version, store.runs()[0].facts["host"])
    assert facts["folder"] == str(store.root.parent.parent)


def test_nothing_comes_from_elsewhere_and_values_stay_text(html: str) -> None:
    page = Page(html)
    assert {tag for tag, _ in page.tags} & {"script", "iframe", "object", "img"} == set()
    links = [attrs["href"] or "" for _, attrs in page.tags if "href" in attrs]
    assert all(one.startswith(("#", "data:,")) for one in links)
    assert set(re.findall(r"https?://[^\"<]*", html)) == {"http://www.w3.org/2000/svg"}
    policy = next(attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs)
    assert (
        policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'none'"
    )
    assert len(html) < 100_000


def test_a_standalone_report_has_plotly_and_the_figures_inside(
    store: Store, files: dict[str, Files], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = type(sys)("plotly.offline")
    module.get_plotlyjs = lambda: "var Plotly = '</script>';"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "plotly", type(sys)("plotly"))
    monkeypatch.setitem(sys.modules, "plotly.offline", module)
    store.runs()[::-1].report(tmp_path / "r.html", standalone=True, best="max:acc", title="T & t")
    html = (tmp_path / "r.html").read_text()
    assert "<title>T &amp; t</title>" in html
    assert html.count("</script>") == html.count("<script") == 3
    found = json.loads(re.findall(r'id="figures">(.*?)</script>', html)[0])
    assert [one["data"][0]["type"] for one in found.values()] == [
        "scatter",
        "scatter",
        "box",
        "box",
        "box",
    ]
    for trace in found["figure1"]["data"]:
        assert (trace["x"], trace["y"]) == files[trace["meta"]].series("acc")
    ids = {attrs.get("id") for _, attrs in Page(html).tags}
    assert set(found) <= ids


def test_a_standalone_report_without_plotly(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotly", None)
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(UsageError, match=r'needs plotly: pip install "kohaku-ast\[web\]"'):
        store.runs().report(tmp_path / "r.html", standalone=True)


@pytest.mark.parametrize("status", ["succeeded", "failed", "running", "interrupted"])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_report_of_few_runs(tmp_path: Path, status: str, count: int) -> None:
    for number in range(count):
        fields: dict[str, Any] = {"metrics": {"loss": metric(1.0)}} if number else {}
        make_run(tmp_path, number, status=status, overrides=[override("lr", number)], **fields)
    Store(tmp_path).runs().report(tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text())
    assert (f"{count} {status}" if count else "No run fits.") in page.texts["summary"]


def test_a_long_table_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kohaku_ast.exports.html_report._MOST_ROWS", 30)
    for number in range(60):
        make_run(
            tmp_path, number, metrics={"loss": metric(number)}, overrides=[override("lr", number)]
        )
    Store(tmp_path).runs().report(tmp_path / "r.html")
    page = Page((tmp_path / "r.html").read_text())
    assert len(page.tables["differing-values"][0]) == 31
    assert "The first 30 of 60 runs." in page.texts["differing-values"]


# --- the command ---------------------------------------------------------------------------------


def test_the_command_writes_the_file_as_a_whole(store: Store) -> None:
    folder = store.root.parents[1]

    def kogine(*words: str) -> tuple[int, str]:
        done = run_kogine(folder, "runs", "report", *words)
        return done.status, done.stderr

    assert kogine("lr < 0.5 and bs == 16", "--best", "max:acc", "-o", "a.html") == (0, "")
    page = Page((folder / "a.html").read_text())
    assert "4 succeeded" in page.texts["summary"]
    assert page.pairs("summary")["query"] == "lr < 0.5 and bs == 16"
    assert "greatest acc" in page.pairs("summary")
    assert kogine("3", "last", "--title", "Two", "-o", "b.html") == (0, "")
    assert [
        row[0] for row in Page((folder / "b.html").read_text()).tables["differing-values"][0]
    ] == ["#", "3", "12"]
    status, error = kogine("-o", "a.html")
    assert (status, "'a.html' exists already" in error) == (2, True)
    status, error = kogine("lr > 100", "-o", "c.html")
    assert (status, error) == (
        2,
        "kogine: error: no run fits 'lr > 100' in '.kogine/runs': there is nothing to report\n",
    )
    status, error = kogine("lr > 0", "--where", "bs > 1", "-o", "c.html")
    assert (status, "--where" in error) == (2, True)
    assert not (folder / "c.html").exists()
