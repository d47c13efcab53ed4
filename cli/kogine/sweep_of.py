"""The Sweep that a command line and its config files describe."""

from __future__ import annotations

from kogine.script_command import ScriptCommand, split_override
from kogine.sweep_names import settle_names

from kohaku_ast.config.axis import Axis
from kohaku_ast.config.axis_grammar import parse_axis
from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import UsageError
from kohaku_ast.runner.bind import Binder

_ORIGIN = "command line"


def sweep_of(command: ScriptCommand, config: Config | Sweep | None, binder: Binder | None) -> Sweep:
    """Config files, then what the command line sweeps over them; what it sets is set for all.

    *binder* is that of the one script; None if there are several.
    """
    own = own_axes(command)
    whole = Sweep.of(config or Config()) if not isinstance(config, Sweep) else config
    return _limited(settle_names(whole | own, own, command, binder), command)


def own_axes(command: ScriptCommand) -> Sweep:
    """``--sweep`` and ``--trials`` multiply in their order, ``--zip`` pairs."""
    axes = Sweep()
    waiting = {name: iter(command.option(name, ())) for name in ("sweep", "trials")}
    for name in command.axis_order:
        text = next(waiting[name])
        added = Sweep.from_table(text) if name == "trials" else Sweep(_axis(text))
        axes = axes * added
    for names in command.option("zip", ()):
        axes = axes.pair(*names)
    return axes


def _axis(text: str) -> Axis:
    return parse_axis(*split_override(text), _ORIGIN)


def _limited(whole: Sweep, command: ScriptCommand) -> Sweep:
    """With the draws of its random axes, or with its first runs."""
    n, seed = command.option("n"), command.option("seed")
    if "search" in command.options:
        return whole  # the search chooses
    if whole.is_random:
        if n is None:
            random_ = ", ".join(t for axis in whole.axes if axis.is_random for t in axis.targets)
            raise UsageError(f"random axes ({random_}): say how many draws, such as -n 20")
        return whole.draw(n, _new_seed(command) if seed is None else seed)
    if seed is not None:
        raise UsageError("--seed is for random axes (uniform:0:1), and there is none")
    return whole if n is None else whole.first(n)


def _new_seed(command: ScriptCommand) -> int:
    """Raises UsageError where other draws would leave nothing to go on with."""
    for name in ("resume", "retry_failed"):
        if name in command.options:
            from kogine.last_seed import refused_without_seed

            raise UsageError(refused_without_seed(f"--{name.replace('_', '-')}"))
    import random

    return random.randrange(2**31)
