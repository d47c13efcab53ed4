"""Scripts as nodes of a pipeline."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import traceback
import warnings
from pathlib import Path

import pytest

from kohaku_ast import (
    KogineError,
    MemoryCache,
    Pipeline,
    PipelineError,
    Script,
    UnusedOverride,
    node,
    script,
)

PREP = """\
size = 4
seed = 0
vocab = ["a", "b"]
train_set = list(range(size))
"""
TRAIN = """\
import os
import sys

lr: float = 0.5
DATA = None
vocab = ()
seed = 1


class Args:
    depth = 2


def main(epochs=3):
    global val_loss
    val_loss = lr * epochs
    return seed


model = {"weights": DATA, "vocab": vocab}
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def files(folder: Path) -> Path:
    write("prep.py", PREP)
    write("train.py", TRAIN)
    return folder


def write(name: str, text: str) -> None:
    Path(name).write_text(text, encoding="utf-8")


def prep_and_train(**options: object) -> Pipeline:
    prep = script("prep.py", outputs="train_set vocab")
    train = script("train.py", outputs="model val_loss", inputs={"DATA": "train_set"})
    return Pipeline([prep, train], **options)  # type: ignore[arg-type]


# --- what it takes ---------------------------------------------------------------------------


def test_the_lines_of_the_issue(files: Path) -> None:
    @node(output_name="report")
    def report(val_loss: float, vocab: list[str]) -> str:
        return f"{val_loss} {vocab}"

    prep = script("prep.py", outputs="train_set vocab")
    train = script("train.py", outputs="model val_loss", inputs={"DATA": "train_set"})
    p = Pipeline([prep, train, report])
    assert p.run({"lr": 2.0})["report"] == "6.0 ['a', 'b']"
    assert p.run({"lr": 2.0}, "model") == {"weights": [0, 1, 2, 3], "vocab": ["a", "b"]}
    assert p.map({"lr": [1.0, 2.0]}, map_over="lr", output_name="val_loss") == [3.0, 6.0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, 1.5, id="what is not given stays as written"),
        pytest.param({"lr": 1}, 3, id="a global"),
        pytest.param({"epochs": 10}, 5.0, id="a short target"),
        pytest.param({"main(epochs)": 10}, 5.0, id="its full target"),
        pytest.param({"Args.depth": 9}, 1.5, id="a class attribute"),
        pytest.param({"val_loss": 7}, 7, id="an output, given"),
    ],
)
def test_every_parameter_is_an_optional_input(
    files: Path, given: dict[str, object], expected: object
) -> None:
    p = Pipeline([script("train.py", outputs="val_loss model")])
    assert p.run(given)["val_loss"] == expected


def test_a_value_reaches_all_scripts_that_have_the_name(files: Path) -> None:
    prep = script("prep.py", outputs={"seed": "first"})
    train = script("train.py", outputs={"seed": "second"})
    assert Pipeline([prep, train]).run(seed=5) == {"first": 5, "second": 5}


def test_an_output_that_a_script_defines_too_is_an_edge(files: Path) -> None:
    assert prep_and_train().run(output_name="model")["vocab"] == ["a", "b"]


def test_none_leaves_a_target_to_the_script(files: Path) -> None:
    prep = script("prep.py", outputs="vocab")
    train = script("train.py", outputs="model", inputs={"vocab": None})
    assert "vocab" not in train.inputs
    assert Pipeline([prep, train]).run()["model"]["vocab"] == ()


def test_the_name_of_a_function_or_an_import_is_no_edge(files: Path) -> None:
    @node(output_name="main")
    def other() -> int:
        return 1

    train = script("train.py", outputs="val_loss")
    assert Pipeline([other, train]).run()["val_loss"] == 1.5
    inside = Pipeline([other, Pipeline([train], name="inside")])
    assert inside.run() == {"main": 1, "val_loss": 1.5}
    assert pickle.loads(pickle.dumps(inside.nodes[1])).inputs == inside.nodes[1].inputs
    assert Pipeline([train]).run(os=None) == {"val_loss": 1.5}


def test_an_input_with_a_name_of_its_own_is_required(files: Path) -> None:
    train = script("train.py", outputs="model", inputs={"DATA": "train_set"})
    with pytest.raises(PipelineError, match="'train_set' is missing: 'train'"):
        Pipeline([train]).run()
    assert Pipeline([train]).run(train_set=3)["model"]["weights"] == 3


def test_a_script_does_not_depend_on_itself(files: Path) -> None:
    write("decay.py", "lr = 1.0\nlr = lr / 2\n")
    decay = script("decay.py", outputs="lr")
    assert Pipeline([decay]).run() == {"lr": 0.5}
    again = script("decay.py", outputs={"lr": "lr_after"}, inputs={"lr": "lr_before"})
    assert Pipeline([again]).run(lr_before=8) == {"lr_after": 4.0}


