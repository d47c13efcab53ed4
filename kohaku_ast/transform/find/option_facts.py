"""The facts of one file about its command line, in plain builtins that can be cached: the
options that it declares or quotes, and the functions and classes from which a library may make
options.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from kohaku_ast.errors import SourceError
from kohaku_ast.transform.find.bindings import FUNCTIONS
from kohaku_ast.transform.find.calls import Function, is_field
from kohaku_ast.transform.find.modules import import_names, imported_names
from kohaku_ast.transform.find.option_declarations import declared_options, quoted_options
from kohaku_ast.transform.find.paths import called_name, dotted_name, full_name, nodes_of
from kohaku_ast.transform.find.source import Source, decode, parse_text

Facts = dict[str, Any]
"""The facts of one file, in plain builtins."""
Shape = tuple[str, int, tuple[str, ...]]
"""The values of a parameter: bool, one, many, tuple, dict, class or unknown; how many; its
classes.
"""
Hint = tuple[str, tuple[str, ...], Any]
"""The metadata beside its type: option, argument or nothing; names; words (-1: as for the type)."""

LIBRARIES = (
    "argparse", "optparse", "getopt", "click", "typer", "fire", "tyro", "simple_parsing",
    "jsonargparse", "docopt", "plac", "clize", "cyclopts", "defopt", "tap", "hydra", "pyrallis",
    "draccus", "datargs", "pydantic_settings", "cleo", "cliff", "sacred", "gflags", "asyncclick",
    "rich_click", "cloup", "configargparse", "arguably", "begin", "baker", "argh", "invoke",
    "knack", "typed_argparse", "argcomplete", "mininterface", "corgy", "argclass", "docopt_ng",
)  # fmt: skip
"""A script that imports one of these reads the command line."""
ONLY_PARTS = {
    "absl.app": "absl", "absl.flags": "absl", "ml_collections.config_flags": "absl",
    "transformers.HfArgumentParser": "transformers", "trl.TrlParser": "transformers",
    "transformers.hf_argparser": "transformers", "sys.argv": "sys", "sys.orig_argv": "sys",
    "lightning.pytorch.cli": "jsonargparse", "pytorch_lightning.cli": "jsonargparse",
}  # fmt: skip
"""Parts of larger packages for which the same holds."""
READS = ("parse_args", "parse_known_args", "parse_intermixed_args", "from_cli")
"""Methods that read the command line, of any library."""

GIVEN = {
    "fire": ("Fire",),
    "tyro": ("cli", "subcommand_cli_from_dict", "overridable_config_cli"),
    "simple_parsing": ("parse", "parse_known_args", "add_arguments"),
    "transformers": ("HfArgumentParser", "TrlParser", "H4ArgumentParser"),
    "jsonargparse": (
        "CLI", "auto_cli", "auto_parser", "add_class_arguments", "add_function_arguments",
        "add_dataclass_arguments",
    ),
    "pyrallis": ("parse", "wrap"),
    "draccus": ("parse", "wrap"),
    "typer": ("run",),
    "cyclopts": ("run",),
    "defopt": ("run",),
    "datargs": ("parse", "argsclass", "make_parser"),
    "clize": ("run",),
    "plac": ("call", "Interpreter"),
    "tap": ("tapify", "to_tap_class"),
    "pydantic_settings": ("run",),
}  # fmt: skip
"""Calls from whose arguments (functions and classes) the library makes options."""
OWN_METHODS = (
    "add_arguments", "add_class_arguments", "add_function_arguments", "add_dataclass_arguments",
)  # fmt: skip
"""Methods of a parser, whose name does not show the library."""
SUBCLASSED = {"tap": ("Tap", "TypedArgumentParser"), "pydantic_settings": ("BaseSettings",)}
COMMANDS = ("command", "callback", "default", "meta")

NO_HINT: Hint = ("", (), -1)
"""The hint of a parameter without ``typer.Option(...)`` or the like."""


def file_facts(source: Source) -> Facts:
    """The facts of *source*; raises SyntaxError."""
    tree = source.tree
    names = import_names(tree, source.package)
    found = _Definitions()
    found.body(tree.body)
    libraries = _libraries(tree, names)
    return {
        "imports": list(dict.fromkeys(imported_names(tree, source.package))),
        "names": names,
        "stars": [
            whole[:-2] for whole in imported_names(tree, source.package) if whole.endswith(".*")
        ],
        "libraries": sorted(libraries),
        "takes_arguments": bool(libraries) or _reads_arguments(tree),
        "declared": declared_options(tree, names, libraries),
        "quoted": quoted_options(tree),
        "functions": found.functions,
        "classes": found.classes,
        "commands": _commands(tree, names),
        "given": list(_option_sources(tree, names, libraries)),
        "subclassed": {
            library: [
                name
                for name, (own, _, _) in found.classes.items()
                if any(one.rpartition(".")[2] in bases for one in own)
            ]
            for library, bases in SUBCLASSED.items()
            if library in libraries
        },
    }


def read_facts(data: bytes, filename: str, folder: str, package: str) -> Facts | None:
    """The facts of a file whose bytes are *data*; None if it is not Python."""
    try:
        return file_facts(decode(data, filename, folder, package))
    except (SourceError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _libraries(tree: ast.Module, names: dict[str, str]) -> set[str]:
    """The command-line libraries that the file imports."""
    mentioned = {*names.values()}
    for node in nodes_of(tree):
        if isinstance(node, ast.Import):
            mentioned |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            mentioned.add(node.module)
        elif isinstance(node, ast.Attribute):
            mentioned.add(full_name(dotted_name(node), names))
    found = {one.partition(".")[0] for one in mentioned} & {*LIBRARIES}
    for part, library in ONLY_PARTS.items():
        if any(one == part or one.startswith(f"{part}.") for one in mentioned):
            found.add(library)
    return found


def _reads_arguments(tree: ast.Module) -> bool:
    """Whether the file reads the command line by a library that is not listed here."""
    return any(
        isinstance(node, ast.Call)
        and (called_name(node.func) in READS or called_name(node.func).startswith("DEFINE_"))
        for node in nodes_of(tree)
    )


# --- functions and classes that libraries get
# --------------------------------------------------------------


def _option_sources(
    tree: ast.Module, names: dict[str, str], libraries: set[str]
) -> Iterator[tuple[str, list[str]]]:
    """For each call that makes options of its arguments the library, and the names in the
    arguments.
    """
    for node in nodes_of(tree):
        if isinstance(node, ast.Call):
            called = full_name(dotted_name(node.func), names)
            for library in libraries & {*GIVEN}:
                if _makes_options(called, library, node.func):
                    yield library, _names_in([*node.args, *[one.value for one in node.keywords]])
        elif isinstance(node, FUNCTIONS):
            for decorator in node.decorator_list:
                yield from _wrap_sources(
                    node, full_name(_decorator_name(decorator), names), libraries
                )


def _wrap_sources(
    node: Function, decorator: str, libraries: set[str]
) -> Iterator[tuple[str, list[str]]]:
    """The class of ``@pyrallis.wrap()``: it is the annotation of the first parameter."""
    top, _, last = decorator.partition(".")
    if last in ("wrap", "argparse.wrap") and top in libraries & {"pyrallis", "draccus"}:
        annotations = [one.annotation for one in node.args.args if one.annotation]
        yield top, _names_in(annotations[:1])


def _makes_options(called: str, library: str, function: ast.expr) -> bool:
    last = called_name(function)
    if last not in GIVEN[library]:
        return False
    top = called.partition(".")[0]
    if library == "transformers":
        return True
    if library == "pydantic_settings":
        return called.endswith("CliApp.run")
    return top == library or last in OWN_METHODS


def _names_in(nodes: list[ast.expr]) -> list[str]:
    """The names in *nodes*, longest first: ``train.main`` before ``train``."""
    inside = [inner for node in nodes for inner in ast.walk(node)]
    quoted = [
        inner.value for inner in inside if isinstance(inner, ast.Constant)
        if isinstance(inner.value, str) and inner.value.isidentifier()
    ]  # fmt: skip
    return list(dict.fromkeys(filter(None, [*map(dotted_name, inside), *quoted])))


def _decorator_name(node: ast.expr) -> str:
    return dotted_name(node.func if isinstance(node, ast.Call) else node)


def _commands(tree: ast.Module, names: dict[str, str]) -> list[str]:
    """The functions with ``@app.command()`` of an app that is not click's."""
    return [
        node.name
        for node in tree.body
        if isinstance(node, FUNCTIONS)
        and any(_is_command(_decorator_name(one), names) for one in node.decorator_list)
    ]


