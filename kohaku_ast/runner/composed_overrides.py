"""The overrides of a Config that has files of Hydra: which words choose an option of a group, which
give a value to a key that others read, and which are left for the script.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from kohaku_ast.config.cells import CellMap
from kohaku_ast.config.config import Config
from kohaku_ast.config.hydra_config import Given, Settled, is_word, settle
from kohaku_ast.errors import AmbiguousTarget, ConfigError
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.overrides import Override, of_config, spread_tables

FullTargets = Callable[[Sequence[Override]], dict[str, str]]
"""Target -> its full spelling, for those that the script has."""


def settled_overrides(
    config: Config, typed: Sequence[Override], launch: Launch, as_is: bool, full: FullTargets
) -> tuple[Config, list[Override]]:
    """*config* with its files of Hydra composed for its own values and those of *typed*, and the
    overrides of both, without those that were for Hydra.

    Raises ConfigError for a file that cannot be composed, and AmbiguousTarget for a word that may
    mean a group or a parameter.
    """
    given = list(_given(config, typed, full))
    found = settle(config, given, _job_name(launch))
    _refuse_ambiguous(found, launch, full)
    left = [one for one in typed if one.target not in found.used]
    overrides = [*spread_tables(of_config(found.config, as_is=as_is), launch), *left]
    whole = {one.target for one in overrides if isinstance(one.value, CellMap)}
    kept = [one for one in overrides if not _is_in(one.target, whole, found.applied)]
    # `mul=9 steps=3`: where `steps: ${mul}` is overridden, too, nothing reads `mul` any more.
    read = {target for target in found.applied if is_helper(config, target)}
    return found.config, _helpers_optional(found.config, kept, read)


def is_choice(config: Config, target: str) -> bool:
    """Whether ``target=option`` chooses an option of a group in a file of Hydra in *config*."""
    composed = config.composed
    return any(one.is_group(target) for one in composed) or (bool(composed) and is_word(target))


def is_helper(config: Config, target: str) -> bool:
    """Whether interpolations of a file of Hydra in *config* read *target*: a value for it gives
    them theirs, and the script may lack it.
    """
    return any(one.is_helper(target) for one in config.composed)


def _helpers_optional(
    config: Config, overrides: Sequence[Override], read: Collection[str] = ()
) -> list[Override]:
    """*overrides*, those of keys that interpolations read as optional; *read* are some of them."""
    found = [one.aimed_at(one.target) for one in overrides]
    for one in found:
        one.optional = one.optional or one.target in read or is_helper(config, one.target)
    return found


def checked_overrides(
    base: Config,
    overrides: Sequence[Override],
    typed: Sequence[Override],
    launch: Launch,
    full: FullTargets,
) -> list[Override]:
    """*overrides*, which stand over *base*, as far as the script must have their targets. *typed*
    may choose the files whose interpolations read some of them.
    """
    if any(is_choice(base, one.target) for one in typed):
        try:
            given = list(_given(base, typed, full))
            base = settle(base, given, _job_name(launch), is_whole=False).config
        except ConfigError:
            pass  # an axis chooses what is lacking: the run says whether it is all there
    return _helpers_optional(base, overrides)


def chosen(base: Config, overrides: Sequence[Override]) -> Config | None:
    """*base* with *overrides* over it; None if none of them chooses an option of a group."""
    if not any(is_choice(base, one.target) for one in overrides):
        return None
    origins = {one.target: one.origin for one in overrides}
    return base | Config({one.target: one.value for one in overrides}, origins=origins)


def _given(config: Config, typed: Sequence[Override], full: FullTargets) -> Iterator[Given]:
    """Each of *typed* with the key of a file of Hydra that it gives a value, by any spelling."""
    keys = [key for one in config.composed for key in one.all_keys()]
    groups = {one.target for one in typed if any(c.is_group(one.target) for c in config.composed)}
    other = [one for one in typed if not (is_word(one.target) or one.target in {*keys, *groups})]
    alike = {one.target: [k for k in keys if _last(k) == _last(one.target)] for one in other}
    by_full: dict[str, str] = {}
    if any(alike.values()):
        names = {*alike, *(key for found in alike.values() for key in found)}
        by_full = full([Override(name, None, "", optional=True) for name in names])
    for one in typed:
        same = [
            key
            for key in alike.get(one.target, ())
            if key in by_full and by_full[key] == by_full.get(one.target)
        ]
        yield Given(one.target, same[0] if same else one.target, one.value)


def _last(target: str) -> str:
    """``host`` of ``db.host``, ``Args.host``, ``main(host)`` and ``--host``."""
    return re.split(r"\W", target.lstrip("-").replace("-", "_").rstrip(")]\"'"))[-1]


def _is_in(target: str, whole: set[str], applied: Mapping[str, str]) -> bool:
    """Whether a mapping that replaces a dict of the script has the value of *target* already."""
    key = applied.get(target, "")
    return any(key.startswith(f"{name}.") for name in whole)


def _refuse_ambiguous(found: Settled, launch: Launch, full: FullTargets) -> None:
    """Raise AmbiguousTarget for ``model=vit`` if the files of the group ``model`` do not set the
    parameter of that name: it would keep its value.
    """
    values = found.config.globals_dict
    silent = [
        one
        for one in found.used
        if one.isidentifier()
        and not (one in values or any(key.startswith(f"{one}.") for key in values))
    ]
    for name in full([Override(one, None, "", optional=True) for one in silent]) if silent else ():
        raise AmbiguousTarget(
            f"{name}=...: {name!r} is a group of the config, whose files do not set {name!r}, "
            f"and a parameter of {os.path.basename(launch.filename)}, which would keep its value. "
            f"Rename one of them, or set {name!r} in the group's files"
        )


def _job_name(launch: Launch) -> str:
    """The name of the script as Hydra makes it: ``train`` of ``train.py`` and ``pkg.train``."""
    module = getattr(launch, "module", "__main__")
    if module != "__main__":
        return str(module).rpartition(".")[2]
    return os.path.splitext(os.path.basename(launch.filename))[0]
