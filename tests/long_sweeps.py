"""Sweeps of many runs, and the memory that they need."""

from __future__ import annotations

from pathlib import Path

from tests.oracle import run_kogine

TRIVIAL = """\
n = 0
m = n + 1


def main():
    return m


if __name__ == "__main__":
    main()
"""

ENDLESS = """\
def config_gen():
    n = 0
    while True:
        yield {"n": n}
        n += 1
"""

_COUNTED = """\
def config_gen():
    for n in range(%d):
        yield {"n": n}
    with open("/proc/self/status") as status:
        [peak] = [line.split()[1] for line in status if line.startswith("VmHWM")]
    with open("peak", "w") as file:
        file.write(peak)
"""
# VmHWM and not ru_maxrss: that one starts with the peak of the process that forked this one.


def peak_of_sweep(folder: Path, runs: int) -> int:
    """The peak memory of ``kogine run``, in KiB, for *runs* runs of a trivial script, on Linux."""
    (folder / "t.py").write_text(TRIVIAL)
    (folder / "counted.py").write_text(_COUNTED % runs)
    done = run_kogine(
        folder, "run", "t.py", "--config", "counted.py", "--no-record", "--mode", "inline"
    )
    assert done.status == 0, done.stderr
    return int((folder / "peak").read_text())
