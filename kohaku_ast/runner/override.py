"""One value for one target, and where it came from. On the warm path: no dataclass."""

from __future__ import annotations


class Override:
    """A value that replaces a definition of the script."""

    __slots__ = ("is_text", "optional", "origin", "rank", "target", "value")

    def __init__(
        self,
        target: str,
        value: object,
        origin: str,
        rank: int,
        is_text: bool = False,
        optional: bool = False,
    ) -> None:
        #: As the user wrote it.
        self.target = target
        self.value = value
        #: ``command line``, ``cfg.py``, ``Config`` ...: for messages and records.
        self.origin = origin
        #: Of two overrides of one parameter the higher rank wins; one rank must not say two things.
        self.rank = rank
        #: Whether the value is text, to be read as the parameter's type.
        self.is_text = is_text
        #: Whether the script may lack it: a name that a config made for its own use.
        self.optional = optional

    def aimed_at(self, target: str) -> Override:
        """The same value for another target."""
        return Override(target, self.value, self.origin, self.rank, self.is_text, self.optional)
