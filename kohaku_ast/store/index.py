"""Index: a summary of every run of a store, in one SQLite file, so that listings are fast.

The folders are the truth. The index holds nothing else: it is made anew if it is missing, damaged
or of another version, and a store in which it cannot be written is read without it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from kohaku_ast import files
from kohaku_ast.store.run_folder import INDEX, MARKS, RECORD
from kohaku_ast.store.summary import Row, RunSummary, Shape, row_of

if TYPE_CHECKING:
    import sqlite3

VERSION = 6
"""Grows when a row holds something else. The version of another one is made anew."""
_STEP = 2 * 10**9
"""Nanoseconds within which a file may change again and have the same time, on some file systems."""
_WAIT = 5.0
"""Seconds for other processes to finish writing."""


class Index:
    """The summaries of the runs below *root*."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = os.path.join(root, INDEX)

    def runs(self) -> list[RunSummary]:
        """All runs, the oldest first, as they are now. Other files are ignored."""
        return self._current(self._read())

    def rebuild(self) -> list[RunSummary]:
        """The same, from the folders alone; the index is written anew."""
        self._remove()
        return self._current({})

    def _current(self, stored: Mapping[str, Row]) -> list[RunSummary]:
        stamps = find_stamps(self._root)
        changed = {
            name: _read_row(self._root / name, stamp)
            for name, stamp in stamps.items()
            if name not in stored or stored[name].stamp != stamp
        }
        gone = stored.keys() - stamps.keys()
        if changed or gone:
            self._write(changed, gone)
        rows = {**stored, **changed}
        return self._summaries({name: rows[name] for name in stamps})

    def _summaries(self, rows: Mapping[str, Row]) -> list[RunSummary]:
        # One text for all: that takes a third of the time.
        every = json.loads(f"[{','.join(row.facts for row in rows.values())}]")
        shapes = {names: Shape(names) for names in {row.names for row in rows.values()}}
        found = [
            RunSummary(0, name, shapes[row.names], row.cells, *facts)
            for (name, row), facts in zip(rows.items(), every)
            if facts is not None
        ]
        found = [now for one in found if (now := self._observed(one)) is not None]
        found.sort(key=_age)
        for number, one in enumerate(found, 1):
            one.number = number
        return found

    def _observed(self, run: RunSummary) -> RunSummary | None:
        """*run* as it is now, if it was running: its status may be lost, and it has new metrics.
        None if it was removed.
        """
        if run.status != "running":
            return run
        from kohaku_ast.store.record import Record

        record = Record.read(self._root / run.id)
        row = row_of(record, "")
        if record is None or row.facts == "null":
            return None
        run = RunSummary(0, run.id, Shape(row.names), row.cells, *json.loads(row.facts))
        run.status = record.status
        return run

    # --- the file ------------------------------------------------------------------------------

    def _read(self) -> dict[str, Row]:
        """Name -> its stamp and two texts of JSON; empty if there is no usable index."""
        try:
            if _has_write_ahead_log(self._path):
                self._remove()
                return {}
            database = _connect(self._path)
        except (ImportError, OSError):
            return {}
        try:
            return _read_rows(database)
        except _errors() as error:
            if _is_damage(error):
                self._remove()
            return {}
        finally:
            database.close()

    def _write(self, changed: Mapping[str, Row], gone: Iterable[str]) -> None:
        """Write rows, if that is possible."""
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            database = _connect(self._path)
        except (ImportError, OSError):
            return  # a read-only store is read from its folders
        try:
            _write_rows(database, changed, gone)
        except _errors() as error:
            if _is_damage(error):
                self._remove()
        finally:
            database.close()

    def _remove(self) -> None:
        # With the journals: SQLite would apply that of an interrupted process to the new file.
        for end in ("-journal", "-wal", "-shm", ""):
            files.remove(f"{self._path}{end}")


def _connect(path: str) -> sqlite3.Connection:
    import sqlite3  # here: only readers of stores need it

    try:
        return sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
    except sqlite3.Error as error:
        raise OSError(str(error)) from None


def _has_write_ahead_log(path: str) -> bool:
    """Whether another program has given the file a write-ahead log, which network file systems
    cannot share. Raises OSError if there is no such file.
    """
    with open(path, "rb") as file:
        return file.read(20)[18:] == b"\2\2"


def _errors() -> tuple[type[Exception], ...]:
    import sqlite3

    return sqlite3.Error, ValueError, TypeError, LookupError  # the latter of rows that are damaged


