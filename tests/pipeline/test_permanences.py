"""Permanences: made once in each process, released at the end of the run, counted in the record."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import (
    Callback,
    DiskCache,
    Pipeline,
    PipelineError,
    node,
    permanence,
    script,
)
from tests.oracle import on_path

ENGINES = ["sequential", "threaded", "async", "parallel"]


class Model:
    """It cannot be sent."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lock = threading.Lock()

    def predict(self, x: object) -> str:
        return f"{self.path}:{x}"


def load(log: Path, path: str = "m") -> Iterator[Model]:
    note(log, "made")
    yield Model(path)
    note(log, "released")


def note(log: Path, text: str) -> None:
    with open(log, "a") as file:
        file.write(f"{text}\n")


def taken(log: Path) -> list[str]:
    """What was logged since the last call."""
    found = log.read_text().split() if log.exists() else []
    log.write_text("")
    return found


@node("y")
def predict(x: int, model: Model) -> str:
    return model.predict(x)


@node("z")
def again(y: str, model: Model) -> str:
    return y + model.predict("!")


@node("late")
async def later(x: int, model: Model) -> str:
    return model.predict(x)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "log"


@pytest.mark.parametrize("engine", ENGINES)
def test_made_once_in_each_process_and_released(engine: str, log: Path) -> None:
    """In a run and in a map; taken from the pipeline around, and one of a pipeline inside."""
    given = {"model": permanence(load, log=log)}
    flat = Pipeline([predict, again, later], engine=engine, permanences=given, record=True)
    assert flat.run(x=1) == {"y": "m:1", "z": "m:1m:!", "late": "m:1"}
    assert "model" not in flat.inputs
    check_made(flat, taken(log), "model")
    assert flat.map(x=range(9), map_over="x", output_name="z")[8] == "m:8m:!"
    check_made(flat, taken(log), "model")
    around = Pipeline([predict, Pipeline([again, later], name="in")], engine, permanences=given)
    assert around.run(x=2) == {"y": "m:2", "z": "m:2m:!", "late": "m:2"}
    check_made(None, taken(log), "")
    inner = Pipeline([predict, again], name="in", permanences=given)
    for record in (True, False):
        whole = Pipeline([inner], engine, record=record)
        assert whole.map(x=range(40), map_over="x", output_name="y")[39] == "m:39"
        check_made(whole if record else None, taken(log), "in/model")


def check_made(pipeline: Pipeline | None, found: list[str], name: str) -> None:
    """Once here, or at most once for each worker; all of it is released, and recorded."""
    count = found.count("made")
    workers = os.cpu_count() or 1
    assert 1 <= count <= workers
    assert found.count("released") == count
    if pipeline is not None:
        record = json.loads(Path(pipeline.last_record, "run.json").read_text())
        [field] = record["permanences"]
        assert (field["name"], field["made"], field["seconds"] > 0) == (name, count, True)
        assert field["made_by"].startswith("load(log=")
        assert set(record["params"]) <= {"x", "model"}
        assert "model" not in [one["target"] for one in record["overrides"]]


def test_an_engine_of_the_users_and_runs_at_the_same_time(log: Path) -> None:
    class Own:
        map = None

        def run(self, pipeline: Any, inputs: Any, output_name: Any = None) -> Any:
            values = dict(inputs)
            for one in pipeline.plan(inputs, output_name).nodes:
                values.update(zip(one.outputs, one.run(values)))
            return values

    given = {"model": permanence(load, log=log)}
    assert Pipeline([predict, again], Own(), permanences=given).run(x=1)["z"] == "m:1m:!"
    assert taken(log) == ["made", "released"]
    begun = threading.Barrier(2)

    @node("met")
    def meet(x: int, model: Model) -> int:
        begun.wait(20)
        return id(model)

    both = Pipeline([meet], permanences=given)
    ids: list[object] = []
    threads = [threading.Thread(target=lambda: ids.append(both.run(x=1))) for _ in "12"]
    for start in threads:
        start.start()
    for end in threads:
        end.join()
    assert ids[0] == ids[1]
    assert taken(log) == ["made", "released"]


