"""Configs and sweeps as JSON; docs/reference/config.md says what each field holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kogine.config_fit import Fit
from kogine.config_values import shown

from kohaku_ast.config.cells import native
from kohaku_ast.config.config import Config

if TYPE_CHECKING:
    from kohaku_ast.config.sweep import Sweep


def config_json(config: Config) -> dict[str, object]:
    """Everything that *config* sets."""
    return {
        "overrides": [
            {"target": name, **value_json(value), "from": config.origins.get(name, "")}
            for name, value in config.globals_dict.items()
        ],
        "args": [value_json(value) for value in config.args],
        "kwargs": {name: value_json(value) for name, value in config.kwargs.items()},
        "argv": list(config.argv),
        "new_globals": {name: value_json(value) for name, value in config.new_globals.items()},
        "metadata": {name: value_json(value) for name, value in config.metadata.items()},
        "outputs": list(config.outputs),
    }


def fit_json(one: Fit) -> dict[str, object]:
    """How one override fits a script."""
    return {
        "target": one.target,
        "full": one.full,
        "value": one.value,
        "from": one.origin,
        "default": one.default,
        "at": one.where,
        "problem": one.problem,
        "warning": one.warning,
    }


def sweep_json(sweep: Sweep, runs: list[Config]) -> dict[str, object]:
    """The axes of *sweep*, how many runs it has, and the first of them."""
    return {
        "axes": [
            {
                "targets": list(axis.targets),
                "values": axis.shown,
                "size": axis.size,
                "random": axis.is_random,
            }
            for axis in sweep.axes
        ],
        "size": sweep.size,
        "runs": [{"label": run.label, **config_json(run)} for run in runs],
    }


def value_json(value: object) -> dict[str, object]:
    """The value as text, and as JSON if it has that form."""
    plain = native(value)
    try:
        is_same = json.loads(json.dumps(plain, allow_nan=False)) == plain
    except (TypeError, ValueError, RecursionError):
        is_same = False
    return {"value": plain if is_same else None, "text": shown(value)}
