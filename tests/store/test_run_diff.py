"""``Store.diff``: in what two real runs differ."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.store.run_diff import RunDiff
from kohaku_ast.store.store import Store
from tests.oracle import run_kogine

TRAIN = "import helper\nlr = 0.1\nbs = 32\nprint(helper.scaled(lr))\n"
HELPER = "def scaled(x):\n    return 2 * x\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "helper.py").write_text(HELPER)
    return tmp_path


def run(folder: Path, *words: str, script: str = "train.py", **environment: str) -> None:
    done = run_kogine(folder, "run", script, "--record", *words, **environment)
    assert done.status == 0, done.stderr


def diff(folder: Path) -> RunDiff:
    store = Store(folder / ".kogine" / "runs")
    return store.diff(1, store.find("last"))


def rows(found: RunDiff) -> list[tuple[str, str, str | None, str | None]]:
    return [(one.part, one.name, one.first, one.second) for one in found]


def test_equal_runs(folder: Path) -> None:
    run(folder, "lr=0.5")
    run(folder, "lr=0.5")
    assert rows(diff(folder)) == []
    assert str(diff(folder)) == "The runs do not differ."


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(["lr=0.5"], ["lr=0.25"], [("lr", "0.5", "0.25")], id="a value"),
        pytest.param([], ["lr=0.25"], [("lr", "0.1", "0.25")], id="a default"),
        pytest.param(["bs=1"], ["--as-is", "bs=1.0"], [("bs", "1", "1.0")], id="a type"),
        pytest.param(["--add", "n=1"], [], [("n", "1", None)], id="a new global"),
        pytest.param([], ["--", "-v"], [("arguments", None, "['-v']")], id="arguments"),
        pytest.param(["bs=1", "lr=1"], ["bs=2", "lr=2"], [("lr", "1.0", "2.0"), ("bs", "1", "2")],
                     id="two"),
    ],
)  # fmt: skip
def test_values(folder: Path, first: list[str], second: list[str], expected: list[Any]) -> None:
    run(folder, *first)
    run(folder, *second)
    assert sorted(rows(diff(folder))) == sorted(("values", *one) for one in expected)


@pytest.mark.parametrize(
    ("file", "text", "changed", "name"),
    [
        pytest.param("train.py", TRAIN, TRAIN.replace("32", "64"), "script", id="script"),
        pytest.param("helper.py", HELPER, HELPER.replace("2", "3"), "module helper", id="module"),
        pytest.param("helper.py", HELPER, HELPER.rstrip("\n"), "module helper", id="no line end"),
        pytest.param("helper.py", HELPER, "# \u6771\x1b[31m\n" + HELPER, "module helper", id="other letters"),
    ],
)  # fmt: skip
def test_source(folder: Path, file: str, text: str, changed: str, name: str) -> None:
    run(folder, "lr=0.5")
    (folder / file).write_text(changed, encoding="utf-8")
    run(folder, "lr=0.5")
    (folder / file).unlink()  # the texts are in the store
    found = [one for one in diff(folder) if one.part == "source"]
    assert [one.name for one in found] == [name]
    patch = folder / "changes"
    patch.write_text(found[0].text, encoding="utf-8")
    if shutil.which("patch") and text.endswith("\n") == changed.endswith("\n"):
        (folder / file).write_text(text, encoding="utf-8")
        subprocess.run(["patch", "-s", file, patch], cwd=folder, check=True)
        assert (folder / file).read_text(encoding="utf-8") == changed
    assert "\x1b" not in str(diff(folder))
    assert "\x1b" not in diff(folder).texts


def test_a_new_module(folder: Path) -> None:
    run(folder, "lr=0.5")
    (folder / "more.py").write_text("n = 1\n")
    (folder / "train.py").write_text("import more\n" + TRAIN)
    run(folder, "lr=0.5")
    found = {one.name: (one.first is None, one.text) for one in diff(folder)}
    assert found["module more"] == (True, "")
    assert "+import more\n" in found["script"][1]


def test_hashes_where_the_texts_are_gone(folder: Path) -> None:
    run(folder)
    (folder / "train.py").write_text(TRAIN + "# more\n")
    run(folder)
    (folder / ".kogine" / "objects").rename(folder / "away")
    (found,) = diff(folder)
    assert (found.name, found.text, len(found.first or "")) == ("script", "", 64)
    assert (found.first or "")[:12] in str(diff(folder))


def test_damaged_texts_count_as_gone(folder: Path) -> None:
    run(folder)
    (folder / "train.py").write_text(TRAIN + "# more\n")
    run(folder)
    for path in (folder / ".kogine" / "objects").glob("??/*"):
        path.write_bytes(b"planted")
    assert [one.text for one in diff(folder)] == [""]


def test_records_of_earlier_versions(folder: Path) -> None:
    run(folder, "lr=0.5")
    (folder / "helper.py").write_text(HELPER.replace("2", "3"))
    run(folder, "lr=0.25")
    for record in (folder / ".kogine" / "runs").glob("*/run.json"):
        found = json.loads(record.read_text())
        for name in ("sources", "params", "metrics"):
            found.pop(name, None)
        record.write_text(json.dumps(found))
    found = [(one.part, one.name) for one in diff(folder)]
    assert found == [("values", "lr"), ("source", "modules, or the script's place")]


def test_environment(folder: Path) -> None:
    run(folder, OMP_NUM_THREADS="1")
    run(folder, OMP_NUM_THREADS="2", CUDA_VISIBLE_DEVICES="0")
    assert rows(diff(folder)) == [
        ("environment", "variables.OMP_NUM_THREADS", "1", "2"),
        ("environment", "variables.CUDA_VISIBLE_DEVICES", None, "0"),
    ]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git(folder: Path) -> None:
    def git(*words: str) -> None:
        settings = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *settings, *words], cwd=folder, check=True, capture_output=True)

    git("init", "-b", "main")
    git("add", "train.py", "helper.py")
    git("commit", "-m", "first")
    run(folder, "--sweep", "lr=0.5")
    git("checkout", "-b", "other")
    git("commit", "--allow-empty", "-m", "second")
    (folder / "helper.py").write_text(HELPER + "# more\n")
    run(folder, "--sweep", "lr=0.5")
    found = {one.name: (one.first, one.second) for one in diff(folder) if one.part == "git"}
    assert found.keys() == {"commit", "branch", "dirty", "diff"}
    assert (found["branch"], found["dirty"]) == (("main", "other"), ("False", "True"))


def test_a_removed_run(folder: Path) -> None:
    run(folder)
    (folder / "train.py").write_text(TRAIN + "# more\n")
    run(folder)
    store = Store(folder / ".kogine" / "runs")
    store.remove(1)
    (found,) = store.diff(store.removed.find(1), 1)
    assert "+# more\n" in found.text
    assert os.path.isdir(store.removed.root)
