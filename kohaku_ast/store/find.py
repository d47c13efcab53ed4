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
        for record in find_runs(root):
            self._folders[record.identity, record.status].append(record.folder.name)

    def take(self, identity: str, status: str, wanted: Collection[str] = ()) -> Record | None:
        """The last record of it, once; None if there is none that kept all the outputs *wanted*."""
        names = self._folders.get((identity, status), [])
        for name in reversed(names):
            record = Record.read(self._root / name)
            if record is not None and record.wanted >= set(wanted):
                names.remove(name)
                return record
        return None
