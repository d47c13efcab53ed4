"""The grammar of targets: ``lr``, ``Args.lr``, ``cfg.opt.name``, ``layers[0]``, ``--lr``,
``main(epochs)``, ``Model.__init__(dropout)``.
"""

from __future__ import annotations

import re

from kohaku_ast.errors import UsageError

Step = str | int
"""One step of a path: an attribute or key, or the index of a list."""

_PART = re.compile(r"""\.?([^\W\d]\w*)|\[(-?\d+)\]|\[(["'])(.*?)\3\]|\.([^.\[\]()]+)""")
_DEFAULT = re.compile(r"([^\W\d][\w.]*)\(([^\W\d]\w*)\)")


def split_path(target: str) -> tuple[Step, ...]:
    """``"cfg.layers[0]"`` -> ``("cfg", "layers", 0)``; raises UsageError for anything else."""
    steps: list[Step] = []
    position = 0
    while position < len(target):
        match = _PART.match(target, position)
        if match is None or (position == 0) != (target[0] not in ".[" and not steps):
            break
        name, index, _, key, part = match.groups()
        steps.append(int(index) if index else next(one for one in (name, key, part) if one is not None))
        position = match.end()
    if position < len(target) or not steps or isinstance(steps[0], int):
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
