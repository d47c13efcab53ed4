"""A config file on its way to a Config: its code is run, and it inherits from other configs.

A config's *heir* inherits from it; its *bases* are the configs that it inherits from. State of this
process: the config whose code runs just now, which ``use_config`` belongs to.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import CodeType, MappingProxyType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from kohaku_ast.config.cells import native
from kohaku_ast.config.config import Config
from kohaku_ast.errors import (
    PATHS,
    ConfigError,
    ConfigTypeError,
    KogineError,
    UsageError,
    check_type,
    near,
)
from kohaku_ast.frames import contextmanager, is_ours
from kohaku_ast.sigint import BLOCK, OWN_SIGNALS, die, hear, is_silent, sigmask, silence
from kohaku_ast.users_traceback import public

if TYPE_CHECKING:
    from kohaku_ast.config.sweep import Sweep  # most configs need none of it
from kohaku_ast.config.config_process import Process
from kohaku_ast.config.siblings import Siblings

_NOTHING: Mapping[str, object] = MappingProxyType({})


class Loading:
    """One config file that is loaded: its path, its heirs' values, and the module of its code."""

    def __init__(
        self,
        path: str,
        load_file: Callable[[Loading], Config | Sweep],
        previous: Mapping[str, object] | None = None,
        worker_id: int | None = None,
        heir: Loading | None = None,
        above: Mapping[str, object] = _NOTHING,
    ) -> None:
        #: As the user wrote it, for messages and origins.
        self.path = path
        self.file = os.path.abspath(path)
        #: Reads it, and each config that it inherits from.
        self.load_file = load_file
        #: Arguments for its ``config_gen``.
        self.previous = _NOTHING if previous is None else previous
        self.worker_id = worker_id
        #: The config that inherits from it.
        self.heir = heir
        #: Values of its heirs: they replace its own values of the same names.
        self.above = above
        #: Its bases: the path from its own folder, and the file and line that name it.
        self.bases: list[tuple[str, str]] = []
        #: The Configs of the bases that a function of it has named, as they were given to it.
        self.base_configs: list[Config] = []
        #: The names in *above* that it, or one of its bases, reads itself.
        self.consumed: set[str] = set()
        self.module = ModuleType(os.path.splitext(os.path.basename(path))[0])
        self.module.__file__ = self.file
        self.siblings: Siblings = heir.siblings if heir else Siblings()
        self.siblings.configs.append(self.file)
        #: The working folder, environment and streams that its code has set.
        self.process = Process()

    @property
    def folder(self) -> str:
        """Its folder: its imports and the paths of its bases start there."""
        return os.path.dirname(self.file)

    def base(self, path: str, above: Mapping[str, object]) -> Loading:
        """The base at *path* from this config's folder; the values of *above* replace its own.

        Raises ConfigError for a config that inherits from itself.
        """
        shown = os.path.normpath(os.path.join(os.path.dirname(self.path), path))
        made = Loading(shown, self.load_file, self.previous, self.worker_id, self, above)
        heirs = list(self._line())
        if any(_is_same(made.file, one.file) for one in heirs):
            names = " -> ".join([one.path for one in reversed(heirs)])
            raise ConfigError(f"the config inherits from itself: {names} -> {shown}")
        return made

    def _line(self) -> Iterator[Loading]:
        """Itself, its heir, the heir's heir and so on."""
        one: Loading | None = self
        while one:
            yield one
            one = one.heir


def _is_same(first: str, second: str) -> bool:
    return os.path.realpath(first) == os.path.realpath(second)


_CURRENT: ContextVar[tuple[Loading, bool] | None] = ContextVar("current config", default=None)


@contextmanager
def running(loading: Loading, in_function: bool = False) -> Iterator[None]:
    """Inside, *loading* is the current config: its top level runs, or a function of it."""
    token = _CURRENT.set((loading, in_function))
    try:
        yield
    finally:
        _CURRENT.reset(token)


