"""Options of Hydra's groups on the command line: sweeps, dry runs, records, resume, checks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.oracle import run_kogine

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


@pytest.mark.parametrize(
    ("words", "twice"),
    [
        pytest.param(("db=mysql", "--sweep", "db=mysql,postgres"), "db=mysql", id="an option"),
        pytest.param(("--sweep", "db=mysql,postgres", "db=mysql"), "db=mysql", id="behind the axis"),
        pytest.param(("--set", "db=mysql", "--sweep", "db=mysql,postgres"), "db=mysql", id="--set"),
        pytest.param(("+db=mysql", "--sweep", "db=mysql,postgres"), "+db=mysql", id="added"),
        pytest.param(("~db", "--sweep", "db=mysql,postgres"), "~db=", id="taken away"),
        pytest.param(("++seed=4", "--sweep", "seed=1,2"), "++seed=4", id="a key, forced"),
        pytest.param(("~seed", "--sweep", "seed=1,2"), "~seed=", id="a key, taken away"),
        pytest.param(("++db.host=x", "--sweep", "db.host=y,z"), "++db.host=x", id="an entry"),
        pytest.param(("seed=4", "--sweep", "++seed=1,2"), "seed=4", id="a forced axis"),
        pytest.param(("--sweep", "+db=mysql", "--sweep", "db=postgres"), "the axis '+db'", id="two axes"),
    ],
)  # fmt: skip
def test_an_option_beside_an_axis_of_its_group_is_an_error(
    folder: Path, words: tuple[str, ...], twice: str
) -> None:
    done = run_kogine(folder, "run", "train.py", *CONFIG, *words)
    assert (done.status, done.stdout) == (2, "")
    assert f"is given twice, as an axis and as {twice}: take away one of them" in done.stderr


@pytest.mark.parametrize("words", [("+x@y=a", "y=1,2"), ("+x/y=a", "y=1,2")], ids=["@", "/"])
def test_a_word_for_another_group_beside_an_axis_is_none_of_it(
    folder: Path, words: tuple[str, str]
) -> None:
    (folder / "conf/x").mkdir()
    (folder / "conf/x/a.yaml").write_text("k: 3\n")
    (folder / "conf/x/y").mkdir()
    (folder / "conf/x/y/a.yaml").write_text("k: 3\n")
    (folder / "train.py").write_text("seed = 0\nurl = db = ''\nx = y = 0\nprint(x, y)\n")
    done = run_kogine(folder, "run", "train.py", *CONFIG, words[0], "--sweep", words[1])
    assert "is not a target" not in done.stderr


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


EDITS = """\
import pathlib
for name in ("conf/db/mysql", "conf/db/postgres", "conf/config", "conf/more/a", "conf/db/new"):
    path = pathlib.Path(f"{name}.yaml")
    path.parent.mkdir(exist_ok=True)
    path.write_text("host: edited\\n")
