"""``kogine cache ls|why|rm|gc|verify`` with caches that real runs filled, some of them damaged."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import Finished, run_kogine

FLOW = """\
from kohaku_ast import DiskCache, Pipeline, node

SCALE = 10


@node
def rows(n: int):
    return [one * SCALE for one in range(n)]


@node
def total(rows):
    return sum(rows)


pipeline = Pipeline([rows, total], cache=DiskCache("results"))
"""
posix = pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
not_root = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() == 0, reason="root can write anywhere"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose script and pipeline have both run once."""
    (tmp_path / "train.py").write_text("lr = 0.1\nprint(lr)\n")
    (tmp_path / "flow.py").write_text(FLOW)
    assert kogine(tmp_path, "run", "train.py", "lr=3").stdout == "3.0\n"
    assert kogine(tmp_path, "pipeline", "run", "flow.py", "n=4").stdout == "total = 60\n"
    return tmp_path


def kogine(folder: Path, *words: str) -> Finished:
    return run_kogine(folder, *words, KOGINE_CACHE=str(folder / "programs"))


def listed(folder: Path, *words: str) -> list[dict[str, Any]]:
    done = kogine(folder, "cache", "ls", "--json", *words)
    assert (done.status, done.stderr) == (0, "")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def names(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((row["kind"], row["name"] or "") for row in rows)


def program_of(folder: Path, name: str) -> Path:
    (key,) = [one["key"] for one in listed(folder) if one["name"] == name]
    return folder / "programs" / f"{key}.program"


ALL = [
    ("note", ""),
    ("note", ""),
    ("program", "flow.py"),
    ("program", "train.py"),
    ("result", "rows"),
    ("result", "total"),
]


def test_ls_has_what_the_runs_left(folder: Path) -> None:
    rows = listed(folder)
    assert names(rows) == ALL
    by_name = {row["name"]: row for row in rows}
    assert by_name["train.py"]["where"] == str(folder / "train.py")
    assert by_name["train.py"]["cache"] == str(folder / "programs")
    assert (by_name["rows"]["where"], by_name["rows"]["cache"]) == ("flow.py:6", "results")
    file = folder / "results" / "values" / by_name["rows"]["key"]
    assert by_name["rows"]["size"] == file.stat().st_size


def test_ls_in_each_format_has_the_same_rows(folder: Path) -> None:
    columns = ["name", "kind", "where", "key", "size", "used", "cache"]
    found = list(csv.DictReader(io.StringIO(kogine(folder, "cache", "ls", "--format=csv").stdout)))
    as_text = [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in listed(folder)
    ]
    assert found == as_text
    header, *lines = kogine(folder, "cache", "ls").stdout.splitlines()
    assert header.split() == columns
    assert [line.split()[-1] for line in lines] == [row["cache"] for row in found]


def test_a_cached_result_is_found_again_after_all_of_it(folder: Path) -> None:
    for command in ("ls", "verify", "gc"):
        assert kogine(folder, "cache", command).status == 0
    why = kogine(folder, "cache", "why", "flow.py", "n=4")
    assert why.stdout.splitlines()[-1].split(maxsplit=2)[:2] == ["total", "kept"]


def test_ls_of_one_folder(folder: Path) -> None:
    assert len(listed(folder, "--folder", "results")) == 4
    assert len(listed(folder, "--folder", "results/values")) == 4
    assert names(listed(folder, "--folder", "programs")) == ALL[2:4]


def test_ls_without_any_cache(tmp_path: Path) -> None:
    assert kogine(tmp_path, "cache", "ls") == Finished(0, "The caches are empty.\n", "")
    assert kogine(tmp_path, "cache", "ls", "--json").stdout == "[]\n"
    assert kogine(tmp_path, "cache", "verify").stdout == "0 files, all of them whole.\n"
    assert kogine(tmp_path, "cache", "gc").stdout == "Nothing to remove.\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ls", "--folder", "resluts"], "no cache in 'resluts'. Did you mean 'results'?"),
        (["ls", "--folder", "."], "no cache in '.'."),
        (["rm"], "name what to remove, or everything: kogine cache rm NAME ... | --all"),
        (["rm", "x", "--all"], "name what to remove, or everything: kogine cache rm NAME"),
        (["rm", "trian.py"], "nothing is cached of 'trian.py'. Did you mean 'train.py'?"),
        (["rm", "train.py", "nothing.py"], "nothing is cached of 'nothing.py'."),
        (["gc", "--older", "3x"], "--older 3x: a time such as 30d, 12h, 90m or 2w"),
        (["gc", "--to", "much"], "--to much: a size such as 500MB or 1GiB"),
        (["why", "flow.py", "n=4", "--node", "totl"], "no node 'totl' takes part. Did you mean"),
        (["why", "flow.py"], "input"),
        (["why", "train.py", "--node", "x"], "--node is for pipelines, and train.py defines none"),
        (["verify", "--json", "--format", "csv"], "--json is --format json: take away"),
    ],
)
def test_mistakes_remove_nothing(folder: Path, words: list[str], message: str) -> None:
    done = kogine(folder, "cache", *words)
    assert done.status == 2
    assert message in done.stderr
    assert not Counter(ALL) - Counter(names(listed(folder)))


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        pytest.param("train.py", [("program", "train.py")], id="the name of a script"),
        pytest.param("./train.py", [("program", "train.py")], id="its path"),
        pytest.param("rows", [("result", "rows")], id="a node"),
    ],
)
def test_rm_of_a_name(folder: Path, name: str, gone: list[tuple[str, str]]) -> None:
    done = kogine(folder, "cache", "rm", name)
    assert (done.status, done.stderr) == (0, "")
    assert "1 file removed" in done.stdout
    assert names(listed(folder)) == [one for one in ALL if one not in gone]
    assert kogine(folder, "run", "train.py", "lr=3").stdout == "3.0\n"
    assert kogine(folder, "pipeline", "run", "flow.py", "n=4").stdout == "total = 60\n"


