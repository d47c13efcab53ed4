"""Binds a script to its Configs: every override finds its parameter, or an error says why not.

On the warm path of runs with overrides. Nothing of the script runs here; what ``bind`` gives is run
in this process (inline.py, main_module.py) or sent to another one (job.py).
"""

from __future__ import annotations

import os
import sys

from kohaku_ast.errors import DuplicateTarget, KogineError, RefusedTarget
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.main_module import entry_call
from kohaku_ast.runner.overrides import (
    Override,
    added_names,
    has_tables,
    make_request,
    of_config,
    read_values,
    resolved_targets,
    spread_tables,
)
from kohaku_ast.transform.program.bound_program import BoundProgram, Prepared, is_plain, original
from kohaku_ast.transform.program.load import load_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from types import CodeType
    from typing import TypeAlias

    from kohaku_ast.config.config import Config
    from kohaku_ast.transform.program.program import Program, Request, ResolvedTarget


ForScript: TypeAlias = "Callable[[Mapping[str, object]], dict[str, object]]"
"""From values as their config made them to values as the script gets them."""


class Bound:
    """A script bound to one Config: everything that one run needs."""

    __slots__ = ("argv", "config", "for_script", "launch", "names", "prepared", "wants_error")

    def __init__(
        self,
        launch: Launch,
        config: Config | None,
        prepared: Prepared,
        names: Mapping[str, object],
        argv: Sequence[str],
        for_script: ForScript = dict,
    ) -> None:
        self.launch = launch
        self.config = config
        self.prepared = prepared
        #: Globals that the script does not define.
        self.names = names
        #: What the script finds in ``sys.argv``.
        self.argv = [launch.argv[0], *argv]
        #: Returns values of the Config as the script gets them; some are Pickled.
        self.for_script = for_script
        #: Whether, in another process, the exception itself is sent back beside its text.
        self.wants_error = False

    @property
    def program(self) -> Program:
        """The script's Program."""
        return self.prepared.program

    def codes(self) -> list[CodeType]:
        """The codes to run, in order; without the guards if ``last`` is called after them."""
        return self.prepared.given.codes("module" if self.program.entry_name else "")

    def wanted_outputs(self) -> dict[str, bool]:
        """The globals in the ``outputs`` of the Config; True for those that may be lacking."""
        config = self.config
        return {name: name in config.optional for name in config.outputs} if config else {}

    def text_values(self) -> dict[str, object]:
        """Full target -> value, for a text of the script that has the values in it."""
        sent = self.prepared.given.sent.items()
        return {target: original(value) for target, value in sent if target not in self.names}

    def last(self) -> Callable[[dict[str, object]], object] | None:
        """The call of the entrypoint, to be given the namespace after the module; None if the guard
        makes the call.
        """
        name, config = self.program.entry_name, self.config
        if not name:
            return None
        if config is None:
            return entry_call(name, (), {})
        args = self.for_script({str(n): one for n, one in enumerate(config.args)})
        # What the command line gives wins; the same from another place was refused.
        above = self.prepared.given.values
        kwargs = {key: one for key, one in config.kwargs.items() if f"{name}({key})" not in above}
        return entry_call(name, list(args.values()), self.for_script(kwargs))


