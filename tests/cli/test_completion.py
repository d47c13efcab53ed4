"""The shells themselves complete command lines of kogine; without one of them its tests are skipped."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from kogine import COMPLETE
from kogine.command import kogine as root
from kogine.completion import SHELLS, Zsh, plain_text, read_line, replacement
from kogine.run import FORMATS

from tests.cli.test_commands import ALONE, command
from tests.oracle import Finished, on_path, run, run_kogine

SCRIPT = """\
from enum import Enum
from pathlib import Path
from typing import Literal, Optional
import argparse
import hparams

print("run!", file=open("ran", "w"))


class Mode(Enum):
    FAST = 1
    SLOW = 2


class Args:
    depth: Optional[int] = 3


lr = 0.1  # the rate
lr_decay = 0.5
debug = False
stages = [{"width": 8}, {"width": 9}]
cfg = {"a b": 1, "note": "it's"}
mode = Mode.FAST
optimizer: Literal["sgd", "adam w"] = "sgd"
data: Path = Path("runs")
token = "x"
derived = lr * 2
parser = argparse.ArgumentParser()
parser.add_argument("--batch-size", type=int, default=32, choices=[16, 32])


def main(epochs=10, lr=1):
    hidden = 4


if __name__ == "__main__":
    main()
"""
BREAKS = " \t\n\"'><=;|&(:"
LAUNCHER = Path(__file__).parents[1] / "kogine_command.py"
COMMAND = f'kogine() {{ {shlex.join([sys.executable, str(LAUNCHER)])} "$@"; }}\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KOGINE_CACHE", str(tmp_path / ".cache"))
    monkeypatch.chdir(tmp_path)
    spaced = tmp_path / "my data"
    (spaced / "sub").mkdir(parents=True)
    (tmp_path / "__pycache__").mkdir()
    for name in ("train.py", "my data/big script.py"):
        (tmp_path / name).write_text(SCRIPT)
    (tmp_path / "hparams.py").write_text("width = 3  # of a layer\n")
    (tmp_path / "broken.py").write_text("lr = (\n")
    (tmp_path / "base.yaml").write_text("lr: 1\n")
    (tmp_path / "notes.txt").write_text("")
    return tmp_path


def candidates(typed: list[str]) -> list[tuple[str, str, bool]]:
    """Word, description and whether it is finished, for the last of *typed*."""
    found = Zsh(root, {}, "kogine", COMPLETE).get_completions(typed[:-1], typed[-1])
    return [(one.value, one.help or "", one.done is not False) for one in found]


def words(*typed: str) -> list[str]:
    return [word for word, _, _ in candidates(list(typed))]


def completed(folder: Path, *typed: str) -> Finished:
    """What zsh gets for the last of *typed*."""
    return run_kogine(folder, *typed, **{COMPLETE: "zsh_complete"})


# --- what is offered -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        pytest.param(["ru"], ["run", "runs"], id="a command"),
        pytest.param(["--h"], ["--help"], id="an option of kogine"),
        pytest.param(["completion", ""], ["bash", "zsh", "fish"], id="a shell"),
        pytest.param(["config", "sh"], ["show"], id="a command of config"),
        pytest.param(["config", "show", "b"], ["base.yaml", "broken.py"], id="a config to show"),
        pytest.param(
            ["run", ""], ["broken.py", "hparams.py", "my data/", "train.py"], id="scripts"
        ),
        pytest.param(
            ["run", "my data/"], ["my data/big script.py", "my data/sub/"], id="in a folder"
        ),
        pytest.param(["run", "train.py:m"], ["train.py:main"], id="function behind the colon"),
        pytest.param(["run", "-m", "hp"], ["hparams"], id="behind -m"),
        pytest.param(["run", "train.py", "lr"], ["lr=", "lr_decay="], id="a global"),
        pytest.param(["run", "train.py", "dep"], ["depth="], id="the shortest target"),
        pytest.param(["run", "train.py", "Args."], ["Args.depth="], id="the full target"),
        pytest.param(["run", "train.py", "main(e"], ["main(epochs)="], id="a parameter in full"),
        pytest.param(["run", "train.py", "main(l"], ["main(lr)="], id="a parameter"),
        pytest.param(
            ["run", "train.py", "stages[1"], ["stages[1].width="], id="an entry of a list"
        ),
        pytest.param(
            ["run", "train.py", "deri"], ["derived="], id="no setting, as nothing else fits"
        ),
        pytest.param(
            ["run", "train.py", "--batch"], ["--batch-size="], id="an option of the script"
        ),
        pytest.param(["run", "train.py", "hp"], ["hparams=", "hparams."], id="a module"),
        pytest.param(
            ["run", "train.py", "hparams."], ["hparams.width="], id="inside a local module"
        ),
        pytest.param(
            ["run", "train.py", "hparams.width="], ["hparams.width=3"], id="a module's value"
        ),
        pytest.param(
            ["run", "train.py", "lr=1", "lr"], ["lr_decay="], id="what is given is left out"
        ),
        pytest.param(["run", "train.py", "debug="], ["debug=False", "debug=True"], id="a bool"),
        pytest.param(["run", "train.py", "mode=F"], ["mode=FAST"], id="a member"),
        pytest.param(
            ["run", "train.py", "optimizer="], ["optimizer=sgd", "optimizer=adam w"], id="Literal"
        ),
        pytest.param(
            ["run", "train.py", "batch_size="], ["batch_size=32", "batch_size=16"], id="choices"
        ),
        pytest.param(["run", "train.py", "depth="], ["depth=3", "depth=None"], id="Optional"),
        pytest.param(["run", "train.py", "note="], ["note=it's"], id="a text as it is typed"),
        pytest.param(["run", "train.py", "data=m"], ["data=my data/"], id="files for a path"),
        pytest.param(["run", "train.py", "token=m"], [], id="no files for a text"),
        pytest.param(["run", "train.py", "derived="], [], id="no value that is computed"),
        pytest.param(["run", "train.py", "--set", "tok"], ["token="], id="behind --set"),
        pytest.param(["run", "train.py", "-s", "token="], ["token=x"], id="behind -s"),
        pytest.param(["run", "--set", "lr=1", "train.py", "tok"], ["token="], id="option first"),
        pytest.param(["run", "train.py", "--set=tok"], ["--set=token="], id="--set="),
        pytest.param(["run", "train.py", "-e", ""], ["main"], id="an entrypoint"),
        pytest.param(["run", "train.py", "--form"], ["--format"], id="an option"),
        pytest.param(["run", "train.py", "--format", ""], list(FORMATS), id="values of an option"),
        pytest.param(["run", "train.py", "--inspect", "--ins"], [], id="a flag is given once"),
        pytest.param(
            ["run", "t.py", "-c", ""],
            ["base.yaml", "broken.py", "hparams.py", "my data/", "train.py"],
            id="configs",
        ),
        pytest.param(["freeze", "train.py", "-o", "n"], ["notes.txt"], id="any file to write"),
        pytest.param(["run", "train.py", "--", "n"], ["notes.txt"], id="files for the script"),
    ],
)
def test_offers(typed: list[str], offered: list[str], folder: Path) -> None:
    assert words(*typed) == offered


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param([], id="not even a word"),
        pytest.param(["nosuch", ""], id="no command"),
        pytest.param(["config", "nosuch", ""], id="no command of config"),
        pytest.param(["run", "broken.py", ""], id="a script that cannot be parsed"),
        pytest.param(["run", "nosuch.py", ""], id="no such script"),
        pytest.param(["run", "-", ""], id="standard input is not read"),
        pytest.param(["run", "pipe", ""], id="a pipe is not read"),
        pytest.param(["run", "my data", ""], id="a folder without __main__"),
        pytest.param(["run", "train.py", "nosuch="], id="no such target"),
        pytest.param(["run", "train.py", "main(e=["], id="brackets that do not pair"),
        pytest.param(["run", "no\0script", ""], id="no name of a file"),
        pytest.param(["completion", "bash", ""], id="all is said"),
    ],
)
def test_offers_nothing(typed: list[str], folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    done = completed(folder, *[word.replace("\0", "") for word in typed])
    assert (done.status, done.stderr) == (0, "")
    assert not typed or done.stdout == ""


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        pytest.param(["--sweep", "lr"], ["lr=", "lr_decay="], id="a target"),
        pytest.param(
            ["--sweep", "debug="], ["debug=False,True", "debug=False", "debug=True"], id="choices"
        ),
        pytest.param(["--sweep", "debug=True,"], ["debug=True,False"], id="the next choice"),
        pytest.param(["--sweep", "lr=0.1,ra"], ["lr=0.1,range:", "lr=0.1,randint:"], id="a form"),
        pytest.param(["--sweep=mode=F"], ["--sweep=mode=FAST,SLOW", "--sweep=mode=FAST"], id="="),
        pytest.param(["--sweep", "lr=1,2", "lr"], ["lr_decay="], id="a swept one is left out"),
        pytest.param(["--zip", "lr,tok"], ["lr,token"], id="a list of targets"),
        pytest.param(
            ["--sweep", "lr=1,2", "--sweep", "token=a,b", "--zip", ""], ["lr", "token"], id="swept"
        ),
        pytest.param(["--trials", "b"], ["base.yaml"], id="a table"),
    ],
)
def test_sweeps(typed: list[str], offered: list[str], folder: Path) -> None:
    assert words("run", "train.py", *typed) == offered


@pytest.mark.parametrize("typed", ALONE, ids=" ".join)
def test_every_command_and_option_is_offered(typed: tuple[str, ...], folder: Path) -> None:
    assert typed[-1] in words(*typed[:-1], "")
    options = [one for one in command(typed).params if isinstance(one, click.Option)]
    names = {name for one in options if not one.hidden for name in one.opts}
    assert set(words(*typed, "-")) >= names


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        pytest.param(["--seed", ""], ["5", "7"], id="apart"),
        pytest.param(["--seed="], ["--seed=5", "--seed=7"], id="with ="),
        pytest.param(["--dry"], ["--dry"], id="a flag of the script is finished"),
        pytest.param(["--dry-r"], ["--dry-run"], id="no option of the script"),
        pytest.param(["--set", "--seed="], ["--seed=5", "--seed=7"], id="as a target"),
    ],
)
def test_an_option_that_both_have_is_the_scripts(
    typed: list[str], offered: list[str], folder: Path
) -> None:
    (folder / "own.py").write_text(
        "import argparse\np = argparse.ArgumentParser()\n"
        "p.add_argument('--seed', type=int, default=5, choices=[5, 7])\n"
        "p.add_argument('--dry', action='store_true')\np.parse_args()\n"
    )
    assert words("run", "own.py", *typed)[: len(offered)] == offered
    if typed[0] == "--seed":
        assert words("run", "--seed", "") == []


def test_descriptions_are_the_default_and_the_help(folder: Path) -> None:
    found = {word: text for word, text, _ in candidates(["run", "train.py", ""])}
    assert found["lr="] == "0.1  the rate"
    assert ("debug=False", "default", True) in candidates(["run", "train.py", "debug="])


def test_a_listing_is_cached_until_the_script_changes(folder: Path) -> None:
    assert words("run", "train.py", "tok") == ["token="]
    kept = list((folder / ".cache").glob("*.listing"))
    assert len(kept) == 1
    kept[0].write_bytes(b"damaged")
    assert words("run", "train.py", "tok") == ["token="]
    (folder / "train.py").write_text("token_2 = 1\n")
    assert words("run", "train.py", "tok") == ["token_2="]


def test_no_cache_is_no_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOGINE_CACHE", os.devnull)
    assert words("run", "train.py", "tok") == ["token="]


# --- the command ---------------------------------------------------------------------------


def test_nothing_of_the_user_is_run(folder: Path) -> None:
    assert "lr=" in completed(folder, "run", "train.py", "").stdout
    assert not (folder / "ran").exists()
    assert not list(folder.glob("__pycache__/*"))


def test_a_name_that_would_drive_the_terminal_is_left_out(folder: Path) -> None:
    (folder / "zz\x1b[2J.py").touch()
    (folder / "zz\n.py").touch()
    (folder / "zzz.py").touch()
    done = completed(folder, "run", "zz")
    assert (done.stdout, done.stderr) == ("zzz.py \t\n", "")


def test_warm_completion_reads_no_script_again(folder: Path) -> None:
    program = (
        "import sys; from kogine.main import main; main(sys.argv[1:]); "
        "heavy = {'libcst', 'rich', 'kohaku_ast.transform.find.parameters', 'kohaku_ast.flow.flow'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    for _ in range(2):
        line = [sys.executable, "-c", program, "run", "train.py", "tok"]
        done = run(line, folder, PYTHONPATH=on_path(), **{COMPLETE: "zsh_complete"})
    assert done.stdout == 'token=\t"x"\n[]\n'


@pytest.mark.parametrize("shell", list(SHELLS))
def test_prints_the_script_of_a_shell(shell: str, tmp_path: Path) -> None:
    done = run_kogine(tmp_path, "completion", shell)
    assert (done.status, done.stderr) == (0, "")
    assert f"{COMPLETE}={shell}_complete" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "shell", "said"),
    [
        pytest.param([], "/bin/zsh", ["put this line into ~/.zshrc"], id="guessed from SHELL"),
        pytest.param([], "/bin/tcsh", ["~/.bashrc", "~/.zshrc", "fish >"], id="a shell not known"),
        pytest.param(["zhs"], "", ["'zhs'", "Did you mean 'zsh'?"], id="mistyped"),
        pytest.param(["bash", "zsh"], "", ["bash|zsh|fish"], id="two"),
    ],
)
def test_says_what_to_do(arguments: list[str], shell: str, said: list[str], tmp_path: Path) -> None:
    done = run_kogine(tmp_path, "completion", *arguments, SHELL=shell)
    assert (done.status, done.stdout) == (2, "")
    assert all(text in done.stderr for text in said)


# --- lines of bash -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("kogine run a", ["kogine", "run", "a"], id="words"),
        pytest.param("kogine  run ", ["kogine", "run", ""], id="a new word"),
        pytest.param("kogine 'a b' \"c $d", ["kogine", "a b", "c $d"], id="quotes"),
        pytest.param('kogine "a\\"b\\c', ["kogine", 'a"b\\c'], id="backslash in quotes"),
        pytest.param("kogine a\\ b\\'c", ["kogine", "a b'c"], id="backslash"),
        pytest.param("ls | kogine run", ["kogine", "run"], id="behind a pipe"),
        pytest.param("kogine run > out x", ["kogine", "run", "x"], id="behind a redirection"),
        pytest.param("kogine a'b'c=d", ["kogine", "abc=d"], id="pieces"),
    ],
)
def test_reads_a_line(text: str, expected: list[str]) -> None:
    assert read_line(text).words == expected


@pytest.mark.parametrize(
    ("text", "candidate", "expected"),
    [
        pytest.param("k l", "lr=", "lr=", id="plain"),
        pytest.param("k m", "main(epochs)=", "'main(epochs)'=", id="parentheses"),
        pytest.param("k 'm", "main(epochs)=", "main(epochs)=", id="an open quote"),
        pytest.param("k lr=", "lr=0.1", "0.1 ", id="behind a break"),
        pytest.param("k 'a(b)'=", "a(b)=[1, 2]", "'[1, 2]' ", id="a value with a blank"),
        pytest.param("k 'a(b)=", "a(b)=it's", "a(b)=it'\\''s", id="a quote in quotes"),
        pytest.param('k "x', "x$y", "x\\$y", id="a dollar in double quotes"),
        pytest.param("k x=a\\ b", "x=a b/c", "'a b/c' ", id="a backslash"),
        pytest.param("k ~/m", "~/m y", "~/'m y' ", id="home"),
        pytest.param("k t.py:", "t.py:main", "main ", id="a colon"),
        pytest.param("k 'x'y=", "z=1", None, id="something else"),
    ],
)
def test_puts_a_candidate_in(text: str, candidate: str, expected: str | None) -> None:
    finished = not candidate.endswith("=")
    assert replacement(read_line(text), candidate, finished, BREAKS) == expected


def test_reads_a_word_of_fish() -> None:
    assert plain_text("'main(ep") == "main(ep"
    assert plain_text('my\\ data/"x') == "my data/x"


# --- the shells ----------------------------------------------------------------------------


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(shell), reason=f"{shell} is not installed")


def in_bash(folder: Path, line: str) -> list[str]:
    """COMPREPLY for *line*, whose end is where the cursor is, as bash fills its variables."""
    script = f"""{COMMAND}
