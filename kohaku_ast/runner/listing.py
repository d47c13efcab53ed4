"""Parameters as rows of a table, and the tuple of them that shows itself as one."""

from __future__ import annotations

from kohaku_ast.display.table import Group, Row, group_rows, html_table, plain_table
from kohaku_ast.readings import describe
from kohaku_ast.transform.find.parameters import Parameter

COLUMNS = ("target", "default", "type", "help", "line")


class Parameters(tuple[Parameter, ...]):
    """The parameters of a Script; what a person would tune is shown as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        table = plain_table(COLUMNS, self._groups()) if self._listed() else ""
        return "\n".join(filter(None, [table.rstrip("\n"), self._note()]))

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, self._groups(), note=self._note())

    def _listed(self) -> list[Parameter]:
        return [one for one in self if one.is_setting and not one.refused]

    def _groups(self) -> list[Group]:
        return group_rows([(one.section, as_row(one)) for one in self._listed()])

    def _note(self) -> str:
        hidden = len(self) - len(self._listed())
        more = f"{hidden} more: derived values, imports, functions and the rest"
        return more if hidden else "" if self else "nothing that can be overridden"


def as_row(parameter: Parameter) -> Row:
    """The cells of one parameter."""
    return (
        parameter.short,
        one_line(parameter.default),
        type_text(parameter),
        "; ".join(filter(None, [parameter.help, *notes(parameter)])),
        lines_of(parameter),
    )


def type_text(parameter: Parameter) -> str:
    """What a text value is read as; empty if anything fits."""
    return "" if parameter.reading[0] in ("any", "none") else describe(parameter.reading)


def lines_of(parameter: Parameter) -> str:
    """``12``, or ``12, also 40, 52`` if further definitions are replaced too."""
    also = ", ".join(map(str, parameter.also))
    return f"{parameter.line}, also {also}" if also else str(parameter.line)


def notes(parameter: Parameter) -> list[str]:
    """What ``--all`` adds to the help."""
    derived = parameter.derived_from and f"derived from {', '.join(parameter.derived_from)}"
    refused = parameter.refused and f"cannot be overridden: {parameter.refused}"
    return [note for note in (derived, refused) if note]


def one_line(text: str) -> str:
    """*text*, the rest of several lines as an ellipsis."""
    first, *rest = text.splitlines() or [""]
    if not rest:
        return first
    end = rest[-1].strip()
    return f"{first}…{end}" if end in ("}", "]", ")") else f"{first} …"
