"""Records as rows of text."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from kohaku_ast.display.short import short_repr
from kohaku_ast.store.record import Record
from kohaku_ast.store.values import is_whole, read

HEADER = ("run", "started", "status", "seconds", "script", "label", "outputs or error")


def list_runs(records: Iterable[Record]) -> Iterator[tuple[str, ...]]:
    """A row for each record, under ``HEADER``. Times are this machine's."""
    for record in records:
        yield (
            record.folder.name,
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.started)),
            record.status,
            "" if record.seconds is None else f"{record.seconds:.1f}",
            record.script,
            record.label,
            _result(record),
        )


def _result(record: Record) -> str:
    if record.error is not None:
        return str(record.error).partition("\n")[0]
    outputs = record.facts.get("outputs") or {}
    return " ".join(f"{name}={_shown(form)}" for name, form in outputs.items())


def _shown(form: object) -> str:
    value = read(form)
    return short_repr(value) if is_whole(form) else str(value)
