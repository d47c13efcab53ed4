"""use_config and _base: what is inherited, and that derived values follow the child."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from kohaku_ast.config.cells import CellMap, native
from kohaku_ast.config.config_files import load, load_config
from kohaku_ast.config.loading import use_config
from kohaku_ast.errors import ConfigError, UsageError
from tests.oracle import compare

USE = "from kohaku_ast.config.loading import use_config\n"
BASE = "steps = 100\nwarm = steps // 10\nname = 'base'\n"


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(**files: str) -> None:
    """Each keyword is a file: ``sub__base`` is sub/base.py, ``a_yaml`` is a.yaml."""
    for key, text in files.items():
        path = Path(key.replace("__", "/").replace("_yaml", ".yaml"))
        path = path if path.suffix else path.with_suffix(".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(text))


def values_of(path: str) -> dict[str, object]:
    found = native(CellMap(load_config(path).globals_dict))  # type: ignore[arg-type]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("child", "values"),
    [
        pytest.param("", {"steps": 100, "warm": 10, "name": "base"}, id="nothing of its own"),
        pytest.param("steps = 500", {"steps": 500, "warm": 50, "name": "base"}, id="derived value follows"),
        pytest.param("warm = 3", {"steps": 100, "warm": 3, "name": "base"}, id="derived value is given"),
        pytest.param("lr = 1", {"steps": 100, "warm": 10, "name": "base", "lr": 1}, id="a name that the base lacks"),
        pytest.param("_overrides = {'steps': 500, 'A.x': 1}", {"steps": 500, "warm": 50, "name": "base", "A.x": 1}, id="a target in _overrides"),
        pytest.param("steps = base.steps * 2", {"steps": 200, "warm": 20, "name": "base"}, id="made from the base's own value"),
        pytest.param("lr = base.warm", {"steps": 100, "warm": 10, "name": "base", "lr": 10}, id="a derived value is read"),
        pytest.param("from kohaku_ast import Config\nCONFIG = Config({'steps': 500})", {"steps": 500, "warm": 50, "name": "base"}, id="CONFIG"),
        pytest.param("from kohaku_ast import Config\ndef config_gen(): return Config({'steps': base.steps + 100})", {"steps": 200, "warm": 20, "name": "base"}, id="config_gen"),
    ],
)  # fmt: skip
def test_child_over_base(child: Any, values: Any) -> None:
    write(base=BASE, child=USE + "base = use_config('base.py')\n" + child)
    assert values_of("child.py") == values


@pytest.mark.parametrize(
    ("base", "values"),
    [
        pytest.param("if steps_known := True:\n    n = 1\nelse:\n    n = 2\ntwice = n * 2", {"n": 5, "twice": 10}, id="defined in branches"),
        pytest.param("from math import e as n\ntwice = n * 2", {"n": 5, "twice": 10}, id="imported"),
        pytest.param("def n(): return 1\ntwice = n * 2", {"n": 5, "twice": 10}, id="a function"),
        pytest.param("n: int = 1\ndef f(): return n * 2\ntwice = f()", {"n": 5, "twice": 10}, id="read in a function"),
        pytest.param("n, m = 1, 2\ntwice = n * m", {"n": 5, "m": 2, "twice": 10}, id="unpacked"),
        pytest.param("n = 1\nn += 1\ntwice = n * 2", {"n": 5, "twice": 12}, id="changed in place, as an edited file would"),
        pytest.param("n = 1 / 0\ntwice = n * 2", {"n": 5, "twice": 10}, id="its own right side does not run"),
        pytest.param("for i in (1, 2):\n    n = i\ntwice = 3", {"n": 5, "twice": 3}, id="assigned in a loop, read by nothing"),
        pytest.param("from kohaku_ast import Config\nn = 1\nCONFIG = Config({'n': n, 'twice': n * 2})", {"n": 5, "twice": 10}, id="CONFIG"),
        pytest.param("from kohaku_ast import Config\nn = 1\ndef config_gen(): return Config({'twice': n * 2})", {"n": 5, "twice": 10}, id="config_gen"),
        pytest.param("_n = 1\ntwice = _n", {"n": 5, "twice": 1}, id="not defined"),
    ],
)  # fmt: skip
def test_forms_of_bases(base: Any, values: Any) -> None:
    write(base=base, child=USE + "use_config('base.py')\nn = 5\n")
    found = values_of("child.py")
    assert {name: found[name] for name in values} == values


def test_chain_gives_the_root_the_values_of_all() -> None:
    write(
        root="lr = 1\nbs = 2\nscaled = lr * bs\nroot_only = bs * 10\n",
        base=USE + "root = use_config('root.py')\nbs = 3\nhalf = root.scaled / 2\nown = bs\n",
        child=USE + "use_config('base.py')\nlr = 7\n",
    )
    assert values_of("base.py") == {
        "lr": 1,
        "bs": 3,
        "scaled": 3,
        "root_only": 30,
        "half": 1.0,
        "own": 3,
    }
    # `half` reads what root is under the child's lr, before base's own bs.
    assert values_of("child.py") == {
        "lr": 7,
        "bs": 3,
        "scaled": 21,
        "root_only": 30,
        "half": 7.0,
        "own": 3,
    }


def test_later_base_wins_and_each_follows_the_child() -> None:
    write(
        a="n = 1\nna = n * 2\nwho = 'a'\n",
        b="n = 10\nnb = n * 3\nwho = 'b'\n",
        child=USE + "use_config('a.py')\nuse_config('b.py')\n",
        grown=USE + "use_config('a.py')\nuse_config('b.py')\nn = 100\n",
    )
    assert values_of("child.py") == {"n": 10, "na": 2, "who": "b", "nb": 30}
    assert values_of("grown.py") == {"n": 100, "na": 200, "who": "b", "nb": 300}


def test_paths_start_at_the_folder_of_the_config() -> None:
    write(
        sub__root="x = 1\n",
        sub__base=USE + "use_config('root.py')\n",
        child=USE + "use_config('sub/base.py')\n",
    )
    config = load_config("child.py")
    assert (dict(config.globals_dict), dict(config.origins)) == ({"x": 1}, {"x": "sub/root.py:1"})


def test_origins_say_whose_value_it_is() -> None:
    write(base=BASE, child=USE + "use_config('base.py')\n\nsteps = 1\n")
    assert dict(load_config("child.py").origins) == {
        "steps": "child.py:4", "warm": "base.py:2", "name": "base.py:3",
    }  # fmt: skip


def test_other_fields_are_inherited() -> None:
    write(
        base="_argv = ['--x']\n_kwargs = {'a': 1, 'b': 2}\n_outputs = ['loss']\n",
        child=USE + "use_config('base.py')\n_kwargs = {'b': 3}\n_outputs = ['acc']\n",
    )
    config = load_config("child.py")
    assert (config.argv, dict(config.kwargs), config.outputs) == (
        ("--x",),
        {"a": 1, "b": 3},
        ("acc",),
    )


def test_script_may_lack_what_only_the_base_reads() -> None:
    write(base="n = 2\nsteps = n * 5\nunread = 1\n", child=USE + "use_config('base.py')\nn = 4\n")
    config = load_config("child.py")
    assert (config.globals_dict["steps"], config.optional) == (20, {"n"})  # type: ignore[comparison-overlap]


def test_view_is_lazy_read_only_and_suggests() -> None:
    write(
        base="print('ran')\nlr = 1\n_seed = 3\n",
        child=USE + "base = use_config('base.py')\nx = base\n",
    )
    assert "x" not in load_config("child.py").globals_dict
    for line, words in [
        ("base.lrr", "has no 'lrr'. Did you mean 'lr'?"),
        ("base.lr = 3", "read-only"),
    ]:
        write(child=USE + f"base = use_config('base.py')\n{line}\n")
        with pytest.raises(ConfigError, match=r"child.py") as caught:
            load("child.py")
        assert words in str(caught.value)
    write(
        child=USE
        + "base = use_config('base.py')\nx = [base._seed, base['lr'], 'lr' in dir(base), repr(base)]\n"
    )
    assert values_of("child.py")["x"] == [3, 1, True, "use_config('base.py')"]


def test_base_of_data_is_shared_by_both_kinds() -> None:
    write(root_yaml="lr: 1e-3\nbs: 8\nd: {a: 1}\n", base_yaml="_base: root.yaml\nbs: 16\n")
    write(child=USE + "base = use_config('base.yaml')\nlr = base.lr * 2\n")
    assert values_of("base.yaml") == {"lr": 0.001, "bs": 16, "d": {"a": 1}}
    assert values_of("child.py") == {"lr": 0.002, "bs": 16, "d": {"a": 1}}
    assert load_config("child.py").origins["bs"] == "base.yaml:2"


def test_data_over_a_python_base_is_read_as_its_types() -> None:
    write(
        base="steps = 10\nwarm = steps * 2\nname = 'a'\nlong = name * 2\n",
        child_yaml="_base: base.py\nsteps: 1e2\nname: 07\n",
    )
    assert values_of("child.yaml") == {"steps": 100.0, "warm": 200, "name": "07", "long": "0707"}
    write(child_yaml="_base: [base.py]\nsteps: many\n")
    with pytest.raises(ConfigError, match=r"base.py:1: steps: expected int, got 'many'"):
        load("child.yaml")


def test_sweep_of_a_base_is_swept_over_the_child() -> None:
    write(base="n = 1\nm = n * 2\n_sweep = {'lr': [1, 2]}\n")
    write(child=USE + "use_config('base.py')\nn = 4\n")
    assert [dict(one.globals_dict) for one in load("child.py")] == [  # type: ignore[union-attr]
        {"n": 4, "m": 8, "lr": 1}, {"n": 4, "m": 8, "lr": 2},
    ]  # fmt: skip
    write(child=USE + "use_config('base.py')\nlr = 9\n")
    assert [dict(one.globals_dict) for one in load("child.py")] == [{"n": 1, "m": 2, "lr": 9}]  # type: ignore[union-attr]
    write(child=USE + "use_config('base.py')\n_sweep = {'bs': [3, 4]}\n")
    assert [(one.globals_dict["lr"], one.globals_dict["bs"]) for one in load("child.py")] == [  # type: ignore[union-attr]
        (1, 3), (1, 4), (2, 3), (2, 4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "words"),
    [
        pytest.param({"child": "use_config('none.py')"}, ("child.py:2", "can't open config 'none.py'"), id="no such base"),
        pytest.param({"child": "use_config('child.py')"}, ("child.py:2", "child.py -> child.py"), id="itself"),
        pytest.param({"child": "use_config('base.py')", "base": "use_config('child.py')"}, ("base.py:2", "child.py -> base.py -> child.py"), id="a circle of two"),
        pytest.param({"child": "use_config('base.py')", "base": "1 / 0"}, ("child.py:2", "base.py", "ZeroDivisionError"), id="exception in the base"),
        pytest.param({"child": "x = use_config('base.py').y", "base": "1 / 0"}, ("child.py:2", "base.py", "ZeroDivisionError"), id="exception when it is read"),
        pytest.param({"child": "use_config('base.py')\ni = 3", "base": "for j in (1, 2): i = j\nx = i"}, ("child.py:2", "'base.py' cannot be inherited", "inside a loop"), id="a name that only a loop assigns and something reads"),
        pytest.param({"child": "use_config('base.ini')", "base": ""}, ("child.py:2", "a config ends in"), id="unknown extension"),
    ],
)  # fmt: skip
def test_refuses(files: Any, words: Any) -> None:
    write(**{name: USE + text for name, text in files.items()})
    with pytest.raises(ConfigError) as caught:
        load("child.py")
    assert [word for word in words if word not in str(caught.value)] == []
    assert "/kohaku_ast/" not in str(caught.value)


def test_use_config_is_for_config_files() -> None:
    with pytest.raises(UsageError, match="for config files"):
        use_config("base.py")


def test_run_is_as_if_edited(tmp_path: Path) -> None:
    write(
        base="steps = 10\nwarmup = steps // 5\ndef loss(x): return x * warmup\n",
        child=USE + "use_config('base.py')\nsteps = 50\n",
    )
    script = b"steps = 1\nwarmup = 2\nloss = abs\nprint(steps, warmup, loss(3))\n"
    edits = [
        ("steps = 1", "steps = 50"),
        ("warmup = 2", "warmup = 10"),
        ("loss = abs", "loss = lambda x: x * 10"),
    ]
    expected, got = compare(tmp_path, script, edits, ["--config", "child.py"])
    assert got == expected
    assert expected.stdout == "50 10 30\n"
