"""One value for one target, and where it came from. On the warm path: no dataclass."""

from __future__ import annotations

from kohaku_ast.config.cells import is_cell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.config.config import Config


class Override:
    """A value that replaces a definition of the script."""

    __slots__ = ("as_is", "is_text", "optional", "origin", "rank", "target", "value")

    def __init__(
        self,
        target: str,
        value: object,
        origin: str,
        rank: int = 0,
        is_text: bool = False,
        optional: bool = False,
        as_is: bool = False,
    ) -> None:
        #: As the user wrote it.
        self.target = target
        self.value = value
        #: ``command line``, ``cfg.py``, ``Config`` ...: for messages and records.
        self.origin = origin
        #: Of two overrides of one parameter the higher rank wins; one rank must not say two things.
        self.rank = rank
        #: Whether the value is text or a cell, to be read as the parameter's type.
        self.is_text = is_text or is_cell(value)
        #: Whether the script may lack it: a name that a config made for its own use.
        self.optional = optional
        #: Whether its text is a Python literal, else text, whatever the type of the parameter.
        self.as_is = as_is

    def aimed_at(self, target: str) -> Override:
        """The same value for another target."""
        return Override(
            target, self.value, self.origin, self.rank, self.is_text, self.optional, self.as_is
        )


COMMAND_LINE = 1_000_000_000
"""The rank above all configs."""


def of_config(config: Config, *, as_is: bool = False) -> list[Override]:
    """What *config* overrides; with *as_is* its texts are read without the check of types."""
    overrides = []
    for target, value in config.globals_dict.items():
        origin = config.origins.get(target, "Config")
        optional = target in config.optional
        rank = config.ranks.get(target, 0)
        for table in config.tables.get(target, ()) if config.tables else ():
            below = Override(
                target, table.cells, table.origin, table.rank, optional=optional, as_is=as_is
            )
            overrides.append(below)
        overrides.append(Override(target, value, origin, rank, optional=optional, as_is=as_is))
    return overrides
