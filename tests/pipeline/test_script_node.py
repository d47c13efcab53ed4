"""Scripts as nodes of a pipeline: what they take, what they give, what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from kohaku_ast import (
    KogineError,
    Pipeline,
    PipelineError,
    node,
    script,
)
from tests.pipeline.script_files import prep_and_train, write


def test_the_lines_of_the_issue(files: Path) -> None:
    @node(output_name="report")
    def report(val_loss: float, vocab: list[str]) -> str:
        return f"{val_loss} {vocab}"

    prep = script("prep.py", outputs="train_set vocab")
    train = script("train.py", outputs="model val_loss", inputs={"DATA": "train_set"})
    p = Pipeline([prep, train, report])
    assert p.run({"lr": 2.0})["report"] == "6.0 ['a', 'b']"
    assert p.run({"lr": 2.0}, "model") == {"weights": [0, 1, 2, 3], "vocab": ["a", "b"]}
    assert p.map({"lr": [1.0, 2.0]}, map_over="lr", output_name="val_loss") == [3.0, 6.0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, 1.5, id="what is not given stays as written"),
        pytest.param({"lr": 1}, 3, id="a global"),
        pytest.param({"epochs": 10}, 5.0, id="a short target"),
        pytest.param({"main(epochs)": 10}, 5.0, id="its full target"),
        pytest.param({"Args.depth": 9}, 1.5, id="a class attribute"),
        pytest.param({"val_loss": 7}, 7, id="an output, given"),
    ],
)
def test_every_parameter_is_an_optional_input(
    files: Path, given: dict[str, object], expected: object
) -> None:
    p = Pipeline([script("train.py", outputs="val_loss model")])
    assert p.run(given)["val_loss"] == expected


def test_a_value_reaches_all_scripts_that_have_the_name(files: Path) -> None:
    prep = script("prep.py", outputs={"seed": "first"})
    train = script("train.py", outputs={"seed": "second"})
    assert Pipeline([prep, train]).run(seed=5) == {"first": 5, "second": 5}


def test_an_output_that_a_script_defines_too_is_an_edge(files: Path) -> None:
    assert prep_and_train().run(output_name="model")["vocab"] == ["a", "b"]


def test_none_leaves_a_target_to_the_script(files: Path) -> None:
    prep = script("prep.py", outputs="vocab")
    train = script("train.py", outputs="model", inputs={"vocab": None})
    assert "vocab" not in train.inputs
    assert Pipeline([prep, train]).run()["model"]["vocab"] == ()


def test_the_name_of_a_function_or_an_import_is_no_edge(files: Path) -> None:
    @node(output_name="main")
    def other() -> int:
        return 1

    train = script("train.py", outputs="val_loss")
    assert Pipeline([other, train]).run()["val_loss"] == 1.5
    inside = Pipeline([other, Pipeline([train], name="inside")])
    assert inside.run() == {"main": 1, "val_loss": 1.5}
    assert pickle.loads(pickle.dumps(inside.nodes[1])).inputs == inside.nodes[1].inputs
    assert Pipeline([train]).run(os=None) == {"val_loss": 1.5}


def test_an_input_with_a_name_of_its_own_is_required(files: Path) -> None:
    train = script("train.py", outputs="model", inputs={"DATA": "train_set"})
    with pytest.raises(PipelineError, match="'train_set' is missing: 'train'"):
        Pipeline([train]).run()
    assert Pipeline([train]).run(train_set=3)["model"]["weights"] == 3


def test_a_script_does_not_depend_on_itself(files: Path) -> None:
    write("decay.py", "lr = 1.0\nlr = lr / 2\n")
    decay = script("decay.py", outputs="lr")
    assert Pipeline([decay]).run() == {"lr": 0.5}
    again = script("decay.py", outputs={"lr": "lr_after"}, inputs={"lr": "lr_before"})
    assert Pipeline([again]).run(lr_before=8) == {"lr_after": 4.0}


def test_a_path_that_only_the_running_script_can_follow(folder: Path) -> None:
    write("load.py", "def load(): return {'lr': 1}\ncfg = load()\ny = cfg['lr']\n")
    assert Pipeline([script("load.py", "y", {"cfg.lr": "lr"})]).run(lr=5) == {"y": 5}


def test_settings_come_first(files: Path) -> None:
    train = script("train.py", outputs="model", inputs={"DATA": "train_set"})
    assert train.inputs[:2] == ("train_set", "lr")
    shown = "<pipeline pipeline(train_set, lr, vocab, seed, depth, epochs) -> model, 1 nodes>"
    assert repr(Pipeline([train])) == shown
    assert repr(train) == "<script train(train_set, lr, vocab, seed, depth, epochs) -> model>"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"outputs": "modle"}, r"no global 'modle'. Did you mean 'model' \(train.py:20\)", id="unknown output"),
        pytest.param({"outputs": "return"}, "needs a name: outputs", id="what it returns without a name"),
        pytest.param({"outputs": "model model"}, "named twice", id="an output twice"),
        pytest.param({"outputs": "model", "inputs": {"DTA": "x"}}, "no parameter 'DTA'. Did you mean 'DATA'", id="unknown target"),
    ],
)  # fmt: skip
def test_refused(files: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(KogineError, match=message):
        script("train.py", **arguments)  # type: ignore[arg-type]


def test_no_such_file(folder: Path) -> None:
    with pytest.raises(KogineError, match=r"can't open file 'nothing\.py'"):
        script("nothing.py", "x")


def test_a_script_that_calls_nothing_returns_nothing(files: Path) -> None:
    with pytest.raises(PipelineError, match="no guard that calls one of its functions"):
        script("prep.py")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("from os.path import *\n", id="a star import"),
        pytest.param("globals().update(found=1)\n", id="globals()"),
        pytest.param("exec('found = 1')\n", id="exec"),
        pytest.param("def f():\n    global found\n    found = 1\nf()\n", id="global in a function"),
        pytest.param("for found in [1]: pass\n", id="a loop variable"),
        pytest.param("(found := 1)\n", id="a walrus"),
    ],
)
def test_outputs_that_the_text_allows(folder: Path, text: str) -> None:
    write("a.py", text)
    assert script("a.py", "found").outputs == ("found",)


def test_a_circle_says_how_to_leave_a_name_to_the_script(folder: Path) -> None:
    write("a.py", "x = 1\ny = 2\n")
    write("b.py", "x = 1\ny = 2\n")
    with pytest.raises(PipelineError, match=r"cycle.*inputs=\{'x': None\}"):
        Pipeline([script("a.py", "x"), script("b.py", "y")])
    b = script("b.py", {"y": "y", "x": "seen"}, {"x": None})
    assert Pipeline([script("a.py", "x"), b]).run(y=3, output_name="x") == 1


def test_types_of_an_edge_that_cannot_fit(files: Path) -> None:
    @node(output_name="lr")
    def rate() -> str:
        return "fast"

    with pytest.raises(PipelineError, match=r"'lr' cannot go from 'rate' .* gives str, to 'train'"):
        Pipeline([rate, script("train.py", "model")])


def test_one_target_by_two_names(files: Path) -> None:
    p = Pipeline([script("train.py", "val_loss")])
    with pytest.raises(PipelineError, match=r"'epochs' and 'main\(epochs\)' are the same"):
        p.run({"epochs": 1, "main(epochs)": 2})


def test_without_outputs_it_gives_what_its_entry_function_returned(files: Path) -> None:
    assert Pipeline([script("train.py")]).run(seed=8) == {"train": 8}


def test_the_function_to_start_at(files: Path) -> None:
    write(
        "two.py",
        "def other(k=2): return k * 10\ndef main(): return 0\nif __name__ == '__main__': main()\n",
    )
    assert Pipeline([script("two.py", entrypoint="other")]).run(k=3) == {"two": 30}


def test_outputs_under_other_names(files: Path) -> None:
    train = script("train.py", outputs={"model": "net", "return": "score"})
    assert Pipeline([train]).run(seed=2) == {"net": {"weights": None, "vocab": ()}, "score": 2}


def test_an_output_that_was_not_set(folder: Path) -> None:
    write("a.py", "if False:\n    x = 1\n")
    with pytest.raises(PipelineError, match=r"without a global 'x': a.py:2 did not run"):
        Pipeline([script("a.py", "x")]).run()


def test_called_it_runs(files: Path) -> None:
    train = script("train.py", "val_loss")
    assert train(lr=2) == 6
    assert train(**{"main(epochs)": 1}) == 0.5
    with pytest.raises(PipelineError, match=r"no input 'lrr'\. Did you mean 'lr'"):
        train(lrr=1)


def test_bind_and_with_names(files: Path) -> None:
    train = script("train.py", "val_loss")
    fast, slow = (
        train.bind(lr=4.0).with_names("fast", val_loss="fast_loss"),
        train.with_names(val_loss="slow_loss"),
    )
    assert "lr" not in fast.inputs
    assert Pipeline([fast, slow]).run(epochs=1) == {"fast_loss": 4.0, "slow_loss": 0.5}
    renamed = train.with_names(lr="rate")
    assert renamed.inputs[0] == "rate"
    assert Pipeline([renamed]).run(rate=1) == {"val_loss": 3}
    with pytest.raises(PipelineError, match="no input 'lrr'"):
        train.bind(lrr=1)


def test_in_a_pipeline_inside_another(files: Path) -> None:
    outer = Pipeline([prep_and_train(name="inner").as_node(output_mapping={"val_loss": "loss"})])
    assert outer.run({"main(epochs)": 2}, "loss") == 1.0


def test_it_pickles_without_its_file(files: Path) -> None:
    train = script("train.py", "val_loss").bind(seed=3)
    data = pickle.dumps(train)
    Path("train.py").unlink()
    again = pickle.loads(data)
    assert again.inputs == train.inputs
    assert again(lr=1) == 3
    assert pickle.loads(pickle.dumps(again))(lr=1) == 3
