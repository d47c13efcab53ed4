"""The views of progress bars: a notebook, lines of text, and the record of a run of kogine.

That on a terminal is in ``terminal_bars``, which imports rich.
"""

from __future__ import annotations

import os
from time import monotonic

from kohaku_ast.helpers import bar_state
from kohaku_ast.helpers.bar_state import (
    counts_of,
    line_of,
    prefix_of,
    rate_text,
    share_of,
    stats_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TextIO

    from kohaku_ast.helpers.bar_state import Bar


# --- lines, for pipes and files ------------------------------------------------------------------

_PART, _SECONDS = 0.1, 30.0


class LinesView:
    """At most a line for each tenth, or in 30 seconds, and one at the end."""

    interval = 1.0
    part = _PART

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        #: The share and the time of the last line; and what it said.
        self._last = (0.0, 0.0)
        self._said: object = None

    def open(self, bar: Bar) -> None:
        """Print nothing: short loops have the line at the end alone."""
        self._last = (share_of(bar) or 0.0, monotonic())

    def show(self, bar: Bar, is_forced: bool) -> bool:
        """Print a line if it is due."""
        if is_forced:
            return False
        now, part = monotonic(), share_of(bar) or 0.0
        last, when = self._last
        is_due = now >= when + _SECONDS or (
            part >= last + self.part and now >= when + self.interval
        )
        if not is_due:
            return False
        self._last = (part, now)
        self._print(bar)
        return True

    def close(self, bar: Bar) -> None:
        """Print the last line, if it says more than the one before."""
        if bar.leave and self._said != (bar.n, bar.postfix):
            self._print(bar)

    def _print(self, bar: Bar, more: str = "") -> None:
        line = f"{line_of(bar, getattr(self._stream, 'encoding', None), more)}\n"
        self._said = bar.n, bar.postfix
        try:
            self._write_line(line)
        except (OSError, ValueError):
            pass  # nobody reads it any more: the script goes on

    def _write_line(self, line: str) -> None:
        self._stream.write(line)
        self._stream.flush()


# --- a terminal that another process paints on ---------------------------------------------------


class TerminalClaim:
    """The right of one process to paint on a terminal: the bars of several would overwrite each
    other. What the others have to say waits in a file until that one prints it above its bars.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._file, self._read = stream, -1, 0

    def take(self) -> bool:
        """Whether this process may paint: no other one does, or the system cannot tell."""
        if self._file >= 0:
            return True
        try:
            self._file = _open_claim(self._stream)
        except (ImportError, AttributeError, OSError, ValueError):
            return True  # Windows, or a stream that is only like a terminal
        if not _try_lock(self._file):
            self.forget()
            return False
        os.ftruncate(self._file, 0)
        self._read = 0
        return True

    def lines(self) -> str:
        """What other processes have left here since the last call."""
        if self._file < 0 or os.fstat(self._file).st_size <= self._read:
            return ""
        data = os.pread(self._file, 1 << 16, self._read)
        self._read += len(data)
        return data.decode("utf-8", "replace")

    def leave(self, line: str) -> bool:
        """Leave *line* for the process that paints; False if there is none."""
        file = _open_claim(self._stream)
        try:
            return not _try_lock(file) and bool(os.write(file, line.encode("utf-8", "replace")))
        finally:
            os.close(file)

    def give_back(self) -> None:
        """Let others paint. Forked processes may have the file, too: that alone keeps no lock."""
        if self._file >= 0:
            import fcntl

            fcntl.flock(self._file, fcntl.LOCK_UN)
            self.forget()

    def forget(self) -> None:
        """In a forked process: leave it to the parent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _open_claim(stream: TextIO) -> int:
    """The file for the terminal of *stream*: it belongs to this user, and nobody else writes it."""
    name = f"kogine-bars-{os.getuid()}-{os.fstat(stream.fileno()).st_rdev}"
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    file = os.open(os.path.join(os.environ.get("TMPDIR") or "/tmp", name), flags, _MODE)
    facts = os.fstat(file)
    if facts.st_uid != os.getuid() or facts.st_mode & 0o022:
        os.close(file)
        raise OSError("it is another user's")
    return file


def _try_lock(file: int) -> bool:
    """Whether this process has the lock of *file* now, until it closes it."""
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class WaitingView(LinesView):
    """Lines for a terminal on which another process paints: one in 30 seconds, one at the end."""

    part = 2.0  # never by their share: the other process has bars to show

    def __init__(self, stream: TextIO, claim: TerminalClaim) -> None:
        super().__init__(stream)
        self._claim = claim

    def _write_line(self, line: str) -> None:
        if not self._claim.leave(line):
            super()._write_line(line)


# --- the record of a run of kogine ---------------------------------------------------------------

EVENT = "progress.json"
_MODE = 0o600


class RecordView(LinesView):
    """Writes the state of the bars to the record of the run, where kogine reads it for its live
    table; one line at the end of each bar.

    The outermost bar counts, and the one inside of it as a part of one of its items.
    """

    interval = 0.25
    by_record: dict[tuple[str, int], RecordView] = {}  # noqa: RUF012  # the state of this process

    @classmethod
    def of(cls, record: str, stream: TextIO) -> RecordView:
        """The view for bars of one *record* on *stream*: it counts what they write together."""
        key = record, id(stream)
        found = cls.by_record.get(key)
        if found is None or found._stream is not stream:
            found = cls.by_record[key] = cls(record, stream)
        return found

    def __init__(self, record: str, stream: TextIO) -> None:
        super().__init__(stream)
        self._path = os.path.join(record, EVENT)
        # Two writings at once and two more in the second after that: 4 in any second.
        self._credit, self._seen = 2.0, monotonic()
        #: Whether what is written says that a bar is open.
        self._is_open = False
        #: Thread -> depth of a bar that is closed -> what stood behind it.
        self._inner: dict[int, dict[int, str]] = {}

    def open(self, bar: Bar) -> None:
        """Write that it has begun."""
        self._write(needed=1)

    def show(self, bar: Bar, is_forced: bool) -> bool:
        """Write the state, if there is credit: what the user changes has the last of it."""
        return self._write(needed=1 if is_forced else 2)

    def close(self, bar: Bar) -> None:
        """Write the last state, and print the last line.

        That of an outermost bar has what stood behind those inside of it that left nothing.
        """
        bars = self._chain()
        is_outermost = bars[:1] == [bar]
        # Its end is not left out: else the next bars, of other processes or tqdm, did not count.
        self._write(needed=-9 if is_outermost and self._is_open else 1, is_open=not is_outermost)
        inner: dict[int, str] = {}
        if is_outermost:
            inner = self._inner.pop(bar.thread, {})
        elif bar in bars and bar.postfix and not bar.leave:
            self._inner.setdefault(bar.thread, {})[bars.index(bar)] = bar.postfix
        if bar.leave:
            self._print(bar, ", ".join(inner.values()))

    def _chain(self) -> list[Bar]:
        """The outermost open bar, and those inside of it: of the same thread."""
        bars = [bar for bar in bar_state.open_bars() if bar.view is self]
        return [bar for bar in bars if bar.thread == bars[0].thread]

    def _write(self, needed: int, is_open: bool = True) -> bool:
        bars = self._chain()
        part = share_of_all(bars)  # each time: an inner bar that ends counts for its outer one
        now = monotonic()
        self._credit = min(2.0, self._credit + 2.0 * (now - self._seen))
        self._seen = now
        if self._credit < needed or not bars:
            return False
        self._credit -= 1
        self._is_open = is_open
        try:
            return self._put({**_facts(bars), "progress": part, "open": is_open})
        except OSError:
            return False  # the disk is full, or the record was removed: the script goes on

    def _put(self, facts: dict[str, object]) -> bool:
        import json

        number = os.open(self._path, os.O_RDWR | os.O_CREAT, _MODE)
        try:
            if not _is_free(os.read(number, 4096)):
                return False
            # float: of numbers of numpy
            data = (json.dumps(facts, default=float) + "\n").encode()
            # In place, and the first line only counts: a reader sees whole lines.
            os.lseek(number, 0, os.SEEK_SET)
            os.write(number, data)
            os.ftruncate(number, len(data))
        finally:
            os.close(number)
        return True


bar_state.on_fork.append(RecordView.by_record.clear)


def _is_free(data: bytes) -> bool:
    """Whether no other process that lives has an open bar in the event *data*."""
    import json

    try:
        facts = json.loads(data.partition(b"\n")[0])
        pid, is_open = int(facts["pid"]), bool(facts["open"])
    except (ValueError, LookupError, TypeError):
        return True
    if not is_open or pid == os.getpid() or os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except OSError:
        return True
    return False


def share_of_all(bars: Sequence[Bar]) -> float | None:
    """The share of the first of *bars* that is done, each next one a part of an item of it."""
    inner = 0.0
    share: float | None = None
    for bar in reversed(bars):
        at, part = bar.part
        # Not less than before: a second loop over the same item begins at 0.
        part = max(part, inner) if at == bar.n else inner
        bar.part = bar.n, part
        share = min(1.0, (bar.n + part) / bar.total) if bar.total else None
        inner = share or 0.0
    return share


def _facts(bars: Sequence[Bar]) -> dict[str, object]:
    outer, inner = bars[0], bars[-1]
    texts = [f"{prefix_of(bar).replace(':', '')}{counts_of(bar)}" for bar in bars]
    postfix = ", ".join(bar.postfix for bar in bars if bar.postfix)
    return {
        "pid": os.getpid(),
        "n": outer.n,
        "total": outer.total,
        "desc": outer.desc,
        "postfix": postfix,
        "line": ", ".join(filter(None, [*texts, rate_text(inner), postfix])),
    }


# --- notebooks -----------------------------------------------------------------------------------


class NotebookView:
    """One bar as an output of a notebook's cell, which is updated."""

    interval = 0.1
    _watched: Any = None

    def __init__(self, shell: Any) -> None:
        self._handle: Any = None
        self._last = 0.0
        if NotebookView._watched is not shell:
            NotebookView._watched = shell
            shell.events.register("post_run_cell", _after_cell)

    def open(self, bar: Bar) -> None:
        """Show it below the cell."""
        from IPython.display import display  # a notebook has it

        self._handle = display(_bundle(bar), raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def show(self, bar: Bar, is_forced: bool) -> bool:
        """Update it; 20 times a second at most, whatever the user changes."""
        now = monotonic()
        if self._handle is None or now < self._last + self.interval / 2:
            return False
        self._last = now
        self._handle.update(_bundle(bar), raw=True)
        return True

    def close(self, bar: Bar) -> None:
        """Show its last state, or nothing."""
        if self._handle is not None:
            empty = {"text/plain": "", "text/html": ""}
            self._handle.update(_bundle(bar) if bar.leave else empty, raw=True)


def _after_cell(result: Any = None) -> None:
    """After a cell that has failed: the traceback keeps its loops, which nobody goes on with."""
    if not getattr(result, "success", True):
        bar_state.close_all(only_loops=True)


def _bundle(bar: Bar) -> dict[str, str]:
    from html import escape

    part, left = share_of(bar), "text-align:left;white-space:pre"
    is_broken = bar.disable and part is not None and part < 1
    colour = "accent-color:firebrick" if is_broken else ""
    meter = (
        "" if part is None else f'<progress style="{colour}" value="{part:.4f}" max="1"></progress>'
    )
    percent = "" if part is None else f"{part:.0%}"
    cells = (escape(prefix_of(bar)), percent, meter, escape(stats_of(bar)))
    row = "".join(f'<td style="{left}">{cell}</td>' for cell in cells)
    return {"text/html": f"<table><tr>{row}</tr></table>", "text/plain": line_of(bar)}
