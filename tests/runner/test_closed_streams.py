"""Scripts that close, replace or take apart the standard streams: the next run has its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracle import on_path, run_kogine, run_python

SCRIPT = "import codecs, io, os, sys\nn = 1\nprint('before', n, flush=True)\nif n != 1:\n    {}\n"
ENDS = {
    "closes stdout": "sys.stdout.close()",
    "closes stderr": "sys.stderr.close()",
    "closes both": "sys.stdout.close(); sys.stderr.close()",
    "closes stdout and exits": "sys.stdout.close(); sys.exit(3)",
    "closes stderr and exits with a text": "sys.stderr.close(); sys.exit('why')",
    "closes stdout and raises": "sys.stdout.close(); 1 / 0",
    "closes the original": "sys.__stdout__.close()",
    "closes the descriptors": "os.close(1); os.close(2)",
    "closes stream and descriptor": "sys.stdout.close(); os.close(1)",
    "closes the descriptor of stdin": "os.close(0)",
    "closes all descriptors": "os.close(0); os.close(1); os.close(2)",
    "moves the descriptor": "os.dup2(os.open(os.devnull, os.O_WRONLY), 1); print('nowhere')",
    "deletes stdout": "del sys.stdout",
    "has no stderr": "sys.stderr = None",
    "wraps the buffer": (
        "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8'); print('wrapped \\u00e9')"
    ),
    "detaches the buffer": (
        "sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding='utf-8'); print('own \\u00e9')"
    ),
    "writes through codecs": (
        "sys.stdout = codecs.getwriter('utf-8')(sys.stdout.detach()); print('codecs')"
    ),
    "opens the descriptor again": (
        "sys.stdout = os.fdopen(sys.stdout.fileno(), 'w'); print('again', n)"
    ),
    "prints into a file": "sys.stdout = open(os.devnull, 'w'); print('nowhere')",
    "prints onto a full disk": "sys.stdout = open('/dev/full', 'w'); print('lost')",
    "detaches stdout": "sys.stdout.detach()",
    "detaches stderr": "sys.stderr.detach()",
    "leaves what cannot be flushed": "sys.stdout = type('Own', (), {'write': print})()",
    "leaves what raises when flushed": (
        "sys.stderr = type('Own', (), {'write': print, 'flush': lambda self: 1 / 0})()"
    ),
    "another encoding": "sys.stdout.reconfigure(encoding='latin-1'); print('\\u00e9')",
}
IN_PROCESSES = (
    "closes the descriptor of stdin",
    "detaches stdout",
    "closes both",
    "detaches the buffer",
    "closes stream and descriptor",
)
CASES = [
    *((name, ("--mode", "inline")) for name in ENDS),
    *((name, ("--mode", "inline", "--no-record")) for name in ENDS),
    *((name, ()) for name in IN_PROCESSES),
    *((name, ("--mode", "spawn", "--workers", "1")) for name in IN_PROCESSES),
]


def ignored_of(errors: str) -> list[str]:
    """What Python says at its end of streams that cannot be flushed."""
    lines = re.sub(r" at 0x\w+", "", errors).splitlines()
    return [line for line in lines if line.startswith("Exception ignored")]


@pytest.mark.parametrize(("name", "words"), CASES)
def test_each_run_prints_what_an_edited_copy_prints(
    tmp_path: Path, name: str, words: tuple[str, ...]
) -> None:
    script = SCRIPT.format(ENDS[name])
    expected, failed, ignored = "", 0, []
    for n in (1, 2, 3):
        (tmp_path / "s.py").write_text(script.replace("n = 1", f"n = {n}", 1))
        one = run_python(tmp_path, "s.py")
        expected, failed = expected + one.stdout, failed + (one.status != 0)
        ignored += ignored_of(one.stderr)
    (tmp_path / "s.py").write_text(script)
    done = run_kogine(tmp_path, "run", "s.py", "--sweep", "n=1,2,3", *words)
    assert done.stdout == expected
    assert ignored_of(done.stderr) == ignored
    assert [line for line in done.stderr.splitlines() if line.startswith("[")] == [
        f"[{n}/3] n={n}" for n in (1, 2, 3)
    ]
    succeeded = f"{3 - failed} succeeded"
    counts = f"{succeeded}, {failed} failed" if failed else succeeded
    assert f"3 runs: {counts} in" in done.stderr
    assert "kohaku_ast" not in done.stderr
    assert done.status == (1 if failed else 0)


CALLER = """\
import sys
import kohaku_ast
streams = sys.stdout, sys.stderr
for n in (1, 2, 3):
    try:
        kohaku_ast.run("s.py", n=n)
    except (SystemExit, ZeroDivisionError):
        pass
    assert (sys.stdout, sys.stderr) == streams
    print("caller", n)
    print("caller", n, file=sys.stderr)
"""


@pytest.mark.parametrize("name", ENDS)
def test_the_caller_in_the_same_process_goes_on_printing(tmp_path: Path, name: str) -> None:
    (tmp_path / "s.py").write_text(SCRIPT.format(ENDS[name]))
    (tmp_path / "caller.py").write_text(CALLER)
    done = run_python(tmp_path, "caller.py", PYTHONPATH=on_path())
    lines = [line for line in done.stdout.splitlines() if line.startswith("caller")]
    assert lines == ["caller 1", "caller 2", "caller 3"]
    assert "caller 3" in done.stderr
    assert done.status == 0


def test_each_run_reads_standard_input_of_its_own(tmp_path: Path) -> None:
    """What the one before has closed is open again."""
    (tmp_path / "s.py").write_text(
        "import sys\nn = 1\nprint(n, sys.stdin.readable(), sys.stdin.fileno(), flush=True)\n"
        "sys.stdin.close() if n % 2 else sys.stdin.detach()\n"
    )
    words = ("--sweep", "n=1,2,3,4", "--mode", "inline")
    done = run_kogine(tmp_path, "run", "s.py", *words)
    assert done.stdout == "".join(f"{n} True 0\n" for n in (1, 2, 3, 4)), done.stderr
    assert done.status == 0


LOUD = "n = 1\nfor i in range(300):\n    print('line', n, i)\n"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["run", "s.py", "--sweep", "n=range:0:2000", "--dry-run"], id="dry run"),
        pytest.param(["run", "--inspect", "many.py"], id="inspect"),
        pytest.param(["config", "show", "many.py"], id="config show"),
        pytest.param(["run", "s.py", "--sweep", "n=range:0:40", "--mode", "inline"], id="inline"),
        pytest.param(["run", "s.py", "--sweep", "n=range:0:40"], id="auto"),
        pytest.param(["run", "s.py", "--sweep", "n=range:0:40", "--json"], id="json"),
    ],
)
def test_a_reader_that_has_ended_ends_in_no_error_of_ours(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "s.py").write_text(LOUD)
    (tmp_path / "many.py").write_text("".join(f"name_{n} = {n}\n" for n in range(4000)))
    launcher = Path(__file__).parents[1] / "kogine_command.py"
    reader, writer = os.pipe()
    with subprocess.Popen(
        [sys.executable, str(launcher), *words], cwd=tmp_path, stdout=writer,
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": on_path()},
    ) as process:  # fmt: skip
        os.close(writer)
        assert os.read(reader, 10)
        os.close(reader)
        assert process.stderr is not None
        errors = process.stderr.read()
    assert "BrokenPipeError" not in errors
    assert "Traceback" not in errors
    assert process.returncode in (0, 1)
    if "--dry-run" not in words and words[0] == "run" and "--inspect" not in words:
        assert process.returncode == 0
