"""What the runs of a flow leave on disk."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from kohaku_ast.config.config import Config
from kohaku_ast.flow.settings import FlowSettings
from kohaku_ast.runner.overrides import Override
from kohaku_ast.store.record import Record, find_runs
from kohaku_ast.store.run_folder import last_lines
from tests.store.flows import Recorded, started_flow, wait_for
from tests.store.tmpfs import small_disk

ROOT = Path(".kogine/runs")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def script(text: str) -> Path:
    Path("train.py").write_text(text)
    return Path("train.py")


def records() -> list[Record]:
    return list(find_runs(ROOT))


def facts() -> dict[str, Any]:
    (found,) = ROOT.glob("*/run.json")
    loaded: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
    return loaded


def test_everything_that_a_run_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOGINE_API_KEY", "hidden")
    monkeypatch.setenv("KOGINE_STORAGE", "postgres://me:hidden@db")
    monkeypatch.setenv("OTHER", "hidden")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    script("import time\nlr = 1.0\nwhere = None\ndef main(n=1):\n    return n\n"
           "if __name__ == '__main__':\n    main()\n")  # fmt: skip
    config = Config(
        {"lr": 0.5, "where": Path("out")}, kwargs={"n": 2}, metadata={"note": "x"},
        outputs=("lr",), origins={"lr": "cfg.py", "where": "cfg.py"}, new_globals={"extra": 1},
    )  # fmt: skip
    Recorded(
        "train.py", [config], root=ROOT, argv=["--fast"], settings=FlowSettings(gpus=("3",)),
        overrides=[Override("lr", "0.25", "command line", 9, is_text=True)],
    ).run()  # fmt: skip
    found = facts()
    assert found["overrides"] == [
        {"target": "lr", "origin": "command line", "json": 0.25},
        {"target": "where", "origin": "cfg.py", "path": "out"},
        {"target": "main(n)", "origin": "Config", "json": 2},
        {"target": "extra", "origin": "new global", "json": 1},
    ]
    assert found["argv"] == ["train.py", "--fast"]
    assert found["metadata"] == {"note": {"json": "x"}}
    assert found["value"] == {"json": 2}
    assert found["outputs"] == {"lr": {"json": 0.25}}
    assert found["environment"]["variables"]["CUDA_VISIBLE_DEVICES"] == "3"
    assert found["environment"]["variables"]["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert (found["status"], found["exit_status"], found["error"]) == ("succeeded", 0, None)
    assert found["process"] is None
    assert "hidden" not in json.dumps(found)
    sums = subprocess.check_output(["sha256sum", "train.py"], text=True)
    assert found["script"]["sha256"] == sums.split()[0]


@pytest.mark.parametrize(
    "entrypoint", [pytest.param("", id="in the guard's call"), pytest.param("main", id="alone")]
)
def test_arguments_of_the_starting_call(entrypoint: str) -> None:
    script("def main(a, *, n=1): ...\nif __name__ == '__main__':\n    main(1)\n")
    config = Config(args=(7,), kwargs={"n": 2})
    Recorded("train.py", [config], root=ROOT, entrypoint=entrypoint).run()
    assert facts()["overrides"] == [
        {"target": "main(#0)", "origin": "Config", "json": 7},
        {"target": "main(n)", "origin": "Config", "json": 2},
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("KOGINE_API_KEY", "hidden", id="key"),
        pytest.param("KOGINE_DB_PASS", "hidden", id="pass"),
        pytest.param("SLURM_JWT", "hidden", id="web token"),
        pytest.param("KOGINE_USERPWD", "me:hidden", id="user and password"),
        pytest.param("KOGINE_CREDS", "hidden", id="credentials"),
        pytest.param("KOGINE_STORAGE", "postgres://me:hidden@db", id="address with password"),
        pytest.param("KOGINE_URL", "https://x/y?access_token=hidden&z=1", id="address with token"),
        pytest.param("KOGINE_DSN", "user=me password=hidden", id="parts of an address"),
        pytest.param("KOGINE_HEADER", "Bearer hidden", id="header"),
        pytest.param("KOGINE_HUB", "hf_hidden", id="token by its beginning"),
    ],
)
def test_secrets_stay_out(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    script("lr = 1\n")
    Recorded("train.py", root=ROOT).run()
    variables = facts()["environment"]["variables"]
    assert variables["SLURM_JOB_ID"] == "77"
    assert name not in variables
    assert "hidden" not in json.dumps(facts())


def test_origins_of_values_in_modules() -> None:
    script("import settings\nprint(settings.Model.depth)\n")
    Path("settings.py").write_text("class Model:\n    depth = 1\n")
    config = Config({"settings.depth": 5}, origins={"settings.depth": "cfg.py"})
    Recorded("train.py", [config], root=ROOT).run()
    target = {"target": "settings.Model.depth", "origin": "cfg.py", "json": 5}
    assert facts()["overrides"] == [target]


def test_git_state_is_known_by_the_end() -> None:
    script("lr = 1\n")
    for words in (["init", "-q"], ["add", "train.py"], ["commit", "-qm", "one"]):
        names = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *names, *words], check=True)
    Recorded("train.py", root=ROOT).run()
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()
    expected = {"root": os.getcwd(), "commit": commit, "branch": "main", "dirty": False}
    assert facts()["git"] == expected
    os.mkdir("bin")
    os.symlink("../train.py", "bin/link.py")
    Recorded("bin/link.py", root=Path("other")).run()
    (found,) = Path("other").glob("*/run.json")
    assert json.loads(found.read_text())["git"] == expected


def test_failure_is_kept_with_its_traceback() -> None:
    script("print('before')\nraise LookupError('gone')\n")
    Recorded("train.py", root=ROOT).run()
    (record,) = records()
    assert record.status == "failed"
    assert record.exit_status == 1
    assert str(record.error) == "LookupError: gone"
    assert record.error is not None
    assert "line 2, in <module>" in record.error.traceback
    assert record.log is not None
    assert last_lines(record.log)[0] == "before"


def test_log_is_complete_after_kill_9() -> None:
    script("import ctypes, os\nprint('python', flush=True)\n"
           "libc = ctypes.CDLL(None)\nlibc.write(1, b'from C\\n', 7)\nos.system('echo child')\n"
           "os.write(2, b'stderr\\n')\nos.kill(os.getpid(), 9)\n")  # fmt: skip
    Recorded("train.py", root=ROOT).run()
    (record,) = records()
    assert record.log is not None
    assert record.log.read_text().split("\n") == ["python", "from C", "child", "stderr", ""]
    assert (record.status, record.exit_status) == ("failed", -9)
    assert "SIGKILL" in str(record.error)


def test_attempts_are_kept() -> None:
    script("import os\ncount = len(os.listdir('tries'))\nopen(f'tries/{count}', 'w')\n"
           "print('try', count)\nassert count == 2, count\n")  # fmt: skip
    os.mkdir("tries")
    Recorded("train.py", root=ROOT, settings=FlowSettings(retries=3, backoff=0.01)).run()
    (record,) = records()
    assert (record.status, record.attempt, record.error) == ("succeeded", 3, None)
    attempts = record.facts["attempts"]
    assert [one["attempt"] for one in attempts] == [1, 2]
    assert [one["error"]["message"] for one in attempts] == ["0", "1"]
    logs = [*(one["log"] for one in attempts), record.facts["log"]]
    assert logs == ["log-1.txt", "log-2.txt", "log.txt"]
    assert [last_lines(record.folder / log)[0] for log in logs] == ["try 0", "try 1", "try 2"]


def test_failure_of_the_last_attempt() -> None:
    script("raise ValueError(1)\n")
    Recorded("train.py", root=ROOT, settings=FlowSettings(retries=1, backoff=0.01)).run()
    (record,) = records()
    assert (record.status, record.attempt, len(record.facts["attempts"])) == ("failed", 2, 1)


def test_running_then_interrupted() -> None:
    script("import time\nprint('up', flush=True)\nfor _ in range(6000): time.sleep(0.1)\n")
    with started_flow("train.py") as flow:
        wait_for(lambda: _running(1))
        flow.send_signal(signal.SIGINT)
        flow.wait()
    (record,) = records()
    assert record.status == "interrupted"
    assert record.ended is not None


def test_lost_when_flow_and_run_were_killed() -> None:
    script("import time\nprint('up', flush=True)\nfor _ in range(6000): time.sleep(0.1)\n")
    with started_flow("train.py") as flow:
        (record,) = wait_for(lambda: _running(1))
        run = psutil.Process(record.facts["process"]["pid"])
        flow.kill()
        flow.wait()
    assert records()[0].status == "running", "its process lives on"
    run.kill()
    run.wait()
    assert records()[0].status == "lost"


def test_stopped_run_is_running() -> None:
    script("import time\nprint('up', flush=True)\nfor _ in range(6000): time.sleep(0.1)\n")
    with started_flow("train.py"):
        (record,) = wait_for(lambda: _running(1))
        os.kill(record.facts["process"]["pid"], signal.SIGSTOP)
        assert records()[0].status == "running"


def _running(count: int) -> list[Record] | None:
    found = [one for one in records() if one.status == "running" and one.facts["process"]]
    ready = [one for one in found if one.log and one.log.read_text()]
    return ready if len(ready) == count else None


def test_run_of_another_machine_is_not_judged() -> None:
    script("lr = 1\n")
    Recorded("train.py", root=ROOT).run()
    (path,) = ROOT.glob("*/run.json")
    found = {**facts(), "status": "running", "flow": {"pid": 2**22, "start": "x:1"}}
    path.write_text(json.dumps(found))
    assert records()[0].status == "lost"
    path.write_text(json.dumps({**found, "host": "elsewhere.example"}))
    assert records()[0].status == "running"


def test_inline_runs_are_kept_too() -> None:
    script("lr = 1\nprint('hello')\n")
    with started_flow("train.py", "2", "--inline") as flow:
        assert flow.wait() == 0
    (record,) = records()
    assert record.status == "succeeded"
    assert record.log is not None
    assert record.log.read_text() == "hello\n"


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: path.mkdir(), id="folder without record"),
        pytest.param(lambda path: path.write_text("x"), id="file"),
        pytest.param(lambda path: path.symlink_to("nowhere"), id="dangling link"),
        pytest.param(lambda path: path.symlink_to("."), id="link to itself"),
        pytest.param(lambda path: _run_json(path, b""), id="empty"),
        pytest.param(lambda path: _run_json(path, b'{"schema": 1, "ident'), id="half written"),
        pytest.param(lambda path: _run_json(path, b"[1]"), id="a list"),
        pytest.param(lambda path: _run_json(path, b'{"schema": 1}'), id="fields missing"),
        pytest.param(lambda path: _run_json(path, b'{"schema": "1"}'), id="schema is text"),
        pytest.param(lambda path: _run_json(path, b'{"schema": 99}'), id="of a later version"),
        pytest.param(lambda path: _run_json(path, b"\xff\xfe"), id="no text"),
        pytest.param(lambda path: _run_json(path, b"[" * 100_000), id="deeply nested"),
        pytest.param(lambda path: (path / "run.json").mkdir(parents=True), id="a folder"),
    ],
)
def test_foreign_files_are_passed_over(make: Callable[[Path], object]) -> None:
    script("lr = 1\n")
    Recorded("train.py", root=ROOT).run()
    make(ROOT / "20200101T000000.000Z-x")
    assert len(records()) == 1
    assert Recorded("train.py", root=ROOT, resume=True).run()[0].state == "skipped"


def _run_json(path: Path, data: bytes) -> None:
    path.mkdir()
    (path / "run.json").write_bytes(data)


def test_no_records_at_all() -> None:
    assert records() == []


# --- a disk that does not want records -----------------------------------------------------------


def test_full_disk_stops_no_run(tmp_path: Path) -> None:
    script("lr = 1\nprint('x' * 10)\n")
    with small_disk(tmp_path) as disk:
        disk.fill()
        flow = Recorded("train.py", [Config({"lr": n}) for n in range(3)], root=disk / "runs")
        assert [run.state for run in flow.run()] == ["succeeded"] * 3
        (warning,) = flow.warnings
        assert "No space left on device" in warning
        assert list(find_runs(disk / "runs")) == []


def test_disk_that_fills_up_during_a_run(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        filler = str(disk / "filler")
        script(f"lr = 1\nf = open({filler!r}, 'ab', 0)\n"
               "try:\n    while f.write(b'x' * 100): pass\nexcept OSError: pass\n")  # fmt: skip
        flow = Recorded("train.py", [Config({"lr": n}) for n in range(2)], root=disk / "runs")
        assert [run.state for run in flow.run()] == ["succeeded"] * 2
        assert len(flow.warnings) == 1


def test_record_is_written_once_there_is_room_again(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        filler = str(disk / "filler")
        script(
            "lr = 1\n"
            f"if lr == 2:\n    import os\n    os.unlink({filler!r})\n"
            f"else:\n    f = open({filler!r}, 'ab', 0)\n"
            "    try:\n        while f.write(b'x' * 100): pass\n    except OSError: pass\n"
        )
        flow = Recorded("train.py", [Config({"lr": n}) for n in (1, 2)], root=disk / "runs")
        assert [run.state for run in flow.run()] == ["succeeded"] * 2
        assert [one.status for one in find_runs(disk / "runs")] == ["succeeded"]


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    script("lr = 1\n")
    Path(".kogine").write_text("a file is in the way, even of root")
    flow = Recorded("train.py", [Config({"lr": n}) for n in range(3)], root=ROOT)
    runs = flow.run()
    assert [(run.state, run.folder, run.log) for run in runs] == [("succeeded", None, None)] * 3
    (warning,) = flow.warnings
    assert "Not a directory" in warning
    assert repr(str(tmp_path / ROOT)) in warning


def test_folder_taken_away_during_a_run() -> None:
    script("import shutil\nshutil.rmtree('.kogine')\n")
    flow = Recorded("train.py", root=ROOT)
    assert [run.state for run in flow.run()] == ["succeeded"]
    assert len(flow.warnings) == 1


def test_nothing_is_kept_open(tmp_path: Path) -> None:
    script("lr = 1\nraise ValueError\n")
    before = sorted(os.listdir("/proc/self/fd"))
    Recorded("train.py", [Config({"lr": n}) for n in range(5)], root=ROOT).run()
    for thread in threading.enumerate():
        if thread.name.startswith("kogine-run"):
            thread.join()
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert not list(ROOT.glob("*/run.json.*"))


def test_every_field_is_documented() -> None:
    script("lr = 1\n")
    Recorded("train.py", root=ROOT).run()
    page = Path(__file__).parents[2] / "docs" / "reference" / "records.md"
    rows = [line.split("|")[1] for line in page.read_text("utf-8").splitlines() if "| `" in line]
    named = {name.strip(" `") for row in rows for name in row.split(",")}
    assert facts().keys() <= named


def test_metrics_so_far_are_kept_after_kill_9() -> None:
    script(
        "import time\nfor n in range(3):\n    print(f'epoch {n}: loss={3 - n}', flush=True)\n"
        "while True:\n    time.sleep(0.1)\n"
    )
    with started_flow("train.py") as flow:
        wait_for(lambda: [one for one in records() if _count(one, "loss") == 3] or None)
        (running,) = records()
        assert (running.status, running.metrics["loss"]) == ("running", 1)
        run = psutil.Process(running.facts["process"]["pid"])
        flow.kill()
        flow.wait()
    run.kill()
    run.wait()
    (lost,) = records()
    assert lost.status == "lost"
    assert lost.metric_summary["loss"] == {"last": 1, "min": 1, "max": 3, "count": 3, "step": 2}


def _count(record: Record, name: str) -> int:
    return int(record.metric_summary.get(name, {}).get("count", 0))


def test_each_attempt_has_its_own_metrics() -> None:
    script(
        "import os, sys\nn = len([one for one in os.listdir() if one.startswith('try')])\n"
        "open(f'try{n}', 'w').close()\nprint('loss:', n)\nsys.exit(n < 1)\n"
    )
    Recorded("train.py", root=ROOT, settings=FlowSettings(retries=1, backoff=0)).run()
    (record,) = records()
    assert record.metrics["loss"] == 1
    (attempt,) = record.facts["attempts"]
    assert attempt["metrics"]["loss"]["max"] == 0
    assert (attempt["series"], record.facts["series"]) == ("metrics-1.jsonl", "metrics.jsonl")
    for name in ("metrics-1.jsonl", "metrics.jsonl"):
        assert (record.folder / name).read_bytes().count(b"\n") == 1
