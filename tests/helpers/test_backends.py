"""``logger.init(backends=...)``: the numbers of each run in other trackers as well."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Store
from kohaku_ast.helpers import logger
from tests.oracle import on_path, run_kogine, run_python

TRAIN = """\
import os, signal, subprocess, sys
from multiprocessing import get_context
from kohaku_ast.helpers import logger

lr = 0.1
end = ""
logger.init(project="toy", config={"model": {"depth": 3}}, backends=[])


def work(one):
    logger.log({"child": one})


def main():
    for epoch in range(3):
        logger.log({"loss": lr / (epoch + 1), "val": {"acc": epoch / 3}})
    if end == "children":
        for method in "fork", "spawn":
            child = get_context(method).Process(target=work, args=(1,))
            child.start(); child.join()
        subprocess.run([sys.executable, "-c", "from kohaku_ast.helpers import logger; logger.log({'b': 1})"])
    if end == "exit":
        sys.exit(0)
    if end == "interrupt":
        signal.raise_signal(signal.SIGINT)
    if lr > 0.15:
        raise ValueError("too fast")


if __name__ == "__main__":
    main()
"""
FAKE = """\
import json, os, uuid
SENT = os.path.join(os.path.dirname(__file__), "sent.jsonl")
class Settings(dict):
    pass
class Run:
    def __init__(self, given):
        self.id = uuid.uuid4().hex
        self.write(given=given)
    def write(self, **fields):
        with open(SENT, "a") as file:
            file.write(json.dumps({"run": self.id, **fields}) + "\\n")
    def log(self, row, step=None, commit=None):
        if os.path.exists("full"):
            raise OSError(28, "No space left on device")
        self.write(row=row, step=step)
    def finish(self, exit_code=None):
        self.write(exit=exit_code)
def init(**given):
    return Run(given)
def setup():
    return None
"""
"""What wandb_backend calls of wandb: it notes what it is given."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_MODE", "WANDB_PROJECT", "MLFLOW_TRACKING_URI", "KOGINE_LOGGERS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "t.py").write_text(TRAIN)
    return tmp_path


def script(folder: Path, backends: str, before: str = "") -> None:
    text = TRAIN.replace("backends=[]", f"backends={backends}")
    (folder / "t.py").write_text(before + text)


def sent(folder: Path) -> list[dict[str, Any]]:
    """The runs that the fake has been given, in order: ``given``, ``rows``, ``exit``."""
    runs: dict[str, dict[str, Any]] = {}
    for line in (folder / "sent.jsonl").read_text().splitlines():
        one = json.loads(line)
        run = runs.setdefault(one["run"], {"rows": [], "exit": None})
        if "row" in one:
            assert run["exit"] is None, "logged after the end"
            row = {name: value for name, value in one["row"].items() if name != "_timestamp"}
            run["rows"].append((one["step"], row))
        run |= {name: one[name] for name in ("given", "exit") if name in one}
    return [*runs.values()]


def rows(lr: float) -> list[tuple[int, dict[str, float]]]:
    return [(n, {"loss": lr / (n + 1), "val/acc": n / 3}) for n in range(3)]


