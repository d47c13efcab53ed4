"""The set-up of ``logging``, which a script makes once a process: the next run makes its own.

Without this, ``logging.basicConfig`` would do nothing from the second run on, and a handler that
a script adds would write every line twice.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging

_Whole = tuple[int, Any]
"""What ``logging.disable`` was given, and what ``logging.captureWarnings`` has put away."""

_NAMES = ("level", "handlers", "filters", "propagate", "disabled")


@contextmanager
def own_logging() -> Iterator[None]:
    """Loggers are after the block as they were before it. Those of libraries that were imported
    in it stay as the library made them: it will not be imported again.
    """
    before, whole = _read() if "logging" in sys.modules else ({}, (0, None))
    try:
        yield
    finally:
        if "logging" in sys.modules:
            _write(before, whole)


def _loggers() -> dict[str, logging.Logger]:
    import logging

    named = logging.Logger.manager.loggerDict
    found = {name: one for name, one in named.items() if isinstance(one, logging.Logger)}
    return {"": logging.root, **found}


def _read() -> tuple[dict[str, list[Any]], _Whole]:
    """Of each logger its set-up, and what holds for all of them."""
    import logging

    loggers = _loggers()
    state = {name: [_copy(vars(one)[key]) for key in _NAMES] for name, one in loggers.items()}
    captured = getattr(logging, "_warnings_showwarning", None)
    return state, (loggers[""].manager.disable, captured)


def _copy(value: object) -> object:
    return list(value) if isinstance(value, list) else value


def _write(before: dict[str, list[Any]], whole: _Whole) -> None:
    import logging

    loggers, (disabled, captured) = _loggers(), whole
    if loggers[""].manager.disable != disabled:
        logging.disable(disabled)
    vars(logging)["_warnings_showwarning"] = captured
    for name, logger in loggers.items():
        if name in before:
            _set(logger, before[name])
        elif not name or name.partition(".")[0] not in sys.modules:
            _set(logger, [30 if not name else 0, [], [], True, False])  # 30: WARNING


def _set(logger: logging.Logger, values: list[Any]) -> None:
    now = vars(logger)
    if [now[key] for key in _NAMES] == values:
        return
    for key, value in zip(_NAMES, values):
        now[key] = _copy(value)
    logger.manager._clear_cache()  # type: ignore[attr-defined]  # what isEnabledFor remembers
