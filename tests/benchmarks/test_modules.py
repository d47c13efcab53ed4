"""What overrides in modules and children cost: ``pytest -m benchmark -s tests/benchmarks``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.benchmarks.ratios import installed_command, interleave, report

pytestmark = pytest.mark.benchmark

POOL = """\
import multiprocessing
lr = 0.1
def work(n):
    return n * lr
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print(sum(pool.map(work, range(100))))
"""


def test_import_hook_beside_plain_imports(tmp_path: Path) -> None:
    names = [f"part_{number}" for number in range(100)]
    for name in names:
        (tmp_path / f"{name}.py").write_text("x = 1\ndef f(a, b=2):\n    return a + b\n" * 20)
    (tmp_path / "hparams.py").write_text("lr = 0.1\n")
    (tmp_path / "s.py").write_text("import hparams, json, decimal, " + ", ".join(names) + "\n")
    commands = {
        "python s.py (100 modules)": [sys.executable, "s.py"],
        "kogine run s.py": [installed_command(), "run", "s.py"],
        "kogine run s.py hparams.lr=1": [installed_command(), "run", "s.py", "hparams.lr=1"],
    }
    print("\n" + report(interleave(commands, tmp_path, 20), "python s.py (100 modules)"))


def test_spawned_pool(tmp_path: Path) -> None:
    (tmp_path / "pool.py").write_text(POOL)
    commands = {
        "python pool.py": [sys.executable, "pool.py"],
        "kogine run pool.py lr=1": [installed_command(), "run", "pool.py", "lr=1"],
    }
    print("\n" + report(interleave(commands, tmp_path, 10), "python pool.py"))


def test_import_hook_on_a_script_that_imports_pandas(tmp_path: Path) -> None:
    pytest.importorskip("pandas", reason="pandas is no dependency; install it to measure this")
    (tmp_path / "hparams.py").write_text("n = 3\n")
    (tmp_path / "s.py").write_text(
        "import hparams\nimport pandas as pd\nprint(pd.Series(range(hparams.n)).sum())\n"
    )
    commands = {
        "python s.py (pandas)": [sys.executable, "s.py"],
        "kogine run s.py": [installed_command(), "run", "s.py"],
        "kogine run s.py hparams.n=4": [installed_command(), "run", "s.py", "hparams.n=4"],
    }
    print("\n" + report(interleave(commands, tmp_path, 12), "python s.py (pandas)"))
