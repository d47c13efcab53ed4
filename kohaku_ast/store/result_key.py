"""ResultKey: what the result of a run depends on, as far as kogine can see it; and in what a
recorded run, which may stand in for it, differs.
"""

from __future__ import annotations

import glob
import os
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

from kohaku_ast.errors import UsageError
from kohaku_ast.files import short_path
from kohaku_ast.runner.bind import Bound
from kohaku_ast.store.environment import machine, resumed_by_user, variables
from kohaku_ast.store.identity import identity
from kohaku_ast.store.index import Index
from kohaku_ast.store.own_modules import own_files, text_hash
from kohaku_ast.store.record import Record, program_fields, working_folder
from kohaku_ast.store.run_folder import FILES, hash_of
from kohaku_ast.store.sources import value_hash, versions
from kohaku_ast.store.values import form_text, is_whole


class Change(NamedTuple):
    """One thing in which a run differs from a recorded one."""

    #: ``script``, ``module``, ``value``, ``argument``, ``input``, ``package``, ``variable``, ...
    part: str
    name: str
    #: As text; None for nothing: it was not there, or is not there now.
    before: str | None
    now: str | None
    #: Of a module: its file.
    file: str = ""


# --- contents of files ---------------------------------------------------------------------------


class Contents:
    """The SHA-256 of files; each is read once for each of its versions."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, str]] = {}

    def digest(self, path: str) -> str | None:
        """That of the regular file at *path*; None if it cannot be read."""
        try:
            found = os.stat(path)
            if not S_ISREG(found.st_mode):
                return None
            stamp = found.st_mtime_ns, found.st_size, found.st_ino
            known = self._known.get(path)
            if known is None or known[0] != stamp:
                known = stamp, hash_of(path)
                # A file that may be written again at the same time, as the system counts, is read
                # again.
                if time.time() - found.st_mtime > _STEP:
                    self._known[path] = known
            return known[1]
        except OSError:
            return None

    def inputs(self, patterns: Sequence[str]) -> list[dict[str, object]]:
        """The field ``inputs``: path, size and SHA-256 of each file that *patterns* name.

        Raises UsageError for a pattern that no file has, and for a file that cannot be read.
        """
        found = {}
        for pattern in patterns:
            for path in _files_of(pattern):
                digest = self.digest(path)
                if digest is None:
                    raise UsageError(f"the input {path!r} cannot be read, or is no file")
                shown = short_path(path).replace(os.sep, "/")
                size = os.path.getsize(path)
                found[shown] = {"path": shown, "size": size, "sha256": digest}
        return [found[path] for path in sorted(found)]

    def confirmed(self, inputs: Sequence[Mapping[str, Any]]) -> list[dict[str, object]]:
        """The same field after the run: a file that was written meanwhile has no SHA-256, since
        nobody knows which content the script has read.
        """
        now = [self.digest(one["path"]) for one in inputs]
        return [
            {**one, "sha256": digest if digest == one["sha256"] else None}
            for one, digest in zip(inputs, now)
        ]


def _files_of(pattern: str) -> list[str]:
    """The files that *pattern* means: a path, a folder, or a pattern of the shell; ``**`` goes into
    folders.
    """
    path = os.path.expanduser(pattern)
    if os.path.lexists(path):
        return _inside(path)
    found = sorted(glob.glob(path, recursive=True))
    if not found:
        raise UsageError(f"the input {pattern!r} does not exist, seen from {os.getcwd()!r}")
    return [one for each in found for one in _inside(each)]


def _inside(path: str) -> list[str]:
    if not os.path.isdir(path):
        return [path]
    found: list[str] = []
    seen: set[str] = set()
    for here, folders, names in os.walk(path, followlinks=True):
        seen.add(os.path.realpath(here))
        inner = {name: os.path.realpath(os.path.join(here, name)) for name in folders}
        # A link may lead to a folder above.
        folders[:] = [one for one in folders if one not in _NO_DATA and inner[one] not in seen]
        found += [os.path.join(here, name) for name in names]
    return sorted(found)


_NO_DATA = (".git", ".kogine", "__pycache__")
"""Folders that are no data, and that runs change."""


# --- the key -------------------------------------------------------------------------------------

_OF_PLACE = (
    "KOGINE_", "SLURM_", "NVIDIA_", "CUDA_VISIBLE", "CUDA_DEVICE_ORDER", "HIP_VISIBLE",
    "ROCR_VISIBLE", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)  # fmt: skip
"""Starts of variables that say where and how fast a run runs: they do not count."""
_COUNTED = (
    "KOGINE_REPEAT", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS", "SLURM_ARRAY_TASK_ID",
)  # fmt: skip
"""The exceptions: a script does something else for each of their values."""


@dataclass(frozen=True)
class ResultKey:
    """What the result of a run that is about to start depends on."""

    identity: str
    #: Those in its Config's ``outputs``.
    wanted: frozenset[str]
    #: As in a record.
    inputs: Sequence[Mapping[str, Any]]
    environment: Mapping[str, Any]
    in_run_dir: bool
    #: Variables of the run besides those of this process.
    own_variables: Mapping[str, str]
    #: Whether the returned value itself is needed, not only its text.
    needs_value: bool = False
    #: The patterns of the files that are to be kept.
    patterns: Sequence[str] = ()

    @classmethod
    def of_now(
        cls, identity: str, wanted: Sequence[str], inputs: Sequence[Mapping[str, Any]],
        own_variables: Mapping[str, str], in_run_dir: bool, needs_value: bool = False,
        patterns: Sequence[str] = (),
    ) -> ResultKey:  # fmt: skip
        """With the Python, the machine and the variables of this process; *own_variables* are those
        of the run.
        """
        environment = {**machine(), "variables": variables(os.environ, own_variables)}
        counted = frozenset(wanted), inputs, environment, in_run_dir, own_variables
        return cls(identity, *counted, needs_value, patterns)


def changes(record: Record, key: ResultKey, contents: Contents) -> Iterator[Change]:
    """In what *key* differs from *record*, but for the identity. Nothing: the record may stand in
    for its run.
    """
    facts = record.facts
    yield from _modules(facts, contents)
    yield from _surroundings(facts, key)
    yield from _checkpoints(record, key)
    if bool(facts.get("in_run_dir")) != key.in_run_dir:
        yield Change("environment", "--run-dir", *map(_yes, (not key.in_run_dir, key.in_run_dir)))
    yield from _results(record, key)


def _surroundings(facts: Mapping[str, Any], key: ResultKey) -> Iterator[Change]:
    """Inputs, environment and packages."""
    yield from _rows("input", _by_path(facts.get("inputs") or ()), _by_path(key.inputs))
    before, now = facts.get("environment") or {}, key.environment
    yield from _rows("environment", _system(before), _system(now))
    packages = facts.get("packages") or {}
    yield from _rows("package", packages, versions(packages))
    yield from _rows("variable", _variables(before), _variables(now))
    yield from _read_variables(facts, key.own_variables)


def _checkpoints(record: Record, key: ResultKey) -> Iterator[Change]:
    """Those of the runs from which that of *record* went on, one from another: their surroundings
    are in its result.
    """
    seen = {record.folder.name}
    name = record.facts.get("resumed_from")
    while name and name not in seen:
        seen.add(name)
        earlier = Record.read(record.folder.parent / name)
        if earlier is None or earlier.identity != record.identity:
            yield Change("checkpoint", name, "went on from it", "unknown")
            return
        yield from _surroundings(earlier.facts, key)
        name = earlier.facts.get("resumed_from")


def _own_checkpoints() -> Iterator[Change]:
    """Those that the user has named for this run, which is never left out then."""
    named = resumed_by_user()
    if named:
        yield Change("checkpoint", short_path(named), None, "goes on from it")


def _rows(part: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for name in {**before, **now}:
        if before.get(name) != now.get(name):
            yield Change(part, name, _text(before.get(name)), _text(now.get(name)))


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _by_path(inputs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """A file that was written during its run equals none."""
    return {str(one["path"]): one["sha256"] or "written during the run" for one in inputs}


def _modules(facts: Mapping[str, Any], contents: Contents) -> Iterator[Change]:
    """The user's own modules, also those that only the run has found."""
    sources = facts.get("sources")
    if sources is None or not _knows_usage(facts):
        yield Change("module", "all", "not recorded", None)
        return
    for name, one in (sources.get("modules") or {}).items():
        now = contents.digest(str(one["file"]))
        if one.get("changed"):
            yield Change("module", name, "written during the run", now)
        elif now != one["sha256"]:
            yield Change("module", name, str(one["sha256"]), now, str(one["file"]))


