"""The script's own child processes, modules and numba caches get its overrides.

On the warm path of runs with overrides.

``multiprocessing`` (and loky, which copies it) tells a spawned child which file to run again as
``__mp_main__``. With overrides that has to be our Program with the same values. The path in
those instructions is replaced by an object that, when the child unpickles it, receives the
Program and becomes that path again; when ``runpy`` then reads the file, it gets the Program's
code. So nothing of ours runs while the script does.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # pickle finds a function where it is defined
import os
import sys
from _frozen_importlib_external import PathFinder  # as in main_module.py
from _operator import getitem

from kohaku_ast.frames import without_resume
from kohaku_ast.sigint import BLOCK, SIGINT, sigmask
from kohaku_ast.transform.program.bound_program import BoundProgram, Call, fill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

    from kohaku_ast.transform.program.bound_program import Prepared
    from kohaku_ast.transform.program.program import Program


SPAWNERS = ("multiprocessing.spawn", "loky.backend.spawn", "joblib.externals.loky.backend.spawn")
"""The modules whose ``get_preparation_data`` tells a child what to run."""

_MAIN_KEYS = ("init_main_from_name", "init_main_from_path")
"""How a spawner tells a child what its ``__mp_main__`` is."""


class Inheritance:
    """What a child needs to run the script with its parent's overrides."""

    __slots__ = ("main", "modules", "note")

    def __init__(
        self,
        main: tuple[Program, Mapping[str, object]],
        modules: Mapping[str, tuple[str, Program, Mapping[str, object]]],
        note: Callable[[], object] = lambda: None,
    ) -> None:
        """*note* is called when a child gets it."""
        self.note = note
        #: The script's Program and values.
        self.main = main
        #: Module name -> its file, Program and values.
        self.modules = modules

    def dumps(self) -> bytes:
        """Bytes for the child. cloudpickle: values may be lambdas or belong to ``__main__``."""
        import cloudpickle  # type: ignore[import-untyped]  # it has no types

        self.note()
        program, values = self.main
        modules = {
            name: (file, one.dumps(), dict(given))
            for name, (file, one, given) in self.modules.items()
        }
        dumped: bytes = cloudpickle.dumps((program.dumps(), dict(values), modules))
        return dumped


class _Main(str):
    """The path or name of the script. In a child that unpickles it, it is a plain text again, and
    the child runs the script with the overrides.
    """

    key: str
    dumps: Callable[[], bytes]

    def __reduce__(self) -> tuple[object, ...]:
        received = Call(receive, self.dumps(), self.key, str(self))
        if not hasattr(_signal, "pthread_sigmask"):
            return getitem, ((received,), 0)
        # The child blocks SIGINT before it imports anything of ours, and unblocks it after our last
        # line: Ctrl-C in between prints lines of multiprocessing, and none of ours.
        before = Call(sigmask, BLOCK, (SIGINT,))
        after = Call(sigmask, _signal.SIG_SETMASK, before)
        return getitem, ((before, received, after), 1)


def receive(data: bytes, key: str, main: str) -> str:
    """In the child: put the parent's overrides in force. Returns *main*: the name or, as *key*
    says, the path of the script that is run as ``__mp_main__``.
    """
    import pickle

    from kohaku_ast.transform.program.program import loads

    program, values, modules = pickle.loads(data)
    loaded = {name: (file, loads(one), given) for name, (file, one, given) in modules.items()}
    inheritance = Inheritance((loads(program), values), loaded)
    use_in_modules(inheritance)
    watch_spawners(inheritance)
    if key == "init_main_from_name":  # the child looks it up by name, as the parent did
        program, values = inheritance.main
        install({main: (program.filename, BoundProgram(program, values).codes()[0])})
    elif key == "init_main_from_path":
        _read_next(BoundProgram(*inheritance.main))
    return main


def _read_next(given: BoundProgram) -> None:
    """Give ``runpy`` the code of *given* for the next file that it reads: the script's."""
    import pkgutil

    # A forkserver may have run the file already; the child would use that as its own main.
    vars(sys.modules["__main__"]).pop("__file__", None)
    read_code = pkgutil.read_code
    code = _in_one(given.codes(), given.program.filename)

    def read(stream: object) -> CodeType:
        pkgutil.read_code = read_code
        return code

    pkgutil.read_code = read


def _in_one(codes: list[CodeType], filename: str) -> CodeType:
    """One code that runs *codes* in order in one namespace; its own frame is hidden."""
    if len(codes) == 1:
        return codes[0]
    names = [f"segment {number}".encode() for number in range(len(codes))]
    namespace = "__import__('sys').modules['__mp_main__'].__dict__"
    lines = "\n".join(f"exec({name!r}, {namespace})" for name in names)
    code = compile(lines, filename, "exec", dont_inherit=True)
    return without_resume(fill(code, dict(zip(names, codes))))


