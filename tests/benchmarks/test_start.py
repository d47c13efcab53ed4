"""What kogine adds to the start of a script: ``pytest -m benchmark -s tests/benchmarks``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.benchmarks.ratios import installed_command, interleave, report
from tests.oracle import FIXTURES

pytestmark = pytest.mark.benchmark


def test_warm_run_of_a_small_script(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text('x = 3\nprint("hello", x)\n')
    commands = {
        "python hello.py": [sys.executable, "hello.py"],
        "kogine run hello.py": [installed_command(), "run", "hello.py"],
        "kogine run hello.py x=1": [installed_command(), "run", "hello.py", "x=1"],
        "kogine run hello.py --as-is x=1": [
            installed_command(),
            "run",
            "hello.py",
            "--as-is",
            "x=1",
        ],
    }
    times = interleave(commands, tmp_path)
    print("\nat most 2.5, with an option 5.5\n" + report(times, "python hello.py"))


def test_warm_run_of_a_script_that_imports_numpy_and_pandas(tmp_path: Path) -> None:
    for module in ("numpy", "pandas"):
        pytest.importorskip(module, reason=f"{module} is no dependency; install it to measure this")
    lines = ["import numpy as np", "import pandas as pd", "n = 3"]
    lines.append('print(pd.DataFrame({"x": np.arange(n)}).x.sum())')
    (tmp_path / "frame.py").write_text("\n".join(lines) + "\n")
    commands = {
        "python frame.py": [sys.executable, "frame.py"],
        "kogine run frame.py n=4": [installed_command(), "run", "frame.py", "n=4"],
    }
    times = interleave(commands, tmp_path, 25)
    print("\nat most 1.05\n" + report(times, "python frame.py"))


MOONS = (FIXTURES / "scripts" / "moons_mlp.py").read_text()
GUARD = 'if __name__ == "__main__":'
IMPORT = 'python -c "import libcst"'


@pytest.mark.parametrize(
    ("lines", "most"), [pytest.param(350, 1.8, id="350"), pytest.param(2000, 3.5, id="2000")]
)
def test_cold_run_of_a_changed_script(lines: int, most: float, tmp_path: Path) -> None:
    """Beside importing libcst, which is most of it; the script defines all and does no work."""
    assert GUARD in MOONS
    text = MOONS.replace(GUARD, f"{GUARD[:-1]} and len(sys.argv) > 1:") * round(lines / 350)
    script = tmp_path / "moons_mlp.py"

    def change(name: str, turn: int) -> None:
        script.write_text(f"{text}\n# {turn}\n" if "cold" in name else text)

    run = [installed_command(), "run", "moons_mlp.py", "seed=1"]
    commands = {
        IMPORT: [sys.executable, "-c", "import libcst"],
        "python moons_mlp.py": [sys.executable, "moons_mlp.py"],
        "kogine run (warm) seed=1": run,
        "kogine run (cold) seed=1": run,
    }
    times = interleave(commands, tmp_path, 15, change)
    print(f"\n{len(text.splitlines())} lines, cold: at most {most} of it\n" + report(times, IMPORT))


def test_inspect_beside_importing_libcst(tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "scripts" / "moons_mlp.py", tmp_path)
    commands = {
        IMPORT: [sys.executable, "-c", "import libcst"],
        "kogine run --inspect": [installed_command(), "run", "--inspect", "moons_mlp.py"],
    }
    times = interleave(commands, tmp_path, 15)
    print("\ninspect: at most 0.8 of it\n" + report(times, IMPORT))


def test_rewrite_of_2000_lines_beside_a_whole_libcst_module() -> None:
    import time

    import libcst

    from kohaku_ast.transform.edit.edits import plan_edits
    from kohaku_ast.transform.edit.rewrite import apply_edits
    from kohaku_ast.transform.find.parameters import find_parameters
    from kohaku_ast.transform.find.source import decode
    from kohaku_ast.transform.program.program import Request

    text = MOONS * 6
    source = decode(text.encode(), "moons.py")
    edits = plan_edits(source, find_parameters(source), Request((("seed", False, False),))).edits
    apply_edits(source, edits)
    start = time.perf_counter()
    apply_edits(source, edits)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    assert libcst.parse_module(text).code == text
    peer = time.perf_counter() - start
    lines = len(text.splitlines())
    print(
        f"\n{lines} lines, {len(edits)} edits: rewrite {ours * 1e3:.1f} ms; "
        f"libcst's parse and print of the module alone {peer * 1e3:.1f} ms"
    )
