"""The shipped notebook does what it says, in a kernel with its event loop running."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

# They warn of each other; that is theirs to mend.
pytestmark = pytest.mark.filterwarnings("ignore")

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "tutorial" / "notebook.ipynb"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The code cells of the notebook after it was run."""
    folder = tmp_path_factory.mktemp("kernel")
    with pytest.MonkeyPatch.context() as patch:
        write_kernel(folder)
        patch.setenv("JUPYTER_PATH", str(folder))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("PYTHONPATH", str(ROOT))
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        client = nbclient.NotebookClient(notebook, timeout=600, kernel_name="under-test")
        client.execute(cwd=str(folder))
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def write_kernel(folder: Path) -> None:
    """A kernel of the very Python that runs the tests."""
    import json

    path = folder / "kernels" / "under-test" / "kernel.json"
    path.parent.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    path.write_text(json.dumps({"argv": argv, "display_name": "", "language": "python"}))


def printed(cell: Any) -> str:
    return "".join(one.text for one in cell.outputs if one.output_type == "stream")


def shown(cell: Any, kind: str = "text/html") -> str:
    return "".join(one.data.get(kind, "") for one in cell.outputs if "data" in one)


def test_parameters_show_as_a_table(done: list[Any]) -> None:
    assert "<table>" in shown(done[1])
    assert "step size" in shown(done[1])


def test_runs_start_from_nothing(done: list[Any]) -> None:
    assert printed(done[2]) == "10 steps, last value 0.0010\n"
    assert printed(done[4]) == "3 steps, last value 1.4580\n"


def test_configs_and_outcomes_show_as_tables(done: list[Any]) -> None:
    assert "globals_dict" in shown(done[3])
    assert "succeeded, exit status 0" in shown(done[2])
    assert "outputs[&#x27;history&#x27;]" in shown(done[4])


def test_the_guard_can_be_started_later(done: list[Any]) -> None:
    assert shown(done[5], "text/plain") == "[]"
    assert printed(done[6]) == "5 steps, last value 0.0312\n"
    assert shown(done[6], "text/plain") == "0.03125"


def test_the_shipped_file_holds_no_outputs() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert [cell.outputs for cell in cells if cell.cell_type == "code" and cell.outputs] == []
    assert {cell.execution_count for cell in cells if cell.cell_type == "code"} == {None}
