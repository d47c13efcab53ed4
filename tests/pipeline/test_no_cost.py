"""What is not asked for costs nothing: calls are counted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from kohaku_ast import Callback, Node, Pipeline, node


@node("y")
def double(x: int) -> int:
    return 2 * x


@node("z")
def inverse(y: int) -> float:
    return 1 / y


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda nodes: Pipeline(nodes), id="nothing given"),
        pytest.param(
            lambda nodes: Pipeline(nodes, cache=None, callbacks=[], engine="sequential"),
            id="nothing in what is given",
        ),
        pytest.param(lambda nodes: Pipeline([Pipeline(nodes)]), id="pipeline inside"),
    ],
)
def test_without_callbacks_and_cache_nothing_is_called_but_the_functions(
    make: Callable[..., Pipeline],
) -> None:
    """Counted: the calls that a run of 100 nodes makes beyond those of 1 node are its functions."""

    def calls(count: int) -> int:
        nodes = [Node(lambda x: x, f"v{at + 1}", rename={"x": f"v{at}"}) for at in range(count)]
        made = make(nodes)
        made.run({"v0": 1}, f"v{count}")
        return count_calls(lambda: made.run({"v0": 1}, f"v{count}"))

    assert calls(100) - calls(1) == 99


def test_nor_in_a_map() -> None:
    made = Pipeline([double, inverse])

    def calls(count: int) -> int:
        values = list(range(1, count + 1))
        made.map({"x": values}, map_over="x", output_name="z")
        return count_calls(lambda: made.map({"x": values}, map_over="x", output_name="z"))

    assert calls(100) - calls(1) == 2 * 99


def count_calls(call: Callable[[], object]) -> int:
    """The fewest of several counts: what the collector of garbage calls in between is not ours."""
    return min(_counted(call) for _ in range(5))


def _counted(call: Callable[[], object]) -> int:
    """Calls of Python functions that *call* makes."""
    import sys

    found = 0

    def count(frame: Any, event: str, arg: Any) -> None:
        nonlocal found
        found += event == "call"

    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(None)
    return found


def test_a_callback_hears_only_what_it_overrides() -> None:
    Pipeline([double], callbacks=[Callback()]).map({"x": [1]}, map_over="x")


def test_a_run_in_this_thread_imports_no_event_loop_and_no_pools() -> None:
    code = (
        "from kohaku_ast import Pipeline, node; import sys\n"
        "made = Pipeline([node('b')(lambda a: a)])\n"
        "made.run(a=1), made.map({'a': [1]}, 'a')\n"
        "print({'asyncio', 'concurrent.futures', 'inspect', 'kohaku_ast.pipeline.permanence', "
        "'pickle', 'rich'} & {*sys.modules})"
    )
    found = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "set()\n"
