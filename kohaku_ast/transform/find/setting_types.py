"""How the text value of a definition is read: by ``type_inference``, and by what the default and
the annotation say beyond a plain type.

- A default of ``np.array([1, 2])``: the text is the argument, and goes through the same call.
- A default without annotation: ``None`` fits too, and a float in place of an int.
- An annotation with a class that is not understood: text that is no literal is refused.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Protocol

from kohaku_ast.transform.find.paths import dotted_name, nodes_of
from kohaku_ast.transform.find.type_inference import ANY, NONE, STR, Classes, reading_of
from kohaku_ast.value_types import Reading

_UNKNOWN = (ANY, NONE, ("optional", ANY))


class HasReading(Protocol):
    """A parameter."""

    @property
    def reading(self) -> Reading:
        """How its text is read."""


def setting_reading(
    default: ast.expr | None,
    annotation: ast.expr | None,
    classes: Classes,
    variables: Collection[str] = (),
    known: Mapping[str, HasReading] = MappingProxyType({}),
) -> Reading:
    """The reading of a name, field, entry or function parameter.

    *variables* are the names of the script that hold values: their methods look things up
    (``cfg.get("lr")``), so that the argument is not what the text replaces. *known* are its
    globals: ``ROOT / "runs"`` is a path if ``ROOT`` is.
    """
    found = reading_of(default, annotation, classes)
    if found == ANY:
        found = _below_path(default, known)
    if annotation is None:
        return _inferred(found, default, classes, variables)
    plain: Reading = found[1] if found[0] == "optional" else found
    if _is_any(annotation) and plain[0] not in ("any", "none", "str", "path"):
        return ("union", plain, ANY)
    written = reading_of(None, annotation, classes)
    if written[0] == "union" and ANY in written:
        return _without_any(found, annotation, variables)
    if written not in _UNKNOWN or found not in _UNKNOWN:
        return found
    made = call_reading(default, classes, variables) or _named_class(annotation, classes, variables)
    if made == ANY:
        return found
    return ("optional", made) if found == NONE or _has_none(annotation) else made


def _below_path(default: ast.expr | None, known: Mapping[str, HasReading]) -> Reading:
    """The reading of ``ROOT / "a" / "b"``: that of ``ROOT``, if it is a path; else ANY."""
    first = default
    while isinstance(first, ast.BinOp) and isinstance(first.op, ast.Div):
        first = first.left
    if first is default or not isinstance(first, ast.Name) or first.id not in known:
        return ANY
    found = known[first.id].reading
    found = found[1] if found[0] == "inferred" else found
    return found if found[0] == "path" else ANY


def variables_of(tree: ast.Module) -> set[str]:
    """The names of the file that hold values: assigned names and parameters, without those that an
    import binds as well (``try: import torch`` with ``torch = None``).
    """
    stored: set[str] = set()
    imported: set[str] = set()
    for node in nodes_of(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            stored.add(node.id)
        elif isinstance(node, ast.arg):
            stored.add(node.arg)
        elif isinstance(node, ast.alias):
            imported.add((node.asname or node.name).partition(".")[0])
    return stored - imported


# --- without annotation --------------------------------------------------------------------------


def loose(reading: Reading) -> Reading:
    """*reading* of a default that is written without a type: a float fits in place of an int."""
    return ("number",) if reading == ("int",) else reading


def _inferred(
    found: Reading, default: ast.expr | None, classes: Classes, variables: Collection[str]
) -> Reading:
    if found == ANY:
        found = call_reading(default, classes, variables) or ANY
    return without_type(found, default)


def without_type(found: Reading, default: ast.expr | None) -> Reading:
    """*found*, which the *default* alone shows, or None; a text stays a text, even ``None``."""
    if found in (ANY, NONE, STR) or found[0] in ("optional", "literal"):
        return found
    return ("inferred", found if _names_type(default) else loose(found))


def _names_type(default: ast.expr | None) -> bool:
    """Whether the default says its type: ``int(1e5)``."""
    return isinstance(default, ast.Call)


# --- defaults that a call makes ------------------------------------------------------------------

_DATES = ("date", "datetime", "time")
_NOW = ("today", "now", "utcnow")
_DATE_PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")

# Calls that look a value up or compute it: the text is their result, not their argument.
_COMPUTED_BY = {
    "math", "cmath", "statistics", "operator", "secrets", "time", "environ", "getenv",
    "getattr", "get", "pop", "popitem", "setdefault", "getpass", "input", "next", "sqrt", "exp",
    "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "tanh", "arcsin", "arccos",
    "arctan", "floor", "ceil", "trunc", "round", "abs", "absolute", "fabs", "sum", "prod",
    "mean", "median", "std", "var", "min", "max", "argmax", "argmin", "power", "pow", "square",
    "sign", "deg2rad", "rad2deg", "degrees", "radians", "factorial", "gcd", "isqrt", "hypot",
    "norm", "len", "count", "index", "randint", "randrange", "rand", "randn", "uniform",
    "normal", "choice", "sample", "gauss",
}  # fmt: skip
_SEEDING = ("manual_seed",)
"""Methods that give their object back."""
_MADE_BY_BUILTINS = {"range", "slice", "bytearray"}
_ARGUMENT = "__kogine_argument__"


def call_reading(
    node: ast.expr | None, classes: Classes, variables: Collection[str]
) -> Reading | None:
    """The reading of a default such as ``Decimal("0.1")``: that of its argument, and the code
    before and after it; None if *node* is no call with one literal argument.
    """
    name = _function_name(node.func) if isinstance(node, ast.Call) else ""
    if not name or not isinstance(node, ast.Call) or not _makes_value(name, variables):
        return None
    owner, _, last = name.rpartition(".")
    if last in _NOW and owner.rpartition(".")[2] in _DATES:
        return _date_reading(ast.Call(node.func.value, [], []), owner)  # type: ignore[attr-defined]
    if any(isinstance(one, ast.Starred) for one in node.args):
        return None
    if last in _DATES and _has_date_parts(node):
        return _date_reading(node, name)
    if len(node.args) == 1:
        return _argument_reading(node, node.args[0], classes, variables)
    if len(node.args) > 1 and all(_is_constant(one, variables) for one in node.args[1:]):
        return _argument_reading(node, node.args[0], classes, variables)
    if len(node.args) > 1:
        return _several_reading(node, last, classes)
    named = [one for one in node.keywords if one.arg]
    is_one = len(named) == len(node.keywords) == 1
    return _argument_reading(node, named[0].value, classes, variables) if is_one else None


def _is_constant(node: ast.expr, variables: Collection[str]) -> bool:
    """Whether *node* names no setting: ``np.float32``, ``re.I``, ``int``."""
    name = dotted_name(node)
    is_type = isinstance(getattr(builtins, name, None), type)
    return is_type or ("." in name and name.partition(".")[0] not in variables)


def _function_name(function: ast.expr) -> str:
    """*function* as dotted text, ``Generator.manual_seed`` for ``Generator().manual_seed`` too;
    empty for other methods of what a call gives.
    """
    if isinstance(function, ast.Attribute) and function.attr in _SEEDING:
        made = function.value
        owner = dotted_name(made.func if isinstance(made, ast.Call) else made)
        return f"{owner}.{function.attr}" if owner else ""
    return dotted_name(function)


def _makes_value(name: str, variables: Collection[str]) -> bool:
    """Whether the call of *name* makes an object of its arguments."""
    parts = name.split(".")
    if _COMPUTED_BY & set(parts) and not _is_class_name(parts[-1]):
        return parts[-1] == "time" and parts[0] != "time" * (len(parts) - 1)  # datetime.time
    if len(parts) > 1:
        return parts[0] not in variables
    return name in _MADE_BY_BUILTINS or not hasattr(builtins, name)


def _is_class_name(name: str) -> bool:
    return name[:1].isupper()


def _argument_reading(
    call: ast.Call, argument: ast.expr, classes: Classes, variables: Collection[str]
) -> Reading | None:
    """Of ``nn.Parameter(torch.tensor(1.0))``, the text is the argument of the inner call."""
    found = reading_of(argument, None, classes)
    before, after = _around(call, argument)
    inner = call_reading(argument, classes, variables) if found == ANY else None
    if inner is not None:
        return ("call", inner[1], before + inner[2], inner[3] + after)
    if found in (ANY, NONE) or found[0] == "optional":
        return None
    return ("call", found if _names_type(argument) else loose(found), before, after)


def _several_reading(call: ast.Call, last: str, classes: Classes) -> Reading | None:
    """``Fraction(1, 3)`` takes a tuple; of a function, nobody knows what several arguments mean."""
    known = all(reading_of(one, None, classes) not in (ANY, NONE) for one in call.args)
    if not known or not (_is_class_name(last) or last in ("timedelta", "range", "slice")):
        return None
    spread = ast.Starred(ast.Name(_ARGUMENT, ast.Load()), ast.Load())
    return ("call", ("tuple",), *_split(ast.Call(call.func, [spread], call.keywords)))


def _has_date_parts(call: ast.Call) -> bool:
    """Whether the arguments are numbers: ``date(2020, 1, 2)``, ``date(year=2020, ...)``."""
    parts = [*call.args, *(one.value for one in call.keywords if one.arg in _DATE_PARTS)]
    return bool(parts) and all(reading_of(one, None, {}) == ("int",) for one in parts)


def _date_reading(call: ast.Call, name: str) -> Reading:
    rest = [one for one in call.keywords if one.arg not in _DATE_PARTS]
    spread = ast.Starred(ast.Name(_ARGUMENT, ast.Load()), ast.Load())
    around = _split(ast.Call(call.func, [spread], rest))
    return ("call", ("date", name.rpartition(".")[2]), *around)


def _around(call: ast.Call, argument: ast.expr) -> list[str]:
    """The code before and after *argument* in *call*."""
    mark = ast.Name(_ARGUMENT, ast.Load())
    args = [mark if one is argument else one for one in call.args]
    keywords = [
        ast.keyword(one.arg, mark if one.value is argument else one.value) for one in call.keywords
    ]
    return _split(ast.Call(call.func, args, keywords))


def _split(call: ast.Call) -> list[str]:
    return ast.unparse(call).split(_ARGUMENT)


# --- classes in annotations ----------------------------------------------------------------------

_OF_PYTHON = {
    "Decimal": "decimal", "Fraction": "fractions", "UUID": "uuid", "date": "datetime",
    "datetime": "datetime",
}  # fmt: skip
"""Python's own classes whose objects a text can name."""
_TEXTS = {"PathLike", "StrPath", "Text", "AnyStr", "LiteralString"}
_ANYTHING = {"Any", "any", "object", "Optional", "Union", "Literal", "Final", "ClassVar"}
_WRAPPERS = {"Optional", "Annotated", "Final", "ClassVar", "InitVar", "Required", "NotRequired"}


