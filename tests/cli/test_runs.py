"""``kogine runs``: what it prints of real runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from kogine import COMPLETE
from kogine.command import kogine as root
from kogine.completion import Zsh

from kohaku_ast import Store
from tests.cli.recorded import started
from tests.kept.kept_files import copied_project, records
from tests.oracle import Finished, run_kogine
from tests.store.flows import wait_for

TRAIN = """\
lr = 0.1
def main(epochs=2):
    for epoch in range(epochs):
        print(f"epoch: {epoch} loss: {lr / (epoch + 1)}")
    if lr > 1:
        raise ValueError("lr is too large")
if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: two have succeeded, the last one has failed."""
    made = tmp_path_factory.mktemp("project")
    (made / "train.py").write_text(TRAIN)
    run_kogine(made, "run", "train.py", "--sweep", "lr=0.1,0.2,2", "--sweep", "epochs=3")
    return made


def kogine(folder: Path, *words: str) -> Finished:
    return run_kogine(folder, "runs", *words)


def labels(folder: Path, *words: str) -> list[str]:
    found = kogine(folder, "ls", "--format", "json", *words)
    assert (found.status, found.stderr) == (0, "")
    return [one["label"].split()[0] for one in json.loads(found.stdout)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param([], ["lr=2", "lr=0.2", "lr=0.1"], id="the newest first"),
        pytest.param(["--where", "lr > 0.1"], ["lr=2", "lr=0.2"], id="a query"),
        pytest.param(["--where", 'status == "failed"'], ["lr=2"], id="by status"),
        pytest.param(["--where", "epochs == 3 and lr < 1"], ["lr=0.2", "lr=0.1"], id="short name"),
        pytest.param(["--sort", "lr"], ["lr=0.1", "lr=0.2", "lr=2"], id="sorted"),
        pytest.param(["--sort", "-lr", "--limit", "1"], ["lr=2"], id="the first of the sorted"),
        pytest.param(["--script", "train.py"], ["lr=2", "lr=0.2", "lr=0.1"], id="of a script"),
        pytest.param(["--script", "rain.py"], [], id="part of a name is no script"),
        pytest.param(["--since", "1d"], ["lr=2", "lr=0.2", "lr=0.1"], id="since a day"),
        pytest.param(["--since", "2100-01-01"], [], id="since the future"),
    ],
)  # fmt: skip
def test_which_runs_are_listed(folder: Path, words: list[str], expected: list[str]) -> None:
    assert labels(folder, *words) == expected


def test_table_has_the_chosen_columns(folder: Path) -> None:
    found = kogine(folder, "ls", "--columns", "number,status,lr,epochs")
    assert found.stdout.splitlines() == [
        "#  status     lr   epochs",
        "3  failed     2    3",
        "2  succeeded  0.2  3",
        "1  succeeded  0.1  3",
    ]


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_column_that_the_shown_runs_lack(folder: Path, tmp_path: Path, form: str) -> None:
    shutil.copytree(folder, tmp_path / "own")
    (tmp_path / "own" / "other.py").write_text("n = 1\n")
    assert run_kogine(tmp_path / "own", "run", "other.py", "--record").status == 0
    words = ("ls", "--limit", "1", "--columns", "number,lr", "--format", form)
    found = kogine(tmp_path / "own", *words)
    assert (found.status, found.stderr) == (0, "")
    assert "4" in found.stdout


def test_table_says_how_many_are_left_out(folder: Path) -> None:
    lines = kogine(folder, "ls", "--limit", "1").stdout.splitlines()
    assert len(lines) == 3
    assert lines[-1] == "1 of 3 runs; --limit 0 lists all"


def test_csv_has_a_line_a_run(folder: Path) -> None:
    found = kogine(folder, "ls", "--format", "csv", "--columns", "number,lr,tags")
    assert found.stdout == "number,lr,tags\n3,2.0,[]\n2,0.2,[]\n1,0.1,[]\n"


def test_empty_store_is_one_line(tmp_path: Path) -> None:
    assert kogine(tmp_path, "ls") == Finished(0, "no runs in '.kogine/runs'\n", "")
    assert kogine(tmp_path, "ls", "--format", "json") == Finished(0, "[]\n", "")
    assert not (tmp_path / ".kogine").exists()


def test_query_without_a_run(folder: Path) -> None:
    found = kogine(folder, "ls", "--where", "lr > 5")
    assert found == Finished(0, "no run fits in '.kogine/runs'\n", "")


@pytest.mark.parametrize("name", ["last", "3", "lr == 2", "status == 'failed'"], ids=repr)
def test_show_finds_a_run(folder: Path, name: str) -> None:
    found = kogine(folder, "show", name)
    assert found.status == 0, found.stderr
    lines = found.stdout.splitlines()
    assert "error         ValueError: lr is too large" in lines
    assert lines[lines.index("# traceback") + 1] == "Traceback (most recent call last):"
    assert lines[-1] == "ValueError: lr is too large"
    facts = json.loads(kogine(folder, "show", name, "--json").stdout)
    assert (facts["number"], facts["status"]) == (3, "failed")
    start = facts["id"][:25]
    assert json.loads(kogine(folder, "show", start, "--json").stdout) == facts
    assert json.loads(kogine(folder, "show", facts["identity"][:8], "--json").stdout) == facts


@pytest.mark.parametrize(
    ("words", "part"),
    [
        pytest.param(["show", "9"], "no run '9'", id="no such number"),
        pytest.param(["show", "nope"], "named by number (1 to 3), id, or last", id="no such id"),
        pytest.param(["show", "lr < 1"], "'lr < 1' fits 2 runs", id="several"),
        pytest.param(["show", "lr > 7"], "no run fits 'lr > 7'", id="no run fits"),
        pytest.param(["show"], "no run given: kogine runs show RUN", id="no run"),
        pytest.param(["show", "1", "--store", "nope"], "there are no runs in 'nope'", id="no store"),
        pytest.param(["ls", "--where", "lrr > 1"], "Did you mean 'lr'?", id="a typo in a query"),
        pytest.param(["ls", "--sort", "lrr"], "Did you mean 'lr'?", id="a typo in sort"),
        pytest.param(["ls", "--columns", "lrr"], "Did you mean 'lr'?", id="a typo in columns"),
        pytest.param(["ls", "--since", "soon"], "write 2d, 12h, 30m", id="no time"),
    ],
)  # fmt: skip
def test_mistakes_are_status_2(folder: Path, words: list[str], part: str) -> None:
    found = kogine(folder, *words)
    assert (found.status, found.stdout) == (2, "")
    assert part in found.stderr


# --- best, logs, tags and notes ------------------------------------------------------------------


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """A copy of the project with its runs, to change."""
    shutil.copytree(folder, tmp_path / "own")
    return tmp_path / "own"


def test_best_shows_one_run(folder: Path) -> None:
    lines = kogine(folder, "best", "min:lr").stdout.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("1  ")
    found = kogine(folder, "best", "max:lr", "--format", "csv")
    assert [line.split(",")[0] for line in found.stdout.splitlines()] == ["number", "2"]


def test_best_takes_runs_that_failed_only_if_it_is_asked_to(folder: Path) -> None:
    for words in (["--any-status"], ["--where", "status != 'lost'"]):
        found = json.loads(kogine(folder, "best", "max:lr", "--json", *words).stdout)
        assert found["label"] == "lr=2 epochs=3"
    only_failed = kogine(folder, "best", "max:lr", "--where", "lr > 1")
    assert only_failed.status == 2
    assert "no run that succeeded has a number 'lr'. Others have (1 failed)" in only_failed.stderr


def test_best_shows_the_best_few(folder: Path) -> None:
    lines = kogine(folder, "best", "max:lr", "--limit", "2", "--any-status").stdout.splitlines()
    every = ["best", "max:lr", "--any-status", "--limit"]
    greatest = json.loads(kogine(folder, *every, "0", "--json").stdout)
    numbers = [one["params"]["lr"] for one in greatest]
    assert len(numbers) > 2
    assert numbers == sorted(numbers, reverse=True)
    assert [line.split()[0] for line in lines[1:]] == [str(one["number"]) for one in greatest[:2]]
    found = kogine(folder, *every, "1", "--format", "csv").stdout.splitlines()
    assert [line.split(",")[0] for line in found] == ["number", str(greatest[0]["number"])]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        pytest.param(["best"], "no name given: kogine runs best min:val_loss", id="no name"),
        pytest.param(["best", "lr"], "write min:NAME or max:NAME", id="no direction"),
        pytest.param(["best", "min:lrr"], "no run has 'lrr'. Did you mean 'lr'?", id="a typo"),
        pytest.param(["best", "min:label"], "no run has a number 'label'", id="no number"),
        pytest.param(["best", "min:lr", "--where", "lr > 5"], "no run fits in", id="no run fits"),
        pytest.param(["best", "min:lr", "--store", "nope"], "no run in 'nope'", id="no store"),
        pytest.param(["logs", "9"], "no run '9'", id="logs of no run"),
        pytest.param(["tag", "1"], "no tag given", id="no tag"),
        pytest.param(["tag", "1", "a,b"], "a tag is a text without a comma", id="a list as a tag"),
        pytest.param(["tag", "1", "x", "--remove"], "run 1 has no tag 'x'; it has: none", id="no such tag"),
        pytest.param(["note", "1"], "no text given", id="no text"),
    ],
)  # fmt: skip
def test_mistakes_of_the_other_commands(folder: Path, words: list[str], part: str) -> None:
    found = kogine(folder, *words)
    assert (found.status, found.stdout) == (2, "")
    assert part in found.stderr


def test_logs_prints_what_the_run_has_printed(folder: Path) -> None:
    found = kogine(folder, "logs", "1")
    assert found == Finished(
        0, "epoch: 0 loss: 0.1\nepoch: 1 loss: 0.05\nepoch: 2 loss: 0.03333333333333333\n", ""
    )
    assert kogine(folder, "logs", "1", "-f") == found


def test_a_metric_that_is_only_nan(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("print('loss: nan')\nprint('loss: nan')\n")
    run_kogine(tmp_path, "run", "--record", "s.py")
    shown = kogine(tmp_path, "show", "last").stdout
    assert "last nan, min nan, max nan, count 2" in shown
    assert "None" not in shown
    (path,) = tmp_path.glob(".kogine/runs/*/run.json")
    path.write_text(path.read_text().replace('"last": "nan"', '"last": 1'))
    found = kogine(tmp_path, "reproduce", "last").stdout
    assert "metrics.loss: 1 (min nan, max nan, 2 numbers) -> nan (min nan" in found


def test_tags_are_kept_and_found(own: Path) -> None:
    assert kogine(own, "tag", "1", "paper", "good one") == Finished(
        0, "run 1: paper, good one\n", ""
    )
    assert kogine(own, "tag", "1", "paper") == Finished(0, "run 1: paper, good one\n", "")
    assert labels(own, "--where", '"good one" in tags') == ["lr=0.1"]
    assert kogine(own, "tag", "1", "paper", "--remove") == Finished(0, "run 1: good one\n", "")
    assert kogine(own, "tag", "1", "good one", "--remove") == Finished(0, "run 1: no tags\n", "")
    assert labels(own, "--where", "'paper' in tags") == []


def test_note_is_shown_and_replaced(own: Path) -> None:
    assert kogine(own, "note", "last", "too", "large") == Finished(0, "run 3: too large\n", "")
    assert "too large" in kogine(own, "show", "last").stdout
    assert labels(own, "--where", "'large' in note") == ["lr=2"]
    assert kogine(own, "note", "last", "") == Finished(0, "run 3: no note\n", "")
    assert "note" not in kogine(own, "show", "last").stdout


def test_marks_are_a_file_of_the_run(own: Path) -> None:
    kogine(own, "tag", "1", "paper")
    kogine(own, "note", "1", "größe")
    (path,) = own.glob(".kogine/runs/*/marks.json")
    assert json.loads(path.read_text()) == {"tags": ["paper"], "note": "größe"}
    assert path.stat().st_mode & 0o777 == 0o600


def test_taggers_at_once_lose_nothing(own: Path) -> None:
    taggers = [started(own, "runs", "tag", "1", f"t{number}") for number in range(6)]
    assert [one.wait() for one in taggers] == [0] * 6
    for one in taggers:
        one.communicate()
    found = json.loads(kogine(own, "show", "1", "--json").stdout)["tags"]
    assert sorted(found) == [f"t{number}" for number in range(6)]


def test_completion_of_a_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offered(*typed: str) -> list[tuple[str, str]]:
        found = Zsh(root, {}, "kogine", COMPLETE).get_completions([*typed[:-1]], typed[-1])
        return [(one.value, one.help or "") for one in found]

    monkeypatch.chdir(folder)
    assert offered("runs", "show", "la") == [("last", "lr=2 epochs=3")]
    assert offered("runs", "tag", "3") == [("3", "failed lr=2 epochs=3")]
    assert len(offered("runs", "logs", "20")) == 3
    assert offered("runs", "show", "--store", "nope", "") == []


# --- stores in every state -----------------------------------------------------------------------

WAITING = """\
import sys, time
n = 0
print(f"loss: {n}", flush=True)
open(f"started-{n}", "w").close()
while True:
    time.sleep(0.05)
    try:
        open("go").close()
        break
    except OSError:
        pass
