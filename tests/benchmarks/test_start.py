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
    }
    print("\n" + report(interleave(commands, tmp_path), "python hello.py"))


def test_warm_run_of_a_script_that_imports_numpy(tmp_path: Path) -> None:
    pytest.importorskip("numpy", reason="numpy is no dependency; install it to measure this")
    (tmp_path / "array.py").write_text("import numpy as np\nn = 3\nprint(np.arange(n).sum())\n")
    commands = {
        "python array.py": [sys.executable, "array.py"],
        "kogine run array.py n=4": [installed_command(), "run", "array.py", "n=4"],
    }
    print("\n" + report(interleave(commands, tmp_path), "python array.py"))


def test_cold_run_of_a_changed_script(tmp_path: Path) -> None:
    text = (FIXTURES / "scripts" / "moons_mlp.py").read_text()
    script = tmp_path / "moons_mlp.py"
    script.write_text(text)

    def change(name: str, turn: int) -> None:
        script.write_text(f"{text}\n# {turn}\n" if "cold" in name else text)

    commands = {
        "python moons_mlp.py": [sys.executable, "moons_mlp.py"],
        "kogine run (warm) seed=1": [installed_command(), "run", "moons_mlp.py", "seed=1"],
        "kogine run (cold) seed=1": [installed_command(), "run", "moons_mlp.py", "seed=1"],
    }
    times = interleave(commands, tmp_path, 15, change)
    print(f"\n{len(text.splitlines())} lines\n" + report(times, "python moons_mlp.py"))


def test_inspect_beside_importing_libcst(tmp_path: Path) -> None:
    pytest.importorskip("libcst", reason="libcst is a peer here, no dependency")
    shutil.copy(FIXTURES / "scripts" / "moons_mlp.py", tmp_path)
    commands = {
        'python -c "import libcst"': [sys.executable, "-c", "import libcst"],
        "kogine run --inspect": [installed_command(), "run", "--inspect", "moons_mlp.py"],
    }
    times = interleave(commands, tmp_path, 15)
    print("\n" + report(times, 'python -c "import libcst"'))


def test_transform_of_2000_lines_beside_libcst() -> None:
    import time

    libcst = pytest.importorskip("libcst", reason="libcst is a peer here, no dependency")
    from kohaku_ast.transform.compile import build_program
    from kohaku_ast.transform.request import Request
    from kohaku_ast.transform.source import decode

    text = (FIXTURES / "scripts" / "moons_mlp.py").read_text()
    text = "\n".join([text] * (2000 // len(text.splitlines()) + 1))
    request = Request((("seed", False, False),))
    start = time.perf_counter()
    build_program(decode(text.encode(), "moons.py"), request)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    assert libcst.parse_module(text).code == text
    peer = time.perf_counter() - start
    lines = len(text.splitlines())
    print(f"\n{lines} lines: transform {ours:.3f} s; libcst parse and print alone {peer:.3f} s")
