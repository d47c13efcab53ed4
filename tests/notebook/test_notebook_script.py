"""A notebook as a script: what it prints is what IPython prints for a script of an edited copy."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from kohaku_ast import Script, Store
from kohaku_ast.errors import SourceError
from kohaku_ast.notebook.notebook_text import read_notebook
from tests.notebook.cells import write_notebook
from tests.oracle import Finished, edited, on_path, run_kogine, run_python

TRAINING = (
    "# Training\n\nWhat this is about.",
    "%matplotlib inline\nimport os\nimport math",
    ("lr = 0.5  # step size\nsteps = 4\n# ---- data ----\nbatch = 8", ["parameters"]),
    "## *Model*",
    "class Args:\n    width: int = 8\nhidden = Args.width * 2\nhidden",
    "## Train",
    "%%time\nw = 1.0\nmomentum = 0.9\nfor i in range(steps):\n    w -= lr * w",
    "print('w', round(w, 4), hidden, momentum, os.environ.get('MPLBACKEND'))",
    "def f(x):\n    return 1 / x\n\nif lr > 5:\n    f(0)",
)
SHELL = (
    "x = 3",
    "!echo $x {x + 1}",
    "names = !echo a b\nprint(names)",
    "%%writefile made.txt\nhello",
    "display(x)\nprint(get_ipython().__class__.__name__[-16:])",
    "%%capture out\nprint('hidden')",
    "print(repr(out.stdout))\nif x > 5:\n    raise ValueError(x)",
)


def as_script(folder: Path, edits: list[tuple[str, str]], *start: str) -> Finished:
    """The script of a copy of the notebook that was edited by hand, run as ``python *start* it``."""
    data = (folder / "nb.ipynb").read_bytes()
    copy = edited(data, edits)
    (folder / "edited.py").write_text(read_notebook(copy, "nb.ipynb").text, encoding="utf-8")
    return run_python(folder, *start, "edited.py", IPYTHONDIR=str(folder), MPLBACKEND="agg")


@pytest.mark.parametrize(
    ("words", "edits"),
    [
        pytest.param([], [], id="as it is"),
        pytest.param(["lr=0.1", "width=3"], [("lr = 0.5", "lr = 0.1"), ("int = 8", "int = 3")], id="values"),
        pytest.param(["momentum=0.1"], [("momentum = 0.9", "momentum = 0.1")], id="below a magic"),
    ],
)  # fmt: skip
def test_it_runs_as_an_edited_copy(
    tmp_path: Path, words: list[str], edits: list[tuple[str, str]]
) -> None:
    write_notebook(tmp_path / "nb.ipynb", *TRAINING)
    assert run_kogine(tmp_path, "run", "nb.ipynb", *words) == as_script(tmp_path, edits)


def test_commands_and_magics_run_in_a_shell_of_ipython(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", *SHELL)
    expected = as_script(tmp_path, [("x = 3", "x = 4")], "-m", "IPython", "--colors", "nocolor")
    done = run_kogine(tmp_path, "run", "nb.ipynb", "x=4", IPYTHONDIR=str(tmp_path))
    assert done.stderr == ""
    assert done.stdout.replace("Overwriting", "Writing") == expected.stdout
    assert (tmp_path / "made.txt").read_text() == "hello\n"
    failed = run_kogine(tmp_path, "run", "nb.ipynb", "x=6", IPYTHONDIR=str(tmp_path))
    assert failed.status == 1
    assert 'nb.ipynb, cell 7", line 3, in <module>\n    raise ValueError(x)' in failed.stderr


def test_without_ipython_nothing_runs(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", "print('started')", "x = 1\n!ls")
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util\nown = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'IPython' else own(name, *rest)\n"
    )
    where = f"{tmp_path}:{on_path()}"
    done = run_kogine(tmp_path, "run", "nb.ipynb", PYTHONPATH=where)
    assert (done.status, done.stdout) == (2, "")
    assert "nb.ipynb, cell 2, line 2: get_ipython().system('ls') needs IPython" in done.stderr
    assert 'pip install "kohaku-ast[notebook]"' in done.stderr


def test_inspect_groups_by_headings_and_the_tagged_cell_is_first(tmp_path: Path) -> None:
    cells = (TRAINING[0], "seed = 1", *TRAINING[1:])
    write_notebook(tmp_path / "nb.ipynb", *cells)
    done = run_kogine(tmp_path, "run", "--inspect", "nb.ipynb", "--json")
    found = [
        (one["short"], one["section"], one["help"]) for one in json.loads(done.stdout)["parameters"]
    ]
    assert found[:7] == [
        ("lr", "parameters", "step size"),
        ("steps", "parameters", ""),
        ("batch", "data", ""),
        ("seed", "", ""),
        ("width", "Model", ""),
        ("hidden", "Model", ""),
        ("momentum", "Train", ""),
    ]
    assert json.loads(done.stdout)["parameters"][3]["places"] == ["In[1]:1"]
    table = run_kogine(tmp_path, "run", "--inspect", "nb.ipynb").stdout
    assert re.search(r"^lr +0.5 +float +step size +In\[3\]:1$", table, re.MULTILINE)
    assert done.stderr == ""


def test_an_error_shows_the_lines_of_its_cell(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", *TRAINING)
    done = run_kogine(tmp_path, "run", "nb.ipynb", "lr=9")
    assert done.status == 1
    place = f'  File "{tmp_path}/nb.ipynb, cell 6", line'
    marks = "           ~~^~~\n" if sys.version_info >= (3, 11) else ""
    assert done.stderr == (
        f"Traceback (most recent call last):\n{place} 5, in <module>\n    f(0)\n{place} 2, in f\n"
        f"    return 1 / x\n{marks}ZeroDivisionError: division by zero\n"
    ).replace("    f(0)\n", "    f(0)\n" + "    ~^^^\n" * (sys.version_info >= (3, 13)))


PLACES = {
    "no parameter": ("lrr=1", "Did you mean 'lr' (cell 2, line 1)?"),
    "no value": ("steps=a", "nb.ipynb, cell 2, line 2: steps=a: expected int, got 'a'"),
    "several": ("width=3", "P.width  (class attribute, cell 3, line 2)"),
    "not used": ("k=5", "override 'k' was not used: cell 3, line 4 of nb.ipynb did not run"),
    "replaced": (
        "a=3",
        "override 'a' was replaced: cell 3, line 5 of nb.ipynb stores another value",
    ),
    "a warning": ("lr=1", "nb.ipynb, cell 3:6: UserWarning: odd\n  warnings.warn('odd')\n"),
}


@pytest.mark.parametrize(("word", "message"), PLACES.values(), ids=PLACES.keys())
def test_messages_name_the_cell_and_its_line(tmp_path: Path, word: str, message: str) -> None:
    write_notebook(
        tmp_path / "nb.ipynb",
        "import warnings",
        "lr = 0.5\nsteps = 4\na = 1",
        "class P:\n    width = 1\nif lr > 9:\n    k = 3\nglobals()['a'] = 2\nwarnings.warn('odd')",
        "class Q:\n    width = 2",
    )
    assert message in run_kogine(tmp_path, "run", "nb.ipynb", word).stderr


@pytest.mark.parametrize("words", [[], ["x=2"]])
def test_a_cell_that_is_no_python_is_named(tmp_path: Path, words: list[str]) -> None:
    write_notebook(tmp_path / "nb.ipynb", "x = 1\nprint(x)", "\ny = (")
    done = run_kogine(tmp_path, "run", "nb.ipynb", *words)
    assert (done.status, done.stdout) == (2, "")
    assert f'  File "{tmp_path}/nb.ipynb, cell 2", line 2\n    y = (\n' in done.stderr


def test_cells_may_await(tmp_path: Path) -> None:
    write_notebook(
        tmp_path / "nb.ipynb",
        "import asyncio\nx = 3\nasync def g():\n    await asyncio.sleep(0)\n    return 1 / (x - 5)",
        "value = await g()",
        "print(value)",
    )
    assert run_kogine(tmp_path, "run", "nb.ipynb", "x=6").stdout == "1.0\n"
    failed = run_kogine(tmp_path, "run", "nb.ipynb", "x=5").stderr
    assert 'nb.ipynb, cell 2", line 1, in <module>' in failed
    assert "asyncio" not in failed.replace("await asyncio", "")


def test_child_processes_find_the_cells(tmp_path: Path) -> None:
    write_notebook(
        tmp_path / "nb.ipynb",
        "import multiprocessing\nlr = 0.5\ndef f(x):\n    return x * lr",
        "if __name__ == '__main__':\n    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(f, [1, 2]))",
    )
    assert run_kogine(tmp_path, "run", "nb.ipynb").stdout == "[0.5, 1.0]\n"
    assert run_kogine(tmp_path, "run", "nb.ipynb", "lr=2").stdout == "[2.0, 4.0]\n"


def test_a_sweep_is_recorded_and_reproduced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notebook(tmp_path / "nb.ipynb", *TRAINING)
    done = run_kogine(tmp_path, "run", "nb.ipynb", "--sweep", "lr=0.1,9", "width=3")
    assert done.status == 1
    assert 'nb.ipynb, cell 6", line 2, in f\n' in done.stderr
    monkeypatch.chdir(tmp_path)
    failed, done_one = Store().runs(sort="-number")
    assert (failed.status, done_one.status) == ("failed", "succeeded")
    assert done_one.log is not None
    assert "w 0.6561 6 0.9 agg" in done_one.log.read_text()
    (tmp_path / "nb.ipynb").write_text("gone")
    again = run_kogine(tmp_path, "runs", "reproduce", "1")
    assert again.status == 0, again
    assert "equal      output" in again.stdout or "equal      status" in again.stdout


def test_freeze_writes_a_notebook_or_a_script(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", *TRAINING)
    words = ["freeze", "nb.ipynb", "lr=0.1", "momentum=0.2", "-o"]
    assert run_kogine(tmp_path, *words, "frozen.ipynb").status == 0
    before, after = ((tmp_path / f"{name}.ipynb").read_text() for name in ("nb", "frozen"))
    hand = before.replace("lr = 0.5", "lr = 0.1").replace("momentum = 0.9", "momentum = 0.2")
    assert json.loads(after) == json.loads(hand)
    assert run_kogine(tmp_path, *words, "frozen.py").status == 0
    assert run_python(tmp_path, "frozen.py").stdout == "w 0.6561 16 0.2 None\n"


def test_in_python_it_is_a_script(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)
    write_notebook(tmp_path / "nb.ipynb", *TRAINING)
    script = Script(tmp_path / "nb.ipynb")
    assert [one.target for one in script.parameters][:2] == ["lr", "steps"]
    assert script.run(lr=0.1).status == "succeeded"
    assert capsys.readouterr().out == "w 0.6561 16 0.9 agg\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("[1,", "'n.ipynb' is no notebook: ", id="no JSON"),
        pytest.param('{"a": 1}', "'n.ipynb' is no notebook that kogine can read: no 'cells'", id="other JSON"),
        pytest.param('{"worksheets": []}', "jupyter nbconvert --to notebook", id="an old format"),
        pytest.param('{"cells": [], "nbformat": 5}', "'n.ipynb' is of nbformat 5: kogine reads nbformat 4", id="a new format"),
        pytest.param(
            '{"cells": [], "metadata": {"kernelspec": {"language": "R"}}}',
            "'n.ipynb' is a notebook in r: kogine runs Python",
            id="another language",
        ),
    ],
)  # fmt: skip
def test_what_is_no_notebook_of_python_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    (tmp_path / "n.ipynb").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError) as caught:
        Script("n.ipynb")
    assert message in str(caught.value)
