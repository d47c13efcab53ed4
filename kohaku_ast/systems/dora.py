"""``engine="dora"``: a system as a dataflow of Dora 1.x, with a process for each node.

Transport, queues and daemons are Dora's. It needs ``pip install "kohaku-ast[dora]"``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from typing import Any

from kohaku_ast.errors import SystemsError, SystemsTypeError, read_number
from kohaku_ast.files import write_atomically
from kohaku_ast.systems.dora_handle import Coordinator, DoraHandle
from kohaku_ast.systems.engine import NODE_VARIABLE, Artefact, Engine, Issue
from kohaku_ast.systems.rebuild import check_recipe, describe_component
from kohaku_ast.systems.schedule import QUEUE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from kohaku_ast.systems.component import Component
    from kohaku_ast.systems.engine import SystemLike
    from kohaku_ast.systems.node import Node
    from kohaku_ast.systems.ports import Input

_INSTALL = 'the dora engine needs dora: pip install "kohaku-ast[dora]"'
_TOO_OLD = "the dora engine needs Python 3.11 or later: dora-rs is not made for this one"
_LONG_QUEUE = 10_000
"""Messages that may wait at an input of another process, if nobody knows how many come."""
_MOST_TEXT = 100_000
"""Characters of a node's description: Linux gives an environment variable 128 KiB."""


class DoraEngine(Engine):
    """Runs each node as a process of a Dora dataflow; the components of a node are connected
    directly.

    Without a *coordinator* the dataflow runs on this machine (``dora run``), and messages are equal
    to those of the native engine. Dora loses messages where a queue is full, and between machines
    at times: then the system ends with an error.
    """

    name = "dora"

    def __init__(self, coordinator: str = "", queue: int = _LONG_QUEUE) -> None:
        """*coordinator* is the HOST:PORT of a running one, whose daemons are the machines. *queue*
        is the number of messages that may wait at an input that does not say, unless ``launch``
        knows how many come.
        """
        self.coordinator = Coordinator(coordinator) if coordinator else None
        self.queue = int(read_number("queue", queue, 1, of=SystemsError))

    def validate(self, system: SystemLike) -> list[Issue]:
        """Components that no other process could make; nodes on machines without a coordinator."""
        texts = [check_recipe(one) for one in system.components.values()]
        if not any(texts):
            for node in system.nodes.values():
                size = len(self._description(system, node, None))
                if size > _MOST_TEXT:
                    texts.append(
                        f"the configs on {node.name} are {size:,} characters: keep them below "
                        f"{_MOST_TEXT:,}, and read large values from a file in setup()."
                    )
        return [Issue(one) for one in texts if one]

    def compile(self, system: SystemLike, folder: str) -> Artefact:
        """*system* as ``dataflow.yml`` in *folder*, which ``dora start`` runs as well; checked by
        ``dora validate`` if dora is installed.
        """
        if not folder:
            return Artefact(system, "", {})
        self._write(system, folder, None, has_machines=True)
        if _find_dora():
            _validate(os.path.join(folder, "dataflow.yml"))
        return Artefact(system, folder, {"dataflow": "dataflow.yml"})

    def launch(
        self, artefact: Artefact, iterations: int | None = None, **options: Any
    ) -> DoraHandle:
        """Start the dataflow, by the coordinator if there is one."""
        for name in options:
            raise SystemsTypeError(f"the dora engine has no option {name!r}")
        dora = _find_dora()
        if not dora or find_spec("dora") is None or find_spec("pyarrow") is None:
            raise SystemsError(_INSTALL if sys.version_info >= (3, 11) else _TOO_OLD)
        system = artefact.system
        self._check_machines(system)
        folder = artefact.folder or tempfile.mkdtemp(prefix="kogine-system-")
        path = self._write(system, folder, iterations, has_machines=self.coordinator is not None)
        _validate(path)
        environment = {name: one for name, one in os.environ.items() if name != NODE_VARIABLE}
        return DoraHandle(
            dora,
            path,
            system.name,
            {
                node: [one.name for one in system.get_components_by_node(node)]
                for node in system.nodes
            },
            self.coordinator,
            environment,
            folder if not artefact.folder else "",
        )

    def _check_machines(self, system: SystemLike) -> None:
        machines = {one.name: one.machine for one in system.nodes.values() if one.machine}
        if machines and self.coordinator is None:
            name, machine = next(iter(machines.items()))
            raise SystemsError(
                f"the node {name!r} is on the machine {machine!r}: name the coordinator that its "
                'daemon belongs to: --engine dora://HOST:PORT, DoraEngine("HOST:PORT").'
            )

    def _write(
        self, system: SystemLike, folder: str, iterations: int | None, has_machines: bool
    ) -> str:
        lines = [f"# The system {system.name!r}, compiled by kohaku_ast.", "nodes:"]
        for node in system.nodes.values():
            lines += self._node_lines(system, node, iterations, has_machines)
        path = os.path.join(folder, "dataflow.yml")
        write_atomically(path, ("\n".join(lines) + "\n").encode(), 0o666)
        return path

    def _node_lines(
        self, system: SystemLike, node: Node, iterations: int | None, has_machines: bool
    ) -> Iterator[str]:
        yield f"  - id: {node.name}"
        yield f"    path: {json.dumps(node.python or sys.executable)}"
        yield "    args: -u -m kohaku_ast.systems.dora_node"
        if node.machine and has_machines:
            yield f"    deploy: {{machine: {json.dumps(node.machine)}}}"
        yield "    env:"
        yield f"      {NODE_VARIABLE}: |"
        text = self._description(system, node, iterations)
        yield from (f"        {line}" for line in text.splitlines())
        yield "    inputs:"
        # A node without any input gets no STOP, and one whose inputs are closed gets one.
        yield "      alive: dora/timer/secs/1"
        for port in _inputs(system, node):
            assert port.source is not None
            yield f"      {port.full_name}:"
            yield f"        source: {port.source.owner.node.name}/{port.source.full_name}"
            yield f"        queue_size: {self._queue_of(port, iterations)}"
            yield f"        queue_policy: {'drop_oldest' if port.latest else 'backpressure'}"
        outputs = _outputs(system, node)
        if outputs:
            yield f"    outputs: [{', '.join(outputs)}]"

    def _queue_of(self, port: Input, iterations: int | None) -> int:
        """The size that holds the whole flow, if it is known. Dora keeps ten times as many."""
        if port.latest:
            return 2  # the newest, and that it was the last one
        known = _LONG_QUEUE if iterations is None else iterations + 2
        return max(port.queue or 0, min(self.queue, known))

    def _description(self, system: SystemLike, node: Node, iterations: int | None) -> str:
        """What the process of *node* needs to know, as JSON. Dora would replace ``$NAME``."""
        components = system.get_components_by_node(node)
        made = {
            "system": system.name,
            "node": node.name,
            "iterations": iterations,
            "queue": QUEUE,
            "folder": os.getcwd(),
            "path": _own_path(),
            "components": [describe_component(one) for one in components],
            "connections": [
                [port.source.full_name, port.full_name, port.queue]
                for port in _connected(components)
                if port.source is not None and port.source.owner.node is node
            ],
            "inputs": [
                [port.source.full_name, port.full_name]
                for port in _inputs(system, node)
                if port.source is not None
            ],
            "outputs": _outputs(system, node),
        }
        return json.dumps(made, indent=1).replace("$", "\\u0024")


