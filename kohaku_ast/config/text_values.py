"""Text into a value: what ``lr=1e-3`` on a command line, or a cell of a table, means.

Pure functions that know nothing of where the text stood; every failure is a TextValueError.
On the warm start path: at import nothing but readings.py; what a rare reading needs, it imports.
"""

from __future__ import annotations

from kohaku_ast.readings import describe

TYPE_CHECKING = False  # typing's own constant would cost its import
if TYPE_CHECKING:
    from kohaku_ast.readings import Reading


class TextValueError(ValueError):
    """A text does not fit the reading of its parameter."""


class MemberName(str):
    """The name of a member of an enum that stands in the user's script.

    The class does not exist until the script runs: who binds the value takes the member then.
    """

    #: The class, as the script names it at module level: ``Mode``, ``Args.Mode``.
    class_text: str

    def __new__(cls, name: str = "", class_text: str = "") -> MemberName:
        """The *name* of a member of the class that the script calls *class_text*."""
        made = super().__new__(cls, name)
        made.class_text = class_text
        return made


def parse_value(text: str, reading: Reading, name: str = "NAME") -> object:
    """The one value that *text* is for *reading*; *name* is the target, for the message.

    A comma outside brackets and quotes is refused: it may mean a sweep or a tuple.
    """
    if find_commas(text):
        raise TextValueError(_two_meanings(text, reading, name))
    return parse_cell(text, reading)


def parse_cell(text: str, reading: Reading) -> object:
    """As parse_value, where a comma has one meaning only: a cell of a table, text in a file."""
    try:
        return _fit(text, reading)
    except _MISFITS:
        raise TextValueError(_expected(text, reading)) from None


def parse_as_is(text: str) -> object:
    """The Python literal that *text* is, else *text* itself; nothing is refused."""
    return _read_any(text, ("any",))


# What a reader, int() or literal_eval raises for text that is no such value; hostile text
# (thousands of brackets or signs) ends in the last two.
_MISFITS = (ValueError, TypeError, SyntaxError, OverflowError, MemoryError, RecursionError)


def _fit(text: str, reading: Reading) -> object:
    """The value, or one of _MISFITS without a message: only parse_cell knows the whole reading."""
    return _READERS[reading[0]](text, reading)


# --- one function a kind -------------------------------------------------------------------------

_TRUTH = {"true": True, "yes": True, "on": True, "1": True}
_TRUTH |= {"false": False, "no": False, "off": False, "0": False}
_NONE = ("None", "none", "null")

# Python refuses to print or read longer decimals; 1e999999999 would fill the memory.
_MOST_DIGITS = 4300


def _read_bool(text: str, reading: Reading) -> bool:
    word = text.strip().lower()
    if word not in _TRUTH:
        raise ValueError
    return _TRUTH[word]


def _read_int(text: str, reading: Reading) -> int:
    _refuse_foreign_digits(text)
    try:
        return int(text, 0)
    except ValueError:
        return _whole(text.strip())


def _whole(text: str) -> int:
    """``1e23`` and ``3.0`` as integers, exactly: a float would make 1e23 another number."""
    float(text)  # raises for what is no number at all
    mantissa, _, power = text.lower().replace("_", "").partition("e")
    units, _, decimals = mantissa.partition(".")
    number = int(units + decimals)
    shift = int(power or "0") - len(decimals)
    if number == 0 or shift == 0:
        return number
    if abs(shift) > _MOST_DIGITS:
        raise ValueError
    if shift > 0:
        return int(number * 10**shift)
    whole, rest = divmod(number, int(10**-shift))
    if rest:
        raise ValueError
    return whole


def _read_float(text: str, reading: Reading) -> float:
    _refuse_foreign_digits(text)
    try:
        return float(text)
    except ValueError:
        return float(int(text, 0))  # 0x10


def _read_complex(text: str, reading: Reading) -> complex:
    _refuse_foreign_digits(text)
    return complex(text)


def _refuse_foreign_digits(text: str) -> None:
    # int() reads the digits of every script; Python's own source does not.
    if not text.isascii():
        raise ValueError


