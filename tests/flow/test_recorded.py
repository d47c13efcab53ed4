"""Sequential and Parallel keep records, and go on from them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Config, Outcome, Parallel, Script, Sequential, Sweep
from kohaku_ast.errors import UncrossableValue, UsageError
from kohaku_ast.flow.run import Observer, Run, Summary
from kohaku_ast.store.record import Record, find_runs
from tests.oracle import on_path

ROOT = Path(".kogine/runs")
SCRIPT = """\
n = 0
print("run", n)
with open("ran", "a") as file:
    file.write(f"{n} ")
def main():
    if n == 2:
        raise ValueError("two")
    return n * 10
if __name__ == "__main__":
    main()
"""
BOTH = pytest.mark.parametrize(
    "flow",
    [
        pytest.param(lambda *a, **o: Sequential(*a, on_error="continue", **o), id="auto"),
        pytest.param(
            lambda *a, **o: Sequential(*a, mode="inline", on_error="continue", **o), id="inline"
        ),
        pytest.param(
            lambda *a, **o: Sequential(*a, mode="spawn", on_error="continue", **o), id="spawn"
        ),
        pytest.param(lambda *a, **o: Parallel(*a, max_workers=2, **o), id="parallel"),
    ],
)


@pytest.fixture(autouse=True)
def _script(_working_folder: None) -> None:
    Path("train.py").write_text(SCRIPT)


def records() -> list[Record]:
    return sorted(find_runs(ROOT), key=lambda one: one.index)


def ran() -> list[str]:
    """What was run since this was asked last, sorted."""
    path = Path("ran")
    found = path.read_text() if path.exists() else ""
    path.unlink(missing_ok=True)
    return sorted(found.split())


@BOTH
def test_a_flow_is_recorded_and_its_outcomes_name_the_logs(flow: Any) -> None:
    outcomes = flow(Script("train.py", Sweep(n=[1, 2]))).run()
    first, second = records()
    assert [one.status for one in (first, second)] == ["succeeded", "failed"]
    assert first.outcome().value == 10
    assert [one.log for one in outcomes] == [
        os.path.abspath(one.log or "") for one in (first, second)
    ]
    logs = [Path(one.log).read_text() for one in outcomes]
    assert logs[0] == "run 1\n"
    assert logs[1].startswith("run 2\nTraceback")


@BOTH
def test_records_can_be_switched_off(flow: Any) -> None:
    outcomes = flow(Script("train.py", Sweep(n=[1, 2])), record=False).run()
    assert not Path(".kogine").exists()
    assert [one.log for one in outcomes] == ["", ""]


@BOTH
def test_a_resumed_flow_has_the_outcomes_of_before(flow: Any) -> None:
    flow(Script("train.py", Sweep(n=[1, 2]))).run()
    ran()
    resumed = flow(Script("train.py", Sweep(n=[3, 2, 1])), resume=True)
    outcomes = resumed.run()
    assert [(one.status, one.value) for one in outcomes] == [
        ("succeeded", 30), ("failed", None), ("succeeded", 10),
    ]  # fmt: skip
    assert ran() == ["3"]
    assert (resumed.summary.failed_before, resumed.summary.exit_status) == (1, 1)
    assert str(outcomes[1].error) == "ValueError: two"
    flow(Script("train.py", Sweep(n=[3, 2, 1])), retry_failed=True).run()
    assert ran() == ["2"]


def test_a_generator_is_told_of_a_run_that_is_left_out() -> None:
    def configs() -> Iterator[Config]:
        outcome: Outcome = yield Config({"n": 1})  # type: ignore[assignment]
        yield Config({"n": outcome.value + 1})  # type: ignore[operator]

    assert [one.value for one in Sequential(Script("train.py", configs())).run()] == [10, 110]
    ran()
    again = Sequential(Script("train.py", configs()), resume=True).run()
    assert [one.value for one in again] == [10, 110]
    assert ran() == []


def test_a_later_script_sees_the_outcome_of_one_left_out() -> None:
    Path("last.py").write_text(
        "m = 0\nprint('last', m)\nwith open('ran', 'a') as file:\n    file.write('last ')\n"
    )
    scripts = [
        Script("train.py", Config({"n": 4}), name="train"),
        Script("last.py", lambda previous: Config({"m": previous["train"].value})),
    ]
    Sequential(scripts[:1]).run()
    ran()
    Sequential(scripts, resume=True).run()
    assert ran() == ["last"]
    assert records()[-1].facts["overrides"][0]["json"] == 40


def test_a_lent_executor_has_records_without_logs() -> None:
    with ThreadPoolExecutor(2) as executor:
        Parallel(Script("train.py", Sweep(n=[1, 3])), mode=executor).run()
        assert [(one.status, one.log) for one in records()] == [("succeeded", None)] * 2
        ran()
        Parallel(Script("train.py", Sweep(n=[1, 3])), mode=executor, resume=True).run()
    assert ran() == []


def test_streams_of_a_notebook_are_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("train.py").write_text(
        "import os, sys\nn = 0\nprint('print')\nsys.stdout.flush()\nos.system('echo child')\n"
        "print('error', file=sys.stderr)\n"
    )
    streams = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    Sequential("train.py", mode="inline").run()
    assert (sys.stdout, sys.stderr) == streams
    assert [one.getvalue() for one in streams] == ["print\n", "error\n"]
    assert sorted(Path(records()[0].log or "").read_text().split()) == ["child", "error", "print"]


def test_closed_standard_streams_are_no_obstacle() -> None:
    program = (
        "from kohaku_ast import Script, Sequential, Sweep\n"
        "Sequential(Script('train.py', Sweep(n=[1, 3]))).run()\n"
        "Sequential(Script('train.py', Sweep(n=[1, 3])), mode='inline').run()\n"
        "Sequential(Script('train.py', Sweep(n=[1, 3])), mode='spawn').run()\n"
    )
    command = 'exec "$0" -c "$1" >&- 2>&-'
    environment = {**os.environ, "PYTHONPATH": on_path()}
    done = subprocess.run(["sh", "-c", command, sys.executable, program], env=environment)
    assert done.returncode == 0
    assert ran() == ["1", "1", "1", "3", "3", "3"]


class _Folders(Observer):
    """Whether each record is complete when others are told of the end."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.processes: list[int] = []

    def on_process(self, run: Run, pid: int) -> None:
        self.processes.append(pid)

    def on_end(self, run: Run) -> None:
        assert run.folder is not None
        record = Record.read(run.folder)
        self.found.append(record.status if record else "")

    def on_finish(self, summary: Summary) -> None:
        self.found.append(f"{len(records())} records")


