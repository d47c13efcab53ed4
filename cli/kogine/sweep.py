"""``kogine run`` with a sweep: a run for each Config.

A run for each value of an axis that has no effect would be the same run again and again.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from kogine.flow_run import read_flow_options, run_flow
from kogine.repeat_command import again_of_sweep
from kogine.report import mistaken
from kogine.script_command import ScriptCommand, split_override
from kogine.sort_words import refuse_lost_overrides
from kogine.start import binder_of

from kohaku_ast.config.axis import Axis
from kohaku_ast.config.axis_grammar import parse_axis
from kohaku_ast.config.cells import is_cell
from kohaku_ast.config.config import Config, value_text
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import DuplicateTarget, SourceError, UsageError
from kohaku_ast.flow.run import ScriptConfigs
from kohaku_ast.flow.settings import FlowSettings
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.overrides import Override
from kohaku_ast.runner.prepare import place_of
from kohaku_ast.store.record import find_runs
from kohaku_ast.store.run_folder import RUNS
from kohaku_ast.store.values import read


def sweep(
    launch: Launch, command: ScriptCommand, entrypoint: str, config: Config | Sweep | None
) -> Callable[[], int]:
    """Check what can be checked before anything runs; what comes back runs the sweep."""
    is_search = "search" in command.options
    # A generator may look at what its runs returned, and so may who reads records.
    listens = is_search or (isinstance(config, Sweep) and config.listens)
    spreads = not listens and _spreads(command, config)
    options = read_flow_options(command, FlowSettings(mode=_usual_mode(launch)), spreads=spreads)
    captures = listens or options.is_json or options.settings.records
    binder = binder_of(launch, command, entrypoint, capture=captures)
    try:
        found = sweep_of(command, config, binder)
        check_axes(binder, found)
        if command.argv:
            axes = own_axes(command).targets
            refuse_lost_overrides(command, command.script, binder, axes)
    except (SyntaxError, ValueError, SourceError) as error:
        return mistaken(launch, error)
    if "dry_run" in command.options and not is_search:
        return lambda: dry_run(found, binder)
    work = ScriptConfigs(launch.shown, binder, found)
    if is_search:
        from kogine.search import search

        return search(found, work, command, options)
    return lambda: run_flow([work], options, again_of_sweep(command), found.size)


def _usual_mode(launch: Launch) -> str:
    """In this process if it can be; runpy and standard input serve a process only once."""
    return "inline" if launch.has_file else "spawn"


def _spreads(command: ScriptCommand, config: Config | Sweep | None) -> bool:
    """Whether there are many runs for processes of their own; ``--isolate`` keeps them in a row."""
    has_axes = any(one in command.options for one in ("sweep", "trials", "n"))
    is_apart = command.option("mode") in ("spawn", "warm") or "gpus" in command.options
    return (has_axes or isinstance(config, Sweep)) and is_apart and "isolate" not in command.options


_ORIGIN = "command line"


def sweep_of(command: ScriptCommand, config: Config | Sweep | None, binder: Binder | None) -> Sweep:
    """Config files, then what the command line sweeps over them; what it sets is set for all.

    *binder* is that of the one script; None if there are several.
    """
    own = own_axes(command)
    whole = Sweep.of(config or Config()) if not isinstance(config, Sweep) else config
    return _limited(settle_names(whole | own, own, command, binder), command)


def own_axes(command: ScriptCommand) -> Sweep:
    """``--sweep`` and ``--trials`` multiply in their order, ``--zip`` pairs."""
    axes = Sweep()
    waiting = {name: iter(command.option(name, ())) for name in ("sweep", "trials")}
    for name in command.axis_order:
        text = next(waiting[name])
        added = Sweep.from_table(text) if name == "trials" else Sweep(_axis(text))
        axes = axes * added
    for names in command.option("zip", ()):
        axes = axes.pair(*names)
    return axes


def _axis(text: str) -> Axis:
    return parse_axis(*split_override(text), _ORIGIN)


def _limited(whole: Sweep, command: ScriptCommand) -> Sweep:
    """With the draws of its random axes, or with its first runs."""
    n, seed = command.option("n"), command.option("seed")
    if "search" in command.options:
        return whole  # the search chooses
    if whole.is_random:
        if n is None:
            random_ = ", ".join(t for axis in whole.axes if axis.is_random for t in axis.targets)
            raise UsageError(f"random axes ({random_}): say how many draws, such as -n 20")
        return whole.draw(n, _new_seed(command) if seed is None else seed)
    if seed is not None:
        raise UsageError("--seed is for random axes (uniform:0:1), and there is none")
    return whole if n is None else whole.first(n)


def _new_seed(command: ScriptCommand) -> int:
    """Raises UsageError where other draws would leave nothing to go on with."""
    for name in ("resume", "retry_failed"):
        if name in command.options:
            raise UsageError(refused_without_seed(f"--{name.replace('_', '-')}"))
    import random

    return random.randrange(2**31)


_LONGEST_AXIS = 100_000  # values of one axis: a longer one is checked run by run


def check_axes(binder: Binder, sweep: Sweep) -> None:
    """Raises what binding a Config would raise, for any value of any axis by itself."""
    for axis in sweep.axes:  # (a target that only another script has is gone from its sweep)
        if axis.is_random or not axis.is_settled or axis.size is None or axis.size > _LONGEST_AXIS:
            binder.check([Override(target, None, axis.origin) for target in axis.targets])
            continue
        for number, row in enumerate(axis.rows()):
            origin = axis.row_origins[number] if axis.row_origins else axis.origin
            pairs = zip(axis.targets, row)
            values = [Override(target, value, origin) for target, value in pairs]
            if number == 0 or any(is_cell(one.value) for one in values):
                binder.check(values)


def settle_names(whole: Sweep, own: Sweep, command: ScriptCommand, binder: Binder | None) -> Sweep:
    """*whole* without the axes that something above them gives a value to.

    *own* are the axes of the command line; *binder* is that of the one script, None if there are
    several. Raises DuplicateTarget if the command line says two things of one parameter.
    """
    sets = [one.target for one in command.overrides]
    over = [target for axis in whole.axes for target in axis.over.globals_dict]
    full = _full_names([*whole.targets, *over, *sets], binder)
    _refuse_twice(own, command, full)
    gone = list(_meant(whole.targets, {full.get(name, name) for name in sets}, full))
    gone += _under_a_value(whole, full)
    gone += _under_an_axis(whole, full)
    return whole.without(*gone) if gone else whole


def _full_names(names: list[str], binder: Binder | None) -> Mapping[str, str]:
    """What each of *names* means in full. The script is asked only if two may mean the same."""
    by_name = {name: name for name in names}
    if binder is None or len({_last_word(name) for name in by_name}) == len(by_name):
        return by_name
    return binder.full_targets([Override(name, None, "", optional=True) for name in by_name])


def _last_word(target: str) -> str:
    """``depth`` of ``Args.depth``, ``main(depth)`` and ``--depth``."""
    return re.split(r"\W", target.lstrip("-").replace("-", "_").rstrip(")]\"'"))[-1]


def _refuse_twice(own: Sweep, command: ScriptCommand, full: Mapping[str, str]) -> None:
    """One command line must not say two things of a parameter."""
    typed = [one for one in command.overrides if one.target in full]
    said = {full[one.target]: f"{one.target}={one.value}" for one in typed}
    for target in own.targets:
        meant = full.get(target, target)
        if meant in said:
            raise DuplicateTarget(
                f"command line: {target!r} is given twice, as an axis and as {said[meant]}: "
                "take away one of them"
            )
        said[meant] = f"the axis {target!r}"


def _under_a_value(whole: Sweep, full: Mapping[str, str]) -> Iterator[str]:
    for axis in whole.axes:
        above = {full.get(name, name) for name in axis.over.globals_dict}
        yield from _meant(axis.targets, above, full)


def _under_an_axis(whole: Sweep, full: Mapping[str, str]) -> Iterator[str]:
    """Of axes that multiply the later one is above; one file must not say two things, and what
    it says is left for the error.
    """
    for number, part in enumerate(whole.parts):
        later = [axis for other in whole.parts[number + 1 :] for axis in other.axes]
        for axis in part.axes:
            place = place_of(axis.origin)
            above = {
                full.get(name, name)
                for other in later
                if not place or place_of(other.origin) != place
                for name in other.targets
            }
            yield from _meant(axis.targets, above, full)


def _meant(targets: Iterable[str], above: set[str], full: Mapping[str, str]) -> Iterator[str]:
    return (target for target in targets if full.get(target, target) in above)


_MOST_ROWS = 1_000


def dry_run(sweep: Sweep, binder: Binder) -> int:
    """Print the axes with their sizes and the runs; each is bound, so that mistakes show."""
    for axis in sweep.axes:
        size = "?" if axis.size is None else axis.size
        print(f"axis {', '.join(axis.targets)}: {size} of {axis.shown}")
    shown = 0
    for number, config in enumerate(islice(sweep, _MOST_ROWS), start=1):
        binder.bind(config)
        pairs = [f"{one}={value_text(config.globals_dict[one])}" for one in config.varied]
        print(f"{number:>5}  {' '.join(pairs)}")
        shown = number
    total = sweep.size
    if total is not None and total > shown:
        print(f"  ...  and {total - shown} more")
    runs = total if total is not None else f"at least {shown}" if shown == _MOST_ROWS else shown
    sys.stdout.flush()
    print(f"{runs} run{'s' if runs != 1 else ''}; nothing was run", file=sys.stderr)
    return 0


def refused_without_seed(option: str) -> str:
    """Why *option*, which goes on with an earlier sweep, cannot do it with other draws."""
    seed = _last_seed()
    if seed is None:
        hint = "Name the one that the sweep printed at its end: --seed N"
    else:
        hint = f"The last sweep here had --seed {seed}"
    return f"{option}: without their seed, random axes are drawn anew. {hint}"


def _last_seed() -> object:
    for record in find_runs(RUNS, newest=True):
        metadata = record.facts.get("metadata")
        if isinstance(metadata, dict) and "sweep_seed" in metadata:
            return read(metadata["sweep_seed"])
    return None
