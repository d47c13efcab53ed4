"""From a script and its overrides to what runs.

On the warm path of ``kogine run``; a spawned run gets what was made here.
"""

from __future__ import annotations

from kohaku_ast.errors import KogineError
from kohaku_ast.runner.prepare import make_request, read_values
from kohaku_ast.runner.prepared import Prepared
from kohaku_ast.runner.programs import Programs
from kohaku_ast.transform.program.bound_program import BoundProgram

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kohaku_ast.runner.bound import Anew
    from kohaku_ast.runner.launch import Launch
    from kohaku_ast.runner.override import Override
    from kohaku_ast.transform.program.program import Program, Request


def prepare(
    launch: Launch,
    overrides: Sequence[Override],
    args: Sequence[object] = (),
    kwargs: Mapping[str, object] | None = None,
    entrypoint: str = "",
    *,
    split: bool = False,
    capture: bool = False,
    added: Iterable[str] = (),
    programs: Programs | None = None,
    anew: Anew = dict,
) -> Prepared:
    """Find what every override means, in the script and in its modules; nothing has run yet.

    *programs* keeps what is compiled, for the next run of the same script; *anew* gives values
    as the script gets them. Raises SyntaxError,
    and KogineError for what cannot be applied.
    """
    programs = programs or Programs(launch)
    request = make_request(overrides, args, kwargs, entrypoint, split, capture, added)
    try:
        program = programs.of_script(request)
    except KogineError as error:
        raise _with_origin(error, overrides) from None
    aimed = _by_module(program, request, overrides)
    values = read_values(program, request, overrides, args, kwargs)
    modules = {
        name: (file, _module(programs, file, inner, anew)) for (name, file), inner in aimed.items()
    }
    return Prepared(BoundProgram(program, anew(values)), modules)


_IN_SIGHT = ("command line", "Config", "Sweep")
"""Origins that who reads the message has before his eyes."""


def _with_origin(error: KogineError, overrides: Sequence[Override]) -> KogineError:
    """*error* about a target, saying which config asks for it."""
    origins = [one.origin for one in overrides if one.target == error.target]
    if not origins or origins[0] in _IN_SIGHT:
        return error
    return type(error)(f"{error} ({origins[0]} gives it a value.)")


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


def _module(programs: Programs, file: str, overrides: list[Override], anew: Anew) -> BoundProgram:
    request = make_request(overrides)
    program = programs.of_module(file, request)
    return BoundProgram(program, anew(read_values(program, request, overrides)))
