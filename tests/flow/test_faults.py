"""Runs that end badly, each in the way it says: they are Outcomes, and nothing is left of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from kohaku_ast import Config, Outcome, Parallel, Script, Sweep
from kohaku_ast.runner.transport import describe_error
from tests.oracle import on_path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and /proc of Linux")

MODES = pytest.mark.parametrize("mode", ["spawn", "warm"])
SCRIPT = """\
import os, signal, subprocess, sys, threading, time
how = "fine"
folder = os.path.dirname(os.path.abspath(__file__))
class Odd(Exception):
    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()
    def __reduce__(self):
        raise TypeError("not to be pickled")
def keep(name, text):
    with open(os.path.join(folder, name + ".part"), "w") as file:
        file.write(str(text))
    os.rename(file.name, os.path.join(folder, name))
def sleeper(**options):
    keep("pid", subprocess.Popen(["sleep", "600"], **options).pid)
def deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
def memory():
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
    return len(bytearray(1 << 40))
def segfault():
    import ctypes
    ctypes.string_at(0)
def close():
    sys.stdout.close()
    os.close(1)
    os.close(2)
    return 3
def odd():
    raise Odd("odd text")
def server():
    os.kill(os.getppid(), signal.SIGKILL)
    for _ in range(6000): time.sleep(0.1)
def crash_with_child():
    sleeper()
    os.kill(os.getpid(), signal.SIGKILL)
def hang_with_child():
    deaf()
    sleeper()
    for _ in range(6000): time.sleep(0.1)
ways = {
    "fine": lambda: "fine",
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "terminate": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "leave": lambda: os._exit(0),
    "leave with 7": lambda: os._exit(7),
    "abort": os.abort,
    "lock": threading.Lock,
    "freeze": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "child": sleeper,
    "child in a session": lambda: sleeper(start_new_session=True) or os.kill(os.getpid(), 9),
}
def main():
    act = ways.get(how) or globals()[how]
    return act()
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fault.py").write_text(SCRIPT)
    return str(tmp_path / "fault.py")


def outcomes(
    script: str, mode: str, *ways: str, grace: float = 10, **options: float
) -> list[Outcome]:
    """Of runs that end in *ways*, two at a time."""
    flow = Parallel([Script(script, Sweep(how=list(ways)))], max_workers=2, mode=mode, **options)  # type: ignore[arg-type]
    object.__setattr__(flow.settings, "grace", grace)
    return flow.run()


ENDS = {
    "fine": (0, ""),
    "kill": (-signal.SIGKILL, "Killed: the process was killed by SIGKILL (out of memory?)"),
    "terminate": (-signal.SIGTERM, "Killed: the process was killed by SIGTERM"),
    "segfault": (-signal.SIGSEGV, "Killed: the process was killed by SIGSEGV"),
    "abort": (-signal.SIGABRT, "Killed: the process was killed by SIGABRT"),
    "leave": (0, "Lost: the process ended early with status 0 (os._exit?)"),
    "leave with 7": (7, ""),
    "memory": (1, "MemoryError"),
    "odd": (1, "Odd: odd text"),
    "close": (0, ""),
}


@MODES
def test_each_end_is_an_outcome_that_names_it(script: str, mode: str) -> None:
    found = dict(zip(ENDS, outcomes(script, mode, *ENDS)))
    seen = {how: (one.exit_status, str(one.error or "")) for how, one in found.items()}
    assert seen == ENDS
    assert {how for how, one in found.items() if one.status == "succeeded"} == {"fine", "close"}
    assert found["close"].value == 3
    assert found["odd"].error is not None
    assert 'raise Odd("odd text")' in found["odd"].error.traceback


@MODES
def test_a_result_that_cannot_be_sent_is_named(script: str, mode: str) -> None:
    result, fine = outcomes(script, mode, "lock", "fine")
    assert "the result 'value' cannot be sent to another process: a _thread.lock" in str(
        result.error
    )
    assert fine.status == "succeeded"


@MODES
def test_a_value_that_cannot_be_sent_fails_its_run_alone(script: str, mode: str) -> None:
    configs = [
        Config(),
        Config({"folder": iter([])}),
        Config({"folder": (n for n in [])}),  # type: ignore[var-annotated]
        Config(),
    ]
    found = Parallel([Script(script, configs)], max_workers=2, mode=mode).run()
    assert [one.status for one in found] == ["succeeded", "succeeded", "failed", "succeeded"]
    assert "the value of 'folder' cannot be sent" in str(found[2].error)


