"""An IPython shell in a process of its own, in whose cells many scripts run one after another, as a
user of a notebook runs them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.oracle import Finished, on_path

_ROOT = Path(__file__).parents[2]


class Shell:
    """Runs scripts in cells of one shell; started by the first of them, and again if one ends it."""

    def __init__(self, folder: Path) -> None:
        """*folder* is for what IPython writes."""
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self, folder: Path, words: Sequence[str], argv: Sequence[str] = (), written: str = ""
    ) -> Finished:
        """``Script("script.py", {...}).run()`` in a cell, with the overrides that *words* write as
        ``kogine run`` takes them; status 1 stands for every failure. A text that is read as what
        the script has there is what *written* has, the text of the edits.
        """
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._start()
        self._asks.write(json.dumps([str(folder), list(words), list(argv), written]) + "\n")
        self._asks.flush()
        answer = self._answers.readline()
        if not answer:
            return Finished(-1, "", "the script has ended the shell")
        return Finished(*json.loads(answer))

    def _start(self) -> None:
        (theirs, ours), (mine, yours) = os.pipe(), os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.notebook.shell", str(theirs), str(yours)],
            cwd=_ROOT, stdin=subprocess.DEVNULL, pass_fds=(theirs, yours),
            env={**os.environ, "PYTHONPATH": on_path(), "IPYTHONDIR": str(self.folder)},
        )  # fmt: skip
        os.close(theirs)
        os.close(yours)
        self._asks, self._answers = open(ours, "w"), open(mine)  # noqa: SIM115  # close() does

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._asks.close()
            self._answers.close()
            self._process.wait(30)


CELL = """\
try:
    outcome = Script(PATH, CONFIG, entrypoint=ENTRYPOINT).run()
    failed = False
except BaseException as error:
    outcome, failed = error, True
"""


def serve(asks: int, answers: int) -> None:
    """In the shell's process: run what is asked for, until the pipe is closed."""
    import warnings

    from IPython.core.interactiveshell import InteractiveShell

    os.set_inheritable(asks, False)
    os.set_inheritable(answers, False)
    shell: Any = InteractiveShell.instance(colors="nocolor")
    shell.run_cell("from kohaku_ast import *")
    warnings.simplefilter("always", shell.user_ns["UnusedOverride"])
    with open(asks) as reading, open(answers, "w") as writing:
        for line in reading:
            folder, *order = json.loads(line)
            os.chdir(folder)
            writing.write(json.dumps(_run(shell, *order)) + "\n")
            writing.flush()


def _run(shell: Any, *order: Any) -> tuple[int, str, str]:
    shell.user_ns["PATH"] = "script.py"
    shell.user_ns["CONFIG"], shell.user_ns["ENTRYPOINT"] = _config(*order)
    outputs = [open(name, "w+b") for name in ("shell_out.txt", "shell_err.txt")]  # noqa: SIM115
    before = [_redirect(number, output.fileno()) for number, output in zip((1, 2), outputs)]
    shell.run_cell(CELL)
    for number, copy in zip((1, 2), before):
        os.close(_redirect(number, copy))
        os.close(copy)
    texts = []
    for output in outputs:
        output.seek(0)
        texts.append(output.read().decode("utf-8", "backslashreplace"))
        output.close()
    failed = shell.user_ns["failed"]
    found = repr(shell.user_ns["outcome"]) if failed else ""
    return int(failed), texts[0], texts[1] + found


def _redirect(number: int, other: int) -> int:
    """Let the descriptor *number* lead where *other* does; where it led before."""
    (sys.stdout if number == 1 else sys.stderr).flush()
    before = os.dup(number)
    os.dup2(other, number)
    return before


def _config(words: list[str], argv: list[str], written: str) -> tuple[Any, str]:
    """The Config with the values that the command line reads from *words*, and the entrypoint."""
    from kogine.script_command import load_configs, typed_override

    from kohaku_ast import Config
    from kohaku_ast.config.text_values import read_every
    from kohaku_ast.runner.bind import Binder
    from kohaku_ast.runner.launch import Launch
    from kohaku_ast.runner.overrides import added_names

    given = _options(words)
    texts = [typed_override(word) for word in given["--set"]]
    texts += [typed_override(word, as_is=True) for word in given["--as-is"] if word]
    bound = Binder(Launch("script.py"), texts, as_is="" in given["--as-is"]).bind()
    values = {
        prefix + target: _object(value, written)
        for prefix, _, one in bound.prepared.every()
        for target, value in one.sent.items()
    }
    for late in bound.prepared.later.overrides if bound.prepared.later else ():
        values[late.target] = _object(read_every(str(late.value)), written)
    config: Any = load_configs(given["--config"]) or Config()
    own = Config(values, argv=argv, new_globals=added_names(given["--add"], {}))
    return config | own, given["--entrypoint"][0] if given["--entrypoint"] else ""


def _object(value: Any, written: str) -> object:
    from kohaku_ast.transform.program.bound_program import as_value, is_read_later

    readings = list(value.values()) if is_read_later(value) else []
    fitting = [one for one in readings if repr(one) in written]
    return max(fitting, key=lambda one: len(repr(one))) if fitting else as_value(value)


def _options(words: list[str]) -> dict[str, list[str]]:
    """The values of each option; ``--as-is`` may stand alone."""
    found: dict[str, list[str]] = {
        name: [] for name in ("--set", "--as-is", "--config", "--add", "--entrypoint")
    }
    rest = ["--config" if word == "-c" else word for word in words]
    while rest:
        word = rest.pop(0)
        if word not in found:
            found["--set"].append(word)
        elif word == "--as-is" and (not rest or rest[0] in found):
            found[word].append("")
        else:
            found[word].append(rest.pop(0))
    return found


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
