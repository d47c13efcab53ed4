"""Warns when a script with overrides starts its own file again: ``os.execv``, ``subprocess``.

On the warm path of runs with overrides.

The new process runs plain Python, and kogine cannot pass objects to it. So a warning names the
overrides that do not go along, once, before the process starts: after ``exec`` it would be too
late. An override that is equal to what stands in the file loses nothing.
"""

from __future__ import annotations

import os
import sys

# functools loads ten modules.
from _functools import partial  # type: ignore[import-not-found]

from kohaku_ast.frames import hidden, keep_builtins, unseen
from kohaku_ast.transform.program.bound_program import is_plain

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kohaku_ast.runner.import_hook import Patches
    from kohaku_ast.transform.program.bound_program import BoundProgram, Prepared

_STARTERS = ("execv", "execve", "posix_spawn", "posix_spawnp", "system")
"""Functions of ``os``; ``execl``, ``spawnv`` and the others call one of them."""
_LAUNCHERS = ("python", "pypy", "torchrun", "accelerate", "deepspeed", "ipython")

# Bound here: the script may change them.
_basename, _stat, _write, _fsdecode = os.path.basename, os.stat, os.write, os.fsdecode
_compile, _eval, _repr = compile, eval, repr


class Restarts:
    """Watches one script with overrides."""

    def __init__(self, prepared: Prepared, patches: Patches) -> None:
        self.prepared, self.patches = prepared, patches
        self._has_warned = False

    def os(self) -> None:
        """Watch the functions of ``os``."""
        for name in _STARTERS:
            if hasattr(os, name):
                self.patches.replace(os, name, self._watched(f"os.{name}"))

    def subprocess(self, names: dict[str, Any]) -> None:
        """Watch the module ``subprocess``, with these names."""
        self.patches.replace(names["Popen"], "_execute_child", self._watched_method)

    def _watched(self, shown: str) -> Callable[[Any], Any]:
        look = self.look

        def make(own: Callable[..., object]) -> Callable[..., object]:
            @hidden
            def start(*arguments: object, **keywords: object) -> object:
                look(shown, arguments)
                return own(*arguments, **keywords)

            _like(start, own)
            return start

        return make

    def _watched_method(self, own: Callable[..., object]) -> Callable[..., object]:
        look = self.look

        @hidden
        def start(self: object, *arguments: object, **keywords: object) -> object:
            look("subprocess", arguments)
            return own(self, *arguments, **keywords)

        _like(start, own)
        return start

    @hidden
    def look(self, shown: str, arguments: tuple[object, ...]) -> None:
        """Warn if a process with these *arguments*, as *shown* gets them, runs the script again."""
        if self._has_warned:
            return
        unseen(partial(self._look, shown, arguments))

    @hidden
    def _look(self, shown: str, arguments: tuple[object, ...]) -> None:
        try:
            lost = self._lost() if self._runs_script(_words(arguments)) else []
        except Exception:
            return  # whatever the script passes: its own call will fail as it does
        if lost:
            self._has_warned = True
            self._warn(shown, lost)

    def _runs_script(self, words: list[str]) -> bool:
        """Whether the command *words* runs Python, not kogine, on the script."""
        names = [_basename(word) for word in words]
        if any(name.startswith("kogine") for name in names):
            return False  # the overrides are in the command
        is_python = any(
            word == sys.executable or name.startswith(_LAUNCHERS)
            for word, name in zip(words, names)
        )
        first = words[:1] if not is_python else words
        return any(map(self._is_script, first))

    def _is_script(self, word: str) -> bool:
        try:
            one, other = _stat(word), _stat(self.prepared.program.filename)
        except (OSError, ValueError):
            return False
        return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)

    def _lost(self) -> list[str]:
        """The targets whose value is not the one that stands in the file."""
        return sorted(
            {
                f"{prefix}{target}"
                for prefix, _, given in self.prepared.every()
                for target in given.sent
                if not _stands_there(given, target)
            }
        )

    def _warn(self, shown: str, targets: list[str]) -> None:
        file = _basename(self.prepared.program.filename)
        text = (
            f"kogine: warning: {file} starts itself again ({shown}), with plain Python: "
            f"{', '.join(targets)} {'keeps its' if len(targets) == 1 else 'keep their'} value of "
            "the file there. Start it by [sys.executable, '-m', 'kogine', 'run', ...] instead\n"
        )
        try:
            if sys.stderr is not None:
                sys.stderr.flush()
            _write(2, text.encode("utf-8", "backslashreplace"))
        except (OSError, ValueError):
            pass  # the script closed its stderr: there is nowhere left to print


def _stands_there(given: BoundProgram, target: str) -> bool:
    """Whether the file gives *target* the value of the run: its only definition is that literal."""
    value = given.sent[target]
    if [one for one, _, _ in given.program.sites].count(target) != 1 or not is_plain(value):
        return False
    default = next((one.default for one in given.program.meant if one and one.target == target), "")
    try:
        code = _compile(default.strip(), "default", "eval")
        # Without names it reads and calls nothing of the script's.
        return not code.co_names and _repr(_eval(code, {})) == _repr(value)
    except Exception:
        return False


def _words(arguments: tuple[object, ...]) -> list[str]:
    """The words of a command: of a list or text, and of what stands in a text for a shell."""
    words: list[str] = []
    for argument in arguments[:2]:
        # Not os.PathLike: abc would remember the classes that were asked about.
        if isinstance(argument, (str, bytes)) or hasattr(type(argument), "__fspath__"):
            words += _fsdecode(argument).replace("'", " ").replace('"', " ").split()  # type: ignore[arg-type]
        elif isinstance(argument, (list, tuple)):
            for one in argument:
                words += _words((one,))
    return words


def _like(new: Any, own: Any) -> None:
    """Let *new* look as *own* does."""
    for name in ("__name__", "__qualname__", "__doc__", "__module__"):
        setattr(new, name, getattr(own, name))
    new.__wrapped__ = own
