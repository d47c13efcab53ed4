"""``kogine workflow sequential|parallel|run``: the commands and their options."""

from __future__ import annotations

import functools
from collections.abc import Callable

import click
from kogine.command import Group
from kogine.command_with_script import CommandWithScript
from kogine.flow_options import flow_options, record_options, sweep_options
from kogine.options import (
    ScriptFile,
    assignments,
    configs,
    flag,
    format_options,
    literals,
    new_globals,
    together,
    value_options,
)
from kogine.script_command import ScriptCommand

_SCRIPTS = "SCRIPT [SCRIPT ...] [TARGET=VALUE ...] [-- ARGS ...]"
_ALONE = "a search is for one script: kogine run SCRIPT --search optuna"
_NO_SEARCH = dict.fromkeys(("--search", "--minimize", "--maximize", "--prune", "--study"), _ALONE)
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
    format_options("Records and output"),
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
    from kogine.several_scripts import start_scripts  # completion does without

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
    from kogine.several_scripts import start_scripts  # completion does without

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
@flag("--isolate", group="Flows", help="The same as --mode spawn, one run after another.")
@flow_options
@record_options
@format_options("Records and output")
def run(command: ScriptCommand) -> Callable[[], int]:
    """Run the Sequential or Parallel that a Python file defines."""
    from kogine.flow_file import start_flow  # completion does without

    return start_flow(command)
