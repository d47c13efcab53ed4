"""The Program for a script and a Request, made once. On the warm path.

A Program that is not in the cache is built in a process of its own, and comes back through a
pipe. So a script finds the same modules loaded whether it is run for the first time or not, and
none of those that build Programs. This file has the script's side of it and imports nothing that
a warm run does not have; ``build`` has the other side.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal makes enums of all it gives
import marshal
import os
import sys

from kohaku_ast.transform.program import cache, program
from kohaku_ast.transform.program.program import framed, send, unframed
from kohaku_ast.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kohaku_ast.transform.program.program import Order, Program, Request


def load_program(
    data: bytes, filename: str, request: Request, folder: str = "", package: str = ""
) -> Program:
    """The Program for *request*: from the cache, else made and kept there.

    *folder* and *package* are where its imports start. Raises SyntaxError, and the errors of
    ``build_program``.
    """
    key = cache.cache_key(data, filename, request, f"{VERSION} {folder} {package}")
    found = cache.load(key)
    if found is not None:
        return found
    return _built((key, data, filename, request.key(), folder, package))


def _built(order: Order) -> Program:
    answer = ask(order)
    if not answer:
        # No process could be started, or it was killed: slower and with more modules, but right.
        from kohaku_ast.transform.program.build import build

        return build(order)
    made, error = marshal.loads(answer)
    if made:
        return program.loads(made)
    from kohaku_ast.transform.program.build import unpack

    raise unpack(error)


def ask(order: Order) -> bytes:
    """What a builder answers, in the form of marshal: the result as bytes or None, and an error;
    empty if no builder could be started.
    """
    if sys.platform == "win32":
        return _ask_subprocess(order)
    for start in (_fork, _spawn) if _is_alone() else (_spawn,):
        answer = _ask_child(order, start)
        if answer is not None:
            return answer
    return b""


def _is_alone() -> bool:
    """Whether this process has one thread, counting those that Python does not know of: what the
    others hold locked would stay locked in a forked child.
    """
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False  # they cannot be counted here


def _ask_child(order: Order, start: Callable[[list[int], int, int], int]) -> bytes | None:
    """What the child answers that *start* starts; None if it cannot be started."""
    child = 0
    numbers: list[int] = []
    # The child hears no Ctrl-C; we hear it while we wait, when we know what to give back.
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    try:
        child = _started(start, numbers)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
        return _asked(order, *numbers) if child else None
    finally:
        try:
            _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
        finally:
            for number in numbers:
                os.close(number)
            if child:
                _end(child)
            _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)


def _started(start: Callable[[list[int], int, int], int], ours: list[int]) -> int:
    """The number of the child, 0 if there is none; *ours* gets our ends of the pipes to and from
    it. As long as we hold the first one open, the child knows that we live.
    """
    theirs: list[int] = []
    try:
        for near, far in ((1, 0), (0, 1)):
            pipe = os.pipe()
            ours.append(_above_streams(pipe[near]))
            theirs.append(_above_streams(pipe[far]))
        return start(ours, *theirs)
    except (OSError, RuntimeError):
        return 0  # no processes or descriptors left, or a system that has no such thing
    finally:
        for number in theirs:
            os.close(number)


def _above_streams(number: int) -> int:
    """*number*, or a copy of it if it is where stdin, stdout and stderr are: a script may have
    closed these.
    """
    if number > 2:
        return number
    try:
        return _above_streams(os.dup(number))
    finally:
        os.close(number)


def _fork(ours: list[int], order: int, answer: int) -> int:
    child = os.fork()
    if child == 0:
        try:
            sys.settrace(None)
            sys.setprofile(None)
            for number in ours:  # the child would wait for its own end
                os.close(number)
            from kohaku_ast.transform.program.build import serve_forked

            serve_forked(order, answer)
        finally:
            # Whatever has happened: neither what follows here nor exit functions are the child's.
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
        setsigmask=[_signal.SIGINT],  # it is of nothing that the user has written
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


_FLAGS = {
    "isolated": "I", "ignore_environment": "E", "no_user_site": "s", "no_site": "S",
    "safe_path": "P", "optimize": "O",
}  # fmt: skip

# As fresh interpreters start, ``sys.path`` begins with the working folder, where an `ast.py` may
# lie. What else we find modules in comes after what every interpreter finds them in.
_START = """
import sys
path = list(filter(None, sys.path))
sys.path[:] = [sys.argv[1], *path]
import kohaku_ast
sys.path[:] = [*path, *(one for one in sys.argv[1:] if one not in path)]
from kohaku_ast.transform.program.build import serve_spawned
serve_spawned(watch={watch})
"""


def _command(watch: bool) -> list[str]:
    """What starts a builder in an interpreter like this one, and whether that ends as soon as its
    stdin does. Raises OSError if there is no interpreter.
    """
    from kohaku_ast import version

    if not sys.executable or getattr(sys, "frozen", False):
        raise OSError  # it would start the program itself again
    flags = [f"-{letter * getattr(sys.flags, name, 0)}" for name, letter in _FLAGS.items()]
    options = [name if text is True else f"{name}={text}" for name, text in sys._xoptions.items()]
    packages = os.path.dirname(os.path.dirname(version.__file__))
    return [
        sys.executable, *(flag for flag in flags if flag != "-"),
        *(word for option in options for word in ("-X", option)),
        "-c", _START.format(watch=watch), packages, *filter(None, sys.path[1:]),
    ]  # fmt: skip


def _asked(order: Order, request: int, answer: int) -> bytes:
    """What comes through *answer* for *order*; empty if the child ends without a word."""
    try:
        send(request, b"", marshal.dumps(order))
    except BrokenPipeError:
        return b""
    mark, received = order[0].encode(), b""
    while part := os.read(answer, 2**20):
        received += part
        # Not until its end: another thread may have started a process that holds it open.
        if found := unframed(mark, received):
            return found
    return b""


def _end(child: int) -> None:
    """End *child*, which has answered or is not waited for, and leave no zombie of it."""
    try:
        os.kill(child, _signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass  # SIGCHLD is ignored here, or its handler was faster
    except BaseException:  # what a signal handler raises: other threads hear signals, too
        _end(child)
        raise
