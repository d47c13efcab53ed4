"""``kogine lsp`` with what editors send on bad days: half a config, other lines and letters, a long
file, a request that is taken back, and no word at all.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kohaku_ast.lsp.config_answers import definition, hover
from kohaku_ast.lsp.config_completion import suggestions
from kohaku_ast.lsp.config_problems import OpenConfig
from kohaku_ast.lsp.known_scripts import KnownScripts
from tests.lsp.editor import LAUNCHER, editor, position, types
from tests.oracle import on_path

SCRIPT = "lr = 0.1\nname = 'é'\namp = False\n\n\nclass Args:\n    depth = 3\n"
WHOLE = {
    "train.yaml": '# 😀\r\n_script: train.py\r\n"name": "é😀" # c\r\nArgs: {depth: 3, x: [1, 2]}\r\n_sweep:\r\n  amp:\r\n    - &a yes\r\n    - *a\r\nb: |\r\n  c: x\r\n',
    "train.toml": '_script = "train.py"\nname = \'é😀\'\nArgs.depth = 3\n[Args]\nx = """\nab = 3\n"""\n[[t]]\na = {b = 1, c = [1,\n 2]}\n',
    "train.json": '{"_script": "train.py", "name": "\\u00e9😀", "Args": {"depth": [1, {"a": null}]}}',
    "train_cfg.py": 'lr: float = 0.1; a, b = 1, 2\n_overrides = {"Args.depth": 3, **{}, 3: 4}\n_sweep = {"lr": [1, *x]}\nname = f"{lr:>3} {\'é😀\'}"\ndef f():\n    yield Config({"amp": 1}, lr=2)\n',
}


@pytest.mark.parametrize("name", WHOLE)
def test_every_beginning_of_a_config_is_understood_somehow(tmp_path: Path, name: str) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    scripts = KnownScripts(lambda path: None)
    for end in range(len(WHOLE[name]) + 1):
        text = WHOLE[name][:end]
        config = OpenConfig(str(tmp_path / name), text, scripts)
        assert all(
            0 <= start <= stop <= end for (start, stop) in [one.span for one in config.problems()]
        )
        assert all(one.span.start <= end == one.span.end for one in suggestions(config, end))
        hover(config, end)
        definition(config, end)


def test_bad_days(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    with editor(tmp_path) as one:
        # Columns are counted in UTF-16 units, where an emoji is two, and lines end as on Windows.
        one.open("train.yaml", '# 😀😀\r\n{"name": "😀😀", "lrr": 1}\r\n')
        (unknown,) = one.problems("train.yaml")
        assert unknown.startswith('"lrr": train.py: no parameter')
        assert (
            one.fixes("train.yaml", "lrr")["Change to lr"]
            == '# 😀😀\r\n{"name": "😀😀", lr: 1}\r\n'
        )
        items = one.complete("train.yaml", '{"name": "😀😀", am|}\r\n')
        assert one.accept("train.yaml", items["amp"]) == '{"name": "😀😀", amp: }\r\n'

        one.type("train.yaml", "lr: [1\n")
        (broken,) = one.problems("train.yaml")
        assert "not YAML: expected ',' or ']'" in broken
        one.type("train.yaml", "lr: 1\n" + "# long\n" * 20_000)
        (long,) = one.problems("train.yaml")
        assert "not checked: it has more than 100,000 characters" in long
        one.open("gone.yaml", "_script: no.py\nlr: 1\n")
        (gone,) = one.problems("gone.yaml")
        assert gone.startswith("no.py: can't open file")
        (tmp_path / "bad.py").write_text("lr = = 1\n")
        one.open("bad.yaml", "_script: bad.py\nlr: 1\n")
        (bad,) = one.problems("bad.yaml")
        assert bad == "bad.py: bad.py:1: invalid syntax: the config is not checked"

        async def take_back() -> None:
            place = types.TextDocumentPositionParams(
                types.TextDocumentIdentifier(one.uri("train.yaml")), position("", 0)
            )
            waiting = one.client.protocol.send_request_async(
                types.TEXT_DOCUMENT_HOVER,
                types.HoverParams(place.text_document, place.position),
                msg_id="mine",
            )
            one.client.cancel_request(types.CancelParams(id="mine"))
            await asyncio.wait([asyncio.ensure_future(waiting)], timeout=1)

        one.run(take_back())
        assert one.complete("train.yaml", "l|")["lr"]  # it goes on


def start(folder: Path) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONPATH": on_path()}
    return subprocess.Popen(
        [sys.executable, str(LAUNCHER), "lsp"], cwd=folder, env=env, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def send(server: subprocess.Popen[bytes], **message: object) -> None:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    assert server.stdin is not None
    server.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    server.stdin.flush()


def test_an_editor_that_dies_leaves_no_process(tmp_path: Path) -> None:
    """Neither if its end of the pipe is closed, nor if another process has it still open."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as parent:
        closed, held = start(tmp_path), start(tmp_path)
        for one in (closed, held):
            send(
                one, id=1, method="initialize", params={"processId": parent.pid, "capabilities": {}}
            )
            send(one, method="initialized", params={})
            send(one, method="no/such", params={})
    closed.communicate(timeout=60)
    assert held.wait(timeout=60) == 1
    held.communicate()


def test_a_terminal_is_no_editor(tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, str(LAUNCHER), "lsp"], stdin=theirs, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": on_path()}, check=False,
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 2
    assert "kogine lsp is started by an editor" in done.stderr
