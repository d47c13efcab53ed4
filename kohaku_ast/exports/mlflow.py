"""Recorded runs in MLflow: one MLflow run for each, which a second export brings up to date."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kohaku_ast.errors import UsageError
from kohaku_ast.exports.series import Point, part_of, points_of, unique_names
from kohaku_ast.files import Claims
from kohaku_ast.helpers.mlflow_backend import mlflow_name, param_name, quiet
from kohaku_ast.store.artifacts import known_hashes
from kohaku_ast.store.record import Record, param_forms
from kohaku_ast.store.run_folder import CLAIMS, FILES, MARKS, RECORD
from kohaku_ast.store.seeds import seed_text, seeds_in
from kohaku_ast.store.store import Runs
from kohaku_ast.store.summary import plain_value

RUN = "kogine.run"
"""The tag by which an exported run is found: the name of the record's folder."""
_POINTS = "kogine.points"
"""The tag with the part of the run and the number of its points that MLflow has."""
_STATE = "kogine.exported"
"""The tag with a hash of what was exported, set at the end."""
_ARTIFACTS = "artifacts"
"""The folder, in MLflow, of the files that the store keeps."""
_STATUSES = {
    "running": "RUNNING",
    "succeeded": "FINISHED",
    "failed": "FAILED",
    "interrupted": "KILLED",
    "pruned": "KILLED",
    "lost": "KILLED",
}
_MOST_METRICS, _MOST_PARAMS = 999, 100
"""Of one ``log_batch``: 1,000 things at most, and one is the tag ``kogine.points``."""
_MOST_TEXT, _MOST_TAG, _MOST_NAME = 6000, 5000, 250
"""Characters that MLflow takes of the value of a parameter, that of a tag, and a name."""


def export_runs(runs: Runs, place: str = "") -> str:
    """Write *runs* to the MLflow store at *place*, a folder or a URI; without it to that of
    ``MLFLOW_TRACKING_URI``, else to the working folder. Returns what was done, in a sentence.
    """
    records = [*runs]
    if not records:
        raise UsageError("no run fits: there is nothing to export")
    address = address_of(place, records[0].folder.parent)
    library = _library(address.uri)
    with _alone(address.lock), quiet():
        try:
            tracker = _Tracker(library, address)
            # Runs inside of another one come after it, whose id they name.
            records.sort(key=lambda record: record.started)
            done = Counter(tracker.send(record) for record in records)
        except _errors(library) as error:
            reason = str(error).partition("\n")[0]
            raise UsageError(f"MLflow at {address.uri!r}: {reason}") from error
        except OSError as error:
            raise UsageError(f"MLflow at {address.uri!r}: {error}") from error
    counts = ", ".join(f"{done[one]} {one}" for one in ("new", "updated", "unchanged") if done[one])
    return f"{len(records)} run{'s' if len(records) != 1 else ''} in {address.uri}: {counts}"


