"""``kogine config init``: a config with the values and comments of a script."""

from __future__ import annotations

from pathlib import Path

import pytest

from kohaku_ast.errors import visible
from tests.cli.config_command import config, text, write
from tests.oracle import FIXTURES, Finished, run_kogine

SCRIPTS = sorted(
    path.name for path in (FIXTURES / "scripts").glob("*.py") if path.name != "cases.py"
)
ARGUMENTS = {"click_train.py": ["--tag", "t"], "argparse_function.py": ["--corpus", "abc"]}
TRAIN = """
# ---- optimizer ----
lr = 0.1  # step size
warmup = lr * 2


class Args:
    depth: int = 3
"""
CONFIG = text("""
    # Values of train.py. Edit, then: kogine run train.py --config THIS_FILE

    # ---- optimizer ----
    lr = 0.1  # step size

    _overrides = {
        # ---- optimizer ----
        "Args.depth": 3,
    }
    """)


def test_a_file_that_no_config_is_read_from_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("lr = 0.1\n")
    for name in ("c.txt", "c.csv"):
        done = run_kogine(tmp_path, "config", "init", "s.py", "-o", name)
        assert done.status == 2
        assert f"--output {name}: a config ends in .py, .yaml, .toml or .json" in done.stderr
        assert not (tmp_path / name).exists()


