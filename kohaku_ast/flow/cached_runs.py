"""CachedRuns: finds recorded runs whose results are those of runs that are about to start, and
makes records that are complete without them.

A failure is never such a result, nor is a run that was interrupted or lost.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kohaku_ast.flow.run import SUCCEEDED, Run
from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.store.artifacts import artifacts_of, restore_file
from kohaku_ast.store.environment import host
from kohaku_ast.store.identity import without_content
from kohaku_ast.store.record import Record, time_text
from kohaku_ast.store.result_key import Change, Contents, ResultKey, changes, source_of
from kohaku_ast.store.run_folder import FILES, LOG, SERIES, RunFolder, key_of_name

_MOST_READ = 200
"""Records of one identity that are compared: the newest ones."""


class CachedRuns:
    """The recorded runs below a folder that may stand in for others."""

    def __init__(
        self,
        root: Path,
        needs_value: bool,
        warn: Callable[[str, str], None],
        cannot: Callable[[str, OSError], None],
    ) -> None:
        """*needs_value*: the returned value itself is needed, not only its text. *warn* gets a
        subject, about which it warns once, and a sentence; *cannot* what cannot be done on the
        disk, and why.
        """
        self._root, self._needs_value = root, needs_value
        self._warn, self._cannot = warn, cannot
        #: Of the declared inputs, and of modules.
        self.contents = Contents()
        self.inputs, self.confirmed = self.contents.inputs, self.contents.confirmed
        #: What names have of an identity -> names of folders.
        self._names: dict[str, list[str]] | None = None

    def take(
        self, run: Run, bound: Bound, own: Mapping[str, Any], variables: Mapping[str, str]
    ) -> bool:
        """Whether there is the result of *run*, which then gets it, with a record of its own that
        has the fields *own*. *variables* are those that the run would have besides those of this
        process.
        """
        if run.resumed_from is not None:
            return False  # what it goes on from is not in the key
        key = ResultKey.of_now(
            own["identity"], own["wanted"], own["inputs"], variables, own["in_run_dir"],
            self._needs_value, own["artifact_patterns"],
        )  # fmt: skip
        source = self._find(key)
        if source is None:
            self._warn_of_value(run, bound)
            return False
        if not own["in_run_dir"] and not self._restore(source, own["cwd"]):
            return False
        run.start_clock()
        run.cached, run.params = source_of(source), source.params
        run.folder, run.log = self._stand_in(source, run, own)
        run.outcome, run.ended = outcome_of(source, run), run.now()
        return True

    def _restore(self, source: Record, cwd: str) -> bool:
        """Write the artifacts of *source* to the working folder, as its run did; whether that is
        possible. A file with the same content stays.
        """
        try:
            kept = artifacts_of(source.facts)
            for one in kept:
                target = os.path.join(cwd, one.path)
                if one.in_files or not one.sha256 or self.contents.digest(target) == one.sha256:
                    continue
                restore_file(source.artifacts[one.path], target, one.sha256, one.mode)
        except (OSError, ValueError, LookupError, TypeError) as error:
            why = getattr(error, "strerror", None) or "they are damaged"
            self._warn(
                f"artifacts of {source.folder.name}",
                f"the artifacts of {source.folder.name} cannot be written to {cwd!r} ({why}): such "
                "runs are not cached.",
            )
            return False
        return True

    def _find(self, key: ResultKey) -> Record | None:
        """The newest record with the result of *key*; None if there is none."""
        for name in sorted(self._by_key()[key.identity[:8]], reverse=True)[:_MOST_READ]:
            record = Record.read(self._root / name)
            if record is not None and self._fits(record, key):
                return record
        return None

    def _stand_in(
        self, source: Record, run: Run, own: Mapping[str, Any]
    ) -> tuple[Path, Path | None]:
        """The folder and log of a record with the result of *source*: its own ones if there is no
        place for others.
        """
        folder = None
        try:
            folder = RunFolder.create(self._root, source.identity, run.started)
            facts = stand_in(source, run, folder, own)
            folder.write(facts)
        except OSError as error:
            self._cannot("keep a record", error)
            if folder is not None:
                folder.remove()
            return source.folder, source.log
        return folder.path, folder.log if facts["log"] else None

    def add(self, name: str) -> None:
        """The flow has a new record in the folder *name*, which later runs of it may find."""
        self._by_key()[key_of_name(name)].append(name)

    def _warn_of_value(self, run: Run, bound: Bound) -> None:
        """Once, for a value because of which *run* is never found."""
        found = without_content(bound)
        if found is not None:
            target, reason = found
            self._warn(
                f"value of {target}",
                f"{run.label}: {target!r} holds a value that cannot be recognised in another "
                f"process ({reason}): such runs are never cached.",
            )

    def _by_key(self) -> dict[str, list[str]]:
        if self._names is None:
            # The names of folders have a part of the identity: no record is read for this, and no
            # index. One that somebody has renamed is not found, and its run runs again.
            self._names = defaultdict(list)
            for name in _listed(self._root):
                self._names[key_of_name(name)].append(name)
        return self._names

    def _fits(self, record: Record, key: ResultKey) -> bool:
        try:
            if record.status != SUCCEEDED or record.identity != key.identity:
                return False
            found = next(changes(record, key, self.contents), None)
            record.outcome()
        except Exception:  # any damage, by a broken disk or an editor
            return False
        self._warn_of_text(record, found)
        return found is None

    def _warn_of_text(self, record: Record, found: Change | None) -> None:
        if found is not None and found.before == "recorded as text only":
            self._warn(
                f"text of {found.name}",
                f"{found.name!r} of {record.label} was recorded as text only ({record.folder.name}"
                "): such runs are not cached. Let the script return plain values or the path of a "
                "file.",
            )


def _listed(root: Path) -> list[str]:
    try:
        return os.listdir(root)
    except OSError:
        return []


# --- a record that stands in ---------------------------------------------------------------------

_OWN = (
    "schema", "identity", "label", "index", "work", "script", "program", "overrides", "argv", "cwd",
    "metadata", "wanted",
)  # fmt: skip
"""Fields of the new run; the others say how its result was made, and are those of the source."""


def stand_in(
    source: Record, run: Run, folder: RunFolder, own: Mapping[str, Any]
) -> dict[str, object]:
    """Fill *folder*, that of *run*, with the results of *source*; the fields of its run.json.
    *own* are the fields of the run itself. Raises OSError, and then the folder is empty.
    """
    made: list[str] = []
    try:
        log = source.log is not None and _link(source.log, folder.log, made)
        series = source.facts.get("series")
        has_series = bool(series) and _link(source.folder / str(series), folder.path / SERIES, made)
        _link_tree(source.folder / FILES, folder.path / FILES, made)
    except OSError:
        _discard(made)
        raise
    ended = run.now()
    wanted = own["wanted"]
    outputs = source.facts.get("outputs") or {}
    return {
        **source.facts,
        **{name: own[name] for name in _OWN},
        "status": SUCCEEDED, "attempt": 1, "process": None, "attempts": (),
        "started": time_text(run.started), "ended": time_text(ended),
        "seconds": round(ended - run.started, 6),
        "outputs": {name: one for name, one in outputs.items() if name in wanted},
        "log": LOG if log else None, "series": SERIES if has_series else None,
        "sources": _sources(source.facts["sources"], own["sources"]),
        "host": host(), "flow": None, "cached": source_of(source),
    }  # fmt: skip


def _sources(source: Mapping[str, Any], own: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The texts of a run: its own ones, and the modules that only its *source* has found."""
    if own is None:
        return source
    return {**own, "modules": {**source["modules"], **own["modules"]}}


