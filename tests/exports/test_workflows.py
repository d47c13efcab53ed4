"""``kogine pipeline export argo|airflow``: what is written is read again by hera, or run with stand-ins
for Airflow's classes, and its steps, run one by one in processes of their own, give what
``kogine pipeline run`` gives.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import Finished, on_path, run_kogine

yaml = pytest.importorskip("yaml")

FLOW = """\
import sys
from dataclasses import dataclass
from enum import Enum

from kohaku_ast import Callback, Hooks, Pipeline, node, permanence, script

class Mode(Enum):
    FAST = 1
    SLOW = 2

@dataclass
class Rows:
    values: list

@node
def rows(n: int, mode: Mode = Mode.FAST, tag: str = "a b") -> Rows:
    return Rows([*range(n)])

@node("low high")
def bounds(rows: Rows, margin: float = 0.5):
    return min(rows.values) - margin, max(rows.values) + margin

@node
def is_large(rows: Rows):
    return len(rows.values) > 3

@node("small", when="not is_large")
def one_by_one(rows):
    return rows.values

@node("large", when="is_large")
def in_blocks(rows):
    return [f"block of {len(rows.values)}"]

@node
def after_large(large):
    return large * 2

@node
def plain(rows, base):
    return [base + one for one in rows.values]

train = script(
    "train.py", "loss", inputs={"rows": "plain"}, mode="spawn",
    env={"pass": ["TOKEN"], "set": {"SCALE": "not-to-be-seen"}},
)

@node
def square(v: int) -> int:
    return v * v

squares = Pipeline([square], name="squares").as_node(
    map_over={"plain": "v"}, output_mapping={"square": "squares"}
)

@node
def total(low, high, loss, squares, small=None, large=None, after_large=None):
    return low, high, loss, squares, small, large, after_large, sys.argv[1:]

pipeline = Pipeline(
    [rows, bounds, is_large, one_by_one, in_blocks, after_large, plain, train, squares, total],
    name="Demo", callbacks=[Hooks("rows", on_end=lambda event: None)],
    permanences={"base": lambda: 10},
)
"""
TRAIN = "rows = []\nlr = 0.1\nloss = sum(rows) * lr\n"
ROOT = Path(__file__).parents[2]
COMMAND = ("flow.py", "--image", "lab/x:1", "--retries", "2", "--retries", "train=5")
LIMITS = ("--timeout", "rows=60", "lr=0.2")
ARGUMENTS = ("--", "hi", "a b")


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "train.py").write_text(TRAIN)
    return tmp_path


def export(folder: Path, *words: str) -> Finished:
    return run_kogine(folder, "pipeline", "export", *words)


def as_run(folder: Path, count: int) -> str:
    """What ``kogine pipeline run`` prints for the last node."""
    words = ("run", "flow.py", f"n={count}", "lr=0.2", "--no-record", *ARGUMENTS)
    return run_kogine(folder, "pipeline", *words).stdout


def in_order(after: dict[str, list[str]]) -> Iterator[str]:
    """The steps, each when those before it have been run."""
    done: set[str] = set()
    while len(done) < len(after):
        name = next(one for one in after if one not in done and done.issuperset(after[one]))
        done.add(name)
        yield name


# --- argo ----------------------------------------------------------------------------------------


def test_the_containers_of_argo_give_what_a_run_gives(flow: Path) -> None:
    pytest.importorskip("hera")
    done = export(flow, "argo", *COMMAND, *LIMITS, "-o", "flow.yaml", *ARGUMENTS)
    assert (done.status, done.stdout, done.stderr) == (0, "", "")
    text = (flow / "flow.yaml").read_text()
    check_by_hera(text)
    assert "not-to-be-seen" not in text
    workflow = yaml.safe_load(text)["spec"]
    parameters = {one["name"]: one.get("value") for one in workflow["arguments"]["parameters"]}
    assert parameters == {"n": None, "mode": "FAST", "tag": "a b", "margin": "0.5", "lr": "0.2"}
    templates = {one["name"]: one for one in workflow["templates"]}
    assert templates["rows-step"]["activeDeadlineSeconds"] == 60
    assert templates["train-step"]["retryStrategy"] == {"limit": "5", "retryPolicy": "Always"}
    assert templates["train-step"]["container"]["env"] == [
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "demo-env", "key": "TOKEN"}}}
    ]
    assert "env" not in templates["rows-step"]["container"]
    printed = run_containers(flow, workflow, templates, {**parameters, "n": "3"})
    assert printed["total"] == as_run(flow, 3)
    assert printed["in-blocks"].startswith("kogine: note: node 'in_blocks' is skipped")


def check_by_hera(text: str) -> None:
    """The models of hera, which are made from Argo's own description, read and write it again."""
    from hera.workflows.models import Workflow

    read = yaml.safe_load(text)
    found = Workflow.model_validate(read)
    assert found.model_dump(exclude_none=True, by_alias=True, mode="json") == read


