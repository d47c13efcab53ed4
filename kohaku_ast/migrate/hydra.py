"""A Python config for one script, from a YAML or Hydra config."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from kohaku_ast.config.cells import CellText, native, split_at_commas
from kohaku_ast.config.template import ConfigLine, config_rows, is_bare, quoted
from kohaku_ast.migrate.hydra_files import MISSING, Branch, Leaf, compose
from kohaku_ast.migrate.migration import Key, Migrated, NotCarriedOver, in_order, match_keys
from kohaku_ast.transform.edit.value_text import LiteralError, literal
from kohaku_ast.transform.find.inspection import Inspection
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.paths import join_path
from kohaku_ast.value_types import core

_RESERVED = {
    "_args", "_kwargs", "_argv", "_metadata", "_sweep", "_outputs", "_inputs", "_artifacts",
    "_overrides",
}  # fmt: skip
_OBJECT = "_target_"
_ABOUT_OBJECTS = ("_partial_", "_recursive_", "_convert_", "_args_")
_CALL = re.compile(r"(\w+)\((.*)\)", re.S)
_RESOLVER = re.compile(r"([A-Za-z_][\w.]*)\s*:(.*)", re.S)
_WHOLE = re.compile(r"\$\{([^${}:]+)\}")
"""A text that is one reference."""
_DEEPEST = 20
"""The number of references that are followed to one value; more are a circle."""
_ENVIRONMENT = ("oc.env", "env")
_INTEGER = re.compile(r"[-+]?(0|[1-9](_?\d)*)")
_NUMBER = re.compile(
    r"[-+]?(\d(_?\d)*\.(\d(_?\d)*)?|\.\d(_?\d)*|\d(_?\d)*(?=[eE]))([eE][-+]?\d(_?\d)*)?"
    r"|[-+]?(?i:inf|nan)"
)


def migrate_yaml(file: str, script: Inspection | None = None) -> Migrated:
    """A config with the values of *file*, and of the files in its defaults list, for *script*."""
    found = compose(file)
    axes, more = _take_sweep(found.tree, found.groups, file)
    writer = _Writer(found.tree, script, axes)
    writer.not_carried_over += [*found.not_carried_over, *more]
    return Migrated(writer.text(), in_order(writer.not_carried_over))


class _Writer:
    """Writes one tree of values as a config."""

    def __init__(
        self, tree: Branch, script: Inspection | None, axes: dict[Key, tuple[Leaf, str]]
    ) -> None:
        self.tree = tree
        self.script = script
        self.axes = axes
        self.not_carried_over: list[NotCarriedOver] = []
        self.leaves = dict(_joined(tree, script))
        keys = list(dict.fromkeys([*self.leaves, *axes]))
        self.matched: dict[Key, Parameter | str] = match_keys(script, keys) if script else {}
        #: Key -> the name that other values read it by, where its target is no plain name.
        self.private: dict[Key, str] = {}
        self.texts: dict[Key, str] = {}
        self.order: list[Key] = []
        self.busy: list[Key] = []

    def text(self) -> str:
        """The whole file."""
        for key in self.leaves:
            self.work_out(key)
        lines = [one for key in self.order for one in self.lines(key)]
        body = "\n".join([*config_rows(lines), *self.sweep()])
        start = "import os\n\n" if "os.environ" in body else ""
        return start + body.lstrip("\n") + "\n"

    # --- values ---

    def work_out(self, key: Key) -> None:
        """Set the text of the value at *key*, after the texts of those that it reads."""
        if key in self.texts:
            return
        if key in self.busy:
            raise NotPlainError("it refers to itself")
        leaf = self.leaves[key]
        self.busy.append(key)
        try:
            self.texts[key] = self.written(leaf.value, key)
        except NotPlainError as error:
            self.texts[key] = ""
            self.leave(leaf, f"{'.'.join(key)}: {error}")
        self.busy.pop()
        self.order.append(key)

    def written(self, value: object, key: Key) -> str:
        return _value_text(value, key, self.name_of)

    def type_of(self, key: Key) -> str:
        """``tuple`` or ``float`` if the script's type is not the one of the value at *key*."""
        match, value = self.matched.get(key), self.leaves[key].value
        wanted = core(match.reading)[0] if isinstance(match, Parameter) else "any"
        is_other = (wanted, type(value)) in (("tuple", list), ("float", int))
        return wanted if is_other and value != MISSING else ""

    def typed(self, key: Key, name: str) -> str:
        """The value at *key* as the script wants it; *name* has it as the file does, if given."""
        text, kind = self.texts[key], self.type_of(key)
        if not (kind and text):
            return name or text
        if name:
            return f"{kind}({name})"
        value = self.leaves[key].value
        if isinstance(value, list):
            return f"({text[1:-1]}{',' * (len(value) == 1)})"
        return f"{text}.0"

    def name_of(self, path: Key, reader: Key) -> str:
        """The name, or the dict, that the value at *reader* uses for the one at *path*."""
        path, node = self.find(path)
        if isinstance(node, Branch):
            return self.branch_text(node, path)
        self.work_out(path)
        if not self.texts[path]:
            raise NotPlainError(f"it reads {'.'.join(path)}")
        if path in self.axes:
            while reader not in self.leaves and len(reader) > 1:
                reader = reader[:-1]  # an entry of a list
            where = self.leaves.get(reader, node)
            self.leave(where, f"{'.'.join(reader)}: does not follow the sweep of {'.'.join(path)}")
        target = self.target(path)
        if is_bare(target) and not self.is_helper_only(path):
            return target
        return self.private.setdefault(path, self.free_name(path))

    def branch_text(self, branch: Branch, path: Key) -> str:
        """The mapping at *path* as a dict."""
        if path in self.busy:
            raise NotPlainError("it refers to itself")
        self.busy.append(path)
        pairs = []
        for name, node in branch.items.items():
            inner = (*path, name)
            if isinstance(node, Branch):
                text = self.branch_text(node, inner)
            else:
                text = _value_text(node.value, inner, self.name_of)
            pairs.append(f"{quoted(name)}: {text}")
        self.busy.pop()
        return f"{{{', '.join(pairs)}}}"

    def is_helper_only(self, path: Key) -> bool:
        """Whether no line in force has it as the file does: the script has no such parameter, or
        one of another type; or it is swept.
        """
        is_missing = isinstance(self.matched.get(path), str)
        return is_missing or path in self.axes or self.type_of(path) != ""

    def find(self, path: Key, depth: int = 0) -> tuple[Key, Branch | Leaf]:
        """What stands at *path*, and its own path: a mapping above may be a reference itself."""
        node: Branch | Leaf = self.tree
        for index, step in enumerate(path):
            read = _WHOLE.fullmatch(str(node.value)) if isinstance(node, Leaf) else None
            if read and depth < _DEEPEST:
                place = _absolute(read[1].strip(), path[:index])
                return self.find((*place, *path[index:]), depth + 1)
            if not isinstance(node, Branch) or step not in node.items:
                raise NotPlainError(f"${{{'.'.join(path)}}} is not in the config")
            node = node.items[step]
        if isinstance(node, Leaf) and path not in self.leaves:
            raise NotPlainError(f"${{{'.'.join(path)}}} is part of another value")
        return path, node

    def free_name(self, path: Key) -> str:
        name = "_" + "_".join("".join(c if c.isalnum() else "_" for c in step) for step in path)
        return f"{name}_" if name in _RESERVED else name

    # --- lines ---

    def target(self, key: Key) -> str:
        match = self.matched.get(key)
        return match.short if isinstance(match, Parameter) else _joined_key(key)

    def lines(self, key: Key) -> list[ConfigLine]:
        """The lines for *key*; first a name of the config's own, if other values read it."""
        leaf = self.leaves[key]
        if key[-1] in (_OBJECT, *_ABOUT_OBJECTS):
            return self.object_line(key, leaf)
        name = self.private.get(key, "")
        helper = [ConfigLine(name, self.texts[key], help=leaf.help, is_helper=True)] if name else []
        match = self.matched.get(key, "")
        if name and match and isinstance(match, str):
            return helper
        shown = self.typed(key, name) or _in_quotes(leaf.value)
        reason = self.reason(key, leaf, match)
        return [*helper, ConfigLine(self.target(key), shown, reason, "" if name else leaf.help)]

    def reason(self, key: Key, leaf: Leaf, match: Parameter | str) -> str:
        if not self.texts[key]:
            return "must be given" if leaf.value == MISSING else "not carried over"
        if key in self.axes:
            return "swept below"
        if isinstance(match, Parameter):
            if core(match.reading)[0] == "enum":
                return self.leave(leaf, f"{match.short}: a member of {core(match.reading)[1]}")
            return ""
        if match and key not in self.private:
            self.leave(leaf, f"{'.'.join(key)}: {match}")
        return match

    def object_line(self, key: Key, leaf: Leaf) -> list[ConfigLine]:
        if key[-1] == _OBJECT:
            self.leave(
                leaf, f"{'.'.join(key)}: {leaf.value} is made by the script itself, or given to it "
                "as an object by the config"
            )  # fmt: skip
            return [
                ConfigLine(_joined_key(key), _in_quotes(leaf.value), "not carried over", leaf.help)
            ]
        return []

    def leave(self, leaf: Leaf, text: str) -> str:
        self.not_carried_over.append(NotCarriedOver(leaf.file, leaf.line, text))
        return "not carried over"

    # --- sweep ---

    def sweep(self) -> list[str]:
        rows = []
        for key, (leaf, text) in self.axes.items():
            match = self.matched.get(key, "")
            if isinstance(match, str) and match:
                self.leave(leaf, f"sweep of {'.'.join(key)}: {match}")
            else:
                rows.append(f"    {quoted(self.target(key))}: {text},")
        return ["", "_sweep = {", *rows, "}"] if rows else []


