"""Whose option is it? Scripts of five libraries, whose options have the names of ours.

What stands behind a script is compared with plain Python: ``python SCRIPT WORDS``.
"""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from kogine.command_with_script import CommandWithScript
from kogine.run import run as run_command
from kogine.script_arguments import OwnOptions, SortedWords, WordSorter

from tests.oracle import run_kogine, run_python

ARGPARSE = """\
import argparse
lr = 0.1
p = argparse.ArgumentParser()
p.add_argument("--{name}", default="d")
p.add_argument("--quiet", "-q", action="store_true")
p.add_argument("-v", action="count")
p.add_argument("files", nargs="*")
print(p.parse_args(), lr)
"""
CLICK = """\
import click
lr = 0.1
@click.command()
@click.option("--{name}", "value", default="d")
@click.option("--quiet/--loud", "-q/-l")
@click.argument("files", nargs=-1)
def main(value, quiet, files):
    print(value, quiet, files, lr)
if __name__ == "__main__":
    main()
"""
TYPER = """\
import typer
from typing import List, Optional
lr = 0.1
def main(files: Optional[List[str]] = typer.Argument(None), {parameter}: str = "d", quiet: bool = False):
    print({parameter}, quiet, files, lr)
if __name__ == "__main__":
    typer.run(main)
"""
ABSL = """\
from absl import app, flags
lr = 0.1
flags.DEFINE_string("{parameter}", "d", "help")
flags.DEFINE_boolean("quiet", False, "help")
def main(argv):
    print(flags.FLAGS["{parameter}"].value, flags.FLAGS.quiet, argv[1:], lr)
if __name__ == "__main__":
    app.run(main)
"""
FIRE = """\
import fire
lr = 0.1
def main(*files, {parameter}="d", quiet=False):
    print({parameter}, quiet, files, lr)
if __name__ == "__main__":
    fire.Fire(main)
"""
LIBRARIES = {"argparse": ARGPARSE, "click": CLICK, "typer": TYPER, "absl": ABSL, "fire": FIRE}
OURS = [
    name[2:]
    for one in run_command.params
    if isinstance(one, click.Option)
    for name in one.opts
    if name.startswith("--")
]


def text_of(library: str, name: str) -> str:
    parameter = name.replace("-", "_")
    return LIBRARIES[library].format(name=name, parameter=parameter)


