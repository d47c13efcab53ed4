"""A run as a config: the config gives a run of the same identity; what cannot be written is named."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import numpy
import pytest

from kohaku_ast import Config, Script, Sequential
from kohaku_ast.errors import UsageError
from kohaku_ast.store.store import Store
from tests.oracle import run_kogine

TRAIN = """\
import sys
from pathlib import Path
lr = 0.1
bs: int = 32
out = Path("runs")
value = None
class Args:
    depth = 3
def main(epochs=2, *rest, scale=1.0):
    print(epochs, rest, scale)
print(repr((lr, bs, out, value, Args.depth, sys.argv[1:])))
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.py").write_text(TRAIN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def exported_and_run(folder: Path, *words: str) -> tuple[Store, str]:
    """Export the last run, run the config; the store, and the text of the config."""
    store = Store(folder / ".kogine" / "runs")
    first = store.find("last")
    store.export("last", folder / "again.py")
    done = run_kogine(folder, "run", "train.py", "--config", "again.py", "--record", *words)
    assert done.status == 0, done.stderr
    second = store.find("last")
    assert (second.folder != first.folder, second.identity) == (True, first.identity)
    assert first.log is not None
    assert second.log is not None
    assert second.log.read_text() == first.log.read_text()
    return store, (folder / "again.py").read_text()


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"lr": 0.5, "bs": 64}, id="numbers"),
        pytest.param({"lr": math.inf}, id="inf"),
        pytest.param({"value": math.nan}, id="nan"),
        pytest.param({"value": [math.inf, "inf", ("nan", -math.inf)]}, id="names and texts"),
        pytest.param({"value": "a\n'b'\t\u6771\U0001f600\x00"}, id="a text"),
        pytest.param({"out": Path("a b") / "c"}, id="a path"),
        pytest.param({"value": {"a": (1, {2, 3}), None: b"x", True: frozenset([1])}}, id="nested"),
        pytest.param({"Args.depth": 9, "main(epochs)": 7}, id="targets that are no names"),
        pytest.param({"value": 10**30}, id="a large number"),
        pytest.param({"value": list(range(500))}, id="a long list"),
        pytest.param({}, id="no values"),
    ],
)
def test_values(folder: Path, values: dict[str, Any]) -> None:
    Sequential([Script("train.py", Config(values))]).run()
    exported_and_run(folder)


def test_values_of_numpy(folder: Path) -> None:
    values = {"lr": numpy.float64(0.3), "value": [numpy.int32(3), numpy.array([1, 2])]}
    Sequential([Script("train.py", Config(values))]).run()
    _, text = exported_and_run(folder)
    assert "import numpy\n" in text


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["lr=0.5", "bs=64", "Args.depth=9"], id="typed"),
        pytest.param(["out=a/b", "value=none"], id="texts that are read"),
        pytest.param(["--add", "extra=3"], id="a new global"),
        pytest.param(["lr=0.5", "--", "--flag", "a b"], id="arguments"),
        pytest.param(["--sweep", "lr=0.3", "--repeat", "1"], id="a repeat"),
    ],
)
def test_runs_of_the_command_line(folder: Path, words: list[str]) -> None:
    assert run_kogine(folder, "run", "train.py", "--record", *words).status == 0
    exported_and_run(folder)


def test_arguments_of_an_entrypoint(folder: Path) -> None:
    config = Config({"lr": 0.2}, args=[5, (1,)], kwargs={"scale": 2.5})
    Sequential([Script("train.py", config, entrypoint="main")]).run()
    exported_and_run(folder, "--entrypoint", "main")


def test_outputs_and_metadata(folder: Path) -> None:
    Sequential([Script("train.py", Config(outputs=["lr"], metadata={"who": "me"}))]).run()
    store, _ = exported_and_run(folder)
    assert store.runs().summaries[0].values("metadata") == {"who": "me"}
    assert store.find("last").wanted == {"lr"}


