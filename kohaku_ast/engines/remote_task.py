"""A task in a worker process (nodes, or items of a map), and its reply."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import nullcontext

from kohaku_ast.engines.packed_value import PackedValue, pack_error, sendable, unpack_error
from kohaku_ast.errors import PipelineError
from kohaku_ast.frames import contextmanager
from kohaku_ast.helpers.processes import ItemValues, SharedValues
from kohaku_ast.pipeline.condition import present, skip_of
from kohaku_ast.pipeline.execution import clock
from kohaku_ast.pipeline.failure import IN_WORKER, enter_worker, trim_traceback, warn
from kohaku_ast.pipeline.node_like import check_readers, run_async
from kohaku_ast.pipeline.scope import is_script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.pipeline.plan import Plan
    from kohaku_ast.store.pipeline_record import RecordPlace


class RemoteFailure:
    """A node that raised: which one, with which inputs, at which item."""

    __slots__ = ("error", "index", "inputs", "position", "results")

    def __init__(
        self,
        error: BaseException,
        position: int | None = None,
        inputs: Mapping[str, Any] | None = None,
        results: Mapping[str, Any] | None = None,
        index: int | None = None,
    ) -> None:
        self.error = error
        #: The position of the node among those that were sent; None if none of them raised.
        self.position = position
        self.inputs = inputs or {}
        self.results = results or {}
        #: The position of the item among those that were sent; None if no item ran.
        self.index = index

    def __reduce__(self) -> tuple[Any, ...]:
        inputs, results = sendable(self.inputs), sendable(self.results)
        packed = pack_error(self.error)
        return _failure_from, (packed, self.position, inputs, results, self.index)


def _failure_from(packed: tuple[Any, ...], *rest: Any) -> RemoteFailure:

    return RemoteFailure(unpack_error(packed), *rest)


class RemoteReply:
    """The reply to a task: packed results, failures, the seconds that it took, and which
    permanences were made for it.
    """

    __slots__ = ("failures", "left", "results", "seconds", "worker")

    def __init__(
        self,
        results: PackedValue,
        failures: list[RemoteFailure],
        seconds: float,
        made: Sequence[tuple[str, float]] = (),
        left: tuple[RecordPlace, Mapping[str, bytes]] | None = None,
    ) -> None:
        self.results = results
        #: What belongs to the records of a flow whose folder the worker does not see.
        self.left = left
        self.failures = failures
        self.seconds = seconds
        #: The machine and the process of the cluster's worker, as "host:pid"; empty without one.
        self.worker = ""
        if made:
            from kohaku_ast.pipeline.permanence import add_news

            add_news(made)
        if left is not None:
            _put_records(*left)

    def __reduce__(self) -> tuple[Any, ...]:
        try:
            self.results.pack()
        except Exception as error:  # its message names the value and the node
            return RemoteReply, (
                PackedValue([], ""),
                [*self.failures, RemoteFailure(error)],
                self.seconds,
                _made(),
                self.left,
            )
        return RemoteReply, (self.results, self.failures, self.seconds, _made(), self.left)


def _put_records(place: RecordPlace, left: Mapping[str, bytes]) -> None:
    """Put what a task has *left* into the records at *place*, those of the flow."""
    from kohaku_ast.executors.transfer import put_records  # here: few workers have other disks
    from kohaku_ast.pipeline.node_output import append_log

    try:
        append_log(os.path.join(place.root, place.parent), put_records(*place[:2], left))
    except OSError as error:
        warn(f"cannot keep what nodes have recorded on another machine: {error}. The run goes on.")


def _made() -> list[tuple[str, float]]:
    """The permanences that were made here since the last reply."""
    module = sys.modules.get("kohaku_ast.pipeline.permanence")  # else no node takes one
    return module.taken_news() if module else []


class RowsReply(RemoteReply):
    """The reply of ``run_rows``: a result that cannot be sent is a failure of its item."""

    def __reduce__(self) -> tuple[Any, ...]:
        try:
            self.results.pack()
            return RemoteReply, (self.results, self.failures, self.seconds, _made())
        except Exception:  # one of them cannot be sent: each is tried alone
            return RemoteReply, (*self._sorted_out(), self.seconds, _made())

    def _sorted_out(self) -> tuple[PackedValue, list[RemoteFailure]]:
        results: list[Any] = []
        failures = list(self.failures)
        for index, one in enumerate(self.results.open()):
            packed = self.results.part(one)
            try:
                results.append(packed.pack().open())
            except Exception as error:
                results.append(None)
                failures.append(RemoteFailure(error, index=index))
        return PackedValue(results, ""), failures


def run_nodes(
    nodes: PackedValue,
    given: PackedValue,
    wanted: frozenset[str],
    shared: frozenset[str] = frozenset(),
    place: RecordPlace | None = None,
    *rest: Any,
) -> RemoteReply:
    """As ``_run_nodes``; on another machine, with disks of its own, records are sent back."""
    if place is None or os.path.isdir(os.path.join(place.root, place.parent)):
        return _run_nodes(nodes, given, wanted, shared, place, *rest)
    from kohaku_ast.executors import transfer  # here: few workers have other disks
    from kohaku_ast.store.environment import host

    with transfer.own_folder({}) as folder:
        root = transfer.records_in(folder, place.parent)
        reply = _run_nodes(nodes, given, wanted, shared, place._replace(root=root), *rest)
        reply.left = place, transfer.take_record(folder, 1, host())
    return reply


def _run_nodes(
    nodes: PackedValue,
    given: PackedValue,
    wanted: frozenset[str],
    shared: frozenset[str],
    place: RecordPlace | None,
    may_skip: bool = False,
    called: str = "",
    held: PackedValue | None = None,
) -> RemoteReply:
    """The results of nodes in their order, each with its seconds. An output that cannot be sent and
    is not *wanted* is None. The values of *shared* names have several readers. *place*: the
    RecordPlace of the nodes. *called*: the name there of a node that is alone; what it changes in
    ``context`` is sent back. *may_skip*: whether their conditions are looked at, and a Skip stands
    for the outputs of one that was skipped. *held*: the values of ``context``.
    """
    started, done, at = clock(), [], 0
    enter_worker(nodes.is_received)
    try:
        todo: list[NodeLike] = nodes.open_cached()
        values: dict[str, Any] = dict(given.open())
        kept: dict[str, Any] = {} if held is None else dict(held.open())
    except Exception as error:
        return RemoteReply(PackedValue([], ""), [RemoteFailure(error)], 0.0)
    failures = []
    for at, node in enumerate(todo):
        begun = clock()
        scope = SharedValues({} if is_script(node) else kept)
        try:
            with scope:
                skip = skip_of(node, values) if may_skip else None
            inputs = present({name: values[name] for name in node.inputs if name in values})
            for name in shared.intersection(inputs):
                check_readers(name, inputs[name], todo, name in wanted)
        except PipelineError as error:  # no node has raised
            failures = [RemoteFailure(error)]
            break
        try:
            own = place and place.inside(called or node.name)
            with scope:
                result = call(node, inputs, own) if skip is None else (skip,) * len(node.outputs)
        except BaseException as error:
            trim_traceback(error)
            known = {
                name: value for name, value in present(values).items() if name not in given.open()
            }
            failures = [RemoteFailure(error, at, inputs, known)]
            break
        for name, value in zip(node.outputs, result):
            values.setdefault(name, value)
        label = f"node {node.name!r} ({node.where}): its output"
        packed = PackedValue(dict(zip(node.outputs, result)), label)
        changed = {name: scope.shared[name] for name in scope.changed if called}
        label = f"node {node.name!r} ({node.where}): the value of context"
        used = PackedValue(changed, label) if scope.is_used else None
        done.append((clock() - begun, packed, wanted.isdisjoint(node.outputs), used))
    return RemoteReply(PackedValue(_Done(done), ""), failures, clock() - started)


class _Done(list):  # type: ignore[type-arg]
    """(seconds, packed outputs, whether these may be left out, what it has changed in ``context``
    or None) of each node that ran.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        sent = []
        for seconds, packed, optional, used in self:
            changed = used and used.pack()
            try:
                sent.append((seconds, packed.pack(), optional, changed))
            except Exception:
                if not optional:
                    raise
                sent.append((seconds, None, optional, changed))
        return _Done, (sent,)


