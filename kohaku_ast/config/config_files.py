"""Config files: a path in, a Config or a Sweep out.

Data files are read here; the rules of Python files are in python_file.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kohaku_ast.config.cells import (
    Cell,
    CellList,
    CellMap,
    CellText,
    beyond,
    beyond_floats,
    native,
)
from kohaku_ast.config.config import Config
from kohaku_ast.config.loading import ConfigLayer, Loading, inherit
from kohaku_ast.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from kohaku_ast.config.data_file import DataFile
    from kohaku_ast.config.sweep import Sweep


_DATA = (".yaml", ".yml", ".toml", ".json")
ENDINGS = (".py", *_DATA)
"""Of config files that kogine reads itself; plug-ins read others."""


def load(
    path: str, *, previous: Mapping[str, object] | None = None, worker_id: int | None = None
) -> Config | Sweep:
    """The Config or the Sweep that the file at *path* describes.

    A Python file: its ``config_gen()``, else ``CONFIG``, else every name that it assigns or
    defines; *previous* (script name -> Outcome) and *worker_id* are for ``config_gen``. A YAML,
    TOML or JSON file: a mapping of targets to values. Raises ConfigError; an exception of the
    file's own code is in it with its traceback.
    """
    loading = Loading(os.fspath(path), load_file, previous, worker_id)
    return Config(siblings=(loading.siblings,)) | load_file(loading)


def load_config(path: str) -> Config:
    """The one Config that the file at *path* describes; ConfigError if it is a Sweep."""
    found = load(path)
    if isinstance(found, Config):
        return found
    raise ConfigError(f"{path} describes a sweep; use Sweep.from_file")


def load_sweep(path: str) -> Sweep:
    """The Sweep that the file at *path* describes; a Config is a sweep of one."""
    from kohaku_ast.config.sweep import Sweep

    found = load(path)
    return Sweep.of([found]) if isinstance(found, Config) else found


def load_file(loading: Loading) -> Config | Sweep:
    """The Config or Sweep of *loading*, merged over its bases."""
    return inherit(loading, _read_layer(loading))


def _read_layer(loading: Loading) -> ConfigLayer:
    ending = os.path.splitext(loading.path)[1].lower()
    if ending in _DATA:
        from kohaku_ast.config.data_file import read_cells

        return _read_data_file(loading, read_cells)
    if ending not in ("", ".py"):
        return _read_data_file(loading, _reader_of(loading.path, ending))
    from kohaku_ast.config.python_file import read_python_file

    return read_python_file(loading)


def _reader_of(path: str, ending: str) -> Callable[[str], DataFile]:
    """What reads files with an *ending* that is none of ours. Raises ConfigError."""
    from kohaku_ast.config.data_file import plugin_reader
    from kohaku_ast.plugins import find_plugins

    plugins = find_plugins("config_readers")
    if ending[1:] in plugins:
        return plugin_reader(plugins[ending[1:]])
    known = ", ".join([*ENDINGS, *(f".{name}" for name in plugins)])
    hint = did_you_mean(ending, [f".{name}" for name in plugins])
    hint = " Rows of a table are for --trials." if ending == ".csv" else hint
    raise ConfigError(f"{path}: a config ends in one of {known}.{hint}")


def _read_data_file(loading: Loading, read: Callable[[str], DataFile]) -> ConfigLayer:
    """The values and the sweep of a data file; its bases are added to *loading*."""
    from kohaku_ast.config.data_file import is_composed, targets_of

    found = read(loading.path)
    top = CellMap() if found.top is None else found.top
    if not isinstance(top, CellMap):
        raise ConfigError(f"{found.path}: a config is a mapping of targets to values")
    if is_composed(loading.path, top):
        return _read_composed(loading, top)
    origins = {str(name): found.origin(index) for index, name in enumerate(top)}
    return _layer_of(top, origins, targets_of(top, origins), loading)


def _read_composed(loading: Loading, top: CellMap) -> ConfigLayer:
    from kohaku_ast.config.hydra_config import read_composed
    from kohaku_ast.config.python_file import RESERVED

    made = read_composed(loading.path, top)
    for name in RESERVED:
        if "${" in str(top.get(name, "")):
            raise ConfigError(
                f"{made.path}: {name} cannot refer to other keys: it would not follow an option or "
                "value that is given later. Write the value itself."
            )
    origins = dict.fromkeys(map(str, made.top), made.path)
    return _layer_of(made.top, origins, made.config | Config(composed=(made,)), loading)


def _layer_of(
    top: CellMap, origins: dict[str, str], config: Config, loading: Loading
) -> ConfigLayer:
    """*config*, which has the targets of *top*, with the reserved names of *top*."""
    from kohaku_ast.config.config_gen import read_sweep
    from kohaku_ast.config.python_file import RESERVED, field_of, refuse_mistyped

    refuse_mistyped({str(name) for name in top} - {"_base"}, loading.path)
    _name_bases(top, origins, loading)
    for name in RESERVED:
        if name in top:
            config |= field_of(name, _field(name, top[name], origins[name]), origins[name])
    if "_sweep" not in top:
        return ConfigLayer(config)
    return ConfigLayer(config, read_sweep(top["_sweep"], loading, origins, config))


def _field(name: str, cell: Cell, origin: str) -> object:
    too_large = beyond_floats(cell) if name in ("_args", "_kwargs") else ""
    if too_large:
        raise ConfigError(f"{origin}: {name}: {beyond(too_large)}")
    if name == "_argv" and isinstance(cell, CellList):
        return [str(one) if isinstance(one, CellText) else native(one) for one in cell]
    return native(cell)


def _name_bases(top: CellMap, origins: dict[str, str], loading: Loading) -> None:
    """Add the paths in ``_base`` to the bases of *loading*."""
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
