"""Systems: components that run as long as messages flow, connected by typed ports, on nodes.

The engines are imported when they are first used (PEP 562).
"""

from __future__ import annotations

from kohaku_ast.systems.component import Component, Delay, Timer, Values
from kohaku_ast.systems.engine import (
    Artefact,
    Engine,
    Handle,
    Issue,
    get_engine,
    list_engines,
    register_engine,
)
from kohaku_ast.systems.node import Node
from kohaku_ast.systems.ports import Input, Output
from kohaku_ast.systems.system import System

__all__ = [
    "Artefact",
    "Component",
    "Delay",
    "Engine",
    "Handle",
    "Input",
    "Issue",
    "Node",
    "Output",
    "System",
    "Timer",
    "Values",
    "get_engine",
    "list_engines",
    "register_engine",
]