def test_workers_of_a_lent_executor_release_it_when_the_next_run_begins(log: Path) -> None:
    with ProcessPoolExecutor(1) as pool:
        one, two = (
            Pipeline([predict], pool, permanences={"model": permanence(load, log=log, path=path)})
            for path in ("m", "n")
        )
        assert one.map(x=[1, 2], map_over="x", output_name="y") == ["m:1", "m:2"]
        assert taken(log) == ["made"]
        assert two.run(x=1) == {"y": "n:1"}
        assert taken(log) == ["released", "made"]
    assert taken(log) == ["released"]


def test_other_ways_to_make_and_release_it(log: Path) -> None:
    class Closed:
        def close(self) -> None:
            note(log, "closed")

    class Entered:
        def __enter__(self) -> str:
            return "entered"

        def __exit__(self, *_: object) -> None:
            note(log, "left")

    def bad() -> Iterator[str]:
        yield "bad"
        raise ValueError("full")

    @node("kinds")
    def kinds(a: object, b: object, c: object, d: object) -> list[str]:
        return [str(one) if isinstance(one, str) else type(one).__name__ for one in (a, b, c, d)]

    made = Pipeline([kinds], permanences={"a": Closed, "b": Entered, "c": dict, "d": bad})
    assert made.run() == {"kinds": ["Closed", "entered", "dict", "bad"]}
    assert sorted(taken(log)) == ["closed", "left"]


