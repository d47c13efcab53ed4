"""Runs of a flow, in fresh interpreters and forked from a warm server, beside plain Python."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fidelity.every_probe import every_probe, run_by_handle
from tests.fidelity.handle_driver import Driver
from tests.fidelity.probes import Probe, difference, environment, run_plain
from tests.sampled import sampled

WAYS = ("spawned", "warmed")
_SENT = "stdout", "one descriptor above 100 takes what is sent back"
_CALLED = "stdout", "the value of main() is kept by a call from C"
DIFFERENT = {
    ("spawned", "main_module: open descriptors"): _SENT,
    ("warmed", "main_module: open descriptors"): _SENT,
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
