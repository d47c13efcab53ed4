"""The Outcomes of a flow as a list and as a table."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from kohaku_ast import Config, Script, Sequential, Store
from kohaku_ast.errors import UsageError
from kohaku_ast.runner.outcome import Outcomes
from tests.oracle import run_kogine


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


def test_the_best_few(outcomes: Outcomes) -> None:
    best = outcomes.best("max:loss", n=5)
    assert ([one.index for one in best], type(best)) == ([0, 1], Outcomes)
    assert [one.index for one in outcomes.best("min:loss", n=1)] == [1]


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


@pytest.mark.parametrize(
    ("start", "returned", "name"),
    [
        pytest.param("main()", "{'loss': exact}", "loss", id="an entry of the returned dict"),
        pytest.param("main()", "exact", "value", id="the returned value"),
        pytest.param("loss = main()", "exact", "loss", id="an output"),
    ],
)
def test_a_number_with_all_its_digits_comes_before_a_printed_one(
    start: str, returned: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Printed, both runs have 0.5; the second one is better."""
    monkeypatch.chdir(tmp_path)
    Path("t.py").write_text(
        "lr = 1\n\ndef main():\n    exact = 0.5 - lr / 1000\n    print(f'loss: {exact:.1f}')\n"
        f"    return {returned}\n\nif __name__ == '__main__':\n    {start}\n"
    )
    outputs = ("loss",) if start.startswith("loss") else ()
    configs = [Config({"lr": n}, outputs=outputs, varied=("lr",)) for n in (1, 2)]
    flow = Sequential(Script("t.py", configs), mode="inline")
    outcomes = flow.run()
    assert [one.numbers[name] for one in outcomes] == [0.499, 0.498]
    assert outcomes.metrics[0] == {"loss": 0.5}
    assert outcomes.best(f"min:{name}").params["lr"] == 2
    runs = Store().runs()
    assert runs.best(f"min:{name}").params["lr"] == 2
    assert runs.best("min:metrics.loss").metrics["loss"] == 0.5
    assert [one[0] for one in runs.rows([name])] == [0.498, 0.499]


@pytest.mark.parametrize("status", ["0", "lr"])
def test_an_exit_status_is_no_result(status: str, tmp_path: Path) -> None:
    """``sys.exit(main())`` makes every script return 0."""
    (tmp_path / "t.py").write_text(
        f"lr = 1\n\ndef main():\n    print('loss:', 2 / lr)\n    return {status}\n\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    done = run_kogine(tmp_path, "run", "t.py", "--sweep", "lr=1,2")
    heading = next(line for line in done.stderr.splitlines() if line.startswith("run"))
    assert heading.split() == ["run", "lr", "loss", *(["value"] if status == "lr" else [])]


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
