"""Pages: the addresses of the web view. Each page is an empty shell that its module fills."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from kohaku_ast.errors import UsageError
from kohaku_ast.web.answers import answer

STATIC = Path(__file__).parent / "static"
"""Modules, the stylesheet and the icon of the pages."""


class Page(NamedTuple):
    """One kind of page."""

    path: str
    #: The module in ``static`` that fills it.
    module: str
    title: str


PAGES = (
    Page("/", "runs", "Runs"),
    Page("/runs/{id}", "run", "Run"),
    Page("/compare", "compare", "Compare"),
    Page("/sweeps/{flow}", "sweep", "Sweep"),
    Page("/pipelines/{id}", "pipeline", "Pipeline"),
    Page("/systems", "systems", "Pipelines and systems"),
    Page("/cache", "cache", "Caches"),
)

_SHELL = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · kogine</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/style.css">
<script type="module" src="/static/{module}.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header id="top"></header>
<main id="main" tabindex="-1"></main>
<div id="messages" role="status" aria-live="polite"></div>
<noscript>This page needs JavaScript.</noscript>
</body>
</html>
"""


def _shell_of(page: Page) -> BaseRoute:
    text = _SHELL.format(title=page.title, module=page.module)

    async def show(request: Request) -> Response:
        return HTMLResponse(text)

    return Route(page.path, show)


_NO_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>kogine</title>
<link rel="stylesheet" href="/static/style.css">
<main class="refused"><h1>There is no such page</h1><p><a href="/">All runs</a></p></main></html>
"""


async def no_page(request: Request, error: Exception) -> Response:
    """The answer to an address that is none."""
    if request.url.path.startswith("/api/"):
        return answer({"error": f"no address {request.url.path!r}"}, 404)
    return HTMLResponse(_NO_PAGE, 404)


def _plotly(request: Request) -> Response:
    """Plotly's script, from its package. Raises UsageError without it."""
    from importlib.util import find_spec

    found = find_spec("plotly")  # not imported: that takes a second
    places = found.submodule_search_locations if found else None
    script = Path(next(iter(places or ("",))), "package_data", "plotly.min.js")
    if not script.is_file():
        raise UsageError('charts need plotly: pip install "kohaku-ast[web]"')
    return FileResponse(script, media_type="text/javascript", headers=_KEPT)


_KEPT = {"cache-control": "private, max-age=86400"}
"""Of 4 MB that change with the package alone."""

routes: tuple[BaseRoute, ...] = (
    *map(_shell_of, PAGES),
    Route("/static/plotly.min.js", _plotly),
    Mount("/static", StaticFiles(directory=STATIC)),
)
