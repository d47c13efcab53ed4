"""``kogine pipeline graph flow.py``: a pipeline as a picture, or in words. It is not run."""

from __future__ import annotations

import sys
from collections.abc import Callable

from kogine.pipeline import GRAPH_OPTIONS
from kogine.pipeline_file import with_pipeline
from kogine.reader import Arguments, read

from kohaku_ast.errors import UsageError
from kohaku_ast.pipeline.drawing.drawing import check_suffix
from kohaku_ast.pipeline.pipeline import Pipeline


def pipeline_graph(arguments: list[str]) -> Callable[[], int]:
    """Run the file's module body, and draw the pipeline in it."""
    read_ = read(arguments, GRAPH_OPTIONS)
    if not read_.script:
        raise UsageError("no file given: kogine pipeline graph FLOW.py -o FILE")
    if read_.sets:
        raise UsageError(f"a drawing needs no inputs: {read_.sets[0][0]!r} is for pipeline run")
    if read_.value("-o"):
        check_suffix(read_.value("-o"))
    _depth(read_)
    return with_pipeline(read_, lambda pipeline: _draw(pipeline, read_))


def _draw(pipeline: Pipeline, read_: Arguments) -> None:
    ends = read_.value("--from") or None, read_.value("--to") or None
    path = read_.value("-o")
    if not path:
        sys.stdout.write(f"{pipeline.explain(*ends)}\n")
        sys.stdout.flush()
        return
    try:
        pipeline.visualize(_depth(read_), *ends).save(path)
    except OSError as error:
        raise UsageError(f"cannot write {path!r}: {error.strerror}") from error


def _depth(read_: Arguments) -> int:
    text = read_.value("--depth", "0")
    if not text.isdecimal():
        raise UsageError(f"--depth is {text!r}: it must be a number from 0 up")
    return int(text)
