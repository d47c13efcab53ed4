"""What ``kogine run`` and ``kogine workflow`` keep of their runs, and when."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.recorded import KOGINE, log_of, records, started
from tests.flow.terminal import Program
from tests.oracle import on_path, run_kogine, run_python
from tests.store.flows import wait_for
from tests.store.tmpfs import small_disk

EVERYWHERE = """\
import ctypes, os, sys
n = 0
print("python", n)
ctypes.CDLL(None).printf(b"from C\\n")
sys.stdout.flush()
os.system("echo child")
print("error", file=sys.stderr)
"""
MODES = pytest.mark.parametrize(
    "mode",
    [
        pytest.param((), id="auto"),
        pytest.param(("--mode", "inline"), id="inline"),
        pytest.param(("--isolate",), id="isolated"),
        pytest.param(("--mode", "warm", "--workers", "1"), id="warm"),
        pytest.param(("--workers", "2"), id="two workers"),
    ],
)


@MODES
def test_each_run_of_a_sweep_leaves_a_record_with_all_its_output(
    tmp_path: Path, mode: tuple[str, ...]
) -> None:
    (tmp_path / "train.py").write_text(EVERYWHERE)
    done = run_kogine(tmp_path, "run", "train.py", "--sweep", "n=1,2", *mode)
    assert done.status == 0, done.stderr
    found = sorted(records(tmp_path), key=lambda one: one.index)
    assert [(one.status, one.label) for one in found] == [("succeeded", f"n={n}") for n in (1, 2)]
    for one, n in zip(found, (1, 2)):
        lines = log_of(one).splitlines()
        assert sorted(lines) == ["child", "error", "from C", f"python {n}"]
    assert (tmp_path / ".kogine" / "runs" / ".gitignore").read_text() == "*\n"


@MODES
def test_no_record_keeps_nothing_and_shows_everything(
    tmp_path: Path, mode: tuple[str, ...]
) -> None:
    (tmp_path / "train.py").write_text(EVERYWHERE)
    done = run_kogine(tmp_path, "run", "train.py", "--sweep", "n=1,2", "--no-record", *mode)
    assert done.status == 0
    wanted = "".join(f"child\nfrom C\npython {n}\n" for n in (1, 2))
    assert sorted(done.stdout) == sorted(wanted)  # the lines of two workers mix
    assert not (tmp_path / ".kogine").exists()


@pytest.mark.parametrize("mode", [("--mode", "inline"), ("--isolate",), ()], ids=["inline", "isolated", "auto"])  # fmt: skip
def test_one_after_another_their_output_comes_through_as_well(
    tmp_path: Path, mode: tuple[str, ...]
) -> None:
    (tmp_path / "train.py").write_text(EVERYWHERE)
    done = run_kogine(tmp_path, "run", "train.py", "--sweep", "n=1,2", *mode)
    other = run_kogine(tmp_path, "run", "train.py", "--sweep", "n=1,2", "--no-record", *mode)
    assert done.stdout == other.stdout
    assert done.stderr.splitlines()[:4] == ["[1/2] n=1", "error", "[2/2] n=2", "error"]


def test_where_both_streams_are_one_they_stay_in_order(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import os\nn = 0\nfor i in range(500):\n    os.write(1 + i % 2, b'%d\\n' % i)\n"
    )
    done = subprocess.run(
        [*KOGINE, "run", "train.py", "--sweep", "n=1"], cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, env={**os.environ, "PYTHONPATH": on_path()},
    )  # fmt: skip
    numbers = "".join(f"{i}\n" for i in range(500))
    assert done.stdout.startswith(f"[1/1] n=1\n{numbers}1 run")
    assert log_of(records(tmp_path)[0]) == numbers


@pytest.mark.parametrize(
    "end",
    [
        pytest.param("", id="at its end"),
        pytest.param("sys.exit(3)", id="a status"),
        pytest.param("sys.exit('why')", id="a text"),
        pytest.param("1 / 0", id="an exception"),
        pytest.param("os._exit(4)", id="at once"),
        pytest.param("os.kill(os.getpid(), 9)", id="killed"),
        pytest.param("os.kill(os.getpid(), 15)", id="terminated"),
        pytest.param("raise KeyboardInterrupt", id="interrupted"),
        pytest.param("ctypes.string_at(0)", id="a segmentation fault"),
    ],
)
def test_one_recorded_run_is_as_without_a_record(tmp_path: Path, end: str) -> None:
    text = f"{EVERYWHERE}print(sys.argv, sys.stdin.read(), __name__, flush=True)\n{end}\n"
    (tmp_path / "train.py").write_text(text)
    arguments = ("run", "train.py", "--", "--deep", "3")
    plain = run_kogine(tmp_path, *arguments, stdin="told")
    assert not records(tmp_path)
    python = run_python(tmp_path, "train.py", "--deep", "3", stdin="told")
    done = run_kogine(tmp_path, "run", "--record", *arguments[1:], stdin="told")
    assert done == plain == python
    (record,) = records(tmp_path)
    assert record.exit_status == done.status
    assert record.status == ("failed" if done.status else "succeeded")
    assert sorted(log_of(record)) == sorted(done.stdout + done.stderr)


def test_one_recorded_run_with_overrides(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("n = 0\nprint(n)\ndef main():\n    return n\nmain()\n")
    done = run_kogine(tmp_path, "run", "train.py", "n=7", "--record")
    assert (done.status, done.stdout, done.stderr) == (0, "7\n", "")
    (record,) = records(tmp_path)
    (override,) = record.facts["overrides"]
    assert override == {"target": "n", "origin": "command line", "json": 7}


def test_ctrl_c_reaches_a_recorded_run_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "train.py").write_text(
        "import time\ntry:\n    print('up', flush=True)\n    for _ in range(6000): time.sleep(0.1)\n"
        "except KeyboardInterrupt:\n    print('saved', flush=True)\n    raise\n"
    )
    monkeypatch.setenv("PYTHONPATH", on_path())
    program = Program([*KOGINE, "run", "train.py", "--record"], tmp_path)
    program.wait_for(lambda text: "up" in text)
    program.type(b"\x03")
    assert program.end() == -signal.SIGINT
    assert "saved" in program.data.decode()
    (record,) = records(tmp_path)
    assert record.status == "interrupted"


def test_a_terminal_stays_one_for_runs_whose_output_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "train.py").write_text(
        "import os, sys\nn = 0\nprint(sys.stdout.isatty(), os.get_terminal_size().columns)\n"
    )
    monkeypatch.setenv("PYTHONPATH", on_path())
    command = [*KOGINE, "run", "train.py", "--sweep", "n=1,2"]
    for mode in ([], ["--isolate"]):
        program = Program([*command, *mode], tmp_path, columns=91)
        assert program.end() == 0
        assert program.data.decode().count("True 91\r\n") == 2
    assert {log_of(one) for one in records(tmp_path)} == {"True 91\n"}


def test_a_killed_kogine_leaves_the_whole_log_and_a_lost_run(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import ctypes, os, time\nn = 0\nprint('x' * 200_000)\nctypes.CDLL(None).write(1, b'C\\n', 2)\n"
        "open('ready', 'w').close()\nfor _ in range(6000): time.sleep(0.1)\n"
    )
    words = ("run", "train.py", "--sweep", "n=1", "--mode", "inline")
    flow = started(tmp_path, *words, stdout=subprocess.DEVNULL)
    with flow:
        wait_for(lambda: (tmp_path / "ready").exists() or None)
        flow.kill()
    (record,) = records(tmp_path)
    assert record.status == "lost"
    # Whoever copies it does so until the end.
    wait_for(lambda: "C" in log_of(record) or None)
    assert log_of(record) == "x" * 200_000 + "\nC\n"


def test_c_code_that_holds_the_lock_of_python_can_print_a_lot(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import ctypes\nn = 0\nctypes.PyDLL(None).write(1, b'x' * 300_000, 300_000)\nprint()\n"
    )
    done = run_kogine(tmp_path, "run", "train.py", "--sweep", "n=1,2")
    assert done.stdout == ("x" * 300_000 + "\n") * 2
    assert {len(log_of(one)) for one in records(tmp_path)} == {300_001}


def test_a_child_that_outlives_its_run_keeps_nobody_waiting(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import subprocess, sys\nn = 0\nprint('run', n, flush=True)\n"
        "child = subprocess.Popen([sys.executable, '-c',\n"
        "    'import os, time\\nwhile not os.path.exists(\"go\"): time.sleep(0.01)\\n'\n"
        '    \'print("late", flush=True)\\nopen("told", "w")\'])\n'
    )
    done = started(tmp_path, "run", "train.py", "--sweep", "n=1", stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)  # fmt: skip
    assert done.wait() == 0
    (tmp_path / "go").touch()
    wait_for(lambda: (tmp_path / "told").exists() or None)
    wait_for(lambda: "late" in log_of(records(tmp_path)[0]) or None)


def test_whoever_stops_reading_stops_no_run(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("n = 0\nfor i in range(20_000):\n    print(i)\n")
    with started(tmp_path, "run", "train.py", "--sweep", "n=1,2") as flow:
        assert flow.stdout is not None
        assert flow.stderr is not None
        flow.stdout.readline()
        flow.stdout.close()
        assert "2 runs: 2 succeeded" in flow.stderr.read()
    assert [log_of(one).count("\n") for one in records(tmp_path)] == [20_000] * 2


@MODES
def test_a_folder_that_cannot_be_written_is_reported_once(
    tmp_path: Path, mode: tuple[str, ...]
) -> None:
    (tmp_path / "train.py").write_text("n = 0\nprint('run', n)\n")
    (tmp_path / ".kogine").write_text("a file is in the way, even of root")
    done = run_kogine(tmp_path, "run", "train.py", "--sweep", "n=1,2,3", *mode)
    assert done.status == 0
    # The lines of two workers mix.
    assert sorted(done.stdout) == sorted("run 1\nrun 2\nrun 3\n")
    assert done.stderr.count("kogine: warning: cannot keep a record") == 1
    assert "Not a directory" in done.stderr


@MODES
def test_a_full_disk_is_reported_once(tmp_path: Path, mode: tuple[str, ...]) -> None:
    with small_disk(tmp_path) as disk:
        (disk / "train.py").write_text("n = 0\nprint('run', n)\n")
        disk.fill()
        done = run_kogine(disk, "run", "train.py", "--sweep", "n=1,2,3", *mode)
    assert done.status == 0, done.stderr
    assert sorted(done.stdout) == sorted("run 1\nrun 2\nrun 3\n")  # as above
    assert done.stderr.count("kogine: warning: cannot keep") == 1
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("mode", ["--isolate", "--record"])
def test_what_cannot_be_started_leaves_no_record(tmp_path: Path, mode: str) -> None:
    (tmp_path / "train.py").write_text("n = 0\nprint('ran')\n")
    (tmp_path / "cfg.py").write_text("import threading\nn = threading.Lock()\n")
    done = run_kogine(tmp_path, "run", "train.py", "--config", "cfg.py", mode)
    assert (done.status, done.stdout) == (2, "")
    assert "'n' cannot be sent to another process" in done.stderr
    assert not list((tmp_path / ".kogine" / "runs").glob("*/*"))


def test_workflows_record_too(tmp_path: Path) -> None:
    (tmp_path / "prep.py").write_text("print('prep')\n")
    (tmp_path / "train.py").write_text("lr = 0.1\nprint('lr', lr)\n")
    done = run_kogine(tmp_path, "workflow", "sequential", "prep.py", "train.py", "lr=0.5")
    assert (done.status, done.stdout) == (0, "prep\nlr 0.5\n"), done.stderr
    assert [(one.script, log_of(one)) for one in records(tmp_path)] == [
        ("prep.py", "prep\n"), ("train.py", "lr 0.5\n"),
    ]  # fmt: skip
    run_kogine(tmp_path, "workflow", "parallel", "prep.py", "train.py", "--no-record")
    assert len(records(tmp_path)) == 2


def test_a_flow_file_may_switch_records_off(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("n = 0\nprint('run', n)\n")
    (tmp_path / "flow.py").write_text(
        "from kohaku_ast import Script, Sequential, Sweep\n"
        "flow = Sequential(Script('train.py', Sweep(n=[1, 2])), record=False)\n"
    )
    run_kogine(tmp_path, "workflow", "run", "flow.py")
    assert not records(tmp_path)
    run_kogine(tmp_path, "workflow", "run", "flow.py", "--record")
    assert len(records(tmp_path)) == 2


def test_an_interrupted_flow_is_recorded_as_such(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import time\nn = 0\nprint('up', flush=True)\nfor _ in range(6000): time.sleep(0.1)\n"
    )
    for mode in ("inline", "spawn", "warm"):
        words = ("--sweep", "n=1,2", "--mode", mode, "--workers", "1")
        flow = started(tmp_path, "run", "train.py", *words)
        assert flow.stdout is not None
        flow.stdout.readline()
        flow.send_signal(signal.SIGINT)
        _, errors = flow.communicate(timeout=600)
        assert flow.returncode == 130
        assert "1 run: 1 interrupted" in errors
    assert [one.status for one in records(tmp_path)] == ["interrupted"] * 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("--resume", "--no-record"), "--no-record", id="resumed without records"),
        pytest.param(("--record", "--no-record", "--sweep", "n=1"), "--record", id="both"),
    ],
)
def test_refused(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    (tmp_path / "train.py").write_text("n = 0\nprint('ran')\n")
    done = run_kogine(tmp_path, "run", "train.py", *arguments)
    assert (done.status, done.stdout) == (2, "")
    assert words in done.stderr


def test_json_is_valid_and_has_the_folder(tmp_path: Path) -> None:
    (tmp_path / "cfg.py").write_text("print('loading')\n_sweep = {'n': [1, 2]}\n")
    (tmp_path / "train.py").write_text(EVERYWHERE)
    for mode in ((), ("--isolate",), ("--workers", "2"), ("--no-record",)):
        done = run_kogine(tmp_path, "run", "train.py", "--config", "cfg.py", "--json", *mode)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert [one["event"] for one in lines if one["event"] != "progress"][-1] == "finish"
        ends = [one for one in lines if one["event"] == "end"]
        assert len(ends) == 2
        for one in ends:
            assert ("" if mode == ("--no-record",) else "python") in (
                Path(one["log"]).read_text() if one["log"] else ""
            )


@pytest.mark.parametrize(
    "code",
    ["0", "1", "255", "256", "257", "-1", "2**31", "2**63", "-(2**80)", "True", "None", "''"],
)
def test_an_exit_status_is_that_of_a_process(tmp_path: Path, code: str) -> None:
    (tmp_path / "s.py").write_text(f"import sys\nn = 0\nsys.exit({code})\n")
    plain = run_python(tmp_path, "s.py")
    for mode in ((), ("--isolate",), ("--mode", "warm")):
        run_kogine(tmp_path, "run", "s.py", "--sweep", "n=1", *mode)
    assert [one.exit_status for one in records(tmp_path)] == [plain.status] * 3
    status = "failed" if plain.status else "succeeded"
    assert [one.status for one in records(tmp_path)] == [status] * 3


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_run_that_is_not_tried_again_after_all_keeps_one_attempt(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("print('tried')\n1 / 0\n")
    flow = started(tmp_path, "run", "s.py", "--retries", "3", "--backoff", "600", "--mode", "spawn")
    assert flow.stderr is not None
    wait_for(lambda: [one for one in records(tmp_path) if one.facts["attempts"]] or None)
    flow.send_signal(signal.SIGINT)
    errors = flow.communicate()[1]
    (record,) = records(tmp_path)
    assert (record.status, record.attempt, record.facts["attempts"]) == ("failed", 1, [])
    assert log_of(record).startswith("tried\n")
    assert f"log: {os.path.relpath(str(record.log), tmp_path)}" in errors


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_the_last_line_says_of_which_signal_we_die(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "import time\nopen('up', 'w').close()\nfor _ in range(6000): time.sleep(0.1)\n"
    )
    flow = started(tmp_path, "run", "s.py", "--json", "--mode", "spawn", "--timeout", "600")
    wait_for(lambda: (tmp_path / "up").exists() or None)
    flow.send_signal(signal.SIGTERM)
    *_, finish = flow.communicate()[0].splitlines()
    assert json.loads(finish)["exit_status"] == 128 + signal.SIGTERM
    assert flow.returncode == -signal.SIGTERM


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_before_anything_runs_shows_nothing_of_ours(tmp_path: Path) -> None:
    with started(tmp_path, "run", "-", stdin=subprocess.PIPE) as flow:
        assert flow.stdin is not None
        assert flow.stderr is not None
        flow.stdin.write("#" * (1 << 17))  # more than a pipe holds: it has begun to read
        flow.stdin.flush()
        # Between two reads Python does not look for signals.
        status = wait_for(lambda: flow.send_signal(signal.SIGINT) or flow.poll())  # type: ignore[func-returns-value]
        assert (status, flow.stderr.read()) == (-signal.SIGINT, "")
