"""A YAML file as a tree that keeps lines and comments, typed as Hydra types it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kohaku_ast.errors import ConfigError
from kohaku_ast.transform.source import decode, read_bytes

MISSING = "???"
"""Hydra's mark for a value that must be given."""

_FLOAT = re.compile(r"[-+]?(\d[\d_]*)(\.[\d_]*)?[eE][-+]?\d+|[-+]?\.\d[\d_]*([eE][-+]?\d+)?")
_PLAIN = ("bool", "int", "float", "null")


@dataclass
class Leaf:
    """A value that is no mapping."""

    #: Text may hold ``${...}``; a list may hold anything.
    value: object
    file: str
    line: int
    #: The comment behind it, else the one above its key.
    help: str = ""


@dataclass
class Branch:
    """A mapping of names."""

    file: str
    line: int
    items: dict[str, Leaf | Branch] = field(default_factory=dict)

    def merge(self, other: Branch) -> None:
        """Take over what *other* has; of two values its one."""
        for name, node in other.items.items():
            own = self.items.get(name)
            if isinstance(own, Branch) and isinstance(node, Branch):
                own.merge(node)
            else:
                self.items[name] = node

    def leaves(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Leaf]]:
        """Every value with its path, in order."""
        for name, node in self.items.items():
            if isinstance(node, Branch):
                yield from node.leaves((*path, name))
            else:
                yield (*path, name), node

    def plain(self) -> dict[str, object]:
        """The mapping as a dict."""
        return {
            name: node.plain() if isinstance(node, Branch) else node.value
            for name, node in self.items.items()
        }


def read_yaml(path: str) -> Branch:
    """The tree of the file at *path*; raises ConfigError for what is no mapping."""
    return _Reader(path, decode(read_bytes(path), path).text).read()


class _Reader:
    """Reads one file."""

    def __init__(self, path: str, text: str) -> None:
        try:
            import yaml  # type: ignore[import-untyped]
        except ImportError as error:
            raise ConfigError(
                f"{path}: YAML needs PyYAML: pip install 'kohaku-ast[yaml]'"
            ) from error
        self.yaml: Any = yaml
        self.path = path
        self.text = text
        self.lines = text.splitlines()
        self.loader: Any = yaml.SafeLoader(text)

    def read(self) -> Branch:
        try:
            node = self.loader.get_single_node()
            if node is None:
                return Branch(self.path, 1)
            made = self.node(node, node)
        except self.yaml.YAMLError as error:
            raise ConfigError(f"{self.path}: not YAML: {error}") from error
        except RecursionError:
            raise ConfigError(f"{self.path}: a mapping contains itself") from None
        if not isinstance(made, Branch):
            raise ConfigError(f"{self.path}: not a mapping of names to values")
        return made

    def node(self, key: Any, node: Any) -> Leaf | Branch:
        line = node.start_mark.line + 1
        if not isinstance(node, self.yaml.MappingNode):
            return Leaf(self.value(node), self.path, line, self.comment(key, node))
        self.refuse_twice(node)
        self.loader.flatten_mapping(node)
        # A key is a name: `on:` is no truth value.
        items = {str(inner.value): self.node(inner, value) for inner, value in node.value}
        return Branch(self.path, line, items)

    def refuse_twice(self, node: Any) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if str(key.value) in seen:
                raise ConfigError(f"{self.path}:{line}: {key.value!r} is given twice")
            seen.add(str(key.value))

    def value(self, node: Any) -> object:
        if isinstance(node, self.yaml.SequenceNode):
            return [self.value(one) for one in node.value]
        if isinstance(node, self.yaml.MappingNode):
            self.loader.flatten_mapping(node)
            return {self.value(key): self.value(value) for key, value in node.value}
        text = node.value
        if node.style is None and _FLOAT.fullmatch(text):
            return float(text)  # 1e-3: a float for Hydra, a text for YAML 1.1
        kind = node.tag.rpartition(":")[2]
        return self.loader.construct_object(node) if kind in _PLAIN else text

    def comment(self, key: Any, node: Any) -> str:
        """Behind the value, or on the lines right above its key."""
        end = node.end_mark
        rest = self.lines[end.line][end.column :] if end.line < len(self.lines) else ""
        if node.end_mark.line == node.start_mark.line and rest.strip().startswith("#"):
            return rest.strip().lstrip("# ")
        said: list[str] = []
        place = key.start_mark.line - 1
        while place >= 0 and self.lines[place].strip().startswith("#"):
            said.insert(0, self.lines[place].strip().lstrip("# "))
            place -= 1
        is_package = said and said[0].startswith("@package")
        return " ".join(said[1:] if is_package else said)
