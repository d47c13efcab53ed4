"""``python many_runs.py MODE RUNS SCRIPT``: a flow of many runs from a generator, and what is left
of it in this process, as JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from collections.abc import Iterator

from kohaku_ast import Config, Parallel, Script, Sequential


def main(mode: str, count: int, path: str) -> None:
    halfway = 0

    def configs() -> Iterator[Config]:
        nonlocal halfway
        for n in range(count):
            if n == count // 4:
                halfway = peak()
            yield Config({"n": n})

    script = Script(path, configs())
    before = descriptors()
    if mode == "inline":
        flow: Parallel | Sequential = Sequential([script], mode="inline", record=False)
    else:
        flow = Parallel([script], mode=mode, max_workers=2, record=False)
    good = sum(one.status == "succeeded" for one in flow.as_completed())
    left = sorted(descriptors() - before)
    print(
        json.dumps({
            "succeeded": good, "descriptors": left, "children": children(),
            "threads": [one.name for one in threading.enumerate()],
            "kilobytes_after_a_quarter": halfway, "kilobytes": peak(),
        }), file=sys.stderr,
    )  # fmt: skip


def peak() -> int:
    """The most memory that this process ever had, in KiB."""
    try:
        # Not getrusage(): that counts the process that has started this one, before its exec.
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def descriptors() -> set[str]:
    """What is open here."""
    folder = "/proc/self/fd"
    links = [os.path.join(folder, one) for one in os.listdir(folder)]
    return {f"{one} {os.readlink(one)}" for one in links if os.path.lexists(one)}


def children() -> int:
    """Processes of ours that are there or that nobody has waited for."""
    try:
        return 1 + os.waitpid(-1, os.WNOHANG)[0]
    except ChildProcessError:
        return 0


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
