"""Configs as data: YAML, TOML and JSON files of targets and values."""

from __future__ import annotations

from kohaku_ast.config.bare import RESERVED, field_of, refuse_mistyped
from kohaku_ast.config.cell_files import read_cells
from kohaku_ast.config.cells import Cell, CellList, CellMap, CellText, native
from kohaku_ast.config.config import Config
from kohaku_ast.config.loading import Loading
from kohaku_ast.config.said import Said
from kohaku_ast.config.swept import read_sweep
from kohaku_ast.errors import ConfigError


def read_data_file(loading: Loading) -> Said:
    """What a file of targets and values says."""
    found = read_cells(loading.path)
    top = CellMap() if found.top is None else found.top
    if not isinstance(top, CellMap):
        raise ConfigError(f"{found.path}: a config is a mapping of targets to values")
    origins = {str(name): found.origin(index) for index, name in enumerate(top)}
    refuse_mistyped({str(name) for name in top} - {"_base"}, found.path)
    _name_bases(top, origins, loading)
    config = _targets(top, origins)
    for name in RESERVED:
        if name in top:
            config |= field_of(name, _field(name, top[name]), origins[name])
    if "_sweep" not in top:
        return Said(config)
    return Said(config, read_sweep(top["_sweep"], loading, origins, config))


def _targets(top: CellMap, origins: dict[str, str]) -> Config:
    values: dict[str, object] = {str(k): v for k, v in top.items() if not k.startswith("_")}
    where = origins.get("_overrides", "")
    overrides = top.get("_overrides", CellMap())
    if not isinstance(overrides, CellMap):
        raise ConfigError(f"{where}: _overrides is a mapping of targets to values")
    for target, value in overrides.items():
        if target in values:
            place = origins[str(target)]
            raise ConfigError(f"{where}: {str(target)!r} is in _overrides, and at {place}")
        values[str(target)] = value
    return Config(values, origins={target: origins.get(target, where) for target in values})


def _field(name: str, cell: Cell) -> object:
    if name == "_argv" and isinstance(cell, CellList):
        return [str(one) if isinstance(one, CellText) else native(one) for one in cell]
    return native(cell)


def _name_bases(top: CellMap, origins: dict[str, str], loading: Loading) -> None:
    """Tell *loading* what ``_base`` names."""
    if "_base" not in top:
        return
    named, where = native(top["_base"]), origins["_base"]
    paths = named if isinstance(named, list) else [named]
    for path in paths:
        if not isinstance(path, str) or not path:
            raise ConfigError(f"{where}: _base is a path, or a list of paths, got {named!r}")
        try:
            loading.base(path, loading.above)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
        loading.bases.append((path, where))