def hand_on(prepared: Prepared) -> OverridingFinder | None:
    """Put the overrides of modules in force, and have child processes get all overrides."""
    given = prepared.given
    modules = {
        name: (file, one.program, one.sent) for name, (file, one) in prepared.modules.items()
    }
    if given.program.numba:
        use_own_numba_cache(prepared)
    if given.program.sites or modules:
        main = given.program, given.sent
        watch_spawners(Inheritance(main, modules, prepared.note_child))
    if not prepared.modules:
        return None
    return install({name: (file, one.codes()[0]) for name, (file, one) in prepared.modules.items()})


def use_in_modules(inheritance: Inheritance) -> None:
    """In the child: put the overrides of modules in force for all later imports."""
    codes = {
        name: (file, BoundProgram(program, values).codes()[0])
        for name, (file, program, values) in inheritance.modules.items()
    }
    if codes:
        install(codes)


def watch_spawners(inheritance: Inheritance) -> None:
    """Patch each module of SPAWNERS, now or when the script imports it."""
    waiting = []
    for name in SPAWNERS:
        module = sys.modules.get(name)
        if module is None:
            waiting.append(name)
        else:
            _patch(module, inheritance)
    sys.meta_path.insert(0, _Watcher(waiting, inheritance))


class _Watcher:
    """A finder that patches a spawner when it is loaded; others find it."""

    def __init__(self, names: list[str], inheritance: Inheritance) -> None:
        self.names, self.inheritance = names, inheritance

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The spec that the other finders find, with a loader that patches."""
        if name not in self.names:
            return None
        self.names.remove(name)  # so that the search below does not come back here
        from importlib.util import find_spec

        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _patch(module, self.inheritance)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def spawners() -> dict[str, Callable[..., object]]:
    """Name -> its ``get_preparation_data``, for those of SPAWNERS that have been imported."""
    return {
        name: sys.modules[name].get_preparation_data for name in SPAWNERS if name in sys.modules
    }


def give_back(before: Mapping[str, Callable[..., object]]) -> None:
    """Undo ``watch_spawners``: put back what ``spawners`` returned *before*, else the library's."""
    for name, function in spawners().items():
        own = getattr(function, "__wrapped__", function)
        sys.modules[name].get_preparation_data = before.get(name, own)  # type: ignore[attr-defined]


def _patch(spawner: ModuleType, inheritance: Inheritance) -> None:
    """Have *spawner* tell children to run the Program. (loky's function takes more arguments.)"""
    original = getattr(spawner.get_preparation_data, "__wrapped__", spawner.get_preparation_data)

    def get_preparation_data(*arguments: object, **keywords: object) -> dict[str, object]:
        data: dict[str, object] = original(*arguments, **keywords)
        # A worker of loky runs no main and reads no other key; unpickling is enough for it.
        keys = [key for key in _MAIN_KEYS if key in data] or ["kogine"]
        for key in keys:
            main = _Main(data.get(key, ""))
            main.key = key
            main.dumps = inheritance.dumps
            data[key] = main
        return data

    get_preparation_data.__wrapped__ = original  # type: ignore[attr-defined]
    spawner.get_preparation_data = get_preparation_data  # type: ignore[attr-defined]


class OverridingFinder:
    """A finder that finds modules as Python does and gives some of them other code.

    Only ``get_code`` of the module's own loader is replaced: its spec, its class, its cached
    path and what ``inspect`` sees are Python's. No bytecode is written.
    """

    def __init__(self, codes: Mapping[str, tuple[str, CodeType]]) -> None:
        """*codes*: module name -> its file and the code to run for it."""
        self.codes = dict(codes)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of *name*, for every import and reload; None for other modules."""
        if name not in self.codes:
            return None
        file, code = self.codes[name]
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin is None or not _is_same(spec.origin, file):
            return None  # another module of that name is found first: the override is unused
        spec.loader.get_code = _returning(code)  # type: ignore[union-attr]
        return spec


def _returning(code: CodeType) -> Callable[[str], CodeType]:
    return lambda fullname: code


def _is_same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def install(codes: Mapping[str, tuple[str, CodeType]]) -> OverridingFinder:
    """Put a finder before all others; ``sys.meta_path.remove`` removes it."""
    finder = OverridingFinder(codes)
    sys.meta_path.insert(0, finder)
    return finder


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
            except Exception:
                data = os.urandom(16)
            digest.update(f"{prefix}{target}=".encode() + data)
    return digest.hexdigest()
