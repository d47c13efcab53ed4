"""The Configs and sweeps that a config file makes: ``config_gen``, ``CONFIG`` and ``_sweep``."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kohaku_ast.config.cells import CellMap
from kohaku_ast.config.config import Config, as_config
from kohaku_ast.config.loading import ConfigLayer, Loading, config_code, inherit, running
from kohaku_ast.display.text import short_repr
from kohaku_ast.errors import ConfigError

if TYPE_CHECKING:
    from kohaku_ast.config.sweep import Sweep


_LOST = {
    "_sweep": "return the Sweep from config_gen, `return Config(...) | Sweep(...)`",
    "_overrides": "give the values to the Config of {}",
    **{
        f"_{field}": f"write Config(..., {field}=...) in {{}}"
        for field in ("args", "kwargs", "argv", "metadata", "outputs", "inputs", "artifacts")
    },
}
"""Names that a bare file has in place of ``config_gen`` and ``CONFIG``, and what says the same."""

_WANTED = "a Config, a Sweep, or Configs in a list or from a generator"


def read_config_gen(loading: Loading, unread: Collection[str]) -> ConfigLayer | None:
    """The layer of ``config_gen()``, else of ``CONFIG``; None if the file has neither. *unread* are
    the names that the file defines and does not read.
    """
    namespace = loading.module.__dict__
    maker = next((name for name in ("config_gen", "CONFIG") if name in namespace), "")
    # An empty one has nothing to lose.
    found = [name for name in _LOST if name in unread and (namespace.get(name) or name == "_sweep")]
    lost = next(iter(found), "")
    if maker and lost:
        raise ConfigError(
            f"{loading.path}: it has both {maker} and {lost}, which would have no effect: "
            f"{_LOST[lost].format(maker)}, or take one away"
        )
    if "config_gen" in namespace:
        return _call_config_gen(namespace["config_gen"], loading)
    if "CONFIG" in namespace:
        return layer_of(namespace["CONFIG"], "CONFIG", loading)
    return None


def _call_config_gen(function: Any, loading: Loading) -> ConfigLayer:
    if not callable(function):
        raise ConfigError(f"{loading.path}: config_gen is no function: {short_repr(function)}")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigError(f"{loading.path}: config_gen is async: write `def config_gen(...)`")
    given = _arguments(function, loading)

    def call() -> object:
        with running(loading, in_function=True), config_code(loading):
            return function(**given)

    if inspect.isgeneratorfunction(function):
        from kohaku_ast.config.sweep import Sweep

        # Each iteration calls it again: a dry run and the runs after it each get all Configs.
        return ConfigLayer(
            sweep=Sweep.of(lambda: stepwise(call(), "config_gen()", loading), loading.path)
        )
    return layer_of(call(), "config_gen()", loading)


def _arguments(function: Callable[..., object], loading: Loading) -> dict[str, object]:
    """The arguments for those parameters of *function* that a config_gen may have."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}
    named = [one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    offered = {"worker_id", "previous"}
    unknown = [one.name for one in named if one.name not in offered and one.default is one.empty]
    if unknown or any(one.kind is one.POSITIONAL_ONLY for one in named):
        raise ConfigError(
            f"{loading.path}: config_gen asks for {', '.join(unknown) or 'positions'}: it can be "
            "given `worker_id` and `previous`, by name"
        )
    given: dict[str, object] = {"previous": loading.previous, "worker_id": loading.worker_id}
    if loading.worker_id is None:
        given["worker_id"] = _worker_id()
    return {one.name: given[one.name] for one in named if one.name in offered}


def _worker_id() -> int:
    text = os.environ.get("KOGINE_WORKER_ID") or "0"
    if not text.isdecimal():
        raise ConfigError(f"KOGINE_WORKER_ID is the number of a worker, got {text!r}")
    return int(text)


def layer_of(made: object, what: str, loading: Loading) -> ConfigLayer:
    """The layer of *made*, a Config, a Sweep or several Configs; *what* is its name in the file."""
    config = as_config(made)
    if config is not None:
        return ConfigLayer(config.with_origin(loading.path))
    from kohaku_ast.config.sweep import Sweep

    if isinstance(made, Sweep):
        return ConfigLayer(sweep=made)
    if not isinstance(made, Iterable) or isinstance(made, (str, bytes, Mapping)):
        raise ConfigError(f"{loading.path}: {what} is {_shown(made)}. It must be {_WANTED}")
    if isinstance(made, Iterator):
        return ConfigLayer(sweep=Sweep.of(stepwise(made, what, loading), loading.path))
    if isinstance(made, (list, tuple)):
        return ConfigLayer(sweep=Sweep.of(_list_items(made, what, loading), loading.path))
    return ConfigLayer(sweep=Sweep.of(lambda: stepwise(made, what, loading), loading.path))


def _list_items(made: Iterable[object], what: str, loading: Loading) -> list[Config | Sweep]:
    found = [_read_item(one, number, what, loading) for number, one in enumerate(made)]
    if not found:
        raise ConfigError(f"{loading.path}: {what} is empty: it must be {_WANTED}")
    return found


def stepwise(made: Any, what: str, loading: Loading) -> Generator[Config | Sweep, object, None]:
    """The Configs of *made*, each taken when it is needed; sent values are passed on to *made*."""
    with config_code(loading):
        steps = iter(made)
    resume = getattr(steps, "send", None)
    since = len(loading.bases)
    outcome: object = None
    number = 0
    while True:
        with running(loading, in_function=True), config_code(loading):
            try:
                item = resume(outcome) if resume else next(steps)
            except StopIteration:
                return
        outcome = yield _over_bases(_read_item(item, number, what, loading), loading, since)
        number += 1


def _over_bases(item: Config | Sweep, loading: Loading, since: int) -> Config | Sweep:
    """*item* over the bases that the generator has named so far."""
    if isinstance(item, Config) and loading.bases[since:]:
        return inherit(loading, ConfigLayer(item), since)
    return item


def _read_item(item: object, number: int, what: str, loading: Loading) -> Config | Sweep:
    from kohaku_ast.config.sweep import Sweep

    if isinstance(item, Sweep):
        return item
    config = as_config(item)
    if config is None and isinstance(item, Mapping) and all(isinstance(key, str) for key in item):
        config = Config(item)
    if config is None:
        raise ConfigError(
            f"{loading.path}: item {number} of {what} is {_shown(item)}. Each one must be "
            "a Config, or a dict of targets to values"
        )
    return config.with_origin(loading.path)


def _shown(value: object) -> str:
    return f"of type {type(value).__name__}: {short_repr(value)}"


def read_sweep(value: object, loading: Loading, places: Mapping[str, str], fixed: Config) -> Sweep:
    """The Sweep that *value* describes; *places* has file and line of each name of the file.

    Raises ConfigError, also for a target that is in *fixed* too, unless only the config itself
    reads that value.
    """
    where = places["_sweep"]
    try:
        sweep = _sweep_of(value, loading, where)
    except ConfigError as error:
        text = str(error)
        raise ConfigError(text if text.startswith(loading.path) else f"{where}: {text}") from None
    for target in [target for axis in sweep.axes for target in axis.targets]:
        if target in fixed.globals_dict and target not in fixed.optional:
            raise ConfigError(
                f"{where}: {target!r} is swept, and has one value at {fixed.origins[target]}: "
                "leave out one of them"
            )
    return sweep


def _sweep_of(value: object, loading: Loading, where: str) -> Sweep:
    from kohaku_ast.config.sweep import Sweep

    if isinstance(value, Mapping):
        is_data = isinstance(value, CellMap)  # its keys are cells: a target is plain text
        axes = {str(target): one for target, one in value.items()} if is_data else value
        return Sweep.from_dict(axes, where)
    if inspect.isfunction(value):
        _refuse_parameters(value, where)
        if inspect.isgeneratorfunction(value):
            return Sweep.of(lambda: stepwise(value(), "_sweep()", loading), loading.path)
        with config_code(loading):
            made = value()
        return _sweep_of(made, loading, where)
    layer = layer_of(value, "_sweep", loading)
    return layer.sweep or Sweep.of(layer.fixed)


def _refuse_parameters(function: object, where: str) -> None:
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    if [one for one in parameters if one.default is one.empty and one.kind not in _MANY]:
        raise ConfigError(f"{where}: the function _sweep takes no parameters")


_MANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