def _joined_key(key: Key) -> str:
    """*key* in the form of a target."""
    return join_path(key) if key[0].isidentifier() else ".".join(key)


def _joined(tree: Branch, script: Inspection | None) -> dict[Key, Leaf]:
    """The leaves by path; a mapping is one too if the script has it as one parameter."""
    leaves = dict(tree.leaves())
    if script is None:
        return leaves
    dicts = {one.target: one for one in script.parameters if core(one.reading)[0] == "dict"}
    own = {one.target for one in script.parameters}
    for path, branch in _branches(tree, ()):
        target = join_path(path)
        inner = [key for key in leaves if key[: len(path)] == path]
        if target in dicts and not any(join_path(key) in own for key in inner):
            leaves[path] = Leaf(branch.plain(), branch.file, branch.line)
            for key in inner:
                del leaves[key]
    return leaves


def _branches(tree: Branch, path: Key) -> list[tuple[Key, Branch]]:
    found = []
    for name, node in tree.items.items():
        if isinstance(node, Branch):
            found += [((*path, name), node), *_branches(node, (*path, name))]
    return found


# --- what Hydra sweeps, and its own settings ------------------------------------------------------


def _take_sweep(
    tree: Branch, groups: Collection[str], file: str
) -> tuple[dict[Key, tuple[Leaf, str]], list[NotCarriedOver]]:
    """The axes in ``hydra.sweeper.params`` with their values as Python, and the other settings;
    an axis over options of *groups* stays in *file*, for the new config has the values of one.

    Removes ``hydra`` from *tree*.
    """
    own = tree.items.pop("hydra", None)
    axes: dict[Key, tuple[Leaf, str]] = {}
    left: list[NotCarriedOver] = []
    for path, leaf in own.leaves(("hydra",)) if isinstance(own, Branch) else ():
        is_axis = path[:3] == ("hydra", "sweeper", "params") and len(path) > 3
        values = _axis_text(leaf.value) if is_axis else ""
        name = ".".join(path[3:]) if is_axis else ""
        if name.lstrip("+") in groups:
            way = f"kogine run SCRIPT --config {file} --sweep {name}={leaf.value}"
            text = f"{'.'.join(path)}: options of a group: {way}"
            left.append(NotCarriedOver(leaf.file, leaf.line, text))
        elif values:
            axes[tuple(name.split("."))] = leaf, values
        elif path != ("hydra", "mode"):
            left.append(
                NotCarriedOver(leaf.file, leaf.line, f"{'.'.join(path)}: a setting of Hydra itself")
            )
    return axes, left


