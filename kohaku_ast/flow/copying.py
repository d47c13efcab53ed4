"""The process that copies what runs print, as its flow sees it."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable

from kohaku_ast.flow import tee_process
from kohaku_ast.flow.tee_process import Output

IS_POSSIBLE = hasattr(socket, "send_fds")
_PATIENCE = 1.0  # seconds


class Copying:
    """One such process. It lives as long as what it copies, whatever becomes of this one."""

    def __init__(self, turns: int) -> None:
        """*turns* is the file that both lock. Raises OSError if nothing can be started."""
        self.turns = turns
        self._control, other = socket.socketpair()
        # Its end is seen at once, new runs only when it looks.
        reader, self._life = os.pipe()
        numbers = [other.fileno(), turns, reader]
        try:
            self._process = subprocess.Popen(
                # Alone it is fast, and no file in the working folder can hide a module from it.
                [sys.executable, "-I", "-S", tee_process.__file__, *map(str, numbers)],
                pass_fds=numbers, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        except BaseException:
            self._let_go()
            raise
        finally:
            other.close()
            os.close(reader)

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def await_end(self, then: Callable[[], None]) -> None:
        """Call *then* when it has ended, in a thread."""
        self._process.wait()
        then()

    def hand_over(self, output: Output) -> None:
        """It copies *output* from now on; this process may, too. Raises OSError."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                socket.send_fds(self._control, [output.kind], output.descriptors)
                return
            except OSError as error:
                # As many are under way as this user may have open: it will take some.
                if error.errno != errno.ETOOMANYREFS or time.monotonic() > deadline:
                    raise
                time.sleep(tee_process.TICK)

    def close(self) -> None:
        """No other run will come."""
        self._let_go()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.returncode = 0  # it serves what the runs have left running

    def _let_go(self) -> None:
        self._control.close()
        os.close(self._life)
