"""Mistakes are errors of Python's families, too: ValueError, TypeError, FileNotFoundError."""

from __future__ import annotations

import errno
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import (
    Config,
    HyperNodesEngine,
    MemoryCache,
    Node,
    Parallel,
    Pipeline,
    Script,
    Sequential,
    node,
    script,
)
from kohaku_ast.errors import (
    ConfigError,
    KogineError,
    MissingConfig,
    MissingScript,
    PipelineError,
    PipelineTypeError,
    SourceError,
    UsageError,
)


@node("y")
def double(x: int) -> int:
    return 2 * x


@node
def loud(y: str) -> str:
    return y


made = Pipeline([double])
Call = Callable[[], Any]

VALUES: dict[str, tuple[type[KogineError], Call]] = {
    "input missing": (PipelineError, lambda: made.run()),
    "input unknown": (PipelineError, lambda: made.run(x=1, z=2)),
    "input missing in a map": (PipelineError, lambda: made.map({"z": [1]}, "z")),
    "output unknown": (PipelineError, lambda: made.run({"x": 1}, "q")),
    "engine unknown": (PipelineError, lambda: Pipeline([double], engine="fast")),
    "mode of a map": (PipelineError, lambda: made.map({"x": [1]}, "x", "zap")),
    "policy": (PipelineError, lambda: made.map({"x": [1]}, "x", on_error="stop")),
    "lengths": (PipelineError, lambda: made.map({"x": [1], "z": [1, 2]}, ["x", "z"])),
    "bound name": (PipelineError, lambda: double.bind(z=1)),
    "name of a node": (PipelineError, lambda: double.with_names(z="q")),
    "two nodes of one output": (PipelineError, lambda: Pipeline([double, Node(abs, "y")])),
    "mapping": (PipelineError, lambda: made.as_node({"a": "b"})),
    "size of a cache": (PipelineError, lambda: MemoryCache(most_bytes=-1)),
    "workers of an engine": (UsageError, lambda: HyperNodesEngine(max_workers=0)),
    "field of a Config": (ConfigError, lambda: Config.from_dict({"foo": 1})),
    "mode of a flow": (UsageError, lambda: Parallel(["s.py"], mode="fast")),
    "workers of a flow": (UsageError, lambda: Parallel(["s.py"], max_workers=0)),
}
TYPES: dict[str, tuple[type[KogineError], Call]] = {
    "inputs": (PipelineError, lambda: made.run(3)),  # type: ignore[arg-type]
    "names of outputs": (PipelineError, lambda: made.run({"x": 1}, 3)),  # type: ignore[arg-type]
    "nodes": (PipelineError, lambda: Pipeline(3)),  # type: ignore[arg-type]
    "a node": (PipelineError, lambda: Pipeline([3])),  # type: ignore[list-item]
    "function of a node": (PipelineError, lambda: Node(3)),  # type: ignore[arg-type]
    "engine": (PipelineError, lambda: Pipeline([double], engine=3)),
    "class of an engine": (PipelineError, lambda: Pipeline([double], engine=HyperNodesEngine)),
    "cache": (PipelineError, lambda: Pipeline([double], cache=3)),
    "callbacks": (PipelineError, lambda: Pipeline([double], callbacks=3)),  # type: ignore[arg-type]
    "a callback": (PipelineError, lambda: Pipeline([double], callbacks=[3])),  # type: ignore[list-item]
    "values of a map": (PipelineError, lambda: made.map({"x": 3}, "x")),
    "name of a map": (PipelineError, lambda: made.map({"x": [3]}, 3)),  # type: ignore[arg-type]
    "types of an edge": (PipelineError, lambda: Pipeline([double, loud])),
    "size of a cache": (PipelineError, lambda: MemoryCache(most_bytes="1")),  # type: ignore[arg-type]
    "workers of an engine": (UsageError, lambda: HyperNodesEngine(max_workers="1")),  # type: ignore[arg-type]
    "globals of a Config": (ConfigError, lambda: Config(globals_dict=3)),  # type: ignore[arg-type]
    "args of a Config": (ConfigError, lambda: Config(args=3)),  # type: ignore[arg-type]
    "config of a Script": (UsageError, lambda: Script("s.py", config=3)),  # type: ignore[arg-type]
    "a script of a flow": (UsageError, lambda: Sequential([3])),  # type: ignore[list-item]
}


@pytest.mark.parametrize("words", VALUES)
def test_a_wrong_value_is_a_value_error(words: str) -> None:
    kind, call = VALUES[words]
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the family is what is tested
        call()
    assert isinstance(caught.value, kind)
    assert not isinstance(caught.value, TypeError)


@pytest.mark.parametrize("words", TYPES)
def test_a_wrong_type_is_a_type_error(words: str) -> None:
    kind, call = TYPES[words]
    with pytest.raises(TypeError) as caught:
        call()
    assert isinstance(caught.value, kind)


@pytest.mark.parametrize(
    ("kind", "call"),
    [
        pytest.param(SourceError, lambda: Script("nope.py").run(), id="script"),
        pytest.param(SourceError, lambda: script("nope.py"), id="node of a script"),
        pytest.param(ConfigError, lambda: Config.from_file("nope.py"), id="config in Python"),
        pytest.param(ConfigError, lambda: Config.from_file("nope.yaml"), id="config in YAML"),
        pytest.param(ConfigError, lambda: Config.from_file("nope.toml"), id="config in TOML"),
    ],
)
def test_a_missing_file_is_a_file_not_found_error(kind: type[KogineError], call: Call) -> None:
    with pytest.raises(FileNotFoundError, match="No such file") as caught:
        call()
    assert isinstance(caught.value, kind)
    assert caught.value.errno == errno.ENOENT


def test_a_file_that_cannot_be_read_is_none_of_them(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        Script(str(tmp_path)).run()
    assert not isinstance(caught.value, FileNotFoundError)


def test_a_wrong_value_of_a_script_is_a_value_error(tmp_path: Path) -> None:
    path = tmp_path / "s.py"
    path.write_text("lr: float = 0.1\n")
    with pytest.raises(ValueError, match="no parameter 'lrr'"):
        Script(str(path), config=Config(globals_dict={"lrr": 1})).run()


@pytest.mark.parametrize("kind", [MissingScript, MissingConfig, PipelineTypeError, PipelineError])
def test_they_pickle_and_keep_their_message(kind: type[KogineError]) -> None:
    error = pickle.loads(pickle.dumps(kind("what happened")))
    assert (type(error), str(error), error.args) == (kind, "what happened", ("what happened",))
