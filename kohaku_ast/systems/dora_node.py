"""``python -m kohaku_ast.systems.dora_node``: one process of a dataflow, with the components of a
node. Its description is in the environment variable ``KOGINE_SYSTEM_NODE``.

Each message to another process has a number, and the last one says that it is: a message that
Dora has lost, and a node that was killed, is an error here.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from typing import Any

from kohaku_ast.errors import SystemsError
from kohaku_ast.pipeline.failure import trim_traceback
from kohaku_ast.runner.transport import describe_error, pack_raised
from kohaku_ast.systems.arrow import decode, encode
from kohaku_ast.systems.engine import NODE_VARIABLE
from kohaku_ast.systems.rebuild import REPORT, make_component
from kohaku_ast.systems.schedule import Actor, Group, Queue, connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kohaku_ast.systems.component import Component

_NUMBER, _LAST = "kogine.number", "kogine.last"
_POLL = 0.02
"""Seconds between looks for a stop, of a node that has no time to wait for messages."""
_LONGEST_WAIT = 1.0
_LATE = 2.0
"""Seconds without a message after which nothing is on its way from a sender that has gone: Dora
tells of its end before it has delivered what it sent.
"""
_MOST_BYTES = 100_000
"""Of an exception that is sent as an object, too; else as text alone."""


class MessageLostError(SystemsError):
    """A message did not arrive, or the node that sends them ended without saying so."""


class Outlet:
    """Where messages of an output go to other processes."""

    has_room = True  # Dora has the queue

    def __init__(self, node: Any, name: str) -> None:
        self._node, self._name, self._number = node, name, 0

    def put(self, message: Any) -> None:
        """Send *message*."""
        array, metadata = encode(message)
        self._send(array, metadata)

    def end(self) -> None:
        """Say that no message comes any more."""
        array, metadata = encode(b"")
        self._send(array, {**metadata, _LAST: True})

    def _send(self, array: Any, metadata: dict[str, Any]) -> None:
        self._node.send_output(self._name, array, {**metadata, _NUMBER: self._number})
        self._number += 1


class Inlet(Queue):
    """Where messages from another process wait for an input."""

    __slots__ = ("_count", "_is_latest", "_is_ours", "_names", "_type", "heard")

    def __init__(self, component: Component, name: str, source: str) -> None:
        self._is_latest = component.inputs[name].latest
        super().__init__(sys.maxsize, self._is_latest)
        self._names = f"{source} >> {component.name}.{name}"
        self._type = component.inputs[name].type
        self._count, self._is_ours = 0, False
        #: When the last message came, after the sender has gone; None: it is there.
        self.heard: float | None = None

    def receive(self, array: Any, metadata: Mapping[str, Any]) -> None:
        """Take in the next message. Raises MessageLostError for a gap before it."""
        number = metadata.get(_NUMBER)
        if number is not None:
            self._is_ours = True
            if number != self._count and not (self.is_closed or self._is_latest):
                raise MessageLostError(
                    f"{self._names}: message {number} came after {self._count} of them: Dora has "
                    f"lost {number - self._count}. Give the input a longer queue (Input(..., "
                    "queue=10000)), or the source a rate that its readers keep up with."
                )
        self._count += 1
        if self.heard is not None:
            self.heard = time.monotonic()
        if metadata.get(_LAST):
            self.end()
        elif not self.is_closed:
            self.put(decode(array, metadata, self._type))

    def lose(self) -> None:
        """The sender has gone. Raises MessageLostError if it did not say that it ended."""
        if self._is_ours and not (self.has_ended or self.is_closed):
            raise MessageLostError(
                f"{self._names}: the sender has ended after {self._count} messages without "
                "saying that it would."
            )
        if not self._is_ours and not (self.has_ended or self.is_closed) and self._count == 0:
            raise MessageLostError(f"{self._names}: the sender has ended before its first message.")
        self.end()


class NodeRun:
    """The components of a node, and their messages from and to other processes."""

    def __init__(self, made: Mapping[str, Any], node: Any) -> None:
        self._node = node
        components = {one["name"]: make_component(one) for one in made["components"]}
        for source, target, queue in made["connections"]:
            input_ = _port(components, target).inputs[target.partition(".")[2]]
            input_.queue = queue
            input_.source = _port(components, source).outputs[source.partition(".")[2]]
        outside = {target.partition(".")[0] for _, target in made["inputs"]}
        self.actors = {
            name: Actor(one, made["iterations"], one.is_source and name not in outside)
            for name, one in components.items()
        }
        self.inlets: dict[str, Inlet] = {}
        #: Events to look at before each step, so that inputs have their latest messages.
        self._fresh = 0
        connect(self.actors.values(), made["queue"])
        for source, target in made["inputs"]:
            owner, _, name = target.partition(".")
            inlet = self.inlets[target] = Inlet(components[owner], name, source)
            self.actors[owner].add_inlet(name, inlet)
            self._fresh += 2 * components[owner].inputs[name].latest
        for output in made["outputs"]:
            owner, _, name = output.partition(".")
            self.actors[owner].outlets[name].append(Outlet(node, output))
        self.is_stopped = False
        self.group = Group([*self.actors.values()])

    def run(self) -> BaseException | None:
        """What a component raised, or what was lost; None after a good end."""
        try:
            self.group.setup()
            self._steps()
        except BaseException as error:
            failure: BaseException | None = error
            trim_traceback(error)
        else:
            failure = None
        for late in self.group.teardown():
            failure = failure or late
        return failure

    def _steps(self) -> None:
        next_look = idle_since = 0.0
        while not self.group.is_over:
            self._take_fresh()
            is_busy = self.group.advance()
            if self.group.is_over:
                return
            now = time.monotonic()
            if is_busy and now < next_look:
                continue
            next_look = now + _POLL
            if is_busy:
                self._take(self._node.try_recv() or {"type": ""})
                idle_since = 0.0
            else:
                idle_since = idle_since or now
                self._take(self._node.try_recv() or self._node.next(self._wait_time()))
                self._check_lost(idle_since)

    def _take_fresh(self) -> None:
        for _ in range(self._fresh and self._fresh + len(self.inlets) + 1):
            event = self._node.try_recv()
            if event is None:
                return
            self._take(event)

    def _check_lost(self, idle_since: float) -> None:
        """Raise MessageLostError for a sender that has gone, if this node had been idle for long
        enough to get what that has sent.
        """
        for inlet in self.inlets.values():
            since = inlet.heard
            if since is not None and time.monotonic() - max(since, idle_since) > _LATE:
                inlet.lose()

    def _wait_time(self) -> float:
        seconds = self.group.wait_time()
        return _LONGEST_WAIT if seconds is None else min(seconds, _LONGEST_WAIT)

    def _take(self, event: Any) -> None:
        """Handle one *event* of Dora's; an ERROR says that none came in time."""
        if event is None:
            raise MessageLostError("Dora's daemon has gone, or has no more messages.")
        kind = event["type"]
        if kind == "INPUT" and event["id"] in self.inlets:
            self.inlets[event["id"]].receive(event["value"], event["metadata"])
        elif kind == "INPUT_CLOSED" and event["id"] in self.inlets:
            self.inlets[event["id"]].heard = time.monotonic()
        elif kind == "STOP" and event.get("id") != "ALL_INPUTS_CLOSED":
            # Dora delivers nothing more: what is on its way is lost.
            self.is_stopped = True
            self.group.end()
        elif kind == "STOP":
            for inlet in self.inlets.values():
                inlet.lose()


