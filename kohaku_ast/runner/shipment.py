"""A Bound as bytes: what a fresh interpreter needs to run it, with nothing left to parse.

Read on the start path of every spawned run: imports nothing heavy.
"""

from __future__ import annotations

import marshal
import sys

from kohaku_ast.runner.launch import Launch, enter_folder
from kohaku_ast.runner.prepared import Prepared
from kohaku_ast.transform import program
from kohaku_ast.transform.given import Given

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

    from kohaku_ast.runner.bound import Bound

IF_POSSIBLE: Final = "if possible"
"""Of a value that is wanted: if it cannot be sent, an Uncrossed takes its place."""

_LAUNCH = ("shown", "filename", "argv", "path0", "module", "package")


class Shipment:
    """The child's side of a Bound."""

    __slots__ = (
        "args", "kwargs", "launch", "names", "outputs", "prepared", "wants_error", "wants_value",
    )  # fmt: skip

    def __init__(
        self,
        launch: Launch,
        prepared: Prepared,
        names: Mapping[str, object],
        args: Sequence[object],
        kwargs: Mapping[str, object],
        outputs: Sequence[str],
        wants_value: bool | str,
        wants_error: bool = False,
    ) -> None:
        self.launch = launch
        self.prepared = prepared
        #: Globals that the script does not define.
        self.names = names
        #: For the entrypoint.
        self.args = args
        self.kwargs = kwargs
        #: The globals whose last values are sent back.
        self.outputs = outputs
        #: Whether what the starting call returns is sent back: True, False or ``IF_POSSIBLE``.
        self.wants_value = wants_value
        #: Whether the exception itself is sent back beside its text.
        self.wants_error = wants_error


class Packed:
    """A Bound that has been packed already, on its way to where it is run. Picklable."""

    __slots__ = ("argv", "data")

    def __init__(self, data: bytes, argv: list[str]) -> None:
        self.data, self.argv = data, argv


def pack(bound: Bound, wants_value: bool | str) -> bytes:
    """The bytes that ``unpack`` reads in the same version of Python.

    Raises UsageError for a value that cannot be sent, which it names.
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
    objects: dict[str, Mapping[str, object]] = {
        "values": dict(prepared.given.sent),
        "names": bound.anew(bound.names),
        "args": bound.anew({str(n): one for n, one in enumerate(config.args)}) if config else {},
        "kwargs": bound.anew(config.kwargs) if config else {},
        **{f"{name}.": dict(given.sent) for name, (_, given) in prepared.modules.items()},
    }
    outputs = list(config.outputs) if config else []
    wants = wants_value, bound.wants_error
    return marshal.dumps((launch, programs, *_dumped(objects), outputs, wants))


def unpack(data: bytes) -> Shipment:
    """What ``pack`` was given, in the child."""
    attributes, programs, is_plain, dumped, outputs, wants = marshal.loads(data)
    launch = launch_of(attributes)
    objects = _loaded(is_plain, dumped, launch)
    (_, _, main), *modules = programs
    given = Given(program.loads(main), objects["values"])
    others = {
        name: (file, Given(program.loads(one), objects[f"{name}."])) for name, file, one in modules
    }
    return Shipment(
        launch,
        Prepared(given, others),
        objects["names"],
        list(objects["args"].values()),
        objects["kwargs"],
        outputs,
        *wants,
    )


def launch_parts(launch: Launch) -> dict[str, object]:
    """What ``launch_of`` makes one like *launch* of."""
    return {name: getattr(launch, name, None) for name in _LAUNCH}


def launch_of(attributes: Mapping[str, object]) -> Launch:
    """A Launch that needs no file any more."""
    kind: type[Launch] = Launch
    if attributes["module"] is not None:
        from kohaku_ast.runner.module_launch import ModuleLaunch

        kind = ModuleLaunch
    elif attributes["path0"] == "":
        from kohaku_ast.runner.launch import StandardInput

        kind = StandardInput
    made = kind.__new__(kind)
    for name, value in attributes.items():
        if value is not None and hasattr(kind, name) and not isinstance(getattr(kind, name), str):
            setattr(made, name, value)
    made.data = b""
    return made


def dump_object(value: object) -> tuple[bool, bytes]:
    """Whether *value* is plain, and its bytes. Raises what cloudpickle does."""
    if _is_plain(value):
        return True, marshal.dumps(value)  # type: ignore[arg-type]
    import cloudpickle  # type: ignore[import-untyped]  # it has no types

    return False, cloudpickle.dumps(value)


def load_object(is_plain: bool, data: bytes) -> object:
    """What ``dump_object`` was given."""
    if is_plain:
        return marshal.loads(data)
    import pickle

    return pickle.loads(data)


def _dumped(objects: dict[str, Mapping[str, object]]) -> tuple[bool, bytes]:
    try:
        return dump_object(objects)
    except Exception as error:
        from kohaku_ast.runner.uncrossable import name_uncrossable

        raise name_uncrossable(objects, error) from error


def _loaded(is_plain: bool, data: bytes, launch: Launch) -> dict[str, dict[str, object]]:
    """Values may belong to modules beside the script; these are found as the script finds them."""
    if not is_plain:
        import pickle  # noqa: F401  # before one beside the script can be found
    usual = sys.path[:1]
    enter_folder(launch)
    try:
        loaded: dict[str, dict[str, object]] = load_object(is_plain, data)  # type: ignore[assignment]
    finally:
        sys.path[:1] = usual
    return loaded


_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def _is_plain(value: object, depth: int = 8) -> bool:
    """Whether marshal carries *value* and all in it, type for type."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is dict:
        items = [*value, *value.values()]  # type: ignore[misc, attr-defined]
    elif kind in (list, tuple, set, frozenset):
        items = list(value)  # type: ignore[call-overload]
    else:
        return False
    return depth > 0 and all(_is_plain(one, depth - 1) for one in items)
