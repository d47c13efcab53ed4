"""Progress bars: on terminals that are read back, in a notebook, and nowhere else."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from kohaku_ast.cache.memory import MemoryCache
from kohaku_ast.errors import PipelineError
from kohaku_ast.pipeline.node import node
from kohaku_ast.pipeline.pipeline import Pipeline
from kohaku_ast.pipeline.progress_bars import BarRow, ProgressBar, bars_html, find_rows, total_of
from tests.flow.terminal import Program, Terminal
from tests.oracle import FIXTURES

ROOT = FIXTURES.parent
BAR = "━" * 30


@node
def first(x: int) -> int:
    return x + 1


@node
def second(first: int) -> int:
    if first > 3:
        raise ValueError(first)
    return first * 2


@node
def total(second: list[int]) -> int:
    return sum(second)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal(80, 12)
    yield made
    made.close()


@pytest.fixture
def stream(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.TextIOWrapper]:
    monkeypatch.setenv("TERM", "xterm-256color")
    with open(terminal.slave, "w", encoding="utf-8", closefd=False) as made:
        yield made


# --- on a terminal --------------------------------------------------------------------------------


def test_a_run(terminal: Terminal, stream: io.TextIOWrapper) -> None:
    Pipeline([first, second], name="train", callbacks=[ProgressBar(stream)]).run(x=1)
    [line] = terminal.shown()
    assert line.startswith(f"train  {BAR}  2/2 nodes  ")
    assert line.endswith(" ms")


def test_maps_and_pipelines_inside_have_bars_of_their_own(
    terminal: Terminal, stream: io.TextIOWrapper
) -> None:
    inner = Pipeline([first, second], name="inner").as_node(map_over="x")
    made = Pipeline([inner, total], name="outer", callbacks=[ProgressBar(stream)])
    made.run(x=[0, 1, 2])
    lines = terminal.shown()
    assert lines[0].startswith(f"outer    {BAR}  2/2 nodes")
    assert lines[1] == f"  inner  {BAR}  3/3 items"


def test_failures_are_counted(terminal: Terminal, stream: io.TextIOWrapper) -> None:
    made = Pipeline([first, second], name="train", callbacks=[ProgressBar(stream)])
    made.map({"x": [1, 2, 3, 4]}, map_over="x", on_error="keep")
    assert terminal.shown()[0].startswith(f"train  {BAR}  4/4 items  2 failed, ")


def test_what_is_cached_is_counted(terminal: Terminal, stream: io.TextIOWrapper) -> None:
    made = Pipeline([first, second], cache=MemoryCache(), callbacks=[ProgressBar(stream)])
    made.run(x=1)
    made.run(x=1)
    lines = terminal.shown()
    assert len(lines) == 2
    assert lines[1].startswith(f"pipeline  {BAR}  2/2 nodes  2 cached")


def test_after_a_failure_what_did_not_run_is_missing(
    terminal: Terminal, stream: io.TextIOWrapper
) -> None:
    third = node("third")(lambda second: second)
    made = Pipeline([first, second, third], name="train", callbacks=[ProgressBar(stream)])
    with pytest.raises(ValueError, match="4"):
        made.run(x=3)
    bar = "━" * 20 + "─" * 10
    assert terminal.shown()[0].startswith(f"train  {bar}  2/3 nodes  1 failed, ")


@pytest.mark.parametrize("columns", [10, 20, 40, 79])
def test_a_narrow_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal(columns, 12)
    with open(terminal.slave, "w", encoding="utf-8", closefd=False) as stream:
        made = Pipeline(
            [first, second], name="a-name-that-is-long", callbacks=[ProgressBar(stream)]
        )
        made.run(x=1)
        lines = terminal.shown()
    terminal.close()
    assert len(lines) == 1
    assert len(lines[0]) < columns
    assert lines[0].startswith("a-name-t")


def test_a_terminal_without_unicode(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    with open(terminal.slave, "w", encoding="ascii", closefd=False) as stream:
        Pipeline([first], name="öl", callbacks=[ProgressBar(stream)]).run(x=1)
        assert "#" * 30 + "  1/1 nodes" in terminal.shown()[0]


PROGRAM = """
import sys, time
from kohaku_ast import Pipeline, ProgressBar, node

@node
def first(x):
    print("first prints")
    return x

@node
def second(first):
    print("second prints to stderr", file=sys.stderr)
    print("ready", flush=True)
    sys.stdin.readline()
    return first

