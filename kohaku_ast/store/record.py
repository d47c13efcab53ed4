"""Record: one run on disk. The fields of run.json are made and read here."""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from kohaku_ast.errors import UsageError
from kohaku_ast.files import open_regular
from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.outcome import Outcome, RunError
from kohaku_ast.runner.overrides import Override, make_request
from kohaku_ast.store.environment import ProcessMark, host, process_field
from kohaku_ast.store.identity import call_arguments, program_hash, script_hash
from kohaku_ast.store.metrics import (
    from_fields,
    summarise_log,
    summarise_points,
    whole_series,
)
from kohaku_ast.store.run_folder import RECORD, read_marks, read_nodes
from kohaku_ast.store.values import form_of_text, is_whole, read, written
from kohaku_ast.transform.program.program import Program, ResolvedTarget

_MOST_NAMED = 10
_TOO_MUCH = RecursionError, OverflowError  # Infinity is no whole number
_TABLES = "metadata", "outputs", "metrics", "params", "packages", "environment", "reads", "modules"
_LISTS = "overrides", "wanted", "files", "artifacts", "attempts", "inputs", "configs"
STATUSES = ("running", "succeeded", "failed", "interrupted", "pruned", "lost")


@dataclass(frozen=True)
class Record:
    """One run.json, as it was when it was read."""

    folder: Path
    identity: str
    #: One of ``STATUSES``; ``lost``: no end was recorded, and its process has ended.
    status: str
    #: The script as the user wrote it.
    script: str
    label: str
    index: int
    attempt: int
    #: Seconds since the epoch; ``ended`` is None if the run has not ended.
    started: float
    ended: float | None
    exit_status: int | None
    error: RunError | None
    #: The file with its output; None if there is none.
    log: Path | None
    #: All fields of run.json.
    facts: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """The record in *folder*; None if this version can read none there."""
        try:
            with open_regular(folder / RECORD) as file:
                facts = json.loads(file.read().decode())
            if facts["schema"] > SCHEMA:
                return None
            return _record(folder, facts)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, *_TOO_MUCH):
            return None  # another program's file, or a damaged one

    @property
    def seconds(self) -> float | None:
        """How long the run took; None if it has not ended."""
        return None if self.ended is None else max(0.0, self.ended - self.started)

    @property
    def wanted(self) -> frozenset[str]:
        """The names of the requested outputs."""
        return frozenset(self.facts.get("wanted", ()))

    @property
    def commit(self) -> str:
        """The git commit that it was run at, or empty."""
        return str((self.facts.get("git") or {}).get("commit", ""))

    @property
    def params(self) -> dict[str, object]:
        """Full target -> value; of a record of an earlier version the overridden ones alone."""
        return {target: read(form) for target, form in param_forms(self.facts).items()}

    @property
    def metrics(self) -> dict[str, float]:
        """Metric -> its last number."""
        return {name: one["last"] for name, one in self.metric_summary.items()}

    @property
    def nodes(self) -> list[dict[str, Any]]:
        """Of a run of a pipeline: its nodes, as far as they are known."""
        return read_nodes(self.folder, self.facts, self.status)

    @property
    def artifacts(self) -> dict[str, str]:
        """Path, as the run has written it -> the file of the store that has its content."""
        if not self.facts.get("artifacts"):
            return {}
        from kohaku_ast.store.artifacts import artifact_files  # here: few runs have any

        return artifact_files(self.folder, self.facts)

    @property
    def tags(self) -> list[str]:
        """The tags that ``kogine runs tag`` has given it."""
        return read_marks(self.folder)[0]

    @property
    def note(self) -> str:
        """The text of ``kogine runs note``, or empty."""
        return read_marks(self.folder)[1]

    def log_of(self, attempt: int) -> Path | None:
        """The log of an attempt, from 1; None if it has none. Raises UsageError, with the numbers
        of the attempts, for another number.
        """
        earlier: dict[int, Any] = {one["attempt"]: one for one in self.facts.get("attempts") or ()}
        if attempt == self.attempt:
            return self.log
        if attempt not in earlier:
            known = ", ".join(map(str, [*earlier, self.attempt][-_MOST_NAMED:]))
            last = "the last ones are" if len(earlier) >= _MOST_NAMED else "it has"
            raise UsageError(f"run {self.folder.name} has no attempt {attempt}; {last}: {known}")
        log = earlier[attempt]["log"]
        return None if log is None else self.folder / os.path.basename(log)

    @property
    def only_shown(self) -> list[str]:
        """Names of outputs, and ``value``: those of which only the ``repr`` was recorded."""
        value, outputs = self.facts.get("value"), self.facts.get("outputs") or {}
        forms = {**({} if value is None else {"value": value}), **outputs}
        return [name for name, form in forms.items() if not is_whole(form)]

    def outcome(self) -> Outcome:
        """Its Outcome, with the values that could be recorded."""
        value, outputs = self.facts.get("value"), self.facts.get("outputs") or {}
        return Outcome(
            self.status,
            read(value) if is_whole(value) else None,
            {name: read(one) for name, one in outputs.items() if is_whole(one)},
            self.error,
            self.exit_status or 0,
            self.started,
            self.ended or 0.0,
            log=str(self.log) if self.log else "",
            params=self.params,
            metrics=self.metrics,
            artifacts=self.artifacts,
            record=str(self.folder),
            worker=str(self.facts.get("worker") or ""),
            cached=str(self.facts.get("cached") or ""),
        )

    @property
    def metric_summary(self) -> dict[str, dict[str, Any]]:
        """Name -> ``last``, ``min``, ``max``, ``count`` and ``step`` of what it has printed."""
        found = self.facts.get("metrics")
        if found:
            return from_fields(found)
        if found is None:  # an earlier version's record
            return summarise_log(self.log) if self.log else {}
        # No end was written, the script has recorded itself, or there are none.
        is_open = self.status in ("running", "lost") or "standalone" in self.facts
        return summarise_points(whole_series(self.folder, self.facts)) if is_open else {}