def _knows_usage(facts: Mapping[str, Any]) -> bool:
    """Whether the record says what its run has loaded: an Executor's worker may not."""
    return facts.get("cpu_seconds") is not None


def _system(environment: Mapping[str, Any]) -> dict[str, str]:
    """Python, system and architecture; the release of the kernel does not count."""
    words = str(environment.get("platform")).split("-")
    return {
        "python": f"{environment.get('implementation')} {environment.get('python')}",
        "platform": f"{words[0]} {words[-1]}",
    }


def _variables(environment: Mapping[str, Any]) -> dict[str, str]:
    found: Mapping[str, str] = environment.get("variables") or {}
    return {name: value for name, value in found.items() if _counts(name)}


def _counts(name: str) -> bool:
    return name in _COUNTED or not name.startswith(_OF_PLACE)


def _read_variables(facts: Mapping[str, Any], own: Mapping[str, str]) -> Iterator[Change]:
    """The variables that the script and its modules name: they may be secrets, and have no text."""
    reads = facts.get("reads")
    if reads is None:
        yield Change("variable", "all", "not recorded", None)
        return
    for name, before in reads.items():
        now = value_hash(own.get(name, os.environ.get(name)))
        if before != now and _counts(name):
            yield Change("variable", name, before and "a value", now and "another value")


