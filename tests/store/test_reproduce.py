"""A recorded run comes out the same when nothing of it is left on the disk but its record."""

from __future__ import annotations

import functools
import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from kohaku_ast import Config, Script, Sequential, Store
from kohaku_ast.errors import UsageError
from kohaku_ast.store.sources import Objects
from tests.cli.recorded import started
from tests.oracle import Finished, on_path, run_kogine

CONFIG = """\
from helper import Grid
from kohaku_ast import Config
def schedule(n):
    return n * 3
class Model:
    depth = 4
    def size(self):
        return self.depth * 10
CONFIG = Config({"schedule": schedule, "Model": Model, "offset": 1, "path": "a b",
                 "grid": Grid(3), "Grid": Grid})
"""
SCRIPT = """\
import importlib, os, sys
import helper
from pkg.inner import deep
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
plugin = importlib.import_module("plu" + "gin")
schedule = None
Model = None
offset = 0
path = ""
grid = Grid = None
print("own:", isinstance(grid, helper.Grid) + (Grid is helper.Grid) + grid.n)
print("loss:", schedule(offset) + Model().size() + helper.scale + plugin.bonus + deep)
print("arguments =", len(sys.argv))
if __name__ == "__main__":
    with open(os.path.join(os.environ["KOGINE_RUN_DIR"], "out.txt"), "w") as file:
        file.write(path)
"""
FILES = {
    "cfg.py": CONFIG,
    "train.py": SCRIPT,
    "helper.py": "scale = 100\nclass Grid:\n    def __init__(self, n): self.n = n + 1\n",
    "pkg/__init__.py": "",
    "pkg/inner.py": "deep = 1000\n",
    "lib/plugin.py": "bonus = 5\n",
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def edit(folder: Path) -> None:
    """Give every number in every file another value."""
    for name, text in FILES.items():
        (folder / name).write_text(text.replace("1", "7").replace("4", "8"))


def remove(folder: Path) -> None:
    """Leave nothing but the store."""
    for one in folder.iterdir():
        if one.name == ".kogine":
            continue
        shutil.rmtree(one) if one.is_dir() else one.unlink()


def run(folder: Path, *words: str) -> Finished:
    done = run_kogine(folder, "run", "--record", *words)
    assert done.status == 0, done.stderr
    return done


def reproduce(folder: Path, *words: str) -> tuple[Finished, list[str], dict[str, list[str]]]:
    done = run_kogine(folder, "runs", "reproduce", "last", "--format", "json", *words)
    found = json.loads(done.stdout)
    return done, found["equal"], found["different"]


@pytest.mark.parametrize("change", [edit, remove], ids=["edited", "removed"])
@pytest.mark.parametrize("mode", ["alone", "spawn", "warm", "inline"])
def test_the_old_results_come_out(mode: str, change: object, tmp_path: Path) -> None:
    write(tmp_path, FILES)
    more = [] if mode == "alone" else ["--mode", mode]
    run(tmp_path, "--config", "cfg.py", *more, "train.py", "--", "one", "--two")
    assert callable(change)
    change(tmp_path)
    done, equal, different = reproduce(tmp_path)
    assert (done.status, different) == (0, {})
    assert equal == [
        "status", "exit status", "metrics.own", "metrics.loss", "metrics.arguments", "files/out.txt",
    ]  # fmt: skip
    assert "own: 6\nloss: 1148\narguments = 3\n" in done.stderr


def test_a_store_copied_elsewhere_reproduces(tmp_path: Path) -> None:
    write(tmp_path / "here", FILES)
    run(tmp_path / "here", "--config", "cfg.py", "train.py")
    shutil.copytree(tmp_path / "here" / ".kogine", tmp_path / "there" / ".kogine")
    shutil.rmtree(tmp_path / "here")
    done, _, different = reproduce(tmp_path / "there")
    assert (done.status, different) == (0, {})


@pytest.mark.parametrize(
    ("files", "words"),
    [
        pytest.param({"pkg/__init__.py": "", "pkg/run.py": "from pkg import x\nlr = 1\nprint('loss:', lr + x.n)\n",
                      "pkg/x.py": "n = 5\n"}, ["-m", "pkg.run", "lr=3"], id="a module of a package"),
        pytest.param({"app/__main__.py": "import x\nlr = 1\nprint('loss:', lr + x.n)\n", "app/x.py": "n = 5\n"},
                     ["app", "lr=3"], id="a folder"),
        pytest.param({"deep/er/t.py": "import x\nlr = 1\nprint('loss:', lr + x.n)\n", "deep/er/x.py": "n = 5\n"},
                     ["deep/er/t.py", "lr=3"], id="below the working folder"),
        pytest.param({"t.py": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr', type=int, default=1)\n"
                      "print('loss:', p.parse_args().lr + 5)\n"}, ["t.py", "--", "--lr", "3"], id="arguments"),
        pytest.param({"t.py": "def main(lr=1):\n    print('loss:', lr + 5)\nmain()\n"},
                     ["t.py", "main(lr)=3"], id="an argument of the entrypoint"),
        pytest.param({"t.py": "import hp\nprint('loss:', hp.lr + 5)\n", "hp.py": "lr = 1\n"},
                     ["t.py", "hp.lr=3"], id="an overridden module"),
        pytest.param({"t.py": "import sys\nsys.path.append('lib')\nimport hp\nprint('loss:', f'{hp.lr + 5:g}' if "
                      "type(hp.lr) is float else 0)\n", "lib/hp.py": "lr = 1.0\n"},
                     ["t.py", "hp.lr=3"], id="an overridden module that only the running script finds"),
    ],
)  # fmt: skip
def test_each_way_to_start(files: dict[str, str], words: list[str], tmp_path: Path) -> None:
    write(tmp_path, files)
    assert run(tmp_path, *words).stdout == "loss: 8\n"
    remove(tmp_path)
    done, equal, different = reproduce(tmp_path)
    assert (done.status, different, "metrics.loss" in equal) == (0, {}, True)
    assert "loss: 8\n" in done.stderr


def test_modules_on_the_path_are_the_recorded_ones(tmp_path: Path) -> None:
    write(tmp_path / "libs", {"shared.py": "n = 5\n"})
    write(tmp_path / "work", {"t.py": "import shared\nprint('loss:', shared.n)\n"})
    path = os.pathsep.join([str(tmp_path / "libs"), on_path()])
    done = run_kogine(tmp_path / "work", "run", "--record", "t.py", PYTHONPATH=path)
    assert done.stdout == "loss: 5\n"
    write(tmp_path / "libs", {"shared.py": "n = 6\n"})
    done = run_kogine(tmp_path / "work", "runs", "reproduce", "last", PYTHONPATH=path)
    assert (done.status, "different" in done.stdout) == (0, False)


def test_what_differs_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"t.py": "import os\nprint('loss:', len(os.listdir('/proc/self/fd')))\n"
                     "print('pid:', os.getpid())\n"})  # fmt: skip
    run(tmp_path, "t.py")
    done, equal, different = reproduce(tmp_path)
    assert done.status == 1
    assert "exit status" in equal
    before, now = different["metrics.pid"]
    assert before != now


