"""The index: always what the folders hold, whatever happens to its file."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohaku_ast.store import index as index_module
from kohaku_ast.store.index import Index
from kohaku_ast.store.record import Record
from kohaku_ast.store.run_folder import write_marks
from tests.oracle import on_path
from tests.store.made_runs import make_run, metric, override, write_run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three runs, and an index of them."""
    root = tmp_path / "runs"
    for number in range(3):
        lr = override("lr", number / 10)
        loss = {"loss": metric(1 - number / 10)}
        make_run(root, number, label=f"lr={number / 10}", overrides=[lr], metrics=loss)
    assert len(Index(root).runs()) == 3
    assert (root / "index.db").exists()
    return root


def labels(root: Path) -> list[str]:
    return [one.label for one in Index(root).runs()]


def every(root: Path) -> list[Any]:
    """All that an index gives."""
    return [
        (one.number, one.id, one.identity, one.status, one.label, one.params, one.metrics, one.tags)
        for one in Index(root).runs()
    ]


def from_folders(root: Path) -> list[Any]:
    """The same of a copy that has no index yet."""
    copy = root.parent / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns("index.db*"))
    return every(copy)


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if a record is read."""

    def read(folder: Path) -> None:
        raise AssertionError(f"{folder} is read")

    monkeypatch.setattr(Record, "read", read)


def test_runs_are_numbered_from_the_oldest(root: Path) -> None:
    assert [(one.number, one.label) for one in Index(root).runs()] == [
        (1, "lr=0.0"), (2, "lr=0.1"), (3, "lr=0.2"),
    ]  # fmt: skip


def test_runs_of_one_millisecond_are_in_the_order_of_their_flow(tmp_path: Path) -> None:
    started = "2026-11-21T12:44:53.143+00:00"
    for index, name in enumerate("cab"):
        make_run(tmp_path, started=started, identity=name * 32, index=index, label=name)
    assert labels(tmp_path) == ["c", "a", "b"]


def test_unchanged_records_are_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = every(root)
    forbid_reading(monkeypatch)
    assert every(root) == expected
    assert expected[2][5:7] == ({"lr": 0.2}, {"loss": 0.8})


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_index_is_for_its_owner(root: Path, mask: int) -> None:
    os.remove(root / "index.db")
    before = os.umask(mask)
    try:
        Index(root).runs()
    finally:
        os.umask(before)
    assert stat.S_IMODE((root / "index.db").stat().st_mode) == 0o600


# --- changes of the folders ----------------------------------------------------------------------


def test_new_run(root: Path) -> None:
    make_run(root, 7, label="new")
    assert labels(root) == ["lr=0.0", "lr=0.1", "lr=0.2", "new"]


def test_removed_run(root: Path) -> None:
    shutil.rmtree(next(root.glob("2023*")))
    assert labels(root) == ["lr=0.1", "lr=0.2"]
    assert [one.number for one in Index(root).runs()] == [1, 2]


def test_run_json_replaced_in_place_with_the_same_size(root: Path) -> None:
    folder = max(root.glob("2023*"))
    size = (folder / "run.json").stat().st_size
    lr, loss = override("lr", 0.2), {"loss": metric(0.8)}
    write_run(
        folder,
        label="lr=9.9",
        overrides=[lr],
        metrics=loss,
        started="2023-11-14T22:13:22.000+00:00",
        ended="2023-11-14T22:13:23.000+00:00",
        identity=folder.name[-8:] + "0" * 24,
    )
    assert (folder / "run.json").stat().st_size == size
    assert labels(root) == ["lr=0.0", "lr=0.1", "lr=9.9"]


def test_change_that_leaves_the_time_of_a_young_file(tmp_path: Path) -> None:
    """As two changes within one tick of the clock of a file system do."""
    folder = make_run(tmp_path, label="old", is_old=False)
    assert labels(tmp_path) == ["old"]
    path = folder / "run.json"
    before = path.stat()
    with open(path, "r+") as file:
        text = file.read()
        file.seek(0)
        file.write(text.replace("old", "new"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert labels(tmp_path) == ["new"]


def test_marks_are_seen_at_once(root: Path) -> None:
    folder = min(root.glob("2023*"))
    for tags in (["a"], ["b"], []):
        write_marks(folder, tags, "")
        assert Index(root).runs()[0].tags == tags
    os.remove(folder / "marks.json")
    assert Index(root).runs()[0].tags == []


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="half"),
        pytest.param('{"schema": 2}', id="of a later version"),
        pytest.param("[" * 100_000, id="deep"),
        pytest.param('{"schema": 1, "metrics": 3}', id="with fields of other types"),
    ],
)
def test_folder_without_a_readable_record_is_left_out(
    root: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = min(root.glob("2023*")) / "run.json"
    path.write_text(damage)
    os.utime(path, (1, 1))
    assert labels(root) == ["lr=0.1", "lr=0.2"]
    forbid_reading(monkeypatch)
    assert labels(root) == ["lr=0.1", "lr=0.2"]


@pytest.mark.parametrize(
    "damage",
    [{"metrics": [1]}, {"reads": ""}, {"environment": [None]}, {"sources": 5}, {"inputs": {"a": 1}},
     {"sources": {"modules": "x"}}],
    ids=str,
)  # fmt: skip
def test_record_with_a_field_of_another_kind_is_left_out(
    root: Path, damage: dict[str, Any]
) -> None:
    make_run(root, 8, **damage, label="damaged")
    assert labels(root) == ["lr=0.0", "lr=0.1", "lr=0.2"]


def test_other_files_are_no_runs(root: Path) -> None:
    (root / "notes.txt").write_text("mine")
    (root / "folder").mkdir()
    (root / ".hidden").mkdir()
    make_run(root / ".hidden")
    assert len(labels(root)) == 3


def test_no_store_is_no_runs_and_stays_none(tmp_path: Path) -> None:
    assert Index(tmp_path / "none").runs() == []
    assert not (tmp_path / "none").exists()
    assert Index(tmp_path).runs() == []
    assert [*tmp_path.iterdir()] == []


def test_copied_store_with_its_index(root: Path, tmp_path: Path) -> None:
    expected = every(root)
    shutil.copytree(root, tmp_path / "other")
    write_run(max((tmp_path / "other").glob("2023*")), label="changed")
    assert labels(tmp_path / "other") == ["lr=0.0", "lr=0.1", "changed"]
    assert every(root) == expected


# --- damage of the index -------------------------------------------------------------------------


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def execute(*statements: str) -> Callable[[Path], None]:
    def act(path: Path) -> None:
        with sqlite3.connect(path) as database:
            for one in statements:
                database.execute(one)
        database.close()

    return act


DAMAGE = [
    pytest.param(os.remove, id="deleted"),
    pytest.param(lambda path: path.write_bytes(b""), id="empty"),
    pytest.param(lambda path: path.write_bytes(b"no database" * 1000), id="another file"),
    pytest.param(truncate, id="half of it"),
    pytest.param(lambda path: path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 8192), id="pages overwritten"),
    pytest.param(execute("PRAGMA user_version = 99"), id="of another version"),
    pytest.param(execute("PRAGMA user_version = 0", "DROP TABLE runs", "CREATE TABLE runs (a)"), id="of another version, with other tables"),
    pytest.param(execute("DROP TABLE shapes"), id="without a table"),
    pytest.param(execute("DELETE FROM shapes"), id="without shapes"),
    pytest.param(execute("DELETE FROM runs WHERE rowid = 1"), id="without a row"),
    pytest.param(execute("UPDATE runs SET facts = '['"), id="damaged facts"),
    pytest.param(execute("UPDATE runs SET facts = '[1]'"), id="too few facts"),
    pytest.param(execute("UPDATE runs SET facts = NULL"), id="no facts"),
    pytest.param(execute("UPDATE runs SET cells = '['"), id="damaged values"),
    pytest.param(execute("UPDATE runs SET cells = replace(cells, '1', '2')"), id="other values"),
    pytest.param(execute("UPDATE shapes SET names = 'x'"), id="damaged names"),
    pytest.param(execute("UPDATE shapes SET names = replace(names, 'lr', 'rl')"), id="other names"),
    pytest.param(execute("UPDATE runs SET folder = 'x' || folder"), id="other folders"),
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_index_is_made_anew(
    root: Path, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = from_folders(root)
    damage(root / "index.db")
    assert every(root) == expected
    forbid_reading(monkeypatch)
    assert every(root) == expected, "it is whole again"


@given(st.lists(st.tuples(st.integers(0, 2**15), st.binary(min_size=1, max_size=64)), max_size=5))
@settings(max_examples=60)
def test_overwritten_bytes_change_nothing(places: list[tuple[int, bytes]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number in range(3):
            make_run(root, number, label="whole")
        Index(root).runs()
        data = bytearray((root / "index.db").read_bytes())
        for place, new in places:
            data[place % len(data) : place % len(data) + len(new)] = new
        (root / "index.db").write_bytes(data)
        assert [one.label for one in Index(root).runs()] == ["whole"] * 3


def test_stale_journal_of_a_deleted_index(root: Path) -> None:
    (root / "index.db-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\1" * 5000)
    os.remove(root / "index.db")
    assert every(root) == from_folders(root)
    assert every(root) == from_folders(root)


def test_write_ahead_log_of_another_program(root: Path) -> None:
    expected = every(root)
    other = sqlite3.connect(root / "index.db", isolation_level=None)
    assert other.execute("PRAGMA journal_mode = wal").fetchone() == ("wal",)
    other.execute("DELETE FROM runs")
    assert (root / "index.db-wal").stat().st_size > 0
    assert every(root) == expected
    assert every(root) == expected
    other.close()
    assert sorted(one.name for one in root.glob("index.db*")) == ["index.db"]
    with sqlite3.connect(root / "index.db") as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    database.close()


def test_index_that_cannot_be_written(root: Path) -> None:
    expected = from_folders(root)
    os.remove(root / "index.db")
    (root / "index.db").mkdir()
    assert every(root) == expected
    assert every(root) == expected


def test_locked_index(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_WAIT", 0.05)
    other = sqlite3.connect(root / "index.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    make_run(root, 7, label="new")
    assert labels(root) == ["lr=0.0", "lr=0.1", "lr=0.2", "new"]
    other.execute("ROLLBACK")
    other.close()
    assert labels(root) == ["lr=0.0", "lr=0.1", "lr=0.2", "new"]


def test_python_without_sqlite(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    make_run(root, 7, label="new")
    assert labels(root) == ["lr=0.0", "lr=0.1", "lr=0.2", "new"]


# --- several processes ---------------------------------------------------------------------------

WRITER = """\
import sys
from pathlib import Path
from kohaku_ast.store.index import Index
from tests.store.made_runs import make_run
root, own = Path(sys.argv[1]), int(sys.argv[2])
for number in range(10):
    make_run(root, 1000 * own + number, label=f"{own}-{number}")
    found = [one.label for one in Index(root).runs()]
    missing = [one for one in range(number + 1) if f"{own}-{one}" not in found]
    assert not missing, missing
