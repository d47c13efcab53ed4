"""Runs a file, and then runs, draws or compiles the system of components that it defines."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kogine.pipeline_file import (
    config_values,
    given_texts,
    no_such,
    print_text,
    save_drawing,
    the_only,
    with_object,
)
from kogine.script_command import ScriptCommand

from kohaku_ast.config.text_values import TextValueError, parse_value
from kohaku_ast.errors import UsageError, ValueMismatch, label
from kohaku_ast.pipeline.drawing import check_suffix
from kohaku_ast.pipeline.edge_types import name_of
from kohaku_ast.pipeline.inputs import reading_of
from kohaku_ast.runner.process_exit import die_of
from kohaku_ast.systems.engine import Handle, steps_text
from kohaku_ast.systems.system import System


def start_system(command: ScriptCommand) -> Callable[[], int]:
    """Run the file's module body, and then the system in it."""
    return _with_system(command, lambda system: _run(system, command))


def start_compiling(command: ScriptCommand) -> Callable[[], int]:
    """Run the file's module body, and compile the system in it."""
    if not command.option("output"):
        raise UsageError("name the folder to write to: kogine system compile robot.py -o build")
    return _with_system(command, lambda system: _compile(system, command))


def start_drawing(command: ScriptCommand) -> Callable[[], int]:
    """Run the file's module body, and draw or list the system in it."""
    if command.overrides:
        name = command.overrides[0].target
        raise UsageError(f"a drawing needs no settings: {name!r} is for system run")
    if "output" in command.options:
        check_suffix(command.option("output"))
    return _with_system(command, lambda system: _draw(system, command))


def _with_system(command: ScriptCommand, use: Callable[[System], None]) -> Callable[[], int]:
    return with_object(command, find_system, use)


def find_system(names: Mapping[str, object], path: str, name: str = "") -> System:
    """The system called *name*, else the only one. Raises UsageError."""
    found: dict[str, System] = {}
    for own, one in names.items():
        if isinstance(one, System) and one not in found.values():
            found[own] = one
    if name:
        wanted = names.get(name)
        if isinstance(wanted, System):
            return wanted
        raise no_such("system", names, found, path, name)
    return the_only("system", found, path, "system = System([...])")


def _run(system: System, command: ScriptCommand) -> None:
    _configure(system, command)
    options = {"folder": command.option("folder")} if command.option("folder") else {}
    engine = command.option("engine") or None
    with _Stopping() as stopping:
        handle = system.launch(command.option("iterations"), engine, **options)
        stopping.watch(handle)
        try:
            handle.wait(command.option("timeout"))
        except TimeoutError as error:
            handle.stop()
            sys.stderr.write(f"{label('error', sys.stderr)}{error}\n")
            sys.exit(1)
    if stopping.number:
        sys.exit(die_of(stopping.number))
    print_text("".join(f"{name}: {steps_text(one)}\n" for name, one in handle.steps.items()))


class _Stopping:
    """Has the first Ctrl-C, or SIGTERM, stop a system; the second one ends the process.

    Not by KeyboardInterrupt: one that arrives while the system starts would leave its threads.
    """

    def __init__(self) -> None:
        #: The signal that has come, or 0.
        self.number = 0
        self._handle: Handle | None = None

    def __enter__(self) -> _Stopping:
        self._before = {one: signal.signal(one, self._stop) for one in _STOPS}
        return self

    def __exit__(self, *_: object) -> None:
        for one, handler in self._before.items():
            signal.signal(one, handler)

    def watch(self, handle: Handle) -> None:
        """Stop *handle* at a signal, or now if one has come."""
        self._handle = handle
        if self.number:
            handle.stop()

    def _stop(self, number: int, frame: object) -> None:
        if self.number:
            sys.exit(die_of(number))
        self.number = number
        if self._handle is not None:
            self._handle.stop()


_STOPS = (signal.SIGINT, signal.SIGTERM)


def _configure(system: System, command: ScriptCommand) -> None:
    """Give the settings of the command to the components. Raises KogineError."""
    cells, plain = config_values(command, "system run", "a system has settings")
    values = dict(_flat(plain, system))
    for name, text in {**dict(_flat(cells, system)), **given_texts(command)}.items():
        hint = system.setting_type(name)
        try:
            values[name] = parse_value(text, reading_of(hint), name)
        except TextValueError as error:
            raise ValueMismatch(f"{name}: {error}") from None
    system.configure(values)


def _flat(given: Mapping[str, Any], system: System) -> Iterator[tuple[str, Any]]:
    """``{"camera": {"width": 64}}``, as a table of TOML is, as ``camera.width``."""
    for name, value in given.items():
        if name in system.components and isinstance(value, Mapping):
            yield from ((f"{name}.{key}", one) for key, one in value.items())
        else:
            yield name, value


def _compile(system: System, command: ScriptCommand) -> None:
    _configure(system, command)
    folder = command.option("output")
    try:
        made = system.compile(folder, command.option("engine") or None)
    except OSError as error:
        raise UsageError(f"cannot write to {folder!r}: {error.strerror}") from error
    print_text("".join(f"{folder.rstrip('/')}/{name}\n" for name in made.files.values()))


def _draw(system: System, command: ScriptCommand) -> None:
    path = command.option("output")
    if not path:
        print_text("".join(f"{line}\n" for line in _listed(system)))
        return
    save_drawing(system.graph(), path)


def _listed(system: System) -> Iterator[str]:
    """Each node with its components, and what feeds them."""
    for node in system.nodes.values():
        yield f"{node.where} [{node.engine}]"
        for one in system.get_components_by_node(node):
            yield f"  {one.name} ({type(one).__name__})"
            for name, port in one.inputs.items():
                source = port.source.full_name if port.source else f"{port.default!r}"
                source += ", the latest" if port.source and port.latest else ""
                yield f"    {name}: {name_of(port.type)} <- {source}"
            for name, sent in one.outputs.items():
                yield f"    {name}: {name_of(sent.type)} ->"
    for issue in system.validate():
        yield f"cannot run: {issue}"