class _Tracker:
    """An open MLflow store."""

    def __init__(self, library: Any, address: _Address) -> None:
        self._library, self._artifacts = library, address.artifacts
        self._client = library.MlflowClient(address.uri)
        #: Script -> the id of its experiment.
        self._experiments: dict[str, str] = {}

    def send(self, record: Record) -> str:
        """Export one run: ``new``, ``updated`` or ``unchanged``."""
        found, state, result = self._find(record), _state(record), "updated"
        if found is not None and found.data.tags.get(_STATE) == state:
            return "unchanged"
        if found is not None and _part(found) not in ("", part_of(record)):
            # MLflow takes no number back: what a failed attempt has printed goes with its run.
            self._client.delete_run(found.info.run_id)
            found = None
        elif found is None:
            result = "new"
        run = found or self._create(record)
        self._send_parts(run, record)
        self._end(run.info.run_id, record)
        self._client.set_tag(run.info.run_id, _STATE, state)
        return result

    def _experiment(self, script: str) -> str:
        if script not in self._experiments:
            found = self._client.get_experiment_by_name(script)
            if found is not None and found.lifecycle_stage != "active":
                raise UsageError(
                    f"the MLflow experiment {script!r} was deleted: restore it by "
                    f"`mlflow experiments restore --experiment-id {found.experiment_id}`"
                )
            folder = re.sub(r"[^\w.-]+", "_", script)
            location = (self._artifacts / folder).as_uri() if self._artifacts else None
            self._experiments[script] = (
                found.experiment_id if found else self._client.create_experiment(script, location)
            )
        return self._experiments[script]

    def _find(self, record: Record) -> Any:
        condition = f"tags.`{RUN}` = '{record.folder.name}'"
        found = self._client.search_runs([self._experiment(record.script)], condition)
        return found[0] if found else None

    def _create(self, record: Record) -> Any:
        return self._client.create_run(
            self._experiment(record.script),
            start_time=_milliseconds(record.started),
            tags={RUN: record.folder.name},
            run_name=(record.label or record.folder.name)[:_MOST_NAME],
        )

    def _send_parts(self, run: Any, record: Record) -> None:
        entities, log, run_id = self._library.entities, self._client.log_batch, run.info.run_id
        around = self._parent(record)
        own = {**_tags(record), **({"mlflow.parentRunId": around} if around else {})}
        tags = [entities.RunTag(*one) for one in own.items()]
        for batch in _batches(tags, _MOST_PARAMS):
            log(run_id, tags=batch)
        known = run.data.params  # a parameter cannot be changed
        params = [entities.Param(*one) for one in _params(record).items() if one[0] not in known]
        for batch in _batches(params, _MOST_PARAMS):
            log(run_id, params=batch)
        self._send_points(run, record)
        if _is_local(run.info.artifact_uri):
            self._send_files(run_id, record)

    def _parent(self, record: Record) -> str:
        """The id of the run around that of *record*; empty if that was not exported."""
        name = record.facts.get("parent")
        parent = Record.read(record.folder.parent / str(name)) if name else None
        found = self._find(parent) if parent is not None else None
        return str(found.info.run_id) if found is not None else ""

    def _send_points(self, run: Any, record: Record) -> None:
        points = [*points_of(record)]
        names = metric_names(points)
        sent = int(run.data.tags.get(_POINTS, "").partition(":")[2] or 0)
        metrics = [
            self._library.entities.Metric(
                names[one.name], float(one.value), _milliseconds(one.time), one.step
            )
            for one in points[sent:]
        ]
        for batch in _batches(metrics, _MOST_METRICS):
            sent += len(batch)
            tag = self._library.entities.RunTag(_POINTS, f"{part_of(record)}:{sent}")
            # With the numbers: after a kill the next export goes on behind them.
            self._client.log_batch(run.info.run_id, metrics=batch, tags=[tag])
        if not metrics and _POINTS not in run.data.tags:
            self._client.set_tag(run.info.run_id, _POINTS, f"{part_of(record)}:{sent}")

    def _send_files(self, run_id: str, record: Record) -> None:
        if record.log and record.log.is_file():
            self._client.log_artifact(run_id, str(record.log))
        if (record.folder / FILES).is_dir():
            self._client.log_artifacts(run_id, str(record.folder / FILES), FILES)
        known = set(known_hashes(record.facts))  # these are among the files
        others = {path: file for path, file in record.artifacts.items() if path not in known}
        if others:
            with TemporaryDirectory() as folder:
                _link_all(others, Path(folder))
                self._client.log_artifacts(run_id, folder, _ARTIFACTS)

    def _end(self, run_id: str, record: Record) -> None:
        status = _STATUSES[record.status]
        if record.status == "running":
            self._client.update_run(run_id, status)
            return
        ended = record.ended or max([record.started, *(one.time for one in points_of(record))])
        self._client.set_terminated(run_id, status, _milliseconds(ended))


# --- what a run has ------------------------------------------------------------------------------


def _params(record: Record) -> dict[str, str]:
    forms = param_forms(record.facts)
    names = unique_names(forms, param_name)
    return {names[name]: _text(form, _MOST_TEXT) for name, form in forms.items()}


def _tags(record: Record) -> dict[str, str]:
    error, script, seeds = record.error, record.facts["script"], seeds_in(record.facts)
    found: dict[str, str] = {
        "kogine.status": record.status,
        "kogine.label": record.label,
        "kogine.identity": record.identity,
        "kogine.tags": ", ".join(record.tags),
        "kogine.host": str(record.facts["host"]),
        "kogine.parent": str(record.facts.get("parent") or ""),
        "kogine.node": str(record.facts.get("node") or ""),
        "kogine.seeds": ", ".join(f"{one['call']}={seed_text(one)}" for one in seeds),
        "kogine.error": f"{error.type}: {error.message}" if error else "",
        "mlflow.note.content": record.note,
        "mlflow.source.name": str(script["file"]),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": record.commit,
    }
    metadata = record.facts.get("metadata") or {}
    names = unique_names(metadata, mlflow_name)
    found |= {f"metadata.{names[key]}": _text(form, _MOST_TAG) for key, form in metadata.items()}
    # An empty one as well: a note may be gone since the last export.
    return {name: text[:_MOST_TAG] for name, text in found.items()}


