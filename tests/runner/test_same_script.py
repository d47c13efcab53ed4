"""The script imported under its own name, and started again: against edited copies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.oracle import Finished, compare, on_path, run_kogine, run_python

HELPER = "def show():\n    import s\n    print('again', s.lr, s.twice, s.__name__, len(s.items))\n"
SCRIPT = """\
lr = 0.1
items = []
items.append(lr)
twice = lr * 2
import helper
if __name__ == "__main__":
    print("main", lr)
    helper.show()
else:
    print("imported", __name__, lr)
"""
EDITS = [("lr = 0.1", "lr = 0.5"), ("items = []", "items = [0]")]
TARGETS = ["lr=0.5", "items=[0]"]

IMPORTS = {
    "by name": "import s\n",
    "computed": "import importlib\ns = importlib.import_module('s')\n",
    "from": "from s import lr\nimport s\n",
    "reloaded": "import s, importlib\nimportlib.reload(s)\nimportlib.reload(s)\n",
    "by path": "import importlib.util\nspec = importlib.util.spec_from_file_location('other', 's.py')\ns = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(s)\n",
    "as a package's": "import sys, os\nsys.path.insert(0, os.path.dirname(os.getcwd()))\ns = __import__(os.path.basename(os.getcwd()) + '.s').s\n",
    "run_module": "import runpy, types\ns = types.SimpleNamespace(**runpy.run_module('s'))\n",
}  # fmt: skip


@pytest.mark.parametrize("way", IMPORTS)
def test_the_script_is_imported_again(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "pack"
    folder.mkdir()
    inner = IMPORTS[way] + "print('again', s.lr, s.twice, s.__name__, len(s.items))\n"
    (folder / "helper.py").write_text(
        "def show():\n" + "".join(f"    {line}\n" for line in inner.splitlines())
    )
    expected, got = compare(folder, SCRIPT.encode(), EDITS, TARGETS, name="s.py")
    assert "again 0.5 1.0" in expected.stdout, expected
    assert got == expected


CHILDREN = {
    "spawn": "multiprocessing.get_context('spawn').Pool(1)",
    "forkserver": "multiprocessing.get_context('forkserver').Pool(1)",
    "fork": "multiprocessing.get_context('fork').Pool(1)",
}
CHILD = """\
import multiprocessing
import helper
lr = 0.1
twice = lr * 2
items = []
if __name__ == "__main__":
    with START as pool:
        pool.apply(helper.show)
