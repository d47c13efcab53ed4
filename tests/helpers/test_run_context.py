"""Which run code is in."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kohaku_ast.helpers import CurrentRun, current_run, enter_run


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KOGINE_RUN_DIR", "KOGINE_RUN_INDEX", "KOGINE_WORKER_ID", "KOGINE_REPEAT"):
        monkeypatch.delenv(name, raising=False)


def index() -> int | None:
    run = current_run()
    return run.index if run else None


def test_outside_of_runs_there_is_none() -> None:
    assert current_run() is None


def test_the_environment_is_read_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KOGINE_RUN_INDEX", "3")
    monkeypatch.setenv("KOGINE_WORKER_ID", "1")
    run = current_run()
    assert run is not None
    assert (run.index, run.worker, run.repeat, run.files, run.record) == (3, 1, None, "", "")
    monkeypatch.setenv("KOGINE_RUN_DIR", str(tmp_path / "files"))
    monkeypatch.setenv("KOGINE_RUN_INDEX", "4")
    run = current_run()
    assert run is not None
    assert (run.index, run.record) == (4, str(tmp_path))
    assert run.make_files() == str(tmp_path / "files")
    assert os.path.isdir(run.files)
    monkeypatch.delenv("KOGINE_RUN_DIR")
    monkeypatch.delenv("KOGINE_RUN_INDEX")
    assert current_run() is None


def test_nested_runs_give_the_outer_one_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOGINE_RUN_INDEX", "7")
    with enter_run(CurrentRun(index=1)):
        inner = enter_run(CurrentRun(index=2))
        assert index() == 2
        inner.close()
        inner.close()
        assert index() == 1
    assert index() == 7


def test_threads_executors_and_tasks_see_it() -> None:
    seen: list[int | None] = []
    with enter_run(CurrentRun(index=5)):
        thread = threading.Thread(target=lambda: seen.append(index()))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            seen.append(pool.submit(index).result())

        async def task() -> None:
            seen.append(index())

        async def tasks() -> None:
            await asyncio.gather(task(), asyncio.create_task(task()))

        asyncio.run(tasks())
    assert seen == [5, 5, 5, 5]


def test_tasks_have_runs_of_their_own() -> None:
    async def work(number: int) -> int | None:
        with enter_run(CurrentRun(index=number)):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return index()

    async def both() -> list[int | None]:
        return [*await asyncio.gather(work(1), work(2))]

    assert asyncio.run(both()) == [1, 2]
    assert index() is None
