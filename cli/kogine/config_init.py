"""``kogine config init``: a config to edit, with the values and comments of a script."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from kogine.config_script import inspect_script
from kogine.source import show_syntax_error
from kogine.written import Output

from kohaku_ast.config.template import config_text


def start_init(script: str, output: Output, everything: bool) -> Callable[[], int]:
    """Write the config or, with what comes back, print it."""
    try:
        found = inspect_script(script)
    except SyntaxError as error:
        status = show_syntax_error(error)
        return lambda: status
    name = shlex.quote(output.path) if output.path else "THIS_FILE"
    listed = found.listed(everything)
    return output.deliver(config_text(found, listed, shlex.quote(script), name), script)
