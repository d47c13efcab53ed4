"""Search: Configs chosen one after another, each from what the runs before it came to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import blake2s
from importlib import import_module

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.config.sweep_parts import Walk
from kohaku_ast.display.text import short_repr
from kohaku_ast.errors import ConfigError, UsageError, unknown
from kohaku_ast.flow.objective import Objective, make_objective
from kohaku_ast.flow.space import Space, space_of
from kohaku_ast.flow.study import Study, Trial, Tried

_METHODS = {"optuna": "kohaku_ast.flow.search_optuna"}
"""The methods, and the module whose ``open_study`` makes the Study of each."""


@dataclass(frozen=True)
class Search:
    """What is searched, by which method, and where it is kept."""

    space: Space
    objective: Objective
    #: New trials, whatever the study holds already.
    n: int
    method: str = "optuna"
    #: What the choices are made from; None: others each time.
    seed: int | None = None
    #: The file with the study; empty: it is forgotten at the end.
    study: str = ""
    #: What holds for all runs besides the space's own Config, in words.
    fixed: str = ""

    def __post_init__(self) -> None:
        check_method(self.method)
        if not isinstance(self.n, int) or self.n < 1:
            raise UsageError(f"a search makes at least 1 new trial, got n={self.n!r}")

    @property
    def identity(self) -> dict[str, str]:
        """What has to be the same for its trials to be compared, in words."""
        fixed = " ".join(filter(None, (self.fixed, self.space.fixed())))
        return {"space": str(self.space), "objective": str(self.objective), "fixed": fixed}

    @property
    def id(self) -> str:
        """Eight characters that are others for another search."""
        return blake2s(repr(self.identity).encode(), digest_size=4).hexdigest()

    def kept_in(self, path: str) -> Search:
        """The same, its study in the file *path*."""
        return replace(self, study=path)

    def open(self) -> Study:
        """Its study, as far as it is; ConfigError if the file holds another one."""
        open_study: Callable[[Search], Study] = import_module(_METHODS[self.method]).open_study
        return open_study(self)

    def tried(self) -> Tried:
        """What its file holds; the file is made if there is none."""
        with closing(self.open()) as study:
            return study.tried()

    def sweep(self) -> Sweep:
        """Its Configs; each time that they are iterated, *n* more of them."""
        return Sweep.of(self._configs, f"search {self.method}")

    def _configs(self) -> Walk:
        with closing(self.open()) as study:
            for _ in range(self.n):
                trial = study.ask()
                try:
                    outcome = yield self._config(trial)
                    _refuse_silence(outcome)
                except BaseException:  # nobody will tell us of it any more
                    study.fail(trial, "interrupted")
                    raise
                try:
                    result = self.objective.read(outcome)
                except ValueError as error:
                    study.fail(trial, str(error))
                else:
                    study.tell(trial, result)

    def _config(self, trial: Trial) -> Config:
        config = self.space.config(trial.values)
        outputs = tuple(dict.fromkeys((*config.outputs, self.objective.name)))
        return config | Config(outputs=outputs, metadata={"search_trial": trial.number})


def search(
    space: Sweep,
    method: str = "optuna",
    *,
    n: int,
    minimize: str | None = None,
    maximize: str | None = None,
    seed: int | None = None,
    study: str | None = None,
) -> Sweep:
    """A Sweep whose *n* Configs are chosen to make the objective small, or large.

    The objective is an output global of the script, else the key, the attribute or the only
    number of what its entry function returns. Random axes of *space* are ranges, all others are
    choices without order. *study* is a SQLite file that is made, or gone on with; without it the
    trials are forgotten. With *seed* the same choices follow from the same results.

    Run it one after another: ``Sequential(Script("train.py", search(...)), on_error="continue")``.
    Raises ConfigError for what cannot be searched, and if the method's package is missing.
    """
    if not isinstance(space, Sweep):
        raise UsageError(f"a search chooses from a Sweep, got {short_repr(space)}")
    objective = make_objective(minimize, maximize, ("minimize=", "maximize="))
    return Search(
        space_of(space), objective, n, method, seed, str(study) if study else ""
    ).sweep()  # fmt: skip


def check_method(method: str) -> None:
    """Raise UsageError if there is no such method of search."""
    if method not in _METHODS:
        raise UsageError(unknown("search", method, _METHODS))


def _refuse_silence(outcome: object) -> None:
    if outcome is None:
        raise ConfigError(
            "search: it is not told what its runs came to. Run it one after another, in Sequential"
        )
