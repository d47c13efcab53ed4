"""Usage: what a run has used: CPU time, memory, modules of the user's own and installed packages.

On the start path of every spawned run: nothing slow is imported here.
"""

from __future__ import annotations

import marshal
import os
import sys
from time import process_time

from kohaku_ast.frames import keep_builtins
from kohaku_ast.runner.loaded_modules import is_own_name

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

# Bound here: the script may change them.
_times, _open, _read, _close = os.times, os.open, os.read, os.close
_own_time = process_time
_LIBRARY = os.path.join(os.path.dirname(os.__file__), "")
_INSTALLED = ("site-packages", "dist-packages")
_STATUS = "/proc/self/status"


class Usage:
    """What a run has used."""

    __slots__ = ("cpu_seconds", "device", "files", "packages", "peak_memory")

    def __init__(
        self,
        cpu_seconds: float | None,
        peak_memory: int | None,
        files: Mapping[str, str],
        packages: Iterable[str],
        device: str | None = None,
    ) -> None:
        #: Of its process and the child processes that it has waited for; None: not known.
        self.cpu_seconds = cpu_seconds
        #: Bytes that its process had in memory at most; None: not known.
        self.peak_memory = peak_memory
        #: Name of a loaded module that is neither Python's nor installed -> its file.
        self.files = files
        #: The top-level names of the installed packages that were loaded.
        self.packages = packages
        #: The name of the GPU that torch has used; None: none, or not known.
        self.device = device

    @classmethod
    def after(cls, result: bytes) -> Usage | None:
        """The Usage after the result of a process; None if there is none."""
        from io import BytesIO

        stream = BytesIO(result)
        try:
            marshal.load(stream)
            kind, *found = marshal.load(stream)
            return cls(*found) if kind == "usage" else None
        except (EOFError, ValueError, TypeError):
            return None


class UsageSince:
    """Counts what a run in this process uses, from now on."""

    __slots__ = ("_before", "_spent")

    def __init__(self) -> None:
        self._before, self._spent = {*sys.modules}, _cpu_seconds()

    def usage(self) -> Usage:
        """What was used since then. The peak of the memory is not that of the run alone."""
        modules = {name: sys.modules[name] for name in sys.modules.keys() - self._before}
        return Usage(_cpu_seconds() - self._spent, None, *loaded(modules), used_gpu())


def used_here() -> tuple[float, int | None, dict[str, str], list[str], str | None]:
    """What this process has used so far: the arguments of a Usage."""
    return _cpu_seconds(), _peak_memory(), *loaded({**sys.modules}), used_gpu()


def used_gpu() -> str | None:
    """The name of the GPU that torch computes on in this process; None if it has used none."""
    torch = sys.modules.get("torch")
    try:
        # By its dict: an attribute may import more. A process that was forked may not ask CUDA.
        cuda = None if torch is None else torch.__dict__.get("cuda")
        return str(cuda.get_device_name()) if cuda is not None and cuda.is_initialized() else None
    except Exception:  # anything can stand in sys.modules, and a driver may refuse
        return None


def _cpu_seconds() -> float:
    # The times of children are counted in hundredths of a second.
    return _own_time() + sum(_times()[2:4])


def _peak_memory() -> int | None:
    """Not ``ru_maxrss``: that of a forked process starts at its parent's peak."""
    try:
        status = _open(_STATUS, os.O_RDONLY)
    except OSError:  # no Linux
        return None
    try:
        text = _read(status, 1 << 16)
    finally:
        _close(status)
    _, found, rest = text.partition(b"VmHWM:")
    return int(rest.split(None, 1)[0]) * 1024 if found else None


def loaded(modules: Mapping[str, ModuleType]) -> tuple[dict[str, str], list[str]]:
    """Of *modules* the files of those that are the user's own, and the packages of the installed
    ones.
    """
    files, packages = {}, set()
    for name, module in modules.items():
        file = _file_of(module) if isinstance(name, str) else None
        if name in ("__main__", "__mp_main__") or file is None or is_own_name(name):
            continue
        if any(folder in file for folder in _INSTALLED):
            packages.add(name.partition(".")[0])
        elif not file.startswith(_LIBRARY) and file.endswith(".py"):
            files[name] = file
    return files, sorted(one for one in packages if not one.startswith("_"))


def _file_of(module: object) -> str | None:
    """Its ``__file__``, but not as an attribute, which may import others; scripts put whatever they
    like into ``sys.modules``.
    """
    try:
        file = module.__dict__.get("__file__")
    except Exception:  # anything can stand in sys.modules
        return None
    return file if isinstance(file, str) else None