def call(node: NodeLike, inputs: Mapping[str, Any], place: Any = None) -> tuple[Any, ...]:
    """The values of the outputs of *node*, which has the RecordPlace *place*."""
    recorded = getattr(node, "run_recorded", None) if place is not None else None
    if recorded is not None:
        return recorded(inputs, place)  # type: ignore[no-any-return]
    with nullcontext() if place is None else _entered(place):
        return run_async(node, inputs) if node.is_async else node.run(inputs)


def _entered(place: Any) -> AbstractContextManager[Any]:
    """Inside, what is logged belongs to the node at *place*."""
    if not IN_WORKER.get():
        return place.enter()  # type: ignore[no-any-return]
    from kohaku_ast.pipeline.node_output import take_streams  # here: few runs have records

    take_streams()
    _note_process(place)
    # A thread is one of several that run nodes in a worker of Dask.
    is_alone = threading.current_thread() is threading.main_thread()
    return _of_process(place) if is_alone else place.enter(is_of_process=True)


_noted: set[tuple[str, str]] = set()
_MOST_NOTED = 1000


def _note_process(place: Any) -> None:
    """Have the record say that the node at *place* runs in this process, once a node."""
    if (place.parent, place.node) in _noted:
        return
    from kohaku_ast.store.environment import ProcessMark, host, process_field
    from kohaku_ast.store.run_folder import append_process

    if len(_noted) >= _MOST_NOTED:
        _noted.clear()
    _noted.add((place.parent, place.node))
    process = {**(process_field(ProcessMark.of(os.getpid())) or {}), "host": host()}
    append_process(os.path.join(place.root, place.parent), place.node, process)


