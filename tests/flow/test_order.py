"""Scripts of a Sequential flow wait for each other; only the runs of one Script overlap."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from kohaku_ast import Config, Outcome, Parallel, Script, Sequential, Sweep
from tests.oracle import run_kogine

TIMES = """\
import pathlib, time
n = 0
name = "x"
begun = time.monotonic()
time.sleep(0.3)
pathlib.Path(f"{pathlib.Path(__file__).stem}-{n}.times").write_text(f"{begun} {time.monotonic()}")
"""
FLOW = """\
from kohaku_ast import Script, Sequential, Sweep
flow = Sequential([Script("a.py", Sweep(n=[0, 1, 2])), Script("b.py", Sweep(n=[0, 1]))])
"""
COMMANDS = [
    pytest.param(
        ["workflow", "sequential", "a.py", "b.py", "--sweep", "n=0,1,2", "--workers", "3"],
        id="sequential",
    ),
    pytest.param(
        ["workflow", "sequential", "a.py", "b.py", "--sweep", "n=0,1", "--workers", "3",
         "--mode", "spawn"],
        id="spawned",
    ),
    pytest.param(["workflow", "run", "flow.py", "--workers", "3"], id="a file"),
]  # fmt: skip


def times(folder: Path, stem: str) -> list[tuple[float, float]]:
    texts = [one.read_text().split() for one in folder.glob(f"{stem}-*.times")]
    return [(float(begun), float(ended)) for begun, ended in texts]


@pytest.mark.parametrize("words", COMMANDS)
def test_no_script_starts_before_the_one_above_has_ended(tmp_path: Path, words: list[str]) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(TIMES)
    (tmp_path / "flow.py").write_text(FLOW)
    done = run_kogine(tmp_path, *words)
    assert done.status == 0, done.stderr
    first, second = times(tmp_path, "a"), times(tmp_path, "b")
    assert len(first) >= 2
    assert len(second) >= 2
    assert max(ended for _, ended in first) <= min(begun for begun, _ in second)
    # The runs of one script do overlap.
    assert max(begun for begun, _ in first) < min(ended for _, ended in first)


def test_a_retry_is_waited_for_as_well(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "import os, pathlib, sys\nn = 0\nmark = pathlib.Path(f'tried{n}')\n"
        "if not mark.exists():\n    mark.touch()\n    sys.exit(1)\npathlib.Path('made').touch()\n"
    )
    (tmp_path / "b.py").write_text("import pathlib\nprint(pathlib.Path('made').exists())\n")
    words = ["workflow", "sequential", "a.py", "b.py", "--workers", "2", "--retries", "1"]
    done = run_kogine(tmp_path, *words, "--backoff", "0.2", "--no-record")
    assert (done.stdout.splitlines()[-1:], done.status) == (["True"], 0), done.stderr


def test_the_next_script_gets_the_outcomes_of_all_runs_above(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(
        "from kohaku_ast import Config, Script, Sequential, Sweep\n"
        "def follow(previous):\n    return Config({'n': previous['a'].value})\n"
        "flow = Sequential([Script('a.py', Sweep(n=[3, 3, 3]), name='a'), "
        "Script('b.py', follow)])\n"
    )
    (tmp_path / "a.py").write_text(
        "n = 0\ndef main():\n    return n\nif __name__ == '__main__':\n    main()\n"
    )
    (tmp_path / "b.py").write_text("n = 0\nprint('n is', n)\n")
    done = run_kogine(tmp_path, "workflow", "run", "flow.py", "--workers", "3", "--no-record")
    assert (done.stdout, done.status) == ("n is 3\n", 0), done.stderr


OWN = "import os\nn = 0\ndef main():\n    return os.getpid()\nif __name__ == '__main__':\n    main()\n"


@pytest.mark.parametrize("kind", [Sequential, Parallel])
def test_each_run_has_a_process_of_its_own(
    tmp_path: Path, kind: type[Sequential] | type[Parallel]
) -> None:
    (tmp_path / "s.py").write_text(OWN)
    flow = kind([Script(str(tmp_path / "s.py"), Sweep(n=[1, 2, 3]))], record=False)
    found = [one.value for one in flow.run()]
    assert len({*found, os.getpid()}) == 4


def test_inline_is_for_those_who_ask_for_it(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(OWN)
    script = Script(str(tmp_path / "s.py"), [Config({"n": 1}), Config({"n": 2})])
    found = Sequential([script], record=False, mode="inline").run()
    assert {one.value for one in found} == {os.getpid()}


def test_state_goes_through_outcomes(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("n = 1\nn += 1\n")

    def after(previous: Mapping[str, Outcome]) -> Config:
        return Config({"n": previous["first"].outputs["n"]}, outputs=("n",))

    path = str(tmp_path / "s.py")
    first = Script(path, Config({"n": 5}, outputs=("n",)), name="first")
    found = Sequential([first, Script(path, after)], record=False).run()
    assert [one.outputs["n"] for one in found] == [6, 7]
