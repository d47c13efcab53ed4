"""RunFolder: the folder of one run's record, with the names of the files in it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from kohaku_ast import files
from kohaku_ast.errors import UsageError

RUNS = Path(".kogine", "runs")
"""Where flows keep their records, below the working folder."""

RECORD = "run.json"
LOG = "log.txt"
MARKS = "marks.json"
"""What the user adds to a run: tags and a note. A flow that writes run.json does not lose them."""
INDEX = "index.db"
"""Of the whole store: see ``index``."""
SERIES = "metrics.jsonl"
"""What the run has printed as numbers, a line for each line of the log with some."""
NODES = "nodes.jsonl"
"""Of a pipeline that goes on: a line for each time that a node has changed."""
EVENT = "progress.json"
"""The state of the progress bars of the helpers, while the run is under way."""
FILES = "files"
"""The folder for the files of a run."""
CHECKPOINTS = "checkpoints"
"""The folder in it where the helpers save the state of a script."""
REMOVED = ".removed"
"""The folder of the runs that ``kogine runs rm`` has removed."""
CLAIMS = ".claims"
"""The file of the claims of flows that resume at the same time."""
_MOST_EVENT = 64 * 1024
_FOLDERS_TRIED = 10_000
_FOLDER_MODE, _MODE = 0o700, 0o600
"""Values and output may hold secrets: records are for their owner, whatever the umask."""
_NONE: Mapping[str, str] = {}
_PLENTY = 1 << 30
_LEAST_FREE = 64 * 1024
"""Bytes. With less, a log would hold almost nothing: the run prints where this process does."""


class RunFolder:
    """The folder of one run. Every method that writes raises OSError if the disk refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._within = os.path.join(path, "")
        #: Field -> its value and its line of run.json.
        self._lines: dict[str, tuple[object, str]] = {}
        #: The descriptor of the file of nodes; -1 if it is not open.
        self._nodes = -1

    @classmethod
    def create(cls, root: Path, identity: str, started: float) -> RunFolder:
        """Make a new folder below *root*; its name begins with the time, in UTC."""
        mark_root(root)
        # Strings: a Path for each name would take a tenth of the time of a short run.
        whole, part = divmod(int(started * 1000), 1000)
        when = time.strftime("%Y%m%dT%H%M%S", time.gmtime(whole))
        name = f"{when}.{part:03}Z-{identity[:8]}"
        for number in range(1, _FOLDERS_TRIED):
            path = os.path.join(root, f"{name}-{number}" if number > 1 else name)
            try:
                os.mkdir(path, _FOLDER_MODE)
            except FileExistsError:
                continue
            return cls(Path(path))
        raise FileExistsError(f"no free name for a run: {root / name}")

    @property
    def log(self) -> Path:
        """Everything that the last attempt has printed."""
        return self.path / LOG

    def open_log(self) -> int:
        """A descriptor of the empty log. Raises OSError if there is no room to write to it."""
        flags = os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_TRUNC
        log = os.open(self._within + LOG, flags, _MODE)
        try:
            _check_room(log)
        except OSError:
            os.close(log)
            os.unlink(self._within + LOG)
            raise
        return log

    def keep(self, name: str, attempt: int) -> str:
        """Rename the file *name* of a failed *attempt*, which stays; return its new name."""
        start, dot, end = name.partition(".")
        new = f"{start}-{attempt}{dot}{end}"
        os.replace(self._within + name, self._within + new)
        return new

    def make_files(self) -> None:
        """Make the folder for the files of the run."""
        os.makedirs(self._within + FILES, _FOLDER_MODE, exist_ok=True)

    def end_files(self, known: Mapping[str, str] = _NONE) -> list[dict[str, object]]:
        """``path``, ``size`` and ``sha256`` of each file that the run has left in that folder, the
        first thousand of them; an empty folder is removed. *known*: the SHA-256 of some.
        """
        try:
            os.rmdir(self._within + FILES)
            return []
        except FileNotFoundError:
            return []
        except OSError:  # it holds files
            return list(islice(_files_in(self._within + FILES, known), _MOST_FILES))

    def remove_event(self) -> None:
        """Remove the state of the progress bars: the run, or an attempt at it, has ended."""
        files.remove(self._within + EVENT)

    def append_points(self, points: bytes) -> None:
        """Append *points* to the series of metrics."""
        series = os.open(self._within + SERIES, os.O_CREAT | os.O_WRONLY | os.O_APPEND, _MODE)
        try:
            while points:
                points = points[os.write(series, points) :]
        finally:
            os.close(series)

    def replace_points(self, name: str, points: bytes) -> None:
        """Replace all *points* of the series in the file *name*."""
        files.write_atomically(self._within + name, points, _MODE)

    def append_node(self, node: Mapping[str, object]) -> None:
        """Append *node*, which has changed, to the file of nodes."""
        if self._nodes < 0:
            flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND
            self._nodes = os.open(self._within + NODES, flags, _MODE)
        os.write(self._nodes, f"{_encoder()(node)}\n".encode("utf-8", "backslashreplace"))

    def end_nodes(self, is_needed: bool = False) -> None:
        """Close that file, and remove it unless it *is_needed*: ``run.json`` has all of it."""
        if self._nodes >= 0:
            os.close(self._nodes)
            self._nodes = -1
            if not is_needed:
                files.remove(self._within + NODES)

    def write(self, facts: Mapping[str, object]) -> None:
        """Replace ``run.json``: readers see the old one or the whole new one.

        The caller replaces the value of a field and never changes it in place.
        """
        files.write_atomically(self._within + RECORD, self._text(facts), _MODE)

    def _text(self, facts: Mapping[str, object]) -> bytes:
        known = self._lines
        for name, value in facts.items():
            # run.json is written three times for each run, and few of its fields change.
            if name not in known or known[name][0] is not value:
                known[name] = value, _line(name, value)
        lines = ",\n".join(known[name][1] for name in facts)
        return f"{{\n{lines}\n}}\n".encode()

    def remove(self) -> None:
        """Remove the folder of a run that was not started."""
        for name in (LOG, EVENT, RECORD):
            files.remove(self._within + name)
        self.end_files()
        try:
            self.path.rmdir()
        except OSError:
            pass  # it holds something else


