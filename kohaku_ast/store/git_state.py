"""Which commit a script was run at. Read from ``.git`` itself: starting git takes longer than
many a script; only whether something was changed since is git's to say, and it is not waited for.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
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


class Patience:
    """For how long a flow waits for git: two seconds, all in all."""

    def __init__(self) -> None:
        self._left = _PATIENCE

    def wait_for(self, thread: threading.Thread) -> None:
        """Until it is over, or nothing is left."""
        started = time.monotonic()
        thread.join(self._left)
        self._left = max(0.0, self._left - (time.monotonic() - started))


class Changes:
    """Asks git, in a thread, whether a commit lacks anything of what is run: tracked files differ
    from it, or it does not hold the *script*.
    """

    def __init__(self, root: Path, script: str = "", patience: Patience | None = None) -> None:
        self._found: bool | None = None
        self._patience = patience or Patience()
        self._thread = threading.Thread(target=self._ask, args=(root, script), daemon=True)
        self._thread.start()

    def found(self, waits: bool) -> bool | None:
        """None: not known (yet). Whoever *waits* does so as long as there is patience."""
        if waits:
            self._patience.wait_for(self._thread)
        return self._found

    def _ask(self, root: Path, script: str) -> None:
        try:
            changed = bool(_said(root, "status", "--porcelain", "--untracked-files=no"))
            if script and not changed:
                changed = not _said(root, "ls-files", "--", os.path.realpath(script))
        except (OSError, subprocess.SubprocessError):
            return
        self._found = changed


def _said(root: Path, *words: str) -> bytes:
    """What git prints; raises OSError or SubprocessError."""
    environment = {k: v for k, v in os.environ.items() if k not in _ELSEWHERE}
    return subprocess.run(
        # core.fsmonitor would start a program of the repository's choice.
        ["git", "-c", "core.fsmonitor=false", "--literal-pathspecs", *words],
        cwd=root,
        env={**environment, "GIT_OPTIONAL_LOCKS": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_MOST_SECONDS,
        start_new_session=True,  # Ctrl-C is not meant for it
        check=True,
    ).stdout
