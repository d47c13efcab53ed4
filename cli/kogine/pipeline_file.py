"""The pipeline that a Python file defines: the file runs as a script does, without its guard."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from kogine.report import mistaken, report
from kogine.script_command import ScriptCommand

from kohaku_ast.errors import KogineError, SourceError, UsageError, did_you_mean
from kohaku_ast.frames import hidden
from kohaku_ast.pipeline.pipeline import Pipeline
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.empty_stack import without_ours
from kohaku_ast.runner.launch import Launch, split_function
from kohaku_ast.runner.main_module import become, warn_compiler


def with_pipeline(command: ScriptCommand, use: Callable[[Pipeline], None]) -> Callable[[], int]:
    """What comes back runs the file and then *use*. The process is the file's then: its functions
    are those of ``__main__``, its folder is where imports look first.

    What *use* raises of ours is told and gives the status 2; the rest comes through.
    """
    path, name = split_function(command.script)
    launch = Launch(path, command.argv)
    try:
        bound = Binder(launch, split=True).bind()
    except (SyntaxError, ValueError, SourceError) as error:
        return mistaken(launch, error)

    @hidden
    def last(names: Mapping[str, object]) -> None:
        try:
            use(find_pipeline(names, path, name))
        except KogineError as error:
            sys.exit(report(error))
        except KeyboardInterrupt as error:
            raise error.with_traceback(without_ours(error.__traceback__)) from None

    @hidden
    def start() -> int:
        warn_compiler(bound.program)
        become(launch, bound.prepared.given.codes("module"), {}, last)
        return 0

    return start


def find_pipeline(names: Mapping[str, object], path: str, name: str = "") -> Pipeline:
    """The one called *name*, else the only one that is inside no other. Raises UsageError."""
    found: dict[str, Pipeline] = {}
    for own, one in names.items():
        if isinstance(one, Pipeline) and one not in found.values():
            found[own] = one
    if name:
        return _named(names, found, path, name)
    inner = {id(one) for outer in found.values() for one in _inside(outer)}
    free = {own: one for own, one in found.items() if id(one) not in inner}
    if len(free) == 1:
        return next(iter(free.values()))
    if free:
        ways = ", ".join(f"{path}:{own}" for own in free)
        raise UsageError(f"{path}: several pipelines: say which one: {ways}")
    raise UsageError(
        f"{path}: no pipeline: write pipeline = Pipeline([...]) at module level, outside of the "
        "guard"
    )


def _named(
    names: Mapping[str, object], found: Mapping[str, Pipeline], path: str, name: str
) -> Pipeline:
    one = names.get(name)
    if isinstance(one, Pipeline):
        return one
    have = f"It defines: {', '.join(found)}." if found else "It defines none."
    is_other = f", it is a {type(one).__name__}" if name in names else ""
    raise UsageError(
        f"{path}: {name!r} is no pipeline{is_other}. {have}{did_you_mean(name, found)}"
    )


def _inside(pipeline: Pipeline) -> list[Pipeline]:
    """All pipelines that are nodes of it, at any depth."""
    found = []
    for node in pipeline.nodes:
        inner = getattr(node, "pipeline", None)
        if isinstance(inner, Pipeline):
            found += [inner, *_inside(inner)]
    return found
