"""A picture as HTML: pipelines inside that are shown closed can be opened below it."""

from __future__ import annotations

from kohaku_ast.pipeline.drawing.svg import description, svg_text
from kohaku_ast.pipeline.drawing.text import marked_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kohaku_ast.pipeline.drawing.shapes import Box, Sketch

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>:root{{color-scheme:light dark;font-family:system-ui,sans-serif}}</style>
</head>
<body>
{body}
</body>
</html>
"""


def html_text(sketch: Sketch) -> str:
    """*sketch* as a part of a page."""
    parts = "".join(_details(sketch))
    return f'<div style="overflow:auto">{svg_text(sketch)}</div>{parts}'


def html_page(sketch: Sketch) -> str:
    """*sketch* as a whole page, for light and dark screens."""
    return _PAGE.format(title=marked_up(description(sketch)), body=html_text(sketch))


def _details(sketch: Sketch) -> Iterator[str]:
    for box in sketch.boxes:
        if box.open is not None:
            yield _opened(box, box.open())
        elif box.inner is not None:
            yield from _details(box.inner)


def _opened(box: Box, inner: Sketch) -> str:
    summary = ", ".join([box.title, *box.lines[-2:]])
    return (
        f'<details style="margin-left:1em"><summary>{marked_up(summary)}</summary>'
        f"{html_text(inner)}</details>"
    )
