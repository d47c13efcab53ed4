"""Errors in IPython, a mistake in a call of ours or the script's own: the user's lines, without a
frame of ours.
"""

from __future__ import annotations

import sys
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


FAILING = "lr = 1\ndef main():\n    return 1 / lr\nif __name__ == '__main__':\n    main()\n"
RUNS = {
    "run('t.py', lr=0)": "t.py:5",
    "Script('t.py', lr=0).run()": "t.py:5",
    "Script('t.py').load(lr=0)()": "t.py:5",
    "Script('t.py:main', lr=0).run()": "t.py:3, in main()",
    "Script('t.py').load(Config({'main(n)': 1}))": "UnknownTarget",
    "Script('body.py', lr=0).load()": "body.py:2",
}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 shows what runs the script")
@pytest.mark.parametrize(("cell", "words"), RUNS.items(), ids=RUNS.keys())
def test_an_exception_of_the_script_is_its_own(tmp_path: Path, cell: str, words: str) -> None:
    (tmp_path / "t.py").write_text(FAILING)
    (tmp_path / "body.py").write_text("lr = 1\nx = 1 / lr\n")
    (tmp_path / "cells.py").write_text(CELLS.format(cells=[cell]))
    done = run_python(tmp_path, "cells.py", PYTHONPATH=on_path(), IPYTHONDIR=str(tmp_path))
    shown = done.stdout + done.stderr
    assert words in shown
    assert "UnknownTarget" in words or "ZeroDivisionError: division by zero" in shown
    assert "kohaku_ast/" not in shown
    assert cell in shown
