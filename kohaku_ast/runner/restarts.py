"""Warns when a script with overrides starts its own file again, or another one that imports what
is overridden: ``os.execv``, ``subprocess``, or runs its own text: ``exec(open(__file__).read())``,
and as the input of a Python.

On the warm path of runs with overrides. State of this process: ``_own_text``.

The new process runs plain Python, and kogine cannot pass objects to it. So a warning names the
overrides that do not go along, once, before the process starts: after ``exec`` it would be too
late. An override that is equal to what stands in the file loses nothing.

``runpy.run_path`` of a file with overrides runs in this process, with them. ``exec`` is built into
Python: that it runs the text of the script is seen by an audit hook (PEP 578), which a process
cannot take back. So only a script that names ``exec``, ``eval`` or ``compile`` gets it.
"""

from __future__ import annotations

import os
import sys

# functools loads ten modules.
from _functools import partial  # type: ignore[import-not-found]

from kohaku_ast.frames import hidden, keep_builtins, say, unseen
from kohaku_ast.runner.import_hook import joined
from kohaku_ast.runner.loaded_modules import in_sight
from kohaku_ast.transform.program.bound_program import is_plain

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType
    from typing import Any

    from kohaku_ast.runner.import_hook import Patches
    from kohaku_ast.transform.program.bound_program import BoundProgram, Prepared

_STARTERS = ("execv", "execve", "posix_spawn", "posix_spawnp", "system")
"""Functions of ``os``; ``execl``, ``spawnv`` and the others call one of them."""
_BY_KOGINE = "Start it by [sys.executable, '-m', 'kogine', 'run', ...]"
_BY_RUNPY = "Run it by runpy.run_path(__file__)"
_LAUNCHERS = ("python", "pypy", "torchrun", "accelerate", "deepspeed", "ipython")
_WITH_OTHERS = {"--inspect", "--dry-run", "--help", "--config", "-c", "--trials", "--resume"}
"""Options of ``kogine run`` with which a run does not lack overrides by mistake."""

# Bound here: the script may change them.
_basename, _stat, _fsdecode = os.path.basename, os.stat, os.fsdecode
_open, _add_hook = open, sys.addaudithook
_join, _realpath = os.path.join, os.path.realpath
_compile, _eval, _repr = compile, eval, repr


