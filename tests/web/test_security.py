"""Who may ask ``kogine ui``, and what it never gives away."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.ui_server import UiServer, ui_server

pytestmark = pytest.mark.browser

SECRET = "the secret of another folder"


@pytest.fixture(scope="module")
def store(server: UiServer) -> Iterator[str]:
    """A run of the sweep."""
    rows = server.get("/api/runs?where=status == 'succeeded'".replace(" ", "%20")).json["rows"]
    name = str(rows[0]["id"])
    yield name
    server.ask("POST", f"/api/runs/{name}/note", {"text": ""}, server.signed)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 403, id="no token"),
        pytest.param({"Cookie": "kogine-{port}=wrong"}, 403, id="another token"),
        pytest.param({"Cookie": "kogine-{port}={token}x"}, 403, id="a longer token"),
        pytest.param({"Cookie": "kogine={token}"}, 403, id="the cookie of another name"),
        pytest.param({"Cookie": "kogine-{port}={token}"}, 200, id="the token"),
        pytest.param({"Cookie": 'a=b; kogine-{port}="{token}"; c="'}, 200, id="other cookies"),
        pytest.param({"Host": "rebound.test:{port}"}, 421, id="a foreign name"),
        pytest.param(
            {"Host": "127.0.0.1.rebound.test:{port}"}, 421, id="a name that looks like ours"
        ),
        pytest.param({"Host": "rebound.test:{port}@127.0.0.1:{port}"}, 421, id="a name with ours"),
        pytest.param({"Host": "127.0.0.1"}, 421, id="no port"),
        pytest.param({"Host": "127.0.0.1:1"}, 421, id="another port"),
        pytest.param({"Host": ""}, 421, id="no name"),
        pytest.param({"Host": "LOCALHOST:{port}"}, 200, id="localhost"),
    ],
)
def test_who_may_read(server: UiServer, headers: dict[str, str], status: int) -> None:
    filled = {
        name: one.format(port=server.port, token=server.token) for name, one in headers.items()
    }
    signed = {} if "Cookie" in headers or not headers else server.signed
    for path in ("/", "/api/runs", "/api/events" if status != 200 else "/cache"):
        answer = server.ask("GET", path, headers={**signed, **filled})
        assert (path, answer.status) == (path, status)
        assert server.token.encode() not in answer.body


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Cookie": ""}, 403, id="no token"),
        pytest.param({"Origin": "http://rebound.test"}, 403, id="another page"),
        pytest.param({"Origin": "null"}, 403, id="a file, or a frame in a sandbox"),
        pytest.param({"Origin": "https://127.0.0.1:{port}"}, 403, id="another scheme"),
        pytest.param({"Content-Type": "text/plain"}, 403, id="a form's type"),
        pytest.param({"Sec-Fetch-Site": "cross-site", "Origin": "http://x.test"}, 403, id="a form"),
        pytest.param({"Origin": "http://127.0.0.1:{port}"}, 200, id="its own page"),
    ],
)
def test_who_may_change(server: UiServer, store: str, headers: dict[str, str], status: int) -> None:
    filled = {name: one.format(port=server.port) for name, one in headers.items()}
    path = f"/api/runs/{store}/note"
    before = server.get(f"/api/runs/{store}").json["note"]
    answer = server.ask("POST", path, {"text": f"noted {status}"}, {**server.signed, **filled})
    assert answer.status == status, answer
    after = server.get(f"/api/runs/{store}").json["note"]
    assert after == ("noted 200" if status == 200 else before)


def test_a_change_is_no_get_and_no_token_in_its_address(server: UiServer, store: str) -> None:
    assert server.get(f"/api/runs/{store}/stop").status in (404, 405)
    path = f"/api/runs/{store}/note?token={server.token}"
    assert server.ask("POST", path, {"text": "x"}).status == 403


def test_the_token_is_taken_out_of_the_address_and_leads_nowhere_else(server: UiServer) -> None:
    for path in ("/", "//rebound.test/", "/\\rebound.test/", "/%2f/rebound.test"):
        answer = server.ask("GET", f"{path}?token={server.token}&where=lr%20%3E%200")
        if answer.status == 303:
            place = answer.headers["location"]
            assert place.startswith("/")
            assert not place.startswith(("//", "/\\"))
            assert server.token not in place
        cookie = answer.headers.get("set-cookie", "")
        assert not cookie or {"HttpOnly", "SameSite=strict"} <= {*cookie.split("; ")}


def test_every_answer_says_what_a_browser_may_do_with_it(server: UiServer, store: str) -> None:
    paths = (
        "/",
        f"/runs/{store}",
        "/api/runs",
        "/static/style.css",
        "/no-such-page",
        "/api/nothing",
    )
    for path in paths:
        headers = server.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy, path
        assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0], path
        assert "unsafe-eval" not in policy, path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer", path
        assert "access-control-allow-origin" not in headers, path


WAYS_OUT = (
    "../run.json", "../../../../secret.txt", "/etc/passwd", "..%2f..%2f..%2f..%2fsecret.txt",
    "%2e%2e/%2e%2e/%2e%2e/%2e%2e/secret.txt", "....//....//secret.txt", "..\\..\\secret.txt",
    "link.txt", "folder/secret.txt", "a%00.txt", "files/../../run.json", "pipe",
)  # fmt: skip


def test_no_path_leads_out_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text(SECRET)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "secret.txt").write_text(SECRET)
    from tests.store.made_runs import make_run

    root = tmp_path / ".kogine" / "runs"
    run = make_run(root, files=["good.txt", "link.txt", "folder/secret.txt", "pipe"], log="log.txt")
    other = make_run(root, 1, log="../../../secret.txt")
    third = make_run(root, 2, log="log.txt")
    files = run / "files"
    files.mkdir()
    (files / "good.txt").write_text("good")
    (files / "link.txt").symlink_to(tmp_path / "secret.txt")
    (files / "folder").symlink_to(tmp_path / "secrets")
    (run / "log.txt").symlink_to(tmp_path / "secret.txt")
    os.mkfifo(files / "pipe")
    os.mkfifo(third / "log.txt")
    (root / "out").symlink_to(tmp_path / "secrets")
    with ui_server(tmp_path) as server:
        good = server.get(f"/api/runs/{run.name}/file?path=good.txt")
        assert (good.status, good.body) == (200, b"good")
        paths = [
            f"/api/runs/{run.name}/{what}?path={way}"
            for what in ("file", "preview")
            for way in WAYS_OUT
        ]
        paths += [
            f"/api/runs/{one.name}/{what}"
            for one in (run, other, third)
            for what in ("log", "log.txt")
        ]
        paths += [f"/api/runs/{way}" for way in ("..", "%2e%2e", "out", "..%2f..", "%00")]
        paths += [
            f"/static/{way}"
            for way in ("../security.py", "%2e%2e/security.py", "..%2fsecurity.py", "/etc/passwd")
        ]
        paths += ["/api/runs?store=../..", "/../../secret.txt", "/%2e%2e/%2e%2e/secret.txt"]
        for path in paths:
            answer = server.get(path)
            assert answer.status in (200, 400, 404), (path, answer)
            assert SECRET.encode() not in answer.body, path
            assert b"root:" not in answer.body, path
            assert b"def is_token" not in answer.body, path
        assert server.get("/api/runs").status == 200


def test_files_of_runs_are_inert(tmp_path: Path) -> None:
    from tests.store.made_runs import make_run

    names = (
        "page.html",
        "image.svg",
        "code.js",
        "<img src=x onerror=alert(1)>.txt",
        "a\r\nX-Bad: 1.txt",
    )
    run = make_run(tmp_path / ".kogine" / "runs", files=[*names])
    (run / "files").mkdir()
    for name in names:
        (run / "files" / name).write_text(
            "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
        )
    from urllib.parse import quote

    with ui_server(tmp_path) as server:
        for name in names:
            found = server.get(f"/api/runs/{run.name}/file?path={quote(name)}")
            assert found.status == 200, name
            assert "x-bad" not in found.headers
            assert "sandbox" in found.headers["content-security-policy"]
            assert "script-src" not in found.headers["content-security-policy"]
            is_image = name.endswith(".svg")
            assert found.headers["content-disposition"].startswith(
                "inline" if is_image else "attachment"
            )
        listed = server.get(f"/api/runs/{run.name}/files").json["files"]
        assert {one["path"] for one in listed} == {*names}


def test_what_is_sent_is_checked(server: UiServer, store: str) -> None:
    bodies: tuple[object, ...] = ([], "x", 1, {"text": {"a": 1}}, {"text": "a" * 3_000_000})
    for body in bodies:
        data = json.loads(json.dumps(body))
        answer = server.ask("POST", f"/api/runs/{store}/note", data, server.signed)
        assert answer.status == 400, (str(body)[:20], answer.status)
        assert b"Traceback" not in answer.body
    for values in (["--on=slurm"], ["lr"], ["=1"], "lr=1", [1], ["no_such_name=1"]):
        answer = server.ask("POST", f"/api/runs/{store}/repeat", {"values": values}, server.signed)
        assert answer.status == 400, values
        assert answer.json["error"]
    for words in ("--help", "'", "", "no_such.py", "a" * 5000):
        answer = server.ask("POST", "/api/cache/why", {"words": words}, server.signed)
        assert answer.status == 400, words
    for file in ("/etc/passwd", "../x.py", "fit.py", 5, None):
        answer = server.ask(
            "POST", "/api/drawings", {"file": file, "name": "pipeline"}, server.signed
        )
        assert answer.status == 400, file
