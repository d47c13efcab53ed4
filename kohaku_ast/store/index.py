"""Index: a summary of every run of a store, in one SQLite file, so that listings are fast.

The folders are the truth. The index holds nothing else: it is made anew if it is missing, damaged
or of another version, and a store in which it cannot be written is read without it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kohaku_ast import files
from kohaku_ast.store.run_folder import INDEX, MARKS, RECORD

if TYPE_CHECKING:
    import sqlite3

    from kohaku_ast.store.record import Record

VERSION = 1
"""Grows when a row holds something else. The version of another one is made anew."""
STATISTICS = ("last", "min", "max", "count")
"""What a summary has of each metric, in this order."""
_STEP = 2 * 10**9
"""Nanoseconds within which a file may change again and have the same time, on some file systems."""
_WAIT = 5.0
"""Seconds for other processes to finish writing."""
_MOST_TEXT = 1000
"""Characters of a value: longer ones are cut."""


@dataclass
class RunSummary:
    """What the index holds of one run."""

    #: Its place in the store, from 1, the oldest first; 0 before it has one.
    number: int
    #: The name of its folder.
    id: str
    #: ``values`` as JSON: most listings need none of them.
    text: str
    identity: str
    status: str
    script: str
    label: str
    index: int
    attempt: int
    #: ISO 8601 in UTC, as in run.json.
    started: str
    ended: str | None
    seconds: float | None
    exit_status: int | None
    #: Type and message of the exception that ended it, in one line; None for none.
    error: str | None
    host: str
    commit: str
    tags: list[str]
    note: str
    _values: dict[str, Any] | None = None

    @property
    def values(self) -> dict[str, Any]:
        """Kind -> its values by name: ``params``, ``outputs``, ``metadata``; ``metrics``, each with
        its ``STATISTICS``; ``overridden``, targets; ``value``, which the run returned.
        """
        if self._values is None:
            self._values = json.loads(self.text)
        return self._values


class Index:
    """The summaries of the runs below *root*."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path = os.path.join(root, INDEX)

    def runs(self) -> list[RunSummary]:
        """All runs, the oldest first, as they are now. Other files are ignored."""
        try:
            return self._current(self._read())
        except (ValueError, TypeError):  # a damaged row
            return self.rebuild()

    def rebuild(self) -> list[RunSummary]:
        """The same, from the folders alone; the index is written anew."""
        self._remove()
        return self._current({})

    def _current(self, stored: Mapping[str, _Row]) -> list[RunSummary]:
        stamps = _find_stamps(self._root)
        changed = {
            name: (_settled(stamp), *_rows_of(self._root / name))
            for name, stamp in stamps.items()
            if name not in stored or stored[name][0] != stamp
        }
        gone = stored.keys() - stamps.keys()
        if changed or gone:
            self._write(changed, gone)
        rows = {**stored, **changed}
        return self._summaries({name: rows[name] for name in sorted(stamps)})

    def _summaries(self, rows: Mapping[str, _Row]) -> list[RunSummary]:
        # One text for all: that takes a third of the time.
        texts = [facts for _, facts, _ in rows.values()]
        found = []
        for (name, (_, _, text)), facts in zip(rows.items(), json.loads(f"[{','.join(texts)}]")):
            if facts is not None:
                found.append(RunSummary(0, name, text, *facts))
        found = [one for one in found if one.status != "running" or self._observe(one)]
        for number, one in enumerate(found, 1):
            one.number = number
        return found

    def _observe(self, run: RunSummary) -> bool:
        """Give *run* the status that it has now, running or lost; whether it is still there."""
        from kohaku_ast.store.record import Record

        record = Record.read(self._root / run.id)
        if record is not None:
            run.status = record.status
        return record is not None

    # --- the file ------------------------------------------------------------------------------

    def _read(self) -> dict[str, _Row]:
        """Name -> its stamp and two texts of JSON; empty if there is no usable index."""
        if not os.path.exists(self._path):
            return {}
        try:
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

    def _write(self, changed: Mapping[str, _Row], gone: Iterable[str]) -> None:
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
        # With the journal: SQLite would apply that of an interrupted process to the new file.
        for path in (f"{self._path}-journal", self._path):
            files.remove(path)


_Row = tuple[str, str, str]
"""Stamp of the files, and two texts of JSON: facts, and values by kind. Facts are ``null`` of a
folder without a record that this version can read.
"""


def _connect(path: str) -> sqlite3.Connection:
    import sqlite3  # here: only readers of stores need it

    try:
        return sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
    except sqlite3.Error as error:
        raise OSError(str(error)) from None


def _errors() -> tuple[type[Exception], ...]:
    import sqlite3

    return sqlite3.Error, ValueError, TypeError  # the latter two of rows that are damaged


def _is_damage(error: Exception) -> bool:
    """Whether the file is no usable index; else it is locked, or must not be written."""
    import sqlite3

    return not isinstance(error, sqlite3.OperationalError)


def _read_rows(database: sqlite3.Connection) -> dict[str, _Row]:
    if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        return {}
    rows = database.execute("SELECT folder, stamp, facts, kinds FROM runs")
    found = {os.fsdecode(name): (stamp, facts, text) for name, stamp, facts, text in rows}
    if not all(type(text) is str for row in found.values() for text in row):
        raise ValueError("a row without text")
    return found


