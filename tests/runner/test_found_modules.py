"""Targets in modules that Python finds elsewhere than beside the script, against edited copies."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from tests.oracle import Finished, on_path, run_kogine, run_python

HP = "lr = 0.1\ntwice = lr * 2\nclass Model:\n    depth: int = 3\n    wide = depth * 2\n"
SHOW = "print(hp.lr, hp.twice, hp.Model.wide)\n"
EDITED = HP.replace("0.1", "0.5").replace("= 3", "= 9")
TARGETS = ["hp.lr=0.5", "hp.Model.depth=9"]

BY_PATH = """\
import importlib.util, os
path = os.path.join(os.path.dirname(__file__), "lib", "hp.py")
spec = importlib.util.spec_from_file_location("hp", path)
hp = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hp)
"""
FOUND: dict[str, tuple[str, str, list[str]]] = {
    "appended": ("lib/hp.py", "import sys, os\nsys.path.append(os.path.join(os.path.dirname(__file__), 'lib'))\nimport hp\n", TARGETS),
    "inserted": ("lib/hp.py", "import sys\nfrom pathlib import Path\nsys.path.insert(0, str(Path(__file__).parent / 'lib'))\nimport hp\n", TARGETS),
    "from import": ("lib/hp.py", "import sys\nsys.path.append('lib')\nfrom hp import lr, twice, Model\nimport hp\n", TARGETS),
    "as": ("lib/hp.py", "import sys\nsys.path += ['lib']\nimport hp as settings\nhp = settings\n", ["settings.lr=0.5", "settings.Model.depth=9"]),
    "site": ("lib/hp.py", "import site\nsite.addsitedir('lib')\nimport hp\n", TARGETS),
    "in a function": ("lib/hp.py", "import sys\ndef load():\n    sys.path.append('lib')\n    import hp\n    return hp\nhp = load()\n", TARGETS),
    "computed name": ("configs/hp.py", "import importlib\nhp = importlib.import_module('configs.' + 'hp')\n", ["configs.hp.lr=0.5", "configs.hp.Model.depth=9"]),
    "constant name bound": ("configs/hp.py", "import importlib\nhp = importlib.import_module('configs.hp')\n", TARGETS),
    "constant name": ("configs/hp.py", "import importlib\nhp = importlib.import_module('configs.hp')\n", ["configs.hp.lr=0.5", "configs.hp.Model.depth=9"]),
    "__import__": ("hp.py", "name = 'h' + 'p'\nhp = __import__(name)\n", TARGETS),
    "computed in an added folder": ("lib/hp.py", "import sys, importlib\nsys.path.append('lib')\nhp = importlib.import_module(''.join('hp'))\n", TARGETS),
    "package": ("lib/pack/hp.py", "import sys\nsys.path.append('lib')\nfrom pack import hp\n", ["pack.hp.lr=0.5", "pack.hp.Model.depth=9"]),
    "found by a helper": ("lib/hp.py", "import helper\nhp = helper.hp\n", TARGETS),
    "by its path": ("lib/hp.py", BY_PATH, ["lib.hp.lr=0.5", "lib.hp.Model.depth=9"]),
    "by its path, under its name": ("lib/hp.py", BY_PATH, TARGETS),
    "in sys.modules before it runs": ("lib/hp.py", BY_PATH.replace("spec.loader", "import sys\nsys.modules['hp'] = hp\nspec.loader"), TARGETS),
    "by its path in a function": ("lib/hp.py", "def main():\n    " + BY_PATH.replace("\n", "\n    ") + "return hp\nhp = main()\n", TARGETS),
    "by its path, another name": ("lib/hp.py", BY_PATH.replace('"hp"', '"settings"').replace("hp = ", "cfg = ").replace("(hp)", "(cfg)") + "hp = cfg\n", ["cfg.lr=0.5", "settings.Model.depth=9"]),
    "by its path, computed name": ("lib/hp.py", "def main():\n    " + BY_PATH.replace('"hp"', '"h" + "p"').replace("hp = ", "m = ").replace("(hp)", "(m)").replace("\n", "\n    ") + "return m\nn = main()\nhp = n\n", ["lib.hp.lr=0.5", "lib.hp.Model.depth=9"]),
    "SourceFileLoader": ("lib/hp.py", "from importlib.machinery import SourceFileLoader\nhp = SourceFileLoader('hp', 'lib/hp.py').load_module()\n", TARGETS),
    "a loader with a name": ("lib/hp.py", "import importlib.machinery as m, types\nloader = m.SourceFileLoader(fullname='hp', path='lib/hp.py')\nhp = types.ModuleType('hp')\nloader.exec_module(hp)\n", TARGETS),
    "iter_modules": ("configs/hp.py", "import importlib, pkgutil\nfor one in pkgutil.iter_modules(['configs']):\n    hp = importlib.import_module('configs.' + one.name)\n", ["configs.hp.lr=0.5", "configs.hp.Model.depth=9"]),
    "iter_modules, by the finder": ("configs/hp.py", "import importlib, pkgutil\nfor one in pkgutil.iter_modules(['configs']):\n    hp = one.module_finder.find_spec(one.name).loader.load_module(one.name)\n", ["configs.hp.lr=0.5", "configs.hp.Model.depth=9"]),
    "run_path": ("lib/hp.py", "import runpy\nfrom types import SimpleNamespace\nhp = runpy.run_path('lib/hp.py')\nhp = SimpleNamespace(**hp)\n", TARGETS),
    "run_path as the main module": ("hp.py", "import runpy, types\nspace = runpy.run_path('hp.py', run_name='__main__')\nhp = types.SimpleNamespace(**space)\n", TARGETS),
    "run_path, as items": ("lib/hp.py", "from runpy import run_path\nfrom types import SimpleNamespace\ncfg: dict = run_path(path_name='lib/hp.py')\nhp = SimpleNamespace(**cfg)\n", ["cfg['lr']=0.5", "cfg.Model.depth=9"]),
    "run_path in a call, beside the script": ("lib/hp.py", "import runpy, os\nfrom argparse import Namespace\nHERE = os.path.dirname(os.path.abspath(__file__))\npath = os.path.join(HERE, 'lib', 'hp.py')\nhp = Namespace(**runpy.run_path(path))\n", TARGETS),
    "run_path in a comprehension, by pathlib": ("lib/hp.py", "import runpy\nfrom pathlib import Path\nfrom types import SimpleNamespace\nfound = {k: v for k, v in runpy.run_path(str(Path(__file__).resolve().parent / 'lib' / 'hp.py')).items() if k[0] != '_'}\nhp = SimpleNamespace(**found)\n", ["found.lr=0.5", "lib.hp.Model.depth=9"]),
    "run_path of a name that its folder completes": ("lib/hp.py", "import runpy\nfrom pathlib import Path\nfrom types import SimpleNamespace\nname = 'hp'\nhp = SimpleNamespace(**runpy.run_path(f\"{Path(__file__).with_name('lib')}/{name}.py\"))\n", TARGETS),
    "run_path, one class of it": ("lib/hp.py", "import runpy\nfrom types import SimpleNamespace\nm = runpy.run_path('lib/hp.py')['Model']\nhp = SimpleNamespace(**{**runpy.run_path('lib/hp.py'), 'Model': m})\n", ["lib.hp.lr=0.5", "m.depth=9"]),
    "run_path into the globals": ("lib/hp.py", "import runpy, sys\nglobals().update(runpy.run_path('lib/hp.py'))\nhp = sys.modules['__main__']\n", ["lib.hp.lr=0.5", "lib.hp.Model.depth=9"]),
    "run_path in a helper": ("lib/hp.py", "import runner\nhp = runner.hp\n", ["lib.hp.lr=0.5", "lib.hp.Model.depth=9"]),
    "run_path, computed": ("lib/hp.py", "import runpy, os\nfrom types import SimpleNamespace\nfound = [one for one in os.listdir('lib') if one.endswith('.py')]\nhp = SimpleNamespace(**runpy.run_path('lib/' + found[0]))\n", ["lib.hp.lr=0.5", "lib.hp.Model.depth=9"]),
    "run_path after a change of the folder": ("lib/hp.py", "import runpy, os\nfrom types import SimpleNamespace\nos.chdir('lib')\ncfg = runpy.run_path('hp.py')\nhp = SimpleNamespace(**cfg)\n", ["lib.hp.lr=0.5", "lib.hp.Model.depth=9"]),
    "run_module": ("hp.py", "import runpy\nfrom types import SimpleNamespace\ncfg = runpy.run_module('hp')\nhp = SimpleNamespace(**cfg)\n", ["cfg.lr=0.5", "hp.Model.depth=9"]),
    "reloaded": ("lib/hp.py", "import sys, importlib\nsys.path.append('lib')\nimport hp\nhp.lr += 7\nhp = importlib.reload(hp)\n", TARGETS),
}  # fmt: skip


def write(folder: Path, file: str, script: str) -> Path:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    (folder / "helper.py").write_text("import sys\nsys.path.append('lib')\nimport hp\n")
    (folder / "runner.py").write_text(
        "import runpy, types\nhp = types.SimpleNamespace(**runpy.run_path('lib/hp.py'))\n"
    )
    (folder / "s.py").write_text(script + SHOW)
    path.write_text(EDITED)
    return path


@pytest.mark.parametrize("way", FOUND)
def test_a_module_is_matched_when_it_is_imported(tmp_path: Path, way: str) -> None:
    file, script, targets = FOUND[way]
    path = write(tmp_path, file, script)
    expected = run_python(tmp_path, "-B", "s.py")
    assert expected.stdout == "0.5 1.0 18\n", expected
    path.write_text(HP)
    got = run_kogine(tmp_path, "run", "s.py", *targets)
    assert got == expected


LAZY = """\
import importlib
def __getattr__(name):
    if name in ("hp", "inner"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(name)
"""


@pytest.mark.parametrize(
    "made",
    [
        "runpy.run_path('lib/hp.py')",
        "importlib.import_module('lib.hp')",
        "None\nimport lib.hp as cfg",
    ],
)
def test_a_table_of_a_data_file_for_a_name_of_a_module(tmp_path: Path, made: str) -> None:
    script = f"import importlib, runpy\nfrom types import SimpleNamespace\ncfg = {made}\n"
    script += "hp = SimpleNamespace(**cfg) if isinstance(cfg, dict) else cfg\n"
    path = write(tmp_path, "lib/hp.py", script)
    expected = run_python(tmp_path, "-B", "s.py")
    path.write_text(HP)
    (tmp_path / "c.json").write_text('{"cfg": {"lr": 0.5, "Model": {"depth": 9}}}')
    assert run_kogine(tmp_path, "run", "s.py", "--config", "c.json") == expected


@pytest.mark.parametrize("made", ["run_path(name)", "dict(run_path(name))"])
def test_a_name_for_a_file_that_only_the_script_knows(tmp_path: Path, made: str) -> None:
    script = f"import sys\nfrom runpy import run_path\nname = sys.argv[1]\ncfg = {made}\n"
    write(tmp_path, "hp.py", script)
    done = run_kogine(tmp_path, "run", "s.py", "cfg.lr=0.5", "--", "hp.py")
    assert (done.status, done.stdout) == (2, "")
    assert (
        "s.py:4: cannot override 'cfg.lr': 'cfg' is what a file of a computed path" in done.stderr
    )


PACKAGES: dict[str, tuple[str, str]] = {
    "a lazy package": (LAZY, "import pack\nhp = PACK.hp\n"),
    "a lazy package, relative": (
        "def __getattr__(name):\n    import importlib as il\n    return il.import_module('.hp', __name__)\n",
        "import pack\nhp = PACK.hp\n",
    ),
    "a lazy package, by __import__": (
        LAZY.replace("importlib.import_module(f", "__import__(f").replace(
            '}")', "}\", fromlist=['x'])"
        ),
        "import pack\nhp = PACK.hp\n",
    ),
    "a lazy package, under another name": (LAZY, "import PACK as p\nhp = p.hp\n"),
    "a lazy package of a helper": (LAZY, "import helper2\nhp = helper2.PACK.hp\n"),
    "as lazy_loader does": (
        (
            "import importlib\ndef attach(package, names):\n    def load(name):\n"
            "        if name not in names:\n            raise AttributeError(name)\n"
            "        return importlib.import_module(package + '.' + name)\n    return load\n"
            "__getattr__ = attach(__name__, ['hp'])\n"
        ),
        "import pack\nhp = PACK.hp\n",
    ),
    "import_module beside the package": (
        "",
        "import importlib, PACK\nname = 'hp'\nhp = importlib.import_module(f'PACK.{name}')\n",
    ),
    "iter_modules of the package": (
        "",
        (
            "import importlib, pkgutil, PACK\nfor one in pkgutil.iter_modules(PACK.__path__):\n"
            "    hp = importlib.import_module('PACK.' + one.name)\n"
        ),
    ),
}


@pytest.mark.parametrize("way", PACKAGES)
@pytest.mark.parametrize("is_nested", [False, True], ids=["", "nested"])
def test_a_module_that_its_package_imports(tmp_path: Path, way: str, is_nested: bool) -> None:
    init, script = PACKAGES[way]
    inner = "pack/inner" if is_nested else "pack"
    script = script.replace("PACK", inner.replace("/", "."))
    path = write(tmp_path, f"{inner}/hp.py", script)
    (tmp_path / "pack" / "__init__.py").write_text(LAZY)
    (tmp_path / inner / "__init__.py").write_text(init)
    (tmp_path / "helper2.py").write_text("import pack\n")
    expected = run_python(tmp_path, "-B", "s.py")
    assert expected.stdout == "0.5 1.0 18\n", expected
    path.write_text(HP)
    name = inner.replace("/", ".")
    targets = [f"{name}.hp.lr=0.5", f"{name}.hp.Model.depth=9"]
    assert run_kogine(tmp_path, "run", "s.py", *targets) == expected


def with_path(folder: Path, *words: str) -> Finished:
    path = os.pathsep.join([str(folder / "src"), on_path()])
    return run_kogine(folder, *words, PYTHONPATH=path)


def test_a_module_on_the_path(tmp_path: Path) -> None:
    path = write(tmp_path, "src/hp.py", "import hp\n")
    expected = run_python(tmp_path, "-B", "s.py", PYTHONPATH="src")
    path.write_text(HP)
    assert with_path(tmp_path, "run", "s.py", *TARGETS) == expected


SAFE = """\
import sys
try:
    import beside
except ImportError:
    beside = None
print(sys.path[0], beside)
import hp
"""


ADDS_ITSELF = "import os, sys\nsys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))\n"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="new in Python 3.11")
@pytest.mark.parametrize("script", ["s.py", "app"])
def test_a_safe_path(tmp_path: Path, script: str) -> None:
    file = write(tmp_path, "lib/hp.py", SAFE)
    (tmp_path / "app").mkdir()
    shutil.copy(tmp_path / "s.py", tmp_path / "app/__main__.py")
    for place in ("beside.py", "app/beside.py"):
        (tmp_path / place).touch()
    path = {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(["lib", on_path()])}
    expected = run_python(tmp_path, script, **path)
    file.write_text(HP)
    for mode in ([], ["--mode", "inline"], ["--mode", "warm"]):
        got = run_kogine(tmp_path, "run", *mode, script, *TARGETS, **path)
        assert (got.stdout, got.status) == (expected.stdout, 0), mode
    # It is found before the run, so that a text that does not fit stops it.
    assert run_kogine(tmp_path, "run", script, "hp.lr=much", **path).status == 2


@pytest.mark.skipif(sys.version_info < (3, 11), reason="new in Python 3.11")
@pytest.mark.parametrize("safe", ["", "1"], ids=["", "safe"])
@pytest.mark.parametrize("script", ["s.py", "app", "added.py"])
def test_two_modules_of_one_name(tmp_path: Path, script: str, safe: str) -> None:
    write(tmp_path, "lib/hp.py", "import hp\n")
    (tmp_path / "app").mkdir()
    text = (tmp_path / "s.py").read_text()
    (tmp_path / "app/__main__.py").write_text(text)
    (tmp_path / "added.py").write_text(ADDS_ITSELF + text)
    own = {"s.py": "hp.py", "app": "app/hp.py", "added.py": "hp.py"}[script]
    wanted = "lib/hp.py" if safe and script == "s.py" else own
    files = [tmp_path / one for one in ("hp.py", "app/hp.py", "lib/hp.py")]
    if script == "added.py":  # only the running script can tell which of two it finds
        files.pop().unlink()
    for file in files:
        file.write_text(EDITED if file == tmp_path / wanted else HP.replace("0.1", "7"))
    path = {"PYTHONSAFEPATH": safe, "PYTHONPATH": os.pathsep.join(["lib", on_path()])}
    expected = run_python(tmp_path, "-B", script, **path)
    assert expected.stdout == "0.5 1.0 18\n", expected
    (tmp_path / wanted).write_text(HP)
    for mode in ([], ["--mode", "spawn"], ["--mode", "warm"]):
        got = run_kogine(tmp_path, "run", *mode, script, *TARGETS, **path)
        assert (got.stdout, got.status) == (expected.stdout, 0), (mode, got)
        assert "warning" not in got.stderr, got


def test_a_module_in_an_archive(tmp_path: Path) -> None:
    write(tmp_path, "hp.py", "import sys\nsys.path.append('lib.zip')\nimport hp\n").unlink()
    for text in (EDITED, HP):
        with zipfile.ZipFile(tmp_path / "lib.zip", "w") as archive:
            archive.writestr("hp.py", text)
        if text is EDITED:
            expected = run_python(tmp_path, "-B", "s.py")
    assert expected.stdout == "0.5 1.0 18\n", expected
    assert run_kogine(tmp_path, "run", "s.py", *TARGETS) == expected


ADDED = "import sys, os\nsys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))\nimport hp\n"
CHILDREN = """\
import multiprocessing
def work(n):
    return hp.lr, hp.twice
if __name__ == "__main__":
    with multiprocessing.get_context("METHOD").Pool(1) as pool:
        print(pool.map(work, [1]))
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
@pytest.mark.parametrize("file", ["lib/hp.py", "src/hp.py"])
def test_children_too(tmp_path: Path, method: str, file: str) -> None:
    path = write(tmp_path, file, ADDED + CHILDREN.replace("METHOD", method))
    expected = run_python(tmp_path, "-B", "s.py", PYTHONPATH="src")
    path.write_text(HP)
    assert with_path(tmp_path, "run", "s.py", *TARGETS) == expected


IN_CHILDREN = """\
import multiprocessing, sys
def work(n):
    sys.path.append("lib")
    import hp
    return hp.lr, hp.twice
if __name__ == "__main__":
    with multiprocessing.get_context("METHOD").Pool(1) as pool:
        print(pool.map(work, [1]))
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
@pytest.mark.parametrize("file", ["lib/hp.py", "src/hp.py"])
def test_a_module_that_only_a_child_imports(tmp_path: Path, method: str, file: str) -> None:
    path = write(tmp_path, file, "")
    (tmp_path / "s.py").write_text(IN_CHILDREN.replace("METHOD", method))
    expected = run_python(tmp_path, "-B", "s.py", PYTHONPATH="src")
    path.write_text(HP)
    done = with_path(tmp_path, "run", "s.py", *TARGETS)
    assert (done.status, done.stdout) == (expected.status, expected.stdout)
    warned = done.stderr.splitlines()
    assert len(warned) == 2, done
    assert all("was not used in this process: " in line for line in warned)
    assert all("a child process that runs it has the value" in line for line in warned)


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
@pytest.mark.parametrize("file", ["lib/hp.py", "src/hp.py"])
def test_every_run_of_a_sweep_has_its_own_value(tmp_path: Path, mode: str, file: str) -> None:
    write(tmp_path, file, ADDED).write_text(HP)
    done = with_path(
        tmp_path, "run", "s.py", "--mode", mode, "--no-record", "--sweep", "hp.lr=1,2,3"
    )
    lines = [line.split("] ")[-1] for line in done.stdout.splitlines() if line.endswith(" 6")]
    assert (done.status, sorted(lines)) == (0, ["1.0 2.0 6", "2.0 4.0 6", "3.0 6.0 6"]), done


TRACED = """\
import sys, os
seen = []
def tracer(frame, event, arg):
    if not frame.f_code.co_filename.startswith((sys.prefix, sys.base_prefix, "<")):
        seen.append((frame.f_code.co_name, frame.f_lineno, event))
    return tracer
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
sys.settrace(tracer)
import json.tool, hp
sys.settrace(None)
print(hp.lr, hp.twice, *seen, sep="\\n")
"""


@pytest.mark.skipif(sys.version_info < (3, 11), reason="there our frames can be seen")
def test_a_tracer_sees_no_frame_of_ours(tmp_path: Path) -> None:
    path = write(tmp_path, "lib/hp.py", TRACED)
    expected = run_python(tmp_path, "-B", "s.py", PYTHONPATH="src")
    path.write_text(HP)
    assert with_path(tmp_path, "run", "s.py", *TARGETS) == expected


def test_a_warm_server_has_not_imported_the_module(tmp_path: Path) -> None:
    write(tmp_path, "src/hp.py", "import user\nimport hp\n").write_text(HP)
    (tmp_path / "src" / "user.py").write_text("import hp\nprint(hp.twice)\n")
    done = with_path(
        tmp_path, "run", "s.py", "--mode", "warm", "--no-record", "--sweep", "hp.lr=1,2"
    )
    lines = [line.split("] ")[-1] for line in done.stdout.splitlines()]
    assert sorted(lines) == ["1.0 2.0 6", "2.0", "2.0 4.0 6", "4.0"], done


def test_a_run_in_this_process_leaves_the_module_as_it_was(tmp_path: Path) -> None:
    write(tmp_path, "src/hp.py", "import user\n" + ADDED).write_text(HP)
    (tmp_path / "src" / "user.py").write_text("import hp\nfour = hp.twice * 2\n")
    (tmp_path / "s.py").write_text("import user\nprint(user.four)\n")
    (tmp_path / "api.py").write_text(
        "import user\nfrom kohaku_ast import Script, Config\n"
        "for lr in (1, 2):\n    Script('s.py', Config({'hp.lr': lr})).run()\nprint(user.four)\n"
    )
    path = os.pathsep.join([str(tmp_path / "src"), on_path()])
    done = run_python(tmp_path, "api.py", PYTHONPATH=path)
    assert done.stdout == "4\n8\n0.4\n", done


@pytest.mark.parametrize(
    ("target", "words"),
    [
        pytest.param("hp.rl=1", "hp.py: no parameter 'rl'. Did you mean 'lr' (line 1)?", id="name"),
        pytest.param("hp.lr=x", "hp.py:1: lr=x: expected float", id="type"),
    ],
)
def test_a_mistake_ends_the_run_at_the_import(tmp_path: Path, target: str, words: str) -> None:
    script = "print('before')\n" + ADDED.replace(
        "import hp", "try:\n    import hp\nexcept Exception:\n    pass"
    )
    write(tmp_path, "lib/hp.py", script).write_text(HP)
    done = run_kogine(tmp_path, "run", "s.py", target)
    assert (done.status, done.stdout) == (2, "before\n"), done
    assert f"kogine: error: {words}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_module_that_is_never_imported(tmp_path: Path) -> None:
    write(tmp_path, "hp.py", "")
    (tmp_path / "s.py").write_text("import sys\nif len(sys.argv) > 5:\n    import elsewhere\n")
    done = run_kogine(tmp_path, "run", "s.py", "elsewhere.lr=1")
    assert done.status == 0
    assert "override 'elsewhere.lr' was not used: its module was not imported" in done.stderr


def test_a_variable_for_a_module_of_a_computed_name(tmp_path: Path) -> None:
    write(
        tmp_path,
        "configs/base.py",
        "import importlib\nhp = importlib.import_module(f'configs.{1}')\n",
    )
    done = run_kogine(tmp_path, "run", "s.py", "hp.lr=1")
    assert (done.status, done.stdout) == (2, "")
    assert "s.py:2: cannot override 'hp.lr': 'hp' is a module that is imported by" in done.stderr


@pytest.mark.parametrize("target", ["hp.lr=1", "nothing.lr=1", "json.lr=1"])
def test_a_module_that_nothing_imports_is_refused(tmp_path: Path, target: str) -> None:
    write(tmp_path, "hp.py", "")
    (tmp_path / "s.py").write_text("import os\nprint('ran')\n")
    done = run_kogine(tmp_path, "run", "s.py", target)
    assert (done.status, done.stdout) == (2, "")


def test_a_compiled_module_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "lib/hp.py", ADDED)
    run_python(tmp_path, "-m", "compileall", "-b", "-q", "lib")
    path.unlink()
    assert (tmp_path / "lib" / "hp.pyc").exists()
    done = run_kogine(tmp_path, "run", "s.py", "hp.lr=1")
    assert done.status == 2
    assert "is compiled and has no text" in done.stderr


@pytest.mark.parametrize(
    ("file", "imports", "target"),
    [
        pytest.param("hp.py", "import hp\n", "hp.lr", id="beside the script"),
        pytest.param("hp.py", "import hp as h\nhp = h\n", "h.lr", id="another name"),
        pytest.param("hp.py", "from hp import lr\nimport hp\n", "hp.lr", id="from import"),
        pytest.param("pack/hp.py", "from pack import hp\n", "pack.hp.lr", id="in a folder"),
        pytest.param("hp/__init__.py", "import hp\n", "hp.lr", id="a package"),
        pytest.param("src/hp.py", "import hp\n", "hp.lr", id="PYTHONPATH"),
    ],
)
def test_a_compiled_module_is_refused_before_the_run(
    tmp_path: Path, file: str, imports: str, target: str
) -> None:
    path = write(tmp_path, file, f"print('ran')\n{imports}")
    compiled = run_python(tmp_path, "-m", "compileall", "-b", "-q", os.path.dirname(file) or file)
    assert compiled.status == 0
    path.unlink()
    assert with_path(tmp_path, "run", "s.py").stdout.startswith("ran\n0.5")
    done = with_path(tmp_path, "run", "s.py", f"{target}=1")
    assert (done.status, done.stdout) == (2, "")
    assert "is compiled and has no text" in done.stderr


LOADED = """\
import importlib.util
def load(path):
    spec = importlib.util.spec_from_file_location(NAME, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
cfg = load("lib/hp.py")
hp = cfg
"""


@pytest.mark.parametrize("name", ["'configuration'", "'_'.join(['configuration'])"])
def test_a_module_that_has_run_is_never_set(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, "lib/hp.py", LOADED.replace("NAME", name))
    expected = run_python(tmp_path, "-B", "s.py")
    path.write_text(HP)
    done = run_kogine(tmp_path, "run", "s.py", "cfg.lr=0.5")
    assert (done.status, done.stdout) == (2, "")
    assert "s.py:7: cannot override 'cfg.lr': the module 'configuration'" in done.stderr
    assert "Override 'configuration.lr'" in done.stderr
    targets = ["configuration.lr=0.5", "configuration.Model.depth=9"]
    assert run_kogine(tmp_path, "run", "s.py", *targets) == expected


def test_inspect_says_what_it_cannot_find(tmp_path: Path) -> None:
    write(tmp_path, "src/hp.py", "import hp, importlib, lost\nimportlib.import_module(f'a.{hp}')\n")
    done = with_path(tmp_path, "run", "--inspect", "--modules", "s.py")
    assert "hp.Model.depth" in done.stdout
    assert "not found now: lost (s.py:1)" in done.stdout
    assert "imported by computed names (s.py:2)" in done.stdout
    as_json = with_path(tmp_path, "run", "--inspect", "--modules", "--format", "json", "s.py")
    assert '"computed": [\n      "s.py:2"\n    ]' in as_json.stdout


def test_nothing_of_ours_is_in_the_import_system(tmp_path: Path) -> None:
    script = "import sys\nprint([type(one).__module__ for one in sys.meta_path if 'kohaku' in type(one).__module__])\n"
    write(tmp_path, "lib/hp.py", script + ADDED)
    done = run_kogine(tmp_path, "run", "s.py", "hp.lr=1")
    assert done.stdout.startswith("[]\n"), (done, sys.version)


BETWEEN: dict[str, tuple[str, str, str, list[str]]] = {
    "by import": ("hp.py", "data.py", "import hp\n", ["data.hp.lr=0.5", "data.hp.Model.depth=9"]),
    "by another name": ("hp.py", "data.py", "import hp as settings\nhp = settings\n", ["data.settings.lr=0.5", "data.settings.Model.depth=9"]),
    "both ways": ("hp.py", "data.py", "import hp\n", ["data.hp.lr=0.5", "hp.Model.depth=9"]),
    "of its package": ("pack/hp.py", "pack/data.py", "from . import hp\n", ["pack.data.hp.lr=0.5", "pack.data.hp.Model.depth=9"]),
    "in a package": ("pack/hp.py", "pack/__init__.py", "from . import hp\n", ["pack.hp.lr=0.5", "pack.hp.Model.depth=9"]),
    "from the folder of the script": ("hp.py", "pack/data.py", "import hp\n", ["pack.data.hp.lr=0.5", "pack.data.hp.Model.depth=9"]),
    "in a function": ("hp.py", "data.py", "def load():\n    import hp\n    return hp\nhp = load()\n", ["data.hp.lr=0.5", "hp.Model.depth=9"]),
    "found when it is imported": ("lib/hp.py", "lib/data.py", "import hp\n", ["data.hp.lr=0.5", "data.hp.Model.depth=9"]),
}  # fmt: skip


@pytest.mark.parametrize("way", BETWEEN)
def test_a_module_that_another_one_imports(tmp_path: Path, way: str) -> None:
    file, between, text, targets = BETWEEN[way]
    name = between.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    name = name.removeprefix("lib.")
    path = write(
        tmp_path, file, f"import sys\nsys.path.append('lib')\nimport {name}\nhp = {name}.hp\n"
    )
    (tmp_path / between).parent.mkdir(exist_ok=True)
    (tmp_path / between).write_text(text)
    expected = run_python(tmp_path, "-B", "s.py")
    assert expected.stdout == "0.5 1.0 18\n", expected
    path.write_text(HP)
    assert run_kogine(tmp_path, "run", "s.py", *targets) == expected


MISTAKES = {
    "unknown": (["data.hp.lrr=1"], "hp.py: no parameter 'lrr'. Did you mean 'lr' (line 1)?"),
    "given by both names": (["data.hp.lr=1", "hp.lr=2"], "'lr' is given twice"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_module_that_another_one_imports(tmp_path: Path, name: str) -> None:
    targets, message = MISTAKES[name]
    write(tmp_path, "hp.py", "import data\nhp = data.hp\n").write_text(HP)
    (tmp_path / "data.py").write_text("import hp\n")
    got = run_kogine(tmp_path, "run", "s.py", *targets)
    assert (got.status, got.stdout) == (2, "")
    assert message in got.stderr


def test_a_module_that_was_imported_before_the_one_that_names_it(tmp_path: Path) -> None:
    script = "import sys\nsys.path.append('lib')\nimport hp\nimport data\n"
    write(tmp_path, "lib/hp.py", script).write_text(HP)
    (tmp_path / "lib/data.py").write_text("import hp\n")
    got = run_kogine(tmp_path, "run", "s.py", "data.hp.lr=1")
    assert (got.status, got.stdout) == (2, "")
    assert "write hp.lr as the target" in got.stderr


LOAD = """\
import importlib.util
def load(path):
    spec = importlib.util.spec_from_file_location("hp", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
"""
LOADED_THERE = """\
spec = importlib.util.spec_from_file_location("hp", "b/hp.py")
other = importlib.util.module_from_spec(spec)
spec.loader.exec_module(other)
"""
ONE_NAME: dict[str, tuple[str, str]] = {
    "path changed": ("lib", "import sys\nsys.path.append('lib')\nimport hp\ndel sys.modules['hp']\nsys.path[-1] = 'b'\nimport hp as other\n"),
    "by path": ("lib", LOAD + "hp, other = load('lib/hp.py'), load('b/hp.py')\n"),
    "by import and by path": ("lib", "import importlib.util, sys\nsys.path.append('lib')\nimport hp\n" + LOADED_THERE),
    "beside the script and by path": (".", "import importlib.util, hp\n" + LOADED_THERE),
    "by load_module": ("lib", "import sys\nsys.path.append('lib')\nimport hp\nfrom importlib.machinery import SourceFileLoader\nother = SourceFileLoader('hp', 'b/hp.py').load_module()\n"),
}  # fmt: skip
SHOW_BOTH = "print(hp.lr, hp.twice, other.lr, other.twice)\n"


def two_files(folder: Path, way: str, first: str, second: str) -> None:
    place, script = ONE_NAME[way]
    for name, text in ((place, first), ("b", second)):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "hp.py").write_text(text)
    (folder / "s.py").write_text(script + SHOW_BOTH)


@pytest.mark.parametrize("mode", ["", "spawn", "warm"])
@pytest.mark.parametrize(
    ("way", "target"),
    [(way, "hp.lr=0.5") for way in ONE_NAME]
    + [(way, "other.lr=0.5") for way in ONE_NAME if way != "by path"],
)
def test_of_two_files_of_one_name_the_first_has_the_override_and_a_warning_names_the_other(
    tmp_path: Path, way: str, mode: str, target: str
) -> None:
    two_files(tmp_path, way, EDITED, HP)
    expected = run_python(tmp_path, "-B", "s.py")
    two_files(tmp_path, way, HP, HP)
    words = ["--mode", mode, "--no-record"] if mode else []
    got = run_kogine(tmp_path, "run", "s.py", target, *words)
    assert got.status == 0, got
    assert expected.stdout in got.stdout
    place = ONE_NAME[way][0]
    assert "warning: overrides of the module 'hp' are those of " in got.stderr
    assert f"{os.path.normpath(os.path.join(place, 'hp.py'))}: " in got.stderr
    assert "b/hp.py, which has the same name, has its own values" in got.stderr


@pytest.mark.parametrize("way", [way for way in ONE_NAME if way != "path changed"])
def test_of_two_files_of_one_name_each_is_named_by_its_path(tmp_path: Path, way: str) -> None:
    two_files(tmp_path, way, HP, EDITED)
    expected = run_python(tmp_path, "-B", "s.py")
    two_files(tmp_path, way, HP, HP)
    got = run_kogine(tmp_path, "run", "s.py", "b.hp.lr=0.5")
    assert got == expected


@pytest.mark.parametrize(
    ("way", "target"), [("path changed", "b.hp.lr=0.5"), ("by path", "other.lr=0.5")]
)
def test_of_two_files_of_one_name_what_cannot_be_named_is_refused(
    tmp_path: Path, way: str, target: str
) -> None:
    two_files(tmp_path, way, HP, HP)
    done = run_kogine(tmp_path, "run", "s.py", target)
    assert (done.status, done.stdout) == (2, "")


IN_A_CHILD = """\
import multiprocessing
def work(n):
    import importlib.util
    spec = importlib.util.spec_from_file_location("hp", "lib/hp.py")
    hp = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hp)
    return hp.lr, hp.twice
if __name__ == "__main__":
    print(work(1))
    with multiprocessing.get_context("METHOD").Pool(1) as pool:
        print(pool.map(work, [1]))
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
@pytest.mark.parametrize("mode", ["", "spawn", "warm", "inline"])
@pytest.mark.parametrize("target", ["hp.lr=0.5", "lib.hp.lr=0.5"])
def test_a_module_by_its_path_in_a_child(
    tmp_path: Path, method: str, mode: str, target: str
) -> None:
    path = write(tmp_path, "lib/hp.py", "")
    (tmp_path / "s.py").write_text(IN_A_CHILD.replace("METHOD", method))
    expected = run_python(tmp_path, "-B", "s.py")
    path.write_text(HP)
    words = ["--mode", mode, "--no-record"] if mode else []
    got = run_kogine(tmp_path, "run", "s.py", target, *words)
    assert (got.status, expected.stdout in got.stdout) == (0, True), got
    assert "warning" not in got.stderr


def test_a_text_that_is_run_and_not_imported_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "hp.py", "space = {}\nexec(open('hp.py').read(), space)\nprint(space['lr'])\n")
    done = run_kogine(tmp_path, "run", "s.py", "hp.lr=0.5")
    assert (done.status, done.stdout) == (2, "")
    assert "no parameter 'hp.lr'" in done.stderr


def test_run_module_is_an_import(tmp_path: Path) -> None:
    path = write(tmp_path, "hp.py", "")
    (tmp_path / "s.py").write_text("import runpy\nprint(runpy.run_module('hp')['twice'])\n")
    expected = run_python(tmp_path, "-B", "s.py")
    path.write_text(HP)
    assert run_kogine(tmp_path, "run", "s.py", "hp.lr=0.5") == expected


@pytest.mark.parametrize("name", ["marshal", "os"])
def test_a_file_that_python_never_imports_is_no_module(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("lr = 0.1\n")
    (tmp_path / "s.py").write_text(f"import {name}\nprint(getattr({name}, 'lr', None))\n")
    assert f"{name}.lr" not in run_kogine(tmp_path, "run", "--inspect", "s.py", "--modules").stdout
    for mode in ([], ["--mode", "spawn"], ["--mode", "inline"]):
        done = run_kogine(tmp_path, "run", "s.py", f"{name}.lr=2", *mode, "--no-record")
        assert (done.status, done.stdout) == (0, "2\n"), done.stderr  # of the module itself
        assert "set a name that was not there before" in done.stderr