def test_rm_of_a_key_and_of_its_start(folder: Path) -> None:
    first, second, *_ = [row["key"] for row in listed(folder)]
    assert kogine(folder, "cache", "rm", first[:3]).status == 2  # too few to be meant
    assert kogine(folder, "cache", "rm", first, second[:6]).status == 0
    assert {first, second}.isdisjoint(row["key"] for row in listed(folder))
    assert len(listed(folder)) == len(ALL) - 2


def test_rm_all_and_a_dry_run(folder: Path) -> None:
    (folder / "programs" / "mine.txt").write_text("not of the cache")
    dry = kogine(folder, "cache", "rm", "--all", "--dry-run").stdout
    assert names(listed(folder)) == ALL
    would = json.loads(kogine(folder, "cache", "rm", "--all", "--dry-run", "--json").stdout)
    assert sum(one["files"] for one in would) == len(ALL)
    done = kogine(folder, "cache", "rm", "--all").stdout
    assert dry.replace("would be removed", "removed") == done
    assert listed(folder) == []
    assert (folder / "programs" / "mine.txt").exists()
    assert (folder / "results" / "values" / "CACHEDIR.TAG").exists()


def test_two_rm_at_once(folder: Path) -> None:
    import subprocess

    from tests.oracle import on_path

    command = [sys.executable, "-m", "kogine", "cache", "rm", "--all"]
    environment = {
        **os.environ, "PYTHONPATH": on_path(), "KOGINE_CACHE": str(folder / "programs")
    }  # fmt: skip
    both = [
        subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [one.wait(60) for one in both] == [0, 0]
    assert listed(folder) == []


def test_gc_removes_what_is_old(folder: Path) -> None:
    month_ago = time.time() - 31 * 86400
    os.utime(program_of(folder, "train.py"), (month_ago, month_ago))
    assert kogine(folder, "cache", "gc", "--older", "32d").stdout == "Nothing to remove.\n"
    assert "1 file would" in kogine(folder, "cache", "gc", "--older=30d", "--dry-run").stdout
    assert names(listed(folder)) == ALL
    assert "1 file removed" in kogine(folder, "cache", "gc", "--older", "30d").stdout
    assert ("program", "train.py") not in names(listed(folder))


def test_gc_removes_the_least_recently_used_down_to_a_size(folder: Path) -> None:
    rows = listed(folder)
    for number, row in enumerate(sorted(rows, key=lambda one: one["size"])):
        inside = "programs" if row["kind"] == "program" else "results/values"
        (path,) = (folder / inside).glob(f"*{row['key']}*")
        os.utime(path, (1e9 + number, 1e9 + number))
    most = max(row["size"] for row in rows)
    assert kogine(folder, "cache", "gc", "--to", f"{most}B").status == 0
    (left,) = listed(folder)
    assert left["size"] == most


def test_gc_removes_what_killed_processes_left(folder: Path) -> None:
    for inside, name in (("programs", "ab.program"), ("results/values", "ab")):
        for number, age in ((1, 7200), (2, 10)):
            path = folder / inside / f"{name}.{number}.{number}.partial"
            path.write_bytes(b"half")
            os.utime(path, (time.time() - age,) * 2)
    assert kogine(folder, "cache", "gc").status == 0
    left = [path.name for path in folder.glob("**/*.partial")]
    assert sorted(left) == ["ab.2.2.partial", "ab.program.2.2.partial"]  # somebody writes them now
    assert names(listed(folder))[-2:] == [("unfinished", "")] * 2


DAMAGE = [
    pytest.param(lambda data: b"", id="empty"),
    pytest.param(lambda data: data[:-1], id="cut"),
    pytest.param(lambda data: data + b"x", id="longer"),
    pytest.param(lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:], id="one bit"),
    pytest.param(lambda data: b"kogine label", id="a label alone"),
    pytest.param(lambda data: b"\xff\xff\xff\xffkogine label", id="a label beyond the file"),
    pytest.param(lambda data: b"\xff\x01\0\0\0kogine label", id="a label that is no text"),
]


