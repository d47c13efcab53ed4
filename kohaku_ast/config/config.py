"""Config: one full set of overrides for a Script; how two are merged, named and compared.

When two data files both have a table ``Args``, their merge depends on the script. If ``Args`` is a
class there, the upper table overrides single attributes and the lower one gives the others. If it
is a dict, the upper table replaces it whole. So a Config keeps both until the script is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import FunctionType, MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from kohaku_ast.config.cells import CellMap, CellText, is_cell, native
from kohaku_ast.errors import (
    PATHS,
    ConfigError,
    ConfigTypeError,
    check_named,
    check_type,
    did_you_mean,
    visible,
)
from kohaku_ast.files import why_outside
from kohaku_ast.users_traceback import public

if TYPE_CHECKING:
    from kohaku_ast.config.siblings import Siblings


_T = TypeVar("_T")


_NOTHING: Mapping[str, object] = MappingProxyType({})


def _frozen(value: Mapping[str, object]) -> Mapping[str, object]:
    return MappingProxyType(dict(value))


@public
@dataclass(frozen=True, init=False)
class Config:
    """Overrides for a Script, and the arguments of its entrypoint: ``Config(lr=0.1)``.

    Targets that are no names, or have the name of a field, go by the dict:
    ``Config({"Args.lr": 0.1, "args": 3})``.

    ``a | b`` has the values of both; *b* wins where both set the same target.

    Raises ConfigError for a field of the wrong type.
    """

    #: Target -> value; targets as in ``kogine run --inspect`` (``lr``, ``Args.lr``, ``--lr``).
    globals_dict: Mapping[str, object] = field(default_factory=dict)
    #: Positional arguments for the call that the guard makes.
    args: tuple[object, ...] = ()
    #: Keyword arguments for the call that the guard makes.
    kwargs: Mapping[str, object] = field(default_factory=dict)
    #: The script's ``sys.argv[1:]``.
    argv: tuple[str, ...] = ()
    #: Notes for records; the script does not see them.
    metadata: Mapping[str, object] = field(default_factory=dict)
    #: Globals that the script does not define, set before its first statement.
    new_globals: Mapping[str, object] = field(default_factory=dict)
    #: Globals of the script whose last values the Outcome keeps.
    outputs: tuple[str, ...] = ()
    #: Files that the script reads: paths, folders, patterns. A cached result is for their contents.
    inputs: tuple[str, ...] = ()
    #: Patterns of the files of the run that its record keeps.
    artifacts: tuple[str, ...] = ()
    #: Where each target's value came from; empty for values given in Python.
    origins: Mapping[str, str] = field(default_factory=dict, compare=False)
    #: Targets that a config file reads itself, so that it is no error if the script lacks them.
    optional: frozenset[str] = field(default=frozenset(), compare=False)
    #: The targets that vary in the Sweep that made this Config, the slowest first.
    varied: tuple[str, ...] = field(default=(), compare=False)
    #: Target -> the merge that brought it: of two names for one parameter, the later one wins.
    ranks: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
    #: The rank of the next merge.
    height: int = field(default=1, compare=False, repr=False)
    #: Target -> the tables of other data files below its own, used if it is a class.
    tables: Mapping[str, tuple[LayeredTable, ...]] = field(
        default_factory=dict, compare=False, repr=False
    )
    #: The modules that its config files import from their own folders.
    siblings: tuple[Siblings, ...] = field(default=(), compare=False, repr=False)
    #: Its files of Hydra, which are composed anew for the values of a run.
    composed: tuple[Any, ...] = field(default=(), compare=False, repr=False)

    def __init__(
        self,
        globals_dict: Mapping[str, object] = _NOTHING,
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] = _NOTHING,
        argv: Sequence[str] = (),
        metadata: Mapping[str, object] = _NOTHING,
        new_globals: Mapping[str, object] = _NOTHING,
        outputs: Sequence[str] = (),
        inputs: Sequence[str] = (),
        artifacts: str | Sequence[str] = (),
        **more: Any,
    ) -> None:
        """*more*: the other fields, and overrides of globals."""
        ours = {name for name in more if name in _INTERNAL and _is_field(name, more)}
        overrides = {name: more.pop(name) for name in [*more] if name not in ours}
        values = self.__dict__
        values.update(
            {**_INTERNAL, **more}, args=args, kwargs=kwargs, argv=argv, metadata=metadata,
            new_globals=new_globals, outputs=outputs, inputs=inputs, globals_dict=globals_dict,
            artifacts=(artifacts,) if isinstance(artifacts, str) else artifacts,
        )  # fmt: skip
        self._check()
        if overrides:
            for name in overrides.keys() & values["globals_dict"].keys():
                raise ConfigError(f"Config: {name!r} is given twice, in the dict and by its name")
            values["globals_dict"] = _frozen({**values["globals_dict"], **overrides})

    def _check(self) -> None:
        values = self.__dict__
        for name in (*_MAPPINGS, "ranks", "tables"):
            value = values[name]
            if type(value) is dict and not value:
                values[name] = _NOTHING
                continue
            if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
                raise ConfigTypeError(
                    f"Config: {name} is a mapping of names to values, got {value!r}"
                )
            values[name] = _frozen(value)
        for name in (*_LISTS, *_UNITED):
            value = values[name]
            if isinstance(value, str) or not isinstance(value, (list, tuple)):
                raise ConfigTypeError(f"Config: {name} is a list, got {value!r}")
            values[name] = tuple(value)
        for name in ("argv", "outputs", "inputs", "artifacts"):
            for text in values[name]:
                if not isinstance(text, str):
                    raise ConfigTypeError(f"Config: {name} is a list of texts, got {text!r}")
        for text in values["artifacts"]:
            problem = why_outside(text)
            if problem:
                raise ConfigError(
                    f"Config: artifacts {text!r}: {problem}. Write a pattern below the folder that "
                    "the run works in, or KOGINE_RUN_DIR: ckpt/*.pt"
                )

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
        values["tables"] = stack_tables(self, other)
        own = mine["optional"]
        values["optional"] = others["optional"] | (own and own - others["globals_dict"].keys())
        for name in _UNITED:
            values[name] = _united(mine[name], others[name])
        return made

    def _ranks(self, other: Config) -> tuple[Mapping[str, int], int]:
        if not (self.globals_dict and other.globals_dict):
            only = other if other.globals_dict else self
            return only.ranks, only.height
        height = self.height
        ranks = {**self.ranks, **dict.fromkeys(other.globals_dict, height)}
        for target, rank in other.ranks.items():
            ranks[target] = height + rank
        return MappingProxyType(ranks), height + other.height

    def with_origin(self, origin: str) -> Config:
        """The same Config, with *origin* for each target that has none."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        origins = {**dict.fromkeys(self.globals_dict, origin), **self.origins}
        made.__dict__["origins"] = MappingProxyType(origins)
        return made

    @property
    def label(self) -> str:
        """Its values of the targets that vary in its Sweep: ``"lr=0.1 bs=32"``; else empty."""
        values = self.globals_dict
        return label_of([(name, values[name]) for name in self.varied if name in values])

    def _repr_html_(self) -> str:
        from kohaku_ast.display.text import group_rows, html_table

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
        check_named(values, object, "Config: from_dict takes a dict of fields", ConfigError)
        known = [one.name for one in fields(cls)]
        for name in values:
            if name not in known:
                public_ones = [one for one in known if one not in _INTERNAL]
                hint = did_you_mean(name, public_ones) or f" It has: {', '.join(public_ones)}."
                raise ConfigError(f"Config: unknown field {name!r}.{hint}")
        return cls(**values)  # type: ignore[arg-type]

    @classmethod
    def from_file(cls, path: str) -> Config:
        """The one Config that the file at *path* describes; ConfigError if it is a Sweep."""
        check_type(path, PATHS, "Config: path is a file's name", ConfigError)
        from importlib import import_module

        # By name: config_files imports this module, to make a Config.
        made: Config = import_module("kohaku_ast.config.config_files").load_config(path)
        return made


