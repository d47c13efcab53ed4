"""Hydra's defaults list: which files a config is made of, and where each goes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from kohaku_ast.config.migrated import Left
from kohaku_ast.config.yaml_tree import MISSING, Branch, Leaf, read_yaml

_PACKAGE = re.compile(r"#\s*@package\s+(\S+)")
_ENDS = (".yaml", ".yml")


def compose(path: str) -> tuple[Branch, list[Left]]:
    """The config at *path* with the files of its defaults list, and what is not in it."""
    composer = _Composer(os.path.dirname(path))
    return composer.file(path, "", ()), composer.left


class _Composer:
    """Follows defaults lists; *folder* is the root of all groups."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.left: list[Left] = []
        self.open: list[str] = []

    def file(self, path: str, group: str, package: tuple[str, ...]) -> Branch:
        """The file at *path*, of *group*, with its values below *package*."""
        own = read_yaml(path)
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
        """The files of one *entry* of the list in *path*."""
        name, options = next(iter(entry.items())) if isinstance(entry, dict) else ("", entry)
        words = str(name).split()
        if "override" in words or str(name).startswith("hydra/"):
            self.left.append(Left(path, line, f"defaults: {_shown(name, options)}"))
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
                why = "it needs itself" if found else "no such file"
                said = f"defaults: {_shown(name, option)}: {why}"
                self.left.append(Left(path, line, said))

    def find(self, group: str, option: str) -> str:
        """The file of *option*; empty if there is none, or only the run knows its name."""
        if option == MISSING or "${" in option:
            return ""
        base = option.lstrip("/") if option.startswith("/") else os.path.join(group, option)
        stem = os.path.join(self.folder, base)
        names = [stem, *(stem + end for end in _ENDS)]
        return next((one for one in names if os.path.isfile(one)), "")


def _defaults(own: Branch) -> tuple[list[object], int]:
    """The defaults list, taken out of *own*, and its line."""
    entries = own.items.get("defaults")
    if not isinstance(entries, Leaf) or not isinstance(entries.value, list):
        return [], 0
    del own.items["defaults"]
    return entries.value, entries.line


def _shown(name: object, option: object) -> str:
    return f"{name}: {option}" if name else str(option)


def _header(path: str, package: tuple[str, ...]) -> tuple[str, ...]:
    """By ``# @package`` at the top of the file, else *package*."""
    with open(path, encoding="utf-8", errors="replace") as file:
        found = _PACKAGE.match(file.readline())
    if found is None or found[1] == "_group_":
        return package
    return () if found[1] == "_global_" else tuple(found[1].split("."))


def _place(written: str, package: tuple[str, ...], key: str) -> tuple[str, ...]:
    """Where the values of a file of group *key* go; *written* stands behind ``@``."""
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
