"""Runs one Shipment as ``__main__`` of this process and leaves its result for who waits.

The script runs with nothing below it, as under ``kogine run``.
"""

from __future__ import annotations

import marshal
import os
import sys

from kohaku_ast.frames import hidden
from kohaku_ast.runner.children import hand_on
from kohaku_ast.runner.empty_stack import is_command, leave_for, trimmed
from kohaku_ast.runner.job import IF_POSSIBLE, Job, unpack
from kohaku_ast.runner.launch import plain_python
from kohaku_ast.runner.main_module import become, entry_call, warn_at_end, warn_compiler
from kohaku_ast.runner.transport import describe_error, dump_values
from kohaku_ast.sigint import hear, own_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType, ModuleType
    from typing import TypeVar

    from kohaku_ast.runner.launch import Launch

    Made = TypeVar("Made")


INTERPRETER = sys.orig_argv[: sys.orig_argv.index(sys.argv[0])]
"""The start of the command that this process was started by, up to what is run."""

_USUAL_PATH = sys.path[1:]
# Bound here: the script may change them. (They make no events for its audit hooks either.)
_write, _close, _getpid = os.write, os.close, os.getpid
_gettrace, _settrace = sys.gettrace, sys.settrace
_getprofile, _setprofile = sys.getprofile, sys.setprofile
_HIGH = 100  # a descriptor that no script counts on


def start_of(
    shipment: Job,
    leave: Callable[[bytes], None],
    loaded: Callable[[], Iterable[str]] | None = None,
) -> Callable[[], int]:
    """What runs the script, and gives its result to *leave*. *loaded*: as for ``become``."""

    @hidden
    def start() -> int:
        _pose_as_plain(shipment.launch)
        prepared = shipment.prepared
        try:
            warn_compiler(prepared.program)
        except Warning as error:  # made an error by -W: Python refuses the script
            leave(_failed(error))
            hear()
            return plain_python(shipment.launch)
        hand_on(prepared)
        name = prepared.program.entry_name
        codes = prepared.given.codes("module" if name else "")
        last = entry_call(name, shipment.args, shipment.kwargs) if name else None
        try:
            value = become(shipment.launch, codes, shipment.names, last, loaded)
        except SystemExit:
            unseen(lambda: leave(_finished(shipment, None)))
            raise
        except BaseException as error:
            raised = error
            unseen(lambda: leave(_failed(raised, shipment.wants_error)))
            if shipment.wants_error:  # who wants it raises it: once is enough
                sys.excepthook = lambda *_: None
            raise
        unseen(lambda: leave(_finished(shipment, value)))
        return 0

    return start


@hidden
def _pose_as_plain(launch: Launch) -> None:
    """The command that a script finds: the one that starts it without us."""
    module = getattr(launch, "module", "__main__")
    named = ["-m", module, *launch.argv[1:]] if module != "__main__" else launch.argv
    sys.orig_argv = [*INTERPRETER, *named]


@hidden
def unseen(act: Callable[[], None]) -> None:
    """*act*, while a tracer or profiler that the script has left on looks away."""
    tracer, profiler = _gettrace(), _getprofile()
    _settrace(None)
    _setprofile(None)
    try:
        act()
    finally:
        _setprofile(profiler)
        _settrace(tracer)


def told(make: Callable[[], Made], leave: Callable[[bytes], None]) -> Made:
    """What *make* gives; *leave* is told if it raises, before the script has run."""
    try:
        return make()
    except Exception as error:
        from kohaku_ast.errors import UncrossableValue

        if not isinstance(error, UncrossableValue):
            leave(_failed(error))
            raise
        leave(_uncrossable(error))
        sys.exit(f"kogine: error: {error}")


def writer(number: int) -> Callable[[bytes], None]:
    """What writes to the descriptor *number*, once; children do not get it."""
    number, pid = _hidden_away(number), _getpid()

    def leave(data: bytes) -> None:
        if _getpid() != pid:
            return  # a child that the script has forked ends as the run does, but is not it
        try:
            while data:
                data = data[_write(number, data) :]
            _close(number)
        except OSError:
            pass  # the script closed it: who waits for us sees that nothing came

    return leave


def _hidden_away(number: int) -> int:
    """A copy of descriptor *number* out of the script's way."""
    try:
        import fcntl

        high = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except (ImportError, OSError, ValueError):
        os.set_inheritable(number, False)
        return number
    os.close(number)
    return high


def _finished(shipment: Job, returned: object) -> bytes:
    """What the starting call returned and the outputs; what cannot be sent is named."""
    capture = shipment.prepared.given.capture
    value = returned if shipment.prepared.program.entry_name else capture.value
    names = vars(sys.modules.get("__main__", capture))
    outputs = {name: names[name] for name in shipment.outputs if name in names}
    wanted = {"value": value if shipment.wants_value else None}
    along = lambda: _along(shipment)  # noqa: E731
    try:
        if shipment.wants_value != IF_POSSIBLE:
            parts = [(*dump_values({"value": wanted, "outputs": outputs}, along), False)]
        else:
            parts = [
                (*dump_values({"outputs": outputs}, along), False),
                (*_dumped_if_possible(wanted, along), True),
            ]
    except Exception as error:
        return _uncrossable(error)
    return marshal.dumps(("finished", parts))


def _dumped_if_possible(
    wanted: dict[str, object], along: Callable[[], Iterable[ModuleType]]
) -> tuple[bool, bytes]:
    try:
        return dump_values({"value": wanted}, along)
    except Exception:
        from kohaku_ast.runner.transport import Uncrossed

        return dump_values({"value": {"value": Uncrossed.of(wanted["value"])}})


def _along(shipment: Job) -> list[ModuleType]:
    """The modules that go with what is sent: those that have overrides, which they lack where it
    goes, and those that are not found there.
    """
    from kohaku_ast.runner.local_modules import lacking_elsewhere

    changed = [sys.modules[name] for name in shipment.prepared.modules if name in sys.modules]
    return [*changed, *lacking_elsewhere(shipment.path, _USUAL_PATH)]


def _uncrossable(error: Exception) -> bytes:
    return marshal.dumps(("uncrossable", str(error)))


def _failed(error: BaseException, is_wanted: bool = False) -> bytes:
    """Where the script's folder cannot hide a module that this needs."""
    path, sys.path = sys.path, _USUAL_PATH
    try:
        packed = _packed(error) if is_wanted else b""
        return marshal.dumps(
            ("failed", *describe_error(error, trimmed(error.__traceback__)), packed)
        )
    finally:
        sys.path = path


def _packed(error: BaseException) -> bytes:
    from kohaku_ast.runner.transport import pack_raised

    return pack_raised(error)


def main(frame: FrameType) -> None:
    """Run the Shipment that the command line names; *frame* is the interpreter's first."""
    own_process()
    job, result = sys.argv[3:5]
    number = int(result) if result.isdigit() else os.open(result, os.O_WRONLY)
    leave = writer(number)
    shipment = told(lambda: unpack(_read(job)), leave)
    warn_at_end(shipment.prepared)
    start = start_of(shipment, leave)
    if is_command(frame):
        leave_for(start)
    sys.exit(start())


def _read(job: str) -> bytes:
    """*job* is a path, or the number of a descriptor that we were given."""
    with open(int(job) if job.isdigit() else job, "rb", 0) as file:
        return file.read()
