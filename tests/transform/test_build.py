"""Programs are built in a process of their own: who builds, how often, and what becomes of it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from kohaku_ast.transform.program import load
from kohaku_ast.transform.program.program import Request
from tests.cli.recorded import KOGINE
from tests.oracle import run, run_kogine
from tests.transform.builders import ROOT, SCRIPT, Watched, program

pytestmark = pytest.mark.usefixtures("own_builders")

WAYS = ["forked", "spawned"]
RUN = [*KOGINE, "run", "s.py", "x=4"]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_one_that_is_kept_is_not_built_again(watched: Watched) -> None:
    for value in "456":
        assert watched.kogine("run", "s.py", f"x={value}").stdout == f"x is {value}\n"
    assert len(watched.builders()) == 1


@pytest.mark.parametrize("way", WAYS)
def test_the_builder_is_another_process(watched: Watched, way: str) -> None:
    done = watched.python(way, before="print(os.getpid())")
    own, said = done.stdout.split("\n", 1)
    ((builder, parent),) = watched.builders()
    assert (done.status, said, done.stderr) == (0, "x is 4\n", "")
    assert builder != parent == int(own)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_printed_twice_and_no_exit_function_called(watched: Watched, way: str) -> None:
    before = "print('before', end=' '); import atexit; atexit.register(print, 'at exit')"
    done = watched.python(way, before)
    assert (done.stdout, done.stderr) == ("before x is 4\nat exit\n", "")


@pytest.mark.parametrize("way", WAYS)
def test_what_an_interpreter_prints_when_it_starts_is_no_answer(watched: Watched, way: str) -> None:
    watched.speak()
    assert watched.python(way).stdout == "said by sitecustomize\nx is 4\n"
    ((builder, parent),) = watched.builders()
    assert builder != parent


REAP = """
def reap(*_):
    try:
        return os.wait()
    except ChildProcessError:
        return None
"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "handler",
    [
        pytest.param("signal.SIG_IGN", id="ignored"),
        pytest.param("reap", id="waited for"),
        pytest.param("lambda *_: None", id="heard"),
    ],
)
def test_whatever_is_done_about_children(watched: Watched, way: str, handler: str) -> None:
    before = f"import signal\n{REAP}\nsignal.signal(signal.SIGCHLD, {handler})"
    done = watched.python(way, before, "if not reap(): print('no child is left')")
    assert (done.status, done.stderr, done.stdout) == (0, "", "x is 4\nno child is left\n")
    ((builder, parent),) = watched.builders()
    assert builder != parent


@pytest.mark.parametrize("way", WAYS)
def test_handlers_of_the_program_are_not_called_in_the_builder(watched: Watched, way: str) -> None:
    heard = (
        "import signal; signal.signal(signal.SIGUSR1, lambda *_: open(f'heard.{os.getpid()}', 'w'))"
    )
    watched.python(way, heard)
    watched.cache.rename(watched.folder / "another")
    with watched.stopped([sys.executable, "program.py", way]) as (process, builder):
        os.kill(process.pid, signal.SIGUSR1)
        os.kill(builder, signal.SIGUSR1)
        assert process.communicate(timeout=600) == (b"x is 4\n", b"")
        assert [one.name for one in watched.folder.glob("heard.*")] == [f"heard.{process.pid}"]


