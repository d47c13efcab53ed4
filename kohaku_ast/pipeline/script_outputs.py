"""The outputs of a script node, as users write them, held against what the script's text says."""

from __future__ import annotations

from os.path import basename

from kohaku_ast.errors import PipelineError, near
from kohaku_ast.pipeline.names import output_names, place
from kohaku_ast.pipeline.script_names import RETURN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kohaku_ast.pipeline.script_file import ScriptFile

_FEW = 12  # names that a message may list


def name_outputs(
    asked: str | Iterable[str] | Mapping[str, str] | None, name: str
) -> dict[str, str]:
    """Global of the script, or "return" -> name in the graph. Raises PipelineError."""
    if asked is None:
        asked = {RETURN: name}
    if hasattr(asked, "items"):
        pairs = dict(asked.items())
        return dict(zip(pairs, output_names(pairs.values(), repr(name))))
    names = asked.split() if isinstance(asked, str) else list(asked)
    if RETURN in names:
        raise PipelineError(
            f'{name!r}: what the script returns needs a name: outputs={{"return": "score"}}.'
        )
    return {one: one for one in output_names(names, repr(name))}


def check_outputs(asked: Iterable[str], file: ScriptFile) -> None:
    """Raise PipelineError for what the script, by its text, cannot give."""
    for one in asked:
        if one == RETURN:
            if not (file.names.returns or file.entrypoint):
                raise PipelineError(_nothing_returned(file))
        elif one not in file.names.globals and not file.names.is_open:
            raise PipelineError(_no_global(one, file))


def _nothing_returned(file: ScriptFile) -> str:
    shown = basename(file.launch.shown)
    return (
        f"{shown} has no guard that calls one of its functions, so it returns nothing. Name the "
        f'globals that it gives: script({shown!r}, outputs="...").'
    )


def _no_global(name: str, file: ScriptFile) -> str:
    lines, shown = file.names.globals, basename(file.launch.shown)
    found = [f"{one!r} ({place(file.launch.filename, lines[one])})" for one in near(name, [*lines])]
    if found:
        return f"{shown} has no global {name!r}. Did you mean {' or '.join(found)}?"
    known = f" It has: {', '.join(lines)}." if 0 < len(lines) <= _FEW else ""
    return f"{shown} has no global {name!r}.{known}"
