"""Upkeep of a store: remove runs and restore them, free what nobody needs, stop a run.

Removed runs are in the folder ``.removed`` of the store, which is a store of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kohaku_ast import files
from kohaku_ast.errors import UsageError
from kohaku_ast.store.artifacts import PARTIAL, hash_file
from kohaku_ast.store.environment import ProcessMark, host
from kohaku_ast.store.record import Record, find_runs
from kohaku_ast.store.run_folder import RECORD, REMOVED, mark_root
from kohaku_ast.store.sources import Objects
from kohaku_ast.store.summary import RunSummary

_FOLDERS_TRIED = 1000


def with_inner(names: Sequence[str], every: Sequence[RunSummary]) -> list[str]:
    """*names* of runs, each once, and those of the runs inside of them, at any depth, among
    *every* one: the runs of a pipeline's scripts go with it.
    """
    inside: dict[str | None, list[str]] = {}
    for one in every:
        inside.setdefault(one.parent, []).append(one.id)
    found = dict.fromkeys(names)
    waiting = [*found]
    while waiting:
        new = [one for one in inside.get(waiting.pop(), ()) if one not in found]
        found.update(dict.fromkeys(new))
        waiting += new
    return [*found]


def remove_runs(root: Path, names: Sequence[str], force: bool = False) -> list[str]:
    """Move the runs in the folders *names* to the removed ones; the names of those that no other
    process has removed first.

    Raises UsageError, and moves none, if one is running (with *force* one of another machine may
    be); or if that is not possible.
    """
    for name in names:
        record = Record.read(root / name)
        if record is not None and record.status == "running":
            _refuse_running(record, force)
    return [
        name
        for name in names
        if _move(root / name, root / REMOVED, f"cannot remove the run {name!r}")
    ]


def _refuse_running(record: Record, force: bool) -> None:
    there = str(record.facts["host"])
    if there == host():
        raise UsageError(
            f"the run {record.folder.name!r} is running: stop it first: kogine runs stop "
            f"{record.folder.name}"
        )
    if not force:
        raise UsageError(
            f"the run {record.folder.name!r} may still be running on {there!r}. If it is not: "
            "--force (force=True)"
        )


def restore_runs(root: Path, names: Sequence[str]) -> list[str]:
    """Move the removed runs *names* back; the names of those that no other process has restored
    first. Raises UsageError.
    """
    return [
        name
        for name in names
        if _move(root / REMOVED / name, root, f"cannot restore the run {name!r}")
    ]


def _move(source: Path, folder: Path, problem: str) -> bool:
    """Move *source* into *folder*, under another name if its own is taken there."""
    try:
        mark_root(folder)
        for number in range(1, _FOLDERS_TRIED):
            target = folder / (f"{source.name}-{number}" if number > 1 else source.name)
            if not os.path.lexists(target):
                os.rename(source, target)
                return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise UsageError(f"{problem}: {error.strerror or error}") from error
    raise UsageError(f"{problem}: there are {_FOLDERS_TRIED} of its name")


# --- what gc frees -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Freed:
    """What ``gc`` has freed, or would free."""

    #: Removed runs.
    runs: int
    #: Texts of scripts and modules, and artifacts, that no run refers to.
    objects: int
    #: Bytes of both.
    size: int


_FRESH = 3600
"""Seconds for which a text stays without a record: the run that needs it is about to start."""
_DIGEST = re.compile(rb"[0-9a-f]{64}")
_PARTIAL = re.compile(rf"\d+\.\d+{re.escape(PARTIAL)}")
_OBJECT = re.compile(r"([0-9a-f]{62})(\.\d+\.defaults\.json)?")


def collect(root: Path, dry_run: bool = False) -> Freed:
    """Delete removed runs for good, and the objects that no other run refers to.

    Raises UsageError if something cannot be read or deleted; what could be is freed all the same.
    """
    trash = [*_removed_runs(root)]
    objects = [*_unused_objects(root, {one.resolve() for one in trash})]
    objects += _unfinished(Objects(root).folder)
    size = sum(map(_size, trash)) + sum(one.stat().st_size for one in objects)
    if not dry_run:
        problems = [error for one in trash for error in _delete_run(one)]
        problems += [error for one in objects for error in _delete(one)]
        _clear(root / REMOVED)
        if problems:
            error = problems[0]
            what = f"{len(problems)} files cannot be removed, such as {error.filename!r}"
            raise UsageError(f"{what}: {error.strerror or error}")
    return Freed(len(trash), len([one for one in objects if not one.suffix]), size)


def _removed_runs(root: Path) -> Iterator[Path]:
    """The folders of removed runs; other folders there are not ours."""
    for path in _entries(root / REMOVED):
        if path.is_dir() and not path.is_symlink() and os.path.lexists(path / RECORD):
            yield path


def _entries(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in sorted(os.listdir(folder))]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UsageError(f"cannot read {str(folder)!r}: {error.strerror or error}") from error


def _size(folder: Path) -> int:
    inside = (Path(here, name) for here, _, names in os.walk(folder) for name in names)
    return sum(one.lstat().st_size for one in inside if os.path.lexists(one))


def _unused_objects(root: Path, doomed: set[Path]) -> Iterator[Path]:
    """The files of objects that no run beside *doomed* refers to."""
    folder = Objects(root).folder
    found = [*_objects(folder)]
    if not found:
        return
    used = {one for store in _stores(root) for one in _references(store, doomed)}
    since = time.time() - _FRESH
    for path, digest in found:
        try:
            if digest not in used and path.lstat().st_mtime < since and _is_ours(path, digest):
                yield path
        except FileNotFoundError:
            pass  # another gc is at work


def _objects(folder: Path) -> Iterator[tuple[Path, str]]:
    """Each file of an object, and the digest in its name."""
    for inner in _entries(folder):
        if re.fullmatch("[0-9a-f]{2}", inner.name) and inner.is_dir():
            for path in _entries(inner):
                named = _OBJECT.fullmatch(path.name)
                if named and path.is_file() and not path.is_symlink():
                    yield path, inner.name + named[1]


def _is_ours(path: Path, digest: str) -> bool:
    """Whether it is the text of its name: in a folder of the user, other files look like that."""
    return bool(path.suffix) or hash_file(str(path)) == digest


def _unfinished(folder: Path) -> Iterator[Path]:
    """Copies of artifacts that a killed process has left."""
    for path in _entries(folder):
        if _PARTIAL.fullmatch(path.name) and time.time() - path.lstat().st_mtime > _FRESH:
            yield path


def _stores(root: Path) -> Iterator[Path]:
    """The folders whose runs may refer to the objects beside *root*: copies of a store share
    them.
    """
    objects = Objects(root).folder
    for path in {root, *_entries(root.parent)}:
        if path != objects and path.is_dir():
            yield from (path, path / REMOVED)


def _references(store: Path, doomed: set[Path]) -> Iterator[str]:
    """Every digest in the records of *store*, also in records of later versions."""
    for folder in _entries(store):
        if folder.resolve() in doomed:
            continue
        try:
            data = (folder / RECORD).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise UsageError(
                f"cannot read {str(folder / RECORD)!r} ({error.strerror}), which may need objects: "
                "nothing was freed"
            ) from error
        yield from (one.decode() for one in _DIGEST.findall(data))


def _delete_run(folder: Path) -> list[OSError]:
    """Delete *folder*, its record last: without that nobody knows that it is a run. What went
    wrong.
    """
    inside = [one for one in _entries(folder) if one.name != RECORD]
    problems = [error for one in inside for error in _delete(one)]
    if not problems:
        problems = _delete(folder / RECORD)
        _clear(folder)
    return problems


def _delete(path: Path) -> list[OSError]:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        pass  # another gc is at work
    except OSError as error:
        return [error]
    return []


def _clear(folder: Path) -> None:
    """Remove *folder* if nothing but our own files is in it."""
    names = {path.name for path in _entries(folder)}
    if names <= _OWN:
        for name in names:
            files.remove(str(folder / name))
        try:
            folder.rmdir()
        except OSError:
            pass  # another process has put something there, or removed it


_OWN = {".gitignore", "index.db", "index.db-journal", ".claims"}


# --- damage --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DamagedObject:
    """A text, a value or an artifact that runs have kept and that cannot be got back."""

    #: What the runs call it: the path of a file, or the target of a value.
    name: str
    #: ``damaged``, ``missing``, or why it cannot be read.
    problem: str
    #: The SHA-256 that it had, which names its file.
    sha256: str
    #: The folders of the runs that have kept it.
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Verification:
    """What ``verify`` has found."""

    #: How many objects there are, or should be.
    objects: int
    damaged: tuple[DamagedObject, ...]


def verify(root: Path) -> Verification:
    """Read every object of the store in *root*, and compare it with its name."""
    needed: dict[str, dict[str, str]] = {}
    for store in _stores(root):
        for record in find_runs(store):
            for digest, name in objects_in(record.facts):
                needed.setdefault(digest, {})[record.folder.name] = name
    there = {one: path for path, one in _objects(Objects(root).folder) if not path.suffix}
    problems = {one: _problem(path, one) for one, path in there.items()}
    problems |= {one: "missing" for one in needed if one not in there}
    return Verification(len(problems), tuple(_damaged(problems, needed)))


def _damaged(
    problems: Mapping[str, str], needed: Mapping[str, Mapping[str, str]]
) -> Iterator[DamagedObject]:
    for digest, problem in problems.items():
        names = needed.get(digest, {})
        if problem:
            yield DamagedObject(next(iter(names.values()), ""), problem, digest, tuple(names))


def _problem(path: Path, digest: str) -> str:
    try:
        return "" if hash_file(str(path)) == digest else "damaged"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


def objects_in(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The SHA-256 of each object that a record with these *facts* needs, and a name for it."""
    sources, git = facts.get("sources") or {}, facts.get("git") or {}
    forms = facts.get("overrides") or ()
    files = [*(sources.get("configs") or ())]
    for part in ("modules", "scripts"):
        files += (sources.get(part) or {}).values()
    pairs = [
        (sources.get("script"), facts["script"]["path"]),
        *((one.get("sha256"), one.get("file")) for one in files),
        *((one.get("object"), one.get("target")) for one in forms),
        (git.get("diff"), "changes that are not committed"),
        *((one.get("sha256"), one.get("path")) for one in facts.get("artifacts") or ()),
    ]
    yield from ((str(digest), str(name)) for digest, name in pairs if digest)


