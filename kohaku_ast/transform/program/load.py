"""``load_program``: the Program for a script and a Request, from the cache, else built. On the warm
path.

A Program that is not in the cache is built in a process of its own (a builder), and comes back
through a pipe. So a script finds the same modules loaded in its first run and in later ones, and
none of those that build Programs. This file is the script's side and imports only modules that a
warm run has; ``build.py`` is the builder's side.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal is slow: it makes enums of everything
import marshal
import os
import sys

from kohaku_ast.transform import is_safe_path, shared_path
from kohaku_ast.transform.program import cache, program
from kohaku_ast.transform.program.program import framed, send, unframed
from kohaku_ast.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kohaku_ast.transform.program.program import Order, Program, Request


def load_program(
    data: bytes,
    filename: str,
    request: Request,
    folder: str = "",
    package: str = "",
    *,
    is_late: bool = False,
) -> Program:
    """The Program for *request*: from the cache, else built and stored there.

    Its imports start from *folder* and *package*. *is_late*: the script runs already. Raises
    SyntaxError, and the errors of ``build_program``.
    """
    places = ""
    if any("." in target for target, _, _ in request.targets):
        # The target may be in a module that is found there, or beside the script.
        places = f"{shared_path()}{is_safe_path()}"
        if b"run_path" in data:
            places += os.getcwd()
    key = cache.cache_key(data, filename, request, f"{VERSION} {folder} {package}{places}")
    found = cache.load(key)
    if found is not None:
        return found
    return _build_elsewhere((key, data, filename, request.key(), folder, package), is_late)


def _build_elsewhere(order: Order, is_late: bool) -> Program:
    answer = ask_builder(order, is_late)
    if not answer:
        # No process could be started, or it was killed: slower and with more modules, but right.
        from kohaku_ast.transform.program.build import build

        return build(order)
    made, error = marshal.loads(answer)
    if made:
        return program.loads(made)
    from kohaku_ast.transform.program.build import unpack

    raise unpack(error)


def ask_builder(order: Order, is_late: bool = False) -> bytes:
    """The answer of a builder, as marshal writes it: the result in bytes or None, and an error;
    empty if no builder could be started. *is_late*: the script runs already, and what it has
    imported must not be found in the builder.
    """
    if sys.platform == "win32":
        return _ask_subprocess(order)
    for start in (_fork, _spawn) if not is_late and _is_alone() else (_spawn,):
        answer = _ask_child(order, start)
        if answer is not None:
            return answer
    return b""


def _is_alone() -> bool:
    """Whether this process has one thread, counting those that Python did not start: a lock that
    another thread holds would stay locked in a forked child.
    """
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False  # threads cannot be counted here


def _ask_child(order: Order, start: Callable[[list[int], int, int], int]) -> bytes | None:
    """The answer of the child that *start* starts; None if it cannot be started."""
    child = 0
    numbers: list[int] = []
    # The child gets no Ctrl-C; we get it while we wait, when we know what to clean up.
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    try:
        child = _start_child(start, numbers)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
        return _exchange(order, *numbers) if child else None
    finally:
        try:
            _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
        finally:
            for number in numbers:
                os.close(number)
            if child:
                _end(child)
            _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)


def _start_child(start: Callable[[list[int], int, int], int], ours: list[int]) -> int:
    """The process id of the child, 0 if it cannot be started; *ours* gets our ends of the pipes
    to and from it. The child lives as long as we hold the first one open.
    """
    theirs: list[int] = []
    try:
        for near, far in ((1, 0), (0, 1)):
            pipe = os.pipe()
            ours.append(above_streams(pipe[near]))
            theirs.append(above_streams(pipe[far]))
        return start(ours, *theirs)
    except (OSError, RuntimeError):
        return 0  # no processes or descriptors left, or a system that lacks them
    finally:
        for number in theirs:
            os.close(number)


def above_streams(number: int) -> int:
    """Descriptor *number*, or a copy above 2, and *number* is closed: where stdin, stdout or stderr
    is closed, a new pipe or file gets its number, and a child would take it for the stream.
    """
    if number > 2:
        return number
    try:
        return above_streams(os.dup(number))
    finally:
        os.close(number)


def _fork(ours: list[int], order: int, answer: int) -> int:
    child = os.fork()
    if child == 0:
        try:
            sys.settrace(None)
            sys.setprofile(None)
            for number in ours:  # else the child would wait for its own end of the pipe
                os.close(number)
            from kohaku_ast.transform.program.build import serve_forked

            serve_forked(order, answer)
        finally:
            # In any case: the child must run neither the code that follows nor exit functions.
            os._exit(1)
    return child


def _spawn(ours: list[int], order: int, answer: int) -> int:
    if not hasattr(os, "posix_spawn"):
        raise OSError
    return os.posix_spawn(
        sys.executable,
        _command(watch=True),
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, order, 0),
            (os.POSIX_SPAWN_DUP2, answer, 1),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_RDWR, 0),
        ],
        setsigmask=[_signal.SIGINT],  # its KeyboardInterrupt would not be the user's
    )


def _ask_subprocess(order: Order) -> bytes:
    import subprocess

    try:
        done = subprocess.run(
            _command(watch=False), input=framed(b"", marshal.dumps(order)), stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except OSError:
        return b""
    return unframed(order[0].encode(), done.stdout)


_PACKAGES = __file__
for _ in range(4):
    _PACKAGES = os.path.dirname(_PACKAGES)

_FLAGS = {
    "isolated": "I", "ignore_environment": "E", "no_user_site": "s", "no_site": "S",
    "safe_path": "P", "optimize": "O",
}  # fmt: skip

# A fresh interpreter begins ``sys.path`` with the working folder, where an `ast.py` may lie. Our
# other folders come after those that every interpreter has. The first entry is the script's.
_START = """
import sys
path = list(filter(None, sys.path))
sys.path[:] = [sys.argv[1], *path]
import kohaku_ast
sys.path[:] = [{devnull!r}, *path, *(one for one in sys.argv[1:] if one not in path)]
from kohaku_ast.transform.program.build import serve_spawned
serve_spawned(watch={watch})
"""


def _command(watch: bool) -> list[str]:
    """The command that starts a builder in an interpreter like this one; with *watch* it ends as
    soon as its stdin does. Raises OSError if there is no interpreter.
    """
    if not sys.executable or getattr(sys, "frozen", False):
        raise OSError  # it would start the program itself again
    flags = [f"-{letter * getattr(sys.flags, name, 0)}" for name, letter in _FLAGS.items()]
    options = [name if text is True else f"{name}={text}" for name, text in sys._xoptions.items()]
    start = _START.format(watch=watch, devnull=os.devnull)
    return [
        sys.executable, *(flag for flag in flags if flag != "-"),
        *(word for option in options for word in ("-X", option)),
        "-c", start, _PACKAGES, *filter(None, shared_path()),
    ]  # fmt: skip


def _exchange(order: Order, request: int, answer: int) -> bytes:
    """Send *order* and read the answer; empty if the child ends without one."""
    try:
        send(request, b"", marshal.dumps(order))
    except BrokenPipeError:
        return b""
    mark, received = order[0].encode(), b""
    while part := os.read(answer, 2**20):
        received += part
        # Not until the end of the pipe: a process of another thread may hold it open.
        if found := unframed(mark, received):
            return found
    return b""


def _end(child: int) -> None:
    """End *child*, which has answered or is no longer needed, and leave no zombie."""
    try:
        os.kill(child, _signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass  # SIGCHLD is ignored here, or its handler was faster
    except BaseException:  # from a signal handler: other threads receive signals too
        _end(child)
        raise
