"""The grammar of targets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast.errors import UsageError
from kohaku_ast.transform.find.paths import join_path, last_name, split_default, split_path


@pytest.mark.parametrize(
    ("target", "steps"),
    [
        pytest.param("lr", ("lr",), id="name"),
        pytest.param("Args.lr", ("Args", "lr"), id="attribute"),
        pytest.param("cfg.opt.name", ("cfg", "opt", "name"), id="nested"),
        pytest.param("layers[0]", ("layers", 0), id="index"),
        pytest.param("layers[-1]", ("layers", -1), id="index from the end"),
        pytest.param("a[0].b[1]", ("a", 0, "b", 1), id="indices and names"),
        pytest.param('cfg["lr"]', ("cfg", "lr"), id="key in double quotes"),
        pytest.param("cfg['weight decay']", ("cfg", "weight decay"), id="key in single quotes"),
        pytest.param("cfg['a.b[0]']", ("cfg", "a.b[0]"), id="key that looks like a path"),
        pytest.param("cfg.weight-decay", ("cfg", "weight-decay"), id="key with a dash"),
        pytest.param("größe.é", ("größe", "é"), id="not ASCII"),
    ],
)
def test_paths(target: str, steps: tuple[str | int, ...]) -> None:
    assert split_path(target) == steps


@pytest.mark.parametrize(
    "target",
    [
        "",
        ".",
        ".lr",
        "a.",
        "a..b",
        "[0]",
        "a[",
        "a[]",
        "a[x]",
        "a]",
        "a[0]b",
        "3",
        "a b",
        "f(x",
        "f()",
    ],
)
def test_what_is_no_path(target: str) -> None:
    with pytest.raises(UsageError, match="is not a target"):
        split_path(target)


@pytest.mark.parametrize(
    ("target", "parts"),
    [
        ("main(epochs)", ("main", "epochs")),
        ("Model.__init__(dropout)", ("Model.__init__", "dropout")),
        ("main()", None),
        ("main", None),
        ("main(a, b)", None),
        ("(a)", None),
    ],
)
def test_defaults(target: str, parts: tuple[str, str] | None) -> None:
    assert split_default(target) == parts


@pytest.mark.parametrize(
    ("target", "last"),
    [("lr", "lr"), ("Args.lr", "lr"), ("--batch-size", "batch_size"), ("-l", "l"), ("a[0]", ""),
     ("f(n)", "n"), ("A.f(n)", "n"), ("f.n", "n")],
)  # fmt: skip
def test_last_names(target: str, last: str) -> None:
    assert last_name(target) == last


steps = st.lists(
    st.one_of(st.integers(-9, 9), st.text("ab.[]() -", min_size=1, max_size=5)), max_size=4
)


@given(steps)
def test_any_path_survives_being_written(rest: list[str | int]) -> None:
    path = ("x", *rest)
    assert split_path(join_path(path)) == path