print("done")
"""


def wait_for_file(path: Path) -> None:
    wait_for(lambda: path if path.exists() else None)


def statuses(folder: Path) -> dict[str, str]:
    found = json.loads(kogine(folder, "ls", "--format", "json").stdout)
    return {one["label"]: one["status"] for one in found}


@contextmanager
def waiting_flow(folder: Path, *values: int) -> Iterator[subprocess.Popen[str]]:
    """A flow whose runs wait for the file ``go``, in a session of its own."""
    (folder / "w.py").write_text(WAITING)
    sweep = f"n={','.join(map(str, values))}"
    words = ("run", "w.py", "--sweep", sweep, "--mode", "spawn", "--workers", "2")
    flow = started(folder, *words, start_new_session=True)
    try:
        for value in values:
            wait_for_file(folder / f"started-{value}")
        yield flow
    finally:
        runs = psutil.Process(flow.pid).children(recursive=True) if flow.poll() is None else []
        for process in (flow, *runs):
            process.kill()
        flow.communicate()


def test_running_interrupted_and_lost(tmp_path: Path) -> None:
    with waiting_flow(tmp_path, 1, 2) as flow:
        assert statuses(tmp_path) == {"n=1": "running", "n=2": "running"}
        assert statuses(tmp_path) == {"n=1": "running", "n=2": "running"}
        os.killpg(flow.pid, signal.SIGINT)
        flow.communicate()
    assert statuses(tmp_path) == {"n=1": "interrupted", "n=2": "interrupted"}
    with waiting_flow(tmp_path, 3):
        assert statuses(tmp_path)["n=3"] == "running"
        assert wait_for(lambda: labels(tmp_path, "--where", "status=='running'") or None) == ["n=3"]
    assert wait_for(lambda: statuses(tmp_path)["n=3"] == "lost" or None)
    assert statuses(tmp_path) == {"n=1": "interrupted", "n=2": "interrupted", "n=3": "lost"}
    assert kogine(tmp_path, "logs", "last", "-f").stdout == "loss: 3\n"
    assert labels(tmp_path, "--where", "status == 'lost' and loss == 3") == ["n=3"]


def test_logs_follows_until_the_end(tmp_path: Path) -> None:
    with waiting_flow(tmp_path, 1):
        reader = started(tmp_path, "runs", "logs", "last", "--follow")
        assert reader.stdout is not None
        assert reader.stdout.readline() == "loss: 1\n"
        (tmp_path / "go").touch()
        assert reader.communicate() == ("done\n", "")
        assert reader.returncode == 0


def test_logs_of_each_attempt(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "import os\ncount = sum(one.startswith('try') for one in os.listdir())\n"
        "open(f'try-{count}', 'w').close()\nprint('try', count)\nassert count == 2\n"
    )
    words = ("run", "s.py", "--record", "--retries", "2", "--backoff", "0.01")
    assert run_kogine(tmp_path, *words).status == 0
    first, third = (kogine(tmp_path, "logs", "1", "--attempt", one).stdout for one in "13")
    assert first.startswith("try 0\nTraceback")
    assert third == kogine(tmp_path, "logs", "1").stdout == "try 2\n"
    missing = kogine(tmp_path, "logs", "1", "--attempt", "4")
    assert (missing.status, missing.stdout) == (2, "")
    assert missing.stderr.endswith("has no attempt 4; it has: 1, 2, 3\n")
    both = kogine(tmp_path, "logs", "1", "--attempt", "1", "-f")
    assert "-f follows the last attempt" in both.stderr
    record = Store(tmp_path / ".kogine/runs").find("1")
    assert [record.log_of(n) for n in (2, 3)] == [record.folder / "log-2.txt", record.log]


def test_flow_keeps_marks_of_a_run_that_it_still_writes(tmp_path: Path) -> None:
    with waiting_flow(tmp_path, 1) as flow:
        assert kogine(tmp_path, "tag", "last", "early").status == 0
        (tmp_path / "go").touch()
        flow.wait()
    found = json.loads(kogine(tmp_path, "show", "last", "--json").stdout)
    assert (found["status"], found["tags"]) == ("succeeded", ["early"])


def test_two_hundred_runs_while_others_list_them(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("n = 0\nprint(f'loss: {n}')\n")
    sweep = ("run", "s.py", "--sweep", "n=range:200", "--workers", "8", "--json")
    flow = started(tmp_path, *sweep, stdout=subprocess.DEVNULL)
    counts: list[int] = []
    while flow.poll() is None:
        readers = [started(tmp_path, "runs", "ls", "--json") for _ in range(3)]
        for one in readers:
            text, error = one.communicate()
            assert (one.returncode, error) == (0, "")
            counts.append(len(json.loads(text)))
    flow.communicate()
    assert counts
    assert len(labels(tmp_path, "--where", "loss == n and status == 'succeeded'")) == 200


def test_copied_store_without_its_index(folder: Path, tmp_path: Path) -> None:
    expected = kogine(folder, "ls", "--format", "json")
    shutil.copytree(folder / ".kogine" / "runs", tmp_path / "copied")
    for words in (["--store", "copied"], ["--store", str(tmp_path / "copied")]):
        assert kogine(tmp_path, "ls", "--format", "json", *words) == expected
        os.remove(tmp_path / "copied" / "index.db")
    assert kogine(tmp_path, "reindex", "--store", "copied").stdout == "3 runs in the index\n"


def test_killed_run_of_another_machine_may_still_run(own: Path) -> None:
    path = max(own.glob(".kogine/runs/*/run.json"))
    facts = json.loads(path.read_text())
    path.write_text(json.dumps({**facts, "status": "running", "ended": None, "host": "elsewhere"}))
    assert labels(own, "--where", "status == 'running' and host == 'elsewhere'") == ["lr=2"]


@pytest.mark.parametrize("project", ["sweep", "workflow", "values"])
def test_store_of_an_earlier_version(tmp_path: Path, project: str) -> None:
    kept = copied_project(project, tmp_path)
    expected = records(kept)
    found = json.loads(kogine(kept, "ls", "--format", "json").stdout)
    assert [one["label"] for one in found] == [one["label"] for one in expected][::-1]
    for one, facts in zip(found, expected[::-1]):
        assert list(one["params"]) == [each["target"] for each in facts["overrides"]]
        assert one["host"] == facts["host"]
    for one in found[:3]:
        assert kogine(kept, "show", one["id"]).status == 0
    assert kogine(kept, "ls", "--format", "csv").status == 0
    assert kogine(kept, "ls").status == 0


def test_control_characters_are_made_visible(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("name = 'x'\nraise ValueError(name)\n")
    run_kogine(tmp_path, "run", "s.py", "--sweep", "name=a\x1b[31mb")
    for words in (
        ["ls"],
        ["show", "1"],
        ["ls", "--columns", "name,error"],
        ["best", "max:index", "--any-status"],
    ):
        found = kogine(tmp_path, *words)
        assert "\x1b" not in found.stdout
        assert r"\x1b[31m" in found.stdout


def test_output_to_a_full_disk(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        done = started(folder, "runs", "ls", stdout=full)
        _, error = done.communicate()
    assert done.returncode == 1
    assert "No space left on device" in error


def test_reader_that_ends_first(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = started(folder, "runs", "ls", stdout=writing)
    os.close(writing)
    assert done.communicate()[1] == ""
    assert done.returncode == 1