def test_a_run_that_fails_again_is_equal(tmp_path: Path) -> None:
    write(tmp_path, {"t.py": "print('loss: 1')\nraise SystemExit(3)\n"})
    run_kogine(tmp_path, "run", "--record", "t.py")
    done, equal, _ = reproduce(tmp_path)
    assert (done.status, equal[:2]) == (0, ["status", "exit status"])


def test_data_is_linked_on_request(tmp_path: Path) -> None:
    write(tmp_path, {"t.py": "print('loss:', open('data/n.txt').read())\n", "data/n.txt": "5"})
    run(tmp_path, "t.py")
    done, _, different = reproduce(tmp_path)
    assert (done.status, different["status"]) == (1, ["succeeded", "failed"])
    assert "FileNotFoundError" in done.stderr
    assert "--link" in done.stderr
    done, _, different = reproduce(tmp_path, "--link", "data")
    assert (done.status, different) == (0, {})


def test_tables_of_trials_and_config_files_are_there_for_a_script_that_reads_them(
    tmp_path: Path,
) -> None:
    files = {
        "train.py": "lr = 0\nadd = 0\n"
        "print('loss:', lr + add + len(open('trials.csv').read()) + len(open('cfg.yaml').read()))\n",
        "trials.csv": "lr\n1\n2\n",
        "cfg.yaml": "add: 5\n",
    }
    write(tmp_path, files)
    run(tmp_path, "--config", "cfg.yaml", "--trials", "trials.csv", "train.py")
    shown = run_kogine(tmp_path, "runs", "show", "last").stdout
    assert [line.split()[0] for line in shown.splitlines() if "sha256" in line] == [
        "cfg.yaml", "trials.csv",
    ]  # fmt: skip
    write(tmp_path, dict.fromkeys(files, "what came later"))
    done, equal, different = reproduce(tmp_path)
    assert (done.status, equal[2:], different) == (0, ["metrics.loss"], {})
    # A link that was asked for comes first.
    different = reproduce(tmp_path, "--link", "trials.csv")[2]
    assert different == {"metrics.loss": ["21", "29"]}


