"""Executors and pools that a script leaves open: at the end of a process Python ends them."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any


class _Mark:
    """A work item at which the threads of an executor wait for each other."""

    def __init__(self) -> None:
        self.reached: list[bool] = []
        self.go = threading.Event()

    def run(self, *_: object) -> None:
        """What an executor's thread calls."""
        self.reached.append(True)
        self.go.wait()


def worker_queue(thread: threading.Thread) -> Any:
    """The queue that *thread* works for, if it is one of a ThreadPoolExecutor; else None."""
    module = sys.modules.get("concurrent.futures.thread")
    return getattr(module, "_threads_queues", {}).get(thread)


def finish_queue(threads: list[threading.Thread], queue: Any) -> None:
    """Wait until *threads* have done all that stands in their *queue*. They go on waiting for
    more: the executor may be a library's, which the next run uses too.
    """
    while True:
        mark = _Mark()
        for _ in threads:
            queue.put(mark)
        while sum(one.is_alive() for one in threads) > len(mark.reached):
            time.sleep(0.001)
        is_done = queue.empty()  # now nothing runs that could submit more
        mark.go.set()
        if is_done or not mark.reached:
            return


def shut_down(thread: threading.Thread) -> None:
    """Shut down the ProcessPoolExecutor that *thread* manages, if it does: it waits for a word."""
    executor = getattr(thread, "executor_reference", lambda: None)()
    if executor is not None:
        executor.shutdown()


def finalizers() -> dict[Any, Any]:
    """What multiprocessing would call at exit, by its rank: for pools, managers and queues."""
    util = sys.modules.get("multiprocessing.util")
    found = dict(getattr(util, "_finalizer_registry", {}))
    return {rank: one for rank, one in found.items() if rank[0] is not None and rank[0] >= 0}
