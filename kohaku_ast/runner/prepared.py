"""A script with its overrides, ready to run: its own Program and those of its modules.

On the warm path.
"""

from __future__ import annotations

from kohaku_ast.runner.prepare import make_request, read_values
from kohaku_ast.transform.given import Given
from kohaku_ast.transform.load import load_program
from kohaku_ast.transform.program import Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kohaku_ast.runner.launch import Launch
    from kohaku_ast.runner.override import Override
    from kohaku_ast.transform.request import Request


class Prepared:
    """Everything that has to be known before the first line runs."""

    __slots__ = ("given", "modules")

    def __init__(self, given: Given, modules: Mapping[str, tuple[str, Given]]) -> None:
        #: The script.
        self.given = given
        #: Module name -> its file, and the module under its overrides.
        self.modules = modules

    @property
    def program(self) -> Program:
        """The script's Program."""
        return self.given.program

    def every(self) -> Iterable[tuple[str, str, Given]]:
        """What targets start with, file and overrides: of the script and of each module."""
        yield "", self.program.filename, self.given
        for name, (file, given) in self.modules.items():
            yield f"{name}.", file, given


def prepare(
    launch: Launch,
    overrides: Sequence[Override],
    args: Sequence[object] = (),
    kwargs: Mapping[str, object] | None = None,
    entrypoint: str = "",
    *,
    split: bool = False,
    capture: bool = False,
    as_is: bool = False,
    added: Iterable[str] = (),
) -> Prepared:
    """Find what every override means, in the script and in its modules; nothing has run yet.

    Raises SyntaxError, and KogineError for what cannot be applied.
    """
    request = make_request(overrides, args, kwargs, entrypoint, split, capture, as_is, added)
    program = load_program(launch.data, launch.filename, request, launch.path0, launch.package)
    aimed = _by_module(program, request, overrides)
    values = read_values(program, request, overrides, args, kwargs, as_is)
    modules = {name: (file, _module(file, inner, as_is)) for (name, file), inner in aimed.items()}
    return Prepared(Given(program, values), modules)


def _by_module(
    program: Program, request: Request, overrides: Sequence[Override]
) -> dict[tuple[str, str], list[Override]]:
    """Module name and file -> the overrides for it, with their targets in it."""
    meant = {name: one for (name, _, _), one in zip(request.targets, program.meant) if one}
    aimed: dict[tuple[str, str], list[Override]] = {}
    for one in overrides:
        found = meant[one.target].module if one.target in meant else None
        if found:
            name, file, inner = found
            aimed.setdefault((name, file), []).append(one.aimed_at(inner))
    return aimed


def _module(file: str, overrides: list[Override], as_is: bool) -> Given:
    from kohaku_ast.transform.source import read_bytes

    request = make_request(overrides, as_is=as_is)
    program = load_program(read_bytes(file), file, request)
    return Given(program, read_values(program, request, overrides, as_is=as_is))
