"""Sequential and Parallel, by running real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path

import pytest

from kohaku_ast import Config, FlowError, Outcome, Parallel, Script, Sequential, Sweep
from kohaku_ast.errors import UncrossableValue, UnknownTarget, UsageError
from tests.oracle import on_path

SCRIPT = """\
import os, signal, sys, time
n = 0
how = "fine"
wait = None
def main(scale=1):
    if how == "raise": raise ValueError(f"bad {n}")
    if how == "exit": sys.exit(4)
    if how == "kill": os.kill(os.getpid(), signal.SIGKILL)
    if how == "leave": os._exit(0)
    if how == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for _ in range(6000): time.sleep(0.1)
    return n * scale
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    (tmp_path / "train.py").write_text(SCRIPT)
    return str(tmp_path / "train.py")


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_values_outputs_and_errors_come_back_in_order(script: str, mode: str) -> None:
    configs = [
        Config({"n": 3}, kwargs={"scale": 2}, outputs=["n"]),
        Config({"how": "raise", "n": 7}),
        Config({"how": "exit"}),
        Config({"n": 5}),
    ]
    found = Sequential([Script(script, configs)], mode=mode, on_error="continue").run()
    assert [one.status for one in found] == ["succeeded", "failed", "failed", "succeeded"]
    assert (found[0].value, dict(found[0].outputs), found[3].value) == (6, {"n": 3}, 5)
    assert found[1].error is not None
    assert (found[1].error.type, found[1].error.message) == ("ValueError", "bad 7")
    assert "line 6, in main" in found[1].error.traceback
    assert "kohaku_ast" not in found[1].error.traceback
    assert found[2].exit_status == 4
    assert [one.index for one in found] == [0, 1, 2, 3]


@pytest.mark.parametrize("mode", ["spawn", "warm"])
def test_parallel_runs_are_in_order_whatever_ends_first(script: str, mode: str) -> None:
    found = Parallel([Script(script, Sweep(n=range(8)))], max_workers=2, mode=mode).run()
    assert [one.value for one in found] == list(range(8))


@pytest.mark.parametrize("mode", ["spawn", "warm"])
def test_a_killed_process_is_an_outcome(script: str, mode: str) -> None:
    sweep = Sweep(how=["fine", "kill", "leave", "fine"])
    found = Parallel([Script(script, sweep)], max_workers=2, mode=mode).run()
    assert [one.status for one in found] == ["succeeded", "failed", "failed", "succeeded"]
    assert "SIGKILL" in str(found[1].error)
    assert "os._exit" in str(found[2].error)


@pytest.mark.parametrize("mode", ["spawn", "warm"])
def test_a_run_that_ignores_every_signal_but_one_is_ended_by_its_timeout(
    script: str, mode: str
) -> None:
    flow = Parallel([Script(script, Sweep(how=["hang", "fine"]))], mode=mode, timeout=0.8)
    object.__setattr__(flow.settings, "grace", 0.2)
    found = flow.run()
    assert found[0].error is not None
    assert (found[0].error.type, found[0].status) == ("TimeoutError", "failed")
    assert found[1].status == "succeeded"


def test_a_failed_run_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "import os, pathlib\nn = 0\nseen = pathlib.Path(__file__).with_name('seen')\n"
        "text = seen.read_text() if seen.exists() else ''\nseen.write_text(text + 'x')\n"
        "if len(text) < 2: raise SystemExit(3)\n"
    )
    flow = Sequential([str(tmp_path / "s.py")], mode="spawn", retries=2, backoff=0.01)
    assert [one.status for one in flow.run()] == ["succeeded"]
    assert (tmp_path / "seen").read_text() == "xxx"


def test_stop_starts_no_other_run(script: str) -> None:
    sweep = Sweep(how=["fine", "raise", "fine"])
    with pytest.raises(FlowError) as raised:
        Sequential([Script(script, sweep)]).run()
    assert [one.status for one in raised.value.outcomes] == ["succeeded", "failed"]


