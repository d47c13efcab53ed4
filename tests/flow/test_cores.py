"""The cores that this process may use: cgroups of both versions as they look in /sys and /proc."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kohaku_ast import Parallel
from kohaku_ast.flow.settings import usable_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


def cores(folder: Path, files: dict[str, str], own: str = "0::/\n") -> int:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "own").write_text(own)
    return usable_cores(folder, folder / "own")


@pytest.mark.parametrize(
    ("files", "own", "expected"),
    [
        pytest.param({}, "", 8, id="no cgroups"),
        pytest.param({"cpu.max": "max 100000\n"}, "0::/\n", 8, id="no limit"),
        pytest.param({"cpu.max": "200000 100000\n"}, "0::/\n", 2, id="two cores"),
        pytest.param({"cpu.max": "50000 100000\n"}, "0::/\n", 1, id="half a core"),
        pytest.param({"cpu.max": "350000 100000\n"}, "0::/\n", 3, id="three and a half"),
        pytest.param({"cpu.max": "6400000 100000\n"}, "0::/\n", 8, id="more than there are"),
        pytest.param({"a/b/cpu.max": "300000 100000"}, "0::/a/b\n", 3, id="of an inner group"),
        pytest.param(
            {"a/cpu.max": "200000 100000", "a/b/cpu.max": "max 100000"}, "0::/a/b\n", 2,
            id="of the group around it",
        ),
        pytest.param(
            {"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            "4:cpu,cpuacct:/\n", 4, id="version 1",
        ),
        pytest.param(
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            "4:cpu,cpuacct:/\n", 8, id="version 1 without a limit",
        ),
        pytest.param({"cpu.max": "what is this\n"}, "0::/\n", 8, id="something else"),
        pytest.param({"cpu.max": "100000 0\n"}, "0::/\n", 8, id="no period"),
    ],
)  # fmt: skip
def test_quota(tmp_path: Path, files: dict[str, str], own: str, expected: int) -> None:
    assert cores(tmp_path, files, own) == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity")
def test_affinity_of_a_real_process() -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    code += "from kohaku_ast.flow.settings import usable_cores; print(usable_cores())"
    folder = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, check=True)
    assert done.stdout == b"1\n"


def test_workers_are_as_many_as_cores(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("")
    assert Parallel([str(tmp_path / "s.py")]).settings.workers == usable_cores()
