"""Candidates that a script gives: its targets, their values, its functions."""

from __future__ import annotations

from kogine.complete_files import Candidate, find_files
from kogine.complete_listing import Listing, Row, list_file, list_script
from kogine.script_command import split_override
from kogine.sort_words import accepted_by

from kohaku_ast.config.text_values import find_commas
from kohaku_ast.errors import KogineError, UsageError
from kohaku_ast.runner.launch import split_function
from kohaku_ast.transform.find.options import NO_OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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

    def _rows(self, typed: str) -> list[Row]:
        """Its own parameters, or those of the local module whose name *typed* starts with."""
        for name, path in self.listing.modules:
            if typed.startswith(f"{name}."):
                inner = _read(lambda: list_file(path))  # noqa: B023  # called at once
                return [row.inside(name) for row in inner.rows]
        return self.listing.rows

    def _find(self, target: str) -> Row | None:
        found = [row for row in self._rows(target) if target in (row.target, row.short)]
        exact = [row for row in found if row.target == target]
        return next(iter(exact or found), None)

    @staticmethod
    def _note(row: Row, text: str) -> str:
        """What to say of the value *text*."""
        return "default" if text == row.default else ""


NOTHING = Listing([], [], [])


def _read(listing: Callable[[], Listing]) -> Listing:
    try:
        return listing()
    except (KogineError, SyntaxError, ValueError, OSError):
        return NOTHING


def _spelled(row: Row, typed: str) -> str:
    """The shortest target of *row* that starts with *typed*, or ""."""
    return next((name for name in (row.short, row.target) if name.startswith(typed)), "")


def _split(typed: str) -> tuple[str, str | None]:
    """The target, and the value if there is a ``=``."""
    try:
        return split_override(typed)
    except UsageError:
        return typed, None
