"""The files of a run for workers that share no file system with the flow: the script, its modules
and checkpoints go with the job, and what the run leaves comes back with its end.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from kohaku_ast import files
from kohaku_ast.errors import UsageError
from kohaku_ast.executors.attempts import collect
from kohaku_ast.frames import contextmanager
from kohaku_ast.runner.job import moved
from kohaku_ast.store.environment import RESUMED_FROM
from kohaku_ast.store.run_folder import CHECKPOINTS, FILES, LOG, RECORD, SERIES

Contents: TypeAlias = "Mapping[str, bytes]"
"""Path below a folder -> the bytes of the file."""

MOST_BYTES = 256 << 20
"""What travels, at most, in one direction: it goes through the memory of a scheduler."""
_PROJECT, _RECORD, _RESUMED, _KEPT = "project", "record", "resumed", "kept"
_RUNS, _OBJECTS = "runs", "objects"
_MODE, _FOLDER_MODE = 0o600, 0o700


# --- in the flow ---------------------------------------------------------------------------------


def read_project(texts: Iterable[str], cwd: str) -> tuple[str, dict[str, bytes]]:
    """The folder around the files *texts* and the working folder, and these files as they lie in
    ``own_folder``.

    Raises OSError, and ValueError for files on several drives.
    """
    paths = [os.path.abspath(one) for one in texts]
    root = os.path.commonpath([os.path.abspath(cwd), *map(os.path.dirname, paths)])
    return root, {
        os.path.join(_PROJECT, os.path.relpath(one, root)): Path(one).read_bytes() for one in paths
    }


def read_state(record: str, env: Mapping[str, str]) -> dict[str, bytes]:
    """What the run goes on from, as it lies there: the files of its earlier attempts, and the
    checkpoints of the run that it resumes. Raises UsageError if that is too much to travel,
    and OSError.
    """
    resumed = env.get(RESUMED_FROM, "")
    inside = os.path.join(resumed, FILES, CHECKPOINTS)
    places = [(os.path.join(record, FILES), os.path.join(_RECORD, FILES))]
    if resumed:
        places.append((inside if os.path.isdir(inside) else resumed, _RESUMED))
    size = sum(map(_size, (place for place, _ in places)))
    if size > MOST_BYTES:
        raise UsageError(
            f"the worker does not see {record}, and the files to go on from have {_mb(size)}, more "
            f"than the {_mb(MOST_BYTES)} that travel: use a file system that the workers share"
        )
    return {
        os.path.join(name, path): data
        for place, name in places
        for path, data in read_folder(place).items()
    }


def write_folder(folder: str | Path, contents: Contents) -> None:
    """Write the files below *folder*. Raises OSError."""
    for path, data in contents.items():
        if not files.why_outside(path):
            place = Path(folder, path)
            os.makedirs(place.parent, _FOLDER_MODE, exist_ok=True)
            files.write_atomically(str(place), data, _MODE)


def read_folder(folder: str | Path) -> dict[str, bytes]:
    """The files below *folder*. Raises OSError."""
    return {os.path.relpath(one, folder): Path(one).read_bytes() for one in _files_of(folder)}


def put_records(root: str, parent: str, left: Mapping[str, bytes]) -> bytes:
    """Put the records that a task has *left* below *root*, where *parent* is the folder of its
    pipeline; what is for the log of that. Raises OSError.
    """
    log = left.get(LOG, b"")
    for path, data in sorted(left.items(), key=lambda one: one[0].endswith(RECORD)):
        kind, _, below = path.partition(os.sep)
        owner, _, name = below.partition(os.sep)
        if kind == _RUNS and name and owner != parent:
            write_folder(root, {below: data})
        elif kind == _RUNS and name == LOG:
            log = data + log
        elif kind == _RUNS and name == SERIES:
            with open(os.path.join(root, below), "ab", opener=_opener) as file:
                file.write(data)
        elif kind == _RUNS and name.startswith(FILES):
            write_folder(root, {below: data})
        elif kind == _OBJECTS and name:
            write_folder(os.path.dirname(root), {path: data})
    return log


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, _MODE)


# --- on the worker -------------------------------------------------------------------------------


@contextmanager
def own_folder(contents: Contents) -> Iterator[str]:
    """Inside, a new folder with these files; it is removed at the end, unless the run was to leave
    more in it than travels.
    """
    folder = tempfile.mkdtemp(prefix="kogine-")
    try:
        write_folder(folder, contents)
        os.makedirs(os.path.join(folder, _PROJECT), _FOLDER_MODE, exist_ok=True)
        os.makedirs(os.path.join(folder, _RECORD), _FOLDER_MODE, exist_ok=True)
        yield folder
    finally:
        if not os.path.exists(os.path.join(folder, _KEPT)):
            shutil.rmtree(folder, ignore_errors=True)


def records_in(folder: str, parent: str) -> str:
    """A new folder of records in *folder*, with one for the pipeline *parent*. Raises OSError."""
    root = os.path.join(folder, _RECORD, _RUNS)
    os.makedirs(os.path.join(root, parent, FILES), _FOLDER_MODE)
    return root


def fields_in(folder: str, job: Any) -> dict[str, Any]:
    """The fields of the *job*, a RemoteJob, that are others if it runs in that folder, where its
    files are.
    """
    project = os.path.join(folder, _PROJECT)
    move = _mover(job.root, project)
    cwd = job.cwd and os.path.normpath(os.path.join(project, os.path.relpath(job.cwd, job.root)))
    if cwd:
        os.makedirs(cwd, _FOLDER_MODE, exist_ok=True)
    path = [move(one) for one in job.path if move(one) != one]
    before = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    env = {**job.env, "PYTHONPATH": os.pathsep.join(filter(None, [*path, *before]))}
    if os.path.isdir(os.path.join(folder, _RESUMED)):
        env[RESUMED_FROM] = os.path.join(folder, _RESUMED)
    return {
        "data": moved(job.data, move), "argv": [*map(move, job.argv[:1]), *job.argv[1:]],
        "cwd": cwd, "env": env, "folder": os.path.join(folder, _RECORD), "texts": {},
    }  # fmt: skip


def project_in(folder: str, setup: Mapping[str, Any]) -> dict[str, Any]:
    """The *setup* of a process for tasks that runs in that folder, where the files of the project
    are written. Raises OSError.
    """
    write_folder(folder, setup["contents"])
    project = os.path.join(folder, _PROJECT)
    cwd = os.path.join(project, os.path.relpath(setup["cwd"], setup["root"]))
    os.makedirs(cwd, _FOLDER_MODE, exist_ok=True)
    path = [*map(_mover(setup["root"], project), setup["path"])]
    return {**setup, "cwd": os.path.normpath(cwd), "path": path, "contents": {}}


def take_record(folder: str, attempt: int, host: str) -> dict[str, bytes]:
    """What the run in that folder has left for its record. Raises OSError."""
    record = os.path.join(folder, _RECORD)
    collect(Path(record), attempt)
    size = _size(record)
    if size > MOST_BYTES:
        Path(folder, _KEPT).touch(_MODE)
        with open(os.path.join(record, LOG), "a", encoding="utf-8") as log:
            log.write(
                f"kogine: warning: the files of the run have {_mb(size)}, more than the "
                f"{_mb(MOST_BYTES)} that travel: they are on {host}, in {record}\n"
            )
        return {LOG: Path(record, LOG).read_bytes()[-MOST_BYTES:]}
    return {path: data for path, data in read_folder(record).items() if path[:8] != "attempts"}


def _mover(root: str, folder: str) -> Callable[[str], str]:
    """What gives the path in *folder* of a path below *root*, if there is something."""

    def move(path: str) -> str:
        if not os.path.isabs(path):
            return path
        below = os.path.relpath(path, root)
        place = os.path.normpath(os.path.join(folder, below))
        return path if below.startswith(os.pardir) or not os.path.exists(place) else place

    return move


def _files_of(folder: str | Path) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                yield path


def _size(folder: str) -> int:
    return sum(os.lstat(one).st_size for one in _files_of(folder))


def _mb(size: int) -> str:
    return f"{size >> 20} MB"
