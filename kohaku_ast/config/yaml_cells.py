"""YAML files as cells, with the line of each item. They need PyYAML, the extra ``yaml``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kohaku_ast.config.cells import Cell, CellList, CellMap, CellText
from kohaku_ast.errors import ConfigError

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, ScalarNode  # type: ignore[import-untyped]

try:
    import yaml  # type: ignore[import-untyped]
except ImportError as error:
    raise ConfigError('YAML files need PyYAML: pip install "kohaku-ast[yaml]"') from error


_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_KNOWN = {_TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "value")}
_KNOWN |= {_MERGE, _TAG + "map", _TAG + "seq"}


def yaml_cells(text: str, path: str) -> tuple[Cell | None, list[int]]:
    """The one document in *text*, and the line of each of its items; None for an empty document.

    Raises ConfigError; messages show the file as *path*.
    """
    try:
        root = yaml.compose(text, _Loader)
        made = None if root is None else _Reader(path).cell(root)
        if root is not None and _size(root, {}) > _MOST_VALUES:
            raise ConfigError(
                f"{path}: with its aliases written out it has more than {_MOST_VALUES:,} values: "
                "write the file without aliases of aliases"
            )
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        what = f"{path}{line}: not YAML: {error.problem or error.context}"
        raise ConfigError(what).at_line(mark.line + 1 if mark else 0) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from None
    if root is None or made is None:
        return None, []
    return made, _item_lines(root, made, path)


_MOST_VALUES = 1_000_000
"""Ten lines of aliases of aliases stand for billions."""


def _size(node: Node, known: dict[int, int]) -> int:
    """The number of values in *node*, those behind aliases each time; *known* by the ids."""
    if id(node) not in known:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        items = node.value if isinstance(node, yaml.SequenceNode) else [one for _, one in pairs]
        known[id(node)] = 1 + sum(_size(one, known) for one in items)
    return known[id(node)]


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # it is Any
    """Marks the scalars whose tag is written out: ``!!str 007`` is text as ``"007"`` is."""

    def compose_scalar_node(self, anchor: object) -> ScalarNode:
        is_written = self.peek_event().tag not in (None, "!")
        node: ScalarNode = super().compose_scalar_node(anchor)
        node.is_text = node.style is not None or (is_written and node.tag == _TAG + "str")
        return node


class _Reader:
    """Makes cells of nodes; all aliases of one anchor are the same cell."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.made: dict[int, Cell | None] = {}

    def cell(self, node: Node) -> Cell:
        known = self.made.get(id(node), self)
        if known is None:
            raise self.error(node, "an alias is inside the value that it names")
        if not isinstance(known, _Reader):
            return known
        self.made[id(node)] = None
        made = self.made[id(node)] = self.new(node)
        return made

    def new(self, node: Node) -> Cell:
        if node.tag not in _KNOWN:
            raise self.error(node, f"the tag {node.tag!r} has no meaning here: leave it out")
        if isinstance(node, yaml.ScalarNode):
            is_text = node.is_text
            return CellText(node.value, is_text, not is_text and node.tag == _TAG + "null")
        if isinstance(node, yaml.SequenceNode):
            return CellList([self.cell(one) for one in node.value])
        return self.mapping(node)

    def mapping(self, node: MappingNode) -> CellMap:
        """Its own keys over those that ``<<`` merges, each kind in its order."""
        merged, own = CellMap(), CellMap()
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                for one in self.merged(value_node):
                    merged = CellMap({**one, **merged})
                continue
            key = self.cell(key_node)
            if not isinstance(key, CellText):
                raise self.error(key_node, "a key is one word or number")
            if key in own:
                raise self.error(key_node, f"the key {str(key)!r} is given twice")
            own[key] = self.cell(value_node)
        return CellMap({**merged, **own})

    def merged(self, node: Node) -> list[CellMap]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not all(isinstance(one, yaml.MappingNode) for one in nodes):
            raise self.error(node, "`<<` merges a mapping, or a list of mappings")
        return [one for one in map(self.cell, nodes) if isinstance(one, CellMap)]

    def error(self, node: Node, message: str) -> ConfigError:
        line: int = node.start_mark.line + 1
        return ConfigError(f"{self.path}:{line}: {message}").at_line(line)


def _item_lines(root: Node, made: Cell, path: str) -> list[int]:
    """The line of each item of the document: of the key in a mapping."""
    if isinstance(root, yaml.SequenceNode):
        return [one.start_mark.line + 1 for one in root.value]
    if not isinstance(made, CellMap):
        return []
    own = {key.value: key.start_mark.line + 1 for key, _ in root.value if key.tag != _MERGE}
    return [own.get(str(key), root.start_mark.line + 1) for key in made]