def test_an_observer_finds_complete_records() -> None:
    observer = _Folders()
    Parallel(Script("train.py", Sweep(n=[1, 3])), max_workers=1, observers=[observer]).run()
    assert observer.found == ["succeeded", "succeeded", "2 records"]
    assert len(observer.processes) == 2


def test_a_value_that_cannot_cross_is_an_error_in_python() -> None:
    Path("train.py").write_text(
        "import threading\ndef main():\n    return threading.Lock()\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    (outcome,) = Sequential("train.py", mode="spawn", on_error="continue").run()
    assert outcome.error is not None
    assert outcome.error.type == UncrossableValue.__name__
    assert "lock" in outcome.error.message


def test_nothing_is_left_open() -> None:
    def descriptors() -> list[str]:
        return sorted(os.listdir("/proc/self/fd"))

    Sequential(Script("train.py", Sweep(n=[1, 3]))).run()
    before = descriptors()
    for mode in ("inline", "spawn", "warm"):
        Sequential(Script("train.py", Sweep(n=[1, 3])), mode=mode).run()
    assert descriptors() == before


def test_resuming_needs_records() -> None:
    with pytest.raises(UsageError, match="record=False"):
        Sequential("train.py", record=False, resume=True)


def test_the_outcomes_of_a_flow_are_compared() -> None:
    Path("train.py").write_text("lr = 0\nseed = 0\nprint('loss:', lr + seed)\n")
    sweep = Sweep({"lr": [1, 2], "seed": [0, 1]})
    outcomes = Sequential([Script("train.py", sweep)]).run()
    Sequential([Script("train.py", Config({"lr": 5}))]).run()  # another flow of the store
    assert [row["lr"] for row in outcomes.compare()] == [1, 1, 2, 2]
    groups = outcomes.compare(by="lr", metric="loss")
    assert [(row["lr"], row["loss mean"], row["loss n"]) for row in groups] == [
        (1, 1.5, 2),
        (2, 2.5, 2),
    ]
    with pytest.raises(UsageError, match="without record=False"):
        Sequential([Script("train.py", sweep)], record=False).run().compare()
