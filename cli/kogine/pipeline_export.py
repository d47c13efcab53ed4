"""``kogine pipeline export argo|airflow``: a pipeline as a workflow of another program; and
``kogine pipeline step``, which such a workflow runs for each node.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from kogine.command import Group
from kogine.command_with_script import CommandWithScript
from kogine.options import (
    File,
    FromScript,
    Repeat,
    ScriptFile,
    Seconds,
    Whole,
    flag,
    hidden_assignments,
    option,
    output_options,
    together,
)
from kogine.report import Output
from kogine.script_command import ScriptCommand

from kohaku_ast.errors import PipelineError, UsageError, label

if TYPE_CHECKING:
    from kohaku_ast.exports.workflow_steps import StepGraph
    from kohaku_ast.pipeline.pipeline import Pipeline

export = Group(
    "export",
    what="workflow program",
    help="Write the pipeline that a file defines as a workflow of another program: a step for each "
    "node, in a container.",
    examples=(
        "kogine pipeline export argo flow.py --image lab/train:3 -o flow.yaml",
        "kogine pipeline export airflow flow.py n=4 --image lab/train:3 -o dags/flow.py",
    ),
    places={
        "argo": ("kogine.pipeline_export:argo", "Write a Workflow of Argo, as YAML."),
        "airflow": ("kogine.pipeline_export:airflow", "Write a DAG of Airflow, as Python."),
    },
)


def _node_seconds(text: str) -> tuple[float, str]:
    node, _, seconds = text.rpartition("=")
    try:
        return Seconds().convert(seconds, None, None), node
    except UsageError:
        wanted = "give SECONDS or NODE=SECONDS, such as rows=60"
        raise UsageError(f"--timeout {text}: {seconds!r} is no time: {wanted}") from None


_shared = together(
    option("--image", group="Steps", required=True, help="The container image of all steps."),
    option(
        "--path",
        group="Steps",
        metavar="FILE",
        show_default="as typed",
        help="Where FLOW.py is in the image, from its working folder.",
    ),
    option(
        "--retries", group="Steps", type=Repeat(0), metavar="[NODE=]N", multiple=True,
        help="Try a step that fails so often again.",
    ),
    option(
        "--timeout", group="Steps", type=FromScript("seconds", _node_seconds, ""),
        metavar="[NODE=]SECONDS", multiple=True, help="End a try of a step after this time.",
    ),
    option(
        "--secret",
        group="Steps",
        metavar="NAME",
        show_default="NAME-env, for env.pass alone",
        help="The Kubernetes secret with the variables of the steps: those that env.pass of a "
        "script names, and all for other nodes.",
    ),
    option(
        "--only",
        group="Steps",
        metavar="NAMES",
        help="Only the steps that these outputs need, a,b.",
    ),
    option("--name", group="Output", help="The name of the workflow; else that of the pipeline."),
    output_options,
)  # fmt: skip
_USAGE = "FLOW.py[:NAME] --image IMAGE [INPUT=VALUE ...] [-- ARGS ...]"


@click.command(
    cls=CommandWithScript,
    usage=_USAGE,
    examples=(
        "kogine pipeline export argo flow.py --image lab/train:3 -o flow.yaml",
        "kogine pipeline export argo flow.py --image lab/train:3 --retries fit=2 --timeout 3600",
    ),
)
@click.argument("script", type=ScriptFile("flow.py"), required=False)
@hidden_assignments
@_shared
def argo(command: ScriptCommand) -> Callable[[], int]:
    """Write the pipeline as a Workflow of Argo: a DAG with a container for each node, and artifacts
    for the values between them. INPUT=VALUE gives a parameter of the workflow its default.
    """
    from kohaku_ast.exports.argo import argo_text

    return _export(command, argo_text)


@click.command(
    cls=CommandWithScript,
    usage=_USAGE,
    examples=(
        "kogine pipeline export airflow flow.py --image lab/train:3 -o dags/flow.py",
        "kogine pipeline export airflow flow.py n=4 --image lab/train:3 --claim values",
    ),
)
@click.argument("script", type=ScriptFile("flow.py"), required=False)
@hidden_assignments
@_shared
@option(
    "--claim",
    group="Steps",
    metavar="NAME",
    show_default="kogine-values",
    help="The persistent volume claim for the values between the steps.",
)
def airflow(command: ScriptCommand) -> Callable[[], int]:
    """Write the pipeline as the file of an Airflow DAG: a KubernetesPodOperator for each node, and
    a volume for the values between them. INPUT=VALUE gives a parameter of the DAG its default.
    """
    from kohaku_ast.exports.airflow import airflow_text

    claim = command.option("claim", "kogine-values")
    return _export(command, partial(airflow_text, claim=claim))


def _export(command: ScriptCommand, write: Callable[..., str]) -> Callable[[], int]:
    from kogine.pipeline_file import with_pipeline  # completion does without

    from kohaku_ast.exports.workflow_steps import plain_name

    target = Output(command.option("output") or None, "force" in command.options)

    def use(pipeline: Any) -> None:
        graph = _steps(pipeline, command)
        name = command.option("name") or _name_of(pipeline, command)
        secret = command.option("secret") or f"{plain_name(name)}-env"
        text = write(graph, name, command.option("image"), _flow(command), command.argv, secret)
        status = target.deliver(text.encode(), command.script.partition(":")[0])()
        if status:
            sys.exit(status)

    return with_pipeline(command, use)


def _steps(pipeline: Any, command: ScriptCommand) -> StepGraph:
    from kogine.pipeline_file import given_texts, is_imperative, listed_names

    from kohaku_ast.exports.workflow_steps import read_steps

    if is_imperative(pipeline):
        name = pipeline.__name__ if isinstance(pipeline, type) else pipeline.name
        raise PipelineError(
            f"{name} cannot be exported: its __call__ is code, and only a run shows which calls it "
            "makes. Make a Pipeline of nodes."
        )
    return read_steps(
        pipeline,
        given_texts(command),
        listed_names(command.option("only", "")) or None,
        _by_node(command, "retries"),
        _by_node(command, "timeout"),
        bool(command.option("secret")),
    )


def _by_node(command: ScriptCommand, name: str) -> dict[str, Any]:
    return {node: value for value, node in command.option(name, ())}


def _flow(command: ScriptCommand) -> str:
    """FLOW.py[:NAME] as the steps name it."""
    from kohaku_ast.runner.launch import split_function

    path, name = split_function(command.script)
    path = command.option("path") or path
    return f"{path}:{name}" if name else path


def _name_of(pipeline: Pipeline, command: ScriptCommand) -> str:
    stem = os.path.splitext(os.path.basename(command.script.partition(":")[0]))[0]
    return stem if pipeline.name == "pipeline" else pipeline.name


# --- one step ------------------------------------------------------------------------------------


@click.command(
    cls=CommandWithScript,
    usage="FLOW.py[:NAME] --node NODE --values FOLDER [INPUT=VALUE ...] [-- ARGS ...]",
    examples=(
        "kogine pipeline step flow.py --node rows --values values n=4",
        "kogine pipeline step flow.py --node total --values values",
    ),
)
@click.argument("script", type=ScriptFile("flow.py"), required=False)
@hidden_assignments
@option("--node", group="Step", required=True, help="The node to run: its name, or an output.")
@option(
    "--values",
    group="Step",
    type=File("folder"),
    required=True,
    help="The folder with the values of other nodes, NAME.pickle.",
)
@option(
    "--results",
    group="Step",
    type=File("folder"),
    show_default="that of --values",
    help="The folder for the values of this node.",
)
@option(
    "--skip-status",
    group="Step",
    type=Whole(0, 255),
    show_default="0",
    help="The exit status if the node is skipped, because of a condition.",
)
@flag("--no-record", group="Step", help="Keep no record of the run in .kogine/runs.")
def step(command: ScriptCommand) -> Callable[[], int]:
    """Run one node of the pipeline that a file defines: the steps of an exported workflow do so.

    Its inputs that other nodes give are read from files, and its outputs are written to files.
    """
    from kogine.pipeline_file import with_pipeline  # completion does without

    return with_pipeline(command, lambda pipeline: _run_step(pipeline, command))


def _run_step(pipeline: Any, command: ScriptCommand) -> None:
    from kogine.pipeline_file import input_values, print_results, run_watched

    from kohaku_ast.exports.step_values import run_step
    from kohaku_ast.pipeline.condition import Skip

    options = {"no_progress": True, **command.options}
    values = command.option("values")

    def run(alone: Pipeline, given: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = run_watched(alone, given, list(alone.outputs), options)
        return found

    given = input_values(pipeline, command)
    results = command.option("results", values)
    done = run_step(pipeline, command.option("node"), given, values, results, run)
    if not isinstance(done, Skip):
        return print_results(done)
    sys.stderr.write(f"{label('note', sys.stderr)}node {done.node!r} is skipped: {done.why}\n")
    status = command.option("skip_status", 0)
    if status:
        sys.exit(status)
    return None
