"""Real worker processes: what they run, what cannot cross, what happens when they die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from kohaku_ast import Callback, HyperNodesEngine, MemoryCache, Node, Pipeline, PipelineError, node
from tests.oracle import on_path

ROOT = Path(__file__).parents[2]


@node("pid")
def where(x: int) -> int:
    return os.getpid()


@node("y")
def double(x: int) -> int:
    return 2 * x


def test_nodes_run_in_other_processes() -> None:
    nodes = [where, where.with_names("again", pid="pid2")]
    found = Pipeline(nodes, engine="parallel").run({"x": 1})
    assert os.getpid() not in found.values()


def test_items_run_in_other_processes() -> None:
    found = Pipeline([where], engine="parallel").map(
        {"x": range(100)}, map_over="x", output_name="pid"
    )
    assert os.getpid() not in found


def test_workers_end_with_the_run() -> None:
    found = Pipeline([where], engine="parallel").run({"x": 1})
    with pytest.raises(ProcessLookupError):
        os.kill(found["pid"], 0)


def test_nodes_overlap(tmp_path: Path) -> None:
    """Each of two ends only when the other has begun: both ends of a pipe are opened at once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> str:
        return str(pipe.write_text("met") and "written")

    def read() -> str:
        return pipe.read_text()

    engine = HyperNodesEngine("parallel", max_workers=2)
    made = Pipeline([Node(write, "a"), Node(read, "b")], engine=engine)
    assert made.run() == {"a": "written", "b": "met"}


