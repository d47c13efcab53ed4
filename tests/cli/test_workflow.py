"""``kogine workflow``: flows of several scripts, and flows that a file defines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import run_kogine

ONE = "lr = 0.1\nprint('one', lr)\n"
TWO = "depth = 1\ndef main():\n    print('two', depth)\n    return depth * 2\nif __name__ == '__main__':\n    main()\n"  # fmt: skip
FLOW = """\
import sys
from kohaku_ast import Script, Sequential
lr = 0.7
def configs():
    from beside import depths  # only when the generator is used
    for depth in depths:
        outcome = yield {"depth": depth}
        print(outcome.status, outcome.value, sys.argv[1:])
flow = Sequential([Script("one.py", [{"lr": lr}]), Script("two.py", configs())])
if __name__ == "__main__":
    print("guard")
    flow.run()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "one.py").write_text(ONE)
    (tmp_path / "two.py").write_text(TWO)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "flow.py").write_text(FLOW)
    (tmp_path / "flows" / "beside.py").write_text("depths = [3, 4]\n")
    return tmp_path


# --- a flow that a file defines -------------------------------------------------------------------


@pytest.mark.parametrize("mode", [(), ("--mode", "spawn"), ("--mode", "warm")], ids=str)
def test_the_process_is_the_files_as_under_python_but_for_its_guard(
    folder: Path, mode: tuple[str, ...]
) -> None:
    done = run_kogine(folder, "workflow", "run", "flows/flow.py", "lr=9", *mode, "--", "x")
    lines = ["one 9.0", "two 3", "succeeded 6 ['x']", "two 4", "succeeded 8 ['x']"]
    assert (done.status, done.stdout.splitlines()) == (0, lines), done.stderr


def test_an_override_that_had_no_effect_is_named(folder: Path) -> None:
    (folder / "flow.py").write_text(
        "from kohaku_ast import Script, Sequential\nif 0:\n    y = 1\nflow = Sequential('one.py')\n"
    )
    done = run_kogine(folder, "workflow", "run", "flow.py", "y=2")
    assert "override 'y' was not used: line 3 of flow.py did not run" in done.stderr


def test_what_the_file_is_given_stays_out_of_its_scripts(folder: Path) -> None:
    (folder / "hparams.py").write_text("size = 1\n")
    (folder / "pools.py").write_text(
        "import hparams, multiprocessing\ndef f(x):\n    return x + hparams.size\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(hparams.size, pool.map(f, [1]))\n"
    )
    (folder / "flow.py").write_text(
        "import hparams\nfrom kohaku_ast import Sequential\nx = 1\nprint(hparams.size, x)\n"
        "flow = Sequential('pools.py')\n"
    )
    done = run_kogine(folder, "workflow", "run", "flow.py", "hparams.size=7", "x=8")
    assert (done.status, done.stdout) == (0, "7 8\n1 [2]\n"), done.stderr


