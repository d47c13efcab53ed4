"""A task in a worker process (nodes, or items of a map), its reply, and how values get there.

State of a worker process: the values of parts that come again and again.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import tempfile
import threading
import traceback
from collections import OrderedDict
from contextlib import nullcontext

from kohaku_ast.errors import PipelineError, UncrossableValue
from kohaku_ast.frames import put_part
from kohaku_ast.pipeline.condition import present, skip_of
from kohaku_ast.pipeline.execution import clock
from kohaku_ast.pipeline.failure import (
    IN_WORKER,
    RemoteTraceback,
    ScriptTraceback,
    enter_worker,
    trim_traceback,
)
from kohaku_ast.pipeline.node_like import check_readers, run_async

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.pipeline.plan import Plan


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

    __slots__ = ("failures", "results", "seconds")

    def __init__(
        self,
        results: PackedValue,
        failures: list[RemoteFailure],
        seconds: float,
        made: Sequence[tuple[str, float]] = (),
    ) -> None:
        self.results = results
        self.failures = failures
        self.seconds = seconds
        if made:
            from kohaku_ast.pipeline.permanence import add_news

            add_news(made)

    def __reduce__(self) -> tuple[Any, ...]:
        try:
            self.results.pack()
        except Exception as error:  # its message names the value and the node
            return RemoteReply, (
                PackedValue([], ""),
                [*self.failures, RemoteFailure(error)],
                self.seconds,
                _made(),
            )
        return RemoteReply, (self.results, self.failures, self.seconds, _made())


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
    place: Any = None,
    may_skip: bool = False,
    called: str = "",
) -> RemoteReply:
    """The results of nodes in their order, each with its seconds. An output that cannot be sent and
    is not *wanted* is None. The values of *shared* names have several readers. *place*: the
    RecordPlace of the nodes; *called*: the name there of a node that is alone. *may_skip*: whether
    their conditions are looked at, and a Skip stands for the outputs of one that was skipped.
    """
    started, done, at = clock(), [], 0
    enter_worker(nodes.is_received)
    try:
        todo: list[NodeLike] = nodes.open_cached()
        values: dict[str, Any] = dict(given.open())
    except Exception as error:
        return RemoteReply(PackedValue([], ""), [RemoteFailure(error)], 0.0)
    failures = []
    for at, node in enumerate(todo):
        begun = clock()
        try:
            skip = skip_of(node, values) if may_skip else None
            inputs = present({name: values[name] for name in node.inputs if name in values})
            for name in shared.intersection(inputs):
                check_readers(name, inputs[name], todo, name in wanted)
        except PipelineError as error:  # no node has raised
            failures = [RemoteFailure(error)]
            break
        try:
            own = place and place.inside(called or node.name)
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
        done.append((clock() - begun, packed, wanted.isdisjoint(node.outputs)))
    return RemoteReply(PackedValue(_Done(done), ""), failures, clock() - started)


class _Done(list):  # type: ignore[type-arg]
    """(seconds, packed outputs, whether these may be left out) of each node that ran."""

    def __reduce__(self) -> tuple[Any, ...]:
        sent = []
        for seconds, packed, optional in self:
            try:
                sent.append((seconds, packed.pack(), optional))
            except Exception:
                if not optional:
                    raise
                sent.append((seconds, None, optional))
        return _Done, (sent,)


def call(node: NodeLike, inputs: Mapping[str, Any], place: Any = None) -> tuple[Any, ...]:
    """The values of the outputs of *node*, which has the RecordPlace *place*."""
    recorded = getattr(node, "run_recorded", None) if place is not None else None
    if recorded is not None:
        return recorded(inputs, place)  # type: ignore[no-any-return]
    with nullcontext() if place is None else _entered(place):
        return run_async(node, inputs) if node.is_async else node.run(inputs)


def _entered(place: Any) -> AbstractContextManager[Any]:
    """Inside, what is logged belongs to the node at *place*, if its record can be reached here."""
    if not os.path.isdir(os.path.join(place.root, place.parent)):
        return nullcontext()  # another machine, with disks of its own
    if IN_WORKER.get():
        from kohaku_ast.pipeline.node_output import take_streams  # here: few runs have records

        take_streams()
    return place.enter(is_of_process=IN_WORKER.get())  # type: ignore[no-any-return]


def run_rows(constant: PackedValue, rows: PackedValue, keep: bool) -> RemoteReply:
    """The results of items by the generated code, up to the first that raises; with *keep* of all
    items, and None for those that raised.
    """
    started, failures = clock(), []
    results: list[Any] = []
    enter_worker(constant.is_received)
    try:
        plan, over, fixed = constant.open_cached()
        loop, rest = plan.generated.loop(over), iter(rows.open())
    except Exception as error:
        return RemoteReply(PackedValue([], ""), [RemoteFailure(error)], 0.0)
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


class PackedValue:
    """A value for another process: ``open`` returns the value itself here and an equal one there.

    It is unpickled by ``open``, not on arrival, so that a value that cannot be unpickled is an
    error of its task and does not end the process.
    """

    __slots__ = ("_data", "_label", "_path", "_value", "is_received")

    def __init__(self, value: Any, label: str | Mapping[str, str]) -> None:
        self._value = value
        #: The name of the value in error messages; a mapping has one for each name of a dict.
        self._label = label
        self._data: bytes | None = None
        self._path: str | None = None
        #: Whether another process sent it.
        self.is_received = False

    def open(self) -> Any:
        """The value. Raises UncrossableValue."""
        if self._path is not None and self._value is None:
            with open(self._path, "rb") as file:
                return _read(file.read(), self._label)
        if self._data is not None and self._value is None:
            self._value = _read(self._data, self._label)
        return self._value

    def open_cached(self) -> Any:
        """The value. This process keeps the last ones: equal packed values open to one object."""
        key = self._path or self._data
        if key is None or self._value is not None:
            return self._value
        if key not in _unpacked:
            _unpacked[key] = self.open()
            while len(_unpacked) > _MOST_UNPACKED:
                _unpacked.popitem(last=False)
        return _unpacked[key]

    def pack(self) -> PackedValue:
        """Pickle the value; returns self. Raises UncrossableValue if that fails."""
        if self._data is None:
            self._data = dumps(self._value, self._label)
        return self

    def spilled(self, folder: Callable[[], str]) -> PackedValue:
        """Write a large value to a file in *folder*, so that only the path is sent and each process
        reads it once; returns self. Raises UncrossableValue.
        """
        data = self.pack()._data
        if data is not None and len(data) > _LARGE:
            handle, self._path = tempfile.mkstemp(dir=folder())
            with open(handle, "wb") as file:
                file.write(data)
        return self

    def part(self, value: Any) -> PackedValue:
        """*value*, a part of this one, packed with the same names for errors."""
        return PackedValue(value, self._label)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._path is not None:
            return _arrived, (None, self._label, self._path)
        return _arrived, (self.pack()._data, self._label)


#: Values of ``open_cached``: a worker process gets one plan again and again.
_unpacked: OrderedDict[bytes | str, Any] = OrderedDict()
_MOST_UNPACKED = 4
_LARGE = 1 << 20  # bytes; below that a pipe is as fast as a file


def _arrived(
    data: bytes | None, label: str | Mapping[str, str], path: str | None = None
) -> PackedValue:
    packed = PackedValue(None, label)
    packed._data, packed._path = data, path
    packed.is_received = True
    return packed


def dumps(value: Any, label: str | Mapping[str, str]) -> bytes:
    """*value* pickled. Raises UncrossableValue, which names the part that cannot be sent."""
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception:
        try:
            import cloudpickle  # type: ignore[import-untyped]  # it has no types

            return cloudpickle.dumps(value)  # type: ignore[no-any-return]
        except UncrossableValue:
            raise  # that of a packed value inside, which names its node and output
        except Exception as error:
            raise UncrossableValue(_message(value, label, error)) from error


def can_be_sent(value: Any) -> bool:
    """Whether *value* can be sent to another process."""
    try:
        dumps(value, "")
        return True
    except UncrossableValue:
        return False


def sendable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of *values* that can be sent."""
    if can_be_sent(values):
        return dict(values)
    return {name: value for name, value in values.items() if can_be_sent(value)}


