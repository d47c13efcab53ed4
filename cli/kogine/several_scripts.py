"""``kogine workflow sequential`` and ``parallel``: a flow of several scripts.

Each script gets the values whose targets it has; a target that none of them has is an error.
"""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from kogine.flow_run import output, read_flow_options, run_flow
from kogine.repeat_command import repeat_command_of_run, repeat_command_of_sweep
from kogine.script_arguments import refuse_lost_overrides
from kogine.script_command import ScriptCommand, binder_of, find_script, load_configs, own_axes
from kogine.sweep import check_axes, sweep_of

from kohaku_ast.config.config import Config, same
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.files import read_input
from kohaku_ast.flow.run import Previous, ScriptConfigs
from kohaku_ast.flow.settings import FlowSettings
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.composed_overrides import is_choice, is_helper
from kohaku_ast.runner.overrides import Override


def start_scripts(command: ScriptCommand, *, is_parallel: bool) -> Callable[[], int]:
    """The result runs the scripts one after another; or at the same time, by default on all usable
    cores.
    """
    usual = FlowSettings(stops_on_error=not is_parallel, keeps_order=not is_parallel)
    options = read_flow_options(command, usual, spreads=is_parallel)
    with output(options.is_json):  # the output of config files is no JSON
        works = _script_configs(command)
    if "dry_run" in command.options:
        from kogine.dry_run import dry_run  # a run does without

        return lambda: dry_run(works, "json" in command.options)
    sizes = [work.configs.size if isinstance(work.configs, Sweep) else None for work in works]
    known = [size for size in sizes if size is not None]
    total = sum(known) if len(known) == len(sizes) else None
    again = repeat_command_of_sweep(command) if len(works) == 1 else repeat_command_of_run
    return lambda: run_flow(works, options, again, total)


def _script_configs(command: ScriptCommand) -> list[ScriptConfigs]:
    """The scripts of *command* with their sweeps, checked as far as they are known before a run."""
    files = command.config_files
    binders = [_binder(path, command) for path in command.scripts]

    def sweep(binder: Binder, config: Config | Sweep | None) -> Sweep:
        found = sweep_of(command, config, binder if len(binders) == 1 else None)
        if len(binders) > 1:
            found = _fitted(found, binder, binders, command)
        check_axes(binder, found)
        script = command.scripts[binders.index(binder)]
        refuse_lost_overrides(command, script, binder, own_axes(command).targets)
        return found

    configs: Sequence[Sweep | Callable[[Previous], Sweep]]
    if any(map(_needs_previous, files)):
        # Loaded for each script, when its first run can start; the others now, for all scripts see
        # the same texts.
        early = {file: load_configs([file]) for file in files if not _needs_previous(file)}
        configs = [partial(_sweep_after, sweep, binder, files, early) for binder in binders]
    else:
        config = load_configs(files)
        configs = [sweep(binder, config) for binder in binders]
    return [ScriptConfigs(*one) for one in zip(command.scripts, binders, configs)]


def _sweep_after(
    sweep: Callable[[Binder, Config | Sweep | None], Sweep],
    binder: Binder,
    files: Sequence[str],
    early: Mapping[str, Config | Sweep | None],
    previous: Previous,
) -> Sweep:
    found: list[Any] = [
        early[one] if one in early else load_configs([one], previous=previous) for one in files
    ]
    return sweep(binder, functools.reduce(operator.or_, found))


def _binder(path: str, command: ScriptCommand) -> Binder:
    launch, entrypoint = find_script(command, path)
    return binder_of(launch, command, entrypoint, capture=True)


def _fitted(
    whole: Sweep, binder: Binder, binders: Sequence[Binder], command: ScriptCommand
) -> Sweep:
    """*whole* for one of several scripts: without the axes of the others, and with the targets of
    the others optional.
    """
    binder.elsewhere = partial(_foreign, binder, [one for one in binders if one is not binder])
    targets = [*whole.targets, *whole.base.globals_dict, *(one.target for one in command.overrides)]
    base = whole.base
    groups = {target for target in targets if is_choice(base, target) or is_helper(base, target)}
    foreign = binder.elsewhere([target for target in targets if target not in groups])
    for override in binder.overrides:
        override.optional = override.optional or override.target in foreign
    useless = [
        target
        for target in whole.targets
        if (target in foreign or target in groups) and not _changes_values(target, whole, binder)
    ]
    return whole.without(*useless) | Config(optional=frozenset(foreign))


def _foreign(binder: Binder, others: Sequence[Binder], targets: Sequence[str]) -> set[str]:
    """Those of *targets* that the script of *binder* lacks and one of *others* has."""
    left = [*(set(targets) - _own(binder, targets))]
    return {target for other in others for target in _own(other, left)} if left else set()


def _own(binder: Binder, targets: Sequence[str]) -> set[str]:
    """Those of *targets* that the script of *binder* has."""
    probes = [Override(target, None, "command line", optional=True) for target in targets]
    return {*binder.full_targets(probes)}


_MOST_COMPOSED = 100
"""The number of values of one axis that are composed to see whether they change anything."""


def _changes_values(target: str, whole: Sweep, binder: Binder) -> bool:
    """Whether the axis *target* of *whole*, an option of Hydra or a parameter of another script,
    gives the script's own targets different values: interpolations may read it. If in doubt, yes.
    """
    if not whole.base.composed:
        return False
    axis = next(one for one in whole.axes if target in one.targets)
    if axis.is_random or not axis.is_settled or (axis.size or _MOST_COMPOSED) >= _MOST_COMPOSED:
        return True
    column = axis.targets.index(target)
    first, *others = [
        _values(whole.base | Config({target: row[column]}), binder) for row in axis.rows()
    ]
    return any(
        one.keys() != first.keys() or not all(same(value, first[k]) for k, value in one.items())
        for one in others
    )


def _values(config: Config, binder: Binder) -> dict[str, object]:
    """What *config* gives to the script's own targets."""
    overrides = binder.all_overrides(config)
    own = _own(binder, [one.target for one in overrides])
    return {one.target: one.value for one in overrides if one.target in own}


def _needs_previous(path: str) -> bool:
    """Whether the ``config_gen`` of the file at *path* has a parameter ``previous``. The file is
    only parsed: it runs when there are Outcomes.
    """
    try:
        body = ast.parse(read_input(path)).body if path.endswith(".py") else []
    except (OSError, SyntaxError, ValueError):
        return False  # load_configs raises the error
    functions = [one for one in body if isinstance(one, ast.FunctionDef)]
    return any(one.name == "config_gen" and "previous" in _parameters(one) for one in functions)


def _parameters(function: ast.FunctionDef) -> list[str]:
    of = function.args
    return [one.arg for one in (*of.args, *of.kwonlyargs)]
