"""Parameters: the tuple that shows itself as a table."""

from __future__ import annotations

from kohaku_ast.display.html import html_table
from kohaku_ast.display.table import Group, Row, group_rows, plain_table
from kohaku_ast.readings import describe
from kohaku_ast.transform.parameters import Parameter

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
        return group_rows([(one.section, _row(one)) for one in self._listed()])

    def _note(self) -> str:
        hidden = len(self) - len(self._listed())
        more = f"{hidden} more: derived values, imports, functions and the rest"
        return more if hidden else "" if self else "nothing that can be overridden"


def _row(one: Parameter) -> Row:
    default = " ".join(one.default.split())
    type_ = "" if one.reading[0] in ("any", "none") else describe(one.reading)
    return one.short, default, type_, one.help, str(one.line)
