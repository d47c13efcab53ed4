"""The script's own child processes see its overrides.

``multiprocessing`` (and loky, which copies it) tells a spawned child which file to run again as
``__mp_main__``. Under overrides that has to be our Program with the same values. The path in
those instructions is replaced by an object that, when the child unpickles it, receives the
Program and turns into the path of ``child_main.py``, which runs it.

State of this process, set once in each: ``_received``.
"""

from __future__ import annotations

import os
import sys

from kohaku_ast.transform.given import Given

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from kohaku_ast.runner.import_hook import OverridingFinder
    from kohaku_ast.runner.prepared import Prepared
    from kohaku_ast.transform.program import Program

SPAWNERS = ("multiprocessing.spawn", "loky.backend.spawn", "joblib.externals.loky.backend.spawn")
"""The modules whose ``get_preparation_data`` says what a child runs."""

_MAIN_KEYS = ("init_main_from_name", "init_main_from_path")
"""How a spawner tells a child what its ``__mp_main__`` is."""

_received: list[Inheritance] = []


class Inheritance:
    """What a child needs to run the script as its parent does."""

    __slots__ = ("main", "modules")

    def __init__(
        self,
        main: tuple[Program, Mapping[str, object]],
        modules: Mapping[str, tuple[str, Program, Mapping[str, object]]],
    ) -> None:
        #: The script's Program and values.
        self.main = main
        #: Module name -> its file, Program and values.
        self.modules = modules

    def dumps(self) -> bytes:
        """Bytes for the child. cloudpickle: values may be lambdas or belong to ``__main__``."""
        import cloudpickle  # type: ignore[import-untyped]  # it has no types

        program, values = self.main
        modules = {
            name: (file, one.dumps(), dict(given))
            for name, (file, one, given) in self.modules.items()
        }
        dumped: bytes = cloudpickle.dumps((program.dumps(), dict(values), modules))
        return dumped


class _Main(str):
    """The path or name of the script for this process; for a child that unpickles it, what
    runs the script under its overrides.
    """

    is_module: bool
    dumps: Callable[[], bytes]

    def __reduce__(self) -> tuple[object, ...]:
        return receive, (self.dumps(), str(self) if self.is_module else "")


def receive(data: bytes, module: str) -> str:
    """In the child: keep what the parent sent; *module* if the script was started by that name,
    else the path of the file to run as ``__mp_main__``.
    """
    import pickle

    from kohaku_ast.transform.program import loads

    program, values, modules = pickle.loads(data)
    loaded = {name: (file, loads(one), given) for name, (file, one, given) in modules.items()}
    loaded_main = loads(program), values
    inheritance = Inheritance(loaded_main, loaded)
    _received[:] = [inheritance]
    use_in_modules(inheritance)
    watch_spawners(inheritance)
    if module:  # the child looks it up by name, as the parent did
        from kohaku_ast.runner.import_hook import install

        main, given = loaded_main
        install({module: (main.filename, Given(main, given).codes()[0])})
        return module
    return os.path.join(os.path.dirname(__file__), "child_main.py")


def hand_on(prepared: Prepared) -> OverridingFinder | None:
    """Put the overrides of modules in force, and see to it that children get all of them."""
    given = prepared.given
    modules = {
        name: (file, one.program, one.sent) for name, (file, one) in prepared.modules.items()
    }
    if given.program.numba:
        from kohaku_ast.runner.numba_cache import use_own_numba_cache

        use_own_numba_cache(prepared)
    if given.program.sites or modules:
        watch_spawners(Inheritance((given.program, given.sent), modules))
    if not prepared.modules:
        return None
    from kohaku_ast.runner.import_hook import install

    return install({name: (file, one.codes()[0]) for name, (file, one) in prepared.modules.items()})


def use_in_modules(inheritance: Inheritance) -> None:
    """In the child: put the overrides of modules in force for every import from here on."""
    codes = {
        name: (file, Given(program, values).codes()[0])
        for name, (file, program, values) in inheritance.modules.items()
    }
    if codes:
        from kohaku_ast.runner.import_hook import install

        install(codes)


def become_child(namespace: dict[str, object]) -> None:
    """In the child: run the script in *namespace*, which has nothing of ours left in it."""
    program, values = _received[0].main
    namespace["__file__"] = program.filename
    namespace["__doc__"] = None
    for code in Given(program, values).codes():
        exec(code, namespace)


def watch_spawners(inheritance: Inheritance) -> None:
    """Patch each module of SPAWNERS, when the script imports it or now if it has been."""
    waiting = []
    for name in SPAWNERS:
        module = sys.modules.get(name)
        if module is None:
            waiting.append(name)
        else:
            _patch(module, inheritance)
    sys.meta_path.insert(0, _Watcher(waiting, inheritance))


class _Watcher:
    """A finder that finds nothing: it sees to it that a spawner is patched once it is loaded."""

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
    """Name -> its ``get_preparation_data``, of those of SPAWNERS that have been imported."""
    return {
        name: sys.modules[name].get_preparation_data for name in SPAWNERS if name in sys.modules
    }


def give_back(before: Mapping[str, Callable[..., object]]) -> None:
    """Undo ``watch_spawners``: what ``spawners`` gave *before*, else the library's own."""
    for name, function in spawners().items():
        own = getattr(function, "__wrapped__", function)
        sys.modules[name].get_preparation_data = before.get(name, own)  # type: ignore[attr-defined]


def _patch(spawner: ModuleType, inheritance: Inheritance) -> None:
    """Have *spawner* tell children to run the Program. (No decorator: loky's takes more.)"""
    original = getattr(spawner.get_preparation_data, "__wrapped__", spawner.get_preparation_data)

    def get_preparation_data(*arguments: object, **keywords: object) -> dict[str, object]:
        data: dict[str, object] = original(*arguments, **keywords)
        # A worker of loky runs no main, and looks at no other key; unpickling is enough for it.
        keys = [key for key in _MAIN_KEYS if key in data] or ["kogine"]
        for key in keys:
            main = _Main(data.get(key, ""))
            main.is_module = key == "init_main_from_name"
            main.dumps = inheritance.dumps
            data[key] = main
        return data

    get_preparation_data.__wrapped__ = original  # type: ignore[attr-defined]
    spawner.get_preparation_data = get_preparation_data  # type: ignore[attr-defined]
