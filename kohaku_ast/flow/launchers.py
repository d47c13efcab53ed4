"""The modes: how a run of a flow is started, and how one hears that it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol

from kohaku_ast.flow.run import Run
from kohaku_ast.runner.bound import Bound
from kohaku_ast.runner.inline import run_inline
from kohaku_ast.runner.local_modules import LocalModules
from kohaku_ast.runner.outcome import Outcome, RunError
from kohaku_ast.runner.process import unused_messages


class Handle(Protocol):
    """A run under way in another process."""

    pid: int

    def wait(self, timeout: float | None = None) -> Outcome:
        """The Outcome, when it is over."""

    def signal(self, number: int) -> None:
        """Send a signal to the whole process group; one that is gone is no error."""

    def close(self) -> None:
        """Leave nothing behind."""


Done = Callable[[Run, Outcome], None]
"""Told, from any thread, that a run is over."""


class Launcher(Protocol):
    """Starts runs in one mode."""

    #: Whether a run is over when ``start`` comes back.
    is_inline: bool

    def start(self, run: Run, bound: Bound, done: Done) -> Handle | None:
        """Start *run*; raises KogineError if that cannot be."""

    def close(self) -> None:
        """Nothing will be started any more."""


class InlineLauncher:
    """Runs in this process. What the script gives back stays as it is, no copy."""

    is_inline = True

    def __init__(self, warn: Callable[[Run, str], None]) -> None:
        """*warn* is told of overrides without effect."""
        self.warn = warn
        self._local: dict[str, LocalModules] = {}

    def start(self, run: Run, bound: Bound, done: Done) -> None:
        """Run it to its end. Raises KeyboardInterrupt."""
        folder = bound.launch.path0
        local = self._local.setdefault(folder, LocalModules(folder))
        outcome = run_inline(bound, local)
        for message in unused_messages(bound.prepared):
            self.warn(run, message)
        done(run, outcome)

    def close(self) -> None:
        """Nothing is held."""


class SpawnLauncher:
    """Runs each in a fresh interpreter."""

    is_inline = False

    def __init__(self, options: Callable[[Run], dict[str, Any]]) -> None:
        """*options* gives, for a run, its environment and where its output goes."""
        self.options = options

    def start(self, run: Run, bound: Bound, done: Done) -> Handle:
        """Start it; raises UncrossableValue, which names the value."""
        from kohaku_ast.runner.spawned import Spawned

        handle: Handle = Spawned(bound, **self.options(run))
        _wait_for(handle, run, done)
        return handle

    def close(self) -> None:
        """Nothing is held."""


def _wait_for(handle: Handle, run: Run, done: Done) -> None:
    """Call *done* when the process is over, whatever happens to it."""

    def wait() -> None:
        try:
            outcome = handle.wait()
            handle.close()
        except BaseException as error:  # whatever it is: a flow that is not told waits for ever
            text = f"its end could not be observed: {error!r}"
            outcome = Outcome("failed", error=RunError("Lost", text, ""), exit_status=1)
        done(run, outcome)

    threading.Thread(target=wait, name=f"kogine-run-{run.index}", daemon=True).start()
