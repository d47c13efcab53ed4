"""The script's own child processes, modules and numba caches get its overrides.

On the warm path of runs with overrides.

``multiprocessing`` (and loky, which copies it) tells a spawned child which file to run again as
``__mp_main__``. With overrides that has to be our Program with the same values. The path in
those instructions is replaced by an object that, when the child unpickles it, receives the
Program and becomes that path again; when ``runpy`` then reads the file, it gets the Program's
code. So nothing of ours runs while the script does. The child loads our package from the folder
that the parent names: its own search path may find a package of the script's by that name.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # pickle finds a function where it is defined
import os
import sys
from _operator import getitem

from kohaku_ast.errors import RefusedTarget
from kohaku_ast.frames import hidden, keep_builtins
from kohaku_ast.runner.import_hook import Patches, joined, watch_imports
from kohaku_ast.runner.loaded_modules import hide_shadowed, in_sight, is_own_name, loaded_by_us
from kohaku_ast.runner.restarts import Restarts
from kohaku_ast.sigint import BLOCK, SIGINT, sigmask
from kohaku_ast.transform import shared_path
from kohaku_ast.transform.program.bound_program import BoundProgram, Call, Prepared

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType, ModuleType


SPAWNERS = ("multiprocessing.spawn", "loky.backend.spawn", "joblib.externals.loky.backend.spawn")
"""The modules whose ``get_preparation_data`` tells a child what to run."""

_MAIN_KEYS = ("init_main_from_name", "init_main_from_path")
"""How a spawner tells a child what its ``__mp_main__`` is."""


def _dumps(prepared: Prepared) -> bytes:
    """Bytes for a child. cloudpickle: values may be lambdas or belong to ``__main__``."""
    import cloudpickle  # type: ignore[import-untyped]  # it has no types

    prepared.note_child()
    programs = [
        (prefix, file, given.program.dumps(), dict(given.sent), given.is_pure)
        for prefix, file, given in prepared.every()
    ]
    dumped: bytes = cloudpickle.dumps((programs, prepared.later))
    return dumped


def _loads(data: bytes) -> Prepared:
    import pickle

    from kohaku_ast.transform.program.program import loads

    programs, later = pickle.loads(data)
    (_, _, given), *modules = [
        (prefix[:-1], file, BoundProgram(loads(one), values, is_pure))
        for prefix, file, one, values, is_pure in programs
    ]
    return Prepared(given, {name: (file, one) for name, file, one in modules}, later)


class _Main(str):
    """The path or name of the script. In a child that unpickles it, it is a plain text again, and
    the child runs the script with the overrides.
    """

    key: str
    dumps: Callable[[], bytes]
    #: Where the script's modules are found in the child.
    path: Sequence[str]

    def __reduce__(self) -> tuple[object, ...]:
        is_run = self.key == "init_main_from_path"  # a name is imported, as the parent did
        order = self.dumps(), is_run, list(self.path)
        usual = [os.devnull, *_USUAL_PATH]
        names = {"package": _PACKAGE, "folder": _FOLDER, "usual": usual, "order": order}
        received = Call(exec, _RECEIVE, names)
        if not hasattr(_signal, "pthread_sigmask"):
            return getitem, ((received, str(self)), 1)
        # The child blocks SIGINT before it imports anything of ours, and unblocks it after our last
        # line: Ctrl-C in between prints lines of multiprocessing, and none of ours.
        before = Call(sigmask, BLOCK, (SIGINT,))
        after = Call(sigmask, _signal.SIG_SETMASK, before)
        return getitem, ((before, received, after, str(self)), 3)


_PACKAGE = os.path.abspath(sys.modules["kohaku_ast"].__path__[0])
_FOLDER = os.path.dirname(_PACKAGE)
_USUAL_PATH = shared_path()
if _FOLDER in _USUAL_PATH:
    # Last: it may be where libraries are, some of which have names of Python's modules.
    _USUAL_PATH = [*(one for one in _USUAL_PATH if one != _FOLDER), _FOLDER]

_RECEIVE = """
import sys
before = {}
path, sys.path = sys.path, [folder, *usual]
try:
    if getattr(sys.modules.get("kohaku_ast"), "__path__", None) != [package]:
        for name in [*sys.modules]:
            if name.partition(".")[0] == "kohaku_ast":
                before[name] = sys.modules.pop(name)
        import kohaku_ast
    sys.path = usual
    from kohaku_ast.runner.children import receive
    receive(*order, before)
finally:
    sys.path = path
