"""Answers: JSON of any value of a record, and errors as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from kohaku_ast.display.text import json_cell
from kohaku_ast.errors import KogineError, UsageError, visible

if TYPE_CHECKING:
    from starlette.requests import Request


def answer(data: Any, status: int = 200) -> Response:
    """*data* as JSON; numbers that JSON lacks are texts, as in run.json."""
    return Response(json_cell(data).encode(), status, media_type="application/json")


async def explain_error(request: Request, error: Exception) -> Response:
    """A mistake of the user as ``{"error": SENTENCE}``."""
    assert isinstance(error, KogineError)
    return answer({"error": str(error), "kind": error.slug}, 400)


async def report_fault(request: Request, error: Exception) -> Response:
    """A fault of ours: its traceback goes to the terminal, and the page says so."""
    import sys
    import traceback

    # Texts of records are in it, which may hold what steers a terminal.
    sys.stderr.write(visible("".join(traceback.format_exception(error))))
    what = f"{type(error).__name__}: {error}"
    return answer({"error": f"kogine ui has a fault, of which its terminal has more: {what}"}, 500)


async def read_fields(request: Request) -> Mapping[str, Any]:
    """The fields that *request* has sent. Raises UsageError for what is no table of JSON."""
    import json

    try:
        found = json.loads(await _body(request) or b"{}")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError("a change is sent as an object of JSON")
    return found


async def _body(request: Request) -> bytes:
    """What was sent. Raises UsageError for more than anybody writes."""
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > _MOST_SENT:
            raise UsageError(f"a change has {_MOST_SENT >> 10} KiB at most")
    return data


_MOST_SENT = 256 << 10


def whole_number(request: Request, name: str, usual: int, most: int) -> int:
    """The number *name* of the query of *request*, from 1 to *most*. Raises UsageError."""
    text = request.query_params.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdigit() and int(text[:12])):
        raise UsageError(f"{name} {text!r}: a whole number from 1")
    return min(int(text[:12]), most)


def names_in(request: Request, name: str) -> list[str]:
    """The names in the part *name* of the query of *request*, with commas between them."""
    return [one.strip() for one in request.query_params.get(name, "").split(",") if one.strip()]
