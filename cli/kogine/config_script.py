"""The script that a config is for, as its text tells: nothing of it is run."""

from __future__ import annotations

from kohaku_ast.runner.launch import find_launch, split_function
from kohaku_ast.transform.find.inspection import Inspection, inspect_source
from kohaku_ast.transform.find.source import decode


def inspect_script(script: str) -> Inspection:
    """The Inspection of *script*; raises SyntaxError, and SourceError if it cannot be read."""
    launch = find_launch(split_function(script)[0])
    return inspect_source(decode(launch.data, launch.filename, launch.path0, launch.package))
