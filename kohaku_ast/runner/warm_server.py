"""In the warm server: a fresh interpreter that imports a script's libraries once and then forks
a process for each run.

Only C modules and our own are imported here: whatever this process has loaded, each run has.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal makes enums of all it gives
import gc
import marshal
import os
import select
import sys
from _socket import socket

from kohaku_ast.runner import STARTED_WITH
from kohaku_ast.runner.bottom import is_command, leave_for
from kohaku_ast.runner.process import EndWarning
from kohaku_ast.runner.shipment import launch_of
from kohaku_ast.runner.warm_child import Adoption, start_child
from kohaku_ast.runner.warm_end import WarmEnd
from kohaku_ast.runner.warm_preload import preload
from kohaku_ast.runner.warm_wire import ENDED, FAILED, READY, asked, send
from kohaku_ast.sigint import own_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType


def main(frame: FrameType) -> None:
    """Serve until the other side is gone; in each forked child, run its script."""
    own_process()
    os.setpgid(0, 0)  # Ctrl-C is for runs
    sock, job = socket(fileno=int(sys.argv[3])), int(sys.argv[4])
    parts, imports = marshal.loads(os.pread(job, os.fstat(job).st_size, 0))
    # Before the libraries register theirs: these are to come last.
    end, warning = WarmEnd(), EndWarning()
    started_with, ours = dict(os.environ), set(sys.modules) - STARTED_WITH
    loaded = preload(launch_of(parts), imports[: int(sys.argv[5])], [sock.fileno(), job])
    os.close(job)
    end.keep_loaded(ours)
    server = _Server(sock)
    send(sock, READY, loaded.threads)
    asked_for = server.serve()
    if asked_for is None:
        end.expect(0)
        sys.exit(0)
    start = start_child(*asked_for, Adoption(sock, end, warning, started_with, loaded.printed))
    if is_command(frame):
        leave_for(start)
    sys.exit(start())


class _Server:
    """Forks what it is asked for, and says how each run ended."""

    def __init__(self, sock: socket) -> None:
        self.sock = sock
        #: Process -> the number of its run.
        self.runs: dict[int, int] = {}
        # The libraries are not looked at by the garbage collector of each run, which would have
        # to copy the memory that they share with us.
        gc.collect()
        gc.freeze()
        self._handler = _signal.getsignal(_signal.SIGCHLD)
        self._ended, self._wake = os.pipe()
        os.set_blocking(self._ended, False)
        os.set_blocking(self._wake, False)
        self._wake_before = _signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        _signal.signal(_signal.SIGCHLD, lambda number, frame: None)

    def serve(self) -> tuple[int, list[int]] | None:
        """Comes back in a child, with what it is asked to do, and in the server at the end."""
        while True:
            ready, _, _ = select.select([self.sock, self._ended], [], [])  # type: ignore[type-var]
            if self._ended in ready:
                self._reap()
            if self.sock in ready:
                request = asked(self.sock)
                if request is None or self._is_child(*request):
                    return request

    def _is_child(self, number: int, descriptors: list[int]) -> bool:
        """Fork; whether this is the child."""
        try:
            pid = _fork()
        except OSError as error:
            send(self.sock, FAILED, number, f"{error.strerror} (fork)")
            pid = -1
        if pid == 0:
            self._leave()
            return True
        for one in descriptors:
            if one >= 0:
                os.close(one)
        if pid > 0:
            self.runs[pid] = number
        return False

    def _reap(self) -> None:
        os.read(self._ended, 4096)
        for pid, number in list(self.runs.items()):
            # Not -1: a library may wait for a process of its own.
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self.runs[pid]
                send(self.sock, ENDED, number, pid, os.waitstatus_to_exitcode(status))

    def _leave(self) -> None:
        """In the child: be no server any more."""
        _signal.set_wakeup_fd(self._wake_before)
        _signal.signal(_signal.SIGCHLD, self._handler)
        os.close(self._ended)
        os.close(self._wake)


def _fork() -> int:
    if sys.version_info < (3, 12):
        return os.fork()
    import warnings

    with warnings.catch_warnings():
        # Python warns if there are threads; those of BLAS libraries see to it themselves.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()
