"""SharedFiles: finds the files that more than one run of a flow has written to the folder where all
of them work. It reports a file only if no single run can have written it every time.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.flow.run import Observer, Run, ScriptConfigs, SharedFile
from kohaku_ast.flow.settings import FlowSettings
from kohaku_ast.store.record import working_folder

_MOST_ENTRIES = 2000
_MOST_SECONDS = 0.1
"""For one look: a network file system may need much more."""
_SHARE, _ALLOWANCE = 0.02, 0.005
"""All looks together take this part of the time of the flow, and these seconds, at most."""
_MOST_INDEXES = 20
_MOST_TEXT = 1 << 18
"""Bytes of files whose contents are compared."""
_NO_FOLDERS = ("__pycache__", "node_modules")
_ENVIRONMENTS = {"pyvenv.cfg", "conda-meta"}
"""A folder with one of these is an environment of Python."""
_EDITED = (
    ".py", ".pyi", ".pyx", ".ipynb", ".sh", ".md", ".rst", ".tex", ".toml", ".cfg", ".ini", ".yaml",
    ".yml", "-wal", "-shm", "-journal",
)  # fmt: skip
"""Ends of the names of files that people edit while runs go on, and of those beside databases."""
_DATABASE = b"SQLite format 3\0"

State = tuple[int, int, int]
"""Of a file: when it was modified (ns), its size and its inode."""


class SharedFiles(Observer):
    """Looks at the working folder when a run has ended, and notes which runs may have written what
    has changed: those that ran since the look before.
    """

    def __init__(self, lets_others_write: bool, workers: int) -> None:
        """*lets_others_write*: code of the user's runs between the runs, in this process."""
        self._lets_others_write, self._is_serial = lets_others_write, workers == 1
        self._folder: _Folder | None = None
        self._seen: dict[str, State] = {}
        self._written: dict[str, _Written] = {}
        #: The runs under way, and all that ran since the last look.
        self._running: set[int] = set()
        self._since: set[int] = set()
        #: Whether other code may have written files since the last look.
        self._is_mixed = False
        self._begun = self._spent = self._last = 0.0

    def on_start(self, run: Run, total: int | None) -> None:
        """Look at the folder before the first run, and where other code ran since the last one."""
        if not self._begun:
            self._begin()
        elif self._lets_others_write:
            self._is_mixed = True
            self._look_if_cheap()
        self._running.add(run.index)
        self._since.add(run.index)
        # The next Config may be made while this run goes on.
        self._is_mixed |= self._lets_others_write and not self._is_serial

    def on_tick(self, running: Sequence[Run], counts: Mapping[str, int]) -> None:
        """Look if other code ran since the last look, and does not any more."""
        if self._is_mixed and not self._is_serial:
            self._look_if_cheap()

    def on_end(self, run: Run) -> None:
        """Look at the folder."""
        self._running.discard(run.index)
        self._look_if_cheap()
        self._is_mixed |= self._lets_others_write

    def find(self) -> tuple[SharedFile, ...]:
        """The files that more than one run has written, and the last one's is what is left."""
        if self._since:
            self._look()
        if self._folder is None:
            return ()
        return tuple(
            SharedFile(path, tuple(one.indexes))
            for path, one in self._written.items()
            if one.is_lost and self._seen.get(path, (0, 0, 0))[1] and not self._is_database(path)
        )

    # --- inside ----------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._begun = time.perf_counter()
        self._folder = _Folder(working_folder())
        self._look()

    def _look_if_cheap(self) -> None:
        elapsed = time.perf_counter() - self._begun
        if self._spent + self._last <= _ALLOWANCE + _SHARE * elapsed:
            self._look()

    def _look(self) -> None:
        """Note what has changed since the last look, and who may have written it."""
        if self._folder is None:
            return
        begun = time.perf_counter()
        found = self._folder.read(begun + _MOST_SECONDS)
        if found is None:
            self._folder = None  # it is too slow: no claim
            return
        if not self._is_mixed and self._since:
            writers = frozenset(self._since)
            for path, state in found.items() - self._seen.items():
                self._note(path, state, writers)
        self._seen, self._since, self._is_mixed = found, set(self._running), False
        self._last = time.perf_counter() - begun
        self._spent += self._last

    def _note(self, path: str, state: State, writers: frozenset[int]) -> None:
        text = self._folder.text_of(path, state) if self._folder is not None else None
        if path in self._written:
            self._written[path].add(writers, text, self._seen.get(path), state)
        else:
            self._written[path] = _Written(writers, {text})

    def _is_database(self, path: str) -> bool:
        return self._folder is None or self._folder.start_of(path) == _DATABASE