def outcome_of(source: Record, run: Run) -> Outcome:
    """The Outcome of *run*, for which *source* stands in."""
    found = source.outcome()
    outputs = {name: one for name, one in found.outputs.items() if name in run.config.outputs}
    return replace(found, outputs=outputs, started=run.started, ended=run.now(), cached=run.cached)


def _link(source: Path, target: Path, made: list[str]) -> bool:
    """Let *target* have the content of *source*: as another name of the same file if the system can
    do that, else as a copy. Whether *source* exists. What is made is added to *made*.
    """
    try:
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
        else:
            os.link(source, target)
    except FileNotFoundError:
        return False
    except (OSError, NotImplementedError):  # another disk, or one that has no links
        shutil.copy2(source, target)
    made.append(str(target))
    return True


def _link_tree(source: Path, target: Path, made: list[str]) -> None:
    for here, folders, names in os.walk(source):
        inside = target / os.path.relpath(here, source)
        os.makedirs(inside, 0o700, exist_ok=True)
        made.append(str(inside))
        links = [one for one in folders if os.path.islink(os.path.join(here, one))]
        for name in (*names, *links):
            _link(Path(here, name), inside / name, made)


def _discard(made: Sequence[str]) -> None:
    for path in reversed(made):
        try:
            (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.unlink)(path)
        except OSError:
            pass  # somebody has put something there
