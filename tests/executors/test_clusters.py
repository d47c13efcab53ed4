"""What all clusters share, on an Executor of this machine: records, attempts, refusals, ``--on``."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Config, Parallel, Script, Sweep
from kohaku_ast.errors import UsageError
from kohaku_ast.executors import attempts, clusters, transfer, worker
from kohaku_ast.flow.settings import FlowSettings
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.job import pack
from kohaku_ast.runner.launch import Launch
from tests.executors.cluster_runs import KILLS_ITS_WORKER, facts, none_is_left, wait_for
from tests.oracle import on_path, run_kogine, run_python

TRAIN = """\
import os, helper
from kohaku_ast.helpers import checkpoints
n = 0
print(f"loss: {helper.HALF * n}")
if n == 2: raise ValueError("two")
place = os.path.join(os.environ["KOGINE_RUN_DIR"], "model.txt")
open(place, "w").write(str(n))
checkpoints.save(n, step=1)
def main(): return place
if __name__ == "__main__": main()
"""


@pytest.fixture(autouse=True)
def _script(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "helper.py").write_text("HALF = 0.5\n")


def test_records_are_those_of_a_local_flow_and_it_resumes_here() -> None:
    with ProcessPoolExecutor(1) as pool:
        pid = pool.submit(os.getpid).result()
        found = Parallel(Script("train.py", Sweep(n=[1, 2, 3])), on=pool, max_workers=2).run()
        assert pool.submit(max, 1, 2).result() == 2  # it is not shut down
    assert [one.status for one in found] == ["succeeded", "failed", "succeeded"]
    assert {one.worker for one in found} == {f"{os.uname().nodename}:{pid}"}
    assert [one.metrics for one in found] == [{"loss": 0.5}, {"loss": 1.0}, {"loss": 1.5}]
    # The path that the script has returned still leads to its file.
    assert Path(str(found[2].value)).read_text() == "3"
    assert Path(found[2].run_dir, "model.txt").read_text() == "3"
    assert "ValueError: two" in Path(found[1].log).read_text()
    assert [one["worker"] for one in facts()] == [one.worker for one in found]
    assert [one["path"] for one in facts()[0]["files"]] == [
        "model.txt", "checkpoints/step-00000001.ckpt",
    ]  # fmt: skip
    Parallel(Script("train.py", Sweep(n=[1, 3])), resume=True).run()
    assert len(facts()) == 3


def test_a_retry_goes_on_from_the_checkpoints_of_the_attempt_before() -> None:
    Path("retry.py").write_text(
        "from kohaku_ast.helpers import checkpoints\n"
        "step = checkpoints.load(0) + 1\nprint('step', step)\ncheckpoints.save(step, step)\n"
        "assert step == 3\n"
    )
    with ThreadPoolExecutor(1) as pool:
        [found] = Parallel("retry.py", on=pool, retries=2, backoff=0).run()
    assert (found.status, Path(found.log).read_text()) == ("succeeded", "step 3\n")
    assert Path(found.record, "log-2.txt").read_text().startswith("step 2\n")


def job(text: str, folder: Path, **fields: Any) -> worker.RemoteJob:
    """A job of a script with this *text*, whose record is in *folder*."""
    Path("job.py").write_text(text)
    bound = Binder(Launch("job.py"), ()).bind(Config())
    (folder / "files").mkdir(parents=True, exist_ok=True)
    return worker.RemoteJob(
        "key", pack(bound, False), bound.argv, os.getpid(), {}, os.getcwd(), None, 1.0,
        folder=str(folder), **fields,
    )  # fmt: skip


def test_work_that_a_cluster_runs_again_is_published_once(tmp_path: Path) -> None:
    message = job("print(__import__('uuid').uuid4())", tmp_path / "run").message()
    with ThreadPoolExecutor(4) as pool:
        every = [one.result() for one in [pool.submit(worker.run, *message) for _ in range(4)]]
    every.append(worker.run(*message))
    assert len({tuple(one[0]) for one in every}) == 1
    attempts.collect(tmp_path / "run", 1)
    assert len((tmp_path / "run" / "log.txt").read_text().split()) == 1


def test_a_killed_worker_leaves_the_log_and_no_process(tmp_path: Path) -> None:
    text = (
        "import os, signal, sys, time; how = 'kill'; print('so far', flush=True)\n"
        + KILLS_ITS_WORKER
    )
    message = job(text, tmp_path / "r").message()
    with ProcessPoolExecutor(1) as pool, pytest.raises(Exception, match="terminated abruptly"):
        pool.submit(worker.run, *message).result()
    assert none_is_left()
    attempts.collect(tmp_path / "r", 1)
    assert (tmp_path / "r" / "log.txt").read_text() == "so far\n"


def test_a_worker_that_is_killed_at_once_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "w.py").write_text(
        "import os, signal, subprocess, sys\nfrom kohaku_ast.executors import orphans\n"
        "words = [sys.executable, '-c', 'import time; time.sleep(600)', 'left-behind']\n"
        "run = subprocess.Popen(words, start_new_session=True)\n"
        "orphans.watch(run.pid, 'of this run')\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert run_python(tmp_path, "w.py", PYTHONPATH=on_path()).status == -signal.SIGKILL
    assert none_is_left()


def test_log_and_metrics_are_there_while_a_run_goes_on_and_those_of_a_lost_attempt_go() -> None:
    Path("long.py").write_text(
        "import os, time\nfrom kohaku_ast.helpers import logger\n"
        "n = len(os.listdir(os.path.join(os.environ['KOGINE_RUN_DIR'], '../..')))\n"
        "logger.log({'seen': n})\nprint(f'loss: {n}', flush=True)\n"
        "if n == 1: print('more of it', flush=True)\n"
        "while not os.path.exists(f'end-{n}'): time.sleep(0.02)\n"
    )
    with ThreadPoolExecutor(4) as pool, ThreadPoolExecutor(1) as own:
        flow = own.submit(Parallel("long.py", on=Twice(pool)).run)
        folder = wait_for(lambda: [*Path(".kogine/runs").glob("2*")])[0]
        for n in (1, 2):  # the second attempt begins after the first
            wait_for(lambda: f"loss: {n}\n" in "".join(map(Path.read_text, folder.glob("log.txt"))))  # noqa: B023
            assert f'"seen": {n}' in (folder / "metrics.jsonl").read_text()
            Path("begin-2").touch()
        Path("end-2").touch()
        [found] = flow.result()
        Path("end-1").touch()
    assert (found.status, found.metrics) == ("succeeded", {"loss": 2, "seen": 2})
    assert Path(found.log).read_text() == "loss: 2\n"


class Twice:
    """An Executor that runs work a second time, as a cluster does that has lost a worker."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool

    def submit(self, function: Any, *arguments: Any) -> Any:
        def second() -> Any:
            wait_for(lambda: Path("begin-2").exists())
            return function(*arguments)

        self.pool.submit(function, *arguments)
        return self.pool.submit(second)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"texts": {"/no.py": "12"}}, "has no file /no.py", id="file"),
        pytest.param({"texts": {"helper.py": "12"}}, "has another text of helper.py", id="text"),
    ],
)
def test_a_worker_that_lacks_something_says_so(
    change: dict[str, Any], told: str, tmp_path: Path
) -> None:
    made = job("pass", tmp_path / "run")
    message = worker.RemoteJob(
        **{**{name: getattr(made, name) for name in made.__slots__}, **change}
    ).message()
    assert told in worker.run(*message)[3]


