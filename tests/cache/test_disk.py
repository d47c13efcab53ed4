"""Results on disk, with real processes: several writers, killed writers, full and foreign folders."""

from __future__ import annotations

import os
import pickle
import signal
import stat
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.cache.disk import DiskCache, Hit, NotCacheable
from kohaku_ast.errors import CacheWarning, PipelineError

ROOT = Path(__file__).parents[2]
posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and signals of POSIX")


def value_of(cache: DiskCache, key: str) -> Any:
    hit = cache.load(key)
    return hit.value if hit is not None else "a miss"


def store_all(cache: DiskCache, keys: Iterable[str]) -> None:
    for key in keys:
        cache.store(key, 1)


def files(folder: Path) -> list[str]:
    marks = {"CACHEDIR.TAG", ".gitignore"}
    return sorted(one.name for one in (folder / "values").iterdir() if one.name not in marks)


@pytest.mark.parametrize("value", [None, 0, "x", [1, {"a": b"b"}], b"x" * 300_000, float("inf")])
def test_what_is_stored_is_loaded_by_another_cache(tmp_path: Path, value: object) -> None:
    DiskCache(tmp_path / "kept").store("key", value)
    hit = DiskCache(tmp_path / "kept").load("key")
    assert isinstance(hit, Hit)
    assert hit.value == value


def test_a_file_a_key_and_nothing_until_the_first(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "kept")
    assert cache.load("key") is None
    assert not (tmp_path / "kept").exists()
    for key in ("one", "two", "one"):
        cache.store(key, key)
    assert files(tmp_path / "kept") == ["one", "two"]


