"""Sweeps: every run against a hand-edited copy under plain Python, in this process and isolated."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import Finished, edited, run_kogine, run_python
from tests.sampled import sampled
from tests.sweep_cases import CASES, REFUSED, Refused, SweepCase


def write_files(folder: Path, script: str, files: dict[str, str]) -> Path:
    (folder / "train.py").write_text(script)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def expected(folder: Path, case: SweepCase) -> str:
    """What the edited copies print, one after another."""
    texts = []
    for edits in case.runs:
        (folder / "train.py").write_bytes(edited(case.script.encode(), edits))
        done = run_python(folder, "train.py")
        assert done.status == 0, done.stderr
        texts.append(done.stdout)
    return "".join(texts)


def compare_runs(folder: Path, case: SweepCase, *options: str) -> None:
    write_files(folder, case.script, case.files)
    done = run_kogine(folder, "run", "train.py", *case.arguments, *options)
    assert done.stdout == expected(folder, case), done.stderr
    assert done.status == 0, done.stderr
    assert f"[1/{len(case.runs)}]" in done.stderr or "[1]" in done.stderr


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
def test_each_run_is_an_edited_script(tmp_path: Path, case: SweepCase) -> None:
    compare_runs(tmp_path, case)


@pytest.mark.parametrize("case", sampled({case.id: case for case in CASES}, every=6))
def test_each_isolated_run_is_an_edited_script(tmp_path: Path, case: SweepCase) -> None:
    compare_runs(tmp_path, case, "--isolate")


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in REFUSED])
def test_a_mistake_stops_before_anything_runs(tmp_path: Path, case: Refused) -> None:
    write_files(tmp_path, case.script + "print('ran')\n", case.files)
    done = run_kogine(tmp_path, "run", "train.py", *case.arguments)
    assert (done.status, done.stdout) == (2, "")
    assert "kohaku_ast" not in done.stderr.replace("from kohaku_ast", "")
    for word in case.words:
        assert word in done.stderr


def test_a_failed_run_stops_no_other_and_shows_as_under_python(tmp_path: Path) -> None:
    script = "lr = 0.1\nprint(lr)\nif lr == 2:\n    raise ValueError('two')\nprint('end')\n"
    write_files(tmp_path, script, {})
    done = run_kogine(tmp_path, "run", "train.py", "--sweep", "lr=1,2,3")
    assert done.stdout == "1.0\nend\n2.0\n3.0\nend\n"
    assert done.status == 1
    (tmp_path / "train.py").write_text(script.replace("0.1", "2.0"))
    assert run_python(tmp_path, "train.py").stderr in done.stderr
    assert "failed [2/3] lr=2: ValueError: two\n" in done.stderr
    assert "again: kogine run train.py lr=2\n" in done.stderr
    assert done.stderr.endswith("s\n")
    assert "3 runs: 2 succeeded, 1 failed" in done.stderr


@pytest.mark.parametrize(
    ("end", "status", "message"),
    [
        pytest.param("sys.exit(0)", 0, "", id="exit with 0"),
        pytest.param("sys.exit()", 0, "", id="exit with nothing"),
        pytest.param("sys.exit(3)", 1, "exit status 3", id="exit with a number"),
        pytest.param("sys.exit('why')", 1, "why\n", id="exit with a text"),
        pytest.param(
            "raise SystemExit(main())", 1, "exit status 5", id="exit with what main returns"
        ),
    ],
)
@pytest.mark.parametrize(
    "isolate",
    [(), ("--mode", "inline"), ("--isolate",)],
    ids=["auto", "in this process", "isolated"],
)
def test_exits(
    tmp_path: Path, end: str, status: int, message: str, isolate: tuple[str, ...]
) -> None:
    write_files(tmp_path, f"import sys\nlr = 1\ndef main(): return 5\nprint(lr)\n{end}\n", {})
    done = run_kogine(tmp_path, "run", "train.py", "--sweep", "lr=1,2", *isolate)
    assert (done.stdout, done.status) == ("1\n2\n", status)
    assert message in done.stderr


def test_a_process_that_kills_itself_is_one_failed_run(tmp_path: Path) -> None:
    script = "import os, signal\nn = 0\nprint(n, flush=True)\nif n == 1: os._exit(0)\nif n == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
    write_files(tmp_path, script, {})
    done = run_kogine(tmp_path, "run", "train.py", "--sweep", "n=0,1,2,3", "--isolate")
    assert (done.stdout, done.status) == ("0\n1\n2\n3\n", 1)
    assert "os._exit" in done.stderr
    assert "SIGKILL" in done.stderr
    assert "4 runs: 2 succeeded, 2 failed" in done.stderr


def test_an_endless_generator_is_resumed_only_when_a_run_can_start(tmp_path: Path) -> None:
    config = """\
