"""Runs on Dask: on a scheduler that exists already, or on one that is started on this machine."""

from __future__ import annotations

import logging
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from typing import Any

from kohaku_ast.errors import UsageError
from kohaku_ast.executors.clusters import Cluster
from kohaku_ast.executors.worker import CALL
from kohaku_ast.store.environment import usable_cpus

_CONNECT_SECONDS = 10
_MOST_RUNS = 100
"""Runs that a cluster whose workers come later gets at a time, without ``--workers``."""


class DaskCluster(Cluster):
    """A Dask scheduler and its workers."""

    executor: Executor

    def __init__(self, client: Any, *closes: Any) -> None:
        """*client* is connected; *closes* were made for this flow, and end with it."""
        # Two runs with the same values are two runs: Dask would run one of them.
        super().__init__(client.get_executor(pure=False))
        self._client, self._closes = client, closes
        self.slots = sum(client.nthreads().values()) or None
        # A worker that does not answer must not hold up the flow.
        self._signals = ThreadPoolExecutor(1, "kogine-dask")

    def cancel(self, future: Future[Any]) -> bool:
        """No: Dask cancels what runs as well, and leaves it running."""
        return False

    def end_flow(self, flow: str) -> None:
        """Have all workers end their processes for *flow*."""
        with suppress(Exception):  # the scheduler may have ended first
            self._on_workers("end_flow", flow)

    def signal(self, key: str, number: int, future: Future[Any]) -> bool:
        """Send a signal to the job *key* on the worker that runs it, or cancel it."""
        self._signals.submit(self._signal, key, number, future)
        return True

    def _signal(self, key: str, number: int, future: Future[Any]) -> None:
        found = self._on_workers("send_signal", key, number)
        if not any(one is True for one in found.values()):
            future.cancel()  # no worker has begun it, and none will

    def why_unfit(self, needed: tuple[str, ...]) -> str:
        """Why one of its workers cannot run jobs of this installation."""
        for address, found in self._on_workers("why_unfit", needed).items():
            if isinstance(found, BaseException):
                return f"the worker {address}: {type(found).__name__}: {found}"
            if found:
                return str(found)
        return ""

    def _on_workers(self, function: str, *arguments: object) -> dict[str, Any]:
        """Worker -> what a *function* of ``executors.worker`` returns there, or its exception."""
        text = CALL.format(name=function)
        found = self._client.run(eval, text, {"arguments": arguments}, on_error="return")
        return dict(found)

    def close(self) -> None:
        """Disconnect; a cluster that was made for this flow is shut down."""
        self._signals.shutdown(wait=True)
        for one in self._closes:
            with suppress(Exception):  # the scheduler may have ended first
                one.close()


def open_remote(address: str, workers: int | None) -> DaskCluster:
    """The scheduler at *address*. Raises UsageError if it does not answer."""
    try:
        client = _client(f"tcp://{address}")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--on dask://{address}: no Dask scheduler answers there ({error}). To start one: "
            "dask scheduler; and on each machine: dask worker HOST:PORT"
        ) from error
    return DaskCluster(client, client)


def open_local(_: str, workers: int | None) -> DaskCluster:
    """A scheduler and a worker with as many threads as *workers*, in this process: each run has a
    process of its own anyway, and no port lets other users of this machine run code in it.
    """
    local: Any = _distributed().LocalCluster(
        n_workers=1,
        threads_per_worker=workers or usable_cpus(),
        processes=False,
        memory_limit=0,
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        silence_logs=logging.CRITICAL,
    )
    client = _client(local)
    return DaskCluster(client, client, local)


def of_object(made: Any, is_ours: bool) -> DaskCluster:
    """The user's *made*: a Client, its Executor, or a cluster (LocalCluster, SLURMCluster of
    ``dask_jobqueue``), whose workers may come later. *is_ours*: it ends with the flow.
    """
    if hasattr(made, "submit"):
        client = getattr(made, "_client", made)
        return DaskCluster(client, *[client][:is_ours])
    client = _client(made)
    found = DaskCluster(client, client, *[made][:is_ours])
    found.slots = max(found.slots or 0, _MOST_RUNS)
    return found


def _client(address: Any) -> Any:
    return _distributed().Client(address, timeout=_CONNECT_SECONDS)


def _distributed() -> Any:
    return import_module("distributed")  # not everybody has it