def _port(components: Mapping[str, Component], name: str) -> Component:
    return components[name.partition(".")[0]]


def run_node(made: Mapping[str, Any], node: Any) -> int:
    """The exit status of the node that *made* describes, after it ran; *node* is Dora's."""
    run = None
    try:
        run = NodeRun(made, node)
        error = run.run()
    except BaseException as early:
        error = early
    report: dict[str, Any] = {"node": made["node"]}
    if run is not None:
        report["steps"] = {name: one.steps for name, one in run.actors.items()}
        report["is_stopped"] = run.is_stopped
    if error is not None:
        name, message, trace = describe_error(error, error.__traceback__)
        report["error"] = {
            "is_lost": isinstance(error, MessageLostError), "text": f"{name}: {message}",
            "component": getattr(error, "_kogine_component", ""), "trace": trace,
            "raised": _as_object(error),
        }  # fmt: skip
    sys.stdout.flush()
    print(f"{REPORT}{json.dumps(report)}", flush=True)
    return 0 if error is None else 1


def _as_object(error: BaseException) -> str:
    data = pack_raised(error)
    return base64.b64encode(data).decode() if len(data) <= _MOST_BYTES else ""


def main() -> int:
    """Run the node that the environment describes."""
    import dora  # type: ignore[import-untyped,unused-ignore]

    made = json.loads(os.environ[NODE_VARIABLE])
    sys.path[:0] = [one for one in made["path"] if one not in sys.path]
    if os.path.isdir(made["folder"]):
        os.chdir(made["folder"])
    return run_node(made, dora.Node())


if __name__ == "__main__":
    sys.exit(main())
