"""The priority of a run."""

from __future__ import annotations

import os


def set_priority(pid: int, nice: int) -> None:
    """Give the process *pid* the niceness *nice*, where there is such a thing."""
    if hasattr(os, "setpriority"):
        try:
            os.setpriority(os.PRIO_PROCESS, pid, nice)
        except OSError:
            pass  # it is over, or may not be that fast: it runs as it is
