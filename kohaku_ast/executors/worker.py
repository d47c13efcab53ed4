"""The worker's side of a run on a cluster: it checks the job, starts a fresh process for it and
returns how that ended. What crosses is builtins and bytes: a worker with another installation can
still say so.

State of this process: ``_running`` and ``_cancelled``.
"""

from __future__ import annotations

import marshal
import os
import platform
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Any, TypeAlias

from kohaku_ast.executors import orphans, transfer
from kohaku_ast.executors.attempts import Attempt
from kohaku_ast.executors.task_process import (
    ProcessDiedError,
    TaskProcess,
    has_process,
    lacks_files,
    run_task,
)
from kohaku_ast.executors.task_process import end_flow as end_flow  # clusters call it on workers
from kohaku_ast.frames import contextmanager
from kohaku_ast.runner.job import Packed
from kohaku_ast.runner.process_outcome import Unread
from kohaku_ast.runner.spawn import KILL, SpawnedRun, set_priority
from kohaku_ast.store.environment import RUN_DIR, host
from kohaku_ast.store.own_modules import text_hash
from kohaku_ast.transform.program.program import FORMAT
from kohaku_ast.version import VERSION

Message: TypeAlias = "tuple[tuple[str, ...], str, bytes]"
"""A job on the wire: the installation that it needs, the SHA-256 of the bytes, the job as bytes."""

CALL = "__import__('kohaku_ast.executors.worker', fromlist=['worker']).{name}(*arguments)"
"""What ``eval`` is to do on a worker: a function of ours could not be unpickled without ours."""

_MOST_CANCELLED = 10_000
_LOOK_SECONDS = 1.0

_running: dict[str, SpawnedRun | TaskProcess] = {}
"""Key -> what runs it, for the jobs of this process: a worker may run several, in threads."""

_cancelled: dict[str, None] = {}
"""The keys of jobs that were ended before they began here."""


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """One job to be sent to a worker."""

    #: A text that no other job has.
    key: str
    #: What ``runner.job.pack`` has made, and the script with its arguments, for lists of processes.
    data: bytes
    argv: list[str]
    #: The process of the flow.
    pid: int
    #: Variables to set in the environment of the worker.
    env: dict[str, str]
    #: The folder to run in, if the worker has it; empty: the folder for the files of the run.
    cwd: str
    #: Seconds that it may take, and seconds between one signal to end it and the next.
    timeout: float | None
    grace: float
    #: Niceness to add to the worker's own.
    nice: int = 0
    #: The folder of the record, empty if the run prints where the worker prints; and the number of
    #: the flow's attempt.
    folder: str = ""
    attempt: int = 1
    #: File -> SHA-256 of the script and its own modules, which the worker has to have, too.
    texts: Mapping[str, str] | None = None
    #: For a worker that does not see that folder: what it needs, as ``transfer`` reads it, the
    #: folder around the project, and the folders of its modules. None: it says so, and gets them.
    contents: Mapping[str, bytes] | None = None
    root: str = ""
    path: Sequence[str] = ()

    def message(self) -> Message:
        """The job for ``run`` on a worker."""
        body = marshal.dumps({**asdict(self), "texts": dict(self.texts or {})})
        return installation(), sha256(body).hexdigest(), body


@dataclass(frozen=True, slots=True)
class Reply:
    """How a job has ended, or why it was refused."""

    #: The end of its process; None if there was none.
    unread: Unread | None
    #: Whether it took longer than its timeout.
    is_late: bool = False
    #: The machine and process of the worker.
    worker: tuple[str, int] = ("", 0)
    #: Why the worker has not started it.
    refused: str = ""
    #: The files for its record, of a worker that does not see that.
    left: Mapping[str, bytes] | None = None
    #: Whether it was refused because the worker needs the contents of the files.
    lacks_contents: bool = False


def installation() -> tuple[str, ...]:
    """What has to be equal in the flow and on the workers: a Program is bytecode of one version."""
    return VERSION, str(FORMAT), str(sys.implementation.cache_tag), platform.python_version()


