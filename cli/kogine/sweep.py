"""``kogine run`` with a sweep: a run for each Config. ``sweep`` is its main path, step by step.

An axis under something that sets its target is dropped: its runs would all be the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from kogine.flow_run import FlowOptions, read_flow_options, run_flow
from kogine.repeat_command import repeat_command_of_sweep
from kogine.report import explain_script_error
from kogine.script_arguments import accepted_by, refuse_lost_overrides
from kogine.script_command import ScriptCommand, binder_of, own_axes

from kohaku_ast.config.cells import is_cell
from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import DuplicateTarget, SourceError, UsageError
from kohaku_ast.flow.launchers import usual_mode
from kohaku_ast.flow.run import ScriptConfigs
from kohaku_ast.flow.settings import FlowSettings
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.overrides import Override, place_of
from kohaku_ast.store.record import find_runs
from kohaku_ast.store.run_folder import RUNS
from kohaku_ast.store.values import read
from kohaku_ast.transform.find.accepted_options import given_as


def sweep(
    launch: Launch, command: ScriptCommand, entrypoint: str, config: Config | Sweep | None
) -> Callable[[], int]:
    """Check all that can be checked before anything runs; the result runs the sweep and gives the
    exit status. Raises KogineError.
    """
    needs_values = _needs_values(command, config)
    options = _read_options(launch, command, config, spreads=not needs_values)
    captures = needs_values or options.is_json or options.settings.records
    binder = binder_of(launch, command, entrypoint, capture=captures)
    try:
        configs = sweep_of(command, config, binder)
        check_axes(binder, configs)
        if command.argv:
            axes = own_axes(command).targets
            refuse_lost_overrides(command, command.script, binder, axes)
    except (SyntaxError, ValueError, SourceError) as error:
        return explain_script_error(launch, error)
    if launch.in_kernel and configs.size != 1:
        binder.share_output(has_folders=options.settings.records)  # type: ignore[attr-defined]
    work = ScriptConfigs(launch.shown, binder, configs)
    if "search" in command.options:
        from kogine.search import search

        return search(configs, work, command, options)
    if "dry_run" in command.options:
        from kogine.dry_run import dry_run  # a run does without

        return lambda: dry_run([work], "json" in command.options)
    return lambda: run_flow([work], options, repeat_command_of_sweep(command), configs.size)


def _needs_values(command: ScriptCommand, config: Config | Sweep | None) -> bool:
    """Whether the next run depends on the values that earlier ones returned."""
    return "search" in command.options or (isinstance(config, Sweep) and config.listens)


def _read_options(
    launch: Launch, command: ScriptCommand, config: Config | Sweep | None, *, spreads: bool
) -> FlowOptions:
    """With *spreads*, many runs in processes of their own get a worker for each GPU or core, unless
    ``--isolate`` keeps them one after another.
    """
    has_axes = any(one in command.options for one in ("sweep", "trials", "n", "repeat"))
    has_processes = command.option("mode") in ("spawn", "warm") or "gpus" in command.options
    is_parallel = has_processes and "isolate" not in command.options
    return read_flow_options(
        command,
        FlowSettings(mode=usual_mode(launch)),
        spreads=spreads and is_parallel and (has_axes or isinstance(config, Sweep)),
    )


def sweep_of(command: ScriptCommand, config: Config | Sweep | None, binder: Binder | None) -> Sweep:
    """The sweep of the config files *config* and of the axes of the command line, without axes that
    the command line sets.

    *binder* is that of the one script; None if there are several.
    """
    own = own_axes(command)
    whole = Sweep.of(config or Config()) if not isinstance(config, Sweep) else config
    found = settle_names(whole | own, own, command, binder)
    if "repeat" not in command.options:
        return _limited(found, command)
    n, seed = command.option("repeat")
    seeded = own.repeat(n, seed)
    settle_names(whole | seeded, seeded, command, binder)  # raises if the seed is given twice
    return _limited(found.without(seed), command).repeat(n, seed)


def _limited(whole: Sweep, command: ScriptCommand) -> Sweep:
    """*whole* with N draws of its random axes, or only its first N runs."""
    n, seed = command.option("n"), command.option("seed")
    if "search" in command.options:
        return whole  # the search chooses the values
    if whole.is_random:
        if n is None:
            names = ", ".join(t for axis in whole.axes if axis.is_random for t in axis.targets)
            raise UsageError(f"random axes ({names}): say how many draws, such as -n 20")
        return whole.draw(n, _new_seed(command) if seed is None else seed)
    if seed is not None:
        raise UsageError("--seed is for random axes (uniform:0:1), and there is none")
    return whole if n is None else whole.first(n)


def _new_seed(command: ScriptCommand) -> int:
    """A new seed; UsageError if the command line resumes runs, which other draws do not contain."""
    for name in ("resume", "retry_failed"):
        if name in command.options:
            raise UsageError(refused_without_seed(f"--{name.replace('_', '-')}"))
    import random

    return random.randrange(2**31)


_LONGEST_AXIS = 100_000
"""Values of one axis that are checked before the first run; a longer axis is checked run by run."""


def check_axes(binder: Binder, sweep: Sweep) -> None:
    """Raise the error that binding a Config would raise, for each value of each axis by itself."""
    for axis in sweep.axes:  # those of other scripts are already removed
        if axis.is_random or not axis.is_settled or axis.size is None or axis.size > _LONGEST_AXIS:
            binder.check([Override(target, None, axis.origin) for target in axis.targets])
            continue
        for number, row in enumerate(axis.rows()):
            origin = axis.row_origins[number] if axis.row_origins else axis.origin
            pairs = zip(axis.targets, row)
            values = [Override(target, value, origin) for target, value in pairs]
            if number == 0 or any(is_cell(one.value) for one in values):
                binder.check(values, sweep.base)


def settle_names(whole: Sweep, own: Sweep, command: ScriptCommand, binder: Binder | None) -> Sweep:
    """*whole* without the axes whose targets get their value from something of higher precedence.

    *own* are the axes of the command line; *binder* is that of the one script, None if there are
    several. Raises DuplicateTarget if the command line gives a parameter twice.
    """
    sets = [one.target for one in command.overrides]
    over = [target for axis in whole.axes for target in axis.over.globals_dict]
    full = _full_names([*whole.targets, *over, *sets], binder)
    _refuse_twice(own, command, full)
    dropped = list(_overridden(whole.targets, {full.get(name, name) for name in sets}, full))
    dropped += _under_a_value(whole, full)
    dropped += _under_an_argument(whole, own, command, binder)
    dropped += _under_an_axis(whole, full)
    return whole.without(*dropped) if dropped else whole


def _full_names(names: list[str], binder: Binder | None) -> Mapping[str, str]:
    """The full target of each of *names*. The script is read only if two may be the same.
    Hydra's words ``+db`` and ``~db`` are for ``db``; a group ``db/engine`` is no target.
    """
    by_name = {name: name.lstrip("+~") for name in names}
    if binder is None or len({_last_word(name) for name in by_name}) == len(by_name):
        return by_name
    targets = dict.fromkeys(one for one in by_name.values() if not re.search("[/@]", one))
    full = binder.full_targets([Override(name, None, "", optional=True) for name in targets])
    return {name: full.get(plain, plain) for name, plain in by_name.items()}


def _last_word(target: str) -> str:
    """``depth`` of ``Args.depth``, ``main(depth)`` and ``--depth``."""
    return re.split(r"\W", target.lstrip("-").replace("-", "_").rstrip(")]\"'"))[-1]


def _refuse_twice(own: Sweep, command: ScriptCommand, full: Mapping[str, str]) -> None:
    """Raise DuplicateTarget if the command line gives a parameter twice."""
    typed = [one for one in command.overrides if one.target in full]
    given = {full[one.target]: f"{one.target}={one.value}" for one in typed}
    for target in own.targets:
        name = full.get(target, target)
        if name in given:
            raise DuplicateTarget(
                f"command line: {target!r} is given twice, as an axis and as {given[name]}: "
                "take away one of them"
            )
        given[name] = f"the axis {target!r}"


def _under_a_value(whole: Sweep, full: Mapping[str, str]) -> Iterator[str]:
    for axis in whole.axes:
        above = {full.get(name, name) for name in axis.over.globals_dict}
        yield from _overridden(axis.targets, above, full)


def _under_an_argument(
    whole: Sweep, own: Sweep, command: ScriptCommand, binder: Binder | None
) -> list[str]:
    """The axes of configs for options that are among the script's arguments, which win; for an axis
    of the command line that is an error.
    """
    others = [target for target in whole.targets if target not in own.targets]
    if binder is None or not (others and command.argv):
        return []
    given = accepted_by(command.scripts, command.is_module, is_unfinished=True).given(command.argv)
    probes = [Override(target, None, "", optional=True) for target in others if given]
    full = binder.full_targets(probes)
    return [target for target in others if given_as(target, full.get(target, ""), given)]


def _under_an_axis(whole: Sweep, full: Mapping[str, str]) -> Iterator[str]:
    """Of two axes that multiply the later one wins. Two of the same file both stay: they are an
    error, which is raised later.
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
            yield from _overridden(axis.targets, above, full)


def _overridden(targets: Iterable[str], above: set[str], full: Mapping[str, str]) -> Iterator[str]:
    return (target for target in targets if full.get(target, target) in above)


def refused_without_seed(option: str) -> str:
    """Why *option*, which continues an earlier sweep, does not work with other draws."""
    seed = _last_seed()
    if seed is None:
        hint = "Name the one that the sweep printed at its end: --seed N"
    else:
        hint = f"The last sweep here had --seed {seed}"
    return f"{option}: without their seed, random axes get other values. {hint}"


def _last_seed() -> object:
    for record in find_runs(RUNS, newest=True):
        metadata = record.facts.get("metadata")
        if isinstance(metadata, dict) and "sweep_seed" in metadata:
            return read(metadata["sweep_seed"])
    return None
