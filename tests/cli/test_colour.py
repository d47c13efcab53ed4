"""Colour on a terminal, as cargo and uv have it; plain text elsewhere."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from kogine.command import in_colour

from kohaku_ast.errors import label
from tests.oracle import on_path, run_kogine

LAUNCHER = Path(__file__).parents[1] / "kogine_command.py"
ESCAPE = re.compile(r"\x1b\[[\d;]*m")


def on_terminal(folder: Path, *words: str, **environment: str) -> str:
    """What ``kogine WORDS`` prints on a terminal of 80 columns."""
    parent, child = pty.openpty()
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, str(LAUNCHER), *words],
        cwd=folder, stdin=child, stdout=child, stderr=child,
        env={**clean, "PYTHONPATH": on_path(), "TERM": "xterm", "COLUMNS": "80", **environment},
    )  # fmt: skip
    os.close(child)
    output = b""
    try:
        while data := os.read(parent, 65536):
            output += data
    except OSError:  # Linux's end of a terminal
        pass
    process.wait()
    os.close(parent)
    return output.decode()


CASES = [
    pytest.param(("run", "s.py", "lrr=1"), "\x1b[1;31merror:\x1b[0m ", id="an error"),
    pytest.param(("runn",), "\x1b[1;31merror:\x1b[0m ", id="an error of the group"),
    pytest.param(("run", "s.py", "unused=1"), "\x1b[1;33mwarning:\x1b[0m ", id="a warning"),
    pytest.param(("help", "run"), "\x1b[1;32mUsage\x1b[0m:", id="a heading of help"),
    pytest.param(("help", "run"), "\x1b[1;36m--config\x1b[0m", id="an option in help"),
    pytest.param(("run", "--inspect", "s.py"), "\x1b[1m", id="a table"),
]


@pytest.mark.parametrize(("words", "coloured"), CASES)
def test_on_a_terminal(words: tuple[str, ...], coloured: str, tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("lr = 0.1\nif False:\n    unused = 2\n")
    assert coloured in on_terminal(tmp_path, *words)
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        shown = on_terminal(tmp_path, *words, **environment)
        assert not re.search(r"\x1b\[[\d;]*3\dm", shown), environment
    done = run_kogine(tmp_path, *words)
    assert "\x1b" not in done.stdout + done.stderr


def test_colour_can_be_forced(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("lr = 0.1\n")
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        done = run_kogine(tmp_path, "run", "s.py", "lrr=1", **{name: "1"})
        assert "\x1b[1;31m" in done.stderr
    assert label("error", io.StringIO()) == "kogine: error: "


@pytest.mark.parametrize(
    "command", ["run", "workflow sequential", "config migrate", "pipeline run"]
)
@pytest.mark.parametrize("width", [50, 60, 80, 100])
def test_help_breaks_no_word_and_no_bracket(command: str, width: int, tmp_path: Path) -> None:
    wide = run_kogine(tmp_path, "help", *command.split(), COLUMNS="1000").stdout
    narrow = run_kogine(tmp_path, "help", *command.split(), COLUMNS=str(width)).stdout
    assert set(narrow.split()) == set(wide.split())
    usage = narrow.partition("\n\n")[0]
    assert all(line.count("[") == line.count("]") for line in usage.splitlines())


def test_colours_change_no_text(tmp_path: Path) -> None:
    text = run_kogine(tmp_path, "help", "run").stdout
    assert ESCAPE.sub("", in_colour(text)) == text
