"""A migrated config of Hydra has the values that Hydra composes; the oracle is hydra-core."""

from __future__ import annotations

import warnings
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from kohaku_ast.config.cells import native
from kohaku_ast.config.config_files import load_config
from kohaku_ast.errors import ConfigError
from kohaku_ast.migrate.hydra import migrate_yaml
from kohaku_ast.migrate.migration import Migrated
from tests.oracle import run_kogine

GROUPS = {
    "base.yaml": "port: base\nname: base\nkeep: base\n",
    "db/mysql.yaml": "host: my\nport: 3306\n",
    "db/postgres.yaml": "host: pg\nport: 5432\n",
    # Each sets `who` itself, and in a file of its own defaults list.
    "own/none.yaml": "defaults:\n  - part: one\nwho: file\npart:\n  size: file\n",
    "own/first.yaml": "defaults:\n  - _self_\n  - part: one\nwho: file\npart:\n  size: file\n",
    "own/middle.yaml": "defaults:\n  - part: one\n  - _self_\n  - /db: mysql\npart:\n  size: file\ndb:\n  host: file\n  port: file\n",
    "own/last.yaml": "defaults:\n  - part: one\n  - _self_\npart:\n  size: file\n",
    "own/empty.yaml": "defaults:\n  - part: one\n  - part@other: two\n",
    "own/override.yaml": "defaults:\n  - part: one\n  - override part: two\nwho: file\n",
    "own/part/one.yaml": "size: one\nextra: one\n",
    "own/part/two.yaml": "size: two\nextra: two\n",
    "top/g.yaml": "# @package _global_\nname: g\ndb:\n  host: g\n",
    "top/header.yaml": "# @package a.b\nname: header\n",
    "top/nested.yaml": "# @package _global_.x\ndefaults:\n  - /db@c: mysql\nname: nested\n",
    "top/blank.yaml": "\n# a comment\n# @package _global_\nname: blank\n",
    "top/late.yaml": "\n# @package _global_\nname: late\n",
    "top/group.yaml": "# @package _group_\nname: group\n",
    "null/gone.yaml": "db: null\nport: ???\nkeep: [9]\n",
    "deep/in/a.yaml": "defaults:\n  - b\n  - /db@here: mysql\n  - sub/c@_here_\nname: a\n",
    "deep/in/b.yaml": "name: b\nonly: b\n",
    "deep/in/sub/c.yaml": "name: c\nonly: c\n",
    "../more/more/found.yaml": "name: found\n",
}  # fmt: skip


def write(folder: Path, config: str) -> str:
    for name, text in {**GROUPS, "config.yaml": dedent(config).lstrip("\n")}.items():
        path = folder / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder / "conf" / "config.yaml")


def under_hydra(folder: Path) -> dict[str, object]:
    """Target -> value, as hydra-core composes the config."""
    with warnings.catch_warnings():
        # Of lists without _self_, which some cases show, and of a newer omegaconf.
        warnings.simplefilter("ignore")
        import hydra
        from omegaconf import OmegaConf

        with hydra.initialize_config_dir(str(folder / "conf"), version_base=None):
            found = OmegaConf.to_container(hydra.compose("config"), resolve=True)
    return flat(found, "")


def flat(value: Any, start: str) -> dict[str, object]:
    if not isinstance(value, dict) or not value:
        return {start: value}
    found: dict[str, object] = {}
    for key, one in value.items():
        found |= flat(one, f"{start}.{key}" if start else str(key))
    return found


def migrated(folder: Path, config: str) -> tuple[Migrated, dict[str, object]]:
    """The migrated config, and target -> value in it."""
    made = migrate_yaml(write(folder, config))
    (folder / "made.py").write_text(made.text)
    values = load_config(str(folder / "made.py")).globals_dict
    return made, flat({name: native(value) for name, value in values.items()}, "")