"""


@pytest.mark.parametrize("start", CHILDREN)
def test_a_child_imports_the_script(tmp_path: Path, start: str) -> None:
    (tmp_path / "helper.py").write_text(HELPER)
    text = CHILD.replace("START", CHILDREN[start])
    expected, got = compare(tmp_path, text.encode(), EDITS[:1], TARGETS[:1], name="s.py")
    assert "again 0.5 1.0 s" in expected.stdout, expected
    assert got == expected


def test_a_worker_of_joblib_imports_the_script(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("def lr(_):\n    import s\n    return s.lr\n")
    text = "lr = 0.1\nif __name__ == '__main__':\n    import helper\n    from joblib import Parallel, delayed\n    print(Parallel(n_jobs=2)(delayed(helper.lr)(i) for i in range(2)))\n"
    expected, got = compare(tmp_path, text.encode(), EDITS[:1], TARGETS[:1], name="s.py")
    assert expected.stdout == "[0.5, 0.5]\n", expected
    assert got == expected


def test_a_script_with_the_name_of_a_library(tmp_path: Path) -> None:
    """Then a library that imports that name gets the script."""
    text = "wide = 0.1\nimport tabulated\nif __name__ == '__main__':\n    print(tabulated.wide)\n"
    (tmp_path / "tabulated.py").write_text("import colors\nwide = colors.wide\n")
    expected, got = compare(
        tmp_path, text.encode(), [("wide = 0.1", "wide = 0.5")], ["wide=0.5"], name="colors.py"
    )
    assert expected.stdout == "0.5\n", expected
    assert got == expected


def test_a_module_of_a_package_imports_itself(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").touch()
    text = (
        "lr = 0.1\nif __name__ == '__main__':\n    import pkg.train\n    print(lr, pkg.train.lr)\n"
    )
    script = tmp_path / "pkg" / "train.py"
    script.write_text(text.replace("0.1", "0.5"))
    expected = run_python(tmp_path, "-B", "-m", "pkg.train")
    script.write_text(text)
    assert run_kogine(tmp_path, "run", "-m", "pkg.train", "lr=0.5") == expected


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_every_mode(tmp_path: Path, mode: str) -> None:
    (tmp_path / "helper.py").write_text(HELPER)
    (tmp_path / "s.py").write_text(SCRIPT)
    done = run_kogine(
        tmp_path,
        "run",
        "s.py",
        "--mode",
        mode,
        "--no-record",
        "--sweep",
        "lr=1,2",
        "--workers",
        "1",
    )
    lines = [line.split("] ")[-1] for line in done.stdout.splitlines()]
    assert [line for line in lines if "again" in line] == [
        "again 1.0 2.0 s 1", "again 2.0 4.0 s 1",
    ], done  # fmt: skip


RESTARTS = {
    "os.execv": "os.execv(sys.executable, [sys.executable, *sys.argv])",
    "os.execvp": "os.execvp(sys.executable, [sys.executable, __file__])",
    "os.execle": "os.execle(sys.executable, sys.executable, sys.argv[0], os.environ)",
    "subprocess.run": "subprocess.run([sys.executable, __file__]); sys.exit()",
    "subprocess.Popen": "subprocess.Popen([sys.executable, '-u', sys.argv[0]]).wait(); sys.exit()",
    "a shell": "subprocess.check_call(f'{sys.executable} s.py', shell=True); sys.exit()",
    "os.system": "os.system(f'{sys.executable} s.py'); sys.exit()",
    "os.posix_spawn": "os.waitpid(os.posix_spawn(sys.executable, [sys.executable, 's.py'], os.environ), 0); sys.exit()",
    "as a module": "subprocess.run([sys.executable, '-m', 's', 'x']); sys.exit()",
    "in another folder": "os.makedirs('sub', exist_ok=True); subprocess.run([sys.executable, '../s.py'], cwd='sub'); sys.exit()",
    "by subprocess, as input": "subprocess.run([sys.executable], stdin=open(__file__)); sys.exit()",
    "by subprocess, as input of a shell": "subprocess.run(f'{sys.executable} - < s.py', shell=True); sys.exit()",
    "by subprocess, imported": "subprocess.run([sys.executable, '-c', 'import s']); sys.exit()",
    "by subprocess, imported from": "subprocess.run([sys.executable, '-c', 'import sys; from s import lr']); sys.exit()",
    "by subprocess, run by its path": "subprocess.run([sys.executable, '-c', 'import runpy; runpy.run_path(\"s.py\")']); sys.exit()",
    "by subprocess, its text as input": "subprocess.run([sys.executable], input=open(__file__).read(), text=True); sys.exit()",
    "by subprocess, its text behind a dash": "subprocess.run([sys.executable, '-'], input=open(__file__, 'rb').read()); sys.exit()",
    "by subprocess, its text for communicate": "subprocess.Popen([sys.executable, '-u'], stdin=subprocess.PIPE).communicate(open(__file__, 'rb').read()); sys.exit()",
    "by subprocess, its text as a command": "subprocess.run([sys.executable, '-c', open(__file__).read()]); sys.exit()",
    "os.execv of its text": "os.execv(sys.executable, [sys.executable, '-c', open(__file__).read()])",
    "os.spawnv": "os.spawnv(os.P_WAIT, sys.executable, [sys.executable, 's.py']); sys.exit()",
}  # fmt: skip
AGAIN = """\
import os, subprocess, sys
lr = 0.1
if os.environ.get("READY") != "1":
    os.environ["READY"] = "1"
    sys.stdout.flush()
    RESTART
