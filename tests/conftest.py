"""What every test relies on, however the suite was started."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.builder_server import VARIABLE, builder_server
from tests.sampled import sample

# A busy machine is slow, and no example is wrong for that.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

LONG = 10
"""A table with as many cases is a long one."""

# What is compared must not depend on where the suite runs. Output that a child has not flushed is lost
# when its pool ends it, under Python too, and two texts of one size that are written within a second
# share their bytecode.
os.environ.update(PYTHONUNBUFFERED="1", PYTHONDONTWRITEBYTECODE="1")
sys.dont_write_bytecode = True

# Under nohup and in the background of a shell without job control these arrive ignored, and each
# program that a test starts would inherit that: what is to be interrupted would not be.
for _name in ("SIGINT", "SIGHUP", "SIGQUIT"):
    _number = getattr(signal, _name, None)  # Windows has the first alone
    if _number is not None and signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _name == "SIGINT" else signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main() -> Iterator[None]:
    """One builder is ready for all workers, but where coverage counts what builders do."""
    if VARIABLE in os.environ or sys.platform == "win32" or "coverage" in sys.modules:
        return (yield)
    with builder_server():
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``TABLES_EVERY=3``, run about one in three of the cases of each long table."""
    every = int(os.environ.get("TABLES_EVERY", "1"))
    tables: dict[str, list[str]] = {}
    for item in items:
        tables.setdefault(item.nodeid.partition("[")[0], []).append(item.nodeid)
    chosen: set[str] = set()
    for cases in tables.values():
        chosen |= sample(cases, every if len(cases) >= LONG else 1)
    left_out = [item for item in items if item.nodeid not in chosen]
    if left_out:
        items[:] = [item for item in items if item.nodeid in chosen]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture(autouse=True)
def variables_of_kogine() -> Iterator[None]:
    """A test leaves none that it has set: the programs of later tests would be part of its run."""
    before = kogine_variables()
    yield
    after = kogine_variables()
    for name in after:
        del os.environ[name]
    os.environ.update(before)
    assert after == before


def kogine_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("KOGINE_")}


@pytest.fixture
def own_builders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands start their builders themselves, for tests of just that."""
    monkeypatch.delenv(VARIABLE, raising=False)
