"""A child process: runs one job as ``__main__`` and writes its result for the parent.

On the start path of every spawned run: nothing slow is imported here. The script runs with an
empty stack below it, as under ``kogine run``.
"""

from __future__ import annotations

import marshal
import os
import sys

from kohaku_ast.frames import hidden, keep_builtins, trimmed, unseen
from kohaku_ast.runner.children import forget_loaded, hand_on
from kohaku_ast.runner.empty_stack import is_command, leave_for
from kohaku_ast.runner.job import IF_POSSIBLE, Job, unpack
from kohaku_ast.runner.launch import plain_python
from kohaku_ast.runner.loaded_modules import in_sight
from kohaku_ast.runner.main_module import (
    entry_call,
    outputs_of,
    run_here,
    warn_at_end,
    warn_compiler,
)
from kohaku_ast.runner.transport import describe_error, dump_values
from kohaku_ast.runner.usage import used_here
from kohaku_ast.sigint import hear, own_process
from kohaku_ast.transform import shared_path

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType, ModuleType
    from typing import TypeVar

    from kohaku_ast.runner.launch import Launch

    T = TypeVar("T")


INTERPRETER = sys.orig_argv[: sys.orig_argv.index(sys.argv[0])]
"""The start of this process's command, up to the script."""

_USUAL_PATH = shared_path()
# Bound here: the script may change them. (Its audit hooks get no events of them, either.)
_write, _close, _getpid = os.write, os.close, os.getpid
_HIGH = 100  # scripts expect no descriptor from this number on
_TIED = "run-in-"
"""The start of the word of a run that ends with its parent, whose number follows."""


def start_of(
    job: Job,
    leave: Callable[[bytes], None],
    loaded: Callable[[], Iterable[str]] | None = None,
) -> Callable[[], int]:
    """What runs the script and gives its result to *leave*; *loaded* is as for ``run_here``."""

    @hidden
    def start() -> int:
        _pose_as_plain(job.launch)
        prepared = job.prepared
        try:
            warn_compiler(prepared.program)
        except Warning as error:  # made an error by -W: Python refuses the script
            leave(_failed(error))
            hear()
            return plain_python(job.launch)
        forget_loaded(prepared)
        hand_on(prepared)
        name = prepared.program.entry_name
        codes = prepared.given.codes("module" if name else "")
        last = entry_call(name, job.args, job.kwargs) if name else None
        try:
            value = run_here(job.launch, codes, last, loaded)
        except SystemExit as exit_:
            prepared.note_end(exit_)
            unseen(lambda: leave(in_sight(lambda: _ended(_stopped(job) or _finished(job, None)))))
            raise
        except BaseException as error:
            raised = error
            prepared.given.capture.value = None
            prepared.note_end(error)
            unseen(lambda: leave(in_sight(lambda: _ended(_failed(raised, job.wants_error)))))
            if job.wants_error:  # the parent raises it: it is not printed twice
                sys.excepthook = lambda *_: None
            raise
        unseen(lambda: leave(in_sight(lambda: _ended(_stopped(job) or _finished(job, value)))))
        return 2 if prepared.stopped else 0

    return start


@hidden
def _pose_as_plain(launch: Launch) -> None:
    """Let ``sys.orig_argv`` be the command that starts the script without us."""
    module = getattr(launch, "module", "__main__")
    named = ["-m", module, *launch.argv[1:]] if module != "__main__" else launch.argv
    sys.orig_argv = [*INTERPRETER, *named]


def or_report(make: Callable[[], T], leave: Callable[[bytes], None]) -> T:
    """What *make* returns; if it raises, before the script has run, *leave* gets the error."""
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
    """What writes to the descriptor *number*, once; child processes do not inherit it."""
    number, pid = _hidden_away(number), _getpid()

    def leave(data: bytes) -> None:
        if _getpid() != pid:
            return  # a child that the script has forked comes to this line too
        try:
            while data:
                data = data[_write(number, data) :]
            _close(number)
        except OSError:
            pass  # the script closed it: the parent sees that there is no result

    return leave


def _hidden_away(number: int) -> int:
    """A copy of descriptor *number*, where the script does not expect one."""
    try:
        import fcntl

        high = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except (ImportError, OSError, ValueError):
        os.set_inheritable(number, False)
        return number
    os.close(number)
    return high


def _finished(job: Job, returned: object) -> bytes:
    """What the starting call returned, and the outputs; an error that names the value if one
    cannot be sent.
    """
    capture = job.prepared.given.capture
    value = returned if job.prepared.program.entry_name else capture.value
    capture.value = None  # a generator would keep the script's namespace alive to the very end
    names = vars(sys.modules.get("__main__", capture))
    outputs = outputs_of(job.prepared, job.outputs, names)
    wanted = {"value": value if job.wants_value else None}
    along = lambda: _along(job)  # noqa: E731
    try:
        if job.wants_value != IF_POSSIBLE:
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
    except Exception:  # whatever its class raises: a placeholder is sent in its place
        from kohaku_ast.runner.transport import Uncrossed

        return dump_values({"value": {"value": Uncrossed.of(wanted["value"])}})


def _along(job: Job) -> list[ModuleType]:
    """The modules to send along: those with overrides, which the parent's own have not, and those
    that the parent does not find.
    """
    from kohaku_ast.runner.local_modules import lacking_elsewhere

    changed = [sys.modules[name] for name in job.prepared.modules if name in sys.modules]
    return [*changed, *lacking_elsewhere(job.path, _USUAL_PATH)]


def _uncrossable(error: Exception) -> bytes:
    return marshal.dumps(("uncrossable", str(error)))


def _failed(error: BaseException, is_wanted: bool = False) -> bytes:
    """The error as bytes, made without the script's folder, which may shadow a module."""
    path, sys.path = sys.path, _USUAL_PATH
    try:
        packed = _packed(error) if is_wanted else b""
        return marshal.dumps(
            ("failed", *describe_error(error, trimmed(error.__traceback__)), packed)
        )
    finally:
        sys.path = path


def _stopped(job: Job) -> bytes:
    """The error of an override that has ended the run, as bytes; empty if there is none."""
    error = job.prepared.stopped
    return _failed(error, job.wants_error) if error else b""


def _ended(result: bytes) -> bytes:
    """*result*, and after it what the process has used."""
    try:
        return result + marshal.dumps(("usage", *used_here()))
    except Exception:  # a script may leave modules that do not work
        return result


def _packed(error: BaseException) -> bytes:
    from kohaku_ast.runner.transport import pack_raised

    try:
        return pack_raised(error)
    except Exception:  # a script may leave modules that do not work
        return b""


def main(frame: FrameType) -> None:
    """Run the job that the command line names; *frame* is the interpreter's first."""
    own_process()
    what, source, result = sys.argv[2:5]
    if what.startswith(_TIED):
        from kohaku_ast.runner.process_exit import die_with_parent  # a run of our own does without

        die_with_parent(int(what.removeprefix(_TIED)))
    number = int(result) if result.isdigit() else os.open(result, os.O_WRONLY)
    leave = writer(number)
    job = or_report(lambda: unpack(_read(source)), leave)
    warn_at_end(job.prepared)
    start = start_of(job, leave)
    if is_command(frame):
        leave_for(start)
    sys.exit(start())


def _read(source: str) -> bytes:
    """*source* is a path, or the number of a descriptor that this process has inherited."""
    with open(int(source) if source.isdigit() else source, "rb", 0) as file:
        return file.read()
