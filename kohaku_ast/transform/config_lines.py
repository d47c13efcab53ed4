"""How a config file that we write looks: lines with their help, grouped by section."""

from __future__ import annotations

import keyword
from collections.abc import Sequence
from dataclasses import dataclass

_NOT_BARE = ("config_gen", "CONFIG")
"""Names with a meaning of their own at the top of a config file."""
_LONGEST = 100  # a longer line has its help above it


@dataclass(frozen=True)
class Line:
    """One value as it stands in the file."""

    target: str
    #: The value as Python source.
    text: str
    #: Why it is commented out; empty if it is in force.
    reason: str = ""
    help: str = ""
    section: str = ""
    #: Whether it is no override, but a name that other values read.
    is_helper: bool = False


def is_bare(target: str) -> bool:
    """Whether *target* can be assigned by its name at the top of a config file."""
    is_name = target.isidentifier() and not keyword.iskeyword(target)
    return is_name and not target.startswith("_") and target not in _NOT_BARE


def config_rows(lines: Sequence[Line]) -> list[str]:
    """The rows of a file with *lines*: names by assignment, other targets in ``_overrides``."""
    bare = [one for one in lines if one.is_helper or is_bare(one.target)]
    others = [one for one in lines if one not in bare]
    rows = _rows(bare, "{name} = {value}", "")
    if others:
        rows += ["", "_overrides = {", *_rows(others, "{quoted}: {value},", "    "), "}"]
    return rows


def quoted(target: str) -> str:
    """*target* as a literal, in the quotes that are usual."""
    return repr(target) if '"' in target or "\\" in target else f'"{target}"'


def _rows(lines: Sequence[Line], shape: str, indent: str) -> list[str]:
    """The lines as text, each section under its comment."""
    rows: list[str] = []
    section = None
    for one in lines:
        if one.section != section:
            section = one.section
            rows += [] if indent and not rows else [""]
            rows += [f"{indent}# ---- {section} ----"] if section else []
        rows += [(indent + row).rstrip() for row in _row(one, shape)]
    return rows


def _row(line: Line, shape: str) -> list[str]:
    note = f"{line.help} [{line.reason}]".strip() if line.reason else line.help
    code = shape.format(name=line.target, quoted=quoted(line.target), value=line.text)
    rows = [f"# {row}" if line.reason else row for row in code.split("\n")]
    if not note:
        return rows
    if len(rows) == 1 and len(rows[0]) + len(note) + 8 <= _LONGEST:
        return [f"{rows[0]}  # {note}"]
    return [f"# {note}", *rows]
