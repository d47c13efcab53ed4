"""Ctrl-C, pressed on a real terminal, and the other signals that ask a flow to end."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from kohaku_ast import Config, Script, Sequential, Sweep
from kohaku_ast.flow.signals import Interrupts
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.spawn import SpawnedRun
from tests.flow.test_faults import is_gone, read_soon, wait_until_gone
from tests.oracle import on_path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and terminals of Linux")

CTRL_C, CTRL_BACKSLASH = b"\x03", b"\x1c"

# Scripts wait in short sleeps: Python sees a signal that arrives between its own last check and the
# system call of a long sleep when that sleep has ended.
KEEP = """\
import os, pathlib, time
n = 0
def keep(name, text=""):
    part = pathlib.Path(f"part{n}")
    part.write_text(str(text))
    part.rename(f"{name}{n}")
"""
SAVES = (
    KEEP
    + """\
try:
    keep("begun", os.getpid())
    for _ in range(6000): time.sleep(0.1)
except KeyboardInterrupt:
    keep("saved")
print("saved", n)
"""
)
DEAF = (
    KEEP
    + """\
import signal
signal.signal(signal.SIGINT, lambda *_: keep("heard"))
signal.signal(signal.SIGTERM, signal.SIG_IGN)
keep("begun", os.getpid())
while True:
    for _ in range(6000): time.sleep(0.1)
"""
)
FLOW = """\
from kohaku_ast import Script, Sequential, Sweep
mode = "inline"
flow = Sequential(Script("saves.py", Sweep(n=[0, 1, 2])), mode=mode)
"""
PROGRAM = """\
import sys
from kohaku_ast import Parallel, Script, Sequential, Sweep
script = Script("saves.py", Sweep(n=[0, 1, 2]))
mode = sys.argv[1]
flow = Parallel(script, max_workers=1, mode=mode) if mode == "warm" else Sequential(script, mode=mode)
try:
    for outcome in flow.as_completed():
        print("outcome", outcome.status)
except KeyboardInterrupt:
    sys.exit(f"interrupted after {flow.summary}")
