"""Files of runs that are kept by their content: which ones, and that an object never changes."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Config, Parallel, Script, Sequential, Store
from kohaku_ast.errors import ConfigError, UsageError
from kohaku_ast.exports.run_config import config_of_run
from kohaku_ast.store import artifacts
from kohaku_ast.store.artifacts import keep_file, snapshot, stamp_of
from kohaku_ast.store.reproduced_results import compare_results
from kohaku_ast.store.sources import Objects
from tests.cli.recorded import started
from tests.oracle import run_kogine
from tests.store.flows import wait_for

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes, links and signals of POSIX")
TRAIN = """\
import os, signal, time
from collections.abc import Callable
from pathlib import Path
lr = 0.1
end = ""
Path("ckpt/deep").mkdir(parents=True, exist_ok=True)
Path("ckpt/last.pt").write_text(f"weights {lr}")
Path("ckpt/deep/all.pt").write_text("the same")
os.chmod("ckpt/last.pt", 0o750)
Path(os.environ["KOGINE_RUN_DIR"], "model.bin").write_text(f"model {lr}")
print("loss:", lr)
if end == "raise":
    raise ValueError("no")
if end == "wait":
    Path("waits").touch()
    time.sleep(60)
if end == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def store_of(folder: Path) -> Store:
    return Store(folder / ".kogine" / "runs")


def kept(record: Any) -> dict[str, str]:
    """Path -> content, as the store has it."""
    return {path: Path(file).read_text() for path, file in record.artifacts.items()}


