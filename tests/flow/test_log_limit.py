"""Logs have a limit: the start and the end of what a run printed stay, and the summary says so."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from kohaku_ast import Config, Script, Sequential
from kohaku_ast.errors import UsageError
from kohaku_ast.flow.output_process import left_out, limit_log
from kohaku_ast.flow.settings import parse_size
from tests.oracle import run_kogine

SCRIPT = """\
import os, sys
os.dup2(1, 2)  # one file: what comes from two has no order
x = 1
for n in range(60_000):
    os.write(1, b"line %06d of the output\\n" % n)
print("the last words", file=sys.stderr)
if x == 2: raise ValueError("bad")
"""
SIZE = 60_000 * 26
MARK = re.compile(r"\n\[kogine: +(\d+) bytes of output are left out here, see --log-limit\]\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.py").write_text(SCRIPT)
    return tmp_path


MODES = [
    pytest.param(("--mode", "spawn", "--workers", "1"), id="spawn, shown"),
    pytest.param(("--mode", "spawn", "--workers", "2"), id="spawn, in the log alone"),
    pytest.param(("--mode", "warm", "--workers", "1"), id="warm, shown"),
    pytest.param(("--mode", "warm", "--workers", "2"), id="warm, in the log alone"),
    pytest.param(("--mode", "inline"), id="inline"),
]


@pytest.mark.parametrize("mode", MODES)
def test_start_and_end_stay(folder: Path, mode: tuple[str, ...]) -> None:
    done = run_kogine(folder, "run", "s.py", "--sweep", "x=1", "--log-limit", "200kB", *mode)
    (log,) = folder.glob(".kogine/runs/*/log.txt")
    text = log.read_text()
    assert len(text) <= 200_000
    assert text.startswith("line 000000 of the output\nline 000001")
    assert text.endswith("the last words\n")
    (mark,) = MARK.finditer(text)
    rest = text[: mark.start()] + text[mark.end() :]
    assert len(rest) + int(mark[1]) == SIZE + len("the last words\n")
    assert text[mark.end() :].startswith("line 0")
    assert f"{int(mark[1]) / 1e6:,.1f} MB in its middle are left out (--log-limit)" in done.stderr
    (record,) = folder.glob(".kogine/runs/*/run.json")
    assert json.loads(record.read_text())["log_left_out"] == int(mark[1])


def test_what_is_shown_is_whole(folder: Path) -> None:
    done = run_kogine(
        folder,
        "run",
        "s.py",
        "--sweep",
        "x=1",
        "--log-limit",
        "8kB",
        "--mode",
        "spawn",
        "--workers",
        "1",
    )
    assert done.stdout.count("of the output") == 60_000


def test_a_log_below_the_limit_is_whole(folder: Path) -> None:
    done = run_kogine(folder, "run", "s.py", "--sweep", "x=1", "--mode", "spawn")
    (log,) = folder.glob(".kogine/runs/*/log.txt")
    assert log.stat().st_size == SIZE + len("the last words\n")
    assert "left out" not in done.stderr
    (record,) = folder.glob(".kogine/runs/*/run.json")
    assert "log_left_out" not in json.loads(record.read_text())


def test_off_means_no_limit(folder: Path) -> None:
    run_kogine(folder, "run", "s.py", "--sweep", "x=1", "--log-limit", "off", "--mode", "spawn")
    (log,) = folder.glob(".kogine/runs/*/log.txt")
    assert log.stat().st_size == SIZE + len("the last words\n")


def test_the_default_holds_for_a_run_without_an_end(tmp_path: Path) -> None:
    """More than the default, fast, without a line end, and stopped by the timeout."""
    (tmp_path / "s.py").write_text("import os\nx = 1\nwhile True: os.write(1, b'y' * 65536)\n")
    done = run_kogine(tmp_path, "run", "s.py", "--sweep", "x=1", "--workers", "2", "--timeout", "2")
    (log,) = tmp_path.glob(".kogine/runs/*/log.txt")
    assert log.stat().st_size <= 100_000_000
    assert "left out" in done.stderr or log.stat().st_size < 99_000_000
    assert done.status == 1


@pytest.mark.parametrize("mode", ["spawn", "warm"])
def test_in_python(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: object, mode: str) -> None:
    monkeypatch.chdir(folder)
    flow = Sequential(Script("s.py", Config(x=2)), mode=mode, log_limit="50kB", on_error="continue")
    (outcome,) = flow.run()
    text = Path(outcome.log).read_text()
    assert len(text) <= 50_000
    assert text.endswith("ValueError: bad\n")


def test_each_attempt_is_limited(folder: Path) -> None:
    run_kogine(
        folder, "run", "s.py", "--sweep", "x=2", "--mode", "spawn", "--workers", "2",
        "--log-limit", "20kB", "--retries", "1", "--backoff", "0",
    )  # fmt: skip
    logs = list(folder.glob(".kogine/runs/*/log*.txt"))
    assert len(logs) == 2
    assert all(one.stat().st_size <= 20_000 and MARK.search(one.read_text()) for one in logs)


def test_json_says_so(folder: Path) -> None:
    done = run_kogine(folder, "run", "s.py", "--sweep", "x=1", "--log-limit", "20kB", "--json")
    (end,) = (one for one in map(json.loads, done.stdout.splitlines()) if one["event"] == "end")
    assert end["log_left_out"] > 1_000_000


@pytest.mark.parametrize("most", [4_000, 10_000, 1_000_000])
@pytest.mark.parametrize("block", [1, 70, 5_000])
def test_many_small_writes(tmp_path: Path, most: int, block: int) -> None:
    log = os.open(tmp_path / "log", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    line = b"%0*d\n" % (block, 7)
    count = 3 * most // len(line)
    for number in range(count):
        os.write(log, line)
        if number % 7 == 0:
            limit_log(log, most)
    limit_log(log, most)
    size = os.fstat(log).st_size
    assert size <= most
    text = os.pread(log, size, 0).decode()
    (mark,) = MARK.finditer(text)
    assert len(text) - len(mark[0]) + left_out(log, most) == count * len(line)
    os.close(log)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("100MB", 100_000_000), ("1GiB", 2**30), ("1.5 kB", 0), ("4000", 4000), (5000, 5000),
        ("2M", 2_000_000), ("64KiB", 65536), ("off", 0), (None, 0), (0, 0), ("none", 0),
    ],
)  # fmt: skip
def test_sizes(text: str | int | None, size: int) -> None:
    if text == "1.5 kB":
        with pytest.raises(UsageError, match="at least"):
            parse_size(text)
    else:
        assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "10 apples", "-5MB", "1e9"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="a size such as 100MB"):
        parse_size(text)


def test_a_limit_without_records_is_an_error(folder: Path) -> None:
    done = run_kogine(folder, "run", "s.py", "--sweep", "x=1", "--no-record", "--log-limit", "1MB")
    assert (done.status, done.stdout) == (2, "")
    assert "--log-limit" in done.stderr
