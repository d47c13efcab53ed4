"""``image = Output(bytes)`` and ``image = Input(bytes)`` in the body of a component: its ports.

The body declares them; each object has its own, which ``camera.image >> planner.image`` connects.
"""

from __future__ import annotations

import copy
import sys
from typing import Any

from kohaku_ast.errors import SystemsError, SystemsTypeError, read_number
from kohaku_ast.pipeline.edge_types import name_of
from kohaku_ast.pipeline.node import REQUIRED
from kohaku_ast.pipeline.node_like import place
from kohaku_ast.user_code import OUR_FOLDER
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeVar

    PortType = TypeVar("PortType", bound="Port")


class Port:
    """What inputs and outputs share."""

    #: The component that it belongs to; None for the declaration in the class.
    component: Any = None
    #: Its name there.
    name = ""

    def __init__(self, type: Any = Any) -> None:  # noqa: A002  # as users think of it
        #: The type of its messages; ``Any`` fits every one.
        self.type = type

    def of(self: PortType, component: Any, name: str) -> PortType:
        """The port *name* of the object *component*."""
        own = copy.copy(self)
        own.component, own.name = component, name
        return own

    @property
    def full_name(self) -> str:
        """``camera.image``."""
        return f"{self.owner.name}.{self.name}"

    @property
    def owner(self) -> Any:
        """The component. Raises SystemsError for a declaration."""
        if self.component is None:
            raise SystemsError(
                f"{self!r} is declared in a class: connect the ports of objects, "
                "as camera = Camera(); camera.image >> planner.image."
            )
        return self.component

    def __repr__(self) -> str:
        kind = f"{type(self).__name__}({name_of(self.type)})"
        return kind if self.component is None else f"<{self.full_name}: {kind}>"


class Output(Port):
    """A port that a component sends messages on: ``image = Output(bytes)``."""

    @public
    def __rshift__(self, other: Input | Iterable[Input]) -> Input | Iterable[Input]:
        """Connect this output to *other*, an input or several."""
        where = _caller()
        for one in [other] if isinstance(other, Input) else _inputs(self, other):
            one.connect(self, where)
        return other


class Input(Port):
    """A port that a component gets messages on: ``image = Input(bytes)``.

    A component does a step when each of its inputs has a message.
    """

    #: The output that it is connected to.
    source: Output | None = None
    #: ``sys.py:12``, the line that connected it.
    where = ""

    def __init__(
        self,
        type: Any = Any,  # noqa: A002
        *,
        default: Any = REQUIRED,
        queue: int | None = None,
        latest: bool = False,
    ) -> None:
        """*default* is the value of an input that nobody connects. *queue* is the number of
        messages that may wait here; the engine decides without it. *latest*: one may, which the
        next one replaces, so that a slow component gets the newest one and holds nobody up.
        """
        super().__init__(type)
        if latest and queue is not None:
            raise SystemsError(
                f"Input(queue={queue}, latest=True): with latest one message waits, the newest: "
                "take away one of them."
            )
        self.default, self.latest = default, bool(latest)
        self.queue = None if queue is None else int(_queue(queue))

    def connect(self, source: Output, where: str = "") -> None:
        """Have *source* feed this input. Raises SystemsError if another output does already."""
        _check_bound(source, self)
        if self.source is not None and self.source is not source:
            raise SystemsError(
                f"{self.full_name} gets messages from {self.source.full_name} already"
                f"{f' ({self.where})' if self.where else ''}: an input has one source. Declare an "
                f"input of its own for {source.full_name}."
            )
        self.source, self.where = source, where or _caller()


def _check_bound(*ports: Port) -> None:
    """Raise SystemsError for a declaration among *ports*."""
    for one in ports:
        assert one.owner


def _queue(queue: object) -> float:
    return read_number("queue", queue, 1, of=SystemsError)


def _inputs(output: Output, other: Any) -> list[Input]:
    found = [*other] if isinstance(other, (list, tuple)) else [other]
    for one in found:
        if not isinstance(one, Input):
            what = one.full_name if isinstance(one, Output) and one.component else repr(one)
            raise SystemsTypeError(
                f"{output.full_name} >> {what}: an output is connected to an input, as "
                "camera.image >> planner.image, or to a list of inputs."
            )
    return found


def _caller() -> str:
    """``sys.py:12`` of the nearest frame that is not ours."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(OUR_FOLDER):
        frame = frame.f_back
    return place(frame.f_code.co_filename, frame.f_lineno)
