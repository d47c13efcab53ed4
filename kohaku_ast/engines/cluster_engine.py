"""Pipelines on a cluster: ``DaskEngine``, ``RayEngine``, ``SlurmEngine``.

The flow decides what runs next, looks results up in the cache, calls hooks and writes the record.
Nodes, and items of maps, are tasks of the cluster: builtins and bytes, which a worker gives to a
process of this flow.
"""

from __future__ import annotations

import marshal
import os
import pickle
import sys
import threading
import uuid
from concurrent.futures import CancelledError, Executor, Future, wait
from hashlib import sha256
from signal import SIGTERM
from typing import Any

from kohaku_ast.engines.executor_engine import default_workers
from kohaku_ast.engines.futures import LostTaskError
from kohaku_ast.engines.native import NativeEngine
from kohaku_ast.engines.packed_value import run_alone
from kohaku_ast.errors import PipelineError
from kohaku_ast.executors.clusters import Cluster, check_name, connect
from kohaku_ast.executors.transfer import read_project
from kohaku_ast.executors.worker import installation
from kohaku_ast.pipeline.node_like import BY_VALUE
from kohaku_ast.runner.local_modules import find_local
from kohaku_ast.runner.spawn import KILL
from kohaku_ast.store.own_modules import text_hash
from kohaku_ast.user_code import is_local_file
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_GRACE = 5.0
"""Seconds that nodes have to release permanences and the like after SIGTERM."""


class ClusterEngine(NativeEngine):
    """Runs the nodes of a pipeline, and the items of its maps, on the cluster *on*: a text as of
    ``kogine run --on``, or an Executor of ``concurrent.futures``.

    Each run connects to the cluster and disconnects; ``with engine:`` stays connected, so that
    workers keep what they have imported and made. *max_workers*: how many nodes or items run there
    at the same time, instead of as many as it has room for. Raises UsageError; a run does if the
    cluster does not answer, or its package is not installed.
    """

    @public
    def __init__(self, on: str | Executor, max_workers: int | None = None) -> None:
        self.on, self._most = check_name(on), max_workers
        self._pool = ClusterPool(on, max_workers)
        super().__init__(self._pool, self._pool, max_workers)

    def connect(self) -> None:
        """Connect to the cluster, unless that is so. Raises UsageError."""
        self._pool.connect()

    def disconnect(self) -> None:
        """Disconnect, and end what still runs, when every ``connect`` has had its call of this."""
        self._pool.disconnect()

    def __enter__(self) -> ClusterEngine:
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    def __reduce__(self) -> tuple[Any, ...]:
        return ClusterEngine, (self.on, self._most)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.on}>"


class DaskEngine(ClusterEngine):
    """Runs pipelines on the Dask scheduler at *address* ("HOST:PORT"); without it on a Dask cluster
    of this machine. The rest is as for every ClusterEngine.
    """

    @public
    def __init__(self, address: str = "", max_workers: int | None = None) -> None:
        super().__init__(_text("dask", address, {}), max_workers)


class RayEngine(ClusterEngine):
    """Runs pipelines on the Ray cluster at *address* ("HOST:PORT", of its Ray Client server);
    without it on one of this machine. Each task, a node or a part of a map, has so many *cpus* and
    *gpus*.
    """

    @public
    def __init__(
        self,
        address: str = "",
        cpus: float | None = None,
        gpus: float | None = None,
        max_workers: int | None = None,
    ) -> None:
        super().__init__(_text("ray", address, {"cpus": cpus, "gpus": gpus}), max_workers)


class SlurmEngine(ClusterEngine):
    """Runs pipelines as jobs of SLURM: ``SlurmEngine(partition="gpu", gpus=1, time=60)``; *local*:
    as such jobs on this machine. *options* are those of ``--on slurm:``.
    """

    @public
    def __init__(
        self, local: bool = False, max_workers: int | None = None, **options: str | float
    ) -> None:
        super().__init__(_text("slurm-local" if local else "slurm", "", options), max_workers)


def _text(name: str, address: str, options: dict[str, Any]) -> str:
    """The text of ``--on`` for a cluster."""
    given = [f"{one}={value}" for one, value in options.items() if value is not None]
    if address:
        return ",".join([f"{name}://{address.removeprefix(f'{name}://')}", *given])
    return ":".join([name, *filter(None, [",".join(given)])])