def _is_command(name: str, names: dict[str, str]) -> bool:
    owner, _, last = name.rpartition(".")
    return bool(owner) and last in COMMANDS and full_name(owner, names).partition(".")[0] != "click"


# --- functions and classes -----------------------------------------------------------------------


class _Definitions:
    """The functions and classes of a module, with the facts of each parameter."""

    def __init__(self) -> None:
        self.functions: dict[str, list[Any]] = {}
        self.classes: dict[str, tuple[list[str], bool, list[Any]]] = {}

    def body(self, body: list[ast.stmt], prefix: str = "") -> None:
        for node in body:
            if isinstance(node, FUNCTIONS):
                name = f"{prefix}{node.name}"
                self.functions[name] = _parameters(node, name)
            elif isinstance(node, ast.ClassDef):
                self.classes[f"{prefix}{node.name}"] = _class(node, f"{prefix}{node.name}")
                self.body(node.body, f"{prefix}{node.name}.")
            else:
                for field in ("body", "orelse", "handlers", "finalbody"):
                    self.body(getattr(node, field, []), prefix)


def _class(node: ast.ClassDef, name: str) -> tuple[list[str], bool, list[Any]]:
    """Bases, whether it is a class of fields, its fields."""
    bases = [dotted_name(one) for one in node.bases]
    decorators = [_decorator_name(one) for one in node.decorator_list]
    last = {one.rpartition(".")[2] for one in [*decorators, *bases]}
    fields = [_field(one, name) for one in node.body if isinstance(one, ast.AnnAssign)]
    is_data = bool(last & DATA_CLASSES)
    return [one for one in bases if one], is_data, [one for one in fields if one]


