"""Many runs with few descriptors: no process, file or descriptor is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracle import on_path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")

SCRIPT = "import tempfile\nn = 0\nwith tempfile.TemporaryFile() as file:\n    file.write(b'x')\n"
_MARK = "KOGINE_TEST_OF_LEAKS"


def run_many(mode: str, count: int, folder: Path, descriptors: int) -> dict[str, object]:
    """What is left of *count* runs by a process that may open no more than *descriptors*."""
    (folder / "small.py").write_text(SCRIPT)
    (folder / "temporary").mkdir()
    many = str(Path(__file__).with_name("many_runs.py"))
    command = f'ulimit -n {descriptors} && exec "$@"'
    mark = str(folder)
    done = subprocess.run(
        ["/bin/sh", "-c", command, "sh", sys.executable, many, mode, str(count), "small.py"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
        env={**os.environ, "PYTHONPATH": on_path(), "TMPDIR": str(folder / "temporary"), _MARK: mark},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    left: dict[str, object] = json.loads(done.stderr.splitlines()[-1])
    left["files"] = [one.name for one in folder.rglob("*") if one.is_file()]
    left["processes"] = processes_with(f"{_MARK}={mark}")
    return left


def processes_with(text: str) -> list[int]:
    """Those with *text* in the environment that they were started with."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if text.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            pass  # it has ended, or belongs to somebody else
    return found


def assert_nothing_is_left(left: dict[str, object], count: int) -> None:
    assert left["succeeded"] == count
    assert left["descriptors"] == []
    assert left["children"] == 0
    assert left["threads"] == ["MainThread"]
    assert left["files"] == ["small.py"]
    assert left["processes"] == []


@pytest.mark.parametrize(("mode", "count"), [("warm", 300), ("spawn", 60), ("inline", 300)])
def test_nothing_is_left_of_many_runs(mode: str, count: int, tmp_path: Path) -> None:
    assert_nothing_is_left(run_many(mode, count, tmp_path, 64), count)
