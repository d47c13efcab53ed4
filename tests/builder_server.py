"""A builder that is ready: it makes the Programs for ``run_kogine`` and saves most of its time.

Nearly every test has a new script, and nearly all of the time of its first run is the import of
libcst in the process that builds the Program. This server has imported everything and forks for
each order. What it forks is kogine's own builder. One in three of the probes of ``tests/fidelity``,
tests with the fixture ``own_builders`` and all that start a command themselves use builders that
kogine has started.
"""

from __future__ import annotations

import marshal
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "TESTS_BUILDER_SOCKET"
"""Its socket, in the environment of the tests."""


@contextmanager
def builder_server() -> Iterator[None]:
    """Inside, a server answers, and ``VARIABLE`` says where. It ends with this process."""
    from tests.oracle import on_path

    with tempfile.TemporaryDirectory(prefix="kogine-") as folder:
        place = str(Path(folder, "builder"))
        with subprocess.Popen(
            [sys.executable, __file__, place], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": on_path()},
        ) as server:  # fmt: skip
            assert server.stdin is not None
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            os.environ[VARIABLE] = place
            try:
                yield
            finally:
                del os.environ[VARIABLE]
                server.stdin.close()


def _build(client: socket.socket) -> None:
    """Be the builder for one order."""
    from kohaku_ast.transform.program import build

    folder, path, environment, mask = marshal.loads(build._receive(client.fileno()))
    os.chdir(folder)
    os.umask(mask)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = [os.devnull, *path[1:], *path[:1]]
    build._leave_streams()
    build._serve(client.fileno(), client.fileno(), watch=True)


def _load_all() -> None:
    """Import what a builder imports, in functions too."""
    from kohaku_ast.transform.find.inspection import inspect_source
    from kohaku_ast.transform.find.source import decode
    from kohaku_ast.transform.program.compile import build_program
    from kohaku_ast.transform.program.program import Request

    text = "lr = 0.1\ndef main(n=1):\n    return n\nif __name__ == '__main__':\n    main()\n"
    source = decode(text.encode(), "s.py")
    inspect_source(source)
    build_program(source, Request((("lr", True, False), ("main(n)", True, False))))


def serve(place: str) -> None:
    """Answer at *place* until stdin ends."""
    _load_all()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        listening.listen(64)
        print("ready", flush=True)
        number = listening.fileno()
        while number in select.select([number, 0], [], [])[0]:
            client = listening.accept()[0]
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listening.close()
                try:
                    _build(client)
                finally:
                    os._exit(1)
            client.close()


if __name__ == "__main__":
    serve(sys.argv[1])