def _write_rows(
    database: sqlite3.Connection, changed: Mapping[str, _Row], gone: Iterable[str]
) -> None:
    database.execute("BEGIN IMMEDIATE")
    if database.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        database.execute("DROP TABLE IF EXISTS runs")
        database.execute(f"PRAGMA user_version = {VERSION}")
    database.execute(
        "CREATE TABLE IF NOT EXISTS runs"
        " (folder BLOB PRIMARY KEY, stamp TEXT, facts TEXT, kinds TEXT) WITHOUT ROWID"
    )
    database.executemany(
        "DELETE FROM runs WHERE folder = ?", [(os.fsencode(name),) for name in gone]
    )
    database.executemany(
        "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)",
        [(os.fsencode(name), *row) for name, row in changed.items()],
    )
    database.execute("COMMIT")


# --- what changes, and what a row holds ----------------------------------------------------------


def _find_stamps(root: Path) -> dict[str, str]:
    """Folder with a record -> a text that changes when its record or marks change."""
    try:
        names = os.listdir(root)
    except OSError:
        return {}
    found, stat, start = {}, os.stat, os.path.join(root, "")
    for name in names:
        if name[0] == ".":
            continue
        try:
            record = stat(f"{start}{name}/{RECORD}")
        except OSError:
            continue  # no run
        stamp = f"{record.st_mtime_ns}:{record.st_size}:{record.st_ino}"
        try:
            marks = stat(f"{start}{name}/{MARKS}")
            stamp += f":{marks.st_mtime_ns}:{marks.st_size}:{marks.st_ino}"
        except OSError:
            pass  # few runs have marks
        found[name] = stamp
    return found


def _settled(stamp: str) -> str:
    """*stamp*, or an empty one, which never fits, if a file may change and keep its time."""
    parts, now = stamp.split(":"), time.time_ns()
    return "" if any(abs(now - int(one)) < _STEP for one in parts[::3]) else stamp


def _rows_of(folder: Path) -> tuple[str, str]:
    """The facts and the values of the run in *folder*, as JSON."""
    from kohaku_ast.store.record import Record

    record = Record.read(folder)
    if record is None:
        return "null", "{}"
    try:
        return json.dumps(_facts(record)), json.dumps(_values(record))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return "null", "{}"  # damaged


def _facts(record: Record) -> list[object]:
    facts, error = record.facts, record.error
    seconds = facts.get("seconds")
    return [
        record.identity,
        str(facts["status"]),
        record.script,
        record.label,
        record.index,
        record.attempt,
        str(facts["started"]),
        facts["ended"],
        record.seconds if seconds is None else seconds,
        record.exit_status,
        None if error is None else cut(f"{error.type}: {error.message}".partition("\n")[0]),
        str(facts["host"]),
        record.commit,
        record.tags,
        record.note,
    ]


def _values(record: Record) -> dict[str, object]:
    from kohaku_ast.store.record import param_forms

    facts = record.facts
    found: dict[str, object] = {
        "params": {name: plain_value(form) for name, form in param_forms(facts).items()},
        "overridden": [str(one["target"]) for one in facts.get("overrides", ())],
        "metrics": {name: _statistics(one) for name, one in (facts.get("metrics") or {}).items()},
        "outputs": _plain_values(facts.get("outputs")),
        "metadata": _plain_values(facts.get("metadata")),
    }
    if facts.get("value") is not None:
        found["value"] = plain_value(facts["value"])
    return {name: one for name, one in found.items() if one or name == "value"}


def _plain_values(forms: Mapping[str, Any] | None) -> dict[str, object]:
    return {name: plain_value(form) for name, form in (forms or {}).items()}


def _statistics(metric: Mapping[str, Any]) -> list[float | None]:
    """run.json has ``inf`` and ``nan`` as texts."""
    found = [metric.get(name) for name in STATISTICS]
    return [float(one) if isinstance(one, str) else one for one in found]


def plain_value(form: Any) -> Any:
    """The value of a field of run.json as numbers, texts, lists and dicts: paths and what only has
    a ``repr`` are texts, tuples and sets are lists. A long one is a text that is cut.
    """
    try:
        if "json" in form:
            value = form["json"]
        elif "python" in form and "numpy." not in form["python"]:
            from kohaku_ast.store.values import from_text

            value = _as_json(from_text(form["python"]))
        else:
            value = next(str(form[name]) for name in ("path", "repr", "python") if name in form)
        text = json.dumps(value)
    except (ValueError, TypeError, LookupError, SyntaxError, RecursionError, StopIteration):
        return ""
    return value if len(text) <= _MOST_TEXT else cut(value if isinstance(value, str) else text)


def _as_json(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [*map(_as_json, value)]
    if isinstance(value, (set, frozenset)):
        return sorted(map(_as_json, value), key=repr)
    if isinstance(value, dict):
        return {str(key): _as_json(one) for key, one in value.items()}
    is_plain = value is None or isinstance(value, (bool, int, float, str))
    return value if is_plain else str(value)


def cut(text: str) -> str:
    """*text*, at most as long as a value may be."""
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"
