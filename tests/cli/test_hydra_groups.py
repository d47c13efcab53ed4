"""Options of Hydra's groups on the command line: sweeps, dry runs, records, resume, checks."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.oracle import run_kogine

pytestmark = pytest.mark.skipif(find_spec("hydra") is None, reason="needs hydra-core")
SCRIPT = "url = ''\nseed = 0\ndb = {'host': ''}\nprint(url, seed, db['host'])\n"
CONFIG = ("--config", "conf/config.yaml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conf/db").mkdir(parents=True)
    (tmp_path / "conf/db/mysql.yaml").write_text("host: my\n")
    (tmp_path / "conf/db/postgres.yaml").write_text("host: pg\n")
    text = "defaults:\n  - db: postgres\n  - _self_\nseed: 1\nurl: j://${db.host}\n"
    (tmp_path / "conf/config.yaml").write_text(text)
    (tmp_path / "train.py").write_text(SCRIPT)
    return tmp_path


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_a_sweep_has_a_run_for_each_option(folder: Path, mode: str) -> None:
    axes = ("--sweep", "db=mysql,postgres", "--sweep", "seed=3,4")
    done = run_kogine(folder, "run", "train.py", *CONFIG, *axes, "--mode", mode, "--workers", "1")
    assert done.stdout == "j://my 3 my\nj://my 4 my\nj://pg 3 pg\nj://pg 4 pg\n"


def test_an_entry_of_a_group_is_an_override_and_an_axis(folder: Path) -> None:
    done = run_kogine(folder, "run", "train.py", *CONFIG, "db=mysql", "db.host=x")
    assert done.stdout == "j://x 1 x\n"
    done = run_kogine(folder, "run", "train.py", *CONFIG, "--sweep", "db.host=x,y")
    assert done.stdout == "j://x 1 x\nj://y 1 y\n"


def test_an_axis_with_an_unknown_option_runs_nothing(folder: Path) -> None:
    done = run_kogine(folder, "run", "train.py", *CONFIG, "--sweep", "db=mysql,oracl")
    assert (done.status, done.stdout) == (2, "")
    assert "no 'oracl': choose one of mysql, postgres" in done.stderr


def test_a_dry_run_shows_what_no_option_changes(folder: Path) -> None:
    done = run_kogine(
        folder, "run", "train.py", *CONFIG, "--sweep", "db=postgres,mysql", "--dry-run"
    )
    assert "fixed seed: 1 (conf/config.yaml with db=postgres)" in done.stdout
    assert "url" not in done.stdout


def test_a_run_is_resumed_by_its_values_and_its_origin_names_the_option(folder: Path) -> None:
    run_kogine(folder, "run", "train.py", *CONFIG, "db=mysql", "--record")
    (record,) = folder.glob(".kogine/runs/*/run.json")
    assert "conf/config.yaml with db=mysql" in record.read_text()
    axes = ("--sweep", "db=mysql,postgres")
    done = run_kogine(folder, "run", "train.py", *CONFIG, *axes, "--resume")
    assert "skipped [1/2] db=mysql" in done.stderr


def test_the_command_that_repeats_a_run_names_the_option(folder: Path) -> None:
    with (folder / "train.py").open("a") as file:
        file.write("assert db['host'] == 'pg'\n")
    done = run_kogine(folder, "run", "train.py", *CONFIG, "--sweep", "db=mysql,postgres")
    assert "again: kogine run train.py --config conf/config.yaml db=mysql\n" in done.stderr


def test_check_show_and_freeze_have_the_composed_values(folder: Path) -> None:
    done = run_kogine(folder, "config", "check", "train.py", *CONFIG)
    assert done.stdout == "conf/config.yaml: 3 overrides fit train.py\n"
    done = run_kogine(folder, "config", "show", "conf/config.yaml", "--json")
    found = {one["target"]: one["value"] for one in json.loads(done.stdout)["overrides"]}
    assert found == {"db": {"host": "pg"}, "seed": 1, "url": "j://pg"}
    done = run_kogine(folder, "freeze", "train.py", *CONFIG, "db=mysql")
    assert "url = 'j://my'\n" in done.stdout


def test_words_of_hydra_beside_a_plain_config_keep_their_message(folder: Path) -> None:
    (folder / "plain.yaml").write_text("seed: 2\n")
    done = run_kogine(folder, "run", "train.py", "--config", "plain.yaml", "+seed=3")
    assert "without Hydra's '+'" in done.stderr


@pytest.mark.parametrize("line", ["_args: ['${db.host}']", "_kwargs: {n: '${seed}'}"])
def test_arguments_of_the_call_refer_to_no_key(folder: Path, line: str) -> None:
    with (folder / "conf/config.yaml").open("a") as file:
        file.write(f"{line}\n")
    done = run_kogine(folder, "run", "train.py", *CONFIG, "db=mysql")
    assert (done.status, done.stdout) == (2, "")
    assert f"conf/config.yaml: {line.partition(':')[0]} cannot refer to other keys" in done.stderr
