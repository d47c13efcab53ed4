"""A graph's picture as SVG, as an HTML page and as text for Mermaid.

It has no style sheet and no identifiers, so that several pictures fit on one page, and a notebook
that removes styles shows the same. Lines and letters have the colour of the text around, and
fills are transparent: both suit light and dark pages.
"""

from __future__ import annotations

from kohaku_ast.display.graph_layout import LINE, PAD, Layout, Place, lay_out, listed, marked_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kohaku_ast.display.graph_layout import Box, Sketch, Step


_FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace"
_FILLS = {
    "succeeded": 'fill="#2da44e" fill-opacity=".22"',
    "cached": 'fill="#218bff" fill-opacity=".2"',
    "failed": 'fill="#e5484d" fill-opacity=".3" stroke="#e5484d" stroke-width="2"',
    "running": 'fill="#d4a72c" fill-opacity=".3"',
    "skipped": 'fill="none" stroke-dasharray="4 3" stroke-opacity=".5"',
    "": 'fill="currentColor" fill-opacity=".05"',
}
_OWN_PAGE = (
    "<style>svg{color:#1f2328;background:#fff}"
    "@media(prefers-color-scheme:dark){svg{color:#e6edf3;background:#0d1117}}</style>"
)


def svg_text(sketch: Sketch, is_file: bool = False, orient: str = "TB") -> str:
    """*sketch* as one SVG element; a file gets its own colours."""
    layout = lay_out(sketch, orient)
    width, height = max(1, layout.width), max(1, layout.height)
    name = marked_up(description(sketch))
    # Of a picture, screen readers do not read what is inside: links would be lost.
    role = "group" if any(box.link for box in sketch.boxes) else "img"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="{role}" aria-label="{name}" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="{_FONT}" font-size="12" fill="currentColor" stroke-linejoin="round">'
        f"<title>{name}</title>{_OWN_PAGE if is_file else ''}"
        f"{''.join(_parts(sketch, layout))}</svg>"
    )


def description(sketch: Sketch) -> str:
    """The picture in words."""
    nodes = [box for box in sketch.boxes if box.kind != "inputs"]
    states: dict[str, int] = {}
    for box in nodes:
        states[box.state] = states.get(box.state, 0) + 1
    counts = [f"{count} {state}" for state, count in states.items() if state]
    whole, part = sketch.what
    text = f"{whole} {sketch.name}: {len(nodes)} {part}{'s' * (len(nodes) != 1)}"
    return f"{text}, {', '.join(counts)}" if counts else text


def _parts(sketch: Sketch, layout: Layout) -> Iterator[str]:
    steps: dict[int, list[Step]] = {}
    for step in layout.steps:
        steps.setdefault(step.source, []).append(step)
    yield '<g fill="none" stroke="currentColor" stroke-opacity=".55" stroke-width="1.3">'
    for source, own in steps.items():
        ways = "".join([_way(step, layout) for step in own])
        yield f'<path d="{ways}"><title>{marked_up(_handed_on(sketch, source))}</title></path>'
    yield "</g>"
    heads = dict.fromkeys(step.end for step in layout.steps if step.is_last)
    if heads:
        arrow = _ARROWS[layout.orient]
        points = [layout.turned(*head) for head in heads]
        arrows = "".join(f"M{x} {y}{arrow}" for x, y in points)
        yield f'<path fill-opacity=".7" d="{arrows}"/>'
    for number, (box, place) in enumerate(zip(sketch.boxes, layout.places)):
        yield from _box(box, place, layout.inner.get(number))


_ARROWS = {"TB": "l-4-8h8z", "LR": "l-8-4v8z", "BT": "l-4 8h8z", "RL": "l8-4v8z"}


def _way(step: Step, layout: Layout) -> str:
    (x, y), (to_x, to_y) = step.start, step.end
    to_y -= 7 * step.is_last  # below the head of the arrow
    if layout.orient != "TB":
        return _turned_way(step, layout, (to_x, to_y))
    down = f"V{step.bend}" if step.bend > y else ""
    if x == to_x:
        return f"M{x} {y}V{to_y}"
    middle = (step.bend + to_y) // 2
    return f"M{x} {y}{down}C{x} {middle} {to_x} {middle} {to_x} {to_y}"


def _turned_way(step: Step, layout: Layout, end: tuple[int, int]) -> str:
    (x, y), (to_x, to_y) = step.start, end
    middle = (step.bend + to_y) // 2
    points = [(x, y), (x, max(step.bend, y)), (x, middle), (to_x, middle), (to_x, to_y)]
    start, bend, *curve = [f"{a} {b}" for a, b in (layout.turned(*point) for point in points)]
    return f"M{start}L{curve[-1]}" if x == to_x else f"M{start}L{bend}C{' '.join(curve)}"


