"""Code of a config that makes values without a text of their own: functions, classes, objects."""

from __future__ import annotations

import ast
import re
from base64 import b64encode
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from zlib import compress

from kohaku_ast.errors import UsageError, visible
from kohaku_ast.store.identity import UnstableError, fingerprint
from kohaku_ast.store.record import Record
from kohaku_ast.store.run_folder import hash_of
from kohaku_ast.store.sources import Objects

_WIDEST = 76
_LOADER = "from kohaku_ast.store.sources import load_text"


class Code:
    """An expression of a config, in place of the value that it makes."""

    def __init__(self, text: str) -> None:
        self.text = text


class ValueCode:
    """The definitions of a config, which the expressions of its values name."""

    def __init__(self, record: Record) -> None:
        self._record, self._objects = record, Objects(record.folder.parent.absolute())
        self.imports: list[str] = []
        #: Name -> the statement that binds it.
        self.definitions: dict[str, str] = {}
        self._names = {"Config", "CONFIG", "load_text", "inf", "nan", "Path", "numpy"}
        sources = record.facts.get("sources") or {}
        configs = {Path(one["file"]).stem: one for one in sources.get("configs") or ()}
        modules = sources.get("modules") or {}
        #: The names of configs, and of the modules and configs whose text was kept.
        self._configs = configs.keys() - modules.keys()
        self._texts = {name: str(one["sha256"]) for name, one in {**configs, **modules}.items()}

    @property
    def lines(self) -> list[str]:
        """All of them, in order."""
        parts = [part for one in dict.fromkeys(self.definitions.values()) for part in ("", one)]
        return [*self.imports, *parts]

    def of(self, form: Mapping[str, Any]) -> Code:
        """The expression for the value of *form*, an object that the store has. It is called where
        modules beside the script can be imported. Raises UsageError if nothing makes the value.
        """
        found = None
        if re.fullmatch(r"[\w.]+:\w+", str(form["repr"])) and "hash" in form:
            module, _, name = str(form["repr"]).partition(":")
            digest = str(form["hash"])
            found = self._imported(module, name, digest) or self._defined(module, name, digest)
        return found or self._loaded(form)

    def _imported(self, module: str, name: str, digest: str) -> Code | None:
        """By an import, if that gives the very code of the run."""
        if module in self._configs:
            return None  # its values would be made once more
        try:
            found = getattr(import_module(module), name)
        except Exception:  # it is gone, or is a config, or raises what it likes
            return None
        if _hash(found) != digest or module == "__main__" or self._is_taken(name):
            return None
        self.imports.append(f"from {module} import {name}")
        self._names.add(name)
        return Code(name)

    def _defined(self, module: str, name: str, digest: str) -> Code | None:
        """By the statements of its module, whose text was kept, that it needs."""
        text = self._objects.get(self._texts.get(module, ""))
        parts = None if text is None else _definitions(text.decode("utf-8", "replace"), name)
        if not parts or any(map(self._is_other, parts, parts.values())):
            return None
        try:
            space = run_text("\n".join(dict.fromkeys(parts.values())), module)
        except Exception:  # what it imports is gone
            return None
        if _hash(space.get(name)) != digest:
            return None
        self.definitions |= parts
        self._names.update(parts)
        return Code(name)

    def _is_taken(self, name: str) -> bool:
        return name in self._names

    def _is_other(self, name: str, text: str) -> bool:
        return self._is_taken(name) and self.definitions.get(name) != text

    def _loaded(self, form: Mapping[str, Any]) -> Code:
        """By its pickle, which may need the modules of the script as they were."""
        target, inside = form["target"], str(form.get("inside", ""))
        if inside and not self._are_modules_the_same():
            raise UsageError(
                f"the value of {target!r} is of modules of the script, which have changed: kogine "
                f"runs reproduce {self._record.folder.name} runs them as they were"
            )
        data = self._objects.get(str(form["object"]))
        if data is None:
            raise UsageError(
                f"the value of {target!r} is missing, or damaged, in {str(self._objects.folder)!r}"
            )
        if _LOADER not in self.imports:
            self.imports.append(_LOADER)
        name = self._free_name(str(target))
        text = b64encode(compress(data)).decode()
        pieces = [text[at : at + _WIDEST] for at in range(0, len(text), _WIDEST)]
        rows = "".join(f'    "{one}"\n' for one in pieces)
        more = f"    , {inside!r}\n" if inside else ""
        kind = " ".join(visible(str(form.get("type"))).split())  # a line end would make it code
        self._names.add(name)
        self.definitions[name] = f"{name} = load_text(  # {kind}\n{rows}{more})"
        return Code(name)

    def _free_name(self, target: str) -> str:
        start = re.sub(r"\W+", "_", target).strip("_").lower() or "value"
        start = f"_{start}"
        numbers = (f"{start}{number}" for number in range(2, 10_000))
        return next(one for one in (start, *numbers) if not self._is_taken(one))

    def _are_modules_the_same(self) -> bool:
        modules = (self._record.facts.get("sources") or {}).get("modules") or {}
        return all(_is_same(self._record, one) for one in modules.values())


def _is_same(record: Record, module: Mapping[str, Any]) -> bool:
    try:
        return hash_of(Path(record.facts["cwd"], module["file"])) == str(module["sha256"])
    except OSError:
        return False


def run_text(text: str, name: str) -> dict[str, Any]:
    """The globals of a module called *name* with this *text*."""
    space: dict[str, Any] = {"__name__": name}
    exec(compile(text, "<config>", "exec", dont_inherit=True), space)
    return space


def _hash(value: Any) -> str:
    try:
        return fingerprint(value).hex()
    except UnstableError:
        return ""


# --- the statements that a name needs ------------------------------------------------------------


def _definitions(text: str, name: str) -> dict[str, str] | None:
    """Each name that *name* needs at module level in *text*, itself among them, and the statement
    that binds it. None if one does more than to define: it would run once more.
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    lines = text.splitlines()
    bound = {one: statement for statement in body for one in _names_bound(statement)}
    wanted, needed = [name], set[str]()
    while wanted:
        one = wanted.pop()
        if one in bound and one not in needed:
            needed.add(one)
            wanted += [each.id for each in ast.walk(bound[one]) if isinstance(each, ast.Name)]
    statements = [one for one in body if needed.intersection(_names_bound(one))]
    if name not in needed or not all(map(_only_defines, statements)):
        return None
    return {each: _text_of(one, lines) for one in statements for each in _names_bound(one)}


def _names_bound(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return [(one.asname or one.name).partition(".")[0] for one in statement.names]
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [one.id for one in targets if isinstance(one, ast.Name)]
    return []


def _only_defines(statement: ast.stmt) -> bool:
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return not (isinstance(statement, ast.ImportFrom) and statement.level)
    try:
        ast.literal_eval(statement.value or ast.Constant(None))
    except (ValueError, TypeError):
        return False
    return True


def _text_of(statement: ast.stmt, lines: list[str]) -> str:
    decorators = getattr(statement, "decorator_list", [])
    first = min(one.lineno for one in (statement, *decorators))
    return "\n".join(lines[first - 1 : statement.end_lineno])
