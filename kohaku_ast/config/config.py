"""Config: one full set of overrides for a Script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from kohaku_ast.errors import ConfigError, near


def _frozen(value: Mapping[str, object]) -> Mapping[str, object]:
    return MappingProxyType(dict(value))


@dataclass(frozen=True)
class Config:
    """What to override in a Script, and what to give to its entrypoint.

    ``a | b`` has everything of both; *b* wins where they disagree.

    Raises ConfigError for a field of the wrong type.
    """

    #: Target -> value; targets as in ``kogine run --inspect`` (``lr``, ``Args.lr``, ``--lr``).
    globals_dict: Mapping[str, object] = field(default_factory=dict)
    #: Positional arguments for the call that the guard makes.
    args: tuple[object, ...] = ()
    #: Keyword arguments for the call that the guard makes.
    kwargs: Mapping[str, object] = field(default_factory=dict)
    #: What the script finds in ``sys.argv[1:]``.
    argv: tuple[str, ...] = ()
    #: Notes for records; the script does not see them.
    metadata: Mapping[str, object] = field(default_factory=dict)
    #: Globals that the script does not define, set before its first statement.
    new_globals: Mapping[str, object] = field(default_factory=dict)
    #: Globals of the script whose last values the Outcome keeps.
    outputs: tuple[str, ...] = ()
    #: Where each target's value came from; empty for values given in Python.
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    #: Targets that a config file made for its own use, so that the script may lack them.
    optional: frozenset[str] = field(default=frozenset(), compare=False)

    def __post_init__(self) -> None:
        for name in ("globals_dict", "kwargs", "metadata", "new_globals", "origins"):
            value = getattr(self, name)
            if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
                raise ConfigError(f"Config: {name} is a mapping of names to values, got {value!r}")
            object.__setattr__(self, name, _frozen(value))
        for name in ("args", "argv", "outputs"):
            value = getattr(self, name)
            if isinstance(value, str) or not isinstance(value, (list, tuple)):
                raise ConfigError(f"Config: {name} is a list, got {value!r}")
            object.__setattr__(self, name, tuple(value))

    def __or__(self, other: object) -> Config:
        if not isinstance(other, Config):
            return NotImplemented
        changes: dict[str, Any] = {
            name: {**getattr(self, name), **getattr(other, name)} for name in _MAPPINGS
        }
        for name in _LISTS:
            changes[name] = getattr(other, name) or getattr(self, name)
        own = self.optional - set(other.globals_dict)
        return replace(self, **changes, optional=own | other.optional)

    def _repr_html_(self) -> str:
        from kohaku_ast.display.html import html_table
        from kohaku_ast.display.table import group_rows

        rows = [(title, (name, shown, where)) for title, name, shown, where in self._cells()]
        return html_table(("name", "value", "from"), group_rows(rows), note="" if rows else "empty")

    def _cells(self) -> Iterator[tuple[str, str, str, str]]:
        """Field, name in it, value and origin, of everything that is set."""
        from kohaku_ast.display.short import short_repr

        for field_ in ("globals_dict", "new_globals", "kwargs", "metadata"):
            for name, value in getattr(self, field_).items():
                origin = self.origins.get(name, "") if field_ == "globals_dict" else ""
                yield field_, name, short_repr(value), origin
        for field_ in _LISTS:
            for number, value in enumerate(getattr(self, field_)):
                yield field_, str(number), short_repr(value), ""

    def __reduce__(self) -> tuple[object, ...]:
        # A read-only view cannot be pickled; a plain dict goes in its place.
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        plain = {
            name: dict(value) if isinstance(value, Mapping) else value
            for name, value in values.items()
        }
        return _make, (plain,)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Config:
        """The Config with these fields; raises ConfigError for an unknown one."""
        known = [one.name for one in fields(cls)]
        for name in values:
            if name not in known:
                found = near(name, known)
                hint = f" Did you mean {found[0]!r}?" if found else f" It has: {', '.join(known)}."
                raise ConfigError(f"Config: unknown field {name!r}.{hint}")
        return cls(**values)  # type: ignore[arg-type]

    @classmethod
    def from_file(cls, path: str) -> Config:
        """The one Config that the Python file *path* describes."""
        from kohaku_ast.config.load import load_config

        return load_config(path)


_MAPPINGS = ("globals_dict", "kwargs", "metadata", "new_globals", "origins")
_LISTS = ("args", "argv", "outputs")


def _make(values: Mapping[str, object]) -> Config:
    return Config(**values)  # type: ignore[arg-type]
