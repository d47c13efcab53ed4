"""Two names of one parameter in several configs: the later config wins."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.oracle import edited, on_path, run_kogine, run_python

SCRIPT = """\
class Args:
    depth = 2
    width = 3
    class Opt:
        name = "sgd"
        wd = 0.0
cfg = {"a": 1, "b": 2}
lr = 0.1
print(Args.depth, Args.width, Args.Opt.name, Args.Opt.wd, cfg, lr)
"""
USE = "from kohaku_ast import use_config, Config, Sweep\n"
FULL, BASE, SHORT = (
    '_overrides = {"Args.depth": 5}\n',
    USE + 'use_config("base.py")\n',
    "depth = 7\n",
)


def run(folder: Path, files: dict[str, str], *arguments: str) -> str:
    (folder / "train.py").write_text(SCRIPT)
    for name, text in files.items():
        (folder / name).write_text(dedent(text))
    done = run_kogine(folder, "run", "train.py", *arguments)
    assert done.status == 0, done.stderr
    return done.stdout


def plain(folder: Path, *edits: tuple[str, str]) -> str:
    (folder / "train.py").write_bytes(edited(SCRIPT.encode(), edits))
    return run_python(folder, "train.py").stdout


def configs(*names: str) -> list[str]:
    return [word for name in names for word in ("--config", name)]


@pytest.mark.parametrize(
    ("files", "arguments", "depth"),
    [
        pytest.param({"base.py": FULL, "cfg.py": BASE + SHORT}, configs("cfg.py"), 7, id="a child by another name"),
        pytest.param({"base.py": SHORT, "cfg.py": BASE + FULL}, configs("cfg.py"), 5, id="a child by the full name"),
        pytest.param({"root.py": FULL, "base.py": USE + 'use_config("root.py")\n', "cfg.py": BASE + SHORT}, configs("cfg.py"), 7, id="two levels"),
        pytest.param({"root.py": FULL, "base.py": USE + 'use_config("root.py")\n' + SHORT, "cfg.py": BASE}, configs("cfg.py"), 7, id="the middle of three"),
        pytest.param({"root.py": "", "base.py": FULL, "cfg.py": BASE + 'use_config("other.py")\n', "other.py": SHORT}, configs("cfg.py"), 7, id="the later of two bases"),
        pytest.param({"base.py": FULL, "cfg.py": BASE, "first.py": SHORT}, configs("first.py", "cfg.py"), 5, id="a later file with what it inherits"),
        pytest.param({"base.py": FULL, "cfg.py": BASE, "last.py": SHORT}, configs("cfg.py", "last.py"), 7, id="a file after one that inherits"),
        pytest.param({"base.py": FULL, "cfg.py": BASE + SHORT, "last.py": '_overrides = {"Args.depth": 9}\n'}, configs("cfg.py", "last.py"), 9, id="a file after both names"),
        pytest.param({"base.yaml": "Args.depth: 5\n", "cfg.yaml": "_base: base.yaml\ndepth: 7\n"}, configs("cfg.yaml"), 7, id="a data file"),
        pytest.param({"base.yaml": "Args: {depth: 5}\n", "cfg.yaml": "_base: base.yaml\ndepth: 7\n"}, configs("cfg.yaml"), 7, id="a name over a table"),
        pytest.param({"base.yaml": "depth: 5\n", "cfg.yaml": "_base: base.yaml\nArgs: {depth: 7}\n"}, configs("cfg.yaml"), 7, id="a table over a name"),
        pytest.param({"base.py": FULL, "cfg.yaml": "_base: base.py\ndepth: 7\n"}, configs("cfg.yaml"), 7, id="a data file over a Python file"),
        pytest.param({"base.py": FULL, "cfg.py": BASE + SHORT}, [*configs("cfg.py"), "Args.depth=8"], 8, id="the command line"),
        pytest.param({"base.py": FULL, "cfg.py": BASE + "CONFIG = Config({'depth': 7})\n"}, configs("cfg.py"), 7, id="CONFIG"),
        pytest.param({"base.py": FULL, "cfg.py": BASE + "def config_gen(): return Config({'Args.depth': 3}) | Config({'depth': 7})\n"}, configs("cfg.py"), 7, id="config_gen"),
        pytest.param({"base.py": FULL, "cfg.py": BASE + "_sweep = {'depth': [7]}\n"}, configs("cfg.py"), 7, id="an axis over an inherited value"),
        pytest.param({"base.py": "_sweep = {'Args.depth': [4]}", "cfg.py": BASE + "depth = 7\n"}, configs("cfg.py"), 7, id="a value over an inherited axis"),
        pytest.param({"a.py": "_sweep = {'Args.depth': [4]}", "b.py": "depth = 7\n"}, configs("a.py", "b.py"), 7, id="a file over the axis of another"),
        pytest.param({"a.py": "_sweep = {'Args.depth': [4]}", "b.py": "depth = 7\n"}, configs("b.py", "a.py"), 4, id="an axis of a file over another"),
        pytest.param({"a.py": FULL}, [*configs("a.py"), "--sweep", "depth=7"], 7, id="an axis of the command line"),
        pytest.param({"a.py": FULL, "t.csv": "depth\n7\n"}, [*configs("a.py"), "--trials", "t.csv"], 7, id="a table"),
    ],
)  # fmt: skip
def test_the_one_above_wins(tmp_path: Path, files: Any, arguments: Any, depth: Any) -> None:
    printed = run(tmp_path, files, *arguments)
    assert printed == plain(tmp_path, ("depth = 2", f"depth = {depth}"))


@pytest.mark.parametrize(
    ("files", "arguments", "depths"),
    [
        pytest.param({"a.py": "_sweep = {'Args.depth': [4, 5]}", "b.py": "depth = 7\n"}, configs("a.py", "b.py"), [7], id="a value over an axis"),
        pytest.param({"a.py": "_sweep = {'Args.depth': [4, 5]}", "b.py": "_sweep = {'depth': [7, 8]}\n"}, configs("a.py", "b.py"), [7, 8], id="an axis over an axis"),
        pytest.param({"a.py": "_sweep = {'Args.depth': [4, 5]}"}, [*configs("a.py"), "--sweep", "depth=7,8"], [7, 8], id="an axis of the command line over an axis"),
        pytest.param({"a.py": "_sweep = {'Args.depth': [4, 5]}", "t.csv": "depth\n7\n8\n"}, [*configs("a.py"), "--trials", "t.csv"], [7, 8], id="a table over an axis"),
        pytest.param({"base.py": "_sweep = {'Args.depth': [4, 5]}", "cfg.py": BASE + "depth = 7\n"}, configs("cfg.py"), [7], id="a value over an inherited axis"),
        pytest.param({"base.py": "_sweep = {'Args.depth': [4, 5]}", "cfg.py": BASE + "_sweep = {'depth': [7]}\n"}, configs("cfg.py"), [7], id="an axis over an inherited axis"),
        pytest.param({"a.py": "_sweep = {('Args.depth', 'lr'): [(4, 1), (5, 2)]}"}, [*configs("a.py"), "--sweep", "depth=7,8", "lr=0.1"], [7, 8], id="one of two targets, the other set"),
    ],
)  # fmt: skip
def test_no_run_is_made_twice(tmp_path: Path, files: Any, arguments: Any, depths: Any) -> None:
    printed = run(tmp_path, files, *arguments)
    wanted = [plain(tmp_path, ("depth = 2", f"depth = {depth}")) for depth in depths]
    assert printed == "".join(wanted)


@pytest.mark.parametrize(
    ("files", "arguments"),
    [
        pytest.param({"cfg.py": FULL + SHORT}, configs("cfg.py"), id="one file"),
        pytest.param({"cfg.py": FULL + "_sweep = {'depth': [1, 2]}\n"}, configs("cfg.py"), id="a value and an axis of one file"),
        pytest.param({"cfg.py": "_sweep = {'depth': [1, 2], 'Args.depth': [3]}\n"}, configs("cfg.py"), id="two axes of one file"),
        pytest.param({"cfg.yaml": "depth: 1\nArgs: {depth: 2}\n"}, configs("cfg.yaml"), id="a name and a table of one file"),
        pytest.param({}, ["depth=1", "Args.depth=2"], id="the command line"),
        pytest.param({}, ["depth=1", "--sweep", "Args.depth=2,3"], id="a value and an axis of the command line"),
        pytest.param({}, ["--sweep", "depth=1,4", "--sweep", "Args.depth=2,3"], id="two axes of the command line"),
        pytest.param({"t.csv": "Args.depth\n1\n2\n"}, ["--sweep", "depth=1,4", "--trials", "t.csv"], id="an axis and a table of the command line"),
    ],
)  # fmt: skip
def test_one_place_must_not_say_two_things(tmp_path: Path, files: Any, arguments: Any) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = run_kogine(tmp_path, "run", "train.py", *arguments)
    assert (done.status, done.stdout) == (2, "")
    assert "depth" in done.stderr


TABLE = "Args:\n  depth: 5\n  Opt: {name: adam, wd: 1}\ncfg: {a: 5, b: 6}\n"


@pytest.mark.parametrize("form", ["_base", "--config"])
@pytest.mark.parametrize(
    ("child", "edits"),
    [
        pytest.param("Args: {width: 9}", [("depth = 2", "depth = 5"), ("width = 3", "width = 9"), ('"sgd"', '"adam"'), ("wd = 0.0", "wd = 1.0")], id="another name of a class"),
        pytest.param("Args: {depth: 9}", [("depth = 2", "depth = 9"), ('"sgd"', '"adam"'), ("wd = 0.0", "wd = 1.0")], id="the same name of a class"),
        pytest.param("Args: {Opt: {wd: 2}}", [("depth = 2", "depth = 5"), ('"sgd"', '"adam"'), ("wd = 0.0", "wd = 2.0")], id="a class in a class"),
    ],
)  # fmt: skip
def test_tables_of_a_class_add_up(tmp_path: Path, form: Any, child: Any, edits: Any) -> None:
    base = {
        "base.yaml": TABLE,
        "cfg.yaml": ("_base: base.yaml\n" if form == "_base" else "") + child,
    }
    names = ["cfg.yaml"] if form == "_base" else ["base.yaml", "cfg.yaml"]
    printed = run(tmp_path, base, *configs(*names))
    assert printed == plain(tmp_path, *edits, ('"a": 1, "b": 2', '"a": 5, "b": 6'))


def test_a_dict_of_the_script_is_replaced_whole(tmp_path: Path) -> None:
    files = {
        "base.yaml": TABLE,
        "cfg.yaml": "_base: base.yaml\nArgs: {depth: 2, Opt: {name: sgd, wd: 0}}\ncfg: {a: 7}\n",
    }
    assert run(tmp_path, files, *configs("cfg.yaml")) == plain(
        tmp_path, ('"a": 1, "b": 2', '"a": 7')
    )


@pytest.mark.parametrize(
    ("call", "depth"),
    [
        pytest.param("Script('train.py', Config.from_file('cfg.py')).run()", 7, id="Script.run"),
        pytest.param("run('train.py', Config.from_file('cfg.py'))", 7, id="run"),
        pytest.param("run('train.py', Config.from_file('cfg.py'), **{'Args.depth': 8})", 8, id="a keyword over a file"),
        pytest.param("run('train.py', Config({'Args.depth': 8}) | Config.from_file('cfg.py'))", 7, id="a file over a Config"),
        pytest.param("run('train.py', Config({'Args.depth': 8}) | Config({'depth': 9}))", 9, id="a Config over a Config"),
        pytest.param("Sequential([Script('train.py', Sweep.from_file('cfg.py'))]).run()", 7, id="a flow"),
    ],
)  # fmt: skip
def test_the_python_api(tmp_path: Path, call: Any, depth: Any) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "base.py").write_text(FULL)
    (tmp_path / "cfg.py").write_text(BASE + SHORT)
    api = "from kohaku_ast import Config, Script, Sequential, Sweep, run\n"
    (tmp_path / "host.py").write_text(api + call)
    done = run_python(tmp_path, "host.py", PYTHONPATH=on_path())
    assert done.stdout == plain(tmp_path, ("depth = 2", f"depth = {depth}")), done.stderr
