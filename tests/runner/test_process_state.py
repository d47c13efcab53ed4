"""A script that runs inside a process gives back what it borrowed, however it ends."""

from __future__ import annotations

import asyncio
import builtins
import faulthandler
import gc
import importlib
import multiprocessing.spawn
import os
import resource
import signal
import sys
import threading
import time
import types
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from kohaku_ast import Config, Script, run
from kohaku_ast.config.config_process import read_digits, read_stack, read_umask
from tests.oracle import run_kogine

Read = Callable[[], object]

BORROWED: list[tuple[str, str, Read]] = [
    ("argv", "sys.argv.append(1)", lambda: (id(sys.argv), list(sys.argv))),
    ("path changed", "sys.path[:] = ['/no']", lambda: (id(sys.path), list(sys.path))),
    ("path replaced", "sys.path = sys.path + ['/no']", lambda: (id(sys.path), list(sys.path))),
    ("meta_path", "sys.meta_path.append(object())", lambda: list(sys.meta_path)),
    ("path_hooks", "sys.path_hooks.clear()", lambda: list(sys.path_hooks)),
    ("folder", "os.chdir('/')", os.getcwd),
    ("__main__", "sys.modules['__main__'] = None", lambda: sys.modules["__main__"]),
    ("a library replaced", "sys.modules['json'] = 3", lambda: sys.modules["json"]),
    ("a library deleted", "del sys.modules['json']", lambda: sys.modules["json"]),
    ("SIGTERM", "signal.signal(signal.SIGTERM, print)", lambda: signal.getsignal(signal.SIGTERM)),
    ("SIGINT", "signal.signal(2, signal.SIG_IGN)", lambda: signal.getsignal(2)),
    ("filters", "warnings.simplefilter('ignore')", lambda: list(warnings.filters)),
    ("filters list", "warnings.filters = []", lambda: id(warnings.filters)),
    ("showwarning", "warnings.showwarning = print", lambda: warnings.showwarning),
    ("formatwarning", "warnings.formatwarning = repr", lambda: warnings.formatwarning),
    ("stdout", "sys.stdout = io.StringIO()", lambda: sys.stdout),
    ("stderr", "sys.stderr = None", lambda: sys.stderr),
    ("stdin", "sys.stdin = io.StringIO('x')", lambda: sys.stdin),
    ("excepthook", "sys.excepthook = print", lambda: sys.excepthook),
    ("displayhook", "sys.displayhook = print", lambda: sys.displayhook),
    ("unraisablehook", "sys.unraisablehook = print", lambda: sys.unraisablehook),
    ("breakpointhook", "sys.breakpointhook = print", lambda: sys.breakpointhook),
    ("builtins", "import builtins; builtins.print = 3", lambda: builtins.print),
    ("a builtin deleted", "import builtins; del builtins.ascii", lambda: vars(builtins)["ascii"]),
    ("umask", "os.umask(0o77)", read_umask),
    ("garbage", "import gc; gc.disable()", gc.isenabled),
    ("how often garbage is collected", "import gc; gc.set_threshold(9)", gc.get_threshold),
    ("digits", "getattr(sys, 'set_int_max_str_digits', print)(999)", read_digits),
    ("stack of threads", "import threading; threading.stack_size(1 << 20)", read_stack),
    ("hook of threads", "import threading; threading.excepthook = 3", lambda: threading.excepthook),
    ("depth of tracebacks", "sys.tracebacklimit = 1", lambda: hasattr(sys, "tracebacklimit")),
    ("prompt", "sys.ps1 = '?'", lambda: hasattr(sys, "ps1")),
    ("place of bytecode", "sys.pycache_prefix = '/no'", lambda: sys.pycache_prefix),
    ("switch interval", "sys.setswitchinterval(0.5)", sys.getswitchinterval),
    ("bytecode", "sys.dont_write_bytecode ^= True", lambda: sys.dont_write_bytecode),
    ("profiler", "sys.setprofile(lambda *_: None)", sys.getprofile),
    ("profiler of threads", "import threading; threading.setprofile(print)", threading.getprofile),
    ("tracer of threads", "import threading; threading.settrace(print)", threading.gettrace),
    ("alarm", "signal.setitimer(signal.ITIMER_REAL, 99)", lambda: signal.getitimer(0)),
    ("blocked signals", "signal.pthread_sigmask(0, [12])", lambda: signal.pthread_sigmask(0, [])),
    (
        "cores",
        "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])",
        lambda: os.sched_getaffinity(0),
    ),
    (
        "a limit",
        "import resource as r; soft, hard = r.getrlimit(7); r.setrlimit(7, (soft - 1, hard))",
        lambda: resource.getrlimit(7),
    ),
    (
        "faults",
        "import faulthandler as f; (f.disable if f.is_enabled() else f.enable)()",
        faulthandler.is_enabled,
    ),
    ("time zone", "import time; os.environ['TZ'] = 'XYZ+3'; time.tzset()", lambda: time.tzname),
    (
        "spawn",
        "import multiprocessing.spawn; 'get_prep'",
        lambda: multiprocessing.spawn.get_preparation_data,
    ),
    (
        "loop policy",
        "import asyncio; asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())",
        asyncio.get_event_loop_policy,
    ),
]

