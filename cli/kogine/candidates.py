"""Candidates that a script gives: its targets, their values, its functions.

A script of 2,000 lines takes 190 ms to read, and 1 ms once it is kept.
"""

from __future__ import annotations

import marshal
import sys

from kogine.option_types import Candidate, find_files
from kogine.script_command import split_override
from kogine.sort_words import accepted_by

from kohaku_ast.config.text_values import find_commas
from kohaku_ast.errors import KogineError, UsageError
from kohaku_ast.runner.launch import split_function
from kohaku_ast.transform.find.accepted_options import NO_OPTIONS
from kohaku_ast.transform.program import cache
from kohaku_ast.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kohaku_ast.transform.find.parameters import Parameter
    from kohaku_ast.value_types import Reading


FORMAT = 1
"""Grows with every change of what is stored."""
MOST_BYTES = 4 * 2**20
"""A larger file is data; to read it would keep the terminal waiting."""
_PATH_NAMES = ("path", "dir", "file", "folder", "root")


class ListedTarget:
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

    def inside(self, module: str) -> ListedTarget:
        """As a parameter of *module*, for a script that imports it."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values |= {name: f"{module}.{values[name]}" for name in ("short", "target")}
        return ListedTarget(**values)


class Listing:
    """What can be named of one script."""

    __slots__ = ("functions", "modules", "rows")

    def __init__(
        self, rows: list[ListedTarget], functions: list[str], modules: list[tuple[str, str]]
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
    rows = [tuple(getattr(row, name) for name in ListedTarget.__slots__) for row in listing.rows]
    return marshal.dumps((rows, listing.functions, listing.modules))


def _loads(data: bytes) -> Listing:
    rows, functions, modules = marshal.loads(data)
    return Listing(
        [ListedTarget(**dict(zip(ListedTarget.__slots__, row))) for row in rows], functions, modules
    )


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


def _row(parameter: Parameter) -> ListedTarget:
    from kohaku_ast.runner.script import one_line

    reading = parameter.reading
    choices, default = _choices(reading), _default(parameter)
    known = list(dict.fromkeys([default, *choices] if default else choices))
    kinds = _kinds(reading)
    return ListedTarget(
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


_FORMS = {
    "range:": "range:0:10:2, its end left out",
    "linspace:": "linspace:0:1:5, both ends",
    "geomspace:": "geomspace:1e-5:1e-1:5, both ends",
    "choice:": "choice:a:b",
    "uniform:": "uniform:0:1, random",
    "loguniform:": "loguniform:1e-5:1e-1, random",
    "randint:": "randint:0:10, random, its end left out",
    "normal:": "normal:0:1, random",
}
"""How an axis of numbers may start."""


class Scripted:
    """What the script of a command line offers; nothing if there is none that can be read."""

    def __init__(
        self,
        script: str,
        is_module: bool = False,
        given: Sequence[str] = (),
        swept: Sequence[str] = (),
    ) -> None:
        """*given* are the overrides and axes that the command line already has, *swept* the axes
        among them.
        """
        self.given = {_split(one)[0] for one in given}
        self.swept = swept
        self.accepted = NO_OPTIONS
        self.listing = NOTHING
        if script:
            self.listing = _read(lambda: list_script(split_function(script)[0], is_module))
            self.accepted = accepted_by([script], is_module, is_unfinished=True)

    def accepts(self, name: str) -> bool:
        """Whether the script itself has the option *name*."""
        return self.accepted.find(name, abbreviations=False) is not None

    def functions(self, typed: str) -> list[Candidate]:
        """The functions whose names start with *typed*."""
        return [(name, "", True) for name in self.listing.functions if name.startswith(typed)]

    def assignments(self, typed: str) -> list[Candidate]:
        """``TARGET=``, or its values once that is there."""
        target, value = _split(typed)
        if value is None:
            return [self._named(name, shown) for name, shown in self._targets(typed)] + [
                (f"{name}.", f"module {path}", False)
                for name, path in self.listing.modules
                if typed and name.startswith(typed)
            ]
        row = self._find(target)
        if row is None:
            return []
        found = [(text, self._note(row, text), row.is_choice) for text in row.values]
        found = [one for one in found if one[0].startswith(value)]
        if row.is_path:
            known = {text for text, _, _ in found}
            found += [one for one in find_files(value) if one[0] not in known]
        return [(f"{target}={text}", shown, done) for text, shown, done in found]

    def axes(self, typed: str) -> list[Candidate]:
        """``TARGET=``, or the values of an axis, the last of which is not finished."""
        target, axis = _split(typed)
        row = None if axis is None else self._find(target)
        if row is None or axis is None:
            return [] if axis is not None else self.assignments(typed)
        cut = find_commas(axis)[-1] + 1 if find_commas(axis) else 0
        used = axis[:cut].split(",")
        found = [(text, self._note(row, text)) for text in row.values if text not in used]
        if row.is_choice and not cut:
            found.insert(0, (",".join(row.values), "all of them"))
        if row.is_number:
            found += _FORMS.items()
        kept = f"{target}={axis[:cut]}"
        return [(kept + text, shown, False) for text, shown in found if text.startswith(axis[cut:])]

    def _named(self, name: str, shown: str) -> Candidate:
        """``TARGET=``; an option of the script that takes no value is finished."""
        option = self.accepted.find(name, abbreviations=False) if name.startswith("-") else None
        is_flag = option is not None and option.width == 0
        return (name if is_flag else f"{name}=", shown, is_flag)

    def options(self, typed: str) -> list[Candidate]:
        """The script's own options that start with *typed*, with ``=`` where one takes a value."""
        offered = {name.removesuffix("=") for name, _, _ in self.assignments(typed)}
        own = [(name, one) for one in self.accepted.options for name in one.names]
        fitting = [(name, one) for name, one in own if name.startswith(typed)]
        return [
            (name if one.width == 0 or name[:2] != "--" else f"{name}=", "", one.width == 0)
            for name, one in fitting
            if name not in offered and name not in ("-h", "--help")
        ]

    def names(self, typed: str) -> list[Candidate]:
        """The last of a list of targets, at first those that the command line sweeps."""
        kept, comma, last = typed.rpartition(",")
        swept = [(target, f"sweeps {axis}") for target, axis in map(_split, self.swept)]
        known = [one for one in swept if one[0].startswith(last)] or self._targets(last)
        used = kept.split(",")
        return [(f"{kept}{comma}{name}", shown, False) for name, shown in known if name not in used]

    def _targets(self, typed: str) -> list[tuple[str, str]]:
        """The targets that start with *typed*; those of no setting only if no setting's does."""
        rows = [row for row in self._rows(typed) if not self.given & {row.short, row.target}]
        fitting = [(row, _spelled(row, typed)) for row in rows]
        found = [(row, name) for row, name in fitting if name]
        listed = [one for one in found if one[0].is_listed]
        return [(name, row.text) for row, name in listed or (found if typed else [])]

    def _rows(self, typed: str) -> list[ListedTarget]:
        """Its own parameters, or those of the local module whose name *typed* starts with."""
        for name, path in self.listing.modules:
            if typed.startswith(f"{name}."):
                inner = _read(lambda: list_file(path))  # noqa: B023  # called at once
                return [row.inside(name) for row in inner.rows]
        return self.listing.rows

    def _find(self, target: str) -> ListedTarget | None:
        found = [row for row in self._rows(target) if target in (row.target, row.short)]
        exact = [row for row in found if row.target == target]
        return next(iter(exact or found), None)

    @staticmethod
    def _note(row: ListedTarget, text: str) -> str:
        """What to say of the value *text*."""
        return "default" if text == row.default else ""


NOTHING = Listing([], [], [])


def _read(listing: Callable[[], Listing]) -> Listing:
    try:
        return listing()
    except (KogineError, SyntaxError, ValueError, OSError):
        return NOTHING


def _spelled(row: ListedTarget, typed: str) -> str:
    """The shortest target of *row* that starts with *typed*, or ""."""
    return next((name for name in (row.short, row.target) if name.startswith(typed)), "")


def _split(typed: str) -> tuple[str, str | None]:
    """The target, and the value if there is a ``=``."""
    try:
        return split_override(typed)
    except UsageError:
        return typed, None
