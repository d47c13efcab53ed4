"""All probes of this folder, to be run in other ways than by ``kogine run``."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from tests.fidelity.handle_driver import Driver
from tests.fidelity.probes import Probe, Seen, environment, left, prepare, run_command

_MODULES = (
    "exit", "files", "guards", "imports", "introspection", "main_module", "multiprocessing",
    "programs", "recursion", "streams", "threads", "tracebacks", "warnings",
)  # fmt: skip
_COMMAND = Path(__file__).with_name("handle_command.py")
_NOT_RUN = (
    "test_mistakes", "test_mistakes_with_an_override", "test_nothing_to_override",
    "test_patched_errors",
)  # fmt: skip
"""No run starts for the first three. In a process of a flow Python's ``traceback`` makes the text for
the parent, and calls what the last ones have patched.
"""


def every_probe() -> Iterator[tuple[str, Probe]]:
    """Each that this Python can run, with a name that no other has."""
    for name in _MODULES:
        module = import_module(f"tests.fidelity.test_{name}")
        for test, function in vars(module).items():
            for mark in getattr(function, "pytestmark", ()):
                if mark.name == "parametrize" and mark.args[0] == "probe" and test not in _NOT_RUN:
                    for probe in mark.args[1]:
                        yield f"{name}: {probe.name}", probe


def run_by_handle(way: str, probe: Probe, folder: Path, driver: Driver) -> Seen:
    """*way*: ``spawned`` or ``warmed``. What is said to the interpreter that starts the run needs
    one of its own; *driver* starts all others.
    """
    if probe.flags or probe.shell or probe.environment:
        return run_command(probe, folder, [str(_COMMAND), way])
    before, work = prepare(probe, folder)
    seen = driver.run(
        way, probe.path, list(probe.argv), probe.stdin.encode(), str(work), environment(folder)
    )
    return Seen(*seen, left(work, before))
