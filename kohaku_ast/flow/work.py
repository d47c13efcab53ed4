"""Work: one Script in a flow, with the Configs that it is to be run with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.outcome import Outcome

Previous: TypeAlias = Mapping[str, Outcome]
"""Script name -> the last Outcome of it in this flow."""

Configs: TypeAlias = Config | Iterable[Any] | Callable[[Previous], Any]
"""One Config; a Sweep, an iterable or a generator of them; or what makes one of these from the
Outcomes of the Scripts before.
"""


@dataclass(frozen=True)
class Work:
    """A Script, ready to be bound, and its Configs."""

    #: What the flow calls it.
    name: str
    binder: Binder
    configs: Configs

    def sweep(self, previous: Previous) -> Sweep:
        """Its Configs; asked for when its first run can start.

        Raises ConfigError if there are none.
        """
        configs = self.configs
        if callable(configs) and not isinstance(configs, (Config, Sweep)):
            configs = configs(previous)
        return Sweep.of(configs, self.name)
