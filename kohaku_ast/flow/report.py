"""Reports of a flow as text: a line for each change, failures and summary at the end.

``choose_display`` picks the observers for a stream.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from kohaku_ast.display.live import Out, can_be_painted, in_notebook
from kohaku_ast.display.text import exact_time
from kohaku_ast.errors import label
from kohaku_ast.files import short_path
from kohaku_ast.flow.failures import (
    Again,
    FailedRuns,
    FailureSummary,
    Resume,
    command_from_record,
    error_line,
    no_command,
    no_resume,
)
from kohaku_ast.flow.log_watch import LogWarnings, lacks_metrics, metrics_text, seen_of
from kohaku_ast.flow.results import Repeats
from kohaku_ast.flow.results_table import ResultsTable
from kohaku_ast.flow.run import FAILED, SUCCEEDED, Observer, Run, SharedFile, Summary
from kohaku_ast.frames import contextmanager


def choose_display(
    is_json: bool,
    stream: TextIO,
    again: Again = no_command,
    shows_output: bool = False,
    resume: Resume = no_resume,
) -> list[Observer]:
    """The observers that show a flow on *stream*, to be used in this order.

    With *is_json* they print JSON; on a terminal the live table and the summary; elsewhere a line
    for each change and the summary. *again* gives the command that repeats a run, *resume* the one
    that goes on after Ctrl-C. *shows_output*: the output of the runs appears here too; then there
    is no table, but a line above the output of each run.
    """
    repeats = Repeats()
    if is_json:
        from kohaku_ast.flow.json_report import JsonLines

        return [repeats, JsonLines(stream, again, resume, repeats)]
    report = Report(stream, again, resume, repeats)
    if shows_output:
        return [Heads(stream), ResultsTable(stream), repeats, report]
    warnings = LogWarnings(stream)
    if can_be_painted(stream):
        from kohaku_ast.flow.live_table import LiveTable  # rich: 45 ms

        return [LiveTable(stream), warnings, ResultsTable(stream), repeats, report]
    return [Lines(stream), warnings, ResultsTable(stream), repeats, report]


def live_display(progress: bool | None, shows_output: bool) -> list[Observer]:
    """What shows the runs of a flow of a program while they run: a table in a notebook and on a
    terminal, or a line above the output of each run; elsewhere nothing, or lines if *progress* is
    True. False: nothing anywhere.
    """
    if progress is False:
        return []
    if in_notebook():
        from kohaku_ast.flow.live_table import NotebookTable

        return [NotebookTable()]
    stream = sys.stderr
    if stream is None or not (can_be_painted(stream) or progress):
        return []
    if shows_output:
        return [Heads(stream)]
    if not can_be_painted(stream):
        return [Lines(stream)]
    from kohaku_ast.flow.live_table import LiveTable  # rich: 45 ms

    return [LiveTable(stream)]


class Report(Observer):
    """Prints the failures, grouped by error, the Summary, and how to go on after Ctrl-C."""

    def __init__(
        self,
        stream: TextIO,
        again: Again = no_command,
        resume: Resume = no_resume,
        repeats: Repeats | None = None,
    ) -> None:
        self._out = Out(stream)
        self._failures, self._resume = FailureSummary(again), resume
        self._repeats = repeats or Repeats()
        self._seed: object = None
        self._shortened: list[str] = []
        #: The command for the first failed run that has both a command line and a record.
        self._from_record = ""

    def on_end(self, run: Run) -> None:
        """Keep a failure, and a log or metrics that are not whole, for the end."""
        if run.log_left_out:
            size = f"{run.log_left_out / 1e6:,.1f} MB"
            self._shortened.append(
                f"log of {run.number} {run.title}: {size} in its middle are left out (--log-limit)"
            )
        if lacks_metrics(run):
            self._shortened.append(
                f"metrics of {run.number} {run.title}: not all are kept, it printed too many"
            )
        self._seed = run.config.metadata.get("sweep_seed", self._seed)
        if run.state == FAILED:
            self._failures.add(run)
            self._name_record(run)

    def _name_record(self, run: Run) -> None:
        again = next(iter(self._failures.groups.values())).again
        if run.folder is None or self._from_record or not again.startswith("kogine run "):
            return  # no flow of a command line, or the command is one for the record already
        command = command_from_record(run.folder)
        self._from_record = f"with other values: {command} TARGET=VALUE"

    def on_finish(self, summary: Summary) -> None:
        """Print failures, seed and Summary."""
        broken = f"kogine: error: {summary.broken}" if summary.broken else ""
        self._out.print("interrupted" if summary.is_interrupted else "", broken)
        if summary.is_refused:
            return  # an exception reports it
        for failure in self._failures.groups.values():
            self._out.print(*_lines(failure))
        others = self._failures.others
        self._out.print(f"failed ... and {others} more, with other errors" if others else "")
        self._out.print(self._from_record)
        self._out.print(*self._repeats.lines())
        more = len(self._shortened) - _MOST_SHORTENED
        self._out.print(*self._shortened[:_MOST_SHORTENED])
        self._out.print(f"... and {more} more logs" if more > 0 else "")
        shared = shared_text(summary.shared_files)
        self._out.print(f"{label('warning', self._out.stream)}{shared}" if shared else "")
        self._out.print("" if self._seed is None else f"drawn with --seed {self._seed}")
        self._out.print(str(summary))
        lost = f"kogine: error: cannot show all that the runs print: {summary.unshown}"
        self._out.print(lost if summary.unshown else "")
        command = self._resume(self._seed) if summary.is_interrupted else ""
        self._out.print(f"go on with: {command}" if command else "")


_MOST_SHORTENED = 5
_MOST_SHARED, _MOST_NUMBERS = 5, 3


def shared_text(shared: Sequence[SharedFile]) -> str:
    """A sentence about the files that more than one run has written; empty if there are none."""
    if not shared:
        return ""
    named = ", ".join(map(_shared_name, shared[:_MOST_SHARED]))
    more = len(shared) - _MOST_SHARED
    return (
        "these files were written by more than one run; the last one's is what is left: "
        f"{named}{f' and {more} more' if more > 0 else ''}. "
        "Use os.environ['KOGINE_RUN_DIR'], or --run-dir (run_dir=True)"
    )


def _shared_name(one: SharedFile) -> str:
    numbers = ", ".join(str(index + 1) for index in one.indexes[:_MOST_NUMBERS])
    dots = " ..." if len(one.indexes) > _MOST_NUMBERS else ""
    return f"{one.path} (runs {numbers}{dots})" if numbers else one.path


def _lines(failure: FailedRuns) -> Iterator[str]:
    yield f"failed {failure.number} {failure.label}: {failure.error}"
    if failure.count > 1:
        yield f"  (and {failure.count - 1} more with the same error: {_numbers(failure)})"
    for line in failure.lines:
        yield f"  | {line}"
    if failure.log:
        yield f"  log: {short_path(failure.log)}"
    if failure.again:
        yield f"  again: {failure.again}"


def _numbers(failure: FailedRuns) -> str:
    """The numbers of all runs but the first one."""
    others = [f"[{index + 1}]" for index in sorted(failure.indexes[1:])]
    return ", ".join(others) + (", ..." if failure.count > len(failure.indexes) else "")


class Lines(Observer):
    """Prints ``started [1/4] lr=0.1``, ``succeeded [1/4] lr=0.1 in 1.2 s: loss=0.12``."""

    def __init__(self, stream: TextIO) -> None:
        self._out = Out(stream)

    def on_start(self, run: Run, total: int | None) -> None:
        """Print its number and label."""
        attempt = f" (attempt {run.attempt})" if run.attempt > 1 else ""
        self._out.print(f"started {run.number} {run.title}{attempt}")

    def on_retry(self, run: Run, seconds: float) -> None:
        """Print why it is retried, and when."""
        self._out.print(
            f"retrying {run.number} {run.title} in {exact_time(seconds)}: {error_line(run)}"
        )

    def on_skip(self, run: Run) -> None:
        """Print that it was skipped, and how it had ended; or what stands in for it."""
        if run.cached:
            self._out.print(f"cached {run.number} {run.title}: as in {run.cached}")
            return
        how = run.outcome.status if run.outcome else SUCCEEDED
        self._out.print(f"skipped {run.number} {run.title}: it has {how} before")

    def on_end(self, run: Run) -> None:
        """Print how it ended."""
        last = error_line(run) if run.state == FAILED else metrics_text(seen_of(run).metrics)
        end = f": {last}" if last else ""
        self._out.print(f"{run.state} {run.number} {run.title} in {exact_time(run.seconds)}{end}")


class Heads(Lines):
    """Prints ``[1/4] lr=0.1`` above the output of each run."""

    def on_start(self, run: Run, total: int | None) -> None:
        """Print its number and label."""
        _flush()
        attempt = f" (attempt {run.attempt})" if run.attempt > 1 else ""
        self._out.print(f"{run.number} {run.title}{attempt}")

    def on_retry(self, run: Run, seconds: float) -> None:
        """Print why it is retried, and when."""
        _flush()
        super().on_retry(run, seconds)

    def on_end(self, run: Run) -> None:
        """Print nothing: the run's own output stands above."""

    def on_finish(self, summary: Summary) -> None:
        """Print nothing; the next text stands below all output."""
        _flush()


