"""What is seen of a run in its log, while it grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from kohaku_ast.flow.log_watch import LogTail, LogWatch, seen_of
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


def test_a_log_that_grows_too_fast_is_read_from_near_its_end(tmp_path: Path) -> None:
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
