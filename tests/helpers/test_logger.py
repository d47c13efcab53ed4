"""``logger``: the same numbers however the script runs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from kohaku_ast import Store
from kohaku_ast.helpers import logger
from kohaku_ast.store.record import Record
from tests.oracle import on_path, run_kogine, run_python

TRAIN = """\
from kohaku_ast.helpers import logger

lr = 0.1
logger.init(project="toy", config={"lr": lr, "model": {"depth": 3}})


def main():
    for epoch in range(3):
        loss = lr / 3 / (epoch + 1)
        logger.log({"loss": loss, "val": {"acc": epoch / 3}})
        print(f"loss: {loss:.2f} shown: {epoch}")


if __name__ == "__main__":
    main()
"""
SURROUNDINGS = {
    "python": ["t.py"],
    "kogine": ["run", "t.py"],
    "inline": ["run", "t.py", "--sweep", "lr=0.1,0.1", "--mode", "inline"],
    "spawned": ["run", "t.py", "--sweep", "lr=0.1,0.1", "--mode", "spawn", "--workers", "2"],
    "retried": ["run", "t.py", "--sweep", "lr=0.1,0.1", "--retries", "1"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.py").write_text(TRAIN)
    return tmp_path


def points(record: Record) -> list[dict[str, object]]:
    """What the script has logged, without times."""
    lines = (record.folder / "metrics.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return [
        {k: one[k] for k in ("step", "metrics")}
        for one in found
        if "logged" in one and "step" in one
    ]


@pytest.mark.parametrize("way", SURROUNDINGS)
def test_a_script_logs_the_same_wherever_it_runs(folder: Path, way: str) -> None:
    if way == "retried":
        fails = (
            "import os\nif not os.path.exists('mark'):\n    open('mark', 'w').close()\n    1 / 0\n"
        )
        (folder / "t.py").write_text(
            TRAIN.replace(
                "def main():\n",
                f"def main():\n    logger.log({{'early': 1}})\n    {fails.replace(chr(10), chr(10) + '    ')}\n",
            )
        )
    run = run_python if way == "python" else run_kogine
    done = run(folder, *SURROUNDINGS[way], PYTHONPATH=on_path())
    assert done.status == 0, done
    records = [*Store().runs()]
    assert len(records) == (2 if "--sweep" in SURROUNDINGS[way] else 1)
    for record in records:
        first = 1 if way == "retried" else 0
        assert points(record)[first:] == [
            {"step": n + first, "metrics": {"loss": 0.1 / 3 / (n + 1), "val/acc": n / 3}}
            for n in range(3)
        ]
        loss = record.metric_summary["loss"]
        assert (loss["last"], loss["max"], loss["count"]) == (0.1 / 3 / 3, 0.1 / 3, 3)
        assert record.params["lr"] == 0.1
        assert record.params["model/depth"] == 3
        assert record.status == "succeeded"
        assert ("shown" in record.metrics) == (way not in ("python", "kogine"))


def test_what_was_logged_stays_after_a_kill(folder: Path) -> None:
    waits = "    import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n"
    (folder / "t.py").write_text(TRAIN + waits)
    assert run_python(folder, "t.py", PYTHONPATH=on_path()).status == -signal.SIGKILL
    assert run_kogine(folder, "run", "--record", "t.py").status != 0
    lost, killed = Store().runs(sort="number")
    assert (lost.status, killed.status) == ("lost", "failed")
    assert lost.metrics == {"loss": 0.1 / 3 / 3, "val/acc": 2 / 3}
    assert killed.metrics == {**lost.metrics, "shown": 2}


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [
        pytest.param("1 / 0", "failed", "ZeroDivisionError", id="an exception"),
        pytest.param("logger.finish()", "succeeded", None, id="finished"),
        pytest.param("import sys; sys.exit()", "succeeded", None, id="an exit"),
    ],
)
def test_the_end_of_a_script_outside_of_kogine(
    folder: Path, end: str, status: str, error: str | None
) -> None:
    (folder / "t.py").write_text(f"{TRAIN}    {end}\n")
    plain = run_python(folder, "t.py", PYTHONPATH=on_path())
    assert plain.stdout == "loss: 0.03 shown: 0\nloss: 0.02 shown: 1\nloss: 0.01 shown: 2\n"
    [record] = Store().runs()
    assert (record.status, record.error.type if record.error else None) == (status, error)
    listed = run_kogine(
        folder, "runs", "ls", "--columns", "script,status,lr,loss,label", "--format", "csv"
    )
    assert listed.stdout.splitlines()[1] == f"t.py,{status},0.1,{0.1 / 9!r},toy"
    for command in (["repeat"], ["reproduce"], ["export", "config"]):
        refused = run_kogine(folder, "runs", *command, "1")
        assert refused.status == 2
        assert "Run the script again: python t.py" in refused.stderr


def test_a_search_reads_what_is_logged(folder: Path) -> None:
    axis = ["--search", "optuna", "--sweep", "lr=uniform:0:1", "-n", "3"]
    done = run_kogine(folder, "run", "t.py", *axis, "--minimize", "loss", "--seed", "1")
    assert done.status == 0, done
    best = Store().runs().best("min:loss")
    assert f"best loss {best.metrics['loss']!r}, " in done.stderr


CHILDREN = """\
import asyncio, subprocess, sys, threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from kohaku_ast.helpers import logger

