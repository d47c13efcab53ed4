"""``kogine runs repeat``: today's script with the values of a recorded run."""

from __future__ import annotations

from pathlib import Path

import pytest

from kohaku_ast import Store
from kohaku_ast.errors import KogineError
from tests.oracle import Finished, run_kogine

SCRIPT = """\
import sys
lr = 0.1
name = "adam"
def main(epochs=2):
    print(f"loss: {lr * epochs}", name, sys.argv[1:])
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(SCRIPT)
    run_kogine(tmp_path, "run", "--record", "train.py", "lr=0.5", "name=sgd", "main(epochs)=4")
    return tmp_path


def repeat(folder: Path, *words: str) -> Finished:
    return run_kogine(folder, "runs", "repeat", *words)


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        pytest.param(["last"], "loss: 2.0 sgd []\n", id="as it was"),
        pytest.param(["1", "lr=0.25"], "loss: 1.0 sgd []\n", id="another value"),
        pytest.param(["1", "main(epochs)=8", "name=x"], "loss: 4.0 x []\n", id="two others"),
        pytest.param(["lr == 0.5"], "loss: 2.0 sgd []\n", id="found by a query"),
    ],
)
def test_values(folder: Path, words: list[str], printed: str) -> None:
    done = repeat(folder, *words)
    assert (done.status, done.stdout) == (0, printed), done.stderr
    assert len(list(folder.glob(".kogine/runs/*/run.json"))) == 2


def test_it_is_the_script_of_today(folder: Path) -> None:
    (folder / "train.py").write_text(SCRIPT.replace("loss", "cost"))
    assert repeat(folder, "last").stdout == "cost: 2.0 sgd []\n"


def test_arguments_of_the_script_are_those_of_the_run(folder: Path) -> None:
    run_kogine(folder, "run", "--record", "train.py", "--", "--fast", "a b")
    assert repeat(folder, "last").stdout == "loss: 0.2 adam ['--fast', 'a b']\n"


def test_values_of_a_config_that_is_gone(folder: Path) -> None:
    (folder / "cfg.py").write_text(
        "class Name:\n    def __repr__(self): return 'mine'\nname = Name()\n"
    )
    run_kogine(folder, "run", "--record", "--config", "cfg.py", "train.py")
    (folder / "cfg.py").unlink()
    assert repeat(folder, "last").stdout == "loss: 0.2 mine []\n"


def test_values_of_modules_beside_the_script_are_its_own(folder: Path) -> None:
    (folder / "net.py").write_text("class Net:\n    depth = 3\n")
    (folder / "cfg.py").write_text("from net import Net\nkind = Net\nnet = Net()\n")
    text = "import net as here\nkind = net = 1\nprint(kind is here.Net, isinstance(net, here.Net), net.depth)\n"
    (folder / "train.py").write_text(text)
    done = run_kogine(folder, "run", "--record", "--config", "cfg.py", "train.py")
    assert done.stdout == "True True 3\n"
    assert repeat(folder, "last").stdout == "True True 3\n"
    (folder / "net.py").write_text("class Net:\n    depth = 4\n")
    assert repeat(folder, "last", "--store", str(folder / ".kogine/runs")).stdout == "True True 4\n"


def test_a_failing_repeat_has_its_status(folder: Path) -> None:
    (folder / "train.py").write_text("lr = 1\nname = ''\ndef main(epochs=1): pass\nmain()\n1 / 0\n")
    done = repeat(folder, "last")
    assert done.status == 1
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        pytest.param([], "no run given", id="no run"),
        pytest.param(["7"], "no run '7'", id="no such run"),
        pytest.param(["1", "lrr=2"], "Did you mean 'lr'", id="no such parameter"),
        pytest.param(["1", "lr"], "is no TARGET=VALUE", id="no value"),
        pytest.param(["1", "lr=fast"], "lr", id="a value of another type"),
    ],
)
def test_what_cannot_be_repeated(folder: Path, words: list[str], text: str) -> None:
    done = repeat(folder, *words)
    assert (done.status, done.stdout) == (2, "")
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_script_that_is_gone(folder: Path) -> None:
    (folder / "train.py").unlink()
    done = repeat(folder, "last")
    assert done.status == 2
    assert "kogine runs reproduce" in done.stderr


def test_from_python_and_where_the_run_worked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    store = Store(folder / ".kogine/runs")
    outcome = store.repeat("last", {"lr": 0.25}, mode="spawn", log_limit="1MB")
    assert (outcome.status, outcome.params["lr"]) == ("succeeded", 0.25)
    new = store.find("last")
    assert (str(new.folder), new.params["name"]) == (outcome.record, "sgd")
    with pytest.raises(KogineError, match="Did you mean 'lr'"):
        store.repeat(1, {"lrr": 2})
    with pytest.raises(KogineError, match="Sequential has no option 'workers'"):
        store.repeat(1, workers=2)

    (folder / "train.py").write_text("lr = 1\nname = ''\ndef main(epochs=1): pass\n1 / 0\n")
    assert store.repeat(1).status == "failed"
    (folder / "train.py").write_text("lr = 1\nopen('here.txt', 'w').close()\n")
    run_kogine(folder, "run", "--run-dir", "--record", "train.py", "lr=2")
    assert repeat(folder, "last").status == 0
    assert store.repeat("last").status == "succeeded"
    assert [one.facts["in_run_dir"] for one in store.runs(limit=3)] == [True] * 3
    assert not (folder / "here.txt").exists()
