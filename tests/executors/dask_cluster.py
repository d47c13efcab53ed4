"""A Dask scheduler with two worker processes on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.executors.cluster_runs import SECONDS, wait_for
from tests.executors.second_host import Hosts, two_hosts
from tests.oracle import on_path


def _start(folder: Path, *words: str, enter: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*enter, sys.executable, "-m", "dask", *words, "--no-dashboard"], cwd=folder,
        env={**os.environ, "PYTHONPATH": on_path(), "DASK_LOGGING__DISTRIBUTED": "error"},
        start_new_session=True,
    )  # fmt: skip


@contextmanager
def dask_cluster(folder: Path) -> Iterator[str]:
    """``dask://HOST:PORT`` of a scheduler with two workers of one thread each, one of them on a
    second host where that is permitted; they end behind.
    """
    with two_hosts() as hosts:
        yield from _cluster(folder, hosts)


def _cluster(folder: Path, hosts: Hosts) -> Iterator[str]:
    file = folder / "scheduler.json"
    place = ["--scheduler-file", str(file)]
    own = ["--host", hosts.first, "--port", "0", "--dashboard-address", "127.0.0.1:0"]
    started = [_start(folder, "scheduler", *place, *own)]
    try:
        wait_for(file.exists)
        for host, enter in ((hosts.first, ()), (hosts.second, hosts.enter)):
            words = ["worker", *place, "--nthreads", "1", "--host", host]
            started.append(_start(folder, *words, enter=enter))
        distributed: Any = import_module("distributed")
        with distributed.Client(scheduler_file=str(file)) as client:
            client.wait_for_workers(2, timeout=SECONDS)
            found = client.scheduler.address.removeprefix("tcp://")
        yield f"dask://{found}"
    finally:
        for one in started:
            os.killpg(one.pid, signal.SIGKILL)  # in good order it takes 8 seconds
            one.wait()
