"""Finding records: all of them, and those that a resumed flow need not run again."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

from kohaku_ast.store.record import Record


def find_runs(root: Path, statuses: Collection[str] = (), newest: bool = False) -> Iterator[Record]:
    """The records below *root*, the oldest first, or the *newest*; only those with one of
    *statuses*, if there are any. What is no record is passed over.
    """
    try:
        names = sorted(os.listdir(root), reverse=newest)
    except OSError:
        return
    for name in names:
        if name.startswith("."):
            continue
        record = Record.read(root / name)
        if record is not None and (not statuses or record.status in statuses):
            yield record


class Finished:
    """What earlier flows have finished. Each record stands for one run: a Config that a Sweep
    holds five times is done when there are five.
    """

    def __init__(self, root: Path) -> None:
        #: Only names are kept: of 20,000 records one would notice the rest.
        self._root = root
        self._folders: dict[tuple[str, str], list[str]] = defaultdict(list)
        #: Script, entrypoint and label of a run that succeeded -> of which programs.
        self._programs: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for record in find_runs(root):
            self._folders[record.identity, record.status].append(record.folder.name)
            if record.status == "succeeded":
                entrypoint = str(record.facts["script"].get("entrypoint"))
                start = record.script, entrypoint, record.label
                self._programs[start].add(str(record.facts.get("program")))

    def take(self, identity: str, status: str, wanted: Collection[str] = ()) -> Record | None:
        """The last record of it, once; None if there is none that kept all the outputs *wanted*."""
        names = self._folders.get((identity, status), [])
        for name in reversed(names):
            record = Record.read(self._root / name)
            if record is not None and _has(record, wanted):
                names.remove(name)
                return record
        return None

    def knows_other(self, start: tuple[str, ...], program: str) -> bool:
        """Whether a run of this *start* (script, entrypoint, label) has succeeded, but never with
        this *program*.
        """
        programs = self._programs.get(start, set())
        return bool(programs) and program not in programs


def _has(record: Record, wanted: Collection[str]) -> bool:
    """Whether all outputs *wanted* were kept, and nothing that is read of them was damaged."""
    try:
        _, _, kept = record.outcome(), record.commit, record.wanted
    except Exception:  # whatever a broken disk or somebody's editor has put there
        return False
    return kept >= set(wanted)
