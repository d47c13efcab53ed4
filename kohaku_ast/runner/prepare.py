"""From a script and overrides to code that is ready to run.

On the warm path of ``kogine run``; a spawned run gets what was made here.

On the warm path.

On the warm path.
"""

from __future__ import annotations

import os

from kohaku_ast.config.cells import is_cell, native
from kohaku_ast.config.text_values import TextValueError, parse_as_is, parse_cell, parse_value
from kohaku_ast.errors import DuplicateTarget, KogineError, ValueMismatch
from kohaku_ast.transform.program.bound_program import BoundProgram, Prepared
from kohaku_ast.transform.program.load import load_program
from kohaku_ast.transform.program.program import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kohaku_ast.runner.bind import Anew
    from kohaku_ast.runner.launch import Launch
    from kohaku_ast.runner.overrides import Override
    from kohaku_ast.transform.program.program import Program, ResolvedTarget


def make_request(
    overrides: Sequence[Override],
    args: Sequence[object] = (),
    kwargs: Mapping[str, object] | None = None,
    entrypoint: str = "",
    split: bool = False,
    capture: bool = False,
    added: Iterable[str] = (),
) -> Request:
    """The names that are asked for; equal for all values of a sweep."""
    targets = {one.target: one for one in sorted(overrides, key=lambda one: one.rank)}
    return Request(
        targets=tuple(
            (target, one.is_text and not one.as_is, one.optional) for target, one in targets.items()
        ),
        kwargs=tuple(kwargs or ()),
        args=len(args),
        entrypoint=entrypoint,
        split=split,
        capture=capture,
        added=tuple(added),
        above=_above_calls(overrides) if args or kwargs else (),
    )


def _above_calls(overrides: Sequence[Override]) -> tuple[str, ...]:
    """The arguments for the starting call stand in configs, and the command line above them."""
    return tuple(one.target for one in overrides if one.origin == "command line")


def read_values(
    program: Program,
    request: Request,
    overrides: Sequence[Override],
    args: Sequence[object] = (),
    kwargs: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Full target -> the value that holds.

    Raises DuplicateTarget if one rank, or one file, gives a parameter two values, and ValueMismatch
    if a text does not fit its parameter's type.
    """
    meant = {name: one for (name, _, _), one in zip(request.targets, program.meant) if one}
    chosen = _choose(overrides, meant)
    values = {
        target: _value(one, meant[one.target], program.filename) for target, one in chosen.items()
    }
    if program.entry_name:
        return values  # its call is not in the code, and gets them itself
    for index, argument in enumerate(args):
        values[f"{program.call_name}(#{index})"] = argument
    for name, argument in (kwargs or {}).items():
        values.setdefault(f"{program.call_name}({name})", argument)
    return values


def _choose(
    overrides: Sequence[Override], meant: Mapping[str, ResolvedTarget]
) -> dict[str, Override]:
    """Full target -> the override that holds."""
    chosen: dict[str, Override] = {}
    for one in overrides:
        if one.target not in meant or meant[one.target].module:
            continue
        target = meant[one.target].target
        other = chosen.get(target)
        if other is not None and _is_twice(other, one):
            names = " and ".join(dict.fromkeys([repr(other.target), repr(one.target)]))
            raise DuplicateTarget(
                f"{one.origin}: {target!r} is given twice ({names}): "
                f"{_shown(other)} and {_shown(one)}. Give one value, or --sweep both."
            )
        if other is None or other.rank < one.rank:
            chosen[target] = one
    return chosen


def _is_twice(other: Override, one: Override) -> bool:
    """Whether one file, or one command line, says two things."""
    if other.rank == one.rank:
        return True
    place = place_of(one.origin)
    return other.target != one.target and place == place_of(other.origin) and place != ""


def place_of(origin: str) -> str:
    """The one who speaks: ``cfg.py`` of ``cfg.py:12``; empty if Configs were merged there."""
    path, colon, line = origin.rpartition(":")
    if colon and line.isdigit():
        return path
    return origin if origin in ("command line", "Sweep") else ""


def _shown(one: Override) -> str:
    return str(one.value) if one.is_text else repr(one.value)


def _value(one: Override, meant: ResolvedTarget, filename: str) -> object:
    if not one.is_text:
        return one.value
    try:
        return _read(one, meant)
    except TextValueError as error:
        default = f" (default {meant.default})" if meant.default else ""
        where = "" if one.origin == "command line" else f" ({one.origin})"
        raise ValueMismatch(
            f"{os.path.basename(filename)}:{meant.line}: {one.target}={one.value}{where}: {error}"
            f"{default}. --as-is skips this check."
        ) from None


def _read(one: Override, meant: ResolvedTarget) -> object:
    """A text of the command line has two meanings with a comma in it, a cell has not."""
    if is_cell(one.value):
        return native(one.value) if one.as_is else parse_cell(one.value, meant.reading)
    text = str(one.value)
    return parse_as_is(text) if one.as_is else parse_value(text, meant.reading, one.target)


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


class Programs:
    """What has been compiled so far. A file is read once, so that all runs see one text."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self._made: dict[object, Program] = {}
        self._modules: dict[str, bytes] = {}

    def of_script(self, request: Request) -> Program:
        """The script's; raises what ``load_program`` does."""
        key, launch = request.key(), self.launch
        if key not in self._made:
            self._made[key] = load_program(
                launch.data, launch.filename, request, launch.path0, launch.package
            )
        return self._made[key]

    def of_module(self, file: str, request: Request) -> Program:
        """That of the module in *file*; raises what ``load_program`` does."""
        key = file, request.key()
        if key not in self._made:
            if file not in self._modules:
                from kohaku_ast.runner.launch import Launch

                self._modules[file] = Launch(file).data
            self._made[key] = load_program(self._modules[file], file, request)
        return self._made[key]


def added_names(texts: Sequence[str], new: Mapping[str, object]) -> dict[str, object]:
    """The globals that ``--add NAME=VALUE`` and ``new_globals`` put into the module."""
    from kohaku_ast.config.text_values import parse_as_is
    from kohaku_ast.errors import RefusedTarget, UsageError

    added = dict(new)
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--add {text!r} is not NAME=VALUE")
        added[name] = parse_as_is(value)
    for name in added:
        if not name.isidentifier() or (name.startswith("__") and name.endswith("__")):
            raise RefusedTarget(f"cannot add {name!r}: it is not a plain name")
    return added
