"""``kogine doctor``: the command and its options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from kogine.command import Command
from kogine.command_with_script import chosen_format
from kogine.options import ScriptFile, format_options, module
from kogine.script_command import ScriptCommand


@click.command(
    cls=Command,
    usage="SCRIPT",
    examples=("kogine doctor train.py", "kogine doctor -m pkg.train --format json"),
)
@click.argument("script", type=ScriptFile())
@module
@format_options("Output")
def doctor(script: str, is_module: bool, **form: Any) -> Callable[[], int]:
    """Say what a script uses, how a sweep would run it, and what is missing; run nothing of it."""
    from kogine.diagnosis import print_diagnosis  # help and completion do without

    command = ScriptCommand((script,), is_module=is_module)
    return print_diagnosis(command, chosen_format(form) == "json")