class Binder:
    """Binds one script to any number of Configs; it is read and compiled once for all of them."""

    def __init__(
        self,
        launch: Launch,
        overrides: Sequence[Override] = (),
        entrypoint: str = "",
        *,
        added: Sequence[str] = (),
        split: bool = False,
        capture: bool = False,
        as_is: bool = False,
    ) -> None:
        """*overrides* and *added* (``NAME=VALUE``) hold for every Config. With *as_is*, no text is
        checked against the type of its parameter.
        """
        self.launch = launch
        self.entrypoint, self.as_is = entrypoint, as_is
        self.overrides, self.added = self._marked(overrides), added
        self.split, self.capture = split, capture
        self.programs = Programs(launch)
        #: Those of some targets that another script of the flow has, and this one lacks: an option
        #: of a group may bring them.
        self.elsewhere: Callable[[Sequence[str]], Collection[str]] | None = None

    def bind(self, config: Config | None = None) -> Bound:
        """Find the parameter of every override; nothing has run yet.

        Raises SyntaxError, and KogineError for what cannot be applied.
        """
        names = self._added_names(config)
        overrides = self.all_overrides(config)
        request = self._request(overrides, config, names)
        for_script = self._for_script(config)
        prepared = self._prepare(request, overrides, names, *_call_arguments(config), for_script)
        if config is not None and config.argv and not self.launch.argv[1:]:
            resolved = resolved_targets(prepared.program, request)
            # A name that the config reads itself may be the source of the argument.
            own = {name for name, _, optional in request.targets if optional}
            self._refuse_lost(config, {key: resolved[key] for key in resolved.keys() - own})
        return Bound(self.launch, config, prepared, names, self._argv(config), for_script)

    def _refuse_lost(self, config: Config, resolved: Mapping[str, ResolvedTarget]) -> None:
        """Raise DuplicateTarget if an argument in the ``argv`` of *config* wins over one of its
        overrides, or of the command line: it would be lost.
        """
        from kohaku_ast.transform.find.accepted_options import accepted_options_of, given_as

        launch = self.launch
        accepted = accepted_options_of(launch.data, launch.filename, launch.path0, launch.package)
        given = accepted.given(config.argv) if resolved else {}
        for name, one in resolved.items() if given else ():
            argument = given_as(name, _full(one), given)
            if argument:
                raise DuplicateTarget(
                    f"{_full(one)!r} is given twice: as {name}=... and as the argument "
                    f"{argument!r} in the argv of the config, which wins. Take away one of them."
                )

    def request(self, config: Config | None = None) -> Request:
        """What ``bind`` compiles the script for."""
        return self._request(self.all_overrides(config), config, self._added_names(config))

    def full_targets(self, overrides: Sequence[Override]) -> dict[str, str]:
        """Target -> its full spelling, for the targets of *overrides* that the script has.

        Raises as ``bind`` does for a target that cannot be overridden.
        """
        return {name: _full(one) for name, one in self.resolved(overrides).items()}

    def resolved(self, overrides: Sequence[Override]) -> dict[str, ResolvedTarget]:
        """Target -> what it means in the script, as ``full_targets``."""
        request = make_request(self._marked(overrides), entrypoint=self.entrypoint)
        try:
            return resolved_targets(self.programs.load_program(request), request)
        except DuplicateTarget:  # `db` and `db.host`: each means something by itself
            if len(overrides) == 1:
                raise
            return {name: one for each in overrides for name, one in self.resolved([each]).items()}

    def check(self, overrides: Sequence[Override], base: Config | None = None) -> None:
        """Raises as ``bind`` does, for *overrides* alone; for an option of a group in a file of
        Hydra in *base*, for the values that it brings.
        """
        if base is not None and base.composed:
            overrides = self._composed(overrides, base)
        overrides = spread_tables(self._marked(overrides), self.launch)
        self._mark_foreign(overrides)
        self._prepare(make_request(overrides, entrypoint=self.entrypoint), overrides, {})

    def _composed(self, overrides: Sequence[Override], base: Config) -> Sequence[Override]:
        """*overrides* over the files of Hydra in *base*: what an option brings; else themselves."""
        from kohaku_ast.runner.composed_overrides import checked_overrides, chosen

        choice = chosen(base, overrides)
        if choice:
            return self.all_overrides(choice)
        return checked_overrides(base, overrides, self.overrides, self.launch, self.full_targets)

    def all_overrides(self, config: Config | None) -> list[Override]:
        """The overrides of *config*, and those that hold for every Config."""
        if config is None:
            return self.overrides
        if config.composed:
            return self._settle(config)[1]
        own = of_config(config, as_is=self.as_is)
        return [*spread_tables(own, self.launch), *self.overrides]

    def settled(self, config: Config) -> Config:
        """*config* with its files of Hydra composed for the options and values of this run."""
        return self._settle(config)[0] if config.composed else config

    def _settle(self, config: Config) -> tuple[Config, list[Override]]:
        """The same, and all overrides, without those that were for Hydra."""
        from kohaku_ast.runner.composed_overrides import settled_overrides

        config, overrides = settled_overrides(
            config, self.overrides, self.launch, self.as_is, self.full_targets
        )
        self._mark_foreign(overrides)
        return config, overrides

    def _mark_foreign(self, overrides: Sequence[Override]) -> None:
        """Mark those that are for another script of the flow as optional."""
        if self.elsewhere:
            foreign = self.elsewhere([one.target for one in overrides if not one.optional])
            for one in overrides:
                one.optional = one.optional or one.target in foreign

    def _marked(self, overrides: Sequence[Override]) -> list[Override]:
        """*overrides*, each marked as unchecked if all are."""
        if self.as_is:
            for one in overrides:
                one.as_is = True
        return list(overrides)

    def _added_names(self, config: Config | None) -> dict[str, object]:
        return added_names(self.added, config.new_globals if config else {})

    def _request(
        self, overrides: Sequence[Override], config: Config | None, names: Iterable[str]
    ) -> Request:
        return make_request(
            overrides,
            *_call_arguments(config),
            self.entrypoint,
            self.split,
            self.capture,
            added=names,
        )

    def _prepare(
        self,
        request: Request,
        overrides: Sequence[Override],
        names: Mapping[str, object],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
        for_script: ForScript = dict,
    ) -> Prepared:
        """The Programs, of the script and of its modules, that have every override in force."""
        try:
            program = self.programs.load_program(request)
        except KogineError as error:
            raise _with_origin(error, overrides) from None
        by_module = self._through_modules(program, request, overrides)
        values = read_values(program, request, overrides, args, kwargs) | dict(names)
        modules = {
            name: (file, self._prepare_module(name, file, aimed, for_script, program.is_pure))
            for (name, file), aimed in by_module.items()
            if file
        }
        late = [
            one.aimed_at(f"{name}.{one.target}")
            for (name, file), aimed in by_module.items()
            if not file
            for one in aimed
        ]
        later = LateModules.of(late, for_script, program.is_pure) if late else None
        return Prepared(BoundProgram(program, for_script(values)), modules, later)

    def _through_modules(
        self, program: Program, request: Request, overrides: Sequence[Override]
    ) -> dict[tuple[str, str], list[Override]]:
        """As ``_by_module``, where a module that another one imports may be named by both:
        ``data.hparams.lr`` is ``hparams.lr``.
        """
        found: dict[tuple[str, str], list[Override]] = {}
        waiting = list(_by_module(program, request, overrides).items())
        for place, aimed in waiting:
            name, file = place
            if file and has_tables(aimed):
                aimed = spread_tables(aimed, Launch(file))
            if file:
                inner = make_request(aimed)
                module = self.programs.load_module(name, file, inner)
                waiting += _by_module(module, inner, aimed).items()
                elsewhere = resolved_targets(module, inner)
                aimed = [
                    one
                    for one in aimed
                    if one.target not in elsewhere or not elsewhere[one.target].module
                ]
            if aimed:
                found.setdefault(place, []).extend(aimed)
        return found

    def _prepare_module(
        self, name: str, file: str, overrides: list[Override], for_script: ForScript, is_pure: bool
    ) -> BoundProgram:
        request = make_request(overrides)
        program = self.programs.load_module(name, file, request)
        return BoundProgram(program, for_script(read_values(program, request, overrides)), is_pure)

    def _for_script(self, config: Config | None) -> ForScript:
        """Pickles the values that refer to modules which the script imports too."""
        if config is None:
            return dict

        def for_script(values: Mapping[str, object]) -> dict[str, object]:
            imports = any(one.folders() for one in config.siblings)
            if not imports and all(map(is_plain, values.values())):
                return dict(values)  # most do; cloudpickle, which the others need, takes 30 ms
            from kohaku_ast.runner.module_references import refer_to_script_modules

            return refer_to_script_modules(values, config, self.launch)

        return for_script

    def _argv(self, config: Config | None) -> Sequence[str]:
        """The command line's own arguments win over a config's."""
        own = self.launch.argv[1:]
        return own or (config.argv if config else ())


