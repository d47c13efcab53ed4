"""The lines for everything that is no terminal, and the summary, word by word."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from kohaku_ast.display.live import Out
from kohaku_ast.flow.failures import error_key
from kohaku_ast.flow.log_watch import new_seen
from kohaku_ast.flow.report import Lines, Report
from kohaku_ast.flow.run import INTERRUPTED, RETRYING, SKIPPED, Summary
from tests.flow.made import failed, running, succeeded


def test_a_line_for_each_change() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    first = running(0)
    lines.on_start(first, 4)
    new_seen(first).metrics.update(loss=0.125, step=3)
    lines.on_end(succeeded(first, 1.25))
    again = failed(running(1))
    again.state = RETRYING
    lines.on_retry(again, 2.0)
    again.attempt = 2
    lines.on_start(again, 4)
    lines.on_end(failed(again, seconds=75))
    skipped = running(2)
    skipped.state = SKIPPED
    lines.on_skip(skipped)
    ended = succeeded(running(3, total=None), 0.5)
    ended.state = INTERRUPTED
    lines.on_end(ended)
    assert (
        stream.getvalue()
        == """\
started [1/4] lr=0
succeeded [1/4] lr=0 in 1.2 s: loss=0.125 step=3
retrying [2/4] lr=1 in 2.0 s: ValueError: too big
started [2/4] lr=1 (attempt 2)
failed [2/4] lr=1 in 1m15s: ValueError: too big
skipped [3/4] lr=2: it has succeeded before
interrupted [4] lr=3 in 0.5 s
"""
    )


def test_the_summary_groups_equal_errors(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("".join(f"line {n}\n" for n in range(20)) + "\x1b[31m  indented\x1b[0m\n\n")
    stream = io.StringIO()
    report = Report(stream, lambda run: f"kogine run train.py {run.label}")
    report.on_end(succeeded(running(0)))
    report.on_end(failed(running(1, log=log), message="tried 20 of 0x7f00 in /a/1.bin\nand more 1"))
    for number in range(2, 14):
        report.on_end(
            failed(
                running(number),
                message=f"tried {number} of 0x{number}f in /b/{number}.bin\nand more 2",
            )
        )
    report.on_end(failed(running(14, total=None), "", ""))
    report.on_finish(Summary({"succeeded": 1, "failed": 14}, 12.34, True, "cfg.py: no more"))
    lines = "".join(f"  | line {n}\n" for n in range(11, 20))
    assert (
        stream.getvalue()
        == f"""\
interrupted
kogine: error: cfg.py: no more
failed [2/4] lr=1: ValueError: tried 20 of 0x7f00 in /a/1.bin
  (and 12 more with the same error: [3], [4], [5], [6], [7], [8], [9], ...)
{lines}  |   indented
  log: log.txt
  again: kogine run train.py lr=1
failed [15] lr=14: exit status 1
  again: kogine run train.py lr=14
15 runs: 1 succeeded, 14 failed in 12.3 s
"""
    )


def test_the_summary_is_short_whatever_happens() -> None:
    stream = io.StringIO()
    report = Report(stream)
    for number in range(300):
        report.on_end(
            failed(running(number), f"E{chr(97 + number % 26)}{chr(97 + number // 26)}rror")
        )
    report.on_finish(Summary({"failed": 300}, 1.0))
    assert stream.getvalue().count("\n") == 22
    assert "failed ... and 280 more, with other errors\n300 runs: 300 failed" in stream.getvalue()


def test_a_seed_is_told() -> None:
    stream = io.StringIO()
    report, run = Report(stream), succeeded(running(0))
    object.__setattr__(run.config, "metadata", {"sweep_seed": 7})
    report.on_end(run)
    report.on_finish(Summary({"succeeded": 1}, 1.0))
    assert stream.getvalue() == "drawn with --seed 7\n1 run: 1 succeeded in 1.0 s\n"


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        pytest.param("20.00 MiB at 0x7f", "1.5e3 MiB at 0x8c", True, id="numbers"),
        pytest.param("no /tmp/a/b.txt", "no C:\\x\\y", True, id="paths"),
        pytest.param("run 3f2b8a9c1d", "run 9c3f2b8a1e", True, id="parts of UUIDs"),
        pytest.param("key 'lr'", "key 'bs'", False, id="names"),
        pytest.param("defaced", "defaces", False, id="words"),
    ],
)
def test_equal_errors(first: str, second: str, is_same: bool) -> None:
    keys = [error_key(failed(running(0), message=message)) for message in (first, second)]
    assert (keys[0] == keys[1]) is is_same


def test_exits_with_different_last_words_are_different(tmp_path: Path) -> None:
    runs = [failed(running(number, log=tmp_path / f"{number}"), "", "") for number in range(3)]
    for run, text in zip(runs, ("no data in 3", "no data in 4", "no GPU")):
        assert run.log
        run.log.write_text(f"{text}\n")
    first, second, third = map(error_key, runs)
    assert first == second != third


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("stream", [Broken(), io.StringIO()], ids=["broken", "closed"])
def test_a_stream_that_is_gone_stops_nothing(stream: io.StringIO) -> None:
    out = Out(stream)
    if not isinstance(stream, Broken):
        stream.close()
    out.print("a")
    out.print("b")
    assert out.is_gone


def test_a_stream_of_another_encoding() -> None:
    data = io.BytesIO()
    out = Out(io.TextIOWrapper(data, encoding="ascii"))
    out.print("學 é")
    assert data.getvalue() == b"\\u5b78 \\xe9\n"
