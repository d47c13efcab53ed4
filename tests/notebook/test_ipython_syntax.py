"""The syntax of IPython in a cell, as Python: equal to what IPython makes of it, but for two."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbconvert import PythonExporter

from kohaku_ast.notebook.ipython_syntax import plain_cell
from kohaku_ast.notebook.notebook_text import read_notebook
from tests.notebook.cells import write_notebook

AS_IPYTHON = {
    "a command": "!pip install x",
    "a command that is assigned": "x = !ls $y",
    "two names": "a, b = !ls",
    "an item": "d['k'] = !ls",
    "a magic that is assigned": "x = %magic a b",
    "lines of a command": "!!ls",
    "a command over two lines": "!ls \\\n  -l",
    "in a block": "if x:\n    %who\n    !ls {x}\ny = 1",
    "a cell of another language": "%%bash -e\nls\n",
    "a cell that is captured": "%%capture out\nprint(1)",
    "empty lines above": "\n%%timeit\nx",
    "a comment above is no cell magic": "# c\nx = 1",
    "quotes": "%cd 'a b'",
    "a semicolon": "%pip install a; b",
    "common indentation": "    x = 1\n    y = 2",
    "a prompt": ">>> x = 1\n... y",
    "await": "await f()",
    "no magic in brackets": "a = (1,\n%time\n)",
    "no magic in a long string": "s = '''\n%x\n!y\n'''\n%who",
    "no magic in an f-string": "x = f'''{a!r}\n%no\n'''",
    "no magic behind a backslash": "x = a \\\n  %b",
    "a quote in a comment": "f(a\n  %b)\nx = 'it\\'s'  # '\n%who",
    "modulo": "a = 5 %3\nb = a %2",
    "not equal": "a = b != c",
    "text with both": 'print("a = !b", end = "")',
    "a question in a comment": "x = 1 # what?",
    "a magic in a comment": "#%who\nx",
}


@pytest.mark.parametrize("cell", AS_IPYTHON.values(), ids=AS_IPYTHON.keys())
def test_it_is_what_ipython_makes_of_it(cell: str) -> None:
    theirs = TransformerManager().transform_cell(cell)  # type: ignore[no-untyped-call]
    assert plain_cell(cell).text.rstrip("\n") == theirs.rstrip("\n")


def lines_of(script: str) -> list[str]:
    """The lines of *script* without the numbers of cells, and without empty ones."""
    lines = [re.sub(r"# In\[.*", "# In", line).rstrip() for line in script.split("\n")]
    return [line for line in lines if line]


@pytest.mark.filterwarnings("ignore")  # nbformat and nbconvert warn of each other
def test_a_notebook_is_the_script_that_nbconvert_makes_of_it(tmp_path: Path) -> None:
    cells = ["# Title\n\n- *a* list", *AS_IPYTHON.values(), "## End\n\n    code"]
    write_notebook(tmp_path / "nb.ipynb", *cells)
    data = (tmp_path / "nb.ipynb").read_bytes()
    made = nbformat.reads(data.decode(), as_version=4)
    theirs, _ = PythonExporter().from_notebook_node(made)  # type: ignore[no-untyped-call]
    assert lines_of(read_notebook(data, "nb.ipynb").text) == lines_of(theirs)


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        pytest.param(
            "%matplotlib inline\nx = 1", "pass  # %matplotlib inline\nx = 1", id="figures"
        ),
        pytest.param("if a:\n    %autoreload 2", "if a:\n    pass  # %autoreload 2", id="a block"),
        pytest.param("%load_ext autoreload", "pass  # %load_ext autoreload", id="an extension"),
        pytest.param("x.y??\n?z", "pass  # x.y??\npass  # ?z", id="help"),
        pytest.param("%%time\nx = 1", "pass  # %%time\nx = 1", id="the cell below %%time"),
    ],
)
def test_what_a_script_does_without_does_nothing(cell: str, plain: str) -> None:
    made = plain_cell(cell)
    assert (made.text, made.needs) == (plain, ())
    assert made.restored(made.text.replace("x = 1", "x = 22")) == cell.replace("x = 1", "x = 22")


def test_an_edit_leaves_magics_as_they_were() -> None:
    cell = "x = 1\n!ls $x\nfiles = !ls \\\n  -l\nif x:\n    %who\n"
    made = plain_cell(cell)
    assert made.needs == ("!ls $x", "files = !ls \\\n  -l", "%who")
    assert made.restored(made.text.replace("x = 1", "x = 2")) == cell.replace("x = 1", "x = 2")
