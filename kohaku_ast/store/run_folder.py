"""RunFolder: the folder of one run's record. Knows every name in it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

RUNS = Path(".kogine", "runs")
"""Where flows keep their records, below the working folder."""

RECORD = "run.json"
LOG = "log.txt"
_FOLDERS_TRIED = 10_000
_BINARY = getattr(os, "O_BINARY", 0)  # elsewhere there is nothing else
_PLENTY = 1 << 30
_LEAST_FREE = 64 * 1024
"""Bytes. With less a log would hold next to nothing: better that its run prints where we do."""


class RunFolder:
    """One folder. All that is here raises OSError where the disk does not want it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._within = os.path.join(path, "")
        #: Field -> its value and its line of run.json.
        self._lines: dict[str, tuple[object, str]] = {}

    @classmethod
    def create(cls, root: Path, identity: str, started: float) -> RunFolder:
        """A new folder below *root*: its name begins with the time, in UTC."""
        mark_root(root)
        # Texts: of a short run, making a Path for each name would be a tenth.
        whole, part = divmod(int(started * 1000), 1000)
        when = time.strftime("%Y%m%dT%H%M%S", time.gmtime(whole))
        name = f"{when}.{part:03}Z-{identity[:8]}"
        for number in range(1, _FOLDERS_TRIED):
            path = os.path.join(root, f"{name}-{number}" if number > 1 else name)
            try:
                os.mkdir(path)
            except FileExistsError:
                continue
            return cls(Path(path))
        raise FileExistsError(f"no free name for a run: {root / name}")

    @property
    def log(self) -> Path:
        """Everything that the last attempt has printed."""
        return self.path / LOG

    def open_log(self) -> int:
        """A descriptor of the empty log; raises OSError too if there is no room to write to it."""
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC
        log = os.open(self._within + LOG, flags, 0o666)
        try:
            _check_room(log)
        except OSError:
            os.close(log)
            os.unlink(self._within + LOG)
            raise
        return log

    def keep_log(self, attempt: int) -> str:
        """Put the log of a failed *attempt* aside; its new name."""
        name = f"log-{attempt}.txt"
        os.replace(self.log, self.path / name)
        return name

    def write(self, facts: Mapping[str, object]) -> None:
        """Replace ``run.json``: readers see the old one or the whole new one.

        A field's value is not changed after it was given: another one takes its place.
        """
        target = self._within + RECORD
        partial = f"{target}.{os.getpid()}"
        try:
            _write_whole(partial, self._text(facts))
            os.replace(partial, target)
        except BaseException:
            _remove(partial)
            raise

    def _text(self, facts: Mapping[str, object]) -> bytes:
        known = self._lines
        for name, value in facts.items():
            # Three times in the life of a run it is written, and little of it changes.
            if name not in known or known[name][0] is not value:
                known[name] = value, _line(name, value)
        lines = ",\n".join(known[name][1] for name in facts)
        return f"{{\n{lines}\n}}\n".encode()

    def remove(self) -> None:
        """Leave nothing of a run that was not begun."""
        _remove(self._within + LOG)
        _remove(self._within + RECORD)
        try:
            self.path.rmdir()
        except OSError:
            pass  # something else is in it


def mark_root(root: Path) -> None:
    """Make *root*, which git is to overlook, and the folder that it is in, but none above."""
    mark = os.path.join(root, ".gitignore")
    if not os.path.exists(mark):
        try:
            root.mkdir(exist_ok=True)
        except FileNotFoundError:
            root.parent.mkdir(exist_ok=True)
            root.mkdir(exist_ok=True)
        partial = f"{mark}.{os.getpid()}"
        _write_whole(partial, b"*\n")
        os.replace(partial, mark)


def _line(name: str, value: object) -> str:
    """One line a field: ``indent`` would take twenty times as long."""
    text = _encode(value)
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:  # a path or value that is no text
            text = json.dumps(value)
    return f'  "{name}": {text}'


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _write_whole(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | _BINARY, 0o666)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)


def has_plenty(log: int) -> bool:
    """Whether a run may write to the descriptor *log* itself: it would take a while to fill the
    disk, on which its ``print`` would fail.
    """
    return _free(log) >= _PLENTY


def _free(log: int) -> float:
    if not hasattr(os, "fstatvfs"):
        return float("inf")
    found = os.fstatvfs(log)
    return found.f_bavail * found.f_frsize


def _check_room(log: int) -> None:
    if _free(log) < _LEAST_FREE:
        import errno

        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # it was never made


_MOST_BYTES = 64 * 1024
_MOST_TEXT = 500
"""Characters of one line."""


def last_lines(log: Path, count: int = 10) -> list[str]:
    r"""The last *count* lines, without line ends; none if the file cannot be read.

    Of a line that was written over (``\r``, a progress bar) what was to be seen last.
    """
    try:
        text = _tail(log).decode("utf-8", "replace")
    except OSError:
        return []
    lines = text.split("\n")
    if lines and not lines[-1].strip():
        lines.pop()
    return [_seen(line)[:_MOST_TEXT] for line in lines[-count:]] if count > 0 else []


def _tail(log: Path) -> bytes:
    with open(log, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _MOST_BYTES))
        return file.read(_MOST_BYTES)


def _seen(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]
