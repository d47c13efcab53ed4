"""``@pipeline_process``: a function stays what it is, and is a node."""

from __future__ import annotations

import asyncio
import inspect
import pickle
from pathlib import Path

import pytest

from kohaku_ast import Pipeline, PipelineError
from kohaku_ast.helpers import pipeline_process, process
from kohaku_ast.helpers.processes import PROCESSES, process_of
from tests.oracle import on_path, run_kogine, run_python


@process
def prepare(size: int = 3) -> list[int]:
    """Make the data."""
    return [*range(size)]


@pipeline_process(output_name="loss", cache=False)
def train(prepare: list[int], lr: float = 0.5) -> float:
    return sum(prepare) * lr


@process()
async def wait(loss: float) -> float:
    await asyncio.sleep(0)
    return loss + 1


@process
def count(loss: float):  # type: ignore[no-untyped-def]
    yield loss
    yield loss * 2


def test_a_function_stays_what_it_is() -> None:
    assert prepare() == [0, 1, 2]
    assert (prepare.__doc__, prepare.__name__) == ("Make the data.", "prepare")
    assert str(inspect.signature(train)) == "(prepare: 'list[int]', lr: 'float' = 0.5) -> 'float'"
    assert pickle.loads(pickle.dumps(train)) is train
    assert inspect.getsource(train).splitlines()[1].startswith("def train(")
    assert inspect.iscoroutinefunction(wait)
    assert inspect.isgeneratorfunction(count)
    assert list(count(1.0)) == [1.0, 2.0]
    assert vars(prepare) == {}


def test_it_is_registered_by_module_and_name() -> None:
    assert PROCESSES[f"{__name__}:train"].function is train
    assert process_of(train) is PROCESSES[f"{__name__}:train"]
    assert process_of(print) is process_of(3) is None


def test_it_is_a_node() -> None:
    pipeline = Pipeline([train, prepare])
    assert pipeline.run({"lr": 2.0})["loss"] == 6.0
    assert pipeline.inputs == ("size", "lr")
    assert [node.cache for node in pipeline.nodes] == [True, False]
    with pytest.raises(PipelineError, match="Did you mean 'lr'"):
        pipeline.run({"lrr": 2.0})
    assert Pipeline([prepare, train, count]).run()["count"].__next__() == 1.5
    assert Pipeline([prepare, train, wait], engine="async").run()["wait"] == 2.5


def test_another_function_of_that_name_is_not_the_process() -> None:
    def make(number: int):  # type: ignore[no-untyped-def]
        def inner() -> int:
            return number

        return inner

    first, second = process(make(1)), process(make(2))
    assert process_of(first) is None
    assert process_of(second) is not None


@pytest.mark.parametrize("given", [3, "loss", object()], ids=["a number", "a name", "an object"])
def test_what_is_no_function_is_refused(given: object) -> None:
    with pytest.raises(TypeError, match="marks a function"):
        pipeline_process(given)  # type: ignore[call-overload]


SCRIPT = """\
from kohaku_ast.helpers import process

lr = 0.5
print("importing")


@process
def prepare(size: int = 3):
    return [*range(size)]


@process(output_name="loss")
def train(prepare, rate=lr):
    print("training")
    return sum(prepare) * rate


if __name__ == "__main__":
    print("loss:", train(prepare()))
"""


def test_the_same_file_is_a_script_and_a_module_of_processes(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(SCRIPT)
    plain = run_python(tmp_path, "steps.py", PYTHONPATH=on_path())
    assert plain.stdout == "importing\ntraining\nloss: 1.5\n"
    assert run_kogine(tmp_path, "run", "steps.py") == plain
    assert run_kogine(tmp_path, "run", "steps.py", "lr=1.0").stdout.endswith("loss: 3.0\n")
    (tmp_path / "flow.py").write_text(
        "from kohaku_ast import Pipeline\nfrom steps import prepare, train\n"
        "pipeline = Pipeline([prepare, train])\n"
    )
    done = run_kogine(tmp_path, "pipeline", "run", "flow.py", "size=5", "--json")
    assert done.status == 0, done
    assert '"loss": 5.0' in done.stdout
