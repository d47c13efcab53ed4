"""What code is made of, and the watch that is kept over where it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import CodeType, FunctionType
from typing import Any

MISSING = type("MISSING", (), {})()
"""Stands for a name that is not defined, a cell that is empty."""


class OptionalPart:
    """A part of a library's own, that may be what no fingerprint can be taken of."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


class ReadOnce(OptionalPart):
    """A part that nobody looks at again once it was read: how a dataclass was made."""

    __slots__ = ()


Part = tuple[str, Any]
"""What a part is called in an explanation, and the part."""


@dataclass
class ChangeDetector:
    """Where the parts were found: as long as the same objects lie there, nothing changed."""

    names: list[tuple[Any, str, Any]] = field(default_factory=list)
    functions: list[tuple[FunctionType, CodeType, Any, Any]] = field(default_factory=list)
    cells: list[tuple[Any, Any]] = field(default_factory=list)
    sizes: list[tuple[Any, int]] = field(default_factory=list)
    #: What lies nowhere: how it is asked for, and what the answer was.
    answers: list[tuple[Callable[[], object], object]] = field(default_factory=list)
    #: Whether a function asks for the subclasses of a class; it is not known of which.
    with_subclasses: bool = False

    @classmethod
    def of_all(cls, watches: Iterable[ChangeDetector]) -> ChangeDetector:
        """All watches as one, each thing once: 100 nodes that read one constant look once."""
        names: dict[Any, Any] = {}
        functions: dict[Any, Any] = {}
        cells: dict[Any, Any] = {}
        sizes: dict[Any, Any] = {}
        answers: dict[Any, Any] = {}
        for one in watches:
            names.update({(id(found[0]), found[1]): found for found in one.names})
            functions.update({id(found[0]): found for found in one.functions})
            cells.update({id(found[0]): found for found in one.cells})
            sizes.update({id(found[0]): found for found in one.sizes})
            answers.update({_question(found[0]): found for found in one.answers})
        return cls(
            list(names.values()),
            list(functions.values()),
            list(cells.values()),
            list(sizes.values()),
            list(answers.values()),
        )

    def read(self, namespace: Any, name: str) -> Any:
        """What lies under *name* in the dict *namespace*, MISSING if nothing does."""
        value = namespace.get(name, MISSING)
        self.names.append((namespace, name, value))
        return value

    def ask(self, question: Callable[[], Any]) -> Any:
        """The answer to *question*, that is asked again by every run."""
        answer = question()
        self.answers.append((question, answer))
        return answer

    def holds(self) -> bool:
        """Whether every object is still where it was; 50 ns for each."""
        for mapping, name, value in self.names:
            if mapping.get(name, MISSING) is not value:
                return False
        for function, code, defaults, named in self.functions:
            if (
                function.__code__ is not code
                or function.__defaults__ is not defaults
                or function.__kwdefaults__ is not named
            ):
                return False
        for cell, value in self.cells:
            if cell_content(cell) is not value:
                return False
        for mapping, size in self.sizes:
            if len(mapping) != size:
                return False
        return all(_is_same(question(), answer) for question, answer in self.answers)


def _is_same(one: object, other: object) -> bool:
    """Whether two answers are one: the same objects, or equal text, bytes and numbers."""
    if one is other:
        return True
    if type(one) is tuple and type(other) is tuple:
        return len(one) == len(other) and all(map(_is_same, one, other))
    return type(one) is type(other) and type(one) in (str, bytes, int) and one == other


def _question(question: Any) -> tuple[Any, ...]:
    """The same for two partials of one function with the same arguments."""
    return (getattr(question, "func", question), *map(id, getattr(question, "args", ())))


def cell_content(cell: Any) -> Any:
    """What a closure's cell holds."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING
