"""The builder: a process that builds a Program and sends it back. ``load.py`` is the script's side.

The modules that build Programs are imported only here, and only after the builder knows that no
other one builds the same Program.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import builtins
import gc
import marshal
import os
import sys
import warnings
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from kohaku_ast import errors
from kohaku_ast.errors import BrokenInstallation, KogineError
from kohaku_ast.transform import is_safe_path
from kohaku_ast.transform.program import cache
from kohaku_ast.transform.program.program import Program, Request, send

if TYPE_CHECKING:
    from kohaku_ast.transform.program.program import Order


PATIENCE = 60.0
"""Seconds that a builder waits for another one, which may have been stopped."""


def build(order: Order) -> Program:
    """The Program for *order*, which is stored in the cache too.

    Raises SyntaxError, the errors of ``build_program``, and BrokenInstallation.
    """
    return _build_and_store(order)[0]


def _build_and_store(order: Order) -> tuple[Program, bool]:
    """The Program for *order*, and whether the cache has it now."""
    key, data, filename, request, folder, package = order
    assert request is not None
    try:
        from kohaku_ast.transform.find.source import decode
        from kohaku_ast.transform.program.compile import build_program

        names: dict[str, Any] = dict(zip(Request.__slots__, request))
        made = build_program(decode(data, filename, folder, package), Request(**names))
    except BrokenInstallation:
        raise  # it says what is missing
    except ImportError as error:
        raise BrokenInstallation(
            f"the modules that rewrite scripts cannot be imported: {' '.join(str(error).split())}. "
            "Install kohaku-ast and libcst again: pip install --force-reinstall kohaku-ast libcst"
        ) from error
    return made, cache.store(key, made)


def serve_forked(order: int, answer: int) -> NoReturn:
    """Be a builder in a forked child, without signal handlers, streams and finalizers of the
    parent.
    """
    gc.freeze()  # no object of the parent is finalized here
    _signal.set_wakeup_fd(-1)
    for number in _signal.valid_signals():
        if callable(_signal.getsignal(number)):
            _signal.signal(number, _signal.SIG_DFL)
    # The terminal sends Ctrl-C to both processes; the parent receives it and ends this one.
    _signal.pthread_sigmask(_signal.SIG_SETMASK, [_signal.SIGINT])
    if not is_safe_path():
        # There may be an `ast.py`. The first entry stays that of the script, for who skips it.
        sys.path[:] = [os.devnull, *sys.path[1:], *sys.path[:1]]
    _leave_streams()
    _serve(order, answer, watch=True)


def serve_spawned(watch: bool) -> NoReturn:
    """Be a builder in a fresh interpreter: read the order from stdin, write the answer to
    stdout. With *watch* the parent holds stdin open as long as it lives.
    """
    answer = os.dup(1)
    os.dup2(2, 1)
    _serve(0, answer, watch)


def _leave_streams() -> None:
    """Send all output to nowhere, that of a crashing interpreter as well."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
    except OSError:
        return
    for number in range(3):
        os.dup2(nothing, number)


def _serve(request: int, answer: int, watch: bool) -> NoReturn:
    """Read an order, answer with the bytes of the Program or a packed error, and end this
    process.
    """
    order = marshal.loads(_receive(request))
    if watch:
        _thread.start_new_thread(_die_with_parent, (request,))
    warnings.simplefilter("ignore")  # -W is for the script, whose warnings are in the Program
    result: tuple[bytes | None, tuple[Any, ...] | None]
    try:
        result = _answer(order), None
    except Exception as error:
        result = None, _pack(error)
    send(answer, order[0].encode(), marshal.dumps(result))
    os._exit(0)


def _receive(number: int) -> bytes:
    size = int.from_bytes(_read(number, 8), "little")
    return _read(number, size)


def _read(number: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = os.read(number, size - len(data))
        if not part:
            os._exit(1)  # the parent has ended
        data += part
    return data


def _die_with_parent(request: int) -> None:
    """End this process with its parent: the read returns when the parent has ended."""
    os.read(request, 1)
    os._exit(1)


def _answer(order: Order) -> bytes:
    """The bytes of the Program, or of the facts about options. Of many builders with one order, one
    builds the Program and the others read it from the cache.
    """
    if order[3] is None:
        from kohaku_ast.transform.find.option_facts import read_facts

        return marshal.dumps(read_facts(order[1], order[2], *order[4:]))
    key = order[0]
    try:
        folder = cache.Folder(make=True)
        lock = folder.open(f"{key}.lock", os.O_RDWR | os.O_CREAT)
    except OSError:
        return _build_and_store(order)[0].dumps()  # there is no cache
    if not _acquire(lock):
        return _build_and_store(order)[0].dumps()
    found, is_cached = cache.load(key), False
    try:
        if found is None:
            found, is_cached = _build_and_store(order)
        else:
            is_cached = True
        return found.dumps()
    finally:
        if not is_cached:
            os.ftruncate(lock, 1)
        folder.remove(f"{key}.lock")


def _acquire(lock: int) -> bool:
    """Whether this process now holds *lock*, an opened file, until it ends.

    It does not where there are no locks, if the holder takes too long, or if the holder could not
    store its Program: then no builder needs to wait for another.
    """
    try:
        import fcntl
    except ImportError:
        return False
    _signal.signal(_signal.SIGALRM, _give_up)
    _signal.setitimer(_signal.ITIMER_REAL, PATIENCE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError:
        return False
    finally:
        _signal.setitimer(_signal.ITIMER_REAL, 0)
    if os.fstat(lock).st_size:
        fcntl.flock(lock, fcntl.LOCK_UN)
        return False
    return True


def _give_up(number: int, frame: FrameType | None) -> NoReturn:
    raise TimeoutError


_SYNTAX = (
    "msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset",
    "print_file_and_line",
)  # fmt: skip
"""The attributes of a SyntaxError beside its arguments."""


def _pack(error: BaseException | None) -> tuple[Any, ...] | None:
    """*error*, with its cause and context, as values that marshal can write; None for None."""
    if error is None:
        return None
    kind, args = type(error), tuple(map(_plain, error.args))
    if kind.__module__ not in (builtins.__name__, errors.__name__):
        kind, args = RuntimeError, (f"{kind.__qualname__}: {error}",)
    names = [*vars(error), *(_SYNTAX if isinstance(error, SyntaxError) else ())]
    attributes = {name: _plain(getattr(error, name)) for name in names}
    cause, is_alone = error.__cause__, error.__suppress_context__
    if not isinstance(error, (KogineError, SyntaxError)) and cause is None:
        # A bug of kohaku_ast: its traceback would be lost.
        cause, is_alone = RuntimeError(f"\n{_trace(error)}"), True
    context = None if is_alone else error.__context__
    return kind.__name__, args, attributes, is_alone, _pack(cause), _pack(context)


def _plain(value: object) -> object:
    try:
        marshal.dumps(value)  # type: ignore[arg-type]
    except ValueError:
        return str(value)
    return value


def _trace(error: BaseException) -> str:
    from traceback import format_exception

    return "".join(format_exception(type(error), error, error.__traceback__))


def unpack(packed: tuple[Any, ...]) -> BaseException:
    """The error that ``_pack`` made *packed* from, in the process that ordered."""
    name, args, attributes, is_alone, cause, context = packed
    kind = getattr(errors, name, None) or getattr(builtins, name)
    made: BaseException = kind(*args)
    for attribute, value in attributes.items():
        setattr(made, attribute, value)
    made.__cause__ = unpack(cause) if cause else None
    made.__context__ = unpack(context) if context else None
    made.__suppress_context__ = is_alone
    return made
