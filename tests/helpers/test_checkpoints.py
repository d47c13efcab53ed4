"""``checkpoints``: a script goes on from its last state."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path

import pytest

from kohaku_ast import Store
from kohaku_ast.helpers import Checkpoints
from kohaku_ast.store.metrics import read_series
from kohaku_ast.store.record import Record
from tests.oracle import on_path, run_kogine, run_python


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KOGINE_RUN_DIR", raising=False)
    monkeypatch.delenv("KOGINE_RESUMED_FROM", raising=False)
    return tmp_path


def steps(saved: Checkpoints) -> list[int]:
    return [one.step for one in saved.every()]


@pytest.mark.parametrize(
    ("keep", "results", "expected"),
    [
        pytest.param({}, [None] * 6, [3, 4, 5], id="the last three"),
        pytest.param({"last": 1}, [None] * 6, [5], id="the last one"),
        pytest.param({}, [5.0, 1.0, 3.0, 4.0, 9.0, 9.0], [1, 3, 4, 5], id="and the least"),
        pytest.param({"best": 2, "last": 1}, [5.0, 1.0, 2.0, 4.0, 9.0, 9.0], [1, 2, 5], id="the two least"),
        pytest.param({"goal": "max", "last": 1}, [5.0, 1.0, 7.0, 4.0, 3.0, 2.0], [2, 5], id="the greatest"),
        pytest.param({"best": 0, "last": 2}, [0.0, 1.0, 2.0], [1, 2], id="no best one"),
        pytest.param({"last": 1}, [float("nan"), 2.0, 3.0], [1, 2], id="nan is never the best"),
        pytest.param({"last": 1}, [1e-12, -2.5e300, 3.0], [1, 2], id="numbers of any size"),
    ],
)  # fmt: skip
def test_what_is_kept(
    keep: dict[str, object], results: list[float | None], expected: list[int], folder: Path
) -> None:
    saved = Checkpoints().keep(**keep)  # type: ignore[arg-type]
    for step, result in enumerate(results):
        saved.save({"step": step}, step, result)
    assert steps(saved) == expected
    assert saved.load() == {"step": len(results) - 1}
    best = saved.best()
    numbers = [one for one in results if one is not None and one == one]
    goal = max if keep.get("goal") == "max" else min
    if numbers and keep.get("best", 1):
        assert best is not None
        assert best.result == goal(numbers)


def test_a_step_that_is_saved_again_replaces_it(folder: Path) -> None:
    saved = Checkpoints()
    saved.save("first", 3, 0.5)
    saved.save("second", 3, 0.7)
    assert steps(saved) == [3]
    assert saved.load() == "second"


def test_going_back_to_an_earlier_step_keeps_it(folder: Path) -> None:
    saved = Checkpoints().keep(last=2, best=0)
    for step in (5, 6, 7, 1):
        saved.save(step, step)
    assert 1 in steps(saved)


def test_without_a_checkpoint_there_is_a_default(folder: Path) -> None:
    assert Checkpoints().load() is None
    assert Checkpoints().load(default=0) == 0
    assert Checkpoints().best() is None
    assert os.listdir(folder) == []


class Unpicklable:
    def __reduce__(self) -> str:
        raise ValueError("not this one")


def test_what_cannot_be_pickled_leaves_the_others(folder: Path) -> None:
    saved = Checkpoints()
    saved.save(1, 1)
    with pytest.raises(ValueError, match="not this one"):
        saved.save([Unpicklable()], 2)
    assert (steps(saved), saved.load()) == ([1], 1)
    assert len(os.listdir(saved.folder)) == 1


@pytest.mark.parametrize(
    ("call", "text"),
    [
        pytest.param(lambda: Checkpoints().keep(goal="least"), "goal is 'min' or 'max'", id="goal"),
        pytest.param(lambda: Checkpoints().keep(last=0), "last is at least 1", id="last"),
        pytest.param(lambda: Checkpoints().save(1, -1), "at least 0", id="a negative step"),
        pytest.param(lambda: Checkpoints().save(1, 0.5), "whole number", id="half a step"),  # type: ignore[arg-type]
    ],
)
def test_wrong_values_are_named(call: object, text: str, folder: Path) -> None:
    with pytest.raises((ValueError, TypeError), match=text):
        call()  # type: ignore[operator]


TRAIN = """\
import os, signal
from kohaku_ast.helpers import checkpoints, logger, resumed_from

lr = 0.5
state = checkpoints.load(default={"epoch": 0, "weight": 1.0})
print("from", state["epoch"], bool(resumed_from()))
for epoch in range(state["epoch"], 6):
    state = {"epoch": epoch + 1, "weight": state["weight"] * lr}
    checkpoints.save(state, step=epoch)
    logger.log({"loss": state["weight"]}, step=epoch)
    if epoch == 3 and not os.path.exists(f"mark{lr}"):
        open(f"mark{lr}", "w").close()
        END
