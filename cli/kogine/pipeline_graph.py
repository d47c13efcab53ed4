"""``kogine pipeline graph flow.py``: a pipeline as a picture, or in words. It is not run."""

from __future__ import annotations

import sys
from collections.abc import Callable

from kogine.pipeline_file import with_pipeline
from kogine.script_command import ScriptCommand

from kohaku_ast.errors import UsageError
from kohaku_ast.pipeline.drawing import check_suffix
from kohaku_ast.pipeline.pipeline import Pipeline


def start_drawing(command: ScriptCommand) -> Callable[[], int]:
    """Run the file's module body, and draw the pipeline in it."""
    if "output" in command.options:
        check_suffix(command.option("output"))
    return with_pipeline(command, lambda pipeline: _draw(pipeline, command))


def _draw(pipeline: Pipeline, command: ScriptCommand) -> None:
    ends = command.option("from") or None, command.option("to") or None
    path = command.option("output")
    if not path:
        sys.stdout.write(f"{pipeline.explain(*ends)}\n")
        sys.stdout.flush()
        return
    try:
        pipeline.visualize(command.option("depth", 0), *ends).save(path)
    except OSError as error:
        raise UsageError(f"cannot write {path!r}: {error.strerror}") from error
