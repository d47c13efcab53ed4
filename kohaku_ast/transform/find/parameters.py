"""``find_parameters``: everything in a script that an override can give another value."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from kohaku_ast.transform.find.assignments import Site, assign_site, declared_site, rebind_site
from kohaku_ast.transform.find.bindings import (
    FUNCTIONS,
    Definition,
    Scope,
    by_name,
    classes_in,
    effective_definitions,
    find_definitions,
    made_value,
)
from kohaku_ast.transform.find.calls import (
    Function,
    argument_site,
    commands_in,
    default_site,
    entry_calls,
    factory_result,
    field_default,
    field_site,
    is_field,
    keywords_of,
    most_calls,
    parameters_of,
    read_again,
)
from kohaku_ast.transform.find.fields import default_sites, keys_in, style_of
from kohaku_ast.transform.find.loops import find_loops
from kohaku_ast.transform.find.modules import import_names
from kohaku_ast.transform.find.options import (
    Option,
    find_options,
    find_set_defaults,
    grouped_options,
    has_argument_default,
    implied_default,
    option_reading,
    option_sites,
)
from kohaku_ast.transform.find.paths import (
    Step,
    called_name,
    constant_text,
    dotted_name,
    find_entries,
    is_dunder,
    is_setting,
    join_path,
    last_name,
    nodes_of,
)
from kohaku_ast.transform.find.setting_types import setting_reading, variables_of
from kohaku_ast.transform.find.source import Source, with_room
from kohaku_ast.transform.find.stores import (
    PassedValue,
    StoredValue,
    changed_attributes,
    keywords_in,
    looped_names,
    setter_of,
    stored_in,
    stored_in_instances,
)
from kohaku_ast.value_types import Reading


@dataclass(frozen=True)
class Parameter:
    """Something in a Script that an override can give another value."""

    #: Its full name: ``lr``, ``Args.lr``, ``cfg.opt.name``, ``--lr``, ``main(epochs)``,
    #: ``main.lr`` or ``for epoch``.
    target: str
    #: ``global``, ``class attribute``, ``entry``, ``option``, ``default``, ``local``, ``stored``,
    #: ``keyword``, ``loop``, ``other`` or ``module``.
    kind: str
    #: The default as written in the script; empty if there is none.
    default: str
    #: How a text value is read (see ``kohaku_ast.value_types``).
    reading: Reading
    #: The line of the first definition that is replaced.
    line: int
    #: The lines of the other definitions that are replaced too.
    also: tuple[int, ...] = ()
    places: tuple[str, ...] = ()  #: In a notebook, these lines by their cells: ``In[2]:1``.
    #: Its help, from a comment or the option's ``help=``.
    help: str = ""
    #: The title of the section comment above it.
    section: str = ""
    #: Names of the script that its value is made from.
    derived_from: tuple[str, ...] = ()
    #: Whether a person would tune it: then it is listed without ``--all``.
    is_setting: bool = True
    #: Why it cannot be overridden; empty if it can.
    refused: str = ""
    #: The shortest target that means this parameter alone.
    short: str = ""
    #: The places that take the value.
    sites: tuple[Site, ...] = ()
    #: The expressions of its values, in the order of the file; entries are found in them.
    values: tuple[ast.expr, ...] = ()
    #: The definitions that an override replaces.
    definitions: tuple[Definition, ...] = ()
    #: For a path that only the running script can follow: its steps below the bound name.
    path: tuple[Step, ...] = ()
    #: For a parameter of an imported module: the module, its file, the target in it.
    module: tuple[str, str, str] | None = None
    #: For a path: the lines below that store another value there; for a keyword of a call: the
    #: lines of later calls that pass it another value.
    later: tuple[int, ...] = ()
    #: Of several parameters with one last name, a short target means those of the lowest tier.
    tier: int = 0
    #: For a path into parsed arguments: the option, or class attribute, of the same value.
    option: str = ""


def find_parameters(source: Source) -> list[Parameter]:
    """Every parameter of *source*, in the order of the file. Nothing is run or imported."""
    found: dict[str, Parameter] = {}

    def find() -> None:
        found.clear()
        for one in _Finder(source, found).module():
            found[one.target] = _merged(found[one.target], one) if one.target in found else one

    with_room(find, source.filename)
    return sorted(found.values(), key=lambda parameter: parameter.line)


def _merged(first: Parameter, other: Parameter) -> Parameter:
    """The one parameter of two that have one target (of a class or function defined twice)."""
    if first.refused or other.refused:
        return other if first.refused else first
    if other.kind == "stored" and first.kind == "other":  # a property, a method of this name
        return other
    if other.kind == "stored" and [one.form for one in first.definitions] == ["declared"]:
        return replace(other, kind=first.kind, reading=first.reading, tier=0)
    if other.kind == "keyword":  # the argument of the one call hides the default
        first = replace(first, default=other.default, is_setting=other.is_setting)
    return replace(
        first,
        also=(*first.also, other.line, *other.also),
        # The argument of a call is found once for each definition of the function.
        sites=tuple(
            {(id(site.node), site.change): site for site in first.sites + other.sites}.values()
        ),
        values=first.values + other.values,
        definitions=first.definitions + other.definitions,
    )


class _Finder:
    """Collects the parameters of one module."""

    def __init__(self, source: Source, known: Mapping[str, Parameter]) -> None:
        self.source = source
        self.tree = source.tree
        #: The parameters found so far.
        self.known = known
        self.classes: dict[str, ast.ClassDef] = {}
        self.functions: dict[str, Function] = {}
        self.globals: set[str] = set()
        self.entries: set[str] = set()
        self.calls: list[ast.Call] = []
        self.repeated: set[str] = set()
        self.state = looped_names(self.tree)
        self.variables = variables_of(self.tree)
        self.changed = changed_attributes(self.tree)
        calls = [node for node in nodes_of(self.tree) if isinstance(node, ast.Call)]
        self.called = Counter(called_name(call.func) for call in calls)
        self.skipped_calls: set[int] = set()
        #: Of the class whose body is read: see ``style_of``.
        self.style = ""

    @cached_property
    def imports(self) -> dict[str, str]:
        return import_names(self.tree, self.source.package)

    def module(self) -> Iterator[Parameter]:
        names = by_name(find_definitions(self.tree))
        self.globals = set(names)
        for name, definitions in names.items():
            for one in effective_definitions(definitions):
                if isinstance(one.node, FUNCTIONS):
                    self.functions.setdefault(name, one.node)
        self.classes = classes_in(self.tree)
        self.calls = entry_calls(self.tree, self.functions)
        self.entries = {called_name(call.func) for call in self.calls} | commands_in(self.source)
        self.repeated = {
            name
            for name in {called_name(one.func) for one in self.calls}
            if most_calls(self.tree, name) > 1
        }
        options = [option.call for option in find_options(self.tree)]
        self.skipped_calls = {id(call) for call in (*self.calls, *options)}
        for name, definitions in names.items():
            yield from self.name("", name, definitions, "global")
        yield from self.unnamed("", self.tree, names)
        yield from self.options()
        yield from self.loops(names)

    def loops(self, names: dict[str, list[Definition]]) -> Iterator[Parameter]:
        for loop in find_loops(names):
            one = self.inner(loop.target, "loop", loop.values, loop.is_training)
            yield replace(one, reading=("int",), line=loop.lines[0], also=loop.lines[1:])

    def scope(self, prefix: str, scope: Scope, kind: str, skipped: set[str]) -> Iterator[Parameter]:
        outer = self.classes, self.style
        self.style = ""
        if isinstance(scope, ast.ClassDef):
            self.classes = {**self.classes, **classes_in(scope)}
            if scope.decorator_list or scope.bases:
                self.style = style_of(scope, self.imports)
        names = by_name(find_definitions(scope))
        for name, definitions in names.items():
            if name not in skipped:
                yield from self.name(f"{prefix}.", name, definitions, kind)
        yield from self.unnamed(f"{prefix}.", scope, names)
        if isinstance(scope, ast.ClassDef):
            for stored in stored_in_instances(prefix, scope, self.known):
                yield from self.stored(stored)
        self.classes, self.style = outer

    def name(
        self, prefix: str, name: str, found: list[Definition], kind: str
    ) -> Iterator[Parameter]:
        """The parameters of one name of a scope: the name, its entries, and those of its own
        scope.
        """
        if name == "*":
            return
        target = f"{prefix}{name}"
        definitions = effective_definitions(found)
        if not definitions or is_dunder(name):
            if not prefix:
                yield refused_parameter(target, found)
        elif definitions[0].form in ("value", "declared", "chained", "unpacked"):
            parameter = self.assigned(target, kind, definitions)
            yield parameter
            yield from self.contents(parameter)
        else:
            yield from self.bound(target, kind, definitions, found)
        for one in definitions if kind != "local" else []:
            if isinstance(one.node, ast.ClassDef):
                yield from self.scope(target, one.node, "class attribute", keys_in(one.node))
            elif isinstance(one.node, FUNCTIONS):
                yield from self.function(target, one.node)

    def unnamed(
        self, prefix: str, scope: Scope, names: Mapping[str, list[Definition]]
    ) -> Iterator[Parameter]:
        """What the statements of *scope* store or pass on without binding a name."""
        for stored in stored_in(prefix, scope, names, self.known, self.entries):
            yield from self.stored(stored)
        for passed in keywords_in(prefix, scope, names, self.skipped_calls, self.entries):
            is_argument = passed.target.endswith(")") and self.called[passed.function] == 1
            if passed.target not in self.known or is_argument:
                yield self.keyword(passed)

    def stored(self, stored: StoredValue) -> Iterator[Parameter]:
        """The parameter of a stored value, and what is in it."""
        parameter = self.assigned(stored.target, "stored", list(stored.definitions))
        for one in (parameter, *self.contents(parameter)):
            last = last_name(one.target)  # empty for an item by index
            is_setting = one.is_setting and stored.is_listed and last not in {"", *self.changed}
            tier = 1 if is_setting else 2
            yield replace(one, is_setting=is_setting, tier=tier, later=stored.later)

    def keyword(self, passed: PassedValue) -> Parameter:
        one = self.inner(passed.target, "keyword", passed.values, passed.is_listed)
        return replace(
            one, tier=1 if passed.is_listed and passed.is_bare else 2, later=passed.later
        )

    def assigned(self, target: str, kind: str, definitions: list[Definition]) -> Parameter:
        first = definitions[0]
        values = tuple(one.value for one in definitions if one.value is not None)
        shown = self.shown_value(first, kind)
        reading = self.reading(shown, first.annotation)
        looped = kind != "class attribute" and first.name in self.state
        is_entry = kind != "local" or target.rpartition(".")[0] in self.entries
        return Parameter(
            target=target,
            kind=kind,
            default=self.text(shown) if shown is not None else self.unpacked_text(first),
            reading=reading,
            line=first.line,
            also=tuple(one.line for one in definitions[1:]),
            is_setting=is_entry and not looped and self.is_setting(first, shown, kind),
            sites=tuple(site for one in definitions for site in self.sites(one, kind)),
            values=values,
            definitions=tuple(definitions),
        )

    def reading(self, default: ast.expr | None, annotation: ast.expr | None = None) -> Reading:
        return setting_reading(default, annotation, self.classes, self.variables, self.known)

    def shown_value(self, first: Definition, kind: str) -> ast.expr | None:
        """The default as a person sees it: 3 of ``field(default=3)``."""
        value = first.value
        if value is None and isinstance(first.node, ast.Assign) and first.form == "chained":
            return first.node.value
        if kind == "class attribute" and value is not None and is_field(value):
            assert isinstance(value, ast.Call)
            found = field_default(value)
            if found is None:
                return None
            return factory_result(found[0]) or found[0] if found[1] else found[0]
        return value

    def unpacked_text(self, first: Definition) -> str:
        node = first.node
        return self.text(node.value) if isinstance(node, ast.Assign) else ""

    def is_setting(self, first: Definition, shown: ast.expr | None, kind: str) -> bool:
        if shown is None:
            return first.form == "declared"
        maker = shown.func if isinstance(shown, ast.Call) else shown
        # `opt: Opt = field(default_factory=Opt)`: the settings of Opt are settings of this class.
        is_group = kind == "class attribute" and dotted_name(maker) in self.classes
        return is_group or is_setting(shown, self.classes)

    def sites(self, one: Definition, kind: str) -> list[Site]:
        is_field = kind == "class attribute" and self.style
        of_field = default_sites(one, self.style, self.imports) if is_field else None
        return of_field or [self.site(one, kind)]

    def site(self, one: Definition, kind: str) -> Site:
        if one.form == "declared":
            return declared_site(one)
        if one.value is None:
            return rebind_site(one)
        if kind == "class attribute" and is_field(one.value):
            assert isinstance(one.value, ast.Call)
            return field_site(one.value, one.line)
        return assign_site(one)

    def contents(self, parent: Parameter) -> Iterator[Parameter]:
        """The entries of the literal, or the keywords of the call, that the name is bound to."""
        if parent.kind == "class attribute" and any(map(is_field, parent.values)):
            return
        entries: dict[str, list[ast.expr]] = {}
        for value in parent.values:
            for path, inner in find_entries(value):
                dot = "." if isinstance(path[0], str) else ""
                entries.setdefault(f"{parent.target}{dot}{join_path(path)}", []).append(inner)
        for target, values in entries.items():
            yield self.entry(parent, target, values)

    def entry(self, parent: Parameter, target: str, values: list[ast.expr]) -> Parameter:
        called = parent.values[0]
        is_parser = isinstance(called, ast.Call) and "Parser" in self.text(called.func)
        is_hidden = parent.kind == "local" and parent.target.rpartition(".")[0] not in self.entries
        is_tuned = is_setting(values[0], self.classes) and not is_parser and not is_hidden
        return self.inner(target.replace(".[", "["), "entry", values, is_tuned)

    def inner(
        self, target: str, kind: str, values: Sequence[ast.expr], is_setting: bool
    ) -> Parameter:
        """A parameter of expressions that stand inside statements."""
        return Parameter(
            target=target,
            kind=kind,
            default=self.text(values[0]),
            reading=self.reading(values[0]),
            line=values[0].lineno,
            also=tuple(value.lineno for value in values[1:]),
            is_setting=is_setting,
            sites=tuple(Site(value, "replace", "{}", value.lineno) for value in values),
            values=tuple(values),
        )

    def function(self, target: str, function: Function) -> Iterator[Parameter]:
        own = {argument.arg for argument, _ in parameters_of(function)}
        for argument, default in (*parameters_of(function), *keywords_of(function, self.calls)):
            passed = self.passed(target, function, argument.arg, default)
            if default is not None or passed:
                yield self.default(target, argument, default, passed)
        reason = read_again(function, self.imports)
        for one in self.scope(target, function, "local", own):
            yield replace(one, refused=reason, is_setting=False) if reason else one

    def passed(
        self, owner: str, function: Function, name: str, default: ast.expr | None
    ) -> list[Site]:
        """The sites of the argument *name* in the one call of a run that starts the program."""
        calls = [
            one for one in self.calls if isinstance(one.func, ast.Name) and one.func.id == owner
        ]
        if default is not None and owner in self.repeated:
            return []
        return [one for call in calls if (one := argument_site(call, function, name))]

    def default(
        self, owner: str, argument: ast.arg, default: ast.expr | None, passed: list[Site]
    ) -> Parameter:
        sites = passed if default is None else [default_site(default), *passed]
        is_call = isinstance(default, ast.Call) and is_field(default)
        found = field_default(default) if is_call else None  # type: ignore[arg-type]
        shown = found[0] if found else default
        if shown is None:  # without a default a person would edit the argument of the call
            assert isinstance(passed[0].node, ast.expr)
            shown = passed[0].node
        return Parameter(
            target=f"{owner}({argument.arg})",
            kind="default",
            default=self.text(shown),
            reading=self.reading(shown, argument.annotation),
            line=sites[0].line,
            also=tuple(site.line for site in sites[1:]),
            is_setting=owner in self.entries and is_setting(shown, self.classes),
            sites=tuple(sites),
            values=(shown,),
        )

    def bound(
        self, target: str, kind: str, definitions: list[Definition], all_: list[Definition]
    ) -> Iterator[Parameter]:
        """The name that an import, a ``with`` or such binds, and the keywords of its call."""
        found = Parameter(
            target=target,
            kind="other",
            default="",
            reading=("any",),
            line=definitions[0].line,
            also=tuple(one.line for one in definitions[1:]),
            is_setting=False,
            sites=tuple(self.site(one, "global") for one in definitions),
            values=tuple(one.value for one in definitions if one.value is not None),
            definitions=tuple(definitions),
        )
        if kind != "local":
            yield replace(found, refused=setter_of(all_))
        made = tuple(one for one in map(made_value, definitions) if one is not None)
        is_file = any(isinstance(one, ast.Call) and called_name(one.func) == "open" for one in made)
        for entry in self.contents(replace(found, kind=kind, values=made)):
            yield replace(entry, tier=2, is_setting=entry.is_setting and not is_file)

    def options(self) -> Iterator[Parameter]:
        grouped = grouped_options(self.tree)
        set_defaults = find_set_defaults(self.tree) if grouped else []
        for target, options in grouped.items():
            yield self.option(target, options, set_defaults)

    def option(
        self, target: str, options: list[Option], set_defaults: list[ast.keyword]
    ) -> Parameter:
        first = options[0]
        found = [site for option in options for site in option_sites(option, set_defaults)]
        sites = tuple({(id(site.node), site.change): site for site in found}.values())
        help_text = first.keyword("help")
        if first.library == "absl" and len(first.call.args) > 2:
            help_text = first.call.args[2]
        default = first.default
        if default is None and not has_argument_default(self.tree):
            default = implied_default(first, set_defaults)
        lines = [
            site.line for site in sites if "{}" in site.template and site.line != first.call.lineno
        ]
        return Parameter(
            target=target,
            kind="option",
            default=self.text(default) if default is not None else "",
            reading=option_reading(first, self.classes),
            line=first.call.lineno,
            also=tuple(dict.fromkeys(lines)),
            help=constant_text(help_text),
            is_setting=True,
            sites=sites,
            values=(default,) if default is not None else (),
        )

    def text(self, node: ast.expr) -> str:
        """*node* as written; one that we have made (the [] of a `list` factory) as Python writes
        it.
        """
        return self.source.segment(node) if hasattr(node, "lineno") else ast.unparse(node)


def refused_parameter(target: str, found: list[Definition]) -> Parameter:
    """The parameter of a name that cannot be overridden, with the reason."""
    first = found[0]
    reason = f"it is bound only by 'except' (line {first.line})"
    if is_dunder(first.name):
        reason = "it belongs to Python's own machinery"
    elif any(one.form == "for" for one in found):
        reason = "it is a loop variable"
    elif any(one.looped for one in found):
        reason = "it is assigned only inside a loop: give it a value above the loop"
    return Parameter(target, "other", "", ("any",), first.line, is_setting=False, refused=reason)