print("weight:", state["weight"])
"""


KILLED = "os.kill(os.getpid(), signal.SIGKILL)"
LOST = "os.kill(os.getppid(), signal.SIGKILL); os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize(
    ("end", "again", "mode"),
    [
        pytest.param(KILLED, "--retry-failed", "spawn", id="a spawned run that was killed"),
        pytest.param(KILLED, "--retry-failed", "warm", id="a warm run that was killed"),
        pytest.param(LOST, "--resume", "spawn", id="lost with its flow"),
    ],
)
def test_a_resumed_run_goes_on(folder: Path, end: str, again: str, mode: str) -> None:
    (folder / "t.py").write_text(TRAIN.replace("END", end))
    sweep = ["run", "t.py", "--sweep", "lr=0.5,0.25", "--mode", mode, "--workers", "1"]
    first = run_kogine(folder, *sweep, PYTHONPATH=on_path())
    assert first.status != 0
    if end == LOST:  # the second one was not reached
        (folder / "mark0.25").touch()
    second = run_kogine(folder, *sweep, again, PYTHONPATH=on_path())
    assert second.status == 0, second
    assert "from 4 True\nweight: 0.015625\n" in second.stdout
    resumed = next(one for one in Store().runs("lr == 0.5") if one.facts.get("resumed_from"))
    assert (resumed.folder.parent / resumed.facts["resumed_from"]).is_dir()
    assert "KOGINE_RESUMED_FROM" not in resumed.facts["environment"]["variables"]
    assert curve_of(resumed) == WHOLE


WHOLE = [*range(6)], {"last": 0.015625, "min": 0.015625, "max": 0.5, "count": 6, "step": 5}
"""Steps and summary of the metric of a training that nobody has disturbed."""


def curve_of(record: Record) -> tuple[list[object], dict[str, object]]:
    points = read_series(record.folder / "metrics.jsonl")
    return [one["step"] for one in points if "loss" in one["metrics"]], record.metric_summary[
        "loss"
    ]


def test_a_retry_goes_on_from_the_attempt_before(folder: Path) -> None:
    (folder / "t.py").write_text(TRAIN.replace("END", "1 / 0"))
    done = run_kogine(
        folder, "run", "t.py", "--sweep", "lr=0.5", "--retries", "1", PYTHONPATH=on_path()
    )
    assert done.status == 0, done
    assert done.stdout == "from 0 False\nfrom 4 False\nweight: 0.015625\n"
    [record] = Store().runs()
    assert {one["path"] for one in record.facts["files"]} == {
        f"checkpoints/step-{n:08}.ckpt" for n in (3, 4, 5)
    }
    assert curve_of(record) == WHOLE
    assert record.facts["attempts"][0]["metrics"]["loss"]["count"] == 4


def test_a_new_run_begins_anew(folder: Path) -> None:
    (folder / "t.py").write_text(TRAIN.replace("END", "raise SystemExit(3)"))
    for command in (["t.py"], ["run", "t.py"], ["run", "--record", "t.py"]):
        (folder / "mark0.5").unlink(missing_ok=True)
        run = run_python if command == ["t.py"] else run_kogine
        assert run(folder, *command, PYTHONPATH=on_path()).status == 3
        done = run(folder, *command, PYTHONPATH=on_path())
        assert done.stdout == "from 0 False\nweight: 0.015625\n"
    before = max((folder / "checkpoints").iterdir())
    (folder / "mark0.5").unlink()
    assert run_python(folder, "t.py", PYTHONPATH=on_path()).status == 3
    stopped = max((folder / "checkpoints").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert stopped != before
    done = run_python(folder, "t.py", PYTHONPATH=on_path(), KOGINE_RESUMED_FROM=str(stopped))
    assert done.stdout == "from 4 True\nweight: 0.015625\n"


def test_the_best_one_stays_the_best_through_resumed_runs(folder: Path) -> None:
    (folder / "t.py").write_text(
        "from kohaku_ast.helpers import checkpoints as c\n"
        "start = c.load(default=0)\n"
        "print('best', c.best().step if start else None)\n"
        "for step in range(start, start + 2):\n"
        "    c.save(step + 1, step, result=abs(step - 1) + 0.5)\n"
        "print('best', c.best().step, [one.step for one in c.every()])\n"
        "if step < 7: raise SystemExit('dead')\n"
    )
    words = ("run", "t.py", "--repeat", "1", "--retry-failed")
    found = [run_kogine(folder, *words, PYTHONPATH=on_path()) for _ in range(4)]
    assert [one.status for one in found] == [1, 1, 1, 0]
    assert [one.stdout.split("\n")[1] for one in found] == [
        "best 1 [0, 1]", "best 1 [1, 2, 3]", "best 1 [1, 4, 5]", "best 1 [1, 6, 7]",
    ]  # fmt: skip
    assert {one.stdout.split("\n")[0] for one in found[1:]} == {"best 1"}


def test_a_flow_inside_of_a_resumed_run_is_not_resumed(folder: Path) -> None:
    (folder / "inner.py").write_text(
        "x = 1\nfrom kohaku_ast.helpers import resumed_from\nprint('inner', repr(resumed_from()))\n"
    )
    (folder / "outer.py").write_text(
        "from kohaku_ast import Sequential, Script, Sweep\nif __name__ == '__main__':\n"
        "    Sequential(Script('inner.py', Sweep(x=[1, 2]))).run()\n"
    )
    done = run_kogine(folder, "run", "outer.py", KOGINE_RESUMED_FROM=str(folder))
    assert done.stdout.count("inner ''") == 2, done


def test_a_state_is_whole_after_a_kill_while_it_is_written(folder: Path) -> None:
    (folder / "t.py").write_text(
        "import os, pickle, signal\nfrom kohaku_ast.helpers import checkpoints\n"
        "class Kills:\n    def __reduce__(self):\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "checkpoints.save([1, 2], 1)\ncheckpoints.save([3, Kills()], 2)\n"
    )
    assert run_python(folder, "t.py", PYTHONPATH=on_path()).status == -signal.SIGKILL
    [inside] = (folder / "checkpoints").iterdir()
    whole = [one for one in inside.iterdir() if one.suffix == ".ckpt"]
    assert [pickle.loads(one.read_bytes()) for one in whole] == [[1, 2]]
