"""Two flows that resume the same runs at once share what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kohaku_ast.files import Claims
from kohaku_ast.store.record import Finished
from tests.cli.recorded import records, started
from tests.oracle import run_kogine
from tests.store.made_runs import make_run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")

SCRIPT = """\
import os, time
x = 1
open("ran", "a").write(f"{x}\\n")
time.sleep(0.05)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "s.py").write_text(SCRIPT)
    return tmp_path


def ran(folder: Path) -> list[str]:
    return (folder / "ran").read_text().split()


def both(folder: Path, *words: str) -> list[str]:
    """What two flows at once print on standard error; both end well."""
    flows = [started(folder, "run", "s.py", *words) for _ in range(2)]
    errors = [flow.communicate(timeout=300)[1] for flow in flows]
    assert [flow.returncode for flow in flows] == [0, 0], errors
    return errors


MODES = [
    pytest.param((), id="default"),
    pytest.param(("--mode", "inline"), id="inline"),
    pytest.param(("--mode", "spawn", "--workers", "2"), id="spawn, two workers"),
    pytest.param(("--mode", "warm"), id="warm"),
]


@pytest.mark.parametrize("mode", MODES)
def test_each_run_is_run_once(folder: Path, mode: tuple[str, ...]) -> None:
    run_kogine(folder, "run", "s.py", "--sweep", "x=range:0:4", *mode)
    errors = both(folder, "--sweep", "x=range:0:16", "--resume", *mode)
    assert sorted(map(int, ran(folder))) == list(range(16))
    assert len(records(folder)) == 16
    assert all("16 runs" in one for one in errors)


def test_both_take_a_part_and_one_says_so(folder: Path) -> None:
    errors = both(folder, "--sweep", "x=range:0:30", "--resume", "--mode", "inline")
    assert len(ran(folder)) == 30
    assert any("another flow resumes the same runs" in one for one in errors)
    counts = [len({one.facts["flow"]["pid"] for one in records(folder)})]
    assert counts == [2]


def test_equal_configs_are_shared_too(folder: Path) -> None:
    (folder / "c.py").write_text("_sweep = {'x': [7] * 12}\n")
    both(folder, "-c", "c.py", "--resume", "--mode", "inline")
    assert ran(folder) == ["7"] * 12


def test_the_first_of_equal_runs_takes_its_own_record(tmp_path: Path) -> None:
    """The other flow may have ended several before this one asks for its first."""
    finished = Finished(tmp_path)
    for number in range(2):
        make_run(tmp_path, number, identity="a" * 32, index=number)
    finished.add_new(())
    taken = [
        finished.take("a" * 32, "succeeded", index=0, is_exact=False),
        finished.take("a" * 32, "succeeded", index=1),
    ]
    assert [one and one.index for one in taken] == [0, 1]


def test_failures_are_tried_by_one_of_them(folder: Path) -> None:
    (folder / "s.py").write_text(
        "import os, time\nx = 1\nopen('ran', 'a').write(f'{x}\\n')\n"
        "while x == 1 and not os.path.exists('go'): time.sleep(0.02)\n"
        "if x % 2: raise ValueError(x)\n"
    )
    words = ("run", "s.py", "--sweep", "x=range:0:8", "--mode", "inline")
    (folder / "go").touch()
    run_kogine(folder, *words)
    (folder / "go").unlink()
    (folder / "ran").unlink()
    first = started(folder, *words, "--retry-failed")
    while not (folder / "ran").exists():
        time.sleep(0.02)
    second = started(folder, *words, "--retry-failed")
    while len(ran(folder)) < 4:
        time.sleep(0.02)
    (folder / "go").touch()
    for flow in (first, second):
        flow.communicate(timeout=300)
    assert [first.returncode, second.returncode] == [1, 1]
    assert sorted(ran(folder)) == ["1", "3", "5", "7"]


def test_what_a_killed_flow_had_claimed_is_run_by_the_other(folder: Path) -> None:
    (folder / "s.py").write_text(
        "import os, time\nx = 1\nopen('ran', 'a').write(f'{x}\\n')\n"
        "while x == 0 and not os.path.exists('go'): time.sleep(0.02)\n"
    )
    words = ("run", "s.py", "--sweep", "x=0,1,2", "--resume", "--mode", "inline")
    first = started(folder, *words)
    while not (folder / "ran").exists():
        time.sleep(0.02)
    second = started(folder, *words)
    while len(ran(folder)) < 3:
        time.sleep(0.02)
    assert second.poll() is None  # it waits for the run of the first one
    first.send_signal(signal.SIGKILL)
    first.communicate()
    (folder / "go").touch()
    second.communicate(timeout=600)
    assert second.returncode == 0
    assert sorted(ran(folder)) == ["0", "0", "1", "2"]


def test_the_next_script_waits_for_the_runs_of_the_other_flow(folder: Path) -> None:
    (folder / "t.py").write_text("y = 1\nprint(len(open('ran').read().split()))\n")
    (folder / "flow.py").write_text(
        "from kohaku_ast import Script, Sequential, Sweep\n"
        "a, b = Script('s.py', Sweep(x=range(6))), Script('t.py')\n"
        "Sequential([a, b], resume=True, mode='inline').run()\n"
    )
    from tests.oracle import on_path

    environment = {**os.environ, "PYTHONPATH": on_path()}
    flows = [
        subprocess.Popen([sys.executable, "flow.py"], cwd=folder, env=environment,
                         stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]  # fmt: skip
    printed = [flow.communicate(timeout=600)[0].split() for flow in flows]
    assert sorted(printed) == [[], ["6"]]
    assert sorted(ran(folder)) == list("012345")


def test_a_claim_is_for_one_process_and_ends_with_it(tmp_path: Path) -> None:
    from tests.oracle import on_path

    path = str(tmp_path / "claims")
    code = (
        "import sys\nfrom kohaku_ast.files import Claims\n"
        f"claims = Claims({path!r})\nprint(claims.take('a'), flush=True)\nsys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": on_path()},
    )  # fmt: skip
    assert other.stdout is not None
    assert other.stdout.readline() == "True\n"
    claims = Claims(path)
    assert not claims.take("a")
    assert claims.take("b")
    claims.give_back("b")
    other.kill()
    other.communicate()
    assert claims.take("a")
    claims.close()
    assert os.stat(path).st_mode & 0o077 == 0


def test_where_there_can_be_no_claims_everybody_gets_all(tmp_path: Path) -> None:
    claims = Claims(str(tmp_path / "gone" / "claims"))
    assert claims.take("a")
    claims.give_back("a")
    claims.close()
