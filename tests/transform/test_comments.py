"""What the comments of a script say of its lines."""

from __future__ import annotations

import pytest

from kohaku_ast.transform.find.comments import Comments, read_comments
from kohaku_ast.transform.find.source import Source


def comments_of(text: str) -> Comments:
    return read_comments(Source("script.py", text))


def help_of_last_line(text: str) -> str:
    source = Source("script.py", text)
    last = len(source.lines)
    return read_comments(source).help(last, last)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("lr = 1  # learning rate", "learning rate", id="behind the value"),
        pytest.param("lr = 1  #learning rate", "learning rate", id="no blank after the sign"),
        pytest.param("lr = 1  #: learning rate", "learning rate", id="Sphinx's sign"),
        pytest.param("# learning rate\nlr = 1", "learning rate", id="line above"),
        pytest.param("# the rate\n# of learning\nlr = 1", "the rate of learning", id="two lines"),
        pytest.param("# above\nlr = 1  # behind", "behind", id="behind wins over above"),
        pytest.param("lr = 1  # the rate  # noqa: E501", "the rate", id="note to a tool cut off"),
        pytest.param("lr = 1  # type: ignore  # the rate", "the rate", id="note to a tool first"),
        pytest.param("lr = 1  # see issue #12", "see issue #12", id="number sign in the text"),
        pytest.param("# sgd or adam\nopt = 1", "sgd or adam", id="words that parse"),
        pytest.param("# note: lower is better\nlr = 1", "note: lower is better", id="a colon"),
        pytest.param("# dropout (none)\np = 1", "dropout (none)", id="words and a bracket"),
        pytest.param("# if you change this:\nlr = 1", "if you change this:", id="an if in words"),
        pytest.param("# the rate\n# lr = 0.3\nlr = 1", "the rate", id="old code below the help"),
        pytest.param("# lr = 0.3\n# the rate\nlr = 1", "the rate", id="old code above the help"),
        pytest.param("s = '#no'  # yes", "yes", id="sign inside a string"),
        pytest.param("class A:\n    # the rate\n    lr = 1", "the rate", id="in a class"),
        pytest.param("lr = 1\r# the rate\rwd = 1", "the rate", id="old Mac line ends"),
        pytest.param("a = 1\x0c\n# the rate\nlr = 1", "the rate", id="form feed"),
    ],
)
def test_help(text: str, expected: str) -> None:
    assert help_of_last_line(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("lr = 1", id="no comment"),
        pytest.param("# about it all\n\nlr = 1", id="a blank line between"),
        pytest.param("# about wd\nwd = 1\nlr = 1", id="comment of the line before"),
        pytest.param("wd = 1  # decay\nlr = 1", id="comment behind the line before"),
        pytest.param("def f():\n    pass\n    # leftover\nlr = 1", id="comment of an inner block"),
        pytest.param("# ---- model ----\nlr = 1", id="section"),
        pytest.param("# -----\n# model\n# -----\nlr = 1", id="banner of three lines"),
        pytest.param("# lr = 0.3\nlr = 1", id="old assignment"),
        pytest.param("# model.train()\nlr = 1", id="old call"),
        pytest.param("# import torch\nlr = 1", id="old import"),
        pytest.param("# for x in y:\n#     print(x)\nlr = 1", id="old loop"),
        pytest.param("# cfg = dict(\n#     lr=1,\n# )\nlr = 1", id="old statement of three lines"),
        pytest.param("d = {\n    # 'wd': 0.1,\n    'lr': 1}", id="old entry"),
        pytest.param("# @decorated\nlr = 1", id="old decorator"),
        pytest.param("#!/usr/bin/env python3\nlr = 1", id="shebang"),
        pytest.param("# -*- coding: utf-8 -*-\nlr = 1", id="encoding, Emacs"),
        pytest.param("# vim: set fileencoding=utf-8 :\nlr = 1", id="encoding, Vim"),
        pytest.param("# coding=utf-8\nlr = 1", id="encoding, plain"),
        pytest.param("lr = 1  # noqa", id="noqa"),
        pytest.param("lr = 1  # noqa: E501, F401", id="noqa with codes"),
        pytest.param("lr = 1  # type: ignore[assignment]", id="type ignore"),
        pytest.param("lr = 1  # type: float", id="type comment"),
        pytest.param("lr = 1  # pragma: no cover", id="pragma"),
        pytest.param("# fmt: off\nlr = 1", id="formatter"),
        pytest.param("# pylint: disable=invalid-name\nlr = 1", id="pylint"),
        pytest.param("lr = 1  #@param {type: 'number'}", id="form of a notebook"),
        pytest.param("# In[3]:\nlr = 1", id="cell number"),
        pytest.param("lr = 1  # ---", id="only a line"),
        pytest.param("s = '''\n# text\n'''\nlr = 1", id="inside a string"),
    ],
)
def test_is_no_help(text: str) -> None:
    assert help_of_last_line(text) == ""


