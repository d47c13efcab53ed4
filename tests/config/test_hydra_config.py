"""Configs of Hydra and OmegaConf run as they are: their values are those of a run under Hydra."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kohaku_ast import Config, Script, Sweep
from kohaku_ast.errors import ConfigError
from tests.oracle import run_kogine

GROUPS = {
    "db/postgres.yaml": "host: pg\nport: 5432\n",
    "db/mysql.yaml": "host: my\nport: 3306\n",
    "db/engine/fast.yaml": "kind: fast\n",
    "db/engine/slow.yaml": "kind: slow\n",
    "opt/adam.yaml": "# @package _global_\nlr: 1e-3\n",
    "opt/sgd.yaml": "# @package _global_\nlr: 0.5\n",
    "schedule/cosine.yaml": "# @package train.schedule\nsteps: 10\n",
    "deep/a.yaml": "defaults:\n  - /db@db: mysql\n  - _self_\nown: 1\n",
}

HYDRA = """\
import json
import hydra
from omegaconf import OmegaConf

@hydra.main(config_path="conf", config_name="config", version_base=None)
def main(cfg):
    print(json.dumps(OmegaConf.to_container(cfg, resolve=True), sort_keys=True))

main()
"""
SCRIPT = """\
import json, sys
seed = 0
lr = 0.1
url = ""
home = ""
names = []
db = {{}}
backup = {{}}
train = {{}}
deep = {{}}
print(json.dumps({{k: globals()[k] for k in {keys}}}, sort_keys=True))
"""


def write(folder: Path, config: str) -> None:
    for name, text in {**GROUPS, "config.yaml": config}.items():
        path = folder / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def under_hydra(folder: Path, *words: str) -> dict[str, object]:
    (folder / "app").mkdir(exist_ok=True)
    (folder / "train.py").write_text(HYDRA)
    done = subprocess.run(
        [sys.executable, "train.py", *words, f"hydra.run.dir={folder / 'app'}"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("config", "words"),
    [
        pytest.param("defaults:\n  - db: postgres\n  - _self_\nseed: 1\nurl: j://${db.host}:${db.port}\n", [], id="a group and what reads it"),
        pytest.param("defaults:\n  - db: postgres\n  - _self_\nurl: j://${db.host}\n", ["db=mysql"], id="another option"),
        pytest.param("defaults:\n  - db: postgres\n  - _self_\ndb:\n  port: 1\n", [], id="_self_ last wins"),
        pytest.param("defaults:\n  - _self_\n  - db: postgres\ndb:\n  port: 1\n", [], id="_self_ first loses"),
        pytest.param("defaults:\n  - db: postgres\ndb:\n  port: 1\n", [], id="no _self_"),
        pytest.param("defaults:\n  - db: postgres\n  - db@backup: mysql\n  - _self_\n", ["db@backup=postgres"], id="a package"),
        pytest.param("defaults:\n  - db: ???\n  - _self_\n", ["db=mysql"], id="an option that must be given"),
        pytest.param("defaults:\n  - optional db: nothing\n  - opt: adam\n  - _self_\nseed: 2\n", [], id="optional, and a package in the file"),
        pytest.param("defaults:\n  - opt: adam\n  - schedule: cosine\n  - _self_\n", ["opt=sgd"], id="packages in the files"),
        pytest.param("defaults:\n  - db: postgres\n  - db/engine: fast\n  - _self_\n", ["db/engine=slow"], id="a nested group"),
        pytest.param("defaults:\n  - deep: a\n  - override /db@deep.db: postgres\n  - _self_\n", [], id="override, and an absolute group"),
        pytest.param("defaults:\n  - opt: adam\n  - _self_\n", ["+db=mysql"], id="a group added"),
        pytest.param("defaults:\n  - db: mysql\n  - opt: adam\n  - _self_\n", ["~db"], id="a group taken away"),
        pytest.param("defaults:\n  - db: [mysql]\n  - _self_\n", ["db=[postgres]"], id="a list of options"),
        pytest.param("defaults:\n  - db: mysql\n  - _self_\nurl: j://${db.host}\n", ["db.host=x"], id="a value that another reads"),
        pytest.param("url: a\nhome: x${url}\n", ["url=none"], id="a text that is no value elsewhere"),
        pytest.param("defaults:\n  - db: mysql\n  - _self_\nseed: ???\n", ["seed=4"], id="a value that must be given"),
        pytest.param("seed: 1\nnames: [a, '${url}', 1e-3]\nurl: u${seed}\nhome: ${oc.env:HOME}\n", [], id="interpolations alone"),
        pytest.param("seed: 3\nurl: ${hydra:job.name}-${hydra:runtime.cwd}\nhome: ${now:%Y}\n", [], id="resolvers of Hydra"),
    ],
)  # fmt: skip
def test_the_script_gets_what_hydra_gives(tmp_path: Path, config: str, words: list[str]) -> None:
    write(tmp_path, config)
    expected = under_hydra(tmp_path, *words)
    (tmp_path / "train.py").write_text(SCRIPT.format(keys=sorted(expected)))
    done = run_kogine(tmp_path, "run", "train.py", "--config", "conf/config.yaml", *words)
    assert (done.status, done.stderr) == (0, "")
    assert json.loads(done.stdout) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app", "conf", "train.py"]


DB = "defaults:\n  - db: postgres\n  - _self_\n"


@pytest.mark.parametrize(
    ("config", "words", "message"),
    [
        pytest.param(DB, ["db=mysq"], "no 'mysq': choose one of mysql, postgres. Did you mean 'mysql'?", id="no such option"),
        pytest.param("defaults:\n  - db: postgre\n", [], "no 'postgre': choose one of mysql, postgres. Did you mean 'postgres'?", id="no such option in the file"),
        pytest.param("defaults:\n  - nothing\n", [], "needs 'nothing', and there is no such file", id="no such file"),
        pytest.param(DB, ["db=mysql,postgres"], "--sweep db=mysql,postgres", id="a comma"),
        pytest.param("defaults:\n  - db: ???\n", [], "You must specify 'db'", id="an option that must be given"),
        pytest.param(DB + "seed: ???\n", [], "seed: must be given (???): write seed=VALUE", id="a missing value"),
        pytest.param(DB + "db:\n  extra: ???\n", [], "db.extra: must be given", id="a missing value in a group"),
        pytest.param("seed: ${nothing}\n", [], "Interpolation key 'nothing' not found", id="nothing to read"),
        pytest.param("home: ${oc.env:NO_SUCH_NAME}\n", [], "NO_SUCH_NAME", id="no such variable"),
        pytest.param("seed: ${mul:2,3}\n", [], "resolvers that it registers are unknown", id="a resolver of the script"),
        pytest.param("url: ${hydra:runtime.output_dir}\n", [], "hydra:runtime.output_dir: only a run of Hydra", id="what only Hydra has"),
        pytest.param("seed: ${lr}\nlr: ${seed}\n", [], "config.yaml: ", id="a circle"),
        pytest.param(DB, ["+nothing=1"], "no parameter 'nothing'", id="a key that the script lacks"),
        pytest.param(DB, ["~opt"], "Could not delete", id="nothing to take away"),
        pytest.param("defaults:\n  - opt: adam\n", ["lr=x"], "lr=x", id="a value of another type"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_message(
    tmp_path: Path, config: str, words: list[str], message: str
) -> None:
    write(tmp_path, config)
    (tmp_path / "train.py").write_text(SCRIPT.format(keys=["seed"]))
    done = run_kogine(tmp_path, "run", "train.py", "--config", "conf/config.yaml", *words)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.startswith("kogine: error: ")
    assert "Traceback" not in done.stderr


def test_a_group_that_sets_no_parameter_of_its_name_is_ambiguous(tmp_path: Path) -> None:
    write(tmp_path, "defaults:\n  - opt: adam\n")
    (tmp_path / "train.py").write_text("lr = 0.1\nopt = 'rms'\nprint(lr, opt)\n")
    done = run_kogine(tmp_path, "run", "train.py", "--config", "conf/config.yaml", "opt=sgd")
    assert done.status == 2
    assert "'opt' is a group of the config" in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("defaults: {lr: 1}\n", id="a mapping"),
        pytest.param("defaults: [1, 2]\n", id="a list of numbers"),
        pytest.param("lr: 0.2\n", id="none at all"),
    ],
)
def test_other_files_stay_plain(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    assert Config.from_file(str(tmp_path / "c.yaml")).composed == ()


class TestInPython:
    @pytest.fixture(autouse=True)
    def _script(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        write(tmp_path, DB + "url: j://${db.host}\n")
        (tmp_path / "train.py").write_text("url = ''\nclass db:\n    host = ''\n    port = 0\n")

    def test_a_config_over_it_chooses_and_what_reads_follows(self) -> None:
        config = Config.from_file("conf/config.yaml")
        for over, url in ((Config(), "j://pg"), (Config(db="mysql"), "j://my")):
            assert Script("train.py", config | over | Config(outputs=["url"])).run().outputs == {
                "url": url
            }

    def test_a_sweep_over_options(self) -> None:
        sweep = Sweep.of(Config.from_file("conf/config.yaml")) | Sweep(db=["mysql", "postgres"])
        found = [Script("train.py", one | Config(outputs=["url"])).run().outputs for one in sweep]
        assert found == [{"url": "j://my"}, {"url": "j://pg"}]

    def test_nothing_of_hydra_is_in_the_process_of_the_script(self, tmp_path: Path) -> None:
        show = "import sys\nprint({'hydra', 'omegaconf'} & {*sys.modules})\n"
        with open("train.py", "a") as file:
            file.write(show)
        done = run_kogine(tmp_path, "run", "train.py", "--config", "conf/config.yaml", "db=mysql")
        assert (done.stdout, done.stderr) == ("set()\n", "")

    def test_it_is_read_anew(self, tmp_path: Path) -> None:
        Config.from_file("conf/config.yaml")
        (tmp_path / "conf/db/postgres.yaml").write_text("host: other\nport: 1\n")
        assert str(Config.from_file("conf/config.yaml").globals_dict["url"]) == "j://other"

    def test_an_unknown_option(self) -> None:
        config = Config.from_file("conf/config.yaml") | Config(db="mysq")
        with pytest.raises(ConfigError, match="Did you mean 'mysql'"):
            Script("train.py", config).run()
