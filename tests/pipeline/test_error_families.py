"""Mistakes are errors of Python's families, too: ValueError, TypeError, FileNotFoundError."""

from __future__ import annotations

import errno
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import (
    AsyncExecutor,
    Config,
    DiskCache,
    HyperNodesEngine,
    MemoryCache,
    Node,
    Parallel,
    Pipeline,
    Script,
    Sequential,
    Sweep,
    node,
    run,
    script,
    search,
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


def sweep() -> Sweep:
    return Sweep(lr=[1], p="uniform:0:1")


def returning(value: Any) -> Any:
    return Pipeline([Node(lambda x: value, ("a", "b"))]).run(x=1)


WRONG: Any = 5
MORE_TYPES: dict[str, tuple[type[KogineError], Call]] = {
    "an axis": (ConfigError, lambda: Sweep(lr=WRONG)),
    "an axis that is a dict": (ConfigError, lambda: Sweep(lr={})),
    "axes": (ConfigError, lambda: Sweep(WRONG)),
    "name of an axis": (ConfigError, lambda: Sweep({5: [1]})),
    "Sweep.from_dict": (ConfigError, lambda: Sweep.from_dict(WRONG)),
    "Sweep.product": (ConfigError, lambda: Sweep.product(WRONG)),
    "Sweep.chain": (ConfigError, lambda: Sweep.chain(WRONG)),
    "Sweep.of": (ConfigError, lambda: Sweep.of(WRONG)),
    "an item of Sweep.of": (ConfigError, lambda: list(Sweep.of([WRONG]))),
    "result in Sweep.of": (ConfigError, lambda: list(Sweep.of(lambda: 5))),
    "path of a table": (ConfigError, lambda: Sweep.from_table(WRONG)),
    "path of a sweep": (ConfigError, lambda: Sweep.from_file(WRONG)),
    "path of a config": (ConfigError, lambda: Config.from_file(WRONG)),
    "fields of a Config": (ConfigError, lambda: Config.from_dict(WRONG)),
    "name of a field": (ConfigError, lambda: Config.from_dict({WRONG: 1})),
    "first": (ConfigError, lambda: sweep().first("a")),  # type: ignore[arg-type]
    "first of a part": (ConfigError, lambda: sweep().first(1.5)),  # type: ignore[arg-type]
    "draws": (ConfigError, lambda: sweep().draw("a", 1)),  # type: ignore[arg-type]
    "seed of draws": (ConfigError, lambda: sweep().draw(1, "a")),  # type: ignore[arg-type]
    "repeats": (ConfigError, lambda: sweep().repeat("a")),  # type: ignore[arg-type]
    "seed of repeats": (ConfigError, lambda: sweep().repeat(2, WRONG)),
    "without": (ConfigError, lambda: sweep().without(WRONG)),
    "path of a Script": (UsageError, lambda: Script(WRONG)),
    "bytes as a path": (UsageError, lambda: Script(b"s.py")),  # type: ignore[arg-type]
    "text as a config": (UsageError, lambda: Script("s.py", "lr=1")),
    "entrypoint": (UsageError, lambda: Script("s.py", entrypoint=WRONG)),
    "name of a Script": (UsageError, lambda: Script("s.py", name=WRONG)),
    "path of run": (UsageError, lambda: run(WRONG)),
    "scripts of a flow": (UsageError, lambda: Sequential(WRONG)),
    "mode": (UsageError, lambda: Sequential("s.py", mode=WRONG)),
    "on_error": (UsageError, lambda: Sequential("s.py", on_error=WRONG)),
    "timeout": (UsageError, lambda: Sequential("s.py", timeout="x")),
    "retries": (UsageError, lambda: Sequential("s.py", retries="a")),
    "retries in parts": (UsageError, lambda: Sequential("s.py", retries=1.5)),
    "backoff": (UsageError, lambda: Sequential("s.py", backoff="a")),
    "gpus": (UsageError, lambda: Sequential("s.py", gpus=WRONG)),
    "threads": (UsageError, lambda: Sequential("s.py", threads=[1])),
    "nice": (UsageError, lambda: Sequential("s.py", nice="a")),
    "observers": (UsageError, lambda: Sequential("s.py", observers=WRONG)),
    "an observer": (UsageError, lambda: Sequential("s.py", observers=[WRONG])),
    "record": (UsageError, lambda: Sequential("s.py", record="no")),
    "resume": (UsageError, lambda: Sequential("s.py", resume="no")),
    "log_limit": (UsageError, lambda: Sequential("s.py", log_limit=[1])),
    "workers": (UsageError, lambda: Parallel("s.py", workers="a")),  # type: ignore[arg-type]
    "space of a search": (UsageError, lambda: search(WRONG, n=1)),
    "n of a search": (UsageError, lambda: search(sweep(), n="a", minimize="x")),  # type: ignore[arg-type]
    "objective": (UsageError, lambda: search(sweep(), n=1, minimize=WRONG)),
    "seed of a search": (UsageError, lambda: search(sweep(), n=1, minimize="x", seed="a")),  # type: ignore[arg-type]
    "study": (UsageError, lambda: search(sweep(), n=1, minimize="x", study=WRONG)),
    "an int for two outputs": (PipelineError, lambda: returning(3)),
    "None for two outputs": (PipelineError, lambda: returning(None)),
    "a dict for two outputs": (PipelineError, lambda: returning({"a": 1, "b": 2})),
    "name of an output": (PipelineError, lambda: Node(abs, WRONG)),
    "a name of an output": (PipelineError, lambda: Node(abs, [WRONG])),
    "rename": (PipelineError, lambda: Node(abs, "y", rename=WRONG)),
    "a new name": (PipelineError, lambda: Node(abs, "y", rename={"x": WRONG})),
    "bound": (PipelineError, lambda: Node(abs, "y", bound=WRONG)),
    "name of a node": (PipelineError, lambda: Node(abs, "y", name=WRONG)),
    "with_names": (PipelineError, lambda: double.with_names(x=WRONG)),
    "name of a pipeline": (PipelineError, lambda: Pipeline([double], name=WRONG)),
    "mode of a map": (PipelineError, lambda: made.map({"x": [1]}, "x", WRONG)),
    "policy of a map": (PipelineError, lambda: made.map({"x": [1]}, "x", on_error=WRONG)),
    "input_mapping": (PipelineError, lambda: made.as_node(WRONG)),
    "a name in it": (PipelineError, lambda: made.as_node({"x": WRONG})),
    "output_mapping": (PipelineError, lambda: made.as_node(output_mapping=WRONG)),
    "unbind": (PipelineError, lambda: made.unbind(WRONG)),
    "explain": (PipelineError, lambda: made.explain(WRONG)),
    "from_node": (PipelineError, lambda: made.visualize(from_node=WRONG)),
    "filename": (UsageError, lambda: made.visualize(filename=WRONG)),
    "path of a script": (PipelineError, lambda: script(WRONG)),
    "outputs of a script": (PipelineError, lambda: script("s.py", WRONG)),
    "inputs of a script": (PipelineError, lambda: script("s.py", inputs=WRONG)),
    "name of an input": (PipelineError, lambda: script("s.py", inputs={"lr": WRONG})),
    "folder of a cache": (PipelineError, lambda: DiskCache(WRONG)),
    "concurrent calls": (UsageError, lambda: AsyncExecutor("a")),  # type: ignore[arg-type]
    "a coroutine": (UsageError, lambda: AsyncExecutor().start(WRONG)),
}
TYPES |= MORE_TYPES
VALUES |= {
    "too few outputs": (PipelineError, lambda: returning((1, 2, 3))),
    "no draws": (ConfigError, lambda: sweep().draw(0, 1)),
    "no first": (ConfigError, lambda: sweep().first(0)),
    "no repeats": (ConfigError, lambda: sweep().repeat(0)),
    "negative retries": (UsageError, lambda: Sequential("s.py", retries=-1)),
    "timeout that is none": (UsageError, lambda: Sequential("s.py", timeout=float("nan"))),
    "negative backoff": (UsageError, lambda: Sequential("s.py", backoff=-1)),
    "no trials": (UsageError, lambda: search(sweep(), n=0, minimize="x")),
    "no concurrent calls": (UsageError, lambda: AsyncExecutor(0)),
    "no notebook": (MissingScript, lambda: run("n.ipynb")),
    "a module that is not there": (MissingScript, lambda: run("no.such.module")),
    "both names of one setting": (UsageError, lambda: HyperNodesEngine(max_workers=1, workers=2)),
    "no workers of an engine": (UsageError, lambda: HyperNodesEngine(workers=0)),
    "no pickable axis": (ConfigError, lambda: sweep().pair("q")),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most calls here fail before they look for the script."""
    (tmp_path / "s.py").write_text("lr = 1\n")
    monkeypatch.chdir(tmp_path)


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
        pytest.param(ConfigError, lambda: Sweep.from_file("nope.py"), id="sweep"),
        pytest.param(ConfigError, lambda: Sweep.from_table("nope.csv"), id="table"),
    ],
)
def test_a_missing_file_is_a_file_not_found_error(kind: type[KogineError], call: Call) -> None:
    with pytest.raises(FileNotFoundError, match="No such file") as caught:
        call()
    assert isinstance(caught.value, kind)
    assert caught.value.errno == errno.ENOENT


FOLDERS: dict[str, tuple[type[KogineError], Call]] = {
    "script": (SourceError, lambda: Script(".")),
    "run": (SourceError, lambda: run(".")),
    "node of a script": (SourceError, lambda: script(".")),
    "config": (ConfigError, lambda: Config.from_file(".")),
    "config in Python": (ConfigError, lambda: Config.from_file("d.py")),
    "config in YAML": (ConfigError, lambda: Config.from_file("d.yaml")),
    "config in JSON": (ConfigError, lambda: Config.from_file("d.json")),
    "sweep": (ConfigError, lambda: Sweep.from_file("d.toml")),
    "table": (ConfigError, lambda: Sweep.from_table("d.csv")),
}


@pytest.mark.parametrize("words", FOLDERS)
def test_a_folder_in_the_place_of_a_file_says_so(tmp_path: Path, words: str) -> None:
    for name in ("d.py", "d.yaml", "d.json", "d.toml", "d.csv"):
        (tmp_path / name).mkdir()
    kind, call = FOLDERS[words]
    with pytest.raises(IsADirectoryError) as caught:
        call()
    assert isinstance(caught.value, kind)
    assert not isinstance(caught.value, FileNotFoundError)
    assert caught.value.errno == errno.EISDIR


def test_a_file_that_cannot_be_read_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "loop.py").symlink_to("loop.py")
    for kind, call in (
        (SourceError, lambda: Script("loop.py")),
        (ConfigError, lambda: Config.from_file("loop.py")),
    ):
        with pytest.raises(OSError, match="symbolic links") as caught:
            call()
        assert isinstance(caught.value, kind)
        assert type(caught.value) is type(pickle.loads(pickle.dumps(caught.value)))


def test_a_drawing_that_cannot_be_written_names_its_file() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        made.visualize(filename="nodir/x.svg")
    assert caught.value.filename == "nodir/x.svg"


def test_a_wrong_value_of_a_script_is_a_value_error(tmp_path: Path) -> None:
    path = tmp_path / "s.py"
    path.write_text("lr: float = 0.1\n")
    with pytest.raises(ValueError, match="no parameter 'lrr'"):
        Script(str(path), config=Config(globals_dict={"lrr": 1})).run()


@pytest.mark.parametrize("kind", [MissingScript, MissingConfig, PipelineTypeError, PipelineError])
def test_they_pickle_and_keep_their_message(kind: type[KogineError]) -> None:
    error = pickle.loads(pickle.dumps(kind("what happened")))
    assert (type(error), str(error), error.args) == (kind, "what happened", ("what happened",))