Pipeline([first, second], name="train", callbacks=[ProgressBar()]).run(x=1)
print("after")
"""


def test_what_nodes_print_stands_above_the_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = Program([sys.executable, "program.py"], tmp_path)
    program.wait_for(lambda text: "ready" in text and "train" in text)
    program.type(b"\n")
    assert program.end() == 0
    lines = [line.rstrip() for line in program.screen.display if line.strip()]
    assert lines[:3] == ["first prints", "second prints to stderr", "ready"]
    assert lines[-2].startswith(f"train  {BAR}  2/2 nodes")
    assert lines[-1] == "after"


PARALLEL = """
from kohaku_ast import Pipeline, ProgressBar, node

@node
def first(x):
    print("got", x)
    return x

bar = ProgressBar()
p = Pipeline([first], name="train", engine="parallel", callbacks=[bar])
p.map({"x": [1, 2, 3, 4]}, map_over="x")
"""


def test_what_forked_workers_print_stands_above_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program.py").write_text(PARALLEL)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = Program([sys.executable, "program.py"], tmp_path)
    assert program.end() == 0
    lines = [line.rstrip() for line in program.screen.display if line.strip()]
    assert sorted(lines[:-1]) == ["got 1", "got 2", "got 3", "got 4"]
    assert lines[-1].startswith(f"train  {BAR}  4/4 items")


MAPS = """
import os, sys, time
from kohaku_ast import Pipeline, node

@node("root")
def root(x):
    if x == 2:
        print("third item")
        while not os.path.exists("go"):
            time.sleep(0.01)
    if x == 1:
        raise ValueError(x)
    return x

made = Pipeline([root], name="roots", engine=sys.argv[1])
for options in ({}, {"progress": False}):
    made.map(x=range(4), map_over="x", on_error="keep", **options)
    print("after")
