"""What completion needs of a script, read off its text and kept on disk. Nothing of it is run.

A script of 2,000 lines takes 190 ms to read, and 1 ms once it is kept.
"""

from __future__ import annotations

import marshal
import sys

from kohaku_ast.transform.program import cache
from kohaku_ast.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.transform.find.parameters import Parameter
    from kohaku_ast.value_types import Reading

FORMAT = 1
"""Grows with every change of what is stored."""
MOST_BYTES = 4 * 2**20
"""A larger file is data; to read it would keep the terminal waiting."""
_PATH_NAMES = ("path", "dir", "file", "folder", "root")


class Row:
    """One parameter, as completion shows it."""

    __slots__ = (
        "default", "is_choice", "is_listed", "is_number", "is_path", "short", "target", "text",
        "values",
    )  # fmt: skip

    def __init__(
        self,
        short: str,
        target: str,
        text: str,
        default: str,
        values: tuple[str, ...],
        is_listed: bool,
        is_choice: bool,
        is_number: bool,
        is_path: bool,
    ) -> None:
        self.short = short
        self.target = target
        #: Its default and what the script says of it.
        self.text = text
        #: The text that means its default; empty if there is none.
        self.default = default
        #: Texts that it may be given, its default first.
        self.values = values
        #: Whether it is a setting, which ``--inspect`` shows without ``--all``.
        self.is_listed = is_listed
        #: Whether *values* are all that it may be given.
        self.is_choice = is_choice
        self.is_number = is_number
        self.is_path = is_path

    def inside(self, module: str) -> Row:
        """As a parameter of *module*, for a script that imports it."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values |= {name: f"{module}.{values[name]}" for name in ("short", "target")}
        return Row(**values)


class Listing:
    """What can be named of one script."""

    __slots__ = ("functions", "modules", "rows")

    def __init__(
        self, rows: list[Row], functions: list[str], modules: list[tuple[str, str]]
    ) -> None:
        self.rows = rows
        #: The functions of the module: what can be an entrypoint.
        self.functions = functions
        #: Name and file of the local modules that it imports.
        self.modules = modules


def list_script(script: str, is_module: bool = False) -> Listing:
    """The Listing of *script*, as ``kogine run`` would find it.

    Raises a KogineError or SyntaxError if it cannot be read.
    """
    from kohaku_ast.runner.launch import find_to_read

    launch = find_to_read(script, is_module)
    if launch is None:
        return Listing([], [], [])
    return list_text(launch.data, launch.filename, launch.path0, launch.package)


def list_file(path: str) -> Listing:
    """The Listing of the module at *path*; raises SourceError or SyntaxError."""
    from kohaku_ast.runner.launch import Launch

    launch = Launch(path)
    return list_text(launch.data, launch.filename, launch.path0)


def list_text(data: bytes, filename: str, folder: str = "", package: str = "") -> Listing:
    """The Listing of a script whose bytes are *data*: from the cache, else made and kept there."""
    if len(data) > MOST_BYTES:
        return Listing([], [], [])
    what = (FORMAT, VERSION, sys.version, filename, folder, package)
    name = cache.content_key(what, data) + ".listing"
    try:
        return _loads(cache.load_bytes(name) or b"")
    except (ValueError, EOFError, TypeError):
        made = _listing(data, filename, folder, package)
    cache.store_bytes(name, _dumps(made))
    return made


def _dumps(listing: Listing) -> bytes:
    rows = [tuple(getattr(row, name) for name in Row.__slots__) for row in listing.rows]
    return marshal.dumps((rows, listing.functions, listing.modules))


def _loads(data: bytes) -> Listing:
    rows, functions, modules = marshal.loads(data)
    return Listing([Row(**dict(zip(Row.__slots__, row))) for row in rows], functions, modules)


def _listing(data: bytes, filename: str, folder: str, package: str) -> Listing:
    from kohaku_ast.transform.find.inspection import inspect_source
    from kohaku_ast.transform.find.modules import imported_modules
    from kohaku_ast.transform.find.parameters import find_functions
    from kohaku_ast.transform.find.source import decode

    found = inspect_source(decode(data, filename, folder, package))
    return Listing(
        [_row(one) for one in found.parameters if not one.refused],
        list(find_functions(found.source.tree)),
        [(one.name, one.path) for one in imported_modules(found.source)],
    )


def _row(parameter: Parameter) -> Row:
    from kohaku_ast.runner.script import one_line

    reading = parameter.reading
    choices, default = _choices(reading), _default(parameter)
    known = list(dict.fromkeys([default, *choices] if default else choices))
    kinds = _kinds(reading)
    return Row(
        short=parameter.short,
        target=parameter.target,
        default=default,
        text="  ".join(filter(None, [one_line(parameter.default), parameter.help])),
        values=tuple(text for text in known if _reads(text, reading)),
        is_listed=parameter.is_setting,
        is_choice=kinds <= {"bool", "literal", "enum", "none"} and bool(set(choices) - {"None"}),
        is_number=bool(kinds & {"int", "float"}),
        is_path="path" in kinds or ("str" in kinds and _is_path(parameter.target, default)),
    )


def _is_path(target: str, default: str) -> bool:
    """Whether the text is likely the path of a file."""
    return "/" in default or target.rstrip(")").lower().endswith(_PATH_NAMES)


def _kinds(reading: Reading) -> set[str]:
    """The kinds of values that fit; none stands for None."""
    if reading[0] == "optional":
        return {"none", *_kinds(reading[1])}
    if reading[0] == "union":
        return {kind for inner in reading[1:] for kind in _kinds(inner)}
    return {reading[0]}


def _choices(reading: Reading) -> list[str]:
    """The texts of the values that *reading* names one by one."""
    kind = reading[0]
    if kind == "bool":
        return ["True", "False"]
    if kind == "literal":
        return [str(value) for value in reading[1]]
    if kind == "enum":
        return list(reading[2] or ())
    if kind == "optional":
        return [*_choices(reading[1]), "None"]
    return [text for inner in reading[1:] for text in _choices(inner)] if kind == "union" else []


def _default(parameter: Parameter) -> str:
    """The text that means the default; empty if it is no literal or has no such text."""
    import ast

    written = parameter.default
    try:
        value = ast.literal_eval(written)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return ""
    texts = [value, repr(value)] if isinstance(value, str) else [written]
    fitting = [text for text in texts if _is_read_as(text, value, parameter.reading)]
    return fitting[0] if fitting and fitting[0].isprintable() and len(fitting[0]) < 200 else ""


def _is_read_as(text: str, value: object, reading: Reading) -> bool:
    from kohaku_ast.config.text_values import TextValueError, parse_value

    try:
        read = parse_value(text, reading)
    except TextValueError:
        return False
    return read == value and type(read) is type(value)


def _reads(text: str, reading: Reading) -> bool:
    """Whether *text* is taken as a value of *reading*."""
    from kohaku_ast.config.text_values import TextValueError, parse_value

    try:
        parse_value(text, reading)
    except TextValueError:
        return False
    return True