def as_config(value: object) -> Config | None:
    """*value* as a Config if it is one, or has the fields of a KohakuEngine Config; else None."""
    if isinstance(value, Config):
        return value
    if isinstance(value, type) or not all(hasattr(value, name) for name in _KOHAKUENGINE_FIELDS):
        return None
    given = {name: getattr(value, name) for name in _KOHAKUENGINE_FIELDS}
    return Config.from_dict({name: one for name, one in given.items() if one is not None})


def use(value: _T) -> _T:
    """Return *value* itself: functions, classes and imported objects need no wrapper.

    It is here for configs that were written for KohakuEngine.
    """
    return value


def _merged(first: Mapping[str, object], second: Mapping[str, object]) -> Mapping[str, object]:
    if not second:
        return first
    return MappingProxyType({**first, **second}) if first else second


def _united(first: tuple[_T, ...], second: tuple[_T, ...]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(first + second)) if first and second else first or second


_MAPPINGS = ("globals_dict", "kwargs", "metadata", "new_globals", "origins")
_LISTS = ("args", "argv", "outputs", "inputs", "artifacts")
_UNITED = ("varied", "siblings", "composed")
_INTERNAL: dict[str, Any] = {
    "origins": _NOTHING, "optional": frozenset(), "varied": (), "ranks": _NOTHING, "height": 1,
    "tables": _NOTHING, "siblings": (), "composed": (),
}  # fmt: skip
"""The fields that no user gives, with their defaults."""


