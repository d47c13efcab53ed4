"""A flow with records, as the command line puts it together."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil

from kohaku_ast.config.config import Config
from kohaku_ast.flow.flow import Flow
from kohaku_ast.flow.launchers import InlineLauncher, SpawnLauncher
from kohaku_ast.flow.log_watch import LogWatch
from kohaku_ast.flow.recorder import Recorder
from kohaku_ast.flow.run import Queue, Run, ScriptConfigs
from kohaku_ast.flow.settings import FlowSettings
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.overrides import Override


class Recorded:
    """Runs *configs* of a script and keeps what came of it."""

    def __init__(
        self, script: Path | str, configs: Sequence[Config] = (Config(),), *, root: Path,
        mode: str = "spawn", overrides: Sequence[Override] = (), argv: Sequence[str] = (),
        settings: FlowSettings = FlowSettings(), entrypoint: str = "",  # noqa: B008  # it is frozen
        **options: Any,
    ) -> None:  # fmt: skip
        self.warnings: list[str] = []
        self.recorder = Recorder(
            root, warn=self.warnings.append, variables=settings.variables, **options
        )
        binder = Binder(Launch(str(script), argv), overrides, entrypoint, capture=True)
        launcher: Any = InlineLauncher(lambda run, text: None, self.recorder.open)
        if mode == "spawn":
            launcher = SpawnLauncher(settings, self.recorder.open)
        watch = LogWatch()
        self.flow = Flow(
            Queue([ScriptConfigs("train", binder, list(configs))], listens=False),
            launcher,
            settings,
            [watch, self.recorder],
            is_done=self.recorder.is_done,
            read_rest=watch.finish,
        )

    def run(self) -> list[Run]:
        return list(self.flow.runs())


@contextmanager
def started_flow(script: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A flow in a process of its own, with the records in ``.kogine/runs``; *words* are the
    values of ``lr``, ``--resume`` and ``--inline``. Nothing of it is left behind.
    """
    environment = {**os.environ, "PYTHONPATH": str(_PACKAGES)}
    flow = subprocess.Popen([sys.executable, "-c", _FLOW, script, *words], env=environment)
    try:
        yield flow
    finally:
        runs = psutil.Process(flow.pid).children() if flow.poll() is None else []
        for process in (flow, *runs):
            process.kill()
        flow.wait()


_PACKAGES = Path(__file__).parents[2]
_FLOW = """
import sys
from pathlib import Path
from kohaku_ast.config.config import Config
from tests.store.flows import Recorded
script, *words = sys.argv[1:]
configs = [Config({"lr": float(one)}) for one in words if one[0] != "-"] or [Config()]
mode = "inline" if "--inline" in words else "spawn"
resume = "--resume" in words
Recorded(script, configs, root=Path(".kogine/runs"), resume=resume, mode=mode).run()
"""

_Found = TypeVar("_Found")


def wait_for(look: Callable[[], _Found | None]) -> _Found:
    """What *look* finds, once it finds something."""
    for _ in range(6000):
        found = look()
        if found is not None:
            return found
        time.sleep(0.01)
    raise TimeoutError("nothing came in a minute")
