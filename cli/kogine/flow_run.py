"""Runs a flow for the command line: shown, recorded, with an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from kogine.flow_options import FlowOptions
from kogine.report import report

from kohaku_ast import sigint
from kohaku_ast.errors import KogineError
from kohaku_ast.flow.observer import Observer
from kohaku_ast.flow.report import Again, choose_display, only_json
from kohaku_ast.flow.run import ScriptConfigs
from kohaku_ast.runner.job import IF_POSSIBLE


def run_flow(
    works: Sequence[ScriptConfigs],
    options: FlowOptions,
    again: Again,
    total: int | None,
    observers: Sequence[Observer] = (),
) -> int:
    """Run all of *works*; the exit status. *again* gives the command that repeats a run."""
    plan = options.plan
    shows = plan.shows_output and not options.is_json
    is_last = sigint.is_silent()  # the interpreter has nothing to do but this
    if is_last:
        sigint.ignore_at_exit()
    with output(options.is_json) as stream:
        display = choose_display(options.is_json, options.metrics, stream, again, shows)
        flow = plan.flow(
            works,
            [*display, *observers],
            total=total,
            listens=plan.limits.workers == 1,
            # A script must not fail for what nobody asked it to give back.
            wants_value=IF_POSSIBLE,
            shows=shows,
        )
        flow.interrupts.is_last = is_last
        try:
            for _ in flow.runs():
                pass  # the observers have told of it
        except KogineError as error:
            return report(error)  # of the first run: nothing has run yet
    return flow.summary.exit_status


@contextmanager
def output(is_json: bool) -> Iterator[TextIO]:
    """Where a flow is shown; inside, nothing but JSON comes on standard output if it is that."""
    if is_json:
        with only_json() as stream:
            yield stream
    elif sys.stderr is not None:
        yield sys.stderr
    else:  # it was closed when we were started
        with open(os.devnull, "w") as nowhere:
            yield nowhere


def say(*texts: str) -> None:
    """Print what is not empty of *texts* on standard error, behind what was printed before."""
    sys.stdout.flush()
    for text in texts:
        if text:
            print(text, file=sys.stderr, flush=True)
