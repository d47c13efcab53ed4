"""One node of a pipeline, with the values of other nodes in files: a step of an exported workflow.

Each output is a pickle, ``NAME.pickle``; a Skip in it says that the node was skipped.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping
from typing import Any

from kohaku_ast.engines.packed_value import dumps
from kohaku_ast.errors import PipelineError, UncrossableValue, UsageError
from kohaku_ast.files import write_atomically
from kohaku_ast.pipeline.condition import Skip, skip_of
from kohaku_ast.pipeline.graph import find_node, shown
from kohaku_ast.pipeline.hooks import Hooks
from kohaku_ast.pipeline.node_like import NodeLike
from kohaku_ast.pipeline.pipeline import Pipeline


def file_of(name: str) -> str:
    """The name of the file with the output *name*."""
    return f"{name}.pickle"


def run_step(
    pipeline: Pipeline,
    name: str,
    given: Mapping[str, Any],
    values: str,
    results: str,
    run: Callable[[Pipeline, Mapping[str, Any]], dict[str, Any]],
) -> dict[str, Any] | Skip:
    """Run the node *name* of *pipeline* and write its outputs into the folder *results*; those of
    other nodes are in the folder *values*, and *given* are inputs of the pipeline. *run* runs a
    pipeline of that node alone.

    Returns the outputs, or the Skip that stands for them. Raises PipelineError and UsageError.
    """
    node = find_node(pipeline.graph, name)
    _check_given(node, given)
    found = {**_read_inputs(pipeline, node, values), **given}
    skip = skip_of(node, {**pipeline.bound, **found})
    if skip is not None:
        _write(node, dict.fromkeys(node.outputs, skip), results)
        return skip
    here = {one: value for one, value in found.items() if not isinstance(value, Skip)}
    outputs = run(alone(pipeline, node), here)
    _write(node, outputs, results)
    return outputs


def alone(pipeline: Pipeline, node: NodeLike) -> Pipeline:
    """A pipeline of *node* alone, which is otherwise as *pipeline*. Only hooks for the node are
    called: other callbacks would see a pipeline that is none.
    """
    callbacks = [
        one for one in pipeline.callbacks or () if isinstance(one, Hooks) and one.node == node.name
    ]
    made = Pipeline(
        [node], engine=pipeline.engine, cache=pipeline.cache, callbacks=callbacks or None,
        name=pipeline.name, record=pipeline.record,
    )  # fmt: skip
    bound = {name: value for name, value in pipeline.bound.items() if name in node.inputs}
    return made.bind(**bound) if bound else made


def _check_given(node: NodeLike, given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in node.inputs:
            known = ", ".join(node.inputs) or "none"
            raise PipelineError(f"node {shown(node)} has no input {name!r}; it has: {known}.")


def _read_inputs(pipeline: Pipeline, node: NodeLike, folder: str) -> dict[str, Any]:
    """The outputs of other nodes that *node* reads, from *folder*."""
    producers = pipeline.graph.producers
    return {
        name: _read(name, producers[name], os.path.join(folder, file_of(name)))
        for name in node.inputs
        if name in producers
    }


def _read(name: str, producer: NodeLike, path: str) -> Any:
    try:
        with open(path, "rb") as file:
            return pickle.load(file)
    except FileNotFoundError:
        raise PipelineError(
            f"{name!r} is missing: there is no {path}. Run the step of {shown(producer)}, which "
            "gives it, before this one, with the same folder."
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read {path!r}: {error.strerror}") from error
    except Exception as error:  # whatever a class raises, or a module that is gone
        raise PipelineError(
            f"{name!r} of node {shown(producer)} cannot be read from {path} "
            f"({type(error).__name__}: {error}). Its class must be importable in this image."
        ) from error


def _packed(node: NodeLike, name: str, value: Any) -> bytes:
    try:
        return dumps(value, name)
    except UncrossableValue as error:
        kind, why = type(value), error.__cause__
        raise PipelineError(
            f"the output {name!r} of node {shown(node)} cannot be written to a file: a "
            f"{kind.__module__}.{kind.__qualname__} ({type(why).__name__}: {why}). Return plain "
            "data, or the path of a file."
        ) from error


def _write(node: NodeLike, outputs: Mapping[str, Any], folder: str) -> None:
    """Write *outputs*, all or none: they are pickled before the first is written."""
    packed = {name: _packed(node, name, value) for name, value in outputs.items()}
    try:
        os.makedirs(folder, exist_ok=True)
        for name, data in packed.items():
            # Who runs the next step may be another user of the volume.
            write_atomically(os.path.join(folder, file_of(name)), data, mode=0o644)
    except OSError as error:
        raise UsageError(f"cannot write into {folder!r}: {error.strerror}") from error
