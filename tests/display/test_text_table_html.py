"""What a notebook shows: tables of HTML, everything in them escaped."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from kohaku_ast import Config, Outcome, Script
from kohaku_ast.display.text import Group, html_table, short_repr
from kohaku_ast.runner.outcome import RunError

NASTY = "<script>alert('x')</script> & \"y\""


class Reader(HTMLParser):
    """Collects the cells row by row; fails at a tag that is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.seen.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_rows_come_out_as_they_went_in() -> None:
    groups = [Group("", (("a", "1"),)), Group("model", (("b", "2"),))]
    rows = Reader(html_table(("target", "value"), groups)).rows
    assert rows == [["target", "value"], ["a", "1"], ["model"], ["b", "2"]]


def test_everything_is_escaped() -> None:
    read = Reader(html_table((NASTY,), [Group(NASTY, ((NASTY,),))], NASTY, NASTY))
    assert read.rows == [[NASTY]] * 3
    assert "script" not in read.seen


class Broken:
    def __repr__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("value", "start", "most"),
    [
        pytest.param(0.1, "0.1", 3, id="number"),
        pytest.param("x" * 5000, "'xxx", 120, id="long text"),
        pytest.param(list(range(5000)), "[0, 1", 60, id="long list"),
        pytest.param(Broken(), "<Broken instance", 60, id="repr that raises"),
    ],
)
def test_values_are_short(value: object, start: str, most: int) -> None:
    assert short_repr(value).startswith(start)
    assert len(short_repr(value)) <= most


def test_outcome() -> None:
    outcome = Outcome("failed", None, {"lr": NASTY}, RunError("ValueError", "bad", ""), 1, 2.0, 4.5)
    read = Reader(outcome._repr_html_())
    assert read.rows == [
        ["name", "value"],
        ["value", "None"],
        ["outputs['lr']", repr(NASTY)],
        ["error", "ValueError: bad"],
    ]
    assert "failed, exit status 1, 2.5 s" in outcome._repr_html_()


def test_config() -> None:
    config = Config({"lr": 0.5}, args=[3], metadata={"note": NASTY}, origins={"lr": "c.py:1"})
    assert Reader(config._repr_html_()).rows == [
        ["name", "value", "from"],
        ["globals_dict"],
        ["lr", "0.5", "c.py:1"],
        ["metadata"],
        ["note", repr(NASTY), ""],
        ["args"],
        ["0", "3", ""],
    ]
    assert "empty" in Config()._repr_html_()


def test_parameters(tmp_path: Path) -> None:
    path = tmp_path / "s.py"
    path.write_text("# ---- model ----\nlr = 0.1  # a < b\nname = '<b>'\nhalf = lr / 2\n")
    parameters = Script(str(path)).parameters
    assert isinstance(parameters, tuple)
    assert repr(parameters).splitlines() == [
        "target  default  type   help   line",
        "",
        "# model",
        "lr      0.1      float  a < b  2",
        "name    '<b>'    str           3",
        "1 more: derived values, imports, functions and the rest",
    ]
    assert Reader(parameters._repr_html_()).rows == [
        ["target", "default", "type", "help", "line"],
        ["model"],
        ["lr", "0.1", "float", "a < b", "2"],
        ["name", "'<b>'", "str", "", "3"],
    ]


def test_no_parameters(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("")
    parameters = Script(str(tmp_path / "s.py")).parameters
    assert repr(parameters) == "nothing that can be overridden"
    assert "nothing that can be overridden" in parameters._repr_html_()