def _flush() -> None:
    """Write out buffered output: it comes before the next text on stderr."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        pass  # its reader has ended, or it is None


@contextmanager
def only_json() -> Iterator[TextIO]:
    """A stream to standard output; inside, all other output of this process, of its children and
    its C libraries goes to standard error instead.
    """
    if sys.stdout is None:  # it was closed when this process started: nobody reads it
        with open(os.devnull, "w") as nowhere:
            yield nowhere
        return
    output = _descriptor(sys.stdout)
    if output is None:
        yield sys.stdout  # the caller has replaced it
        return
    sys.stdout.flush()
    kept = os.dup(output)
    _redirect(output, _descriptor(sys.stderr))
    stream = os.fdopen(kept, "w", encoding="utf-8", newline="\n")
    try:
        yield stream
    finally:
        sys.stdout.flush()
        os.dup2(kept, output)
        try:
            stream.close()
        except OSError:  # its reader has ended, and `Out` has noticed
            pass


def _descriptor(stream: TextIO | None) -> int | None:
    """The descriptor of *stream*; None if it has none."""
    try:
        return None if stream is None else stream.fileno()
    except (OSError, AttributeError, io.UnsupportedOperation):
        return None


def _redirect(output: int, error: int | None) -> None:
    """Have *output* go to the descriptor *error*, or nowhere."""
    if error is not None:
        os.dup2(error, output)
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, output)
    os.close(nowhere)
