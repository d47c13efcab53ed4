"""Hooks of flows: for which runs they are called, with what, and what becomes of their errors."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Config, HookEvent, Hooks, Parallel, Script, Sequential, Sweep
from kohaku_ast.errors import UsageError, UsageTypeError
from kohaku_ast.runner.outcome import FlowError
from tests.oracle import run_kogine

TRAIN = """\
lr = 0.1
def main():
    print("loss:", lr)
    if lr > 1:
        raise ValueError("too large")
if __name__ == "__main__":
    main()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "prep.py").write_text("n = 1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_run_has_a_start_and_an_end_with_its_record(capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []

    def tell(event: HookEvent) -> None:
        assert event.outcome is not None
        record = Path(event.outcome.record, "run.json")
        status = json.loads(record.read_text())["status"] if event.outcome.record else None
        seen.append(f"{event.name} {event.outcome.label} {event.state} {event.error!r} {status}")
        assert event.context.path == (event.name,)
        assert event.context.item == event.outcome.index
        assert event.context.get("state", "running") == "running"
        event.context.set("state", event.state)

    def broken(event: HookEvent) -> None:
        raise OSError(f"no network {event.inputs['lr']} {event.context.get('state')}")

    hooks = [
        Hooks(on_start=tell, on_success=tell, on_failure=tell),
        Hooks("train.py", on_start=broken, on_end=broken),
    ]
    scripts = [Script("prep.py"), Script("train.py", [{"lr": 0.5}, {"lr": 2.0}])]
    flow = Sequential(scripts, on_error="continue", retries=1, backoff=0, callbacks=hooks)
    outcomes = flow.run()
    assert [one.status for one in outcomes] == ["succeeded", "succeeded", "failed"]
    assert seen == [
        "prep.py prep.py running None None",
        "prep.py prep.py succeeded None succeeded",
        "train.py lr=0.5 running None None",
        "train.py lr=0.5 succeeded None succeeded",
        "train.py lr=2.0 running None None",
        "train.py lr=2.0 failed FlowError('ValueError: too large') failed",
    ]
    err = capfd.readouterr().err
    assert "kogine: warning: on_end of run 'lr=2.0', broken (" in err
    assert err.count("raised OSError: no network") == 4
    record = json.loads(Path(outcomes[2].record, "run.json").read_text())
    assert [one["hook"] for one in record["hook_errors"]] == [
        "on_start of run 'lr=2.0'",
        "on_end of run 'lr=2.0'",
    ]
    assert "hook_errors" not in json.loads(Path(outcomes[0].record, "run.json").read_text())
    assert "no network 2.0 failed (" in record["hook_errors"][1]["error"]

    seen.clear()
    Sequential(scripts, on_error="continue", resume=True, callbacks=hooks[0]).run()
    assert seen == []


def test_in_parallel_and_inline_and_without_records() -> None:
    for mode, record in (("inline", True), ("spawn", False), ("auto", True)):
        kind = Sequential if mode == "inline" else Parallel
        ends: list[tuple[object, ...]] = []

        def end(event: HookEvent, ends: list[tuple[object, ...]] = ends) -> None:
            assert event.outcome is not None
            ends.append((event.inputs, event.outputs, event.outcome.value, os.getpid()))

        script = Script("train.py", Sweep(lr=[0.5, 0.7]) | Config(outputs=["lr"]))
        flow = kind(script, mode=mode, record=record, callbacks=[Hooks(on_success=end)])
        assert flow.run().params
        assert sorted(ends, key=str) == [
            ({"lr": lr}, {"lr": lr}, None, os.getpid()) for lr in (0.5, 0.7)
        ]


def test_what_ends_a_flow_early() -> None:
    ends: list[tuple[str, str]] = []

    def end(event: HookEvent) -> None:
        assert event.outcome is not None
        ends.append((event.state, type(event.error).__name__))
        assert event.outcome.status in ("failed", "interrupted", "succeeded")

    Path("slow.py").write_text("import time\nn = 0\nif n:\n    time.sleep(60)\n")
    script = Script("slow.py", Sweep(n=[0, 1, 2]))
    flow = Parallel(script, max_workers=2, callbacks=[Hooks(on_end=end)])
    for _ in flow.as_completed():
        break
    assert ends == [("succeeded", "NoneType"), ("interrupted", "KeyboardInterrupt")]

    def stop(event: HookEvent) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.read(os.pipe()[0], 1)  # for ever, unless Ctrl-C ends the hook

    ends.clear()
    with pytest.raises(KeyboardInterrupt):
        Sequential(script, callbacks=[Hooks(on_end=end), Hooks(on_success=stop)]).run()
    assert ends == [("succeeded", "NoneType")]


def test_what_is_refused() -> None:
    with pytest.raises(UsageError, match=r"unknown script 'trian.py'.*Did you mean 'train.py'"):
        Sequential("train.py", callbacks=[Hooks("trian.py", on_end=print)])
    with pytest.raises(UsageTypeError, match="callbacks of a flow is a list of Hooks, got <built"):
        Sequential("train.py", callbacks=[print])
    seen: list[object] = []

    class Full(ThreadPoolExecutor):
        def submit(self, *given: Any, **named: Any) -> Any:
            raise UsageError("no room")

    tell = Hooks(on_start=seen.append, on_failure=seen.append)
    with Full(1) as pool, pytest.raises(UsageError, match="no room"):
        Parallel("train.py", mode=pool, callbacks=tell).run()
    assert str(seen) == "[<train.py running>, <train.py failed>]"
    hooks = Hooks(on_end=lambda event: event.nothing)  # type: ignore[attr-defined]
    with pytest.raises(FlowError, match="too large"):
        Sequential(Script("train.py", {"lr": 2}), callbacks=hooks).run()


def test_a_flow_in_a_file(folder: Path) -> None:
    (folder / "flow.py").write_text(
        "from kohaku_ast import *\n"
        "def tell(event):\n    print('told', event.name, event.state)\n"
        "flow = Sequential('train.py', callbacks=[Hooks(on_end=tell)])\n"
    )
    done = run_kogine(folder, "workflow", "run", "flow.py", "--json")
    assert done.status == 0, done
    assert [json.loads(line) for line in done.stdout.splitlines()]
    assert "told train.py succeeded" in done.stderr