def _read_str(text: str, reading: Reading) -> str:
    """*text*, without its quotes if all of it is one quoted Python string."""
    if text[:1] not in ("'", '"') or _quote_end(text, 0) != len(text):
        return text
    body = text[1:-1]
    if body.isprintable() and "\\" not in body and text[0] not in body:
        return body  # the usual case, without the cost of importing ast
    try:
        return str(_literal(text))
    except _MISFITS:
        return text


def _read_bytes(text: str, reading: Reading) -> bytes:
    value = _literal(text)
    if not isinstance(value, bytes):
        raise ValueError
    return value


def _read_any(text: str, reading: Reading) -> object:
    try:
        return _literal(text)
    except _MISFITS:
        return text


def _read_container(text: str, reading: Reading) -> object:
    kind = reading[0]
    made, accepted = _CONTAINERS[kind]
    if kind == "frozenset":
        text = text.strip().removeprefix("frozenset")  # frozenset({1}) has no literal of its own
    value = _literal(text)
    if value == {} and made in (set, frozenset):
        return made()
    if not isinstance(value, accepted):
        raise ValueError
    return made(value)


def _read_path(text: str, reading: Reading) -> object:
    import pathlib

    return getattr(pathlib, reading[1].rpartition(".")[2])(_read_str(text, reading))


def _read_optional(text: str, reading: Reading) -> object:
    return None if text.strip() in _NONE else _fit(text, reading[1])


def _read_union(text: str, reading: Reading) -> object:
    own = type(_read_any(text, reading)).__name__ if _is_literal(text) else ""
    # 1 is an int and 1.0 a float where both fit: the type that Python itself gives comes first.
    for inner in sorted(reading[1:], key=lambda inner: (inner[0] != own, _RANK.index(inner[0]))):
        try:
            return _fit(text, inner)
        except _MISFITS:
            continue
    raise ValueError


def _read_choice(text: str, reading: Reading) -> object:
    choices = reading[1]
    found = [choice for choice in choices if str(choice) == text]
    found = found or [choice for choice in choices if _means(text, choice)]
    if not found:
        raise ValueError
    return found[0]


def _means(text: str, choice: object) -> bool:
    """Whether *text*, read as the type of *choice*, is *choice*."""
    if choice is None:
        return text.strip() in _NONE
    try:
        return _fit(text, (type(choice).__name__,)) == choice
    except _MISFITS:
        return False


def _read_member(text: str, reading: Reading) -> MemberName:
    _, class_text, members = reading
    owner, _, member = text.strip().rpartition(".")
    if owner not in ("", class_text, class_text.rpartition(".")[2]) or not member.isidentifier():
        raise ValueError
    if members is not None and member not in members:
        raise ValueError
    return MemberName(member, class_text)


_CONTAINERS: dict[str, tuple[type, tuple[type, ...]]] = {
    "list": (list, (list, tuple)),
    "tuple": (tuple, (list, tuple)),
    "dict": (dict, (dict,)),
    "set": (set, (set, list, tuple)),
    "frozenset": (frozenset, (set, list, tuple)),
}
_READERS = {
    "bool": _read_bool,
    "int": _read_int,
    "float": _read_float,
    "complex": _read_complex,
    "literal": _read_choice,
    "enum": _read_member,
    **dict.fromkeys(_CONTAINERS, _read_container),
    "bytes": _read_bytes,
    "optional": _read_optional,
    "union": _read_union,
    "path": _read_path,
    "str": _read_str,
    "none": _read_any,
    "any": _read_any,
}
# In a union the strict kinds are asked first; every text is a path, a str or anything.
_RANK = tuple(_READERS)


# --- Python's own grammar ------------------------------------------------------------------------


def _literal(text: str) -> object:
    """What ``ast.literal_eval`` makes of *text*, else one of _MISFITS."""
    if "#" in _blank_quotes(text):
        raise ValueError  # 12#3 would be read as 12 and a comment
    import ast
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # '\d' or 1if would warn on the user's terminal
        value: object = ast.literal_eval(text)
    return value


