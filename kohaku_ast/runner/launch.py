"""Launches: how Python starts a script file, standard input, a module, a folder or a zip.

On the warm path, and on that of every spawned run: nothing slow is imported here.

``python -m pkg.mod``, ``python folder`` and ``python archive.zip`` run a function of ``runpy``,
and its frames are in every traceback. So that function runs here too; with overrides, only the
code that it finds is replaced.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import PathFinder  # as in main_module.py

from kohaku_ast.errors import (
    MissingScript,
    ScriptIsDirectory,
    SourceError,
    UnreadableScript,
    near,
)
from kohaku_ast.frames import hidden, keep_builtins
from kohaku_ast.runner.recursion_depth import start_at_bottom
from kohaku_ast.transform import is_safe_path, shared_path

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType


NOTEBOOK = ".ipynb"
"""The end of the name of a notebook, which is run as the script that it makes."""


class Launch:
    """A script file, as ``python PATH`` starts it."""

    __slots__ = ("argv", "data", "filename", "path0", "shown")

    #: Whether ``__main__`` has a ``__file__`` from the start, which CPython removes at the end.
    has_file = True
    #: Whether the loader of ``__main__`` is one of files.
    from_file = True
    #: The package that the script is a module of.
    package = ""
    #: Whether it is a notebook whose cells a kernel executes.
    in_kernel = False
    #: Whether it is a folder or zip, which Python puts into ``sys.path`` whatever its options are.
    is_folder = False

    def __init__(self, path: str, argv: Sequence[str] = ()) -> None:
        """Reads *path*; raises SourceError, with the next move, if it cannot be read."""
        #: The path as the user wrote it.
        self.shown = path
        self.data = _read(path)
        #: The path in tracebacks and in ``__file__``.
        self.filename = absolute(path)
        #: The script's ``sys.argv``.
        self.argv = [path, *argv]
        #: The first entry of the script's ``sys.path``.
        self.path0 = os.path.dirname(os.path.realpath(path))

    @hidden
    def execute(self, codes: Sequence[CodeType | None], namespace: dict[str, object]) -> None:
        """Run *codes*, one after another, in the namespace of ``__main__``."""
        run: Callable[..., object] = exec
        if self.is_notebook:
            from kohaku_ast.notebook.notebook_process import enter, run_cells

            enter(self.filename, self.data)
            run = run_cells
        end = start_at_bottom(is_exec=True)
        try:
            for code in codes:
                run(code, namespace)
        finally:
            end()

    @property
    def is_notebook(self) -> bool:
        """Whether its text is made of a notebook."""
        return self.filename.lower().endswith(NOTEBOOK)

    def compile(self) -> CodeType | None:
        """The code of the unchanged script; None if runpy compiles it.

        Raises SyntaxError or ValueError if Python does not run it either.
        """
        if not is_utf8(self.data):
            raise UnicodeError
        if self.is_notebook:
            from kohaku_ast.notebook.notebook_process import compile_cells

            return compile_cells(self.data, self.filename)
        return compile(self.data, self.filename, "exec", dont_inherit=True)


def is_utf8(data: bytes) -> bool:
    """Whether *data* is UTF-8 or declares another encoding. ``compile`` accepts invalid bytes in
    comments, which ``python script.py`` refuses.
    """
    if data.isascii() or b"coding" in data[:200]:
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class StandardInput(Launch):
    """A script from standard input, as ``python -`` starts it."""

    __slots__ = ()
    from_file = False

    def __init__(self, argv: Sequence[str] = ()) -> None:
        self.shown = self.filename = "<stdin>"
        from kohaku_ast.files import read_limited  # a run of a file does without

        try:
            self.data = read_limited(sys.stdin.buffer)
        except OSError as error:
            raise SourceError(f"can't read the script from stdin: {error.strerror}") from None
        self.argv = ["-", *argv]
        self.path0 = ""


def enter_folder(launch: Launch) -> bool:
    """Let ``sys.path`` start with the script's folder, unless Python has an option against it."""
    # In place of the folder of our own command: a module found through it would stay.
    sys.path[:] = [*folders_of(launch), *shared_path()]
    return bool(folders_of(launch))


def folders_of(launch: Launch) -> list[str]:
    """What Python puts in front of ``sys.path`` for the script: its folder, or nothing."""
    return [launch.path0] if launch.is_folder or not is_safe_path() else []


def absolute(path: str) -> str:
    """*path* as an absolute one, as CPython makes it for ``__file__``: not normalised."""
    if sys.platform == "win32":
        return os.path.abspath(path)
    try:
        return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
    except OSError:
        return path  # the working folder was removed


def _read(path: str) -> bytes:
    if os.path.isdir(path):
        raise ScriptIsDirectory(
            f"{path!r} is a directory without a __main__.py: name the script to run in it"
        )
    try:
        if path.lower().endswith(NOTEBOOK):
            from kohaku_ast.notebook.notebook_text import script_data  # few are notebooks

            with open(path, "rb") as file:
                return script_data(file.read(), path)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                return file.read()
        from kohaku_ast.files import read_input  # of a pipe or a device

        return read_input(path)
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        kind, hint = (MissingScript, _nearby(path)) if is_missing else (UnreadableScript, "")
        raise kind(f"can't open file {path!r}: {error.strerror}{hint}") from None


