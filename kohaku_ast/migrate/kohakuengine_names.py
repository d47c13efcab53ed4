"""The names of KohakuEngine in a file: what they mean, and which have no counterpart here."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from kohaku_ast.errors import SourceError

try:
    import libcst as cst
    from libcst.metadata import (
        MetadataWrapper,
        ParentNodeProvider,
        PositionProvider,
        QualifiedName,
        QualifiedNameSource,
        ScopeProvider,
    )
except ImportError as error:
    raise SourceError(
        'KohakuEngine configs are migrated with libcst: pip install "libcst>=1.4"'
    ) from error

PACKAGE = "kohakuengine"
SAME_NAMES = frozenset({"Config", "Script", "entrypoint", "run", "use", "use_config"})
"""The names that kohaku_ast has too."""

_LEAVE_OUT = "every name that the file assigns is an override: leave it out"
_OWN_NAMES = "the file's own names are its Config already, else write Config({...})"
_WRITE_VALUE = "write the value itself"
NO_COUNTERPART = {
    "capture_globals": _LEAVE_OUT,
    "CaptureGlobals": _LEAVE_OUT,
    "ConfigGenerator": "a generator is taken as it is: leave it out",
    "ConfigLoader": "write Config.from_file(path), or Sweep.from_file(path)",
    "Flow": "write Sequential([...]), or Parallel([...])",
    "Sequential": "import it from kohaku_ast, where run() returns Outcomes",
    "Parallel": "import it from kohaku_ast, where run() returns Outcomes",
    "Use": "values need no wrapper: leave it out",
    "RawArg": _WRITE_VALUE,
    "FormatArg": "the script's own annotation decides: write the value itself",
    "coerce_value": _WRITE_VALUE,
    "load_config_file": "write Config.from_file(path), or Sweep.from_file(path)",
    "load_from_dict": "write Config.from_dict({'globals_dict': ...})",
    "Config.from_dict": "the field is called 'globals_dict', not 'globals'",
    "Config.from_globals": _OWN_NAMES,
    "Config.from_context": _OWN_NAMES,
}
_KNOWN = SAME_NAMES | {name for name in NO_COUNTERPART if "." not in name}


def imports_kohakuengine(tree: ast.Module) -> bool:
    """Whether *tree* imports anything from KohakuEngine."""
    modules: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.append(node.module or "")
    return any(is_kohakuengine(name) for name in modules)


def is_kohakuengine(module: str) -> bool:
    """Whether the dotted name *module* is KohakuEngine, or inside it."""
    return module.partition(".")[0] == PACKAGE


def dotted(node: cst.CSTNode | None) -> str:
    """``a.b.c`` for a chain of names; empty for anything else."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        owner = dotted(node.value)
        return f"{owner}.{node.attr.value}" if owner else ""
    return ""


def root(node: cst.BaseExpression) -> cst.BaseExpression:
    """``a`` of ``a.b.c``."""
    while isinstance(node, cst.Attribute):
        node = node.value
    return node


def imported_module(node: cst.ImportFrom) -> str:
    """The module of ``from MODULE import ...``; empty for a relative one."""
    return "" if node.relative else dotted(node.module)


class KohakuNames:
    """Finds the KohakuEngine names that the expressions of one file mean."""

    def __init__(self, wrapper: MetadataWrapper) -> None:
        self.module = wrapper.module
        self._scopes = wrapper.resolve(ScopeProvider)
        self._parents = wrapper.resolve(ParentNodeProvider)
        self._wrapper = wrapper
        imports = _Imports()
        self.module.visit(imports)
        #: Whether the file imports anything from KohakuEngine.
        self.is_used = imports.is_used
        self._modules = imports.modules
        self._has_star = imports.has_star

    def of(self, node: cst.CSTNode | None) -> str:
        """The name in KohakuEngine that *node* means, else ``""``: ``Config.from_globals``.

        By Python's scopes: a parameter called ``use`` is not KohakuEngine's.
        """
        if not isinstance(node, (cst.Name, cst.Attribute)) or self.is_no_read(node):
            return ""
        found = self._qualified(node)
        for one in found:
            if one.source is QualifiedNameSource.IMPORT and is_kohakuengine(one.name):
                return self._without_module(one.name)
        if found or not self._has_star:
            return ""
        if isinstance(node, cst.Name):
            return node.value if node.value in _KNOWN else ""
        owner = self.of(node.value)
        return f"{owner}.{node.attr.value}" if owner else ""

    def _qualified(self, node: cst.CSTNode) -> Collection[QualifiedName]:
        scope = self._scopes.get(node)
        return scope.get_qualified_names_for(node) if scope else ()

    def is_package(self, node: cst.Name) -> bool:
        """Whether *node* reads the package by its own name."""
        found = () if self.is_no_read(node) else self._qualified(node)
        modules = [one.name for one in found if one.source is QualifiedNameSource.IMPORT]
        return node.value == PACKAGE and any(map(is_kohakuengine, modules))

    def is_no_read(self, node: cst.CSTNode) -> bool:
        """Whether *node* is assigned, or the name of an import, an attribute or a keyword."""
        parent = self.parent(node)
        return (
            isinstance(parent, (cst.ImportAlias, cst.AsName, cst.AssignTarget))
            or (isinstance(parent, cst.Attribute) and parent.attr is node)
            or (isinstance(parent, cst.Arg) and parent.keyword is node)
        )

    def _without_module(self, name: str) -> str:
        """``kohakuengine.config.Config.from_file`` -> ``Config.from_file``."""
        steps = name.split(".")
        inside = [
            count for count in range(len(steps) + 1) if ".".join(steps[:count]) in self._modules
        ]
        rest = steps[max(inside, default=0) :]
        known = [place for place, step in enumerate(rest) if step in _KNOWN]
        return ".".join(rest[known[0] :] if known else rest)

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        """The node that *node* is a part of."""
        return self._parents.get(node)

    def line(self, node: cst.CSTNode) -> int:
        """The line where *node* starts."""
        positions = self._wrapper.resolve(PositionProvider)  # computed once, at the first call
        line: int = positions[node].start.line
        return line


