"""The identity of a run is its content."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.config.config import Config
from kohaku_ast.config.config_files import load_config
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.launch import Launch, find_launch
from kohaku_ast.runner.overrides import Override
from kohaku_ast.store import own_modules
from kohaku_ast.store.identity import identity

SCRIPT = """
import settings
lr = 0.1
betas = (0.9, 0.99)
def main(epochs=1): ...
if __name__ == "__main__":
    main()
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SCRIPT)
    Path("settings.py").write_text("depth = 1\n")


def made(config: Config | None = None, *, script: str = "train.py", **options: Any) -> str:
    argv = options.pop("argv", ())
    binder = Binder(Launch(script, argv), **options)
    return identity(binder.bind(config), os.getcwd())


def on_command_line(text: str) -> dict[str, Any]:
    target, _, value = text.partition("=")
    return {"overrides": [Override(target, value, "command line", 9, is_text=True)]}


def test_same_values_from_anywhere() -> None:
    Path("cfg.py").write_text("lr = 1e-1\n")
    Path("other.yaml").write_text("lr: 0.10\n")
    expected = made(Config({"lr": 0.1}))
    assert made(load_config("cfg.py")) == expected
    assert made(load_config("other.yaml")) == expected
    assert made(**on_command_line("lr=.1")) == expected
    assert made(Config({"lr": 0.1}, metadata={"note": "x"}, varied=("lr",))) == expected


def test_only_the_value_that_holds_counts() -> None:
    assert made(Config({"lr": 7}), **on_command_line("lr=0.5")) == made(Config({"lr": 0.5}))


def test_order_of_targets_does_not_count() -> None:
    one = Config({"lr": 1, "betas": (1, 2)})
    assert made(one) == made(Config({"betas": (1, 2), "lr": 1}))


def test_path_of_the_script_is_that_of_its_file() -> None:
    assert made(script="./train.py") == made(script=str(Path("train.py").absolute())) == made()


def test_moved_project_is_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = made(Config({"lr": 1}))
    shutil.copytree(tmp_path, tmp_path / "moved")
    monkeypatch.chdir(tmp_path / "moved")
    assert made(Config({"lr": 1})) == before


def test_each_difference_counts() -> None:
    Path("copy.py").write_text(SCRIPT)
    found = [
        made(),
        made(Config({"lr": 0.1})),  # that it is overridden: the script may compute it
        made(Config({"lr": 0.2})),
        made(Config({"betas": (0.1, 0.2)})),
        made(Config({"betas": [0.1, 0.2]})),
        made(Config(kwargs={"epochs": 2})),
        made(Config(args=(2,))),
        made(Config(argv=("2",))),
        made(Config(new_globals={"extra": 2})),
        made(Config({"settings.depth": 2})),
        made(entrypoint="main"),
        made(Config(args=(2,)), entrypoint="main"),
        made(Config(args=(3,)), entrypoint="main"),
        made(Config(kwargs={"epochs": 2}), entrypoint="main"),
        made(Config(kwargs={"epochs": 3}), entrypoint="main"),
        made(script="copy.py"),
    ]
    assert len(set(found)) == len(found)


def test_value_for_a_module_that_only_the_running_script_finds_counts() -> None:
    folder = Path("late")
    folder.mkdir()
    (folder / "hp.py").write_text("lr = 1\n")
    Path("late.py").write_text("import sys\nsys.path.append(sys.argv[1])\nimport hp\n")
    names = {made(script="late.py", **on_command_line(f"hp.lr={text}")) for text in "345"}
    assert len(names) == 3


def test_changed_script_is_another_program() -> None:
    before = made()
    Path("train.py").write_text(SCRIPT + "# a comment\n")
    assert made() != before


def test_changed_module_with_overrides_is_another_program() -> None:
    config = Config({"settings.depth": 2})
    before = made(config)
    Path("settings.py").write_text("depth = 1\nwidth = 3\n")
    assert made(config) != before


def test_changed_module_is_another_program() -> None:
    before = made()
    Path("settings.py").write_text("depth = 2\n")
    assert made() != before
    Path("settings.py").write_text("depth = 1\n")
    assert made() == before


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("h = importlib.import_module('net')", "net.py"),
        ("h = __import__('net')", "net.py"),
        ("h = import_module('.net', 'pkg')\nimport pkg.more", "pkg/net.py"),
        ("sys.path.insert(0, 'lib')\nimport net", "lib/net.py"),
        ("sys.path.append(os.path.join(os.path.dirname(__file__), 'lib', 'x'))\nimport net", "lib/x/net.py"),
        ("sys.path += [str(Path(__file__).parent / 'lib/x')]\nfrom net import depth", "lib/x/net.py"),
        ("sys.path.append(os.path.dirname(os.path.dirname(__file__)))\nimport net", "../net.py"),
    ],
)  # fmt: skip
def test_changed_module_by_a_constant_name_or_in_an_added_folder(text: str, file: str) -> None:
    os.makedirs("sub/lib/x")
    os.chdir("sub")
    Path("train.py").write_text(f"{SCRIPT}{text}\n")
    Path("pkg").mkdir()
    Path("pkg/more.py").write_text(
        "from importlib import import_module\nimport_module('.net', 'pkg')\n"
    )
    Path(file).write_text("depth = 1\n")
    before = made()
    Path(file).write_text("depth = 2\n")
    assert made() != before


def test_module_that_is_not_imported_does_not_count() -> None:
    before = made()
    Path("plot.py").write_text("colour = 1\n")
    assert made() == before


def test_changed_module_of_an_editable_project(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("train.py").write_text("import net\n")
    Path("src/net").mkdir(parents=True)
    Path("src/net/__init__.py").write_text("from net.layers import depth\n")
    Path("src/net/layers.py").write_text("depth = 1\n")
    alone = made()
    # As PYTHONPATH does.
    monkeypatch.setattr(sys, "path", [sys.path[0], str(Path("src").absolute()), *sys.path[1:]])
    own_modules.forget()
    before = made()
    Path("src/net/layers.py").write_text("depth = 2\n")
    assert len({alone, before, made()}) == 3


def test_installed_module_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    library = tmp_path / "site-packages"
    library.mkdir()
    monkeypatch.setattr(sys, "path", [sys.path[0], str(library), *sys.path[1:]])
    Path("train.py").write_text("import net\n")
    before = made()
    (library / "net.py").write_text("depth = 1\n")
    own_modules.forget()
    assert made() == before


def test_module_that_is_no_python_counts() -> None:
    Path("settings.py").write_bytes(b"depth = (\xff\n")
    before = made()
    Path("settings.py").write_bytes(b"depth = (\xfe\n")
    assert made() != before


@pytest.mark.parametrize("target", ["app", "app.zip"])
def test_changed_module_in_a_folder_or_zip(target: str) -> None:
    found = set()
    for number in (1, 2):
        Path("app").mkdir(exist_ok=True)
        Path("app/__main__.py").write_text("import net\n")
        Path("app/net.py").write_text(f"depth = {number}\n")
        if target == "app.zip":
            shutil.make_archive("app", "zip", "app")
        found.add(identity(Binder(find_launch(target, (), False)).bind(), os.getcwd()))
    assert len(found) == 2


def test_value_without_content_is_like_no_other(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w") as file:
        config = Config({"lr": file})
        assert made(config) != made(config)
