"""How components run: queues of messages between actors, and groups of actors that share a thread.

Every engine of ours runs components with it; the order of the messages of a connection is the same
in each of them, since a component does a step only when each of its inputs has a message.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Generator
from threading import Event
from typing import Any

from kohaku_ast.errors import SystemsError
from kohaku_ast.pipeline.failure import add_note
from kohaku_ast.systems.component import unconnected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kohaku_ast.systems.component import Component


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The result of a *function* of a component. Tracebacks begin behind it."""
    return function(*args, **kwargs)


QUEUE = 16
"""Messages that may wait at an input that does not say."""


class Queue:
    """The messages on their way from one output to one input, within this process.

    One thread puts and one takes: both only ever make room for the other.
    """

    __slots__ = ("bound", "has_ended", "is_closed", "items", "reader", "writer")

    def __init__(self, bound: int, latest: bool = False) -> None:
        """*latest*: one message waits at most, the newest, and there is always room."""
        self.bound = sys.maxsize if latest else bound
        # It replaces what waits in one step, so that the other thread never finds it empty.
        self.items: deque[Any] = deque(maxlen=1 if latest else None)
        #: No message comes any more.
        self.has_ended = False
        #: Nobody takes messages any more.
        self.is_closed = False
        #: Set when there is something to take, and when there is room, if another thread waits.
        self.reader: Event | None = None
        self.writer: Event | None = None

    @property
    def has_room(self) -> bool:
        """Whether another message may be put."""
        return len(self.items) < self.bound or self.is_closed

    @property
    def is_over(self) -> bool:
        """Whether it is empty for good."""
        return self.has_ended and not self.items

    def put(self, message: Any) -> None:
        """Have *message* wait, whether or not there is room."""
        if not self.is_closed:
            self.items.append(message)
            if self.reader is not None:
                self.reader.set()

    def end(self) -> None:
        """No message comes any more."""
        self.has_ended = True
        if self.reader is not None:
            self.reader.set()

    def take(self) -> Any:
        """The next message."""
        message = self.items.popleft()
        if self.writer is not None:
            self.writer.set()
        return message

    def close(self) -> None:
        """Drop what waits, and what comes."""
        self.is_closed = True
        self.items.clear()
        if self.writer is not None:
            self.writer.set()


class Actor:
    """A component while it runs."""

    def __init__(
        self, component: Component, iterations: int | None, is_source: bool | None = None
    ) -> None:
        """*is_source* is for a component whose sources are in other processes."""
        self.component = component
        #: The steps that it has done.
        self.steps = 0
        self.is_over = False
        self.is_source = component.is_source if is_source is None else is_source
        self.inlets: dict[str, Queue] = {}
        #: Output -> where its messages go: a Queue, or what else has ``put``.
        self.outlets: dict[str, list[Any]] = {name: [] for name in component.outputs}
        self._others = unconnected(component)
        self._left = iterations if self.is_source else None
        self._period = 1 / component.rate if component.rate and self.is_source else 0.0
        #: When the next step is due, in the time of ``time.monotonic``.
        self._due = 0.0
        self._yielded: Generator[Any, None, None] | None = None
        self._step = component.run_step
        self._readers: list[Any] = []
        #: The only output, whose messages are what the step returns.
        self._only = next(iter(component.outputs)) if len(component.outputs) == 1 else ""
        #: Classes of messages that fit their output.
        self._checked: set[tuple[str, type]] = set()

    def add_inlet(self, name: str, queue: Queue) -> None:
        """Have the input *name* get its messages from *queue*."""
        self.inlets[name] = queue
        self._others.pop(name, None)

    def begin(self) -> None:
        """Send what the component sends first. All connections are there."""
        self._readers = [queue for queues in self.outlets.values() for queue in queues]
        self._send(self.component.initial())

    def advance(self) -> bool:
        """Do one step, or end; False if neither is possible now."""
        for queue in self._readers:
            if not queue.has_room:
                return False
        if self._left == 0:
            self.end()
            return True
        if self._yielded is not None:
            return self._is_due() and self._next()
        for queue in self.inlets.values():
            if not queue.items:
                if queue.is_over:
                    self.end()
                    return True
                return False
        if not self.is_source:
            self._call({name: queue.take() for name, queue in self.inlets.items()})
        elif self._is_due():
            self._call({})
        else:
            return False
        return True

    def wait_time(self, now: float) -> float | None:
        """Seconds until its next step is due; None if it does not wait for a time."""
        if self.is_over or not self._period or self._due <= now:
            return None
        return self._due - now

    def end_source(self) -> None:
        """Have a source end before its next step."""
        if self.is_source and not self.is_over:
            self.end()

    def end(self) -> None:
        """No step comes any more."""
        self.is_over = True
        if self._yielded is not None:
            self._yielded.close()
        for queue in self.inlets.values():
            queue.close()
        for queues in self.outlets.values():
            for queue in queues:
                queue.end()

    def _is_due(self) -> bool:
        if not self._period:
            return True
        now = time.monotonic()
        if now < self._due:
            return False
        # What is late by a period or more goes on from now: no burst makes up for it.
        self._due = self._period + (self._due if now < self._due + self._period else now)
        return True

    def _call(self, messages: dict[str, Any]) -> None:
        self.steps += 1
        try:
            result = call(self._step, **messages, **self._others)
            if isinstance(result, Generator):
                self._yielded = result
                self.steps -= self.is_source  # each value that it yields is a step
                self._next()
            else:
                self._send_result(result)
        except Exception as error:
            self._explain(error, messages)
            raise
        if self._left is not None and self._yielded is None:
            self._left -= 1

    def _next(self) -> bool:
        """Send the next value that the step yields."""
        assert self._yielded is not None
        try:
            result = call(next, self._yielded)
        except StopIteration:
            self._yielded = None
            if self.is_source:
                self.end()
            return True
        except Exception as error:
            self._explain(error, {})
            raise
        self.steps += self.is_source
        if self._left is not None:
            self._left -= 1
        self._send_result(result)
        return True

    def _send_result(self, result: Any) -> None:
        if result is None:
            return
        if self._only:  # at once: this is most of what a small step costs
            self._send({self._only: result})
        else:
            self._send(self.component.messages(result))

    def _send(self, messages: Mapping[str, Any]) -> None:
        for name, message in messages.items():
            kind = type(message)
            if (name, kind) not in self._checked:
                self.component.check_message(name, kind)
                self._checked.add((name, kind))
            for queue in self.outlets[name]:
                queue.put(message)

    def _explain(self, error: Exception, messages: Mapping[str, Any]) -> None:
        from kohaku_ast.display.text import short_repr

        if getattr(error, "_kogine_component", None) is None:
            error._kogine_component = self.component.name  # type: ignore[attr-defined]
            given = ", ".join(f"{name}={short_repr(one)}" for name, one in messages.items())
            where = f"in component {self.component.name!r}, step {self.steps}"
            add_note(error, f"{where}{', with ' if given else ''}{given}")