CODE = """\
import math
from functools import partial
from net import Net, scaled
from kohaku_ast import Config
K = 2
made = open("made", "a").write("once ")
def half(x):
    return x / K
def rate(step):
    return half(step) + math.floor(1.5)
class Own:
    depth = K
    def both(self):
        return self.depth + half(4)
CONFIG = Config({
    "rate": rate, "Own": Own, "own": Own(), "part": partial(rate, 6), "Net": Net, "net": Net(3), "scaled": scaled,
    "floor": math.floor, "several": [lambda x: x + 1, 2], "bs": 4, "out": made,
})
"""
NET = "class Net:\n    def __init__(self, n):\n        self.n = n\ndef scaled(x):\n    return x * 10\n"
USER = """\
import net as here
rate = Own = own = part = Net = net = scaled = floor = several = None
bs = out = 1
print(rate(8), Own().both(), own.both(), part(), Net is here.Net, isinstance(net, here.Net), net.n, bs, out)
print(scaled(1), scaled is here.scaled, floor(2.5), several[0](several[1]))
"""


def test_functions_classes_and_objects(folder: Path) -> None:
    for name, text in {"cfg.py": CODE, "net.py": NET, "train.py": USER}.items():
        (folder / name).write_text(text)
    done = run_kogine(folder, "run", "train.py", "--config", "cfg.py", "--record")
    assert done.stdout.startswith("5.0 4.0 4.0 4.0 True True 3 4 5\n10 True 2 3\n"), done.stderr
    (folder / "cfg.py").unlink()
    _, text = exported_and_run(folder)
    assert (folder / "made").read_text() == "once "
    assert all(
        part in text for part in ("from net import Net", "    return half(step) + math", "K = 2")
    )
    assert "'rate': rate,\n        'Own': Own,\n" in text
    (folder / "net.py").write_text(NET.replace("10", "20"))
    with pytest.raises(UsageError, match="'net' is of modules of the script, which have changed"):
        Store(folder / ".kogine" / "runs").export("last", folder / "again.py")


def test_values_that_the_store_does_not_hold_are_named(folder: Path) -> None:
    values = {"lr": 0.3, "value": threading.Lock()}
    Sequential([Script("train.py", Config(values))], mode="inline").run()
    with pytest.raises(UsageError, match=r"of 'value' \(_thread.lock\) was recorded"):
        Store(folder / ".kogine" / "runs").export("last", folder / "again.py")
    assert not (folder / "again.py").exists()


def test_a_script_that_has_changed_is_no_hindrance(folder: Path) -> None:
    run_kogine(folder, "run", "train.py", "--record", "lr=0.5")
    (folder / "train.py").write_text("print('gone')\n")
    store = Store(folder / ".kogine" / "runs")
    store.export("last", folder / "again.py")
    (folder / "train.py").write_text(TRAIN)
    run_kogine(folder, "run", "train.py", "--record", "--config", "again.py")
    assert store.find(2).identity == store.find(1).identity


@pytest.mark.parametrize(
    "form",
    [
        pytest.param("{\"python\": \"__import__('os').system('touch planted')\"}", id="a call"),
        pytest.param('{"json": 1, "type": "os.getcwd"}', id="a type"),
        pytest.param('{"python": "1\\nimport os"}', id="a statement"),
    ],
)
def test_a_record_of_somebody_else_writes_no_code(folder: Path, form: str) -> None:
    run_kogine(folder, "run", "train.py", "--record", "lr=0.5")
    store = Store(folder / ".kogine" / "runs")
    record = store.find(1).folder / "run.json"
    text = record.read_text()
    assert '"json": 0.5}' in text
    record.write_text(text.replace('"json": 0.5}', form.removeprefix("{")))
    with pytest.raises(UsageError, match="is damaged"):
        store.export(1, folder / "again.py")
    assert not (folder / "planted").exists()
    assert not (folder / "again.py").exists()


def test_a_name_with_a_line_end_stays_a_comment(folder: Path) -> None:
    run_kogine(folder, "run", "train.py", "--record", "lr=0.5")
    store = Store(folder / ".kogine" / "runs")
    text = store.exported(1, "config", "x\nimport os").decode()
    assert "\nimport os" not in text
