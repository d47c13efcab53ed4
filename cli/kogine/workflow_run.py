"""``kogine workflow run flow.py``: the Sequential or Parallel that a Python file defines."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kogine.flow_options import flow_options
from kogine.flow_run import output, run_flow
from kogine.options import WORKFLOW_OPTIONS
from kogine.overrides import binder_of, merge_configs
from kogine.reader import Arguments, read

from kohaku_ast.errors import UsageError
from kohaku_ast.flow.display.failures import no_command
from kohaku_ast.flow.flows import Parallel, Sequential
from kohaku_ast.runner.inline import InlineRun
from kohaku_ast.runner.launch import Launch


def workflow_run(arguments: list[str]) -> Callable[[], int]:
    """Run the file's module body, with overrides in force, and then the flow in it."""
    read_ = read(arguments, WORKFLOW_OPTIONS)
    if not read_.script:
        raise UsageError("no file given: kogine workflow run FLOW.py [TARGET=VALUE ...]")
    flow_options(read_)  # a mistake in the options is told before the file runs
    return lambda: _run(read_)


def _run(read_: Arguments) -> int:
    with output("--json" in read_.flags):  # what the file prints is no JSON
        flow = _flow_in(_namespace(read_), read_.script)
    options = flow_options(
        read_,
        mode=flow.mode,
        limits=flow.limits,
        slots=flow.slots,
        nice=flow.nice,
        recording=flow.recording,
    )
    return run_flow(flow.works(), options, no_command, flow.total(), flow.observers)


def _namespace(read_: Arguments) -> Mapping[str, object]:
    launch = Launch(read_.script, read_.argv)
    config = merge_configs(read_.values.get("--config", []), "workflow run")
    run = InlineRun(binder_of(launch, read_, "").bind(config))
    run.module()
    return run.main.__dict__


def _flow_in(names: Mapping[str, object], path: str) -> Sequential | Parallel:
    """The one called ``flow``, else the only one."""
    found = {name: one for name, one in names.items() if isinstance(one, (Sequential, Parallel))}
    chosen = found.get("flow") or (next(iter(found.values())) if len(found) == 1 else None)
    if isinstance(chosen, (Sequential, Parallel)):
        return chosen
    if found:
        raise UsageError(f"{path}: several flows ({', '.join(found)}): call one of them flow")
    raise UsageError(f"{path}: no flow: write flow = Sequential([Script(...), ...])")
