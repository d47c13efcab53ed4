"""``kogine run --search``: searches as a user starts, ends and goes on with them."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flow.study_file import states
from tests.oracle import Finished, on_path, run, run_kogine, run_python

TRAIN = """\
x = 0.0
kind = "a"


def main():
    print(x, kind)
    return {"loss": (x - 0.3) ** 2 + (kind != "b")}


if __name__ == "__main__":
    main()
"""
SPACE = ("--sweep", "x=uniform:-10:10", "--sweep", "kind=a,b")
SEARCH = (*SPACE, "--search", "optuna", "--minimize", "loss")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(TRAIN)
    return tmp_path


def searched(folder: Path, *arguments: str) -> Finished:
    return run_kogine(folder, "run", "train.py", *arguments)


@pytest.mark.parametrize("isolate", [(), ("--mode", "inline")], ids=["auto", "in this process"])
def test_a_quadratic_is_found_and_the_last_command_repeats_it(
    folder: Path, isolate: tuple[str, ...]
) -> None:
    done = searched(folder, *SEARCH, "-n", "25", "--seed", "0", *isolate)
    assert done.status == 0, done.stderr
    assert len(done.stdout.splitlines()) == 25
    assert "[25/25]" in done.stderr
    best, again = done.stderr.splitlines()[-2:]
    assert float(best.split()[2].rstrip(",")) < 1.5
    words = shlex.split(again.partition("again: ")[2])
    repeated = run_kogine(folder, *words[1:])
    assert repeated.stdout in done.stdout
    assert repeated.status == 0
    assert "optuna" not in done.stderr.replace("--search optuna", "")


def test_a_second_command_goes_on_and_a_seed_makes_both_one(folder: Path) -> None:
    first = searched(folder, *SEARCH, "-n", "6", "--seed", "3")
    second = searched(folder, *SEARCH, "-n", "7", "--seed", "3", "--isolate")
    (study,) = (folder / ".kogine" / "studies").glob("train-*.db")
    assert "continues from 6 trials, best loss " in second.stderr
    assert "goes on" not in first.stderr
    assert states(study) == {"COMPLETE": 13}
    whole = searched(folder, *SEARCH, "-n", "13", "--seed", "3", "--study", "other/whole.db")
    assert whole.stdout == first.stdout + second.stdout
    assert (folder / "other" / "whole.db").exists()
    assert (folder / ".kogine" / "studies" / ".gitignore").read_text() == "*\n"


def test_other_values_are_another_study(folder: Path) -> None:
    for change in ((), ("--add", "y=1"), ("--", "--deep")):
        searched(folder, *SEARCH, "-n", "1", *change)
    assert len(list((folder / ".kogine" / "studies").glob("*.db"))) == 3
    searched(folder, *SEARCH, "-n", "1", "--study", "one.db")
    done = searched(folder, *SEARCH, "-n", "1", "--study", "one.db", "--", "--deep")
    assert done.status == 2
    assert "another search" in done.stderr
    assert "--deep" in done.stderr


@pytest.mark.parametrize("isolate", [(), ("--mode", "inline")], ids=["auto", "in this process"])
def test_failing_runs_are_failed_trials_and_the_search_goes_on(
    folder: Path, isolate: tuple[str, ...]
) -> None:
    (folder / "train.py").write_text(
        "x = 0\nif x == 1: raise ValueError('one')\nloss = {2: float('nan'), 3: 'low'}.get(x, x)\n"
    )
    arguments = ("--search", "optuna", "--minimize", "loss", "-n", "15", "--seed", "2", *isolate)
    done = searched(folder, "--sweep", "x=0,1,2,3", *arguments)
    assert done.status == 1
    for words in (
        "a failed trial: loss is nan",
        "a failed trial: the global 'loss' is no number: 'low'",
        "x=1: ValueError: one\n",
        "again: kogine run train.py x=1\n",
        "of them have no loss",
        "best loss 0.0, trial ",
        "again: kogine run train.py x=0\n",
    ):
        assert words in done.stderr
    (study,) = (folder / ".kogine" / "studies").glob("*.db")
    assert sum(states(study).values()) == 15
    assert states(study).keys() == {"COMPLETE", "FAIL"}


def test_it_ends_after_the_first_trial_without_the_objective(folder: Path) -> None:
    done = searched(folder, *SPACE, "--search", "optuna", "--maximize", "los", "-n", "20")
    assert done.status == 2
    assert "1 run: 1 succeeded" in done.stderr
    assert "19 not started" in done.stderr
    assert "no trial has succeeded" in done.stderr
    assert "kogine: error: search: it ends after a trial without a result" in done.stderr
    assert "Did you mean 'loss'?" in done.stderr


PRINTS = """\
import time
x = 0.0
for epoch in range(3):
    print(f"epoch {epoch + 1}/3 train_loss: {x:.1f} val_loss: {(x - 0.3) ** 2 + 2 - epoch:.6f}")
