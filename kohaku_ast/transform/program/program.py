"""Program: a script after the transform, as code objects; the Request that it is built for; and
how both are sent through a pipe.

On the warm path: a Program read from the cache needs only this file. It imports no module that
the interpreter has not loaded, and has no dataclass (importing dataclasses costs 12 ms, more than
``python hello.py`` takes).
"""

from __future__ import annotations

import marshal
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any, TypeAlias

    from kohaku_ast.errors import KogineError
    from kohaku_ast.value_types import Reading

    Order: TypeAlias = tuple[str, bytes, str, tuple[Any, ...] | None, str, str]
    """What a builder is sent: the key in the cache, then data, file name, key of the Request,
    folder and package as in ``load_program``. Without a Request the builder answers with the facts
    about options (see ``accepted_options``).
    """


FORMAT = 26
"""The version of the stored form; it grows with each change."""


FIELD_KINDS = ("dataclass", "attrs", "default", "factory")
"""What a value becomes in the body of a class: see ``field_values.py``."""

CAPTURE = b"kogine:capture"
"""The constant that stands for the object which stores the value of the starting call."""


_NUMBERS = ("key", "mark", "choice")
# Far above any index: the compiler would fold b"abc"[0] to 97.
_FIRST_NUMBER = int.from_bytes(b"kogine placeholders", "big") << 32


def placeholder(kind: str, number: int = 0) -> bytes | int:
    """The constant that stands for a part of site *number*, which bound_program.py explains; for
    its ``setter``; or for what makes the default of a field from a value: one of ``FIELD_KINDS``.
    """
    if kind in _NUMBERS:
        return _FIRST_NUMBER + number * len(_NUMBERS) + _NUMBERS.index(kind)
    return f"kogine:{kind}:{number}".encode()


class ResolvedTarget:
    """The parameter that a target of a Request means."""

    __slots__ = ("default", "later", "line", "module", "option", "path", "reading", "target")

    def __init__(
        self,
        target: str,
        reading: Reading,
        line: int,
        default: str,
        path: tuple[str | int, ...],
        module: tuple[str, str, str] | None,
        later: tuple[int, ...] = (),
        option: str = "",
    ) -> None:
        #: The parameter's full target.
        self.target = target
        self.reading = reading
        #: The line of its first definition.
        self.line = line
        #: The default as written in the script.
        self.default = default
        #: Steps below the bound name that only the running script can follow.
        self.path = path
        #: The lines that store another value at this path, after it is set.
        self.later = later
        #: For a parameter of an imported module: the module, its file, the target in it.
        self.module = module
        #: For a path into parsed arguments: the full target of the option of the same value.
        self.option = option