def _named_class(node: ast.expr | None, classes: Classes, variables: Collection[str]) -> Reading:
    """The reading for an annotation that is a class of another kind; ANY if it may be anything."""
    node = _without_none(_unquoted(node))
    if isinstance(node, ast.Subscript):
        last = dotted_name(node.value).rpartition(".")[2]
        if last in _WRAPPERS:
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return _named_class(parts[0], classes, variables)
        node = node.value
    name = dotted_name(node)
    last = name.rpartition(".")[2]
    if last in _TEXTS:
        return STR
    module = _OF_PYTHON.get(last, "")
    if module and name in (last, f"{module}.{last}", f"dt.{last}"):
        return ("made", f"{module}.{last}")
    # A single letter is a type variable, or a class of the script.
    is_class = (len(last) > 1 or name in classes) and last not in _ANYTHING
    return ("class", name) if is_class and name.partition(".")[0] not in variables else ANY


def _without_any(found: Reading, annotation: ast.expr, variables: Collection[str]) -> Reading:
    """The union *found* in which text no longer fits the classes that are not understood."""
    names = {dotted_name(node) for node in ast.walk(annotation) if dotted_name(node)}
    if found[0] != "union" or any(
        name in _ANYTHING - {"Union", "Optional"} or name in variables for name in names
    ):
        return found
    return ("union", *(("class", "a literal") if one == ANY else one for one in found[1:]))


def _is_any(node: ast.expr | None) -> bool:
    """Whether the annotation allows everything: ``Any``, ``Any | None``, ``object``."""
    node = _without_none(_unquoted(node))
    if isinstance(node, ast.Subscript) and dotted_name(node.value).endswith("Optional"):
        node = node.slice
    return dotted_name(node).rpartition(".")[2] in ("Any", "object")


def _has_none(node: ast.expr | None) -> bool:
    """Whether None is one of the values that the annotation names."""
    node = _unquoted(node)
    is_optional = isinstance(node, ast.Subscript) and dotted_name(node.value).endswith("Optional")
    return is_optional or _without_none(node) is not node


def _without_none(node: ast.expr | None) -> ast.expr | None:
    """``Foo`` of ``Foo | None`` and ``Union[Foo, None]``."""
    parts: list[ast.expr] = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        parts = [node.left, node.right]
    elif isinstance(node, ast.Subscript) and dotted_name(node.value).endswith("Union"):
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    others = [one for one in parts if not (isinstance(one, ast.Constant) and one.value is None)]
    return _unquoted(others[0]) if len(others) == 1 else node


def _unquoted(node: ast.expr | None) -> ast.expr | None:
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        return node
    try:
        return ast.parse(node.value.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError):
        return None
