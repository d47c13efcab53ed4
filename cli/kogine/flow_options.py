"""The options of sweeps, searches, flows and records."""

from __future__ import annotations

import functools

from kogine.command import Choice
from kogine.options import (
    AXIS,
    AXIS_NAMES,
    TABLES,
    Cluster,
    Decorator,
    File,
    Repeat,
    Seconds,
    Whole,
    WholeOrWord,
    flag,
    option,
    together,
)

MODES = ("auto", "inline", "spawn", "warm")
POLICIES = ("continue", "stop")
METHODS = ("optuna",)
PRUNERS = ("median", "hyperband")
NICEST = 19

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
    _axes(
        "--repeat",
        type=Repeat(1),
        metavar="[TARGET=]N",
        help="Run each Config N times; TARGET, a seed, gets 0 to N-1, as KOGINE_REPEAT does.",
    ),
    flag("--dry-run", group="Sweeps", help="Print the table of runs; run nothing."),
    flag("--isolate", group="Sweeps", help="The same as --mode spawn, one run after another."),
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
    _searches(
        "--prune",
        type=Choice(PRUNERS),
        help="End trials early that do worse than others at the same step.",
    ),
    _searches("--study", type=File(), help="The file of the study; a later search continues it."),
)


def cluster_option(group: str) -> Decorator:
    """``--on``, in a *group* of the help."""
    return option(
        "--on",
        group=group,
        type=Cluster(),
        metavar="CLUSTER",
        show_default="this machine",
        help="Run on a cluster: dask://HOST:PORT, slurm:gpus=1; list prints them.",
    )


_flows = functools.partial(option, group="Flows")
flow_options = together(
    _flows(
        "--workers",
        type=WholeOrWord("auto"),
        show_default="1; one a core with --mode spawn or warm",
        help="Number of runs at the same time, each in its own process; auto: all cores.",
    ),
    cluster_option("Flows"),
    _flows(
        "--mode",
        type=Choice(MODES),
        show_default="auto",
        help="Run in this process, in a new one, or in a fork of a warm one; auto: warm if safe.",
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
    _flows("--nice", type=Whole(0, NICEST), show_default="0", help="Lower the runs' priority."),
)
"""How a flow runs its runs."""

_kept = functools.partial(option, group="Records and output")
_records = functools.partial(flag, group="Records and output")
inputs_option = _kept(
    "--inputs",
    type=File("path"),
    multiple=True,
    help="A file, folder or pattern that the script reads; --cached compares its content.",
)
record_options = together(
    _records("--record", help="Write a record of the run to .kogine/runs, as sweeps do."),
    _records("--no-record", help="Write no record."),
    _records("--resume", help="Skip runs that were done before with the same script and values."),
    _records("--retry-failed", help="Resume, and run again the runs that failed before."),
    _records("--cached", help="Leave out runs whose results the records have: see cache why."),
    inputs_option,
    _kept(
        "--log-limit",
        metavar="SIZE",
        show_default="100MB",
        help="Leave out the middle of a run's log if it is longer; off: no limit.",
    ),
    _kept("--artifacts", metavar="GLOB", multiple=True, help="Keep files of runs: 'ckpt/*.pt'."),
    _records("--run-dir", help="Run in the folder for the run's files, KOGINE_RUN_DIR."),
    _records("--no-metrics", help="Do not read 'name: number' lines as metrics."),
)
"""What of a flow is kept."""
