"""Every edge, and why it is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kohaku_ast.errors import PipelineError
from kohaku_ast.pipeline.node import node
from kohaku_ast.pipeline.pipeline import Pipeline
from kohaku_ast.pipeline.script_node import script
from tests.pipeline.drawing import made
from tests.pipeline.drawing.made import a_node, crawling, training

HERE = os.path.relpath(made.__file__)


def place(function: object) -> str:
    return function.where  # type: ignore[attr-defined, no-any-return]


def test_word_by_word() -> None:
    assert training().explain() == (
        "pipeline 'training': 3 nodes; inputs: path, limit (optional), lr (optional)\n"
        "\n"
        f"prep ({place(made.prep)})\n"
        "  path   <- input, required: no node gives it and it has no default\n"
        "  limit  <- input, 100 if it is not given\n"
        "  gives train_set -> train\n"
        "  gives vocab -> report\n"
        "\n"
        f"train ({place(made.train)})\n"
        f"  train_set  <- output train_set of prep ({place(made.prep)})\n"
        "  lr         <- input, 0.001 if it is not given\n"
        "  seed       <- bound to 3\n"
        "  gives model -> a result: no node reads it\n"
        "  gives val_loss -> report\n"
        "\n"
        f"report ({place(made.report)})\n"
        f"  val_loss  <- output val_loss of train ({place(made.train)})\n"
        f"  vocab     <- output vocab of prep ({place(made.prep)})\n"
        "  gives report -> a result: no node reads it"
    )


def test_it_shows_itself_as_text() -> None:
    text = training().explain()
    assert repr(text) == str(text)
    assert text._repr_html_().startswith("<pre>pipeline &#x27;training&#x27;")


def test_a_parameter_with_another_name_in_the_graph() -> None:
    @node(rename={"data": "train_set"})
    def fit(data: list[int]) -> int:
        return 0

    text = Pipeline([made.prep, fit]).explain()
    assert (
        f"  data  <- output train_set of prep ({place(made.prep)}): "
        "data is called train_set in the graph\n"
    ) in text


def test_a_map_inside() -> None:
    text = crawling().explain()
    assert ", the pipeline 'page' of 2 nodes, run for each value of urls (zip)\n" in text
    assert (
        "  url   <- input, required: no node gives it and it has no default, one run for each of "
        "its values: url is called urls in the graph\n"
    ) in text


def test_a_script_tells_what_a_person_would_tune(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text("DATA = None\nlr = 0.1\ndef f(z=3): ...\nmodel = lr\n")
    train = script("train.py", outputs="model", inputs={"DATA": "train_set"})
    text = Pipeline([made.prep, train]).explain()
    assert "): DATA is called train_set in the graph\n" in text
    assert "  lr    <- input, as the script says if it is not given\n" in text
    assert "more optional inputs, which are as written\n" in text
    assert "f(z)" not in text


def test_a_part() -> None:
    text = training().explain(from_node="train", to_node="train")
    assert text.startswith("pipeline 'training': 1 of 3 nodes; ")
    assert "which is not in this part: given or cached" in text
    assert "\nreport (" not in text


def test_a_node_that_takes_nothing() -> None:
    assert "  takes nothing\n" in Pipeline([a_node("x")]).explain()


def test_ends_that_are_not_there() -> None:
    with pytest.raises(PipelineError, match="Did you mean 'train'"):
        training().explain("trian")
