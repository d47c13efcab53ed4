"""Arrays, tables and tensors by their data, if their libraries are loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kohaku_ast.cache.fingerprint import fingerprint

A = np.arange(6)
B = A.reshape(2, 3)


def read_only(array: Any) -> Any:
    array = array.copy()
    array.flags.writeable = False
    return array


def masked(**options: Any) -> Any:
    return np.ma.array([1, 2], mask=[False, True], **options)


PAIR = [("a", "i4"), ("b", "i4")]


def noted(unit: str) -> Any:
    return np.dtype("f8", metadata={"unit": unit})


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
        pytest.param(B, np.asfortranarray(B), id="order in memory"),
        pytest.param(B.T, np.ascontiguousarray(B.T), id="order of a view"),
        pytest.param(A[::2], A[::2].copy(), id="view with gaps"),
        pytest.param(A[::-1], A[::-1].copy(), id="view in reverse"),
        pytest.param(np.asfortranarray(B), np.asfortranarray(B.copy()[:, ::-1])[:, ::-1], id="another order"),
        pytest.param(A, read_only(A), id="read-only"),
        pytest.param(np.broadcast_to(A, (2, 6)), np.stack([A, A]), id="broadcast"),
        pytest.param(np.zeros(1), np.zeros(1, noted("m")), id="metadata or none"),
        pytest.param(np.zeros(1, noted("m")), np.zeros(1, noted("s")), id="metadata"),
        pytest.param(np.zeros(1, [("a", noted("m"))]), np.zeros(1, [("a", noted("s"))]), id="metadata of a field"),
        pytest.param(np.zeros(1, [("a", noted("m"), 2)]), np.zeros(1, [("a", "f8", 2)]), id="metadata of a subarray"),
        pytest.param(np.ma.array([1, 2], mask=[False, True]), np.ma.array([1, 2], mask=[True, False]), id="mask"),
        pytest.param(masked(), masked(hard_mask=True), id="hard mask"),
        pytest.param(masked(), masked(fill_value=7), id="fill value"),
        pytest.param(np.ma.array([1, 2]), np.ma.array([1, 2], mask=[False, False]), id="no mask"),
        pytest.param(np.zeros(1, PAIR), np.zeros(1, np.dtype(PAIR, align=True)), id="aligned fields"),
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
        pytest.param(A[1:], A[1:].copy(), id="views"),
        pytest.param(np.asfortranarray(B), np.asfortranarray(B), id="order of Fortran"),
        pytest.param(read_only(A), read_only(A), id="read-only"),
        pytest.param(np.zeros(1, noted("m")), np.zeros(1, noted("m")), id="metadata"),
        pytest.param(np.random.default_rng(1), np.random.default_rng(1), id="generators"),
        pytest.param(
            np.ma.array([1, 2], mask=[False, True]),
            np.ma.array([1, 2], mask=[False, True]),
            id="mask",
        ),
    ],
)
def test_same(one: Any, other: Any) -> None:
    assert fingerprint(one) == fingerprint(other)


def frames() -> list[Any]:
    import pandas as pd

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


@pytest.mark.libraries
def test_tables_differ_and_copies_do_not() -> None:
    prints = [fingerprint(frame) for frame in frames()]
    assert len(set(prints)) == len(prints)
    assert [fingerprint(frame.copy()) for frame in frames()] == prints


@pytest.mark.libraries
def test_how_a_table_was_built_does_not_count() -> None:
    import pandas as pd

    one = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    other = pd.DataFrame({"a": [1, 2]})
    other["b"] = [3, 4]
    assert fingerprint(one) == fingerprint(other)


OBSERVED = """\
import numpy as np
from kohaku_ast import MemoryCache, Pipeline, node

@node
def seen(x):
    unit = (x.dtype.metadata or {}).get("unit")
    return x.ravel(order="K").tolist(), x.flags.writeable, x.flags.c_contiguous, unit

b = np.arange(6).reshape(2, 3)
frozen = b.copy()
frozen.flags.writeable = False
arrays = [b, np.asfortranarray(b), frozen, b.T.copy().T, b.astype(np.dtype("i8", metadata={"unit": "m"}))]
kept = Pipeline([seen], cache=MemoryCache())
print([kept.run({"x": one}, "seen") == Pipeline([seen]).run({"x": one}, "seen") for one in arrays * 2])
"""


def test_a_cached_run_sees_what_a_fresh_one_sees(tmp_path: Any) -> None:
    (tmp_path / "flow.py").write_text(OBSERVED)
    done = subprocess.run(
        [sys.executable, "flow.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str([True] * 10)


@pytest.mark.libraries
def test_order_of_tensors() -> None:
    import torch

    images = torch.arange(24.0).reshape(1, 2, 3, 4)
    last = images.to(memory_format=torch.channels_last)
    assert fingerprint(images) != fingerprint(last) == fingerprint(last.clone())


@pytest.mark.libraries
def test_tensors() -> None:
    import torch

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


def test_a_file_in_memory_counts_by_its_mode(tmp_path: Path) -> None:
    A.tofile(tmp_path / "a")
    modes = [np.memmap(tmp_path / "a", A.dtype, mode) for mode in ("r", "r+", "c", "r+")]
    found = [fingerprint(one) for one in [A, *modes]]
    assert found[4] == found[2]
    assert len(set(found)) == 4
