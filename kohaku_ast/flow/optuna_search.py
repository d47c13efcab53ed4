"""The method ``optuna``: its tree-structured Parzen estimator chooses; SQLite has the trials.

The one file that imports optuna.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kohaku_ast.config.sampling import Distribution
from kohaku_ast.errors import ConfigError
from kohaku_ast.flow.search import Dimension, Trial, Tried, best_trial
from kohaku_ast.frames import contextmanager
from kohaku_ast.store.environment import ProcessMark

if TYPE_CHECKING:
    from kohaku_ast.flow.search import Search


try:
    import optuna
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )
    from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
    from optuna.samplers import TPESampler
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial, TrialState
    from sqlalchemy import URL
    from sqlalchemy.exc import SQLAlchemyError
except ImportError as missing:
    raise ConfigError(
        f'the search method optuna needs optuna ({missing}): pip install "kohaku-ast[optuna]"'
    ) from missing

_NAME = "kogine"
_PATIENCE = 60  # seconds, for another process that searches in the same file


def ranges_of(search: Search) -> dict[str, BaseDistribution]:
    """What optuna chooses from; ConfigError for an axis that it cannot search."""
    return {one.name: _range(one) for one in search.space.dimensions}


def open_study(search: Search) -> OptunaStudy:
    """The study of *search*, made or continued.

    Raises ConfigError if its file is no study, or that of another search.
    """
    ranges = ranges_of(search)
    with _study_errors(search.study):
        storage = _storage(search.study) if search.study else None
        study = optuna.create_study(
            storage=storage,
            study_name=_NAME,
            direction=search.objective.direction,
            pruner=_pruner(search.prune),
            load_if_exists=True,
        )
        opened = OptunaStudy(search, study, storage, ranges)
        try:
            _refuse_another(search, study)
            _fail_orphans(study)
        except BaseException:
            opened.close()
            raise
    return opened


class OptunaStudy:
    """A Study that optuna stores."""

    def __init__(
        self,
        search: Search,
        study: optuna.Study,
        storage: RDBStorage | None,
        ranges: dict[str, BaseDistribution],
    ) -> None:
        self.search, self.study, self.storage, self.ranges = search, study, storage, ranges
        self._asked: dict[int, optuna.Trial] = {}

    def tried(self) -> Tried:
        """The trials so far."""
        with _study_errors(self.search.study):
            trials = self.study.get_trials(deepcopy=False)
        good = [one for one in trials if one.state == TrialState.COMPLETE]
        failed = sum(one.state == TrialState.FAIL for one in trials)
        pruned = sum(one.state == TrialState.PRUNED for one in trials)
        best = best_trial(self.search.objective, map(_trial, good))
        return Tried(len(good) + failed + pruned, failed, pruned, best)

    def ask(self) -> Trial:
        """The values to try next."""
        with _study_errors(self.search.study):
            if self.search.seed is not None:
                # The number of the trial, too: 20 and 20 more are the same as 40.
                number = len(self.study.get_trials(deepcopy=False))
                stream = random.Random(f"{self.search.seed}:{number}")
                self.study.sampler = TPESampler(seed=stream.randrange(2**31))
            asked = self.study.ask(self.ranges)
            asked.set_user_attr("process", _process())
        self._asked[asked.number] = asked
        return Trial(asked.number, dict(asked.params))

    def tell(self, trial: Trial, result: float) -> None:
        """*trial* had *result*."""
        with _study_errors(self.search.study):
            self.study.tell(self._asked.pop(trial.number), result)

    def is_worse(self, trial: Trial, value: float, step: int) -> bool:
        """*trial* has *value* at *step*; whether it is to be ended."""
        with _study_errors(self.search.study):
            asked = self._asked[trial.number]
            asked.report(value, step)
            return asked.should_prune()

    def prune(self, trial: Trial) -> None:
        """*trial* was ended early."""
        with _study_errors(self.search.study):
            self.study.tell(self._asked.pop(trial.number), state=TrialState.PRUNED)

    def fail(self, trial: Trial, why: str) -> None:
        """*trial* has no result; *why* says the reason."""
        with _study_errors(self.search.study):
            asked = self._asked.pop(trial.number)
            asked.set_user_attr("why", why)
            self.study.tell(asked, state=TrialState.FAIL)

    def close(self) -> None:
        """Close the file."""
        if self.storage is not None:
            self.storage.remove_session()
            self.storage.engine.dispose()


def _pruner(name: str) -> BasePruner:
    """The pruner of optuna called *name*. The median of fewer than four trials says little."""
    if name == "median":
        return MedianPruner(n_startup_trials=4)
    return HyperbandPruner() if name == "hyperband" else NopPruner()


def _range(dimension: Dimension) -> BaseDistribution:
    """*dimension* as a distribution of optuna."""
    of = dimension.axis.distribution
    if of is None:
        return CategoricalDistribution(tuple(dimension.choices))
    if of.kind == "randint":  # without its end, as in range
        return IntDistribution(int(of.first), int(of.second) - 1)
    if of.kind == "normal":
        raise _refused_normal(dimension, of)
    return FloatDistribution(of.first, of.second, log=of.kind == "loguniform")


def _refused_normal(dimension: Dimension, of: Distribution) -> ConfigError:
    low, high = of.first - 2 * of.second, of.first + 2 * of.second
    return ConfigError(
        f"{dimension.axis.origin}: {dimension.name}={of}: optuna searches ranges, and a normal "
        f"distribution has no ends. Write uniform:{low:g}:{high:g}"
    )


def _storage(path: str) -> RDBStorage:
    """The SQLite file at *path*; file and folder are made if they do not exist."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    url = URL.create("sqlite", database=path)
    return RDBStorage(
        url.render_as_string(), engine_kwargs={"connect_args": {"timeout": _PATIENCE}}
    )


def _refuse_another(search: Search, study: optuna.Study) -> None:
    """Raise ConfigError for the study of another search: its trials would mislead this one."""
    known = study.user_attrs
    for key, text in search.identity.items():
        if key not in known:
            study.set_user_attr(key, text)
        elif known[key] != text:
            raise ConfigError(
                f"{search.study}: it is the study of another search. Its {key}: "
                f"{known[key] or 'nothing'}; now: {text or 'nothing'}. Name another file with "
                "--study (study= in Python)"
            )


def _fail_orphans(study: optuna.Study) -> None:
    """Mark trials as failed if their process was killed; those of other processes go on."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_gone(trial.user_attrs.get("process")):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def _process() -> list[object]:
    mark = ProcessMark.of(os.getpid())
    return [socket.gethostname(), mark.pid, mark.start]


def _is_gone(process: object) -> bool:
    """Whether the process of a trial has ended; false for one on another machine."""
    if not isinstance(process, list):
        return True  # it was killed before it was stored
    if process == _process():
        return True  # an earlier search in this process
    host, pid, start = process
    return host == socket.gethostname() and not ProcessMark(pid, start).is_alive


def _trial(of: FrozenTrial) -> Trial:
    return Trial(of.number, dict(of.params), of.value)


@contextmanager
def _study_errors(path: str) -> Iterator[None]:
    """Inside, optuna prints nothing, and its errors are ConfigErrors."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.OptunaError, RuntimeError, OSError) as error:
        first = str(error).splitlines()[0]
        where = path or "the study"
        raise ConfigError(f"{where}: cannot be used as a study: {first}") from error
    finally:
        optuna.logging.set_verbosity(before)
