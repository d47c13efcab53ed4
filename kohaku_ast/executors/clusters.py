"""Clusters: where the runs of a flow run, by the text of ``--on`` or as an Executor of the user's.

Schedulers, queues, restarts and transport belong to Dask, Ray and submitit.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from kohaku_ast.errors import PluginError, UsageError, UsageTypeError, did_you_mean, unknown
from kohaku_ast.executors.worker import CALL, end_flow, installation, send_signal
from kohaku_ast.plugins import Plugin, find_plugins


class Cluster:
    """Runs jobs on workers. This one uses an Executor of the user's, which is not shut down."""

    #: Runs that it can run at the same time; None: nobody knows.
    slots: int | None = None
    #: Whether a worker goes on after a call.
    has_lasting_workers = True
    #: Seconds that several short calls should take together to be worth sending.
    worthwhile = 0.1

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    def submit(self, function: str, *arguments: object) -> Future[Any]:
        """Call a *function* of ``executors.worker`` on a worker, with builtins as *arguments*."""
        return self.executor.submit(eval, CALL.format(name=function), {"arguments": arguments})

    def cancel(self, future: Future[Any]) -> bool:
        """Whether the call of *future* had not begun, and now never will."""
        return future.cancel()

    def end_flow(self, flow: str) -> None:
        """End the processes that its workers have for the tasks of *flow*, if they can be reached,
        as threads of this process can; others end themselves after a minute.
        """
        end_flow(flow)

    def signal(self, key: str, number: int, future: Future[Any]) -> bool:
        """Send a signal to the job *key* whose end *future* reports, or cancel it if it waits for
        a worker; whether that is possible.
        """
        return future.cancel() or send_signal(key, number)

    def why_unfit(self, needed: tuple[str, ...]) -> str:
        """Why its workers cannot run jobs of this installation; empty if they can, or if that shows
        only when a job runs.
        """
        return ""

    def close(self) -> None:
        """Disconnect from it; end what was started for it."""


@dataclass(frozen=True)
class _Kind:
    """A kind of cluster that ``--on`` can name."""

    #: Its module in this package, and its function of the rest of the text and the workers.
    module: str
    opens: str
    #: The package that it needs, and the extra that installs it.
    package: str
    extra: str
    #: What it is, in a line.
    text: str


KINDS: Mapping[str, _Kind] = {
    "dask": _Kind("dask", "open_local", "distributed", "dask", "a Dask cluster on this machine"),
    "dask://": _Kind(
        "dask", "open_remote", "distributed", "dask", "the Dask scheduler at HOST:PORT"
    ),
    "ray": _Kind("ray", "open_local", "ray", "ray", "a Ray cluster on this machine"),
    "ray://": _Kind("ray", "open_remote", "ray", "ray", "the Ray cluster at HOST:PORT"),
    "slurm": _Kind("slurm", "open_slurm", "submitit", "slurm", "SLURM: a job for each run"),
    "slurm-local": _Kind("slurm", "open_local", "submitit", "slurm", "such jobs on this machine"),
}
"""The start of a text of ``--on``, up to its address or options, and what it stands for."""


def open_cluster(on: str | Executor | Cluster, workers: int | None) -> Cluster:
    """The cluster *on*; a local one gets as many *workers*, None: one for each usable core.

    Raises UsageError, with the line to install what is missing.
    """
    if isinstance(on, Cluster):
        return on
    if not isinstance(on, str):
        return _of_object(on, is_ours=False)
    kind, rest = _split(on)
    if kind is None:
        return _of_object(_made(on), is_ours=True)
    if isinstance(kind, Plugin):
        return _opened(kind, rest, workers)
    if _is_missing(kind):
        raise UsageError(f"--on {on}: it needs {kind.package}: {install_line(kind.extra)}")
    opens: Callable[[str, int | None], Cluster]
    opens = getattr(import_module(f"kohaku_ast.executors.{kind.module}"), kind.opens)
    return opens(rest, workers)


def connect(on: str | Executor, workers: int | None) -> Cluster:
    """The cluster *on*, as ``open_cluster`` gives it, whose workers can run jobs of ours. Raises
    UsageError.
    """
    cluster = open_cluster(on, workers)
    why = cluster.why_unfit(installation())
    if why:
        cluster.close()
        raise UsageError(f"--on {on}: {why}")
    return cluster


def check_name(on: Any) -> Any:
    """*on* itself, the name of a cluster or an Executor. Raises UsageError for others."""
    if isinstance(on, str):
        _split(on)
    elif not _can_submit(on):
        raise UsageTypeError(f"on is the name of a cluster or an Executor, got {on!r}")
    return on


def is_here(on: object) -> bool:
    """Whether its workers share the cores of this machine with the flow."""
    return not (isinstance(on, str) and ("://" in on or on.partition(":")[0] == "slurm"))


