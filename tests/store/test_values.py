"""What of a value comes back from run.json."""

import json
import math
from enum import Enum
from pathlib import Path

import pytest

from kohaku_ast.store.values import is_whole, read, written


class Loud:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Color(Enum):
    RED = 1


def _loop() -> list[object]:
    found: list[object] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="None"),
        pytest.param(True, id="bool"),
        pytest.param(-0.0, id="minus zero"),
        pytest.param(1e-323, id="tiny float"),
        pytest.param(10**300, id="large int"),
        pytest.param("a\n学習率", id="text"),
        pytest.param("\udcff", id="a file name that is no text"),
        pytest.param(b"\x00\xff", id="bytes"),
        pytest.param({"lr": 0.1, "layers": [64, 32]}, id="nested"),
        pytest.param((0.9, 0.999), id="tuple"),
        pytest.param({1: "a", None: (1,)}, id="keys that JSON has not"),
        pytest.param({1, 2}, id="set"),
        pytest.param(set(), id="empty set"),
        pytest.param([math.inf, -math.inf], id="infinities"),
        pytest.param(Path("out/last.pt"), id="Path"),
    ],
)
def test_comes_back_whole(value: object) -> None:
    form = json.loads(json.dumps(written(value), allow_nan=False))
    assert is_whole(form)
    back = read(form)
    assert back == value
    assert type(back) is type(value)
    assert repr(back) == repr(value)


def test_nan_comes_back() -> None:
    assert math.isnan(read(written(math.nan)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(Color.RED, "<Color.RED: 1>", id="Enum"),
        pytest.param(frozenset([1]), "frozenset({1})", id="frozenset"),
        pytest.param([Path("a")], f"[{Path('a')!r}]", id="Path inside"),
        pytest.param(Loud(), "<repr failed: RuntimeError>", id="repr raises"),
        pytest.param(10**6000, "<repr failed: ValueError>", id="int beyond the limit of digits"),
        pytest.param(_loop(), "[[...]]", id="list that holds itself"),
        pytest.param([0] * 20_000, ("[" + "0, " * 20_000)[:2000], id="more than a record holds"),
    ],
)
def test_only_its_text_is_kept(value: object, shown: str) -> None:
    form = written(value)
    if "repr failed: ValueError" in shown and "type" in form and form["repr"] != shown:
        pytest.skip("this Python prints any int")
    assert not is_whole(form)
    assert read(form) == shown
    json.dumps(form)
