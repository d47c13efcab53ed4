"""Config files: a path in, a Config or a Sweep out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kohaku_ast.config.config import Config
from kohaku_ast.config.loading import ConfigLayer, Loading, inherited
from kohaku_ast.errors import ConfigError

if TYPE_CHECKING:
    from kohaku_ast.config.sweep import Sweep


_DATA = (".yaml", ".yml", ".toml", ".json")


def load(
    path: str, *, previous: Mapping[str, object] | None = None, worker_id: int | None = None
) -> Config | Sweep:
    """What the file at *path* describes.

    A Python file: its ``config_gen()``, else ``CONFIG``, else every name that it assigns or
    defines; *previous* (script name -> Outcome) and *worker_id* are for ``config_gen``. A YAML,
    TOML or JSON file: a mapping of targets to values. Raises ConfigError; an exception of the
    file's own code is in it with its traceback.
    """
    loading = Loading(os.fspath(path), previous, worker_id)
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
    """What the config of *loading* describes, with all that it inherits."""
    return inherited(loading, _said(loading), load_file)


def _said(loading: Loading) -> ConfigLayer:
    ending = os.path.splitext(loading.path)[1].lower()
    if ending in _DATA:
        from kohaku_ast.config.data_file import read_data_file

        return read_data_file(loading)
    if ending not in ("", ".py"):
        hint = " Rows of a table are for --trials." if ending == ".csv" else ""
        known = ", ".join([".py", *_DATA])
        raise ConfigError(f"{loading.path}: a config ends in one of {known}.{hint}")
    from kohaku_ast.config.python_file import read_python_file

    return read_python_file(loading)
