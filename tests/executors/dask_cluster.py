"""A Dask scheduler with two worker processes on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.executors.cluster_runs import SECONDS, wait_for
from tests.oracle import on_path


def _start(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *words, "--no-dashboard"], cwd=folder,
        env={**os.environ, "PYTHONPATH": on_path(), "DASK_LOGGING__DISTRIBUTED": "error"},
        start_new_session=True,
    )  # fmt: skip


@contextmanager
def dask_cluster(folder: Path) -> Iterator[str]:
    """``dask://HOST:PORT`` of a scheduler with two workers of one thread each, which end behind."""
    file = folder / "scheduler.json"
    place = ["--scheduler-file", str(file)]
    own = ["--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"]
    started = [_start(folder, "scheduler", *place, *own)]
    try:
        wait_for(file.exists)
        started += [_start(folder, "worker", *place, "--nthreads", "1") for _ in range(2)]
        distributed: Any = import_module("distributed")
        with distributed.Client(scheduler_file=str(file)) as client:
            client.wait_for_workers(2, timeout=SECONDS)
            found = client.scheduler.address.removeprefix("tcp://")
        yield f"dask://{found}"
    finally:
        for one in started:
            os.killpg(one.pid, signal.SIGKILL)  # in good order it takes 8 seconds
            one.wait()
