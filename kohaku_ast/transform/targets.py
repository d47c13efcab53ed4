"""The grammar of targets: ``lr``, ``Args.lr``, ``cfg.opt.name``, ``layers[0]``, ``--lr``,
``main(epochs)``, ``Model.__init__(dropout)``.
"""

from __future__ import annotations

import re

from kohaku_ast.errors import UsageError

Step = str | int
"""One step of a path: an attribute or key, or the index of a list."""

_PART = re.compile(r"""\.?([^.\[\]()]+)|\[(-?\d+)\]|\[(["'])(.*?)\3\]""")
_DEFAULT = re.compile(r"([^\W\d][\w.]*)\(([^\W\d]\w*)\)")


def split_path(target: str) -> tuple[Step, ...]:
    """``"cfg.layers[0]"`` -> ``("cfg", "layers", 0)``; raises UsageError for anything else."""
    steps: list[Step] = []
    position = 0
    while match := _PART.match(target, position):
        if (position == 0) == match[0].startswith((".", "[")) and not match[0].startswith("["):
            break  # `.lr`, or `a[0]b`
        name, index, _, key = match.groups()
        steps.append(int(index) if index else key if name is None else name)
        position = match.end()
    if position < len(target) or not str(steps[:1] and steps[0]).isidentifier():
        raise UsageError(
            f"{target!r} is not a target: write a name (lr), a path (Args.lr, cfg.opt.name, "
            "layers[0]), an option (--lr) or a parameter (main(epochs))"
        )
    return tuple(steps)


def join_path(steps: tuple[Step, ...]) -> str:
    """The other way: ``("cfg", "layers", 0)`` -> ``"cfg.layers[0]"``."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.isidentifier():
            text += f".{step}"
        else:
            text += f"[{step!r}]"
    return text.removeprefix(".")


def split_default(target: str) -> tuple[str, str] | None:
    """``"Model.__init__(dropout)"`` -> ``("Model.__init__", "dropout")``, else None."""
    match = _DEFAULT.fullmatch(target)
    return (match[1], match[2]) if match else None


def last_name(target: str) -> str:
    """The name by which a short target finds *target*: ``--batch-size`` -> ``batch_size``."""
    default = split_default(target)
    if default:
        return default[1]
    if target.startswith("-"):
        return target.lstrip("-").replace("-", "_")
    last = split_path(target)[-1]
    return last if isinstance(last, str) else ""
