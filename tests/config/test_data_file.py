"""YAML, TOML and JSON configs: cells with their text, lines, and what is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from kohaku_ast.config.cells import CellList, CellMap, CellText, native
from kohaku_ast.config.config_files import load, load_config
from kohaku_ast.config.data_file import read_cells
from kohaku_ast.errors import ConfigError
from tests.oracle import compare, on_path, run_kogine, run_python


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def config_of(name: str, text: str) -> Any:
    Path(name).write_text(dedent(text))
    return load_config(name)


def kinds(cell: object) -> object:
    """A cell with its text, quoted again where it was quoted; ``null`` where it is null."""
    if isinstance(cell, CellText):
        return "null" if cell.is_null else repr(str(cell)) if cell.is_quoted else str(cell)
    if isinstance(cell, CellList):
        return [kinds(one) for one in cell]
    assert isinstance(cell, CellMap)
    return {str(key): kinds(one) for key, one in cell.items()}


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        pytest.param("lr: 1e-3", "1e-3", id="number that YAML 1.1 takes for text"),
        pytest.param("lr: 007", "007", id="leading zeros"),
        pytest.param("lr: no", "no", id="no"),
        pytest.param("lr: 1:30", "1:30", id="number of base 60"),
        pytest.param("lr: 2020-01-01", "2020-01-01", id="date"),
        pytest.param("lr: 1_000", "1_000", id="underscores"),
        pytest.param("lr: 0.10", "0.10", id="digits as written"),
        pytest.param("lr: =", "=", id="equals sign"),
        pytest.param("lr: '1'", "'1'", id="single quotes"),
        pytest.param('lr: "a\\tb"', "'a\\tb'", id="double quotes"),
        pytest.param("lr: |\n  a\n  b\n", "'a\\nb\\n'", id="block"),
        pytest.param("lr: >-\n  a\n  b\n", "'a b'", id="folded block"),
        pytest.param("lr: a\n  b", "a b", id="plain text over lines"),
        pytest.param("lr: !!str 007", "'007'", id="text by its tag"),
        pytest.param("lr: !!int '7'", "'7'", id="quoted number with a tag"),
        pytest.param("lr: ! 7", "7", id="the tag that says nothing"),
        pytest.param("lr: null", "null", id="null"),
        pytest.param("lr:", "null", id="nothing"),
        pytest.param("lr: ~", "null", id="tilde"),
        pytest.param("lr: 'null'", "'null'", id="quoted null"),
        pytest.param("lr: [1, 'a', [b]]", ["1", "'a'", ["b"]], id="list"),
        pytest.param("lr:\n- 1\n- b: 2", ["1", {"b": "2"}], id="list in block style"),
        pytest.param("lr: {1: a, b: {}}", {"1": "a", "b": {}}, id="mapping"),
        pytest.param("_x: &x 3\nlr: *x", "3", id="alias"),
        pytest.param("_x: &x {a: 1, b: 2}\nlr: {<<: *x, b: 3}", {"a": "1", "b": "3"}, id="own key over a merged one"),
        pytest.param("_x: &x {a: 1}\n_y: &y {a: 2, c: 4}\nlr: {<<: [*x, *y]}", {"a": "1", "c": "4"}, id="first of merged ones"),
    ],
)  # fmt: skip
def test_yaml_keeps_the_text(text: str, cell: Any) -> None:
    assert kinds(config_of("cfg.yaml", text).globals_dict["lr"]) == cell


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("cfg.toml", "i = 7\nf = 1e-3\nb = true\ns = '7'\nl = [1, 'a']\n[m]\nx = 0.10\n", id="TOML"),
        pytest.param("cfg.json", '{"i": 7, "f": 1e-3, "b": true, "s": "7", "l": [1, "a"], "m": {"x": 0.10}}', id="JSON"),
        pytest.param("cfg.yml", "i: 7\nf: 1e-3\nb: true\ns: '7'\nl: [1, 'a']\nm: {x: 0.10}", id="YAML"),
    ],
)  # fmt: skip
def test_numbers_are_text_and_text_is_quoted(name: str, text: str) -> None:
    values = config_of(name, text).globals_dict
    expected = {
        "i": "7",
        "f": "1e-3",
        "b": "true",
        "s": "'7'",
        "l": ["1", "'a'"],
        "m": {"x": "0.10"},
    }
    assert {target: kinds(cell) for target, cell in values.items()} == expected
    assert native(CellMap(values)) == {
        "i": 7,
        "f": 0.001,
        "b": True,
        "s": "7",
        "l": [1, "a"],
        "m": {"x": 0.1},
    }


def test_what_only_one_format_has() -> None:
    found = config_of(
        "cfg.toml", "day = 2020-01-02\nbig = inf\nnot_a = nan\nhex = 0x10\n"
    ).globals_dict
    assert dict(found) == {"day": "2020-01-02", "big": "inf", "not_a": "nan", "hex": "16"}
    found = config_of("cfg.json", '{"x": NaN, "y": -Infinity, "z": null}').globals_dict
    assert kinds(CellMap(found)) == {"x": "NaN", "y": "-Infinity", "z": "null"}


@pytest.mark.parametrize("name", ["cfg.yaml", "cfg.toml", "cfg.json"])
def test_empty_file_overrides_nothing(name: str) -> None:
    assert load_config_of_text(name, "{}" if name == "cfg.json" else "# nothing\n") == {}


def load_config_of_text(name: str, text: str) -> dict[str, object]:
    return dict(config_of(name, text).globals_dict)


def test_origins_are_lines_where_the_format_tells() -> None:
    text = "# first\nlr: 1\n\n--bs: 2\n_overrides:\n  Args.depth: 3\n"
    assert dict(config_of("cfg.yaml", text).origins) == {
        "lr": "cfg.yaml:2", "--bs": "cfg.yaml:4", "Args.depth": "cfg.yaml:5",
    }  # fmt: skip
    assert dict(config_of("cfg.toml", "lr = 1").origins) == {"lr": "cfg.toml"}
    assert dict(config_of("cfg.json", '{"lr": 1}').origins) == {"lr": "cfg.json"}


def test_merged_keys_at_the_top_have_an_origin() -> None:
    config = config_of("cfg.yaml", "_common: &c {lr: 1}\n<<: *c\nbs: 2\n")
    assert kinds(CellMap(config.globals_dict)) == {"lr": "1", "bs": "2"}
    assert dict(config.origins) == {"lr": "cfg.yaml:1", "bs": "cfg.yaml:3"}


def test_reserved_keys_are_native() -> None:
    text = "_args: [1, a]\n_kwargs: {n: 1e-3}\n_argv: [--x, 07, yes]\n_metadata: {1: null}\n_outputs: [loss]"
    with pytest.raises(ConfigError, match=r"cfg.yaml:4: _metadata is a mapping"):
        config_of("cfg.yaml", text)
    config = config_of("cfg.yaml", text.replace("{1: null}", "{note: null}"))
    assert (config.args, dict(config.kwargs)) == ((1, "a"), {"n": 0.001})
    assert (config.argv, config.outputs) == (("--x", "07", "yes"), ("loss",))
    assert dict(config.metadata) == {"note": None}


BILLIONS = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 11)
)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        pytest.param("cfg.yaml", "a: 1\nlr: [1", "cfg.yaml:2: not YAML", id="YAML syntax"),
        pytest.param("cfg.yaml", "a: 1\n\tb: 2", "cfg.yaml:2: not YAML", id="tab in YAML"),
        pytest.param("cfg.yaml", "a: 1\nb: 2\na: 3", "cfg.yaml:3: the key 'a' is given twice", id="duplicate YAML key"),
        pytest.param("cfg.yaml", "a: {b: 1,\n b: 2}", "cfg.yaml:2: the key 'b' is given twice", id="duplicate inner key"),
        pytest.param("cfg.yaml", "a: !!python/name:os.system x", "cfg.yaml:1: the tag", id="Python tag"),
        pytest.param("cfg.yaml", "a: !mine x", "cfg.yaml:1: the tag '!mine'", id="unknown tag"),
        pytest.param("cfg.yaml", "a: &a [*a]", "cfg.yaml:1: an alias is inside", id="alias of itself"),
        pytest.param("cfg.yaml", "a: *b", "cfg.yaml:1: not YAML", id="alias of nothing"),
        pytest.param("cfg.yaml", BILLIONS, "cfg.yaml: with its aliases written out", id="aliases of aliases"),
        pytest.param("cfg.yaml", "[1, 2]: 3", "cfg.yaml:1: a key is one word", id="list as key"),
        pytest.param("cfg.yaml", "a: 1\n<<: 3", "cfg.yaml:2: `<<` merges", id="merge of a number"),
        pytest.param("cfg.yaml", "a: 1\n---\na: 2", "cfg.yaml:2: not YAML", id="two documents"),
        pytest.param("cfg.yaml", "- 1", "a config is a mapping", id="list at the top"),
        pytest.param("cfg.yaml", "lr", "a config is a mapping", id="text at the top"),
        pytest.param("cfg.yaml", "_overrides: [1]", "cfg.yaml:1: _overrides is a mapping", id="_overrides is a list"),
        pytest.param("cfg.yaml", "lr: 1\n_overrides: {lr: 2}", "cfg.yaml:2: 'lr' is in _overrides, and at cfg.yaml:1", id="a name and _overrides"),
        pytest.param("cfg.yaml", "_kwarg: {}", "Did you mean '_kwargs'?", id="misspelt reserved key"),
        pytest.param("cfg.yaml", "_args: 3", "cfg.yaml:1: _args is a list, got 3", id="_args is a number"),
        pytest.param("cfg.yaml", "_base: 3", "cfg.yaml:1: _base is a path", id="_base is a number"),
        pytest.param("cfg.yaml", "_base: other.yaml", "cfg.yaml:1: can't open config 'other.yaml'", id="_base is not there"),
        pytest.param("cfg.yaml", "_base: cfg.yaml", "cfg.yaml:1: the config inherits from itself: cfg.yaml -> cfg.yaml", id="_base is the file itself"),
        pytest.param("cfg.yaml", "a: " + "[" * 3000, "cfg.yaml", id="nested too deep"),
        pytest.param("cfg.json", '{"a": 1,\n "a": 2}', "cfg.json: the key 'a' is given twice", id="duplicate JSON key"),
        pytest.param("cfg.json", '{"a": 1,\n"b" 2}', "cfg.json:2: not JSON", id="JSON syntax"),
        pytest.param("cfg.json", "", "cfg.json:1: not JSON", id="empty JSON"),
        pytest.param("cfg.toml", "a = 1\na = 2", "cfg.toml: not TOML", id="duplicate TOML key"),
        pytest.param("cfg.ini", "a = 1", "cfg.ini: a config ends in one of .py, .yaml", id="unknown extension"),
        pytest.param("cfg.csv", "lr\n1", "--trials", id="a table"),
    ],
)  # fmt: skip
def test_refuses(name: str, text: str, words: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(name, text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400


def test_refuses_what_is_no_file_or_no_text() -> None:
    with pytest.raises(ConfigError, match=r"can't open config 'none.yaml': No such file"):
        load("none.yaml")
    Path("cfg.yaml").write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match=r"cfg.yaml: not UTF-8"):
        load("cfg.yaml")


def test_an_alias_is_read_once_however_often_it_is_named() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 16)]
    found = config_of("cfg.yaml", "\n".join(lines)).globals_dict["a15"]
    assert found[0] is found[1]


def test_items_of_a_list_have_lines() -> None:
    Path("rows.yaml").write_text("# rows\n- lr: 1\n\n- lr: 2\n")
    found = read_cells("rows.yaml")
    assert (found.top, found.lines) == ([{"lr": "1"}, {"lr": "2"}], [2, 4])
    assert found.origin(1) == "rows.yaml:4"


def test_missing_yaml_names_the_extra() -> None:
    Path("cfg.yaml").write_text("lr: 1")
    code = "import sys; sys.modules['yaml'] = None\nfrom kohaku_ast.config.config_files import load\nload('cfg.yaml')"
    environment = {"PYTHONPATH": on_path()}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert 'pip install "kohaku-ast[yaml]"' in done.stderr


SCRIPT = b"""\
lr = 0.1
steps = 10
name = "a"
seed = None
flag = False
sizes = (1, 2)
print(repr(lr), repr(steps), repr(name), repr(seed), repr(flag), sizes)
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cfg.yaml", "lr: 1\nsteps: 1e3\nname: 007\nseed: '3'\nflag: yes\nsizes: [3, 4]\n"),
        (
            "cfg.toml",
            "lr = 1\nsteps = 1e3\nname = '007'\nseed = '3'\nflag = true\nsizes = [3, 4]\n",
        ),
        (
            "cfg.json",
            '{"lr": 1, "steps": 1e3, "name": "007", "seed": "3", "flag": 1, "sizes": "(3, 4)"}',
        ),
    ],
)
def test_values_are_as_if_edited(tmp_path: Path, name: str, text: str) -> None:
    Path(name).write_text(text)
    edits = [
        ("lr = 0.1", "lr = 1.0"), ("steps = 10", "steps = 1000"), ('name = "a"', 'name = "007"'),
        ("seed = None", "seed = '3'"), ("flag = False", "flag = True"), ("(1, 2)", "(3, 4)"),
    ]  # fmt: skip
    expected, got = compare(tmp_path, SCRIPT, edits, ["--config", name])
    assert got == expected
    assert expected.status == 0


