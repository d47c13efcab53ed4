"""Every row and rule of the semantics, in small scripts, against copies edited by hand."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests import semantics
from tests.notebook.shell import Shell
from tests.oracle import compare, edited, run_kogine, run_python, targets
from tests.sampled import sampled
from tests.semantics import made_by_calls
from tests.semantics.case import Case, Refusal

_TABLES = [
    importlib.import_module(f"{semantics.__name__}.{one.name}")
    for one in pkgutil.iter_modules(semantics.__path__)
]
CASES: list[Case] = [case for table in _TABLES for case in getattr(table, "CASES", [])]
REFUSALS: list[Refusal] = [one for table in _TABLES for one in getattr(table, "REFUSALS", [])]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_override_is_as_if_edited(case, tmp_path):  # type: ignore[no-untyped-def]
    _write(tmp_path, case.files)
    expected, got = compare(tmp_path, case.script, case.edits, case.arguments, argv=case.argv)
    lines = got.stderr.splitlines(keepends=True)
    warned = [line for line in lines if line.startswith("kogine: warning: ")]
    rest = "".join(line for line in lines if line not in warned)
    assert (got.status, got.stdout) == (expected.status, expected.stdout)
    seen = _frames if case.frames else str
    assert seen(rest) == seen(expected.stderr)
    assert [line.split("'")[1] for line in warned] == list(case.warned)
    unedited = run_python(tmp_path, "script.py", *case.argv)
    assert (unedited == expected) == case.same, "the script does not show whether it was edited"


@pytest.mark.parametrize("case", sampled({case.id: case for case in CASES}, every=9))
def test_every_mode_gives_the_same(case, tmp_path):  # type: ignore[no-untyped-def]
    _write(tmp_path, case.files)
    script = tmp_path / "script.py"
    script.write_bytes(edited(case.script, case.edits))
    expected = run_python(tmp_path, "script.py", *case.argv)
    script.write_bytes(case.script)
    words = [*targets(case.arguments, case.argv), *(["--", *case.argv] if case.argv else [])]
    for mode in ("inline", "spawn", "warm"):
        got = run_kogine(tmp_path, "run", "script.py", "--mode", mode, *words)
        assert (got.stdout, bool(got.status)) == (expected.stdout, bool(expected.status)), mode
        for target in case.warned:
            assert f"warning: override {target!r}" in got.stderr, mode


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """One for all cases."""
    shell = Shell(tmp_path_factory.mktemp("ipython"))
    yield shell
    shell.close()


_NEED_SCRIPT = (
    "a value by its member's name", "a member of an enum in a class", "text for mode: SLOW",
    "a value that goes through a call, above a call that fills",
    "a member of an enum, above a call that fills", "a constant behind the argument of a call",
    "text for day: 2021-03-04", "text for money: 1.50", "text for out: y/z",
    "fields that a call makes",
)  # fmt: skip
_OF_THE_COMMAND_LINE = {
    "click: an explicit argument wins", "a required option that is given",
    "set before the script's name", "text for fields that a call makes",
    "store_false by its flag", "store_false by its flag, not set",
}  # fmt: skip
"""Where ``--n=4`` is an argument, and in Python an override, an error beside one; or a text stands (for
a flag, too), or ``-s``.
"""
_OF_IPYTHON = {"nothing of ours in the builtins and the modules"}
"""It adds to the builtins."""

IN_A_NOTEBOOK = {
    case.id: case
    for case in CASES
    if case not in made_by_calls.CASES
    and case.id not in {*_NEED_SCRIPT, *_OF_THE_COMMAND_LINE, *_OF_IPYTHON}
}
"""Without the texts that become values by the script's own code, a call or an enum: a notebook gives
objects.
"""


@pytest.mark.parametrize("case", sampled(IN_A_NOTEBOOK, every=9))
def test_a_notebook_gives_the_same(case, tmp_path, shell):  # type: ignore[no-untyped-def]
    _write(tmp_path, case.files)
    script = tmp_path / "script.py"
    script.write_bytes(edited(case.script, case.edits))
    expected = run_python(tmp_path, "script.py", *case.argv)
    script.write_bytes(case.script)
    written = " ".join(new for _, new in case.edits)
    got = shell.run(tmp_path, targets(case.arguments, case.argv), case.argv, written)
    assert (got.stdout, got.status) == (expected.stdout, bool(expected.status)), got.stderr
    for target in case.warned:
        assert f"UnusedOverride: override {target!r}" in got.stderr


START_CHILD = """\
import multiprocessing, sys
if "--multiprocessing-fork" not in sys.orig_argv:
    sys.stdout.flush()
    child = multiprocessing.get_context("spawn").Process(target=print, args=("child",))
    child.start()
    child.join()
"""
"""Imported by the last line of a script: a child of it runs the script again, which prints."""


OTHER_WITH_A_LINE_MORE = {
    "the starting call before the last line", "the starting call without a guard",
    "arguments for the rest, and a keyword that stands behind it",
}  # fmt: skip
IN_A_CHILD = {case.id: case for case in CASES if case.id not in OTHER_WITH_A_LINE_MORE}
"""Without cases that the line at the end makes other ones."""


@pytest.mark.parametrize("case", sampled(IN_A_CHILD, every=9))
def test_a_child_of_the_script_gives_the_same(case, tmp_path):  # type: ignore[no-untyped-def]
    _write(tmp_path, {**case.files, "start_child.py": START_CHILD})
    text = case.script + b"\nimport start_child\n"
    script = tmp_path / "script.py"
    script.write_bytes(edited(text, case.edits))
    expected = run_python(tmp_path, "-B", "script.py", *case.argv)
    script.write_bytes(text)
    words = [*targets(case.arguments, case.argv), *(["--", *case.argv] if case.argv else [])]
    got = run_kogine(tmp_path, "run", "script.py", *words)
    assert (got.stdout, bool(got.status)) == (expected.stdout, bool(expected.status)), got.stderr


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


def _frames(stderr: str) -> list[str]:
    """A traceback without the source lines that it shows."""
    return [line for line in stderr.splitlines() if not line.startswith("    ")]


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.id)
def test_refused_before_anything_runs(case, tmp_path):  # type: ignore[no-untyped-def]
    _write(tmp_path, case.files)
    (tmp_path / "script.py").write_bytes(case.script)
    got = run_kogine(tmp_path, "run", "script.py", *targets(case.arguments))
    assert (got.status, got.stdout) == (2, "")
    assert got.stderr.startswith("kogine: error: ")
    assert "/kohaku_ast/" not in got.stderr
    for word in case.words:
        assert word in got.stderr
