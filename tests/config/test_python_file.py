"""Bare config files: which names of the file are overrides, and which may the script lack."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from kohaku_ast.config.config_files import load_config
from kohaku_ast.config.python_file import ModuleNames
from kohaku_ast.errors import ConfigError


def config_of(folder: Path, text: str, name: str = "cfg.py") -> Any:
    path = folder / name
    path.write_text(dedent(text))
    return load_config(str(path))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param("lr = 1", {"lr": 1}, id="plain assignment"),
        pytest.param("lr: float = 1", {"lr": 1}, id="annotated"),
        pytest.param("a = b = 2", {"a": 2, "b": 2}, id="chained"),
        pytest.param("a, *b = 1, 2, 3", {"a": 1, "b": [2, 3]}, id="star in an unpacking"),
        pytest.param("[a, (b, c)] = 1, (2, 3)", {"a": 1, "b": 2, "c": 3}, id="nested unpacking"),
        pytest.param("lr = 1\nlr += 1", {"lr": 2}, id="augmented"),
        pytest.param("if (n := 3) > 2:\n    pass", {"n": 3}, id="walrus in a condition"),
        pytest.param("x = [(n := i) for i in range(3)]", {"x": [0, 1, 2], "n": 2}, id="walrus in a comprehension"),
        pytest.param("if True:\n    lr = 1\nelse:\n    bs = 2", {"lr": 1}, id="the arm that ran"),
        pytest.param("try:\n    lr = 1\nfinally:\n    bs = 2", {"lr": 1, "bs": 2}, id="try and finally"),
        pytest.param("for i in (1, 2):\n    lr = i", {"lr": 2}, id="assigned in a loop"),
        pytest.param("with open(__file__) as f:\n    lr = 1", {"lr": 1}, id="assigned inside with"),
        pytest.param("match 3:\n    case n:\n        lr = 1", {"lr": 1}, id="assigned in a match"),
        pytest.param("_overrides = {'Args.depth': 9, '--lr': 1}", {"Args.depth": 9, "--lr": 1}, id="targets that are no names"),
        pytest.param("lr = 1\nx = lr\n_overrides = {'lr': 3}", {"lr": 3, "x": 1}, id="a helper's target again in _overrides"),
    ],
)  # fmt: skip
def test_names_that_are_overrides(tmp_path: Path, text: str, values: Any) -> None:
    assert dict(config_of(tmp_path, text).globals_dict) == values


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("lr: float", id="annotated without a value"),
        pytest.param("lr = 1\ndel lr", id="deleted"),
        pytest.param("import os", id="import"),
        pytest.param("import os as lr", id="import as"),
        pytest.param("from math import pi as lr, e", id="from import"),
        pytest.param("from math import *", id="star import"),
        pytest.param("for i, j in [(1, 2)]:\n    pass", id="loop variables"),
        pytest.param("with open(__file__) as f:\n    pass", id="name of with"),
        pytest.param(
            "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    pass", id="name of except"
        ),
        pytest.param(
            "match {'a': 1, 'b': 2}:\n    case {'a': n, **rest}:\n        pass", id="names of case"
        ),
        pytest.param("[i for i in range(3)]", id="comprehension variable"),
        pytest.param("_private = 1\n__author__ = 'me'", id="private names"),
        pytest.param("def _f(lr=1):\n    bs = 2", id="names inside a function"),
        pytest.param("class _A:\n    lr = 1", id="names inside a class"),
        pytest.param("_f = lambda: (n := 3)\n_f()", id="walrus inside a lambda"),
        pytest.param(
            "import types\ntypes.lr = 1\n_d = {}\n_d['lr'] = 1", id="attributes and items"
        ),
        pytest.param("", id="empty file"),
    ],
)
def test_names_that_are_none(tmp_path: Path, text: str) -> None:
    assert dict(config_of(tmp_path, text).globals_dict) == {}


def test_functions_classes_lambdas_partials_and_imported_objects_are_values(tmp_path: Path) -> None:
    config = config_of(
        tmp_path,
        """
        from functools import partial
        from math import sqrt
        def loss(x): return x + 1
        class Model: depth = 3
        act = lambda x: x * 2
        half = partial(loss, 3)
        root = sqrt
        import math
        backend = math
        """,
    )
    values = config.globals_dict
    assert list(values) == ["loss", "Model", "act", "half", "root", "backend"]
    assert (values["loss"](1), values["Model"].depth, values["act"](2)) == (2, 3, 4)
    assert (values["half"](), values["root"](9)) == (4, 3)
    assert config.optional == {"loss"}


@pytest.mark.parametrize(
    ("text", "optional"),
    [
        pytest.param("base = 5\nlr = base * 2", {"base"}, id="read at top level"),
        pytest.param("base = 5\ndef lr(): return base", {"base"}, id="read inside a function"),
        pytest.param("base = 5\nclass A: base = base", {"base"}, id="read in a class body"),
        pytest.param("base = 5\nlr = f'{base}'", {"base"}, id="read in an f-string"),
        pytest.param("base = 5\nlr = [i for i in range(3) if i < base]", {"base"}, id="read in a comprehension"),
        pytest.param("def f(x): return x\nlr = f(2)", {"f"}, id="a function that is called"),
        pytest.param("lr = 5", set(), id="only assigned"),
        pytest.param("lr = 5\nlr += 1", set(), id="only changed in place"),
        pytest.param("lr = 5\ndef f(lr): return lr", set(), id="a parameter of that name"),
        pytest.param("lr = 5\ndef f():\n    lr = 1\n    return lr", set(), id="a local of that name"),
        pytest.param("lr = 5\nx = [lr for lr in range(3)]", set(), id="a comprehension variable of that name"),
        pytest.param("def lss(n): return n and lss(n - 1)", set(), id="a function that only calls itself"),
        pytest.param("lr = 5\nx = dict(lr=1)", set(), id="a keyword of that name"),
        pytest.param("lr = 5\n_overrides = {'lr': lr}", set(), id="a target given in _overrides"),
    ],
)  # fmt: skip
def test_names_that_the_script_may_lack(tmp_path: Path, text: str, optional: Any) -> None:
    assert config_of(tmp_path, text).optional == optional


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("\n\nlr = 1", 3, id="its line"),
        pytest.param("lr = 1\nlr = 2\nlr += 1", 3, id="the last line that is sure to run"),
        pytest.param("if True:\n    lr = 1\nelse:\n    lr = 2", 2, id="the first of branches"),
        pytest.param("lr = 1\nif True:\n    lr = 2", 1, id="the sure one before branches"),
        pytest.param("@staticmethod\ndef lr(): pass", 2, id="the line of def"),
        pytest.param("(bs,\n lr) = 1, 2", 2, id="its own line in an unpacking"),
        pytest.param("x = 1\n_overrides = {\n'lr': 1}", 2, id="where _overrides stands"),
    ],
)
def test_origin_is_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, line: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cfg.py").write_text(text)
    assert load_config("cfg.py").origins["lr"] == f"cfg.py:{line}"
    assert load_config("./cfg.py").origins["lr"] == f"./cfg.py:{line}"


def test_reserved_names_fill_their_fields(tmp_path: Path) -> None:
    config = config_of(
        tmp_path,
        """
        _args = [1]
        _kwargs = {"n": 2}
        _argv = ("--x",)
        _metadata = {"note": "first"}
        _outputs = ["loss"]
        """,
    )
    assert (config.args, dict(config.kwargs), config.argv) == ((1,), {"n": 2}, ("--x",))
    assert (dict(config.metadata), config.outputs) == ({"note": "first"}, ("loss",))
    assert not config.globals_dict


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("x = 1\n_args = 3", ("cfg.py:2: _args is a list, got 3",), id="_args is a number"),
        pytest.param("_args = 'ab'", ("cfg.py:1: _args is a list, got 'ab'",), id="_args is a text"),
        pytest.param("_kwargs = [1]", ("cfg.py:1: _kwargs is a mapping",), id="_kwargs is a list"),
        pytest.param("_metadata = {1: 2}", ("cfg.py:1: _metadata is a mapping",), id="_metadata has a number as key"),
        pytest.param("_outputs = 'loss'", ("cfg.py:1: _outputs is a list",), id="_outputs is a text"),
        pytest.param("_overrides = [1]", ("cfg.py:1: _overrides is a dict",), id="_overrides is a list"),
        pytest.param("_overrides = {3: 1}", ("cfg.py:1: _overrides is a dict",), id="_overrides has a number as key"),
        pytest.param("_kwarg = {}", ("'_kwarg'", "Did you mean '_kwargs'?"), id="misspelt reserved name"),
        pytest.param("_swep = {}", ("'_swep'", "Did you mean '_sweep'?"), id="misspelt _sweep"),
        pytest.param("lr = 1\n_overrides = {'lr': 2}", ("cfg.py:2: 'lr' is in _overrides", "cfg.py:1"), id="a name and _overrides"),
        pytest.param("lr = (", ("is not Python", "line 1", "never closed"), id="syntax error"),
        pytest.param("lr = '\0'", ("is not Python", "null bytes"), id="null bytes"),
        pytest.param("return 1", ("is not Python", "outside function"), id="return outside a function"),
        pytest.param("def f():\n    1 / 0\nf()", ("raised an exception", "line 3", "line 2", "ZeroDivisionError"), id="exception"),
        pytest.param("import sys\nsys.exit(3)", ("raised an exception", "line 2", "SystemExit: 3"), id="sys.exit"),
        pytest.param("import kohakuengine", ("ModuleNotFoundError", "kogine config migrate"), id="KohakuEngine is not there"),
        pytest.param("from kohaku_ast import Config\nx = 1\nCONFIG = Config(args=3)", ("cfg.py:3: Config: args is a list",), id="our own error has the config's line"),
    ],
)  # fmt: skip
def test_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, words: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cfg.py").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config("cfg.py")
    assert [word for word in words if word not in str(caught.value)] == []
    assert "/kohaku_ast/" not in str(caught.value)


def test_what_the_config_reads_may_look_reserved(tmp_path: Path) -> None:
    assert dict(config_of(tmp_path, "_arg = 3\nlr = _arg").globals_dict) == {"lr": 3}


def test_text_with_a_coding_cookie_or_a_bom_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"# coding: latin-1\nname = '\xe9'\n")
    (tmp_path / "b.py").write_bytes(b"\xef\xbb\xbfname = 'x'\r\nlr = 1\r\n")
    assert load_config(str(tmp_path / "a.py")).globals_dict["name"] == "é"
    assert dict(load_config(str(tmp_path / "b.py")).globals_dict) == {"name": "x", "lr": 1}


def test_own_code_knows_imports() -> None:
    code = ModuleNames.of(
        "import a.b, c as d\nif 1:\n    from e import f\ndef g(): import h\n", "x"
    )
    assert code.imported == {"a", "d", "f"}