def run_containers(
    folder: Path, workflow: Any, templates: dict[str, Any], parameters: dict[str, str]
) -> dict[str, str]:
    """What each task prints. As in a pod, there is nothing but the artifacts that it names."""
    tasks = {one["name"]: one for one in templates["pipeline"]["dag"]["tasks"]}
    store: dict[str, bytes] = {}
    printed = {}
    for name in in_order({one: task.get("dependencies", []) for one, task in tasks.items()}):
        template, pod = templates[tasks[name]["template"]], folder / "pods" / name
        pod.mkdir(parents=True)
        sources = {
            one["name"]: one["from"]
            for one in tasks[name].get("arguments", {}).get("artifacts", [])
        }
        for one in template.get("inputs", {}).get("artifacts", []):
            path = pod / one["path"].lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(store[sources[one["name"]]])
        container = template["container"]
        words = [
            filled(one, parameters).replace("/tmp/kogine", f"{pod}/tmp/kogine")
            for one in container["args"]
        ]
        assert container["command"] == ["kogine"]
        done = run_kogine(folder, *words)
        assert done.status == 0, done.stderr
        printed[name] = done.stdout or done.stderr
        for one in template["outputs"]["artifacts"]:
            key = f"{{{{tasks.{name}.outputs.artifacts.{one['name']}}}}}"
            store[key] = (pod / one["path"].lstrip("/")).read_bytes()
    return printed


def filled(word: str, parameters: dict[str, str]) -> str:
    return re.sub(r"\{\{workflow\.parameters\.([\w-]+)\}\}", lambda one: parameters[one[1]], word)


# --- airflow -------------------------------------------------------------------------------------


MADE: list[Task] = []


class Task:
    """Stands for KubernetesPodOperator."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.after: list[Task] = []
        MADE.append(self)

    def __rrshift__(self, others: list[Task]) -> Task:
        self.after += others
        return self


class Options:
    """Stands for other classes of Airflow: it keeps what it is given."""

    def __init__(self, *words: Any, **options: Any) -> None:
        self.words, self.options = words, options

    def __enter__(self) -> Options:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules with these names, in the place of Airflow."""
    MADE.clear()
    modules: dict[str, dict[str, Any]] = {
        "airflow.providers.cncf.kubernetes.operators.pod": {"KubernetesPodOperator": Task},
        "airflow.providers.cncf.kubernetes.secret": {"Secret": Options},
        "airflow.sdk": {"DAG": Options, "Param": Options},
        "kubernetes.client": {"models": types.SimpleNamespace(
            V1PersistentVolumeClaimVolumeSource=Options, V1Volume=Options, V1VolumeMount=Options
        )},
    }  # fmt: skip
    for name, classes in modules.items():
        module = types.ModuleType(name)
        module.__dict__.update(classes)
        for at in range(1, name.count(".") + 1):
            above = ".".join(name.split(".")[:at])
            monkeypatch.setitem(sys.modules, above, types.ModuleType(above))
        monkeypatch.setitem(sys.modules, name, module)


def test_the_pods_of_airflow_give_what_a_run_gives(flow: Path, airflow: None) -> None:
    done = export(flow, "airflow", *COMMAND, *LIMITS, *ARGUMENTS)
    assert (done.status, done.stderr) == (0, "")
    assert "not-to-be-seen" not in done.stdout
    names: dict[str, Any] = {}
    exec(compile(done.stdout, "dag.py", "exec"), names)
    tasks = {one.options["task_id"]: one for one in MADE}
    assert {one.options["trigger_rule"] for one in MADE} == {"none_failed"}
    assert tasks["train"].options["retries"] == 5
    assert tasks["rows"].options["execution_timeout"].total_seconds() == 60
    assert [one.words for one in tasks["train"].options["secrets"]] == [
        ("env", "TOKEN", "demo-env", "TOKEN")
    ]
    printed = {}
    after = {name: [each.options["task_id"] for each in one.after] for name, one in tasks.items()}
    assert after["total"] == [
        "bounds",
        "train",
        "squares",
        "one_by_one",
        "in_blocks",
        "after_large",
    ]
    given = {"n": "5", "mode": "FAST", "tag": "a b", "margin": "0.5", "lr": "0.2"}
    for name in in_order(after):
        words = [rendered(one, given, flow) for one in tasks[name].options["arguments"]]
        printed[name] = run_kogine(flow, *words)
    assert {name: one.status for name, one in printed.items() if one.status} == {"one_by_one": 99}
    assert printed["total"].stdout == as_run(flow, 5)


