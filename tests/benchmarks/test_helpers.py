"""What helpers cost a script: an item of a progress bar beside tqdm, rich and a bare loop, the look
for the current run, their import. ``pytest -m benchmark -s``.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.helpers import CurrentRun, current_run, enter_run, progress_bar
from tests.benchmarks.ratios import interleave, report
from tests.oracle import on_path

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


def tracked() -> Iterable[object]:
    from rich.console import Console
    from rich.progress import track

    return track(range(_COUNT), console=Console(file=io.StringIO()))


def test_an_item_costs_less_than_with_tqdm_or_rich() -> None:
    tqdm: Any = import_module("tqdm").tqdm
    ways: dict[str, tuple[Callable[[Any], None], Callable[[], Any]]] = {
        "a bare loop": (looped, lambda: range(_COUNT)),
        "progress_bar, for": (looped, lambda: progress_bar(range(_COUNT), file=io.StringIO())),
        "tqdm, for": (looped, lambda: tqdm(range(_COUNT), file=io.StringIO())),
        "rich, for": (looped, tracked),
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


_LOOKS = 200_000


def looked(call: Callable[[], object]) -> float:
    """Nanoseconds of processor time a call."""
    start = time.thread_time()
    for _ in range(_LOOKS):
        call()
    return (time.thread_time() - start) / _LOOKS * 1e9


def test_the_current_run_costs_less_than_a_variable_of_the_environment() -> None:
    """Less than 1 us outside of runs, where each bar and each call of the logger asks."""
    ways: dict[str, Callable[[], object]] = {
        "os.environ.get": lambda: os.environ.get("KOGINE_RUN_DIR"),
        "current_run, outside": current_run,
    }
    times = {name: [looked(call) for _ in range(_TURNS)] for name, call in ways.items()}
    with enter_run(CurrentRun(index=1)):
        times["current_run, in a run"] = [looked(current_run) for _ in range(_TURNS)]
    base = statistics.median(times["os.environ.get"])
    print()
    for name, found in times.items():
        median = statistics.median(found)
        print(f"{name:24} {median:6.0f} ns a call   x{median / base:.2f} of os.environ.get")


def test_the_import_costs_a_part_of_the_start_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most 15 ms."""
    monkeypatch.setenv("PYTHONPATH", on_path())
    imports = {
        "python": "pass",
        "progress_bar": "from kohaku_ast.helpers import progress_bar",
        "logger": "from kohaku_ast.helpers import logger",
        "all helpers": "from kohaku_ast.helpers import *",
        "tqdm": "from tqdm import tqdm",
        "rich.progress": "from rich.progress import track",
    }
    commands = {name: [sys.executable, "-c", text] for name, text in imports.items()}
    print()
    print(report(interleave(commands, tmp_path), "python"))