@MODES
def test_a_frozen_run_is_ended_by_its_timeout(script: str, mode: str) -> None:
    frozen, fine = outcomes(script, mode, "freeze", "fine", timeout=1.0)
    assert str(frozen.error) == "TimeoutError: took longer than 1 s"
    assert frozen.exit_status == -signal.SIGTERM, "it is woken up, to end as it likes"
    assert fine.status == "succeeded"


@MODES
@pytest.mark.parametrize(
    ("how", "options"),
    [("crash_with_child", {}), ("hang_with_child", {"timeout": 1.0, "grace": 0.1})],
)
def test_children_of_a_run_that_was_killed_end_too(
    script: str, mode: str, how: str, options: dict[str, float]
) -> None:
    (ended,) = outcomes(script, mode, how, **options)
    assert ended.status == "failed"
    wait_until_gone(int(Path(script).with_name("pid").read_text()))


@MODES
@pytest.mark.parametrize("how", ["child", "child in a session"])
def test_what_a_run_has_started_to_outlive_it_does(script: str, mode: str, how: str) -> None:
    outcomes(script, mode, how)
    pid = int(Path(script).with_name("pid").read_text())
    assert not is_gone(pid)
    os.kill(pid, signal.SIGKILL)


def test_the_death_of_the_warm_server_fails_its_runs_alone(script: str) -> None:
    found = outcomes(script, "warm", "fine", "server", *["fine"] * 3)
    assert str(found[1].error).startswith("Lost: the warm server was killed by SIGKILL")
    others = [found[0], *found[2:]]
    # One that ran at the time is lost with it.
    assert [one.status for one in others].count("succeeded") >= 3
    assert all(one.status == "succeeded" or "warm server" in str(one.error) for one in others)


GATE = """\
import os, time
n = 0
part = f"part{n}"
with open(part, "w") as file:
    file.write(str(os.getpid()))
os.rename(part, f"begun{n}")
while n == 0 and not os.path.exists("go"):
    time.sleep(0.01)
print("line", n)
"""


def test_a_warm_server_that_is_stopped_goes_on_at_a_timeout(tmp_path: Path) -> None:
    (tmp_path / "gate.py").write_text(GATE)
    options = ["--sweep", "n=0,1", "--workers", "1", "--mode", "warm", "--timeout", "1"]
    flow = kogine(tmp_path, "run", "gate.py", *options, stderr=subprocess.PIPE)
    run = psutil.Process(int(read_soon(tmp_path / "begun0")))
    run.parent().suspend()
    (tmp_path / "go").touch()
    _, errors = flow.communicate(timeout=600)
    assert b"failed [1/2] n=0: TimeoutError: took longer than 1 s" in errors
    assert b"2 runs: 1 succeeded, 1 failed" in errors


def test_a_run_that_cannot_be_ended_is_given_up(tmp_path: Path) -> None:
    gate = tmp_path / "gate.py"
    gate.write_text(GATE)
    with ThreadPoolExecutor(1) as executor:  # which has no way to end what it has begun
        flow = Parallel([Script(str(gate))], mode=executor, timeout=0.1)
        object.__setattr__(flow.settings, "grace", 0.01)
        found = flow.run()
        (tmp_path / "go").touch()
    assert [str(one.error) for one in found] == ["TimeoutError: took longer than 0.1 s"]


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_the_death_of_what_copies_output_ends_no_flow(tmp_path: Path, mode: str) -> None:
    (tmp_path / "gate.py").write_text(GATE)
    options = ["--sweep", "n=0,1,2", "--mode", mode]
    options += [] if mode == "inline" else ["--workers", "1"]
    flow = kogine(tmp_path, "run", "gate.py", *options, stderr=subprocess.PIPE)
    read_soon(tmp_path / "begun0")
    children = psutil.Process(flow.pid).children()
    (copying,) = (one for one in children if "output_process" in " ".join(one.cmdline()))
    copying.kill()
    (tmp_path / "go").touch()
    _, errors = flow.communicate(timeout=600)
    assert b"3 runs: " in errors
    assert b"kohaku_ast" not in errors


def test_an_error_is_described_whatever_it_is() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    kind, message, _ = describe_error(Mute(), None)
    assert (kind.rpartition(".")[2], message) == ("Mute", "<exception str() failed>")


def kogine(
    folder: Path, *arguments: str, shell: str = "", before: Sequence[str] = (), **options: object
) -> subprocess.Popen[bytes]:
    """The command, started; *shell*: by this text, with ``"$@"`` for it, after *before*."""
    command = [sys.executable, str(Path(__file__).parents[1] / "kogine_command.py"), *arguments]
    if shell:
        command = [*before, "/bin/sh", "-c", shell, "sh", *command]
    return subprocess.Popen(  # type: ignore[no-any-return]
        command, cwd=folder, env={**os.environ, "PYTHONPATH": on_path()}, **options  # type: ignore[call-overload]
    )  # fmt: skip