print(lr)
"""


NOTHING_LOST = {
    "a number": ("lr = 0.1", "lr=0.1"),
    "a text": ("lr = 'a'", "lr=a"),
    "a list": ("lr = [1, {'a': (2, -3)}]", "lr=[1, {'a': (2, -3)}]"),
    "a sum": ("lr = 3 * 7", "lr=21"),
    "an entry": ("cfg = {'lr': 0.1}\nlr = cfg['lr']", "cfg.lr=0.1"),
    "a field": (
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    lr: float = 0.1\nlr = A().lr",
        "A.lr=0.1",
    ),
}
LOST = {
    "another type": ("lr = None", "lr=1"),
    "a negative zero": ("lr = 0.0", "lr=-0.0"),
    "the other branch": ("if 'READY' in os.environ:\n    lr = 1\nelse:\n    lr = 2", "lr=1"),
    "a name": ("one = 1\nlr = one", "lr=1"),
    "a call": ("lr = int('1')", "lr=1"),
}


@pytest.mark.parametrize("case", [*NOTHING_LOST, *LOST])
def test_a_restart_that_loses_nothing_says_nothing(tmp_path: Path, case: str) -> None:
    definition, override = {**NOTHING_LOST, **LOST}[case]
    text = AGAIN.replace("RESTART", RESTARTS["subprocess.run"]).replace("lr = 0.1", definition)
    (tmp_path / "s.py").write_text(text)
    plain = run_python(tmp_path, "s.py")
    done = run_kogine(tmp_path, "run", "s.py", override)
    assert (done.status, done.stdout) == (0, plain.stdout)
    assert done.stderr.count("starts itself again") == (case in LOST)


@pytest.mark.parametrize("way", RESTARTS)
def test_a_script_that_starts_itself_again(tmp_path: Path, way: str) -> None:
    (tmp_path / "s.py").write_text(AGAIN.replace("RESTART", RESTARTS[way]))
    assert run_python(tmp_path, "s.py").stdout == "0.1\n"
    done = run_kogine(tmp_path, "run", "s.py", "lr=0.5")
    assert (done.status, done.stdout) == (0, "0.1\n"), done
    shown = "subprocess" if "subprocess" in RESTARTS[way] else "os."
    assert done.stderr.startswith(f"kogine: warning: s.py starts itself again ({shown}")
    assert "lr keeps its value of the file there" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_module_that_starts_itself_again(tmp_path: Path) -> None:
    (tmp_path / "pk").mkdir()
    (tmp_path / "pk" / "__init__.py").touch()
    again = "subprocess.run([sys.executable, '-m', 'pk.t', 'x']); sys.exit()"
    (tmp_path / "pk" / "t.py").write_text(AGAIN.replace("RESTART", again))
    done = run_kogine(tmp_path, "run", "-m", "pk.t", "lr=0.5")
    assert (done.status, done.stdout) == (0, "0.1\n"), done
    assert done.stderr.startswith("kogine: warning: t.py starts itself again (subprocess)")


LR = "import hp\nprint(hp.lr)\n"
STARTED = {
    "by subprocess": (LR, "subprocess.run([sys.executable, 'other.py'])", "subprocess"),
    "by os.system": (LR, "os.system(f'{sys.executable} -u other.py 1')", "os.system"),
    "by Popen in another folder": (LR, "subprocess.Popen([sys.executable, '../other.py'], cwd='sub').wait()", "subprocess"),
    "as a module": (LR, "subprocess.check_call([sys.executable, '-m', 'other'])", "subprocess"),
    "through a module of its own": ("import part.inner\n", "subprocess.run([sys.executable, 'other.py'])", "subprocess"),
    "in a function": ("def main():\n    from hp import lr\n    print(lr)\nmain()\n", "subprocess.run([sys.executable, 'other.py'])", "subprocess"),
    "in its guard": ("if __name__ == '__main__':\n    import hp\n    print(hp.lr)\n", "subprocess.run([sys.executable, 'other.py'])", "subprocess"),
    "as code": (LR, "subprocess.run([sys.executable, '-c', 'import hp; print(hp.lr)'])", "subprocess"),
    "as code of a shell": (LR, "subprocess.run(f'{sys.executable} -c \"import hp; print(hp.lr)\"', shell=True)", "subprocess"),
    "as code by os.system": (LR, "os.system(f\"{sys.executable} -c 'import hp; print(hp.lr)'\")", "os.system"),
    "with a search path of its own": (LR, "subprocess.run([sys.executable, '../sub/far.py'], cwd='part', env={**os.environ, 'PYTHONPATH': '..'})", "subprocess"),
    "by kogine": (LR, "subprocess.run([sys.executable, KOGINE, 'run', 'other.py'])", "subprocess"),
    "without PYTHONPATH": (LR, "del os.environ['PYTHONPATH']; subprocess.run([sys.executable, 'other.py'])", "subprocess"),
}  # fmt: skip
STARTER = """\
import os, subprocess, sys
import hp
os.makedirs('sub', exist_ok=True)
with open('sub/far.py', 'w') as file: file.write(open('other.py').read())
KOGINE = {kogine!r}
sys.stdout.flush()
START
"""


def start_other(folder: Path, other: str, start: str, *targets: str) -> Finished:
    (folder / "hp.py").write_text("lr = 0.1\n")
    (folder / "part").mkdir()
    (folder / "part" / "inner.py").write_text("from hp import *\nprint(lr)\n")
    (folder / "lib.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import hp\n"
        "if __name__ == '__main__':\n    import hp\n"
    )
    (folder / "other.py").write_text(other)
    kogine = str(Path(__file__).parents[1] / "kogine_command.py")
    script = STARTER.replace("{kogine!r}", repr(kogine)).replace("START", start)
    (folder / "s.py").write_text(script)
    return run_kogine(folder, "run", "s.py", *(targets or ["hp.lr=0.5"]))


@pytest.mark.parametrize("way", STARTED)
def test_a_script_that_starts_another_one_without_its_overrides(tmp_path: Path, way: str) -> None:
    other, start, shown = STARTED[way]
    done = start_other(tmp_path, other, start)
    assert (done.status, done.stdout) == (0, "0.1\n"), done
    name = "Python code (-c)" if "code" in way else "far.py" if "search" in way else "other.py"
    said = f"kogine: warning: s.py starts {name} ({shown}), which imports what is overridden: hp.lr"
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["'hp.py'", "'-m', 'hp'"])
def test_a_script_that_starts_a_module_with_overrides(tmp_path: Path, command: str) -> None:
    done = start_other(tmp_path, "", f"subprocess.run([sys.executable, {command}])")
    assert (done.status, done.stdout) == (0, ""), done
    said = "kogine: warning: s.py starts hp.py (subprocess), which is overridden: hp.lr keeps"
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


NOTHING_LEFT = {
    "a child that imports something else": ("import json\n'hp.lr'\n", "[sys.executable, 'other.py']"),
    "a text that looks like an import": ('"""\nimport hp\n"""\n', "[sys.executable, 'other.py']"),
    "an import for types, and in the guard of a module": ("import lib\n", "[sys.executable, 'other.py']"),
    "a package of that name elsewhere": ("try:\n    import part.hp\nexcept ImportError:\n    pass\n", "[sys.executable, 'other.py']"),
    "code that imports something else": (LR, "[sys.executable, '-c', 'import json; hp = 1']"),
    "code of another program": (LR, "['true', '-c', 'import hp']"),
    "a search path without it": ("try:\n    import hp\nexcept ImportError:\n    pass\n", "[sys.executable, '../sub/far.py'], cwd='part', env={'PYTHONPATH': '.'}"),
    "another program": (LR, "['cat', os.devnull, 'other.py']"),
    "kogine with overrides": (LR, "[sys.executable, KOGINE, 'run', 'other.py', 'hp.lr=3']"),
    "kogine that lists": (LR, "[sys.executable, KOGINE, 'run', '--inspect', 'other.py']"),
}  # fmt: skip


@pytest.mark.parametrize("way", NOTHING_LEFT)
def test_a_child_that_lacks_no_override_says_nothing(tmp_path: Path, way: str) -> None:
    other, command = NOTHING_LEFT[way]
    done = start_other(tmp_path, other, f"subprocess.run({command})")
    assert (done.status, done.stderr) == (0, ""), done


def test_a_script_that_kogine_starts_again_without_overrides(tmp_path: Path) -> None:
    again = "import os, subprocess, sys\nlr = 0.1\nif lr == 0.5:\n    subprocess.run([sys.executable, os.environ['K'], 'run', 's.py'])\n"
    (tmp_path / "s.py").write_text(again)
    kogine = str(Path(__file__).parents[1] / "kogine_command.py")
    done = run_kogine(tmp_path, "run", "s.py", "lr=0.5", K=kogine)
    said = "kogine: warning: s.py starts itself again (subprocess), without overrides: lr keeps"
    assert done.stderr.startswith(said), done
    assert done.stderr.count("\n") == 1


RUN_HERE = {
    "run_path": "import runpy\n    print(runpy.run_path(__file__, run_name='again')['twice'])",
    "run_path of a Path": "import runpy, pathlib\n    print(runpy.run_path(pathlib.Path('s.py'))['twice'])",
    "run_path as __main__": "import runpy, sys\n    sys.argv.append('x')\n    runpy.run_path('s.py', None, '__main__')",
    "run_module": "import runpy\n    print(runpy.run_module('s')['twice'])",
}  # fmt: skip


@pytest.mark.parametrize("way", RUN_HERE)
def test_a_script_that_runs_itself_in_this_process(tmp_path: Path, way: str) -> None:
    text = f"""\