def run(needed: Sequence[str], digest: str, body: bytes) -> tuple[Any, ...]:
    """Run the job of a Message, and wait: the fields of its Reply, as builtins."""
    refused = why_unfit(needed)
    if not refused and sha256(body).hexdigest() != digest:
        refused = f"{host()} has received a damaged job"
    if refused:
        return None, False, _worker(), refused
    return _run(RemoteJob(**marshal.loads(body)))


def call(
    needed: Sequence[str], digest: str, body: bytes
) -> tuple[bytes | None, tuple[str, int], str, str, bool]:
    """Run a task of a pipeline in a process of its flow: the reply; the machine and the process of
    this worker; why it was refused; how the process has ended without a reply; and whether it needs
    the contents of the files of the flow.
    """
    refused = why_unfit(needed)
    if not refused and sha256(body).hexdigest() != digest:
        refused = f"{host()} has received a damaged task"
    key, flow, pid, keep, setup, data = (*"____", {}, b"") if refused else marshal.loads(body)
    if key in _cancelled:
        refused = "it was cancelled before it began"
    elif not refused and not has_process(flow):
        if lacks_files(setup) and not setup["contents"]:
            return None, _worker(), "", "", True
        refused = "" if lacks_files(setup) else _why_others(setup["texts"])
    if refused:
        return None, _worker(), refused, "", False
    try:
        with _interruptible(pid):
            begin = partial(_running.__setitem__, key)
            return run_task(flow, setup, data, keep, begin), _worker(), "", "", False
    except ProcessDiedError as error:
        return None, _worker(), "", str(error), False
    finally:
        _running.pop(key, None)


def send_signal(key: str, number: int) -> bool:
    """Send a signal to the job *key* if it runs in this process; whether it does. A job that comes
    later is not started.
    """
    spawned = _running.get(key)
    if spawned is not None:
        spawned.signal(number)
        if hasattr(signal, "SIGCONT"):
            spawned.signal(signal.SIGCONT)  # a stopped process gets nothing but SIGKILL
        return True
    while len(_cancelled) >= _MOST_CANCELLED:
        del _cancelled[next(iter(_cancelled))]
    _cancelled[key] = None
    return False


def why_unfit(needed: Sequence[str]) -> str:
    """Why this worker cannot run jobs of a flow with that installation; empty if it can."""
    own = installation()
    if (*own[:3],) == (*needed[:3],):
        return ""
    return (
        f"the worker on {host()} has kohaku-ast {own[0]} with Python {own[3]}, and the flow "
        f"{needed[0]} with Python {needed[3]}: install the same there, with the same Python: "
        f'pip install "kohaku-ast=={needed[0]}"'
    )


def _worker() -> tuple[str, int]:
    return host(), os.getpid()


def _run(job: RemoteJob) -> tuple[Any, ...]:
    refused = (
        "it was cancelled before it began" if job.key in _cancelled else _why_texts_differ(job)
    )
    if refused:
        return None, False, _worker(), refused
    if not job.folder:
        return _run_process(job, None)
    if os.path.isdir(job.folder):
        return _attempt(job)
    if job.contents is None:
        return None, False, _worker(), f"{host()} does not see {job.folder}", None, True
    with transfer.own_folder(job.contents) as folder:
        end = _attempt(replace(job, **transfer.fields_in(folder, job)))
        return (*end, transfer.take_record(folder, job.attempt, host()))


def _attempt(job: RemoteJob) -> tuple[Any, ...]:
    attempt = Attempt(job.folder, job.attempt)
    found = attempt.published()
    if found is not None:  # the worker that has run it died before it could report that
        return tuple(found)
    attempt.begin()
    return tuple(attempt.publish(_run_process(job, attempt)))


def _why_texts_differ(job: RemoteJob) -> str:
    if job.folder and not os.path.isdir(job.folder):
        return ""  # the texts come with the job
    return _why_others(job.texts or {})