"""
"""What the child executes. In the usual path none of the modules beside the script is found, nor
those in the working folder.
"""


def receive(data: bytes, is_run: bool, path: Sequence[str], before: dict[str, ModuleType]) -> None:
    """In the child: put the parent's overrides in force. *is_run*: the script's file is read and
    run next. *path* is where its modules are found. *before* has those with our names that a
    forkserver has loaded for it already.
    """
    from kohaku_ast.runner.transport import import_unpickler

    import_unpickler(data)
    sys.path = [*path]
    prepared = _loads(data)
    hand_on(prepared)
    if is_run:
        _read_next(prepared.given)
    hide_shadowed(path, loaded_by_us())
    sys.modules.update(before)


def _read_next(given: BoundProgram) -> None:
    """Give ``runpy`` the code of *given* for the next file that it reads: the script's."""
    import pkgutil

    # A forkserver may have run the file already; the child would use that as its own main.
    vars(sys.modules["__main__"]).pop("__file__", None)
    read_code = pkgutil.read_code
    code = joined(given.codes(), given.program.filename)

    def read(stream: object) -> CodeType:
        pkgutil.read_code = read_code
        return code

    pkgutil.read_code = read


def hand_on(prepared: Prepared) -> Patches:
    """Have modules, the script under its own name and child processes get all overrides, until the
    patches are undone.
    """
    patches = Patches()
    if prepared.given.program.numba:
        use_own_numba_cache(prepared)
    if not (prepared.has_overrides or prepared.program.filename.lower().endswith(".ipynb")):
        return patches  # a child reads the script's file; that of a notebook is no Python
    # Modules that are imported later are patched then.
    acts: dict[str, Callable[[dict[str, object]], object]] = dict.fromkeys(
        SPAWNERS, lambda names: _patch_spawner(patches, names, prepared)
    )
    watch = Restarts(prepared, patches)
    acts["subprocess"] = watch.subprocess
    acts["pkgutil"] = watch.pkgutil
    watch_imports(patches, prepared, acts)
    watch.os()
    watch.exec()
    for name, act in acts.items():
        if name in sys.modules:
            act(vars(sys.modules[name]))
    return patches


def forget_loaded(prepared: Prepared) -> None:
    """Have the modules with overrides, and all in them, imported again before the script starts.

    Raises RefusedTarget if one is a library, which cannot be loaded twice.
    """
    for name, (file, _) in prepared.modules.items():
        if name in sys.modules and not _is_other(name, file):
            _forget(name)


def _is_other(name: str, file: str) -> bool:
    """Whether a module of ours has the *name* of that in *file*: the script does not see it."""
    return is_own_name(name) and getattr(sys.modules[name], "__file__", None) != file


def _forget(name: str) -> None:
    from kohaku_ast.user_code import is_local_module  # it is slow, and seldom needed

    if not is_local_module(sys.modules[name]):
        raise RefusedTarget(
            f"cannot override anything in the module {name!r}: this process has loaded it already."
            " Run the script in a fresh process: --mode spawn"
        )
    for one in [*sys.modules]:
        if one == name or one.startswith(f"{name}."):
            del sys.modules[one]


def _patch_spawner(patches: Patches, names: dict[str, object], prepared: Prepared) -> None:
    """Have a module of SPAWNERS tell children to run the Program. (loky's function takes more
    arguments.)
    """

    def make(own: Callable[..., dict[str, object]]) -> Callable[..., dict[str, object]]:
        @hidden  # it raises RuntimeError in a child of a script without a guard
        def get_preparation_data(*arguments: object, **keywords: object) -> dict[str, object]:
            data = own(*arguments, **keywords)
            # A worker of loky runs no main and reads no other key; unpickling is enough for it.
            keys = [key for key in _MAIN_KEYS if key in data] or ["kogine"]
            for key in keys:
                main = _Main(data.get(key, ""))
                main.key = key
                main.dumps = lambda: in_sight(_dumps, prepared)
                main.path = data.get("sys_path", sys.path)  # type: ignore[assignment]
                data[key] = main
            return data

        return get_preparation_data

    if "get_preparation_data" in names:  # else the script has a package of this name
        patches.replace(sys.modules[str(names["__name__"])], "get_preparation_data", make)


VARIABLE = "NUMBA_CACHE_DIR"
"""The variable with the cache folder, which numba reads when it is imported."""


def use_own_numba_cache(prepared: Prepared) -> None:
    """Give runs with these values their own numba cache, below the folder that is set: numba keys
    its cache by the text of the file, which does not show our values.
    """
    from kohaku_ast.transform.program.cache import cache_folder

    base = os.environ.get(VARIABLE) or os.path.join(cache_folder(), "numba")
    os.environ[VARIABLE] = folder = os.path.join(base, _digest(prepared))
    numba = sys.modules.get("numba")
    if numba is not None:  # imported by an earlier run in this process
        numba.config.CACHE_DIR = folder


def _digest(prepared: Prepared) -> str:
    """A text that is equal for equal overrides; new each time for values without bytes."""
    import hashlib

    import cloudpickle

    digest = hashlib.blake2b(digest_size=12)
    for prefix, _, given in prepared.every():
        for target, value in sorted(given.sent.items()):
            try:
                data = cloudpickle.dumps(value)
            except Exception:  # whatever its class raises: it counts as equal to no other
                data = os.urandom(16)
            digest.update(f"{prefix}{target}=".encode() + data)
    return digest.hexdigest()
