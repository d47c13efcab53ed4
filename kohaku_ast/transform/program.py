"""Program: a script after the transform, as code objects. Says nothing of values.

On the warm path: a Program read from the cache needs nothing but this file.
"""

from __future__ import annotations

import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

    from kohaku_ast.readings import Reading

FORMAT = 2
"""Grows with every change of what is stored."""


# Larger than any placeholder is long: the compiler would fold b"abc"[0] to 97.
INDEX = 10**6
"""What a placeholder is subscripted with."""

CAPTURE = b"kogine:capture"
"""The constant that stands for what keeps the value of the starting call."""


def placeholder(kind: str, number: int) -> bytes:
    """The constant that stands for site *number*: ``value``, ``fresh`` or ``setter``."""
    return f"kogine:{kind}:{number}".encode()


class Meant:
    """What one target of a Request means."""

    __slots__ = ("default", "line", "module", "path", "reading", "target")

    def __init__(
        self,
        target: str,
        reading: Reading,
        line: int,
        default: str,
        path: tuple[str | int, ...],
        module: tuple[str, str, str] | None,
    ) -> None:
        #: The parameter's full target.
        self.target = target
        self.reading = reading
        #: The line of its first definition.
        self.line = line
        #: The value as written in the script.
        self.default = default
        #: Steps below the bound name that only the running script can follow.
        self.path = path
        #: For a parameter of an imported module: the module, its file, the target in it.
        self.module = module


class Program:
    """The code of one script for one Request."""

    __slots__ = (
        "call_name", "entry_name", "filename", "meant", "notes", "numba", "segments", "sites",
        "warnings",
    )  # fmt: skip

    def __init__(
        self,
        filename: str,
        segments: list[tuple[str, CodeType]],
        meant: list[Meant | None],
        sites: list[tuple[str, int, bool]],
        entry_name: str,
        call_name: str,
        warnings: list[tuple[str, str, int]],
        notes: list[str],
        numba: bool,
    ) -> None:
        self.filename = filename
        #: Code to run in this order, each with its role: ``module`` or ``guard``.
        self.segments = segments
        #: What each target of the Request means, in its order.
        self.meant = meant
        #: Each place that takes a value: full target, line, whether it may run many times.
        self.sites = sites
        #: The function of the script that is called after the module, or "".
        self.entry_name = entry_name
        #: The function whose call takes ``args`` and ``kwargs``, or "".
        self.call_name = call_name
        #: What Python's compiler warns of: category, message, line.
        self.warnings = warnings
        #: What to say at the end of a run with these overrides.
        self.notes = notes
        #: Whether numba may be used: its cache on disk does not know of overrides.
        self.numba = numba

    def dumps(self) -> bytes:
        """The bytes that ``loads`` reads in the same version of Python."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values["meant"] = [
            one and tuple(getattr(one, name) for name in Meant.__slots__) for one in self.meant
        ]
        return marshal.dumps(values)


def loads(data: bytes) -> Program:
    """The Program that ``dumps`` wrote; ValueError, EOFError or TypeError for other bytes."""
    values = marshal.loads(data)
    values["meant"] = [one and Meant(**dict(zip(Meant.__slots__, one))) for one in values["meant"]]
    return Program(**values)