def _results(record: Record, key: ResultKey) -> Iterator[Change]:
    """What *key* needs of the results and the record no longer has."""
    outputs = record.facts.get("outputs") or {}
    for name in sorted(key.wanted):
        if name not in record.wanted:
            yield Change("output", name, None, "wanted")
        elif name in outputs and not is_whole(outputs[name]):
            yield Change("output", name, "recorded as text only", "wanted")
    if key.needs_value and not is_whole(record.facts.get("value")):
        yield Change("output", "value", "recorded as text only", "wanted")
    for pattern in key.patterns:
        if pattern not in (record.facts.get("artifact_patterns") or ()):
            yield Change("artifact", pattern, None, "wanted")
    for path, file in record.artifacts.items():
        if not os.path.isfile(file):
            yield Change("artifact", path, "kept", "removed")
    for one in record.facts.get("files") or ():
        found = _damage(record, one)
        if found:
            yield Change("file", str(one["path"]), "kept", found)


def _damage(record: Record, file: Mapping[str, Any]) -> str:
    """What has happened to a *file* that the run has left; empty if it is as it was."""
    path = record.folder / FILES / str(file["path"])
    try:
        found = os.lstat(path)
        if found.st_size != file["size"]:
            return "changed since"
        since = found.st_mtime - (record.ended or 0.0)
        if file["sha256"] is None:  # it is large
            return "changed since" if since > _STEP else ""
        # A file is read only if it may be newer than the run.
        if since > -_STEP and hash_of(path) != file["sha256"]:
            return "changed since"
    except OSError:
        return "removed"
    return ""


_STEP = 0.05
"""Seconds: the clock of files is a little behind."""


def source_of(record: Record) -> str:
    """The name of the run that has run: *record* itself may be a copy of its result."""
    return str(record.facts.get("cached") or record.folder.name)


# --- why -----------------------------------------------------------------------------------------


def program_changes(record: Record, now: Mapping[str, Any], identity: str) -> Iterator[Change]:
    """In what the script of the run that has the fields *now* and this *identity*, its start, its
    modules and values differ from those of *record*.
    """
    if record.identity == identity:
        return
    before = record.facts
    rows = [
        *_rows("script", _script(before), _script(now)),
        *_rows("start", _start(before), _start(now)),
        *_imports(before, now),
        *_rows("value", _values(before), _values(now)),
        *_rows("argument", _arguments(before), _arguments(now)),
    ]
    yield from rows or [Change("value", "(identity)", record.identity[:8], identity[:8])]


