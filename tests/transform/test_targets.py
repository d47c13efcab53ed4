"""The grammar of targets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast.errors import UsageError
from kohaku_ast.transform.find.module_targets import module_parameter
from kohaku_ast.transform.find.parameters import find_parameters
from kohaku_ast.transform.find.paths import join_path, last_name, split_default, split_path
from kohaku_ast.transform.find.source import decode
from kohaku_ast.transform.find.targets import Targets


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


@pytest.mark.parametrize(
    ("target", "reads"),
    [
        pytest.param("Args.lr", False, id="an attribute of the script's own class"),
        pytest.param("cfg.lr", False, id="an entry of the script's own dict"),
        pytest.param("hp.lr", True, id="a global of a module"),
    ],
)
def test_only_targets_of_modules_read_the_imported_files(
    target: str, reads: bool, tmp_path: Path
) -> None:
    (tmp_path / "hp.py").write_text("lr = 1\n")
    text = b"import hp\nclass Args:\n    lr = 1\ncfg = {'lr': 1}\n"
    source = decode(text, str(tmp_path / "s.py"))
    targets = Targets(source, find_parameters(source))
    module_parameter(source, targets, target)
    assert ("reach" in vars(targets)) is reads
