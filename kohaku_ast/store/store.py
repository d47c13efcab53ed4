"""Store: the recorded runs of a folder. Runs: some of them, as a table."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from kohaku_ast.display.text import frame_of
from kohaku_ast.errors import UsageError, check_type, near, read_number, unknown
from kohaku_ast.files import replace_users_file
from kohaku_ast.store.columns import (
    Columns,
    best_runs,
    cell,
    choose_runs,
    frame_names,
    heading,
    table_names,
)
from kohaku_ast.store.index import Index
from kohaku_ast.store.query import MISSING, UNITS, Query
from kohaku_ast.store.run_folder import REMOVED, RUNS, Marks
from kohaku_ast.store.summary import RunSummary

if TYPE_CHECKING:
    from datetime import datetime

    from kohaku_ast.runner.outcome import Outcome
    from kohaku_ast.store.compare import Comparison
    from kohaku_ast.store.record import Record
    from kohaku_ast.store.reproduce import Reproduction
    from kohaku_ast.store.result_key import Explanation
    from kohaku_ast.store.run_diff import RunDiff
    from kohaku_ast.store.upkeep import Freed, Verification

Chosen: TypeAlias = "Runs | Record | str | int | Sequence[Record | str | int]"
"""One run or several, by Record or by name."""


class Store:
    """The recorded runs below the folder *root*."""

    def __init__(self, root: str | os.PathLike[str] = RUNS) -> None:
        check_type(root, (str, os.PathLike), "root is a folder")
        self.root = Path(root)

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r})"

    def runs(
        self,
        where: str = "",
        *,
        sort: str = "",
        script: str = "",
        since: str | datetime = "",
        limit: int = 0,
    ) -> Runs:
        """The runs that fit, the newest first.

        :param where: a condition, such as ``lr > 0.1 and status == "failed"``.
        :param sort: a name, ``loss``, or ``-loss`` for the greatest first.
        :param script: only runs of this script: its path, or the end of it.
        :param since: only runs that started after this time, or in the last ``2d``, ``12h``, ...
        :param limit: at most so many; 0: all.
        """
        start = read_since(since) if since else ""
        chosen = choose_runs(Index(self.root).runs()[::-1], where, sort, script, start)
        return Runs(self.root, chosen[:limit] if limit else chosen)

    def find(self, name: str | int) -> Record:
        """The run that *name* means: ``last``, a number, the start of its folder's name or of its
        identity (four characters or more), or a query that one run fits. UsageError if there is
        none, or several.
        """
        return self.select([name])[0]

    def select(self, names: Sequence[str | int]) -> Runs:
        """The runs that *names* mean, in this order, each as for ``find``."""
        every = Index(self.root).runs()
        return Runs(self.root, [self._find(str(name).strip(), every) for name in names])

    def tag(self, run: Record | str | int, *tags: str, remove: bool = False) -> list[str]:
        """Add *tags* to *run*, or take them away; the tags that it has now."""
        for one in tags:
            check_type(one, str, "a tag is a text")
            if not one.strip() or one != one.strip() or "," in one:
                raise UsageError(f"a tag is a text without a comma or a blank at its ends: {one!r}")
        folder = self._folder(run)
        with Marks(self.root, folder) as marks:
            others = [one for one in marks.tags if one not in tags]
            marks.tags = others if remove else [*dict.fromkeys([*marks.tags, *tags])]
        return marks.tags

    def note(self, run: Record | str | int, text: str) -> None:
        """Give *run* a note instead of the one that it has; an empty text takes it away."""
        check_type(text, str, "a note is a text")
        with Marks(self.root, self._folder(run)) as marks:
            marks.note = text

    @property
    def removed(self) -> Store:
        """The store of the runs that were removed and can be restored."""
        return Store(self.root / REMOVED)

    def remove(self, runs: Chosen, force: bool = False) -> list[str]:
        """Remove *runs*, one or several, so that ``restore`` can bring them back; the names of
        their folders. The runs inside of a pipeline's run go with it. UsageError if one is running;
        with *force* one of another machine may be.
        """
        from kohaku_ast.store.upkeep import remove_runs, with_inner

        names = with_inner(self._names(runs), Index(self.root).runs())
        return remove_runs(self.root, names, force)

    def restore(self, runs: Chosen) -> list[str]:
        """Bring back removed *runs*, named as in ``store.removed``, with the runs inside of them;
        the names of their folders.
        """
        from kohaku_ast.store.upkeep import restore_runs, with_inner

        removed = self.removed
        names = with_inner(removed._names(runs), Index(removed.root).runs())
        return restore_runs(self.root, names)

    def collect(self, dry_run: bool = False) -> Freed:
        """Delete removed runs for good, and the texts that no other run refers to."""
        from kohaku_ast.store.upkeep import collect

        return collect(self.root, dry_run)

    def verify(self) -> Verification:
        """Compare every object of the store, the texts, values and artifacts of runs, with its
        hash: which are damaged, or missing. A new run that keeps the same content mends them.
        """
        from kohaku_ast.store.upkeep import verify

        return verify(self.root)

    def diff(self, first: Record | str | int, second: Record | str | int) -> RunDiff:
        """In what the *second* run differs from the *first*: values, source, environment, git."""
        from kohaku_ast.store.run_diff import diff_runs

        return diff_runs(self._record(first), self._record(second))

    def export(
        self, runs: Chosen, path: str | os.PathLike[str], kind: str = "", *, force: bool = False
    ) -> str:
        """Write *runs* to the file *path*, as a whole. *kind* is ``csv``, ``json``, ``parquet`` or
        ``config`` (one run, as a Python config); without it the end of the file's name says it.
        With ``mlflow``, *path* is a folder or a URI, with ``tensorboard``, ``artifacts``, ``dvc``
        and ``lfs`` a folder; then the result is a sentence, else empty. *force*: artifacts replace
        files with other content.
        """
        check_type(path, (str, os.PathLike), "path is a file")
        path = os.fspath(path)
        kind = kind or _KINDS.get(os.path.splitext(path)[1].lower(), "")
        if kind in HANDED_OVER:
            options = {"force": force} if kind in WITH_FILES else {}
            return str(_exporter(kind)(self._chosen(runs), path, **options))
        _write_file(path, self.exported(runs, kind, path))
        return ""

    def exported(self, runs: Chosen, kind: str, name: str = "") -> bytes:
        """The bytes that ``export`` writes to a file called *name*."""
        if kind not in EXPORTS:
            raise UsageError(unknown("kind of export", kind, EXPORTS))
        if kind in HANDED_OVER:
            raise UsageError(f"{kind} is no file: use export")
        found = self._chosen(runs)
        if kind != "config":
            return bytes(_exporter(kind)(found))
        if len(found) != 1:
            raise UsageError(f"a config is of one run: {len(found)} are chosen")
        return bytes(_exporter(kind)(found[0], name or "THIS_FILE"))

    def stop(self, run: Record | str | int, whole_flow: bool = False) -> bool:
        """Send SIGTERM to a run that is under way, or to its *whole_flow*; whether it has ended,
        after ten seconds at most.
        """
        from kohaku_ast.store.upkeep import stop_run

        return stop_run(self._record(run), whole_flow)

    def _chosen(self, runs: Chosen) -> Runs:
        return runs if isinstance(runs, Runs) else self.select(self._names(runs))

    def _names(self, runs: Chosen) -> list[str]:
        """The names of the folders of *runs*, each once."""
        if isinstance(runs, Runs):
            return [one.id for one in runs.summaries]
        several = [runs] if isinstance(runs, (str, int)) or not isinstance(runs, Sequence) else runs
        return [*dict.fromkeys(self._folder(one).name for one in several)]

    def reproduce(
        self, run: Record | str | int, *, link: Sequence[str] = (), output: int | None = None
    ) -> Reproduction:
        """Restore script, modules and values of *run* into a folder of its own, run them there and
        compare the results. *link*: files and folders of data that the script reads. *output*:
        the descriptor that the script prints to; None: where this process prints.

        Raises UsageError, which names what is missing, if the run cannot be restored.
        """
        from kohaku_ast.store.reproduce import reproduce  # here: a listing does without

        return reproduce(self._record(run), self.root, link, output)

    def repeat(
        self, run: Record | str | int, values: Mapping[str, object] | None = None, **options: Any
    ) -> Outcome:
        """Run today's script with the values and arguments of *run*; *values*, target -> value,
        come over its own. *options* are those of Sequential. The new run is recorded in this store.

        A run that fails is an Outcome; raises KogineError if it cannot be started.
        """
        from importlib import import_module  # flows stand above this room

        repeat_run = import_module("kohaku_ast.flow.repeated_run").repeat_run
        return repeat_run(self._record(run), values, options)  # type: ignore[no-any-return]

    def why(
        self, run: Record | str | int, values: Mapping[str, object] | None = None
    ) -> Explanation:
        """Whether ``cached=True`` would leave out today's script with the values of *run*, but for
        *values*: its ``state`` is ``cached`` or ``runs``, ``changes`` say why. Nothing runs.
        """
        from importlib import import_module  # as above

        explain_run = import_module("kohaku_ast.flow.repeated_run").explain_run
        return explain_run(self._record(run), values)  # type: ignore[no-any-return]

    def logs(self, run: Record | str | int, attempt: int | None = None) -> str:
        """What *run* has printed, in its last attempt or in this *attempt*."""
        record = self._record(run)
        log = record.log if attempt is None else record.log_of(attempt)
        return log.read_text("utf-8", "replace") if log is not None and log.exists() else ""

    def reindex(self) -> int:
        """Make the index anew, from the folders; the number of runs."""
        return len(Index(self.root).rebuild())

    def _record(self, run: Record | str | int) -> Record:
        return self.find(run) if isinstance(run, (str, int)) else run

    def _folder(self, run: Record | str | int) -> Path:
        return self._record(run).folder

    def _find(self, name: str, every: Sequence[RunSummary]) -> RunSummary:
        if not every:
            raise UsageError(f"no run {name!r}: there are no runs in {str(self.root)!r}")
        if name == "last":
            return next((one for one in reversed(every) if not one.parent), every[-1])
        if name.isascii() and name.isdigit() and 1 <= int(name[:9]) <= len(every):
            return every[int(name) - 1]
        is_query = re.search(r"[<>=!\s]", name)
        found = Columns(every).select(Query(name)) if is_query else _by_id(every, name)
        if len(found) == 1:
            return found[0]
        raise UsageError(_several(name, found) if found else _unknown(name, every))


EXPORTS = {
    "csv": "tables:csv_of_runs",
    "json": "tables:json_of_runs",
    "parquet": "tables:parquet_of_runs",
    "config": "run_config:config_of_run",
    "mlflow": "mlflow:export_runs",
    "tensorboard": "tensorboard:export_runs",
    "artifacts": "artifact_folder:export_runs",
    "dvc": "dvc:export_runs",
    "lfs": "artifact_folder:export_for_lfs",
}
"""Kind -> module and function in ``kohaku_ast.exports``, which stands above this room: it is
imported when somebody asks for it by name.
"""
WITH_FILES = ("artifacts", "dvc", "lfs")
"""The kinds that are the files of the runs, in a folder."""
HANDED_OVER = ("mlflow", "tensorboard", *WITH_FILES)
"""The kinds that go to a folder or a server, and may add to what is there."""
_KINDS = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".py": "config"}


def _exporter(kind: str) -> Callable[..., Any]:
    return _function(EXPORTS[kind])


def _function(place: str) -> Callable[..., Any]:
    """The function at ``module:name`` in ``kohaku_ast.exports``."""
    from importlib import import_module

    module, _, name = place.partition(":")
    return getattr(import_module(f"kohaku_ast.exports.{module}"), name)  # type: ignore[no-any-return]


def _write_file(path: str, data: bytes) -> None:
    try:
        replace_users_file(path, data)
    except OSError as error:
        raise UsageError(f"cannot write {path!r}: {error.strerror}") from error


class Runs(Sequence["Record"]):
    """Runs of a store, in an order: a sequence of Records, and a table in a notebook."""

    def __init__(self, root: Path, summaries: Sequence[RunSummary]) -> None:
        self._root = root
        #: What the index holds of each; a Record is read from its folder when it is asked for.
        self.summaries = list(summaries)
        self._records: dict[str, Record] = {}

    @overload
    def __getitem__(self, at: int) -> Record: ...
    @overload
    def __getitem__(self, at: slice) -> Runs: ...
    def __getitem__(self, at: int | slice) -> Record | Runs:
        if isinstance(at, slice):
            return Runs(self._root, self.summaries[at])
        return self.record(self.summaries[at])

    def __len__(self) -> int:
        return len(self.summaries)

    @property
    def params(self) -> list[dict[str, Any]]:
        """For each run target -> value: numbers, texts and lists, as a query compares them."""
        return [one.params for one in self.summaries]

    @property
    def metrics(self) -> list[dict[str, float]]:
        """For each run metric -> its last number."""
        return [one.metrics for one in self.summaries]

    @overload
    def best(self, name: str, n: None = None, *, any_status: bool = False) -> Record: ...
    @overload
    def best(self, name: str, n: int, *, any_status: bool = False) -> Runs: ...
    def best(self, name: str, n: int | None = None, *, any_status: bool = False) -> Record | Runs:
        """The run that succeeded with the least ``min:NAME``, or the greatest ``max:NAME``. With
        *n* the best ones, *n* at most, the best first. *any_status*: runs that go on, have failed
        or were ended early count, too.
        """
        best = best_runs(self.summaries, name, Columns(self.summaries), any_status)
        if n is None:
            return self.record(best[0])
        return Runs(self._root, best[: int(read_number("n", n, least=1))])

    def compare(
        self,
        by: str | Sequence[str] = (),
        metric: str | Sequence[str] = (),
        everything: bool = False,
    ) -> Comparison:
        """A table of these runs with the columns in which they differ, or with *everything*.

        With *by*, names such as ``["lr", "bs"]`` or ``"lr,bs"``, it has a row for each group of
        runs with equal values of these, and of each *metric* (``val_loss``, ``min:val_loss``; all
        without one) mean, standard deviation and number in the runs that succeeded.
        """
        from kohaku_ast.store.compare import compare_runs  # here: a listing does without

        return compare_runs(self.summaries, self._root, by, metric, everything)

    def to_frame(self) -> Any:
        """A table of pandas, or else of polars: fields, parameters, and last numbers of metrics."""
        getters = frame_names(self.summaries)
        return frame_of(
            {name: [_or_none(get(run)) for run in self.summaries] for name, get in getters.items()}
        )

    def rows(self, names: Sequence[str]) -> Iterator[list[Any]]:
        """For each run the values of *names*; None for what it lacks. UsageError for a name that
        none has.
        """
        columns = Columns(self.summaries)
        getters = [columns.getter(name) for name in names]
        return ([_or_none(get(run)) for get in getters] for run in self.summaries)

    def chosen(self, summaries: Sequence[RunSummary]) -> Runs:
        """Those of the runs that have these *summaries*, in their order."""
        return Runs(self._root, summaries)

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        best: str = "",
        title: str = "",
        standalone: bool = False,
    ) -> None:
        """Write a report of these runs to the HTML file *path*: a summary, the best runs, curves,
        parallel coordinates, failures, differing values and the environment.

        :param best: ``min:NAME`` or ``max:NAME``: the number that counts; else kogine chooses one.
        :param standalone: with plotly's script inside, for figures that can be zoomed.
        """
        check_type(path, (str, os.PathLike), "path is a file")
        write = _function("html_report:report_of_runs")
        _write_file(os.fspath(path), write(self, best=best, title=title, standalone=standalone))

    def record(self, run: RunSummary) -> Record:
        """The Record of one of ``summaries``. UsageError if its folder is gone."""
        from kohaku_ast.store.record import Record  # here: a listing does without

        if run.id not in self._records:
            record = Record.read(self._root / run.id)
            if record is None:
                raise UsageError(f"the record {run.id!r} was removed, or damaged, meanwhile")
            self._records[run.id] = record
        return self._records[run.id]

    def __repr__(self) -> str:
        count = len(self)
        return f"<{count} run{'s' if count != 1 else ''} of {str(self._root)!r}>"

    def _repr_html_(self) -> str:
        from kohaku_ast.display.text import Group, html_table

        shown = self[:_MOST_SHOWN]
        names = table_names(shown.summaries)
        rows = tuple(
            tuple(cell(name, value) for name, value in zip(names, row)) for row in shown.rows(names)
        )
        more = len(self) - len(shown)
        note = f"... and {more} more" if more else ""
        return html_table(tuple(map(heading, names)), [Group("", rows)], note=note)


_MOST_SHOWN = 100
"""Rows of a table in a notebook."""


def _or_none(value: Any) -> Any:
    return None if value is MISSING else value


def read_since(since: str | datetime) -> str:
    """The time that *since* means, as records have it: ``2d`` ago, or an ISO date or time of this
    place. Raises UsageError.
    """
    from datetime import datetime

    from kohaku_ast.store.record import time_text

    if isinstance(since, str) and (found := re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", since)):
        ago = float(found[1]) * UNITS[found[2]]
        return time_text(max(0.0, time.time() - ago))
    try:
        when = datetime.fromisoformat(since) if isinstance(since, str) else since
        return time_text(when.timestamp())
    except (ValueError, TypeError, AttributeError, OverflowError, OSError):
        raise UsageError(f"since {since!r}: write 2d, 12h, 30m, or a date: 2026-11-21") from None


# --- names of runs -------------------------------------------------------------------------------

_MOST_LISTED = 10


_LEAST_ID = 4
"""Characters of an id: a mistyped number must not be the run whose identity starts with it."""


def _by_id(every: Sequence[RunSummary], start: str) -> list[RunSummary]:
    if len(start) < _LEAST_ID:
        return []
    # X-2 is the name of another run than X.
    exact = [one for one in every if one.id == start]
    return exact or [
        one for one in every if one.id.startswith(start) or one.identity.startswith(start)
    ]


def _several(name: str, found: Sequence[RunSummary]) -> str:
    lines = [f"{name!r} fits {len(found)} runs: write the number of one"]
    lines += [_line(one) for one in found[:_MOST_LISTED]]
    more = len(found) - _MOST_LISTED
    return "\n".join([*lines, f"  ... and {more} more"] if more > 0 else lines)


def _unknown(name: str, every: Sequence[RunSummary]) -> str:
    if re.search(r"[<>=!\s]", name):
        return f"no run fits {name!r}"
    known = {key: one for one in every for key in (one.id, one.identity, one.identity[: len(name)])}
    close = {known[one].id: known[one] for one in near(name, [*known])}
    lines = [f"no run {name!r}: runs are named by number (1 to {len(every)}), id, or last"]
    return "\n".join([*lines, *(_line(one) for one in close.values())])


def _line(run: RunSummary) -> str:
    return f"  {run.number}  {run.id}  {run.status}  {run.label}".rstrip()
