"""The rows of the semantics where the script is started in another way than by its file, or again:
by ``-m``, through a pipe, from a zip, as a module of another script, under its own name, frozen.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.oracle import Finished, edited, run_kogine, run_python, targets
from tests.sampled import sampled
from tests.semantics.case import Case
from tests.test_semantics import CASES, OTHER_WITH_A_LINE_MORE

EVERY = 27
ALL = {case.id: case for case in CASES}
WITHOUT_ARGUMENTS = {
    name: case
    for name, case in ALL.items()
    if not case.argv and not any(word.startswith("-") for word in case.arguments)
}

Start = Callable[[Case, bytes, Path], list[str]]
"""Writes the script, with this text, into a folder; the words that start it."""


def write(folder: Path, case: Case) -> None:
    for name, text in case.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def words_of(case: Case) -> list[str]:
    return [*targets(case.arguments, case.argv), *(["--", *case.argv] if case.argv else [])]


def seen(done: Finished) -> tuple[str, bool]:
    return done.stdout, bool(done.status)


def as_edited(folder: Path, case: Case, start: Start, words: list[str]) -> None:
    """Compare Python on the edited copy with kogine and *words* on the script."""
    write(folder, case)
    by_python = start(case, edited(case.script, case.edits), folder)
    expected = run_python(folder, "-B", *by_python, *case.argv)
    by_kogine = start(case, case.script, folder)
    got = run_kogine(folder, "run", *by_kogine, *words)
    assert seen(got) == seen(expected), got.stderr


def by_module(case: Case, text: bytes, folder: Path) -> list[str]:
    (folder / "script.py").write_bytes(text)
    return ["-m", "script"]


def in_zip(case: Case, text: bytes, folder: Path) -> list[str]:
    with zipfile.ZipFile(folder / "script.zip", "w") as archive:
        archive.writestr("__main__.py", text)
    return ["script.zip"]


def under_its_own_name(case: Case, text: bytes, folder: Path) -> list[str]:
    again = b"\nif __name__ == '__main__':\n    import script\n"
    (folder / "script.py").write_bytes(text + again)
    return ["script.py"]


def imported(case: Case, text: bytes, folder: Path) -> list[str]:
    (folder / "script.py").write_bytes(text)
    (folder / "main.py").write_text("import script\n")
    return ["main.py"]


@pytest.mark.parametrize("case", sampled(ALL, every=EVERY))
def test_by_module_name(case: Case, tmp_path: Path) -> None:
    as_edited(tmp_path, case, by_module, words_of(case))


@pytest.mark.parametrize("case", sampled(ALL, every=EVERY))
def test_from_a_zip(case: Case, tmp_path: Path) -> None:
    as_edited(tmp_path, case, in_zip, words_of(case))


AGAIN = {name: case for name, case in ALL.items() if name not in OTHER_WITH_A_LINE_MORE}


@pytest.mark.parametrize("case", sampled(AGAIN, every=EVERY))
def test_under_its_own_name(case: Case, tmp_path: Path) -> None:
    as_edited(tmp_path, case, under_its_own_name, words_of(case))


@pytest.mark.parametrize("case", sampled(WITHOUT_ARGUMENTS, every=EVERY))
def test_as_a_module_of_another_script(case: Case, tmp_path: Path) -> None:
    as_edited(tmp_path, case, imported, [f"script.{word}" for word in case.arguments])


PIPED = {
    name: case
    for name, case in ALL.items()
    if name != "a latin-1 file" and not any(word.startswith("-") for word in case.arguments)
}
"""Without options before `--`: kogine looks into the file for them, and a pipe can be read once. The
pipe of these tests is UTF-8.
"""


@pytest.mark.parametrize("case", sampled(PIPED, every=EVERY))
def test_through_a_pipe(case: Case, tmp_path: Path) -> None:
    write(tmp_path, case)
    text = case.script.decode("utf-8", "surrogateescape")
    copy = edited(case.script, case.edits).decode("utf-8", "surrogateescape")
    expected = run_python(tmp_path, "-B", "/dev/stdin", *case.argv, stdin=copy)
    got = run_kogine(tmp_path, "run", "/dev/stdin", *words_of(case), stdin=text)
    assert seen(got) == seen(expected), got.stderr


FROZEN = {
    name: case
    for name, case in ALL.items()
    if name != "the source that inspect sees" and "--entrypoint" not in case.arguments
}
"""Without what shows the text of the file, which is another one, and what `freeze` has no option for."""


@pytest.mark.parametrize("case", sampled(FROZEN, every=EVERY))
def test_frozen(case: Case, tmp_path: Path) -> None:
    write(tmp_path, case)
    script = tmp_path / "script.py"
    script.write_bytes(edited(case.script, case.edits))
    expected = run_python(tmp_path, "-B", "script.py", *case.argv)
    script.write_bytes(case.script)
    done = run_kogine(tmp_path, "freeze", "-o", "frozen.py", "script.py", *words_of(case))
    if done.status == 2:  # a value without a text, or a place that only the running script finds
        assert "write" in done.stderr, done.stderr
        return
    os.replace(tmp_path / "frozen.py", script)
    assert seen(run_python(tmp_path, "-B", "script.py", *case.argv)) == seen(expected)
