"""What a run finds in its environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from kohaku_ast import Parallel, Script, Sequential, Sweep
from kohaku_ast.errors import UsageError
from kohaku_ast.flow.settings import THREADS, parse_threads

SCRIPT = """\
import os
n = 0
def main():
    names = ["KOGINE_WORKER_ID", "KOGINE_RUN_INDEX", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS",
             "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"]
    found = {name: os.environ[name] for name in names if name in os.environ}
    return found, os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else 0
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in (*THREADS, "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "tells.py").write_text(SCRIPT)
    return str(tmp_path / "tells.py")


def found_by(script: str, count: int, workers: int, **options: object) -> list[dict[str, str]]:
    flow = Parallel(
        [Script(script, Sweep(n=range(count)))], max_workers=workers, record=False, **options  # type: ignore[arg-type]
    )  # fmt: skip
    return [one.value[0] for one in flow.run()]  # type: ignore[index]


@pytest.mark.parametrize("mode", ["spawn", "warm"])
def test_each_run_knows_its_number_and_its_worker(script: str, mode: str) -> None:
    found = found_by(script, 6, 2, mode=mode, threads="off")
    assert [one["KOGINE_RUN_INDEX"] for one in found] == [str(n) for n in range(6)]
    assert {one["KOGINE_WORKER_ID"] for one in found} == {"0", "1"}
    assert all(one.keys() == {"KOGINE_RUN_INDEX", "KOGINE_WORKER_ID"} for one in found)


def test_a_run_in_this_process_knows_them_too_and_leaves_nothing(script: str) -> None:
    flow = Sequential([Script(script, Sweep(n=range(2)))], mode="inline", record=False)
    found = [one.value[0] for one in flow.run()]  # type: ignore[index]
    assert [(one["KOGINE_WORKER_ID"], one["KOGINE_RUN_INDEX"]) for one in found] == [
        ("0", "0"), ("0", "1"),
    ]  # fmt: skip
    assert not {"KOGINE_WORKER_ID", "KOGINE_RUN_INDEX"} & os.environ.keys()


@pytest.mark.parametrize("mode", ["spawn", "warm"])
def test_each_worker_has_its_own_gpu(script: str, mode: str) -> None:
    found = found_by(script, 6, 2, mode=mode, gpus="3,7")
    gpu_of = {"0": "3", "1": "7"}
    assert all(one["CUDA_VISIBLE_DEVICES"] == gpu_of[one["KOGINE_WORKER_ID"]] for one in found)


def test_more_workers_than_gpus_share_them(script: str) -> None:
    found = found_by(script, 6, 3, gpus=[0, 1])
    assert {(one["KOGINE_WORKER_ID"], one["CUDA_VISIBLE_DEVICES"]) for one in found} <= {
        ("0", "0"), ("1", "1"), ("2", "0"),
    }  # fmt: skip


@pytest.mark.parametrize("mode", ["spawn", "warm"])
def test_threads_are_shared_out(script: str, mode: str) -> None:
    (found,) = found_by(script, 1, 2, mode=mode, threads=3)
    assert [found[name] for name in THREADS] == ["3"] * 4


def test_who_has_set_the_threads_knows_better(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    (found,) = found_by(script, 1, 2, threads=3)
    assert (found["OMP_NUM_THREADS"], found["MKL_NUM_THREADS"]) == ("5", "3")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no nice")
@pytest.mark.parametrize("mode", ["spawn", "warm"])
def test_nice_runs(script: str, mode: str) -> None:
    # Slower from its first line on, or soon after: it may look before we have said so.
    Path(script).write_text("import time\n" + SCRIPT.replace(
        "def main():", "def main():\n    while os.getpriority(0, 0) != 7:\n        time.sleep(0.01)"
    ))  # fmt: skip
    flow = Parallel([script], max_workers=1, mode=mode, nice=7, record=False, timeout=30)
    assert [one.value[1] for one in flow.run()] == [7]  # type: ignore[index]


@pytest.mark.parametrize("gpus", [2, True, [-1], [0.5], ["a"]], ids=repr)
def test_what_python_gives_is_read_with_the_same_care(script: str, gpus: object) -> None:
    with pytest.raises(UsageError, match="gpu"):
        Parallel([script], gpus=gpus)


@pytest.mark.parametrize(
    ("text", "workers", "cores", "expected"),
    [
        ("auto", 4, 16, 4), ("auto", 3, 16, 5), ("auto", 32, 16, 1), ("auto", 1, 16, 0),
        ("off", 4, 16, 0), ("6", 4, 16, 6),
    ],
)  # fmt: skip
def test_threads_are_read(text: str, workers: int, cores: int, expected: int) -> None:
    assert parse_threads(text, workers, cores) == expected


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "", "²"])
def test_threads_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="auto or off"):
        parse_threads(text, 2, 2)