class Restarts:
    """Watches one script with overrides."""

    def __init__(self, prepared: Prepared, patches: Patches) -> None:
        self.prepared, self.patches = prepared, patches
        self._has_warned = False
        #: The other scripts that it has started.
        self._started: set[str] = set()
        #: The code that runs, and that of the file.
        self._code: CodeType | None = None
        self._plain: CodeType | None = None

    def os(self) -> None:
        """Watch the functions of ``os``."""
        for name in _STARTERS:
            if hasattr(os, name):
                self.patches.replace(os, name, self._watched(f"os.{name}"))

    def exec(self) -> None:
        """Watch the texts that the script runs, if it may run any."""
        if self.prepared.given.sent and self.prepared.program.runs_texts:
            self._code = self.prepared.program.segments[0][1]
            _own_text.watch(self)

    @hidden
    def executed(self, code: CodeType) -> None:
        """Warn if *code*, which is about to run, is that of the script's text."""
        own = self._code
        if own is None or self._has_warned or not self.patches or code.co_name != "<module>":
            return
        name = code.co_filename
        if name[:1] == "<" or _basename(name) == _basename(own.co_filename):
            unseen(partial(self._executed, code))

    @hidden
    def _executed(self, code: CodeType) -> None:
        if code == self._plain_code():
            lost = self._lost(own_only=True)
            self._warn_once("runs its own text again (exec), without overrides", lost, _BY_RUNPY)

    @hidden
    def _plain_code(self) -> CodeType | None:
        """The code of the script as it stands in its file; None if that is not there any more."""
        if self._plain is None:
            try:
                self._plain = _compile(self._text(), "<string>", "exec", 0, True)
            except Exception:  # it is gone, or cannot be compiled any more
                self._code = None
        return self._plain

    def _text(self) -> bytes:
        with _open(self.prepared.program.filename, "rb") as stream:
            return stream.read()

    def subprocess(self, names: dict[str, Any]) -> None:
        """Watch the module ``subprocess``, with these names."""
        popen = names.get("Popen")
        if not hasattr(popen, "_execute_child"):
            return  # a module of the script's, of this name
        in_sight(_started_scripts)  # before the script can change what it needs
        self.patches.replace(popen, "_execute_child", self._watched_method)
        self.patches.replace(popen, "communicate", self._watched_input)

    def pkgutil(self, _: dict[str, Any]) -> None:
        """Have ``runpy.run_path``, which asks ``pkgutil.read_code`` for the code of a file, run the
        files with overrides with them.
        """
        if hasattr(sys.modules["pkgutil"], "read_code"):  # else it is the script's own
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

    def _watched_input(self, own: Callable[..., object]) -> Callable[..., object]:
        look = self.look

        @hidden
        def communicate(self: Any, *arguments: object, **keywords: object) -> object:
            given = arguments[0] if arguments else keywords.get("input")
            if isinstance(given, (str, bytes)):
                look("subprocess", (self.args, given))
            return own(self, *arguments, **keywords)

        _like(communicate, own)
        return communicate

    @hidden
    def look(self, shown: str, arguments: tuple[object, ...]) -> None:
        """Warn if a process with these *arguments*, as *shown* gets them, runs the script again."""
        unseen(partial(self._look, shown, arguments))

    @hidden
    def _look(self, shown: str, arguments: tuple[object, ...]) -> None:
        try:
            self._look_at(shown, arguments)
        except Exception:
            return  # whatever the script passes: its own call will fail as it does

    def _look_at(self, shown: str, arguments: tuple[object, ...]) -> None:
        # Of ``Popen._execute_child`` the sixth is the folder, the seventh the environment, and the
        # eleventh the input.
        folder = _fsdecode(arguments[5] or "") if len(arguments) > 10 else ""  # type: ignore[arg-type]
        words = _words(arguments)
        if self._runs_again(arguments, words, folder):
            self._warn_once(f"starts itself again ({shown}), with plain Python", self._lost())
            return
        command = _bare_command(words)
        scripts = in_sight(_started_scripts)
        file, places = scripts.started_script(command, folder, _starts_python)
        instead = _BY_KOGINE if command is words else "Start it with them"
        if file and self._is_script(file):
            self._warn_once(
                f"starts itself again ({shown}), without overrides", self._lost(), instead
            )
            return
        code = b"" if file else scripts.started_code(_arguments(arguments), _starts_python)
        key = file or _fsdecode(code)
        if key and key not in self._started:
            self._started.add(key)
            places = [*(places or [folder or "."]), *_search_path(arguments, folder)]
            imported = scripts.imported_files(file, places, code)
            what = _basename(file) if file else "Python code (-c)"
            for files, how in (({_realpath(file)}, "is"), (imported, "imports what is")):
                lost = self._lost_in(files) if file or files is imported else []
                if lost:
                    deed = f"starts {what} ({shown}), which {how} overridden"
                    self._warn(deed, lost, instead)

    def _runs_again(self, arguments: tuple[object, ...], words: list[str], folder: str) -> bool:
        """Whether a process with these *arguments* runs the script: as its command or input."""
        stdin = arguments[10] if len(arguments) > 10 else None
        texts = [one for one in _arguments(arguments) if isinstance(one, (str, bytes))]
        return self._runs_script(words, folder) or (
            _is_python(words)
            and ((len(words) < 4 and self._is_script(stdin)) or any(map(self._is_text, texts)))
        )

    def _is_text(self, text: str | bytes) -> bool:
        """Whether *text* is that of the script: of ``-c``, or the input of a Python."""
        data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
        return data.count(b"\n") > 1 and data.split() == self._text().split()

    def _runs_script(self, words: list[str], folder: str = "") -> bool:
        """Whether the command *words* runs Python in *folder*, not kogine, on the script."""
        names = [_basename(word) for word in words]
        if any(name.startswith("kogine") for name in names):
            return False  # the overrides are in the command
        runs_python = _is_python(words)
        first = words[:1] if not runs_python else words
        places = [_join(folder, word) for word in first]
        return any(map(self._is_script, places)) or (runs_python and self._names_script(words))

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

    def _lost(self, *, own_only: bool = False) -> list[str]:
        """The targets, of all files or of the script alone, whose value is not the one that stands
        in the file.
        """
        files = [one for one in self.prepared.every() if not (own_only and one[0])]
        return _other_values(files)

    def _lost_in(self, files: set[str]) -> list[str]:
        """The same for *files*, as another script imports them."""
        stem = _basename(self.prepared.program.filename).removesuffix(".py")
        every = [(prefix or f"{stem}.", file, one) for prefix, file, one in self.prepared.every()]
        return _other_values([one for one in every if _realpath(one[1]) in files])

    def _warn_once(self, deed: str, targets: list[str], instead: str = _BY_KOGINE) -> None:
        if targets and not self._has_warned:
            self._has_warned = True
            self._warn(deed, targets, instead)

    def _warn(self, deed: str, targets: list[str], instead: str) -> None:
        file = _basename(self.prepared.program.filename)
        text = (
            f"kogine: warning: {file} {deed}: {', '.join(targets)} "
            f"{'keeps its' if len(targets) == 1 else 'keep their'} value of the file there. "
            f"{instead} instead\n"
        )
        say(text)


