"""Thousands of runs: nothing is left of them, and memory stays flat."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flow.test_leaks import assert_nothing_is_left, run_many

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize(("mode", "count"), [("warm", 5000), ("spawn", 500)])
def test_nothing_is_left_of_thousands(mode: str, count: int, tmp_path: Path) -> None:
    assert_nothing_is_left(run_many(mode, count, tmp_path, 256), count)


@pytest.mark.parametrize("mode", ["inline", "warm"])
def test_memory_of_20_000_runs_from_a_generator(mode: str, tmp_path: Path) -> None:
    left = run_many(mode, 20_000, tmp_path, 256)
    print(
        f"\n20,000 {mode} runs: at most {left['kilobytes']} KiB, after a quarter of them "
        f"{left['kilobytes_after_a_quarter']} KiB"
    )
    assert_nothing_is_left(left, 20_000)
