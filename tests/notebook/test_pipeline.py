"""Pipelines in a notebook: the bar below the cell, drawings and explanations that show themselves."""

from __future__ import annotations

from typing import Any

import nbclient
import nbformat
import pytest

from tests.notebook.test_notebook import ROOT, write_kernel  # it needs them too

# They warn of each other; that is theirs to mend.
pytestmark = pytest.mark.filterwarnings("ignore")

CELLS = [
    """\
import threading
from kohaku_ast import Pipeline, ProgressBar, node
begun = threading.Event()

@node
def rows(n: int):
    print("rows runs")
    return list(range(n))

@node
def total(rows):
    assert begun.wait(30)  # until the bar has been painted while it runs
    return sum(rows)

class Bar(ProgressBar):
    def _show(self, is_last=False):
        super()._show(is_last)
        if "total" in self and not is_last:
            begun.set()

bar = Bar()
p = Pipeline([rows, total], name="sums", callbacks=[bar])
p.run({"n": 3}, "total")""",
    "print('another cell')",
    "p.visualize()",
    "p.explain()",
    """\
import time
@node
def slow(x):
    time.sleep(0.4)
    return x
made = Pipeline([slow], name="slow")
found = made.map(x=[1, 2, 3, 4], map_over="x", output_name="slow")
print(found)""",
    "found = made.map(x=[1, 2, 3, 4], map_over='x', progress=False)",
    "found = Pipeline([rows]).map(n=range(9), map_over='n')",
    "p",
]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    folder = tmp_path_factory.mktemp("kernel")
    with pytest.MonkeyPatch.context() as patch:
        write_kernel(folder)
        patch.setenv("JUPYTER_PATH", str(folder))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("PYTHONPATH", str(ROOT))
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS]
        )
        nbclient.NotebookClient(notebook, timeout=600, kernel_name="under-test").execute(
            cwd=str(folder)
        )
    return list(notebook.cells)


def html(cell: Any) -> list[str]:
    return [one["data"]["text/html"] for one in cell.outputs if "text/html" in one.get("data", {})]


def test_the_bar_is_one_output_of_its_cell_and_ends_full(cells: list[Any]) -> None:
    [bar] = html(cells[0])
    assert '<progress value="2" max="2">2/2 nodes</progress>' in bar
    assert [one["text"] for one in cells[0].outputs if one.output_type == "stream"] == [
        "rows runs\n"
    ]
    assert cells[0].outputs[-1]["data"]["text/plain"] == "3"
    assert [one.output_type for one in cells[1].outputs] == ["stream"]


def test_it_was_painted_by_a_thread_while_a_node_ran(cells: list[Any]) -> None:
    assert not [one for one in cells[0].outputs if one.output_type == "error"]


def test_a_drawing_shows_itself_with_states(cells: list[Any]) -> None:
    [shown] = html(cells[2])
    assert 'aria-label="pipeline sums: 2 nodes, 2 succeeded"' in shown


def test_an_explanation_shows_itself_as_text(cells: list[Any]) -> None:
    [shown] = html(cells[3])
    assert shown.startswith("<pre>pipeline &#x27;sums&#x27;: 2 nodes; inputs: n\n")
    assert cells[3].outputs[0]["data"]["text/plain"].startswith("pipeline 'sums': 2 nodes;")


def test_a_map_shows_a_bar_below_its_cell_unless_it_is_short_or_silent(cells: list[Any]) -> None:
    [bar] = html(cells[4])
    assert '<progress value="4" max="4">4/4 items</progress>' in bar
    assert [one["text"] for one in cells[4].outputs if one.output_type == "stream"] == [
        "[1, 2, 3, 4]\n"
    ]
    assert cells[5].outputs == []
    assert html(cells[6]) == []


def test_a_pipeline_draws_itself(cells: list[Any]) -> None:
    [shown] = html(cells[7])
    assert "<svg" in shown
    assert "2 succeeded" in shown
    assert cells[7].outputs[0]["data"]["text/plain"].startswith("<pipeline sums(n) -> rows, total")
