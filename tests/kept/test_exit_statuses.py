"""The exit status of each situation: scripts, schedulers and CI read it.

The table is the promise. A status that changes is a change for users, and belongs into CHANGELOG.md.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracle import Finished, on_path

FILES = {
    "train.py": "import sys\nlr = 0.1\nprint('lr', lr)\nif lr == 2:\n    raise ValueError('two')\nif lr == 3:\n    sys.exit(7)\n",
    "fails.py": "1 / 0\n",
    "syntax.py": "lr = 0.1\ndef (\n",
    "text.py": "import sys\nsys.exit('why')\n",
    "pressed.py": "import os, signal\nlr = 0\nos.kill(os.getpid(), signal.SIGINT)\n",
    "killed.py": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
    "flow.py": "from kohaku_ast import Pipeline, node\n@node\ndef ratio(a: int, b: int):\n    return a / b\npipeline = Pipeline([ratio])\n",
    "runs.py": "from kohaku_ast import Script, Sequential, Sweep\nfirst = 1\nflow = Sequential([Script('train.py', Sweep(lr=[first, 4]))])\n",
    "good.yaml": "lr: 0.5\n",
    "other.yaml": "lr: 0.6\n",
    "wrong.yaml": "learning_rate: 0.5\n",
    "broken.py": "1 / 0\n",
    "generated.py": "def config_gen():\n    yield {'lr': 1}\n    yield 5\n",
    "old.py": "from kohakuengine import Config\n\ndef config_gen():\n    return Config(globals_dict={'lr': 0.2})\n",
    "there.py": "# a file that is there\n",
}  # fmt: skip

SITUATIONS = [
    # One run: the script's own status, as under plain Python.
    ("run train.py", 0, "a script that ends"),
    ("run train.py lr=0.5", 0, "a script with an override that ends"),
    ("run train.py lr=3", 7, "a script that calls sys.exit with a number"),
    ("run text.py", 1, "a script that calls sys.exit with a text"),
    ("run fails.py", 1, "a script that raises"),
    ("run train.py lr=2", 1, "a script with an override that raises"),
    ("run train.py --record lr=2", 1, "a script that raises, with a record"),
    ("run train.py --record lr=3", 7, "a script that calls sys.exit, with a record"),
    ("run killed.py", -signal.SIGKILL, "a script that is killed"),
    ("run pressed.py", -signal.SIGINT, "Ctrl-C in a script"),
    ("run pressed.py lr=1", -signal.SIGINT, "Ctrl-C in a script with an override"),
    ("run syntax.py", 1, "a syntax error in a script that is run unchanged"),
    # Mistakes that are found before anything runs.
    ("run syntax.py lr=1", 2, "a syntax error in a script with an override"),
    ("run nothing.py", 2, "a script that is not there"),
    ("run -m no_such_module", 2, "a module that is not there"),
    ("run train.py learning=1", 2, "a target that the script does not define"),
    ("run train.py lr=fast", 2, "a value that does not fit"),
    ("run train.py lr=1 lr=2", 2, "a target given twice"),
    ("run train.py lr=1,2", 2, "several values outside of --sweep"),
    ("run train.py --no-such-option", 2, "an option that nobody has"),
    ("run train.py --format json", 2, "an option without effect"),
    ("run train.py --mode fast", 2, "a choice that is none"),
    ("run train.py --entrypoint main", 2, "an entrypoint that is not there"),
    ("run train.py --config nothing.yaml", 2, "a config that is not there"),
    ("run train.py --config wrong.yaml", 2, "a config that does not fit"),
    ("run train.py --config broken.py", 2, "a config that raises"),
    ("run", 2, "no script"),
    # Many runs.
    ("run train.py --sweep lr=1,4", 0, "a sweep whose runs succeed"),
    ("run train.py --sweep lr=1,2", 1, "a sweep with a failed run"),
    ("run train.py --sweep lr=1,3", 1, "a sweep with a run that calls sys.exit"),
    ("run train.py --sweep lr=1,2 --mode spawn", 1, "a spawned sweep with a failed run"),
    ("run killed.py --timeout 60 --mode spawn", 1, "a spawned run of a flow that is killed"),
    ("run train.py --sweep lr=1,2 --dry-run", 0, "a sweep that is only shown"),
    ("run train.py --sweep lr=", 2, "an axis without values"),
    ("run train.py --sweep learning=1,2", 2, "an axis that the script does not define"),
    ("run train.py --config generated.py", 2, "a generator that gives no Config"),
    ("run pressed.py --sweep lr=1,2 --mode inline", 130, "Ctrl-C in a sweep"),
    ("run pressed.py --sweep lr=1,2", 1, "a run in its own process that gets SIGINT alone"),
    ("workflow sequential train.py text.py", 1, "a workflow with a failed script"),
    ("workflow sequential train.py train.py", 0, "a workflow whose scripts succeed"),
    ("workflow parallel train.py fails.py", 1, "a parallel workflow with a failed script"),
    ("workflow sequential train.py nothing.py", 2, "a workflow with a script that is not there"),
    ("workflow run runs.py", 0, "the flow of a file"),
    ("workflow run runs.py first=2", 1, "the flow of a file with a failed run"),
    ("workflow run train.py", 2, "a file without a flow"),
    # Commands that run no script.
    ("run --inspect train.py", 0, "a list of parameters"),
    ("run --inspect syntax.py", 2, "a list of parameters of a script with a syntax error"),
    ("transform train.py lr=1", 0, "the source that is compiled"),
    ("transform train.py learning=1", 2, "the source for a target that is not there"),
    ("freeze train.py lr=1 -o frozen.py", 0, "a frozen script"),
    ("freeze train.py lr=1 -o there.py", 2, "a frozen script over a file"),
    ("config show good.yaml", 0, "a config that is shown"),
    ("config show nothing.yaml", 2, "a config that is shown and not there"),
    ("config check train.py -c good.yaml", 0, "a config that fits"),
    ("config check train.py -c wrong.yaml", 1, "a config with problems"),
    ("config diff good.yaml good.yaml", 0, "two configs that are equal"),
    ("config diff good.yaml other.yaml", 1, "two configs that differ"),
    ("config init train.py -o made.py", 0, "a config that is made"),
    ("config init train.py -o there.py", 2, "a config over a file"),
    ("config migrate old.py -o new.py", 0, "a config of another tool that is converted"),
    ("pipeline run flow.py a=1 b=2", 0, "a pipeline whose nodes succeed"),
    ("pipeline run flow.py a=1 b=0", 1, "a pipeline with a node that raises"),
    ("pipeline run flow.py a=1", 2, "a pipeline that lacks an input"),
    ("pipeline run train.py", 2, "a file without a pipeline"),
    ("pipeline graph flow.py", 0, "a pipeline that is drawn"),
    ("completion bash", 0, "a script for a shell"),
    ("completion tcsh", 2, "a shell that is none of the three"),
    ("help run", 0, "a help"),
    ("help runn", 2, "the help of a command that is not there"),
    ("--version", 0, "the version"),
    ("", 0, "no command"),
    ("runn train.py", 2, "a command that is not there"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "status"),
    [pytest.param(command, status, id=situation) for command, status, situation in SITUATIONS],
)
def test_exit_status(command: str, status: int, tmp_path: Path) -> None:
    done = ended(tmp_path, *command.split())
    assert done.status == status, done.stderr
    assert status != 2 or (done.stderr and "kohaku_ast/" not in done.stderr), "a frame of ours"


def test_what_failed_before_fails_a_resumed_sweep(tmp_path: Path) -> None:
    words = ("run", "train.py", "--sweep", "lr=1,2")
    assert ended(tmp_path, *words).status == 1
    assert ended(tmp_path, *words, "--resume").status == 1


def ended(folder: Path, *words: str) -> Finished:
    """What is left of ``kogine WORDS`` beside these files."""
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": on_path(), "KOGINE_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "kogine", *words],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, timeout=600, preexec_fn=_heed_sigint,
    )  # fmt: skip
    return Finished(done.returncode, done.stdout, done.stderr)


def _heed_sigint() -> None:
    """Also in the background, where SIGINT arrives ignored and Python leaves it so."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
