"""``plan_edits``: from a Request to the edits of the script that it needs."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from kohaku_ast.errors import (
    AmbiguousTarget,
    DuplicateTarget,
    EntrypointError,
    RefusedTarget,
    UnknownTarget,
    near,
)
from kohaku_ast.transform.find.assignments import (
    WATCHING,
    Edit,
    Site,
    fill,
    join_calls,
    join_unpacked,
    marker,
)
from kohaku_ast.transform.find.bindings import (
    FUNCTIONS,
    entry_statements,
    find_definitions,
    find_guards,
)
from kohaku_ast.transform.find.calls import (
    Function,
    argument_sites,
    entry_calls,
    find_functions,
    keyword_site,
    parameters_of,
    pick_call,
)
from kohaku_ast.transform.find.module_targets import is_module, module_parameter, with_modules
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.paths import called_name
from kohaku_ast.transform.find.source import Source
from kohaku_ast.transform.find.targets import Targets, is_negated
from kohaku_ast.transform.find.watching import watched
from kohaku_ast.transform.program.program import Request
from kohaku_ast.value_types import core, none_fits


@dataclass(frozen=True)
class PlannedEdits:
    """The edits of one script that a Request needs."""

    #: The parameter of each target of the Request, in its order; None for a target that the script
    #: lacks and may lack.
    parameters: tuple[Parameter | None, ...]
    #: One for every place that takes a value.
    edits: tuple[Edit, ...]
    #: The one call that takes ``args`` and ``kwargs``, and whose result is the value of the run.
    call: ast.Call | None = None


TextOf = Callable[[str, bool, Parameter | None], str]
"""Full target, whether its value came as text that is not None, its parameter (None for an argument
of the call that starts the program) -> the text of its value."""


def marker_text(target: str, is_text: bool, parameter: Parameter | None) -> str:
    """The marker of *target*; the name of an enum's member is looked up in its class."""
    reading = core(parameter.reading) if parameter else ("any",)
    if is_text and reading[0] == "enum":
        return f"{reading[1]}[{marker(target)}]"
    return marker(target)


def passes_call(is_text: bool, parameter: Parameter) -> bool:
    """Whether the value goes through the call that makes the default: ``np.array(<value>)``."""
    return is_text and core(parameter.reading)[0] == "call"


def _value_text(target: str, is_text: bool, parameter: Parameter, text_of: TextOf) -> str:
    text = text_of(target, is_text, parameter)
    if not passes_call(is_text, parameter):
        return text
    _, _, before, after = core(parameter.reading)
    return f"{before}{text}{after}"


def _text_at(site: Site, target: str, is_text: bool, parameter: Parameter, text_of: TextOf) -> str:
    """The text of the value at *site*: what only reads the path asks the marker itself."""
    watching = site.template.startswith(tuple(f"{{}}.{method}(" for method in WATCHING))
    return marker(target) if watching else _value_text(target, is_text, parameter, text_of)


def plan_edits(
    source: Source,
    parameters: Sequence[Parameter],
    request: Request,
    text_of: TextOf = marker_text,
    *,
    watches: bool = True,
) -> PlannedEdits:
    """The edits that put the values of *request* into *source*, which has *parameters*.

    Values are markers unless *text_of* writes them out (a frozen script). *watches*: calls that may
    give an overridden path another value are watched. Raises the errors of
    ``Targets.resolve``, DuplicateTarget and EntrypointError.
    """
    _refuse_added(source, request.added)
    targets = Targets(source, parameters)
    resolved = tuple(
        _resolve(source, targets, name, kind, optional) for name, kind, optional in request.targets
    )
    if watches:
        names = targets.import_names
        resolved = tuple(one and watched(source.tree, one, names) for one in resolved)
    overridden = {
        one.target: (one, is_text_value(kind, one))
        for one, (_, kind, _) in zip(resolved, request.targets)
        if one
    }
    edits = [
        fill(site, _text_at(site, target, is_text, parameter, text_of), target)
        # Paths last, longer ones after: `import cfg; cfg = <value>; <value>.set(cfg)`.
        for target, (parameter, is_text) in sorted(
            overridden.items(), key=lambda one: _depth(one[1][0])
        )
        for site in parameter.sites
    ]
    above = {
        one.target
        for one, (name, _, _) in zip(resolved, request.targets)
        if one and name in request.above
    }
    call, passed = _entry_edits(source, request, set(overridden) - above, above, text_of)
    edits = join_unpacked(source, join_calls(edits + passed))
    _refuse_overlaps(source, edits)
    _refuse_below_imports(targets, resolved)
    return PlannedEdits(resolved, tuple(edits), call)