def _is_field(name: str, given: Mapping[str, Any]) -> bool:
    """Whether the argument *name* is the field of that name, and not an override of a global: a
    script may well have a ``height`` or ``tables``.
    """
    value = given[name]
    if name in ("ranks", "height", "tables"):
        # `replace` gives all fields.
        return given.keys() >= _INTERNAL.keys() and isinstance(given["ranks"], Mapping)
    if name in ("siblings", "composed"):
        ours = isinstance(value, tuple) and all(map(_is_of_ours, value))
        return ours and (bool(value) or given.keys() >= _INTERNAL.keys())
    return isinstance(value, {"origins": Mapping, "optional": frozenset}.get(name, (tuple, list)))


def _is_of_ours(value: object) -> bool:
    return type(value).__module__.startswith("kohaku_ast.")


_KOHAKUENGINE_FIELDS = ("globals_dict", "args", "kwargs", "metadata")


def _make(values: Mapping[str, object]) -> Config:
    return Config(**values)  # type: ignore[arg-type]


def label_of(pairs: Iterable[tuple[str, object]], most: int = 80) -> str:
    """``lr=0.1 bs=32`` for these targets and values, cut at *most* characters."""
    label = visible(" ".join(f"{target}={value_text(value)}" for target, value in pairs))
    return label if len(label) <= most else label[: most - 3] + "..."


