"""Runs of a flow, in fresh interpreters and forked from a warm server, beside plain Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fidelity.every_probe import every_probe, run_by_handle
from tests.fidelity.probes import Probe, run_plain

DIFFERENT = {
    ("spawned", "main_module: open descriptors"): "one above 100 takes what is sent back",
    ("warmed", "main_module: open descriptors"): "the same",
    ("spawned", "introspection: profiled calls"): "the value of main() is kept by a call from C",
    ("warmed", "introspection: profiled calls"): "the same",
    ("warmed", "exit: collector off"): "what is shared with the server is frozen",
}
"""What differs, and why."""

CASES = [
    pytest.param(way, probe, id=f"{way} {name}")
    for way in ("spawned", "warmed")
    for name, probe in every_probe()
    if (way, name) not in DIFFERENT
]


@pytest.mark.parametrize(("way", "probe"), CASES)
def test_like_python(way: str, probe: Probe, tmp_path: Path) -> None:
    assert run_by_handle(way, probe, tmp_path) == run_plain(probe, tmp_path)


@pytest.mark.parametrize(("way", "name"), DIFFERENT, ids=str)
def test_differs_as_said(way: str, name: str, tmp_path: Path) -> None:
    probe = dict(every_probe())[name]
    got, expected = run_by_handle(way, probe, tmp_path), run_plain(probe, tmp_path)
    assert (got.status, got.stderr, got.files) == (expected.status, expected.stderr, expected.files)
