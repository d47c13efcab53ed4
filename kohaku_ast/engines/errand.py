"""What another worker does: a node, or items of a map; and the answer that comes back."""

from __future__ import annotations

import signal

from kohaku_ast.engines.parcel import Parcel, crossing
from kohaku_ast.pipeline.apart import note_crossing
from kohaku_ast.pipeline.awaited import run_async
from kohaku_ast.pipeline.frames import cut
from kohaku_ast.pipeline.scope import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from kohaku_ast.pipeline.node_like import NodeLike
    from kohaku_ast.pipeline.plan import Plan


class Trouble:
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
        #: Of the node among those that were sent; None: none of them raised it.
        self.position = position
        self.inputs = inputs or {}
        self.results = results or {}
        #: Of the item among those that were sent; None: of none, nothing was run.
        self.index = index

    def __reduce__(self) -> tuple[Any, ...]:
        from kohaku_ast.engines.crossed_error import pack_error

        inputs, results = crossing(self.inputs), crossing(self.results)
        packed = pack_error(self.error)
        return _trouble, (packed, self.position, inputs, results, self.index)


def _trouble(packed: tuple[Any, ...], *rest: Any) -> Trouble:
    from kohaku_ast.engines.crossed_error import unpack_error

    return Trouble(unpack_error(packed), *rest)


class Answer:
    """What came of an errand: a parcel of results, troubles, and how long it took."""

    __slots__ = ("results", "seconds", "troubles")

    def __init__(self, results: Parcel, troubles: list[Trouble], seconds: float) -> None:
        self.results = results
        self.troubles = troubles
        self.seconds = seconds

    def __reduce__(self) -> tuple[Any, ...]:
        try:
            self.results.pack()
        except Exception as error:  # its own message says which value of which node
            return Answer, (Parcel([], ""), [*self.troubles, Trouble(error)], self.seconds)
        return Answer, (self.results, self.troubles, self.seconds)


class RowAnswer(Answer):
    """The answer of ``run_rows``: a result that cannot be sent is the trouble of its item."""

    def __reduce__(self) -> tuple[Any, ...]:
        try:
            self.results.pack()
            return Answer, (self.results, self.troubles, self.seconds)
        except Exception:
            return Answer, (*self._sorted_out(), self.seconds)

    def _sorted_out(self) -> tuple[Parcel, list[Trouble]]:
        results: list[Any] = []
        troubles = list(self.troubles)
        for index, one in enumerate(self.results.open()):
            parcel = self.results.part(one)
            try:
                results.append(parcel.pack().open())
            except Exception as error:
                results.append(None)
                troubles.append(Trouble(error, index=index))
        return Parcel(results, ""), troubles


def run_nodes(nodes: Parcel, given: Parcel, wanted: frozenset[str]) -> Answer:
    """The results of nodes in their order, each with its seconds. What cannot be sent and is not
    *wanted* stays here: None in its place.
    """
    started, done, at = clock(), [], 0
    note_crossing(nodes.has_crossed)
    try:
        todo: list[NodeLike] = nodes.open_kept()
        values: dict[str, Any] = dict(given.open())
    except Exception as error:
        return Answer(Parcel([], ""), [Trouble(error)], 0.0)
    troubles = []
    for at, node in enumerate(todo):
        inputs = {name: values[name] for name in node.inputs if name in values}
        begun = clock()
        try:
            result = call(node, inputs)
        except BaseException as error:
            cut(error)
            known = {name: value for name, value in values.items() if name not in given.open()}
            troubles = [Trouble(error, at, inputs, known)]
            break
        for name, value in zip(node.outputs, result):
            values.setdefault(name, value)
        label = f"node {node.name!r} ({node.where}): its output"
        parcel = Parcel(dict(zip(node.outputs, result)), label)
        done.append((clock() - begun, parcel, wanted.isdisjoint(node.outputs)))
    return Answer(Parcel(_Done(done), ""), troubles, clock() - started)


class _Done(list):  # type: ignore[type-arg]
    """(seconds, parcel of the outputs, whether it may stay behind) of each node that ran."""

    def __reduce__(self) -> tuple[Any, ...]:
        sent = []
        for seconds, parcel, optional in self:
            try:
                sent.append((seconds, parcel.pack(), optional))
            except Exception:
                if not optional:
                    raise
                sent.append((seconds, None, optional))
        return _Done, (sent,)


def call(node: NodeLike, inputs: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values of the outputs of *node*."""
    return run_async(node, inputs) if node.is_async else node.run(inputs)


def run_rows(constant: Parcel, rows: Parcel, keep: bool) -> Answer:
    """The results of items by the straight code, as far as one raises; with *keep* all, and None
    for those that raised.
    """
    started, troubles = clock(), []
    results: list[Any] = []
    note_crossing(constant.has_crossed)
    try:
        plan, over, fixed = constant.open_kept()
        loop, rest = plan.straight.loop(over), iter(rows.open())
    except Exception as error:
        return Answer(Parcel([], ""), [Trouble(error)], 0.0)
    while True:
        try:
            loop(rest, fixed, results.append)
            break
        except BaseException as error:
            troubles.append(_failed_row(plan, error, len(results)))
            if not keep or not isinstance(error, Exception):
                break
            results.append(None)
    return RowAnswer(Parcel(results, _labels(plan)), troubles, clock() - started)


def _failed_row(plan: Plan, error: BaseException, index: int) -> Trouble:
    found = plan.straight.failed(error.__traceback__)
    cut(error)
    if not found:
        return Trouble(error, index=index)
    node, known = found
    inputs = {name: known[name] for name in node.inputs if name in known}
    results = {name: value for name, value in known.items() if name not in plan.given}
    return Trouble(error, plan.nodes.index(node), inputs, results, index)


def _labels(plan: Plan) -> dict[str, str]:
    """What errors call the outputs."""
    return {
        name: f"node {one.name!r} ({one.where}): its output {name!r}"
        for one in plan.nodes
        for name in one.outputs
        if name in plan.wanted
    }


def leave_interrupts() -> None:
    """At the start of a worker process: Ctrl-C is for its parent, which ends it. Not ignored but
    handled: what a node starts would inherit the first, and no Ctrl-C would end it.
    """
    signal.signal(signal.SIGINT, lambda *_: None)
