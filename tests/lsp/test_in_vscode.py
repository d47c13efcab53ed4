"""The extension in VS Code itself: what a person sees of a config with three faults, and does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.lsp.test_features import CONFIGS, FAULTS, PYTHON_FAULTS, SCRIPT

if TYPE_CHECKING:
    from tests.lsp.vscode_app import VSCode

pytestmark = pytest.mark.vscode


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSCode]:
    # `make vscode` installs what this imports; all suites read this file.
    from tests.lsp.vscode_app import vscode

    folder = tmp_path_factory.mktemp("project")
    (folder / "train.py").write_text(SCRIPT)
    for name, text in CONFIGS.items():
        (folder / name).write_text(text)
    with vscode(folder, tmp_path_factory.mktemp("home")) as made:
        yield made
    assert not (folder / "ran").exists(), "an editor runs neither the script nor the config"
    assert {name: (folder / name).read_text() for name in CONFIGS} == CONFIGS


@pytest.fixture
def code(window: VSCode, request: pytest.FixtureRequest) -> Iterator[VSCode]:
    """The window with no file open; a test that fails leaves a picture."""
    failed = request.session.testsfailed
    yield window
    if request.session.testsfailed > failed:
        window.picture(f"vscode-failed-{request.node.name}".replace("/", "-"))
    window.close_files()


def expected(name: str) -> list[str]:
    """``LINE:COLUMN message`` of each fault: as the server's own tests say, with its place."""
    found = []
    for fault in PYTHON_FAULTS if name.endswith(".py") else FAULTS:
        marked, _, message = fault.partition(": ")
        lines = CONFIGS[name].splitlines()
        line = next(number for number, text in enumerate(lines) if marked in text)
        column = lines[line].index(marked)
        if lines[line][column - 1 : column] == '"':
            column -= 1  # quotes are marked as well
        found.append(f"{line + 1}:{column + 1} {message}")
    return sorted(found)


@pytest.mark.parametrize("name", CONFIGS)
def test_three_faults(code: VSCode, name: str) -> None:
    code.open_file(name)
    assert code.problems(3) == expected(name)
    assert len(code.all(".squiggly-error, .squiggly-warning")) == 3
    code.picture(f"vscode-{name}", docs="vscode-config" if name.endswith(".py") else "")

    code.go_to("lr", 1)
    assert code.hover() == "lr · float · default 0.1\nstep size of the optimizer\ntrain.py:12"
    code.go_to("optimzer", 2)
    assert "Change to optimizer" in [one.replace('"', "") for one in code.fixes()]
    code.press("\ue007")
    code.wait(lambda: "optimizer" in code.text_shown(), "the fix")
    assert code.text_shown() == CONFIGS[name].replace("optimzer", "optimizer")
    assert code.problems(2) == [one for one in expected(name) if "'optimzer'" not in one]

    code.go_to("optimizer", 2)
    code.press("\ue03c")  # F12
    code.wait(lambda: code.tab() == "train.py", "the script")
    assert code.place() == (13, 1)


TYPED = {
    "train_cfg.py": ("op", "optimizer", "optimizer = "),
    "train.yaml": ("op", "optimizer", "optimizer: "),
    "train.toml": ("de", "depth", "depth = "),
}


@pytest.mark.parametrize("name", TYPED)
def test_completion(code: VSCode, name: str) -> None:
    typed, label, line = TYPED[name]
    code.open_file(name)
    code.problems(3)  # the server is there
    code.add_line(typed)
    assert code.suggestions()[0] == label
    code.picture(f"vscode-completion-{name}")
    code.press("\ue007")
    code.wait(lambda: code.text_shown().endswith(line), line)


def test_a_command_that_does_not_start_and_one_that_does(code: VSCode) -> None:
    code.open_file("train.yaml")
    code.problems(3)
    code.set(kogine_command=["no-such-kogine", "lsp"])
    code.reload()
    code.open_file("train.yaml")
    told = code.find(".notifications-toasts")
    code.wait(lambda: 'pip install "kohaku-ast[lsp]"' in told.text, "how to install it")
    code.picture("vscode-not-found")
    assert code.problems(0) == []
    code.set()
    code.reload()
    code.open_file("train.yaml")
    assert code.problems(3) == expected("train.yaml")