def test_a_node_starts_when_its_own_inputs_are_ready(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def slow() -> str:
        return pipe.read_text()

    def quick() -> int:
        return 1

    def behind(quick: int) -> int:
        return pipe.write_text("go")

    nodes = [Node(slow, "slow"), Node(quick, "quick"), Node(behind, "behind")]
    made = Pipeline(nodes, engine=HyperNodesEngine("parallel", max_workers=2))
    assert made.run() == {"slow": "go", "quick": 1, "behind": 2}


def die(x: int) -> int:
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


class TestDeath:
    def test_of_a_worker_is_said(self) -> None:
        made = Pipeline([Node(die, "y")], engine="parallel")
        with pytest.raises(
            PipelineError, match=r"a worker process died while it ran 'die' \(.*test_processes.py"
        ):
            made.run({"x": 3})
        with pytest.raises(PipelineError, match="a worker process died"):
            made.map({"x": range(8)}, map_over="x")

    def test_the_next_run_has_new_workers(self) -> None:
        made = Pipeline([Node(die, "y")], engine="parallel")
        with pytest.raises(PipelineError):
            made.run({"x": 3})
        assert made.run({"x": 1}, "y") == 1

    def test_kept_it_is_a_failure_of_the_items_that_were_under_way(self) -> None:
        made = Pipeline([Node(die, "y")], engine="parallel")
        found = made.map({"x": range(8)}, map_over="x", output_name="y", on_error="keep")
        assert len(found) == 8
        assert not found[3]


@pytest.mark.parametrize("call", ["run({'x': 4})", "map({'x': [4, 5]}, map_over='x')"])
@pytest.mark.parametrize("engine", ["sequential", "threaded", "async", "parallel"])
def test_interrupt_ends_all_of_it(engine: str, call: str, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    script = tmp_path / "flow.py"
    wait = "await asyncio.Event().wait()" if engine == "async" else "time.sleep(600)"
    script.write_text(
        "import asyncio, time\nfrom kohaku_ast import Pipeline, node\n\n"
        f"@node('y')\n{'async ' * (engine == 'async')}def wait(x):\n"
        f"    x == 4 and open('ready', 'w').write('4'); {wait}\n\n"
        "if __name__ == '__main__':\n"
        f"    Pipeline([wait], engine={engine!r}).{call}\n"
    )
    started = subprocess.Popen(
        [sys.executable, "flow.py"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    assert ready.read_text() == "4"
    os.killpg(started.pid, signal.SIGINT)
    _, error = started.communicate(timeout=20)
    assert started.returncode == -signal.SIGINT, error
    assert error.rstrip().endswith("KeyboardInterrupt")
    assert error.count("Traceback") == 1, error
    with pytest.raises(ProcessLookupError):
        os.killpg(started.pid, 0)


def test_interrupt_of_a_command_leaves_nothing_to_print_and_python_ends_well(
    tmp_path: Path,
) -> None:
    os.mkfifo(tmp_path / "ready")
    (tmp_path / "flow.py").write_text(
        "import time\nfrom kohaku_ast import Pipeline, node\n\n"
        "@node('y')\ndef wait(x: int): open('ready', 'w').write('4'); time.sleep(600)\n\n"
        "pipeline = Pipeline([wait], engine='parallel')\n"
    )
    launcher = ROOT / "tests/kogine_command.py"
    started = subprocess.Popen(
        [sys.executable, launcher, "pipeline", "run", "flow.py", "x=4"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": on_path()},
        start_new_session=True,
    )
    assert (tmp_path / "ready").read_text() == "4"
    os.killpg(started.pid, signal.SIGINT)
    assert started.communicate(timeout=20)[1] == ""
    assert started.returncode == -signal.SIGINT


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_end_if_their_parent_is_killed(method: str, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    (tmp_path / "flow.py").write_text(
        "import multiprocessing, os, time\nfrom kohaku_ast import NativeEngine, Pipeline, node\n\n"
        "@node('y')\ndef wait(x):\n"
        "    x == 4 and open('ready', 'w').write(str(os.getpid())); time.sleep(600)\n\n"
        "if __name__ == '__main__':\n"
        f"    multiprocessing.set_start_method({method!r})\n"
        "    engine = NativeEngine(map_executor='parallel', workers=3)\n"
        "    Pipeline([wait], engine=engine).map({'x': [3, 4]}, map_over='x')\n"
    )
    command, environment = [sys.executable, "flow.py"], {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as started:
        worker = psutil.Process(int(ready.read_text()))
        every = psutil.Process(started.pid).children(recursive=True)
        assert worker in every
        started.kill()
    _, alive = psutil.wait_procs(every, timeout=20)
    for one in alive:
        one.kill()
    assert alive == []


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_lent_processes_however_they_are_started(method: str, tmp_path: Path) -> None:
    script = tmp_path / "flow.py"
    script.write_text(
        "import multiprocessing, sys\nfrom concurrent.futures import ProcessPoolExecutor\n"
        "from kohaku_ast import Pipeline, node\n\n"
        "@node('y')\ndef half(x):\n    return x // 2\n\n"
        "@node('z')\nasync def later(y):\n    return y + 1\n\n"
        "if __name__ == '__main__':\n"
        "    with ProcessPoolExecutor(1, multiprocessing.get_context(sys.argv[1])) as pool:\n"
        "        p = Pipeline([half, later.bind()], engine=pool)\n"
        "        print(p.run({'x': 4}), p.map({'x': [2, 4]}, map_over='x', output_name='z'))\n"
        "        print(pool.submit(int).result())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "flow.py", method],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("{'y': 2, 'z': 3} [2, 3]\n0\n", "")


def test_a_cache_is_served_by_this_process() -> None:
    cache, started = MemoryCache(), []

    class Names(Callback):
        def on_node_start(self, name: str, inputs: Any, context: Any) -> None:
            started.append(name)

    made = Pipeline([where], engine="parallel", cache=cache, callbacks=[Names()])
    first = made.map({"x": [1, 2]}, map_over="x")
    assert made.map({"x": [1, 2]}, map_over="x") == first
    assert started == ["where", "where"]
    assert made.run({"x": 1}) == first[0]


def test_many_items_go_in_parts_and_come_back_in_order() -> None:
    made = Pipeline([double], engine="parallel")
    assert made.map({"x": range(20_000)}, map_over="x", output_name="y") == list(
        range(0, 40_000, 2)
    )


def test_what_is_defined_after_the_first_run_is_known_to_the_next() -> None:
    made = Pipeline([Node(read_global, "y")], engine="parallel")
    for value in (1, 2):
        globals()["VALUE"] = value
        assert made.run({"x": 0}, "y") == value


VALUE = 0


def read_global(x: int) -> int:
    return VALUE


def test_no_process_is_left() -> None:
    Pipeline([double], engine="parallel").map({"x": range(10)}, map_over="x")
    assert multiprocessing.active_children() == []


def test_a_pool_whose_workers_have_died_says_so() -> None:
    with ProcessPoolExecutor(1) as pool:
        made = Pipeline([Node(die, "y")], engine=pool)
        with pytest.raises(PipelineError, match="a worker process died while it ran 'die'"):
            made.run({"x": 3})
        with pytest.raises(
            PipelineError, match=r"'die' .* did not run: a worker process died before"
        ):
            made.run({"x": 3})
        with pytest.raises(
            PipelineError, match=r"'die' .* did not run: a worker process died before"
        ):
            made.map({"x": [3]}, map_over="x")