HEAD = "import io, os, signal, sys, warnings\nlr = 0.1\n"


@pytest.mark.parametrize("end", ["", "1 / 0\n", "sys.exit(3)\n"], ids=["ends", "raises", "exits"])
@pytest.mark.parametrize(
    ("change", "read"), [pytest.param(change, read, id=name) for name, change, read in BORROWED]
)
def test_what_a_script_changes_is_as_it_was(
    tmp_path: Path, change: str, read: Read, end: str
) -> None:
    import json  # noqa: F401  # one of the libraries

    (tmp_path / "s.py").write_text(f"{HEAD}{change}\n{end}")
    before = read()
    try:
        run(str(tmp_path / "s.py"), lr=0.5)
    except (ZeroDivisionError, SystemExit):
        assert end
    assert read() == before


def test_a_hook_of_a_library_stays_with_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As six does it: a second run imports from the library, which is loaded already."""
    library = tmp_path / "lib" / "site-packages" / "kogine_test_hooks.py"
    library.parent.mkdir(parents=True)
    library.write_text(
        "import sys, importlib.util\nclass Finder:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name.startswith('kogine_made_'):\n"
        "            return importlib.util.spec_from_loader(name, Finder)\n"
        "    def create_module(spec): return None\n"
        "    def exec_module(module): module.ok = module.__name__\n"
        "sys.meta_path.append(Finder)\n"
    )
    monkeypatch.syspath_prepend(str(library.parent))
    monkeypatch.setattr(sys, "meta_path", sys.meta_path.copy())  # for this test alone
    script = tmp_path / "own" / "s.py"
    script.parent.mkdir()
    script.write_text(
        "import importlib, kogine_test_hooks\nn = 0\n"
        "made = importlib.import_module(f'kogine_made_{n}').ok\n"
    )
    before = len(sys.meta_path)
    for n in (1, 2):
        done = run(str(script), Config({"n": n}, outputs=["made"]))
        assert done.outputs["made"] == f"kogine_made_{n}"
    assert len(sys.meta_path) == before + 1
    for name in [
        name for name in sys.modules if name.startswith(("kogine_test_hooks", "kogine_made"))
    ]:
        del sys.modules[name]


def counts() -> list[int]:
    opened = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    return [len(sys.modules), len(sys.path), len(sys.meta_path), len(warnings.filters), opened]


def test_many_runs_leave_no_growth(tmp_path: Path) -> None:
    (tmp_path / "hparams.py").write_text("n = 1\n")
    (tmp_path / "s.py").write_text(
        "import asyncio, multiprocessing.spawn, sys, hparams\nsys.path.append('lib')\nlr = 0.1\n"
        "async def main():\n    return lr, hparams.n\n"
        "if __name__ == '__main__':\n    asyncio.run(main())\n"
    )
    script = Script(str(tmp_path / "s.py"), Config({"lr": 0.5, "hparams.n": 3}))
    script.run()
    before = counts()
    assert [script.run().value for _ in range(10)] == [(0.5, 3)] * 10
    assert counts() == before


def test_a_local_module_is_read_anew_and_a_library_stays(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("import state, wave\nstate.seen.append(1)\nseen = state.seen\n")
    (tmp_path / "state.py").write_text("seen = []\n")
    script = Script(str(tmp_path / "s.py"), Config(outputs=["seen"]))
    assert [script.run().outputs["seen"] for _ in range(2)] == [[1], [1]]
    assert "state" not in sys.modules
    assert "wave" in sys.modules


@pytest.mark.parametrize(
    "name", [pytest.param("mine", id="module"), pytest.param("pack.inner", id="namespace package")]
)
def test_a_local_module_of_the_host_is_hidden_and_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / f"{name.replace('.', '/')}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text("x = 1\n")
    (tmp_path / "s.py").write_text(f"import {name} as found\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__(name)
    own = {one: sys.modules[one] for one in (name, name.partition(".")[0])}
    found = Script(str(tmp_path / "s.py"), Config({f"{name}.x": 5}, outputs=["found"])).run()
    assert found.outputs["found"].x == 5  # type: ignore[attr-defined]
    assert {one: sys.modules[one] for one in own} == own
    assert own[name].x == 1
    for one in own:
        del sys.modules[one]


@pytest.mark.parametrize("folder", ["host", "lib/site-packages"])
def test_a_module_of_the_host_with_the_name_of_a_local_one_is_hidden_and_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """The file beside the script is its module, as in a process of its own, without overrides too."""
    others = tmp_path / folder
    others.mkdir(parents=True)
    for place in (others, tmp_path / "job"):
        (place / "alike").mkdir(parents=True)
        (place / "alike" / "__init__.py").write_text("")
        (place / "alike" / "inner.py").write_text(f"x = {place.name!r}\n")
    (tmp_path / "job" / "s.py").write_text("from alike.inner import x\nn = 1\n")
    monkeypatch.syspath_prepend(str(others))
    own = {name: importlib.import_module(name) for name in ("alike", "alike.inner")}
    for config in (Config(outputs=["x"]), Config({"n": 2}, outputs=["x"])):
        assert Script(str(tmp_path / "job" / "s.py"), config).run().outputs["x"] == "job"
        assert {name: sys.modules[name] for name in own} == own
    for name in own:
        del sys.modules[name]


def test_a_file_with_the_name_of_a_module_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script has its own although this process has loaded Python's, which nobody else loses."""
    library = tmp_path / "lib" / "site-packages" / "reads_colors.py"
    library.parent.mkdir(parents=True)
    library.write_text("from colorsys import rgb_to_hsv\nx = rgb_to_hsv(0, 0, 0)\n")
    monkeypatch.syspath_prepend(str(library.parent))
    job = tmp_path / "job"
    job.mkdir()
    (job / "colorsys.py").write_text("lr = 0.1\ndef rgb_to_hsv(*_):\n    return lr\n")
    (job / "time.py").write_text(
        "raise ImportError"
    )  # built in: Python imports no file of the name
    (job / "s.py").write_text("import time, colorsys\nfrom reads_colors import x\nn = 1\n")
    import colorsys

    for overrides, seen in (({}, 0.1), ({"n": 2}, 0.1), ({"colorsys.lr": 0.5}, 0.5)):
        assert run(str(job / "s.py"), Config(overrides, outputs=["x"])).outputs["x"] == seen
        assert sys.modules["colorsys"] is colorsys
        assert importlib.import_module("reads_colors").x == (0.0, 0.0, 0)
        del sys.modules["reads_colors"]


