"""Runs one script with many command lines and says how each ends: ``option_oracle.py SCRIPT``,
the lines as JSON on standard input. Each has a forked process of its own.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import sys
from collections.abc import Callable


def main() -> None:
    script = sys.argv[1]
    lines = json.load(sys.stdin)
    _import_what_it_imports(script, lines[0])
    print(json.dumps([_status(script, line) for line in lines]))


def _import_what_it_imports(script: str, words: list[str]) -> None:
    """Here, once, what every forked process would import: typer imports rich for an error."""
    for line in (words, [*words, "--no-such-option"]):
        for name in _imported_by(script, line):
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def _imported_by(script: str, words: list[str]) -> list[str]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _run(script, words, lambda: os.write(writing, " ".join(sys.modules).encode()))
    os.close(writing)
    with os.fdopen(reading) as pipe:
        names = pipe.read().split()
    os.waitpid(child, 0)
    return names


def _status(script: str, words: list[str]) -> int:
    child = os.fork()
    if child == 0:
        _run(script, words)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _run(script: str, words: list[str], at_end: Callable[[], object] = int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    sys.argv = [script, *words]
    status = 1
    try:
        runpy.run_path(script, run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        at_end()
        os._exit(status)


if __name__ == "__main__":
    main()
