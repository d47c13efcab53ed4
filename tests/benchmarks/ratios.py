"""Interleaved timings of commands, as ratios to one of them.

Measuring in turns spreads the machine's other work over all commands; the median of the
ratios within each turn is what is reported, wall clock and CPU.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def installed_command() -> str:
    """``kogine`` beside the running interpreter, as a user starts it."""
    found = shutil.which("kogine", path=str(Path(sys.executable).parent))
    assert found, "install the package into this environment first"
    return found


def timed(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of one run of *command*."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def interleave(
    commands: Mapping[str, Sequence[str]],
    folder: Path,
    turns: int = 30,
    before_each: Callable[[str, int], None] | None = None,
) -> dict[str, list[tuple[float, float]]]:
    """Name -> wall and CPU seconds of each turn; the first turn warms up and is not counted."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(turns + 1):
        for name, command in commands.items():
            if before_each:
                before_each(name, turn)
            measured = timed(command, folder)
            if turn:
                times[name].append(measured)
    return times


def report(times: Mapping[str, list[tuple[float, float]]], base: str) -> str:
    """A line a command: median milliseconds, and ratios to *base*."""
    lines = []
    for name, measured in times.items():
        wall, cpu = (statistics.median(one[kind] for one in measured) for kind in (0, 1))
        ratios = [
            statistics.median(one[kind] / other[kind] for one, other in zip(measured, times[base]))
            for kind in (0, 1)
        ]
        lines.append(
            f"{name:32} {wall * 1e3:7.1f} ms wall {cpu * 1e3:7.1f} ms cpu   "
            f"x{ratios[0]:.2f} wall x{ratios[1]:.2f} cpu"
        )
    return "\n".join([f"({os.cpu_count()} cores, {len(times[base])} turns)", *lines])
