"""``kogine pipeline run`` and ``graph``: real processes, a file that defines a pipeline."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from kogine.pipeline import pipeline as group

from tests.cli.test_commands import command
from tests.cli.test_completion import words
from tests.flow.terminal import Program
from tests.oracle import FIXTURES, Finished, on_path, run_kogine, run_python

FLOW = """\
import sys
from enum import Enum
from pathlib import Path

import helper
from kohaku_ast import Pipeline, node


class Mode(Enum):
    FAST = 1
    SLOW = 2


@node
def rows(n: int, mode: Mode = Mode.FAST, folder: "Path | None" = None):
    print("rows runs", file=sys.stderr)
    return list(range(n)), mode, folder


@node("total count")
def add(rows, scale=1.5, extra=None):
    if not scale:
        raise ValueError("no scale")
    return helper.add(rows[0]) * scale, extra


@node
def report(total: float, unit: str = "m"):
    return f"{total} {unit}"


p = Pipeline([rows, add, report])

if __name__ == "__main__":
    print("the guard")
"""

CACHED = """\
from kohaku_ast import DiskCache, Pipeline, node

@node
def rows(n: int):
    print("rows runs")
    return list(range(n))

@node
def total(rows, scale=1):
    print("total runs")
    return sum(rows) * scale

@node
def report(total):
    print("report runs")
    return f"{total}"

p = Pipeline([rows, total, report], cache=DiskCache("kept"))
"""

NESTED = """\
from kohaku_ast import Pipeline, node

@node
def length(word: str):
    return len(word)

@node
def total(length):
    return sum(length)

inner = Pipeline([length], name="inner")
outer = Pipeline([inner.as_node(input_mapping={"words": "word"}, map_over="words"), total])
same = outer
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "helper.py").write_text("def add(values):\n    return sum(values)\n")
    (tmp_path / "cached.py").write_text(CACHED)
    (tmp_path / "nested.py").write_text(NESTED)
    return tmp_path


def pipeline(folder: Path, *arguments: str) -> Finished:
    return run_kogine(folder, "pipeline", *arguments)


# --- run ------------------------------------------------------------------------------------------


def test_results_are_what_no_node_reads(folder: Path) -> None:
    done = pipeline(folder, "run", "flow.py", "n=4")
    assert done == Finished(0, "count = None\nreport = '9.0 m'\n", "rows runs\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("mode=SLOW", "<Mode.SLOW: 2>, None", id="a member of an enum"),
        pytest.param("mode=Mode.SLOW", "<Mode.SLOW: 2>, None", id="with its class"),
        pytest.param("folder=a/b", "<Mode.FAST: 1>, PosixPath('a/b')", id="a path"),
        pytest.param("folder=None", "<Mode.FAST: 1>, None", id="None where it may be"),
    ],
)
def test_texts_are_read_as_the_types_of_the_parameters(text: str, shown: str, folder: Path) -> None:
    done = pipeline(folder, "run", "flow.py", "n=1", text, "--to", "rows")
    assert done == Finished(0, f"rows = ([0], {shown})\n", "rows runs\n")


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("extra=5", "5", "int 5"),
        ("extra=[1, 2]", "[1, 2]", "list [1, 2]"),
        ("extra=a b", "'a b'", "str 'a b'"),
    ],
)
def test_without_a_type_it_is_a_literal_else_text_and_a_note_says_so(
    text: str, value: str, kind: str, folder: Path
) -> None:
    done = pipeline(folder, "run", "flow.py", "n=1", text, "--output", "count")
    assert done.stdout == f"count = {value}\n"
    assert done.stderr.splitlines()[0] == (
        f"kogine: note: {text}: 'add' (flow.py:20) says no type of 'extra'; read as the {kind}"
    )


def test_the_default_is_a_type_too(folder: Path) -> None:
    done = pipeline(folder, "run", "flow.py", "n=4", "scale=1e1", "--output", "total")
    assert done == Finished(0, "total = 60.0\n", "rows runs\n")


def test_an_intermediate_replaces_its_node(folder: Path) -> None:
    assert pipeline(folder, "run", "flow.py", "total=3", "--output", "report") == Finished(
        0, "report = '3.0 m'\n", ""
    )


def test_json(folder: Path) -> None:
    done = pipeline(folder, "run", "flow.py", "n=2", "--output", "rows,total", "--json")
    assert json.loads(done.stdout) == {"rows": [[0, 1], "<Mode.FAST: 1>", None], "total": 1.5}


