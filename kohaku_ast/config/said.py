"""Said: what one config file says by itself, before the configs that it inherits from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kohaku_ast.config.config import Config

if TYPE_CHECKING:
    from kohaku_ast.config.sweep import Sweep  # most configs need none of it


@dataclass(frozen=True)
class Said:
    """The fixed values of a config file, and its sweep over them."""

    fixed: Config = field(default_factory=Config)
    sweep: Sweep | None = None

    def over(self, base: Config | Sweep) -> Config | Sweep:
        """The same on top of what *base* says."""
        below = base | self.fixed
        return below if self.sweep is None else below | self.sweep