import sys
lr = 0.1
twice = lr * 2
print(__name__, lr)
if __name__ == "__main__" and len(sys.argv) == 1:
    {RUN_HERE[way]}
"""
    (tmp_path / "s.py").write_text(text.replace("0.1", "0.5"))
    expected = run_python(tmp_path, "-B", "s.py")
    assert expected.stdout.count("0.5") == 2, expected
    (tmp_path / "s.py").write_text(text)
    assert run_kogine(tmp_path, "run", "s.py", "lr=0.5") == expected


RUN_AS_TEXT = {
    "exec": "exec(open(__file__).read())",
    "exec with names": "exec(open('s.py').read(), {'__name__': 'again', '__file__': __file__})",
    "exec of bytes": "exec(open(__file__, 'rb').read(), {'__name__': 'again'})",
    "exec of its code": "exec(compile(open(__file__).read(), __file__, 'exec'), {'__name__': 'again'})",
    "exec of its code under a name": "exec(compile(open(__file__).read(), '<text>', 'exec'), {'__name__': 'again'})",
    "eval of its code": "eval(compile(open(__file__).read(), 's.py', 'exec'), {'__name__': 'again'})",
}  # fmt: skip
WITHIN = """\
import sys
lr = 0.1
print(__name__, lr)
if __name__ == "__main__" and len(sys.argv) == 1:
    sys.argv.append("x")
    WAY