def _why_others(texts: Mapping[str, str]) -> str:
    for file, digest in texts.items():
        found = text_hash(file)
        if found != digest:
            what = "another text of" if found else "no file"
            return (
                f"the worker on {host()} has {what} {file}: the script and its own modules have to "
                "be on a file system that the workers share"
            )
    return ""


def _run_process(job: RemoteJob, attempt: Attempt | None) -> tuple[Any, ...]:
    mark = uuid.uuid4().hex  # not the key: a cluster may run the same job twice at a time
    env, cwd = {**os.environ, **job.env, orphans.MARK: mark}, job.cwd
    log: int | None = None
    if attempt is not None:
        env[RUN_DIR], log = attempt.files, attempt.open_log()
        cwd = cwd or attempt.files
    try:
        spawned = SpawnedRun(
            Packed(job.data, job.argv), env=env, cwd=cwd if os.path.isdir(cwd) else None,
            stdin=None if log is None else subprocess.DEVNULL, stdout=log, stderr=log,
            new_session=True, is_tied=True,
        )  # fmt: skip
    finally:
        if log is not None:
            os.close(log)
    _running[job.key] = spawned
    orphans.watch(spawned.pid, mark)
    try:
        if job.nice and hasattr(os, "getpriority"):
            set_priority(spawned.pid, os.getpriority(os.PRIO_PROCESS, 0) + job.nice)
        with _interruptible(job.pid):
            return (*_ended(spawned, job), _worker(), "")
    finally:
        _running.pop(job.key, None)  # None: it may run here twice at a time
        spawned.close()
        orphans.forget(spawned.pid)


@contextmanager
def _interruptible(pid: int) -> Iterator[None]:
    """Inside, Ctrl-C interrupts a worker once; it may have the signal handlers of the flow *pid*.

    A terminal sends it to the worker, and the flow sends it, too: the second would end the worker,
    and with it the run, which may be saving.
    """
    if pid == os.getpid() or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _interrupt_once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt_once(*_: object) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _ended(spawned: SpawnedRun, job: RemoteJob) -> tuple[Unread, bool]:
    try:
        unread = _waited(spawned, job.timeout)
    except subprocess.TimeoutExpired:
        return _end(spawned, (signal.SIGTERM, KILL), job.grace), True
    except KeyboardInterrupt:
        # The terminal has sent it to the worker, not to the run, which has a session of its own.
        _end(spawned, (signal.SIGINT, signal.SIGTERM, KILL), job.grace)
        raise
    except (
        SystemExit
    ):  # submitit submits the job again, because its time is up or its node is taken
        _end(spawned, (signal.SIGTERM, KILL), job.grace)
        raise
    if unread[0] < 0:
        spawned.signal(KILL)  # the processes that a killed script has left behind
    return unread, False


def _waited(spawned: SpawnedRun, timeout: float | None) -> Unread:
    """The end of its process. Raises ``subprocess.TimeoutExpired``, and KeyboardInterrupt within a
    second: Ray interrupts Python code, and no wait in the system.
    """
    end = float("inf") if timeout is None else time.monotonic() + timeout
    while True:
        left = end - time.monotonic()
        try:
            return spawned.wait_unread(min(left, _LOOK_SECONDS))
        except subprocess.TimeoutExpired:
            if left <= _LOOK_SECONDS:
                raise


def _end(spawned: SpawnedRun, numbers: Sequence[int], grace: float) -> Unread:
    """End it by the signals *numbers*, one after another as long as it runs; its end."""
    for number in numbers:
        spawned.signal(number)
        if hasattr(signal, "SIGCONT"):
            spawned.signal(signal.SIGCONT)
        try:
            unread = spawned.wait_unread(None if number == KILL else grace)
        except subprocess.TimeoutExpired:
            continue
        spawned.signal(KILL)  # the processes that it has left behind
        return unread
    return spawned.wait_unread()
