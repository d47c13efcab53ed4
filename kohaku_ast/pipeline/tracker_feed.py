"""TrackerFeed: sends what worker processes of a pipeline log to the trackers of this process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from kohaku_ast.pipeline.callbacks import Callback
from kohaku_ast.store.run_folder import SERIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from kohaku_ast.pipeline.callbacks import Context


def tracker_feed(folder: str) -> TrackerFeed | None:
    """The TrackerFeed of the run with the record *folder*; None if no tracker is wanted."""
    helpers = sys.modules.get("kohaku_ast.helpers.metric_logger")
    if os.environ.get("KOGINE_LOGGERS") or (helpers and helpers.logger.session.wanted):
        return TrackerFeed(folder)
    return None


class TrackerFeed(Callback):
    """Sends on what is new in the series of a run when a node or an item has ended.

    The worker processes write there: each would have a run of its own in a tracker, and is killed
    before it has sent all.
    """

    follows = True

    def __init__(self, folder: str) -> None:
        # Here, and below: few runs have trackers.
        from kohaku_ast.store.metrics import SeriesTail

        self._folder = folder
        self._tail = SeriesTail(str(Path(folder) / SERIES))

    def on_node_end(
        self, name: str, outputs: Mapping[str, Any], seconds: float, context: Context
    ) -> None:
        """Send what the node has logged."""
        self._send()

    def on_map_item_end(self, item: int, seconds: float, context: Context) -> None:
        """Send what the item has logged."""
        self._send()

    def finish(self, error: BaseException | None) -> None:
        """Send the rest, and end the runs of the trackers: *error* has ended the pipeline's run."""
        from kohaku_ast.helpers.metric_logger import logger

        self._send()
        logger.session.end_run(self._folder, error)

    def _send(self) -> None:
        from kohaku_ast.helpers.metric_logger import logger

        for point in self._tail.read_of_workers():
            logger.send_on(self._folder, point)
