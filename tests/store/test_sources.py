"""What a record keeps of the code: texts by content, and the values of parameters."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Config, Script, Sequential
from kohaku_ast.errors import UsageError
from kohaku_ast.store.record import Record, find_runs
from kohaku_ast.store.sources import Objects
from tests.oracle import run_kogine

ROOT = Path(".kogine/runs")
SCRIPT = """\
import helper
from pathlib import Path
lr = 0.1
name = "adam"
sizes = [1, 2]
derived = lr * 2
out = Path("out")
class Args:
    depth = 3
def main(epochs=5):
    print(f"loss: {lr * helper.scale}", flush=True)
if __name__ == "__main__":
    main()
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SCRIPT)
    Path("helper.py").write_text("scale = 2\n")


def run(*values: dict[str, object]) -> list[Record]:
    configs = [Config(one) for one in values]
    Sequential(Script("train.py", configs), mode="inline").run()
    return list(find_runs(ROOT))


def test_params_are_all_values_of_the_script() -> None:
    (record,) = run({"lr": 0.5})
    assert record.params == {
        "lr": 0.5, "name": "adam", "sizes": [1, 2], "Args.depth": 3, "main(epochs)": 5,
    }  # fmt: skip


def test_params_of_a_later_flow_are_those_of_its_script() -> None:
    run({})
    Path("train.py").write_text(SCRIPT.replace("adam", "sgd"))
    first, second = run({"main(epochs)": 1})
    assert (first.params["name"], second.params["name"]) == ("adam", "sgd")
    assert (first.params["main(epochs)"], second.params["main(epochs)"]) == (5, 1)


OPTIONS = """\
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--batch-size", type=int, default=8)
parser.add_argument("--fast", action="store_true")
parser.add_argument("--cold", action="store_false", dest="warm")
parser.add_argument("--sizes", nargs="+", default=[1])
parser.add_argument("--name", required=True)
parser.parse_args()
"""


def test_params_have_what_the_arguments_of_the_script_say() -> None:
    argv = ["--lr=0.5", "--batch", "32", "--fast", "--cold", "--sizes", "1", "2", "--name", "x"]
    Path("options.py").write_text(OPTIONS)
    Sequential(Script("options.py", [Config(argv=argv)]), mode="inline").run()
    (record,) = find_runs(ROOT)
    assert record.params == {"--lr": 0.5, "--batch-size": 32, "--fast": True, "--name": "x"}


def test_params_of_a_module_are_there_if_they_are_overridden() -> None:
    (record,) = run({"helper.scale": 3})
    assert record.params["helper.scale"] == 3
    assert record.metrics["loss"] == pytest.approx(0.3)


@pytest.mark.parametrize("text", ["[1, 2", "null", ""], ids=["half written", "no dict", "empty"])
def test_a_damaged_file_of_defaults_is_made_again(text: str) -> None:
    run({})
    (file,) = Path(".kogine/objects").glob("*/*.defaults.json")
    file.write_text(text)
    assert run({"lr": 0.5})[1].params["name"] == "adam"


def test_texts_are_kept_once_by_their_content() -> None:
    records = run({}, {"lr": 0.5})
    objects = Objects(ROOT.absolute())
    for record in records:
        sources: dict[str, Any] = record.facts["sources"]
        assert objects.get(sources["script"]) == SCRIPT.encode()
        assert sources["modules"]["helper"]["file"] == "helper.py"
        assert objects.get(sources["modules"]["helper"]["sha256"]) == b"scale = 2\n"
    kept = [one for one in Path(".kogine/objects").glob("*/*") if one.suffix != ".json"]
    assert len(kept) == 2
    for one in kept:
        assert hashlib.sha256(one.read_bytes()).hexdigest() == one.parent.name + one.name


@pytest.mark.skipif(os.name != "posix", reason="modes are a matter of POSIX")
def test_texts_are_for_their_owner() -> None:
    before = os.umask(0)
    try:
        run({})
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(one.stat().st_mode) for one in Path(".kogine/objects").rglob("*")}
    assert modes == {0o700, 0o600}


