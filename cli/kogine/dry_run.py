"""``--dry-run``: the numbered table of runs, and nothing is run."""

from __future__ import annotations

import sys
from itertools import islice

from kohaku_ast.config.config import value_text
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.runner.bind import Binder

_MOST = 1_000


def dry_run(sweep: Sweep, binder: Binder) -> int:
    """Print the axes with their sizes and the runs; each is bound, so that mistakes show."""
    for axis in sweep.axes:
        size = "?" if axis.size is None else axis.size
        print(f"axis {', '.join(axis.targets)}: {size} of {axis.shown}")
    shown = 0
    for number, config in enumerate(islice(sweep, _MOST), start=1):
        binder.bind(config)
        pairs = [f"{one}={value_text(config.globals_dict[one])}" for one in config.varied]
        print(f"{number:>5}  {' '.join(pairs)}")
        shown = number
    total = sweep.size
    if total is not None and total > shown:
        print(f"  ...  and {total - shown} more")
    runs = total if total is not None else f"at least {shown}" if shown == _MOST else shown
    sys.stdout.flush()
    print(f"{runs} run{'s' if runs != 1 else ''}; nothing was run", file=sys.stderr)
    return 0
