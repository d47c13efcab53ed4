"""A picture as text for Mermaid, which many sites draw: GitHub, GitLab, Notion."""

from __future__ import annotations

from kohaku_ast.pipeline.drawing.text import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kohaku_ast.pipeline.drawing.shapes import Box, Sketch

_FILLS = {"succeeded": "#2da44e55", "cached": "#218bff44", "failed": "#e5484d88"}


def mermaid_text(sketch: Sketch) -> str:
    """*sketch* as a flowchart."""
    return "\n".join(["flowchart TD", *_lines(sketch, "n", 1)]) + "\n"


def _lines(sketch: Sketch, prefix: str, depth: int) -> Iterator[str]:
    """Names are ours alone: a node called ``end`` would end the chart."""
    indent = "    " * depth
    for number, box in enumerate(sketch.boxes):
        own = f"{prefix}{number}"
        if box.inner is not None:
            yield f'{indent}subgraph {own}["{_label(box)}"]'
            yield from _lines(box.inner, f"{own}_", depth + 1)
            yield f"{indent}end"
        else:
            yield f"{indent}{own}{_shaped(box)}"
        if box.state in _FILLS:
            yield f"{indent}style {own} fill:{_FILLS[box.state]}"
    for link in sketch.links:
        names = _escaped(listed(link.names, 30))
        has_name = sketch.boxes[link.source].kind != "inputs"
        yield (
            f"{indent}{prefix}{link.source} --> "
            f'{f"""|"{names}"| """ if has_name else ""}{prefix}{link.target}'
        )


def _shaped(box: Box) -> str:
    start, end = {"inputs": ("([", "])"), "pipeline": ("[[", "]]")}.get(box.kind, ("[", "]"))
    return f'{start}"{_label(box)}"{end}'


def _label(box: Box) -> str:
    return "<br/>".join(_escaped(line) for line in [box.title, *box.lines] if line)


def _escaped(text: str) -> str:
    """Letters, digits and a few signs; the rest by number, as Mermaid has it."""
    return "".join(one if one.isalnum() or one in " _=,.-→…" else f"#{ord(one)};" for one in text)