@pytest.mark.parametrize(
    ("backends", "text"),
    [
        pytest.param("wanbd", "unknown backend 'wanbd' .* Did you mean 'wandb'", id="near"),
        pytest.param(
            ["mlflow", "neptune"],
            r"'neptune' \(expected one of: mlflow, tensorboard, trackio, wandb\)",
            id="not near",
        ),
        pytest.param("wandb:onlin", "mode of wandb 'onlin' .* mean 'online'", id="a mode"),
        pytest.param("mlflow:online", "nothing may follow 'mlflow'", id="no modes"),
    ],
)
def test_an_unknown_backend_is_refused(folder: Path, backends: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        logger.init(project="toy", backends=backends)
    assert [one.name for one in folder.iterdir()] == ["t.py"]
    name = backends if isinstance(backends, str) else ",".join(backends)
    done = run_python(folder, "t.py", PYTHONPATH=on_path(), KOGINE_LOGGERS=name)
    assert (done.status, "ValueError: KOGINE_LOGGERS: " in done.stderr) == (1, True)


def test_what_is_not_installed_is_one_warning_each(folder: Path) -> None:
    absent = "import sys; sys.modules.update(wandb=None, trackio=None)\n"
    script(folder, '["wandb", "trackio"]', absent)
    done = run_python(folder, "t.py", PYTHONPATH=on_path())
    where = f"{folder}/t.py:8: RuntimeWarning: logging to "
    lines = [line for line in done.stderr.splitlines() if not line.startswith("  ")]
    assert lines == [
        f'{where}{name} needs {name}: pip install "kohaku-ast[{name}]"; the run goes on without it'
        for name in ("wandb", "trackio")
    ]
    [record] = Store().runs()
    assert (done.status, record.status, record.metrics["loss"]) == (0, "succeeded", 0.1 / 3)


WAYS = {
    "inline": ["--mode", "inline"],
    "spawn": ["--mode", "spawn", "--workers", "2"],
    "warm": ["--mode", "warm", "--workers", "2"],
}


@pytest.mark.parametrize("way", WAYS)
def test_each_run_of_a_sweep_is_its_own_run(folder: Path, way: str) -> None:
    (folder / "wandb.py").write_text(FAKE)
    axes = ["--sweep", "lr=0.2,0.1", "--on-error", "continue", *WAYS[way]]
    done = run_kogine(folder, "run", "t.py", *axes, KOGINE_LOGGERS="wandb")
    assert "RuntimeWarning" not in done.stderr
    runs = sorted(sent(folder), key=lambda one: str(one["given"]["name"]))
    for run, lr in zip(runs, (0.1, 0.2), strict=True):
        given = run["given"]
        assert run["rows"] == rows(lr)
        assert run["exit"] == (1 if lr > 0.15 else 0)
        assert (given["name"], given["project"], given["mode"]) == (f"lr={lr}", "toy", "offline")
        assert given["config"].items() >= {"model/depth": 3, "lr": lr, "end": ""}.items()
        assert not any("logger" in name for name in given["config"])
    assert runs[0]["given"]["group"] == runs[1]["given"]["group"]
    assert runs[0]["given"]["group"].startswith("t.py ")


@pytest.mark.parametrize(
    ("end", "status", "exit_code"),
    [("", 0, 0), ("exit", 0, 0), ("interrupt", -2, 255), ("children", 0, 0)],
)
def test_the_end_of_a_script_and_its_children(
    folder: Path, end: str, status: int, exit_code: int
) -> None:
    script(folder, '"wandb:disabled"')
    (folder / "wandb.py").write_text(FAKE)
    (folder / "t.py").write_text(
        (folder / "t.py").read_text().replace('end = ""', f"end = {end!r}")
    )
    done = run_python(folder, "t.py", PYTHONPATH=on_path())
    assert done.status == status, done.stderr
    [run] = sent(folder)
    assert (run["rows"], run["exit"]) == (rows(0.1), exit_code)
    assert (run["given"]["mode"], run["given"]["group"]) == ("disabled", None)


def test_a_backend_that_fails_later_is_one_warning(folder: Path) -> None:
    (folder / "wandb.py").write_text(FAKE)
    more = 'open("full", "w").close()\nfor n in range(2500):\n    logger.log({"n": n})\n'
    script(folder, '"wandb"')
    (folder / "t.py").write_text((folder / "t.py").read_text() + more)
    done = run_python(folder, "t.py", PYTHONPATH=on_path())
    failed = "logging to wandb failed: [Errno 28] No space left on device; the run goes on"
    assert (done.status, done.stderr.count(failed)) == (0, 1), done.stderr
    [record] = Store().runs()
    assert (record.status, record.metrics["n"]) == ("succeeded", 2499)


def test_steps_that_go_back_are_not_lost(folder: Path) -> None:
    (folder / "wandb.py").write_text(FAKE)
    text = "from kohaku_ast.helpers import logger\nlogger.init(backends='wandb')\n"
    steps = (0, 10, 10, 5, 11)
    calls = "".join(
        f"logger.log({{'ab'[{n} == 2]: {n}}}, {step})\n" for n, step in enumerate(steps)
    )
    (folder / "t.py").write_text(text + calls)
    run_python(folder, "t.py", PYTHONPATH=on_path())
    [run] = sent(folder)
    assert run["rows"] == [
        (0, {"a": 0}), (10, {"a": 1}), (10, {"b": 2}), (None, {}),
        (None, {"step": 5, "a": 3}), (None, {"step": 11, "a": 4}),
    ]  # fmt: skip


FLOW = """\
from kohaku_ast import Pipeline, node
from kohaku_ast.helpers import logger

@node
def a(x):
    logger.log({"loss": x})
    return 1 / (x - 3)

@node
def b(a):
    logger.log({"acc": a})

if __name__ == "__main__":
    logger.init(backends="wandb", console=True)
    flow = Pipeline([a, b], record=True, engine="parallel")
    flow.map({"x": [1, 2]}, map_over="x")
    try:
        flow.run(x=3)
    except ZeroDivisionError:
        pass
    logger.log({"after": 1})
"""


def test_worker_processes_of_a_pipeline_log_to_the_one_run_of_its_record(folder: Path) -> None:
    (folder / "wandb.py").write_text(FAKE)
    (folder / "flow.py").write_text(FLOW)
    done = run_python(folder, "flow.py", PYTHONPATH=on_path())
    assert (done.status, done.stderr) == (0, ""), done
    own, both, failed = sent(folder)
    assert both["given"]["name"] == "x=[1, 2]"
    logged = sorted(pair for _, row in both["rows"] for pair in row.items() if pair[0] != "step")
    assert logged == [("acc", -1.0), ("acc", -0.5), ("loss", 1), ("loss", 2)]
    assert (failed["rows"], own["rows"]) == ([(0, {"loss": 3})], [(0, {"after": 1})])
    assert [one["exit"] for one in (both, failed, own)] == [0, 1, 0]


def test_two_runs_in_a_program_are_apart_from_its_own(folder: Path) -> None:
    (folder / "wandb.py").write_text(FAKE)
    script(folder, '"wandb"')
    (folder / "program.py").write_text(
        "from kohaku_ast import Script\nfrom kohaku_ast.helpers import logger\n"
        "logger.log({'mine': 1})\nScript('t.py').run()\n"
        "try:\n    Script('t.py').run(lr=0.2)\nexcept ValueError:\n    pass\nlogger.log({'mine': 2})\n"
    )
    done = run_python(folder, "program.py", PYTHONPATH=on_path())
    assert (done.status, done.stderr) == (0, "")
    assert [(one["rows"], one["exit"]) for one in sent(folder)] == [(rows(0.1), 0), (rows(0.2), 1)]
    records = Store().runs(sort="number")
    assert [(one.status, len(one.metrics)) for one in records] == [
        ("succeeded", 1), ("succeeded", 2), ("failed", 2),
    ]  # fmt: skip


# --- the libraries themselves --------------------------------------------------------------------


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of two runs, one of which fails, in all libraries that are installed."""
    folder = tmp_path_factory.mktemp("logged")
    beside = "import wandb\nwandb.init(project='mine', mode='offline').log({'x': lr})\n"
    text = TRAIN.replace('project="toy", ', "")
    (folder / "t.py").write_text(
        text.replace(
            "def work",
            f"if os.environ['BESIDE']:\n    {beside.replace(chr(10), chr(10) + '    ')}\n\ndef work",
        )
    )
    names = [name for name in ("mlflow", "tensorboard", "trackio", "wandb") if _is_there(name)]
    axes = ["--sweep", "lr=0.1,0.2", "--on-error", "continue", "--workers", "2"]
    done = run_kogine(
        folder, "run", "t.py", *axes, KOGINE_LOGGERS=",".join(names), TRACKIO_DIR=str(folder / "trackio"),
        BESIDE="1" if "wandb" in names else "", WANDB_SILENT="true",
    )  # fmt: skip
    assert "Warning" not in done.stdout + done.stderr
    return folder


BIG = "make trackers MORE='wandb trackio' installs it, as a release does; CI has no time for it"


def _is_there(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


@pytest.mark.trackers
@pytest.mark.filterwarnings("ignore")
def test_mlflow_has_the_runs_and_an_export_adds_to_them(logged: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{logged}/mlflow.db")
    done = run_kogine(logged, "runs", "export", "mlflow", "--where", "lr > 0")
    assert done.stdout.endswith("mlflow.db: 2 updated\n"), done
    found = client.search_runs([client.get_experiment_by_name("t.py").experiment_id])
    for run, lr in zip(
        sorted(found, key=lambda one: str(one.info.run_name)), (0.1, 0.2), strict=True
    ):
        assert run.info.status == ("FINISHED" if lr < 0.15 else "FAILED")
        assert run.info.run_name == f"lr={lr}"
        assert (run.data.params["lr"], run.data.params["model/depth"]) == (str(lr), "3")
        history = client.get_metric_history(run.info.run_id, "loss")
        assert [(one.step, one.value) for one in history] == [(n, lr / (n + 1)) for n in range(3)]
    assert len({run.data.tags["kogine.group"] for run in found}) == 1


@pytest.mark.trackers
def test_a_server_of_mlflow_that_is_gone_is_asked_three_times(folder: Path) -> None:
    asked = []

    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(503)

        def log_message(self, *_: object) -> None:
            pass

    script(folder, '"mlflow"')
    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_port}"
        done = run_python(
            folder, "t.py", PYTHONPATH=on_path(), MLFLOW_TRACKING_URI=uri,
            MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR="0", MLFLOW_HTTP_REQUEST_BACKOFF_JITTER="0",
        )  # fmt: skip
        server.shutdown()
    assert (done.status, len(asked)) == (0, 3)
    assert done.stderr.count("cannot log to mlflow: ") == 1
    assert done.stderr.count("the run goes on without it") == 1
    assert not (folder / "mlflow.db").exists()


@pytest.mark.trackers
@pytest.mark.filterwarnings("ignore")
def test_tensorboard_has_the_runs(logged: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    for record in Store(logged / ".kogine" / "runs").runs():
        found = EventAccumulator(str(record.folder / "files" / "tensorboard"))
        found.Reload()
        lr: Any = record.params["lr"]
        assert [(one.step, one.value) for one in found.Scalars("loss")] == [
            (n, pytest.approx(lr / (n + 1))) for n in range(3)
        ]
        start, end = (
            HParamsPluginData.FromString(
                found.summary_metadata[f"_hparams_/session_{one}_info"].plugin_data.content
            )
            for one in ("start", "end")
        )
        assert start.session_start_info.hparams["lr"].number_value == lr
        assert end.session_end_info.status == (1 if lr < 0.15 else 2)


@pytest.mark.trackers
@pytest.mark.filterwarnings("ignore")
def test_trackio_has_the_runs(logged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(logged / "trackio"))
    trackio = pytest.importorskip("trackio", reason=BIG)
    storage = pytest.importorskip("trackio.sqlite_storage").SQLiteStorage
    found = {run.name: run for run in trackio.Api().runs("t")}
    assert {*found} == {"lr=0.1", "lr=0.2"}
    for name, run in found.items():
        lr = float(name[3:])
        points = storage.get_logs("t", name, run_id=run.id)
        assert [(one["step"], one["loss"]) for one in points] == [
            (n, lr / (n + 1)) for n in range(3)
        ]
        assert (run.config["lr"], run.config["_Group"][:5]) == (lr, "t.py ")


@pytest.mark.trackers
@pytest.mark.filterwarnings("ignore")
def test_wandb_has_the_runs_beside_those_of_the_script(logged: Path) -> None:
    pytest.importorskip("wandb", reason=BIG)
    runs = [*wandb_runs(logged)]
    mine = [run for run in runs if run["project"] == "mine"]
    assert sorted(run["rows"][0]["x"] for run in mine) == [0.1, 0.2]
    ours = sorted((run for run in runs if run["project"] == "t"), key=lambda one: str(one["name"]))
    for run, lr in zip(ours, (0.1, 0.2), strict=True):
        assert (run["name"], run["exit"]) == (f"lr={lr}", int(lr > 0.15))
        assert [(row["_step"], row["loss"]) for row in run["rows"]] == [
            (n, lr / (n + 1)) for n in range(3)
        ]
        assert (run["config"]["lr"], run["config"]["model/depth"]) == (lr, 3)
    assert ours[0]["group"] == ours[1]["group"] != ""


def wandb_runs(folder: Path) -> Iterator[dict[str, Any]]:
    """The runs in wandb's offline files: logs of LevelDB with records of its protocol."""
    from wandb.proto.wandb_internal_pb2 import Record

    for path in folder.glob("wandb/offline-run-*/*.wandb"):
        run: dict[str, Any] = {"rows": [], "exit": None}
        for data in _leveldb(path.read_bytes()):
            one = Record.FromString(data)
            if one.HasField("run"):
                run |= {"name": one.run.display_name, "group": one.run.run_group}
                run |= {"project": one.run.project, "config": _items(one.run.config.update)}
            elif one.HasField("history"):
                run["rows"].append(_items(one.history.item))
            elif one.HasField("exit"):
                run["exit"] = one.exit.exit_code
        yield run


def _items(items: Any) -> dict[str, Any]:
    return {one.key or "/".join(one.nested_key): json.loads(one.value_json) for one in items}


def _leveldb(data: bytes) -> Iterator[bytes]:
    at, part, block, head = 7, b"", 32768, struct.calcsize("<IHB")
    while at + head <= len(data):
        if block - at % block < head:
            at += block - at % block
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + head])
        part += data[at + head : at + head + size]
        at += head + size
        if kind in (1, 4):  # whole, or the last part
            yield part
            part = b""
