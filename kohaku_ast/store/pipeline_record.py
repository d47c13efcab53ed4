"""PipelineRecord: the record of a run of a pipeline, the parent of those of its script nodes.

State of this process: ``_shared``, what the records of one store have in common.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

from kohaku_ast.config.config import label_of
from kohaku_ast.errors import UsageError
from kohaku_ast.files import short_path
from kohaku_ast.helpers.metric_logger import as_json
from kohaku_ast.helpers.run_context import CurrentRun, Entered, enter_run
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.outcome import Clock, RunError
from kohaku_ast.runner.usage import Usage, loaded
from kohaku_ast.store.environment import FlowEnvironment, ProcessMark
from kohaku_ast.store.identity import UnstableError, fingerprint
from kohaku_ast.store.metrics import summarise
from kohaku_ast.store.own_modules import own_files
from kohaku_ast.store.record import (
    SCHEMA,
    Record,
    start_fields,
    time_text,
    working_folder,
)
from kohaku_ast.store.run_folder import FILES, LOG, SERIES, RunFolder
from kohaku_ast.store.seeds import Seeds
from kohaku_ast.store.sources import Sources
from kohaku_ast.store.values import brief, is_whole, written

PIPELINE = "pipeline"
"""The field ``kind`` of a record of a pipeline; runs of scripts have none."""
NO_FILE = "<python>"
"""In place of a script: the program was typed in, or is a notebook."""

_FREE = 100
"""Changes of nodes that are written while a run goes on; later ones as long as that takes no more
than a twentieth of its time.
"""
_SHARE = 0.05
_AGE = 60.0
"""Seconds after which git is asked again."""


class RecordPlace(NamedTuple):
    """Where the record of a run inside of another one belongs. It may go to another process."""

    #: The folder of the records.
    root: str
    #: The name of the folder of the run around it, and the node there.
    parent: str
    node: str = ""

    def inside(self, *names: str) -> RecordPlace:
        """The place for the node with these names below this one."""
        return RecordPlace(self.root, self.parent, "/".join([*filter(None, [self.node]), *names]))

    def enter(self, *, is_of_process: bool = False) -> Entered:
        """Have what the code here logs belong to the node at this place. *is_of_process*: threads
        that it starts as well, since no other node runs in this process, a worker.
        """
        files = os.path.join(self.root, self.parent, FILES)
        run = CurrentRun(files, node=self.node, is_elsewhere=is_of_process)
        return enter_run(run, is_of_process=is_of_process)


@dataclass(frozen=True)
class PipelineStart:
    """A run of a pipeline that begins."""

    #: The pipeline's own name, and that of its variable in the file; empty if it has none there.
    name: str
    variable: str
    #: The file that was started; None if there is none.
    launch: Launch | None
    #: The values that the caller gives; and those that are bound in the pipeline or in nodes.
    given: Mapping[str, Any]
    defaults: Mapping[str, Any]
    #: The wanted outputs; None: all.
    wanted: Sequence[str] | None
    #: Of a map: how many items it has, and the inputs that vary.
    items: int | None = None
    over: Sequence[str] = ()
    #: Name of each script node -> how its script starts.
    scripts: Mapping[str, Launch] = field(default_factory=dict)
    #: Of a TOML file, whose text imports nothing: name of each module with a function -> its file.
    modules: Mapping[str, Launch] = field(default_factory=dict)
    #: The field ``graph``: how the nodes are joined.
    graph: Sequence[Mapping[str, object]] = ()
    #: The folder's name of the run around it, and the node there; empty if there is none.
    parent: str = ""
    node: str = ""
    #: The field ``nodes``.
    nodes: Sequence[Mapping[str, object]] = ()


class PipelineRecord:
    """The record of one run of a pipeline, from its start to its end. No method raises."""

    def __init__(self, folder: RunFolder, facts: dict[str, object], shared: _Shared) -> None:
        self.folder, self.facts, self._shared = folder, facts, shared
        self.clock = Clock()
        self._pid, self._cpu = os.getpid(), time.process_time()
        self._begun, self._spent, self._changes = time.perf_counter(), 0.0, 0

    @classmethod
    def open(
        cls, root: Path, start: PipelineStart, warn: Callable[[str], None]
    ) -> PipelineRecord | None:
        """Make its folder below *root*; None, after a call of *warn*, if that is not possible."""
        shared = _shared_of(root, warn)
        facts = _start_facts(start, shared)
        try:
            folder = RunFolder.create(root, str(facts["identity"]), time.time())
            made = cls(folder, facts, shared)
            facts["started"] = time_text(made.clock.started)
            folder.write(facts)
        except OSError as error:
            shared.cannot("keep a record", error)
            return None
        return made

    def changed(self, field: Callable[[str], Mapping[str, object]]) -> None:
        """A node is not as it was: *field* gives it as one of the field ``nodes``."""
        before = time.perf_counter()
        self._changes += 1
        is_frequent = self._changes > _FREE and self._spent > _SHARE * (before - self._begun)
        if is_frequent or not self._is_own:
            return
        try:
            self.folder.append_node(field(""))
        except OSError as error:
            self._shared.cannot("keep the nodes of a run", error)
        self._spent += time.perf_counter() - before

    @property
    def _is_own(self) -> bool:
        """Whether this is no child that a node has forked."""
        return os.getpid() == self._pid

    def end(
        self,
        status: str,
        error: RunError | None,
        outputs: Mapping[str, Any],
        nodes: list[dict[str, object]],
        has_scripts: bool,
        log: Mapping[str, object],
        is_refused: bool,
    ) -> None:
        """Write the end of the run. *log*: the fields that say what is kept of its output.
        *is_refused*: a mistake of the user's, and nothing ran.
        """
        if not self._is_own:
            return
        ended = self.clock.now()
        logged = {name: as_json(one) for name, one in summarise(self.folder.path / SERIES).items()}
        runs = [*children(self.folder.path)] if has_scripts else []
        self.facts.update(
            status=status,
            process=None,
            ended=time_text(ended),
            seconds=round(ended - self.clock.started, 6),
            exit_status=2 if is_refused else int(status != "succeeded"),
            error=error and error.fields(),
            outputs={name: short_field(value) for name, value in outputs.items()},
            metrics={**_metrics(runs, logged), **logged},
            series=SERIES if logged else None,
            files=self.folder.end_files(),
            nodes=_with_runs(nodes, runs),
            **log,
        )
        try:
            self._shared.add_usage(self.facts, time.process_time() - self._cpu)
            self._shared.environment.add_changes(self.facts, self._shared.sources.objects.put)
        except OSError as problem:
            self._shared.cannot("keep the texts of modules", problem)
        try:
            self.folder.write(self.facts)
            self.folder.end_nodes()
        except OSError as problem:
            self.folder.end_nodes(is_needed=True)
            self._shared.cannot("keep a record", problem)


# --- fields --------------------------------------------------------------------------------------


def _start_facts(start: PipelineStart, shared: _Shared) -> dict[str, object]:
    forms = {name: field_of(value, shared.sources) for name, value in start.given.items()}
    defaults = {name: short_field(value) for name, value in start.defaults.items()}
    sources = shared.sources_of(start)
    launch = start.launch
    program = digest(
        [start.variable or start.name, start.wanted, start.over, sources or os.urandom(8).hex()]
    )
    return {
        "schema": SCHEMA,
        "kind": PIPELINE,
        "identity": digest([program, marks(start.given), marks(start.defaults)]),
        "label": shown_values(start.given) or start.name,
        "index": 0,
        "work": start.name,
        **start_fields(0.0, 1, ProcessMark.of(os.getpid())),
        "script": {
            "path": launch.shown if launch else NO_FILE,
            "file": launch.filename if launch else NO_FILE,
            "module": None,
            "entrypoint": "",
            "sha256": (sources or {}).get("script"),
        },
        PIPELINE: {
            "name": start.name,
            "variable": start.variable or None,
            "outputs": None if start.wanted is None else [*start.wanted],
            "items": start.items,
            "over": [*start.over],
            "graph": [*start.graph],
        },
        "parent": start.parent or None,
        "node": start.node or None,
        "nodes": [*start.nodes],
        "program": program,
        "overrides": [{"target": name, "origin": "input", **one} for name, one in forms.items()],
        "argv": launch.argv if launch else [NO_FILE],
        "cwd": working_folder(),
        "metadata": {},
        "wanted": [],
        "params": {**defaults, **forms},
        "seeds": shared.seeds.fields(sources, launch, {}),
        "sources": sources,
        "in_run_dir": False,
        "log": LOG,  # a node may print
        **shared.environment.of_flow(launch.filename if launch else ""),
        "environment": shared.environment.of_run({}),
    }


def _shown(value: Any) -> object:
    """What a label has of *value*."""
    if isinstance(value, Enum):
        return _Text(f"{type(value).__name__}.{value.name}")
    form = short_field(value)
    if is_whole(form):
        return value
    return _Text(str(form["repr"] if _is_small(value) else form["type"]))


class _Text(str):
    """A text that stands for a value, without quotes."""

    __repr__ = str.__str__


def marks(values: Mapping[str, Any]) -> dict[str, object]:
    """Name -> what is equal for equal values, in every process; of data that is no plain value
    something that no other run has.
    """
    return {name: _mark(value) for name, value in values.items()}


def _mark(value: Any) -> object:
    form = short_field(value)
    if is_whole(form):
        return form
    try:
        is_known = isinstance(value, (FunctionType, type)) or _is_small(value)
        return fingerprint(value).hex() if is_known else os.urandom(8).hex()
    except UnstableError:
        return os.urandom(8).hex()


def digest(parts: Sequence[object]) -> str:
    """32 hexadecimal digits for *parts* of JSON."""
    import json

    text = json.dumps(parts, sort_keys=True, default=repr)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def field_of(value: Any, sources: Sources) -> dict[str, object]:
    """*value* as a field. Functions, classes, and small values with a text of their own are kept as
    objects, too. Data is not, which might take longer than the run.
    """
    is_kept = isinstance(value, (FunctionType, type)) or _is_small(value)
    return sources.form(value) if is_kept else short_field(value)


def short_field(value: Any) -> dict[str, object]:
    """*value* as a field; only kind and size of one that has no plain text: its own ``repr`` may
    take long, or ask a database.
    """
    return written(value, None if _is_small(value) else brief)


_WITH_TEXT = ("datetime", "decimal", "fractions", "uuid", "ipaddress")
"""Modules whose values have short texts."""


def _is_small(value: Any) -> bool:
    """Whether its ``repr`` says all of it, in few words."""
    kind = type(value)
    if isinstance(value, Enum) or kind in (complex, range) or kind.__module__ in _WITH_TEXT:
        return True
    if is_dataclass(value) and not isinstance(value, type):
        parts = [vars(value)[one.name] for one in fields(value) if one.name in vars(value)]
    elif isinstance(value, tuple) and hasattr(kind, "_fields"):
        parts = [*value]
    else:
        return False
    return all(is_whole(written(one, brief)) or _is_small(one) for one in parts)


def shown_values(values: Mapping[str, Any]) -> str:
    """``lr=0.1 data=DataFrame``, for a label."""
    return label_of((name, _shown(one)) for name, one in values.items())


# --- to run it again ------------------------------------------------------------------------------


def pipeline_of(record: Record) -> tuple[str, list[str] | None]:
    """``FLOW.py:NAME`` of the pipeline of *record*, and the outputs that were asked for; None: all.
    Raises UsageError, which says what to do instead, if ``kogine pipeline run`` cannot run it.
    """
    found, script, name = record.facts[PIPELINE], record.script, record.folder.name
    words = " ".join(["python", script, *map(str, record.facts["argv"][1:])])
    if script == NO_FILE:
        raise UsageError(
            f"the run {name} is of a pipeline that was typed in or is in a notebook: run it there"
        )
    if found["items"] is not None:
        raise UsageError(
            f"the run {name} is a map over {found['items']} items, which the program made: run "
            f"that again: {words}"
        )
    if script.endswith(".toml"):
        return script, found["outputs"]
    if not found["variable"]:
        raise UsageError(
            f"the pipeline of the run {name} has no variable at the module level of {script!r}, by "
            f"which kogine pipeline run could find it: run the program again: {words}"
        )
    return f"{script}:{found['variable']}", found["outputs"]


# --- its runs of scripts -------------------------------------------------------------------------


def children(folder: Path) -> Iterator[Record]:
    """The records of the runs whose parent is the one in *folder*, the oldest first."""
    try:
        names = sorted(one for one in os.listdir(folder.parent) if one >= folder.name[:20])
    except OSError:
        return
    for name in names:
        record = None if name == folder.name else Record.read(folder.parent / name)
        if record is not None and record.facts.get("parent") == folder.name:
            yield record


def nodes_of(record: Record) -> list[dict[str, Any]]:
    """The nodes of a pipeline's run as they are, also if it has no end."""
    if record.status not in ("running", "lost"):
        return record.nodes
    return _with_runs(record.nodes, [*children(record.folder)])


