"""In a fresh interpreter: runs one Shipment as ``__main__`` and leaves its result in a file.

The script runs with nothing below it, as under ``kogine run``.
"""

from __future__ import annotations

import marshal
import os
import sys

from kohaku_ast.runner.bottom import is_command, leave_for, trimmed
from kohaku_ast.runner.children import hand_on
from kohaku_ast.runner.entry import entry_call
from kohaku_ast.runner.hidden import hidden
from kohaku_ast.runner.process import become, warn_at_end, warn_compiler
from kohaku_ast.runner.shipment import Shipment, dump_object, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_HIGH = 100  # a descriptor that no script counts on


def main(frame: FrameType) -> None:
    """Run the Shipment that the command line names; *frame* is the interpreter's first."""
    folder, _, job, result = sys.argv[1:5]
    if sys.path[1:2] == [folder]:
        del sys.path[1]
    shipment, leave = unpack(_read(job)), _writer(result)

    @hidden
    def start() -> int:
        prepared = shipment.prepared
        warn_compiler(prepared.program)
        warn_at_end(prepared)
        hand_on(prepared)
        name = prepared.program.entry_name
        codes = prepared.given.codes("module" if name else "")
        last = entry_call(name, shipment.args, shipment.kwargs) if name else None
        try:
            value = become(shipment.launch, codes, shipment.names, last)
        except SystemExit:
            leave(_finished(shipment, None))
            raise
        except BaseException as error:
            leave(_failed(error))
            raise
        leave(_finished(shipment, value))
        return 0

    if is_command(frame):
        leave_for(start)
    sys.exit(start())


def _read(job: str) -> bytes:
    """*job* is a path, or the number of a descriptor that we were given."""
    with open(int(job) if job.isdigit() else job, "rb") as file:
        return file.read()


def _writer(result: str) -> Callable[[bytes], None]:
    """What writes to the path or descriptor *result*, once."""
    if not result.isdigit():
        number = os.open(result, os.O_WRONLY)
    else:
        number = _hidden_away(int(result))

    def leave(data: bytes) -> None:
        try:
            with open(number, "wb") as file:
                file.write(data)
        except OSError:
            pass  # the script closed it: who waits for us sees that nothing came

    return leave


def _hidden_away(number: int) -> int:
    """A copy of descriptor *number* that children do not get, out of the script's way."""
    try:
        import fcntl

        high = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except (ImportError, OSError, ValueError):
        os.set_inheritable(number, False)
        return number
    os.close(number)
    return high


def _finished(shipment: Shipment, returned: object) -> bytes:
    """What the starting call returned and the outputs; what cannot be sent is named."""
    capture = shipment.prepared.given.capture
    value = returned if shipment.prepared.program.entry_name else capture.value
    names = vars(sys.modules["__main__"])
    outputs = {name: names[name] for name in shipment.outputs if name in names}
    wanted = value if shipment.wants_value else None
    try:
        return marshal.dumps(("finished", *dump_object((wanted, outputs))))
    except Exception as error:
        from kohaku_ast.runner.uncrossable import name_uncrossable

        values = {"value": {"value": wanted}, "outputs": outputs}
        return marshal.dumps(("uncrossable", str(name_uncrossable(values, error))))


def _failed(error: BaseException) -> bytes:
    from kohaku_ast.runner.outcome import RunError

    found = RunError.of(error, trimmed(error.__traceback__))
    return marshal.dumps(("failed", found.type, found.message, found.traceback))
