"""``use_config``: a config on top of others, whose derived values follow it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from kohaku_ast.config.cells import native
from kohaku_ast.config.config import Config
from kohaku_ast.config.loading import Loading, current
from kohaku_ast.config.said import Said
from kohaku_ast.errors import ConfigError, UsageError, near

if TYPE_CHECKING:
    from kohaku_ast.config.sweep import Sweep


def use_config(path: str | os.PathLike[str]) -> BaseValues:
    """Inherit from the config at *path*, which starts at the calling config's own folder.

    Its values hold where the calling config says nothing; those that it derives from others are
    worked out from the calling config's. What it is by itself can be read from the result.
    """
    heir = current()
    if heir is None:
        raise UsageError("use_config() is for config files: call it at the top of one")
    base = os.fspath(path)
    heir.base(base, heir.above)
    heir.bases.append((base, f"{heir.path}:{sys._getframe(1).f_lineno}"))
    return BaseValues(heir, base)


def inherited(
    loading: Loading, said: Said, load_file: Callable[[Loading], Config | Sweep]
) -> Config | Sweep:
    """What the config *said* on top of its bases, each of them run with its values."""
    above = {**said.fixed.globals_dict, **loading.above}
    below: Config | Sweep = Config()
    for path, where in loading.bases:
        try:
            base = loading.base(path, above)
            below = below | load_file(base)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        loading.consumed |= base.consumed
    # The script may lack a name that a base has read, also where this config gives its value.
    fixed = said.fixed | Config(optional=frozenset(loading.consumed))
    return replace(said, fixed=fixed).over(below)


class BaseValues:
    """The values of a config that another one inherits from; its file is run when one is read."""

    def __init__(self, heir: Loading, path: str) -> None:
        self.__dict__.update(_path=path, _load=lambda: _values_of(heir, path))

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)  # copy, pickle and inspect ask for much; nothing is run
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
    """The names of the file's module, and the targets of the one Config that it is."""
    from kohaku_ast.config.load import load_file

    base = heir.base(path, heir.above)
    made = load_file(base)
    names = {key: one for key, one in base.module.__dict__.items() if not key.startswith("__")}
    targets = made.globals_dict if isinstance(made, Config) else {}
    return {**names, **{target: native(one) for target, one in targets.items()}}
