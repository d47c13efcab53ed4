"""Sweep: many Configs for one Script, each made when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import prod
from typing import Any

from kohaku_ast.config.axis import (
    Axis,
    Part,
    Walk,
    draw_parts,
    multiply,
    pair_axes,
    pair_parts,
    refuse_twice,
)
from kohaku_ast.config.axis_grammar import read_axes, read_parts
from kohaku_ast.config.axis_values import Once
from kohaku_ast.config.config import Config, value_text
from kohaku_ast.config.config_sources import Chain, ConfigSource, First, repeats
from kohaku_ast.display.text import Group, Row, html_table, short_repr
from kohaku_ast.errors import (
    PATHS,
    ConfigError,
    ConfigTypeError,
    check_type,
    read_number,
)
from kohaku_ast.users_traceback import public, shown_items

_ORIGIN = "Sweep"


class LengthError(ConfigError, TypeError):
    """A Sweep is endless, or its size is known only after it has run.

    Also a TypeError: ``list(sweep)`` then goes on without a length.
    """


@public
@dataclass(frozen=True, init=False, eq=False, repr=False)
class Sweep(Part):
    """Configs to run a Script with: ``Sweep({"lr": [0.1, 0.2]}, bs=[16, 32])`` is four of them.

    The axes multiply in the order given, the first one slowest. An axis is any iterable (an array,
    a generator), or a form: ``"range:0:10:2"``, ``"loguniform:1e-5:1e-1"``. A tuple of targets
    has rows: ``{("a", "b"): [(1, 2), (3, 4)]}``.

    ``a * b`` multiplies, ``a + b`` is one after the other; In ``config | sweep``
    and ``sweep | config`` every Config gets the values of both, and the right side wins: an axis
    of the left side is dropped if the right side sets its target.

    Raises ConfigError for an axis that is empty or no iterable, and for a target swept twice.
    """

    #: The values that every Config has unless an axis sets them.
    base: Config
    #: The parts that are multiplied, the slowest first.
    parts: tuple[Part, ...]

    def __init__(self, /, *axes: Mapping[Any, object] | Axis, **named: object) -> None:
        object.__setattr__(self, "base", Config())
        object.__setattr__(self, "parts", tuple(read_parts(axes, named, _ORIGIN)))
        refuse_twice(self.parts, _ORIGIN)

    # --- ways to make one ------------------------------------------------------------------------

    @classmethod
    def zip(cls, /, *axes: Mapping[Any, object] | Axis, **named: object) -> Sweep:
        """The axes side by side: the first values of all, then the second ones.

        Raises ConfigError if one has more values than another, as soon as this is known.
        """
        return cls(pair_axes(read_parts(axes, named, _ORIGIN), _ORIGIN))

    @staticmethod
    def product(*sweeps: Sweep) -> Sweep:
        """Every combination of their Configs, the first Sweep slowest: ``a * b``."""
        made = Sweep()
        for sweep in sweeps:
            check_type(sweep, Sweep, f"{_ORIGIN}: a product is of Sweeps", ConfigError)
            made = made * sweep
        return made

    @staticmethod
    def chain(*sweeps: Sweep) -> Sweep:
        """One after the other: ``a + b``."""
        if not sweeps:
            raise ConfigError(f"{_ORIGIN}: a chain of no sweeps gives no runs")
        for one in sweeps:
            check_type(one, Sweep, f"{_ORIGIN}: a chain is of Sweeps", ConfigError)
        return _sweep_of(Config(), (Chain(sweeps),))

    @staticmethod
    def from_dict(axes: Mapping[Any, object], origin: str = _ORIGIN) -> Sweep:
        """The Sweep of a dict of axes; ``"__mode__": "zip"`` pairs them. Messages name *origin*."""
        return Sweep(*read_axes(axes, origin))

    @staticmethod
    def of(
        source: Iterable[object] | Callable[[], object] | Config, origin: str = _ORIGIN
    ) -> Sweep:
        """The Configs, dicts of targets or Sweeps that *source* gives, one after the other.

        A function without parameters is called each time the Sweep is iterated; an iterator gives
        its items once. A generator gets each run's Outcome as the value of its ``yield``.
        Raises ConfigError for another source, and while it is iterated for another item.
        """
        if isinstance(source, Sweep):
            return source
        if isinstance(source, Config):
            return _sweep_of(source, ())
        return _sweep_of(Config(), (ConfigSource(_read_source(source, origin), origin),))

    @staticmethod
    def from_table(path: str) -> Sweep:
        """A Config for each row of a CSV, JSON or YAML file; ConfigError for a bad one."""
        check_type(path, PATHS, f"{_ORIGIN}: a table is a file's name", ConfigError)
        from kohaku_ast.config.siblings import Siblings
        from kohaku_ast.config.trials import read_trials  # csv is imported for a table only

        axis = read_trials(path)
        return _sweep_of(Config(siblings=(Siblings.of_files(path),)), (axis,))

    @staticmethod
    def from_file(path: str) -> Sweep:
        """The Sweep that a config file describes; of one Config if it describes a Config."""
        check_type(path, PATHS, f"{_ORIGIN}: path is a file's name", ConfigError)
        from importlib import import_module

        # By name: config_files imports this module, to make a Sweep.
        made: Sweep = import_module("kohaku_ast.config.config_files").load_sweep(path)
        return made

    # --- size and axes ---------------------------------------------------------------------------

    @property
    def size(self) -> int | None:
        sizes = [part.size for part in self.parts]
        known = [size for size in sizes if size is not None]
        return prod(known) if len(known) == len(sizes) else None

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(axis for part in self.parts for axis in part.axes)

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets of all its axes, the slowest first."""
        return self.varied

    @property
    def listens(self) -> bool:
        return any(part.listens for part in self.parts)

    @property
    def is_settled(self) -> bool:
        return all(part.is_settled for part in self.parts)

    @property
    def inner(self) -> Iterable[Part]:
        return self.parts

    @property
    def is_plain(self) -> bool:
        return not self.parts and self.base == Config()

    def __len__(self) -> int:
        if self.size is None:
            raise LengthError(f"{self!r} has no length that is known before it has run")
        return self.size

    def __bool__(self) -> bool:
        return True  # without this, `if sweep` would call __len__, which raises for an endless one

    def __str__(self) -> str:
        return ", ".join(map(str, self.parts)) or "1 Config"

    def __repr__(self) -> str:
        runs = "" if self.size is None else f" = {self.size} run{'s' if self.size != 1 else ''}"
        return f"Sweep({self}{runs})"

    def _repr_html_(self) -> str:
        return sweep_html(self)

    # --- its Configs -----------------------------------------------------------------------------

    def __iter__(self) -> Walk:
        """A generator of its Configs; ``send`` it the Outcome of each run if a search is in it.

        Raises ConfigError if a random axis was not drawn yet.
        """
        for axis in self.axes:
            if axis.is_random:
                axis.rows()  # raises before anything runs, and says how to draw
        return shown_items(self.walk(Config()))

    def walk(self, start: Config, taken: frozenset[str] = frozenset()) -> Walk:
        return multiply(self.parts, start | self.base, taken)

    # --- Sweeps derived from it ------------------------------------------------------------------

    def first(self, n: int) -> Sweep:
        """At most *n* of its Configs."""
        read_number(f"{_ORIGIN}.first: n", n, 1, of=ConfigError)
        return _sweep_of(Config(), (First(self, n),))

    def repeat(self, n: int, seed: str = "") -> Sweep:
        """Each of its Configs *n* times, one after the other.

        A run reads its number, 0 to n - 1, in the variable ``KOGINE_REPEAT``, and in the target
        *seed*, if one is named. In the results, the repeats of a Config are one group.
        """
        made = _sweep_of(self.base, (*self.parts, repeats(n, seed, _ORIGIN)))
        refuse_twice(made.parts, _ORIGIN)
        return made

    def draw(self, n: int, seed: int) -> Sweep:
        """The Sweep with *n* joint draws as one axis in place of its random axes.

        The draws of a target depend on its name and on *seed* alone; each Config has the seed in
        ``metadata["sweep_seed"]``. Raises ConfigError if no axis is random.
        """
        if not self.is_random:
            raise ConfigError(f"{self!r} has no random axis to draw: .first(n) is its first n runs")
        read_number(f"{_ORIGIN}.draw: n", n, 1, of=ConfigError)
        read_number(f"{_ORIGIN}.draw: seed", seed, of=ConfigError)
        seeded = self.base | Config(metadata={"sweep_seed": seed})
        return _sweep_of(seeded, draw_parts(self.parts, n, seed))

    def pair(self, *targets: str) -> Sweep:
        """The Sweep with the axes of *targets* side by side instead of multiplied.

        They stand where the first of them stood. Raises ConfigError for a target that is no axis,
        and if one has more values than another.
        """
        return _sweep_of(self.base, pair_parts(self.parts, targets))

    def without(self, *targets: str) -> Sweep:
        """The Sweep without axes of these targets, and without values of its sources for them."""
        for target in targets:
            check_type(target, str, f"{_ORIGIN}: without() takes targets", ConfigError)
        left = [part.without(*targets) for part in self.parts]
        return _sweep_of(self.base, tuple(part for part in left if part is not None))

    def under(self, config: Config) -> Sweep | None:
        left = self | config
        return None if not left.parts and self.base == Config() else left

    def remembered(self) -> Sweep:
        return _sweep_of(self.base, tuple(part.remembered() for part in self.parts))

    def with_each(self, change: Callable[[Config], Config]) -> Sweep:
        return _sweep_of(change(self.base), tuple(part.with_each(change) for part in self.parts))

    def __mul__(self, other: object) -> Sweep:
        if not isinstance(other, Sweep):
            return NotImplemented
        left = self | other.base
        made = _sweep_of(left.base, (*left.parts, *other.parts))
        refuse_twice(made.parts, _ORIGIN)
        return made

    def __add__(self, other: object) -> Sweep:
        return Sweep.chain(self, other) if isinstance(other, Sweep) else NotImplemented

    def __or__(self, other: object) -> Sweep:
        if isinstance(other, Sweep):
            return self.without(*other.varied) * other
        if not isinstance(other, Config):
            return NotImplemented
        left = [part.under(other) for part in self.parts]
        return _sweep_of(self.base | other, tuple(part for part in left if part is not None))

    def __ror__(self, other: object) -> Sweep:
        return (
            _sweep_of(other | self.base, self.parts)
            if isinstance(other, Config)
            else NotImplemented
        )