def main():
    return 0
if __name__ == "__main__":
    raise SystemExit(main())
"""


@pytest.mark.parametrize(
    "words", [(), ("--workers", "2"), ("--mode", "inline")], ids=["auto", "two workers", "inline"]
)
def test_the_last_printed_number_is_the_objective(folder: Path, words: tuple[str, ...]) -> None:
    (folder / "train.py").write_text(PRINTS)
    space = ("--sweep", "x=0.1,0.2,0.3,0.4", "--search", "optuna", "--seed", "0")
    done = searched(folder, *space, "-n", "8", "--minimize", "val_loss", *words)
    assert done.status == 0, done.stderr
    assert "8 runs: 8 succeeded" in done.stderr
    assert "warning" not in done.stderr
    (study,) = (folder / ".kogine" / "studies").glob("*.db")
    assert states(study) == {"COMPLETE": 8}
    best, again = done.stderr.splitlines()[-2:]
    x = again.rpartition("x=")[2]
    assert best.startswith(f"best val_loss {round((float(x) - 0.3) ** 2, 6)!r}, trial ")


def test_a_mistyped_printed_number_shows_those_that_were_printed(folder: Path) -> None:
    (folder / "train.py").write_text(PRINTS)
    words = ("--search", "optuna", "-n", "9", "--workers", "2", "--minimize", "valloss")
    done = searched(folder, "--sweep", "x=0.1,0.2", *words)
    assert done.status == 2
    assert "prints the numbers epoch, train_loss, val_loss" in done.stderr
    assert "Did you mean 'val_loss'?" in done.stderr
    assert "9 runs" not in done.stderr


EARLY = """\
import os
x = 0
def main():
    if os.environ["KOGINE_RUN_INDEX"] == "1":
        return 0
    print(f"val_loss: {x + 1:.6f}")
    return 0.25
if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize(
    ("early", "name", "status", "words"),
    [
        pytest.param("1", "val_loss", 1, "3 trials, 1 of them failed\nbest val_loss 2.0", id="later"),
        pytest.param("0", "val_loss", 2, "from a returned value, 0.0 with x=1", id="at first"),
        pytest.param("1", "val_los", 2, "Did you mean 'val_loss'?", id="a mistyped name"),
    ],
)  # fmt: skip
def test_a_returned_number_is_not_the_printed_one(
    folder: Path, early: str, name: str, status: int, words: str
) -> None:
    (folder / "train.py").write_text(EARLY.replace('== "1"', f'== "{early}"'))
    space = ("--sweep", "x=choice:1:1.0", "--search", "optuna", "--seed", "0", "-n", "3")
    done = searched(folder, *space, "--minimize", name)
    assert (done.status, words in done.stderr) == (status, True), done.stderr


