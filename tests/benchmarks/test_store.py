"""Lists, comparisons and exports of a store with 1,000 and 10,000 runs: ``pytest -m benchmark -s tests/benchmarks/test_store.py``."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from tests.benchmarks.ratios import installed_command, interleave, timed
from tests.store.made_runs import make_run, metric, override

pytestmark = pytest.mark.benchmark

COMMANDS = {
    "help": "help",  # what a command costs that reads no store
    "ls": "runs ls",
    "ls, all": "runs ls --limit 0",
    "ls --where": "runs ls --where 'lr > 0.5 and val_loss < 0.5 and status == \"succeeded\"'",
    "ls --sort": "runs ls --sort loss",
    "ls, csv": "runs ls --format csv",
    "show": "runs show 500",
    "best": "runs best min:loss",
    "compare": "runs compare --where 'number > 0'",
    "compare, groups": "runs compare --where 'number > 0' --by 'main(epochs)' --metric min:loss",
    "export csv": "runs export csv --where 'number > 0'",
    "export json": "runs export json --where 'number > 0'",
}


def make_store(root: Path, count: int) -> None:
    """*count* runs of one script, with 27 parameters and 3 metrics each."""
    for number in range(count):
        share = (number * 7919 % count) / count
        params = {f"cfg.opt.p{at}": {"json": at / 10} for at in range(25)}
        params |= {"lr": {"json": share}, "main(epochs)": {"json": number % 5}}
        numbers = {
            name: metric(share / at, 0.1, 1.0, 100)
            for at, name in enumerate(["loss", "val_loss", "acc"], 1)
        }
        make_run(
            root,
            number,
            label=f"lr={share} epochs={number % 5}",
            index=number,
            params=params,
            metrics=numbers,
            overrides=[override("lr", share)],
        )


@pytest.mark.parametrize("count", [1_000, 10_000])
def test_lists(count: int, tmp_path: Path) -> None:
    root = tmp_path / ".kogine" / "runs"
    make_store(root, count)
    first, _ = timed([installed_command(), "runs", "reindex"], tmp_path)
    commands = {
        name: ["sh", "-c", f"exec {installed_command()} {words}"]
        for name, words in COMMANDS.items()
    }
    times = interleave(commands, tmp_path, 7)
    size = (root / "index.db").stat().st_size
    print(f"\n{count:,} runs: {size / count:.0f} bytes a run in the index, made in {first:.1f} s")
    for name, measured in times.items():
        wall, cpu = (statistics.median(one[kind] for one in measured) for kind in (0, 1))
        print(f"{name:16} {1000 * wall:5.0f} ms, {1000 * cpu:5.0f} ms of a core")