def additions(tree: ast.Module, texts: Mapping[str, str]) -> list[Edit]:
    """The edits that add an assignment of each text of *texts* to its name, at the top of the
    module, below the docstring and the ``__future__`` imports. None for a file without a statement.
    """
    last: ast.stmt | None = None
    for number, node in enumerate(tree.body if texts else ()):
        is_docstring = number == 0 and ast.get_docstring(tree, clean=False) is not None
        is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not (is_docstring or is_future):
            break
        last = node
    where = [(last, "after")] if last else [(node, "before") for node in tree.body[:1]]
    return [
        Edit(node, change, f"{name} = {text}", 1, name)
        for node, change in where
        for name, text in texts.items()
    ]


def _depth(parameter: Parameter) -> int:
    """How many steps below a name the value is set; what is replaced in place is only watched."""
    return len(parameter.path) if parameter.reading == ("below",) else 0


def is_text_value(kind: bool | str, parameter: Parameter) -> bool:
    """Whether a value of this *kind*, as in the Request, is text that does not mean None."""
    return bool(kind) and not (isinstance(kind, str) and none_fits(kind, parameter.reading))


def _refuse_added(source: Source, names: tuple[str, ...]) -> None:
    """Raise RefusedTarget for an added global that the script defines: it would be lost at that
    line.
    """
    for one in find_definitions(source.tree) if names else []:
        if one.name in names:
            raise RefusedTarget(
                f"{source.place(one.line)}: cannot add {one.name!r}: the "
                f"script defines it. To give it another value, write {one.name}=VALUE."
            )


def _resolve(
    source: Source, targets: Targets, name: str, kind: bool | str, optional: bool
) -> Parameter | None:
    try:
        found = module_parameter(source, targets, name) or targets.resolve(name)
        if kind is not True and is_negated(found):
            raise RefusedTarget(
                f"{source.place(found.line)}: {name!r} is a flag that gives "
                f"{found.target.lstrip('-')!r} the value False: override {found.target!r}"
            )
        return found
    except (UnknownTarget, AmbiguousTarget, RefusedTarget) as error:
        if isinstance(error, UnknownTarget):
            if optional:
                return None
            error = with_modules(error, targets, name)
        error.target = name
        raise error from None


def _entry_edits(
    source: Source, request: Request, overridden: set[str], above: set[str], text_of: TextOf
) -> tuple[ast.Call | None, list[Edit]]:
    """The call that starts the program, and the edits that give it ``args`` and ``kwargs``."""
    functions = find_functions(source.tree)
    calls = entry_calls(source.tree, functions)
    call = pick_call(calls, functions, list(request.kwargs))
    if not (request.args or request.kwargs):
        return call, []
    if request.entrypoint:
        # args are passed by position, so that not even a target in ``above`` can replace one.
        placed = above if request.args else set()
        function = functions.get(request.entrypoint)
        _refuse_twice(source, request, function, function, overridden | placed)
        return call, []
    if call is None:
        raise EntrypointError(_no_call_message(source, request, calls, functions))
    function = functions[called_name(call.func)]
    sites = argument_sites(call, function, request.args)
    if sites is None:
        most = len(_positional_names(function))
        is_named = any(parameters_of(function)) or function.args.kwarg
        way = "use kwargs" if is_named else "override what the call unpacks"
        is_short = most < request.args and not function.args.vararg
        raise EntrypointError(
            f"{source.line_of(call)}: cannot give {request.args} positional arguments to "
            f"{ast.unparse(call)}: {f'it takes {most}' if is_short else way}"
        )
    _refuse_twice(source, request, call, function, overridden)
    passed = [
        (f"#{index}", site)
        for index, (name, site) in enumerate(
            zip_longest(_positional_names(function)[: request.args], sites)
        )
        if f"{function.name}({name})" not in above
    ]
    passed += [
        (name, keyword_site(call, function, name))
        for name in request.kwargs
        if f"{function.name}({name})" not in above
    ]
    targets = [(f"{function.name}({name})", site) for name, site in passed]
    return call, [fill(site, text_of(target, False, None), target) for target, site in targets]


def _positional_names(function: Function) -> list[str]:
    """The parameters that ``args`` may go to; further args go to ``*rest``, none to the parameters
    after it.
    """
    own = function.args
    return [parameter.arg for parameter in (*own.posonlyargs, *own.args)]


