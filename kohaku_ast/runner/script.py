"""The Python API: ``Script("train.py").run()`` does in this process what ``kogine run`` does."""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kohaku_ast.config.config import Config
from kohaku_ast.display.text import Group, Row, group_rows, html_table, plain_table, short_repr
from kohaku_ast.errors import (
    PATHS,
    ConfigError,
    KogineError,
    UnusedOverride,
    UsageError,
    UsageTypeError,
    check_type,
)
from kohaku_ast.frames import hidden, is_ours
from kohaku_ast.notebook.notebook_text import is_notebook
from kohaku_ast.runner.bind import Binder, Bound
from kohaku_ast.runner.launch import Launch, find_launch, find_to_read, split_function
from kohaku_ast.runner.overrides import Override
from kohaku_ast.users_traceback import public
from kohaku_ast.value_types import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kohaku_ast.runner.inline import InlineRun
    from kohaku_ast.runner.outcome import Outcome
    from kohaku_ast.transform.find.parameters import Parameter

    _Tuple = tuple[Parameter, ...]
else:  # every flow passes here, and few inspect a script
    _Tuple = tuple


@public
class Script:
    """A script of the user's, which we never change: a file, a module, a folder or a zip."""

    _parameters: Parameters | None = None

    def __init__(
        self,
        path: str | os.PathLike[str],
        config: Config | Iterable[Any] | Callable[..., Any] | None = None,
        *,
        entrypoint: str = "",
        name: str = "",
        **overrides: object,
    ) -> None:
        """*path* is what ``kogine run`` takes: a file, ``train.py:main``, ``pkg.module``, a folder.

        *config* is a Config, or a dict of targets to values, for ``run`` and ``load``; a flow also
        takes a Sweep, an iterable or a generator of Configs, or a function of the Outcomes so far.
        *entrypoint* is a function to call after the module, instead of the guard; *name* is the
        Script's name in flows. *overrides* hold for every Config; a target that is no name, or
        is one of these parameters, goes by the dict. Of a notebook, *output* is no override but
        the file for it with its outputs, as ``-o`` of ``kogine run``: a kernel executes it.

        Raises SourceError if there is no such file.
        """
        check_type(path, PATHS, "path is a file's name")
        is_given = isinstance(config, (Config, Iterable)) and not isinstance(config, (str, bytes))
        if not (config is None or is_given or callable(config)):
            raise UsageTypeError(f"config is a Config, or gives Configs; got {config!r}")
        check_type(entrypoint, str, "entrypoint is the name of a function")
        check_type(name, str, "name is a text")
        self.path, function = split_function(os.fspath(path))
        self.entrypoint = entrypoint or function
        self.name = name or self.path
        self.launch()
        #: Of a notebook that a kernel executes, the file for it with its outputs; else empty.
        self.output = self._pop_output(overrides)
        self.config = self._with(read_mapping(config), overrides)

    def _pop_output(self, overrides: dict[str, object]) -> str:
        """The file that *overrides*, from which it is taken, name for a notebook."""
        if not is_notebook(self.path):
            return ""
        output = overrides.pop("output", "")
        if not isinstance(output, PATHS):
            raise UsageTypeError(
                f"output is the file for the executed notebook, got {output!r}. A value for what "
                "the notebook calls 'output' goes by the dict: {'output': ...}"
            )
        return os.fspath(output)

    def binder(self, output: str = "", **options: Any) -> Binder:
        """What binds its Configs; for a file *output* instead of its own. Raises UsageError."""
        launch, output = self.launch(), output or self.output
        if not output:
            return Binder(launch, (), self.entrypoint, **options)
        from kohaku_ast.runner.executed_notebook import ExecutingBinder, executed

        launch = executed(launch, output, self.entrypoint, "output=")
        return ExecutingBinder(launch, (), self.entrypoint, **options)

    def launch(self) -> Launch:
        """How Python starts it, with the text that it has now."""
        return Launch(self.path) if self.path == "-" else find_launch(self.path)

    def __repr__(self) -> str:
        return f"Script({self.path!r})"

    @property
    @public
    def parameters(self) -> Parameters:
        """Everything that can be overridden, in the order of the file; nothing is run."""
        if self._parameters is not None:
            return self._parameters
        from kohaku_ast.transform.find.inspection import inspect_source
        from kohaku_ast.transform.find.source import decode

        launch = self.launch()
        source = decode(launch.data, launch.filename, launch.path0, launch.package)
        self._parameters = Parameters(inspect_source(source).parameters)
        return self._parameters

    @hidden
    def run(
        self, config: Config | Mapping[str, object] | None = None, /, **overrides: object
    ) -> Outcome:
        """Run it in this process, as ``__main__``; raises what the script raises.

        *config* and *overrides* come over its own Config: ``script.run(lr=0.1)``; of a notebook
        *output* is the file for the executed one.

        ``sys.exit()`` and ``sys.exit(0)`` are a success. For overrides that had no effect there is
        a warning, UnusedOverride. Raises KogineError, before anything runs, for a Config that
        does not fit the script.

        Afterwards everything that docs/reference/python.md lists is as it was before. Inside a
        running event loop (a notebook) the script starts outside of it: ``asyncio.run`` in the
        guard and an async entrypoint have ended when this returns.
        """
        # Here: what runs a script takes longer to import than what lists its parameters.
        from kohaku_ast.runner.inline import InlineRun
        from kohaku_ast.runner.outcome import Clock, Outcome

        run = InlineRun(self._bound(config, overrides))
        clock = Clock()
        try:
            value = run.whole()
        except SystemExit as exit_:
            if exit_.code not in (None, 0):
                raise
            value = run.given.capture.value
        finally:
            outputs = run.outputs()
            _warn_unused(run)
        return Outcome("succeeded", value, outputs, None, 0, clock.started, clock.now())

    @hidden
    def load(
        self, config: Config | Mapping[str, object] | None = None, /, **overrides: object
    ) -> Loaded:
        """Run the module body; the guard, as a callable. The arguments are as for ``run``.

        Afterwards everything is as it was before, as after ``run``, and so after each call.
        """
        from kohaku_ast.runner.inline import InlineRun  # as in `run`

        run = InlineRun(self._bound(config, overrides, split=True))
        run.module()
        return Loaded(run)

    def _bound(
        self,
        over: Config | Mapping[str, object] | None,
        overrides: dict[str, object],
        split: bool = False,
    ) -> Bound:
        config = self.config
        if not isinstance(config, Config):
            raise UsageError(
                f"{self!r} has many Configs: run it in a flow, Sequential([script]).run()"
            )
        output = self._pop_output(overrides)
        more = self._with(read_mapping(over), overrides)
        if not isinstance(more, Config):
            raise UsageTypeError(f"run() takes one Config, or a dict of targets; got {over!r}")
        if split and (output or self.output):
            raise UsageError("a kernel executes all cells: run() it, or load it without output")
        return self.binder(output, split=split, capture=True).bind(config | more)

    def _with(self, config: Any, overrides: Mapping[str, object]) -> Any:
        """*config* with *overrides* over it. Raises ConfigError for a target that has a value in
        the code already, by this spelling or another: ``depth`` and ``Args.depth``.
        """
        given = _given_in_code(config)
        equal = [(one, one) for one in overrides if one in given]
        for name, other in equal or self._alike(overrides, given):
            spelled = "" if other == name else f" as {other!r}"
            raise ConfigError(f"{name!r} is given twice: in the config{spelled}, and by its name")
        return _with_overrides(config, overrides)

    def _alike(self, overrides: Iterable[str], given: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Those of *overrides* and of *given* that mean one parameter."""
        launch = find_to_read(self.path) if overrides and given else None
        if launch is None:
            return
        probes = [Override(one, None, "", optional=True) for one in (*overrides, *given)]
        try:
            found = Binder(launch, (), self.entrypoint).resolved(probes)
        except (KogineError, SyntaxError, ValueError):
            return  # the run raises it
        # What the script has parsed (`args.bs`) is its option `--bs`: they take no two values.
        meant = {name: (one.module, one.option or one.target) for name, one in found.items()}
        for name in overrides:
            for other in given:
                if name in meant and meant[name] == meant.get(other):
                    yield name, other


def read_mapping(config: Any) -> Any:
    """*config*; a dict of targets to values as a Config, and so None."""
    if config is None:
        return Config()
    if isinstance(config, Mapping):
        if not all(isinstance(target, str) for target in config):
            raise UsageTypeError(
                f"a dict for a Script has targets as keys; got {short_repr(config)}. "
                "For axes write Sweep({...})"
            )
        return Config(config)
    return config


def _with_overrides(config: Any, overrides: Mapping[str, object]) -> Any:
    """*config*, or each of the Configs that it gives, with *overrides* over its own values."""
    if not overrides:
        return config
    over = Config(overrides)
    if isinstance(config, Config):
        return config | over
    from kohaku_ast.config.sweep import Sweep

    if callable(config) and not isinstance(config, Sweep):
        return lambda previous: Sweep.of(call_with(config, previous), "config") | over
    return Sweep.of(config, "config") | over


def _given_in_code(config: Any) -> list[str]:
    """The targets to which *config* itself gives values: over those of a file, a keyword is as
    ``--set``.
    """
    if isinstance(config, Config):
        return [one for one in config.globals_dict if not config.origins.get(one)]
    axes: Iterable[str] = getattr(config, "targets", ())
    return [*axes, *_given_in_code(config.base)] if axes else []


def call_with(function: Callable[..., Any], previous: Mapping[str, Outcome]) -> Any:
    """What *function*, which makes Configs, returns; it gets *previous* if it has a parameter."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a builtin
        return function(previous)
    if any(one.kind is one.KEYWORD_ONLY and one.name == "previous" for one in parameters):
        return function(previous=previous)
    takes_one = any(one.kind not in (one.KEYWORD_ONLY, one.VAR_KEYWORD) for one in parameters)
    return function(previous) if takes_one else function()


@public
class Loaded:
    """A Script whose module body has run: calling it does what its guard does."""

    def __init__(self, run: InlineRun) -> None:
        self._run = run

    @property
    def namespace(self) -> dict[str, object]:
        """The script's globals."""
        return self._run.main.__dict__

    @hidden
    def __call__(self) -> object:
        """Run the guard's body; what its call of a function of the script returns."""
        return self._run.guard()


def _warn_unused(run: InlineRun) -> None:
    from kohaku_ast.runner.main_module import unused_messages  # as in `Script.run`

    level, frame = 1, sys._getframe()
    while is_ours(frame) and frame.f_back is not None:
        level, frame = level + 1, frame.f_back
    for message in unused_messages(run.bound.prepared):
        warnings.warn(message, UnusedOverride, stacklevel=level)


@public
@hidden
def run(
    script: str | os.PathLike[str],
    config: Config | Mapping[str, object] | None = None,
    /,
    **overrides: object,
) -> Outcome:
    """Run the file *script* with *overrides*, as ``Script.run`` does: ``run("train.py", lr=0.01)``.

    Targets that are no names go by a dict: ``run("train.py", {"Args.depth": 9})``.
    """
    return Script(script).run(config, **overrides)


COLUMNS = ("target", "default", "type", "help", "line")


class Parameters(_Tuple):
    """The parameters of a Script; printed as a table of those that a person would tune."""

    __slots__ = ()

    def __repr__(self) -> str:
        listed = self._listed()
        table = plain_table(columns_of(listed), groups_of(listed)) if listed else ""
        return "\n".join(filter(None, [table.rstrip("\n"), self._note()]))

    def _repr_html_(self) -> str:
        listed = self._listed()
        return html_table(columns_of(listed), groups_of(listed), note=self._note())

    def _listed(self) -> list[Parameter]:
        return [one for one in self if one.is_setting and not one.refused]

    def _note(self) -> str:
        hidden = len(self) - len(self._listed())
        more = f"{hidden} more: derived values, imports, functions and the rest"
        return more if hidden else "" if self else "nothing that can be overridden"


FULL = "full target"


def columns_of(listed: Sequence[Parameter]) -> Row:
    """The columns of a table of *listed*; full targets if a short one does not show its owner."""
    hides_owner = any(one.short != one.target and one.kind != "option" for one in listed)
    return (*COLUMNS, FULL) if hides_owner else COLUMNS


def groups_of(listed: Sequence[Parameter]) -> list[Group]:
    """The rows of a table of *listed*, under the headings of the script."""
    has_full = FULL in columns_of(listed)
    titled = [(one.section, (*as_row(one), *_full(one) * has_full)) for one in listed]
    return group_rows(titled)


def _full(parameter: Parameter) -> Row:
    return (parameter.target if parameter.short != parameter.target else "",)


def as_row(parameter: Parameter) -> Row:
    """The cells of one parameter."""
    return (
        parameter.short,
        one_line(parameter.default),
        type_text(parameter),
        "; ".join(filter(None, [parameter.help, *notes(parameter)])),
        lines_of(parameter),
    )


def type_text(parameter: Parameter) -> str:
    """The type that a text value is read as; empty if every value fits."""
    return "" if parameter.reading[0] in ("any", "none") else describe(parameter.reading)


def lines_of(parameter: Parameter) -> str:
    """``12``, or ``12, also 40, 52`` if further definitions are replaced too; in a notebook
    ``In[2]:1``.
    """
    first, *others = parameter.places or map(str, (parameter.line, *parameter.also))
    return f"{first}, also {', '.join(others)}" if others else first


def notes(parameter: Parameter) -> list[str]:
    """The remarks that follow the help in the table."""
    derived = parameter.derived_from and f"derived from {', '.join(parameter.derived_from)}"
    refused = parameter.refused and f"cannot be overridden: {parameter.refused}"
    return [note for note in (derived, refused) if note]


def one_line(text: str) -> str:
    """*text* in one line: an ellipsis stands for all lines but the first."""
    first, *rest = text.splitlines() or [""]
    if not rest:
        return first
    end = rest[-1].strip()
    return f"{first}…{end}" if end in ("}", "]", ")") else f"{first} …"
