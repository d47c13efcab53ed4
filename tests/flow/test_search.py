"""Searches: what is chosen, what it is chosen by, and what the study keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from kohaku_ast import Config, KogineError, Outcome, Parallel, Script, Sequential, Sweep, search
from kohaku_ast.errors import ConfigError
from kohaku_ast.flow.results import Objective
from kohaku_ast.flow.search import space_of
from tests.flow.study_file import reasons, states

QUADRATIC = "x = 0.0\nbs = 1\nloss = (x - 0.3) ** 2 + bs\n"


class Row(NamedTuple):
    loss: float
    steps: int


def finished(value: object = None, **outputs: object) -> Outcome:
    return Outcome("succeeded", value, outputs)


@pytest.mark.parametrize(
    ("outcome", "number"),
    [
        pytest.param(finished(loss=0.5), 0.5, id="an output"),
        pytest.param(finished({"loss": 9}, loss=0.5), 0.5, id="an output before a key"),
        pytest.param(finished({"loss": 0.5}, loss=max), 0.5, id="a key, the global being a function"),
        pytest.param(finished({"loss": 0.5, "steps": 3}), 0.5, id="a key"),
        pytest.param(finished(SimpleNamespace(loss=0.5, steps=3)), 0.5, id="an attribute"),
        pytest.param(finished(Row(0.5, 3)), 0.5, id="a field of a named tuple"),
        pytest.param(finished(3), 3.0, id="a number"),
        pytest.param(finished((0.5, "model")), 0.5, id="the only number of a tuple"),
        pytest.param(finished(loss=np.float32(0.5)), 0.5, id="a number of numpy"),
        pytest.param(finished(loss=np.array([[0.5]])), 0.5, id="an array of one number"),
        pytest.param(finished(loss=float("inf")), float("inf"), id="infinite"),
        pytest.param([finished(1), [finished(2), finished(6)]], 2.5, id="a mean of several runs"),
    ],
)  # fmt: skip
def test_where_the_objective_is_found(outcome: object, number: float) -> None:
    assert Objective("loss", "minimize").read(outcome) == number


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        pytest.param(finished(), ["no global 'loss'", "returned None"], id="nothing"),
        pytest.param(finished({"los": 1}), ["{'los': 1}", "Did you mean 'los'?"], id="a near key"),
        pytest.param(finished(Row._make((None, 3))), ["Row(loss=None"], id="a field without number"),
        pytest.param(finished((0.5, 3)), ["(0.5, 3)"], id="two numbers"),
        pytest.param(finished(loss="low"), ["the global 'loss' is no number: 'low'"], id="a text"),
        pytest.param(finished(loss=True), ["no number: True"], id="a truth value"),
        pytest.param(finished(loss=np.zeros(2)), ["no number: array"], id="an array of two"),
        pytest.param(finished(loss=float("nan")), ["loss is nan"], id="nan"),
        pytest.param(finished(float("nan"), loss=None), ["loss is nan"], id="nan returned"),
        pytest.param(Outcome("failed", 1, exit_status=3), ["failed: exit status 3"], id="a failed run"),
        pytest.param([finished(1), finished()], ["no global"], id="one of several runs"),
        pytest.param([], ["no run"], id="no runs"),
    ],
)  # fmt: skip
def test_a_run_without_objective_says_what_was_there(outcome: object, words: list[str]) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Objective("loss", "minimize").read(outcome)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("space", "names"),
    [
        pytest.param(Sweep(x="uniform:0:1"), ["x=uniform:0.0:1.0"], id="a range"),
        pytest.param(Sweep(f=[max, min]), ["f=max,min"], id="functions"),
        pytest.param(Sweep(x=[1, 1]), ["x=1,1 (2)"], id="equal values"),
        pytest.param(Sweep.zip(a=[1, 2], b=[3, 4]), ["a, b=a=1 b=3,a=2 b=4"], id="a zip is one choice"),
        pytest.param(Sweep(x="range:3") * Sweep(y=[[1], [2]]), ["x=0,1,2", "y=[1],[2]"], id="two axes"),
    ],
)  # fmt: skip
def test_axes_are_dimensions(space: Sweep, names: list[str]) -> None:
    assert list(map(str, space_of(space).dimensions)) == names


class Opaque:
    pass


def test_what_a_choice_is_called_is_the_same_in_every_process() -> None:
    first, second = (space_of(Sweep(x=[Opaque(), Opaque()])) for _ in range(2))
    assert str(first) == str(second)
    assert "0x" not in str(first)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda: search(Sweep(), n=3, minimize="x"), ["no axis"], id="no axis"),
        pytest.param(lambda: search(Sweep(x=[1]) | Config({"x": 2}), n=3, minimize="x"), ["no axis"], id="its axis fixed"),
        pytest.param(lambda: search({"x": [1]}, n=3, minimize="x"), ["from a Sweep", "{'x': [1]}"], id="a dict"),  # type: ignore[arg-type]
        pytest.param(lambda: search(Sweep.of([{"x": 1}]), n=3, minimize="x"), ["1 Configs", "is none"], id="Configs"),
        pytest.param(lambda: search(Sweep(x=[1]) + Sweep(x=[2]), n=3, minimize="x"), ["is none"], id="a chain"),
        pytest.param(lambda: search(Sweep(x=iter([1])), n=3, minimize="x"), ["'x'", "iterator", "list"], id="an iterator"),
        pytest.param(lambda: search(Sweep(x=range(2000)), n=3, minimize="x"), ["1,000", "randint"], id="many choices"),
        pytest.param(lambda: search(Sweep(x=[1]), n=3), ["objective", "minimize="], id="no objective"),
        pytest.param(lambda: search(Sweep(x=[1]), n=3, minimize="a", maximize="b"), ["one objective"], id="two objectives"),
        pytest.param(lambda: search(Sweep(x=[1]), "optna", n=3, minimize="x"), ["'optna'", "Did you mean 'optuna'?"], id="a near method"),
        pytest.param(lambda: search(Sweep(x=[1]), n=0, minimize="x"), ["at least 1"], id="no trials"),
        pytest.param(lambda: list(search(Sweep(x="normal:0:1"), n=3, minimize="x")), ["normal", "uniform:-2:2"], id="a normal distribution"),
        pytest.param(lambda: list(search(Sweep(x=[1]), n=3, minimize="x")), ["Sequential"], id="nobody who tells the outcomes"),
    ],
)  # fmt: skip
def test_refused(make: Callable[[], object], words: list[str]) -> None:
    with pytest.raises(KogineError) as caught:
        make()
    for word in words:
        assert word in str(caught.value)


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "train.py"
    path.write_text(QUADRATIC)
    return str(path)


def losses(script: str, sweep: Sweep | Iterator[Config], **options: Any) -> list[Any]:
    outcomes = Sequential(Script(script, sweep), on_error="continue", **options).run()
    return [outcome.outputs.get("loss") for outcome in outcomes]


@pytest.mark.parametrize("mode", ["inline", "spawn"])
def test_a_quadratic_is_found(script: str, mode: str) -> None:
    space = Sweep(x="uniform:-10:10", bs=[1, 2])
    found = losses(script, search(space, n=30, minimize="loss", seed=0), mode=mode)
    assert len(found) == 30
    # With bad luck a search stays at the larger bs, but the later trials are better.
    assert min(found) < 2.5
    assert median(found[15:]) < median(found[:10]) / 2


def test_what_is_wanted_can_be_large(script: str) -> None:
    space = Sweep(x="uniform:-10:10", bs=[1, 2])
    found = losses(script, search(space, n=30, maximize="loss", seed=0))
    assert max(found) > 100


def test_values_are_of_the_kind_and_in_the_range_of_their_axis(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("lr = 0.1\nn = 1\nf = None\na = b = 0\nloss = lr\n")
    space = Sweep({"lr": "loguniform:1e-5:1e-1", "n": "randint:2:5", "f": [max, min]})
    space = space * Sweep({("a", "b"): [(1, 2), (3, 4)]}) | Config(
        outputs=("lr", "n", "f", "a", "b")
    )
    outcomes = Sequential(
        Script(str(tmp_path / "train.py"), search(space, n=25, minimize="loss"))
    ).run()
    kept = [one.outputs for one in outcomes]
    assert all(1e-5 <= one["lr"] <= 1e-1 for one in kept)  # type: ignore[operator]
    assert {one["n"] for one in kept} == {2, 3, 4}
    assert {one["f"] for one in kept} == {max, min}
    assert {(one["a"], one["b"]) for one in kept} == {(1, 2), (3, 4)}


def test_a_seed_makes_the_same_choices_whether_gone_on_with_or_not(
    script: str, tmp_path: Path
) -> None:
    def some(n: int, study: str) -> list[object]:
        space = Sweep(x="uniform:-10:10", bs=[1, 2])
        return losses(
            script, search(space, n=n, minimize="loss", seed=7, study=str(tmp_path / study))
        )

    assert some(15, "whole.db") == some(6, "parts.db") + some(9, "parts.db")


def test_failing_runs_are_failed_trials(tmp_path: Path) -> None:
    text = "x = 0\nif x == 1: raise ValueError('one')\nif x != 2: loss = x\n"
    (tmp_path / "train.py").write_text(text)
    study = tmp_path / "study.db"
    sweep = search(Sweep(x=[0, 1, 2]), n=12, minimize="loss", study=str(study), seed=6)
    assert set(losses(str(tmp_path / "train.py"), sweep)) == {0, None}
    assert states(study).keys() == {"COMPLETE", "FAIL"}
    why = reasons(study)
    assert any("ValueError: one" in one for one in why)
    assert any("no global 'loss'" in one for one in why)


def test_a_study_of_another_search_is_refused(script: str, tmp_path: Path) -> None:
    path = str(tmp_path / "study.db")
    losses(script, search(Sweep(x=[1, 2]), n=1, minimize="loss", study=path))
    for other, objective, words in [
        (Sweep(x=[1, 2, 3]), "loss", "Its space: x=1,2; now: x=1,2,3"),
        (Sweep(x=[1, 2]), "x", "Its objective: minimize loss; now: minimize x"),
        (Sweep(x=[1, 2]) | Config({"bs": 3}), "loss", "Its fixed: nothing; now: bs=3"),
    ]:
        with pytest.raises(ConfigError, match="another search") as caught:
            losses(script, search(other, n=1, minimize=objective, study=path))
        assert words in str(caught.value)


def test_who_stops_early_leaves_no_trial_running(script: str, tmp_path: Path) -> None:
    study = tmp_path / "study.db"
    sweep = search(Sweep(x="uniform:0:1"), n=9, minimize="loss", study=str(study))
    runs = Sequential(Script(script, sweep)).as_completed()
    next(runs)
    next(runs)
    runs.close()  # type: ignore[attr-defined]
    assert states(study) == {"COMPLETE": 1, "FAIL": 1}


def test_runs_at_the_same_time_are_no_search(script: str) -> None:
    sweep = search(Sweep(x="uniform:0:1"), n=9, minimize="loss")
    for one in (sweep, sweep.first(2), Sweep(bs=[1]) * sweep, [Config(), sweep]):
        flow = Parallel([script, Script(script, one)], max_workers=1)
        with pytest.raises(ConfigError, match="in Sequential"):
            flow.run()
        assert flow.outcomes == []


def test_axes_beside_a_search_are_runs_of_one_trial(script: str) -> None:
    sweep = search(Sweep(x="uniform:-1:1"), n=3, minimize="loss", seed=0) * Sweep(bs=[1, 2])
    assert [config.label for config in answered(sweep, [1.0] * 6)][::2] == [
        config.label for config in answered(search(Sweep(x="uniform:-1:1"), n=3, minimize="loss", seed=0) * Sweep(bs=[1]), [1.0] * 3)
    ]  # fmt: skip


def climb() -> Iterator[Config]:
    best, x = float("inf"), 5.0
    for step in (1.0, -1.0) * 8:
        outcome = yield Config({"x": x + step}, outputs=("loss",))
        if outcome.outputs["loss"] < best:  # type: ignore[attr-defined]
            best, x = outcome.outputs["loss"], x + step  # type: ignore[attr-defined]


def test_a_search_by_hand_has_the_same_protocol(script: str) -> None:
    assert min(losses(script, climb())) < 1.1
    for sweep in (Sweep.of(climb), search(Sweep(x=[1.0, 2.0]), n=16, minimize="loss")):
        configs = answered(sweep, [1.0] * 16)
        assert len(configs) == 16
        assert all(config.outputs == ("loss",) and config.varied == ("x",) for config in configs)


def answered(sweep: Sweep, results: list[float]) -> list[Config]:
    """The Configs of *sweep*, each run having come to the next of *results*."""
    walk = iter(sweep)
    configs = [next(walk)]
    for result in results:
        try:
            configs.append(walk.send(finished(loss=result)))
        except StopIteration:
            break
    return configs