@pytest.mark.airflow
def test_airflow_itself_runs_the_dag(flow: Path) -> None:
    (flow / "dags").mkdir()
    done = export(flow, "airflow", *COMMAND, *LIMITS, "-o", "dags/demo.py", *ARGUMENTS)
    assert done.status == 0, done.stderr
    runner, launcher = Path(__file__).with_name("airflow_run.py"), ROOT / "tests/kogine_command.py"
    found = subprocess.run(
        [
            os.environ["AIRFLOW_PYTHON"], str(runner), str(flow), '{"n": 5}',
            sys.executable, str(launcher),
        ],
        env={
            **os.environ, "PYTHONPATH": "", "KOGINE_PATH": on_path(),
            "AIRFLOW_HOME": str(flow / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        },
        stdout=subprocess.PIPE, text=True, check=True, timeout=300,
    )  # fmt: skip
    states, total = json.loads(found.stdout.splitlines()[-1])
    skipped = [name for name, state in states.items() if state == "skipped"]
    assert (len(states), skipped) == (10, ["one_by_one"])
    assert total == as_run(flow, 5)


def rendered(word: str, given: dict[str, str], folder: Path) -> str:
    """As Airflow fills its templates."""
    word = re.sub(r"\{\{ params\['(\w+)'\] \}\}", lambda one: given[one[1]], word)
    return word.replace("/kogine/{{ dag.dag_id }}/{{ run_id }}", f"{folder}/volume")


# --- one step, and what is refused ---------------------------------------------------------------


def test_a_step_says_what_it_misses(flow: Path) -> None:
    step = ("pipeline", "step", "flow.py", "--values", "v")
    done = run_kogine(flow, *step, "--node", "is_large")
    assert (done.status, done.stderr) == (2, (
        "kogine: error: 'rows' is missing: there is no v/rows.pickle. Run the step of 'rows' "
        "(flow.py:15), which gives it, before this one, with the same folder.\n"
    ))  # fmt: skip
    assert (
        "no input 'margin'" in run_kogine(flow, *step, "--node", "rows", "n=3", "margin=1").stderr
    )
    assert "the input 'n' is missing" in run_kogine(flow, *step, "--node", "rows").stderr
    assert "Did you mean 'rows'?" in run_kogine(flow, *step, "--node", "row", "n=3").stderr
    done = run_kogine(flow, *step, "--node", "rows", "n=3", "--results", "r", "--no-record")
    assert (done.status, done.stdout) == (0, "rows = Rows(values=[0, 1, 2])\n")
    assert not (flow / "v").exists()
    (flow / "flow.py").write_text(FLOW.replace("    return Rows([", "    return (one for one in ["))
    done = run_kogine(flow, *step, "--node", "rows", "n=3")
    assert done.stderr == (
        "kogine: error: the output 'rows' of node 'rows' (flow.py:15) cannot be written to a file: a "
        "builtins.generator (TypeError: cannot pickle 'generator' object). Return plain data, or the "
        "path of a file.\n"
    )
    (flow / "v").mkdir()
    (flow / "v/plain.pickle").write_bytes(pickle.dumps([1, 2]))
    assert run_kogine(flow, *step, "--node", "squares").stdout == "squares = [1, 4]\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            "    return Rows([*range(n)])", "    yield n",
            "node 'rows' (flow.py:15) is a generator, which exists in one process only: the steps of "
            "a workflow hand their values on in files. Return a list, or the path of a file.",
            id="generator",
        ),
        pytest.param(
            "def is_large(rows: Rows):", "def is_large(rows: Rows) -> 'TextIO':",
            "node 'is_large' (flow.py:23) gives 'is_large' as TextIO, which exists in one process only",
            id="open file",
        ),
        pytest.param(
            "[Hooks(", "[type('Tell', (Callback,), {'check': lambda self, nodes: None})(), Hooks(",
            "pipeline 'Demo': the callback Tell (flow.py:62) cannot be exported: each node runs in a",
            id="callback",
        ),
        pytest.param(
            'Hooks("rows", on_end', "Hooks(on_end",
            "pipeline 'Demo': the hooks for the whole pipeline cannot be exported: each node runs in a "
            "process of its own",
            id="hooks of the pipeline",
        ),
    ],
)  # fmt: skip
def test_what_lives_in_one_process_is_refused(flow: Path, old: str, new: str, message: str) -> None:
    assert old in FLOW
    text = FLOW.replace(old, new).replace(
        "import sys\n", "import sys\nfrom typing import TextIO\n", 1
    )
    (flow / "flow.py").write_text(text)
    message = re.sub(r":(\d+)\)", lambda one: f":{int(one[1]) + 1})", message)
    done = export(flow, "airflow", "flow.py", "--image", "x")
    assert (done.status, done.stdout) == (2, "")
    assert f"kogine: error: {message}" in done.stderr


def test_other_mistakes(flow: Path) -> None:
    words = ("airflow", "flow.py", "--image", "x")
    assert (
        "'rows' is no input: 'rows' (flow.py:15) gives it" in export(flow, *words, "rows=1").stderr
    )
    assert "Did you mean 'margin'?" in export(flow, *words, "margn=1").stderr
    assert (
        "--timeout rows=soon: 'soon' is no time"
        in export(flow, *words, "--timeout", "rows=soon").stderr
    )
    assert "expected float, got 'wide'" in export(flow, *words, "margin=wide").stderr
    assert "no step is called 'tain'" in export(flow, *words, "--retries", "tain=1").stderr
    assert "Missing option '--image'" in export(flow, "airflow", "flow.py").stderr
    assert "step('total'" not in export(flow, *words, "--only", "low").stdout
