"""Processes on a worker that run the tasks of a flow: nodes of a pipeline, or items of its maps.

Each thread of a worker has one for each flow. It stays for the next tasks, so that modules are
imported, and permanences made, once; the texts of a flow that starts later are imported anew.

State of a worker: ``_processes``.
"""

from __future__ import annotations

import marshal
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import uuid
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from kohaku_ast.executors import orphans
from kohaku_ast.executors.transfer import project_in
from kohaku_ast.runner.launch import interpreter
from kohaku_ast.runner.process_exit import die_with_parent
from kohaku_ast.runner.spawn import KILL, block_sigint

Setup = Mapping[str, Any]
"""What a process needs of the flow: ``cwd``, ``path`` (what of ``sys.path`` is the user's own),
``argv``, ``grace`` (seconds between one signal to end it and the next), and ``texts``: file ->
SHA-256 of the user's modules. For workers without these files ``contents``, and the ``root`` that
they lie below.
"""

_PACKAGES = str(Path(__file__).parents[2])
_MAIN = """\
import sys
if not sys.path[0]: del sys.path[0]
if sys.argv[2] not in sys.path: sys.path.append(sys.argv[2])
from kohaku_ast.executors.task_process import main
main(int(sys.argv[1]), int(sys.argv[3]))
"""
_LOOK_SECONDS = 1.0
_IDLE_SECONDS = 60.0
"""After that without a task a process ends: its flow may have ended, and not every cluster can say
so to its workers.
"""
_TAKEN = b""
"""What a process sends when a task has arrived; its reply follows."""

_processes: dict[tuple[str, int], TaskProcess] = {}
"""The name of the flow and the number of the thread -> its process."""
_lock = threading.Lock()


class ProcessDiedError(Exception):
    """The process of a task has ended before its reply."""


class TaskProcess:
    """A process for the tasks of one flow, one after another."""

    def __init__(self, setup: Setup) -> None:
        self._grace = float(setup["grace"])
        self._folder = ""
        if lacks_files(setup):
            self._folder = tempfile.mkdtemp(prefix="kogine-")
            setup = project_in(self._folder, setup)
        self._pipe, theirs = Pipe()
        cwd = setup["cwd"] if os.path.isdir(setup["cwd"]) else None
        number, self._mark = str(theirs.fileno()), uuid.uuid4().hex
        with theirs, block_sigint():
            self._process = subprocess.Popen(
                [*interpreter(), "-c", _MAIN, number, _PACKAGES, str(os.getpid())],
                pass_fds=[theirs.fileno()], cwd=cwd, stdin=subprocess.DEVNULL,
                start_new_session=True, env={**os.environ, orphans.MARK: self._mark},
            )  # fmt: skip
        self._pipe.send_bytes(marshal.dumps(dict(setup)))

    def take(self, data: bytes) -> bool:
        """Whether it takes the task *data*: it may have ended, without a task for too long."""
        try:
            self._pipe.send_bytes(data)
            return self._received() == _TAKEN
        except (OSError, EOFError, ProcessDiedError):
            return False

    def reply(self) -> bytes:
        """The reply to the task. Raises ProcessDiedError."""
        orphans.watch(self._process.pid, self._mark)
        try:
            return self._received()
        except (OSError, EOFError):
            raise self.died() from None
        finally:
            orphans.forget(self._process.pid)

    def _received(self) -> bytes:
        # Ray interrupts Python code, and no wait in the system.
        while not self._pipe.poll(_LOOK_SECONDS):
            # A process that a node has started may hold the pipe open.
            if self._process.poll() is not None and not self._pipe.poll(0):
                raise self.died()
        return self._pipe.recv_bytes()

    def died(self) -> ProcessDiedError:
        """How it has ended, though nobody has asked for that."""
        status = self._end()
        return ProcessDiedError(f"by signal {-status}" if status < 0 else f"with status {status}")

    def signal(self, number: int) -> None:
        """Send a signal to it and to the processes that it has started."""
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def close(self) -> None:
        """End it: a process without a task releases its permanences first."""
        self._pipe.close()
        self._end()

    def kill(self) -> None:
        """End it in the middle of its task: by SIGTERM, and after the time of grace by SIGKILL."""
        self.signal(signal.SIGTERM)
        self._end()
        self._pipe.close()

    def _end(self) -> int:
        try:
            self._process.wait(self._grace)
        except subprocess.TimeoutExpired:
            pass
        self.signal(KILL)  # also what it has left behind
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        return self._process.wait()