def test_a_missing_or_damaged_text_is_named_before_anything_is_written(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    run(tmp_path, "--config", "cfg.py", "train.py")
    record = Store(tmp_path / ".kogine" / "runs").find("last")
    digest = record.facts["sources"]["modules"]["helper"]["sha256"]
    Objects(tmp_path / ".kogine" / "runs").path(digest).write_text("scale = 666\n")
    done = run_kogine(tmp_path, "runs", "reproduce", "last")
    assert done.status == 2
    assert "helper.py" in done.stderr
    assert not (tmp_path / ".kogine" / "reproduced").exists()


def test_a_value_of_which_only_the_text_is_left_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"t.py": "lock = None\nprint('loss: 1')\n"})
    Sequential(Script("t.py", Config({"lock": threading.Lock()})), mode="inline").run()
    with pytest.raises(UsageError, match=r"'lock' in .* was recorded as text only"):
        Store().reproduce("last")


def test_a_record_without_texts_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"t.py": "lr = 1\n"})
    run(tmp_path, "t.py")
    (file,) = tmp_path.glob(".kogine/runs/*/run.json")
    facts = json.loads(file.read_text())
    del facts["sources"], facts["params"], facts["metrics"]
    file.write_text(json.dumps(facts))
    done = run_kogine(tmp_path, "runs", "reproduce", "last")
    assert done.status == 2
    assert "kogine runs repeat" in done.stderr


def test_other_versions_are_a_warning(tmp_path: Path) -> None:
    write(tmp_path, {"t.py": "import rich\nprint('loss: 1')\n"})
    run(tmp_path, "t.py")
    (file,) = tmp_path.glob(".kogine/runs/*/run.json")
    facts = json.loads(file.read_text())
    assert "rich" in facts["packages"]
    facts["packages"] = {"rich": "0.1", "gone": "2.0"}
    facts["environment"]["python"] = "2.7.18"
    file.write_text(json.dumps(facts))
    done = run_kogine(tmp_path, "runs", "reproduce", "last")
    assert done.status == 0
    for text in ("python was 2.7.18", "rich was 0.1", "gone was 2.0, and is not installed"):
        assert text in done.stderr


@pytest.mark.parametrize(
    ("link", "message"),
    [
        pytest.param("../outside", "is outside of the folder of the run", id="outside"),
        pytest.param("src", "the text 'src/t.py' of the run is restored there", id="of the script"),
        pytest.param("src/t.py", "is restored there", id="the script"),
        pytest.param("data/none", "there is no 'data/none' to link", id="missing"),
    ],
)
def test_data_that_cannot_be_linked_is_named_before_anything_is_written(
    link: str, message: str, tmp_path: Path
) -> None:
    write(tmp_path, {"outside/x": "", "work/src/t.py": "print('loss: 1')\n", "work/data/n": "5"})
    run(tmp_path / "work", "src/t.py")
    done = run_kogine(tmp_path / "work", "runs", "reproduce", "last", "--link", link)
    assert (done.status, done.stderr.startswith("kogine: error: ")) == (2, True)
    assert message in done.stderr
    assert not (tmp_path / "work/.kogine/reproduced").exists()


