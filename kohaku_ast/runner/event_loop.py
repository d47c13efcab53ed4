"""A script starts outside of any event loop, also when a notebook's loop is running here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def outside_loop() -> Iterator[None]:
    """Inside, this thread has no running loop and a loop policy of its own: ``asyncio.run`` and
    ``get_event_loop`` do what they do at the start of a process.

    The loop that was running waits, as it does for every function that it calls.
    """
    if "asyncio" in sys.modules:
        with _no_running_loop(), _own_policy():
            yield
    else:  # then no loop is running either
        yield


@contextmanager
def _no_running_loop() -> Iterator[None]:
    import asyncio

    loop: Any = asyncio._get_running_loop()
    if loop is None:
        yield
        return
    task: Any = asyncio.current_task(loop)
    if task is not None:
        asyncio._leave_task(loop, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
        if task is not None:
            asyncio._enter_task(loop, task)


@contextmanager
def _own_policy() -> Iterator[None]:
    from asyncio import events

    # Python 3.14 warns of the public names and has these for itself.
    read = getattr(events, "_get_event_loop_policy", events.get_event_loop_policy)
    write = getattr(events, "_set_event_loop_policy", events.set_event_loop_policy)
    policy = read()
    write(None)
    try:
        yield
    finally:
        write(policy)
