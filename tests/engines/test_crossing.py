"""Values that go to worker processes and back, and those that cannot."""

from __future__ import annotations

import pickle
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Callback, Node, Pipeline, node
from kohaku_ast.engines.packed_value import PackedValue
from kohaku_ast.errors import UncrossableValue


@node("y")
def double(x: int) -> int:
    return 2 * x


def lock_of(x: int) -> Any:
    return threading.Lock()


def take(lock: Any) -> str:
    return type(lock).__name__


class TestWhatCannotCross:
    NODES = (Node(lock_of, "lock"), Node(take, "name"))

    def test_a_value_inside_an_item_need_not(self) -> None:
        made = Pipeline(self.NODES, engine="parallel")
        assert made.map({"x": [1, 2]}, map_over="x", output_name="name") == ["lock", "lock"]

    def test_with_callbacks_neither(self) -> None:
        made = Pipeline(self.NODES, engine="parallel", callbacks=[Callback()])
        assert made.map({"x": [1, 2]}, map_over="x", output_name="name") == ["lock", "lock"]

    @pytest.mark.parametrize("how", ["run", "map"])
    def test_an_output_that_must_is_named(self, how: str) -> None:
        made = Pipeline(self.NODES, engine="parallel")
        with pytest.raises(
            UncrossableValue,
            match=r"^node 'lock_of' \(\S*test_crossing.py:\d+\): its output 'lock' cannot be sent",
        ):
            made.run({"x": 1}) if how == "run" else made.map({"x": [1]}, map_over="x")

    @pytest.mark.parametrize(
        "call",
        [
            pytest.param(lambda made, lock: made.run({"lock": lock}, "name"), id="run"),
            pytest.param(
                lambda made, lock: made.map({"lock": [lock]}, "lock", output_name="name"), id="map"
            ),
            pytest.param(
                lambda made, lock: made.map({"lock": lock, "x": [1]}, "x"), id="fixed in a map"
            ),
        ],
    )
    def test_an_input_is_named(self, call: Any) -> None:
        made = Pipeline([Node(take, "name"), double], engine="parallel")
        with pytest.raises(UncrossableValue, match=r"'take' \(.*: the input 'lock' cannot be sent"):
            call(made, threading.Lock())

    def test_the_run_goes_on_with_other_items(self) -> None:
        made = Pipeline([Node(take, "name")], engine="parallel")
        locks = [threading.Lock() if at in (1, 70) else at for at in range(100)]
        found = made.map({"lock": locks}, map_over="lock", output_name="name", on_error="keep")
        assert [at for at, one in enumerate(found) if one != "int"] == [1, 70]
        assert isinstance(found[70].exception, UncrossableValue)

    def test_the_results_of_other_items_come_back(self) -> None:
        made = Pipeline(
            [Node(lambda x: threading.Lock() if x in (1, 70) else x, "y", name="n")],
            engine="parallel",
        )
        found = made.map({"x": range(100)}, map_over="x", output_name="y", on_error="keep")
        assert [at for at, one in enumerate(found) if one is not at and one != at] == [1, 70]
        assert "its output 'y' cannot be sent" in str(found[70].exception)
        with pytest.raises(UncrossableValue):
            made.map({"x": range(100)}, map_over="x", output_name="y")

    def test_what_cannot_be_read_there_is_an_error_and_not_the_end(self) -> None:
        made = Pipeline([Node(make_unreadable, "y")], engine="parallel")
        with pytest.raises(UncrossableValue, match="cannot be read in another process"):
            made.run({"x": 1})


class Unreadable:
    def __reduce__(self) -> Any:
        return explode, ()


def explode() -> None:
    raise RuntimeError("no way back")


def make_unreadable(x: int) -> Unreadable:
    return Unreadable()


def test_functions_that_cannot_be_imported_cross() -> None:
    factor = 3
    nodes = [
        Node(lambda x: factor * x, "y", name="scale"),
        Node(lambda y: lambda: y, "call", name="make"),
    ]
    made = Pipeline([*nodes, Node(lambda call: call(), "z", name="ask")], engine="parallel")
    assert made.run({"x": 2}, "z") == 6
    assert made.map({"x": [1, 2]}, map_over="x", output_name="z") == [3, 6]


def test_large_fixed_values_are_not_sent_with_every_part(tmp_path: Path) -> None:
    small, large = bytes(1000), bytes(2_000_000)
    sent = {
        size: len(pickle.dumps(PackedValue(size, "x").spilled(lambda: str(tmp_path))))
        for size in (small, large)
    }
    assert 1000 < sent[small] < 2000
    assert sent[large] < 1000
    assert len(list(tmp_path.iterdir())) == 1


def test_large_fixed_values_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = Pipeline([Node(lambda data, x: (len(data), x), "n", name="size")], engine="parallel")
    given = {"data": bytes(2_000_000), "x": range(50)}
    found = made.map(given, map_over="x", output_name="n")
    assert found == [(2_000_000, at) for at in range(50)]
    assert list(tmp_path.iterdir()) == []


def test_fixed_values_come_to_every_item() -> None:
    data = bytes(200_000)
    made = Pipeline([Node(lambda data, x: len(data) + x, "n", name="size")], engine="parallel")
    assert made.map({"data": data, "x": range(50)}, map_over="x", output_name="n") == [
        200_000 + at for at in range(50)
    ]
