"""Names of a nested pipeline: what is called how in there, and out here."""

from __future__ import annotations

from kohaku_ast.errors import PipelineError, did_you_mean
from kohaku_ast.pipeline.names import output_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def outer_inputs(inner: Iterable[str], mapping: Mapping[str, str], who: str) -> dict[str, str]:
    """Name in there -> name out here, of the inputs *inner*. *mapping*: name out here -> in there.
    Raises PipelineError where two names would meet.
    """
    outside: dict[str, str] = {}
    for outer, one in mapping.items():
        if one in outside:
            raise PipelineError(f"{who}: {outside[one]!r} and {outer!r} both go to {one!r}.")
        outside[one] = outer
    found = {one: outside.get(one, one) for one in inner}
    for outer, one in mapping.items():
        if outer in found and found[outer] == outer != one:
            raise PipelineError(
                f"{who}: {outer!r} goes to {one!r}, and is the name of another input. "
                f"Give that one another name too, as in {{..., 'other': {outer!r}}}."
            )
    return found


def outer_outputs(inner: Iterable[str], mapping: Mapping[str, str], who: str) -> dict[str, str]:
    """Name out here -> name in there, of the outputs *inner*. *mapping*: name in there -> out
    here. Raises PipelineError where two names would meet.
    """
    found: dict[str, str] = {}
    for one in inner:
        outer = mapping.get(one, one)
        if outer in found:
            raise PipelineError(
                f"{who}: two outputs are called {outer!r}: {found[outer]!r} and {one!r}."
            )
        found[outer] = one
    if found:
        output_names(list(found), who)
    return found


def check_known(names: Iterable[str], known: Iterable[str], what: str, who: str) -> None:
    """Raises PipelineError for a name of *names* that is not *known*."""
    known = list(known)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f" It has: {', '.join(known)}."
            raise PipelineError(f"{who} has no {what} {name!r}.{hint}")
