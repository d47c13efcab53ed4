"""Attempts at a run on a cluster, each in a folder of its own. The first one to finish is published
by a rename, once; a cluster may run the same work again, and even twice at a time.

In the folder of the record, ``attempts/1-3f9c2a`` is an attempt under way and ``attempts/1`` the
published one, where 1 is the number of the flow's own attempt (``--retries``).
"""

from __future__ import annotations

import marshal
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from kohaku_ast import files
from kohaku_ast.store.run_folder import CHECKPOINTS, EVENT, FILES, LOG, SERIES

ATTEMPTS = "attempts"
"""The folder of all attempts."""
_END = "end"
"""The file in an attempt that says how it ended."""
_LIVE = LOG, SERIES, EVENT
"""The files that the flow reads while an attempt is under way."""
_MODE, _FOLDER_MODE = 0o600, 0o700


class Attempt:
    """One attempt at a run, on the worker."""

    def __init__(self, folder: str, number: int) -> None:
        """*folder* is that of the record, *number* that of the flow's attempt. Raises OSError."""
        self._attempts, self._published = _places(folder, number)
        self._folder = Path(f"{self._published}-{uuid.uuid4().hex[:8]}")
        self._shared = Path(folder, FILES, CHECKPOINTS)

    def begin(self) -> None:
        """Make its folder. Raises OSError."""
        os.makedirs(self._folder / FILES, _FOLDER_MODE)
        # A later attempt goes on from what an earlier one has saved.
        os.makedirs(self._shared, _FOLDER_MODE, exist_ok=True)
        os.symlink(self._shared, self._folder / FILES / CHECKPOINTS)
        for name in _LIVE:
            self._show(name)

    def _show(self, name: str) -> None:
        """Make the file *name*, and let the record have it, too: of several attempts under way the
        last one that has begun is seen there. (A link to its path would lead nowhere later.)
        """
        (self._folder / name).touch(_MODE)
        new = self._folder / f"{name}.new"
        with suppress(OSError):  # not all file systems have links: it is seen at the end then
            os.link(self._folder / name, new)
            os.replace(new, self._attempts.parent / name)

    @property
    def files(self) -> str:
        """The folder for the files of the run."""
        return str(self._folder / FILES)

    def open_log(self) -> int:
        """A descriptor of its log, which is empty. Raises OSError."""
        return os.open(self._folder / LOG, os.O_CREAT | os.O_WRONLY | os.O_APPEND, _MODE)

    def published(self) -> Any:
        """How the published attempt has ended; None if there is none."""
        return _end_of(self._published)

    def publish(self, end: Any) -> Any:
        """Publish it with its *end*, unless another one was published before: the end of the one
        that is published. Raises OSError.
        """
        files.write_atomically(str(self._folder / _END), marshal.dumps(end), _MODE)
        try:
            os.rename(self._folder, self._published)  # fails if it is there: it is not empty
        except OSError:
            found = self.published()
            if found is None:
                raise
            return found
        # The script may have kept the name of the folder for its files: it leads to them.
        os.symlink(os.pardir, self._folder)
        return end


def published(folder: Path, number: int) -> Any:
    """How the published attempt at a run has ended; None if there is none."""
    return _end_of(_places(folder, number)[1])


def collect(folder: Path, number: int) -> None:
    """Move what the published attempt has left to where a run that ran here has it; without one,
    what the last attempt has printed and logged. Raises OSError.
    """
    attempts, done = _places(folder, number)
    if not done.is_dir():
        for one in sorted(_unpublished(attempts, number), key=os.path.getmtime)[-1:]:
            _move_live(one, folder)
        return
    _move_live(done, folder)
    shared = done / FILES / CHECKPOINTS
    if shared.is_symlink():
        shared.unlink()
    _merge(done / FILES, folder / FILES)
    for empty in (folder / FILES / CHECKPOINTS, folder / FILES):
        try:
            empty.rmdir()
        except OSError:
            pass  # it holds files


def _places(folder: str | Path, number: int) -> tuple[Path, Path]:
    attempts = Path(folder, ATTEMPTS)
    return attempts, attempts / str(number)


def _unpublished(attempts: Path, number: int) -> Iterator[Path]:
    for name in _names(attempts):
        if name.startswith(f"{number}-") and (attempts / name / LOG).exists():
            yield attempts / name


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _end_of(folder: Path) -> Any:
    try:
        return marshal.loads((folder / _END).read_bytes())
    except (OSError, ValueError, EOFError, TypeError):
        return None


def _move_live(old: Path, new: Path) -> None:
    for name in _LIVE:
        with suppress(FileNotFoundError):  # it was moved before
            os.replace(old / name, new / name)
            files.remove(str(old / name))  # it stays if both are the same file
        if name != LOG and (new / name).exists() and not (new / name).stat().st_size:
            (new / name).unlink()  # the run has written nothing


def _merge(old: Path, new: Path) -> None:
    """Move what is in the folder *old* into *new*, where earlier attempts may have left files."""
    os.makedirs(new, _FOLDER_MODE, exist_ok=True)
    for name in _names(old):
        if (old / name).is_dir() and not (old / name).is_symlink() and (new / name).is_dir():
            _merge(old / name, new / name)
        else:
            os.replace(old / name, new / name)
