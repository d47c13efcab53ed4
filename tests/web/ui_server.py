"""A ``kogine ui`` of the tests, and plain requests to it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.oracle import on_path

_URL = re.compile(r"(http://127\.0\.0\.1:(\d+)/)\?token=(\S+)")


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class UiServer:
    """A server that runs, and how it is reached."""

    process: subprocess.Popen[str]
    #: With a slash at its end; and the URL that ``kogine ui`` prints.
    url: str
    entry: str
    port: int
    token: str

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """The answer to a request with these *headers*, which may replace ``Host``. *path* is sent
        as it is.
        """
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        data = None if body is None else json.dumps(body).encode()
        given = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
        try:
            link.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            if data is not None:
                given = {
                    "Content-Type": "application/json",
                    "Content-Length": str(len(data)),
                    **given,
                }
            for name, value in given.items():
                link.putheader(name, value)
            link.endheaders(data)
            found = link.getresponse()
            return Answer(found.status, {n.lower(): v for n, v in found.getheaders()}, found.read())
        finally:
            link.close()

    @property
    def signed(self) -> dict[str, str]:
        """The header of a browser that has opened the printed URL."""
        return {"Cookie": f"kogine-{self.port}={self.token}"}

    def get(self, path: str) -> Answer:
        """The answer to a browser that has opened the printed URL."""
        return self.ask("GET", path, headers=self.signed)

    def memory(self) -> int:
        """Its resident memory, in bytes."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def interrupt(self) -> int:
        """Press Ctrl-C; its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


@contextmanager
def started(folder: Path, *words: str, **pipes: Any) -> Iterator[subprocess.Popen[str]]:
    """A process of ``kogine WORDS`` in *folder*; it is killed at the end."""
    launcher = Path(__file__).parents[1] / "kogine_command.py"
    environment = {**os.environ, "PYTHONPATH": on_path(), "KOGINE_CACHE": str(folder / ".programs")}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **pipes}
    command = [sys.executable, str(launcher), *words]
    process = subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def ui_server(folder: Path, *words: str) -> Iterator[UiServer]:
    """``kogine ui WORDS`` in *folder*, on a free port."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with started(folder, "ui", *words, "--no-browser", "--port", "0", **pipes) as process:
        yield _read_start(process)


def _read_start(process: subprocess.Popen[str]) -> UiServer:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if found := _URL.search(line):
            return UiServer(process, found[1], found[0], int(found[2]), found[3])
    raise AssertionError(f"kogine ui has ended:\n{''.join(lines)}")
