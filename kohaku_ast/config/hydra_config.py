"""Configs of Hydra and OmegaConf: a YAML file with a defaults list, ``${...}`` or ``???``.

Hydra composes the file in a process of its own (``hydra_process.py``). A Config keeps the file as a
Composed: once the values of a run are known (options of groups, values that others read), the file
is composed anew with them, so that what is derived follows.
"""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kohaku_ast.config.cells import Cell, CellList, CellMap, CellText, find_commas, native
from kohaku_ast.config.config import Config, LayeredTable
from kohaku_ast.config.data_file import has_defaults, targets_of
from kohaku_ast.errors import ConfigError, did_you_mean, near

INSTALL = 'pip install "kohaku-ast[hydra]"'
ONLY_YAML = "Hydra reads the defaults list of .yaml files alone: rename it"
_ENDS = (".yaml", ".yml")


# --- one composition -----------------------------------------------------------------------------


def _empty_record() -> dict[str, dict[str, Any]]:
    return {"texts": {}, "folders": {}}


@dataclass(frozen=True, eq=False)
class Composed:
    """A file of Hydra or OmegaConf as composed; picklable."""

    #: As the user wrote it, and its full path.
    path: str
    file: str
    #: Whether it has a defaults list.
    has_defaults: bool
    #: The groups of which its defaults list takes several options.
    lists: frozenset[str] = frozenset()
    #: Its top level; a value that cannot be had is its text in the file.
    top: CellMap = field(default_factory=CellMap)
    #: Its overrides, and their places.
    config: Config = field(default_factory=Config)
    #: Group -> option; None if Hydra could not tell.
    choices: Mapping[str, str | None] | None = None
    #: Keys without a value, and why.
    problems: Mapping[str, str] = field(default_factory=dict)
    #: The keys that interpolations read.
    reads: tuple[str, ...] = ()
    #: Why it could not be composed at all; empty if it could.
    failure: str = ""
    #: The keys that values were given to.
    applied: tuple[str, ...] = ()
    #: What it was composed to already, by words and values.
    known: dict[object, Composed] = field(default_factory=dict, repr=False)
    #: Its files as they were when it was read first. Those that are composed of it share it: all
    #: runs of a flow see the same texts, whatever one of them writes.
    record: dict[str, dict[str, Any]] = field(default_factory=_empty_record, repr=False)
    #: Group -> its options.
    groups: Mapping[str, list[str]] = field(default_factory=dict, repr=False)

    def with_(
        self, words: Sequence[str], values: Sequence[tuple[str, object]], job: str
    ) -> Composed:
        """The file composed with *words* of Hydra and *values* of keys."""
        key = marshal.dumps((list(words), list(values), job))
        if key not in self.known:
            self.known[key] = _compose(self, words, values, job)
        return self.known[key]

    def is_group(self, target: str) -> bool:
        """Whether ``target=option`` chooses a group: it is in the defaults list."""
        if self.choices is not None:
            return target in self.choices or target in self.lists
        return self.has_defaults and bool(self.options(target))

    def options(self, group: str) -> list[str]:
        """The options of *group*: the files in its folder."""
        name = group.partition("@")[0].lstrip("/")
        if name in self.groups:
            return self.groups[name]
        folder = os.path.join(os.path.dirname(self.file), name)
        try:
            names = sorted(os.listdir(folder)) if folder else []
        except (OSError, ValueError):
            return []
        return [name[: -len(end)] for name in names for end in _ENDS[:1] if name.endswith(end)]

    def is_helper(self, target: str) -> bool:
        """Whether all of the key *target* is read by interpolations: the script may lack it."""
        return _is_helper(target, self.top, self.reads)

    def all_keys(self) -> Iterator[str]:
        """Each key of it, ``db`` and ``db.host``."""
        yield from _keys(self.top, ())

    def problem(self) -> ConfigError | None:
        """The first key that has no value, as an error."""
        for key, text in self.problems.items():
            shown = f"{key}=VALUE"
            if text == "???":
                text = f"must be given ({text}): write {shown}"
            elif "interpolation type" in text:
                text += (
                    ". kogine runs no code of the script, so resolvers that it registers are "
                    f"unknown: write {shown}"
                )
            elif "not found" in text and "nterpolation key" in text:
                text += f". Write {shown}; for the text itself, \\${{...}} in the file"
            else:
                text += f". Write {shown}"
            return ConfigError(f"{self.path}: {key}: {text}")
        return None