"""


@pytest.mark.parametrize("mode", ["", "--mode inline", "--mode spawn", "--mode warm"])
@pytest.mark.parametrize("way", RUN_AS_TEXT)
def test_a_script_that_runs_its_own_text(tmp_path: Path, way: str, mode: str) -> None:
    (tmp_path / "s.py").write_text(WITHIN.replace("WAY", RUN_AS_TEXT[way]))
    done = run_kogine(tmp_path, "run", "s.py", "lr=0.5", *mode.split())
    last = run_python(tmp_path, "s.py").stdout.splitlines()[1]
    assert (done.status, last in done.stdout) == (0, True), done
    assert (
        "s.py runs its own text again (exec), without overrides: lr keeps its value of the file "
        "there. Run it by runpy.run_path(__file__) instead"
    ) in done.stderr + done.stdout
    # The one without names of its own also stores the old value in this namespace.
    replaced = ["lr"] if way == "exec" else []
    assert (done.stderr + done.stdout).count("warning") == 1 + len(replaced)
    assert not replaced or "'lr' was replaced: line 6 of s.py" in done.stderr + done.stdout


RUN_OF_OTHERS = {
    "another text": "exec('lr = 3')",
    "a part of its text": "exec(open(__file__).read().partition('if')[0])",
    "its text with another value": "exec(open(__file__).read().replace('0.1', '0.5'))",
    "another file": "open('t.py', 'w').write('lr = 3'); exec(compile(open('t.py').read(), 't.py', 'exec'))",
    "its functions": "exec(compile('def f(): pass', __file__, 'exec'))",
}  # fmt: skip


@pytest.mark.parametrize("way", RUN_OF_OTHERS)
def test_a_script_that_runs_other_texts(tmp_path: Path, way: str) -> None:
    (tmp_path / "s.py").write_text(WITHIN.replace("WAY", RUN_OF_OTHERS[way]))
    done = run_kogine(tmp_path, "run", "s.py", "lr=0.5")
    stores_another = way in {"another text", "a part of its text", "another file"}
    replaced = (
        "kogine: warning: override 'lr' was replaced: line 6 of s.py stores another value there\n"
    )
    assert (done.status, done.stderr) == (0, replaced if stores_another else "")


def test_texts_that_a_run_of_the_file_itself_runs_are_seen_by_each_run(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(WITHIN.replace("WAY", RUN_AS_TEXT["exec"]))
    done = run_kogine(tmp_path, "run", "s.py", "--mode", "inline", "--sweep", "lr=1,0.1,2")
    assert done.status == 0
    assert (done.stderr + done.stdout).count("runs its own text again") == 2


OTHERS = {
    "a module of another name": "subprocess.run([sys.executable, '-m', 'nothing.s'], stderr=subprocess.DEVNULL)",
    "code that imports another": "subprocess.run([sys.executable, '-c', 'import ss, sys'], stderr=subprocess.DEVNULL)",
    "another file as input": "subprocess.run([sys.executable], stdin=open('other.py'))",
    "another file of that name": "os.makedirs('sub', exist_ok=True); open('sub/s.py', 'w').close(); subprocess.run([sys.executable, 's.py'], cwd='sub')",
    "another script": "subprocess.run([sys.executable, 'other.py'])",
    "it is only an argument": "subprocess.run(['cat', __file__], stdout=subprocess.DEVNULL)",
    "with the overrides": "subprocess.run([sys.executable, '-m', 'kogine', 'run', __file__, 'lr=0.5'])",
    "a child of multiprocessing": "import multiprocessing; multiprocessing.get_context('spawn').Pool(1).close()",
}  # fmt: skip


@pytest.mark.parametrize("way", OTHERS)
def test_other_processes_are_not_warned_of(tmp_path: Path, way: str) -> None:
    (tmp_path / "other.py").touch()
    text = AGAIN.replace("RESTART", OTHERS[way]).replace(
        "lr = 0.1", "lr = 0.1\nif __name__ != '__main__': os.environ['READY'] = '1'"
    )
    (tmp_path / "s.py").write_text(text)
    path = os.pathsep.join([on_path()])
    done = run_kogine(tmp_path, "run", "s.py", "lr=0.5", PYTHONPATH=path)
    assert (done.status, done.stderr) == (0, ""), done
    assert set(done.stdout.split()) == {"0.5"}