def _is_damage(error: Exception) -> bool:
    """Whether the file is no usable index; else it is locked, or must not be written."""
    import sqlite3

    return not isinstance(error, sqlite3.OperationalError)


_TABLES = {
    "shapes": "key TEXT PRIMARY KEY, names TEXT",
    "runs": "folder BLOB PRIMARY KEY, crc INTEGER, stamp TEXT, shape TEXT, facts TEXT, cells TEXT",
}
"""Not WITHOUT ROWID: in the tree of the primary key a row of this size takes a page of its own."""


def _read_rows(database: sqlite3.Connection) -> dict[str, Row]:
    if _version(database) != VERSION:
        return {}
    database.execute("BEGIN")  # shapes and runs of one time
    shapes = dict(database.execute("SELECT key, names FROM shapes"))
    if any(_key(names) != key for key, names in shapes.items()):
        raise ValueError("a damaged shape")
    found = {}
    rows = database.execute("SELECT folder, crc, stamp, shape, facts, cells FROM runs")
    for folder, crc, stamp, shape, facts, cells in rows:
        row = found[os.fsdecode(folder)] = Row(stamp, shapes[shape], facts, cells)
        # SQLite does not notice a change within a text, and a wrong list would be worse than none.
        if crc != _crc(folder, shape, row):
            raise ValueError("a damaged row")
    database.execute("COMMIT")
    return found


def _write_rows(
    database: sqlite3.Connection, changed: Mapping[str, Row], gone: Iterable[str]
) -> None:
    database.execute("BEGIN IMMEDIATE")
    if _version(database) != VERSION:
        for name in _TABLES:
            database.execute(f"DROP TABLE IF EXISTS {name}")
        database.execute(f"PRAGMA user_version = {VERSION}")
    for name, columns in _TABLES.items():
        database.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
    run = "DELETE FROM runs WHERE folder = ?"
    database.executemany(run, [(os.fsencode(name),) for name in gone])
    keys = {names: _key(names) for names in {row.names for row in changed.values()}}
    database.executemany(
        "INSERT OR IGNORE INTO shapes VALUES (?, ?)", [(key, one) for one, key in keys.items()]
    )
    database.executemany(
        "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)",
        [_texts(os.fsencode(name), keys[row.names], row) for name, row in changed.items()],
    )
    database.execute("COMMIT")


def _texts(folder: bytes, shape: str, row: Row) -> tuple[object, ...]:
    return folder, _crc(folder, shape, row), row.stamp, shape, row.facts, row.cells


def _crc(folder: bytes, shape: str, row: Row) -> int:
    return crc32(f"{row.stamp} {shape} {row.facts} {row.cells}".encode(), crc32(folder))


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _key(names: str) -> str:
    from hashlib import blake2b

    return blake2b(names.encode(), digest_size=12).hexdigest()


def _age(run: RunSummary) -> tuple[str, int, str]:
    """Oldest first: by the time in the folder's name, and within a millisecond as in the flow."""
    return run.id.partition("-")[0], run.index, run.id


# --- what changes, and what a row holds ----------------------------------------------------------


def find_stamps(root: Path) -> dict[str, str]:
    """Folder with a record -> a text that changes when its record or marks change."""
    try:
        names = os.listdir(root)
    except OSError:
        return {}
    found, stat, access, start = {}, os.stat, os.access, os.path.join(root, "")
    for name in names:
        if name[0] == ".":
            continue
        try:
            record = stat(f"{start}{name}/{RECORD}")
        except OSError:
            continue  # no run
        stamp = f"{record.st_mtime_ns}:{record.st_size}:{record.st_ino}"
        marks = f"{start}{name}/{MARKS}"
        if access(marks, os.F_OK):  # few runs have them, and an exception takes its time
            try:
                found_marks = stat(marks)
                stamp += f":{found_marks.st_mtime_ns}:{found_marks.st_size}:{found_marks.st_ino}"
            except OSError:
                pass  # removed meanwhile
        found[name] = stamp
    return found


def _read_row(folder: Path, stamp: str) -> Row:
    """The Row of the run in *folder*, which had *stamp* before."""
    from kohaku_ast.store.record import Record  # here: an index that is up to date needs none

    parts, now = stamp.split(":"), time.time_ns()
    # A file that may change again and keep its time is read again.
    is_settled = all(abs(now - int(one)) >= _STEP for one in parts[::3])
    return row_of(Record.read(folder), stamp if is_settled else "")
