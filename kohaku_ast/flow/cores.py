"""How many cores this process may use: of a container or a job often fewer than there are."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def usable_cores(cgroups: Path = _CGROUPS, own: Path = Path("/proc/self/cgroup")) -> int:
    """The cores of the affinity mask, and no more than the CPU quota of the cgroup allows."""
    quota = min(_quotas(cgroups, own), default=None)
    cores = _affinity()
    return cores if quota is None else max(1, min(cores, int(quota)))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(cgroups: Path, own: Path) -> list[float]:
    """Cores by the quota of our cgroup and of those above it; version 2, else version 1."""
    limits = [_read(folder / "cpu.max").split() for folder in _folders(cgroups, own)]
    limits.append([_read(cgroups / f"cpu/cpu.cfs_{one}_us").strip() for one in ("quota", "period")])
    return [
        int(limit[0]) / int(limit[1])
        for limit in limits
        # No limit is called "max", or -1.
        if len(limit) == 2 and limit[0].isdigit() and limit[1].isdigit() and int(limit[1])
    ]


def _folders(cgroups: Path, own: Path) -> list[Path]:
    lines = [line.split(":", 2) for line in _read(own).splitlines()]
    paths = [parts[2].lstrip("/") for parts in lines if len(parts) == 3 and parts[1] == ""]
    inner = cgroups / paths[0] if paths else cgroups
    return [one for one in (inner, *inner.parents) if one == cgroups or cgroups in one.parents]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
