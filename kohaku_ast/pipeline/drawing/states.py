"""What became of the nodes of a picture, in words."""

from __future__ import annotations

from kohaku_ast.display.graph_layout import one_line, time_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.pipeline.last_run import LastRun, Path
    from kohaku_ast.pipeline.tally import Tally


class States:
    """What became of the nodes of one pipeline."""

    def __init__(self, last: LastRun | None, path: Path) -> None:
        self.last, self.path = last, path
        seen = {} if last is None else last.tallies
        #: Nothing is told of what is inside a pipeline that ran in another process.
        self._seen = path in seen and bool(seen[path].nodes) if path else bool(seen)

    def of(self, name: str) -> tuple[str, str, str]:
        """State, words and last error of the node *name*."""
        if self.last is None or not self._seen:
            return "", "", ""
        tally = self.last.tallies.get((*self.path, name))
        if tally is None or not tally.state:
            return "skipped", "did not run", ""
        return tally.state, _words(tally), one_line(tally.error, 200)


def _words(tally: Tally) -> str:
    if tally.times > 1:
        counts = [
            f"{getattr(tally, state)} {state}"
            for state in ("succeeded", "cached", "failed")
            if getattr(tally, state)
        ]
        return f"{', '.join(counts)}, {time_text(tally.seconds)}"
    if tally.state == "succeeded":
        return time_text(tally.seconds)
    if tally.state == "failed":
        return f"failed after {time_text(tally.seconds)}"
    return {"skipped": "did not run"}.get(tally.state, tally.state)