def all_of(lr: float) -> dict[str, str]:
    own = {"ckpt/last.pt": f"weights {lr}", "model.bin": f"model {lr}"}
    return {**own, "ckpt/deep/all.pt": "the same"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.py").write_text(TRAIN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


GLOBS = ("--artifacts", "ckpt/**/*.pt", "--artifacts", "*.bin")


@posix
def test_every_run_keeps_what_it_has_written_however_it_ends(folder: Path) -> None:
    (folder / "ckpt").mkdir()
    (folder / "ckpt" / "old.pt").write_text("of yesterday")
    table = [{"lr": 0.1, "end": ""}, {"lr": 0.2, "end": "raise"}, {"lr": 0.3, "end": "kill"}]
    (folder / "trials.json").write_text(json.dumps(table))
    words = ("--trials", "trials.json", *GLOBS, "--artifacts", "chkpt/*.pt")
    done = run_kogine(folder, "run", "train.py", *words)
    assert (done.status, done.stderr.count("warning")) == (1, 1)
    again = run_kogine(folder, "run", "train.py", *words[:2], *GLOBS, "--resume", "--json").stdout
    skips = [json.loads(line)["artifacts"] for line in again.splitlines() if '"skip"' in line]
    assert [one.keys() for one in skips] == [all_of(0).keys()] * 3
    assert "artifacts 'chkpt/*.pt': no file of a run fits. There is 'ckpt/" in done.stderr
    runs = [*store_of(folder).runs()[::-1]]
    assert [one.status for one in runs] == ["succeeded", "failed", "failed"]
    assert [kept(one) for one in runs] == [all_of(0.1), all_of(0.2), all_of(0.3)]
    assert len({one.artifacts["ckpt/deep/all.pt"] for one in runs}) == 1
    first = {one["path"]: one for one in runs[0].facts["artifacts"]}
    assert {name: one["mode"] for name, one in first.items()}["ckpt/last.pt"] == "0750"
    assert [name for name, one in first.items() if one.get("in_files")] == ["model.bin"]
    for file in runs[0].artifacts.values():
        assert stat.S_IMODE(os.stat(file).st_mode) & 0o222 == 0, "nobody may write to it"
    shown = run_kogine(folder, "runs", "show", "1").stdout
    digest = first["model.bin"]["sha256"]
    assert f"model.bin             9 B  {digest[:12]}" in shown
    assert not [*(folder / ".kogine" / "objects").glob("*.partial")]
    git = ["git", "-c", "core.excludesFile=", "status", "--short"]
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    status = subprocess.run(git, cwd=folder, check=True, capture_output=True, text=True).stdout
    assert ".kogine" not in status


@posix
def test_an_interrupted_run_and_one_with_record_alone_keep_theirs(folder: Path) -> None:
    (folder / "cfg.py").write_text("_artifacts = ['ckpt/*.pt', '*.bin']\nend = 'wait'\n")
    flow = started(folder, "run", "train.py", "--record", "--config", "cfg.py")
    wait_for(lambda: (folder / "waits").exists() or None)
    flow.send_signal(signal.SIGTERM)
    flow.communicate(timeout=600)
    (folder / "waits").unlink()
    sweep = started(folder, "run", "train.py", "--sweep", "lr=0.5,0.6", "--config", "cfg.py")
    wait_for(lambda: (folder / "waits").exists() or None)
    sweep.send_signal(signal.SIGINT)
    sweep.communicate(timeout=600)
    alone, swept = store_of(folder).runs()[::-1]
    assert (alone.status, swept.status) == ("failed", "interrupted")
    assert kept(alone) == {"ckpt/last.pt": "weights 0.1", "model.bin": "model 0.1"}
    assert kept(swept) == {"ckpt/last.pt": "weights 0.5", "model.bin": "model 0.5"}


def test_patterns_in_configs_and_in_python_are_no_part_of_the_identity(folder: Path) -> None:
    configs: list[Any] = [Config(lr=0.1), Config(lr=0.1, artifacts="ckpt/*.pt")]
    flow = Sequential([Script("train.py", configs)], artifacts="*.bin")
    plain, more = flow.run()
    assert kept(plain) == {"model.bin": "model 0.1"}
    assert kept(more) == {"model.bin": "model 0.1", "ckpt/last.pt": "weights 0.1"}
    first, second = store_of(folder).runs()[::-1]
    assert first.identity == second.identity
    (skipped, _) = Sequential([Script("train.py", configs)], resume=True).run()
    assert kept(skipped) == kept(second), "of the record"
    assert b"artifacts=['*.bin', 'ckpt/*.pt']" in config_of_run(second)


def test_the_attempts_of_a_run_have_their_own(folder: Path) -> None:
    text = "import os\nfrom pathlib import Path\nn = 0\nhere = Path(os.environ['KOGINE_RUN_DIR'])\n"
    text += "step = len([*here.glob('*.pt')])\n(here / f'{step}.pt').write_text(f'{step}')\n"
    text += "(here / 'last.pt').write_text(f'{step}')\nassert step\n"
    (folder / "retried.py").write_text(text)
    flow = Sequential(["retried.py"], retries=1, backoff=0, artifacts=["*.pt"])
    (outcome,) = flow.run()
    record = store_of(folder).find("last")
    assert kept(outcome) == kept(record) == {"0.pt": "0", "2.pt": "2", "last.pt": "2"}
    (before,) = record.facts["attempts"]
    last = next(one for one in before["artifacts"] if one["path"] == "last.pt")
    assert Objects(store_of(folder).root).get(last["sha256"]) == b"0"


def test_runs_at_the_same_time_in_one_folder_are_told(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = "import os, time\nfrom pathlib import Path\nn = 0\nPath(f'{n}.pt').write_text(f'{n}')\n"
    text += "while len([*Path().glob('?.pt')]) < 2:\n    time.sleep(0.01)\ntime.sleep(0.05)\n"
    (folder / "both.py").write_text(text)
    configs = [Config(n=0), Config(n=1)]
    options: dict[str, Any] = {"artifacts": "*.pt", "workers": 2, "mode": "spawn"}
    both = Parallel([Script("both.py", configs)], **options).run()
    assert [kept(one) for one in both] == [{"0.pt": "0", "1.pt": "1"}] * 2, "nobody knows whose"
    warning = capfd.readouterr().err
    assert "was written while several runs were under way" in warning
    assert "--run-dir (run_dir=True)" in warning
    (folder / "both.py").write_text(
        text.replace("while len([*Path().glob('?.pt')]) < 2", "while 0")
    )
    apart = Parallel([Script("both.py", configs)], **options, run_dir=True).run()
    assert [kept(one) for one in apart] == [{"0.pt": "0"}, {"1.pt": "1"}]
    assert capfd.readouterr().err == ""


def test_a_full_disk_stops_no_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    copy = artifacts._copy

    def full(source: Any, *rest: Any) -> tuple[str, int]:
        if source.name.endswith("last.pt"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return copy(source, *rest)

    monkeypatch.setattr(artifacts, "_copy", full)
    runs = Sequential(
        [Script("train.py", [{"lr": 1}, {"lr": 2}])], artifacts=["ckpt", "*.bin"]
    ).run()
    assert [one.status for one in runs] == ["succeeded"] * 2
    assert kept(runs[1]) == {"ckpt/deep/all.pt": "the same", "model.bin": "model 2"}
    missing = [one for one in store_of(folder).find(2).facts["artifacts"] if not one["sha256"]]
    assert [(one["path"], one["size"], one["problem"]) for one in missing] == [
        ("ckpt/last.pt", 9, "No space left on device")
    ]
    assert capfd.readouterr().err.count("cannot keep the artifacts of runs") == 1


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [("/data/*.pt", "it is absolute"), ("../*.pt", "it leaves the folder"), ("", "names nothing")],
)
def test_patterns_that_leave_the_folder_are_refused(
    folder: Path, pattern: str, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        Config(artifacts=[pattern])
    with pytest.raises(UsageError, match=problem):
        Sequential(["train.py"], artifacts=pattern)
    (folder / "cfg.yaml").write_text(json.dumps({"_artifacts": pattern}))
    done = run_kogine(folder, "run", "train.py", "--record", "--config", "cfg.yaml")
    assert (done.status, f"cfg.yaml:1: _artifacts {pattern!r}" in done.stderr) == (2, True)
    done = run_kogine(folder, "run", "train.py", "--artifacts", "*.pt", "--no-record")
    assert (done.status, "take away --no-record" in done.stderr) == (2, True)


# --- the store -----------------------------------------------------------------------------------


def test_gc_frees_what_no_run_refers_to_and_a_copy_of_the_store_has_all(folder: Path) -> None:
    assert run_kogine(folder, "run", "train.py", "--sweep", "lr=0.1,0.2", *GLOBS).status == 0
    shutil.copytree(folder / ".kogine", folder / "elsewhere" / ".kogine")
    store = store_of(folder)
    killed = store.root.parent / "objects" / "77.12345.partial"
    killed.write_bytes(b"half of it")
    for path in (store.root.parent / "objects").rglob("*"):
        os.utime(path, (time.time() - 86400,) * 2)
    assert store.collect(dry_run=True).size == len(b"half of it")
    store.remove(1)
    assert kept(store.removed.find(1)) == all_of(0.1)
    store.restore(store.removed.runs())
    store.remove(1)
    store.collect()
    assert kept(store.find("last")) == all_of(0.2)
    contents = [one.read_bytes() for one in (store.root.parent / "objects").rglob("?" * 62)]
    assert b"weights 0.1" not in contents
    assert (killed.exists(), b"weights 0.2" in contents) == (False, True)
    assert [kept(one) for one in store_of(folder / "elsewhere").runs()] == [
        all_of(0.2),
        all_of(0.1),
    ]


def test_reproduce_and_repeat_keep_the_same_files(folder: Path) -> None:
    assert run_kogine(folder, "run", "train.py", "lr=0.3", "--record", *GLOBS).status == 0
    assert run_kogine(folder, "runs", "repeat", "last", "lr=0.4").status == 0
    assert kept(store_of(folder).find("last")) == all_of(0.4)
    shutil.rmtree(folder / "ckpt")
    done = run_kogine(folder, "runs", "reproduce", "1", "--json")
    found = json.loads(done.stdout)
    assert {f"artifacts.{one}" for one in all_of(0.3)} <= set(found["equal"])
    before, after = store_of(folder).find(1), store_of(folder).find(2)
    _, different = compare_results(before, after)
    assert {"artifacts.ckpt/last.pt", "artifacts.model.bin"} <= different.keys()
    assert "artifacts.ckpt/deep/all.pt" not in different


def test_a_cached_result_needs_the_same_files(folder: Path) -> None:
    def run(*patterns: str) -> Any:
        flow = Sequential([Script("train.py", {"lr": 0.7})], cached=True, artifacts=patterns)
        return flow.run()[0]

    assert [bool(run().cached), bool(run().cached)] == [False, True]
    assert not run("*.bin").cached, "the record has kept none"
    found = run("*.bin")
    assert (bool(found.cached), kept(found)) == (True, {"model.bin": "model 0.7"})
    Path(found.artifacts["model.bin"]).unlink()
    assert kept(run("*.bin")) == {"model.bin": "model 0.7"}


# --- objects -------------------------------------------------------------------------------------


def test_a_file_that_is_written_again_at_once_is_another_one(tmp_path: Path) -> None:
    """The clock of files goes in steps: without a wait most of these would have one time."""
    path = tmp_path / "last.pt"
    path.write_text("0")
    for number in range(50):
        before = snapshot(str(tmp_path), ["*.pt"])["last.pt"]
        path.write_text(str(number % 10))
        assert stamp_of(str(path)) != before


@posix
@pytest.mark.parametrize("is_open", [False, True])
def test_the_file_itself_is_the_object_only_if_nobody_can_write_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_open: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # root may write to all files
    path, objects = tmp_path / "model.bin", Objects(tmp_path / "runs")
    path.write_bytes(b"x" * 3_000_000)
    path.chmod(0o640)
    with open(path, "r+b") as writer:
        if not is_open:
            writer.close()
        digest, size, mode = keep_file(objects, str(path), links=True)
        is_link = os.path.samefile(path, objects.path(digest))
        if is_open:
            writer.write(b"changed")
    assert (size, mode) == (3_000_000, 0o640)
    if sys.platform == "linux":
        assert (is_link, path.stat().st_mode & 0o777) == (
            (False, 0o640) if is_open else (True, 0o440)
        )
    assert objects.get(digest) == b"x" * 3_000_000


def test_root_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    path, objects = tmp_path / "model.bin", Objects(tmp_path / "runs")
    path.write_bytes(b"x")
    digest, _, _ = keep_file(objects, str(path), links=True)
    path.write_bytes(b"y")
    assert objects.get(digest) == b"x"


DAMAGE: dict[str, Callable[[Path], object]] = {
    "other content": lambda path: path.write_bytes(b"y" * path.stat().st_size),
    "cut": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
}


@posix
@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("way", ["text", "copy", "link", "copy of a link"])
def test_who_keeps_a_damaged_object_again_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, kind: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    def keep(name: str, links: bool) -> str:
        path = tmp_path / name
        path.write_bytes(b"x" * 5000)
        objects = Objects(tmp_path / "runs")  # of another flow each time
        if way == "text":
            return objects.put(path.read_bytes())
        return keep_file(objects, str(path), links=links)[0]

    first = Objects(tmp_path / "runs").path(keep("first.bin", "link" in way))
    first.chmod(0o600)
    DAMAGE[kind](first)
    digest = keep("second.bin", way == "link")
    assert Objects(tmp_path / "runs").get(digest) == b"x" * 5000
    assert (tmp_path / "second.bin").read_bytes() == b"x" * 5000


def test_verify_names_damaged_and_missing_objects(folder: Path) -> None:
    def run(*words: str) -> None:
        done = run_kogine(folder, "run", "train.py", "lr=0.3", "--record", *GLOBS, *words)
        assert done.status == 0

    run()
    whole = run_kogine(folder, "runs", "verify")
    assert (whole.status, whole.stdout) == (0, "4 objects, all of them whole.\n")
    record = store_of(folder).find("last")
    damaged, gone = record.artifacts["model.bin"], record.artifacts["ckpt/last.pt"]
    os.chmod(damaged, 0o600)
    Path(damaged).write_text("model 0.4")
    os.unlink(gone)
    done = run_kogine(folder, "runs", "verify", "--json")
    found = {one["name"]: (one["problem"], one["runs"]) for one in json.loads(done.stdout)}
    own = [record.folder.name]
    assert found == {"model.bin": ("damaged", own), "ckpt/last.pt": ("missing", own)}
    assert done.status == run_kogine(folder, "runs", "verify").status == 1
    run()
    assert store_of(folder).verify().damaged == ()
    assert kept(record) == all_of(0.3)
