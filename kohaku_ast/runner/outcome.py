"""Outcome: what a run left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Outcome:
    """What a finished run left behind; a failure as much as a success."""

    #: ``succeeded`` or ``failed``.
    status: str
    #: What the starting call (``main()`` in the guard) returned; None if there is none.
    value: object = None
    #: Name -> last value, for the globals that the Config names in ``outputs``.
    outputs: Mapping[str, object] = field(default_factory=dict)
    #: The exception, or None.
    error: BaseException | None = None
    #: As a process would end: 0, or what the script gave to ``sys.exit``.
    exit_status: int = 0
    #: When it started and ended, in seconds since the epoch.
    started: float = 0.0
    ended: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.started

    def _repr_html_(self) -> str:
        from kohaku_ast.display.html import html_table
        from kohaku_ast.display.short import short_repr
        from kohaku_ast.display.table import Group

        rows = [("value", short_repr(self.value))]
        rows += [(f"outputs[{name!r}]", short_repr(value)) for name, value in self.outputs.items()]
        if self.error is not None:
            rows.append(("error", short_repr(self.error)))
        caption = f"{self.status}, exit status {self.exit_status}, {self.seconds:.3g} s"
        return html_table(("name", "value"), [Group("", tuple(rows))], caption)