def key_of_name(name: str) -> str:
    """The start of the identity that the *name* of a folder contains; empty if it has none."""
    return name[_BEFORE_KEY : _BEFORE_KEY + 8]


_BEFORE_KEY = len("20261121T124453.143Z-")


def read_event(folder: str | Path) -> dict[str, Any] | None:
    """What the progress bars of the run in *folder* say last: ``line``, ``progress`` from 0 to 1 or
    None, ``open``; None if they say nothing.
    """
    try:
        with files.open_regular(os.path.join(folder, EVENT)) as file:
            line, end, _ = (file.read(_MOST_EVENT) or b"").partition(b"\n")
    except OSError:
        return None
    import json

    try:
        event: Any = json.loads(line) if end else None
        share = None if event["progress"] is None else min(1.0, max(0.0, float(event["progress"])))
        return {"line": str(event["line"]), "progress": share, "open": bool(event["open"])}
    except (ValueError, LookupError, TypeError):
        return None  # it is being written


def read_marks(folder: str | Path) -> tuple[list[str], str]:
    """The tags and the note of the run in *folder*; none if there are none, or they are damaged."""
    import json

    try:
        with files.open_regular(os.path.join(folder, MARKS)) as file:
            found = json.loads(file.read().decode())
        tags, note = found.get("tags", []), found.get("note", "")
        return [one for one in tags if isinstance(one, str)], note if isinstance(note, str) else ""
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return [], ""


def append_process(folder: str | Path, node: str, process: Mapping[str, Any]) -> None:
    """Note the *process* in which *node* runs, if the run in *folder* has not ended."""
    import json

    try:
        file = os.open(os.path.join(folder, NODES), os.O_WRONLY | os.O_APPEND)
    except OSError:
        return
    try:
        os.write(file, json.dumps({"name": node, "process": process}).encode() + b"\n")
    except OSError:
        pass  # a full disk
    finally:
        os.close(file)


def read_nodes(folder: str | Path, facts: Mapping[str, Any], status: str) -> list[dict[str, Any]]:
    """The nodes of the pipeline's run with the fields *facts*, as they are by now: each once, and
    those of nested pipelines behind the one that they are inside of. Those that run have a
    ``process``.
    """
    known = facts.get("nodes") or []
    if status not in ("running", "lost"):
        return list(known)
    run = facts if status == "running" else {}
    import json

    found: dict[str, dict[str, Any]] = {one["name"]: dict(one) for one in known}
    inner: dict[str, dict[str, Any]] = {}
    try:
        with files.open_regular(os.path.join(folder, NODES)) as file:
            for line in file:
                one = json.loads(line)
                places = found if one["name"] in found else inner
                before = places.get(one["name"], {})
                is_process = "status" not in one
                goes_on = one.get("status") == "running" and "process" in before
                kept = before if is_process else {"process": before["process"]} if goes_on else {}
                places[one["name"]] = {**kept, **one}
    except (OSError, ValueError, LookupError, TypeError):
        pass  # there is none; or its last line was cut by a kill
    for name, one in inner.items():
        around, pairs = name.rpartition("/")[0], list(found.items())
        inside = [at for at, (other, _) in enumerate(pairs) if f"{other}/".startswith(f"{around}/")]
        at = inside[-1] + 1 if inside else len(pairs)
        found = dict([*pairs[:at], (name, one), *pairs[at:]])
    return [_with_process(one, run) for one in found.values()]