def _nearby(path: str) -> str:
    """A hint at a file beside *path* with a similar name, for the end of a message."""
    folder, name = os.path.split(path)
    try:
        found = near(name, [one for one in os.listdir(folder or ".") if one != name], 1)
    except OSError:
        return ""
    return f". Did you mean {os.path.join(folder, found[0])!r}?" if found else ""


def plain_python(launch: Launch) -> int:
    """Replace this process by ``python PATH ...``, for messages that only Python itself can print.

    Returns, with the exit status, only for a script that can be read only once.
    """
    sys.stdout.flush()
    if launch.from_file and os.path.isfile(launch.filename) and not launch.is_notebook:
        os.execv(sys.executable, _command(launch))
    return explain_launch(launch)


def explain_launch(launch: Launch) -> int:
    """Have Python print why it cannot compile the script; its exit status."""
    import subprocess

    sys.stdout.flush()
    if launch.is_notebook:
        from kohaku_ast.notebook.notebook_process import explain_cell

        return explain_cell(launch.filename, launch.data)
    place, _, number = launch.filename.rpartition("/")
    if place not in ("/dev/fd", "/proc/self/fd") or not number.isdigit():
        return subprocess.run(_command(launch), input=launch.data, check=False).returncode
    return _explain_descriptor(launch, int(number))


def _explain_descriptor(launch: Launch, number: int) -> int:
    """As ``explain_launch``, for a script from ``/dev/fd/N``: a new pipe in the place of N."""
    import subprocess
    import threading

    reading, writing = os.pipe()
    os.dup2(reading, number)
    os.close(reading)
    with subprocess.Popen(_command(launch), pass_fds=[number]) as process:
        os.close(number)
        # In a thread: an interpreter that ends early reads no more.
        threading.Thread(target=_write, args=(writing, launch.data), daemon=True).start()
        return process.wait()


def _write(number: int, data: bytes) -> None:
    try:
        with open(number, "wb", 0) as file:
            file.write(data)
    except BrokenPipeError:
        pass


def _command(launch: Launch) -> list[str]:
    return [*interpreter(), *launch.argv]


def interpreter() -> list[str]:
    """The command of an interpreter with the options of this one, without a script."""
    import subprocess

    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [sys.executable, *flags, *_more_flags(flags)]


def _more_flags(flags: list[str]) -> list[str]:
    """The options that multiprocessing leaves out: -u, and those of -X that it does not know."""
    known = {flag.partition("=")[0] for flag in flags}
    more = []
    if sys.__stdout__ is not None and not hasattr(sys.__stdout__.buffer, "raw"):
        more.append("-u")
    for name, text in sys._xoptions.items():
        if name not in known:
            more += ["-X", name if text is True else f"{name}={text}"]
    return more


class ModuleLaunch(Launch):
    """A module as ``python -m NAME``, or a folder or zip as ``python PATH``, starts it."""

    __slots__ = ("module", "package")
    has_file = from_file = False  # runpy sets file and loader, and they stay

    def __init__(self, shown: str, module: str, argv: Sequence[str] = ()) -> None:
        """*module* is ``__main__`` for a folder or zip *shown*.

        Finds the file without importing anything; raises SourceError if there is none.
        """
        self.shown, self.module = shown, module
        is_main = module == "__main__"
        self.argv = [shown if is_main else "-m", *argv]
        self.path0 = absolute(shown) if is_main else os.getcwd()
        spec = _find(module, [self.path0] if is_main else [*folders_of(self), *shared_path()])
        self.filename, self.data = _source(spec, shown, is_main)
        self.package = (spec.parent or "") if spec else ""

    @property
    def is_folder(self) -> bool:  # type: ignore[override]
        """Whether it is no module of a name."""
        return self.module == "__main__"

    def compile(self) -> CodeType | None:
        """None: runpy compiles it."""
        return None

    @hidden
    def execute(self, codes: Sequence[CodeType | None], namespace: dict[str, object]) -> None:
        """Run the module as runpy does, with the first of *codes* if it has one; then the rest."""
        first, *rest = codes
        _run_module(self, first)
        Launch.execute(self, [*filter(None, rest)], namespace)  # no super() in a hidden frame


def find_launch(script: str, argv: Sequence[str] = (), is_module: bool = False) -> Launch:
    """How Python starts *script*: a module, standard input, a folder, a zip or a file. Raises
    SourceError for what cannot be read, and for a file of data.
    """
    if not is_module:
        _refuse_data(script)
    return _launch_of(script, argv, is_module)


def _launch_of(script: str, argv: Sequence[str], is_module: bool) -> Launch:
    if is_module:
        return ModuleLaunch(script, script, argv)
    if script == "-":
        return StandardInput(argv)
    if is_runnable_folder(script):
        return ModuleLaunch(script, "__main__", argv)
    if not os.path.exists(script) and is_module_name(script):
        return ModuleLaunch(script, script, argv)
    return Launch(script, argv)