@contextmanager
def _of_process(place: Any) -> Iterator[None]:
    """The same in a worker where no other node runs: for processes that the node starts, too."""
    from kohaku_ast.store.environment import RUN_DIR  # here, too

    before = os.environ.get(RUN_DIR)
    with place.enter(is_of_process=True) as run:
        os.environ[RUN_DIR] = run.files
        try:
            yield
        finally:
            if before is None:
                os.environ.pop(RUN_DIR, None)
            else:
                os.environ[RUN_DIR] = before


def run_rows(constant: PackedValue, rows: PackedValue, keep: bool) -> RemoteReply:
    """The results of items by the generated code, up to the first that raises; with *keep* of all
    items, and None for those that raised.
    """
    started, failures = clock(), []
    results: list[Any] = []
    enter_worker(constant.is_received)
    try:
        plan, over, fixed, held = constant.open_cached()
        loop, rest = plan.generated.loop(over), iter(rows.open())
    except Exception as error:
        return RemoteReply(PackedValue([], ""), [RemoteFailure(error)], 0.0)
    with ItemValues(results, None, held):
        while True:
            try:
                loop(rest, fixed, results.append)
                break
            except BaseException as error:
                failures.append(_failed_row(plan, error, len(results)))
                if not keep or not isinstance(error, Exception):
                    break
                results.append(None)
    return RowsReply(PackedValue(results, _labels(plan)), failures, clock() - started)


def _failed_row(plan: Plan, error: BaseException, index: int) -> RemoteFailure:
    found = plan.generated.failed(error.__traceback__)
    trim_traceback(error)
    if not found:
        return RemoteFailure(error, index=index)
    node, known = found
    inputs = {name: known[name] for name in node.inputs if name in known}
    results = {name: value for name, value in known.items() if name not in plan.given}
    return RemoteFailure(error, plan.nodes.index(node), inputs, results, index)


def _labels(plan: Plan) -> dict[str, str]:
    """The names of the outputs in error messages."""
    return {
        name: f"node {one.name!r} ({one.where}): its output {name!r}"
        for one in plan.nodes
        for name in one.outputs
        if name in plan.wanted
    }


def start_worker(method: str) -> None:
    """At the start of a worker process, which multiprocessing has started by *method*.

    Ctrl-C is left to the parent, which ends this process. It is handled, not ignored: processes
    that a node starts would inherit that and never get it. If the parent is killed, this process
    ends, too: it would wait for tasks for ever.
    """
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a fork has that of the parent
    # Of a fork the system kills it, without a thread, which a node that forks must not meet; and a
    # pipe of the parent's would be open in the workers that were forked later. The parent of the
    # others may be a fork server, or a thread that ends first.
    from kohaku_ast.runner.process_exit import (
        die_with_parent,
    )  # in the worker: the flow does without

    if method != "fork" or not die_with_parent(_parent().pid):
        threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    from multiprocessing.connection import wait

    wait([_parent().sentinel])
    os._exit(1)


def _parent() -> Any:
    from multiprocessing import parent_process

    return parent_process()