def _full(resolved: ResolvedTarget) -> str:
    module = f"{resolved.module[0]}." if resolved.module else ""
    return module + resolved.target


def _call_arguments(config: Config | None) -> tuple[Sequence[object], Mapping[str, object]]:
    """What *config* gives to the call that starts the script."""
    return (config.args, config.kwargs) if config else ((), {})


_IN_SIGHT = ("command line", "Config", "Sweep")
"""Origins that a message does not name: the user has just written them."""


def _with_origin(error: KogineError, overrides: Sequence[Override]) -> KogineError:
    """*error* about a target, with the config that gives it a value."""
    origins = [one.origin for one in overrides if one.target == error.target]
    if not origins or origins[0] in _IN_SIGHT:
        return error
    return type(error)(f"{error} ({origins[0]} gives it a value.)")


def _by_module(
    program: Program, request: Request, overrides: Sequence[Override]
) -> dict[tuple[str, str], list[Override]]:
    """Module name and file -> the overrides for it, with targets as they stand in that module."""
    resolved = resolved_targets(program, request)
    aimed: dict[tuple[str, str], list[Override]] = {}
    for one in overrides:
        module = resolved[one.target].module if one.target in resolved else None
        if module:
            name, file, inner = module
            aimed.setdefault((name, file), []).append(one.aimed_at(inner))
    return aimed