made.map(x=[3, 4], map_over="x")
"""


OTHERS = [pytest.param(one, marks=pytest.mark.exhaustive) for one in ("threaded", "async")]


@pytest.mark.parametrize("engine", ["sequential", *OTHERS])
def test_a_map_of_more_than_a_second_shows_a_bar_unless_it_is_not_wanted(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program.py").write_text(MAPS)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = Program([sys.executable, "program.py", engine], tmp_path)
    at_once = 2 if engine == "sequential" else 3
    program.wait_for(lambda text: f"{at_once}/4 items  1 failed, 1s" in text)
    (tmp_path / "go").touch()
    assert program.end() == 0
    lines = [line.rstrip() for line in program.screen.display if line.strip()]
    assert lines[1].startswith(f"roots  {BAR}  4/4 items  1 failed, ")
    assert lines[:1] + lines[2:] == ["third item", "after", "third item", "after"]


@pytest.mark.exhaustive
def test_a_map_in_ipython_shows_a_bar_and_leaves_a_debugger_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nodes.py").write_text(
        "import pdb, time\nfrom kohaku_ast import Pipeline, node\n"
        "slow = Pipeline([node('y')(lambda x: time.sleep(0.4))], name='slow')\n"
        "def stop(x):\n    time.sleep(1.5)\n    pdb.set_trace()\n    return x\n"
        "stopped = Pipeline([node('z')(stop)], name='stopped')\n"
    )
    for name, value in (("PYTHONPATH", str(ROOT)), ("IPYTHONDIR", str(tmp_path / "ipython"))):
        monkeypatch.setenv(name, value)
    words = ["-m", "IPython", "--no-banner", "--simple-prompt", "--colors", "nocolor"]
    program = Program([sys.executable, *words, "-c", "from nodes import *", "-i"], tmp_path)
    program.wait_for(lambda text: "In [1]:" in text)
    program.type(b"done = slow.map(x=range(4), map_over='x')\n")
    program.wait_for(lambda text: "/4 items  1s" in text)
    shown = program.wait_for(lambda text: "In [2]:" in text)
    assert [line for line in shown if line.startswith(f"slow  {BAR}  4/4 items")]
    program.type(b"done = stopped.map(x=range(4), map_over='x')\n")
    program.wait_for(lambda text: "stopped  ─" in text and "(Pdb)" in text)
    program.type(b"p 6 * 7\n")
    program.wait_for(lambda text: "\n42\n" in text)
    program.type(b"q\n")
    shown = program.wait_for(lambda text: "In [3]:" in text)
    at = shown.index("(Pdb) p 6 * 7")
    assert shown[at + 1 : at + 3] == ["42", "(Pdb) q"]
    program.type(b"exit\n")
    program.end()


@pytest.mark.exhaustive
@pytest.mark.parametrize("engine", ["sequential", "threaded"])
def test_a_progress_bar_leaves_a_debugger_in_a_node_alone(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program.py").write_text(
        "import sys, pdb\nfrom kohaku_ast import Pipeline, ProgressBar, node\n"
        "def stop(x):\n    pdb.set_trace()\n    return x\n"
        "def after(y):\n    print('after')\n    return y\n"
        "nodes = [node('y')(stop), node('z')(after)]\n"
        "made = Pipeline(nodes, name='bars', engine=sys.argv[1], callbacks=[ProgressBar()])\n"
        "made.run(x=1)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = Program([sys.executable, "program.py", engine], tmp_path)
    program.wait_for(lambda text: "(Pdb)" in text)
    program.type(b"p 6 * 7\n")
    program.wait_for(lambda text: "\n42\n" in text)
    program.type(b"import time; time.sleep(1.2)\n")  # the bar would be painted anew
    program.type(b"p 6 * 8\n")
    program.wait_for(lambda text: "\n48\n" in text)
    program.type(b"c\n")
    assert program.end() == 0
    lines = [line.rstrip() for line in program.screen.display if line.strip()]
    at = lines.index("(Pdb) p 6 * 7")
    sleep = "import time; time.sleep(1.2)"
    typed = [f"(Pdb) {sleep}", "p 6 * 8", "(Pdb) p 6 * 8"]
    others = [line for line in lines[at + 1 : -1] if line not in typed]
    assert others == ["42", "48", "(Pdb) c", "after"]
    assert lines[-1].startswith(f"bars  {BAR}  2/2 nodes")


def test_an_input_that_is_called_progress_is_an_input(capfd: pytest.CaptureFixture[str]) -> None:
    half = node("half")(lambda x, progress: x * progress)
    made = Pipeline([half, node("y")(lambda half: half + 1)], name="halves")
    assert made.map(x=[1, 2], map_over="x", progress=True, output_name="y") == [2, 3]
    plain = Pipeline([first], name="sums")
    assert plain.map(x=[1, 2], map_over="x", progress=True, output_name="first") == [2, 3]
    assert re.fullmatch(r"sums: 2/2 items  \S+ ms\n", capfd.readouterr().err)
    with pytest.raises(PipelineError, match="progress is True, False or None"):
        plain.map(x=[1, 2], map_over="x", progress="yes")  # type: ignore[arg-type]


# --- elsewhere ------------------------------------------------------------------------------------


def test_quiet_where_there_is_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input="\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "first prints\nready\nafter\n"
    assert done.stderr == "second prints to stderr\n"


def test_no_standard_error_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert Pipeline([first], callbacks=[ProgressBar()]).run({"x": 1}, "first") == 2


def test_a_notebook_has_one_output_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    import IPython.display

    outputs: list[str] = []

    def display(shown: IPython.display.HTML, display_id: bool) -> SimpleNamespace:
        outputs.append(str(shown.data))
        return SimpleNamespace(update=lambda shown: outputs.append(str(shown.data)))

    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(kernel=object()))
    monkeypatch.setattr("IPython.display.display", display)
    Pipeline([first, second], name="train", callbacks=[ProgressBar()]).run(x=1)
    assert len(outputs) == 2
    assert '<progress value="0" max="2">0/2 nodes</progress>' in outputs[0]
    assert '<progress value="2" max="2">2/2 nodes</progress>' in outputs[1]


def test_names_in_a_notebook_are_text() -> None:
    assert "&lt;b&gt;" in bars_html([BarRow("<b>", 1, 2, "nodes", "", False)])


# --- what is counted ------------------------------------------------------------------------------


def test_a_map_in_a_map_is_counted_as_a_whole() -> None:
    """Four items outside, each with its own items inside."""
    bar = ProgressBar(io.StringIO())
    totals: list[int] = []

    @node
    def watched(x: int) -> int:
        totals.append(total_of(("inner",), bar.tallies))
        return x

    inner = Pipeline([watched], name="inner").as_node(map_over="x")
    outer = Pipeline([inner], name="outer", callbacks=[bar])
    outer.map({"x": [[1, 2], [1, 2], [1, 2, 3], [1]]}, map_over="x")
    assert totals == [8, 8, 8, 8, 9, 9, 9, 8]
    assert [(row.done, row.total) for row in find_rows(bar, 1.0, is_over=True)] == [(4, 4), (8, 8)]


def test_many_pipelines_inside_do_not_fill_the_screen() -> None:
    bar = ProgressBar(io.StringIO())
    inner = [
        Pipeline([first], name=f"p{one}").as_node(output_mapping={"first": f"out{one}"})
        for one in range(30)
    ]
    Pipeline(inner, callbacks=[bar]).run(x=1)
    assert len(find_rows(bar)) == 12


def test_importing_the_bar_imports_neither_rich_nor_ipython() -> None:
    program = (
        "import sys; from kohaku_ast import ProgressBar; ProgressBar(); "
        "sys.exit(bool({'rich', 'IPython'} & set(sys.modules)))"
    )
    subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
