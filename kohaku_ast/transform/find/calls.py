"""Sites in functions and calls: defaults of parameters, fields of dataclasses, and the arguments of
the call that starts the program.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from kohaku_ast.transform.find.assignments import Site
from kohaku_ast.transform.find.bindings import (
    FUNCTIONS,
    by_name,
    effective_definitions,
    entry_statements,
    find_definitions,
    find_guards,
    is_starred,
)
from kohaku_ast.transform.find.modules import import_names, search_module, text_of
from kohaku_ast.transform.find.paths import called_name, dotted_name, full_name, nodes_of
from kohaku_ast.transform.find.source import Source

Function = ast.FunctionDef | ast.AsyncFunctionDef
"""A ``def``, of either kind."""


def parameters_of(function: Function) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Each named parameter of *function* with its default."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    missing = len(positional) - len(given.defaults)
    yield from zip(positional, [*[None] * missing, *given.defaults])
    yield from zip(given.kwonlyargs, given.kw_defaults)


def keywords_of(
    function: Function, calls: Iterable[ast.Call]
) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """What *calls* pass to the ``**rest`` of *function* by keywords, as ``parameters_of``."""
    known = {argument.arg for argument, _ in parameters_of(function)}
    for call in calls if function.args.kwarg else ():
        for keyword in call.keywords if called_name(call.func) == function.name else ():
            if keyword.arg and keyword.arg not in known:
                known.add(keyword.arg)
                yield ast.arg(keyword.arg), None


def find_functions(tree: ast.Module) -> dict[str, Function]:
    """The functions of the module, by name."""
    names = by_name(find_definitions(tree)).items()
    nodes = (
        (name, one.node)
        for name, definitions in names
        for one in effective_definitions(definitions)[:1]
    )
    return {name: node for name, node in nodes if isinstance(node, FUNCTIONS)}


def default_site(default: ast.expr) -> Site:
    """The place of the default; of ``typer.Option(0.1, "--lr")`` that of 0.1."""
    if is_field(default):
        assert isinstance(default, ast.Call)
        return field_site(default, default.lineno)
    return Site(default, "replace", "{}", default.lineno)


_FIELDS = {"field", "Field", "ib", "attrib"}  # dataclasses and attrs; pydantic
_FIRST_IS_DEFAULT = {"Field", "Option", "Argument", "ib", "attrib"}  # pydantic; typer; attrs
_FACTORIES = {"default_factory", "factory"}


def is_field(value: ast.expr) -> bool:
    """Whether *value* is a call that describes a field (``field(default=3)``), not the field's
    value.
    """
    return isinstance(value, ast.Call) and called_name(value.func) in _FIELDS | _FIRST_IS_DEFAULT


def field_default(call: ast.Call) -> tuple[ast.expr, bool] | None:
    """The default of a field, and whether it is a factory; None if the field has none."""
    for keyword in call.keywords:
        if keyword.arg in _FACTORIES:
            return keyword.value, True
        if keyword.arg == "default":
            return keyword.value, False
    if called_name(call.func) in _FIRST_IS_DEFAULT and call.args:
        return call.args[0], False
    return None


def field_site(call: ast.Call, line: int) -> Site:
    """The place of the field's value."""
    found = field_default(call)
    if found is None:
        return Site(call, "keyword", "{}", line, "default")
    value, is_factory = found
    return Site(value, "replace", "(lambda: {})" if is_factory else "{}", line)


def factory_result(value: ast.expr) -> ast.expr | None:
    """The expression that a default factory returns (``lambda: [1]``, ``list``); None if the text
    does not show it.
    """
    if isinstance(value, ast.Lambda):
        return value.body
    empty: dict[str, ast.expr] = {
        "list": ast.List([], ast.Load()),
        "dict": ast.Dict([], []),
        "tuple": ast.Tuple([], ast.Load()),
    }
    return empty.get(called_name(value))


# Scopes of their own. Loops: a call that is repeated does not start the program. f-strings: before
# Python 3.12 the positions inside them are wrong.
_NOT_ENTERED = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.AsyncFor,
    ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.JoinedStr,
)  # fmt: skip

# Statements that may follow the call: `result = main()`, then `print(result)`.
_MAY_FOLLOW = (
    ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Assert, ast.Delete, ast.Pass,
)  # fmt: skip


def entry_calls(tree: ast.Module, functions: Mapping[str, Function]) -> list[ast.Call]:
    """The calls to functions of the module in the guard or, without a guard, in the last statement
    that has one; of ``main(parse())`` the outer call.
    """
    if find_guards(tree):
        own = [_calls_in(statement, functions) for statement in entry_statements(tree)]
        return [call for calls in own for call in calls]
    for statement in reversed(tree.body):
        found = list(_calls_in(statement, functions))
        if found or not isinstance(statement, _MAY_FOLLOW):
            return found
    return []


