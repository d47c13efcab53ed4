"""Runs on Ray: on a cluster that exists already, by Ray Client, or on one of this machine."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from importlib import import_module
from typing import Any

from kohaku_ast.errors import UsageError
from kohaku_ast.executors.clusters import Cluster, read_options
from kohaku_ast.executors.worker import CALL
from kohaku_ast.runner.spawn import KILL

_OPTIONS: Mapping[str, tuple[str, type]] = {
    "gpus": ("num_gpus", float),
    "cpus": ("num_cpus", float),
}
"""Our name of an option -> Ray's, and its type."""
_RETRIES = 3
"""How often Ray runs a task again whose worker died."""
_CONNECTIONS = 4
_NO_SERVER = "Starting Ray client server failed"
_QUIET: Mapping[str, Any] = {
    "log_to_driver": False, "logging_level": logging.CRITICAL, "configure_logging": False,
}  # fmt: skip

# Ray sends a function of __main__ by value: one of ours could not be unpickled without ours.
_call = eval(
    "lambda text, arguments: eval(text, {'arguments': arguments})", {"__name__": "__main__"}
)


class RayCluster(Cluster):
    """A Ray cluster: a task for each run."""

    def __init__(self, options: Mapping[str, float]) -> None:
        """It is connected; *options* are what each task needs."""
        self._remote = _ray().remote(
            name="kogine run", max_retries=_RETRIES, **{"num_cpus": 1, **options}
        )(_call)
        self._refs: dict[Future[Any], Any] = {}
        self.slots = _slots(_ray().cluster_resources(), options)

    def submit(self, function: str, *arguments: object) -> Future[Any]:
        """Submit a task."""
        ref = self._remote.remote(CALL.format(name=function), arguments)
        future: Future[Any] = ref.future()
        self._refs[future] = ref
        future.add_done_callback(lambda one: self._refs.pop(one, None))
        return future

    def cancel(self, future: Future[Any]) -> bool:
        """No: the task of the future would run all the same."""
        return False

    def signal(self, key: str, number: int, future: Future[Any]) -> bool:
        """Cancel the task: its worker is interrupted, and ends the run; or it is killed."""
        ref = self._refs.get(future)
        if ref is not None:
            _ray().cancel(ref, force=number == KILL)
        return True

    def close(self) -> None:
        """Disconnect; a cluster of this machine ends."""
        with suppress(Exception):  # the cluster may have ended first
            _ray().shutdown()


def open_remote(text: str, workers: int | None) -> RayCluster:
    """The cluster at ``HOST:PORT,gpus=1``. Raises UsageError if it does not answer."""
    address, _, rest = text.partition(",")
    options = read_options(rest, f"ray://{text}", _OPTIONS)
    try:
        _connect(f"ray://{address}")
    except Exception as error:
        raise UsageError(
            f"--on ray://{text}: no Ray cluster answers there ({error}). To start one: "
            "ray start --head --ray-client-server-port 10001"
        ) from error
    return RayCluster(options)


def _connect(address: str) -> None:
    """Connect to the cluster by Ray Client. Raises what Ray does."""
    for number in range(_CONNECTIONS):
        try:
            _ray().init(address, **_QUIET)
            return
        except Exception as error:
            # The cluster forks a server for each client, and on a busy machine some die of that.
            if _NO_SERVER not in str(error) or number == _CONNECTIONS - 1:
                raise
            with suppress(Exception):
                _ray().shutdown()


def open_local(text: str, workers: int | None) -> RayCluster:
    """A cluster of this machine. Raises UsageError for wrong options."""
    options = read_options(text, f"ray:{text}", _OPTIONS)
    # Without "local" Ray joins the cluster that somebody has started last on this machine, or waits
    # for ever for one that has died.
    here: Any = {"address": "local", "_node_ip_address": "127.0.0.1"}
    _ray().init(num_cpus=workers, include_dashboard=False, **here, **_QUIET)
    return RayCluster(options)


def _slots(found: Mapping[str, float], options: Mapping[str, float]) -> int | None:
    """How many tasks with *options* have room in the resources *found*."""
    rooms = [found.get("CPU", 0) // (options.get("num_cpus", 1) or 1)]
    if options.get("num_gpus"):
        rooms.append(found.get("GPU", 0) // options["num_gpus"])
    return int(min(rooms)) or None


def _ray() -> Any:
    return import_module("ray")  # not everybody has it
