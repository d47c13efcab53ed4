"""Cells: texts, lists and mappings of a data file before the type of the parameter is known.

``text_values.parse_cell`` reads a cell as the type of its parameter. On the warm path: this module
imports nothing at run time.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias


class CellText(str):
    """One scalar as written in its file, without its quotes."""

    __slots__ = ("is_null", "is_quoted")

    #: Whether it was in quotes: then it is text unless its parameter's type says otherwise.
    is_quoted: bool
    #: Whether it is null in its format: then it is no text, even for a parameter of type str.
    is_null: bool

    def __new__(cls, text: str = "", is_quoted: bool = False, is_null: bool = False) -> CellText:
        """*text* as a cell."""
        made = super().__new__(cls, text)
        made.is_quoted = is_quoted
        made.is_null = is_null
        return made


class CellList(list["Cell"]):
    """A list of cells."""

    __slots__ = ()


class CellMap(dict[str, "Cell"]):
    """A mapping of names to cells."""

    __slots__ = ()


Cell: TypeAlias = "CellText | CellList | CellMap"
"""Any value of a data file."""

_WORDS: dict[str, object] = {"true": True, "false": False, "null": None, "none": None, "~": None}
_NOT_FINITE = {
    "inf": "inf", "+inf": "inf", "-inf": "-inf", "nan": "nan",
    ".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan",
    "infinity": "inf", "-infinity": "-inf",
}  # fmt: skip


def native(cell: object) -> object:
    """The value of *cell* without a type: ``1e-3`` is a float, ``"1e-3"`` a text.

    Any other object is returned as it is.
    """
    if isinstance(cell, CellText):
        return str(cell) if cell.is_quoted else _plain(cell)
    if isinstance(cell, CellList):
        return [native(one) for one in cell]
    if isinstance(cell, CellMap):
        return {native(key): native(one) for key, one in cell.items()}
    return cell


def is_cell(value: object) -> bool:
    """Whether *value* is a cell, still to be read as the type of its parameter."""
    return isinstance(value, (CellText, CellList, CellMap))


def _plain(text: CellText) -> object:
    """The value of a word or number of YAML 1.2 or Python, else the text."""
    if text.is_null:
        return None
    word = text.lower()
    if word in _WORDS and text in (word, word.upper(), word.capitalize()):
        return _WORDS[word]
    found = not_finite(text)
    return _number(str(text)) if found is None else found


def not_finite(text: str) -> float | None:
    """The value of a spelling of inf or nan, as YAML, TOML, JSON or Python write them; else
    None.
    """
    word = _NOT_FINITE.get(text.strip().lower())
    return None if word is None else float(word)


def is_finite(text: str, number: object) -> bool:
    """Whether *number*, read from *text*, is as far from infinity as its text is: 1e999 is not."""
    return number not in (float("inf"), float("-inf")) or not_finite(text) is not None


def beyond_floats(cell: object) -> str:
    """The first number in *cell* that no float can hold, as written: ``1e999``; else empty."""
    if isinstance(cell, CellText):
        return "" if is_finite(str(cell), native(cell)) else str(cell)
    parts = cell.values() if isinstance(cell, CellMap) else cell if is_cell(cell) else ()
    return next(filter(None, map(beyond_floats, parts)), "")  # type: ignore[call-overload]


def beyond(number: str) -> str:
    """The message for a *number* that no float can hold."""
    return f"no float holds {number}. Infinity is written inf (in JSON, Infinity)"


def word_value(text: str) -> tuple[bool, object]:
    """Whether *text* is one of YAML's words (true, false, null, none, inf, nan), in any case, and
    its value.
    """
    word = text.strip().lower()
    if word in _WORDS and word != "~":
        return True, _WORDS[word]
    found = None if "infinity" in word else not_finite(word)
    return found is not None, found


def _number(text: str) -> object:
    """The number that *text* is in Python's grammar, else *text*: ``007`` is no number."""
    if not text.isascii() or text != text.strip():
        return text  # int() reads the digits of every script, and blanks around them
    try:
        return int(text, 0)
    except ValueError:
        pass
    is_padded = text.lstrip("+-").replace("_", "").isdigit()
    try:
        return text if is_padded else float(text)
    except ValueError:
        return text


def literal(text: str) -> object:
    """The value of the Python literal *text*; raises as ``ast.literal_eval`` does."""
    import ast
    import warnings

    if "#" in blank_quotes(text):
        raise ValueError  # 12#3 would be read as 12 and a comment
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # '\d' or 1if would warn on the user's terminal
        value: object = ast.literal_eval(text)
    return value


def find_commas(text: str) -> list[int]:
    """The places of commas outside brackets and quotes: they separate the values of an axis.

    In text whose brackets do not pair (``:), ok``) a bracket encloses nothing.
    """
    if "," not in text:
        return []
    plain = blank_quotes(text)
    depth, lowest, found = 0, 0, []
    for place, char in enumerate(plain):
        depth += (char in "([{") - (char in ")]}")
        lowest = min(lowest, depth)
        if char == "," and depth == 0:
            found.append(place)
    if depth or lowest:
        return [place for place, char in enumerate(plain) if char == ","]
    return found


def split_at_commas(text: str) -> list[str]:
    """The parts of *text* between the commas that find_commas finds, without blanks around them."""
    from itertools import pairwise

    ends = [-1, *find_commas(text), len(text)]
    return [text[start + 1 : end].strip() for start, end in pairwise(ends)]


def blank_quotes(text: str) -> str:
    """*text* with blanks in place of every quoted part, of the same length."""
    if "'" not in text and '"' not in text:
        return text
    parts, place, unclosed = [], 0, ""
    while place < len(text):
        part = text[place]
        if part in "'\"" and part not in unclosed and _opens_quote(text, place):
            end = quote_end(text, place)
            if end < 0:
                unclosed += part  # not looked for again: "\'\'\'..." would take quadratic time
            else:
                part = " " * (end - place)
        parts.append(part)
        place += len(part)
    return "".join(parts)


def _opens_quote(text: str, place: int) -> bool:
    """Whether the quote mark opens a string, unlike the one of ``don't``."""
    before = text[max(0, place - 3) : place]
    prefix = before[len(before.rstrip("rbufRBUF")) :]
    rest = before[: len(before) - len(prefix)]
    return len(prefix) < 3 and not rest[-1:].isalnum()


def quote_end(text: str, start: int) -> int:
    """The end of the quoted string that opens at *start*; -1 if it is never closed."""
    mark = text[start] * (3 if text.startswith(text[start] * 3, start) else 1)
    place = start + len(mark)
    while place < len(text) and not text.startswith(mark, place):
        place += 2 if text[place] == "\\" else 1
    return place + len(mark) if place < len(text) else -1
