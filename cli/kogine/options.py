"""The options that several commands share, as decorators; each is defined here only."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click
from kogine.command import Choice, Option
from kogine.option_types import (
    AS_IS,
    ASSIGNMENT,
    AXIS,
    AXIS_NAMES,
    FUNCTION,
    NEW_GLOBAL,
    TABLES,
    ConfigFile,
    File,
    Seconds,
    Whole,
    WholeOrWord,
)

MODES = ("inline", "spawn", "warm")
POLICIES = ("continue", "stop")
METHODS = ("optuna",)
NICEST = 19

Decorator = Callable[[Any], Any]
"""Adds options to a command."""


def option(*names: str, group: str, **settings: Any) -> Decorator:
    """The decorator of one option, in a *group* of the help."""
    return click.option(*names, cls=Option, group=group, **settings)


def flag(*names: str, group: str, **settings: Any) -> Decorator:
    """The decorator of an option without a value."""
    return option(*names, group=group, is_flag=True, **settings)


def together(*decorators: Decorator) -> Decorator:
    """One decorator for several options, which the help shows in this order."""
    return lambda command: functools.reduce(
        lambda made, decorate: decorate(made), reversed(decorators), command
    )


_values = functools.partial(option, group="Values")
assignments = _values(
    "--set",
    "-s",
    type=ASSIGNMENT,
    multiple=True,
    help="Give a definition another value; TARGET=VALUE after the script does the same.",
)
hidden_assignments = _values("--set", "set", type=ASSIGNMENT, multiple=True, hidden=True)
"""For commands that take NAME=VALUE only as a word of its own."""
configs = _values(
    "--config",
    "-c",
    type=ConfigFile("file"),
    multiple=True,
    help="A config file: .py, .yaml, .toml or .json. Of several, later ones win.",
)
new_globals = _values(
    "--add", type=NEW_GLOBAL, multiple=True, help="Set a global that the script does not define."
)
literals = _values(
    "--as-is",
    type=AS_IS,
    multiple=True,
    metavar="[TARGET=VALUE]",
    help="Like --set, but not checked against the parameter's type: VALUE is a Python literal or "
    "text. Without TARGET=VALUE: for all values.",
)
entrypoint = _values(
    "--entrypoint",
    "-e",
    type=FUNCTION,
    help="Call this function after the module, not the guard; SCRIPT:NAME does the same.",
)
module = flag(
    "-m", "is_module", group="Values", help="SCRIPT is the name of a module, as for python -m."
)
value_options = together(assignments, configs, new_globals, literals, entrypoint, module)
"""The values of a script."""

_axes = functools.partial(option, group="Sweeps")
axis = _axes(
    "--sweep",
    type=AXIS,
    multiple=True,
    help="A run for each value: 0.1,0.2 or range:0:10:2 or uniform:0:1. Several multiply.",
)
pairs = _axes(
    "--zip",
    type=AXIS_NAMES,
    multiple=True,
    help="Pair these axes, a,b, instead of multiplying them.",
)
trials = _axes(
    "--trials",
    type=File("table", TABLES),
    multiple=True,
    help="A run for each row of a .csv, .json or .yaml file.",
)
axis_options = together(axis, pairs, trials)
sweep_options = together(
    axis_options,
    _axes(
        "-n", "n", type=Whole(1), help="Draw N values of random axes; of others, run the first N."
    ),
    _axes("--seed", type=Whole(), metavar="SEED", help="The seed of the random axes."),
    flag("--dry-run", group="Sweeps", help="Print the table of runs; run nothing."),
    flag("--isolate", group="Sweeps", help="Start a new Python process for each run."),
)
"""Many runs of one script."""

_searches = functools.partial(option, group="Searches")
search_options = together(
    _searches(
        "--search",
        type=Choice(METHODS),
        help="Let this optimizer choose the values of the axes, in -n trials.",
    ),
    _searches("--minimize", metavar="NAME", help="Minimize this output or returned value."),
    _searches("--maximize", metavar="NAME", help="Maximize this output or returned value."),
    _searches("--study", type=File(), help="The file of the study; a later search continues it."),
)

_flows = functools.partial(option, group="Flows")
flow_options = together(
    _flows(
        "--workers",
        type=WholeOrWord("auto"),
        show_default="1; one a core with --mode spawn or warm",
        help="Number of runs at the same time, each in its own process; auto: all cores.",
    ),
    _flows(
        "--mode",
        type=Choice(MODES),
        show_default="inline",
        help="Run in this process, in a new one, or in a fork of a warm one.",
    ),
    _flows(
        "--on-error",
        type=Choice(POLICIES),
        show_default="continue",
        help="After a failed run, continue with the others or start no more.",
    ),
    _flows(
        "--retries", type=Whole(0), show_default="0", help="Run a failed run again, up to N times."
    ),
    _flows(
        "--backoff",
        type=Seconds(),
        show_default="1",
        help="Wait before a retry; doubled each time.",
    ),
    _flows(
        "--timeout",
        type=Seconds(),
        show_default="none",
        help="End a run that takes longer, with all its processes; 0: none.",
    ),
    _flows("--gpus", metavar="0,1|auto", help="Give each worker one of these GPUs."),
    _flows(
        "--threads",
        type=WholeOrWord("auto", "off"),
        show_default="auto",
        help="Threads of numeric libraries in each run.",
    ),
    _flows(
        "--nice", type=Whole(0, NICEST), show_default="0", help="Lower the priority of the runs."
    ),
)
"""How a flow runs its runs."""

_records = functools.partial(flag, group="Records and output")
record_options = together(
    _records("--record", help="Write a record of the run to .kogine/runs, as sweeps do."),
    _records("--no-record", help="Write no record."),
    _records("--resume", help="Skip runs that were done before with the same script and values."),
    _records("--retry-failed", help="Resume, and run again the runs that failed before."),
    _records("--json", help="Print one JSON object a line on standard output, for programs."),
    _records("--no-metrics", help="Do not read 'name: number' lines as metrics."),
)

output_options = together(
    option(
        "--output",
        "-o",
        type=File(),
        group="Output",
        help="Write to this file instead of printing.",
    ),
    flag("--force", group="Output", help="Overwrite FILE if it exists."),
)
"""Where a command writes its text."""