def list_clusters() -> str:
    """What ``--on`` can name, a line each, with the line that installs what is missing."""
    rows = [(_shown(start), kind.text, _state(kind)) for start, kind in KINDS.items()]
    plugins = find_plugins("executors", KINDS)
    rows += [(name, f"from {one.origin}", "plug-in") for name, one in plugins.items()]
    rows.append(("MODULE:FACTORY", "the Executor that a function of yours returns", "installed"))
    first, second = (max(len(row[at]) for row in rows) for at in (0, 1))
    return "\n".join(f"{a:{first}}  {b:{second}}  {c}" for a, b, c in rows)


def read_options(text: str, on: str, known: Mapping[str, tuple[str, type]]) -> dict[str, Any]:
    """``partition=gpu,gpus=1``, the end of the text *on*, as parameters of the cluster: *known* has
    the name and the type of each. Raises UsageError.
    """
    found: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name not in known:
            raise UsageError(f"--on {on}: {unknown('option', name, known)}")
        theirs, read = known[name]
        try:
            found[theirs] = read(value or int(""))
        except ValueError:
            what = {int: "a whole number", float: "a number", str: "a text"}[read]
            raise UsageError(f"--on {on}: {name} is {what}, got {value!r}") from None
    return found


def install_line(extra: str) -> str:
    """The line that installs an *extra* of ours."""
    return f'pip install "kohaku-ast[{extra}]"'


def known_names() -> dict[str, str]:
    """What ``--on`` can begin with -> what it is, in a line."""
    plugins = find_plugins("executors", KINDS).items()
    ours = {start: kind.text for start, kind in KINDS.items()}
    return {**ours, **{name: f"from {one.origin}" for name, one in plugins}}


def _shown(start: str) -> str:
    return f"{start}HOST:PORT" if start.endswith("://") else start


def _state(kind: _Kind) -> str:
    return install_line(kind.extra) if _is_missing(kind) else "installed"


def _is_missing(kind: _Kind) -> bool:
    return find_spec(kind.package) is None


def _split(on: str) -> tuple[_Kind | Plugin | None, str]:
    """The kind that the text *on* names, and the rest of it; no kind: MODULE:FACTORY. Raises
    UsageError for others.
    """
    for start in sorted(KINDS, key=len, reverse=True):
        rest = on.removeprefix(start)
        if on == start or (on.startswith(start) and (start.endswith("://") or rest[:1] == ":")):
            if start.endswith("://") and not rest:
                raise UsageError(f"--on {on}: name the host and the port: {start}HOST:PORT")
            return KINDS[start], rest.removeprefix(":")
    module, colon, factory = on.partition(":")
    plugins = find_plugins("executors", KINDS)
    if module in plugins:
        return plugins[module], factory.removeprefix("//")
    names = [*module.split("."), factory]
    if colon and all(name.isidentifier() for name in names):
        return None, ""
    known = [*map(_shown, KINDS), *plugins, "MODULE:FACTORY"]
    hint = did_you_mean(module, [one.partition(":")[0] for one in (*KINDS, *plugins)])
    raise UsageError(f"--on {on}: expected one of: {', '.join(known)}.{hint}")


def _can_submit(made: object) -> bool:
    """Whether *made* is an Executor, or another object that takes work."""
    return not isinstance(made, type) and (hasattr(made, "submit") or _is_of_dask(made))


def _is_of_dask(made: object) -> bool:
    """Whether *made* is a Client of Dask, its Executor, or a cluster as of ``dask_jobqueue``."""
    return any(kind.__module__.partition(".")[0] == "distributed" for kind in type(made).__mro__)


def _of_object(made: Any, is_ours: bool) -> Cluster:
    """The cluster of an object of the user's; *is_ours*: nobody else can end what it has begun."""
    if _is_of_dask(made):
        module: Any = import_module("kohaku_ast.executors.dask")
        return module.of_object(made, is_ours)  # type: ignore[no-any-return]
    return Cluster(made)


class _PluginCluster(Cluster):
    """An Executor that a plug-in has made for one flow."""

    def close(self) -> None:
        """Shut it down."""
        self.executor.shutdown()


def _opened(plugin: Plugin, rest: str, workers: int | None) -> Cluster:
    """The cluster that *plugin* makes of the *rest* of ``--on``. Raises PluginError."""
    made = plugin.call(rest, workers)
    if isinstance(made, Cluster):
        return made
    if not _can_submit(made):
        raise PluginError(f"{plugin} returned {made!r}, which is no Executor")
    return _of_object(made, is_ours=True) if _is_of_dask(made) else _PluginCluster(made)


def _made(on: str) -> Executor:
    """What the function ``MODULE:FACTORY`` returns. Raises UsageError."""
    name, _, factory = on.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does
    try:
        make = getattr(import_module(name), factory)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"--on {on}: {error}") from error
    made = make()
    if not _can_submit(made):
        raise UsageError(f"--on {on}: it returned {made!r}, which is no Executor")
    return made  # type: ignore[no-any-return]
