"""A run of a pipeline is drawn from its record, with its states; nothing of the user's is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Pipeline, Store, node
from kohaku_ast.pipeline.recorded_drawing import draw_record, has_graph
from kohaku_ast.store.record import Record


@node(output_name="xs")
def numbers(n: int = 3) -> list[int]:
    return [*range(n)]


@node(output_name="part")
def split(x: int, k: int = 2) -> int:
    return x * k


@node(output_name="score")
def grade(part: int) -> float:
    return 6 / part


@node(output_name="best")
def best(score: list[float]) -> float:
    return max(score, default=0.0)


INNER = Pipeline([split, grade], name="inner")
OUTER = Pipeline(
    [numbers, INNER.as_node({"xs": "x"}, map_over="xs"), best], name="out<er>", record=True
)


def run(*, n: int = 3, k: int = 2) -> Record:
    try:
        OUTER.run({"n": n, "k": k})
    except ZeroDivisionError:
        pass
    return Store().find("last")


def changed(record: Record, **fields: Any) -> Record:
    """*record* with other *fields* of its pipeline; None leaves one out."""
    facts = {**record.facts, "pipeline": {**record.facts["pipeline"], **fields}}
    (record.folder / "run.json").write_text(json.dumps(facts))
    found = Record.read(record.folder)
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_drawing_has_nodes_links_inputs_and_states() -> None:
    text = draw_record(run()).mermaid
    assert text.startswith("flowchart TD\n")
    assert '(["n = 3"])' in text
    assert 'subgraph n3["inner<br/>→ part, score<br/>for each xs<br/>failed' in text
    assert 'n3_1["split<br/>→ part<br/>succeeded' in text
    assert '["best<br/>not run"]' in text
    assert 'n2 --> |"xs"| n3' in text
    assert 'n3_1 --> |"part"| n3_2' in text
    assert "#e5484d88" in text  # the colour of what has failed


def test_boxes_lead_to_addresses_and_names_are_escaped() -> None:
    svg = draw_record(run(n=0), link=lambda name: f'?node={name}"><b>').svg
    assert 'role="group"' in svg
    assert '<a href="?node=inner/split&quot;&gt;&lt;b&gt;">' in svg
    assert "out&lt;er&gt;" in svg
    assert "<b>" not in svg
    assert 'role="img"' in draw_record(run(n=0)).svg


@pytest.mark.parametrize(
    "graph",
    [
        pytest.param(None, id="of an older version"),
        pytest.param([], id="empty"),
        pytest.param([{"name": "numbers"}, {"name": 5, "inputs": "xs", "outputs": {}}], id="damaged"),
        pytest.param(
            [{"name": "best", "inputs": ["xs"], "outputs": ["best"]},
             {"name": "numbers", "inputs": ["best"], "outputs": ["xs"]}], id="a cycle",
        ),
    ],
)  # fmt: skip
def test_what_a_record_does_not_say_is_not_drawn(graph: Any) -> None:
    record = changed(run(n=0), graph=graph)
    assert has_graph(record) == (graph is not None)
    text = draw_record(record).mermaid
    assert "numbers<br/>" in text
    assert "best<br/>" in text