def _with_process(node: dict[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """*node* with the process in which it runs; a script has that in its own record."""
    process = node.pop("process", None)
    if not run or node.get("status") != "running":
        return node
    if process is None and node.get("kind") != "script":
        process = run.get("process")
    if process and process.get("host") == run.get("host"):
        process = {name: one for name, one in process.items() if name != "host"}
    return {**node, "process": process} if process else node


def write_marks(folder: str | Path, tags: list[str], note: str) -> None:
    """Replace the tags and the note of the run in *folder*. Raises OSError."""
    import json

    data = json.dumps({"tags": tags, "note": note}, ensure_ascii=True).encode()
    files.write_atomically(os.path.join(folder, MARKS), data + b"\n", _MODE)


_MOST_FILES = 1_000
_MOST_HASHED = 1 << 30
"""Bytes of a file that is read for its hash: larger ones have none."""


class Marks:
    """Tags and note of a run, for one process at a time; written at the end."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._claims, self._folder = files.Claims(os.path.join(root, CLAIMS)), folder
        self._name = f"marks of {folder.name}"

    def __enter__(self) -> Marks:
        until = time.monotonic() + _WAIT
        while not self._claims.take(self._name) and time.monotonic() < until:
            time.sleep(0.01)
        self.tags, self.note = read_marks(self._folder)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                write_marks(self._folder, self.tags, self.note)
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"cannot write to {str(self._folder)!r}: {reason}") from error
        finally:
            self._claims.give_back(self._name)
            self._claims.close()


_WAIT = 5.0
"""Seconds for other processes that write the marks of the same run."""


def _files_in(folder: str, known: Mapping[str, str]) -> Iterator[dict[str, object]]:
    for here, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(here, name)
            shown = os.path.relpath(path, folder).replace(os.sep, "/")
            try:
                size, digest = os.lstat(path).st_size, known.get(shown)
                if digest is None and os.path.isfile(path) and size <= _MOST_HASHED:
                    digest = hash_of(path)
            except OSError:
                continue  # removed meanwhile
            yield {"path": shown, "size": size, "sha256": digest}


def hash_of(path: str | Path) -> str:
    """The SHA-256 of a file. Raises OSError."""
    from hashlib import sha256

    digest = sha256()
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            digest.update(data)
    return digest.hexdigest()


def mark_root(root: Path) -> None:
    """Make *root*, for its owner, which git ignores; and its parent, but no folder above."""
    mark = os.path.join(root, ".gitignore")
    if not os.path.exists(mark):
        try:
            root.mkdir(_FOLDER_MODE, exist_ok=True)
        except FileNotFoundError:
            root.parent.mkdir(_FOLDER_MODE, exist_ok=True)
            root.mkdir(_FOLDER_MODE, exist_ok=True)
        files.write_atomically(mark, b"*\n", _MODE)


def _line(name: str, value: object) -> str:
    """A field as one line: ``indent`` would take twenty times as long."""
    text = _encoder()(value)
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:  # a path or value with lone surrogates
            import json

            text = json.dumps(value)
    return f'  "{name}": {text}'


@cache
def _encoder() -> Callable[[object], str]:
    import json  # here: each flow imports this module, and not each one keeps records

    return json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def has_plenty(log: int) -> bool:
    """Whether a run may write to the descriptor *log* itself: on a full disk its ``print`` would
    fail, and this disk has much room.
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


_MOST_BYTES = 64 * 1024
_MOST_TEXT = 500
"""Characters of one line."""


def last_lines(log: Path, count: int = 10) -> list[str]:
    r"""The last *count* lines, without line ends; none if the file cannot be read.

    Of a line that was overwritten (``\r``, a progress bar), the text that was visible last.
    """
    try:
        text = _tail(log).decode("utf-8", "replace")
    except OSError:
        return []
    lines = text.split("\n")
    if lines and not lines[-1].strip():
        lines.pop()
    return [_visible(line)[:_MOST_TEXT] for line in lines[-count:]] if count > 0 else []


def _tail(log: Path) -> bytes:
    with files.open_regular(log) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _MOST_BYTES))
        return file.read(_MOST_BYTES)


def _visible(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]
