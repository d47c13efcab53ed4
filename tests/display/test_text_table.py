"""Tables: aligned text for files, rich on a terminal."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import pytest

from kohaku_ast.display.text import Group, fit_widths, group_rows, plain_table, print_table

COLUMNS = ("target", "default")
GROUPS = [
    Group("", (("seed", "7"),)),
    Group("model", (("n_hidden", "6"), ("lr", "0.1" * 60))),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_columns_are_aligned_and_nothing_is_cut_off() -> None:
    assert plain_table(COLUMNS, GROUPS).splitlines() == [
        "target    default",
        "seed      7",
        "",
        "# model",
        "n_hidden  6",
        f"lr        {'0.1' * 60}",
    ]


def test_no_blanks_at_the_end_of_a_line() -> None:
    text = plain_table(("target", "help"), [Group("", (("lr", ""),))])
    assert text == "target  help\nlr\n"


def test_a_stream_that_is_no_terminal_gets_plain_text() -> None:
    stream = io.StringIO()
    print_table(COLUMNS, GROUPS, stream)
    assert stream.getvalue() == plain_table(COLUMNS, GROUPS)


def test_a_terminal_gets_its_own_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("LINES", "25")  # rich takes COLUMNS of a dumb terminal only with it
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    print_table(COLUMNS, GROUPS, stream)
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 50
    assert [line.split()[0] for line in lines if line.strip()][:4] == [
        "target",
        "seed",
        "#",
        "n_hidden",
    ]
    assert "\x1b" not in stream.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")


def test_text_in_square_brackets_is_no_markup() -> None:
    stream = Terminal()
    print_table(COLUMNS, [Group("", (("layers[0]", "[red]"),))], stream)
    assert "[red]" in stream.getvalue()


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        pytest.param(100, [5, 30, 20], id="enough room"),
        pytest.param(45, [5, 20, 20], id="the widest gives first"),
        pytest.param(25, [5, 10, 10], id="then both"),
        pytest.param(3, [4, 4, 4], id="never narrower than four"),
    ],
)
def test_widths_on_a_narrow_terminal(total: int, expected: list[int]) -> None:
    assert fit_widths([5, 30, 20], total) == expected


def test_a_long_heading_widens_no_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    print_table(COLUMNS, [Group("a title of many words", (("lr", "0.1"),))], stream)
    assert "a title of many words" in stream.getvalue()
    assert "lr      0.1" in re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue())


WIDE = [
    Group(
        "",
        (
            ("optimizer.momentum", "0.9", "how much of the last step stays in this one", "12"),
            (
                "lr",
                "'a-very-long-value-without-any-blank-in-it'",
                "see https://example.org/rate",
                "7",
            ),
        ),
    )
]


@pytest.mark.parametrize("width", [30, 45, 60, 72, 80, 100, 200])
def test_no_name_and_no_word_of_help_is_broken(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "COLUMNS": str(width),
        "LINES": "25",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }.items():
        monkeypatch.setenv(name, value)
    stream = Terminal()
    print_table(("target", "default", "help", "line"), WIDE, stream)
    words = stream.getvalue().split()
    for row in WIDE[0].rows:
        assert set((row[0] + " " + row[2]).split()) <= set(words)
    longest = max(map(len, stream.getvalue().splitlines()))
    assert longest <= max(width, 60), "wider than the terminal"


def test_names_get_lines_of_their_own_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COLUMNS": "48", "LINES": "25", "NO_COLOR": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    stream = Terminal()
    print_table(("target", "default", "help", "line"), WIDE, stream)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert "optimizer.momentum" in lines
    assert max(map(len, lines)) <= 48


def test_rows_of_one_heading_stand_together_in_order() -> None:
    rows = [("a", ("1",)), ("a", ("2",)), ("b", ("3",)), ("a", ("4",))]
    assert group_rows(rows) == [
        Group("a", (("1",), ("2",))),
        Group("b", (("3",),)),
        Group("a", (("4",),)),
    ]


def test_rich_is_not_imported_for_plain_text() -> None:
    code = (
        "import io, sys; from kohaku_ast.display.text import print_table;"
        "print_table(('a',), [], io.StringIO()); assert 'rich' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
