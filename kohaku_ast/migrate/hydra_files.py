"""The YAML files of a Hydra config, composed to one tree with lines and comments."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kohaku_ast.config.hydra_config import ONLY_YAML, ask_hydra
from kohaku_ast.errors import ConfigError
from kohaku_ast.migrate.migration import NotCarriedOver
from kohaku_ast.transform.find.source import decode, read_bytes

MISSING = "???"
"""Hydra's mark for a value that must be given."""

_FLOAT = re.compile(r"[-+]?(\d[\d_]*)(\.[\d_]*)?[eE][-+]?\d+|[-+]?\.\d[\d_]*([eE][-+]?\d+)?")
_PACKAGE = re.compile(r"\s*#\s*@package\s")
_ENDS = (".yaml", ".yml")
_PLAIN = ("bool", "int", "float", "null")


@dataclass
class Leaf:
    """A value that is no mapping."""

    #: Text may hold ``${...}``; a list may hold anything.
    value: object
    file: str
    line: int
    #: The comment after it on its line, else the one above its key.
    help: str = ""


@dataclass
class Branch:
    """A mapping of names."""

    file: str
    line: int
    items: dict[str, Leaf | Branch] = field(default_factory=dict)

    def merge(self, other: Branch) -> None:
        """Add the values of *other*, which replace own values of the same names."""
        for name, node in other.items.items():
            own = self.items.get(name)
            if isinstance(own, Branch) and isinstance(node, Branch):
                own.merge(node)
            else:
                self.items[name] = node

    def leaves(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Leaf]]:
        """Every value with its path, in order; an empty mapping is one."""
        for name, node in self.items.items():
            if isinstance(node, Leaf):
                yield (*path, name), node
            elif node.items:
                yield from node.leaves((*path, name))
            else:
                yield (*path, name), Leaf({}, node.file, node.line)

    def plain(self) -> dict[str, object]:
        """The mapping as a dict."""
        return {
            name: node.plain() if isinstance(node, Branch) else node.value
            for name, node in self.items.items()
        }


def _read_yaml(path: str) -> Branch:
    """The tree of the file at *path*; raises ConfigError if it is no mapping."""
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
        if key is not node and any(
            inner.tag.endswith((":int", ":float")) for inner, _ in node.value
        ):
            return Leaf(self.value(node), self.path, line)  # a number is the name of nothing
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
        """The comment after the value on its line, else on the lines right above its key."""
        end = node.end_mark
        rest = self.lines[end.line][end.column :] if end.line < len(self.lines) else ""
        if node.end_mark.line == node.start_mark.line and rest.strip().startswith("#"):
            return rest.strip().lstrip("# ")
        above: list[str] = []
        place = key.start_mark.line - 1
        while place >= 0 and self.lines[place].strip().startswith("#"):
            above.insert(0, self.lines[place].strip().lstrip("# "))
            place -= 1
        is_package = above and above[0].startswith("@package")
        return " ".join(above[1:] if is_package else above)


# --- the defaults list: which files a config is made of, and where each goes ----------------------


@dataclass(frozen=True)
class Composition:
    """A config with the files of its defaults list."""

    tree: Branch
    not_carried_over: list[NotCarriedOver] = field(default_factory=list)
    #: The groups of which it has options.
    groups: frozenset[str] = frozenset()


def compose(path: str) -> Composition:
    """The config at *path* with the files of its defaults list.

    Hydra composes the values; the files as they are read here have the lines and comments. Raises
    ConfigError if Hydra cannot compose them, or is not installed.
    """
    top = _read_yaml(path)
    ending = os.path.splitext(path)[1].lower()
    entries, _ = _defaults(top) if ending in _ENDS else ([], 0)
    if entries and ending != _ENDS[0]:
        raise ConfigError(f"{path}: {ONLY_YAML}")
    has_package = _PACKAGE.match(decode(read_bytes(path), path).text) and ending == _ENDS[0]
    if not (entries or has_package):
        return Composition(top)
    found = ask_hydra(path, os.path.abspath(path), files=True)
    if "failure" in found:
        raise ConfigError(f"{path}: {found['failure']['text']}")
    composer = _Composer(path, found)
    tree = composer.tree()
    return Composition(tree, composer.not_carried_over, frozenset(found["choices"]))


