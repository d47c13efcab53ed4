"""The help, the version, near names, and words that are no command: through click, and as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from kogine.command import kogine as root
from kogine.report import EXPLAINED_ON_PAGE

from kohaku_ast.flow.launchers import MODES
from kohaku_ast.version import VERSION
from tests.oracle import FIXTURES, Finished, run

ROOT = FIXTURES.parent
PATH = os.pathsep.join([str(ROOT), str(ROOT / "cli")])


def kogine(folder: Path, *arguments: str) -> Finished:
    return run([sys.executable, "-m", "kogine", *arguments], folder, PYTHONPATH=PATH)


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command below *group*, of groups too."""
    context = click.Context(group)
    for name in group.list_commands(context) if isinstance(group, click.Group) else []:
        inner = group.get_command(context, name)  # type: ignore[attr-defined]
        assert inner is not None
        yield (*path, name)
        yield from commands(inner, (*path, name))


def command(words: tuple[str, ...]) -> click.Command:
    found: click.Command = root
    for word in words:
        assert isinstance(found, click.Group)
        inner = found.get_command(click.Context(found), word)
        assert inner is not None
        found = inner
    return found


COMMANDS = [*commands(root)]
ALONE = [words for words in COMMANDS if not isinstance(command(words), click.Group)]


def test_the_commands_are_those_of_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    assert ALONE
    assert all(f"kogine {words[0]}" in page and words[-1] in page for words in ALONE)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]], ids=["nothing", "--help", "-h"])
def test_help(arguments: list[str], tmp_path: Path) -> None:
    done = kogine(tmp_path, *arguments)
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: kogine ")
    assert all(name in done.stdout for name in root.places)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_of_a_command_has_its_options_and_two_examples(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(root, [*words, "--help"], prog_name="kogine", terminal_width=80)
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"Usage: kogine {' '.join(words)} ")
    options = [one for one in command(words).params if isinstance(one, click.Option)]
    assert all(name in shown.stdout for one in options if not one.hidden for name in one.opts)
    examples = shown.stdout.partition("\nExamples:\n")[2].splitlines()
    assert len(examples) >= 2
    assert all(len(line) <= 80 for line in shown.stdout.partition("\nExamples:\n")[0].splitlines())


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_kogine_help_is_the_same(words: tuple[str, ...]) -> None:
    shown = [
        CliRunner().invoke(root, line, prog_name="kogine").stdout
        for line in (["help", *words], [*words, "--help"])
    ]
    assert shown[0] == shown[1]


@pytest.mark.parametrize("words", ALONE, ids=" ".join)
def test_every_option_has_a_help_and_stands_in_a_group(words: tuple[str, ...]) -> None:
    for one in command(words).params:
        if isinstance(one, click.Option) and not one.hidden:
            assert one.help, one.opts
            assert getattr(one, "group", ""), one.opts


def test_groups_defaults_and_choices_are_shown() -> None:
    shown = CliRunner().invoke(root, ["run", "--help"], terminal_width=100).stdout
    titles = [line for line in shown.splitlines() if line.endswith(":") and not line[0].isspace()]
    assert titles == [
        "Values:", "Inspecting:", "Sweeps:", "Searches:", "Flows:", "Records and output:", "Options:",
        "Examples:",
    ]  # fmt: skip
    assert "--mode [auto|inline|spawn|warm]" in shown
    assert "[default: auto]" in shown
    assert "0<=x<=19" in shown


def test_the_modes_of_the_command_line_are_those_of_flows() -> None:
    from kogine.flow_options import MODES as typed

    assert typed == MODES