OWN = "port: own\nname: own\ndb:\n  port: own\n"


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(f"defaults:\n  - base\n  - db: mysql\n{OWN}", id="no _self_"),
        pytest.param(f"defaults:\n  - _self_\n  - base\n  - db: mysql\n{OWN}", id="_self_ first"),
        pytest.param(f"defaults:\n  - base\n  - _self_\n  - db: mysql\n{OWN}", id="_self_ in the middle"),
        pytest.param(f"defaults:\n  - base\n  - db: mysql\n  - _self_\n{OWN}", id="_self_ last"),
        pytest.param(f"defaults:\n  - _self_\n{OWN}", id="_self_ alone"),
        pytest.param(f"defaults: []\n{OWN}", id="an empty list"),
        pytest.param("defaults:\n  - own: none\nown:\n  who: root\n  part: {extra: root}\n", id="a group's list, no _self_"),
        pytest.param("defaults:\n  - own: first\n  - _self_\nwho: root\n", id="a group's list, _self_ first"),
        pytest.param("defaults:\n  - own: middle\n  - _self_\n", id="a group's list, _self_ in the middle"),
        pytest.param("defaults:\n  - _self_\n  - own: last\nown:\n  part: {size: root, more: root}\n", id="a group's list, _self_ last"),
        pytest.param("defaults:\n  - own: empty\n", id="a group's list alone"),
        pytest.param("defaults:\n  - own: override\n", id="a group's list with an override"),
        pytest.param("defaults:\n  - own: none\n  - override own/part: two\n", id="override below"),
        pytest.param("defaults:\n  - own: none\n  - _self_\n  - override own: last\nx: 1\n", id="override of a whole option"),
        pytest.param("defaults:\n  - own: none\n  - db: mysql\n  - override db: null\nx: 1\n", id="override with null"),
        pytest.param("defaults:\n  - top: g\n  - db: mysql\n  - _self_\n", id="@package _global_"),
        pytest.param("defaults:\n  - db: mysql\n  - top: g\n", id="@package _global_ later"),
        pytest.param("defaults:\n  - top: header\n", id="@package a.b"),
        pytest.param("defaults:\n  - top: nested\n", id="@package _global_.x, and a list"),
        pytest.param("defaults:\n  - top: blank\n  - top@second: late\n", id="@package below other lines"),
        pytest.param("defaults:\n  - top: group\n", id="@package _group_, which is gone"),
        pytest.param("# @package p.q\ndefaults:\n  - db: mysql\nx: 1\n", id="@package in the config itself"),
        pytest.param("# @package p\nx: 1\ny: ${p.x}\n", id="@package in a config without a list"),
        pytest.param("defaults:\n  - db@a: mysql\n  - db@b.c: postgres\n  - db@_global_: mysql\n", id="package in the list"),
        pytest.param("defaults:\n  - top@mine: g\n  - top@_here_: header\n", id="package over a header"),
        pytest.param("defaults:\n  - base@_here_\n  - base@z\n", id="package of a file"),
        pytest.param("defaults:\n  - optional db: nothing\n  - optional no/such: one\nx: 1\n", id="optional, absent"),
        pytest.param("defaults:\n  - optional db: mysql\n  - optional own/part@p: two\nx: 1\n", id="optional, present"),
        pytest.param("defaults:\n  - db: [postgres, mysql]\nx: 1\n", id="several options"),
        pytest.param("defaults:\n  - db: null\nx: 1\n", id="no option"),
        pytest.param("defaults:\n  - db: mysql.yaml\n  - /base\nx: 1\n", id="a name with its ending, and an absolute one"),
        pytest.param("defaults:\n  - deep/in/a\nx: 1\n", id="a file in folders, relative names"),
        pytest.param("defaults:\n  - db: mysql\n  - own/part@other: two\n  - _self_\nx: 1\n", id="a nested group"),
        pytest.param("defaults:\n  - db: mysql\n  - db/${db}@copy\nx: 1\n", id="a name by another choice"),
        pytest.param("defaults:\n  - base\n  - 'null@_here_': gone\n  - _self_\ndb:\n  host: late\n", id="null, ??? and lists over values"),
        pytest.param("defaults:\n  - more: found\nhydra:\n  searchpath: ['file://${oc.env:MORE}']\nx: 1\n", id="a search path"),
        pytest.param("defaults:\n  - db: mysql\n  - override hydra/launcher: joblib\nhydra:\n  sweeper:\n    n_trials: 3\nx: 1\n", id="a plugin that is absent"),
    ],
)  # fmt: skip
def test_the_values_are_those_of_hydra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: str
) -> None:
    monkeypatch.setenv("MORE", str(tmp_path / "more"))
    _, found = migrated(tmp_path, config)
    if "joblib" in config:  # Hydra itself has to find its plugin
        write(tmp_path, config.replace("  - override hydra/launcher: joblib\n", "").replace("    n_trials: 3\n", "    max_batch_size: 3\n"))  # fmt: skip
    assert found == under_hydra(tmp_path)


