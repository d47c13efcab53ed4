"""``kogine workflow sequential|parallel|run``: flows of several scripts.

Each script gets the values whose targets it has; a target that none of them has is an error.
"""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click
from kogine.command import Group
from kogine.command_with_script import CommandWithScript
from kogine.flow_run import output, read_flow_options, run_flow
from kogine.option_types import ScriptFile
from kogine.options import (
    assignments,
    configs,
    flag,
    flow_options,
    literals,
    new_globals,
    record_options,
    sweep_options,
    together,
    value_options,
)
from kogine.repeat_command import again_of_scripts, again_of_sweep
from kogine.report import mistaken, report
from kogine.script_command import ScriptCommand
from kogine.sort_words import refuse_lost_overrides
from kogine.start import binder_of, merge_configs
from kogine.sweep import check_axes, own_axes, sweep_of

from kohaku_ast import sigint
from kohaku_ast.config.config import Config
from kohaku_ast.config.load import load
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import KogineError, SourceError, UsageError
from kohaku_ast.flow.flows import Parallel, Sequential
from kohaku_ast.flow.run import Previous, ScriptConfigs
from kohaku_ast.flow.settings import FlowSettings
from kohaku_ast.frames import hidden
from kohaku_ast.runner.bind import Binder, Bound
from kohaku_ast.runner.launch import Launch, find_launch, split_function
from kohaku_ast.runner.main_module import become, warn_at_end, warn_compiler
from kohaku_ast.runner.overrides import Override
from kohaku_ast.runner.process_state import handed_on

_SCRIPTS = "SCRIPT [SCRIPT ...] [TARGET=VALUE ...] [-- ARGS ...]"
_ALONE = "a search is for one script: kogine run SCRIPT --search optuna"
_NO_SEARCH = dict.fromkeys(("--search", "--minimize", "--maximize", "--study"), _ALONE)
_IN_THE_FILE = dict.fromkeys(
    (
        "--sweep", "--zip", "--trials", "-n", "--seed", "--dry-run", "--entrypoint", "-e", "-m",
        *_NO_SEARCH,
    ),
    "what runs there are is written in FLOW.py, as a Sweep",
)  # fmt: skip

workflow = Group(
    "workflow",
    what="workflow command",
    help="Run several scripts, one after another or at once.",
    examples=("kogine workflow sequential prepare.py train.py", "kogine workflow run flow.py"),
    places={
        "sequential": ("kogine.workflow:sequential", "Run scripts one after another."),
        "parallel": (
            "kogine.workflow:parallel",
            "Run scripts and their sweeps at the same time.",
        ),
        "run": ("kogine.workflow:run", "Run the flow that a file defines."),
    },
)


_scripts_command = functools.partial(
    click.command, cls=CommandWithScript, usage=_SCRIPTS, many=True, elsewhere=_NO_SEARCH
)
_scripts_options = together(
    click.argument("scripts", type=ScriptFile(), nargs=-1),
    value_options,
    sweep_options,
    flow_options,
    record_options,
)


@_scripts_command(
    examples=(
        "kogine workflow sequential prepare.py train.py lr=0.1",
        "kogine workflow sequential prepare.py train.py --config cfg.py --on-error continue",
    ),
)
@_scripts_options
def sequential(command: ScriptCommand) -> Callable[[], int]:
    """Run scripts one after another, and stop at a failure."""
    return start_scripts(command, is_parallel=False)


@_scripts_command(
    examples=(
        "kogine workflow parallel a.py b.py --workers 2",
        "kogine workflow parallel train.py --sweep lr=0.1,0.2 --gpus 0,1",
    ),
)
@_scripts_options
def parallel(command: ScriptCommand) -> Callable[[], int]:
    """Run scripts, and the runs of their sweeps, at the same time: by default on all cores."""
    return start_scripts(command, is_parallel=True)


@click.command(
    cls=CommandWithScript,
    usage="FLOW.py [TARGET=VALUE ...] [-- ARGS ...]",
    elsewhere=_IN_THE_FILE,
    examples=(
        "kogine workflow run flow.py most=3",
        "kogine workflow run flow.py --workers 2 --mode warm",
    ),
)
@click.argument("script", type=ScriptFile("flow.py"), required=False)
@assignments
@configs
@new_globals
@literals
@flag("--isolate", group="Flows", help="Start a fresh Python for each run.")
@flow_options
@record_options
def run(command: ScriptCommand) -> Callable[[], int]:
    """Run the Sequential or Parallel that a Python file defines."""
    return start_flow(command)


