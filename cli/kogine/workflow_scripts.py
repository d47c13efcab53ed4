"""``kogine workflow sequential a.py b.py`` and ``parallel``: one config for several scripts.

Each script gets the values whose targets it has; a target that none of them has is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from kogine.again import again_of_scripts, again_of_sweep
from kogine.flow_options import flow_options
from kogine.flow_run import output, run_flow
from kogine.overrides import binder_of
from kogine.script_command import ScriptCommand
from kogine.sort_words import refuse_lost_overrides
from kogine.sweep_check import check_axes
from kogine.sweep_of import own_axes, sweep_of
from kogine.workflow_previous import asks_for_previous, load_after

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.flow.run import Previous, ScriptConfigs
from kohaku_ast.flow.settings import Limits
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.launch import find_launch, split_function
from kohaku_ast.runner.overrides import Override


def start_scripts(command: ScriptCommand, *, is_parallel: bool) -> Callable[[], int]:
    """One after another, in this process unless the options say something else; or at the same
    time, by default on all usable cores.
    """
    mode = "spawn" if is_parallel else "inline"
    limits = Limits(stops_on_error=not is_parallel)
    options = flow_options(command, mode=mode, limits=limits, spreads=is_parallel)
    with output(options.is_json):  # what config files print is no JSON
        works = _works(command)
    if "dry_run" in command.options:
        return lambda: _dry_run(works)
    sizes = [work.configs.size if isinstance(work.configs, Sweep) else None for work in works]
    known = [size for size in sizes if size is not None]
    total = sum(known) if len(known) == len(sizes) else None
    again = again_of_sweep(command) if len(works) == 1 else again_of_scripts
    return lambda: run_flow(works, options, again, total)


def _dry_run(works: Sequence[ScriptConfigs]) -> int:
    from kogine.dry_run import dry_run

    for work in works:
        print(f"script {work.name}")
        if isinstance(work.configs, Sweep):
            dry_run(work.configs, work.binder)
        else:
            print("its runs depend on the Outcomes of the scripts before it")
    return 0


def _works(command: ScriptCommand) -> list[ScriptConfigs]:
    files = command.config_files
    paths = command.scripts
    binders = [_binder(path, command) for path in paths]

    def sweep(binder: Binder, config: Config | Sweep | None) -> Sweep:
        found = sweep_of(command, config, binder if len(binders) == 1 else None)
        if len(binders) > 1:
            found = _fitted(found, binder, binders, command)
        check_axes(binder, found)
        script = command.scripts[binders.index(binder)]
        refuse_lost_overrides(command, script, binder, own_axes(command).targets)
        return found

    if any(map(asks_for_previous, files)):
        # Loaded for each script, when its first run can start.
        waiting = [partial(_after, sweep, binder, files) for binder in binders]
        return [ScriptConfigs(path, *pair) for path, pair in zip(paths, zip(binders, waiting))]
    config = load_after(files)
    sweeps = [sweep(binder, config) for binder in binders]
    return [ScriptConfigs(path, *pair) for path, pair in zip(paths, zip(binders, sweeps))]


def _after(
    sweep: Callable[[Binder, Config | Sweep | None], Sweep],
    binder: Binder,
    files: Sequence[str],
    previous: Previous,
) -> Sweep:
    return sweep(binder, load_after(files, previous))


def _binder(path: str, command: ScriptCommand) -> Binder:
    script, function = split_function(path)
    launch = find_launch(script, command.argv, command.is_module)
    return binder_of(launch, command, command.option("entrypoint") or function, capture=True)


def _fitted(
    whole: Sweep, binder: Binder, binders: Sequence[Binder], command: ScriptCommand
) -> Sweep:
    """*whole* for one of several scripts: less the axes that are others', and with what others
    have allowed to be missing in it.
    """
    targets = [*whole.targets, *whole.base.globals_dict, *(one.target for one in command.overrides)]
    probes = [Override(target, None, "command line", optional=True) for target in targets]
    own = binder.full_targets(probes)
    somewhere = {name for one in binders for name in one.full_targets(probes)}
    foreign = [target for target in targets if target in somewhere and target not in own]
    for override in binder.overrides:
        override.optional = override.optional or override.target in foreign
    left = whole.without(*(target for target in whole.targets if target in foreign))
    return left | Config(optional=frozenset(foreign))