def _refuse_data(path: str) -> None:
    """Raise SourceError for a file of data: of some Python makes sense, and does nothing."""
    if not path.lower().endswith((".toml", ".yaml", ".yml", ".json")) or not os.path.isfile(path):
        return
    pipeline = f"to run the pipeline in it: kogine pipeline run {path}; "
    raise SourceError(
        f"{path!r} is no script: {pipeline if path.lower().endswith('.toml') else ''}"
        f"to give its values to a script: kogine run SCRIPT.py --config {path}"
    )


def split_function(script: str) -> tuple[str, str]:
    """``"train.py:main"`` -> ``("train.py", "main")``; ``"pkg.module:main"`` likewise."""
    path, colon, name = script.rpartition(":")
    if not (colon and name.isidentifier()) or os.path.exists(script):
        return script, ""
    return (path, name) if os.path.exists(path) or is_module_name(path) else (script, "")


def find_to_read(script: str, is_module: bool = False) -> Launch | None:
    """As ``find_launch``, for who reads the text of *script* and does not run it; ``~`` is the
    home folder.

    None for standard input and pipes, which can be read only once, and devices, which may be
    endless.
    """
    path = os.path.expanduser(script)
    return None if is_read_once(path) else _launch_of(path, (), is_module)


def is_read_once(path: str) -> bool:
    """Whether *path* is standard input, a pipe or a device."""
    is_other = not (os.path.isfile(path) or os.path.isdir(path)) and os.path.exists(path)
    return path == "-" or is_other


def is_runnable_folder(path: str) -> bool:
    """Whether *path* is a folder or an archive, in which Python looks for ``__main__``."""
    if os.path.isdir(path):
        return True
    if not os.path.isfile(path):
        return False  # a pipe can be read only once
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def is_module_name(name: str) -> bool:
    """Whether *name* is the name of a module that can be found."""
    parts = name.split(".")
    if not all(map(str.isidentifier, parts)):
        return False
    places = [] if is_safe_path() else [os.getcwd()]
    return PathFinder.find_spec(parts[0], [*places, *shared_path()]) is not None


def _find(module: str, path: list[str]) -> ModuleSpec | None:
    """The spec of *module*, or of its ``__main__`` if it is a package; packages are not run."""
    spec = None
    places: list[str] | None = path
    parts = module.split(".")
    for number in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:number]), places)
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or [])
    if spec is not None and spec.submodule_search_locations is not None:
        return PathFinder.find_spec(f"{module}.__main__", places)
    return spec


def _source(spec: ModuleSpec | None, shown: str, is_main: bool) -> tuple[str, bytes]:
    """The file that is run, and its bytes."""
    if spec is None or spec.origin is None or spec.loader is None:
        if is_main:
            kind = "a directory" if os.path.isdir(shown) else "an archive"
            error = ScriptIsDirectory if os.path.isdir(shown) else SourceError
            raise error(f"{shown!r} is {kind} without a __main__.py: name the script in it")
        raise MissingScript(
            f"no module named {shown!r}, or it has no __main__{_nearby_modules(shown)}"
        )
    try:
        data: bytes = spec.loader.get_data(spec.origin)  # type: ignore[attr-defined]
    except (AttributeError, OSError) as error:
        raise SourceError(f"cannot read the source of {shown!r}: {error}") from error
    return spec.origin, data


def _nearby_modules(name: str) -> str:
    package, dot, last = name.rpartition(".")
    folder = os.path.join(os.getcwd(), *package.split("."))
    if not os.path.isdir(folder):
        package, dot, last, folder = "", "", name.partition(".")[0], os.getcwd()
    files = [os.path.splitext(file)[0] for file in os.listdir(folder)]
    found = near(last, [one for one in files if one != last], 1)
    return f". Did you mean {package + dot + found[0]!r}?" if found else ""


@hidden
def _run_module(launch: ModuleLaunch, code: CodeType | None) -> None:
    """Run the module as ``__main__``, which is in ``sys.modules`` already, with *code* in place of
    its own code if given.
    """
    import runpy

    if code is not None:
        for name in ("_get_module_details", "_get_main_module_details"):
            setattr(runpy, name, _with_code(runpy, name, code))
    del code
    end = start_at_bottom(is_exec=False)
    try:
        runpy._run_module_as_main(  # type: ignore[attr-defined]
            launch.module, launch.module != "__main__"
        )
    finally:
        end()


def _with_code(runpy: object, name: str, code: CodeType) -> Callable[..., object]:
    """The function *name* of *runpy*, which finds code, but finds *code*; for one call."""
    original: Callable[..., tuple[str, ModuleSpec, CodeType]] = getattr(runpy, name)

    def details(*arguments: object) -> tuple[str, ModuleSpec, CodeType]:
        setattr(runpy, name, original)  # first: for a package it calls itself by this name
        found, spec, _ = original(*arguments)
        return found, spec, code

    return details
