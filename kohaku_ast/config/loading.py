"""The config file that is being loaded. Holds the one thing that configs share: which file's code
runs just now, for ``use_config``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType, ModuleType

from kohaku_ast.config.siblings import Siblings
from kohaku_ast.errors import ConfigError

_NOTHING: Mapping[str, object] = MappingProxyType({})


class Loading:
    """One config file on its way to a Config: what it is given, and what its code has made."""

    def __init__(
        self,
        path: str,
        previous: Mapping[str, object] | None = None,
        worker_id: int | None = None,
        heir: Loading | None = None,
        above: Mapping[str, object] = _NOTHING,
    ) -> None:
        #: As the user wrote it; messages and origins show it so.
        self.path = path
        self.file = os.path.abspath(path)
        #: What its ``config_gen`` may ask for.
        self.previous = _NOTHING if previous is None else previous
        self.worker_id = worker_id
        #: The config that inherits from it.
        self.heir = heir
        #: Values of its heirs: they hold where this file defines one of these names.
        self.above = above
        #: The configs that it inherits from: path from its own folder, and where it names it.
        self.bases: list[tuple[str, str]] = []
        #: The names among *above* that it, or a config below it, has read as its own.
        self.consumed: set[str] = set()
        self.module = ModuleType(os.path.splitext(os.path.basename(path))[0])
        self.module.__file__ = self.file
        self.siblings: Siblings = heir.siblings if heir else Siblings()

    @property
    def folder(self) -> str:
        """Where it stands: its imports and the paths of its bases start there."""
        return os.path.dirname(self.file)

    def base(self, path: str, above: Mapping[str, object]) -> Loading:
        """The config at *path* from this one's folder, with values of its heirs.

        Raises ConfigError if it would inherit from itself.
        """
        shown = os.path.normpath(os.path.join(os.path.dirname(self.path), path))
        made = Loading(shown, self.previous, self.worker_id, self, above)
        heirs = list(self._line())
        if any(_is_same(made.file, one.file) for one in heirs):
            names = " -> ".join([one.path for one in reversed(heirs)])
            raise ConfigError(f"the config inherits from itself: {names} -> {shown}")
        return made

    def _line(self) -> Iterator[Loading]:
        """Itself, its heir, the heir's heir and so on."""
        one: Loading | None = self
        while one:
            yield one
            one = one.heir


def _is_same(first: str, second: str) -> bool:
    return os.path.realpath(first) == os.path.realpath(second)


_CURRENT: ContextVar[Loading | None] = ContextVar("current config", default=None)


def current() -> Loading | None:
    """The config whose code runs just now at its top level."""
    return _CURRENT.get()


@contextmanager
def running(loading: Loading) -> Iterator[None]:
    """Inside, *loading* is the current config."""
    token = _CURRENT.set(loading)
    try:
        yield
    finally:
        _CURRENT.reset(token)