def test_long_results_are_cut_to_a_line(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(
        "from kohaku_ast import Pipeline, node\n"
        "class Lines:\n"
        "    def __repr__(self): return 'one\\ntwo' * 100\n"
        "@node\n"
        "def x(): return Lines()\n"
        "p = Pipeline([x])\n"
    )
    done = pipeline(tmp_path, "run", "flow.py")
    assert done.stdout.startswith("x = one two")
    assert done.stdout.count("\n") == 1


def test_a_map_inside_and_pipelines_that_are_inside_another(folder: Path) -> None:
    done = pipeline(folder, "run", "nested.py", "words=['a', 'bcd']")
    assert (done.status, done.stdout) == (0, "total = 4\n")


def test_a_pipeline_by_its_name(folder: Path) -> None:
    assert pipeline(folder, "run", "nested.py:inner", "word=ab") == Finished(0, "length = 2\n", "")


def test_processes(folder: Path) -> None:
    """Functions of the file, which is ``__main__``, cross to others and find what is beside it."""
    text = FLOW.replace("add, report]", 'add, report], engine="parallel"')
    (folder / "flow.py").write_text(text)
    done = pipeline(folder, "run", "flow.py", "n=4")
    assert done == Finished(0, "count = None\nreport = '9.0 m'\n", "rows runs\n")


def test_the_file_is_run_as_a_script_is(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "beside.py").write_text("")
    (tmp_path / "sub" / "flow.py").write_text(
        "import sys, beside\n"
        "from kohaku_ast import Pipeline, node\n"
        "@node\n"
        "def x(): return [__name__, sys.argv, sys.modules['__main__'].x is x]\n"
        "p = Pipeline([x])\n"
    )
    done = pipeline(tmp_path, "run", "sub/flow.py", "--", "--own", "3")
    assert done == Finished(0, "x = ['__main__', ['sub/flow.py', '--own', '3'], True]\n", "")


def test_a_script_as_a_node(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("lr: float = 0.1\nloss = lr * 2\n")
    (tmp_path / "flow.py").write_text(
        "from kohaku_ast import Pipeline\n"
        "from kohaku_ast.pipeline.script_node import script\n"
        "p = Pipeline([script('train.py', outputs='loss')])\n"
    )
    assert pipeline(tmp_path, "run", "flow.py", "lr=3").stdout == "loss = 6.0\n"
    done = pipeline(tmp_path, "run", "flow.py", "lr=high")
    assert (done.status, done.stdout) == (2, "")
    assert "expected float, got 'high'" in done.stderr


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["flow.py"], "the input 'n' is missing: 'rows' (flow.py:14) reads", id="missing"),
        pytest.param(["flow.py", "n=1", "scael=2"], "Did you mean 'scale'?", id="a typo"),
        pytest.param(["flow.py", "n=x"], "expected int, got 'x'", id="another type"),
        pytest.param(["flow.py", "n=1", "mode=SLOWER"], "got 'SLOWER'", id="no member"),
        pytest.param(["flow.py", "n=1", "n=2"], "the input 'n' is given twice", id="twice"),
        pytest.param(["flow.py", "--to", "addd"], "Did you mean 'add'?", id="no node"),
        pytest.param(["flow.py", "n=1", "--output", "totl"], "Did you mean 'total'?", id="no output"),
        pytest.param(["flow.py", "--to", "add", "--output", "total"], "give one of them", id="both"),
        pytest.param(["flow.py:q"], "'q' is not a pipeline. It defines: p.", id="no such name"),
        pytest.param(["flow.py:Mode"], "it is a EnumType" if sys.version_info >= (3, 11) else "it is a EnumMeta", id="no pipeline"),
        pytest.param(["helper.py"], "no pipeline: write pipeline = Pipeline([...])", id="none"),
        pytest.param(["flw.py"], "Did you mean 'flow.py'?", id="no file"),
        pytest.param([], "no file given: kogine pipeline run FLOW.py", id="nothing"),
        pytest.param(["flow.py", "--form", "add"], "Did you mean '--from'?", id="no option"),
    ],
)  # fmt: skip
def test_mistakes(arguments: list[str], said: str, folder: Path) -> None:
    done = pipeline(folder, "run", *arguments)
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith("kogine: error: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "rows runs" not in done.stderr


def test_several_pipelines(folder: Path) -> None:
    with open(folder / "flow.py", "a") as file:
        file.write("q = Pipeline([rows])\n")
    done = pipeline(folder, "run", "flow.py", "n=1")
    assert done == Finished(
        2,
        "",
        "kogine: error: flow.py: several pipelines: say which one: flow.py:p, flow.py:q\n",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["rnu"], "Did you mean 'run'?", id="a typo"),
        pytest.param(["quux"], "expected one of: run, graph", id="no command"),
    ],
)
def test_no_command(arguments: list[str], said: str, folder: Path) -> None:
    done = pipeline(folder, *arguments)
    assert (done.status, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize("name", ["run", "graph", "step", "export argo", "export airflow"])
def test_help(name: str, folder: Path) -> None:
    assert name.split()[0] in group.places
    done = pipeline(folder, *name.split(), "--help")
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: kogine pipeline {name} [OPTIONS] FLOW.py[:NAME]")
    options = [
        one
        for one in command(("pipeline", *name.split())).params
        if not getattr(one, "hidden", True)
    ]
    assert options
    assert all(option in done.stdout for one in options for option in one.opts)


def test_files_are_completed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "notes.txt").write_text("")
    assert words("pipeline", "run", "f") == ["flow.py"]
    assert words("pipeline", "graph", "n")[0] == "nested.py"


