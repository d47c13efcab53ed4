"""``kogine run --search``: a run for each Config that a search chooses."""

from __future__ import annotations

import os
from collections.abc import Callable

from kogine.flow_run import FlowOptions, run_flow, say
from kogine.repeat_command import command_of
from kogine.script_command import ScriptCommand

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import KogineError, UsageError
from kohaku_ast.flow.observer import Observer, Summary
from kohaku_ast.flow.run import SUCCEEDED, Run, ScriptConfigs
from kohaku_ast.flow.search import Search, Tried, check_method, make_objective, space_of
from kohaku_ast.flow.search import in_words as fixed_words

_FOLDER = os.path.join(".kogine", "studies")


def search(
    sweep: Sweep, work: ScriptConfigs, command: ScriptCommand, options: FlowOptions
) -> Callable[[], int]:  # fmt: skip
    """Check what can be checked and open the study; what comes back searches.

    Raises what binding a Config raises, and KogineError for what cannot be searched.
    """
    made = _search(sweep, work, command, options)
    work.binder.bind(made.space.example())
    if "dry_run" in command.options:
        return lambda: _dry_run(made)
    before = made.tried()
    if "study" not in command.options:
        _hide_from_git(_FOLDER)
    return lambda: _run(made, before, work, command, options)


def _search(
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
    made = Search(
        space_of(sweep), objective, n, method, command.option("seed"), fixed=_fixed(work, command)
    )
    return made.kept_in(command.option("study") or _usual_file(made, work))


def _refuse_options(command: ScriptCommand, options: FlowOptions) -> None:
    if options.settings.workers > 1:
        raise UsageError(
            "--search: each choice follows from the runs before it, so they run one after "
            f"another. Take away --workers {command.option('workers')}"
        )
    if options.settings.resumes or options.settings.retries_failed:
        raise UsageError("--search: a study goes on by itself. Take away --resume")


def _fixed(work: ScriptConfigs, command: ScriptCommand) -> str:
    """What the command line sets for all runs, in words."""
    pairs: list[tuple[str, object]] = [("script", os.path.basename(work.binder.launch.shown))]
    pairs += [("entrypoint", work.binder.entrypoint)] if work.binder.entrypoint else []
    pairs += [*_typed(command), *(("add", one) for one in command.option("add", ()))]
    pairs += [("argv", command.argv)] if command.argv else []
    return fixed_words(pairs)


def _typed(command: ScriptCommand) -> list[tuple[str, object]]:
    return sorted((one.target, str(one.value)) for one in command.overrides)


def _usual_file(made: Search, work: ScriptConfigs) -> str:
    stem = os.path.splitext(os.path.basename(work.binder.launch.shown))[0]
    stem = "".join(one if one.isalnum() or one in "-_." else "_" for one in stem) or "script"
    return os.path.join(_FOLDER, f"{stem}-{made.id}.db")


def _hide_from_git(folder: str) -> None:
    """Studies are no part of a project; who wants one there names it."""
    try:
        with open(os.path.join(folder, ".gitignore"), "x", encoding="utf-8") as file:
            file.write("*\n")
    except OSError:
        pass  # it is there, or what cannot be ignored is seen


def _run(
    made: Search, before: Tried, work: ScriptConfigs, command: ScriptCommand, options: FlowOptions
) -> int:  # fmt: skip
    best = f", best {made.objective.name} {before.best.result:.6g}" if before.best else ""
    say(f"goes on from {in_words(before)}{best} in {made.study}" if before.count else "")
    files = command.config_files  # all that varies in them is chosen

    def again(config: Config) -> str:
        return command_of(work.binder, config, files)

    lines = SearchLines(again, made, before)
    ready = ScriptConfigs(work.name, work.binder, made.sweep())
    status = run_flow([ready], options, lambda run: again(run.config), made.n, [lines])
    return status or int(lines.without > 0)


def _dry_run(made: Search) -> int:
    """Print what would be searched; nothing is run or written."""
    for dimension in made.space.dimensions:
        print(f"axis {dimension.name}: {dimension.axis.shown}")
    print(f"{made.objective} by {made.method}, {made.n} trials, study {made.study}")
    say("nothing was run")
    return 0


class SearchLines(Observer):
    """Beside what is said of a sweep."""

    def __init__(self, again: Callable[[Config], str], search: Search, before: Tried) -> None:
        """*again* gives the command that repeats a run."""
        self.again, self.search = again, search
        #: Runs that ended well and have no objective.
        self.without = 0
        self._best = before.best.result if before.best else None

    def on_end(self, run: Run) -> None:
        """Say what it came to."""
        if run.state != SUCCEEDED:
            return
        objective = self.search.objective
        try:
            result = objective.read(run.outcome)
        except ValueError as error:
            self.without += 1
            say(f"  a failed trial: {error}")
            return
        is_best = objective.is_better(result, self._best)
        self._best = result if is_best else self._best
        say(f"  {objective.name} {result:.6g}{', the best so far' if is_best else ''}")

    def on_finish(self, summary: Summary) -> None:
        """The best trial of all, and the command that repeats it."""
        if self.without:
            one = self.without == 1
            say(
                f"{self.without} of them {'has' if one else 'have'} no {self.search.objective.name}"
            )
        try:
            say(*self._result(self.search.tried()))
        except KogineError as error:
            say(f"kogine: warning: {error}")

    def _result(self, tried: Tried) -> list[str]:
        where = f"study {self.search.study}: {in_words(tried)}"
        best = tried.best
        if best is None:
            return [where, "no trial has succeeded"]
        config = self.search.space.config(best.values)
        name = self.search.objective.name
        said = f"best {name} {best.result!r}, trial {best.number + 1}: {config.label}"
        again = self.again(config)
        return [where, said, f"  again: {again}" if again else ""]


def in_words(tried: Tried) -> str:
    """``12 trials, 2 of them failed``."""
    failed = f", {tried.failed} of them failed" if tried.failed else ""
    return f"{tried.count} trial{'s' if tried.count != 1 else ''}{failed}"