def test_a_damaged_text_is_not_taken_for_the_text() -> None:
    (record,) = run({})
    objects = Objects(ROOT.absolute())
    digest = record.facts["sources"]["script"]
    objects.path(digest).write_text("lr = 666\n")
    assert objects.get(digest) is None


def test_the_texts_of_configs_their_bases_and_their_modules_are_kept() -> None:
    Path("conf").mkdir()
    files = {
        "conf/base.yaml": "lr: 0.3\n",
        "conf/top.py": "import values\nfrom kohaku_ast import use_config\n"
        "use_config('base.yaml')\nname = values.name\n",
        "conf/values.py": "name = 'sgd'\n",
    }
    for name, text in files.items():
        Path(name).write_text(text)
    words = ["--config", "conf/top.py", "--sweep", "sizes=[1],[2]"]
    done = run_kogine(Path(), "run", "train.py", *words)
    assert done.status == 0, done.stderr
    for record in find_runs(ROOT):
        assert (record.params["lr"], record.params["name"]) == (0.3, "sgd")
        configs = record.facts["sources"]["configs"]
        kept = {one["file"]: Objects(ROOT.absolute()).get(one["sha256"]) for one in configs}
        assert kept == {name: text.encode() for name, text in files.items()}
    assert "conf/base.yaml" in run_kogine(Path(), "runs", "show", "1").stdout
    Path("conf/top.py").write_text("name = 'lion'\n")
    run_kogine(Path(), "run", "train.py", "--record", "--config", "conf/top.py")
    assert (
        "-name = values.name\n+name = 'lion'" in run_kogine(Path(), "runs", "diff", "1", "3").stdout
    )


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_each_run_has_a_folder_for_its_files(mode: str) -> None:
    Path("save.py").write_text(
        "import os\nn = 0\nfolder = os.environ['KOGINE_RUN_DIR']\n"
        "if n:\n    with open(os.path.join(folder, 'out.txt'), 'w') as file:\n"
        "        file.write(str(n))\n"
    )
    flow = Sequential(Script("save.py", [Config({"n": n}) for n in (0, 1, 2)]), mode=mode)
    outcomes = flow.run()
    found = [
        sorted(os.listdir(one.run_dir)) if os.path.isdir(one.run_dir) else None for one in outcomes
    ]
    assert found == [None, ["out.txt"], ["out.txt"]]
    assert Path(outcomes[2].run_dir, "out.txt").read_text() == "2"
    digest = hashlib.sha256(b"2").hexdigest()
    named = [record.facts["files"] for record in find_runs(ROOT)]
    assert named[::2] == [[], [{"path": "out.txt", "size": 1, "sha256": digest}]]
    assert Path(outcomes[2].record) == Path(outcomes[2].run_dir).parent
    assert "KOGINE_RUN_DIR" not in os.environ


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_a_run_works_in_its_folder_on_request(mode: str) -> None:
    Path("save.py").write_text(
        "import helper\nn = 0\nwith open('out.txt', 'w') as file:\n    file.write(str(n))\n"
    )
    before = os.getcwd()
    scripts = Script("save.py", [Config({"n": n}) for n in (1, 2)])
    outcomes = Sequential(scripts, mode=mode, run_dir=True).run()
    assert [Path(one.run_dir, "out.txt").read_text() for one in outcomes] == ["1", "2"]
    assert os.getcwd() == before
    assert not Path("out.txt").exists()
    done = run_kogine(Path(), "run", "save.py", "n=3", "--run-dir", "--mode", mode)
    assert done.status == 0, done.stderr
    again = run_kogine(Path(), "runs", "reproduce", "last")
    assert "equal      files/out.txt" in again.stdout
    assert again.status == 0


