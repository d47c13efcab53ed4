"""What a flow in Python says of runs that failed, and what it checks before the first one."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Config, FlowError, Outcome, Parallel, Script, Sequential, Sweep
from kohaku_ast.errors import KogineError
from tests.oracle import Finished, on_path, run_python

SCRIPT = """\
import sys
x = 1
print("at", x, flush=True)
if x == 2: raise ValueError(f"bad {x}")
if x == 3: sys.exit(4)
"""

MODES = ["inline", "spawn", "warm"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "t.py").write_text(SCRIPT)
    (tmp_path / "u.py").write_text("open('ran', 'w').close()\ny = 1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def python(folder: Path, line: str) -> Finished:
    (folder / "flow.py").write_text(
        "from kohaku_ast import *\nif __name__ == '__main__':\n    " + line + "\n"
    )
    return run_python(folder, "flow.py", PYTHONPATH=on_path())


@pytest.mark.parametrize("mode", MODES)
def test_a_sequential_that_stopped_raises_with_its_outcomes(folder: Path, mode: str) -> None:
    flow = Sequential([Script("t.py", Sweep(x=[1, 2, 4])), "u.py"], mode=mode)
    with pytest.raises(FlowError, match=r"1 of 2 runs failed.*x=2: ValueError: bad 2") as raised:
        flow.run()
    assert [one.status for one in raised.value.outcomes] == ["succeeded", "failed"]
    assert not Path("ran").exists()
    again = pickle.loads(pickle.dumps(raised.value))
    assert [one.label for one in again.outcomes] == ["x=1", "x=2"]


@pytest.mark.parametrize("mode", MODES)
def test_one_that_goes_on_gives_all_outcomes(folder: Path, mode: str) -> None:
    flow = Sequential(Script("t.py", Sweep(x=[1, 2, 3, 4])), mode=mode, on_error="continue")
    found = flow.run()
    assert [one.status for one in found] == ["succeeded", "failed", "failed", "succeeded"]
    with pytest.raises(FlowError, match="2 of 4 runs failed"):
        found.raise_if_failed()
    with pytest.raises(FlowError, match="bad 2"):
        found[1].raise_if_failed()
    with pytest.raises(FlowError, match="exit status 4"):
        found[2].raise_if_failed()
    assert found[0].raise_if_failed() is found[0]


def test_a_parallel_gives_all_outcomes_whatever_its_policy(folder: Path) -> None:
    for policy in ("continue", "stop"):
        found = Parallel(Script("t.py", Sweep(x=[1, 2])), on_error=policy, workers=1).run()
        assert [one.status for one in found] == ["succeeded", "failed"]
        with pytest.raises(FlowError):
            found.raise_if_failed()


def test_outcomes_without_a_failure_are_a_list(folder: Path) -> None:
    found = Parallel(Script("t.py", Sweep(x=[1, 4])), workers=1).run()
    assert found.raise_if_failed() is found
    assert isinstance(found, list)
    assert all(isinstance(one, Outcome) for one in found)


FLOWS = [
    pytest.param("Sequential(Script('t.py', Sweep(x=[1, 2, 3])), {}).run()", 1, id="sequential"),
    pytest.param("Parallel(Script('t.py', Sweep(x=[1, 2, 3])), workers=2, {}).run()", 0, id="parallel"),
    pytest.param("list(Parallel(Script('t.py', Sweep(x=[1, 2, 3])), workers=2, {}).as_completed())", 0, id="as they end"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "status"), FLOWS)
@pytest.mark.parametrize("mode", ["spawn", "warm"])
def test_failures_are_on_standard_error(folder: Path, line: str, status: int, mode: str) -> None:
    done = python(folder, line.format(f"mode={mode!r}"))
    assert done.status == status, done.stderr
    assert "x=2: ValueError: bad 2" in done.stderr
    assert "  log: .kogine/runs/" in done.stderr
    assert " failed in " in done.stderr
    if status == 0:
        assert "3 runs: 1 succeeded, 2 failed in" in done.stderr.splitlines()[-1]
    else:
        assert done.stderr.splitlines()[-1].startswith(
            "kohaku_ast.runner.outcome.FlowError: 1 of 2"
        )


def test_a_flow_without_a_failure_prints_nothing_of_its_own(folder: Path) -> None:
    done = python(folder, "Sequential(Script('t.py', Sweep(x=[1, 4])), mode='spawn').run()")
    assert (done.stderr, done.stdout) == ("", "at 1\nat 4\n")


WRONG: list[Any] = [
    pytest.param(lambda: Config(yy=1), id="a Config"),
    pytest.param(lambda: {"yy": 1}, id="a dict"),
    pytest.param(lambda: Sweep(yy=[1, 2]), id="a Sweep"),
    pytest.param(lambda: Sweep(y=[1, 2]) | Config(yy=3), id="a Sweep over a Config"),
    pytest.param(lambda: [Config(y=1), Config(yy=1)], id="the second of a list"),
    pytest.param(lambda: [{"y": 1}, {"yy": 1}], id="dicts in a list"),
    pytest.param(lambda: Sweep.of([{"y": 1}, {"yy": 1}]), id="a Sweep of dicts"),
    pytest.param(lambda: Config(kwargs={"z": 1}), id="arguments for no call"),
]


@pytest.mark.parametrize("mode", [*MODES, "parallel"])
@pytest.mark.parametrize("make", WRONG)
def test_a_target_of_a_later_script_is_checked_before_the_first(
    folder: Path, make: Callable[[], Any], mode: str
) -> None:
    (folder / "first.py").write_text("open('first', 'w').close()\n")
    scripts = [Script("first.py"), Script("u.py", make())]
    flow = Parallel(scripts, workers=1) if mode == "parallel" else Sequential(scripts, mode=mode)
    with pytest.raises(KogineError):
        flow.run()
    assert not Path("first").exists()
    assert not Path(".kogine").exists()


@pytest.mark.parametrize("mode", [*MODES, "parallel"])
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Sweep.from_table("rows.csv"), id="a table"),
        pytest.param(lambda: Config(y=1) | Sweep.from_table("rows.csv"), id="over a Config"),
        pytest.param(lambda: [Config(y=1), Config.from_file("bad.yaml")], id="a file in a list"),
        pytest.param(lambda: Sweep.from_file("many.toml"), id="the axis of a file"),
    ],
)
def test_a_text_that_does_not_fit_is_found_before_the_first(
    folder: Path, make: Callable[[], Any], mode: str
) -> None:
    (folder / "first.py").write_text("open('first', 'w').close()\n")
    (folder / "rows.csv").write_text("y\n1\n2\nx\n")
    (folder / "bad.yaml").write_text("y: x\n")
    (folder / "many.toml").write_text("_sweep.y = [1, 2, 'x']\n")
    scripts = [Script("first.py"), Script("u.py", make())]
    flow = Parallel(scripts, workers=1) if mode == "parallel" else Sequential(scripts, mode=mode)
    with pytest.raises(KogineError, match=r"u.py:2: y=x .*expected int"):
        flow.run()
    assert not Path("first").exists()
    assert not Path(".kogine").exists()


def test_what_depends_on_runs_is_checked_when_it_is_known(folder: Path) -> None:
    (folder / "first.py").write_text("open('first', 'w').close()\n")
    scripts = [Script("first.py"), Script("u.py", lambda previous: Config(yy=1))]
    with pytest.raises(FlowError, match="'yy'"):
        Sequential(scripts, mode="inline").run()
    assert Path("first").exists()


def test_a_generator_is_not_asked_before_its_turn(folder: Path) -> None:
    asked = []

    def configs() -> Any:
        asked.append(Path("first").exists())
        yield Config(y=2)

    (folder / "first.py").write_text("open('first', 'w').close()\n")
    Sequential([Script("first.py"), Script("u.py", configs())], mode="inline").run()
    assert asked == [True]


class Frozen(LookupError):
    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


ENDS: list[Any] = [
    pytest.param(LookupError("mine"), id="an exception of the generator"),
    pytest.param(Frozen("mine"), id="one that takes no attributes"),
    pytest.param(SystemExit(4), id="sys.exit in the generator"),
    pytest.param(KeyboardInterrupt(), id="Ctrl-C in the generator"),
    pytest.param(None, id="a value that is no Config"),
]


@pytest.mark.parametrize("mode", [*MODES, "parallel"])
@pytest.mark.parametrize("error", ENDS)
def test_the_outcomes_so_far_are_kept_when_the_configs_end_in_an_error(
    folder: Path, error: BaseException | None, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def configs() -> Any:
        yield from [Config(x=1), Config(x=4)]
        if error is None:
            yield 5
        raise error  # type: ignore[misc]

    is_parallel = mode == "parallel"
    script = Script("t.py", configs())
    flow = Parallel(script, workers=1) if is_parallel else Sequential(script, mode=mode)
    with pytest.raises(type(error) if error else KogineError) as raised:
        flow.run()
    assert error is None or isinstance(error, KeyboardInterrupt) or raised.value is error
    found: Any = raised.value
    assert [one.label for one in found.outcomes] == ["x=1", "x=4"]
    assert flow.outcomes is found.outcomes
    assert "2 runs: 2 succeeded in " in capsys.readouterr().err


def test_a_flow_error_of_a_generator_keeps_its_own_outcomes(folder: Path) -> None:
    def configs() -> Any:
        yield Config(x=1)
        Sequential(Script("t.py", Sweep(x=[2])), mode="inline").run()

    flow = Sequential(Script("t.py", configs()), mode="inline")
    with pytest.raises(FlowError) as raised:
        flow.run()
    assert [one.label for one in raised.value.outcomes] == ["x=2"]
    assert [one.label for one in flow.outcomes] == ["x=1"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="there our frames can be seen")
def test_what_a_generator_raises_has_the_traceback_of_the_user_alone(folder: Path) -> None:
    (folder / "flow.py").write_text(
        "from kohaku_ast import *\ndef configs():\n    yield Config(x=1)\n    1 / 0\n"
        "Sequential(Script('t.py', configs()), mode='spawn').run()\n"
    )
    done = run_python(folder, "flow.py", PYTHONPATH=on_path())
    assert (done.status, done.stdout) == (1, "at 1\n")
    summary, *lines = done.stderr.splitlines()
    assert summary.startswith("1 run: 1 succeeded in ")
    assert [one for one in lines if "File" in one] == [
        f'  File "{folder}/flow.py", line 5, in <module>',
        f'  File "{folder}/flow.py", line 4, in configs',
    ]
