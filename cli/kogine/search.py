"""``kogine run --search``: a run for each Config that a search chooses."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kogine.flow_run import FlowOptions, print_lines, run_flow
from kogine.repeat_command import command_of_count, repeat_command
from kogine.report import printing
from kogine.script_command import ScriptCommand

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import KogineError, UsageError, label, visible
from kohaku_ast.flow.pruning import Pruner
from kohaku_ast.flow.results import make_objective
from kohaku_ast.flow.run import (
    CACHED,
    INTERRUPTED,
    PRUNED,
    SUCCEEDED,
    Observer,
    Run,
    ScriptConfigs,
    Summary,
)
from kohaku_ast.flow.search import Search, Trials, Tried, check_method, space_of
from kohaku_ast.flow.search import in_words as fixed_words
from kohaku_ast.runner.bind import Binder
from kohaku_ast.store.run_folder import mark_root

_FOLDER = os.path.join(".kogine", "studies")


def search(
    sweep: Sweep, work: ScriptConfigs, command: ScriptCommand, options: FlowOptions
) -> Callable[[], int]:  # fmt: skip
    """Check what can be checked and open the study; the result runs the search.

    Raises what binding a Config raises, and KogineError for axes that cannot be searched.
    """
    study = _open_study(sweep, work, command, options)
    work.binder.bind(study.space.example())
    if "dry_run" in command.options:
        return lambda: _dry_run(study, work.binder)
    study.check_space()
    if "study" not in command.options:
        _hide(_FOLDER)
    before = study.tried()
    return lambda: _run(study, before, work, command, options)


def _open_study(
    sweep: Sweep, work: ScriptConfigs, command: ScriptCommand, options: FlowOptions
) -> Search:
    method = command.option("search")
    check_method(method)
    objective = make_objective(
        command.option("minimize", ""),
        command.option("maximize", ""),
        ("--minimize", "--maximize"),
    )
    n = command.option("n")
    if n is None:
        raise UsageError("--search: say how many trials, such as -n 50")
    _refuse_options(command, options)
    study = Search(
        space_of(sweep), objective, n, method, command.option("seed"),
        prune=command.option("prune", ""), fixed=_fixed(work, command),
    )  # fmt: skip
    return study.kept_in(command.option("study") or _default_file(study, work))


def _refuse_options(command: ScriptCommand, options: FlowOptions) -> None:
    if "repeat" in command.options:
        raise UsageError(
            "--search: each trial is one run. Take away --repeat, and repeat the best trial by the "
            "command that the search prints for it"
        )
    if "prune" in command.options and not options.settings.records:
        raise UsageError("--prune reads what runs print from their records: take --no-record away")
    if "prune" in command.options and options.settings.mode == "inline":
        raise UsageError("--prune ends processes of runs: take --mode inline away")
    if options.settings.resumes or options.settings.retries_failed:
        raise UsageError("--search: a study continues by itself. Take away --resume")


def _fixed(work: ScriptConfigs, command: ScriptCommand) -> str:
    """The settings of the command line that hold for all runs, as text."""
    pairs: list[tuple[str, object]] = [("script", os.path.basename(work.binder.launch.shown))]
    pairs += [("entrypoint", work.binder.entrypoint)] if work.binder.entrypoint else []
    pairs += [*_typed(command), *(("add", one) for one in command.option("add", ()))]
    pairs += [("argv", command.argv)] if command.argv else []
    return fixed_words(pairs)


def _typed(command: ScriptCommand) -> list[tuple[str, object]]:
    return sorted((one.target, str(one.value)) for one in command.overrides)


def _default_file(study: Search, work: ScriptConfigs) -> str:
    stem = os.path.splitext(os.path.basename(work.binder.launch.shown))[0]
    stem = "".join(one if one.isalnum() or one in "-_." else "_" for one in stem) or "script"
    return os.path.join(_FOLDER, f"{stem}-{study.id}.db")


def _hide(folder: str) -> None:
    """Make *folder* for its owner, and let git ignore it: a study is in a repository, or open to
    others, only if the user names its file.
    """
    try:
        mark_root(Path(folder))
    except OSError:
        pass  # the study says why it cannot be written


def _run(
    study: Search, before: Tried, work: ScriptConfigs, command: ScriptCommand, options: FlowOptions
) -> int:  # fmt: skip
    best = f", best {study.objective.name} {before.best.result:.6g}" if before.best else ""
    print_lines(f"continues from {in_words(before)}{best} in {study.study}" if before.count else "")
    files = command.config_files  # the search chooses all that varies in them

    def again(config: Config) -> str:
        return repeat_command(work.binder, config, files)

    trials = Trials(study)
    lines = SearchLines(again, trials, before, is_parallel=options.settings.workers != 1)
    # The trials run at the same time: not the flow, but the lines report the results to the study.
    configs = Sweep.of(trials.configs(), f"search {study.method}")
    ready = ScriptConfigs(work.name, work.binder, configs)
    options = replace(options, resume=lambda _: command_of_count(command, study.n - lines.ended))
    pruning = [Pruner(trials, study.objective.name)] if study.prune else []
    observers: list[Observer] = [*pruning, lines]
    status = run_flow([ready], options, lambda run: again(run.config), study.n, observers)
    return status or (2 if trials.broken else int(lines.without > 0))


@printing
def _dry_run(study: Search, binder: Binder) -> int:
    """Print what would be searched; nothing is run or written."""
    from kogine.dry_run import print_fixed  # a search does without

    for dimension in study.space.dimensions:
        print(visible(f"axis {dimension.name}: {dimension.axis.shown}"))
    print_fixed(binder, study.space.base)
    print(f"{study.objective} by {study.method}, {study.n} trials, study {study.study}")
    print_lines("nothing was run")
    return 0


class SearchLines(Observer):
    """Prints the objective of each trial, and at the end the best one, beside a sweep's lines."""

    def __init__(
        self, again: Callable[[Config], str], trials: Trials, before: Tried, is_parallel: bool
    ) -> None:
        """*again* gives the command that repeats a run. *trials* get the results. *is_parallel*:
        the lines name their trials.
        """
        self.is_parallel = is_parallel
        self.again, self.trials, self.search = again, trials, trials.search
        #: The number of runs that succeeded without an objective.
        self.without = 0
        #: The number of trials that ended by themselves: they count for the study.
        self.ended = 0
        self._best = before.best.result if before.best else None

    def on_end(self, run: Run) -> None:
        """Report the objective of *run* to the study, and print it."""
        objective = self.search.objective
        self.ended += run.state != INTERRUPTED
        if run.state == PRUNED:
            self.trials.prune(run.config)
            print_lines(f"  {run.number} pruned {run.pruned}")
            return
        try:
            result = self.trials.settle(run.config, run.outcome)
        except ValueError as error:
            if run.state in (SUCCEEDED, CACHED):
                self.without += 1
                print_lines(f"  a failed trial: {error}")
            return
        is_best = objective.is_better(result, self._best)
        self._best = result if is_best else self._best
        number = f"{run.number} " if self.is_parallel else ""
        best = ", the best so far" if is_best else ""
        print_lines(f"  {number}{objective.name} {result:.6g}{best}")

    def on_skip(self, run: Run) -> None:
        """The same for a run whose result is cached."""
        self.on_end(run)

    def on_finish(self, summary: Summary) -> None:
        """Print the best trial of all, and the command that repeats it."""
        self.trials.close()
        if self.without:
            one = self.without == 1
            print_lines(
                f"{self.without} of them {'has' if one else 'have'} no {self.search.objective.name}"
            )
        try:
            print_lines(*self._result(self.search.tried()))
        except KogineError as error:
            print_lines(f"{label('warning', sys.stderr)}{error}")

    def _result(self, tried: Tried) -> list[str]:
        where = f"study {self.search.study}: {in_words(tried)}"
        best = tried.best
        if best is None:
            return [where, "no trial has succeeded"]
        config = self.search.space.config(best.values)
        name = self.search.objective.name
        line = f"best {name} {best.result!r}, trial {best.number + 1}: {config.label}"
        again = self.again(config)
        return [where, line, f"  again: {again}" if again else ""]


def in_words(tried: Tried) -> str:
    """``12 trials, 2 of them failed``."""
    failed = f", {tried.failed} of them failed" if tried.failed else ""
    pruned = f", {tried.pruned} pruned" if tried.pruned else ""
    return f"{tried.count} trial{'s' if tried.count != 1 else ''}{failed}{pruned}"
