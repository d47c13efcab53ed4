"""Expressions that are settings, the grammar of targets (``cfg.layers[0]``, ``main(lr)``), and the
entries that a path leads to.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping

from kohaku_ast.errors import UsageError

_BUILDERS = {
    "int", "float", "str", "bool", "bytes", "complex", "list", "tuple", "dict", "set",
    "frozenset", "range", "slice", "Path", "PurePath", "Decimal", "Fraction", "timedelta",
}  # fmt: skip


def nodes_of(tree: ast.AST) -> list[ast.AST]:
    """Every node of *tree*, which nobody changes: a dozen rules look at all of them, and to go
    through them again takes each as long as to parse the script.
    """
    found: list[ast.AST] | None = getattr(tree, "_kogine_nodes", None)
    if found is None:
        found = tree._kogine_nodes = list(ast.walk(tree))  # type: ignore[attr-defined]
    return found


def is_setting(node: ast.expr, enums: Collection[str] = ()) -> bool:
    """Whether a person would tune *node*: it is made of literals only (``10 * 1024``,
    ``int(1e5)``, ``0.1 if FAST else 1``, ``os.environ.get("LR", 0.1)``, ``Path("x")``).
    """
    if isinstance(node, ast.Constant):
        return node.value is not Ellipsis
    if isinstance(node, ast.IfExp):
        return is_setting(node.body, enums) and is_setting(node.orelse, enums)
    if isinstance(node, ast.Call):
        return _is_builder(node) and all(is_setting(part, enums) for part in _arguments(node))
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id in enums
    if isinstance(node, ast.Dict):
        keys = [key for key in node.keys if key is not None]
        return len(keys) == len(node.keys) and all(
            is_setting(part, enums) for part in [*keys, *node.values]
        )
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return all(is_setting(part, enums) for part in node.elts)
    return _is_operation(node, enums)


def _is_operation(node: ast.expr, enums: Collection[str]) -> bool:
    if isinstance(node, ast.UnaryOp):
        return is_setting(node.operand, enums)
    if isinstance(node, ast.BinOp):
        return is_setting(node.left, enums) and is_setting(node.right, enums)
    if isinstance(node, ast.BoolOp):
        return all(is_setting(value, enums) for value in node.values)
    if isinstance(node, ast.JoinedStr):
        return not any(isinstance(part, ast.Name) for part in ast.walk(node))
    if isinstance(node, ast.Subscript):
        return is_environment(node)
    return False


def _is_builder(node: ast.Call) -> bool:
    return called_name(node.func) in _BUILDERS or is_environment(node)


def _arguments(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(keyword.value for keyword in node.keywords)]


def called_name(function: ast.expr) -> str:
    """The last name of a called expression: ``Path`` for ``pathlib.Path``; ``""`` if it has
    none.
    """
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def dotted_name(node: ast.AST | None) -> str:
    """*node* as dotted text (``np.random.seed``); ``""`` if it is no chain of names."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def full_name(text: str, names: Mapping[str, str]) -> str:
    """The full dotted name that *text* stands for in a script whose *names* are imported so."""
    first, dot, rest = text.partition(".")
    return names.get(first, first) + dot + rest


def constant_text(node: ast.expr | None) -> str:
    """The text that *node* writes out; empty for anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def is_environment(node: ast.expr) -> bool:
    """Whether *node* reads the environment: ``os.environ.get(...)``, ``os.getenv(...)``,
    ``os.environ[...]``.
    """
    text = ast.unparse(node.func if isinstance(node, ast.Call) else node)
    return text.startswith(("os.environ.get", "os.getenv", "environ.get", "getenv", "os.environ["))


def is_dunder(name: str) -> bool:
    """Whether *name* is one of Python's own: ``__name__``."""
    return name.startswith("__") and name.endswith("__")


Step = str | int
"""One step of a path: an attribute or key, or the index of a list."""


def path_of(node: ast.expr) -> tuple[Step, ...]:
    """The steps of a chain of names, keys and indices: ``("cfg", "opt", "lr")`` for
    ``cfg.opt["lr"]``; empty for any other expression.
    """
    steps: list[Step] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            steps.append(node.attr)
        elif isinstance(node, ast.Subscript) and (step := key_of(node.slice)) is not None:
            steps.append(step)
        else:
            return ()
        node = node.value
    return (node.id, *reversed(steps))


