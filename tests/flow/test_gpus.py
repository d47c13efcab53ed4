"""Which GPUs a flow takes: their order, and leases that two flows do not share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kohaku_ast import Parallel, Script
from kohaku_ast.errors import UsageError
from kohaku_ast.flow.gpus import ORDER, VISIBLE, GpuLeases, gpu_variables, machine_gpus, parse_gpus
from kohaku_ast.flow.run import Summary
from tests.oracle import on_path, run_kogine

FOUR = """\
0, GPU-aaaa, 1000, 90
1, GPU-bbbb, 40000, 50
2, GPU-cccc, 40000, 0
3, GPU-dddd, [N/A], [N/A]
"""


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program nvidia-smi that lists four GPUs; no other program is found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho x >> '{tmp_path}/asked'\n/bin/cat <<'END'\n{FOUR}END\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    for name in (VISIBLE, ORDER):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KOGINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return program


def test_the_driver_is_read(smi: Path) -> None:
    found = machine_gpus()
    assert [(one.index, one.uuid, one.free >> 20, one.use) for one in found] == [
        ("0", "GPU-aaaa", 1000, 90), ("1", "GPU-bbbb", 40000, 50), ("2", "GPU-cccc", 40000, 0), ("3", "GPU-dddd", 0, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        pytest.param("0,1", {}, ("0", "1"), id="named: their order stays"),
        pytest.param(" 0 , GPU-2f ", {}, ("0", "GPU-2f"), id="by another name, with blanks"),
        pytest.param(
            "auto", {}, ("2", "1", "0", "3"), id="the most free memory, then the least use"
        ),
        pytest.param("auto", {VISIBLE: "0,1"}, ("1", "0"), id="those allowed"),
        pytest.param(
            "auto", {VISIBLE: "GPU-aa,GPU-cc"}, ("GPU-cc", "GPU-aa"), id="by the start of a name"
        ),
        pytest.param("auto", {VISIBLE: "7,2,-1,1"}, ("2", "7"), id="as far as CUDA reads"),
    ],
)
def test_gpus_are_read(
    text: str, environment: dict[str, str], expected: tuple[str, ...], smi: Path
) -> None:
    assert parse_gpus(text, environment) == expected


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        pytest.param(",", {}, id="no name"),
        pytest.param("auto", {VISIBLE: ""}, id="none allowed"),
        pytest.param("auto", {VISIBLE: "-1"}, id="none allowed, by a number"),
        pytest.param("0,x", {}, id="no number"),
        pytest.param("0,-1", {}, id="a negative number"),
        pytest.param("0;1", {}, id="another sign between"),
    ],
)
def test_no_gpu_is_an_error(text: str, environment: dict[str, str], smi: Path) -> None:
    with pytest.raises(UsageError, match="--gpus 0,1"):
        parse_gpus(text, environment)


def test_a_machine_without_gpus(smi: Path) -> None:
    smi.write_text("#!/bin/sh\nexit 9\n")
    assert machine_gpus() == []
    with pytest.raises(UsageError, match="no GPU found"):
        parse_gpus("auto", {})


def test_numbers_are_those_of_nvidia_smi(smi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu_variables("2") == {VISIBLE: "2", ORDER: "PCI_BUS_ID"}
    monkeypatch.setenv(VISIBLE, "2,3")  # by a scheduler, which counts as CUDA does
    assert gpu_variables("2") == {VISIBLE: "2"}


# --- leases --------------------------------------------------------------------------------------

HOLDS = """\
import sys
from kohaku_ast.flow.gpus import GpuLeases
print(GpuLeases(sys.argv[1]).take(sys.argv[3].split(","), int(sys.argv[2]), True), flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(folder: Path, count: int, gpus: str = "2,1,0,3") -> Iterator[subprocess.Popen[str]]:
    """Another flow that has the first *count* of *gpus*."""
    words = [sys.executable, "-c", HOLDS, str(folder / "cache"), str(count), gpus]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": on_path()},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"('{gpus[0]}'")
        yield process
        process.communicate()


def test_two_flows_do_not_meet(smi: Path, tmp_path: Path) -> None:
    own = GpuLeases(str(tmp_path / "cache"))
    with holder(tmp_path, 2) as other:
        assert own.take(["2", "1", "0", "3"], 3, True) == ("0", "3")
        own.on_finish(Summary())
        # By the other name of the same GPU, too; and who names one shares it.
        assert own.take(["GPU-cc", "3"], 2, True) == ("3",)
        assert own.take(["2", "1"], 2, False) == ("2", "1")
        own.on_finish(Summary())
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert own.take(["2", "1", "0", "3"], 2, True) == ("2", "1")
        own.on_finish(Summary())


def test_a_flow_takes_what_is_free(smi: Path, tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(
        "import os\nx = 0\n"
        "print(os.environ['CUDA_VISIBLE_DEVICES'], os.environ['CUDA_DEVICE_ORDER'])\n"
    )
    sweep = ["run", "t.py", "--sweep", "x=1,2", "--workers", "1", "--gpus"]
    assert run_kogine(tmp_path, *sweep, "auto").stdout == "2 PCI_BUS_ID\n" * 2
    assert (tmp_path / "asked").read_text() == "x\n"  # the driver is asked once
    with holder(tmp_path, 3):
        assert run_kogine(tmp_path, *sweep, "auto").stdout == "3 PCI_BUS_ID\n" * 2
        with holder(tmp_path, 1, "3"):
            refused = run_kogine(tmp_path, *sweep, "auto")
            assert (refused.status, refused.stdout) == (2, "")
            assert "other flows have all GPUs (2, 1, 0, 3)" in refused.stderr
            with pytest.raises(UsageError, match="other flows have all GPUs"):
                Parallel([Script("t.py")], gpus="auto").run()
            assert run_kogine(tmp_path, *sweep, "1").stdout == "1 PCI_BUS_ID\n" * 2
    assert run_kogine(tmp_path, *sweep, "auto").stdout == "2 PCI_BUS_ID\n" * 2
