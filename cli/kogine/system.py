"""``kogine system run|graph|compile``: the commands and their options."""

from __future__ import annotations

from collections.abc import Callable

import click
from kogine.command import Group
from kogine.command_with_script import CommandWithScript
from kogine.options import ScriptFile, Whole, configs, drawing_option, hidden_assignments, option
from kogine.script_command import ScriptCommand

system = Group(
    "system",
    what="system command",
    help="Run, draw or compile the system of components that a file defines.",
    examples=(
        "kogine system run robot.py --iterations 100 camera.width=64",
        "kogine system graph robot.py -o robot.svg",
        "kogine system compile robot.py --engine dora -o build",
    ),
    places={
        "run": ("kogine.system:run", "Run the system that a file defines."),
        "graph": ("kogine.system:graph", "Draw the system that a file defines, or list it."),
        "compile": ("kogine.system:compile_system", "Write the files that an engine runs."),
    },
)

_engine = option(
    "--engine",
    group="Engine",
    metavar="NAME",
    help="native (this process), dora (a process for each node), or one of a plug-in; without it, "
    "the one that the nodes name.",
)


@click.command(
    cls=CommandWithScript,
    usage="FILE.py[:NAME] [COMPONENT.SETTING=VALUE ...] [-- ARGS ...]",
    examples=(
        "kogine system run robot.py --iterations 100",
        "kogine system run robot.py camera.width=64 --engine dora --iterations 100",
    ),
)
@click.argument("script", type=ScriptFile("robot.py"), required=False)
@hidden_assignments
@configs
@_engine
@option(
    "--iterations",
    group="Engine",
    type=Whole(0),
    help="Steps of each source; without it, until they end or Ctrl-C.",
)
@option(
    "--timeout",
    group="Engine",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Stop it after this time, with exit status 1.",
)
@option(
    "--folder",
    group="Engine",
    metavar="FOLDER",
    help="Write the files of the engine there; without it, to a temporary folder.",
)
def run(command: ScriptCommand) -> Callable[[], int]:
    """Run the system that a file defines."""
    from kogine.system_file import start_system  # completion does without

    return start_system(command)


@click.command(
    cls=CommandWithScript,
    usage="FILE.py[:NAME] [-- ARGS ...]",
    examples=("kogine system graph robot.py", "kogine system graph robot.py -o robot.svg"),
)
@click.argument("script", type=ScriptFile("robot.py"), required=False)
@hidden_assignments
@drawing_option("connection")
def graph(command: ScriptCommand) -> Callable[[], int]:
    """Draw the system that a file defines, or list its components and connections."""
    from kogine.system_file import start_drawing  # completion does without

    return start_drawing(command)


@click.command(
    "compile",
    cls=CommandWithScript,
    usage="FILE.py[:NAME] [COMPONENT.SETTING=VALUE ...] [-- ARGS ...]",
    examples=(
        "kogine system compile robot.py --engine dora -o build",
        "kogine system compile robot.py camera.width=64 -o build",
    ),
)
@click.argument("script", type=ScriptFile("robot.py"), required=False)
@hidden_assignments
@configs
@_engine
@option("--output", "-o", group="Output", metavar="FOLDER", help="The folder to write to.")
def compile_system(command: ScriptCommand) -> Callable[[], int]:
    """Write the files that an engine runs."""
    from kogine.system_file import start_compiling  # completion does without

    return start_compiling(command)
