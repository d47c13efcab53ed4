"""Names of outputs, as users write them: ``"x"``, ``"x y"``, ``("x", "y")``."""

from __future__ import annotations

import keyword

from kohaku_ast.errors import PipelineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def output_names(asked: str | Iterable[str], who: str) -> tuple[str, ...]:
    """The names in *asked*. Raises PipelineError for none, a repeated one, or one that no
    parameter could have.
    """
    names = tuple(asked.split() if isinstance(asked, str) else asked)
    for name in names:
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            raise PipelineError(
                f"{who}: {name!r} cannot name an output: no function could have a parameter of "
                "that name."
            )
    if not names:
        raise PipelineError(f'{who}: a node needs an output: @node(output_name="...").')
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise PipelineError(f"{who}: the output {twice!r} is named twice.")
    return names


def place(filename: str, line: int) -> str:
    """``file.py:12``, relative to the working folder where the file lies in it."""
    import os

    try:
        folder = os.path.join(os.getcwd(), "")
    except OSError:  # the folder is gone
        folder = "\0"
    return f"{filename.removeprefix(folder)}:{line}"
