"""The seed that the random axes of an earlier sweep were drawn from, as its records have it."""

from __future__ import annotations

from kohaku_ast.store.record import find_runs
from kohaku_ast.store.run_folder import RUNS
from kohaku_ast.store.values import read


def refused_without_seed(option: str) -> str:
    """Why *option*, which goes on with an earlier sweep, cannot do it with other draws."""
    seed = _last_seed()
    if seed is None:
        hint = "Name the one that the sweep printed at its end: --seed N"
    else:
        hint = f"The last sweep here had --seed {seed}"
    return f"{option}: without their seed, random axes are drawn anew. {hint}"


def _last_seed() -> object:
    for record in find_runs(RUNS, newest=True):
        metadata = record.facts.get("metadata")
        if isinstance(metadata, dict) and "sweep_seed" in metadata:
            return read(metadata["sweep_seed"])
    return None