# --- failures -------------------------------------------------------------------------------------


def test_a_node_that_raises_is_shown_as_python_does_with_the_note(folder: Path) -> None:
    done = pipeline(folder, "run", "flow.py", "n=2", "scale=0")
    note = "in node 'add' (flow.py:20), with rows=([0, 1], <Mode.FAST: 1>, None), scale=0.0\n"
    assert done == Finished(
        1,
        "",
        "rows runs\n"
        "Traceback (most recent call last):\n"
        f'  File "{folder}/flow.py", line 23, in add\n'
        '    raise ValueError("no scale")\n'
        f"ValueError: no scale\n{note}",
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("def f():\n    return 1 / 0\n\n\nf()\n", id="an exception"),
        pytest.param("import sys\nsys.exit(3)\n", id="an exit"),
        pytest.param("raise SystemExit('bye')\n", id="an exit with words"),
    ],
)
def test_a_file_that_fails_ends_as_under_python(text: str, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(text)
    assert pipeline(tmp_path, "run", "flow.py") == run_python(tmp_path, "flow.py")


def test_a_file_that_is_no_python(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text("def :\n")
    done = pipeline(tmp_path, "run", "flow.py")
    assert (done.status, done.stderr) == (2, run_python(tmp_path, "flow.py").stderr)


def test_a_node_that_exits(folder: Path) -> None:
    text = FLOW.replace('raise ValueError("no scale")', "sys.exit(7)")
    (folder / "flow.py").write_text(text)
    assert pipeline(folder, "run", "flow.py", "n=2", "scale=0").status == 7


# --- a part ---------------------------------------------------------------------------------------


def test_to_a_node(folder: Path) -> None:
    assert pipeline(folder, "run", "cached.py", "n=3", "--to", "total").stdout == (
        "rows runs\ntotal runs\ntotal = 3\n"
    )


def test_from_a_node_with_what_it_needs(folder: Path) -> None:
    done = pipeline(folder, "run", "cached.py", "--from", "total", "rows=[1, 2]")
    assert done.stdout == "total runs\nreport runs\nreport = '3'\n"


def test_from_a_node_with_a_cache(folder: Path) -> None:
    pipeline(folder, "run", "cached.py", "n=3")
    done = pipeline(folder, "run", "cached.py", "n=3", "scale=2", "--from", "total")
    assert done.stdout == "total runs\nreport runs\nreport = '6'\n"


def test_from_a_node_when_something_above_it_has_changed(folder: Path) -> None:
    pipeline(folder, "run", "cached.py", "n=3")
    (folder / "cached.py").write_text(CACHED.replace("range(n)", "range(n + 1)"))
    done = pipeline(folder, "run", "cached.py", "n=3", "--from", "total")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr == (
        "kogine: error: --from total runs nothing above it.\n"
        "'rows' is missing: 'rows' (cached.py:3) gives it, and changed since it was kept: rows: "
        "code.\n"
        "Give rows=VALUE, or run it once without --from and with a cache. Nothing was run.\n"
    )


def test_from_a_node_without_a_cache(folder: Path) -> None:
    done = pipeline(folder, "run", "flow.py", "n=3", "--from", "add")
    assert (done.status, done.stdout) == (2, "")
    assert "'rows' is missing: 'rows' (flow.py:14) gives it, and the pipeline has no cache." in (
        done.stderr
    )


def test_from_a_node_the_inputs_above_it_find_what_is_cached(folder: Path) -> None:
    done = pipeline(folder, "run", "cached.py", "--from", "total")
    assert (done.status, done.stdout) == (2, "")
    assert "the input 'n' is missing" in done.stderr
    assert "what is cached above it is found by the same inputs" in done.stderr


def test_from_and_to(folder: Path) -> None:
    done = pipeline(folder, "run", "cached.py", "rows=[4]", "--from", "total", "--to", "total")
    assert done.stdout == "total runs\ntotal = 4\n"


def test_no_way_leads_there(folder: Path) -> None:
    done = pipeline(folder, "run", "cached.py", "n=1", "--from", "total", "--to", "rows")
    assert (done.status, done.stdout) == (2, "")
    assert "no way leads from 'total' to 'rows'" in done.stderr


# --- graph ----------------------------------------------------------------------------------------


def test_graph_in_words(folder: Path) -> None:
    done = pipeline(folder, "graph", "flow.py")
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.startswith("pipeline 'pipeline': 3 nodes; inputs: n, mode (optional), ")
    assert "\n  total  <- output total of add (flow.py:20)\n" in done.stdout


@pytest.mark.parametrize("name", ["graph.svg", "graph.html", "graph.mmd"])
def test_graph_as_a_file(name: str, folder: Path) -> None:
    assert pipeline(folder, "graph", "flow.py", "-o", name) == Finished(0, "", "")
    text = (folder / name).read_text(encoding="utf-8")
    assert all(node in text for node in ("rows", "add", "report"))
    if name.endswith(".svg"):
        ElementTree.fromstring(text)


def test_graph_opened(folder: Path) -> None:
    pipeline(folder, "graph", "nested.py", "-o", "graph.svg", "--depth", "1")
    assert ">length<" in (folder / "graph.svg").read_text()


def test_graph_of_a_part(folder: Path) -> None:
    done = pipeline(folder, "graph", "flow.py", "--from", "add", "--to", "add")
    assert done.stdout.startswith("pipeline 'pipeline': 1 of 3 nodes; ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["-o", "x.png"], "one of .svg, .html, .mmd", id="another ending"),
        pytest.param(["-o", "none/x.svg"], "cannot write 'none/x.svg': No such", id="no folder"),
        pytest.param(["-o", "x.svg", "--depth", "-1"], "--depth -1: at least 0", id="no depth"),
        pytest.param(["n=3"], "a drawing needs no inputs", id="an input"),
        pytest.param(["--to", "ad"], "Did you mean 'add'?", id="no node"),
    ],
)
def test_mistakes_of_graph(arguments: list[str], said: str, folder: Path) -> None:
    done = pipeline(folder, "graph", "flow.py", *arguments)
    assert (done.status, done.stdout) == (2, "")
    assert said in done.stderr


# --- a terminal -----------------------------------------------------------------------------------


def test_a_bar_on_a_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", on_path())
    launcher = str(FIXTURES.parent / "tests" / "kogine_command.py")
    program = Program(
        [sys.executable, launcher, "pipeline", "run", "flow.py", "n=4"], folder, columns=100
    )
    assert program.end() == 0
    lines = [line.rstrip() for line in program.screen.display if line.strip()]
    assert lines[0] == "rows runs"
    assert lines[1].startswith("pipeline  " + "━" * 30 + "  3/3 nodes  ")
    assert lines[2:] == ["count = None", "report = '9.0 m'"]


def test_no_bar_if_it_is_not_wanted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", on_path())
    launcher = str(FIXTURES.parent / "tests" / "kogine_command.py")
    command = [sys.executable, launcher, "pipeline", "run", "flow.py", "n=4", "--no-progress"]
    program = Program(command, folder)
    assert program.end() == 0
    lines = [line.rstrip() for line in program.screen.display if line.strip()]
    assert lines == ["rows runs", "count = None", "report = '9.0 m'"]


def test_ctrl_c(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = FLOW.replace('raise ValueError("no scale")', "sys.stdin.readline()")
    (folder / "flow.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", on_path())
    launcher = str(FIXTURES.parent / "tests" / "kogine_command.py")
    command = [sys.executable, launcher, "pipeline", "run", "flow.py", "n=4", "scale=0"]
    program = Program(command, folder)
    program.wait_for(lambda shown: "1/3 nodes" in shown and "add" in shown)
    program.type(b"\x03")
    assert program.end() == -2
    assert "KeyboardInterrupt" in "\n".join(program.screen.display)
