"""``%load_ext kogine`` in a real kernel: command lines and cells run, flows show a table, and
``!kogine`` prints lines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

from tests.notebook.cells import KERNEL, kernel_variables, write_notebook
from tests.notebook.test_notebook import printed, shown

FLOW = """\
from kohaku_ast import Parallel, Script, Sweep
done = Parallel(Script('t.py', Sweep(lr=[1, 2])), workers=1, mode='spawn').run()"""
PIPELINE = """\
from kohaku_ast import Pipeline, node
@node(output_name='area')
def measure(width: float) -> float:
    return width
Pipeline([measure])"""
CELLS = (
    "import sys\nlr = 'untouched'\nvalue = 0.25\n%load_ext kogine",
    "%kogine run t.py lr=$value",
    "%%kogine lr=7 --record\nimport own\nlr = 1\n%matplotlib inline\nprint('cell', lr + own.width)",
    "%kogine run t.py lrr=1",
    "print(_exit_code, lr)",
    "!{sys.executable} -m kogine run t.py --sweep lr=1,2 --workers 2 --mode spawn",
    FLOW,
    "Parallel(Script('t.py', Sweep(lr=[1, 2])), workers=1, mode='spawn', progress=False).run();",
    PIPELINE,
)


@pytest.mark.filterwarnings("ignore")  # nbclient and its dependencies warn of each other
def test_kogine_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_notebook(tmp_path / "nb.ipynb", *CELLS)
    (tmp_path / "t.py").write_text("lr = 0.5\nprint('lr', lr)\n")
    (tmp_path / "own.py").write_text("width = 3\n")
    for name, text in kernel_variables(tmp_path).items():
        monkeypatch.setenv(name, text)
    notebook = nbformat.read(tmp_path / "nb.ipynb", as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=600, kernel_name=KERNEL, allow_errors=True)
    client.execute(cwd=str(tmp_path))
    _, line, cell, typo, status, lines, table, silent, pipeline = notebook.cells
    assert printed(line) == "lr 0.25\n"
    assert printed(cell) == "cell 10\n"
    assert "no parameter 'lrr'" in printed(typo)
    assert "exit status 2" in printed(typo) + str(errors(typo))
    assert printed(status) == "2 untouched\n"
    text = printed(lines).replace("\r", "")
    assert "started [1/2] lr=1\n" in text
    assert "\x1b[" not in text
    assert "<progress" in shown(table)
    assert "2 of 2 finished" in shown(table)
    assert shown(silent) == ""
    assert "<svg" in shown(pipeline)
    (record,) = (tmp_path / ".kogine" / "cells").iterdir()
    assert record.read_text().startswith("import own\n")


def errors(cell: Any) -> list[Any]:
    return [one for one in cell.outputs if one.output_type == "error"]