class LateModules:
    """The overrides of modules that only the running script can find. Picklable."""

    def __init__(self, overrides: Sequence[Override], is_pure: bool) -> None:
        """Each override's target begins with the name of its module."""
        self.overrides, self.is_pure = list(overrides), is_pure

    @classmethod
    def of(cls, overrides: Sequence[Override], for_script: ForScript, is_pure: bool) -> LateModules:
        """With the values as the script gets them; a text is read when its module is there."""
        values = for_script({one.target: one.value for one in overrides if not one.is_text})
        return cls(
            [one.with_value(values.get(one.target, one.value)) for one in overrides], is_pure
        )

    def __bool__(self) -> bool:
        return bool(self.overrides)

    def targets(self) -> list[str]:
        """The targets whose module was not imported."""
        return [one.target for one in self.overrides]

    def of_module(self, name: str, is_module: Callable[[str], bool]) -> list[Override]:
        """Take those for the module *name*; what *is_module* is for a module in that package."""
        taken = [
            one
            for one in self.overrides
            if one.target.startswith(f"{name}.")
            and not is_module(one.target[len(name) + 1 :].partition(".")[0])
        ]
        self.overrides = [one for one in self.overrides if one not in taken]
        return [one.aimed_at(one.target[len(name) + 1 :]) for one in taken]

    def bind(self, file: str, data: bytes, overrides: Sequence[Override]) -> BoundProgram:
        """The module in *file*, with the text *data*, bound to *overrides*; raises KogineError."""
        request = make_request(overrides)
        program = load_program(data, file, request, is_late=True)
        program.dead = []  # the files that the script runs may call its functions
        for (name, _), aimed in _by_module(program, request, overrides).items():
            if name in sys.modules:
                raise RefusedTarget(
                    f"{file} names {name}.{aimed[0].target}, and the script has imported {name!r} "
                    f"by now: write {name}.{aimed[0].target} as the target"
                )
            self.overrides += [one.aimed_at(f"{name}.{one.target}") for one in aimed]
        return BoundProgram(program, read_values(program, request, overrides), self.is_pure)


class Programs:
    """The Programs compiled so far. A file is read once, so that all runs see the same text."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self._made: dict[object, Program] = {}
        self._modules: dict[str, bytes] = {}

    def load_program(self, request: Request) -> Program:
        """The script's Program; raises as ``load_program`` does."""
        key, launch = request.key(), self.launch
        if key not in self._made:
            self._made[key] = load_program(
                launch.data, launch.filename, request, launch.path0, launch.package
            )
        return self._made[key]

    def load_module(self, name: str, file: str, request: Request) -> Program:
        """The Program of the module *name* in *file*; raises as ``load_program`` does."""
        key = file, request.key()
        if key not in self._made:
            if file not in self._modules:
                self._modules[file] = Launch(file).data
            is_package = os.path.basename(file).startswith("__init__.")
            package = name if is_package else name.rpartition(".")[0]
            made = load_program(self._modules[file], file, request, self.launch.path0, package)
            made.dead = self._dead(made, name)
            self._made[key] = made
        return self._made[key]

    def _dead(self, program: Program, module: str) -> list[str]:
        """What is said of overrides of *module*: defaults that no call uses, those in other files
        count, too; what a function of the script stores anew.
        """
        targets = [one.target for one in program.meant if one]
        defaults = [one for one in targets if "(" in one or one[:1].isupper()]
        stored = [one for one in targets if _may_store(self.launch.data, one)]
        if not defaults and not stored:
            return []
        from kohaku_ast.transform.find.default_notes import module_notes

        launch = self.launch
        place = launch.data, launch.filename, launch.path0, launch.package
        return module_notes(*place, module, defaults, stored)


def _may_store(script: bytes, target: str) -> bool:
    """Whether *script* may store into the last name of *target*; says it without a parser."""
    name = target.rpartition(".")[2].encode()
    ends = (b".%s =", b".%s=", b".%s:", b"'%s'] =", b'"%s"] =', b"'%s']=", b'"%s"]=')
    return any(end % name in script for end in ends)
