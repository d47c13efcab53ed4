"""Pipelines to draw."""

from __future__ import annotations

from collections.abc import Sequence

from kohaku_ast.pipeline.node import Node, node
from kohaku_ast.pipeline.pipeline import Pipeline


def a_node(name: str, inputs: Sequence[str] = (), outputs: str = "", body: str = "0") -> Node:
    """A node *name* that takes *inputs*."""
    names: dict[str, object] = {}
    exec(f"def {name}({', '.join(inputs)}):\n    return {body}\n", names)
    return Node(names[name], outputs or name)  # type: ignore[arg-type]


def of_edges(count: int, edges: Sequence[tuple[int, int]]) -> Pipeline:
    """Nodes n0, n1, ...; an edge goes from a lower to a higher number."""
    return Pipeline(
        [
            a_node(f"n{one}", [f"n{source}" for source, end in edges if end == one])
            for one in range(count)
        ]
    )


@node("train_set vocab")
def prep(path: str, limit: int = 100) -> tuple[list[int], dict[str, int]]:
    return [limit], {}


@node("model val_loss")
def train(train_set: list[int], lr: float = 0.001, seed: int = 0) -> tuple[int, float]:
    return 1, lr


@node
def report(val_loss: float, vocab: dict[str, int]) -> str:
    return f"{val_loss}"


def training(**options: object) -> Pipeline:
    return Pipeline([prep, train.bind(seed=3), report], name="training", **options)  # type: ignore[arg-type]


@node
def fetched(url: str) -> int:
    return len(url)


@node
def parsed(fetched: int, base: int = 3) -> int:
    return fetched + base


@node
def summed(parsed: list[int]) -> int:
    return sum(parsed)


def crawling(**options: object) -> Pipeline:
    """A pipeline that is mapped inside another."""
    inner = Pipeline([fetched, parsed], name="page")
    return Pipeline(
        [inner.as_node(input_mapping={"urls": "url"}, map_over="urls"), summed],
        name="crawling",
        **options,  # type: ignore[arg-type]
    )