def _keys(cell: Cell, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(cell, CellMap):
        for key, one in cell.items():
            yield ".".join([*path, key])
            yield from _keys(one, (*path, str(key)))


def read_composed(path: str, top: CellMap) -> Composed:
    """The file at *path*, with the content *top*, composed by Hydra or OmegaConf; raises
    ConfigError if they are not installed.
    """
    listed = top.get("defaults") if has_defaults(top) else ()
    lists = [
        group.split()[-1]
        for one in listed or ()
        for group, option in (one.items() if isinstance(one, CellMap) else ())
        if isinstance(option, CellList)
    ]
    start = Composed(path, os.path.abspath(path), has_defaults(top), frozenset(lists))
    if start.has_defaults and path.lower().endswith(".yml"):
        raise ConfigError(f"{path}: {ONLY_YAML}")
    return _compose(start, (), (), "")


def _compose(
    start: Composed, words: Sequence[str], values: Sequence[tuple[str, object]], job: str
) -> Composed:
    path, file = start.path, start.file
    answer = ask_hydra(
        path, file, words=list(words), values=[*values], job=job, record=start.record
    )
    if "record" in answer:
        for kind, found in answer["record"].items():
            start.record[kind].update(found)
    made = replace(
        Composed(path, file, start.has_defaults, start.lists), choices=answer.get("choices"),
        record=start.record, groups={**start.groups, **answer.get("groups", {})},
    )  # fmt: skip
    if "failure" in answer:
        return replace(made, failure=_failure(answer["failure"], made))
    top = _cell(answer["values"])
    assert isinstance(top, CellMap)
    chosen = " ".join(f"{group}={one}" for group, one in (made.choices or {}).items() if one)
    origin = f"{path} with {chosen}" if chosen else path
    config = targets_of(top, dict.fromkeys(map(str, top), origin))
    reads = tuple(answer["reads"])
    optional = frozenset(one for one in config.globals_dict if _is_helper(one, top, reads))
    return replace(
        made, top=top, config=config | Config(optional=optional), problems=answer["problems"],
        reads=reads, applied=tuple(answer["applied"]),
    )  # fmt: skip


def ask_hydra(path: str, file: str, **order: Any) -> dict[str, Any]:
    """What Hydra says of the config *file*, which errors call *path*; ``hydra_process`` has the
    entries of *order*. Raises ConfigError if it is not installed.
    """
    name, ending = os.path.splitext(os.path.basename(file))
    whole = {
        "file": file, "folder": os.path.dirname(file), "name": name if ending == ".yaml" else "",
        "words": [], "values": [], "job": "", "record": _empty_record(), "files": False, **order,
    }  # fmt: skip
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hydra_process.py")
    done = subprocess.run(
        [sys.executable, program], input=marshal.dumps(whole), stdout=subprocess.PIPE, check=False
    )
    if done.returncode or not done.stdout:
        raise ConfigError(f"{path}: the process that composes it ended with {done.returncode}")
    answer: dict[str, Any] = marshal.loads(done.stdout)
    if "absent" in answer:
        raise ConfigError(
            f"{path}: a YAML file with a defaults list, ${{...}} or ??? needs {answer['absent']}, "
            f"of Hydra: {INSTALL}"
        )
    return answer


def _failure(found: Mapping[str, Any], made: Composed) -> str:
    text, missing, options = found["text"], found["missing"], found["options"]
    if not missing:
        return f"{made.path}: {text}"
    name = str(missing).rpartition("/")[2]
    if options:
        group = str(missing).rpartition("/")[0]
        return (
            f"{made.path}: the group {group!r} has no {name!r}: choose one of "
            f"{', '.join(options)}.{did_you_mean(name, options)}"
        )
    return (
        f"{made.path}: its defaults list needs {missing!r}, and there is no such file. "
        "(Schemas that a script stores in Hydra's ConfigStore are unknown: kogine does not run it. "
        "If 'defaults' is a parameter of the script, write it in _overrides.)"
    )


def _cell(value: object) -> Cell:
    """A value of OmegaConf as a cell."""
    if isinstance(value, dict):
        made = CellMap()
        for key, one in value.items():
            made[CellText(str(key), isinstance(key, str))] = _cell(one)
        return made
    if isinstance(value, list):
        return CellList(map(_cell, value))
    if value is None:
        return CellText("null", is_null=True)
    return CellText(str(value), is_quoted=isinstance(value, str))


def _is_helper(target: str, top: CellMap, reads: tuple[str, ...]) -> bool:
    """Whether all of *target* is read by interpolations, so that the script may lack it."""
    if target in reads:
        return True
    inner = list(_keys(top.get(CellText(target), CellText()), (target,)))
    leaves = [one for one in inner if not any(other.startswith(f"{one}.") for other in inner)]
    above = [[one.rsplit(".", n)[0] for n in range(one.count(".") + 1)] for one in leaves]
    return bool(leaves) and all(any(key in reads for key in keys) for keys in above)


# --- the values of a run -------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """A value that stands above the files of Hydra: ``db=mysql``, ``+db=mysql``, ``db.host=x``."""

    #: As the user wrote it, and the key of the file that it gives a value.
    target: str
    key: str
    value: object


@dataclass(frozen=True)
class Settled:
    """A Config whose files of Hydra are composed with the values of one run."""

    config: Config
    #: The targets that were words for Hydra: none of the script.
    used: frozenset[str]
    #: Target -> the key of a file that has its value already.
    applied: Mapping[str, str]


def is_word(target: str) -> bool:
    """Whether it is one of Hydra's ``+db``, ``++db`` and ``~db``."""
    return target[:1] in ("+", "~")


def settle(
    config: Config, typed: Sequence[Given] = (), job: str = "", *, is_whole: bool = True
) -> Settled:
    """*config* with its files of Hydra composed for the values in it, and *typed* over them.

    *job* is the name of the script. Raises ConfigError for what has no value; without *is_whole*,
    it has its text in the file.
    """
    used: set[str] = set()
    applied: dict[str, str] = {}
    for one in config.composed:
        own = [*_above(config, one), *typed]
        choices = [given for given in own if _is_choice(one, given)]
        values = [given for given in own if given not in choices]
        made = _made(one, [_word(one, given) for given in choices], values, job)
        if made.failure:
            raise ConfigError(made.failure)
        problem = made.problem()
        if problem and is_whole:
            raise problem
        config = _with_given(_replaced(config, one, made), made, own)
        used |= {given.target for given in choices}
        applied |= {given.target: given.key for given in own if given.key in made.applied}
    kept = {k: v for k, v in config.globals_dict.items() if not is_word(k)}
    return Settled(replace(config, globals_dict=kept), frozenset(used), applied)


def _made(one: Composed, words: Sequence[str], values: Sequence[Given], job: str) -> Composed:
    """*one* with *words* and *values*. A process that composes it takes half a second: a value that
    nothing reads needs none.
    """
    keys = {*one.all_keys(), *one.problems}
    values = [given for given in values if words or one.failure or given.key in keys]
    needs_job = any("hydra:job" in why for why in one.problems.values())
    if words or one.failure or needs_job or any(_is_read(one, given.key) for given in values):
        return one.with_(words, [(given.key, _plain(given, one)) for given in values], job)
    return _with_values(one, values) if values else one


def _is_read(one: Composed, key: str) -> bool:
    return any(f"{name}.".startswith(f"{key}.") or key.startswith(f"{name}.") for name in one.reads)


def _with_values(one: Composed, values: Sequence[Given]) -> Composed:
    """*one* with *values* in the place of its own."""
    top: Cell = one.top
    for given in values:
        value = given.value
        top = _put(top, given.key.split("."), CellText(value) if type(value) is str else value)
    assert isinstance(top, CellMap)
    keys = tuple(given.key for given in values)
    left = {
        name: why
        for name, why in one.problems.items()
        if not any(f"{name}.".startswith(f"{key}.") for key in keys)
    }
    config = targets_of(top, {"_overrides": one.path, **one.config.origins})
    config |= Config(optional=one.config.optional)
    return replace(one, top=top, config=config, problems=left, applied=keys)


def _put(cell: Any, steps: Sequence[str], value: Any) -> Any:
    """*cell* with *value* at the place *steps*."""
    if not steps:
        return value
    if isinstance(cell, CellList):
        items = enumerate(cell)
        return CellList(
            _put(one, steps[1:], value) if str(n) == steps[0] else one for n, one in items
        )
    return CellMap(
        {key: _put(one, steps[1:], value) if key == steps[0] else one for key, one in cell.items()}
    )


def _above(config: Config, one: Composed) -> Iterator[Given]:
    """The values of *config* that are not the file's own."""
    own = one.config.globals_dict
    for target, value in config.globals_dict.items():
        if own.get(target) is not value:
            if isinstance(value, CellMap):
                for key in _keys(value, (target,)):
                    inner = _at(value, key[len(target) + 1 :])
                    if not isinstance(inner, CellMap):
                        yield Given(target, key, inner)
            else:
                yield Given(target, target, value)


def _at(cell: Any, key: str) -> Cell:
    for step in key.split("."):
        cell = cell[step]
    found: Cell = cell
    return found


def _is_choice(one: Composed, given: Given) -> bool:
    return is_word(given.target) or (given.target == given.key and one.is_group(given.target))


def _word(one: Composed, given: Given) -> str:
    """The word of Hydra for a choice. Raises ConfigError for an option that does not exist."""
    target, value = given.target, given.value
    if isinstance(value, str) and value[:1] != "[" and find_commas(value):
        raise ConfigError(
            f"{target}={value}: one option is chosen: write `--sweep {target}={value}` for a run "
            f"with each, `{target}=[{value}]` for all of them in one"
        )
    if is_word(target):
        return target if target[0] == "~" and value == "" else f"{target}={value}"
    if value is None or (isinstance(value, CellText) and value.is_null):
        return f"{target}=null"
    if not isinstance(value, (str, CellList)):
        raise ConfigError(f"{target!r} is a group of {one.path}: its option is a text")
    text = str(value) if isinstance(value, str) else f"[{','.join(map(str, value))}]"
    names = [part.strip() for part in text.strip("[]").split(",")]
    options = one.options(target)
    for name in names:
        if options and "/" not in name and name not in (*options, "null"):
            found = near(name, options, 1)
            hint = f" Did you mean {found[0]!r}?" if found else ""
            raise ConfigError(
                f"{target}={text}: the group {target!r} of {one.path} has no {name!r}: choose "
                f"one of {', '.join(options)}.{hint}"
            )
    return f"{target}={text}"


def _plain(given: Given, one: Composed) -> Any:
    """The value as OmegaConf can hold it; raises ConfigError if an interpolation needs another."""
    value: Any = given.value
    if type(value) is str and value != "none":  # a text, as in Hydra and in YAML
        value = CellText(value)
    value = native(value)
    value = list(value) if isinstance(value, tuple) else value
    if given.value == "None":
        value = None
    try:
        marshal.dumps(value)
    except ValueError:
        if given.key not in one.reads:
            return str(value)
        raise ConfigError(
            f"{one.path}: an interpolation reads {given.key!r}, whose value OmegaConf cannot hold: "
            f"{type(value).__name__}"
        ) from None
    return value


def _replaced(config: Config, one: Composed, made: Composed) -> Config:
    """*config* with the values of *made* in the place of those of *one*."""
    if made is one:
        return config
    before, after = one.config.globals_dict, made.config.globals_dict
    chosen = {target for target in config.globals_dict if one.is_group(target)}
    kept = {
        target: value
        for target, value in config.globals_dict.items()
        if target not in chosen and before.get(target) is not value
    }
    values = {**after, **kept}
    order = [*(name for name in config.globals_dict if name in values), *values]
    origins = {**config.origins, **{k: v for k, v in made.config.origins.items() if k not in kept}}
    ranks = {k: v for k, v in config.ranks.items() if k not in chosen}
    return replace(
        config,
        globals_dict={name: values[name] for name in dict.fromkeys(order)},
        origins=origins,
        optional=config.optional - one.config.optional | made.config.optional,
        ranks={**dict.fromkeys(after, _rank(config, before)), **ranks},
        tables={k: tuple(_table(t, before, after, k) for t in v) for k, v in config.tables.items()},
        composed=tuple(made if each is one else each for each in config.composed),
    )


def _with_given(config: Config, made: Composed, own: Sequence[Given]) -> Config:
    """*config* with those of *own* named that stand inside a value of *made*: ``db.host``."""
    inside = dict.fromkeys(given.key for given in own if given.key in made.applied)
    origins = dict(config.origins)
    for name, origin in made.config.origins.items():
        keys = [key for key in inside if key.startswith(f"{name}.")]
        if keys and origins.get(name) == origin:
            origins[name] = f"{origin}, {' and '.join(keys)} given"
    return replace(config, origins=origins)


def _rank(config: Config, before: Mapping[str, object]) -> int:
    return min((config.ranks.get(name, 0) for name in before), default=0)


def _table(
    table: LayeredTable, before: Mapping[str, object], after: Mapping[str, object], name: str
) -> LayeredTable:
    new = after.get(name)
    is_own = table.cells is before.get(name) and isinstance(new, CellMap)
    return table._replace(cells=new) if is_own else table  # type: ignore[arg-type]
