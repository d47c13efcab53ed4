"""What comes out of a run that is reproduced, beside what came out of it then; and what has changed
around it: inputs, Python, packages.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from kohaku_ast.store.environment import lacking_secrets, machine
from kohaku_ast.store.record import Record
from kohaku_ast.store.run_folder import FILES, hash_of
from kohaku_ast.store.sources import versions
from kohaku_ast.store.values import is_whole, read


def compare_results(
    before: Record, after: Record | None
) -> tuple[tuple[str, ...], dict[str, tuple[str, str]]]:
    """The names of equal results; and of others -> the result in both, as text."""
    then, now = dict(_results(before)), {} if after is None else dict(_results(after))
    names = [*then, *(one for one in now if one not in then)]
    equal = tuple(one for one in names if then.get(one) == now.get(one))
    return equal, {
        one: (then.get(one, "(none)"), now.get(one, "(none)")) for one in names if one not in equal
    }


def _results(record: Record) -> Iterator[tuple[str, str]]:
    """Name and text of all that came out of a run."""
    yield "status", record.status
    yield "exit status", str(record.exit_status)
    facts = record.facts
    forms = {"value": facts.get("value"), **(facts.get("outputs") or {})}
    for name, form in forms.items():
        if form is not None and form != {"json": None}:
            yield name, _text_of(form)
    for name, numbers in record.metric_summary.items():
        yield f"metrics.{name}", _text_of_metric(numbers)
    for one in facts.get("files") or ():
        yield f"{FILES}/{one['path']}", str(one["sha256"] or f"{one['size']} bytes")
    for one in facts.get("artifacts") or ():
        yield f"artifacts.{one['path']}", str(one["sha256"] or f"not kept: {one.get('problem')}")


def _text_of_metric(numbers: Mapping[str, Any]) -> str:
    last = str(numbers["last"])
    if numbers["count"] == 1:
        return last
    least, most = (nan if numbers[one] is None else numbers[one] for one in ("min", "max"))
    return f"{last} (min {least}, max {most}, {numbers['count']} numbers)"


def _text_of(form: Mapping[str, Any]) -> str:
    shown = {name: one for name, one in form.items() if name not in ("object", "inside")}
    return str(read(form)) if is_whole(form) else json.dumps(shown)


# --- surroundings --------------------------------------------------------------------------------


def changes(record: Record, inputs: Sequence[InputFile]) -> Iterator[str]:
    """What differs from the surroundings of the run of *record*, which had these *inputs*."""
    yield from (f"the input {one.path!r} {one.change}" for one in inputs if one.change)
    lacking = lacking_secrets(record.facts, os.environ)
    if lacking:
        yield lacking
    resumed = record.facts.get("resumed_from")
    if resumed:
        yield f"the run went on from the checkpoints of {resumed}, and this one began anew"
    before, now = record.facts.get("environment") or {}, machine()
    for name in ("python", "implementation", "platform"):
        if before.get(name) != now[name]:
            yield f"{name} was {before.get(name)}, and is {now[name]}"
    packages = record.facts.get("packages") or {}
    today = versions(packages)
    for name, version in packages.items():
        if today.get(name) != version:
            yield f"{name} was {version}, and is {today.get(name) or 'not installed'}"


@dataclass(frozen=True)
class InputFile:
    """A file that a run has declared as its input, as it is now."""

    #: As it is in the record.
    path: str
    #: Where its script has found it.
    place: str
    #: Today's file; empty if there is none.
    today: str
    #: How it differs from that of the run; empty if it does not.
    change: str


def declared_inputs(record: Record, linked: Mapping[str, str]) -> list[InputFile]:
    """The inputs of the run of *record*; *linked*: place -> today's path of files and folders that
    the user has named.
    """
    found = []
    for one in record.facts.get("inputs") or ():
        path = str(one["path"])
        place = os.path.normpath(os.path.join(str(record.facts["cwd"]), path))
        today = _today(path, place, linked)
        found.append(InputFile(path, place, today, _change(today, one["sha256"])))
    return found


def _today(path: str, place: str, linked: Mapping[str, str]) -> str:
    for one, source in linked.items():
        if os.path.commonpath([one, place]) == one:
            return os.path.normpath(os.path.join(source, os.path.relpath(place, one)))
    # In a copy of the store, the file may be beside it.
    return next((one for one in (place, os.path.abspath(path)) if os.path.isfile(one)), "")


def _change(today: str, digest: str | None) -> str:
    try:
        if not today:
            return "is gone"
        if digest is None:
            return "was written during the run"
        return "" if hash_of(today) == digest else "has other content now"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
