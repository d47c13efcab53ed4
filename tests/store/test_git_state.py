"""The commit as git says it."""

import os
import subprocess
from pathlib import Path

import pytest

from kohaku_ast import Config, Script, Sequential
from kohaku_ast.store import environment
from kohaku_ast.store.environment import Changes, Patience, find_commit
from kohaku_ast.store.record import find_runs
from kohaku_ast.store.sources import Objects

_NAMES = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "init.defaultBranch=main"]


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *_NAMES, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "train.py").write_text("lr = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return folder


def test_branch(repository: Path) -> None:
    (repository / "deep" / "er").mkdir(parents=True)
    found = find_commit(repository / "deep" / "er")
    assert found is not None
    assert (found.root, found.branch) == (repository, "main")
    assert found.commit == git(repository, "rev-parse", "HEAD")


def test_packed_branch(repository: Path) -> None:
    git(repository, "branch", "domain")  # ends with "main" too
    git(repository, "pack-refs", "--all", "--prune")
    found = find_commit(repository)
    assert found is not None
    assert found.commit == git(repository, "rev-parse", "HEAD")


def test_detached_head(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")
    found = find_commit(repository)
    assert found is not None
    assert (found.commit, found.branch) == (git(repository, "rev-parse", "HEAD"), "")


def test_worktree(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(repository, "worktree", "add", "-q", "-b", "feature/x", str(other))
    (other / "train.py").write_text("lr = 2\n")
    git(other, "commit", "-qam", "two")
    found = find_commit(other)
    assert found is not None
    assert (found.commit, found.branch) == (git(other, "rev-parse", "HEAD"), "feature/x")


def test_before_the_first_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    found = find_commit(tmp_path)
    assert found is not None
    assert (found.commit, found.branch) == ("", "main")


@pytest.mark.parametrize("content", ["", "nonsense", "gitdir: /nowhere"])
def test_no_repository(tmp_path: Path, content: str) -> None:
    (tmp_path / ".git").write_text(content)
    assert find_commit(tmp_path) is None


def test_changes(repository: Path) -> None:
    assert Changes(repository).found(waits=True) is False
    (repository / "output.txt").write_text("new files are no change of the program")
    assert Changes(repository).found(waits=True) is False
    (repository / "train.py").write_text("lr = 3\n")
    assert Changes(repository).found(waits=True) is True


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("train.py", False, id="tracked"),
        pytest.param("deep/../train.py", False, id="by another path"),
        pytest.param("new.py", True, id="never added"),
        pytest.param("ignored.py", True, id="ignored"),
        pytest.param("*.py", True, id="not a pattern"),
    ],
)
def test_script_that_the_commit_does_not_hold(repository: Path, name: str, expected: bool) -> None:
    (repository / "deep").mkdir()
    (repository / ".git" / "info" / "exclude").write_text("ignored.py\n")
    script = repository / name
    script.touch()
    assert Changes(repository, str(script)).found(waits=True) is expected


def test_slow_git_is_waited_for_once(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(environment, "_PATIENCE", 0.5)
    monkeypatch.setattr(environment, "_MOST_SECONDS", 2.0)
    patience = Patience()
    asked = [Changes(repository, str(repository / name), patience) for name in ("a.py", "b.py")]
    assert [one.found(waits=True) for one in asked] == [None, None]
    assert patience._left == 0
    for one in asked:
        one._thread.join()  # which ends git


def test_without_git_nothing_is_said(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Changes(repository).found(waits=True) is None


def test_changes_that_are_not_committed_are_kept(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    (repository / "data.bin").write_bytes(bytes(range(256)))
    git(repository, "add", "data.bin")
    git(repository, "config", "diff.external", "false")
    (repository / "train.py").write_text("lr = 2\nprint('ä')\n")
    Sequential(Script("train.py", [Config({"lr": n}) for n in range(3)]), mode="inline").run()
    records = list(find_runs(Path(".kogine/runs")))
    names = {record.facts["git"].get("diff") for record in records}
    assert len(names) == 1
    kept = Objects(Path(".kogine/runs").absolute()).get(str(names.pop()))
    assert kept is not None
    git(repository, "reset", "-q", "--hard")
    (repository / "changes").write_bytes(kept)
    git(repository, "apply", "changes")
    assert (repository / "train.py").read_text() == "lr = 2\nprint('ä')\n"
    assert (repository / "data.bin").read_bytes() == bytes(range(256))


def test_a_clean_tree_has_no_changes(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    Sequential("train.py", mode="inline").run()
    (record,) = find_runs(Path(".kogine/runs"))
    assert (record.facts["git"]["dirty"], "diff" in record.facts["git"]) == (False, False)
