"""Seen: what is known of a run from what it has printed."""

from __future__ import annotations

from dataclasses import dataclass, field

from kohaku_ast.flow.display.metrics import Number
from kohaku_ast.flow.run import Run

_NOTE = "seen"


@dataclass
class Seen:
    """Only ``LogWatch`` writes it."""

    #: The last line that is not blank; plain text.
    line: str = ""
    #: Between 0 and 1, if it says how far it is.
    progress: float | None = None
    #: Name -> the last number.
    metrics: dict[str, Number] = field(default_factory=dict)


def seen_of(run: Run) -> Seen:
    """What has been seen of *run*; empty if nobody has looked."""
    found = run.notes.get(_NOTE)
    return found if isinstance(found, Seen) else Seen()


def new_seen(run: Run) -> Seen:
    """A new one for *run*, whose ``notes`` hold it."""
    run.notes[_NOTE] = seen = Seen()
    return seen
