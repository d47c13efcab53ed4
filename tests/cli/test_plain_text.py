"""Text of scripts, configs and data files gives the terminal no orders, and messages have an end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kohaku_ast import Config, KogineError, Script, Sequential
from kohaku_ast.errors import UsageError, visible
from tests.oracle import Finished, run_kogine

TITLE = "\x1b]0;PWNED\x07"
HIDDEN = [
    pytest.param("\x1b]0;PWNED\x07", "\\x1b]0;PWNED\\x07", id="title"),
    pytest.param("\x1b[31m", "\\x1b[31m", id="colour"),
    pytest.param("\x9b2J", "\\x9b2J", id="clear, in one character"),
    pytest.param("\u202egnp.exe", "\\u202egnp.exe", id="text from right to left"),
    pytest.param("\u2066x", "\\u2066x", id="isolated direction"),
    pytest.param("\U000e0041", "\\U000e0041", id="text without a picture"),
    pytest.param("\x7f\x08", "\\x7f\\x08", id="rubbed out"),
]


@pytest.mark.parametrize(("raw", "shown"), HIDDEN)
def test_orders_to_a_terminal_become_escapes(raw: str, shown: str) -> None:
    assert visible(f"a{raw}b") == f"a{shown}b"


@pytest.mark.parametrize("text", ["a\tb\nc", "日本\u3000語", "👩\u200d💻", "naïve q …", "a\u200cb"])
def test_other_text_stays(text: str) -> None:
    assert visible(text) == text


def is_plain(done: Finished, name: str = "PWNED") -> bool:
    """Whether the output names it, and has no control character."""
    text = done.stdout + done.stderr
    assert name in text, text
    return not any(one < " " and one not in "\n\t" for one in text) and "\x9b" not in text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "i.py").write_text(
        f"# ---- part {TITLE} ----\nx = 1  # help {TITLE} \x9b text\ns = '{TITLE}'\nr = r'\\d{TITLE}'\n"
        f"cfg = {{'k{TITLE}': 1}}\ndef main(a='{TITLE}'): pass\nmain('{TITLE}')\n"
    )
    (tmp_path / "e.yaml").write_text('"x\\e]0;PWNED\\a": 1\n')
    (tmp_path / "v.yaml").write_text('x: "\\e]0;PWNED\\a"\n')
    (tmp_path / "c.py").write_text(f"_overrides = {{'x{TITLE}': 1}}\n")
    (tmp_path / "w.py").write_text(f"raise ValueError('{TITLE}')\n")
    (tmp_path / "t.csv").write_text(f'"x{TITLE}","s"\n1,2\n')
    (tmp_path / "b.py").write_text("_sweep = {'x\\x1b]0;PWNED\\x07': [1, 2]}\n")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        "run --inspect i.py",
        "run --inspect i.py --all",
        "run --inspect i.py --format json",
        "run --inspect i.py --format py",
        "config show e.yaml",
        "config show v.yaml",
        "config show c.py",
        "config show b.py",
        "config show b.py --format json",
        "config check i.py -c e.yaml",
        "config diff e.yaml v.yaml",
        "run i.py -c v.yaml",
        "run i.py -c e.yaml",
        "run i.py -c c.py",
        "run i.py -c w.py",
        "run i.py --trials t.csv --dry-run",
        "run i.py -c b.py --dry-run",
        "workflow sequential i.py -c e.yaml",
    ],
)
def test_what_kogine_prints_of_them_is_plain_text(folder: Path, words: str) -> None:
    assert is_plain(run_kogine(folder, *words.split()))


def test_names_on_the_command_line_are_plain_text(folder: Path) -> None:
    assert is_plain(run_kogine(folder, "run", "i.py", f"y{TITLE}=1"))
    assert is_plain(run_kogine(folder, "run", f"gone{TITLE}.py"))
    assert is_plain(run_kogine(folder, "run", "i.py", f"--{TITLE}"))


def test_the_config_that_inspect_writes_has_the_same_values(folder: Path) -> None:
    (folder / "made.py").write_text(
        run_kogine(folder, "run", "--inspect", "i.py", "--format", "py").stdout
    )
    made = Config.from_file(str(folder / "made.py")).globals_dict
    assert made["s"] == TITLE
    assert made["r"] == f"\\d{TITLE}"
    assert json.loads(run_kogine(folder, "run", "--inspect", "i.py", "--format", "json").stdout)


def test_labels_and_summaries_of_runs_are_plain_text(folder: Path) -> None:
    (folder / "d.py").write_text("cfg = {'k': 1}\nraise ValueError(cfg)\n")
    (folder / "d.yaml").write_text('_sweep:\n  cfg: ["\\e]0;PWNED\\a", 2]\n')
    assert is_plain(run_kogine(folder, "run", "d.py", "-c", "d.yaml", "--mode", "spawn"))


def test_a_notebook_and_python_get_plain_text_too(folder: Path) -> None:
    with pytest.raises(KogineError) as raised:
        Script(str(folder / "i.py"), Config({f"y{TITLE}": 1})).run()
    assert "\x1b" not in str(raised.value)
    assert "PWNED" in str(raised.value)
    assert "\x1b" not in repr(Script(str(folder / "i.py")).parameters)


LONG = [
    pytest.param("b.json", '{"x": ' + "9" * 100_000 + "}", id="digits in JSON"),
    pytest.param("b.yaml", "x: " + "9" * 100_000, id="digits in YAML"),
    pytest.param("b.toml", 'x = "' + "y" * 100_000 + '"', id="text in TOML"),
    pytest.param("b.yaml", "x" * 100_000 + ": 1", id="a target"),
    pytest.param("b.json", '{"x": [' + "1," * 100_000 + "1]}", id="a list"),
    pytest.param("b.py", "raise ValueError('y' * 100_000)", id="an exception of a config"),
    pytest.param("b.py", "raise ValueError('y\\n' * 100_000)", id="one of many lines"),
    pytest.param("b.py", "_args = 'y' * 100_000", id="a field of the wrong type"),
    pytest.param("b.py", "_overrides = [1] * 100_000", id="overrides that are none"),
    pytest.param("b.py", "def config_gen(): return 'y' * 100_000", id="a generator of text"),
    pytest.param("b.yaml", "[" * 100_000, id="depth"),
]


@pytest.mark.parametrize(("name", "text"), LONG)
def test_a_message_is_cut(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "s.py").write_text("x = 1\n")
    (tmp_path / name).write_text(text)
    done = run_kogine(tmp_path, "run", "s.py", "-c", name)
    assert done.status == 2
    assert done.stderr.startswith("kogine: error: ")
    assert len(done.stderr) < 4000
    assert "site-packages" not in done.stderr


def test_a_value_of_the_command_line_is_cut(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("x = 1\n")
    done = run_kogine(tmp_path, "run", "s.py", "x=" + "y" * 100_000)
    assert done.status == 2
    assert "s.py:1: x=yyy" in done.stderr
    assert len(done.stderr) < 1500
    twice = run_kogine(tmp_path, "run", "s.py", "x=" + "1" * 100_000, "x=2")
    assert "given twice" in twice.stderr
    assert len(twice.stderr) < 1500


def test_the_message_of_a_script_is_cut_in_records_and_events(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("n = 1\nraise ValueError('y' * 3_000_000)\n")
    sweep = ("run", "s.py", "--sweep", "n=1,2")
    events = run_kogine(tmp_path, *sweep, "--json", "--no-record")
    assert events.stdout.count('"message": "yyy') >= 2
    assert len(events.stdout) < 20_000
    run_kogine(tmp_path, *sweep)
    folders = sorted((tmp_path / ".kogine/runs").glob("2*"))
    assert [(one / "log.txt").stat().st_size > 3_000_000 for one in folders] == [True, True]
    assert all((one / "run.json").stat().st_size < 60_000 for one in folders)


def test_a_short_message_is_whole() -> None:
    text = "a" * 900 + "\n" + "b" * 900
    assert str(UsageError(text)) == text


ENDLESS: list[tuple[str, Callable[[str], list[str]]]] = [
    ("z.py", lambda path: ["run", path]),
    ("z.py", lambda path: ["run", path, "x=1"]),
    ("z.py", lambda path: ["run", "--inspect", path]),
    ("z.py", lambda path: ["run", "s.py", "-c", path]),
    ("z.yaml", lambda path: ["run", "s.py", "-c", path]),
    ("z.json", lambda path: ["config", "show", path]),
    ("z.csv", lambda path: ["run", "s.py", "--trials", path]),
    ("z.py", lambda path: ["workflow", "sequential", "s.py", "-c", path]),
    ("z.py", lambda path: ["config", "migrate", path]),
]


@pytest.mark.skipif(sys.platform == "win32", reason="devices of Unix")
@pytest.mark.parametrize(("name", "command"), ENDLESS)
def test_a_file_without_an_end_is_refused(
    tmp_path: Path, name: str, command: Callable[[str], list[str]]
) -> None:
    (tmp_path / "s.py").write_text("x = 1\n")
    (tmp_path / name).symlink_to("/dev/zero")
    done = run_kogine(tmp_path, *command(name))
    assert done.status == 2
    assert "has no end" in done.stderr
    assert name in done.stderr
    assert "Did you mean" not in done.stderr


def test_a_flow_names_an_endless_script(tmp_path: Path) -> None:
    (tmp_path / "z.py").symlink_to("/dev/zero")
    with pytest.raises(KogineError, match="has no end"):
        Sequential(str(tmp_path / "z.py")).run()
