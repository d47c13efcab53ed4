"""The options of commands with a script, once: the quick reader, the help and the completion are
made from these tables.
"""

from __future__ import annotations

FLOW_OPTIONS: tuple[tuple[str, bool, str], ...] = (
    ("--workers", True, "N: runs at the same time, each in a process of its own; auto: all cores."),
    ("--mode", True, "How runs are started: inline, spawn or warm."),
    ("--on-error", True, "After a failed run: continue or stop."),
    ("--retries", True, "N: try a failed run again up to N times."),
    ("--backoff", True, "SECONDS: before it is tried again; doubled each time."),
    ("--timeout", True, "SECONDS: end a run that takes longer, with all its processes; 0: none."),
    ("--gpus", True, "0,1 or auto: each worker sees one of these."),
    ("--threads", True, "N: threads of numeric libraries in each run; auto or off."),
    ("--nice", True, "N: priority of the runs, 0 to 19."),
    ("--record", False, "Keep a folder about the run in .kogine/runs, as sweeps do."),
    ("--no-record", False, "Keep nothing."),
    ("--resume", False, "Leave out what was done before with the same script and values."),
    ("--retry-failed", False, "Resume, and run again what has failed before."),
    ("--json", False, "One JSON object a line on standard output, for machines."),
    ("--no-metrics", False, "Do not read 'name: number' lines as metrics."),
)
"""What a command with many runs takes."""

#: name, whether it takes a value, help
RUN_OPTIONS: tuple[tuple[str, bool, str], ...] = (
    ("--set", True, "TARGET=VALUE: another value for a definition of the script."),
    ("--config", True, "A config file; several stack, later ones win."),
    ("--add", True, "NAME=VALUE: a global that the script does not define."),
    ("--as-is", False, "Take text values as Python literals, else text; skip type checks."),
    ("--entrypoint", True, "Call this function after the module, instead of the guard."),
    ("--sweep", True, "TARGET=AXIS: a run for each value: 0.1,0.2 or range:0:10:2 or uniform:0:1."),
    ("--zip", True, "TARGETS: pair these axes, a,b, instead of multiplying them."),
    ("--trials", True, "TABLE: a run for each row of a csv, json or yaml file."),
    ("-n", True, "N: draws of the random axes; without any, at most that many runs."),
    ("--seed", True, "SEED: what the draws are made from."),
    ("--dry-run", False, "Print the table of runs; run nothing."),
    ("--isolate", False, "Start a fresh Python for each run of a sweep."),
    ("--search", True, "METHOD: let optuna choose the values of the axes."),
    ("--minimize", True, "NAME: what a search makes small: an output or a returned value."),
    ("--maximize", True, "NAME: what a search makes large."),
    ("--study", True, "FILE: where a search is kept, to go on with it."),
    *FLOW_OPTIONS,
    ("--inspect", False, "List what can be overridden; run nothing."),
    ("--all", False, "With --inspect: also derived names, imports and the rest."),
    ("--modules", False, "With --inspect: also settings of the local modules that it imports."),
    ("--format", True, "With --inspect: table, json or py."),
)
WORKFLOW_OPTIONS: tuple[tuple[str, bool, str], ...] = (
    *(row for row in RUN_OPTIONS if row[0] not in ("--inspect", "--all", "--modules", "--format")),
)
"""The options of ``kogine workflow sequential`` and ``parallel``."""

TRANSFORM_OPTIONS: tuple[tuple[str, bool, str], ...] = (
    ("--diff", False, "Show a unified diff against the script."),
    ("--set", True, "TARGET=VALUE: a definition that gets another value."),
    ("--config", True, "A config file; several stack, later ones win."),
    ("--as-is", False, "Take text values as Python literals, else text; skip type checks."),
    ("--entrypoint", True, "As for kogine run: args and kwargs go to this function."),
)
FREEZE_OPTIONS: tuple[tuple[str, bool, str], ...] = (
    ("-o", True, "FILE: write there instead of to standard output."),
    ("--output", True, "The same as -o."),
    ("--force", False, "Overwrite FILE if it is there."),
    ("--set", True, "TARGET=VALUE: another value for a definition of the script."),
    ("--config", True, "A config file; several stack, later ones win."),
    ("--add", True, "NAME=VALUE: a global that the script does not define."),
    ("--as-is", False, "Take text values as Python literals, else text; skip type checks."),
)
SHORT = {"-c": "--config", "-s": "--set", "-e": "--entrypoint"}
