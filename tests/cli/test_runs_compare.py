"""``kogine runs compare``: what it prints of real runs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.oracle import Finished, run_kogine

TRAIN = """\
lr = 0.1
bs = 32
seed = 0
loss = lr * bs + seed / 10
if bs > 100:
    raise ValueError("no memory\\nfor this")
"""
AXES = ("--sweep", "lr=0.1,0.2", "--sweep", "bs=16,32", "--sweep", "seed=0,1,2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve runs that succeeded, and one that failed."""
    made = tmp_path_factory.mktemp("project")
    (made / "train.py").write_text(TRAIN)
    (made / "cfg.py").write_text('_outputs = ["loss"]\n')
    assert run_kogine(made, "run", "train.py", "--config", "cfg.py", *AXES).status == 0
    assert run_kogine(made, "run", "train.py", "bs=128", "--sweep", "seed=0").status == 1
    return made


def compare(folder: Path, *words: str) -> Finished:
    return run_kogine(folder, "runs", "compare", *words)


def test_the_columns_that_differ(folder: Path) -> None:
    done = compare(folder, "1", "2", "4")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[:1] + line[2:] for line in lines] == [
        ["#", "bs", "seed", "loss"],
        ["1", "16", "0", "1.6"],
        ["2", "16", "1", "1.7"],
        ["4", "32", "0", "3.2"],
    ]


def test_groups(folder: Path) -> None:
    done = compare(folder, "--where", "bs < 100", "--by", "lr,bs", "--metric", "loss")
    assert done == Finished(
        0,
        "lr   bs  runs  loss mean  loss std  loss n\n"
        "0.1  16  3     1.7        0.1       3\n"
        "0.1  32  3     3.3        0.1       3\n"
        "0.2  16  3     3.3        0.1       3\n"
        "0.2  32  3     6.5        0.1       3\n"
        "over seed\n",
        "",
    )


@pytest.mark.parametrize(
    "words", [("1", "13"), ("--where", "seed == 0", "--by", "bs"), ("last", "1", "--all")]
)
def test_each_format_has_the_same_cells(folder: Path, words: tuple[str, ...]) -> None:
    rows = json.loads(compare(folder, *words, "--json").stdout)
    found = [*csv.DictReader(io.StringIO(compare(folder, *words, "--format", "csv").stdout))]
    assert [*rows[0]] == [*found[0]]
    for row, line in zip(rows, found):
        texts = {
            name: "" if one is None else json.dumps(one) if isinstance(one, list) else str(one)
            for name, one in row.items()
        }
        assert texts == line
    table = compare(folder, *words).stdout.splitlines()
    assert len([line for line in table if not line.startswith("over ")]) == len(rows) + 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no run given: kogine runs compare RUN ... | --where QUERY"),
        (["1", "--where", "lr > 0"], "both given: RUN and --where"),
        (["1", "99"], "no run '99'"),
        (["--where", "lr >"], "lr >"),
        (["1", "2", "--metric", "loss"], "--metric needs --by"),
        (["1", "2", "--all", "--by", "lr"], "--all has no effect with --by"),
        (["--where", "lr > 0", "--by", "lx"], "no run has 'lx'. Did you mean 'lr'?"),
        (["--where", "lr > 0", "--by", "lr", "--metric", "lss"], "no run has 'lss'"),
    ],
)
def test_mistakes(folder: Path, words: list[str], message: str) -> None:
    done = compare(folder, *words)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr


def test_no_run_fits(folder: Path) -> None:
    assert compare(folder, "--where", "lr > 7").stdout == "No run fits.\n"
    assert compare(folder, "--where", "lr > 7", "--json").stdout == "[]\n"


def test_a_copy_of_the_store_elsewhere(folder: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(folder / ".kogine" / "runs", tmp_path / "copy")
    here = compare(folder, "1", "2", "4").stdout
    assert compare(tmp_path, "1", "2", "4", "--store", "copy").stdout == here


def test_diff_of_two_runs(folder: Path) -> None:
    done = run_kogine(folder, "runs", "diff", "1", "4")
    assert done.status == 1
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0][0] == "name"
    assert lines[2:] == [["#", "values"], ["bs", "16", "32"]]
    found = run_kogine(folder, "runs", "diff", "1", "4", "--json")
    assert (found.status, json.loads(found.stdout)) == (
        1, [{"part": "values", "name": "bs", "first": "16", "second": "32", "text": ""}]
    )  # fmt: skip
    table = run_kogine(folder, "runs", "diff", "1", "4", "--format", "csv")
    assert (table.status, table.stdout) == (1, "part,name,first,second,text\nvalues,bs,16,32,\n")


def test_diff_of_equal_runs_and_mistakes(folder: Path) -> None:
    same = run_kogine(folder, "runs", "diff", "1", "1")
    assert same == Finished(0, "The runs do not differ.\n", "")
    for words in (["1"], ["1", "2", "3"], []):
        done = run_kogine(folder, "runs", "diff", *words)
        assert (done.status, f"{len(words)} runs given" in done.stderr) == (2, True)
