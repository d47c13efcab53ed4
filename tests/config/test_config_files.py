"""Python configs that make Configs and Sweeps: config_gen, CONFIG, _sweep, modules beside them."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pytest

from kohaku_ast.config.config import Config, as_config, use
from kohaku_ast.config.config_files import load, load_config, load_sweep
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import ConfigError
from tests.oracle import compare

HEAD = "from kohaku_ast import Config\nfrom kohaku_ast.config.sweep import Sweep\n"


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def loaded(text: str, **given: object) -> Any:
    Path("cfg.py").write_text(HEAD + dedent(text))
    return load("cfg.py", **given)  # type: ignore[arg-type]


def values(found: Config | Sweep) -> object:
    if isinstance(found, Config):
        return dict(found.globals_dict)
    return [dict(one.globals_dict) for one in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("CONFIG = Config({'lr': 1})", {"lr": 1}, id="CONFIG"),
        pytest.param("lr = 5\nCONFIG = Config({'bs': 1})", {"bs": 1}, id="names beside CONFIG are none"),
        pytest.param("CONFIG = [Config({'lr': 1}), {'lr': 2}]", [{"lr": 1}, {"lr": 2}], id="CONFIG is a list"),
        pytest.param("CONFIG = (Config({'lr': n}) for n in range(2))", [{"lr": 0}, {"lr": 1}], id="CONFIG is a generator"),
        pytest.param("CONFIG = Sweep({'lr': [1, 2]})", [{"lr": 1}, {"lr": 2}], id="CONFIG is a Sweep"),
        pytest.param("CONFIG = Config({'lr': 1})\ndef config_gen(): return Config({'lr': 2})", {"lr": 2}, id="config_gen goes first"),
        pytest.param("def config_gen(): return [Config({'lr': 1}), Config({'lr': 2})]", [{"lr": 1}, {"lr": 2}], id="config_gen returns a list"),
        pytest.param("def config_gen(): return ({'lr': n} for n in (1, 2))", [{"lr": 1}, {"lr": 2}], id="config_gen returns a generator"),
        pytest.param("def config_gen(): return Sweep({'lr': [1, 2]})", [{"lr": 1}, {"lr": 2}], id="config_gen returns a Sweep"),
        pytest.param("def config_gen():\n    yield Config({'lr': 1})\n    yield {'lr': 2}", [{"lr": 1}, {"lr": 2}], id="config_gen yields"),
        pytest.param("def config_gen():\n    yield Sweep({'lr': [1, 2]})\n    yield {'lr': 3}", [{"lr": 1}, {"lr": 2}, {"lr": 3}], id="config_gen yields a Sweep"),
        pytest.param("class config_gen:\n    def __iter__(self): return iter([{'lr': 1}])", [{"lr": 1}], id="config_gen is a class"),
        pytest.param("def config_gen(worker_id): return {'w': Config({'w': worker_id})}['w']", {"w": 0}, id="worker_id"),
        pytest.param("def config_gen(*, previous, n=3): return Config({'n': n, 'p': dict(previous)})", {"n": 3, "p": {}}, id="previous, and a parameter with a default"),
        pytest.param("def config_gen(*args, **kwargs): return Config({'n': (args, kwargs)})", {"n": ((), {})}, id="any parameters"),
    ],
)  # fmt: skip
def test_made_configs(text: str, expected: Any) -> None:
    assert values(loaded(text)) == expected


def test_config_gen_gets_what_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "def config_gen(worker_id, previous): return Config({'w': worker_id, 'p': previous['a.py'].value})"
    previous = {"a.py": SimpleNamespace(value=7)}
    assert values(loaded(text, previous=previous, worker_id=3)) == {"w": 3, "p": 7}
    monkeypatch.setenv("KOGINE_WORKER_ID", "5")
    assert values(loaded(text, previous=previous)) == {"w": 5, "p": 7}
    monkeypatch.setenv("KOGINE_WORKER_ID", "x")
    with pytest.raises(ConfigError, match="KOGINE_WORKER_ID"):
        loaded(text, previous=previous)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("CONFIG = {'lr': 1}", "cfg.py: CONFIG is of type dict: {'lr': 1}. It must be a Config", id="CONFIG is a dict"),
        pytest.param("CONFIG = 'lr=1'", "cfg.py: CONFIG is of type str", id="CONFIG is a text"),
        pytest.param("CONFIG = None", "cfg.py: CONFIG is of type NoneType", id="CONFIG is None"),
        pytest.param("CONFIG = Config", "cfg.py: CONFIG is of type type", id="CONFIG is the class"),
        pytest.param("CONFIG = []", "cfg.py: CONFIG is empty", id="CONFIG is an empty list"),
        pytest.param("CONFIG = [Config(), 3]", "cfg.py: item 1 of CONFIG is of type int: 3", id="a number among Configs"),
        pytest.param("CONFIG = [{1: 2}]", "cfg.py: item 0 of CONFIG is of type dict: {1: 2}", id="a dict that has no targets"),
        pytest.param("config_gen = 3", "cfg.py: config_gen is no function: 3", id="config_gen is a number"),
        pytest.param("async def config_gen(): pass", "cfg.py: config_gen is async", id="config_gen is async"),
        pytest.param("async def config_gen(): yield 1", "cfg.py: config_gen is async", id="config_gen is an async generator"),
        pytest.param("def config_gen(lr, worker_id): pass", "cfg.py: config_gen asks for lr: it can be given `worker_id` and `previous`", id="an unknown parameter"),
        pytest.param("def config_gen(worker_id, /): pass", "cfg.py: config_gen asks for positions", id="a positional parameter"),
        pytest.param("def config_gen(): pass", "cfg.py: config_gen() is of type NoneType", id="config_gen returns nothing"),
        pytest.param("def config_gen(): 1 / 0", "line 3, in config_gen", id="exception in config_gen"),
    ],
)  # fmt: skip
def test_refuses_before_anything_runs(text: str, words: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(text)
    assert words in str(caught.value)
    assert "/kohaku_ast/" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            "yield 3", "cfg.py: item 1 of config_gen() is of type int: 3", id="another thing"
        ),
        pytest.param("1 / 0", "line 5, in config_gen", id="exception"),
        pytest.param("raise SystemExit(3)", "SystemExit: 3", id="sys.exit"),
        pytest.param(
            "yield Config(args=3)", "cfg.py:5: Config: args is a list", id="our own error"
        ),
    ],
)
def test_errors_of_a_generator_when_it_is_advanced(text: str, words: Any) -> None:
    sweep = iter(loaded(f"def config_gen():\n    yield Config()\n    {text}\n"))
    assert next(sweep) == Config()
    with pytest.raises(ConfigError) as caught:
        next(sweep)
    assert words in str(caught.value)
    assert "/kohaku_ast/" not in str(caught.value)


def test_generator_is_lazy_endless_and_can_be_used_again() -> None:
    sweep = loaded("""
        import itertools
        started = []
        def config_gen():
            started.append(1)
            for n in itertools.count():
                yield Config({'n': n, 'starts': len(started)})
        """)
    assert [values(one) for one in itertools.islice(sweep, 2)] == [
        {"n": 0, "starts": 1},
        {"n": 1, "starts": 1},
    ]
    assert [values(one) for one in itertools.islice(sweep, 1)] == [{"n": 0, "starts": 2}]


def test_generator_receives_the_outcome_of_each_run() -> None:
    steps = iter(
        loaded("""
        def config_gen():
            n = 1
            while n < 100:
                n = (yield Config({'n': n})) * 10
        """)
    )
    assert [values(next(steps)), values(steps.send(2)), values(steps.send(3))] == [
        {"n": 1},
        {"n": 20},
        {"n": 30},
    ]
    with pytest.raises(StopIteration):
        steps.send(10)


def test_advancing_a_generator_costs_the_same_however_many_modules_are_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = iter(loaded("def config_gen():\n    for n in range(200): yield Config({'n': n})\n"))
    next(steps)
    few = calls_of(lambda: [next(steps) for _ in range(50)])
    for number in range(1000):
        monkeypatch.setitem(sys.modules, f"made_up_{number}", types.ModuleType("made_up"))
    # A call for each of the modules would be 50,000; the garbage collector may call a few.
    assert calls_of(lambda: [next(steps) for _ in range(50)]) < few + 1000


def calls_of(function: Callable[[], object]) -> int:
    """How many calls of functions *function* makes, those of C included."""
    count = 0

    def profile(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_origins_and_labels_of_made_configs() -> None:
    config = loaded("CONFIG = Config({'lr': 1, 'bs': 2}, origins={'bs': 'mine'})")
    assert dict(config.origins) == {"lr": "cfg.py", "bs": "mine"}
    one = next(iter(loaded("def config_gen():\n    yield {'lr': 1}\n")))
    assert (dict(one.origins), one.label) == ({"lr": "cfg.py"}, "lr=1")


def test_load_config_and_load_sweep() -> None:
    loaded("CONFIG = [{'lr': 1}]")
    with pytest.raises(ConfigError, match=r"cfg.py describes a sweep; use Sweep.from_file"):
        load_config("cfg.py")
    assert values(load_sweep("cfg.py")) == [{"lr": 1}]
    loaded("lr = 3")
    assert values(load_sweep("cfg.py")) == [{"lr": 3}]
    assert Config.from_file("cfg.py") == Config({"lr": 3})


# --- _sweep --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("bs = 1\n_sweep = {'lr': [1, 2]}", [{"bs": 1, "lr": 1}, {"bs": 1, "lr": 2}], id="one axis over fixed values"),
        pytest.param("_sweep = {'a': [1, 2], 'b': 'range:2'}", [{"a": a, "b": str(b)} for a in (1, 2) for b in (0, 1)], id="two axes multiply"),
        pytest.param("_sweep = {'__mode__': 'zip', 'a': [1, 2], 'b': [3, 4]}", [{"a": 1, "b": 3}, {"a": 2, "b": 4}], id="zip by its mode"),
        pytest.param("_sweep = {('a', 'b'): [(1, 2), (3, 4)]}", [{"a": 1, "b": 2}, {"a": 3, "b": 4}], id="a tuple of targets"),
        pytest.param("_sweep = Sweep.zip(a=[1, 2], b=[3, 4])", [{"a": 1, "b": 3}, {"a": 2, "b": 4}], id="a Sweep"),
        pytest.param("_sweep = [{'a': 1}, Config({'a': 2})]", [{"a": 1}, {"a": 2}], id="a list"),
        pytest.param("_sweep = ({'a': n} for n in (1, 2))", [{"a": 1}, {"a": 2}], id="a generator"),
        pytest.param("_sweep = Config({'a': 1})", [{"a": 1}], id="one Config"),
        pytest.param("def _sweep(): return {'a': [1, 2]}", [{"a": 1}, {"a": 2}], id="a function that gives axes"),
        pytest.param("def _sweep():\n    for a in (1, 2):\n        for b in range(a): yield {'a': a, 'b': b}", [{"a": 1, "b": 0}, {"a": 2, "b": 0}, {"a": 2, "b": 1}], id="conditional axes"),
        pytest.param("_overrides = {'A.x': 1}\n_sweep = {'--lr': [1]}", [{"A.x": 1, "--lr": 1}], id="targets that are no names"),
        pytest.param("lrs = [1, 2]\n_sweep = {'lr': lrs}", [{"lrs": [1, 2], "lr": 1}, {"lrs": [1, 2], "lr": 2}], id="a helper gives the values"),
        pytest.param("lr = 0.5\n_sweep = {'lr': [lr, lr * 2]}", [{"lr": 0.5}, {"lr": 1.0}], id="a swept name that the config reads"),
    ],
)  # fmt: skip
def test_sweep_of_a_bare_file(text: str, expected: Any) -> None:
    assert values(loaded(text)) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("lr = 1\n_sweep = {'lr': [1, 2]}", "cfg.py:4: 'lr' is swept, and has one value at cfg.py:3", id="assigned and swept"),
        pytest.param("_overrides = {'A.x': 1}\n_sweep = {'A.x': [1, 2]}", "'A.x' is swept", id="in _overrides and swept"),
        pytest.param("_sweep = {'lr': []}", "cfg.py:3: the axis 'lr' is empty", id="an empty axis"),
        pytest.param("_sweep = {'lr': 3}", "cfg.py:3: the axis 'lr' is not a list", id="an axis that is a number"),
        pytest.param("_sweep = {'lr': 'abc'}", "cfg.py:3: the axis 'lr' is a text", id="an axis that is a text"),
        pytest.param("_sweep = {3: [1]}", "cfg.py:3", id="an axis named by a number"),
        pytest.param("_sweep = {'__mode__': 'zip', 'a': [1], 'b': [1, 2]}", "cfg.py", id="zip of unequal lengths"),
        pytest.param("_sweep = {'__mode__': 'zap', 'a': [1]}", "'__mode__' is 'product' or 'zip'", id="an unknown mode"),
        pytest.param("_sweep = 3", "cfg.py: _sweep is of type int: 3", id="a number"),
        pytest.param("_sweep = 'lr'", "cfg.py: _sweep is of type str", id="a text"),
        pytest.param("_sweep = [3]", "cfg.py: item 0 of _sweep is of type int", id="a list of numbers"),
        pytest.param("_sweep = []", "cfg.py: _sweep is empty", id="an empty list"),
        pytest.param("def _sweep(x): pass", "cfg.py:3: the function _sweep takes no parameters", id="a function with parameters"),
        pytest.param("def _sweep(): 1 / 0", "line 3, in _sweep", id="exception in the function"),
    ],
)  # fmt: skip
def test_refuses_a_sweep(text: str, words: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(text)
    assert words in str(caught.value)
    assert "/kohaku_ast/" not in str(caught.value)


def test_sweep_has_its_place_in_the_config() -> None:
    one = next(iter(loaded("bs = 1\n_sweep = {'lr': [1, 2]}")))
    assert (dict(one.origins), one.varied, one.label) == (
        {"bs": "cfg.py:3", "lr": "cfg.py:4"},
        ("lr",),
        "lr=1",
    )


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("cfg.yaml", "bs: 8\n_sweep: {lr: [1e-3, 2], n: 'range:2'}", [{"bs": "8", "lr": lr, "n": n} for lr in ("1e-3", "2") for n in "01"]),
        ("cfg.yaml", "_sweep: {__mode__: zip, a: [1, 2], b: '3,4'}", [{"a": "1", "b": "3"}, {"a": "2", "b": "4"}]),
        ("cfg.yaml", "_sweep:\n- {a: 1, b: x}\n- {a: 2, b: y}", [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]),
        ("cfg.json", '{"_sweep": {"lr": [0.1, "a"]}}', [{"lr": "0.1"}, {"lr": "a"}]),
        ("cfg.toml", "[_sweep]\nlr = [0.1]\n", [{"lr": "0.1"}]),
    ],
)  # fmt: skip
def test_sweep_of_a_data_file(name: str, text: str, expected: Any) -> None:
    Path(name).write_text(text)
    assert values(load(name)) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lr: 1\n_sweep: {lr: [1]}", "cfg.yaml:2: 'lr' is swept, and has one value at cfg.yaml:1"),
        ("_sweep: {lr: []}", "cfg.yaml:1: the axis 'lr' is empty"),
        ("_sweep: {lr: 'range:0'}", "cfg.yaml:1"),
        ("_sweep: {lr: {a: 1}}", "cfg.yaml:1: the axis 'lr' is not a list"),
        ("_sweep: {lr: 'range:3', __mode__: zap}", "'product' or 'zip'"),
        ("_sweep: 3", "cfg.yaml: _sweep"),
    ],
)
def test_refuses_a_sweep_of_a_data_file(text: str, words: Any) -> None:
    Path("cfg.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load("cfg.yaml")
    assert words in str(caught.value)


# --- modules beside the config -------------------------------------------------------------------


def test_siblings_are_there_for_the_config_only() -> None:
    Path("beside").mkdir()
    Path("beside/__init__.py").write_text("")
    Path("beside/inner.py").write_text("class Net:\n    depth = 3\ndef loss(x): return x + 1\n")
    before, path = set(sys.modules), list(sys.path)
    found = loaded("from beside.inner import Net, loss\nmodel, f = Net, loss").globals_dict
    assert {"beside", "beside.inner", "cfg"} & set(sys.modules) == set()
    assert not [
        name
        for name in set(sys.modules) - before
        if not name.startswith(("kohaku_ast", "cloudpickle"))
    ]
    assert sys.path == path
    assert (found["model"]().depth, found["f"](1)) == (3, 2)
    assert list(Path().rglob("__pycache__")) == []


def test_values_from_siblings_and_the_config_cross_to_a_fresh_process() -> None:
    Path("beside.py").write_text(
        "OFFSET = 5\nclass Net:\n    depth = 3\ndef loss(x): return x + OFFSET\n"
    )
    found = loaded(
        "from beside import Net, loss\nmodel, f = Net, loss\ndef g(x): return f(x) * 2\n"
    ).globals_dict
    Path("values.pkl").write_bytes(cloudpickle.dumps(dict(found)))
    code = "import pickle; v = pickle.load(open('values.pkl', 'rb')); print(v['g'](1), v['model']().depth)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 1  # nothing is found by accident
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "12 3\n"


def test_generator_finds_its_siblings_again_and_the_same_ones() -> None:
    Path("beside.py").write_text("count = 0\n")
    Path("other").mkdir()
    Path("other/beside.py").write_text("count = 'other'\n")
    steps = iter(
        loaded("""
        def config_gen():
            while True:
                import beside
                beside.count += 1
                yield Config({'n': beside.count})
        """)
    )
    assert values(next(steps)) == {"n": 1}
    sys.path.insert(0, "other")
    try:
        import beside  # type: ignore[import-not-found]

        assert beside.count == "other"
        assert values(next(steps)) == {"n": 2}
        assert sys.modules["beside"] is beside
    finally:
        sys.path.remove("other")
        del sys.modules["beside"]


def test_configs_of_two_folders_have_their_own_siblings() -> None:
    use_ = "from kohaku_ast.config.loading import use_config\n"
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Path(folder, "common.py").write_text(f"name = {folder!r}\nclass Box: pass\n")
    Path("a/root.py").write_text("import common\nroot_box = common.Box\nroot_name = common.name\n")
    Path("a/base.py").write_text(
        use_
        + "import common\nuse_config('root.py')\nbase_box = common.Box\nbase_name = common.name\n"
    )
    Path("b/child.py").write_text(
        use_
        + "import common\nbase = use_config('../a/base.py')\nown = [common.name, base.base_name, common.name]\n"
        "import common as again\nname = again.name\n"
    )
    found = load_config("b/child.py").globals_dict
    assert found["own"] == ["b", "a", "b"]
    assert [found[name] for name in ("root_name", "base_name", "name")] == ["a", "a", "b"]
    assert found["root_box"] is found["base_box"]  # one load, one folder: one module


def test_syntax_error_of_a_sibling_is_reported_with_its_line() -> None:
    Path("beside.py").write_text("x = (\n")
    with pytest.raises(ConfigError) as caught:
        loaded("import beside")
    assert 'cfg.py", line 3' in str(caught.value)
    assert 'beside.py", line 1' in str(caught.value)
    assert "importlib" not in str(caught.value)


# --- KohakuEngine --------------------------------------------------------------------------------


class Foreign:
    """As KohakuEngine's Config is, for who only looks at its attributes."""

    def __init__(self, **fields: object) -> None:
        self.globals_dict = fields.get("globals_dict", {})
        self.args = fields.get("args", [])
        self.kwargs = fields.get("kwargs", {})
        self.metadata = fields.get("metadata")


