"""``--resume`` and ``--retry-failed``, as a user goes on with what was cut short."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.cli.recorded import records, started
from tests.oracle import Finished, run_kogine
from tests.store.flows import wait_for

SCRIPT = "n = 0\nprint('run', n)\nif n == 2:\n    raise ValueError('two')\n"
MODES = pytest.mark.parametrize(
    "mode",
    [
        pytest.param((), id="auto"),
        pytest.param(("--mode", "inline"), id="inline"),
        pytest.param(("--isolate",), id="isolated"),
        pytest.param(("--mode", "warm", "--workers", "1"), id="warm"),
    ],
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(SCRIPT)
    return tmp_path


def swept(folder: Path, values: str, *more: str) -> Finished:
    return run_kogine(folder, "run", "train.py", "--sweep", f"n={values}", *more)


@MODES
def test_what_has_succeeded_is_left_out_whatever_its_number(
    folder: Path, mode: tuple[str, ...]
) -> None:
    swept(folder, "1,3")
    done = swept(folder, "5,3,1,4", "--resume", *mode)
    assert (done.status, done.stdout) == (0, "run 5\nrun 4\n")
    assert "skipped [2/4] n=3: it has succeeded before\n" in done.stderr
    assert "kogine: skipped 2 that succeeded before\n4 runs: 2 succeeded, 2 skipped" in done.stderr


def test_failed_runs_are_left_and_still_a_failure(folder: Path) -> None:
    swept(folder, "1,2")
    left = swept(folder, "1,2,3", "--resume")
    assert (left.status, left.stdout) == (1, "run 3\n")
    assert "1 that failed before (--retry-failed runs them again)" in left.stderr
    again = swept(folder, "1,2,3", "--resume", "--retry-failed")
    assert (again.status, again.stdout) == (1, "run 2\n")
    assert "failed [2/3] n=2: ValueError: two" in again.stderr
    assert swept(folder, "1,2,3", "--retry-failed").stdout == "run 2\n"
    assert swept(folder, "1,3", "--resume").status == 0


def test_other_scripts_arguments_and_values_are_other_runs(folder: Path) -> None:
    swept(folder, "1")
    assert swept(folder, "1", "--resume").stdout == ""
    assert swept(folder, "1", "--resume", "--", "--deep").stdout == "run 1\n"
    (folder / "train.py").write_text(SCRIPT + "more = 1\n")
    assert swept(folder, "1", "--resume").stdout == "run 1\n"
    assert swept(folder, "1", "--resume", "more=2").stdout == "run 1\n"
    (folder / "cfg.py").write_text("more = 2\n_sweep = {'n': [4, 1]}\n")
    config = run_kogine(folder, "run", "train.py", "--config", "cfg.py", "--resume")
    assert config.stdout == "run 4\n"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_killed_sweep_goes_on(folder: Path, workers: str) -> None:
    (folder / "train.py").write_text(
        "import os, time\nn = 0\nprint('run', n)\n"
        "if n == 3 and not os.path.exists('go'):\n    open('up', 'w').close()\n    time.sleep(600)\n"
    )
    arguments = ("--workers", workers, "--mode", "spawn", "--on-error", "continue")
    sweep = ("run", "train.py", "--sweep", "n=1,2,3,4", *arguments)
    with started(folder, *sweep, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as flow:
        wait_for(lambda: (folder / "up").exists() or None)
        (left,) = wait_for(lambda: _of_three(folder))
        # With two workers, the fourth may be under way as well.
        flow.kill()
    process = psutil.Process(left)
    process.kill()
    process.wait()
    (folder / "go").touch()
    states = wait_for(lambda: _settled(folder))
    assert states["n=3"] == "lost"
    done = swept(folder, "1,2,3,4", "--resume", *arguments)
    assert done.status == 0, done.stderr
    missing = sum(states.get(f"n={n}") != "succeeded" for n in (1, 2, 3, 4))
    assert f"{missing} succeeded, {4 - missing} skipped" in done.stderr
    assert missing >= 1


def _of_three(folder: Path) -> list[int] | None:
    found = [one for one in records(folder) if one.label == "n=3" and one.facts["process"]]
    return [one.facts["process"]["pid"] for one in found] or None


def _settled(folder: Path) -> dict[str, str] | None:
    found = {one.label: one.status for one in records(folder)}
    return None if "running" in found.values() else found


def test_a_search_for_the_last_checkpoint_goes_on(folder: Path) -> None:
    """A generator gets the Outcome of a skipped run."""
    (folder / "train.py").write_text(
        "n = 0\nprint('run', n)\ndef main():\n    return n * 2\nif __name__ == '__main__':\n    main()\n"
    )
    (folder / "cfg.py").write_text(
        "def config_gen():\n    n = 1\n    while n < 20:\n        outcome = yield {'n': n}\n"
        "        n = outcome.value\n"
    )
    first = run_kogine(folder, "run", "train.py", "--config", "cfg.py", "-n", "3")
    assert first.stdout == "run 1\nrun 2\nrun 4\n"
    done = run_kogine(folder, "run", "train.py", "--config", "cfg.py", "--resume")
    assert (done.status, done.stdout) == (0, "run 8\nrun 16\n"), done.stderr


def test_a_workflow_stops_at_what_has_failed_before(folder: Path) -> None:
    (folder / "prep.py").write_text("print('prep')\n")
    (folder / "last.py").write_text("print('last')\n")
    workflow = ("workflow", "sequential", "prep.py", "train.py", "last.py", "--add", "x=1")
    (folder / "train.py").write_text("open('data').close()\nprint('train')\n")
    first = run_kogine(folder, *workflow)
    assert (first.status, first.stdout) == (1, "prep\n")
    assert "again: kogine run train.py --add x=1\n" in first.stderr
    (folder / "data").touch()
    left = run_kogine(folder, *workflow, "--resume")
    assert (left.status, left.stdout) == (1, "")
    done = run_kogine(folder, *workflow, "--retry-failed")
    assert (done.status, done.stdout) == (0, "train\nlast\n")


def test_outcomes_of_skipped_runs_have_what_the_record_holds(folder: Path) -> None:
    (folder / "train.py").write_text(
        "n = 0\nloss = n / 2\ndef main():\n    return object()\nif __name__ == '__main__':\n    main()\n"
    )
    (folder / "cfg.py").write_text(
        "from kohaku_ast import Config\ndef config_gen():\n"
        "    outcome = yield Config({'n': 3}, outputs=['loss'])\n"
        "    print('came back', outcome.outputs['loss'], outcome.status)\n"
    )
    arguments = ("run", "train.py", "--config", "cfg.py")
    told = "came back 1.5 succeeded\n"
    assert run_kogine(folder, *arguments, "--isolate").stdout == told
    assert run_kogine(folder, *arguments).stdout == told
    again = run_kogine(folder, *arguments, "--resume")
    assert (again.status, again.stdout) == (0, told)
    assert "1 run: 1 skipped" in again.stderr
    assert "'value' of a run that is skipped was recorded as text only" in again.stderr


def test_random_draws_need_their_seed_to_go_on(folder: Path) -> None:
    words = ("run", "train.py", "--sweep", "n=randint:5:1000", "-n", "2")
    unknown = run_kogine(folder, *words, "--resume")
    assert (unknown.status, unknown.stdout) == (2, "")
    assert "the one that the sweep printed at its end: --seed N" in unknown.stderr
    first = run_kogine(folder, *words)
    left = run_kogine(folder, *words, "--retry-failed")
    assert (left.status, left.stdout) == (2, "")
    found = re.search(r"--retry-failed: .* had (--seed \d+)\n", left.stderr)
    assert found is not None
    done = run_kogine(folder, *words, "--resume", *found[1].split())
    assert (first.status, done.status, done.stdout) == (0, 0, "")
    assert "2 that succeeded before" in done.stderr
