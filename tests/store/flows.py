"""A flow with records, as the command line puts it together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kohaku_ast.config.config import Config
from kohaku_ast.flow.flow import Flow
from kohaku_ast.flow.launchers import InlineLauncher, SpawnLauncher
from kohaku_ast.flow.limits import Limits
from kohaku_ast.flow.recorder import Recorder
from kohaku_ast.flow.run import Run
from kohaku_ast.flow.slots import Slots
from kohaku_ast.flow.supply import Supply
from kohaku_ast.flow.work import Work
from kohaku_ast.runner.bound import Binder
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.override import Override


class Recorded:
    """Runs *configs* of a script and keeps what came of it."""

    def __init__(
        self, script: Path | str, configs: Sequence[Config] = (Config(),), *, root: Path,
        mode: str = "spawn", overrides: Sequence[Override] = (), argv: Sequence[str] = (),
        limits: dict[str, Any] | None = None, slots: Slots | None = None, **options: Any,
    ) -> None:  # fmt: skip
        self.warnings: list[str] = []
        slots = slots or Slots()
        self.recorder = Recorder(root, warn=self.warnings.append, variables=slots.of, **options)
        binder = Binder(Launch(str(script), argv), overrides, capture=True)
        launcher: Any = (
            SpawnLauncher(slots, self.recorder.open)
            if mode == "spawn"
            else InlineLauncher(lambda run, text: None, self.recorder.open)
        )
        self.flow = Flow(
            Supply([Work("train", binder, list(configs))], listens=False),
            launcher,
            Limits(is_done=self.recorder.is_done, **(limits or {})),
            [self.recorder],
        )

    def run(self) -> list[Run]:
        return list(self.flow.runs())
