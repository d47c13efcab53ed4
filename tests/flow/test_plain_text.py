"""Whatever a script prints, what is shown of it moves nothing on the screen."""

from __future__ import annotations

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast.display.text import cut, fitted, plain_line, width_of


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        pytest.param("loss 0.1", "loss 0.1", id="plain"),
        pytest.param("  indented  ", "  indented", id="blanks"),
        pytest.param("a\tb", "a b", id="tab"),
        pytest.param("\x1b[1;31mred\x1b[0m", "red", id="colours"),
        pytest.param("\x1b[38;2;1;2;3mred\x1b[m", "red", id="true colours"),
        pytest.param("\x1b[2K\x1b[1A\x1b[?25lup", "up", id="cursor"),
        pytest.param("\x9b31mred", "red", id="C1 introducer"),
        pytest.param("\x1b]0;title\x07text", "text", id="title"),
        pytest.param("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link", id="link"),
        pytest.param("\x1b]0;never ended", "", id="title without end"),
        pytest.param("\x1bPq#0\x1b\\x", "x", id="picture"),
        pytest.param("\x1b(Bx\x1b7\x1bMy", "xy", id="other escapes"),
        pytest.param("x\x1b", "x", id="cut escape"),
        pytest.param("x\x1b[3", "x", id="cut sequence"),
        pytest.param("10%\b\b\b20%", "20%", id="backspaces"),
        pytest.param("\b\bx", "x", id="backspaces at the start"),
        pytest.param("a\x00\x07\x7f\u200b\u202e\ufeffb", "ab", id="controls and invisible ones"),
        pytest.param("a\u2028b\xa0c", "a b c", id="blanks of Unicode"),
        pytest.param("学習率 é e\u0301", "学習率 é e\u0301", id="letters"),
        pytest.param(
            "\u2764\ufe0f\U0001f44d\U0001f3fd", "\u2764\U0001f44d", id="variants of emoji"
        ),
        pytest.param("x" * 9999, "x" * 500, id="long"),
    ],
)
def test_plain_line(text: str, plain: str) -> None:
    assert plain_line(text) == plain


_SEQUENCES = st.sampled_from(
    [
        "\x1b[",
        "\x1b]",
        "\x1b",
        "\x9b",
        "\x07",
        "\x1b\\",
        "31m",
        "2J",
        "\b",
        "\r",
        "\n",
        "漢",
        "e\u0301",
    ]
)


@given(st.lists(st.text(max_size=8) | _SEQUENCES, max_size=12).map("".join))
def test_whatever_is_printed_stays_on_one_line(text: str) -> None:
    plain = plain_line(text)
    assert not plain or plain.isprintable()
    assert "\x1b" not in plain
    assert plain_line(plain) == plain


@given(st.text(max_size=40).map(plain_line), st.integers(0, 30))
def test_fitted_text_has_its_width(text: str, width: int) -> None:
    assert width_of(fitted(text, width)) == width
    assert width_of(cut(text, width)) <= max(width, 0) or width_of(text) < width


@pytest.mark.parametrize(
    "text", ["漢字かな交じり文", "ascii only, long enough", "é" * 30, "\U0001f44d" * 9]
)
@pytest.mark.parametrize("width", range(1, 20))
def test_a_terminal_agrees_on_the_width(text: str, width: int) -> None:
    screen = pyte.Screen(40, 1)
    pyte.Stream(screen).feed(fitted(text, width) + "|")
    assert screen.cursor.x == width + 1
