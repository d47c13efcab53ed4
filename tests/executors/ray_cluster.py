"""A Ray of two nodes on this machine, each with room for one run.

``python -m tests.executors.ray_cluster PORT`` starts one for Ray Client at PORT, and ends it, and no other
Ray, when its standard input ends.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import takewhile
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import psutil

from tests.oracle import on_path

_SECONDS = 90
_PATIENT = {"RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": str(_SECONDS)}
"""On a busy machine it takes longer than Ray's 30 seconds until a client is served."""


def main(port: int) -> None:
    """Start it, say so, and end it."""
    utils: Any = import_module("ray.cluster_utils")  # not everybody has it
    node = {"num_cpus": 1, "include_dashboard": False}
    cluster = utils.Cluster(
        initialize_head=True, head_node_args={**node, "ray_client_server_port": port}
    )
    try:
        cluster.add_node(**node)
        print("started", flush=True)
        sys.stdin.read()
    finally:
        cluster.shutdown()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def ray_cluster() -> Iterator[str]:
    """``ray://HOST:PORT`` of a cluster of two nodes, each with room for one run."""
    port = _free_port()
    # Who has it may run code there: Ray asks for it, of late.
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid.uuid4().hex}
    # Not in pytest's folder: its path is too long for the sockets of Ray.
    with patch.dict(os.environ, token), TemporaryDirectory(prefix="kogine-ray-") as folder:
        cluster = subprocess.Popen(
            [sys.executable, "-m", "tests.executors.ray_cluster", str(port)], cwd=folder,
            env={**os.environ, "PYTHONPATH": on_path(), "RAY_TMPDIR": folder, **_PATIENT}, text=True,
            start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        own = psutil.Process(cluster.pid)
        try:
            assert cluster.stdout is not None
            told = [*takewhile("started\n".__ne__, cluster.stdout)]
            assert cluster.poll() is None, told
            yield f"ray://127.0.0.1:{port}"
        finally:
            try:
                cluster.communicate(timeout=_SECONDS)
            except subprocess.TimeoutExpired:
                # Not `ray stop`: it ends every Ray on the machine.
                for one in [*own.children(recursive=True), own]:
                    one.kill()
                cluster.communicate()


if __name__ == "__main__":
    main(int(sys.argv[1]))