def test_an_error_at_the_release_is_a_warning(log: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def bad(log: Path) -> Iterator[Model]:
        yield Model("b")
        raise ValueError("full")

    made = Pipeline([predict], permanences={"model": permanence(bad, log=log)}, record=True)
    assert made.run(x=1) == {"y": "b:1"}
    assert "test_permanences.py:" in (text := capfd.readouterr().err)
    assert "raised when it was released: ValueError: full" in text
    assert json.loads(Path(made.last_record, "run.json").read_text())["status"] == "succeeded"


@pytest.mark.parametrize("engine", ENGINES)
def test_an_error_of_the_factory_is_that_of_the_node(engine: str, log: Path) -> None:
    given = {"model": permanence(broken, path="none.pt")}
    made = Pipeline([predict], engine, permanences=given)
    with pytest.raises(OSError, match=r"no none\.pt") as caught:
        made.run(x=1)
    assert made.last_error is not None
    assert made.last_error.node.name == "predict"
    if sys.version_info >= (3, 11):
        notes = "\n".join(caught.value.__notes__)
        assert "in permanence broken(path='none.pt')" in notes
        assert "in node 'predict'" in notes
        own = test_an_error_of_the_factory_is_that_of_the_node.__name__
        assert caught.traceback[-1].name in ("broken", own)
    with pytest.raises(OSError, match=r"no none\.pt"):
        made.last_error.reproduce()
    kept = made.map(x=[1, 2], map_over="x", on_error="keep")
    assert [str(one.exception).split("\n")[0] for one in kept] == ["no none.pt"] * 2


def broken(path: str) -> Model:
    raise OSError(f"no {path}")


def test_another_value_and_a_call_outside_of_a_run(log: Path) -> None:
    made = Pipeline([predict, again], permanences={"model": permanence(load, log=log)})
    assert made.run(x=1, model=Model("fake")) == {"y": "fake:1", "z": "fake:1fake:!"}
    assert taken(log) == []
    assert made.nodes[0].run({"x": 1, "model": made.bound["model"]}) == ("m:1",)
    assert taken(log) == ["made", "released"]
    assert Pipeline([predict]).bind(model=permanence(load, log=log)).run(x=1) == {"y": "m:1"}
    with pytest.raises(PipelineError, match="'model' is missing"):
        made.unbind("model").run(x=1)


SUFFIX = ""


def test_a_cache_knows_the_code_and_the_values_of_a_factory(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Seen(Callback):
        def on_node_start(self, name: str, inputs: Any, context: Any) -> None:
            states.append(name)

    def run(factory: Callable[..., Any], **params: Any) -> list[str]:
        states.clear()
        given = {"model": permanence(factory, **params)}
        Pipeline([predict], None, DiskCache(str(tmp_path / "c")), [Seen()], permanences=given).run(
            x=1
        )
        return [*states]

    states: list[str] = []
    assert run(load, log=log) == ["predict"]
    taken(log)
    assert (run(load, log=log), taken(log)) == ([], [])
    assert run(load, log=log, path="n") == ["predict"]
    assert run(lambda path: Model(path), path="m") == ["predict"]
    assert run(lambda path: Model(path + "!"), path="m") == ["predict"]
    given = {"model": permanence(lambda path: Model(path + SUFFIX), path="m")}
    made = Pipeline([predict], None, DiskCache(str(tmp_path / "c")), [Seen()], permanences=given)
    for suffix in ("", "", "?"):
        monkeypatch.setattr(sys.modules[__name__], "SUFFIX", suffix)
        assert made.map(x=[5, 5], map_over="x", output_name="y") == [f"m{suffix}:5"] * 2
    assert states == ["predict"] * 3  # the last run() above, and two of the six items here


def test_explained_and_drawn(log: Path) -> None:
    made = Pipeline([predict], permanences={"model": permanence(load, log="l")})
    assert "  model  <- permanence load(log='l') (" in made.explain()
    assert "inputs: x\n" in made.explain()
    assert "model = load" in made.visualize().svg


def test_refused(log: Path) -> None:
    (log.parent / "train.py").write_text("model = 1\nloss = model\n")

    def refused(text: str, nodes: Any, **permanences: Any) -> None:
        with pytest.raises(PipelineError, match=text):
            Pipeline(nodes, permanences=permanences)

    refused(r"no node takes the permanence 'modle'\. Did you mean 'model'\?", [predict], modle=dict)
    refused("'y' is a permanence and an output of node 'predict'", [predict], y=dict)
    refused("A script, as 'train'", [script("train.py", "loss")], model=dict)
    inside = Pipeline([predict], name="in").as_node(map_over="model")
    refused("maps over 'model'", [inside], model=dict)
    refusals: dict[str, Any] = {
        r"no parameter 'pth'\. Did you mean 'path'\?": lambda: permanence(load, pth="x"),
        r"missing a required argument: 'log'": lambda: permanence(load),
        "a function or a class, got 3": lambda: permanence(3),  # type: ignore[arg-type]
        "is async": lambda: permanence(later.function),
    }
    for text, make in refusals.items():
        with pytest.raises(PipelineError, match=text):
            make()
    loss = script("train.py", "loss")
    mixed = Pipeline([predict, loss], permanences={"model": permanence(load, log=log)})
    assert mixed.run(x=1) == {"y": "m:1", "loss": 1}
    with pytest.raises(AttributeError, match="it is the recipe"):
        Pipeline([predict]).run(x=1, model=permanence(load, log=log))


INTERRUPTED = """\
import time
from pathlib import Path
from kohaku_ast import Pipeline, node, permanence
from tests.pipeline.test_permanences import load

@node("y")
def wait(x, model):
    open("ready", "w").close()
    time.sleep(600)

if __name__ == "__main__":
    given = {"model": permanence(load, log=Path("log"))}
    Pipeline([wait], engine=ENGINE, permanences=given).map({"x": [1]}, map_over="x")
"""


@pytest.mark.parametrize("engine", ["sequential", "threaded", "parallel"])
def test_interrupt_releases_it(engine: str, log: Path) -> None:
    ready = log.parent / "ready"
    os.mkfifo(ready)
    (log.parent / "flow.py").write_text(INTERRUPTED.replace("ENGINE", repr(engine)))
    environment = {**os.environ, "PYTHONPATH": on_path()}
    with subprocess.Popen(
        [sys.executable, "flow.py"], env=environment, stderr=subprocess.PIPE, start_new_session=True
    ) as started:
        ready.open().close()
        os.killpg(started.pid, signal.SIGINT)
        _, error = started.communicate(timeout=600)
    assert (started.returncode, error.count(b"KeyboardInterrupt")) == (-signal.SIGINT, 1), error
    found = taken(log)
    assert found == ["made", "released"]
