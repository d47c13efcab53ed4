"""How the text value of a parameter is read (its Reading), inferred from its annotation, else from
its default.

Nothing is evaluated. What is not understood is ``("any",)``, never an error.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping, Sequence

from kohaku_ast.transform.find.paths import dotted_name
from kohaku_ast.value_types import Reading

Classes = Mapping[str, ast.ClassDef]
"""The classes of the script by the name it uses at module level (``Mode``, ``Args.Mode``)."""

ANY: Reading = ("any",)
NONE: Reading = ("none",)
BOOL: Reading = ("bool",)
STR: Reading = ("str",)
LIST: Reading = ("list",)

_SCALARS = ("bool", "int", "float", "complex", "str", "bytes")
_CONTAINERS = ("list", "tuple", "dict", "set", "frozenset")
_TYPING_CONTAINERS = {"List": "list", "Tuple": "tuple", "Dict": "dict", "Set": "set"}
_TYPING_CONTAINERS |= {"FrozenSet": "frozenset"}
_WRAPPERS = ("Final", "ClassVar", "Annotated", "InitVar")
_PATHS = ("Path", "PurePath", "PurePosixPath", "PureWindowsPath")
_ENVIRONMENT = ("os.environ.get", "environ.get", "os.getenv", "getenv")
_PATH_TEXTS = ("join", "expanduser", "expandvars", "abspath", "realpath", "dirname", "basename")
_PATH_STEPS = (
    "parent", "resolve", "absolute", "expanduser", "joinpath", "with_suffix", "with_name",
)  # fmt: skip
_STR_STEPS = ("format", "join", "lower", "upper", "strip", "replace")
_CLICK_TYPES = {"INT": "int", "IntRange": "int", "FLOAT": "float", "FloatRange": "float"}
_CLICK_TYPES |= {"STRING": "str", "BOOL": "bool", "FileType": "str"}
_FLAG_KINDS = {"float": "float", "integer": "int", "string": "str", "bool": "bool"}
_FLAG_KINDS |= {"boolean": "bool", "list": "list", "spaceseplist": "list"}


def reading_of(default: ast.expr | None, annotation: ast.expr | None, classes: Classes) -> Reading:
    """The reading of a name, field or function parameter.

    *default* is None for a parameter without one; ``= None`` is a constant.
    """
    try:
        form = _of_default(default, classes)
        found = _of_annotation(annotation, classes)
    except RecursionError:
        return ANY  # nobody has typed a setting that is too deep to walk
    if found == ("optional", ANY):
        return _or_none(form)
    if found == ANY:
        return form
    return _or_none(found) if form == NONE else _choose_by_default(found, form)


def reading_of_option(
    type_expr: ast.expr | None,
    default: ast.expr | None,
    action: ast.expr | None,
    nargs: ast.expr | None,
    choices: ast.expr | None,
    classes: Classes,
) -> Reading:
    """The reading of an argparse or click option, from the arguments that declare it."""
    form = NONE if default is None else reading_of(default, None, classes)
    if _of_action(action) == BOOL and default is None:
        return BOOL  # store_true brings its own default, False
    if form == NONE and isinstance(action, ast.Constant) and action.value == "store_const":
        return NONE  # argparse reads no text for it
    found = (
        _of_action(action) or _of_choices(type_expr, choices) or _of_type(type_expr, form, classes)
    )
    if _takes_several(nargs):
        found = ("tuple",) if form == ("tuple",) else LIST
    return _or_none(found) if form == NONE else found


def reading_of_flag(
    kind: str, default: ast.expr | None, enum_values: ast.expr | None = None
) -> Reading:
    """The reading of an absl flag made by ``DEFINE_<kind>``."""
    form = NONE if default is None else reading_of(default, None, {})
    if kind.startswith("multi_"):
        found = LIST
    elif kind == "enum":
        found = _literal_of(enum_values) or STR
    else:
        found = (_FLAG_KINDS[kind],) if kind in _FLAG_KINDS else form
    return _or_none(found) if form == NONE else found


def _or_none(reading: Reading) -> Reading:
    """*reading*, or None."""
    return reading if reading[0] in ("optional", "none", "any") else ("optional", reading)


# --- annotations ---------------------------------------------------------------------------------


def _of_annotation(node: ast.expr | None, classes: Classes) -> Reading:
    """The reading that an annotation names; ANY if it is not understood."""
    if isinstance(node, ast.Constant):
        return _of_quoted(node.value, classes)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _of_union([node.left, node.right], classes)
    if isinstance(node, ast.Subscript):
        return _of_subscript(node, classes)
    return _of_name(dotted_name(node), classes)


def _of_quoted(value: object, classes: Classes) -> Reading:
    if value is None:
        return NONE
    if not isinstance(value, str):
        return ANY
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # plain Python does not compile this text either
            inner = ast.parse(value.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError):
        return ANY
    return _of_annotation(inner, classes)


def _of_name(name: str, classes: Classes) -> Reading:
    if name in classes:
        return _of_enum(name, classes) or ANY
    if name in _SCALARS or name in _CONTAINERS:
        return (name,)
    last = name.rpartition(".")[2]
    if name in (last, f"pathlib.{last}") and last in _PATHS:
        return ("path", f"pathlib.{last}")
    return (_TYPING_CONTAINERS[last],) if last in _TYPING_CONTAINERS else ANY


def _of_subscript(node: ast.Subscript, classes: Classes) -> Reading:
    last = dotted_name(node.value).rpartition(".")[2]
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if last in _WRAPPERS:
        return _of_annotation(parts[0], classes)
    if last == "Optional":
        return ("optional", _strip_none(_of_annotation(parts[0], classes)))
    if last == "Union":
        return _of_union(parts, classes)
    if last == "Literal":
        return _of_literal(parts)
    found = _of_name(dotted_name(node.value), classes)
    return found if found[0] in _CONTAINERS else ANY


def _of_literal(parts: Sequence[ast.expr]) -> Reading:
    values = _constants(parts)
    if not values:
        return ANY
    rest = tuple(value for value in values if value is not None)
    if len(rest) == len(values):
        return ("literal", values)
    return ("optional", ("literal", rest)) if rest else NONE


def _of_union(parts: Sequence[ast.expr], classes: Classes) -> Reading:
    """One flat union; with None among its parts an optional around it."""
    found = [_of_annotation(part, classes) for part in parts]
    optional = any(each[0] in ("none", "optional") for each in found)
    flat: list[Reading] = []
    for each in map(_strip_none, found):
        flat.extend(each[1:] if each[0] == "union" else [each])
    kept = tuple(dict.fromkeys(each for each in flat if each != NONE))
    inner = kept[0] if len(kept) == 1 else ("union", *kept) if kept else ANY
    return ("optional", inner) if optional else inner


def _strip_none(reading: Reading) -> Reading:
    inner: Reading = reading[1] if reading[0] == "optional" else reading
    return inner


def _choose_by_default(found: Reading, form: Reading) -> Reading:
    """``Union[str, Path] = "data"`` is read as str: any text is both, so the default decides."""
    if found[0] == "optional":
        return _or_none(_choose_by_default(found[1], form))
    if found[0] != "union" or form[0] not in ("str", "path"):
        return found
    kept = [each for each in found[1:] if each == form or each[0] not in ("str", "path")]
    if form not in kept:
        return found
    return form if len(kept) == 1 else ("union", *kept)


# --- enums of the script -------------------------------------------------------------------------


def _of_enum(name: str, classes: Classes) -> Reading | None:
    """The reading of the class *name* of the script, if it is an enum."""
    node = classes.get(name)
    if node is None or not _derives_from_enum(node, classes, depth=0):
        return None
    return ("enum", name, _members(node))


def _derives_from_enum(node: ast.ClassDef, classes: Classes, depth: int) -> bool:
    for base in map(dotted_name, node.bases):
        last = base.rpartition(".")[2]
        known = classes.get(base)
        # The depth ends the loop of a class that is its own base: `class A(A)`.
        if known is not None and known is not node and depth < 20:
            if _derives_from_enum(known, classes, depth + 1):
                return True
        elif last.endswith("Enum") or last in ("Flag", "IntFlag"):  # also IntEnum, ExplicitEnum
            return True
    return False


def _members(node: ast.ClassDef) -> tuple[str, ...] | None:
    """The member names in order; None if the body has more than plain assignments."""
    found: list[str] = []
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            found += [name for target in statement.targets for name in _target_names(target)]
        elif isinstance(statement, ast.AnnAssign):
            found += _target_names(statement.target) if statement.value else []
        elif not isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Expr | ast.Pass):
            return None
    return tuple(dict.fromkeys(found)) or None


def _target_names(target: ast.expr) -> list[str]:
    """The members that an assignment to *target* makes; private names are no members."""
    names = [node.id for node in ast.walk(target) if isinstance(node, ast.Name)]
    return [name for name in names if not name.startswith("_")]


# --- the form of a default -----------------------------------------------------------------------


def _of_default(node: ast.expr | None, classes: Classes) -> Reading:
    """The reading of a default by its form alone."""
    if isinstance(node, ast.Constant):
        kind = type(node.value).__name__
        return (kind,) if kind in _SCALARS else NONE if node.value is None else ANY
    if isinstance(node, ast.UnaryOp):
        return _of_unary(node, classes)
    if isinstance(node, ast.BinOp):
        return _of_operations(node, classes)
    if isinstance(node, ast.BoolOp):
        forms = {_of_default(one, classes) for one in node.values}
        ends_in_test = _of_default(node.values[-1], classes) == BOOL
        return BOOL if ends_in_test and forms <= {BOOL, ANY} else ANY
    if isinstance(node, ast.IfExp):
        return _of_both(_of_default(node.body, classes), _of_default(node.orelse, classes))
    if isinstance(node, ast.Call):
        return _of_call(node, classes)
    if isinstance(node, ast.Attribute):
        if node.attr in _CONSTANTS and dotted_name(node.value) in _MATHS:
            return ("float",)
        return _of_enum(dotted_name(node.value), classes) or _of_attribute(node, classes)
    return _DISPLAYS.get(type(node), ANY)


_CONSTANTS = ("inf", "nan", "pi", "e", "tau")
_MATHS = ("math", "np", "numpy", "jnp", "jax.numpy", "torch", "cmath")
"""``np.inf``: as written by everybody."""

_DISPLAYS: dict[type, Reading] = {
    ast.List: LIST,
    ast.ListComp: LIST,
    ast.Tuple: ("tuple",),
    ast.Dict: ("dict",),
    ast.DictComp: ("dict",),
    ast.Set: ("set",),
    ast.SetComp: ("set",),
    ast.JoinedStr: STR,
    ast.Compare: BOOL,
}


def _of_unary(node: ast.UnaryOp, classes: Classes) -> Reading:
    if isinstance(node.op, ast.Not):
        return BOOL
    inner = _of_default(node.operand, classes)
    if inner == BOOL:
        return ("int",)
    return inner if inner[0] in ("int", "float", "complex") else ANY


def _of_operations(node: ast.BinOp, classes: Classes) -> Reading:
    """The form of a chain of operators, from its left end on: a sum of 900 texts is 900 deep."""
    steps, first = [node], node.left
    while isinstance(first, ast.BinOp):
        steps.append(first)
        first = first.left
    form = _of_default(first, classes)
    for step in reversed(steps):
        form = _of_operation(form, step, _of_default(step.right, classes))
    return form


def _of_operation(left: Reading, node: ast.BinOp, right: Reading) -> Reading:
    kinds = {left[0], right[0]}
    if kinds <= {"bool", "int", "float", "complex"}:
        return _of_numbers(kinds, node)
    if isinstance(node.op, ast.Div) and "path" in kinds and kinds <= {"path", "str"}:
        return left if left[0] == "path" else right
    if isinstance(node.op, ast.Mod) and left[0] in ("str", "bytes"):
        return left
    if isinstance(node.op, ast.Mult) and kinds & {"int", "bool"}:
        repeated = left if right[0] in ("int", "bool") else right
        return repeated if repeated[0] in ("str", "bytes", "list", "tuple") else ANY
    joined = left == right and isinstance(node.op, ast.Add | ast.BitOr)
    return left if joined and left[0] in ("str", "bytes", *_CONTAINERS) else ANY


def _of_numbers(kinds: set[str], node: ast.BinOp) -> Reading:
    if isinstance(node.op, ast.MatMult):
        return ANY
    for kind in ("complex", "float"):
        if kind in kinds:
            return (kind,)
    negative_power = isinstance(node.op, ast.Pow) and isinstance(node.right, ast.UnaryOp)
    return ("float",) if negative_power or isinstance(node.op, ast.Div) else ("int",)


def _of_both(first: Reading, second: Reading) -> Reading:
    """The form of a value that is one of two."""
    if first == second:
        return first
    if NONE in (first, second):
        return _or_none(second if first == NONE else first)
    return ("float",) if {first[0], second[0]} == {"int", "float"} else ANY


def _of_call(node: ast.Call, classes: Classes) -> Reading:
    name = dotted_name(node.func)
    if name in _ENVIRONMENT:
        given = [*node.args[1:2], *[word.value for word in node.keywords if word.arg == "default"]]
        return _of_default(given[0], classes) if given else STR
    if (form := _of_fallback(node)) is not None:
        return form
    if name in _TESTS or getattr(node.func, "attr", "") in _TESTING_METHODS:
        return BOOL
    if name.startswith("os.path.") and name.rpartition(".")[2] in _PATH_TEXTS:
        return STR
    if name.rpartition(".")[2] in _TYPING_CONTAINERS:
        return ANY  # typing.List cannot be called: this is another one (click.Tuple)
    found = _of_name(name, classes)
    if found == ANY and isinstance(node.func, ast.Attribute):
        return _of_attribute(node.func, classes)
    return found


_LOOKUPS = {"getattr": 2, "get": 1, "pop": 1, "setdefault": 1}
"""What looks a value up, and where its own default stands."""


def _of_fallback(node: ast.Call) -> Reading | None:
    """BOOL for ``getattr(args, "amp", False)`` and ``cfg.get("amp", True)``; None for others."""
    called = getattr(node.func, "attr", getattr(node.func, "id", ""))
    given = node.args[_LOOKUPS[called] :] if called in _LOOKUPS else []
    is_bool = len(given) == 1 and isinstance(given[0], ast.Constant)
    return BOOL if is_bool and isinstance(given[0].value, bool) else None  # type: ignore[attr-defined]


_TESTS = ("any", "all", "callable", "hasattr", "isinstance", "issubclass")
_TESTING_METHODS = (
    "exists", "isdir", "isfile", "islink", "is_dir", "is_file", "isatty", "startswith", "endswith",
    "isdigit", "isnumeric", "issubset", "is_available", "is_built", "is_initialized",
    "is_bf16_supported",
)  # fmt: skip
"""What gives a truth value, of ``torch.cuda`` and others too: 'false' would be a true text."""


def _of_attribute(node: ast.Attribute, classes: Classes) -> Reading:
    """``Path(__file__).parent`` is a path as its start is, ``"a-{}".format(1)`` a str."""
    if node.attr in ("home", "cwd"):
        found = _of_name(dotted_name(node.value), classes)
        return found if found[0] == "path" else ANY
    steps = {"path": _PATH_STEPS, "str": _STR_STEPS}
    owner = _of_default(node.value, classes)
    return owner if node.attr in steps.get(owner[0], ()) else ANY


# --- options -------------------------------------------------------------------------------------


def _of_action(action: ast.expr | None) -> Reading | None:
    """The reading of an argparse action; None if it depends on more than the action."""
    if isinstance(action, ast.Constant):
        if action.value in ("store_true", "store_false"):
            return BOOL
        if action.value in ("append", "extend", "append_const"):
            return LIST
        return ("int",) if action.value == "count" else None
    return BOOL if dotted_name(action).endswith("BooleanOptionalAction") else None


def _of_choices(type_expr: ast.expr | None, choices: ast.expr | None) -> Reading | None:
    if isinstance(type_expr, ast.Call) and dotted_name(type_expr.func).endswith("Choice"):
        choices = type_expr.args[0] if type_expr.args else None
    return _literal_of(choices)


def _literal_of(node: ast.expr | None) -> Reading | None:
    """``["sgd", "adam"]`` as choices; None if they are not all written out."""
    values = _constants(node.elts) if isinstance(node, ast.List | ast.Tuple | ast.Set) else None
    return ("literal", values) if values else None


def _of_type(node: ast.expr | None, form: Reading, classes: Classes) -> Reading:
    """The reading that ``type=`` names, else that of the default, else str."""
    if node is None:
        return STR if form == NONE else form
    name = dotted_name(node.func if isinstance(node, ast.Call) else node)
    last = name.rpartition(".")[2]
    if last in _CLICK_TYPES:
        return (_CLICK_TYPES[last],)
    if isinstance(node, ast.Call):
        return STR if name in ("click.Path", "click.File") else form
    if "bool" in last.lower():  # str2bool, strtobool: the usual way around argparse's type=bool
        return BOOL
    found = _of_annotation(node, classes)
    return form if found == ANY else found


def _takes_several(nargs: ast.expr | None) -> bool:
    if isinstance(nargs, ast.Constant):
        return nargs.value in ("+", "*", "...") or type(nargs.value) is int
    return isinstance(nargs, ast.UnaryOp) or dotted_name(nargs).endswith("REMAINDER")


# --- constants -----------------------------------------------------------------------------------


def _constants(nodes: Sequence[ast.expr]) -> tuple[object, ...] | None:
    """The values of *nodes*, if every one is a plain constant or a negative number."""
    try:
        values = tuple(ast.literal_eval(node) for node in nodes)
    except (ValueError, TypeError):
        return None
    plain = (bool, int, float, str, bytes, type(None))
    return values if all(isinstance(value, plain) for value in values) else None
