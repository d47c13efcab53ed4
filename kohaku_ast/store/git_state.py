"""Which commit a script was run at. Read from ``.git`` itself: starting git takes longer than
many a script; only whether something was changed since is git's to say, and it is not waited for.
"""

from __future__ import annotations

import os
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 2.0  # seconds that a flow waits for git, once
_MOST_SECONDS = 30.0  # that git may take
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR")


@dataclass(frozen=True)
class Commit:
    """What is checked out."""

    #: The folder that holds ``.git``.
    root: Path
    #: Empty before the first commit.
    commit: str
    #: Empty on a detached HEAD.
    branch: str


def find_commit(folder: Path) -> Commit | None:
    """That of the repository that *folder* is in; None if it is in none."""
    for root in (folder, *folder.parents):
        place = root / ".git"
        if place.exists():
            try:
                return _read(root, _git_folder(place))
            except (OSError, ValueError):
                return None
    return None


def _git_folder(place: Path) -> Path:
    """``.git`` is a file in a worktree and in a submodule."""
    if place.is_dir():
        return place
    return place.parent / place.read_text("utf-8").removeprefix("gitdir:").strip()


def _read(root: Path, git: Path) -> Commit:
    head = (git / "HEAD").read_text("utf-8").strip()
    if not head.startswith("ref:"):
        return Commit(root, head, "")
    name = head.removeprefix("ref:").strip()
    commit = _resolved(git, name) or _resolved(_common(git), name)
    return Commit(root, commit, name.removeprefix("refs/heads/"))


def _common(git: Path) -> Path:
    """Where a worktree's branches are."""
    try:
        return git / (git / "commondir").read_text("utf-8").strip()
    except OSError:
        return git


def _resolved(git: Path, name: str) -> str:
    try:
        return (git / name).read_text("utf-8").strip()
    except OSError:
        pass
    try:
        lines = (git / "packed-refs").read_text("utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(" ")[0] for line in lines if line.endswith(f" {name}")), "")


class Changes:
    """Asks git, in a thread, whether tracked files differ from the commit."""

    def __init__(self, root: Path) -> None:
        self._found: bool | None = None
        self._patience = _PATIENCE
        self._thread = threading.Thread(target=self._ask, args=(root,), daemon=True)
        self._thread.start()

    def found(self, waits: bool) -> bool | None:
        """None: not known (yet). Whoever *waits* does so for two seconds, all calls together."""
        if waits and self._thread.is_alive():
            self._thread.join(self._patience)
            self._patience = 0.0
        return self._found

    def _ask(self, root: Path) -> None:
        # core.fsmonitor would start a program of the repository's choice.
        options = ["-c", "core.fsmonitor=false"]
        environment = {k: v for k, v in os.environ.items() if k not in _ELSEWHERE}
        try:
            done = subprocess.run(
                ["git", *options, "status", "--porcelain", "--untracked-files=no"],
                cwd=root,
                env={**environment, "GIT_OPTIONAL_LOCKS": "0"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_MOST_SECONDS,
                start_new_session=True,  # Ctrl-C is not meant for it
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            return
        self._found = bool(done.stdout)