"""


def start(program: str, *words: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": on_path()}
    return subprocess.Popen([sys.executable, "-c", program, *words], env=environment)


def test_many_writers_at_once(root: Path) -> None:
    writers = [start(WRITER, str(root), str(own)) for own in range(1, 9)]
    assert [one.wait() for one in writers] == [0] * 8
    assert len(labels(root)) == 3 + 80
    assert every(root) == from_folders(root)
    with sqlite3.connect(root / "index.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    database.close()


KILLED = """\
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 2")
database.execute("BEGIN IMMEDIATE")
for number in range(2000):
    database.execute("INSERT INTO runs VALUES (?, 0, '', '', '', ?)", (str(number).encode(), "x" * 500))
database.execute("DELETE FROM shapes")
os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_writer_that_is_killed_within_its_transaction(root: Path) -> None:
    expected = every(root)
    assert start(KILLED, str(root / "index.db")).wait() == -9
    assert (root / "index.db-journal").exists()
    assert every(root) == expected


def test_reader_while_a_run_is_removed(root: Path) -> None:
    """A folder that vanishes between two looks at it is no run, and no error."""
    folder = max(root.glob("2023*"))
    stamps = index_module.find_stamps(root)
    shutil.rmtree(folder)
    row = index_module._read_row(folder, stamps[folder.name])
    assert row.facts == "null"


def test_young_index_is_complete(tmp_path: Path) -> None:
    """Runs that end while a listing is made are in the next one."""
    until = time.monotonic() + 0.3
    number = 0
    while time.monotonic() < until:
        make_run(tmp_path, number, label=str(number), is_old=False)
        number += 1
        assert labels(tmp_path) == [str(one) for one in range(number)]