@pytest.mark.parametrize("kind", ["program", "result"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_verify_names_what_is_damaged(folder: Path, damage: Any, kind: str) -> None:
    assert kogine(folder, "cache", "verify").stdout == "6 files, all of them whole.\n"
    (key,) = [one["key"] for one in listed(folder) if one["name"] in ("train.py", "rows")
              and one["kind"] == kind]  # fmt: skip
    path = folder / ("results/values" if kind == "result" else "programs")
    path /= key if kind == "result" else f"{key}.program"
    path.write_bytes(damage(path.read_bytes()))
    done = kogine(folder, "cache", "verify", "--json")
    assert done.status == 1
    (row,) = json.loads(done.stdout)
    assert (row["file"], row["problem"], row["kind"]) == (path.name, "damaged", kind)
    assert kogine(folder, "cache", "ls").status == 0
    assert kogine(folder, "cache", "gc").stdout.count("1 file removed") == 1
    assert not path.exists()
    assert kogine(folder, "cache", "verify").status == 0


def test_verify_finds_a_file_under_the_name_of_another(folder: Path) -> None:
    path = program_of(folder, "train.py")
    path.rename(path.with_name(f"{'0' * 40}.program"))
    done = kogine(folder, "cache", "verify")
    assert done.status == 1
    assert "0" * 40 in done.stdout


@posix
def test_what_others_can_write_is_named_and_not_used(folder: Path) -> None:
    program_of(folder, "train.py").chmod(0o666)
    done = kogine(folder, "cache", "verify")
    assert (done.status, "can be written by others" in done.stdout) == (1, True)
    (folder / "programs").chmod(0o777)
    for command in (["ls"], ["verify"], ["rm", "--all"], ["gc"]):
        done = kogine(folder, "cache", *command)
        assert (done.status, done.stdout) == (2, "")
        assert f"{folder / 'programs'} can be written by others" in done.stderr
    assert len([*(folder / "programs").iterdir()]) == 2


@posix
@not_root
def test_a_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    (folder / "programs").chmod(0o500)
    try:
        done = kogine(folder, "cache", "rm", "train.py")
    finally:
        (folder / "programs").chmod(0o700)
    assert done.status == 2
    assert ".program of" in done.stderr


def test_what_cannot_be_removed_is_named(folder: Path) -> None:
    (folder / "programs" / "ab.program").mkdir()  # no file: os.remove refuses it
    done = kogine(folder, "cache", "rm", "--all")
    assert done.status == 2
    assert "cannot remove ab.program of" in done.stderr
    assert kogine(folder, "cache", "verify").status == 1


def test_a_folder_of_the_user_is_no_cache(folder: Path) -> None:
    other = folder / "data" / "values"
    other.mkdir(parents=True, mode=0o700)
    (other / "CACHEDIR.TAG").write_text("Signature: 8a477f597d28d172789f06886806bc55\n# of pip\n")
    (other / "results.csv").write_text("1,2\n")
    assert names(listed(folder)) == ALL
    assert kogine(folder, "cache", "rm", "--all").status == 0
    assert (other / "results.csv").exists()


def why(folder: Path, *words: str) -> dict[str, tuple[str, str]]:
    done = kogine(folder, "cache", "why", "flow.py", "n=4", "--json", *words)
    assert (done.status, done.stderr) == (0, "")
    return {row["node"]: (row["state"], row["why"]) for row in json.loads(done.stdout)}


def test_why_names_the_part_that_has_changed(folder: Path) -> None:
    assert why(folder) == {
        "rows": ("not needed", "all that reads it is kept"),
        "total": ("kept", "nothing that it depends on has changed"),
    }
    (folder / "flow.py").write_text(FLOW.replace("SCALE = 10", "SCALE = 11"))
    assert why(folder)["rows"] == ("runs", "changed since it was kept: rows: SCALE")
    assert why(folder, "--node", "total") == {
        "total": ("runs", "it is as it was; what changed is above it: rows"),
    }
    kogine(folder, "cache", "rm", "total")
    (folder / "flow.py").write_text(FLOW)
    assert why(folder)["total"] == (
        "runs",
        "it is as it was; nothing is kept for these values of 'n'",
    )
