"""Several callbacks of one run: what they share, and their order."""

from __future__ import annotations

from typing import Any

from kohaku_ast import Callback, Pipeline, node


@node("y")
def double(x: int) -> int:
    return 2 * x


@node("z")
def inverse(y: int) -> float:
    return 1 / y


def test_data_is_shared_by_callbacks_of_a_run_and_by_no_other_run() -> None:
    class Writer(Callback):
        def on_node_start(self, name: str, inputs: Any, context: Any) -> None:
            context.set(name, context.get(name, 0) + 1)

    class Reader(Callback):
        def __init__(self) -> None:
            self.found: list[dict[str, Any]] = []

        def on_pipeline_end(self, name: str, outputs: Any, seconds: float, context: Any) -> None:
            if context.depth == 0:
                self.found.append(dict(context.data))

    reader = Reader()
    inner = Pipeline([double], name="inner")
    made = Pipeline([inner, inverse], callbacks=[Writer(), reader])
    for _ in range(2):
        made.run({"x": 1})
    assert reader.found == [{"inner": 1, "double": 1, "inverse": 1}] * 2


def test_callbacks_are_told_in_their_order() -> None:
    told: list[str] = []

    def named(name: str) -> Callback:
        class Named(Callback):
            def on_pipeline_start(self, *_: Any) -> None:
                told.append(name)

        return Named()

    Pipeline([double], callbacks=[named("a"), named("b")]).run({"x": 1})
    assert told == ["a", "b"]
