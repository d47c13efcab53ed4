"""Programs whose code does not name what it reads: after an edit, never the old value.

The oracle is the same program run without the results: what a process with them gives must equal it.
Every program runs in a forked process of its own, four times: twice before the edit, then with
the results of before, then without any.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cache.hidden_cases import CASES

ROOT = Path(__file__).parents[2]
DRIVER = """\
import importlib, json, os, sys, warnings
from kohaku_ast.cache.disk import DiskCache
from kohaku_ast.pipeline.pipeline import Pipeline

def found(name):
    pipeline = Pipeline([importlib.import_module(name).f], cache=DiskCache(sys.argv[1]))
    state = pipeline.explain_cache({"x": 3}, "f")["f"].state
    return repr(pipeline.run({"x": 3}, "f")), state

warnings.simplefilter("ignore")
for number, name in enumerate(json.load(open("names.json"))):
    if number > 3:
        os.wait()
    if not os.fork():
        try:
            result = found(name)
        except BaseException as error:
            result = f"{type(error).__name__}: {error}", "failed"
        with open(f"{name}.{sys.argv[2]}", "w") as file:
            json.dump(result, file)
        os._exit(0)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""
OPTIONAL = {name for name in ("numpy", "pandas") if importlib.util.find_spec(name) is None}
IDS = {
    words: f"hidden{number}"
    for number, (words, (files, *_)) in enumerate(CASES.items())
    if not any(name in text for name in OPTIONAL for text in files.values())
}
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

Found = dict[str, tuple[str, str]]
"""Module -> value, and what explain_cache said before."""


def write(folder: Path, is_edited: bool) -> None:
    for words, name in IDS.items():
        files, edited, old, new = CASES[words]
        for file, text in files.items():
            if file == edited:
                assert text.count(old) == 1, words
                text = text.replace(old, new) if is_edited else text
            (folder / file.replace("NAME", name)).write_text(text.replace("NAME", name), "utf-8")


def values(folder: Path, cache: str, phase: str) -> Found:
    flags = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "random"}
    done = subprocess.run(
        [sys.executable, "driver.py", cache, phase],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, **flags, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {
        name: tuple(json.loads((folder / f"{name}.{phase}").read_text())) for name in IDS.values()
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """Before the edits, twice; after them; after them without the results."""
    folder = tmp_path_factory.mktemp("cases")
    (folder / "driver.py").write_text(DRIVER)
    (folder / "names.json").write_text(json.dumps(list(IDS.values())))
    write(folder, is_edited=False)
    before = [values(folder, "kept", "first"), values(folder, "kept", "second")]
    write(folder, is_edited=True)
    return [*before, values(folder, "kept", "after"), values(folder, "none", "fresh")]


@pytest.mark.parametrize("words", IDS)
def test_never_the_old_value(runs: list[Found], words: str) -> None:
    before, _, after, fresh = [found[IDS[words]] for found in runs]
    assert {state for _, state in (before, after, fresh)} <= {"runs", "kept"}, before[0]
    assert before[0] != fresh[0], "the edit changes the value"
    assert after[0] == fresh[0]


@pytest.mark.parametrize("words", IDS)
def test_without_an_edit_another_process_finds_it(runs: list[Found], words: str) -> None:
    assert runs[1][IDS[words]][1] == "kept"