BEYOND = {
    "json": ("c.json", '{"lr": 1e999}'),
    "json, negative": ("c.json", '{"lr": -1e999}'),
    "json, in a dict": ("c.json", '{"cfg": {"lr": [1, 1e999]}}'),
    "json, an axis": ("c.json", '{"_sweep": {"lr": [0.1, 1e999]}}'),
    "json, a random axis": ("c.json", '{"_sweep": {"lr": "uniform:0:1e999"}}'),
    "json, an argument": ("c.json", '{"_args": [1e999]}'),
    "json, a keyword": ("c.json", '{"_kwargs": {"lr": 1e999}}'),
    "yaml": ("c.yaml", "lr: 1e999"),
    "yaml, with a point": ("c.yaml", "lr: 1.0e+999"),
    "yaml, a keyword": ("c.yaml", "_kwargs: {lr: 1.0e+999}"),
    "yaml, an axis": ("c.yaml", "_sweep:\n  lr: [0.1, 1.0e+999]"),
    "toml": ("c.toml", "lr = 1e999"),
    "toml, an axis": ("c.toml", "[_sweep]\nlr = [0.1, 1e999]"),
    "trials in json": ("t.json", '[{"lr": 0.2}, {"lr": 1e999}]'),
    "trials in yaml": ("t.yaml", "- {lr: 1.0e+999}"),
    "trials in csv": ("t.csv", "lr\n1e999"),
}