def test_a_printed_number_with_fewer_digits_gives_way_to_the_returned_one(folder: Path) -> None:
    (folder / "train.py").write_text(
        "x = 0.0\ndef main():\n    loss = x / 7\n    print(f'loss: {loss:.2f}')\n    return loss\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    words = ("--search", "optuna", "-n", "1", "--minimize", "loss")
    done = searched(folder, "--sweep", "x=choice:1:1.0", *words)
    assert f"best loss {1 / 7!r}, trial 1" in done.stderr, done.stderr


def test_printed_numbers_need_records(folder: Path) -> None:
    (folder / "train.py").write_text(PRINTS)
    words = ("--search", "optuna", "-n", "2", "--minimize", "val_loss", "--no-record")
    done = searched(folder, "--sweep", "x=0.1,0.2", *words)
    assert done.status == 2
    assert "its output was not recorded" in done.stderr


def test_a_continued_search_stops_at_its_first_trial_without_a_number(folder: Path) -> None:
    (folder / "train.py").write_text(PRINTS)
    words = ("--search", "optuna", "-n", "9", "--minimize", "val_loss", "--study", "s.db")
    done = searched(folder, "--sweep", "x=0.1,0.2", *words[:3], "1", *words[4:])
    assert done.status == 0, done.stderr
    done = searched(folder, "--sweep", "x=0.1,0.2", *words, "--no-record")
    assert done.status == 2
    assert "it ends after a trial without a result" in done.stderr
    assert states(folder / "s.db") == {"COMPLETE": 1, "FAIL": 1}


def test_a_sweep_of_a_config_file_is_a_space(folder: Path) -> None:
    (folder / "cfg.py").write_text("_sweep = {'x': 'uniform:0:1', 'kind': ['b']}\n")
    arguments = ("--config", "cfg.py", "--search", "optuna", "--minimize", "loss", "-n", "3")
    done = searched(folder, *arguments)
    assert done.status == 0, done.stderr
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["b"] * 3


def test_a_config_file_may_hold_the_search(folder: Path) -> None:
    (folder / "cfg.py").write_text(
        "from kohaku_ast import Sweep, search\n"
        "CONFIG = search(Sweep(x='uniform:0:1'), n=4, minimize='loss', study='own.db')\n"
    )
    for isolate in ((), ("--isolate",)):
        done = searched(folder, "--config", "cfg.py", *isolate)
        assert done.status == 0, done.stderr
    assert states(folder / "own.db") == {"COMPLETE": 8}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param((*SPACE, "-n", "3", "--search", "optuna"), ["objective", "--minimize loss"], id="no objective"),
        pytest.param((*SEARCH, "--maximize", "x", "-n", "3"), ["--minimize and --maximize", "one objective"], id="two objectives"),
        pytest.param(SEARCH, ["how many", "-n 50"], id="no number of trials"),
        pytest.param((*SEARCH, "-n", "0"), ["-n 0", "at least 1"], id="no trials"),
        pytest.param((*SEARCH, "-n", "3", "--seed", "x"), ["--seed x"], id="a seed that is no number"),
        pytest.param(("--search", "optuna", "--minimize", "loss", "-n", "3"), ["no axis", "--sweep"], id="no axis"),
        pytest.param((*SPACE, "--search", "optna", "--minimize", "loss", "-n", "3"), ["'optna'", "Did you mean 'optuna'?"], id="a near method"),
        pytest.param((*SEARCH, "-n", "3", "--resume"), ["continues by itself"], id="resumed as a sweep"),
        pytest.param((*SPACE, "-n", "3", "--minimize", "loss"), ["--minimize", "--search optuna"], id="an objective without search"),
        pytest.param((*SPACE, "-n", "3", "--study", "x.db"), ["--study", "--search optuna"], id="a study without search"),
        pytest.param(("--sweep", "x=normal:0:1", *SEARCH[4:], "-n", "3"), ["normal", "uniform:-2:2"], id="a normal distribution"),
        pytest.param(("--sweep", "z=uniform:0:1", *SEARCH[4:], "-n", "3"), ["'z'"], id="an unknown target"),
        pytest.param((*SEARCH, "-n", "3", "x=1"), ["'x'", "given twice"], id="a target that is set too"),
        pytest.param((*SEARCH, "-n", "3", "--study", "train.py"), ["train.py", "study"], id="a study that is none"),
        pytest.param((*SEARCH, "-n", "3", "--study", "train.py/x.db"), ["train.py/x.db"], id="a study that cannot be"),
    ],
)  # fmt: skip
def test_a_mistake_stops_before_anything_runs(
    folder: Path, arguments: tuple[str, ...], words: list[str]
) -> None:
    done = searched(folder, *arguments)
    assert (done.status, done.stdout) == (2, ""), done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert (folder / "train.py").read_text() == TRAIN
    assert not (folder / ".kogine").exists()


def test_a_range_that_does_not_fit_its_parameter_is_a_mistake(folder: Path) -> None:
    (folder / "train.py").write_text("n: int = 3\nloss = n\n")
    done = searched(folder, "--sweep", "n=uniform:0:1", *SEARCH[4:], "-n", "3")
    assert (done.status, done.stdout) == (2, "")
    assert "expected int" in done.stderr
    assert not (folder / ".kogine").exists()


