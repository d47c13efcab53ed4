"""The Outcomes of a flow as a list and as a table."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from kohaku_ast import Config, Script, Sequential
from kohaku_ast.errors import UsageError
from kohaku_ast.runner.outcome import Outcomes


@pytest.fixture
def outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outcomes:
    """Three runs; the last one fails, and would be the best."""
    monkeypatch.chdir(tmp_path)
    Path("t.py").write_text(
        "lr = 1\nname = 'adam'\nscore = lr * 10\nprint('loss:', 4 / lr)\n"
        "if lr == 4:\n    raise ValueError('too large')\n"
    )
    configs = [Config({"lr": n}, outputs=("score",), varied=("lr",)) for n in (1, 2, 4)]
    return Sequential(Script("t.py", configs), mode="inline", on_error="continue").run()


def test_params_and_metrics(outcomes: Outcomes) -> None:
    assert [one["lr"] for one in outcomes.params] == [1, 2, 4]
    assert outcomes.metrics == [{"loss": 4.0}, {"loss": 2.0}, {"loss": 1.0}]


@pytest.mark.parametrize(
    ("name", "index"),
    [
        pytest.param("min:loss", 1, id="least metric of those that succeeded"),
        pytest.param("max:loss", 0, id="greatest metric"),
        pytest.param("max:score", 1, id="an output"),
    ],
)
def test_best(outcomes: Outcomes, name: str, index: int) -> None:
    assert outcomes.best(name).index == index


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("loss", "min:NAME", id="no direction"),
        pytest.param("min:los", "Did you mean 'loss'", id="a near name"),
        pytest.param("min:", "min:NAME", id="no name"),
    ],
)
def test_best_of_nothing(outcomes: Outcomes, name: str, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        outcomes.best(name)
    with pytest.raises(UsageError, match="no run has a number"):
        Outcomes().best("min:loss")


def test_frame(outcomes: Outcomes, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = types.ModuleType("pandas")
    pandas.DataFrame = dict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    frame = outcomes.to_frame()
    assert list(frame) == ["run", "label", "script", "status", "seconds", "lr", "loss", "score"]
    assert frame["status"] == ["succeeded", "succeeded", "failed"]
    assert frame["score"] == [10, 20, 40]


def test_a_notebook_shows_a_table(outcomes: Outcomes) -> None:
    shown = outcomes._repr_html_()
    for text in (">lr=2</td>", ">failed</td>", ">20</td>"):
        assert text in shown
    assert "adam" not in shown
    assert "... and 50 more" in Outcomes([outcomes[0]] * 150)._repr_html_()
