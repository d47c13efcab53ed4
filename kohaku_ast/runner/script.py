"""Script: the Python API. ``Script("train.py").run()`` is ``kogine run train.py``, here."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

from kohaku_ast.config.config import Config
from kohaku_ast.display.table import Group, Row, group_rows, html_table, plain_table
from kohaku_ast.errors import UnusedOverride, UsageError
from kohaku_ast.runner.bind import Binder, Bound
from kohaku_ast.runner.inline import InlineRun
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.main_module import unused_messages
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.value_types import describe


class Script:
    """A Python file that somebody wrote and we never change."""

    def __init__(
        self,
        path: str,
        config: Config | Iterable[Any] | Callable[..., Any] | None = None,
        *,
        entrypoint: str = "",
        name: str = "",
    ) -> None:
        """*config* for ``run`` and ``load`` is a Config; a flow takes a Sweep, an iterable or a
        generator of Configs, and a function of the Outcomes so far, too. *entrypoint* is a
        function to call after the module, instead of the guard; *name* is what flows call it.

        Raises SourceError if there is no such file.
        """
        if not (config is None or isinstance(config, (Config, Iterable)) or callable(config)):
            raise UsageError(f"config is a Config, or gives Configs; got {config!r}")
        self.path = str(path)
        self.config = Config() if config is None else config
        self.entrypoint = entrypoint
        self.name = name or self.path
        Launch(self.path)

    def __repr__(self) -> str:
        return f"Script({self.path!r})"

    @cached_property
    def parameters(self) -> Parameters:
        """Everything that can be overridden, in the order of the file; nothing is run."""
        from kohaku_ast.transform.find.inspection import inspect_source
        from kohaku_ast.transform.find.source import decode

        launch = Launch(self.path)
        return Parameters(inspect_source(decode(launch.data, launch.filename)).parameters)

    def run(self) -> Outcome:
        """Run it here, as ``__main__``; raises what the script raises.

        ``sys.exit()`` and ``sys.exit(0)`` are a success. Overrides that had no effect are
        warned of with UnusedOverride. Raises KogineError, before anything runs, for a Config
        that does not fit the script.

        Everything in docs/reference/python.md is as it was after it. Inside a running event
        loop (a notebook) the script starts outside of it: ``asyncio.run`` in the guard and an
        async entrypoint are run to their end before this returns.
        """
        run = InlineRun(self._bound())
        started = time.time()
        try:
            value = run.whole()
        except SystemExit as exit_:
            if exit_.code not in (None, 0):
                raise
            value = run.given.capture.value
        finally:
            _warn_unused(run)
        return Outcome("succeeded", value, run.outputs(), None, 0, started, time.time())

    def load(self) -> Loaded:
        """Run the module body and give back the guard as a callable.

        As after ``run``, everything is as it was; the callable borrows it again.
        """
        run = InlineRun(self._bound(split=True))
        run.module()
        return Loaded(run)

    def _bound(self, split: bool = False) -> Bound:
        if not isinstance(self.config, Config):
            raise UsageError(
                f"{self!r} has many Configs: run it in a flow, Sequential([script]).run()"
            )
        launch = Launch(self.path)
        return Binder(launch, (), self.entrypoint, split=split, capture=True).bind(self.config)


class Loaded:
    """A Script whose module body has run: calling it does what its guard does."""

    def __init__(self, run: InlineRun) -> None:
        self._run = run

    @property
    def namespace(self) -> dict[str, object]:
        """The script's globals."""
        return self._run.main.__dict__

    def __call__(self) -> object:
        """Run the guard's body; what its call of a function of the script returned."""
        return self._run.guard()


def _warn_unused(run: InlineRun) -> None:
    for message in unused_messages(run.bound.prepared):
        warnings.warn(message, UnusedOverride, stacklevel=3)


def run(script: str, config: Config | None = None, /, **overrides: object) -> Outcome:
    """Run the file *script* here with *overrides*: ``run("train.py", lr=0.01)``.

    Targets that are no names go by ``**{"Args.depth": 9}``. As ``Script.run``.
    """
    return Script(script, (config or Config()) | Config(globals_dict=overrides)).run()


COLUMNS = ("target", "default", "type", "help", "line")


class Parameters(tuple[Parameter, ...]):
    """The parameters of a Script; what a person would tune is shown as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        table = plain_table(COLUMNS, self._groups()) if self._listed() else ""
        return "\n".join(filter(None, [table.rstrip("\n"), self._note()]))

    def _repr_html_(self) -> str:
        return html_table(COLUMNS, self._groups(), note=self._note())

    def _listed(self) -> list[Parameter]:
        return [one for one in self if one.is_setting and not one.refused]

    def _groups(self) -> list[Group]:
        return group_rows([(one.section, as_row(one)) for one in self._listed()])

    def _note(self) -> str:
        hidden = len(self) - len(self._listed())
        more = f"{hidden} more: derived values, imports, functions and the rest"
        return more if hidden else "" if self else "nothing that can be overridden"


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
    """What a text value is read as; empty if anything fits."""
    return "" if parameter.reading[0] in ("any", "none") else describe(parameter.reading)


def lines_of(parameter: Parameter) -> str:
    """``12``, or ``12, also 40, 52`` if further definitions are replaced too."""
    also = ", ".join(map(str, parameter.also))
    return f"{parameter.line}, also {also}" if also else str(parameter.line)


def notes(parameter: Parameter) -> list[str]:
    """What ``--all`` adds to the help."""
    derived = parameter.derived_from and f"derived from {', '.join(parameter.derived_from)}"
    refused = parameter.refused and f"cannot be overridden: {parameter.refused}"
    return [note for note in (derived, refused) if note]


def one_line(text: str) -> str:
    """*text*, the rest of several lines as an ellipsis."""
    first, *rest = text.splitlines() or [""]
    if not rest:
        return first
    end = rest[-1].strip()
    return f"{first}…{end}" if end in ("}", "]", ")") else f"{first} …"
