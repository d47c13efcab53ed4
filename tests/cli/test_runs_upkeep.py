"""``kogine runs rm``, ``restore``, ``gc`` and ``stop``: what they print, and mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.recorded import records
from tests.oracle import Finished, run_kogine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text("lr = 0.1\nprint(lr)\n")
    assert run_kogine(tmp_path, "run", "train.py", "--sweep", "lr=1,2,3,4,5").status == 0
    return tmp_path


def runs(folder: Path, *words: str) -> Finished:
    return run_kogine(folder, "runs", *words)


def test_rm_says_how_to_get_back_and_that_works(folder: Path) -> None:
    done = runs(folder, "rm", "1", "last")
    first, line = done.stdout.splitlines()
    assert (done.status, first, done.stderr) == (0, "2 runs removed.", "")
    assert [one.label for one in records(folder)] == ["lr=2", "lr=3", "lr=4"]
    command = line.removeprefix("To get back: kogine ").split()
    assert run_kogine(folder, *command).stdout == "2 runs restored.\n"
    assert len(records(folder)) == 5


def test_many_come_back_with_all(folder: Path) -> None:
    done = runs(folder, "rm", "--where", "lr > 1")
    assert done.stdout == "4 runs removed.\nTo get back: kogine runs restore --all\n"
    assert runs(folder, "restore", "--all").stdout == "4 runs restored.\n"
    assert len(records(folder)) == 5


def test_the_store_is_part_of_the_command(folder: Path) -> None:
    (folder / ".kogine" / "runs").rename(folder / "kept runs")
    done = runs(folder, "rm", "1", "--store", "kept runs")
    assert "kogine runs restore --store 'kept runs' 2" in done.stdout
    assert runs(folder, "restore", "--all", "--store", "kept runs").stdout == "1 run restored.\n"


def test_gc_in_words(folder: Path) -> None:
    assert runs(folder, "gc").stdout == "0 bytes (0 B) freed: 0 runs and 0 objects.\n"
    runs(folder, "rm", "1", "2")
    dry = runs(folder, "gc", "--dry-run").stdout
    assert re.fullmatch(r"\d{4} bytes \(\d.\d kB\) would be freed: 2 runs and 0 objects.\n", dry)
    assert runs(folder, "gc").stdout == dry.replace("would be freed", "freed")
    assert runs(folder, "restore", "--all").stdout == "0 runs restored.\n"


def test_what_was_done_as_json_and_csv(folder: Path) -> None:
    def answer(*words: str) -> list[dict[str, Any]]:
        found = runs(folder, *words, "--json")
        assert (found.status, found.stderr) == (0, "")
        return json.loads(found.stdout)  # type: ignore[no-any-return]

    first, second, *_ = (one.folder.name for one in records(folder))
    assert answer("tag", "1", "b", "a") == [{"number": 1, "id": first, "tags": ["b", "a"]}]
    assert answer("note", "2", "so so") == [{"number": 2, "id": second, "note": "so so"}]
    assert runs(folder, "tag", "1", "a", "--remove", "--format", "csv").stdout == (
        f'number,id,tags\n1,{first},"[""b""]"\n'
    )
    assert answer("rm", "1", "2") == [{"id": first}, {"id": second}]
    (would,) = answer("gc", "--dry-run")
    assert (would["runs"], would["objects"]) == (2, 0)
    assert answer("restore", "--all") == [{"id": second}, {"id": first}]
    assert answer("reindex") == [{"runs": 5}]
    assert answer("gc") == [{"runs": 0, "objects": 0, "size": 0}]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rm"], "no run given: kogine runs rm RUN ... | --where QUERY"),
        (["rm", "1", "--where", "lr > 1"], "both given: RUN and --where"),
        (["rm", "1", "17"], "no run '17'"),
        (["rm", "--where", "lr >>> 1"], "lr >>> 1"),
        (["restore"], "no run given: kogine runs restore RUN ... | --where QUERY | --all"),
        (["restore", "1"], "no run '1': there are no runs in"),
        (["restore", "1", "--all"], "--all and a choice are given"),
        (["stop"], "no run given: kogine runs stop RUN"),
        (["stop", "last"], "is not running: it has succeeded"),
    ],
)
def test_mistakes_move_nothing(folder: Path, words: list[str], message: str) -> None:
    done = runs(folder, *words)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(records(folder)) == 5