ESCAPES = r"""
a: 1
b: \${a}
c: \\${a}
d: \\\${a}
e: 'x\${a}y${a}'
f: a\b
g: ${a}{z}
h: q\\\\${a}\
"""


@pytest.mark.parametrize(
    "config",
    [
        pytest.param("a: 1\nb: ${a}\nc: x${a}-${b}\nd: {e: '${a}', f: '${.e}', g: {h: '${..e}', i: '${...a}'}}\n", id="absolute and relative"),
        pytest.param("d: {x: 1, l: [z, '${..x}', {k: '${a}'}], m: [['${...x}']]}\na: 2\n", id="relative in lists"),
        pytest.param("a: 1e-3\nb: True\nc: null\nd: [1, a]\ns: ${a} ${b} ${c} ${d}\n", id="values in a text"),
        pytest.param(ESCAPES, id="escapes"),
        pytest.param("a: {x: {y: 1}}\nb: ${a}\nc: ${b.x}\nd: ${c.y}\ne: ${b.x.y}\n", id="through another"),
        pytest.param("a: {x: 1, y: '${.x}', z: '${n}'}\nb: ${a}\nn: 5\n", id="a mapping that refers"),
        pytest.param("defaults:\n  - db: mysql\n  - _self_\nurl: ${db.host}:${db.port}\ndb:\n  url: ${url}\n  same: ${.host}\n", id="into a group"),
        pytest.param("defaults:\n  - db@a: mysql\n  - db@b: postgres\nx: ${a.host}${b.host}\n", id="into packages"),
        pytest.param("a: ${oc.env:HOME}\nb: ${oc.env:NOT_THERE,0.10}\nc: ${oc.env:NOT_THERE,null}\nd: ${oc.env:NOT_THERE,'q r'}\ne: ${oc.env:NOT_THERE,007}\nf: ${oc.env:NOT_THERE,true}\ng: ${oc.env:NOT_THERE, 1e3}\nh: ${oc.env:NOT_THERE,None}\n", id="the environment"),
        pytest.param("defaults:\n  - _self_\na: {}\nb: {c: {}, d: 1}\ne: []\nf: '1'\ng: '${a}'\n", id="nothing in it"),
        pytest.param("defaults:\n  - _self_\na: 1_000\nb: 1e3\nc: 0x1f\nd: 2020-01-02\ne: .5\nf: -.5\ng: yes\nh: ~\ni: 1:30\nj: 010\nk: -1.\nl: 'yes'\nm: .inf\n", id="plain values"),
        pytest.param("defaults:\n  - _self_\na: {1: x, 2: {y: '${b}'}}\nb: 3\n", id="numbers as keys"),
    ],
)  # fmt: skip
def test_what_refers_has_the_value_of_hydra(tmp_path: Path, config: str) -> None:
    made, found = migrated(tmp_path, config)
    assert found == under_hydra(tmp_path)
    assert made.not_carried_over == ()


