"""Every file of the standard library: the rewrite proves itself and keeps every position.

Without an override the code must be, instruction by instruction and position by position,
what Python makes of the file, so it executes to the same result. With overrides for all
parameters at once the rewrite must be proved, and libcst must make it, but for the statements
named below.
"""

from __future__ import annotations

import os
import sysconfig
import warnings
from pathlib import Path
from types import CodeType

import pytest

from kohaku_ast.errors import DuplicateTarget
from kohaku_ast.transform.edit import rewrite
from kohaku_ast.transform.edit.rewrite import Unit
from kohaku_ast.transform.find.assignments import Edit
from kohaku_ast.transform.find.parameters import Parameter, find_parameters
from kohaku_ast.transform.find.source import Source, decode
from kohaku_ast.transform.program.compile import build_program
from kohaku_ast.transform.program.program import Request

pytestmark = pytest.mark.corpus

LIBRARY = Path(sysconfig.get_path("stdlib"))
FILES = sorted(path for path in LIBRARY.rglob("*.py") if "site-packages" not in path.parts)
PARTS = 32
EVERY = int(os.environ.get("CORPUS_EVERY", "1"))
"""Only every n-th part is read: `make corpus EVERY=4` takes a quarter of the time of all; of more
than there are parts, every n-th file.
"""

UNREAD = {
    "(pars): bool = True\n",  # test/typinganndata/ann_module.py: a name in brackets
}
"""All that libcst cannot read and in which there is something to override; at most 10."""


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that are rewritten without libcst."""
    found: list[str] = []
    without = rewrite._without_libcst

    def noted(source: Source, unit: Unit, edits: list[Edit], why: str) -> rewrite._EditedUnit:
        found.append(unit.text)
        return without(source, unit, edits, why)

    monkeypatch.setattr(rewrite, "_without_libcst", noted)
    return found


def plain_code(path: Path) -> CodeType | None:
    """What Python makes of the file, or None if it refuses it (the tests hold bad files)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            return None


def assert_equal(code: CodeType, expected: CodeType) -> None:
    """The same code, constants and positions, at any depth."""
    assert code.co_code == expected.co_code, expected.co_qualname  # type: ignore[attr-defined]
    places = getattr(code, "co_positions", None)  # Python 3.11
    if places is not None:
        assert list(code.co_positions()) == list(expected.co_positions())  # type: ignore[attr-defined]
    assert list(code.co_lines()) == list(expected.co_lines())
    assert code.co_names == expected.co_names
    assert len(code.co_consts) == len(expected.co_consts)
    for one, other in zip(code.co_consts, expected.co_consts):
        if isinstance(one, CodeType):
            assert_equal(one, other)
        elif isinstance(one, frozenset):  # its order is not that of the text
            assert one == other
        else:
            assert repr(one) == repr(other)


def compatible(parameters: list[Parameter]) -> list[list[Parameter]]:
    """Those that can be overridden together: none stands inside another one of its group. What a
    method stores stands inside the method, which no target says.
    """
    usable = [one for one in parameters if not one.refused]
    targets = {one.target for one in usable}
    groups: dict[tuple[bool, int], list[Parameter]] = {}
    for one in usable:
        ends = [at for at, sign in enumerate(one.target) if sign in ".[("]
        depth = sum(one.target[:end] in targets for end in ends)
        groups.setdefault((one.kind == "other", depth), []).append(one)
    return list(groups.values())


def build_all(source: Source, parameters: list[Parameter]) -> None:
    names = dict.fromkeys(one.target for one in parameters)
    try:
        build_program(source, Request(tuple((name, False, False) for name in names)))
    except DuplicateTarget:  # one stands in the right side of another (`a = (b := 1)`)
        assert len(parameters) > 1
        half = len(parameters) // 2
        build_all(source, parameters[:half])
        build_all(source, parameters[half:])


@pytest.mark.parametrize("part", range(0, PARTS, EVERY))
def test_every_file_of_the_standard_library(part: int, unread: list[str]) -> None:
    checked, files = 0, FILES[part :: max(PARTS, EVERY)]
    for path in files:
        expected = plain_code(path)
        if expected is None:
            continue
        # Alone: the library's files import each other, and some are named like each other's parts.
        source = decode(path.read_bytes(), str(path), folder="/nowhere")
        ((_, code),) = build_program(source, Request()).segments
        assert_equal(code, expected)
        build_program(source, Request(split=True))
        for parameters in compatible(find_parameters(source)):
            build_all(source, parameters)
        checked += 1
    assert checked > len(files) / 2
    assert set(unread) <= UNREAD