def _connected(components: list[Component]) -> list[Input]:
    ports = [port for one in components for port in one.inputs.values()]
    return [port for port in ports if port.source is not None]


def _inputs(system: SystemLike, node: Node) -> list[Input]:
    """The inputs on *node* that another node feeds."""
    return [
        port
        for port in _connected(system.get_components_by_node(node))
        if port.source is not None and port.source.owner.node is not node
    ]


def _outputs(system: SystemLike, node: Node) -> list[str]:
    """The outputs on *node* that another node reads."""
    names = [
        port.source.full_name
        for other in system.nodes.values()
        for port in _inputs(system, other)
        if port.source is not None and port.source.owner.node is node
    ]
    return [*dict.fromkeys(names)]


def _own_path() -> list[str]:
    """The folders of ``sys.path`` that another interpreter would not have by itself."""
    roots = tuple(os.path.join(one, "") for one in {sys.prefix, sys.base_prefix})
    found = [os.path.abspath(one) for one in sys.path]
    return [one for one in dict.fromkeys(found) if not os.path.join(one, "").startswith(roots)]


def _find_dora() -> str:
    """The command ``dora`` beside the interpreter, or on the PATH; "" without one."""
    beside = os.path.dirname(sys.executable)
    return shutil.which("dora", path=beside) or shutil.which("dora") or ""


def _validate(path: str) -> None:
    """Have Dora check the dataflow. Raises SystemsError."""
    done = subprocess.run(
        [_find_dora(), "validate", path],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemsError(f"dora refuses {path}: {(done.stderr or done.stdout).strip()[:2000]}")
