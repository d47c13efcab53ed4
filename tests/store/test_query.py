"""The language of ``--where``: what fits, what does not, and that no text does anything else."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast.errors import UsageError
from kohaku_ast.store.query import MISSING, Query

RUN: dict[str, Any] = {
    "lr": 0.1, "bs": 32, "epochs": 3, "opt": "adam", "fp16": True, "ema": False, "seed": None,
    "layers": [64, 32], "model.lr": 0.01, "main(epochs)": 3, 'cfg["weight decay"]': 0.5,
    "layers[0]": 64, "--batch-size": 8, "val/loss": 0.3, "min:loss": 0.2, "min:val/loss": 0.25,
    "hparams:width": 5, "loss": math.nan, "acc": math.inf, "status": "failed", "tags": ["paper"],
    "seconds": 90.0, "started": "2026-11-21T12:44:53.143+00:00", "größe": 2, "zu groß": 4,
    "is_best": 1, "min": 7,
}  # fmt: skip


def fits(text: str) -> bool:
    return Query(text).matches(lambda name: RUN.get(name, MISSING))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("lr > 0.05", id="greater"),
        pytest.param("lr >= 0.1", id="at least"),
        pytest.param("bs < 33", id="less"),
        pytest.param("bs <= 32", id="at most"),
        pytest.param("bs == 32", id="equal"),
        pytest.param("bs == 32.0", id="equal, of another type"),
        pytest.param("bs != 31", id="not equal"),
        pytest.param("0.05 < lr < 0.2", id="chained"),
        pytest.param("0.05 < lr <= 0.1 != bs", id="chained, three"),
        pytest.param("lr < bs", id="two names"),
        pytest.param("opt == 'adam'", id="text"),
        pytest.param('opt == "adam"', id="text in other quotes"),
        pytest.param("opt < 'b'", id="texts have an order"),
        pytest.param("'da' in opt", id="part of a text"),
        pytest.param("opt in ('sgd', 'adam')", id="one of a tuple"),
        pytest.param("opt in ['sgd', 'adam']", id="one of a list"),
        pytest.param("bs not in (1, 2)", id="none of"),
        pytest.param("'paper' in tags", id="in a list of the run"),
        pytest.param("'x' not in tags", id="not in a list of the run"),
        pytest.param("layers == (64, 32)", id="a tuple equals a list"),
        pytest.param("layers == [64, 32]", id="a list"),
        pytest.param("layers < [64, 33]", id="lists have an order"),
        pytest.param("fp16 == True", id="true"),
        pytest.param("fp16", id="a name alone"),
        pytest.param("not ema", id="not of a name alone"),
        pytest.param("seed == None", id="None"),
        pytest.param("seed in (None, 1)", id="None in a tuple"),
        pytest.param("lr > 1 or bs == 32", id="or"),
        pytest.param("lr < 1 and bs == 32", id="and"),
        pytest.param("lr > 1 and bs == 1 or epochs == 3", id="and binds tighter"),
        pytest.param("not (lr > 1 or bs == 1)", id="parentheses"),
        pytest.param("not lr > 1", id="not binds less than a comparison"),
        pytest.param("lr > -1", id="negative"),
        pytest.param("lr > +1e-3", id="exponent and sign"),
        pytest.param("bs == 0x20", id="hexadecimal"),
        pytest.param("acc == inf", id="infinity"),
        pytest.param("lr > -inf", id="negative infinity"),
        pytest.param("loss != loss", id="nan"),
        pytest.param("model.lr == 0.01", id="a dotted name"),
        pytest.param("main(epochs) == 3", id="a default of a function"),
        pytest.param("main( epochs ) == 3", id="blanks in a name"),
        pytest.param("layers[0] == 64", id="an item"),
        pytest.param('cfg["weight decay"] == 0.5', id="an item by key"),
        pytest.param("cfg[ 'weight decay' ] == 0.5", id="an item in other quotes"),
        pytest.param("--batch-size == 8", id="an option"),
        pytest.param("`--batch-size` == 8", id="an option in backticks"),
        pytest.param("lr<1 and --batch-size<9", id="an option without blanks"),
        pytest.param("`val/loss` < 0.5", id="backticks"),
        pytest.param("`lr` == 0.1", id="backticks that nobody needs"),
        pytest.param("`zu groß` == 4 and größe == 2", id="letters of more than a byte"),
        pytest.param("größe == 2 and `val/loss` == 0.3", id="places behind such letters"),
        pytest.param("min:loss == 0.2", id="a statistic"),
        pytest.param("min:`val/loss` == 0.25", id="a statistic in backticks"),
        pytest.param("`min:val/loss` == 0.25", id="all of it in backticks"),
        pytest.param("hparams:width == 5", id="any prefix"),
        pytest.param("min == 7", id="a word that could be a prefix"),
        pytest.param("is_best == 1", id="a name that starts as a keyword"),
        pytest.param("seconds > 1m", id="a duration"),
        pytest.param("1.4m < seconds < 1h", id="durations"),
        pytest.param("seconds == 90s", id="seconds"),
        pytest.param("started > '2026-11-21'", id="a date is a text"),
        pytest.param("  lr == 0.1  ", id="blanks around"),
        pytest.param("lr == 0.1\nand\nbs == 32", id="lines"),
        pytest.param("missing > 1 or bs == 32", id="a missing name beside one that fits"),
        pytest.param(r"opt != 'a\d'", id="an escape that Python warns of"),
        pytest.param("lr == 0.1 # note", id="a comment"),
        pytest.param("True", id="a constant"),
    ],
)  # fmt: skip
def test_fits(text: str) -> None:
    assert fits(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("lr > 0.1", id="not greater"),
        pytest.param("lr != 0.1", id="equal after all"),
        pytest.param("missing > 1", id="missing"),
        pytest.param("missing == 1", id="missing is not equal"),
        pytest.param("missing != 1", id="missing is not unequal"),
        pytest.param("not missing == 1", id="not of what is missing"),
        pytest.param("not (missing > 1 and bs == 32)", id="not of a condition with it"),
        pytest.param("missing == None", id="missing is not None"),
        pytest.param("missing", id="missing alone"),
        pytest.param("not missing", id="not of it"),
        pytest.param("missing in (1, 2)", id="missing in a tuple"),
        pytest.param("missing not in (1, 2)", id="missing not in a tuple"),
        pytest.param("bs in (1, missing)", id="a tuple with what is missing"),
        pytest.param("bs == 32 and missing == 1", id="missing beside one that fits"),
        pytest.param("opt > 1", id="a text is not greater than a number"),
        pytest.param("opt < 1", id="nor less"),
        pytest.param("not opt > 1", id="nor not greater"),
        pytest.param("opt == 1", id="nor equal"),
        pytest.param("bs == '32'", id="a number is no text"),
        pytest.param("bs > '3'", id="a number has no order with a text"),
        pytest.param("seed > 1", id="None has no order"),
        pytest.param("seed < 1", id="None has no order, the other way"),
        pytest.param("loss > 0", id="nan is not greater"),
        pytest.param("loss == nan", id="nan is not equal"),
        pytest.param("1 in opt", id="a number in a text"),
        pytest.param("1 not in opt", id="a number not in a text"),
        pytest.param("opt in bs", id="in a number"),
        pytest.param("layers > 1", id="a list has no order with a number"),
        pytest.param("0.05 < lr < 0.1", id="the end of a chain"),
        pytest.param("'missing' == missing", id="a text with the name"),
    ],
)  # fmt: skip
def test_does_not_fit(text: str) -> None:
    assert not fits(text)


@pytest.mark.parametrize(
    ("text", "reason", "column"),
    [
        pytest.param("", "empty query", None, id="nothing"),
        pytest.param("lr = 3", "a comparison is written ==", 3, id="one ="),
        pytest.param("lr := 3", "a comparison is written ==", 3, id="a walrus"),
        pytest.param("(lr := 3) > 2", "a query assigns nothing", 1, id="a walrus in parentheses"),
        pytest.param("lr is None", "write ==", 3, id="is"),
        pytest.param("lr is not None", "write ==", 3, id="is not"),
        pytest.param("lr > 1 && bs > 2", "write and, or, not", 8, id="ampersands"),
        pytest.param("!fp16", "write and, or, not", 0, id="an exclamation mark"),
        pytest.param("lr + 1 > 2", "does not calculate", 0, id="a sum"),
        pytest.param("lr > 2 ** 9999", "does not calculate", 5, id="a power"),
        pytest.param("lr > -bs", "a sign belongs to a number", 6, id="a sign before a name"),
        pytest.param("lr > --5", "a sign belongs to a number", 6, id="two signs"),
        pytest.param("f()", "calls nothing", 0, id="a call"),
        pytest.param("__import__('os').system('true')", "calls nothing", 0, id="a famous call"),
        pytest.param("f(lr, bs) > 1", "calls nothing", 0, id="a call with two names"),
        pytest.param("f(a=lr) > 1", "calls nothing", 0, id="a call with a keyword"),
        pytest.param("f(*lr) > 1", "calls nothing", 0, id="a call with a star"),
        pytest.param("f(g(lr)) > 1", "calls nothing", 0, id="a call in a call"),
        pytest.param("lambda: 1", "no functions", 0, id="a function"),
        pytest.param("[x for x in lr]", "no such expression", 0, id="a comprehension"),
        pytest.param("lr if bs else 1", "no if", 0, id="a conditional"),
        pytest.param("f'{lr}' == 'a'", "no f-strings", 0, id="an f-string"),
        pytest.param("lr == {1: 2}", "no dicts", 6, id="a dict"),
        pytest.param("lr in {1, 2}", "written as a list", 6, id="a set"),
        pytest.param("lr[bs] > 1", "no such expression", 0, id="a computed item"),
        pytest.param("lr[1:2] > 1", "no such expression", 0, id="a slice"),
        pytest.param("lr == b'x'", "no bytes", 6, id="bytes"),
        pytest.param("lr == 1j", "no complex", 6, id="a complex number"),
        pytest.param("lr == ...", "no ellipsis", 6, id="an ellipsis"),
        pytest.param("'a'.join > 1", "no such expression", 0, id="an attribute of a text"),
        pytest.param("(lr > 1) == 2", "a condition is no value", 1, id="a condition as a value"),
        pytest.param("lr == (1 and 2)", "a condition is no value", 7, id="and as a value"),
        pytest.param("lr >", "not a query", None, id="half of a comparison"),
        pytest.param("(lr > 1", "never closed", 0, id="half of the parentheses"),
        pytest.param("lr > 1; bs", "not a query", 6, id="two statements"),
        pytest.param("import os", "not a query", 0, id="a statement"),
        pytest.param("lr > 'a", "not a query", 5, id="half of a text"),
        pytest.param("lr > `a", "not a query", 5, id="half of backticks"),
        pytest.param("lr > ``", "not a query", 5, id="empty backticks"),
        pytest.param("lr > 1\0", "not a query", None, id="a null character"),
        pytest.param("*lr", "not a query", None, id="a star"),
        pytest.param("await lr", "no such expression", 0, id="await"),
        pytest.param("lr == " + "9" * 5000, "", None, id="a number without end"),
        pytest.param("not " * 60 + "lr", "nested too deeply", None, id="sixty times not"),
        pytest.param("(" * 300 + "lr" + ")" * 300, "", None, id="many parentheses"),
        pytest.param("not " * 2400 + "lr", "", None, id="not without end"),
        pytest.param("lr > 1 and " * 2000 + "lr", "at most 10000", None, id="a text without end"),
    ],
)  # fmt: skip
def test_refused_with_its_place(text: str, reason: str, column: int | None) -> None:
    with pytest.raises(UsageError) as caught:
        Query(text)
    message = str(caught.value)
    assert reason.lower() in message.lower()
    if column is not None:
        line, mark = message.splitlines()[-2:]
        assert mark == " " * (column + 2) + "^"
        assert line == f"  {text}"


def test_place_in_a_long_text_is_within_the_part_that_is_shown() -> None:
    with pytest.raises(UsageError) as caught:
        Query("bs == 1 and " * 30 + "lr + 1 > 2 and " + "bs == 1 and " * 30 + "bs")
    line, mark = str(caught.value).splitlines()[-2:]
    assert line[mark.index("^") :].startswith("lr + 1 > 2")
    assert len(line) < 80


def test_names_have_their_places() -> None:
    assert Query("größe > 1 and `a b` < lr < min:loss").names == {
        "größe": 0, "a b": 14, "lr": 22, "min:loss": 27,
    }  # fmt: skip


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.lists(st.one_of(st.integers(), st.text(max_size=3)), max_size=3), st.just(MISSING),
)  # fmt: skip
PIECES = (
    "lr bs status model.lr main(epochs) min:loss `a b` --bs 1 -1 0.5 2m 'x' \"y\" None True inf nan ( ) [ ] , "
    "and or not in is == != < <= > >= = := + - * ** . : ; ` ' \" \\ # \n \t lambda if else for f() f(x) x[0] "
    "{ } {} @ ! ~ ... 1j b'x' f'{x}' __import__('os') await yield \0 é 1e999 0x 9m 99999999999999999999d"
)  # fmt: skip
WORDS = st.sampled_from(PIECES.split(" "))


def matched_or_refused(text: str, value: Any) -> None:
    try:
        query = Query(text)
    except UsageError:
        return
    assert query.matches(lambda name: value) in (True, False)


@given(st.text(), VALUES)
def test_any_text_matches_or_is_refused(text: str, value: Any) -> None:
    matched_or_refused(text, value)


@given(st.lists(WORDS, max_size=12), st.sampled_from(["", " "]), VALUES)
def test_any_words_match_or_are_refused(words: list[str], between: str, value: Any) -> None:
    matched_or_refused(between.join(words), value)


@given(st.lists(WORDS, max_size=8))
def test_nothing_of_the_text_is_evaluated(words: list[str]) -> None:
    """Names are asked for by text alone: an object that cannot be used is compared with nothing."""

    class Unusable:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    try:
        query = Query(" ".join(words))
    except UsageError:
        return
    query.matches(lambda name: Unusable())