def _script(facts: Mapping[str, Any]) -> dict[str, str]:
    return {os.path.basename(facts["script"]["file"]): str(facts["script"].get("sha256"))}


def _start(facts: Mapping[str, Any]) -> dict[str, str]:
    script = facts["script"]
    found = {"path": script.get("path"), "-m": script.get("module")}
    found["entrypoint"] = script.get("entrypoint") or None
    return {name: str(one) for name, one in found.items() if one is not None}


def _imports(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    """Modules that the texts name now; ``changes`` has those that a run has found."""
    then = (before.get("sources") or {}).get("modules") or {}
    for name, one in now["sources"]["modules"].items():
        digest = then[name]["sha256"] if name in then else None
        if digest != one["sha256"]:
            yield Change("module", name, digest, one["sha256"], one["file"])


def _values(facts: Mapping[str, Any]) -> dict[str, str]:
    found = {str(one["target"]): _value(one) for one in facts.get("overrides") or ()}
    repeat = (facts.get("metadata") or {}).get("repeat")
    return {**found, **({} if repeat is None else {"(repeat)": _value(repeat)})}


def _value(form: Mapping[str, Any]) -> str:
    text = form_text(form)
    return f"{text} ({form['hash'][:8]})" if "hash" in form else text


def _arguments(facts: Mapping[str, Any]) -> dict[str, str]:
    words = facts.get("argv", [])[1:]
    return {"sys.argv": shlex.join(words)} if words else {}


@dataclass(frozen=True)
class Explanation:
    """Whether the result of a run is cached, and if not, why."""

    #: The run that succeeded and differs least; empty if none has succeeded.
    run: str
    #: In what it differs.
    changes: tuple[Change, ...]
    #: Whether the script has failed, of runs without a success.
    has_failed: bool = False

    @property
    def state(self) -> str:
        """``cached`` or ``runs``."""
        return "cached" if self.run and not self.changes else "runs"


_MOST_COMPARED = 500
"""Records of one script: the newest ones."""


def explain(
    root: Path,
    bound: Bound,
    inputs: Sequence[str],
    own: Mapping[str, str],
    in_run_dir: bool,
    patterns: Sequence[str] = (),
) -> Explanation:
    """Whether a record below *root* may stand in for the run of *bound*, which reads the files
    *inputs*, has the variables *own* and keeps the files that fit *patterns*; else
    what has changed since the one that differs least.

    Raises UsageError for an input that does not exist.
    """
    contents, wanted = Contents(), bound.config.outputs if bound.config else ()
    name = identity(bound, working_folder())
    given = contents.inputs(inputs)
    key = ResultKey.of_now(name, wanted, given, own, in_run_dir, patterns=patterns)
    now = {**program_fields(bound, (), working_folder()), "sources": {"modules": _files(bound)}}
    script = os.path.normpath(bound.launch.shown)
    same = [one for one in Index(root).runs() if os.path.normpath(one.script) == script]
    ended = [one.id for one in reversed(same) if one.status == "succeeded"][:_MOST_COMPARED]
    own_start = [*_own_checkpoints()]
    nearest: Explanation | None = None
    for record in filter(None, (Record.read(root / one) for one in ended)):
        of_program = program_changes(record, now, name)
        found = (*of_program, *changes(record, key, contents), *own_start)
        if nearest is None or len(found) < len(nearest.changes):
            nearest = Explanation(source_of(record), tuple(dict.fromkeys(found)))
        if not found:
            break
    return nearest or Explanation("", (), any(one.status == "failed" for one in same))


def _files(bound: Bound) -> dict[str, dict[str, str]]:
    """Module that the texts name -> its file and SHA-256."""
    found = dict(own_files(bound.launch))
    found |= {name: (file, text_hash(file)) for name, (file, _) in bound.prepared.modules.items()}
    return {
        name: {"file": short_path(file), "sha256": digest}
        for name, (file, digest) in found.items()
        if digest
    }
