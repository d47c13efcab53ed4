"""``kogine freeze``: a frozen script under plain Python against a copy edited by hand."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from kogine.main import main

from tests.oracle import FIXTURES, Finished, edited, run, run_kogine, run_python

SCRIPTS = FIXTURES / "scripts"
ROOT = FIXTURES.parent


def _load_cases() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cases", SCRIPTS / "cases.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # NamedTuple looks its module up
    spec.loader.exec_module(module)
    return module


cases = _load_cases()
UNTOLD = {
    "cfg.": "item or an attribute",
    "model.": "item or an attribute",
    "args.offset": "--as-is 'args.offset=1.5' writes",
}
"""In loaded_config.py functions make these values: the text does not show them, or their types."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOGINE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def kogine(folder: Path, *arguments: str) -> Finished:
    """The command in a process of its own."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "cli")])
    return run([sys.executable, "-m", "kogine", *arguments], folder, PYTHONPATH=path)


def _id(case: object) -> str:
    return f"{case.script}: {' '.join(case.overrides)}"[:80]  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", cases.CASES, ids=_id)
def test_a_frozen_script_is_as_if_edited(case, tmp_path, capsys):  # type: ignore[no-untyped-def]
    script, output = tmp_path / case.script, tmp_path / "frozen.py"
    data = (SCRIPTS / case.script).read_bytes()
    script.write_bytes(data)
    status = main(["freeze", str(script), *case.overrides, "-o", str(output)])
    untold = [why for start, why in UNTOLD.items() if case.overrides[0].startswith(start)]
    if case.script == "loaded_config.py" and untold:
        assert status == 2
        assert untold[0] in capsys.readouterr().err
        assert not output.exists()
        return
    assert status == 0
    assert capsys.readouterr().err == ""
    script.write_bytes(edited(data, case.edits))
    expected = run_python(tmp_path, case.script, *case.argv, stdin=case.stdin)
    os.replace(output, script)
    got = run_python(tmp_path, case.script, *case.argv, stdin=case.stdin)
    assert (got.status, got.stdout) == (expected.status, expected.stdout)


OF_THE_RUN = {
    "an attribute of a module": ("import math\nprint(math.pi)\n", "math.pi=3"),
    "a dict that is filled": ("import json\ncfg = {}\ncfg.update(json.loads('{\"lr\": 0.5}'))\nprint(cfg)\n", "cfg.lr=3"),
    "names of a text that is executed": ("names = {}\nexec('lr = 0.1', names)\nprint(names['lr'])\n", "names.lr=3"),
    "a namespace that a loop fills": ("import argparse\nargs = argparse.Namespace()\nfor k, v in {'lr': 0.1}.items():\n    setattr(args, k, v)\nprint(args)\n", "args.lr=3"),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_THE_RUN)
def test_a_text_whose_type_only_the_run_knows_is_written_as_it_is_or_not_at_all(
    tmp_path: Path, name: str
) -> None:
    text, word = OF_THE_RUN[name]
    (tmp_path / "s.py").write_text(text)
    refused = kogine(tmp_path, "freeze", "s.py", word)
    assert (refused.status, refused.stdout) == (2, "")
    assert f"--as-is '{word}' writes 3" in refused.stderr
    asked = ["--as-is", word]
    frozen = kogine(tmp_path, "freeze", "s.py", *asked, "-o", "frozen.py")
    assert (frozen.status, frozen.stderr) == (0, "")
    assert run_python(tmp_path, "frozen.py") == run_kogine(tmp_path, "run", "s.py", *asked)


@pytest.mark.parametrize("case", cases.CONFIG_CASES, ids=lambda one: f"{one.config} {one.script}")
def test_a_config_is_frozen_as_if_edited(case, tmp_path, capsys):  # type: ignore[no-untyped-def]
    script, output = tmp_path / case.script, tmp_path / "frozen.py"
    data = (SCRIPTS / case.script).read_bytes()
    script.write_bytes(data)
    shutil.copytree(FIXTURES / "configs", tmp_path / "configs")
    config = str(tmp_path / "configs" / case.config)
    arguments = [str(script), "--config", config, *case.overrides, "-o", str(output)]
    status, said = main(["freeze", *arguments]), capsys.readouterr().err
    if case.config in ("char_model_long.py", "bindings_objects.py"):  # they give functions
        assert status == 2
        assert "a value of type function has no literal form" in said
        assert not output.exists()
        return
    assert status == 0
    assert ("arguments are not part of a script" in said) == (case.config == "words_argv.py")
    script.write_bytes(edited(data, case.edits))
    expected = run_python(tmp_path, case.script, *case.argv, stdin=case.stdin)
    os.replace(output, script)
    assert run_python(tmp_path, case.script, *case.argv, stdin=case.stdin) == expected


def test_every_value_without_a_literal_is_named(tmp_path: Path) -> None:
    for name in ("scripts/bindings.py", "configs/bindings_objects.py"):
        shutil.copy(FIXTURES / name, tmp_path)
    done = kogine(tmp_path, "freeze", "bindings.py", "--config", "bindings_objects.py", "radius=3")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr == (
        "kogine: error: bindings.py: cannot write these values into the script:\n"
        "  'schedule' (line 11): a value of type function has no literal form\n"
        "  'penalty' (line 15): a value of type builtin_function_or_method has no literal form\n"
        "  'Noise' (line 18): a value of type type has no literal form\n"
        "Leave them out here and write them into the frozen script by hand, or keep the config "
        "and use 'kogine run'.\n"
    )


def script_in(folder: Path, text: str = "lr = 0.1  # rate\nprint(lr)\n") -> Path:
    path = folder / "train.py"
    path.write_bytes(text.encode())
    return path


def test_prints_without_output(tmp_path: Path) -> None:
    script_in(tmp_path)
    done = kogine(tmp_path, "freeze", "train.py", "lr=0.5")
    assert done == Finished(0, "lr = 0.5  # rate\nprint(lr)\n", "")


@pytest.mark.parametrize("name", ["crlf_grid.py", "latin1_cafe.py", "bom_counts.py"])
def test_bytes_that_are_not_replaced_stay(name: str, tmp_path: Path) -> None:
    shutil.copy(SCRIPTS / name, tmp_path)
    assert main(["freeze", str(tmp_path / name), "-o", str(tmp_path / "out.py")]) == 0
    assert (tmp_path / "out.py").read_bytes() == (SCRIPTS / name).read_bytes()


def test_added_names(tmp_path: Path) -> None:
    script_in(tmp_path, '"""Doc."""\nprint(new, other, __doc__)\n')
    (tmp_path / "cfg.py").write_text(
        "from kohaku_ast.config.config import Config\nCONFIG = Config(new_globals={'other': [1]})\n"
    )
    arguments = ["train.py", "--add", "new=3", "--config", "cfg.py"]
    done = kogine(tmp_path, "freeze", *arguments, "-o", "out.py")
    assert done == Finished(0, "", "")
    assert kogine(tmp_path, "run", *arguments) == run_python(tmp_path, "out.py")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["-o", "train.py"], "is the script itself", id="the script itself"),
        pytest.param(["-o", "there.py"], "exists already", id="a file"),
        pytest.param(["-o", "."], "is not a regular file", id="a folder"),
        pytest.param(["-o", "none/out.py"], "cannot write 'none/out.py'", id="no such folder"),
        pytest.param(["-o"], "-o needs a value", id="no name"),
        pytest.param(["lr=abc"], "train.py:1: lr=abc", id="a value that does not fit"),
        pytest.param(["lrr=1"], "Did you mean 'lr'", id="an unknown target"),
        pytest.param(["--config", "none.py"], "can't open config", id="no config"),
    ],
)
def test_refusals(arguments: list[str], said: str, tmp_path: Path) -> None:
    script = script_in(tmp_path)
    (tmp_path / "there.py").write_text("precious\n")
    done = kogine(tmp_path, "freeze", "train.py", *arguments)
    assert (done.status, done.stdout) == (2, "")
    assert said in done.stderr
    assert script.read_text() == "lr = 0.1  # rate\nprint(lr)\n"
    assert (tmp_path / "there.py").read_text() == "precious\n"
    assert sorted(os.listdir(tmp_path)) == ["there.py", "train.py"]


def test_another_entrypoint_cannot_be_written(tmp_path: Path) -> None:
    script_in(tmp_path, "def main(): pass\n")
    done = kogine(tmp_path, "freeze", "train.py:main")
    assert (done.status, done.stdout) == (2, "")
    assert "give 'train.py' instead" in done.stderr


def test_force_replaces_and_keeps_the_mode(tmp_path: Path) -> None:
    script = script_in(tmp_path)
    script.chmod(0o755)
    assert kogine(tmp_path, "freeze", "train.py", "lr=2", "-o", "out.py").status == 0
    assert os.stat(tmp_path / "out.py").st_mode & 0o111 == 0o111
    assert kogine(tmp_path, "freeze", "train.py", "lr=3", "-o", "out.py", "--force").status == 0
    assert (tmp_path / "out.py").read_text().startswith("lr = 3.0")
    assert sorted(os.listdir(tmp_path)) == ["out.py", "train.py"]


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    script_in(tmp_path, "lr = 0.1\n" + "#" * 100_000)
    program = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); "
        "from kogine.main import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "freeze", "train.py", "-o", "out.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "cli")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "cannot write 'out.py': File too large" in done.stderr
    assert os.listdir(tmp_path) == ["train.py"]


def test_script_arguments_are_noted(tmp_path: Path) -> None:
    script_in(tmp_path)
    done = kogine(tmp_path, "freeze", "train.py", "-o", "out.py", "--", "--n", "a b")
    assert done.status == 0
    assert done.stderr == (
        "kogine: note: arguments are not part of a script; run it as: python out.py --n 'a b'\n"
    )


@pytest.mark.parametrize("command", ["freeze", "transform"])
@pytest.mark.parametrize("found", [True, False], ids=["beside the script", "found when it runs"])
def test_values_of_modules_are_refused(command: str, found: bool, tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("import hp\nprint(hp.lr)\n")
    if found:
        (tmp_path / "hp.py").write_text("lr = 1\n")
    done = run_kogine(tmp_path, command, "s.py", "hp.lr=3")
    where = "'hp.lr' is in /" if found else "'hp.lr' is in a module that only the running script"
    assert (done.status, done.stdout) == (2, "")
    assert where in done.stderr
    assert ("kogine " + command + " hp.py lr=VALUE" in done.stderr) == found
