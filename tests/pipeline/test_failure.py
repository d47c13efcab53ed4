"""What a node raises: its type, its traceback, what it is told, and what is left of the run."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import KogineError, MemoryCache, Node, Pipeline, PipelineError
from tests.pipeline.failing import ENGINES, Own, caught, engines, fail, failing, increase, shown


@dataclass(frozen=True)
class Frozen(Exception):
    code: int


def freeze(x: int) -> int:
    raise Frozen(x)


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


class TestException:
    @engines
    def test_it_keeps_its_type_and_attributes(self, engine: str) -> None:
        error = caught(lambda: failing(engine=engine).run({"x": 1}))
        assert type(error) is Own
        assert error.code == 7

    @engines
    def test_its_traceback_names_node_place_and_inputs(self, engine: str) -> None:
        said = shown(caught(lambda: failing(engine=engine).run({"x": 1})))
        assert "Own: 7: no" in said
        place = fail.where.replace("\\", "\\\\")
        assert f"in node 'fail' ({place}), with y=2" in said

    @engines
    def test_a_class_that_takes_no_attributes(self, engine: str) -> None:
        error = caught(lambda: Pipeline([Node(freeze, "y")], engine=engine).run({"x": 1}))
        assert type(error) is Frozen
        assert error.code == 1
        assert "in node 'freeze' (" in shown(error)

    @engines
    def test_in_a_map_the_item_too(self, engine: str) -> None:
        said = shown(caught(lambda: failing(engine=engine).map({"x": [5]}, map_over="x")))
        assert f"in node 'fail' ({fail.where}), item 0, with y=6" in said

    @engines
    def test_an_item_of_a_map_inside(self, engine: str) -> None:
        outer = Pipeline([failing(name="inner").as_node(map_over="x")], engine=engine)
        said = shown(caught(lambda: outer.run({"x": [5, 6]})))
        assert f"in node 'fail' ({fail.where}), item 0, with y=6" in said
        assert "in node 'inner' (" in said

    def test_long_inputs_are_shortened(self) -> None:
        def big(a: Any, b: Any) -> None:
            raise ValueError("no")

        error = caught(
            lambda: Pipeline([Node(big, "c")]).run({"a": list(range(10**5)), "b": "x" * 10**5})
        )
        assert len(shown(error)) < 2000

    def test_inputs_that_cannot_be_shown_hide_nothing(self) -> None:
        class Bad:
            def __repr__(self) -> str:
                raise RuntimeError("never")

        def big(a: Any) -> None:
            raise ValueError("no")

        assert "in node 'big'" in shown(
            caught(lambda: Pipeline([Node(big, "c")]).run({"a": Bad()}))
        )

    @engines
    def test_frames_are_the_users_alone(self, engine: str) -> None:
        for call in (
            lambda: failing(engine=engine).run({"x": 1}),
            lambda: failing(engine=engine).map({"x": [1]}, map_over="x"),
            lambda: Pipeline([failing()], engine=engine).run({"x": 1}),
            lambda: failing(engine=engine, cache=MemoryCache()).run({"x": 1}),
        ):
            said = shown(caught(call))
            assert frames(said, "kohaku_ast") <= (sys.version_info < (3, 11)), said
            assert frames(said, "<pipeline") == 0, said
            assert 'raise Own(7, "no")' in said

    @engines
    def test_its_cause_comes_along(self, engine: str) -> None:
        said = shown(caught(lambda: failing(engine=engine).run({"x": 1, "mode": "cause"})))
        assert "ZeroDivisionError" in said
        assert "direct cause" in said

    def test_no_other_exception_stands_beside_it(self) -> None:
        for engine in ENGINES[:3]:
            error = caught(lambda engine=engine: failing(engine=engine).run({"x": 1}))
            assert error.__cause__ is error.__context__ is None

    def test_a_message_of_ours_has_no_frame_of_ours(self) -> None:
        said = shown(caught(lambda: failing().run({"xx": 1})))
        assert frames(said, "kohaku_ast") <= (sys.version_info < (3, 11)), said

    def test_errors_of_the_library_inside_a_node_keep_the_users_frames(self) -> None:
        def inside(x: int) -> Any:
            return Pipeline([increase]).run({"xx": x})

        error = caught(lambda: Pipeline([Node(inside, "y")]).run({"x": 1}))
        assert isinstance(error, PipelineError)
        assert "in inside" in shown(error)

    def test_a_key_error_stays_one_that_can_be_asked(self) -> None:
        error = caught(lambda: failing().run({"x": 1, "mode": "key"}))
        assert type(error) is KeyError
        assert error.args[0].split("\n")[0] == "gone"

    @engines
    def test_exit_is_no_failure_of_a_node(self, engine: str) -> None:
        made = Pipeline([Node(leave, "y")], engine=engine)
        with pytest.raises(SystemExit) as found:
            made.run({"x": 3})
        assert found.value.code == 3
        assert made.last_error is None

    @engines
    def test_an_iterator_that_is_at_its_end_is_an_exception_like_any(self, engine: str) -> None:
        """StopIteration cannot be raised through coroutines, nor be the exception of their futures."""
        made = Pipeline([Node(first_of, "y", name="first_of")], engine=engine, name="inner")
        for call in (
            lambda: made.run({"values": []}),
            lambda: made.map({"values": [[]]}, map_over="values"),
            lambda: Pipeline([made], engine=engine).run({"values": []}),
        ):
            error = caught(call)
            assert type(error) is StopIteration
            assert "in node 'first_of'" in shown(error)
        found = made.map({"values": [[], [1]]}, map_over="values", on_error="keep")
        assert type(found[0].exception) is StopIteration
        assert found[1] == {"y": 1}


def first_of(values: list[int]) -> int:
    return next(iter(values))


def leave(x: int) -> None:
    sys.exit(x)


def frames(said: str, part: str) -> int:
    own = [line for line in said.splitlines() if line.lstrip().startswith("File ")]
    return sum(part in line.replace("/tests/", "/") and "/tests/" not in line for line in own)


@engines
def test_an_uncaught_exception_as_python_prints_it(engine: str, tmp_path: Path) -> None:
    script = tmp_path / "flow.py"
    script.write_text(
        "from kohaku_ast import Pipeline, node\n\n"
        "@node('y')\ndef half(x):\n    return x // 0\n\n"
        f"if __name__ == '__main__':\n    Pipeline([half], engine={engine!r}).run({{'x': 4}})\n"
    )
    done = subprocess.run(
        [sys.executable, "flow.py"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "ZeroDivisionError: integer division or modulo by zero" in done.stderr
    assert "in node 'half' (flow.py:3), with x=4" in done.stderr
    assert frames(done.stderr, "kohaku_ast") <= (sys.version_info < (3, 11)), done.stderr


def test_threads_that_run_a_pipeline_for_the_first_time_at_once() -> None:
    """The code of a plan is made once, or the lines of one would be looked up in another."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(10):
            links = [Node(lambda x: x, f"v{at + 1}", rename={"x": f"v{at}"}) for at in range(20)]
            made = Pipeline([*links, Node(lambda v20: 1 // 0, "z", name="div")])
            made.plan(["v0"], "z")
            with ThreadPoolExecutor(6) as pool:
                calls = [
                    pool.submit(made.map, {"v0": [1]}, "v0", output_name="z")
                    if at % 2
                    else pool.submit(made.run, {"v0": 1}, "z")
                    for at in range(6)
                ]
            assert all("in node 'div'" in shown(one.exception()) for one in calls)  # type: ignore[arg-type]
    finally:
        sys.setswitchinterval(interval)


def test_a_failure_of_ours_is_a_kogine_error() -> None:
    assert issubclass(PipelineError, KogineError)
