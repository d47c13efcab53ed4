"""A cached result can run code: files and folders that others may have made are not read."""

from __future__ import annotations

import os
import pickle
import stat
import sys
import warnings
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Pipeline, node
from kohaku_ast.cache.disk import DiskCache, Hit
from kohaku_ast.errors import CacheWarning

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="owners and modes of POSIX")
root = pytest.mark.skipif(
    sys.platform == "win32" or os.getuid() != 0, reason="only root gives files away"
)
NOBODY = 65534

RAN: list[str] = []


def planted(key: str) -> bytes:
    """What a file of the cache holds, made by somebody who knows its form."""
    data = pickle.dumps(_Mark())
    return blake2b(data, digest_size=16, key=key.encode()[:64]).digest() + data


class _Mark:
    def __reduce__(self) -> tuple[Any, ...]:
        return _mark, ()


def _mark() -> str:
    RAN.append("it ran")
    return "planted"


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    RAN.clear()


def stored(folder: Path, key: str = "key") -> Path:
    """The file of a result that the cache in *folder* has stored."""
    DiskCache(folder).store(key, 1)
    return folder / "values" / key


def foreign(path: Path) -> None:
    os.chown(path, NOBODY, NOBODY)


def by_mode(mode: int) -> Callable[[Path], None]:
    return lambda path: path.chmod(mode)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(foreign, id="another user owns it", marks=root),
        pytest.param(by_mode(0o620), id="the group can write it"),
        pytest.param(by_mode(0o602), id="all can write it"),
    ],
)
def test_a_planted_file_is_not_unpickled(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = stored(tmp_path / "r")
    path.write_bytes(planted("key"))
    assert isinstance(DiskCache(tmp_path / "r").load("key"), Hit)  # the plant itself is sound
    assert RAN == ["it ran"]
    spoil(path)
    assert DiskCache(tmp_path / "r").load("key") is None
    assert RAN == ["it ran"]


def test_a_result_is_stored_anew_over_a_planted_file(tmp_path: Path) -> None:
    path = stored(tmp_path / "r")
    path.write_bytes(planted("key"))
    path.chmod(0o666)
    cache = DiskCache(tmp_path / "r")
    cache.store("key", 2)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    hit = DiskCache(tmp_path / "r").load("key")
    assert hit is not None
    assert hit.value == 2


def test_a_link_to_a_file_that_others_can_write_is_not_read(tmp_path: Path) -> None:
    path = stored(tmp_path / "r")
    other = tmp_path / "other"
    other.write_bytes(planted("key"))
    other.chmod(0o666)
    path.unlink()
    path.symlink_to(other)
    assert DiskCache(tmp_path / "r").load("key") is None
    assert RAN == []


def test_a_pipe_in_place_of_a_file_is_no_result_and_no_wait(tmp_path: Path) -> None:
    path = stored(tmp_path / "r")
    path.unlink()
    os.mkfifo(path, 0o600)
    assert DiskCache(tmp_path / "r").load("key") is None


def test_notes_are_as_private_as_results(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "r")
    cache.store_note("n", b"data")
    assert DiskCache(tmp_path / "r").load_note("n") == b"data"
    (tmp_path / "r" / "values" / "note-n").chmod(0o666)
    assert DiskCache(tmp_path / "r").load_note("n") is None


def test_a_folder_that_is_swapped_after_it_was_opened_is_not_used(tmp_path: Path) -> None:
    stored(tmp_path / "r")
    cache = DiskCache(tmp_path / "r")
    assert cache.load("key") is not None
    (tmp_path / "r" / "values").rename(tmp_path / "r" / "old")
    (tmp_path / "r" / "values").mkdir(mode=0o777)
    (tmp_path / "r" / "values").chmod(0o777)
    evil = tmp_path / "r" / "values" / "key"
    evil.write_bytes(planted("key"))
    evil.chmod(0o666)
    with pytest.warns(CacheWarning, match="written by others"):
        assert cache.load("key") is None
    cache.store("later", 3)
    assert RAN == []
    assert not (tmp_path / "r" / "values" / "later").exists()


@pytest.mark.parametrize(
    ("mode", "is_used"),
    [
        pytest.param(0o777, False, id="all can replace the folder"),
        pytest.param(0o1777, True, id="sticky, as /tmp"),
        pytest.param(0o755, True, id="only its owner"),
        pytest.param(0o707, False, id="all but the group"),
    ],
)
@pytest.mark.parametrize("depth", ["r", "a/b/r"])
def test_a_parent_that_others_can_write(
    tmp_path: Path, depth: str, mode: int, is_used: bool
) -> None:
    parent = tmp_path / "shared"
    parent.mkdir()
    folder = parent / depth
    folder.parent.mkdir(parents=True, exist_ok=True)
    parent.chmod(mode)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        cache = DiskCache(folder)
        cache.store("key", 1)
        cache.store("more", 1)
        found = DiskCache(folder).load("key")
    assert (found is not None) == is_used
    mine = [str(one.message) for one in told if one.category is CacheWarning]
    assert bool(mine) != is_used
    assert all(str(parent) in one and "sticky" in one for one in mine)


@pytest.mark.parametrize("is_own", [True, False])
def test_a_parent_that_a_group_can_write(tmp_path: Path, is_own: bool) -> None:
    """A group with the number of the user is his own: many systems let it write by default."""
    parent = tmp_path / "shared"
    parent.mkdir()
    if os.getuid() == 0:
        os.chown(parent, 0, 0 if is_own else 12345)
    elif (parent.stat().st_gid == os.getuid() == os.getgid()) != is_own:
        pytest.skip("the group of this user is the other kind")
    parent.chmod(0o775)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        DiskCache(parent / "r").store("key", 1)
        assert (DiskCache(parent / "r").load("key") is not None) == is_own


@root
def test_a_pipeline_runs_anew_what_another_user_has_planted(tmp_path: Path) -> None:
    ran: list[int] = []

    @node
    def a(n: int) -> int:
        ran.append(n)
        return n + 1

    Pipeline([a], cache=DiskCache(tmp_path / "r")).run({"n": 1}, "a")
    for path in (tmp_path / "r" / "values").iterdir():
        if "TAG" not in path.name and not path.name.startswith("."):
            path.write_bytes(planted(path.name))
            foreign(path)
    assert Pipeline([a], cache=DiskCache(tmp_path / "r")).run({"n": 1}, "a") == 2
    assert RAN == []
    assert len(ran) == 2
