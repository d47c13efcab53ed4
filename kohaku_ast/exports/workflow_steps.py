"""A pipeline as the steps of another program's workflow: one for each node, each in a container of
its own. What cannot leave its process is refused here, with the node and its place.
"""

from __future__ import annotations

import enum
import inspect
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kohaku_ast.errors import KogineError, PipelineError, did_you_mean
from kohaku_ast.pipeline.callbacks import LastRun
from kohaku_ast.pipeline.graph import Graph, shown
from kohaku_ast.pipeline.hooks import Hooks
from kohaku_ast.pipeline.inputs import read_input
from kohaku_ast.pipeline.node_like import NodeLike, place_of
from kohaku_ast.pipeline.pipeline import Pipeline

SKIPPED = 99
"""The exit status of a step whose node was skipped, where a workflow has a state for that."""


@dataclass(frozen=True)
class WorkflowInput:
    """An input of the pipeline that each run of the workflow can give another text."""

    name: str
    #: The text that it has otherwise; None: each run has to give one.
    default: str | None
    #: The nodes that read it, for people.
    text: str


@dataclass(frozen=True)
class Step:
    """One node."""

    #: The node, as ``kogine pipeline step --node`` takes it: its name, or one of its outputs.
    node: str
    #: The inputs of the workflow that it reads.
    inputs: tuple[str, ...]
    #: The outputs of other steps that it reads, and its own outputs.
    reads: tuple[str, ...]
    gives: tuple[str, ...]
    #: The nodes of the steps that come before it.
    after: tuple[str, ...]
    #: The variables that it gets from the workflow's secret; None: all that are there.
    variables: tuple[str, ...] | None
    #: How often it is tried again, and the seconds that one try may take.
    retries: int = 0
    timeout: float | None = None


@dataclass(frozen=True)
class StepGraph:
    """A whole workflow."""

    steps: tuple[Step, ...]
    inputs: tuple[WorkflowInput, ...]


def read_steps(
    pipeline: Pipeline,
    texts: Mapping[str, str],
    wanted: Iterable[str] | None = None,
    retries: Mapping[str, int] = {},
    timeouts: Mapping[str, float] = {},
    has_secret: bool = False,
) -> StepGraph:
    """The steps of *pipeline* for the outputs *wanted*, in an order in which they can run.

    *texts* of inputs are their defaults in the workflow. *retries* and *timeouts* are by node, and
    for all others by ``""``. *has_secret*: the user has named one, which is for every step.
    Raises PipelineError for what cannot be exported, and ValueMismatch.
    """
    graph = pipeline.graph
    _check_inputs(pipeline, texts)
    nodes = pipeline.plan(_given(pipeline, texts), None if wanted is None else list(wanted)).nodes
    _check_callbacks(pipeline)
    for node in nodes:
        _check_node(node)
    names = {node: _name_of(graph, node) for node in nodes}
    _check_named([*retries, *timeouts], names)
    inputs = _workflow_inputs(pipeline, nodes, texts)
    known = {one.name for one in inputs}
    steps = [
        Step(
            node=names[node],
            inputs=tuple([one for one in node.inputs if one in known]),
            reads=tuple([one for one in node.inputs if one in graph.producers]),
            gives=tuple(node.outputs),
            after=tuple([names[one] for one in graph.parents(node)]),
            variables=_variables(node, has_secret),
            retries=retries.get(names[node], retries.get("", 0)),
            timeout=timeouts.get(names[node], timeouts.get("")),
        )
        for node in nodes
    ]
    return StepGraph(tuple(steps), tuple(inputs))


def _name_of(graph: Graph, node: NodeLike) -> str:
    """What ``find_node`` takes for *node*."""
    names = [one.name for one in graph.nodes]
    if names.count(node.name) == 1:
        return node.name
    free = [one for one in node.outputs if one not in names]
    if free:
        return free[0]
    raise PipelineError(f"{names.count(node.name)} nodes are called {shown(node)}: rename it.")


def _check_named(given: Iterable[str], names: Mapping[NodeLike, str]) -> None:
    for name in given:
        if name and name not in names.values():
            known = ", ".join(names.values())
            hint = did_you_mean(name, names.values())
            raise PipelineError(f"no step is called {name!r} (there are: {known}).{hint}")


# --- inputs --------------------------------------------------------------------------------------


def _check_inputs(pipeline: Pipeline, texts: Mapping[str, str]) -> None:
    graph = pipeline.graph
    for name, text in texts.items():
        if name in graph.producers:
            giver = shown(graph.producers[name])
            raise PipelineError(f"{name!r} is no input: {giver} gives it, in a step of its own.")
        if name not in graph.readers:
            hint = did_you_mean(name, graph.inputs)
            raise PipelineError(f"no node reads the input {name!r}.{hint}")
        read_input(graph, name, text)


def _given(pipeline: Pipeline, texts: Mapping[str, str]) -> list[str]:
    """The names of *texts*, and those of the inputs that each run of the workflow has to give."""
    graph = pipeline.graph
    required = [one for one in pipeline.inputs if not graph.is_optional(one)]
    return [*dict.fromkeys([*texts, *required])]


