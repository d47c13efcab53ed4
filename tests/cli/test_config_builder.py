"""``kogine config init -i`` on a terminal: questions, checks as one types, the file that is written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kohaku_ast.config.template import answer_text
from kohaku_ast.config.text_values import TextValueError
from tests.flow.terminal import Program
from tests.oracle import on_path, run_kogine

LAUNCHER = Path(__file__).parents[1] / "kogine_command.py"
SCRIPT = """\
import argparse
from pathlib import Path
from typing import Literal

# ---- optimizer ----
lr = 0.1  # step size
optimizer: Literal["sgd", "adam"] = "sgd"
# ---- data ----
out = Path("runs")
layers = (64, 64)
p = argparse.ArgumentParser()
p.add_argument("--tag", required=True, help="name of the run")
print(lr, optimizer, out, layers, p.parse_args().tag)
"""
ENTER, UP, BACKSPACE, CTRL_C, CTRL_D = "\r", "\x1b[A", "\x7f", "\x03", "\x04"
WRITTEN = {
    "cfg.yaml": '_script: "train.py"\n\n# ---- optimizer ----\nlr: 0.5  # step size\noptimizer: "adam"\n\n# ---- data ----\nout: "a b"\nlayers: [1, 2]\n"--tag": "x"  # name of the run\n',
    "cfg.toml": '_script = "train.py"\n\n# ---- optimizer ----\nlr = 0.5  # step size\noptimizer = "adam"\n\n# ---- data ----\nout = "a b"\nlayers = [1, 2]\n"--tag" = "x"  # name of the run\n',
    "cfg.py": "_script = \"train.py\"\nfrom pathlib import Path\n\n# ---- optimizer ----\nlr = 0.5  # step size\noptimizer = 'adam'\n\n# ---- data ----\nout = Path('a b')\nlayers = (1, 2)\n\n_overrides = {\n    # ---- data ----\n    \"--tag\": 'x',  # name of the run\n}\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.py").write_text(SCRIPT)
    monkeypatch.setenv("PYTHONPATH", on_path())
    monkeypatch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")  # nobody says where the cursor is
    return tmp_path


class Person(Program):
    """Answers once a question is on the screen."""

    def answer(self, shown: str, keys: str) -> str:
        """The screen with *shown* as its last line but for the toolbar; then *keys* are typed."""
        text = "\n".join(self.wait_for(lambda text: shown in text))
        self.type(keys.encode())
        return text


def start(folder: Path, *words: str) -> Person:
    command = [sys.executable, str(LAUNCHER), "config", "init", "train.py", "-i", *words]
    return Person(command, folder, columns=100, rows=60)


@pytest.mark.parametrize("name", WRITTEN)
def test_asks_checks_and_writes(folder: Path, name: str) -> None:
    has_option = name == "cfg.toml"
    person = start(folder, *(["-o", name] if has_option else []))
    if not has_option:
        person.answer("file: train.yaml", BACKSPACE * 10 + name + ENTER)
    first = person.answer("lr = 0.1", "fast")
    assert first.index("optimizer\n") < first.index("# step size\nlr = 0.1"), (
        "the group, then the help"
    )
    # What is wrong is told before Enter, which does not take it.
    person.answer("expected float, got 'fast'", ENTER + BACKSPACE * 4 + "5" + ENTER)
    person.answer('optimizer = "sgd"', UP)  # back to lr, with what was typed
    person.wait_for(lambda text: text.count("lr = 5") == 2)
    person.type((BACKSPACE + "0.5" + ENTER).encode())
    person.wait_for(lambda text: text.count('optimizer = "sgd"') == 2)
    person.type(b"adam" + ENTER.encode())
    assert "data\n" in person.answer('out = Path("runs")', "a b" + ENTER)
    person.answer("layers = (64, 64)", CTRL_D)  # the rest as it is
    review = person.answer(f"Write {name}?", "layers" + ENTER)
    assert "lr         0.1           0.5" in review
    person.wait_for(lambda text: text.count("layers = (64, 64)") == 2)
    person.type(b"[1, 2]" + ENTER.encode())
    person.wait_for(lambda text: text.count(f"Write {name}?") == 2)
    person.type(b"tag" + ENTER.encode())
    person.answer("tag =", "x" + ENTER)
    person.wait_for(lambda text: text.count(f"Write {name}?") == 3)
    person.type(ENTER.encode())
    assert person.end() == 0
    assert (folder / name).read_text().partition("\n")[2] == WRITTEN[name]
    done = run_kogine(folder, "run", "train.py", "--config", name)
    assert done.stdout == "0.5 adam a b (1, 2) x\n", done.stderr


def test_nothing_is_written_without_consent(folder: Path) -> None:
    person = start(folder, "-o", "cfg.yaml")
    person.answer("lr = 0.1", "0.5" + ENTER)
    person.answer('optimizer = "sgd"', CTRL_C)
    assert person.end() == 130
    assert not (folder / "cfg.yaml").exists()
    (folder / "there.py").write_text("lr = 1\n")
    for words, message in {
        ("-o", "there.py"): "-i asks on a terminal, and this is none",
        ("--force",): "-i asks on a terminal",
    }.items():
        done = run_kogine(folder, "config", "init", "train.py", "-i", *words)
        assert (done.status, done.stdout) == (2, "")
        assert message in done.stderr
    person = start(folder, "-o", "there.py")
    assert person.end() == 2
    assert "'there.py' exists already: name another file, or add --force" in person.data.decode()


@pytest.mark.parametrize(
    ("text", "reading", "form", "expected"),
    [
        pytest.param("yes", ("bool",), "json", "true", id="a word for true"),
        pytest.param("1e-3", ("float",), "py", "0.001", id="a float"),
        pytest.param("inf", ("float",), "py", 'float("inf")', id="infinity in Python"),
        pytest.param("FAST", ("enum", "Mode", ("FAST",)), "toml", '"FAST"', id="a member"),
        pytest.param("FAST", ("enum", "Mode", ("FAST",)), "py", None, id="a member in Python"),
        pytest.param("None", ("optional", ("int",)), "yaml", "null", id="None"),
        pytest.param("None", ("optional", ("int",)), "toml", None, id="None in TOML"),
        pytest.param("[1, (2, 3)]", ("list",), "yaml", None, id="a tuple that would be a list"),
        pytest.param("2020-12-31", ("date", "date"), "yaml", '"2020-12-31"', id="a date"),
    ],
)
def test_answers_as_the_file_has_them(
    text: str, reading: tuple[object, ...], form: str, expected: str | None
) -> None:
    if expected is None:
        with pytest.raises(TextValueError, match="has no form in"):
            answer_text(text, reading, form)
    else:
        assert answer_text(text, reading, form) == expected
