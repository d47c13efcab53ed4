"""What a run hands on to the pipelines inside it."""

from __future__ import annotations

import time

from kohaku_ast.pipeline.callbacks import Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from typing import Any

    from kohaku_ast.pipeline.callbacks import Callback
    from kohaku_ast.pipeline.engine import Engine

clock: Callable[[], float] = time.perf_counter


class Scope:
    """Engine, cache, callbacks and place of a run. Frozen."""

    __slots__ = ("cache", "callbacks", "context", "engine", "held", "lock")

    def __init__(
        self,
        engine: Engine,
        cache: Any = None,
        callbacks: tuple[Callback, ...] = (),
        context: Context | None = None,
        held: Any = None,
        lock: threading.RLock | None = None,
    ) -> None:
        self.engine = engine
        self.cache = cache
        self.callbacks = callbacks
        self.context = context or Context()
        #: What the engine holds for the whole run, for the runs inside it.
        self.held = held
        #: Held while callbacks are told something.
        self.lock = lock

    def replaced(self, **changes: Any) -> Scope:
        """A copy with *changes*."""
        return Scope(**{name: changes.get(name, getattr(self, name)) for name in self.__slots__})

    def at(self, item: int) -> Scope:
        """The scope of an item of a map."""
        context = self.context.at(item)
        return Scope(self.engine, self.cache, self.callbacks, context, self.held, self.lock)

    def tell(self, event: str, *values: Any, context: Context | None = None) -> None:
        """Tell all callbacks, in their order."""
        if not self.callbacks:
            return
        if self.lock is None:
            self._tell(event, values, context or self.context)
            return
        with self.lock:
            self._tell(event, values, context or self.context)

    def _tell(self, event: str, values: tuple[Any, ...], context: Context) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(*values, context)