def start_flow(command: ScriptCommand) -> Callable[[], int]:
    """Run the file's module body, with overrides in force, and then the flow in it. The process is
    the file's then, as with ``python flow.py``: its generators may import what lies beside it.
    """
    read_flow_options(command)  # a mistake in the options is told before the file runs
    launch = Launch(command.script, command.argv)
    try:
        bound = _bound(launch, command)
    except (SyntaxError, ValueError, SourceError) as error:
        return mistaken(launch, error)
    return _start(bound, command)


def _bound(launch: Launch, command: ScriptCommand) -> Bound:
    with output("json" in command.options):  # what config files print is no JSON
        config = merge_configs(command.config_files, "workflow run")
    binder = binder_of(launch, command, "")
    binder.split = True  # the guard is for `python flow.py`: it may well run the flow itself
    bound = binder.bind(config)
    launch.argv[1:] = bound.argv[1:]
    return bound


def _start(bound: Bound, command: ScriptCommand) -> Callable[[], int]:
    @hidden
    def start() -> int:
        is_silent = sigint.is_silent()
        with ExitStack() as apart:
            apart.enter_context(output("json" in command.options))  # what it prints is no JSON
            apart.enter_context(handed_on(bound.prepared))

            def last(names: Mapping[str, object]) -> int:
                if is_silent:
                    sigint.silence()
                apart.close()  # that was for the file, and not for the scripts of its flow
                return _told(names, command)

            warn_compiler(bound.program)
            warn_at_end(bound.prepared)
            codes = bound.prepared.given.codes("module")
            try:
                status = become(bound.launch, codes, bound.anew(bound.names), last)
            except KogineError as error:  # of a Script or a flow that the file makes
                return report(UsageError(f"{_place(error, bound.launch)}{error}"))
        assert isinstance(status, int)
        return status

    return start


def _told(names: Mapping[str, object], command: ScriptCommand) -> int:
    try:
        return _run(_flow_in(names, command.script), command)
    except KogineError as error:
        return report(error)


def _run(flow: Sequential | Parallel, command: ScriptCommand) -> int:
    options = read_flow_options(command, flow.settings, threads=flow.settings.threads)
    return run_flow(flow.works(), options, again_of_scripts, flow.total(), flow.observers)


def _place(error: KogineError, launch: Launch) -> str:
    """``flow.py:3: ``, the last line of the file that led to *error*."""
    place, trace = "", error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == launch.filename:
            place = f"{launch.shown}:{trace.tb_lineno}: "
        trace = trace.tb_next
    return place


def _flow_in(names: Mapping[str, object], path: str) -> Sequential | Parallel:
    """The one called ``flow``, else the only one."""
    found = {name: one for name, one in names.items() if isinstance(one, (Sequential, Parallel))}
    chosen = found.get("flow") or (next(iter(found.values())) if len(found) == 1 else None)
    if isinstance(chosen, (Sequential, Parallel)):
        return chosen
    if found:
        raise UsageError(f"{path}: several flows ({', '.join(found)}): call one of them flow")
    raise UsageError(
        f"{path}: no flow: write flow = Sequential([Script(...), ...]) at module level, outside "
        "of the guard"
    )


def start_scripts(command: ScriptCommand, *, is_parallel: bool) -> Callable[[], int]:
    """One after another, in this process unless the options say something else; or at the same
    time, by default on all usable cores.
    """
    mode = "spawn" if is_parallel else "inline"
    usual = FlowSettings(mode=mode, stops_on_error=not is_parallel)
    options = read_flow_options(command, usual, spreads=is_parallel)
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
    from kogine.sweep import dry_run

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


def asks_for_previous(path: str) -> bool:
    """Whether the ``config_gen`` of the file at *path* has a parameter ``previous``.

    Nothing is run to find out: that is to happen when there are Outcomes.
    """
    try:
        body = ast.parse(Path(path).read_bytes()).body if path.endswith(".py") else []
    except (OSError, SyntaxError, ValueError):
        return False  # who loads it says what is wrong
    functions = [one for one in body if isinstance(one, ast.FunctionDef)]
    return any(one.name == "config_gen" and "previous" in _parameters(one) for one in functions)


def _parameters(function: ast.FunctionDef) -> list[str]:
    of = function.args
    return [one.arg for one in (*of.args, *of.kwonlyargs)]


def load_after(paths: Sequence[str], previous: Previous | None = None) -> Config | Sweep | None:
    """The config files as one, later ones over earlier ones, after the Outcomes *previous*."""
    found = [load(path, previous=previous) for path in paths]
    return functools.reduce(operator.or_, found) if found else None
