"""``Node("jetson", machine="192.168.1.10", engine="dora")``: where components run."""

from __future__ import annotations

import re

from kohaku_ast.errors import SystemsError, check_type
from kohaku_ast.users_traceback import public

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
"""What can name a node: Dora takes no other letters."""


@public
class Node:
    """A machine, or a part of one, that components are deployed to.

    With the native engine all nodes are in this process; with the dora engine each is a process.
    """

    __slots__ = ("engine", "machine", "name", "python", "threads")

    def __init__(
        self,
        name: str,
        machine: str = "",
        engine: str = "native",
        threads: bool = False,
        python: str = "",
    ) -> None:
        """*machine* is the name that its Dora daemon has (``dora daemon --machine-id``); "" is any
        machine. *threads*: the native engine gives the components of this node a thread of their
        own. *python* is the interpreter there; "" is the one that launches the system.
        """
        texts = (("name", name), ("machine", machine), ("engine", engine), ("python", python))
        for what, text in texts:
            check_type(text, str, f"the {what} of a node is a text", SystemsError)
        if not NAME.fullmatch(name):
            raise SystemsError(
                f"{name!r} cannot name a node: take letters, digits, - and _, a letter first."
            )
        #: What errors and drawings call it.
        self.name = name
        #: The machine, or "".
        self.machine = machine
        #: The name of the engine that runs its components.
        self.engine = engine
        #: Whether the native engine gives it a thread of its own.
        self.threads = threads
        #: The interpreter that runs its components, or "".
        self.python = python

    @property
    def where(self) -> str:
        """``jetson (192.168.1.10)``."""
        return f"{self.name} ({self.machine})" if self.machine else self.name

    def __repr__(self) -> str:
        parts = [repr(self.name)]
        parts += [f"machine={self.machine!r}"] if self.machine else []
        parts += [f"engine={self.engine!r}"] if self.engine != "native" else []
        return f"Node({', '.join(parts)})"


HERE = Node("local")
"""The node of components that are given none."""