def _record(folder: Path, facts: Mapping[str, Any]) -> Record:
    error, log = facts["error"], facts["log"]
    fields = {**facts, **(facts.get("sources") or {})}
    for names, kind in ((_TABLES, dict), (_LISTS, list)):
        if not all(isinstance(fields.get(name), (kind, type(None))) for name in names):
            raise TypeError(names)
    return Record(
        folder=folder,
        identity=str(facts["identity"]),
        status=_status(facts),
        script=str(facts["script"]["path"]),
        label=str(facts["label"]),
        index=int(facts["index"]),
        attempt=int(facts["attempt"]),
        started=_seconds(facts["started"]),
        ended=None if facts["ended"] is None else _seconds(facts["ended"]),
        exit_status=facts["exit_status"],
        error=None if error is None else RunError(**error),
        log=None if log is None else folder / os.path.basename(log),
        facts=facts,
    )


def param_forms(facts: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Full target -> form of the value of each recorded parameter."""
    if "params" in facts:
        return dict(facts["params"])
    return {one["target"]: one for one in facts.get("overrides", ())}


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _status(facts: Mapping[str, Any]) -> str:
    status = str(facts["status"])
    if status not in STATUSES:
        raise ValueError(status)
    if status != "running" or facts["host"] != host():
        return status  # processes of another machine cannot be checked
    # As long as its flow runs, an end will be written.
    marks = [facts["process"], facts["flow"]]
    alive = any(ProcessMark(one["pid"], one["start"]).is_alive for one in marks if one)
    return "running" if alive else "lost"


SCHEMA = 1
"""Grows when a field is removed or changes its meaning; not for a new field."""


Form = Callable[[Any], dict[str, object]]
"""Gives a value, which may be Pickled, as a field."""


def program_fields(
    bound: Bound, overrides: Sequence[Override], folder: str, form: Form = written
) -> dict[str, object]:
    """Fields: the program and its values."""
    launch, config = bound.launch, bound.config
    return {
        "script": {
            "path": launch.shown,
            "file": launch.filename,
            "module": getattr(launch, "module", None),
            "entrypoint": bound.program.entry_name,
            "sha256": script_hash(bound),
        },
        "program": program_hash(bound, folder),
        "overrides": _override_fields(bound, overrides, form),
        "argv": list(bound.argv),
        "cwd": folder,
        "metadata": {name: written(one) for name, one in config.metadata.items()} if config else {},
        "wanted": list(config.outputs) if config else [],
    }


def start_fields(started: float, attempt: int, process: ProcessMark | None) -> dict[str, object]:
    """Fields: an attempt at a run that begins."""
    return {
        "status": "running",
        "attempt": attempt,
        "process": process_field(process),
        "started": time_text(started),
        "ended": None,
        "seconds": None,
        "exit_status": None,
        "error": None,
        "value": None,
        "outputs": {},
        "metrics": {},
        "series": None,
        "files": [],
        "artifacts": [],
        "packages": {},
        "cpu_seconds": None,
        "peak_memory": None,
        "device": None,
    }


def end_fields(status: str, outcome: Outcome | None, ended: float) -> dict[str, object]:
    """Fields: a run that has ended; *outcome* is None if its end was not observed."""
    found: dict[str, object] = {"status": status, "process": None, "ended": time_text(ended)}
    if outcome is None:
        return found
    error = outcome.error
    return {
        **found,
        **({"worker": outcome.worker} if outcome.worker else {}),
        "seconds": round(outcome.seconds, 6) if outcome.ended else None,
        "exit_status": outcome.exit_status,
        "error": error and error.fields(),
        "value": written(outcome.value),
        "outputs": {name: written(value) for name, value in outcome.outputs.items()},
    }


_ATTEMPT = (
    "attempt", "status", "started", "ended", "seconds", "exit_status", "error", "log", "metrics",
    "series", "artifacts",
)  # fmt: skip


def attempt_fields(facts: Mapping[str, object]) -> dict[str, object]:
    """Fields: an attempt that was followed by another one."""
    return {name: facts[name] for name in _ATTEMPT}


def time_text(seconds: float) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    whole, part = divmod(round(seconds * 1000), 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{part:03}+00:00"


def working_folder() -> str:
    """The current working folder; the last known one if it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return os.environ.get("PWD", "")


def _override_fields(
    bound: Bound, overrides: Sequence[Override], form: Form
) -> list[dict[str, object]]:
    """Full target, origin and value, by *form*, of each override that is in force in *bound*.
    *overrides* are all that the user has given, as he wrote them.
    """
    resolved = dict(_resolved(bound.program, overrides))
    found = []
    for prefix, _, given in bound.prepared.every():
        own = overrides if not prefix else _of_module(prefix[:-1], resolved, overrides)
        origins = _origins(given.program, own)
        for target, value in given.values.items():
            origin = origins.get(target, "Config")
            fields = form(given.as_sent(target, value))
            found.append({"target": prefix + target, "origin": origin, **fields})
    for target, value in call_arguments(bound).items():
        found.append({"target": target, "origin": "Config", **form(value)})
    for name, value in bound.names.items():
        fields = form(bound.prepared.given.as_sent(name, value))
        found.append({"target": name, "origin": "new global", **fields})
    later = bound.prepared.later
    for one in later.overrides if later else ():
        found.append(
            {
                "target": one.target,
                "origin": one.origin,
                **(form_of_text(one.value) if one.is_text else form(one.value)),
            }
        )
    return found


def _origins(program: Program, overrides: Sequence[Override]) -> dict[str, str]:
    """Full target -> origin of the override in force."""
    resolved = dict(_resolved(program, overrides))
    by_rank = sorted(overrides, key=lambda one: one.rank)
    return {resolved[one.target].target: one.origin for one in by_rank if one.target in resolved}


def _resolved(
    program: Program, overrides: Sequence[Override]
) -> Iterator[tuple[str, ResolvedTarget]]:
    """Each target of *overrides* that the script has, as written and resolved."""
    names = [name for name, _, _ in make_request(overrides).targets]
    return ((name, one) for name, one in zip(names, program.meant) if one)


def _of_module(
    module: str, resolved: dict[str, ResolvedTarget], overrides: Sequence[Override]
) -> list[Override]:
    """The overrides of *module*, with targets as its own code names them."""
    found = []
    for one in overrides:
        place = resolved[one.target].module if one.target in resolved else None
        if place and place[0] == module:
            found.append(one.aimed_at(place[2]))
    return found


def find_runs(root: Path, statuses: Collection[str] = (), newest: bool = False) -> Iterator[Record]:
    """The records below *root* with one of *statuses*, or all of them; the oldest first, or the
    *newest*. Other files are ignored.
    """
    try:
        names = sorted(os.listdir(root), reverse=newest)
    except OSError:
        return
    for name in names:
        if name.startswith("."):
            continue
        record = Record.read(root / name)
        if record is not None and (not statuses or record.status in statuses):
            yield record


MEANWHILE = "failed meanwhile"
_STEP = 2 * 10**9
"""Nanoseconds after which a folder has another time if it gets an entry."""


_UNFINISHED = ("interrupted", "lost", "failed", MEANWHILE)


class Finished:
    """The records of earlier flows. Each one stands for one run: a Config that comes five times
    in a Sweep is done when there are five records.
    """

    def __init__(self, root: Path) -> None:
        #: Only names: whole records would take much memory if there are 20,000.
        self._root = root
        self._known: set[str] = set()
        self._new: set[str] = set()
        #: Record that another flow has made meanwhile -> the number of its run there.
        self._indexes: dict[str, int] = {}
        self._seen_at = -1
        self._folders: dict[tuple[str, str], list[str]] = defaultdict(list)
        #: Script, entrypoint and label of runs that succeeded -> hashes of their programs.
        self._programs: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for record in find_runs(root):
            self._known.add(record.folder.name)
            self._folders[record.identity, record.status].append(record.folder.name)
            if record.status == "succeeded":
                entrypoint = str(record.facts["script"].get("entrypoint"))
                start = record.script, entrypoint, record.label
                self._programs[start].add(str(record.facts.get("program")))

    def add_new(self, own: Collection[str]) -> None:
        """Add the records that other flows have finished meanwhile; *own* are the names of others.

        A failure of theirs has the status ``MEANWHILE``: no flow needs to try that run once more.
        """
        try:
            changed_at = os.stat(self._root).st_mtime_ns
            # File systems count in steps: the next entry may come at the same time as the last one.
            if changed_at != self._seen_at or time.time_ns() - changed_at < _STEP:
                self._new = set(os.listdir(self._root)) - self._known
                self._seen_at = changed_at
        except OSError:
            return
        for name in sorted(self._new.difference(own)):
            record = None if name.startswith(".") else Record.read(self._root / name)
            if record is None or record.status == "running":
                continue  # it is looked at again: a new folder has no record yet
            self._new.discard(name)
            self._known.add(name)
            status = MEANWHILE if record.status == "failed" else record.status
            self._indexes[name] = record.index
            self._folders[record.identity, status].append(name)

    def take(
        self,
        identity: str,
        status: str,
        wanted: Collection[str] = (),
        index: int | None = None,
        is_exact: bool = True,
    ) -> Record | None:
        """The newest record that has all outputs *wanted*, once; None if there is none. With
        *index*, other flows have made it for the run of this number: of equal runs, each does some.
        Unless that *is_exact*, one for another run does if there is none for this.
        """
        names = self._folders.get((identity, status), [])
        for name in self._ordered(names, index, is_exact):
            record = Record.read(self._root / name)
            if record is not None and _has(record, wanted):
                names.remove(name)
                return record
        return None

    def _ordered(self, names: list[str], index: int | None, is_exact: bool) -> Iterator[str]:
        """*names* as ``take`` tries them. One by one: 10,000 runs may be equal, and the first name
        is that of the record almost always.
        """
        fits = [True] if index is None or is_exact else [True, False]
        for wanted in fits:
            for name in reversed(names):
                if (index is None or self._indexes.get(name, index) == index) == wanted:
                    yield name

    def unfinished(self, identity: str) -> list[str]:
        """The names of the records of runs of this *identity* that did not succeed, the newest
        first.
        """
        every = (self._folders.get((identity, status), []) for status in _UNFINISHED)
        return sorted((name for names in every for name in names), reverse=True)

    def knows_other(self, start: tuple[str, ...], program: str) -> bool:
        """Whether a run of this *start* (script, entrypoint, label) has succeeded, but never with
        this *program*.
        """
        programs = self._programs.get(start, set())
        return bool(programs) and program not in programs


def _has(record: Record, wanted: Collection[str]) -> bool:
    """Whether *record* has all outputs *wanted*, and can be read without an error."""
    try:
        _, _, kept = record.outcome(), record.commit, record.wanted
    except Exception:  # any damage, by a broken disk or an editor
        return False
    return kept >= set(wanted)
