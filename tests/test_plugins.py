"""Plug-ins: packages with one of each kind are installed by pip, and used by their names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracle import FIXTURES, Finished, on_path, run_kogine, run_python
from tests.pipeline.recorded import wait_for

FAILS = (
    "of kogine-broken 2.0 cannot be loaded: ModuleNotFoundError: "
    "No module named 'kogine_broken_needs_this'"
)
TRAIN = """\
from kohaku_ast.helpers import logger

lr = 0.1
name = "a"
logger.init(backends=["textfile:log.txt"])
logger.log({"loss": lr})
print(name, lr)
"""
FLOW = """\
import sys
from kohaku_ast import Pipeline, node

@node
def y(x: int) -> int:
    return 2 * x

pipeline = Pipeline([y], engine=sys.argv[1], name="doubling", record=False)
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages, as pip installs them: once for all processes of the tests."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, partial = base / "plugins", base / "plugins.partial"
    try:
        partial.mkdir()
    except FileExistsError:
        wait_for(folder.exists)
        return folder
    if folder.exists():  # another process has installed them, and renamed its folder
        partial.rmdir()
        return folder
    packages = [str(FIXTURES / name) for name in ("plugin_package", "broken_plugins")]
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation",
            "--disable-pip-version-check", "--target", str(partial), *packages,
        ],
        check=True,
    )  # fmt: skip
    partial.rename(folder)
    return folder


def kogine(site: Path, folder: Path, *words: str, **variables: str) -> Finished:
    variables.setdefault("PYTHONPATH", os.pathsep.join([on_path(), str(site)]))
    return run_kogine(folder, *words, **variables)


def refusal(done: Finished) -> str:
    assert done.status == 2
    return done.stderr


def test_each_kind_is_used_by_its_name(site: Path, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "cfg.pairs").write_text("lr 0.5\nname bert base\n")
    run = kogine(site, tmp_path, "run", "train.py", "--config", "cfg.pairs", "--no-record")
    assert (run.stdout, run.stderr) == ("bert base 0.5\n", "")
    assert (tmp_path / "log.txt").read_text() == "run of train.py\n0 {'loss': 0.5}\nsucceeded\n"
    sweep = kogine(site, tmp_path, "run", "train.py", "--sweep", "lr=1,2", "--on", "threads:2")
    assert "executor with 2 threads" in sweep.stderr
    assert "2 runs: 2 succeeded" in sweep.stderr
    pipeline = kogine(site, tmp_path, "pipeline", "run", "flow.py", "x=3", "--", "announced")
    assert pipeline.stdout == "engine announced: doubling\ny = 6\n"
    # A name of ours cannot be taken: this is our own engine.
    assert (
        kogine(site, tmp_path, "pipeline", "run", "flow.py", "x=3", "--", "threaded").stdout
        == "y = 6\n"
    )


def test_a_command_of_a_plugin_is_a_command_of_kogine(site: Path, tmp_path: Path) -> None:
    done = kogine(site, tmp_path, "greet", "Ada", "--times", "2")
    assert (done.status, done.stdout) == (0, "Hello Ada!\nHello Ada!\n")
    assert kogine(site, tmp_path, "greet", "Ada", "--times", "0").status == 1
    assert "Missing argument 'NAME'" in refusal(kogine(site, tmp_path, "greet"))
    usage = "Usage: kogine greet [OPTIONS] NAME"
    assert kogine(site, tmp_path, "help", "greet").stdout.startswith(usage)
    assert "greet   From kogine-sample 1.0." in kogine(site, tmp_path, "--help").stdout
    assert "Did you mean 'greet'?" in refusal(kogine(site, tmp_path, "gret"))


def test_one_that_cannot_be_loaded_is_an_error_where_it_is_named(
    site: Path, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(TRAIN.replace("textfile:log.txt", "broken"))
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "cfg.broken").write_text("")
    assert f"'broken' (kogine.commands, kogine_broken:command) {FAILS}" in refusal(
        kogine(site, tmp_path, "broken")
    )
    assert f"'broken' (kohaku_ast.config_readers, kogine_broken:read) {FAILS}" in refusal(
        kogine(site, tmp_path, "run", "train.py", "--config", "cfg.broken")
    )
    assert f"'broken' (kohaku_ast.executors, kogine_broken:open_it) {FAILS}" in refusal(
        kogine(site, tmp_path, "run", "train.py", "--sweep", "lr=1,2", "--on", "broken")
    )
    flow = kogine(site, tmp_path, "pipeline", "run", "flow.py", "x=3", "--", "broken")
    assert f"PluginError: the plug-in 'broken' (kohaku_ast.engines, kogine_broken:Engine) {FAILS}" in flow.stderr  # fmt: skip
    run = kogine(site, tmp_path, "run", "train.py")
    assert (run.status, run.stdout) == (0, "a 0.1\n")
    assert f"train.py:5: RuntimeWarning: cannot log to broken: the plug-in 'broken' (kohaku_ast.loggers, kogine_broken:begin) {FAILS}; the run goes on" in run.stderr  # fmt: skip


