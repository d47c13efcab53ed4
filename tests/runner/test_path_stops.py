"""Paths below objects that only the running script makes, in each way to run it: a text is read as
the type of what stands there, and a name that the object cannot have ends the run.
"""

from __future__ import annotations

import multiprocessing
import warnings
from pathlib import Path

import pytest

from kohaku_ast import Config, Script, UnusedOverride
from kohaku_ast.errors import DuplicateTarget, UnknownTarget
from tests.oracle import run_kogine

TEXT = """\
import dataclasses, multiprocessing
@dataclasses.dataclass
class Opt:
    lr: float = 0.1
def load():
    return Opt()
{cfg}
later = 1
last = 2
def show(_):
    return cfg.lr, type(cfg.lr).__name__
if __name__ == "__main__":
    print(show(0))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(show, [1]))
"""
PLAIN = TEXT.replace("{cfg}", "cfg = load()")
SWALLOWS = TEXT.replace(
    "{cfg}", "try:\n    cfg = load()\nexcept BaseException:\n    cfg = None or Opt()"
)
MESSAGE = "cannot override 'cfg.lrr': Opt has no 'lrr'. Did you mean 'lr'?"
MODES = ["inline", "spawn"]
if "fork" in multiprocessing.get_all_start_methods():
    MODES.append("warm")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_text(PLAIN)
    return path


def test_a_text_is_read_as_what_stands_there_in_the_script_and_its_children(script: Path) -> None:
    done = run_kogine(script.parent, "run", "train.py", "cfg.lr=1")
    assert (done.stdout, done.stderr) == ("(1.0, 'float')\n[(1.0, 'float')]\n", "")


@pytest.mark.parametrize("mode", MODES)
def test_a_text_is_read_as_what_stands_there_in_each_mode(script: Path, mode: str) -> None:
    script.write_text(
        PLAIN.replace("print(", "print(file=open('out.txt', 'a'), *").replace(
            "*show(0)", "*[show(0)]"
        )
    )
    words = ["--sweep", "cfg.lr=1,2", "--mode", mode]
    assert run_kogine(script.parent, "run", "train.py", *words).status == 0
    seen = sorted((script.parent / "out.txt").read_text().splitlines())
    assert seen == ["(1.0, 'float')"] * 2 + ["(2.0, 'float')"] * 2


@pytest.mark.parametrize(
    ("made", "target", "message"),
    [
        pytest.param("json.loads('{\"opt\": {}}')", "cfg.optt.lr", "dict has no 'optt'. Did you mean 'opt'?", id="no such key"),
        pytest.param("types.SimpleNamespace(a=1, **{})", "cfg.opt.lr", "SimpleNamespace has no 'opt'. It has: a.", id="no such attribute"),
        pytest.param("json.loads('{}')", "cfg.opt.lr", "dict has no 'opt'. It is empty.", id="nothing at all"),
        pytest.param("os.environ.get('NOT_THERE')", "cfg.lr", "NoneType has no 'lr': it is None.", id="None"),
        pytest.param("json.loads('{\"a\": null}')", "cfg.a.b", "NoneType has no 'b': it is None.", id="None in a dict"),
        pytest.param("json.loads('{\"a\": 1}')", "cfg.a.b.c", "int has no 'b': it is 1.", id="a number"),
        pytest.param("json.loads('{\"a\": [1]}')", "cfg.a[1]", "list has no [1]: it has 1 entries.", id="behind the end of a list"),
        pytest.param("json.loads('{\"a\": [1]}')", "cfg.a[3].b", "list has no [3]: it has 1 entries.", id="below the end of a list"),
        pytest.param("json.loads('[1]')", "cfg.a", "list has no 'a': it is [1].", id="a name of a list"),
        pytest.param("tuple([1])", "cfg[2]", "tuple has no [2]: it has 1 entries.", id="behind the end of a tuple"),
        pytest.param("str(b'abc', 'ascii')", "cfg[0]", "str has no '0': it is 'abc'.", id="a letter of a text"),
        pytest.param("types.SimpleNamespace(**{})", "cfg[0]", "SimpleNamespace has no '0'. It is empty.", id="an index of an object"),
    ],
)  # fmt: skip
def test_a_path_that_leads_nowhere_ends_the_run(
    tmp_path: Path, made: str, target: str, message: str
) -> None:
    (tmp_path / "s.py").write_text(f"import json, os, types\ncfg = {made}\nprint('ran on')\n")
    done = run_kogine(tmp_path, "run", "s.py", f"{target}=3")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr == f"kogine: error: s.py:2: cannot override {target!r}: {message}\n"


def test_a_section_that_the_file_lacks_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "x.ini").write_text("[train]\nlr = 0.1\n")
    (tmp_path / "s.py").write_text(
        "import configparser\np = configparser.ConfigParser()\np.read('x.ini')\n"
        "print(p['train']['lr'])\n"
    )
    done = run_kogine(tmp_path, "run", "s.py", "p.trian.lr=7")
    assert (done.status, done.stdout) == (2, "")
    assert "cannot override 'p.trian.lr': ConfigParser has no 'trian'. Did you mean" in done.stderr
    assert run_kogine(tmp_path, "run", "s.py", "p.train.lr=7").stdout == "7\n"


