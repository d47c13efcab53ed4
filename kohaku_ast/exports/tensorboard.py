"""Recorded runs as event files of TensorBoard: a folder for each, with scalars and hparams."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kohaku_ast.errors import UsageError
from kohaku_ast.exports.series import points_of
from kohaku_ast.files import remove
from kohaku_ast.store.record import Record, param_forms
from kohaku_ast.store.store import Runs
from kohaku_ast.store.summary import plain_value

_ENDING = ".kogine"
"""Of the names of our event files: others in the same folder stay."""


def export_runs(runs: Runs, place: str) -> str:
    """Write event files for *runs*, each into a folder of its own below the folder *place*, in
    place of those of an earlier export. Returns what was done, in a sentence.
    """
    if not place:
        raise UsageError("TensorBoard reads a folder: add -o LOGDIR")
    records = [*runs]
    if not records:
        raise UsageError("no run fits: there is nothing to export")
    writer = _writer()
    try:
        for record in records:
            _write(record, Path(place) / record.folder.name, writer)
    except OSError as error:
        raise UsageError(f"cannot write to {place!r}: {error.strerror or error}") from error
    return f"{len(records)} run{'s' if len(records) != 1 else ''} in {place}"


def _writer() -> Any:
    try:
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        raise UsageError(
            'export to TensorBoard needs tensorboard: pip install "kohaku-ast[tensorboard]"'
        ) from None
    return EventFileWriter


def _write(record: Record, folder: Path, make_writer: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    before = [name for name in os.listdir(folder) if name.endswith(_ENDING)]
    writer = make_writer(str(folder), filename_suffix=_ENDING)
    try:
        for event in _events(record):
            writer.add_event(event)
    finally:
        writer.close()
    # TensorBoard would show the numbers of both.
    for name in before:
        remove(str(folder / name))


def _events(record: Record) -> Iterator[Any]:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.summary_v2 import hparams_pb

    name, start = record.folder.name, record.started
    yield Event(wall_time=start, step=0, summary=hparams_pb(_hparams(record), name, start))
    for point in points_of(record):
        value = Summary.Value(tag=point.name, simple_value=float(point.value))
        yield Event(wall_time=point.time, step=point.step, summary=Summary(value=[value]))


def _hparams(record: Record) -> dict[str, bool | float | str]:
    """Full target -> value; what is no number, text or truth value as text."""
    forms = {name: plain_value(form) for name, form in param_forms(record.facts).items()}
    is_plain = (bool, float, str)
    return {
        name: one if isinstance(one, is_plain) or _is_small(one) else str(one)
        for name, one in forms.items()
    }


def _is_small(value: object) -> bool:
    """Whether it is an integer that a float holds as it is."""
    return isinstance(value, int) and abs(value) <= 2**53
