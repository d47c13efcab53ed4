"""What is seen of a run in its log, while it grows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kohaku_ast.flow import log_watch
from kohaku_ast.flow.log_watch import LogTail, LogWatch, seen_of
from kohaku_ast.flow.output_process import limit_log
from tests.flow.made import running, succeeded


def add(log: Path, data: bytes) -> None:
    with open(log, "ab") as file:
        file.write(data)


def test_lines_come_once_and_whole(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    tail = LogTail(log)
    assert tail.read(100) == []  # there is none yet
    add(log, b"a\nb")
    assert (tail.read(100), tail.rest) == ([b"a"], b"b")
    assert tail.read(100) == []
    add(log, b"c\r1%\r2%\r\n\nd\n")
    assert (tail.read(100), tail.rest) == ([b"bc", b"1%", b"2%", b"", b"d"], b"")


def test_much_text_is_read_in_blocks(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    tail = LogTail(log)
    add(log, b"x: 1\n" * 3 + b"last: 2\n")
    assert (tail.read(8), tail.rest, tail.has_more) == ([b"x: 1"], b"x: ", True)
    assert (tail.read(10**6), tail.has_more) == ([b"x: 1", b"x: 1", b"last: 2"], False)
    assert not tail.has_skipped


def test_a_log_that_grows_too_fast_is_read_from_near_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_watch, "_MOST_BEHIND", 4 << 20)
    log = tmp_path / "log.txt"
    tail = LogTail(log)
    add(log, b"x: 1\n" * 10**6 + b"last: 2\n")
    found = tail.read(10**7)
    assert (len(found), found[0], found[-1]) == (838860, b"x: 1", b"last: 2")
    assert tail.has_skipped


def test_a_log_that_was_limited_is_read_from_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    tail = LogTail(log)
    add(log, b"abc\ndef")
    tail.read(100)
    log.write_bytes(b"abc\n")
    assert (tail.read(100), tail.has_skipped) == ([], True)
    add(log, b"x\n")
    assert tail.read(100) == [b"x"]


@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize("block", [50, 10**6])
def test_no_line_of_a_limited_log_is_read_that_was_not_printed(
    is_shared: bool, block: int, tmp_path: Path
) -> None:
    lines = [b"step: %d loss: 0.%04d" % (n, n) for n in range(2000)]
    (tmp_path / "log").touch()
    log = os.open(tmp_path / "log", os.O_RDWR | (0 if is_shared else os.O_APPEND))
    tail, found = LogTail(tmp_path / "log", 4000), []
    for n in range(0, 2000, 10):
        add(tmp_path / "log", b"".join(one + b"\n" for one in lines[n : n + 10]))
        if n % 70 == 0:
            found += tail.read(block)
        if n % 30 == 0:
            limit_log(log, 4000, is_shared)
    limit_log(log, 4000, is_shared)
    found += tail.read(block)
    while tail.has_more:
        found += tail.read(block)
    os.close(log)
    assert found == [one for one in lines if one in {*found}]
    assert (found[0], found[-1], tail.has_skipped) == (lines[0], lines[-1], True)


def test_both_ends_of_a_log_that_was_limited_before_it_was_read(tmp_path: Path) -> None:
    lines = b"first: 1\n" + b"x: 1\n" * 10**6 + b"last: 2\n"
    log = os.open(tmp_path / "log", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.write(log, lines)
    limit_log(log, 4000)
    os.close(log)
    tail = LogTail(tmp_path / "log", 4000)
    found = tail.read(10**6) + tail.read(10**6)
    assert (found[0], found[-1], tail.has_more) == (b"first: 1", b"last: 2", False)


def test_a_long_line_after_a_gap_is_no_metric(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_watch, "_MOST_BEHIND", 4 << 20)
    log = tmp_path / "log.txt"
    tail = LogTail(log)
    add(log, b"x: 1 " * 10**6)
    assert tail.read(100) == []
    add(log, b"\nlast: 2\n")
    found = tail.read(10**7)
    assert [*filter(None, found)] == [b"last: 2"]


def test_what_is_seen_follows_the_log(tmp_path: Path) -> None:
    run, watch = running(0, log=tmp_path / "log.txt"), LogWatch()
    watch.on_start(run, 4)
    add(tmp_path / "log.txt", b"loss: 0.5\nstep 1/4\nnext line")
    watch.on_tick([run], {})
    seen = seen_of(run)
    assert (seen.line, seen.progress, seen.metrics) == ("next line", 0.25, {"loss": 0.5})
    add(tmp_path / "log.txt", b" has an end\nloss: 0.25\nacc=1")
    succeeded(run)
    watch.finish(run)
    assert (seen.line, seen.progress) == ("acc=1", 0.25)
    assert seen.metrics == {"loss": 0.25, "acc": 1}


def test_metrics_can_be_switched_off(tmp_path: Path) -> None:
    run, watch = running(0, log=tmp_path / "log.txt"), LogWatch(metrics=False)
    watch.on_start(run, 4)
    add(tmp_path / "log.txt", b"\x1b[31mloss: 0.5\x1b[0m\n")
    watch.finish(succeeded(run))
    assert (seen_of(run).line, seen_of(run).metrics) == ("loss: 0.5", {})


def test_a_new_attempt_is_seen_anew(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    run, watch = running(0, log=log), LogWatch()
    watch.on_start(run, 4)
    add(log, b"loss: 0.5\n")
    watch.on_tick([run], {})
    watch.on_retry(run, 1.0)
    log.rename(tmp_path / "log-1.txt")
    add(log, b"acc: 0.75\n")  # as long as the one before
    watch.on_start(run, 4)
    watch.finish(succeeded(run))
    assert seen_of(run).metrics == {"acc": 0.75}


def test_a_run_that_a_cluster_begins_again_is_seen_anew(tmp_path: Path) -> None:
    log, other = tmp_path / "log.txt", tmp_path / "other.txt"
    run, watch = running(0, log=log), LogWatch()
    watch.on_start(run, 4)
    add(log, b"loss: 0.5\n")
    watch.on_tick([run], {})
    assert run.metrics == {"loss": 0.5}
    add(other, b"acc: 0.75\n")
    other.replace(log)
    watch.finish(succeeded(run))
    assert run.metrics == seen_of(run).metrics == {"acc": 0.75}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(bytes(range(256)) * 999, id="all bytes"),
        pytest.param(b"".join(b"user_%d: 1\n" % n for n in range(9999)), id="endless names"),
    ],
)
def test_logs_of_any_kind(tmp_path: Path, data: bytes) -> None:
    run, watch = running(0, log=tmp_path / "log.txt"), LogWatch()
    watch.on_start(run, 4)
    add(tmp_path / "log.txt", data)
    watch.finish(succeeded(run))
    assert len(seen_of(run).metrics) <= 1000
    assert not seen_of(run).line or seen_of(run).line.isprintable()


def test_a_run_without_a_log() -> None:
    run, watch = running(0), LogWatch()
    watch.on_start(run, 4)
    watch.on_tick([run], {})
    watch.finish(succeeded(run))
    assert seen_of(run).line == ""