class _Imports(cst.CSTVisitor):
    """Collects the modules of KohakuEngine that a file imports."""

    def __init__(self) -> None:
        super().__init__()
        self.modules = {PACKAGE}
        self.is_used = False
        self.has_star = False

    def visit_ImportFrom(self, node: cst.ImportFrom) -> None:  # noqa: N802  # libcst's names
        self._note(imported_module(node))
        is_theirs = is_kohakuengine(imported_module(node))
        self.has_star |= is_theirs and isinstance(node.names, cst.ImportStar)

    def visit_Import(self, node: cst.Import) -> None:  # noqa: N802
        for alias in node.names:
            self._note(dotted(alias.name))

    def _note(self, module: str) -> None:
        if is_kohakuengine(module):
            self.modules.add(module)
            self.is_used = True


# --- statements that are migrated as a whole -----------------------------------------------------


@dataclass(frozen=True)
class TopStatements:
    """The statements at the top of a file that a migration does not keep as they are."""

    #: They only collect the file's names: ``def config_gen(): return Config.from_globals()``.
    collectors: frozenset[cst.CSTNode]
    #: Blocks of capture_globals().
    captures: frozenset[cst.With]
    #: Assignments of a name that is swept: the sweep replaced its value.
    swept: frozenset[cst.CSTNode]

    @staticmethod
    def of(names: KohakuNames, swept: set[str]) -> TopStatements:
        """The statements of the file of *names*; *swept* names are assigned and swept."""
        top = list(statements(names.module.body))
        captures = [one for one in top if isinstance(one, cst.With) and _is_capture(one, names)]
        inside = [one for block in captures for one in statements(block.body.body)]
        return TopStatements(
            frozenset(one for one in [*top, *inside] if _only_collects(one, names)),
            frozenset(captures),
            frozenset(one for one in [*top, *inside] if assigned_name(one) in swept),
        )

    @property
    def migrated(self) -> frozenset[cst.CSTNode]:
        """The nodes that are removed."""
        return self.collectors | {item for block in self.captures for item in block.items}

    @property
    def capture_names(self) -> frozenset[str]:
        """The names after ``as`` in the capture_globals() blocks."""
        named = [item.asname.name for one in self.captures for item in one.items if item.asname]
        return frozenset(map(dotted, named))


def statements(body: Sequence[cst.CSTNode]) -> Iterator[cst.CSTNode]:
    """The statements of *body*; those that share a line, one by one."""
    for one in body:
        yield from one.body if isinstance(one, cst.SimpleStatementLine) else [one]


def assigned_name(node: cst.CSTNode) -> str:
    """The one name that *node* assigns; empty if it is no such assignment."""
    if isinstance(node, cst.Assign):
        return dotted(node.targets[0].target) if len(node.targets) == 1 else ""
    if isinstance(node, cst.AnnAssign) and node.value is not None:
        return dotted(node.target)
    return ""


def _is_capture(node: cst.With, names: KohakuNames) -> bool:
    call = node.items[0].item
    name = names.of(call.func) if isinstance(call, cst.Call) else ""
    is_only = len(node.items) == 1 and node.asynchronous is None
    return is_only and name in ("capture_globals", "CaptureGlobals")


def _only_collects(node: cst.CSTNode, names: KohakuNames) -> bool:
    """``def config_gen(): return Config.from_globals()``, or ``CONFIG = ...`` of it."""
    if isinstance(node, cst.FunctionDef) and node.name.value == "config_gen":
        body = list(statements(node.body.body))[node.get_docstring() is not None :]
        is_plain = len(body) == 1 and node.asynchronous is None
        return is_plain and isinstance(body[0], cst.Return) and _collects(body[0].value, names)
    if isinstance(node, (cst.Assign, cst.AnnAssign)) and assigned_name(node) == "CONFIG":
        return _collects(node.value, names)
    return False


def _collects(value: cst.BaseExpression | None, names: KohakuNames) -> bool:
    name = names.of(value.func) if isinstance(value, cst.Call) else ""
    return name in ("Config.from_globals", "Config.from_context")