def _calls_in(root: ast.AST, functions: Mapping[str, Function]) -> Iterator[ast.Call]:
    if isinstance(root, _NOT_ENTERED):
        return
    if isinstance(root, ast.Call) and isinstance(root.func, ast.Name) and root.func.id in functions:
        yield root
        return
    for child in ast.iter_child_nodes(root):
        yield from _calls_in(child, functions)


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def most_calls(node: ast.AST, name: str) -> int:
    """How often a run calls the function *name* at most, outside functions; a loop counts once."""
    if isinstance(node, _SCOPES):
        return 0
    is_one = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    arms: Counter[str] = Counter()
    for field, value in ast.iter_fields(node):
        for number, child in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(child, ast.AST):
                arms[_arm(node, field, number)] += most_calls(child, name)
    beside = arms.pop("", 0)
    return is_one + beside + max(arms.values(), default=0)


def _arm(node: ast.AST, field: str, number: int) -> str:
    """The arm of *node* that its child belongs to; empty for what runs beside all arms."""
    if isinstance(node, ast.If | ast.IfExp) and field != "test":
        return field
    if isinstance(node, ast.Match) and field == "cases":
        return f"case {number}"
    if isinstance(node, ast.Try) and field != "finalbody":
        return f"handler {number}" if field == "handlers" else "body"
    return ""


_TEXT_READERS = {"torch.jit.script", "triton.jit", "taichi.kernel", "taichi.func"}


def read_again(function: Function, imports: Mapping[str, str]) -> str:
    """Why no local of *function* can be overridden: a decorator compiles its text once more; empty
    for others.
    """
    for mark in function.decorator_list:
        name = full_name(dotted_name(mark.func if isinstance(mark, ast.Call) else mark), imports)
        if name in _TEXT_READERS:
            return f"{name} compiles the text of {function.name} again. Override a parameter"
        is_config = name.endswith((".config", ".named_config"))
        if is_config and any(one.partition(".")[0] == "sacred" for one in imports.values()):
            return (
                f"sacred reads the text of {function.name} again. Give the value as an argument of "
                "the script: -- with NAME=VALUE"
            )
    return ""


_STARTERS = ("Fire", "run", "cli", "auto_cli", "extras")
_COMMANDS = ("command", "callback", "subcommand")


def commands_in(source: Source) -> set[str]:
    """The functions that others than the script call to start it: those given to ``fire.Fire``,
    ``typer.run`` and ``tyro.cli``, decorated with ``@app.command()``, or marked as entrypoint.
    """
    tree = source.tree
    functions = [one for one in nodes_of(tree) if isinstance(one, FUNCTIONS)]
    marked = {
        function.name
        for function in functions
        for mark in function.decorator_list
        if called_name(mark.func if isinstance(mark, ast.Call) else mark) in _COMMANDS
    }
    given = {
        inner.id
        for call in nodes_of(tree)
        if isinstance(call, ast.Call) and called_name(call.func) in _STARTERS
        for argument in call.args
        for inner in ast.walk(argument)
        if isinstance(inner, ast.Name)
    }
    given &= {function.name for function in functions}
    return marked | given | {*find_marked_entrypoints(source)}


def find_marked_entrypoints(source: Source) -> list[str]:
    """The functions of the module that are marked with ``@kohaku_ast.entrypoint``, whatever the
    script calls the module or the decorator, and through whichever of its modules it gets them.
    """
    marks = _marks(source)
    found = [one for one in find_definitions(source.tree) if one.form in ("def", "class")]
    return [
        one.name
        for one in found
        if any(ast.unparse(mark) in marks for mark in one.node.decorator_list)  # type: ignore[attr-defined]
    ]


_MARK_MODULES = {"kohaku_ast", "kohaku_ast.helpers", "kohaku_ast.helpers.decorator"}


def _marks(source: Source) -> set[str]:
    """The expressions that mean the decorator: ``entrypoint``, ``ka.entrypoint``."""
    nodes = nodes_of(source.tree)
    decorated = [one for one in nodes if isinstance(one, (*FUNCTIONS, ast.ClassDef))]
    texts = {ast.unparse(mark) for node in decorated for mark in node.decorator_list}
    known = _known_names(source.tree) if texts else {}
    return {one for one in texts if _is_mark(one, known) or _leads_to_mark(source, one)}


def _is_mark(text: str, known: Mapping[str, str]) -> bool:
    module, _, name = full_name(text, known).rpartition(".")
    return name == "entrypoint" and module in _MARK_MODULES


