"""Overrides in imported modules, against edited copies of the modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import run_kogine, run_python

HPARAMS = "lr = 0.1  # step size\ndouble = lr * 2\nclass Model:\n    depth: int = 3\n    wide = depth * 2\n"
SETTINGS = (
    "from . import base\nlr = 1\nscale = base.scale * lr\ndef build(n=2):\n    return n * scale\n"
)
FILES = {
    "hparams.py": HPARAMS,
    "pkg/__init__.py": "name = 'pkg'\n",
    "pkg/base.py": "scale = 10\n",
    "pkg/settings.py": SETTINGS,
    "space/inner.py": "x = 5\ny = x + 1\n",
    "circle_a.py": "a = 1\nimport circle_b\nb = circle_b.b\n",
    "circle_b.py": "import circle_a\nb = circle_a.a * 10\n",
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize(
    ("script", "targets", "edits"),
    [
        pytest.param(
            "import hparams\nprint(hparams.lr, hparams.double)\n",
            ["hparams.lr=0.5"],
            {"hparams.py": HPARAMS.replace("0.1", "0.5")},
            id="derived values follow",
        ),
        pytest.param(
            "from hparams import lr, double\nprint(lr, double)\n",
            ["hparams.lr=0.5"],
            {"hparams.py": HPARAMS.replace("0.1", "0.5")},
            id="from import",
        ),
        pytest.param(
            "from hparams import *\nprint(lr, double, Model.wide)\n",
            ["hparams.lr=0.5", "hparams.Model.depth=9"],
            {"hparams.py": HPARAMS.replace("0.1", "0.5").replace("= 3", "= 9")},
            id="star import",
        ),
        pytest.param(
            "import hparams as hp\nprint(hp.Model.wide)\n",
            ["hp.Model.depth=9"],
            {"hparams.py": HPARAMS.replace("= 3", "= 9")},
            id="by the script's own name for it",
        ),
        pytest.param(
            "import pkg.settings\nprint(pkg.settings.scale, pkg.settings.build(), pkg.name)\n",
            ["pkg.settings.lr=7", "pkg.name=other"],
            {
                "pkg/settings.py": SETTINGS.replace("lr = 1", "lr = 7"),
                "pkg/__init__.py": "name = 'other'\n",
            },
            id="package and submodule",
        ),
        pytest.param(
            "from pkg import settings\nprint(settings.build(), settings.build(1))\n",
            ["settings.build(n)=5"],
            {"pkg/settings.py": SETTINGS.replace("n=2", "n=5")},
            id="default of a function",
        ),
        pytest.param(
            "from pkg.settings import scale\nprint(scale)\n",
            ["pkg.base.scale=3"],
            {"pkg/base.py": "scale = 3\n"},
            id="imported by another module, relatively",
        ),
        pytest.param(
            "import space.inner as i\nprint(i.y)\n",
            ["space.inner.x=8"],
            {"space/inner.py": "x = 8\ny = x + 1\n"},
            id="namespace package",
        ),
        pytest.param(
            "import circle_a\nprint(circle_a.b)\n",
            ["circle_a.a=4"],
            {"circle_a.py": FILES["circle_a.py"].replace("a = 1", "a = 4")},
            id="circular imports",
        ),
        pytest.param(
            "def late():\n    import hparams\n    return hparams.double\nprint(late())\n",
            ["hparams.lr=2"],
            {"hparams.py": HPARAMS.replace("0.1", "2.0")},
            id="imported late",
        ),
        pytest.param(
            "import importlib, hparams\nhparams.double = 0\nimportlib.reload(hparams)\nprint(hparams.double)\n",
            ["hparams.lr=2"],
            {"hparams.py": HPARAMS.replace("0.1", "2.0")},
            id="reload",
        ),
        pytest.param(
            "import hparams\nlr = hparams.lr\nprint(lr, hparams.double, hparams.__spec__.origin[-10:],"
            " type(hparams.__loader__).__name__)\n",
            ["hparams.lr=2", "lr=3"],
            {
                "hparams.py": HPARAMS.replace("0.1", "2.0"),
                "s.py": "import hparams\nlr = 3.0\nprint(3, hparams.double, hparams.__spec__.origin[-10:],"
                " type(hparams.__loader__).__name__)\n",
            },
            id="script and module together",
        ),
    ],
)
def test_a_module_is_as_if_edited(
    tmp_path: Path, script: str, targets: list[str], edits: dict[str, str]
) -> None:
    write(tmp_path, {**FILES, "s.py": script, **edits})
    expected = run_python(tmp_path, "-B", "s.py")
    assert expected.status == 0
    write(tmp_path, {**FILES, "s.py": script})
    assert run_kogine(tmp_path, "run", "s.py", *targets) == expected


def test_no_bytecode_of_a_rewritten_module_is_left(tmp_path: Path) -> None:
    write(tmp_path, {"hparams.py": HPARAMS, "s.py": "import hparams\n"})
    run_kogine(tmp_path, "run", "s.py", "hparams.lr=3")
    assert not (tmp_path / "__pycache__").exists()


def test_an_error_in_the_module_looks_as_it_does(tmp_path: Path) -> None:
    text = "n = 0\n\ndef f():\n    return 1 / n\n\nx = f() if n else (\n    f())\n"
    write(tmp_path, {"m.py": text, "s.py": "import m\n"})
    expected = run_python(tmp_path, "-B", "s.py")
    assert run_kogine(tmp_path, "run", "s.py", "m.n=0") == expected
    assert "ZeroDivisionError" in expected.stderr


@pytest.mark.parametrize(
    ("script", "target", "words"),
    [
        pytest.param("import hparams\n", "hparams.rl=1", "Did you mean 'lr'", id="near name"),
        pytest.param(
            "import hparams\n", "hparams.lr=x", "hparams.py:1: lr=x: expected float", id="type"
        ),
        pytest.param(
            "import json\n", "hparams.lr=1", "no parameter 'hparams.lr'", id="not imported"
        ),
        pytest.param(
            "import hparams as h\nclass hparams:\n    lr = 3\n",
            "hparams.lr=1",
            "both",
            id="class and module of one name",
        ),
    ],
)
def test_what_stops_the_run(tmp_path: Path, script: str, target: str, words: str) -> None:
    write(tmp_path, {"hparams.py": HPARAMS, "s.py": "print('ran')\n" + script})
    done = run_kogine(tmp_path, "run", "s.py", target)
    assert (done.status, done.stdout) == (2, "")
    assert words in done.stderr


def test_a_module_that_was_not_imported_is_warned_of(tmp_path: Path) -> None:
    write(tmp_path, {"hparams.py": HPARAMS, "s.py": "if False:\n    import hparams\n"})
    done = run_kogine(tmp_path, "run", "s.py", "hparams.lr=1")
    assert done.status == 0
    assert "override 'hparams.lr' was not used: line 1 of hparams.py did not run" in done.stderr


@pytest.mark.parametrize(
    ("imported", "name"),
    [
        ("import hparams", "hparams"),
        ("import hparams as hp", "hp"),
        ("from pkg import settings", "settings"),
    ],
)
def test_inspect_lists_what_the_script_sets_anew_once(
    tmp_path: Path, imported: str, name: str
) -> None:
    script = f"{imported}\n{name}.lr = 2\nprint({name}.lr)\n"
    write(tmp_path, {**FILES, "s.py": script})
    listed = run_kogine(tmp_path, "run", "--inspect", "--modules", "s.py").stdout
    (line,) = [line for line in listed.splitlines() if "lr" in line]
    assert line.split()[1:4] == ["2", "int", "2"], listed


def test_inspect_lists_the_parameters_of_modules(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "s.py": "import hparams\nfrom pkg import settings\nx = 1\n"})
    without = run_kogine(tmp_path, "run", "--inspect", "s.py").stdout
    assert "hparams" not in without
    listed = run_kogine(tmp_path, "run", "--inspect", "--modules", "s.py").stdout
    for line in (
        "# module hparams",
        "hparams.lr",
        "hparams.Model.depth",
        "pkg.base.scale",
        "pkg.name",
    ):
        assert line in listed
    assert "step size" in listed
