"""Sweeps as they run: iterators, endless ones, Outcomes on their way back, memory."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import ConfigError


def rows(sweep: Sweep) -> list[dict[str, object]]:
    return [dict(config.globals_dict) for config in sweep]


def configs(*values: int) -> Iterator[Config]:
    for value in values:
        yield Config({"g": value})


# --- iterators, endless ones too ----------------------------------------------------------------


def test_iterator_is_used_up_and_says_so() -> None:
    for sweep in (Sweep(a=iter([1, 2])), Sweep.of(configs(1, 2)), Sweep.zip(a=iter([1]), b=[2])):
        assert list(sweep)
        with pytest.raises(ConfigError, match=r"used up.* Give a list, or a function"):
            list(sweep)


def test_a_generator_that_somebody_else_has_read_is_used_up() -> None:
    made = configs(1, 2)
    assert len(rows(Sweep.of(made))) == 2
    for sweep in (Sweep.of(made), Sweep(a=made)):
        with pytest.raises(ConfigError, match="used up"):
            list(sweep)


@pytest.mark.parametrize("make", [configs, lambda *values: map(Config, [{"g": 1}, {"g": 2}])])
def test_an_iterator_serves_one_sweep_alone(make: Callable[..., Iterator[Config]]) -> None:
    made = make(1, 2)
    walks = [iter(Sweep.of(made)), iter(Sweep.of(made))]
    assert next(walks[0]).globals_dict == {"g": 1}
    with pytest.raises(ConfigError, match="used up"):
        next(walks[1])
    assert next(walks[0]).globals_dict == {"g": 2}


def test_function_is_called_again() -> None:
    sweep = Sweep.of(lambda: configs(1, 2))
    assert rows(sweep) == rows(sweep) == [{"g": 1}, {"g": 2}]


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(lambda: Sweep(i=itertools.count()), id="axis"),
        pytest.param(lambda: Sweep.of({"i": i} for i in itertools.count()), id="source"),
        pytest.param(lambda: Sweep.zip(i=itertools.count(), k=itertools.count()), id="zip"),
        pytest.param(
            lambda: Sweep(i=itertools.count()) * Sweep(j=[1, 2]), id="outside of a product"
        ),
        pytest.param(
            lambda: Sweep(j=[1, 2]) * Sweep(i=itertools.count()), id="inside of a product"
        ),
    ],
)
def test_endless_sweep_works(endless: object) -> None:
    assert callable(endless)
    assert len(rows(endless().first(50))) == 50
    assert endless().size is None


INSIDE = [
    pytest.param(lambda: Sweep(i=iter([1, 2])), id="axis"),
    pytest.param(lambda: Sweep.of(configs(1, 2)), id="source"),
    pytest.param(lambda: Sweep.zip(i=iter([1, 2]), k=[3, 4]), id="zip"),
    pytest.param(
        lambda: Sweep.zip(i=iter([1, 2]), k=[3, 4]) | Config({"k": 0}), id="zip, half fixed"
    ),
    pytest.param(lambda: Sweep(i=iter([1, 2]), k=[3]).first(2), id="first"),
    pytest.param(lambda: Sweep(i=iter([1])) + Sweep.of(configs(2)), id="chain"),
    pytest.param(lambda: Sweep.of([Sweep(i=[1, 2])]), id="Sweep in a source"),
]


@pytest.mark.parametrize("make", INSIDE)
def test_what_runs_once_is_remembered_inside_of_a_product(make: object) -> None:
    assert callable(make)
    expected = [{"j": j, **row} for j in "xyz" for row in rows(make())]
    assert len(expected) == 6
    assert rows(Sweep(j=list("xyz")) * make()) == expected


def test_outermost_iterator_is_never_stored() -> None:
    class Value:
        alive = 0

        def __init__(self) -> None:
            Value.alive += 1

        def __del__(self) -> None:
            Value.alive -= 1

    for sweep in (
        Sweep(v=(Value() for _ in range(50))) * Sweep(j=[1, 2]),
        Sweep.of({"v": Value()} for _ in range(50)) * Sweep(j=[1, 2]),
    ):
        assert max(Value.alive for _ in sweep) <= 3


def test_first_asks_for_no_more_than_it_gives() -> None:
    asked: list[int] = []
    list(Sweep.of({"i": asked.append(i)} for i in range(9)).first(3))  # type: ignore[func-returns-value]
    assert len(asked) == 3


# --- outcomes ------------------------------------------------------------------------------------


def drive(sweep: Sweep) -> None:
    """Run each Config: its Outcome is its label."""
    walk = iter(sweep)
    sent: str | None = None
    while True:
        try:
            sent = walk.send(sent).label
        except StopIteration:
            return


class Search:
    """Three Configs, the last one conditional; stores the outcomes that it gets."""

    def __init__(self) -> None:
        self.outcomes: list[object] = []

    def __call__(self) -> Iterator[object]:
        self.outcomes.append((yield {"a": 1}))
        self.outcomes.append((yield Config({"a": 2})))
        self.outcomes.append((yield Config({"c": 0}) | Sweep(b=[3, 4])))


SEARCHES = [
    pytest.param(lambda s: Sweep.of(s), ["a=1", "a=2", ["b=3", "b=4"]], id="alone"),
    pytest.param(lambda s: Sweep.of(s()), ["a=1", "a=2", ["b=3", "b=4"]], id="as a generator"),
    pytest.param(lambda s: Config({"z": 1}) | Sweep.of(s), ["a=1", "a=2", ["b=3", "b=4"]], id="over a base"),
    pytest.param(lambda s: Sweep.of(s).first(2), ["a=1", "a=2"], id="the last one of the first too"),
    pytest.param(lambda s: Sweep.of(s) + Sweep(x=[1]), ["a=1", "a=2", ["b=3", "b=4"]], id="in a chain"),
    pytest.param(lambda s: Sweep.of(s).first(1) * Sweep(x=[5, 6]), [["a=1 x=5", "a=1 x=6"]], id="multiplied"),
    pytest.param(lambda s: Sweep(x=[5]) * Sweep.of(s()).first(2), ["x=5 a=1", "x=5 a=2"], id="inside"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "outcomes"), SEARCHES)
def test_generator_gets_the_outcomes(make: object, outcomes: list[object]) -> None:
    search = Search()
    assert callable(make)
    drive(make(search))
    assert search.outcomes == outcomes


def test_closed_walk_closes_the_generator() -> None:
    ended: list[bool] = []

    def search() -> Iterator[dict[str, int]]:
        try:
            yield {"a": 1}
        finally:
            ended.append(True)

    walk = iter(Sweep.of(search) * Sweep(b=[1, 2]))
    next(walk)
    walk.close()
    assert ended == [True]


MEMORY = """
import sys
from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
n = int(sys.argv[1])
base = Config({"e": 1})
count = sum(1 for _ in (base | Sweep.of({"i": i} for i in range(n)) * Sweep(j=[1])))
count += sum(1 for _ in Sweep(a="range:%d" % n) * Sweep(b="uniform:0:1").draw(1, 0))
# Not ru_maxrss: that one starts with the peak of the process that has started this one.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(count, peak.split()[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells the peak of one program")
def test_memory_stays_flat() -> None:
    counts, peaks = [], []
    for n in (100, 40_000):
        command = [sys.executable, "-c", MEMORY, str(n)]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        count, peak = map(int, ran.stdout.split())
        counts.append(count)
        peaks.append(peak)
    assert counts == [200, 80_000]
    assert peaks[1] - peaks[0] < 2_000  # KiB
