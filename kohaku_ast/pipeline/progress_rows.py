"""What progress bars show: a row for each pipeline and map of a run."""

from __future__ import annotations

from dataclasses import dataclass

from kohaku_ast.display.graph_layout import listed, one_line, time_text
from kohaku_ast.display.text import short_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kohaku_ast.pipeline.last_run import LastRun, Path
    from kohaku_ast.pipeline.tally import Tally

_MOST = 12  # rows
_LABEL = 24  # letters


@dataclass(frozen=True)
class Row:
    """One bar."""

    #: The name, moved in by what it is inside of.
    label: str
    done: int
    total: int
    #: ``nodes`` or ``items``.
    unit: str
    #: What is running, what failed, how long it took.
    text: str
    #: Whether anything of it failed.
    has_failed: bool


def find_rows(seen: LastRun, seconds: float = 0.0, is_over: bool = False) -> list[Row]:
    """The rows, outermost first, of a run that has taken *seconds* so far, or in all."""
    tallies = dict(list(seen.tallies.items()))
    paths = [path for path, tally in tallies.items() if tally.starts]
    ordered = sorted(paths, key=lambda path: _order(path, paths))
    name = seen.base[-1] if seen.base else ""
    took = (time_text if is_over else _running_text)(seconds)
    return [
        _row(path, path[-1] if path else name, tallies, "" if path else took, is_over)
        for path in ordered[:_MOST]
    ]


def _running_text(seconds: float) -> str:
    """Whole seconds: they change only once in a while."""
    return short_time(seconds) if seconds >= 1 else ""


def _order(path: Path, paths: list[Path]) -> tuple[int, ...]:
    """Each below what it is inside of; else in the order in which they began."""
    ways = (path[:length] for length in range(1, len(path) + 1))
    return tuple([paths.index(one) if one in paths else 0 for one in ways])


def _row(path: Path, name: str, tallies: Mapping[Path, Tally], took: str, is_over: bool) -> Row:
    tally = tallies[path]
    total = tally.ended if is_over and not tally.broken else total_of(path, tallies)
    own = {one: tallies[one] for one in tallies if one[:-1] == path and one}
    parts = [
        "" if is_over else listed([one[-1] for one in own if own[one].running], 24),
        _counted(sum(one.cached for one in own.values()), "cached"),
        _counted(tally.broken, "failed"),
        took,
    ]
    return Row(
        "  " * len(path) + one_line(name, _LABEL),
        tally.ended,
        total,
        "items" if tally.items else "nodes",
        ", ".join(filter(None, parts)),
        bool(tally.broken),
    )


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count else ""


def total_of(path: Path, tallies: Mapping[Path, Tally]) -> int:
    """How many nodes or items there will be, as far as can be told: inside a map, as many for each
    item as there were so far.
    """
    tally = tallies[path]
    for length in reversed(range(len(path))):
        outer = tallies.get(path[:length])
        if outer is not None and outer.items:
            each = tally.expected / max(1, tally.starts)
            return max(tally.expected, round(each * total_of(path[:length], tallies)))
    return tally.expected
