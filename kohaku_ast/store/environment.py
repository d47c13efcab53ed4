"""Where a run runs: the machine, its variables, the process and the git commit."""

from __future__ import annotations

import functools
import os
import platform
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from kohaku_ast.helpers import run_context

RUN_DIR, INDEX = run_context.RUN_DIR, run_context.INDEX
RESUMED_FROM = run_context.RESUMED_FROM

_KEPT = (
    "KOGINE_", "CUDA_", "CUBLAS_", "NVIDIA_", "HIP_", "ROCR_", "NCCL_", "OMP_", "KMP_", "MKL_",
    "OPENBLAS_", "BLIS_", "VECLIB_", "NUMEXPR_", "NUMBA_", "TORCH_", "PYTORCH_", "JAX_", "XLA_",
    "TF_CUDNN_", "TF_DETERMINISTIC_", "TF_ENABLE_", "TF_XLA_", "SLURM_", "PYTHONHASHSEED",
    "PYTHONPATH", "PYTHONOPTIMIZE", "RANK", "LOCAL_RANK", "WORLD_SIZE",
)  # fmt: skip
_SECRET = re.compile(
    "KEY|TOKEN|SECRET|PASS|PWD|CRED|AUTH|JWT|COOKIE|BEARER|PRIVATE|SESSION|SIGNATURE"
)
_WORDS = (
    "(?:token(?!s|iz)|key|secret|pass(?:w[a-z]*|phrase)?|pwd?|cred(?:ential)?|auth(?:orization)?"
    "|sig(?:nature)?)"
)
_SECRET_VALUE = re.compile(
    r"://[^/\s]*@"  # a URL with a password in it
    rf"|(?i:{_WORDS}s?[\"']?\s*=\s*[\"']?\S)"  # hf_token=X
    rf"|(?<![/\w])[\w.-]*(?i:{_WORDS}s?[\"']?\s*:\s*[\"']?\S)"  # pw:X, "apiKey": "X"; no paths
    rf"|(?i:(?<!\S)--?[\w-]*{_WORDS}[\w-]*\s+\S)"  # --token X
    r"|(?i:\b(?:basic|bearer)\s+\S)"
    r"|\b(?:[sr]k[-_]|hf_|gh[pousr]_|github_pat_|glpat-|xox[a-z][.-]|xapp-|AKIA|ASIA|AIza|eyJ|npm_"
    r"|pypi-|dop_v1_|ya29\.)"  # usual prefixes
    r"|-----BEGIN "
)


def machine() -> dict[str, object]:
    """Python, platform and cores: equal for all runs of a flow."""
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "executable": os.path.basename(sys.executable or ""),
        "platform": f"{platform.system()}-{platform.release()}-{platform.machine()}",
        "cpus": usable_cpus(),
    }


def resumed_by_user() -> str:
    """The folder with checkpoints that the user has named for the run that comes; empty if there is
    none, and in a run of a flow: there it is that of this run.
    """
    named = "" if INDEX in os.environ else os.environ.get(RESUMED_FROM, "")
    return os.path.abspath(named) if named else ""


def host() -> str:
    """The name of this machine."""
    return platform.node()


