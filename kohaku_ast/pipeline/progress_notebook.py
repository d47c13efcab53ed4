"""Bars below the cell of a notebook."""

from __future__ import annotations

from kohaku_ast.display.graph_layout import marked_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from kohaku_ast.pipeline.progress_rows import Row


class NotebookBars:
    """One output of the cell, which changes."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, rows: Sequence[Row], is_last: bool) -> None:
        """Show *rows* in the place of those before."""
        import IPython.display  # a notebook has it

        output: Any = IPython.display  # it has no types

        shown = output.HTML(bars_html(rows))
        if self._handle is None:
            self._handle = output.display(shown, display_id=True)
        else:
            self._handle.update(shown)


def bars_html(rows: Sequence[Row]) -> str:
    """*rows* as a table."""
    return f"<table>{''.join(map(_row, rows))}</table>"


def _row(row: Row) -> str:
    left = "text-align:left;white-space:pre"
    count = f"{row.done:,}/{row.total:,} {row.unit}"
    return (
        f'<tr><td style="{left}">{marked_up(row.label)}</td>'
        f'<td><progress value="{row.done}" max="{max(1, row.total)}">{count}</progress></td>'
        f'<td style="{left}">{count}</td><td style="{left}">{marked_up(row.text)}</td></tr>'
    )
