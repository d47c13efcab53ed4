"""Caches that do not know of overrides: a run warns of them, or keeps them apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import run_kogine

MEMORY = """\
from joblib import Memory
memory = Memory(".results", verbose=0)
scale = 2
other = 1
@memory.cache
def work(x):
    return x * scale
print(work(3), other)
"""
NUMBA = """\
from numba import njit
scale = 2
@njit(cache=True)
def work(x):
    return x * scale
print(work(3))
"""
SHOWS = (
    "import os\nx = 1\nif False:\n    import numba\nprint(os.environ.get('NUMBA_CACHE_DIR', ''))\n"
)


def test_joblib_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(MEMORY)
    done = run_kogine(tmp_path, "run", "s.py", "scale=5", "other=7")
    assert done.stdout == "15 7\n"
    assert "override 'scale' is read by work() (line 6)" in done.stderr
    assert "'other'" not in done.stderr


def test_inspect_flags_cached_functions(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(MEMORY)
    done = run_kogine(tmp_path, "run", "--inspect", "s.py")
    assert "cached on disk: work() at line 6 reads memory, scale" in done.stdout


@pytest.mark.libraries
def test_numba_never_gives_an_old_result(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(NUMBA)
    environment = {"KOGINE_CACHE": str(tmp_path / "cache")}
    for value, result in (("2", "6"), ("5", "15"), ("2", "6"), ("7", "21"), ("5", "15")):
        done = run_kogine(tmp_path, "run", "s.py", f"scale={value}", **environment)
        assert (done.stdout, done.stderr) == (f"{result}\n", "")


def test_each_set_of_overrides_has_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(SHOWS)
    environment = {"KOGINE_CACHE": str(tmp_path / "cache")}
    folders = [
        run_kogine(tmp_path, "run", "s.py", f"x={value}", **environment).stdout for value in "121"
    ]
    assert folders[0] == folders[2] != folders[1]
    assert folders[0].startswith(str(tmp_path / "cache"))


def test_a_chosen_folder_is_kept_as_the_base(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(SHOWS)
    done = run_kogine(tmp_path, "run", "s.py", "x=2", NUMBA_CACHE_DIR="/mine")
    assert done.stdout.startswith("/mine/")


def test_without_overrides_nothing_is_set(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(SHOWS)
    assert run_kogine(tmp_path, "run", "s.py").stdout == "\n"
