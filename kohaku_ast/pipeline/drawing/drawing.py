"""What ``Pipeline.visualize`` gives: shows itself in a notebook, and can be saved."""

from __future__ import annotations

import os

from kohaku_ast.display.graph_svg import description
from kohaku_ast.errors import UsageError
from kohaku_ast.pipeline.drawing.sketch import make_sketch
from kohaku_ast.pipeline.last_run import LastRun
from kohaku_ast.pipeline.part import part_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.display.graph_layout import Sketch
    from kohaku_ast.pipeline.pipeline import Pipeline

SUFFIXES = (".svg", ".html", ".mmd")
"""What a Drawing can be saved as."""


class Drawing:
    """A pipeline as it is now; later runs do not change the picture."""

    def __init__(self, sketch: Sketch) -> None:
        self._sketch = sketch

    @property
    def svg(self) -> str:
        """As an SVG element that takes the colour of the text around it."""
        from kohaku_ast.display.graph_svg import svg_text

        return svg_text(self._sketch)

    @property
    def html(self) -> str:
        """As a part of a page, where pipelines inside can be opened."""
        from kohaku_ast.display.graph_svg import html_text

        return html_text(self._sketch)

    @property
    def mermaid(self) -> str:
        """As text for Mermaid."""
        from kohaku_ast.display.graph_svg import mermaid_text

        return mermaid_text(self._sketch)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file *path* whole or not at all: ``.svg``, ``.html`` or ``.mmd`` for Mermaid.
        Raises UsageError for another ending.
        """
        path = os.fspath(path)
        check_suffix(path)
        text = self._text(os.path.splitext(path)[1].lower())
        path = os.path.realpath(path)  # through a link: the file that it leads to is replaced
        partial = f"{path}.{os.getpid()}"
        try:
            with open(partial, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            os.replace(partial, path)
        except BaseException:
            if os.path.exists(partial):
                os.unlink(partial)
            raise

    def _text(self, suffix: str) -> str:
        if suffix == ".svg":
            from kohaku_ast.display.graph_svg import svg_text

            return svg_text(self._sketch, is_file=True) + "\n"
        if suffix == ".html":
            from kohaku_ast.display.graph_svg import html_page

            return html_page(self._sketch)
        return self.mermaid

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        ways = " ".join(f'.save("x{suffix}")' for suffix in SUFFIXES)
        return f"<drawing of {description(self._sketch)}; {ways}>"


def check_suffix(path: str) -> None:
    """Raises UsageError if no Drawing can be saved as *path*."""
    suffix = os.path.splitext(path)[1]
    if suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{path!r} ends in {suffix!r}: a drawing is saved as one of {', '.join(SUFFIXES)}"
            if suffix
            else f"{path!r} has no ending: a drawing is saved as one of {', '.join(SUFFIXES)}"
        )


def draw(
    pipeline: Pipeline,
    depth: int = 0,
    from_node: str | None = None,
    to_node: str | None = None,
) -> Drawing:
    """*pipeline* as it is now, with what a LastRun among its callbacks has seen."""
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 0:
        raise UsageError(f"depth is {depth!r}; it must be a number from 0 up.")
    found = [one for one in pipeline.callbacks or () if isinstance(one, LastRun)]
    nodes = None
    if from_node is not None or to_node is not None:
        nodes = part_of(pipeline.graph, from_node, to_node)
    return Drawing(make_sketch(pipeline, depth, found[0] if found else None, nodes))
