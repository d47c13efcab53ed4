"""Saves and restores the state inside libraries around a script, or a config, that runs in this
process.

Undone are the settings that scripts commonly change: loggers, seeds, figures, default types. What
a library registers, caches or allocates stays; docs/explanation/shared-process.md says so.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kohaku_ast.frames import contextmanager

if TYPE_CHECKING:
    import logging

_Whole = tuple[int, Any]
"""The level of ``logging.disable``, and the function that ``logging.captureWarnings`` has saved."""

_NAMES = ("level", "handlers", "filters", "propagate", "disabled")


@contextmanager
def own_logging() -> Iterator[None]:
    """Restore all loggers after the block. Those of libraries that were imported in it stay as the
    library made them: it will not be imported again.
    """
    before = read_logging()
    try:
        yield
    finally:
        write_logging(before)


def _loggers() -> dict[str, logging.Logger]:
    import logging

    named = logging.Logger.manager.loggerDict
    loggers = {name: one for name, one in named.items() if isinstance(one, logging.Logger)}
    return {"": logging.root, **loggers}


NO_LOGGING: tuple[dict[str, list[Any]], _Whole] = ({}, (0, None))
"""The state of logging before it is imported."""


def read_logging() -> tuple[dict[str, list[Any]], _Whole]:
    """The settings of each logger, and those for all of them."""
    if "logging" not in sys.modules:
        return NO_LOGGING
    import logging

    loggers = _loggers()
    state = {name: [_copy(vars(one)[key]) for key in _NAMES] for name, one in loggers.items()}
    captured = getattr(logging, "_warnings_showwarning", None)
    return state, (loggers[""].manager.disable, captured)


def _copy(value: object) -> object:
    return list(value) if isinstance(value, list) else value


def write_logging(state: tuple[dict[str, list[Any]], _Whole]) -> None:
    """Restore what ``read_logging`` has returned."""
    if "logging" not in sys.modules:
        return
    import logging

    before, (disabled, captured) = state
    loggers = _loggers()
    if loggers[""].manager.disable != disabled:
        logging.disable(disabled)
    vars(logging)["_warnings_showwarning"] = captured
    for name, logger in loggers.items():
        if name in before:
            _set(logger, before[name])
        elif not name or name.partition(".")[0] not in sys.modules:
            _set(logger, [30 if not name else 0, [], [], True, False])  # 30: WARNING


def _set(logger: logging.Logger, values: list[Any]) -> None:
    now = vars(logger)
    if [now[key] for key in _NAMES] == values:
        return
    for key, value in zip(_NAMES, values):
        now[key] = _copy(value)
    logger.manager._clear_cache()  # type: ignore[attr-defined]  # of isEnabledFor


class _Library(NamedTuple):
    """A part of the state of one library."""

    #: The module that has to be loaded.
    module: str
    read: Callable[[Any], Any]
    #: Restores what ``read`` has returned.
    write: Callable[[Any, Any], object]
    #: The state right after the import, for a library that the script has imported.
    first: Callable[[Any], Any]


def read_libraries() -> dict[int, Any]:
    """The state of each library that is loaded: its place in ``_LIBRARIES`` -> value."""
    found = {}
    for number, (library, module) in _loaded():
        with _another_version():
            found[number] = library.read(module)
    return found


def write_libraries(before: Mapping[int, Any]) -> None:
    """Restore it. A library that has been imported since gets the state of its import."""
    for number, (library, module) in _loaded():
        with _another_version():
            value = before[number] if number in before else library.first(module)
            library.write(module, value)


def begin_libraries(known: Collection[str] = ()) -> None:
    """Give a script what it finds at the start of a process: new seeds, no open figures; not of the
    *known* modules.
    """
    for name, begin in _BEGIN.items():
        module = sys.modules.get(name)
        if module is not None and name not in known:
            with _another_version():
                begin(module)


def _loaded() -> Iterator[tuple[int, tuple[_Library, Any]]]:
    for number, library in enumerate(_LIBRARIES):
        module = sys.modules.get(library.module)
        if module is not None:
            yield number, (library, module)


@contextmanager
def _another_version() -> Iterator[None]:
    """Inside, what is unknown of a library, or of one that is half imported, stays as it is."""
    try:
        yield
    except Exception:  # whatever another version raises: a config works without
        pass


@contextmanager
def closing_figures() -> Iterator[None]:
    """After the block, the figures that a script has left open are closed, as at the end of its
    process.
    """
    try:
        yield
    finally:
        module = sys.modules.get("matplotlib._pylab_helpers")
        if module is not None:
            with _another_version():
                module.Gcf.destroy_all()


def _write_figures(module: Any, figures: dict[Any, Any]) -> None:
    module.Gcf.figs.clear()
    module.Gcf.figs.update(figures)


def _raw(parameters: Any) -> dict[str, Any]:
    """The content of matplotlib's RcParams: its own methods choose a backend, and warn."""
    return dict(dict.items(parameters))


