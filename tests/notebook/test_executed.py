"""``kogine run nb.ipynb -o out.ipynb``: a real kernel; the outputs are those that nbclient leaves in a
copy that was edited by hand.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

from kohaku_ast import Store
from tests.notebook.cells import KERNEL, kernel_variables, results, write_notebook
from tests.oracle import edited, run_kogine, run_python

TRAIN = """\
from kohaku_ast.helpers import logger
w = 1.0
for i in range(steps):
    w -= lr * w
    logger.log({'w': w})
print('w', round(w, 4), own.width)
print('warned', file=sys.stderr)
w"""
CELLS = (
    "# Training",
    "import sys, own",
    ("lr = 0.5  # step size", ["parameters"]),
    "!echo shell $lr\nsteps = 4",
    TRAIN,
    "def f(x):\n    return 1 / x\n\nif lr > 5:\n    f(0)",
    "'end'",
)
VALUES = {"0.1": "0.1", "9": "9.0"}
"""As the user types them -> as they stand in the cell."""


def executed_by_hand(folder: Path) -> None:
    """``hand-0.1.ipynb`` and ``hand-9.ipynb``: nbclient on copies that were edited."""
    for value, written in VALUES.items():
        hand = edited((folder / "nb.ipynb").read_bytes(), [("lr = 0.5", f"lr = {written}")])
        notebook = nbformat.reads(hand.decode(), as_version=4)
        client = nbclient.NotebookClient(notebook, timeout=600, kernel_name=KERNEL)
        try:
            client.execute(cwd=str(folder))
        except nbclient.exceptions.CellExecutionError:
            assert value == "9"
        nbformat.write(notebook, folder / f"hand-{value}.ipynb")


@pytest.mark.filterwarnings("ignore")  # nbclient and its dependencies warn of each other
def test_outputs_are_those_of_nbclient_on_an_edited_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_notebook(tmp_path / "nb.ipynb", *CELLS)
    (tmp_path / "own.py").write_text("width = 8\n")
    (tmp_path / "elsewhere").mkdir()  # modules beside the notebook are found all the same
    words = ["--sweep", f"lr={','.join(VALUES)}", "--workers", "2", "-o", "made/out-{lr}.ipynb"]
    variables = kernel_variables(tmp_path)
    done = run_kogine(tmp_path / "elsewhere", "run", "../nb.ipynb", *words, **variables)
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    executed_by_hand(tmp_path)
    for value, written in VALUES.items():
        made = results(tmp_path / "elsewhere" / "made" / f"out-{value}.ipynb")
        assert made == results(tmp_path / f"hand-{value}.ipynb")
        assert made[1][1] == f"lr = {written}  # step size"
        assert bool(made[-1][2]) == (value == "0.1"), "no cell runs below the one that failed"

    assert done.status == 1
    assert "----> 5     f(0)" in done.stderr
    assert "again: kogine run ../nb.ipynb lr=9" in done.stderr
    monkeypatch.chdir(tmp_path / "elsewhere")
    good, bad = Store().runs(sort="number")
    assert (good.status, bad.status) == ("succeeded", "failed")
    assert [one.params["lr"] for one in (good, bad)] == [0.1, 9.0]
    assert "ZeroDivisionError: division by zero" in str(bad.error)
    assert round(good.metrics["w"], 4) == 0.6561
    assert good.log is not None
    assert good.log.read_text().startswith("shell 0.1\nw 0.6561 8\nwarned\n")


REFUSED = {
    "another script": (["own.py", "-o", "x.ipynb"], "'own.py' is none (.ipynb)"),
    "another file": (["nb.ipynb", "-o", "x.py"], "an executed notebook is an .ipynb file"),
    "itself": (["nb.ipynb", "-o", "./nb.ipynb"], "is the notebook itself"),
    "arguments": (["nb.ipynb", "-o", "x.ipynb", "--", "3"], "or set sys.argv in a cell"),
    "an entrypoint": (["nb.ipynb", "-o", "x.ipynb", "-e", "f"], "take away the entrypoint 'f'"),
    "a module": (["nb.ipynb", "own.width=3", "-o", "x.ipynb"], "run it without -o, or edit the module"),
    "a typo": (["nb.ipynb", "lr=1", "-o", "x-{l}.ipynb"], "Did you mean {lr}?"),
    "one file for two": (
        ["nb.ipynb", "--sweep", "lr=1,2", "steps=2", "-o", "x-{steps}.ipynb", "--no-record"],
        "two runs with different values would write 'x-2.ipynb'",
    ),
    "no place for two": (
        ["nb.ipynb", "--sweep", "lr=1,2", "-o", "x.ipynb", "--no-record"],
        "each run would write it",
    ),
    "a value of another type": (["nb.ipynb", "lr=a", "-o", "x.ipynb"], "expected float, got 'a'"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_before_a_kernel_starts(tmp_path: Path, words: list[str], message: str) -> None:
    write_notebook(tmp_path / "nb.ipynb", *CELLS[:-2])
    (tmp_path / "own.py").write_text("width = 8\n")
    done = run_kogine(tmp_path, "run", *words)
    assert done.status in (1, 2)
    assert message in done.stderr
    assert {one.name for one in tmp_path.iterdir()} == {"nb.ipynb", "own.py"}


def test_ctrl_c_interrupts_the_cell_and_leaves_the_notebook(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", "import time\nprint('on', flush=True)", "time.sleep(60)")
    process = subprocess.Popen(
        [sys.executable, "-m", "kogine", "run", "nb.ipynb", "-o", "out.ipynb"],
        cwd=tmp_path, env={**os.environ, **kernel_variables(tmp_path)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    while (
        results(tmp_path / "out.ipynb")[0][0] is None
    ):  # the first cell is saved when it has ended
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=600)
    assert process.returncode == -signal.SIGINT
    assert "kogine/" not in printed
    first, second = results(tmp_path / "out.ipynb")
    assert first[2]
    assert not second[2] or "KeyboardInterrupt" in str(second[2])


def test_a_signal_before_the_kernel_starts_prints_no_frames_of_libraries(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", "print('on')")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import os, signal, tempfile\n"
        "made = tempfile.mkdtemp\n"
        "def mkdtemp(suffix=None, prefix=None, dir=None):\n"
        "    if prefix == 'kogine-' and os.path.exists('out.ipynb'):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "    return made(suffix, prefix, dir)\n"
        "tempfile.mkdtemp = mkdtemp\n"
    )
    paths = [str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "kogine", "run", "nb.ipynb", "-o", "out.ipynb"],
        cwd=tmp_path, capture_output=True, text=True, timeout=600, start_new_session=True,
        env={**os.environ, **kernel_variables(tmp_path), "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.exhaustive)]
)
def test_a_signal_while_the_kernel_starts_ends_both(tmp_path: Path, number: int) -> None:
    write_notebook(tmp_path / "nb.ipynb", "print('on')")
    process = subprocess.Popen(
        [sys.executable, "-m", "kogine", "run", "nb.ipynb", "-o", "out.ipynb"],
        cwd=tmp_path, env={**os.environ, **kernel_variables(tmp_path)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, umask=0o022,
    )  # fmt: skip
    while not (tmp_path / "out.ipynb").exists():
        assert process.poll() is None
    process.send_signal(number)
    assert process.communicate(timeout=600) == ("", "")  # the kernel's end is the end of the pipes
    assert process.returncode == -number
    assert results(tmp_path / "out.ipynb") == [(None, "print('on')", [])]
    assert stat.S_IMODE((tmp_path / "out.ipynb").stat().st_mode) == 0o644


@pytest.mark.exhaustive
def test_a_kernel_that_dies_is_an_error_with_its_cell(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", "x = 1", "print(x)\nimport os\nos._exit(3)", "x")
    done = run_kogine(
        tmp_path, "run", "nb.ipynb", "x=2", "-o", "out.ipynb", **kernel_variables(tmp_path)
    )
    assert (done.status, done.stderr) == (1, "DeadKernelError: Kernel died in cell 2\n")
    assert results(tmp_path / "out.ipynb")[0] == (1, "x = 2", [])


def test_output_of_each_run_of_a_sweep_is_among_its_files(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", "x = 1", "x")
    words = ["nb.ipynb", "--sweep", "x=5,6", "-n", "2", "-o", "out.ipynb"]
    done = run_kogine(tmp_path, "run", *words, **kernel_variables(tmp_path))
    assert done.status == 0, done
    made = sorted(tmp_path.glob(".kogine/runs/*/files/out.ipynb"))
    shown = [results(one)[1][2][0]["data"] for one in made]  # type: ignore[index]
    assert sorted(map(str, shown)) == ["{'text/plain': ['5']}", "{'text/plain': ['6']}"]
    assert not (tmp_path / "out.ipynb").exists()


API = """\
from kohaku_ast import Config, Parallel, Script, Sequential, Sweep
script = Script('nb.ipynb', x=4)
print(script.run(output='one.ipynb').status)
try:
    script.run(x=0, output='two.ipynb')
