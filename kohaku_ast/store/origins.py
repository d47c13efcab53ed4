"""Where the values of a run came from, for its record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.overrides import Override
from kohaku_ast.runner.prepare import make_request
from kohaku_ast.store.identity import call_arguments
from kohaku_ast.store.values import written
from kohaku_ast.transform.program.program import Program, ResolvedTarget


def written_overrides(bound: Bound, overrides: Sequence[Override]) -> list[dict[str, object]]:
    """Each value that holds in *bound*: full target, origin, value. *overrides* are all that
    were given, as the user wrote them.
    """
    meant = dict(_meant(bound.program, overrides))
    found = []
    for prefix, _, given in bound.prepared.every():
        own = overrides if not prefix else _of_module(prefix[:-1], meant, overrides)
        origins = _origins(given.program, own)
        for target, value in given.values.items():
            origin = origins.get(target, "Config")
            found.append({"target": prefix + target, "origin": origin, **written(value)})
    for target, value in call_arguments(bound).items():
        found.append({"target": target, "origin": "Config", **written(value)})
    for name, value in bound.names.items():
        found.append({"target": name, "origin": "new global", **written(value)})
    return found


def _origins(program: Program, overrides: Sequence[Override]) -> dict[str, str]:
    """Full target -> origin of the override that holds."""
    meant = dict(_meant(program, overrides))
    by_rank = sorted(overrides, key=lambda one: one.rank)
    return {meant[one.target].target: one.origin for one in by_rank if one.target in meant}


def _meant(program: Program, overrides: Sequence[Override]) -> Iterator[tuple[str, ResolvedTarget]]:
    """What each target that the script has means."""
    names = [name for name, _, _ in make_request(overrides).targets]
    return ((name, one) for name, one in zip(names, program.meant) if one)


def _of_module(
    module: str, meant: dict[str, ResolvedTarget], overrides: Sequence[Override]
) -> list[Override]:
    """Those for *module*, as seen from it."""
    found = []
    for one in overrides:
        place = meant[one.target].module if one.target in meant else None
        if place and place[0] == module:
            found.append(one.aimed_at(place[2]))
    return found