def test_prints_the_config(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": TRAIN})
    assert config(tmp_path, "init", "train.py") == Finished(0, CONFIG, "")


def test_all_has_the_rest_commented_out(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": TRAIN})
    shown = config(tmp_path, "init", "train.py", "--all").stdout
    assert "# warmup = lr * 2  # [it reads 'lr']" in shown or "derived from lr" in shown


def test_output_is_a_file_that_the_first_line_names(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": TRAIN})
    assert config(tmp_path, "init", "train.py", "-o", "cfg.py") == Finished(0, "", "")
    own = 'cfg.py\n_script = "train.py"'  # for editors
    assert (tmp_path / "cfg.py").read_text() == CONFIG.replace("THIS_FILE", own)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cfg.py", "train.py"]


@pytest.mark.parametrize(
    ("output", "why"), [("cfg.py", "exists already"), ("train.py", "is the script itself")]
)
def test_nothing_is_overwritten(output: str, why: str, tmp_path: Path) -> None:
    write(tmp_path, {"train.py": TRAIN, "cfg.py": "lr = 5\n"})
    before = (tmp_path / output).read_bytes()
    done = config(tmp_path, "init", "train.py", "-o", output)
    assert (done.status, done.stdout) == (2, "")
    assert f"{output!r} {why}" in done.stderr
    assert "--force" in done.stderr
    assert (tmp_path / output).read_bytes() == before


def test_force_overwrites(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": TRAIN, "cfg.py": "lr = 5\n"})
    assert config(tmp_path, "init", "train.py", "-o", "cfg.py", "--force").status == 0
    assert "lr = 0.1" in (tmp_path / "cfg.py").read_text()


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_written_config_changes_nothing(script: str, tmp_path: Path) -> None:
    path = str(FIXTURES / "scripts" / script)
    assert config(tmp_path, "init", path, "-o", "cfg.py") == Finished(0, "", "")
    argv = ["--", *ARGUMENTS.get(script, [])]
    text = "The cat saw\nthe cat run\n"
    plain = run_kogine(tmp_path, "run", path, *argv, stdin=text)
    assert run_kogine(tmp_path, "run", path, "--config", "cfg.py", *argv, stdin=text) == plain
    assert config(tmp_path, "check", path, "--config", "cfg.py").status == 0


VALUES = """
import datetime
from decimal import Decimal
from pathlib import Path

lr = 1e-5  # step size
name = "a: b # c"
flag, none, far, big = True, None, float("inf"), 1e300
betas = (0.9, 0.999)
pairs = ((1, 2), (3, 4))
opt = {"name": "sgd", "x": None, "on": "yes"}
table = {1: "a"}
out = Path("runs")
step = Decimal("0.10")
day = datetime.date(2020, 1, 2)
wait = datetime.timedelta(days=1)
raw = b"x"
on = "1e3"
n = "007"
_hidden = 3
lines = [
    "a",
    'b"c',
]


class Args:
    depth: int = 3
    names: tuple = ("a", "b")


def main(epochs=5, size: float = 1):
    print({k: v for k, v in globals().items() if k.islower() and not k.startswith("__")})
    print(Args.depth, Args.names, epochs, size)


del main.__globals__["datetime"]
main()
"""


@pytest.mark.parametrize("form", ["yaml", "yml", "toml", "json"])
def test_a_data_file_changes_nothing(form: str, tmp_path: Path) -> None:
    script = VALUES.replace("k.islower()", "k.islower() and k != 'main'")
    write(tmp_path, {"train.py": script})
    assert config(tmp_path, "init", "train.py", "-o", f"c.{form}") == Finished(0, "", "")
    plain = run_kogine(tmp_path, "run", "train.py")
    assert plain.status == 0, plain
    assert run_kogine(tmp_path, "run", "train.py", "--config", f"c.{form}") == plain
    assert config(tmp_path, "check", "train.py", "--config", f"c.{form}").status == 0
    written = (tmp_path / f"c.{form}").read_text()
    assert all(word in written for word in ("a: b # c", "1e-05", "0.10", "_hidden", "Args.depth"))


UNPRINTABLE = ["\x07", "\x0b", "\x0c", "\x1b", "\x1c", "\x7f", "\x85", "\u2028", "\u2029", "\ufeff", "\U0001f600"]  # fmt: skip


@pytest.mark.parametrize("form", ["py", "yaml", "toml", "json"])
@pytest.mark.parametrize("character", UNPRINTABLE, ids=ascii)
def test_every_character_of_a_text_is_written(character: str, form: str, tmp_path: Path) -> None:
    script = f'lr = 0.1\nname = "a{character}b"\nlines = """x{character}y\nz"""\nprint(ascii((name, lines, lr)))\n'
    write(tmp_path, {"train.py": script})
    assert config(tmp_path, "init", "train.py", "-o", f"cfg.{form}").status == 0
    expected = run_kogine(tmp_path, "run", "train.py")
    assert expected.stdout == ascii((f"a{character}b", f"x{character}y\nz", 0.1)) + "\n"
    assert run_kogine(tmp_path, "run", "train.py", "-c", f"cfg.{form}") == expected
    shown = run_kogine(tmp_path, "run", "--inspect", "train.py", "--format", "py")
    assert shown.status == 0, shown
    assert visible(character) == character or character not in shown.stdout


@pytest.mark.parametrize("form", ["yaml", "toml", "json"])
def test_an_edit_of_the_data_file_is_in_force(form: str, tmp_path: Path) -> None:
    write(tmp_path, {"train.py": "lr = 0.1  # step\nbig = None\n\nprint(lr, big)\n"})
    config(tmp_path, "init", "train.py", "-o", f"c.{form}")
    file = tmp_path / f"c.{form}"
    file.write_text(file.read_text().replace("0.1", "0.5"))
    assert run_kogine(tmp_path, "run", "train.py", "--config", file.name).stdout == "0.5 None\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "no file given: kogine config init SCRIPT", id="no script"),
        pytest.param(["a.py", "b.py"], "2 files given: kogine config init SCRIPT", id="two"),
        pytest.param(["trian.py"], "Did you mean 'train.py'?", id="no such file"),
        pytest.param(
            ["train.py", "--outptu", "x"],
            "No such option '--outptu'. Did you mean '--output'?",
            id="unknown option",
        ),
        pytest.param(["train.py", "-o"], "Option '-o' requires an argument.", id="no value"),
        pytest.param(["train.py", "-o", "no/cfg.py"], "cannot write 'no/cfg.py'", id="no folder"),
    ],
)
def test_mistakes(arguments: list[str], message: str, tmp_path: Path) -> None:
    write(tmp_path, {"train.py": TRAIN})
    done = config(tmp_path, "init", *arguments)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_syntax_error_is_shown_as_python_shows_it(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": "x = = 1\n"})
    done = config(tmp_path, "init", "train.py")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith('  File "')


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["chek"], "unknown config command 'chek'", id="near"),
        pytest.param(["chek"], "Did you mean 'check'?", id="suggestion"),
    ],
)
def test_unknown_commands(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = config(tmp_path, *arguments)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.parametrize("name", ["show", "check", "init", "diff", "migrate"])
def test_help(name: str, tmp_path: Path) -> None:
    assert f"  {name} " in config(tmp_path).stdout
    done = config(tmp_path, name, "--help")
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: kogine config {name} [OPTIONS] ")