def test_help_behind_dashes_is_for_the_script(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import sys\nprint(sys.argv)\n")
    done = kogine(tmp_path, "run", "train.py", "--", "--help")
    assert done == Finished(0, "['train.py', '--help']\n", "")


def test_version(tmp_path: Path) -> None:
    assert kogine(tmp_path, "--version") == Finished(0, f"kogine {VERSION}\n", "")


def test_version_does_not_read_the_metadata(tmp_path: Path) -> None:
    program = (
        "import sys; from kogine.main import main; status = main(['--version']); "
        "sys.exit(status or 'importlib.metadata' in sys.modules)"
    )
    # -S: an editable install may import it at the start of Python.
    packages = Path(click.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([PATH, str(packages)])},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


MISTAKES = [
    pytest.param(["rnu"], "Did you mean 'run'?", id="a typo"),
    pytest.param(["quux"], "expected one of: run, ", id="no command"),
    pytest.param(["train.py"], "To run it: kogine run train.py", id="a script"),
    pytest.param(["--bogus"], "--bogus", id="an unknown option"),
    pytest.param(["--versoin"], "Did you mean '--version'?", id="a typo in an option of kogine"),
    pytest.param(["run"], "no script given: kogine run SCRIPT", id="no script to run"),
    pytest.param(["freeze", "x.py", "--bogus"], "--bogus", id="an option it does not have"),
    pytest.param(["config", "shwo"], "Did you mean 'show'?", id="a typo in a command of a group"),
    pytest.param(["config", "show", "a", "--fromat", "json"], "Did you mean '--format'?", id="a typo in an option"),
    pytest.param(["config", "show", "a", "--format", "jsno"], "Did you mean 'json'?", id="a typo in a choice"),
    pytest.param(["run", "--mode", "spwan", "x.py"], "Did you mean 'spawn'?", id="a typo in a mode"),
    pytest.param(["run", "-q", "x", "x.py"], "No such option '-q'. 'kogine run --help' lists the options.", id="a letter that is none"),
    pytest.param(["run", "-y", "x.py"], "No such option '-y'. 'kogine run --help'", id="a letter that no option begins with"),
    pytest.param(["run", "-j4", "x.py"], "Did you mean '--workers'?", id="the letter of another program"),
    pytest.param(["run", "-z", "a", "x.py"], "Did you mean '--zip'?", id="a letter that one option begins with"),
    pytest.param(["run", "-C", "a", "x.py"], "Did you mean '-c'?", id="a letter in upper case"),
    pytest.param(["pipeline", "-Z"], "No such option '-Z'. 'kogine pipeline --help' lists the options.", id="a letter for a group"),
    pytest.param(["run", "--wokers", "2", "x.py"], "Did you mean '--workers'?", id="a typo before the script"),
    pytest.param(["completion", "zhs"], "Did you mean 'zsh'?", id="a typo in a shell"),
    pytest.param(["help", "rnu"], "Did you mean 'run'?", id="the help of a typo"),
    pytest.param(["run", "--retries", "1_0", "x.py"], "--retries 1_0: not a whole number", id="an underscore"),
    pytest.param(["run", "--timeout", "nan", "x.py"], "--timeout nan: at least 0", id="no number of seconds"),
    pytest.param(["run", "--timeout", "inf", "x.py"], "--timeout inf: at least 0", id="endless seconds"),
    pytest.param(["run", "--workers=", "x.py"], "--workers : a number of at least 1", id="empty"),
    pytest.param(["run", "x.py", "--sweep", "lr"], "'lr' is not TARGET=VALUE", id="an axis without values"),
    pytest.param(["run", "x.py", "--format", "json"], "--format has no effect without --inspect", id="format without inspect"),
    pytest.param(["run", "x.py", "--backoff", "2"], "--backoff has no effect without --retries", id="backoff without retries"),
    pytest.param(["freeze", "x.py", "--force"], "--force has no effect without --output", id="force without output"),
    pytest.param(["config", "init", "x.py", "--force"], "--force has no effect without --output", id="force of init"),
    pytest.param(["workflow", "run", "x.py", "--sweep", "x=1,2"], "--sweep: what runs there are is written in FLOW.py", id="a sweep of a flow"),
    pytest.param(["workflow", "parallel", "x.py", "--search", "optuna"], "--search: a search is for one script", id="a search of several"),
    pytest.param(["run", "x.py", "-m"], "-m goes before the name of the module", id="m behind the script"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "said"), MISTAKES)
def test_what_is_no_command(arguments: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("x = 0\nprint('ran')\n")
    done = kogine(tmp_path, *arguments)
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith("kogine: error: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("arguments", "said"), MISTAKES)
def test_click_says_the_same(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.py").write_text("x = 0\nprint('ran')\n")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(root, arguments, prog_name="kogine")
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_the_group_gives_what_runs_the_script(tmp_path: Path) -> None:
    script = tmp_path / "x.py"
    script.write_text("x = 0\n")
    done = CliRunner().invoke(root, ["run", str(script), "x=1"], standalone_mode=False)
    assert done.exception is None
    assert callable(done.return_value)


def test_the_file_of_a_command_has_its_options_alone() -> None:
    """Help and completion import it, and must not wait for flows and pipelines."""
    modules = {place.partition(":")[0] for place, _ in root.places.values()} - {"kogine.source"}
    heavy = ["rich", "libcst", "kohaku_ast.flow.flow", "kohaku_ast.pipeline.pipeline",
             "kohaku_ast.transform.find.parameters"]  # fmt: skip
    imports = "\n".join(f"import {one}" for one in sorted(modules))
    program = f"import sys\n{imports}\nprint([one for one in {heavy} if one in sys.modules])"
    done = run([sys.executable, "-c", program], ROOT, PYTHONPATH=PATH)
    assert done == Finished(0, "[]\n", "")


def test_without_options_click_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("import sys\nx = 0\nprint(x, 'click' in sys.modules)\n")
    (tmp_path / "click.py").write_text("raise ImportError('this click cannot be imported')\n")
    done = run(
        [
            sys.executable,
            str(ROOT / "tests" / "kogine_command.py"),
            "run",
            "x.py",
            "x=1",
            "--",
            "-v",
        ],
        tmp_path,
        PYTHONPATH=os.pathsep.join([str(tmp_path), PATH]),
    )
    assert done == Finished(0, "1 False\n", "")


def test_a_script_finds_no_click_that_it_has_not_imported(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("import sys\nx = 0\nprint(x, 'click' in sys.modules)\n")
    done = kogine(tmp_path, "run", "--set", "x=1", "x.py")
    assert done == Finished(0, "1 False\n", "")


@pytest.mark.parametrize("options", [[], ["--record"]], ids=["read without click", "read by click"])
def test_an_error_ends_with_the_anchor_where_its_page_says_more(
    options: list[str], tmp_path: Path
) -> None:
    (tmp_path / "x.py").write_text("x = 0\n")
    (tmp_path / "cfg.py").write_text("_kwarg = {}\n")
    done = kogine(tmp_path, "run", "x.py", "--config", "cfg.py", *options)
    assert done.status == 2
    assert done.stderr.endswith("'_kwargs'?\nSee docs/reference/messages.md#config\n")
    done = kogine(tmp_path, "run", "x.py", "y=1", *options)
    assert done.status == 2
    assert "messages.md" not in done.stderr


def test_click_ends_it_with_the_anchor_too(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("x = 0\n")
    (tmp_path / "cfg.py").write_text("_kwarg = {}\n")
    words = ["run", str(tmp_path / "x.py"), "--config", str(tmp_path / "cfg.py")]
    assert CliRunner().invoke(root, words).stderr.endswith("messages.md#config\n")


@pytest.mark.parametrize("slug", EXPLAINED_ON_PAGE)
def test_the_page_says_more_than_the_name_of_the_error(slug: str) -> None:
    page = (ROOT / "docs" / "reference" / "messages.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {slug}\n")[2].partition("\n## ")[0]
    assert section.count(". ") + section.count(".\n") >= 2  # more than one sentence
