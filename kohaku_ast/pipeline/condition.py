"""Conditions of nodes, as in ``@node(when="flag")``, and the Skip that stands for an output of a
node that did not run: what needs it is skipped as well, unless a default takes its place.
"""

from __future__ import annotations

from typing import NamedTuple

from kohaku_ast.errors import PipelineError, PipelineTypeError, did_you_mean
from kohaku_ast.pipeline.node_like import is_async

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from kohaku_ast.pipeline.node_like import NodeLike

    #: ``"flag"``, ``"not flag"``, or a function of inputs of the node.
    When = str | Callable[..., object]

_NOT = "not "


class Condition:
    """Decides in each run whether a node runs. Frozen."""

    __slots__ = ("given", "is_negated", "reads")

    def __init__(self, given: When, reads: Mapping[str, str], is_negated: bool = False) -> None:
        #: The text or the function that the user wrote.
        self.given = given
        #: Parameter of the function -> the name in the graph whose value it gets. Of a text the
        #: only name, by itself.
        self.reads = dict(reads)
        self.is_negated = is_negated

    @property
    def text(self) -> str:
        """``not flag``, or the name of the function."""
        if isinstance(self.given, str):
            return " ".join(self.given.split())
        return str(getattr(self.given, "__name__", type(self.given).__name__))

    @property
    def identity(self) -> tuple[Any, ...]:
        """What the decision depends on besides the values that it reads."""
        return self.is_negated, None if isinstance(self.given, str) else self.given

    def renamed(self, names: Mapping[str, str]) -> When:
        """What a node gets as ``when`` whose names in the graph are changed."""
        if not isinstance(self.given, str):
            return self.given
        (name,) = self.reads
        return f"{_NOT if self.is_negated else ''}{names.get(name, name)}"

    def why_not(self, node: NodeLike, values: Mapping[str, Any]) -> str:
        """Why *node* does not run for *values*; empty if it does. Raises PipelineError if that
        cannot be told.
        """
        found = {own: self._value(node, name, values) for own, name in self.reads.items()}
        try:
            if isinstance(self.given, str):
                (value,) = found.values()
                if bool(value) is not self.is_negated:
                    return ""
                return f"its condition is {self.text!r}, and {next(iter(found))} is {_short(value)}"
            answer = self.given(**found)
            return "" if answer else f"its condition {self.text} returned {_short(answer)}"
        except Exception as error:
            raise PipelineError(
                f"the condition {self.text!r} of node {node.name!r} ({node.where}) is neither true "
                f"nor false: {type(error).__name__}: {error}"
            ) from error

    def _value(self, node: NodeLike, name: str, values: Mapping[str, Any]) -> Any:
        found = values.get(name, ...)
        if found is ... or is_skip(found):
            found = node.bound[name] if name in node.bound else node.defaults.get(name, ...)
        if found is ...:  # a script alone knows its default
            raise PipelineError(
                f"the condition {self.text!r} of node {node.name!r} ({node.where}) needs a value "
                f"of {name!r}: give it to the run."
            )
        return found


def _short(value: object) -> str:
    from kohaku_ast.display.text import short_repr  # here: only who skips a node pays for it

    return short_repr(value)


def read_condition(
    when: When | None,
    who: str,
    parameters: Mapping[str, str] | None = None,
    names_of: Callable[[Any], list[str]] | None = None,
) -> Condition | None:
    """The Condition that *when* means for the node *who*. *parameters*: those that a function may
    take, each with its name in the graph, and *names_of* gives those that it takes; None: only a
    text will do. Raises PipelineError.
    """
    if when is None:
        return None
    if isinstance(when, str):
        words = when.split()
        name = words[-1] if words else ""
        if len(words) == (2 if words[:1] == ["not"] else 1) and name != "not":
            return Condition(when, {name: name}, is_negated=len(words) == 2)
        raise PipelineError(
            f'{who}: when is {when!r}: give the name of an input or output, as in when="flag" or '
            'when="not flag".'
        )
    if parameters is None or names_of is None or not callable(when):
        ways = "a name" if parameters is None else "a name or a function"
        raise PipelineTypeError(f"{who}: when is {when!r}: give {ways}, as in when='flag'.")
    if is_async(when):
        raise PipelineTypeError(f"{who}: the condition {when!r} is async: give a plain function.")
    return Condition(when, _reads(names_of(when), who, parameters))


def _reads(names: list[str], who: str, parameters: Mapping[str, str]) -> dict[str, str]:
    for name in names:
        if name not in parameters:
            hint = did_you_mean(name, parameters) or f" It has: {', '.join(parameters)}."
            raise PipelineError(
                f"{who}: its condition takes {name!r}, which is no parameter of the node.{hint}"
            )
    return {name: parameters[name] for name in names}


class Skip(NamedTuple):
    """In place of the value of an output: its node was skipped."""

    #: The node, its place, and why it did not run.
    node: str
    where: str
    why: str
    #: The node whose condition began it, in words.
    origin: str

    @classmethod
    def of(cls, node: NodeLike, why: str, origin: str = "") -> Skip:
        """That of the outputs of *node*."""
        own = f"node {node.name!r} ({node.where}) was skipped: {why}"
        return cls(node.name, node.where, why, origin or own)

    def error(self, name: str) -> PipelineError:
        """For a caller who asks for the output *name*."""
        own = f"node {self.node!r} ({self.where}) was skipped: {self.why}"
        return PipelineError(
            f"{name!r} has no value: {own}.\nA run without output_name leaves out what was skipped."
        )


def may_skip(node: Any) -> bool:
    """Whether *node* has a condition, or a node inside of it."""
    return getattr(node, "when", None) is not None or getattr(node, "may_skip", False)


def skip_of(node: NodeLike, values: Mapping[str, Any]) -> Skip | None:
    """The Skip of the outputs of *node*, which would run with *values* now; None if it runs. Raises
    PipelineError if its condition has no truth.
    """
    for name in node.inputs:
        found: Any = values.get(name)
        if is_skip(found) and name not in node.defaults:
            return Skip.of(node, f"it needs {name!r}, and {found.origin}", found.origin)
    condition: Condition | None = getattr(node, "when", None)
    why = condition.why_not(node, values) if condition is not None else ""
    return Skip.of(node, why) if why else None


def is_skip(value: object) -> bool:
    """Whether *value* stands for the output of a node that was skipped."""
    return value.__class__ is Skip


def present(values: Mapping[str, Any]) -> dict[str, Any]:
    """*values* without those that were skipped."""
    return {name: value for name, value in values.items() if not is_skip(value)}
