"""What ``kogine runs logs`` prints: the log of a run; of a pipeline's run those of its scripts."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from kogine.report import RowStream, printing
from kogine.run_tables import store_of

from kohaku_ast.errors import UsageError, visible
from kohaku_ast.files import open_regular
from kohaku_ast.store.columns import short_id
from kohaku_ast.store.pipeline_record import PIPELINE, children
from kohaku_ast.store.record import Record
from kohaku_ast.store.run_folder import LOG

_PAUSE = 0.2
_CHUNK = 1 << 20


_COLUMNS = ("id", "node", "line", "text")


def start_logs(
    folder: str, name: str, attempt: int | None, follow: bool, form: str
) -> Callable[[], int]:
    """The function that prints the log of the run *name*, of its last attempt for None."""
    record = store_of(folder).find(name)
    if record.facts.get("kind") == PIPELINE and attempt is None:
        return _start_logs_inside(record, follow, form)
    log = record.log if attempt is None else record.log_of(attempt)
    if log is None or not log.exists():
        which = "" if attempt is None else f" of attempt {attempt}"
        raise UsageError(f"run {record.folder.name} has no log{which}")
    if follow and attempt is not None:
        raise UsageError("-f follows the last attempt: take away --attempt")
    return lambda: _print_log(record, log, follow, form)


@printing
def _print_log(record: Record, log: Path, follow: bool, form: str) -> int:
    _copy_log(_Log(record, record.folder / LOG if follow else log, _rows(form)), follow)
    return 0


def _rows(form: str) -> RowStream | None:
    return None if form == "table" else RowStream(form, _COLUMNS)


def _copy_log(log: _Log, follow: bool) -> None:
    while True:
        # First whether it runs: what it prints before its end is read after that.
        is_running = _is_running(log.record)
        log.print_more()
        if not (follow and is_running):
            return log.finish()
        sys.stdout.flush()
        time.sleep(_PAUSE)


def _is_running(record: Record) -> bool:
    current = type(record).read(record.folder)
    return current is not None and current.status == "running"


class _Log:
    """Prints a log from its start, byte for byte, or with *rows* a row for each line."""

    def __init__(self, record: Record, path: Path, rows: RowStream | None) -> None:
        self.record, self.rows = record, rows
        self._path, self._place = path, (0, 0)  # inode and offset
        self._count, self._rest = 0, b""

    def print_more(self) -> None:
        """Print what was added. A retry has a new log; one that became shorter has lost its
        middle.
        """
        try:
            with open_regular(self._path) as file:
                found = os.fstat(file.fileno())
                if self._place[0] != found.st_ino:
                    self._begin_anew()
                    self._place = found.st_ino, 0
                file.seek(min(self._place[1], found.st_size))
                while data := file.read(_CHUNK):
                    self._print(data)
                self._place = found.st_ino, file.tell()
        except FileNotFoundError:  # between two attempts
            pass

    def finish(self) -> None:
        """Print the last line, if no line end came."""
        if self._rest:
            self._print(b"\n")
        sys.stdout.flush()

    def _begin_anew(self) -> None:
        self.finish()
        self._count = 0

    def _print(self, data: bytes) -> None:
        if self.rows is None:
            sys.stdout.buffer.write(data)
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        node = self.record.facts.get("node") or ""
        for line in lines:
            self._count += 1
            text = line.removesuffix(b"\r").decode("utf-8", "replace")
            self.rows.print(self.record.folder.name, node, self._count, text)


# --- of a pipeline -------------------------------------------------------------------------------


def _start_logs_inside(record: Record, follow: bool, form: str) -> Callable[[], int]:
    """The function that prints what the nodes of functions have printed, and the logs of the runs
    of scripts, one after another.
    """
    may_come = follow and record.status == "running"
    if not (may_come or _has_own_log(record) or any(children(record.folder))):
        raise UsageError(f"run {record.folder.name} has no log: its nodes have printed nothing")
    return lambda: _print_logs_inside(_Log(record, record.folder / LOG, _rows(form)), follow)


def _has_own_log(record: Record) -> bool:
    return record.log is not None and record.log.exists()


@printing
def _print_logs_inside(log: _Log, follow: bool) -> int:
    seen: set[str] = set()
    while True:
        is_running = _is_running(log.record)
        log.print_more()
        for one in children(log.record.folder):
            if one.folder.name not in seen:
                seen.add(one.folder.name)
                _print_one(one, log.rows, follow)
        if not (follow and is_running):
            log.finish()
            return 0
        sys.stdout.flush()
        time.sleep(_PAUSE)


def _print_one(record: Record, rows: RowStream | None, follow: bool) -> None:
    """Print the log of *record* below a line that names it; of a pipeline those inside of it."""
    is_pipeline = record.facts.get("kind") == PIPELINE
    if is_pipeline and not _has_own_log(record):
        for one in children(record.folder):
            _print_one(one, rows, follow)
        return
    if rows is None:
        name = record.facts.get("node") or record.label
        sys.stdout.write(f"{visible(f'==> {name}, run {short_id(record.folder.name)}')} <==\n")
        sys.stdout.flush()
    if record.log is not None:
        _copy_log(_Log(record, record.folder / LOG if follow else record.log, rows), follow)
    for one in children(record.folder) if is_pipeline else ():
        _print_one(one, rows, follow)
