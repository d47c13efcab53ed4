"""A report in a browser without network: it opens from its file, draws, and runs nothing of a value."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.exports.figure_runs import read_files, run_sweep

if TYPE_CHECKING:
    from tests.web.browser import Page

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("standalone", [False, True])
def test_a_report_opens_from_its_file_without_network(
    page: Page, tmp_path: Path, standalone: bool
) -> None:
    store = run_sweep(tmp_path)
    store.runs()[::-1].report(tmp_path / "report.html", standalone=standalone)
    page.driver.execute_cdp_cmd("Network.enable", {})
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    page.driver.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    try:
        page.driver.get((tmp_path / "report.html").as_uri())
        assert page.text("h1") == "12 runs of train.py"
        assert "<script>alert(1)</script>" in page.text("#best-runs")
        assert "<b>lr</b>" in page.text("#failures")
        assert page.script("return performance.getEntriesByType('resource').length") == 0
        if standalone:
            count = "return document.querySelectorAll('.js-plotly-plot .main-svg').length"
            page.wait(lambda: page.script(count), "plotly")
            files = read_files(store.root)
            traces = page.script(
                "return document.querySelector('#figure1 .js-plotly-plot').data.map(({x, y, meta}) => [x, y, meta])"
            )
            assert all((x, y) == files[name].series("loss") for x, y, name in traces)
        assert page.barriers() == []
        page.picture("report-standalone" if standalone else "report", height=2400)
    finally:
        page.driver.execute_cdp_cmd(
            "Network.emulateNetworkConditions",
            {**offline, "offline": False, "downloadThroughput": -1, "uploadThroughput": -1},
        )
