"""The Program for a script and a Request, made once. On the warm path."""

from __future__ import annotations

from kohaku_ast.transform import cache
from kohaku_ast.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.transform.program import Program
    from kohaku_ast.transform.request import Request


def load_program(
    data: bytes, filename: str, request: Request, folder: str = "", package: str = ""
) -> Program:
    """The Program for *request*: from the cache, else made and kept there.

    *folder* and *package* are where its imports start. Raises SyntaxError, and the errors of
    ``build_program``.
    """
    key = cache.cache_key(data, filename, request, f"{VERSION} {folder} {package}")
    found = cache.load(key)
    if found is not None:
        return found
    from kohaku_ast.transform.compile import build_program
    from kohaku_ast.transform.source import decode

    made = build_program(decode(data, filename, folder, package), request)
    cache.store(key, made)
    return made
