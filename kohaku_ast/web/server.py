"""The server of the web view: it listens, says where, and answers until Ctrl-C."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence

from kohaku_ast.errors import UsageError, label

_THREADS = 8
"""Requests that read records at the same time."""
_PORTS = 20
"""Ports after the usual one that are tried."""
USUAL_PORT = 8765


def start_server(
    paths: Sequence[str], host: str, port: int | None, opens_browser: bool
) -> Callable[[], int]:
    """The function that serves the stores of *paths*; it has the port already. *port*: None for
    the usual one, or one of the next that is free; 0 for any. Raises UsageError.
    """
    try:
        import uvicorn

        from kohaku_ast.web.app import make_app
    except ImportError as error:
        if (error.name or "").partition(".")[0] in ("kohaku_ast", "kogine"):
            raise
        text = f'kogine ui needs {error.name}: pip install "kohaku-ast[web]"'
        raise UsageError(text) from None
    from kohaku_ast.web.folders import Folders
    from kohaku_ast.web.security import Access

    folders = Folders(paths)
    listener = _listen(host, port)
    access = Access(listener.getsockname()[1], host)
    app = make_app(folders, access)
    config = uvicorn.Config(
        app,
        loop="asyncio", http="h11", ws="none", lifespan="off", log_level="critical",
        access_log=False, server_header=False, date_header=False, timeout_graceful_shutdown=1,
    )  # fmt: skip

    def serve() -> int:
        _say_where(access, [str(one.root) for one in folders.stores.values()])
        if opens_browser:
            _open_browser(access.url())
        _serve(uvicorn.Server(config), listener)
        return 0

    return serve


def _serve(server: object, listener: socket.socket) -> None:
    import asyncio

    import anyio.to_thread

    async def run() -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        await server.serve([listener])  # type: ignore[attr-defined]

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        pass  # that is how it ends


def _listen(host: str, port: int | None) -> socket.socket:
    ports = range(USUAL_PORT, USUAL_PORT + _PORTS) if port is None else (port,)
    reason = ""
    for one in ports:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, one), family=family, backlog=128)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
    shown = f"{ports[0]}" if len(ports) == 1 else f"{ports[0]} to {ports[-1]}"
    raise UsageError(f"cannot listen at {host} port {shown}: {reason}. Another one: --port 0")


def _say_where(access: object, folders: Sequence[str]) -> None:
    from kohaku_ast.web.security import Access

    assert isinstance(access, Access)
    if not access.is_local:
        text = (
            f"everybody who can reach {access.host} and has the token reads all records and starts "
            "programs as you; nothing is encrypted. Safer: ssh -L, and --host left out"
        )
        sys.stderr.write(f"{label('warning', sys.stderr)}{text}\n")
    for one in folders:
        sys.stdout.write(f"Runs of {one}\n")
    sys.stdout.write(f"{access.url()}\nCtrl-C ends it.\n")
    sys.stdout.flush()


def _open_browser(url: str) -> None:
    """Open *url* in the user's browser, if there is one; what that prints is dropped."""
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
