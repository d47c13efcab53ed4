"""How long it is still judged to take."""

from __future__ import annotations

import pytest

from kohaku_ast.display.text import exact_time, short_time
from kohaku_ast.flow.live_table import Eta


def eta(*seconds: float) -> Eta:
    made = Eta()
    for one in seconds:
        made.add(one)
    return made


@pytest.mark.parametrize(
    ("known", "elapsed", "progress", "left"),
    [
        pytest.param([], 10, None, None, id="nothing to go by"),
        pytest.param([], 10, 0.25, 30, id="its own progress"),
        pytest.param([10], 10, 0.25, 30, id="its own progress counts for more"),
        pytest.param([10, 20], 5, None, 10, id="the others"),
        pytest.param([10], 30, None, 3, id="longer than the others"),
        pytest.param([], 1, 0.5, None, id="too early"),
        pytest.param([], 100, 0.001, None, id="too little"),
    ],
)
def test_of_a_run(
    known: list[float], elapsed: float, progress: float | None, left: float | None
) -> None:
    assert eta(*known).of_run(elapsed, progress) == left


@pytest.mark.parametrize(
    ("known", "waiting", "running", "left"),
    [
        pytest.param([10], None, [(5, None)], None, id="nobody knows how many"),
        pytest.param([], 4, [(5, None)], None, id="none is over"),
        pytest.param([10], 4, [(5, None), (0, None)], (5 + 10 + 40) / 2, id="two at once"),
        pytest.param([10], 0, [(0, None), (9, None)], 10, id="the last ones: the longest"),
        pytest.param([], 1, [(10, 0.5)], 30, id="by progress alone"),
        pytest.param([10], 4, [], None, id="none under way"),
    ],
)
def test_of_all(
    known: list[float],
    waiting: int | None,
    running: list[tuple[float, float | None]],
    left: float | None,
) -> None:
    assert eta(*known).of_all(waiting, running) == left


def test_durations() -> None:
    seconds = [-1, 0, 59.9, 60, 184, 3599, 3720, 86400, 200_000]
    shown = ["0s", "0s", "59s", "1m00s", "3m04s", "59m59s", "1h02m", "1d00h", "2d07h"]
    assert [short_time(one) for one in seconds] == shown
    assert [exact_time(one) for one in (0.44, 59.9, 60)] == ["0.4 s", "59.9 s", "1m00s"]
