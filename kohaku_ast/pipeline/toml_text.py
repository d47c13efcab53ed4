"""Writes a pipeline as TOML: ``toml_file`` reads an equal one from it. Paths are relative to the
working folder, where the text belongs into a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import isnan
from typing import Any

from kohaku_ast.errors import PipelineError
from kohaku_ast.files import short_path
from kohaku_ast.helpers.processes import process_of
from kohaku_ast.pipeline.hooks import Hooks
from kohaku_ast.pipeline.nested import PipelineNode
from kohaku_ast.pipeline.node import Node
from kohaku_ast.pipeline.node_like import Recipe
from kohaku_ast.pipeline.script_node import ScriptNode
from kohaku_ast.pipeline.toml_file import look_up


def text_of(pipeline: Any) -> str:
    """The text. Raises PipelineError, which names the node, for what has none."""
    callbacks = [one for one in pipeline.callbacks or () if not isinstance(one, Hooks)]
    if callbacks or _values(pipeline):
        what = "callbacks" if callbacks else "bound inputs"
        raise PipelineError(f"{pipeline.name}: its {what} have no place in TOML")
    head: dict[str, Any] = {"name": pipeline.name, "modules": [*_modules(pipeline)]}
    head.update(_hooks(pipeline, ""))
    if pipeline.engine is not None:
        head["engine"] = _engine(pipeline)
    if pipeline.cache is not None:
        head["cache"] = _cache(pipeline)
    lines = [
        "[pipeline]",
        *_pairs(head, pipeline.name),
        *_made(pipeline, ""),
        *_tables(pipeline, "processes"),
    ]
    return "\n".join(lines) + "\n"


def _engine(pipeline: Any) -> str:
    from kohaku_ast.pipeline.engine import find_engine

    for name in ("sequential", "threaded", "parallel", "async"):
        engine, own = find_engine(name), pipeline.engine
        if type(engine) is type(own) and vars(engine) == vars(own):
            return name
    raise PipelineError(f"{pipeline.name}: the engine {pipeline.engine!r} has no name in TOML")


def _cache(pipeline: Any) -> str:
    from kohaku_ast.cache.disk import DiskCache

    if not isinstance(pipeline.cache, DiskCache):
        raise PipelineError(f"{pipeline.name}: a cache in TOML is the folder of a DiskCache")
    return short_path(str(pipeline.cache.folder))


def _modules(pipeline: Any) -> Iterator[str]:
    found: dict[str, None] = {}
    for node in pipeline.graph.nodes:
        if isinstance(node, PipelineNode):
            found.update(dict.fromkeys(_modules(node.pipeline)))
        elif isinstance(node, Node):
            found[_module(node.function, f"node {node.name!r}")] = None
    for name, one in _permanences(pipeline).items():
        found[_module(one.factory, f"permanence {name!r}")] = None
    for hooks in pipeline.callbacks or ():
        for name, function in getattr(hooks, "functions", {}).items():
            found[_module(function, f"the hook {name}")] = None
    yield from found


def _module(function: Any, who: str) -> str:
    module = str(function.__module__)
    if module == "__main__":
        raise PipelineError(
            f"{who}: its function is in the script itself, which no other process can import: move "
            "it to a module"
        )
    return module


def _permanences(pipeline: Any) -> dict[str, Any]:
    return {name: one for name, one in pipeline.bound.items() if isinstance(one, Recipe)}


def _values(pipeline: Any) -> dict[str, Any]:
    """What is bound besides permanences."""
    return {name: one for name, one in pipeline.bound.items() if not isinstance(one, Recipe)}


def _made(pipeline: Any, before: str) -> Iterator[str]:
    """The tables of its permanences."""
    for name, one in _permanences(pipeline).items():
        factory = one.factory
        key = f"{factory.__module__}:{getattr(factory, '__qualname__', '')}"
        if look_up(*key.split(":")) != factory:  # each access makes another method
            raise PipelineError(f"permanence {name!r}: no name in a module leads to {one}")
        yield ""
        yield f"[{before}permanences.{_key(name)}]"
        yield from _pairs({"type": key, "params": one.params}, name)


def _tables(pipeline: Any, place: str) -> Iterator[str]:
    for node in pipeline.graph.nodes:
        here = f"{place}.{_key(node.name)}"
        yield ""
        yield f"[{here}]"
        hooks = _hooks(pipeline, node.name)
        if isinstance(node, PipelineNode):
            yield from _pairs(hooks, node.name)
            yield from _nested(node, here)
        elif isinstance(node, ScriptNode):
            yield from _pairs({**_of_script(node), **hooks}, node.name)
        else:
            yield from _pairs({**_of_function(node), **hooks}, node.name)


def _hooks(pipeline: Any, node: str) -> dict[str, str]:
    """The functions that are called for *node*; for the pipeline if it is empty."""
    found: dict[str, str] = {}
    for hooks in pipeline.callbacks or ():
        for name, function in hooks.functions.items() if hooks.node == node else ():
            if look_up(str(function.__module__), str(function.__qualname__)) is not function:
                raise PipelineError(f"the hook {name}: TOML cannot name {function!r}")
            if name in found:
                raise PipelineError(
                    f"the hook {name} of {node or pipeline.name}: TOML has one of each"
                )
            found[name] = f"{function.__module__}:{function.__qualname__}"
    return found


def _of_function(node: Any) -> dict[str, Any]:
    marked = process_of(getattr(node, "function", None))
    if marked is None or not isinstance(node, Node):
        raise PipelineError(f"node {node.name!r} has no @process: TOML cannot name it")
    names = {one.parameter: one.name for one in node.parameters}
    inputs = {own: name for own, name in names.items() if own != name and name not in node.bound}
    params = {own: node.bound[name] for own, name in names.items() if name in node.bound}
    found = {"type": marked.key, "params": params, "inputs": inputs, "outputs": [*node.outputs]}
    return {**found, **_options(node)}


def _of_script(node: ScriptNode) -> dict[str, Any]:
    file = node.file
    found = {
        "script": short_path(file.launch.filename),
        "params": dict(node.bound),
        "outputs": dict(node.globals),
    }
    renamed = {target: name for target, name in node.renamed.items() if name is not None}
    if len(renamed) < len(node.renamed):
        raise PipelineError(f"node {node.name!r}: an input that the script decides has no TOML")
    found["inputs"] = {one: name for one, name in renamed.items() if name not in node.bound}
    if file.entrypoint:
        found["entrypoint"] = file.entrypoint
    if file.process is not None:
        found.update(mode="spawn", env=file.process.fields())
    return {**found, **_options(node)}


def _options(node: Any) -> dict[str, Any]:
    """What all kinds of nodes may have."""
    found: dict[str, Any] = {} if node.cache else {"cache": False}
    if node.when is not None:
        if not isinstance(node.when.given, str):
            raise PipelineError(f"node {node.name!r}: a condition in TOML is a name, no function")
        found["when"] = node.when.text
    return found


def _nested(node: PipelineNode, place: str) -> Iterator[str]:
    inner: Any = node.pipeline
    if node.map_over:
        raise PipelineError(f"node {node.name!r} maps, which has no place in TOML")
    callbacks = [one for one in inner.callbacks or () if not getattr(one, "node", "")]
    if inner.engine is not None or inner.cache is not None or callbacks:
        raise PipelineError(f"node {node.name!r}: in TOML only the whole has an engine and a cache")
    found: dict[str, Any] = {
        "params": _values(inner),
        "inputs": {own: name for name, own in node.input_mapping.items()},
        "outputs": dict(node.output_mapping),
        **_options(node),
    }
    yield from _pairs(found, node.name)
    yield from _made(inner, f"{place}.")
    yield from _tables(inner, f"{place}.processes")


# --- TOML ----------------------------------------------------------------------------------------


def _pairs(values: Mapping[str, Any], name: str) -> Iterator[str]:
    for key, value in values.items():
        if value not in ({}, []):
            yield f"{key} = {_value(value, f'{name}.{key}')}"


def _key(name: str) -> str:
    is_bare = name.isascii() and name.replace("_", "a").replace("-", "a").isalnum()
    return name if is_bare else json.dumps(name)


def _value(value: Any, place: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return "nan" if isnan(value) else repr(value)
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for DEL.
        return json.dumps(value).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(_value(one, place) for one in value)}]"
    if isinstance(value, dict) and all(isinstance(one, str) for one in value):
        pairs = (f"{_key(key)} = {_value(one, f'{place}.{key}')}" for key, one in value.items())
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    raise PipelineError(f"{place}: TOML has no {type(value).__name__}: {value!r}")
