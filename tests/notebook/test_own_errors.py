"""A mistake of the user in IPython: the message and his own lines, without a frame of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import on_path, run_python

pytest.importorskip("IPython")

CELLS = """\
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="nocolor")
shell.run_cell("from kohaku_ast import *")
for cell in {cells!r}:
    shell.run_cell(cell)
"""
MISTAKES = [
    "Script('t.py', lrr=0.1).run()",
    "Script('t.py').run(lrr=0.1)",
    "run('t.py', {'lrr': 0.1})",
    "Sequential(Script('t.py', Sweep(lrr=[1, 2]))).run()",
    "Parallel(Script('t.py', Config(lrr=1)), workers=1).run()",
]


@pytest.mark.parametrize("cell", MISTAKES)
def test_a_typo_shows_the_message_and_no_frame_of_ours(tmp_path: Path, cell: str) -> None:
    (tmp_path / "t.py").write_text("lr = 1\n")
    (tmp_path / "cells.py").write_text(CELLS.format(cells=[cell]))
    done = run_python(tmp_path, "cells.py", PYTHONPATH=on_path(), IPYTHONDIR=str(tmp_path))
    shown = done.stdout + done.stderr
    assert "UnknownTarget: t.py: no parameter 'lrr'" in shown
    assert "kohaku_ast/" not in shown
    assert cell in shown


def test_the_users_own_functions_are_shown(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("lr = 1\n")
    cells = ["def mine():\n    return Script('t.py').run(lrr=1)\n", "mine()"]
    (tmp_path / "cells.py").write_text(CELLS.format(cells=cells))
    done = run_python(tmp_path, "cells.py", PYTHONPATH=on_path(), IPYTHONDIR=str(tmp_path))
    shown = done.stdout + done.stderr
    assert "in mine" in shown
    assert "kohaku_ast/" not in shown
