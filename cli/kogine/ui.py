"""``kogine ui``: recorded runs in the browser."""

from __future__ import annotations

from collections.abc import Callable

import click
from kogine.command import Command
from kogine.options import File, Whole, flag, option

_MOST_PORT = 65535


@click.command(
    cls=Command,
    usage="[FOLDER ...]",
    examples=("kogine ui", "kogine ui ~/vision ~/speech", "kogine ui --no-browser --port 9000"),
)
@click.argument("folders", nargs=-1, metavar="[FOLDER ...]", type=File("folder"))
@option(
    "--port",
    group="Server",
    type=Whole(0, _MOST_PORT),
    show_default="8765, or the next free one",
    help="Listen at this port; 0: any free one.",
)
@option(
    "--host",
    group="Server",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Listen at this address; with another one, others can reach the server.",
)
@flag("--no-browser", group="Server", help="Open no browser; the address is printed either way.")
def ui(
    folders: tuple[str, ...], port: int | None, host: str, no_browser: bool
) -> Callable[[], int]:
    """Show recorded runs in the browser: of the project in this folder, or in each FOLDER."""
    from kohaku_ast.web.server import start_server  # completion does without

    return start_server(folders, host, port, not no_browser)