class _OwnText:
    """The audit hook of this process."""

    def __init__(self) -> None:
        self.watching: Restarts | None = None

    def watch(self, restarts: Restarts) -> None:
        """Have *restarts*, and no other one, see each code that ``exec`` is about to run."""
        if self.watching is None:
            _add_hook(self._hook)
        self.watching = restarts

    @hidden
    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "exec" and self.watching is not None:
            self.watching.executed(arguments[0])


_own_text = _OwnText()


def _is_python(words: list[str]) -> bool:
    return any(map(_starts_python, words))


def _starts_python(word: str) -> bool:
    return word == sys.executable or _basename(word).startswith(_LAUNCHERS)


def _started_scripts() -> Any:
    """That module: a run that starts no process does not load it."""
    from kohaku_ast.runner import started_scripts

    return started_scripts


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
    sites = [one for one, _, repeated in given.program.sites if repeated is not None]
    if sites.count(target) != 1 or not is_plain(value):
        return False
    default = next((one.default for one in given.program.meant if one and one.target == target), "")
    try:
        code = _compile(default.strip(), "default", "eval")
        # Without names it reads and calls nothing of the script's.
        return not code.co_names and _repr(_eval(code, {})) == _repr(value)
    except Exception:  # no plain expression: the default is not known to be equal
        return False


def _other_values(files: Iterable[tuple[str, str, BoundProgram]]) -> list[str]:
    """The targets of these *files* whose value is not the one that stands in the file."""
    return sorted(
        {
            f"{prefix}{target}"
            for prefix, _, given in files
            for target in given.sent
            if not _stands_there(given, target)
        }
    )


def _bare_command(words: list[str]) -> list[str]:
    """*words*, with Python in the place of a ``kogine run`` without overrides; empty for another
    command of kogine.
    """
    at = next((n for n, word in enumerate(words) if _basename(word).startswith("kogine")), -1)
    if at < 0:
        return words
    after = words[at + 1 :]
    has_own = any("=" in word or word in _WITH_OTHERS for word in after)
    return ["python", *after[1:]] if after[:1] == ["run"] and not has_own else []


def _arguments(arguments: tuple[object, ...]) -> list[object]:
    """The first two of *arguments*, lists taken apart."""
    return [
        inner
        for one in arguments[:2]
        for inner in (one if isinstance(one, (list, tuple)) else (one,))
    ]


def _words(arguments: tuple[object, ...]) -> list[str]:
    """The words of a command: of a list or text, and of what stands in a text for a shell."""
    words: list[str] = []
    for one in _arguments(arguments):
        # Not os.PathLike: abc would remember the classes that were asked about.
        if isinstance(one, (str, bytes)) or hasattr(type(one), "__fspath__"):
            words += _fsdecode(one).replace("'", " ").replace('"', " ").split()  # type: ignore[arg-type]
    return words


def _search_path(arguments: tuple[object, ...], folder: str) -> list[str]:
    """The folders of ``PYTHONPATH`` for a process with these *arguments* in *folder*."""
    own = arguments[6] if len(arguments) > 10 else None
    names: Any = os.environ if own is None else dict(own)  # type: ignore[call-overload]
    # os.environ itself takes texts alone.
    text = names.get("PYTHONPATH") or (own and names.get(b"PYTHONPATH")) or ""
    return [_join(folder, one) for one in _fsdecode(text).split(os.pathsep) if one]


def _like(new: Any, own: Any) -> None:
    """Let *new* look as *own* does."""
    for name in ("__name__", "__qualname__", "__doc__", "__module__"):
        setattr(new, name, getattr(own, name))
    new.__wrapped__ = own