def _axis_text(value: object) -> str:
    """``"choice(1, 2)"``, ``"range(1, 9, 2)"`` or ``"1,2"`` as Python; ``""`` for other values."""
    if not isinstance(value, str):
        return f"[{value!r}]" if isinstance(value, (bool, int, float)) else ""
    call = _CALL.fullmatch(value.strip())
    if call is None:
        return _sweep_values(value)
    if call[1] == "choice":
        return _sweep_values(call[2])
    numbers = call[2].replace(" ", "")
    is_range = call[1] == "range" and re.fullmatch(r"-?\d+(,-?\d+){0,2}", numbers)
    return f"range({', '.join(numbers.split(','))})" if is_range else ""


def _sweep_values(text: str) -> str:
    parts = split_at_commas(text)
    if any(char in part for part in parts for char in "[]{}()$"):
        return ""
    return repr([_sweep_value(part) for part in parts])


def _sweep_value(part: str) -> object:
    is_quoted = part[:1] in ("'", '"') and part[-1:] == part[:1]
    return part[1:-1] if is_quoted else native(CellText(part))


# --- OmegaConf's ${...} as Python expressions -----------------------------------------------------


_NameOf = Callable[[tuple[str, ...], tuple[str, ...]], str]
"""A path from the root, and the path of the value that reads it -> the expression for the first
one's value; raises NotPlainError.
"""


class NotPlainError(ValueError):
    """A value that only the other tool can compute; the text says which."""


@dataclass(frozen=True)
class _Reference:
    """One ``${...}``: the text between its brackets."""

    inner: str