@dataclass(frozen=True)
class ConfigLayer:
    """The fixed values of one config file without its bases, and its sweep over them."""

    fixed: Config = field(default_factory=Config)
    sweep: Sweep | None = None

    def over(self, base: Config | Sweep) -> Config | Sweep:
        """*base* with this layer merged over it."""
        below = base | self.fixed
        return below if self.sweep is None else below | self.sweep


_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def execute(loading: Loading, codes: list[CodeType]) -> None:
    """Run *codes* in the config's module; ``use_config`` in it adds bases to *loading*."""
    with running(loading), config_code(loading):
        for code in codes:
            exec(code, loading.module.__dict__)


@contextmanager
def config_code(loading: Loading) -> Iterator[None]:
    """Inside, code of the config may run; what it raises is a ConfigError with its own frames."""
    with loading.siblings.visible(loading.folder, loading.module), loading.process.inside():
        try:
            if is_silent():
                with _interruptible():
                    yield
            else:  # Ctrl-C works already, as when a generator makes its next Config
                yield
        except (Exception, SystemExit) as error:
            raise ConfigError(_message(error, loading)) from error


@contextmanager
def _interruptible() -> Iterator[None]:
    """Inside, before a script has started, Ctrl-C reaches code of the config as under Python.

    If the config does not catch it, the process ends as a script's does.
    """
    hear()
    try:
        yield
    except KeyboardInterrupt:
        try:
            sigmask(BLOCK, OWN_SIGNALS)
        except KeyboardInterrupt:
            pass
        die()
        raise
    finally:
        silence()


def _message(error: BaseException, loading: Loading) -> str:
    if isinstance(error, KogineError):
        return f"{loading.path}{_line(error.__traceback__, loading.file)}: {error}"
    shown = traceback.TracebackException.from_exception(error)
    _drop_frames(shown)
    text = "".join(shown.format()).rstrip()
    return f"config {loading.path!r} raised an exception:\n{text}{_hint(error, loading)}"


def _line(trace: TracebackType | None, file: str) -> str:
    """``:12``: the innermost line of *file* in the traceback."""
    lines = [""]
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            lines.append(f":{trace.tb_lineno}")
        trace = trace.tb_next
    return lines[-1]


def _drop_frames(shown: traceback.TracebackException) -> None:
    """Leave out the frames of this package and of the import system."""
    frames = [one for one in shown.stack if not one.filename.startswith((_OURS, "<frozen import"))]
    shown.stack = traceback.StackSummary.from_list(frames)
    for inner in (shown.__cause__, shown.__context__):
        if inner is not None:
            _drop_frames(inner)


def _hint(error: BaseException, loading: Loading) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == "kohakuengine":
        return (
            "\nThis config was written for KohakuEngine: import from kohaku_ast, or let "
            f"`kogine config migrate {loading.path}` rewrite it."
        )
    return ""


@public
def use_config(path: str | os.PathLike[str]) -> Any:
    """Inherit from the config at *path*, which starts at the calling config's own folder.

    The calling config's values replace those of the same names, also where the base computes others
    from them. The result has the base's own values as attributes, without those replacements.

    In ``config_gen`` the result is the base's Config, or Sweep, as well: return it, or
    ``use_config("base.py") | Config(lr=0.1)``.
    """
    found = _CURRENT.get()
    if found is None:
        raise UsageError("use_config() is for config files: call it in one")
    heir, in_function = found
    check_type(path, PATHS, "use_config: path is a file's name", ConfigError)
    base, caller = os.fspath(path), sys._getframe(1)
    while is_ours(caller) and caller.f_back is not None:
        caller = caller.f_back
    loading = heir.base(base, heir.above)
    heir.bases.append((base, f"{heir.path}:{caller.f_lineno}"))
    made = loading.load_file(loading) if in_function else None
    if not isinstance(made, Config):
        return BaseValues(heir, base)
    heir.base_configs.append(made)
    return BaseConfig.of(made, loading)


