"""Detects whether the objects that code reads have changed, and the kinds of parts of code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from types import BuiltinFunctionType, CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any

from kohaku_ast.user_code import held_by, home_of, is_a

MISSING = type("MISSING", (), {})()
"""The value of an undefined name or an empty cell."""


class OptionalPart:
    """A part of a library's object; it may have no fingerprint."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


class ReadOnce(OptionalPart):
    """A part that is read once and cannot change later: how a dataclass was made."""

    __slots__ = ()


Part = tuple[str, Any]
"""The name of a part in an explanation, and the part."""


#: Functions that find modules, and those that find globals, by a text: module and name.
_IMPORTING = (
    ("importlib", "import_module"), ("importlib", "__import__"), ("builtins", "__import__"),
    ("pkgutil", "resolve_name"), ("pydoc", "locate"), ("runpy", "run_module"),
    ("runpy", "run_path"), ("sys", "modules"),
)  # fmt: skip
_NAMING = (("builtins", "eval"), ("builtins", "exec"), ("builtins", "globals"))
_MOST_ITEMS = 1000  # of a container, that are looked at
_LONGEST = 100  # characters of the name of a module or codec


@dataclass
class CodeReads:
    """What the code of one search mentions: for parts that no name in it leads to."""

    #: The names of all globals and attributes.
    names: set[str] = field(default_factory=set)
    #: Short texts, in the code and in the values that it reads.
    texts: set[str] = field(default_factory=set)
    #: Bytes, in the same places: one may be a pickle.
    blobs: set[bytes] = field(default_factory=set)
    #: The top-level packages of the functions, classes and modules that it reads.
    libraries: set[str] = field(default_factory=set)
    #: The modules that were found by their names as text.
    modules: set[str] = field(default_factory=set)
    #: Whether it may find modules, or globals, by texts that stand elsewhere.
    takes_modules: bool = False
    takes_names: bool = False

    def note(self, part: Any) -> None:
        """Take down *part*, and what is in it."""
        if is_a(part, OptionalPart):
            part = part.value
        owner = part if is_a(part, (ModuleType, type, FunctionType)) else type(part)
        is_module = is_a(owner, ModuleType)
        module = held_by(owner).get("__name__") if is_module else home_of(owner)
        if isinstance(module, str) and module != "builtins":
            self.libraries.add(module.partition(".")[0])
        self._note_inside(part, 3)

    def note_function(self, value: Any) -> None:
        """Take down *value* if it is a function that finds what a text names, whatever the name
        that it has here.
        """
        for places, flag in ((_IMPORTING, "takes_modules"), (_NAMING, "takes_names")):
            for module, name in places:
                loaded = sys.modules.get(module)
                if loaded is not None and vars(loaded).get(name) is value:
                    setattr(self, flag, True)

    def _note_inside(self, value: Any, depth: int) -> None:
        kind = type(value)
        if kind is str:
            if len(value) < _LONGEST:
                self.texts.add(value)
        elif kind is bytes:
            self.blobs.add(value)
        elif kind in (FunctionType, BuiltinFunctionType) or value is sys.modules:
            self.note_function(value)
        elif depth:
            for one in islice(_items_of(value), _MOST_ITEMS):
                self._note_inside(one, depth - 1)


def _items_of(value: Any) -> Iterable[Any]:
    """What a container, a partial or an object holds."""
    kind = type(value)
    if kind in (list, tuple, set, frozenset):
        return value  # type: ignore[no-any-return]
    if kind in (dict, MappingProxyType):
        return [*value, *value.values()] if len(value) < _MOST_ITEMS else ()
    if kind is partial:
        return (value.func, *value.args, *value.keywords.values())
    return () if is_a(value, (type, ModuleType)) else list(held_by(value).values())


@dataclass
class ChangeDetector:
    """Places where parts were found. As long as they hold the same objects, nothing has changed."""

    names: list[tuple[Any, str, Any]] = field(default_factory=list)
    functions: list[tuple[FunctionType, CodeType, Any, Any]] = field(default_factory=list)
    cells: list[tuple[Any, Any]] = field(default_factory=list)
    sizes: list[tuple[Any, int]] = field(default_factory=list)
    #: Computed parts: the call, and its result.
    answers: list[tuple[Callable[[], object], object]] = field(default_factory=list)
    #: Whether a function uses the subclasses of a class; it is not known of which one.
    with_subclasses: bool = False
    #: What the code mentions.
    reads: CodeReads = field(default_factory=CodeReads)

    @classmethod
    def of_all(cls, watches: Iterable[ChangeDetector]) -> ChangeDetector:
        """One detector for all, each place once: 100 nodes that read a constant check it once."""
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
        """The value of *name* in the dict *namespace*, or MISSING; it is watched from now on."""
        value = namespace.get(name, MISSING)
        self.names.append((namespace, name, value))
        return value

    def ask(self, question: Callable[[], Any]) -> Any:
        """The result of *question*, which every run calls again."""
        answer = question()
        self.answers.append((question, answer))
        return answer

    def holds(self) -> bool:
        """Whether every place still has its object; takes 50 ns for each."""
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
    """Whether two results are the same: identical objects, or equal text, bytes or numbers."""
    if one is other:
        return True
    if type(one) is tuple and type(other) is tuple:
        return len(one) == len(other) and all(map(_is_same, one, other))
    return type(one) is type(other) and type(one) in (str, bytes, int) and one == other


def _question(question: Any) -> tuple[Any, ...]:
    """A key that is equal for two partials of one function with the same arguments."""
    return (getattr(question, "func", question), *map(id, getattr(question, "args", ())))


def cell_content(cell: Any) -> Any:
    """The value in a closure's cell, or MISSING."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING
