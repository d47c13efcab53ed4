"""Every override against a copy of the script that was edited by hand."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.oracle import FIXTURES, compare, edited, run_kogine, run_python

SCRIPTS = FIXTURES / "scripts"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # NamedTuple looks its module up
    spec.loader.exec_module(module)
    return module


cases = _load(SCRIPTS / "cases.py")


def _id(case: object) -> str:
    return f"{case.script}: {' '.join(case.overrides)}"[:80]  # type: ignore[attr-defined]


_WITHOUT_EFFECT = ("was not used", "had no effect")


@pytest.mark.parametrize("case", cases.CASES, ids=_id)
def test_override_is_as_if_edited(case, tmp_path):  # type: ignore[no-untyped-def]
    data = (SCRIPTS / case.script).read_bytes()
    expected, got = compare(
        tmp_path,
        data,
        case.edits,
        case.overrides,
        name=case.script,
        argv=case.argv,
        stdin=case.stdin,
    )
    lines = got.stderr.splitlines(keepends=True)
    warned = [line for line in lines if line.startswith("kogine: warning: ")]
    rest = "".join(line for line in lines if line not in warned)
    assert (got.status, got.stdout, rest) == (expected.status, expected.stdout, expected.stderr)
    assert len(warned) == len(case.unused)
    for target in case.unused:
        assert any(
            f"override {target!r} {what}" in line for line in warned for what in _WITHOUT_EFFECT
        )


@pytest.mark.parametrize(
    "case", cases.CONFIG_CASES, ids=lambda case: f"{case.config} {case.script}"
)
def test_config_is_as_if_edited(case, tmp_path):  # type: ignore[no-untyped-def]
    shutil.copytree(FIXTURES / "configs", tmp_path / "configs")
    data = (SCRIPTS / case.script).read_bytes()
    brings_argv = "argv" in (FIXTURES / "configs" / case.config).read_text()
    arguments = ["--config", f"configs/{case.config}", *case.overrides]
    split = [] if brings_argv or not case.argv else ["--", *case.argv]
    script = tmp_path / case.script
    script.write_bytes(edited(data, case.edits))
    expected = run_python(tmp_path, case.script, *case.argv, stdin=case.stdin)
    script.write_bytes(data)
    assert expected == run_kogine(
        tmp_path, "run", case.script, *arguments, *split, stdin=case.stdin
    )