def variables(environment: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The variables that change how numbers are computed or identify a run, without secrets.
    Those of *own* replace those of *environment*.
    """
    # By name first: os.environ decodes each value that is read.
    names = {name for names in (environment, own) for name in names if name.startswith(_KEPT)}
    # Nothing refers to a folder of records by its path.
    names -= {RUN_DIR, RESUMED_FROM, run_context.STANDALONE}
    found = {name: own[name] if name in own else environment[name] for name in sorted(names)}
    return {name: value for name, value in found.items() if not is_secret(name, value)}


def is_secret(name: str, value: str) -> bool:
    """Whether the variable *name* looks like a password or the like."""
    return bool(_SECRET.search(name.upper()) or _SECRET_VALUE.search(value))


# --- variables of a script's own process ---------------------------------------------------------

SECRET = "(secret)"
"""In a record, in place of the value of a variable that looks like one."""
_ALWAYS = (
    "PATH", "HOME", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "TEMP", "TMP", "LD_LIBRARY_PATH",
    "DYLD_*", "SYSTEMROOT", "WINDIR", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CACHE_HOME",
    "PYTHON*", "KOGINE_*", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER",
)  # fmt: skip
"""What a process gets although ``pass`` does not name it: what Python needs to start and to find
modules, and by what a run is found and gets its GPUs.
"""


def passed_on(outer: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Those of the variables *outer* that a process gets to which *names*, or patterns such as
    ``AWS_*``, are passed.
    """
    wanted = (*_ALWAYS, *names)
    return {
        name: one for name, one in outer.items() if any(fnmatchcase(name, each) for each in wanted)
    }


def own_variables(env: Mapping[str, Any]) -> dict[str, str]:
    """The values in *env*, the field of a record, but for secrets."""
    found = env.get("set") or {}
    return {name: str(one) for name, one in found.items() if one != SECRET}


def own_environment(env: Mapping[str, Any], outer: Mapping[str, str]) -> dict[str, str]:
    """All variables of a process that has *env*, the field of a record, where the variables *outer*
    are set. Secrets have their values there.
    """
    passed = env.get("pass")
    secrets = [name for name, one in (env.get("set") or {}).items() if one == SECRET]
    given = outer if passed is None else passed_on(outer, [*passed, *secrets])
    return {**given, **own_variables(env)}


def lacking_secrets(facts: Mapping[str, Any], outer: Mapping[str, str]) -> str:
    """A sentence about the variables that the run with the fields *facts* had, and whose values are
    neither in its record nor in *outer*; empty if there are none.
    """
    env: Mapping[str, Any] = facts.get("env") or {}
    found = [one for one, text in (env.get("set") or {}).items() if text == SECRET]
    names = [one for one in found if one not in outer]
    if not names:
        return ""
    shown = f"the variable{'s' if len(names) > 1 else ''} {', '.join(names)}"
    return (
        f"the run had {shown} from its pipeline (env), and the record lacks what looks like a "
        f"secret: set it before the command, {' '.join(f'{one}=...' for one in names)}"
    )


def usable_cpus() -> int:
    """The cores in the affinity mask; where there is none, all cores."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


@dataclass(frozen=True)
class ProcessMark:
    """Identifies a process of this host, even if its pid is used again."""

    pid: int
    #: Its start time in the system's count; empty where it cannot be read.
    start: str = ""

    @classmethod
    def of(cls, pid: int) -> ProcessMark:
        """The process that has *pid* now, if there is one."""
        start = _start(pid)
        if start is None:
            start = "gone" if os.path.isdir("/proc/self") else ""
        return cls(pid, start)

    @property
    def is_alive(self) -> bool:
        """Whether it runs; a zombie does not."""
        if self.start:
            return _start(self.pid) == self.start
        return _exists(self.pid)


def _start(pid: int) -> str | None:
    """``BOOT:TICKS`` of a process that runs; None if it does not, or without ``/proc``."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return None if fields[0] in (b"Z", b"X") else f"{_boot()}:{int(fields[19])}"
    except OSError:
        return None


@functools.lru_cache(1)
def _boot() -> str:
    """The id of this start of the machine: each start counts ticks from 0."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read(8)


def _exists(pid: int) -> bool:
    if pid <= 0:
        return False  # os.kill() would signal a whole group
    if sys.platform == "win32":
        return _exists_on_windows(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # it belongs to another user
    return True


def _exists_on_windows(pid: int) -> bool:
    import ctypes

    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(0x100000, False, pid)  # SYNCHRONIZE
    if not handle:
        return False
    try:
        return bool(kernel.WaitForSingleObject(handle, 0))  # 0: it has ended
    finally:
        kernel.CloseHandle(handle)


_PATIENCE = 2.0  # seconds that a flow waits for git, once
_MOST_SECONDS = 30.0  # that git may take
_MOST_DIFF = 10_000_000  # bytes
_PLAIN_DIFF = ("--no-ext-diff", "--no-textconv", "--no-color")
"""No program of the user's is started, and ``git apply`` reads it."""
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR")


@dataclass(frozen=True)
class Commit:
    """The commit that is checked out in a repository."""

    #: The folder that holds ``.git``.
    root: Path
    #: Empty before the first commit.
    commit: str
    #: Empty on a detached HEAD.
    branch: str


def find_commit(folder: Path) -> Commit | None:
    """The Commit of the repository around *folder*; None if there is none."""
    for root in (folder, *folder.parents):
        place = root / ".git"
        if place.exists():
            try:
                return _read(root, _git_folder(place))
            except (OSError, ValueError):
                return None
    return None


def _git_folder(place: Path) -> Path:
    """The git folder; ``.git`` is a file in a worktree and in a submodule."""
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
    """The folder with the branches; for a worktree, another one than its git folder."""
    try:
        return git / (git / "commondir").read_text("utf-8").strip()
    except OSError:
        return git


def _resolved(git: Path, name: str) -> str:
    try:
        return (git / name).read_text("utf-8").strip()
    except OSError:  # git has packed it, with others
        pass
    try:
        lines = (git / "packed-refs").read_text("utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(" ")[0] for line in lines if line.endswith(f" {name}")), "")


class Patience:
    """The time that a flow waits for git: two seconds in all."""

    def __init__(self) -> None:
        self._left = _PATIENCE

    def wait_for(self, thread: threading.Thread) -> None:
        """Wait until *thread* has ended or no time is left."""
        started = time.monotonic()
        thread.join(self._left)
        self._left = max(0.0, self._left - (time.monotonic() - started))


class Changes:
    """Runs git, in a thread, to find out whether the code differs from its commit: tracked files
    have changed, or the commit lacks the *script*.
    """

    def __init__(self, root: Path, script: str = "", patience: Patience | None = None) -> None:
        self._found: bool | None = None
        #: The changes of tracked files, as git writes them; empty if there are none.
        self.diff = b""
        self._patience = patience or Patience()
        self._thread = threading.Thread(target=self._ask, args=(root, script), daemon=True)
        self._thread.start()

    def found(self, waits: bool) -> bool | None:
        """Whether it differs; None if git has not found out. *waits*: until its time is up."""
        if waits:
            self._patience.wait_for(self._thread)
        return self._found

    def _ask(self, root: Path, script: str) -> None:
        try:
            changed = bool(_run_git(root, "status", "--porcelain", "--untracked-files=no"))
            diff = _run_git(root, "diff", "HEAD", "--binary", *_PLAIN_DIFF) if changed else b""
            self.diff = diff if len(diff) <= _MOST_DIFF else b""
            if script and not changed:
                changed = not _run_git(root, "ls-files", "--", os.path.realpath(script))
        except (OSError, subprocess.SubprocessError):
            return
        self._found = changed


def _run_git(root: Path, *words: str) -> bytes:
    """The output of git. Raises OSError or SubprocessError."""
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


def process_field(process: ProcessMark | None) -> dict[str, object] | None:
    """The value of the field ``process`` or ``flow``."""
    return None if process is None else {"pid": process.pid, "start": process.start}


class FlowEnvironment:
    """Fields: the machine, process and git repositories of a flow when it begins."""

    def __init__(self) -> None:
        self._machine = machine()
        self._flow = {"host": host()}
        self._mark = process_field(ProcessMark.of(os.getpid())) or {}
        #: Script -> its Commit.
        self._commits: dict[str, Commit | None] = {}
        self._patience = Patience()
        #: Script -> whether it differs from its Commit, as git finds out meanwhile.
        self._changes: dict[str, Changes] = {}

    def of_flow(self, script: str, total: int | None = None) -> dict[str, object]:
        """The same for all runs of the file *script*; ``dirty`` is None as long as git is working.
        Without a file there is no repository. *total*: how many runs the flow has, if it is known.
        """
        found = self._commit(script) if script else None
        flow = {**self._flow, "flow": {**self._mark, "runs": total}}
        if found is None:
            return {**flow, "git": None}
        if script not in self._changes:
            self._changes[script] = Changes(found.root, script, self._patience)
        dirty = self._changes[script].found(waits=False)
        git = {
            "root": str(found.root),
            "commit": found.commit,
            "branch": found.branch,
            "dirty": dirty,
        }
        return {**flow, "git": git}

    def of_run(self, own: Mapping[str, str]) -> dict[str, object]:
        """The environment of a run with the variables *own* besides those of this process."""
        return {**self._machine, "variables": variables(os.environ, own)}

    def add_changes(self, facts: dict[str, object], keep: Callable[[bytes], str]) -> None:
        """Put into *facts* what git has found; *keep* keeps the changes, and returns their name.
        Raises what *keep* raises.
        """
        git, script = facts["git"], facts["script"]
        if isinstance(git, dict) and isinstance(script, dict) and git["dirty"] is not False:
            changes = self._changes[script["file"]]
            dirty = changes.found(waits=True)
            facts["git"] = {**git, "dirty": dirty}
            if dirty and changes.diff:
                facts["git"] = {**git, "dirty": dirty, "diff": keep(changes.diff)}

    def commit_of(self, script: str) -> str:
        """The commit of the file *script*; empty if it is in no repository."""
        found = self._commit(script)
        return found.commit if found else ""

    def _commit(self, file: str) -> Commit | None:
        if file not in self._commits:
            try:
                # The file itself, not a link to it: Python imports from its folder, too.
                self._commits[file] = find_commit(Path(os.path.realpath(file)).parent)
            except OSError:  # no file, and the working folder was removed
                self._commits[file] = None
        return self._commits[file]