FAR = """\
import os, helper, shared
from kohaku_ast.helpers import checkpoints, logger
n = 0
print(shared.NAME)
print("loss:", helper.HALF * n)
logger.log({"acc": n})
step = checkpoints.load(0) + 1
checkpoints.save(step, step)
open(os.path.join(os.environ["KOGINE_RUN_DIR"], "model.txt"), "w").write(f"{n} {step}")
if n == 2 and step == 1: raise ValueError("two")
def main(): return os.getcwd(), __file__
if __name__ == "__main__": main()
"""


def test_a_worker_without_a_shared_file_system_gets_the_files_and_sends_the_record_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    for name, text in {
        "src/far.py": FAR, "src/helper.py": "HALF = 0.5\n", "lib/shared.py": "NAME = 'shared'\n",
    }.items():  # fmt: skip
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "path", [sys.path[0], str(project / "lib"), *sys.path[1:]])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(project / "lib"), on_path()]))
    configs = [Config({"n": n, "helper.HALF": 2.0}) for n in (1, 2, 3)]
    pool = Elsewhere(project)
    script = Script("src/far.py", configs)
    found = Parallel(script, on=pool, max_workers=1, retries=1, backoff=0).run()
    assert [one.status for one in found] == ["succeeded"] * 3
    assert [one.metrics for one in found] == [{"loss": 2.0 * n, "acc": n} for n in (1, 2, 3)]
    # The second attempt of the second run has gone on from the checkpoint of the first.
    models = [Path(one.run_dir, "model.txt").read_text() for one in found]
    assert models == ["1 1", "2 2", "3 1"]
    assert Path(found[0].log).read_text() == "shared\nloss: 2.0\n"
    first = Path(found[1].record, "log-1.txt").read_text()
    assert 'far.py", line 10' in first
    assert 'raise ValueError("two")' in first  # the text of the line
    for one in found:
        cwd, file = (Path(path) for path in one.value)  # type: ignore[attr-defined]
        assert file.parent == cwd / "src"
        assert not cwd.exists()  # the folder on the worker is removed
    assert pool.submitted == 5  # the first one twice: its worker lacks the files
    assert {*Path(found[0].record).iterdir()} == {
        Path(found[0].record, one) for one in ("run.json", "log.txt", "metrics.jsonl", "files")
    }