@pytest.mark.parametrize("way", BEYOND)
def test_a_number_that_no_float_holds_is_refused(tmp_path: Path, way: str) -> None:
    name, text = BEYOND[way]
    (tmp_path / name).write_text(f"{text}\n")
    (tmp_path / "s.py").write_text(
        "lr = 0.1\ncfg = {'lr': [1]}\ndef main(lr=1.0): print(lr)\n"
        "if __name__ == '__main__': main()\n"
    )
    option = "--trials" if name[0] == "t" else "--config"
    done = run_kogine(tmp_path, "run", "s.py", option, name, "-n", "2", "--no-record")
    assert (done.status, done.stdout) == (2, "")
    assert re.search(r"no float holds -?1(\.0)?e\+?999", done.stderr), done


def test_json_and_toml_need_no_package_for_yaml(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"lr": 1}')
    (tmp_path / "c.yaml").write_text("lr: 1")
    (tmp_path / "s.py").write_text(
        "import sys\nsys.modules['yaml'] = None\n"
        "from kohaku_ast.config.config_files import load\n"
        "print(*load('c.json').globals_dict)\nload('c.yaml')\n"
    )
    done = run_python(tmp_path, "s.py", PYTHONPATH=on_path())
    assert done.stdout == "lr\n"
    assert 'ConfigError: YAML files need PyYAML: pip install "kohaku-ast[yaml]"' in done.stderr