def test_libraries_below_the_scripts_folder_stay(tmp_path: Path) -> None:
    library = tmp_path / ".venv" / "lib" / "site-packages" / "lib_of_test.py"
    library.parent.mkdir(parents=True)
    library.write_text("")
    (tmp_path / "s.py").write_text(
        f"import sys\nsys.path.append({str(library.parent)!r})\nimport lib_of_test\n"
    )
    run(str(tmp_path / "s.py"))
    assert sys.modules.pop("lib_of_test").__file__ == str(library)


def test_the_guard_finds_what_the_module_body_left(tmp_path: Path) -> None:
    (tmp_path / "state.py").write_text("seen = []\n")
    (tmp_path / "s.py").write_text(
        "import os, sys, signal, state\nstate.seen.append('body')\nos.chdir('/')\n"
        "sys.path.append('/lib')\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "def main():\n    import state\n    state.seen.append('guard')\n"
        "    ignored = signal.getsignal(signal.SIGTERM) is signal.SIG_IGN\n"
        "    return state.seen[:], os.getcwd(), sys.path[-1], ignored\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    before = (os.getcwd(), list(sys.path), signal.getsignal(signal.SIGTERM))
    loaded = Script(str(tmp_path / "s.py")).load()
    assert (os.getcwd(), list(sys.path), signal.getsignal(signal.SIGTERM)) == before
    assert loaded() == (["body", "guard"], "/", "/lib", True)
    assert loaded() == (["body", "guard", "guard"], "/", "/lib", True)
    assert (os.getcwd(), list(sys.path), signal.getsignal(signal.SIGTERM)) == before
    assert "state" not in sys.modules


def test_a_run_inside_a_run(tmp_path: Path) -> None:
    (tmp_path / "inner.py").write_text("import sys\nlr = 1\nargv = sys.argv\n")
    (tmp_path / "outer.py").write_text(
        "import sys, kohaku_ast\nlr = 1\nme = sys.modules['__main__']\n"
        "from kohaku_ast import Config, Script\n"
        f"inner = Script({str(tmp_path / 'inner.py')!r}, Config({{'lr': 7}}, outputs=['lr']))\n"
        "got = inner.run().outputs['lr'], lr, sys.modules['__main__'] is me\n"
    )
    script = Script(str(tmp_path / "outer.py"), Config({"lr": 2}, outputs=["got"]))
    assert script.run().outputs["got"] == (7, 2, True)


def test_in_another_thread(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("def main():\n    return 3\nmain()\n")
    values: list[object] = []
    thread = threading.Thread(target=lambda: values.append(run(str(tmp_path / "s.py")).value))
    thread.start()
    thread.join()
    assert values == [3]


ASYNC = "import asyncio\nlr = 0.1\nasync def main():\n    await asyncio.sleep(0)\n    return lr\n"
GUARDS = {
    "asyncio.run": "asyncio.run(main())",
    "a loop of its own": "loop = asyncio.new_event_loop()\n    result = loop.run_until_complete(main())\n    loop.close()",
}


@pytest.mark.parametrize("entrypoint", ["", "main"])
@pytest.mark.parametrize("guard", GUARDS)
def test_inside_a_running_loop(tmp_path: Path, guard: str, entrypoint: str) -> None:
    path = tmp_path / "s.py"
    path.write_text(f"{ASYNC}if __name__ == '__main__':\n    {GUARDS[guard]}\n")
    script = Script(str(path), Config({"lr": 0.5}), entrypoint=entrypoint)

    async def host() -> list[object]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        values = [script.run().value, script.load()()]
        assert asyncio.get_running_loop() is loop
        assert asyncio.current_task() is task
        await asyncio.sleep(0.001)
        return values

    assert asyncio.run(host()) == [0.5, 0.5]


def test_signals_of_a_running_loop_still_arrive(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "import asyncio, signal\nasync def main():\n"
        "    loop = asyncio.get_running_loop()\n"
        "    loop.add_signal_handler(signal.SIGUSR1, print)\n"
        "if __name__ == '__main__':\n    asyncio.run(main())\n"
    )

    async def host() -> bool:
        arrived = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, arrived.set)
        run(str(tmp_path / "s.py"))
        os.kill(os.getpid(), signal.SIGUSR1)
        return await asyncio.wait_for(arrived.wait(), 10)

    assert asyncio.run(host())


def test_children_after_a_run_are_the_hosts(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("import multiprocessing.spawn\nlr = 1\n")
    run(str(tmp_path / "s.py"), lr=3)
    data = multiprocessing.spawn.get_preparation_data("child")
    assert type(data.get("init_main_from_path", "")) is str


def test_objects_that_are_no_modules_are_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = types.ModuleType("odd")
    odd.__file__ = 3  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "odd", odd)
    monkeypatch.setitem(sys.modules, "nothing_there", None)
    (tmp_path / "s.py").write_text("")
    assert run(str(tmp_path / "s.py")).status == "succeeded"


def test_a_relative_folder_of_modules_is_that_of_each_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import sys\nsys.path.insert(0, 'lib')\nimport added\nw = added.w\n"
    for number, folder in enumerate([tmp_path / "a", tmp_path / "b"]):
        (folder / "lib").mkdir(parents=True)
        (folder / "s.py").write_text(text)
        (folder / "lib" / "added.py").write_text(f"w = {number}\n")
        monkeypatch.chdir(folder)
        assert run("s.py", Config(outputs=["w"])).outputs == {"w": number}


REMOVES = """\
import os, sys
n = 0
FOLDER = sys.argv[1]
try:
    print(n, os.getcwd() == FOLDER)
    os.rmdir(FOLDER)  # by its full name: nothing else may ever go
except FileNotFoundError as error:
    print(n, type(error).__name__)
os.chdir(os.sep)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a working folder cannot be removed there")
@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_no_run_starts_where_the_last_one_has_gone(tmp_path: Path, mode: str) -> None:
    (tmp_path / "s.py").write_text(REMOVES)
    folder = tmp_path / "goes"
    folder.mkdir()
    done = run_kogine(
        folder, "run", str(tmp_path / "s.py"), "--sweep", "n=1,2,3", "--mode", mode, "--workers", "1",
        "--no-record", "--", str(folder),
    )  # fmt: skip
    assert (done.status, done.stdout) == (0, "1 True\n2 FileNotFoundError\n3 FileNotFoundError\n")
