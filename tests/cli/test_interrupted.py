"""An impatient Ctrl-C: once or many times, at any moment of any command, nothing of ours is shown."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.interrupting import Interrupting, left_of, ours, press, press_until_ended, under_way
from tests.cli.recorded import KOGINE, records
from tests.oracle import run_kogine, run_python
from tests.store.flows import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and /proc of Linux")

DIED = -signal.SIGINT
SMALL = "n = 0\nprint('n is', n)\n"
NODES = """\
from kohaku_ast import Pipeline, node
@node(output_name="y")
def double(x):
    return 2 * x
pipeline = Pipeline([double])
"""
FLOW = "from kohaku_ast import Script, Sequential, Sweep\n"
FLOW += "flow = Sequential(Script('small.py', Sweep(n=[1, 2])))\n"
FILES = {"small.py": SMALL, "nodes.py": NODES, "flow.py": FLOW, "config.py": "n = 3\n"}
SWEEP = ["run", "small.py", "--sweep", "n=1,2"]
SINGLE = {
    "a run": ["run", "small.py"],
    "a run with an override": ["run", "small.py", "n=2"],
    "a run with a config": ["run", "small.py", "--config", "config.py"],
    "a module": ["run", "-m", "small"],
    "a recorded run": ["run", "small.py", "--record"],
    "inspect": ["run", "--inspect", "small.py"],
    "transform": ["transform", "small.py", "n=2"],
    "freeze": ["freeze", "small.py", "n=2"],
    "config show": ["config", "show", "config.py"],
    "pipeline run": ["pipeline", "run", "nodes.py", "x=2"],
    "pipeline graph": ["pipeline", "graph", "nodes.py"],
    "completion": ["completion", "bash"],
}
FLOWS = {
    "a sweep": SWEEP,
    "a sweep in this process": [*SWEEP, "--mode", "inline"],
    "a sweep in processes": [*SWEEP, "--mode", "spawn"],
    "a warm sweep": [*SWEEP, "--mode", "warm"],
    "a sweep as JSON": [*SWEEP, "--json"],
    "sequential": ["workflow", "sequential", "small.py", "small.py"],
    "parallel": ["workflow", "parallel", "small.py", "--sweep", "n=1,2"],
    "a flow file": ["workflow", "run", "flow.py"],
}
EVERYWHERE = 5
"""So many places of a command are tried, and fewer where each takes long."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("is_cold", [False, True], ids=["warm", "cold"])
@pytest.mark.parametrize("name", [*SINGLE, *FLOWS])
def test_shows_nothing_of_ours_wherever_it_begins_to_come(
    folder: Path, name: str, is_cold: bool
) -> None:
    words = (SINGLE | FLOWS)[name]
    cold = {"PYTHONPYCACHEPREFIX": str(folder / "none"), "PYTHONDONTWRITEBYTECODE": "1"}
    variables = {"KOGINE_CACHE": str(folder / "cache"), **(cold if is_cold else {})}
    interrupting = Interrupting(folder)
    interrupting.events(words, **variables)  # so that the caches are filled
    events = interrupting.events(words, **variables)
    assert events > EVERYWHERE
    statuses = (DIED, 130) if name in FLOWS else (DIED,)
    for at in range(1, events, events // (3 if is_cold else EVERYWHERE)):
        done = interrupting.run(words, at, sys.maxsize, **variables)
        assert ours(done.stderr) == [], (at, done.stderr)
        # Python, too, drops one that comes while the interpreter ends.
        is_over = at > events // 2 and done.status == 0
        assert is_over or done.status in statuses, (at, done)


@pytest.mark.parametrize("name", ["a sweep in processes", "a warm sweep"])
def test_a_process_that_gets_ready_for_its_script_shows_nothing_of_ours(
    folder: Path, name: str
) -> None:
    interrupting = Interrupting(folder, "kohaku_ast.errors", "fresh.py")
    for at in (0, 20, 60, 100):
        done = interrupting.run([*FLOWS[name], "--no-record"], at, sys.maxsize)
        assert ours(done.stderr) == [], (at, done.stderr)
        assert "2 runs: " in done.stderr, done


def test_the_import_of_a_module_with_a_hook_shows_nothing_of_ours(folder: Path) -> None:
    (folder / "starts.py").write_text("import subprocess\nn = 0\n")
    interrupting = Interrupting(folder, "subprocess")
    for at in range(8):
        done = interrupting.run(["run", "starts.py", "n=2"], at, 1)
        assert ours(done.stderr) == [], (at, done.stderr)
        assert (done.status, "starts.py" in done.stderr) == (DIED, True), (at, done)


CHILDREN = """\
import multiprocessing
n = 0
def work():
    pass
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    process.join()
    print(process.exitcode)
"""


@pytest.mark.parametrize("many", [1, sys.maxsize], ids=["once", "many times"])
def test_a_child_of_a_script_that_gets_ready_shows_nothing_of_ours(
    tmp_path: Path, many: int
) -> None:
    (tmp_path / "children.py").write_text(CHILDREN)
    interrupting = Interrupting(tmp_path, "kohaku_ast", "spawn_main")
    words = ["run", "children.py", "n=2"]
    events = interrupting.events(words)
    assert events > EVERYWHERE
    for at in range(0, events, max(events // EVERYWHERE, 1)):
        done = interrupting.run(words, at, many)
        assert ours(done.stderr) == [], (at, done.stderr)
        assert "KeyboardInterrupt" in done.stderr or at > events // 2, done


WAITS = """\
import atexit, os, time
n = 0
def at_exit():
    open('/dev/null').close()
    print('the end', flush=True)
atexit.register(at_exit)
print('up', n, flush=True)
for _ in range(6000): time.sleep(0.1)
"""
RUNS = {
    "plain": ["run", "waits.py"],
    "override": ["run", "waits.py", "n=1"],
    "recorded": ["run", "waits.py", "--record"],
    "module": ["run", "-m", "waits"],
}


@pytest.mark.parametrize("times", [1, 2, 3, 20])
@pytest.mark.parametrize("name", RUNS)
def test_a_script_that_runs_is_interrupted_as_by_python(
    tmp_path: Path, name: str, times: int
) -> None:
    (tmp_path / "waits.py").write_text(WAITS)
    with under_way(tmp_path, [*KOGINE, *RUNS[name]]) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        press(process, times)
        errors = process.stderr.read()
        assert process.wait() == DIED, errors
    assert ours(errors) == []
    assert "KeyboardInterrupt" in errors
    if times == 1:
        assert process.stdout.closed or "waits.py" in errors
        assert errors.count("KeyboardInterrupt") == 1
    if name == "recorded":
        assert [one.status for one in records(tmp_path)] == ["interrupted"]
    wait_for(lambda: None if left_of(tmp_path) else True)


@pytest.mark.parametrize("name", RUNS)
def test_a_script_that_runs_is_interrupted_until_it_has_ended(tmp_path: Path, name: str) -> None:
    (tmp_path / "waits.py").write_text(WAITS)
    for _ in range(5):
        with under_way(tmp_path, [*KOGINE, *RUNS[name]]) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            press_until_ended(process)
            errors = process.stderr.read()
        assert ours(errors) == []
        assert process.returncode == DIED, errors


SAVES = """\
import os, pathlib, time
n = 0
pathlib.Path(f"begun{n}").touch()
for _ in range(6000): time.sleep(0.1)
"""
SAVING = ["run", "saves.py", "--sweep", "n=0,1,2"]
SAVING_FLOWS = {
    "auto": SAVING,
    "inline": [*SAVING, "--mode", "inline"],
    "spawn": [*SAVING, "--mode", "spawn", "--workers", "1"],
    "warm": [*SAVING, "--mode", "warm", "--workers", "1"],
    "sequential": ["workflow", "sequential", "saves.py", "saves.py"],
    "parallel": ["workflow", "parallel", "saves.py", "--sweep", "n=0,1,2", "--workers", "1"],
}


@pytest.mark.parametrize("times", [1, 2, 20, 0], ids=["once", "twice", "20 times", "until it ends"])
@pytest.mark.parametrize("name", SAVING_FLOWS)
def test_a_flow_prints_its_summary_and_leaves_nothing_behind(
    tmp_path: Path, name: str, times: int
) -> None:
    (tmp_path / "saves.py").write_text(SAVES)
    with under_way(tmp_path, [*KOGINE, *SAVING_FLOWS[name]]) as process:
        assert process.stderr is not None
        wait_for(lambda: (tmp_path / "begun0").exists() or None)
        press(process, times) if times else press_until_ended(process)
        errors = process.stderr.read()
        assert process.wait() == 130, errors
    assert ours(errors) == []
    assert "1 run: 1 interrupted" in errors
    left = 1 if name == "sequential" else 2
    assert f"; {left} not started\n" in errors
    assert errors.splitlines()[-1].startswith("go on with: kogine ")
    assert [one.status for one in records(tmp_path)] == ["interrupted"]
    wait_for(lambda: None if left_of(tmp_path) else True)


STOPS = """\
import pathlib, time
n = 0
mark = pathlib.Path("mark")
if n > 1 and not mark.exists():
    mark.touch()
    for _ in range(6000): time.sleep(0.1)
print("n is", n)
"""


@pytest.mark.parametrize(
    ("words", "left"),
    [
        pytest.param(["run", "stops.py", "--sweep", "n=1,2,3"], "n is 2\nn is 3\n", id="sweep"),
        pytest.param(
            ["run", "--sweep", "n=1,2,3", "--mode", "inline", "stops.py"],
            "n is 2\nn is 3\n", id="inline",
        ),
        pytest.param(
            ["workflow", "sequential", "small.py", "stops.py", "n=2"], "n is 2\n", id="workflow"
        ),
        pytest.param(
            ["run", "stops.py", "--sweep", "n=randint:2:9", "-n", "2", "--", "a"], "", id="draws"
        ),
    ],
)  # fmt: skip
def test_the_last_line_is_the_command_that_goes_on(
    folder: Path, words: list[str], left: str
) -> None:
    (folder / "stops.py").write_text(STOPS)
    with under_way(folder, [*KOGINE, *words]) as process:
        assert process.stderr is not None
        wait_for(lambda: (folder / "mark").exists() or None)
        press(process, 1)
        errors = process.stderr.read()
        assert process.wait() == 130, errors
    command = shlex.split(errors.splitlines()[-1].removeprefix("go on with: kogine "))
    done = run_kogine(folder, *command)
    assert done.status == 0, done.stderr
    if left:
        assert done.stdout == left
        assert "skipped 1 that succeeded before" in done.stderr
    else:  # the same draws, by the seed
        drawn = [one.label for one in records(folder) if one.status == "interrupted"]
        assert "--seed" in command
        assert f"n is {drawn[0].removeprefix('n=')}\n" in done.stdout


@pytest.mark.parametrize("name", FLOWS)
def test_after_the_summary_it_changes_no_printed_line(folder: Path, name: str) -> None:
    with under_way(folder, [*KOGINE, *FLOWS[name]]) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        stream, last = (
            (process.stdout, '"finish"')
            if name == "a sweep as JSON"
            else (process.stderr, "2 runs")
        )
        while last not in (line := stream.readline()):
            assert line, "it has ended before"
        press_until_ended(process)
        assert ours(process.stderr.read()) == []
    assert process.returncode in (0, 130)


STATE = """\
import os, signal, subprocess, sys
n = 0
code = "print([line for line in open('/proc/self/status') if line[:6] in ('SigBlk', 'SigIgn')])"
print(signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, []), flush=True)
subprocess.run([sys.executable, "-c", code])
"""
STATES = {
    "plain": [],
    "override": ["n=1"],
    "recorded": ["--record"],
    "auto": ["--sweep", "n=1"],
    "inline": ["--sweep", "n=1", "--mode", "inline"],
    "spawn": ["--sweep", "n=1", "--mode", "spawn", "--workers", "1"],
    "warm": ["--sweep", "n=1", "--mode", "warm", "--workers", "1"],
}


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("is_ignored", [False, True], ids=["as usual", "ignored from the start"])
def test_a_script_and_its_children_find_it_as_under_python(
    tmp_path: Path, name: str, is_ignored: bool
) -> None:
    (tmp_path / "state.py").write_text(STATE)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_ignored else None
    try:
        expected = run_python(tmp_path, "state.py")
        done = run_kogine(tmp_path, "run", "state.py", *STATES[name])
    finally:
        if is_ignored:
            signal.signal(signal.SIGINT, before)
    assert done.stdout == expected.stdout


HANDLES = """\
import signal
n = 0
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
print('up', flush=True)
while len(heard) < 3:
    signal.pause()
print('heard')
"""


@pytest.mark.parametrize("words", [[], ["n=1"], ["--record"]], ids=["plain", "override", "record"])
def test_a_script_that_handles_it_goes_on(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "handles.py").write_text(HANDLES)
    with under_way(tmp_path, [*KOGINE, "run", "handles.py", *words]) as process:
        assert process.stdout is not None
        process.stdout.readline()
        press_until_ended(process)
        assert process.stdout.read() == "heard\n"


OTHER = """\
import sys
from kogine.main import main
import signal
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
main(["run", "small.py", "--sweep", "n=1,2"])
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    sys.exit(7)
"""


def test_a_program_that_calls_us_hears_it(folder: Path) -> None:
    (folder / "other.py").write_text(OTHER)
    from tests.oracle import on_path

    done = run_python(folder, "other.py", PYTHONPATH=on_path())
    assert done.status == 7, done.stderr


CONFIG = """\
import pathlib, time
try:
    pathlib.Path("begun").touch()
    for _ in range(6000): time.sleep(0.1)
finally:
    pathlib.Path("left").touch()
"""


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["run", "small.py", "--config", "slow.py"], id="run"),
        pytest.param(["config", "show", "slow.py"], id="config show"),
        pytest.param([*SWEEP, "--config", "slow.py"], id="sweep"),
    ],
)
def test_a_config_leaves_its_blocks(folder: Path, words: list[str]) -> None:
    (folder / "slow.py").write_text(CONFIG)
    with under_way(folder, [*KOGINE, *words]) as process:
        assert process.stderr is not None
        wait_for(lambda: (folder / "begun").exists() or None)
        press(process, 1)
        wait_for(lambda: (folder / "left").exists() or None)
        press_until_ended(process)
        errors = process.stderr.read()
    assert process.returncode == DIED
    assert errors == ""


def test_what_ignores_it_from_the_start_is_not_ended(tmp_path: Path) -> None:
    (tmp_path / "reads.py").write_text("print('up', flush=True)\nprint(input())\n")
    reader, writer = os.pipe()
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *KOGINE, "run", "reads.py"]
    with under_way(tmp_path, command, stdin=reader) as process:
        os.close(reader)
        assert process.stdout is not None
        process.stdout.readline()
        press(process, 20)
        os.write(writer, b"on\n")
        os.close(writer)
        assert process.stdout.read() == "on\n"
        assert process.wait() == 0
