"""The result of every migration, and the match of another tool's keys with parameters."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from kohaku_ast.errors import near
from kohaku_ast.transform.find.inspection import Inspection
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.paths import last_name, split_default, split_path

_LINE_END = re.compile(r"\r\n|\r|\n")
_COOKIE = re.compile(r"(coding[:=][ \t]*)(?!utf-?8\b)[-\w.]+", re.IGNORECASE)
Key = tuple[str, ...]
"""The steps of a key: ``("model", "dim")``."""


@dataclass(frozen=True)
class NotCarriedOver:
    """A part of the other tool's file that the new config lacks."""

    #: The file as the user named it, and the line in it.
    file: str
    line: int
    #: The part, and what to do about it.
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


@dataclass(frozen=True)
class Migrated:
    """A config made from another tool's file."""

    text: str
    #: In the order of the file.
    not_carried_over: tuple[NotCarriedOver, ...] = ()

    def with_heading(self, source: str) -> str:
        """The text below comments that name *source* and what was left out."""
        folder, name = os.path.split(source)
        heading = [f"# Made from {name} by kogine config migrate."]
        if self.not_carried_over:
            own = [replace(one, file=_below(one.file, folder)) for one in self.not_carried_over]
            heading += ["# Not carried over:", *(f"#   {one}" for one in own)]
        start, rest = _split_start(self.text)
        end = _LINE_END.search(self.text)
        newline = end.group() if end else "\n"
        rows = [" ".join(_LINE_END.split(row)).rstrip() for row in heading]
        return start + newline.join([*rows, "", rest.lstrip("\r\n")])


def _below(file: str, folder: str) -> str:
    """*file* without the *folder* that the migrated one is in."""
    return file[len(folder) + 1 :] if folder and file.startswith(folder + os.sep) else file


def in_order(left: Sequence[NotCarriedOver]) -> tuple[NotCarriedOver, ...]:
    """*left* sorted by file and line, without repetitions."""
    return tuple(sorted(dict.fromkeys(left), key=lambda one: (one.file, one.line)))


def _split_start(text: str) -> tuple[str, str]:
    """The ``#!`` line and the encoding cookie, which must stay at the top, and the rest."""
    lines = text.splitlines(keepends=True)
    count = 0
    while (
        count < min(2, len(lines))
        and lines[count].startswith("#")
        and (lines[count].startswith("#!") or "coding" in lines[count])
    ):
        count += 1
    # The result is written as UTF-8, whatever the encoding of its source.
    start = [_COOKIE.sub(r"\g<1>utf-8", line) for line in lines[:count]]
    return "".join(start), "".join(lines[count:])


# --- which parameter a key means -----------------------------------------------------------------


@dataclass(frozen=True)
class _Match:
    """A parameter that a key may mean."""

    parameter: Parameter
    #: How far the key and the target agree; smaller is closer.
    rank: int


def match_keys(found: Inspection, keys: Sequence[Key]) -> dict[Key, Parameter | str]:
    """The parameter that each key means, or the reason why it means none.

    Keys match by the whole path, then by its end, then by the last name. Of two keys that fit one
    parameter the closer one gets it; of two equally close ones neither does.
    """
    matches = {key: _match_key(found, key) for key in keys}
    given = {key: match for key, match in matches.items() if isinstance(match, _Match)}
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


def _match_key(found: Inspection, key: Key) -> _Match | str:
    """The closest parameter, or the reason why there is none."""
    for only_settings in (True, False):
        listed = found.listed(everything=not only_settings)
        fitting = [
            _Match(one, rank) for one in listed if not one.refused for rank in _ranks(one, key)
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
    """The rank of *parameter* for *key*, 0 for the closest; nothing if they do not match."""
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
