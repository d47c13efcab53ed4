"""``kogine config show``: the values of a config, as they are applied."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.config_command import config, text, write
from tests.oracle import Finished

TRAIN = """
lr = 0.1
bs: int = 32


class Args:
    depth: int = 3


def main(epochs=1):
    print(lr, bs, Args.depth, epochs)


if __name__ == "__main__":
    main()
"""
FILES = {
    "train.py": TRAIN,
    "cfg.py": """
        lr = 0.5


        def bs():
            return 1


        _overrides = {"Args.depth": 4}
        _kwargs = {"epochs": 2}
        """,
    "data.yaml": "lr: 1e-3\nArgs:\n  depth: 5\n",
    "sweep.py": 'depth = 7\n_sweep = {"lr": [0.1, 0.2], "bs": [16, 32]}\n',
    "endless.py": """
        import itertools
        from kohaku_ast import Config


        def config_gen():
            for number in itertools.count():
                yield Config({"lr": number})
        """,
    "empty.py": "import math\n",
}


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        pytest.param(
            ["cfg.py"],
            """
            target      value  from
            lr          0.5    cfg.py:1
            bs          bs     cfg.py:4
            Args.depth  4      cfg.py:8

            # kwargs
            epochs      2
            """,
            id="a bare file",
        ),
        pytest.param(
            ["cfg.py", "data.yaml"],
            """
            target      value         from
            lr          0.001         data.yaml:1
            bs          bs            cfg.py:4
            Args.depth  4             cfg.py:8
            Args        {'depth': 5}  data.yaml:2

            # kwargs
            epochs      2
            """,
            id="several files, later ones win",
        ),
        pytest.param(
            ["cfg.py", "lr=0.25", "Args.depth=9"],
            """
            target      value  from
            lr          0.25   command line
            bs          bs     cfg.py:4
            Args.depth  9      command line

            # kwargs
            epochs      2
            """,
            id="with values over it",
        ),
        pytest.param(["empty.py"], "empty: it changes nothing\n", id="an empty one"),
        pytest.param(
            ["sweep.py", "-n", "3"],
            """
            axis  values    size
            lr    0.1, 0.2  2
            bs    16, 32    2
            4 runs

            run  lr   bs
            1    0.1  16
            2    0.1  32
            3    0.2  16

            in every run:
            target  value  from
            depth   7      sweep.py:1
            """,
            id="a sweep",
        ),
        pytest.param(
            ["endless.py", "-n2"],
            """
            an unknown number of runs

            run  lr
            1    0
            2    1
            """,
            id="a number without a space",
        ),
        pytest.param(
            ["endless.py", "-n", "2"],
            """
            an unknown number of runs

            run  lr
            1    0
            2    1
            """,
            id="an endless generator",
        ),
        pytest.param(
            ["data.yaml", "--script", "train.py"],
            """
            target      value  from         default  at
            lr          0.001  data.yaml:1  0.1      train.py:1
            Args.depth  5      data.yaml:2  3        train.py:6
            """,
            id="against a script",
        ),
    ],
)
def test_shows(arguments: list[str], shown: str, tmp_path: Path) -> None:
    write(tmp_path, FILES)
    done = config(tmp_path, "show", *arguments)
    assert done.stdout == text(shown)
    assert done.status == (0 if shown else 2)


def test_against_a_script_it_says_the_problems(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": TRAIN, "cfg.py": "lrr = 0.5\nbs = 'a'\n"})
    done = config(tmp_path, "show", "cfg.py", "--script", "train.py")
    shown = text("""
        target  value  from      default  at
        lrr     0.5    cfg.py:1
        bs      'a'    cfg.py:2  32       train.py:2
        cfg.py:1: train.py: no parameter 'lrr'. Did you mean 'lr' (line 1)?
        cfg.py:2: warning: train.py:2: bs: expected int (default 32), got str 'a'
        """)
    assert done == Finished(1, shown, "")


def test_json_has_the_documented_fields(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    assert json.loads(config(tmp_path, "show", "cfg.py", "--format", "json").stdout) == {
        "version": 1,
        "configs": ["cfg.py"],
        "overrides": [
            {"target": "lr", "value": 0.5, "text": "0.5", "from": "cfg.py:1"},
            {"target": "bs", "value": None, "text": "bs", "from": "cfg.py:4"},
            {"target": "Args.depth", "value": 4, "text": "4", "from": "cfg.py:8"},
        ],
        "args": [],
        "kwargs": {"epochs": {"value": 2, "text": "2"}},
        "argv": [],
        "new_globals": {},
        "metadata": {},
        "outputs": [],
        "inputs": [],
        "artifacts": [],
    }


def test_json_of_a_sweep(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    shown = config(tmp_path, "show", "sweep.py", "--format", "json", "-n", "1").stdout
    document = json.loads(shown)
    assert document["axes"][1] == {
        "targets": ["bs"], "values": "16, 32", "size": 2, "random": False,
    }  # fmt: skip
    assert document["size"] == 4
    assert [run["label"] for run in document["runs"]] == ["lr=0.1 bs=16"]


def test_json_against_a_script(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    arguments = ["data.yaml", "--script", "train.py", "--format", "json"]
    assert json.loads(config(tmp_path, "show", *arguments).stdout)["fits"][0] == {
        "target": "lr", "full": "lr", "value": "0.001", "from": "data.yaml:1", "default": "0.1",
        "at": "train.py:1", "problem": "", "warning": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "no file given: kogine config show CONFIG ...", id="no file"),
        pytest.param(["cfg.py", "-n", "x"], "-n x: not a whole number", id="no number"),
        pytest.param(["cfg.py", "--format", "jsn"], "Did you mean 'json'?", id="format"),
        pytest.param(["no.py"], "'no.py'", id="no such config"),
        pytest.param(["cfg.py", "--script", "no.py"], "'no.py'", id="no such script"),
    ],
)
def test_mistakes(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = config(write(tmp_path, FILES), "show", *arguments)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr
