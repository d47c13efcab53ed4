"""Runs in MLflow, by the names that ``kogine runs export mlflow`` gives."""

from __future__ import annotations

import logging
import os
import re
import time
from contextlib import contextmanager
from hashlib import blake2b
from posixpath import normpath

from kohaku_ast.helpers.backends import LoggedRun, Point, environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_STATUSES = {"succeeded": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}
_MOST_METRICS, _MOST_PARAMS, _MOST_TEXT, _MOST_NAME = 1000, 100, 6000, 250


def begin(run: LoggedRun, setting: str) -> MlflowRun:
    """Begin a run in the store of ``MLFLOW_TRACKING_URI``, else in ``mlflow.db`` of the working
    folder.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or ""
    folder = "" if uri else os.getcwd()
    uri = uri or f"sqlite:///{os.path.join(folder, 'mlflow.db')}"
    if uri.startswith(("http:", "https:")):
        # MLflow tries seven times: a script whose server is gone would wait for four minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    # It begins to report its use to its makers when it is imported.
    with environment(MLFLOW_DISABLE_TELEMETRY="true"):
        import mlflow
        import mlflow.entities

        if uri.startswith("sqlite:"):
            import alembic  # noqa: F401  # mlflow-skinny comes without them
            import sqlalchemy  # noqa: F401
    file = uri.partition("?")[0].removeprefix("sqlite:///") if uri.startswith("sqlite:///") else ""
    with _alone(file), quiet():
        return MlflowRun(mlflow, uri, folder, file, run)


class MlflowRun:
    """One run, which is not the active one of ``mlflow.log_metric``."""

    most = _MOST_METRICS

    def __init__(self, library: Any, uri: str, folder: str, file: str, run: LoggedRun) -> None:
        self._entities, self._client = library.entities, library.MlflowClient(uri)
        self._file, self._names = file, dict[str, str]()
        experiment = run.project or os.environ.get("MLFLOW_EXPERIMENT_NAME") or run.script
        tags = {"kogine.run": run.record, "kogine.label": run.name, "kogine.group": run.group}
        tags |= {"mlflow.source.name": os.path.abspath(run.script), "mlflow.source.type": "LOCAL"}
        made = self._client.create_run(
            self._experiment(experiment, folder),
            tags={name: text for name, text in tags.items() if text},
            run_name=run.name[:_MOST_NAME],
        )
        self._run: str = made.info.run_id
        names = dict[str, str]()
        params = [
            self._entities.Param(_unique(names, name, param_name(name)), _text(one))
            for name, one in run.config.items()
        ]
        for at in range(0, len(params), _MOST_PARAMS):
            self._client.log_batch(self._run, params=params[at : at + _MOST_PARAMS])

    def _experiment(self, name: str, folder: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        place = os.path.join(folder, "mlruns", re.sub(r"[^\w.-]+", "_", name)) if folder else None
        return str(self._client.create_experiment(name, place))

    def send(self, points: list[Point]) -> None:
        """Log their numbers, in batches of the size that MLflow takes."""
        metrics = [
            self._entities.Metric(self._name(name), float(one), round(at * 1000), step)
            for step, at, numbers in points
            for name, one in numbers.items()
        ]
        for at in range(0, len(metrics), _MOST_METRICS):
            with _alone(self._file):
                self._client.log_batch(self._run, metrics=metrics[at : at + _MOST_METRICS])

    def _name(self, name: str) -> str:
        return self._names.get(name) or _unique(self._names, name, mlflow_name(name))

    def finish(self, status: str) -> None:
        """End it."""
        with _alone(self._file), quiet():
            self._client.set_terminated(self._run, _STATUSES[status], round(time.time() * 1000))


def _unique(names: dict[str, str], name: str, plain: str) -> str:
    """*plain*, or ``plain_2`` ... if *names* has it, where it is put for *name*."""
    text, number, taken = plain, 1, {*names.values()}
    while text in taken:
        number += 1
        text = f"{plain}_{number}"
    names[name] = text
    return text


def param_name(target: str) -> str:
    """``main.epochs`` for ``main(epochs)``."""
    return mlflow_name(re.sub(r"\(([^()]*)\)\Z", r".\1", target))


def mlflow_name(name: str) -> str:
    """*name* with the characters that MLflow takes, and as no other way to a folder."""
    text = re.sub(r"[^\w.\-/ ]", "_", name)[: _MOST_NAME - 10] or "_"
    if normpath(text) != text or text.startswith(("/", ".")):
        text = text.replace("/", "_")
        text = f"_{text}" if text.startswith(".") else text
    return text


def _text(value: object) -> str:
    text = str(value)
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"


@contextmanager
def _alone(file: str) -> Iterator[None]:
    """Wait for other processes that use the SQLite file *file*, exports too: two that make the
    tables at once leave a broken store, and one that waits for another's numbers may give up.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        file = ""
    if not file:
        yield
        return
    place = int.from_bytes(blake2b(b"mlflow", digest_size=7).digest(), "little")
    lock = os.open(f"{file}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX, 1, place)  # as `kohaku_ast.files.Claims` does
        yield
    finally:
        os.close(lock)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the lines about each table that MLflow makes, and the address of each run on a server
    that it prints among the output of scripts.
    """
    logger = logging.getLogger("mlflow.store.db.utils")
    before = logger.level, os.environ.get(_NO_ADDRESS)
    logger.setLevel(logging.WARNING)
    os.environ.setdefault(_NO_ADDRESS, "true")
    try:
        yield
    finally:
        logger.setLevel(before[0])
        if before[1] is None:
            os.environ.pop(_NO_ADDRESS, None)


_NO_ADDRESS = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"
"""The user's own value stays."""