@pytest.mark.parametrize("way", WAYS)
def test_no_warning_of_threads_or_of_our_own(watched: Watched, way: str) -> None:
    done = watched.python(way, "", "", "-W", "error")
    assert (done.status, done.stdout, done.stderr) == (0, "x is 4\n", "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(watched: Watched, closed: str) -> None:
    (watched.folder / "s.py").write_text("x = 3\nopen('said', 'w').write(f'{x}')\n")
    for _ in range(2):
        command = ["sh", "-c", f'"$@" {closed}', "sh", *RUN]
        done = run(command, watched.folder, **watched.environment)
        assert (done.status, done.stdout, done.stderr) == (0, "", "")
        assert (watched.folder / "said").read_text() == "4"
    ((builder, parent),) = watched.builders()
    assert builder != parent


@pytest.mark.parametrize("way", WAYS)
def test_streams_that_the_program_has_closed(watched: Watched, way: str) -> None:
    text = "x = 3\nopen('said', 'w').write(f'{x}')\n"
    (watched.folder / "s.py").write_text(text)
    done = watched.python(way, "[os.close(n) for n in range(3)]")
    assert (watched.folder / "said").read_text() == "4"
    ((builder, parent),) = watched.builders()
    assert builder != parent
    assert done.stderr == ""


def test_where_no_process_can_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise BlockingIOError

    monkeypatch.setenv("KOGINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "fork", refuse)
    monkeypatch.setattr(os, "posix_spawn", refuse)
    before = set(os.listdir("/proc/self/fd"))
    made = load.load_program(SCRIPT.encode(), "s.py", Request((("x", True, False),)))
    assert made.filename == "s.py"
    assert set(os.listdir("/proc/self/fd")) == before
    assert [one.suffix for one in (tmp_path / "cache").iterdir()] == [".program"]


def test_where_the_program_is_no_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOGINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(load, "_is_alone", lambda: False)
    for number, executable in enumerate(("", "/bin/true", "/no/such")):
        monkeypatch.setattr(sys, "executable", executable)
        made = load.load_program(SCRIPT.encode(), f"{number}.py", Request((("x", True, False),)))
        assert made.filename == f"{number}.py"


def test_by_subprocess_as_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOGINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delitem(sys.modules, "kohaku_ast.transform.program.build", raising=False)
    made = load.load_program(SCRIPT.encode(), "s.py", Request((("x", True, False),)))
    assert made.filename == "s.py"
    assert "kohaku_ast.transform.program.build" not in sys.modules


@pytest.mark.parametrize("command", [RUN, [sys.executable, "program.py", "spawned"]], ids=WAYS)
def test_a_builder_that_is_killed_is_done_without(watched: Watched, command: list[str]) -> None:
    (watched.folder / "program.py").write_text(program())
    with watched.stopped(command) as (process, builder):
        os.kill(builder, signal.SIGKILL)
        assert process.communicate(timeout=600) == (b"x is 4\n", b"")
        assert process.returncode == 0


@pytest.mark.parametrize("command", [RUN, [sys.executable, "program.py", "spawned"]], ids=WAYS)
def test_ctrl_c_ends_both_and_the_builder_says_nothing(
    watched: Watched, command: list[str]
) -> None:
    (watched.folder / "program.py").write_text(program())
    ours, theirs = os.pipe()
    with watched.stopped(command, pass_fds=[theirs]) as (process, _):
        os.close(theirs)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=600)
        assert (process.returncode, out) == (-signal.SIGINT, b"")
        assert err.count(b"Traceback") == (0 if command is RUN else 1)  # the program's own
        # Nobody holds it any more: the builder has ended, too.
        assert select.select([ours], [], [], 60)[0] == [ours]
        assert os.read(ours, 1) == b""
    os.close(ours)


@pytest.mark.parametrize("command", [RUN, [sys.executable, "program.py", "spawned"]], ids=WAYS)
def test_a_builder_dies_with_its_parent(watched: Watched, command: list[str]) -> None:
    (watched.folder / "program.py").write_text(program())
    ours, theirs = os.pipe()
    with watched.stopped(command, pass_fds=[theirs]) as (process, _):
        os.close(theirs)
        process.kill()
        # Nobody holds it any more.
        assert select.select([ours], [], [], 60)[0] == [ours]
        assert os.read(ours, 1) == b""
    os.close(ours)


def test_of_two_hundred_at_once_one_builds(watched: Watched) -> None:
    processes = [
        subprocess.Popen(RUN, cwd=watched.folder, stdout=subprocess.PIPE, env=watched.environment)
        for _ in range(200)
    ]
    assert {process.communicate(timeout=600)[0] for process in processes} == {b"x is 4\n"}
    assert 1 <= len(watched.builders()) <= 4
    assert [one.suffix for one in watched.cache.iterdir()] == [".program"]


def test_who_waits_builds_if_the_builder_is_killed(watched: Watched) -> None:
    with watched.stopped(RUN) as (first, builder):
        second = subprocess.Popen(
            RUN, cwd=watched.folder, stdout=subprocess.PIPE, env=watched.environment
        )
        first.kill()
        first.wait()
        assert second.communicate(timeout=600)[0] == b"x is 4\n"
        assert builder not in {pid for pid, _ in watched.builders()[1:]}


def test_who_waits_for_what_cannot_be_built_is_told(watched: Watched) -> None:
    command = [*KOGINE, "run", "s.py", "nothing=4"]
    with watched.stopped(command) as (first, _):
        second = subprocess.Popen(
            command, cwd=watched.folder, stderr=subprocess.PIPE, env=watched.environment
        )
        watched.let_go_on()
        assert second.communicate(timeout=600)[1] == first.communicate(timeout=600)[1] != b""
    assert list(watched.cache.iterdir()) == []


def test_a_lock_left_behind_is_no_hindrance(watched: Watched) -> None:
    watched.kogine("run", "s.py", "x=4")
    (kept,) = watched.cache.iterdir()
    kept.rename(kept.with_suffix(".lock"))
    assert watched.kogine("run", "s.py", "x=4").stdout == "x is 4\n"
    assert len(watched.builders()) == 2


TRAPS = ["ast.py", "tokenize.py", "kohaku_ast/__init__.py", "libcst/__init__.py"]


@pytest.mark.parametrize("way", WAYS)
def test_modules_beside_the_script_are_not_ours(watched: Watched, way: str) -> None:
    beside = watched.folder / "beside"
    for name in TRAPS:
        (beside / name).parent.mkdir(parents=True, exist_ok=True)
        (beside / name).write_text("raise ImportError('not mine')\n")
    (watched.folder / "s.py").rename(beside / "s.py")
    (watched.folder / "program.py").write_text(program())
    command = {
        "forked": [*KOGINE, "run", "s.py", "x=4"],
        "spawned": [sys.executable, str(watched.folder / "program.py"), "spawned"],
    }
    done = run(command[way], beside, **watched.environment)
    assert (done.status, done.stdout, done.stderr) == (0, "x is 4\n", "")
    ((builder, parent),) = watched.builders()
    assert builder != parent


@pytest.mark.parametrize("way", WAYS)
def test_from_an_archive(watched: Watched, way: str) -> None:
    archive = watched.folder / "ours.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in (ROOT / "kohaku_ast").rglob("*.py"):
            file.write(path, path.relative_to(ROOT))
    before = f"import sys; sys.path.insert(0, {str(archive)!r})"
    text = f"{before}\n{program()}"
    text += "\nimport kohaku_ast; print(kohaku_ast.__file__)\n"
    (watched.folder / "program.py").write_text(text)
    environment = {**watched.environment, "PYTHONPATH": str(watched.folder / "site")}
    done = run([sys.executable, "program.py", way], watched.folder, **environment)
    assert done.stdout == f"x is 4\n{archive}/kohaku_ast/__init__.py\n"
    ((builder, parent),) = watched.builders()
    assert builder != parent


def test_the_interpreters_options_hold_for_the_code(watched: Watched) -> None:
    (watched.folder / "s.py").write_text("x = 3\nassert x == 3, 'no'\nprint(x, __debug__)\n")
    for way in WAYS:
        done = watched.python(way, "", "", "-O", "-X", "no_debug_ranges")
        assert (done.stdout, done.stderr) == ("4 False\n", "")
        watched.cache.rename(watched.folder / f"after-{way}")


def test_what_rewrites_scripts_is_broken(watched: Watched) -> None:
    assert watched.kogine("run", "s.py", "x=5").stdout == "x is 5\n"
    (watched.folder / "site" / "tokenize.py").write_text("raise ImportError('it is\\nbroken')\n")
    (watched.folder / "other.py").write_text(SCRIPT)
    broken = watched.kogine("run", "other.py", "x=4")
    assert (broken.status, broken.stdout) == (2, "")
    assert broken.stderr.startswith("kogine: error: ")
    assert "it is broken" in broken.stderr
    assert broken.stderr.count("\n") == 1
    assert watched.kogine("run", "s.py", "x=4").stdout == "x is 4\n"
    assert watched.kogine("run", "other.py").stdout == "x is 3\n"


def test_without_libcst_only_what_is_built_anew_ends(watched: Watched) -> None:
    assert watched.kogine("run", "s.py", "x=5").stdout == "x is 5\n"
    (watched.folder / "site" / "libcst.py").write_text("raise ImportError('no libcst')\n")
    (watched.folder / "other.py").write_text(SCRIPT)
    cold = watched.kogine("run", "other.py", "x=4")
    assert (cold.status, cold.stdout) == (2, "")
    assert cold.stderr.startswith("kogine: error: ")
    assert "no libcst" in cold.stderr
    assert cold.stderr.count("\n") == 1
    assert watched.kogine("run", "s.py", "x=4").stdout == "x is 4\n"
    assert watched.kogine("run", "other.py").stdout == "x is 3\n"


def test_without_a_place_to_keep_it(watched: Watched) -> None:
    for value in "45":
        done = watched.kogine("run", "s.py", f"x={value}", KOGINE_CACHE="/proc/no/such")
        assert (done.status, done.stdout, done.stderr) == (0, f"x is {value}\n", "")
    assert all(builder != parent for builder, parent in watched.builders())
    assert len(watched.builders()) == 2


def test_a_mistake_is_told_as_before(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("x = 1\nreturn x\n")
    done = run_kogine(tmp_path, "run", "s.py", "x=4", KOGINE_CACHE=str(tmp_path / "cache"))
    plain = run([sys.executable, "s.py"], tmp_path)
    assert (done.status, done.stdout, done.stderr) == (2, "", plain.stderr)