def _numpy_settings(module: Any) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    return module.geterr(), module.geterrcall(), module.get_printoptions()


def _write_numpy(module: Any, settings: tuple[dict[str, Any], Any, dict[str, Any]]) -> None:
    if _numpy_settings(module) != settings:
        errors, call, printing = settings
        module.seterr(**errors)
        module.seterrcall(call)
        module.set_printoptions(**printing)


def _first_numpy(module: Any) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    errors = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
    now = module.get_printoptions()
    return errors, None, {name: _PRINTING.get(name, value) for name, value in now.items()}


_PRINTING: Mapping[str, Any] = {
    "edgeitems": 3, "threshold": 1000, "floatmode": "maxprec", "precision": 8, "suppress": False,
    "linewidth": 75, "nanstr": "nan", "infstr": "inf", "sign": "-", "formatter": None,
    "legacy": False, "override_repr": None,
}  # fmt: skip


def _torch_settings(module: Any) -> list[Any]:
    device = module._GLOBAL_DEVICE_CONTEXT.__dict__.get("device_context")
    cudnn = module.backends.cudnn
    return [
        module.get_default_dtype(), device and device.device, module.is_grad_enabled(),
        module.are_deterministic_algorithms_enabled(),
        module.is_deterministic_algorithms_warn_only_enabled(),
        module.get_float32_matmul_precision(), cudnn.benchmark, cudnn.deterministic,
        dict(vars(module._tensor_str.PRINT_OPTS)),
    ]  # fmt: skip


def _write_torch(module: Any, settings: list[Any]) -> None:
    if _torch_settings(module) == settings:
        return
    dtype, device, grad, deterministic, warns, precision, benchmark, same, printing = settings
    module.set_default_dtype(dtype)
    module.set_default_device(device)
    module.set_grad_enabled(grad)
    module.use_deterministic_algorithms(deterministic, warn_only=warns)
    module.set_float32_matmul_precision(precision)
    module.backends.cudnn.benchmark, module.backends.cudnn.deterministic = benchmark, same
    vars(module._tensor_str.PRINT_OPTS).update(printing)


def _first_torch(module: Any) -> list[Any]:
    printing = dict(vars(type(module._tensor_str.PRINT_OPTS)()))
    return [module.float32, None, True, False, False, "highest", False, False, printing]


_JAX: Mapping[str, Any] = {
    "jax_enable_x64": False, "jax_debug_nans": False, "jax_debug_infs": False,
    "jax_disable_jit": False, "jax_default_device": None, "jax_default_matmul_precision": None,
    "jax_default_prng_impl": "threefry2x32", "jax_numpy_rank_promotion": "allow",
    "jax_numpy_dtype_promotion": "standard", "jax_threefry_partitionable": True,
    "jax_check_tracer_leaks": False, "jax_log_compiles": False,
}  # fmt: skip


