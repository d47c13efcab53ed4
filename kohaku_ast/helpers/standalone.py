"""StandaloneRun: the record of a script that logs and that kogine has not started.

It has the form of kogine's own (``docs/reference/records.md``), so that ``kogine runs`` lists it.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time

# Not at the end: it evaluates texts when it is imported, and after one Python does not die of
# SIGINT any more.
import traceback
from uuid import uuid4

from kohaku_ast.helpers.run_context import STANDALONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

ROOT = os.path.join(".kogine", "runs")
_FOLDER_MODE, _MODE = 0o700, 0o600


class StandaloneRun:
    """A record in ``.kogine/runs`` of the working folder."""

    def __init__(self, folder: str, facts: dict[str, Any]) -> None:
        self.folder, self.pid = folder, os.getpid()
        self._facts, self._begun = facts, time.monotonic()
        #: The fields as lines of ``run.json``; most of them do not change at the end.
        self._lines = {name: "" for name in facts if name[:1] != "_"}
        self._is_open = bool(facts)
        self._around = os.environ.get(STANDALONE, "")

    @classmethod
    def begin(cls, project: str, config: Mapping[str, object]) -> StandaloneRun | None:
        """Make the record; None, with a warning, if the disk refuses it. A process that is a part
        of the script which has started it gets the record of that; another script one of its own,
        marked as a run inside.
        """
        around = _record_around()
        if around and _is_part_of_parent():
            return cls(around, {})
        started = time.time()
        identity = uuid4().hex  # no resumed flow may take it for a run of its own
        root, parent = os.path.split(around) if around else (os.path.abspath(ROOT), "")
        try:
            folder = _make_folder(root, started, identity)
            own = {"parent": parent} if parent else {}
            run = cls(folder, {**_facts(started, identity, project, config), **own})
            run._write(run._lines)
            os.environ[STANDALONE] = folder
        except OSError as error:
            import warnings

            text = f"cannot keep a record in {ROOT!r}: {error.strerror or error}; logging goes on"
            warnings.warn(text, RuntimeWarning, stacklevel=5)
            return None
        return run

    def end(self, error: BaseException | None) -> None:
        """Write the end, once: failed if *error* has ended the script."""
        if not self._is_open or self.pid != os.getpid():
            return  # a forked child does not end its parent's run
        self._is_open = False
        if os.environ.get(STANDALONE) == self.folder:
            os.environ.pop(STANDALONE)
            if self._around:
                os.environ[STANDALONE] = self._around
        seconds = time.monotonic() - self._begun
        failed = error is not None
        ended = {
            "status": "failed" if failed else "succeeded",
            "exit_status": 1 if failed else 0,
            "error": _error_fields(error) if error is not None else None,
            "ended": _time_text(self._facts["_started"] + seconds),
            "seconds": round(seconds, 6),
            "process": None,
        }
        self._facts.update(ended)
        try:
            self._write(ended)
        except OSError:
            pass  # the disk is full: the record stays without an end

    def _write(self, changed: Iterable[str]) -> None:
        for name in changed:
            self._lines[name] = f'  "{name}": {json.dumps(self._facts[name])}'
        path = os.path.join(self.folder, "run.json")
        partial = f"{path}.{os.getpid()}.partial"
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT, _MODE), "w", encoding="utf-8") as file:
            file.write("{\n" + ",\n".join(self._lines.values()) + "\n}\n")
        os.replace(partial, path)


def _record_around() -> str:
    """The folder of the record of the script that has started this process; empty without."""
    folder = os.environ.get(STANDALONE, "")
    return folder if folder and os.path.isfile(os.path.join(folder, "run.json")) else ""


def _is_part_of_parent() -> bool:
    """Whether this process is one of multiprocessing, or of ``python -c``."""
    module = sys.modules.get("multiprocessing.process")
    is_worker = module is not None and module.parent_process() is not None
    return is_worker or sys.argv[:1] == ["-c"]


def _make_folder(root: str, started: float, identity: str) -> str:
    for folder in (os.path.dirname(root), root):
        if not os.path.isdir(folder):
            os.makedirs(folder, _FOLDER_MODE, exist_ok=True)
    mark = os.path.join(root, ".gitignore")
    if not os.path.exists(mark):
        with open(mark, "w", encoding="ascii") as file:
            file.write("*\n")
    whole, part = divmod(int(started * 1000), 1000)
    name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(whole))}.{part:03}Z-{identity[:8]}"
    folder = os.path.join(root, name)
    os.mkdir(folder, _FOLDER_MODE)
    return folder


def _facts(
    started: float, identity: str, project: str, config: Mapping[str, object]
) -> dict[str, Any]:
    mark = {"pid": os.getpid(), "start": _process_start()}
    script = _script()
    return {
        "schema": 1,
        "identity": identity,
        "label": project,
        "index": 0,
        "work": os.path.basename(script or "python"),
        "status": "running",
        "attempt": 1,
        "process": mark,
        "started": _time_text(started),
        "ended": None,
        "seconds": None,
        "exit_status": None,
        "error": None,
        "value": None,
        "outputs": {},
        "metrics": {},
        "series": "metrics.jsonl",
        "files": [],
        "standalone": True,
        "script": _script_fields(script),
        "program": identity,
        "overrides": [],
        "params": {name: _form(value) for name, value in config.items()},
        "sources": None,
        "in_run_dir": False,
        "packages": {},
        "cpu_seconds": None,
        "peak_memory": None,
        "device": None,
        "argv": list(sys.argv),
        "cwd": os.getcwd(),
        "metadata": {"project": {"json": project}} if project else {},
        "wanted": [],
        "host": platform.node(),
        "flow": mark,
        "git": None,
        "attempts": [],
        "log": None,
        "environment": {
            "python": platform.python_version(),
            "implementation": sys.implementation.name,
            "executable": os.path.basename(sys.executable or ""),
            "platform": f"{platform.system()}-{platform.release()}-{platform.machine()}",
            "cpus": os.cpu_count() or 1,
            "variables": {},
        },
        "_started": started,
    }


def _script() -> str:
    """The script as the user wrote it; empty for an interactive Python."""
    path = str(getattr(sys.modules.get("__main__"), "__file__", None) or "")
    first = sys.argv[0] if sys.argv else ""
    is_it = bool(first) and (first == path or os.path.realpath(first) == os.path.realpath(path))
    return first if is_it else path


def _script_fields(path: str) -> dict[str, object]:
    try:
        from hashlib import sha256

        with open(path, "rb") as file:
            digest: str | None = sha256(file.read()).hexdigest()
    except OSError:
        digest = None  # an interactive Python
    return {
        "path": path or "python",
        "file": os.path.abspath(path) if path else "",
        "module": None,
        "entrypoint": None,
        "sha256": digest,
    }


def _form(value: object) -> dict[str, object]:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return {"repr": repr(value)[:2000], "type": type(value).__name__}
    return {"json": value}


def _error_fields(error: BaseException) -> dict[str, str]:
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    trace = "".join(traceback.format_exception(kind, error, error.__traceback__))
    return {"type": name, "message": str(error), "traceback": trace}


def _time_text(seconds: float) -> str:
    whole, part = divmod(round(seconds * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{part:03}+00:00"


def _process_start() -> str:
    """``BOOT:TICKS`` of this process, a mark that no later one has; empty without ``/proc``."""
    try:
        with open("/proc/self/stat", "rb") as stat:
            ticks = int(stat.read().rpartition(b")")[2].split()[19])
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as boot:
            return f"{boot.read(8)}:{ticks}"
    except OSError:
        return ""