def test_a_folder_of_its_own_needs_a_record() -> None:
    with pytest.raises(UsageError, match="record"):
        Sequential("train.py", run_dir=True, record=False)


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_outcomes_have_params_and_metrics(mode: str) -> None:
    (outcome,) = Sequential(Script("train.py", [Config({"lr": 0.5})]), mode=mode).run()
    assert outcome.metrics == {"loss": 1.0}
    assert (outcome.params["lr"], outcome.params["name"]) == (0.5, "adam")


def test_a_skipped_run_has_them_too() -> None:
    run({"lr": 0.5})
    script = Script("train.py", [Config({"lr": 0.5})])
    (outcome,) = Sequential(script, mode="inline", resume=True).run()
    assert (outcome.metrics, outcome.params["lr"]) == ({"loss": 1.0}, 0.5)


NAMING = "import os\ndef save():\n    return os.listdir(os.environ['KOGINE_RUN_DIR'])\n"


@pytest.mark.parametrize(
    ("files", "is_made"),
    [
        pytest.param({"s.py": NAMING + "save()\n"}, True, id="in the script"),
        pytest.param({"s.py": "import m\nm.save()\n", "m.py": NAMING}, True, id="in a module"),
        pytest.param(
            {"s.py": "f = None\nf()\n", "c.py": NAMING + "f = save\n"}, True, id="in a config"
        ),
        pytest.param({"s.py": "import os\nprint(os.environ)\n"}, False, id="nowhere"),
    ],
)
def test_the_folder_is_there_for_whoever_names_it(files: dict[str, str], is_made: bool) -> None:
    for name, text in files.items():
        Path(name).write_text(text)
    config = ["--config", "c.py"] if "c.py" in files else []
    probe = "import os\nexists = os.path.isdir(os.environ['KOGINE_' + 'RUN_DIR'])\nprint('made:', int(exists))\n"
    Path("s.py").write_text(files["s.py"] + probe)
    done = run_kogine(Path(), "run", "--record", *config, "s.py")
    assert done.status == 0, done.stderr
    assert done.stdout.endswith(f"made: {int(is_made)}\n")
    (record,) = find_runs(ROOT)
    assert not (record.folder / "files").exists()


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_odd_entries_of_the_modules_hide_no_others(mode: str) -> None:
    Path("odd.py").write_text(
        "import sys, helper\nx = 0\n"
        "class Odd:\n    @property\n    def __dict__(self): raise ValueError\n"
        "sys.modules['odd'] = Odd()\nsys.modules['none'] = None\n"
        "import importlib\nimportlib.import_module('pl' + 'ug')\n"
    )
    Path("plug.py").write_text("")
    done = run_kogine(Path(), "run", "--sweep", "x=1", "odd.py", "--mode", mode)
    assert done.status == 0, done.stderr
    (record,) = find_runs(ROOT)
    assert {*record.facts["sources"]["modules"]} == {"helper", "plug"}
    assert record.facts["cpu_seconds"] > 0


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_the_gpu_that_torch_has_used_is_named(mode: str) -> None:
    """With a torch that stands in: this machine may have no GPU."""
    Path("torch").mkdir()
    Path("torch/__init__.py").write_text("from torch import cuda\n")
    Path("torch/cuda.py").write_text(
        "is_used = False\ndef is_initialized(): return is_used\n"
        "def get_device_name(): return 'Fake GPU 80GB'\n"
    )
    Path("s.py").write_text("import torch\nuses = 0\ntorch.cuda.is_used = bool(uses)\n")
    done = run_kogine(Path(), "run", "--sweep", "uses=0,1", "s.py", "--mode", mode)
    assert done.status == 0, done.stderr
    records = sorted(find_runs(ROOT), key=lambda one: one.facts["index"])
    assert [one.facts["device"] for one in records] == [None, "Fake GPU 80GB"]
    shown = run_kogine(Path(), "runs", "diff", "1", "2").stdout
    assert "Fake GPU 80GB" in shown
