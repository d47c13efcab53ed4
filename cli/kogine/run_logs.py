"""What ``kogine runs logs`` prints: the log of a run; of a pipeline's run those of its scripts."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from kogine.report import printing
from kogine.run_tables import short_id, store_of

from kohaku_ast.errors import UsageError, visible
from kohaku_ast.store.pipeline_record import PIPELINE, children
from kohaku_ast.store.record import Record
from kohaku_ast.store.run_folder import LOG

_PAUSE = 0.2
_CHUNK = 1 << 20


def start_logs(folder: str, name: str, attempt: int | None, follow: bool) -> Callable[[], int]:
    """The function that prints the log of the run *name*, of its last attempt for None."""
    record = store_of(folder).find(name)
    if record.facts.get("kind") == PIPELINE and attempt is None:
        return _start_logs_inside(record, follow)
    log = record.log if attempt is None else record.log_of(attempt)
    if log is None or not log.exists():
        which = "" if attempt is None else f" of attempt {attempt}"
        raise UsageError(f"run {record.folder.name} has no log{which}")
    if follow and attempt is not None:
        raise UsageError("-f follows the last attempt: take away --attempt")
    return lambda: _print_log(record, log, follow)


@printing
def _print_log(record: Record, log: Path, follow: bool) -> int:
    _copy_log(record, log, follow)
    return 0


def _copy_log(record: Record, log: Path, follow: bool) -> None:
    place = (0, 0)  # inode and offset
    while True:
        # First whether it runs: what it prints before its end is read after that.
        is_running = _is_running(record)
        place = _print_more(record.folder / LOG if follow else log, place)
        if not (follow and is_running):
            return
        sys.stdout.flush()
        time.sleep(_PAUSE)


def _is_running(record: Record) -> bool:
    current = type(record).read(record.folder)
    return current is not None and current.status == "running"


def _print_more(log: Path, place: tuple[int, int]) -> tuple[int, int]:
    """Print what *log* has behind *place*; the new place. A retry has a new log; one that became
    shorter has lost its middle.
    """
    try:
        with open(log, "rb") as file:
            found = os.fstat(file.fileno())
            start = place[1] if place[0] == found.st_ino else 0
            file.seek(min(start, found.st_size))
            while data := file.read(_CHUNK):
                sys.stdout.buffer.write(data)
            return found.st_ino, file.tell()
    except FileNotFoundError:  # between two attempts
        return place


# --- of a pipeline -------------------------------------------------------------------------------


def _start_logs_inside(record: Record, follow: bool) -> Callable[[], int]:
    """The function that prints what the nodes of functions have printed, and the logs of the runs
    of scripts, one after another.
    """
    may_come = follow and record.status == "running"
    if not (may_come or _has_own_log(record) or any(children(record.folder))):
        raise UsageError(f"run {record.folder.name} has no log: its nodes have printed nothing")
    return lambda: _print_logs_inside(record, follow)


def _has_own_log(record: Record) -> bool:
    return record.log is not None and record.log.exists()


@printing
def _print_logs_inside(record: Record, follow: bool) -> int:
    seen: set[str] = set()
    place = (0, 0)
    while True:
        is_running = _is_running(record)
        place = _print_more(record.folder / LOG, place)
        for one in children(record.folder):
            if one.folder.name not in seen:
                seen.add(one.folder.name)
                _print_one(one, follow)
        if not (follow and is_running):
            return 0
        sys.stdout.flush()
        time.sleep(_PAUSE)


def _print_one(record: Record, follow: bool) -> None:
    """Print the log of *record* below a line that names it; of a pipeline those inside of it."""
    is_pipeline = record.facts.get("kind") == PIPELINE
    if is_pipeline and not _has_own_log(record):
        for one in children(record.folder):
            _print_one(one, follow)
        return
    heading = f"==> {record.facts.get('node') or record.label}, run {short_id(record.folder.name)}"
    sys.stdout.write(f"{visible(heading)} <==\n")
    sys.stdout.flush()
    if record.log is not None:
        _copy_log(record, record.log, follow)
    sys.stdout.flush()
    for one in children(record.folder) if is_pipeline else ():
        _print_one(one, follow)