def _write_jax(module: Any, settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        if module.config.values.get(name, value) != value:
            module.config.update(name, value)


def _first_jax(module: Any) -> dict[str, Any]:
    """Without what the environment sets, which a script seldom changes."""
    return {name: value for name, value in _JAX.items() if name.upper() not in os.environ}


def _seed_torch(module: Any) -> None:
    module.default_generator.seed()
    if module.cuda.is_initialized():
        module.cuda.seed_all()


def _pandas_options(config: Any) -> dict[str, Any]:
    return {name: _pandas_option(config, name)[1] for name in config._registered_options}


def _pandas_option(config: Any, name: str) -> tuple[dict[str, Any], Any]:
    """The dict that holds the option *name*, and its value; get_option warns of some."""
    *groups, last = name.split(".")
    found = config._global_config
    for group in groups:
        found = found[group]
    return found, found[last]


def _write_pandas(config: Any, options: Mapping[str, Any]) -> None:
    for name, value in options.items():
        group, now = _pandas_option(config, name)
        if now != value:
            group[name.rpartition(".")[2]] = value
            on_change = config._registered_options[name].cb
            if on_change:
                on_change(name)


def _write_sklearn(module: Any, options: Mapping[str, Any]) -> None:
    if module.get_config() != options:
        module.set_config(**options)


def _write_locale(module: Any, value: str) -> None:
    if module.setlocale(module.LC_ALL) != value:
        module.setlocale(module.LC_ALL, value)


def _seeded(module: str, read: str, write: str) -> _Library:
    """The state of random numbers. A script gets a new one, and the caller's goes on afterwards."""
    return _Library(
        module,
        lambda found: getattr(found, read)(),
        lambda found, state: getattr(found, write)(state),
        lambda found: getattr(found, read)(),
    )


def _named(module: str, name: str) -> _Library:
    """A setting that is an attribute of *module*, None at first."""
    return _Library(
        module,
        lambda found: getattr(found, name),
        lambda found, value: setattr(found, name, value),
        lambda found: None,
    )


_LIBRARIES: tuple[_Library, ...] = (
    _seeded("random", "getstate", "setstate"),
    _seeded("numpy.random", "get_state", "set_state"),
    _seeded("torch", "get_rng_state", "set_rng_state"),
    _Library("numpy", _numpy_settings, _write_numpy, _first_numpy),
    _Library("torch", _torch_settings, _write_torch, _first_torch),
    _Library("jax", lambda module: dict(module.config.values), _write_jax, _first_jax),
    _Library(
        "matplotlib._pylab_helpers",
        lambda module: dict(module.Gcf.figs),
        _write_figures,
        lambda module: {},
    ),
    _Library(
        "matplotlib",
        lambda module: _raw(module.rcParams),
        lambda module, values: dict.update(module.rcParams, values),
        lambda module: _raw(module.rcParamsOrig),
    ),
    _Library(
        "matplotlib.pyplot",
        lambda module: module._backend_mod,
        lambda module, backend: setattr(module, "_backend_mod", backend),
        lambda module: None,
    ),
    _Library(
        "pandas._config.config",
        _pandas_options,
        _write_pandas,
        lambda config: {name: one.defval for name, one in config._registered_options.items()},
    ),
    _Library(
        "sklearn",
        lambda module: module.get_config(),
        _write_sklearn,
        lambda module: dict(module._config._global_config),
    ),
    _Library(
        "decimal",
        lambda module: module.getcontext().copy(),
        lambda module, context: module.setcontext(context),
        lambda module: module.DefaultContext.copy(),
    ),
    _Library(
        "_locale",
        lambda module: module.setlocale(module.LC_ALL),
        _write_locale,
        lambda module: module.setlocale(module.LC_ALL),
    ),
    _Library(
        "multiprocessing.context",
        lambda module: module._default_context._actual_context,
        lambda module, method: setattr(module._default_context, "_actual_context", method),
        lambda module: None,
    ),
    _Library(
        "_socket",
        lambda module: module.getdefaulttimeout(),
        lambda module, seconds: module.setdefaulttimeout(seconds),
        lambda module: None,
    ),
    _Library(
        "_csv",
        lambda module: module.field_size_limit(),
        lambda module, size: module.field_size_limit(size),
        lambda module: 1 << 17,
    ),
    _named("tempfile", "tempdir"),
    _Library(
        "kohaku_ast.helpers.metric_logger",
        lambda module: module.logger.session,
        lambda module, session: setattr(module.logger, "session", session),
        lambda module: module.Session(),
    ),
)

_BEGIN: Mapping[str, Callable[[Any], object]] = {
    "random": lambda module: module.seed(),
    "numpy.random": lambda module: module.seed(),
    "torch": _seed_torch,
    "matplotlib._pylab_helpers": lambda module: module.Gcf.figs.clear(),
    "kohaku_ast.helpers.metric_logger": lambda module: setattr(
        module.logger, "session", module.Session()
    ),
}