def key_of(node: ast.expr) -> Step | None:
    """The key or index that *node* writes out; None if only a run knows it."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        index = key_of(node.operand)
        return -index if isinstance(index, int) else None
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, (str, int)) and not isinstance(value, bool) else None


def chains_in(root: ast.AST) -> Iterator[ast.expr]:
    """The longest chains of names, keys and indices in *root*."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.expr) and path_of(node):
            yield node
        else:
            waiting.extend(ast.iter_child_nodes(node))


_PART = re.compile(r"""\.?([^.\[\]()]+)|\[(-?\d+)\]|\[(["'])(.*?)\3\]""")
_DEFAULT = re.compile(r"([^\W\d].*)\(([^\W\d]\w*)\)")


def split_path(target: str) -> tuple[Step, ...]:
    """``"cfg.layers[0]"`` -> ``("cfg", "layers", 0)``; raises UsageError for anything else."""
    steps: list[Step] = []
    position = 0
    while match := _PART.match(target, position):
        if (position == 0) == match[0].startswith((".", "[")) and not match[0].startswith("["):
            break  # `.lr`, or `a[0]b`
        name, index, _, key = match.groups()
        steps.append(int(index) if index else key if name is None else name)
        position = match.end()
    if position < len(target) or not str(steps[:1] and steps[0]).isidentifier():
        raise UsageError(
            f"{target!r} is not a target: write a name (lr), a path (Args.lr, cfg.opt.name, "
            "layers[0]), an option (--lr) or a parameter (main(epochs))"
        )
    return tuple(steps)


def join_path(steps: tuple[Step, ...]) -> str:
    """The inverse of ``split_path``: ``("cfg", "layers", 0)`` -> ``"cfg.layers[0]"``."""
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.isidentifier():
            text += f".{step}"
        else:
            text += f"[{step!r}]"
    return text.removeprefix(".")


def split_default(target: str) -> tuple[str, str] | None:
    """``"Model.__init__(dropout)"`` -> ``("Model.__init__", "dropout")``, else None; the function
    is a path: ``models[0].fit``.
    """
    match = _DEFAULT.fullmatch(target)
    return (join_path(split_path(match[1])), match[2]) if match else None


def last_name(target: str) -> str:
    """The name by which a short target finds *target*: ``--batch-size`` -> ``batch_size``."""
    default = split_default(target)
    if default:
        return default[1]
    if target.startswith("for "):
        return ""  # `epoch` is the variable, not the bound
    if target.startswith("-"):
        return target.lstrip("-").replace("-", "_")
    last = split_path(target)[-1]
    return last if isinstance(last, str) else ""


_CLOSED_CALLS = {"dict", "SimpleNamespace", "Namespace"}


def find_entries(
    value: ast.expr, path: tuple[Step, ...] = ()
) -> Iterator[tuple[tuple[Step, ...], ast.expr]]:
    """Every entry below *value* that has a name, with its path; containers before contents."""
    if isinstance(value, ast.IfExp):
        yield from find_entries(value.body, path)
        yield from find_entries(value.orelse, path)
    for step, inner in _parts(value):
        if isinstance(step, str):
            yield (*path, step), inner
        yield from find_entries(inner, (*path, step))


def descend(value: ast.expr, path: tuple[Step, ...]) -> list[ast.expr]:
    """The expressions that *path* leads to from *value*; empty if the text does not show them.

    Both arms of ``a if c else b`` count: either may be the one that is used.
    """
    if not path:
        return [value]
    if isinstance(value, ast.IfExp):
        return descend(value.body, path) + descend(value.orelse, path)
    if isinstance(value, (ast.Await, ast.NamedExpr)):
        return descend(value.value, path)
    parts = list(_parts(value))
    if isinstance(path[0], int) and path[0] < 0 and parts and isinstance(parts[-1][0], int):
        path = (path[0] + len(parts), *path[1:])
    found = [inner for step, inner in parts if step == path[0] and type(step) is type(path[0])]
    # Of two equal keys in a display the last one holds.
    return descend(found[-1], path[1:]) if found else []


