"""Scripts that have no text, and scripts that can be read only once."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import pytest

from tests.oracle import Finished, on_path, run, run_kogine, run_python

SCRIPT = "lr = 0.1\nprint(lr, __file__)\n"


def compiled(folder: Path) -> str:
    (folder / "s.py").write_text("lr = 0.1\nprint(lr)\n")
    run_python(folder, "-m", "compileall", "-b", "-q", "s.py")
    (folder / "s.py").unlink()
    return "s.pyc"


def test_a_compiled_script_runs_as_it_is(tmp_path: Path) -> None:
    name = compiled(tmp_path)
    assert run_kogine(tmp_path, "run", name) == run_python(tmp_path, name)


@pytest.mark.parametrize(
    "words",
    [["lr=0.5"], ["--set", "lr=0.5"], ["--sweep", "lr=1,2"], ["--inspect"], ["--entrypoint", "f"]],
)
def test_a_compiled_script_takes_no_override(tmp_path: Path, words: list[str]) -> None:
    done = run_kogine(tmp_path, "run", compiled(tmp_path), *words)
    assert (done.status, done.stdout) == (2, ""), done
    assert "s.pyc: is compiled bytecode and has no text to rewrite" in done.stderr


@pytest.mark.parametrize("kind", ["folder", "zip", "module"])
def test_nor_does_one_that_python_finds(tmp_path: Path, kind: str) -> None:
    compiled(tmp_path)
    words = ["app"]
    if kind == "module":
        words = ["-m", "s"]
    elif kind == "folder":
        (tmp_path / "app").mkdir()
        os.rename(tmp_path / "s.pyc", tmp_path / "app" / "__main__.pyc")
    else:
        with zipfile.ZipFile(tmp_path / "app", "w") as archive:
            archive.write(tmp_path / "s.pyc", "__main__.pyc")
    assert run_kogine(tmp_path, "run", *words) == run_python(tmp_path, *words)
    done = run_kogine(tmp_path, "run", *words, "lr=0.5")
    assert (done.status, done.stdout) == (2, ""), done
    assert "is compiled bytecode" in done.stderr


@pytest.mark.parametrize(
    ("name", "text", "meant"),
    [
        pytest.param("p.toml", 'a = 1\n', "kogine pipeline run p.toml", id="a pipeline"),
        pytest.param("c.yaml", "lr: 1\n", "kogine run SCRIPT.py --config c.yaml", id="Python takes it for an annotation"),
        pytest.param("c.json", "{null}", "kogine run SCRIPT.py --config c.json", id="no Python"),
    ],
)  # fmt: skip
def test_data_is_refused(tmp_path: Path, name: str, text: str, meant: str) -> None:
    (tmp_path / name).write_text(text)
    for words in ([name], [name, "lr=2"], [name, "--inspect"], [name, "--sweep", "lr=1,2"]):
        done = run_kogine(tmp_path, "run", *words)
        assert (done.status, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert meant in done.stderr


def shell(folder: Path, line: str, **names: str) -> Finished:
    kogine = Path(__file__).parents[1] / "kogine_command.py"
    places = {"python": sys.executable, "kogine": f"{sys.executable} {kogine} run", **names}
    return run(["bash", "-c", line.format_map(places)], folder, PYTHONPATH=on_path())


PIPES = {
    "substitution": "{start} <(cat {file}) {words}",
    "standard input": "cat {file} | {start} /dev/stdin {words}",
    "a file as standard input": "{start} /dev/stdin {words} < {file}",
    "dash": "cat {file} | {start} - {words}",
    "a named pipe": "mkfifo p; cat {file} > p & {start} p {words}",
}


@pytest.mark.parametrize("way", PIPES)
@pytest.mark.parametrize(
    "text", [SCRIPT, "PK" + SCRIPT, SCRIPT + "# more\n" * 40000], ids=["s", "PK", "long"]
)
def test_a_script_from_a_pipe(tmp_path: Path, way: str, text: str) -> None:
    text = text.replace("PK", "PK = 1\n").replace(
        "print(lr, __file__)", "print(lr)" if way == "dash" else "print(lr, __file__)"
    )
    first, rest = text.split("lr = 0.1", 1)
    (tmp_path / "edited").write_text(f"{first}lr = 0.5{rest.replace('lr = 0.1', 'lr = 0.5')}")
    (tmp_path / "given").write_text(text)
    expected = shell(tmp_path, PIPES[way].format(file="edited", start="{python}", words=""))
    (tmp_path / "p").unlink(missing_ok=True)
    got = shell(tmp_path, PIPES[way].format(file="given", start="{kogine}", words="lr=0.5"))
    assert expected.stdout.startswith("0.5"), expected
    assert got == expected
    (tmp_path / "p").unlink(missing_ok=True)
    plain = shell(tmp_path, PIPES[way].format(file="edited", start="{kogine}", words=""))
    assert plain == expected


OPTIONS = """\
import argparse, sys
lr = 0.1
p = argparse.ArgumentParser(prog="s")
p.add_argument("--n", type=int, default=1)
p.add_argument("--config")
p.add_argument("rest", nargs="*")
print(p.parse_args(), lr, sys.argv[1:])
"""
WORDS = {
    "an option": "--n=3",
    "its value behind it": "--n 3",
    "before dashes": "--n=3 -- x",
    "of the name of ours": "--config c.yaml",
    "a plain word": "x --n 3",
}


@pytest.mark.parametrize("way", PIPES)
@pytest.mark.parametrize("words", WORDS)
def test_a_script_from_a_pipe_gets_its_options(tmp_path: Path, way: str, words: str) -> None:
    (tmp_path / "edited").write_text(OPTIONS.replace("0.1", "0.5"))
    (tmp_path / "given").write_text(OPTIONS)
    own = WORDS[words].replace("-- ", "")
    expected = shell(tmp_path, PIPES[way].format(file="edited", start="{python}", words=own))
    assert expected.status == 0, expected
    (tmp_path / "p").unlink(missing_ok=True)
    typed = f"lr=0.5 {WORDS[words]}"
    got = shell(tmp_path, PIPES[way].format(file="given", start="{kogine}", words=typed))
    assert got == expected


@pytest.mark.parametrize("way", PIPES)
def test_an_argument_beside_an_override_of_a_script_from_a_pipe(tmp_path: Path, way: str) -> None:
    (tmp_path / "given").write_text(OPTIONS)
    words = "n=5 -- --n=3"
    got = shell(tmp_path, PIPES[way].format(file="given", start="{kogine}", words=words))
    assert (got.status, got.stdout) == (2, "")
    assert "'--n' is given twice" in got.stderr


@pytest.mark.parametrize("way", ["substitution", "standard input", "dash"])
def test_a_pipe_that_is_no_python(tmp_path: Path, way: str) -> None:
    (tmp_path / "broken").write_text("lr = 0.1\nprint(\n")
    expected = shell(tmp_path, PIPES[way].format(file="broken", start="{python}", words=""))
    got = shell(tmp_path, PIPES[way].format(file="broken", start="{kogine}", words=""))
    assert got == expected
    assert "SyntaxError" in got.stderr


LINKS = {
    "to nothing": ("gone", "No such file or directory"),
    "to itself": ("s.py", "Too many levels of symbolic links"),
    "to an endless device": ("/dev/zero", "has no end"),
}


@pytest.mark.parametrize("kind", LINKS)
def test_a_name_that_is_there_is_no_near_name_of_itself(tmp_path: Path, kind: str) -> None:
    target, words = LINKS[kind]
    (tmp_path / "s.py").symlink_to(target)
    done = run_kogine(tmp_path, "run", "s.py")
    assert (done.status, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Did you mean" not in done.stderr


def test_only_a_missing_file_has_a_near_name(tmp_path: Path) -> None:
    (tmp_path / "ss.py").write_text("x = 1\n")
    assert "Did you mean 'ss.py'?" in run_kogine(tmp_path, "run", "s.py").stderr
    (tmp_path / "s.py").symlink_to("/dev/zero")
    assert "Did you mean" not in run_kogine(tmp_path, "run", "s.py").stderr