def lacks_files(setup: Setup) -> bool:
    """Whether this machine does not have the user's modules where the flow has them."""
    return not all(map(os.path.exists, setup["texts"]))


def run_task(
    flow: str, setup: Setup, data: bytes, keep: bool, begin: Callable[[TaskProcess], None]
) -> bytes:
    """The reply to the task *data*, in the process that this thread has for *flow*; without *keep*
    that ends then. *begin* gets the process. Raises ProcessDiedError.
    """
    key = flow, threading.get_ident()
    process = _processes.get(key)
    try:
        if process is None or not process.take(data):
            process = _replaced(key, setup, process)
            if not process.take(data):
                raise process.died()
        begin(process)
        reply = process.reply()
    except BaseException as error:
        _forget(key)
        if process is not None and not isinstance(error, ProcessDiedError):
            process.kill()  # the worker is interrupted
        raise
    if not keep:
        _forget(key)
        process.close()
    return reply


def has_process(flow: str) -> bool:
    """Whether this thread has a process for *flow*."""
    return (flow, threading.get_ident()) in _processes


def _replaced(key: tuple[str, int], setup: Setup, before: TaskProcess | None) -> TaskProcess:
    if before is not None:
        before.close()
    with _lock:
        _processes[key] = made = TaskProcess(setup)
    return made


def _forget(key: tuple[str, int]) -> None:
    with _lock:
        _processes.pop(key, None)


def end_flow(flow: str) -> None:
    """End the processes of *flow*, which has no more tasks."""
    with _lock:
        ended = [_processes.pop(one) for one in [*_processes] if one[0] == flow]
    for one in ended:
        one.close()


# --- in the process ------------------------------------------------------------------------------


def main(number: int, parent: int) -> None:
    """Run the tasks that arrive by the pipe *number*, until it is closed."""
    os.set_inheritable(number, False)
    pipe = Connection(number)
    setup = marshal.loads(pipe.recv_bytes())
    sys.argv[:] = setup["argv"]
    sys.path[:0] = [one for one in setup["path"] if one not in sys.path]
    # Ctrl-C is for the flow, which ends this process. It is handled, not ignored: processes that a
    # node starts would inherit that.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    try:
        _run_tasks(pipe, parent)
    except (EOFError, OSError):
        pass  # the worker has ended
    # A thread of a node's may never end.
    threading.Thread(target=_end_later, args=(setup["grace"],), daemon=True).start()


def _run_tasks(pipe: Connection, parent: int) -> None:
    while pipe.poll(_IDLE_SECONDS):
        data = pipe.recv_bytes()
        pipe.send_bytes(_TAKEN)
        # A node must not go on without its worker: the cluster runs it again elsewhere.
        die_with_parent(parent)
        reply = _reply(data)
        # Between tasks the end of the pipe ends it: there is time to release permanences then.
        die_with_parent(parent, 0)
        pipe.send_bytes(reply)


def _reply(data: bytes) -> bytes:
    """The pickled result of the call *data*; or, marked, the traceback of what it raised."""
    try:
        function, arguments = pickle.loads(data)
        found = b"=" + pickle.dumps(function(*arguments), pickle.HIGHEST_PROTOCOL)
    except BaseException:  # also SystemExit: the flow gets all of it as text
        found = b"!" + traceback.format_exc().encode("utf-8", "backslashreplace")
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass  # the worker's is closed
    return found


def _end_later(seconds: float) -> None:
    threading.Event().wait(seconds)
    os._exit(0)