def is_closed(value: ast.expr) -> bool:
    """Whether the text shows every entry of *value*, so that another name is a typo."""
    if isinstance(value, ast.Dict):
        return all(isinstance(key, ast.Constant) for key in value.keys)
    if isinstance(value, ast.Call):
        named = all(keyword.arg for keyword in value.keywords)
        return called_name(value.func) in _CLOSED_CALLS and named and not value.args
    if isinstance(value, (ast.List, ast.Tuple, ast.Set)):
        return not any(isinstance(item, ast.Starred) for item in value.elts)
    return isinstance(value, (ast.Constant, ast.JoinedStr, ast.UnaryOp, ast.Compare, ast.Lambda))


def _parts(value: ast.expr) -> Iterator[tuple[Step, ast.expr]]:
    """The entries of *value*, by key, keyword or index."""
    if isinstance(value, ast.Dict):
        for key, inner in zip(value.keys, value.values):
            step = key.value if isinstance(key, ast.Constant) else None
            if isinstance(step, (str, int)) and not isinstance(step, bool):
                yield step, inner
    elif isinstance(value, (ast.List, ast.Tuple)):
        for index, inner in enumerate(value.elts):
            if isinstance(inner, ast.Starred):
                return  # the indices that follow depend on the length of the starred one
            yield index, inner
    elif isinstance(value, ast.Call):
        # Model(width=64).to(device): the inner call's keywords, the outer's over them.
        if isinstance(value.func, ast.Attribute) and isinstance(value.func.value, ast.Call):
            yield from _parts(value.func.value)
        if len(value.args) == 1 and _MAKES_MAPPING.search(called_name(value.func)):
            yield from _named_parts(value.args[0])
        for keyword in value.keywords:
            if keyword.arg:
                yield keyword.arg, keyword.value
            else:
                yield from _named_parts(keyword.value)


_MAKES_MAPPING = re.compile(
    "(?i:(?<!pre)dict|namespace|config|cfg|munch|box|bunch|dotmap|struct|params|settings|options|args)|"
    "^(create|CN|CfgNode|MappingProxyType|pmap|freeze)$"
)
"""Functions that keep the entries of the dict they get: ``edict({"lr": 0.1})``,
``OmegaConf.create({"lr": 0.1})``.
"""


def _named_parts(value: ast.expr) -> Iterator[tuple[Step, ast.expr]]:
    """The entries of *value*, if it is a dict: of ``f({"lr": 0.1})``, ``f(**dict(lr=0.1))``."""
    if is_mapping(value):
        yield from _parts(value)


def is_mapping(node: ast.expr) -> bool:
    """Whether the text shows that *node* is a dict: ``{...}``, ``dict(...)``."""
    is_call = isinstance(node, ast.Call) and called_name(node.func) == "dict"
    return is_call or isinstance(node, ast.Dict)


_APART = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.AsyncFor, ast.While)


def later_stores(tree: ast.Module, path: tuple[Step, ...], line: int) -> tuple[int, ...]:
    """The lines at which statements after *line*, in its scope, store another value at *path* than
    one made from the old value. A loop does not count: what it stores is the program's logic.
    """
    found = []
    for node in _statements_beside(tree, line):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if node.lineno <= line or value is None:
            continue
        reads = any(_steps_of(inner) == path for inner in ast.walk(value))
        if not reads and any(_steps_of(target) == path for target in targets):
            found.append(node.lineno)
    return tuple(found)


def _statements_beside(node: ast.AST, line: int) -> Iterator[ast.stmt]:
    """Every statement below *node* that does not stand in a scope or a loop without *line*."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            if isinstance(child, _APART) and not child.lineno <= line <= (child.end_lineno or 0):
                continue
            yield child
        if not isinstance(child, ast.expr):
            yield from _statements_beside(child, line)


def _steps_of(node: ast.AST | None) -> tuple[Step, ...]:
    """``cfg.opt["lr"]`` -> ``("cfg", "opt", "lr")``; empty for what is no such chain."""
    steps: list[Step] = []
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        key: object = node.attr if isinstance(node, ast.Attribute) else None
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            key = node.slice.value
        if not isinstance(key, (str, int)):
            return ()
        steps.append(key)
        node = node.value
    return (node.id, *reversed(steps)) if isinstance(node, ast.Name) else ()