n = 0

def work(name):
    logger.log({name: 1})

async def tasks():
    await asyncio.gather(asyncio.to_thread(work, "task"))

if __name__ == "__main__":
    work("main")
    thread = threading.Thread(target=work, args=("thread",))
    thread.start(); thread.join()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work, "pool").result()
    for method in ("spawn", "fork"):
        with ProcessPoolExecutor(1, mp_context=get_context(method)) as pool:
            pool.submit(work, method).result()
    asyncio.run(tasks())
    subprocess.run([sys.executable, "-c", "from kohaku_ast.helpers import logger; logger.log({'child': 1})"])
"""
LOGGED = {"main", "thread", "pool", "spawn", "fork", "task", "child"}


def test_children_threads_and_tasks_log_to_the_same_run(folder: Path) -> None:
    (folder / "t.py").write_text(CHILDREN)
    done = run_kogine(
        folder, "run", "t.py", "--sweep", "n=1,2", "--workers", "2", PYTHONPATH=on_path()
    )
    assert done.status == 0, done
    for record in Store().runs():
        assert {*record.metrics} == LOGGED


def test_children_of_a_script_outside_of_kogine_log_to_its_record(folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other/eval.py").write_text(
        "from kohaku_ast.helpers import logger\nlogger.log({'acc': 1})\n"
    )
    (folder / "t.py").write_text(
        f"{CHILDREN}    subprocess.run([sys.executable, 'eval.py'], cwd='other')\n"
    )
    assert run_python(folder, "t.py", PYTHONPATH=on_path()).stderr == ""
    own, other = [*Store().runs()][::-1]
    assert (own.status, {*own.metrics}) == ("succeeded", LOGGED)
    assert (other.facts["parent"], other.metrics) == (own.folder.name, {"acc": 1})
    assert not (folder / "other/.kogine").exists()
    assert [one.folder.name for one in [Store().find("last")]] == [own.folder.name]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        pytest.param({"loss": "0.1"}, "'loss' is no number: '0.1'", id="a text"),
        pytest.param({"a": {"b": [1, 2]}}, r"'a/b' is no number: \[1, 2\]", id="a list, nested"),
        pytest.param({"a": None}, "'a' is no number: None", id="None"),
        pytest.param({1: 2}, "a name is a text, got 1", id="a name that is none"),
        pytest.param([1], "numbers is a mapping", id="no mapping"),
        pytest.param({"a": 1j}, "'a' is no number", id="complex"),
    ],
)
def test_what_is_no_number_is_refused_by_name(numbers: object, text: str, folder: Path) -> None:
    with pytest.raises(TypeError, match=text):
        logger.log(numbers)  # type: ignore[arg-type]
    assert not (folder / ".kogine").exists()


def test_numbers_of_libraries_and_of_no_size(folder: Path) -> None:
    one = numpy.float32(0.5)
    (folder / "t.py").write_text(
        "import numpy, math\nfrom kohaku_ast.helpers import logger\nlogger.log({'a': numpy.array(2.5), 'b': numpy.float32(0.5), 'c': numpy.int64(3), 'd': math.nan, 'e': -math.inf, 'f': True})\n"
    )
    assert run_python(folder, "t.py", PYTHONPATH=on_path()).status == 0
    [record] = Store().runs()
    metrics = record.metrics
    assert (metrics["a"], metrics["b"], metrics["c"]) == (2.5, one, 3)
    assert (str(metrics["d"]), str(metrics["e"]), metrics["f"]) == ("nan", "-inf", 1)


def test_steps(folder: Path) -> None:
    calls = "logger.log({'a': 1}); logger.log({'a': 2}, step=10); logger.log({'a': 3}); logger.log({'a': 4}, 5)"
    (folder / "t.py").write_text(f"from kohaku_ast.helpers import logger\n{calls}\n")
    run_python(folder, "t.py", PYTHONPATH=on_path())
    [record] = Store().runs()
    assert [one["step"] for one in points(record)] == [0, 10, 11, 5]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("-3", "ValueError: logger.log: step is at least 0, got -3"),
        ("0.5", "TypeError: logger.log: step is a whole number"),
    ],
)
def test_what_is_no_step_is_refused(folder: Path, step: str, message: str) -> None:
    text = f"from kohaku_ast.helpers import logger\nlogger.log({{'a': 1}}, step={step})\n"
    (folder / "t.py").write_text(text)
    done = run_python(folder, "t.py", PYTHONPATH=on_path())
    assert message in done.stderr
    [record] = Store().runs()
    assert (record.status, record.metrics) == ("failed", {})


def test_on_the_console_a_script_leaves_nothing(folder: Path) -> None:
    (folder / "t.py").write_text(
        "from kohaku_ast.helpers import logger\nlogger.init(console=True)\nlogger.log({'loss': 0.25})\n"
    )
    done = run_python(folder, "t.py", PYTHONPATH=on_path())
    assert (done.stdout, done.stderr) == ("step 0: loss=0.25\n", "")
    assert not (folder / ".kogine").exists()


def test_the_import_is_light() -> None:
    """It loads nothing heavy: a script pays for it at each start."""
    text = "import sys; before = {*sys.modules}; from kohaku_ast.helpers import logger, current_run; print(*sorted({*sys.modules} - before))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.startswith("kohaku_ast")}
    assert ours == {
        "kohaku_ast",
        "kohaku_ast.helpers",
        "kohaku_ast.helpers.metric_logger",
        "kohaku_ast.helpers.run_context",
        "kohaku_ast.version",
    }
    assert {*done.stdout.split()} - ours <= {
        "contextvars",
        "_contextvars",
        "math",
        "__future__",
        "importlib",
        "warnings",
        "importlib._bootstrap",
        "importlib._bootstrap_external",
    }


def test_nodes_of_a_recorded_pipeline_log_to_its_record(folder: Path) -> None:
    (folder / "flow.py").write_text(
        "from kohaku_ast import Pipeline\nfrom kohaku_ast.helpers import checkpoints, logger, process\n"
        "@process(output_name='loss')\n"
        "def train(lr: float = 0.5):\n"
        "    for step in range(3):\n        logger.log({'loss': lr / (step + 1)})\n"
        "    checkpoints.save(lr, 1)\n    return lr\n"
        "pipeline = Pipeline([train])\n"
    )
    for engine in ("", "threaded"):
        text = (folder / "flow.py").read_text()
        (folder / "flow.py").write_text(
            text.replace("([train])", f"([train], engine={engine!r} or None)")
        )
        done = run_kogine(folder, "pipeline", "run", "flow.py", "lr=3", PYTHONPATH=on_path())
        assert (done.status, done.stdout) == (0, "loss = 3.0\n"), done
    records = [*Store().runs()]
    assert len(records) == 2
    for record in records:
        assert record.metrics == {"loss": 1.0}
        assert [one["path"] for one in record.facts["files"]] == ["checkpoints/step-00000001.ckpt"]
    assert not (folder / "checkpoints").exists()


NODES = """\
import threading
from kohaku_ast import Pipeline
from kohaku_ast.helpers import logger, process


