"""What is seen of a flow on a terminal, in a pipe, and by machines."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.recorded import KOGINE, records
from tests.flow.terminal import Program
from tests.oracle import on_path, run, run_kogine

SCRIPT = """\
import os, time
n = 0
print(f"epoch 1/4 loss: {n / 2}", flush=True)
while os.path.exists("wait"):
    time.sleep(0.01)
if n > 2:
    raise ValueError(f"too big: {n}")
"""
PARALLEL = ("run", "train.py", "--sweep", "n=1,2,3,4", "--workers", "2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(SCRIPT)
    return tmp_path


def on_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch, words: Sequence[str]) -> Program:
    monkeypatch.setenv("PYTHONPATH", on_path())
    return Program([*KOGINE, *words], folder, columns=120)


def test_a_line_for_each_change_and_the_failures_once(folder: Path) -> None:
    done = run_kogine(folder, *PARALLEL)
    assert (done.status, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    for n in (1, 2):
        assert f"started [{n}/4] n={n}" in lines
        assert any(
            line.startswith(f"succeeded [{n}/4] n={n} in ") and line.endswith(f"loss={n / 2:g}")
            for line in lines
        ), lines
    heads = [line for line in lines if line.startswith("failed [") and " in " not in line]
    assert len(heads) == 1
    assert "  (and 1 more with the same error: [" in done.stderr
    assert "  | ValueError: too big: " in done.stderr
    assert "  log: .kogine/runs/" in done.stderr
    assert "  again: kogine run train.py n=" in done.stderr
    assert lines[-1].startswith("4 runs: 2 succeeded, 2 failed in ")
    *_, words = [
        line for line in lines if line.startswith("with other values: kogine runs repeat ")
    ]
    repeat = words.removeprefix("with other values: kogine ").replace("TARGET=VALUE", "n=1")
    assert run_kogine(folder, *repeat.split()).status == 0


def test_numbers_may_be_left_alone(folder: Path) -> None:
    assert "loss=" not in run_kogine(folder, *PARALLEL, "--no-metrics").stderr


def test_a_table_on_a_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "wait").touch()
    program = on_terminal(folder, monkeypatch, PARALLEL)
    screen = program.wait_for(lambda text: text.count("running") >= 2 and "epoch 1/4" in text)
    assert [word for word in screen[0].split() if word in ("run", "state", "label")]
    (folder / "wait").unlink()
    assert program.end() == 1
    shown = "\n".join(line.rstrip() for line in program.screen.display)
    assert "4 of 4 finished, 2 failed" in shown
    assert "4 runs: 2 succeeded, 2 failed in " in shown


def test_one_after_another_on_a_terminal_shows_what_they_print(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = on_terminal(folder, monkeypatch, ["run", "train.py", "--sweep", "n=1,2"])
    assert program.end() == 0
    told = program.data.decode().replace("\r\n", "\n")
    assert told.startswith("[1/2] n=1\nepoch 1/4 loss: 0.5\n[2/2] n=2\nepoch 1/4 loss: 1.0\n")


def test_an_override_without_effect_is_reported_once_for_a_flow(folder: Path) -> None:
    (folder / "train.py").write_text("n = 0\nif n == 99:\n    m = 1\n")
    done = run_kogine(folder, *PARALLEL, "m=2")
    assert done.stderr.count("override 'm' was not used: line 3 of train.py did not run") == 1
    assert "did not run (4 runs)" in done.stderr


@pytest.mark.parametrize("mode", [(), ("--mode", "inline"), ("--isolate",), ("--workers", "2")], ids=["auto", "inline", "isolated", "two workers"])  # fmt: skip
def test_json(folder: Path, mode: tuple[str, ...]) -> None:
    run_kogine(folder, "run", "train.py", "--sweep", "n=1")
    arguments = ("run", "train.py", "--sweep", "n=1,2,3", "--json", "--resume", *mode)
    done = run_kogine(folder, *arguments)
    assert done.status == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    events = [(one["event"], one.get("label")) for one in lines if one["event"] != "progress"]
    assert sorted(events[:-1]) == [
        ("end", "n=2"), ("end", "n=3"), ("skip", "n=1"), ("start", "n=2"), ("start", "n=3"),
    ]  # fmt: skip
    (end,) = [one for one in lines if one["event"] == "end" and one["state"] == "failed"]
    assert (end["error"]["type"], end["error"]["message"]) == ("ValueError", "too big: 3")
    assert json.loads((Path(end["folder"]) / "run.json").read_text())["status"] == "failed"
    assert end["metrics"] == {"loss": 1.5} or "loss" in end["metrics"]
    assert lines[-1]["exit_status"] == 1
    assert lines[-1]["counts"] == {"skipped": 1, "succeeded": 1, "failed": 1}


def test_json_of_a_flow_that_cannot_begin_has_the_status_of_the_command(folder: Path) -> None:
    (folder / "cfg.py").write_text("def config_gen():\n    yield {'none': 1}\n")
    done = run_kogine(folder, "run", "train.py", "--config", "cfg.py", "--json")
    (finish,) = map(json.loads, done.stdout.splitlines())
    assert (done.status, finish["event"], finish["exit_status"]) == (2, "finish", 2)


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", ">/dev/full"])
@pytest.mark.parametrize("mode", [(), ("--workers", "2")], ids=["one worker", "two workers"])
def test_json_that_nobody_can_read_stops_no_run(
    folder: Path, closed: str, mode: tuple[str, ...]
) -> None:
    (folder / "cfg.py").write_text("print('of the config')\n_sweep = {'n': [1, 2]}\n")
    words = [*KOGINE, "run", "train.py", "--config", "cfg.py", "--json", *mode]
    done = run(["sh", "-c", f"{shlex.join(words)} {closed}"], folder, PYTHONPATH=on_path())
    assert (done.status, "Traceback" in done.stderr) == (int("full" in closed), False)
    assert [record.status for record in records(folder)] == ["succeeded"] * 2
    for line in done.stdout.splitlines():
        json.loads(line)


def test_the_command_repeats_a_run_of_a_workflow(folder: Path) -> None:
    (folder / "prep.py").write_text("size = 1\nprint('prep', size)\n")
    (folder / "cfg.py").write_text("size = 5\n_sweep = {'n': [1, 3]}\n")
    workflow = ("workflow", "parallel", "prep.py", "train.py", "--config", "cfg.py")
    done = run_kogine(folder, *workflow, "--workers", "2")
    (line,) = [line for line in done.stderr.splitlines() if "again: " in line]
    words = shlex.split(line.partition("again: ")[2])
    assert words == ["kogine", "run", "train.py", "n=3"]
    again = run_kogine(folder, *words[1:])
    assert "ValueError: too big: 3" in again.stderr


def test_a_returned_value_that_cannot_be_sent_fails_no_run_of_the_command_line(
    folder: Path,
) -> None:
    (folder / "train.py").write_text(
        "import threading\nn = 0\nloss = n / 2\ndef main():\n    return threading.Lock()\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    for mode in ("spawn", "warm"):
        done = run_kogine(folder, "run", "train.py", "--sweep", "n=1,2", "--mode", mode)
        assert done.status == 0, done.stderr
    searched = run_kogine(
        folder, "run", "train.py", "--sweep", "n=1,2", "--search", "optuna", "--minimize", "loss",
        "-n", "2", "--isolate",
    )  # fmt: skip
    assert searched.status == 0, searched.stderr


def test_a_failed_run_whose_values_no_command_makes_names_its_record(folder: Path) -> None:
    (folder / "bad.py").write_text("kind = None\nprint(kind.depth)\nkind.missing\n")
    (folder / "gen.py").write_text(
        "class Kind:\n    depth = 3\ndef config_gen():\n    yield {'kind': Kind()}\n    yield {'kind': Kind}\n"
    )
    done = run_kogine(folder, "run", "bad.py", "--config", "gen.py")
    words = shlex.split(done.stderr.partition("again: ")[2].partition("\n")[0])
    assert words[:3] == ["kogine", "runs", "repeat"]
    again = run_kogine(folder, *words[1:])
    assert (again.status, again.stdout) == (1, "3\n")
    piped = run_kogine(folder, "run", "-", "--sweep", "x=1,2", stdin="x = 1\nx / 0\n")
    assert "again: kogine runs reproduce 2" in piped.stderr
