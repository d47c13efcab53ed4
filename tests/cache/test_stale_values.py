"""Programs that hide what they read: after an edit, a new process never gives the old value.

All cases share four processes: two before the edits, one after them with the results of those,
and one after them with no results.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cache.stale_cases import CASES

ROOT = Path(__file__).parents[2]
DRIVER = """\
import importlib, json, sys, warnings
from kohaku_ast.cache.disk import DiskCache
from kohaku_ast.pipeline.pipeline import Pipeline
warnings.simplefilter("ignore")
found = {}
for name in json.load(open("names.json")):
    pipeline = Pipeline([importlib.import_module(name).f], cache=DiskCache(sys.argv[1]))
    state = pipeline.explain_cache({"x": 3}, "f")["f"].state
    found[name] = repr(pipeline.run({"x": 3}, "f")), state
print(json.dumps(found))
"""
#: What has no fingerprint: the node runs uncached.
WITHOUT = {"ufunc of a function", "helper in a ContextVar", "weak reference to a helper"}
OPTIONAL = {name for name in ("numpy", "attr") if importlib.util.find_spec(name) is None}
IDS = {
    words: f"case{number}"
    for number, (words, (files, *_)) in enumerate(CASES.items())
    if not any(f"import {name}\n" in text for name in OPTIONAL for text in files.values())
}


def write(folder: Path, is_edited: bool) -> None:
    for words in IDS:
        files, edited, old, new = CASES[words]
        for name, text in files.items():
            if name == edited:
                assert old in text, words
                text = text.replace(old, new) if is_edited else text
            path = folder / name.replace("NAME", IDS[words])
            path.parent.mkdir(exist_ok=True)
            path.write_text(text.replace("NAME", IDS[words]), encoding="utf-8")


Found = dict[str, tuple[str, str]]
"""Module -> value, and what explain_cache said before."""


def values(folder: Path, cache: str) -> Found:
    flags = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "random"}
    done = subprocess.run(
        [sys.executable, "driver.py", cache],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, **flags, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: Found = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """Before the edits, twice; after them; after them without the results."""
    folder = tmp_path_factory.mktemp("cases")
    (folder / "driver.py").write_text(DRIVER)
    (folder / "names.json").write_text(json.dumps(list(IDS.values())))
    write(folder, is_edited=False)
    before = [values(folder, "kept"), values(folder, "kept")]
    write(folder, is_edited=True)
    return [*before, values(folder, "kept"), values(folder, "none")]


@pytest.mark.parametrize("words", IDS)
def test_never_the_old_value(runs: list[Found], words: str) -> None:
    before, _, after, fresh = [found[IDS[words]][0] for found in runs]
    assert before != fresh, "the edit changes the value"
    assert after == fresh


@pytest.mark.parametrize("words", IDS)
def test_without_an_edit_another_process_finds_it(runs: list[Found], words: str) -> None:
    assert runs[1][IDS[words]][1] == ("runs" if words in WITHOUT else "kept")