WAITS = """\
import os, pathlib, signal, time
n = 0
is_deaf = False
def note(number, frame):
    pathlib.Path(f"heard{n}").touch()
    if not is_deaf:
        raise SystemExit("saved")
signal.signal(signal.SIGINT, note)
signal.signal(signal.SIGTERM, note)
part = pathlib.Path(f"part{n}")
part.write_text(str(os.getpid()))
part.rename(f"begun{n}")
while True:
    for _ in range(6000): time.sleep(0.1)
"""


@MODES
@pytest.mark.parametrize("is_deaf", [False, True])
def test_ctrl_c_once_drains_and_twice_kills(tmp_path: Path, mode: str, is_deaf: bool) -> None:
    (tmp_path / "waits.py").write_text(WAITS)
    options = ["--sweep", "n=0,1,2", f"is_deaf={is_deaf}", "--workers", "2", "--mode", mode]
    flow = kogine(tmp_path, "run", "waits.py", *options, stderr=subprocess.PIPE)
    pids = [int(read_soon(tmp_path / f"begun{n}")) for n in range(2)]
    flow.send_signal(signal.SIGINT)
    for n in range(2):
        read_soon(tmp_path / f"heard{n}")
    if is_deaf:
        flow.send_signal(signal.SIGINT)
    _, errors = flow.communicate(timeout=600)
    assert flow.returncode == 130, errors
    assert not (tmp_path / "begun2").exists(), "no run is started any more"
    for pid in pids:
        wait_until_gone(pid)


WRITES = "import pathlib, sys\nn = 0\nprint('x' * 100_000)\npathlib.Path(f'done{n}').touch()\n"


@MODES
@pytest.mark.parametrize(
    "shell",
    [
        pytest.param('"$@" >&-', id="closed stdout"),
        pytest.param('"$@" >&- 2>&- <&-', id="nothing open"),
        pytest.param('"$@" 2>&1 | true', id="nobody reads"),
        pytest.param('"$@" >/dev/full', id="a full disk"),
    ],
)
def test_runs_go_on_where_nothing_can_be_printed(tmp_path: Path, mode: str, shell: str) -> None:
    (tmp_path / "writes.py").write_text(WRITES)
    options = ["--sweep", "n=0,1", "--workers", "2", "--mode", mode]
    flow = kogine(tmp_path, "run", "writes.py", *options, shell=shell, stderr=subprocess.DEVNULL)
    flow.wait(60)
    assert {one.name for one in tmp_path.glob("done*")} == {"done0", "done1"}


@MODES
def test_runs_go_on_without_room_for_temporary_files(tmp_path: Path, mode: str) -> None:
    if not can_mount(tmp_path):
        pytest.skip("no mount namespaces here")
    (tmp_path / "writes.py").write_text(WRITES)
    shell = "mount -t tmpfs -o size=4k none full && (cat /dev/zero >full/x || true) && "
    shell += 'TMPDIR=$PWD/full exec "$@"'
    options = ["--sweep", "n=0,1", "--workers", "2", "--mode", mode]
    flow = kogine(
        tmp_path, "run", "writes.py", *options, before=["unshare", "-rm"], shell=shell,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    _, errors = flow.communicate(timeout=600)
    assert flow.returncode == 0, errors
    assert {one.name for one in tmp_path.glob("done*")} == {"done0", "done1"}


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_runs_go_on_when_the_working_folder_has_been_removed(tmp_path: Path, mode: str) -> None:
    (tmp_path / "removes.py").write_text(
        "import os, shutil\nn = 0\nif n == 0:\n    shutil.rmtree(os.getcwd())\n"
    )
    (tmp_path / "folder").mkdir()
    options = ["--sweep", "n=0,1,2", "--mode", mode]
    options += [] if mode == "inline" else ["--workers", "1"]
    flow = kogine(
        tmp_path / "folder", "run", "../removes.py", *options, stderr=subprocess.PIPE
    )  # fmt: skip
    _, errors = flow.communicate(timeout=600)
    assert b"3 runs: 3 succeeded" in errors


def can_mount(folder: Path) -> bool:
    (folder / "full").mkdir()
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=4k", "none", "full"]
    if shutil.which("unshare") is None:
        return False
    return not subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode


def read_soon(path: Path) -> str:
    """The text of *path*, when somebody has made it."""
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} has not come"
        time.sleep(0.01)
    return path.read_text()


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while not is_gone(pid):
        assert time.monotonic() < deadline, f"{pid} is still there"
        time.sleep(0.01)
