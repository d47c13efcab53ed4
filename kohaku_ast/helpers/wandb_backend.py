"""Runs in Weights & Biases: offline, unless the user says otherwise."""

from __future__ import annotations

import os

from kohaku_ast.helpers.backends import LoggedRun, Point, environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def begin(run: LoggedRun, setting: str) -> WandbRun:
    """Begin a run. *setting*: the mode; else that of ``WANDB_MODE``, else offline."""
    mode: Any = setting or os.environ.get("WANDB_MODE") or "offline"
    # Otherwise it sends its makers what it does, offline as well.
    with environment(WANDB_ERROR_REPORTING="false"):
        import wandb

        is_silent = mode != "online"
        if not is_silent:
            _log_in(wandb)
        made = wandb.init(
            project=run.project or os.environ.get("WANDB_PROJECT") or _project(run.stem),
            name=run.name[:128],
            group=run.group[:128] or None,
            config=run.config,
            mode=mode,
            reinit="create_new",  # `wandb.run` and `wandb.log` are the script's own
            settings=wandb.Settings(silent=is_silent, console="off"),
        )
        _set_apart(wandb, made)
    return WandbRun(made)


def _project(stem: str) -> str:
    return "".join("_" if one in "/\\#?%:" else one for one in stem)


def _log_in(library: Any) -> None:
    """Raises Exception if there is no key: nobody may be there to be asked for one."""
    if not library.login(prompt=False):
        raise RuntimeError("no API key; run `wandb login` first, or set WANDB_API_KEY")


def _set_apart(library: Any, made: Any) -> None:
    """Have a ``wandb.init`` of the script make a run of its own: it would return this one."""
    forget = getattr(library.setup(), "remove_active_run", None)
    if forget is not None:
        forget(made)


class WandbRun:
    """One run, which is not ``wandb.run``."""

    most = 1

    def __init__(self, run: Any) -> None:
        self._run = run
        self._step, self._time, self._names = -1, 0.0, set[str]()
        self._counts = False

    def send(self, points: list[Point]) -> None:
        """Log them as rows of their steps. wandb takes no step and no number a second time: from
        the first such one on rows are counted, and the column ``step`` has the steps.
        """
        for step, time, numbers in points:
            if not self._counts and self._is_past(step, numbers):
                self._counts = True
                # Else the next one goes into the row that is open.
                self._run.log({"_timestamp": self._time}, commit=True)
            if self._counts:
                self._run.log({"step": step, "_timestamp": time, **numbers})
            else:
                self._run.log({"_timestamp": time, **numbers}, step=step)
                self._time = time

    def _is_past(self, step: int, numbers: dict[str, int | float]) -> bool:
        if step == self._step:
            is_past = bool(self._names & numbers.keys())
            self._names |= numbers.keys()
            return is_past
        is_past, self._step, self._names = step < self._step, step, set(numbers)
        return is_past

    def finish(self, status: str) -> None:
        """End it."""
        self._run.finish(exit_code={"succeeded": 0, "interrupted": 255}.get(status, 1))