DATA_CLASSES = {
    "dataclass", "define", "frozen", "mutable", "s", "attrs", "attrib", "NamedTuple", "BaseModel",
    "BaseSettings", "Serializable", "Struct", "TypedDict", "Tap", "TypedArgumentParser",
    "chz",
}  # fmt: skip


def _field(node: ast.AnnAssign, owner: str) -> Any:
    if not isinstance(node.target, ast.Name):
        return None
    name, value = node.target.id, node.value
    if "ClassVar" in ast.dump(node.annotation) or name == "_":
        return None
    has_default = "given" if value is not None else ""
    role, names, width = NO_HINT
    if isinstance(value, ast.Constant):
        has_default = repr(value.value) if value.value is not ... else ""
    elif isinstance(value, ast.Call) and (is_field(value) or value.keywords):
        keywords = {one.arg: one.value for one in value.keywords}
        if getattr(keywords.get("init"), "value", True) is False:
            return None
        if is_field(value):
            has_default = _field_default(value, keywords)
        names = tuple(_aliases(keywords))
    shape, hint = _shape_and_hint(node.annotation)
    hint = (role, (*hint[1], *names), width) if not hint[0] else hint
    if shape[0] == "init":
        return None
    return name, shape, has_default, "field", hint, f"{owner}.{name}"


def _field_default(call: ast.Call, keywords: dict[str | None, ast.expr]) -> str:
    default = keywords.get("default", call.args[0] if call.args else None)
    if isinstance(default, ast.Constant):
        return repr(default.value) if default.value is not ... else ""
    if default is not None:
        return "given"
    return "given" if {"default_factory", "factory"} & keywords.keys() else ""


def _aliases(keywords: dict[str | None, ast.expr]) -> Iterator[str]:
    for key in ("alias", "aliases", "option", "option_strings"):
        for node in ast.walk(keywords[key]) if key in keywords else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
                dashes = "" if text.startswith("-") else "-" if len(text) == 1 else "--"
                yield dashes + text


def _parameters(node: Function, owner: str) -> list[Any]:
    """Each parameter: name, shape, default (``""``: none), kind, hint, target."""
    args = node.args
    plain = [*args.posonlyargs, *args.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(args.defaults))
    kinds = ["positional"] * len(args.posonlyargs) + ["plain"] * len(args.args)
    found = list(zip(plain, [*defaults, *args.defaults], kinds))
    found += [(one, value, "keyword") for one, value in zip(args.kwonlyargs, args.kw_defaults)]
    is_method = "." in owner and not any(
        _decorator_name(one) == "staticmethod" for one in node.decorator_list
    )
    return [_parameter(*one, owner) for one in (found[1:] if is_method else found)]


def _parameter(arg: ast.arg, default: ast.expr | None, kind: str, owner: str) -> Any:
    shape, hint = _shape_and_hint(arg.annotation)
    if arg.annotation is None and isinstance(default, ast.Constant):
        shape = ("bool", 1, ()) if isinstance(default.value, bool) else shape
    has_default = "" if default is None else "given"
    if isinstance(default, ast.Constant):
        has_default = repr(default.value)
    elif isinstance(default, ast.Call) and _hint(default, 1):
        hint = _hint(default, 1) or hint
        first = default.args[0] if default.args else None
        is_required = first is None or getattr(first, "value", None) is ...
        has_default = "" if is_required else "given"
    return arg.arg, shape, has_default, kind, hint, f"{owner}({arg.arg})"


