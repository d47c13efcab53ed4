"""The live table, on terminals that are read back."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kohaku_ast.display.live import Painter, can_be_painted
from kohaku_ast.flow.live_table import COLUMNS, LiveTable, RunRow, widths_for
from kohaku_ast.flow.log_watch import new_seen
from kohaku_ast.flow.report import choose_display
from kohaku_ast.flow.run import Summary
from tests.flow.made import failed, running, succeeded
from tests.flow.terminal import Program, Terminal
from tests.oracle import FIXTURES


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal(80, 12)
    yield made
    made.close()


@pytest.fixture
def stream(terminal: Terminal) -> Iterator[io.TextIOWrapper]:
    with open(terminal.slave, "w", encoding="utf-8", closefd=False) as made:
        yield made


# --- what is painted ------------------------------------------------------------------------------


def painted(table: LiveTable) -> None:
    """At once, however often it has been painted."""
    table._paint()


def test_a_table_word_by_word(terminal: Terminal, stream: io.TextIOWrapper) -> None:
    table = LiveTable(stream)
    runs = [running(number, total=40, lr=number / 10) for number in range(4)]
    for run in runs:
        table.on_start(run, 40)
        run.started -= 75
    seen = new_seen(runs[2])
    seen.metrics["loss"], seen.progress, seen.line = 0.125, 0.25, "step 3/12 学習"
    new_seen(runs[3]).line = "a line that is much too long for what is left of the terminal"
    table.on_end(succeeded(runs[0], 60.0, acc=0.5))
    table.on_end(failed(runs[1], seconds=60.0))
    painted(table)
    assert terminal.shown() == [
        " run  state      label   elapsed  done   left  metrics     last line",
        "1/40  succeeded  lr=0.0    1m00s               acc=0.5",
        "2/40  failed     lr=0.1    1m00s                           ValueError: too big",
        "3/40  running    lr=0.2    1m15s   25%  3m45s  loss=0.125  step 3/12 学習",
        "4/40  running    lr=0.3    1m15s           7s              a line that is much…",
        "2 of 40 finished, 2 running, 1 failed, 0s, about 19m56s left",
    ]


def test_many_runs_in_few_rows(terminal: Terminal, stream: io.TextIOWrapper) -> None:
    table = LiveTable(stream)
    for number in range(50):
        table.on_start(running(number, total=99), 99)
    painted(table)
    lines = terminal.shown()
    assert len(lines) == 11  # and the cursor below them
    assert lines[1].startswith("1/99  running")
    assert lines[-1].startswith("0 of 99 finished, 50 running")
    terminal.resize(80, 60)
    painted(table)
    assert len(terminal.shown()) == 20


@pytest.mark.parametrize("columns", [2, 5, 11, 20, 33, 47, 60, 200])
def test_any_width(columns: int) -> None:
    terminal = Terminal(columns, 8)
    with open(terminal.slave, "w", encoding="utf-8", closefd=False) as stream:
        table = LiveTable(stream)
        for number in range(3):
            run = running(number, name="漢字" * 9)
            table.on_start(run, 4)
            new_seen(run).line = "é漢" * 200
        for _ in range(3):
            painted(table)
    lines = terminal.shown()
    assert len(lines) == 5
    assert not terminal.screen.history.top
    terminal.close()


def test_an_unchanged_table_is_not_painted_again(
    terminal: Terminal, stream: io.TextIOWrapper
) -> None:
    painter = Painter(stream)
    painter.paint([("a", 1), ("b", 1)])
    terminal.shown()
    before = len(terminal.data)
    painter.paint([("a", 1), ("b", 1)])
    assert terminal.shown() == ["a", "b"]
    assert len(terminal.data) == before
    painter.paint([("a", 1), ("c", 1)])
    assert terminal.shown() == ["a", "c"]
    assert b"a" not in terminal.data[before:]  # no flicker: only what has changed, in one go
    assert b"\x1b[2K" not in terminal.data


def test_the_cursor_is_there_after_every_paint(
    terminal: Terminal, stream: io.TextIOWrapper
) -> None:
    painter = Painter(stream)
    for text in ("a", "bb", "c"):
        painter.paint([(text, len(text))] * 3)
        terminal.shown()
        assert not terminal.screen.cursor.hidden
        assert (terminal.screen.cursor.x, terminal.screen.cursor.y) == (0, 3)


def test_fewer_lines_leave_nothing_behind(terminal: Terminal, stream: io.TextIOWrapper) -> None:
    painter = Painter(stream)
    painter.paint([("abc", 3)] * 5)
    painter.paint([("x", 1)])
    assert terminal.shown() == ["x"]


def test_a_terminal_is_made_narrower_and_wider(
    terminal: Terminal, stream: io.TextIOWrapper
) -> None:
    stream.write("before\r\n")
    stream.flush()
    painter = Painter(stream)
    painter.paint([("x" * 70, 70), ("y" * 9, 9)])
    terminal.shown()
    terminal.resize(30, 12)
    painter.paint([("x" * 29, 29), ("y" * 9, 9)])
    assert terminal.shown() == ["before", "x" * 29, "y" * 9]
    terminal.resize(80, 12)
    painter.paint([("x" * 70, 70), ("y" * 9, 9)])
    assert terminal.shown() == ["before", "x" * 70, "y" * 9]


def test_prints_go_above_the_table(
    terminal: Terminal, stream: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", stream)
    table = LiveTable(stream)
    run = running(0)
    table.on_start(run, 4)
    print("first", "line")
    print("no end", end="", flush=True)
    painted(table)
    print("x" * 100)
    table.on_end(succeeded(run))
    table.on_finish(Summary())
    print("after")
    lines = terminal.shown()
    assert lines[:4] == ["first line", "no end", "x" * 80, "x" * 20]
    assert lines[-1] == "after"
    assert len([line for line in lines if "lr=0" in line]) == 1
    assert sys.stdout is stream


def test_a_flow_that_cannot_begin_leaves_no_table(
    terminal: Terminal, stream: io.TextIOWrapper
) -> None:
    table = LiveTable(stream)
    table.on_start(running(0), 4)
    table.on_start(running(1), 4)
    table.on_finish(Summary())
    stream.write("kogine: error\r\n")
    stream.flush()
    assert terminal.shown() == ["kogine: error"]


@pytest.mark.parametrize("total", range(1, 130, 3))
def test_columns_never_need_more_than_there_is(total: int) -> None:
    cells = (
        "12/40",
        "succeeded",
        "lr=0.1 bs=32 name=abcdef",
        "1h02m",
        "45%",
        "3m04s",
        "loss=0.1",
        "x" * 500,
    )
    widths = widths_for([RunRow(0, "succeeded", cells)], total)
    assert sum(widths) + 2 * (sum(map(bool, widths)) - 1) <= total
    assert widths[COLUMNS.index("label")] > 0


def test_numbers_do_not_jump() -> None:
    def row(elapsed: str) -> list[RunRow]:
        return [RunRow(0, "running", ("1", "running", "a", elapsed, "", "", "", "line"))]

    wide = widths_for(row("23h59m5678"), 80)
    assert widths_for(row("1s"), 80, wide) == wide


# --- which display --------------------------------------------------------------------------------


def test_choice(stream: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    def names(is_json: bool, where: io.TextIOBase) -> list[str]:
        chosen = choose_display(is_json, where)  # type: ignore[arg-type]
        return [type(one).__name__ for one in chosen]

    monkeypatch.setenv("TERM", "xterm")
    assert names(False, stream) == ["LiveTable", "LogWarnings", "ResultsTable", "Repeats", "Report"]
    assert names(True, stream) == ["Repeats", "JsonLines"]
    assert names(False, io.StringIO()) == [
        "Lines",
        "LogWarnings",
        "ResultsTable",
        "Repeats",
        "Report",
    ]
    monkeypatch.setenv("TERM", "dumb")
    assert names(False, stream) == ["Lines", "LogWarnings", "ResultsTable", "Repeats", "Report"]


def test_a_closed_stream_cannot_be_painted() -> None:
    stream = io.StringIO()
    stream.close()
    assert not can_be_painted(stream)


# --- real processes -------------------------------------------------------------------------------


def program(
    folder: Path, script: str, *options: str, columns: int = 100, rows: int = 20
) -> Program:
    (folder / "train.py").write_text(script)
    path = os.pathsep.join([str(FIXTURES.parent), str(FIXTURES.parent / "cli")])
    command = [
        "/usr/bin/env",
        f"PYTHONPATH={path}",
        sys.executable,
        "-m",
        "tests.flow.shown_flow",
        "train.py",
        *options,
    ]
    return Program(command, folder, columns, rows)


WAITS = """\
import os, time
n = 0
print(f"\\x1b[31mloss: {n / 4}\\x1b[0m\\x1b[2J", flush=True)
while not os.path.exists("go"): time.sleep(0.01)
if n == 1: raise ValueError("one")
"""


def test_a_flow_on_a_terminal(tmp_path: Path) -> None:
    shown = program(tmp_path, WAITS, "3", "2", "--print")
    lines = shown.wait_for(lambda text: text.count("running") >= 3 and text.count("loss=") == 2)
    assert lines[:2] == ["asked for 0", "asked for 1"]
    assert lines[2].split() == ["run", "state", "label", "elapsed", "metrics", "last", "line"]
    assert [line.split()[:3] for line in lines[3:5]] == [
        ["1/3", "running", "n=0"],
        ["2/3", "running", "n=1"],
    ]
    shown.resize(40, 20)
    lines = shown.wait_for(lambda text: "last line" not in text)
    assert len([line for line in lines if "n=0" in line]) == 1
    shown.resize(100, 20)
    shown.wait_for(lambda text: "last line" in text)
    (tmp_path / "go").touch()
    status = shown.end()
    text = (
        "\n".join(shown.shown())
        if status < 0
        else "\n".join(line.rstrip() for line in shown.screen.display)
    )
    assert status == 1
    assert "failed [2/3] n=1: ValueError: one\n" in text
    assert (
        "  | ValueError: one\n  log: 1.log\n  again: again 1\n3 runs: 2 succeeded, 1 failed" in text
    )
    assert text.count("1/3  succeeded  n=0") == 1
    assert not shown.screen.cursor.hidden


def test_ctrl_c_gives_the_terminal_back(tmp_path: Path) -> None:
    shown = program(tmp_path, WAITS, "9", "2")
    shown.wait_for(lambda text: text.count("loss=") == 2)
    shown.type(b"\x03")
    assert shown.end() == 130
    text = "\n".join(line.rstrip() for line in shown.screen.display)
    assert "interrupted\n2 runs: 2 interrupted" in text
    assert not shown.screen.cursor.hidden
    assert shown.data.endswith(b"7 not started\r\n")  # nothing is painted after the last word