def value_text(value: object) -> str:
    """*value* as short text on one line; never raises."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (bool, int, float)) or value is None:
        return _one_line(value)
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str) and callable(value):
        return name
    return _one_line(native(value))


def _text(value: str) -> str:
    if isinstance(value, CellText) and not value.is_quoted:
        return str(value) if value.isprintable() else repr(str(value))
    text = str(value)
    is_plain = text.isprintable() and not any(char in text for char in " '\"")
    # '1e-3' is another value than 1e-3, and '[1]' than [1].
    is_text = text[:1] not in ("[", "(", "{") and native(CellText(text)) == text
    return text if text and is_plain and is_text else repr(text)


def _one_line(value: object) -> str:
    from kohaku_ast.display.text import short_repr

    return " ".join(short_repr(value).split("\n")) if not isinstance(value, str) else repr(value)


_NO_TABLES: Mapping[str, tuple[LayeredTable, ...]] = MappingProxyType({})


class LayeredTable(NamedTuple):
    """A table of a data file, with another one merged over it."""

    cells: CellMap
    origin: str
    #: As in ``Config.ranks``.
    rank: int


def stack_tables(below: Config, above: Config) -> Mapping[str, tuple[LayeredTable, ...]]:
    """The tables below those of ``below | above``, by target, the lowest first."""
    shared = [
        target
        for target, cells in above.globals_dict.items()
        if isinstance(cells, CellMap) and isinstance(below.globals_dict.get(target), CellMap)
    ]
    if not (shared or below.tables or above.tables):
        return _NO_TABLES
    found = {
        target: tables
        for target, tables in below.tables.items()
        if isinstance(above.globals_dict.get(target, CellMap()), CellMap)
    }
    for target in shared:
        found[target] = (*found.get(target, ()), _table_below(below, target))
    for target, tables in above.tables.items():
        found[target] = (*found.get(target, ()), *_lifted(tables, below, above))
    return MappingProxyType(found)


def _table_below(config: Config, target: str) -> LayeredTable:
    cells = config.globals_dict[target]
    assert isinstance(cells, CellMap)
    return LayeredTable(cells, config.origins.get(target, "Config"), config.ranks.get(target, 0))


def _lifted(
    tables: tuple[LayeredTable, ...], below: Config, above: Config
) -> Iterator[LayeredTable]:
    """*tables* with their ranks after the merge over *below*."""
    height = below.height if below.globals_dict and above.globals_dict else 0
    return (one._replace(rank=one.rank + height) for one in tables)


def same(one: object, other: object) -> bool:
    """Whether both are equal and of one type; equal definitions in two files are equal too."""
    if one is other:
        return True
    if is_cell(one) or is_cell(other):
        return same(native(one), native(other)) if is_cell(one) != is_cell(other) else one == other
    if type(one) is not type(other):
        return False
    if isinstance(one, FunctionType) and isinstance(other, FunctionType):
        return _same_function(one, other)
    if isinstance(one, type) and isinstance(other, type):
        return one.__qualname__ == other.__qualname__ and _same_items(_body(one), _body(other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return list(one) == list(other) and _same_items(one, other)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return _equal(one, other)


def _equal(one: object, other: object) -> bool:
    try:
        equal = one == other
        # An array answers with an array.
        return bool(equal.all()) if hasattr(equal, "all") else bool(equal)
    except Exception:
        return False  # the user's own __eq__ raised


def _same_function(one: FunctionType, other: FunctionType) -> bool:
    parts = ("__name__", "__defaults__", "__kwdefaults__")
    is_alike = all(same(getattr(one, part), getattr(other, part)) for part in parts)
    if not is_alike or not _same_code(one.__code__, other.__code__):
        return False
    cells = [[cell.cell_contents for cell in each.__closure__ or ()] for each in (one, other)]
    return same(*cells)


def _same_code(one: object, other: object) -> bool:
    """Whether both have the same instructions; file and line do not count."""
    parts = ("co_code", "co_names", "co_varnames", "co_freevars")
    if any(getattr(one, part) != getattr(other, part) for part in parts):
        return False
    constants = [getattr(each, "co_consts", ()) for each in (one, other)]
    return len(constants[0]) == len(constants[1]) and all(
        _same_code(a, b) if hasattr(a, "co_code") and hasattr(b, "co_code") else same(a, b)
        for a, b in zip(*constants)
    )


_PLACES = ("__module__", "__dict__", "__weakref__", "__firstlineno__", "__annotate_func__")


def _body(owner: type) -> dict[str, object]:
    return {name: value for name, value in vars(owner).items() if name not in _PLACES}


def _same_items(one: Mapping[Any, object], other: Mapping[Any, object]) -> bool:
    return set(one) == set(other) and all(same(one[key], other[key]) for key in one)
