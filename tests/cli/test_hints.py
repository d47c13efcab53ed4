"""Command lines that are nearly right: each ends with status 2, one line, and the words that were
meant; those words work.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from kogine.command import Group, kogine
from kogine.hints import meant_command

from tests.oracle import run_kogine

FILES = {
    "train.py": "lr = 0.1\nlayers = [1, 2]\nname = 'x'\nprint(lr, layers, name)\n",
    "args.py": "import sys\nlr = 0.1\nname = 'x'\nprint(lr, name, sys.argv[1:])\n",
    "app.py": "import hydra\n@hydra.main()\ndef main(cfg): pass\nlr = 0.1\nmain()\n",
    "config.yaml": "defaults:\n  - db: mysql\nlr: 0.2\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def refused(folder: Path, line: str) -> str:
    done = run_kogine(folder, *shlex.split(line))
    assert (done.status, done.stdout) == (2, ""), done
    assert done.stderr.startswith("kogine: error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        pytest.param("run train.py --lr 0.2", "Did you mean lr=0.2?", id="an option, with a blank"),
        pytest.param("run train.py --lr=0.2", "Did you mean lr=0.2?", id="an option"),
        pytest.param("run train.py --rate 2", "kogine run train.py -- --rate 2", id="unknown, with its value"),
        pytest.param("run --lr=0.2 train.py", "Did you mean: kogine run train.py lr=0.2", id="an option before the script"),
        pytest.param("run --lr 0.2 train.py", "Did you mean: kogine run train.py lr=0.2", id="the same, with a blank"),
        pytest.param("run train.py lr = 0.2", "write it without blanks: lr=0.2", id="blanks around ="),
        pytest.param("run train.py lr =0.2", "write it without blanks: lr=0.2", id="a blank before ="),
        pytest.param("run train.py lr= 0.2", "write it without blanks: lr=0.2", id="a blank after ="),
        pytest.param("run args.py lr = 0.2", "write it without blanks: lr=0.2", id="of a script with arguments"),
        pytest.param("run train.py lr", "write lr=VALUE", id="no value"),
        pytest.param("run train.py lr 0.2", "write lr=0.2", id="a blank for ="),
        pytest.param("run train.py lr:0.2", "write lr=0.2", id="a colon for ="),
        pytest.param("run train.py layers=[1, 2]", "put it in quotes: 'layers=[1, 2]'", id="a list without quotes"),
        pytest.param("run train.py layers=[1, -2]", "put it in quotes: 'layers=[1, -2]'", id="with a sign"),
        pytest.param("run train.py --set layers=(1, 2)", "put it in quotes", id="a tuple by --set"),
        pytest.param("run train.py --sweep lr=[0.1, 0.2]", "put it in quotes: 'lr=[0.1, 0.2]'", id="an axis without quotes"),
        pytest.param("run args.py lr=[1, 2]", "put it in quotes", id="in a script with arguments"),
        pytest.param("run train.py 'layers=dict(a=1,' 'b=2)'", "put it in quotes", id="a call without quotes"),
        pytest.param("run train.py 'lr=[0.1,0.2]'", "write: --sweep lr=0.1,0.2", id="a list for a number"),
        pytest.param("run train.py --sweep 'lr=[0.1, 0.2]'", "write: --sweep lr=0.1,0.2", id="a list as an axis"),
        pytest.param("run app.py db=mysql", "What is for Hydra in the script stands behind '--'", id="of the script's own Hydra"),
        pytest.param("run train.py lr=0.1,0.2", "`--sweep lr=0.1,0.2` for a run with each value", id="a comma"),
        pytest.param("run train.py -m lr=1,2 name=a", "kogine run train.py --sweep lr=1,2 name=a", id="Hydra's multirun"),
        pytest.param("run train.py --multirun lr=1,2", "kogine run train.py --sweep lr=1,2", id="the same, in full"),
        pytest.param("run train.py -m lr=1,2 name=a,b", "kogine run train.py --sweep lr=1,2 --sweep name=a,b", id="several axes"),
        pytest.param("run train.py lr=1,2 -m", "kogine run train.py --sweep lr=1,2", id="multirun at the end"),
        pytest.param("run --seed 1 train.py name=x -m lr=1,2 --workers 2", "kogine run --seed 1 train.py name=x --sweep lr=1,2 --workers 2", id="multirun between others"),
        pytest.param("run train.py -m lr=range(1,4) name=choice(a,b)", "kogine run train.py --sweep lr=range:1:4 --sweep name=a,b", id="multirun over a range and a choice"),
        pytest.param("run train.py -m lr=1,2 name=[a,b]", "kogine run train.py --sweep lr=1,2 'name=[a,b]'", id="multirun with a list"),
        pytest.param("run train.py --config conf/c.yaml -m db=a,b +opt=c,d", "kogine run train.py --config conf/c.yaml --sweep db=a,b --sweep +opt=c,d", id="multirun over groups"),
        pytest.param("run train.py --sweep lr=1,2 -m name=a,b", "kogine run train.py --sweep lr=1,2 --sweep name=a,b", id="multirun beside an axis"),
        pytest.param("run train.py -m", "-m goes before the name of the module", id="-m alone"),
        pytest.param("run train.py +lr=.2", "write lr=.2, without Hydra's '+'", id="Hydra's plus"),
        pytest.param("run train.py ++lr=.2", "write lr=.2, without Hydra's '+'", id="two of them"),
        pytest.param("run train.py +new=.2", "write --add new=.2, without Hydra's '+'", id="plus and a new name"),
        pytest.param("run app.py +db=mysql", "For Hydra itself: kogine run app.py -- +db=mysql", id="plus for a script of Hydra's"),
        pytest.param("run train.py ~lr", "give 'lr' another value", id="Hydra's tilde"),
        pytest.param("run lr=0.2 train.py", "'lr=0.2' comes after the script: kogine run train.py lr=0.2", id="before the script"),
        pytest.param("run python train.py lr=2", "kogine starts Python itself: kogine run train.py lr=2", id="run python"),
        pytest.param("train.py lr=2", "To run it: kogine run train.py lr=2", id="no command"),
        pytest.param("train lr=2", "Did you mean: kogine run train.py lr=2", id="no command and no ending"),
        pytest.param("python train.py lr=2", "Did you mean: kogine run train.py lr=2", id="python"),
        pytest.param("lr=2 train.py", "Did you mean: kogine run train.py lr=2", id="a value first"),
        pytest.param("inspect train.py", "Did you mean: kogine run --inspect train.py", id="inspect"),
        pytest.param("sweep train.py lr=1,2 name=a", "kogine run train.py --sweep lr=1,2 name=a", id="sweep"),
        pytest.param("--inspect train.py", "kogine run --inspect train.py", id="an option of run"),
        pytest.param("runn train.py", "Did you mean 'run'?", id="a mistyped command"),
        pytest.param("help runn", "Did you mean 'run'?", id="help of a mistyped command"),
        pytest.param("workflow sequentail train.py", "Did you mean 'sequential'?", id="a mistyped workflow"),
        pytest.param("workflow seq train.py", "Did you mean 'sequential'?", id="the start of a workflow"),
        pytest.param("comp bash", "Did you mean 'completion'?", id="the start of a command"),
        pytest.param("init train.py", "Did you mean: kogine config init train.py", id="a command of config"),
        pytest.param("show config.yaml", "Did you mean: kogine config show config.yaml", id="another"),
        pytest.param("sequential train.py args.py", "Did you mean: kogine workflow sequential train.py args.py", id="a command of workflow"),
        pytest.param("graph flow.py", "Did you mean: kogine pipeline graph flow.py", id="a command of pipeline"),
        pytest.param("search train.py lr=1,2 -n 3 --maximize lr", "Did you mean: kogine run train.py --sweep lr=1,2 -n 3 --maximize lr --search optuna", id="search"),
        pytest.param("search train.py --sweep lr=1,2", "Did you mean: kogine run train.py --sweep lr=1,2 --search optuna -n 50 --minimize loss", id="search alone"),
        pytest.param("run train.py lr=range:0:3", "write: --sweep lr=range:0:3.", id="a range"),
        pytest.param("run train.py lr=uniform:0:1", "write: --sweep lr=uniform:0:1 -n 20.", id="a random form"),
        pytest.param("run train.py lr=loguniform:1e-4:1", "write: --sweep lr=loguniform:1e-4:1 -n 20.", id="another"),
        pytest.param("run train.py layers=linspace:0:1:3", "write: --sweep layers=linspace:0:1:3.", id="steps for a list"),
    ],
)  # fmt: skip
def test_the_message_says_what_was_meant(folder: Path, line: str, meant: str) -> None:
    assert meant in refused(folder, line)


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        pytest.param("run train.py 'layers=[1, 2]'", "0.1 [1, 2] x", id="quotes"),
        pytest.param("run train.py --set 'name=a (b'", "0.1 [1, 2] a (b", id="an open bracket"),
        pytest.param("run train.py 'name=:('", "0.1 [1, 2] :(", id="an open bracket alone"),
        pytest.param("run args.py 'name=a [b' lr=2", "2.0 a [b []", id="and another override"),
        pytest.param("run args.py a + b", "0.1 x ['a', '+', 'b']", id="signs for the script"),
        pytest.param("run args.py ~/data lr=2", "2.0 x ['~/data']", id="a path of the home"),
        pytest.param(
            "run args.py ~nobody_of_this_name/x", "0.1 x ['~nobody_of_this_name/x']", id="of a user"
        ),
        pytest.param("run args.py lr=2 name", "2.0 x ['name']", id="a word for the script"),
    ],
)
def test_what_is_right_stays_right(folder: Path, line: str, printed: str) -> None:
    done = run_kogine(folder, *shlex.split(line))
    assert (done.stdout, done.status) == (f"{printed}\n", 0), done.stderr


def test_each_command_of_a_group_is_found() -> None:
    groups = {one: kogine.get_command(click.Context(kogine), one) for one in kogine.places}
    for name, group in groups.items():
        for inner in group.places if isinstance(group, Group) else ():
            told = meant_command([inner, "train.py"], kogine.places)
            assert inner in kogine.places or f"kogine {name} {inner} train.py" in told


@pytest.mark.parametrize("text", ["range", "range:x:y", "uniform:1", "a:b:c"])
def test_what_is_no_axis_is_not_told_as_one(folder: Path, text: str) -> None:
    assert "--sweep" not in refused(folder, f"run train.py lr={text}")


COMMAS = """\
from pathlib import Path
lr = 0.1
name = "a"
layers = [1, 2]
flag = True
n: int = 3
pair = (1, 2)
some = {1, 2}
table = {"a": 1}
x = None
out = Path("a")
print(repr([lr, name, layers, flag, n, pair, some, table, x, out]))
"""


@pytest.mark.parametrize(
    ("override", "values"),
    [
        pytest.param("lr=0.1,0.2", ["0.1", "0.2", "(0.1, 0.2)"], id="float"),
        pytest.param("lr=0.3,", ["0.3", "(0.3,)"], id="one and a comma"),
        pytest.param("name=b,c", ["'b'", "'c'", "('b', 'c')", "'b,c'"], id="text"),
        pytest.param("layers=4,5", ["[4]", "[5]", "[4, 5]"], id="list"),
        pytest.param("layers=b,5", ["['b']", "[5]", "['b', 5]"], id="list of texts"),
        pytest.param("flag=yes,no", ["True", "False", "('yes', 'no')"], id="bool"),
        pytest.param("n=4,5", ["4", "5", "(4, 5)"], id="int"),
        pytest.param("n=b,c", ["('b', 'c')"], id="int given texts"),
        pytest.param("pair=4,5", ["(4,)", "(5,)", "(4, 5)"], id="tuple"),
        pytest.param("pair=4,", ["(4,)"], id="tuple of one"),
        pytest.param("some=4,5", ["{4}", "{5}", "{4, 5}"], id="set"),
        pytest.param("table=4,5", ["(4, 5)"], id="dict"),
        pytest.param("x=b,c", ["'b'", "'c'", "('b', 'c')", "'b,c'"], id="None"),
        pytest.param("x=4,5", ["4", "5", "(4, 5)", "'4,5'"], id="None given numbers"),
        pytest.param("out=b,c", ["PosixPath('b')", "PosixPath('b,c')"], id="path"),
    ],
)
def test_each_way_that_a_comma_is_told_works(
    tmp_path: Path, override: str, values: list[str]
) -> None:
    (tmp_path / "s.py").write_text(COMMAS)
    told = run_kogine(tmp_path, "run", "s.py", override)
    assert told.status == 2
    ways = re.findall(r"`(.*?)`", told.stderr)
    printed = ""
    for way in ways:
        words = shlex.split(way)
        assert set("".join(words)) & set("([{'\"") == set() or shlex.join(words) == way
        done = run_kogine(tmp_path, "run", "s.py", "--mode", "inline", "--no-record", *words)
        assert done.status == 0, (way, done)
        printed += done.stdout
    assert ways
    assert [value for value in values if value not in printed] == []