# --- stop ----------------------------------------------------------------------------------------

_PATIENCE = 10.0
_STEP = 0.05


def stop_run(record: Record, whole_flow: bool = False) -> bool:
    """Send SIGTERM to the process of a run, with its children; or to its *whole_flow*.

    Whether it has ended, for which it has ten seconds. Raises UsageError if it is not running on
    this machine.
    """
    name = record.folder.name
    if record.status != "running":
        raise UsageError(f"the run {name!r} is not running: it {_ENDS[record.status]}")
    if record.facts["host"] != host():
        raise UsageError(f"the run {name!r} is on {record.facts['host']!r}: stop it there")
    own, flow = _mark(record.facts["process"]), _mark(record.facts["flow"])
    mark = flow if whole_flow or own is None or not own.is_alive else own
    if mark is None or not mark.is_alive:
        raise UsageError(f"the run {name!r} is starting or ending: try again")
    _terminate(mark, name)
    until = time.monotonic() + _PATIENCE
    while mark.is_alive and time.monotonic() < until:
        time.sleep(_STEP)
    return not mark.is_alive


_ENDS = {
    "succeeded": "has succeeded", "failed": "has failed", "interrupted": "was interrupted",
    "pruned": "was ended early by its search",
    "lost": "was lost: its process has ended without a word",
}  # fmt: skip


def _mark(field: dict[str, object] | None) -> ProcessMark | None:
    return None if field is None else ProcessMark(int(str(field["pid"])), str(field["start"]))


def _terminate(mark: ProcessMark, name: str) -> None:
    try:
        # A run has a session of its own; a flow may be one of a group of the shell.
        if hasattr(os, "killpg") and os.getpgid(mark.pid) == mark.pid == os.getsid(mark.pid):
            os.killpg(mark.pid, signal.SIGTERM)
        else:
            os.kill(mark.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it has just ended
    except OSError as error:
        raise UsageError(f"cannot stop the run {name!r}: {error.strerror or error}") from error