MADE = "from kohaku_ast import Parallel, Script, Sequential\n"


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        pytest.param("x = 1\n", [], "flow.py: no flow: write flow = Sequential(", id="no flow"),
        pytest.param(MADE + "a = Sequential('one.py')\nb = Parallel('two.py')\n", [], "flow.py: several flows (a, b)", id="several"),
        pytest.param(MADE + "flow = Sequential(\n    Script('none.py'))\n", [], "flow.py:3: can't open file 'none.py'", id="script that is not there"),
        pytest.param(MADE + "flow = Sequential(\n    'one.py', on_error='x')\n", [], "flow.py:2: on_error is one of", id="flow that cannot be"),
        pytest.param(FLOW, ["nope=1"], "flow.py: no parameter 'nope'", id="override of nothing"),
        pytest.param(FLOW, ["--config", "none.py"], "can't open config 'none.py'", id="config that is not there"),
        pytest.param("def f(:\n", ["x=1"], "SyntaxError", id="syntax"),
        pytest.param(FLOW, ["--dry-run"], "--dry-run: what runs there are is written in FLOW.py", id="dry run"),
        pytest.param(FLOW, ["--sweep", "lr=1,2"], "--sweep: what runs", id="sweep"),
        pytest.param(FLOW, ["--search", "optuna"], "--search: what runs", id="search"),
        pytest.param(FLOW, ["--entrypoint", "f"], "--entrypoint: what runs", id="entrypoint"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_message_and_nothing_runs(
    folder: Path, text: str, words: list[str], told: str
) -> None:
    (folder / "flow.py").write_text(text)
    done = run_kogine(folder, "workflow", "run", "flow.py", *words)
    assert (done.status, done.stdout) == (2, "")
    assert told in done.stderr
    assert "kohaku_ast" not in done.stderr


def test_an_exception_of_the_file_is_as_under_python(folder: Path) -> None:
    (folder / "flow.py").write_text("import sys\nsys.exit('no data')\n")
    done = run_kogine(folder, "workflow", "run", "flow.py")
    assert (done.status, done.stderr) == (1, "no data\n")
    (folder / "flow.py").write_text("def f():\n    1 / 0\nf()\n")
    done = run_kogine(folder, "workflow", "run", "flow.py")
    assert done.status == 1
    assert [line.split(",")[0] for line in done.stderr.splitlines() if "File" in line] == [
        f'  File "{folder}/flow.py"'
    ] * 2


# --- several scripts ------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["sequential", "parallel"])
@pytest.mark.parametrize("option", ["--search", "--minimize", "--maximize", "--study"])
def test_a_search_of_several_scripts_is_refused(folder: Path, command: str, option: str) -> None:
    done = run_kogine(folder, "workflow", command, "one.py", "two.py", option, "x")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr == (
        f"kogine: error: {option}: a search is for one script: kogine run SCRIPT --search optuna\n"
    )


PREVIOUS = """\
def config_gen(previous):
    if "two.py" in previous:
        yield {"lr": previous["two.py"].value + 40}
    else:
        yield {"depth": 5}
"""


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_a_config_sees_the_outcomes_of_the_scripts_before(folder: Path, mode: str) -> None:
    (folder / "cfg.py").write_text(PREVIOUS)
    words = ("sequential", "two.py", "one.py", "--config", "cfg.py", "--mode", mode)
    done = run_kogine(folder, "workflow", *words)
    assert (done.status, done.stdout) == (0, "two 5\none 50\n"), done.stderr


def test_a_config_that_fails_on_the_outcomes_breaks_the_flow(folder: Path) -> None:
    (folder / "cfg.py").write_text(
        "def config_gen(previous):\n    return [{'depth': 1}] if not previous else previous['none']\n"
    )
    done = run_kogine(folder, "workflow", "sequential", "two.py", "one.py", "--config", "cfg.py")
    assert (done.status, done.stdout) == (2, "two 1\n")
    assert "config 'cfg.py' raised an exception:" in done.stderr
    assert "KeyError: 'none'" in done.stderr


def test_a_dry_run_says_what_it_cannot_know(folder: Path) -> None:
    (folder / "cfg.py").write_text(PREVIOUS)
    done = run_kogine(
        folder, "workflow", "sequential", "two.py", "one.py", "--config", "cfg.py", "--dry-run"
    )
    assert done.status == 0
    assert done.stdout.count("its runs depend on the Outcomes of the scripts before it") == 2


# --- what is seen of it ---------------------------------------------------------------------------


def test_runs_of_several_scripts_say_of_which(folder: Path) -> None:
    done = run_kogine(folder, "workflow", "sequential", "one.py", "two.py", "--sweep", "lr=1,2")
    heads = [line for line in done.stderr.splitlines() if line.startswith("[")]
    assert heads == ["[1/3] one.py lr=1", "[2/3] one.py lr=2", "[3/3] two.py"]