def _refuse_twice(
    source: Source,
    request: Request,
    place: ast.AST | None,
    function: Function | None,
    overridden: set[str],
) -> None:
    """Raise DuplicateTarget for a parameter in ``args`` or ``kwargs`` that has a second value."""
    if function is None or place is None:
        return
    placed = _positional_names(function)[: request.args]
    for name in (*placed, *request.kwargs):
        target = f"{function.name}({name})"
        where = "args" if name in placed else "kwargs"
        other = f"as the target {target!r}" if target in overridden else "in kwargs"
        if target in overridden or (where == "args" and name in request.kwargs):
            raise DuplicateTarget(
                f"{source.line_of(place)}: {name!r} is given twice: in {where} and {other}"
            )


def _no_call_message(
    source: Source, request: Request, calls: list[ast.Call], functions: dict[str, Function]
) -> str:
    """The message for ``args`` and ``kwargs`` that no call can take."""
    given = ", ".join([*["*"] * request.args, *request.kwargs])
    if not calls:
        where = entry_statements(source.tree)
        place = f"{source.line_of(where[0])}: " if where else ""
        return (
            f"{place}no call to give ({given}) to: neither a guard nor the last statement calls a "
            "function of the script. Name one with --entrypoint, or override its settings by name."
        )
    names = [called_name(call.func) for call in calls]
    for call, name in zip(calls, names):
        own = [parameter.arg for parameter, _ in parameters_of(functions[name])]
        for keyword in request.kwargs:
            if keyword not in own and len(calls) == 1:
                found = near(keyword, own)
                listed = f" It has: {', '.join(own)}." if own else " It takes no keywords."
                hint = f" Did you mean {found[0]!r}?" if found else listed
                return f"{source.line_of(call)}: {name}() has no parameter {keyword!r}.{hint}"
    listed = ", ".join(
        f"{name} ({source.line_words(call.lineno)})" for name, call in zip(names, calls)
    )
    return (
        f"{source.line_of(calls[0])}: several calls could take ({given}): {listed}. "
        "Write the targets in full, e.g. 'NAME(parameter)', or name a function with --entrypoint."
    )


def _refuse_overlaps(source: Source, edits: list[Edit]) -> None:
    """Raise DuplicateTarget for an override inside another one: it would be lost with that text."""
    _refuse_shared(source, edits)
    spans = [(*source.span(edit.node), edit.target) for edit in edits]
    for outer in edits:
        if not _throws_away(outer):
            continue
        start, end = _span_with_decorators(source, outer.node)
        for inner_start, inner_end, inner in spans:
            if inner != outer.target and start <= inner_start and inner_end <= end:
                raise _overlap(source.line_of(outer.node), inner, outer.target)


def _refuse_shared(source: Source, edits: list[Edit]) -> None:
    """Raise DuplicateTarget for two overrides of one value: options with the same ``dest``."""
    firsts: dict[tuple[ast.AST, str, str], Edit] = {}
    for edit in edits:
        if edit.change in ("keyword", "replace"):
            first = firsts.setdefault((edit.node, edit.change, edit.name), edit)
            if first.target != edit.target:
                raise DuplicateTarget(
                    f"{source.line_of(edit.node)}: {first.target!r} and {edit.target!r} give one "
                    "value of the script: give only one of them"
                )


def _throws_away(edit: Edit) -> bool:
    """Whether nothing is left of what the text of the node makes: it is replaced, or it is a class
    or function whose name is bound again below it.
    """
    is_bound_again = edit.change == "after" and bool(edit.name)
    is_definition = isinstance(edit.node, (*FUNCTIONS, ast.ClassDef))
    return edit.change == "replace" or (is_bound_again and is_definition)


def _span_with_decorators(source: Source, node: ast.AST) -> tuple[int, int]:
    start, end = source.span(node)
    decorators = getattr(node, "decorator_list", [])
    return min([start, *(source.span(one)[0] for one in decorators)]), end


def _overlap(place: str, inner: str, outer: str) -> DuplicateTarget:
    return DuplicateTarget(
        f"{place}: {inner!r} stands inside {outer!r}, which is overridden as a whole: "
        "give only one of them"
    )


def _refuse_below_imports(targets: Targets, parameters: Sequence[Parameter | None]) -> None:
    """Raise DuplicateTarget for a parameter in a module, or in a class of one, whose imported name
    is overridden: the script would not see it.
    """
    for outer in parameters:
        if outer is None or outer.path or not is_module(outer):
            continue
        imported = targets.import_names.get(outer.target, outer.target)
        for inner in parameters:
            if inner and inner.module and inner.target.startswith(f"{imported}."):
                raise _overlap(targets.place(outer.line), inner.target, outer.target)


def extract_guards(tree: ast.Module) -> list[Edit]:
    """The Edit that takes out each guard of the module, in the order of the file."""
    return [Edit(guard, "extract", "", guard.lineno, "") for guard in find_guards(tree)]