def test_a_path_that_only_the_running_script_can_follow(folder: Path) -> None:
    write("load.py", "def load(): return {'lr': 1}\ncfg = load()\ny = cfg['lr']\n")
    assert Pipeline([script("load.py", "y", {"cfg.lr": "lr"})]).run(lr=5) == {"y": 5}


def test_settings_come_first(files: Path) -> None:
    train = script("train.py", outputs="model", inputs={"DATA": "train_set"})
    assert train.inputs[:2] == ("train_set", "lr")
    shown = "<pipeline pipeline(train_set, lr, vocab, seed, depth, epochs) -> model, 1 nodes>"
    assert repr(Pipeline([train])) == shown
    assert repr(train) == "<script train(train_set, lr, vocab, seed, depth, epochs) -> model>"


# --- errors at construction ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"outputs": "modle"}, r"no global 'modle'. Did you mean 'model' \(train.py:20\)", id="unknown output"),
        pytest.param({"outputs": "return"}, "needs a name: outputs", id="what it returns without a name"),
        pytest.param({"outputs": "model model"}, "named twice", id="an output twice"),
        pytest.param({"outputs": "model", "inputs": {"DTA": "x"}}, "no parameter 'DTA'. Did you mean 'DATA'", id="unknown target"),
    ],
)  # fmt: skip
def test_refused(files: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(KogineError, match=message):
        script("train.py", **arguments)  # type: ignore[arg-type]


def test_no_such_file(folder: Path) -> None:
    with pytest.raises(KogineError, match=r"can't open file 'nothing\.py'"):
        script("nothing.py", "x")


def test_a_script_that_calls_nothing_returns_nothing(files: Path) -> None:
    with pytest.raises(PipelineError, match="no guard that calls one of its functions"):
        script("prep.py")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("from os.path import *\n", id="a star import"),
        pytest.param("globals().update(found=1)\n", id="globals()"),
        pytest.param("exec('found = 1')\n", id="exec"),
        pytest.param("def f():\n    global found\n    found = 1\nf()\n", id="global in a function"),
        pytest.param("for found in [1]: pass\n", id="a loop variable"),
        pytest.param("(found := 1)\n", id="a walrus"),
    ],
)
def test_outputs_that_the_text_allows(folder: Path, text: str) -> None:
    write("a.py", text)
    assert script("a.py", "found").outputs == ("found",)


def test_a_circle_says_how_to_leave_a_name_to_the_script(folder: Path) -> None:
    write("a.py", "x = 1\ny = 2\n")
    write("b.py", "x = 1\ny = 2\n")
    with pytest.raises(PipelineError, match=r"circle.*inputs=\{'x': None\}"):
        Pipeline([script("a.py", "x"), script("b.py", "y")])
    b = script("b.py", {"y": "y", "x": "seen"}, {"x": None})
    assert Pipeline([script("a.py", "x"), b]).run(y=3, output_name="x") == 1


def test_types_of_an_edge_that_cannot_fit(files: Path) -> None:
    @node(output_name="lr")
    def rate() -> str:
        return "fast"

    with pytest.raises(PipelineError, match=r"'lr' cannot go from 'rate' .* gives str, to 'train'"):
        Pipeline([rate, script("train.py", "model")])


def test_one_target_by_two_names(files: Path) -> None:
    p = Pipeline([script("train.py", "val_loss")])
    with pytest.raises(PipelineError, match=r"'epochs' and 'main\(epochs\)' are the same"):
        p.run({"epochs": 1, "main(epochs)": 2})


# --- what it gives ---------------------------------------------------------------------------


def test_without_outputs_it_gives_what_its_entry_function_returned(files: Path) -> None:
    assert Pipeline([script("train.py")]).run(seed=8) == {"train": 8}


def test_the_function_to_start_at(files: Path) -> None:
    write(
        "two.py",
        "def other(k=2): return k * 10\ndef main(): return 0\nif __name__ == '__main__': main()\n",
    )
    assert Pipeline([script("two.py", entrypoint="other")]).run(k=3) == {"two": 30}


def test_outputs_under_other_names(files: Path) -> None:
    train = script("train.py", outputs={"model": "net", "return": "score"})
    assert Pipeline([train]).run(seed=2) == {"net": {"weights": None, "vocab": ()}, "score": 2}


def test_an_output_that_was_not_set(folder: Path) -> None:
    write("a.py", "if False:\n    x = 1\n")
    with pytest.raises(PipelineError, match=r"without a global 'x': a.py:2 did not run"):
        Pipeline([script("a.py", "x")]).run()


def test_called_it_runs(files: Path) -> None:
    train = script("train.py", "val_loss")
    assert train(lr=2) == 6
    assert train(**{"main(epochs)": 1}) == 0.5
    with pytest.raises(PipelineError, match=r"no input 'lrr'\. Did you mean 'lr'"):
        train(lrr=1)


