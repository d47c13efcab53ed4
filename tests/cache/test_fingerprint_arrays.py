"""Arrays, tables and tensors by their data, if their libraries are loaded."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from kohaku_ast.cache.fingerprint import fingerprint

np = pytest.importorskip("numpy")

A = np.arange(6)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(A, A + 1, id="values"),
        pytest.param(A, A.reshape(2, 3), id="shape"),
        pytest.param(A, A.astype("f8"), id="type"),
        pytest.param(A, A.astype(A.dtype.newbyteorder()), id="byte order"),
        pytest.param(A, A.tolist(), id="array and list"),
        pytest.param(np.float64(1), 1.0, id="scalar and float"),
        pytest.param(np.int32(1), np.int64(1), id="scalars"),
        pytest.param(np.array(1), np.int64(1), id="array without dimensions and scalar"),
        pytest.param(np.array([1, "a"], object), np.array([1, "b"], object), id="objects"),
        pytest.param(np.zeros(0), np.zeros((0, 3)), id="empty"),
        pytest.param(np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2], mask=[1, 0]), id="mask"),
        pytest.param(np.zeros(2, "i4,f4"), np.zeros(2, [("a", "i4"), ("b", "f4")]), id="names of fields"),
        pytest.param(np.random.default_rng(1), np.random.default_rng(2), id="generators"),
        pytest.param(np.array(["2024-01-01"], "M8[D]"), np.array(["2024-01-02"], "M8[D]"), id="dates"),
    ],
)  # fmt: skip
def test_differ(one: Any, other: Any) -> None:
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(A, A.copy(), id="copies"),
        pytest.param(A.reshape(2, 3).T, np.ascontiguousarray(A.reshape(2, 3).T), id="layout"),
        pytest.param(A[::2], A[::2].copy(), id="views"),
        pytest.param(np.random.default_rng(1), np.random.default_rng(1), id="generators"),
        pytest.param(np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2], mask=[0, 1]), id="mask"),
    ],
)
def test_same(one: Any, other: Any) -> None:
    assert fingerprint(one) == fingerprint(other)


def frames() -> list[Any]:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, 1.5]})
    return [
        frame,
        frame.rename(columns={"a": "z"}),
        frame.set_axis([5, 6]),
        frame.assign(a=[1, 3]),
        frame.assign(a=[1.0, 2.0]),
        frame.assign(b=pd.Categorical(["x", None])),
        frame.assign(b=["x", "y"]),
        frame["a"],
        frame["a"].rename("q"),
        frame.index,
        frame.columns,
        frame.assign(a=pd.to_datetime(["2024-01-01", "2024-01-02"])),
        frame.assign(a=pd.to_datetime(["2024-01-01", "2024-01-02"]).tz_localize("UTC")),
        frame.assign(a=pd.array([1, None], dtype="Int64")),
    ]


def test_tables_differ_and_copies_do_not() -> None:
    prints = [fingerprint(frame) for frame in frames()]
    assert len(set(prints)) == len(prints)
    assert [fingerprint(frame.copy()) for frame in frames()] == prints


def test_how_a_table_was_built_does_not_count() -> None:
    pd = pytest.importorskip("pandas")
    one = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    other = pd.DataFrame({"a": [1, 2]})
    other["b"] = [3, 4]
    assert fingerprint(one) == fingerprint(other)


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    one = torch.arange(4.0)
    others = [one + 1, one.reshape(2, 2), one.to(torch.bfloat16), torch.nn.Parameter(one)]
    assert len({fingerprint(value) for value in [one, *others]}) == 5
    assert fingerprint(one.clone()) == fingerprint(one)


def test_nothing_is_imported_for_a_fingerprint() -> None:
    program = (
        "import sys; from kohaku_ast.cache.fingerprint import fingerprint; "
        "fingerprint([1, print, sys, {2}]); "
        "print([name for name in ('numpy', 'pandas', 'torch', 'cloudpickle', 'importlib.metadata')"
        " if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
