"""``kogine run --inspect``, as a command."""

from __future__ import annotations

import difflib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[2] / "fixtures"
SCRIPTS = sorted(
    path.name for path in (FIXTURES / "scripts").glob("*.py") if path.name != "cases.py"
)
GOLDEN = [
    "char_model",
    "dataclass_args",
    "dict_config",
    "main_defaults",
    "seed_device",
    "moons_mlp",
]
ARGUMENTS = {"click_train.py": ["--tag", "t"], "argparse_function.py": ["--corpus", "abc"]}
FORMATS = {"table": [], "json": ["--format", "json"], "py": ["--format=py"]}


def kogine(*arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "kogine", *arguments]
    text = b"The cat saw\nthe cat run\n"
    return subprocess.run(command, cwd=cwd, capture_output=True, input=text, env=os.environ | more)


def inspected(*arguments: str, cwd: Path) -> str:
    done = kogine("run", "--inspect", *arguments, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def write(folder: Path, text: str, name: str = "script.py") -> Path:
    folder.joinpath(name).write_text(text)
    return folder


SHOWN = [(script.removesuffix(".py"), "table") for script in SCRIPTS]
SHOWN += [(script, form) for script in GOLDEN for form in FORMATS if form != "table"]


@pytest.mark.parametrize(("script", "form"), SHOWN)
def test_golden(script: str, form: str) -> None:
    shown = inspected(f"{script}.py", *FORMATS[form], cwd=FIXTURES / "scripts")
    golden = FIXTURES / "inspect" / f"{script}.{form}"
    if os.environ.get("KOGINE_ACCEPT"):
        golden.write_bytes(shown.encode())
    expected = golden.read_bytes().decode()
    difference = "\n".join(difflib.unified_diff(expected.splitlines(), shown.splitlines()))
    assert shown == expected, f"{difference}\nif this is right: KOGINE_ACCEPT=1 pytest {__file__}"


@pytest.mark.parametrize("everything", [[], ["--all"]], ids=["settings", "all"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_printed_config_changes_nothing(
    script: str, everything: list[str], tmp_path: Path
) -> None:
    path = str(FIXTURES / "scripts" / script)
    (tmp_path / "printed.py").write_text(
        inspected(path, "--format", "py", *everything, cwd=tmp_path), encoding="utf-8"
    )
    argv = ["--", *ARGUMENTS.get(script, [])]
    plain = kogine("run", path, *argv, cwd=tmp_path)
    changed = kogine("run", path, "--config", "printed.py", *argv, cwd=tmp_path)
    assert (changed.stdout, changed.stderr) == (plain.stdout, plain.stderr)
    assert changed.returncode == plain.returncode


def test_nothing_is_run_and_nothing_imported(tmp_path: Path) -> None:
    write(tmp_path, "open('imported', 'w')\n", "beside.py")
    write(tmp_path, "import missing_module, beside\nopen('ran', 'w')\nlr = 0.1\n")
    assert "lr" in inspected("script.py", cwd=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beside.py", "script.py"]


def test_other_definitions_are_in_the_line_column(tmp_path: Path) -> None:
    write(tmp_path, "dt = 1\nprint(dt)\ndt = 2\nprint(dt)\ndt = 3\n")
    assert "1, also 3, 5" in inspected("script.py", cwd=tmp_path)


def test_all_shows_what_is_derived_and_what_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "steps = 100\nwarmup = steps // 10\nfor i in range(3): pass\n")
    few, more = inspected("script.py", cwd=tmp_path), inspected("script.py", "--all", cwd=tmp_path)
    assert "warmup" not in few
    assert "2 more with --all" in few
    assert "derived from steps" in more
    assert "cannot be overridden: it is a loop variable" in more


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(
            "def main(n): pass\nif __name__ == '__main__':\n    main(n=3)\n",
            "entrypoint: guard at line 2 calls main(n=3)",
            id="guard and call",
        ),
        pytest.param(
            "if __name__ == '__main__':\n    x = 1\n", "entrypoint: guard at line 1", id="guard"
        ),
        pytest.param(
            "def main(): pass\nmain()\n",
            "entrypoint: line 2 calls main()",
            id="last",
        ),
        pytest.param(
            "def f(n): pass\nif __name__ == '__main__':\n    f(1)\n    f(2)\n",
            "entrypoint: guard at line 2; line 3 calls f(1); line 4 calls f(2)",
            id="two calls",
        ),
        pytest.param("x = 1\n", "entrypoint: none, the module runs from top to bottom", id="none"),
        pytest.param(
            "import kohaku_ast\n@kohaku_ast.entrypoint\ndef fit(): pass\n",
            "entrypoint: fit(), marked with @kohaku_ast.entrypoint",
            id="marked",
        ),
        pytest.param(
            "import sys\nx = sys.argv\n", "reads sys.argv: pass arguments after --", id="argv"
        ),
        pytest.param("print()\n", "script.py: no settings found.", id="no settings"),
    ],
)
def test_lines_below_the_table(text: str, line: str, tmp_path: Path) -> None:
    assert line in inspected("script.py", cwd=write(tmp_path, text)).splitlines()


def test_json_has_the_documented_fields(tmp_path: Path) -> None:
    write(tmp_path, "# ---- opt ----\nlr = 0.1  # rate\nlr = 0.2\n")
    assert json.loads(inspected("script.py", "--format", "json", cwd=tmp_path)) == {
        "version": 1,
        "script": "script.py",
        "entrypoint": {"guards": [], "calls": [], "marked": "", "reads_argv": False},
        "cached": [],
        "parameters": [
            {
                "target": "lr",
                "short": "lr",
                "kind": "global",
                "module": "",
                "default": "0.1",
                "type": "float",
                "help": "rate",
                "section": "opt",
                "line": 2,
                "also": [3],
                "derived_from": [],
                "setting": True,
                "refused": "",
            }
        ],
    }


def test_overrides_beside_inspect_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "lr = 0.1\n")
    shown = inspected("script.py", "lr=0.5", "--config", "missing.py", cwd=tmp_path)
    assert "0.1" in shown


def test_any_encoding_of_the_terminal_will_do(tmp_path: Path) -> None:
    write(tmp_path, "name = '''a\nb'''  # caf\u00e9 \u4e2d\n".encode().decode("utf-8"))
    for form in FORMATS:
        done = kogine(
            "run",
            "--inspect",
            "script.py",
            "--format",
            form,
            cwd=tmp_path,
            PYTHONIOENCODING="ascii",
        )
        assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["script.py", "--format", "jsn"],
            "'jsn' is not one of 'table', 'json', 'py'. Did you mean 'json'?",
            id="unknown format",
        ),
        pytest.param(
            ["scrpt.py"],
            "can't open file 'scrpt.py': No such file or directory. Did you mean 'script.py'?",
            id="no such file",
        ),
        pytest.param(["."], "'.' is a directory without a __main__.py", id="directory"),
        pytest.param(["binary.py"], "source code cannot contain null bytes", id="binary"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    write(tmp_path, "x = 1\n")
    write(tmp_path, "x = '\0'\n", "binary.py")
    done = kogine("run", "--inspect", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert message in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_a_syntax_error_is_shown_as_python_shows_it(tmp_path: Path) -> None:
    write(tmp_path, "x = 1\ny = = 2\n")
    done = kogine("run", "--inspect", "script.py", cwd=tmp_path)
    path = tmp_path / "script.py"
    plain = subprocess.run([sys.executable, str(path)], capture_output=True, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", plain.stderr)