def _leads_to_mark(source: Source, text: str, folder: str = "", depth: int = 4) -> bool:
    """Whether *text*, ``ka.entrypoint``, means the decorator through a module of the user's, where
    a script in *folder* finds it: ``from helpers import ka``.
    """
    if not depth or text.rpartition(".")[2] != "entrypoint":
        return False  # first: each other decorator of a long file would read all its imports
    folder, names = folder or source.folder, import_names(source.tree, source.package)
    start = names.get(text.partition(".")[0]) or names.get("*", "").removesuffix("*")
    if not start:
        return False
    full = f"{start}{text}" if start.endswith(".") else full_name(text, names)
    parts = full.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module = search_module(folder, ".".join(parts[:length]))
        inner = text_of(module) if module is not None else None
        if inner is not None:
            rest = ".".join(parts[length:])
            is_mark = _is_mark(rest, _known_names(inner.tree))
            return is_mark or _leads_to_mark(inner, rest, folder, depth - 1)
    return False


def _known_names(tree: ast.Module) -> dict[str, str]:
    """Name in the script -> what it stands for, of what may be in our package."""
    known: dict[str, str] = {}
    for node in nodes_of(tree):
        if isinstance(node, ast.Import):
            known |= {one.asname: one.name for one in node.names if one.asname}
        elif isinstance(node, ast.ImportFrom) and node.module in _MARK_MODULES and not node.level:
            names = [(one.asname or one.name, one.name) for one in node.names]
            own = [("entrypoint", "entrypoint")] if ("*", "*") in names else names
            known |= {name: f"{node.module}.{full}" for name, full in own}
        elif isinstance(node, ast.Assign) and isinstance(node.value, (ast.Name, ast.Attribute)):
            full = full_name(ast.unparse(node.value), known)
            if full.startswith("kohaku_ast"):
                known |= {one.id: full for one in node.targets if isinstance(one, ast.Name)}
    return known


def pick_call(
    calls: list[ast.Call], functions: Mapping[str, Function], names: list[str]
) -> ast.Call | None:
    """The one of *calls* that can take the keywords *names*; None if none can, or several can and
    not exactly one of them calls ``main``.
    """
    fitting = [call for call in calls if accepts(functions[called_name(call.func)], names)]
    mains = [call for call in fitting if called_name(call.func) == "main"]
    if len(fitting) == 1:
        return fitting[0]
    return mains[0] if len(mains) == 1 else None


def accepts(function: Function, names: list[str]) -> bool:
    """Whether *function* has a parameter for each of *names*."""
    if function.args.kwarg:
        return True
    own = {parameter.arg for parameter, _ in parameters_of(function)}
    own -= {parameter.arg for parameter in function.args.posonlyargs}
    return own.issuperset(names)


def argument_site(call: ast.Call, function: Function, name: str) -> Site | None:
    """The place of the argument *name* in *call*, a keyword or a position; None if it is not
    passed.
    """
    for keyword in call.keywords:
        if keyword.arg == name:
            return Site(keyword.value, "replace", "{}", call.lineno)
    positional = [one.arg for one in [*function.args.posonlyargs, *function.args.args]]
    index = positional.index(name) if name in positional else len(call.args)
    if index < len(call.args) and not any(map(is_starred, call.args[: index + 1])):
        return Site(call.args[index], "replace", "{}", call.lineno)
    return None


def keyword_site(call: ast.Call, function: Function, name: str) -> Site:
    """The place of the argument *name* in *call*, else that of a new keyword."""
    found = argument_site(call, function, name)
    return found or Site(call, "keyword", "{}", call.lineno, name)


def argument_sites(call: ast.Call, function: Function, count: int) -> list[Site] | None:
    """The places of the first *count* positional arguments; None if ``*args`` of the call hides
    them or the function has fewer.
    """
    if any(isinstance(argument, ast.Starred) for argument in call.args[:count]):
        return None
    positional = [one.arg for one in [*function.args.posonlyargs, *function.args.args]]
    sites = [Site(argument, "replace", "{}", call.lineno) for argument in call.args[:count]]
    if function.args.vararg and count > len(positional):
        # All that reach `*rest` come by position, and so do those before them.
        named = {keyword.arg for keyword in call.keywords}
        if named & {None, *positional[len(sites) :]} or any(map(is_starred, call.args)):
            return None
        more = Site(call, "argument", "{}", call.lineno)
        return sites + [more] * (count - len(sites))
    for name in positional[len(sites) : count]:
        sites.append(keyword_site(call, function, name))
    return sites if len(sites) == count else None