# --- annotations ---------------------------------------------------------------------------------

LISTS = {"list", "List", "Sequence", "Iterable", "set", "Set", "frozenset", "FrozenSet",
         "Collection", "MutableSequence", "deque", "Iterator", "AbstractSet"}  # fmt: skip
TUPLES = {"tuple", "Tuple"}
DICTS = {"dict", "Dict", "Mapping", "MutableMapping"}
SCALARS = {"int", "float", "str", "complex", "bytes", "Path", "PurePath", "Literal", "datetime",
           "date", "Decimal", "UUID", "LiteralString", "Enum"}  # fmt: skip
UNKNOWN: Shape = ("unknown", 1, ())


def _shape_and_hint(node: ast.expr | None) -> tuple[Shape, Hint]:
    """The shape that the annotation *node* has, and the hint in its ``Annotated``."""
    hint: Hint = NO_HINT
    node = _unquoted(node)
    if isinstance(node, ast.Subscript) and called_name(node.value) == "Annotated":
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        calls = [one for one in parts[1:] if isinstance(one, ast.Call)]
        hint = next((found for found in (_hint(one, 0) for one in calls) if found), hint)
        node = _unquoted(parts[0])
    if isinstance(node, ast.Subscript) and called_name(node.value) == "Positional":
        return _shape(node.slice), ("argument", (), -1)
    return _shape(node), hint


def _unquoted(node: ast.expr | None) -> ast.expr | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            found = parse_text(node.value.strip(), "<annotation>").body
        except SyntaxError:
            return None
        return found[0].value if found and isinstance(found[0], ast.Expr) else None
    return node


def _shape(node: ast.expr | None) -> Shape:
    """Kind (bool, one, many, tuple, dict, class or unknown), count, names of classes."""
    node = _unquoted(node)
    if node is None:
        return UNKNOWN
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union_shape([node.left, node.right])
    if isinstance(node, ast.Subscript):
        return _subscript_shape(node)
    name = dotted_name(node)
    last = name.rpartition(".")[2]
    if last == "bool":
        return "bool", 1, ()
    if last in LISTS or last in TUPLES:
        return "many", 1, ()
    if last in DICTS:
        return "dict", 1, ()
    if last in SCALARS:
        return "one", 1, ()
    if last == "InitVar" or last in ("Any", "object", "TypeVar", "Context"):
        return UNKNOWN
    return ("class", 1, (name,)) if name else UNKNOWN


def _subscript_shape(node: ast.Subscript) -> Shape:
    last = called_name(node.value)
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if last in TUPLES:
        is_open = any(isinstance(one, ast.Constant) and one.value is ... for one in parts)
        return ("many", 1, ()) if is_open else ("tuple", len(parts), ())
    if last == "Literal":
        return "one", 1, ()
    if last in ("Optional", "Union"):
        return _union_shape(list(parts))
    if last in LISTS:
        return "many", 1, ()
    if last in DICTS:
        return "dict", 1, ()
    return _shape(parts[0])


def _union_shape(nodes: list[ast.expr]) -> Shape:
    """The shape of a union without None, if all of its members have the same one."""
    shapes = [_shape(one) for one in nodes if not _is_none(one)]
    if len({one[:2] for one in shapes}) == 1:
        kind, count, _ = shapes[0]
        return kind, count, tuple(name for one in shapes for name in one[2])
    return UNKNOWN


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _hint(call: ast.Call, skipped: int) -> Hint | None:
    """The hint in ``typer.Option(0.1, "--rate")`` and the like; the first *skipped* arguments
    are the default. None if *call* is no such call.
    """
    last = called_name(call.func)
    if last not in ("Option", "Argument", "Parameter", "arg", "ArgumentParameter"):
        return None
    if last == "Argument":
        return "argument", (), -1
    keywords = {one.arg: one.value for one in call.keywords}
    constants = [one for arg in call.args[skipped:] for one in ast.walk(arg)]
    constants += [one for key in ("name",) if key in keywords for one in ast.walk(keywords[key])]
    texts = [one.value for one in constants if isinstance(one, ast.Constant)]
    names = tuple(one for one in texts if isinstance(one, str) and one.startswith("-"))
    if last == "arg":  # tyro's names come without dashes
        names = tuple(f"--{one}" for one in texts if isinstance(one, str))
        aliases = tuple(_aliases(keywords))
        return ("option" if names else "", (*names, *aliases), -1)
    width = 0 if getattr(keywords.get("count"), "value", False) is True else -1
    return "option", names, width
