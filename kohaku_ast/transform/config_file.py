"""A script's parameters as a config file to edit; unchanged, it changes nothing."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from kohaku_ast.transform.certain import Certain
from kohaku_ast.transform.config_lines import Line, config_rows
from kohaku_ast.transform.inspection import Inspection
from kohaku_ast.transform.parameters import Parameter
from kohaku_ast.transform.plain_values import (
    expression,
    imports_of,
    in_brackets,
    names_in,
    why_not_plain,
)
from kohaku_ast.transform.sites import Site


def config_text(
    inspection: Inspection,
    parameters: Sequence[Parameter],
    script: str,
    name: str = "THIS_FILE",
) -> str:
    """The config file for *parameters* of *script*; its first line calls it *name*.

    Commented out is what has no one value by itself: required options, values that depend on
    others, definitions in branches or with several values.
    """
    imports, lines = config_lines(inspection, parameters)
    heading = f"# Values of {script}. Edit, then: kogine run {script} --config {name}"
    return "\n".join([heading, *imports, *config_rows(lines)]) + "\n"


def config_lines(
    inspection: Inspection, parameters: Sequence[Parameter]
) -> tuple[list[str], list[Line]]:
    """The imports that the values of *parameters* need, and the lines of the config."""
    writer = _Writer(inspection, parameters)
    lines = [writer.line(one) for one in parameters if writer.is_written(one)]
    return sorted(set(writer.needed)), lines


class _Writer:
    """Decides what each parameter's line is."""

    def __init__(self, inspection: Inspection, parameters: Sequence[Parameter]) -> None:
        self.source = inspection.source
        self.certain = Certain(self.source.tree)
        self.imports = imports_of(self.source.tree)
        self.known = {one.target for one in inspection.parameters if one.target.isidentifier()}
        self.needed: list[str] = []
        #: The places of each value in the text, as start and end.
        self.spans = [
            (one, *self.source.span(site.node)) for one in parameters for site in _replaced(one)
        ]

    def is_written(self, parameter: Parameter) -> bool:
        """Not what cannot be overridden, and no container: its entries stand for it."""
        own = [(start, end) for one, start, end in self.spans if one is parameter]
        return not parameter.refused and not any(
            self.gives_way(parameter, span, other) for span in own for other in self.spans
        )

    def gives_way(
        self, parameter: Parameter, span: tuple[int, int], other: tuple[Parameter, int, int]
    ) -> bool:
        """Whether *other* stands in *span* of *parameter*: only one of them can be overridden."""
        inner, start, end = other
        if inner is parameter or not (span[0] <= start and end <= span[1]):
            return False
        # In `result = main(epochs=3)` it is main(epochs), not result.epochs.
        return span != (start, end) or (parameter.kind == "entry" and inner.kind != "entry")

    def line(self, parameter: Parameter) -> Line:
        reason = self.reason(parameter)
        text = "\n".join(parameter.default.splitlines())
        if not reason:
            used = names_in(_value(parameter))
            self.needed += [line for name, line in self.imports.items() if name in used]
        value = in_brackets(text) if text else "..."
        return Line(parameter.target, value, reason, parameter.help, parameter.section)

    def reason(self, parameter: Parameter) -> str:
        """Why the default is not to be in force; empty if it is."""
        if not parameter.default:
            return "required" if _is_required(parameter) else "no default"
        if _is_required(parameter):
            return "required"
        if parameter.derived_from:
            return f"derived from {', '.join(parameter.derived_from)}"
        why = why_not_plain(_value(parameter), self.known, self.imports)
        return why or self._several(parameter) or self._in_branch(parameter)

    def _several(self, parameter: Parameter) -> str:
        """More than one value, or one object under more than one name."""
        texts = {self.source.segment(site.node) for site in _replaced(parameter)}
        if len(texts) > 1 or (parameter.also and not texts):
            return f"other values at line {', '.join(map(str, parameter.also))}"
        forms = {one.form for one in parameter.definitions}
        if "unpacked" in forms:
            return "one part of it"
        mutable = isinstance(_value(parameter), (ast.List, ast.Dict, ast.Set, ast.Call))
        return "shared by several names" if "chained" in forms and mutable else ""

    def _in_branch(self, parameter: Parameter) -> str:
        runs = self.certain.is_plain if parameter.kind == "option" else self.certain.runs
        return "" if all(runs(site.line) for site in parameter.sites) else "may not run"


def _replaced(parameter: Parameter) -> list[Site]:
    """The places where a value stands that an override takes the place of."""
    return [site for site in parameter.sites if site.change == "replace" and "{}" in site.template]


def _value(parameter: Parameter) -> ast.expr:
    """The default as an expression (that of a field, not the field)."""
    return expression(f"({parameter.default}\n)")


def _is_required(parameter: Parameter) -> bool:
    """Whether giving it a default would make the command line succeed that must fail."""
    written = [site.node for site in parameter.sites if site.template == "False"]
    return any(not (isinstance(node, ast.Constant) and not node.value) for node in written)
