"""``kogine ui`` without a browser: what it refuses, and how it ends."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.oracle import on_path, run_kogine
from tests.web.ui_server import ui_server


def test_without_its_packages_it_says_what_to_install(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    text = 'raise ModuleNotFoundError("No module named \'starlette\'", name="starlette")\n'
    (hidden / "starlette.py").write_text(text)
    done = run_kogine(tmp_path, "ui", "--no-browser", PYTHONPATH=f"{hidden}:{on_path()}")
    wanted = 'kogine: error: kogine ui needs starlette: pip install "kohaku-ast[web]"\n'
    assert (done.status, done.stderr) == (2, wanted)


def test_a_folder_that_is_not_there_and_a_port_that_is_taken(tmp_path: Path) -> None:
    done = run_kogine(tmp_path, "ui", "nowhere", "--no-browser")
    assert (done.status, "there is no folder 'nowhere'" in done.stderr) == (2, True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_kogine(tmp_path, "ui", "--no-browser", "--port", port)
    assert done.status == 2
    assert f"cannot listen at 127.0.0.1 port {port}" in done.stderr
    assert "--port 0" in done.stderr


def test_ctrl_c_ends_it_and_one_folder_may_be_a_store(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "lr.py").write_text("lr = 1.0\ncfg = {'curve': 1}\nprint(f'loss: {lr}')\n")
    assert run_kogine(tmp_path, "run", "lr.py", "--record").status == 0
    store = str(tmp_path / ".kogine" / "runs")
    assert run_kogine(tmp_path, "run", "lr.py", "--record").status == 0
    record = max(Path(store).glob("2*")) / "run.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "params": {"lr": "x"}}))
    with ui_server(tmp_path, "one", store, "one") as server:
        stores = server.get("/api/stores").json["stores"]
        assert [one["name"] for one in stores] == ["one", tmp_path.name]
        assert server.get("/api/runs").json["of"] == 0
        broken, row = server.get(f"/api/runs?store={tmp_path.name}").json["rows"]
        assert server.get("/api/runs?store=other").status == 400
        log = server.get(f"/api/runs/{row['id']}/log?store={tmp_path.name}").json
        assert log["lines"] == ["loss: 1.0"]
        cells = server.get(f"/api/runs?store={tmp_path.name}&columns=lr,cfg,loss").json["rows"][1]
        assert cells["cells"] == ["1.0", "{'curve': 1}", "1"]  # a dict is a value, not a curve
        damaged = server.get(f"/api/runs/{broken['id']}?store={tmp_path.name}")
        assert (damaged.status, "is damaged" in damaged.json["error"]) == (400, True)
        assert server.interrupt() in (0, -2)
