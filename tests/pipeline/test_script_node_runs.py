"""Script nodes at work: in this process, and each in one of its own."""

from __future__ import annotations

import builtins
import gc
import os
import subprocess
import sys
import threading
import traceback
import warnings
from pathlib import Path

import pytest

from kohaku_ast import (
    Config,
    KogineError,
    Pipeline,
    PipelineError,
    Script,
    UnusedOverride,
    script,
)
from tests.pipeline.script_files import TRAIN, prep_and_train, write


def test_it_is_what_script_run_does(files: Path) -> None:
    write(
        "probe.py",
        "import os, sys\nfound = [__name__, __file__, sys.argv, sys.path[0], os.getcwd()]\n",
    )
    outcome = Script("probe.py", Config(outputs=("found",))).run()
    main, argv = sys.modules["__main__"], list(sys.argv)
    assert Pipeline([script("probe.py", "found")]).run()["found"] == outcome.outputs["found"]
    assert sys.modules["__main__"] is main
    assert sys.argv == argv


def test_the_file_is_found_wherever_the_working_folder_is(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = Pipeline([script("train.py", "val_loss")])
    (files / "other").mkdir()
    monkeypatch.chdir(files / "other")
    assert p.run() == {"val_loss": 1.5}


def test_a_file_that_has_changed_runs_as_it_is_now(files: Path) -> None:
    p = Pipeline([script("train.py", "val_loss")])
    assert p.run() == {"val_loss": 1.5}
    write("train.py", TRAIN.replace("epochs=3", "epochs=4"))
    assert p.run() == {"val_loss": 2.0}


def test_threads_run_scripts_one_at_a_time(folder: Path) -> None:
    """Each looks for another that runs meanwhile, and gives it the time that it takes."""
    text = "import builtins, sys\nbuiltins.running.append(1)\nalone = sys.modules['__main__'].__dict__ is globals() and len(builtins.running) == 1\nfor _ in range(20000): pass\nbuiltins.running.pop()\n"
    builtins.running = []  # type: ignore[attr-defined]
    names = [f"s{number}" for number in range(6)]
    for name in names:
        write(f"{name}.py", text)
    try:
        nodes = [script(f"{name}.py", {"alone": name}) for name in names]
        assert all(Pipeline(nodes, engine="threaded").run().values())
    finally:
        del builtins.running  # type: ignore[attr-defined]


def test_the_exception_is_the_scripts_own(folder: Path) -> None:
    write("bad.py", "lr = 1\ndef fail():\n    raise LookupError('gone', lr)\nx = fail()\n")
    p = Pipeline([script("bad.py", "x")])
    with pytest.raises(LookupError) as caught:
        p.run(lr=7)
    assert caught.value.args == ("gone", 7)
    files = [
        os.path.basename(one.filename) for one in traceback.extract_tb(caught.value.__traceback__)
    ]
    assert files[-2:] == ["bad.py", "bad.py"]
    assert not any(name.startswith("script_") or name == "inline.py" for name in files)
    assert p.last_error is not None
    assert str(p.last_error) == "in node 'bad' (bad.py:1), with lr=7"
    with pytest.raises(LookupError):
        p.last_error.reproduce()


def test_what_a_script_made_is_let_go(folder: Path) -> None:
    write(
        "seen.py",
        "import builtins, weakref\nclass Data: pass\ndata = Data()\ndef use(): return data\nbuiltins.seen = weakref.ref(data)\nx = 1\n",
    )
    gc.disable()
    try:
        assert Pipeline([script("seen.py", "x")]).run() == {"x": 1}
        assert builtins.seen() is None  # type: ignore[attr-defined]
    finally:
        gc.enable()
        del builtins.seen  # type: ignore[attr-defined]


@pytest.mark.parametrize("engine", ["sequential", "parallel"])
@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param("3", r"bad.py ended early by sys.exit\(3\)", id="a number"),
        pytest.param("", "", id="success"),
    ],
)
def test_sys_exit(folder: Path, engine: str, code: str, message: str) -> None:
    write("bad.py", f"import sys\nx = 1\nsys.exit({code})\n")
    p = Pipeline([script("bad.py", "x")], engine=engine)
    if not message:
        assert p.run() == {"x": 1}
        return
    with pytest.raises(PipelineError, match=message):
        p.run()


