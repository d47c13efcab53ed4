"""Values from text: ``lr=1e-3`` on a command line, or a cell of a table or a data file.

Pure functions that do not know where the text is from; every failure is a TextValueError.
On the warm path: it imports cells.py alone, which imports nothing; a rare type imports what it
needs when it is read.
"""

from __future__ import annotations

from kohaku_ast.config.cells import (
    CellText,
    beyond_floats,
    find_commas,
    is_finite,
    literal,
    native,
    not_finite,
    quote_end,
    word_value,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.value_types import Reading


class TextValueError(ValueError):
    """A text is no value of its parameter's type."""


class MemberName(str):
    """The name of a member of an enum that the user's script defines.

    The class exists only once the script runs: the member is looked up then.
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

    Raises TextValueError, also for a comma outside brackets and quotes: it may mean a sweep or a
    tuple.
    """
    if find_commas(text):
        from kohaku_ast.config.misfits import two_meanings

        raise TextValueError(two_meanings(text, reading, name, _type_of))
    return parse_cell(text, reading)


def parse_cell(cell: object, reading: Reading) -> object:
    """The value of a cell of a table or a data file, where a comma has one meaning only.

    Plain text is read as parse_value does. Raises TextValueError.
    """
    try:
        return fit(cell, reading) if type(cell) is str else fit_cell(cell, reading)
    except MISFITS:
        from kohaku_ast.config.misfits import expected

        raise TextValueError(expected(cell, reading)) from None


def _type_of(text: str, reading: Reading) -> type | None:
    """The type of what *text* is for *reading*; None if it is nothing."""
    try:
        return type(fit(text, reading))
    except MISFITS:
        return None


def parse_as_is(text: str) -> object:
    """The value of *text* if it is a Python literal, else *text* itself; never raises."""
    return _read_any(text, ("any",))


EACH_KIND = (
    "any", "none", "bool", "int", "float", "complex", "str", "bytes", "list", "tuple", "dict",
    "set", "frozenset",
)  # fmt: skip
"""What ``read_every`` reads a text as."""


def read_every(cell: object) -> dict[str, object]:
    """Kind -> the value of *cell*, for each kind that it fits, and ``text``; for a parameter whose
    type only the running script knows.
    """
    from kohaku_ast.transform.program.bound_program import READ_LATER

    found: dict[str, object] = {READ_LATER: True, "text": str(native(cell))}
    for kind in EACH_KIND:
        try:
            found[kind] = parse_cell(cell, (kind,))
        except TextValueError:
            pass
    return found


# The exceptions of a reader, of int() and of literal_eval for text that is no such value; hostile
# text (thousands of brackets or signs) raises the last two.
MISFITS = (ValueError, TypeError, SyntaxError, OverflowError, MemoryError, RecursionError)


def fit(text: str, reading: Reading) -> object:
    """The value of *text*; raises one of MISFITS without a message, which parse_cell adds."""
    return _READERS[reading[0]](text, reading)


# --- one function a kind -------------------------------------------------------------------------

_TRUTH = {"true": True, "yes": True, "on": True, "1": True}


_TRUTH |= {"false": False, "no": False, "off": False, "0": False}


_NONE = ("None", "none", "null")


def none_word(value: object) -> str:
    """The word of *value*, a text or a cell, that may mean None: ``None``, ``none`` or ``null``;
    else empty.
    """
    if isinstance(value, CellText) and (value.is_quoted or value.is_null):
        return "None" if value.is_null else ""
    word = value.strip() if isinstance(value, str) else ""
    return word if word in _NONE else ""


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
    float(text)  # raises for text that is no number
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


def _read_number(text: str, reading: Reading) -> int | float:
    """An int, or a float if *text* is no whole number."""
    try:
        return _read_int(text, reading)
    except ValueError:
        found = _read_float(text, reading)
        if not is_finite(text, found):
            raise
        return found


def _read_float(text: str, reading: Reading) -> float:
    _refuse_foreign_digits(text)
    try:
        return float(text)
    except ValueError:
        # `.inf` is YAML's spelling; 0x10 is an int for Python.
        found = not_finite(text)
        return float(int(text, 0)) if found is None else found


def _read_complex(text: str, reading: Reading) -> complex:
    _refuse_foreign_digits(text)
    return complex(text)


def _refuse_foreign_digits(text: str) -> None:
    # int() reads the digits of every script; Python's own source does not.
    if not text.isascii():
        raise ValueError


def _read_str(text: str, reading: Reading) -> str:
    """*text*, without its quotes if all of it is one quoted Python string."""
    if text[:1] not in ("'", '"') or text[-1:] != text[0]:
        return text
    body = text[1:-1]
    if len(text) > 1 and body.isprintable() and "\\" not in body and text[0] not in body:
        return body  # the usual case, without the cost of importing ast
    if quote_end(text, 0) != len(text):
        return text
    try:
        return str(literal(text))
    except MISFITS:
        return text


def _read_bytes(text: str, reading: Reading) -> bytes:
    value = literal(text)
    if not isinstance(value, bytes):
        raise ValueError
    return value


def _read_any(text: str, reading: Reading) -> object:
    try:
        return literal(text)
    except MISFITS:
        return text


def _read_none(text: str, reading: Reading) -> object:
    """For a default of None: the words of YAML mean what they mean there, in any case."""
    found, value = word_value(text)
    return value if found else _read_any(text, reading)


def _read_unknown(text: str, reading: Reading) -> object:
    """For a default of which nothing is known: as for None, but ``none`` and ``null`` are texts:
    many settings have a choice of that name. The text 'false' would be true.
    """
    found, value = word_value(text)
    return value if found and value is not None else _read_any(text, reading)


def _read_class(text: str, reading: Reading) -> object:
    return literal(text)


def _read_inferred(text: str, reading: Reading) -> object:
    return None if text.strip() == "None" else fit(text, reading[1])


def _read_argument(text: str, reading: Reading) -> object:
    """The argument of the call that makes the default: the script's code makes the call."""
    return fit(text, reading[1])


def _read_date(text: str, reading: Reading) -> object:
    """The parts of an ISO date, time or datetime, or the tuple of parts that *text* is."""
    if text.lstrip()[:1] in ("(", "["):
        return fit(text, ("tuple",))
    import datetime

    made = getattr(datetime, reading[1]).fromisoformat(text.strip())
    if getattr(made, "tzinfo", None) is not None:
        raise ValueError  # the arguments of the call have no place for it
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    parts = [getattr(made, name) for name in names if hasattr(made, name)]
    while len(parts) > 3 and not parts[-1]:
        parts.pop()  # as somebody would write it
    return tuple(parts)


def _read_made(text: str, reading: Reading) -> object:
    """An object of one of Python's own classes."""
    from importlib import import_module

    module, _, name = reading[1].rpartition(".")
    made = getattr(import_module(module), name)
    if module == "datetime":
        made = made.fromisoformat
    try:
        return made(text.strip())
    except ArithmeticError:  # of decimal
        raise ValueError from None


def _read_container(text: str, reading: Reading) -> object:
    kind = reading[0]
    made, accepted = CONTAINERS[kind]
    if kind == "frozenset":
        text = text.strip().removeprefix("frozenset")  # frozenset({1}) has no literal of its own
    value = literal(text)
    if value == {} and made in (set, frozenset):
        return made()
    if not isinstance(value, accepted):
        raise ValueError
    return made(value)


def _read_path(text: str, reading: Reading) -> object:
    return make_path(_read_str(text, reading), reading)


def make_path(text: str, reading: Reading) -> object:
    """The path *text*, of the class that *reading* names."""
    import pathlib

    return getattr(pathlib, reading[1].rpartition(".")[2])(text)


def _read_optional(text: str, reading: Reading) -> object:
    return None if text.strip() in _NONE else fit(text, reading[1])


def _read_union(text: str, reading: Reading) -> object:
    own = type(_read_any(text, reading)).__name__ if _is_literal(text) else ""
    for inner in trial_order(reading, own):
        try:
            return fit(text, inner)
        except MISFITS:
            continue
    raise ValueError


def trial_order(union: Reading, own: str) -> list[Reading]:
    """The readings of *union*, in the order in which they are tried.

    *own*, the type of the text as a Python literal, comes first: where int and float both fit, 1 is
    an int and 1.0 a float.
    """
    return sorted(union[1:], key=lambda inner: (inner[0] != own, _RANK.index(inner[0])))


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
        return fit(text, (type(choice).__name__,)) == choice
    except MISFITS:
        return False


def _read_member(text: str, reading: Reading) -> MemberName:
    _, class_text, members = reading
    owner, _, member = text.strip().rpartition(".")
    if owner not in ("", class_text, class_text.rpartition(".")[2]) or not member.isidentifier():
        raise ValueError
    if members is not None and member not in members:
        raise ValueError
    return MemberName(member, class_text)


CONTAINERS: dict[str, tuple[type, tuple[type, ...]]] = {
    "list": (list, (list, tuple)),
    "tuple": (tuple, (list, tuple)),
    "dict": (dict, (dict,)),
    "set": (set, (set, list, tuple)),
    "frozenset": (frozenset, (set, list, tuple)),
}
_READERS = {
    "bool": _read_bool,
    "int": _read_int,
    "number": _read_number,
    "float": _read_float,
    "complex": _read_complex,
    "literal": _read_choice,
    "enum": _read_member,
    **dict.fromkeys(CONTAINERS, _read_container),
    "bytes": _read_bytes,
    "date": _read_date,
    "made": _read_made,
    "optional": _read_optional,
    "inferred": _read_inferred,
    "call": _read_argument,
    "union": _read_union,
    "path": _read_path,
    "str": _read_str,
    "class": _read_class,
    "none": _read_none,
    "any": _read_unknown,
    "below": _read_any,
}
# A union tries strict kinds first; every text is a path, a str or any value.
_RANK = tuple(_READERS)


def _is_literal(text: str) -> bool:
    try:
        literal(text)
    except MISFITS:
        return False
    return True


# --- cells of tables and data files, now that the type is known ----------------------------------


def fit_cell(cell: object, reading: Reading) -> object:
    """The value of *cell* for *reading*; raises one of MISFITS without a message."""
    kind = reading[0]
    if kind in ("none", "any", "class"):
        return _untyped_cell(cell, kind)
    if kind == "optional":
        return None if native(cell) is None else fit_cell(cell, reading[1])
    if kind in ("inferred", "call"):
        is_none = kind == "inferred" and none_word(cell) == "None"
        return None if is_none else fit_cell(cell, reading[1])
    if kind == "union":
        return _union_cell(cell, reading)
    if isinstance(cell, CellText):
        return _text_cell(cell, reading)
    return _container_cell(cell, reading)


def _finite(cell: object) -> object:
    """The value of *cell*; raises ValueError for a number in it that no float can hold."""
    if beyond_floats(cell):
        raise ValueError
    return native(cell)


def _untyped_cell(cell: object, kind: str = "any") -> object:
    value = _finite(cell)
    if not isinstance(value, str):
        return value
    if _is_quoted(cell) and kind != "class":
        return value
    # (1, 2) and 'x' are literals of Python that a data file does not have.
    return fit(value, (kind,))


def _is_quoted(cell: object) -> bool:
    return isinstance(cell, CellText) and cell.is_quoted


def _union_cell(cell: object, reading: Reading) -> object:
    for inner in trial_order(reading, type(_untyped_cell(cell)).__name__):
        try:
            return fit_cell(cell, inner)
        except MISFITS:
            continue
    raise ValueError


def _text_cell(cell: CellText, reading: Reading) -> object:
    kind, text = reading[0], str(cell)
    if kind == "literal":
        return _choice_cell(cell, reading)
    if cell.is_null:
        raise ValueError
    if cell.is_quoted and kind in ("str", "path"):
        return text if kind == "str" else make_path(text, reading)
    found = fit(text, reading)
    if kind == "float" and not is_finite(text, found):
        raise ValueError  # 1e999 of a data file is a mistake: inf has its own spelling
    return found


def _choice_cell(cell: CellText, reading: Reading) -> object:
    if native(cell) is None and None in reading[1]:
        return None
    exact = [choice for choice in reading[1] if str(choice) == cell]
    exact.sort(key=lambda choice: isinstance(choice, str) != cell.is_quoted)
    return exact[0] if exact else fit(str(cell), reading)


def _container_cell(cell: object, reading: Reading) -> object:
    made, accepted = CONTAINERS.get(reading[0], (list, ()))
    if reading[0] == "date":
        made, accepted = tuple, (list,)
    value = _finite(cell)
    if not isinstance(value, accepted):
        raise ValueError
    return made(value)
