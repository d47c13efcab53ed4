"""Event files for TensorBoard, with scalars and hparams."""

from __future__ import annotations

import os
import time
from platform import node

from kohaku_ast.helpers.backends import LoggedRun, Point

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def begin(run: LoggedRun, setting: str) -> TensorboardRun:
    """Begin an event file: below the files of the run, else in ``runs``, as torch does."""
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    files = run.make_files()
    folder = os.path.join(files, "tensorboard") if files else _folder(run)
    return TensorboardRun(EventFileWriter(folder), run)


def _folder(run: LoggedRun) -> str:
    name = f"{time.strftime('%b%d_%H-%M-%S')}_{node()}_{run.name}"
    return os.path.abspath(os.path.join("runs", name))


class TensorboardRun:
    """One event file."""

    most = 1000

    def __init__(self, writer: Any, run: LoggedRun) -> None:
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb

        self._writer = writer
        config = {name: _hparam(one) for name, one in run.config.items()}
        now = time.time()
        self._add(now, 0, hparams_pb(config, run.record or run.name, now))

    def _add(self, at: float, step: int, summary: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(wall_time=at, step=step, summary=summary))

    def send(self, points: list[Point]) -> None:
        """Write a scalar for each number."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        for step, at, numbers in points:
            values = [Summary.Value(tag=name, simple_value=one) for name, one in numbers.items()]
            self._add(at, step, Summary(value=values))
        self._writer.flush()

    def finish(self, status: str) -> None:
        """Write the end, for the table of hparams."""
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

        succeeded = status == "succeeded"
        end = plugin_data_pb2.SessionEndInfo(
            status=api_pb2.STATUS_SUCCESS if succeeded else api_pb2.STATUS_FAILURE,
            end_time_secs=time.time(),
        )
        data = plugin_data_pb2.HParamsPluginData(session_end_info=end)
        about = metadata.create_summary_metadata(data)
        tag = metadata.SESSION_END_INFO_TAG
        self._add(time.time(), 0, Summary(value=[Summary.Value(tag=tag, metadata=about)]))
        self._writer.close()


def _hparam(value: object) -> bool | float | str:
    if isinstance(value, (bool, float, str)) or (isinstance(value, int) and abs(value) <= 2**53):
        return value
    return str(value)
