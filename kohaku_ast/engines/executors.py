"""What ``node_executor`` and ``map_executor`` may be."""

from __future__ import annotations

from kohaku_ast.errors import UsageError, did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KINDS = ("sequential", "async", "threaded", "parallel")


def kind_of(executor: Any, who: str) -> str:
    """One of ``KINDS``, or "lent" for an executor of the user's. Raises UsageError."""
    if isinstance(executor, str):
        if executor in KINDS:
            return executor
        hint = did_you_mean(executor, KINDS)
        raise UsageError(
            f"unknown {who} {executor!r} (expected one of: {', '.join(KINDS)}, or an executor of "
            f"concurrent.futures).{hint}"
        )
    if hasattr(executor, "max_concurrent"):
        return "async"
    if callable(getattr(executor, "submit", None)):
        return "lent"
    raise UsageError(f"the {who} {executor!r} has no submit(): it is no executor.")