def _is_literal(text: str) -> bool:
    try:
        _literal(text)
    except _MISFITS:
        return False
    return True


def find_commas(text: str) -> list[int]:
    """Where *text* has a comma outside brackets and quotes; an axis of a sweep is cut there.

    In text whose brackets do not pair (``:), ok``) a bracket encloses nothing.
    """
    if "," not in text:
        return []
    plain = _blank_quotes(text)
    depth, lowest, found = 0, 0, []
    for place, char in enumerate(plain):
        depth += (char in "([{") - (char in ")]}")
        lowest = min(lowest, depth)
        if char == "," and depth == 0:
            found.append(place)
    if depth or lowest:
        return [place for place, char in enumerate(plain) if char == ","]
    return found


def _blank_quotes(text: str) -> str:
    """*text* of the same length with every quoted part made blank."""
    if "'" not in text and '"' not in text:
        return text
    parts, place, unclosed = [], 0, ""
    while place < len(text):
        part = text[place]
        if part in "'\"" and part not in unclosed and _opens_quote(text, place):
            end = _quote_end(text, place)
            if end < 0:
                unclosed += part  # not looked for again: "\'\'\'..." would take quadratic time
            else:
                part = " " * (end - place)
        parts.append(part)
        place += len(part)
    return "".join(parts)


def _opens_quote(text: str, place: int) -> bool:
    """Whether the quote mark is none of a word's own, as in ``don't``."""
    before = text[max(0, place - 3) : place]
    prefix = before[len(before.rstrip("rbufRBUF")) :]
    rest = before[: len(before) - len(prefix)]
    return len(prefix) < 3 and not rest[-1:].isalnum()


def _quote_end(text: str, start: int) -> int:
    """Where the quoted string that opens at *start* is over, -1 if it is never closed."""
    mark = text[start] * (3 if text.startswith(text[start] * 3, start) else 1)
    place = start + len(mark)
    while place < len(text) and not text.startswith(mark, place):
        place += 2 if text[place] == "\\" else 1
    return place + len(mark) if place < len(text) else -1


# --- messages ------------------------------------------------------------------------------------


def _two_meanings(text: str, reading: Reading, name: str) -> str:
    textual = _takes_text(reading)
    if not textual and text.lstrip()[:1] in ("(", "[", "{"):
        return _expected(text, reading)  # [1, 2 without its end: the comma is not the mistake
    brief = text if len(text) <= 60 else text[:60] + "..."
    ways = f"`--sweep {name}={brief}` for a run with each value, `{name}=({brief})` for a tuple"
    if textual:
        ways += f", `{name}={brief!r}` (its quotes inside the shell's own) for one text"
    return f"expected one value ({describe(reading)}), got {brief!r} with a comma: write {ways}"


def _takes_text(reading: Reading) -> bool:
    """Whether a text with a comma could be the value."""
    if reading[0] in ("optional", "union"):
        return any(_takes_text(inner) for inner in reading[1:])
    return reading[0] in ("str", "path", "literal", "any", "none")


def _expected(text: str, reading: Reading) -> str:
    shown = repr(text) if len(text) <= 100 else f"{text[:100]!r}... ({len(text)} characters)"
    return f"expected {describe(reading)}, got {shown}{_suggest(text, reading)}"


def _suggest(text: str, reading: Reading) -> str:
    names = {name.lower(): name for name in _names(reading)}
    if not names or len(text) > 100:
        return ""
    import difflib

    near = difflib.get_close_matches(text.lower(), names, n=1)
    return f". Did you mean {names[near[0]]!r}?" if near else ""


def _names(reading: Reading) -> list[str]:
    """The words that would have been right."""
    if reading[0] == "literal":
        return [str(choice) for choice in reading[1]]
    if reading[0] == "enum":
        return list(reading[2] or ())
    inner = reading[1:] if reading[0] in ("optional", "union") else ()
    return [name for each in inner for name in _names(each)]