def _split_text(text: str) -> Iterator[str | _Reference]:
    """The plain parts and references of *text*; raises NotPlainError for an open bracket."""
    place = 0
    while (start := text.find("${", place)) >= 0:
        plain = text[place:start].rstrip("\\")
        slashes = start - place - len(plain)
        plain += "\\" * (slashes // 2)  # as in OmegaConf: two before a bracket stand for one
        if slashes % 2:
            yield plain + "${"
            place = start + 2
            continue
        if plain:
            yield plain
        end = _closing(text, start + 2)
        yield _Reference(text[start + 2 : end].strip())
        place = end + 1
    if place < len(text):
        yield text[place:]


def _closing(text: str, place: int) -> int:
    depth = 1
    for index in range(place, len(text)):
        depth += (text[index] == "{") - (text[index] == "}")
        if depth == 0:
            return index
    raise NotPlainError(f"{text!r} has a bracket without its end")


def _value_text(value: object, here: tuple[str, ...], name_of: _NameOf) -> str:
    """*value* at the path *here* as Python source; raises NotPlainError."""
    if isinstance(value, str) and "${" in value:
        return _interpolated(list(_split_text(value)), here, name_of)
    if isinstance(value, list):
        texts = [_value_text(one, (*here, str(n)), name_of) for n, one in enumerate(value)]
        return f"[{', '.join(texts)}]"
    if isinstance(value, dict):
        pairs = [
            f"{literal(key)}: {_value_text(one, (*here, str(key)), name_of)}"
            for key, one in value.items()
        ]
        return f"{{{', '.join(pairs)}}}"
    if value == MISSING:
        raise NotPlainError(f"must be given ({MISSING})")
    try:
        return _in_quotes(value)
    except LiteralError as error:
        raise NotPlainError(f"a {error} has no literal") from None


def _in_quotes(value: object) -> str:
    """``repr`` of *value*, a text in double quotes where nothing needs an escape for it."""
    text = literal(value)
    if isinstance(value, str) and text[0] == "'" and '"' not in text and "\\'" not in text:
        return f'"{text[1:-1]}"'
    return text


def _interpolated(parts: list[str | _Reference], here: tuple[str, ...], name_of: _NameOf) -> str:
    if all(isinstance(part, str) for part in parts):
        return _in_quotes("".join(map(str, parts)))
    texts = [
        part if isinstance(part, str) else _expression(part.inner, here, name_of) for part in parts
    ]
    if len(parts) == 1:
        return texts[0]
    inner = [text for part, text in zip(parts, texts) if isinstance(part, _Reference)]
    if any(set(text) & set("'\"\\{}") for text in inner):  # no f-string may hold it before 3.12
        plain = ["{}" if isinstance(part, _Reference) else _braced(part) for part in parts]
        return f"{_in_quotes(''.join(plain))}.format({', '.join(inner)})"
    plain = [
        f"{{{text}}}" if isinstance(part, _Reference) else _braced(part)
        for part, text in zip(parts, texts)
    ]
    return "f" + _in_quotes("".join(plain))


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _expression(inner: str, here: tuple[str, ...], name_of: _NameOf) -> str:
    resolver = _RESOLVER.fullmatch(inner)
    if resolver:
        return _environment_text(resolver[1], resolver[2].strip(), inner)
    if "${" in inner:
        raise NotPlainError(f"${{{inner}}}: only the running program knows its name")
    return name_of(_absolute(inner, here), here)


def _environment_text(name: str, argument: str, inner: str) -> str:
    if name not in _ENVIRONMENT or "${" in argument:
        raise NotPlainError(f"${{{inner}}}: the resolver {name!r} has no counterpart")
    variable, comma, default = argument.partition(",")
    if not comma:
        return f"os.environ[{_in_quotes(variable.strip())}]"
    default = default.strip()
    text = "None" if default.lower() == "null" else _in_quotes(_default_text(default))
    return f"os.environ.get({_in_quotes(variable.strip())}, {text})"


def _default_text(text: str) -> str:
    """The text that OmegaConf gives for a default: ``0.1`` for ``0.10``."""
    if text[:1] in ("'", '"'):
        return text.strip(text[0])
    if text.lower() in ("true", "false"):
        return text.capitalize()
    if _INTEGER.fullmatch(text):
        return str(int(text))
    return str(float(text)) if _NUMBER.fullmatch(text) else text


def _absolute(text: str, here: tuple[str, ...]) -> tuple[str, ...]:
    """``..dim`` at ``("model", "head", "size")`` -> ``("model", "dim")``."""
    rest = text.lstrip(".")
    dots = len(text) - len(rest)
    steps = tuple(step for step in re.split(r"[.\[\]]", rest) if step)
    return (*here[: len(here) - dots], *steps) if dots else steps