def test_a_generator_gets_each_outcome_and_is_asked_late(script: str) -> None:
    events: list[str] = []

    def configs() -> Iterator[Config]:
        n = 1
        while n < 20:
            events.append(f"asked {n}")
            outcome = yield Config({"n": n}, kwargs={"scale": 3})
            events.append(f"got {outcome.value}")  # type: ignore[attr-defined]
            n = outcome.value  # type: ignore[attr-defined]

    found = Sequential([Script(script, configs())]).run()
    assert [one.value for one in found] == [3, 9, 27]
    assert events == ["asked 1", "got 3", "asked 3", "got 9", "asked 9", "got 27"]


MODES = pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])


@MODES
def test_a_generator_hears_of_a_config_that_does_not_fit(script: str, mode: str) -> None:
    heard: list[tuple[str, str]] = []

    def configs() -> Iterator[Config]:
        for config in (Config({"n": 1}), Config({"m": 2}), Config({"n": 3})):
            outcome = yield config
            heard.append((outcome.status, str(outcome.error or outcome.value)))  # type: ignore[attr-defined]

    Sequential(Script(script, configs()), mode=mode, on_error="continue").run()
    assert heard[0] == ("succeeded", "1")
    assert heard[1][1].startswith("UnknownTarget: train.py: no parameter 'm'")
    assert heard[2] == ("succeeded", "3")


@MODES
def test_a_config_that_does_not_fit_stops_a_flow(script: str, mode: str) -> None:
    configs = [Config({"n": 1}), Config({"m": 2}), Config({"n": 3})]
    with pytest.raises(UnknownTarget):
        Sequential(Script(script, configs), mode=mode).run()
    with pytest.raises(FlowError) as raised:  # those of a generator are not known beforehand
        Sequential(Script(script, iter(configs)), mode=mode).run()
    assert [one.status for one in raised.value.outcomes] == ["succeeded", "failed"]


@MODES
def test_outcomes_say_of_which_run_they_are(script: str, mode: str) -> None:
    heard: list[Outcome] = []

    def configs(previous: Mapping[str, Outcome]) -> Iterator[Config]:
        heard.append(previous["first"])
        heard.append((yield Config({"n": 1})))  # type: ignore[arg-type]
        heard.append((yield Config({"n": 2})))  # type: ignore[arg-type]

    flow = Sequential(
        [Script(script, name="first"), Script(script, configs, name="second")], mode=mode
    )
    assert flow.run() == heard
    assert [(one.index, one.script, one.label) for one in heard] == [
        (0, "first", "first"), (1, "second", "n=1"), (2, "second", "n=2"),
    ]  # fmt: skip
    assert all(Path(one.log).exists() for one in heard)


@pytest.mark.parametrize("mode", ["spawn", "warm"])
def test_what_a_generator_raises_comes_after_the_runs_under_way(script: str, mode: str) -> None:
    def configs() -> Iterator[Config]:
        yield Config({"n": 1})
        raise LookupError("mine")

    flow = Parallel(Script(script, configs()), max_workers=2, mode=mode)
    seen: list[object] = []
    with pytest.raises(LookupError, match="mine"):
        seen.extend(one.value for one in flow.as_completed())
    assert seen == [1]


def test_endless_configs_that_do_not_fit_come_out_one_by_one(script: str) -> None:
    asked: list[int] = []

    def configs() -> Iterator[Config]:
        yield Config({"n": 1})
        for number in count():
            asked.append(number)
            yield Config({"m": 2})

    flow = Parallel(Script(script, configs()), max_workers=2)
    failed = (one for one in flow.as_completed() if one.status == "failed")
    assert [one.index for one in islice(failed, 3)] == [1, 2, 3]
    assert asked == [0, 1, 2]


def test_a_later_script_sees_the_outcomes_of_earlier_ones(script: str) -> None:
    def follow(previous: Mapping[str, Outcome]) -> Config:
        return Config({"n": previous["first"].value + 1})  # type: ignore[operator]

    flow = Sequential([Script(script, Config({"n": 4}), name="first"), Script(script, follow)])
    assert [one.value for one in flow.run()] == [4, 5]


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_a_lent_executor_runs_them_and_is_not_shut_down(
    script: str, kind: type[ThreadPoolExecutor] | type[ProcessPoolExecutor]
) -> None:
    with kind(2) as executor:
        found = Parallel([Script(script, Sweep(n=[1, 2, 3]))], mode=executor).run()
        assert [one.value for one in found] == [1, 2, 3]
        assert executor.submit(max, 1, 2).result() == 2


