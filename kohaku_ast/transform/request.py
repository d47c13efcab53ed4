"""What is asked of a script: names only, so that one Program serves every value.

On the warm path: imports nothing, and is no dataclass (importing dataclasses costs 12 ms,
more than ``python hello.py`` takes).
"""

from __future__ import annotations


class Request:
    """Which targets get values, and how the program is started. Hashable by ``key()``."""

    __slots__ = ("above", "added", "args", "capture", "entrypoint", "kwargs", "split", "targets")

    def __init__(
        self,
        targets: tuple[tuple[str, bool, bool], ...] = (),
        kwargs: tuple[str, ...] = (),
        args: int = 0,
        entrypoint: str = "",
        split: bool = False,
        capture: bool = False,
        added: tuple[str, ...] = (),
        above: tuple[str, ...] = (),
    ) -> None:
        #: Each target as the user wrote it, whether its value came as text, and whether it may be
        #: missing in the script (a name that a config made for its own use).
        self.targets = targets
        #: The keywords, and the number of arguments, for the call that starts the program.
        self.kwargs = kwargs
        self.args = args
        #: The function to call after the module body, instead of the guard.
        self.entrypoint = entrypoint
        #: Whether the guards' bodies are code of their own, to be run later (``Script.load``).
        self.split = split
        #: Whether the value that the starting call returns is wanted.
        self.capture = capture
        #: Globals that are set before the first statement: the script must not define them.
        self.added = added
        #: The targets, as written, whose values win over the arguments of the starting call.
        self.above = above

    def key(self) -> tuple[object, ...]:
        """Equal for requests that one Program serves."""
        return tuple(getattr(self, name) for name in self.__slots__)
