"""A process that starts runs for the tests: not pytest's own, whose options they would get.

``python handle_driver.py`` reads a request a line: a WAY (``spawned`` or ``warmed``), a script, its
arguments, its stdin, its working folder and its environment. It answers each with the exit status
and with what was printed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kohaku_ast.runner.launch import find_launch
from kohaku_ast.runner.spawn import SpawnedRun
from kohaku_ast.runner.warm_client import WarmServer
from tests.fidelity.handles import bind, imports

_PATIENCE = 60  # seconds


class Driver:
    """The process, seen from a test."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
        )

    def run(self, *request: object) -> tuple[int, bytes, bytes]:
        """The answer to *request*."""
        feed, answers = self._process.stdin, self._process.stdout
        assert feed is not None
        assert answers is not None
        feed.write(f"{request!r}\n".encode())
        feed.flush()
        stop = threading.Timer(_PATIENCE, self._process.kill)
        stop.start()
        line = answers.readline()
        stop.cancel()
        assert line, f"{request} did not come to an end"
        answer: tuple[int, bytes, bytes] = eval(line)
        return answer

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def serve() -> None:
    """Answer until nobody asks any more."""
    answers = os.dup(1)
    for line in sys.stdin.buffer:
        way, path, argv, text, folder, env = eval(line)
        os.chdir(folder)
        os.write(answers, f"{run(way, path, argv, text, env)!r}\n".encode())


def run(
    way: str, path: str, argv: list[str], text: bytes, env: Mapping[str, str]
) -> tuple[int, bytes, bytes]:
    """Status, stdout and stderr of the run."""
    bound = bind(find_launch(path, argv))
    with ends(text) as (numbers, printed):
        if way == "spawned":
            spawned = SpawnedRun(bound, wants_value=False, env=env, **numbers)  # type: ignore[arg-type]
            out, err = printed()
            return spawned.wait(60).exit_status, out, err
        with WarmServer(bound.launch, imports(bound.launch), env, say=lambda text: None) as server:
            warmed = server.start(bound, wants_value=False, **numbers)  # type: ignore[arg-type]
            out, err = printed()
            return warmed.wait(60).exit_status, out, err


@contextmanager
def ends(text: bytes) -> Iterator[tuple[dict[str, int], Callable[[], tuple[bytes, bytes]]]]:
    """Descriptors for a process as ``subprocess.run`` makes them; and what gives these away and
    waits for all that is printed.
    """
    stdin, feed = os.pipe()
    with open(feed, "wb") as file:
        file.write(text)
    pipes = [os.pipe(), os.pipe()]
    given = [stdin, pipes[0][1], pipes[1][1]]

    def printed() -> tuple[bytes, bytes]:
        while given:
            os.close(given.pop())
        read: dict[int, bytes] = {}
        threads = [threading.Thread(target=drain, args=(one, read)) for one, _ in pipes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return read[pipes[0][0]], read[pipes[1][0]]

    try:
        yield dict(zip(("stdin", "stdout", "stderr"), given)), printed
    finally:
        while given:
            os.close(given.pop())


def drain(number: int, read: dict[int, bytes]) -> None:
    with open(number, "rb") as file:
        read[number] = file.read()


if __name__ == "__main__":
    sys.path[:] = [one for one in sys.path if Path(one) != Path(__file__).parent]
    serve()
