"""From a YAML or Hydra config to a Python config for one script."""

from __future__ import annotations

from kohaku_ast.config.hydra_defaults import compose
from kohaku_ast.config.hydra_sweep import take_sweep
from kohaku_ast.config.interpolation import NotPlainError, in_quotes, value_text
from kohaku_ast.config.match_keys import Key, match_keys
from kohaku_ast.config.migrated import Left, Migrated, in_order
from kohaku_ast.config.yaml_tree import MISSING, Branch, Leaf
from kohaku_ast.transform.config_lines import Line, config_rows, is_bare, quoted
from kohaku_ast.transform.inspection import Inspection
from kohaku_ast.transform.parameters import Parameter
from kohaku_ast.transform.targets import join_path

_RESERVED = {"_args", "_kwargs", "_argv", "_metadata", "_sweep", "_outputs", "_overrides"}
_OBJECT = "_target_"
_ABOUT_OBJECTS = ("_partial_", "_recursive_", "_convert_", "_args_")


def migrate_yaml(file: str, script: Inspection | None = None) -> Migrated:
    """The values of *file* and of the files that it is composed of, for the targets of *script*."""
    tree, left = compose(file)
    axes, more = take_sweep(tree)
    writer = _Writer(tree, script, axes)
    writer.left += [*left, *more]
    return Migrated(writer.text(), in_order(writer.left))


class _Writer:
    """Writes one tree as a config."""

    def __init__(
        self, tree: Branch, script: Inspection | None, axes: dict[Key, tuple[Leaf, str]]
    ) -> None:
        self.tree = tree
        self.script = script
        self.axes = axes
        self.left: list[Left] = []
        self.leaves = dict(_joined(tree, script))
        keys = list(dict.fromkeys([*self.leaves, *axes]))
        self.matched: dict[Key, Parameter | str] = match_keys(script, keys) if script else {}
        #: Names that other values read, in an order in which each can be worked out.
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
        """Find the text of the value at *key*, and before it of those that it reads."""
        if key in self.texts:
            return
        if key in self.busy:
            raise NotPlainError("it needs itself")
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
        if value == MISSING:
            raise NotPlainError(f"must be given ({MISSING})")
        match = self.matched.get(key)
        reading = match.reading if isinstance(match, Parameter) else ("any",)
        text = value_text(value, key, self.name_of)
        if reading[0] == "tuple" and isinstance(value, list):
            return f"({text[1:-1]}{',' * (len(value) == 1)})"
        if reading[0] == "float" and type(value) is int:
            return repr(float(value))
        return text

    def name_of(self, path: Key, reader: Key) -> str:
        """The name by which the value at *reader* reads that at *path*."""
        node = self.find(path)
        if isinstance(node, Branch):
            return self.branch_text(node, path)
        self.work_out(path)
        if not self.texts[path]:
            raise NotPlainError(f"it reads {'.'.join(path)}")
        if path in self.axes:
            where = self.leaves.get(reader, node)
            self.leave(where, f"{'.'.join(reader)}: does not follow the sweep of {'.'.join(path)}")
        target = self.target(path)
        if is_bare(target) and not self.is_helper_only(path):
            return target
        return self.private.setdefault(path, self.free_name(path))

    def branch_text(self, branch: Branch, path: Key) -> str:
        """The mapping at *path* as a dict."""
        if path in self.busy:
            raise NotPlainError("it needs itself")
        self.busy.append(path)
        pairs = []
        for name, node in branch.items.items():
            inner = (*path, name)
            if isinstance(node, Branch):
                text = self.branch_text(node, inner)
            else:
                text = value_text(node.value, inner, self.name_of)
            pairs.append(f"{quoted(name)}: {text}")
        self.busy.pop()
        return f"{{{', '.join(pairs)}}}"

    def is_helper_only(self, path: Key) -> bool:
        """Whether no line of its own holds it: the script has no such parameter."""
        return isinstance(self.matched.get(path), str) or path in self.axes

    def find(self, path: Key) -> Branch | Leaf:
        node: Branch | Leaf = self.tree
        for step in path:
            if not isinstance(node, Branch) or step not in node.items:
                raise NotPlainError(f"${{{'.'.join(path)}}} is not in the config")
            node = node.items[step]
        if isinstance(node, Leaf) and path not in self.leaves:
            raise NotPlainError(f"${{{'.'.join(path)}}} is part of another value")
        return node

    def free_name(self, path: Key) -> str:
        name = "_" + "_".join("".join(c if c.isalnum() else "_" for c in step) for step in path)
        return f"{name}_" if name in _RESERVED else name

    # --- lines ---

    def target(self, key: Key) -> str:
        match = self.matched.get(key)
        return match.short if isinstance(match, Parameter) else _joined_key(key)

    def lines(self, key: Key) -> list[Line]:
        """The lines for *key*; first a name of the config's own, if other values read it so."""
        leaf, text = self.leaves[key], self.texts[key]
        if key[-1] in (_OBJECT, *_ABOUT_OBJECTS):
            return self.object_line(key, leaf)
        name = self.private.get(key, "")
        helper = [Line(name, text, help=leaf.help, is_helper=True)] if name else []
        match = self.matched.get(key, "")
        if name and match and isinstance(match, str):
            return helper
        shown = name or text or in_quotes(leaf.value)
        reason = self.reason(key, leaf, match)
        return [*helper, Line(self.target(key), shown, reason, "" if name else leaf.help)]

    def reason(self, key: Key, leaf: Leaf, match: Parameter | str) -> str:
        if not self.texts[key]:
            return "must be given" if leaf.value == MISSING else "not carried over"
        if key in self.axes:
            return "swept below"
        if isinstance(match, Parameter):
            if match.reading[0] == "enum":
                return self.leave(leaf, f"{match.short}: a member of {match.reading[1]}")
            return ""
        if match and key not in self.private:
            self.leave(leaf, f"{'.'.join(key)}: {match}")
        return match

    def object_line(self, key: Key, leaf: Leaf) -> list[Line]:
        if key[-1] == _OBJECT:
            self.leave(
                leaf, f"{'.'.join(key)}: {leaf.value} is made by the script itself, or given to it "
                "as an object by the config"
            )  # fmt: skip
            return [Line(_joined_key(key), in_quotes(leaf.value), "not carried over", leaf.help)]
        return []

    def leave(self, leaf: Leaf, text: str) -> str:
        self.left.append(Left(leaf.file, leaf.line, text))
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
    """*key* as a target would be written."""
    return join_path(key) if key[0].isidentifier() else ".".join(key)


def _joined(tree: Branch, script: Inspection | None) -> dict[Key, Leaf]:
    """The leaves by path; a mapping that is one value of the script is a leaf too."""
    leaves = dict(tree.leaves())
    if script is None:
        return leaves
    dicts = {one.target: one for one in script.parameters if one.reading[0] == "dict"}
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
