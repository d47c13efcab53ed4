"""What Python can start besides a file: modules, folders, archives, standard input."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from tests.oracle import FIXTURES, Finished, run, run_kogine, run_python

SHOW = """\
import sys
lr = 0.1
double = lr * 2
def show():
    print(lr, double, __name__, __package__, sys.argv, sys.path[0] == EXPECTED, __spec__ and __spec__.name)
    print(sorted(n for n in globals()), type(__loader__).__name__, __file__[-20:] if "__file__" in globals() else None)
"""
FILES = {
    "pkg/__init__.py": "print('package', __name__)\nbase = 1\n",
    "pkg/__main__.py": SHOW + "import os\nEXPECTED = os.getcwd()\nshow()\n",
    "pkg/mod.py": SHOW + "import os\nfrom . import base\nEXPECTED = os.getcwd()\n"
    "if __name__ == '__main__':\n    show()\n",
    "pkg/fails.py": "n = 0\ndef f():\n    return 1 / n\nf()\n",
    "pkg/exits.py": "import sys\nn = 3\nsys.exit(n)\n",
    "pkg/interrupted.py": "n = 3\nraise KeyboardInterrupt\n",
    "pkg/broken.py": "n = (\n",
    "pkg/spawns.py": "import multiprocessing\nlr = 0.1\ndef work(n):\n    return n * lr\n"
    "if __name__ == '__main__':\n"
    "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
    "        print(pool.map(work, [1, 2]))\n",
    "folder/__main__.py": SHOW
    + "import helper\nEXPECTED = sys.path[0]\nprint(sys.path[0][-6:])\nshow()\n",
    "folder/helper.py": "print('helper')\n",
    "single.py": SHOW + "import os\nEXPECTED = os.getcwd()\nshow()\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.write(tmp_path / "folder/__main__.py", "__main__.py")
        archive.write(tmp_path / "folder/helper.py", "helper.py")
    return tmp_path


STARTS = [
    pytest.param(["-m", "pkg.mod"], "lr=0.1", id="module"),
    pytest.param(["-m", "pkg"], "lr=0.1", id="package with __main__"),
    pytest.param(["-m", "single"], "lr=0.1", id="top-level module"),
    pytest.param(["-m", "pkg.fails"], "n=0", id="module that raises"),
    pytest.param(["-m", "pkg.exits"], "n=3", id="module that exits"),
    pytest.param(["-m", "pkg.interrupted"], "n=3", id="module that is interrupted"),
    pytest.param(["-m", "pkg.spawns"], "lr=0.1", id="module that spawns"),
    pytest.param(["folder"], "lr=0.1", id="folder"),
    pytest.param(["./folder"], "lr=0.1", id="folder with a dot"),
    pytest.param(["app.zip"], "lr=0.1", id="archive"),
]


@pytest.mark.parametrize(("start", "override"), STARTS)
@pytest.mark.parametrize("argv", [(), ("a", "--b=1")], ids=["", "with arguments"])
def test_starts_as_python_does(
    folder: Path, start: list[str], override: str, argv: tuple[str, ...]
) -> None:
    expected = run_python(folder, "-B", *start, *argv)
    split = ["--", *argv] if argv else []
    environment = {"PYTHONDONTWRITEBYTECODE": "1"}
    assert run_kogine(folder, "run", *start, *split, **environment) == expected
    assert run_kogine(folder, "run", *start, override, *split, **environment) == expected


@pytest.mark.parametrize(
    ("start", "edited"),
    [
        pytest.param(["-m", "pkg.mod"], "pkg/mod.py", id="module"),
        pytest.param(["pkg.mod"], "pkg/mod.py", id="module without -m"),
        pytest.param(["-m", "pkg"], "pkg/__main__.py", id="package"),
        pytest.param(["-m", "pkg.spawns"], "pkg/spawns.py", id="module that spawns"),
        pytest.param(["folder"], "folder/__main__.py", id="folder"),
    ],
)
def test_overrides_are_as_if_edited(folder: Path, start: list[str], edited: str) -> None:
    got = run_kogine(folder, "run", *start, "lr=0.75")
    (folder / edited).write_text(FILES[edited].replace("lr = 0.1", "lr = 0.75"))
    plain = start if start[0] != "pkg.mod" else ["-m", "pkg.mod"]
    assert got == run_python(folder, "-B", *plain)


def test_a_sibling_that_is_imported_relatively(folder: Path) -> None:
    (folder / "pkg/uses.py").write_text(
        "from .settings import lr\nfrom . import base\nprint(lr, base)\n"
    )
    (folder / "pkg/settings.py").write_text("from . import base\nlr = base * 2\n")
    got = run_kogine(folder, "run", "-m", "pkg.uses", "pkg.settings.lr=7", "pkg.base=3")
    assert (got.stdout, got.stderr) == ("package pkg\n7 3\n", "")


STDIN = [
    pytest.param(
        "import sys\nx = 3\nprint(x, sys.argv, sys.path[0], sorted(globals()))\n", id="script"
    ),
    pytest.param("x = 3\ndef f():\n    1 / 0\nf()\n", id="that raises"),
    pytest.param(
        "x = 3\nprint(__name__, __loader__.__name__, '__file__' in globals())\n", id="names"
    ),
    pytest.param("x = (\n", id="that is broken"),
    pytest.param("", id="empty"),
]


@pytest.mark.parametrize("text", STDIN)
def test_standard_input(tmp_path: Path, text: str) -> None:
    expected = run_python(tmp_path, "-", "a", stdin=text)
    assert run_kogine(tmp_path, "run", "-", "--", "a", stdin=text) == expected
    if text and "(\n" not in text:
        assert run_kogine(tmp_path, "run", "-", "x=3", "--", "a", stdin=text) == expected


@pytest.mark.parametrize(
    ("start", "words"),
    [
        pytest.param(["-m", "nothing"], "no module named 'nothing'", id="no such module"),
        pytest.param(["-m", "pgk.mod"], "Did you mean 'pkg'?", id="near name"),
        pytest.param(["-m", "pkg.no"], "no module named 'pkg.no'", id="no such submodule"),
        pytest.param(["-m", "pkg.mdo"], "Did you mean 'pkg.mod'?", id="near submodule"),
        pytest.param(["pkg.mdo:f"], "Did you mean 'pkg.mod'?", id="near submodule of a function"),
        pytest.param(["-m", "bare"], "or it has no __main__\n", id="package without __main__"),
        pytest.param(["pkg.mod:nothing"], "no function 'nothing'", id="no such function"),
        pytest.param(["empty"], "without a __main__.py", id="folder without __main__"),
    ],
)
def test_what_cannot_be_started(folder: Path, start: list[str], words: str) -> None:
    (folder / "empty").mkdir()
    (folder / "bare").mkdir()
    (folder / "bare" / "__init__.py").touch()
    done = run_kogine(folder, "run", *start)
    assert (done.status, done.stdout) == (2, "")
    assert words in done.stderr


CALLS = "from . import base\nlr = 0.1\ndef go(n=1):\n    print(lr, n, __name__)\n"
GUARD = "if __name__ == '__main__':\n    print('guard')\n"


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["pkg.calls:go"], id="module and function"),
        pytest.param(["-m", "pkg.calls:go"], id="the same behind -m"),
        pytest.param(["pkg.calls", "--entrypoint", "go"], id="as an option"),
        pytest.param(["app:go"], id="folder and function"),
        pytest.param(["pkg.calls:go", "--mode", "spawn", "--sweep", "n=1", "--no-record"], id="spawn"),
        pytest.param(["pkg.calls:go", "--mode", "warm", "--sweep", "n=1", "--no-record"], id="warm"),
    ],
)  # fmt: skip
def test_a_function_of_what_python_finds(folder: Path, words: list[str]) -> None:
    for path in ("pkg/calls.py", "app/__main__.py"):
        (folder / path).parent.mkdir(exist_ok=True)
        text = CALLS if path.startswith("pkg") else CALLS.replace("from . import base\n", "")
        (folder / path).write_text(text + GUARD)
        (folder / path.replace("calls", "edited")).write_text(
            text.replace("lr = 0.1", "lr = 0.5") + "go()\n"
        )
    if "app:go" in words:
        expected = run_python(folder, "app")
        (folder / "app" / "__main__.py").write_text(text + GUARD)
    else:
        expected = run_python(folder, "-m", "pkg.edited")
    done = run_kogine(folder, "run", *words, "lr=0.5")
    assert expected.stdout.endswith("0.5 1 __main__\n")
    assert (done.status, done.stdout) == (0, expected.stdout), done.stderr
    shown = run_kogine(folder, "run", words[-1] if words[0] == "-m" else words[0], "--inspect")
    assert (shown.status, "lr" in shown.stdout) == (0, True), shown.stderr


# Who interrupts a flow ends it.
IN_A_FLOW = [one for one in STARTS if one.id != "module that is interrupted"]


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
@pytest.mark.parametrize(("start", "override"), IN_A_FLOW)
def test_a_run_of_a_flow_starts_as_python_does(
    folder: Path, start: list[str], override: str, mode: str
) -> None:
    expected = run_python(folder, *start)
    done = run_kogine(folder, "run", *start, override, "--mode", mode, "--no-record")
    assert (done.status, done.stdout) == (int(expected.status > 0), expected.stdout)
    assert _traceback(done.stderr) == _traceback(expected.stderr)


def _traceback(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("  File")]


@pytest.mark.parametrize("flag", ["-O", "-I", "-P", "-Werror", "-Xdev", "-s", "-E"])
def test_options_of_the_interpreter_keep_their_meaning(folder: Path, flag: str) -> None:
    if flag == "-P" and sys.version_info < (3, 11):
        flag = "-s"
    (folder / "flags.py").write_text(
        "import sys\nlr = 1\nprint(sys.flags, sys.warnoptions, sys.path[0][-5:], __debug__)\n"
    )
    expected = run_python(folder, flag, "flags.py")
    for overrides in ([], ["lr=1"]):
        assert _with_flag(folder, flag, overrides) == expected


def _with_flag(folder: Path, flag: str, overrides: list[str]) -> Finished:
    """``python FLAG -m kogine`` where the environment may not say where kogine is."""
    start = (
        f"import sys; sys.path[1:1] = [{str(FIXTURES.parent)!r}, {str(FIXTURES.parent / 'cli')!r}]; "
        "from kogine.main import main; sys.exit(main())"
    )
    launcher = folder / "launcher"
    launcher.write_text(start)
    return run([sys.executable, flag, str(launcher), "run", "flags.py", *overrides], folder)
