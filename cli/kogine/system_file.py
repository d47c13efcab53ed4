"""Runs a file, and then runs, draws or compiles the system of components that it defines."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kogine.pipeline_file import given_texts, print_text, with_object
from kogine.script_command import ScriptCommand

from kohaku_ast.config.text_values import TextValueError, parse_value
from kohaku_ast.errors import UsageError, ValueMismatch, did_you_mean, label
from kohaku_ast.pipeline.drawing import check_suffix
from kohaku_ast.pipeline.edge_types import name_of
from kohaku_ast.pipeline.inputs import reading_of
from kohaku_ast.runner.process_exit import die_of
from kohaku_ast.systems.engine import steps_text
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
        have = f"It defines: {', '.join(found)}." if found else "It defines none."
        is_other = f", it is a {type(wanted).__name__}" if name in names else ""
        raise UsageError(
            f"{path}: {name!r} is not a system{is_other}. {have}{did_you_mean(name, found)}"
        )
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        ways = ", ".join(f"{path}:{own}" for own in found)
        raise UsageError(f"{path}: several systems: say which one: {ways}")
    raise UsageError(
        f"{path}: no system: write system = System([...]) at module level, outside of the guard"
    )


def _run(system: System, command: ScriptCommand) -> None:
    _configure(system, command)
    options = {"folder": command.option("folder")} if command.option("folder") else {}
    handle = system.launch(
        command.option("iterations"), command.option("engine") or None, **options
    )
    signals: list[int] = []

    def stop(number: int, frame: object) -> None:
        signals.append(number)
        handle.stop()

    before = signal.signal(signal.SIGTERM, stop)
    try:
        handle.wait(command.option("timeout"))
    except KeyboardInterrupt:
        handle.stop()  # what the sources have sent still goes its way
        handle.wait()
        signals.append(signal.SIGINT)
    except TimeoutError as error:
        handle.stop()
        sys.stderr.write(f"{label('error', sys.stderr)}{error}\n")
        sys.exit(1)
    finally:
        signal.signal(signal.SIGTERM, before)
    if signals:
        sys.exit(die_of(signals[0]))
    print_text("".join(f"{name}: {steps_text(one)}\n" for name, one in handle.steps.items()))


def _configure(system: System, command: ScriptCommand) -> None:
    """Give the settings of the command to the components. Raises KogineError."""
    values: dict[str, Any] = {}
    for name, text in given_texts(command).items():
        hint = system.setting_type(name)
        try:
            values[name] = parse_value(text, reading_of(hint), name)
        except TextValueError as error:
            raise ValueMismatch(f"{name}: {error}") from None
    system.configure(values)


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
    try:
        system.graph().save(path)
    except OSError as error:
        raise UsageError(f"cannot write {path!r}: {error.strerror}") from error


def _listed(system: System) -> Iterator[str]:
    """Each node with its components, and what feeds them."""
    for node in system.nodes.values():
        yield f"{node.where} [{node.engine}]"
        for one in system.get_components_by_node(node):
            yield f"  {one.name} ({type(one).__name__})"
            for name, port in one.inputs.items():
                source = port.source.full_name if port.source else f"{port.default!r}"
                yield f"    {name}: {name_of(port.type)} <- {source}"
            for name, sent in one.outputs.items():
                yield f"    {name}: {name_of(sent.type)} ->"
    for issue in system.validate():
        yield f"cannot run: {issue}"