def test_data_is_linked_by_its_full_path_and_twice(tmp_path: Path) -> None:
    write(tmp_path, {"t.py": "print('loss:', open('data/n.txt').read())\n", "data/n.txt": "5"})
    run(tmp_path, "t.py")
    done, _, different = reproduce(tmp_path, "--link", str(tmp_path / "data"), "--link", "data")
    assert (done.status, different) == (0, {})


def test_variables_that_change_numbers_are_those_of_the_run(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"t.py": "import os\nprint('loss:', len(os.environ.get('OMP_NUM_THREADS', '')))\n"},
    )
    run(tmp_path, "t.py")
    done = run_kogine(tmp_path, "runs", "reproduce", "last", OMP_NUM_THREADS="4")
    assert (done.status, "different" in done.stdout) == (0, False), done.stdout


@pytest.mark.parametrize("command", ["reproduce", "repeat"])
@pytest.mark.parametrize(
    "fields",
    [{"argv": None}, {"overrides": [{"target": "k", "json": 1}, 5]}, {"script": {}}],
    ids=["arguments", "overrides", "script"],
)
def test_a_damaged_record_is_named(fields: object, command: str, tmp_path: Path) -> None:
    write(tmp_path, {"t.py": "print('loss: 1')\n"})
    run(tmp_path, "t.py")
    (file,) = tmp_path.glob(".kogine/runs/*/run.json")
    assert isinstance(fields, dict)
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))
    done = run_kogine(tmp_path, "runs", command, "last")
    assert (done.status, "Traceback" in done.stderr) == (2, False), done.stderr


def test_a_full_disk_is_one_message_and_leaves_nothing(tmp_path: Path) -> None:
    """A file of over 1 kB cannot be written: the module, and then the record."""
    resource = pytest.importorskip("resource")
    (tmp_path / "helper.py").write_text("k = 3\n" + "#" * 3000)
    (tmp_path / "train.py").write_text("import helper\nprint('loss:', helper.k)\n")
    (tmp_path / "small.py").write_text("print('loss:', 1)\n")
    for name in ("train.py", "small.py"):
        run_kogine(tmp_path, "run", "--record", name)

    def reproduce(run: str) -> tuple[int, str]:
        limit = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (1024, 1024))
        with started(tmp_path, "runs", "reproduce", run, preexec_fn=limit) as one:
            error = one.communicate()[1]
        return one.returncode, error

    status, error = reproduce("1")
    assert (status, error.count("\n"), "File too large" in error) == (2, 1, True)
    assert [*(tmp_path / ".kogine/reproduced").iterdir()] == []
    status, error = reproduce("2")
    assert status == 1
    assert "cannot keep a record" in error
    assert "or its record could not be written" in error
    assert "Traceback" not in error


def test_declared_inputs_are_linked_and_those_that_have_changed_are_named(tmp_path: Path) -> None:
    text = "print('loss:', int(open('data/n.txt').read()) + int(open('m.txt').read()))\n"
    write(tmp_path, {"t.py": text, "data/n.txt": "5", "m.txt": "1"})
    run(tmp_path, "--inputs", "data", "--inputs", "m.txt", "t.py")
    done, _, different = reproduce(tmp_path)
    assert (done.status, different, done.stderr) == (0, {}, "loss: 6\n")
    write(tmp_path, {"data/n.txt": "7"})
    done = run_kogine(tmp_path, "runs", "reproduce", "1")
    assert "different  metrics.loss: 6 -> 8" in done.stdout
    assert done.stderr == "kogine: warning: the input 'data/n.txt' has other content now\n"
    (tmp_path / "data/n.txt").unlink()
    assert "the input 'data/n.txt' is gone" in run_kogine(tmp_path, "runs", "reproduce", "1").stderr
