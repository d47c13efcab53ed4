"""``kogine lsp``: the command and its options."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click
from kogine.command import Command
from kogine.options import flag

from kohaku_ast.errors import UsageError


@click.command(cls=Command, usage="", examples=("kogine lsp", "kogine lsp --stdio"))
@flag("--stdio", "stdio", group="Options", help="Has no effect: some editors add it.")
def lsp(stdio: bool) -> Callable[[], int]:
    """Complete, explain and check config files in an editor, which starts this command."""
    from kohaku_ast.lsp.language_server import start_server  # completion and help do without

    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "kogine lsp is started by an editor, which writes to its standard input: "
            "docs/how-to/configs-in-your-editor.md has the lines for VS Code, Neovim and Helix"
        )
    return start_server