@process
def train(lr):
    for step in range(2):
        logger.log({"loss": lr / (step + 1)})
    thread = threading.Thread(target=lambda: logger.log({"thread": 1}, step=7))
    thread.start()
    thread.join()
    return lr


@process
def evaluate(train):
    logger.log({"acc": train, "loss": 9})
    return train


@process
async def late(lr):
    logger.log({"late": lr})
    return lr


@process
def outer(lr):
    logger.log({"outer": lr})
    return lr


if __name__ == "__main__":
    for engine in ("sequential", "async", "threaded", "parallel"):
        inner = Pipeline([outer], name="inner").as_node()
        pipeline = Pipeline([train, evaluate, late, inner], engine=engine, record=True)
        pipeline.run(lr=0.5)
        pipeline.map(map_over="lr", lr=[1, 2], output_name="evaluate")
"""


def test_nodes_log_to_the_record_of_their_run_whichever_process_runs_them(folder: Path) -> None:
    (folder / "flow.py").write_text(NODES)
    done = run_python(folder, "flow.py", PYTHONPATH=on_path())
    assert (done.status, done.stderr) == (0, "")
    records = [*Store().runs(sort="number")]
    assert len(records) == 8
    for run, mapped in zip(records[::2], records[1::2]):
        lines = map(json.loads, (run.folder / "metrics.jsonl").read_text().splitlines())
        logged = {
            (one.get("node"), one["step"], name): value
            for one in lines
            for name, value in one["metrics"].items()
        }
        # Python 3.14 hands the context to threads; before that a thread knows its node where no
        # other one runs in its process.
        thread = {key for key in logged if key[2] == "thread"}
        assert thread <= {("train", 7, "thread"), (None, 7, "thread")}
        assert len(thread) == 1
        assert {key: value for key, value in logged.items() if key not in thread} == {
            ("train", 0, "loss"): 0.5,
            ("train", 1, "loss"): 0.25,
            ("evaluate", 0, "acc"): 0.5,
            ("evaluate", 0, "loss"): 9,
            ("late", 0, "late"): 0.5,
            ("inner/outer", 0, "outer"): 0.5,
        }
        shown = {"train.loss": 0.25, "evaluate.loss": 9, "acc": 0.5, "late": 0.5, "outer": 0.5}
        assert run.metrics == {**shown, "thread": 1}
        assert mapped.metric_summary["train.loss"]["count"] == 4
        assert mapped.metric_summary["train.loss"]["max"] == 2


def test_threads_that_log_first_share_one_record(folder: Path) -> None:
    (folder / "t.py").write_text(
        "import threading\nfrom kohaku_ast.helpers import logger\n"
        "together = threading.Barrier(8)\n"
        "def log():\n    together.wait()\n    logger.log({'a': 1})\n"
        "threads = [threading.Thread(target=log) for _ in range(8)]\n"
        "for one in threads: one.start()\n"
        "for one in threads: one.join()\n"
    )
    assert run_python(folder, "t.py", PYTHONPATH=on_path()).status == 0
    (record,) = Store().runs()
    assert record.metric_summary["a"]["count"] == 8
    assert record.status == "succeeded"


def test_scripts_in_pipelines_and_flows_log_to_their_own_records(folder: Path) -> None:
    (folder / "prep.py").write_text(
        "from kohaku_ast.helpers import logger\nscale = 2\nlogger.log({'pre': scale})\n"
    )
    (folder / "flow.py").write_text(
        "from kohaku_ast import Config, Pipeline, Script, Sequential, script\n"
        "from kohaku_ast.helpers import logger, process\n"
        "@process\ndef rows(scale):\n"
        "    Sequential(Script('prep.py', Config(scale=7)), mode='inline').run()\n"
        "    logger.log({'rows': scale})\n    return scale\n"
        "pipeline = Pipeline([script('prep.py', 'scale'), rows])\n"
    )
    words = ("pipeline", "run", "flow.py")
    assert run_kogine(folder, *words, PYTHONPATH=on_path()).status == 0
    found = {(one.facts.get("node") or one.label): one.metrics for one in Store().runs()}
    assert found == {"pipeline": {"pre": 2, "rows": 2}, "prep": {"pre": 2}, "prep.py": {"pre": 7}}
    assert run_kogine(folder, *words, "--no-record", PYTHONPATH=on_path()).status == 0
    assert run_kogine(folder, "run", "prep.py", "scale=4", "--no-record").status == 0
    assert not any(one.facts.get("standalone") for one in Store().runs())
