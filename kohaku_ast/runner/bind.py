"""A script bound to a Config: everything that is known before its first line runs.

On the warm path.
"""

from __future__ import annotations

from kohaku_ast.runner.main_module import entry_call
from kohaku_ast.runner.overrides import Override, of_config
from kohaku_ast.runner.prepare import Programs, added_names, make_request, prepare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import CodeType
    from typing import TypeAlias

    from kohaku_ast.config.config import Config
    from kohaku_ast.runner.launch import Launch
    from kohaku_ast.transform.program.bound_program import Prepared
    from kohaku_ast.transform.program.program import Program, Request, ResolvedTarget


Anew: TypeAlias = "Callable[[Mapping[str, object]], dict[str, object]]"
"""From values as their config made them to values as the script gets them."""


class Bound:
    """What one run needs."""

    __slots__ = ("anew", "argv", "config", "launch", "names", "prepared", "wants_error")

    def __init__(
        self,
        launch: Launch,
        config: Config | None,
        prepared: Prepared,
        names: Mapping[str, object],
        argv: Sequence[str],
        anew: Anew = dict,
    ) -> None:
        self.launch = launch
        self.config = config
        self.prepared = prepared
        #: Globals that the script does not define.
        self.names = names
        #: What the script finds in ``sys.argv``.
        self.argv = [launch.argv[0], *argv]
        #: Gives values of the Config as the script gets them; some are Pickled.
        self.anew = anew
        #: Whether, in another process, the exception itself is sent back beside its text.
        self.wants_error = False

    @property
    def program(self) -> Program:
        """The script's Program."""
        return self.prepared.program

    def codes(self) -> list[CodeType]:
        """What is run, one after another; where ``last`` is called the guards are left out."""
        return self.prepared.given.codes("module" if self.program.entry_name else "")

    def last(self) -> Callable[[dict[str, object]], object] | None:
        """What to call with the namespace after the module; None if the guard does it."""
        name, config = self.program.entry_name, self.config
        if not name:
            return None
        if config is None:
            return entry_call(name, (), {})
        args = self.anew({str(n): one for n, one in enumerate(config.args)})
        above = self.prepared.given.values  # of the command line: else it was refused
        kwargs = {key: one for key, one in config.kwargs.items() if f"{name}({key})" not in above}
        return entry_call(name, list(args.values()), self.anew(kwargs))


class Binder:
    """Binds one script to any number of Configs; what is read and compiled serves all."""

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
        """*overrides* and *added* (``NAME=VALUE``) hold for every Config; with *as_is* no text is
        checked against the type of its parameter.
        """
        self.launch = launch
        self.entrypoint, self.as_is = entrypoint, as_is
        self.overrides, self.added = self._as_asked(overrides), added
        self.split, self.capture = split, capture
        self.programs = Programs(launch)

    def bind(self, config: Config | None = None) -> Bound:
        """Find what every override means; nothing has run yet.

        Raises SyntaxError, and KogineError for what cannot be applied.
        """
        names = added_names(self.added, config.new_globals if config else {})
        anew = self._anew(config)
        prepared = prepare(
            self.launch,
            self.all_overrides(config),
            config.args if config else (),
            config.kwargs if config else {},
            self.entrypoint,
            split=self.split,
            capture=self.capture,
            added=names,
            programs=self.programs,
            anew=anew,
        )
        return Bound(self.launch, config, prepared, names, self._argv(config), anew)

    def request(self, config: Config | None = None) -> Request:
        """The names that ``bind`` asks the script for."""
        return make_request(
            self.all_overrides(config),
            config.args if config else (),
            config.kwargs if config else {},
            self.entrypoint,
            self.split,
            self.capture,
            added_names(self.added, config.new_globals if config else {}),
        )

    def full_targets(self, overrides: Sequence[Override]) -> dict[str, str]:
        """What each target of *overrides* means in full, less those that the script lacks.

        Raises what ``bind`` does for a target that cannot be.
        """
        request = make_request(self._as_asked(overrides), entrypoint=self.entrypoint)
        program = self.programs.of_script(request)
        pairs = zip(request.targets, program.meant)
        return {name: _full(one) for (name, _, _), one in pairs if one is not None}

    def check(self, overrides: Sequence[Override]) -> None:
        """Raises what ``bind`` would raise for *overrides* alone."""
        prepare(
            self.launch,
            spread(self._as_asked(overrides), self.launch),
            entrypoint=self.entrypoint,
            programs=self.programs,
        )

    def all_overrides(self, config: Config | None) -> list[Override]:
        """Those of *config* and those that always hold."""
        if config is None:
            return self.overrides
        own = of_config(config, as_is=self.as_is)
        return [*spread(own, self.launch), *self.overrides]

    def _as_asked(self, overrides: Sequence[Override]) -> list[Override]:
        """*overrides*, taken as they are if all are."""
        if self.as_is:
            for one in overrides:
                one.as_is = True
        return list(overrides)

    def _anew(self, config: Config | None) -> Anew:
        """What pickles values that name modules which the script imports, too."""
        if config is None:
            return dict
        from kohaku_ast.runner.module_references import made_anew

        return lambda values: made_anew(values, config, self.launch)

    def _argv(self, config: Config | None) -> Sequence[str]:
        """The command line's own arguments win over a config's."""
        own = self.launch.argv[1:]
        return own or (config.argv if config else ())


def _full(meant: ResolvedTarget) -> str:
    module = f"{meant.module[0]}." if meant.module else ""
    return module + meant.target


def spread(overrides: list[Override], launch: Launch) -> list[Override]:
    """*overrides*, with the nested tables of data files as targets of their own."""
    from kohaku_ast.config.cells import CellMap

    if not any(isinstance(one.value, CellMap) for one in overrides):
        return overrides
    from kohaku_ast.runner.overrides import spread_tables

    return spread_tables(overrides, launch)