_MOST_RUNS = 1000
"""Of one node: a map may have more items."""


def _with_runs(nodes: list[dict[str, object]], runs: Sequence[Record]) -> list[dict[str, object]]:
    """*nodes* with the names of the records of their own runs."""
    found: dict[object, list[str]] = {}
    for one in runs:
        found.setdefault(one.facts.get("node"), []).append(one.folder.name)
    return [
        {**one, "runs": found[one["name"]][:_MOST_RUNS]} if one["name"] in found else one
        for one in nodes
    ]


def _metrics(runs: Sequence[Record], logged: Mapping[str, object]) -> dict[str, object]:
    """The metrics of script nodes that ran once; of one that several nodes have, or that functions
    have *logged*, the name begins with the node's.
    """
    by_node: dict[str, list[Record]] = {}
    for one in runs:
        is_attempt = one.status in ("running", "lost")  # a cluster has run it again
        if one.facts.get("kind") != PIPELINE and not is_attempt:
            by_node.setdefault(str(one.facts.get("node")), []).append(one)
    single = {node: some[0].facts.get("metrics") or {} for node, some in by_node.items()
              if len(some) == 1}  # fmt: skip
    names = [*logged, *(name for metrics in single.values() for name in metrics)]
    return {
        name if names.count(name) == 1 else f"{node}.{name}": one
        for node, metrics in single.items()
        for name, one in metrics.items()
    }


