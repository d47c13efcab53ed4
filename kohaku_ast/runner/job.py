"""Jobs: a bound script as bytes, with all that another process needs to run it.

On the start path of every spawned run: nothing slow is imported here.
"""

from __future__ import annotations

import marshal
import os
import sys

from kohaku_ast.runner.launch import Launch, enter_folder
from kohaku_ast.runner.transport import dump_values, import_unpickler, load_values
from kohaku_ast.transform.program import program
from kohaku_ast.transform.program.bound_program import BoundProgram, Prepared

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType
    from typing import Final

    from kohaku_ast.runner.bind import Bound
    from kohaku_ast.runner.transport import Values


IF_POSSIBLE: Final = "if possible"
"""Says of a value that is wanted: if it cannot be sent, an Uncrossed takes its place."""

_LAUNCH = ("shown", "filename", "argv", "path0", "module", "package", "edited", "output")


class Job:
    """A bound script in the process that is to run it; nothing has happened yet."""

    __slots__ = (
        "args", "kwargs", "launch", "outputs", "path", "prepared", "wants_error", "wants_value",
    )  # fmt: skip

    def __init__(
        self,
        launch: Launch,
        prepared: Prepared,
        args: Sequence[object],
        kwargs: Mapping[str, object],
        outputs: Mapping[str, bool],
        wants_value: bool | str,
        wants_error: bool = False,
        path: Sequence[str] = (),
    ) -> None:
        self.launch = launch
        self.prepared = prepared
        #: What the entrypoint is called with.
        self.args = args
        self.kwargs = kwargs
        #: The globals whose last values are sent back, and whether the script may lack them.
        self.outputs = outputs
        #: Whether what the starting call returns is sent back: True, False or ``IF_POSSIBLE``.
        self.wants_value = wants_value
        #: Whether the exception itself is sent back beside its text.
        self.wants_error = wants_error
        #: ``sys.path`` of the process that has sent the job.
        self.path = path


class Packed:
    """A bound script that ``pack`` has made bytes of already. Picklable."""

    __slots__ = ("argv", "data")

    def __init__(self, data: bytes, argv: list[str]) -> None:
        self.data, self.argv = data, argv


def pack(bound: Bound, wants_value: bool | str) -> bytes:
    """The bytes of the job, for ``unpack`` in the same version of Python.

    Raises UncrossableValue, which names the value, for one that cannot be sent.
    """
    prepared, config = bound.prepared, bound.config
    launch = {**launch_parts(bound.launch), "argv": bound.argv}
    programs = [
        (name, file, given.program.dumps())
        for name, file, given in [
            ("", "", prepared.given),
            *((name, file, given) for name, (file, given) in prepared.modules.items()),
        ]
    ]
    args = {str(number): one for number, one in enumerate(config.args)} if config else {}
    objects: dict[str, Mapping[str, object]] = {
        "values": dict(prepared.given.sent),
        "args": bound.for_script(args),
        "kwargs": bound.for_script(config.kwargs) if config else {},
        **{f"{name}.": dict(given.sent) for name, (_, given) in prepared.modules.items()},
        "later": {"": prepared.later} if prepared.later else {},
    }
    outputs = bound.wanted_outputs()
    path = [os.path.abspath(one) for one in sys.path if isinstance(one, str)]
    wants = wants_value, bound.wants_error, path
    dumped = dump_values(objects, lambda: _lacking(bound.launch.path0))
    return marshal.dumps((launch, programs, *dumped, outputs, wants))


def moved(data: bytes, move: Callable[[str], str]) -> bytes:
    """The bytes of a job for a machine with its files elsewhere: *move* gives the path there."""
    launch, programs, *dumped, outputs, (value, error, path) = marshal.loads(data)
    launch |= {name: move(launch[name]) for name in ("filename", "path0")}
    there = []
    for name, file, one in programs:
        found = program.loads(one)
        found.filename = move(found.filename)
        there.append((name, move(file), found.dumps()))
    return marshal.dumps((launch, there, *dumped, outputs, (value, error, [*map(move, path)])))


def unpack(data: bytes) -> Job:
    """The job of what ``pack`` was given; for the process that is to run it."""
    attributes, programs, is_plain, dumped, outputs, wants = marshal.loads(data)
    launch = launch_of(attributes)
    objects = _loaded(is_plain, dumped, launch, wants[-1])
    (_, _, main), *modules = programs
    given = BoundProgram(program.loads(main), objects["values"])
    others = {
        name: (file, BoundProgram(program.loads(one), objects[f"{name}."], given.is_pure))
        for name, file, one in modules
    }
    return Job(
        launch,
        Prepared(given, others, objects["later"].get("")),  # type: ignore[arg-type]
        list(objects["args"].values()),
        objects["kwargs"],
        outputs,
        *wants,
    )


def launch_parts(launch: Launch) -> dict[str, object]:
    """*launch* as plain values, for ``launch_of``."""
    return {name: getattr(launch, name, None) for name in _LAUNCH}


def launch_of(attributes: Mapping[str, object]) -> Launch:
    """The Launch that ``launch_parts`` was given, for a process that does not read its file."""
    kind: type[Launch] = Launch
    if attributes["module"] is not None:
        from kohaku_ast.runner.launch import ModuleLaunch

        kind = ModuleLaunch
    elif attributes["path0"] == "":
        from kohaku_ast.runner.launch import StandardInput

        kind = StandardInput
    if attributes["edited"] is not None:
        from kohaku_ast.runner.executed_notebook import ExecutedNotebook

        kind = ExecutedNotebook
    made = kind.__new__(kind)
    for name, value in attributes.items():
        if value is not None and hasattr(kind, name) and not isinstance(getattr(kind, name), str):
            setattr(made, name, value)
    made.data = b""
    if made.is_notebook and not made.in_kernel:
        from kohaku_ast.notebook.notebook_process import text_of

        made.data = text_of(made.filename)
    return made


def _lacking(path0: str) -> list[ModuleType]:
    from kohaku_ast.runner.local_modules import lacking_in_fresh

    return lacking_in_fresh(path0)


def _loaded(is_plain: bool, data: bytes, launch: Launch, path: Sequence[str]) -> Values:
    """The values. Those that refer to modules beside the script import them as the script does;
    other modules are found as in the process that has sent the job.
    """
    usual = sys.path[:]
    try:
        if not is_plain:
            sys.path[:] = filter(None, usual)  # without the working folder
            import_unpickler(data)
            sys.path[:] = usual
        enter_folder(launch)
        sys.path += [one for one in path if one not in usual]
        return load_values(is_plain, data)
    finally:
        sys.path[:] = usual
