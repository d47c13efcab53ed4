"""Records whose every text is an attack, or no text at all: pages show it, and do nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.store.made_runs import make_run, metric, override
from tests.web.browser import Page
from tests.web.ui_server import UiServer, ui_server

pytestmark = pytest.mark.browser

SCRIPT = "<script>window.hacked=1</script>"
ATTACK = f"\"'><img src=x onerror=window.hacked=1>{SCRIPT}${{7*7}}\x1b[31m\u202e\u2028 javascript:hacked=1"
LONG = "x" * 200_000
PAGES = (
    "/?columns=number,label,script,note,tags,error,host,metadata.{a},{a},last:{a}", "/?group={a}",
    "/?where={a}", "/?store={a}", "/runs/1", "/runs/1?tab=log", "/runs/1?tab=source",
    "/runs/1?tab=files&file={a}", "/runs/1?tab=environment", "/runs/{a}", "/runs/2?tab=log",
    "/compare?where=&goal={a}", "/compare?runs={a}", "/sweeps/{a}", "/pipelines/3?node={a}", "/systems?file={a}&name={a}", "/cache?find={a}&why={a}",
)  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UiServer]:
    folder = tmp_path_factory.mktemp("hostile")
    root = folder / ".kogine" / "runs"
    texts: dict[str, Any] = {
        "label": ATTACK, "work": ATTACK, "argv": [ATTACK], "cwd": ATTACK, "host": ATTACK,
        "script": {"path": ATTACK, "file": ATTACK, "module": ATTACK, "entrypoint": ATTACK, "sha256": ATTACK},
        "metadata": {ATTACK: ATTACK}, "environment": {ATTACK: ATTACK, "variables": {ATTACK: ATTACK}},
        "git": {"commit": ATTACK, "branch": ATTACK, "dirty": True, "remote": f"javascript:{ATTACK}", "diff": ATTACK},
        "packages": {ATTACK: ATTACK}, "params": {ATTACK: {"json": ATTACK}, "long": {"json": LONG}},
        "overrides": [override(ATTACK, ATTACK), {"target": "lr", "origin": ATTACK, "json": ATTACK}],
        "outputs": {ATTACK: {"json": ATTACK}}, "value": {"repr": ATTACK, "type": ATTACK},
    }  # fmt: skip
    first = make_run(
        root, 0, **texts, status="failed", metrics={ATTACK: metric(1.5)}, log="log.txt",
        error={"type": ATTACK, "message": ATTACK, "traceback": ATTACK}, files=[ATTACK.replace("/", "")],
    )  # fmt: skip
    (first / "marks.json").write_text(json.dumps({"tags": [ATTACK], "note": ATTACK}))
    (first / "files").mkdir()
    (first / "files" / ATTACK.replace("/", "")).write_text(ATTACK)
    (first / "log.txt").write_text(f"{ATTACK}\n" + LONG + "\n" + f"{ATTACK}\r\n" * 100_000)
    second = make_run(
        root, 1, params={f"p{n}": {"json": LONG[:2000]} for n in range(300)}, log="log.txt"
    )
    (second / "log.txt").write_bytes(b"\x00\xff\xfe\x80" * 300_000)
    node = {"name": ATTACK, "kind": ATTACK, "status": "failed", "error": {"type": ATTACK, "message": ATTACK},
            "results": {ATTACK: ATTACK}, "why": ATTACK, "key": ATTACK, "workers": [ATTACK], "runs": [ATTACK, f"javascript:{ATTACK}"]}  # fmt: skip
    graph = [
        {
            "name": ATTACK,
            "inputs": [ATTACK],
            "outputs": [f"o{ATTACK}"],
            "when": ATTACK,
            "over": [ATTACK],
        }
    ]
    make_run(
        root,
        2,
        **texts,
        kind="pipeline",
        nodes=[node],
        pipeline={"name": ATTACK, "items": ATTACK, "graph": graph},
    )
    make_run(root, 3, kind="pipeline", nodes=[], pipeline={"graph": [ATTACK]})
    (folder / "a.py").write_text(f"# kohaku_ast\nx = Pipeline()  # {SCRIPT}\n")
    (folder / "<img src=x onerror=hacked=1>.py").write_text("# kohaku_ast\nx = System()\n")
    with ui_server(folder) as server:
        assert server.get("/api/runs").json["of"] == 4  # none counts as damaged
        yield server


@pytest.mark.parametrize("address", PAGES)
def test_a_page_shows_attacks_as_texts(page: Page, hostile: UiServer, address: str) -> None:
    page.sign_in(hostile)
    page.driver.get(hostile.url.rstrip("/") + address.replace("{a}", quote(ATTACK, safe="")))
    if "%2F" not in page.driver.current_url.partition("?")[0]:  # no page has such an address
        page.wait_until_shown()
    assert page.script("return window.hacked ?? null") is None
    assert (
        page.script("return document.querySelectorAll('main script, main img[src=x]').length") == 0
    )
    assert (
        page.script(
            "return [...document.links].filter((one) => !one.protocol.startsWith('http')).length"
        )
        == 0
    )
    assert len(page.script("return document.body.innerText")) < 3_000_000
    noise = ("400 (Bad Request)", "404 (Not Found)", "500 (Internal Server Error)")
    assert [one for one in page.errors() if not any(text in one for text in noise)] == []


def test_a_record_that_no_version_writes_is_named(page: Page, hostile: UiServer) -> None:
    page.sign_in(hostile)
    page.open(f"{hostile.url}pipelines/4")
    assert "is damaged: KeyError: 'name'" in page.text(".problem")
    assert "Traceback" not in page.text("body")
    page.errors()


def test_a_name_that_leads_to_this_machine_gets_nothing(page: Page, server: UiServer) -> None:
    """DNS rebinding, in a browser: the page of an attacker has the port, and no more."""
    from tests.web.browser import FOREIGN

    page.sign_in(server)
    page.driver.get(f"http://{FOREIGN}:{server.port}/api/runs")
    assert "is not this server" in page.driver.page_source
    reached = page.driver.execute_async_script(
        "const done = arguments[1]; fetch(arguments[0], {credentials: 'include', mode: 'no-cors'})"
        ".then((one) => one.text().then((text) => done(`${one.type} ${text}`)), () => done('refused'))",
        f"{server.url}api/runs",
    )
    assert reached in ("refused", "opaque ")
    page.errors()


def test_the_log_is_read_from_where_it_ends(hostile: UiServer, tmp_path: Path) -> None:
    answer = hostile.get("/api/runs/1/log")
    assert len(answer.body) < 2_000_000
    assert answer.json["lines"][-1].startswith("\"'><img src=x")
