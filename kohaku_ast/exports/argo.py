"""A pipeline as a workflow of Argo: a DAG with a container for each node, made with hera.

Values go from step to step as artifacts. It needs hera, the extra ``argo``.
"""

from __future__ import annotations

import math
from typing import Any

from kohaku_ast.errors import UsageError
from kohaku_ast.exports.step_values import file_of
from kohaku_ast.exports.workflow_steps import Step, StepGraph, plain_name, unique_names

try:
    from hera import workflows as hera
except ImportError as error:
    raise UsageError('pipeline export argo needs hera: pip install "kohaku-ast[argo]"') from error

# Not one inside the other: whoever mounts artifacts makes their folder as root.
_VALUES, _RESULTS = "/tmp/kogine-values", "/tmp/kogine-results"


def argo_text(
    graph: StepGraph, name: str, image: str, flow: str, arguments: list[str], secret: str
) -> str:
    """The YAML of a Workflow called *name*, whose steps run the file *flow* in *image*, with its
    *arguments* and variables of the Kubernetes secret *secret*. Raises UsageError.
    """
    made = _Writer(graph, name, image, flow, arguments, secret).workflow()
    return str(made.to_yaml())


class _Writer:
    def __init__(
        self, graph: StepGraph, name: str, image: str, flow: str, arguments: list[str], secret: str
    ) -> None:
        self.graph, self.image, self.flow, self.arguments = graph, image, flow, arguments
        self.name = plain_name(name)
        self.secret = secret
        #: Node, input or output -> its name in Argo.
        self.steps = unique_names([one.node for one in graph.steps])
        self.inputs = unique_names([one.name for one in graph.inputs])
        self.outputs = unique_names([name for one in graph.steps for name in one.gives])
        self.givers = {name: one for one in graph.steps for name in one.gives}
        for word in (image, flow, *arguments):
            if "{{" in word:
                raise UsageError(f"{word!r}: Argo would replace what stands in {{{{ }}}}")

    def workflow(self) -> Any:
        """All of it."""
        with hera.Workflow(
            generate_name=f"{self.name}-",
            entrypoint="pipeline",
            annotations={"kogine/pipeline": self.flow},
            arguments=[self._parameter(one) for one in self.graph.inputs],
        ) as made:
            containers = {one.node: self._container(one) for one in self.graph.steps}
            with hera.DAG(name="pipeline"):
                for one in self.graph.steps:
                    self._task(one, containers[one.node])
        return made

    def _parameter(self, one: Any) -> Any:
        value = {} if one.default is None else {"value": one.default}
        return hera.Parameter(name=self.inputs[one.name], description=one.text, **value)

    def _container(self, step: Step) -> Any:
        return hera.Container(
            name=f"{self.steps[step.node]}-step",
            image=self.image,
            command=["kogine"],
            args=[
                "pipeline", "step", self.flow, "--node", step.node, "--values", _VALUES,
                "--results", _RESULTS, *map(self._assignment, step.inputs),
                *(["--", *self.arguments] if self.arguments else []),
            ],
            inputs=[self._artifact(one, _VALUES) for one in step.reads],
            outputs=[self._artifact(one, _RESULTS) for one in step.gives],
            retry_strategy=_retries(step),
            active_deadline_seconds=None if step.timeout is None else math.ceil(step.timeout),
            **self._variables(step),
        )  # fmt: skip

    def _assignment(self, name: str) -> str:
        return f"{name}={{{{workflow.parameters.{self.inputs[name]}}}}}"

    def _artifact(self, name: str, folder: str) -> Any:
        path = f"{folder}/{file_of(name)}"
        return hera.Artifact(name=self.outputs[name], path=path, archive=hera.NoneArchiveStrategy())

    def _variables(self, step: Step) -> dict[str, Any]:
        """Where its variables come from: the names and the secret, never a value."""
        if step.variables is None:
            return {"env_from": [hera.SecretEnvFrom(name=self.secret)]}
        made = [
            hera.SecretEnv(name=one, secret_name=self.secret, secret_key=one)
            for one in step.variables
        ]
        return {"env": made} if made else {}

    def _task(self, step: Step, container: Any) -> None:
        arguments = [
            hera.Artifact(name=self.outputs[name], from_=self._source(name)) for name in step.reads
        ]
        after = [self.steps[one] for one in step.after]
        hera.Task(
            name=self.steps[step.node],
            template=container,
            arguments=arguments or None,
            dependencies=after or None,
        )

    def _source(self, name: str) -> str:
        giver = self.steps[self.givers[name].node]
        return f"{{{{tasks.{giver}.outputs.artifacts.{self.outputs[name]}}}}}"


def _retries(step: Step) -> Any:
    if not step.retries:
        return None
    # Also for a pod that was evicted, which is an error and no failure.
    return hera.RetryStrategy(limit=str(step.retries), retry_policy=hera.RetryPolicy.always)