except ZeroDivisionError as error:
    print(*error.__notes__)
flow = Sequential(Script('nb.ipynb', Sweep(x=[5, 0]), output='{x}.ipynb'), on_error='continue')
print([one.status for one in flow.run()])
for options in ({'output': 3}, {'output': 'x.py'}, {'output': 'nb.ipynb'}):
    try:
        script.run(**options)
    except Exception as error:
        print(type(error).__name__, error)
for call in (
    Script('nb.ipynb', output='x.ipynb').load,
    Script('nb.ipynb:f', output='x.ipynb').run,
    Sequential(Script('nb.ipynb', Sweep(x=[1, 2]), output='x.ipynb'), record=False).run,
):
    try:
        call()
    except Exception as error:
        print(type(error).__name__, error)
"""
"""A program, and what it prints besides the cells."""


def test_from_python_a_notebook_is_executed_into_a_file(tmp_path: Path) -> None:
    write_notebook(tmp_path / "nb.ipynb", "x = 1\noutput = 2\ndef f():\n    pass", "1 / x")
    (tmp_path / "program.py").write_text(API)
    done = run_python(tmp_path, "program.py", **kernel_variables(tmp_path))
    lines = done.stdout.splitlines()
    assert lines[0] == "succeeded", done
    assert "----> 1 1 / x" in lines, "the note has the cell's own traceback"
    start = lines.index("['succeeded', 'failed']")
    assert lines[start + 1 :] == [
        (
            "UsageTypeError output is the file for the executed notebook, got 3. A value for what the "
            "notebook calls 'output' goes by the dict: {'output': ...}"
        ),
        "UsageError output='x.py': an executed notebook is an .ipynb file",
        "UsageError output='nb.ipynb' is the notebook itself: name another file",
        "UsageError a kernel executes all cells: run() it, or load it without output",
        "UsageError output executes all cells: take away the entrypoint 'f'",
        (
            "UsageError output='x.ipynb': each run would write it. Name the values that differ, as in "
            "'out-{lr}.ipynb', or take away record=False: then each run has its own folder"
        ),
    ]
    shown = {
        name: results(tmp_path / f"{name}.ipynb")[1][2][0]["output_type"]  # type: ignore[index]
        for name in ("one", "two", "5", "0")
    }
    assert shown == {"one": "execute_result", "two": "error", "5": "execute_result", "0": "error"}