class BaseConfig(Config):
    """The Config of a base, whose values are attributes, too."""

    @classmethod
    def of(cls, made: Config, loading: Loading) -> BaseConfig:
        """*made*, with the names of the file *loading*."""
        names = {name: one for name, one in vars(loading.module).items() if name[:2] != "__"}
        base = object.__new__(cls)
        base.__dict__.update(made.__dict__, names=names)
        return base

    def __getattr__(self, name: str) -> object:
        values = self.__dict__.get("globals_dict", _NOTHING)
        names = self.__dict__.get("names", _NOTHING)
        if name.startswith("__") or name not in {*values, *names}:
            raise AttributeError(f"the config has no {name!r}")
        return native(values[name]) if name in values else names[name]


def inherit(loading: Loading, layer: ConfigLayer, since: int = 0) -> Config | Sweep:
    """*layer* over the bases of the config, each of them run with the values of the layer; *since*
    leaves out the first bases.
    """
    fixed = _without_base_values(layer.fixed, loading.base_configs)
    sweep = layer.sweep
    if sweep is not None and loading.base_configs:
        sweep = sweep.with_each(lambda config: _followed(config, loading))
    layer = replace(layer, fixed=fixed, sweep=sweep)
    above = {**layer.fixed.globals_dict, **loading.above}
    below: Config | Sweep = Config()
    for path, where in loading.bases[since:]:
        try:
            base = loading.base(path, above)
            below = below | loading.load_file(base)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        loading.consumed |= base.consumed
    # The script may lack a name that only a base reads, also if this config sets its value.
    fixed = layer.fixed | Config(optional=frozenset(loading.consumed))
    return replace(layer, fixed=fixed).over(below)


def _followed(config: Config, loading: Loading) -> Config:
    """*config*, one of several, in which the values of a base follow its own."""
    if _without_base_values(config, loading.base_configs) is config:
        return config
    made = inherit(loading, ConfigLayer(config))
    return made if isinstance(made, Config) else config  # of a base that sweeps, the base itself


def _without_base_values(config: Config, bases: list[Config]) -> Config:
    """*config* without the values that `use_config("base.py") | Config(...)` took from a base: the
    base gives them again, and those that it computes from others follow the config's.
    """
    values = config.globals_dict
    taken = {
        target
        for base in bases
        for target, value in base.globals_dict.items()
        if values.get(target, _NOTHING) is value
        and config.ranks.get(target, 0) == base.ranks.get(target, 0)
    }
    if not taken:
        return config
    left = {target: value for target, value in values.items() if target not in taken}
    return replace(config, globals_dict=left)


class BaseValues:
    """The values of a base, as attributes; its file is run when the first one is read."""

    def __init__(self, heir: Loading, path: str) -> None:
        self.__dict__.update(_path=path, _load=lambda: _values_of(heir, path))

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(
                name
            )  # copy, pickle and inspect look for these: do not run the file
        values = self._all()
        if name in values:
            return values[name]
        names = near(name, list(values))
        hint = f". Did you mean {names[0]!r}?" if names else ""
        raise AttributeError(f"config {self._path!r} has no {name!r}{hint}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"config {self._path!r} is read-only here: assign {name!r} in the config that uses it"
        )

    def __getitem__(self, target: str) -> object:
        return self._all()[target]

    def __or__(self, other: object) -> NoReturn:
        own = f"use_config({self._path!r})"
        raise ConfigTypeError(
            f"{own} at the top of a config is merged by names: assign them below it (lr = 0.1). "
            f"For '|', write def config_gen(): return {own} | Config(lr=0.1)"
        )

    __ror__ = __or__

    def __dir__(self) -> list[str]:
        return sorted(self._all())

    def __repr__(self) -> str:
        return f"use_config({self._path!r})"

    def _all(self) -> Mapping[str, object]:
        if "_values" not in self.__dict__:
            self.__dict__["_values"] = self.__dict__["_load"]()
        values: Mapping[str, object] = self.__dict__["_values"]
        return values


def _values_of(heir: Loading, path: str) -> Mapping[str, object]:
    """The names in the module of the base, and its targets if it describes one Config."""
    base = heir.base(path, heir.above)
    made = heir.load_file(base)
    names = {key: one for key, one in base.module.__dict__.items() if not key.startswith("__")}
    targets = made.globals_dict if isinstance(made, Config) else {}
    return {**names, **{target: native(one) for target, one in targets.items()}}
