"""Rule: in a frozen script a path that only the running script can follow (``cfg = load()``,
``cfg.lr``) is a plain assignment, if the text tells whether it is an attribute or an item.
"""

from __future__ import annotations

import ast
import keyword

from kohaku_ast.transform.bindings import FUNCTIONS
from kohaku_ast.transform.literals import called_name
from kohaku_ast.transform.sites import Site
from kohaku_ast.transform.targets import Step

_NAMESPACES = {"Namespace", "SimpleNamespace"}
_MAPPINGS = {"dict", "OrderedDict", "defaultdict", "vars"}
_DEFINES = (*FUNCTIONS, ast.ClassDef)


def frozen_path(site: Site, path: tuple[Step, ...], tree: ast.Module) -> str | None:
    """``args.lr = {}``: the template that sets *path* at *site*, a path site; None if the text
    does not tell how.
    """
    bound = site.definition
    if bound is None or len(path) > 1:
        return None  # what lies on the way is made by the running script
    name, step = bound.name, path[0]
    is_item = isinstance(step, int) or _is_mapping(bound.node, tree)
    if is_item is None:
        return None
    if is_item:
        return f"{name}[{step!r}] = {{}}"
    assert isinstance(step, str)
    return f"{name}.{step} = {{}}" if _is_attribute(step) else None


def _is_attribute(step: str) -> bool:
    return step.isidentifier() and not keyword.iskeyword(step)


def _is_mapping(statement: ast.AST, tree: ast.Module) -> bool | None:
    """Whether *statement* binds its name to a mapping; None if that cannot be told."""
    if isinstance(statement, ast.Import):
        return False
    value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
    if isinstance(value, ast.Dict):
        return True
    if not isinstance(value, ast.Call):
        return None
    name = called_name(value.func)
    defined = [node for node in ast.walk(tree) if isinstance(node, _DEFINES) and node.name == name]
    if defined:
        return False if all(map(_is_plain_class, defined)) else None
    if name in _MAPPINGS:
        return True
    is_parsed = name == "parse_args" and isinstance(value.func, ast.Attribute)
    return False if is_parsed or name in _NAMESPACES else None


def _is_plain_class(node: ast.AST) -> bool:
    """Whether instances have attributes and nothing else: no bases, no items."""
    if not isinstance(node, ast.ClassDef) or node.bases or node.keywords:
        return False
    return not any(getattr(one, "name", "") == "__setitem__" for one in node.body)