# --- what the records of a process share ---------------------------------------------------------


class _Shared:
    """Git, texts, machine and packages for the records below one root."""

    def __init__(self, root: Path, warn: Callable[[str], None], said: set[str]) -> None:
        self.root, self._warn, self._said = root, warn, said
        self.environment, self.sources = FlowEnvironment(), Sources(root)
        self.seeds = Seeds(self.sources.objects)
        self.made, self.pid = time.monotonic(), os.getpid()
        #: What was loaded when a run ended last, and the fields that say so.
        self._key: tuple[object, ...] = ()
        self._used: dict[str, Any] = {}

    def sources_of(self, start: PipelineStart) -> dict[str, Any] | None:
        """The field ``sources``; None if there is no file, or its text could not be kept."""
        if start.launch is None:
            return None
        others = {name: launch.filename for name, launch in start.modules.items()}
        for launch in (*start.scripts.values(), *start.modules.values()):
            others |= {name: file for name, (file, digest) in own_files(launch).items() if digest}
        try:
            return {
                **self.sources.texts_of(start.launch, others),
                "configs": [],
                "scripts": {
                    name: {
                        "file": short_path(launch.filename),
                        "sha256": self.sources.objects.put(launch.data),
                    }
                    for name, launch in start.scripts.items()
                },
            }
        except OSError as error:
            self.cannot("keep the texts of the pipeline and its modules", error)
            return None

    def add_usage(self, facts: dict[str, Any], cpu_seconds: float) -> None:
        """Put what this process has loaded into *facts*: modules and packages. Raises OSError."""
        known = (facts["sources"] or {}).get("modules") or {}
        key = (len(sys.modules), *known)
        if key != self._key:  # else nothing was imported since the last run
            files, packages = loaded({**sys.modules})
            new = {name: file for name, file in files.items() if name not in known}
            usage = Usage(None, None, new, packages)
            self._key, self._used = key, self.sources.end_fields({"modules": {}}, usage)
        found = self._used["sources"]["modules"]
        if facts["sources"]:
            facts["sources"] = {**facts["sources"], "modules": {**known, **found}}
        facts["packages"], facts["cpu_seconds"] = self._used["packages"], round(cpu_seconds, 3)

    def cannot(self, what: str, error: OSError) -> None:
        """Warn once that the disk refuses *what*."""
        reason = error.strerror or str(error)
        if reason not in self._said:
            self._said.add(reason)
            self._warn(
                f"cannot {what} below {str(self.root)!r}: {reason}. The run goes on; make room for "
                "it, or switch records off with --no-record (record=False)."
            )


_shared: dict[Path, _Shared] = {}


def _shared_of(root: Path, warn: Callable[[str], None]) -> _Shared:
    found = _shared.get(root)
    is_old = found is None or time.monotonic() - found.made > _AGE or found.pid != os.getpid()
    if found is None or is_old:
        found = _shared[root] = _Shared(root, warn, set() if found is None else found._said)
    return found


def node_field(
    name: str, kind: str, status: str, started: float | None, ended: float | None, **more: Any
) -> dict[str, object]:
    """A node as one of the field ``nodes``; times are in seconds since the epoch."""
    return {
        "name": name,
        "kind": kind,
        "status": status,
        "started": None if started is None else time_text(started),
        "ended": None if ended is None else time_text(ended),
        **{key: one for key, one in more.items() if one is not None},
    }
