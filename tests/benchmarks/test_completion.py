"""One press of the tab key: ``pytest -m benchmark -s tests/benchmarks/test_completion.py``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.benchmarks.ratios import installed_command, interleave, report
from tests.oracle import FIXTURES

pytestmark = pytest.mark.benchmark


def test_targets_of_2000_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOGINE_CACHE", str(tmp_path / "cache"))
    text = (FIXTURES / "scripts" / "moons_mlp.py").read_text()
    turns = 2000 // len(text.splitlines()) + 1
    # Each copy has names of its own, so that all of them are parameters.
    long = [re.sub(r"(?m)^(\w+) = ", rf"\g<1>_{turn} = ", text) for turn in range(turns)]
    script = tmp_path / "long.py"

    def change(name: str, turn: int) -> None:
        script.write_text("\n".join([*long, f"# {turn}\n" if "cold" in name else ""]))

    complete = [installed_command(), "__complete", "zsh", "--", "run", "long.py", "s"]
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "kogine __complete (warm)": complete,
        "kogine __complete (cold)": complete,
    }
    times = interleave(commands, tmp_path, 15, change)
    print(f"\n{turns * len(text.splitlines())} lines\n" + report(times, "python -c pass"))