def make_shared_files(
    works: Sequence[ScriptConfigs],
    settings: FlowSettings,
    observers: Iterable[Observer],
    total: int | None,
    is_lent: bool,
) -> SharedFiles | None:
    """The SharedFiles of a flow; None if its runs share no folder, or if nobody can tell who has
    written there. *is_lent*: between the runs the code of the caller goes on.
    """
    is_elsewhere = (
        settings.in_run_dir or settings.on is not None or not isinstance(settings.mode, str)
    )
    if total == 1 or is_elsewhere or not all(map(_is_ours, observers)):
        return None
    return SharedFiles(is_lent or not all(map(_is_settled, works)), settings.workers)


def _is_ours(observer: Observer) -> bool:
    """Whether *observer* is known to write no files: one of the user's may write them any time."""
    is_ours = type(observer).__module__.partition(".")[0] in ("kohaku_ast", "kogine")
    return is_ours and not observer.calls_users


def _is_settled(work: ScriptConfigs) -> bool:
    """Whether no code of the user's makes the Configs of *work*."""
    configs = work.configs
    return isinstance(configs, (Config, list, tuple)) or (
        isinstance(configs, Sweep) and configs.is_settled
    )


@dataclass
class _Written:
    """What is known of a file that runs have written."""

    #: The runs that may have written it every time.
    candidates: frozenset[int]
    #: Hashes of what was left each time; None for a large file.
    texts: set[int | None]
    #: The first of the runs, as long as it is known of each time which run it was.
    indexes: list[int] = field(default_factory=list)
    #: Whether it only grew each time: runs append to it, and nothing is lost.
    grows: bool = True
    is_exact: bool = True

    def __post_init__(self) -> None:
        self._add_indexes(self.candidates)

    def _add_indexes(self, writers: frozenset[int]) -> None:
        self.is_exact &= len(writers) == 1
        if not self.is_exact:
            self.indexes = []
        elif len(self.indexes) < _MOST_INDEXES and not writers & {*self.indexes}:
            self.indexes += writers

    def add(
        self, writers: frozenset[int], text: int | None, before: State | None, state: State
    ) -> None:
        """One of *writers* has written it: it was *before*, and is *state* now."""
        self.candidates &= writers
        self.texts.add(text)
        self.grows &= before is not None and state[2] == before[2] and state[1] > before[1]
        self._add_indexes(writers)

    @property
    def is_lost(self) -> bool:
        """Whether two runs wrote it, and what one of them wrote is no longer there."""
        is_same = len(self.texts) == 1 and None not in self.texts
        return not (self.candidates or self.grows or is_same)


class _Folder:
    """The files in a folder and the folders in it, as far as they are looked at."""

    def __init__(self, path: str) -> None:
        self._path = path
        #: Folders that are never read: too large, unreadable, or environments of Python. What is
        #: left out stays left out, so that a file seen for the first time is a new one.
        self._left_out: set[str] = set()

    def read(self, deadline: float) -> dict[str, State] | None:
        """Path -> state of each file; None if it is not done at *deadline*."""
        found: dict[str, State] = {}
        waiting, room = deque([""]), _MOST_ENTRIES
        while waiting:
            folder = waiting.popleft()
            if folder in self._left_out:
                continue
            entries = self._entries(folder, room)
            room -= len(entries)
            for entry in entries:
                self._sort_in(folder + entry.name, entry, found, waiting)
            if time.perf_counter() > deadline:
                return None
        return found

    def _entries(self, folder: str, room: int) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(os.path.join(self._path, folder)) as entries:
                found = list(islice(entries, room + 1))
        except OSError:
            found = []
            self._left_out.add(folder)
        if len(found) > room or any(entry.name in _ENVIRONMENTS for entry in found):
            self._left_out.add(folder)
            return []
        return found

    def _sort_in(
        self, path: str, entry: os.DirEntry[str], found: dict[str, State], waiting: deque[str]
    ) -> None:
        """Put the *entry* at *path* where it belongs: *found*, *waiting*, or nowhere."""
        try:
            if entry.name.startswith("."):
                return
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _NO_FOLDERS:
                    waiting.append(os.path.join(path, ""))
            elif entry.is_file(follow_symlinks=False) and not entry.name.endswith(_EDITED):
                facts = entry.stat(follow_symlinks=False)
                found[path] = facts.st_mtime_ns, facts.st_size, facts.st_ino
        except OSError:
            pass  # it was removed meanwhile

    def text_of(self, path: str, state: State) -> int | None:
        """A hash of what the file holds; None if it is large, or gone."""
        if state[1] > _MOST_TEXT:
            return None
        try:
            with open(os.path.join(self._path, path), "rb") as file:
                return hash(file.read(_MOST_TEXT))
        except OSError:
            return None

    def start_of(self, path: str) -> bytes:
        """The first bytes of a file."""
        try:
            with open(os.path.join(self._path, path), "rb") as file:
                return file.read(len(_DATABASE))
        except OSError:
            return b""