def test_an_error_of_the_scripts_own_property_is_the_scripts(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(
        "class Cfg:\n    @property\n    def opt(self): raise ValueError('own')\n"
        "def load(): return Cfg()\ncfg = load()\n"
    )
    done = run_kogine(tmp_path, "run", "s.py", "cfg.opt.lr=3")
    assert done.status == 1
    assert done.stderr.endswith("ValueError: own\n")


@pytest.mark.parametrize("text", [PLAIN, SWALLOWS], ids=["plain", "swallowed"])
def test_an_unknown_name_ends_the_run_with_status_2(script: Path, text: str) -> None:
    script.write_text(text)
    done = run_kogine(script.parent, "run", "train.py", "cfg.lrr=1")
    assert done.status == 2
    assert done.stderr.count(MESSAGE) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", [PLAIN, SWALLOWS], ids=["plain", "swallowed"])
def test_an_unknown_name_fails_each_run(script: Path, mode: str, text: str) -> None:
    script.write_text(text)
    done = run_kogine(script.parent, "run", "train.py", "--sweep", "cfg.lrr=1,2", "--mode", mode)
    assert done.status == 1
    assert f": UnknownTarget: train.py:{7 if text is PLAIN else 8}: {MESSAGE}" in done.stderr
    assert "2 failed" in done.stderr


@pytest.mark.parametrize("text", [PLAIN, SWALLOWS], ids=["plain", "swallowed"])
def test_the_api_raises_it(script: Path, text: str) -> None:
    script.write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedOverride)
        with pytest.raises(UnknownTarget, match="Opt has no 'lrr'"):
            Script(str(script), Config({"cfg.lrr": 1})).run()
        with pytest.raises(UnknownTarget, match="Opt has no 'lrr'"):
            Script(str(script), Config({"cfg.lrr": 1})).load()


def test_objects_of_a_config_are_never_converted(script: Path) -> None:
    config = Config({"cfg.lr": "1"}, outputs=("cfg",))
    made = Script(str(script), config).run().outputs["cfg"]
    assert vars(made) == {"lr": "1"}


def test_overrides_inside_each_other_are_refused_by_the_api(script: Path) -> None:
    with pytest.raises(DuplicateTarget, match=r"'Opt.lr' stands inside 'Opt'"):
        Script(str(script), Config({"Opt": None, "Opt.lr": 1})).run()


def test_one_line_lists_what_a_failed_script_did_not_come_to(script: Path) -> None:
    script.write_text("first = 1\n1 / 0\nlater = 1\nlast = 2\n")
    done = run_kogine(script.parent, "run", "train.py", "last=5", "later=4", "first=3")
    assert done.stderr.splitlines()[-1] == (
        "kogine: warning: overrides were not used, since the script failed before: "
        "'later' (train.py:3), 'last' (train.py:4)"
    )
    assert done.stderr.count("kogine: warning") == 1
    with (
        pytest.warns(UnusedOverride, match="'later' .train.py:3., 'last'"),
        pytest.raises(ZeroDivisionError),
    ):
        Script(str(script), Config({"last": 5, "later": 4})).run()


def test_a_script_that_ends_well_names_each_one(script: Path) -> None:
    script.write_text("import sys\nif not sys:\n    a = 1\n    b = 2\nsys.exit(0)\n")
    done = run_kogine(script.parent, "run", "train.py", "a=5", "b=4")
    assert done.stderr.count("was not used: line") == 2


SEALED = {
    "a structured config of OmegaConf": ("omegaconf", "@dataclass\nclass C:\n    lr: float = 0.1\ndef load(): return OmegaConf.structured(C)\n"),
    "a part of one": ("omegaconf", "@dataclass\nclass C:\n    lr: float = 0.1\n@dataclass\nclass D:\n    c: C = field(default_factory=C)\ndef load(): return OmegaConf.structured(D).c\n"),
    "a config of OmegaConf with the flag struct": ("omegaconf", "def load():\n    made = OmegaConf.create({'lr': 0.1})\n    OmegaConf.set_struct(made, True)\n    return made\n"),
    "a locked ConfigDict": ("ml_collections", "def load():\n    made = ConfigDict({'lr': 0.1})\n    return made.lock()\n"),
}  # fmt: skip
IMPORTS = {
    "omegaconf": "from dataclasses import dataclass, field\nfrom omegaconf import OmegaConf\n",
    "ml_collections": "from ml_collections import ConfigDict\n",
}


@pytest.mark.parametrize("mode", ["", *MODES])
@pytest.mark.parametrize("name", SEALED)
def test_a_mapping_that_takes_no_other_key_is_closed(name: str, mode: str, tmp_path: Path) -> None:
    library, text = SEALED[name]
    script = IMPORTS[library] + text + "cfg = load()\nprint(cfg.lr)\n"
    (tmp_path / "s.py").write_text(script)
    in_mode = ("--mode", mode, "--no-record") if mode else ()
    assert run_kogine(tmp_path, "run", "s.py", *in_mode, "cfg.lr=3").stdout == "3.0\n"
    done = run_kogine(tmp_path, "run", "s.py", *in_mode, "cfg.lrr=3")
    assert (done.status, done.stdout) == (1 if mode else 2, "")
    assert "cannot override 'cfg.lrr'" in done.stderr
    assert "Did you mean 'lr'?" in done.stderr