"""
SWEEP = ["run", "saves.py", "--sweep", "n=0,1,2"]
COMMANDS = {
    "a sweep": SWEEP,
    "a sweep in processes": [*SWEEP, "--mode", "spawn", "--workers", "1"],
    "a warm sweep": [*SWEEP, "--mode", "warm", "--workers", "1"],
    "sequential": ["workflow", "sequential", "saves.py", "saves.py"],
    "sequential in processes": [
        "workflow",
        "sequential",
        "saves.py",
        "saves.py",
        "--mode",
        "spawn",
    ],
    "parallel": ["workflow", "parallel", "saves.py", "--sweep", "n=0,1,2", "--workers", "1"],
    "a flow file": ["workflow", "run", "flow.py"],
    "a flow file in processes": ["workflow", "run", "flow.py", "mode=spawn"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    texts = {"saves.py": SAVES, "deaf.py": DEAF, "flow.py": FLOW, "program.py": PROGRAM}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return tmp_path


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, folder: Path, arguments: Sequence[str], **variables: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "PYTHONPATH": on_path(), **variables},
            preexec_fn=_take_terminal,
        )  # fmt: skip
        os.close(theirs)

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    def hang_up(self) -> None:
        os.close(self._ours)
        self._ours = -1

    def read(self) -> str:
        """All that is shown until nobody writes any more."""
        text = b""
        try:
            while data := os.read(self._ours, 1 << 16):
                text += data
        except OSError:
            pass
        return text.decode()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._ours >= 0:
            os.close(self._ours)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def on_terminal(folder: Path, arguments: Sequence[str], **variables: str) -> Iterator[Terminal]:
    terminal = Terminal(folder, arguments, **variables)
    try:
        yield terminal
    finally:
        terminal.close()


def kogine(*arguments: str) -> list[str]:
    return [str(Path(__file__).parents[1] / "kogine_command.py"), *arguments]


def statuses(folder: Path) -> list[tuple[str, int]]:
    """State and exit status of each run that has a record."""
    paths = sorted(folder.glob(".kogine/runs/*/run.json"))
    records = [json.loads(path.read_text()) for path in paths]
    return [(record["status"], record["exit_status"]) for record in records]


@pytest.mark.parametrize("name", COMMANDS)
def test_no_run_starts_after_one_that_has_saved_and_ended_well(folder: Path, name: str) -> None:
    with on_terminal(folder, kogine(*COMMANDS[name])) as terminal:
        read_soon(folder / "begun0")
        terminal.press(CTRL_C)
        shown = terminal.read()
        assert terminal.process.wait(60) == 130, shown
    assert (folder / "saved0").exists()
    assert not (folder / "begun1").exists()
    assert statuses(folder) == [("interrupted", 0)]
    assert "1 run: 1 interrupted" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_a_program_that_iterates_a_flow_is_interrupted_when_its_runs_have_ended(
    folder: Path, mode: str
) -> None:
    with on_terminal(folder, ["program.py", mode]) as terminal:
        read_soon(folder / "begun0")
        terminal.press(CTRL_C)
        shown = terminal.read()
        assert terminal.process.wait(60) == 1
    assert (folder / "saved0").exists()
    assert "outcome succeeded\r\ninterrupted\r\n1 run: 1 interrupted in " in shown
    assert "\r\ninterrupted after 1 run: 1 interrupted" in shown


@pytest.mark.parametrize("mode", ["spawn", "warm"])
def test_twice_kills(folder: Path, mode: str) -> None:
    words = ["run", "deaf.py", "--sweep", "n=0,1,2", "--workers", "2", "--mode", mode]
    with on_terminal(folder, kogine(*words)) as terminal:
        pids = [int(read_soon(folder / f"begun{n}")) for n in range(2)]
        terminal.press(CTRL_C)
        for n in range(2):
            read_soon(folder / f"heard{n}")
        terminal.press(CTRL_C)
        shown = terminal.read()
        assert terminal.process.wait(60) == 130, shown
    assert statuses(folder) == [("interrupted", -signal.SIGKILL)] * 2
    assert "2 runs: 2 interrupted" in shown
    assert all(map(is_gone, pids))


def test_a_run_that_still_gets_ready_shows_no_line_of_ours(folder: Path) -> None:
    (folder / "sleeps.py").write_text("import time\nfor _ in range(6000): time.sleep(0.1)\n")
    bound = Binder(Launch(str(folder / "sleeps.py")), ()).bind(Config())
    with open(folder / "log", "w+") as log:
        spawned = SpawnedRun(bound, new_session=True, stdout=log.fileno(), stderr=log.fileno())
        spawned.signal(signal.SIGINT)
        assert spawned.wait(60).exit_status == -signal.SIGINT
        assert "kohaku_ast" not in log.read()


STOPPED = {
    "run": "Sequential([Script('saves.py', Sweep(n=[5, 0, 1])), 'first.py'], mode=MODE).run()",
    "as completed": "list(Sequential([Script('saves.py', Sweep(n=[5, 0, 1])), 'first.py'], mode=MODE).as_completed())",
    "parallel": "Parallel([Script('saves.py', Sweep(n=[5, 0, 1])), 'first.py'], workers=1, mode=MODE).run()",
    "no records": "Sequential([Script('saves.py', Sweep(n=[5, 0, 1])), 'first.py'], mode=MODE, record=False).run()",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        (name, mode)
        for name in STOPPED
        for mode in ("inline", "spawn", "warm")
        if (name, mode) != ("parallel", "inline")  # there is none
    ],
)
def test_a_flow_in_python_prints_what_was_not_started(folder: Path, name: str, mode: str) -> None:
    (folder / "saves.py").write_text(
        KEEP
        + "if n == 5: sys.exit()\nkeep('begun')\nfor _ in range(6000): time.sleep(0.1)\n".replace(
            "sys.exit()", "raise SystemExit"
        )
    )
    (folder / "first.py").write_text("x = 1\n")
    (folder / "program.py").write_text(
        f"from kohaku_ast import *\nMODE = {mode!r}\nif __name__ == '__main__':\n    {STOPPED[name]}\n"
    )
    with on_terminal(folder, ["program.py"]) as terminal:
        read_soon(folder / "begun0")
        terminal.press(CTRL_C)
        shown = re.sub(r"\x1b\[[\d;]*m", "", terminal.read())  # Python 3.13 colours tracebacks
        assert terminal.process.wait(60) == -signal.SIGINT
    assert "\r\ninterrupted\r\n2 runs: 1 succeeded, 1 interrupted in " in shown
    assert "; 2 not started\r\n" in shown
    assert ("go on with: the same flow with resume=True" in shown) == (name != "no records")
    assert shown.count("Traceback") == 2, "the script's own, and that of the program"
    assert f'program.py", line 4, in <module>\r\n    {STOPPED[name]}' in shown
    if sys.version_info >= (3, 11):
        assert "kohaku_ast/" not in shown


def test_what_was_interrupted_goes_on(folder: Path) -> None:
    text = "x = 1\nimport pathlib, time\nif x == 2 and not pathlib.Path('mark').exists():\n"
    text += "    pathlib.Path('mark').touch()\n    for _ in range(6000): time.sleep(0.1)\nprint('x is', x)\n"
    (folder / "stops.py").write_text(text)
    flow = "Sequential(Script('stops.py', Sweep(x=[1, 2, 3])){}).run()"
    for more in ("", ", resume=True"):
        (folder / "program.py").write_text(
            f"from kohaku_ast import *\nif __name__ == '__main__':\n    {flow.format(more)}\n"
        )
        with on_terminal(folder, ["program.py"]) as terminal:
            if not more:
                read_soon(folder / "mark")
                terminal.press(CTRL_C)
            shown = terminal.read()
            terminal.process.wait(60)
        assert ("; 1 not started" in shown) == (not more)
    assert "x is 2\r\n[3/3] x=3\r\nx is 3\r\n" in shown
    assert "x is 1" not in shown


BETWEEN = """\
import pathlib, sys, time
from kohaku_ast import Parallel, Script, Sweep
try:
    for outcome in Parallel(Script("first.py", Sweep(n=[0, 1])), max_workers=2).as_completed():
        pathlib.Path("between").touch()
        for _ in range(6000): time.sleep(0.1)
