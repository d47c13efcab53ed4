"""The web view: ``pytest -m benchmark -s tests/benchmarks/test_web.py``."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.web.conftest import made_project
from tests.web.ui_server import UiServer, ui_server

pytestmark = pytest.mark.benchmark

VIEWS = {
    "first page": "/api/runs",
    "filter": "/api/runs?where=lr%3E0.05&sort=-loss",
    "sweeps": "/api/runs?group=flow",
    "groups": "/api/runs?group=lr",
    "one run": "/api/runs/500",
}


@pytest.mark.parametrize("count", [1_000, 10_000])
def test_views_of_many_runs(count: int, tmp_path: Path) -> None:
    made_project(tmp_path, count)
    print(f"\n{count} runs")
    with ui_server(tmp_path) as server:
        print(f"first page, and the index  {seconds(server, VIEWS['first page']):6.3f} s")
        for name, path in VIEWS.items():
            least = min(seconds(server, path) for _ in range(3))
            print(f"{name:25}  {least:6.3f} s")
        print(f"memory of the server       {server.memory() / 2**20:6.1f} MiB")


def seconds(server: UiServer, path: str) -> float:
    time.sleep(0.6)  # the server shares what it has read for half a second
    start = time.perf_counter()
    assert server.get(path).status == 200
    return time.perf_counter() - start
