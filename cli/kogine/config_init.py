"""``kogine config init``: a config to edit, with the values and comments of a script."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from kogine.asked import show_syntax_error
from kogine.config import Files, read_files
from kogine.config_script import inspect_script
from kogine.written import check_output, print_bytes, write_atomically

from kohaku_ast.transform.config_file import config_text


def init(arguments: list[str]) -> Callable[[], int]:
    """Write the config or, with what comes back, print it."""
    files = read_files("init", arguments)
    script = files.names[0]
    try:
        found = inspect_script(script)
    except SyntaxError as error:
        status = show_syntax_error(error)
        return lambda: status
    name = shlex.quote(files.output) if files.output else "THIS_FILE"
    listed = found.listed("--all" in files.options.flags)
    return deliver(config_text(found, listed, shlex.quote(script), name), files, script)


def deliver(text: str, files: Files, source: str) -> Callable[[], int]:
    """Write *text*, made from the file *source*, where ``-o`` says; else what comes back prints."""
    data = text.encode("utf-8", "surrogateescape")
    if not files.output:
        return lambda: print_bytes(data)
    check_output(files.output, source, "--force" in files.options.flags)
    write_atomically(files.output, data)
    return lambda: 0
