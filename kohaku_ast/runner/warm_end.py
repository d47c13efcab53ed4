"""How a warm server and its runs end: without taking apart the libraries that they share.

At its end an interpreter empties every module. In a forked process that copies most of the memory
which it has in common with the server: 40 ms with pandas. So the libraries stay as they are,
while all that belongs to the script ends as always: its exit functions, threads, objects.
"""

from __future__ import annotations

import atexit
import builtins
import gc
import os
import sys

# functools loads ten modules.
from _functools import partial  # type: ignore[import-not-found]
from io import TextIOWrapper
from itertools import takewhile

from kohaku_ast.frames import hidden
from kohaku_ast.runner.shipped import unseen
from kohaku_ast.sigint import calmly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class WarmEnd:
    """Told what is shared and, last, how the process ends."""

    def __init__(self) -> None:
        """Its exit function is registered now: the first one is the last to be called."""
        self._kept: list[object] = []
        self._modules: dict[str, object] = {}
        self._ours: set[str] = set()
        self._latest = ""
        self._status: int | None = None
        atexit.register(self._prepare)

    def keep_loaded(self, ours: set[str]) -> None:
        """All that is loaded now stays as it is. To be followed by ``gc.freeze``.

        *ours*: the names of those that are loaded for our sake.
        """
        self._modules = {
            name: module
            for name, module in sys.modules.items()
            if name not in ("sys", "builtins", "__main__")
        }
        self._ours, self._latest = ours, next(reversed(self._modules), "")
        # Frozen, a list in itself is never freed, and neither is what it holds.
        self._kept[:] = [self._kept, self._modules, *self._modules.values()]

    def added(self) -> list[str]:
        """The modules that are new in this process, last one first."""
        return list(takewhile(self._latest.__ne__, reversed(sys.modules)))

    def loaded(self) -> list[str]:
        """The modules that nobody has looked for beside the script."""
        # Looking at them all would copy much of the memory that they share with the server.
        return [*self._ours, *self.added()]

    @hidden
    def expect(self, status: object) -> None:
        """The process is about to end with *status*, as ``sys.exit`` takes it."""
        if status is None:
            self._status = 0
        elif isinstance(status, int) and 0 <= status < 256:
            self._status = int(status)

    @hidden
    def _prepare(self) -> None:
        if self._modules and not sys.flags.verbose:
            calmly(unseen, self._plan)

    @hidden
    def _plan(self) -> None:
        # What the interpreter forgets first when it begins to empty modules.
        sys.ps1 = _Begin(self._left(), self._last())

    def _left(self) -> list[str]:
        return ["sys", "builtins", "__main__", *reversed(self.added())]

    def _last(self) -> _Last | None:
        is_usual = self._status is not None and not self._loads_others() and _flushed()
        return _Last(self._status or 0) if is_usual else None

    def _loads_others(self) -> bool:
        """Whether there are C modules, not Python's own, that may wait for the real end."""
        return any(_is_foreign(name) for name in self.added())


def _is_foreign(name: str) -> bool:
    file = getattr(sys.modules[name], "__file__", None) or ""
    is_c = not file.endswith((".py", ".pyc")) and bool(file)
    return is_c and name.partition(".")[0] not in sys.stdlib_module_names and name != "__main__"


def _flushed() -> bool:
    """Whether all that was printed could be written; if not, Python ends with 120 by itself."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if type(stream) is not TextIOWrapper:
                return False
            if not stream.closed:
                stream.flush()
    except (OSError, ValueError, AttributeError):
        return False
    return True


class _Begin:
    """Freed when the interpreter begins to empty modules: it finds those of libraries no more."""

    def __init__(self, left: list[str], last: _Last | None) -> None:
        """*left*: the modules that it does find."""
        self.left, self.last = left, last

    @hidden
    def __del__(self) -> None:
        unseen(self._begin)

    @hidden
    def _begin(self) -> None:
        # In place: these are the interpreter's, which goes through what it finds here.
        modules = {name: sys.modules[name] for name in self.left if name in sys.modules}
        sys.modules.clear()
        sys.modules.update(modules)
        if self.last is not None:
            vars(builtins)["kogine"] = self.last  # emptied after all others, in this order


def _c_exit() -> Callable[[tuple[int]], object]:
    """The ``exit`` of C: what C code has printed is written, its libraries close their files."""
    try:
        import _ctypes  # ctypes itself would stay in memory

        function = _ctypes.dlsym(_ctypes.dlopen(None, 0), "exit")  # type: ignore[arg-type]
    except (ImportError, AttributeError, OSError):
        return lambda statuses: os._exit(*statuses)
    leave: Callable[[tuple[int]], object] = partial(_ctypes.call_function, function)
    return leave


class _Last:
    """Freed when every module is empty: nothing that the script could see is left to do."""

    def __init__(self, status: int) -> None:
        self.status = status
        #: Libraries may hold them too: they would not be freed, and so not write what they have.
        self.streams = sys.stdout, sys.stderr

    @hidden
    def __del__(self, act: Callable[[Callable[[], None]], None] = unseen) -> None:
        act(self._finish)

    @hidden
    def _finish(
        self,
        # Bound here: modules, and so their names, are empty by then.
        collect: Callable[[], int] = gc.collect,
        refused: tuple[type[Exception], ...] = (OSError, ValueError),
        leave: Callable[[tuple[int]], object] = _c_exit(),  # noqa: B008
    ) -> None:
        collect()
        for stream in self.streams:
            try:
                stream.flush()
            except refused:
                pass
        leave((self.status,))
