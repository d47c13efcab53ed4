"""``Targets.resolve``: from a target as the user wrote it to its parameter in the script."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from unicodedata import normalize

from kohaku_ast.errors import AmbiguousTarget, RefusedTarget, UnknownTarget, near
from kohaku_ast.transform.find.assignments import Site
from kohaku_ast.transform.find.bindings import (
    FUNCTIONS,
    Definition,
    classes_in,
    effective_definitions,
    find_definitions,
)
from kohaku_ast.transform.find.by_path import run_names
from kohaku_ast.transform.find.callers import Callers
from kohaku_ast.transform.find.calls import is_field
from kohaku_ast.transform.find.fields import default_of, setting_of_call, setting_of_field
from kohaku_ast.transform.find.fillings import is_open, refilled_sites
from kohaku_ast.transform.find.loops import PREFIX, is_loop
from kohaku_ast.transform.find.modules import (
    Reach,
    import_names,
    reach,
)
from kohaku_ast.transform.find.option_facts import READS
from kohaku_ast.transform.find.options import find_options, parsing_functions
from kohaku_ast.transform.find.parameters import Parameter, refused_parameter
from kohaku_ast.transform.find.paths import (
    Step,
    called_name,
    descend,
    dotted_name,
    is_closed,
    is_dunder,
    join_path,
    last_name,
    later_stores,
    nodes_of,
    split_default,
    split_path,
)
from kohaku_ast.transform.find.ranking import preferred
from kohaku_ast.transform.find.setting_types import setting_reading
from kohaku_ast.transform.find.source import Source

_PARSERS = (*READS, "parse_known_intermixed_args", "parse_args_into_dataclasses", "parse", "cli")


class Targets:
    """The targets of one script."""

    def __init__(self, source: Source, parameters: Sequence[Parameter]) -> None:
        self.source = source
        self.place, self.line_words = source.place, source.line_words
        self.parameters = {one.target: one for one in reversed(parameters)}
        self.by_last: dict[str, list[Parameter]] = {}
        #: Last name -> those that it would mean if no call hid a default.
        self._preferred: dict[str, list[Parameter]] = {}
        for one in parameters:
            if not one.refused and last_name(one.target):
                self.by_last.setdefault(last_name(one.target), []).append(one)

    @cached_property
    def reach(self) -> Reach:
        """The modules that the script imports."""
        return reach(self.source)

    @cached_property
    def import_names(self) -> dict[str, str]:
        """The dotted name that each imported name of the script stands for."""
        run = {name: full for name, full in self.run_names.items() if full}
        return {**run, **import_names(self.source.tree, self.source.package)}

    @cached_property
    def run_names(self) -> dict[str, str]:
        """As ``by_path.run_names``."""
        return run_names(self.source)

    def resolve(self, target: str) -> Parameter:
        """The parameter that *target* means.

        Raises UnknownTarget with near names, AmbiguousTarget with all that fit, or
        RefusedTarget with the reason.
        """
        found = self.parameters.get(target)
        if found is not None and not found.refused:
            return found
        if (as_python := normalize("NFKC", target)) != target:
            return self.resolve(as_python)  # Python's own form of a name; ASCII stays as it is
        if target.startswith("-"):
            return self.option(target)
        if is_loop(target):
            return self.loop(target)
        if parts := split_default(target):
            return self.keyword(target, f"{parts[0]}({parts[1]})")
        path = split_path(target)
        canonical = self.parameters.get(join_path(path))
        if canonical is not None and not canonical.refused:
            return canonical
        if len(path) == 1:
            return self.short(target, found)
        return self.below(target, path)

    def keyword(self, target: str, canonical: str) -> Parameter:
        """The keyword of a call in a function (``main.model.fit(epochs)`` for
        ``model.fit(epochs)``), or of ``cfg["m"].fit(epochs)``, whose *canonical* form has a dot.
        """
        if canonical in self.parameters:
            return self.parameters[canonical]
        fitting = [
            one
            for one in self.parameters.values()
            if one.kind == "keyword" and one.target.endswith(f".{canonical}")
        ]
        listed = [one for one in fitting if one.is_setting] or fitting
        if len(listed) > 1:
            raise self.ambiguous(target, listed)
        if listed:
            return listed[0]
        raise self.unknown_target(target)

    def option(self, target: str) -> Parameter:
        """The option that has the flag *target*: ``-l`` of ``-l/--lr``."""
        for option in find_options(self.source.tree):
            if target in option.flags:
                found = self.parameters[option.target]
                return negated(found) if option.switches_off else found
        raise self.unknown_target(target)

    def loop(self, target: str) -> Parameter:
        """The bound of one loop; an error for a variable of several loops, or without a bound."""
        several = [one for one in self.parameters.values() if one.target.startswith(f"{target}[")]
        if several:
            raise self.ambiguous(target, several)
        variable = self.parameters.get(target.removeprefix(PREFIX).strip())
        if variable is not None and variable.refused:
            raise RefusedTarget(
                f"{self.place(variable.line)}: cannot override {target!r}: the loop has no "
                f"bound that is a literal number, such as range(100){self.in_head(variable.line)}"
            )
        raise self.unknown_target(target)

    def in_head(self, line: int) -> str:
        """A hint at the settings from which the head of the loop at *line* makes its bound."""
        loops = [node for node in nodes_of(self.source.tree) if isinstance(node, ast.For)]
        heads = [node for one in loops if one.lineno == line for node in ast.walk(one.iter)]
        names = [node.id for node in heads if isinstance(node, ast.Name)]
        known = [repr(name) for name in names if name in self.parameters]
        return f". It is made from {', '.join(known)}" if known else ""

    def meant(self, last: str) -> list[Parameter]:
        """The parameters that the short target *last* may mean."""
        return preferred(self.without_hidden(self.by_last.get(last, [])))

    def short(self, target: str, refused: Parameter | None) -> Parameter:
        """The one parameter whose last name is *target*."""
        for one in self.parameters.values():
            if one.kind == "local" and one.refused and last_name(one.target) == target:
                raise self.refusal(one)
        fitting = self.meant(target)
        if len(fitting) > 1:
            raise self.ambiguous(target, fitting)
        if fitting:
            return fitting[0]
        if refused is not None:
            raise self.refusal(refused)
        if is_dunder(target):
            raise RefusedTarget(
                f"{self.file}: cannot override {target!r}: names with two "
                "underscores on both sides belong to Python's own machinery"
            )
        named = self.by_other_name(target)
        if len(named) == 1:
            return named[0]
        raise self.ambiguous(target, named) if named else self.unknown_target(target)

    def without_hidden(self, fitting: list[Parameter]) -> list[Parameter]:
        """*fitting* without the defaults that no call uses, where the arguments that hide them are
        among them: ``width`` of ``with section(width=20) as w`` is not ``section(width)``. An
        argument that is replaced with its default is one parameter with it.
        """
        if not 1 < len(fitting) <= 20:  # of more than that no one is left, after a long look
            return fitting
        passed = {id(value) for one in fitting if one.kind != "default" for value in one.values}
        hiding = [(one, {*map(id, self.callers.arguments_instead(one))}) for one in fitting]
        fitting = [one for one, arguments in hiding if not arguments & passed]
        defaults = [one for one in fitting if one.kind == "default"]
        taken = {id(site.node) for one in defaults for site in one.sites}
        return [
            one
            for one in fitting
            if one in defaults or not taken.intersection(id(site.node) for site in one.sites)
        ]

    @cached_property
    def callers(self) -> Callers:
        """The calls of the script."""
        return Callers(self.source.tree)

    def by_other_name(self, target: str) -> list[Parameter]:
        """The options with *target* as a further flag, or as the name that the script reads."""
        flags = {f"--{target}", f"--{target.replace('_', '-')}"}
        found = []
        for option in find_options(self.source.tree):
            names = [
                option.keyword("dest"),
                *(option.call.args if option.library == "click" else ()),
            ]
            if flags.intersection(option.flags):
                found.append(self.option(min(flags.intersection(option.flags))))
            elif target in [getattr(one, "value", None) for one in names]:
                found.append(self.parameters[option.target])
        # Options that share an attribute have the same sites.
        own = {frozenset(id(site.node) for site in one.sites): one for one in reversed(found)}
        return list(own.values())[::-1]

    def ambiguous(self, target: str, fitting: Sequence[Parameter]) -> AmbiguousTarget:
        """The error for a *target* that several parameters fit."""
        listed = "".join(
            f"\n  {one.target}  ({one.kind}, {self.line_words(one.line)})" for one in fitting
        )
        return AmbiguousTarget(
            f"{self.file}: {target!r} fits several parameters; write one of them in full:{listed}"
        )

    def refusal(self, parameter: Parameter) -> RefusedTarget:
        """The error for a parameter that cannot be overridden."""
        return RefusedTarget(
            f"{self.place(parameter.line)}: cannot override {parameter.target!r}: "
            f"{parameter.refused}{self.bound_of(parameter.target)}"
        )

    def bound_of(self, name: str) -> str:
        """A hint for a loop variable *name* whose loop has a bound."""
        loops = [f"{PREFIX}{name}", f"{PREFIX}{name}[0]"]
        found = next((one for one in loops if one in self.parameters), "")
        return f". The bound of its loop is the target {found!r}" if found else ""

    def below(self, target: str, path: tuple[Step, ...]) -> Parameter:
        """The parameter of a path below a name, from the longest part of the path that is a
        parameter.
        """
        full = join_path(path)  # ``cfg["lr"]`` and ``cfg.lr`` are one target
        if full in self.parameters:
            raise self.refusal(self.parameters[full])
        for length in range(len(path) - 1, 0, -1):
            owner = self.parameters.get(join_path(path[:length]))
            if owner is None:
                continue
            if owner.refused:
                raise self.refusal(owner)
            self.refuse_below_none(full, owner, path[length:])
            found = self.behind_alias(owner, path[length:])
            found = found or self.setting(full, owner, path[length:])
            found = found or self.in_text(full, owner, path[length:])
            if found is not None:
                return found
            if owner.definitions:
                self.refuse_without_value(full, owner, path[length:])
                return self.at_run_time(full, owner, path[length:])
            if all(map(is_closed, owner.values)):
                break
        raise self.unknown_target(target)

    def behind_alias(self, owner: Parameter, rest: tuple[Step, ...]) -> Parameter | None:
        """``__C.lr`` for ``cfg.lr`` after ``cfg = __C``: one object by two names. ``--lr`` for
        ``FLAGS.lr`` after ``FLAGS = flags.FLAGS``: absl refuses to set what is not parsed yet.
        """
        bound = owner.values[0] if len(owner.definitions) == len(owner.values) == 1 else None
        if dotted_name(bound) in ("flags.FLAGS", "absl.flags.FLAGS") and len(rest) == 1:
            return self.parameters.get(f"--{rest[0]}")
        if not isinstance(bound, ast.Name):
            return None
        scope = owner.target[: -len(owner.definitions[0].name)]
        return self.parameters.get(scope + join_path((bound.id, *rest)))

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """The classes of the script."""
        return classes_in(self.source.tree)

    def setting(self, target: str, owner: Parameter, rest: tuple[Step, ...]) -> Parameter | None:
        """The setting of the object that a field makes, or the call of a class with fields."""
        find = setting_of_field if owner.kind == "class attribute" else setting_of_call
        found = [find(value, rest, self.classes) for value in owner.values]
        made = [one for one in found if one is not None]
        if not made or len(made) < len(found):
            return None
        first = made[0]
        path = next((one.path for one in made if one.path), ())
        sites = tuple(site for one in made for site in one.sites)
        shown = first.default
        return replace(
            owner, target=target, kind="entry", definitions=(), sites=sites, path=path,
            default=self.source.segment(shown) if shown is not None else "",
            line=sites[0].line, also=tuple(site.line for site in sites[1:]),
            values=() if shown is None else (shown,),
            reading=("below",) if path else setting_reading(shown, first.annotation, self.classes),
        )  # fmt: skip

    def refuse_below_none(self, target: str, owner: Parameter, rest: tuple[Step, ...]) -> None:
        """Raise RefusedTarget if the text makes no object: ``opt: Opt | None = None``."""
        made = [default_of(value)[0] for value in owner.values]
        if not made or not all(isinstance(one, ast.Constant) and one.value is None for one in made):
            return
        last = join_path(rest)
        inner = [one for one in self.parameters if one.endswith(f".{last}") and one.count(".") == 1]
        ways = f" or override {inner[0]!r}, which every new one has" if len(inner) == 1 else ""
        raise RefusedTarget(
            f"{self.place(owner.line)}: cannot override {target!r}: {owner.target!r} is None, "
            f"which has no {last!r}. Give {owner.target!r} an object in a Python config{ways}."
        )

    def refuse_without_value(self, target: str, owner: Parameter, rest: tuple[Step, ...]) -> None:
        """Raise RefusedTarget if no object is made where the name stands: a field that has to be
        given, or an annotation alone.
        """
        definitions = owner.definitions
        empty = [one for one in definitions if one.form == "declared"]
        if owner.kind == "class attribute":
            empty += [one for one in definitions if one.value and not default_of(one.value)[0]]
        if not empty:
            return
        name = dotted_name(empty[0].annotation)
        inner = f"{name}.{join_path(rest)}"
        ways = [repr(inner)] if inner in self.parameters else []
        ways.append(f"{owner.target!r} as a whole")
        raise RefusedTarget(
            f"{self.place(empty[0].line)}: cannot override {target!r}: {owner.target!r} has no "
            f"value here. Override {' or '.join(ways)}."
        )

    def in_text(self, target: str, owner: Parameter, rest: tuple[Step, ...]) -> Parameter | None:
        """The entry, if the text of the owner's values shows it; else None."""
        if owner.kind == "class attribute" and any(map(is_field, owner.values)):
            return None
        values = [inner for value in owner.values for inner in descend(value, rest)]
        if not values:
            return None
        return replace(
            owner, target=target, kind="entry", also=(), values=tuple(values), definitions=(),
            default=self.source.segment(values[0]), line=values[0].lineno,
            reading=setting_reading(values[0], None, {}),
            sites=tuple(Site(value, "replace", "{}", value.lineno) for value in values),
        )  # fmt: skip

    def at_run_time(self, target: str, owner: Parameter, rest: tuple[Step, ...]) -> Parameter:
        """The parameter of a path that only the running script can follow; closed literals have
        none.
        """
        tree = self.source.tree
        open_ones = [one for one in owner.definitions if is_open(tree, one)]
        if not open_ones or any(one.form in ("def", "class") for one in open_ones):
            self.refuse_inner(target, open_ones, rest)
            raise self.unknown_target(target)
        for one in open_ones:
            self.refuse_unreadable(target, owner, one)
        in_class = owner.kind == "class attribute"
        # A class without bases is no enum.
        scope = self.classes.get(owner.target.rpartition(".")[0])
        binds_once = in_class and (scope is None or bool(scope.bases))
        first = open_ones[0]
        later = later_stores(tree, (first.name, *rest), first.line)
        sites = [
            site
            for one in open_ones
            for site in refilled_sites(tree, one, rest, in_class, binds_once)
        ]
        return replace(
            owner, target=target, kind="entry", default="", reading=("below",), definitions=(),
            line=open_ones[0].line, also=tuple(one.line for one in open_ones[1:]), values=(),
            sites=tuple(sites), path=rest, later=later, option=self.option_behind(open_ones, rest),
        )  # fmt: skip

    def option_behind(self, owners: Sequence[Definition], rest: tuple[Step, ...]) -> str:
        """The full target of the option whose value *rest* is, below the parsed arguments that
        *owners* bind; empty if they are none.
        """
        parsers = parsing_functions(self.source.tree, _PARSERS)
        calls = [one.value for one in owners if isinstance(one.value, ast.Call)]
        if not any(called_name(call.func) in parsers for call in calls):
            return ""
        name = str(rest[-1])  # `args.opt.lr` of nested dataclasses is `Opt.lr`
        named = [
            one for one in self.by_last.get(name, []) if one.kind in ("option", "class attribute")
        ]
        found = {one.target for one in named or self.by_other_name(name)}
        return found.pop() if len(found) == 1 else ""

    def refuse_inner(self, target: str, owners: list[Definition], rest: tuple[Step, ...]) -> None:
        """Raise RefusedTarget if a class or function binds the name in a way that cannot be
        replaced.
        """
        scopes = [one.node for one in owners if isinstance(one.node, (*FUNCTIONS, ast.ClassDef))]
        for scope in scopes:
            found = [one for one in find_definitions(scope) if (one.name,) == rest]
            if found and (is_dunder(found[0].name) or not effective_definitions(found)):
                raise self.refusal(refused_parameter(target, found))

    def refuse_unreadable(self, target: str, owner: Parameter, one: Definition) -> None:
        """Raise RefusedTarget if only the running script knows the keys of a literal, or if no
        statement can stand after the definition.
        """
        reason = ""
        if isinstance(one.node, ast.If) and self.source.segment(one.node).startswith("elif"):
            reason = "it is bound in the condition of an elif"
        elif isinstance(one.value, ast.DictComp):
            reason = "its keys are made by a comprehension"
        elif isinstance(one.value, ast.Dict) and not all(
            key is None or isinstance(key, ast.Constant) for key in one.value.keys
        ):
            reason = "its keys are not literals"
        if reason:
            raise RefusedTarget(
                f"{self.place(one.line)}: cannot override {target!r}: {reason}. "
                f"Override {owner.target!r} as a whole."
            )

    def unknown_target(self, target: str) -> UnknownTarget:
        """The error for a target that the script lacks, with similar ones."""
        names = [one.target for one in self.parameters.values() if not one.refused]
        found = near(target, names)
        for last in near(last_name_or(target), list(self.by_last)):
            found += [one.target for one in self.by_last[last] if one.target not in found]
        hints = [f"{name!r} ({self.line_words(self.parameters[name].line)})" for name in found[:3]]
        hint = (
            f" Did you mean {' or '.join(hints)}?"
            if hints
            else (
                f" 'kogine run --inspect {self.file}' lists what can be overridden;"
                " --add sets a name that the script does not define."
            )
        )
        hydra = "hydra" in {full.partition(".")[0] for full in self.import_names.values()}
        own = " What is for Hydra in the script stands behind '--'." if hydra else ""
        error = UnknownTarget(f"{self.file}: no parameter {target!r}.{hint}{own}")
        return error.with_near(found[:3])

    @property
    def file(self) -> str:
        """The script's name, for messages."""
        return self.source.filename.replace("\\", "/").rpartition("/")[2]

    def shortest(self, parameter: Parameter) -> str:
        """The shortest target that means *parameter* alone."""
        last = last_name(parameter.target)
        if last not in self._preferred:  # an inspection asks for each parameter
            self._preferred[last] = preferred(self.by_last.get(last, []))
        has_global = last in self.parameters and not self.parameters[last].refused
        is_short = last.isidentifier() and not has_global and self._preferred[last] == [parameter]
        return last if is_short and self.meant(last) == [parameter] else parameter.target


def negated(parameter: Parameter) -> Parameter:
    """The same parameter by the flag that switches it off: ``--no-cache=yes`` is ``cache=no``."""
    sites = (
        replace(one, template=_NOT) if one.template == "{}" else one for one in parameter.sites
    )
    return replace(parameter, reading=("bool",), sites=tuple(sites))


_NOT = "(not {})"


def is_negated(parameter: Parameter) -> bool:
    """Whether ``negated`` has made it. A config must not use it: the value would be read as that of
    the attribute, in another sense.
    """
    return any(one.template == _NOT for one in parameter.sites)


def last_name_or(target: str) -> str:
    """The last name of *target*, or all of it."""
    return last_name(target) or target
