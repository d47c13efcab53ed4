"""Which process, so that it can be told later whether it still runs: a pid alone is used again."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class ProcessMark:
    """A process of this host."""

    pid: int
    #: When it started, as the system counts; empty where that cannot be read.
    start: str = ""

    @classmethod
    def of(cls, pid: int) -> ProcessMark:
        """The process that has *pid* now, if one has."""
        start = _start(pid)
        if start is None:
            start = "gone" if os.path.isdir("/proc/self") else ""
        return cls(pid, start)

    @property
    def is_alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        if self.start:
            return _start(self.pid) == self.start
        return _exists(self.pid)


def _start(pid: int) -> str | None:
    """``BOOT:TICKS`` of a process that runs; None for others, and where there is no ``/proc``."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return None if fields[0] in (b"Z", b"X") else f"{_boot()}:{int(fields[19])}"
    except OSError:
        return None


@functools.lru_cache(1)
def _boot() -> str:
    """Ticks begin anew with each start of the machine."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read(8)


def _exists(pid: int) -> bool:
    if pid <= 0:
        return False  # os.kill() would take these for whole groups
    if sys.platform == "win32":
        return _exists_on_windows(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # another user's
    return True


def _exists_on_windows(pid: int) -> bool:
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(0x100000, False, pid)  # SYNCHRONIZE
    if not handle:
        return False
    try:
        return bool(kernel.WaitForSingleObject(handle, 0))  # 0: it has ended
    finally:
        kernel.CloseHandle(handle)
