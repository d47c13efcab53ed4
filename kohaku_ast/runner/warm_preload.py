"""In the warm server: imports what the script is going to import."""

from __future__ import annotations

import os
import sys

from kohaku_ast.runner.main_module import new_main
from kohaku_ast.runner.process import hidden_by
from kohaku_ast.runner.shipped import INTERPRETER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from kohaku_ast.runner.launch import Launch

_ARGUMENTS = tuple(sys.argv)


class Loaded:
    """What came of it."""

    __slots__ = ("printed", "threads")

    def __init__(self, printed: tuple[bytes, bytes], threads: list[str]) -> None:
        #: What the libraries wrote to stdout and stderr: each run says it again.
        self.printed = printed
        #: The imports that started threads, which no forked process has.
        self.threads = threads


def preload(
    launch: Launch, imports: Sequence[tuple[str, str, int]], descriptors: Sequence[int]
) -> Loaded:
    """Do *imports* as the script *launch* does, but nothing from beside it.

    If one of them fails, or if the script has modules that hide those of a library, this starts
    again in a new interpreter without it and what follows: nothing is left half done.
    *descriptors* stay open then.
    """
    before, threads = set(sys.modules), list[str]()
    _pose_as(launch)
    for number, one in enumerate(imports):
        running = _threads()
        if not _import(launch.filename, *one):
            _start_again(number, descriptors)
        if _threads() > running:
            threads.append(one[0])
    if hidden_by(launch.path0, set(sys.modules) - before):
        _start_again(0, descriptors)
    if not _is_safe_path():
        sys.path.insert(0, "")  # where the script's folder comes to stand
    return Loaded(_printed(), threads)


def _is_safe_path() -> bool:
    return bool(getattr(sys.flags, "safe_path", sys.flags.isolated))


def _pose_as(launch: Launch) -> None:
    """Libraries look at these when they are imported."""
    sys.argv = launch.argv[:1]
    sys.modules["__main__"] = new_main(launch)
    if not _is_safe_path():
        del sys.path[0]  # our own folder


def _import(filename: str, module: str, name: str, line: int) -> bool:
    """Whether all is well: done, or there is no such module. A warning says the script's line."""
    statement = f"from {module} import {name}" if name else f"import {module}"
    code = compile("\n" * (line - 1) + statement, filename, "exec", dont_inherit=True)
    try:
        exec(code, {"__name__": "__main__"})
    except ModuleNotFoundError as error:
        return error.name == module.partition(".")[0]
    except BaseException:  # the script will see it itself
        return False
    return True


def _threads() -> int:
    threading = sys.modules.get("threading")
    return threading.active_count() if threading else 1


def _start_again(most: int, descriptors: Sequence[int]) -> None:
    for number in descriptors:
        os.set_inheritable(number, True)
    for number in (1, 2):
        os.ftruncate(number, 0)
        os.lseek(number, 0, os.SEEK_SET)
    command = [*INTERPRETER, *_ARGUMENTS[:5], str(most), *_ARGUMENTS[6:]]
    os.execv(sys.executable, command)


def _printed() -> tuple[bytes, bytes]:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError):
            pass  # a library has closed it
    _flush_c()
    out, err = (os.pread(number, os.fstat(number).st_size, 0) for number in (1, 2))
    return out, err


def _flush_c() -> None:
    """What C code has written is still in a buffer, which each run would write again."""
    try:
        import _ctypes  # ctypes itself would stay in memory

        flush = _ctypes.dlsym(_ctypes.dlopen(None, 0), "fflush")  # type: ignore[arg-type]
        _ctypes.call_function(flush, (0,))
    except (ImportError, AttributeError, OSError):
        pass