def test_an_override_that_was_not_used_is_warned_of(folder: Path) -> None:
    write("a.py", "x = 1\nif False:\n    lr = 1\n")
    with pytest.warns(UnusedOverride, match="'lr' was not used: line 3 of a.py"):
        Pipeline([script("a.py", "x")]).run(lr=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Pipeline([script("a.py", {"x": "y"})]).run(x=2)


WHO = """\
import os
lr = 1
mine, worker, doubled = os.getpid(), os.getppid(), lr * 2
"""


def test_parallel_runs_each_script_in_a_process_of_its_own(folder: Path) -> None:
    write("who.py", WHO)
    p = Pipeline([script("who.py", "mine doubled")], engine="parallel")
    found = p.map(lr=range(6), map_over="lr")
    assert [one["doubled"] for one in found] == [0, 2, 4, 6, 8, 10]
    assert len({one["mine"] for one in found} | {os.getpid()}) == 7
    assert p.run(lr=4, output_name="mine") != os.getpid()


@pytest.mark.parametrize("engine", ["sequential", "parallel"])
@pytest.mark.parametrize(
    ("values", "before", "after"),
    [
        pytest.param({"lr": 2.0}, "lr: float = 0.5", "lr: float = 2.0", id="a global"),
        pytest.param({"main(epochs)": 7}, "epochs=3", "epochs=7", id="a default"),
        pytest.param({"vocab": [1]}, "vocab = ()", "vocab = [1]", id="a list"),
        pytest.param({"seed": None}, "seed = 1", "seed = None", id="None"),
    ],
)
def test_as_if_the_file_had_been_edited(
    files: Path, engine: str, values: dict[str, object], before: str, after: str
) -> None:
    edited = TRAIN.replace(before, after) + "    print([model, val_loss, seed, lr])\n"
    done = subprocess.run([sys.executable, "-c", edited], capture_output=True, check=True)
    outputs = {name: f"the_{name}" for name in ("model", "val_loss", "seed", "lr")}
    found = Pipeline([script("train.py", outputs)], engine=engine).run(values)
    assert repr(list(found.values())) == done.stdout.decode().strip()


def test_edges_between_processes(files: Path) -> None:
    assert prep_and_train(engine="parallel").run(lr=2.0) == prep_and_train().run(lr=2.0)


def test_the_exception_comes_back_from_the_process(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(
        "bad.py",
        "class Gone(LookupError):\n"
        "    def __init__(self, what, where):\n"
        "        super().__init__(what)\n"
        "        self.where = where\n"
        "lr = 1\n"
        "def fail():\n"
        "    raise Gone('gone', lr)\n"
        "x = fail()\n",
    )
    p = Pipeline([script("bad.py", "x")], engine="parallel")
    with pytest.raises(LookupError, match="gone") as caught:
        p.run(lr=7)
    assert type(caught.value).__name__ == "Gone"
    assert caught.value.where == 7  # type: ignore[attr-defined]
    text = "".join(traceback.format_exception(caught.value))
    assert "line 7, in fail" in text
    assert "/script_node.py" not in text
    assert capfd.readouterr().err == ""
    kept = p.map(lr=[1, 2], map_over="lr", on_error="keep")
    assert [type(one.exception).__name__ for one in kept] == ["Gone", "Gone"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("x = (one for one in [1])\n", "bad.py: .*output 'x'", id="an output that cannot cross"),
        pytest.param("import beside\nx = beside.Once()\n", "output 'x' cannot be made again", id="an output that cannot be made again"),
        pytest.param("import os, signal\nx = 1\nos.kill(os.getpid(), signal.SIGKILL)\n", "killed by SIGKILL", id="killed"),
    ],
)  # fmt: skip
def test_what_a_process_cannot_give(folder: Path, text: str, message: str) -> None:
    write("bad.py", text)
    write("beside.py", "class Once:\n    def __reduce__(self): return int, ('no',)\n")
    with pytest.raises(KogineError, match=message):
        Pipeline([script("bad.py", "x")], engine="parallel").run()


def test_a_class_of_a_module_beside_a_script_crosses(folder: Path) -> None:
    write("good.py", "import beside\nx = beside.Thing()\nx.n = 3\n")
    write("beside.py", "class Thing: pass\n")
    found = Pipeline([script("good.py", "x")], engine="parallel").run(output_name="x")
    assert (type(found).__name__, found.n) == ("Thing", 3)


@pytest.mark.parametrize("engine", ["sequential", "parallel"])
def test_what_is_given_keeps_the_overrides_of_modules(folder: Path, engine: str) -> None:
    write("hparams.py", "lr = 1\n")
    write("prep.py", "import hparams\ndef size(): return hparams.lr\n")
    write("use.py", "size = None\nfound = size()\n")
    nodes = [script("prep.py", "size"), script("use.py", "found")]
    assert Pipeline(nodes, engine=engine).run({"hparams.lr": 5}, "found") == 5


def test_a_value_that_cannot_cross_is_named(folder: Path) -> None:
    write("who.py", WHO)
    p = Pipeline([script("who.py", "doubled")], engine="parallel")
    with pytest.raises(KogineError, match="'lr' cannot be sent to another process"):
        p.run(lr=threading.Lock())