def test_help_of_several_lines_stands_behind_the_first_or_the_last() -> None:
    first = comments_of("text = (  # verse\n    'a'\n)  # end\n")
    last = comments_of("# above\ntext = (\n    'a'  # not this\n)  # verse\n")
    assert (first.help(1, 3), last.help(2, 4)) == ("verse", "verse")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("# ---- model ----\nx = 1", "model", id="dashes on both sides"),
        pytest.param("# === data ===\nx = 1", "data", id="equal signs"),
        pytest.param("#### data\nx = 1", "data", id="number signs"),
        pytest.param("### Data ###\nx = 1", "Data", id="number signs on both sides"),
        pytest.param("# --- data\nx = 1", "data", id="opening dashes"),
        pytest.param("# Data ------\nx = 1", "Data", id="closing dashes"),
        pytest.param("#----data----\nx = 1", "data", id="no blanks"),
        pytest.param("# -- data --\nx = 1", "data", id="short dashes on both sides"),
        pytest.param("# ── data ──\nx = 1", "data", id="box drawing"),
        pytest.param("# -----\n# data\n# -----\nx = 1", "data", id="three lines"),
        pytest.param("########\n# data #\n########\nx = 1", "data", id="box of number signs"),
        pytest.param("# -----\n# data\n\nx = 1", "data", id="line above the title only"),
        pytest.param("# Data\n# -----\nx = 1", "Data", id="underlined"),
        pytest.param("# %% Data\nx = 1", "Data", id="cell with a title"),
        pytest.param("# ## Data\nx = 1", "Data", id="heading of an exported notebook"),
        pytest.param("# ---- data: ----\nx = 1", "data", id="colon dropped"),
        pytest.param("# ---- a ----\ny = 1\n# ---- b ----\nx = 1", "b", id="the next section"),
        pytest.param("# ---- a ----\n\n\ny = 1\n\nx = 1", "a", id="blank lines do not end it"),
        pytest.param("# ---- a ----\nclass A:\n    x = 1", "a", id="reaches into a class"),
        pytest.param("# - a -\n# ---- b ----\nd = {\n  'x': 1}", "b", id="reaches into a literal"),
        pytest.param("# ---- a ----\ns = '''\nb\n'''\nx = 1", "a", id="over text at the margin"),
        pytest.param("# ---- a ----\nf(\n1)\nx = 1", "a", id="over brackets at the margin"),
        pytest.param(
            "# ---- a ----\nclass A:\n  # ---- b ----\n  y = 1\nx = 1", "a", id="inner ended"
        ),
        pytest.param("d = {\n  # ---- b ----\n  'x': 1}", "b", id="inside a literal"),
    ],
)
def test_section(text: str, expected: str) -> None:
    assert comments_of(text).section(text.count("\n") + 1) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("# model\nx = 1", id="plain comment"),
        pytest.param("# - one of a list\nx = 1", id="item of a list"),
        pytest.param("# -1 switches it off\nx = 1", id="negative number"),
        pytest.param("## model\nx = 1", id="two number signs"),
        pytest.param("# --lr sets it\nx = 1", id="an option"),
        pytest.param("# and so on...\nx = 1", id="three dots"),
        pytest.param("# C++ and C--\nx = 1", id="signs at the end of a word"),
        pytest.param("# -*- coding: utf-8 -*-\nx = 1", id="encoding"),
        pytest.param("x = 1  # ---- model ----", id="behind code"),
        pytest.param("s = '''\n# ---- a ----\n'''\nx = 1", id="inside a string"),
        pytest.param("# ---- a ----\ny = 1\n# --------\nx = 1", id="ended by a bare line"),
        pytest.param("# ---- a ----\ny = 1\n# %%\nx = 1", id="ended by a cell without title"),
        pytest.param("class A:\n  # ---- a ----\n  y = 1\nx = 1", id="ended with its class"),
        pytest.param("d = {\n  # ---- a ----\n  'y': 1,\n}\nx = 1", id="ended with its literal"),
        pytest.param("# --------\nx = 1", id="a bare line alone"),
        pytest.param("# --------\n# y = 3\nx = 1", id="old code under a line"),
        pytest.param("# ------ y = 3 ------\nx = 1", id="old code between lines"),
    ],
)
def test_is_no_section(text: str) -> None:
    assert comments_of(text).section(text.count("\n") + 1) == ""


def test_text_that_cannot_be_taken_apart_has_no_comments() -> None:
    comments = comments_of("x = (1  # open\n")
    assert (comments.help(1, 1), comments.section(1)) == ("", "")
