"""The same graphs by pipefunc, Hamilton and hypernodes, where they are installed."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Sequence
from typing import Any

Calls = dict[str, Callable[[], object]]


def _found(name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs, about each other
            return importlib.import_module(name)
    except ImportError:
        return None


def step(x: int) -> int:
    return x + 1


def _links(count: int, inputs: Callable[[int], str]) -> list[Any]:
    """Functions ``v1, v2, ...``, each with one parameter."""
    names: dict[str, Any] = {"step": step, "__name__": "links"}
    for at in range(count):
        exec(f"def v{at + 1}({inputs(at)}: int) -> int: return {inputs(at)} + 1", names)
    return [names[f"v{at + 1}"] for at in range(count)]


def chains(count: int) -> Calls:
    """A run of a chain."""
    return _runs(_links(count, lambda at: f"v{at}"), {"v0": 0}, [f"v{count}"])


def fans(count: int) -> Calls:
    """A run of many nodes that read one input."""
    return _runs(_links(count, lambda at: "x"), {"x": 1}, [f"v{at + 1}" for at in range(count)])


def _runs(functions: list[Any], inputs: dict[str, Any], outputs: list[str]) -> Calls:
    calls: Calls = {}
    if pipefunc := _found("pipefunc"):
        pipeline = _pipefunc(pipefunc, functions)
        asked = outputs if len(outputs) > 1 else outputs[0]
        calls["pipefunc"] = lambda: pipeline.run(asked, kwargs=inputs)
    if _found("hamilton"):
        driver = _hamilton(functions)
        calls["Hamilton"] = lambda: driver.execute(outputs, inputs=inputs)
    if hypernodes := _found("hypernodes"):
        made = _hypernodes(hypernodes, functions)
        calls["hypernodes"] = lambda: made.run(inputs=inputs)
    return calls


def maps(values: Sequence[int]) -> Calls:
    """Three nodes over *values*."""
    functions = _links(3, lambda at: f"v{at}")
    calls: Calls = {}
    if pipefunc := _found("pipefunc"):
        pipeline = _pipefunc(pipefunc, functions)
        pipeline.add_mapspec_axis("v0", axis="i")
        calls["pipefunc"] = lambda: pipeline.map(
            {"v0": values}, parallel=False, storage="dict", show_progress=False
        )
    if _found("hamilton"):
        driver = _hamilton(functions)
        calls["Hamilton"] = lambda: [driver.execute(["v3"], inputs={"v0": one}) for one in values]
    if hypernodes := _found("hypernodes"):
        made = _hypernodes(hypernodes, functions)
        calls["hypernodes"] = lambda: made.map(inputs={"v0": values}, map_over="v0")
    return calls


def builds(functions: list[Any]) -> Calls:
    """Making the graph of *functions*."""
    calls: Calls = {}
    if pipefunc := _found("pipefunc"):
        calls["pipefunc"] = lambda: _pipefunc(pipefunc, functions)
    if _found("hamilton"):
        calls["Hamilton"] = lambda: _hamilton(functions)
    if hypernodes := _found("hypernodes"):
        calls["hypernodes"] = lambda: _hypernodes(hypernodes, functions)
    return calls


def _pipefunc(pipefunc: Any, functions: list[Any]) -> Any:
    return pipefunc.Pipeline(
        [pipefunc.PipeFunc(one, output_name=one.__name__) for one in functions]
    )


def _hamilton(functions: list[Any]) -> Any:
    from hamilton import ad_hoc_utils, base, driver, telemetry

    telemetry.disable_telemetry()
    module = ad_hoc_utils.create_temporary_module(*functions)
    return driver.Driver({}, module, adapter=base.DefaultAdapter())


def _hypernodes(hypernodes: Any, functions: list[Any]) -> Any:
    nodes = [hypernodes.node(output_name=one.__name__)(one) for one in functions]
    return hypernodes.Pipeline(nodes=nodes)
