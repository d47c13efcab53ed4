"""What can be said of a sweep before anything runs: its targets, and each value of its axes."""

from __future__ import annotations

from kohaku_ast.config.cells import is_cell
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.overrides import Override

_MOST = 100_000  # values of one axis: a longer one is checked run by run


def check_axes(binder: Binder, sweep: Sweep) -> None:
    """Raises what binding a Config would raise, for any value of any axis by itself."""
    for axis in sweep.axes:  # (a target that only another script has is gone from its sweep)
        if axis.is_random or not axis.is_settled or axis.size is None or axis.size > _MOST:
            binder.check([Override(target, None, axis.origin) for target in axis.targets])
            continue
        for number, row in enumerate(axis.rows()):
            origin = axis.row_origins[number] if axis.row_origins else axis.origin
            pairs = zip(axis.targets, row)
            values = [Override(target, value, origin) for target, value in pairs]
            if number == 0 or any(is_cell(one.value) for one in values):
                binder.check(values)
