"""Runs in trackio: in its database on this machine, and nowhere else."""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone
from uuid import uuid4

from kohaku_ast.helpers.backends import LoggedRun, Point, environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def begin(run: LoggedRun, setting: str) -> TrackioRun:
    """Begin a run; trackio has it from its first number on."""
    with environment(HF_HUB_DISABLE_TELEMETRY="1", GRADIO_ANALYTICS_ENABLED="False"):
        from trackio.sqlite_storage import SQLiteStorage
        from trackio.utils import RESERVED_KEYS
    return TrackioRun(SQLiteStorage, frozenset(RESERVED_KEYS), run)


class TrackioRun:
    """One run.

    It writes to the database as ``trackio.import_csv`` does. ``trackio.init`` would end the run of
    the script, print, ask a server who the user is, and not take the times of numbers.
    """

    most = 1000

    def __init__(self, storage: Any, reserved: frozenset[str], run: LoggedRun) -> None:
        self._storage, self._reserved = storage, reserved
        self._project = re.sub(r"[^\w.-]+", "_", run.project or run.stem) or "python"
        storage.validate_project_name(self._project)
        self._name, self._id = run.name, uuid4().hex
        # Names with a `_` are its own.
        config = {name.lstrip("_") or "_": _plain(one) for name, one in run.config.items()}
        own = {"_Username": None, "_Created": _text(), "_Group": run.group or None}
        self._config: dict[str, object] | None = {**config, **own}

    def send(self, points: list[Point]) -> None:
        """Write them in one transaction."""
        self._storage.bulk_log(
            project=self._project,
            run=self._name,
            run_id=self._id,
            metrics_list=[self._named(one.numbers) for one in points],
            steps=[one.step for one in points],
            timestamps=[_text(one.time) for one in points],
            config=self._config,
        )
        self._config = None

    def _named(self, numbers: dict[str, int | float]) -> dict[str, int | float]:
        """Under names that are not trackio's own, as ``trackio.log`` changes them."""
        return {
            f"__{name}" if name in self._reserved or name.startswith("__") else name: one
            for name, one in numbers.items()
        }

    def finish(self, status: str) -> None:
        """End it: trackio has no status for runs."""


def _plain(value: object) -> object:
    is_finite = not isinstance(value, float) or math.isfinite(value)
    is_plain = value is None or isinstance(value, (bool, int, float, str, list, dict))
    return value if is_plain and is_finite else repr(value)


def _text(seconds: float | None = None) -> str:
    if seconds is None:
        return datetime.now(timezone.utc).isoformat()
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()
