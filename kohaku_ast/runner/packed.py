"""What a worker of a lent Executor does, wherever it is: a fresh interpreter for each run."""

from __future__ import annotations

import os
from collections.abc import Mapping

from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.runner.shipment import Packed
from kohaku_ast.runner.spawned import Spawned


def run_packed(packed: Packed, env: Mapping[str, str]) -> Outcome:
    """Run *packed* with *env* over the worker's environment, and wait for it."""
    return Spawned(packed, env={**os.environ, **env}).wait()