def test_bind_and_with_names(files: Path) -> None:
    train = script("train.py", "val_loss")
    fast, slow = (
        train.bind(lr=4.0).with_names("fast", val_loss="fast_loss"),
        train.with_names(val_loss="slow_loss"),
    )
    assert "lr" not in fast.inputs
    assert Pipeline([fast, slow]).run(epochs=1) == {"fast_loss": 4.0, "slow_loss": 0.5}
    renamed = train.with_names(lr="rate")
    assert renamed.inputs[0] == "rate"
    assert Pipeline([renamed]).run(rate=1) == {"val_loss": 3}
    with pytest.raises(PipelineError, match="no input 'lrr'"):
        train.bind(lrr=1)


def test_in_a_pipeline_inside_another(files: Path) -> None:
    outer = Pipeline([prep_and_train(name="inner").as_node(output_mapping={"val_loss": "loss"})])
    assert outer.run({"main(epochs)": 2}, "loss") == 1.0


def test_it_pickles_without_its_file(files: Path) -> None:
    train = script("train.py", "val_loss").bind(seed=3)
    data = pickle.dumps(train)
    Path("train.py").unlink()
    again = pickle.loads(data)
    assert again.inputs == train.inputs
    assert again(lr=1) == 3
    assert pickle.loads(pickle.dumps(again))(lr=1) == 3


# --- running here ----------------------------------------------------------------------------


def test_it_is_what_script_run_does(files: Path) -> None:
    write(
        "probe.py",
        "import os, sys\nfound = [__name__, __file__, sys.argv, sys.path[0], os.getcwd()]\n",
    )
    from kohaku_ast import Config

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
    import builtins

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
    import builtins
    import gc

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


# --- processes of their own ------------------------------------------------------------------

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
        pytest.param("import beside\nx = beside.Thing()\n", "cannot be read in this process", id="a class that is nowhere else"),
        pytest.param("import os, signal\nx = 1\nos.kill(os.getpid(), signal.SIGKILL)\n", "killed by SIGKILL", id="killed"),
    ],
)  # fmt: skip
def test_what_a_process_cannot_give(folder: Path, text: str, message: str) -> None:
    write("bad.py", text)
    write("beside.py", "class Thing: pass\n")
    with pytest.raises(KogineError, match=message):
        Pipeline([script("bad.py", "x")], engine="parallel").run()


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


# --- the cache -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text", "is_kept"),
    [
        pytest.param("a.py", "import helper\n\nx = 1  # one\ny = x + helper.z\n", True, id="comment"),
        pytest.param("a.py", '"""Doc."""\nimport helper\nx = 1\ny = x + helper.z\n', True, id="docstring"),
        pytest.param("a.py", "import helper\nx = 2\ny = x + helper.z\n", False, id="a constant"),
        pytest.param("a.py", "import helper\nx = 1\ny = x * helper.z\n", False, id="the code"),
        pytest.param("helper.py", "from deep import w\nz = w + 1\n", False, id="an imported module"),
        pytest.param("helper.py", "from deep import w\nz = w  # the same\n", True, id="comment in a module"),
        pytest.param("deep.py", "w = 2\n", False, id="a module of a module"),
        pytest.param("other.py", "w = 2\n", True, id="a module that it does not import"),
    ],
)  # fmt: skip
def test_what_makes_a_result_stale(folder: Path, file: str, text: str, is_kept: bool) -> None:
    write("a.py", "import helper\nx = 1\ny = x + helper.z\n")
    write("helper.py", "from deep import w\nz = w\n")
    write("deep.py", "w = 1\n")
    p = Pipeline([script("a.py", "y")], cache=MemoryCache())
    p.run()
    assert p.explain_cache()["a"].state == "kept"
    write(file, text)
    row = p.explain_cache()["a"]
    assert (row.state == "kept") is is_kept
    assert is_kept or file in row.why


def test_overrides_are_in_the_key(files: Path) -> None:
    p = prep_and_train(cache=MemoryCache())
    p.run(lr=1.0)
    assert {row.state for row in p.explain_cache(lr=1.0).rows} <= {"kept", "not needed"}
    rows = p.explain_cache(lr=2.0)
    assert (rows["prep"].state, rows["train"].state) == ("kept", "runs")
    assert p.explain_cache({"Args.depth": 3, "lr": 1.0})["train"].state == "runs"


def test_another_script_with_the_same_text_has_results_of_its_own_outputs(folder: Path) -> None:
    write("a.py", "x = 1\ny = 2\n")
    cache = MemoryCache()
    assert Pipeline([script("a.py", "x")], cache=cache).run() == {"x": 1}
    assert Pipeline([script("a.py", {"y": "x"})], cache=cache).run() == {"x": 2}
