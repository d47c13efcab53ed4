from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast.transform.find import accepted_options as module
from kohaku_ast.transform.find.accepted_options import (
    NO_OPTIONS,
    AcceptedOption,
    AcceptedOptions,
    accepted_options,
    accepted_options_of,
)
from kohaku_ast.transform.find.source import decode
from tests.transform.option_cases import CASES, Case

ORACLE = Path(__file__).with_name("option_oracle.py")


def found(text: str) -> AcceptedOptions:
    return accepted_options(decode(text.encode(), "/nowhere/script.py"))


def table(text: str) -> dict[str, object]:
    """Name -> width, without what the libraries define by themselves."""
    own = {"-h", "--help", "--install-completion", "--show-completion", "--version"}
    options = found(text).options
    return {name: one.width for one in options for name in one.names if name not in own}


# --- compared with the libraries -------------------------------------------------------------------


NOT_TRIED = ("--install-completion", "--show-completion", "--flagfile")
"""They write to the shell's files, or read one."""


def _names(case: Case) -> list[str]:
    """Every spelling of every word of the script, whether an option or not."""
    tree = ast.parse(case.text)
    words = {*re.findall(r"[A-Za-z]\w*(?:-[A-Za-z]\w*)*", case.text)}
    keywords = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    spelled = set()
    for word in words | keywords | {"nothing"}:
        dashes, low = word.replace("_", "-"), word.replace("-", "_")
        spelled |= {f"--{low}", f"--{dashes}", f"-{word[0]}"}
        if low in keywords or f"--{dashes}" in case.text or f'"{low}"' in case.text:
            spelled |= {f"--no-{dashes}", f"--no_{low}", f"--no{low}", f"-{low}", f"--{low[:-1]}"}
    return sorted(one for one in spelled if one.strip("-"))


def _widths(option: AcceptedOption, word: str) -> tuple[list[int], list[int]]:
    """How many words the library must take after *word*, and how many it must refuse."""
    width = option.width if word in option.names else 0
    if width == "?":
        return [0, 1], [2]
    if width == "*":
        return [1, 3], []
    if isinstance(width, int):
        return [width], [one for one in (width - 1, width + 1) if one >= 0]
    return [], []


def _ends_at_once(option: AcceptedOption) -> bool:
    return bool({"--help", "--version", "--helpfull", "--helpshort", "--helpxml"} & {*option.names})


