"""Which runs a resumed flow does not run again, and what it knows of them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from kohaku_ast.config.config import Config
from kohaku_ast.flow.run import Run
from kohaku_ast.flow.settings import FlowSettings
from kohaku_ast.store.record import find_runs
from tests.store.flows import Recorded, started_flow, wait_for

ROOT = Path(".kogine/runs")
SCRIPT = "lr = 0\nprint('run', lr)\nopen('ran', 'a').write(f'{lr} ')\n"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SCRIPT)


def flow(*values: object, outputs: tuple[str, ...] = (), **options: Any) -> Recorded:
    configs = [Config({"lr": one}, outputs=outputs) for one in values]
    return Recorded("train.py", configs, root=ROOT, **options)


def states(runs: list[Run]) -> list[str]:
    return [run.state for run in runs]


def ran() -> str:
    """The values that were run since this was asked last."""
    path = Path("ran")
    found = path.read_text() if path.exists() else ""
    path.unlink(missing_ok=True)
    return found.strip()


def test_without_it_everything_is_run_again() -> None:
    flow(1, 2).run()
    flow(1, 2).run()
    assert ran() == "1 2 1 2"


def test_only_what_is_missing_is_run() -> None:
    flow(1, 2).run()
    ran()
    resumed = flow(3, 2, 1, 4, resume=True)
    assert states(resumed.run()) == ["succeeded", "skipped", "skipped", "succeeded"]
    assert ran() == "3 4"
    assert str(resumed.recorder.resumed) == "skipped 2 that succeeded before"


def test_changed_script_is_run_again() -> None:
    flow(1).run()
    Path("train.py").write_text(SCRIPT + "#\n")
    assert states(flow(1, resume=True).run()) == ["succeeded"]


def test_changed_module_is_run_again_and_said_once() -> None:
    Path("train.py").write_text("lr = 0\ndef main():\n    import net\nmain()\n")
    Path("net.py").write_text("from layers import depth\n")
    Path("layers.py").write_text("depth = 1\n")
    Path("plot.py").write_text("")
    flow(1, 2).run()
    Path("plot.py").write_text("# it is not imported\n")
    assert states(flow(1, 2, resume=True).run()) == ["skipped", "skipped"]
    Path("layers.py").write_text("depth = 2\n")
    again = flow(1, 2, resume=True)
    assert states(again.run()) == ["succeeded", "succeeded"]
    (warning,) = again.warnings
    assert "train.py or a module that it imports has changed since" in warning
    assert states(flow(1, 2, resume=True).run()) == ["skipped", "skipped"]


def test_module_that_is_new_is_seen() -> None:
    Path("train.py").write_text("lr = 0\ntry:\n    import net\nexcept ImportError:\n    pass\n")
    flow(1).run()
    Path("net.py").write_text("")
    assert states(flow(1, resume=True).run()) == ["succeeded"]


def test_module_that_changes_during_a_flow() -> None:
    Path("train.py").write_text("import net\nlr = 0\nif lr: open('net.py', 'a').write('#')\n")
    Path("net.py").write_text("")
    flow(1, 0).run()
    assert states(flow(0, 1, resume=True).run()) == ["skipped", "succeeded"]


def test_failed_runs() -> None:
    Path("train.py").write_text(SCRIPT + "assert lr != 2\n")
    assert states(flow(1, 2).run()) == ["succeeded", "failed"]
    ran()
    resumed = flow(1, 2, resume=True)
    runs = resumed.run()
    assert states(runs) == ["skipped", "skipped"]
    assert runs[1].outcome is not None
    assert (runs[1].outcome.status, str(runs[1].outcome.error)) == ("failed", "AssertionError")
    assert str(resumed.recorder.resumed) == (
        "skipped 1 that succeeded before and 1 that failed before (--retry-failed runs them again)"
    )
    again = flow(1, 2, retry_failed=True)
    assert states(again.run()) == ["skipped", "failed"]
    assert ran() == "2"


def test_success_after_a_failure_counts() -> None:
    Path("train.py").write_text(SCRIPT + "import os\nassert os.path.exists('data')\n")
    flow(1).run()
    Path("data").touch()
    flow(1, retry_failed=True).run()
    Path("data").unlink()
    assert states(flow(1, resume=True).run()) == ["skipped"]


def test_each_record_stands_for_one_run() -> None:
    flow(1, 1).run()
    assert states(flow(1, 1, 1, resume=True).run()) == ["skipped", "skipped", "succeeded"]


def test_skipped_runs_have_their_outcomes() -> None:
    Path("train.py").write_text(
        "from pathlib import Path\nlr = 0\nlast = Path('out') / f'{lr}.pt'\nloss = float('nan')\n"
        "print('hello')\ndef main():\n    return {'lr': lr, 'betas': (1, 2)}\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    flow(1, outputs=("last", "loss")).run()
    (run,) = flow(1, outputs=("last",), resume=True).run()
    assert run.outcome is not None
    assert run.outcome.value == {"lr": 1, "betas": (1, 2)}
    assert run.outcome.outputs["last"] == Path("out/1.pt")
    assert run.outcome.outputs["loss"] != run.outcome.outputs["loss"]
    assert run.outcome.seconds > 0
    assert run.log is not None
    assert run.log.read_text() == "hello\n"


def test_outputs_that_nobody_kept_are_made() -> None:
    flow(1).run()
    runs = flow(1, outputs=("lr",), resume=True).run()
    assert states(runs) == ["succeeded"]


def test_values_that_are_no_data_do_not_come_back() -> None:
    Path("train.py").write_text("lr = 0\nmodel = [range(3)]\nloss = 0.5\n")
    flow(1, 2, outputs=("model", "loss")).run()
    resumed = flow(1, 2, outputs=("model", "loss"), resume=True)
    runs = resumed.run()
    assert [dict(run.outcome.outputs) for run in runs if run.outcome] == [{"loss": 0.5}] * 2
    (warning,) = resumed.warnings
    assert warning.startswith("'model' of a run that is skipped was recorded as text only")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"outputs": [1]}, id="outputs are a list"),
        pytest.param({"outputs": {"lr": {"python": "((("}}}, id="output is no Python"),
        pytest.param({"outputs": {"lr": {"python": "f()"}}}, id="output is a call"),
        pytest.param({"value": {"path": 3}}, id="path is a number"),
        pytest.param({"wanted": 5}, id="wanted is a number"),
        pytest.param({"git": "main"}, id="git is text"),
        pytest.param({"error": {"what": 1}}, id="error is another"),
        pytest.param({"schema": 99}, id="of a later version"),
        pytest.param({"attempt": float("inf")}, id="attempt without an end"),
        pytest.param({"status": "paused"}, id="unknown status"),
        pytest.param(
            {"status": "running", "process": {"pid": 10**30, "start": ""}, "flow": None},
            id="process that cannot be",
        ),
        pytest.param(
            {"status": "running", "process": {"pid": -1, "start": ""}, "flow": None},
            id="all processes",
        ),
    ],
)
def test_damaged_record_is_none(damage: dict[str, Any]) -> None:
    flow(1, outputs=("lr",)).run()
    (path,) = ROOT.glob("*/run.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    resumed = flow(1, outputs=("lr",), resume=True)
    assert states(resumed.run()) == ["succeeded"]
    assert resumed.warnings == []


@pytest.mark.parametrize(
    "field", ["program", "script"], ids=["program is a list", "entrypoint is a list"]
)
def test_damaged_record_of_another_program(field: str) -> None:
    flow(1).run()
    (path,) = ROOT.glob("*/run.json")
    facts = json.loads(path.read_text())
    damage = {"program": ["x"], "script": {**facts["script"], "entrypoint": []}}[field]
    path.write_text(json.dumps({**facts, field: damage}))
    assert states(flow(1, resume=True).run()) == ["skipped"]


def test_killed_flow_is_continued() -> None:
    Path("train.py").write_text(
        SCRIPT + "import os, time\nif lr == 2 and os.path.exists('hang'):\n"
        "    open('hanging', 'w').close()\n    time.sleep(600)\n"
    )
    Path("hang").touch()
    with started_flow("train.py", "1", "2", "3") as killed:
        wait_for(lambda: Path("hanging").exists() or None)
        (running,) = wait_for(_with_process)
        run = psutil.Process(running.facts["process"]["pid"])
        killed.kill()
        killed.wait()
    run.kill()
    run.wait()
    Path("hang").unlink()
    ran()
    with started_flow("train.py", "1", "2", "3", "--resume") as resumed:
        assert resumed.wait() == 0
    assert ran() == "2.0 3.0"
    assert [one.status for one in find_runs(ROOT)] == ["succeeded", "lost", *["succeeded"] * 2]


def test_run_that_outlived_its_flow_is_named() -> None:
    Path("train.py").write_text(SCRIPT + "import os, time\nif not os.path.exists('go'):\n"
                                "    open('sleeps', 'w').close()\n    time.sleep(600)\n")  # fmt: skip
    with started_flow("train.py", "1") as killed:
        (running,) = wait_for(_with_process)
        wait_for(lambda: Path("sleeps").exists() or None)
        run = psutil.Process(running.facts["process"]["pid"])
        killed.kill()
        killed.wait()
    Path("go").touch()
    resumed = flow(1.0, resume=True)
    assert states(resumed.run()) == ["succeeded"]
    (warning,) = resumed.warnings
    assert f"still runs in process {run.pid} of another flow" in warning
    run.kill()
    run.wait()


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        pytest.param({}, "skipped", id="it has succeeded"),
        pytest.param({"status": "failed"}, "skipped", id="it has failed"),
        pytest.param({"status": "interrupted"}, "succeeded", id="it was interrupted"),
        pytest.param({"wanted": []}, "succeeded", id="it kept other outputs"),
    ],
)
def test_run_of_another_flow_that_ends_meanwhile(ended: dict[str, Any], expected: str) -> None:
    flow(1, outputs=("lr",)).run()
    (path,) = ROOT.glob("*/run.json")
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "status": "running"}))  # its flow is this process
    resumed = flow(1, outputs=("lr",), resume=True)
    path.write_text(json.dumps({**facts, **ended}))
    assert states(resumed.run()) == [expected]
    assert resumed.warnings == []


def test_value_without_content_is_named_once() -> None:
    keys = {"a": 1}.keys()
    resumed = flow(keys, keys, resume=True)
    assert states(resumed.run()) == ["succeeded", "succeeded"]
    (warning,) = resumed.warnings
    assert "'lr' holds a value that cannot be recognised in another process" in warning
    assert "dict_keys" in warning


def test_run_of_another_machine_is_named() -> None:
    flow(1).run()
    (path,) = ROOT.glob("*/run.json")
    change = {"status": "running", "host": "elsewhere.example", "process": {"pid": 1, "start": ""}}
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    resumed = flow(1, resume=True)
    assert states(resumed.run()) == ["succeeded"]
    (warning,) = resumed.warnings
    assert "was running on 'elsewhere.example' when its record was last written" in warning


def _with_process() -> list[Any] | None:
    found = [one for one in find_runs(ROOT, ("running",)) if one.facts["process"]]
    return found or None


def test_other_commits_are_counted() -> None:
    names = ["-c", "user.name=n", "-c", "user.email=e@x"]
    for words in (["init", "-q"], ["add", "train.py"], ["commit", "-qm", "one"]):
        subprocess.run(["git", *names, *words], check=True)
    flow(1, 2).run()
    subprocess.run(["git", *names, "commit", "-qm", "two", "--allow-empty"], check=True)
    flow(3).run()
    resumed = flow(1, 2, 3, resume=True)
    resumed.run()
    assert str(resumed.recorder.resumed) == (
        "skipped 3 that succeeded before; 2 of them at another git commit"
    )


def test_retries_of_a_resumed_run_are_made() -> None:
    Path("train.py").write_text(SCRIPT + "assert lr != 1\n")
    settings = FlowSettings(retries=2, backoff=0.01)
    flow(1, 1).run()
    ran()
    flow(1, 1, 1, resume=True, settings=settings).run()
    assert ran() == "1 1 1", "the third Config, three times"


def test_config_class_is_the_same_in_another_process() -> None:
    Path("cfg.py").write_text(
        "import enum\nclass Mode(enum.Enum):\n    A = 1\nclass Own:\n    x = 1\n"
        "lr = {'mode': Mode.A, 'own': Own(), 'f': lambda n: n + Own.x, 's': {'b', 'a'}}\n"
    )
    program = (
        "from pathlib import Path\nfrom kohaku_ast.config.config_files import load_config\n"
        "from tests.store.flows import Recorded\n"
        "runs = Recorded('train.py', [load_config('cfg.py')], root=Path('.kogine/runs'),\n"
        "    resume=True).run()\nprint([run.state for run in runs])\n"
    )
    told = [
        subprocess.check_output(
            [sys.executable, "-c", program], text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        for seed in "12"
    ]  # fmt: skip
    assert told == ["['succeeded']\n", "['skipped']\n"]