class ClusterPool(Executor):
    """Has the workers of a cluster call functions of ours."""

    def __init__(self, on: str | Executor, workers: int | None) -> None:
        self._on, self._workers = on, workers
        self._lock = threading.RLock()
        self._users = 0
        self._cluster: Cluster | None = None
        #: The name of the connection, and what processes on workers need of this one.
        self._flow = ""
        self._setup: dict[str, Any] = {}
        #: What runs, or waits for a worker.
        self._tasks: dict[_TaskFuture, None] = {}

    @property
    def worthwhile(self) -> float:
        """Seconds that a part of a map should take."""
        return self._cluster.worthwhile if self._cluster is not None else Cluster.worthwhile

    @property
    def _max_workers(self) -> int:  # as the executors of the standard library have it
        slots = self._cluster.slots if self._cluster is not None else None
        return self._workers or slots or default_workers()

    def connect(self) -> None:
        """Another run begins. Raises UsageError."""
        with self._lock:
            if self._cluster is None:
                self._cluster = connect(self._on, self._workers)
                self._flow, self._setup = uuid.uuid4().hex, _setup()
            self._users += 1

    def disconnect(self) -> None:
        """A run has ended. After the last one, also when it was interrupted, nothing runs on."""
        with self._lock:
            self._users -= 1
            if self._users or self._cluster is None:
                return
            cluster, self._cluster = self._cluster, None
        try:
            self._end_tasks(cluster)
            cluster.end_flow(self._flow)
        finally:
            cluster.close()

    def _end_tasks(self, cluster: Cluster) -> None:
        for number in (SIGTERM, KILL):
            running = [one for one in [*self._tasks] if not one.done()]
            for one in running:
                cluster.signal(one.key, number, one.inner)
            wait(running, 2 * _GRACE)

    def submit(  # type: ignore[override]  # our functions have no keywords
        self, function: Callable[..., Any], /, *arguments: Any
    ) -> Future[Any]:
        """Have a worker call *function*, which is one of ours. Raises UncrossableValue."""
        cluster = self._cluster
        if cluster is None:
            raise RuntimeError("there is no connection to the cluster")
        token = BY_VALUE.set(True)
        try:
            data = pickle.dumps((run_alone, (function, *arguments)), pickle.HIGHEST_PROTOCOL)
        finally:
            BY_VALUE.reset(token)
        future = _TaskFuture(cluster, lambda key, complete: self._call(key, data, complete))
        self._tasks[future] = None
        future.add_done_callback(lambda _: self._tasks.pop(future, None))
        try:
            future.begin()
        except BaseException:
            del self._tasks[future]
            raise
        return future

    def _call(self, key: str, data: bytes, complete: bool) -> tuple[Any, ...]:
        """The call on the worker; *complete*: with the files of the user's modules. Raises OSError
        and ValueError.
        """
        with self._lock:
            if complete and not self._setup["contents"]:
                root, contents = read_project(self._setup["texts"], self._setup["cwd"])
                self._setup.update(root=root, contents=contents)
        keep = self._cluster is not None and self._cluster.has_lasting_workers
        body = marshal.dumps((key, self._flow, os.getpid(), keep, self._setup, data))
        return "call", installation(), sha256(body).hexdigest(), body


class _TaskFuture(Future):  # type: ignore[type-arg]
    """The Future of a task."""

    inner: Future[Any]

    def __init__(self, cluster: Cluster, call: Callable[[str, bool], tuple[Any, ...]]) -> None:
        """*call* gives the call on the worker, for a key, and with the files of the flow or not."""
        super().__init__()
        self._cluster, self._call = cluster, call
        self.key = uuid.uuid4().hex

    def begin(self, complete: bool = False) -> None:
        """Submit it, *complete* if a worker does not have the files of the flow."""
        self.inner = self._cluster.submit(*self._call(self.key, complete))
        self.inner.add_done_callback(self._again_or_take)

    def _again_or_take(self, inner: Future[Any]) -> None:
        if inner.cancelled() or inner.exception() is not None or not inner.result()[4]:
            self._take(inner)
            return
        # A thread of its own: that of a cluster may not submit.
        threading.Thread(target=self._again, name="kogine-submit", daemon=True).start()

    def _again(self) -> None:
        try:
            self.begin(complete=True)
        except Exception as error:
            if self.set_running_or_notify_cancel():
                self.set_exception(error)

    def cancel(self) -> bool:
        """Cancel it if no worker has begun it, and nobody need wait for that."""
        return self._cluster.cancel(self.inner) and super().cancel()

    def _take(self, inner: Future[Any]) -> None:
        if not self.set_running_or_notify_cancel():
            return
        try:
            self.set_result(_reply_of(inner))
        except BaseException as error:
            self.set_exception(error)


def _reply_of(inner: Future[Any]) -> Any:
    """The RemoteReply of the task. Raises PipelineError, and LostTaskError if it has none."""
    try:
        data, worker, refused, died, _ = inner.result()
    except CancelledError:
        raise
    except BaseException as error:
        raise LostTaskError(f"the cluster has lost it: {type(error).__name__}: {error}") from error
    host, pid = worker
    if refused:
        raise PipelineError(refused)
    if died:
        raise LostTaskError(
            f"its process on the worker {host}:{pid} has ended {died}: killed, out of memory, or "
            "by a crash of compiled code"
        )
    if data[:1] != b"=":
        text = data[1:].decode("utf-8", "replace")
        raise LostTaskError(f"the worker {host}:{pid} could not run it:\n{text}")
    reply = pickle.loads(data[1:])
    reply.worker = f"{host}:{pid}"
    return reply


def _setup() -> dict[str, Any]:
    """What processes on workers need of this one."""
    path = [os.path.abspath(one) for one in sys.path]
    own = [one for one in path if os.path.isdir(one) and is_local_file(os.path.join(one, "x.py"))]
    return {
        "cwd": os.getcwd(),
        "path": [*dict.fromkeys(own)],
        "argv": [*map(str, sys.argv)],
        "grace": _GRACE,
        "texts": _texts(path[0] if path else ""),
        "contents": {},
        "root": "",
    }


def _texts(first: str) -> dict[str, str]:
    """File -> SHA-256 of the user's modules so far, below the folder *first* or the working one."""
    modules = {**sys.modules}
    names = {name for folder in (first, os.getcwd()) for name in find_local(modules, folder)}
    files = {getattr(modules[name], "__file__", None) or "" for name in names}
    found = {file: text_hash(file) for file in sorted(files) if file.endswith(".py")}
    return {file: digest for file, digest in found.items() if digest}