def _handed_on(sketch: Sketch, source: int) -> str:
    """The names on the links from a box, and the boxes they lead to."""
    lines = [
        f"{listed(link.names, 120)} → {sketch.boxes[link.target].title}"
        for link in sketch.links
        if link.source == source
    ]
    return "\n".join(lines[:12] + ["…"] * (len(lines) > 12))


def _box(box: Box, place: Place, inner: Layout | None) -> Iterator[str]:
    around = f'a href="{marked_up(box.link)}"' if box.link else "g"
    yield f"<{around}><title>{marked_up(box.hint)}</title>{_frame(box, place)}"
    middle, y = place.x + place.width // 2, place.y + PAD + LINE - 5
    texts = [(box.title, ' font-weight="bold"')] if box.title else []
    texts += [(line, ' fill-opacity=".8"' if box.title else "") for line in box.lines]
    for number, (text, style) in enumerate(texts):
        where = f'x="{middle}" y="{y + number * LINE}"'
        yield f'<text {where} text-anchor="middle"{style}>{marked_up(text)}</text>'
    if inner is not None and box.inner is not None:
        top = place.y + place.height - inner.height
        yield f'<g transform="translate({place.x + (place.width - inner.width) // 2} {top})">'
        yield from _parts(box.inner, inner)
        yield "</g>"
    yield "</a>" if box.link else "</g>"


def _frame(box: Box, place: Place) -> str:
    where = f'x="{place.x}" y="{place.y}" width="{place.width}" height="{place.height}"'
    if box.kind == "inputs":
        return f'<rect {where} rx="12" fill="none" stroke="currentColor" stroke-opacity=".3"/>'
    fill = _FILLS[box.state if box.inner is None or box.state == "failed" else ""]
    stroke = "" if " stroke=" in fill else ' stroke="currentColor"'
    frame = f'<rect {where} rx="4" {fill}{stroke}/>'
    if box.kind == "pipeline" and box.inner is None:  # a second edge: it has an inside
        x, y = place.x + 3, place.y + 3
        size = f'width="{place.width - 6}" height="{place.height - 6}"'
        frame += (
            f'<rect x="{x}" y="{y}" {size} rx="2" fill="none" '
            'stroke="currentColor" stroke-opacity=".4"/>'
        )
    return frame


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


def html_text(sketch: Sketch, orient: str = "TB") -> str:
    """*sketch* as part of an HTML page."""
    parts = "".join(_details(sketch, orient))
    return f'<div style="overflow:auto">{svg_text(sketch, orient=orient)}</div>{parts}'


def html_page(sketch: Sketch, orient: str = "TB") -> str:
    """*sketch* as a whole HTML page, for light and dark screens."""
    return _PAGE.format(title=marked_up(description(sketch)), body=html_text(sketch, orient))


def _details(sketch: Sketch, orient: str) -> Iterator[str]:
    for box in sketch.boxes:
        if box.open is not None:
            yield _opened(box, box.open(), orient)
        elif box.inner is not None:
            yield from _details(box.inner, orient)


def _opened(box: Box, inner: Sketch, orient: str) -> str:
    summary = ", ".join([box.title, *box.lines[-2:]])
    return (
        f'<details style="margin-left:1em"><summary>{marked_up(summary)}</summary>'
        f"{html_text(inner, orient)}</details>"
    )


_MERMAID_FILLS = {"succeeded": "#2da44e55", "cached": "#218bff44", "failed": "#e5484d88"}


def mermaid_text(sketch: Sketch, orient: str = "TB") -> str:
    """*sketch* as a Mermaid flowchart."""
    direction = "TD" if orient == "TB" else orient
    return "\n".join([f"flowchart {direction}", *_lines(sketch, "n", 1)]) + "\n"


def _lines(sketch: Sketch, prefix: str, depth: int) -> Iterator[str]:
    """The lines of the chart. Identifiers are ours: a node called ``end`` would end the chart."""
    indent = "    " * depth
    for number, box in enumerate(sketch.boxes):
        own = f"{prefix}{number}"
        if box.inner is not None:
            yield f'{indent}subgraph {own}["{_label(box)}"]'
            yield from _lines(box.inner, f"{own}_", depth + 1)
            yield f"{indent}end"
        else:
            yield f"{indent}{own}{_shaped(box)}"
        if box.state in _MERMAID_FILLS:
            yield f"{indent}style {own} fill:{_MERMAID_FILLS[box.state]}"
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
    """*text* with all but letters, digits and a few signs as Mermaid's numbers."""
    return "".join(one if one.isalnum() or one in " _=,.-→…" else f"#{ord(one)};" for one in text)
