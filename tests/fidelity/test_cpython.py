"""CPython's own tests, as scripts: the same summary under plain Python and under kogine.

``cpython_tests.txt`` names files of the ``test`` package that plain Python passes quickly. Each
is run three times: by Python, by ``kogine run``, and by ``kogine run`` with one of its globals
overridden by its own value, so that what is compared is the rewritten path.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kohaku_ast.transform.find.parameters import find_parameters
from kohaku_ast.transform.find.source import Source, decode
from tests.oracle import Finished, on_path, run_kogine, run_python

_SPEC = importlib.util.find_spec("test.support")
_INSTALLED = _SPEC is not None and _SPEC.origin is not None
FOLDER = Path(_SPEC.origin).parents[1] if _SPEC and _SPEC.origin else Path()
LISTED = Path(__file__).with_name("cpython_tests.txt").read_text(encoding="utf-8").split()
# A few belong to some versions of Python only.
PRESENT = [name for name in LISTED if (FOLDER / name).exists()]

pytestmark = [
    pytest.mark.cpython,
    pytest.mark.skipif(not _INSTALLED, reason="this Python came without its test package"),
]

_STDLIB = {"SETUPTOOLS_USE_DISTUTILS": "stdlib"}
"""An installed setuptools would put its own distutils in the place of Python's."""
_SUMMARY = re.compile(r"^(Ran \d+ tests?|OK\b.*|FAILED\b.*|NO TESTS RAN\b.*)", re.MULTILINE)


def same_value(script: Path) -> str:
    """An override of a global of *script* by the value that it has; empty if none is fit."""
    source = decode(script.read_bytes(), str(script))
    return next(_same_values(source), "")


def _same_values(source: Source) -> Iterator[str]:
    for one in find_parameters(source):
        if one.kind != "global" or one.refused or len(one.sites) != 1 or one.also:
            continue
        try:
            value = ast.literal_eval(one.default)
        except (SyntaxError, ValueError):
            continue
        kind = one.reading[0]
        plain = kind in ("int", "float", "bool", "str") and type(value).__name__ == kind
        if plain and str(value).isprintable():
            yield f"{one.target}={value}"


def summary(done: Finished) -> tuple[int, list[str]]:
    """The exit status and what unittest says at the end, without the time."""
    return done.status, _SUMMARY.findall(done.stderr + done.stdout)


def run_three(folder: Path, script: Path) -> list[tuple[int, list[str]]]:
    """What Python, kogine, and kogine with an override say of *script*, run in *folder*."""
    override = same_value(script)
    arguments = [["run", str(script)]] + ([["run", str(script), override]] if override else [])
    found = []
    for number in range(1 + len(arguments)):
        own = folder / str(number)
        own.mkdir()
        environment = {"TMPDIR": str(own), "PYTHONPATH": on_path(), **_STDLIB}
        if number == 0:
            done = run_python(own, str(script), **environment)
        else:
            done = run_kogine(own, *arguments[number - 1], **environment)
        found.append(summary(done))
    return found


def test_the_list_is_long_enough() -> None:
    if not PRESENT:
        pytest.skip("this Python comes without its own tests, as Debian's does")
    assert len(PRESENT) >= 150


@pytest.mark.parametrize("name", PRESENT)
def test_summary_is_that_of_plain_python(tmp_path: Path, name: str) -> None:
    plain, *ours = run_three(tmp_path, FOLDER / name)
    assert plain[0] == 0, "plain Python does not pass it"
    assert plain[1], "it says nothing that could be compared"
    assert all(one == plain for one in ours), (plain, ours)