class Program:
    """The code of one script for one Request."""

    __slots__ = (
        "added", "call_name", "dead", "entry_name", "filename", "is_pure", "meant", "notes",
        "numba", "runs_texts", "segments", "sites", "warnings",
    )  # fmt: skip

    def __init__(
        self,
        filename: str,
        segments: list[tuple[str, CodeType]],
        meant: list[ResolvedTarget | None],
        sites: list[tuple[str, int, bool | None]],
        added: list[str],
        entry_name: str,
        call_name: str,
        warnings: list[tuple[str, str, int]],
        notes: list[str],
        dead: list[str],
        numba: bool,
        is_pure: bool,
        runs_texts: bool,
    ) -> None:
        self.filename = filename
        #: Code to run in this order, each with its role: ``module`` or ``guard``.
        self.segments = segments
        #: The parameter of each target of the Request, in its order.
        self.meant = meant
        #: Each place that takes a value: full target, line, whether it may run several times; None
        #: there if it only watches what stands at the target.
        self.sites = sites
        #: The targets among these that are globals which the script does not define.
        self.added = added
        #: The function of the script that is called after the module, or "".
        self.entry_name = entry_name
        #: The function whose call takes ``args`` and ``kwargs``, or "".
        self.call_name = call_name
        #: The warnings of Python's compiler: category, message, line.
        self.warnings = warnings
        #: Sentences to print at the end of a run with these overrides.
        self.notes = notes
        #: Those about defaults that no call in this file uses: other files may call a module's.
        self.dead = dead
        #: Whether the script may use numba, whose cache on disk is blind to overrides.
        self.numba = numba
        #: Whether a compiler (numba, torch) may read the bytecode of functions: the values in them
        #: are then plain constants, and nobody knows whether they were read.
        self.is_pure = is_pure
        #: Whether the script names ``exec``, ``eval`` or ``compile``.
        self.runs_texts = runs_texts

    def dumps(self) -> bytes:
        """The bytes that ``loads`` reads in the same version of Python."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values["meant"] = [
            one and tuple(getattr(one, name) for name in ResolvedTarget.__slots__)
            for one in self.meant
        ]
        return marshal.dumps(values)


def loads(data: bytes) -> Program:
    """The Program that ``dumps`` wrote; ValueError, EOFError or TypeError for other bytes."""
    values = marshal.loads(data)
    values["meant"] = [
        one and ResolvedTarget(**dict(zip(ResolvedTarget.__slots__, one)))
        for one in values["meant"]
    ]
    return Program(**values)


class Request:
    """The targets that get values, and how the program is started. Hashable by ``key()``."""

    __slots__ = ("above", "added", "args", "capture", "entrypoint", "kwargs", "split", "targets")

    def __init__(
        self,
        targets: tuple[tuple[str, bool | str, bool], ...] = (),
        kwargs: tuple[str, ...] = (),
        args: int = 0,
        entrypoint: str = "",
        split: bool = False,
        capture: bool = False,
        added: tuple[str, ...] = (),
        above: tuple[str, ...] = (),
    ) -> None:
        #: Each target as the user wrote it, whether its value came as text (``"cell"`` if from a
        #: file; ``None``, ``none`` or ``null`` if it is that word), and whether the script may lack
        #: it (a name that a config has for its own use).
        self.targets = targets
        #: The keywords, and the number of positional arguments, of the call that starts the
        #: program.
        self.kwargs = kwargs
        self.args = args
        #: The function to call after the module body, instead of the guard.
        self.entrypoint = entrypoint
        #: Whether the guards' bodies are code of their own, to be run later (``Script.load``).
        self.split = split
        #: Whether the run needs the value that the starting call returns.
        self.capture = capture
        #: Globals that are set before the first statement: the script must not define them.
        self.added = added
        #: The targets, as written, whose values win over the arguments of the starting call.
        self.above = above

    def key(self) -> tuple[object, ...]:
        """A tuple that is equal for requests of one Program."""
        return tuple(getattr(self, name) for name in self.__slots__)


class Findings:
    """What overrides met that only the running script makes: objects, modules of one name."""

    __slots__ = ("created", "kept", "namesakes", "prints", "replaced", "seen", "stopped", "waiting")

    def __init__(self) -> None:
        #: Each target whose attribute or key did not exist before, with a similar one or "".
        self.created: dict[str, str] = {}
        #: Each target that a later line may replace -> what reads its value, and the value set.
        self.kept: dict[str, tuple[Callable[[], object], object]] = {}
        #: The targets whose paths were not there yet when their names were bound.
        self.waiting: set[str] = set()
        #: Each watched target -> its value above the call that may give it another one.
        self.seen: dict[str, object] = {}
        #: Each watched target -> the lines of the calls that gave it another value.
        self.replaced: dict[str, tuple[int, ...]] = {}
        #: The other files that were imported under the name of this module.
        self.namesakes: set[str] = set()
        #: The error that has ended the run, or None.
        self.stopped: KogineError | None = None
        #: Whether that error is printed where it ends the run; else who runs the script raises it.
        self.prints = True


def copier(value: object) -> tuple[Callable[[bytes], object], bytes]:
    """A function and its argument: each call makes a plain value equal to *value*, new at every
    depth. marshal would sort the elements of a set, whose order a script may print.
    """
    if not _holds_set(value):
        return marshal.loads, marshal.dumps(value)  # type: ignore[arg-type]  # it is plain
    from _pickle import dumps, loads  # here: it loads twelve modules

    return loads, dumps(value)


def _holds_set(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_set, value.values())) or any(map(_holds_set, value))
    if isinstance(value, (list, tuple)):
        return any(map(_holds_set, value))
    return isinstance(value, (set, frozenset))


def send(number: int, mark: bytes, data: bytes) -> None:
    """Write *data* to the descriptor *number*, after *mark* and its size."""
    left = memoryview(framed(mark, data))
    while left:
        left = left[os.write(number, left) :]


def framed(mark: bytes, data: bytes) -> bytes:
    """The bytes from which ``unframed`` gets *data*."""
    return mark + len(data).to_bytes(8, "little") + data


def unframed(mark: bytes, received: bytes) -> bytes:
    """The data after *mark*; empty until all of it is there. Before *mark* may stand what the
    interpreter printed when it started (a ``sitecustomize`` may print).
    """
    _, _, data = received.partition(mark)
    size, data = int.from_bytes(data[:8], "little"), data[8:]
    return data[:size] if len(data) >= size else b""
