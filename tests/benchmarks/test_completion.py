"""One press of the tab key: ``pytest -m benchmark -s tests/benchmarks/test_completion.py``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from kogine import COMPLETE

from tests.benchmarks.ratios import installed_command, interleave, report
from tests.benchmarks.test_start import IMPORT
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

    complete = ["env", f"{COMPLETE}=zsh_complete", installed_command(), "run", "long.py", "s"]
    commands = {
        IMPORT: ["env", sys.executable, "-c", "import libcst"],
        "completion (warm)": complete,
        "completion (cold)": complete,
    }
    times = interleave(commands, tmp_path, 15, change)
    print(f"\n{turns * len(text.splitlines())} lines, at most 1\n" + report(times, IMPORT))
