"""Stores with runs that no flow has run."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from kohaku_ast.store.record import time_text

FIELDS: dict[str, Any] = {
    "schema": 1, "identity": "0" * 32, "label": "", "index": 0, "work": "train.py",
    "status": "succeeded", "attempt": 1, "process": None,
    "started": "2026-11-21T12:44:53.143+00:00", "ended": "2026-11-21T12:44:54.143+00:00",
    "seconds": 1.0, "exit_status": 0, "error": None, "value": {"json": None}, "outputs": {},
    "script": {"path": "train.py", "file": "/tmp/train.py", "module": None, "entrypoint": "", "sha256": "0" * 64},
    "program": "0" * 32, "overrides": [], "argv": ["train.py"], "cwd": "/tmp", "metadata": {},
    "wanted": [], "host": "elsewhere", "flow": None, "git": None, "attempts": [], "log": None,
    "environment": {},
}  # fmt: skip
_DAY = 86400
_FIRST = 1_700_000_000


def make_run(root: Path, number: int = 0, *, is_old: bool = True, **fields: Any) -> Path:
    """A run in *root*, the later the higher its *number*; *fields* replace those of run.json. Its
    files are a day old, unless they are not *is_old*.
    """
    identity = fields.setdefault("identity", f"{number * 2654435761 % 2**32:08x}" + "0" * 24)
    started = fields.setdefault("started", time_text(_FIRST + number))
    fields.setdefault("ended", time_text(_FIRST + number + 1))
    plain = started[:23].replace("-", "").replace(":", "")
    folder = root / f"{plain}Z-{identity[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    write_run(folder, is_old=is_old, **fields)
    return folder


def write_run(folder: Path, *, is_old: bool = True, **fields: Any) -> None:
    """The same in its *folder*, in place."""
    path = folder / "run.json"
    path.write_text(json.dumps({**FIELDS, **fields}))
    if is_old:
        os.utime(path, (time.time() - _DAY,) * 2)


def override(target: str, value: Any) -> dict[str, Any]:
    return {"target": target, "origin": "command line", "json": value}


def metric(last: Any, least: Any = None, most: Any = None, count: int = 1) -> dict[str, Any]:
    least, most = last if least is None else least, last if most is None else most
    return {"last": last, "min": least, "max": most, "count": count, "step": None}
