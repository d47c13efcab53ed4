"""Configs and sweeps that a file makes: ``config_gen``, ``CONFIG`` and ``_sweep``."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kohaku_ast.config.cells import CellMap, CellText
from kohaku_ast.config.config import Config, as_config
from kohaku_ast.config.loading import ConfigLayer, Loading, own_code, running
from kohaku_ast.display.text import short_repr
from kohaku_ast.errors import ConfigError

if TYPE_CHECKING:
    from kohaku_ast.config.sweep import Sweep


_WANTED = "a Config, a Sweep, or Configs in a list or from a generator"


def read_made(loading: Loading) -> ConfigLayer | None:
    """What ``config_gen`` or ``CONFIG`` says; None if the file has neither."""
    namespace = loading.module.__dict__
    if "config_gen" in namespace:
        return _of_function(namespace["config_gen"], loading)
    if "CONFIG" in namespace:
        return said_by(namespace["CONFIG"], "CONFIG", loading)
    return None


def _of_function(function: Any, loading: Loading) -> ConfigLayer:
    if not callable(function):
        raise ConfigError(f"{loading.path}: config_gen is no function: {short_repr(function)}")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigError(f"{loading.path}: config_gen is async: write `def config_gen(...)`")
    given = _arguments(function, loading)

    def call() -> object:
        with running(loading), own_code(loading):
            return function(**given)

    if inspect.isgeneratorfunction(function):
        from kohaku_ast.config.sweep import Sweep

        # Called anew by each use: a dry run and then the runs each get all Configs.
        return ConfigLayer(
            sweep=Sweep.of(lambda: stepwise(call(), "config_gen()", loading), loading.path)
        )
    return said_by(call(), "config_gen()", loading)


def _arguments(function: Callable[..., object], loading: Loading) -> dict[str, object]:
    """What *function* asks for by name."""
    try:
        asked = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}
    named = [one for one in asked if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    known = {"worker_id", "previous"}
    unknown = [one.name for one in named if one.name not in known and one.default is one.empty]
    if unknown or any(one.kind is one.POSITIONAL_ONLY for one in named):
        raise ConfigError(
            f"{loading.path}: config_gen asks for {', '.join(unknown) or 'positions'}: it can be "
            "given `worker_id` and `previous`, by name"
        )
    given: dict[str, object] = {"previous": loading.previous, "worker_id": loading.worker_id}
    if loading.worker_id is None:
        given["worker_id"] = _worker_id()
    return {one.name: given[one.name] for one in named if one.name in known}


def _worker_id() -> int:
    text = os.environ.get("KOGINE_WORKER_ID") or "0"
    if not text.isdecimal():
        raise ConfigError(f"KOGINE_WORKER_ID is the number of a worker, got {text!r}")
    return int(text)


def said_by(made: object, what: str, loading: Loading) -> ConfigLayer:
    """What the value *made* says; *what* is its name in the file."""
    config = as_config(made)
    if config is not None:
        return ConfigLayer(config.placed(loading.path))
    from kohaku_ast.config.sweep import Sweep

    if isinstance(made, Sweep):
        return ConfigLayer(sweep=made)
    if not isinstance(made, Iterable) or isinstance(made, (str, bytes, Mapping)):
        raise ConfigError(f"{loading.path}: {what} is {_shown(made)}. It is to be {_WANTED}")
    if isinstance(made, Iterator):
        return ConfigLayer(sweep=Sweep.of(stepwise(made, what, loading), loading.path))
    if isinstance(made, (list, tuple)):
        return ConfigLayer(sweep=Sweep.of(_checked(made, what, loading), loading.path))
    return ConfigLayer(sweep=Sweep.of(lambda: stepwise(made, what, loading), loading.path))


def _checked(made: Iterable[object], what: str, loading: Loading) -> list[Config | Sweep]:
    found = [_item(one, number, what, loading) for number, one in enumerate(made)]
    if not found:
        raise ConfigError(f"{loading.path}: {what} is empty: it is to be {_WANTED}")
    return found


def stepwise(made: Any, what: str, loading: Loading) -> Generator[Config | Sweep, object, None]:
    """The Configs of *made*, each asked for when it is wanted; what is sent in reaches *made*."""
    with own_code(loading):
        steps = iter(made)
    resume = getattr(steps, "send", None)
    outcome: object = None
    number = 0
    while True:
        with own_code(loading):
            try:
                item = resume(outcome) if resume else next(steps)
            except StopIteration:
                return
        outcome = yield _item(item, number, what, loading)
        number += 1


def _item(item: object, number: int, what: str, loading: Loading) -> Config | Sweep:
    from kohaku_ast.config.sweep import Sweep

    if isinstance(item, Sweep):
        return item
    config = as_config(item)
    if config is None and isinstance(item, Mapping) and all(isinstance(key, str) for key in item):
        config = Config(item)
    if config is None:
        raise ConfigError(
            f"{loading.path}: item {number} of {what} is {_shown(item)}. Each one is to be "
            "a Config, or a dict of targets to values"
        )
    return config.placed(loading.path)


def _shown(value: object) -> str:
    return f"of type {type(value).__name__}: {short_repr(value)}"


def read_sweep(value: object, loading: Loading, places: Mapping[str, str], fixed: Config) -> Sweep:
    """The Sweep that *value* describes; *places* says where each name of the file stands.

    Raises ConfigError, also for a target that has one of the *fixed* values, unless the config
    only uses that value itself.
    """
    where = places["_sweep"]
    try:
        sweep = _made(value, loading, where)
    except ConfigError as error:
        told = str(error)
        raise ConfigError(told if told.startswith(loading.path) else f"{where}: {told}") from None
    for target in [target for axis in sweep.axes for target in axis.targets]:
        if target in fixed.globals_dict and target not in fixed.optional:
            raise ConfigError(
                f"{where}: {target!r} is swept, and has one value at {fixed.origins[target]}: "
                "leave out one of them"
            )
    return sweep


def _made(value: object, loading: Loading, where: str) -> Sweep:
    from kohaku_ast.config.sweep import Sweep

    if isinstance(value, CellMap):
        return _of_cells(value, where)
    if isinstance(value, Mapping):
        return Sweep.from_dict(value, where)
    if inspect.isfunction(value):
        _refuse_parameters(value, where)
        if inspect.isgeneratorfunction(value):
            return Sweep.of(lambda: stepwise(value(), "_sweep()", loading), loading.path)
        with own_code(loading):
            made = value()
        return _made(made, loading, where)
    said = said_by(value, "_sweep", loading)
    return said.sweep or Sweep.of(said.fixed)


def _refuse_parameters(function: object, where: str) -> None:
    asked = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    if [one for one in asked if one.default is one.empty and one.kind not in _MANY]:
        raise ConfigError(f"{where}: the function _sweep takes no parameters")


_MANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def _of_cells(axes: CellMap, where: str) -> Sweep:
    """Axes of a data file: a list of values, or the text of an axis (``range:0:10:2``)."""
    from kohaku_ast.config.axis_grammar import parse_axis, read_axes
    from kohaku_ast.config.sweep import Sweep

    read: dict[object, object] = {str(target): cell for target, cell in axes.items()}
    texts = {
        target: parse_axis(str(target), str(cell), where)
        for target, cell in read.items()
        if isinstance(cell, CellText) and target != "__mode__"
    }
    if not texts:
        return Sweep.from_dict(read, where)
    mode = read.pop("__mode__", "product")
    if mode not in ("product", "zip"):
        read_axes({"__mode__": mode}, where)  # which says so
    found = [
        texts[target] if target in texts else read_axes({target: cell}, where)[0]
        for target, cell in read.items()
    ]
    return Sweep.zip(*found) if mode == "zip" else Sweep(*found)
