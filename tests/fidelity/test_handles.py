"""Runs of a flow, in fresh interpreters and forked from a warm server, beside plain Python."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kohaku_ast import Script, Sequential, Sweep
from tests.fidelity.every_probe import every_probe, run_by_handle
from tests.fidelity.handle_driver import Driver
from tests.fidelity.probes import Probe, difference, environment, run_plain
from tests.fidelity.test_different import (
    BELOW,
    Below,
    assert_one_below,
)
from tests.fidelity.test_different import DIFFERENT as DIFFERENT_ANYHOW
from tests.sampled import sampled

WAYS = ("spawned", "warmed")
_SENT = "stdout", "one descriptor above 100 takes what is sent back"
_READ = "stdout", "after the end the peak of memory is read from a file, which audit hooks see"
_CALLED = "stdout", "the value of main() is kept by a call from C"
DIFFERENT = {
    ("spawned", "main_module: open descriptors"): _SENT,
    ("warmed", "main_module: open descriptors"): _SENT,
    ("spawned", "introspection: audit of the program"): _READ,
    ("warmed", "introspection: audit of the program"): _READ,
    ("warmed", "exit: collector off"): ("stdout", "what is shared with the server is frozen"),
}
if sys.version_info < (3, 12):
    DIFFERENT |= {(way, "introspection: profiled calls"): _CALLED for way in WAYS}
if sys.version_info < (3, 11):
    DIFFERENT["warmed", "exit: a coroutine never awaited"] = "stderr", "our frames can be seen"
"""What differs, and why: see docs/explanation/three-modes.md."""

CASES = dict(every_probe())


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    made = Driver(environment(tmp_path_factory.mktemp("driver")))
    yield made
    made.close()


@pytest.mark.parametrize("name", sampled({name: name for name in CASES}, every=3))
def test_like_python(name: str, tmp_path: Path, driver: Driver) -> None:
    expected = run_plain(CASES[name], tmp_path)
    for way in WAYS:
        if (way, name) not in DIFFERENT:
            got = run_by_handle(way, CASES[name], tmp_path, driver)
            assert got == expected, difference(way, expected, got)


@pytest.mark.parametrize(("way", "name"), DIFFERENT, ids=str)
def test_differs_as_said(way: str, name: str, tmp_path: Path, driver: Driver) -> None:
    probe: Probe = CASES[name]
    got, expected = run_by_handle(way, probe, tmp_path, driver), run_plain(probe, tmp_path)
    field, reason = DIFFERENT[way, name]
    assert got != expected, f"it does not differ any more: {reason}"
    assert replace(got, **{field: getattr(expected, field)}) == expected


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 shows what runs the script")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("below", BELOW, ids=str)
def test_one_frame_is_below(below: Below, way: str, tmp_path: Path, driver: Driver) -> None:
    probe = Probe(below.name, below.source, stdin=below.stdin)
    got = run_by_handle(way, probe, tmp_path, driver)
    assert_one_below(below, run_plain(probe, tmp_path), got)


ANYHOW = {one.name: one for one in DIFFERENT_ANYHOW}
SEEN_OF_US: dict[str, Callable[[str, str, str], bool]] = {
    "modules in memory": lambda python, run, way: (python, run) == ("[]\n", "['kohaku_ast']\n"),
    "command line of the process": lambda python, run, way: python == run,
    "number of exit functions": lambda python, run, way: (
        int(run) - int(python) == (2 if way == "warmed" else 1)
    ),
    "stack dumped by faulthandler": lambda python, run, way: (
        run.startswith(python) and run.count("\n") <= 8
    ),
}
"""What is seen of us under ``kogine run`` -> Python's output, that of the run, the way -> whether
as much of it is seen here.
"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", SEEN_OF_US)
def test_what_is_seen_of_us(name: str, way: str, tmp_path: Path, driver: Driver) -> None:
    assert SEEN_OF_US.keys() == ANYHOW.keys()
    probe = Probe(name, ANYHOW[name].source)
    expected, got = run_plain(probe, tmp_path), run_by_handle(way, probe, tmp_path, driver)
    assert (got.status, got.stderr) == (expected.status, expected.stderr)
    assert SEEN_OF_US[name](expected.stdout.decode(), got.stdout.decode(), way)


@pytest.mark.parametrize(("mode", "count"), [("spawn", 3), ("warm", 1)])
def test_a_server_draws_one_seed_for_hashes(
    mode: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    script = tmp_path / "script.py"
    script.write_text(
        "n = 0\ndef main():\n    return hash('x')\nif __name__ == '__main__':\n    main()\n"
    )
    found = Sequential(Script(str(script), Sweep(n=[1, 2, 3])), mode=mode, record=False).run()
    assert len({one.value for one in found}) == count
