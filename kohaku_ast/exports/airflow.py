"""A pipeline as the file of an Airflow DAG: a pod for each node, with KubernetesPodOperator.

Values go from step to step on a volume. Nothing of Airflow is imported here: the file is a text.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Sequence

from kohaku_ast.exports.workflow_steps import (
    SKIPPED,
    Step,
    StepGraph,
    plain_name,
    unique_names,
)

_HEAD = '''\
"""{title}

Written by `kogine pipeline export airflow`. Each task runs one node in a pod, and leaves the values
of its outputs on the volume {claim!r}, in a folder of the run.
"""

from datetime import timedelta

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.secret import Secret
from kubernetes.client import models as k8s

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.models.param import Param

VALUES = "/kogine/{{{{ dag.dag_id }}}}/{{{{ run_id }}}}"
CLAIM = k8s.V1PersistentVolumeClaimVolumeSource(claim_name={claim!r})
ARGUMENTS = {arguments}
ANY = ["string", "number", "boolean"]  # steps get the text


def step(name, node, *inputs, variables=(), **options):
    """A pod that runs *node* with the texts of its *inputs*.

    It ends with status {skipped} if the node's condition does not hold: then the task is skipped,
    and the tasks after it decide for themselves, as in a run by kogine.
    """
    return KubernetesPodOperator(
        task_id=name,
        name=name,
        image={image!r},
        cmds=["kogine"],
        arguments=[
            "pipeline", "step", {flow!r}, "--node", node, "--values", VALUES,
            "--skip-status", "{skipped}", *inputs, *ARGUMENTS,
        ],
        skip_on_exit_code={skipped},
        trigger_rule="none_failed",
        volumes=[k8s.V1Volume(name="values", persistent_volume_claim=CLAIM)],
        volume_mounts=[k8s.V1VolumeMount(name="values", mount_path="/kogine")],
        secrets=[Secret("env", one, {secret!r}, one) for one in variables],
        **options,
    )


with DAG({name!r}, schedule=None, catchup=False, params={{
'''


def airflow_text(
    graph: StepGraph,
    name: str,
    image: str,
    flow: str,
    arguments: Sequence[str],
    secret: str,
    claim: str,
) -> str:
    """The text of a Python file with a DAG called *name*, whose tasks run the file *flow* in
    *image*, with its *arguments*, variables of the Kubernetes secret *secret*, and the volume
    *claim*.
    """
    words = [_plain(one) for one in (["--", *arguments] if arguments else [])]
    head = _HEAD.format(
        title=f"The pipeline of {flow}.", claim=claim, arguments=repr(words), image=image,
        flow=_plain(flow), secret=secret, name=plain_name(name, "_"), skipped=SKIPPED,
    )  # fmt: skip
    names = unique_names([one.node for one in graph.steps], "_")
    own = {node: _variable(one) for node, one in names.items()}
    lines = [
        *(f"    {one.name!r}: {_param(one.default, one.text)},\n" for one in graph.inputs),
        "}):\n",
        *(f"    {own[one.node]} = {_call(one, names)}\n" for one in graph.steps),
        *_edges(graph, own),
    ]
    return head + "".join(lines)


def _param(default: str | None, text: str) -> str:
    """A default is a text, as on the command line; one without a default has to be given."""
    first = "" if default is None else f"{default!r}, "
    return f"Param({first}type=ANY, description={text!r})"


def _variable(name: str) -> str:
    """The variable of the task *name*."""
    is_taken = keyword.iskeyword(name) or name in ("k8s", "step", "timedelta")
    return f"step_{name}" if is_taken or not name.isidentifier() else name


def _call(step: Step, names: dict[str, str]) -> str:
    inputs = [repr(f"{one}={{{{ params[{one!r}] }}}}") for one in step.inputs]
    words = [repr(names[step.node]), repr(_plain(step.node)), *inputs]
    if step.variables is None:
        words.append("variables=[None]")  # all that the secret has
    elif step.variables:
        words.append(f"variables={list(step.variables)!r}")
    if step.retries:
        words.append(f"retries={step.retries}")
    if step.timeout is not None:
        words.append(f"execution_timeout=timedelta(seconds={step.timeout:g})")
    return f"step({', '.join(words)})"


def _edges(graph: StepGraph, own: dict[str, str]) -> Iterator[str]:
    for one in graph.steps:
        if one.after:
            before = ", ".join(own[each] for each in one.after)
            yield f"    [{before}] >> {own[one.node]}\n"


def _plain(word: str) -> str:
    """*word*, which Airflow would fill as a template, as it is."""
    is_template = "{{" in word or "{%" in word or "{#" in word
    return f"{{% raw %}}{word}{{% endraw %}}" if is_template else word
