"""Which parameter of a script a key of another tool's config means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kohaku_ast.errors import near
from kohaku_ast.transform.inspection import Inspection
from kohaku_ast.transform.parameters import Parameter
from kohaku_ast.transform.targets import last_name, split_default, split_path

Key = tuple[str, ...]
"""The steps of a key: ``("model", "dim")``."""


@dataclass(frozen=True)
class Match:
    """A parameter that a key may mean."""

    parameter: Parameter
    #: How far the key and the target agree; smaller is closer.
    rank: int


def match_keys(found: Inspection, keys: Sequence[Key]) -> dict[Key, Parameter | str]:
    """Each key with the parameter it means, or the reason why it means none.

    By the whole path, then by its end, then by the last name; of two keys that fit one parameter
    the closer one has it, and of two equally close ones neither.
    """
    matches = {key: match_key(found, key) for key in keys}
    given = {key: match for key, match in matches.items() if isinstance(match, Match)}
    best = Counter((one.parameter.target, one.rank) for one in given.values())
    ranks = {target: min(rank for name, rank in best if name == target) for target, _ in best}
    result: dict[Key, Parameter | str] = {}
    for key, match in matches.items():
        if isinstance(match, str):
            result[key] = match
            continue
        target = match.parameter.target
        is_only = match.rank == ranks[target] and best[target, match.rank] == 1
        result[key] = match.parameter if is_only else f"another key fits {target!r} as well"
    return result


def match_key(found: Inspection, key: Key) -> Match | str:
    """The closest parameter, or why there is none."""
    for only_settings in (True, False):
        listed = found.listed(everything=not only_settings)
        fitting = [
            Match(one, rank) for one in listed if not one.refused for rank in _ranks(one, key)
        ]
        closest = min((one.rank for one in fitting), default=0)
        best = [one for one in fitting if one.rank == closest]
        if len(best) == 1:
            return best[0]
        if best:
            names = " and ".join(one.parameter.target for one in best[:3])
            return f"it fits {names}"
    return _unknown(found, key)


def _unknown(found: Inspection, key: Key) -> str:
    names = [one.target for one in found.listed()]
    last = {last_name(name): name for name in names}
    hints = [last[name] for name in near(key[-1], list(last), 1, cutoff=0.75)]
    hint = f"; did you mean {hints[0]!r}?" if hints else ""
    return f"{found.file} has no such parameter{hint}"


def _ranks(parameter: Parameter, key: Key) -> Iterator[int]:
    """How close *parameter* is to *key*: one number, or none if they have nothing in common."""
    path = _path(parameter.target)
    forms = [
        path == key,
        path[-len(key) :] == key,
        path == ("_".join(key),),
        path == (key[-1],),
        path[-1:] == key[-1:],
        path[-1:] and path[-1].casefold() == key[-1].casefold(),
    ]
    yield from [rank for rank, fits in enumerate(forms) if fits][:1]


def _path(target: str) -> Key:
    """``--batch-size``, ``Args.batch_size`` and ``main(batch_size)`` as steps; () for no name."""
    default = split_default(target)
    if default:
        return (*default[0].split("."), default[1])
    if target.startswith("-"):
        return (last_name(target),)
    steps = split_path(target)
    return tuple(step for step in steps if isinstance(step, str)) if last_name(target) else ()
