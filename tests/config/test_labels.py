"""Labels of runs: what each kind of value reads as."""

from __future__ import annotations

import functools

import pytest

from kohaku_ast.config.cells import CellList, CellText
from kohaku_ast.config.config import label_of, value_text


class Model:
    def fit(self) -> None: ...


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError

    def __getattr__(self, name: str) -> object:
        raise AttributeError(name)


VALUES = [
    pytest.param(0.1, "0.1", id="float"),
    pytest.param(True, "True", id="bool"),
    pytest.param(None, "None", id="None"),
    pytest.param("adam", "adam", id="word"),
    pytest.param("two words", "'two words'", id="words"),
    pytest.param("", "''", id="empty text"),
    pytest.param("it's", '"it\'s"', id="quote"),
    pytest.param("a\nb", "'a\\nb'", id="lines"),
    pytest.param(CellText("1e-3"), "1e-3", id="cell as it was written"),
    pytest.param(CellText("[1, 2]"), "[1, 2]", id="cell with blanks"),
    pytest.param(CellText("1e-3", is_quoted=True), "'1e-3'", id="quoted number"),
    pytest.param(CellText("a b", is_quoted=True), "'a b'", id="quoted words"),
    pytest.param(CellText("adam", is_quoted=True), "adam", id="quoted word"),
    pytest.param(CellList([CellText("1")]), "[1]", id="list of cells"),
    pytest.param("1e-3", "'1e-3'", id="text of a number"),
    pytest.param("None", "'None'", id="text of None"),
    pytest.param("[1]", "'[1]'", id="text of a list"),
    pytest.param("007", "007", id="text that is no number"),
    pytest.param(len, "len", id="function"),
    pytest.param(Model, "Model", id="class"),
    pytest.param(Model.fit, "Model.fit", id="method"),
    pytest.param([1, 2], "[1, 2]", id="list"),
    pytest.param(
        functools.partial(int, "3"), "functools.partial(<class 'int'>, '3')", id="partial"
    ),
]


@pytest.mark.parametrize(("value", "text"), VALUES)
def test_value_reads_as(value: object, text: str) -> None:
    assert value_text(value) == text


def test_value_that_cannot_be_shown_does_no_harm() -> None:
    assert "Broken" in value_text(Broken())


def test_label_joins_and_is_cut() -> None:
    assert label_of([("lr", 0.1), ("--bs", 32)]) == "lr=0.1 --bs=32"
    assert label_of([]) == ""
    long = label_of([("text", "x" * 200)], most=20)
    assert (len(long), long[-3:]) == (20, "...")
