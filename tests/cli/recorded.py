"""What command lines have recorded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from kohaku_ast.store.record import Record, find_runs
from tests.oracle import on_path

KOGINE = [sys.executable, str(Path(__file__).parents[1] / "kogine_command.py")]


def records(folder: Path) -> list[Record]:
    """All of them, the oldest first."""
    return list(find_runs(folder / ".kogine" / "runs"))


def log_of(record: Record) -> str:
    assert record.log is not None
    return record.log.read_text()


def started(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """``kogine ARGUMENTS``, under way."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    environment = {**os.environ, "PYTHONPATH": on_path()}
    return subprocess.Popen(
        [*KOGINE, *arguments], cwd=folder, text=True, env=environment, **options
    )
