"""Security of the web view: who may ask, and what a browser may do with an answer.

Records are for their owner, so each request needs the token, which ``kogine ui`` prints as part of
a URL; the page keeps it in a cookie. A name that a foreign DNS server points to this machine is
refused, and so is a change that another page asks for.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

Scope: TypeAlias = "dict[str, Any]"
"""A request as ASGI has it; so has ``Asgi``, the protocol of applications."""
Asgi: TypeAlias = "Callable[[Any, Any, Any], Any]"

_EMPTY_STYLE = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
"""The hash of the empty text: plotly makes an empty style element, and adds rules to it."""
_POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self' {_EMPTY_STYLE}; "
    "img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
INERT = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
"""The policy of files that runs have written: nothing in them runs, and nothing is fetched."""
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_LOCAL = ("127.0.0.1", "localhost", "::1")
_SAFE = ("GET", "HEAD")
_OPEN = "/static/"
"""What is below it needs no token: it is part of the package."""


@dataclass(frozen=True)
class Access:
    """Who may ask."""

    #: The port of the server.
    port: int
    #: The address that it listens at.
    host: str = "127.0.0.1"
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in _LOCAL

    @property
    def cookie(self) -> str:
        """The name of the cookie: browsers keep one jar for all ports of a machine."""
        return f"kogine-{self.port}"

    def url(self) -> str:
        """The address to open, with the token."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.port}/?{urlencode({'token': self.token})}"

    def is_own_host(self, header: str) -> bool:
        """Whether the Host *header* names this server. An address is no name: nobody can point it
        to another machine.
        """
        name, port = _split_host(header)
        if port != self.port:
            return False
        return name in (*_LOCAL, self.host) or (not self.is_local and _is_address(name))

    def is_token(self, given: str) -> bool:
        """Whether *given* is the token."""
        return hmac.compare_digest(given.encode(), self.token.encode())


def _split_host(header: str) -> tuple[str, int]:
    """Name and port; 80 without a port, -1 for a port that is no number."""
    name, colon, port = header.rpartition(":")
    if not colon or header.endswith("]"):
        name, port = header, "80"
    number = int(port) if port.isascii() and port.isdigit() else -1
    return name.strip("[]").lower(), number


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """Middleware: refuses what ``Access`` does not allow, and adds the headers of security."""

    def __init__(self, app: Asgi, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): one.decode("latin-1") for name, one in scope["headers"]}
        answer = self._refusal(scope, headers) or self._login(scope)
        await (answer or self._app)(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> Response | None:
        """The answer to what is not allowed."""
        host = headers.get("host", "")
        if not self._access.is_own_host(host):
            return _refuse(421, f"the Host {host!r} is not this server", scope)
        if scope["method"] not in _SAFE:
            reason = _why_foreign(headers, host)
            if reason:
                return _refuse(403, reason, scope)
        if scope["path"].startswith(_OPEN) or self._is_allowed(scope, headers):
            return None
        return _refuse(403, "no token: open the address that kogine ui has printed", scope)

    def _is_allowed(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        given = [_cookie(headers, self._access.cookie), headers.get("x-kogine-token", "")]
        given += [
            one for name, one in _query(scope) if name == "token" and scope["method"] in _SAFE
        ]
        return any(map(self._access.is_token, given))

    def _login(self, scope: Scope) -> Response | None:
        """For an address with the token: the same without it, which then stands in the cookie."""
        query = _query(scope)
        if "token" not in dict(query) or scope["path"].startswith(_OPEN):
            return None
        left = urlencode([pair for pair in query if pair[0] != "token"])
        answer = RedirectResponse(f"{_path(scope)}?{left}" if left else _path(scope), 303)
        answer.set_cookie(
            self._access.cookie, self._access.token, path="/", httponly=True, samesite="strict"
        )
        return answer


def _path(scope: Scope) -> str:
    # Of two slashes the second part would be the name of another machine.
    raw: bytes = scope.get("raw_path") or b"/"
    return "/" + raw.decode("latin-1").lstrip("/\\")


def _query(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _cookie(headers: Mapping[str, str], name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return found[name].value if name in found else ""


def _why_foreign(headers: Mapping[str, str], host: str) -> str:
    """Why a change may be what another page asks for; empty if it is not."""
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return f"the change comes from another page: {origin!r}"
    # A page of another origin can send forms and texts without asking first, but not JSON.
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return "" if kind == "application/json" else "a change is sent as application/json"


def _refuse(status: int, reason: str, scope: Scope) -> Response:
    if scope["path"].startswith("/api/"):
        return JSONResponse({"error": reason}, status)
    return HTMLResponse(_REFUSED, status)


_REFUSED = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>kogine</title>
<link rel="stylesheet" href="/static/style.css">
<main class="refused"><h1>This page needs its token</h1>
<p>Open the address that <code>kogine ui</code> has printed: it ends in <code>?token=...</code></p>
</main></html>
"""


def _with_headers(send: Any) -> Any:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            own = [(name, one) for name, one in message.get("headers", ()) if name != b"server"]
            message = {**message, "headers": [*own, *_missing(name for name, _ in own)]}
        await send(message)

    return sending


def _missing(names: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """The headers of security that are not among *names*."""
    there = {name.decode("latin-1").lower() for name in names}
    return [(name.encode(), one.encode()) for name, one in _HEADERS.items() if name not in there]
