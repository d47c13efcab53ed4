"""``kogine config check``: whether configs fit a script that is never run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.config_command import config, text, write
from tests.oracle import Finished

TRAIN = """
import enum
import hparams

open("ran", "w")
lr = 0.1
bs: int = 32
name = "base"
seed = None
layers = (1, 2)
ratio: float | None = None


class Mode(enum.Enum):
    FAST = 1


mode = Mode.FAST


class Args:
    depth: int = 3


cfg = {"lr": 0.1, "opt": {"name": "sgd"}}


def main(epochs=1):
    print(lr)


if __name__ == "__main__":
    main()
"""
HPARAMS = "width = 8\n"


def check(tmp_path: Path, text: str, name: str = "cfg.py") -> Finished:
    write(tmp_path, {"train.py": TRAIN, "hparams.py": HPARAMS, name: text})
    done = config(tmp_path, "check", "train.py", "--config", name)
    assert not (tmp_path / "ran").exists()
    assert done.stderr == ""
    return done


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        pytest.param("cfg.py", "lr = 0.5\n", "1 override fits train.py", id="one"),
        pytest.param("cfg.py", "lr = 1\nbs = 2\n", "2 overrides fit train.py", id="int for float"),
        pytest.param("cfg.py", "seed = 1\n", "1 override fits", id="anything for None"),
        pytest.param("cfg.py", "ratio = None\n", "1 override fits", id="None for Optional"),
        pytest.param("cfg.py", "depth = 1\n", "1 override fits", id="a short target"),
        pytest.param("cfg.py", "mode = object()\n", "1 override fits", id="an object for an enum"),
        pytest.param(
            "cfg.py", "_overrides = {'hparams.width': 4}\n", "1 override fits", id="a module"
        ),
        pytest.param(
            "cfg.py", "import numpy\nlr = numpy.float32(1)\n", "1 override fits", id="a scalar of numpy"
        ),
        pytest.param("cfg.py", "half = 2\nlr = half / 4\n", "1 override fits", id="a helper"),
        pytest.param("cfg.py", "_kwargs = {'epochs': 2}\n", "0 overrides fit", id="kwargs"),
        pytest.param(
            "c.yaml", "lr: 1e-3\nmode: FAST\ncfg: {lr: 1}\nArgs: {depth: 2}\n", "4 overrides fit",
            id="text that fits",
        ),
        pytest.param("cfg.py", "_sweep = {'lr': [1, 2]}\n", "2 runs of 1 override fit", id="sweep"),
        pytest.param(
            "cfg.py",
            "def config_gen():\n    while True:\n        yield {'lr': 1}\n",
            "the first 1000 runs of 1 override fit", id="an endless sweep",
        ),
    ],
)  # fmt: skip
def test_fits(name: str, text: str, said: str, tmp_path: Path) -> None:
    done = check(tmp_path, text, name)
    assert done.stdout.startswith(f"{name}: {said}")
    assert (done.status, done.stdout.count("\n")) == (0, 1)


@pytest.mark.parametrize(
    ("name", "cfg", "said"),
    [
        pytest.param(
            "cfg.py",
            "lrr = 1\nbs = 2\nArg = 3\n",
            """
            cfg.py:1: train.py: no parameter 'lrr'. Did you mean 'lr' (line 5) or 'cfg.lr' (line 24)?
            cfg.py:3: train.py: no parameter 'Arg'. Did you mean 'Args' (line 20)?
            cfg.py: 2 problems with train.py
            """,
            id="every unknown name",
        ),
        pytest.param(
            "cfg.py",
            "_overrides = {'hparams.widht': 4}\n",
            """
            cfg.py:1: hparams.py: no parameter 'widht'. Did you mean 'width' (line 1)?
            cfg.py: 1 problem with train.py
            """,
            id="in a module",
        ),
        pytest.param(
            "c.yaml",
            "lr: fast\nbs: 1.5\nmode: SLOW\n",
            """
            c.yaml:1: train.py:5: lr: expected float, got 'fast' (default 0.1)
            c.yaml:2: train.py:6: bs: expected int, got '1.5' (default 32)
            c.yaml:3: train.py:17: mode: expected member of Mode (FAST), got 'SLOW' (default Mode.FAST)
            c.yaml: 3 problems with train.py
            """,
            id="text that does not fit",
        ),
        pytest.param(
            "cfg.py",
            "_kwargs = {'epoch': 2}\n",
            """
            cfg.py: train.py:32: main() has no parameter 'epoch'. Did you mean 'epochs'?
            cfg.py: 1 problem with train.py
            """,
            id="kwargs",
        ),
        pytest.param(
            "cfg.py",
            "depth = 1\n_overrides = {'Args.depth': 2}\n",
            """
            cfg.py:2: 'Args.depth' is given twice ('depth' and 'Args.depth'): 1 and 2. Give one value, or --sweep both.
            cfg.py: 1 problem with train.py
            """,
            id="one parameter twice",
        ),
        pytest.param(
            "cfg.py",
            "_sweep = {'lr': [1, 2], 'lrr': [1, 2]}\n",
            """
            cfg.py:1: train.py: no parameter 'lrr'. Did you mean 'lr' (line 5) or 'cfg.lr' (line 24)?
            cfg.py: 1 problem with train.py
            """,
            id="of all runs, once",
        ),
    ],
)
def test_problems(name: str, cfg: str, said: str, tmp_path: Path) -> None:
    assert check(tmp_path, cfg, name) == Finished(1, text(said), "")


@pytest.mark.parametrize(
    ("cfg", "said"),
    [
        pytest.param("lr = '0.1'\n", "lr: expected float (default 0.1), got str '0.1'", id="text"),
        pytest.param("bs = 1.5\n", "bs: expected int (default 32), got float 1.5", id="float"),
        pytest.param("bs = None\n", "bs: expected int (default 32), got None", id="None"),
        pytest.param("bs = True\n", "bs: expected int (default 32), got bool True", id="bool"),
        pytest.param("layers = [1]\n", "layers: expected tuple (default (1, 2)), got list", id="list"),
        pytest.param("mode = 'FAST'\n", "mode: expected member of Mode (FAST)", id="a name for an enum"),
    ],
)  # fmt: skip
def test_an_object_of_another_type_is_a_warning(cfg: str, said: str, tmp_path: Path) -> None:
    done = check(tmp_path, cfg)
    assert done.status == 0
    assert done.stdout.startswith("cfg.py:1: warning: train.py:")
    assert said in done.stdout
    assert done.stdout.endswith("cfg.py: 1 override fits train.py\n")


def test_several_configs_stack(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": "lr = 1\n", "a.py": "lr = 2\n", "b.py": "lr = 3\n"})
    done = config(tmp_path, "check", "train.py", "--config", "a.py", "-c", "b.py")
    assert done == Finished(0, "a.py, b.py: 1 override fits train.py\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "no file given: kogine config check SCRIPT", id="nothing"),
        pytest.param(["train.py"], "no config given", id="no config"),
        pytest.param(["train.py", "-c", "no.py"], "'no.py'", id="no such config"),
        pytest.param(["train.py", "-c", "bad.py"], "ZeroDivisionError", id="a config that fails"),
        pytest.param(["no.py", "-c", "bad.py"], "'no.py'", id="no such script"),
    ],
)
def test_mistakes(arguments: list[str], message: str, tmp_path: Path) -> None:
    write(tmp_path, {"train.py": "lr = 1\n", "bad.py": "lr = 1 / 0\n"})
    done = config(tmp_path, "check", *arguments)
    assert (done.status, done.stdout) == (2, "")
    assert message in done.stderr


SWEPT = {
    "train.py": "lr = 0.1\nbs = 3\n",
    "c.py": "bs = 4\n",
    "good.csv": "lr,bs\n0.1,1\n1e-3,2\n",
    "bad.csv": "lr,bs\n0.1,1\n0.2,x\n",
}


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        pytest.param(
            "--trials good.csv", 0, "good.csv: 2 runs of 2 overrides fit train.py\n", id="a table"
        ),
        pytest.param(
            "--trials bad.csv --config c.py",
            1,
            "bad.csv:3: train.py:2: bs: expected int, got 'x' (default 3)\n"
            "c.py, bad.csv: 1 problem with train.py\n",
            id="a table over a config",
        ),
        pytest.param(
            "--sweep lr=1,2 --config c.py", 0, "c.py: 2 runs of 2 overrides fit train.py\n", id="axis"
        ),
        pytest.param(
            "--sweep lr=1,2 --sweep bs=3,4 --zip lr,bs",
            0,
            "command line: 2 runs of 2 overrides fit train.py\n",
            id="axes side by side",
        ),
        pytest.param(
            "--sweep lr=uniform:0:1",
            0,
            "command line: 20 runs of 1 override fit train.py\n",
            id="some draws of a random axis",
        ),
        pytest.param(
            "--sweep lx=1,2",
            1,
            "command line: train.py: no parameter 'lx'. Did you mean 'lr' (line 1)?\n"
            "command line: 1 problem with train.py\n",
            id="an axis of an unknown target",
        ),
    ],
)  # fmt: skip
def test_axes_of_the_command_line(arguments: str, status: int, said: str, tmp_path: Path) -> None:
    write(tmp_path, SWEPT)
    done = config(tmp_path, "check", "train.py", *arguments.split())
    assert done == Finished(status, said, "")
