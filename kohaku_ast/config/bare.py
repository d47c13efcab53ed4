"""Bare config files: every name that the file itself assigns or defines is an override."""

from __future__ import annotations

from collections.abc import Mapping

from kohaku_ast.config.config import Config
from kohaku_ast.config.inherit import BaseValues
from kohaku_ast.config.loading import Loading
from kohaku_ast.config.own_code import OwnCode
from kohaku_ast.config.said import Said
from kohaku_ast.config.swept import read_sweep
from kohaku_ast.errors import ConfigError, near

RESERVED = {
    "_args": "args",
    "_kwargs": "kwargs",
    "_argv": "argv",
    "_metadata": "metadata",
    "_outputs": "outputs",
}
"""The names that fill a field of the Config, and the field each one fills."""

_KNOWN = [*RESERVED, "_overrides", "_sweep"]


def read_bare(loading: Loading, code: OwnCode) -> Said:
    """What the file says whose *code* has run in the module of *loading*."""
    defined = {
        name: value
        for name in code.defined
        if name in (space := loading.module.__dict__)
        and not isinstance(value := space[name], BaseValues)
    }
    refuse_mistyped(set(defined) - code.read, loading.path)
    lines = {name: f"{loading.path}:{line}" for name, line in code.defined.items()}
    values, origins = _overrides(defined, code.read, lines)
    config = Config(values, origins=origins)
    for name in RESERVED.keys() & defined.keys():
        config |= field_of(name, defined[name], lines[name])
    helpers = (code.read & values.keys()) - set(_targets_of(defined))
    config |= Config(optional=frozenset(helpers))
    if "_sweep" not in defined:
        return Said(config)
    return Said(config, read_sweep(defined["_sweep"], loading, lines, config))


def _overrides(
    defined: Mapping[str, object], read: set[str], lines: Mapping[str, str]
) -> tuple[dict[str, object], dict[str, str]]:
    """Target -> value, and where each one stands."""
    values = {name: value for name, value in defined.items() if not name.startswith("_")}
    origins = {name: lines[name] for name in values}
    where = lines.get("_overrides", "")
    for target, value in _targets_of(defined, where).items():
        if target in values and target not in read:
            raise ConfigError(
                f"{where}: {target!r} is in _overrides, and assigned at {origins[target]}: "
                "give it one value"
            )
        values[target], origins[target] = value, where
    return values, origins


def _targets_of(defined: Mapping[str, object], where: str = "") -> Mapping[str, object]:
    found = defined.get("_overrides", {})
    if not isinstance(found, Mapping) or not all(isinstance(target, str) for target in found):
        raise ConfigError(f"{where}: _overrides is a dict of targets to values, got {found!r}")
    return found


def field_of(name: str, value: object, where: str) -> Config:
    """The Config in which the reserved *name* has filled its field."""
    try:
        return Config.from_dict({RESERVED[name]: value})
    except ConfigError as error:
        told = str(error).removeprefix("Config: ").replace(RESERVED[name], name, 1)
        raise ConfigError(f"{where}: {told}") from None


def refuse_mistyped(names: set[str], path: str) -> None:
    """A private name that nothing reads and that looks reserved is a typo, not a private name."""
    private = [name for name in names - set(_KNOWN) if name.startswith("_") and len(name) > 3]
    for name in sorted(private):
        found = near(name, _KNOWN, 1, cutoff=0.75)
        if found:
            raise ConfigError(f"{path}: unknown reserved name {name!r}. Did you mean {found[0]!r}?")
