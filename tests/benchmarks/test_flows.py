"""What a run of a flow costs beside ``xargs -P2 python script.py``."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from kohaku_ast import Parallel, Script, Sweep
from kohaku_ast.runner.bind import Binder, Bound
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.overrides import Override
from kohaku_ast.runner.spawn import SpawnedRun
from kohaku_ast.runner.warm_client import WarmRun, WarmServer
from kohaku_ast.transform.find.modules import third_party_imports
from kohaku_ast.transform.find.source import decode

pytestmark = pytest.mark.benchmark

RUNS = 40
Start = Callable[[Bound, int], "SpawnedRun | WarmRun"]
"""Starts a run whose output goes to a descriptor."""

TRIVIAL = 'x = 3\nprint("hello", x)\n'
PANDAS = """\
import numpy as np
import pandas as pd
x = 3
print(pd.Series(np.arange(x)).sum())
"""


def by_xargs(script: Path) -> None:
    command = ["xargs", "-P2", "-I{}", sys.executable, str(script)]
    numbers = "\n".join(map(str, range(RUNS)))
    subprocess.run(command, input=numbers.encode(), stdout=subprocess.DEVNULL, check=True)


def by_handles(script: Path, start: Start) -> None:
    """In two slots, each run with a value of its own and with its own log."""
    binder = Binder(Launch(str(script)), capture=True)

    def one(number: int) -> None:
        binder.overrides = [Override("x", number, "benchmark", 0)]
        with open(os.devnull, "wb") as log:
            handle = start(binder.bind(), log.fileno())
        assert handle.wait().status == "succeeded"
        handle.close()

    with ThreadPoolExecutor(2) as slots:
        list(slots.map(one, range(RUNS)))


def spawn(bound: Bound, log: int) -> SpawnedRun:
    return SpawnedRun(bound, stdout=log, stderr=log, new_session=True)


@contextmanager
def warm(script: Path) -> Iterator[Start]:
    launch = Launch(str(script))
    imports = third_party_imports(decode(launch.data, launch.filename))
    with WarmServer(launch, imports) as server:
        yield lambda bound, log: server.start(bound, stdout=log, stderr=log, new_session=True)


def warm_with_its_server(script: Path) -> None:
    with warm(script) as start:
        by_handles(script, start)


def by_flow(script: Path, mode: str, record: bool) -> None:
    """As a user has it: with all that starts, watches and ends the runs."""
    sweep = Sweep(x=range(RUNS))
    flow = Parallel(Script(str(script), sweep), max_workers=2, mode=mode, record=record)
    with printing_nowhere():
        assert all(one.status == "succeeded" for one in flow.as_completed())


@contextmanager
def printing_nowhere() -> Iterator[None]:
    """Inside, descriptor 1 leads nowhere."""
    sys.stdout.flush()
    before = os.dup(1)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(before, 1)
        os.close(before)


def compare(script: Path, turns: int) -> str:
    """Medians of the ratios within each turn; the first warms up."""
    ways: dict[str, Callable[[], None]] = {
        "xargs -P2 python": lambda: by_xargs(script),
        "spawn": lambda: by_handles(script, spawn),
        "warm, with its server": lambda: warm_with_its_server(script),
    }
    for mode in ("spawn", "warm"):
        ways[f"Parallel, {mode}"] = partial(by_flow, script, mode, False)
        ways[f"Parallel, {mode}, records"] = partial(by_flow, script, mode, True)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    base = seconds["xargs -P2 python"]
    lines = [f"{RUNS} runs, 2 slots, {turns} turns, {os.cpu_count()} cores"]
    for name, own in seconds.items():
        ratio = statistics.median(one / other for one, other in zip(own, base))
        a_run = statistics.median(own) / RUNS * 1e3
        lines.append(f"{name:24} {a_run:7.1f} ms a run   x{ratio:.2f}")
    return "\n".join(lines)


@pytest.fixture(autouse=True)
def bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, our own modules would be compiled in every run."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the records are kept."""
    monkeypatch.chdir(tmp_path)


def test_trivial_script(tmp_path: Path) -> None:
    script = tmp_path / "hello.py"
    script.write_text(TRIVIAL)
    print("\n" + compare(script, 9))


def test_script_that_imports_numpy_and_pandas(tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="pandas is no dependency; install it to measure this")
    script = tmp_path / "series.py"
    script.write_text(PANDAS)
    print("\n" + compare(script, 3))
