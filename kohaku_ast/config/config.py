"""Config: one full set of overrides for a Script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from kohaku_ast.config.layers import Table, stacked
from kohaku_ast.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from kohaku_ast.config.siblings import Siblings

_T = TypeVar("_T")


_NOTHING: Mapping[str, object] = MappingProxyType({})


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
    #: The targets that vary in the Sweep that it is one of, outermost first.
    varied: tuple[str, ...] = field(default=(), compare=False)
    #: Target -> how late it was merged in: of two names for one parameter, the later one wins.
    ranks: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
    #: The rank of what is merged in next.
    height: int = field(default=1, compare=False, repr=False)
    #: Target -> the tables of data files that lie under its own: a class of the script has all.
    tables: Mapping[str, tuple[Table, ...]] = field(default_factory=dict, compare=False, repr=False)
    #: The modules that its config files have imported for themselves.
    siblings: tuple[Siblings, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        values = self.__dict__
        for name in (*_MAPPINGS, "ranks", "tables"):
            value = values[name]
            if type(value) is dict and not value:
                values[name] = _NOTHING
                continue
            if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
                raise ConfigError(f"Config: {name} is a mapping of names to values, got {value!r}")
            values[name] = _frozen(value)
        for name in (*_LISTS, *_UNITED):
            value = values[name]
            if isinstance(value, str) or not isinstance(value, (list, tuple)):
                raise ConfigError(f"Config: {name} is a list, got {value!r}")
            values[name] = tuple(value)
        for text in (*self.argv, *self.outputs):
            if not isinstance(text, str):
                raise ConfigError(f"Config: argv and outputs are lists of texts, got {text!r}")

    def __or__(self, other: object) -> Config:
        if not isinstance(other, Config):
            return NotImplemented
        # A Sweep does this for each of its runs: no field is checked or copied without need.
        made = object.__new__(type(self))
        mine, others, values = self.__dict__, other.__dict__, made.__dict__
        for name in _MAPPINGS:
            values[name] = _merged(mine[name], others[name])
        for name in _LISTS:
            values[name] = others[name] or mine[name]
        values["ranks"], values["height"] = self._ranks(other)
        values["tables"] = stacked(self, other)
        own = mine["optional"]
        values["optional"] = others["optional"] | (own and own - others["globals_dict"].keys())
        for name in _UNITED:
            values[name] = _united(mine[name], others[name])
        return made

    def _ranks(self, other: Config) -> tuple[Mapping[str, int], int]:
        if not (self.globals_dict and other.globals_dict):
            held = other if other.globals_dict else self
            return held.ranks, held.height
        height = self.height
        ranks = {**self.ranks, **dict.fromkeys(other.globals_dict, height)}
        for target, rank in other.ranks.items():
            ranks[target] = height + rank
        return MappingProxyType(ranks), height + other.height

    def placed(self, origin: str) -> Config:
        """The same, with *origin* for each target that has none."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        origins = {**dict.fromkeys(self.globals_dict, origin), **self.origins}
        made.__dict__["origins"] = MappingProxyType(origins)
        return made

    @property
    def label(self) -> str:
        """What sets it apart in its Sweep: ``"lr=0.1 bs=32"``; empty if nothing varies."""
        from kohaku_ast.config.labels import label_of

        values = self.globals_dict
        return label_of([(name, values[name]) for name in self.varied if name in values])

    def _repr_html_(self) -> str:
        from kohaku_ast.display.table import group_rows, html_table

        rows = [(title, (name, shown, where)) for title, name, shown, where in self._cells()]
        return html_table(("name", "value", "from"), group_rows(rows), note="" if rows else "empty")

    def _cells(self) -> Iterator[tuple[str, str, str, str]]:
        """Field, name in it, value and origin, of everything that is set."""
        from kohaku_ast.display.text import short_repr

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
                hint = did_you_mean(name, known) or f" It has: {', '.join(known)}."
                raise ConfigError(f"Config: unknown field {name!r}.{hint}")
        return cls(**values)  # type: ignore[arg-type]

    @classmethod
    def from_file(cls, path: str) -> Config:
        """The one Config that the file at *path* describes; ConfigError if it is a Sweep."""
        from kohaku_ast.config.load import load_config

        return load_config(path)


def as_config(value: object) -> Config | None:
    """*value* as a Config, if it is one or has the fields of KohakuEngine's; else None."""
    if isinstance(value, Config):
        return value
    if isinstance(value, type) or not all(hasattr(value, name) for name in _KOHAKUENGINE_FIELDS):
        return None
    given = {name: getattr(value, name) for name in _KOHAKUENGINE_FIELDS}
    return Config.from_dict({name: one for name, one in given.items() if one is not None})


def use(value: _T) -> _T:
    """*value* itself: functions, classes and imported objects need no wrapper here.

    For configs that were written for KohakuEngine.
    """
    return value


def _merged(first: Mapping[str, object], second: Mapping[str, object]) -> Mapping[str, object]:
    if not second:
        return first
    return MappingProxyType({**first, **second}) if first else second


def _united(first: tuple[_T, ...], second: tuple[_T, ...]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(first + second)) if first and second else first or second


_MAPPINGS = ("globals_dict", "kwargs", "metadata", "new_globals", "origins")
_LISTS = ("args", "argv", "outputs")
_UNITED = ("varied", "siblings")
_KOHAKUENGINE_FIELDS = ("globals_dict", "args", "kwargs", "metadata")


def _make(values: Mapping[str, object]) -> Config:
    return Config(**values)  # type: ignore[arg-type]