def _read(data: bytes, label: str | Mapping[str, str]) -> Any:
    try:
        return pickle.loads(data)
    except Exception as error:
        names = label if isinstance(label, str) else ", ".join(label.values())
        raise UncrossableValue(
            f"{names} cannot be read in another process ({type(error).__name__}: {error}). Its "
            "class must be importable there, and must pickle."
        ) from error


def _message(value: Any, label: str | Mapping[str, str], error: Exception) -> str:
    if type(value) is dict:
        for name, one in value.items():
            if not can_be_sent(one):
                label = f"{label} {name!r}" if isinstance(label, str) else label[name]
                value = one
                break
    if not isinstance(label, str):
        label = next(iter(label.values()))
    kind = type(value)
    return (
        f"{label} cannot be sent to another process: a {kind.__module__}.{kind.__qualname__} "
        f"({type(error).__name__}: {error}). Run it by threads, or make it inside the node, from "
        "something like a path."
    )


def pack_error(error: BaseException) -> tuple[Any, ...]:
    """*error* as bytes, or in parts if pickle cannot make it again: the class, its arguments and
    its attributes; and its traceback as text.
    """
    cause = error.__cause__
    text = (
        str(cause.args[0])  # it has no frames but ours here: a script ran in another process still
        if isinstance(cause, ScriptTraceback)
        else "".join(traceback.format_exception(type(error), error, error.__traceback__))
    )
    return (_pickled_error(error) or _error_parts(error)), text


def _pickled_error(error: BaseException) -> bytes | None:
    """None for a class whose constructor does not make an equal exception of the arguments."""
    try:
        data = dumps(error, "")
        again = pickle.loads(data)
        return data if type(again) is type(error) and str(again) == str(error) else None
    except Exception:  # whatever a constructor of the user's raises
        return None


def _error_parts(error: BaseException) -> tuple[Any, ...]:
    args = tuple(one if can_be_sent(one) else repr(one) for one in error.args)
    try:
        kind = dumps(type(error), "")
        pickle.loads(kind)
    except Exception:  # its class cannot be sent: its name and text can
        kind, args = dumps(PipelineError, ""), (f"{type(error).__name__}: {error}",)
    return kind, args, sendable(error.__dict__)


def unpack_error(packed: tuple[Any, ...]) -> BaseException:
    """The exception; its cause shows the traceback of the other process."""
    what, text = packed
    try:
        error: BaseException = pickle.loads(what) if isinstance(what, bytes) else _error_from(*what)
    except Exception:  # its class is not available here
        error = PipelineError(text.strip().rpartition("\n")[2])
    put_part(error, "__cause__", RemoteTraceback(text))
    return error


def _error_from(data: bytes, args: tuple[Any, ...], attributes: dict[str, Any]) -> BaseException:
    kind = pickle.loads(data)
    error: BaseException = kind.__new__(kind, *args)
    put_part(error, "args", args)
    error.__dict__.update(attributes)
    return error