def test_foreign_configs_are_configs() -> None:
    foreign = Foreign(globals_dict={"lr": 1}, args=[2], kwargs={"n": 3})
    assert as_config(foreign) == Config({"lr": 1}, args=(2,), kwargs={"n": 3})
    assert as_config(Foreign) is None
    assert as_config(3) is None
    assert as_config(config := Config()) is config
    assert use(foreign) is foreign


def test_foreign_config_in_a_file() -> None:
    found = loaded("""
        class Theirs:
            globals_dict, args, kwargs, metadata = {'lr': 1}, [], {}, {'a': 'b'}
        def config_gen(): yield Theirs()
        """)
    assert [(dict(one.globals_dict), dict(one.metadata)) for one in found] == [
        ({"lr": 1}, {"a": "b"})
    ]


# --- Config --------------------------------------------------------------------------------------


def test_merging_keeps_the_rest() -> None:
    first = Config(
        {"a": 1, "h": 2},
        args=[1],
        origins={"a": "x"},
        optional=frozenset("ah"),
        varied=("a", "b"),
    )
    second = Config({"a": 3}, metadata={"m": 1}, origins={"a": "y"}, varied=("b", "c"))
    both = first | second
    assert both == Config({"a": 3, "h": 2}, args=[1], metadata={"m": 1})
    assert (dict(both.origins), both.optional, both.varied) == ({"a": "y"}, {"h"}, ("a", "b", "c"))  # type: ignore[comparison-overlap]
    assert pickle.loads(pickle.dumps(both)).varied == both.varied
    with pytest.raises(TypeError):
        both.globals_dict["a"] = 1  # type: ignore[index]
    assert Config({"lr": 0.1, "bs": 2}).label == ""
    with pytest.raises(TypeError):
        first | {"a": 1}


def test_run_under_a_config_with_siblings_is_as_if_edited(tmp_path: Path) -> None:
    Path("conf").mkdir()
    Path("conf/helpers.py").write_text("def loss(x): return x * 3\n")
    Path("helpers.py").write_text("name = 'the script has its own'\n")
    Path("conf/cfg.py").write_text("from helpers import loss as _loss\nloss = _loss\n")
    script = b"import helpers\nloss = None\nprint(helpers.name, loss and loss(2))\n"
    edits = [("loss = None", "loss = lambda x: x * 3")]
    expected, got = compare(tmp_path, script, edits, ["--config", "conf/cfg.py"])
    assert got == expected
    assert expected.stdout == "the script has its own 6\n"
