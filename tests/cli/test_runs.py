"""``kogine runs``: what it prints of real runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.oracle import Finished, run_kogine

TRAIN = """\
lr = 0.1
def main(epochs=2):
    for epoch in range(epochs):
        print(f"epoch: {epoch} loss: {lr / (epoch + 1)}")
    if lr > 1:
        raise ValueError("lr is too large")
if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs: two have succeeded, the last one has failed."""
    made = tmp_path_factory.mktemp("project")
    (made / "train.py").write_text(TRAIN)
    run_kogine(made, "run", "train.py", "--sweep", "lr=0.1,0.2,2", "--sweep", "epochs=3")
    return made


def kogine(folder: Path, *words: str) -> Finished:
    return run_kogine(folder, "runs", *words)


def labels(folder: Path, *words: str) -> list[str]:
    found = kogine(folder, "ls", "--format", "json", *words)
    assert (found.status, found.stderr) == (0, "")
    return [one["label"].split()[0] for one in json.loads(found.stdout)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param([], ["lr=2", "lr=0.2", "lr=0.1"], id="the newest first"),
        pytest.param(["--where", "lr > 0.1"], ["lr=2", "lr=0.2"], id="a query"),
        pytest.param(["--where", 'status == "failed"'], ["lr=2"], id="by status"),
        pytest.param(["--where", "epochs == 3 and lr < 1"], ["lr=0.2", "lr=0.1"], id="short name"),
        pytest.param(["--sort", "lr"], ["lr=0.1", "lr=0.2", "lr=2"], id="sorted"),
        pytest.param(["--sort", "-lr", "--limit", "1"], ["lr=2"], id="the first of the sorted"),
        pytest.param(["--script", "train.py"], ["lr=2", "lr=0.2", "lr=0.1"], id="of a script"),
        pytest.param(["--script", "rain.py"], [], id="part of a name is no script"),
        pytest.param(["--since", "1d"], ["lr=2", "lr=0.2", "lr=0.1"], id="since a day"),
        pytest.param(["--since", "2100-01-01"], [], id="since the future"),
    ],
)  # fmt: skip
def test_which_runs_are_listed(folder: Path, words: list[str], expected: list[str]) -> None:
    assert labels(folder, *words) == expected


def test_table_has_the_chosen_columns(folder: Path) -> None:
    found = kogine(folder, "ls", "--columns", "number,status,lr,epochs")
    assert found.stdout.splitlines() == [
        "#  status     lr   epochs",
        "3  failed     2    3",
        "2  succeeded  0.2  3",
        "1  succeeded  0.1  3",
    ]


def test_table_says_how_many_are_left_out(folder: Path) -> None:
    lines = kogine(folder, "ls", "--limit", "1").stdout.splitlines()
    assert len(lines) == 3
    assert lines[-1] == "1 of 3 runs; --limit 0 lists all"


def test_csv_has_a_line_a_run(folder: Path) -> None:
    found = kogine(folder, "ls", "--format", "csv", "--columns", "number,lr,tags")
    assert found.stdout == "number,lr,tags\n3,2.0,[]\n2,0.2,[]\n1,0.1,[]\n"


def test_empty_store_is_one_line(tmp_path: Path) -> None:
    assert kogine(tmp_path, "ls") == Finished(0, "no runs in '.kogine/runs'\n", "")
    assert kogine(tmp_path, "ls", "--format", "json") == Finished(0, "[]\n", "")
    assert not (tmp_path / ".kogine").exists()


def test_query_without_a_run(folder: Path) -> None:
    found = kogine(folder, "ls", "--where", "lr > 5")
    assert found == Finished(0, "no run fits in '.kogine/runs'\n", "")


@pytest.mark.parametrize("name", ["last", "3", "lr == 2", "status == 'failed'"], ids=repr)
def test_show_finds_a_run(folder: Path, name: str) -> None:
    found = kogine(folder, "show", name)
    assert found.status == 0, found.stderr
    assert "ValueError: lr is too large" in found.stdout
    facts = json.loads(kogine(folder, "show", name, "--json").stdout)
    assert (facts["number"], facts["status"]) == (3, "failed")
    start = facts["id"][:25]
    assert json.loads(kogine(folder, "show", start, "--json").stdout) == facts
    assert json.loads(kogine(folder, "show", facts["identity"][:8], "--json").stdout) == facts


@pytest.mark.parametrize(
    ("words", "part"),
    [
        pytest.param(["show", "9"], "no run '9'", id="no such number"),
        pytest.param(["show", "nope"], "named by number (1 to 3), id, or last", id="no such id"),
        pytest.param(["show", "lr < 1"], "'lr < 1' fits 2 runs", id="several"),
        pytest.param(["show", "lr > 7"], "no run fits 'lr > 7'", id="no run fits"),
        pytest.param(["show"], "no run given: kogine runs show RUN", id="no run"),
        pytest.param(["show", "1", "--store", "nope"], "there are no runs in 'nope'", id="no store"),
        pytest.param(["ls", "--where", "lrr > 1"], "Did you mean 'lr'?", id="a typo in a query"),
        pytest.param(["ls", "--sort", "lrr"], "Did you mean 'lr'?", id="a typo in sort"),
        pytest.param(["ls", "--columns", "lrr"], "Did you mean 'lr'?", id="a typo in columns"),
        pytest.param(["ls", "--since", "soon"], "write 2d, 12h, 30m", id="no time"),
    ],
)  # fmt: skip
def test_mistakes_are_status_2(folder: Path, words: list[str], part: str) -> None:
    found = kogine(folder, *words)
    assert (found.status, found.stdout) == (2, "")
    assert part in found.stderr