except KeyboardInterrupt:
    sys.exit("not for the flow")
"""


def test_between_two_outcomes_it_is_for_who_iterates(folder: Path) -> None:
    (folder / "first.py").write_text(KEEP + "keep('begun', os.getpid())\ntime.sleep(600 * n)\n")
    (folder / "between.py").write_text(BETWEEN)
    with on_terminal(folder, ["between.py"]) as terminal:
        pid = int(read_soon(folder / "begun1"))
        read_soon(folder / "between")
        terminal.press(CTRL_C)
        assert "not for the flow" in terminal.read()
        assert terminal.process.wait(60) == 1
    wait_until_gone(pid)


IMPORTS = "import slow_library, pathlib\nn = 0\npathlib.Path(f'begun{n}').touch()\n"
LIBRARY = "import pathlib, time\npathlib.Path('importing').touch()\nfor _ in range(6000): time.sleep(0.1)\n"


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        pytest.param([], 130, "1 run: 1 interrupted", id="Ctrl-C"),
        pytest.param(["--timeout", "1"], 1, "TimeoutError: took longer than 1 s", id="timeout"),
    ],
)
def test_what_a_warm_server_imports_keeps_nobody_waiting(
    folder: Path, more: list[str], status: int, said: str
) -> None:
    (folder / "site").mkdir()
    (folder / "site/slow_library.py").write_text(LIBRARY)
    (folder / "imports.py").write_text(IMPORTS)
    words = kogine(
        "run", "imports.py", "--sweep", "n=0,1", "--mode", "warm", "--workers", "1", *more
    )
    path = os.pathsep.join([on_path(), str(folder / "site")])
    with on_terminal(folder, words, PYTHONPATH=path) as terminal:
        read_soon(folder / "importing")
        if not more:
            terminal.press(CTRL_C)
        shown = terminal.read()
        assert terminal.process.wait(60) == status, shown
    assert said in shown


ENDS: dict[str, tuple[Callable[[Terminal], None], int]] = {
    "SIGTERM": (lambda terminal: terminal.process.terminate(), -signal.SIGTERM),
    "the terminal is closed": (Terminal.hang_up, -signal.SIGHUP),
    "another key": (lambda terminal: terminal.press(CTRL_BACKSLASH), -signal.SIGQUIT),
}


@pytest.mark.parametrize("mode", ["spawn", "warm"])
@pytest.mark.parametrize("name", ENDS)
def test_others_end_the_runs_and_then_us(folder: Path, name: str, mode: str) -> None:
    end, status = ENDS[name]
    words = ["run", "saves.py", "--sweep", "n=0,1,2", "--workers", "2", "--mode", mode]
    with on_terminal(folder, kogine(*words)) as terminal:
        pids = [int(read_soon(folder / f"begun{n}")) for n in range(2)]
        end(terminal)
        assert terminal.process.wait(60) == status
    assert [state for state, _ in statuses(folder)] == ["interrupted"] * 2
    assert all(map(is_gone, pids))
    assert not (folder / "begun2").exists()


OWN_CHILD = """\
import os, signal, time
n = 0
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
pid = os.fork()
if pid == 0:
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        for _ in range(6000): time.sleep(0.1)
    except KeyboardInterrupt:
        os._exit(7)
os.kill(pid, signal.SIGINT)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""


def test_a_script_in_this_process_may_interrupt_its_children(folder: Path) -> None:
    (folder / "parent.py").write_text(OWN_CHILD)
    with on_terminal(folder, kogine("run", "parent.py", "--sweep", "n=0,1")) as terminal:
        shown = terminal.read()
        assert terminal.process.wait(60) == 0, shown
    assert statuses(folder) == [("succeeded", 0)] * 2


def test_one_that_comes_before_a_script_starts_is_for_the_script() -> None:
    woken: list[int] = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Interrupts(lambda: woken.append(1)) as interrupts:
            signal.raise_signal(signal.SIGINT)
            assert woken == [1]
            with pytest.raises(KeyboardInterrupt):
                interrupts.lend(lambda: 1)
            assert interrupts.lend(lambda: 2) == 2  # its exit functions, once it has had it
    finally:
        signal.signal(signal.SIGINT, before)


def test_handlers_are_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.py").write_text("n = 0\n")
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
    before = [signal.getsignal(number) for number in numbers]
    for mode in ("inline", "spawn", "warm"):
        Sequential(Script("small.py", Sweep(n=[0, 1])), mode=mode).run()
    assert [signal.getsignal(number) for number in numbers] == before
    assert signal.set_wakeup_fd(-1) == -1
