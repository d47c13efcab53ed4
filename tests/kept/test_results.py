"""Results of pipelines that an earlier version has kept: nothing is computed again.

A key has the version of Python in it, and code counts by its syntax tree: a cache belongs to one minor
version. Of another one's it is promised that they do no harm.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kept.kept_files import KEPT, OWN, VERSIONS, copied_scripts, kogine, python, unpack
from tests.oracle import Finished

SHOW = "import flow; flow.show()"
COMMAND = ("pipeline", "run", "flow.py:pipeline", "n=4", "--output", "scaled,tripled,loss,items")
own = pytest.mark.skipif(OWN not in VERSIONS, reason="no results of this Python are kept")


def project(folder: Path, versions: tuple[str, ...]) -> Path:
    """The pipeline with the results that were kept under *versions*."""
    found = copied_scripts("pipeline", folder)
    for version in versions:
        unpack(KEPT / "pipeline" / "caches" / f"{version}.zip", found / "results")
    return found


def who_ran(done: Finished) -> list[str]:
    assert (done.status, done.stderr) == (0, "")
    return [line.split()[0] for line in done.stdout.splitlines() if line.endswith(" runs")]


def results(done: Finished) -> list[str]:
    return [line for line in done.stdout.splitlines() if not line.endswith(" runs")]


@own
def test_imported_pipeline_runs_nothing(tmp_path: Path) -> None:
    folder = project(tmp_path, (OWN,))
    assert who_ran(python(folder, SHOW)) == []


@own
def test_pipeline_of_a_script_runs_nothing(tmp_path: Path) -> None:
    folder = project(tmp_path, (OWN,))
    assert who_ran(kogine(folder, *COMMAND)) == []


@own
def test_kept_results_are_those_that_are_computed(tmp_path: Path) -> None:
    (tmp_path / "anew").mkdir()
    folder, anew = project(tmp_path, (OWN,)), project(tmp_path / "anew", ())
    assert results(python(folder, SHOW)) == results(python(anew, SHOW))
    assert results(kogine(folder, *COMMAND)) == results(kogine(anew, *COMMAND))


@own
def test_explain_cache_reads_the_kept_notes(tmp_path: Path) -> None:
    folder = project(tmp_path, (OWN,))
    lines = python(folder, "import flow; flow.explain()").stdout.splitlines()
    assert [line.split()[1] for line in lines] == ["kept"] * 9


@own
def test_explain_cache_compares_with_the_kept_notes(tmp_path: Path) -> None:
    folder = project(tmp_path, (OWN,))
    text = (folder / "scaling.py").read_text()
    (folder / "scaling.py").write_text(text.replace("UNIT = 10", "UNIT = 11"))
    lines = python(folder, "import flow; flow.explain()").stdout.splitlines()
    (scaled,) = (line for line in lines if line.startswith("scaled "))
    assert scaled.split()[1] == "runs"
    assert "UNIT" in scaled


@own
@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        pytest.param("scaling.py", "UNIT = 10", "UNIT = 11", {"scaled", "bounds", "report", "fit.py", "item", "described"}, id="a constant of a module"),
        pytest.param("scaling.py", "margin = 1", "margin = 2", {"bounds", "report", "fit.py"}, id="an attribute of a class"),
        pytest.param("fit.py", "lr = 0.1", "lr = 0.2", {"fit.py"}, id="a script"),
        pytest.param("flow.py", "make_times(3)", "make_times(4)", {"times"}, id="a closure"),
        pytest.param("flow.py", "return math.sqrt(x)", "return 2.0", {"described"}, id="code of a helper"),
        pytest.param("flow.py", "def rows(n: int):\n", "def rows(n: int):  # how many\n", set(), id="a comment"),
    ],
)  # fmt: skip
def test_what_has_changed_is_computed(
    file: str, old: str, new: str, expected: set[str], tmp_path: Path
) -> None:
    folder = project(tmp_path, (OWN,))
    text = (folder / file).read_text()
    assert text.count(old) == 1
    (folder / file).write_text(text.replace(old, new))
    assert set(who_ran(python(folder, SHOW))) == expected


def test_results_of_other_pythons_do_no_harm(tmp_path: Path) -> None:
    others = tuple(version for version in VERSIONS if version != OWN)
    folder = project(tmp_path, others)
    values = folder / "results" / "values"
    # Notes, for explain_cache alone, belong to no version: the last run's are there.
    kept = {path: path.read_bytes() for path in values.glob("*") if "note-" not in path.name}
    assert kept
    assert {"rows", "scaled", "bounds", "report", "fit.py", "item"} <= set(
        who_ran(python(folder, SHOW))
    )
    assert "times" in who_ran(kogine(folder, *COMMAND))
    assert {path: path.read_bytes() for path in kept} == kept
    assert who_ran(python(folder, SHOW)) == []