@pytest.mark.skipif(sys.platform == "win32", reason="a process is forked for each command line")
@pytest.mark.parametrize("name", CASES)
def test_the_library_takes_what_is_found_and_refuses_what_is_not(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    options = found(case.text)
    expected: list[tuple[list[str], bool]] = [([], True)]
    for word in {*_names(case), *(one for option in options.options for one in option.names)}:
        option = options.find(word)
        if option is None:
            expected += [([word], False), ([word, "1"], False)]
        elif word in option.names and not {*option.names} & {*case.odd.split(), *NOT_TRIED}:
            taken, refused = _widths(option, word)
            expected += [([word, *"123"[:count]], True) for count in taken]
            if not _ends_at_once(option):
                expected += [([word, *"123"[:count]], False) for count in refused]
    statuses = _statuses(case, [line for line, _ in expected], tmp_path)
    wrong = [
        (line, right, end) for (line, right), end in zip(expected, statuses) if right != (end == 0)
    ]
    assert not wrong


def _statuses(case: Case, lines: list[list[str]], folder: Path) -> list[int]:
    script = folder / "script.py"
    script.write_text(case.text)
    done = subprocess.run(
        [sys.executable, str(ORACLE), str(script)],
        input=json.dumps([[*case.base.split(), *line] for line in lines]),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HOME": str(folder)},
    )
    statuses: list[int] = json.loads(done.stdout)
    return statuses


# --- what is an option, and how many words it takes ------------------------------------------------

ARGPARSE = "import argparse\np = argparse.ArgumentParser()\n"
CLICK = "import click\n@click.command()\n{}\ndef main(**k): ...\n"
HF = """
from dataclasses import dataclass, field
from transformers import HfArgumentParser
@dataclass
class Args:
    model_name: str
    amp: bool = False
    loud: bool = True
    tags: list[str] = field(default_factory=list)
HfArgumentParser((Args,)).parse_args_into_dataclasses()
"""
CONFIG_FLAGS = """
from absl import app
from ml_collections import config_flags
config_flags.DEFINE_config_dict("config", cfg)
"""
DOCOPT = '''"""Naval.

Usage:
  naval [options] [--speed=<kn>]

Options:
  -o FILE --output=FILE  Where to [default: x]
  --moored               At rest.
"""
from docopt import docopt
'''

TABLES = [
    pytest.param(ARGPARSE + "p.add_argument('-x', '--lr')", {"-x": 1, "--lr": 1}, id="argparse"),
    pytest.param(ARGPARSE + "p.add_argument('--lr', **common)", {"--lr": None}, id="what else is given is not known"),
    pytest.param(ARGPARSE + "p.add_argument('--lr', nargs=n)", {"--lr": None}, id="computed nargs"),
    pytest.param(ARGPARSE + "p.add_argument('--lr', action=Mine)", {"--lr": None}, id="an action of its own"),
    pytest.param(ARGPARSE + "add('--lr', action='store_true')", {"--lr": 0}, id="through a function"),
    pytest.param(ARGPARSE + "add(p, '--lr', 0.1)", {"--lr": None}, id="a name in a call that says no more"),
    pytest.param(
        "import argparse\np = argparse.ArgumentParser(prefix_chars='-+')\np.add_argument('+x')",
        {"+x": 1, "+h": 0, "++help": 0}, id="prefix_chars",
    ),
    pytest.param("import sys\nif '--lr' in sys.argv: ...", {"--lr": None}, id="sys.argv"),
    pytest.param("from sys import argv\nprint(argv)\nfor one in argv:\n    one.startswith('--lr=')", {"--lr": None}, id="start of an option"),
    pytest.param("import cleo\nx = '-f, --file'\ny = '--a/--b'", {"-f": None, "--file": None, "--a": None, "--b": None}, id="several names in one text"),
    pytest.param(CLICK.format("@click.option('--a/--no-a', 'x')"), {"--a": 0, "--no-a": 0}, id="click pair"),
    pytest.param(CLICK.format("@click.option('--a', is_flag=flag)"), {"--a": None}, id="click, computed"),
    pytest.param(CLICK.format("@click.option('--a', is_flag=False, flag_value='x')"), {"--a": "?"}, id="click, a value that may be left out"),
    pytest.param(CLICK.format("@click.password_option()\n@click.confirmation_option()"), {"--password": 1, "--yes": 0}, id="click's ready-made options"),
    pytest.param(HF, {
        "--model-name": 1, "--model_name": 1, "--amp": "?", "--loud": "?", "--no_loud": 0, "--no-loud": 0, "--tags": "*",
    }, id="HfArgumentParser"),
    pytest.param(DOCOPT, {"-o": 1, "--output": 1, "--moored": 0, "--speed": 1}, id="docopt"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TABLES)
def test_finds(text: str, expected: dict[str, object]) -> None:
    assert table(text) == expected


LEFT_ALONE = [
    pytest.param("import subprocess\nsubprocess.run(['head', '-n', '3'])", id="takes no arguments"),
    pytest.param(ARGPARSE + "import subprocess\nsubprocess.run(['head', '-n', '3'])", id="another program's"),
    pytest.param(ARGPARSE + "import subprocess, sys\ncmd = [sys.executable, '-m']\ncmd += ['-n']\ncmd.append('--x')", id="a command that is built"),
    pytest.param(ARGPARSE + "p.add_argument('path')", id="positional of argparse"),
    pytest.param(CLICK.format("@click.argument('path')"), id="positional of click"),
    pytest.param("import typer\ndef main(name: str, path=typer.Argument('x')): ...\ntyper.run(main)", id="positional of typer"),
    pytest.param("import typer\napp = typer.Typer()\ndef helper(depth: int = 3): ...\n@app.command()\ndef main(): ...", id="helper of a typer script"),
    pytest.param("import fire\ndef helper(depth=3): ...\ndef main(): ...\nfire.Fire(main)", id="helper of a fire script"),
    pytest.param(ARGPARSE + "'''Say --lr or -n.'''\ndef f():\n    'Needs --lr.'", id="docstring"),
    pytest.param(ARGPARSE + "x = f'--{name}-grams'", id="part of a text"),
    pytest.param("from dataclasses import dataclass\nimport tyro\n@dataclass\nclass A:\n    x: int = 1\n@dataclass\nclass B: ...\ntyro.cli(B)", id="fields of another class"),
]  # fmt: skip


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_leaves_alone(text: str) -> None:
    assert table(text) == {}


TAKES = [
    pytest.param("import argparse", True, id="argparse"),
    pytest.param("def f():\n    from click import command", True, id="in a function"),
    pytest.param("import sys\nsys.argv[1]", True, id="sys.argv"),
    pytest.param("import sys as s\ns.argv[1]", True, id="sys under another name"),
    pytest.param("from sys import argv", True, id="argv"),
    pytest.param("from transformers import HfArgumentParser", True, id="HfArgumentParser"),
    pytest.param("from absl import flags", True, id="absl.flags"),
    pytest.param("args = make_parser().parse_args()", True, id="a parser from elsewhere"),
    pytest.param("import sys\nsys.exit()", False, id="sys"),
    pytest.param("import transformers", False, id="transformers"),
    pytest.param("from absl import logging", False, id="absl.logging"),
    pytest.param("argv = ['--lr']", False, id="a name like it"),
]


@pytest.mark.parametrize(("text", "expected"), TAKES)
def test_takes_arguments(text: str, expected: bool) -> None:
    assert found(text).takes_arguments is expected


# --- targets -------------------------------------------------------------------------------------

TARGETS = [
    pytest.param(ARGPARSE + "p.add_argument('-l', '--lr')", "-l", ("--lr",), id="option"),
    pytest.param("import typer\ndef main(lr: float = 0.1): ...\ntyper.run(main)", "--lr", ("main(lr)",), id="parameter"),
    pytest.param("import fire\nclass Model:\n    def __init__(self, lr=0.1): ...\nfire.Fire(Model)", "--lr", ("Model.__init__(lr)",), id="parameter of a method"),
    pytest.param(HF, "--tags", ("Args.tags",), id="field"),
    pytest.param(CONFIG_FLAGS, "--config.lr", ("cfg.lr",), id="path below a config flag"),
    pytest.param(CASES["tyro"].text, "--opt.lr", ("Optimizer.lr", "Args.opt.lr"), id="field of an inner class"),
    pytest.param(CASES["tyro"].text, "--seed", ("Base.seed",), id="inherited field"),
    pytest.param(CASES["click"].text, "--no-shout", ("--shout",), id="what switches it off"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "word", "expected"), TARGETS)
def test_targets(text: str, word: str, expected: tuple[str, ...]) -> None:
    one = found(text).find(word)
    assert one is not None
    assert one.targets == expected


# --- words as typed ------------------------------------------------------------------------------

TYPED = AcceptedOptions(
    True,
    (
        AcceptedOption(("-n", "--number"), 1, is_abbreviated=True),
        AcceptedOption(("-v",), 0),
        AcceptedOption(("-x",), 2),
        AcceptedOption(("-lr", "--lr"), 1),
        AcceptedOption(("--names",), "*", is_abbreviated=True),
        AcceptedOption(("--config",), 1, has_paths=True),
    ),
)
WORDS = [
    pytest.param("--number", "--number", 1, id="whole"),
    pytest.param("--number=3", "--number", 0, id="value behind ="),
    pytest.param("-n5", "-n", 0, id="value behind a letter"),
    pytest.param("-lr", "--lr", 1, id="long name behind one dash"),
    pytest.param("-vx3", "-x", 0, id="cluster with a value"),
    pytest.param("-vx", "-x", 2, id="cluster whose last option takes words"),
    pytest.param("-vv", "-v", 0, id="cluster of flags"),
    pytest.param("--numb", "--number", 1, id="abbreviation"),
    pytest.param("--numb=3", "--number", 0, id="abbreviation with a value"),
    pytest.param("--config.lr", "--config.lr", None, id="path"),
    pytest.param("--config.lr=1", "--config.lr", 0, id="path with a value"),
]
NOT_OPTIONS = ["-", "--", "", "n", "--n", "--num3", "-1", "-vq", "--l", "--configs.lr", "-5.0"]


@pytest.mark.parametrize(("word", "name", "words"), WORDS)
def test_find(word: str, name: str, words: object) -> None:
    one = TYPED.find(word)
    assert one is not None
    assert name in one.names
    assert (one.width if word in one.names else 0) == words


@pytest.mark.parametrize("word", NOT_OPTIONS)
def test_finds_nothing(word: str) -> None:
    assert TYPED.find(word) is None


def test_abbreviations_can_be_left_out() -> None:
    assert TYPED.find("--numb", abbreviations=False) is None


def test_two_parsers_that_differ_say_nothing_of_the_width() -> None:
    text = ARGPARSE + "p.add_argument('--x')\nq.add_argument('--x', action='store_true')"
    one = found(text).find("--x")
    assert one is not None
    assert one.width is None


@given(st.text(max_size=8), st.text(alphabet="-=nvx.l3[", max_size=8))
def test_any_word_can_be_asked_for(any_text: str, word: str) -> None:
    for one in (any_text, word, f"-{any_text}", f"--{any_text}"):
        option = TYPED.find(one)
        assert option is None or one.startswith("-")


# --- modules, cache, real scripts ----------------------------------------------------------------


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "train.py"


FILES = {
    "train.py": "import tyro\nfrom conf.args import Args\nfrom parser_ import add\ntyro.cli(Args)\n",
    "conf/__init__.py": "",
    "conf/args.py": "from dataclasses import dataclass\nfrom .base import Base\n@dataclass\nclass Args(Base):\n    lr: float = 0.1\n",
    "conf/base.py": "from dataclasses import dataclass\n@dataclass\nclass Base:\n    seed: int = 0\n",
    "parser_.py": "def add(parser):\n    parser.add_argument('--depth', nargs=2)\n",
    "broken.py": "def (:\n",
    "unrelated.py": "import click\n@click.command()\n@click.option('--other')\ndef main(): ...\n",
}


def test_modules_of_the_script_count(tmp_path: Path) -> None:
    script = write(tmp_path, FILES)
    options = accepted_options_of(script.read_bytes(), str(script))
    targets = {name: one.targets for one in options.options for name in one.names}
    assert targets["--lr"] == ("conf.args.Args.lr",)
    assert targets["--seed"] == ("conf.base.Base.seed",)
    assert targets["--depth"] == ("parser_.--depth",)
    assert "--other" not in targets


def test_cached_facts_are_the_same_and_nothing_is_parsed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOGINE_CACHE", str(tmp_path / "cache"))
    script = write(tmp_path, FILES)
    first = accepted_options_of(script.read_bytes(), str(script))

    def fail(*_: object) -> None:
        raise AssertionError("parsed again")

    monkeypatch.setattr(module, "_read_elsewhere", fail)
    assert accepted_options_of(script.read_bytes(), str(script)).options == first.options
    (tmp_path / "conf" / "base.py").write_text("# changed")
    with pytest.raises(AssertionError, match="parsed again"):
        accepted_options_of(script.read_bytes(), str(script))


BAD = [
    pytest.param(b"def (:", id="no Python"),
    pytest.param(b"\xff\xfe", id="no text"),
    pytest.param(b"import argparse\0", id="null byte"),
    pytest.param(b"import argparse\n" + b"(" * 5000, id="too deep"),
]


@pytest.mark.parametrize("data", BAD)
def test_what_cannot_be_read_accepts_nothing(data: bytes) -> None:
    assert accepted_options_of(data, "/nowhere/script.py") is NO_OPTIONS


def test_a_module_that_cannot_be_parsed_counts_as_none(tmp_path: Path) -> None:
    script = write(tmp_path, {**FILES, "train.py": "import broken\n" + FILES["train.py"]})
    assert accepted_options_of(script.read_bytes(), str(script)).find("--lr")


def test_a_warm_call_imports_no_parser(tmp_path: Path) -> None:
    script = write(tmp_path, FILES)
    code = (
        "import sys\nfrom kohaku_ast.transform.find.accepted_options import accepted_options_of\n"
        f"accepted_options_of(open({str(script)!r}, 'rb').read(), {str(script)!r})\n"
        "print(*sorted({'ast', 'dataclasses', 'typing', 'tokenize', 'inspect'} & {*sys.modules}))"
    )
    run = [sys.executable, "-c", code]
    env = {**os.environ, "KOGINE_CACHE": str(tmp_path / "cache")}
    subprocess.run(run, env=env, check=True, capture_output=True)
    warm = subprocess.run(run, env=env, check=True, capture_output=True, text=True)
    assert warm.stdout.split() == []


LIBRARY = Path(os.__file__).parent
STANDARD = [
    path
    for path in sorted(LIBRARY.rglob("*.py"))
    if not {"site-packages", "test"} & {*path.parts} and b"import argparse" in path.read_bytes()
]
RUNNABLE = ("ast", "calendar", "compileall", "json.tool", "py_compile", "tarfile", "timeit",
            "trace", "unittest", "venv", "zipapp", "zipfile", "http.server", "pickletools", "dis",
            "tokenize", "inspect", "gzip", "ensurepip")  # fmt: skip


@pytest.mark.parametrize("path", STANDARD, ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_reads_every_script_of_the_standard_library(path: Path) -> None:
    assert accepted_options_of(path.read_bytes(), str(path), str(path.parent)).takes_arguments


@pytest.mark.parametrize("name", RUNNABLE)
def test_finds_every_option_in_the_help_of_a_real_script(name: str) -> None:
    base = LIBRARY.joinpath(*name.split("."))
    path = next(one for one in (base / "__main__.py", base.with_suffix(".py")) if one.is_file())
    done = subprocess.run(
        [sys.executable, "-m", name, "--help"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    package = name if path.name == "__main__.py" else name.rpartition(".")[0]
    options = accepted_options_of(path.read_bytes(), str(path), str(LIBRARY), package)
    shown = re.findall(r"(?m)^ +(-{1,2}[\w-]+)(?:[ =]\S+)?(?:, (-{1,2}[\w-]+))?", done.stdout)
    names = {one for pair in shown for one in pair if one.strip("-")}
    assert names
    missing = {one for one in names if not options.find(one)}
    assert not missing