source <(kogine completion bash)
COMP_LINE={shlex.quote(line)} COMP_POINT=${{#COMP_LINE}}
COMP_POINT=${{#COMP_LINE}} COMP_WORDS=({shlex.join(line.split())}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_kogine_complete kogine "" ""
(( ${{#COMPREPLY[@]}} )) && printf '%s|\\n' "${{COMPREPLY[@]}}"
"""
    done = run(["bash", "--norc", "-c", script], folder, PYTHONPATH=on_path())
    assert done.stderr == ""
    return done.stdout.splitlines()


@needs("bash")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("kogine tr", ["transform |"], id="a command"),
        pytest.param("kogine run tr", ["train.py |"], id="a script"),
        pytest.param("kogine run my", ["'my data/'|"], id="a folder with a blank"),
        pytest.param(
            "kogine run my\\ data/b", ["'my data/big script.py' |"], id="behind a backslash"
        ),
        pytest.param("kogine run 'my data/'b", ["'my data/big script.py' |"], id="a closed quote"),
        pytest.param("kogine run 'my data/b", ["my data/big script.py|"], id="an open quote"),
        pytest.param("kogine run 'my data/big script.py' tok", ["token=|"], id="its targets"),
        pytest.param("kogine run train.py lr", ["lr=|", "lr_decay=|"], id="targets"),
        pytest.param("kogine run train.py lr=", ["0.1|"], id="a default is not finished"),
        pytest.param("kogine run train.py mode=S", ["SLOW |"], id="a member"),
        pytest.param("kogine run train.py optimizer=a", ["'adam w' |"], id="a value with a blank"),
        pytest.param("kogine run train.py 'main(l", ["main(lr)=|"], id="parentheses"),
        pytest.param(
            "kogine run train.py ma",
            ["'main(epochs)'=|", "'main(lr)'=|", "'main.hidden'=|"],
            id="quotes at all, for what they have in common",
        ),
        pytest.param("kogine run train.py 'main(lr)'=", ["1|"], id="the value behind quotes"),
        pytest.param("kogine run train.py --set=tok", ["token=|"], id="an option's value"),
        pytest.param("kogine run train.py > no", ["notes.txt |"], id="a redirection"),
        pytest.param("kogine run broken.py ", [], id="not parsed"),
    ],
)
def test_bash(line: str, expected: list[str], folder: Path) -> None:
    assert in_bash(folder, line) == expected


class Terminal:
    """An interactive shell in a pseudo terminal, whose line can be read."""

    def __init__(self, command: list[str], folder: Path, **environment: str) -> None:
        spawn = "import pty, sys; pty.spawn(sys.argv[1:])"
        self.folder = folder
        self.shell = subprocess.Popen(
            [sys.executable, "-c", spawn, *command],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": on_path(), "TERM": "vt100", **environment},
        )

    def type(self, text: str) -> str:
        """The line after *text* was typed."""
        self.wait("ready")
        assert self.shell.stdin
        self.shell.stdin.write(f"{text}\x18".encode())
        self.shell.stdin.flush()
        return self.wait("line")

    def wait(self, name: str) -> str:
        path = self.folder / f".{name}"
        for _ in range(600):
            if path.exists():
                return path.read_text().rstrip("\n")
            time.sleep(0.05)
        raise AssertionError(f"the shell wrote no {name}")

    def close(self) -> None:
        self.shell.kill()
        self.shell.communicate()


@pytest.fixture
def bash(folder: Path) -> Iterator[Terminal]:
    show = r"""bind -x '"\C-x": printf "%s" "$READLINE_LINE" > .part; mv .part .line'"""
    rc = f"{COMMAND}\neval \"$(kogine completion bash)\"\n{show}\nPROMPT_COMMAND='touch .ready'\n"
    (folder / ".rc").write_text(rc)
    terminal = Terminal(["bash", "--rcfile", ".rc", "-i"], folder)
    yield terminal
    terminal.close()


@pytest.fixture
def zsh(folder: Path) -> Iterator[Terminal]:
    show = "show() { print -r -- $BUFFER > .part; mv .part .line }; zle -N show; bindkey '^X' show"
    init = "autoload -Uz compinit; compinit -u -D"
    script = 'eval "$(kogine completion zsh)"'
    rc = f"{COMMAND}\n{init}\n{script}\n{show}\nKEYTIMEOUT=1\nprecmd() {{ touch .ready }}\n"
    (folder / ".zshrc").write_text(rc)
    terminal = Terminal(["zsh", "-d", "-i"], folder, ZDOTDIR=str(folder))
    yield terminal
    terminal.close()


TYPED = [
    ("kogine run tr\t", "kogine run train.py "),
    ("kogine run train.py tok\t", "kogine run train.py token="),
    ("kogine run train.py 'main(l\t", "kogine run train.py 'main(lr)="),
    ("kogine run train.py mode=S\t", "kogine run train.py mode=SLOW "),
    ("kogine run my\tb\tdep\t", "kogine run {my data/big script.py} depth="),
    ("kogine run broken.py l\t", "kogine run broken.py l"),
]


@needs("bash")
@pytest.mark.parametrize(("typed", "line"), TYPED, ids=[typed.strip() for typed, _ in TYPED])
def test_a_terminal_with_bash(typed: str, line: str, bash: Terminal) -> None:
    line = line.replace("{", "'").replace("}", "'").replace("(lr)=", "(lr)='")
    assert bash.type(typed) == line


@needs("zsh")
@pytest.mark.parametrize(("typed", "line"), TYPED, ids=[typed.strip() for typed, _ in TYPED])
def test_a_terminal_with_zsh(typed: str, line: str, zsh: Terminal) -> None:
    assert zsh.type(typed) == line.replace("{my data/big script.py}", r"my\ data/big\ script.py")


@needs("fish")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("kogine tr", ["transform\tPrint the rewritten"], id="a command"),
        pytest.param("kogine run my\\ data/b", ["my\\ data/big\\ script.py"], id="a blank"),
        pytest.param(
            "kogine run train.py lr", ["lr=\t0.1  the rate", "lr_decay=\t0.5"], id="targets"
        ),
        pytest.param("kogine run train.py main\\(l", ["main\\(lr\\)=\t1"], id="parentheses"),
        pytest.param("kogine run train.py 'main(l", ["'main(lr)=\t1"], id="an open quote"),
        pytest.param("kogine run train.py mode=S", ["mode=SLOW"], id="a value"),
        pytest.param("kogine run broken.py ", [], id="not parsed"),
    ],
)
def test_fish(line: str, expected: list[str], folder: Path) -> None:
    command = shlex.join([sys.executable, str(LAUNCHER)])
    script = f"function kogine; {command} $argv; end; kogine completion fish | source; "
    script += f"complete --escape -C {shlex.quote(line)}"
    environment = {"PYTHONPATH": on_path(), "HOME": str(folder)}
    done = run(["fish", "--no-config", "-c", script], folder, **environment)
    assert done.stderr == ""
    offered = done.stdout.splitlines()
    assert len(offered) == len(expected)
    assert all(one.startswith(start) for one, start in zip(offered, expected))
