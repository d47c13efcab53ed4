"""``kogine pipeline run|graph``: the commands and their options."""

from __future__ import annotations

from collections.abc import Callable

import click
from kogine.command import Group
from kogine.command_with_script import CommandWithScript, refuse_without
from kogine.flow_options import cluster_option
from kogine.options import (
    ScriptFile,
    Whole,
    configs,
    drawing_option,
    flag,
    format_options,
    hidden_assignments,
    option,
    together,
)
from kogine.script_command import ScriptCommand

from kohaku_ast.errors import UsageError

pipeline = Group(
    "pipeline",
    what="pipeline command",
    help="Run or draw the pipeline that a file defines.",
    examples=("kogine pipeline run flow.py n=4", "kogine pipeline graph flow.py -o flow.svg"),
    places={
        "run": ("kogine.pipeline:run", "Run the pipeline that a file defines."),
        "graph": ("kogine.pipeline:graph", "Draw the pipeline that a file defines, or explain it."),
        "export": (
            "kogine.pipeline_export:export",
            "Write the pipeline as a workflow of Argo or Airflow.",
        ),
        "step": (
            "kogine.pipeline_export:step",
            "Run one node, with values in files.",
        ),
    },
)

_part = together(
    option(
        "--from",
        group="Part",
        metavar="NODE",
        help="Start at this node; its inputs from other nodes are given or in the cache.",
    ),
    option(
        "--to",
        group="Part",
        metavar="NODE",
        help="End at this node: run it and the nodes that it needs.",
    ),
)


@click.command(
    cls=CommandWithScript,
    usage="FLOW.py[:NAME] [INPUT=VALUE ...] [-- ARGS ...]",
    examples=(
        "kogine pipeline run flow.py n=4 scale=0.5",
        "kogine pipeline run flow.py n=4 --only rows,total --json",
    ),
)
@click.argument("script", type=ScriptFile("flow.py"), required=False)
@hidden_assignments
@configs
@_part
@cluster_option("Part")
@option(
    "--only",
    group="Output",
    metavar="NAMES",
    help="The outputs to compute and print, a,b; without it, all outputs that no node reads.",
)
@option("--output", metavar="NAMES", group="Output", hidden=True)
@format_options("Output")
@flag("--no-progress", group="Output", help="Show no progress bar.")
@flag("--no-record", group="Output", help="Keep no record of the run in .kogine/runs.")
def run(command: ScriptCommand) -> Callable[[], int]:
    """Run the pipeline that a file defines."""
    if {"only", "output"} <= command.options.keys():
        raise UsageError("--output is the old name of --only here: give one of them")
    if "to" in command.options and {"only", "output"} & command.options.keys():
        raise UsageError("--to and --only both say where it ends: give one of them")
    from kogine.pipeline_file import start_pipeline  # completion does without

    return start_pipeline(command)


@click.command(
    cls=CommandWithScript,
    usage="FLOW.py[:NAME] [-- ARGS ...]",
    examples=("kogine pipeline graph flow.py", "kogine pipeline graph flow.py -o flow.svg"),
)
@click.argument("script", type=ScriptFile("flow.py"), required=False)
@hidden_assignments
@drawing_option("edge")
@option(
    "--depth",
    group="Output",
    type=Whole(0),
    show_default="0",
    help="Draw nested pipelines with their nodes, to this level.",
)
@_part
def graph(command: ScriptCommand) -> Callable[[], int]:
    """Draw the pipeline that a file defines, or explain it, without a run of its nodes."""
    if command.overrides:
        name = command.overrides[0].target
        raise UsageError(f"a drawing needs no inputs: {name!r} is for pipeline run")
    refuse_without(command, "depth", "--output")
    from kogine.pipeline_file import start_drawing  # completion does without

    return start_drawing(command)
