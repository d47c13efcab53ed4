"""Artifacts of recorded runs as files in a folder, as the runs wrote them; also for Git LFS."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kohaku_ast.errors import UsageError
from kohaku_ast.files import write_atomically
from kohaku_ast.store.artifacts import (
    artifacts_of,
    is_same_file,
    mend,
    objects_of,
    restore_file,
)
from kohaku_ast.store.record import Record
from kohaku_ast.store.store import Runs

ATTRIBUTES = ".gitattributes"
_LFS = "filter=lfs diff=lfs merge=lfs -text"
_MOST_NAMED = 3


@dataclass(frozen=True)
class LaidFile:
    """A file of a run, with its place in the folder."""

    #: From the folder of the export, with slashes: ``RUN/ckpt/best.pt``.
    path: str
    source: Path
    size: int
    #: None if nobody knows.
    sha256: str | None
    mode: int
    #: Puts the content into *source* again, if it can be found; whether that was possible.
    mend: Callable[[], bool] = lambda: False


def export_runs(runs: Runs, place: str, force: bool = False) -> str:
    """Write the artifacts of *runs* below the folder *place*, those of each run into a folder with
    its name. Files with other content are replaced with *force* alone. Returns what was done.
    """
    laid = files_of(runs, place)
    return f"{counted(laid, runs, place)}: {lay_down(laid, place, force)}"


def export_for_lfs(runs: Runs, place: str, force: bool = False) -> str:
    """The same, with a line in ``.gitattributes`` for each: Git LFS takes them."""
    laid = files_of(runs, place)
    done = lay_down(laid, place, force)
    lines = [f"{_attribute_path(one.path)} {_LFS}" for one in laid]
    new = add_lines(os.path.join(place, ATTRIBUTES), lines)
    return f"{counted(laid, runs, place)}: {done}; {ATTRIBUTES}: {new} new lines"


def files_of(
    runs: Runs, place: str, more: Callable[[Record], Iterable[LaidFile]] = lambda record: ()
) -> list[LaidFile]:
    """The artifacts of *runs*, and *more* of each. Raises UsageError if there are none, if one is
    missing in the store, and if two have one place.
    """
    if not place:
        raise UsageError("artifacts go to a folder: add -o FOLDER")
    records = [*runs]
    found = [one for record in records for one in (*_artifacts(record), *more(record))]
    missing = [one for one in found if not (one.source.is_file() or one.mend())]
    if missing:
        raise UsageError(
            f"{_named(missing)} cannot be written: {len(missing)} objects are missing below "
            f"{str(objects_of(records[0].folder).folder)!r}"
        )
    twice = [path for path, count in Counter(one.path for one in found).items() if count > 1]
    if twice:
        raise UsageError(f"two files would be {twice[0]!r}: export these runs one by one")
    if not found:
        raise UsageError(
            "no artifacts: these runs have kept no files. --artifacts 'ckpt/*.pt' keeps those of a "
            "new run"
        )
    return found


def _artifacts(record: Record) -> Iterator[LaidFile]:
    objects = objects_of(record.folder)
    try:
        kept = artifacts_of(record.facts)
    except (ValueError, LookupError, TypeError) as error:
        raise UsageError(f"the record {record.folder.name!r} is damaged: {error}") from error
    for one in kept:
        if one.sha256 is not None:
            path = f"{record.folder.name}/{one.path}"
            again = partial(mend, record.folder, record.facts, one)
            yield LaidFile(path, objects.path(one.sha256), one.size, one.sha256, one.mode, again)


def lay_down(
    laid: Sequence[LaidFile], place: str, force: bool, also: Callable[[LaidFile], object] = id
) -> str:
    """Write them below *place*; *also* is called for each that is there then. Returns what was
    done; raises UsageError, before anything is written, if a file has other content.
    """
    old = {one.path for one in laid if _is_there(one, place)}
    others = [one for one in laid if one.path not in old and os.path.lexists(_target(one, place))]
    if others and not force:
        raise UsageError(f"{_named(others)} in {place!r}: other content. --force replaces it")
    for one in laid:
        if one.path not in old:
            _write(one, place)
        also(one)
    counts = {"new": len(laid) - len(old) - len(others), "replaced": len(others)}
    counts["unchanged"] = len(old)
    return ", ".join(f"{number} {what}" for what, number in counts.items() if number)


def _write(one: LaidFile, place: str, is_mended: bool = False) -> None:
    try:
        restore_file(str(one.source), _target(one, place), one.sha256, one.mode)
    except ValueError:
        if is_mended or not one.mend():
            raise UsageError(f"{one.path!r}: {str(one.source)!r} is damaged") from None
        _write(one, place, is_mended=True)
    except OSError as error:
        raise cannot_write(place, error) from error


def cannot_write(place: str, error: OSError) -> UsageError:
    """The error for a folder *place* that refuses a file."""
    return UsageError(f"cannot write to {place!r}: {error.strerror or error}")


def _is_there(one: LaidFile, place: str) -> bool:
    return is_same_file(_target(one, place), one.size, one.sha256, str(one.source))


def _target(one: LaidFile, place: str) -> str:
    return os.path.join(place, *one.path.split("/"))


def _named(laid: Sequence[LaidFile]) -> str:
    names = ", ".join(repr(one.path) for one in laid[:_MOST_NAMED])
    return f"{names}, ..." if len(laid) > _MOST_NAMED else names


def counted(laid: Sequence[LaidFile], runs: Runs, place: str) -> str:
    """``3 files of 2 runs in out``."""
    plural = ["s" if count != 1 else "" for count in (len(laid), len(runs))]
    return f"{len(laid)} file{plural[0]} of {len(runs)} run{plural[1]} in {place}"


def add_lines(path: str, lines: Iterable[str]) -> int:
    """Append those of *lines* that the file at *path* lacks; what is there stays. How many were
    new. Raises UsageError.
    """
    try:
        data = Path(path).read_bytes() if os.path.lexists(path) else b""
        known = {one.rstrip() for one in data.decode("utf-8", "surrogateescape").split("\n")}
        new = [one for one in dict.fromkeys(lines) if one not in known]
        if new:
            end = b"\n" if data and not data.endswith(b"\n") else b""
            text = "".join(f"{one}\n" for one in new).encode("utf-8", "surrogateescape")
            write_atomically(os.path.realpath(path), data + end + text, 0o644)
    except OSError as error:
        raise cannot_write(path, error) from error
    return len(new)


def _attribute_path(path: str) -> str:
    """*path* as a pattern of ``.gitattributes`` that fits this file alone, as Git LFS writes it."""
    escaped = re.sub(r"([\\*?\[\]\"])", r"\\\1", path)
    return re.sub(r"\s", "[[:space:]]", escaped)
