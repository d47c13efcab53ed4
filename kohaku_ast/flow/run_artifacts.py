"""The artifacts of the runs of a flow: what is kept when an attempt ends, with warnings.

A file belongs to a run if it was written while that run was under way. Of runs at the same time in
one folder nobody knows which one wrote it: each gets it, and the user is warned.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import islice

from kohaku_ast.errors import near
from kohaku_ast.flow.run import SUCCEEDED, Run
from kohaku_ast.store.artifacts import (
    MOST_FILES,
    Artifact,
    Stamp,
    find_files,
    keep_file,
    snapshot,
    stamp_of,
)
from kohaku_ast.store.sources import Objects

Warn = Callable[[str, str], None]
"""Gets a subject, about which it warns once, and a sentence."""


@dataclass
class RunFiles:
    """The files of a run that are to be kept, from its start to its end."""

    patterns: tuple[str, ...]
    #: The folders that the patterns are read in, and whether that is the one for its files.
    folders: tuple[tuple[str, bool], ...]
    #: The files of the working folder that were there before.
    before: Mapping[str, Stamp] = field(default_factory=dict)
    #: Folder and path -> an artifact of an earlier attempt, and when it was written.
    known: dict[tuple[str, str], tuple[Stamp, Artifact]] = field(default_factory=dict)


class FlowArtifacts:
    """Keeps the artifacts of all runs of a flow in *objects*."""

    def __init__(self, objects: Objects, warn: Warn) -> None:
        self._objects, self._warn = objects, warn
        #: Pattern -> how many files of the user, and how many of runs, have fitted it.
        self._fitted: dict[str, tuple[int, int]] = {}
        #: Path in a working folder -> label, start and end of the runs that have kept it.
        self._keepers: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
        self._nearby: list[str] = []
        self._has_success = False

    def begin(self, patterns: tuple[str, ...], cwd: str, files: str, in_files: bool) -> RunFiles:
        """The files that a run, which is about to start, is to keep. *in_files*: it works in the
        folder for its *files*.
        """
        for one in patterns:
            self._fitted.setdefault(one, (0, 0))
        if in_files:
            return RunFiles(patterns, ((files, True),))
        return RunFiles(patterns, ((files, True), (cwd, False)), snapshot(cwd, patterns))

    def written(self, kept: RunFiles) -> list[tuple[str, str, bool, Stamp]]:
        """Folder, path, whether that folder is the one for its files, and Stamp of all that the run
        has written so far.
        """
        found: dict[str, tuple[str, str, bool, Stamp]] = {}
        for pattern in kept.patterns:
            for folder, path, in_files, stamp in _fitting(kept, pattern):
                is_new = in_files or kept.before.get(path) != stamp
                theirs, own = self._fitted[pattern]
                self._fitted[pattern] = theirs + 1, own + is_new
                other = found.get(path)
                if is_new and other is None:
                    found[path] = folder, path, in_files, stamp
                elif is_new and other is not None and other[0] != folder:
                    self._warn(
                        f"both {path}",
                        f"{path!r} is in the working folder and in KOGINE_RUN_DIR: the second one "
                        "is kept.",
                    )
        if len(found) > MOST_FILES:
            self._warn(
                "many artifacts",
                f"over {MOST_FILES} files of one run fit {', '.join(map(repr, kept.patterns))}: "
                "the others are not kept.",
            )
        return [*found.values()][:MOST_FILES]

    def keep(
        self, run: Run, kept: RunFiles, cannot: Callable[[OSError], None], links: bool
    ) -> list[Artifact]:
        """Keep what *run* has written; *cannot* gets why a file could not be kept. *links*: nobody
        else writes to the folder for its files.
        """
        found = []
        for folder, path, in_files, stamp in self.written(kept):
            old, artifact = kept.known.get((folder, path), (None, None))
            if artifact is None or old != stamp or artifact.sha256 is None:
                artifact = self._artifact(folder, path, in_files, cannot, links and in_files)
            kept.known[folder, path] = stamp_of(os.path.join(folder, path)) or stamp, artifact
            found.append(artifact)
            if not in_files:
                keepers = self._keepers[os.path.join(folder, path)]
                keepers.append((run.label, run.started, run.ended or run.now()))
        self._has_success |= run.state == SUCCEEDED
        if any(not own for _, own in self._fitted.values()):
            self._nearby = [*islice(_nearby(kept), _MOST_NEARBY)]
        return found

    def _artifact(
        self, folder: str, path: str, in_files: bool, cannot: Callable[[OSError], None], links: bool
    ) -> Artifact:
        full, shown = os.path.join(folder, path), path.replace(os.sep, "/")
        try:
            digest, size, mode = keep_file(self._objects, full, links)
        except OSError as error:
            cannot(error)
            found = stamp_of(full)
            reason = error.strerror or str(error)
            return Artifact(shown, found[2] if found else 0, None, 0o600, in_files, reason)
        return Artifact(shown, size, digest, mode, in_files)

    def keeps(self, path: str) -> bool:
        """Whether the file at *path*, which is in a working folder, was kept of a run."""
        return path in self._keepers

    def finish(self) -> None:
        """Warn of patterns that no file of a run has fitted, and of files of two runs."""
        for pattern, (theirs, own) in self._fitted.items():
            if self._has_success and not own:
                self._warn(f"artifacts {pattern}", self._unfitted(pattern, theirs))
        for path, keepers in self._keepers.items():
            pair = _overlapping(keepers)
            if pair:
                self._warn(
                    "shared artifacts",
                    f"{os.path.basename(path)!r} was written while several runs were under way in "
                    f"{os.path.dirname(path)!r} ({pair[0]}, {pair[1]}): it is kept for each of "
                    "them. Give each run a folder of its own: --run-dir (run_dir=True), or let the "
                    "script write to KOGINE_RUN_DIR.",
                )

    def _unfitted(self, pattern: str, theirs: int) -> str:
        if theirs:
            return (
                f"artifacts {pattern!r}: no run has written a file that fits; what was there "
                "before is not kept."
            )
        close = [*dict.fromkeys(_near(pattern, self._nearby))][:3]
        hint = f" There is {', '.join(map(repr, close))}." if close else ""
        return f"artifacts {pattern!r}: no file of a run fits.{hint}"


_MOST_NEARBY = 1000


def _fitting(kept: RunFiles, pattern: str) -> Iterator[tuple[str, str, bool, Stamp]]:
    for folder, in_files in kept.folders:
        for path in find_files(folder, pattern):
            stamp = stamp_of(os.path.join(folder, path))
            if stamp is not None:
                yield folder, path, in_files, stamp


def _nearby(kept: RunFiles) -> Iterator[str]:
    """Paths of files that a pattern may have meant."""
    for folder, _ in kept.folders:
        for here, folders, names in os.walk(folder):
            folders[:] = [one for one in folders if not one.startswith((".", "__"))]
            for name in names:
                yield os.path.relpath(os.path.join(here, name), folder).replace(os.sep, "/")


def _near(pattern: str, paths: list[str]) -> Iterator[str]:
    """Those of *paths* with a name that fits, or in the same folder, or that look alike."""
    folder, name = os.path.split(pattern)
    yield from (one for one in paths if fnmatch(os.path.basename(one), name))
    yield from near(pattern, paths)
    yield from (one for one in paths if folder and os.path.dirname(one) == folder)


def _overlapping(keepers: Sequence[tuple[str, float, float]]) -> tuple[str, str] | None:
    """The labels of two of them that were under way at the same time."""
    latest = keepers[0]
    for one in sorted(keepers, key=lambda keeper: keeper[1])[1:]:
        if one[1] < latest[2]:
            return latest[0], one[0]
        latest = max(latest, one, key=lambda keeper: keeper[2])
    return None
