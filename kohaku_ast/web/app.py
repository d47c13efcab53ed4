"""The application of the web view: all routes, behind the guard."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware

from kohaku_ast.errors import KogineError
from kohaku_ast.web import (
    actions,
    cache_page,
    compare_page,
    events,
    file_drawings,
    pages,
    pipeline_page,
    run_files,
    run_page,
    runs_table,
    sweep_page,
)
from kohaku_ast.web.answers import explain_error, report_fault
from kohaku_ast.web.folders import Folders, Recent
from kohaku_ast.web.security import Access, Guard

ROUTES = (
    *runs_table.routes,
    *run_page.routes,
    *run_files.routes,
    *compare_page.routes,
    *sweep_page.routes,
    *events.routes,
    *actions.routes,
    *pipeline_page.routes,
    *file_drawings.routes,
    *cache_page.routes,
    *pages.routes,
)
"""Each page's JSON is in a file of its own."""


def make_app(folders: Folders, access: Access) -> Starlette:
    """The application that shows the stores of *folders* to those who have *access*."""
    app = Starlette(
        routes=ROUTES,
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={
            KogineError: explain_error,
            404: pages.no_page,
            Exception: report_fault,
        },
    )
    app.state.folders, app.state.recent = folders, Recent()
    app.state.watches = events.Watches()
    return app