def _workflow_inputs(
    pipeline: Pipeline, nodes: Iterable[NodeLike], texts: Mapping[str, str]
) -> list[WorkflowInput]:
    graph = pipeline.graph
    readers: dict[str, list[NodeLike]] = {}
    for node in nodes:
        for name in node.inputs:
            is_free = name not in graph.producers and name not in pipeline.bound
            if is_free or name in texts:
                readers.setdefault(name, []).append(node)
    found = []
    for name, reading in readers.items():
        is_required = any(name not in node.defaults for node in reading)
        default = texts.get(name)
        if default is None and not is_required:
            default = _text_of(graph, name, reading)
            if default is None:
                continue  # the nodes use their own defaults
        taken = ", ".join(map(shown, reading))
        found.append(WorkflowInput(name, default, f"an input of {taken}"))
    return found


def _text_of(graph: Graph, name: str, readers: Iterable[NodeLike]) -> str | None:
    """The text that means the default of all *readers*; None if there is none. What a script has by
    default stands in the script.
    """
    defaults = [node.defaults[name] for node in readers]
    value = defaults[0]
    if value is ... or any(type(one) is not type(value) or one != value for one in defaults):
        return None
    for text in _spellings(value):
        try:
            read, _ = read_input(graph, name, text)
            if type(read) is type(value) and bool(read == value):
                return text
        except (KogineError, TypeError, ValueError):
            continue
    return None


def _spellings(value: object) -> Iterator[str]:
    if isinstance(value, enum.Enum):
        yield value.name
    if isinstance(value, (str, bool, int, float, type(None), list, tuple, dict)):
        yield str(value)
        yield repr(value)


# --- what cannot leave the process ---------------------------------------------------------------


def _check_callbacks(pipeline: Pipeline) -> None:
    for one in pipeline.callbacks or ():
        if isinstance(one, LastRun) or (isinstance(one, Hooks) and one.node):
            continue
        what = "hooks for the whole pipeline"
        if not isinstance(one, Hooks):
            own = [each for each in vars(type(one)).values() if hasattr(each, "__code__")]
            what = f"callback {type(one).__name__}{f' ({place_of(own[0])})' if own else ''}"
        raise PipelineError(
            f"pipeline {pipeline.name!r}: the {what} cannot be exported: each node runs in a "
            'process of its own, and none sees the others. Use Hooks("NODE", ...), or take it away.'
        )


_ONCE = ("Iterator", "Generator", "AsyncIterator", "AsyncGenerator", "TextIO", "BinaryIO", "IO")


def _check_node(node: Any) -> None:
    """Raise PipelineError for a node whose outputs no file can hold, as far as its code shows."""
    function = inspect.unwrap(node.function) if hasattr(node, "function") else None
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise _refused(node, "is a generator")
    for name in node.outputs if hasattr(node, "output_hint") else ():
        hint = node.output_hint(name)
        kind = typing.get_origin(hint) or hint
        word = getattr(kind, "__name__", "")
        if word in _ONCE and getattr(kind, "__module__", "") in ("collections.abc", "typing"):
            raise _refused(node, f"gives {name!r} as {word}")
        if getattr(kind, "__module__", "") in ("_thread", "_io", "socket", "sqlite3"):
            raise _refused(node, f"gives {name!r} as {kind.__module__}.{word}")


def _refused(node: NodeLike, what: str) -> PipelineError:
    return PipelineError(
        f"node {shown(node)} {what}, which exists in one process only: the steps of a workflow "
        "hand their values on in files. Return a list, or the path of a file."
    )


# --- variables -----------------------------------------------------------------------------------


def _variables(node: NodeLike, has_secret: bool) -> tuple[str, ...] | None:
    """What *node* gets of the secret: what ``env.pass`` of its scripts names, and if they have no
    ``env.pass`` all of a secret that the user has named.
    """
    names = list(dict.fromkeys(_passed(node)))
    if any(set("*?[") & set(one) for one in names) or (has_secret and not names):
        return None
    return tuple(names)


def _passed(node: Any) -> Iterator[str]:
    inner = getattr(node, "pipeline", None)
    for one in () if inner is None else inner.nodes:
        yield from _passed(one)
    process = getattr(getattr(node, "file", None), "process", None)
    yield from (process.passed if process is not None else None) or ()


# --- names ---------------------------------------------------------------------------------------


def plain_name(name: str, joint: str = "-") -> str:
    """*name* in lower-case letters, digits and *joint*, as Kubernetes wants it."""
    return unique_names([name], joint)[name]


def unique_names(names: Collection[str], joint: str = "-") -> dict[str, str]:
    """The same for several *names*, all different."""
    made: dict[str, str] = {}
    for name in names:
        plain = "".join(one if one.isascii() and one.isalnum() else joint for one in name.lower())
        plain = joint.join(filter(None, plain.split(joint)))[:50] or "x"
        number, free = 1, plain
        while free in made.values():
            number += 1
            free = f"{plain}{joint}{number}"
        made[name] = free
    return made
