"""The Sweep that a command line and its config files describe."""

from __future__ import annotations

from kogine.reader import Arguments, split_override
from kogine.sweep_names import settle_names

from kohaku_ast.config.axes import parse_axis
from kohaku_ast.config.axis import Axis
from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import UsageError
from kohaku_ast.runner.bound import Binder

_ORIGIN = "command line"


def sweep_of(read_: Arguments, config: Config | Sweep | None, binder: Binder | None) -> Sweep:
    """Config files, then what the command line sweeps over them; what it sets is set for all.

    *binder* is that of the one script; None if there are several.
    """
    own = own_axes(read_)
    whole = Sweep.of(config or Config()) if not isinstance(config, Sweep) else config
    return _limited(settle_names(whole | own, own, read_, binder), read_)


def own_axes(read_: Arguments) -> Sweep:
    """``--sweep`` and ``--trials`` multiply in their order, ``--zip`` pairs."""
    axes = Sweep()
    for option, text in read_.given:
        if option == "--sweep":
            axes = axes * Sweep(_axis(text))
        elif option == "--trials":
            axes = axes * Sweep.from_table(text)
    for text in read_.values.get("--zip", []):
        axes = axes.pair(*_names(text))
    return axes


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if len({*names}) < max(2, len(names)):
        raise UsageError(f"--zip {text}: name the axes to pair, each once: --zip lr,bs")
    return names


def _axis(text: str) -> Axis:
    target, values = split_override(text)
    if not values.strip():
        raise UsageError(f"--sweep {text}: no values. Write them behind '=': {target}=1,2,3")
    return parse_axis(target, values, _ORIGIN)


def _limited(whole: Sweep, read_: Arguments) -> Sweep:
    """With the draws of its random axes, or with its first runs."""
    n = number(read_, "-n", least=1)
    seed = number(read_, "--seed")
    if "--search" in read_.values:
        return whole  # the search chooses
    if whole.is_random:
        if n is None:
            random_ = ", ".join(t for axis in whole.axes if axis.is_random for t in axis.targets)
            raise UsageError(f"random axes ({random_}): say how many draws, such as -n 20")
        return whole.draw(n, _new_seed(read_) if seed is None else seed)
    if seed is not None:
        raise UsageError("--seed is for random axes (uniform:0:1), and there is none")
    return whole if n is None else whole.first(n)


def _new_seed(read_: Arguments) -> int:
    """Raises UsageError where other draws would leave nothing to go on with."""
    for option in ("--resume", "--retry-failed"):
        if option in read_.flags:
            from kogine.last_seed import refused_without_seed

            raise UsageError(refused_without_seed(option))
    import random

    return random.randrange(2**31)


def number(read_: Arguments, option: str, least: int | None = None) -> int | None:
    """The whole number that *option* is given, None without it; raises UsageError."""
    text = read_.value(option)
    if option not in read_.values:
        return None
    try:
        number = int(text)
    except ValueError:
        raise UsageError(f"{option} {text}: not a whole number") from None
    if least is not None and number < least:
        raise UsageError(f"{option} {text}: at least {least}")
    return number