def sort(*words: str) -> SortedWords:
    """The words of ``kogine run``."""
    assert isinstance(run_command, CommandWithScript)
    widths = run_command._widths(click.Context(run_command))
    return WordSorter(OwnOptions(widths, {})).sort(words)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "name", [one for one in OURS if one not in ("set", "as-is", "all", "json")]
)
def test_behind_the_script_its_options_are_its_own(
    library: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOGINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("s.py").write_text(text_of(library, name))
    # absl and fire write a name with underscores.
    shown = name if library in ("argparse", "click", "typer") else name.replace("-", "_")
    for words in ([f"--{shown}=v"], [f"--{shown}", "v"]):
        found = sort("s.py", *words, "--quiet", "lr=2")
        assert (found.argv, found.own) == ([*words, "--quiet"], [])
        assert found.assignments == ["lr=2"]
    before = sort(f"--{name}=1", "s.py") if name not in ("inspect",) and takes_value(name) else None
    assert before is None or (before.argv, before.own) == ([], [[f"--{name}=1"]])


def takes_value(name: str) -> bool:
    options = [one for one in run_command.params if f"--{name}" in one.opts]
    return not getattr(options[0], "is_flag", True)


LINES = [
    pytest.param("format", "--format=b", id="format with ="),
    pytest.param("format", "--format b", id="format with a blank"),
    pytest.param("retries", "--retries=9", id="retries, an option of flows"),
    pytest.param("resume", "--resume v", id="resume, a flag of ours with a value of theirs"),
    pytest.param("config", "--config cfg.yaml --quiet", id="config and a flag"),
    pytest.param("seed", "--quiet --seed=3", id="a flag before it"),
    pytest.param("workers", "--workers 8", id="workers"),
]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(("name", "words"), LINES)
def test_the_script_reads_what_python_gives_it(
    library: str, name: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "s.py").write_text(text_of(library, name))
    plain = run_python(tmp_path, "s.py", *words.split())
    assert plain.status == 0, plain.stderr
    assert run_kogine(tmp_path, "run", "s.py", *words.split()) == plain
    (tmp_path / "s.py").write_text(text_of(library, name).replace("lr = 0.1", "lr = 2.0"))
    edited = run_python(tmp_path, "s.py", *words.split())
    (tmp_path / "s.py").write_text(text_of(library, name))
    assert run_kogine(tmp_path, "run", "s.py", *words.split(), "lr=2") == edited
    assert run_kogine(tmp_path, "run", "s.py", "lr=2", *words.split()) == edited


@pytest.mark.parametrize("library", LIBRARIES)
def test_plain_words_are_arguments_of_a_script_that_takes_some(
    library: str, tmp_path: Path
) -> None:
    (tmp_path / "s.py").write_text(text_of(library, "name"))
    plain = run_python(tmp_path, "s.py", "a.txt", "b.txt", "--quiet")
    if library == "fire":  # it would take b.txt for the value of the flag, too
        plain = run_python(tmp_path, "s.py", "a.txt", "b.txt", "--quiet")
    assert run_kogine(tmp_path, "run", "s.py", "a.txt", "b.txt", "--quiet") == plain
    edited = run_kogine(tmp_path, "run", "s.py", "a.txt", "lr=0.1", "b.txt", "--quiet")
    assert edited == plain


PLAIN = "lr = 0.1\nn_layers = 2\nprint(lr, n_layers)\n"
SUBCOMMANDS = """\
import argparse
lr = 0.1
p = argparse.ArgumentParser()
s = p.add_subparsers(dest="what")
for name in ("fit", "test"):
    q = s.add_parser(name)
    for option in OPTIONS:
        q.add_argument(*option)
print(p.parse_args(), lr)
""".replace("OPTIONS", "[('-' + '-depth',), ('-' + '-x',)]")
BY_HAND = "import sys\nlr = 0.1\nprint(sys.argv[1:], lr)\n"


@pytest.mark.parametrize(
    ("text", "words", "argv"),
    [
        pytest.param(SUBCOMMANDS, "fit --depth 3", "fit --depth 3", id="behind a subcommand what nobody knows is the script's"),
        pytest.param(SUBCOMMANDS, "fit lr=2 --depth 3", "fit --depth 3", id="but no TARGET=VALUE"),
        pytest.param(SUBCOMMANDS, "fit --no-record --depth 3", "fit --depth 3", id="and no option of ours"),
        pytest.param(BY_HAND, "a -- --b c=d", "a --b c=d", id="read by hand, behind the dashes"),
        pytest.param(BY_HAND, "-1 -2.5", "-1 -2.5", id="negative numbers are no options"),
        pytest.param(ARGPARSE.format(name="name"), "--nam v", "--nam v", id="argparse takes the start of a name"),
        pytest.param(ARGPARSE.format(name="model"), "--mode spawn", "", id="but a name of ours is ours"),
        pytest.param(ARGPARSE.format(name="name"), "--name=x=y", "--name=x=y", id="a value with ="),
        pytest.param(ARGPARSE.format(name="name"), "--name k=v", "--name k=v", id="a value that looks like a target"),
        pytest.param(ARGPARSE.format(name="name"), "--quiet lr=3", "--quiet", id="a flag takes no value"),
        pytest.param(ARGPARSE.format(name="name"), "-q x", "-q x", id="a short flag"),
        pytest.param(ARGPARSE.format(name="name"), "--quiet=yes", "", id="a flag with a value is an override"),
        pytest.param("import getopt\n" + BY_HAND, "x y", "x y", id="getopt"),
    ],
)  # fmt: skip
def test_sorted(
    text: str, words: str, argv: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOGINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("s.py").write_text(text)
    assert sort("s.py", *words.split()).argv == argv.split()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param("plain.py --lr 0.1", "No such option '--lr'", id="no such option"),
        pytest.param("plain.py --lr 0.1", "Did you mean lr=0.1?", id="a global instead"),
        pytest.param("plain.py --n-layers=4", "Did you mean n_layers=4?", id="a global with underscores"),
        pytest.param("plain.py --wokers 2", "Did you mean '--workers'?", id="a typo in an option of ours"),
        pytest.param("plain.py -Y x", "neither of kogine nor of plain.py. 'kogine run --help' lists the options. If", id="a letter that is none"),
        pytest.param("plain.py -w 2", "Did you mean '--workers'?", id="the letter of another program"),
        pytest.param("s.py --quite", "Did you mean '--quiet'?", id="a typo in an option of the script"),
        pytest.param("hand.py --verbose", "write it after '--': kogine run hand.py -- --verbose", id="read by hand"),
        pytest.param("plain.py data.txt", "the text of plain.py does not read any arguments", id="a word for a script without arguments"),
        pytest.param("s.py name=3 --name 4", "'--name' is given twice", id="an override and an argument"),
        pytest.param("s.py --name 4 --set --name=3", "'--name' is given twice", id="--set and an argument"),
        pytest.param("s.py name=3 -- --name 4", "'--name' is given twice", id="an argument behind the dashes"),
        pytest.param("s.py --sweep name=3,4 --name=5", "'--name' is given twice", id="an axis and an argument"),
        pytest.param("s.py q=1 -q", "no parameter 'q'", id="a short name is no target"),
        pytest.param("s.py quiet=yes -q", "'--quiet' is given twice", id="the short option"),
        pytest.param("typed.py name=3 --name 4", "is given twice", id="typer"),
        pytest.param("s.py quiet=yes -qv", "'--quiet' is given twice", id="a letter of a cluster"),
        pytest.param("own.py args.name=3 --name 4", "is given twice", id="an option of an own module"),
        pytest.param("own.py args.--name=3 --name 4", "is given twice", id="and with its dashes"),
        pytest.param("own.py --sweep args.name=3,4 --name 4", "is given twice", id="and an axis"),
        pytest.param("s.py --trials table.csv --name 4", "'--name' is given twice", id="an axis of a table"),
        pytest.param("pair.py fast=on --no-fast", "'--fast' is given twice", id="a boolean pair"),
        pytest.param("nosuch.py --lr 1", "can't open file 'nosuch.py'", id="no such file"),
    ],
)  # fmt: skip
def test_refused(words: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text(PLAIN)
    (tmp_path / "hand.py").write_text(BY_HAND)
    (tmp_path / "s.py").write_text(text_of("argparse", "name"))
    (tmp_path / "typed.py").write_text(text_of("typer", "name"))
    (tmp_path / "args.py").write_text(text_of("argparse", "name").replace("print(", "("))
    (tmp_path / "own.py").write_text("import args\nprint(args.p.parse_args())\n")
    (tmp_path / "pair.py").write_text(
        "import argparse\np = argparse.ArgumentParser()\n"
        "p.add_argument('--fast', action=argparse.BooleanOptionalAction, default=False)\n"
        "print(p.parse_args())\n"
    )
    (tmp_path / "table.csv").write_text("name\na\nb\n")
    done = run_kogine(tmp_path, "run", *words.split())
    assert (done.status, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize("mode", ["sequential", "parallel"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param("s.py name=3 --name 4", "'--name' is given twice", id="an override"),
        pytest.param("s.py t.py --sweep name=3,4 -- --name 4", "is given twice", id="an axis"),
        pytest.param("s.py u.py --name 4", "u.py has no option '--name'", id="not of all scripts"),
    ],
)
def test_workflows_refuse_what_would_be_lost(
    mode: str, words: str, said: str, tmp_path: Path
) -> None:
    for script, name in (("s.py", "name"), ("t.py", "name"), ("u.py", "other")):
        (tmp_path / script).write_text(text_of("argparse", name))
    done = run_kogine(tmp_path, "workflow", mode, *words.split())
    assert (done.status, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize(
    ("library", "words", "text"),
    [
        pytest.param("argparse", "--name=x", """"--name", default='x'""", id="an option"),
        pytest.param("typer", "--name=x", "name: str = 'x'", id="a parameter of typer"),
        pytest.param("fire", "--name x", "name='x'", id="a parameter of fire, with a blank"),
    ],
)
def test_where_nothing_runs_an_option_of_the_script_is_a_target(
    library: str, words: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / "s.py").write_text(text_of(library, "name"))
    done = run_kogine(tmp_path, "freeze", "s.py", *words.split())
    assert text in done.stdout, done.stderr


def test_where_nothing_runs_our_options_are_ours(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(text_of("argparse", "config"))
    (tmp_path / "cfg.py").write_text("lr = 7\n")
    assert "lr = 7" in run_kogine(tmp_path, "freeze", "s.py", "--config", "cfg.py").stdout


def test_a_quoted_text_that_starts_with_a_dash_is_a_value(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(text_of("argparse", "name"))
    words = ("s.py", "--name", "-x y")
    assert run_kogine(tmp_path, "run", *words) == run_python(tmp_path, *words)


def test_an_argument_of_typer_keeps_its_place(tmp_path: Path) -> None:
    text = "import typer\ndef main(name: str, n: int = typer.Argument(3)):\n    print(name, n)\ntyper.run(main)\n"
    (tmp_path / "s.py").write_text(text)
    assert run_kogine(tmp_path, "run", "s.py", "n=7", "x").stdout == "x 7\n"
    assert run_kogine(tmp_path, "run", "s.py", "n=7", "x", "9").stdout == "x 9\n"


def test_an_argument_wins_over_a_config_file(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(text_of("argparse", "name"))
    (tmp_path / "cfg.yaml").write_text('"--name": c\n')
    done = run_kogine(tmp_path, "run", "--config", "cfg.yaml", "s.py", "--name", "a")
    assert "name='a'" in done.stdout, done.stderr


def test_options_of_own_modules_count(tmp_path: Path) -> None:
    (tmp_path / "args.py").write_text(text_of("argparse", "config").replace("print(", "("))
    (tmp_path / "s.py").write_text("import args\nlr = 0.1\nprint(args.p.parse_args(), lr)\n")
    words = ("s.py", "--config", "c.yaml")
    assert run_kogine(tmp_path, "run", *words) == run_python(tmp_path, *words)


def test_a_script_that_is_no_python_says_so_itself(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("lr = (\n")
    words = ("s.py", "--lr", "3")
    assert run_kogine(tmp_path, "run", *words) == run_python(tmp_path, *words)


def test_an_option_that_a_script_from_a_pipe_does_not_have_is_refused(tmp_path: Path) -> None:
    done = run_kogine(tmp_path, "run", "-", "--lr", "3", stdin="print('ran')\n")
    assert (done.status, done.stdout) == (2, "")
    assert "No such option '--lr'" in done.stderr


def test_help_of_a_parser_is_the_scripts(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(text_of("argparse", "name"))
    (tmp_path / "plain.py").write_text(PLAIN)
    assert run_kogine(tmp_path, "run", "s.py", "--help").stdout.startswith("usage: s.py")
    assert run_kogine(tmp_path, "run", "plain.py", "--help").stdout.startswith("Usage: kogine run")


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        pytest.param("s.py --as-is lr=x n=2", "'x' 2\n", id="for one target"),
        pytest.param("--as-is s.py lr=x n=y", "'x' 'y'\n", id="for all"),
        pytest.param("s.py --as-is=lr=x", "'x' 1\n", id="with ="),
    ],
)
def test_as_is(words: str, printed: str, tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("lr: float = 0.1\nn: int = 1\nprint(repr(lr), repr(n))\n")
    done = run_kogine(tmp_path, "run", *words.split())
    assert (done.stdout, done.status) == (printed, 0), done.stderr


def test_as_is_for_one_target_checks_the_others(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("lr: float = 0.1\nn: int = 1\nprint(lr, n)\n")
    done = run_kogine(tmp_path, "run", "s.py", "--as-is", "lr=x", "n=y")
    assert (done.stdout, done.status) == ("", 2)
    assert "n=y" in done.stderr