def _sweep_of(base: Config, parts: tuple[Part, ...]) -> Sweep:
    made = object.__new__(Sweep)
    object.__setattr__(made, "base", base)
    object.__setattr__(made, "parts", parts)
    return made


def _read_source(source: object, origin: str) -> Iterable[object] | Callable[[], Iterable[object]]:
    """*source* in the form that ConfigSource takes its items from."""
    if isinstance(source, (list, tuple)):
        if not source:
            raise ConfigError(f"{origin}: it lists no Configs: it would run nothing")
        return tuple(source)
    if isinstance(source, Iterable) and not isinstance(source, (str, bytes, Mapping)):
        once = iter(source) is source
        return Once(iter(source), f"{origin}: the iterator of Configs") if once else source
    if callable(source):
        return partial(_call_source, source, origin)
    raise ConfigTypeError(
        f"{origin}: neither Configs, nor a function that gives them: {short_repr(source)}. "
        "For a dict of axes write Sweep({...}), for one Config Sweep.of([{...}])"
    )


def _call_source(source: Callable[[], object], origin: str) -> Iterable[object]:
    """The items that *source* returns: an iterable, a dict of axes, a Sweep or one Config."""
    made = source()
    if isinstance(made, Mapping):
        return [Sweep.from_dict(made, origin)]
    if isinstance(made, (Config, Sweep)):
        return [made]
    if isinstance(made, Iterable) and not isinstance(made, (str, bytes)):
        return made
    raise ConfigTypeError(f"{origin}: the function gives no Configs, but {short_repr(made)}")


_SHOWN_CONFIGS = 20


def sweep_html(sweep: Sweep) -> str:
    """A table of its first Configs; of its axes if Configs would run code or use up an iterator."""
    return _configs_html(sweep) if sweep.is_settled else _axes_html(sweep)


def _configs_html(sweep: Sweep) -> str:
    configs = list(islice(sweep, _SHOWN_CONFIGS))
    targets = tuple(dict.fromkeys(target for config in configs for target in config.varied))
    rows: list[Row] = []
    for number, config in enumerate(configs):
        values = config.globals_dict
        cells = [value_text(values[name]) if name in values else "" for name in targets]
        rows.append((str(number), *cells))
    more = "" if sweep.size is None or sweep.size <= _SHOWN_CONFIGS else f"... {sweep.size} in all"
    return html_table(("run", *targets), [Group("", tuple(rows))], caption=repr(sweep), note=more)


def _axes_html(sweep: Sweep) -> str:
    rows = tuple((", ".join(one.targets), _size(one.size), one.shown) for one in sweep.axes)
    return html_table(("axis", "size", "values"), [Group("", rows)], caption=repr(sweep))


def _size(size: int | None) -> str:
    return "" if size is None else str(size)