@pytest.mark.parametrize("mode", ["spawn", "warm"])
def test_a_stream_that_is_closed_is_closed_in_the_runs(tmp_path: Path, mode: str) -> None:
    (tmp_path / "script.py").write_text("import sys\nn = 0\nprint(sys.stdin, sys.stderr)\n")
    launcher = Path(__file__).parents[1] / "kogine_command.py"
    command = f"{sys.executable} {launcher} run script.py n=1 --mode {mode} --no-record"
    seen = subprocess.run(
        ["/bin/sh", "-c", f"{command} <&- 2>&-"], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": on_path()}, check=True,
    )  # fmt: skip
    assert seen.stdout == "None None\n"


def test_a_value_that_cannot_cross_is_named_before_anything_runs(script: str) -> None:
    with pytest.raises(UncrossableValue, match=r"'n'.*lock"):
        Parallel([Script(script, Config({"n": threading.Lock()}))]).run()


def test_objects_cross(script: str) -> None:
    class Local:
        def __mul__(self, other: int) -> str:
            return f"times {other}"

    found = Parallel([Script(script, Config({"n": Local()}, kwargs={"scale": 7}))]).run()
    assert found[0].value == "times 7"


def test_scripts_are_named_by_paths_of_any_sort(script: str) -> None:
    for scripts in (script, Path(script), [Path(script)], [Script(script)]):
        assert [one.status for one in Sequential(scripts).run()] == ["succeeded"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda s: Parallel(s, mode="inline"), "spawn", id="parallel in one process"),
        pytest.param(
            lambda s: Parallel(s, mode="worm"), "Did you mean 'warm'", id="an unknown mode"
        ),
        pytest.param(
            lambda s: Sequential([Parallel(s)]),  # type: ignore[list-item]
            "of type Parallel",
            id="a flow in a flow",
        ),
        pytest.param(lambda s: Sequential(Parallel(s)), "of type Parallel", id="a flow of a flow"),  # type: ignore[arg-type]
        pytest.param(lambda s: Sequential([3]), "of type int", id="no script at all"),  # type: ignore[list-item]
        pytest.param(
            lambda s: Parallel(s, mode=ThreadPoolExecutor),  # type: ignore[arg-type]
            "Executor",
            id="a class of Executors",
        ),
        pytest.param(lambda s: Sequential(s, mode=None), "inline", id="no mode"),  # type: ignore[arg-type]
        pytest.param(lambda s: Parallel(s, max_workers=0), "max_workers", id="no workers"),
        pytest.param(
            lambda s: Sequential(s, on_error="ignore"), "continue", id="an unknown policy"
        ),
        pytest.param(lambda s: Sequential([]), "nothing", id="no scripts"),
    ],
)
def test_refused(script: str, make: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make(script)  # type: ignore[operator]


def _flow(folder: Path, *more: str) -> subprocess.Popen[str]:
    (folder / "train.py").write_text(
        # In one piece: both runs write into one pipe.
        "import os, sys, time\nn = 0\nos.write(1, f'begun {n} {os.getpid()}\\n'.encode())\n"
        "try:\n    for _ in range(6000): time.sleep(0.1)\nexcept KeyboardInterrupt:\n    print('saved', flush=True)\n"
    )
    launcher = str(Path(__file__).parents[1] / "kogine_command.py")
    command = [sys.executable, launcher, "run", "train.py", "--sweep", "n=1,2,3", *more]
    return subprocess.Popen(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": on_path()},
    )  # fmt: skip


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)]
)
def test_an_interrupted_flow_ends_its_runs_and_says_so(
    tmp_path: Path, number: int, status: int
) -> None:
    # Without records, what runs print comes through.
    flow = _flow(tmp_path, "--workers", "2", "--mode", "spawn", "--no-record")
    assert flow.stdout is not None
    lines = [flow.stdout.readline(), flow.stdout.readline()]
    flow.send_signal(number)
    _, errors = flow.communicate(timeout=600)
    assert flow.returncode == status
    assert "2 interrupted" in errors
    pids = [int(line.split()[2]) for line in lines]
    deadline = time.monotonic() + 30
    while not all(map(_is_gone, pids)):
        assert time.monotonic() < deadline