"""


@pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
def test_all_runs_see_the_files_as_they_were_at_the_start(folder: Path, mode: str) -> None:
    """Also files that only a later option brings, and those of a group that a word adds."""
    (folder / "conf/db/postgres.yaml").write_text("defaults:\n  - /more@_here_: a\n  - _self_\n")
    (folder / "conf/more").mkdir()
    (folder / "conf/more/a.yaml").write_text("host: more\n")
    (folder / "train.py").write_text(f"extra = {{}}\n{SCRIPT}print(extra['host'])\n{EDITS}")
    words = ("+more@extra=a", "--sweep", "db=mysql,postgres", "--sweep", "seed=3,4")
    done = run_kogine(folder, "run", "train.py", *CONFIG, *words, "--mode", mode, "--workers", "1")
    assert done.stdout == "".join(
        f"j://{host} {seed} {host}\nmore\n" for host in ("my", "more") for seed in (3, 4)
    )
    assert (folder / "conf/more/a.yaml").read_text() == "host: edited\n"


def test_an_option_that_a_run_adds_is_none_of_the_flow(folder: Path) -> None:
    (folder / "train.py").write_text(SCRIPT + EDITS)
    (folder / "cfg.py").write_text(
        "from kohaku_ast import Config\n"
        "base = Config.from_file('conf/config.yaml')\n"
        "def config_gen():\n    for one in ('mysql', 'new'):\n        yield base | Config(db=one)\n"
    )
    done = run_kogine(folder, "run", "train.py", "--config", "cfg.py", "--mode", "inline")
    assert done.stdout == "j://my 1 my\n"
    assert "no 'new': choose one of mysql, postgres" in done.stderr


class TestSeveralScripts:
    """Each script gets what it would get by itself, of the values whose targets it has."""

    @pytest.fixture(autouse=True)
    def _scripts(self, folder: Path) -> None:
        (folder / "conf/db/mysql.yaml").write_text("host: my\nonly: 1\n")
        (folder / "conf/opt").mkdir()
        (folder / "conf/opt/sgd.yaml").write_text("# @package _global_\nlr: 0.5\nnesterov: 1\n")
        (folder / "conf/opt/adam.yaml").write_text("# @package _global_\nlr: 0.25\n")
        with (folder / "conf/config.yaml").open("a") as file:
            file.write("lr: 0.125\n")
        (folder / "url.py").write_text("url = ''\nprint('url', url)\n")
        (folder / "lr.py").write_text("lr = 0.1\nnesterov = 0\nprint('lr', lr, nesterov)\n")

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            pytest.param([], "j://pg 1 pg\nurl j://pg\nlr 0.125 0\n", id="no words"),
            pytest.param(["db=mysql"], "j://my 1 my\nurl j://my\nlr 0.125 0\n", id="an option"),
            pytest.param(["db.host=x"], "j://x 1 x\nurl j://x\nlr 0.125 0\n", id="a value"),
            pytest.param(["+opt=sgd", "seed=2"], "j://pg 2 pg\nurl j://pg\nlr 0.5 1\n", id="a group added, with a target of one script"),
            pytest.param(["--sweep", "db=mysql,postgres"], "j://my 1 my\nj://pg 1 pg\nurl j://my\nurl j://pg\nlr 0.125 0\n", id="a sweep over options"),
            pytest.param(["--sweep", "db.host=x,y"], "j://x 1 x\nj://y 1 y\nurl j://x\nurl j://y\nlr 0.125 0\n", id="a sweep over a value that another reads"),
            pytest.param(["--sweep", "lr=1,2"], "j://pg 1 pg\nurl j://pg\nlr 1.0 0\nlr 2.0 0\n", id="a sweep of one script"),
            pytest.param(["--sweep", "+opt=sgd,adam"], "j://pg 1 pg\nurl j://pg\nlr 0.5 1\nlr 0.25 0\n", id="a sweep over a group added"),
        ],
    )  # fmt: skip
    def test_they_get_their_own(self, folder: Path, words: list[str], expected: str) -> None:
        scripts = ("train.py", "url.py", "lr.py")
        done = run_kogine(folder, "workflow", "sequential", *scripts, *CONFIG, *words)
        assert (done.status, done.stdout) == (0, expected), done.stderr

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            pytest.param(["db=mysq"], "no 'mysq': choose one of mysql, postgres", id="an option"),
            pytest.param(["dbb=mysql"], "no parameter 'dbb'. Did you mean 'db'", id="a group"),
            pytest.param(["--sweep", "db=mysql,oracl"], "no 'oracl': choose", id="in a sweep"),
            pytest.param(["+opt=sgd,adam"], "--sweep +opt=sgd,adam", id="several options"),
        ],
    )
    def test_a_mistake_runs_nothing(self, folder: Path, words: list[str], message: str) -> None:
        scripts = ("train.py", "url.py", "lr.py")
        done = run_kogine(folder, "workflow", "parallel", *scripts, *CONFIG, *words)
        assert (done.status, done.stdout) == (2, "")
        assert message in done.stderr

    def test_a_config_that_waits_for_outcomes_leaves_the_files_as_they_were(
        self, folder: Path
    ) -> None:
        (folder / "train.py").write_text(SCRIPT + EDITS)
        (folder / "cfg.py").write_text(
            "from kohaku_ast import Config\n"
            "def config_gen(previous):\n    return Config(seed=5 + len(previous))\n"
        )
        files = (*CONFIG, "--config", "cfg.py")
        done = run_kogine(folder, "workflow", "sequential", "train.py", "url.py", "lr.py", *files)
        assert done.stdout == "j://pg 5 pg\nurl j://pg\nlr 0.125 0\n", done.stderr


class TestShow:
    """``kogine config show`` prints the values that a run with the same words has."""

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            pytest.param([], {"db": {"host": "pg"}, "seed": 1, "url": "j://pg"}, id="no words"),
            pytest.param(["db=mysql"], {"db": {"host": "my"}, "seed": 1, "url": "j://my"}, id="an option"),
            pytest.param(["db.host=x", "seed=4"], {"db": {"host": "x"}, "seed": 4, "url": "j://x", "db.host": "x"}, id="values"),
            pytest.param(["+db@more=mysql"], {"db": {"host": "pg"}, "seed": 1, "url": "j://pg", "more": {"host": "my"}}, id="a group added"),
            pytest.param(["~db", "url=gone"], {"seed": 1, "url": "gone"}, id="a group taken away"),
        ],
    )  # fmt: skip
    def test_values(self, folder: Path, words: list[str], expected: dict[str, object]) -> None:
        done = run_kogine(folder, "config", "show", "conf/config.yaml", *words, "--json")
        assert (done.status, done.stderr) == (0, "")
        found = json.loads(done.stdout)
        assert {one["target"]: one["value"] for one in found["overrides"]} == expected
        typed = {one["target"] for one in found["overrides"] if one["from"] == "command line"}
        chosen = {"db", "+db@more", "~db"}
        assert typed == {word.partition("=")[0] for word in words} - chosen

    def test_with_a_script(self, folder: Path) -> None:
        words = ("conf/config.yaml", "db=mysql", "db.host=x", "--script", "train.py")
        done = run_kogine(folder, "config", "show", *words)
        assert done.status == 0, done.stderr
        rows = [line.split("  ") for line in done.stdout.splitlines()]
        assert [[cell.strip() for cell in row if cell][:3] for row in rows] == [
            ["target", "value", "from"],
            ["db", "{'host': 'x'}", "conf/config.yaml with db=mysql, db.host given"],
            ["seed", "1", "conf/config.yaml with db=mysql"],
            ["url", "'j://x'", "conf/config.yaml with db=mysql"],
        ]

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            pytest.param(["db=mysq"], "no 'mysq': choose one of mysql, postgres. Did you mean 'mysql'?", id="an option"),
            pytest.param(["bd=mysql"], "'bd' is neither a key nor a group of conf/config.yaml. Did you mean 'db'?", id="a group"),
            pytest.param(["db.hots=x"], "Did you mean 'db.host'?", id="a key"),
            pytest.param(["db=mysql,postgres"], "--sweep db=mysql,postgres", id="two options"),
            pytest.param(["bd=mysql", "--script", "train.py"], "train.py: no parameter 'bd'. Did you mean 'db'", id="a group, with a script"),
            pytest.param(["~bd"], "'bd' does not exist", id="nothing to take away"),
        ],
    )  # fmt: skip
    def test_a_mistake_is_one_message(self, folder: Path, words: list[str], message: str) -> None:
        done = run_kogine(folder, "config", "show", "conf/config.yaml", *words)
        assert (done.status, done.stdout) == (2, "")
        assert message in done.stderr

    def test_of_a_sweep_what_every_run_has(self, folder: Path) -> None:
        with (folder / "conf/config.yaml").open("a") as file:
            file.write("_sweep: {db: [mysql, postgres]}\n")
        done = run_kogine(folder, "config", "show", "conf/config.yaml")
        assert done.stdout.splitlines()[-2:] == [
            "target  value  from",
            "seed    1      conf/config.yaml with db=mysql",
        ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["db=mysql"], ["fixed db: mysql (command line)", "fixed url: 'j://my' (conf/config.yaml with db=mysql)"], id="an option"),
        pytest.param(["db.host=x"], ["fixed db.host: x (command line)", "fixed db: {'host': 'x'} (conf/config.yaml with db=postgres, db.host given)", "fixed url: 'j://x' (conf/config.yaml with db=postgres)"], id="a value in a group"),
        pytest.param(["+db@extra=mysql"], ["fixed +db@extra: mysql (command line)", "fixed db: {'host': 'pg'} (conf/config.yaml with db@extra=mysql db=postgres)", "fixed url: 'j://pg' (conf/config.yaml with db@extra=mysql db=postgres)", "fixed extra: {'host': 'my'} (conf/config.yaml with db@extra=mysql db=postgres)"], id="a group added"),
    ],
)  # fmt: skip
def test_a_dry_run_shows_what_words_make(
    folder: Path, words: list[str], expected: list[str]
) -> None:
    (folder / "train.py").write_text(f"extra = {{}}\n{SCRIPT}")
    seeds = ("--sweep", "seed=1,2", "--dry-run")
    done = run_kogine(folder, "run", "train.py", *CONFIG, *words, *seeds)
    assert done.status == 0, done.stderr
    assert done.stdout.splitlines() == [
        "axis seed: 2 of 1, 2",
        *expected,
        "    1  seed=1",
        "    2  seed=2",
    ]


def test_a_dry_run_that_no_run_would_start_ends_with_one_message(folder: Path) -> None:
    words = ("+db@url=mysql", "--sweep", "seed=1,2", "--dry-run")
    done = run_kogine(folder, "run", "train.py", *CONFIG, *words)
    assert (done.status, done.stdout) == (2, "axis seed: 2 of 1, 2\n")
    assert done.stderr.startswith("kogine: error: train.py:1: url={'host': 'my'}")


READ = {
    "top": "seed: ${mul}\nmul: 7\n",
    "nested": "seed: ${mul.a}\nmul:\n  a: 7\n",
    "group": "defaults:\n  - more: none\n  - _self_\n",
}
BY_OPTION = {"none": "seed: 4\n", "mul": "seed: ${mul}\nmul: 7\n"}


class TestWhatOnlyInterpolationsRead:
    """A value for such a key, which the script lacks, gives those that read it theirs."""

    @pytest.fixture(autouse=True)
    def _configs(self, folder: Path) -> None:
        (folder / "conf/more").mkdir()
        for name, text in READ.items():
            (folder / f"conf/{name}.yaml").write_text(text)
        for name, text in BY_OPTION.items():
            (folder / f"conf/more/{name}.yaml").write_text(f"# @package _global_\n{text}")
        (folder / "rows.csv").write_text("mul\n1\n2\n")
        (folder / "other.py").write_text("lr = 1\nprint('lr', lr)\n")
        (folder / "seed.py").write_text("seed = 0\nprint(seed)\n")

    @pytest.mark.parametrize("mode", ["inline", "spawn", "warm"])
    @pytest.mark.parametrize(
        ("config", "words", "printed"),
        [
            pytest.param("top", ["mul=9"], "9\n", id="a value"),
            pytest.param("top", ["mul=9", "seed=3"], "3\n", id="where what reads it is given, too"),
            pytest.param("top", ["--sweep", "mul=1,2"], "1\n2\n", id="an axis"),
            pytest.param("top", ["--trials", "rows.csv"], "1\n2\n", id="a table"),
            pytest.param("nested", ["mul.a=9"], "9\n", id="a nested value"),
            pytest.param("nested", ["--sweep", "mul.a=1,2"], "1\n2\n", id="a nested axis"),
            pytest.param("group", ["more=mul", "mul=9"], "9\n", id="of an option"),
            pytest.param("group", ["more=mul", "--sweep", "mul=1,2"], "1\n2\n", id="an axis there"),
        ],
    )
    def test_is_given(
        self, folder: Path, config: str, words: list[str], printed: str, mode: str
    ) -> None:
        config = f"conf/{config}.yaml"
        done = run_kogine(
            folder, "run", "seed.py", "--config", config, *words, "--mode", mode, "--workers", "1"
        )
        assert (done.status, done.stdout) == (0, printed), done.stderr

    @pytest.mark.parametrize(
        ("config", "words"),
        [
            pytest.param("top", ["mull=9"], id="a mistyped key"),
            pytest.param("top", ["--sweep", "mull=1,2"], id="as an axis"),
            pytest.param("group", ["mul=9"], id="of an option that is not chosen"),
        ],
    )
    def test_another_key_runs_nothing(self, folder: Path, config: str, words: list[str]) -> None:
        done = run_kogine(folder, "run", "seed.py", "--config", f"conf/{config}.yaml", *words)
        assert (done.status, done.stdout) == (2, "")
        assert "no parameter 'mul" in done.stderr

    def test_goes_to_each_of_several_scripts(self, folder: Path) -> None:
        words = ("--config", "conf/top.yaml", "--sweep", "mul=1,2")
        done = run_kogine(folder, "workflow", "sequential", "seed.py", "other.py", *words)
        assert (done.status, done.stdout) == (0, "1\n2\nlr 1\n"), done.stderr

    def test_is_shown_by_a_dry_run(self, folder: Path) -> None:
        words = ("--config", "conf/top.yaml", "mul=9", "--sweep", "seed=1,2", "--dry-run")
        done = run_kogine(folder, "run", "seed.py", *words)
        assert "fixed mul: 9 (command line)\n" in done.stdout, done.stderr