@pytest.mark.parametrize(
    ("config", "left"),
    [
        pytest.param("defaults:\n  - db: ???\n  - _self_\nx: 1\n", ["2: defaults: db: ???: must be given"], id="an option that must be given"),
        pytest.param("defaults:\n  - schema\n  - own/part: four\n  - _self_\nx: 1\n", ["2: defaults: schema: no such file", "2: defaults: own/part: four: no such file"], id="files that a script may store"),
        pytest.param("defaults:\n  - hydra/nothing: one\n  - override hydra/launcher: joblib\n  - _self_\nx: 1\nhydra:\n  run: {dir: a}\n", ["2: defaults: hydra/nothing: one", "2: defaults: override hydra/launcher: joblib", "7: hydra.run.dir: a setting of Hydra itself"], id="settings of Hydra"),
        pytest.param("defaults:\n  - db: mysql\n  - _self_\nx: 1\ndb: null\nhydra:\n  sweeper:\n    params:\n      db: mysql,postgres\n", ["9: hydra.sweeper.params.db: options of a group: kogine run SCRIPT --config "], id="a sweep over options"),
        pytest.param("x: 1\nl: ['???']\n", ["2: l: must be given (???)"], id="an entry that must be given"),
        pytest.param("x: 1\na: ${b.c}\nb: ${a.c}\n", ["2: a: ${b.c.c", "3: b: ${"], id="a circle of mappings"),
    ],
)  # fmt: skip
def test_what_is_left_out_is_named(tmp_path: Path, config: str, left: list[str]) -> None:
    made, found = migrated(tmp_path, config)
    assert {name: value for name, value in found.items() if value is not None} == {"x": 1}
    named = [str(one).rpartition("/config.yaml:")[2] for one in made.not_carried_over]
    assert len(named) == len(left)
    assert all(one.startswith(start) for one, start in zip(named, left)), named


def test_a_list_that_is_no_defaults_list_is_a_value(tmp_path: Path) -> None:
    _, found = migrated(tmp_path, "defaults: [1, 2]\nx: 1\n")
    assert found == {"defaults": [1, 2], "x": 1}


def test_of_a_yml_file_hydra_reads_no_defaults_list(tmp_path: Path) -> None:
    (tmp_path / "c.yml").write_text("defaults:\n  - db: mysql\n")
    with pytest.raises(ConfigError, match=r"of \.yaml files alone: rename it"):
        migrate_yaml(str(tmp_path / "c.yml"))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param("defaults:\n  - override db: mysql\n", "Could not override 'db'", id="an override of nothing"),
        pytest.param("defaults:\n  - _self_\n  - _self_\n", "Duplicate _self_", id="_self_ twice"),
        pytest.param("defaults:\n  - config\n", "stands in its own defaults list", id="a circle"),
        pytest.param("defaults:\n  - db: mysql\n  - db: postgres\n", "db", id="a group twice"),
    ],
)  # fmt: skip
def test_what_hydra_refuses_is_an_error(tmp_path: Path, config: str, message: str) -> None:
    path = write(tmp_path, config)
    with pytest.raises(ConfigError, match=message) as caught:
        migrate_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_type_of_the_script_is_not_that_of_a_text_which_reads_the_value(tmp_path: Path) -> None:
    script = "lr = 0.1\nbetas = (0.0, 0.0)\nname = ''\nprint(lr, betas, name)\n"
    (tmp_path / "train.py").write_text(script)
    write(tmp_path, "lr: 1\nbetas: [1, 2]\nname: ${lr}-${betas}\n")
    done = run_kogine(
        tmp_path, "config", "migrate", "conf/config.yaml", "--script", "train.py", "-o", "made.py"
    )
    assert (done.status, done.stderr) == (0, "")
    done = run_kogine(tmp_path, "run", "train.py", "--config", "made.py")
    assert done.stdout == "1.0 (1, 2) 1-[1, 2]\n"