def test_what_is_too_much_to_travel_stays_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    text = (
        "import os; print('wrote it', flush=True)\n"
        "open(os.environ['KOGINE_RUN_DIR'] + '/big', 'w').write('x' * (2 << 20))"
    )
    made = replace(job(text, tmp_path / "run"), folder="/nowhere/run")
    assert worker.run(*made.message())[5] is True  # it lacks the contents
    root, contents = transfer.read_project([str(tmp_path / "job.py")], str(tmp_path))
    [log] = worker.run(*replace(made, contents=contents, root=root).message())[4].values()
    [kept] = tmp_path.glob("kogine-*/record")
    assert log.decode() == (
        "wrote it\nkogine: warning: the files of the run have 2 MB, more than the 1 MB that travel: "
        f"they are on {os.uname().nodename}, in {kept}\n"
    )
    assert (kept / "files/big").stat().st_size == 2 << 20
    with pytest.raises(UsageError, match="more than the 1 MB that travel: use a file system"):
        transfer.read_state(str(kept), {})


class Elsewhere:
    """An Executor with one worker, on whose machine the folder *project* does not exist: in its jobs
    a letter of it is another one.
    """

    def __init__(self, project: Path) -> None:
        self.here, self.submitted = os.fsencode(project), 0
        self.there = self.here[:-1] + b"_"
        self.pool = ThreadPoolExecutor(1)

    def submit(self, function: Any, text: str, names: dict[str, Any]) -> Any:
        self.submitted += 1
        needed, _, body = names["arguments"]
        body = body.replace(self.here, self.there)
        names = {"arguments": (needed, sha256(body).hexdigest(), body)}
        return self.pool.submit(self.run, pickle.dumps((function, (text, names))))

    def run(self, data: bytes) -> Any:
        text = (
            "import os, pickle, sys; reply = os.fdopen(os.dup(1), 'wb'); os.dup2(2, 1)\n"
            "function, arguments = pickle.load(sys.stdin.buffer)\n"
            "pickle.dump(function(*arguments), reply)"
        )
        done = subprocess.run(
            [sys.executable, "-c", text], input=data, stdout=subprocess.PIPE, check=True, cwd="/",
            env={**os.environ, "PYTHONPATH": on_path()},
        )  # fmt: skip
        return pickle.loads(done.stdout.replace(self.there, self.here))


def test_another_installation_is_named_with_the_line_that_mends_it() -> None:
    needed = ("9.9", *worker.installation()[1:])
    assert 'pip install "kohaku-ast==9.9"' in worker.why_unfit(needed)
    assert 'pip install "kohaku-ast==9.9"' in worker.run(needed, "", b"")[3]
    assert "damaged" in worker.run(worker.installation(), "", b"x")[3]


def test_a_job_that_was_cancelled_before_it_came_does_not_start(tmp_path: Path) -> None:
    message = job("open('ran', 'w')", tmp_path / "run").message()
    assert worker.send_signal("key", 2) is False
    assert "cancelled" in worker.run(*message)[3]
    assert not Path("ran").exists()
    worker._cancelled.clear()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["--on", "daks"], "Did you mean 'dask'?", id="a near name"),
        pytest.param(
            ["--on", "dask://"], "name the host and the port: dask://HOST:PORT", id="port"
        ),
        pytest.param(["--on", "nowhere:make"], "No module named 'nowhere'", id="no module"),
        pytest.param(["--on", "pool:pool", "--mode", "warm"], "--mode warm: a worker", id="mode"),
        pytest.param(["--on", "pool:pool", "--gpus", "0"], "--gpus shares out", id="gpus"),
        pytest.param(["--on", "pool:number"], "it returned 3, which is no Executor", id="number"),
    ],
)
def test_a_mistake_is_told_before_anything_runs(words: list[str], told: str) -> None:
    Path("pool.py").write_text("def number(): return 3\ndef pool(): ...\n")
    done = run_kogine(Path(), "run", "train.py", *words)
    assert (done.status, told in done.stderr, Path(".kogine").exists()) == (2, True, False), done


def test_what_is_not_installed_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "find_spec", lambda name: None)
    assert 'pip install "kohaku-ast[dask]"' in clusters.list_clusters()
    with pytest.raises(UsageError, match=r'it needs distributed: pip install "kohaku-ast\[dask\]"'):
        Parallel("train.py", on="dask").run()


def test_a_factory_on_the_command_line() -> None:
    Path("pool.py").write_text(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def make(): return ThreadPoolExecutor(2)\n"
    )
    done = run_kogine(Path(), "run", "train.py", "--sweep", "n=1,2", "--on", "pool:make")
    assert done.status == 1
    assert "1 succeeded, 1 failed" in done.stderr
    assert "ValueError: two" in done.stderr
    assert "MODULE:FACTORY" in run_kogine(Path(), "run", "--on", "list").stdout


def test_settings_that_need_this_machine_are_refused() -> None:
    with pytest.raises(UsageError, match="gpus"):
        FlowSettings(on="dask", gpus=("0",))
    with pytest.raises(UsageError, match="on is the name of a cluster or an Executor, got 3"):
        Parallel("train.py", on=3)
