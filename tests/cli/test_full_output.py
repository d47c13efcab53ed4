"""Standard output that takes nothing more: each command says so and fails."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from tests.cli.recorded import KOGINE
from tests.oracle import Finished, on_path, run

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")

FILES = {
    "p.py": "i = 0\nprint('hello', i)\n",
    "cfg.py": "i = 3\n",
    "nodes.py": "from kohaku_ast import Pipeline, node\n@node(output_name='y')\ndef double(x):\n"
    "    return 2 * x\npipeline = Pipeline([double])\n",
}
COMMANDS = [
    "help", "--version", "run --help", "run --inspect p.py", "run --inspect p.py --json",
    "run p.py --sweep i=1,2 --dry-run", "run p.py --sweep i=1,2 --json --no-record",
    "run p.py --record", "run p.py --sweep i=1,2 --record",
    "run p.py --sweep i=1,2 --workers 2 --no-record --mode spawn",
    "run p.py --sweep i=1,2 --workers 2 --no-record --mode warm",
    "workflow sequential p.py p.py --record", "config show cfg.py", "config check p.py --config cfg.py",
    "transform p.py i=2", "freeze p.py i=2", "completion bash", "pipeline run nodes.py x=2",
    "pipeline run nodes.py x=2 --json", "pipeline graph nodes.py",
]  # fmt: skip


def into(folder: Path, command: str, place: str) -> Finished:
    for name, text in FILES.items():
        (folder / name).write_text(text)
    line = f"{shlex.join(KOGINE)} {command} {place}"
    return run(["sh", "-c", line], folder, PYTHONPATH=on_path())


@pytest.mark.parametrize("command", COMMANDS)
def test_it_is_said_and_the_command_fails(tmp_path: Path, command: str) -> None:
    done = into(tmp_path, command, ">/dev/full")
    assert done.status == 1, done
    assert "kogine: error: cannot " in done.stderr
    assert done.stderr.count("No space left on device") == 1
    assert "Traceback" not in done.stderr
    assert into(tmp_path, command, ">out.txt").status == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_one_is_no_error_of_ours(tmp_path: Path, command: str) -> None:
    done = into(tmp_path, command, ">&-")
    assert "Traceback" not in done.stderr, done


def test_a_record_has_all_that_could_not_be_shown(tmp_path: Path) -> None:
    into(tmp_path, "run p.py i=7 --record", ">/dev/full")
    (folder,) = (tmp_path / ".kogine/runs").glob("2*")
    assert (folder / "log.txt").read_text() == "hello 7\n"
    assert json.loads((folder / "run.json").read_text())["status"] == "succeeded"
