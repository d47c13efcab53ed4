"""``freeze``: values written into the definitions of a script, so that it needs no Config."""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping
from dataclasses import replace

from kohaku_ast.errors import FreezeError
from kohaku_ast.transform.compile import prove
from kohaku_ast.transform.deep import with_room
from kohaku_ast.transform.own_names import path_name, redefined
from kohaku_ast.transform.parameters import Parameter
from kohaku_ast.transform.plan import Plan, make_plan
from kohaku_ast.transform.request import Request
from kohaku_ast.transform.rules.frozen_path import frozen_path
from kohaku_ast.transform.sites import Edit, Site, fill
from kohaku_ast.transform.source import Source
from kohaku_ast.transform.value_text import LiteralError, in_encoding, literal

_UNKNOWN_PATH = (
    "the text does not tell whether it is an item or an attribute of what is bound there. "
    "Write the assignment into the script, or override the whole name"
)
_LAST_LINE = 10**9


def freeze(
    source: Source,
    request: Request,
    values: Mapping[str, object],
    added: Mapping[str, object] | None = None,
) -> str:
    """The text of *source* with *values* (by full target) in their definitions.

    *added* are globals that the script does not define. Raises FreezeError with every value
    that cannot be written, the errors of ``make_plan``, and TransformError.
    """
    return with_room(lambda: _frozen(source, request, values, added or {}), source.filename)


def _frozen(
    source: Source, request: Request, values: Mapping[str, object], added: Mapping[str, object]
) -> str:
    writer = _Writer(source, values)
    plan = make_plan(source, request, writer.text)
    edits = [*writer.additions(added), *writer.with_paths(plan)]
    writer.refuse()
    return prove(source, edits).text


class _Writer:
    """Writes values one by one and keeps what cannot be written, to name it all at once."""

    def __init__(self, source: Source, values: Mapping[str, object]) -> None:
        self.source = source
        self.values = values
        #: Target -> why it is refused.
        self.refused: dict[str, str] = {}

    def text(self, target: str, is_text: bool, parameter: Parameter | None) -> str:
        line = parameter.line if parameter else _LAST_LINE
        return self.literal(target, self.values[target], parameter, line)

    def literal(self, target: str, value: object, parameter: Parameter | None, line: int) -> str:
        where = f" (line {line})" if parameter else ""
        try:
            text = literal(value, path_name(self.source.tree, parameter, line))
        except LiteralError as error:
            self.refused[f"{target!r}{where}"] = f"a value of type {error} has no literal form"
            return "None"
        taken = redefined(text, self.source.tree)
        if taken:
            self.refused[f"{target!r}{where}"] = (
                f"its literal needs {taken!r}, which is another thing in this script"
            )
        return in_encoding(text, self.source.encoding)

    def additions(self, added: Mapping[str, object]) -> list[Edit]:
        """Assignments below the docstring and the ``__future__`` imports."""
        node, change = _top(self.source.tree)
        texts = {name: self.literal(name, value, None, 0) for name, value in added.items()}
        return [Edit(node, change, f"{name} = {text}", 1, name) for name, text in texts.items()]

    def with_paths(self, plan: Plan) -> list[Edit]:
        """The edits of *plan*, those that the running script would work out as assignments."""
        paths = {one.target: one for one in plan.meant if one and one.path}
        edits = [edit for edit in plan.edits if edit.target not in paths]
        return edits + [
            edit for one in paths.values() for site in one.sites for edit in self.path(one, site)
        ]

    def path(self, parameter: Parameter, site: Site) -> list[Edit]:
        template = frozen_path(site, parameter.path, self.source.tree)
        if template is None:
            self.refused.setdefault(f"{parameter.target!r} (line {site.line})", _UNKNOWN_PATH)
            return []
        value = self.text(parameter.target, False, parameter)
        return [fill(replace(site, template=template), value, parameter.target)]

    def refuse(self) -> None:
        """Raise FreezeError if anything could not be written."""
        if not self.refused:
            return
        file = os.path.basename(self.source.filename)
        listed = "".join(f"\n  {target}: {why}" for target, why in self.refused.items())
        raise FreezeError(
            f"{file}: cannot write these values into the script:{listed}\n"
            "Leave them out here and write them into the frozen script by hand, or keep the "
            "config and use 'kogine run'."
        )


def _top(tree: ast.Module) -> tuple[ast.stmt, str]:
    """Statement and change of an edit that puts statements before all others, but for the docstring
    and the ``__future__`` imports.
    """
    last: ast.stmt | None = None
    for number, node in enumerate(tree.body):
        is_docstring = number == 0 and ast.get_docstring(tree, clean=False) is not None
        is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not (is_docstring or is_future):
            break
        last = node
    if last is not None:
        return last, "after"
    if not tree.body:
        raise FreezeError("cannot add names to a script without a statement: write them into it")
    return tree.body[0], "before"
