"""``python handle_command.py WAY SCRIPT [ARGUMENT ...]``: runs SCRIPT in a process of its own, with
an override, and ends as that process did.

WAY is ``spawned`` or ``warmed``. A warm server imports everything that the script imports at its
top, the standard library too, which is more than it does for users.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))  # python -I looks at no PYTHONPATH

from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.launch import find_launch
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.runner.spawn import SpawnedRun
from kohaku_ast.runner.warm_client import WarmServer
from tests.fidelity.handles import bind, imports


def run(way: str, bound: Bound) -> Outcome:
    if way == "spawned":
        return SpawnedRun(bound, wants_value=False).wait()
    with WarmServer(bound.launch, imports(bound.launch)) as server:
        return server.start(bound, wants_value=False).wait()


def end_as(status: int) -> None:
    if status >= 0:
        sys.exit(status)
    if -status != signal.SIGKILL:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)


if __name__ == "__main__":
    outcome = run(sys.argv[1], bind(find_launch(sys.argv[2], sys.argv[3:])))
    if outcome.error and outcome.error.type == "Lost" and outcome.exit_status:
        sys.exit(f"lost: {outcome.error.message}")
    end_as(outcome.exit_status)
