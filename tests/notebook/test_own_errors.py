"""Errors in IPython, a mistake in a call of ours or the script's own: the user's lines, without a
frame of ours.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.oracle import on_path, run_python

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


# --- every call of the Python API, in a notebook and in a program ----------------------------------

FILES = {
    "t.py": FAILING,
    "syn.py": "x = (\n",
    "m.py": "import badmod\nprint(badmod.y)\n",
    "badmod.py": "y = 1\nz = (\n",
    "cfg.py": "lr = 1\nx = 1 / 0\n",
    "late.py": "from kohaku_ast import Sweep\ndef config_gen():\n    return Sweep(lr=5)\n",
}
OPEN = "SyntaxError: '(' was never closed"
CALLS = {
    # a script that is no Python
    "run('syn.py')": ("syn.py", OPEN),
    "run('syn.py', {'x': 1})": ("syn.py", OPEN),
    "Script('syn.py').run()": ("syn.py", OPEN),
    "Script('syn.py').load()": ("syn.py", OPEN),
    "Script('syn.py').load()()": ("syn.py", OPEN),
    "Script('syn.py').parameters": ("syn.py", OPEN),
    "Sequential('syn.py').run()": ("syn.py", OPEN),
    "Sequential('syn.py', mode='inline').run()": ("syn.py", OPEN),
    "Parallel('syn.py').run()": ("syn.py", OPEN),
    "list(Parallel('syn.py').as_completed())": ("syn.py", OPEN),
    "script('syn.py')": ("syn.py", OPEN),
    "run('m.py', {'badmod.y': 3})": ("badmod.py", OPEN),
    "run('m.py')": ("badmod.py", OPEN),
    # options that are mistyped
    "Parallel('t.py', worker=2)": ("Parallel has no option 'worker'. Did you mean 'workers'?",),
    "Sequential('t.py', recrd=False)": (
        "Sequential has no option 'recrd'. Did you mean 'record'?",
    ),
    "Sequential('t.py', workers=2)": ("Sequential has no option 'workers'", "Parallel has workers"),
    "Parallel('t.py', listens=True)": ("Parallel has no option 'listens'",),
    "Parallel('t.py', nothing=1)": ("Parallel has no option 'nothing'. It has: scripts,",),
    "search(Sweep(lr=[1]), n=1, minimise='x')": ("search() got an unexpected keyword",),
    "HyperNodesEngine(max_worker=1)": ("NativeEngine.__init__() got an unexpected keyword",),
    # runs that failed
    "Sequential(Script('t.py', lr=0)).run()": ("FlowError: 1 of 1 runs failed",),
    "Parallel(Script('t.py', lr=0)).run().raise_if_failed()": ("FlowError: 1 of 1 runs failed",),
    "Outcome('failed').raise_if_failed()": ("FlowError: the run: failed",),
    # mistakes
    "Script('tt.py')": ("MissingScript: can't open file 'tt.py'",),
    "Script('t.py', 5)": ("UsageTypeError: config is a Config",),
    "Script('t.py', Sweep(lr=[1])).run()": ("UsageError: Script('t.py') has many Configs",),
    "Sequential(Script('t.py', lrr=1)).run()": ("UnknownTarget: t.py: no parameter 'lrr'",),
    "list(Sequential(Script('t.py', lrr=1)).as_completed())": ("UnknownTarget",),
    "Sequential('t.py', retries='a')": ("UsageTypeError: retries is a whole number, got 'a'",),
    "Config(args=3)": ("ConfigTypeError: Config: args",),
    "Config.from_dict({'argz': 3})": ("ConfigError: Config: unknown field 'argz'",),
    "Config.from_file('no.py')": ("MissingConfig: can't open config 'no.py'",),
    "Config.from_file('syn.py')": ("ConfigError: config 'syn.py' is not Python", OPEN),
    "Config.from_file('cfg.py')": ("ConfigError", "cfg.py", "division by zero"),
    "Sweep.from_file('late.py')": ("late.py", "Sweep: the axis 'lr'"),
    "Sweep.from_table('no.csv')": ("no.csv",),
    "Sweep(lr=5)": ("Sweep: the axis 'lr' is not a list",),
    "Sweep({'lr': [1]}, lr=[2])": ("ConfigError",),
    "Sweep.zip(a=[1], b=[1, 2])": ("ConfigError",),
    "Sweep.of(5)": ("Sweep: neither Configs, nor a function",),
    "Sweep(lr=[1]).first(0)": ("ConfigError",),
    "Sweep(lr=[1]).draw(1, 1)": ("has no random axis",),
    "Sweep(lr=[1]) * Sweep(lr=[2])": ("ConfigError",),
    "list(Sweep(lr='uniform:0:1'))": ("ConfigError",),
    "len(Sweep.of(iter([])))": ("LengthError",),
    "search(5, n=3)": ("a search chooses from a Sweep, got 5",),
    "use_config('t.py')": ("use_config() is for config files",),
    "Pipeline(5)": ("PipelineTypeError",),
    "Pipeline([script('t.py')]).run(q=1)": ("PipelineError",),
    "Pipeline([script('t.py')]).map({'q': [1]}, 'q')": ("PipelineError",),
    "Pipeline([script('t.py')]).as_node({'a': 'b'})": ("PipelineError",),
    "Pipeline([script('t.py')]).bind(q=1)": ("PipelineError",),
    "Pipeline([script('t.py')]).unbind('q')": ("PipelineError",),
    "Pipeline([script('t.py')]).explain('q')": ("PipelineError",),
    "Pipeline([script('t.py')]).explain_cache(q=1)": ("PipelineError",),
    "Pipeline([script('t.py')]).visualize(orient='q')": ("UsageError",),
    "script('t.py', 'q')": ("PipelineError",),
    "script('t.py', inputs={'q': 'x'})": ("UnknownTarget",),
    "Node(3)": ("PipelineTypeError",),
    "node('a b c')(3)": ("PipelineTypeError",),
    "Node(abs, 'y').bind(q=1)": ("PipelineError",),
    "Node(abs, 'y').with_names(q='x')": ("PipelineError",),
    "MemoryCache(-1)": ("PipelineError",),
    "DiskCache('c', -1)": ("PipelineError",),
    "HyperNodesEngine(max_workers=0)": ("UsageError",),
    "AsyncExecutor(0)": ("UsageError",),
}


def shown_by(folder: Path, cells: list[str], shell: str) -> str:
    """What *cells*, run in a *shell*, print: "notebook" or "program"."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    lines = CELLS.format(cells=cells)
    if shell == "program":
        body = "".join(f"    {line}\n" for cell in cells for line in cell.splitlines())
        lines = f"from kohaku_ast import *\nif __name__ == '__main__':\n{body}"
    (folder / "program.py").write_text(lines)
    done = run_python(folder, "program.py", PYTHONPATH=on_path(), IPYTHONDIR=str(folder))
    return done.stdout + done.stderr


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 shows one frame of ours")
@pytest.mark.parametrize("shell", ["notebook", "program"])
@pytest.mark.parametrize(("cell", "words"), CALLS.items(), ids=CALLS.keys())
def test_no_call_shows_a_frame_of_ours(
    tmp_path: Path, cell: str, words: tuple[str, ...], shell: str
) -> None:
    shown = shown_by(tmp_path, [cell], shell)
    for one in words:
        assert one in shown
    assert cell in shown, "the line of the user"
    assert "kohaku_ast/" not in shown
    assert "functools.py" not in shown


