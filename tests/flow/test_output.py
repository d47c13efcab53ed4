"""What runs print is shown and kept, whoever copies it."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from textwrap import indent

import pytest

from tests.cli.recorded import KOGINE, log_of, records
from tests.oracle import on_path, run, run_kogine, run_python
from tests.store.tmpfs import small_disk

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it copies in threads")

MODES = pytest.mark.parametrize(
    "mode", [(), ("--mode", "inline"), ("--isolate",)], ids=["auto", "inline", "isolated"]
)
SWEEP = ("--sweep", "n=1,2,3")
# The second number is longer than the copying process takes to look, and more than a pipe holds.
PRINTING = {
    "nothing": "n = 0\n",
    "little": "import sys\nn = 0\nprint('a')\nprint('b', file=sys.stderr)\nprint('c')\n",
    "little for long": "import time\nn = 0\nfor i in range(5):\n    print(i, flush=True)\n    time.sleep(0.03)\n",
    "much at once": "n = 0\nprint('x' * 3_000_000)\nprint('end')\n",
    "much in lines": "n = 0\nfor i in range(100_000):\n    print(i, 'of many lines')\n",
    "from C": "import os\nn = 0\nos.system('seq 100000')\nprint('end', flush=True)\n",
}


@MODES
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in PRINTING.items()])
def test_all_of_it_in_order(tmp_path: Path, text: str, mode: tuple[str, ...]) -> None:
    (tmp_path / "s.py").write_text(text)
    plain = run_python(tmp_path, "s.py")
    done = run_kogine(tmp_path, "run", "s.py", *SWEEP, *mode)
    assert done.status == 0
    assert done.stdout == 3 * plain.stdout
    assert [sorted(log_of(one)) for one in records(tmp_path)] == 3 * [
        sorted(plain.stdout + plain.stderr)
    ]


@MODES
def test_what_goes_to_one_place_stays_in_one_order(tmp_path: Path, mode: tuple[str, ...]) -> None:
    (tmp_path / "s.py").write_text(
        "import sys\nn = 0\nfor i in range(2):\n"
        "    print(i, flush=True)\n    print('e', i, file=sys.stderr, flush=True)\n"
    )
    command = shlex.join([*KOGINE, "run", "s.py", *SWEEP, *mode])
    done = run(["sh", "-c", f"exec {command} 2>&1"], tmp_path, PYTHONPATH=on_path())
    printed = "0\ne 0\n1\ne 1\n"
    wanted = "".join(f"[{n}/3] n={n}\n{printed}" for n in (1, 2, 3))
    assert (done.status, done.stdout[: len(wanted)]) == (0, wanted)
    assert {log_of(one) for one in records(tmp_path)} == {printed}


KILLING = """\
import os
def is_dead(one):
    try:
        return ") Z" in open(f"/proc/{one}/stat").read()
    except OSError:
        return True
print("before", flush=True)
for one in open(f"/proc/{KOGINE}/task/{KOGINE}/children").read().split():
    line = ""
    while not line and not is_dead(one):  # its exec is under way
        try:
            line = open(f"/proc/{one}/cmdline").read()
        except OSError:
            pass  # another process of kogine, which has ended or just ends
    if "output_process.py" in line and not is_dead(one):
        try:
            os.kill(int(one), 9)
        except ProcessLookupError:
            continue  # that of the run before, which another process was just waiting for
        while not is_dead(one):
            pass
        print("killed", flush=True)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="no /proc that lists children")
@MODES
def test_the_copying_process_is_killed(tmp_path: Path, mode: tuple[str, ...]) -> None:
    killing = KILLING.replace("KOGINE", "int(os.environ['FLOW'])")
    (tmp_path / "s.py").write_text("n = 0\n" + killing)
    words = [*KOGINE, "run", "s.py", *SWEEP, *mode]
    done = run(["sh", "-c", f"FLOW=$$ exec {shlex.join(words)}"], tmp_path, PYTHONPATH=on_path())
    assert (done.status, done.stdout) == (0, 3 * "before\nkilled\n"), done.stderr
    assert [log_of(one) for one in records(tmp_path)] == 3 * ["before\nkilled\n"]


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="no /proc that lists children")
@pytest.mark.parametrize(
    "mode", [("--isolate",), ("--workers", "2"), ("--mode", "warm")], ids=" ".join
)
def test_a_run_prints_on_after_the_copying_process_was_killed(
    tmp_path: Path, mode: tuple[str, ...]
) -> None:
    killing = indent(KILLING.replace("KOGINE", "int(os.environ['FLOW'])"), "    ")
    text = f"n = 0\nif n == 1:\n{killing}print('y' * 3_000_000)\n"
    (tmp_path / "s.py").write_text(text)
    words = [*KOGINE, "run", "s.py", "--sweep", "n=1,2", *mode]
    done = run(["sh", "-c", f"FLOW=$$ exec {shlex.join(words)}"], tmp_path, PYTHONPATH=on_path())
    assert done.status == 0, done.stderr
    assert [len(log_of(one)) > 3_000_000 for one in records(tmp_path)] == [True, True]


FULL = pytest.mark.parametrize(
    "mode",
    [(), ("--json",), ("--isolate",), ("--workers", "2"), ("--mode", "warm"), ("--record",)],
    ids=lambda mode: " ".join(mode) or "inline",
)


@FULL
def test_a_disk_that_is_full_of_what_runs_print(tmp_path: Path, mode: tuple[str, ...]) -> None:
    with small_disk(tmp_path) as disk:
        (disk / "s.py").write_text("n = 0\nfor i in range(30):\n    print('x' * 100_000)\n")
        sweep = () if mode == ("--record",) else SWEEP
        done = run_kogine(disk, "run", "s.py", *sweep, *mode)
        assert done.status == 0, done.stderr
        assert done.stderr.count("kogine: warning: cannot keep ") == 1
        assert "No space left on device" in done.stderr


@MODES
def test_what_outlives_a_run_goes_into_its_log(tmp_path: Path, mode: tuple[str, ...]) -> None:
    (tmp_path / "s.py").write_text(
        "import os, subprocess\nn = 0\nos.mkfifo(f'go{n}')\n"
        "subprocess.Popen(f'cat go{n}', shell=True, start_new_session=True)\n"
        "print('run', n, flush=True)\n"
        "if n == 2:\n"
        "    for one in (1, 2):\n"
        "        print('from', one, file=open(f'go{one}', 'w'), flush=True)\n"
    )
    done = run_kogine(tmp_path, "run", "s.py", "--sweep", "n=1,2", *mode)
    assert (done.status, sorted(done.stdout.splitlines())) == (
        0, ["from 1", "from 2", "run 1", "run 2"],
    )  # fmt: skip
    assert [sorted(log_of(one).splitlines()) for one in records(tmp_path)] == [
        ["from 1", "run 1"], ["from 2", "run 2"],
    ]  # fmt: skip
