"""``_sweep``: the axes, or the Configs, that a config file gives beside its fixed values."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kohaku_ast.config.cells import CellMap, CellText
from kohaku_ast.config.config import Config
from kohaku_ast.config.execute import own_code
from kohaku_ast.config.generated import said_by, stepwise
from kohaku_ast.config.loading import Loading
from kohaku_ast.errors import ConfigError

if TYPE_CHECKING:
    from kohaku_ast.config.sweep import Sweep


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
    from kohaku_ast.config.axes import parse_axis, read_axes
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
