"""Outcome: what a run left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType

from kohaku_ast.runner.error_text import describe


@dataclass(frozen=True)
class RunError:
    """The exception that ended a run, as text: its class may not exist where this is read."""

    #: The name of its class, with the module unless it is a builtin: ``ValueError``.
    type: str
    #: ``str()`` of it.
    message: str
    #: The whole traceback as Python prints it, cut to the script's own frames.
    traceback: str

    @classmethod
    def of(cls, error: BaseException, trace: TracebackType | None) -> RunError:
        """*error* with *trace*, which starts at the script's first frame."""
        return cls(*describe(error, trace))

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


@dataclass(frozen=True)
class Outcome:
    """What a finished run left behind; a failure as much as a success."""

    #: ``succeeded`` or ``failed``.
    status: str
    #: What the starting call (``main()`` in the guard) returned; None if there is none.
    value: object = None
    #: Name -> last value, for the globals that the Config names in ``outputs``.
    outputs: Mapping[str, object] = field(default_factory=dict)
    #: The exception that ended it, or None.
    error: RunError | None = None
    #: As a process would end: 0, or what the script gave to ``sys.exit``.
    exit_status: int = 0
    #: When it started and ended, in seconds since the epoch.
    started: float = 0.0
    ended: float = 0.0
    #: In a flow: the number of the run from 0, what tells it from the others, the Script's name,
    #: and the file with what it printed.
    index: int = 0
    label: str = ""
    script: str = ""
    log: str = ""
    #: The exception itself, where it was asked for and this process can have it.
    raised: BaseException | None = field(default=None, compare=False, repr=False)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.started

    def _repr_html_(self) -> str:
        from kohaku_ast.display.table import Group, html_table
        from kohaku_ast.display.text import short_repr

        rows = [("value", short_repr(self.value))]
        rows += [(f"outputs[{name!r}]", short_repr(value)) for name, value in self.outputs.items()]
        if self.error is not None:
            rows.append(("error", str(self.error)))
        caption = f"{self.status}, exit status {self.exit_status}, {self.seconds:.3g} s"
        return html_table(("name", "value"), [Group("", tuple(rows))], caption)
