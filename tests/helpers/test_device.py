"""``device``: where a script computes."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from kohaku_ast.helpers import device, device_manager
from tests.oracle import on_path, run_kogine, run_python


class Torch(types.ModuleType):
    """What ``device`` asks of torch, on a machine with *gpus* and perhaps Apple's mps."""

    def __init__(self, gpus: int, mps: bool = False) -> None:
        super().__init__("torch")
        self.cuda = types.SimpleNamespace(is_available=lambda: gpus > 0, device_count=lambda: gpus)
        self.backends = types.SimpleNamespace(mps=types.SimpleNamespace(is_available=lambda: mps))

    @staticmethod
    def device(name: str) -> types.SimpleNamespace:
        kind, _, number = name.partition(":")
        if kind not in ("cpu", "cuda", "mps"):
            raise RuntimeError(f"Expected one of cpu, cuda, mps device type: {kind}")
        return types.SimpleNamespace(type=kind, index=int(number) if number else None, name=name)


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CUDA_VISIBLE_DEVICES",
        "KOGINE_DEVICE",
        "KOGINE_WORKER_ID",
        "KOGINE_RUN_INDEX",
        "KOGINE_RUN_DIR",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr("kohaku_ast.helpers.devices._count_of_driver", lambda: 0)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({"CUDA_VISIBLE_DEVICES": ""}, "cpu", id="no GPU is allowed"),
        pytest.param({"CUDA_VISIBLE_DEVICES": "-1"}, "cpu", id="none, by a number"),
        pytest.param({"CUDA_VISIBLE_DEVICES": "3"}, "cuda", id="one GPU is given"),
        pytest.param({"CUDA_VISIBLE_DEVICES": "3,5"}, "cuda", id="two are given"),
        pytest.param({"CUDA_VISIBLE_DEVICES": "3,5", "KOGINE_RUN_INDEX": "1", "KOGINE_WORKER_ID": "3"}, "cuda:1", id="workers spread"),
        pytest.param({"KOGINE_DEVICE": "cuda:2"}, "cuda:2", id="by a variable"),
        pytest.param({"KOGINE_DEVICE": "cpu", "CUDA_VISIBLE_DEVICES": "0"}, "cpu", id="the variable wins"),
    ],
)  # fmt: skip
def test_without_torch_it_is_a_text(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    assert device() == device_manager.get_device() == expected


@pytest.mark.parametrize(
    ("torch", "environment", "expected"),
    [
        pytest.param(Torch(0), {}, "cpu", id="none"),
        pytest.param(Torch(0, mps=True), {}, "mps", id="mps"),
        pytest.param(Torch(1), {}, "cuda", id="one"),
        pytest.param(Torch(2), {"KOGINE_RUN_INDEX": "4", "KOGINE_WORKER_ID": "1"}, "cuda:1", id="workers spread"),
        pytest.param(Torch(2), {"KOGINE_DEVICE": "cuda:1"}, "cuda:1", id="by a variable"),
        pytest.param(Torch(2), {"KOGINE_DEVICE": "cpu"}, "cpu", id="cpu by a variable"),
    ],
)  # fmt: skip
def test_with_torch_it_is_a_device(
    torch: Torch, environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch)
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    assert device().name == expected


@pytest.mark.parametrize(
    ("torch", "wanted", "error", "text"),
    [
        pytest.param(None, "cuda1", ValueError, "write cpu, cuda, cuda:1 or mps", id="unknown"),
        pytest.param(None, "cuda:x", ValueError, "write cpu, cuda, cuda:1 or mps", id="no number"),
        pytest.param(
            Torch(0),
            "gpu",
            ValueError,
            "'gpu' is no device: Expected one of",
            id="torch knows none",
        ),
        pytest.param(Torch(0), "cuda", RuntimeError, "torch finds no GPU", id="no GPU"),
        pytest.param(Torch(2), "cuda:2", RuntimeError, "torch finds 2 GPUs", id="too few GPUs"),
        pytest.param(Torch(0), "mps", RuntimeError, "torch cannot use it here", id="no mps"),
    ],
)
def test_what_cannot_be_used_is_said(
    torch: Torch | None,
    wanted: str,
    error: type[Exception],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if torch is not None:
        monkeypatch.setitem(sys.modules, "torch", torch)
    with pytest.raises(error, match=text):
        device(wanted)


def test_the_same_script_under_python_and_kogine(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(
        "x = 1\nfrom kohaku_ast.helpers import device\nprint(device())\n"
    )
    plain = run_python(tmp_path, "t.py", PYTHONPATH=on_path(), CUDA_VISIBLE_DEVICES="1")
    assert (plain.stdout, plain.stderr) == ("cuda\n", "")
    assert run_kogine(tmp_path, "run", "t.py", "x=2", CUDA_VISIBLE_DEVICES="1") == plain
    pinned = run_kogine(
        tmp_path, "run", "t.py", "--sweep", "x=1,2", "--gpus", "5", "--workers", "1"
    )
    assert pinned.stdout == "cuda\ncuda\n"