class _Composer:
    """Puts the lines and comments of the files beside the values that Hydra *found*."""

    def __init__(self, path: str, found: Mapping[str, Any]) -> None:
        self.path, self.found = path, found
        self.not_carried_over: list[NotCarriedOver] = []

    def tree(self) -> Branch:
        """The values, and the settings of Hydra itself as they are in the files."""
        whole = Branch(self.path, 1)
        for name, _, package, file in self.found["listed"]:
            if file:
                own = _read_yaml(self.shown(name, file))
                self.leave_entries(own, os.path.dirname(name))
                whole.merge(_below(own, _steps(package)))
        made = _placed(self.found["values"], whole, is_top=True)
        assert isinstance(made, Branch)
        for name, _, package, _ in self.found["listed"]:
            if name in self.found["unfound"]:
                _drop_empty(made, _steps(package))
        made.items |= {name: one for name, one in whole.items.items() if name == "hydra"}
        return made

    def shown(self, name: str, file: str) -> str:
        """The path of the config *name* as the user would write it, else *file*."""
        base = name if name.endswith(_ENDS[0]) else name + _ENDS[0]
        path = os.path.join(os.path.dirname(self.path), base)
        return path if os.path.isfile(path) else file

    def leave_entries(self, own: Branch, folder: str) -> None:
        """Take the defaults list out of *own*, a file in *folder*, and report what it has for Hydra
        itself, and what no file was found for.
        """
        entries, line = _defaults(own)
        for entry in entries:
            key, options = next(iter(entry.items())) if isinstance(entry, dict) else ("", entry)
            for option in options if isinstance(options, list) else [options]:
                why = self.why_left(str(key), option, folder)
                if why is not None:
                    shown = f"{key}: {option}" if key else str(option)
                    self.not_carried_over.append(
                        NotCarriedOver(own.file, line, f"defaults: {shown}{why}")
                    )

    def why_left(self, key: str, option: object, folder: str) -> str | None:
        """Why the values of *option* are not there; None if they are."""
        words = key.split()
        written = (words[-1] if words else "").partition("@")[0]
        group = written[1:] if written.startswith("/") else f"{folder}/{written}".strip("/")
        if group.startswith("hydra/"):
            return ""
        chosen = {one for k, one in self.found["choices"].items() if k.partition("@")[0] == group}
        if option == MISSING:
            return ": must be given" if MISSING in chosen else None
        path = str(option).partition("@")[0] if not key else str(option)
        full = path[1:] if path.startswith("/") else f"{group}/{path}".lstrip("/")
        is_absent = full in self.found["unfound"] and "optional" not in words
        return ": no such file" if is_absent else None


def _placed(value: object, place: Branch | Leaf, *, is_top: bool = False) -> Branch | Leaf:
    """*value* at the line and with the comment of *place*."""
    if not isinstance(value, dict) or (
        not is_top and not all(isinstance(key, str) for key in value)
    ):
        return Leaf(value, place.file, place.line, place.help if isinstance(place, Leaf) else "")
    inner = place.items if isinstance(place, Branch) else {}
    other = Branch(place.file, place.line)
    made = Branch(place.file, place.line)
    for key, one in value.items():
        made.items[str(key)] = _placed(one, inner.get(str(key), other))
    return made


def _defaults(own: Branch) -> tuple[list[object], int]:
    """The defaults list, which is removed from *own*, and its line."""
    entries = own.items.get("defaults")
    if not isinstance(entries, Leaf) or not isinstance(entries.value, list):
        return [], 0
    if not all(isinstance(one, str) or _is_pair(one) for one in entries.value):
        return [], 0  # a parameter of the script
    del own.items["defaults"]
    return entries.value, entries.line


def _is_pair(entry: object) -> bool:
    return isinstance(entry, dict) and len(entry) == 1


def _below(own: Branch, package: tuple[str, ...]) -> Branch:
    for name in reversed(package):
        own = Branch(own.file, own.line, {name: own})
    return own


def _steps(package: str) -> tuple[str, ...]:
    return tuple(filter(None, package.split(".")))


def _drop_empty(tree: Branch, path: tuple[str, ...]) -> None:
    """Take the mapping at *path* out of *tree* if it is empty, as one of no file is."""
    node: Branch | Leaf | None = tree
    for step in path[:-1]:
        node = node.items.get(step) if isinstance(node, Branch) else None
    if path and isinstance(node, Branch):
        last = node.items.get(path[-1])
        if isinstance(last, Branch) and not last.items:
            del node.items[path[-1]]
            _drop_empty(tree, path[:-1])
