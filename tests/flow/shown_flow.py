"""Runs a script for each value of ``n`` and shows it: SCRIPT COUNT WORKERS [--json] [--print]."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from kohaku_ast.config.config import Config
from kohaku_ast.flow.flow import Flow
from kohaku_ast.flow.launchers import SpawnLauncher
from kohaku_ast.flow.log_watch import LogWatch
from kohaku_ast.flow.report import choose_display, only_json
from kohaku_ast.flow.run import Queue, Run, ScriptConfigs
from kohaku_ast.flow.settings import FlowSettings
from kohaku_ast.runner.bind import Binder, Bound
from kohaku_ast.runner.launch import Launch


def main(script: str, count: int, workers: int, options: list[str]) -> int:
    launch = Launch(script)
    is_json = "--json" in options
    work = ScriptConfigs(launch.shown, Binder(launch, ()), configs(count, "--print" in options))
    settings = FlowSettings(workers=workers, grace=2)
    launcher = SpawnLauncher(settings, open_log)
    with only_json() if is_json else nullcontext(sys.stderr) as stream:
        observers = choose_display(is_json, stream, lambda run: f"again {run.index}")
        watch, queue = LogWatch(), Queue([work], True)
        observers = [watch, *observers]
        flow = Flow(queue, launcher, settings, observers, count, read_rest=watch.finish)
        for _ in flow.runs():
            pass
    return flow.summary.exit_status


def configs(count: int, prints: bool) -> Iterator[Config]:
    for number in range(count):
        if prints:
            print("asked for", number)
            os.system(f"echo asked in a shell for {number} >&1" if "--json" in sys.argv else "true")
        yield Config({"n": number}, varied=("n",))


def open_log(run: Run, bound: Bound) -> int:
    run.log = Path(f"{run.index}.log")
    return os.open(run.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]))
