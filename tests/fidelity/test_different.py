"""What is different by nature: each difference, why it is there, and exactly how far it goes.

Nothing else may differ. What depends on the version of Python is like Python where it can be.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fidelity.probes import (
    WAYS,
    Probe,
    Seen,
    run_kogine,
    run_plain,
)

# What warnings say when nothing is below the script: the lowest frame goes by these.
FILE, LINE = ("<sys>", 0) if sys.version_info >= (3, 13) else ("sys", 1)
AS_TEXT = f'  File "{FILE}", line {LINE}, in <module>\n'


@dataclass(frozen=True)
class Below:
    """A program that looks below its own module, and what it finds there."""

    name: str
    source: str
    #: The text that there is more of: without it the output is Python's.
    more: str
    count: int = 1
    stdin: str = ""

    def __str__(self) -> str:
        return self.name


BELOW = [
    Below("stack printed", "import traceback\ntraceback.print_stack()\ndef f():\n    traceback.print_stack()\nf()", AS_TEXT, 2),
    Below("stack of the module", "import inspect\nprint([(f.function, f.lineno) for f in inspect.stack()])", f", ('<module>', {LINE})"),
    Below("stack in a function", "import inspect\ndef f():\n    return [(f.function, f.filename == __file__) for f in inspect.stack()]\nprint(f())", ", ('<module>', False)"),
    Below("log with its stack", "import logging\nlogging.warning('x', stack_info=True)", AS_TEXT),
    Below("a log that fails", "import logging\nlogging.warning('%d', 'x')", AS_TEXT),
    Below("a hook and its stack", "import sys, traceback\nsys.excepthook = lambda *_: traceback.print_stack()\n1 / 0", AS_TEXT),
    Below("a hook that walks the frames", """
        import sys
        def hook(kind, value, trace):
            frame = trace.tb_frame
            while frame:
                print(frame.f_code.co_name, frame.f_code.co_filename == __file__)
                frame = frame.f_back
        sys.excepthook = hook
        def f():
            1 / 0
        f()
        """, "<module> False\n"),
    Below("frames behind a dead one", """
        import atexit, sys
        def show():
            frame = sys.last_traceback.tb_frame
            while frame:
                print(frame.f_code.co_filename[-3:])
                frame = frame.f_back
        atexit.register(show)
        def f():
            1 / 0
        f()
        """, f"{FILE[-3:]}\n".replace(".py", "")),
    Below("one frame too deep", "import sys\ntry:\n    print(sys._getframe(1).f_globals['__name__'] == 'sys')\nexcept ValueError:\n    pass", "True\n"),
]  # fmt: skip


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 shows what runs the script")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("below", BELOW, ids=str)
def test_one_frame_is_below(below: Below, way: str, tmp_path: Path) -> None:
    """The interpreter needs one that it can see: without it a tracer ends the script."""
    probe = Probe(below.name, below.source, stdin=below.stdin)
    assert_one_below(below, run_plain(probe, tmp_path), run_kogine(probe, tmp_path, way))


def assert_one_below(below: Below, expected: Seen, got: Seen) -> None:
    more = below.more.encode()
    out, err = got.stdout.replace(more, b""), got.stderr.replace(more, b"")
    assert (got.status, out, err) == (expected.status, expected.stdout, expected.stderr)
    assert (got.stdout + got.stderr).count(more) == below.count


@dataclass(frozen=True)
class Different:
    """A program, and what its output becomes so that it is Python's."""

    name: str
    reason: str
    source: str
    #: Python's output, kogine's output, the way -> whether they differ as they should.
    holds: Callable[[str, str, str], bool]


def _more(python: str, kogine: str, way: str, count: int = 1) -> bool:
    return int(kogine) - int(python) == (count if way == "overridden" else 0)


DIFFERENT = [
    Different(
        "modules in memory",
        "what runs the script is loaded beside it",
        "import sys\nprint(sorted(n for n in sys.modules if n.startswith(('kogine', 'kohaku_ast')))[:1])",
        lambda python, kogine, way: (python, kogine) == ("[]\n", "['kogine']\n"),
    ),
    Different(
        "command line of the process",
        "the process was started as kogine",
        "import sys\nprint(sys.orig_argv[1:])",
        lambda python, kogine, way: python == "['probe.py']\n" and "'run', 'probe.py'" in kogine,
    ),
    Different(
        "number of exit functions",
        "the last one warns of overrides that had no effect",
        "import atexit\nprint(atexit._ncallbacks())",
        _more,
    ),
    Different(
        "stack dumped by faulthandler",
        "it reads the interpreter's own memory, hidden frames too",
        "import faulthandler, sys\nfaulthandler.dump_traceback(sys.stdout, all_threads=False)",
        lambda python, kogine, way: kogine.startswith(python) and kogine.count("\n") <= 7,
    ),
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("different", DIFFERENT, ids=lambda one: one.name)
def test_differs_as_said(different: Different, way: str, tmp_path: Path) -> None:
    probe = Probe(different.name, different.source)
    expected, got = run_plain(probe, tmp_path), run_kogine(probe, tmp_path, way)
    assert (got.status, got.stderr) == (expected.status, expected.stderr)
    assert different.holds(expected.stdout.decode(), got.stdout.decode(), way), different.reason