GENERATORS = {
    "a generator": "def mine():\n    yield Config(lr=1)\n    yield 1 / 0\n"
    "Sequential(Script('t.py', mine()), mode='inline').run()",
    "a mistake in a generator": "def mine():\n    yield Config(lr=1)\n    yield Config(args=3)\n"
    "Sequential(Script('t.py', mine()), mode='inline').run()",
    "a function": "def mine(previous):\n    return 1 / 0\n"
    "list(Sequential(Script('t.py', mine), mode='inline').as_completed())",
    "a function of a sweep": "def mine():\n    return 1 / 0\nlist(Sweep.of(mine))",
    "a node": "@node('y')\ndef mine(x):\n    return Sweep(lr=x)\nPipeline([mine]).run(x=1)",
}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 shows one frame of ours")
@pytest.mark.parametrize("shell", ["notebook", "program"])
@pytest.mark.parametrize("cell", GENERATORS.values(), ids=GENERATORS.keys())
def test_functions_that_we_call_are_shown(tmp_path: Path, cell: str, shell: str) -> None:
    shown = shown_by(tmp_path, [cell], shell)
    assert "in mine" in shown
    assert "Error: " in shown
    assert "kohaku_ast/" not in shown


def test_what_is_no_mistake_of_the_user_keeps_our_frames() -> None:
    """A report of a bug of ours needs them."""
    from kohaku_ast import user_code, users_traceback

    with pytest.raises(AttributeError) as caught:
        users_traceback.public(user_code.is_stdlib)(3)  # type: ignore[arg-type]
    assert [Path(one.path).name for one in caught.traceback][-1] == "user_code.py"