def test_a_dry_run_shows_the_space_and_keeps_nothing(folder: Path) -> None:
    done = searched(folder, *SEARCH, "-n", "9", "--dry-run")
    assert done.status == 0
    assert "axis x: uniform:-10.0:10.0\naxis kind: a, b\n" in done.stdout
    assert "9 trials" in done.stdout
    assert not (folder / ".kogine").exists()


def test_without_optuna_the_line_to_type_is_shown(folder: Path) -> None:
    program = "import sys; sys.modules['optuna'] = None; from kogine.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "run", "train.py", *SEARCH, "-n", "3"]
    done = run(command, folder, PYTHONPATH=on_path())
    assert done.status == 2
    assert 'pip install "kohaku-ast[optuna]"' in done.stderr
    assert "Traceback" not in done.stderr
    assert run_python(folder, "train.py").status == 0


SLOW = "import time\nx = 0.0\nloss = x\nprint(x, flush=True)\nif x > 0: time.sleep(60)\n"


@pytest.mark.parametrize("isolate", [(), ("--mode", "inline")], ids=["auto", "in this process"])
@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGKILL], ids=lambda one: one.name)
def test_a_search_that_was_ended_goes_on(
    folder: Path, ended_by: signal.Signals, isolate: tuple[str, ...]
) -> None:
    (folder / "train.py").write_text(SLOW)
    arguments = ("--sweep", "x=uniform:-1:1", *SEARCH[4:], "--seed", "1", "--study", "s.db")
    process = started(folder, "train.py", *arguments, "-n", "9", *isolate)
    assert process.stdout
    printed = 0
    for line in process.stdout:
        printed += 1
        if float(line) > 0:
            break  # this one sleeps
    # As the terminal does it for Ctrl-C; a killed process leaves its children to the system.
    os.killpg(process.pid, ended_by)
    process.wait(30)
    process.stdout.close()
    if ended_by == signal.SIGINT:
        assert process.returncode in (130, -signal.SIGINT)
        assert states(folder / "s.db") == {"COMPLETE": printed - 1, "FAIL": 1}
    else:
        assert states(folder / "s.db") == {"COMPLETE": printed - 1, "RUNNING": 1}
    (folder / "train.py").write_text(SLOW.replace("60", "0"))
    done = searched(folder, *arguments, "-n", "2")
    assert f"continues from {printed} trial" in done.stderr
    assert "1 of them failed" in done.stderr
    assert states(folder / "s.db") == {"COMPLETE": printed + 1, "FAIL": 1}


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        pytest.param([], ["-n", "9", "--minimize", "loss"], id="behind the script"),
        pytest.param(["-n9", "--no-record", "--minimize=loss"], ["--seed", "1"], id="before it"),
        pytest.param(["-n", "9", "--minimize", "loss"], ["--", "-n", "4"], id="and the script's"),
    ],
)
def test_the_command_after_ctrl_c_runs_the_trials_that_are_left(
    folder: Path, before: list[str], behind: list[str]
) -> None:
    (folder / "train.py").write_text(SLOW)
    axes = ["--sweep", "x=uniform:-1:1", "--search", "optuna", "--study", "s.db"]
    words = [*before, *axes, "train.py", *behind]
    process = started(folder, *words, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    for line in process.stdout:
        if float(line) > 0:
            break  # this one sleeps
    os.killpg(process.pid, signal.SIGINT)
    errors = process.stderr.read()
    process.wait(30)
    process.stdout.close()
    process.stderr.close()
    assert "goes on" not in errors
    (told,) = [one for one in errors.splitlines() if one.startswith("go on with: ")]
    (folder / "train.py").write_text(SLOW.replace("60", "0"))
    done = run_kogine(folder, *shlex.split(told.removeprefix("go on with: kogine ")))
    assert done.status == 0, done.stderr
    assert states(folder / "s.db") == {"COMPLETE": 9, "FAIL": 1}


def started(
    folder: Path, *arguments: str, stderr: int = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    launcher = Path(__file__).parents[1] / "kogine_command.py"
    return subprocess.Popen(
        [sys.executable, str(launcher), "run", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": on_path()},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,
    )
