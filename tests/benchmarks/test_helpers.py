"""What an item of a progress bar costs, beside tqdm and a bare loop: ``pytest -m benchmark -s``."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import pytest

from kohaku_ast.helpers import progress_bar

pytestmark = pytest.mark.benchmark

_COUNT, _TURNS = 300_000, 15


def looped(items: Iterable[object]) -> None:
    for _ in items:
        pass


def updated(bar: Any) -> None:
    for _ in range(_COUNT):
        bar.update()
    bar.close()


def timed(call: Callable[[Any], None], make: Callable[[], Any]) -> float:
    """Nanoseconds of processor time an item."""
    made = make()
    start = time.thread_time()
    call(made)
    return (time.thread_time() - start) / _COUNT * 1e9


def test_an_item_costs_less_than_with_tqdm() -> None:
    tqdm: Any = import_module("tqdm").tqdm
    ways: dict[str, tuple[Callable[[Any], None], Callable[[], Any]]] = {
        "a bare loop": (looped, lambda: range(_COUNT)),
        "progress_bar, for": (looped, lambda: progress_bar(range(_COUNT), file=io.StringIO())),
        "tqdm, for": (looped, lambda: tqdm(range(_COUNT), file=io.StringIO())),
        "progress_bar, update": (updated, lambda: progress_bar(total=_COUNT, file=io.StringIO())),
        "tqdm, update": (updated, lambda: tqdm(total=_COUNT, file=io.StringIO())),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_TURNS):
        for name, (call, make) in ways.items():
            times[name].append(timed(call, make))
    print()
    for name, found in times.items():
        base = times[f"tqdm, {name.rpartition(' ')[2]}" if "," in name else "tqdm, for"]
        ratio = statistics.median(one / other for one, other in zip(found, base))
        print(f"{name:24} {statistics.median(found):6.0f} ns an item   x{ratio:.2f} of tqdm")
