"""``kogine run`` with overrides, or with another start. On the warm path."""

from __future__ import annotations

from kogine.options import FLOW_OPTIONS
from kogine.overrides import binder_of, load_configs
from kogine.reader import Arguments

from kohaku_ast.errors import SourceError
from kohaku_ast.hidden import hidden
from kohaku_ast.runner.children import hand_on
from kohaku_ast.runner.launch import Launch, explain, plain_python
from kohaku_ast.runner.process import become, warn_at_end, warn_compiler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kohaku_ast.config.config import Config
    from kohaku_ast.config.sweep import Sweep
    from kohaku_ast.runner.bound import Bound

SWEEPS = {
    "--sweep", "--zip", "--trials", "-n", "--seed", "--dry-run", "--isolate", "--search",
    "--minimize", "--maximize", "--study", *(name for name, _, _ in FLOW_OPTIONS),
} - {"--record", "--no-record", "--no-metrics"}  # fmt: skip
"""The options that make a flow of a run."""


def changed(launch: Launch, read_: Arguments, entrypoint: str) -> Callable[[], int]:
    """The script with overrides in force, or started in another way, or many times."""
    config = _load(read_)
    # By its name: nothing of sweeps is imported for a single run.
    if type(config).__name__ == "Sweep" or SWEEPS & {*read_.values, *read_.flags}:
        from kogine.sweep import sweep

        return sweep(launch, read_, entrypoint, config)
    is_recorded = "--record" in read_.flags and "--no-record" not in read_.flags
    try:
        binder = binder_of(launch, read_, entrypoint, capture=is_recorded)
        bound = binder.bind(config)  # type: ignore[arg-type]
    except (SyntaxError, ValueError, SourceError) as error:
        return mistaken(launch, error)
    if is_recorded:
        from kogine.recorded import recorded

        return recorded(binder, bound)
    return _start(bound)


def _load(read_: Arguments) -> Config | Sweep | None:
    paths = read_.values.get("--config", [])
    if "--json" not in read_.flags:
        return load_configs(paths)
    from kohaku_ast.flow.display.only_json import only_json

    with only_json():  # what a config file prints is no JSON
        return load_configs(paths)


def _start(bound: Bound) -> Callable[[], int]:
    launch = bound.launch
    launch.argv[1:] = bound.argv[1:]

    @hidden
    def start() -> int:
        try:
            warn_compiler(bound.program)
        except Warning:  # made an error by -W: Python refuses the script
            return plain_python(launch)
        warn_at_end(bound.prepared)
        hand_on(bound.prepared)
        become(launch, bound.codes(), bound.anew(bound.names), bound.last())
        return 0

    return start


def mistaken(launch: Launch, error: Exception) -> Callable[[], int]:
    """Python's own words for a script that it cannot compile, and the status of a mistake: the
    overrides cannot be applied. Raises *error* if that is not what is wrong.
    """
    try:
        launch.compile()
    except (SyntaxError, ValueError):
        return lambda: explain(launch) and 2
    raise error
