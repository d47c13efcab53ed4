"""The YAML files of a Hydra config, composed to one tree with lines and comments."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kohaku_ast.errors import ConfigError
from kohaku_ast.migrate.migration import NotCarriedOver
from kohaku_ast.transform.find.source import decode, read_bytes

MISSING = "???"
"""Hydra's mark for a value that must be given."""

_FLOAT = re.compile(r"[-+]?(\d[\d_]*)(\.[\d_]*)?[eE][-+]?\d+|[-+]?\.\d[\d_]*([eE][-+]?\d+)?")
_PACKAGE = re.compile(r"#\s*@package\s+(\S+)")
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


def compose(path: str) -> tuple[Branch, list[NotCarriedOver]]:
    """The config at *path* with the files of its defaults list, and what was left out."""
    composer = _Composer(os.path.dirname(path))
    return composer.file(path, "", ()), composer.not_carried_over


class _Composer:
    """Follows defaults lists; *folder* is the root of all groups."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.not_carried_over: list[NotCarriedOver] = []
        self.open: list[str] = []

    def file(self, path: str, group: str, package: tuple[str, ...]) -> Branch:
        """The tree of the file at *path* of *group*, with its values below *package*."""
        own = _read_yaml(path)
        package = _header(path, package)
        made = Branch(path, 1)
        self.open.append(path)
        listed, line = _defaults(own)
        for part in [*listed, *([] if "_self_" in listed else ["_self_"])]:
            if part == "_self_":
                made.merge(_below(own, package))
            else:
                for inner in self.entry(part, path, line, group, package):
                    made.merge(inner)
        self.open.pop()
        return made

    def entry(
        self, entry: object, path: str, line: int, group: str, package: tuple[str, ...]
    ) -> Iterator[Branch]:
        """The trees of the files of one *entry* in the defaults list of *path*."""
        name, options = next(iter(entry.items())) if isinstance(entry, dict) else ("", entry)
        words = str(name).split()
        if "override" in words or str(name).startswith("hydra/"):
            self.not_carried_over.append(
                NotCarriedOver(path, line, f"defaults: {_shown(name, options)}")
            )
            return
        is_optional = "optional" in words
        key, _, own_package = (words[-1] if words else "").partition("@")
        inner = os.path.join(group, key) if not key.startswith("/") else key.lstrip("/")
        place = _place(own_package, package, key.strip("/"))
        for option in options if isinstance(options, list) else [options]:
            if option is None:
                continue
            found = self.find(inner, str(option))
            if found and found not in self.open:
                below = os.path.dirname(os.path.relpath(found, self.folder or "."))
                yield self.file(found, below, place)
            elif not is_optional or found:
                why = "it refers to itself" if found else "no such file"
                text = f"defaults: {_shown(name, option)}: {why}"
                self.not_carried_over.append(NotCarriedOver(path, line, text))

    def find(self, group: str, option: str) -> str:
        """The file of *option*; empty if there is none, or its name is known only at run time."""
        if option == MISSING or "${" in option:
            return ""
        base = option.lstrip("/") if option.startswith("/") else os.path.join(group, option)
        stem = os.path.join(self.folder, base)
        names = [stem, *(stem + end for end in _ENDS)]
        return next((one for one in names if os.path.isfile(one)), "")


def _defaults(own: Branch) -> tuple[list[object], int]:
    """The defaults list, which is removed from *own*, and its line."""
    entries = own.items.get("defaults")
    if not isinstance(entries, Leaf) or not isinstance(entries.value, list):
        return [], 0
    del own.items["defaults"]
    return entries.value, entries.line


def _shown(name: object, option: object) -> str:
    return f"{name}: {option}" if name else str(option)


def _header(path: str, package: tuple[str, ...]) -> tuple[str, ...]:
    """The package named by ``# @package`` at the top of the file, else *package*."""
    with open(path, encoding="utf-8", errors="replace") as file:
        found = _PACKAGE.match(file.readline())
    if found is None or found[1] == "_group_":
        return package
    return () if found[1] == "_global_" else tuple(found[1].split("."))


def _place(written: str, package: tuple[str, ...], key: str) -> tuple[str, ...]:
    """The package for the values of a file of group *key*; *written* is the text after ``@``."""
    if not written or written == "_group_":
        return (*package, *filter(None, key.split("/")))
    if written == "_here_":
        return package
    rest = written.removeprefix("_global_")
    start = () if rest != written else package
    return (*start, *filter(None, rest.split(".")))


def _below(own: Branch, package: tuple[str, ...]) -> Branch:
    for name in reversed(package):
        own = Branch(own.file, own.line, {name: own})
    return own
