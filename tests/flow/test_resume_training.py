"""The shipped example: find the latest checkpoint, train one epoch, get killed, go on."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import psutil
import pytest

from tests.cli.recorded import records, started
from tests.oracle import FIXTURES, run_kogine
from tests.store.flows import wait_for

RUN = ("run", "train_epoch.py", "--config", "epochs.py", "--on-error", "stop")
MODES = pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train_epoch.py", "epochs.py"):
        shutil.copy(FIXTURES / "flows" / name, tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The last checkpoint of a training that nobody has killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for name in ("train_epoch.py", "epochs.py"):
        shutil.copy(FIXTURES / "flows" / name, folder)
    assert run_kogine(folder, *RUN).status == 0
    return last_of(folder)


def last_of(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "checkpoints/epoch-005.json").read_text())
    return found


@MODES
def test_epoch_after_epoch(folder: Path, mode: str, undisturbed: dict[str, object]) -> None:
    done = run_kogine(folder, *RUN, "--mode", mode)
    assert done.status == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        f"epoch {n}" for n in range(1, 6)
    ]
    assert last_of(folder) == undisturbed
    assert run_kogine(folder, *RUN, "--mode", mode).stdout == ""


@MODES
def test_an_epoch_that_dies_is_trained_again(
    folder: Path, mode: str, undisturbed: dict[str, object]
) -> None:
    dying = run_kogine(folder, *RUN, "--mode", mode, "die_in_epoch=3")
    assert dying.status == (-signal.SIGKILL if mode == "inline" else 1)
    assert dying.stdout.count("loss") == 2
    assert records(folder)[-1].status == ("lost" if mode == "inline" else "failed")
    done = run_kogine(folder, *RUN, "--mode", mode)
    assert done.stdout.startswith("epoch 3: ")
    assert last_of(folder) == undisturbed


@MODES
def test_killed_after_every_epoch(folder: Path, mode: str, undisturbed: dict[str, object]) -> None:
    """Kogine itself, by SIGKILL, whenever a checkpoint has been written."""
    for epoch in range(1, 5):
        path = folder / "checkpoints" / f"epoch-{epoch:03}.json"
        with started(folder, *RUN, "--mode", mode) as flow:
            wait_for(lambda path=path: path.exists() or None)  # type: ignore[misc]
            children = psutil.Process(flow.pid).children(recursive=True)
            flow.kill()
        for child in children:
            if child.is_running():
                child.kill()
        psutil.wait_procs(children)
    assert run_kogine(folder, *RUN, "--mode", mode).status == 0
    assert last_of(folder) == undisturbed
    assert sorted(path.name for path in (folder / "checkpoints").glob("epoch-*.json")) == [
        f"epoch-{n:03}.json" for n in range(1, 6)
    ]
