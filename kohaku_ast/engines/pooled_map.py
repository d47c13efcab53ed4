"""Maps on an executor of ``concurrent.futures``."""

from __future__ import annotations

from kohaku_ast.engines.mapped_items import Items
from kohaku_ast.engines.mapped_parts import Parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kohaku_ast.engines.held import Level
    from kohaku_ast.pipeline.job import Job
    from kohaku_ast.pipeline.mapping import Rows


def map_pooled(job: Job, rows: Rows, keep: bool, level: Level) -> list[Any]:
    """The results of *rows*. After a failure nothing starts, unless *keep*; what runs ends."""
    made = (Parts if job.is_bare and not job.plan.is_async else Items)(job, rows, keep, level)
    made.all()
    return made.results