class Group:
    """Actors that share a thread. Each does one step after the other, in running order, so that a
    message of a source goes all its way before the next one.
    """

    def __init__(self, actors: Sequence[Actor]) -> None:
        """*actors* are in running order."""
        self.actors = [*actors]
        self._left = [*actors]
        #: Set when something has changed for an actor of the group.
        self.changed = Event()
        self._ready: list[Actor] = []

    def setup(self) -> None:
        """Call ``setup`` of each component, and send what they send first."""
        for one in self.actors:
            self._ready.append(one)
            call(one.component.setup)
        for one in self.actors:
            one.begin()

    def teardown(self) -> Iterator[Exception]:
        """Call ``teardown`` of each component that was set up; what they raise."""
        for one in reversed(self._ready):
            try:
                call(one.component.teardown)
            except Exception as error:
                yield error

    def advance(self) -> bool:
        """Do a step of each actor that can do one; False if none can."""
        is_busy = has_ended = False
        for one in self._left:
            if one.advance():
                is_busy = True
                has_ended = has_ended or one.is_over
        if has_ended:
            self._left = [one for one in self._left if not one.is_over]
        return is_busy

    @property
    def is_over(self) -> bool:
        """Whether all actors have ended."""
        return not self._left

    def wait_time(self) -> float | None:
        """Seconds until a step is due; None if none waits for a time."""
        now = time.monotonic()
        times = [one.wait_time(now) for one in self._left]
        return min((one for one in times if one is not None), default=None)

    def end_sources(self) -> None:
        """Have the sources end before their next steps."""
        for one in [*self._left]:
            one.end_source()
            if one.is_over:
                self._left.remove(one)

    def end(self) -> None:
        """End all actors at once."""
        for one in self._left:
            one.end()
        self._left = []


def connect(actors: Iterable[Actor], queue: int = QUEUE) -> None:
    """Join *actors* by the connections among their components."""
    known = {one.component: one for one in actors}
    for one in known.values():
        for name, port in one.component.inputs.items():
            source = known.get(port.source.owner) if port.source is not None else None
            if source is not None and port.source is not None:
                found = Queue(port.queue or queue, port.latest)
                one.add_inlet(name, found)
                source.outlets[port.source.name].append(found)


def cross_threads(groups: Sequence[Group]) -> None:
    """Have queues between different *groups* wake the other one."""
    writers = {
        id(queue): group
        for group in groups
        for actor in group.actors
        for queues in actor.outlets.values()
        for queue in queues
    }
    for group in groups:
        for actor in group.actors:
            for queue in actor.inlets.values():
                writer = writers.get(id(queue))
                if writer is not None and writer is not group:
                    queue.reader, queue.writer = group.changed, writer.changed


def deadlock(actors: Iterable[Actor]) -> SystemsError:
    """The error for *actors* of which none can do a step."""
    lines = []
    for one in actors:
        if one.is_over:
            continue
        empty = [name for name, queue in one.inlets.items() if not queue.items]
        full = [
            name
            for name, queues in one.outlets.items()
            if any(not queue.has_room for queue in queues)
        ]
        waits = [f"a message at {', '.join(empty)}"] if empty else []
        waits += [f"room behind {', '.join(full)}"] if full else []
        lines.append(f"{one.component.name} waits for {' and '.join(waits) or 'nothing'}")
    return SystemsError(
        f"deadlock: {'; '.join(lines)}. Give the input with the full queue more room: "
        "Input(..., queue=100)."
    )
