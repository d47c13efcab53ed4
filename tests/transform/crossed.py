"""A process that loads Programs: says of each case what a builder's errors are and what they are in
this process. ``python crossed.py forked|spawned`` reads the cases from its stdin.
"""

from __future__ import annotations

import json
import sys
import threading
import traceback
from typing import Any

from kohaku_ast.transform.find.source import decode
from kohaku_ast.transform.program.compile import build_program
from kohaku_ast.transform.program.load import load_program
from kohaku_ast.transform.program.program import Request

SYNTAX = ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset")


def described(error: BaseException | None) -> Any:
    """All that somebody who catches *error* may look at, but for its traceback."""
    if error is None:
        return None
    return {
        "class": f"{type(error).__module__}.{type(error).__qualname__}",
        "args": repr(error.args),
        "attributes": repr(sorted(vars(error).items())),
        "syntax": [repr(getattr(error, name, None)) for name in (*SYNTAX, "print_file_and_line")],
        "printed": "".join(traceback.format_exception_only(type(error), error)),
        "cause": described(error.__cause__),
        "is alone": error.__suppress_context__,
    }


def _build(data: bytes, request: Request) -> object:
    return build_program(decode(data, "s.py"), request)


def raised(function: Any, *arguments: Any) -> Any:
    try:
        function(*arguments)
    except Exception as error:
        return described(error)
    return None


def main() -> None:
    until = threading.Event()
    if sys.argv[1] == "spawned":
        threading.Thread(target=until.wait).start()
    seen = []
    for text, request in json.load(sys.stdin):
        data, asked = text.encode("latin-1"), Request(**request)
        here = raised(_build, data, asked)
        seen.append((here, raised(load_program, data, "s.py", asked)))
    print(json.dumps(seen))
    until.set()


if __name__ == "__main__":
    main()