def _text(form: Mapping[str, Any], most: int) -> str:
    text = str(plain_value(form, most=0))
    return text if len(text) <= most else text[: most - 1] + "…"


def metric_names(points: list[Point]) -> dict[str, str]:
    """The name of each metric -> the one that it has in MLflow."""
    return unique_names(dict.fromkeys(one.name for one in points), mlflow_name)


def _link_all(files: Mapping[str, str], folder: Path) -> None:
    """Give the *files* their own paths below *folder*: MLflow copies what it finds there."""
    for path, file in files.items():
        if os.path.isfile(file):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).symlink_to(file)


def _state(record: Record) -> str:
    digest = sha256(record.status.encode())
    for name in (RECORD, MARKS):
        path = record.folder / name
        digest.update(path.read_bytes() if path.exists() else b"\0")
    # The numbers of a run that still prints come before the end is in its record.
    digest.update(str(sum(1 for _ in points_of(record))).encode())
    return digest.hexdigest()


def _part(run: Any) -> str:
    return str(run.data.tags.get(_POINTS, "")).partition(":")[0]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _batches(every: list[Any], most: int) -> Iterator[list[Any]]:
    return (every[start : start + most] for start in range(0, len(every), most))


def _is_local(uri: str) -> bool:
    return uri.startswith("file:") or "://" not in uri


# --- the store -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Address:
    """Where a store of MLflow is."""

    uri: str
    #: The folder of the artifacts of new experiments; None: MLflow finds one.
    artifacts: Path | None
    #: The file of the lock that its exports take in turn.
    lock: str


def address_of(place: str, root: Path) -> _Address:
    """The store at *place*, for runs of the store *root*."""
    place = place or os.environ.get("MLFLOW_TRACKING_URI") or "."
    if re.match(r"[A-Za-z][\w+.-]+:", place) or place in ("databricks", "uc"):
        file = place.partition("?")[0].removeprefix("sqlite:///")
        is_file = place.startswith("sqlite:///") and file
        return _Address(place, None, f"{file}.lock" if is_file else str(root / CLAIMS))
    folder = Path(os.path.abspath(place))
    if set("?#%") & set(str(folder)):
        raise UsageError(f"{str(folder)!r}: MLflow takes no ?, # or % in the name of a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {place!r}: {error.strerror}") from error
    database = folder / "mlflow.db"
    return _Address(f"sqlite:///{database.as_posix()}", folder / "mlruns", f"{database}.lock")


def _library(uri: str) -> Any:
    """The module ``mlflow``, with what it needs for *uri*."""
    try:
        with _no_telemetry():
            import mlflow
            import mlflow.entities
            import mlflow.exceptions
        if not uri.startswith(("http:", "https:", "databricks", "file:")):
            import alembic  # noqa: F401  # mlflow-skinny comes without them
            import sqlalchemy  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f'export to MLflow needs {error.name}: pip install "kohaku-ast[mlflow]"'
        ) from None
    mlflow.MlflowException = mlflow.exceptions.MlflowException
    return mlflow


def _errors(library: Any) -> tuple[type[Exception], ...]:
    """What MLflow raises, and what it lets through of a damaged or newer database."""
    found: list[type[Exception]] = [library.MlflowException]
    if "sqlalchemy" in sys.modules and "alembic" in sys.modules:
        import alembic.util
        import sqlalchemy.exc

        found += [sqlalchemy.exc.SQLAlchemyError, alembic.util.CommandError]
    return tuple(found)


@contextmanager
def _no_telemetry() -> Iterator[None]:
    """MLflow begins to report its use to its makers when it is imported, unless told not to."""
    name = "MLFLOW_DISABLE_TELEMETRY"
    before = os.environ.get(name)
    os.environ[name] = before or "true"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]


_ONE_THREAD = threading.Lock()
"""A lock on a file is one of the whole process."""


@contextmanager
def _alone(lock: str) -> Iterator[None]:
    """Wait until no other export is at work on the same store: two processes that make the tables
    of MLflow at once leave a broken store, and two that export a run would both make it.
    """
    claims = Claims(lock)
    with _ONE_THREAD:
        try:
            while not claims.take("mlflow"):
                time.sleep(0.05)
            yield
        finally:
            claims.close()
