"""Warns when a script with overrides starts its own file again: ``os.execv``, ``subprocess``.

On the warm path of runs with overrides.

The new process runs plain Python, and kogine cannot pass objects to it. So a warning names the
overrides that do not go along, once, before the process starts: after ``exec`` it would be too
late. An override that is equal to what stands in the file loses nothing.

``runpy.run_path`` of a file with overrides runs in this process, with them.
"""

from __future__ import annotations

import os
import sys

# functools loads ten modules.
from _functools import partial  # type: ignore[import-not-found]

from kohaku_ast.frames import hidden, keep_builtins, unseen
from kohaku_ast.runner.import_hook import joined
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
_join, _realpath = os.path.join, os.path.realpath
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

    def pkgutil(self, _: dict[str, Any]) -> None:
        """Have ``runpy.run_path``, which asks ``pkgutil.read_code`` for the code of a file, run the
        files with overrides with them.
        """
        self.patches.replace(sys.modules["pkgutil"], "read_code", self._with_overrides)

    def _with_overrides(self, own: Callable[[Any], object]) -> Callable[[Any], object]:
        if own.__module__ != "pkgutil":
            return own  # in a child that is about to run the script itself
        find = self._given

        @hidden
        def read_code(stream: Any) -> object:
            given: BoundProgram | None = unseen(partial(find, stream))
            return own(stream) if given is None else joined(given.codes(), given.program.filename)

        _like(read_code, own)
        return read_code

    @hidden
    def _given(self, stream: Any) -> BoundProgram | None:
        """The bound text of the open file *stream*, if it has overrides."""
        try:
            number = stream.fileno()
        except (AttributeError, OSError):  # of a file in memory
            return None
        for _, file, given in self.prepared.every():
            if given.program.sites and _is_same_file(number, file):
                return given
        return None

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
            lost = self._lost() if self._runs_again(arguments) else []
        except Exception:
            return  # whatever the script passes: its own call will fail as it does
        if lost:
            self._has_warned = True
            self._warn(shown, lost)

    def _runs_again(self, arguments: tuple[object, ...]) -> bool:
        """Whether a process with these *arguments* runs the script: as its command, or its input
        (the sixth and the eleventh of ``Popen._execute_child`` are the folder and the input).
        """
        folder = arguments[5] if len(arguments) > 10 else None
        stdin = arguments[10] if len(arguments) > 10 else None
        words = _words(arguments)
        return self._runs_script(words, _fsdecode(folder) if folder else "") or (  # type: ignore[arg-type]
            len(words) < 4 and _is_python(words) and self._is_script(stdin)
        )

    def _runs_script(self, words: list[str], folder: str = "") -> bool:
        """Whether the command *words* runs Python in *folder*, not kogine, on the script."""
        names = [_basename(word) for word in words]
        if any(name.startswith("kogine") for name in names):
            return False  # the overrides are in the command
        is_python = _is_python(words)
        first = words[:1] if not is_python else words
        places = [_join(folder, word) for word in first]
        return any(map(self._is_script, places)) or (is_python and self._names_script(words))

    def _names_script(self, words: list[str]) -> bool:
        """Whether the words of a Python command name the script as a module: ``-m pk.t``, and
        ``-c "import t"``.
        """
        file = _realpath(self.prepared.program.filename).replace("\\", "/")
        paths = {file.removesuffix(".py"), file.removesuffix("/__main__.py")} - {file}
        stem = _basename(file).removesuffix(".py")
        name = words[words.index("-m") + 1] if "-m" in words[:-1] else ""
        if name and any(path.endswith(f"/{name.replace('.', '/')}") for path in paths):
            return True
        code = words[words.index("-c") + 1 :] if "-c" in words else []
        text = " ".join(code).replace(";", " ").replace(",", " ").split()
        return any(
            word == stem and text[n - 1] in ("import", "from") for n, word in enumerate(text)
        )

    def _is_script(self, path: object) -> bool:
        return _is_same_file(path, self.prepared.program.filename)

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


def _is_python(words: list[str]) -> bool:
    return any(word == sys.executable or _basename(word).startswith(_LAUNCHERS) for word in words)


@hidden
def _is_same_file(one: object, other: str) -> bool:
    """Whether *one*, a path or a descriptor, is the file *other*."""
    try:
        found, known = _stat(one), _stat(other)  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError):
        return False
    return (found.st_dev, found.st_ino) == (known.st_dev, known.st_ino)


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
