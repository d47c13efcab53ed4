"""A script cannot tell whether it is run for the first time: its Program is built elsewhere."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import on_path, run_kogine, run_python

pytestmark = pytest.mark.usefixtures("own_builders")

LOOK = """
x = 3
import sys
names = sorted(sys.modules)
import builtins, gc, json, os, random, resource, signal, time
def mask():
    before = os.umask(0o77)
    os.umask(before)
    return before
fds = sorted(os.listdir("/proc/self/fd"))
print(json.dumps({
    "x": x,
    "modules": names,
    "threads": len(os.listdir("/proc/self/task")),
    "descriptors": [(n, os.path.basename(os.readlink(f"/proc/self/fd/{n}")).split(":")[0]) for n in fds if os.path.exists(f"/proc/self/fd/{n}")],
    "environment": {name: value for name, value in os.environ.items() if name != "KOGINE_RUN_DIR"},
    "handlers": [repr(signal.getsignal(n)).split(" at 0x")[0] for n in sorted(signal.valid_signals())],
    "blocked": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
    "pending": sorted(map(int, signal.sigpending())),
    "wakeup": signal.set_wakeup_fd(-1),
    "timers": [signal.getitimer(n) for n in range(3)],
    "umask": mask(),
    "folder": os.getcwd(),
    "group": os.getpgrp() == os.getpid(),
    "limits": [resource.getrlimit(n) for n in range(10)],
    "nice": os.nice(0),
    "collector": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), gc.callbacks],
    "path": sys.path,
    "meta path": [str(one).split(" at 0x")[0] for one in sys.meta_path],
    "path hooks": len(sys.path_hooks),
    "flags": [sys.getrecursionlimit(), sys.getswitchinterval(), sys.dont_write_bytecode, sys.gettrace() is None],
    "builtins": sorted(vars(builtins)),
    "hooks": [sys.excepthook is sys.__excepthook__, sys.unraisablehook is sys.__unraisablehook__],
    "argv": sys.argv,
    "random": random.Random(1).random(),
    "warnings": list(map(str, sys.modules["warnings"].filters)) if "warnings" in sys.modules else None,
    "children": os.system("true"),
}))
"""  # fmt: skip

OF_BUILDING = {
    "libcst",
    "ast",
    "tokenize",
    "threading",
    "pickle",
    "subprocess",
    "dataclasses",
    "yaml",
}
"""Modules that build Programs, and none that a run with an override has itself."""


@dataclass(frozen=True)
class Mode:
    """A way in which a script is run with an override."""

    #: After ``kogine run``; or, with a program, after ``python``.
    arguments: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    is_python: bool = False
    #: Whether what it imports itself is of building, too.
    is_heavy: bool = False


PROGRAM = """
import os, sys, random, threading
from kohaku_ast import Config, Script
random.seed(7)
until = threading.Event()
if {threaded}:
    threading.Thread(target=until.wait).start()
script = Script("s.py", Config(globals_dict={{"x": 4}}))
script.run()
print(random.random())
until.set()
"""

BASE = "x = 2\n_twice = x * 2\n"
CHILD = "from kohaku_ast import use_config\nuse_config('base.py')\nx = 4\n"

MODES = {
    "override": Mode(("s.py", "x=4")),
    "module": Mode(("-m", "s", "x=4")),
    "entrypoint": Mode(("s.py:main", "x=4"), {"s.py": LOOK + "\ndef main(): pass\n"}),
    "arguments of the script": Mode(("s.py", "x=4", "--", "-v")),
    "module of the script": Mode(
        ("main.py", "s.x=4"), {"main.py": "import s\nif __name__ == '__main__': pass\n"}
    ),
    "both": Mode(("main.py", "s.x=4", "z=2"), {"main.py": "z = 1\nimport s\n"}),
    "config": Mode(("s.py", "--config", "c.py"), {"c.py": "x = 4\n"}, is_heavy=True),
    "config with a base": Mode(
        ("s.py", "--config", "c.py"), {"base.py": BASE, "c.py": CHILD}, is_heavy=True
    ),
    "recorded": Mode(("s.py", "x=4", "--record"), is_heavy=True),
    "swept": Mode(("s.py", "--sweep", "x=4,5"), is_heavy=True),
    "in Python": Mode(("p.py",), {"p.py": PROGRAM.format(threaded=False)}, True, is_heavy=True),
    "beside threads": Mode(("p.py",), {"p.py": PROGRAM.format(threaded=True)}, True, is_heavy=True),
}  # fmt: skip


def run_mode(mode: Mode, folder: Path) -> Any:
    environment = {"PYTHONPATH": on_path(), "KOGINE_CACHE": str(folder / "cache")}
    if mode.is_python:
        done = run_python(folder, *mode.arguments, **environment)
    else:
        done = run_kogine(folder, "run", *mode.arguments, **environment)
    assert done.status == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line[:1] in "{0"], re.sub(
        r" in [\d.]+ s$", "", done.stderr, flags=re.MULTILINE
    )


def differences(cold: Any, warm: Any) -> dict[str, Any]:
    """What the script has seen that is not the same: readable where it fails."""
    ((first, *_), _), ((second, *_), _) = cold, warm
    return {name: (one, second[name]) for name, one in first.items() if one != second[name]}


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_the_first_run_is_like_the_second(mode: Mode, tmp_path: Path) -> None:
    for name, text in {"s.py": LOOK, **mode.files}.items():
        (tmp_path / name).write_text(text)
    cold = run_mode(mode, tmp_path)
    assert list((tmp_path / "cache").glob("*.program"))
    warm = run_mode(mode, tmp_path)
    assert differences(cold, warm) == {}
    assert cold == warm
    seen = cold[0][0]
    assert seen["x"] == 4
    if not mode.is_heavy:
        assert not OF_BUILDING & set(seen["modules"])
    assert not {name for name in seen["modules"] if name.startswith("libcst")}