def config_gen():
    n = 0
    while True:
        print("asked for", n)
        outcome = yield {"n": n}
        print("came back", outcome.status)
        n += 1
"""
    write_files(tmp_path, "import sys\nn = 0\nprint('run', n)\n", {"cfg.py": config})
    done = run_kogine(tmp_path, "run", "train.py", "--config", "cfg.py", "-n", "3")
    assert done.stdout.splitlines()[:7] == [
        "asked for 0", "run 0", "came back succeeded", "asked for 1", "run 1",
        "came back succeeded", "asked for 2",
    ]  # fmt: skip
    assert done.stdout.count("run ") == 3
    assert done.status == 0


def test_a_generator_that_fails_later_ends_the_sweep_and_is_reported(tmp_path: Path) -> None:
    config = "def config_gen():\n    yield {'n': 1}\n    1 / 0\n"
    write_files(tmp_path, "n = 0\nprint('run', n)\n", {"cfg.py": config})
    done = run_kogine(tmp_path, "run", "train.py", "--config", "cfg.py")
    assert (done.stdout, done.status) == ("run 1\n", 2)
    assert "ZeroDivisionError" in done.stderr
    assert "1 run: 1 succeeded" in done.stderr


def test_draws_are_repeated_by_their_seed(tmp_path: Path) -> None:
    write_files(tmp_path, "lr = 0.1\nbs = 4\nprint(lr, bs)\n", {})

    def drawn(*more: str) -> Finished:
        return run_kogine(
            tmp_path, "run", "train.py", "--sweep", "lr=loguniform:1e-5:1e-1", "-n", "5", *more
        )

    first, again, other, new = (
        drawn("--seed", "7"),
        drawn("--seed", "7"),
        drawn("--seed", "8"),
        drawn(),
    )
    assert first.stdout == again.stdout != other.stdout
    assert len(set(first.stdout.splitlines())) == 5
    assert all(1e-5 <= float(line.split()[0]) <= 1e-1 for line in first.stdout.splitlines())
    assert "--seed 7" in first.stderr
    seed = new.stderr.partition("--seed ")[2].split()[0]
    assert drawn("--seed", seed.rstrip(")")).stdout == new.stdout
    wider = drawn("--seed", "7", "--sweep", "bs=randint:1:9")
    assert [line.split()[0] for line in wider.stdout.splitlines()] == [
        line.split()[0] for line in first.stdout.splitlines()
    ]


def test_a_dry_run_prints_the_table_and_runs_nothing(tmp_path: Path) -> None:
    write_files(tmp_path, "lr = 0.1\nbs = 4\nprint(lr, bs)\n", {})
    done = run_kogine(
        tmp_path, "run", "train.py", "--sweep", "lr=0.1,0.2", "--sweep", "bs=1,2,3", "--dry-run"
    )
    assert (
        done.stdout
        == """\
axis lr: 2 of 0.1, 0.2
axis bs: 3 of 1, 2, 3
    1  lr=0.1 bs=1
    2  lr=0.1 bs=2
    3  lr=0.1 bs=3
    4  lr=0.2 bs=1
    5  lr=0.2 bs=2
    6  lr=0.2 bs=3
"""
    )
    assert done.stderr == "6 runs; nothing was run\n"
