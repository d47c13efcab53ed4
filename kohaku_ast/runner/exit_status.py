"""How processes end, for those of ours that end as another one did."""

from __future__ import annotations

import os
import signal


def as_status(code: int) -> int:
    """What is left of *code* when a process ends with it: a byte, and 255 of what C cannot hold."""
    if os.name != "posix":
        return int(code)
    return code & 0xFF if -(2**63) <= code < 2**63 else 255


def die_of(number: int) -> int:
    """End this process by the signal *number*; the status for it, if that is blocked."""
    try:
        signal.signal(number, signal.SIG_DFL)
    except OSError:
        pass  # SIGKILL, which nobody handles
    if os.name == "posix":
        os.kill(os.getpid(), number)
    else:
        signal.raise_signal(number)
    return 128 + number
