"""At its end a flow warns of files that two of its runs wrote, and of no others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kohaku_ast import Config, Parallel, Script, Sequential, Sweep
from kohaku_ast.flow.run import Observer, Run, SharedFile
from kohaku_ast.flow.shared_files import SharedFiles
from tests.flow.made import running, succeeded
from tests.oracle import run_kogine

WRITES = """\
import time
from pathlib import Path
n = 0
Path("out").mkdir(exist_ok=True)
Path("out/model.pt").write_text(f"first {n}")
Path("out/model.pt").write_text(f"model {n}")
Path("labels.txt").write_text("a b c")
Path(f"own-{n}.pt").write_text(str(n))
Path("notes.md").write_text(str(n))
Path("empty.lock").write_text("")
with open("log.csv", "a") as file:
    file.write(f"{n}\\n")
if n == 1:
    for i in range(3):
        time.sleep(0.1)
        Path("once.pt").write_text(str(i))
"""
BEGIN = "these files were written by more than one run; the last one's is what is left: "
MODELS = SharedFile("out/model.pt", (0, 1, 2, 3))


@pytest.fixture(autouse=True)
def _script(_working_folder: None, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("train.py").write_text(WRITES)
    # A look that a busy machine interrupts counts as a slow one, and fewer follow.
    monkeypatch.setattr("kohaku_ast.flow.shared_files._ALLOWANCE", 60.0)
    monkeypatch.setattr("kohaku_ast.flow.shared_files._MOST_SECONDS", 60.0)


def finish_line(*words: str) -> dict[str, object]:
    """The last line of ``kogine run ... --json``, which has shared files at one of three tries."""
    for _ in range(3):
        found: dict[str, object] = json.loads(
            run_kogine(Path(), *words, "--json").stdout.splitlines()[-1]
        )
        if found["shared_files"]:
            break
    return found


@pytest.mark.parametrize("mode", ["inline", "auto", "spawn"])
def test_runs_one_after_another(mode: str, capfd: pytest.CaptureFixture[str]) -> None:
    flow = Sequential(Script("train.py", Sweep(n=[1, 2, 3, 4])), mode=mode)
    flow.run()
    assert flow.summary.shared_files == (MODELS,)
    error = capfd.readouterr().err
    assert f"kogine: warning: {BEGIN}out/model.pt (runs 1, 2, 3 ...). Use os.environ[" in error


def test_runs_at_the_same_time() -> None:
    Path("train.py").write_text(
        "import time\nfrom pathlib import Path\nn = 0\n"
        "while n > 1 and not Path(f'own-{n - 1}.pt').exists():\n    time.sleep(0.01)\n"
        "Path('model.pt').write_text(f'model {n}')\nPath(f'own-{n}.pt').touch()\n"
        "if n == 3:\n    Path('once.pt').write_text('1')\n    time.sleep(0.3)\n"
        "    Path('once.pt').write_text('2')\n"
    )
    flow = Parallel(Script("train.py", Sweep(n=[1, 2, 3, 4, 5])), workers=2)
    flow.run()
    assert flow.summary.shared_files == (SharedFile("model.pt"),)


def test_what_only_two_runs_at_the_same_time_wrote_is_not_certain() -> None:
    flow = Parallel(Script("train.py", Sweep(n=[2, 3])), workers=2)
    flow.run()
    assert flow.summary.shared_files == ()


def test_folders_of_their_own() -> None:
    flow = Sequential(Script("train.py", Sweep(n=[2, 3])), run_dir=True)
    flow.run()
    assert flow.summary.shared_files == ()
    assert [Path(one.run_dir, "out/model.pt").exists() for one in flow.outcomes] == [True, True]


def test_the_command_line_and_json() -> None:
    words = ["run", "train.py", "--sweep", "n=2,3"]
    shown = (run_kogine(Path(), *words).stderr for _ in range(3))
    assert any(f"{BEGIN}out/model.pt (runs 1, 2). Use" in one for one in shown)
    found = finish_line(*words)["shared_files"]
    assert found == [{"path": "out/model.pt", "indexes": [0, 1]}]
    assert BEGIN not in run_kogine(Path(), *words, "--run-dir").stderr
    assert BEGIN not in run_kogine(Path(), "run", "train.py", "--record").stderr


def test_what_the_code_between_the_runs_writes_is_not_theirs() -> None:
    def configs() -> Iterator[Config]:
        for n in (2, 3, 4):
            Path("next.json").write_text(str(n))
            yield Config({"n": n})

    flow = Sequential(Script("train.py", configs()))
    for one in flow.as_completed():
        Path("results.json").write_text(one.label)
    assert [one.path for one in flow.summary.shared_files] == ["out/model.pt"]
    both = Parallel(Script("train.py", Sweep(n=[2, 3, 4, 5])), workers=2)
    for one in both.as_completed():
        Path("results.json").write_text(one.label)
    assert "results.json" not in [one.path for one in both.summary.shared_files]


def test_an_observer_of_the_user_may_write_at_any_time() -> None:
    class Progress(Observer):
        def on_start(self, run: Run, total: int | None) -> None:
            Path("progress.json").write_text(run.label)

    flow = Sequential(Script("train.py", Sweep(n=[2, 3])), observers=[Progress()])
    flow.run()
    assert flow.summary.shared_files == ()


def test_an_environment_a_large_folder_and_a_database_are_left_out() -> None:
    Path("env").mkdir()
    Path("env/pyvenv.cfg").touch()
    Path("data").mkdir()
    for number in range(2000):
        Path(f"data/{number}").touch()
    Path("train.py").write_text(
        "import sqlite3\nfrom pathlib import Path\nn = 0\n"
        "for name in 'env/a', 'data/b', '.hidden', 'c':\n    Path(name).write_text(str(n))\n"
        "with sqlite3.connect('results.db') as base:\n"
        "    base.execute('create table if not exists t (n)')\n"
        "    base.execute('delete from t')\n    base.execute(f'insert into t values ({n})')\n"
    )
    flow = Sequential(Script("train.py", Sweep(n=[2, 3])))
    flow.run()
    assert flow.summary.shared_files == (SharedFile("c", (0, 1)),)


def test_where_looks_are_left_out_it_is_certain_of_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kohaku_ast.flow.shared_files._ALLOWANCE", 0.5)
    shared = SharedFiles(lets_others_write=False, workers=1)
    for index in range(40):
        run = running(index)
        shared.on_start(run, 40)
        Path("model.pt").write_text(f"{index:050}")
        if index in (21, 22):
            Path("two.pt").write_text(f"{index:050}")
        shared._last = 1.0 if index % 10 else 0.0  # what a look is expected to cost
        shared.on_end(succeeded(run))
    assert shared.find() == (SharedFile("model.pt"),)


def test_a_slow_file_system_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kohaku_ast.flow.shared_files._MOST_SECONDS", -1.0)
    flow = Sequential(Script("train.py", Sweep(n=[2, 3])))
    flow.run()
    assert flow.summary.shared_files == ()
