"""What runs systems: the base class of engines, what they make and give back, and their names.

State of this process: the engines that ``register_engine`` named.
"""

from __future__ import annotations

import abc
import json
import os
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from kohaku_ast.errors import SystemsError, SystemsTypeError, check_type, unknown
from kohaku_ast.files import write_atomically
from kohaku_ast.plugins import find_plugins
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kohaku_ast.systems.component import Component
    from kohaku_ast.systems.node import Node

NODE_VARIABLE = "KOGINE_SYSTEM_NODE"
"""The environment variable of a process that was started for a node: it launches no systems."""

ENGINES = {
    "native": "kohaku_ast.systems.native:NativeEngine",
    "dora": "kohaku_ast.systems.dora:DoraEngine",
}
_REGISTERED: dict[str, Callable[[], Engine]] = {}

STATES = ("running", "succeeded", "failed", "stopped")
"""The states of a Handle."""


class SystemLike(Protocol):
    """What engines read of a System."""

    #: What drawings and errors call it.
    name: str
    #: The components, by name.
    components: Mapping[str, Component]
    #: The nodes of the components, by name.
    nodes: Mapping[str, Node]

    def get_components_by_node(self, node: str | Node) -> list[Component]:
        """The components on *node*, or on the one with that name."""


@dataclass(frozen=True)
class Issue:
    """One reason why a system cannot run."""

    #: What is wrong, where, and what to do.
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Artefact:
    """A system as an engine has compiled it."""

    #: The system.
    system: SystemLike
    #: The folder with its files; "" if it has none.
    folder: str
    #: The files in it, by their use: ``{"system": "system.json"}``.
    files: Mapping[str, str]

    def path(self, use: str) -> str:
        """The path of one of the files."""
        return os.path.join(self.folder, self.files[use])


class Engine(abc.ABC):
    """Runs whole systems. A subclass is registered by ``register_engine``, or by an entry point
    in the group ``kohaku_ast.engines``.
    """

    #: What nodes and ``--engine`` call it.
    name = ""

    def validate(self, system: SystemLike) -> list[Issue]:
        """What this engine cannot run of *system*, whose connections are right."""
        return []

    @abc.abstractmethod
    def compile(self, system: SystemLike, folder: str) -> Artefact:
        """*system* as files in *folder*, which exists; "" for an engine that needs none."""

    @abc.abstractmethod
    def launch(self, artefact: Artefact, iterations: int | None = None, **options: Any) -> Handle:
        """Start *artefact*. Each source does as many steps as *iterations*, None: without end."""


class Handle(abc.ABC):
    """A system that was launched. ``with system.launch() as handle:`` stops it at the end."""

    @property
    @abc.abstractmethod
    def status(self) -> str:
        """``running``, ``succeeded``, ``failed`` or ``stopped``."""

    @property
    @abc.abstractmethod
    def steps(self) -> Mapping[str, int]:
        """Component -> the steps that it has done, as far as this process knows."""

    @abc.abstractmethod
    def wait(self, timeout: float | None = None) -> str:
        """Wait for the end and return the status. Raises what a component raised, and TimeoutError
        if the system still runs after *timeout* seconds.
        """

    @abc.abstractmethod
    def stop(self) -> None:
        """Have the sources end. What they have sent still goes its way; ``wait`` waits for that."""

    @abc.abstractmethod
    def logs(self) -> str:
        """What the engine has to say of each component, a line each."""

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self.status == "running":
            self.stop()
        if kind is None:
            self.wait()


@public
def register_engine(name: str, engine: Callable[[], Engine]) -> None:
    """Have *name* stand for what *engine* makes: a subclass of Engine, or a function."""
    check_type(name, str, "the name of an engine is a text", SystemsError)
    if not callable(engine):
        raise SystemsTypeError(f"register_engine takes a class or a function, got {engine!r}")
    _REGISTERED[name] = engine


@public
def get_engine(engine: str | Engine) -> Engine:
    """The engine called *engine*, or *engine* itself. Raises SystemsError for an unknown name."""
    if isinstance(engine, Engine):
        return engine
    check_type(engine, str, "engine is a name or an Engine", SystemsError)
    made = _made(engine)
    if not isinstance(made, Engine):
        raise SystemsTypeError(
            f"the engine {engine!r} is {made!r}, which is no Engine of systems: it may be one of "
            "pipelines."
        )
    return made


def list_engines() -> list[str]:
    """The names of all engines."""
    return sorted({*ENGINES, *_REGISTERED, *find_plugins("engines")})


def _made(name: str) -> Any:
    if name in _REGISTERED:
        return _REGISTERED[name]()
    if name in ENGINES:
        return _made_by(name)
    if name.startswith("dora://"):
        return _made_by("dora", name.removeprefix("dora://"))
    plugins = find_plugins("engines")
    if name not in plugins:
        raise SystemsError(unknown("engine", name, list_engines()))
    return plugins[name].call()


def _made_by(name: str, *arguments: str) -> Any:
    module, _, attribute = ENGINES[name].partition(":")
    return getattr(import_module(module), attribute)(*arguments)


def steps_text(count: int) -> str:
    """``1 step``, ``5 steps``."""
    return f"{count} step{'s' * (count != 1)}"


def write_json(folder: str, name: str, value: object) -> str:
    """Write *value* to the file *name* of *folder*, and return the name."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_atomically(os.path.join(folder, name), text.encode(), 0o666)
    return name