def test_near_names_are_those_of_plugins_too(site: Path, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN.replace("textfile", "textfle"))
    (tmp_path / "flow.py").write_text(FLOW)
    sweep = ("run", "train.py", "--sweep", "lr=1,2")
    assert "Did you mean 'threads'?" in refusal(kogine(site, tmp_path, *sweep, "--on", "thraeds"))
    assert "Did you mean '.pairs'?" in refusal(kogine(site, tmp_path, *sweep, "-c", "c.pair"))
    assert "Did you mean 'textfile'?" in kogine(site, tmp_path, "run", "train.py").stderr
    flow = kogine(site, tmp_path, "pipeline", "run", "flow.py", "x=3", "--", "anounced")
    assert "Did you mean 'announced'?" in flow.stderr
    assert (
        "threads           from kogine-sample 1.0"
        in kogine(site, tmp_path, *sweep, "--on", "list").stdout
    )


def test_kogine_plugins_lists_them_and_what_fails_to_load(site: Path, tmp_path: Path) -> None:
    rival = tmp_path / "rival-2.0.dist-info"
    rival.mkdir()
    (rival / "METADATA").write_text("Metadata-Version: 2.1\nName: rival\nVersion: 2.0\n")
    (rival / "entry_points.txt").write_text(
        "[kohaku_ast.loggers]\ntextfile = rival:begin\n[kohaku_ast.engines]\ndora = json:loads\n"
    )
    done = kogine(
        site, tmp_path, "plugins", "--format", "json",
        PYTHONPATH=os.pathsep.join([on_path(), str(site), str(tmp_path)]),
    )  # fmt: skip
    rows = {(one["group"], one["name"], one["package"]): one for one in json.loads(done.stdout)}
    engine = rows["kohaku_ast.engines", "announced", "kogine-sample"]
    assert (engine["version"], engine["state"]) == ("1.0", "ready")
    assert rows["kogine.commands", "greet", "kogine-sample"]["state"] == "ready"
    assert rows["kohaku_ast.engines", "broken", "kogine-broken"]["state"] == (
        "cannot be loaded: ModuleNotFoundError: No module named 'kogine_broken_needs_this'"
    )
    taken = rows["kohaku_ast.engines", "threaded", "kogine-broken"]["state"]
    assert taken == "not used: kogine has its own 'threaded'"
    half = rows["kohaku_ast.engines", "dora", "rival"]["state"]
    assert half == "ready for pipelines; systems have their own 'dora'"
    states = [
        rows["kohaku_ast.loggers", "textfile", one]["state"] for one in ("kogine-sample", "rival")
    ]
    assert states == [
        "not used: rival 2.0 has the name, too",
        "not used: kogine-sample 1.0 has the name, too",
    ]


def test_the_page_shows_this_package() -> None:
    page = (FIXTURES.parent / "docs/how-to/write-a-plug-in.md").read_text()
    blocks = re.findall(r"^```(?:toml|python)\n# (\S+)\n(.*?)^```$", page, re.M | re.S)
    assert len(blocks) == 6
    for name, text in blocks:
        assert text.strip() in (FIXTURES / "plugin_package" / name).read_text()


BUILT_IN = """\
import sys
from kohaku_ast import Pipeline, node
from kohaku_ast.config.config_files import load
from kohaku_ast.helpers.backends import wanted_backends

Pipeline([node("y")(lambda x: x)], engine="threaded")
load("c.yaml")
wanted_backends("wandb:offline")
print({"kohaku_ast.plugins", "importlib.metadata"} & {*sys.modules})
"""


def test_a_built_in_name_looks_for_no_plugins(site: Path, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("lr: 1\n")
    (tmp_path / "s.py").write_text(BUILT_IN)
    path = os.pathsep.join([on_path(), str(site)])
    assert run_python(tmp_path, "s.py", PYTHONPATH=path).stdout == "set()\n"