@posix
def test_private_and_marked(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("a file of the user's")
    DiskCache(tmp_path).store("key", 1)
    values = tmp_path / "values"
    assert stat.S_IMODE(values.stat().st_mode) == 0o700
    assert stat.S_IMODE((values / "key").stat().st_mode) == 0o600
    assert (values / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f068")
    assert (values / ".gitignore").read_text() == "*\n"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["mine", "values"]


DAMAGE = [
    pytest.param(lambda data: b"", id="empty"),
    pytest.param(lambda data: data[:-1], id="cut"),
    pytest.param(lambda data: data[:7], id="cut in the digest"),
    pytest.param(lambda data: data + b"x", id="longer"),
    pytest.param(lambda data: data[:-3] + bytes([data[-3] ^ 1]) + data[-2:], id="one bit"),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_a_miss_and_is_replaced(tmp_path: Path, damage: Any) -> None:
    cache = DiskCache(tmp_path)
    cache.store("key", [1, 2])
    path = tmp_path / "values" / "key"
    path.write_bytes(damage(path.read_bytes()))
    assert cache.load("key") is None
    cache.store("key", [1, 2])
    assert value_of(cache, "key") == [1, 2]


def test_a_file_under_another_key_is_a_miss(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    cache.store("one", 1)
    os.rename(tmp_path / "values" / "one", tmp_path / "values" / "two")
    assert cache.load("two") is None


class Gone:
    pass


def test_a_value_whose_class_is_gone_is_a_miss(tmp_path: Path, monkeypatch: Any) -> None:
    cache = DiskCache(tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "Gone", Gone)
    cache.store("key", Gone())
    monkeypatch.delattr(sys.modules[__name__], "Gone")
    assert cache.load("key") is None


def test_what_was_not_used_for_longest_goes(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, most_bytes=10_000)
    for number in range(8):
        cache.store(f"k{number}", b"x" * 1000)
        os.utime(tmp_path / "values" / f"k{number}", (number, number))
    assert value_of(DiskCache(tmp_path, most_bytes=10_000), "k0") != "a miss"
    for number in range(8, 12):
        cache.store(f"k{number}", b"x" * 1000)
    kept = files(tmp_path)
    assert "k0" in kept, "it was used"
    assert "k1" not in kept
    assert "k11" in kept
    assert sum(os.stat(tmp_path / "values" / name).st_size for name in kept) <= 10_000


def test_a_result_beyond_the_limit_empties_nothing(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, most_bytes=1000)
    cache.store("small", 1)
    with pytest.raises(NotCacheable, match=r"5\d{3} bytes.*most_bytes"):
        cache.store("large", b"x" * 5000)
    assert files(tmp_path) == ["small"]


def test_a_folder_with_files_of_the_user_loses_none(tmp_path: Path) -> None:
    (tmp_path / "values").mkdir(mode=0o700)
    (tmp_path / "values" / "data.csv").write_text("measured\n" * 1000)
    cache = DiskCache(tmp_path, most_bytes=1000)
    cache.store("small", 1)
    cache.clear()
    assert "data.csv" in files(tmp_path)


def test_a_label_is_not_part_of_the_result(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    cache.store("key", b"kogine label", ("rows", "flow.py:3"))
    assert value_of(cache, "key") == b"kogine label"
    cache.store("key", b"kogine label")
    assert value_of(cache, "key") == b"kogine label"


@pytest.mark.parametrize("most", [0, -1, 1.5, "1G"])
def test_a_limit_that_makes_no_sense_is_refused(tmp_path: Path, most: Any) -> None:
    with pytest.raises(PipelineError, match="most_bytes"):
        DiskCache(tmp_path, most_bytes=most)


def test_a_folder_that_cannot_be_made_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = DiskCache(tmp_path / "file" / "kept")
    with pytest.warns(CacheWarning, match=r"cannot be stored.*another folder") as caught:
        store_all(cache, "abc")
    assert cache.load("a") is None
    assert len(caught) == 1


def test_a_full_disk_is_said_once_and_leaves_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    cache = DiskCache(tmp_path)
    cache.store("before", 1)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.warns(CacheWarning, match="No space") as caught:
            store_all(cache, ["key", "other"])
    assert len(caught) == 1
    assert files(tmp_path) == ["before"]
    cache.store("key", 1)
    assert value_of(cache, "key") == 1


@posix
def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    DiskCache(tmp_path).store("key", 1)
    (tmp_path / "values").chmod(0o777)
    cache = DiskCache(tmp_path)
    with pytest.warns(CacheWarning, match="written by others") as caught:
        store_all(cache, ["other", "third"])
    assert cache.load("key") is None
    assert len(caught) == 1
    assert files(tmp_path) == ["key"]


@posix
@pytest.mark.skipif(hasattr(os, "getuid") and os.getuid() == 0, reason="root writes anywhere")
def test_a_folder_that_can_only_be_read_gives_hits(tmp_path: Path) -> None:
    DiskCache(tmp_path).store("key", 1)
    (tmp_path / "values").chmod(0o500)
    try:
        cache = DiskCache(tmp_path)
        assert value_of(cache, "key") == 1
        with pytest.warns(CacheWarning, match="cannot be stored"):
            cache.store("other", 1)
    finally:
        (tmp_path / "values").chmod(0o700)


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path) -> None:
    import shutil

    cache = DiskCache(tmp_path / "kept")
    cache.store("one", 1)
    shutil.rmtree(tmp_path / "kept")
    cache.store("two", 2)
    assert value_of(cache, "two") == 2
    assert (tmp_path / "kept" / "values" / ".gitignore").exists()


def test_it_travels_to_another_process(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    cache = DiskCache("kept", most_bytes=10**6)
    cache.store("key", 1)
    monkeypatch.chdir(ROOT)
    other = pickle.loads(pickle.dumps(cache))
    assert (value_of(other, "key"), other.most_bytes) == (1, 10**6)


WRITER = """\
import sys
from kohaku_ast.cache.disk import DiskCache

cache = DiskCache(sys.argv[1], most_bytes=4_000_000)
seed = int(sys.argv[2])
print("ready", flush=True)
number = 0
while number < int(sys.argv[3]):
    key = f"key{(number * 7 + seed) % 40}"
    hit = cache.load(key)
    if hit is not None and hit.value != [key] * 20_000:
        sys.exit(f"wrong value under {key}")
    cache.store(key, [key] * 20_000)
    number += 1
"""


def writer(folder: Path, seed: int, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WRITER, str(folder), str(seed), str(count)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_many_processes_write_the_same_keys(tmp_path: Path) -> None:
    writers = [writer(tmp_path, seed, 60) for seed in range(6)]
    errors = [one.communicate()[1] for one in writers]
    assert [one.returncode for one in writers] == [0] * 6, errors
    cache = DiskCache(tmp_path)
    assert all(value_of(cache, name) == [name] * 20_000 for name in files(tmp_path))
    assert not [name for name in files(tmp_path) if name.endswith(".partial")]


@posix
def test_killed_writers_leave_whole_results_or_none(tmp_path: Path) -> None:
    for seed in range(8):
        one = writer(tmp_path, seed, 10**9)
        assert one.stdout is not None
        one.stdout.readline()
        first = set(os.listdir(tmp_path / "values")) if (tmp_path / "values").exists() else set()
        while not (tmp_path / "values").exists() or set(os.listdir(tmp_path / "values")) == first:
            assert one.poll() is None
        one.send_signal(signal.SIGKILL)
        one.communicate()
    cache = DiskCache(tmp_path)
    names = [name for name in files(tmp_path) if not name.endswith(".partial")]
    assert names
    assert all(value_of(cache, name) == [name] * 20_000 for name in names)


RESUMED = """\
import os, signal, sys
from kohaku_ast.cache.disk import DiskCache
from kohaku_ast.pipeline.node import node
from kohaku_ast.pipeline.pipeline import Pipeline

@node(cache=False)
def fatal(x):
    if x == 3 and len(sys.argv) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return x

@node
def made(fatal):
    print("made", fatal)
    return [fatal] * 1000

pipeline = Pipeline([fatal, made], cache=DiskCache("kept"))
pipeline.map({"x": range(5)}, map_over="x", output_name="made")
"""


@posix
def test_a_killed_map_goes_on_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(RESUMED)
    printed = []
    for arguments in ([], ["again"], ["again"]):
        done = subprocess.run(
            [sys.executable, "-u", "flow.py", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        printed.append(done.stdout.replace("made ", "").split())
    assert printed == [["0", "1", "2"], ["3", "4"], []]


def test_what_a_killed_writer_left_is_removed_later(tmp_path: Path) -> None:
    DiskCache(tmp_path).store("one", 1)
    left, fresh = (tmp_path / "values" / f"{name}.9.9.partial" for name in ("left", "fresh"))
    left.write_bytes(b"x")
    fresh.write_bytes(b"x")
    os.utime(left, (time.time() - 7200,) * 2)
    DiskCache(tmp_path).store("two", 2)
    assert files(tmp_path) == ["fresh.9.9.partial", "one", "two"]


def run_with_mounts(shell: str, folder: Path) -> None:
    """Run *shell* where it may mount; it skips the test where nobody may."""
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", shell.format(python=sys.executable)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("no mounts of one's own here")
    assert done.returncode == 0, done.stderr


FULL = """\
mkdir -p small && mount -t tmpfs -o size=300k none small || exit 77
"{python}" - <<'END'
import os, warnings
from kohaku_ast.cache.disk import DiskCache
from kohaku_ast.pipeline.node import node
from kohaku_ast.pipeline.pipeline import Pipeline

@node
def rows(x):
    return os.urandom(100_000) + b"%d" % x

with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    pipeline = Pipeline([rows], cache=DiskCache("small/kept"))
    results = pipeline.map({{"x": range(6)}}, map_over="x", output_name="rows")
assert [one[100_000:] for one in results] == [b"%d" % x for x in range(6)]
assert len(said) == 1 and "No space left" in str(said[0].message), said
states = [pipeline.explain_cache({{"x": x}}, "rows")["rows"].state for x in range(6)]
count = states.count("kept")
assert 0 < count < 6 and states == ["kept"] * count + ["runs"] * (6 - count), states
kept = DiskCache("small/kept")
for x in range(count):
    key = pipeline.explain_cache({{"x": x}}, "rows")["rows"].key
    assert kept.load(key).value == (results[x],)
assert not [name for name in os.listdir("small/kept/values") if name.endswith(".partial")]
END
"""


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs")
def test_a_file_system_that_is_really_full(tmp_path: Path) -> None:
    run_with_mounts(FULL, tmp_path)


READ_ONLY = """\
mount --bind kept kept && mount -o remount,ro,bind kept || exit 77
"{python}" - <<'END'
import warnings
from kohaku_ast.cache.disk import DiskCache

cache = DiskCache("kept")
assert cache.load("key").value == 1
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    cache.store("other", 2)
    cache.store("third", 2)
assert len(said) == 1 and "cannot be stored" in str(said[0].message), said
assert cache.load("other") is None
END
"""


@pytest.mark.skipif(sys.platform != "linux", reason="bind mounts")
def test_a_file_system_that_can_only_be_read(tmp_path: Path) -> None:
    DiskCache(tmp_path / "kept").store("key", 1)
    run_with_mounts(READ_ONLY, tmp_path)


def test_threads_share_one(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    cache = DiskCache(tmp_path, most_bytes=200_000)

    def use(number: int) -> bool:
        key = f"k{number % 5}"
        cache.store(key, [key] * 1000)
        return value_of(cache, key) in ([key] * 1000, "a miss")

    with warnings.catch_warnings(), ThreadPoolExecutor(8) as pool:
        warnings.simplefilter("error")
        assert all(pool.map(use, range(200)))
