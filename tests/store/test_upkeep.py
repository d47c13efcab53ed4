"""Removed runs, what gc frees, and the end of runs under way: with real runs and real processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from kohaku_ast.errors import UsageError
from kohaku_ast.store.store import Store
from tests.cli.recorded import KOGINE, started
from tests.oracle import on_path, run_kogine

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions of POSIX")
HELPER = "def scaled(x):\n    return 2 * x\n"
TRAIN = """\
import os
from helper import scaled
lr = 0.1
path = os.environ.get("KOGINE_RUN_DIR")
if path:
    with open(os.path.join(path, "weights.bin"), "wb") as file:
        file.write(b"x" * 1000)
print("loss:", scaled(lr))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two runs of one script; the text of its module is shared with a run of another script."""
    (tmp_path / "helper.py").write_text(HELPER)
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "other.py").write_text("import helper\nn = 1\n")
    assert run_kogine(tmp_path, "run", "train.py", "--sweep", "lr=0.1,0.2").status == 0
    assert run_kogine(tmp_path, "run", "other.py", "--record", "n=2").status == 0
    return tmp_path


@pytest.fixture
def store(folder: Path) -> Store:
    return Store(folder / ".kogine" / "runs")


def labels(store: Store) -> list[str]:
    return [one.script + " " + one.label for one in store.runs()[::-1].summaries]


def objects(store: Store) -> list[Path]:
    found = (store.root.parent / "objects").rglob("*")
    return sorted(one for one in found if one.is_file() and one.name != ".gitignore")


def age(store: Store) -> None:
    """Let the objects be as old as if their runs had been made yesterday."""
    for path in objects(store):
        os.utime(path, (time.time() - 86400,) * 2)


def files(folder: Path) -> dict[str, bytes]:
    found = (one for one in folder.rglob("*") if one.is_file())
    return {str(one.relative_to(folder)): one.read_bytes() for one in found}


ALL = ["train.py lr=0.1", "train.py lr=0.2", "other.py other.py"]


def test_a_removed_run_comes_back_as_it_was(store: Store) -> None:
    before = files(store.root / store.find(1).folder.name)
    store.tag(1, "best")
    (name,) = store.remove(1)
    assert labels(store) == ALL[1:]
    assert labels(store.removed) == ALL[:1]
    assert store.restore("last") == [name]
    assert labels(store) == ALL
    after = files(store.root / name)
    assert after.pop("marks.json")
    assert after == before
    assert store.find(1).tags == ["best"]


@pytest.mark.parametrize(
    ("choose", "left"),
    [
        pytest.param(lambda store: [1, "last"], ALL[1:2], id="names"),
        pytest.param(lambda store: [1, 1, "lr == 0.1"], ALL[1:], id="one run by three names"),
        pytest.param(lambda store: store.runs(where="lr > 0"), ALL[2:], id="a query"),
        pytest.param(lambda store: store.find(2), [ALL[0], ALL[2]], id="a record"),
        pytest.param(lambda store: [store.find(2)], [ALL[0], ALL[2]], id="records"),
        pytest.param(lambda store: [], ALL, id="none"),
    ],
)
def test_what_is_removed(store: Store, choose: Callable[[Store], object], left: list[str]) -> None:
    store.remove(choose(store))  # type: ignore[arg-type]
    assert labels(store) == left
    store.restore(store.removed.runs())
    assert labels(store) == ALL


def test_nothing_is_removed_if_a_name_is_wrong(store: Store) -> None:
    with pytest.raises(UsageError, match="no run '99'"):
        store.remove([1, 99])
    with pytest.raises(UsageError, match="no run '1': there are no runs in"):
        store.restore(1)
    assert labels(store) == ALL


def test_the_name_is_taken_when_a_run_comes_back(store: Store) -> None:
    name = store.find(1).folder.name
    shutil.copytree(store.root / name, store.root.parent / "copy")
    store.remove(1)
    (store.root.parent / "copy").rename(store.root / name)
    store.restore(name)
    assert labels(store) == [ALL[0], *ALL]


def test_a_removed_run_is_run_again_by_resume(folder: Path, store: Store) -> None:
    store.remove("lr == 0.2")
    done = run_kogine(folder, "run", "train.py", "--sweep", "lr=0.1,0.2", "--resume")
    assert "1 skipped" in done.stderr
    assert sorted(labels(store)) == sorted(ALL)


@pytest.mark.parametrize("what", ["a file", "a loop of links"])
def test_a_store_that_cannot_be_written(store: Store, what: str) -> None:
    path = store.root / ".removed"
    path.write_text("") if what == "a file" else path.symlink_to(path)
    with pytest.raises(UsageError, match="cannot remove the run"):
        store.remove(1)
    assert labels(store) == ALL


# --- gc ------------------------------------------------------------------------------------------


def test_gc_frees_what_it_says(store: Store) -> None:
    age(store)
    assert store.collect() == store.collect(dry_run=True)
    assert store.collect().size == 0
    before = files(store.root.parent)
    assert [name for name in before if name.endswith("weights.bin")]
    store.remove(store.runs(where="lr > 0"))
    promised = store.collect(dry_run=True)
    assert promised == store.collect(dry_run=True)
    freed = store.collect()
    assert (freed, freed.runs, freed.objects) == (promised, 2, 1)
    after = files(store.root.parent)
    left_out = [one for one in before if one not in after and "index.db" not in one]
    assert freed.size == sum(len(before[name]) for name in left_out)
    assert labels(store) == ALL[2:]
    assert labels(store.removed) == []
    assert HELPER.encode() in {path.read_bytes() for path in objects(store)}, "other.py needs it"
    assert TRAIN.encode() not in {path.read_bytes() for path in objects(store)}


def test_gc_leaves_texts_of_runs_that_are_about_to_start(store: Store) -> None:
    before = objects(store)
    store.remove(store.runs())
    assert store.collect().objects == 0
    assert objects(store) == before
    age(store)
    assert store.collect().objects == 3
    assert objects(store) == []


def test_a_text_is_fresh_when_another_run_needs_it(folder: Path, store: Store) -> None:
    age(store)
    store.remove("n == 2")
    assert run_kogine(folder, "run", "other.py", "--record", "n=2").status == 0
    store.remove("n == 2")
    assert store.collect().objects == 0, "a run has put it there a moment ago"


def test_gc_leaves_what_a_removed_run_of_a_dry_run_needs(store: Store) -> None:
    age(store)
    store.remove(store.runs())
    before = files(store.root.parent)
    assert store.collect(dry_run=True).objects == 3
    assert files(store.root.parent).keys() - before.keys() <= {"runs/.removed/index.db"}
    store.restore(store.removed.runs())
    assert store.collect().objects == 0


def test_gc_leaves_what_a_copy_of_the_store_needs(store: Store) -> None:
    age(store)
    shutil.copytree(store.root, store.root.with_name("copy"))
    store.remove(store.runs())
    assert (store.collect().runs, len(objects(store)) >= 3) == (3, True)


def test_gc_leaves_what_a_later_version_needs(store: Store) -> None:
    age(store)
    record = store.find(1).folder / "run.json"
    found = json.loads(record.read_text())
    record.write_text(json.dumps({"schema": 99, "new field": found["sources"]}))
    store.remove(store.runs(where="lr > 0"))
    store.collect()
    assert TRAIN.encode() in {path.read_bytes() for path in objects(store)}


def test_gc_leaves_files_of_the_user(store: Store) -> None:
    age(store)
    store.remove(store.runs())
    mine = [
        store.root / ".removed" / "thesis" / "chapter.tex",
        store.root / ".removed" / "notes.txt",
        store.root.parent / "objects" / "ab" / "cdef",
        store.root.parent / "objects" / "ab" / ("0" * 62),  # git has names like that
        store.root.parent / "objects" / "README",
    ]
    for path in mine:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
        os.utime(path, (1e9, 1e9))
    outside = store.root.parent.parent / "outside"
    outside.mkdir()
    (outside / "run.json").write_text("{}")
    (store.root / ".removed" / "link").symlink_to(outside)
    store.collect()
    assert all(path.read_text() == "mine" for path in mine)
    assert (outside / "run.json").exists()
    assert labels(store.removed) == []


def test_links_in_a_removed_run_are_not_followed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "set.csv").write_text("1,2\n")
    run = store.find(1).folder
    (run / "data").symlink_to(tmp_path / "data")
    (run / "files" / "data").symlink_to(tmp_path / "data")
    store.remove(1)
    assert store.collect().runs == 1
    assert (tmp_path / "data" / "set.csv").exists()


def test_gc_of_no_store(tmp_path: Path) -> None:
    assert Store(tmp_path / "none").collect().size == 0
    assert [*tmp_path.iterdir()] == []


# --- processes -----------------------------------------------------------------------------------

SLOW = """\
import subprocess, sys, time
n = 1
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
time.sleep(600)
"""


@contextmanager
def under_way(folder: Path, *words: str) -> Iterator[tuple[Store, subprocess.Popen[str]]]:
    """A flow of the slow script whose runs have all started; nothing of it is left."""
    (folder / "slow.py").write_text(SLOW)
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    flow = started(folder, "run", "slow.py", *words, start_new_session=True, **quiet)
    store = Store(folder / ".kogine" / "runs")
    try:
        wait_for(lambda: len(store.runs()) and all(_has_child(one) for one in logs(store)))
        yield store, flow
    finally:
        family = [*psutil.Process(flow.pid).children(recursive=True)] if flow.poll() is None else []
        for one in [*family, flow]:
            with_suppressed(one.kill)
        flow.wait(60)


def with_suppressed(act: Callable[[], object]) -> None:
    try:
        act()
    except (psutil.NoSuchProcess, ProcessLookupError):
        pass


def logs(store: Store) -> list[Path]:
    return [run.folder / "log.txt" for run in store.runs()]


def _has_child(log: Path) -> bool:
    return log.exists() and "child" in log.read_text()


def child_of(log: Path) -> int:
    found = re.search(r"child (\d+)", log.read_text())
    assert found
    return int(found[1])


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def status(store: Store, name: str) -> str:
    return store.find(name).status


@posix
def test_a_run_under_way_cannot_be_removed(tmp_path: Path) -> None:
    with under_way(tmp_path, "--record", "n=2") as (store, _):
        with pytest.raises(UsageError, match="is running: stop it first: kogine runs stop 2"):
            store.remove("last")
        with pytest.raises(UsageError, match="is running"):
            store.remove(store.runs(), force=True)
        assert len(store.runs()) == 1


@posix
def test_stop_ends_one_run_and_its_children(tmp_path: Path) -> None:
    words = ("--sweep", "n=1,2", "--mode", "spawn", "--workers", "2")
    with under_way(tmp_path, *words) as (store, flow):
        first, second = (run.folder.name for run in store.runs()[::-1])
        child = child_of(store.root / first / "log.txt")
        assert store.stop(first)
        wait_for(lambda: status(store, first) == "failed")
        wait_for(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie")
        assert status(store, second) == "running"
        assert flow.poll() is None
        assert store.remove(first) == [first]
        with pytest.raises(UsageError, match="is not running: it has failed"):
            store.stop(store.removed.find(first))


@posix
def test_stop_ends_a_flow(tmp_path: Path) -> None:
    words = ("--sweep", "n=1,2", "--mode", "spawn", "--workers", "2")
    with under_way(tmp_path, *words) as (store, flow):
        assert store.stop("last", whole_flow=True)
        assert flow.wait(60) != 0
        assert {run.status for run in store.runs()} == {"interrupted"}


@posix
def test_stop_ends_a_run_in_the_process_of_its_flow(tmp_path: Path) -> None:
    with under_way(tmp_path, "--record", "n=2") as (store, flow):
        child = child_of(logs(store)[0])
        assert store.stop("last")
        flow.wait(60)
        assert status(store, "last") in ("lost", "interrupted", "failed")
        with_suppressed(lambda: psutil.Process(child).kill())


def kill_all(store: Store, flow: subprocess.Popen[str]) -> None:
    """Kill the flow, the process of its last run, and the child of that, as a power cut would."""
    record, child = store.find("last"), child_of(logs(store)[0])
    flow.kill()
    flow.wait(60)
    process = record.facts["process"] or record.facts["flow"]
    for pid in (process["pid"], child):
        with_suppressed(lambda pid=pid: psutil.Process(pid).kill())  # type: ignore[misc]
    wait_for(lambda: status(store, "last") == "lost")


@posix
def test_a_lost_run_can_be_removed_and_not_stopped(tmp_path: Path) -> None:
    with under_way(tmp_path, "--record", "n=2") as (store, flow):
        kill_all(store, flow)
        with pytest.raises(UsageError, match="is not running: it was lost"):
            store.stop("last")
        assert len(store.remove("last")) == 1


@posix
def test_a_run_that_has_lost_its_flow_can_be_stopped(tmp_path: Path) -> None:
    with under_way(tmp_path, "--sweep", "n=2", "--mode", "spawn") as (store, flow):
        flow.kill()
        flow.wait(60)
        assert status(store, "last") == "running"
        assert store.stop("last")
        wait_for(lambda: status(store, "last") == "lost")


@posix
def test_a_run_of_another_machine(tmp_path: Path) -> None:
    with under_way(tmp_path, "--record", "n=2") as (store, flow):
        kill_all(store, flow)
        record = store.find("last").folder / "run.json"
        found = json.loads(record.read_text())
        record.write_text(json.dumps({**found, "status": "running", "host": "gpu-box"}))
        with pytest.raises(UsageError, match="is on 'gpu-box': stop it there"):
            store.stop("last")
        with pytest.raises(UsageError, match="may still be running on 'gpu-box'"):
            store.remove("last")
        assert len(store.remove("last", force=True)) == 1


@pytest.mark.parametrize(
    "words", [["rm", "--where", "script == 'train.py'"], ["restore", "--all"], ["gc"]]
)
def test_three_at_once(folder: Path, store: Store, words: list[str]) -> None:
    if words[0] != "rm":
        store.remove(store.runs(where="lr > 0"))
    environment = {**os.environ, "PYTHONPATH": on_path()}
    command = [*KOGINE, "runs", *words]
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    options |= {"cwd": folder, "env": environment, "text": True}
    several = [subprocess.Popen(command, **options) for _ in range(3)]
    printed = [one.communicate(timeout=600)[0] for one in several]
    assert [one.returncode for one in several] == [0, 0, 0], printed
    assert labels(store) == (ALL if words[0] == "restore" else ALL[2:])
    assert len(store.removed.runs()) == (2 if words[0] == "rm" else 0)
    if words[0] != "gc":
        assert sum(int(text.split()[0]) for text in printed) == 2, "each run counts once"
